//! This machine: cameras, microphones, speakers, and the terminal.

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout};

use crate::cli::output::checks::{Check, Outcome};
use crate::media::device::{self, Device, Kind};
use crate::tui::terminal::{Options, Terminal};

/// Sound servers and drivers may think for long.
const LIST_WITHIN: Duration = Duration::from_secs(5);
/// A terminal that does not answer has its own, shorter time.
const TERMINAL_WITHIN: Duration = Duration::from_secs(3);

/// What a call takes without, it says.
pub(super) async fn all() -> Vec<Check> {
    let (mut checks, terminal) = tokio::join!(devices(), terminal());
    checks.push(terminal);
    checks
}

async fn devices() -> Vec<Check> {
    let kinds = [(Kind::Camera, "camera"), (Kind::Microphone, "microphone"), (Kind::Speaker, "speaker")];
    let begun = Instant::now();
    let mut listing = kinds.map(|(kind, name)| (name, spawn_blocking(move || device::list(kind))));
    let mut checks = Vec::new();
    for (name, listing) in &mut listing {
        let left = LIST_WITHIN.saturating_sub(begun.elapsed());
        let check = match timeout(left, listing).await {
            Ok(Ok(Ok(found))) => listed(name, &found),
            Ok(Ok(Err(error))) => Check::new(name, Outcome::Warn, error.to_string()).hint(instead(name)),
            Ok(Err(error)) => Check::new(name, Outcome::Inconclusive, error.to_string()),
            Err(_) => Check::new(name, Outcome::Inconclusive, "the system does not answer"),
        };
        checks.push(check.took(begun.elapsed()));
    }
    checks
}

fn listed(name: &'static str, found: &[Device]) -> Check {
    let usual = found.iter().find(|device| device.default).or(found.first());
    let Some(usual) = usual else {
        return Check::new(name, Outcome::Warn, "none").hint(instead(name)).number("devices", 0.0);
    };
    let more = match found.len() {
        1 => String::new(),
        count => format!(", and {} more", count - 1),
    };
    let check = Check::new(name, Outcome::Pass, format!("{}{more}", usual.name));
    let check = check.number("devices", found.len() as f64);
    match usual.busy {
        Some(true) => Check { outcome: Outcome::Warn, ..check }.hint("another program has it"),
        _ => check,
    }
}

fn instead(name: &str) -> &'static str {
    match name {
        "camera" => {
            "calls go on without a picture of yours; --video screen, file:PATH or pattern need no camera"
        }
        "microphone" => "calls go on without your voice; --audio file:PATH or tone need no microphone",
        _ => "calls go on silently; --hear file:PATH needs no speaker",
    }
}

/// Asks the terminal, if there is one.
async fn terminal() -> Check {
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        return Check::new("terminal", Outcome::Skip, "standard input or output is no terminal");
    }
    let begun = Instant::now();
    let opened = timeout(TERMINAL_WITHIN, Terminal::open(Options::LINES)).await;
    let check = match opened {
        Ok(Ok(terminal)) => {
            let (mode, why) = terminal.capabilities().choice();
            let size = terminal.size();
            let answers = terminal.capabilities().answers;
            terminal.close();
            let figure = format!("draws in {mode} ({why}), {}x{}", size.columns, size.rows);
            let check = Check::new("terminal", if answers { Outcome::Pass } else { Outcome::Warn }, figure)
                .number("columns", size.columns.into())
                .number("rows", size.rows.into());
            match answers {
                true => check,
                false => check.hint(
                    "it does not answer questions, so little is known of it (--render chooses a way to draw)",
                ),
            }
        }
        Ok(Err(error)) => {
            Check::new("terminal", Outcome::Warn, error.to_string()).hint("--plain needs no terminal")
        }
        Err(_) => Check::new("terminal", Outcome::Inconclusive, "it does not answer"),
    };
    check.took(begun.elapsed())
}
