//! Half blocks for every mode, until the painters are in: the owner of `render` replaces this file.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Color;

use super::{Painter, Quality, Settings};
use crate::media::frame::VideoFrame;

/// The painter for these settings.
pub fn painter(_: &Settings) -> Box<dyn Painter> {
    Box::new(HalfBlocks { area: Rect::ZERO, pixels: Vec::new() })
}

struct HalfBlocks {
    area: Rect,
    pixels: Vec<[u8; 3]>,
}

impl Painter for HalfBlocks {
    fn update(&mut self, frame: &VideoFrame, area: Rect, _: Quality) {
        self.area = area;
        self.pixels.clear();
        let (width, height) = (u32::from(area.width), u32::from(area.height) * 2);
        let (cw, _) = frame.chroma_size();
        for row in 0..height {
            for column in 0..width {
                let (x, y) = (column * frame.width() / width, row * frame.height() / height);
                let luma = (f32::from(frame.y()[(y * frame.width() + x) as usize]) - 16.0) * 1.164;
                let chroma = (y / 2 * cw + x / 2) as usize;
                let (u, v) = (f32::from(frame.u()[chroma]) - 128.0, f32::from(frame.v()[chroma]) - 128.0);
                self.pixels.push([
                    (luma + 1.793 * v) as u8,
                    (luma - 0.213 * u - 0.533 * v) as u8,
                    (luma + 2.112 * u) as u8,
                ]);
            }
        }
    }

    fn area(&self) -> Rect {
        self.area
    }

    fn place(&self, buffer: &mut Buffer) {
        let width = usize::from(self.area.width);
        for position in self.area.intersection(buffer.area).positions() {
            let (x, y) = (usize::from(position.x - self.area.x), usize::from(position.y - self.area.y));
            let colour = |y: usize| {
                let [red, green, blue] = self.pixels[y * width + x];
                Color::Rgb(red, green, blue)
            };
            buffer[position].set_symbol("▀").set_fg(colour(2 * y)).set_bg(colour(2 * y + 1));
        }
    }

    fn graphics(&mut self, _: &mut Vec<u8>) {}

    fn forget(&mut self) {}

    fn remove(&mut self, _: &mut Vec<u8>) {}
}
