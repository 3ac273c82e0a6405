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
use super::dialing::Dialing;
use super::exit::Exit;
use super::face::Face;
use super::failure::Device;
use super::front::Front;
use super::output::report::{Report, Verdict};
use super::output::{self, Output, Style};
use super::setup::Ground;
use super::{trust, verdict};
use crate::call::EndReason;
use crate::files::Source;
use crate::media::spec::{AudioSpec, HearSpec, ShowSpec, VideoSpec};
use crate::session::files::{File, FileState, Why};
use crate::session::{Attendant, Command, Event, Interruption, report};

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
    dialing: Dialing<'a>,
    connected: bool,
    /// Files that are not offered yet.
    left: VecDeque<PathBuf>,
    /// The latest of each file that was offered, by its number.
    files: Vec<File>,
    call: String,
    interrupted: Option<Exit>,
    ended: Option<report::Report>,
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
    let profile = ground.profile(global)?;
    let dialing = Dialing::new(&ground, &profile, &args.to, args.wait)?;
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
        dialing,
        connected: false,
        left: args.paths.iter().cloned().collect(),
        files: Vec::new(),
        call: String::new(),
        interrupted: None,
        ended: None,
    };
    let style = Style::choose(global.json, args.headless);
    let output = Output::new(style);
    let dumb = matches!(env::var("TERM").as_deref(), Err(_) | Ok("" | "dumb"));
    let bar = io::stdout().is_terminal() && !global.plain && !dumb;
    Front::start(config, output, false)?.with_bar(bar).attend(&mut sender).await?;
    if let Some(error) = sender.dialing.broken.take() {
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
        Style::Silent => {}
    }
    Ok(exit)
}

impl Attendant for Sender<'_> {
    fn event(&mut self, event: &Event) -> Option<Command> {
        match event {
            Event::Refused { message, .. } => self.dialing.fail(Exit::Signaling, message.clone()),
            Event::Rejected { reason } if self.connected => self.dialing.fail(Exit::Device, reason.clone()),
            Event::Incoming { call, .. } => Some(Command::Decline { call: Some(*call), busy: true }),
            Event::Connected { call, .. } => {
                self.connected = true;
                self.call = call.to_string();
                // Nothing is offered before the code is known to be the right one, where that is asked for.
                if self.args.trust.expect_code.is_some() {
                    trust::compare(&self.args.trust)
                } else {
                    self.next()
                }
            }
            Event::Compared { same: true, .. } if self.args.trust.expect_code.is_some() => self.next(),
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
            Event::Ended { report, .. } if self.dialing.dialed() => {
                self.ended.get_or_insert_with(|| report.as_ref().clone());
                Some(Command::Quit)
            }
            event => self.dialing.event(event),
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.dialing.deadline
    }

    fn due(&mut self) -> Option<Command> {
        self.dialing.due()
    }

    fn interrupted(&mut self, by: Interruption) -> Option<Command> {
        self.interrupted = Some(by.into());
        Some(Command::Quit)
    }
}

impl Sender<'_> {
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
            self.dialing.deadline = Some(Instant::now() + LAST_WORDS);
            return None;
        }
        Some(Command::HangUp { call: None })
    }

    /// Which exit it is, and a sentence about it.
    fn judge(&self) -> (Exit, String) {
        if let Some((exit, why)) = &self.dialing.failed {
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
        if self.connected && self.args.trust.expect_code.is_some() && ended.compared.is_none() {
            return (Exit::Identity, verdict::NOT_COMPARED.to_owned());
        }
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
