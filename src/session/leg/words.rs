//! What the actor and a leg say to each other.
//!
//! Owns the two vocabularies and what a leg begins with. What is done about each stands with the leg and the actor.

use std::path::PathBuf;

use super::super::choice::Choice;
use super::super::config::Media;
use super::super::control::Picture;
use super::super::files::{File, Settings as FileSettings};
use super::super::recording::Take;
use super::super::sign::Sign;
use super::{Figures, FileOrder, Reply, Switch};
use crate::call::{CallId, JsepRole};
use crate::media::pipeline::{Kind, Limit, Stats};
use crate::rtc::{self, Candidate, PathStats};

/// What the actor tells a leg.
#[derive(Debug)]
pub(in crate::session) enum LegCommand {
    /// Consent is there: the offerer's description may go out.
    Negotiate,
    /// The local description has been handed to signaling; candidates may follow it.
    Described,
    /// The other side's description.
    Remote {
        /// True for an offer.
        offer: bool,
        /// The SDP.
        sdp: String,
    },
    /// A candidate of the other side.
    Candidate(Candidate),
    /// Media may be captured and sent.
    StartMedia,
    /// Look for a new path.
    RestartIce,
    /// Send nothing of this kind, or send again.
    Mute(Kind, bool),
    /// Send or play something else from now on.
    Switch(Switch, Reply),
    /// Record into this file, or no longer.
    Record(Option<Take>, Reply),
    /// Look out for a hand on the own face, or stop that.
    Alert(bool),
    /// What the screen can draw of the other side's picture.
    Window(Limit),
    /// Send a message of [`chat`](super::super::chat).
    Chat(String),
    /// Show this to the other side.
    Sign(Sign),
    /// Offer, accept, decline or end a transfer.
    File(FileOrder, Reply),
    /// Say goodbye if asked, stop everything, flush the sinks, report.
    Close {
        /// Tell the other side over the data channel first.
        goodbye: bool,
    },
}

/// What a leg tells the actor.
#[derive(Debug)]
pub(in crate::session) enum LegEvent {
    /// A local description to be signed and sent, answered by [`LegCommand::Described`].
    Described {
        /// True for an offer.
        offer: bool,
        /// The SDP.
        sdp: String,
    },
    /// A local candidate to be sent.
    Candidate(Candidate),
    /// ICE and DTLS are done.
    Connected,
    /// Nothing is heard from the other side any more.
    LinkDown,
    /// It is heard again.
    LinkUp,
    /// An address of ours is gone, and the path with it.
    AddressGone,
    /// Media has stopped without a word.
    Silent,
    /// ICE or DTLS gave up.
    LinkFailed,
    /// The other side hung up.
    Goodbye,
    /// The other side muted or unmuted something.
    RemoteMute(Kind, bool),
    /// Where the other side's picture comes from.
    RemotePicture {
        /// From there.
        picture: Picture,
        /// False for the first word about it.
        changed: bool,
    },
    /// Something else is sent or played from now on.
    Using {
        /// What.
        choice: Choice,
        /// Nothing of it is sent, because it is muted or nothing at all.
        off: bool,
        /// It is what is left, because what was wished could not be had.
        missing: bool,
    },
    /// Somebody records from here on, or no longer.
    Recording {
        /// True when it is the other side.
        remote: bool,
        /// False when it is over.
        on: bool,
        /// The file, when it is ours.
        path: Option<PathBuf>,
    },
    /// What was asked for can't be had, and nobody waits for the answer.
    Rejected(String),
    /// A hand came to the own face, or is gone.
    Alert {
        /// It is there.
        raised: bool,
        /// How often it was in this call.
        count: u64,
    },
    /// Something was written.
    Chat {
        /// By the other side.
        remote: bool,
        /// What.
        text: String,
        /// Which message of that side it is, from 1.
        number: u64,
    },
    /// The other side has our written messages up to this one.
    Delivered(u64),
    /// A side shows something of itself; true for the other one.
    Sign(bool, Sign),
    /// Something happened to a file.
    File(File),
    /// A description or candidate of the other side made no sense; the call goes on without it.
    Refused(String),
    /// Worth a line; the call goes on.
    Notice(String),
    /// A local file, device or codec failed; the call can't go on.
    MediaFailed(String),
    /// There can be no path, and why.
    NoPath(String),
    /// Figures, once a second while media flows.
    Stats(Box<Stats>, Box<PathStats>),
    /// The leg is gone; nothing follows.
    Closed(Figures),
}

/// Everything a leg needs to begin.
pub(in crate::session) struct LegSetup {
    pub(in crate::session) call: CallId,
    pub(in crate::session) role: JsepRole,
    pub(in crate::session) media: Media,
    pub(in crate::session) rtc: rtc::Config,
    /// Nobody sits here.
    pub(in crate::session) away: bool,
    /// Record the call from its beginning.
    pub(in crate::session) record: Option<Take>,
    pub(in crate::session) files: FileSettings,
    /// The other side's name.
    pub(in crate::session) peer: String,
}
