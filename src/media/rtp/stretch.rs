//! Sound made a little shorter or longer without a change of pitch: one period is taken out or put
//! in twice, cross-faded where the wave repeats itself.
//!
//! Owns one pure function over decoded mono samples at 48 kHz; when to use it is for the jitter
//! buffer to say.

use super::jitter::Adjust;

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

/// Shortens or lengthens `samples` by one period where that will not be heard. Returns by how many
/// samples the length changed: 0 when no fitting place was found or the block is under 20 ms.
pub fn stretch(samples: &mut Vec<f32>, adjust: Adjust) -> isize {
    if adjust == Adjust::None || samples.len() < 2 * LONGEST {
        return 0;
    }
    let Some(period) = period(samples) else {
        return 0;
    };
    match adjust {
        Adjust::None => 0,
        Adjust::Shorten => {
            for i in 0..period {
                samples[i] = fade(samples[i], samples[i + period], i, period);
            }
            samples.drain(period..2 * period);
            -(period as isize)
        }
        Adjust::Lengthen => {
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
    let energy = samples.iter().map(|s| s * s).sum::<f32>() / samples.len() as f32;
    if energy < QUIET {
        return Some(LONGEST);
    }
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
            for (adjust, sign) in [(Adjust::Shorten, -1), (Adjust::Lengthen, 1)] {
                let mut samples = original.clone();
                let change = stretch(&mut samples, adjust);
                assert_eq!(change.signum(), sign, "{hertz} {adjust:?}");
                assert_eq!(samples.len() as isize, 960 + change);
                assert!(roughness(&samples) < roughness(&original) * 1.3, "{hertz} {adjust:?}");
                assert_eq!(samples.last(), original.last());
            }
        }
    }

    #[test]
    fn noise_is_left_alone_and_silence_is_cut() {
        let mut state = 1u32;
        let mut noise: Vec<f32> = (0..960)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) as f32 / (1 << 23) as f32 - 1.0
            })
            .collect();
        assert_eq!(stretch(&mut noise, Adjust::Shorten), 0);
        assert_eq!(stretch(&mut vec![0.0; 960], Adjust::Shorten), -480);
        assert_eq!(stretch(&mut vec![0.0; 480], Adjust::Shorten), 0, "too short a block");
    }
}
