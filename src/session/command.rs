//! What a front end may ask of a session.

use std::path::PathBuf;

use tokio::sync::oneshot;

use super::choice::{Choice, Slot};
use super::recording::Recording;
use super::sign::Sign;
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
    /// Record the present call, or no longer. The other side is told before anything is recorded. Answered when it is so; what can't be
    /// recorded into changes nothing.
    Record(Recording),
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
    /// Show this to the other side of the present call. Being away may be said without a call, too: the server tells those
    /// who follow this name, and the next call begins with it.
    Sign(Sign),
    /// Compare this with the verification code of the present call: what the other side says that it sees. Another code ends the call.
    Compare {
        /// Its digits; what stands between them is ignored.
        code: String,
    },
    /// Offer a file to the other side of the present call. What becomes of it comes as [`Event::File`](super::Event::File).
    SendFile {
        /// The file.
        path: PathBuf,
    },
    /// Take a file that the other side offers.
    AcceptFile {
        /// Its number; the oldest offer when there is none.
        number: Option<u32>,
    },
    /// Do not take it.
    DeclineFile {
        /// Its number; the oldest offer when there is none.
        number: Option<u32>,
    },
    /// End a transfer of either direction; what has arrived of it is removed.
    CancelFile {
        /// Its number.
        number: u32,
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
    /// Where the outcome goes; without it a failure becomes [`Event::Rejected`](super::Event::Rejected) or, of a
    /// call that no path could lead to, [`Event::NoPath`](super::Event::NoPath).
    pub(super) reply: Option<oneshot::Sender<Result<(), String>>>,
}
