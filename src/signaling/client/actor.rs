//! The actor behind a [`Client`](super::Client): connect, log in, pass messages, come back.
//!
//! Owns the socket and everything that must survive its loss: the resume token, the calls that are alive,
//! the watched names. One task.
//!
//! Each call that a lost connection leaves in doubt has one owner. When the session is new, a call that
//! was not accepted is over: `Ended` is told before `Up`. When it was resumed, an invite is repeated by
//! call control, which waits for its answer; any other call that the server does not know any more ends here,
//! after what had waited on the server. Accepted calls are rejoined by call control.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_tungstenite::tungstenite::{Error as WsError, Message};

use super::dial::{Dialed, Outcome, Socket, dial, lost};
use super::resolve::Endpoint;
use super::{COMMANDS, Command, Config, Error, Event};
use crate::signaling::protocol::{
    Availability, CallId, ClientMessage, EndReason, ErrorCode, ResumeToken, ServerMessage, parse_server,
};

/// Requests without an answer yet; one more fails with [`Error::Full`].
const WAITING: usize = 256;
/// Attempts on one endpoint before it is looked up again.
const RESOLVE_AGAIN: u32 = 3;
/// How long a logout or a frame may take to be handed to the kernel.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);

/// Runs until there is nobody left to serve or the server refuses for good.
pub(super) async fn run(config: Config, commands: mpsc::Receiver<Command>, events: mpsc::Sender<Event>) {
    let mut actor = Actor {
        config,
        commands,
        events,
        held: VecDeque::new(),
        endpoint: None,
        resume: None,
        live: HashMap::new(),
        watched: BTreeSet::new(),
        state: Availability::Available,
        attempt: 0,
    };
    loop {
        let (reason, at_least) = match actor.connection().await {
            Outcome::Stop(done) => {
                if let Some(done) = done {
                    // The caller may have stopped waiting.
                    let _ = done.send(());
                }
                return;
            }
            // Not before the first login: whoever waits for that one is to know.
            Outcome::Refused(code, reason) if code.may_pass() && actor.resume.is_some() => {
                (reason, Duration::ZERO)
            }
            Outcome::Refused(code, message) => {
                // Nobody may be listening any more.
                let _ = actor.events.send(Event::Refused { code, message }).await;
                return;
            }
            Outcome::Lost { reason, at_least } => (reason, at_least),
        };
        let retry_in = actor.config.backoff.wait(actor.attempt, chance(), at_least);
        actor.attempt = actor.attempt.saturating_add(1);
        if actor.attempt.is_multiple_of(RESOLVE_AGAIN) {
            actor.endpoint = None;
        }
        tracing::debug!(%reason, ?retry_in, "the way to the server is down");
        if actor.events.send(Event::Down { reason, retry_in }).await.is_err() {
            return;
        }
        if let Err(stop) = actor.meanwhile(sleep(retry_in)).await {
            if let Outcome::Stop(Some(done)) = stop {
                // The caller may have stopped waiting.
                let _ = done.send(());
            }
            return;
        }
    }
}

struct Actor {
    config: Config,
    commands: mpsc::Receiver<Command>,
    events: mpsc::Sender<Event>,
    /// Commands that came while the way was down, at most [`COMMANDS`].
    held: VecDeque<Command>,
    endpoint: Option<Endpoint>,
    resume: Option<ResumeToken>,
    /// Calls that the server knows of, as far as is known.
    live: HashMap<CallId, Standing>,
    watched: BTreeSet<String>,
    state: Availability,
    attempt: u32,
}

/// How far a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Our invite has no answer yet.
    Placed,
    /// Theirs has none.
    Incoming,
    Accepted,
}

/// A connection that is logged in.
struct Link {
    socket: Socket,
    waiting: HashMap<u32, Waiting>,
    seq: u32,
    /// Events that wait for room; nothing is read meanwhile.
    pending: VecDeque<Event>,
    heartbeat: Duration,
}

enum Waiting {
    Request(oneshot::Sender<Result<ServerMessage, Error>>),
    /// After the answer everything that waited on the server has come: these calls are over.
    Fence(Vec<CallId>),
}

impl Actor {
    /// Waits for something while commands are held.
    async fn meanwhile<T>(&mut self, what: impl Future<Output = T>) -> Result<T, Outcome> {
        tokio::pin!(what);
        loop {
            tokio::select! {
                done = &mut what => return Ok(done),
                () = self.events.closed() => return Err(Outcome::Stop(None)),
                command = self.commands.recv(), if self.held.len() < COMMANDS => match command {
                    Some(Command::Close(done)) => return Err(Outcome::Stop(Some(done))),
                    // That is what is being done.
                    Some(Command::Reconnect) => {}
                    Some(command) => self.held.push_back(command),
                    None => return Err(Outcome::Stop(None)),
                },
            }
        }
    }

    /// One connection from dialing to its end.
    async fn connection(&mut self) -> Outcome {
        let (config, endpoint, resume) = (self.config.clone(), self.endpoint.clone(), self.resume);
        let dialing = timeout(config.connect_timeout, dial(config, endpoint, resume));
        let dialed = match self.meanwhile(dialing).await {
            Ok(Ok(Ok(dialed))) => dialed,
            Ok(Ok(Err(outcome))) => return outcome,
            Ok(Err(_)) => return lost("the server did not answer in time"),
            Err(outcome) => return outcome,
        };
        let Dialed { socket, endpoint, registered } = dialed;
        let ServerMessage::Registered {
            name,
            session,
            resume,
            resumed,
            calls,
            ice_servers,
            heartbeat_ms,
            ..
        } = registered
        else {
            return lost("the server sent something else than registered");
        };
        self.endpoint = Some(endpoint);
        self.resume = Some(resume);
        self.attempt = 0;
        let mut link = Link {
            socket,
            waiting: HashMap::new(),
            seq: 0,
            pending: VecDeque::new(),
            // A server that says 0 must not make the client reconnect without end.
            heartbeat: Duration::from_millis(heartbeat_ms.clamp(1_000, 300_000)),
        };
        if !resumed {
            link.pending.extend(self.forget_unaccepted());
        }
        link.pending.push_back(Event::Up { name, session, resumed, ice_servers });
        match self.serve(&mut link, resumed, &calls).await {
            Ok(never) => match never {},
            Err(outcome) => {
                for (_, waiting) in link.waiting.drain() {
                    if let Waiting::Request(answer) = waiting {
                        // Who asked may have given up.
                        let _ = answer.send(Err(Error::NoAnswer));
                    }
                }
                if let Outcome::Lost { .. } = outcome {
                    for event in link.pending.drain(..) {
                        // The run ends by itself when nobody listens.
                        let _ = self.events.send(event).await;
                    }
                }
                if let Outcome::Stop(_) = outcome {
                    let logout = async {
                        let logout = ClientMessage::Logout { seq: None };
                        link.socket.send(Message::text(logout.to_json())).await?;
                        link.socket.close(None).await
                    };
                    // The session ends without it as well, a little later.
                    let _ = timeout(WRITE_TIMEOUT, logout).await;
                }
                outcome
            }
        }
    }

    async fn serve(
        &mut self,
        link: &mut Link,
        resumed: bool,
        calls: &[CallId],
    ) -> Result<std::convert::Infallible, Outcome> {
        let in_doubt = |(id, standing): (&CallId, &Standing)| {
            let gone = resumed && *standing != Standing::Placed && !calls.contains(id);
            gone.then_some(*id)
        };
        let over: Vec<CallId> = self.live.iter().filter_map(in_doubt).collect();
        let state = ClientMessage::State { state: self.state, seq: None };
        if !over.is_empty() {
            link.request(state, Waiting::Fence(over)).await?;
        } else if self.state == Availability::Away {
            link.send(&state).await?;
        }
        if !resumed && !self.watched.is_empty() {
            let names = self.watched.iter().cloned().collect();
            link.send(&ClientMessage::Watch { names, seq: None }).await?;
        }
        while let Some(command) = self.held.pop_front() {
            self.carry_out(link, command).await?;
        }
        let events = self.events.clone();
        let mut heard = Instant::now();
        loop {
            let silent_until = heard + link.heartbeat * 5 / 2;
            tokio::select! {
                biased;
                room = events.reserve(), if !link.pending.is_empty() => {
                    let Ok(room) = room else {
                        return Err(Outcome::Stop(None));
                    };
                    if let Some(event) = link.pending.pop_front() {
                        room.send(event);
                    }
                }
                incoming = link.socket.next(), if link.pending.is_empty() => {
                    heard = Instant::now();
                    self.on_frame(link, incoming)?;
                }
                command = self.commands.recv() => match command {
                    Some(command) => self.carry_out(link, command).await?,
                    None => return Err(Outcome::Stop(None)),
                },
                () = events.closed() => return Err(Outcome::Stop(None)),
                () = sleep_until(silent_until), if link.pending.is_empty() => {
                    return Err(lost("nothing was heard from the server"));
                }
            }
        }
    }

    /// The ends of the calls that no new session can answer for.
    fn forget_unaccepted(&mut self) -> Vec<Event> {
        let unaccepted = self.live.extract_if(|_, standing| *standing != Standing::Accepted);
        unaccepted.map(|(call, _)| lost_call(call)).collect()
    }

    async fn carry_out(&mut self, link: &mut Link, command: Command) -> Result<(), Outcome> {
        match command {
            Command::Close(done) => Err(Outcome::Stop(Some(done))),
            Command::Reconnect => Err(lost("the network changed")),
            Command::Send(message) => {
                match &message {
                    ClientMessage::Invite { call, .. } => {
                        self.live.insert(*call, Standing::Placed);
                    }
                    ClientMessage::Accept { call, .. } | ClientMessage::Rejoin { call, .. } => {
                        self.live.insert(*call, Standing::Accepted);
                    }
                    ClientMessage::Decline { call, .. }
                    | ClientMessage::Cancel { call, .. }
                    | ClientMessage::Hangup { call, .. } => {
                        self.live.remove(call);
                    }
                    _ => {}
                }
                link.send(&message).await
            }
            Command::Request(message, answer) => {
                match &message {
                    ClientMessage::Watch { names, .. } => self.watched.extend(names.iter().cloned()),
                    ClientMessage::Unwatch { names, .. } if names.is_empty() => self.watched.clear(),
                    ClientMessage::Unwatch { names, .. } => {
                        self.watched.retain(|name| !names.contains(name));
                    }
                    ClientMessage::State { state, .. } => self.state = *state,
                    _ => {}
                }
                link.request(message, Waiting::Request(answer)).await
            }
        }
    }

    fn on_frame(
        &mut self,
        link: &mut Link,
        incoming: Option<Result<Message, WsError>>,
    ) -> Result<(), Outcome> {
        let text = match incoming {
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Binary(_))) => return Err(lost("the server sent a binary frame")),
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => return Ok(()),
            Some(Ok(Message::Close(_))) | None => {
                return Err(lost("the server closed the connection"));
            }
            Some(Err(error)) => return Err(lost(format!("the connection broke: {error}"))),
        };
        let message = match parse_server(&text) {
            Ok(message) => message,
            Err(wrong) if wrong.code == ErrorCode::UnknownType => return Ok(()),
            Err(wrong) => return Err(lost(format!("the server sent nonsense: {wrong}"))),
        };
        let event = match message {
            ServerMessage::Ok { re } | ServerMessage::Users { re: Some(re), .. } => {
                match link.waiting.remove(&re) {
                    // Who asked may have given up.
                    Some(Waiting::Request(answer)) => drop(answer.send(Ok(message))),
                    Some(Waiting::Fence(over)) => {
                        // Calls whose end came in time are not alive any more.
                        let over = over.into_iter().filter(|id| self.live.remove(id).is_some());
                        link.pending.extend(over.map(lost_call));
                    }
                    None => {}
                }
                return Ok(());
            }
            ServerMessage::Error { code, message, re: Some(re), .. } => {
                if let Some(Waiting::Request(answer)) = link.waiting.remove(&re) {
                    let _ = answer.send(Err(Error::Refused { code, message }));
                }
                return Ok(());
            }
            ServerMessage::Error { code, message, re: None, call: Some(call) } => {
                Event::CallRefused { call, code, message }
            }
            ServerMessage::Error { code, message, .. } => {
                tracing::warn!(%code, %message, "the server refused a message");
                return Ok(());
            }
            ServerMessage::Bye { reason, retry_after_ms } => {
                let at_least = Duration::from_millis(retry_after_ms);
                return Err(Outcome::Lost { reason, at_least });
            }
            ServerMessage::Challenge { .. }
            | ServerMessage::Registered { .. }
            | ServerMessage::Users { re: None, .. } => {
                return Err(lost("the server sent messages out of order"));
            }
            ServerMessage::Presence { changes } => Event::Presence(changes),
            ServerMessage::Incoming { call, from, from_key, from_session, files } => {
                self.live.insert(call, Standing::Incoming);
                Event::Incoming { call, from, from_key, from_session, files }
            }
            ServerMessage::Ringing { call } => Event::Ringing { call },
            ServerMessage::Accepted { call, by, key, session } => {
                self.live.insert(call, Standing::Accepted);
                Event::Accepted { call, by, key, session }
            }
            ServerMessage::Ended { call, reason, sentence } => {
                self.live.remove(&call);
                Event::Ended { call, reason, sentence }
            }
            ServerMessage::Description { call, from, kind, sdp, signature } => {
                Event::Description { call, from, kind, sdp, signature }
            }
            ServerMessage::Candidate { call, from, candidate, mid, mline } => {
                Event::Candidate { call, from, candidate, mid, mline }
            }
            ServerMessage::PeerSignaling { call, up, session } => Event::PeerSignaling { call, up, session },
        };
        link.pending.push_back(event);
        Ok(())
    }
}

impl Link {
    async fn send(&mut self, message: &ClientMessage) -> Result<(), Outcome> {
        let text = message.to_json();
        match timeout(WRITE_TIMEOUT, self.socket.send(Message::text(text))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(lost(format!("the connection broke: {error}"))),
            Err(_) => Err(lost("the server takes no more messages")),
        }
    }

    async fn request(&mut self, mut message: ClientMessage, waiting: Waiting) -> Result<(), Outcome> {
        if self.waiting.len() >= WAITING {
            if let Waiting::Request(answer) = waiting {
                let _ = answer.send(Err(Error::Full));
            }
            return Ok(());
        }
        self.seq = self.seq.wrapping_add(1);
        message.set_seq(self.seq);
        self.waiting.insert(self.seq, waiting);
        self.send(&message).await
    }
}

fn lost_call(call: CallId) -> Event {
    let reason = EndReason::SignalingLost;
    Event::Ended { call, reason, sentence: reason.sentence().to_owned() }
}

/// A number from 0 to 1. Without randomness the wait is the full one.
fn chance() -> f64 {
    getrandom::u32().map_or(1.0, |n| f64::from(n) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};
    use tokio::net::{TcpListener, TcpStream};
    use tokio_tungstenite::{WebSocketStream, accept_async};

    use super::super::{Client, Signer};
    use super::*;
    use crate::signaling::protocol::{Key, Name, SessionId};

    /// A server whose every word is the test's, and its client, which is up.
    struct Script {
        listener: TcpListener,
        socket: Option<WebSocketStream<TcpStream>>,
        client: Client,
        events: mpsc::Receiver<Event>,
    }

    struct NoKey;

    impl Signer for NoKey {
        fn public_key(&self) -> [u8; 32] {
            [0; 32]
        }
        fn sign(&self, _: &str, _: &[u8]) -> [u8; 64] {
            [0; 64]
        }
    }

    impl Script {
        async fn start() -> Script {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let server = format!("ws://{}/v1/ws", listener.local_addr().unwrap()).parse().unwrap();
            let mut config = Config::new(server, Name::new("alice").unwrap(), Arc::new(NoKey));
            config.backoff.first = Duration::from_millis(1);
            let (client, events) = Client::spawn(config);
            let mut script = Script { listener, socket: None, client, events };
            script.log_in(false, &[]).await;
            assert!(matches!(script.event().await, Event::Up { .. }));
            script
        }

        /// Cuts the connection and takes the next one through its login.
        async fn log_in(&mut self, resumed: bool, calls: &[CallId]) {
            self.socket = None;
            let (stream, _) = self.listener.accept().await.unwrap();
            self.socket = Some(accept_async(stream).await.unwrap());
            let limits = json!({
                "frame_bytes": 65536, "sdp_bytes": 49152, "candidate_bytes": 1024, "name_bytes": 64,
                "watched": 100, "page": 100, "messages_per_second": 50, "burst": 200, "pending_calls": 8,
            });
            let challenge = json!({
                "type": "challenge", "protocol": 1, "nonce": "KioqKioqKioqKioqKioqKioqKioqKioqKioqKioqKio",
                "server": "", "limits": limits,
            });
            self.say(challenge.to_string()).await;
            assert_eq!(self.hear().await["type"], "login");
            let registered = json!({
                "type": "registered", "name": "alice", "session": "a".repeat(32), "resume": "b".repeat(32),
                "resumed": resumed, "calls": calls, "ice_servers": [], "heartbeat_ms": 15000,
            });
            self.say(registered.to_string()).await;
        }

        /// One call that rings there, one that rings here and one that was accepted.
        async fn three_calls(&mut self) -> [CallId; 3] {
            let calls @ [placed, incoming, accepted] = [1, 2, 3].map(|byte| CallId::from_bytes([byte; 16]));
            self.client.invite(placed, "bob", false).unwrap();
            self.client.invite(accepted, "bob", false).unwrap();
            assert_eq!(self.hear().await["call"], json!(placed));
            assert_eq!(self.hear().await["call"], json!(accepted));
            self.accept(accepted).await;
            let (from, from_key) = (Name::new("carol").unwrap(), Key::from_bytes([2; 32]));
            let from_session = SessionId::from_bytes([3; 16]);
            let message =
                ServerMessage::Incoming { call: incoming, from, from_key, from_session, files: false };
            self.say(message.to_json()).await;
            assert!(matches!(self.event().await, Event::Incoming { .. }));
            calls
        }

        async fn accept(&mut self, call: CallId) {
            let (by, key) = (Name::new("bob").unwrap(), Key::from_bytes([1; 32]));
            let session = SessionId::from_bytes([2; 16]);
            self.say(ServerMessage::Accepted { call, by, key, session }.to_json()).await;
            let event = self.event().await;
            assert!(matches!(event, Event::Accepted { call: taken, .. } if taken == call), "{event:?}");
        }

        async fn say(&mut self, text: String) {
            self.socket.as_mut().unwrap().send(Message::text(text)).await.unwrap();
        }

        async fn hear(&mut self) -> Value {
            let message = self.socket.as_mut().unwrap().next().await.unwrap().unwrap();
            serde_json::from_str(message.to_text().unwrap()).unwrap()
        }

        async fn event(&mut self) -> Event {
            timeout(Duration::from_secs(20), self.events.recv()).await.unwrap().unwrap()
        }
    }

    #[tokio::test]
    async fn a_new_session_ends_what_was_not_accepted_before_up_and_a_fresh_invite_lives() {
        let mut script = Script::start().await;
        let [placed, incoming, accepted] = script.three_calls().await;
        script.log_in(false, &[]).await;
        assert!(matches!(script.event().await, Event::Down { .. }));
        let mut ended = Vec::new();
        loop {
            match script.event().await {
                Event::Ended { call, reason: EndReason::SignalingLost, .. } => ended.push(call),
                Event::Up { resumed: false, .. } => break,
                event => panic!("{event:?}"),
            }
        }
        ended.sort_unstable_by_key(|call| *call.bytes());
        assert_eq!(ended, [placed, incoming]);

        script.client.invite(placed, "bob", false).unwrap();
        script.client.rejoin(accepted, "bob").unwrap();
        assert_eq!(script.hear().await["type"], "invite", "nothing is asked before");
        assert_eq!(script.hear().await["type"], "rejoin");
        script.accept(placed).await;
    }

    #[tokio::test]
    async fn a_resumed_session_leaves_our_invites_alone_and_ends_what_the_server_forgot() {
        let mut script = Script::start().await;
        let [placed, incoming, accepted] = script.three_calls().await;
        script.log_in(true, &[accepted]).await;
        assert!(matches!(script.event().await, Event::Down { .. }));
        assert!(matches!(script.event().await, Event::Up { resumed: true, .. }));
        script.client.invite(placed, "bob", false).unwrap();
        let fence = script.hear().await;
        assert_eq!(fence["type"], "state");
        assert_eq!(script.hear().await["call"], json!(placed));
        script.say(json!({ "type": "ok", "re": fence["seq"] }).to_string()).await;
        assert_eq!(script.event().await, lost_call(incoming));
        script.accept(placed).await;
    }
}
