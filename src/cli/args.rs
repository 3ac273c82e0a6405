//! The command line: clap types only, no behaviour.
//!
//! Help texts are written here and nowhere else; the manual pages and completions are made from them.

#![allow(rustdoc::broken_intra_doc_links, rustdoc::bare_urls, reason = "help is printed as it stands here")]

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

use super::expect::Expectation;
use crate::media::spec::{AudioSpec, HearSpec, VideoSpec};
use crate::session::ExpectedKey;
use crate::tui::render::Mode;

mod groups;
mod values;

pub use groups::{
    AlertLevel, ExpectedCode, Files, IceServers, Media, Messages, Path, Policy, Privacy, Receive, Results,
    Runs, Trust,
};
pub use values::Size;
use values::{duration, host, some_time};

/// Video calls that live in a terminal, and a connectivity test that a script can trust.
#[derive(Debug, Parser)]
// What is given last counts, so that a script's own flags can be overruled behind them.
#[command(
    name = "letsmeet",
    version,
    propagate_version = true,
    arg_required_else_help = true,
    args_override_self = true
)]
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

/// Options that every command takes.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// The signaling server: a host, or an http(s):// or ws(s):// address. A host alone means https:// and port 443, on loopback and in private
    /// networks http:// and port 7880
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
    /// The certificate authorities to trust instead of the system's, for wss:// and turns: (a PEM file)
    #[arg(long, global = true, env = "LETSMEET_CA_FILE", value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
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
    /// What stands in the way of a call: server, STUN, TURN, NAT, media paths, devices, terminal
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
    #[arg(long, value_name = "HOST", value_parser = host)]
    pub public_host: Option<String>,
    /// Believe the proxy's X-Forwarded-For: limits then count the clients' own addresses
    #[arg(long)]
    pub trust_forwarded: bool,
    /// Speak TLS: the certificate, with those that lead to its authority behind it (a PEM file, read again when it changes)
    #[arg(long, env = "LETSMEET_TLS_CERT", value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// The certificate's private key (a PEM file)
    #[arg(long, env = "LETSMEET_TLS_KEY", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// STUN and TURN servers for clients
    #[command(flatten)]
    pub ice: IceServers,
    /// A file with the secret that is shared with the TURN server: everybody who logs in gets a password of their own that runs out
    #[arg(long, value_name = "FILE", conflicts_with_all = ["turn_user", "turn_password_file"])]
    pub turn_secret_file: Option<PathBuf>,
    /// Events as JSON lines on stdout
    #[arg(long)]
    pub headless: bool,
}

/// `login`.
#[derive(Debug, Args)]
pub struct Login {
    /// JSON lines on stdout, commands as JSON lines on stdin; needs no terminal
    #[arg(long)]
    pub headless: bool,
    /// What to do with an incoming call [headless: ask, by a command on stdin]. With echo one side can test alone: it gets back what it sends
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
    /// Privacy.
    #[command(flatten)]
    pub privacy: Privacy,
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
    /// Answer every call, and send back what is heard, seen and written
    Echo,
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
    /// Wait until the other side is online, then dial [at most this long; without a time as long as it takes]
    #[arg(long, value_name = "TIME", num_args = 0..=1, value_parser = duration)]
    pub wait: Option<Option<Duration>>,
    /// Give up when nobody has answered after this long
    #[arg(long, value_name = "TIME", value_parser = some_time, default_value = "45s")]
    pub ring_timeout: Duration,
    /// How often.
    #[command(flatten)]
    pub runs: Runs,
    /// What must hold: METRIC OP VALUE, for example 'video.fps>=24' (repeatable)
    #[arg(long = "expect", value_name = "EXPECTATION")]
    pub expectations: Vec<Expectation>,
    /// A file with one expectation a line; # starts a comment
    #[arg(long, value_name = "FILE")]
    pub expect_file: Option<PathBuf>,
    /// Results.
    #[command(flatten)]
    pub results: Results,
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
    /// Wait until the other side is online [at most this long; without a time as long as it takes]
    #[arg(long, value_name = "TIME", num_args = 0..=1, value_parser = duration)]
    pub wait: Option<Option<Duration>>,
    /// Give up when nobody has answered after this long
    #[arg(long, value_name = "TIME", value_parser = some_time, default_value = "45s")]
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
        /// The key as its owner reads it: SHA256:..., or (before the first call) the key itself [default: show what to compare]
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
    /// Only the terminal: what it can do, and a test card in each way to draw that it has
    #[arg(long)]
    pub terminal: bool,
    /// Show the test card in this way only
    #[arg(long, value_name = "MODE", requires = "terminal")]
    pub render: Option<Mode>,
    /// Leave out camera, microphone, speaker and terminal: for a machine that nobody sits at
    #[arg(long, conflicts_with = "terminal")]
    pub no_devices: bool,
    /// How often.
    #[command(flatten)]
    pub runs: Runs,
    /// Servers.
    #[command(flatten)]
    pub servers: IceServers,
    /// Results.
    #[command(flatten)]
    pub results: Results,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
