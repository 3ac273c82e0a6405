//! Pictures made of characters.
//!
//! Owns what each cell of one picture shows. Knows frames, glyphs and colours; must not know escape sequences: it puts
//! cells into ratatui's buffer, and the backend writes those that changed.

mod choose;
pub(super) mod colours;
mod dots;
pub mod glyphs;
mod grid;
mod sums;

use ratatui::buffer::{Buffer, Cell, CellDiffOption};
use ratatui::layout::Rect;
use ratatui::style::Color;

use super::fit::fit;
use super::{Depth, Mode, Painter, Quality, Settings};
use crate::media::frame::VideoFrame;
use choose::{Pen, Scales, Shown};
use dots::{Dot, Dots, Dotted};
use glyphs::Set;
use grid::Grid;
use sums::{LANES, Row, Sums};

/// A new cell costs about this many bytes: the threshold of a whole cell's error is spread over them.
const BYTES: f32 = 40.0;

/// Draws pictures with characters.
pub struct Cells {
    settings: Settings,
    area: Rect,
    shown: Vec<Shown>,
    dotted: Vec<Dotted>,
    /// The same as cells for the buffer, row by row.
    cells: Vec<Cell>,
    grid: Grid,
    row: Row,
    sums: Box<Sums>,
    pen: Pen,
}

impl Cells {
    /// A painter in the mode of `settings`.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        Self {
            settings: settings.clone(),
            area: Rect::default(),
            shown: Vec::new(),
            dotted: Vec::new(),
            cells: Vec::new(),
            grid: Grid::default(),
            row: Row::default(),
            sums: Box::default(),
            pen: Pen::default(),
        }
    }

    /// Whether the picture is one of dots rather than of fitted shapes.
    fn is_dotted(&self) -> bool {
        match self.settings.mode {
            Mode::Braille => true,
            _ => matches!(self.settings.depth, Depth::Indexed16 | Depth::Monochrome),
        }
    }

    fn dots(&mut self, frame: &VideoFrame, quality: Quality) {
        let (columns, rows) = (usize::from(self.area.width), usize::from(self.area.height));
        let dots =
            Dots { mode: self.settings.mode, depth: self.settings.depth, threshold: quality.threshold };
        let (across, down) = dots.grid();
        let mut cell = [Dot::default(); 8];
        self.grid.prepare(frame, columns, rows);
        for row in 0..rows {
            self.row.load_dots(&mut self.grid, frame, row, columns, (across, down));
            for column in 0..columns {
                for (part, dot) in cell[..across * down].iter_mut().enumerate() {
                    *dot = self.row.dot(part, column);
                }
                let index = row * columns + column;
                let shown = self.dotted[index];
                let next = dots.choose(&cell[..across * down], column, row, shown);
                if next != shown {
                    self.dotted[index] = next;
                    let color = |paint: Option<colours::Paint>| {
                        paint.map_or(Color::Reset, |paint| paint.color(dots.depth))
                    };
                    self.cells[index]
                        .set_char(dots.symbol(next.mask))
                        .set_fg(color(next.fg))
                        .set_bg(color(next.bg));
                }
            }
        }
    }

    fn blocks(&mut self, frame: &VideoFrame, quality: Quality) {
        let (columns, rows) = (usize::from(self.area.width), usize::from(self.area.height));
        let set = Set::of(self.settings.mode);
        self.grid.prepare(frame, columns, rows);
        let scales = Scales { price: quality.threshold.max(0.0) / BYTES, depth: self.settings.depth };
        for row in 0..rows {
            self.pen.lift();
            self.row.load(set, &mut self.grid, frame, row, columns);
            for start in (0..columns).step_by(LANES) {
                self.sums.load(set, &self.row, start);
                for lane in 0..LANES.min(columns - start) {
                    let index = row * columns + start + lane;
                    let shown = self.shown[index];
                    let next = scales.choose(set, &self.sums, lane, shown, &mut self.pen);
                    if next != shown {
                        self.shown[index] = next;
                        put(&mut self.cells[index], next, set, self.settings.depth);
                    }
                }
            }
        }
    }
}

/// Makes `cell` show it.
fn put(cell: &mut Cell, shown: Shown, set: &Set, depth: Depth) {
    match shown {
        Shown::Nothing => {}
        Shown::Flat(paint) => {
            cell.set_char(' ').set_fg(Color::Reset).set_bg(paint.color(depth));
        }
        Shown::Glyph { shape, outside, fg, bg } => {
            let shape = &set.shapes[usize::from(shape)];
            let symbol = if outside { shape.outside } else { shape.inside };
            cell.set_char(symbol.unwrap_or(' ')).set_fg(fg.color(depth)).set_bg(bg.color(depth));
        }
    }
}

impl Painter for Cells {
    fn update(&mut self, frame: &VideoFrame, area: Rect, quality: Quality) {
        let size = (frame.width(), frame.height());
        let area = fit(size, area, self.settings.cell, quality.scale);
        if area != self.area {
            self.area = area;
            self.forget();
            // Told to be one column wide, so that nobody measures them again for each frame.
            let blank = Cell::default()
                .set_diff_option(CellDiffOption::ForcedWidth(std::num::NonZeroU16::MIN))
                .clone();
            self.cells.clear();
            self.cells.resize(self.shown.len(), blank);
        }
        if area.is_empty() {
            return;
        }
        if self.is_dotted() { self.dots(frame, quality) } else { self.blocks(frame, quality) }
    }

    fn area(&self) -> Rect {
        self.area
    }

    fn place(&self, buffer: &mut Buffer) {
        let seen = self.area.intersection(buffer.area);
        if seen.is_empty() {
            return;
        }
        for y in seen.top()..seen.bottom() {
            let from = usize::from(y - self.area.y) * usize::from(self.area.width)
                + usize::from(seen.x - self.area.x);
            let to = buffer.index_of(seen.x, y);
            let width = usize::from(seen.width);
            buffer.content[to..to + width].clone_from_slice(&self.cells[from..from + width]);
        }
    }

    fn graphics(&mut self, _out: &mut Vec<u8>) {}

    fn forget(&mut self) {
        let count = usize::from(self.area.width) * usize::from(self.area.height);
        self.shown.clear();
        self.shown.resize(count, Shown::Nothing);
        self.dotted.clear();
        self.dotted.resize(count, Dotted::default());
        self.pen = Pen::default();
    }

    fn remove(&mut self, _out: &mut Vec<u8>) {}
}

#[cfg(test)]
mod tests;
