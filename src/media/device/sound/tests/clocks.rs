//! A device whose clock is not ours, for as long as a call lasts.

use std::f64::consts::TAU;

use cpal::{Data, SampleFormat};

use crate::media::SAMPLE_RATE;
use crate::media::device::sound::callback::{Capture, Playback};
use crate::media::device::sound::line::{Incoming, Outgoing};

const HZ: f64 = 1_000.0;
/// Samples of the pipeline's block and of the device's.
const BLOCK: usize = 960;
const DEVICE_BLOCK: usize = 480;

/// When block `number` of a clock passes, in microseconds: up to `late` late, as threads are.
fn moment(number: u64, block: usize, rate: f64, late: u64) -> u64 {
    let scattered = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
    1_000_000 + (number as f64 * block as f64 * 1e6 / rate) as u64 + scattered % late.max(1)
}

/// One period of the tone at 48 kHz.
fn period() -> Vec<f32> {
    let length = f64::from(SAMPLE_RATE) / HZ;
    (0..length as usize).map(|place| (0.5 * (TAU * place as f64 / length).sin()) as f32).collect()
}

/// The tone from sample `first` on.
fn sine(period: &[f32], first: u64, block: &mut [f32]) {
    let start = (first % period.len() as u64) as usize;
    for (sample, &value) in block.iter_mut().zip(period.iter().cycle().skip(start)) {
        *sample = value;
    }
}

fn as_data(block: &mut [f32]) -> Data {
    // SAFETY: used up before the block is used again; its length and type are the block's.
    unsafe { Data::from_parts(block.as_mut_ptr().cast(), block.len(), SampleFormat::F32) }
}

/// The power of the best fitting sine of about `hz`, against that of the rest, in dB.
fn signal_to_noise(samples: &[f32], rate: f64) -> f64 {
    let fit = |hz: f64| {
        let (mut a, mut b) = (0.0, 0.0);
        for (place, &sample) in samples.iter().enumerate() {
            let (sin, cos) = (TAU * hz * place as f64 / rate).sin_cos();
            a += f64::from(sample) * sin;
            b += f64::from(sample) * cos;
        }
        let scale = 2.0 / samples.len() as f64;
        let (a, b) = (a * scale, b * scale);
        let noise: f64 = samples
            .iter()
            .enumerate()
            .map(|(place, &sample)| {
                let (sin, cos) = (TAU * hz * place as f64 / rate).sin_cos();
                (f64::from(sample) - a * sin - b * cos).powi(2)
            })
            .sum();
        10.0 * ((a * a + b * b) * samples.len() as f64 / 2.0 / noise).log10()
    };
    let (mut low, mut high) = (HZ * 0.999, HZ * 1.001);
    for _ in 0..30 {
        let third = (high - low) / 3.0;
        if fit(low + third) < fit(high - third) { low += third } else { high -= third }
    }
    fit((low + high) / 2.0)
}

/// What a run has shown.
struct Seen {
    /// The longest and the shortest time that sound waited, in ms, in the first ten minutes (after the first minute) and in the last.
    early: (f64, f64),
    late: (f64, f64),
    gaps: u32,
    snr_db: f64,
}

fn widen(range: &mut (f64, f64), value: f64) {
    *range = (range.0.min(value), range.1.max(value));
}

impl Seen {
    fn new() -> Self {
        let none = (f64::INFINITY, f64::NEG_INFINITY);
        Self { early: none, late: none, gaps: 0, snr_db: f64::INFINITY }
    }

    fn waited(&mut self, second: u64, seconds: u64, wait: Option<f64>) {
        let wait = wait.unwrap_or_default() * 1e3;
        if (60..600).contains(&second) {
            widen(&mut self.early, wait);
        } else if second + 600 > seconds {
            widen(&mut self.late, wait);
        }
    }

    fn check(&self, what: &str, ppm: i32, most_ms: f64) {
        let (early, late) = (self.early, self.late);
        println!(
            "{what} at {ppm:+} ppm: waits {:.1} to {:.1} ms, at the end {:.1} to {:.1} ms; {} gaps, tone {:.0} dB above the rest",
            early.0, early.1, late.0, late.1, self.gaps, self.snr_db
        );
        assert_eq!(self.gaps, 0, "{what} at {ppm} ppm: gaps");
        assert!(late.1 <= early.1 + 1.0, "{what} at {ppm} ppm: the delay grew from {early:?} to {late:?}");
        assert!(early.1.max(late.1) <= most_ms, "{what} at {ppm} ppm: {early:?} {late:?} ms");
        assert!(self.snr_db >= 60.0, "{what} at {ppm} ppm: {} dB", self.snr_db);
    }
}

/// Reads a microphone whose clock is off by `ppm` for so many seconds.
fn microphone(ppm: i32, seconds: u64) -> Seen {
    let rate = f64::from(SAMPLE_RATE) * (1.0 + f64::from(ppm) / 1e6);
    let (mut capture, mut line): (Capture, _) = Incoming::new(SAMPLE_RATE, 1);
    let (mut seen, mut blocks, mut said) = (Seen::new(), 0, vec![0.0; DEVICE_BLOCK]);
    let (mut second, period) = (Vec::new(), period());
    let mut out = [0.0; BLOCK];
    for number in 0..seconds * 50 {
        let now = moment(number, BLOCK, f64::from(SAMPLE_RATE), 2_000);
        while moment(blocks + 1, DEVICE_BLOCK, rate, 2_000) <= now {
            sine(&period, blocks * DEVICE_BLOCK as u64, &mut said);
            let at = moment(blocks + 1, DEVICE_BLOCK, rate, 2_000);
            capture.take(&as_data(&mut said), at);
            blocks += 1;
        }
        line.read(&mut out, now);
        seen.waited(number / 50, seconds, line.waits(now));
        // A second of it every five minutes.
        let (part, within) = (number / 15_000, number % 15_000);
        if part > 0 && within < 50 {
            second.extend_from_slice(&out);
        } else if !second.is_empty() {
            seen.snr_db = seen.snr_db.min(signal_to_noise(&second, f64::from(SAMPLE_RATE)));
            second.clear();
        }
    }
    seen.gaps = line.gaps();
    seen
}

/// Plays to a speaker whose clock is off by `ppm` for so many seconds.
fn speaker(ppm: i32, seconds: u64) -> Seen {
    let rate = f64::from(SAMPLE_RATE) * (1.0 + f64::from(ppm) / 1e6);
    let (mut playback, mut line): (Playback, _) = Outgoing::new(SAMPLE_RATE, 1);
    let (mut seen, mut blocks, mut heard) = (Seen::new(), 0, vec![0.0; DEVICE_BLOCK]);
    let (mut second, period) = (Vec::new(), period());
    let mut out = [0.0; BLOCK];
    for number in 0..seconds * 50 {
        let now = moment(number, BLOCK, f64::from(SAMPLE_RATE), 2_000);
        while moment(blocks + 1, DEVICE_BLOCK, rate, 2_000) <= now {
            let at = moment(blocks + 1, DEVICE_BLOCK, rate, 2_000);
            playback.give(&mut as_data(&mut heard), at);
            blocks += 1;
            let (part, within) = (blocks / 30_000, blocks % 30_000);
            if part > 0 && within < 100 {
                second.extend_from_slice(&heard);
            } else if !second.is_empty() {
                seen.snr_db = seen.snr_db.min(signal_to_noise(&second, f64::from(SAMPLE_RATE)));
                second.clear();
            }
        }
        seen.waited(number / 50, seconds, line.waits(now));
        sine(&period, number * BLOCK as u64, &mut out);
        line.write(&out, now);
    }
    seen.gaps = line.gaps();
    seen
}

const HOUR: u64 = 3_600;
const THIRD: u64 = HOUR / 3;

#[test]
fn an_hour_of_a_microphone_that_is_too_fast_neither_grows_nor_gaps() {
    microphone(200, HOUR).check("microphone", 200, 20.0);
}

#[test]
fn a_third_of_an_hour_of_a_microphone_that_is_too_slow_neither_grows_nor_gaps() {
    microphone(-200, THIRD).check("microphone", -200, 20.0);
}

#[test]
fn a_third_of_an_hour_of_a_speaker_that_is_too_fast_neither_grows_nor_gaps() {
    speaker(200, THIRD).check("speaker", 200, 15.0);
}

#[test]
fn an_hour_of_a_speaker_that_is_too_slow_neither_grows_nor_gaps() {
    speaker(-200, HOUR).check("speaker", -200, 15.0);
}

#[test]
fn a_pause_of_the_reader_is_not_heard_for_longer_than_it_lasted() {
    let (mut capture, mut line) = Incoming::new(SAMPLE_RATE, 1);
    let mut said = vec![0.25; DEVICE_BLOCK];
    let mut out = [0.0; BLOCK];
    let mut waits = Vec::new();
    for number in 0..400u64 {
        let now = 1_000_000 + number * 10_000;
        capture.take(&as_data(&mut said), now);
        if number % 2 == 0 && !(200..230).contains(&number) {
            line.read(&mut out, now + 1_000);
            waits.push(line.waits(now + 1_000).unwrap());
        }
    }
    assert_eq!(line.gaps(), 0);
    assert!(waits.last().unwrap() < &0.030, "{waits:?}");
}

#[test]
fn sound_ends_and_begins_without_a_click() {
    let (mut playback, mut line) = Outgoing::new(SAMPLE_RATE, 1);
    let mut heard = vec![0.0; DEVICE_BLOCK];
    let mut all = Vec::new();
    for number in 0..100u64 {
        let now = 1_000_000 + number * 10_000;
        playback.give(&mut as_data(&mut heard), now);
        all.extend_from_slice(&heard);
        if number % 2 == 0 && !(40..60).contains(&number) {
            line.write(&[0.5; BLOCK], now + 1_000);
        }
    }
    assert_eq!(line.gaps(), 1);
    let steepest = all.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max);
    assert!(steepest < 0.02, "{steepest}");
    assert!(all.iter().any(|&sample| sample > 0.49));
    assert!(all[25_000..27_000].iter().all(|&sample| sample == 0.0), "silence in between");
}
