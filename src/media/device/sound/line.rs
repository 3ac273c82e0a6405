//! The pipeline's end of the ring to a device: brings the device's clock and rate to the pipeline's and back.
//!
//! Owns how much waits, through [`Elastic`]. Must not know devices. Driven by the pipeline's threads; the time comes in as an argument.

use std::sync::Arc;

use rtrb::{Consumer, Producer, RingBuffer};

use super::callback::{Capture, Gauge, Playback};
use super::elastic::Elastic;
use crate::media::SAMPLE_RATE;
use crate::media::resample::Varispeed;

/// Seconds that a ring holds. A microphone that nobody reads loses what is newer, a speaker that nobody empties what is written.
const RING_SECONDS: f64 = 0.5;
/// Samples over which sound rises from silence and falls into it: 2.5 ms.
const FADE: usize = 120;
/// Samples taken from the ring at a time.
const PIECE: usize = 32;
/// A device that is later than this is not coming; its clock is not read on.
const MOST_LATE: f64 = 0.040;

/// A ring of mono samples at `rate`, and what the callback says about it.
fn ring(rate: u32) -> (Producer<f32>, Consumer<f32>, Arc<Gauge>) {
    let (producer, consumer) = RingBuffer::new((f64::from(rate) * RING_SECONDS) as usize);
    (producer, consumer, Arc::default())
}

/// What comes from a microphone.
pub(super) struct Incoming {
    ring: Consumer<f32>,
    gauge: Arc<Gauge>,
    rate: f64,
    elastic: Elastic,
    speed: Varispeed,
    /// At 48 kHz, not yet read.
    ready: Vec<f32>,
    /// The last sample that was read.
    last: f32,
    flows: bool,
    /// How often there was nothing to read.
    gaps: u32,
}

impl Incoming {
    /// Both ends of the line to a microphone of this rate.
    pub(super) fn new(rate: u32, channels: u16) -> (Capture, Self) {
        let (producer, ring, gauge) = ring(rate);
        let incoming = Self {
            ring,
            gauge: gauge.clone(),
            rate: f64::from(rate),
            elastic: Elastic::new(),
            speed: Varispeed::new(rate, SAMPLE_RATE),
            ready: Vec::new(),
            last: 0.0,
            flows: false,
            gaps: 0,
        };
        (Capture::new(producer, gauge, channels), incoming)
    }

    /// The next samples; silence while there are none. `now` is microseconds of the line's clock.
    pub(super) fn read(&mut self, out: &mut [f32], now: u64) {
        let block = out.len() as f64 / f64::from(SAMPLE_RATE);
        if !self.flows && !self.start(block, now) {
            self.fall(out, 0);
            return;
        }
        while self.ready.len() < out.len() {
            let mut piece = [0.0; PIECE];
            let (taken, _) = self.ring.pop_partial_slice(&mut piece);
            if taken.is_empty() {
                break;
            }
            self.speed.push(taken, &mut self.ready);
        }
        let there = out.len().min(self.ready.len());
        out[..there].copy_from_slice(&self.ready[..there]);
        self.ready.drain(..there);
        if there < out.len() {
            self.fall(out, there);
            self.flows = false;
            self.gaps += 1;
            self.elastic.ran_dry();
            return;
        }
        self.last = out.last().copied().unwrap_or(self.last);
        self.steer(block, now);
    }

    /// Whether enough waits to begin. What is too much is dropped, and the sound rises from silence.
    fn start(&mut self, block: f64, now: u64) -> bool {
        let Some(waits) = self.waits(now) else {
            return false;
        };
        let longest = f64::from(self.gauge.longest()) / self.rate;
        self.elastic.steer(waits - block, longest, 0.0);
        let excess = waits - block - self.elastic.aim();
        if excess < 0.0 {
            return false;
        }
        self.skip(excess);
        self.elastic.refilled();
        self.flows = true;
        true
    }

    fn steer(&mut self, block: f64, now: u64) {
        let Some(waits) = self.waits(now) else {
            return;
        };
        if let Some(excess) = self.elastic.excess(waits) {
            self.skip(excess);
            self.elastic.refilled();
            return;
        }
        let longest = f64::from(self.gauge.longest()) / self.rate;
        self.speed.set_speed(self.elastic.steer(waits, longest, block));
    }

    /// Seconds of sound that the device has and nobody has read, with what it has not handed over yet.
    pub(super) fn waits(&self, now: u64) -> Option<f64> {
        let (late, there) = self.gauge.read(now, || self.ring.slots())?;
        Some(
            late.min(MOST_LATE) + there as f64 / self.rate + self.ready.len() as f64 / f64::from(SAMPLE_RATE),
        )
    }

    /// Drops this many seconds: what comes next takes the place of what would have, with a cross fade.
    fn skip(&mut self, seconds: f64) {
        let mut old = [0.0; FADE];
        let before = self.ring.pop_partial_slice(&mut old).0.len();
        let more = ((seconds * self.rate) as usize).saturating_sub(before).min(self.ring.slots());
        if let Ok(chunk) = self.ring.read_chunk(more) {
            chunk.commit_all();
        }
        let mut new = [0.0; FADE];
        let after = self.ring.pop_partial_slice(&mut new).0.len();
        for (place, (new, old)) in new[..after].iter_mut().zip(&old[..before]).enumerate() {
            let share = place as f32 / FADE as f32;
            // Out of silence there is nothing to fade from.
            *new = *new * share + if self.flows { *old * (1.0 - share) } else { 0.0 };
        }
        self.speed.push(&new[..after], &mut self.ready);
    }

    /// From `there` on, the last sample falls to silence.
    fn fall(&mut self, out: &mut [f32], there: usize) {
        let from = there.checked_sub(1).map_or(self.last, |place| out[place]);
        for (place, sample) in out[there..].iter_mut().enumerate() {
            *sample = from * (1.0 - (place + 1).min(FADE) as f32 / FADE as f32);
        }
        self.last = out.last().copied().unwrap_or(self.last);
    }

    /// Whether the device's end is gone.
    pub(super) fn is_abandoned(&self) -> bool {
        self.ring.is_abandoned() && self.ring.is_empty()
    }

    /// How often there was nothing to read.
    #[cfg(test)]
    pub(super) fn gaps(&self) -> u32 {
        self.gaps
    }
}

/// What goes to a speaker.
pub(super) struct Outgoing {
    ring: Producer<f32>,
    gauge: Arc<Gauge>,
    rate: f64,
    elastic: Elastic,
    speed: Varispeed,
    /// At the device's rate, on its way into the ring.
    made: Vec<f32>,
    /// How often the device had run dry when we looked.
    dry: u32,
    flows: bool,
}

impl Outgoing {
    /// Both ends of the line to a speaker of this rate.
    pub(super) fn new(rate: u32, channels: u16) -> (Playback, Self) {
        let (ring, consumer, gauge) = ring(rate);
        let outgoing = Self {
            ring,
            gauge: gauge.clone(),
            rate: f64::from(rate),
            elastic: Elastic::new(),
            speed: Varispeed::new(SAMPLE_RATE, rate),
            made: Vec::new(),
            dry: 0,
            flows: false,
        };
        (Playback::new(consumer, gauge, channels, rate), outgoing)
    }

    /// Takes the samples that are to be heard next. `now` is microseconds of the line's clock.
    pub(super) fn write(&mut self, samples: &[f32], now: u64) {
        // Before the device asks there is no use for sound.
        let Some(waits) = self.waits(now) else {
            return;
        };
        if self.gauge.dry() != self.dry {
            self.dry = self.gauge.dry();
            self.elastic.ran_dry();
            self.flows = false;
        }
        if self.flows && self.elastic.excess(waits).is_some() {
            return self.drop_block(samples);
        }
        let mut silence = 0;
        if self.flows {
            let passed = samples.len() as f64 / f64::from(SAMPLE_RATE);
            let speed = self.elastic.steer(waits, 0.0, passed);
            self.speed.set_speed(speed);
        } else {
            silence = ((self.elastic.aim() - waits).max(0.0) * self.rate) as usize;
        }
        let rising = !std::mem::replace(&mut self.flows, true);
        self.made.clear();
        self.made.resize(silence, 0.0);
        self.speed.push(samples, &mut self.made);
        if rising {
            self.elastic.refilled();
            for (place, sample) in self.made[silence..].iter_mut().take(FADE).enumerate() {
                *sample *= place as f32 / FADE as f32;
            }
        }
        // What a full ring can't take is what the device did not empty for half a second.
        let _ = self.ring.push_partial_slice(&self.made);
    }

    /// Too much waits: of this block only its first samples are heard, falling to silence; the next one rises from it.
    fn drop_block(&mut self, samples: &[f32]) {
        self.flows = false;
        self.made.clear();
        self.speed.push(&samples[..samples.len().min(FADE)], &mut self.made);
        let length = self.made.len().max(1) as f32;
        for (place, sample) in self.made.iter_mut().enumerate() {
            *sample *= 1.0 - (place + 1) as f32 / length;
        }
        let _ = self.ring.push_partial_slice(&self.made);
    }

    /// Seconds of sound that wait for the device, as if it took them one by one.
    pub(super) fn waits(&self, now: u64) -> Option<f64> {
        let capacity = self.ring.buffer().capacity();
        let (late, there) = self.gauge.read(now, || capacity - self.ring.slots())?;
        Some(there as f64 / self.rate - late.min(MOST_LATE))
    }

    /// How often the device wanted more than there was.
    #[cfg(test)]
    pub(super) fn gaps(&self) -> u32 {
        self.gauge.dry()
    }

    /// Whether the device's end is gone.
    pub(super) fn is_abandoned(&self) -> bool {
        self.ring.is_abandoned()
    }
}
