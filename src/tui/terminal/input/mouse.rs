//! Reports of the mouse: SGR (1006) and the old one of three bytes.
//!
//! Owns their decoding into crossterm's events; columns and rows count from 0.

use crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

use super::params;

/// `CSI < button ; column ; row M` (or `m` when released), without `CSI <`.
pub(super) fn sgr(body: &[u8], released: bool) -> Option<MouseEvent> {
    match params::flat(body)?[..] {
        [button, column, row] => event(button, column.checked_sub(1)?, row.checked_sub(1)?, released),
        _ => None,
    }
}

/// `CSI M` and three bytes, each 32 more than it means, places one more still. Terminals that don't know 1006 send it.
pub(super) fn old(bytes: [u8; 3]) -> Option<MouseEvent> {
    let [button, column, row] = bytes;
    let button = u16::from(button.checked_sub(32)?);
    let place = |byte: u8| Some(u16::from(byte.checked_sub(33)?));
    // Here 3 means that some button was released; which one is not told.
    let released = button & 0b1100_0011 == 3;
    let button = if released { button & !3 } else { button };
    event(button, place(column)?, place(row)?, released)
}

fn event(code: u16, column: u16, row: u16, released: bool) -> Option<MouseEvent> {
    let moved = code & 32 != 0;
    let number = (code & 3) | ((code & 0b1100_0000) >> 4);
    let button = match number {
        0 => Some(MouseButton::Left),
        1 => Some(MouseButton::Middle),
        2 => Some(MouseButton::Right),
        _ => None,
    };
    let kind = match (number, button) {
        (4, _) => MouseEventKind::ScrollUp,
        (5, _) => MouseEventKind::ScrollDown,
        (6, _) => MouseEventKind::ScrollLeft,
        (7, _) => MouseEventKind::ScrollRight,
        (3, _) if moved => MouseEventKind::Moved,
        (_, Some(button)) if released => MouseEventKind::Up(button),
        (_, Some(button)) if moved => MouseEventKind::Drag(button),
        (_, Some(button)) => MouseEventKind::Down(button),
        _ => return None,
    };
    let mut modifiers = KeyModifiers::empty();
    modifiers.set(KeyModifiers::SHIFT, code & 4 != 0);
    modifiers.set(KeyModifiers::ALT, code & 8 != 0);
    modifiers.set(KeyModifiers::CONTROL, code & 16 != 0);
    Some(MouseEvent { kind, column, row, modifiers })
}
