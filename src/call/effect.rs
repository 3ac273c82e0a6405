//! Owns `Effect` and `Notice`: what the machine wants done and said, as plain data.
//! `session` carries them out in the order given; the machine never learns how.

use super::{CallId, EndReason, JsepRole};

/// What is to be done. `Send…` effects only appear while own signaling is up.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Invite `to`. Repeated with the same id after signaling was lost: the server may have lost the
    /// first one. That it knows the call already is then no error, and no end of the call; the
    /// same holds for a repeated `SendRinging`, `SendAccept` and `SendRejoin`.
    SendInvite {
        /// Which call.
        call: CallId,
        /// Whom to invite.
        to: String,
    },
    /// Tell the caller that it rings here.
    SendRinging {
        /// Which call.
        call: CallId,
    },
    /// Take the call. May be repeated after signaling was lost.
    SendAccept {
        /// Which call.
        call: CallId,
    },
    /// Refuse the call.
    SendDecline {
        /// Which call.
        call: CallId,
        /// Whether because of another call, not because a person said no.
        busy: bool,
    },
    /// Withdraw our invite.
    SendCancel {
        /// Which call.
        call: CallId,
    },
    /// End an accepted call.
    SendHangup {
        /// Which call.
        call: CallId,
        /// Why.
        reason: EndReason,
    },
    /// Tell the server, which may have restarted, that this accepted call goes on.
    SendRejoin {
        /// Which call.
        call: CallId,
        /// The other participant.
        with: String,
    },
    /// Build the peer connection. The offerer may create its offer; nothing is captured, nothing
    /// is sent. Exactly one `ClosePeer` of the same call follows, sooner or later.
    PreparePeer {
        /// Which call.
        call: CallId,
        /// Who offers.
        role: JsepRole,
    },
    /// Consent is there: descriptions and candidates may flow now.
    Negotiate {
        /// Which call.
        call: CallId,
        /// Who offers.
        role: JsepRole,
    },
    /// Not connected yet, or the path is being replaced, and what was sent may have been lost with a signaling
    /// connection: send the own description of this call and its candidates again, if one is unanswered.
    RepeatDescription {
        /// Which call.
        call: CallId,
    },
    /// The path is up: capture and send. Once a call.
    StartMedia {
        /// Which call.
        call: CallId,
    },
    /// Make and send a fresh offer with new ICE credentials, also when an earlier one is still
    /// unanswered. Only the offerer is told so.
    RestartIce {
        /// Which call.
        call: CallId,
    },
    /// Stop media and close the peer connection.
    ClosePeer {
        /// Which call.
        call: CallId,
        /// Whether to say goodbye on the data channel first.
        goodbye: bool,
    },
    /// Tell the front end.
    Notify {
        /// Which call it is about.
        call: CallId,
        /// What to tell.
        notice: Notice,
    },
    /// The event made no sense in this state, or was about another call. For the debug log.
    Ignored {
        /// The event's name.
        event: &'static str,
        /// The state's name at the time.
        state: &'static str,
        /// The call the event spoke of.
        call: Option<CallId>,
    },
}

/// What the front end is told. `Ended` comes once a call, and last.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Notice {
    /// We dialed.
    Calling {
        /// Whom.
        to: String,
    },
    /// It rings on the other side.
    Ringing,
    /// Somebody calls us.
    Incoming {
        /// Who.
        from: String,
    },
    /// Both sides consent; the path is being made.
    Accepted,
    /// Both had dialed each other: the call dialed here goes on as `into`, and this id is done
    /// with. No `Ended` follows for it.
    Merged {
        /// The call that goes on.
        into: CallId,
    },
    /// The path is up, media starts.
    Connected,
    /// The path was lost or is back.
    Link(LinkNotice),
    /// Somebody called and was not answered.
    Missed {
        /// Who.
        from: String,
    },
    /// The call is over.
    Ended {
        /// Why, as this side sees it.
        reason: EndReason,
    },
}

/// How the path is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LinkNotice {
    /// Media flows.
    Up,
    /// Nothing arrives; the call waits and tries to restore the path.
    Recovering,
}
