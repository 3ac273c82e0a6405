//! The times that an encoder is told: even ones.
//!
//! Pure. Pictures that are sent out of some of a source's beats come apart by one beat and by two, and libvpx, which takes
//! each such step for another rate of frames, would make up to 2.3 times of what it should.

use std::time::Duration;

use super::CLOCK;

/// Each picture counts so much in the mean time between two, and one that is late by so many of them is no later.
const WEIGHT: f64 = 1.0 / 16.0;
const LONGEST: u32 = 8;

/// An encoder's own time, on the 90 kHz clock.
#[derive(Debug)]
pub(super) struct Beats {
    /// What the encoder is told of the present picture: ticks since the first, 64-bit and always growing.
    pub(super) pts: i64,
    /// Ticks that each picture is said to last, whatever comes: libvpx takes the time from end to end for what a frame has.
    pub(super) length: u32,
    /// Ticks between two pictures at the rate that was said.
    usual: u32,
    /// The same in the mean of those that came.
    apart: f64,
    last_timestamp: Option<u32>,
    /// Ticks since then that count for nothing.
    left_out: u32,
}

impl Beats {
    /// Of an encoder that begins with `fps` pictures a second, at least 1.
    pub(super) fn new(fps: u32) -> Self {
        let length = CLOCK / fps.max(1);
        Self { pts: 0, length, usual: length, apart: f64::from(length), last_timestamp: None, left_out: 0 }
    }

    /// Pictures come so many a second from now on, at least 1.
    pub(super) fn set_fps(&mut self, fps: u32) {
        self.usual = CLOCK / fps.max(1);
        self.apart = f64::from(self.usual);
    }

    /// So much of the time until the next picture counts for nothing.
    pub(super) fn leave_out(&mut self, time: Duration) {
        let ticks = time.as_micros() * u128::from(CLOCK) / 1_000_000;
        self.left_out = self.left_out.saturating_add(u32::try_from(ticks).unwrap_or(u32::MAX));
    }

    /// Moves the time forward to the picture of this timestamp, by at least one tick.
    pub(super) fn advance(&mut self, timestamp: u32) {
        let (usual, left_out) = (self.usual, std::mem::take(&mut self.left_out));
        if let Some(last) = self.last_timestamp {
            let passed = match timestamp.wrapping_sub(last) {
                0 => usual,
                passed if passed > CLOCK * 10 => usual,
                passed => passed.saturating_sub(left_out).max(usual.min(passed)),
            };
            self.apart += (f64::from(passed.min(usual.saturating_mul(LONGEST))) - self.apart) * WEIGHT;
            self.pts += (self.apart.round() as i64).max(1);
        }
        self.last_timestamp = Some(timestamp);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEAT: u32 = CLOCK / 25;

    /// The steps of an encoder's time for pictures at these beats of 25 a second.
    fn steps(fps: u32, beats: impl Iterator<Item = u32>) -> Vec<i64> {
        let mut told = Beats::new(fps);
        let times: Vec<i64> = beats
            .map(|beat| {
                told.advance(beat * BEAT);
                told.pts
            })
            .collect();
        times.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }

    #[test]
    fn some_of_the_beats_become_even_times_that_keep_up() {
        let sent = (0..250).filter(|n| *n == 0 || n * 20 / 25 != (n - 1) * 20 / 25);
        let steps = steps(20, sent);
        assert!(steps.iter().all(|step| (step - 4_500).abs() < 300), "{steps:?}");
        assert!((steps.iter().sum::<i64>() - 249 * i64::from(BEAT)).abs() < 4_500);
    }

    #[test]
    fn a_pause_is_little_of_a_step_and_time_always_grows() {
        let steps = steps(25, (0..50).chain(80..100).chain([99, 99, 3]));
        assert!(steps.iter().all(|step| (1..=2 * i64::from(BEAT)).contains(step)), "{steps:?}");
    }

    #[test]
    fn what_was_left_out_counts_for_nothing_and_another_rate_at_once() {
        let mut told = Beats::new(25);
        told.advance(0);
        told.leave_out(Duration::from_secs(1_000_000));
        told.advance(25 * BEAT);
        assert_eq!(told.pts, i64::from(BEAT));
        told.set_fps(2);
        told.advance(25 * BEAT + CLOCK / 2);
        assert_eq!((told.pts, told.length), (i64::from(BEAT + CLOCK / 2), BEAT));
    }
}
