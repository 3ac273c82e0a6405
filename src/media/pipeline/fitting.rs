//! How large and how often pictures are sent: as the other side's window, the path and our own processor can use them.
//!
//! Owns the steps between sizes and when one is left for another. Pure: time is an argument. A new size costs a key frame, so a window
//! whose edge is dragged moves it through few steps, and not twice in [`SETTLE`].

use std::time::{Duration, Instant};

use super::allocation::Video;
use crate::media::VideoFormat;

/// What the other side can use: its window in pixels, and frames a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// Frames a second.
    pub fps: u32,
}

/// What would be sent if the path took it: pixels, frames a second, and what they may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wish {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) fps: u32,
    pub(super) kbps: u32,
}

/// Sizes in sixteenths of the source's sides, largest first.
const STEPS: [u32; 7] = [16, 12, 8, 6, 4, 3, 2];
/// No picture is made smaller than this.
const LEAST: (u32, u32) = (160, 90);
/// One size stays for this long at least.
const SETTLE: Duration = Duration::from_secs(1);
/// One that is too large for the path, only so long.
const TOO_LARGE: Duration = Duration::from_millis(300);
/// The encoder is too slow when it takes more than this share of the beat for [`TOO_SLOW_FOR`].
const TOO_SLOW: f64 = 0.85;
const TOO_SLOW_FOR: Duration = Duration::from_millis(1_500);
/// A larger size is tried again when the present one has taken less than this share for [`EASY_FOR`]: the next step up takes up to 2.25
/// times as long.
const EASY: f64 = 0.3;
const EASY_FOR: Duration = Duration::from_secs(10);
/// The longest that a larger size is not tried again after it was too much.
const MAX_EASY_FOR: Duration = Duration::from_secs(160);
/// The bitrate is not lowered below this, kbit/s: a small picture would fall apart.
const LEAST_KBPS: u32 = 60;

/// The choice of one source's size and rate.
#[derive(Clone, Debug)]
pub(super) struct Fitting {
    source: VideoFormat,
    limit: Option<Limit>,
    /// What the path carries; none as long as that is not known.
    allotted: Option<Video>,
    /// The steps that the window, the processor, the path, and all of them allow.
    window: usize,
    load: usize,
    path: usize,
    step: usize,
    changed: Option<Instant>,
    /// Since when encoding has taken too long, or little.
    slow_since: Option<Instant>,
    easy_since: Option<Instant>,
    easy_for: Duration,
}

impl Fitting {
    pub(super) fn new(source: VideoFormat, limit: Option<Limit>) -> Self {
        let mut fitting = Self {
            source,
            limit: None,
            allotted: None,
            window: 0,
            load: 0,
            path: 0,
            step: 0,
            changed: None,
            slow_since: None,
            easy_since: None,
            easy_for: EASY_FOR,
        };
        fitting.set_limit(limit);
        fitting
    }

    /// What the other side can use from now on.
    pub(super) fn set_limit(&mut self, limit: Option<Limit>) {
        self.limit = limit;
        let Some(limit) = limit else {
            self.window = 0;
            return;
        };
        let across = f64::from(limit.width) / f64::from(self.source.width.max(1));
        let down = f64::from(limit.height) / f64::from(self.source.height.max(1));
        let useful = 16.0 * across.min(down);
        // A picture becomes smaller when that is too small by a twentieth at most, and larger when it is too small by a seventh.
        while self.window > 0 && f64::from(STEPS[self.window]) < useful * 0.85 {
            self.window -= 1;
        }
        while self.window < self.last() && f64::from(STEPS[self.window + 1]) >= useful * 0.95 {
            self.window += 1;
        }
    }

    /// What the path carries from now on.
    pub(super) fn set_allotted(&mut self, video: Option<Video>) {
        self.allotted = video;
        let wish = self.wish(u32::MAX);
        self.path = match video {
            Some(video) if (video.width, video.height) != (wish.width, wish.height) => {
                let pixels = f64::from(video.width) * f64::from(video.height);
                let all = f64::from(self.source.width.max(1)) * f64::from(self.source.height.max(1));
                let useful = 16.0 * (pixels / all).sqrt() * 1.05;
                let fits = |step: &u32| f64::from(*step) <= useful;
                STEPS.iter().position(fits).unwrap_or(STEPS.len()).min(self.last())
            }
            _ => 0,
        };
    }

    /// What would be sent if the path took everything, of a source that may take `kbps`.
    pub(super) fn wish(&self, kbps: u32) -> Wish {
        let step = self.window.max(self.load).min(self.last());
        let (width, height) = at(step, (self.source.width, self.source.height));
        let beat = self.source.fps.max(1);
        let fps = self.limit.map_or(beat, |limit| limit.fps.clamp(1, beat));
        let pixels = f64::from(STEPS[step] * STEPS[step]) / 256.0;
        let beats = f64::from(fps) / f64::from(beat);
        let kbps = ((f64::from(kbps) * pixels * beats) as u32).max(kbps.min(LEAST_KBPS));
        Wish { width, height, fps, kbps }
    }

    /// How long scaling and encoding took for one picture.
    pub(super) fn encoded(&mut self, took: Duration, now: Instant) {
        let share = took.as_secs_f64() * f64::from(self.fps());
        if share > TOO_SLOW {
            self.easy_since = None;
            let since = *self.slow_since.get_or_insert(now);
            if now - since >= TOO_SLOW_FOR && self.step < self.last() {
                if self.load > 0 || self.easy_for > EASY_FOR {
                    self.easy_for = (self.easy_for * 2).min(MAX_EASY_FOR);
                }
                self.load = self.step + 1;
                self.slow_since = None;
            }
            return;
        }
        self.slow_since = None;
        if share > EASY || self.load == 0 {
            self.easy_since = None;
            return;
        }
        let since = *self.easy_since.get_or_insert(now);
        if now - since >= self.easy_for {
            self.load -= 1;
            self.easy_for = (self.easy_for * 2).min(MAX_EASY_FOR);
            self.easy_since = None;
        }
    }

    /// Takes the size that is right at `now`; true when it is another one than before.
    pub(super) fn settle(&mut self, now: Instant) -> bool {
        let wanted = self.window.max(self.load).max(self.path).min(self.last());
        let settle = if self.path > self.step { TOO_LARGE } else { SETTLE };
        if wanted == self.step || self.changed.is_some_and(|changed| now - changed < settle) {
            return false;
        }
        self.step = wanted;
        self.changed = Some(now);
        self.slow_since = None;
        true
    }

    /// The size to send a picture in that the source gave in `size`; `size` itself on the first step.
    pub(super) fn size(&self, size: (u32, u32)) -> (u32, u32) {
        at(self.step, size)
    }

    /// Whether beat `index` of the source is sent.
    pub(super) fn sends(&self, index: u64) -> bool {
        let (fps, beat) = (u64::from(self.fps()), u64::from(self.source.fps.max(1)));
        fps == beat || index == 0 || index * fps / beat != (index - 1) * fps / beat
    }

    /// The encoder's target when it is `kbps` for everything that the source gives.
    pub(super) fn kbps(&self, kbps: u32) -> u32 {
        let wish = self.wish(kbps).kbps;
        self.allotted.map_or(wish, |video| wish.min(video.bits_per_second / 1_000))
    }

    /// The time between two pictures that are sent.
    pub(super) fn interval(&self) -> Duration {
        Duration::from_secs(1) / self.fps()
    }

    /// Pictures a second that are sent.
    pub(super) fn fps(&self) -> u32 {
        let wish = self.wish(0).fps;
        self.allotted.map_or(wish, |video| video.fps.clamp(1, wish))
    }

    /// The last step that is not too small.
    fn last(&self) -> usize {
        let fits = |step: &u32| {
            self.source.width * step / 16 >= LEAST.0 && self.source.height * step / 16 >= LEAST.1
        };
        STEPS.iter().skip(1).take_while(|step| fits(step)).count()
    }
}

/// The size of a step of `size`.
fn at(step: usize, size: (u32, u32)) -> (u32, u32) {
    if step == 0 {
        return size;
    }
    let side = |side: u32| (side * STEPS[step] / 16 / 2 * 2).max(2);
    (side(size.0), side(size.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: VideoFormat = VideoFormat { width: 1280, height: 720, fps: 30 };

    fn limit(width: u32, height: u32, fps: u32) -> Option<Limit> {
        Some(Limit { width, height, fps })
    }

    #[test]
    fn a_window_gets_the_size_it_can_use_in_the_shape_of_the_source() {
        for (width, height, size) in [
            (4_000, 4_000, (1280, 720)),
            (1280, 720, (1280, 720)),
            (960, 720, (960, 540)),
            (640, 400, (640, 360)),
            (600, 340, (640, 360)),
            (320, 720, (320, 180)),
            (40, 20, (160, 90)),
            (0, 0, (160, 90)),
        ] {
            let mut fitting = Fitting::new(SOURCE, limit(width, height, 30));
            fitting.settle(Instant::now());
            assert_eq!(fitting.size((1280, 720)), size, "{width}x{height}");
        }
        let small = VideoFormat { width: 160, height: 90, fps: 25 };
        let mut fitting = Fitting::new(small, limit(20, 20, 25));
        assert!(!fitting.settle(Instant::now()), "it is as small as it gets");
    }

    #[test]
    fn an_edge_that_is_dragged_makes_few_sizes_and_one_that_trembles_none() {
        let start = Instant::now();
        let mut fitting = Fitting::new(SOURCE, None);
        let mut changes = 0;
        for beat in 0..120u32 {
            fitting.set_limit(limit(1280 - beat * 8, 720, 30));
            changes += u32::from(fitting.settle(start + Duration::from_millis(33) * beat));
        }
        assert!(changes <= 4, "{changes} sizes in four seconds");
        let later = start + Duration::from_secs(10);
        fitting.settle(later);
        let size = fitting.size((1280, 720));
        for beat in 0..120u32 {
            fitting.set_limit(limit(328 + beat % 2 * 24, 720, 30));
            assert!(!fitting.settle(later + Duration::from_secs(2) * beat), "trembles at {size:?}");
        }
        fitting.set_limit(None);
        assert!(fitting.settle(later + Duration::from_secs(400)));
        assert_eq!(fitting.size((1280, 720)), (1280, 720));
    }

    #[test]
    fn a_narrow_path_gets_small_pictures_soon_and_a_wide_one_those_of_the_source() {
        let start = Instant::now();
        let mut fitting = Fitting::new(SOURCE, limit(640, 360, 30));
        fitting.settle(start);
        let all = fitting.wish(2_000);
        assert_eq!(all, Wish { width: 640, height: 360, fps: 30, kbps: 500 });
        let video = |width, height, fps, bits_per_second| {
            Some(Video { bits_per_second, fps, width, height, packet: 600 })
        };
        for (allotted, size, kbps) in [
            (video(160, 90, 10, 38_000), (160, 90), 38),
            (video(240, 136, 15, 90_000), (240, 134), 90),
            (video(320, 180, 20, 180_000), (320, 180), 180),
            (video(640, 360, 30, 900_000), (640, 360), 500),
        ] {
            fitting.set_allotted(allotted);
            assert!(fitting.settle(start + SETTLE * size.0), "{size:?}");
            assert_eq!((fitting.size((1280, 720)), fitting.kbps(2_000)), (size, kbps));
        }
        fitting.set_allotted(video(160, 90, 10, 38_000));
        let later = start + SETTLE * 640;
        assert!(!fitting.settle(later + TOO_LARGE / 2) && fitting.settle(later + TOO_LARGE));
        let sent = (0..300).filter(|&beat| fitting.sends(beat)).count();
        assert_eq!(sent, 100);
        fitting.set_allotted(None);
        assert!(fitting.settle(later + SETTLE * 3));
        assert_eq!((fitting.size((1280, 720)), fitting.kbps(2_000)), ((640, 360), 500));
    }

    #[test]
    fn beats_are_left_out_evenly_and_bits_follow() {
        let mut fitting = Fitting::new(SOURCE, limit(640, 360, 12));
        fitting.settle(Instant::now());
        let sent: Vec<u64> = (0..300).filter(|&beat| fitting.sends(beat)).collect();
        assert_eq!(sent.len(), 120);
        assert!(sent.windows(2).all(|pair| (2..=3).contains(&(pair[1] - pair[0]))));
        assert_eq!(fitting.kbps(2_000), 200);
        assert_eq!((fitting.kbps(300), fitting.kbps(40)), (60, 40));
        assert_eq!(Fitting::new(SOURCE, limit(9_000, 9_000, 90)).kbps(2_000), 2_000);
    }

    #[test]
    fn an_encoder_that_is_too_slow_gets_smaller_pictures_and_larger_ones_are_tried_ever_later() {
        let start = Instant::now();
        let mut fitting = Fitting::new(SOURCE, None);
        // A processor that encodes so many pixels a beat.
        let capacity = 0.5 * 1280.0 * 720.0;
        let mut sizes = vec![(0, (1280, 720))];
        for beat in 0..30 * 120u32 {
            let now = start + Duration::from_secs(1) / 30 * beat;
            fitting.settle(now);
            let size = fitting.size((1280, 720));
            if sizes.last().is_none_or(|last| last.1 != size) {
                sizes.push((beat / 30, size));
            }
            let pixels = f64::from(size.0 * size.1);
            fitting.encoded(Duration::from_secs_f64(pixels / capacity / 30.0), now);
        }
        let settled: Vec<(u32, u32)> = sizes.iter().map(|(_, size)| *size).collect();
        assert_eq!(settled[..3], [(1280, 720), (960, 540), (640, 360)], "{sizes:?}");
        assert!(settled.len() <= 3, "half of the beat is no reason to try a larger one: {sizes:?}");

        let mut easy = start + Duration::from_secs(200);
        fitting.settle(easy);
        let mut tried = Vec::new();
        for _ in 0..30 * 300 {
            easy += Duration::from_secs(1) / 30;
            let size = fitting.size((1280, 720));
            let too_much = size.0 > 640;
            fitting.encoded(Duration::from_millis(if too_much { 40 } else { 5 }), easy);
            if fitting.settle(easy) && fitting.size((1280, 720)).0 > 640 {
                tried.push((easy - start).as_secs());
            }
        }
        assert!((2..=6).contains(&tried.len()), "{tried:?}");
        let gaps: Vec<u64> = tried.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps.is_sorted(), "{tried:?}");
    }
}
