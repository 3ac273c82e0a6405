//! Keys as terminals send them: characters, control characters, xterm's and the Linux console's function keys, and
//! kitty's keyboard protocol.
//!
//! Owns the tables from sequences to crossterm's key events. What is no key gives `None` here and is somebody else's.

use crossterm::event::{
    KeyCode, KeyEvent, KeyEventKind, KeyEventState, KeyModifiers, MediaKeyCode, ModifierKeyCode,
};

use super::params;

/// The Escape key.
pub(super) fn escape() -> KeyEvent {
    KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE)
}

/// A character or control character by itself, or with Alt when ESC came before it.
pub(super) fn character(char: char, alt: bool, erase: u8) -> KeyEvent {
    let (code, mut modifiers) = match char {
        // Ctrl-H is the Backspace key only where the terminal's settings say so; elsewhere it is Ctrl-Backspace or itself.
        '\x08' if erase == 0x08 => (KeyCode::Backspace, KeyModifiers::NONE),
        '\x7f' => (KeyCode::Backspace, KeyModifiers::NONE),
        '\r' => (KeyCode::Enter, KeyModifiers::NONE),
        '\t' => (KeyCode::Tab, KeyModifiers::NONE),
        '\x1b' => (KeyCode::Esc, KeyModifiers::NONE),
        '\0' => (KeyCode::Char(' '), KeyModifiers::CONTROL),
        '\x01'..='\x1a' => (KeyCode::Char(shifted_by(char, 'a', 1)), KeyModifiers::CONTROL),
        '\x1c'..='\x1f' => (KeyCode::Char(shifted_by(char, '\\', 0x1c)), KeyModifiers::CONTROL),
        _ if char.is_uppercase() => (KeyCode::Char(char), KeyModifiers::SHIFT),
        _ => (KeyCode::Char(char), KeyModifiers::NONE),
    };
    modifiers.set(KeyModifiers::ALT, alt);
    KeyEvent::new(code, modifiers)
}

/// The control character as the key it is made with: `first` belongs to the code `from`.
fn shifted_by(control: char, first: char, from: u8) -> char {
    let offset = (u32::from(control)).saturating_sub(u32::from(from));
    char::from_u32(u32::from(first) + offset).unwrap_or(first)
}

/// `ESC O letter`: cursor and function keys in application mode, and the numeric pad.
pub(super) fn ss3(number: u8, last: u8, alt: bool) -> Option<KeyEvent> {
    let pad = b"MXjklmnopqrstuvwxyI ";
    let keys = "\rx*+,-./0123456789\t ";
    let (mut modifiers, state) = modifiers(u16::from(number))?;
    modifiers.set(KeyModifiers::ALT, alt || modifiers.contains(KeyModifiers::ALT));
    let key = |code, state| Some(KeyEvent { code, modifiers, kind: KeyEventKind::Press, state });
    if let Some(code) = lettered(last) {
        return key(code, state);
    }
    let place = pad.iter().position(|&letter| letter == last)?;
    let code = match keys.chars().nth(place)? {
        '\r' => KeyCode::Enter,
        '\t' => KeyCode::Tab,
        // X is the pad's equals sign.
        'x' => KeyCode::Char('='),
        other => KeyCode::Char(other),
    };
    key(code, state | KeyEventState::KEYPAD)
}

/// F1 to F5 of the Linux console: `CSI [ A` to `E`.
pub(super) fn console(letter: u8) -> Option<KeyEvent> {
    let number = letter.checked_sub(b'A')?.checked_add(1)?;
    Some(KeyEvent::new(KeyCode::F(number), KeyModifiers::NONE))
}

/// A CSI sequence that stands for a key; `None` for all others. `alt` when another ESC came before it.
pub(super) fn csi(body: &[u8], last: u8, alt: bool) -> Option<KeyEvent> {
    let mut key = match last {
        b'u' => kitty(body)?,
        b'~' => tilde(body)?,
        b'Z' if body.is_empty() => KeyEvent::new(KeyCode::BackTab, KeyModifiers::SHIFT),
        // rxvt: shifted cursor keys.
        b'a'..=b'd' if body.is_empty() => {
            KeyEvent::new(lettered(last.to_ascii_uppercase())?, KeyModifiers::SHIFT)
        }
        _ => cursor(body, last)?,
    };
    key.modifiers.set(KeyModifiers::ALT, alt || key.modifiers.contains(KeyModifiers::ALT));
    Some(key)
}

/// `CSI letter` or `CSI 1 ; modifiers : kind letter`.
fn cursor(body: &[u8], last: u8) -> Option<KeyEvent> {
    let code = match last {
        b'Z' => KeyCode::BackTab,
        // A bare `CSI P` and the like are what some terminals send; `CSI row ; column R` is an answer, but for the
        // few that would be the first row: those are F3 of xterm, because letsmeet asks for places in the DEC way only.
        _ => lettered(last)?,
    };
    let parts = params::parse(body)?;
    let (modifier, kind) = match &parts[..] {
        [] => (1, KeyEventKind::Press),
        [one] if one[..] == [Some(1)] => (1, KeyEventKind::Press),
        [one, second] if matches!(one[..], [Some(1) | None]) && second.len() <= 2 => {
            (second[0].unwrap_or(1), kind_of(second.get(1).copied().flatten())?)
        }
        _ => return None,
    };
    if modifier == 0 || modifier > 256 || (last == b'R' && modifier > 16) {
        return None;
    }
    let (modifiers, state) = modifiers(modifier)?;
    Some(KeyEvent { code, modifiers, kind, state })
}

/// `CSI number ; modifiers : kind ~`, and `CSI 27 ; modifiers ; code ~` (xterm's modifyOtherKeys).
fn tilde(body: &[u8]) -> Option<KeyEvent> {
    let parts = params::parse(body)?;
    let number = (*parts.first()?.first()?)?;
    if number == 27 && parts.len() == 3 {
        let (modifiers, state) = modifiers(parts[1][0].unwrap_or(1))?;
        return Some(combined(u32::from(parts[2][0]?), None, None, modifiers, KeyEventKind::Press, state));
    }
    let code = match number {
        1 | 7 => KeyCode::Home,
        2 => KeyCode::Insert,
        3 => KeyCode::Delete,
        4 | 8 => KeyCode::End,
        5 => KeyCode::PageUp,
        6 => KeyCode::PageDown,
        11..=15 => KeyCode::F(u8::try_from(number - 10).ok()?),
        17..=21 => KeyCode::F(u8::try_from(number - 11).ok()?),
        23..=26 => KeyCode::F(u8::try_from(number - 12).ok()?),
        28 | 29 => KeyCode::F(u8::try_from(number - 13).ok()?),
        31..=34 => KeyCode::F(u8::try_from(number - 14).ok()?),
        // kitty's keypad 5.
        57427 => KeyCode::KeypadBegin,
        _ => return None,
    };
    let second = parts.get(1);
    let modifier = second.and_then(|part| part[0]).unwrap_or(1);
    let kind = kind_of(second.and_then(|part| part.get(1).copied().flatten()))?;
    let (modifiers, state) = modifiers(modifier)?;
    Some(KeyEvent { code, modifiers, kind, state })
}

/// `CSI code : shifted : base ; modifiers : kind ; text u`.
fn kitty(body: &[u8]) -> Option<KeyEvent> {
    let parts = params::parse(body)?;
    let first = parts.first()?;
    let code = u32::from((*first.first()?)?);
    let shifted = first.get(1).copied().flatten().map(u32::from);
    let base = first.get(2).copied().flatten().map(u32::from);
    let second = parts.get(1);
    let (modifiers, state) = modifiers(second.and_then(|part| part[0]).unwrap_or(1))?;
    let kind = kind_of(second.and_then(|part| part.get(1).copied().flatten()))?;
    Some(combined(code, shifted, base, modifiers, kind, state))
}

/// A key by its Unicode code, as modifyOtherKeys and kitty name it.
fn combined(
    code: u32,
    shifted: Option<u32>,
    base: Option<u32>,
    mut modifiers: KeyModifiers,
    kind: KeyEventKind,
    mut state: KeyEventState,
) -> KeyEvent {
    let name = |code: u32| char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
    let code = match code {
        27 => KeyCode::Esc,
        13 => KeyCode::Enter,
        9 if modifiers.contains(KeyModifiers::SHIFT) => KeyCode::BackTab,
        9 => KeyCode::Tab,
        8 | 127 => KeyCode::Backspace,
        57344..=63743 => match functional(code) {
            Some((code, keypad)) => {
                state.set(KeyEventState::KEYPAD, keypad);
                code
            }
            None => KeyCode::Null,
        },
        _ => {
            let commands = KeyModifiers::CONTROL | KeyModifiers::ALT | KeyModifiers::SUPER;
            let char = match (shifted, base) {
                (Some(shifted), _) if modifiers.contains(KeyModifiers::SHIFT) => name(shifted),
                // On a keyboard of another script Ctrl and a letter mean the key where that letter is in Latin.
                (_, Some(base)) if code > 127 && modifiers.intersects(commands) => name(base),
                _ => name(code),
            };
            if char.is_uppercase() {
                modifiers.insert(KeyModifiers::SHIFT);
            }
            KeyCode::Char(char)
        }
    };
    KeyEvent { code, modifiers, kind, state }
}

/// Keys named by one letter after CSI or SS3.
fn lettered(last: u8) -> Option<KeyCode> {
    Some(match last {
        b'A' => KeyCode::Up,
        b'B' => KeyCode::Down,
        b'C' => KeyCode::Right,
        b'D' => KeyCode::Left,
        b'E' => KeyCode::KeypadBegin,
        b'F' => KeyCode::End,
        b'H' => KeyCode::Home,
        b'P' => KeyCode::F(1),
        b'Q' => KeyCode::F(2),
        b'R' => KeyCode::F(3),
        b'S' => KeyCode::F(4),
        _ => return None,
    })
}

/// The modifier number is one more than its bits; 0 counts as missing.
fn modifiers(number: u16) -> Option<(KeyModifiers, KeyEventState)> {
    let bits = number.max(1) - 1;
    if bits > 255 {
        return None;
    }
    let mut modifiers = KeyModifiers::empty();
    for (bit, modifier) in [
        (1, KeyModifiers::SHIFT),
        (2, KeyModifiers::ALT),
        (4, KeyModifiers::CONTROL),
        (8, KeyModifiers::SUPER),
        (16, KeyModifiers::HYPER),
        (32, KeyModifiers::META),
    ] {
        modifiers.set(modifier, bits & bit != 0);
    }
    let mut state = KeyEventState::empty();
    state.set(KeyEventState::CAPS_LOCK, bits & 64 != 0);
    state.set(KeyEventState::NUM_LOCK, bits & 128 != 0);
    Some((modifiers, state))
}

fn kind_of(number: Option<u16>) -> Option<KeyEventKind> {
    match number {
        None | Some(0 | 1) => Some(KeyEventKind::Press),
        Some(2) => Some(KeyEventKind::Repeat),
        Some(3) => Some(KeyEventKind::Release),
        Some(_) => None,
    }
}

/// Keys without text, which kitty names by codes of Unicode's private area; true when the key is on the pad.
fn functional(code: u32) -> Option<(KeyCode, bool)> {
    let small = |from: u32| u8::try_from(code - from).ok();
    Some(match code {
        57358 => (KeyCode::CapsLock, false),
        57359 => (KeyCode::ScrollLock, false),
        57360 => (KeyCode::NumLock, false),
        57361 => (KeyCode::PrintScreen, false),
        57362 => (KeyCode::Pause, false),
        57363 => (KeyCode::Menu, false),
        57376..=57398 => (KeyCode::F(small(57376)?.checked_add(13)?), false),
        57399..=57408 => (KeyCode::Char(char::from(b'0' + small(57399)?)), true),
        57409 => (KeyCode::Char('.'), true),
        57410 => (KeyCode::Char('/'), true),
        57411 => (KeyCode::Char('*'), true),
        57412 => (KeyCode::Char('-'), true),
        57413 => (KeyCode::Char('+'), true),
        57414 => (KeyCode::Enter, true),
        57415 => (KeyCode::Char('='), true),
        57416 => (KeyCode::Char(','), true),
        57417 => (KeyCode::Left, true),
        57418 => (KeyCode::Right, true),
        57419 => (KeyCode::Up, true),
        57420 => (KeyCode::Down, true),
        57421 => (KeyCode::PageUp, true),
        57422 => (KeyCode::PageDown, true),
        57423 => (KeyCode::Home, true),
        57424 => (KeyCode::End, true),
        57425 => (KeyCode::Insert, true),
        57426 => (KeyCode::Delete, true),
        57427 => (KeyCode::KeypadBegin, true),
        57428 => (KeyCode::Media(MediaKeyCode::Play), false),
        57429 => (KeyCode::Media(MediaKeyCode::Pause), false),
        57430 => (KeyCode::Media(MediaKeyCode::PlayPause), false),
        57431 => (KeyCode::Media(MediaKeyCode::Reverse), false),
        57432 => (KeyCode::Media(MediaKeyCode::Stop), false),
        57433 => (KeyCode::Media(MediaKeyCode::FastForward), false),
        57434 => (KeyCode::Media(MediaKeyCode::Rewind), false),
        57435 => (KeyCode::Media(MediaKeyCode::TrackNext), false),
        57436 => (KeyCode::Media(MediaKeyCode::TrackPrevious), false),
        57437 => (KeyCode::Media(MediaKeyCode::Record), false),
        57438 => (KeyCode::Media(MediaKeyCode::LowerVolume), false),
        57439 => (KeyCode::Media(MediaKeyCode::RaiseVolume), false),
        57440 => (KeyCode::Media(MediaKeyCode::MuteVolume), false),
        57441 => (KeyCode::Modifier(ModifierKeyCode::LeftShift), false),
        57442 => (KeyCode::Modifier(ModifierKeyCode::LeftControl), false),
        57443 => (KeyCode::Modifier(ModifierKeyCode::LeftAlt), false),
        57444 => (KeyCode::Modifier(ModifierKeyCode::LeftSuper), false),
        57445 => (KeyCode::Modifier(ModifierKeyCode::LeftHyper), false),
        57446 => (KeyCode::Modifier(ModifierKeyCode::LeftMeta), false),
        57447 => (KeyCode::Modifier(ModifierKeyCode::RightShift), false),
        57448 => (KeyCode::Modifier(ModifierKeyCode::RightControl), false),
        57449 => (KeyCode::Modifier(ModifierKeyCode::RightAlt), false),
        57450 => (KeyCode::Modifier(ModifierKeyCode::RightSuper), false),
        57451 => (KeyCode::Modifier(ModifierKeyCode::RightHyper), false),
        57452 => (KeyCode::Modifier(ModifierKeyCode::RightMeta), false),
        57453 => (KeyCode::Modifier(ModifierKeyCode::IsoLevel3Shift), false),
        57454 => (KeyCode::Modifier(ModifierKeyCode::IsoLevel5Shift), false),
        _ => return None,
    })
}
