//! What the terminal can do, as plain data, and which way to draw follows from it.
//!
//! Owns the choice of the mode. Found by `detect`; must not know how.

use std::time::Duration;

use crate::tui::render::{CellSize, Depth, Keeps, Mode, Settings};

/// How a desktop notification is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notification {
    /// Not at all.
    None,
    /// `OSC 9 ; text`: iTerm2 and others.
    Osc9,
    /// kitty's own.
    Osc99,
    /// `OSC 777 ; notify ; title ; text`: rxvt and others.
    Osc777,
}

/// What was found out about the terminal.
#[derive(Debug, Clone, PartialEq)]
pub struct Capabilities {
    /// Its name and version as it says them, printable ASCII only.
    pub name: Option<String>,
    /// It shows pictures of the kitty graphics protocol.
    pub kitty: bool,
    /// It reads such pictures from shared memory, so it is on this machine.
    pub shared_memory: bool,
    /// It shows iTerm2's inline images.
    pub iterm2: bool,
    /// It shows sixel graphics, with so many colour registers.
    pub sixel: Option<u16>,
    /// What it keeps of a sixel picture beneath the next.
    pub sixel_keeps: Keeps,
    /// It draws octants.
    pub octants: bool,
    /// It draws sextants.
    pub sextants: bool,
    /// It draws quadrants; false only where the font is a small fixed one (the Linux console).
    pub quadrants: bool,
    /// It understands UTF-8.
    pub utf8: bool,
    /// Its colours, or none because `NO_COLOR` asks for none.
    pub depth: Depth,
    /// The size of a cell.
    pub cell: Option<CellSize>,
    /// It shows an update at once between the marks of mode 2026.
    pub synchronized: bool,
    /// It has kitty's keyboard protocol, so releases of keys are told.
    pub keyboard: bool,
    /// How it shows desktop notifications.
    pub notification: Notification,
    /// The colour of its ground.
    pub background: Option<[u8; 3]>,
    /// tmux's version, inside tmux.
    pub tmux: Option<String>,
    /// It answered at all.
    pub answers: bool,
    /// How long the answer took.
    pub link: Option<Duration>,
}

/// With fewer sixel colours than this characters in full colour look better.
const FEWEST_REGISTERS: u16 = 16;

impl Capabilities {
    /// A terminal of which nothing is known.
    #[must_use]
    pub fn unknown() -> Self {
        Self {
            name: None,
            kitty: false,
            shared_memory: false,
            iterm2: false,
            sixel: None,
            sixel_keeps: Keeps::Nothing,
            octants: false,
            sextants: false,
            quadrants: true,
            utf8: false,
            depth: Depth::Monochrome,
            cell: None,
            synchronized: false,
            keyboard: false,
            notification: Notification::None,
            background: None,
            tmux: None,
            answers: false,
            link: None,
        }
    }

    /// The best way to draw.
    #[must_use]
    pub fn best(&self) -> Mode {
        self.choice().0
    }

    /// The best way to draw, and why it is that one.
    ///
    /// Pixels come before characters over a slow link too: at the same number of bytes a small picture of pixels, scaled
    /// up by the eye, beats cells, and the byte budget makes it small. Among pixels kitty's come first (true colour,
    /// replaced without flicker, no bytes at all in shared memory), then iTerm2's (true colour, JPEG), then sixel's
    /// (a palette). Among characters more parts a cell are better as long as the terminal draws them itself: with a font that
    /// lacks them the picture is a field of boxes, so octants and sextants are for terminals known to draw them.
    #[must_use]
    pub fn choice(&self) -> (Mode, &'static str) {
        let colour = self.depth != Depth::Monochrome;
        if colour && self.kitty {
            return (Mode::Kitty, "the terminal answered kitty's graphics protocol");
        }
        if colour && self.places_images() {
            return (Mode::Iterm2, "this terminal is known to show iTerm2's inline images");
        }
        if colour && self.sixel.is_some_and(|registers| registers >= FEWEST_REGISTERS) {
            return (Mode::Sixel, "the terminal says that it has sixel graphics");
        }
        if !self.utf8 {
            return (Mode::Ascii, "UTF-8 is not in use here");
        }
        if !colour {
            return (Mode::Braille, "without colour, braille has the finest dots");
        }
        if self.octants {
            return (Mode::Octant, "this terminal is known to draw octants");
        }
        if self.sextants {
            return (Mode::Sextant, "this terminal is known to draw sextants");
        }
        if self.quadrants {
            return (Mode::Quadrant, "quadrants are in nearly every font");
        }
        (Mode::Half, "a console font has half blocks and little more")
    }

    /// Within tmux an inline image would land where the terminal's cursor is, not the pane's.
    fn places_images(&self) -> bool {
        self.iterm2 && self.tmux.is_none()
    }

    /// The modes that this terminal shows, best first.
    #[must_use]
    pub fn modes(&self) -> Vec<Mode> {
        let colour = self.depth != Depth::Monochrome;
        Mode::ALL
            .into_iter()
            .filter(|mode| match mode {
                Mode::Kitty => colour && self.kitty,
                Mode::Iterm2 => colour && self.places_images(),
                Mode::Sixel => colour && self.sixel.is_some(),
                Mode::Octant => colour && self.utf8 && self.octants,
                Mode::Sextant => colour && self.utf8 && self.sextants,
                Mode::Quadrant => colour && self.utf8 && self.quadrants,
                Mode::Half => colour && self.utf8,
                Mode::Braille => self.utf8 && self.quadrants,
                Mode::Ascii => true,
            })
            .collect()
    }

    /// How to draw picture number `picture` in `mode`, or in the best one.
    #[must_use]
    pub fn settings(&self, mode: Option<Mode>, picture: u32) -> Settings {
        let mode = mode.unwrap_or_else(|| self.best());
        Settings {
            mode,
            depth: self.depth,
            cell: self.cell.unwrap_or_default(),
            sixel_colours: self.sixel.unwrap_or(256).clamp(2, 1024),
            sixel_keeps: self.sixel_keeps,
            shared_memory: self.shared_memory,
            // tmux shows sixel by itself where it says so; all else has to go through it.
            tmux: self.tmux.is_some() && mode.is_pixels() && !(mode == Mode::Sixel && self.sixel.is_some()),
            picture,
        }
    }
}
