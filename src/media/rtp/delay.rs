//! How late packets come: the least transit of the last seconds as the base, the spread above it
//! as a histogram that forgets, and from both the playout delay that is worth having.
//!
//! Owns no packets and no clock: times are microseconds since an epoch that the owner picks.

use std::collections::VecDeque;

/// What an estimator may answer and how fast it forgets.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The least delay, microseconds.
    pub floor: i64,
    /// The most, microseconds.
    pub ceiling: i64,
    /// Added to the measured spread for the grain of the playout clock, microseconds.
    pub margin: i64,
    /// The share of packets that should be in time, 0 to 1.
    pub quantile: f32,
}

/// Width of a histogram bucket, microseconds.
const BUCKET: i64 = 2_000;
/// Buckets of the histogram: a spread of up to 400 ms is told apart.
const BUCKETS: usize = 200;
/// What is left of an old observation after each new one: half is gone after 230.
const FORGET: f32 = 0.997;
/// Slots of the windowed minimum, one a second.
const SLOTS: i64 = 10;
const SLOT: i64 = 1_000_000;
/// How fast the memory of a late packet fades, microseconds of delay for each second.
const FADE: i64 = 10_000;

/// The estimator of one stream.
#[derive(Debug, Clone)]
pub struct DelayEstimator {
    limits: Limits,
    /// Least transit of each second, oldest first; at most [`SLOTS`] entries.
    minima: VecDeque<(i64, i64)>,
    histogram: Vec<f32>,
    total: f32,
    /// The delay a late packet would have needed, and when it was seen.
    peak: Option<(i64, i64)>,
}

impl DelayEstimator {
    /// Knows nothing: the target is the floor.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits, minima: VecDeque::new(), histogram: vec![0.0; BUCKETS], total: 0.0, peak: None }
    }

    /// Takes note of one packet: `transit` is arrival less media time. Returns how much later than
    /// the quickest it was.
    pub fn observe(&mut self, transit: i64, now: i64) -> i64 {
        self.note_transit(transit, now);
        let spread = (transit - self.base().unwrap_or(transit)).max(0);
        self.total = self.total * FORGET + 1.0;
        for weight in &mut self.histogram {
            *weight *= FORGET;
        }
        let bucket = usize::try_from(spread / BUCKET).unwrap_or(0).min(BUCKETS - 1);
        self.histogram[bucket] += 1.0;
        spread
    }

    /// The least transit of the last ten seconds; `None` before the first packet.
    #[must_use]
    pub fn base(&self) -> Option<i64> {
        self.minima.iter().map(|&(_, least)| least).min()
    }

    /// Raises the target at once, as after a packet that came `spread` too late to be played.
    pub fn late(&mut self, spread: i64, now: i64) {
        let need = spread.saturating_add(self.limits.margin);
        if need > self.faded_peak(now) {
            self.peak = Some((need.min(self.limits.ceiling), now));
        }
    }

    /// The playout delay above the base that keeps the wanted share of packets in time.
    #[must_use]
    pub fn target(&self, now: i64) -> i64 {
        let measured = self.spread(self.limits.quantile).map_or(0, |spread| spread + self.limits.margin);
        measured.max(self.faded_peak(now)).clamp(self.limits.floor, self.limits.ceiling)
    }

    fn faded_peak(&self, now: i64) -> i64 {
        self.peak.map_or(0, |(need, seen)| need - (now - seen).max(0).saturating_mul(FADE) / SLOT)
    }

    fn note_transit(&mut self, transit: i64, now: i64) {
        let slot = now.div_euclid(SLOT);
        match self.minima.back_mut() {
            Some((last, least)) if *last >= slot => *least = transit.min(*least),
            _ => self.minima.push_back((slot, transit)),
        }
        // At least one stays, so that silence does not lose the base.
        while self.minima.len() > 1 && self.minima.front().is_some_and(|&(s, _)| s <= slot - SLOTS) {
            self.minima.pop_front();
        }
    }

    /// How much later than the quickest at most this share of the packets is, 0 to 1; `None` before the first.
    #[must_use]
    pub fn spread(&self, share: f32) -> Option<i64> {
        if self.total <= 0.0 {
            return None;
        }
        let mut allowed = self.total * (1.0 - share);
        for (bucket, weight) in self.histogram.iter().enumerate().rev() {
            allowed -= weight;
            if allowed < 0.0 {
                return Some(bucket as i64 * BUCKET);
            }
        }
        Some(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { floor: 40_000, ceiling: 120_000, margin: 10_000, quantile: 0.98 };

    #[test]
    fn a_calm_network_stays_at_the_floor() {
        let mut estimator = DelayEstimator::new(LIMITS);
        for i in 0..1_000 {
            estimator.observe(5_000 + (i % 3) * 300, i * 20_000);
        }
        assert_eq!(estimator.target(20_000_000), LIMITS.floor);
        assert_eq!(estimator.base(), Some(5_000));
    }

    #[test]
    fn spread_raises_the_target_and_calm_lowers_it_again() {
        let mut estimator = DelayEstimator::new(LIMITS);
        for i in 0..500 {
            estimator.observe(if i % 5 == 0 { 70_000 } else { 0 }, i * 20_000);
        }
        let spread = estimator.target(10_000_000);
        assert!((70_000..=90_000).contains(&spread), "{spread}");
        for i in 500..1_700 {
            estimator.observe(0, i * 20_000);
        }
        assert_eq!(estimator.target(34_000_000), LIMITS.floor);
    }

    #[test]
    fn one_late_packet_counts_at_once_and_fades() {
        let mut estimator = DelayEstimator::new(LIMITS);
        estimator.observe(0, 0);
        estimator.late(80_000, 0);
        assert_eq!(estimator.target(0), 90_000);
        assert!(estimator.target(5_000_000) < 75_000);
        estimator.late(900_000, 5_000_000);
        assert_eq!(estimator.target(5_000_000), LIMITS.ceiling);
    }

    #[test]
    fn a_shorter_path_is_the_base_at_once_and_a_longer_one_after_ten_seconds() {
        let mut estimator = DelayEstimator::new(LIMITS);
        estimator.observe(50_000, 0);
        estimator.observe(20_000, 1_000_000);
        assert_eq!(estimator.base(), Some(20_000));
        for second in 2..12 {
            estimator.observe(60_000, second * 1_000_000);
        }
        assert_eq!(estimator.base(), Some(60_000));
    }
}
