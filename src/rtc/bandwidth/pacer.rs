//! When packets leave: pictures at the pace of the path, sound at once.
//!
//! Owns the queue of video packets and the time at which the next may leave. Sound never waits here: what it takes is
//! only charged, so that pictures make room for it. The queue is bounded in time: pictures that would leave too late
//! are dropped to the last, and a key frame is wanted. Must not know what a packet is, nor the path.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::Pacing;

/// Packets leave so much faster than the target, so that the pacer's own queue empties.
pub const FACTOR: f64 = 1.3;
/// A picture that has waited for this long is not worth sending, unless its own packets take longer at the pace that
/// they were given: the key frame of a very narrow path would never be sent.
pub const OLDEST: Duration = Duration::from_millis(800);
/// No picture waits for longer.
const LONGEST_WAIT: Duration = Duration::from_secs(4);
/// Pace that was not used is kept for this long only: no bursts.
const CREDIT: Duration = Duration::from_millis(5);
/// What was charged beyond this is forgotten: pictures are not starved for ever.
const DEBT: Duration = Duration::from_millis(500);

/// Retransmissions that wait at a time.
const MOST_REPAIRS: usize = 128;
/// No pace is slower, in bits per second.
const LEAST_RATE: f64 = 1_000.0;

/// What leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release<T> {
    /// A packet of the queue.
    Packet(T),
    /// A packet of padding, of so many bytes on the wire, is to be made.
    Padding(u32),
}

/// The queue of video packets of one path.
#[derive(Debug)]
pub struct Pacer<T> {
    pacing: Pacing,
    /// Until when each packet is worth sending, its bytes, and the packet.
    queue: VecDeque<(Instant, u32, T)>,
    /// Retransmissions, which go first.
    repairs: VecDeque<(Instant, u32, T)>,
    bytes: u64,
    free: Instant,
    keyframe_wanted: bool,
    dropped: u64,
}

impl<T> Pacer<T> {
    /// An empty queue.
    #[must_use]
    pub fn new(now: Instant, pacing: Pacing) -> Self {
        Self {
            pacing,
            queue: VecDeque::new(),
            repairs: VecDeque::new(),
            bytes: 0,
            free: now,
            keyframe_wanted: false,
            dropped: 0,
        }
    }

    /// Another pace, from now on: what is waited for already shortens or lengthens with it.
    pub fn set_pacing(&mut self, now: Instant, pacing: Pacing) {
        let waits = self.free.saturating_duration_since(now).as_secs_f64();
        let ratio = self.pacing.rate.max(LEAST_RATE) / pacing.rate.max(LEAST_RATE);
        if waits > 0.0 && ratio.is_finite() {
            self.free = now + Duration::try_from_secs_f64(waits * ratio).unwrap_or(DEBT).min(DEBT);
        }
        self.pacing = pacing;
    }

    /// A video packet of `bytes` on the wire is to leave. Drops the whole queue when its head has become too old.
    pub fn push(&mut self, now: Instant, bytes: u32, packet: T) {
        self.drop_old(now);
        self.bytes += u64::from(bytes);
        let deadline = now + OLDEST.max(self.backlog() * 3 / 2).min(LONGEST_WAIT);
        self.queue.push_back((deadline, bytes, packet));
    }

    /// A retransmission is to leave: before what was never sent, because a picture waits for it on the other side. When
    /// there are too many of them the oldest is dropped.
    pub fn repair(&mut self, now: Instant, bytes: u32, packet: T) {
        self.repairs.push_back((now + OLDEST, bytes, packet));
        self.bytes += u64::from(bytes);
        if self.repairs.len() > MOST_REPAIRS {
            self.drop_repair();
        }
    }

    /// A packet left that is not paced: sound, or RTCP.
    pub fn charge(&mut self, now: Instant, bytes: u32) {
        self.spend(now, bytes);
    }

    /// What leaves at `now`, if anything does. To be asked again until nothing does.
    pub fn pop(&mut self, now: Instant) -> Option<Release<T>> {
        self.drop_old(now);
        if now < self.free {
            return None;
        }
        if let Some((_, bytes, packet)) = self.repairs.pop_front().or_else(|| self.queue.pop_front()) {
            self.bytes -= u64::from(bytes);
            self.spend(now, bytes);
            return Some(Release::Packet(packet));
        }
        let bytes = self.pacing.padding?;
        self.spend(now, bytes);
        Some(Release::Padding(bytes))
    }

    /// A packet of padding became shorter than was asked for, by so many bytes: the next one comes sooner.
    pub fn give_back(&mut self, bytes: u32) {
        self.free = self.free.checked_sub(self.time(u64::from(bytes))).unwrap_or(self.free);
    }

    /// When the next packet leaves; none while there is nothing to send.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let waiting = !self.queue.is_empty() || !self.repairs.is_empty();
        (waiting || self.pacing.padding.is_some()).then_some(self.free)
    }

    /// How long the queue takes to leave.
    #[must_use]
    pub fn backlog(&self) -> Duration {
        self.time(self.bytes)
    }

    /// Whether pictures were dropped since the last question, so that a key frame is wanted.
    pub fn take_keyframe_wanted(&mut self) -> bool {
        std::mem::take(&mut self.keyframe_wanted)
    }

    /// Packets dropped because they were too old.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    fn drop_old(&mut self, now: Instant) {
        let old = |packet: Option<&(Instant, u32, T)>| packet.is_some_and(|(deadline, ..)| now > *deadline);
        while old(self.repairs.front()) {
            self.drop_repair();
        }
        if old(self.queue.front()) {
            self.dropped += self.queue.len() as u64;
            self.queue.clear();
            self.bytes = self.repairs.iter().map(|(_, bytes, _)| u64::from(*bytes)).sum();
            self.keyframe_wanted = true;
        }
    }

    fn drop_repair(&mut self) {
        if let Some((_, bytes, _)) = self.repairs.pop_front() {
            self.bytes -= u64::from(bytes);
            self.dropped += 1;
        }
    }

    fn spend(&mut self, now: Instant, bytes: u32) {
        let from = now.checked_sub(CREDIT).map_or(now, |earliest| self.free.max(earliest));
        self.free = (from + self.time(u64::from(bytes))).min(now + DEBT);
    }

    fn time(&self, bytes: u64) -> Duration {
        let seconds = bytes as f64 * 8.0 / self.pacing.rate.max(LEAST_RATE);
        Duration::try_from_secs_f64(seconds).unwrap_or(DEBT).min(Duration::from_secs(60))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE_OF_ALL: Duration = Duration::from_millis(8 * 129);
    const PACE: Pacing = Pacing { rate: 100_000.0, padding: None };

    #[test]
    fn a_large_picture_leaves_at_its_pace_and_makes_room_for_sound() {
        let start = Instant::now();
        let mut pacer = Pacer::new(start, PACE);
        for packet in 0..5 {
            pacer.push(start, 1_250, packet);
        }
        assert_eq!(pacer.backlog(), Duration::from_millis(500));
        let mut left = Vec::new();
        for millis in 0..700 {
            let now = start + Duration::from_millis(millis);
            if millis == 150 {
                pacer.charge(now, 1_250);
            }
            while let Some(Release::Packet(_)) = pacer.pop(now) {
                left.push(millis);
            }
        }
        assert_eq!(left.len(), 5);
        assert!(left[1] >= 95 && left[2] >= 295, "{left:?}");
        assert_eq!(pacer.deadline(), None);
    }

    #[test]
    fn pictures_that_are_too_old_are_dropped_together() {
        let start = Instant::now();
        let mut pacer = Pacer::new(start, PACE);
        for packet in 0..5 {
            pacer.push(start, 1_250, packet);
        }
        assert_eq!(pacer.pop(start), Some(Release::Packet(0)));
        pacer.set_pacing(start, Pacing { rate: 10_000.0, padding: None });
        assert_eq!(pacer.backlog(), Duration::from_secs(4));
        let late = start + Duration::from_secs(1);
        assert_eq!(pacer.pop(late), None);
        assert!(pacer.take_keyframe_wanted() && !pacer.take_keyframe_wanted());
        assert_eq!((pacer.dropped(), pacer.backlog()), (4, Duration::ZERO));
    }

    #[test]
    fn a_key_frame_has_the_time_that_it_takes_on_a_narrow_path() {
        let start = Instant::now();
        let mut pacer = Pacer::new(start, Pacing { rate: 10_000.0, padding: None });
        for packet in 0..4 {
            pacer.push(start, 600, packet);
        }
        let left =
            (0..3_000).filter(|millis| pacer.pop(start + Duration::from_millis(*millis)).is_some()).count();
        assert_eq!((left, pacer.dropped()), (4, 0));
    }

    #[test]
    fn a_higher_pace_shortens_what_is_waited_for() {
        let start = Instant::now();
        let mut pacer = Pacer::new(start, Pacing { rate: 16_000.0, padding: None });
        pacer.charge(start, 1_000);
        pacer.push(start, 1_000, 0);
        assert!(pacer.deadline().unwrap() > start + Duration::from_millis(450));
        pacer.set_pacing(start, Pacing { rate: 1.6e6, padding: None });
        assert!(pacer.deadline().unwrap() < start + Duration::from_millis(6));
    }

    #[test]
    fn retransmissions_go_first() {
        let start = Instant::now();
        let mut pacer = Pacer::new(start, PACE);
        pacer.push(start, 100, 1);
        pacer.repair(start, 100, 2);
        assert_eq!(pacer.pop(start), Some(Release::Packet(2)));
        for packet in 0..1_000 {
            pacer.repair(start, 100, packet);
        }
        assert!(pacer.backlog() <= PACE_OF_ALL);
        assert!(!pacer.take_keyframe_wanted());
    }

    #[test]
    fn what_media_do_not_fill_is_padded_and_time_unused_is_no_credit() {
        let start = Instant::now();
        let mut pacer: Pacer<()> = Pacer::new(start, Pacing { rate: 80_000.0, padding: Some(100) });
        let later = start + Duration::from_secs(5);
        let mut padded = 0;
        for millis in 0..1_000 {
            while let Some(Release::Padding(bytes)) = pacer.pop(later + Duration::from_millis(millis)) {
                padded += bytes;
            }
        }
        assert!((9_900..=10_200).contains(&padded), "{padded}");
    }

    #[test]
    fn padding_that_becomes_shorter_than_it_should_be_leaves_more_often() {
        let start = Instant::now();
        let mut pacer: Pacer<()> = Pacer::new(start, Pacing { rate: 80_000.0, padding: Some(1_000) });
        let mut padded = 0;
        for millis in 0..1_000 {
            while let Some(Release::Padding(bytes)) = pacer.pop(start + Duration::from_millis(millis)) {
                pacer.give_back(bytes - 200);
                padded += 200;
            }
        }
        assert!((9_800..=10_400).contains(&padded), "{padded}");
    }
}
