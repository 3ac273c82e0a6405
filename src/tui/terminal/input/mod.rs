//! What the terminal sends: keys, mouse, pastes, and answers to questions.
//!
//! Owns the way from bytes to [`Event`]s, pure: no file, no clock (times are arguments). Whoever reads the terminal
//! drives it: [`Parser::feed`] with what came, [`Parser::expire`] at [`Parser::deadline`]. Answers never become
//! keys, whenever they come; broken and hostile bytes never panic, and memory is bounded.
//!
//! ```text
//!   bytes ── scan ──► tokens ──► keys, mouse, reply ──► Event
//! ```

mod keys;
mod mouse;
mod params;
mod reply;
mod scan;

use std::time::Duration;

use crossterm::event::{KeyEvent, MouseEvent};

pub use reply::{Colour, Reply};
pub use scan::{ESCAPE, LONGEST_PASTE, PASTE_IDLE, STRING_IDLE};

use scan::{Kind, Scanner, Token};

/// One thing that came from the terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A key was pressed, repeated or (kitty's keyboard protocol) released.
    Key(KeyEvent),
    /// The mouse did something.
    Mouse(MouseEvent),
    /// Text was pasted: at most [`LONGEST_PASTE`] bytes, lines ended by `\n`, otherwise as it came (it is not sanitised).
    Paste(String),
    /// The terminal's window got (true) or lost the focus.
    Focus(bool),
    /// An answer to a question.
    Reply(Reply),
}

/// From bytes to events.
#[derive(Debug)]
pub struct Parser {
    scanner: Scanner,
    tokens: Vec<Token>,
    erase: u8,
}

impl Parser {
    /// `erase` is the character that the Backspace key sends (`VERASE` of the terminal's settings): DEL or Ctrl-H.
    #[must_use]
    pub fn new(erase: u8) -> Self {
        Self { scanner: Scanner::new(), tokens: Vec::new(), erase }
    }

    /// Takes bytes that came at `now` (any clock that does not go back) and appends what they mean.
    pub fn feed(&mut self, bytes: &[u8], now: Duration, out: &mut Vec<Event>) {
        self.scanner.feed(bytes, now, &mut self.tokens);
        self.take(out);
    }

    /// When [`Parser::expire`] is due if nothing comes before; `None` when nothing is left open.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        self.scanner.deadline()
    }

    /// Decides what can't wait any longer at `now`: a lone ESC is the Escape key.
    pub fn expire(&mut self, now: Duration, out: &mut Vec<Event>) {
        self.scanner.expire(now, &mut self.tokens);
        self.take(out);
    }

    fn take(&mut self, out: &mut Vec<Event>) {
        for token in self.tokens.drain(..) {
            meaning(token, self.erase, out);
        }
    }
}

fn meaning(token: Token, erase: u8, out: &mut Vec<Event>) {
    match token {
        Token::Escape => out.push(Event::Key(keys::escape())),
        Token::Char { char, alt } => out.push(Event::Key(keys::character(char, alt, erase))),
        Token::Ss3 { number, last, alt } => out.extend(keys::ss3(number, last, alt).map(Event::Key)),
        Token::Console(letter) => out.extend(keys::console(letter).map(Event::Key)),
        Token::OldMouse(bytes) => out.extend(mouse::old(bytes).map(Event::Mouse)),
        Token::Paste(bytes) => out.push(Event::Paste(pasted(&bytes))),
        Token::Csi { body, last, alt } => {
            if let Some(key) = keys::csi(&body, last, alt) {
                out.push(Event::Key(key));
                return;
            }
            // The ESC before what is no key was one of its own.
            if alt {
                out.push(Event::Key(keys::escape()));
            }
            out.extend(other_csi(&body, last));
        }
        Token::String(kind, body) => out.push(Event::Reply(match kind {
            Kind::Osc => reply::osc(&body),
            Kind::Dcs => reply::dcs(&body),
            Kind::Apc => reply::apc(&body),
            Kind::Other(_) => Reply::Other,
        })),
    }
}

fn other_csi(body: &[u8], last: u8) -> Option<Event> {
    match (body, last) {
        (b"", b'I') => Some(Event::Focus(true)),
        (b"", b'O') => Some(Event::Focus(false)),
        ([b'<', rest @ ..], b'M' | b'm') => mouse::sgr(rest, last == b'm').map(Event::Mouse),
        _ => Some(Event::Reply(reply::csi(body, last))),
    }
}

/// Terminals send the ends of pasted lines as the Return key does.
fn pasted(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).replace("\r\n", "\n").replace('\r', "\n")
}

#[cfg(test)]
mod tests;
