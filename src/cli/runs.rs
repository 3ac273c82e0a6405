//! Several runs of one command, one after the other: `--repeat` and `--every`.
//!
//! Owns what is said and written between them, and that an interrupt ends them with all that was done. What a run is, its command
//! knows.

use std::time::SystemTime;

use anyhow::Result;
use tokio::time::{Instant, sleep_until};

use super::args::{Results, Runs};
use super::exit::Exit;
use super::failure::Usage;
use super::output::results::Subject;
use super::output::series::{Outcome, Series};
use super::output::{Line, Output};
use super::repeat::Schedule;
use super::results::Status;
use super::signals::Signals;

impl Runs {
    /// Several runs, also when it is one of one: their output has a shape of its own.
    pub(super) fn several(&self) -> bool {
        self.repeat.is_some() || self.every.is_some()
    }

    /// Said before anything is begun.
    ///
    /// # Errors
    /// There would never be an outcome.
    pub(super) fn check(&self, results: &Results) -> Result<()> {
        if results.nagios && self.every.is_some() && self.repeat.is_none() {
            return Err(
                Usage::new("--nagios writes its line at the end: say with --repeat when that is").into()
            );
        }
        Ok(())
    }

    /// All runs. `once` is one of them, told how many came before; it says what a person or a script is to hear of it alone. A signal
    /// that it takes itself ends all of them by its exit; one that it leaves is seen when it is over.
    ///
    /// # Errors
    /// Those of `once`, a file that can't be written, a broken stdout.
    pub(super) async fn all<R: Outcome>(
        &self,
        output: &Output,
        results: &Results,
        subject: Subject<'_>,
        mut once: impl AsyncFnMut(u64, &mut Signals) -> Result<(Exit, R)>,
    ) -> Result<Status> {
        let mut schedule = Schedule::new(self.repeat, self.every);
        let mut series = Series::new(self.repeat);
        // Hears also what a run hears by itself, and keeps it until it is asked.
        let mut signals = Signals::listen()?;
        for run in 1.. {
            let Some(begins) = schedule.next(Instant::now()) else { break };
            tokio::select! {
                biased;
                _ = signals.next() => {
                    series.interrupt();
                    break;
                }
                () = sleep_until(begins) => {}
            }
            output.line(&Line::Run { run, of: self.repeat })?;
            let of = self.repeat.map_or_else(String::new, |all| format!(" of {all}"));
            output.say(&format!("Run {run}{of}:"))?;
            let (exit, outcome) = once(run - 1, &mut signals).await?;
            series.add(exit, outcome);
            results.write_files(&series.results(subject, SystemTime::now()))?;
            if matches!(exit, Exit::Interrupted | Exit::Terminated) {
                break;
            }
        }
        output.series(&series)?;
        results.write(series.exit(), &series.results(subject, SystemTime::now()))
    }
}
