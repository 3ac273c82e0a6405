//! A recording of a call: both pictures as they were encoded, both voices as one sound, in a WebM file.
//!
//! Owns the file, the thread that writes it and what is handed to that thread. Must not know calls, peers or who asked for it. Driven by
//! the pipeline's threads through a [`Tap`]; whoever started a [`Recorder`] finishes it.
//!
//! ```text
//! own picture, encoded ──────┐
//! their picture, received ───┼─► Tap ─► picture: whole from a key frame on ─► webm: clusters ─► file
//! own voice, their voice ────┘      └─► mix ─► Opus ──────────────────────────┘
//! ```
//!
//! No picture is encoded again. Pictures are stamped with the time at which they were taken or are shown, sound with the time at which
//! it was spoken or is played, all by the clock of the call, so that lips and voices are together as they were for the person here.

mod ebml;
mod mix;
mod picture;
mod recorder;
mod tap;
mod webm;

#[cfg(test)]
mod tests;

pub use recorder::{Recorded, Recorder, Tell, check, check_name};
pub use tap::{Side, Tap};
