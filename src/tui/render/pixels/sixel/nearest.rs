//! The nearest colour of a palette by one look into a table.
//!
//! The table is asked in the frame's own Y, U and V, so that nothing has to be converted, and is filled where it is asked:
//! a picture touches a few thousand of its half a million places, and a new palette costs no more than clearing it.

use super::super::rgb::pixel;
use super::palette::Palette;

/// Bits of luma and of each chroma that tell places apart.
const LUMA_BITS: u32 = 7;
const CHROMA_BITS: u32 = 6;

/// A place that was not asked for yet.
const UNKNOWN: u16 = u16::MAX;

/// The table.
pub(super) struct Nearest {
    table: Vec<u16>,
}

impl Nearest {
    pub(super) fn new() -> Self {
        Self { table: vec![UNKNOWN; 1 << (LUMA_BITS + 2 * CHROMA_BITS)] }
    }

    /// Forgets everything: the palette is another one.
    pub(super) fn clear(&mut self) {
        self.table.fill(UNKNOWN);
    }

    /// The number in `palette` of the colour nearest to the pixels of `place`.
    #[inline(always)]
    pub(super) fn at(&mut self, place: u32, palette: &Palette) -> u8 {
        let Some(known) = self.table.get_mut(place as usize) else {
            return 0;
        };
        if *known == UNKNOWN {
            *known = find(place, palette);
        }
        *known as u8
    }
}

/// The part of a place that is luma's; `y` is 0 to 255.
#[inline(always)]
pub(super) fn luma_place(y: u32) -> u32 {
    (y >> (8 - LUMA_BITS)) << (2 * CHROMA_BITS)
}

/// The part of a place that is chroma's.
#[inline(always)]
pub(super) fn chroma_place(u: u8, v: u8) -> u32 {
    (u32::from(u) >> (8 - CHROMA_BITS)) << CHROMA_BITS | u32::from(v) >> (8 - CHROMA_BITS)
}

#[cold]
fn find(place: u32, palette: &Palette) -> u16 {
    let middle = |bits: u32, part: u32| {
        let part = part & ((1 << bits) - 1);
        ((part << (8 - bits)) + (1 << (7 - bits))) as u8
    };
    let y = middle(LUMA_BITS, place >> (2 * CHROMA_BITS));
    let (u, v) = (middle(CHROMA_BITS, place >> CHROMA_BITS), middle(CHROMA_BITS, place));
    palette.nearest(pixel(y, u, v)) as u16
}
