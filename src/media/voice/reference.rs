//! The way of the played sound to where the echo is taken out: a bounded ring without locks.
//!
//! Owns the ring and what happens at its ends. Samples come in blocks of any length and leave in frames of 10 ms.
//! Written by the thread that plays, read by the one that captures.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rtrb::{Consumer, Producer, RingBuffer};

use super::FRAME;
use crate::media::SAMPLE_RATE;

/// Samples that may wait: 200 ms. What is played when the ring is full is dropped and counted: the capturing thread
/// stalled, and the canceller finds the delay anew when it goes on.
const CAPACITY: usize = SAMPLE_RATE as usize / 5;

#[derive(Debug, Default)]
struct Shared {
    /// Whether anybody reads.
    wanted: AtomicBool,
    overruns: AtomicU64,
}

/// The end of the thread that plays. Dropping it leaves the canceller without echo to look for.
#[derive(Debug)]
pub struct Reference {
    ring: Producer<f32>,
    shared: Arc<Shared>,
}

impl Reference {
    /// Tells what is being played. Never blocks and never allocates; does nothing while no echo is taken out.
    pub fn played(&mut self, samples: &[f32]) {
        if !self.shared.wanted.load(Ordering::Relaxed) {
            return;
        }
        let (_, dropped) = self.ring.push_partial_slice(samples);
        if !dropped.is_empty() {
            self.shared.overruns.fetch_add(dropped.len() as u64, Ordering::Relaxed);
        }
    }
}

/// The end of the thread that captures.
#[derive(Debug)]
pub(super) struct Played {
    ring: Consumer<f32>,
    shared: Arc<Shared>,
}

impl Played {
    /// Whether to collect what is played. What was collected before is forgotten when that begins.
    pub(super) fn want(&mut self, wanted: bool) {
        if wanted && !self.shared.wanted.load(Ordering::Relaxed) {
            let stale = self.ring.slots();
            if let Ok(chunk) = self.ring.read_chunk(stale) {
                chunk.commit_all();
            }
        }
        self.shared.wanted.store(wanted, Ordering::Relaxed);
    }

    /// Takes the next frame; false when less than one is there, which leaves `frame` as it was. Nothing played
    /// is nothing to take out: the canceller works on with what it has.
    pub(super) fn take(&mut self, frame: &mut [f32; FRAME]) -> bool {
        self.ring.pop_entire_slice(frame).is_ok()
    }

    /// Samples dropped because the ring was full.
    pub(super) fn overruns(&self) -> u64 {
        self.shared.overruns.load(Ordering::Relaxed)
    }
}

/// Both ends of an empty ring.
pub(super) fn ring() -> (Reference, Played) {
    let (producer, consumer) = RingBuffer::new(CAPACITY);
    let shared = Arc::new(Shared::default());
    (Reference { ring: producer, shared: shared.clone() }, Played { ring: consumer, shared })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_any_length_come_out_as_frames_in_order() {
        let (mut reference, mut played) = ring();
        played.want(true);
        let sound: Vec<f32> = (0..4_800).map(|n| n as f32).collect();
        let mut rest = &sound[..];
        for length in [960, 1_340, 500, 2_000] {
            let (block, later) = rest.split_at(length);
            reference.played(block);
            rest = later;
        }
        let mut out = Vec::new();
        let mut frame = [0.0; FRAME];
        while played.take(&mut frame) {
            out.extend_from_slice(&frame);
        }
        assert_eq!(out, sound);
        assert_eq!(played.overruns(), 0);
    }

    #[test]
    fn a_full_ring_drops_what_is_new_and_counts_it() {
        let (mut reference, mut played) = ring();
        played.want(true);
        reference.played(&vec![1.0; CAPACITY]);
        reference.played(&[2.0; 960]);
        assert_eq!(played.overruns(), 960);
        let mut frame = [0.0; FRAME];
        assert!(played.take(&mut frame));
        reference.played(&[3.0; 960]);
        assert_eq!(played.overruns(), 960 + 480);
        assert_eq!(frame, [1.0; FRAME]);
    }

    #[test]
    fn nothing_is_collected_while_nobody_wants_it_and_nothing_stale_is_kept() {
        let (mut reference, mut played) = ring();
        let mut frame = [0.0; FRAME];
        reference.played(&[1.0; 960]);
        assert!(!played.take(&mut frame));
        played.want(true);
        reference.played(&[2.0; 960]);
        played.want(false);
        played.want(true);
        assert!(!played.take(&mut frame), "what was played before it was wanted again is not of now");
    }
}
