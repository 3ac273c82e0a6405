//! The meter of shown pictures.
//!
//! Frozen time is the time between two shown pictures, whole, when it is longer than [`FREEZE`]; pictures that come
//! late but regularly are not frozen. The time since the last picture counts as soon as it is longer than that. A
//! frozen second is a second, counted from the first picture, in which any frozen time falls. Showing the same
//! pattern picture again does not count as showing one and ends no freeze.
//!
//! Latency, PSNR and SSIM exist only for the pattern. The last two are taken from samples, as many as keep the cost
//! below 2 % of a core.

use std::time::Duration;

use super::histogram::{Distribution, Histogram};
use super::quality;
use crate::media::synthetic::{Pattern, pattern};
use crate::media::{VideoFormat, VideoFrame, WallTime};

/// Pictures further apart than this are a freeze.
pub const FREEZE: Duration = Duration::from_millis(200);

/// Pixels a second that PSNR and SSIM are measured on: every picture of 160x90, five a second of 640x360.
const PIXELS_PER_SECOND: u64 = 1_200_000;

/// Measures what a viewer sees.
#[derive(Default)]
pub struct VideoMeter {
    shown: u64,
    repeated: u64,
    unread: u64,
    read: u64,
    first: Option<WallTime>,
    /// `None` before the first picture, and while paused.
    last: Option<WallTime>,
    /// None are sent.
    off: bool,
    /// The last picture before the pause that is on.
    paused: Option<WallTime>,
    /// Length of the pauses that are over.
    away: Duration,
    last_number: Option<u64>,
    last_sampled: Option<WallTime>,
    freeze: Freeze,
    latency: Histogram,
    painter: Option<Pattern>,
    size: (u32, u32),
    samples: u64,
    error_sum: f64,
    ssim_sum: f64,
}

/// What the meter says.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct VideoReport {
    /// Pictures shown, repetitions not counted.
    pub shown: u64,
    /// Pattern pictures that were shown again.
    pub repeated: u64,
    /// Pictures after the first readable pattern that did not read.
    pub unread: u64,
    /// Pictures shown a second, from the first to now.
    pub fps: f64,
    /// Time in freezes, in milliseconds.
    pub frozen_ms: f64,
    /// The longest freeze, in milliseconds; 0 without any.
    pub longest_freeze_ms: f64,
    /// Seconds since the first picture in which there was frozen time.
    pub frozen_seconds: u64,
    /// From capture to show.
    pub latency: Option<Distribution>,
    /// PSNR of luma against the regenerated pattern, over the mean error of the sampled pictures.
    pub psnr_db: Option<f64>,
    /// Mean SSIM of luma of the sampled pictures.
    pub ssim: Option<f64>,
    /// Pictures sampled for the last two.
    pub sampled: u64,
    /// The last picture's size, 0x0 before the first.
    pub size: (u32, u32),
}

impl VideoMeter {
    /// A meter that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts a picture shown at `at`, which must not go backwards.
    pub fn shown(&mut self, picture: &VideoFrame, at: WallTime) {
        self.size = (picture.width(), picture.height());
        let reading = pattern::read(picture, at);
        match reading {
            Some(reading) if self.last_number == Some(reading.number) => {
                self.repeated += 1;
                return;
            }
            Some(_) => self.read += 1,
            None if self.read > 0 => self.unread += 1,
            None => {}
        }
        let first = *self.first.get_or_insert(at);
        if let Some(since) = self.paused.take()
            && !self.off
        {
            self.away += at.since(since);
        }
        if let Some(last) = self.last {
            self.freeze.between(first, last, at);
        }
        self.shown += 1;
        self.last = Some(at);
        if let Some(reading) = reading {
            self.last_number = Some(reading.number);
            self.latency.add(at.signed_since(reading.captured));
            self.sample(picture, reading, at);
        }
        if self.off {
            self.pause(true);
        }
    }

    /// The other side sends no pictures from here on (or does again): no time passes for the meter meanwhile. A
    /// picture that was on its way when this was said is counted, and changes nothing about that.
    pub fn pause(&mut self, off: bool) {
        self.off = off;
        if off {
            self.paused = self.last.take().or(self.paused);
        }
    }

    /// The figures as of `now`.
    pub fn report(&self, now: WallTime) -> VideoReport {
        let mut freeze = self.freeze;
        let mut seconds = 0.0;
        if let (Some(first), Some(last)) = (self.first, self.last) {
            freeze.between(first, last, now);
            seconds = now.max(last).since(first).saturating_sub(self.away).as_secs_f64();
        } else if let (Some(first), Some(paused)) = (self.first, self.paused) {
            seconds = paused.since(first).saturating_sub(self.away).as_secs_f64();
        }
        let samples = self.samples as f64;
        VideoReport {
            shown: self.shown,
            repeated: self.repeated,
            unread: self.unread,
            // The first picture opens the first interval and is not part of the rate.
            fps: if seconds > 0.0 { (self.shown - 1) as f64 / seconds } else { 0.0 },
            frozen_ms: freeze.total.as_secs_f64() * 1000.0,
            longest_freeze_ms: freeze.longest.as_secs_f64() * 1000.0,
            frozen_seconds: freeze.seconds,
            latency: self.latency.distribution(),
            psnr_db: (self.samples > 0).then(|| quality::psnr(self.error_sum / samples)),
            ssim: (self.samples > 0).then(|| self.ssim_sum / samples),
            sampled: self.samples,
            size: self.size,
        }
    }

    /// Compares one picture with what was painted, unless the last comparison was too recent for the budget.
    fn sample(&mut self, picture: &VideoFrame, reading: pattern::Reading, at: WallTime) {
        let pixels = u64::from(picture.width()) * u64::from(picture.height());
        let pause = Duration::from_micros(pixels * 1_000_000 / PIXELS_PER_SECOND);
        if self.last_sampled.is_some_and(|last| at.since(last) < pause) {
            return;
        }
        let format = VideoFormat { width: picture.width(), height: picture.height(), fps: 1 };
        let painter = match self.painter.take() {
            Some(painter) if painter.paints(format) => painter,
            _ => match Pattern::new(format) {
                Ok(painter) => painter,
                Err(_) => return,
            },
        };
        let original = painter.paint(reading.number, reading.captured);
        self.painter = Some(painter);
        if let (Some(error), Some(ssim)) =
            (quality::luma_error(&original, picture), quality::ssim(&original, picture))
        {
            self.samples += 1;
            self.error_sum += error;
            self.ssim_sum += ssim;
            self.last_sampled = Some(at);
        }
    }
}

/// Frozen time so far.
#[derive(Clone, Copy, Default)]
struct Freeze {
    total: Duration,
    longest: Duration,
    seconds: u64,
    /// The first second that is not yet counted.
    next_second: u64,
}

impl Freeze {
    fn between(&mut self, first: WallTime, last: WallTime, at: WallTime) {
        let gap = at.since(last);
        if gap <= FREEZE {
            return;
        }
        self.total += gap;
        self.longest = self.longest.max(gap);
        let from = last.since(first).as_secs().max(self.next_second);
        let to = at.since(first).as_secs() + 1;
        self.seconds += to.saturating_sub(from);
        self.next_second = self.next_second.max(to);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: u64 = 1_795_000_000_000_000;

    fn at(ms: u64) -> WallTime {
        WallTime(START + ms * 1000)
    }

    fn show(meter: &mut VideoMeter, pattern: &Pattern, number: u64, delay: u64) {
        meter.shown(&pattern.paint(number, at(number * 40)), at(number * 40 + delay));
    }

    fn pattern() -> Pattern {
        Pattern::new(VideoFormat { width: 160, height: 90, fps: 25 }).unwrap()
    }

    #[test]
    fn a_smooth_minute_is_smooth() {
        let (mut meter, pattern) = (VideoMeter::new(), pattern());
        (0..1500).for_each(|n| show(&mut meter, &pattern, n, 55 + n % 3));
        let report = meter.report(at(1499 * 40 + 57));
        assert_eq!((report.shown, report.repeated, report.unread, report.frozen_seconds), (1500, 0, 0, 0));
        assert_eq!((report.frozen_ms, report.longest_freeze_ms), (0.0, 0.0));
        assert!((report.fps - 25.0).abs() < 0.1, "{}", report.fps);
        let latency = report.latency.unwrap();
        assert!(
            (latency.p50 - 56.0).abs() < 0.6
                && (latency.p95 - 57.0).abs() < 0.6
                && (latency.max - 57.0).abs() < 0.2
        );
        assert_eq!((report.psnr_db, report.ssim.map(|s| s > 0.999_999)), (Some(100.0), Some(true)));
        assert!(report.sampled > 700, "{}", report.sampled);
    }

    #[test]
    fn a_freeze_counts_whole_and_marks_its_seconds() {
        let (mut meter, pattern) = (VideoMeter::new(), pattern());
        // Pictures 45 to 54 are missing: 400 ms from 1.76 s to 2.2 s.
        (0..100).filter(|n| !(45..55).contains(n)).for_each(|n| show(&mut meter, &pattern, n, 0));
        let report = meter.report(at(99 * 40 + 100));
        assert_eq!((report.frozen_ms, report.longest_freeze_ms, report.frozen_seconds), (440.0, 440.0, 2));
    }

    #[test]
    fn a_picture_that_stays_is_frozen_until_now() {
        let (mut meter, pattern) = (VideoMeter::new(), pattern());
        (0..25).for_each(|n| show(&mut meter, &pattern, n, 0));
        for again in 0..100 {
            meter.shown(&pattern.paint(24, at(960)), at(960 + again * 40));
        }
        let report = meter.report(at(4960));
        assert_eq!((report.shown, report.repeated), (25, 100));
        assert_eq!((report.frozen_ms, report.frozen_seconds), (4000.0, 5));
        assert!(report.fps < 5.0);
    }

    #[test]
    fn a_camera_that_is_off_freezes_nothing() {
        let (mut meter, pattern) = (VideoMeter::new(), pattern());
        (0..25).for_each(|n| show(&mut meter, &pattern, n, 0));
        meter.pause(true);
        // The last one was on its way when that was said.
        show(&mut meter, &pattern, 25, 0);
        assert!((meter.report(at(60_000)).fps - 25.0).abs() < 0.1);
        assert_eq!(meter.report(at(60_000)).frozen_ms, 0.0);
        meter.pause(false);
        (1026..1051).for_each(|n| show(&mut meter, &pattern, n, 0));
        let report = meter.report(at(1051 * 40));
        assert_eq!((report.frozen_ms, report.frozen_seconds), (0.0, 0));
        assert!((report.fps - 24.5).abs() < 0.6, "{}", report.fps);
    }

    #[test]
    fn other_pictures_are_counted_but_not_measured() {
        let mut meter = VideoMeter::new();
        (0..50).for_each(|n| meter.shown(&VideoFrame::black(64, 64, at(0)), at(n * 40)));
        let report = meter.report(at(2000));
        assert_eq!((report.shown, report.latency, report.psnr_db, report.unread), (50, None, None, 0));
        assert_eq!(report.size, (64, 64));
    }

    #[test]
    fn nothing_shown_is_nothing_frozen() {
        assert_eq!(VideoMeter::new().report(at(5000)), VideoReport::default());
    }
}
