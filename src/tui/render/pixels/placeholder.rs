//! Cells that stand for a part of an image (kitty's Unicode placeholders), for pictures inside tmux.
//!
//! tmux moves such cells like any text, and the terminal outside draws the image where they end up. A cell names the
//! image by its foreground colour, its row and its column by one combining character each. Owns the table of those.

use ratatui::buffer::Cell;
use ratatui::style::Color;

/// The most rows or columns that can be named.
pub(super) const MOST: u16 = 297;

/// The character that stands for a part of an image.
const PLACEHOLDER: char = '\u{10eeee}';

/// Combining characters that name a number, as runs of (first, how many): Unicode 6.0's of class 230 without a
/// decomposition, but for those that other characters decompose into.
#[rustfmt::skip]
const MARKS: &[(u32, u32)] = &[
    (0x305, 1), (0x30d, 2), (0x310, 1), (0x312, 1), (0x33d, 3), (0x346, 1), (0x34a, 3), (0x350, 3),
    (0x357, 1), (0x35b, 1), (0x363, 13), (0x483, 5), (0x592, 4), (0x597, 3), (0x59c, 6), (0x5a8, 2),
    (0x5ab, 2), (0x5af, 1), (0x5c4, 1), (0x610, 8), (0x657, 5), (0x65d, 2), (0x6d6, 7), (0x6df, 4),
    (0x6e4, 1), (0x6e7, 2), (0x6eb, 2), (0x730, 1), (0x732, 2), (0x735, 2), (0x73a, 1), (0x73d, 1),
    (0x73f, 3), (0x743, 1), (0x745, 1), (0x747, 1), (0x749, 2), (0x7eb, 7), (0x7f3, 1), (0x816, 4),
    (0x81b, 9), (0x825, 3), (0x829, 5), (0x951, 1), (0x953, 2), (0xf82, 2), (0xf86, 2), (0x135d, 3),
    (0x17dd, 1), (0x193a, 1), (0x1a17, 1), (0x1a75, 8), (0x1b6b, 1), (0x1b6d, 7), (0x1cd0, 3), (0x1cda,
    2), (0x1ce0, 1), (0x1dc0, 2), (0x1dc3, 7), (0x1dcb, 2), (0x1dd1, 22), (0x1dfe, 1), (0x20d0, 2),
    (0x20d4, 4), (0x20db, 2), (0x20e1, 1), (0x20e7, 1), (0x20e9, 1), (0x20f0, 1), (0x2cef, 3), (0x2de0,
    32), (0xa66f, 1), (0xa67c, 2), (0xa6f0, 2), (0xa8e0, 18), (0xaab0, 1), (0xaab2, 2), (0xaab7, 2),
    (0xaabe, 2), (0xaac1, 1), (0xfe20, 7), (0x10a0f, 1), (0x10a38, 1), (0x1d185, 5), (0x1d1aa, 4),
    (0x1d242, 3),
];

/// Turns `cell` into the part of the image at `row` and `column`, each below [`MOST`]; the colour names the image.
pub(super) fn fill(cell: &mut Cell, row: u16, column: u16, colour: Color) {
    let mut symbol = [0; 16];
    let mut length = 0;
    for part in [Some(PLACEHOLDER), mark(row), mark(column)].into_iter().flatten() {
        length += part.encode_utf8(&mut symbol[length..]).len();
    }
    cell.reset();
    cell.set_symbol(std::str::from_utf8(&symbol[..length]).unwrap_or(" ")).set_fg(colour);
}

fn mark(number: u16) -> Option<char> {
    let mut left = u32::from(number);
    for &(first, count) in MARKS {
        if left < count {
            return char::from_u32(first + left);
        }
        left -= count;
    }
    None
}

#[cfg(test)]
mod tests {
    use ratatui::buffer::CellWidth;

    use super::*;

    #[test]
    fn there_are_as_many_marks_as_kitty_knows() {
        assert_eq!(MARKS.iter().map(|run| run.1).sum::<u32>(), u32::from(MOST));
        assert_eq!((mark(0), mark(1), mark(6)), (Some('\u{305}'), Some('\u{30d}'), Some('\u{33e}')));
        assert_eq!((mark(MOST - 1), mark(MOST)), (Some('\u{1d244}'), None));
    }

    #[test]
    fn a_placeholder_is_one_column_wide_and_names_its_place() {
        let mut cell = Cell::default();
        fill(&mut cell, 1, 2, Color::Indexed(7));
        assert_eq!((cell.symbol(), cell.fg), ("\u{10eeee}\u{30d}\u{30e}", Color::Indexed(7)));
        assert_eq!(cell.cell_width(), 1);
    }
}
