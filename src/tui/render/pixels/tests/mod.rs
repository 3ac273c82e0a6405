//! What the painters write, read back: helpers for all, and the kitty and iTerm2 painters.

mod iterm2;
mod kitty;

use super::super::{CellSize, Depth, Keeps, Mode, Settings};
use crate::media::{VideoFrame, WallTime};

/// The settings of a terminal that can do everything.
pub(super) fn settings(cell: CellSize) -> Settings {
    Settings {
        mode: Mode::Sixel,
        depth: Depth::Truecolor,
        cell,
        sixel_colours: 256,
        sixel_keeps: Keeps::Everything,
        shared_memory: false,
        tmux: false,
        picture: 1,
    }
}

fn frame(width: u32, height: u32, mut colour: impl FnMut(u32, u32) -> [u8; 3]) -> VideoFrame {
    let mut frame = VideoFrame::black(width, height, WallTime(0));
    let chroma = frame.chroma_size().0;
    let (y, u, v) = frame.planes_mut();
    for row in 0..height {
        for column in 0..width {
            let [luma, blue, red] = colour(column, row);
            y[(row * width + column) as usize] = luma;
            let at = (row / 2 * chroma + column / 2) as usize;
            (u[at], v[at]) = (blue, red);
        }
    }
    frame
}

/// A soft picture with a disc that moves with `number`.
pub(super) fn moving(width: u32, height: u32, number: u64) -> VideoFrame {
    let centre = (number * 7 % u64::from(width)) as i64;
    frame(width, height, |x, y| {
        let (dx, dy) = (i64::from(x) - centre, i64::from(y) - i64::from(height) / 2);
        let disc = dx * dx + dy * dy < i64::from(height * height) / 16;
        let slope = 60 + (x + y) * 120 / (width + height);
        if disc { [slope as u8 + 40, 90, 160] } else { [slope as u8, 120 + (y * 16 / height) as u8, 128] }
    })
}

/// The same picture without the disc.
pub(super) fn still(width: u32, height: u32) -> VideoFrame {
    frame(width, height, |x, y| {
        [60 + ((x + y) * 120 / (width + height)) as u8, 120 + (y * 16 / height) as u8, 128]
    })
}

/// `frame` with noise of up to `amplitude` on its luma.
pub(super) fn noise(frame: &VideoFrame, seed: u64, amplitude: i16) -> VideoFrame {
    let mut noisy = frame.clone();
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for luma in noisy.planes_mut().0 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let offset = (state >> 40) as i16 % (2 * amplitude + 1);
        *luma = (i16::from(*luma) + offset.abs() % (2 * amplitude + 1) - amplitude).clamp(0, 255) as u8;
    }
    noisy
}

/// A frame as RGB, in floating point.
pub(super) fn rgb(frame: &VideoFrame) -> Vec<u8> {
    let (width, chroma) = (frame.width() as usize, frame.chroma_size().0 as usize);
    let mut rgb = Vec::with_capacity(3 * frame.y().len());
    for (at, &luma) in frame.y().iter().enumerate() {
        let place = at / width / 2 * chroma + at % width / 2;
        let luma = (f64::from(luma) - 16.0) * 255.0 / 219.0;
        let (u, v) = (f64::from(frame.u()[place]) - 128.0, f64::from(frame.v()[place]) - 128.0);
        for channel in [luma + 1.596 * v, luma - 0.392 * u - 0.813 * v, luma + 2.017 * u] {
            rgb.push(channel.round().clamp(0.0, 255.0) as u8);
        }
    }
    rgb
}

/// Peak signal to noise in dB.
pub(super) fn psnr(a: &[u8], b: &[u8]) -> f64 {
    assert_eq!(a.len(), b.len());
    let sum: f64 = a.iter().zip(b).map(|(&a, &b)| f64::from(a.abs_diff(b)).powi(2)).sum();
    10.0 * (255.0 * 255.0 * a.len() as f64 / sum.max(1e-9)).log10()
}

/// What tmux hands on: sequences in its wrapping unwrapped, everything else as it is.
pub(super) fn unwrapped(mut bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    while let Some((&first, rest)) = bytes.split_first() {
        let Some(mut inner) = bytes.strip_prefix(b"\x1bPtmux;") else {
            out.push(first);
            bytes = rest;
            continue;
        };
        loop {
            match inner {
                [0x1b, 0x1b, rest @ ..] => {
                    out.push(0x1b);
                    inner = rest;
                }
                [0x1b, b'\\', rest @ ..] => {
                    bytes = rest;
                    break;
                }
                [byte, rest @ ..] => {
                    assert_ne!(*byte, 0x1b, "every ESC inside is doubled");
                    out.push(*byte);
                    inner = rest;
                }
                [] => panic!("the wrapping does not end"),
            }
        }
    }
    out
}
