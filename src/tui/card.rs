//! The test card: a still picture by which a person judges how a terminal draws.
//!
//! Owns the picture and its composition below what is on the screen. Driven by `letsmeet doctor --terminal`.

use ratatui::layout::Rect;

use super::composition::Composition;
use super::render::{Mode, Quality, Settings};
use super::terminal::{Capabilities, Size};
use crate::media::clock::WallTime;
use crate::media::frame::VideoFrame;

/// The card's size in pixels: 2 to 1, so that with usual cells it is four times as many columns as rows.
const WIDTH: u32 = 256;
const HEIGHT: u32 = 128;

/// The card's size on the screen, at most.
const COLUMNS: u16 = 40;
const ROWS: u16 = 10;

/// The bars' colours in red, green and blue, 0 to 1.
const BARS: [[f32; 3]; 8] = [
    [1.0, 1.0, 1.0],
    [1.0, 1.0, 0.0],
    [0.0, 1.0, 1.0],
    [0.0, 1.0, 0.0],
    [1.0, 0.0, 1.0],
    [1.0, 0.0, 0.0],
    [0.0, 0.0, 1.0],
    [0.0, 0.0, 0.0],
];

/// The bytes that bring the cursor to the last row, from where [`draw`] begins.
#[must_use]
pub fn to_bottom(size: Size) -> Vec<u8> {
    format!("\x1b[{};1H\r\n", size.rows).into_bytes()
}

/// The bytes that draw the card in `mode` with the cursor on the last row of a screen of this size, which scrolls for it.
#[must_use]
pub fn draw(capabilities: &Capabilities, mode: Mode, size: Size, picture: u32) -> Vec<u8> {
    let rows = ROWS.min(size.rows.saturating_sub(1));
    let columns = COLUMNS.min(size.columns);
    if rows == 0 || columns == 0 {
        return Vec::new();
    }
    // The last row stays free: the cursor comes to rest there.
    let area = Rect::new(0, size.rows - 1 - rows, columns, rows);
    let mut out = Vec::new();
    for _ in 0..rows {
        out.extend_from_slice(b"\r\n");
    }
    // The bytes outlive the painter, which takes shared memory with it.
    let settings = Settings { shared_memory: false, ..capabilities.settings(Some(mode), picture) };
    let mut composition = Composition::new(&settings, area, capabilities.synchronized);
    composition.compose(&card(), area, None, Quality::default(), false, &mut out);
    out.extend_from_slice(format!("\x1b[0m\x1b[{};1H\r\n", size.rows).as_bytes());
    out
}

/// Colour bars above, a ramp of grey and one of hue below, and a circle over all of it.
fn card() -> VideoFrame {
    let mut frame = VideoFrame::black(WIDTH, HEIGHT, WallTime(0));
    let (cw, ch) = frame.chroma_size();
    let (luma, u, v) = frame.planes_mut();
    for y in 0..HEIGHT {
        for x in 0..WIDTH {
            luma[(y * WIDTH + x) as usize] = ycbcr(colour(x, y))[0];
        }
    }
    for y in 0..ch {
        for x in 0..cw {
            let [_, blue, red] = ycbcr(colour(2 * x, 2 * y));
            u[(y * cw + x) as usize] = blue;
            v[(y * cw + x) as usize] = red;
        }
    }
    frame
}

fn colour(x: u32, y: u32) -> [f32; 3] {
    let across = x as f32 / (WIDTH - 1) as f32;
    let radius = ((x as f32 - WIDTH as f32 / 2.0).powi(2) + (y as f32 - HEIGHT as f32 / 2.0).powi(2)).sqrt();
    let middle = HEIGHT as f32 * 0.42;
    if (radius - middle).abs() < 2.5 {
        // Readable on every ground: light above, dark on the light ramp.
        return if y < HEIGHT / 2 { [0.0; 3] } else { [1.0, 1.0, 1.0] };
    }
    if y < HEIGHT / 2 {
        BARS[(x * BARS.len() as u32 / WIDTH) as usize]
    } else if y < HEIGHT * 3 / 4 {
        [across; 3]
    } else {
        let part = |shift: f32| (((across + shift).fract() * 6.0 - 3.0).abs() - 1.0).clamp(0.0, 1.0);
        [part(0.0), part(2.0 / 3.0), part(1.0 / 3.0)]
    }
}

/// BT.601, limited range, as all pictures are.
fn ycbcr([red, green, blue]: [f32; 3]) -> [u8; 3] {
    let luma = 0.299 * red + 0.587 * green + 0.114 * blue;
    let chroma = |part: f32, scale: f32| (128.0 + 224.0 * (part - luma) / scale).round() as u8;
    [(16.0 + 219.0 * luma).round() as u8, chroma(blue, 1.772), chroma(red, 1.402)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_card_has_its_colours_where_they_belong() {
        let frame = card();
        let luma = |x: u32, y: u32| frame.y()[(y * WIDTH + x) as usize];
        assert_eq!((luma(2, 2), luma(WIDTH - 3, 2)), (235, 16));
        assert_eq!((luma(0, 80), luma(WIDTH - 1, 80)), (16, 235));
        assert_eq!(luma(WIDTH / 2, HEIGHT / 2 - 54), 16, "the circle's top");
    }

    #[test]
    fn no_screen_is_too_small() {
        for (columns, rows) in [(0, 0), (1, 1), (1, 2), (2, 1), (40, 12), (400, 120)] {
            for mode in Mode::ALL {
                let bytes = draw(&Capabilities::unknown(), mode, Size { columns, rows }, 1);
                assert_eq!(bytes.is_empty(), columns == 0 || rows < 2, "{columns}x{rows} {mode}");
            }
        }
    }
}
