//! Cuts what a terminal sends into characters and whole sequences.
//!
//! Owns the framing: where a sequence begins and ends, what is a paste, what a lone ESC is. Knows nothing of keys or
//! replies, and reads no clock: times are arguments. A general VT state machine would not do here: it throws away
//! APC strings (kitty answers in them), keeps OSC strings of any length, and takes a paste for sequences.
//!
//! Every buffer is bounded, and every state is left by time or by bytes, so that no input makes the keyboard dead.

use std::time::Duration;

/// An ESC that nothing follows within this time is the Escape key.
pub const ESCAPE: Duration = Duration::from_millis(25);

/// A string that does not go on for this long will not go on: it is given up, and keys are keys again.
pub const STRING_IDLE: Duration = Duration::from_secs(1);

/// A paste that does not go on for this long counts as ended.
pub const PASTE_IDLE: Duration = Duration::from_secs(10);

/// The longest paste that is taken, in bytes; what is beyond is left out.
pub const LONGEST_PASTE: usize = 1 << 20;

/// The longest CSI sequence that is looked at; a longer one is read to its end and dropped.
const LONGEST_CSI: usize = 256;

/// The longest string (OSC, DCS, APC) that is looked at; a longer one is read to its end and dropped.
const LONGEST_STRING: usize = 4096;

const ESC: u8 = 0x1b;
const PASTE_END: &[u8] = b"\x1b[201~";

/// The kinds of control strings, by the byte after ESC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `ESC ]`
    Osc,
    /// `ESC P`
    Dcs,
    /// `ESC _`
    Apc,
    /// `ESC ^` and `ESC X`: nobody sends them, but they have an end.
    Other(char),
}

impl Kind {
    /// The key that, with Alt, begins as this string does.
    fn key(self) -> char {
        match self {
            Self::Osc => ']',
            Self::Dcs => 'P',
            Self::Apc => '_',
            Self::Other(key) => key,
        }
    }
}

/// One thing that the terminal sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// A character or a control character, with Alt when ESC came before it.
    Char { char: char, alt: bool },
    /// A lone ESC.
    Escape,
    /// `CSI body last`; `alt` when another ESC came before it.
    Csi { body: Vec<u8>, last: u8, alt: bool },
    /// `ESC O`, perhaps a number, and a letter.
    Ss3 { number: u8, last: u8, alt: bool },
    /// `CSI [ letter`: function keys of the Linux console.
    Console(u8),
    /// `CSI M` and three bytes: a mouse in the old way.
    OldMouse([u8; 3]),
    /// A string without its introducer and end.
    String(Kind, Vec<u8>),
    /// What was pasted.
    Paste(Vec<u8>),
}

#[derive(Debug)]
enum State {
    Ground,
    /// Inside a character of `wanted` bytes.
    Utf8 {
        bytes: [u8; 4],
        had: usize,
        wanted: usize,
        alt: bool,
    },
    /// After ESC; `twice` after two.
    Escape {
        twice: bool,
    },
    Csi {
        body: Vec<u8>,
        alt: bool,
        overlong: bool,
    },
    Ss3 {
        number: u8,
        alt: bool,
    },
    Console,
    OldMouse {
        bytes: [u8; 3],
        had: usize,
    },
    String {
        kind: Kind,
        body: Vec<u8>,
        escaped: bool,
        overlong: bool,
    },
    /// `matched` bytes of the end mark have been seen.
    Paste {
        body: Vec<u8>,
        matched: usize,
    },
}

/// The framing of one input stream.
#[derive(Debug)]
pub(super) struct Scanner {
    state: State,
    /// When the last byte came.
    last: Duration,
}

impl Scanner {
    pub(super) fn new() -> Self {
        Self { state: State::Ground, last: Duration::ZERO }
    }

    /// Takes bytes that came at `now`.
    pub(super) fn feed(&mut self, bytes: &[u8], now: Duration, out: &mut Vec<Token>) {
        self.expire(now, out);
        for &byte in bytes {
            self.byte(byte, out);
        }
        self.last = now;
    }

    /// When [`Scanner::expire`] has something to decide, if nothing comes before.
    pub(super) fn deadline(&self) -> Option<Duration> {
        let wait = match &self.state {
            State::Ground => return None,
            State::Escape { .. } | State::Ss3 { .. } => ESCAPE,
            State::Csi { body, .. } if body.is_empty() => ESCAPE,
            State::String { body, escaped: false, overlong: false, .. } if body.is_empty() => ESCAPE,
            State::Paste { .. } => PASTE_IDLE,
            _ => STRING_IDLE,
        };
        Some(self.last.saturating_add(wait))
    }

    /// Decides what can't wait any longer at `now`.
    pub(super) fn expire(&mut self, now: Duration, out: &mut Vec<Token>) {
        if self.deadline().is_some_and(|deadline| deadline <= now) {
            self.give_up(out);
        }
    }

    /// The beginning of something that never went on is taken for the keys that look the same.
    fn give_up(&mut self, out: &mut Vec<Token>) {
        let before = |alt: bool, out: &mut Vec<Token>| {
            if alt {
                out.push(Token::Escape);
            }
        };
        match std::mem::replace(&mut self.state, State::Ground) {
            State::Escape { twice } => {
                before(twice, out);
                out.push(Token::Escape);
            }
            State::Csi { body, alt, .. } if body.is_empty() => {
                before(alt, out);
                out.push(Token::Char { char: '[', alt: true });
            }
            State::Ss3 { number: 0, alt } => {
                before(alt, out);
                out.push(Token::Char { char: 'O', alt: true });
            }
            State::String { kind, body, escaped: false, overlong: false } if body.is_empty() => {
                out.push(Token::Char { char: kind.key(), alt: true });
            }
            State::Paste { body, .. } => out.push(Token::Paste(body)),
            _ => {}
        }
    }

    fn byte(&mut self, byte: u8, out: &mut Vec<Token>) {
        match std::mem::replace(&mut self.state, State::Ground) {
            State::Ground => self.ground(byte, false, out),
            State::Utf8 { mut bytes, had, wanted, alt } => {
                if byte & 0xc0 != 0x80 {
                    // The character was cut short: it is dropped, this byte is not.
                    return self.ground(byte, false, out);
                }
                bytes[had] = byte;
                if had + 1 < wanted {
                    self.state = State::Utf8 { bytes, had: had + 1, wanted, alt };
                } else if let Some(char) =
                    std::str::from_utf8(&bytes[..wanted]).ok().and_then(|t| t.chars().next())
                {
                    out.push(Token::Char { char, alt });
                }
            }
            State::Escape { twice } => self.escape(byte, twice, out),
            State::Csi { body, alt, overlong } => self.csi(byte, body, alt, overlong, out),
            State::Ss3 { number, alt } => match byte {
                b'0'..=b'9' => {
                    let number = number.saturating_mul(10).saturating_add(byte - b'0');
                    self.state = State::Ss3 { number, alt };
                }
                0x21..=0x7e => out.push(Token::Ss3 { number, last: byte, alt }),
                _ => {
                    out.push(Token::Char { char: 'O', alt: true });
                    self.ground(byte, false, out);
                }
            },
            State::Console => match byte {
                b'A'..=b'E' => out.push(Token::Console(byte)),
                _ => self.ground(byte, false, out),
            },
            State::OldMouse { mut bytes, had } => {
                bytes[had] = byte;
                if had == 2 {
                    out.push(Token::OldMouse(bytes));
                } else {
                    self.state = State::OldMouse { bytes, had: had + 1 };
                }
            }
            State::String { kind, body, escaped, overlong } => {
                self.string(byte, kind, body, escaped, overlong, out);
            }
            State::Paste { body, matched } => self.paste(byte, body, matched, out),
        }
    }

    fn ground(&mut self, byte: u8, alt: bool, out: &mut Vec<Token>) {
        let wanted = match byte {
            ESC => {
                self.state = State::Escape { twice: alt };
                return;
            }
            0..=0x7f => {
                out.push(Token::Char { char: char::from(byte), alt });
                return;
            }
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            // No character begins so.
            _ => return,
        };
        self.state = State::Utf8 { bytes: [byte, 0, 0, 0], had: 1, wanted, alt };
    }

    fn escape(&mut self, byte: u8, twice: bool, out: &mut Vec<Token>) {
        let string = |kind| State::String { kind, body: Vec::new(), escaped: false, overlong: false };
        // Two ESC are Alt before the sequence of a key, and a lone Escape before anything else.
        match byte {
            b'[' => {
                self.state = State::Csi { body: Vec::new(), alt: twice, overlong: false };
                return;
            }
            b'O' => {
                self.state = State::Ss3 { number: 0, alt: twice };
                return;
            }
            _ => {}
        }
        if twice {
            out.push(Token::Escape);
        }
        match byte {
            b']' => self.state = string(Kind::Osc),
            b'P' => self.state = string(Kind::Dcs),
            b'_' => self.state = string(Kind::Apc),
            b'^' | b'X' => self.state = string(Kind::Other(char::from(byte))),
            ESC => self.state = State::Escape { twice: true },
            _ => self.ground(byte, true, out),
        }
    }

    fn csi(&mut self, byte: u8, mut body: Vec<u8>, alt: bool, overlong: bool, out: &mut Vec<Token>) {
        match byte {
            b'[' if body.is_empty() && !overlong => self.state = State::Console,
            b'M' if body.is_empty() && !overlong => {
                self.state = State::OldMouse { bytes: [0; 3], had: 0 };
            }
            b'~' if body == b"200" => self.state = State::Paste { body: Vec::new(), matched: 0 },
            0x40..=0x7e if overlong => {}
            0x40..=0x7e => out.push(Token::Csi { body, last: byte, alt }),
            0x20..=0x3f => {
                let overlong = overlong || body.len() == LONGEST_CSI;
                if !overlong {
                    body.push(byte);
                }
                self.state = State::Csi { body, alt, overlong };
            }
            // Broken off: what comes instead counts.
            _ => self.ground(byte, false, out),
        }
    }

    fn string(
        &mut self,
        byte: u8,
        kind: Kind,
        mut body: Vec<u8>,
        escaped: bool,
        overlong: bool,
        out: &mut Vec<Token>,
    ) {
        let ends = matches!((escaped, byte), (true, b'\\') | (false, 0x07)) && (escaped || kind == Kind::Osc);
        if ends {
            if !overlong {
                out.push(Token::String(kind, body));
            }
        } else if escaped {
            // ESC ends the string whatever follows; what follows begins something of its own.
            self.escape(byte, false, out);
        } else if byte == ESC {
            self.state = State::String { kind, body, escaped: true, overlong };
        } else if matches!(byte, 0x18 | 0x1a) {
            // CAN and SUB call the string off.
        } else {
            let overlong = overlong || body.len() == LONGEST_STRING;
            if !overlong {
                body.push(byte);
            }
            self.state = State::String { kind, body, escaped, overlong };
        }
    }

    fn paste(&mut self, byte: u8, mut body: Vec<u8>, matched: usize, out: &mut Vec<Token>) {
        let keep = |bytes: &[u8], body: &mut Vec<u8>| {
            let room = LONGEST_PASTE - body.len().min(LONGEST_PASTE);
            body.extend_from_slice(&bytes[..bytes.len().min(room)]);
        };
        let matched = if byte == PASTE_END[matched] {
            matched + 1
        } else {
            // The mark's only ESC is its first byte, so what was matched can't be the start of another.
            keep(&PASTE_END[..matched], &mut body);
            if byte == ESC {
                1
            } else {
                keep(&[byte], &mut body);
                0
            }
        };
        if matched == PASTE_END.len() {
            out.push(Token::Paste(body));
        } else {
            self.state = State::Paste { body, matched };
        }
    }
}
