//! The processing through its two ends.

use super::*;
use crate::media::rtp::wire::Random;

fn noise(length: usize, amplitude: f32) -> Vec<f32> {
    let mut random = Random(3);
    (0..length).map(|_| (random.share() as f32 - 0.5) * 2.0 * amplitude).collect()
}

fn decibels(sound: &[f32]) -> f32 {
    let power = sound.iter().map(|x| x * x).sum::<f32>() / sound.len() as f32;
    10.0 * power.max(1e-12).log10()
}

#[test]
fn with_everything_off_not_one_sample_is_changed() {
    let (mut capture, mut reference) = pair(Settings::OFF);
    for block in noise(96_000, 1.5).chunks(960) {
        reference.played(block);
        let mut out = block.to_vec();
        capture.process(&mut out);
        assert_eq!(out, block);
    }
    assert_eq!(capture.overruns(), 0);
}

#[test]
fn each_part_can_be_switched_in_mid_stream() {
    let (mut capture, mut reference) = pair(Settings::default());
    for (n, block) in noise(96_000, 0.1).chunks(960).enumerate() {
        capture.set(Settings {
            echo_cancellation: n / 10 % 2 == 0,
            noise_suppression: n / 10 % 3 == 0,
            gain: n / 10 % 4 == 0,
        });
        reference.played(block);
        let mut out = block.to_vec();
        capture.process(&mut out);
        assert!(out.iter().all(|sample| sample.is_finite() && sample.abs() <= 1.0));
    }
}

#[test]
fn steady_noise_gets_softer_only_when_that_is_wanted() {
    let level = |noise_suppression| {
        let (mut capture, _) = pair(Settings { noise_suppression, ..Settings::OFF });
        let mut sound = noise(48_000 * 4, 0.02);
        sound.chunks_mut(960).for_each(|block| capture.process(block));
        decibels(&sound[48_000 * 3..])
    };
    let (with, without) = (level(true), level(false));
    assert!(without - with > 9.0, "{with} dBFS with, {without} dBFS without");
}

#[test]
fn the_played_sound_is_taken_out_of_what_is_captured() {
    let (mut capture, mut reference) = pair(Settings::default());
    let played = noise(48_000 * 4, 0.2);
    let mut left = Vec::new();
    for (n, block) in played.chunks(960).enumerate() {
        reference.played(block);
        // 50 ms later, at half the amplitude.
        let mut heard: Vec<f32> =
            (0..960).map(|i| (n * 960 + i).checked_sub(2_400).map_or(0.0, |at| played[at] * 0.5)).collect();
        capture.process(&mut heard);
        left.extend(heard);
    }
    let (before, after) = (decibels(&played[48_000 * 2..]) - 6.0, decibels(&left[48_000 * 2..]));
    assert!(before - after > 35.0, "{before} dBFS to {after} dBFS");
}
