//! When each decoded picture is shown: as soon as possible on a calm path, on an even beat when
//! pictures come unevenly, later when its sound is later.
//!
//! Owns the pictures that wait, and no clock: times are microseconds that the owner counts.

use std::collections::VecDeque;

use crate::media::rtp::delay::{DelayEstimator, Limits};
use crate::media::rtp::sequence::Unwrapper;

/// Pictures that may wait. When full the oldest is shown at once.
const CAPACITY: usize = 16;
/// The delay spent on an even beat: none on a calm path, at most 80 ms.
const LIMITS: Limits = Limits { floor: 0, ceiling: 80_000, margin: 0, quantile: 0.9 };
/// Where packets are sent again, and again, and more than this share of the pictures is so late that the screen would stand
/// still, more is spent, until they are late by no more than a hiccup: two pictures are this far apart then.
const SELDOM: f32 = 0.99;
const HICCUP: i64 = 160_000;
const CEILING: i64 = 240_000;
/// What one picture needed is kept for the next, less so much a second; but where nothing was lost, one alone in so long is
/// an accident.
const FADE: i64 = 30_000;
const ALONE: i64 = 10_000_000;
/// A packet that was sent again may be lost again: so many repairs are waited for, each a round trip and this long, as
/// soon as a picture was late by one.
const REPAIRS: i64 = 2;
const ASKING: i64 = 20_000;
/// Two pictures are never taken to follow each other more slowly than this in steady motion.
const LONGEST_BEAT: i64 = 120_000;
/// A picture this late is passed over when the next is due too, microseconds.
const TOO_LATE: i64 = 50_000;

/// The pictures of one stream that wait to be shown.
#[derive(Debug)]
pub struct Playout<T> {
    delay: DelayEstimator,
    timestamp: Unwrapper<32>,
    /// When the last one could be decoded.
    ready: i64,
    /// The time between two, and the media time of the last.
    interval: i64,
    media: Option<i64>,
    /// The wait that the latest of the pictures would have needed, and when.
    needed: (i64, i64),
    /// When the screen would have stood still last.
    stood: Option<i64>,
    /// When a picture was late by a repair last.
    repaired: Option<i64>,
    waiting: VecDeque<(i64, T)>,
    last: i64,
    skipped: u64,
}

impl<T> Default for Playout<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Playout<T> {
    /// Nothing waits.
    #[must_use]
    pub fn new() -> Self {
        Self {
            delay: DelayEstimator::new(LIMITS),
            timestamp: Unwrapper::default(),
            ready: i64::MIN,
            interval: 40_000,
            media: None,
            needed: (0, 0),
            stood: None,
            repaired: None,
            waiting: VecDeque::new(),
            last: i64::MIN,
            skipped: 0,
        }
    }

    /// When a picture that was complete at `completed` is shown for an even beat; not before `now`. A `repair` is the round
    /// trip of a path on which something of this picture was lost and sent again.
    pub fn beat(&mut self, rtp: u32, completed: i64, now: i64, repair: Option<i64>) -> i64 {
        let media = self.timestamp.unwrap(rtp) * 100 / 9;
        // One that is whole waits for those before it all the same.
        self.ready = self.ready.max(completed);
        let late = self.delay.observe(self.ready - media, self.ready);
        let step = self.media.replace(media).map_or(0, |last| media - last);
        if (1..=LONGEST_BEAT).contains(&step) {
            self.interval += (step - self.interval) / 8;
        }
        let hiccup = HICCUP - self.interval;
        let faded = |(need, at): (i64, i64)| need - (now - at).max(0) / 1_000 * FADE / 1_000;
        let mut need = 0;
        if late > hiccup {
            let before = self.stood.replace(now);
            // Those behind a late one are late for the same reason.
            if before.is_some_and(|before| (late..ALONE).contains(&(now - before))) {
                need = late - hiccup;
            }
        }
        if let Some(round_trip) = repair.filter(|round_trip| late >= *round_trip) {
            self.repaired = Some(now);
            need = need.max((round_trip + ASKING) * REPAIRS - hiccup);
        }
        if need > faded(self.needed) {
            self.needed = (need.min(CEILING), now);
        }
        // Where nothing is lost it is key frames that are late, and delay is not worth it.
        let lossy = self.repaired.is_some_and(|at| now - at < ALONE);
        let seldom = self.delay.spread(SELDOM).unwrap_or(0) - hiccup;
        let still = if lossy { seldom.max(faded(self.needed)) } else { 0 };
        let wait = self.delay.target(now).max(still.min(CEILING));
        let due = self.delay.base().unwrap_or(self.ready - media) + media + wait;
        // A base that is far off belongs to another stream or a jump of the timestamps.
        if due - self.ready > CEILING {
            self.delay = DelayEstimator::new(LIMITS);
            self.needed = (0, 0);
            return now;
        }
        due.max(now)
    }

    /// Lets a picture wait until `at`, and never overtake the one before.
    pub fn put(&mut self, at: i64, picture: T) {
        let at = at.max(self.last);
        self.last = at;
        self.waiting.push_back((at, picture));
    }

    /// The next picture to show at `now`.
    pub fn due(&mut self, now: i64) -> Option<T> {
        while let (Some(&(first, _)), Some(&(second, _))) = (self.waiting.front(), self.waiting.get(1)) {
            if second > now || now - first < TOO_LATE {
                break;
            }
            self.waiting.pop_front();
            self.skipped += 1;
        }
        let &(at, _) = self.waiting.front()?;
        (at <= now || self.waiting.len() > CAPACITY).then(|| self.waiting.pop_front())?.map(|w| w.1)
    }

    /// When the next picture is due.
    #[must_use]
    pub fn deadline(&self) -> Option<i64> {
        self.waiting.front().map(|&(at, _)| at)
    }

    /// Pictures passed over so far because they were too late.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.skipped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_a_calm_path_pictures_are_shown_at_once() {
        let mut playout = Playout::<u32>::new();
        for i in 0..200u32 {
            let now = i64::from(i) * 40_000 + i64::from(i % 2) * 900;
            let at = playout.beat(i * 3_600, now, now + 300, None);
            assert!(at - now <= 2_000, "{i}: {}", at - now);
        }
    }

    #[test]
    fn on_an_uneven_path_the_beat_is_even() {
        let mut playout = Playout::<u32>::new();
        let mut shown = Vec::new();
        for i in 0..500u32 {
            let completed = i64::from(i) * 40_000 + [0, 25_000, 5_000, 30_000][i as usize % 4];
            shown.push(playout.beat(i * 3_600, completed, completed, None));
        }
        let steps = shown[100..].windows(2).map(|w| w[1] - w[0]);
        for step in steps {
            assert!((35_000..=45_000).contains(&step), "{step}");
        }
    }

    #[test]
    fn where_pictures_are_late_by_two_repairs_now_and_then_the_screen_does_not_stand_still() {
        let mut playout = Playout::<u32>::new();
        let mut shown = Vec::new();
        for i in 0..1_500u32 {
            // One in seven is late by one repair, one in 49 by two; those behind it wait.
            let late = [0, 120_000, 240_000][usize::from(i % 7 == 0) + usize::from(i % 49 == 0)];
            let completed = i64::from(i) * 40_000 + late;
            let repair = (late > 0).then_some(110_000);
            shown.push(playout.beat(i * 3_600, completed, completed, repair));
        }
        shown.iter_mut().fold(0, |last, at| {
            *at = last.max(*at);
            *at
        });
        let longest = shown[300..].windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
        assert!(longest < 200_000, "{longest}");
        let waits = shown[300..].iter().zip(300i64..).map(|(at, i)| at - i * 40_000).min().unwrap();
        assert!((80_000..=140_000).contains(&waits), "{waits}");
    }

    #[test]
    fn once_a_picture_was_late_by_a_repair_two_repairs_are_waited_for() {
        let longest = |round_trip: Option<i64>| {
            let mut playout = Playout::<u32>::new();
            let mut last = 0;
            let shown = (0..100u32).map(|i| {
                let late = [0, 95_000, 205_000][usize::from(i == 40) + 2 * usize::from(i == 60)];
                let completed = i64::from(i) * 40_000 + late;
                let repair = round_trip.filter(|_| late > 0);
                last = playout.beat(i * 3_600, completed, completed, repair).max(last);
                last
            });
            let shown: Vec<i64> = shown.collect();
            shown.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap()
        };
        assert!(longest(None) > 200_000, "where nothing was lost one late picture says nothing of the next");
        assert!(longest(Some(80_000)) < 200_000);
        assert!(longest(Some(1_000)) > 200_000, "a path this short is not the reason");
    }

    #[test]
    fn a_picture_that_is_too_late_is_passed_over_when_the_next_is_due() {
        let mut playout = Playout::new();
        playout.put(0, 'a');
        playout.put(10_000, 'b');
        playout.put(70_000, 'c');
        assert_eq!(playout.due(20_000), Some('a'), "only a little late");
        playout.put(71_000, 'd');
        assert_eq!(playout.due(80_000), Some('c'));
        assert_eq!(playout.due(80_000), Some('d'));
        assert_eq!(playout.due(80_000), None);
        assert_eq!(playout.skipped(), 1);
    }

    #[test]
    fn a_jump_of_the_timestamps_delays_nothing() {
        let mut playout = Playout::<u32>::new();
        for i in 0..50u32 {
            let jump = if i < 25 { 0 } else { 90_000 * 60 };
            let now = i64::from(i) * 40_000;
            assert!(playout.beat(i * 3_600 + jump, now, now, None) <= now + 4_000, "{i}");
        }
    }

    #[test]
    fn no_more_wait_than_there_is_room_for() {
        let mut playout = Playout::new();
        (0..100).for_each(|i| playout.put(i64::from(i) * 1_000_000, i));
        let early: Vec<_> = std::iter::from_fn(|| playout.due(-1)).collect();
        assert_eq!(early.len(), 100 - CAPACITY);
    }
}
