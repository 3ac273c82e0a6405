//! tmux, asked about itself.
//!
//! Owns one run of `tmux display-message`, which changes nothing, and its answer. tmux keeps what programs ask the
//! terminal to itself; what it knows of the terminal around it has to be asked from it.

use std::io::Read as _;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use super::environment::Environment;

/// A tmux server that does not answer within this time is not waited for.
const PATIENCE: Duration = Duration::from_millis(500);

/// The longest answer that is read, bytes.
const LONGEST: u64 = 4096;

/// Between the parts of the answer; no name or list of features holds it.
const FORMAT: &str = "#{version}|#{allow-passthrough}|#{client_termtype}|#{client_termfeatures}";

/// What tmux says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Multiplexer {
    /// Its version.
    pub version: Option<String>,
    /// Sequences wrapped for it reach the terminal around it.
    pub passthrough: bool,
    /// What the terminal around it answered to XTVERSION.
    pub outer: Option<String>,
    /// The terminal around it has 24-bit colour.
    pub truecolor: bool,
}

impl Multiplexer {
    /// Asks the tmux that the environment names; `None` outside of tmux. A tmux that can't be asked is one of
    /// which nothing is known.
    #[must_use]
    pub fn ask(environment: &Environment) -> Option<Self> {
        environment
            .tmux
            .then(|| run(&environment.tmux_pane).map_or_else(Self::default, |text| Self::parse(&text)))
    }

    /// From the answer to [`FORMAT`].
    fn parse(text: &str) -> Self {
        let mut parts = text.trim_end().split('|');
        let mut next = || parts.next().unwrap_or_default().to_owned();
        let some = |text: String| {
            let text: String = text.chars().filter(|c| matches!(c, ' '..='~')).take(64).collect();
            (!text.is_empty()).then_some(text)
        };
        Self {
            version: some(next()),
            // tmux before 3.3 has no such option and always lets pass; it prints nothing, and is left at that.
            passthrough: matches!(next().as_str(), "on" | "all" | "1" | "2"),
            outer: some(next()),
            truecolor: next().split(',').any(|feature| feature == "RGB"),
        }
    }
}

fn run(pane: &str) -> Option<String> {
    let mut command = Command::new("tmux");
    command.args(["display-message", "-p"]);
    if !pane.is_empty() {
        command.args(["-t", pane]);
    }
    let mut child =
        command.arg(FORMAT).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
    let stdout = child.stdout.take()?;
    let (sender, answer) = mpsc::sync_channel(1);
    // Ends with the child: its end of the pipe closes then.
    let reader = std::thread::Builder::new().name("tmux".into()).spawn(move || {
        let mut text = String::new();
        let read = stdout.take(LONGEST).read_to_string(&mut text);
        // Nobody waits any longer when the time is up.
        let _ = sender.send(read.ok().map(|_| text));
    });
    let text = reader.ok().and_then(|_| answer.recv_timeout(PATIENCE).ok().flatten());
    if text.is_none() {
        // It may have ended by itself in between.
        let _ = child.kill();
    }
    let ended = child.wait().is_ok_and(|status| status.success());
    text.filter(|_| ended)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_of_tmux_is_read_part_by_part() {
        let found = Multiplexer::parse("3.3a|on|kitty(0.40.0)|256,RGB,title\n");
        assert_eq!(
            found,
            Multiplexer {
                version: Some("3.3a".into()),
                passthrough: true,
                outer: Some("kitty(0.40.0)".into()),
                truecolor: true
            }
        );
        assert!(!Multiplexer::parse("3.4|off||256").passthrough);
        assert_eq!(Multiplexer::parse(""), Multiplexer::default());
        assert_eq!(Multiplexer::parse("3.4|off|\x1b[2J|").outer.as_deref(), Some("[2J"));
    }
}
