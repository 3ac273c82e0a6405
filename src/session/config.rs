//! What a session is started with: plain data, chosen by `cli`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use super::choice::{Choice, Slot};
use super::leg::Opened;
use crate::call::{JsepRole, Timing};
use crate::identity::{Identity, PublicKey};
pub use crate::media::alert::Settings as AlertSettings;
use crate::media::device::Notices;
use crate::media::pipeline::{Kind, Sinks, Sources};
use crate::media::spec::{self, AudioSpec, HearSpec, ShowSpec, VideoSpec};
pub use crate::media::voice::Settings as Voice;
use crate::media::{Error, Monitor, VideoFormat};
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
    /// What becomes of files.
    pub files: super::files::Settings,
    /// STUN and TURN servers beside those that the signaling server names.
    pub ice_servers: Vec<IceServer>,
    /// Which candidates may be used.
    pub ice_policy: IcePolicy,
    /// Whose certificates TURN servers over TLS may show; `None` for those of the system's authorities.
    pub authorities: Option<crate::rtc::Trust>,
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
    /// The most for pictures, bit/s; `None` chooses by size.
    pub video_bitrate: Option<u32>,
    /// The most for sound, bit/s.
    pub audio_bitrate: u32,
    /// The most for everything that is sent, bit/s on the wire.
    pub max_bitrate: Option<u32>,
    /// A call goes on without a device that can't be had, unless it has to be exactly that one. For people: a script wants to
    /// know before.
    pub forgiving: bool,
    /// A call begins with the microphone off: somebody unmutes it to talk.
    pub push_to_talk: bool,
    /// What is done to the sound of a microphone.
    pub voice: Voice,
    /// Record each call into this file; the second one into the same name with a 2, and so on.
    pub record: Option<PathBuf>,
    /// Where recordings go whose file nobody named.
    pub recordings: PathBuf,
    /// The hand-on-face alert, which nobody but this side learns of.
    pub alert: Alert,
    /// A call that rings here and is answered gets back what it sends, up to so many pictures a second, in place of the sources above.
    pub echo: Option<u32>,
    /// The screen that shows both sides' pictures and levels, if there is one.
    pub monitor: Option<Arc<Monitor>>,
}

/// The hand-on-face alert.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Alert {
    /// A call begins with it.
    pub on: bool,
    /// How easily it is raised.
    pub settings: AlertSettings,
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

    /// What is sent and played in a call, by who called.
    pub(super) fn for_role(&self, role: JsepRole) -> Self {
        let mut media = self.clone();
        if self.echo.is_some() && role == JsepRole::Answerer {
            media.put(Choice::Video(VideoSpec::Echo));
            media.put(Choice::Audio(AudioSpec::Echo));
            // There is nobody who would talk, and the face is not ours.
            (media.push_to_talk, media.alert.on) = (false, false);
        }
        media
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

    /// What a slot holds.
    pub(super) fn choice(&self, slot: Slot) -> Choice {
        match slot {
            Slot::Video => Choice::Video(self.video.clone()),
            Slot::Audio => Choice::Audio(self.audio.clone()),
            Slot::Hear => Choice::Hear(self.hear.clone()),
        }
    }

    /// Puts something into its slot.
    pub(super) fn put(&mut self, choice: Choice) {
        match choice {
            Choice::Video(spec) => self.video = spec,
            Choice::Audio(spec) => self.audio = spec,
            Choice::Hear(spec) => self.hear = spec,
        }
    }

    /// Opens what a slot is to hold: a device, a file, a program that reads it. Takes as long as it takes.
    ///
    /// # Errors
    /// What can't be opened, by name.
    pub(super) fn open(&self, choice: &Choice, notices: &Notices) -> Result<Opened, Error> {
        Ok(match choice {
            // Those of an echo come later.
            Choice::Video(VideoSpec::None | VideoSpec::Echo) => Opened::Video(None, self.kbps(self.format)),
            Choice::Video(spec) => {
                let source = spec::open_video(spec, self.format, notices)?;
                let kbps = self.kbps(source.format());
                Opened::Video(Some(source), kbps)
            }
            Choice::Audio(AudioSpec::None | AudioSpec::Echo) => Opened::Audio(None),
            Choice::Audio(spec) => Opened::Audio(Some(spec::open_audio(spec, notices)?)),
            Choice::Hear(spec) => Opened::Hear(spec::open_hear(spec, notices)?),
        })
    }

    /// The same, or nothing with the reason where a call goes on without it.
    fn open_or_do_without(
        &self,
        slot: Slot,
        notices: &Notices,
        missing: &mut Vec<Missing>,
    ) -> Result<Opened, Error> {
        let choice = self.choice(slot);
        match self.open(&choice, notices) {
            Err(error) if self.forgiving && choice.may_be_missing() => {
                let nothing = choice.nothing();
                missing.push(Missing { why: without(slot, &error), choice });
                self.open(&nothing, notices)
            }
            outcome => outcome,
        }
    }

    /// Makes the places where received media goes.
    ///
    /// # Errors
    /// What can't be made, by name.
    pub(super) fn open_sinks(&self, notices: &Notices) -> Result<(Sinks, Vec<Missing>), Error> {
        let mut missing = Vec::new();
        let audio = match self.open_or_do_without(Slot::Hear, notices, &mut missing)? {
            Opened::Hear(sink) => sink,
            Opened::Video(..) | Opened::Audio(_) => spec::open_hear(&HearSpec::Null, notices)?,
        };
        let video = spec::open_show(&self.show, self.format.fps)?;
        Ok((Sinks { video, audio, monitor: self.monitor.clone() }, missing))
    }

    /// Opens what is sent.
    ///
    /// # Errors
    /// What can't be opened, by name.
    pub(super) fn open_sources(&self, notices: &Notices) -> Result<(Sources, Vec<Missing>), Error> {
        let mut missing = Vec::new();
        let mut sources = Sources {
            video: None,
            audio: None,
            video_kbps: self.kbps(self.format),
            audio_bits_per_second: self.audio_bitrate,
            most: self.max_bitrate,
        };
        for slot in [Slot::Video, Slot::Audio] {
            match self.open_or_do_without(slot, notices, &mut missing)? {
                Opened::Video(source, kbps) => (sources.video, sources.video_kbps) = (source, kbps),
                Opened::Audio(source) => sources.audio = source,
                Opened::Hear(_) => {}
            }
        }
        Ok((sources, missing))
    }

    pub(super) fn kbps(&self, format: VideoFormat) -> u32 {
        self.video_bitrate.map_or_else(|| default_kbps(format), |bits| bits / 1000)
    }
}

/// A device that a call goes on without.
#[derive(Debug)]
pub(super) struct Missing {
    /// What was wished.
    pub(super) choice: Choice,
    /// A sentence for a person.
    pub(super) why: String,
}

/// What it means to have no such device.
fn without(slot: Slot, error: &Error) -> String {
    let so = match slot {
        Slot::Video => "you send no picture",
        Slot::Audio => "you send no sound",
        Slot::Hear => "you hear nothing",
    };
    format!("{so}: {error} (letsmeet devices lists what there is)")
}

/// A tenth of a bit a pixel: where VP8 looks good on a talking head (docs/performance.md), and never so little
/// that a small picture falls apart.
fn default_kbps(format: VideoFormat) -> u32 {
    let pixels = u64::from(format.width) * u64::from(format.height) * u64::from(format.fps);
    u32::try_from(pixels / 10_000).unwrap_or(u32::MAX).clamp(60, 4_000)
}
