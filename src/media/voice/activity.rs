//! Whether somebody speaks: sound that stands out of the noise of the place, for long enough to be a syllable.
//!
//! Owns the noise of the last seconds and the hold that keeps the answer from flapping between words. Works on any sound, ours and
//! theirs; knows neither. Driven block by block by the thread that has the sound.

use super::FRAME;

/// How far over the noise a voice stands, decibels.
const OVER: f32 = 10.0;
/// Softer than this is nobody, dBFS.
const LEAST: f32 = -50.0;
/// What is said of digital silence, dBFS.
const FLOOR: f32 = -90.0;
/// Frames in half of the time in which the softest one is the noise of the place (1.5 s): somebody who speaks pauses
/// between words, a fan does not.
const WINDOW: u32 = 150;
/// Loud frames in a row that are a voice and no click: 50 ms.
const ONSET: u32 = 5;
/// How long a voice is held after it: 400 ms, the pauses between words.
const HOLD: u32 = 40;

/// Listens to one side. Frames that are not whole are judged when the rest of them comes.
#[derive(Clone, Debug)]
pub struct Activity {
    power: f32,
    samples: usize,
    /// The softest frame of this window and of the one before, dBFS.
    softest: [f32; 2],
    frames: u32,
    loud: u32,
    hold: u32,
}

impl Default for Activity {
    /// Nobody has spoken yet.
    fn default() -> Self {
        Self { power: 0.0, samples: 0, softest: [LEAST - OVER; 2], frames: 0, loud: 0, hold: 0 }
    }
}

impl Activity {
    /// Listens to the next samples; whether somebody speaks as of their end.
    pub fn hear(&mut self, samples: &[f32]) -> bool {
        for &sample in samples {
            self.power += sample * sample;
            self.samples += 1;
            if self.samples == FRAME {
                self.judge();
            }
        }
        self.speaking()
    }

    /// Whether somebody speaks.
    #[must_use]
    pub fn speaking(&self) -> bool {
        self.hold > 0
    }

    fn judge(&mut self) {
        let power = self.power / FRAME as f32;
        (self.power, self.samples) = (0.0, 0);
        // What is no number compares as false and counts as silence.
        let level = if power > 1e-9 { 10.0 * power.log10() } else { FLOOR };
        let [now, before] = self.softest;
        let loud = level > LEAST.max(now.min(before) + OVER);
        self.frames = (self.frames + 1) % WINDOW;
        self.softest = if self.frames == 0 { [level, now] } else { [now.min(level), before] };
        self.loud = if loud { self.loud + 1 } else { 0 };
        if self.loud >= ONSET || (loud && self.hold > 0) {
            self.hold = HOLD;
        } else {
            self.hold = self.hold.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::WallTime;
    use crate::media::rtp::wire::Random;
    use crate::media::source::open_sound;

    /// The spoken words of the test data, 10 s.
    fn talk() -> Vec<f32> {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/talk.wav");
        let mut source = open_sound(path.as_ref()).unwrap();
        let mut sound = vec![0.0; 480_000];
        source.read(WallTime(0), &mut sound).unwrap();
        sound
    }

    fn noise(length: usize, amplitude: f32) -> Vec<f32> {
        let mut random = Random(7);
        (0..length).map(|_| (random.share() as f32 - 0.5) * 2.0 * amplitude).collect()
    }

    /// How often the answer changes, and the share of time in which somebody spoke.
    fn changes(sound: &[f32]) -> (usize, f32) {
        let mut activity = Activity::default();
        let said: Vec<bool> = sound.chunks(960).map(|block| activity.hear(block)).collect();
        let changes = said.windows(2).filter(|pair| pair[0] != pair[1]).count();
        (changes, said.iter().filter(|said| **said).count() as f32 / said.len() as f32)
    }

    #[test]
    fn a_person_who_talks_speaks_without_flapping_also_in_noise() {
        let talk = talk();
        let (flaps, share) = changes(&talk);
        assert!(flaps <= 10 && share > 0.7, "{flaps} changes, {share} of the time");
        // 35 dB below full scale: a fan on the desk.
        let noisy: Vec<f32> = noise(96_000, 0.03)
            .into_iter()
            .chain(talk.iter().zip(noise(480_000, 0.03)).map(|(voice, noise)| voice + noise))
            .collect();
        let (flaps, share) = changes(&noisy);
        assert!(flaps <= 12 && share > 0.5, "{flaps} changes, {share} of the time");
    }

    #[test]
    fn silence_steady_noise_and_clicks_are_nobody() {
        assert_eq!(changes(&vec![0.0; 96_000]), (0, 0.0));
        let mut activity = Activity::default();
        activity.hear(&noise(48_000 * 12, 0.02));
        for block in noise(48_000 * 10, 0.02).chunks(960) {
            assert!(!activity.hear(block), "noise that was there all the time");
        }
        let mut clicks = vec![0.0f32; 96_000];
        clicks.iter_mut().step_by(24_000).for_each(|sample| *sample = 1.0);
        assert_eq!(changes(&clicks), (0, 0.0));
        assert!(!Activity::default().hear(&[f32::NAN; 4_800]));
    }
}
