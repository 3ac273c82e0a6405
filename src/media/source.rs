//! Where pictures and sound come from: the two traits the pipeline pulls from.
//!
//! A source is paced from outside: it never sleeps and never reads a clock, so a test can run an hour of media
//! in a second. It owns its file or device; dropping it closes that.

use super::{Error, VideoFormat, VideoFrame, WallTime};

/// A source of pictures, pulled once a frame interval.
pub trait VideoSource: Send {
    /// The size and rate that [`VideoSource::frame`] produces; constant for the life of the source.
    fn format(&self) -> VideoFormat;

    /// The picture for tick `index` (counted from 0 at `format().fps`, ticks may be skipped but never go back),
    /// stamped with `captured`. `None` when the source has no picture for this tick and there is nothing to send.
    ///
    /// # Errors
    /// The source is broken for good: the file is damaged or the device is gone.
    fn frame(&mut self, index: u64, captured: WallTime) -> Result<Option<VideoFrame>, Error>;
}

/// A source of 48 kHz mono sound, pulled a block at a time.
pub trait AudioSource: Send {
    /// Fills all of `out` with the next samples; `captured` is the time of `out[0]`. Silence when there is nothing.
    ///
    /// # Errors
    /// The source is broken for good: the file is damaged or the device is gone.
    fn read(&mut self, captured: WallTime, out: &mut [f32]) -> Result<(), Error>;
}
