//! `letsmeet login`: claim the name, stay online, take calls.

use anyhow::Result;
use tokio::time::Instant;

use super::args::{Answer, Global, Login};
use super::exit::Exit;
use super::front::{Front, Next};
use super::output::report::Report;
use super::output::{Output, Style};
use super::setup::Ground;
use super::verdict;
use crate::session::{Command, Event};

/// Runs the command.
///
/// # Errors
/// Flags, settings, files: what is wrong before signing in.
pub(super) async fn run(global: &Global, args: Login) -> Result<Exit> {
    let ground = Ground::read(global)?;
    let profile = ground.profile(global)?;
    let name = profile.name.clone();
    let key = profile.identity.public_key().fingerprint();
    let config = ground.session(
        global,
        &profile,
        &args.media,
        &args.path,
        &args.trust,
        args.headless || global.json,
    )?;
    // A login has no single document to print at its end: its events are the document.
    let output = Output::new(Style::choose(false, args.headless || global.json));
    let mut front = Front::start(config, output)?;
    front.output().say(&format!("Your key is {}.", key))?;
    let outcome = follow(&mut front, &args, || profile.remember(&ground.folders.data), &name).await;
    if outcome.is_err() {
        front.leave().await;
    }
    outcome
}

/// From the first moment to the session's end. `remember` is called when the name is known to be ours.
async fn follow(
    front: &mut Front,
    args: &Login,
    remember: impl Fn() -> Result<()>,
    name: &str,
) -> Result<Exit> {
    let mut registered = false;
    let mut connected = false;
    let mut exit = Exit::Ok;
    let mut deadline = args.duration.map(|duration| Instant::now() + duration);
    loop {
        match front.next(deadline).await? {
            Next::Event(Event::Registered { .. }) => {
                if !std::mem::replace(&mut registered, true) {
                    remember()?;
                }
            }
            Next::Event(Event::SignalingDown { reason, .. }) if !registered => {
                tracing::error!("the server could not be used: {reason}");
                exit = Exit::Signaling;
                front.command(Command::Quit).await;
            }
            Next::Event(Event::Refused { message, .. }) => {
                tracing::error!("the server refused \"{name}\": {message}");
                exit = Exit::Signaling;
            }
            Next::Event(Event::Incoming { call, .. }) => match args.answer {
                Answer::Accept => front.command(Command::Accept { call: Some(call) }).await,
                Answer::Decline => front.command(Command::Decline { call: Some(call), busy: false }).await,
                Answer::Busy => front.command(Command::Decline { call: Some(call), busy: true }).await,
                Answer::Ask => {}
            },
            Next::Event(Event::Connected { .. }) => connected = true,
            Next::Event(Event::Ended { report, .. }) => {
                let mut json = Report::of("login", &report);
                let (exit, message) =
                    verdict::of_call(&report, std::mem::take(&mut connected), &[], &mut json);
                json.conclude(exit, &message);
                front.output().report(&json)?;
            }
            Next::Event(_) => {}
            Next::Signal(signal) => {
                if !registered {
                    exit = signal;
                }
                front.command(Command::Quit).await;
            }
            Next::Deadline => {
                deadline = None;
                front.command(Command::Quit).await;
            }
            Next::Closed => return Ok(exit),
        }
    }
}
