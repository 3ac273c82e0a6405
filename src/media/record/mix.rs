//! Both voices as one sound, each at the time at which it was heard.
//!
//! Owns the sum and its limits. Pure: positions are samples since the beginning, the time is an argument.

use std::collections::VecDeque;

use crate::media::SAMPLE_RATE;
use crate::media::codec::opus::BLOCK;

/// A voice whose beat is off by less than this goes on without a step: positions are rounded.
const SLACK: i64 = SAMPLE_RATE as i64 / 1_000;
/// So long sound may take to get here, at the least: pictures of the same time are then here as well.
const EARLY: i64 = SAMPLE_RATE as i64 / 10;
/// So long a voice that is missing is waited for: it may be muted, or there is none.
const LATE: i64 = SAMPLE_RATE as i64 * 3 / 10;
/// Sound further ahead than this is not of this recording.
const FURTHEST: i64 = SAMPLE_RATE as i64 * 20;
/// Above this the sum is bent, so that two voices at once do not crackle.
const BEND: f32 = 0.8;

/// Whose voice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    Own,
    Remote,
}

/// The sum of two voices, as far as they came.
#[derive(Debug, Default)]
pub(super) struct Mixer {
    /// The position of the first sample of `sum`.
    begin: i64,
    sum: VecDeque<f32>,
    /// Where each voice goes on.
    next: [i64; 2],
}

impl Mixer {
    /// Adds a stretch of a voice that was heard from `at` on. What comes for a time that was taken already is cut off.
    pub(super) fn add(&mut self, who: Who, at: i64, samples: &[f32]) {
        let next = &mut self.next[who as usize];
        let start = if (at - *next).abs() <= SLACK { *next } else { at };
        // A voice never overlaps itself, and what was taken is gone.
        let from = start.max(*next).max(self.begin);
        let Some(samples) = usize::try_from(from - start).ok().and_then(|cut| samples.get(cut..)) else {
            return;
        };
        if samples.is_empty() || from - self.begin > FURTHEST {
            return;
        }
        let offset = usize::try_from(from - self.begin).unwrap_or(0);
        if self.sum.len() < offset + samples.len() {
            self.sum.resize(offset + samples.len(), 0.0);
        }
        for (sum, sample) in self.sum.iter_mut().skip(offset).zip(samples) {
            *sum += sample;
        }
        *next = from + samples.len() as i64;
    }

    /// The next block when it is complete, or when what is missing is not waited for any longer; and its position.
    pub(super) fn take(&mut self, now: i64, block: &mut [f32; BLOCK]) -> Option<i64> {
        let end = self.begin + BLOCK as i64;
        let both = self.next.iter().all(|&next| next >= end);
        let ready = now >= end + LATE || (both && now >= end + EARLY);
        ready.then(|| self.pop(block))
    }

    /// The next block of what is left, whole or not.
    pub(super) fn take_rest(&mut self, block: &mut [f32; BLOCK]) -> Option<i64> {
        let left = self.next.iter().any(|&next| next > self.begin);
        left.then(|| self.pop(block))
    }

    /// Everything before this was taken.
    pub(super) fn position(&self) -> i64 {
        self.begin
    }

    fn pop(&mut self, block: &mut [f32; BLOCK]) -> i64 {
        let begin = self.begin;
        for sample in block.iter_mut() {
            *sample = bent(self.sum.pop_front().unwrap_or(0.0));
        }
        self.begin += BLOCK as i64;
        begin
    }
}

/// Within -1 and 1, and as it is where it is not loud.
fn bent(sample: f32) -> f32 {
    let loud = sample.abs();
    if loud <= BEND {
        return sample;
    }
    let rest = 1.0 - BEND;
    sample.signum() * (BEND + rest * ((loud - BEND) / rest).tanh())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTH: i64 = BLOCK as i64;

    fn taken(mixer: &mut Mixer, now: i64) -> Vec<f32> {
        let mut block = [0.0; BLOCK];
        let mut all = Vec::new();
        while mixer.take(now, &mut block).is_some() {
            all.extend_from_slice(&block);
        }
        all
    }

    #[test]
    fn two_voices_add_up_where_they_were_heard() {
        let mut mixer = Mixer::default();
        mixer.add(Who::Own, 0, &[0.25; 4 * BLOCK]);
        mixer.add(Who::Remote, 2 * LENGTH + 7, &[0.5; 2 * BLOCK]);
        assert!(taken(&mut mixer, EARLY - 1).is_empty(), "a picture of this time may still come");
        let sum = taken(&mut mixer, 4 * LENGTH + EARLY);
        assert_eq!(sum.len(), 4 * BLOCK);
        assert!(sum[..2 * BLOCK + 7].iter().all(|&sample| sample == 0.25));
        assert!(sum[2 * BLOCK + 7..].iter().all(|&sample| sample == 0.75));
    }

    #[test]
    fn a_missing_voice_is_waited_for_and_then_silence() {
        let mut mixer = Mixer::default();
        mixer.add(Who::Own, 0, &[0.25; 2 * BLOCK]);
        assert!(taken(&mut mixer, LENGTH + LATE - 1).is_empty());
        assert_eq!(taken(&mut mixer, 2 * LENGTH + LATE).len(), 2 * BLOCK);
        // What comes afterwards for that time is cut off, what goes beyond it is kept.
        mixer.add(Who::Remote, LENGTH, &[0.5; 2 * BLOCK]);
        let sum = taken(&mut mixer, 3 * LENGTH + LATE);
        assert!(sum.len() == BLOCK && sum.iter().all(|&sample| sample == 0.5), "{:?}", &sum[..3]);
    }

    #[test]
    fn a_voice_neither_overlaps_itself_nor_steps_for_a_rounding() {
        let mut mixer = Mixer::default();
        for index in 0..10 {
            mixer.add(Who::Own, index * LENGTH + [0, 20, -20][index as usize % 3], &[0.5; BLOCK]);
        }
        // Half of this was heard already.
        mixer.add(Who::Own, 9 * LENGTH + LENGTH / 2, &[0.5; BLOCK]);
        let mut block = [0.0; BLOCK];
        let mut count = 0;
        while mixer.take_rest(&mut block).is_some() {
            count += 1;
            let whole = if count == 11 { BLOCK / 2 } else { BLOCK };
            assert!(block[..whole].iter().all(|&sample| sample == 0.5), "block {count}");
            assert!(block[whole..].iter().all(|&sample| sample == 0.0), "block {count}");
        }
        assert_eq!(count, 11);
    }

    #[test]
    fn sound_before_the_beginning_and_far_ahead_is_left_out() {
        let mut mixer = Mixer::default();
        mixer.add(Who::Own, -2 * LENGTH, &[0.5; BLOCK]);
        mixer.add(Who::Own, -LENGTH / 2, &[0.5; BLOCK]);
        mixer.add(Who::Remote, i64::MAX / 2, &[0.5; BLOCK]);
        let sum = taken(&mut mixer, LENGTH + LATE);
        assert!(sum[..BLOCK / 2].iter().all(|&sample| sample == 0.5));
        assert!(sum[BLOCK / 2..].iter().all(|&sample| sample == 0.0));
    }

    #[test]
    fn loud_sums_are_bent_and_stay_within_bounds() {
        for loud in [0.0, 0.5, 0.8, 0.9, 1.5, 2.0, 100.0] {
            let (up, down) = (bent(loud), bent(-loud));
            assert!(up <= 1.0 && up == -down && (loud > BEND || up == loud), "{loud}: {up}");
        }
    }
}
