//! What is known about a call when it is over: plain data, no formatting.

use std::time::Duration;

use crate::call::{CallId, EndReason};
use crate::media::pipeline::Stats;
pub use crate::media::record::Recorded;
use crate::rtc::PathStats;

/// Which side dialed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// We dialed.
    Outgoing,
    /// We were called.
    Incoming,
}

/// How long after dialing (or after the ring began) each step was reached; `None` when it was not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Setup {
    /// The other side rings (outgoing calls), or the ring began (incoming: zero).
    pub ringing: Option<Duration>,
    /// The callee accepted.
    pub accepted: Option<Duration>,
    /// ICE and DTLS are done.
    pub connected: Option<Duration>,
    /// The first decoded audio was handed to the sink.
    pub first_audio: Option<Duration>,
    /// The first decoded picture was handed to the sink.
    pub first_frame: Option<Duration>,
}

/// What the other side meant to send, as far as it told us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RemoteSends {
    /// False once it said that it sends no sound.
    pub audio: bool,
    /// False once it said that it sends no picture.
    pub video: bool,
}

impl Default for RemoteSends {
    fn default() -> Self {
        Self { audio: true, video: true }
    }
}

/// Written messages of a call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Chat {
    /// Ours that went out.
    pub sent: u64,
    /// Of these, those that the other side has, as it says.
    pub delivered: u64,
    /// Theirs.
    pub received: u64,
}

/// One call from its first moment to its end.
#[derive(Debug, Clone)]
pub struct Report {
    /// The call.
    pub id: CallId,
    /// The other side's name.
    pub peer: String,
    /// Fingerprint of the other side's key, once known.
    pub peer_key: Option<String>,
    /// The code both sides can compare, once both DTLS fingerprints were known.
    pub verification_code: Option<String>,
    /// Whether both sides' codes were the same, if somebody compared them.
    pub compared: Option<bool>,
    /// It was about files alone.
    pub files: bool,
    /// Which side dialed.
    pub direction: Direction,
    /// Why it ended.
    pub reason: EndReason,
    /// A cause beyond the reason, where one is known ("cannot open …").
    pub detail: Option<String>,
    /// From connected to the end; zero when it never connected.
    pub duration: Duration,
    /// When each step was reached.
    pub setup: Setup,
    /// What the other side meant to send.
    pub remote_sends: RemoteSends,
    /// What was written.
    pub chat: Chat,
    /// The path, if a peer connection was made.
    pub path: Option<PathStats>,
    /// The media of both directions, if an engine was made.
    pub media: Option<Stats>,
    /// The recording, if one was made; of several the last.
    pub record: Option<Recorded>,
}
