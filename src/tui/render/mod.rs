//! Pictures in a terminal: from a frame to cells, or to graphics sequences.
//!
//! Owns every way to draw a picture that a terminal may understand. Knows frames, rectangles of cells and
//! bytes; must not know calls, keys or how the bytes reach the terminal. Driven by whoever owns the
//! screen, once for each picture on it:
//!
//! ```text
//!   frame ── update ──► Painter ── place ─────► ratatui's buffer (cell modes: glyphs; pixel modes: skipped cells)
//!                          └────── graphics ──► bytes after the cells (pixel modes)
//! ```

pub mod backend;
pub mod cells;
pub mod fit;
pub mod pixels;
mod settings;

pub use backend::Backend;
pub use settings::{CellSize, Depth, Keeps, Mode, Quality, Settings};

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::media::frame::VideoFrame;

/// The painter that draws in the mode of `settings`.
#[must_use]
pub fn painter(settings: &Settings) -> Box<dyn Painter> {
    match settings.mode {
        Mode::Kitty => Box::new(pixels::Kitty::new(settings)),
        Mode::Iterm2 => Box::new(pixels::Iterm2::new(settings)),
        Mode::Sixel => Box::new(pixels::Sixel::new(settings)),
        _ => Box::new(cells::Cells::new(settings)),
    }
}

/// One picture on the screen, drawn in one mode.
///
/// [`Painter::update`] takes a new frame; [`Painter::place`] may be called any number of times after it, once for each time
/// the screen is composed, and [`Painter::graphics`] once after each composition that is written.
pub trait Painter: Send {
    /// Works out how `frame` looks inside `area` (in cells of the screen). The picture keeps its shape: what
    /// is left of `area` stays free. `quality` says how much may be spent.
    fn update(&mut self, frame: &VideoFrame, area: Rect, quality: Quality);

    /// Where the picture of the last [`Painter::update`] lies; empty before the first.
    fn area(&self) -> Rect;

    /// Puts the picture's cells into `buffer`; pixel modes mark theirs as skipped, so that nothing is written
    /// over the picture.
    fn place(&self, buffer: &mut Buffer);

    /// Appends what has to be written after the cells. Nothing when nothing has changed since the last call; always nothing
    /// in cell modes.
    fn graphics(&mut self, out: &mut Vec<u8>);

    /// What the terminal shows is not known any more (it was resized, cleared or suspended): the next picture is sent whole.
    fn forget(&mut self);

    /// Appends what takes the picture off the screen, before something else is drawn in its place.
    fn remove(&mut self, out: &mut Vec<u8>);
}
