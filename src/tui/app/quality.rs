//! How good the link is, from figures that come once a second.
//!
//! Owns the window over which rates are taken and the words good, fair and poor. Must not know how they are drawn.

use std::collections::VecDeque;
use std::time::Duration;

use crate::session::{PathStats, Stats};

/// Rates are means over this many intervals of figures.
const INTERVALS: usize = 3;

/// A verdict on the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Good,
    Fair,
    Poor,
}

/// What is shown of the link. What is not known yet is absent.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Figures {
    pub(super) rtt: Option<Duration>,
    /// Share lost in the worse direction, percent.
    pub(super) loss: Option<f64>,
    pub(super) kbps_in: Option<f64>,
    pub(super) kbps_out: Option<f64>,
    pub(super) fps_in: Option<f64>,
    pub(super) fps_out: Option<f64>,
    pub(super) size_in: Option<(u32, u32)>,
    pub(super) size_out: Option<(u32, u32)>,
}

impl Figures {
    /// The verdict and bars from 1 to 4, once something is known.
    pub(super) fn verdict(&self) -> Option<(Verdict, usize)> {
        let loss = self.loss?;
        let rtt = self.rtt.unwrap_or_default().as_millis();
        Some(if loss >= 8.0 || rtt >= 600 {
            (Verdict::Poor, 1)
        } else if loss >= 2.5 || rtt >= 300 {
            (Verdict::Fair, 2)
        } else if loss >= 0.5 || rtt >= 150 {
            (Verdict::Good, 3)
        } else {
            (Verdict::Good, 4)
        })
    }
}

/// Counters at one moment.
#[derive(Debug, Clone, Copy)]
struct Sample {
    at: Duration,
    bytes_in: u64,
    bytes_out: u64,
    shown: u64,
    sent: u64,
    received: u64,
    lost: u64,
}

/// The last figures of a call.
#[derive(Debug, Default)]
pub(super) struct Meter {
    samples: VecDeque<Sample>,
    pub(super) figures: Figures,
}

impl Meter {
    pub(super) fn take(&mut self, now: Duration, media: &Stats, path: &PathStats) {
        let (audio, video) = (&media.audio_received, &media.video_received);
        self.samples.push_back(Sample {
            at: now,
            bytes_in: path.bytes_received,
            bytes_out: path.bytes_sent,
            shown: video.frames_shown,
            sent: media.video_sent.frames_sent,
            received: audio.packets_received.saturating_add(video.packets_received),
            lost: audio.packets_lost.saturating_add(video.packets_lost),
        });
        if self.samples.len() > INTERVALS + 1 {
            self.samples.pop_front();
        }
        self.figures = Figures {
            rtt: path.rtt.map(|rtt| rtt.p50),
            size_in: known((video.width, video.height)),
            size_out: known((media.video_sent.width, media.video_sent.height)),
            ..Figures::default()
        };
        let (Some(first), Some(last)) = (self.samples.front(), self.samples.back()) else { return };
        let seconds = last.at.saturating_sub(first.at).as_secs_f64();
        if seconds <= 0.0 {
            return;
        }
        let rate = |from: u64, to: u64| Some(to.saturating_sub(from) as f64 / seconds);
        self.figures.kbps_in = rate(first.bytes_in, last.bytes_in).map(|bytes| bytes * 8.0 / 1e3);
        self.figures.kbps_out = rate(first.bytes_out, last.bytes_out).map(|bytes| bytes * 8.0 / 1e3);
        self.figures.fps_in = rate(first.shown, last.shown);
        self.figures.fps_out = rate(first.sent, last.sent);
        let (lost, received) =
            (last.lost.saturating_sub(first.lost), last.received.saturating_sub(first.received));
        let here = if lost + received == 0 { 0.0 } else { 100.0 * lost as f64 / (lost + received) as f64 };
        // The other side's reports are of its last interval.
        let reports = [path.audio.remote, path.video.remote];
        let there = reports.iter().flatten().map(|report| report.fraction_lost * 100.0).fold(0.0, f64::max);
        self.figures.loss = Some(here.max(there).clamp(0.0, 100.0));
    }
}

fn known((width, height): (u32, u32)) -> Option<(u32, u32)> {
    (width > 0 && height > 0).then_some((width, height))
}

/// How loud, in parts of a meter of `steps`: -60 dBFS and less is nothing, 0 dBFS is all.
pub(in crate::tui) fn level(dbfs: Option<f32>, steps: usize) -> usize {
    let share =
        dbfs.filter(|level| level.is_finite()).map_or(0.0, |level| ((level + 60.0) / 60.0).clamp(0.0, 1.0));
    (share * steps as f32).round() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_of_the_last_seconds_and_not_of_the_whole_call() {
        let mut meter = Meter::default();
        let (mut media, mut path) = (Stats::default(), PathStats::default());
        for second in 0..10u64 {
            meter.take(Duration::from_secs(second), &media, &path);
            let burst = if second < 5 { 1_000_000 } else { 12_500 };
            path.bytes_received += burst;
            media.video_received.frames_shown += 25;
            media.video_received.packets_received += 90;
            media.video_received.packets_lost += 10;
        }
        let figures = &meter.figures;
        assert_eq!((figures.kbps_in, figures.fps_in, figures.loss), (Some(100.0), Some(25.0), Some(10.0)));
        assert_eq!(figures.verdict(), Some((Verdict::Poor, 1)));
    }

    #[test]
    fn nothing_is_said_before_two_figures_and_of_figures_of_one_moment() {
        let mut meter = Meter::default();
        for _ in 0..3 {
            meter.take(Duration::ZERO, &Stats::default(), &PathStats::default());
            assert_eq!(meter.figures.verdict(), None);
        }
    }

    #[test]
    fn a_level_meter_is_bounded_whatever_the_level() {
        for (dbfs, steps) in [
            (None, 0),
            (Some(-90.0), 0),
            (Some(f32::NAN), 0),
            (Some(-30.0), 4),
            (Some(0.0), 8),
            (Some(9.0), 8),
        ] {
            assert_eq!(level(dbfs, 8), steps, "{dbfs:?}");
        }
    }
}
