//! What `doctor` found out: checks as plain data, the document that `--json` prints, and a line for a person.
//!
//! Owns the words for how a check came out. Must not know how anything is checked.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::human::clean;
use super::report::{Verdict, ms};

/// How a check came out. What could not be told is [`Inconclusive`](Outcome::Inconclusive), never a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It works.
    Pass,
    /// Calls work, and not everywhere or not as well as they could.
    Warn,
    /// It does not work.
    Fail,
    /// There was nothing to check, or no way to.
    Skip,
    /// It was tried, and nothing follows from what came of it.
    Inconclusive,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Pass, Self::Warn, Self::Fail, Self::Skip, Self::Inconclusive];

    /// Its word in every output.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Skip => "skip",
            Self::Inconclusive => "inconclusive",
        }
    }

    /// Four columns before a line: words, because a screen reader does not read signs.
    fn mark(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "WARN",
            Self::Fail => "FAIL",
            Self::Skip => "skip",
            Self::Inconclusive => "?   ",
        }
    }
}

/// One check.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Check {
    /// Which one, a word of docs/scripting.md.
    pub name: &'static str,
    /// What was checked, where there may be several of a kind: a server's URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// How it came out.
    pub outcome: Outcome,
    /// How long it took, milliseconds; null when nothing was done.
    pub ms: Option<f64>,
    /// What was found, in a few words.
    pub figure: Option<String>,
    /// The same as numbers, for whoever watches them. What is not known is not there.
    pub numbers: BTreeMap<&'static str, f64>,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Check {
    /// With what was found.
    #[must_use]
    pub fn new(name: &'static str, outcome: Outcome, figure: impl Into<String>) -> Self {
        Self {
            name,
            target: None,
            outcome,
            ms: None,
            figure: Some(figure.into()),
            numbers: BTreeMap::new(),
            hint: None,
        }
    }

    /// Of what.
    #[must_use]
    pub fn of(mut self, target: impl Into<String>) -> Self {
        self.target = Some(target.into());
        self
    }

    /// With how long it took.
    #[must_use]
    pub fn took(mut self, time: Duration) -> Self {
        self.ms = Some(ms(time));
        self
    }

    /// With a number.
    #[must_use]
    pub fn number(mut self, name: &'static str, value: f64) -> Self {
        self.numbers.insert(name, value);
        self
    }

    /// With a time in milliseconds.
    #[must_use]
    pub fn time(self, name: &'static str, value: Duration) -> Self {
        self.number(name, ms(value))
    }

    /// With what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// One line, and the hint in one beneath it. Everything in it may have come from a server or the system.
    #[must_use]
    pub fn lines(&self) -> String {
        let mut line = format!("{}  {:<13} ", self.outcome.mark(), self.name);
        if let Some(target) = &self.target {
            line.push_str(&format!("{}: ", clean(target)));
        }
        line.push_str(clean(self.figure.as_deref().unwrap_or("nothing found")).as_str());
        if let Some(ms) = self.ms {
            line.push_str(&format!("  ({ms} ms)"));
        }
        if let Some(hint) = &self.hint {
            line.push_str(&format!("\n{:20}-> {}", "", clean(hint)));
        }
        line
    }
}

/// The document that `doctor --json` prints.
#[derive(Debug, Clone, Serialize)]
pub struct Diagnosis {
    /// `letsmeet.doctor/1`.
    pub schema: &'static str,
    /// Version of letsmeet.
    pub version: &'static str,
    /// How it came out as a whole.
    pub result: Verdict,
    /// Every check, in the order of the lines.
    pub checks: Vec<Check>,
}

impl Diagnosis {
    /// The schema of the document.
    pub const SCHEMA: &'static str = "letsmeet.doctor/1";

    /// How many checks came out so.
    #[must_use]
    pub fn count(&self, outcome: Outcome) -> usize {
        self.checks.iter().filter(|check| check.outcome == outcome).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_mark_name_figure_and_time_and_the_hint_beneath() {
        let check = Check::new("stun-v4", Outcome::Fail, "no answer")
            .of("stun:a.example:3478")
            .took(Duration::from_millis(3000))
            .hint("let UDP out");
        assert_eq!(
            check.lines(),
            "FAIL  stun-v4       stun:a.example:3478: no answer  (3000 ms)\n                    -> let UDP out"
        );
    }

    #[test]
    fn nothing_of_a_server_reaches_the_terminal_as_it_came() {
        let check = Check::new("login", Outcome::Fail, "\u{1b}[2J\nx").of("\u{202e}").hint("a\u{9b}b\nc");
        let text = check.lines();
        assert_eq!(text.matches('\n').count(), 1, "{text:?}");
        assert!(!text.chars().any(|c| matches!(c, '\u{1b}' | '\u{9b}' | '\u{202e}')), "{text:?}");
    }

    #[test]
    fn what_is_not_known_is_null_or_absent_and_never_false() {
        let check = Check::new("nat-filtering", Outcome::Inconclusive, "the server cannot tell");
        let json = serde_json::to_value(&check).unwrap();
        assert_eq!(json["outcome"], "inconclusive");
        assert!(json["ms"].is_null() && json["numbers"].as_object().unwrap().is_empty());
        assert!(!json.to_string().contains("false"));
        for outcome in Outcome::ALL {
            assert_eq!(serde_json::to_value(outcome).unwrap(), outcome.word());
        }
    }
}
