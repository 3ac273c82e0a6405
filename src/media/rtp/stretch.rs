//! Sound made a little shorter or longer without a change of pitch: one period is taken out or put
//! in twice, cross-faded where the wave repeats itself.
//!
//! Owns arithmetic over decoded mono samples at 48 kHz, and the notion of what is a pause between words; when to
//! stretch is for the jitter buffer to say.

use super::jitter::{Adjust, When};

/// The shortest period looked for, samples (2.5 ms, 400 Hz).
const SHORTEST: usize = 120;
/// The longest (10 ms, 100 Hz): two of them fit into a packet of 20 ms.
const LONGEST: usize = 480;
/// Samples skipped while searching: pitch is found on every third sample, then refined.
const STEP: usize = 3;
/// How alike two periods must be, as a normalised correlation.
const ALIKE: f32 = 0.85;
/// Energy a sample below which sound counts as silence and may be cut anywhere (-60 dBFS).
const QUIET: f32 = 1e-6;
/// A pause is this much below the words around it (-40 dB), as energy: the softest consonants are above that.
const PAUSE: f32 = 1e-4;
/// What is left of the loudness of words after a sample: half after three seconds.
const FADE: f32 = 1.0 - 4.8e-6;

/// Stretches one stream of sound.
#[derive(Debug, Clone, Default)]
pub struct Stretcher {
    /// Energy a sample of the loudest block, fading.
    loud: f32,
}

impl Stretcher {
    /// Shortens or lengthens `samples` by one period where that will not be heard. Returns by how many
    /// samples the length changed: 0 when no fitting place was found or the block is under 20 ms.
    pub fn stretch(&mut self, samples: &mut Vec<f32>, adjust: Adjust) -> isize {
        if samples.is_empty() {
            return 0;
        }
        let energy = samples.iter().map(|s| s * s).sum::<f32>() / samples.len() as f32;
        self.loud = energy.max(self.loud * FADE.powi(samples.len() as i32));
        let pause = energy < QUIET || energy < self.loud * PAUSE;
        let (shorter, when) = match adjust {
            Adjust::None => return 0,
            Adjust::Shorten(when) => (true, when),
            Adjust::Lengthen(when) => (false, when),
        };
        if samples.len() < 2 * LONGEST || when == When::InPauses && !pause {
            return 0;
        }
        let place = if pause { Some(LONGEST) } else { period(samples) };
        let Some(period) = place else {
            return 0;
        };
        if shorter {
            for i in 0..period {
                samples[i] = fade(samples[i], samples[i + period], i, period);
            }
            samples.drain(period..2 * period);
            -(period as isize)
        } else {
            let again: Vec<f32> =
                (0..period).map(|i| fade(samples[i + period], samples[i], i, period)).collect();
            samples.splice(period..period, again);
            period as isize
        }
    }
}

fn fade(from: f32, to: f32, index: usize, length: usize) -> f32 {
    let share = index as f32 / length as f32;
    from + (to - from) * share
}

/// The lag at which the beginning of the block is most like what follows it.
fn period(samples: &[f32]) -> Option<usize> {
    let coarse = (SHORTEST..=LONGEST)
        .step_by(STEP)
        .map(|lag| (likeness(samples, lag, STEP), lag))
        .max_by(|a, b| a.0.total_cmp(&b.0))?;
    let (best, lag) = (coarse.1.saturating_sub(STEP - 1).max(SHORTEST)..coarse.1 + STEP)
        .filter(|&lag| lag <= LONGEST)
        .map(|lag| (likeness(samples, lag, 1), lag))
        .max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best >= ALIKE).then_some(lag)
}

fn likeness(samples: &[f32], lag: usize, step: usize) -> f32 {
    let (mut product, mut first, mut second) = (0.0f32, 1e-9f32, 1e-9f32);
    for i in (0..lag).step_by(step) {
        let (a, b) = (samples[i], samples[i + lag]);
        product += a * b;
        first += a * a;
        second += b * b;
    }
    product / (first * second).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sine(hertz: f32, length: usize) -> Vec<f32> {
        (0..length).map(|i| (i as f32 * hertz * std::f32::consts::TAU / 48_000.0).sin() * 0.5).collect()
    }

    /// The greatest step between neighbours: a click would stand out.
    fn roughness(samples: &[f32]) -> f32 {
        samples.windows(2).map(|w| (w[1] - w[0]).abs()).fold(0.0, f32::max)
    }

    #[test]
    fn a_sine_gets_shorter_and_longer_without_a_click() {
        for hertz in [120.0, 180.0, 310.0, 440.0, 1_000.0] {
            let original = sine(hertz, 960);
            for (adjust, sign) in [(Adjust::Shorten(When::Now), -1), (Adjust::Lengthen(When::Now), 1)] {
                let mut samples = original.clone();
                let change = Stretcher::default().stretch(&mut samples, adjust);
                assert_eq!(change.signum(), sign, "{hertz} {adjust:?}");
                assert_eq!(samples.len() as isize, 960 + change);
                assert!(roughness(&samples) < roughness(&original) * 1.3, "{hertz} {adjust:?}");
                assert_eq!(samples.last(), original.last());
            }
        }
    }

    fn noise(amplitude: f32) -> Vec<f32> {
        let mut state = 1u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((state >> 8) as f32 / (1 << 23) as f32 - 1.0) * amplitude
        };
        (0..960).map(|_| next()).collect()
    }

    #[test]
    fn noise_is_left_alone_and_silence_is_cut() {
        let now = Adjust::Shorten(When::Now);
        let mut stretcher = Stretcher::default();
        assert_eq!(stretcher.stretch(&mut noise(1.0), now), 0);
        assert_eq!(stretcher.stretch(&mut vec![0.0; 960], now), -480);
        assert_eq!(stretcher.stretch(&mut vec![0.0; 480], now), 0, "too short a block");
        assert_eq!(stretcher.stretch(&mut Vec::new(), now), 0);
    }

    #[test]
    fn where_there_is_time_words_are_left_alone_and_the_noise_between_them_is_cut() {
        let mut stretcher = Stretcher::default();
        for (adjust, sign) in [(Adjust::Shorten(When::InPauses), -1), (Adjust::Lengthen(When::InPauses), 1)] {
            assert_eq!(stretcher.stretch(&mut sine(180.0, 960), adjust), 0);
            assert_eq!(stretcher.stretch(&mut noise(0.003), adjust), 480 * sign);
        }
        for _ in 0..50 * 30 {
            stretcher.stretch(&mut noise(0.003), Adjust::None);
        }
        let adjust = Adjust::Shorten(When::InPauses);
        assert_eq!(stretcher.stretch(&mut noise(0.003), adjust), 0, "it is all there is now");
    }
}
