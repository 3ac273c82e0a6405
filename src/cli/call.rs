//! `letsmeet call NAME`: dial, let media flow, judge, report.

use std::fs;
use std::time::SystemTime;

use anyhow::{Context as _, Result};
use tokio::time::Instant;

use super::args::{Call, Global};
use super::dialing::Dialing;
use super::exit::Exit;
use super::expect::{self, Expectation};
use super::face::{Face, Scene};
use super::failure::{self, Device};
use super::messages::Correspondent;
use super::output::report::Report;
use super::output::results::Results;
use super::output::{Output, Style, mask};
use super::process;
use super::profile::Profile;
use super::results::Status;
use super::setup::Ground;
use super::signals::Signals;
use super::trust;
use super::verdict;
use crate::call::EndReason;
use crate::session::{Attendant, Command, Event, Interruption, numbered, report};

/// The largest file of expectations that is read, bytes.
const LARGEST: u64 = 1 << 20;

/// Dials, by the flags, and keeps what the verdict needs.
struct Caller<'a> {
    args: &'a Call,
    dialing: Dialing<'a>,
    /// The screen shows how the call ended until the person leaves: what is being typed then is not for the shell.
    lingers: bool,
    connected: bool,
    interrupted: Option<Exit>,
    refused: Option<String>,
    ended: Option<report::Report>,
}

/// What each run of the command has in common.
struct Setting<'a> {
    global: &'a Global,
    args: &'a Call,
    ground: Ground,
    profile: Profile,
    expectations: Vec<Expectation>,
    face: Face,
    output: Output,
}

/// Runs the command.
///
/// # Errors
/// Flags, settings, files: what is wrong before the call.
pub(super) async fn run(global: &Global, args: Call) -> Result<Status> {
    args.results.check(global.json)?;
    args.runs.check(&args.results)?;
    mask::hide_name(&args.to);
    let style = Style::choose(global.json, args.headless);
    let ground = Ground::read(global)?;
    let setting = Setting {
        global,
        args: &args,
        expectations: expectations(&args)?,
        profile: ground.profile(global)?,
        ground,
        face: face(global, &args),
        output: Output::new(if args.results.nagios { Style::Silent } else { style }),
    };
    if args.runs.several() { setting.repeat().await } else { setting.once().await }
}

/// What the command shows itself as: a screen is for one call.
pub(super) fn face(global: &Global, args: &Call) -> Face {
    match Face::choose(global, args.headless || args.results.nagios) {
        Face::Screen if args.runs.several() => Face::Plain,
        face => face,
    }
}

impl Setting<'_> {
    /// The one run of the command.
    async fn once(&self) -> Result<Status> {
        let (exit, report) = self.call(0).await?;
        self.output.report(&report)?;
        let results = Results::of_call(exit, &report, self.subject(), SystemTime::now());
        self.args.results.write(exit, &results)
    }

    /// One run after the other, and what they came to.
    async fn repeat(&self) -> Result<Status> {
        let once = async |before_it, _: &mut Signals| {
            let before = process::Usage::now().cpu;
            let (exit, mut report) = match self.call(before_it).await {
                Ok(outcome) => outcome,
                // What was good before the first run may be so again before the next one.
                Err(error) if before_it > 0 => self.failed(&error),
                Err(error) => return Err(error),
            };
            let cost = process::Usage::now().cpu.saturating_sub(before);
            report.process.cpu_s = (cost.as_secs_f64() * 1e3).round() / 1e3;
            if self.output.style() != Style::Document {
                self.output.report(&report)?;
            }
            Ok((exit, report))
        };
        self.args.runs.all(&self.output, &self.args.results, self.subject(), once).await
    }

    /// Dials, lets media flow, judges. `before` runs came before this one.
    async fn call(&self, before: u64) -> Result<(Exit, Report)> {
        let args = self.args;
        let dialing = Dialing::new(&self.ground, &self.profile, &args.to, args.wait)?;
        let (media, path, trust) = (&args.media, &args.path, &args.trust);
        let mut config = self.ground.session(self.global, &self.profile, media, path, trust, self.face)?;
        config.files = self.ground.files(&args.files)?;
        config.timing.ring = args.ring_timeout;
        // Each run has a recording of its own.
        let count = usize::try_from(before).unwrap_or(usize::MAX);
        config.media.record = config.media.record.map(|path| numbered(&path, count));
        let mut caller = Caller {
            args,
            dialing,
            lingers: self.face == Face::Screen && args.duration.is_none(),
            connected: false,
            interrupted: None,
            refused: None,
            ended: None,
        };
        let scene = Scene {
            ground: &self.ground,
            profile: &self.profile,
            server: config.signaling.server.to_string(),
            config,
            output: self.output,
            dial: Some(&args.to),
            asks_code: args.trust.asks(),
            render: args.media.render,
        };
        let mut correspondent = Correspondent::new(&args.messages, &self.profile.name, &mut caller)?;
        self.face.attend(scene, &mut correspondent).await?;
        correspondent.conclude(&self.output)?;
        if let Some(error) = caller.dialing.broken.take() {
            return Err(error);
        }
        Ok(caller.judge(&self.expectations))
    }

    /// A run that could not begin.
    fn failed(&self, error: &anyhow::Error) -> (Exit, Report) {
        let (exit, mut report) = (failure::exit_of(error), Report::empty("call"));
        report.conclude(exit, &format!("{error:#}"));
        (exit, report)
    }

    fn subject(&self) -> (&'static str, &str) {
        ("peer", &self.args.to)
    }
}

impl Attendant for Caller<'_> {
    fn event(&mut self, event: &Event) -> Option<Command> {
        match event {
            Event::Refused { message, .. } => {
                self.refused = Some(message.clone());
                None
            }
            Event::Connected { .. } => {
                self.connected = true;
                self.dialing.deadline = self.args.duration.map(|duration| Instant::now() + duration);
                trust::compare(&self.args.trust)
            }
            // Glare may change the id of our call; whatever this command dialed or answered by it is ours.
            Event::Incoming { call, from, .. } if !self.dialing.dialed() => {
                // When the one whom this command waits for calls first, dialing is answering.
                Some(if self.dialing.is(from) {
                    self.dialing.dial()
                } else {
                    Command::Decline { call: Some(*call), busy: true }
                })
            }
            Event::Ended { report, .. } if self.dialing.dialed() => {
                self.ended.get_or_insert_with(|| report.as_ref().clone());
                self.dialing.deadline = None;
                (!self.lingers).then_some(Command::Quit)
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
        // Leaving the screen of a call that is over changes nothing about how it ended.
        if self.ended.is_none() {
            self.interrupted = Some(by.into());
        }
        Some(Command::Quit)
    }
}

impl Caller<'_> {
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
            (None, _) => match (&self.dialing.failed, &self.refused) {
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
