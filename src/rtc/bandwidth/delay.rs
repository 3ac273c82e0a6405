//! Is a queue growing on the path? Told from when packets left and when they arrived.
//!
//! Owns the least one-way delay that the path is known to have, the queueing delay of the last packets above it, and
//! the detector that says over-use. Must not know rates of sending, losses, or what is done about a queue.
//!
//! The judge is the *standing* queue: the least queueing delay in a short window. Jitter, overtaking and the time that
//! one large packet takes on a slow link add to some packets' delay and never to all, so the least is free of them; a
//! queue that never empties adds to all. The slope of the delays over arrival time (the trendline of
//! draft-ietf-rmcat-gcc-02, section 4.2, over packets in place of groups) tells a queue that grows or stays from one
//! that is being emptied. The threshold adapts to the jitter, to the time of a packet, and to a queue that others keep
//! (section 4.3 there).

use std::collections::VecDeque;

use super::Micros;
use super::history::Arrived;
use super::window::Least;

/// Delays remembered.
const POINTS: usize = 512;
/// A standing queue below this is none.
const THRESHOLD: f64 = 15_000.0;
/// The most that jitter adds to the threshold.
const MAX_JITTER: f64 = 20_000.0;
/// Share of a packet's time on the link that is added to the threshold.
const PACKET_SHARE: f64 = 0.4;
/// The most that a queue of others adds to the threshold, and how it comes and goes, per second.
const MAX_ALLOWANCE: f64 = 60_000.0;
const ALLOWANCE_RISE: f64 = 0.15;
const ALLOWANCE_FALL: f64 = 0.3;
/// Shortest and longest window for the standing queue, and the fewest packets in it.
const SHORTEST: Micros = 100_000;
const LONGEST: Micros = 450_000;
const FEWEST: usize = 4;
/// The queue falls by more than this share of the time: it is being emptied.
const EMPTYING: f64 = -0.08;
/// Where it rises by more than this share of the time, two packets suffice that are late by so many thresholds.
const RISING: f64 = 0.25;
const FAR: f64 = 2.3;
/// A queue that stays the same for this long, while we lower the rate, is the path's or someone else's; the same is
/// what differs by less than this.
const NOT_OURS: Micros = 2_000_000;
const SAME: Micros = 8_000;
/// Delays that jump by more than this come from another clock.
const CLOCK_SET: Micros = 10_000_000;

/// What the delays say of the path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Usage {
    /// No queue that stays.
    #[default]
    Normal,
    /// A queue grows or stays.
    Over,
    /// There is a queue, and it is getting shorter.
    Emptying,
}

/// The queue on the path as the last packets met it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Queue {
    pub(super) usage: Usage,
    /// The least queueing delay of the last packets.
    pub(super) standing: Micros,
    /// What it may be.
    pub(super) threshold: Micros,
}

/// The detector.
#[derive(Clone, Debug, Default)]
pub(super) struct Detector {
    least: Least,
    /// Arrival and queueing delay of the last packets.
    points: VecDeque<(Micros, Micros)>,
    /// Latest arrival.
    latest: Micros,
    last_delay: Option<Micros>,
    /// Mean difference between the delays of two packets.
    jitter: f64,
    allowance: f64,
    /// Since when the queue has stood, with the least and the most that it was in that time.
    standing_since: Option<(Micros, Micros, Micros)>,
    queue: Queue,
}

impl Detector {
    /// Takes what one feedback told. `packet_time` is how long the link takes for one of our larger packets.
    pub(super) fn arrived(&mut self, packets: &[Arrived], packet_time: Micros) -> Queue {
        if packets.is_empty() {
            return self.queue;
        }
        let before = self.latest;
        for packet in packets {
            self.take(packet);
        }
        let window = (packet_time.clamp(0, LONGEST) * 3).clamp(SHORTEST, LONGEST);
        let slope = self.slope(window * 3 / 2);
        let standing = self.standing(window, FEWEST);
        let elapsed = (self.latest - before).clamp(0, 500_000) as f64 / 1e6;
        let strict = THRESHOLD
            + (self.jitter * 2.0).min(MAX_JITTER)
            + packet_time.clamp(0, LONGEST / 3) as f64 * PACKET_SHARE;
        let threshold = strict + self.allowance;
        // Packets become rare at once where the link becomes narrow: two that are far too late suffice then.
        let rising = if slope > RISING { self.standing(0, 2) } else { 0 };
        let standing = if rising as f64 > threshold * FAR { rising } else { standing };
        let over = standing as f64 - threshold;
        if over > 0.0 {
            self.allowance = (self.allowance + over * ALLOWANCE_RISE * elapsed).min(MAX_ALLOWANCE);
        } else {
            self.allowance *= 1.0 - ALLOWANCE_FALL * elapsed;
        }
        let usage = match over > 0.0 {
            true if slope < EMPTYING => Usage::Emptying,
            true => Usage::Over,
            false => Usage::Normal,
        };
        self.queue = Queue { usage, standing, threshold: threshold as Micros };
        if standing as f64 > strict {
            self.perhaps_not_ours(standing);
        } else {
            self.standing_since = None;
        }
        self.queue
    }

    /// The queue as last judged.
    pub(super) fn queue(&self) -> Queue {
        self.queue
    }

    /// Another path: its delays say nothing about the former one's.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    /// The path was silent: its least delay holds, what was queued does not.
    pub(super) fn resume(&mut self) {
        self.points.clear();
        self.standing_since = None;
        self.queue = Queue::default();
    }

    fn take(&mut self, packet: &Arrived) {
        let delay = packet.arrival - packet.sent;
        if self.last_delay.is_some_and(|last| (delay - last).abs() > CLOCK_SET) {
            self.reset();
        }
        if let Some(last) = self.last_delay {
            self.jitter += ((delay - last).abs() as f64 - self.jitter) / 32.0;
        }
        self.last_delay = Some(delay);
        self.latest = if self.points.is_empty() { packet.arrival } else { self.latest.max(packet.arrival) };
        let known = self.least.value();
        self.least.add(packet.sent, delay);
        if let Some(lower) = known.filter(|known| delay < *known).map(|known| known - delay) {
            for (_, queued) in &mut self.points {
                *queued += lower;
            }
        }
        let queued = delay - self.least.value().unwrap_or(delay);
        self.points.push_back((packet.arrival, queued));
        if self.points.len() > POINTS {
            self.points.pop_front();
        }
    }

    fn standing(&self, window: Micros, fewest: usize) -> Micros {
        let recent = self.points.iter().rev().enumerate();
        let recent = recent.filter(|(age, (at, _))| *age < fewest || self.latest - at < window);
        recent.map(|(_, (_, queued))| *queued).min().unwrap_or(0)
    }

    /// How much the queueing delay changes in a time, by least squares over the last `window`.
    fn slope(&self, window: Micros) -> f64 {
        let recent = self.points.iter().rev().enumerate();
        let recent: Vec<(f64, f64)> = recent
            .filter(|(age, (at, _))| *age < FEWEST || self.latest - at < window)
            .map(|(_, (at, queued))| ((at - self.latest) as f64, *queued as f64))
            .collect();
        let count = recent.len() as f64;
        let mean = |values: &dyn Fn(&(f64, f64)) -> f64| recent.iter().map(values).sum::<f64>() / count;
        let (at, queued) = (mean(&|point| point.0), mean(&|point| point.1));
        let spread: f64 = recent.iter().map(|point| (point.0 - at).powi(2)).sum();
        let common: f64 = recent.iter().map(|point| (point.0 - at) * (point.1 - queued)).sum();
        if spread > 0.0 { common / spread } else { 0.0 }
    }

    /// Takes a queue that stays the same for long as part of the path: lowering the rate does not empty it.
    fn perhaps_not_ours(&mut self, standing: Micros) {
        let at = self.latest;
        let (since, least, most) = self.standing_since.get_or_insert((at, standing, standing));
        (*least, *most) = (standing.min(*least), standing.max(*most));
        if *most - *least > (*most / 10).max(SAME) {
            self.standing_since = Some((at, standing, standing));
        } else if at - *since > NOT_OURS {
            let least = *least;
            if let (Some(known), Some(last)) = (self.least.value(), self.points.back()) {
                self.least.restart(last.0, known + least);
            }
            self.resume();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packets every `gap` with what the path adds to each; feedback after every tenth.
    fn run(
        detector: &mut Detector,
        from: usize,
        count: usize,
        gap: Micros,
        path: impl Fn(usize) -> Micros,
    ) -> Vec<Usage> {
        let packets: Vec<Arrived> = (from..from + count)
            .map(|step| {
                let sent = step as Micros * gap;
                Arrived { sent, arrival: sent + 77_000_000 + path(step), bytes: 1_000, cluster: None }
            })
            .collect();
        packets.chunks(10).map(|chunk| detector.arrived(chunk, 8_000).usage).collect()
    }

    /// Noise without order, 0 to 10 ms.
    fn noise(step: usize) -> Micros {
        (step as Micros * 7_919_317 + 13) % 10_007
    }

    #[test]
    fn jitter_and_overtaking_are_no_queue() {
        let mut detector = Detector::default();
        let usages = run(&mut detector, 0, 5_000, 5_000, noise);
        assert!(usages.iter().all(|usage| *usage == Usage::Normal));
    }

    #[test]
    fn a_spike_of_sixty_milliseconds_is_no_queue() {
        let mut detector = Detector::default();
        let usages = run(&mut detector, 0, 5_000, 10_000, |step| {
            let behind = (step % 97) as Micros;
            noise(step) / 2 + (60_000 - behind * 10_000).max(0)
        });
        assert!(usages.iter().all(|usage| *usage != Usage::Over));
    }

    #[test]
    fn a_growing_queue_is_seen_within_two_hundred_milliseconds_and_its_end_as_well() {
        let mut detector = Detector::default();
        run(&mut detector, 0, 1_000, 10_000, noise);
        let growing =
            run(&mut detector, 1_000, 40, 10_000, |step| noise(step) + (step as Micros - 1_000) * 4_000);
        assert_eq!(growing[1], Usage::Over, "{growing:?}");
        let emptying =
            run(&mut detector, 1_040, 40, 10_000, |step| noise(step) + (1_080 - step as Micros) * 4_000);
        assert!(emptying.contains(&Usage::Emptying), "{emptying:?}");
        assert_eq!(emptying.last(), Some(&Usage::Normal));
    }

    #[test]
    fn a_longer_way_is_taken_for_what_it_is_after_a_while() {
        let mut detector = Detector::default();
        run(&mut detector, 0, 1_000, 10_000, noise);
        let usages = run(&mut detector, 1_000, 1_500, 10_000, |step| noise(step) + 80_000);
        assert_eq!(usages[5], Usage::Over);
        assert_eq!(usages.last(), Some(&Usage::Normal), "{usages:?}");
    }

    #[test]
    fn another_clock_is_another_start() {
        let mut detector = Detector::default();
        run(&mut detector, 0, 100, 10_000, noise);
        let usages = run(&mut detector, 100, 100, 10_000, |step| noise(step) + 3_600_000_000);
        assert!(usages.iter().all(|usage| *usage == Usage::Normal));
    }
}
