//! What is known of the way to the terminal's eyes: how many bytes a second, and how long an empty one takes.
//!
//! Owns the two estimates. Knows nothing of pictures, fences in flight or what is decided from the figures;
//! told by [`super::Pace`] whenever something was proven to have arrived.
//!
//! Rate: each update is a train of bytes that leaves faster than the link carries it, so every arrival measures the
//! link itself, however little is sent on the whole. Nothing has to be probed to notice that a link became faster.

use std::time::Duration;

/// Bytes a second before anything was measured: 1 Mbit/s.
pub(super) const UNKNOWN_RATE: f64 = 125_000.0;

/// A terminal that answers nothing shows only how fast bytes are taken from us, which says little when something between
/// buffers them. More than 2 Mbit/s is not believed.
const UNANSWERED_RATE: f64 = 250_000.0;

/// Updates below this say nothing about the rate: jitter is as long as they are.
const SMALLEST_TRAIN: u64 = 1024;

/// The shortest time that is told from none; terminals and schedulers are no clocks.
const SHORTEST: f64 = 0.001;

/// What was measured counts half as much after this much time.
const HALF_LIFE: f64 = 0.25;

/// How long a shortest way is believed after it was last seen: two windows of this.
const BASE_WINDOW: Duration = Duration::from_secs(5);

/// Limits of the rate, so that what is computed from it stays finite.
const RATES: std::ops::RangeInclusive<f64> = 500.0..=1e9;

/// The estimates.
#[derive(Debug, Default)]
pub(super) struct Link {
    /// Bytes and seconds of the arrivals so far, both fading.
    bytes: f64,
    seconds: f64,
    measured: Option<Duration>,
    /// The shortest way and back of this window and of the one before.
    shortest: Option<Duration>,
    before: Option<Duration>,
    window: Duration,
}

impl Link {
    /// Starts with a way and back that was measured by somebody else, when there is one.
    pub(super) fn new(base: Option<Duration>) -> Self {
        Self { before: base, ..Self::default() }
    }

    /// Bytes a second.
    pub(super) fn rate(&self) -> f64 {
        match self.measured {
            None => UNKNOWN_RATE,
            Some(_) => (self.bytes / self.seconds).clamp(*RATES.start(), *RATES.end()),
        }
    }

    /// True once the rate is measured, not assumed.
    pub(super) fn is_measured(&self) -> bool {
        self.measured.is_some()
    }

    /// The way to the terminal and back with nothing in between; `None` before anything came back.
    pub(super) fn base(&self) -> Option<Duration> {
        match (self.shortest, self.before) {
            (Some(now), Some(before)) => Some(now.min(before)),
            (now, before) => now.or(before),
        }
    }

    /// The seconds that `bytes` occupy the link.
    pub(super) fn seconds_for(&self, bytes: u64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "sizes of screens, not of discs")]
        let bytes = bytes as f64;
        bytes / self.rate()
    }

    /// Something went to the terminal and back in `trip`.
    pub(super) fn returned(&mut self, now: Duration, trip: Duration) {
        if now.saturating_sub(self.window) > BASE_WINDOW {
            self.window = now;
            if let Some(shortest) = self.shortest.take() {
                self.before = Some(shortest);
            }
        }
        self.shortest = Some(self.shortest.map_or(trip, |shortest| shortest.min(trip)));
    }

    /// A train of `bytes` occupied the link for `busy`.
    pub(super) fn carried(&mut self, now: Duration, bytes: u64, busy: Duration) {
        if bytes < SMALLEST_TRAIN {
            return;
        }
        let busy = busy.as_secs_f64().max(SHORTEST);
        let since =
            self.measured.map_or(busy, |measured| now.saturating_sub(measured).as_secs_f64().max(busy));
        let keep = (-since / HALF_LIFE).exp2();
        #[expect(clippy::cast_precision_loss, reason = "sizes of screens, not of discs")]
        let bytes = bytes as f64;
        self.bytes = self.bytes * keep + bytes;
        self.seconds = self.seconds * keep + busy;
        self.measured = Some(now);
    }

    /// The rate is what the writes alone show.
    pub(super) fn distrust(&mut self) {
        if self.bytes > UNANSWERED_RATE * self.seconds {
            self.bytes = UNANSWERED_RATE * self.seconds;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn the_rate_is_bytes_over_busy_time_and_the_newest_count_most() {
        let mut link = Link::new(None);
        assert_eq!(link.rate(), UNKNOWN_RATE);
        link.carried(ms(100), 10_000, ms(100));
        assert!((link.rate() - 100_000.0).abs() < 1.0);
        for at in 2..30 {
            link.carried(ms(at * 100), 10_000, ms(10));
        }
        assert!((link.rate() - 1_000_000.0).abs() < 10_000.0, "{}", link.rate());
    }

    #[test]
    fn a_few_bytes_or_no_time_at_all_do_not_spoil_the_rate() {
        let mut link = Link::new(None);
        link.carried(ms(10), 200, ms(50));
        assert!(!link.is_measured());
        link.carried(ms(20), 5000, ms(0));
        assert!(link.rate().is_finite() && link.rate() >= 5_000_000.0);
    }

    #[test]
    fn a_way_that_became_longer_is_believed_after_two_windows() {
        let mut link = Link::new(Some(ms(40)));
        for second in 0..20 {
            link.returned(ms(second * 1000), ms(150));
        }
        assert_eq!(link.base(), Some(ms(150)));
        link.returned(ms(20_001), ms(30));
        assert_eq!(link.base(), Some(ms(30)), "a shorter one at once");
    }
}
