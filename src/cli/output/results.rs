//! What a run says to machines beside its document: cases for JUnit, series for Prometheus, one service for Nagios.
//!
//! Owns how a report, a diagnosis or an error becomes each of them. Pure but for the mask, which all text passes.

use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::checks::{Check, Diagnosis, Outcome};
use super::junit::{Case, Suite, Verdict};
use super::mask;
use super::nagios::{Service, State};
use super::prometheus::Metric;
use super::report::Report;
use crate::cli::exit::Exit;

/// What of a report is worth a series: its parts that hold figures.
const PARTS: [&str; 6] = ["setup", "path", "send", "receive", "process", "chat"];

/// Figures of a call that a monitor draws.
const DRAWN: [&str; 8] = [
    "receive.video.fps",
    "receive.video.frozen_ms",
    "receive.video.packets_lost",
    "receive.audio.concealed_pct",
    "receive.audio.packets_lost",
    "path.rtt_ms.p50",
    "setup.connected_ms",
    "call.duration_ms",
];

/// One run, in three ways.
#[derive(Debug, Clone, PartialEq)]
pub struct Results {
    /// For JUnit; one for each run.
    pub suites: Vec<Suite>,
    /// For Prometheus.
    pub metrics: Vec<Metric>,
    /// For Nagios.
    pub service: Service,
}

/// Whom or what a run was about: a label of every series.
pub type Subject<'a> = (&'static str, &'a str);

impl Results {
    /// Of a call.
    #[must_use]
    pub fn of_call(exit: Exit, report: &Report, subject: Subject<'_>, now: SystemTime) -> Self {
        let json = serde_json::to_value(report).unwrap_or_default();
        let connected = report.setup.connected_ms.is_some();
        let message = mask::text(&report.result.message);
        let call = Case {
            name: "call".to_owned(),
            seconds: Some(Duration::from_millis(report.call.duration_ms).as_secs_f64()),
            verdict: match exit {
                Exit::Ok | Exit::Expectation => Verdict::Passed,
                _ => Verdict::Errored(format!("{}: {message}", exit.name())),
            },
            note: None,
        };
        let mut cases = vec![call];
        let mut metrics = whole("call", exit, subject, now);
        for outcome in &report.expectations {
            let verdict = match (outcome.held, outcome.actual) {
                (true, _) => Verdict::Passed,
                (false, _) if !connected => Verdict::Skipped("there was no call to judge".to_owned()),
                (false, Some(actual)) => Verdict::Failed(format!("was {actual}")),
                (false, None) => Verdict::Failed("was nothing: the call produced no such number".to_owned()),
            };
            cases.push(Case { name: outcome.text.clone(), seconds: None, verdict, note: None });
            if connected {
                metrics.push(Metric {
                    name: "letsmeet_call_expectation_held".to_owned(),
                    help: "Whether this expectation held: 1 or 0.".to_owned(),
                    labels: vec![(subject.0, mask::text(subject.1)), ("expectation", outcome.text.clone())],
                    value: f64::from(u8::from(outcome.held)),
                });
            }
        }
        for part in PARTS {
            series(part, &json[part], subject, &mut metrics);
        }
        series("duration_ms", &json["call"]["duration_ms"], subject, &mut metrics);
        let service = Service { state: state(exit), text: message, figures: drawn_of_call(report) };
        Self { suites: vec![Suite { name: "letsmeet.call", run: None, cases }], metrics, service }
    }

    /// Of a doctor's visit.
    #[must_use]
    pub fn of_doctor(exit: Exit, diagnosis: &Diagnosis, subject: Subject<'_>, now: SystemTime) -> Self {
        let mut metrics = whole("doctor", exit, subject, now);
        for check in &diagnosis.checks {
            checked(check, subject, &mut metrics);
        }
        let warned = diagnosis.count(Outcome::Warn) > 0;
        let state = match exit {
            Exit::Ok if warned => State::Warning,
            // Whatever failed is why somebody has to come.
            Exit::Unexpected => State::Critical,
            exit => state(exit),
        };
        let of = |outcome| {
            let names: Vec<&str> = diagnosis
                .checks
                .iter()
                .filter(|check| check.outcome == outcome)
                .map(|check| check.name)
                .collect();
            names.join(", ")
        };
        let text = match state {
            State::Warning => format!("{}: {}", mask::text(&diagnosis.result.message), of(Outcome::Warn)),
            _ => mask::text(&diagnosis.result.message),
        };
        let cases = match diagnosis.checks.is_empty() {
            true => vec![error(exit, &text)],
            false => diagnosis.checks.iter().map(case).collect(),
        };
        let service = Service { state, text, figures: drawn_of_doctor(diagnosis) };
        Self { suites: vec![Suite { name: "letsmeet.doctor", run: None, cases }], metrics, service }
    }

    /// Of a run that came to nothing.
    #[must_use]
    pub fn of_error(
        command: &'static str,
        exit: Exit,
        message: &str,
        subject: Subject<'_>,
        now: SystemTime,
    ) -> Self {
        let message = mask::text(message);
        let name = if command == "doctor" { "letsmeet.doctor" } else { "letsmeet.call" };
        let state = if exit == Exit::Unexpected { State::Unknown } else { state(exit) };
        Self {
            suites: vec![Suite { name, run: None, cases: vec![error(exit, &message)] }],
            metrics: whole(command, exit, subject, now),
            service: Service { state, text: message, figures: Vec::new() },
        }
    }
}

/// Figures of a call that a monitor draws, by their paths; of one that did not come about none.
pub(super) fn drawn_of_call(report: &Report) -> Vec<(String, f64)> {
    if report.setup.connected_ms.is_none() {
        return Vec::new();
    }
    let json = serde_json::to_value(report).unwrap_or_default();
    let drawn = |path: &&str| figure(&json, path).map(|value| ((*path).to_owned(), value));
    DRAWN.iter().filter_map(drawn).collect()
}

/// Figures of a doctor's visit that a monitor draws: how long each check took, and its numbers.
pub(super) fn drawn_of_doctor(diagnosis: &Diagnosis) -> Vec<(String, f64)> {
    let mut figures: Vec<(String, f64)> = Vec::new();
    for check in &diagnosis.checks {
        // Several servers of a kind have a figure each.
        let mut draw = |label: String, value: f64| {
            let same = figures.iter().filter(|(other, _)| other.split('#').next() == Some(&label)).count();
            let label = if same == 0 { label } else { format!("{label}#{}", same + 1) };
            figures.push((label, value));
        };
        if let Some(ms) = check.ms {
            draw(format!("{}.took_ms", check.name), ms);
        }
        for (name, value) in &check.numbers {
            draw(format!("{}.{name}", check.name), *value);
        }
    }
    figures
}

/// The number at a path of a report, if it has one.
fn figure(report: &Value, path: &str) -> Option<f64> {
    path.split('.').try_fold(report, |value, key| value.get(key))?.as_f64()
}

fn error(exit: Exit, message: &str) -> Case {
    let verdict = Verdict::Errored(format!("{}: {message}", exit.name()));
    Case { name: "run".to_owned(), seconds: None, verdict, note: None }
}

/// What an exit means for whoever watches: what was asked about is bad, or it could not be found out.
pub(super) fn state(exit: Exit) -> State {
    match exit {
        Exit::Ok => State::Ok,
        Exit::Signaling | Exit::NotAnswered | Exit::NoMediaPath | Exit::Expectation | Exit::Identity => {
            State::Critical
        }
        Exit::Unexpected | Exit::Usage | Exit::Device | Exit::Interrupted | Exit::Terminated => {
            State::Unknown
        }
    }
}

/// What every run has.
fn whole(command: &str, exit: Exit, subject: Subject<'_>, now: SystemTime) -> Vec<Metric> {
    let metric = |name: &str, help: &str, value: f64| Metric {
        name: format!("letsmeet_{command}_{name}"),
        help: help.to_owned(),
        labels: vec![(subject.0, mask::text(subject.1))],
        value,
    };
    let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    vec![
        metric(
            "ok",
            "Whether the last run ended with exit status 0: 1 or 0.",
            f64::from(u8::from(exit == Exit::Ok)),
        ),
        metric("exit_status", "The exit status of the last run (docs/scripting.md).", exit.code().into()),
        metric("finished_timestamp_seconds", "When the last run ended, Unix time.", now.as_secs() as f64),
    ]
}

/// Every number below a part of a report. What is null was not measured and has no series.
fn series(path: &str, value: &Value, subject: Subject<'_>, metrics: &mut Vec<Metric>) {
    let number = match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                series(&format!("{path}_{key}"), value, subject, metrics);
            }
            return;
        }
        Value::Bool(value) => Some(f64::from(u8::from(*value))),
        value => value.as_f64(),
    };
    if let Some(value) = number {
        metrics.push(Metric {
            name: format!("letsmeet_call_{path}"),
            help: "A number of the last call's report (docs/scripting.md).".to_owned(),
            labels: vec![(subject.0, mask::text(subject.1))],
            value,
        });
    }
}

/// All five outcomes, one of them 1: no series comes or goes when a check changes its mind.
fn checked(check: &Check, subject: Subject<'_>, metrics: &mut Vec<Metric>) {
    let mut labels = vec![(subject.0, mask::text(subject.1)), ("check", check.name.to_owned())];
    if let Some(target) = &check.target {
        labels.push(("target", mask::text(target)));
    }
    let with = |name: &'static str, value: String| {
        let mut labels = labels.clone();
        labels.push((name, value));
        labels
    };
    for outcome in Outcome::ALL {
        metrics.push(Metric {
            name: "letsmeet_doctor_check".to_owned(),
            help: "How the check came out: 1 for its outcome, 0 for the others.".to_owned(),
            labels: with("outcome", outcome.word().to_owned()),
            value: f64::from(u8::from(outcome == check.outcome)),
        });
    }
    if let Some(ms) = check.ms {
        metrics.push(Metric {
            name: "letsmeet_doctor_check_duration_seconds".to_owned(),
            help: "How long the check took.".to_owned(),
            labels: labels.clone(),
            value: ms / 1e3,
        });
    }
    for (name, value) in &check.numbers {
        metrics.push(Metric {
            name: "letsmeet_doctor_check_figure".to_owned(),
            help: "What the check found, as a number; its name tells the unit.".to_owned(),
            labels: with("figure", (*name).to_owned()),
            value: *value,
        });
    }
}

/// Warnings pass, with a note; what is not known is skipped.
fn case(check: &Check) -> Case {
    let figure = mask::text(check.figure.as_deref().unwrap_or_default());
    let said = match &check.hint {
        Some(hint) => format!("{figure} ({})", mask::text(hint)),
        None => figure,
    };
    let (verdict, note) = match check.outcome {
        Outcome::Pass => (Verdict::Passed, None),
        Outcome::Warn => (Verdict::Passed, Some(format!("warning: {said}"))),
        Outcome::Fail => (Verdict::Failed(said), None),
        Outcome::Skip => (Verdict::Skipped(said), None),
        Outcome::Inconclusive => (Verdict::Skipped(format!("inconclusive: {said}")), None),
    };
    let name = match &check.target {
        Some(target) => format!("{} {}", check.name, mask::text(target)),
        None => check.name.to_owned(),
    };
    Case { name, seconds: check.ms.map(|ms| ms / 1e3), verdict, note }
}

#[cfg(test)]
mod tests {
    use super::super::{junit, nagios, prometheus};
    use super::*;
    use crate::cli::expect;

    const NOW: SystemTime = SystemTime::UNIX_EPOCH;

    fn report(connected: bool) -> Report {
        let mut report = Report::empty("call");
        report.setup.connected_ms = connected.then_some(31.0);
        report.expectations = vec![
            expect::Outcome { text: "video.fps>=24".into(), actual: Some(12.0), held: false },
            expect::Outcome { text: "audio.gaps<=0".into(), actual: None, held: false },
        ];
        report
    }

    #[test]
    fn an_expectation_is_a_failure_and_a_call_that_was_none_is_an_error() {
        let good = Results::of_call(Exit::Expectation, &report(true), ("peer", "bob"), NOW);
        assert_eq!(good.suites[0].cases[0].verdict, Verdict::Passed);
        assert!(good.suites[0].cases[1..].iter().all(|case| matches!(case.verdict, Verdict::Failed(_))));
        assert_eq!(good.service.state, State::Critical);
        assert!(nagios::write(&good.service).contains("'setup.connected_ms'=31ms"));
        let none = Results::of_call(Exit::NotAnswered, &report(false), ("peer", "bob"), NOW);
        assert!(matches!(none.suites[0].cases[0].verdict, Verdict::Errored(_)));
        assert!(none.suites[0].cases[1..].iter().all(|case| matches!(case.verdict, Verdict::Skipped(_))));
        assert!(none.service.figures.is_empty());
        assert!(junit::write(&none.suites).contains("errors=\"1\""));
    }

    #[test]
    fn what_was_not_measured_has_no_series() {
        let text =
            prometheus::write(&Results::of_call(Exit::Ok, &report(true), ("peer", "bob"), NOW).metrics);
        assert!(text.contains("letsmeet_call_ok{peer=\"bob\"} 1\n"), "{text}");
        assert!(text.contains("letsmeet_call_setup_connected_ms{peer=\"bob\"} 31\n"), "{text}");
        assert!(!text.contains("receive_video_fps"), "{text}");
    }

    #[test]
    fn a_check_that_failed_fails_and_what_is_not_known_is_skipped() {
        let diagnosis = Diagnosis {
            schema: Diagnosis::SCHEMA,
            version: "0",
            result: super::super::report::Verdict::default(),
            checks: vec![
                Check::new("tcp", Outcome::Pass, "a").took(Duration::from_millis(5)),
                Check::new("turn-udp", Outcome::Fail, "b").of("turn:a").number("rtt_ms", 1.0),
                Check::new("turn-udp", Outcome::Warn, "c").of("turn:b").number("rtt_ms", 2.0).hint("d"),
                Check::new("nat-filtering", Outcome::Inconclusive, "e"),
            ],
        };
        let results = Results::of_doctor(Exit::Unexpected, &diagnosis, ("server", "s"), NOW);
        let verdicts: Vec<&Verdict> = results.suites[0].cases.iter().map(|case| &case.verdict).collect();
        assert!(matches!(
            verdicts[..],
            [Verdict::Passed, Verdict::Failed(_), Verdict::Passed, Verdict::Skipped(_)]
        ));
        assert_eq!(results.service.state, State::Critical);
        let labels: Vec<&str> = results.service.figures.iter().map(|(label, _)| label.as_str()).collect();
        assert_eq!(labels, ["tcp.took_ms", "turn-udp.rtt_ms", "turn-udp.rtt_ms#2"]);
        let warned = Results::of_doctor(Exit::Ok, &diagnosis, ("server", "s"), NOW);
        assert_eq!(warned.service.state, State::Warning);
        assert!(warned.service.text.ends_with("turn-udp"), "{}", warned.service.text);
        let text = prometheus::write(&results.metrics);
        let line = "letsmeet_doctor_check{server=\"s\",check=\"nat-filtering\",outcome=\"fail\"} 0\n";
        assert!(text.contains(line), "{text}");
    }
}
