//! The one picture format and the one sound format that cross every seam of media.
//!
//! Pictures are I420 with tight planes, BT.601 in limited range (luma 16 to 235), sound is 48 kHz mono `f32` in -1 to 1. Whoever has something else
//! converts it at the edge.

use super::{Error, WallTime};

/// Samples a second of all sound inside media; one channel of `f32`.
pub const SAMPLE_RATE: u32 = 48_000;

/// The largest width or height in pixels that any part of media accepts.
pub const MAX_SIDE: u32 = 4096;

/// The highest frame rate that any part of media accepts.
pub const MAX_FPS: u32 = 120;

/// What a video source produces: a size in pixels and frames a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VideoFormat {
    /// Pixels a row, 1 to [`MAX_SIDE`].
    pub width: u32,
    /// Rows, 1 to [`MAX_SIDE`].
    pub height: u32,
    /// Frames a second, 1 to [`MAX_FPS`].
    pub fps: u32,
}

impl VideoFormat {
    /// 640x360 at 25 frames a second: what is sent when nobody asks for anything else.
    pub const DEFAULT: Self = Self { width: 640, height: 360, fps: 25 };

    /// The time from one frame to the next.
    pub fn interval(self) -> std::time::Duration {
        std::time::Duration::from_secs(1) / self.fps.max(1)
    }
}

impl std::fmt::Display for VideoFormat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}x{}@{}", self.width, self.height, self.fps)
    }
}

/// One picture: I420 (full luma, chroma halved both ways and rounded up), planes without padding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VideoFrame {
    width: u32,
    height: u32,
    data: Vec<u8>,
    /// When the picture was taken, by the clock of the machine that took it.
    pub captured: WallTime,
}

impl VideoFrame {
    /// A picture from its bytes: the Y plane, then U, then V.
    ///
    /// # Errors
    /// [`Error::Spec`] when a side is 0 or above [`MAX_SIDE`] or `data` is not exactly [`VideoFrame::bytes`] long.
    pub fn new(width: u32, height: u32, data: Vec<u8>, captured: WallTime) -> Result<Self, Error> {
        check_size(width, height)?;
        let wanted = Self::bytes(width, height);
        if data.len() != wanted {
            return Err(Error::Spec(format!(
                "a {width}x{height} picture has {wanted} bytes, not {}",
                data.len()
            )));
        }
        Ok(Self { width, height, data, captured })
    }

    /// A black picture (limited range: Y 16, chroma 128). Sides are clamped to 1..=[`MAX_SIDE`].
    pub fn black(width: u32, height: u32, captured: WallTime) -> Self {
        let (width, height) = (width.clamp(1, MAX_SIDE), height.clamp(1, MAX_SIDE));
        let luma = width as usize * height as usize;
        let mut data = vec![16; Self::bytes(width, height)];
        data[luma..].fill(128);
        Self { width, height, data, captured }
    }

    /// The picture as in a looking-glass: left is right.
    #[must_use]
    pub fn mirrored(mut self) -> Self {
        let (across, chroma) = (self.width as usize, self.chroma_size().0 as usize);
        let (y, u, v) = self.planes_mut();
        for (plane, stride) in [(y, across), (u, chroma), (v, chroma)] {
            plane.chunks_exact_mut(stride).for_each(<[u8]>::reverse);
        }
        self
    }

    /// The length in bytes of a picture of this size.
    pub fn bytes(width: u32, height: u32) -> usize {
        let (cw, ch) = chroma_size(width, height);
        width as usize * height as usize + 2 * cw as usize * ch as usize
    }

    /// Pixels a row.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// All three planes, Y, U, V, back to back.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// The bytes themselves, for reuse.
    pub fn into_data(self) -> Vec<u8> {
        self.data
    }

    /// Width and height of the U and of the V plane.
    pub fn chroma_size(&self) -> (u32, u32) {
        chroma_size(self.width, self.height)
    }

    /// The luma plane, `width` bytes a row.
    pub fn y(&self) -> &[u8] {
        &self.data[..self.luma()]
    }

    /// The blue-difference plane, `chroma_size().0` bytes a row.
    pub fn u(&self) -> &[u8] {
        &self.data[self.luma()..self.luma() + self.chroma()]
    }

    /// The red-difference plane, `chroma_size().0` bytes a row.
    pub fn v(&self) -> &[u8] {
        &self.data[self.luma() + self.chroma()..]
    }

    /// The three planes for writing: Y, U, V.
    pub fn planes_mut(&mut self) -> (&mut [u8], &mut [u8], &mut [u8]) {
        let (luma, chroma) = (self.luma(), self.chroma());
        let (y, rest) = self.data.split_at_mut(luma);
        let (u, v) = rest.split_at_mut(chroma);
        (y, u, v)
    }

    fn luma(&self) -> usize {
        self.width as usize * self.height as usize
    }

    fn chroma(&self) -> usize {
        let (w, h) = self.chroma_size();
        w as usize * h as usize
    }
}

/// Width and height of a chroma plane of a picture of this size.
pub fn chroma_size(width: u32, height: u32) -> (u32, u32) {
    (width.div_ceil(2), height.div_ceil(2))
}

/// Whether a picture may have this size.
///
/// # Errors
/// [`Error::Spec`] when a side is 0 or above [`MAX_SIDE`].
pub fn check_size(width: u32, height: u32) -> Result<(), Error> {
    if (1..=MAX_SIDE).contains(&width) && (1..=MAX_SIDE).contains(&height) {
        Ok(())
    } else {
        Err(Error::Spec(format!(
            "a picture of {width}x{height} is not between 1x1 and {MAX_SIDE}x{MAX_SIDE}"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_sizes_round_chroma_up() {
        assert_eq!(VideoFrame::bytes(5, 3), 15 + 2 * 3 * 2);
        let mut frame = VideoFrame::black(5, 3, WallTime(7));
        assert_eq!((frame.y().len(), frame.u().len(), frame.v().len()), (15, 6, 6));
        frame.planes_mut().2.fill(9);
        assert_eq!(frame.data()[21..], [9; 6]);
        assert_eq!(frame.data()[15..21], [128; 6]);
    }

    #[test]
    fn a_mirrored_picture_has_its_left_on_the_right() {
        let data: Vec<u8> = (0..24).collect();
        let picture = VideoFrame::new(4, 4, data, WallTime(7)).unwrap();
        let mirrored = picture.clone().mirrored();
        assert_eq!(
            (&mirrored.y()[..4], mirrored.u(), mirrored.v()),
            (&[3, 2, 1, 0][..], &[17, 16, 19, 18][..], &[21, 20, 23, 22][..])
        );
        assert_eq!(mirrored.captured, WallTime(7));
        assert_eq!(mirrored.mirrored(), picture);
    }

    #[test]
    fn a_wrong_length_or_size_is_refused() {
        assert!(VideoFrame::new(4, 4, vec![0; 24], WallTime(0)).is_ok());
        assert!(VideoFrame::new(4, 4, vec![0; 23], WallTime(0)).is_err());
        assert!(VideoFrame::new(0, 4, vec![], WallTime(0)).is_err());
        assert!(VideoFrame::new(MAX_SIDE + 1, 1, vec![], WallTime(0)).is_err());
    }
}
