//! What runs in the sound system's real-time callbacks: allocates nothing, locks nothing, logs nothing.
//!
//! Owns the conversion between a device's samples and mono floats at the device's rate, and what the other end of the ring needs to
//! know about when that happened. Must not know what is at the other end. Driven by cpal's threads; the time comes in as an argument.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use cpal::{FromSample, I24, Sample, SampleFormat, SizedSample, U24};
use rtrb::{Consumer, Producer};

/// Seconds over which the last sample falls to silence when there is no next one.
const FADE_SECONDS: f32 = 0.0025;

/// What the callback tells the other end of its ring.
#[derive(Default)]
pub(super) struct Gauge {
    /// When the last block passed, in microseconds of the line's clock; 0 before the first.
    last: AtomicU64,
    /// Frames in the longest block since somebody looked.
    longest: AtomicU32,
    /// How often the device wanted more than there was, after it had had enough.
    dry: AtomicU32,
}

impl Gauge {
    fn passed(&self, frames: usize, now: u64) {
        self.longest.fetch_max(u32::try_from(frames).unwrap_or(u32::MAX), Ordering::Relaxed);
        self.last.store(now.max(1), Ordering::Release);
    }

    /// Seconds since the last block passed, and what `slots` reads at the same moment; `None` before the first block.
    pub(super) fn read(&self, now: u64, mut slots: impl FnMut() -> usize) -> Option<(f64, usize)> {
        let mut last = self.last.load(Ordering::Acquire);
        let mut there = slots();
        // A block may have passed in between; another one does not follow within the same microsecond.
        let again = self.last.load(Ordering::Acquire);
        if again != last {
            last = again;
            there = slots();
        }
        (last > 0).then(|| (now.saturating_sub(last) as f64 / 1e6, there))
    }

    /// Frames in the longest block since the last look.
    pub(super) fn longest(&self) -> u32 {
        self.longest.swap(0, Ordering::Relaxed)
    }

    /// How often the ring ran dry.
    pub(super) fn dry(&self) -> u32 {
        self.dry.load(Ordering::Relaxed)
    }
}

/// Runs `$object.$run(samples, now)` with the samples of `$data` as what they are; formats that are no numbers are left alone.
macro_rules! as_they_are {
    ($data:ident.$slice:ident, $object:tt.$run:ident, $now:ident: $($format:ident $type:ty),*) => {
        match $data.sample_format() {
            $(SampleFormat::$format => {
                if let Some(samples) = $data.$slice::<$type>() {
                    $object.$run(samples, $now);
                }
            })*
            _ => {}
        }
    };
    ($data:ident.$slice:ident, $object:tt.$run:ident, $now:ident) => {
        as_they_are!(
            $data.$slice, $object.$run, $now:
            I8 i8, I16 i16, I24 I24, I32 i32, I64 i64, U8 u8, U16 u16, U24 U24, U32 u32, U64 u64, F32 f32, F64 f64
        )
    };
}

/// Whether the callbacks can read and write this.
pub(super) fn understands(format: SampleFormat) -> bool {
    !matches!(format, SampleFormat::DsdU8 | SampleFormat::DsdU16 | SampleFormat::DsdU32)
}

/// The device's end of a microphone's ring.
pub(super) struct Capture {
    ring: Producer<f32>,
    gauge: Arc<Gauge>,
    channels: usize,
}

impl Capture {
    pub(super) fn new(ring: Producer<f32>, gauge: Arc<Gauge>, channels: u16) -> Self {
        Self { ring, gauge, channels: usize::from(channels.max(1)) }
    }

    /// Takes a block from the device: the mean of its channels. What the ring can't hold is lost.
    pub(super) fn take(&mut self, data: &cpal::Data, now: u64) {
        as_they_are!(data.as_slice, self.mix, now);
    }

    fn mix<T: SizedSample>(&mut self, samples: &[T], now: u64)
    where
        f32: FromSample<T>,
    {
        let frames = samples.len() / self.channels;
        let room = frames.min(self.ring.slots());
        if let Ok(chunk) = self.ring.write_chunk_uninit(room) {
            let share = 1.0 / self.channels as f32;
            let mixed = samples
                .chunks_exact(self.channels)
                .map(|frame| frame.iter().map(|&sample| f32::from_sample(sample)).sum::<f32>() * share);
            chunk.fill_from_iter(mixed);
        }
        self.gauge.passed(frames, now);
    }
}

/// The device's end of a speaker's ring.
pub(super) struct Playback {
    ring: Consumer<f32>,
    gauge: Arc<Gauge>,
    channels: usize,
    /// The last sample that was played, falling to zero while there is none.
    last: f32,
    /// Of what `last` was when the ring ran dry, what is taken away with each frame.
    fall: f32,
    fade: f32,
    dry: bool,
}

impl Playback {
    pub(super) fn new(ring: Consumer<f32>, gauge: Arc<Gauge>, channels: u16, rate: u32) -> Self {
        let channels = usize::from(channels.max(1));
        let fade = 1.0 / (rate as f32 * FADE_SECONDS).max(1.0);
        Self { ring, gauge, channels, last: 0.0, fall: 0.0, fade, dry: true }
    }

    /// Fills a block for the device, each channel the same; silence, faded into, when there is nothing.
    pub(super) fn give(&mut self, data: &mut cpal::Data, now: u64) {
        as_they_are!(data.as_slice_mut, self.spread, now);
    }

    fn spread<T: SizedSample + FromSample<f32>>(&mut self, samples: &mut [T], now: u64) {
        let frames = samples.len() / self.channels;
        for frame in samples.chunks_exact_mut(self.channels) {
            let sample = T::from_sample(self.next());
            frame.fill(sample);
        }
        self.gauge.passed(frames, now);
    }

    fn next(&mut self) -> f32 {
        if let Ok(sample) = self.ring.pop() {
            self.dry = false;
            self.last = sample;
            return sample;
        }
        if !self.dry {
            self.dry = true;
            self.fall = self.last * self.fade;
            self.gauge.dry.fetch_add(1, Ordering::Relaxed);
        }
        self.last = if self.last.abs() <= self.fall.abs() { 0.0 } else { self.last - self.fall };
        self.last
    }
}
