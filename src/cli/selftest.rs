//! `letsmeet selftest`: an embedded server and both ends of a call in one process, over the loopback interface.
//!
//! What it proves is real: the same server, sessions, WebRTC stack, codecs and meters as in a call between
//! two machines. What it can't prove is the network between them.

use std::time::Duration;

use anyhow::Result;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::args::{Global, Selftest};
use super::exit::Exit;
use super::expect::{self, Expectation};
use super::failure::{Signaling, exit_of};
use super::output::report::Report;
use super::output::{self, Output, Style, human};
use super::setup::signer;
use super::signals::Signals;
use super::verdict;
use crate::identity::Identity;
use crate::media::VideoFormat;
use crate::media::spec::{AudioSpec, HearSpec, ShowSpec, VideoSpec};
use crate::session::{Alert, Command, Config, Event, Media, Session, Trust, Voice, report};
use crate::signaling::protocol::Name;
use crate::signaling::{client, server};

/// How long everything but the media may take.
const OVERHEAD: Duration = Duration::from_secs(20);

/// What must hold at each end for the verdict to be good, beside media flowing both ways. Loose enough for a
/// busy machine, far tighter than what a person would call broken.
const MINIMUM: [&str; 4] = [
    "video.longest_freeze_ms<=1000",
    "video.psnr_db>=25",
    "video.latency_ms.p95<=400",
    "audio.concealed_pct<=5",
];

/// The tone tells its latency once in this time; a shorter test can't ask for it.
const TONE_TELLS: Duration = Duration::from_secs(3);

/// The document that `--json` prints.
#[derive(Debug, Serialize)]
struct Document {
    schema: &'static str,
    version: &'static str,
    result: output::report::Verdict,
    /// The caller's report, then the callee's.
    ends: Vec<Report>,
}

/// Runs the command.
///
/// # Errors
/// No loopback address to listen on, an unknown metric.
pub(super) async fn run(global: &Global, args: Selftest) -> Result<Exit> {
    let expectations = expectations(&args)?;
    let output = Output::new(Style::choose(global.json, false));
    output.say(&format!(
        "letsmeet selftest: a server and two peers on this machine, {}x{} at {} fps, {} s of media",
        args.size.width,
        args.size.height,
        args.fps,
        args.duration.as_secs_f64()
    ))?;
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .map_err(|error| Signaling::new(format!("cannot listen on the loopback interface: {error}")))?;
    let server = format!("ws://{}", listener.local_addr()?);
    let shutdown = CancellationToken::new();
    let serving = tokio::spawn(server::serve(listener, server::Config::default(), shutdown.clone()));
    let mut signals = Signals::listen()?;
    let ended = tokio::select! {
        ended = timeout(args.duration + OVERHEAD, call(&server, &args)) => Ok(ended),
        signal = signals.next() => Err(signal),
    };
    shutdown.cancel();
    tokio::select! {
        _ = serving => {}
        // Whoever asks now does not want to wait for the server's goodbyes.
        _ = signals.next() => {}
    }
    let (exit, document) = match ended {
        Ok(Ok(Ok(ends))) => judge(&ends, &expectations),
        Ok(Ok(Err(why))) => failed(exit_of(&why), &format!("{why:#}")),
        Ok(Err(_)) => failed(Exit::Unexpected, "the call did not come to its end in time"),
        Err(signal) => failed(signal.into(), "interrupted before the call came to its end"),
    };
    if global.json {
        output::document(&document)?;
    }
    for (side, report) in ["alice, who calls", "bob, who answers"].iter().zip(&document.ends) {
        output.say(&format!("\n{side}"))?;
        if output.style() == Style::Human {
            output.report(report)?;
        }
    }
    output.say(&format!(
        "\n{}: {}",
        if exit == Exit::Ok { "PASS" } else { "FAIL" },
        human::clean(&document.result.message)
    ))?;
    Ok(exit)
}

fn expectations(args: &Selftest) -> Result<Vec<Expectation>> {
    let mut all = vec![Expectation::at_least("video.fps", f64::from(args.fps) * 0.9)];
    for text in MINIMUM {
        all.push(text.parse()?);
    }
    if args.duration >= TONE_TELLS {
        all.push("audio.latency_ms.p95<=400".parse()?);
    }
    all.extend(args.expectations.iter().cloned());
    let known = expect::numeric_paths(&Report::schema());
    for expectation in &all {
        expectation.check(&known)?;
    }
    Ok(all)
}

/// Both ends' reports, the caller's first.
async fn call(server: &str, args: &Selftest) -> Result<[Box<report::Report>; 2]> {
    let mut bob = Session::start(config(server, "bob", args)?);
    registered(&mut bob).await?;
    let mut alice = Session::start(config(server, "alice", args)?);
    registered(&mut alice).await?;
    let callee = tokio::spawn(async move {
        let report = answer(&mut bob).await;
        bob.command(Command::Quit).await;
        report
    });
    alice.command(Command::Dial { to: "bob".into() }).await;
    let caller = converse(&mut alice, args.duration).await?;
    alice.command(Command::Quit).await;
    Ok([caller, callee.await??])
}

async fn registered(session: &mut Session) -> Result<()> {
    match session.next().await {
        Some(Event::Registered { .. }) => Ok(()),
        Some(Event::Refused { message, .. }) => Err(Signaling::new(message).into()),
        other => Err(Signaling::new(format!("no registration, but {other:?}")).into()),
    }
}

async fn converse(session: &mut Session, duration: Duration) -> Result<Box<report::Report>> {
    let commands = session.commander().clone();
    while let Some(event) = session.next().await {
        match event {
            Event::Connected { .. } => {
                let commands = commands.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(duration).await;
                    commands.give(Command::HangUp { call: None }).await;
                });
            }
            Event::Ended { report, .. } => return Ok(report),
            _ => {}
        }
    }
    Err(Signaling::new("the caller's session ended without a report").into())
}

async fn answer(session: &mut Session) -> Result<Box<report::Report>> {
    while let Some(event) = session.next().await {
        match event {
            Event::Incoming { call, .. } => session.command(Command::Accept { call: Some(call) }).await,
            Event::Ended { report, .. } => return Ok(report),
            _ => {}
        }
    }
    Err(Signaling::new("the callee's session ended without a report").into())
}

fn config(server: &str, name: &str, args: &Selftest) -> Result<Config> {
    let identity = std::sync::Arc::new(Identity::ephemeral()?);
    Ok(Config {
        signaling: client::Config::new(
            server.parse().map_err(|error| Signaling::new(format!("{server}: {error}")))?,
            Name::new(name).map_err(|error| Signaling::new(error.to_string()))?,
            signer(&identity),
        ),
        identity,
        trust: Trust::default(),
        media: Media {
            video: VideoSpec::Pattern(None),
            audio: AudioSpec::Tone(None),
            show: ShowSpec::Null,
            hear: HearSpec::Null,
            format: VideoFormat { width: args.size.width, height: args.size.height, fps: args.fps },
            video_bitrate: None,
            audio_bitrate: 48_000,
            forgiving: false,
            push_to_talk: false,
            alert: Alert::default(),
            voice: Voice::default(),
            record: None,
            recordings: std::path::PathBuf::new(),
            monitor: None,
        },
        files: crate::session::files::Settings {
            folder: std::env::temp_dir(),
            policy: crate::session::files::Policy::Decline,
            max_size: 0,
            only: false,
        },
        ice_servers: Vec::new(),
        authorities: None,
        ice_policy: crate::rtc::IcePolicy::Host,
        timing: crate::call::Timing::default(),
    })
}

fn judge(ends: &[Box<report::Report>; 2], expectations: &[Expectation]) -> (Exit, Document) {
    let mut worst = Exit::Ok;
    let mut message = "picture and sound flowed both ways".to_owned();
    let reports = ends
        .iter()
        .map(|end| {
            let mut report = Report::of("selftest", end);
            let connected = end.setup.connected.is_some();
            let (exit, sentence) = verdict::of_call(end, connected, false, expectations, &mut report);
            report.conclude(exit, &sentence);
            if exit != Exit::Ok && worst == Exit::Ok {
                worst = exit;
                message = format!(
                    "{}: {sentence}",
                    if report.call.direction.as_deref() == Some("outgoing") { "alice" } else { "bob" }
                );
            }
            report
        })
        .collect();
    (worst, document(worst, &message, reports))
}

fn failed(exit: Exit, why: &str) -> (Exit, Document) {
    (exit, document(exit, why, Vec::new()))
}

fn document(exit: Exit, message: &str, ends: Vec<Report>) -> Document {
    Document {
        schema: "letsmeet.selftest/1",
        version: env!("CARGO_PKG_VERSION"),
        result: output::report::Verdict {
            exit: exit.code(),
            name: exit.name().into(),
            message: message.into(),
        },
        ends,
    }
}
