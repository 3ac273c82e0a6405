//! The picture as the alert looks at it: small, and with chroma for each pixel.
//!
//! Owns making it small by averages, which takes most of a camera's noise away, and reading between pixels.

use crate::media::VideoFrame;

/// Pixels a row at most. Faces of people at a desk are 50 to 100 of them wide.
const WIDTH: usize = 320;

/// A small picture: three planes of one size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Small {
    pub(super) width: usize,
    pub(super) height: usize,
    /// Luma, blue difference, red difference.
    planes: [Vec<u8>; 3],
}

impl Small {
    /// The picture with each side divided by the smallest number that makes it narrow enough.
    pub(super) fn of(picture: &VideoFrame) -> Self {
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        let step = width.div_ceil(WIDTH).max(1);
        let (to_width, to_height) = (width.div_ceil(step), height.div_ceil(step));
        let chroma = picture.chroma_size();
        let chroma = (chroma.0 as usize, chroma.1 as usize);
        let luma = |x: usize, y: usize| average(picture.y(), (width, height), span(x, step), span(y, step));
        let half = |plane: &[u8], x: usize, y: usize| {
            let span = |at: usize| (at * step / 2, ((at + 1) * step).div_ceil(2));
            average(plane, chroma, span(x), span(y))
        };
        let mut planes = [const { Vec::new() }; 3];
        for plane in &mut planes {
            plane.reserve_exact(to_width * to_height);
        }
        for y in 0..to_height {
            for x in 0..to_width {
                planes[0].push(luma(x, y));
                planes[1].push(half(picture.u(), x, y));
                planes[2].push(half(picture.v(), x, y));
            }
        }
        Self { width: to_width, height: to_height, planes }
    }

    /// A square of luma, `side` pixels a row, of the square with this middle and size; what lies outside repeats the edge.
    pub(super) fn grey(&self, middle: (f32, f32), size: f32, side: usize) -> Vec<u8> {
        let step = size / side as f32;
        let at = |middle: f32, place: usize| middle - size / 2.0 + (place as f32 + 0.5) * step - 0.5;
        let mut square = Vec::with_capacity(side * side);
        for y in 0..side {
            for x in 0..side {
                square.push(self.read(0, at(middle.0, x), at(middle.1, y)) as u8);
            }
        }
        square
    }

    /// The whole luma, at half of the size.
    pub(super) fn half(&self) -> (Vec<u8>, usize, usize) {
        let (width, height) = (self.width / 2, self.height / 2);
        let mut half = Vec::with_capacity(width * height);
        for y in 0..height {
            for x in 0..width {
                half.push(average(&self.planes[0], (self.width, self.height), span(x, 2), span(y, 2)));
            }
        }
        (half, width, height)
    }

    /// True for a place inside the picture.
    pub(super) fn holds(&self, x: f32, y: f32) -> bool {
        x >= 0.0 && y >= 0.0 && x <= (self.width - 1) as f32 && y <= (self.height - 1) as f32
    }

    /// A plane's value between pixels; what lies outside repeats the edge.
    pub(super) fn read(&self, plane: usize, x: f32, y: f32) -> f32 {
        let x = x.clamp(0.0, (self.width - 1) as f32);
        let y = y.clamp(0.0, (self.height - 1) as f32);
        let (left, top) = (x as usize, y as usize);
        let (right, bottom) = ((left + 1).min(self.width - 1), (top + 1).min(self.height - 1));
        let (across, down) = (x - left as f32, y - top as f32);
        let value = |x: usize, y: usize| f32::from(self.planes[plane][y * self.width + x]);
        let upper = value(left, top) + (value(right, top) - value(left, top)) * across;
        let lower = value(left, bottom) + (value(right, bottom) - value(left, bottom)) * across;
        upper + (lower - upper) * down
    }
}

fn span(at: usize, step: usize) -> (usize, usize) {
    (at * step, (at + 1) * step)
}

/// The mean of a rectangle, cut to the plane; never of nothing.
fn average(plane: &[u8], size: (usize, usize), across: (usize, usize), down: (usize, usize)) -> u8 {
    let (left, top) = (across.0.min(size.0 - 1), down.0.min(size.1 - 1));
    let (right, bottom) = (across.1.clamp(left + 1, size.0), down.1.clamp(top + 1, size.1));
    let mut sum = 0;
    for y in top..bottom {
        sum +=
            plane[y * size.0 + left..y * size.0 + right].iter().map(|&value| u32::from(value)).sum::<u32>();
    }
    (sum / ((right - left) * (bottom - top)) as u32) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::WallTime;

    #[test]
    fn a_picture_is_divided_by_a_whole_number_and_keeps_its_colour() {
        for (size, small) in
            [((640, 360), (320, 180)), ((641, 3), (214, 1)), ((1, 1), (1, 1)), ((320, 5), (320, 5))]
        {
            let mut picture = VideoFrame::black(size.0, size.1, WallTime(0));
            picture.planes_mut().2.fill(200);
            let made = Small::of(&picture);
            assert_eq!((made.width, made.height), small);
            assert!(
                made.planes[0].iter().all(|&luma| luma == 16) && made.planes[2].iter().all(|&red| red == 200)
            );
            assert_eq!(made.read(2, -5.0, 1e6), 200.0);
        }
    }
}
