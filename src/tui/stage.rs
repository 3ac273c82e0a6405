//! Puts one update of the screen together: cells, pictures, and what has to go around them.
//!
//! Owns ratatui's terminal, the painters of the two pictures and the order of bytes within an update. Must not know calls or
//! keys: what is drawn where comes from a view. Driven by whoever runs the screen, whenever the writer has room for
//! another update.
//!
//! ```text
//!   view ──► cells, panes ─┐
//!   frames ──► painters ───┴──► remove │ cells │ graphics ──► Writer      (inside one synchronized update)
//! ```

use std::sync::Arc;

use ratatui::Frame;
use ratatui::layout::{Rect, Size};

use super::render::{self, Backend, Mode, Painter, Quality};
use super::terminal::Capabilities;
use super::terminal::writer::Writer;
use crate::media::frame::VideoFrame;

/// Begin and end of a synchronized update (mode 2026): the terminal shows all of it at once.
const TOGETHER: (&[u8], &[u8]) = (b"\x1b[?2026h", b"\x1b[?2026l");

/// The pictures that a screen may hold.
pub(super) const PICTURES: usize = 2;

/// Where pictures lie, the lower one first; `None` where none is to be seen.
pub(super) type Places = [Option<Rect>; PICTURES];

/// The latest frame of each picture.
pub(super) type Frames = [Option<Arc<VideoFrame>>; PICTURES];

/// The screen, as far as it is drawn.
pub(super) struct Stage {
    terminal: ratatui::Terminal<Backend>,
    writer: Writer,
    capabilities: Capabilities,
    mode: Mode,
    pictures: [Picture; PICTURES],
    /// Where the lower picture lies.
    lower: Option<Rect>,
}

impl Stage {
    /// A screen of this size, of whose content nothing is known; pictures are drawn in `mode`, or else in the best one.
    #[must_use]
    pub(super) fn new(size: Size, writer: Writer, capabilities: Capabilities, mode: Option<Mode>) -> Self {
        let mode = mode.unwrap_or_else(|| capabilities.best());
        let backend = Backend::new(size, capabilities.depth).in_ascii(!capabilities.utf8);
        let Ok(terminal) = ratatui::Terminal::new(backend);
        let pictures = pictures(&capabilities, mode);
        Self { terminal, writer, capabilities, mode, pictures, lower: None }
    }

    /// How pictures are drawn now.
    #[must_use]
    pub(super) fn mode(&self) -> Mode {
        self.mode
    }

    /// What can be seen of the lower picture at most, in its own pixels; `None` while there is no place for it.
    #[must_use]
    pub(super) fn pixels(&self) -> Option<(u32, u32)> {
        let place = self.lower?;
        let cell = self.capabilities.cell.unwrap_or_default();
        let (across, down) = self.mode.parts(cell);
        Some((u32::from(place.width) * u32::from(across), u32::from(place.height) * u32::from(down)))
    }

    /// Draws pictures in the next of the ways that this terminal shows.
    pub(super) fn next_mode(&mut self) {
        let modes = self.capabilities.modes();
        let at = modes.iter().position(|mode| *mode == self.mode).map_or(0, |at| at + 1);
        if let Some(mode) = modes.get(at % modes.len().max(1)) {
            self.set_mode(*mode);
        }
    }

    fn set_mode(&mut self, mode: Mode) {
        let mut out = Vec::new();
        for picture in &mut self.pictures {
            picture.painter.remove(&mut out);
        }
        self.writer.urgent(out);
        self.mode = mode;
        self.pictures = pictures(&self.capabilities, mode);
        self.forget();
    }

    /// The terminal has another size now.
    pub(super) fn resize(&mut self, size: Size) {
        self.terminal.backend_mut().resize(size);
        self.forget();
    }

    /// What the terminal shows is not known any more: everything is drawn anew.
    pub(super) fn forget(&mut self) {
        self.terminal.backend_mut().forget();
        let Ok(()) = self.terminal.clear();
        for picture in &mut self.pictures {
            picture.forget();
        }
        self.writer.repaint();
    }

    /// Composes an update and hands it to the writer. `view` draws everything but the pictures and says where those are to
    /// lie; without `anew` they stay the ones that are shown. Nothing is written when nothing has changed. True when a picture is
    /// missing now: it has to come with the next update that may hold one.
    pub(super) fn compose(
        &mut self,
        frames: &Frames,
        anew: bool,
        view: impl FnOnce(&mut Frame) -> Places,
    ) -> bool {
        self.writer.begin();
        let quality = self.writer.quality();
        let (mut out, mut graphics) = (Vec::new(), Vec::new());
        let (pictures, mode) = (&mut self.pictures, self.mode);
        let (mut fresh, mut owed) = (false, false);
        let lower = &mut self.lower;
        let apart = matches!(mode, Mode::Sixel | Mode::Iterm2);
        let Ok(_) = self.terminal.draw(|canvas| {
            let places = view(canvas);
            let places = if apart { side_by_side(places) } else { places };
            let places = places.map(|place| place.map(|place| mode.usable(place, canvas.area().bottom())));
            *lower = places[0];
            for ((picture, place), frame) in pictures.iter_mut().zip(places).zip(frames) {
                owed |= !anew && place.is_some() && frame.is_some() && picture.shown.is_none();
                let frame = frame.as_ref().and_then(|latest| picture.choose(latest, anew));
                fresh |= picture.update(place, frame.as_ref(), quality, &mut out);
                picture.place(canvas);
            }
        });
        let cells = self.terminal.backend_mut().take();
        for picture in &mut self.pictures {
            if picture.shown.is_some() {
                picture.painter.graphics(&mut graphics);
            }
        }
        if !graphics.is_empty() {
            // They move the cursor and may change the pen.
            let backend = self.terminal.backend_mut();
            let cursor = backend.cursor();
            backend.put_cursor_back(cursor);
            graphics.append(&mut backend.take());
            backend.forget_pen();
        }
        if out.is_empty() && cells.is_empty() && graphics.is_empty() {
            return owed;
        }
        let (begin, end) = if self.capabilities.synchronized { TOGETHER } else { (&b""[..], &b""[..]) };
        let update = [begin, &out, &cells, &graphics, end].concat();
        self.writer.frame(update, fresh);
        owed
    }

    /// Takes the pictures off the screen, before it is left.
    pub(super) fn leave(&mut self) {
        let mut out = Vec::new();
        for picture in &mut self.pictures {
            picture.painter.remove(&mut out);
        }
        self.writer.urgent(out);
    }
}

/// Pictures of pixels that can't lie on each other: the lower one gives way to a side.
fn side_by_side([lower, upper]: Places) -> Places {
    let lower = match (lower, upper) {
        (Some(lower), Some(upper)) if lower.intersects(upper) => {
            let left = upper.x.saturating_sub(lower.x);
            let right = lower.right().saturating_sub(upper.right());
            let (x, width) = if left >= right { (lower.x, left) } else { (upper.right(), right) };
            Some(Rect { x, width, ..lower })
        }
        (lower, _) => lower,
    };
    [lower, upper]
}

fn pictures(capabilities: &Capabilities, mode: Mode) -> [Picture; PICTURES] {
    [1, 2].map(|number| Picture::new(capabilities, mode, number))
}

/// A painter, and what it was last asked for.
struct Picture {
    painter: Box<dyn Painter>,
    shown: Option<Shown>,
}

struct Shown {
    frame: Arc<VideoFrame>,
    place: Rect,
    quality: Quality,
}

impl Picture {
    fn new(capabilities: &Capabilities, mode: Mode, number: u32) -> Self {
        Self { painter: render::painter(&capabilities.settings(Some(mode), number)), shown: None }
    }

    /// The latest frame, or the one that is shown.
    fn choose(&self, latest: &Arc<VideoFrame>, anew: bool) -> Option<Arc<VideoFrame>> {
        match (&self.shown, anew) {
            (_, true) => Some(Arc::clone(latest)),
            (Some(shown), false) => Some(Arc::clone(&shown.frame)),
            (None, false) => None,
        }
    }

    /// Takes a new frame or a new place; true when the picture is another one then.
    fn update(
        &mut self,
        place: Option<Rect>,
        frame: Option<&Arc<VideoFrame>>,
        quality: Quality,
        out: &mut Vec<u8>,
    ) -> bool {
        let (Some(place), Some(frame)) = (place, frame) else {
            if self.shown.take().is_some() {
                self.painter.remove(out);
                self.painter.forget();
            }
            return false;
        };
        let same = self.shown.as_ref().is_some_and(|shown| {
            Arc::ptr_eq(&shown.frame, frame) && shown.place == place && shown.quality.scale == quality.scale
        });
        if same {
            return false;
        }
        if self.shown.as_ref().is_some_and(|shown| shown.place != place) {
            self.painter.remove(out);
            self.painter.forget();
        }
        self.painter.update(frame, place, quality);
        self.shown = Some(Shown { frame: Arc::clone(frame), place, quality });
        true
    }

    fn place(&self, canvas: &mut Frame) {
        if self.shown.is_some() {
            self.painter.place(canvas.buffer_mut());
        }
    }

    fn forget(&mut self) {
        self.painter.forget();
        // Asked for again, though neither frame nor place is another one.
        self.shown = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_of_pixels_lie_side_by_side() {
        let screen = Rect::new(0, 1, 80, 20);
        for (own, left) in [
            (Rect::new(64, 15, 16, 6), Rect::new(0, 1, 64, 20)),
            (Rect::new(0, 1, 16, 6), Rect::new(16, 1, 64, 20)),
            (Rect::new(0, 1, 80, 20), Rect::new(0, 1, 0, 20)),
        ] {
            assert_eq!(side_by_side([Some(screen), Some(own)]), [Some(left), Some(own)]);
        }
        let away = Rect::new(0, 30, 5, 5);
        for places in [[Some(screen), Some(away)], [Some(screen), None], [None, Some(away)]] {
            assert_eq!(side_by_side(places), places);
        }
    }
}
