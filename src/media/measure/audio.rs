//! The meter of played sound.
//!
//! Level and silence are measured on any sound. Once a tone has been recognised, its latency is measured ten times
//! a second, and every hole in it that can be heard counts as a gap, also the one that goes on: a tone is never silent. Concealment
//! that still sounds is no gap; what was concealed the jitter buffer knows.

use super::histogram::{Distribution, Histogram};
use crate::media::synthetic::tone;
use crate::media::{SAMPLE_RATE, WallTime};

/// Samples whose level is judged together: 10 ms.
const BLOCK: usize = SAMPLE_RATE as usize / 100;
/// Root mean square below which 10 ms are silent: -60 dBFS.
const SILENT: f32 = 0.001;
/// Root mean square below which 10 ms of a tone are a dip: 9 dB below its soft chips.
const DIP: f32 = tone::SOFT * std::f32::consts::FRAC_1_SQRT_2 * 0.355;
/// Blocks that a dip must last to be a gap. Concealing a single lost block leaves dips of 30 ms.
const DIP_BLOCKS: u64 = 4;
/// Blocks of silence inside a dip that make it a gap at once: concealment is never silent so soon.
const SILENT_BLOCKS: u64 = 2;
/// What is said of digital silence, in dBFS.
const FLOOR_DBFS: f64 = -120.0;

/// Measures what a listener hears.
pub struct AudioMeter {
    reader: tone::Reader,
    recognised: bool,
    latency: Histogram,
    hz: Option<f32>,
    samples: u64,
    power: f64,
    recent_power: f32,
    block_power: f32,
    block_samples: usize,
    blocks: u64,
    silent_blocks: u64,
    dip: u64,
    silent_run: u64,
    gap_open: bool,
    gaps: u64,
    gap_blocks: u64,
    longest_gap: u64,
}

/// What the meter says.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct AudioReport {
    /// Sound played, in milliseconds.
    pub played_ms: u64,
    /// Level of everything played, root mean square against full scale; `None` before any sound.
    pub level_dbfs: Option<f64>,
    /// The same of about the last 100 ms.
    pub recent_dbfs: Option<f64>,
    /// Share of 10 ms blocks below -60 dBFS, in percent.
    pub silence_pct: f64,
    /// Audible holes in a tone: 40 ms far too soft, or 20 ms silent.
    pub gaps: u64,
    /// Their sum in milliseconds.
    pub gap_ms: u64,
    /// The longest in milliseconds.
    pub longest_gap_ms: u64,
    /// From capture to play, for a tone.
    pub latency: Option<Distribution>,
    /// The tone's carrier in Hz.
    pub tone_hz: Option<f64>,
}

impl Default for AudioMeter {
    fn default() -> Self {
        Self::new()
    }
}

impl AudioMeter {
    /// A meter that has heard nothing.
    pub fn new() -> Self {
        Self {
            reader: tone::Reader::new(),
            recognised: false,
            latency: Histogram::default(),
            hz: None,
            samples: 0,
            power: 0.0,
            recent_power: 0.0,
            block_power: 0.0,
            block_samples: 0,
            blocks: 0,
            silent_blocks: 0,
            dip: 0,
            silent_run: 0,
            gap_open: false,
            gaps: 0,
            gap_blocks: 0,
            longest_gap: 0,
        }
    }

    /// Counts samples of which the first is heard at `at`.
    pub fn played(&mut self, samples: &[f32], at: WallTime) {
        self.samples += samples.len() as u64;
        let mut rest = samples;
        while !rest.is_empty() {
            let (block, later) = rest.split_at(rest.len().min(BLOCK - self.block_samples));
            self.block_power += block.iter().map(|x| x * x).sum::<f32>();
            self.block_samples += block.len();
            rest = later;
            if self.block_samples == BLOCK {
                self.judge();
            }
        }
        let (latency, hz) = (&mut self.latency, &mut self.hz);
        self.reader.listen(samples, at, |measured| {
            latency.add(measured.latency_us);
            *hz = Some(measured.hz);
        });
        self.recognised |= self.reader.locked();
    }

    /// The figures so far.
    pub fn report(&self) -> AudioReport {
        let ms = |blocks: u64| blocks * 10;
        let open = self.open_gap();
        AudioReport {
            played_ms: self.samples * 1000 / u64::from(SAMPLE_RATE),
            level_dbfs: (self.samples > 0).then(|| decibels(self.power / (self.blocks.max(1) as f64))),
            recent_dbfs: (self.blocks > 0).then(|| decibels(f64::from(self.recent_power))),
            silence_pct: if self.blocks > 0 {
                100.0 * self.silent_blocks as f64 / self.blocks as f64
            } else {
                0.0
            },
            gaps: self.gaps + u64::from(open > 0),
            gap_ms: ms(self.gap_blocks + open),
            longest_gap_ms: ms(self.longest_gap.max(open)),
            latency: self.latency.distribution(),
            tone_hz: self.hz.map(f64::from),
        }
    }

    /// Judges a whole block.
    fn judge(&mut self) {
        let power = self.block_power / BLOCK as f32;
        let level = power.sqrt();
        self.block_power = 0.0;
        self.block_samples = 0;
        self.blocks += 1;
        self.power += f64::from(power);
        self.recent_power += (power - self.recent_power) * 0.1;
        self.silent_blocks += u64::from(level < SILENT);
        self.silent_run = if level < SILENT { self.silent_run + 1 } else { 0 };
        if self.recognised && level < DIP {
            self.dip += 1;
            self.gap_open |= self.dip >= DIP_BLOCKS || self.silent_run >= SILENT_BLOCKS;
        } else {
            self.close_gap();
        }
    }

    /// The gap that goes on right now, in blocks; 0 when there is none.
    fn open_gap(&self) -> u64 {
        if self.gap_open { self.dip } else { 0 }
    }

    fn close_gap(&mut self) {
        let gap = self.open_gap();
        if gap > 0 {
            self.gaps += 1;
            self.gap_blocks += gap;
            self.longest_gap = self.longest_gap.max(gap);
        }
        self.dip = 0;
        self.gap_open = false;
    }
}

fn decibels(power: f64) -> f64 {
    if power <= 0.0 { FLOOR_DBFS } else { (10.0 * power.log10()).max(FLOOR_DBFS) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::codec::opus;
    use crate::media::synthetic::Tone;
    use crate::media::{AudioSource, WallTime};

    const START: u64 = 1_795_000_000_000_000;

    /// Ten seconds of tone through Opus, heard after 56.5 ms more, with `lost` deciding which blocks are concealed
    /// and `cut` which are replaced by silence.
    fn hear(lost: impl Fn(u64) -> bool, cut: impl Fn(u64) -> bool) -> AudioReport {
        let mut tone = Tone::new(440).unwrap();
        let mut encoder = opus::Encoder::new(opus::Settings::default()).unwrap();
        let mut decoder = opus::Decoder::new().unwrap();
        let mut meter = AudioMeter::new();
        for n in 0..500_u64 {
            let captured = WallTime(START + n * 20_000);
            let mut block = [0.0; opus::BLOCK];
            tone.read(captured, &mut block).unwrap();
            let packet = encoder.encode(&block).unwrap();
            let heard = if lost(n) {
                decoder.conceal(opus::BLOCK).unwrap()
            } else {
                decoder.decode(&packet).unwrap()
            };
            let at = WallTime(captured.micros() + 53_500);
            meter.played(if cut(n) { &[0.0; opus::BLOCK] } else { heard }, at);
        }
        meter.report()
    }

    #[test]
    fn a_clean_tone_has_its_latency_and_no_gaps() {
        let report = hear(|_| false, |_| false);
        let latency = report.latency.unwrap();
        assert!((latency.p50 - 60.0).abs() < 2.0 && (latency.p95 - 60.0).abs() < 2.0, "{latency:?}");
        assert!(latency.count > 80);
        assert_eq!((report.gaps, report.played_ms), (0, 10_000));
        assert!(report.silence_pct < 0.2, "{}", report.silence_pct);
        assert!((report.level_dbfs.unwrap() + 11.4).abs() < 1.0, "{:?}", report.level_dbfs);
        assert!((report.tone_hz.unwrap() - 440.0).abs() < 5.0);
    }

    #[test]
    fn single_losses_are_concealed_and_long_ones_are_gaps() {
        let single = hear(|n| n > 100 && n % 25 == 0, |_| false);
        assert_eq!(single.gaps, 0);
        let long = hear(|n| (200..225).contains(&n) || (300..320).contains(&n), |_| false);
        assert_eq!(long.gaps, 2, "{long:?}");
        assert!((500..900).contains(&long.gap_ms), "{long:?}");
        assert!(long.latency.unwrap().count > 50);
    }

    #[test]
    fn cuts_are_gaps_of_their_length() {
        let report = hear(|_| false, |n| (250..255).contains(&n) || n == 400);
        assert_eq!(report.gaps, 2);
        assert!((100..=140).contains(&report.gap_ms), "{}", report.gap_ms);
        assert!((90..=110).contains(&report.longest_gap_ms));
        assert!((1.0..1.5).contains(&report.silence_pct), "{}", report.silence_pct);
    }

    #[test]
    fn silence_is_silent_and_has_no_gaps() {
        let mut meter = AudioMeter::new();
        assert_eq!(meter.report(), AudioReport::default());
        (0..500).for_each(|n| meter.played(&[0.0; 480], WallTime(START + n * 10_000)));
        let report = meter.report();
        assert_eq!((report.silence_pct, report.gaps, report.level_dbfs), (100.0, 0, Some(-120.0)));
        assert_eq!((report.latency, report.tone_hz), (None, None));
    }

    #[test]
    fn the_level_of_a_full_sine_is_3_below() {
        let mut meter = AudioMeter::new();
        let sine: Vec<f32> = (0..48_000).map(|i| (i as f32 * 0.1).sin()).collect();
        meter.played(&sine, WallTime(START));
        let report = meter.report();
        assert!((report.level_dbfs.unwrap() + 3.0).abs() < 0.1);
        assert!((report.recent_dbfs.unwrap() + 3.0).abs() < 0.2);
    }
}
