//! What is known about one call while it lasts, and the report made of it at its end.

use std::time::Duration;

use tokio::time::Instant;

use super::leg::Leg;
use super::report::{Chat, Direction, RemoteSends, Report, Setup};
use crate::call::{CallId, EndReason};
use crate::identity::{PublicKey, verification_code};
use crate::media::pipeline::Stats;
use crate::media::record::Recorded;
use crate::rtc::{Candidate, PathStats};
use crate::signaling::protocol::SessionId;

/// Candidates kept with an unanswered description. A host has a handful; what goes beyond is not repeated
/// after the server came back, and connectivity checks find it as peer reflexive.
const CANDIDATES: usize = 64;

/// Our latest description, until the other side is known to have it.
pub(super) struct Unanswered {
    pub(super) offer: bool,
    pub(super) sdp: String,
    pub(super) signature: [u8; 64],
    pub(super) candidates: Vec<Candidate>,
}

pub(super) struct Record {
    id: CallId,
    pub(super) peer: String,
    direction: Direction,
    began: Instant,
    setup: Setup,
    connected: Option<Instant>,
    pub(super) key: Option<PublicKey>,
    pub(super) first_contact: bool,
    /// It is about files alone: there is to be neither sound nor picture.
    pub(super) only_files: bool,
    pub(super) remote_session: Option<SessionId>,
    pub(super) local_fingerprint: Option<String>,
    pub(super) remote_fingerprint: Option<String>,
    pub(super) verification_code: Option<String>,
    /// The codes of both sides were compared, and were the same.
    pub(super) compared: Option<bool>,
    pub(super) unanswered: Option<Unanswered>,
    pub(super) remote_sends: RemoteSends,
    pub(super) leg: Option<Leg>,
    /// What this side has no source for in this call, by kind.
    pub(super) sourceless: [bool; 2],
    /// What comes is sent back.
    pub(super) echo: bool,
    /// What the other side does not send now, by kind.
    pub(super) remote_off: [bool; 2],
    pub(super) chat: Chat,
    pub(super) end: Option<(EndReason, Duration)>,
    pub(super) detail: Option<String>,
    pub(super) media: Option<Stats>,
    pub(super) recorded: Option<Recorded>,
    pub(super) path: Option<PathStats>,
}

impl Record {
    pub(super) fn new(id: CallId, peer: String, direction: Direction) -> Self {
        Self {
            id,
            peer,
            direction,
            began: Instant::now(),
            setup: Setup::default(),
            connected: None,
            key: None,
            first_contact: false,
            only_files: false,
            remote_session: None,
            local_fingerprint: None,
            remote_fingerprint: None,
            verification_code: None,
            compared: None,
            unanswered: None,
            remote_sends: RemoteSends::default(),
            leg: None,
            sourceless: [false; 2],
            echo: false,
            remote_off: [false; 2],
            chat: Chat::default(),
            end: None,
            detail: None,
            media: None,
            recorded: None,
            path: None,
        }
    }

    /// Whether a relayed message comes from the session we are in this call with.
    pub(super) fn is_from(&self, session: SessionId) -> bool {
        self.end.is_none() && self.remote_session == Some(session)
    }

    pub(super) fn rings(&mut self, now: Instant) {
        self.setup.ringing.get_or_insert(now - self.began);
    }

    pub(super) fn accepted(&mut self, now: Instant) {
        self.setup.accepted.get_or_insert(now - self.began);
    }

    /// The code is made here, once: it is slow on purpose.
    pub(super) fn connected(&mut self, now: Instant) {
        self.setup.connected.get_or_insert(now - self.began);
        self.connected.get_or_insert(now);
        if let (Some(ours), Some(theirs)) = (&self.local_fingerprint, &self.remote_fingerprint) {
            self.verification_code = Some(verification_code(ours, theirs));
        }
    }

    pub(super) fn ended(&mut self, now: Instant, reason: EndReason) {
        let duration = self.connected.map_or(Duration::ZERO, |connected| now - connected);
        self.end.get_or_insert((reason, duration));
    }

    /// We dialed `dialed`, which goes on as this call: times count from that dialing.
    pub(super) fn merge(&mut self, dialed: Self) {
        self.direction = dialed.direction;
        self.began = dialed.began;
    }

    pub(super) fn described(&mut self, offer: bool, sdp: String, signature: [u8; 64]) {
        self.unanswered = Some(Unanswered { offer, sdp, signature, candidates: Vec::new() });
    }

    pub(super) fn remember(&mut self, candidate: Candidate) {
        if let Some(unanswered) = &mut self.unanswered
            && unanswered.candidates.len() < CANDIDATES
        {
            unanswered.candidates.push(candidate);
        }
    }

    /// An offer of ours is not answered yet.
    pub(super) fn awaits_answer(&self) -> bool {
        self.unanswered.as_ref().is_some_and(|ours| ours.offer)
    }

    /// An answer settles our offer; a fresh offer makes our old answer moot.
    pub(super) fn acknowledged(&mut self, offer: bool) {
        if self.unanswered.as_ref().is_some_and(|ours| ours.offer != offer) {
            self.unanswered = None;
        }
    }

    /// `None` while the call lasts.
    pub(super) fn into_report(self) -> Option<(EndReason, Report)> {
        let (reason, duration) = self.end?;
        let mut setup = self.setup;
        if let Some(media) = &self.media {
            let since = |at: std::time::Instant| at.saturating_duration_since(self.began.into_std());
            setup.first_audio = media.audio_received.first_played.map(since);
            setup.first_frame = media.video_received.first_shown.map(since);
        }
        let report = Report {
            id: self.id,
            peer: self.peer,
            peer_key: self.key.map(|key| key.fingerprint()),
            verification_code: self.verification_code,
            compared: self.compared,
            files: self.only_files,
            direction: self.direction,
            reason,
            detail: self.detail,
            duration,
            setup,
            remote_sends: self.remote_sends,
            chat: self.chat,
            path: self.path,
            media: self.media,
            record: self.recorded,
        };
        Some((reason, report))
    }
}
