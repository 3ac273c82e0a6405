//! `letsmeet selftest`: an embedded server and both ends of a call in one process, over the loopback interface.
//!
//! What it proves is real: the same server, sessions, WebRTC stack, codecs and meters as in a call between
//! two machines. What it can't prove is the network between them.

use std::time::Duration;

use anyhow::Result;
use serde::Serialize;
use tokio::time::timeout;

use super::args::{Global, Selftest};
use super::exit::Exit;
use super::expect::{self, Expectation};
use super::failure::exit_of;
use super::loopback::{Server, Setup};
use super::output::report::Report;
use super::output::{self, Output, Style, human};
use super::signals::Signals;
use super::verdict;
use crate::call::Timing;
use crate::media::VideoFormat;
use crate::rtc::IcePolicy;
use crate::session::report;

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
    let server = Server::start().await?;
    let mut signals = Signals::listen()?;
    let setup = setup(&args);
    let ended = tokio::select! {
        ended = timeout(args.duration + OVERHEAD, server.call(&setup)) => Ok(ended),
        signal = signals.next() => Err(signal),
    };
    tokio::select! {
        () = server.stop() => {}
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

fn setup(args: &Selftest) -> Setup {
    Setup {
        format: VideoFormat { width: args.size.width, height: args.size.height, fps: args.fps },
        duration: args.duration,
        connect: Timing::default().connect,
        ice_servers: Vec::new(),
        ice_policy: IcePolicy::Host,
        authorities: None,
        message: None,
    }
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
