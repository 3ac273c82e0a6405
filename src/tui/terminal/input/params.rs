//! The numbers of a control sequence.
//!
//! Owns `1;2:3` and nothing else. A number beyond 65535 is 65535, a missing one is `None`; what is no number makes the
//! whole thing not numbers.

/// The most numbers that are looked at.
const MOST: usize = 32;

/// The parts of `body` between semicolons, each with its parts between colons. `None` when there is anything but
/// digits in them, or too many.
pub(super) fn parse(body: &[u8]) -> Option<Vec<Vec<Option<u16>>>> {
    if body.is_empty() {
        return Some(Vec::new());
    }
    let parts: Vec<&[u8]> = body.split(|&b| b == b';').collect();
    if parts.len() > MOST {
        return None;
    }
    parts
        .into_iter()
        .map(|part| {
            let parts: Vec<&[u8]> = part.split(|&b| b == b':').collect();
            (parts.len() <= MOST).then_some(())?;
            parts.into_iter().map(number).collect()
        })
        .collect()
}

/// The numbers between semicolons, missing ones as 0; `None` when there is anything else.
pub(super) fn flat(body: &[u8]) -> Option<Vec<u16>> {
    let parts = parse(body)?;
    parts.iter().map(|part| if part.len() == 1 { Some(part[0].unwrap_or(0)) } else { None }).collect()
}

fn number(digits: &[u8]) -> Option<Option<u16>> {
    if digits.is_empty() {
        return Some(None);
    }
    let mut value = 0u16;
    for &digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        value = value.saturating_mul(10).saturating_add(u16::from(digit - b'0'));
    }
    Some(Some(value))
}
