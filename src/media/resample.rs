//! Sound of any rate to 48 kHz: a windowed sinc with exact, drift-free steps.
//!
//! Owns the filter of one rate and the tail of what it was fed. Used at the edges of media only.

use super::SAMPLE_RATE;

/// Positions between two input samples for which the filter is tabulated; between them it is interpolated.
const PHASES: usize = 512;
/// Input samples on each side that count, when the rate goes up.
const HALF: usize = 16;
/// Sharpness of the Kaiser window: about 90 dB below in the stop band.
const BETA: f64 = 9.0;

/// Turns a stream at one rate into a stream at [`SAMPLE_RATE`], a filter's half length late.
pub struct Resampler {
    rate: u32,
    filter: Filter,
    /// Input not yet passed, with `half` samples of the past before it.
    input: Vec<f32>,
    /// Where the next output lies after `input[half - 1]`, in parts of [`SAMPLE_RATE`].
    fraction: u64,
}

impl Resampler {
    /// A resampler from `rate` samples a second (clamped to 1 kHz..=384 kHz).
    pub fn new(rate: u32) -> Self {
        let rate = rate.clamp(1_000, 384_000);
        let filter = if rate == SAMPLE_RATE {
            Filter { half: HALF, table: Vec::new() }
        } else {
            Filter::new(rate, SAMPLE_RATE)
        };
        Self { rate, input: vec![0.0; filter.half - 1], filter, fraction: 0 }
    }

    /// Feeds samples and appends to `out` what they make.
    pub fn push(&mut self, samples: &[f32], out: &mut Vec<f32>) {
        if self.rate == SAMPLE_RATE {
            out.extend_from_slice(samples);
            return;
        }
        self.input.extend_from_slice(samples);
        let taps = 2 * self.filter.half;
        let mut start = 0;
        while start + taps <= self.input.len() {
            let place = self.fraction as f32 * PHASES as f32 / SAMPLE_RATE as f32;
            out.push(self.filter.at(&self.input[start..start + taps], place));
            self.fraction += u64::from(self.rate);
            start += (self.fraction / u64::from(SAMPLE_RATE)) as usize;
            self.fraction %= u64::from(SAMPLE_RATE);
        }
        self.input.drain(..start.min(self.input.len()));
    }
}

/// The same between any two rates, at a speed that may change at any moment: what joins two clocks that do not run alike.
pub struct Varispeed {
    filter: Filter,
    /// Input samples for one output sample at speed 1.
    ratio: f64,
    step: f64,
    input: Vec<f32>,
    /// Where the next output lies after `input[half - 1]`, in input samples.
    place: f64,
}

impl Varispeed {
    /// From and to so many samples a second (each clamped to 1 kHz..=384 kHz), at speed 1.
    pub fn new(from: u32, to: u32) -> Self {
        let (from, to) = (from.clamp(1_000, 384_000), to.clamp(1_000, 384_000));
        let ratio = f64::from(from) / f64::from(to);
        let filter = Filter::new(from, to);
        Self { ratio, step: ratio, input: vec![0.0; filter.half - 1], filter, place: 0.0 }
    }

    /// How fast the input is used up from now on: at 1.001 a thousand samples more in a million (clamped to 0.5..=2).
    pub fn set_speed(&mut self, speed: f64) {
        self.step = self.ratio * speed.clamp(0.5, 2.0);
    }

    /// Feeds samples and appends to `out` what they make.
    pub fn push(&mut self, samples: &[f32], out: &mut Vec<f32>) {
        self.input.extend_from_slice(samples);
        let taps = 2 * self.filter.half;
        let mut start = 0;
        while start + taps <= self.input.len() {
            out.push(self.filter.at(&self.input[start..start + taps], self.place as f32 * PHASES as f32));
            self.place += self.step;
            start += self.place as usize;
            self.place = self.place.fract();
        }
        let passed = start.min(self.input.len());
        // A step that leads beyond what there is goes on from there.
        self.place += (start - passed) as f64;
        self.input.drain(..passed);
    }
}

/// `PHASES + 1` rows of `2 * half` taps.
struct Filter {
    half: usize,
    table: Vec<f32>,
}

impl Filter {
    fn new(from: u32, to: u32) -> Self {
        let narrow = (f64::from(to) / f64::from(from)).min(1.0);
        let half = (HALF as f64 / narrow).ceil() as usize;
        Self { half, table: table(half, narrow * 0.94) }
    }

    /// What lies `place` phases after the middle of `window`.
    fn at(&self, window: &[f32], place: f32) -> f32 {
        let (row, between) = (place as usize, place.fract());
        let (a, b) = (dot(window, self.row(row)), dot(window, self.row(row + 1)));
        a + (b - a) * between
    }

    fn row(&self, row: usize) -> &[f32] {
        let taps = 2 * self.half;
        let row = row.min(PHASES);
        &self.table[row * taps..(row + 1) * taps]
    }
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    // Four sums, so that the compiler may keep them in one register.
    let mut sums = [0.0_f32; 8];
    for (a, b) in a.chunks_exact(8).zip(b.chunks_exact(8)) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    let rest = a.len() / 8 * 8;
    let tail: f32 = a[rest..].iter().zip(&b[rest..]).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + tail
}

fn table(half: usize, cutoff: f64) -> Vec<f32> {
    let mut table = Vec::with_capacity((PHASES + 1) * 2 * half);
    for phase in 0..=PHASES {
        let offset = phase as f64 / PHASES as f64;
        let row: Vec<f64> = (0..2 * half)
            .map(|tap| {
                let x = tap as f64 - (half - 1) as f64 - offset;
                let edge = x / half as f64;
                let window = if edge.abs() < 1.0 {
                    bessel(BETA * (1.0 - edge * edge).sqrt()) / bessel(BETA)
                } else {
                    0.0
                };
                cutoff * sinc(cutoff * x) * window
            })
            .collect();
        let sum: f64 = row.iter().sum();
        table.extend(row.iter().map(|tap| (tap / sum) as f32));
    }
    table
}

fn sinc(x: f64) -> f64 {
    let x = x * std::f64::consts::PI;
    if x.abs() < 1e-9 { 1.0 } else { x.sin() / x }
}

/// The modified Bessel function of the first kind and order zero, by its series.
fn bessel(x: f64) -> f64 {
    let (mut sum, mut term) = (1.0, 1.0);
    for k in 1..60 {
        term *= (x / (2.0 * f64::from(k))).powi(2);
        sum += term;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(rate: u32, hz: f64, seconds: u32) -> Vec<f32> {
        (0..rate * seconds)
            .map(|i| (std::f64::consts::TAU * hz * f64::from(i) / f64::from(rate)).sin() as f32 * 0.5)
            .collect()
    }

    fn resample(rate: u32, input: &[f32], block: usize) -> Vec<f32> {
        let mut resampler = Resampler::new(rate);
        let mut out = Vec::new();
        for block in input.chunks(block) {
            resampler.push(block, &mut out);
        }
        out
    }

    #[test]
    fn a_tone_keeps_its_shape_from_any_rate() {
        for rate in [8_000, 11_025, 16_000, 22_050, 44_100, 44_101, 48_000, 96_000, 192_000] {
            let out = resample(rate, &tone(rate, 1000.0, 2), 777);
            assert!(out.len().abs_diff(96_000) < 300, "{rate}: {}", out.len());
            let ideal = tone(SAMPLE_RATE, 1000.0, 2);
            let error =
                out[4800..90_000].iter().zip(&ideal[4800..]).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(error < 2e-3, "{rate}: {error}");
        }
    }

    #[test]
    fn what_48_khz_cannot_hold_is_gone() {
        let out = resample(96_000, &tone(96_000, 30_000.0, 1), 960);
        let loudest = out[2000..].iter().fold(0.0_f32, |a, b| a.max(b.abs()));
        assert!(loudest < 1e-3, "{loudest}");
    }

    #[test]
    fn blocks_do_not_matter() {
        let input = tone(44_100, 440.0, 1);
        assert_eq!(resample(44_100, &input, 1), resample(44_100, &input, 44_100));
    }
}
