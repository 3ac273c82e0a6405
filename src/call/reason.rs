//! Owns `EndReason`: why a call ended, with its name for scripts and its sentence for people.
//! It does not know exit codes (`cli`) or wire messages (`signaling::protocol`).

use std::fmt;
use std::str::FromStr;

/// Why a call ended, as this side sees it. A call ends once, with one reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EndReason {
    /// This side hung up after the call was accepted.
    HungUp,
    /// The other side hung up after the call was accepted.
    HungUpByPeer,
    /// The callee said no, here or there.
    Declined,
    /// The callee is in another call.
    Busy,
    /// The callee is online but takes no calls.
    Unavailable,
    /// Nobody answered while it rang.
    NoAnswer,
    /// The caller gave up before an answer.
    Cancelled,
    /// Nobody of that name is online.
    UnknownName,
    /// Another session of the same name answered.
    AnsweredElsewhere,
    /// Accepted, but no path between the two was found in time.
    ConnectFailed,
    /// The path was lost and did not come back, or the other side is gone.
    ConnectionLost,
    /// The server was lost while the call still needed it.
    SignalingLost,
    /// The other side's key is not the pinned or expected one.
    IdentityMismatch,
    /// A local device, file or codec failed so that the call makes no sense.
    MediaFailed,
    /// The server or this machine refused to place the call (a limit, or one's own name).
    Refused,
}

impl EndReason {
    /// Every reason, in the order of their definition.
    pub const ALL: [Self; 15] = [
        Self::HungUp,
        Self::HungUpByPeer,
        Self::Declined,
        Self::Busy,
        Self::Unavailable,
        Self::NoAnswer,
        Self::Cancelled,
        Self::UnknownName,
        Self::AnsweredElsewhere,
        Self::ConnectFailed,
        Self::ConnectionLost,
        Self::SignalingLost,
        Self::IdentityMismatch,
        Self::MediaFailed,
        Self::Refused,
    ];

    /// The kebab-case name, for JSON and the wire. `FromStr` reads it back.
    pub const fn name(self) -> &'static str {
        match self {
            Self::HungUp => "hung-up",
            Self::HungUpByPeer => "hung-up-by-peer",
            Self::Declined => "declined",
            Self::Busy => "busy",
            Self::Unavailable => "unavailable",
            Self::NoAnswer => "no-answer",
            Self::Cancelled => "cancelled",
            Self::UnknownName => "unknown-name",
            Self::AnsweredElsewhere => "answered-elsewhere",
            Self::ConnectFailed => "connect-failed",
            Self::ConnectionLost => "connection-lost",
            Self::SignalingLost => "signaling-lost",
            Self::IdentityMismatch => "identity-mismatch",
            Self::MediaFailed => "media-failed",
            Self::Refused => "refused",
        }
    }

    /// One sentence for a person, without a full stop.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::HungUp => "you hung up",
            Self::HungUpByPeer => "the other side hung up",
            Self::Declined => "the call was declined",
            Self::Busy => "the other side is in another call",
            Self::Unavailable => "the other side takes no calls now",
            Self::NoAnswer => "nobody answered",
            Self::Cancelled => "the call was cancelled before it was answered",
            Self::UnknownName => "nobody of that name is online",
            Self::AnsweredElsewhere => "the call was answered elsewhere",
            Self::ConnectFailed => "no media path to the other side was found",
            Self::ConnectionLost => "the connection was lost",
            Self::SignalingLost => "the server was lost before the call was connected",
            Self::IdentityMismatch => "the other side's key is not the one that was expected",
            Self::MediaFailed => "a device, file or codec failed",
            Self::Refused => "the call was refused",
        }
    }

    /// The end as seen here, when signaling told it: a hang-up was the other side's, for whatever cause of its
    /// own; and that our key did not please the other side says nothing of its key.
    pub const fn told_by_peer(self) -> Self {
        match self {
            Self::HungUp | Self::MediaFailed => Self::HungUpByPeer,
            Self::IdentityMismatch => Self::Declined,
            other => other,
        }
    }

    /// Whether this reason, told by signaling, ends a call whose media already flows.
    ///
    /// Reasons that only the server's own bookkeeping gives (it lost sight of a session, or never
    /// knew the call) do not: an active call needs no server.
    pub const fn ends_active(self) -> bool {
        !matches!(
            self,
            Self::SignalingLost
                | Self::NoAnswer
                | Self::UnknownName
                | Self::Unavailable
                | Self::Busy
                | Self::Declined
                | Self::AnsweredElsewhere
        )
    }
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for EndReason {
    type Err = UnknownReason;

    fn from_str(text: &str) -> Result<Self, UnknownReason> {
        Self::ALL.into_iter().find(|reason| reason.name() == text).ok_or(UnknownReason)
    }
}

/// Said when a text is not the name of a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownReason;

impl fmt::Display for UnknownReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not the name of an end reason")
    }
}

impl std::error::Error for UnknownReason {}
