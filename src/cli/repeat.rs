//! `--repeat` and `--every`: when the next run begins, and whether there is one.
//!
//! Pure: time is an argument. What a run is and what all come to is told elsewhere.

use std::time::Duration;

use tokio::time::Instant;

/// The times at which runs begin.
#[derive(Debug)]
pub(super) struct Schedule {
    /// Runs that are left; `None` for as many as there is time for.
    left: Option<u64>,
    /// From start to start; without it a run follows the one before.
    every: Option<Duration>,
    /// When the last one was to begin.
    last: Option<Instant>,
}

impl Schedule {
    pub(super) fn new(runs: Option<u64>, every: Option<Duration>) -> Self {
        Self { left: runs, every, last: None }
    }

    /// When the next run begins, asked at `now`; `None` when there is none. A run that took longer than the time between two starts is followed
    /// at once, and the beat goes on from there: nothing is caught up with.
    pub(super) fn next(&mut self, now: Instant) -> Option<Instant> {
        if let Some(left) = &mut self.left {
            *left = left.checked_sub(1)?;
        }
        let begins = match (self.last, self.every) {
            (Some(last), Some(every)) => now.max(last + every),
            _ => now,
        };
        self.last = Some(begins);
        Some(begins)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn runs_begin_in_a_beat_that_does_not_drift() {
        let start = Instant::now();
        let mut schedule = Schedule::new(Some(3), Some(10 * SECOND));
        assert_eq!(schedule.next(start), Some(start));
        assert_eq!(schedule.next(start + 4 * SECOND), Some(start + 10 * SECOND));
        assert_eq!(schedule.next(start + 17 * SECOND), Some(start + 20 * SECOND));
        assert_eq!(schedule.next(start + 24 * SECOND), None);
    }

    #[test]
    fn a_run_that_took_too_long_is_followed_at_once_and_by_one_only() {
        let start = Instant::now();
        let mut schedule = Schedule::new(None, Some(10 * SECOND));
        assert_eq!(schedule.next(start), Some(start));
        assert_eq!(schedule.next(start + 35 * SECOND), Some(start + 35 * SECOND));
        assert_eq!(schedule.next(start + 36 * SECOND), Some(start + 45 * SECOND));
    }

    #[test]
    fn without_a_beat_one_follows_the_other() {
        let start = Instant::now();
        let mut schedule = Schedule::new(Some(2), None);
        assert_eq!(schedule.next(start), Some(start));
        assert_eq!(schedule.next(start + SECOND), Some(start + SECOND));
        assert_eq!(schedule.next(start + SECOND), None);
    }
}
