//! `letsmeet call NAME`: dial, let media flow, judge, report.

use std::fs;

use anyhow::{Context as _, Result};
use tokio::time::Instant;

use super::args::{Call, Global};
use super::exit::Exit;
use super::expect::{self, Expectation};
use super::failure::{Device, Usage};
use super::front::{Front, Next};
use super::output::report::Report;
use super::output::{Output, Style};
use super::setup::Ground;
use super::verdict;
use crate::call::EndReason;
use crate::session::{Command, Event, PresenceState, report};
use crate::signaling::protocol::Name;

/// The largest file of expectations that is read, bytes.
const LARGEST: u64 = 1 << 20;

/// Where the command stands.
#[derive(Debug)]
struct Progress {
    registered: bool,
    dialed: bool,
    connected: bool,
    signal: Option<Exit>,
    refused: Option<String>,
    /// Why it ended before there was a call.
    failed: Option<(Exit, String)>,
}

/// Runs the command.
///
/// # Errors
/// Flags, settings, files: what is wrong before the call.
pub(super) async fn run(global: &Global, args: Call) -> Result<Exit> {
    let ground = Ground::read(global)?;
    let expectations = expectations(&args)?;
    let to = Name::new(&args.to).map_err(|error| Usage::new(format!("{:?}: {error}", args.to)))?;
    let profile = ground.profile(global)?;
    if Name::new(&profile.name).is_ok_and(|me| me.fold() == to.fold()) {
        return Err(Usage::new("you cannot call yourself").into());
    }
    let mut config = ground.session(
        global,
        &profile,
        &args.media,
        &args.path,
        &args.trust,
        args.headless || global.json,
    )?;
    config.timing.ring = args.ring_timeout;
    let output = Output::new(Style::choose(global.json, args.headless));
    let mut front = Front::start(config, output)?;
    let remember = || profile.remember(&ground.folders.data);
    let followed = follow(&mut front, &args, &to, remember).await;
    let (progress, ended) = match followed {
        Ok(followed) => followed,
        Err(error) => {
            front.leave().await;
            return Err(error);
        }
    };
    let (exit, report) = judge(&progress, ended, &expectations);
    front.output().report(&report)?;
    Ok(exit)
}

/// From the first moment to the session's end.
async fn follow(
    front: &mut Front,
    args: &Call,
    to: &Name,
    remember: impl Fn() -> Result<()>,
) -> Result<(Progress, Option<Box<report::Report>>)> {
    let mut progress = Progress {
        registered: false,
        dialed: false,
        connected: false,
        signal: None,
        refused: None,
        failed: None,
    };
    let mut ended = None;
    let mut deadline = args.wait.map(|wait| Instant::now() + wait);
    loop {
        match front.next(deadline).await? {
            Next::Event(Event::Registered { .. }) if !progress.registered => {
                progress.registered = true;
                remember()?;
                match args.wait {
                    Some(_) => front.command(Command::Watch { names: vec![args.to.clone()] }).await,
                    None => dial(front, args, &mut progress).await,
                }
            }
            Next::Event(Event::Presence(changes)) if !progress.dialed => {
                if changes
                    .iter()
                    .any(|change| change.name.fold() == to.fold() && change.state != PresenceState::Offline)
                {
                    deadline = None;
                    dial(front, args, &mut progress).await;
                }
            }
            Next::Event(Event::SignalingDown { reason, .. })
                if !progress.registered && args.wait.is_none() =>
            {
                progress.failed = Some((Exit::Signaling, reason));
                front.command(Command::Quit).await;
            }
            Next::Event(Event::Refused { message, .. }) => progress.refused = Some(message),
            Next::Event(Event::Connected { .. }) => {
                progress.connected = true;
                deadline = args.duration.map(|duration| Instant::now() + duration);
            }
            // Glare may change the id of our call; whatever this command dialed or answered by it is ours.
            Next::Event(Event::Incoming { call, from, .. }) if !progress.dialed => {
                if Name::new(&from).is_ok_and(|from| from.fold() == to.fold()) {
                    // The one whom this command waits for calls first.
                    dial(front, args, &mut progress).await;
                } else {
                    front.command(Command::Decline { call: Some(call), busy: true }).await;
                }
            }
            Next::Event(Event::Ended { .. }) if !progress.dialed => {}
            Next::Event(Event::Ended { report, .. }) => {
                ended = Some(report);
                deadline = None;
                front.command(Command::Quit).await;
            }
            Next::Event(_) => {}
            Next::Signal(signal) => {
                progress.signal = Some(signal);
                front.command(Command::Quit).await;
            }
            Next::Deadline if progress.dialed => {
                deadline = None;
                front.command(Command::HangUp { call: None }).await;
            }
            Next::Deadline => {
                deadline = None;
                progress.failed = Some(if progress.registered {
                    (Exit::NotAnswered, format!("{} did not come online in time", args.to))
                } else {
                    (Exit::Signaling, "the server could not be reached in time".into())
                });
                front.command(Command::Quit).await;
            }
            Next::Closed => return Ok((progress, ended)),
        }
    }
}

async fn dial(front: &Front, args: &Call, progress: &mut Progress) {
    progress.dialed = true;
    front.command(Command::Dial { to: args.to.clone() }).await;
}

/// Which exit it is, and the sentence beside it.
fn judge(
    progress: &Progress,
    ended: Option<Box<report::Report>>,
    expectations: &[Expectation],
) -> (Exit, Report) {
    let mut report =
        ended.as_deref().map_or_else(|| Report::empty("call"), |ended| Report::of("call", ended));
    let (exit, message) = match (&ended, progress.signal) {
        (_, Some(signal)) if !progress.connected => {
            (signal, "interrupted before the call was established".into())
        }
        (Some(ended), _) => verdict::of_call(ended, progress.connected, expectations, &mut report),
        (None, _) => match (&progress.failed, &progress.refused) {
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
