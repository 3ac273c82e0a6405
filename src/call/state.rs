//! Owns `State`: where a call stands, with the data that only makes sense there.
//! Only the machine changes it; everyone else reads.

use std::time::Duration;

use super::{CallId, EndReason};

/// Who makes the offer (JSEP, RFC 9429). The caller does, and restarts ICE as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JsepRole {
    /// Makes the offer: the caller.
    Offerer,
    /// Answers it: the callee.
    Answerer,
}

/// Where the one call of this process stands. Times are as handed to `Machine::handle`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// No call yet.
    Idle,
    /// We invited and wait for an answer.
    Dialing {
        /// Which call.
        call: CallId,
        /// Whom we call.
        to: String,
        /// When it was dialed.
        since: Duration,
        /// Whether it rings on the other side.
        ringing: bool,
        /// The call of `to` to us that lost against ours, until it is withdrawn.
        rival: Option<Rival>,
    },
    /// Somebody calls us.
    Ringing {
        /// Which call.
        call: CallId,
        /// Who calls.
        from: String,
        /// When it began to ring.
        since: Duration,
        /// The user accepted while signaling was down; sent when it is back.
        consent: bool,
    },
    /// Both consent; the path is being made.
    Connecting {
        /// Which call.
        call: CallId,
        /// The other participant.
        with: String,
        /// Who offers.
        role: JsepRole,
        /// When it was accepted.
        since: Duration,
        /// Since when the other side's signaling is known to be down.
        peer_lost: Option<Duration>,
    },
    /// The path was made; media flows or is being restored.
    Active {
        /// Which call.
        call: CallId,
        /// The other participant.
        with: String,
        /// Who offers.
        role: JsepRole,
        /// When it was first connected.
        since: Duration,
        /// How the path is.
        link: Link,
        /// Since when the other side's signaling is known to be down.
        peer_lost: Option<Duration>,
    },
    /// The call is over. Dialing and being rung are possible as in `Idle`.
    Ended {
        /// Which call.
        call: CallId,
        /// The other participant.
        with: String,
        /// Why it ended.
        reason: EndReason,
        /// When it ended.
        at: Duration,
    },
}

/// The other side's call to us that arrived while we dialed them, and lost (see `glare`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rival {
    /// Their call.
    pub call: CallId,
    /// When it arrived.
    pub since: Duration,
}

/// How the path of an active call is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Link {
    /// Something arrives.
    Up,
    /// Nothing arrives.
    Recovering {
        /// When that was noticed.
        since: Duration,
        /// When the offerer restarts ICE (again).
        next: Duration,
        /// When ICE was last restarted for it (by the offerer).
        restarted: Option<Duration>,
    },
}

impl State {
    /// The variant's name, for logs.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Idle => "Idle",
            Self::Dialing { .. } => "Dialing",
            Self::Ringing { .. } => "Ringing",
            Self::Connecting { .. } => "Connecting",
            Self::Active { .. } => "Active",
            Self::Ended { .. } => "Ended",
        }
    }

    /// The call that is going on; `None` when there is none (`Idle`, `Ended`).
    pub const fn live(&self) -> Option<CallId> {
        match self {
            Self::Idle | Self::Ended { .. } => None,
            Self::Dialing { call, .. }
            | Self::Ringing { call, .. }
            | Self::Connecting { call, .. }
            | Self::Active { call, .. } => Some(*call),
        }
    }

    /// The other participant of the present or last call.
    pub fn with(&self) -> Option<&str> {
        match self {
            Self::Idle => None,
            Self::Dialing { to: with, .. }
            | Self::Ringing { from: with, .. }
            | Self::Connecting { with, .. }
            | Self::Active { with, .. }
            | Self::Ended { with, .. } => Some(with),
        }
    }
}
