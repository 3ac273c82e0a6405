//! The client of a signaling server: a reconnecting actor.
//!
//! Owns the way to the server: finding it, logging in, coming back after a loss, resuming the session. Must
//! not know the call machine, WebRTC or media. The session drives it: commands in, [`Event`]s out.

mod actor;
mod backoff;
mod dial;
mod proxy;
mod refusal;
mod resolve;
mod tunnel;
mod way;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

pub use backoff::Backoff;
pub use proxy::{BadProxy, Proxies, Proxy};
pub use refusal::Refusal;
pub use resolve::{Endpoint, ServerAddress, ask, resolve};
pub use way::Way;

use refusal::Failure;

use crate::signaling::protocol::{
    Availability, CallId, Candidate, Change, ClientMessage, Description, DescriptionKind, EndReason,
    ErrorCode, IceServer, Key, Name, ServerMessage, SessionId, Signature, User,
};

/// Commands that wait while the way to the server is down; one more is refused with [`Error::Full`].
const COMMANDS: usize = 256;
/// Events that wait for the session; while it is full the actor reads nothing from the server, which cuts
/// the connection in the end, and the actor comes back.
const EVENTS: usize = 256;
/// A request that is not answered by then failed.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Signs logins with the key of a profile.
pub trait Signer: Send + Sync + 'static {
    /// The Ed25519 public key.
    fn public_key(&self) -> [u8; 32];
    /// The Ed25519 signature (RFC 8032) over `letsmeet <context> v1`, one zero byte and the message.
    fn sign(&self, context: &str, message: &[u8]) -> [u8; 64];
}

/// Settings of a client.
#[derive(Clone)]
pub struct Config {
    /// The server.
    pub server: ServerAddress,
    /// How it is reached.
    pub way: Way,
    /// The name to log in under.
    pub name: Name,
    /// The key that owns the name.
    pub signer: Arc<dyn Signer>,
    /// The shared token, where the server wants one. Never logged.
    pub token: Option<String>,
    /// How to come back.
    pub backoff: Backoff,
    /// From dialing to `registered`.
    pub connect_timeout: Duration,
}

impl Config {
    /// The usual settings.
    pub fn new(server: ServerAddress, name: Name, signer: Arc<dyn Signer>) -> Config {
        let (backoff, connect_timeout) = (Backoff::default(), Duration::from_secs(10));
        Config { server, way: Way::default(), name, signer, token: None, backoff, connect_timeout }
    }
}

/// What the session is told.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Logged in, for the first time or again.
    Up {
        /// The name in its normalised spelling.
        name: Name,
        /// This session.
        session: SessionId,
        /// Whether the session before was taken up again. If not, accepted calls need
        /// [`Client::rejoin`].
        resumed: bool,
        /// STUN and TURN servers to use.
        ice_servers: Vec<IceServer>,
    },
    /// The way to the server is down, or could not be made; the actor goes on trying.
    Down {
        /// For people.
        reason: String,
        /// When it tries next.
        retry_in: Duration,
    },
    /// The server refused for good, or there is no way to it that trying again could find: the actor has stopped. The
    /// last event.
    Refused {
        /// For programs.
        code: Refusal,
        /// For people.
        message: String,
    },
    /// Somebody calls.
    Incoming {
        /// The call.
        call: CallId,
        /// The caller's name.
        from: Name,
        /// The caller's key.
        from_key: Key,
        /// The caller's session.
        from_session: SessionId,
        /// Only files are to be sent.
        files: bool,
    },
    /// The callee is being alerted.
    Ringing {
        /// The call.
        call: CallId,
    },
    /// The callee took the call.
    Accepted {
        /// The call.
        call: CallId,
        /// The callee's name.
        by: Name,
        /// The callee's key.
        key: Key,
        /// The session that took it.
        session: SessionId,
    },
    /// The call is over, or never came to be.
    Ended {
        /// The call.
        call: CallId,
        /// Why.
        reason: EndReason,
        /// The same for people.
        sentence: String,
    },
    /// An offer or an answer of the other participant.
    Description {
        /// The call.
        call: CallId,
        /// The sender's session.
        from: SessionId,
        /// Offer or answer.
        kind: DescriptionKind,
        /// The session description. Not checked beyond its length and first line.
        sdp: String,
        /// The sender's signature over its fingerprint and the call. Not checked.
        signature: Signature,
    },
    /// A candidate of the other participant.
    Candidate {
        /// The call.
        call: CallId,
        /// The sender's session.
        from: SessionId,
        /// The candidate line; empty means that no more follow.
        candidate: String,
        /// The media section by its mid.
        mid: String,
        /// The media section by its index.
        mline: u16,
    },
    /// The other participant's way to the server was lost or is back.
    PeerSignaling {
        /// The call.
        call: CallId,
        /// Whether it is there now.
        up: bool,
        /// The other participant's session, which may be a new one.
        session: Option<SessionId>,
    },
    /// Watched names and their states.
    Presence(Vec<Change>),
    /// A command about a call was refused by the server.
    CallRefused {
        /// The call.
        call: CallId,
        /// For programs.
        code: ErrorCode,
        /// For people.
        message: String,
    },
}

/// Why a command or request failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Too many commands wait; the way to the server is down or slow.
    #[error("too many commands wait for the server")]
    Full,
    /// The actor has stopped.
    #[error("the connection to the server is closed")]
    Stopped,
    /// The way to the server was lost before the answer, or none came in time.
    #[error("the server did not answer")]
    NoAnswer,
    /// The server refused.
    #[error("{message}")]
    Refused {
        /// For programs.
        code: ErrorCode,
        /// For people.
        message: String,
    },
}

/// One page of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The users.
    pub users: Vec<User>,
    /// `after` for the next page.
    pub next: Option<String>,
}

/// A handle on the actor. When the last one is dropped the actor logs out and stops.
#[derive(Debug, Clone)]
pub struct Client {
    commands: mpsc::Sender<Command>,
}

/// What crosses from a handle to the actor.
#[derive(Debug)]
enum Command {
    /// To be sent; an error answer becomes [`Event::CallRefused`].
    Send(ClientMessage),
    /// To be sent; the answer goes back.
    Request(ClientMessage, oneshot::Sender<Result<ServerMessage, Error>>),
    /// Dial anew, with the same session.
    Reconnect,
    /// Log out and stop; answered when it is done.
    Close(oneshot::Sender<()>),
}

impl Client {
    /// Starts the actor on the current runtime. It connects at once and goes on until the last handle and
    /// the receiver are dropped, [`Client::close`] is called or the server refuses for good.
    pub fn spawn(config: Config) -> (Client, mpsc::Receiver<Event>) {
        let (commands, inbox) = mpsc::channel(COMMANDS);
        let (events, outbox) = mpsc::channel(EVENTS);
        tokio::spawn(actor::run(config, inbox, events));
        (Client { commands }, outbox)
    }

    /// Logs out and waits until that was sent; at most as long as a request.
    pub async fn close(self) {
        let (done, closed) = oneshot::channel();
        if self.commands.send(Command::Close(done)).await.is_ok() {
            // A dropped answer means that the actor has stopped, which is what was wanted.
            let _ = tokio::time::timeout(REQUEST_TIMEOUT, closed).await;
        }
    }

    /// Rings a name, for `files` alone or for a call. What comes of it is told by events.
    ///
    /// # Errors
    /// [`Error::Full`] or [`Error::Stopped`], as for every command below.
    pub fn invite(&self, call: CallId, to: &str, files: bool) -> Result<(), Error> {
        self.send(ClientMessage::Invite { call, to: to.to_owned(), files, seq: None })
    }

    /// Tells the caller that somebody is being alerted.
    ///
    /// # Errors
    /// See [`Client::invite`].
    pub fn ringing(&self, call: CallId) -> Result<(), Error> {
        self.send(ClientMessage::Ringing { call, seq: None })
    }

    /// Takes an incoming call.
    ///
    /// # Errors
    /// See [`Client::invite`].
    pub fn accept(&self, call: CallId) -> Result<(), Error> {
        self.send(ClientMessage::Accept { call, seq: None })
    }

    /// Does not take an incoming call.
    ///
    /// # Errors
    /// See [`Client::invite`].
    pub fn decline(&self, call: CallId, busy: bool) -> Result<(), Error> {
        self.send(ClientMessage::Decline { call, busy, seq: None })
    }

    /// Gives up before the answer.
    ///
    /// # Errors
    /// See [`Client::invite`].
    pub fn cancel(&self, call: CallId) -> Result<(), Error> {
        self.send(ClientMessage::Cancel { call, seq: None })
    }

    /// Ends an accepted call.
    ///
    /// # Errors
    /// See [`Client::invite`].
    pub fn hangup(&self, call: CallId, reason: EndReason) -> Result<(), Error> {
        self.send(ClientMessage::Hangup { call, reason, seq: None })
    }

    /// Sends an offer or an answer to the other participant.
    ///
    /// # Errors
    /// See [`Client::invite`].
    pub fn description(
        &self,
        call: CallId,
        kind: DescriptionKind,
        sdp: String,
        signature: Signature,
    ) -> Result<(), Error> {
        let description = Description { call, to: None, kind, sdp, signature, seq: None };
        self.send(ClientMessage::Description(description))
    }

    /// Sends a candidate to the other participant; an empty one says that no more follow.
    ///
    /// # Errors
    /// See [`Client::invite`].
    pub fn candidate(&self, call: CallId, candidate: String, mid: String, mline: u16) -> Result<(), Error> {
        let candidate = Candidate { call, to: None, candidate, mid, mline, seq: None };
        self.send(ClientMessage::Candidate(candidate))
    }

    /// Takes an accepted call up again after an [`Event::Up`] that did not resume.
    ///
    /// # Errors
    /// See [`Client::invite`].
    pub fn rejoin(&self, call: CallId, with: &str) -> Result<(), Error> {
        self.send(ClientMessage::Rejoin { call, with: with.to_owned(), seq: None })
    }

    /// One page of who is online.
    ///
    /// # Errors
    /// [`Error`] when no page comes.
    pub async fn list(
        &self,
        query: Option<String>,
        after: Option<String>,
        limit: Option<u16>,
    ) -> Result<Page, Error> {
        match self.request(ClientMessage::List { query, after, limit, seq: None }).await? {
            ServerMessage::Users { users, next, .. } => Ok(Page { users, next }),
            _ => Err(Error::NoAnswer),
        }
    }

    /// Watches names from here on, also after a reconnect. States come as [`Event::Presence`].
    ///
    /// # Errors
    /// [`Error`] when the server does not confirm.
    pub async fn watch(&self, names: Vec<String>) -> Result<(), Error> {
        self.request(ClientMessage::Watch { names, seq: None }).await.map(drop)
    }

    /// Stops watching names; an empty list means every one.
    ///
    /// # Errors
    /// [`Error`] when the server does not confirm.
    pub async fn unwatch(&self, names: Vec<String>) -> Result<(), Error> {
        self.request(ClientMessage::Unwatch { names, seq: None }).await.map(drop)
    }

    /// Says whether this session wants to be called, also after a reconnect.
    ///
    /// # Errors
    /// [`Error`] when the server does not confirm.
    pub async fn set_state(&self, state: Availability) -> Result<(), Error> {
        self.request(ClientMessage::State { state, seq: None }).await.map(drop)
    }

    /// Gives the present connection up and takes the session up again over another one: the network below has changed. Nothing
    /// happens while there is none.
    ///
    /// # Errors
    /// [`Error`] as for [`Client::invite`].
    pub fn reconnect(&self) -> Result<(), Error> {
        self.commands.try_send(Command::Reconnect).map_err(refused)
    }

    fn send(&self, message: ClientMessage) -> Result<(), Error> {
        self.commands.try_send(Command::Send(message)).map_err(refused)
    }

    async fn request(&self, message: ClientMessage) -> Result<ServerMessage, Error> {
        let (answer, answered) = oneshot::channel();
        self.commands.try_send(Command::Request(message, answer)).map_err(refused)?;
        match tokio::time::timeout(REQUEST_TIMEOUT, answered).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(Error::Stopped),
            Err(_) => Err(Error::NoAnswer),
        }
    }
}

/// Installs the process's TLS provider once; another one that is there already serves as well.
fn install_crypto() {
    use rustls::crypto::{CryptoProvider, ring};
    if CryptoProvider::get_default().is_none() {
        // Losing a race against another thread leaves that one's provider in place.
        let _ = ring::default_provider().install_default();
    }
}

fn refused<T>(error: mpsc::error::TrySendError<T>) -> Error {
    match error {
        mpsc::error::TrySendError::Full(_) => Error::Full,
        mpsc::error::TrySendError::Closed(_) => Error::Stopped,
    }
}
