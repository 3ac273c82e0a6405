//! One picture on a screen, composed to bytes.
//!
//! Owns what the screen is believed to show, so that only what changed is written. Must not know where pictures come from or
//! how bytes are written. Driven by the preview and the test card; the call screen composes its own.

use ratatui::backend::Backend as _;
use ratatui::buffer::Buffer;
use ratatui::layout::{Rect, Size};
use ratatui::style::Style;

use super::render::{self, Backend, Painter, Quality, Settings};
use crate::media::frame::VideoFrame;

/// A screen, or a part of one, with one picture and perhaps a line of text.
pub(super) struct Composition {
    painter: Box<dyn Painter>,
    backend: Backend,
    /// The part of the screen that is composed.
    area: Rect,
    /// What the screen shows.
    shown: Buffer,
    /// Whether anything is known of what it shows.
    known: bool,
    /// Begins and ends with the marks of a synchronized update.
    synchronized: bool,
}

impl Composition {
    pub(super) fn new(settings: &Settings, area: Rect, synchronized: bool) -> Self {
        let painter = render::painter(settings);
        let backend = Backend::new(Size::new(area.right(), area.bottom()), settings.depth);
        Self { painter, backend, area, shown: Buffer::empty(area), known: false, synchronized }
    }

    /// Draws in another way, beginning with taking off what is there.
    pub(super) fn change(&mut self, settings: &Settings, out: &mut Vec<u8>) {
        self.painter.remove(out);
        self.painter = render::painter(settings);
        self.backend.forget();
        self.known = false;
    }

    /// The screen shows something else now, and may have another size.
    pub(super) fn forget(&mut self, area: Rect) {
        self.area = area;
        self.backend.resize(Size::new(area.right(), area.bottom()));
        self.backend.forget();
        self.painter.forget();
        self.known = false;
    }

    /// Takes the picture off the screen.
    pub(super) fn remove(&mut self, out: &mut Vec<u8>) {
        self.painter.remove(out);
    }

    /// Composes `frame` in `picture` and, on the last row, `line`; a picture in a mode that must not touch the last row
    /// of the screen ([`Mode::usable`](super::render::Mode::usable)) is not given it. `clear` what was on the screen when it is not known.
    pub(super) fn compose(
        &mut self,
        frame: &VideoFrame,
        picture: Rect,
        line: Option<&str>,
        quality: Quality,
        clear: bool,
        out: &mut Vec<u8>,
    ) {
        if self.synchronized {
            out.extend_from_slice(b"\x1b[?2026h");
        }
        if !self.known {
            if clear {
                out.extend_from_slice(b"\x1b[0m\x1b[2J");
            }
            self.shown = Buffer::empty(self.area);
            self.known = true;
        }
        let mut next = Buffer::empty(self.area);
        self.painter.update(frame, picture.intersection(self.area), quality);
        self.painter.place(&mut next);
        if let (Some(line), Some(row)) = (line, self.area.rows().next_back()) {
            next.set_stringn(row.x, row.y, line, usize::from(row.width), Style::new());
        }
        let Ok(()) = self.backend.draw(self.shown.diff(&next).into_iter());
        out.append(&mut self.backend.take());
        let before = out.len();
        self.painter.graphics(out);
        if out.len() > before {
            // It moves the cursor and may change the pen.
            self.backend.forget();
        }
        if self.synchronized {
            out.extend_from_slice(b"\x1b[?2026l");
        }
        self.shown = next;
    }
}
