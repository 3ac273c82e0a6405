//! A tone whose loudness spells the wall clock, and the reader that measures latency from it.
//!
//! The carrier (440 Hz unless asked otherwise) is loud or soft for 20 ms at a time, after a maximal-length sequence
//! of 255 chips that starts anew every 5.1 s of wall time. Any second of it is found in the sequence by correlation,
//! which gives the time it was made, unambiguous from half a second in the future to 4.6 s in the past; less than
//! half a second then follows changes to a millisecond. Only the envelope is used, so the carrier's pitch need not be
//! known, its phase may be lost, and speech codecs and concealment leave it standing.

use crate::media::{AudioSource, Error, SAMPLE_RATE, WallTime};

/// The carrier's frequency in Hz when none is asked for.
pub const DEFAULT_HZ: u32 = 440;

/// The carrier frequencies in Hz that survive narrow-band speech coding.
pub const HZ: std::ops::RangeInclusive<u32> = 100..=3400;

/// Peak amplitude of the loud chips.
pub const LOUD: f32 = 0.5;

/// Peak amplitude of the soft chips. Never silent, so that a gap is always a gap.
pub const SOFT: f32 = 0.2;

const CHIPS: usize = 255;
const CHIP_MS: usize = 20;
const CHIP_SAMPLES: usize = CHIP_MS * SAMPLE_RATE as usize / 1000;
/// Milliseconds after which the sequence repeats.
const PERIOD_MS: usize = CHIPS * CHIP_MS;
/// Samples in which the loudness glides from one chip to the next: abrupt steps would click and smear.
const GLIDE: usize = 384;
/// Latencies above this many milliseconds are taken for a sender's clock that runs ahead.
const MAX_LATENCY_MS: usize = 4600;

/// The `tone` source: aligned to the capture times it is given, continuous in phase.
pub struct Tone {
    step: f64,
    phase: f64,
}

impl Tone {
    /// A tone of this frequency.
    ///
    /// # Errors
    /// [`Error::Spec`] outside [`HZ`].
    pub fn new(hz: u32) -> Result<Self, Error> {
        if !HZ.contains(&hz) {
            return Err(Error::Spec(format!(
                "a tone of {hz} Hz is not between {} and {} Hz",
                HZ.start(),
                HZ.end()
            )));
        }
        Ok(Self { step: std::f64::consts::TAU * f64::from(hz) / f64::from(SAMPLE_RATE), phase: 0.0 })
    }
}

impl AudioSource for Tone {
    fn read(&mut self, captured: WallTime, out: &mut [f32]) -> Result<(), Error> {
        let first = samples_since_epoch(captured);
        for (i, sample) in out.iter_mut().enumerate() {
            *sample = envelope(first + i as u64) * self.phase.sin() as f32;
            self.phase += self.step;
        }
        self.phase %= std::f64::consts::TAU;
        Ok(())
    }
}

fn samples_since_epoch(time: WallTime) -> u64 {
    // 48 samples a millisecond, in an order that keeps the fraction and cannot overflow before the year 50,000.
    time.micros() / 125 * 6 + time.micros() % 125 * 6 / 125
}

/// The amplitude at a sample counted from the epoch.
fn envelope(sample: u64) -> f32 {
    let (chip, at) =
        ((sample / CHIP_SAMPLES as u64) as usize % CHIPS, (sample % CHIP_SAMPLES as u64) as usize);
    let level = |chip: usize| if SEQUENCE[chip] { LOUD } else { SOFT };
    let now = level(chip);
    if at >= GLIDE {
        return now;
    }
    let before = level((chip + CHIPS - 1) % CHIPS);
    let share = 0.5 - 0.5 * (std::f32::consts::PI * at as f32 / GLIDE as f32).cos();
    before + (now - before) * share
}

/// One period of the register x^8 + x^6 + x^5 + x^4 + 1.
const SEQUENCE: [bool; CHIPS] = {
    let mut sequence = [false; CHIPS];
    let mut register: u8 = 1;
    let mut i = 0;
    while i < CHIPS {
        sequence[i] = register & 1 != 0;
        let bit = (register ^ register >> 2 ^ register >> 3 ^ register >> 4) & 1;
        register = register >> 1 | bit << 7;
        i += 1;
    }
    sequence
};

/// Milliseconds of sound that a search through the whole sequence looks at.
const SEARCH_MS: usize = 1000;
/// Milliseconds of sound that a measurement looks at once the place is known.
const TRACK_MS: usize = 400;
/// Milliseconds by which the latency may move between two measurements without a new search.
const TRACK_REACH_MS: usize = 70;
/// Milliseconds between measurements.
const EVERY_MS: usize = 100;
/// The envelope is the root mean square of this many milliseconds, which flattens a 100 Hz carrier's own swing.
const SMOOTH_MS: usize = 10;
/// How alike sound and sequence must be (Pearson's correlation) in a search to count, to count for much, and in a
/// measurement.
const SEARCH_LIKENESS: f32 = 0.5;
const CLEAR_LIKENESS: f32 = 0.85;
const TRACK_LIKENESS: f32 = 0.65;
/// Searches that must find the same place before anything is believed, or a third of that when each is clear.
/// Speech looks alike now and then, but not for longer than a search looks back.
const BELIEF: u32 = 12;
/// Measurements that may fail in a row before the place is given up.
const PATIENCE: u32 = 20;

/// One measurement.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// From the sender's capture to this sound's time, in microseconds; negative when the clocks disagree.
    pub latency_us: i64,
    /// The carrier's frequency in Hz, to about 2 Hz.
    pub hz: f32,
}

/// Reads the tone from decoded sound.
pub struct Reader {
    template: Box<[f32]>,
    /// Mean power of each of the last milliseconds, a ring.
    power: Box<[f32; RING]>,
    /// Milliseconds taken since the last break.
    taken: usize,
    partial: f32,
    partial_samples: usize,
    /// When the next sample is due, if the sound goes on.
    due: Option<WallTime>,
    /// The latency in milliseconds, modulo the period, that measurements start from.
    known: Option<usize>,
    /// Measurements in a row that failed.
    missed: u32,
    candidate: Candidate,
    pitch: Pitch,
}

const RING: usize = 1024;
const MS_SAMPLES: usize = SAMPLE_RATE as usize / 1000;
/// Sound whose time is off by more than this is a new beginning.
const BREAK_US: i64 = 60_000;

/// A place that searches have found, and how much speaks for it.
#[derive(Clone, Copy, Debug, Default)]
struct Candidate {
    lag: Option<usize>,
    score: u32,
}

impl Candidate {
    /// Takes the finding of one more search; true when it is to be believed.
    fn agrees(&mut self, lag: usize, likeness: f32) -> bool {
        if self.lag.is_none_or(|last| distance(last, lag) > CHIP_MS) {
            self.score = 0;
        }
        self.lag = Some(lag);
        self.score += if likeness >= CLEAR_LIKENESS { BELIEF / 3 } else { 1 };
        self.score >= BELIEF
    }
}

impl Default for Reader {
    fn default() -> Self {
        Self::new()
    }
}

impl Reader {
    /// A reader that has heard nothing.
    pub fn new() -> Self {
        Self {
            template: template(),
            power: Box::new([0.0; RING]),
            taken: 0,
            partial: 0.0,
            partial_samples: 0,
            due: None,
            known: None,
            missed: 0,
            candidate: Candidate::default(),
            pitch: Pitch::default(),
        }
    }

    /// Whether the sound is known to be a tone.
    pub fn locked(&self) -> bool {
        self.known.is_some()
    }

    /// Takes the next samples, the first of them heard at `at`, and calls `found` for each measurement (at most one
    /// every 100 ms, the first after about 1.2 s). Sound without a tone gives none.
    pub fn listen(&mut self, samples: &[f32], at: WallTime, mut found: impl FnMut(Measured)) {
        if self.due.is_some_and(|due| at.signed_since(due).abs() > BREAK_US) {
            self.taken = 0;
            self.partial = 0.0;
            self.partial_samples = 0;
        }
        let mut heard = 0;
        while heard < samples.len() {
            let some = (MS_SAMPLES - self.partial_samples).min(samples.len() - heard);
            let block = &samples[heard..heard + some];
            self.partial += block.iter().map(|x| x * x).sum::<f32>();
            self.partial_samples += some;
            heard += some;
            if self.partial_samples == MS_SAMPLES {
                self.power[self.taken % RING] = self.partial / MS_SAMPLES as f32;
                self.taken += 1;
                self.partial = 0.0;
                self.partial_samples = 0;
                if self.taken.is_multiple_of(EVERY_MS) && self.taken >= SEARCH_MS {
                    let end = at.micros() + heard as u64 * 1000 / MS_SAMPLES as u64;
                    if let Some(latency_us) = self.measure(end) {
                        found(Measured { latency_us, hz: self.pitch.hz() });
                    }
                }
            }
        }
        self.pitch.listen(samples);
        self.due = Some(WallTime(at.micros() + samples.len() as u64 * 1000 / MS_SAMPLES as u64));
    }

    /// Measures the latency of the newest millisecond, heard until `end` in microseconds.
    fn measure(&mut self, end: u64) -> Option<i64> {
        let envelope = self.envelope();
        let newest = (end / 1000 % PERIOD_MS as u64) as usize;
        if let Some(lag) = self.known {
            if let Some(fine) = self.track(&envelope, newest, lag) {
                self.known = Some(fine.round() as usize % PERIOD_MS);
                self.missed = 0;
                self.candidate = Candidate::default();
                return Some(latency_us(fine) + (end % 1000) as i64);
            }
            self.missed += 1;
            if self.missed > PATIENCE {
                self.known = None;
            }
        }
        // Sound too damaged to be found says nothing against what was found before.
        if let Some((lag, likeness)) = self.search(&envelope, newest)
            && self.candidate.agrees(lag, likeness)
        {
            self.known = Some(lag);
            self.missed = 0;
        }
        None
    }

    /// The smoothed loudness of the last [`SEARCH_MS`], oldest first.
    fn envelope(&self) -> [f32; SEARCH_MS] {
        let mut envelope = [0.0; SEARCH_MS];
        let first = self.taken - SEARCH_MS;
        let mut sum = 0.0;
        for (i, value) in envelope.iter_mut().enumerate() {
            sum += self.power[(first + i) % RING];
            if i >= SMOOTH_MS {
                sum -= self.power[(first + i - SMOOTH_MS) % RING];
            }
            *value = (sum.max(0.0) / SMOOTH_MS.min(i + 1) as f32).sqrt();
        }
        envelope
    }

    /// Looks through the whole sequence in steps of 10 ms.
    fn search(&self, envelope: &[f32; SEARCH_MS], newest: usize) -> Option<(usize, f32)> {
        const STEP: usize = 10;
        let mut sound = [0.0; SEARCH_MS / STEP];
        for (value, &level) in sound.iter_mut().zip(envelope.iter().skip(STEP - 1).step_by(STEP)) {
            *value = level;
        }
        let mut best = (SEARCH_LIKENESS, None);
        let mut expected = [0.0; SEARCH_MS / STEP];
        for lag in (0..PERIOD_MS).step_by(STEP) {
            let oldest = newest + 2 * PERIOD_MS - lag - (SEARCH_MS - STEP);
            for (i, value) in expected.iter_mut().enumerate() {
                *value = self.template[(oldest + i * STEP) % PERIOD_MS];
            }
            let likeness = likeness(&sound, &expected);
            if likeness > best.0 {
                best = (likeness, Some(lag));
            }
        }
        best.1.map(|lag| (lag, best.0))
    }

    /// Measures near a known lag, to a fraction of a millisecond.
    fn track(&self, envelope: &[f32; SEARCH_MS], newest: usize, near: usize) -> Option<f32> {
        let sound = &envelope[SEARCH_MS - TRACK_MS..];
        let like = |lag: usize| {
            let oldest = (newest + 2 * PERIOD_MS - lag - (TRACK_MS - 1)) % PERIOD_MS;
            likeness(sound, &self.template[oldest..oldest + TRACK_MS])
        };
        let first = near + PERIOD_MS - TRACK_REACH_MS;
        let mut best = (TRACK_LIKENESS, None);
        for lag in first..=first + 2 * TRACK_REACH_MS {
            let likeness = like(lag % PERIOD_MS);
            if likeness > best.0 {
                best = (likeness, Some(lag));
            }
        }
        let lag = best.1?;
        // The top of the parabola through the best point and its neighbours.
        let (before, after) = (like((lag - 1) % PERIOD_MS), like((lag + 1) % PERIOD_MS));
        let bend = before - 2.0 * best.0 + after;
        let offset = if bend < 0.0 { (0.5 * (before - after) / bend).clamp(-0.5, 0.5) } else { 0.0 };
        Some((lag % PERIOD_MS) as f32 + offset)
    }
}

/// A lag as a latency: what is almost a whole period is a sender whose clock runs ahead.
fn latency_us(lag_ms: f32) -> i64 {
    let lag = (f64::from(lag_ms) * 1000.0) as i64;
    if lag > MAX_LATENCY_MS as i64 * 1000 { lag - PERIOD_MS as i64 * 1000 } else { lag }
}

/// The envelope as a reader would measure it at each millisecond of the period, long enough to be read across
/// its end: the value at `t` is that of the [`SMOOTH_MS`] that end `t` ms after the period's start.
fn template() -> Box<[f32]> {
    let power: Vec<f32> = (0..PERIOD_MS)
        .map(|ms| {
            let first = (ms * MS_SAMPLES) as u64;
            (first..first + MS_SAMPLES as u64).map(|s| envelope(s).powi(2) / 2.0).sum::<f32>()
                / MS_SAMPLES as f32
        })
        .collect();
    (0..PERIOD_MS + TRACK_MS)
        .map(|end| {
            let sum: f32 = (1..=SMOOTH_MS).map(|back| power[(end + PERIOD_MS - back) % PERIOD_MS]).sum();
            (sum / SMOOTH_MS as f32).sqrt()
        })
        .collect()
}

/// Pearson's correlation, 0 for anything flat.
fn likeness(a: &[f32], b: &[f32]) -> f32 {
    let n = a.len().min(b.len()) as f32;
    let (mut sa, mut sb, mut saa, mut sbb, mut sab) = (0.0_f32, 0.0_f32, 0.0_f32, 0.0_f32, 0.0_f32);
    for (&x, &y) in a.iter().zip(b) {
        sa += x;
        sb += y;
        saa += x * x;
        sbb += y * y;
        sab += x * y;
    }
    let (va, vb) = (saa - sa * sa / n, sbb - sb * sb / n);
    if va <= 1e-6 || vb <= 1e-6 { 0.0 } else { (sab - sa * sb / n) / (va * vb).sqrt() }
}

fn distance(a: usize, b: usize) -> usize {
    let apart = a.abs_diff(b);
    apart.min(PERIOD_MS - apart)
}

/// Counts upward zero crossings over half a second.
#[derive(Default)]
struct Pitch {
    above: bool,
    crossings: u32,
    samples: usize,
    hz: f32,
}

impl Pitch {
    fn listen(&mut self, samples: &[f32]) {
        // A little hysteresis keeps noise around zero from counting.
        const EDGE: f32 = 0.02;
        const WINDOW: usize = SAMPLE_RATE as usize / 2;
        for &sample in samples {
            if self.above && sample < -EDGE {
                self.above = false;
            } else if !self.above && sample > EDGE {
                self.above = true;
                self.crossings += 1;
            }
        }
        self.samples += samples.len();
        if self.samples >= WINDOW {
            self.hz = self.crossings as f32 * SAMPLE_RATE as f32 / self.samples as f32;
            self.samples = 0;
            self.crossings = 0;
        }
    }

    fn hz(&self) -> f32 {
        self.hz
    }
}

#[cfg(test)]
mod tests;
