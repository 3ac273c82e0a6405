//! What several runs of one command came to: the document of `--json`, the last line of `--headless`, lines for a person, and results for
//! other machines.
//!
//! Owns how the results of runs become one. Pure: plain data in and out. Must not know when runs begin or why there are no more.

use std::collections::{BTreeMap, VecDeque};
use std::time::SystemTime;

use schemars::JsonSchema;
use serde::Serialize;

use super::checks::Diagnosis;
use super::human::clean;
use super::junit::Suite;
use super::mask;
use super::prometheus::Metric;
use super::report::{Report, Verdict, rounded};
use super::results::{Results, Subject, drawn_of_call, drawn_of_doctor, state};
use crate::cli::exit::Exit;

/// Runs whose reports are kept: those of the last hours. Of more, the oldest are forgotten; they are still counted.
const KEPT: usize = 1_000;

/// What comes of one run.
pub trait Outcome: Serialize {
    /// The command.
    const COMMAND: &'static str;

    /// How it came out.
    fn verdict(&self) -> &Verdict;

    /// Figures that a monitor draws, by their names; none where nothing was measured.
    fn figures(&self) -> Vec<(String, f64)>;

    /// The same for other machines.
    fn results(&self, exit: Exit, subject: Subject<'_>, now: SystemTime) -> Results;
}

impl Outcome for Report {
    const COMMAND: &'static str = "call";

    fn verdict(&self) -> &Verdict {
        &self.result
    }

    fn figures(&self) -> Vec<(String, f64)> {
        drawn_of_call(self)
    }

    fn results(&self, exit: Exit, subject: Subject<'_>, now: SystemTime) -> Results {
        Results::of_call(exit, self, subject, now)
    }
}

impl Outcome for Diagnosis {
    const COMMAND: &'static str = "doctor";

    fn verdict(&self) -> &Verdict {
        &self.result
    }

    fn figures(&self) -> Vec<(String, f64)> {
        drawn_of_doctor(self)
    }

    fn results(&self, exit: Exit, subject: Subject<'_>, now: SystemTime) -> Results {
        Results::of_doctor(exit, self, subject, now)
    }
}

/// The document that `--json` prints for several runs.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Document")]
pub struct Document<'a, R> {
    /// `letsmeet.series/1`.
    pub schema: &'static str,
    /// The command.
    pub command: &'static str,
    /// The version of letsmeet.
    pub version: &'static str,
    /// What they came to.
    #[serde(flatten)]
    pub summary: Summary,
    /// The report of each run, in their order; of very many the last thousand.
    pub runs: Vec<&'a R>,
}

/// What several runs came to.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Summary {
    /// That of the worst run.
    pub result: Verdict,
    /// How many there were to be; null for as many as there is time for.
    pub planned: Option<u64>,
    /// How many came to a result.
    pub done: u64,
    /// How many of these ended with exit status 0.
    pub ok: u64,
    /// They were ended from outside before all were done.
    pub interrupted: bool,
    /// How many came out in each way, by `result.name`.
    pub outcomes: BTreeMap<&'static str, u64>,
    /// Figures of the runs that have them, by their path in a report.
    pub figures: BTreeMap<String, Range>,
}

/// A figure of several runs.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// The smallest.
    pub min: f64,
    /// The one in the middle.
    pub p50: f64,
    /// The largest.
    pub max: f64,
    /// How many runs have it.
    pub runs: u64,
}

/// The runs so far.
#[derive(Debug)]
pub struct Series<R> {
    planned: Option<u64>,
    done: u64,
    outcomes: BTreeMap<&'static str, u64>,
    /// The worst one: which, how, and why.
    worst: Option<(u64, Exit, String)>,
    /// What interrupted the first run before anything came of it.
    broken_off: Option<(Exit, String)>,
    interrupted: bool,
    runs: VecDeque<(u64, Exit, R)>,
}

impl<R: Outcome> Series<R> {
    /// Of so many, or of as many as there is time for.
    #[must_use]
    pub fn new(planned: Option<u64>) -> Self {
        Self {
            planned,
            done: 0,
            outcomes: BTreeMap::new(),
            worst: None,
            broken_off: None,
            interrupted: false,
            runs: VecDeque::new(),
        }
    }

    /// The next one is over. One that was interrupted before there was a call says nothing about calls: it is kept, and not counted.
    pub fn add(&mut self, exit: Exit, report: R) {
        let message = report.verdict().message.clone();
        if matches!(exit, Exit::Interrupted | Exit::Terminated) {
            (self.broken_off, self.interrupted) = (Some((exit, message)), true);
        } else {
            self.done += 1;
            *self.outcomes.entry(exit.name()).or_default() += 1;
            if self.worst.as_ref().is_none_or(|(_, worst, _)| exit.is_worse_than(*worst)) {
                self.worst = Some((self.done, exit, message));
            }
        }
        if self.runs.len() == KEPT {
            self.runs.pop_front();
        }
        self.runs.push_back((self.done, exit, report));
    }

    /// Somebody ended it.
    pub fn interrupt(&mut self) {
        self.interrupted |= self.planned.is_none_or(|planned| self.done < planned);
    }

    /// The exit of all: that of the worst, or why there is none.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match (&self.worst, &self.broken_off) {
            (Some((_, exit, _)), _) => *exit,
            (None, Some((exit, _))) => *exit,
            (None, None) => Exit::Interrupted,
        }
    }

    /// What they came to.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let ok = self.outcomes.get(Exit::Ok.name()).copied().unwrap_or(0);
        let mut message = format!("{ok} of {} good", counted(self.done));
        match (&self.worst, &self.broken_off) {
            (Some((_, Exit::Ok, _)), _) => {}
            (Some((run, exit, why)), _) => {
                message.push_str(&format!("; the worst was run {run}, {}: {why}", exit.name()));
            }
            (None, Some((_, why))) => message.clone_from(why),
            (None, None) => message = "interrupted before the first run".to_owned(),
        }
        if let (true, Some(_)) = (self.interrupted, &self.worst) {
            let of = self.planned.map_or_else(String::new, |planned| format!(" of {planned}"));
            message.push_str(&format!(" (interrupted after {}{of})", self.done));
        }
        let exit = self.exit();
        Summary {
            result: Verdict { exit: exit.code(), name: exit.name().into(), message },
            planned: self.planned,
            done: self.done,
            ok,
            interrupted: self.interrupted,
            outcomes: self.outcomes.clone(),
            figures: self.figures(),
        }
    }

    /// Everything.
    #[must_use]
    pub fn document(&self) -> Document<'_, R> {
        Document {
            schema: SCHEMA,
            command: R::COMMAND,
            version: env!("CARGO_PKG_VERSION"),
            summary: self.summary(),
            runs: self.runs.iter().map(|(_, _, report)| report).collect(),
        }
    }

    /// For other machines: a suite for each run, the series of the last one, one service for all.
    #[must_use]
    pub fn results(&self, subject: Subject<'_>, now: SystemTime) -> Results {
        let summary = self.summary();
        let mut suites: Vec<Suite> = Vec::new();
        let mut metrics = Vec::new();
        for (run, exit, report) in &self.runs {
            let broken_off = matches!(exit, Exit::Interrupted | Exit::Terminated);
            if broken_off && self.done > 0 {
                // Whoever stops a probe is told nothing of what it watches.
                continue;
            }
            let of_run = report.results(*exit, subject, now);
            let run = run + u64::from(broken_off);
            suites.extend(of_run.suites.into_iter().map(|suite| Suite { run: Some(run), ..suite }));
            metrics = of_run.metrics;
        }
        let labels = vec![(subject.0, mask::text(subject.1))];
        for (name, help, value) in [
            ("runs", "Runs of this command that came to a result.", self.done),
            ("runs_ok", "Of these, those that ended with exit status 0.", summary.ok),
        ] {
            let (name, labels) = (format!("letsmeet_{}_{name}", R::COMMAND), labels.clone());
            let help = help.to_owned();
            metrics.push(Metric { name, help, labels, value: value as f64 });
        }
        let mut figures =
            vec![("runs".to_owned(), self.done as f64), ("runs_ok".to_owned(), summary.ok as f64)];
        figures.extend(summary.figures.iter().map(|(path, range)| (path.clone(), range.p50)));
        let text = mask::text(&summary.result.message);
        let service = super::nagios::Service { state: state(self.exit()), text, figures };
        Results { suites, metrics, service }
    }

    fn figures(&self) -> BTreeMap<String, Range> {
        let mut values: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for (name, value) in self.runs.iter().flat_map(|(_, _, report)| report.figures()) {
            // Where there is a zero there is only one of it.
            values.entry(name).or_default().push(value + 0.0);
        }
        values.into_iter().filter_map(|(name, values)| Some((name, Range::of(values)?))).collect()
    }
}

impl Range {
    /// Of these; of none there is none.
    fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let p50 = match values.len() % 2 {
            0 => (values[middle - 1] + values[middle]) / 2.0,
            _ => values[middle],
        };
        Some(Self { min, p50: rounded(p50, 100.0), max, runs: values.len() as u64 })
    }
}

/// The schema of the document.
const SCHEMA: &str = "letsmeet.series/1";

impl Document<'_, Report> {
    /// The JSON Schema of that of `call`, which docs/series.schema.json is.
    #[must_use]
    pub fn schema() -> serde_json::Value {
        schemars::schema_for!(Document<'_, Report>).to_value()
    }
}

impl Summary {
    /// For a person.
    #[must_use]
    pub fn lines(&self) -> String {
        let mut text = format!("All {} together:\n", counted(self.done));
        for (path, range) in &self.figures {
            text.push_str(&format!("  {path}: {} to {}, median {}\n", range.min, range.max, range.p50));
        }
        let outcomes: Vec<String> =
            self.outcomes.iter().map(|(name, count)| format!("{count} {name}")).collect();
        if !outcomes.is_empty() {
            text.push_str(&format!("  runs     {}\n", outcomes.join(", ")));
        }
        text.push_str(&format!("  result   {}: {}", self.result.name, clean(&self.result.message)));
        text
    }
}

fn counted(runs: u64) -> String {
    if runs == 1 { "1 run".to_owned() } else { format!("{runs} runs") }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::checks::{Check, Outcome::Pass};
    use super::super::{junit, nagios, prometheus};
    use super::*;

    const NOW: SystemTime = SystemTime::UNIX_EPOCH;

    fn run(exit: Exit, message: &str, fps: Option<f64>) -> Report {
        let mut report = Report::empty("call");
        report.setup.connected_ms = fps.map(|_| 20.0);
        report.receive.video.fps = fps;
        report.conclude(exit, message);
        report
    }

    fn series() -> Series<Report> {
        let mut series = Series::new(Some(5));
        series.add(Exit::Ok, run(Exit::Ok, "you hung up", Some(25.0)));
        series.add(Exit::NotAnswered, run(Exit::NotAnswered, "bob is busy", None));
        series.add(Exit::Expectation, run(Exit::Expectation, "did not hold: x", Some(12.0)));
        series
    }

    #[test]
    fn the_worst_run_decides_and_each_one_is_counted() {
        let summary = series().summary();
        assert_eq!((summary.done, summary.ok, summary.interrupted), (3, 1, false));
        assert_eq!((summary.result.exit, summary.result.name.as_str()), (4, "not-answered"));
        let message = "1 of 3 runs good; the worst was run 2, not-answered: bob is busy";
        assert_eq!(summary.result.message, message);
        let range = Range { min: 12.0, p50: 18.5, max: 25.0, runs: 2 };
        assert_eq!(summary.figures["receive.video.fps"], range);
        assert!(!summary.figures.contains_key("receive.audio.concealed_pct"), "nothing was measured");
        insta::assert_snapshot!(summary.lines(), @"
        All 3 runs together:
          call.duration_ms: 0 to 0, median 0
          receive.video.fps: 12 to 25, median 18.5
          setup.connected_ms: 20 to 20, median 20
          runs     1 expectation, 1 not-answered, 1 ok
          result   not-answered: 1 of 3 runs good; the worst was run 2, not-answered: bob is busy
        ");
    }

    #[test]
    fn a_run_that_was_broken_off_is_kept_and_not_counted() {
        let mut series = series();
        series.add(Exit::Interrupted, run(Exit::Interrupted, "interrupted before it", None));
        series.interrupt();
        let summary = series.summary();
        assert_eq!((summary.done, summary.interrupted, summary.result.exit), (3, true, 4));
        assert!(summary.result.message.ends_with("(interrupted after 3 of 5)"), "{}", summary.result.message);
        assert_eq!(series.document().runs.len(), 4);
        let results = series.results(("peer", "bob"), NOW);
        assert_eq!(results.suites.len(), 3, "{:?}", results.suites);
        assert!(prometheus::write(&results.metrics).contains("letsmeet_call_exit_status{peer=\"bob\"} 7\n"));
        let mut nothing = Series::new(None);
        nothing.add(Exit::Terminated, run(Exit::Terminated, "interrupted before it", None));
        nothing.interrupt();
        assert_eq!(
            (nothing.exit(), nothing.summary().result.message),
            (Exit::Terminated, "interrupted before it".into())
        );
        assert_eq!(Series::<Report>::new(None).exit(), Exit::Interrupted);
    }

    #[test]
    fn all_that_were_planned_are_not_interrupted_by_what_comes_later() {
        let mut series = Series::new(Some(1));
        series.add(Exit::Ok, run(Exit::Ok, "you hung up", Some(25.0)));
        series.interrupt();
        let summary = series.summary();
        assert_eq!((summary.interrupted, summary.result.message.as_str()), (false, "1 of 1 run good"));
    }

    #[test]
    fn each_run_is_a_suite_the_last_one_has_the_series_and_all_are_one_service() {
        let results = series().results(("peer", "bob"), NOW);
        let xml = junit::write(&results.suites);
        for run in 1..=3 {
            assert!(xml.contains(&format!("<testsuite name=\"letsmeet.call.run-{run}\"")), "{xml}");
        }
        let text = prometheus::write(&results.metrics);
        assert!(text.contains("letsmeet_call_exit_status{peer=\"bob\"} 7\n"), "the last run's\n{text}");
        assert!(text.contains("letsmeet_call_runs{peer=\"bob\"} 3\n"), "{text}");
        assert!(text.contains("letsmeet_call_runs_ok{peer=\"bob\"} 1\n"), "{text}");
        let line = nagios::write(&results.service);
        assert!(line.starts_with("LETSMEET CRITICAL - 1 of 3 runs good; the worst was run 2"), "{line}");
        assert!(line.contains("'runs'=3 'runs_ok'=1") && line.contains("'receive.video.fps'=18.5"), "{line}");
    }

    #[test]
    fn visits_of_the_doctor_are_summed_up_in_the_same_way() {
        let visit = |exit: Exit, ms: u64| Diagnosis {
            schema: Diagnosis::SCHEMA,
            version: "1",
            result: Verdict { exit: exit.code(), name: exit.name().into(), message: "so".into() },
            checks: vec![Check::new("tcp", Pass, "so").took(Duration::from_millis(ms)).number("n", -0.0)],
        };
        let mut series = Series::new(Some(2));
        series.add(Exit::Ok, visit(Exit::Ok, 20));
        series.add(Exit::Signaling, visit(Exit::Signaling, 40));
        let summary = series.summary();
        assert_eq!(summary.result.message, "1 of 2 runs good; the worst was run 2, signaling: so");
        assert_eq!(summary.figures["tcp.took_ms"], Range { min: 20.0, p50: 30.0, max: 40.0, runs: 2 });
        assert_eq!(serde_json::to_value(&summary.figures["tcp.n"]).unwrap()["min"].to_string(), "0.0");
        let document = serde_json::to_value(series.document()).unwrap();
        assert_eq!((&document["command"], document["runs"].as_array().unwrap().len()), (&"doctor".into(), 2));
        let results = series.results(("server", "http://a"), NOW);
        assert!(junit::write(&results.suites).contains("<testsuite name=\"letsmeet.doctor.run-2\""));
        let text = prometheus::write(&results.metrics);
        assert!(text.contains("letsmeet_doctor_runs{server=\"http://a\"} 2\n"), "{text}");
        assert!(text.contains("letsmeet_doctor_runs_ok{server=\"http://a\"} 1\n"), "{text}");
    }

    #[test]
    fn reports_are_kept_within_bounds_and_runs_are_counted_beyond() {
        let mut series = Series::new(None);
        for _ in 0..KEPT + 5 {
            series.add(Exit::Ok, run(Exit::Ok, "you hung up", None));
        }
        assert_eq!((series.runs.len(), series.summary().done), (KEPT, KEPT as u64 + 5));
    }
}
