//! What a front end may ask of a session.

use tokio::sync::oneshot;

use super::choice::{Choice, Slot};
use crate::call::CallId;
use crate::media::pipeline::{Kind, Limit};
use crate::signaling::client::Page;

/// A command. One that makes no sense in the present state changes nothing, and whoever gave it is told so.
#[derive(Debug)]
pub enum Command {
    /// Call the holder of a name.
    Dial {
        /// The callee's name as typed.
        to: String,
    },
    /// Answer the ringing call.
    Accept {
        /// Only if it is this one: consent is given to a call, not to whichever rings by now.
        call: Option<CallId>,
    },
    /// Refuse the ringing call.
    Decline {
        /// Only if it is this one.
        call: Option<CallId>,
        /// Say "busy" rather than "declined".
        busy: bool,
    },
    /// End the present call, or stop dialing.
    HangUp {
        /// Only if it is this one.
        call: Option<CallId>,
    },
    /// Send nothing of this kind until unmuted. The other side is told.
    Mute {
        /// What to silence.
        kind: Kind,
        /// True to mute, false to unmute.
        muted: bool,
    },
    /// Send or play this from now on, in the present call and in those that follow. Answered when it is so; a source that can't be
    /// opened changes nothing. What is muted stays muted.
    Use(Choice),
    /// The same with the device after the present one.
    Next(Slot),
    /// The microphone is off unless somebody talks (true), or on unless it is muted; in this call and those that follow.
    PushToTalk(bool),
    /// The hand-on-face alert is on (true) or off from now on, in this call and those that follow. The other side is not told.
    Alert(bool),
    /// What can be shown of the other side's picture, which is told it. Does nothing without a call.
    Window(Limit),
    /// Say something to the other side of the present call, in writing. It comes back as
    /// [`Event::Chat`](super::Event::Chat) once it is on its way.
    Chat {
        /// At most [`MAX_CHAT`](super::MAX_CHAT) bytes, not empty.
        text: String,
    },
    /// Follow the presence of these names from now on.
    Watch {
        /// Names as typed.
        names: Vec<String>,
    },
    /// One page of who is online.
    Users {
        /// Only names that contain this text.
        query: Option<String>,
        /// Start after this name.
        after: Option<String>,
        /// Where the page goes. Dropped without an answer when signaling is down.
        reply: oneshot::Sender<Result<Page, String>>,
    },
    /// End the call if there is one, sign off and end the session.
    Quit,
}

/// A command on its way to the session.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) command: Command,
    /// Where the outcome goes; without it a failure becomes [`Event::Rejected`](super::Event::Rejected).
    pub(super) reply: Option<oneshot::Sender<Result<(), String>>>,
}
