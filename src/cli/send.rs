//! `letsmeet send NAME FILE...`: a call for files alone.

use std::collections::VecDeque;
use std::env;
use std::io::{self, IsTerminal as _};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use serde::Serialize;
use tokio::time::Instant;

use super::args::{Global, Media, Send};
use super::exit::Exit;
use super::face::Face;
use super::failure::{Device, Usage};
use super::front::Front;
use super::output::report::{Report, Verdict};
use super::output::{self, Output, Style};
use super::setup::Ground;
use crate::call::EndReason;
use crate::files::Source;
use crate::media::spec::{AudioSpec, HearSpec, ShowSpec, VideoSpec};
use crate::session::files::{File, FileState, Why};
use crate::session::{Attendant, Change, Command, Event, Interruption, PresenceState, report};
use crate::signaling::protocol::Name;

/// Files that are offered and not over: whoever is asked sees some of them at once, and none is refused as one too many.
const AT_ONCE: usize = 4;

/// How long the other side gets to hear that a file was given up, before the call ends.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Document {
    schema: &'static str,
    version: &'static str,
    result: Verdict,
    files: Vec<output::File>,
}

/// Dials, offers every file, and hangs up when each is over.
struct Sender<'a> {
    args: &'a Send,
    to: Name,
    remember: Box<dyn Fn() -> Result<()> + std::marker::Send + 'a>,
    registered: bool,
    dialed: bool,
    placed: bool,
    connected: bool,
    /// Files that are not offered yet.
    left: VecDeque<PathBuf>,
    /// The latest of each file that was offered, by its number.
    files: Vec<File>,
    call: String,
    deadline: Option<Instant>,
    interrupted: Option<Exit>,
    failed: Option<(Exit, String)>,
    ended: Option<report::Report>,
    broken: Option<anyhow::Error>,
}

/// Runs the command.
///
/// # Errors
/// Flags, settings, files: what is wrong before the call.
pub(super) async fn run(global: &Global, args: Send) -> Result<Exit> {
    let face = match Face::choose(global, args.headless) {
        Face::Screen => Face::Plain,
        other => other,
    };
    let ground = Ground::read(global)?;
    let to = Name::new(&args.to).map_err(|error| Usage::new(format!("{:?}: {error}", args.to)))?;
    let profile = ground.profile(global)?;
    if Name::new(&profile.name).is_ok_and(|me| me.fold() == to.fold()) {
        return Err(Usage::new("you cannot send to yourself").into());
    }
    for path in &args.paths {
        // Said before anybody's phone rings.
        Source::open(path)
            .map_err(|error| Device::new(format!("cannot send {}: {error}", path.display())))?;
    }
    let media = Media {
        video: Some(VideoSpec::None),
        audio: Some(AudioSpec::None),
        show: Some(ShowSpec::Null),
        hear: Some(HearSpec::Null),
        ..Media::default()
    };
    let mut config = ground.session(global, &profile, &media, &args.path, &args.trust, face)?;
    config.timing.ring = args.ring_timeout;
    config.files.only = true;
    // Who sends takes nothing in return.
    config.files.policy = crate::session::files::Policy::Decline;
    let mut sender = Sender {
        args: &args,
        to,
        remember: Box::new(|| profile.remember(&ground.folders.data)),
        registered: false,
        dialed: false,
        placed: false,
        connected: false,
        left: args.paths.iter().cloned().collect(),
        files: Vec::new(),
        call: String::new(),
        deadline: args.wait.map(|wait| Instant::now() + wait),
        interrupted: None,
        failed: None,
        ended: None,
        broken: None,
    };
    let style = Style::choose(global.json, args.headless);
    let output = Output::new(style);
    let dumb = matches!(env::var("TERM").as_deref(), Err(_) | Ok("" | "dumb"));
    let bar = io::stdout().is_terminal() && !global.plain && !dumb;
    Front::start(config, output, false)?.with_bar(bar).attend(&mut sender).await?;
    if let Some(error) = sender.broken.take() {
        return Err(error);
    }
    let (exit, message) = sender.judge();
    let mut report =
        sender.ended.as_ref().map_or_else(|| Report::empty("send"), |ended| Report::of("send", ended));
    report.conclude(exit, &message);
    match style {
        Style::Human => output.say(&format!("{}.", output::human::clean(&message)))?,
        Style::Lines => output.report(&report)?,
        Style::Document => output::document(&Document {
            schema: "letsmeet.send/1",
            version: env!("CARGO_PKG_VERSION"),
            result: report.result,
            files: sender.files.iter().map(|file| output::File::of(&sender.call, file)).collect(),
        })?,
    }
    Ok(exit)
}

impl Attendant for Sender<'_> {
    fn event(&mut self, event: &Event) -> Option<Command> {
        match event {
            Event::Registered { .. } if !self.registered => self.registered(),
            Event::Presence(changes) if !self.dialed => {
                let online = |change: &Change| {
                    change.name.fold() == self.to.fold() && change.state != PresenceState::Offline
                };
                changes.iter().any(online).then(|| self.dial())
            }
            Event::SignalingDown { reason, .. } if !self.registered && self.args.wait.is_none() => {
                self.fail(Exit::Signaling, reason.clone())
            }
            Event::Refused { message, .. } => self.fail(Exit::Signaling, message.clone()),
            Event::Rejected { reason } if self.connected => self.fail(Exit::Device, reason.clone()),
            Event::Rejected { reason } if self.dialed && !self.placed => {
                self.fail(Exit::NotAnswered, reason.clone())
            }
            Event::Calling { .. } | Event::Accepted { .. } if self.dialed => {
                self.placed = true;
                None
            }
            Event::Incoming { call, .. } => Some(Command::Decline { call: Some(*call), busy: true }),
            Event::Connected { call, .. } => {
                self.connected = true;
                self.call = call.to_string();
                self.next()
            }
            Event::File { file, .. } if !file.remote => {
                match self.files.iter_mut().find(|known| known.number == file.number) {
                    Some(known) => known.clone_from(file),
                    None => self.files.push(file.clone()),
                }
                match file.state {
                    FileState::Failed { why: Why::CallEnded } => None,
                    FileState::Offered | FileState::Done { .. } | FileState::Failed { .. } => self.next(),
                    FileState::Started { .. } | FileState::Progress { .. } => None,
                }
            }
            Event::Ended { report, .. } if self.dialed => {
                self.ended.get_or_insert_with(|| report.as_ref().clone());
                Some(Command::Quit)
            }
            _ => None,
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    fn due(&mut self) -> Option<Command> {
        self.deadline = None;
        match self.registered {
            _ if self.connected => Some(Command::HangUp { call: None }),
            true => self.fail(Exit::NotAnswered, format!("{} did not come online in time", self.args.to)),
            false => self.fail(Exit::Signaling, "the server could not be reached in time".into()),
        }
    }

    fn interrupted(&mut self, by: Interruption) -> Option<Command> {
        self.interrupted = Some(by.into());
        Some(Command::Quit)
    }
}

impl Sender<'_> {
    fn registered(&mut self) -> Option<Command> {
        self.registered = true;
        if let Err(error) = (self.remember)() {
            self.broken = Some(error);
            return Some(Command::Quit);
        }
        match self.args.wait {
            Some(_) => Some(Command::Watch { names: vec![self.args.to.clone()] }),
            None => Some(self.dial()),
        }
    }

    fn dial(&mut self) -> Command {
        self.dialed = true;
        self.deadline = None;
        Command::Dial { to: self.args.to.clone() }
    }

    /// Offers the next file if there may be one more, hangs up when all are over.
    fn next(&mut self) -> Option<Command> {
        let open = self.files.iter().filter(|file| !file.state.is_over()).count();
        if open < AT_ONCE
            && let Some(path) = self.left.pop_front()
        {
            return Some(Command::SendFile { path });
        }
        if open > 0 || self.files.len() < self.args.paths.len() {
            return None;
        }
        let given_up = |file: &File| {
            let FileState::Failed { why } = file.state else { return false };
            matches!(why, Why::Changed | Why::Unreadable | Why::Cancelled | Why::Broken)
        };
        if self.files.iter().any(given_up) {
            // The other side is told behind what is under way already, and the server's word would overtake it.
            self.deadline = Some(Instant::now() + LAST_WORDS);
            return None;
        }
        Some(Command::HangUp { call: None })
    }

    fn fail(&mut self, exit: Exit, why: String) -> Option<Command> {
        self.failed.get_or_insert((exit, why));
        Some(Command::Quit)
    }

    /// Which exit it is, and a sentence about it.
    fn judge(&self) -> (Exit, String) {
        if let Some((exit, why)) = &self.failed {
            return (*exit, why.clone());
        }
        if let Some(signal) = self.interrupted {
            return (signal, "interrupted".to_owned());
        }
        let Some(ended) = &self.ended else {
            return (
                Exit::from(EndReason::SignalingLost),
                "the session ended before there was a call".to_owned(),
            );
        };
        let failed = self.files.iter().find_map(|file| match file.state {
            FileState::Failed { why } => Some((file, why)),
            _ => None,
        });
        match (failed, Exit::from(ended.reason)) {
            // The other side hung up, or the path broke, before everything was there.
            (Some((_, Why::CallEnded)), exit) if exit != Exit::Ok => {
                (exit, ended.reason.sentence().to_owned())
            }
            (Some((file, why)), _) => {
                (exit_of(why), format!("{} was not sent: {}", file.name, why.sentence()))
            }
            (None, Exit::Ok) if self.connected && self.files.len() == self.args.paths.len() => {
                (Exit::Ok, format!("sent {}", files(self.files.len())))
            }
            (None, Exit::Ok) => (Exit::NotAnswered, ended.reason.sentence().to_owned()),
            (None, exit) => {
                (exit, ended.detail.clone().unwrap_or_else(|| ended.reason.sentence().to_owned()))
            }
        }
    }
}

/// What the exit status says of a file that was not sent.
fn exit_of(why: Why) -> Exit {
    match why {
        Why::Declined
        | Why::NotWanted
        | Why::TooLarge
        | Why::TooMany
        | Why::NoSpace
        | Why::NotWritable
        | Why::Cancelled
        | Why::CallEnded => Exit::NotAnswered,
        Why::Changed | Why::Unreadable => Exit::Device,
        Why::Mismatch | Why::Broken | Why::Stalled => Exit::Unexpected,
    }
}

fn files(count: usize) -> String {
    if count == 1 { "1 file".to_owned() } else { format!("{count} files") }
}
