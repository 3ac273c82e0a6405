//! Attributes of characters: the shortest SGR sequence (ECMA-48, 8.3.117) from one set to another.

use ratatui::buffer::Cell;
use ratatui::style::{Color, Modifier};

use crate::tui::render::Depth;
use crate::tui::render::cells::colours::{nearest_of_16, nearest_of_256, rgb_of_256};

/// What characters are written with. The default is what a reset selects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Pen {
    fg: Color,
    bg: Color,
    modifier: Modifier,
}

/// Appends what changes `pen` to the attributes of `cell`, in the colours of `depth`.
#[inline]
pub(super) fn change(out: &mut Vec<u8>, pen: &mut Option<Pen>, cell: &Cell, depth: Depth) {
    let mut wanted = Pen { fg: lower(cell.fg, depth), bg: lower(cell.bg, depth), modifier: cell.modifier };
    let Some(now) = *pen else {
        out.extend_from_slice(b"\x1b[");
        out.push(b'0');
        out.push(b';');
        from_reset(out, wanted);
        out.pop();
        out.push(b'm');
        *pen = Some(wanted);
        return;
    };
    // Nobody sees the colour of the ink of a blank.
    if cell.symbol() == " " && !wanted.modifier.intersects(INKED) {
        wanted.fg = now.fg;
    }
    if wanted == now {
        return;
    }
    *pen = Some(wanted);
    out.extend_from_slice(b"\x1b[");
    let start = out.len();
    if wanted.modifier != now.modifier {
        modifiers(out, now.modifier, wanted.modifier);
    }
    if wanted.fg != now.fg {
        colour(out, wanted.fg, 30);
    }
    if wanted.bg != now.bg {
        colour(out, wanted.bg, 40);
    }
    // Two bytes and what differs from the default may be less than every difference on its own.
    if wanted.modifier != now.modifier || wanted.fg == Color::Reset || wanted.bg == Color::Reset {
        let by_change = out.len();
        out.push(b';');
        from_reset(out, wanted);
        // As long as the parameters after a reset, of which the empty first is the shortest.
        if out.len() - by_change < by_change - start || wanted == Pen::default() {
            out.drain(start..by_change);
            if wanted == Pen::default() {
                out.truncate(start);
            }
        } else {
            out.truncate(by_change);
        }
    }
    if out.last() == Some(&b';') && out.len() > start {
        out.pop();
    }
    out.push(b'm');
}

/// Attributes that are seen on a blank in the colour of the ink.
const INKED: Modifier = Modifier::REVERSED.union(Modifier::UNDERLINED).union(Modifier::CROSSED_OUT);

/// Each attribute, what switches it on, and what switches it off.
const MODIFIERS: [(Modifier, u16, u16); 9] = [
    (Modifier::BOLD, 1, 22),
    (Modifier::DIM, 2, 22),
    (Modifier::ITALIC, 3, 23),
    (Modifier::UNDERLINED, 4, 24),
    (Modifier::SLOW_BLINK, 5, 25),
    (Modifier::RAPID_BLINK, 6, 25),
    (Modifier::REVERSED, 7, 27),
    (Modifier::HIDDEN, 8, 28),
    (Modifier::CROSSED_OUT, 9, 29),
];

/// Every parameter ends with a semicolon, of which the caller takes the last away.
fn modifiers(out: &mut Vec<u8>, mut now: Modifier, wanted: Modifier) {
    for (modifier, _, off) in MODIFIERS {
        if now.contains(modifier) && !wanted.contains(modifier) {
            number(out, off);
            out.push(b';');
            // One number switches off two.
            for (other, _, same) in MODIFIERS {
                if same == off {
                    now.remove(other);
                }
            }
        }
    }
    for (modifier, on, _) in MODIFIERS {
        if wanted.contains(modifier) && !now.contains(modifier) {
            number(out, on);
            out.push(b';');
        }
    }
}

fn from_reset(out: &mut Vec<u8>, wanted: Pen) {
    modifiers(out, Modifier::empty(), wanted.modifier);
    if wanted.fg != Color::Reset {
        colour(out, wanted.fg, 30);
    }
    if wanted.bg != Color::Reset {
        colour(out, wanted.bg, 40);
    }
}

/// A colour of the ink (`base` 30) or of the ground (40).
fn colour(out: &mut Vec<u8>, colour: Color, base: u16) {
    let index = match colour {
        Color::Reset => {
            number(out, base + 9);
            out.push(b';');
            return;
        }
        Color::Rgb(r, g, b) => {
            number(out, base + 8);
            out.extend_from_slice(b";2;");
            for channel in [r, g, b] {
                number(out, channel.into());
                out.push(b';');
            }
            return;
        }
        Color::Indexed(index) => index,
        Color::Black => 0,
        Color::Red => 1,
        Color::Green => 2,
        Color::Yellow => 3,
        Color::Blue => 4,
        Color::Magenta => 5,
        Color::Cyan => 6,
        Color::Gray => 7,
        Color::DarkGray => 8,
        Color::LightRed => 9,
        Color::LightGreen => 10,
        Color::LightYellow => 11,
        Color::LightBlue => 12,
        Color::LightMagenta => 13,
        Color::LightCyan => 14,
        Color::White => 15,
    };
    match index {
        0..=7 => number(out, base + u16::from(index)),
        8..=15 => number(out, base + 52 + u16::from(index)),
        index => {
            number(out, base + 8);
            out.extend_from_slice(b";5;");
            number(out, index.into());
        }
    }
    out.push(b';');
}

/// The colour as a terminal of `depth` has it.
#[inline]
fn lower(colour: Color, depth: Depth) -> Color {
    match (depth, colour) {
        (Depth::Truecolor, colour) | (_, colour @ Color::Reset) => colour,
        (Depth::Monochrome, _) => Color::Reset,
        (Depth::Indexed256, Color::Rgb(r, g, b)) => Color::Indexed(nearest_of_256([r, g, b])),
        (Depth::Indexed16, Color::Rgb(r, g, b)) => Color::Indexed(nearest_of_16([r, g, b])),
        (Depth::Indexed16, Color::Indexed(index)) if index > 15 => {
            Color::Indexed(nearest_of_16(rgb_of_256(index)))
        }
        (_, colour) => colour,
    }
}

/// Appends a decimal number.
#[inline]
pub(super) fn number(out: &mut Vec<u8>, number: u16) {
    if number >= 1000 {
        out.extend_from_slice(number.to_string().as_bytes());
        return;
    }
    let digits = [number / 100, number / 10 % 10, number % 10].map(|digit| b'0' + digit as u8);
    let skipped = usize::from(number < 100) + usize::from(number < 10);
    out.extend_from_slice(&digits[skipped..]);
}
