//! Every message, in both directions.
//!
//! Unknown fields are refused. `seq` may be put on any request; its answer carries it as `re`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{CallId, EndReason, ErrorCode, Key, Name, Nonce, ResumeToken, SessionId, Signature};

/// What a client sends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
pub enum ClientMessage {
    /// The answer to the challenge; the first message of a connection.
    Login(Login),
    /// The session ends now; calls of it are hung up and the server closes the socket.
    Logout {
        /// Echoed in the answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seq: Option<u32>,
    },
    /// Asks for one page of who is online, oneself not included.
    List {
        /// Only names that contain this text, in any case.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        query: Option<String>,
        /// Only names after this one: `next` of the page before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<String>,
        /// At most so many; 100 when absent or larger.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<u16>,
        /// Echoed in the answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seq: Option<u32>,
    },
    /// Adds names to those whose state is told by `presence`; the present states follow at once.
    Watch {
        /// The names, online or not.
        names: Vec<String>,
        /// Echoed in the answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seq: Option<u32>,
    },
    /// Takes names off the watched ones.
    Unwatch {
        /// The names; an empty list means every one.
        names: Vec<String>,
        /// Echoed in the answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seq: Option<u32>,
    },
    /// Says whether this session wants to be called.
    State {
        /// Available or away.
        state: Availability,
        /// Echoed in the answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seq: Option<u32>,
    },
    /// Rings every session of a name. A failure is told by `ended`.
    Invite {
        /// A fresh random id.
        call: CallId,
        /// The name to ring.
        to: String,
        /// Only files are to be sent: there will be neither sound nor picture.
        #[serde(default, skip_serializing_if = "is_false")]
        files: bool,
        /// Echoed in the answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seq: Option<u32>,
    },
    /// A rung session says that somebody is being alerted.
    Ringing {
        /// The call.
        call: CallId,
        /// Echoed in the answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seq: Option<u32>,
    },
    /// A rung session takes the call: from here descriptions and candidates may pass.
    Accept {
        /// The call.
        call: CallId,
        /// Echoed in the answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seq: Option<u32>,
    },
    /// A rung session does not take the call.
    Decline {
        /// The call.
        call: CallId,
        /// True when this session is in another call: other sessions go on ringing.
        #[serde(default)]
        busy: bool,
        /// Echoed in the answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seq: Option<u32>,
    },
    /// The caller gives up before the answer.
    Cancel {
        /// The call.
        call: CallId,
        /// Echoed in the answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seq: Option<u32>,
    },
    /// A participant ends an accepted call.
    Hangup {
        /// The call.
        call: CallId,
        /// Why; `hung-up` when absent.
        #[serde(default = "hung_up")]
        reason: EndReason,
        /// Echoed in the answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seq: Option<u32>,
    },
    /// An offer or an answer for the other participant of an accepted call.
    Description(Description),
    /// A candidate for the other participant of an accepted call.
    Candidate(Candidate),
    /// Takes an accepted call up again, with a new session or after the server was started anew.
    Rejoin {
        /// The call.
        call: CallId,
        /// The name of the other participant.
        with: String,
        /// Echoed in the answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seq: Option<u32>,
    },
}

/// The answer to the challenge.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// The version that the client speaks.
    pub protocol: u32,
    /// The name to be registered under.
    pub name: String,
    /// The key of the profile; the first key to claim a name owns it.
    pub key: Key,
    /// Over the bytes that docs/protocol.md calls the login bytes.
    pub signature: Signature,
    /// The shared token, where the server wants one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// From the last `registered`, to take that session up again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume: Option<ResumeToken>,
    /// Echoed in the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u32>,
}

/// An offer or an answer, as a client sends it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// The call.
    pub call: CallId,
    /// The session it is for; absent means the one other participant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<SessionId>,
    /// Offer or answer.
    pub kind: DescriptionKind,
    /// The session description (RFC 8866), at most 48 KiB.
    pub sdp: String,
    /// The sender's signature over its DTLS fingerprint and the call; opaque to the server.
    pub signature: Signature,
    /// Echoed in the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u32>,
}

/// A candidate, as a client sends it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Candidate {
    /// The call.
    pub call: CallId,
    /// The session it is for; absent means the one other participant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<SessionId>,
    /// The candidate line (RFC 8839) beginning with `candidate:`; empty means that no more follow.
    pub candidate: String,
    /// The media section by its mid.
    pub mid: String,
    /// The media section by its index.
    pub mline: u16,
    /// Echoed in the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u32>,
}

/// What the server sends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
pub enum ServerMessage {
    /// The first message of a connection.
    Challenge {
        /// The version that the server speaks here.
        protocol: u32,
        /// To be signed; fresh for each connection.
        nonce: Nonce,
        /// The server's own public host, or empty; part of what is signed.
        server: String,
        /// The limits that hold on this connection.
        limits: Limits,
    },
    /// The login succeeded.
    Registered {
        /// The name in its normalised spelling.
        name: Name,
        /// This login's id; others see it as `from` and `session`.
        session: SessionId,
        /// The secret for `resume`.
        resume: ResumeToken,
        /// Whether the session asked for was taken up again.
        resumed: bool,
        /// The calls that this session is in: those that a client knows but are not here have ended.
        calls: Vec<CallId>,
        /// STUN and TURN servers to use.
        ice_servers: Vec<IceServer>,
        /// The server pings this often, in milliseconds; twice this without a byte means it is gone.
        heartbeat_ms: u64,
        /// The `seq` of the login.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        re: Option<u32>,
    },
    /// The request with this `seq` was carried out.
    Ok {
        /// The `seq` of the request.
        re: u32,
    },
    /// Something was refused.
    Error {
        /// For programs.
        code: ErrorCode,
        /// For people.
        message: String,
        /// The `seq` of the request.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        re: Option<u32>,
        /// The call that the refused message named.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        call: Option<CallId>,
    },
    /// One page of the list.
    Users {
        /// In the order of their folded names.
        users: Vec<User>,
        /// `after` for the next page; absent on the last one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<String>,
        /// The `seq` of the request.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        re: Option<u32>,
    },
    /// Watched names and their new states.
    Presence {
        /// At most one for each watched name.
        changes: Vec<Change>,
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
        /// Only files are to be sent: there will be neither sound nor picture.
        #[serde(default, skip_serializing_if = "is_false")]
        files: bool,
    },
    /// The first session of the callee alerts somebody.
    Ringing {
        /// The call.
        call: CallId,
    },
    /// A session of the callee took the call.
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
        /// For programs.
        reason: EndReason,
        /// For people.
        sentence: String,
    },
    /// An offer or an answer of the other participant.
    Description {
        /// The call.
        call: CallId,
        /// The sender's session, stamped by the server.
        from: SessionId,
        /// Offer or answer.
        kind: DescriptionKind,
        /// The session description.
        sdp: String,
        /// The sender's signature over its DTLS fingerprint and the call.
        signature: Signature,
    },
    /// A candidate of the other participant.
    Candidate {
        /// The call.
        call: CallId,
        /// The sender's session, stamped by the server.
        from: SessionId,
        /// The candidate line; empty means that no more follow.
        candidate: String,
        /// The media section by its mid.
        mid: String,
        /// The media section by its index.
        mline: u16,
    },
    /// The other participant's way to the server was lost or is back. The call goes on.
    PeerSignaling {
        /// The call.
        call: CallId,
        /// Whether it is there now.
        up: bool,
        /// The other participant's session, which may be a new one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session: Option<SessionId>,
    },
    /// The server ends this connection.
    Bye {
        /// For people.
        reason: String,
        /// Do not come back before so many milliseconds; spread by chance on top.
        retry_after_ms: u64,
    },
}

/// The limits of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Bytes in a frame.
    pub frame_bytes: u32,
    /// Bytes in a session description.
    pub sdp_bytes: u32,
    /// Bytes in a candidate.
    pub candidate_bytes: u32,
    /// Bytes in a name.
    pub name_bytes: u32,
    /// Names watched by a session.
    pub watched: u32,
    /// Users in a page.
    pub page: u32,
    /// Messages a second in the long run.
    pub messages_per_second: u32,
    /// Messages at once after a pause.
    pub burst: u32,
    /// Calls of a session that ring at the same time.
    pub pending_calls: u32,
}

/// A STUN or TURN server (the `RTCIceServer` dictionary of the W3C).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IceServer {
    /// `stun:`, `turn:` or `turns:` addresses (RFC 7064, RFC 7065).
    pub urls: Vec<String>,
    /// For TURN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// For TURN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
}

/// One user of the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// The name.
    pub name: Name,
    /// Its state; never `offline` here.
    pub state: PresenceState,
}

/// The new state of a watched name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// The name, as the owner spells it while online, else as the watcher did.
    pub name: Name,
    /// The state.
    pub state: PresenceState,
}

/// The state of a name, over all of its sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PresenceState {
    /// Online and free.
    Available,
    /// Online, but every session says it is away.
    Away,
    /// A call is ringing, in or out.
    Ringing,
    /// In an accepted call.
    InCall,
    /// Not here, or never seen: there is no difference.
    Offline,
}

/// What a session says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Availability {
    /// May be called.
    Available,
    /// Away from the keyboard; calls still ring.
    Away,
}

/// Offer or answer (RFC 8829).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DescriptionKind {
    /// From the JSEP offerer.
    Offer,
    /// From the JSEP answerer.
    Answer,
}

/// The document at `/.well-known/letsmeet`. Unknown fields are allowed here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WellKnown {
    /// Where the WebSocket is: a path on the same host, or a whole ws or wss address.
    pub ws: String,
    /// The protocol versions that the server speaks.
    pub protocols: Vec<u32>,
}

fn hung_up() -> EndReason {
    EndReason::HungUp
}

/// What serde leaves out.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

impl ClientMessage {
    /// The `seq` of the message.
    pub fn seq(&self) -> Option<u32> {
        match self {
            ClientMessage::Login(Login { seq, .. })
            | ClientMessage::Description(Description { seq, .. })
            | ClientMessage::Candidate(Candidate { seq, .. })
            | ClientMessage::Logout { seq }
            | ClientMessage::List { seq, .. }
            | ClientMessage::Watch { seq, .. }
            | ClientMessage::Unwatch { seq, .. }
            | ClientMessage::State { seq, .. }
            | ClientMessage::Invite { seq, .. }
            | ClientMessage::Ringing { seq, .. }
            | ClientMessage::Accept { seq, .. }
            | ClientMessage::Decline { seq, .. }
            | ClientMessage::Cancel { seq, .. }
            | ClientMessage::Hangup { seq, .. }
            | ClientMessage::Rejoin { seq, .. } => *seq,
        }
    }

    /// Puts a `seq` on the message.
    pub fn set_seq(&mut self, number: u32) {
        match self {
            ClientMessage::Login(Login { seq, .. })
            | ClientMessage::Description(Description { seq, .. })
            | ClientMessage::Candidate(Candidate { seq, .. })
            | ClientMessage::Logout { seq }
            | ClientMessage::List { seq, .. }
            | ClientMessage::Watch { seq, .. }
            | ClientMessage::Unwatch { seq, .. }
            | ClientMessage::State { seq, .. }
            | ClientMessage::Invite { seq, .. }
            | ClientMessage::Ringing { seq, .. }
            | ClientMessage::Accept { seq, .. }
            | ClientMessage::Decline { seq, .. }
            | ClientMessage::Cancel { seq, .. }
            | ClientMessage::Hangup { seq, .. }
            | ClientMessage::Rejoin { seq, .. } => *seq = Some(number),
        }
    }

    /// The call that the message names, if it names one.
    pub fn call(&self) -> Option<CallId> {
        match self {
            ClientMessage::Description(Description { call, .. })
            | ClientMessage::Candidate(Candidate { call, .. })
            | ClientMessage::Invite { call, .. }
            | ClientMessage::Ringing { call, .. }
            | ClientMessage::Accept { call, .. }
            | ClientMessage::Decline { call, .. }
            | ClientMessage::Cancel { call, .. }
            | ClientMessage::Hangup { call, .. }
            | ClientMessage::Rejoin { call, .. } => Some(*call),
            ClientMessage::Login(_)
            | ClientMessage::Logout { .. }
            | ClientMessage::List { .. }
            | ClientMessage::Watch { .. }
            | ClientMessage::Unwatch { .. }
            | ClientMessage::State { .. } => None,
        }
    }

    /// The message as JSON text.
    pub fn to_json(&self) -> String {
        // Plain data with text keys: serialising it cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl ServerMessage {
    /// The message as JSON text.
    pub fn to_json(&self) -> String {
        // Descriptions make up nearly all traffic: room for one at once, with its line ends escaped.
        const REST: usize = 320;
        let room = match self {
            ServerMessage::Description { sdp, .. } => REST + sdp.len() + sdp.len() / 8,
            _ => REST,
        };
        let mut text = Vec::with_capacity(room);
        // Plain data with text keys: serialising it cannot fail, and JSON is UTF-8.
        match serde_json::to_writer(&mut text, self) {
            Ok(()) => String::from_utf8(text).unwrap_or_default(),
            Err(_) => String::new(),
        }
    }

    /// `ended` with the sentence of its reason.
    pub fn ended(call: CallId, reason: EndReason) -> ServerMessage {
        ServerMessage::Ended { call, reason, sentence: reason.sentence().to_owned() }
    }
}
