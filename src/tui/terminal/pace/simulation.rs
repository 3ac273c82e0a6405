//! The pace against a link in virtual time: a rate that may change, a way of any length, and a buffer so deep
//! that every write succeeds at once, as ssh's does.

use std::collections::VecDeque;
use std::time::Duration;

use proptest::prelude::*;

use super::*;

/// One step of virtual time.
const STEP: Duration = Duration::from_millis(1);

/// The threshold that a picture has when the link is no matter.
fn finest() -> f32 {
    Quality::default().threshold
}

/// The way to a terminal.
#[derive(Debug, Clone)]
struct Way {
    /// Bytes a second from a moment on, in order.
    rates: Vec<(Duration, f64)>,
    /// One way, empty.
    base: Duration,
    /// Added to the way of each packet, up to this.
    jitter: Duration,
    /// Bytes that travel together; 0 when each travels for itself.
    packet: f64,
    /// The terminal answers fences within this time.
    answers: Vec<std::ops::Range<Duration>>,
    /// Bytes that are taken at once; the next ones wait.
    buffer: f64,
}

/// A picture source: bytes by what the knobs say.
#[derive(Debug, Clone, Copy)]
struct Source {
    /// A whole picture at full size.
    whole: f64,
    /// A usual picture at full size and the usual threshold.
    usual: f64,
    /// Sizes vary by this part.
    varies: f64,
}

/// Octants at 160x48 cells, as heavy as a talking head gets.
const LARGE: Source = Source { whole: 180_000.0, usual: 60_000.0, varies: 0.3 };
/// Quadrants at 80x24 cells.
const SMALL_PICTURE: Source = Source { whole: 40_000.0, usual: 18_000.0, varies: 0.3 };

#[derive(Debug, Clone, Copy)]
enum Item {
    Bytes(f64),
    Fence,
    /// The end of an update: its number.
    End(usize),
}

/// An update that was composed.
#[derive(Debug, Clone, Copy)]
struct Update {
    at: Duration,
    seen: Option<Duration>,
    picture: bool,
    quality: Quality,
}

struct Simulation {
    way: Way,
    source: Source,
    pace: Pace,
    now: Duration,
    queue: VecDeque<Item>,
    /// What the link may carry of the present packet before the next is formed.
    credit: f64,
    packet: Vec<Item>,
    packet_left: f64,
    travelling: VecDeque<(Duration, Item)>,
    replies: VecDeque<Duration>,
    updates: Vec<Update>,
    scale: Option<f32>,
    seed: u64,
    /// When the picture that is being drawn will be done.
    composing: Option<Duration>,
    /// Bytes written that the buffer has not taken.
    blocked: bool,
    /// Since when an update without a picture is wanted, and how long the longest waited.
    wanted: Option<Duration>,
    longest_wait: Duration,
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

impl Way {
    fn steady(rate: f64, base: u64) -> Self {
        Self {
            rates: vec![(Duration::ZERO, rate)],
            base: ms(base),
            jitter: Duration::ZERO,
            packet: 0.0,
            answers: vec![Duration::ZERO..Duration::MAX],
            buffer: 2e6,
        }
    }
}

impl Simulation {
    fn new(way: Way, source: Source) -> Self {
        Self::with(PaceConfig { fences: true, link: None }, way, source)
    }

    fn with(config: PaceConfig, way: Way, source: Source) -> Self {
        Self {
            way,
            source,
            pace: Pace::new(config),
            now: Duration::ZERO,
            queue: VecDeque::new(),
            credit: 0.0,
            packet: Vec::new(),
            packet_left: 0.0,
            travelling: VecDeque::new(),
            replies: VecDeque::new(),
            updates: Vec::new(),
            scale: None,
            seed: 1,
            composing: None,
            blocked: false,
            wanted: None,
            longest_wait: Duration::ZERO,
        }
    }

    /// 0 to 1, the same in every run.
    fn random(&mut self) -> f64 {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f64::from((self.seed >> 33) as u32) / f64::from(1u32 << 31)
    }

    /// Runs until `end`: a picture of 25 a second, a clock once a second, keys now and then.
    fn run(&mut self, end: Duration) {
        let mut fresh = false;
        while self.now < end {
            self.link();
            while self.replies.front().is_some_and(|at| *at <= self.now) {
                self.replies.pop_front();
                if self.way.answers.iter().any(|range| range.contains(&self.now)) {
                    self.pace.reached(self.now);
                }
            }
            let tick = self.now.as_millis();
            fresh |= tick.is_multiple_of(40);
            if (tick.is_multiple_of(1000) || tick % 1370 < 2) && self.wanted.is_none() {
                self.wanted = Some(self.now);
            }
            if self.queued() < self.way.buffer && self.blocked {
                self.blocked = false;
                self.pace.written(self.now);
            }
            if let Some(at) = self.composing {
                if at <= self.now {
                    self.composing = None;
                    self.picture();
                }
            } else if fresh && self.may_send(true) {
                fresh = false;
                if self.pace.begin(self.now) {
                    self.queue.push_back(Item::Fence);
                }
                self.composing = Some(self.now + ms(3));
            } else if self.wanted.is_some() && self.may_send(false) {
                let bytes = 60.0 + self.random() * 300.0;
                self.compose(bytes, false);
            }
            self.now += STEP;
        }
    }

    /// Whether it may; and whether the time that it names is one that comes.
    fn may_send(&mut self, picture: bool) -> bool {
        let may = self.pace.may_send(self.now, picture);
        match self.pace.next_check(self.now, picture) {
            Some(at) => assert_eq!(at <= self.now, may, "next check {at:?} at {:?}", self.now),
            None => assert!(!may),
        }
        may
    }

    fn picture(&mut self) {
        let Quality { threshold, scale } = self.pace.quality();
        assert!((finest()..=256.0).contains(&threshold) && (0.5..=1.0).contains(&scale));
        let area = f64::from(scale).powi(2);
        let varies = 1.0 + (self.random() * 2.0 - 1.0) * self.source.varies;
        let bytes = if self.scale.replace(scale) == Some(scale) {
            self.source.usual * area * f64::from(finest() / threshold).sqrt() * varies
        } else {
            self.source.whole * area
        };
        self.compose(bytes.min(self.source.whole), true);
    }

    fn compose(&mut self, bytes: f64, picture: bool) {
        if let Some(since) = self.wanted.take() {
            self.longest_wait = self.longest_wait.max(self.now - since);
        }
        let quality = self.pace.quality();
        let fenced = self.pace.composed(self.now, bytes as u64, picture);
        if fenced.before {
            self.queue.push_back(Item::Fence);
        }
        self.queue.push_back(Item::Bytes(bytes));
        self.queue.push_back(Item::End(self.updates.len()));
        if fenced.after {
            self.queue.push_back(Item::Fence);
        }
        self.updates.push(Update { at: self.now, seen: None, picture, quality });
        self.blocked = true;
    }

    fn queued(&self) -> f64 {
        self.queue.iter().map(|item| if let Item::Bytes(bytes) = item { *bytes } else { 0.0 }).sum()
    }

    /// One step of the link and of the terminal.
    fn link(&mut self) {
        let rate =
            self.way.rates.iter().rev().find(|(from, _)| *from <= self.now).map_or(0.0, |(_, rate)| *rate);
        self.credit += rate * STEP.as_secs_f64();
        loop {
            if self.packet.is_empty() && !self.form_packet() {
                // An idle link saves nothing.
                self.credit = 0.0;
                break;
            }
            if self.packet_left > self.credit {
                break;
            }
            self.credit -= self.packet_left;
            let jitter = self.way.jitter.mul_f64(self.random());
            let arrives = self.now + self.way.base + jitter;
            let arrives = self.travelling.back().map_or(arrives, |(last, _)| arrives.max(*last));
            self.travelling.extend(self.packet.drain(..).map(|item| (arrives, item)));
        }
        while let Some((at, item)) = self.travelling.front().copied()
            && at <= self.now
        {
            self.travelling.pop_front();
            match item {
                Item::Bytes(_) => {}
                Item::Fence => self.replies.push_back(self.now + self.way.base),
                Item::End(number) => self.updates[number].seen = Some(self.now),
            }
        }
    }

    /// Takes what waits, up to a packet; a packet of less than 2 kB when packets do not matter.
    fn form_packet(&mut self) -> bool {
        let mut room = if self.way.packet > 0.0 { self.way.packet } else { 100.0 };
        self.packet_left = 0.0;
        while let Some(item) = self.queue.front_mut() {
            match item {
                Item::Bytes(bytes) if room < 1.0 && *bytes > 0.0 => break,
                Item::Bytes(bytes) => {
                    let part = bytes.min(room);
                    room -= part;
                    self.packet_left += part;
                    *bytes -= part;
                    if *bytes > 0.0 {
                        break;
                    }
                    self.queue.pop_front();
                }
                Item::Fence | Item::End(_) => self.packet.extend(self.queue.pop_front()),
            }
        }
        if self.packet_left > 0.0 {
            self.packet.push(Item::Bytes(0.0));
        }
        !self.packet.is_empty()
    }

    /// The delays of the updates composed within a time, worst last.
    fn delays(&self, from: u64, to: u64) -> Vec<Duration> {
        let mut delays: Vec<Duration> = self
            .updates
            .iter()
            .filter(|update| (ms(from)..ms(to)).contains(&update.at))
            .map(|update| update.seen.unwrap_or(self.now) - update.at)
            .collect();
        delays.sort();
        delays
    }

    fn worst(&self, from: u64, to: u64) -> Duration {
        self.delays(from, to).last().copied().unwrap_or_default()
    }

    /// Pictures a second composed within a time.
    fn fps(&self, from: u64, to: u64) -> f64 {
        let pictures = self
            .updates
            .iter()
            .filter(|update| update.picture && (ms(from)..ms(to)).contains(&update.at))
            .count();
        pictures as f64 * 1000.0 / (to - from) as f64
    }

    fn quality(&self, at: u64) -> Quality {
        self.updates
            .iter()
            .rev()
            .find(|update| update.picture && update.at <= ms(at))
            .expect("a picture")
            .quality
    }

    /// How often the size changed within a time.
    fn resizes(&self, from: u64, to: u64) -> usize {
        let scales: Vec<f32> = self
            .updates
            .iter()
            .filter(|update| update.picture && (ms(from)..ms(to)).contains(&update.at))
            .map(|update| update.quality.scale)
            .collect();
        scales.windows(2).filter(|pair| pair[0] != pair[1]).count()
    }

    fn tell(&self, what: &str, from: u64, to: u64) {
        let delays = self.delays(from, to);
        println!(
            "{what}: {:.1} fps, delay median {:?} worst {:?}, {:?}, resizes {}, longest wait {:?}, {:?}",
            self.fps(from, to),
            delays.get(delays.len() / 2),
            delays.last(),
            self.quality(to),
            self.resizes(from, to),
            self.longest_wait,
            self.pace.stats().rate,
        );
    }
}

const MBIT: f64 = 125_000.0;

#[test]
fn one_megabit_keeps_every_update_under_300_ms_behind() {
    for base in [0, 40, 150] {
        for packet in [0.0, 4096.0, 16_384.0] {
            for source in [SMALL_PICTURE, LARGE] {
                let mut way = Way::steady(MBIT, base);
                way.packet = packet;
                let mut simulation = Simulation::new(way, source);
                simulation.run(ms(30_000));
                simulation.tell(&format!("base {base} packet {packet} whole {}", source.whole), 1000, 30_000);
                assert!(simulation.worst(1000, 29_000) < ms(300), "{:?}", simulation.worst(1000, 29_000));
                assert!(simulation.fps(1000, 30_000) >= 6.5);
                assert!(simulation.longest_wait < ms(300));
            }
        }
    }
}

#[test]
fn a_fast_terminal_gets_25_frames_a_second_at_full_quality() {
    for base in [0, 5, 40] {
        let mut simulation = Simulation::new(Way::steady(10e6, base), LARGE);
        simulation.run(ms(10_000));
        simulation.tell(&format!("10 MB/s base {base}"), 1000, 10_000);
        assert!(simulation.fps(1000, 10_000) > 24.8);
        assert_eq!(simulation.quality(1000), Quality::default());
        assert_eq!(simulation.resizes(1000, 10_000), 0);
        assert!(simulation.worst(500, 9900) < ms(base + 60));
    }
}

#[test]
fn a_change_of_the_rate_is_followed_both_ways() {
    for base in [0, 20, 80] {
        let mut way = Way::steady(4.0 * MBIT, base);
        way.rates = vec![(ms(0), 4.0 * MBIT), (ms(10_000), 0.5 * MBIT), (ms(20_000), 4.0 * MBIT)];
        let mut simulation = Simulation::new(way, SMALL_PICTURE);
        simulation.run(ms(30_000));
        for (from, to) in
            [(2000, 10_000), (10_000, 12_000), (12_000, 20_000), (20_000, 22_000), (22_000, 29_000)]
        {
            simulation.tell(&format!("base {base} {from}..{to}"), from, to);
        }
        assert!(simulation.worst(12_000, 20_000) < ms(300));
        assert!(simulation.worst(21_000, 29_000) < ms(300));
        assert!(simulation.fps(22_000, 29_000) > 0.9 * simulation.fps(2000, 10_000));
        assert_eq!(simulation.quality(22_000).scale, 1.0);
        assert!(simulation.quality(22_000).threshold < 40.0);
    }
}

#[test]
fn a_quarter_of_a_megabit_has_few_small_pictures_but_no_backlog() {
    for base in [10, 60] {
        let mut simulation = Simulation::new(Way::steady(0.256 * MBIT, base), SMALL_PICTURE);
        simulation.run(ms(30_000));
        simulation.tell(&format!("256 kbit/s base {base}"), 2000, 30_000);
        assert!(simulation.worst(2000, 29_000) < ms(300));
        assert!(simulation.fps(2000, 29_000) > 5.0);
        assert!(simulation.longest_wait < ms(300));
    }
}

#[test]
fn jitter_costs_frames_but_neither_backlog_nor_size() {
    let mut way = Way::steady(4.0 * MBIT, 30);
    way.jitter = ms(20);
    let mut simulation = Simulation::new(way, SMALL_PICTURE);
    simulation.run(ms(20_000));
    simulation.tell("jitter", 2000, 20_000);
    assert!(simulation.worst(2000, 19_000) < ms(300));
    assert!(simulation.fps(2000, 20_000) > 12.0);
    assert!(simulation.resizes(2000, 20_000) <= 2);
    assert!(simulation.quality(20_000).scale > 0.8);
}

#[test]
fn a_terminal_that_answers_nothing_gets_pictures_by_finished_writes_alone() {
    let mut way = Way::steady(MBIT, 0);
    way.answers.clear();
    way.buffer = 4096.0;
    let mut simulation = Simulation::new(way.clone(), SMALL_PICTURE);
    simulation.run(ms(20_000));
    simulation.tell("no answers, found out", 5000, 20_000);
    assert!(simulation.fps(5000, 20_000) > 5.0);
    assert!(simulation.worst(5000, 19_000) < ms(300));
    assert!(!simulation.pace.stats().answers);

    let mut simulation = Simulation::with(PaceConfig::default(), way, SMALL_PICTURE);
    simulation.run(ms(20_000));
    assert!(simulation.fps(1000, 20_000) > 5.0);
    assert!(simulation.worst(1000, 19_000) < ms(300));
}

#[test]
fn a_terminal_behind_a_deep_buffer_that_answers_nothing_gets_at_most_two_megabits() {
    let mut way = Way::steady(10.0 * MBIT, 0);
    way.answers.clear();
    let mut simulation = Simulation::with(PaceConfig::default(), way, LARGE);
    simulation.run(ms(10_000));
    assert!(simulation.pace.stats().bytes < 2_600_000, "{:?}", simulation.pace.stats());
}

#[test]
fn after_answers_stayed_away_it_goes_on_slowly_and_recovers_when_they_come_again() {
    let mut way = Way::steady(4.0 * MBIT, 20);
    way.answers = vec![ms(0)..ms(5000), ms(25_000)..Duration::MAX];
    let mut simulation = Simulation::new(way, SMALL_PICTURE);
    simulation.run(ms(40_000));
    simulation.tell("silence", 12_000, 25_000);
    assert!(simulation.fps(12_000, 25_000) < 1.0);
    assert!(simulation.updates.iter().any(|update| (ms(12_000)..ms(25_000)).contains(&update.at)));
    simulation.tell("again", 35_000, 39_000);
    assert!(simulation.fps(35_000, 39_000) > 15.0);
    assert!(simulation.worst(35_000, 39_000) < ms(300));
}

#[test]
fn a_fence_is_awaited_until_its_answer_comes_or_is_given_up() {
    let mut pace = Pace::new(PaceConfig { fences: true, link: Some(ms(1)) });
    assert!(pace.begin(ms(0)));
    assert_eq!(pace.composed(ms(1), 2000, true), Fenced { before: false, after: true });
    pace.written(ms(2));
    assert_eq!(pace.awaited(), 2, "before anything was answered");
    pace.reached(ms(3));
    assert_eq!(pace.awaited(), 1);
    // Given away with one on its way: nobody waits for it, but what comes next may be its answer.
    pace.resync(ms(4));
    assert_eq!((pace.awaited(), pace.may_send(ms(5), true)), (0, false));
    pace.composed(ms(5), 2000, true);
    pace.written(ms(6));
    assert_eq!(pace.awaited(), 1, "although it is not known whose answer the next is");
    pace.reached(ms(7));
    assert_eq!(pace.awaited(), 0);
    // Given away with none on its way: all is as it was.
    assert!(pace.may_send(ms(1000), true));
    pace.resync(ms(1001));
    assert!(pace.may_send(ms(1001), true));
}

#[test]
fn a_link_that_stands_still_gets_little_and_is_full_speed_soon_after() {
    let mut way = Way::steady(4.0 * MBIT, 20);
    way.rates = vec![(ms(0), 4.0 * MBIT), (ms(5000), 0.0), (ms(20_000), 4.0 * MBIT)];
    let mut simulation = Simulation::new(way, SMALL_PICTURE);
    simulation.run(ms(35_000));
    let during: f64 = simulation.fps(6000, 20_000);
    assert!(during < 1.5, "{during}");
    simulation.tell("after a stall", 24_000, 34_000);
    assert!(simulation.fps(24_000, 34_000) > 15.0);
    assert!(simulation.worst(24_000, 34_000) < ms(300));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// From 0.5 to 80 Mbit/s, any way, packets of any size: no backlog, and the size of the picture stays.
    #[test]
    fn no_link_falls_behind(
        rate in 62_500.0..10e6f64, base in 0u64..120, packet in 0.0..16_384.0f64, usual in 2000.0..40_000.0f64, seed: u64,
    ) {
        let mut way = Way::steady(rate, base);
        way.packet = packet;
        let mut simulation = Simulation::new(way, Source { whole: usual * 2.0, usual, varies: 0.3 });
        simulation.seed = seed;
        simulation.run(ms(12_000));
        prop_assert!(simulation.worst(2000, 11_000) < ms(300), "{:?}", simulation.worst(2000, 11_000));
        prop_assert!(simulation.fps(2000, 12_000) > 4.0, "{} fps", simulation.fps(2000, 12_000));
        prop_assert!(simulation.resizes(3000, 12_000) <= 3);
        prop_assert!(simulation.longest_wait < ms(300));
    }

    /// Whatever is told in whatever order: no panic, knobs in their range, and patience ends.
    #[test]
    fn no_order_of_events_is_too_much(
        fences: bool, events in proptest::collection::vec((0u8..8, 0u64..2_000_000, 0u64..4000), 0..400),
    ) {
        let mut pace = Pace::new(PaceConfig { fences, link: fences.then_some(ms(7)) });
        let mut now = Duration::ZERO;
        for (kind, bytes, later) in events {
            now += Duration::from_micros(later * later);
            match kind {
                0 => drop(pace.composed(now, bytes, true)),
                1 => drop(pace.composed(now, bytes / 1000, false)),
                2 | 3 => pace.written(now),
                4 => pace.reached(now),
                5 => drop(pace.begin(now)),
                6 if bytes % 7 == 0 => pace.resync(now),
                6 => pace.sent(now, bytes),
                _ => pace.repaint(),
            }
            let Quality { threshold, scale } = pace.quality();
            prop_assert!((finest()..=256.0).contains(&threshold) && (0.5..=1.0).contains(&scale));
            prop_assert!(pace.flights.len() <= WINDOW + 2);
        }
        pace.written(now);
        let later = now + LONGEST_SILENT_WAIT + SILENCE * 2;
        prop_assert!(pace.may_send(later, false) || pace.next_check(later, false).is_some());
        prop_assert!(pace.may_send(later + SETTLE * 2, false));
    }
}
