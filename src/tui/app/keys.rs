//! One key press as a person writes it: `m`, `ctrl-c`, `f2`, `space`, `<esc>`, `alt-enter`.
//!
//! Owns reading and writing of keys. Must not know what a key does.

use std::fmt;
use std::str::FromStr;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// A key with its modifiers, in one form: what shift does to a character is in the character.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Chord {
    code: KeyCode,
    modifiers: KeyModifiers,
}

/// Keys with a name: the one shown first, then others that are understood.
const NAMED: &[(KeyCode, &[&str])] = &[
    (KeyCode::Enter, &["Enter", "ret", "return"]),
    (KeyCode::Esc, &["Esc", "escape"]),
    (KeyCode::Tab, &["Tab"]),
    (KeyCode::Backspace, &["Backspace", "bs"]),
    (KeyCode::Delete, &["Delete", "del"]),
    (KeyCode::Insert, &["Insert", "ins"]),
    (KeyCode::Up, &["Up"]),
    (KeyCode::Down, &["Down"]),
    (KeyCode::Left, &["Left"]),
    (KeyCode::Right, &["Right"]),
    (KeyCode::Home, &["Home"]),
    (KeyCode::End, &["End"]),
    (KeyCode::PageUp, &["PgUp", "pageup"]),
    (KeyCode::PageDown, &["PgDn", "pagedown"]),
    (KeyCode::Char(' '), &["Space"]),
];

const MODIFIERS: &[(KeyModifiers, &[&str])] = &[
    (KeyModifiers::CONTROL, &["Ctrl", "c", "control"]),
    (KeyModifiers::ALT, &["Alt", "a", "m", "meta"]),
    (KeyModifiers::SHIFT, &["Shift", "s"]),
];

impl Chord {
    /// The key that was pressed (or repeats); `None` for a release.
    #[must_use]
    pub fn of(event: KeyEvent) -> Option<Self> {
        // With those a key belongs to the desktop, and without them it would be another one.
        let foreign = KeyModifiers::SUPER | KeyModifiers::HYPER | KeyModifiers::META;
        (event.kind != KeyEventKind::Release && !event.modifiers.intersects(foreign))
            .then(|| Self::new(event.code, event.modifiers))
    }

    /// The key's own code, in its one form.
    #[must_use]
    pub fn code(self) -> KeyCode {
        self.code
    }

    /// Its modifiers, in their one form.
    #[must_use]
    pub fn modifiers(self) -> KeyModifiers {
        self.modifiers
    }

    /// The character that it types; `None` when it types none.
    #[must_use]
    pub fn text(self) -> Option<char> {
        match self.code {
            KeyCode::Char(c) if self.modifiers.is_empty() => Some(c),
            _ => None,
        }
    }

    /// The same as an event of the terminal.
    #[must_use]
    pub fn event(self) -> KeyEvent {
        KeyEvent::new(self.code, self.modifiers)
    }

    fn new(code: KeyCode, modifiers: KeyModifiers) -> Self {
        let known = KeyModifiers::CONTROL | KeyModifiers::ALT | KeyModifiers::SHIFT;
        let mut chord = Self { code, modifiers: modifiers & known };
        match code {
            KeyCode::Char(c) => {
                if chord.modifiers.contains(KeyModifiers::CONTROL) {
                    // Terminals don't agree on the case of a letter with Ctrl.
                    chord.code = KeyCode::Char(c.to_ascii_lowercase());
                } else if chord.modifiers.contains(KeyModifiers::SHIFT) {
                    chord.code = KeyCode::Char(c.to_ascii_uppercase());
                }
                chord.modifiers.remove(KeyModifiers::SHIFT);
            }
            KeyCode::BackTab => {
                chord.code = KeyCode::Tab;
                chord.modifiers.insert(KeyModifiers::SHIFT);
            }
            _ => {}
        }
        chord
    }
}

impl FromStr for Chord {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unknown = || format!("\"{text}\" is no key (for instance m, ctrl-m, f2, space, enter, esc)");
        let inner = text.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).unwrap_or(text);
        let mut modifiers = KeyModifiers::empty();
        let mut rest = inner;
        // The last part is the key, even when it is a dash.
        while let Some((word, key)) =
            rest.split_once('-').filter(|(word, key)| !word.is_empty() && !key.is_empty())
        {
            let (modifier, _) = MODIFIERS
                .iter()
                .find(|(_, names)| names.iter().any(|name| name.eq_ignore_ascii_case(word)))
                .ok_or_else(unknown)?;
            modifiers |= *modifier;
            rest = key;
        }
        let mut characters = rest.chars();
        let code = match (characters.next(), characters.next()) {
            (Some(c), None) if !c.is_control() => KeyCode::Char(c),
            _ if rest.eq_ignore_ascii_case("backtab") => KeyCode::BackTab,
            _ => NAMED
                .iter()
                .find(|(_, names)| names.iter().any(|name| name.eq_ignore_ascii_case(rest)))
                .map(|(code, _)| *code)
                .or_else(|| function_key(rest))
                .ok_or_else(unknown)?,
        };
        Ok(Self::new(code, modifiers))
    }
}

fn function_key(text: &str) -> Option<KeyCode> {
    let number: u8 = text.strip_prefix(['f', 'F'])?.parse().ok()?;
    (1..=24).contains(&number).then_some(KeyCode::F(number))
}

impl fmt::Display for Chord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (modifier, names) in MODIFIERS {
            if self.modifiers.contains(*modifier) {
                write!(f, "{}-", names[0])?;
            }
        }
        match (NAMED.iter().find(|(code, _)| *code == self.code), self.code) {
            (Some((_, names)), _) => f.write_str(names[0]),
            (None, KeyCode::Char(c)) if self.modifiers.contains(KeyModifiers::CONTROL) => {
                write!(f, "{}", c.to_ascii_uppercase())
            }
            (None, KeyCode::Char(c)) => write!(f, "{c}"),
            (None, code) => write!(f, "{code}"),
        }
    }
}
