//! What a session tells its front end.

use std::path::PathBuf;
use std::time::Duration;

use super::choice::Slot;
use super::files::File;
use super::report::Report;
use super::sign::Sign;
use crate::call::{CallId, EndReason};
use crate::media::pipeline::{Kind, Stats};
use crate::rtc::PathStats;
use crate::signaling::protocol::Change;

/// Something happened. Events of a call carry its id.
#[derive(Debug)]
pub enum Event {
    /// The name is ours on the server.
    Registered {
        /// The name as the server spells it.
        name: String,
        /// True when an earlier registration of this session was taken up again.
        resumed: bool,
    },
    /// The signaling connection is gone; the session tries again by itself.
    SignalingDown {
        /// Why, in words.
        reason: String,
        /// When the next attempt starts.
        retry_in: Duration,
    },
    /// The server will not have us (name taken, wrong token, other protocol). The session ends.
    Refused {
        /// Error code of the protocol.
        code: String,
        /// A sentence for a person.
        message: String,
    },
    /// Watched names changed their state.
    Presence(Vec<Change>),
    /// Our invite is on its way.
    Calling {
        /// The call.
        call: CallId,
        /// Who is called.
        to: String,
    },
    /// Somebody calls.
    Incoming {
        /// The call.
        call: CallId,
        /// Who calls; already checked by the server's name rules, still remote text.
        from: String,
        /// Fingerprint of the caller's key.
        key: String,
        /// True when this key was never seen under this name before.
        first_contact: bool,
        /// Only files are to be sent: there will be neither sound nor picture.
        files: bool,
    },
    /// The other side rings.
    Ringing {
        /// The call.
        call: CallId,
    },
    /// The callee accepted; the media path is being set up.
    Accepted {
        /// The call.
        call: CallId,
    },
    /// Media can flow.
    Connected {
        /// The call.
        call: CallId,
        /// The short code that both sides can compare.
        verification_code: String,
        /// Fingerprint of the other side's key.
        key: String,
        /// True when this key was never seen under this name before.
        first_contact: bool,
    },
    /// Somebody compared the codes of both sides. When they differ the call ends.
    Compared {
        /// The call.
        call: CallId,
        /// They are the same.
        same: bool,
    },
    /// A mute changed, here or on the other side.
    Media {
        /// The call.
        call: CallId,
        /// True when it happened on the other side.
        remote: bool,
        /// What was muted or unmuted.
        kind: Kind,
        /// True when it is muted now.
        muted: bool,
    },
    /// Something else is sent or played, here or on the other side.
    Source {
        /// The call.
        call: CallId,
        /// True when it is the other side's.
        remote: bool,
        /// Which slot; the other side tells of its picture only.
        slot: Slot,
        /// In the words of the flags; of the other side `camera`, `screen`, `film`, `pattern` or `none`.
        source: String,
        /// True when nothing of it is sent: it is muted, or nothing at all.
        off: bool,
        /// False for what the other side sent from the start.
        changed: bool,
    },
    /// The call is recorded from here on, here or on the other side, or no longer.
    Recording {
        /// The call.
        call: CallId,
        /// True when the other side records.
        remote: bool,
        /// False when it is over.
        on: bool,
        /// The file, when it is ours.
        path: Option<PathBuf>,
    },
    /// A hand came to the own face, or is gone from it. The other side hears nothing of it.
    Alert {
        /// The call.
        call: CallId,
        /// True when a hand is on the face.
        raised: bool,
        /// How often that happened so far in this call.
        count: u64,
    },
    /// A written message of this call.
    Chat {
        /// The call.
        call: CallId,
        /// True when the other side wrote it.
        remote: bool,
        /// The text, as it came: remote text. It may hold line breaks.
        text: String,
        /// Which message of that side it is in this call, from 1.
        number: u64,
    },
    /// Written messages of ours have reached the other side.
    Delivered {
        /// The call.
        call: CallId,
        /// All up to this number.
        number: u64,
    },
    /// A side shows something of itself.
    Sign {
        /// The call, if there is one.
        call: Option<CallId>,
        /// True when it is the other side.
        remote: bool,
        /// What it shows.
        sign: Sign,
    },
    /// Something happened to a file of this call.
    File {
        /// The call.
        call: CallId,
        /// Which file, and what happened.
        file: File,
    },
    /// The path went silent or came back.
    Link {
        /// The call.
        call: CallId,
        /// True when media flows again.
        up: bool,
    },
    /// Once a second while a call is connected.
    Stats {
        /// The call.
        call: CallId,
        /// Media of both directions so far.
        media: Box<Stats>,
        /// The path so far.
        path: Box<PathStats>,
    },
    /// A call rang here and was not answered here.
    Missed {
        /// Who called.
        from: String,
    },
    /// Something worth a line that does not change the call.
    Notice {
        /// A sentence.
        text: String,
    },
    /// There is no call, because no path could lead to anybody.
    NoPath {
        /// Why, in words.
        reason: String,
    },
    /// A command could not be carried out.
    Rejected {
        /// Why, in words.
        reason: String,
    },
    /// The call is over. Nothing of this call follows.
    Ended {
        /// Why.
        reason: EndReason,
        /// Everything that was measured.
        report: Box<Report>,
    },
    /// The session is over. Nothing follows.
    Closed,
}
