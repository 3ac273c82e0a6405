//! Sources of nothing.

use crate::media::{AudioSource, Error, VideoFormat, VideoFrame, VideoSource, WallTime};

/// A source that never has a picture.
#[derive(Clone, Copy, Debug)]
pub struct NoPicture(VideoFormat);

impl NoPicture {
    /// No picture at this rate.
    pub fn new(format: VideoFormat) -> Self {
        Self(format)
    }
}

impl VideoSource for NoPicture {
    fn format(&self) -> VideoFormat {
        self.0
    }

    fn frame(&mut self, _: u64, _: WallTime) -> Result<Option<VideoFrame>, Error> {
        Ok(None)
    }
}

/// Digital silence.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silence;

impl AudioSource for Silence {
    fn read(&mut self, _: WallTime, out: &mut [f32]) -> Result<(), Error> {
        out.fill(0.0);
        Ok(())
    }
}
