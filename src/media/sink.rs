//! Where decoded pictures and sound go: the two traits the pipeline pushes to.
//!
//! A sink is paced from outside and never sleeps. Dropping a sink without [`VideoSink::finish`] leaves what was
//! written so far, still readable.

use super::{Error, VideoFrame};

mod file;

pub use file::{Film, Sound};

/// A sink of pictures, called once for each shown frame.
pub trait VideoSink: Send {
    /// Shows or stores one picture. Sizes may change from frame to frame.
    ///
    /// # Errors
    /// The sink is broken for good: the disk is full or the device is gone.
    fn show(&mut self, frame: &VideoFrame) -> Result<(), Error>;

    /// Writes what is still held back and completes the file. Called once, last.
    ///
    /// # Errors
    /// As [`VideoSink::show`].
    fn finish(&mut self) -> Result<(), Error>;
}

/// A sink of 48 kHz mono sound, called for each block that is played.
pub trait AudioSink: Send {
    /// Plays or stores the next samples.
    ///
    /// # Errors
    /// The sink is broken for good: the disk is full or the device is gone.
    fn play(&mut self, samples: &[f32]) -> Result<(), Error>;

    /// Writes what is still held back and completes the file. Called once, last.
    ///
    /// # Errors
    /// As [`AudioSink::play`].
    fn finish(&mut self) -> Result<(), Error>;
}

/// Takes everything and keeps nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Null;

impl VideoSink for Null {
    fn show(&mut self, _: &VideoFrame) -> Result<(), Error> {
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

impl AudioSink for Null {
    fn play(&mut self, _: &[f32]) -> Result<(), Error> {
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Error> {
        Ok(())
    }
}
