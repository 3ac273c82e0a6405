//! Sliding measures of the estimator: bytes in a time, and the least value of a long time.
//!
//! Pure arithmetic over times that others give. Must not know what is measured.

use std::collections::VecDeque;

use super::Micros;

/// Bytes that passed, with their times. Times that go back a little are taken as the latest; where they go back far
/// they are another clock's, and everything begins anew.
#[derive(Clone, Debug)]
pub(super) struct Flow {
    keep: Micros,
    begun: Option<Micros>,
    passed: VecDeque<Passed>,
}

#[derive(Clone, Copy, Debug)]
struct Passed {
    at: Micros,
    /// When it left; the same as `at` where one time is known only.
    sent: Micros,
    bytes: u64,
}

/// What passed, over some packets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rate {
    pub(super) bits_per_second: f64,
    /// They arrived as fast as they had left: nothing on the way made them slower.
    pub(super) kept_up: bool,
}

/// Packets kept up when they took no longer to arrive than so many times as long as to leave.
const KEPT_UP: f64 = 1.1;

/// A rate needs this long.
const SHORTEST: Micros = 100_000;
const CLOCK_SET: Micros = 10_000_000;
/// Entries kept, whatever the times say.
const KEPT: usize = 4_096;

impl Flow {
    /// Remembers `keep` of time.
    pub(super) fn new(keep: Micros) -> Self {
        Self { keep, begun: None, passed: VecDeque::new() }
    }

    /// `bytes` passed at `at`.
    pub(super) fn add(&mut self, at: Micros, bytes: u64) {
        self.arrived(at, at, bytes);
    }

    /// `bytes` that left at `sent` passed at `at`.
    pub(super) fn arrived(&mut self, at: Micros, sent: Micros, bytes: u64) {
        if self.passed.back().is_some_and(|last| last.at - at > CLOCK_SET) {
            self.clear();
        }
        let (at, sent) = self.passed.back().map_or((at, sent), |last| (at.max(last.at), sent.max(last.sent)));
        self.begun.get_or_insert(at);
        self.passed.push_back(Passed { at, sent, bytes });
        while self.passed.len() > KEPT || self.passed.front().is_some_and(|first| at - first.at > self.keep) {
            self.passed.pop_front();
        }
    }

    /// Bits per second over the last `span` and over `least` packets at least, none with less than that. The first
    /// packet only starts the clock.
    pub(super) fn rate(&self, span: Micros, least: usize) -> Option<Rate> {
        let last = *self.passed.back()?;
        let mut bytes = 0;
        for (count, first) in self.passed.iter().rev().enumerate() {
            let took = last.at - first.at;
            if took >= span && count >= least {
                let bits_per_second = bytes as f64 * 8e6 / took as f64;
                let kept_up = took as f64 <= (last.sent - first.sent) as f64 * KEPT_UP;
                return Some(Rate { bits_per_second, kept_up });
            }
            bytes += first.bytes;
        }
        None
    }

    /// Bits per second over the `span` that ends at `now`, silence included; over less when there was nothing before.
    pub(super) fn rate_until(&self, now: Micros, span: Micros) -> f64 {
        let begun = self.begun.map_or(0, |begun| now - begun);
        let span = span.min(begun.max(SHORTEST));
        let recent = self.passed.iter().rev().take_while(|passed| now - passed.at < span);
        recent.map(|passed| passed.bytes).sum::<u64>() as f64 * 8e6 / span.max(1) as f64
    }

    /// Bytes that passed from `from` on and before `to`.
    pub(super) fn between(&self, from: Micros, to: Micros) -> u64 {
        let behind = self.passed.iter().rev().skip_while(|passed| passed.at >= to);
        behind.take_while(|passed| passed.at >= from).map(|passed| passed.bytes).sum()
    }

    pub(super) fn clear(&mut self) {
        self.passed.clear();
        self.begun = None;
    }
}

/// The least of what was seen in the last half minute.
#[derive(Clone, Debug, Default)]
pub(super) struct Least {
    /// The least value of each part of the time, and when the part began.
    parts: VecDeque<(Micros, Micros)>,
}

const PART: Micros = 5_000_000;
const PARTS: usize = 6;

impl Least {
    /// Takes `value`, seen at `at`.
    pub(super) fn add(&mut self, at: Micros, value: Micros) {
        match self.parts.back_mut() {
            Some((start, least)) if at.saturating_sub(*start) < PART => *least = value.min(*least),
            _ => {
                self.parts.push_back((at, value));
                if self.parts.len() > PARTS {
                    self.parts.pop_front();
                }
            }
        }
    }

    pub(super) fn value(&self) -> Option<Micros> {
        self.parts.iter().map(|(_, least)| *least).min()
    }

    /// Forgets what was seen, and goes on from `value`.
    pub(super) fn restart(&mut self, at: Micros, value: Micros) {
        self.parts.clear();
        self.add(at, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_measured_between_packets() {
        let mut flow = Flow::new(1_000_000);
        for step in 0..20 {
            flow.add(step * 100_000, 1_250);
        }
        let even = Some(Rate { bits_per_second: 100_000.0, kept_up: true });
        assert_eq!((flow.rate(500_000, 3), flow.rate(100_000, 5)), (even, even));
        assert_eq!(flow.rate(500_000, 30), None);
        assert_eq!(flow.rate_until(1_900_000, 1_000_000), 100_000.0);
        assert_eq!(flow.rate_until(9_000_000, 1_000_000), 0.0);
    }

    #[test]
    fn what_arrives_more_slowly_than_it_left_was_held_up() {
        for (gap, kept_up) in [(100_000, true), (60_000, false)] {
            let mut flow = Flow::new(1_000_000);
            for step in 0..10 {
                flow.arrived(step * 100_000 + 7, step * gap, 1_250);
            }
            assert_eq!(flow.rate(500_000, 3), Some(Rate { bits_per_second: 100_000.0, kept_up }));
        }
    }

    #[test]
    fn bytes_are_counted_between_two_times() {
        let mut flow = Flow::new(1_000_000);
        (0..5).for_each(|step| flow.add(step * 100, 1 << step));
        assert_eq!((flow.between(100, 300), flow.between(0, 1_000), flow.between(401, 900)), (6, 31, 0));
    }

    #[test]
    fn a_clock_that_goes_back_far_begins_anew() {
        let mut flow = Flow::new(1_000_000);
        flow.add(Micros::MAX / 4, 1_000);
        for step in 0..10 {
            flow.add(step * 100_000, 1_250);
        }
        assert_eq!(flow.rate(500_000, 3).map(|rate| rate.bits_per_second), Some(100_000.0));
    }

    #[test]
    fn the_least_is_forgotten_after_half_a_minute() {
        let mut least = Least::default();
        least.add(0, -7);
        for second in 1..60 {
            least.add(second * 1_000_000, 40);
            let expected = if second < 30 { -7 } else { 40 };
            assert_eq!(least.value(), Some(expected), "after {second} s");
        }
    }
}
