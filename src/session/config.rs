//! What a session is started with: plain data, chosen by `cli`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use crate::call::Timing;
use crate::identity::{Identity, PublicKey};
use crate::media::pipeline::{Kind, Sinks, Sources};
use crate::media::spec::{self, AudioSpec, HearSpec, ShowSpec, VideoSpec};
use crate::media::{Error, Monitor, VideoFormat, device};
use crate::rtc::{IcePolicy, IceServer};
use crate::signaling::client;

/// Everything a session needs.
#[derive(Clone)]
pub struct Config {
    /// Where to sign in, and as whom.
    pub signaling: client::Config,
    /// The key behind the name; also signs our DTLS fingerprints.
    pub identity: Arc<Identity>,
    /// Whose keys are accepted.
    pub trust: Trust,
    /// What is sent and where the received goes.
    pub media: Media,
    /// STUN and TURN servers beside those that the signaling server names.
    pub ice_servers: Vec<IceServer>,
    /// Which candidates may be used.
    pub ice_policy: IcePolicy,
    /// How long each step of a call may take.
    pub timing: Timing,
}

/// Whose keys are accepted.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// Keys by name, pinned at first contact. `None` pins nothing (selftest).
    pub known_peers: Option<PathBuf>,
    /// If set, only this key.
    pub expect_key: Option<ExpectedKey>,
}

/// A key, written whole or as its fingerprint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExpectedKey {
    /// The key itself.
    Key(PublicKey),
    /// `SHA256:` and the digest, as reports and screens show it.
    Fingerprint(String),
}

impl ExpectedKey {
    pub(super) fn fits(&self, key: &PublicKey) -> bool {
        match self {
            Self::Key(expected) => expected == key,
            Self::Fingerprint(expected) => *expected == key.fingerprint(),
        }
    }
}

impl FromStr for ExpectedKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix("SHA256:") {
            Some(digest) if digest.len() == FINGERPRINT_DIGITS => Ok(Self::Fingerprint(text.to_owned())),
            Some(_) => Err(format!("a fingerprint is SHA256: and {FINGERPRINT_DIGITS} characters")),
            None => text.parse().map(Self::Key).map_err(|error| format!("{error} (or write SHA256:...)")),
        }
    }
}

impl fmt::Display for ExpectedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => f.write_str(&key.fingerprint()),
            Self::Fingerprint(text) => f.write_str(text),
        }
    }
}

/// Base64 digits of a SHA-256 without padding.
const FINGERPRINT_DIGITS: usize = 43;

/// What is sent and where the received goes.
#[derive(Debug, Clone)]
pub struct Media {
    /// The picture to send.
    pub video: VideoSpec,
    /// The sound to send.
    pub audio: AudioSpec,
    /// Where the received picture goes.
    pub show: ShowSpec,
    /// Where the received sound goes.
    pub hear: HearSpec,
    /// Size and rate of the picture sent.
    pub format: VideoFormat,
    /// Video bitrate in bit/s; `None` chooses by size.
    pub video_bitrate: Option<u32>,
    /// Audio bitrate in bit/s.
    pub audio_bitrate: u32,
    /// The screen that shows both sides' pictures and levels, if there is one.
    pub monitor: Option<Arc<Monitor>>,
}

/// How long an ended session waits for the server to take its goodbye.
pub(super) const SIGN_OFF: Duration = Duration::from_millis(500);

impl Media {
    /// What has no source, by [`Kind`] as a number.
    pub(super) fn sourceless(&self) -> [bool; 2] {
        let mut off = [false; 2];
        off[Kind::Audio as usize] = !self.sends_audio();
        off[Kind::Video as usize] = !self.sends_video();
        off
    }

    /// Whether there is sound to send.
    #[must_use]
    pub fn sends_audio(&self) -> bool {
        self.audio != AudioSpec::None
    }

    /// Whether there is a picture to send.
    #[must_use]
    pub fn sends_video(&self) -> bool {
        self.video != VideoSpec::None
    }

    /// Whether a screen is to show pictures.
    #[must_use]
    pub fn shows(&self) -> bool {
        self.show != ShowSpec::Null
    }

    /// Makes the places where received media goes.
    ///
    /// # Errors
    /// What can't be made, by name.
    pub(super) fn open_sinks(&self) -> Result<Sinks, Error> {
        Ok(Sinks {
            video: spec::open_show(&self.show, self.format.fps)?,
            audio: spec::open_hear(&self.hear, &device::logged())?,
            monitor: self.monitor.clone(),
        })
    }

    /// Opens what is sent: files, and programs that read them. Takes as long as they take.
    ///
    /// # Errors
    /// What can't be opened, by name.
    pub(super) fn open_sources(&self) -> Result<Sources, Error> {
        let video = match &self.video {
            VideoSpec::None => None,
            video => Some(spec::open_video(video, self.format, &device::logged())?),
        };
        let audio = match &self.audio {
            AudioSpec::None => None,
            audio => Some(spec::open_audio(audio, &device::logged())?),
        };
        let format = video.as_ref().map_or(self.format, |source| source.format());
        Ok(Sources {
            video,
            audio,
            video_kbps: self.video_bitrate.map_or_else(|| default_kbps(format), |bits| bits / 1000),
            audio_bits_per_second: self.audio_bitrate,
        })
    }
}

/// A tenth of a bit a pixel: where VP8 looks good on a talking head (docs/performance.md), and never so little
/// that a small picture falls apart.
fn default_kbps(format: VideoFormat) -> u32 {
    let pixels = u64::from(format.width) * u64::from(format.height) * u64::from(format.fps);
    u32::try_from(pixels / 10_000).unwrap_or(u32::MAX).clamp(60, 4_000)
}
