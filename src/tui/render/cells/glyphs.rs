//! The characters that pictures are made of, and which part of a cell each of them fills.
//!
//! Tables only. Must not know colours or frames. A glyph's shape is a mask of 8x16 pixels: bit `8 * row + column`,
//! from the upper left.

use std::sync::LazyLock;

use crate::tui::render::Mode;

/// Columns of a mask.
pub const MASK_WIDTH: usize = 8;
/// Rows of a mask.
pub const MASK_HEIGHT: usize = 16;

/// How a glyph's shape is cut from the cell; the sums over its parts are made once for each way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// Two columns of four parts, bit `2 * row + column`.
    Octants(u8),
    /// Two columns of three parts, bit `2 * row + column`.
    Sextants(u8),
    /// The upper eighths, 1 to 7.
    Upper(u8),
    /// The left eighths, 1 to 7.
    Left(u8),
}

/// One shape: a cut of the cell into two, and the characters that fill the one side or the other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Shape {
    pub(super) cut: Cut,
    /// The part of the cell inside the cut, above 0 and below 1.
    pub(super) part: f32,
    /// Fills the inside.
    pub(super) inside: Option<char>,
    /// Fills the outside; one of the two is there.
    pub(super) outside: Option<char>,
}

/// The shapes of one mode, at most 256. The octants come first, the cut 1 at index 0 and so on, then the sextants, then the rest.
#[derive(Debug)]
pub(super) struct Set {
    pub(super) shapes: Vec<Shape>,
    /// For each shape of the part `p`: `1 / (p (1 - p))`.
    pub(super) weights: Vec<f32>,
    /// Number of the leading octant shapes: 127, 7 (quadrants), 2 (half blocks) or 0.
    pub(super) octants: usize,
    /// Number of the sextant shapes after them: 31 or 0.
    pub(super) sextants: usize,
}

/// The octant masks below 128 that quadrants and half blocks are, in the order of their shapes.
const QUADRANTS: [u8; 7] = [0x05, 0x0a, 0x0f, 0x50, 0x55, 0x5a, 0x5f];

impl Set {
    /// The shapes that `mode` may use: none for ASCII, half blocks for modes that do not draw blocks.
    pub(super) fn of(mode: Mode) -> &'static Self {
        static OCTANT: LazyLock<Set> = LazyLock::new(|| Set::new(Mode::Octant));
        static SEXTANT: LazyLock<Set> = LazyLock::new(|| Set::new(Mode::Sextant));
        static QUADRANT: LazyLock<Set> = LazyLock::new(|| Set::new(Mode::Quadrant));
        static FLAT: LazyLock<Set> = LazyLock::new(|| Set::new(Mode::Ascii));
        static HALF: LazyLock<Set> = LazyLock::new(|| Set::new(Mode::Half));
        match mode {
            Mode::Octant => &OCTANT,
            Mode::Sextant => &SEXTANT,
            Mode::Quadrant => &QUADRANT,
            Mode::Ascii => &FLAT,
            _ => &HALF,
        }
    }

    fn new(mode: Mode) -> Self {
        let masks: Vec<u8> = match mode {
            Mode::Octant => (1..128).collect(),
            Mode::Sextant | Mode::Quadrant => QUADRANTS.to_vec(),
            Mode::Ascii => Vec::new(),
            _ => vec![0x0f, 0x55],
        };
        let octants = masks.len();
        let mut shapes: Vec<Shape> = masks
            .into_iter()
            .map(|mask| Shape {
                cut: Cut::Octants(mask),
                part: mask.count_ones() as f32 / 8.0,
                inside: Some(octant(mask)),
                outside: Some(octant(!mask)),
            })
            .collect();
        let legacy = matches!(mode, Mode::Octant | Mode::Sextant);
        let sextants: usize = if legacy { 31 } else { 0 };
        shapes.extend((1..=sextants as u8).map(|mask| Shape {
            cut: Cut::Sextants(mask),
            part: mask.count_ones() as f32 / 6.0,
            inside: Some(sextant(mask)),
            outside: Some(sextant(!mask & 0x3f)),
        }));
        if octants > 2 {
            shapes.extend((1..8).filter(|eighths| *eighths != 4).map(|eighths| Shape {
                cut: Cut::Upper(eighths),
                part: f32::from(eighths) / 8.0,
                inside: upper(eighths, legacy),
                outside: char::from_u32(0x2588 - u32::from(eighths)),
            }));
            shapes.extend((1..8).filter(|eighths| *eighths != 4).map(|eighths| Shape {
                cut: Cut::Left(eighths),
                part: f32::from(eighths) / 8.0,
                inside: char::from_u32(0x2590 - u32::from(eighths)),
                outside: right(8 - eighths, legacy),
            }));
        }
        let weights = shapes.iter().map(|shape| 1.0 / (shape.part * (1.0 - shape.part))).collect();
        Self { shapes, weights, octants, sextants }
    }
}

/// The character that fills the octants of `mask`, bit `2 * row + column`.
#[must_use]
pub fn octant(mask: u8) -> char {
    OCTANTS[usize::from(mask)]
}

/// The character that fills the sextants of the low six bits of `mask`, bit `2 * row + column`.
#[must_use]
pub fn sextant(mask: u8) -> char {
    match mask & 0x3f {
        0 => ' ',
        0x15 => '▌',
        0x2a => '▐',
        0x3f => '█',
        mask => {
            let skipped = 1 + u32::from(mask > 0x15) + u32::from(mask > 0x2a);
            char::from_u32(0x1fb00 + u32::from(mask) - skipped).unwrap_or(' ')
        }
    }
}

/// The braille pattern with the dots of `mask`, bit `2 * row + column`.
#[must_use]
pub fn braille(mask: u8) -> char {
    // Unicode counts the first three rows down each column, then the fourth.
    const DOTS: [u32; 8] = [0x01, 0x08, 0x02, 0x10, 0x04, 0x20, 0x40, 0x80];
    let dots =
        DOTS.iter().enumerate().filter(|(bit, _)| mask >> bit & 1 == 1).map(|(_, dot)| dot).sum::<u32>();
    char::from_u32(0x2800 + dots).unwrap_or(' ')
}

/// The shape of a block character or a space as a mask of 8x16 pixels; none for any other character.
#[must_use]
pub fn mask(symbol: char) -> Option<u128> {
    static MASKS: LazyLock<std::collections::HashMap<char, u128>> = LazyLock::new(|| {
        let mut masks = std::collections::HashMap::from([(' ', 0), ('█', u128::MAX)]);
        for mode in [Mode::Octant, Mode::Quadrant] {
            for shape in &Set::of(mode).shapes {
                let inside = shape.cut.mask();
                for (symbol, mask) in [(shape.inside, inside), (shape.outside, !inside)] {
                    if let Some(symbol) = symbol {
                        masks.insert(symbol, mask);
                    }
                }
            }
        }
        masks
    });
    MASKS.get(&symbol).copied()
}

impl Cut {
    /// True where the pixel of a mask is inside.
    pub(super) fn contains(self, column: usize, row: usize) -> bool {
        match self {
            Self::Octants(mask) => mask >> (row / 4 * 2 + column / 4) & 1 == 1,
            // Thirds of sixteen rows: 5, 6 and 5.
            Self::Sextants(mask) => {
                mask >> ((row >= 5) as usize * 2 + (row >= 11) as usize * 2 + column / 4) & 1 == 1
            }
            Self::Upper(eighths) => row < 2 * usize::from(eighths),
            Self::Left(eighths) => column < usize::from(eighths),
        }
    }

    fn mask(self) -> u128 {
        (0..MASK_WIDTH * MASK_HEIGHT)
            .filter(|pixel| self.contains(pixel % MASK_WIDTH, pixel / MASK_WIDTH))
            .fold(0, |mask, pixel| mask | 1 << pixel)
    }
}

/// The upper eighths of a cell. Most came with the sextants (Unicode 13), so only who has those has them.
fn upper(eighths: u8, legacy: bool) -> Option<char> {
    match eighths {
        1 => Some('▔'),
        2..=7 if legacy => Some(
            ['\u{1fb82}', '\u{1fb83}', '▀', '\u{1fb84}', '\u{1fb85}', '\u{1fb86}'][usize::from(eighths) - 2],
        ),
        _ => None,
    }
}

/// The right eighths of a cell.
fn right(eighths: u8, legacy: bool) -> Option<char> {
    match eighths {
        1 => Some('▕'),
        2..=7 if legacy => Some(
            ['\u{1fb87}', '\u{1fb88}', '▐', '\u{1fb89}', '\u{1fb8a}', '\u{1fb8b}'][usize::from(eighths) - 2],
        ),
        _ => None,
    }
}

/// Octants by mask. Unicode 16 gave code points in the order of the masks, without the 26 that it had before.
static OCTANTS: LazyLock<[char; 256]> = LazyLock::new(|| {
    const OLDER: [(u8, char); 26] = [
        (0x00, ' '),
        (0x01, '\u{1cea8}'),
        (0x02, '\u{1ceab}'),
        (0x03, '\u{1fb82}'),
        (0x05, '▘'),
        (0x0a, '▝'),
        (0x0f, '▀'),
        (0x14, '\u{1fbe6}'),
        (0x28, '\u{1fbe7}'),
        (0x3f, '\u{1fb85}'),
        (0x40, '\u{1cea3}'),
        (0x50, '▖'),
        (0x55, '▌'),
        (0x5a, '▞'),
        (0x5f, '▛'),
        (0x80, '\u{1cea0}'),
        (0xa0, '▗'),
        (0xa5, '▚'),
        (0xaa, '▐'),
        (0xaf, '▜'),
        (0xc0, '▂'),
        (0xf0, '▄'),
        (0xf5, '▙'),
        (0xfa, '▟'),
        (0xfc, '▆'),
        (0xff, '█'),
    ];
    let mut next = 0x1cd00;
    std::array::from_fn(|mask| match OLDER.iter().find(|(older, _)| usize::from(*older) == mask) {
        Some((_, symbol)) => *symbol,
        None => {
            next += 1;
            char::from_u32(next - 1).unwrap_or(' ')
        }
    })
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octants_fill_their_block_of_code_points() {
        assert_eq!((octant(4), octant(7), octant(0xfe)), ('\u{1cd00}', '\u{1cd02}', '\u{1cde5}'));
        let mut all: Vec<char> = OCTANTS.to_vec();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 256);
    }

    #[test]
    fn sextants_fill_their_block_of_code_points() {
        assert_eq!((sextant(1), sextant(0x14), sextant(0x16)), ('\u{1fb00}', '\u{1fb13}', '\u{1fb14}'));
        assert_eq!((sextant(0x29), sextant(0x2b), sextant(0x3e)), ('\u{1fb27}', '\u{1fb28}', '\u{1fb3b}'));
    }

    #[test]
    fn braille_dots_go_down_the_columns() {
        assert_eq!((braille(0), braille(0b11), braille(0b1100_0000), braille(255)), ('⠀', '⠉', '⣀', '⣿'));
    }

    #[test]
    fn masks_of_block_characters_are_their_shapes() {
        assert_eq!(mask('▀'), Some(u128::MAX >> 64));
        assert_eq!(mask('▄'), Some(u128::MAX << 64));
        assert_eq!(mask('▁'), Some(u128::MAX << 112));
        assert_eq!(mask('▏'), Some(0x0101_0101_0101_0101_0101_0101_0101_0101));
        assert_eq!(mask('▕'), mask('▏').map(|mask| mask << 7));
        assert_eq!(mask('x'), None);
    }

    #[test]
    fn every_shape_has_a_character_of_one_column() {
        use unicode_width::UnicodeWidthChar;
        for mode in [Mode::Half, Mode::Quadrant, Mode::Sextant, Mode::Octant] {
            let set = Set::of(mode);
            assert!(set.shapes.len() <= 256);
            for shape in &set.shapes {
                assert!(shape.inside.or(shape.outside).is_some(), "{shape:?}");
                for symbol in shape.inside.into_iter().chain(shape.outside) {
                    assert_eq!(symbol.width(), Some(1), "{symbol:?}");
                }
            }
        }
    }
}
