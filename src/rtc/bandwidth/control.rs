//! The rate that follows from queue, losses and what got through (draft-ietf-rmcat-gcc-02, section 5.5, with a slow
//! start of its own and a decrease that empties the queue).
//!
//! Owns the target rate and the believed capacity. Must not know packets.
//!
//! - *Ramp*: the capacity is not known. The target doubles in [`DOUBLING`], for as long as no queue forms; what media
//!   do not fill is padded.
//! - *Steady*: near the believed capacity the target grows by a small constant, which makes several flows share; below
//!   it faster; above it, where the belief is proved wrong, faster as well, until a cluster shows what there is: room
//!   for a ramp, or the capacity itself.
//! - *Emptying*: a queue was seen. The target lies so far below what gets through that the queue is gone in about a
//!   second; when it is, the target goes back to just below capacity at once.

use super::Micros;
use super::delay::{Queue, Usage};

/// Time in which the target doubles in a ramp, and below the narrow rate, where a queue takes longer to show.
const DOUBLING: f64 = 0.5;
const NARROW_DOUBLING: f64 = 0.8;
const NARROW: f64 = 200_000.0;
/// A first ramp goes beyond the narrow rate when so many bits have passed that the token bucket of a link of the
/// narrowest rate would be empty: behind a full one any rate seems to get through.
const NARROWEST: f64 = 64_000.0;
const COMMON_BUCKET: f64 = 180_000.0;
/// Growth a second: below the believed capacity, without one, and beyond it.
const CATCHING_UP: f64 = 0.6;
const UNKNOWN: f64 = 0.2;
const BEYOND: f64 = 0.1;
/// Growth a second near capacity: equal steps, which make flows that share a link equal, but no more than this share of
/// the capacity. It is never less than the last, there and beyond, which leads back from a capacity that was believed too
/// low.
const NEAR: f64 = 24_000.0;
const NEAR_SHARE: f64 = 0.1;
const LEAST_NEAR: f64 = 5_000.0;
/// Above so many times the believed capacity the target is not near it, but beyond it.
const PROVED_WRONG: f64 = 1.06;
/// After a queue was emptied the target lies below what gets through by this share for each such unit of it: the larger
/// of two flows that share a link yields more.
const YIELD: f64 = 0.085;
const YIELD_UNIT: f64 = 400_000.0;
const LEAST_YIELD: f64 = 0.03;
const MOST_YIELD: f64 = 0.14;
/// Target while a queue is emptied, as a share of what gets through.
const WHILE: f64 = 0.95;
/// The target is lowered by so much more for each second of queue, up to the limit.
const EMPTYING: f64 = 1.2;
const MOST_EMPTYING: f64 = 0.75;
/// What arrived as fast as it left makes no less than this share of a known capacity.
const KEPT_UP: f64 = 0.8;
/// The target may be so much above what is really sent.
const ROOM: f64 = 1.5;
/// A cluster that begins a ramp was sent at so many times the target at least.
const RAMP_ROOM: f64 = 1.4;
/// A cluster got through when so much of it did.
const MOST_OF_IT: f64 = 0.8;
/// How long there must be no queue before a ramp.
const CLEAN: Micros = 500_000;
/// A token bucket lets its bits through above the capacity without a queue. It is forgotten at this rate with each
/// queue that came sooner, and this many times its bits must have passed to prove the capacity wrong.
const BUCKET_FADING: f64 = 0.85;
const BUCKET_MARGIN: f64 = 1.15;
/// So many seconds' worth of the capacity must have passed above it in any case; where that is very little, what a
/// common bucket holds: a ramp would be a queue of a second there.
const LEAST_EXCESS: f64 = 0.05;
const VERY_NARROW: f64 = 100_000.0;
/// The largest bucket that is reckoned with, in seconds of the capacity, and in bits.
const LONGEST_BUCKET: f64 = 2.5;
const LARGEST_BUCKET: f64 = 250_000.0;
/// A queue is gone after so long, if it is one.
const LONG: Micros = 1_000_000;
/// Steps of time that count at most.
const LONGEST_STEP: Micros = 300_000;

/// Why the target is what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Finding the capacity.
    Ramp,
    /// Near the capacity.
    Steady,
    /// Emptying a queue.
    Emptying,
}

/// What was measured until now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measured {
    pub(super) now: Micros,
    pub(super) queue: Queue,
    /// What got through in the last moments, as sent: bits per second, losses by chance added.
    pub(super) through: Option<f64>,
    /// It arrived as fast as it left.
    pub(super) kept_up: bool,
    /// What was sent in the last second.
    pub(super) sent: f64,
    /// Bits sent that were not reported on yet.
    pub(super) outstanding: f64,
    /// The shortest round trip of late.
    pub(super) round_trip: Micros,
    /// What the application would send if it could.
    pub(super) wanted: f64,
    pub(super) loss_limit: Option<f64>,
    /// More is lost than chance explains.
    pub(super) lossy: bool,
}

/// Bounds in bits per second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// Where to begin.
    pub start: f64,
    /// Never less than this.
    pub least: f64,
    /// Never more than this.
    pub most: f64,
}

/// The controller.
#[derive(Clone, Debug)]
pub(super) struct Control {
    bounds: Bounds,
    target: f64,
    capacity: Option<f64>,
    phase: Phase,
    updated: Option<Micros>,
    decreased: Option<Micros>,
    /// When emptying began last.
    emptying: Option<Micros>,
    /// Since when there has been no queue.
    clean_since: Micros,
    /// Bits that passed above the capacity since there was a queue, and that are known to pass without one.
    excess: f64,
    bucket: f64,
    /// Bits sent, and seconds passed, since the ramp began.
    ramped: (f64, f64),
    /// The queue when the target was lowered last.
    standing: Micros,
    /// The target before feedback stayed away.
    before_silence: Option<f64>,
}

impl Control {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            target: bounds.start.clamp(bounds.least, bounds.most.max(bounds.least)),
            capacity: None,
            phase: Phase::Steady,
            updated: None,
            decreased: None,
            emptying: None,
            clean_since: 0,
            excess: 0.0,
            bucket: 0.0,
            ramped: (0.0, 0.0),
            standing: 0,
            before_silence: None,
        }
    }

    pub(super) fn target(&self) -> f64 {
        self.target
    }

    pub(super) fn phase(&self) -> Phase {
        self.phase
    }

    pub(super) fn capacity(&self) -> Option<f64> {
        self.capacity
    }

    /// Whether a queue has been emptied for so long that it may be the path itself that has become longer.
    pub(super) fn empties_for_long(&self, now: Micros) -> bool {
        self.phase == Phase::Emptying && self.emptying.is_some_and(|since| now - since > LONG)
    }

    /// Takes what was measured.
    pub(super) fn update(&mut self, measured: &Measured) {
        let now = measured.now;
        let step = (now - self.updated.unwrap_or(now)).clamp(0, LONGEST_STEP) as f64 / 1e6;
        self.updated = Some(now);
        self.before_silence = None;
        match measured.queue.usage {
            Usage::Over => self.over(measured),
            Usage::Emptying => {
                self.clean_since = now;
                if let Some(capacity) = self.capacity.filter(|_| self.phase == Phase::Emptying) {
                    self.target = self.lowered(measured, capacity).max(self.target);
                }
            }
            Usage::Normal => self.normal(measured, step),
        }
        if let Some(limit) = measured.loss_limit.filter(|limit| *limit < self.target) {
            self.target = limit;
            if self.phase == Phase::Ramp {
                self.end_ramp(Some(limit));
            }
        }
        self.target = self.bound(self.target);
    }

    /// The rate of a cluster that would show room for a ramp, when it is time for one.
    pub(super) fn wants_cluster(&self, now: Micros, queue: &Queue, wanted: f64) -> Option<f64> {
        let proved_wrong = self.capacity.is_none_or(|capacity| {
            self.target > capacity * PROVED_WRONG
                && self.excess >= (self.bucket * BUCKET_MARGIN).max(least_excess(capacity))
        });
        let clean = now - self.clean_since >= CLEAN && queue.standing * 2 < queue.threshold;
        let room = wanted.min(self.bounds.most) > self.target * 1.1;
        (self.phase == Phase::Steady && proved_wrong && clean && room).then_some(self.target * 2.0)
    }

    /// A cluster came through: `received` of `sent` bits per second.
    pub(super) fn cluster(&mut self, now: Micros, sent: f64, received: f64) {
        let rate = received.min(sent);
        if self.phase != Phase::Steady {
            return;
        }
        let known = self.decreased.is_some() || self.capacity.is_some();
        if received >= MOST_OF_IT * sent && sent > self.target * RAMP_ROOM {
            self.phase = Phase::Ramp;
            self.ramped = (0.0, 0.0);
            self.target = self.bound(self.target.max((self.target * 1.25).min(rate * 0.8)));
        } else if known && rate > self.target * PROVED_WRONG && received < MOST_OF_IT * sent {
            // The link was the limit, and so wide: no token bucket looks like this.
            self.capacity = Some(rate * WHILE);
            self.excess = 0.0;
        } else if received > sent * MOST_OF_IT {
            // It left too slowly to show anything.
            self.clean_since = now;
        } else if self.decreased.is_none() && self.capacity.is_none() {
            // Nothing is known but this.
            self.capacity = Some(rate);
            self.target = self.bound(rate * 0.85);
        } else {
            self.capacity = Some(rate.max(self.target));
            self.clean_since = now;
            self.excess = 0.0;
        }
    }

    /// Nothing is heard although something was sent: half of the rate each time.
    pub(super) fn silent(&mut self) {
        self.before_silence.get_or_insert(self.target);
        self.target = self.bound(self.target * 0.5);
        if self.phase == Phase::Ramp {
            self.phase = Phase::Steady;
        }
    }

    /// Feedback is back after `silence`. After a long one the path may be another: begins anew, not too high.
    pub(super) fn heard(&mut self, now: Micros, long: bool) {
        let Some(before) = self.before_silence.take() else { return };
        self.target =
            self.bound(if long { (before * 0.5).min(self.bounds.start * 2.0) } else { before * 0.85 });
        self.updated = Some(now);
        self.clean_since = now;
        if long {
            (self.capacity, self.decreased, self.bucket, self.excess) = (None, None, 0.0, 0.0);
            self.phase = Phase::Steady;
        }
    }

    fn bound(&self, rate: f64) -> f64 {
        rate.clamp(self.bounds.least, self.bounds.most.max(self.bounds.least))
    }

    /// There is a queue: lowers the target as far as the queue is long.
    fn over(&mut self, measured: &Measured) {
        let now = measured.now;
        self.clean_since = now;
        let begins = self.phase != Phase::Emptying;
        let most = if begins { self.target * 1.2 } else { f64::INFINITY };
        let through = measured.through.unwrap_or(self.target).min(most);
        if self.phase == Phase::Ramp && self.capacity.is_none() {
            let passed = self.ramped.0 - through * self.ramped.1;
            self.bucket = passed.clamp(0.0, largest_bucket(through));
        }
        // The little that came through as fast as it was sent says nothing of how much more would have.
        let at_least = |known: f64| if measured.kept_up { through.max(known * KEPT_UP) } else { through };
        let capacity = match self.capacity {
            Some(known) if begins => {
                let as_known = (through / known - 1.0).abs();
                if as_known < 0.3 {
                    let passed = self.excess.min(largest_bucket(known));
                    self.bucket = (self.bucket * BUCKET_FADING).max(passed);
                }
                if as_known < 0.2 { known * 0.6 + through * 0.4 } else { at_least(known) }
            }
            // As long as the queue grows the link is busy: what gets through is what it carries.
            Some(known) if through < known && measured.queue.standing > self.standing => {
                known * 0.6 + at_least(known) * 0.4
            }
            Some(known) => known,
            None => through,
        };
        self.excess = 0.0;
        self.standing = measured.queue.standing;
        self.capacity = Some(capacity);
        let lowered = self.lowered(measured, capacity);
        self.target = if begins { lowered.min(self.target * 0.97) } else { lowered.min(self.target) };
        if begins {
            self.emptying = Some(now);
        }
        self.phase = Phase::Emptying;
        self.decreased = Some(now);
    }

    /// The target at which a queue is gone in about a second.
    fn lowered(&self, measured: &Measured, capacity: f64) -> f64 {
        // What is on its way and not reported yet is in the queue as well, beyond a round trip's worth.
        let on_its_way = measured.outstanding / capacity.max(1.0) - measured.round_trip as f64 / 1e6;
        let queue = (measured.queue.standing as f64 / 1e6).max(on_its_way);
        capacity * WHILE * (1.0 - (queue * EMPTYING).clamp(0.0, MOST_EMPTYING))
    }

    fn normal(&mut self, measured: &Measured, step: f64) {
        let (now, queue) = (measured.now, &measured.queue);
        let hardly_any = queue.standing * 10 < queue.threshold * 6;
        if self.phase == Phase::Emptying {
            self.clean_since = now;
            if !hardly_any {
                return;
            }
            self.phase = Phase::Steady;
            if let Some(capacity) = self.capacity {
                self.target = self.target.max(after(capacity));
            }
            return;
        }
        if !hardly_any {
            self.clean_since = now;
            if self.phase == Phase::Ramp {
                self.end_ramp(measured.through);
            }
            return;
        }
        if measured.lossy {
            if self.phase == Phase::Ramp {
                self.end_ramp(measured.through);
            }
            return;
        }
        let most = (measured.sent * ROOM).max(self.target).max(NARROWEST);
        let wanted = measured.wanted.min(self.bounds.most);
        if self.phase == Phase::Ramp {
            if let Some(capacity) = self.capacity {
                self.excess = (self.excess + (measured.sent - capacity) * step).max(0.0);
            }
            self.ramped = (self.ramped.0 + measured.sent * step, self.ramped.1 + step);
            let doubling = if self.target < NARROW { NARROW_DOUBLING } else { DOUBLING };
            let mut grown = (self.target * 2f64.powf(step / doubling)).min(most);
            if self.capacity.is_none() && self.ramped.0 - NARROWEST * self.ramped.1 < COMMON_BUCKET {
                grown = grown.min(NARROW.max(self.target));
            }
            self.target = grown;
            if self.target >= wanted {
                self.phase = Phase::Steady;
            }
            return;
        }
        if let Some(capacity) = self.capacity {
            self.excess = (self.excess + (measured.sent - capacity) * step).max(0.0);
        }
        // Who sends little learns nothing, except that what was believed before still holds.
        let believed = self.capacity.is_some_and(|capacity| self.target < after(capacity));
        // So little is soon found out to be too much; and where there is room for sound alone no more would ever be sent.
        let little = self.target < NARROWEST;
        if self.target >= wanted || (measured.sent < 0.7 * self.target && !believed && !little) {
            return;
        }
        let growth = match self.capacity {
            None => self.target * UNKNOWN,
            Some(capacity) if self.target < after(capacity) => self.target * CATCHING_UP,
            Some(capacity) if self.target < capacity * PROVED_WRONG => {
                (capacity * NEAR_SHARE).clamp(LEAST_NEAR, NEAR)
            }
            Some(_) => (self.target * BEYOND).max(LEAST_NEAR),
        };
        self.target = (self.target + growth * step).min(most);
    }

    fn end_ramp(&mut self, through: Option<f64>) {
        self.phase = Phase::Steady;
        if let Some(through) = through {
            self.capacity = Some(through);
            self.target = self.target.min(through.max(self.target * 0.6));
        }
    }
}

/// The most bits that a token bucket is believed to let through.
fn largest_bucket(capacity: f64) -> f64 {
    (capacity * LONGEST_BUCKET).clamp(0.0, LARGEST_BUCKET)
}

/// The bits that must have passed above this capacity in any case to prove it wrong.
fn least_excess(capacity: f64) -> f64 {
    if capacity < VERY_NARROW { COMMON_BUCKET } else { capacity * LEAST_EXCESS }
}

/// The target after a queue was emptied on a path of this capacity.
fn after(capacity: f64) -> f64 {
    capacity * (1.0 - (YIELD * capacity / YIELD_UNIT).clamp(LEAST_YIELD, MOST_YIELD))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { start: 100_000.0, least: 16_000.0, most: 2_000_000.0 };
    const STEP: Micros = 100_000;

    fn measured(now: Micros, standing: Micros, through: f64, sent: f64) -> Measured {
        let usage = if standing > 30_000 { Usage::Over } else { Usage::Normal };
        Measured {
            now,
            queue: Queue { usage, standing, threshold: 30_000 },
            through: Some(through),
            kept_up: false,
            sent,
            outstanding: sent * 0.1,
            round_trip: 100_000,
            wanted: 1e6,
            loss_limit: None,
            lossy: false,
        }
    }

    /// A controller that went through a ramp and met a queue at 500 kbit/s.
    fn settled() -> (Control, Micros) {
        let mut control = Control::new(BOUNDS);
        control.cluster(0, 300_000.0, 300_000.0);
        assert_eq!(control.phase(), Phase::Ramp);
        let mut now = 0;
        while control.target() < 500_000.0 {
            now += STEP;
            control.update(&measured(now, 0, control.target(), control.target()));
            assert!(now < 6_000_000, "stuck at {}", control.target());
        }
        control.update(&measured(now, 60_000, 500_000.0, control.target()));
        (control, now)
    }

    #[test]
    fn a_ramp_ends_with_the_first_queue_and_the_target_falls_below_what_gets_through() {
        let (mut control, mut now) = settled();
        assert_eq!((control.phase(), control.capacity()), (Phase::Emptying, Some(500_000.0)));
        assert!(control.target() < 475_000.0 && control.target() > 400_000.0, "{}", control.target());
        now += STEP;
        control.update(&measured(now, 5_000, 440_000.0, 440_000.0));
        assert_eq!(control.phase(), Phase::Steady);
        assert!(control.target() > 430_000.0 && control.target() < 480_000.0, "{}", control.target());
    }

    #[test]
    fn the_little_that_came_through_as_fast_as_it_was_sent_proves_no_small_capacity() {
        let (control, now) = settled();
        let capacity = |kept_up| {
            let mut control = control.clone();
            control.update(&measured(now + STEP, 0, 450_000.0, 450_000.0));
            control.update(&measured(now + 2 * STEP, 0, 450_000.0, 450_000.0));
            control.update(&Measured { kept_up, ..measured(now + 3 * STEP, 60_000, 60_000.0, 60_000.0) });
            control.capacity().unwrap()
        };
        assert_eq!((capacity(false), capacity(true)), (60_000.0, 400_000.0));
    }

    #[test]
    fn from_a_capacity_that_was_believed_too_low_it_grows_back_in_seconds() {
        let (mut control, mut now) = settled();
        now += STEP;
        for standing in 1..=10 {
            now += STEP;
            control.update(&measured(now, standing * 90_000, 16_000.0, 16_000.0));
        }
        assert!(control.capacity() < Some(25_000.0) && control.target() < 25_000.0, "{control:?}");
        for _ in 0..80 {
            now += STEP;
            control.update(&measured(now, 0, control.target(), control.target()));
        }
        assert!(control.target() > 50_000.0, "{}", control.target());
    }

    #[test]
    fn a_long_queue_is_emptied_faster_than_a_short_one() {
        let (mut short, now) = settled();
        let mut long = short.clone();
        short.update(&measured(now + STEP, 60_000, 500_000.0, 450_000.0));
        long.update(&measured(now + STEP, 600_000, 500_000.0, 450_000.0));
        assert!(long.target() < short.target() * 0.5, "{} {}", long.target(), short.target());
    }

    #[test]
    fn who_sends_little_neither_gains_nor_loses() {
        let (mut control, mut now) = settled();
        for _ in 0..5 {
            now += STEP;
            control.update(&measured(now, 0, 440_000.0, 440_000.0));
        }
        let before = control.target();
        for _ in 0..600 {
            now += STEP;
            control.update(&measured(now, 0, 30_000.0, 30_000.0));
        }
        assert_eq!(control.target(), before);
        assert_eq!(control.wants_cluster(now, &Queue { threshold: 30_000, ..Queue::default() }, 1e6), None);
    }

    #[test]
    fn a_capacity_that_is_proved_wrong_is_probed_and_one_that_holds_is_not() {
        let (mut control, mut now) = settled();
        let quiet = Queue { threshold: 30_000, ..Queue::default() };
        let mut cluster = None;
        for _ in 0..200 {
            now += STEP;
            control.update(&measured(now, 0, control.target(), control.target()));
            cluster = control.wants_cluster(now, &quiet, 1e6);
            if cluster.is_some() {
                break;
            }
            assert!(control.target() < 700_000.0, "no cluster at {}", control.target());
        }
        let rate = cluster.unwrap();
        assert!(control.target() > 500_000.0 * PROVED_WRONG);
        let mut held = control.clone();
        held.cluster(now, rate, control.target());
        assert_eq!(held.phase(), Phase::Steady);
        assert_eq!(held.wants_cluster(now, &quiet, 1e6), None);
        control.cluster(now, rate, rate * 0.95);
        assert_eq!(control.phase(), Phase::Ramp);
    }

    #[test]
    fn silence_halves_the_rate_and_its_end_gives_most_of_it_back() {
        let (mut control, now) = settled();
        let before = control.target();
        control.silent();
        control.silent();
        assert_eq!(control.target(), before / 4.0);
        control.heard(now + 1_500_000, false);
        assert!((control.target() / before - 0.85).abs() < 0.01);
        for _ in 0..20 {
            control.silent();
        }
        assert_eq!(control.target(), BOUNDS.least);
        control.heard(now + 20_000_000, true);
        assert!((control.target() / before - 0.425).abs() < 0.01 && control.capacity().is_none());
    }

    #[test]
    fn losses_that_the_rate_explains_limit_it() {
        let (mut control, mut now) = settled();
        now += STEP;
        control.update(&Measured { loss_limit: Some(250_000.0), ..measured(now, 0, 450_000.0, 450_000.0) });
        assert_eq!(control.target(), 250_000.0);
    }
}
