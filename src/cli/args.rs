//! The command line: clap types only, no behaviour.
//!
//! Help texts are written here and nowhere else; the manual pages and completions are made from them.

#![allow(rustdoc::broken_intra_doc_links, rustdoc::bare_urls, reason = "help is printed as it stands here")]

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

use super::expect::Expectation;
use crate::media::alert::Sensitivity;
use crate::media::spec::{AudioSpec, HearSpec, ShowSpec, VideoSpec};
use crate::rtc::IcePolicy;
use crate::session::{self, ExpectedKey};
use crate::tui::render::Mode;

/// Video calls that live in a terminal, and a connectivity test that a script can trust.
#[derive(Debug, Parser)]
#[command(name = "letsmeet", version, propagate_version = true, arg_required_else_help = true)]
#[command(
    after_help = "Start here:\n  letsmeet selftest                 does media flow on this machine?\n  \
    letsmeet serve                    a signaling server on 127.0.0.1:7880\n  letsmeet login --name bob         be reachable\n  \
    letsmeet call bob --name alice    call"
)]
pub struct Cli {
    /// Options that every command takes.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// Reads the process's own command line; prints help or a usage error and exits where that is asked for.
    #[must_use]
    pub fn from_command_line() -> Self {
        Self::parse()
    }
}

/// Options that every command takes.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// The signaling server: a host, or an http(s):// or ws(s):// address
    #[arg(long, global = true, env = "LETSMEET_SERVER", value_name = "URL")]
    pub server: Option<String>,
    /// The name to sign in with [default: the last one that logged in]
    #[arg(long, visible_alias = "profile", global = true, env = "LETSMEET_NAME", value_name = "NAME")]
    pub name: Option<String>,
    /// The settings file [default: config.toml in the platform's config folder]
    #[arg(long, global = true, env = "LETSMEET_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// A file that holds the server's shared token
    #[arg(long, global = true, env = "LETSMEET_TOKEN_FILE", value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// One JSON document on stdout, and nothing else there
    #[arg(long, global = true)]
    pub json: bool,
    /// Lines of text instead of the screen: for screen readers, dumb terminals and pipes
    #[arg(long, global = true, env = "LETSMEET_PLAIN")]
    pub plain: bool,
    /// Say nothing on stderr but errors
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Log more to stderr (-v info, -vv debug, -vvv trace)
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the signaling server
    Serve(Serve),
    /// Sign in, stay online and take calls
    Login(Login),
    /// Call somebody
    Call(Call),
    /// Send files to somebody, without a call
    Send(Send),
    /// Who is online
    Users(Users),
    /// A server and both ends of a call in one process: does media flow on this machine?
    Selftest(Selftest),
    /// What a source looks like to the other side, in this terminal
    Preview(Preview),
    /// Whose keys are known, and which of them were compared
    Trust(Keys),
    /// The hand-on-face alert
    Alert(Alert),
    /// Cameras, microphones, speakers, screens and windows of this machine
    Devices,
    /// What this machine can do for a call
    Doctor(Doctor),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write all of them into a folder
    Man {
        /// Where to write letsmeet.1, letsmeet-call.1 and so on
        #[arg(value_name = "DIR")]
        folder: Option<PathBuf>,
    },
}

/// `serve`.
#[derive(Debug, Args)]
pub struct Serve {
    /// The address to listen on; port 0 picks a free one
    #[arg(long, default_value = "127.0.0.1:7880", value_name = "ADDRESS:PORT")]
    pub listen: std::net::SocketAddr,
    /// Where names are kept [default: the platform's data folder]
    #[arg(long, value_name = "DIR", conflicts_with = "memory")]
    pub data: Option<PathBuf>,
    /// Keep names in memory only; they are free again after a restart
    #[arg(long)]
    pub memory: bool,
    /// Only these names may sign in: a file with one name a line
    #[arg(long, value_name = "FILE")]
    pub allow: Option<PathBuf>,
    /// A web page's origin that may connect (repeatable); clients without an Origin always may
    #[arg(long, value_name = "ORIGIN")]
    pub allow_origin: Vec<String>,
    /// The host under which clients reach this server, when a proxy stands in front (HOST or HOST:PORT)
    #[arg(long, value_name = "HOST")]
    pub public_host: Option<String>,
    /// Believe the proxy's X-Forwarded-For: limits then count the clients' own addresses
    #[arg(long)]
    pub trust_forwarded: bool,
    /// STUN and TURN servers for clients
    #[command(flatten)]
    pub ice: IceServers,
    /// Events as JSON lines on stdout
    #[arg(long)]
    pub headless: bool,
}

/// STUN and TURN servers.
#[derive(Debug, Clone, Default, Args)]
pub struct IceServers {
    /// A STUN server, for example stun:stun.example.org:3478 (repeatable)
    #[arg(long, value_name = "URL")]
    pub stun: Vec<String>,
    /// A TURN server, for example turn:turn.example.org:3478 (repeatable)
    #[arg(long, value_name = "URL", requires = "turn_user")]
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
    /// The picture to send: camera[:ID], screen[:ID], pattern[:WxH[@FPS]], file:PATH or none [default: the camera if there is one; headless: pattern]
    #[arg(long, value_name = "SOURCE", env = "LETSMEET_VIDEO")]
    pub video: Option<VideoSpec>,
    /// The sound to send: mic[:ID], tone[:HZ], file:PATH, silence or none [default: the microphone if there is one; headless: tone]
    #[arg(long, value_name = "SOURCE", env = "LETSMEET_AUDIO")]
    pub audio: Option<AudioSpec>,
    /// Where the received picture goes: terminal, file:PATH (.y4m, overwritten) or null [default: null]
    #[arg(long, value_name = "SINK", env = "LETSMEET_SHOW")]
    pub show: Option<ShowSpec>,
    /// Where the received sound goes: speaker[:ID], file:PATH (.wav, overwritten) or null [default: the speaker if there is one; headless: null]
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
    /// Video bitrate in kbit/s [default: by size]
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
    /// Audio bitrate in kbit/s [default: 48]
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

/// `login`.
#[derive(Debug, Args)]
pub struct Login {
    /// JSON lines on stdout, commands as JSON lines on stdin; needs no terminal
    #[arg(long)]
    pub headless: bool,
    /// What to do with an incoming call [headless: ask, by a command on stdin]
    #[arg(long, value_enum, default_value = "ask", value_name = "HOW")]
    pub answer: Answer,
    /// Run the signaling server too, for two people and no server [without an address: 0.0.0.0:7880]
    #[arg(
        long,
        value_name = "ADDRESS:PORT",
        num_args = 0..=1,
        default_missing_value = "0.0.0.0:7880",
        require_equals = true
    )]
    pub host: Option<std::net::SocketAddr>,
    /// Leave after this long
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub duration: Option<Duration>,
    /// Media.
    #[command(flatten)]
    pub media: Media,
    /// Messages.
    #[command(flatten)]
    pub messages: Messages,
    /// Files.
    #[command(flatten)]
    pub files: Files,
    /// Path.
    #[command(flatten)]
    pub path: Path,
    /// Trust.
    #[command(flatten)]
    pub trust: Trust,
}

/// `--answer`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Answer {
    /// Answer every call
    Accept,
    /// Refuse every call
    Decline,
    /// Say busy
    Busy,
    /// Wait for the person or the script to say
    Ask,
}

/// `call`.
#[derive(Debug, Args)]
pub struct Call {
    /// Who to call
    #[arg(value_name = "NAME")]
    pub to: String,
    /// JSON lines on stdout, commands as JSON lines on stdin; needs no terminal
    #[arg(long)]
    pub headless: bool,
    /// Hang up this long after the call is connected (10s, 2m, 500ms)
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub duration: Option<Duration>,
    /// Wait until the other side is online, at most this long, then dial
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub wait: Option<Duration>,
    /// Give up when nobody has answered after this long
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "45s")]
    pub ring_timeout: Duration,
    /// What must hold: METRIC OP VALUE, for example 'video.fps>=24' (repeatable)
    #[arg(long = "expect", value_name = "EXPECTATION")]
    pub expectations: Vec<Expectation>,
    /// A file with one expectation a line; # starts a comment
    #[arg(long, value_name = "FILE")]
    pub expect_file: Option<PathBuf>,
    /// Media.
    #[command(flatten)]
    pub media: Media,
    /// Messages.
    #[command(flatten)]
    pub messages: Messages,
    /// Files.
    #[command(flatten)]
    pub files: Files,
    /// Path.
    #[command(flatten)]
    pub path: Path,
    /// Trust.
    #[command(flatten)]
    pub trust: Trust,
}

/// `send`.
#[derive(Debug, Args)]
pub struct Send {
    /// Whom to send to
    #[arg(value_name = "NAME")]
    pub to: String,
    /// The files
    #[arg(value_name = "FILE", required = true)]
    pub paths: Vec<PathBuf>,
    /// JSON lines on stdout, commands as JSON lines on stdin
    #[arg(long)]
    pub headless: bool,
    /// Wait until the other side is online, at most this long
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub wait: Option<Duration>,
    /// Give up when nobody has answered after this long
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "45s")]
    pub ring_timeout: Duration,
    /// Path.
    #[command(flatten)]
    pub path: Path,
    /// Trust.
    #[command(flatten)]
    pub trust: Trust,
}

/// `trust`.
#[derive(Debug, Args)]
pub struct Keys {
    /// What to do.
    #[command(subcommand)]
    pub verb: KeysVerb,
}

/// The commands of `trust`.
#[derive(Debug, Subcommand)]
pub enum KeysVerb {
    /// Your own key, and the keys that were pinned at the first call with each name
    List,
    /// Let go of a name's key: the next one that comes under that name is trusted again
    Forget {
        /// Whose
        #[arg(value_name = "NAME")]
        who: String,
    },
    /// Say that you compared a name's key with its owner's
    Verify {
        /// Whose
        #[arg(value_name = "NAME")]
        who: String,
        /// The key as its owner reads it: SHA256:..., or the key itself in base64url [default: show what to compare]
        #[arg(value_name = "KEY")]
        key: Option<ExpectedKey>,
    },
}

/// `users`.
#[derive(Debug, Args)]
pub struct Users {
    /// Only names that contain this
    #[arg(value_name = "TEXT")]
    pub query: Option<String>,
}

/// `selftest`.
#[derive(Debug, Args)]
pub struct Selftest {
    /// How long media flows
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "5s")]
    pub duration: Duration,
    /// Size of the picture, in pixels
    #[arg(long, value_name = "WxH", default_value = "320x180")]
    pub size: Size,
    /// Frames a second
    #[arg(long, value_name = "N", default_value = "25", value_parser = clap::value_parser!(u32).range(1..=60))]
    pub fps: u32,
    /// What must hold at both ends beside the command's own minimum (repeatable)
    #[arg(long = "expect", value_name = "EXPECTATION")]
    pub expectations: Vec<Expectation>,
}

/// `preview`.
#[derive(Debug, Args)]
pub struct Preview {
    /// The picture: camera[:ID], screen[:ID], pattern[:WxH[@FPS]], file:PATH or none
    #[arg(long, value_name = "SOURCE", env = "LETSMEET_VIDEO", default_value = "camera")]
    pub video: VideoSpec,
    /// The sound whose level is shown: mic[:ID], tone[:HZ], file:PATH, silence or none
    #[arg(long, value_name = "SOURCE", env = "LETSMEET_AUDIO", default_value = "mic")]
    pub audio: AudioSpec,
    /// Hear yourself after a second, as the other side would (the key e)
    #[arg(long)]
    pub echo: bool,
    /// Where you hear yourself: speaker[:ID], file:PATH (.wav, overwritten) or null
    #[arg(long, value_name = "SINK", env = "LETSMEET_HEAR", default_value = "speaker")]
    pub hear: HearSpec,
    /// Tell you when a hand is on your face [without a level: normal]
    #[arg(long, value_name = "LEVEL", num_args = 0..=1, require_equals = true, default_missing_value = "normal")]
    pub alert: Option<AlertLevel>,
    /// The way to draw: kitty, iterm2, sixel, octant, sextant, quadrant, half, braille or ascii [default: the best]
    #[arg(long, value_name = "MODE", env = "LETSMEET_RENDER")]
    pub render: Option<Mode>,
    /// Size of the picture, in pixels [default: 640x360]
    #[arg(long, value_name = "WxH")]
    pub size: Option<Size>,
    /// Frames a second [default: 25]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=60))]
    pub fps: Option<u32>,
}

/// `alert`.
#[derive(Debug, Args)]
pub struct Alert {
    /// What to do
    #[command(subcommand)]
    pub command: AlertCommand,
}

/// The commands of `alert`.
#[derive(Debug, Subcommand)]
pub enum AlertCommand {
    /// Measure your face, your movements and your hand in front of your own camera, and keep what tells them apart
    Calibrate(Calibrate),
}

/// `alert calibrate`.
#[derive(Debug, Args)]
pub struct Calibrate {
    /// The picture: camera[:ID] or file:PATH
    #[arg(long, value_name = "SOURCE", env = "LETSMEET_VIDEO", default_value = "camera")]
    pub video: VideoSpec,
    /// How long you sit still
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "3s")]
    pub still: Duration,
    /// How long you turn and talk
    #[arg(long = "move", value_name = "TIME", value_parser = duration, default_value = "5s")]
    pub moving: Duration,
    /// How long your hand is on your face
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "5s")]
    pub hand: Duration,
    /// Say what was measured and keep nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// `doctor`.
#[derive(Debug, Args)]
pub struct Doctor {
    /// Ask the terminal what it can do, and show a test card in each way to draw that it has
    #[arg(long)]
    pub terminal: bool,
    /// Show the test card in this way only
    #[arg(long, value_name = "MODE", requires = "terminal")]
    pub render: Option<Mode>,
}

/// Width and height in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Pixels a row, 16 to 4096, even.
    pub width: u32,
    /// Rows, 16 to 4096, even.
    pub height: u32,
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (width, height) = text.split_once(['x', 'X']).ok_or("write WIDTHxHEIGHT, for example 320x180")?;
        let side = |text: &str| -> Result<u32, String> {
            let value: u32 = text.parse().map_err(|_| format!("\"{text}\" is not a number of pixels"))?;
            if (16..=4096).contains(&value) && value.is_multiple_of(2) {
                Ok(value)
            } else {
                Err(format!("{value} is not an even number between 16 and 4096"))
            }
        };
        Ok(Self { width: side(width)?, height: side(height)? })
    }
}

/// `500M`, `2G`, `10k`; a bare number is bytes. In thousands.
fn bytes(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let value: u64 = number.parse().map_err(|_| format!("\"{text}\" is not a size (write 500M or 2G)"))?;
    let scale = match unit.trim_end_matches(['B', 'b']) {
        "" => 1,
        "k" | "K" => 1_000,
        "M" | "m" => 1_000_000,
        "G" | "g" => 1_000_000_000,
        "T" | "t" => 1_000_000_000_000,
        _ => return Err(format!("\"{unit}\" is no unit of size (k, M, G, T)")),
    };
    value.checked_mul(scale).ok_or_else(|| "larger than any disk".to_owned())
}

/// The longest time any option takes: a day and a bit would be a mistake, a year surely is.
const LONGEST: Duration = Duration::from_secs(31 * 24 * 3600);

/// `10s`, `500ms`, `2m`, `1h`; a bare number is seconds.
fn duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let value: f64 =
        number.parse().map_err(|_| format!("\"{text}\" is not a time (write 10s, 500ms, 2m or 1h)"))?;
    let scale = match unit {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err(format!("\"{unit}\" is no unit of time (ms, s, m, h)")),
    };
    let time = Duration::try_from_secs_f64(value * scale).map_err(|e| e.to_string())?;
    if time > LONGEST { Err("longer than 31 days".into()) } else { Ok(time) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn times_are_read_with_their_units() {
        assert_eq!(duration("10s"), Ok(Duration::from_secs(10)));
        assert_eq!(duration("1.5m"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("7"), Ok(Duration::from_secs(7)));
        for wrong in ["", "s", "10 parsecs", "-1s", "1e400h", "99999h", "..s"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn amounts_are_read_with_their_units() {
        assert_eq!(
            (bytes("17"), bytes("2G"), bytes("500 kB")),
            (Ok(17), Ok(2_000_000_000), Err("\" kB\" is no unit of size (k, M, G, T)".into()))
        );
        for wrong in ["", "G", "-1", "1.5G", "99999999999T", "1 parsec"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn sizes_are_even_and_bounded() {
        assert_eq!("320x180".parse(), Ok(Size { width: 320, height: 180 }));
        for wrong in ["320", "0x0", "321x180", "5000x100", "x", "ax b"] {
            assert!(wrong.parse::<Size>().is_err(), "{wrong}");
        }
    }
}
