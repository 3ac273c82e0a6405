//! Scaling of I420 pictures: a triangle filter as wide as the step, separable, in integers.
//!
//! Owns the filter tables for one pair of sizes. Used where a file's or a sender's size is not the wanted one; the
//! shape is kept, with black bars where it differs.

use super::frame::{check_size, chroma_size};
use super::{Error, VideoFrame};

/// Scales pictures of one size to another.
pub struct Scaler {
    from: (u32, u32),
    to: (u32, u32),
    /// Left edge, upper edge, width and height of the picture inside the bars; all even.
    inside: (u32, u32, u32, u32),
    luma: Plane,
    chroma: Plane,
}

impl Scaler {
    /// A scaler for pictures of size `from` to size `to`.
    ///
    /// # Errors
    /// [`Error::Spec`] for a size that no picture can have.
    pub fn new(from: (u32, u32), to: (u32, u32)) -> Result<Self, Error> {
        check_size(from.0, from.1)?;
        check_size(to.0, to.1)?;
        let inside = fit(from, to);
        let (chroma_from, chroma_to) = (chroma_size(from.0, from.1), chroma_size(inside.2, inside.3));
        Ok(Self {
            from,
            to,
            inside,
            luma: Plane::new(from, (inside.2, inside.3)),
            chroma: Plane::new(chroma_from, chroma_to),
        })
    }

    /// The sizes that this scaler goes between.
    pub fn sizes(&self) -> ((u32, u32), (u32, u32)) {
        (self.from, self.to)
    }

    /// The picture at the new size; a picture of an unexpected size comes back black.
    pub fn scale(&self, picture: &VideoFrame) -> VideoFrame {
        let mut scaled = VideoFrame::black(self.to.0, self.to.1, picture.captured);
        if (picture.width(), picture.height()) != self.from {
            return scaled;
        }
        let (left, top, _, _) = self.inside;
        let luma_stride = self.to.0 as usize;
        let chroma_stride = scaled.chroma_size().0 as usize;
        let luma_start = top as usize * luma_stride + left as usize;
        let chroma_start = top as usize / 2 * chroma_stride + left as usize / 2;
        let (y, u, v) = scaled.planes_mut();
        self.luma.scale(picture.y(), &mut y[luma_start..], luma_stride);
        self.chroma.scale(picture.u(), &mut u[chroma_start..], chroma_stride);
        self.chroma.scale(picture.v(), &mut v[chroma_start..], chroma_stride);
        scaled
    }
}

/// The largest size of the shape of `from` inside `within` that is no larger than `from`: `from` itself where it fits, or else with even
/// sides.
pub fn shrunk(from: (u32, u32), within: (u32, u32)) -> (u32, u32) {
    if from.0 <= within.0 && from.1 <= within.1 {
        return from;
    }
    let (_, _, width, height) = fit(from, within);
    ((width / 2 * 2).max(2), (height / 2 * 2).max(2))
}

/// The largest rectangle of the shape of `from` in the middle of `to`, on even pixels.
fn fit(from: (u32, u32), to: (u32, u32)) -> (u32, u32, u32, u32) {
    let (fw, fh, tw, th) = (u64::from(from.0), u64::from(from.1), u64::from(to.0), u64::from(to.1));
    // A difference of a pixel or two is rounding, not shape, and gets no bars.
    let (width, height) = if fw * th > tw * fh {
        (to.0, even(((fh * tw + fw / 2) / fw) as u32, to.1))
    } else {
        (even(((fw * th + fh / 2) / fh) as u32, to.0), to.1)
    };
    ((to.0 - width) / 2 / 2 * 2, (to.1 - height) / 2 / 2 * 2, width, height)
}

fn even(side: u32, limit: u32) -> u32 {
    if side + 2 >= limit { limit } else { (side / 2 * 2).max(2) }
}

/// The filter of one plane, both ways.
struct Plane {
    columns: Axis,
    rows: Axis,
    from_width: usize,
}

/// For each new position the first old position and the weights from there on, all of the same number.
struct Axis {
    taps: usize,
    first: Vec<usize>,
    weights: Vec<i32>,
}

const ONE: i32 = 1 << 14;

impl Axis {
    fn new(from: usize, to: usize) -> Self {
        let ratio = from as f64 / to as f64;
        let reach = ratio.max(1.0);
        let taps = ((2.0 * reach).ceil() as usize + 1).min(from);
        let (mut first, mut weights) = (Vec::with_capacity(to), Vec::with_capacity(to * taps));
        for position in 0..to {
            let centre = (position as f64 + 0.5) * ratio - 0.5;
            let start = ((centre - reach).ceil().max(0.0) as usize).min(from - taps);
            let raw: Vec<f64> =
                (start..start + taps).map(|at| (1.0 - (at as f64 - centre).abs() / reach).max(0.0)).collect();
            let sum: f64 = raw.iter().sum();
            let mut fixed: Vec<i32> =
                raw.iter().map(|weight| (weight / sum * f64::from(ONE)).round() as i32).collect();
            // Rounding must not change the brightness: the heaviest tap takes what is missing.
            let missing = ONE - fixed.iter().sum::<i32>();
            if let Some(heaviest) = fixed.iter_mut().max() {
                *heaviest += missing;
            }
            first.push(start);
            weights.append(&mut fixed);
        }
        Self { taps, first, weights }
    }

    fn taps(&self) -> impl Iterator<Item = (usize, &[i32])> {
        self.first.iter().copied().zip(self.weights.chunks_exact(self.taps))
    }

    /// One row with `N` taps.
    fn row<const N: usize>(&self, sums: &[i32], out: &mut [u8]) {
        let (weights, _) = self.weights.as_chunks::<N>();
        for ((&left, weights), out) in self.first.iter().zip(weights).zip(out) {
            if let Some(window) = sums[left..].first_chunk::<N>() {
                *out = rounded((0..N).map(|tap| window[tap] * weights[tap]).sum());
            }
        }
    }
}

impl Plane {
    fn new(from: (u32, u32), to: (u32, u32)) -> Self {
        Self {
            columns: Axis::new(from.0 as usize, to.0 as usize),
            rows: Axis::new(from.1 as usize, to.1 as usize),
            from_width: from.0 as usize,
        }
    }

    fn scale(&self, from: &[u8], to: &mut [u8], stride: usize) {
        let mut sums = vec![0_i32; self.from_width];
        for ((top, weights), out) in self.rows.taps().zip(to.chunks_mut(stride)) {
            sums.fill(ONE / 2);
            for (row, &weight) in from[top * self.from_width..].chunks_exact(self.from_width).zip(weights) {
                if weight != 0 {
                    for (sum, &value) in sums.iter_mut().zip(row) {
                        *sum += weight * i32::from(value);
                    }
                }
            }
            for sum in &mut sums {
                *sum >>= 14;
            }
            // A fixed number of taps lets the compiler unroll the usual cases.
            match self.columns.taps {
                3 => self.columns.row::<3>(&sums, out),
                4 => self.columns.row::<4>(&sums, out),
                5 => self.columns.row::<5>(&sums, out),
                _ => {
                    for ((left, weights), out) in self.columns.taps().zip(out) {
                        let sum =
                            sums[left..].iter().zip(weights).map(|(&value, &weight)| value * weight).sum();
                        *out = rounded(sum);
                    }
                }
            }
        }
    }
}

fn rounded(sum: i32) -> u8 {
    ((sum + ONE / 2) >> 14).clamp(0, 255) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::measure::quality;
    use crate::media::synthetic::Pattern;
    use crate::media::{VideoFormat, WallTime};

    fn flat(width: u32, height: u32, levels: (u8, u8, u8)) -> VideoFrame {
        let mut picture = VideoFrame::black(width, height, WallTime(3));
        let (y, u, v) = picture.planes_mut();
        y.fill(levels.0);
        u.fill(levels.1);
        v.fill(levels.2);
        picture
    }

    #[test]
    fn flat_stays_flat_at_any_size() {
        for from in [(1, 1), (2, 3), (160, 90), (641, 359)] {
            for to in [(1, 1), (3, 2), (80, 45), (320, 180), (1000, 562)] {
                let scaled = Scaler::new(from, to).unwrap().scale(&flat(from.0, from.1, (201, 90, 33)));
                assert_eq!((scaled.width(), scaled.height(), scaled.captured), (to.0, to.1, WallTime(3)));
                let centre = (to.1 / 2 * to.0 + to.0 / 2) as usize;
                assert_eq!(scaled.y()[centre], 201, "{from:?} {to:?}");
            }
        }
    }

    #[test]
    fn another_shape_gets_black_bars() {
        let scaled = Scaler::new((640, 360), (320, 240)).unwrap().scale(&flat(640, 360, (200, 90, 90)));
        let rows: Vec<u8> = scaled.y().chunks(320).map(|row| row[160]).collect();
        assert_eq!(rows.iter().filter(|&&level| level == 200).count(), 180);
        assert_eq!((rows[29], rows[30], rows[209], rows[210]), (16, 200, 200, 16));
        assert_eq!(scaled.u()[0], 128);
    }

    #[test]
    fn a_size_is_shrunk_in_its_shape_and_never_enlarged() {
        for (from, within, to) in [
            ((1920, 1080), (1280, 720), (1280, 720)),
            ((1920, 1200), (1280, 720), (1152, 720)),
            ((500, 251), (400, 400), (400, 200)),
            ((640, 361), (1280, 720), (640, 361)),
            ((3, 900), (160, 90), (2, 90)),
            ((1, 1), (1280, 720), (1, 1)),
        ] {
            assert_eq!(shrunk(from, within), to, "{from:?} {within:?}");
        }
    }

    #[test]
    fn the_same_size_is_a_copy() {
        let picture =
            Pattern::new(VideoFormat { width: 160, height: 90, fps: 25 }).unwrap().paint(3, WallTime(0));
        assert_eq!(Scaler::new((160, 90), (160, 90)).unwrap().scale(&picture), picture);
    }

    #[test]
    fn down_and_up_again_keeps_the_picture() {
        let picture =
            Pattern::new(VideoFormat { width: 640, height: 360, fps: 25 }).unwrap().paint(3, WallTime(0));
        let small = Scaler::new((640, 360), (320, 180)).unwrap().scale(&picture);
        let again = Scaler::new((320, 180), (640, 360)).unwrap().scale(&small);
        let decibels = quality::psnr(quality::luma_error(&picture, &again).unwrap());
        assert!(decibels > 25.0, "{decibels}");
        let reading = crate::media::synthetic::pattern::read(&small, WallTime(0)).unwrap();
        assert_eq!(reading.number, 3);
    }
}
