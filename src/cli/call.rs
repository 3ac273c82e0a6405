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
use super::failure::Device;
use super::messages::Correspondent;
use super::output::report::Report;
use super::output::results::Results;
use super::output::{Output, Style, mask};
use super::results::Status;
use super::setup::Ground;
use super::trust;
use super::verdict;
use crate::call::EndReason;
use crate::session::{Attendant, Command, Event, Interruption, report};

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

/// Runs the command.
///
/// # Errors
/// Flags, settings, files: what is wrong before the call.
pub(super) async fn run(global: &Global, args: Call) -> Result<Status> {
    args.results.check(global.json, args.headless)?;
    mask::hide_name(&args.to);
    let face = Face::choose(global, args.headless || args.results.nagios);
    let ground = Ground::read(global)?;
    let expectations = expectations(&args)?;
    let profile = ground.profile(global)?;
    let dialing = Dialing::new(&ground, &profile, &args.to, args.wait)?;
    let mut config = ground.session(global, &profile, &args.media, &args.path, &args.trust, face)?;
    config.files = ground.files(&args.files)?;
    config.timing.ring = args.ring_timeout;
    let mut caller = Caller {
        args: &args,
        dialing,
        lingers: face == Face::Screen && args.duration.is_none(),
        connected: false,
        interrupted: None,
        refused: None,
        ended: None,
    };
    let style = Style::choose(global.json, args.headless);
    let output = Output::new(if args.results.nagios { Style::Silent } else { style });
    let scene = Scene {
        ground: &ground,
        profile: &profile,
        server: config.signaling.server.to_string(),
        config,
        output,
        dial: Some(&args.to),
        asks_code: args.trust.asks(),
        render: args.media.render,
    };
    let mut correspondent = Correspondent::new(&args.messages, &profile.name, &mut caller)?;
    face.attend(scene, &mut correspondent).await?;
    correspondent.conclude(&output)?;
    if let Some(error) = caller.dialing.broken.take() {
        return Err(error);
    }
    let (exit, report) = caller.judge(&expectations);
    output.report(&report)?;
    let results = Results::of_call(exit, &report, ("peer", &args.to), SystemTime::now());
    args.results.write(exit, &results)
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
