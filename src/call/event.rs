//! Owns `Event`: everything that can happen to a call, as plain data.
//! Whoever drives the machine (`session`) turns keys, messages and timers into these.

use super::{CallId, EndReason};

/// What happened. Remote events carry the id of their call; another call's event is ignored.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// The user calls `to`. `call` is fresh and random; `to` is normalised as the protocol says,
    /// its case does not matter.
    Dial {
        /// The id the call will have (until glare merges it into the other side's).
        call: CallId,
        /// Whom to call.
        to: String,
    },
    /// The user takes the ringing call. This is the callee's consent.
    Accept,
    /// The user refuses the ringing call.
    Decline {
        /// Says that this side is busy, not that a person said no.
        busy: bool,
    },
    /// The user ends whatever is going on: cancels, declines or hangs up.
    HangUp,

    /// The server: `from` calls us.
    Incoming {
        /// The caller's id for the call.
        call: CallId,
        /// Who calls, as stamped by the server.
        from: String,
    },
    /// The server: our invite rings somewhere.
    Ringing {
        /// Which call.
        call: CallId,
    },
    /// The server: our invite was accepted.
    Accepted {
        /// Which call.
        call: CallId,
    },
    /// The server, or its refusal of a request: the call is over. `reason` is verbatim from the
    /// wire, that is, `HungUp` means that the other side hung up.
    Ended {
        /// Which call.
        call: CallId,
        /// Why, as the sender says it.
        reason: EndReason,
    },
    /// The server: the other participant's signaling connection closed or is back.
    PeerSignaling {
        /// Which call.
        call: CallId,
        /// Whether it is connected now.
        up: bool,
    },
    /// Our own signaling connection is gone. Nothing is sent until `SignalingUp`.
    SignalingDown,
    /// Our own signaling connection is registered (again), so that messages may be sent.
    SignalingUp,

    /// The peer connection is up for the first time: ICE and DTLS are done.
    Connected {
        /// Which call.
        call: CallId,
    },
    /// Nothing comes over the path any more; it may come back by itself.
    LinkDown {
        /// Which call.
        call: CallId,
    },
    /// The path works again.
    LinkUp {
        /// Which call.
        call: CallId,
    },
    /// The path will hardly come back as it was: our address is gone, or media has stopped without a word.
    PathChanged {
        /// Which call.
        call: CallId,
    },
    /// ICE or DTLS gave up on the path.
    LinkFailed {
        /// Which call.
        call: CallId,
    },
    /// The other side said goodbye on the data channel.
    Goodbye {
        /// Which call.
        call: CallId,
    },
    /// The other side's key, or its signature of a description, is not acceptable.
    IdentityRefused {
        /// Which call.
        call: CallId,
    },
    /// Local media failed so that the call makes no sense.
    MediaFailed {
        /// Which call.
        call: CallId,
    },

    /// Time passed. Needed no later than `Machine::deadline`; harmless at any other time.
    Tick,
}

impl Event {
    /// The variant's name, for logs.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Dial { .. } => "Dial",
            Self::Accept => "Accept",
            Self::Decline { .. } => "Decline",
            Self::HangUp => "HangUp",
            Self::Incoming { .. } => "Incoming",
            Self::Ringing { .. } => "Ringing",
            Self::Accepted { .. } => "Accepted",
            Self::Ended { .. } => "Ended",
            Self::PeerSignaling { .. } => "PeerSignaling",
            Self::SignalingDown => "SignalingDown",
            Self::SignalingUp => "SignalingUp",
            Self::Connected { .. } => "Connected",
            Self::LinkDown { .. } => "LinkDown",
            Self::LinkUp { .. } => "LinkUp",
            Self::PathChanged { .. } => "PathChanged",
            Self::LinkFailed { .. } => "LinkFailed",
            Self::Goodbye { .. } => "Goodbye",
            Self::IdentityRefused { .. } => "IdentityRefused",
            Self::MediaFailed { .. } => "MediaFailed",
            Self::Tick => "Tick",
        }
    }

    /// The call the event speaks of, for those that name one.
    pub const fn call(&self) -> Option<CallId> {
        match self {
            Self::Dial { call, .. }
            | Self::Incoming { call, .. }
            | Self::Ringing { call }
            | Self::Accepted { call }
            | Self::Ended { call, .. }
            | Self::PeerSignaling { call, .. }
            | Self::Connected { call }
            | Self::LinkDown { call }
            | Self::LinkUp { call }
            | Self::PathChanged { call }
            | Self::LinkFailed { call }
            | Self::Goodbye { call }
            | Self::IdentityRefused { call }
            | Self::MediaFailed { call } => Some(*call),
            Self::Accept
            | Self::Decline { .. }
            | Self::HangUp
            | Self::SignalingDown
            | Self::SignalingUp
            | Self::Tick => None,
        }
    }
}
