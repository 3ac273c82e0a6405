//! A voice in a simulated room: what the loudspeaker plays comes back into the microphone, and must not go back.
//!
//! The room is a direct sound and 400 reflections that fade by 60 dB in 250 ms, behind the delay of the devices; the loudspeaker
//! bends what is loud. Blocks come as the pipeline's threads give them: the played one before or after the captured one.

use std::path::Path;

use letsmeet::media::source::open_sound;
use letsmeet::media::voice::{Settings, pair};
use letsmeet::media::{SAMPLE_RATE, WallTime};
use tempfile::TempDir;

use crate::harness::data;
use crate::harness::pesq::{saved, scores, spoken};

const SECOND: usize = SAMPLE_RATE as usize;
const BLOCK: usize = SECOND / 50;
/// Until a room is known.
const LEARNING: usize = 2 * SECOND;

/// Numbers that only look random, evenly between 0 and 1.
struct Random(u64);

impl Random {
    fn share(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 40) as f32 / (1u64 << 24) as f32
    }
}

fn sound(path: &Path, seconds: usize) -> Vec<f32> {
    let mut samples = vec![0.0; seconds * SECOND];
    open_sound(path).unwrap().read(WallTime(0), &mut samples).unwrap();
    samples
}

/// What the microphone hears of `played`, which was bent by the loudspeaker, delayed by the devices and spread by the room.
fn room(played: &[f32], delay_ms: usize) -> Vec<f32> {
    let mut random = Random(0x5eed);
    let delay = delay_ms * SECOND / 1_000;
    let mut taps = vec![(delay, 0.5f32)];
    for _ in 0..400 {
        let seconds = random.share() * 0.25;
        let fade = 10f32.powf(-3.0 * seconds / 0.25);
        let sign = if random.share() < 0.5 { -1.0 } else { 1.0 };
        taps.push((delay + (seconds * SECOND as f32) as usize, 0.08 * sign * fade * random.share()));
    }
    let bent: Vec<f32> = played.iter().map(|&x| (1.1 * x).tanh() / 1.1).collect();
    let mut heard = vec![0.0f32; played.len()];
    for (late, gain) in taps {
        for (out, x) in heard[late..].iter_mut().zip(&bent) {
            *out += gain * x;
        }
    }
    heard
}

/// What is sent of `captured` while `played` is played, with the noise of a quiet room (-66 dBFS) in the microphone.
fn processed(settings: Settings, played: &[f32], captured: &[f32]) -> Vec<f32> {
    let (mut capture, mut reference) = pair(settings);
    let mut random = Random(0xbeef);
    let mut sent = Vec::with_capacity(captured.len());
    for (played, captured) in played.chunks(BLOCK).zip(captured.chunks(BLOCK)) {
        let mut block: Vec<f32> = captured.iter().map(|&x| x + (random.share() - 0.5) * 0.0017).collect();
        let first = random.share() < 0.8;
        if first {
            reference.played(played);
        }
        capture.process(&mut block);
        if !first {
            reference.played(played);
        }
        sent.extend(block);
    }
    assert_eq!(capture.overruns(), 0);
    sent
}

/// By how many decibels `sent` is softer than `heard`, over the blocks in which there is a voice.
fn enhancement(heard: &[f32], sent: &[f32]) -> f32 {
    let power = |samples: &[f32]| samples.iter().map(|&x| f64::from(x * x)).sum::<f64>();
    let (mut before, mut after) = (0.0, 0.0);
    for (heard, sent) in heard.chunks(BLOCK).zip(sent.chunks(BLOCK)) {
        // A voice: above -45 dBFS.
        if power(heard) / heard.len() as f64 > 3e-5 {
            before += power(heard);
            after += power(sent);
        }
    }
    (10.0 * (before / after.max(1e-12)).log10()) as f32
}

#[test]
fn the_far_voice_comes_back_35_db_softer_after_two_seconds() {
    let played = sound(&data("talk.wav"), 10);
    for delay in [40, 60, 100] {
        let heard = room(&played, delay);
        for (what, settings) in [
            ("echo cancellation", Settings { echo_cancellation: true, ..Settings::OFF }),
            ("and noise suppression", Settings { gain: false, ..Settings::default() }),
            ("and gain", Settings::default()),
        ] {
            let sent = processed(settings, &played, &heard);
            let erle = enhancement(&heard[LEARNING..], &sent[LEARNING..]);
            eprintln!("{delay} ms, {what}: {erle:.1} dB");
            assert!(erle >= 35.0, "{delay} ms, {what}: {erle:.1} dB");
        }
    }
}

#[test]
fn a_near_voice_alone_is_kept_and_one_in_double_talk_comes_through() {
    let folder = TempDir::with_prefix("letsmeet-echo-").unwrap();
    let words = "The birch canoe slid on the smooth planks. Glue the sheet to the dark blue background.";
    let near = sound(&spoken(folder.path(), "en+f3", words), 5);
    let save = |name: &str, samples: &[f32]| saved(&folder.path().join(name), samples);
    let clean = save("clean.wav", &near);
    let far = sound(&data("talk.wav"), 12);
    // The far one speaks all the time, the near one from 4 s on.
    let start = 4 * SECOND;
    let power = |samples: &[f32]| samples.iter().map(|&x| f64::from(x * x)).sum::<f64>();
    // The gain of the far voice, and floors under what was measured (docs/voice.md): when both speak at once the canceller takes some
    // of the near voice too.
    for (far_gain, floor) in [(0.0, 3.8), (0.03, 2.0), (0.1, 1.4), (0.35, 1.25)] {
        let played: Vec<f32> = far.iter().map(|x| x * far_gain).collect();
        let mut captured = room(&played, 60);
        let ratio = 10.0 * (power(&near) / power(&captured[start..][..near.len()])).log10();
        captured[start..].iter_mut().zip(&near).for_each(|(x, near)| *x += near);
        let sent = processed(Settings::default(), &played, &captured);
        let with = scores(&clean, &save("sent.wav", &sent[start - BLOCK..]))[0];
        let without = scores(&clean, &save("raw.wav", &captured[start - BLOCK..]))[0];
        eprintln!("near voice {ratio:.1} dB over the echo: PESQ-WB {with:.2}, unprocessed {without:.2}");
        assert!(with > floor, "{ratio:.1} dB: {with:.2}");
    }
}
