//! One call as the screen knows it, from dialing to the card that says why it ended.
//!
//! Owns what is shown of a call. The session owns the call itself; nothing here decides about it.

use std::collections::VecDeque;
use std::time::Duration;

use super::editor::Editor;
use super::files::Files;
use super::quality::Meter;
use super::signs::Shows;
use crate::call::CallId;
use crate::session::{Kind, MAX_CHAT};
use crate::text::{self, Shown};

/// Messages of a call that are kept; older ones are forgotten.
const MESSAGES: usize = 500;

/// How far a call has come.
#[derive(Debug)]
pub(super) enum Phase {
    /// To be dialed as soon as the server has us.
    Waiting,
    /// The invite is on its way.
    Calling,
    /// It rings there.
    Ringing,
    /// Accepted; the path is being set up.
    Connecting,
    /// Media can flow.
    Active {
        /// Since when.
        since: Duration,
    },
    /// Over.
    Ended {
        /// A sentence.
        reason: Shown,
        /// A cause beyond it.
        detail: Option<Shown>,
        /// How long it was connected.
        lasted: Option<Duration>,
    },
}

/// What one side sends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sending {
    pub(super) audio: Sent,
    pub(super) video: Sent,
}

/// Whether one kind of media is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Sent {
    /// It is.
    #[default]
    On,
    /// It could be, but is muted.
    Off,
    /// There is no source.
    Never,
}

impl Sending {
    pub(super) fn of(&mut self, kind: Kind) -> &mut Sent {
        match kind {
            Kind::Audio => &mut self.audio,
            Kind::Video => &mut self.video,
        }
    }
}

/// A written message.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) remote: bool,
    pub(super) lines: Vec<Shown>,
    /// Which message of that side it is.
    pub(super) number: u64,
}

/// The written messages of a call.
#[derive(Debug)]
pub(super) struct Chat {
    pub(super) said: VecDeque<Said>,
    pub(super) editor: Editor,
    pub(super) open: bool,
    /// Keys are text.
    pub(super) typing: bool,
    pub(super) unread: usize,
    /// Lines scrolled back from the newest.
    pub(super) back: usize,
    /// Our messages up to this one have arrived.
    pub(super) delivered: u64,
}

impl Chat {
    pub(super) fn add(&mut self, remote: bool, text: &str, number: u64) {
        if self.said.len() == MESSAGES {
            self.said.pop_front();
        }
        self.said.push_back(Said { remote, lines: text::lines(text), number });
        self.back = 0;
        if remote && !self.open {
            self.unread += 1;
        }
    }
}

/// A call.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) id: Option<CallId>,
    pub(super) peer: Shown,
    pub(super) phase: Phase,
    /// When this phase began.
    pub(super) since: Duration,
    /// When it began, seconds since 1970.
    pub(super) at: u64,
    pub(super) code: Option<Shown>,
    /// The codes of both sides were compared, and were the same.
    pub(super) compared: bool,
    pub(super) key: Option<Shown>,
    pub(super) own: Sending,
    pub(super) remote: Sending,
    /// What our picture is called: camera, screen, film, pattern.
    pub(super) own_picture: Shown,
    /// What the other side's picture is called.
    pub(super) remote_picture: Shown,
    /// What we show of ourselves.
    pub(super) own_shows: Shows,
    /// What the other side shows of itself.
    pub(super) remote_shows: Shows,
    /// We record.
    pub(super) own_records: bool,
    /// The other side records.
    pub(super) remote_records: bool,
    /// Nothing is heard from the other side.
    pub(super) recovering: bool,
    /// A hand is on our face.
    pub(super) hand_on_face: bool,
    /// We asked for its end.
    pub(super) hanging_up: bool,
    pub(super) level_own: Option<f32>,
    pub(super) level_remote: Option<f32>,
    pub(super) meter: Meter,
    /// The path and codecs, for the panel of figures.
    pub(super) facts: Vec<(&'static str, Shown)>,
    pub(super) chat: Chat,
    pub(super) files: Files,
}

impl Call {
    pub(super) fn new(name: &str, phase: Phase, now: Duration, at: u64, own: Sending) -> Self {
        Self {
            id: None,
            peer: Shown::new(name),
            phase,
            since: now,
            at,
            code: None,
            compared: false,
            key: None,
            own,
            remote: Sending::default(),
            own_picture: Shown::new("camera"),
            remote_picture: Shown::new("camera"),
            own_shows: Shows::default(),
            remote_shows: Shows::default(),
            own_records: false,
            remote_records: false,
            recovering: false,
            hand_on_face: false,
            hanging_up: false,
            level_own: None,
            level_remote: None,
            meter: Meter::default(),
            facts: Vec::new(),
            files: Files::default(),
            chat: Chat {
                said: VecDeque::new(),
                editor: Editor::lines(MAX_CHAT),
                open: false,
                typing: false,
                unread: 0,
                back: 0,
                delivered: 0,
            },
        }
    }

    /// Goes on to another phase.
    pub(super) fn enter(&mut self, phase: Phase, now: Duration) {
        self.phase = phase;
        self.since = now;
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Ended { .. })
    }

    /// True until the callee has answered.
    pub(super) fn is_dialing(&self) -> bool {
        matches!(self.phase, Phase::Waiting | Phase::Calling | Phase::Ringing)
    }

    /// True for events of this call.
    pub(super) fn is(&self, call: CallId) -> bool {
        self.id == Some(call) && !self.is_over()
    }
}
