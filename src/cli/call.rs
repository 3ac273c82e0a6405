//! `letsmeet call NAME`: dial, let media flow, judge, report.

use std::fs;

use anyhow::{Context as _, Result};
use tokio::time::Instant;

use super::args::{Call, Global};
use super::exit::Exit;
use super::expect::{self, Expectation};
use super::face::{Face, Scene};
use super::failure::{Device, Usage};
use super::messages::Correspondent;
use super::output::report::Report;
use super::output::{Output, Style};
use super::setup::Ground;
use super::trust;
use super::verdict;
use crate::call::EndReason;
use crate::session::{Attendant, Change, Command, Event, Interruption, PresenceState, report};
use crate::signaling::protocol::Name;

/// The largest file of expectations that is read, bytes.
const LARGEST: u64 = 1 << 20;

/// Dials, by the flags, and keeps what the verdict needs.
struct Caller<'a> {
    args: &'a Call,
    to: Name,
    remember: Box<dyn Fn() -> Result<()> + Send + 'a>,
    /// The screen shows how the call ended until the person leaves: what is being typed then is not for the shell.
    lingers: bool,
    registered: bool,
    dialed: bool,
    /// The call is on its way.
    placed: bool,
    connected: bool,
    deadline: Option<Instant>,
    interrupted: Option<Exit>,
    refused: Option<String>,
    /// Why it ended before there was a call.
    failed: Option<(Exit, String)>,
    ended: Option<report::Report>,
    /// What went wrong on this machine beside the call.
    broken: Option<anyhow::Error>,
}

/// Runs the command.
///
/// # Errors
/// Flags, settings, files: what is wrong before the call.
pub(super) async fn run(global: &Global, args: Call) -> Result<Exit> {
    let face = Face::choose(global, args.headless);
    let ground = Ground::read(global)?;
    let expectations = expectations(&args)?;
    let to = Name::new(&args.to).map_err(|error| Usage::new(format!("{:?}: {error}", args.to)))?;
    let profile = ground.profile(global)?;
    if Name::new(&profile.name).is_ok_and(|me| me.fold() == to.fold()) {
        return Err(Usage::new("you cannot call yourself").into());
    }
    let mut config = ground.session(global, &profile, &args.media, &args.path, &args.trust, face)?;
    config.files = ground.files(&args.files)?;
    config.timing.ring = args.ring_timeout;
    let mut caller = Caller {
        args: &args,
        to,
        remember: Box::new(|| profile.remember(&ground.folders.data)),
        lingers: face == Face::Screen && args.duration.is_none(),
        registered: false,
        dialed: false,
        placed: false,
        connected: false,
        deadline: args.wait.map(|wait| Instant::now() + wait),
        interrupted: None,
        refused: None,
        failed: None,
        ended: None,
        broken: None,
    };
    let output = Output::new(Style::choose(global.json, args.headless));
    let scene = Scene {
        ground: &ground,
        profile: &profile,
        server: config.signaling.server.to_string(),
        config,
        output,
        dial: Some(&args.to),
        render: args.media.render,
    };
    let mut correspondent = Correspondent::new(&args.messages, &profile.name, &mut caller)?;
    face.attend(scene, &mut correspondent).await?;
    correspondent.conclude(&output)?;
    if let Some(error) = caller.broken.take() {
        return Err(error);
    }
    let (exit, report) = caller.judge(&expectations);
    output.report(&report)?;
    Ok(exit)
}

impl Attendant for Caller<'_> {
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
            // Another call was there first, or the name is none.
            Event::Rejected { reason } if self.dialed && !self.placed => {
                self.fail(Exit::NotAnswered, reason.clone())
            }
            Event::Calling { .. } | Event::Accepted { .. } if self.dialed => {
                self.placed = true;
                None
            }
            Event::Refused { message, .. } => {
                self.refused = Some(message.clone());
                None
            }
            Event::Connected { .. } => {
                self.connected = true;
                self.deadline = self.args.duration.map(|duration| Instant::now() + duration);
                trust::compare(&self.args.trust)
            }
            // Glare may change the id of our call; whatever this command dialed or answered by it is ours.
            Event::Incoming { call, from, .. } if !self.dialed => {
                // When the one whom this command waits for calls first, dialing is answering.
                if Name::new(from).is_ok_and(|from| from.fold() == self.to.fold()) {
                    Some(self.dial())
                } else {
                    Some(Command::Decline { call: Some(*call), busy: true })
                }
            }
            Event::Ended { report, .. } if self.dialed => {
                self.ended.get_or_insert_with(|| report.as_ref().clone());
                self.deadline = None;
                (!self.lingers).then_some(Command::Quit)
            }
            _ => None,
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    fn due(&mut self) -> Option<Command> {
        self.deadline = None;
        if self.dialed {
            Some(Command::HangUp { call: None })
        } else if self.registered {
            self.fail(Exit::NotAnswered, format!("{} did not come online in time", self.args.to))
        } else {
            self.fail(Exit::Signaling, "the server could not be reached in time".into())
        }
    }

    fn interrupted(&mut self, by: Interruption) -> Option<Command> {
        // Leaving the screen of a call that is over changes nothing about how it ended.
        if self.ended.is_none() {
            self.interrupted = Some(by.into());
        }
        Some(Command::Quit)
    }
}

impl Caller<'_> {
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

    fn fail(&mut self, exit: Exit, why: String) -> Option<Command> {
        self.failed = Some((exit, why));
        Some(Command::Quit)
    }

    /// Which exit it is, and the report that says so.
    fn judge(&self, expectations: &[Expectation]) -> (Exit, Report) {
        let ended = self.ended.as_ref();
        let mut report = ended.map_or_else(|| Report::empty("call"), |ended| Report::of("call", ended));
        let (exit, message) = match (ended, self.interrupted) {
            (_, Some(signal)) if !self.connected => {
                (signal, "interrupted before the call was established".into())
            }
            (Some(ended), _) => {
                let must = self.args.trust.expect_code.is_some();
                verdict::of_call(ended, self.connected, must, expectations, &mut report)
            }
            (None, _) => match (&self.failed, &self.refused) {
                (_, Some(refused)) => (Exit::Signaling, refused.clone()),
                (Some((exit, why)), None) => (*exit, why.clone()),
                (None, None) => {
                    (Exit::from(EndReason::SignalingLost), "the session ended before there was a call".into())
                }
            },
        };
        report.conclude(exit, &message);
        (exit, report)
    }
}

/// The expectations of the flags and of the file, each checked against what a report can hold.
fn expectations(args: &Call) -> Result<Vec<Expectation>> {
    let mut all = args.expectations.clone();
    if let Some(path) = &args.expect_file {
        let cannot = |why: String| Device::new(format!("cannot read {}: {why}", path.display()));
        let about = fs::metadata(path).map_err(|error| cannot(error.to_string()))?;
        if about.len() > LARGEST {
            return Err(cannot(format!("larger than {LARGEST} bytes")).into());
        }
        let text = fs::read_to_string(path).map_err(|error| cannot(error.to_string()))?;
        for (number, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if !line.is_empty() {
                let expectation = line
                    .parse::<Expectation>()
                    .with_context(|| format!("{}, line {}", path.display(), number + 1))?;
                all.push(expectation);
            }
        }
    }
    let known = expect::numeric_paths(&Report::schema());
    for expectation in &all {
        expectation.check(&known)?;
    }
    Ok(all)
}
