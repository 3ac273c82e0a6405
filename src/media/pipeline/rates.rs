//! How the path is shared between sound and pictures: what the connection says of it, and what the senders would like,
//! become their orders.
//!
//! Owns the limits and the allocator. Pure: time is an argument.

use std::time::{Duration, Instant};

use super::allocation::{self, Allocation, Allocator, Limits, Video};
use super::fitting::Wish;

/// What the connection knows of the path in our direction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bandwidth {
    /// Bits per second on the wire that may be sent.
    pub target: f64,
    /// The share of packets that gets lost, 0 to 1.
    pub loss: f64,
    /// Bits per second of the target that are taken already: reports and requests.
    pub others: f64,
    /// Bytes on the wire around the payload of a packet.
    pub overhead: u32,
    /// A file of the same call is under way beside it.
    pub beside: bool,
}

impl Bandwidth {
    /// A path of which nothing is known but where to begin, in bits per second, and what is around each payload.
    #[must_use]
    pub fn start(target: f64, overhead: u32) -> Self {
        Self { target, loss: 0.0, others: 0.0, overhead, beside: false }
    }
}

/// How often sound and pictures are told of a path that hardly changes.
const STEADY: Duration = Duration::from_millis(100);

/// The state of the sharing.
#[derive(Debug)]
pub(super) struct Rates {
    allocator: Allocator,
    limits: Limits,
    path: Option<Bandwidth>,
    /// When what the path carries was shared out last.
    allocated: Option<Instant>,
}

impl Default for Rates {
    fn default() -> Self {
        let limits = Limits {
            most: f64::INFINITY,
            audio: 0,
            width: 0,
            height: 0,
            fps: 0,
            video: None,
            overhead: 0,
            beside: false,
        };
        Self { allocator: Allocator::default(), limits, path: None, allocated: None }
    }
}

impl Rates {
    /// The most for everything together, bits per second on the wire.
    pub(super) fn set_most(&mut self, most: Option<f64>) {
        self.limits.most = most.unwrap_or(f64::INFINITY);
    }

    /// The same; infinite where there is no limit.
    pub(super) fn most(&self) -> f64 {
        self.limits.most
    }

    /// The most for sound, bits per second of payload.
    pub(super) fn set_audio(&mut self, most: u32) {
        self.limits.audio = most;
    }

    /// The path is there, and this is what is known of it.
    pub(super) fn begin(&mut self, path: Option<Bandwidth>) {
        self.path = self.path.or(path);
    }

    /// Whether the path is followed.
    pub(super) fn is_path_known(&self) -> bool {
        self.path.is_some()
    }

    /// Other pictures than before are to be sent, or none: what they get. `None` as long as nothing is known of the path.
    pub(super) fn wish(&mut self, now: Instant, wish: Option<Wish>) -> Option<Option<Video>> {
        let video = wish.map(|wish| wish.kbps.saturating_mul(1_000));
        self.limits.video = video;
        if let Some(wish) = wish {
            (self.limits.width, self.limits.height, self.limits.fps) = (wish.width, wish.height, wish.fps);
        }
        let path = self.path?;
        // The step of the former pictures says nothing about these.
        self.allocator = Allocator::default();
        Some(self.allocate(now, path).video)
    }

    /// News of the path: what follows, and what would be sent if there were room, in bits per second on the wire.
    pub(super) fn path(&mut self, now: Instant, path: Bandwidth) -> (Option<Allocation>, f64) {
        let before = self.path.replace(path);
        let steady = before.is_some_and(|before| (before.target - path.target).abs() < path.target * 0.03);
        let lately = self.allocated.is_some_and(|at| now.saturating_duration_since(at) < STEADY);
        let allocation = (!steady || !lately).then(|| self.allocate(now, path));
        (allocation, allocation::wanted(&self.limits, path.loss))
    }

    fn allocate(&mut self, now: Instant, path: Bandwidth) -> Allocation {
        self.limits.overhead = path.overhead;
        self.limits.beside = path.beside;
        self.allocated = Some(now);
        self.allocator.allocate(now, path.target, path.loss, path.others, &self.limits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WISH: Wish = Wish { width: 640, height: 360, fps: 25, kbps: 576 };

    #[test]
    fn nothing_is_ordered_before_the_path_is_known_and_the_first_picture_fits_it() {
        let now = Instant::now();
        let mut rates = Rates::default();
        rates.set_audio(48_000);
        assert_eq!(rates.wish(now, Some(WISH)), None);
        rates.begin(Some(Bandwidth::start(100_000.0, 58)));
        let first = rates.wish(now, Some(WISH)).flatten().unwrap();
        assert!(first.width < 320 && first.bits_per_second < 90_000, "{first:?}");
        let (allocation, wanted) = rates.path(now, Bandwidth::start(5e6, 58));
        let video = allocation.unwrap().video.unwrap();
        assert!((650e3..900e3).contains(&wanted), "{wanted}");
        assert!(video.width <= 640);
        let (steady, _) = rates.path(now + Duration::from_millis(20), Bandwidth::start(5e6, 58));
        assert_eq!(steady, None, "a steady path needs no orders each moment");
    }

    #[test]
    fn sound_alone_gets_all_that_it_may_take_where_there_is_room() {
        let now = Instant::now();
        let mut rates = Rates::default();
        rates.set_audio(48_000);
        rates.wish(now, None);
        let (allocation, wanted) = rates.path(now, Bandwidth::start(100_000.0, 58));
        let audio = allocation.unwrap().audio;
        assert_eq!((audio.bits_per_second, audio.frame.as_millis()), (48_000, 20));
        assert!(wanted < 90_000.0);
        rates.set_most(Some(40_000.0));
        let later = now + Duration::from_secs(1);
        let (allocation, wanted) = rates.path(later, Bandwidth::start(100_000.0, 58));
        assert!(allocation.unwrap().audio.bits_per_second <= 16_000);
        assert!(wanted <= 40_000.0);
    }
}
