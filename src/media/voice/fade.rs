//! Mute without a click: sound goes to silence, and comes back, within 5 ms.
//!
//! Owns one gain and how fast it moves. Driven by the thread that captures, block by block.

use crate::media::SAMPLE_RATE;

/// Samples from sound to silence: 5 ms.
const LENGTH: u32 = SAMPLE_RATE / 200;

/// The gain of what is sent, between silence and as it is.
#[derive(Clone, Copy, Debug)]
pub struct Fade {
    /// From 0 (silence) to [`LENGTH`] (as it is).
    at: u32,
}

impl Default for Fade {
    /// Open: sound is as it is.
    fn default() -> Self {
        Self { at: LENGTH }
    }
}

impl Fade {
    /// Brings the block nearer to silence, or to what it is. Once silent all samples are 0, once open none is changed.
    pub fn apply(&mut self, muted: bool, block: &mut [f32]) {
        let mut samples = block.iter_mut();
        while self.at != (if muted { 0 } else { LENGTH }) {
            let Some(sample) = samples.next() else {
                return;
            };
            self.at = if muted { self.at - 1 } else { self.at + 1 };
            *sample *= self.at as f32 / LENGTH as f32;
        }
        if muted {
            samples.for_each(|sample| *sample = 0.0);
        }
    }

    /// Whether nothing is let through.
    #[must_use]
    pub fn silent(&self) -> bool {
        self.at == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mute_is_silent_after_five_milliseconds_and_never_clicks() {
        let mut fade = Fade::default();
        let mut sound = Vec::new();
        for muted in [false, true, true, false, false] {
            let mut block = [0.5f32; 960];
            fade.apply(muted, &mut block);
            assert_eq!(fade.silent(), muted);
            sound.extend_from_slice(&block);
        }
        assert!(sound[..960].iter().all(|&sample| sample == 0.5));
        assert!(sound[960 + 240..3 * 960].iter().all(|&sample| sample == 0.0));
        assert!(sound[3 * 960 + 240..].iter().all(|&sample| sample == 0.5));
        let step = sound.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max);
        assert!(step < 0.003, "{step}");
    }

    #[test]
    fn a_change_of_mind_goes_on_from_where_it_was() {
        let mut fade = Fade::default();
        let mut first = [1.0f32; 100];
        fade.apply(true, &mut first);
        let mut second = [1.0f32; 200];
        fade.apply(false, &mut second);
        assert!((first[99] - second[0]).abs() < 0.01);
        assert_eq!(second[199], 1.0);
    }
}
