//! Answers of the terminal, typed.
//!
//! Owns what an answer means as far as letsmeet asks for it; the rest is [`Reply::Other`], so that nothing shaped like an
//! answer is ever taken for a key. Sources: ECMA-48, "XTerm Control Sequences", kitty's protocol documents.

use super::params;

/// An answer of the terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// DA1, `CSI ? ... c`: what the terminal can do; 4 is sixel graphics.
    Attributes(Vec<u16>),
    /// DA2, `CSI > ... c`: the kind and version, as numbers.
    Model(Vec<u16>),
    /// DA3, `DCS ! | ... ST`.
    Unit(String),
    /// XTVERSION, `DCS > | name ST`, as it came.
    Version(String),
    /// DECRQSS, `DCS valid $ r setting ST`.
    Setting {
        /// False when the terminal does not know the setting.
        valid: bool,
        /// The setting as it would be made.
        text: String,
    },
    /// DECRPM, `CSI ? mode ; state $ y`.
    Mode {
        /// The mode's number.
        mode: u16,
        /// 0 unknown, 1 set, 2 reset, 3 always set, 4 always reset.
        state: u16,
    },
    /// DSR, `CSI n n`: 0 is the answer to `CSI 5 n`, a fence.
    Status(u16),
    /// The place of the cursor, from 1.
    Cursor {
        /// The row.
        row: u16,
        /// The column.
        column: u16,
    },
    /// XTWINOPS, `CSI kind ; height ; width t`.
    Window {
        /// 4: the text area in pixels, 6: a cell in pixels, 8: the text area in cells.
        kind: u16,
        /// The height.
        height: u16,
        /// The width.
        width: u16,
    },
    /// OSC 4, 10, 11, 12.
    Colour {
        /// Whose.
        of: Colour,
        /// Red, green, blue.
        rgb: [u8; 3],
    },
    /// The kitty graphics protocol, `APC G ... ST`.
    Graphics {
        /// The number in the question.
        id: u32,
        /// Whether it said OK.
        ok: bool,
    },
    /// XTSMGRAPHICS, `CSI ? item ; status ; values S`.
    Registers {
        /// 1: colour registers, 2: the largest sixel picture.
        item: u16,
        /// 0 is success.
        status: u16,
        /// What was asked for.
        value: u16,
    },
    /// Flags of kitty's keyboard protocol, `CSI ? flags u`.
    Keyboard(u16),
    /// Shaped like an answer; nobody here knows the question.
    Other,
}

/// Whose colour it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// One of the palette.
    Palette(u16),
    /// The text's own.
    Foreground,
    /// The ground's own.
    Background,
    /// The cursor's.
    Cursor,
}

/// A CSI sequence that is no key.
pub(super) fn csi(body: &[u8], last: u8) -> Reply {
    known_csi(body, last).unwrap_or(Reply::Other)
}

fn known_csi(body: &[u8], last: u8) -> Option<Reply> {
    let (mark, rest) = match body.split_first() {
        Some((mark @ (b'?' | b'>' | b'<' | b'='), rest)) => (Some(*mark), rest),
        _ => (None, body),
    };
    let (rest, intermediate) = match rest.split_last() {
        Some((byte @ 0x20..=0x2f, rest)) => (rest, Some(*byte)),
        _ => (rest, None),
    };
    let numbers = params::flat(rest)?;
    let reply = match (mark, intermediate, last, &numbers[..]) {
        (Some(b'?'), None, b'c', _) => Reply::Attributes(numbers),
        (Some(b'>'), None, b'c', _) => Reply::Model(numbers),
        (Some(b'?') | None, Some(b'$'), b'y', &[mode, state]) => Reply::Mode { mode, state },
        (None, None, b'n', &[status]) => Reply::Status(status),
        (None, None, b'n', []) => Reply::Status(0),
        (Some(b'?') | None, None, b'R', &[row, column, ..]) => Reply::Cursor { row, column },
        (None, None, b't', &[kind, height, width]) => Reply::Window { kind, height, width },
        (Some(b'?'), None, b'S', &[item, status, value, ..]) => Reply::Registers { item, status, value },
        (Some(b'?'), None, b'S', &[item, status]) => Reply::Registers { item, status, value: 0 },
        (Some(b'?'), None, b'u', &[flags]) => Reply::Keyboard(flags),
        _ => return None,
    };
    Some(reply)
}

/// A DCS string.
pub(super) fn dcs(body: &[u8]) -> Reply {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match body {
        [b'>', b'|', rest @ ..] => Reply::Version(text(rest)),
        [b'!', b'|', rest @ ..] => Reply::Unit(text(rest)),
        [b'1', b'$', b'r', rest @ ..] => Reply::Setting { valid: true, text: text(rest) },
        [b'0', b'$', b'r', rest @ ..] => Reply::Setting { valid: false, text: text(rest) },
        _ => Reply::Other,
    }
}

/// An APC string: `G key=value,... ; message`.
pub(super) fn apc(body: &[u8]) -> Reply {
    let parse = || {
        let text = std::str::from_utf8(body.strip_prefix(b"G")?).ok()?;
        let (keys, message) = text.split_once(';')?;
        let id = keys.split(',').find_map(|pair| pair.strip_prefix("i="))?.parse().ok()?;
        Some(Reply::Graphics { id, ok: message == "OK" })
    };
    parse().unwrap_or(Reply::Other)
}

/// An OSC string.
pub(super) fn osc(body: &[u8]) -> Reply {
    let parse = || {
        let text = std::str::from_utf8(body).ok()?;
        let (number, rest) = text.split_once(';')?;
        let (of, colour) = match number {
            "4" => {
                let (index, colour) = rest.split_once(';')?;
                (Colour::Palette(index.parse().ok()?), colour)
            }
            "10" => (Colour::Foreground, rest),
            "11" => (Colour::Background, rest),
            "12" => (Colour::Cursor, rest),
            _ => return None,
        };
        Some(Reply::Colour { of, rgb: rgb(colour)? })
    };
    parse().unwrap_or(Reply::Other)
}

/// `rgb:RR/GG/BB` with one to four digits each, `rgba:` with a fourth part, or `#RRGGBB` and its longer forms.
fn rgb(text: &str) -> Option<[u8; 3]> {
    let parts: Vec<&str> =
        if let Some(parts) = text.strip_prefix("rgb:").or_else(|| text.strip_prefix("rgba:")) {
            parts.split('/').take(3).collect()
        } else {
            let digits = text.strip_prefix('#').filter(|digits| digits.is_ascii())?;
            let each = digits.len() / 3;
            if !(1..=4).contains(&each) || digits.len() != each * 3 {
                return None;
            }
            vec![&digits[..each], &digits[each..2 * each], &digits[2 * each..]]
        };
    let [red, green, blue] = parts[..] else {
        return None;
    };
    let part = |digits: &str| {
        if !(1..=4).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let value = u32::from_str_radix(digits, 16).ok()?;
        let largest = (1u32 << (4 * digits.len())) - 1;
        u8::try_from((value * 255 + largest / 2) / largest).ok()
    };
    Some([part(red)?, part(green)?, part(blue)?])
}
