//! The cells that a picture of pixels lies on.
//!
//! Owns which cells are the picture's, so that they are skipped when cells are written, are blank beneath the picture, and
//! are freed when it moves. Writes absolute positions; the composer restores the cursor.

use std::io::Write;

use ratatui::buffer::{Buffer, CellDiffOption};
use ratatui::layout::Rect;

use super::super::CellSize;
use super::super::fit::fit;
use crate::media::frame::{MAX_SIDE, VideoFrame};

/// Where a picture is and where it was last drawn.
#[derive(Default)]
pub(super) struct Cover {
    /// What the picture may use.
    pane: Rect,
    /// What it uses.
    area: Rect,
    /// What it used when it was last drawn; empty when that is not known.
    drawn: Rect,
}

impl Cover {
    /// Finds the place of `frame` in `pane`, with sides of at most [`MAX_SIDE`] pixels.
    pub(super) fn take(&mut self, frame: &VideoFrame, pane: Rect, cell: CellSize, scale: f32) {
        self.take_within(frame, pane, cell, scale, MAX_SIDE);
    }

    /// The same with sides of at most `side` pixels.
    pub(super) fn take_within(
        &mut self,
        frame: &VideoFrame,
        pane: Rect,
        cell: CellSize,
        scale: f32,
        side: u32,
    ) {
        self.pane = pane;
        self.area = fit((frame.width(), frame.height()), bounded(pane, cell, side), cell, scale);
    }

    /// The picture's cells.
    pub(super) fn area(&self) -> Rect {
        self.area
    }

    /// True when the last drawing was at this place and is still there.
    pub(super) fn is_drawn(&self) -> bool {
        self.drawn == self.area
    }

    /// The terminal's screen is not known any more.
    pub(super) fn forget(&mut self) {
        self.drawn = Rect::ZERO;
    }

    /// Marks the picture's cells as not to be written.
    pub(super) fn skip(&self, buffer: &mut Buffer) {
        let area = self.area.intersection(buffer.area);
        for position in area.positions() {
            if let Some(cell) = buffer.cell_mut(position) {
                cell.reset();
                cell.set_diff_option(CellDiffOption::Skip);
            }
        }
    }

    /// Blanks the cells that the picture takes and those of its pane that it leaves, when it is drawn at another place
    /// than before. Cells outside the pane belong to others, who have written them.
    pub(super) fn settle(&mut self, out: &mut Vec<u8>) {
        if self.is_drawn() {
            return;
        }
        blank(self.drawn.intersection(self.pane), out);
        blank(self.area, out);
        self.drawn = self.area;
    }

    /// Takes the picture as drawn at its place, where its cells are written like any others.
    pub(super) fn mark_drawn(&mut self) {
        self.drawn = self.area;
    }

    /// Blanks what was drawn, for good.
    pub(super) fn clear(&mut self, out: &mut Vec<u8>) {
        blank(self.drawn, out);
        self.forget();
    }

    /// Puts the cursor on the picture's first cell.
    pub(super) fn home(&self, out: &mut Vec<u8>) {
        position(self.area.x, self.area.y, out);
    }
}

/// Erases a rectangle, leaving cursor and attributes as they were.
fn blank(area: Rect, out: &mut Vec<u8>) {
    if area.is_empty() {
        return;
    }
    out.extend_from_slice(b"\x1b7\x1b[m");
    for row in area.y..area.bottom() {
        position(area.x, row, out);
        // Writing to memory does not fail.
        let _ = write!(out, "\x1b[{}X", area.width);
    }
    out.extend_from_slice(b"\x1b8");
}

fn position(column: u16, row: u16, out: &mut Vec<u8>) {
    // Writing to memory does not fail.
    let _ = write!(out, "\x1b[{};{}H", u32::from(row) + 1, u32::from(column) + 1);
}

/// The middle of `pane` that has at most `side` pixels a side, and at least a cell.
fn bounded(pane: Rect, cell: CellSize, side: u32) -> Rect {
    let most = |size: u16| (side.min(MAX_SIDE) as u16 / size.max(1)).max(1);
    let (width, height) = (pane.width.min(most(cell.width)), pane.height.min(most(cell.height)));
    Rect { x: pane.x + (pane.width - width) / 2, y: pane.y + (pane.height - height) / 2, width, height }
}

/// The pixels of an area of cells, each side 1 to [`MAX_SIDE`].
pub(super) fn pixels(area: Rect, cell: CellSize) -> (u32, u32) {
    let side = |cells: u16, size: u16| (u32::from(cells) * u32::from(size)).clamp(1, MAX_SIDE);
    (side(area.width, cell.width), side(area.height, cell.height))
}
