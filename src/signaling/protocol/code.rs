//! Error codes and end reasons, as they are spelled on the wire.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Why the server refused something. The text beside it is for a person, the code for a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorCode {
    /// Not JSON, a field missing, unknown, twice or of the wrong type.
    Malformed,
    /// JSON, but its `type` is none of the protocol's.
    UnknownType,
    /// The frame is longer than the limit. Ends the connection.
    TooLarge,
    /// A binary frame. Ends the connection.
    Binary,
    /// A message before `login`, or a second `login`.
    WrongOrder,
    /// No common protocol version. Ends the connection.
    ProtocolVersion,
    /// The name breaks the rules for names.
    BadName,
    /// The key is no Ed25519 key or the signature does not fit this challenge. Ends the connection.
    BadSignature,
    /// The name belongs to another key. Ends the connection.
    NameTaken,
    /// The server wants a token and this is not it. Ends the connection.
    BadToken,
    /// Neither name nor key is on the server's allow list. Ends the connection.
    NotAllowed,
    /// The name has as many sessions as it may. Ends the connection.
    TooManySessions,
    /// The server holds as many names as it may, or this address claimed too many of them.
    TooManyNames,
    /// The server, or this address, holds as many connections as it may (HTTP 503 or 429).
    TooManyConnections,
    /// The page that opened the socket comes from an origin that is not allowed (HTTP 403).
    BadOrigin,
    /// More messages a second than allowed; this one was dropped.
    RateLimited,
    /// No login within the deadline. Ends the connection.
    LoginTimeout,
    /// No such call, or none of yours.
    UnknownCall,
    /// The call is yours, but not in a state that allows this.
    WrongState,
    /// The call id is in use.
    CallExists,
    /// As many pending calls as one session may have.
    TooManyCalls,
    /// The session description is too long or none at all.
    BadDescription,
    /// The candidate is too long or none at all.
    BadCandidate,
    /// More names watched than allowed.
    TooManyWatched,
    /// The other side's signaling is gone and what waits for it is full.
    PeerAway,
    /// The server cannot do it now, for reasons of its own.
    Unavailable,
}

impl ErrorCode {
    /// Every code, for tables and tests.
    pub const ALL: [ErrorCode; 26] = [
        ErrorCode::Malformed,
        ErrorCode::UnknownType,
        ErrorCode::TooLarge,
        ErrorCode::Binary,
        ErrorCode::WrongOrder,
        ErrorCode::ProtocolVersion,
        ErrorCode::BadName,
        ErrorCode::BadSignature,
        ErrorCode::NameTaken,
        ErrorCode::BadToken,
        ErrorCode::NotAllowed,
        ErrorCode::TooManySessions,
        ErrorCode::TooManyNames,
        ErrorCode::TooManyConnections,
        ErrorCode::BadOrigin,
        ErrorCode::RateLimited,
        ErrorCode::LoginTimeout,
        ErrorCode::UnknownCall,
        ErrorCode::WrongState,
        ErrorCode::CallExists,
        ErrorCode::TooManyCalls,
        ErrorCode::BadDescription,
        ErrorCode::BadCandidate,
        ErrorCode::TooManyWatched,
        ErrorCode::PeerAway,
        ErrorCode::Unavailable,
    ];

    /// The code as on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            ErrorCode::Malformed => "malformed",
            ErrorCode::UnknownType => "unknown-type",
            ErrorCode::TooLarge => "too-large",
            ErrorCode::Binary => "binary",
            ErrorCode::WrongOrder => "wrong-order",
            ErrorCode::ProtocolVersion => "protocol-version",
            ErrorCode::BadName => "bad-name",
            ErrorCode::BadSignature => "bad-signature",
            ErrorCode::NameTaken => "name-taken",
            ErrorCode::BadToken => "bad-token",
            ErrorCode::NotAllowed => "not-allowed",
            ErrorCode::TooManySessions => "too-many-sessions",
            ErrorCode::TooManyNames => "too-many-names",
            ErrorCode::TooManyConnections => "too-many-connections",
            ErrorCode::BadOrigin => "bad-origin",
            ErrorCode::RateLimited => "rate-limited",
            ErrorCode::LoginTimeout => "login-timeout",
            ErrorCode::UnknownCall => "unknown-call",
            ErrorCode::WrongState => "wrong-state",
            ErrorCode::CallExists => "call-exists",
            ErrorCode::TooManyCalls => "too-many-calls",
            ErrorCode::BadDescription => "bad-description",
            ErrorCode::BadCandidate => "bad-candidate",
            ErrorCode::TooManyWatched => "too-many-watched",
            ErrorCode::PeerAway => "peer-away",
            ErrorCode::Unavailable => "unavailable",
        }
    }

    /// Whether trying the same login again cannot help, so that a client must stop and say so.
    pub fn is_final(self) -> bool {
        matches!(
            self,
            ErrorCode::ProtocolVersion
                | ErrorCode::BadName
                | ErrorCode::BadSignature
                | ErrorCode::NameTaken
                | ErrorCode::BadToken
                | ErrorCode::NotAllowed
                | ErrorCode::BadOrigin
                | ErrorCode::Malformed
                | ErrorCode::UnknownType
                | ErrorCode::WrongOrder
        )
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a call ended. The words are those of the call reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EndReason {
    /// A participant hung up (as given in `hangup`).
    HungUp,
    /// The other side hung up (as told in `ended`).
    HungUpByPeer,
    /// The callee declined.
    Declined,
    /// The callee is in another call.
    Busy,
    /// The callee went away while it rang.
    Unavailable,
    /// Nobody answered in time.
    NoAnswer,
    /// The caller gave up before an answer.
    Cancelled,
    /// Nobody of that name is here.
    UnknownName,
    /// Another session of the same name took the call.
    AnsweredElsewhere,
    /// No media path could be made.
    ConnectFailed,
    /// The media path broke and did not come back.
    ConnectionLost,
    /// The way to the server was lost.
    SignalingLost,
    /// The other side's key is not the expected one.
    IdentityMismatch,
    /// A source, sink or codec failed.
    MediaFailed,
    /// The server refused.
    Refused,
}

impl EndReason {
    /// Every reason, for tables and tests.
    pub const ALL: [EndReason; 15] = [
        EndReason::HungUp,
        EndReason::HungUpByPeer,
        EndReason::Declined,
        EndReason::Busy,
        EndReason::Unavailable,
        EndReason::NoAnswer,
        EndReason::Cancelled,
        EndReason::UnknownName,
        EndReason::AnsweredElsewhere,
        EndReason::ConnectFailed,
        EndReason::ConnectionLost,
        EndReason::SignalingLost,
        EndReason::IdentityMismatch,
        EndReason::MediaFailed,
        EndReason::Refused,
    ];

    /// The reason as on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            EndReason::HungUp => "hung-up",
            EndReason::HungUpByPeer => "hung-up-by-peer",
            EndReason::Declined => "declined",
            EndReason::Busy => "busy",
            EndReason::Unavailable => "unavailable",
            EndReason::NoAnswer => "no-answer",
            EndReason::Cancelled => "cancelled",
            EndReason::UnknownName => "unknown-name",
            EndReason::AnsweredElsewhere => "answered-elsewhere",
            EndReason::ConnectFailed => "connect-failed",
            EndReason::ConnectionLost => "connection-lost",
            EndReason::SignalingLost => "signaling-lost",
            EndReason::IdentityMismatch => "identity-mismatch",
            EndReason::MediaFailed => "media-failed",
            EndReason::Refused => "refused",
        }
    }

    /// One sentence for a person, without a full stop.
    pub fn sentence(self) -> &'static str {
        match self {
            EndReason::HungUp => "you hung up",
            EndReason::HungUpByPeer => "the other side hung up",
            EndReason::Declined => "the call was declined",
            EndReason::Busy => "the other side is in another call",
            EndReason::Unavailable => "the other side went away while it rang",
            EndReason::NoAnswer => "nobody answered",
            EndReason::Cancelled => "the caller gave up",
            EndReason::UnknownName => "nobody of that name is online",
            EndReason::AnsweredElsewhere => "the call was answered on another device",
            EndReason::ConnectFailed => "no media path could be made",
            EndReason::ConnectionLost => "the connection was lost",
            EndReason::SignalingLost => "the way to the server was lost",
            EndReason::IdentityMismatch => "the other side's key is not the expected one",
            EndReason::MediaFailed => "media failed on one side",
            EndReason::Refused => "the server refused the call",
        }
    }
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
