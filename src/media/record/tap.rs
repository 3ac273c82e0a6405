//! Where the threads of a call hand over what is to be recorded.
//!
//! Owns the queue in between. Nothing here waits for the disk: what finds no room is dropped whole and counted.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use bytes::Bytes;

use super::mix::Who;
use super::webm::Track;
use crate::media::codec::VideoCodec;
use crate::media::pipeline::mailbox::Mailbox;

/// Pictures and blocks of sound that may wait for the thread that writes: 6 s of both sides. When full, what comes is dropped and
/// counted, and the person is told.
pub(super) const QUEUE: usize = 1_024;

/// Which side of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// This one.
    Own,
    /// The other one.
    Remote,
}

/// What was handed over.
#[derive(Debug)]
pub(super) enum Item {
    /// An encoded picture.
    Picture {
        track: Track,
        /// Counts the pictures of its track, those included that found no room.
        number: u64,
        at: Instant,
        codec: VideoCodec,
        keyframe: bool,
        data: Bytes,
    },
    /// A stretch of sound.
    Sound { who: Who, at: Instant, samples: Box<[f32]> },
}

/// The way into a recording, for the threads of a call. Once the recording has ended, what is given is dropped.
#[derive(Debug)]
pub struct Tap {
    pub(super) queue: Mailbox<Item>,
    pub(super) stop: AtomicBool,
    numbers: [AtomicU64; 2],
    /// A key frame is wanted of this track.
    wishes: [AtomicBool; 2],
}

impl Tap {
    pub(super) fn new() -> Self {
        Self {
            queue: Mailbox::new(QUEUE),
            stop: AtomicBool::new(false),
            numbers: [AtomicU64::new(0), AtomicU64::new(0)],
            // A recording begins with a picture that needs no other.
            wishes: [AtomicBool::new(true), AtomicBool::new(true)],
        }
    }

    /// An encoded picture, in the order of decoding, and when it was taken or is shown.
    pub fn picture(&self, side: Side, at: Instant, codec: VideoCodec, keyframe: bool, data: &Bytes) {
        let track = track(side);
        let number = self.numbers[track as usize].fetch_add(1, Ordering::Relaxed);
        self.queue.put(Item::Picture { track, number, at, codec, keyframe, data: data.clone() });
    }

    /// A stretch of sound, and when its first sample was spoken or is played.
    pub fn sound(&self, side: Side, at: Instant, samples: &[f32]) {
        let who = if side == Side::Own { Who::Own } else { Who::Remote };
        self.queue.put(Item::Sound { who, at, samples: samples.into() });
    }

    /// Whether a key frame of this side should be asked for now. Says so once for each wish.
    pub fn wants_keyframe(&self, side: Side) -> bool {
        self.wishes[track(side) as usize].swap(false, Ordering::Relaxed)
    }

    pub(super) fn wish(&self, track: Track) {
        if let Some(wish) = self.wishes.get(track as usize) {
            wish.store(true, Ordering::Relaxed);
        }
    }
}

fn track(side: Side) -> Track {
    match side {
        Side::Own => Track::Own,
        Side::Remote => Track::Remote,
    }
}
