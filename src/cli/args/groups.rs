//! Options that several commands share, in the groups of their help.

#![allow(rustdoc::broken_intra_doc_links, rustdoc::bare_urls, reason = "help is printed as it stands here")]

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::values::{Size, bytes, some_time};
use crate::media::alert::Sensitivity;
use crate::media::spec::{AudioSpec, HearSpec, ShowSpec, VideoSpec};
use crate::rtc::IcePolicy;
use crate::session::{self, ExpectedKey};
use crate::tui::render::Mode;

/// STUN and TURN servers.
#[derive(Debug, Clone, Default, Args)]
pub struct IceServers {
    /// A STUN server, for example stun:stun.example.org:3478 (repeatable)
    #[arg(long, value_name = "URL")]
    pub stun: Vec<String>,
    /// A TURN server: turn:HOST[:PORT][?transport=tcp] or turns:HOST[:PORT] over TLS (repeatable)
    #[arg(long, value_name = "URL")]
    pub turn: Vec<String>,
    /// The TURN user name
    #[arg(long, value_name = "NAME", env = "LETSMEET_TURN_USER")]
    pub turn_user: Option<String>,
    /// A file that holds the TURN password (or the variable LETSMEET_TURN_PASSWORD)
    #[arg(long, value_name = "FILE")]
    pub turn_password_file: Option<PathBuf>,
}

/// What is sent and where the received goes.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Media")]
pub struct Media {
    /// The picture to send: camera[:ID], screen[:ID], pattern[:WxH[@FPS]], file:PATH or none [default: the camera if there is one; with --headless or --json: pattern]
    #[arg(long, value_name = "SOURCE", env = "LETSMEET_VIDEO")]
    pub video: Option<VideoSpec>,
    /// The sound to send: mic[:ID], tone[:HZ], file:PATH, silence or none [default: the microphone if there is one; with --headless or --json: tone]
    #[arg(long, value_name = "SOURCE", env = "LETSMEET_AUDIO")]
    pub audio: Option<AudioSpec>,
    /// Where the received picture goes: terminal, file:PATH (.y4m, overwritten) or null [default: null]
    #[arg(long, value_name = "SINK", env = "LETSMEET_SHOW")]
    pub show: Option<ShowSpec>,
    /// Where the received sound goes: speaker[:ID], file:PATH (.wav, overwritten) or null [default: the speaker if there is one; with --headless or --json: null]
    #[arg(long, value_name = "SINK", env = "LETSMEET_HEAR")]
    pub hear: Option<HearSpec>,
    /// Record the call, both sides, and tell the other side: a .webm file, overwritten; login records further calls as NAME-2.webm and so on
    #[arg(long, value_name = "PATH")]
    pub record: Option<PathBuf>,
    /// Size of the picture sent, in pixels [default: 640x360]
    #[arg(long, value_name = "WxH")]
    pub size: Option<Size>,
    /// Frames sent a second [default: 25]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=60))]
    pub fps: Option<u32>,
    /// The most for pictures, in kbit/s [default: by size]
    #[arg(long, value_name = "KBPS", value_parser = clap::value_parser!(u32).range(10..=20_000))]
    pub video_bitrate: Option<u32>,
    /// How pictures are drawn in the terminal [default: the best that the terminal shows]
    #[arg(long, value_name = "MODE", env = "LETSMEET_RENDER")]
    pub render: Option<Mode>,
    /// Tell you, and nobody else, when a hand is on your face [without a level: normal]
    #[arg(long, value_name = "LEVEL", num_args = 0..=1, require_equals = true, default_missing_value = "normal")]
    pub alert: Option<AlertLevel>,
    /// The microphone is off until somebody talks: a key in the screen, unmute in lines
    #[arg(long)]
    pub push_to_talk: bool,
    /// Leave in the microphone's sound what comes out of the speaker
    #[arg(long)]
    pub no_echo_cancellation: bool,
    /// Leave steady noise in the microphone's sound
    #[arg(long)]
    pub no_noise_suppression: bool,
    /// Leave the microphone's sound as loud as it is
    #[arg(long)]
    pub no_gain: bool,
    /// The most that is sent of everything, in kbit/s with all headers; less when the path has less [default: no limit]
    #[arg(long, value_name = "KBPS", value_parser = clap::value_parser!(u32).range(16..=100_000))]
    pub max_bitrate: Option<u32>,
    /// The most for sound, in kbit/s [default: 48]
    #[arg(long, value_name = "KBPS", value_parser = clap::value_parser!(u32).range(6..=256))]
    pub audio_bitrate: Option<u32>,
}

/// What becomes of files.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Files")]
pub struct Files {
    /// What to do with a file that the other side offers [default: ask]
    #[arg(long, value_enum, value_name = "HOW")]
    pub files: Option<Receive>,
    /// Accept every file: the same as --files accept
    #[arg(long, conflicts_with = "files")]
    pub accept_files: bool,
    /// Where files arrive; nothing is ever written elsewhere or overwritten [default: the platform's download folder]
    #[arg(long, value_name = "DIR", env = "LETSMEET_DOWNLOAD")]
    pub download: Option<PathBuf>,
    /// The largest file that is accepted (500M, 2G) [default: 10G]
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    pub max_file_size: Option<u64>,
}

/// `--files`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Receive {
    /// Wait for the person or the script to say
    Ask,
    /// Accept every file
    Accept,
    /// Refuse every file
    Decline,
}

/// `--alert`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AlertLevel {
    /// No alert
    Off,
    /// Only by a hand that covers much
    Low,
    /// As it was measured
    Normal,
    /// Also by fingers
    High,
}

impl AlertLevel {
    /// How easily the alert is raised; `None` when it is off.
    #[must_use]
    pub fn sensitivity(self) -> Option<Sensitivity> {
        match self {
            Self::Off => None,
            Self::Low => Some(Sensitivity::Low),
            Self::Normal => Some(Sensitivity::Normal),
            Self::High => Some(Sensitivity::High),
        }
    }
}

/// How the path is found.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Path")]
pub struct Path {
    /// Which candidates may be used
    #[arg(long, value_enum, default_value = "all", env = "LETSMEET_ICE")]
    pub ice: Policy,
    /// STUN and TURN servers beside those that the signaling server names
    #[command(flatten)]
    pub servers: IceServers,
}

/// `--ice`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Policy {
    /// Host, server reflexive and relay
    All,
    /// Relay only
    Relay,
    /// Host only
    Host,
}

impl From<Policy> for IcePolicy {
    fn from(policy: Policy) -> Self {
        match policy {
            Policy::All => Self::All,
            Policy::Relay => Self::Relay,
            Policy::Host => Self::Host,
        }
    }
}

/// How often.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct Runs {
    /// Do it so many times; each run is judged by itself, the worst one is the exit status
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub repeat: Option<u64>,
    /// Begin a run this long after the one before began, or at once if that took longer [without --repeat: until interrupted]
    #[arg(long, value_name = "TIME", value_parser = some_time)]
    pub every: Option<Duration>,
}

/// Where the outcome goes beside stdout.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Results")]
pub struct Results {
    /// Write the outcome as JUnit XML, for CI servers: what did not hold is a failure, what could not run an error
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Write the outcome as Prometheus text, replaced whole: NAME.prom in the folder of node_exporter's textfile collector
    #[arg(long, value_name = "FILE")]
    pub prometheus: Option<PathBuf>,
    /// Be a plugin for Nagios and the like: one line on stdout, exit status 0 OK, 1 WARNING, 2 CRITICAL or 3 UNKNOWN; `call` sends media as with --headless
    #[arg(long)]
    pub nagios: bool,
    /// What is not told.
    #[command(flatten)]
    pub privacy: Privacy,
}

/// What is not told.
#[derive(Debug, Clone, Copy, Default, Args)]
#[command(next_help_heading = "Results")]
pub struct Privacy {
    /// Write address-1, name-1, key-1 for addresses, names and fingerprints, the same for the same one; not in logs (-v) and on the screen
    #[arg(long)]
    pub mask: bool,
}

/// Whose key is accepted.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Trust")]
pub struct Trust {
    /// Take part only if the other side's key is this one (SHA256:... as shown, or the key in base64url)
    #[arg(long, value_name = "KEY")]
    pub expect_key: Option<ExpectedKey>,
    /// The call is good only if this is its verification code; "ask" waits for the command compare, with the code that the other side sees
    #[arg(long, value_name = "CODE")]
    pub expect_code: Option<ExpectedCode>,
}

/// `--expect-code`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExpectedCode {
    /// These digits.
    Code(String),
    /// Those of a command in the call.
    Ask,
}

impl FromStr for ExpectedCode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.chars().filter(char::is_ascii_digit).count();
        let plain = text.chars().all(|c| c.is_ascii_digit() || c == ' ' || c == '-');
        match text {
            "ask" => Ok(Self::Ask),
            _ if plain && digits == 16 => Ok(Self::Code(text.to_owned())),
            _ => Err("a code has four groups of four digits (or write ask)".to_owned()),
        }
    }
}

/// Written messages.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Messages")]
pub struct Messages {
    /// Write this to the other side as soon as a call is connected (repeatable)
    #[arg(long, value_name = "TEXT", value_parser = message)]
    pub chat: Vec<String>,
    /// Keep what both sides write: lines are added to this file [default: nothing is kept]
    #[arg(long, value_name = "FILE", env = "LETSMEET_CHAT_LOG")]
    pub chat_log: Option<PathBuf>,
}

/// A written message, if it can be sent.
fn message(text: &str) -> Result<String, String> {
    session::check_chat(text).map(|()| text.to_owned())
}
