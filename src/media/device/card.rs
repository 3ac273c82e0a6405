//! A still picture with two words on it, for when a device has none to give.

use crate::media::{VideoFormat, VideoFrame, WallTime};

/// Rows of the letters, five bits each, from the left.
const LETTERS: &[(char, [u8; 7])] = &[
    ('A', [0x0e, 0x11, 0x11, 0x1f, 0x11, 0x11, 0x11]),
    ('C', [0x0e, 0x11, 0x10, 0x10, 0x10, 0x11, 0x0e]),
    ('D', [0x1e, 0x11, 0x11, 0x11, 0x11, 0x11, 0x1e]),
    ('E', [0x1f, 0x10, 0x10, 0x1e, 0x10, 0x10, 0x1f]),
    ('F', [0x1f, 0x10, 0x10, 0x1e, 0x10, 0x10, 0x10]),
    ('H', [0x11, 0x11, 0x11, 0x1f, 0x11, 0x11, 0x11]),
    ('M', [0x11, 0x1b, 0x15, 0x15, 0x11, 0x11, 0x11]),
    ('N', [0x11, 0x19, 0x15, 0x13, 0x11, 0x11, 0x11]),
    ('O', [0x0e, 0x11, 0x11, 0x11, 0x11, 0x11, 0x0e]),
    ('R', [0x1e, 0x11, 0x11, 0x1e, 0x14, 0x12, 0x11]),
    ('S', [0x0f, 0x10, 0x10, 0x0e, 0x01, 0x01, 0x1e]),
];

const GREY: u8 = 48;
const LIGHT: u8 = 180;

/// `words` in the middle of a dark picture. A letter that is not drawn here is a gap.
pub(super) fn card(words: &str, format: VideoFormat, captured: WallTime) -> VideoFrame {
    let mut picture = VideoFrame::black(format.width, format.height, captured);
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let (y, _, _) = picture.planes_mut();
    y.fill(GREY);
    let columns = words.chars().count() * 6;
    // The words take two thirds of the width; where not even one pixel a dot fits there are none.
    let dot = width * 2 / 3 / columns.max(1);
    if dot == 0 || dot * 7 > height {
        return picture;
    }
    let (left, top) = ((width - dot * columns) / 2, (height - dot * 7) / 2);
    for (at, letter) in words.chars().enumerate() {
        let Some((_, rows)) = LETTERS.iter().find(|(known, _)| *known == letter) else {
            continue;
        };
        for (row, bits) in rows.iter().enumerate() {
            for column in (0..5).filter(|column| bits >> (4 - column) & 1 == 1) {
                let x = left + (at * 6 + column) * dot;
                for line in y.chunks_exact_mut(width).skip(top + row * dot).take(dot) {
                    line[x..x + dot].fill(LIGHT);
                }
            }
        }
    }
    picture
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_stand_in_the_middle_at_any_size() {
        for (width, height) in [(1, 1), (63, 7), (160, 90), (90, 160), (1280, 720)] {
            let format = VideoFormat { width, height, fps: 25 };
            let picture = card("CAMERA OFF", format, WallTime(0));
            assert_eq!((picture.width(), picture.height()), (width, height));
            let lit: Vec<usize> = (0..picture.y().len())
                .filter(|&at| picture.y()[at] == LIGHT)
                .map(|at| at % width as usize)
                .collect();
            if width >= 90 {
                let (left, right) = (lit.iter().min().unwrap(), lit.iter().max().unwrap());
                assert!(
                    left.abs_diff(width as usize - right) <= width as usize / 20,
                    "{left} {right} {width}"
                );
            }
        }
    }
}
