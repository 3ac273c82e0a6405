//! When the next frame is due: absolute deadlines from one start, so that nothing drifts for hours.
//!
//! Owns arithmetic only; the threads wait.

use std::time::{Duration, Instant};

/// A beat of `rate` ticks in each `per` seconds, counted from `start`.
#[derive(Debug, Clone)]
pub struct Pacer {
    start: Instant,
    rate: u32,
    next: u64,
    skipped: u64,
}

impl Pacer {
    /// `rate` ticks a second, the first at `start`. A rate of 0 is taken as 1.
    #[must_use]
    pub fn new(start: Instant, rate: u32) -> Self {
        Self { start, rate: rate.max(1), next: 0, skipped: 0 }
    }

    /// When the next tick is due.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.at(self.next)
    }

    /// The number of the next tick if it is due at `now`. Ticks whose successor is due by more than
    /// `patience` as well are skipped: a beat that fell behind goes on in step.
    pub fn tick(&mut self, now: Instant, patience: Duration) -> Option<u64> {
        if now < self.deadline() {
            return None;
        }
        if now >= self.at(self.next + 1) + patience {
            let elapsed = now.saturating_duration_since(self.start).as_nanos();
            let current = u64::try_from(elapsed * u128::from(self.rate) / 1_000_000_000);
            let current = current.unwrap_or(u64::MAX / 2).max(self.next);
            self.skipped += current - self.next;
            self.next = current;
        }
        self.next += 1;
        Some(self.next - 1)
    }

    /// When tick `index` is due.
    #[must_use]
    pub fn at(&self, index: u64) -> Instant {
        let nanos = u128::from(index) * 1_000_000_000 / u128::from(self.rate);
        self.start + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// Ticks skipped so far.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.skipped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_of_thirty_frames_a_second_does_not_drift() {
        let start = Instant::now();
        let mut pacer = Pacer::new(start, 30);
        let mut now = start;
        for index in 0..30 * 3_600 * 24u64 {
            now = now.max(pacer.deadline()) + Duration::from_micros(index % 700);
            assert_eq!(pacer.tick(now, Duration::ZERO), Some(index));
        }
        assert_eq!(pacer.deadline(), start + Duration::from_secs(24 * 3_600));
    }

    #[test]
    fn after_a_stall_the_beat_goes_on_in_step() {
        let start = Instant::now();
        let mut pacer = Pacer::new(start, 25);
        assert_eq!(pacer.tick(start, Duration::ZERO), Some(0));
        assert_eq!(pacer.tick(start, Duration::ZERO), None);
        assert_eq!(pacer.tick(start + Duration::from_millis(1_010), Duration::ZERO), Some(25));
        assert_eq!(pacer.deadline(), start + Duration::from_millis(1_040));
        assert_eq!(pacer.skipped(), 24);
    }

    #[test]
    fn patience_catches_up_instead_of_skipping() {
        let start = Instant::now();
        let mut pacer = Pacer::new(start, 50);
        let late = start + Duration::from_millis(70);
        let caught: Vec<_> = std::iter::from_fn(|| pacer.tick(late, Duration::from_millis(100))).collect();
        assert_eq!(caught, [0, 1, 2, 3]);
    }
}
