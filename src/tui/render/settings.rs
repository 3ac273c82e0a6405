//! What a terminal can show, as far as drawing pictures has to know it.

use std::fmt;
use std::str::FromStr;

use ratatui::layout::Rect;

/// A way to draw a picture, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mode {
    /// The kitty graphics protocol.
    Kitty,
    /// iTerm2's inline images (OSC 1337).
    Iterm2,
    /// DEC sixel graphics.
    Sixel,
    /// Block octants, 2x4 parts a cell (Unicode 16, U+1CD00), beside sextants and blocks.
    Octant,
    /// Block sextants, 2x3 parts a cell (Unicode 13, U+1FB00), beside quadrants and eighths.
    Sextant,
    /// Quadrants, 2x2 parts a cell, and eighth blocks.
    Quadrant,
    /// Half blocks, 1x2 or 2x1 parts a cell.
    Half,
    /// Braille patterns, 2x4 dots a cell.
    Braille,
    /// ASCII characters, on coloured cells where there is colour.
    Ascii,
}

impl Mode {
    /// Every mode, best first.
    pub const ALL: [Self; 9] = [
        Self::Kitty,
        Self::Iterm2,
        Self::Sixel,
        Self::Octant,
        Self::Sextant,
        Self::Quadrant,
        Self::Half,
        Self::Braille,
        Self::Ascii,
    ];

    /// The name that `--render` takes.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Kitty => "kitty",
            Self::Iterm2 => "iterm2",
            Self::Sixel => "sixel",
            Self::Octant => "octant",
            Self::Sextant => "sextant",
            Self::Quadrant => "quadrant",
            Self::Half => "half",
            Self::Braille => "braille",
            Self::Ascii => "ascii",
        }
    }

    /// True for modes that send pixels rather than characters.
    #[must_use]
    pub fn is_pixels(self) -> bool {
        matches!(self, Self::Kitty | Self::Iterm2 | Self::Sixel)
    }

    /// How many pixels of a picture a cell shows, across and down.
    #[must_use]
    pub fn parts(self, cell: CellSize) -> (u16, u16) {
        match self {
            Self::Kitty | Self::Iterm2 | Self::Sixel => (cell.width, cell.height),
            Self::Octant | Self::Braille => (2, 4),
            Self::Sextant => (2, 3),
            Self::Quadrant => (2, 2),
            Self::Half => (1, 2),
            Self::Ascii => (1, 1),
        }
    }

    /// The part of a screen of `rows` rows that pictures may use: sixel pictures must not touch the last row, because xterm, mlterm
    /// and foot all scroll the screen by a row when one ends there.
    #[must_use]
    pub fn usable(self, area: Rect, rows: u16) -> Rect {
        let bottom = if self == Self::Sixel { rows.saturating_sub(1) } else { rows };
        Rect { height: area.height.min(bottom.saturating_sub(area.y)), ..area }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Mode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|mode| mode.name() == text).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|mode| mode.name()).collect();
            format!("\"{text}\" is no way to draw ({})", names.join(", "))
        })
    }
}

/// How many colours the terminal shows, most first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Depth {
    /// 24 bits.
    Truecolor,
    /// The 256-colour palette: a cube of 6x6x6 from index 16, greys from 232.
    Indexed256,
    /// The 16 colours of the terminal's own theme.
    Indexed16,
    /// None, as `NO_COLOR` asks for.
    Monochrome,
}

/// The size of one character cell in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CellSize {
    /// Pixels a column, at least 1.
    pub width: u16,
    /// Pixels a row, at least 1.
    pub height: u16,
}

impl Default for CellSize {
    /// Twice as high as wide, as most fonts are.
    fn default() -> Self {
        Self { width: 8, height: 16 }
    }
}

/// What a terminal keeps of a picture when a sixel picture with transparent pixels is drawn over it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Keeps {
    /// Perhaps nothing, as mlterm, which wipes the cells beneath: each picture has to be whole.
    Nothing,
    /// What is on the screen, but only until it is painted again, as xterm, which remembers 16 sequences: a whole picture has to
    /// come every now and then.
    Shown,
    /// Everything, as foot.
    Everything,
}

/// How to draw in one terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The way to draw.
    pub mode: Mode,
    /// The colours.
    pub depth: Depth,
    /// The size of a cell, for the picture's shape and for pixel modes.
    pub cell: CellSize,
    /// Colour registers of sixel graphics (XTSMGRAPHICS), 2 to 1024.
    pub sixel_colours: u16,
    /// What is left of a sixel picture beneath the next.
    pub sixel_keeps: Keeps,
    /// True when kitty can read shared memory of this machine (`t=s`).
    pub shared_memory: bool,
    /// True when graphics sequences must be wrapped to pass through tmux.
    pub tmux: bool,
    /// Number of the picture on this screen, from 1: pictures of the kitty protocol need one.
    pub picture: u32,
}

/// How much may be spent on a picture; the byte budget turns these knobs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quality {
    /// A cell (or a sixel pixel) keeps what it shows while a new one would lower its mean squared error (8-bit RGB, mean over
    /// pixels and channels) by less than this. Cells pay it byte by byte: a cell in two new colours takes 40 bytes and has to gain
    /// this much, one that needs fewer has to gain less.
    pub threshold: f32,
    /// Width and height of the picture as a part of what fits, above 0 to 1.
    pub scale: f32,
}

impl Default for Quality {
    /// What nobody sees: full size, and changes below the noise of a camera are not sent. With half this threshold the reference
    /// clip takes a fifth more bytes and gains 0.02 to 0.1 dB; with double, a sixth fewer and loses 0.04 to 0.2.
    fn default() -> Self {
        Self { threshold: 14.0, scale: 1.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixel_pictures_leave_the_last_row_of_the_screen_free() {
        for (area, rows, usable) in [
            (Rect::new(0, 0, 80, 24), 24, 23),
            (Rect::new(0, 1, 80, 22), 24, 22),
            (Rect::new(60, 20, 20, 4), 24, 3),
            (Rect::new(0, 23, 80, 1), 24, 0),
            (Rect::new(0, 0, 80, 0), 0, 0),
        ] {
            assert_eq!(Mode::Sixel.usable(area, rows), Rect { height: usable, ..area });
            assert_eq!(Mode::Kitty.usable(area, rows), area);
        }
    }
}
