//! A frame at the size at which it is drawn.
//!
//! Owns the scaled planes and the scaler's memory, so that a frame costs no allocation. Must not know what
//! becomes of the pixels.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

use super::rgb::{Chroma, chroma_row, packed_row};
use crate::media::frame::{VideoFrame, chroma_size};

/// I420 planes of the last frame, scaled: chroma is halved both ways and rounded up.
#[derive(Default)]
pub(super) struct Picture {
    width: u32,
    height: u32,
    planes: [Vec<u8>; 3],
    /// The planes of the frame before.
    before: [Vec<u8>; 3],
    resizer: Resizer,
    chroma: Chroma,
}

impl Picture {
    /// Takes `frame` at `width` x `height` pixels, each at least 1, and says whether it differs from the one before.
    /// Smaller by a mean over what a new pixel covers, larger by straight lines between the old ones.
    pub(super) fn take(&mut self, frame: &VideoFrame, width: u32, height: u32) -> bool {
        let same_size = (self.width, self.height) == (width, height);
        (self.width, self.height) = (width, height);
        std::mem::swap(&mut self.planes, &mut self.before);
        let from = [(frame.width(), frame.height()), frame.chroma_size(), frame.chroma_size()];
        let to = [(width, height), chroma_size(width, height), chroma_size(width, height)];
        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
        for (at, (plane, source)) in self.planes.iter_mut().zip([frame.y(), frame.u(), frame.v()]).enumerate()
        {
            plane.resize(to[at].0 as usize * to[at].1 as usize, 0);
            if from[at] == to[at] {
                plane.copy_from_slice(source);
                continue;
            }
            let (Ok(source), Ok(mut target)) = (
                ImageRef::new(from[at].0, from[at].1, source, PixelType::U8),
                Image::from_slice_u8(to[at].0, to[at].1, plane, PixelType::U8),
            ) else {
                continue;
            };
            // Both are whole pictures of the same kind of pixel, which is all that can be wrong.
            let _ = self.resizer.resize(&source, &mut target, &options);
        }
        !same_size || self.planes != self.before
    }

    /// Pixels a row; 0 before the first frame.
    pub(super) fn width(&self) -> usize {
        self.width as usize
    }

    /// Rows; 0 before the first frame.
    pub(super) fn height(&self) -> usize {
        self.height as usize
    }

    /// Row `y` of the luma plane and the rows of chroma that colour it. `y` is below [`Picture::height`].
    pub(super) fn row(&self, y: usize) -> [&[u8]; 3] {
        let (width, chroma) = (self.width(), self.width().div_ceil(2));
        [
            &self.planes[0][y * width..][..width],
            &self.planes[1][y / 2 * chroma..][..chroma],
            &self.planes[2][y / 2 * chroma..][..chroma],
        ]
    }

    /// The bytes of the picture as RGB, three a pixel.
    pub(super) fn packed_len(&self) -> usize {
        3 * self.width() * self.height()
    }

    /// Writes the picture as RGB, three bytes a pixel, row by row; `out` is [`Picture::packed_len`] long.
    pub(super) fn pack(&mut self, out: &mut [u8]) {
        let width = self.width();
        // Taken out for the time, because rows borrow all of the picture.
        let mut chroma = std::mem::take(&mut self.chroma);
        for (y, out) in out.chunks_exact_mut((3 * width).max(1)).enumerate().take(self.height()) {
            let [luma, u, v] = self.row(y);
            if y.is_multiple_of(2) {
                chroma_row(u, v, width, &mut chroma);
            }
            packed_row(luma, &chroma, out);
        }
        self.chroma = chroma;
    }
}
