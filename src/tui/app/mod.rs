//! What a person sees and does: the dashboard, the incoming call, the call.
//!
//! Pure: messages and the time come in, actions go out, and a view of the model is drawn. Owns no terminal, no clock, no
//! task and no file. Must not know how pictures are drawn, only where ([`Panes`]). Driven by the loop of `tui`:
//!
//! ```text
//!   keys, events, levels ──Message──► Model::update ──Action──► session, terminal, history
//!                                        │
//!                                      view ──► cells, and Panes for the painters
//!
//!   ┌ header ──────────────────────────────┐   ┌ status ─────────────────────────────┐
//!   │ people            │ calls            │   │ picture                  │ chat     │
//!   │                   │                  │   │                  ┌ own ┐ │          │
//!   │                   │                  │   │                  └─────┘ │          │
//!   │ footer: hints, a search, a toast     │   │ you, them: mute, camera, level      │
//!   └──────────────────────────────────────┘   └ footer ─────────────────────────────┘
//! ```

mod conversation;
mod editor;
mod files;
pub mod keymap;
mod keys;
mod model;
mod quality;
mod signs;
mod theme;
mod update;
mod users;
mod view;

#[cfg(test)]
mod tests;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crossterm::event::{KeyEvent, MouseEvent};
use ratatui::layout::Rect;

pub use keymap::Keymap;
pub use keys::Chord;
pub use model::Model;
pub(in crate::tui) use quality::level;
pub use theme::Theme;
pub use view::view;

use crate::history::Entry;
use crate::session::{self, Page};

/// What the screen begins with.
#[derive(Debug)]
pub struct Start {
    /// Our name.
    pub me: String,
    /// The server, as a person knows it.
    pub server: String,
    /// The one call that this is about: somebody else dials it, and the screen is left when it is over.
    pub dial: Option<String>,
    /// The keys.
    pub keys: Keymap,
    /// Earlier calls, oldest first.
    pub history: Vec<Entry>,
    /// The looks.
    pub theme: Theme,
    /// What there is to send.
    pub sends: Sends,
    /// The microphone is off unless somebody talks.
    pub push_to_talk: bool,
    /// A hand on the own face is looked out for.
    pub alert: bool,
    /// The code of a call is to be compared: it is asked for as soon as there is one.
    pub asks_code: bool,
    /// The terminal tells when a key is let go of.
    pub releases: bool,
}

/// What this side has a source for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sends {
    /// A microphone or the like.
    pub audio: bool,
    /// A camera or the like.
    pub video: bool,
}

/// The time, as an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Since the screen was opened; never goes back.
    pub since_start: Duration,
    /// The clock on the wall.
    pub wall: SystemTime,
}

impl Now {
    /// Seconds since 1970.
    fn unix(self) -> u64 {
        self.wall.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
    }
}

/// Something happened.
#[derive(Debug)]
pub enum Message {
    /// The session tells something.
    Session(session::Event),
    /// A key.
    Key(KeyEvent),
    /// The mouse.
    Mouse(MouseEvent),
    /// Pasted text.
    Paste(String),
    /// The terminal got or lost the focus.
    Focus(bool),
    /// The terminal has this size now: columns, rows.
    Resize(u16, u16),
    /// Time went on; due at [`Model::deadline`], harmless at any other time.
    Tick,
    /// How loud it is, dBFS.
    Levels {
        /// What we send; `None` when nothing is measured.
        own: Option<f32>,
        /// What we hear.
        remote: Option<f32>,
    },
    /// The answer to [`Action::Users`].
    Page {
        /// The query of that action; empty without one.
        query: String,
        /// The page, or why there is none.
        page: Result<Page, String>,
    },
    /// A command could not be carried out.
    Rejected(String),
    /// Something beside the calls went wrong on this machine.
    Trouble(String),
    /// Something worth a line.
    Notice(String),
    /// How the picture is drawn at present.
    Drawing {
        /// The render mode's name.
        mode: String,
        /// Pictures a second that reach the terminal.
        fps: f32,
        /// What that takes on the terminal's line, kbit/s.
        kbps: u32,
    },
}

/// Something is to be done.
#[derive(Debug)]
pub enum Action {
    /// Give this to the session.
    Command(session::Command),
    /// Fetch a page of users; the answer is [`Message::Page`].
    Users {
        /// Only names that contain this text.
        query: Option<String>,
        /// Start after this name.
        after: Option<String>,
    },
    /// Follow these names too.
    Watch(Vec<String>),
    /// Ring the terminal's bell.
    Bell,
    /// Show a notification of the desktop. Both texts are cleaned.
    Notify {
        /// A few words.
        title: String,
        /// A sentence.
        body: String,
    },
    /// Keep this call in the history.
    Remember(Entry),
    /// A person chose this device: it is to be used the next time too.
    Keep {
        /// For what.
        slot: session::Slot,
        /// In the words of the flags.
        source: String,
    },
    /// Offer the file of this path, as a person wrote it.
    SendFile(String),
    /// Note in the history that every missed call was looked at.
    Seen,
    /// Draw pictures in the next way that the terminal has.
    NextMode,
    /// Go to the background.
    Suspend,
    /// Draw the whole screen anew.
    Redraw,
    /// The person wants to leave: end the session, and the screen with it.
    Leave,
    /// Close the screen now.
    Quit,
}

/// Where the painters draw. Nothing else is drawn there, but that `own` lies on top of `remote`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Panes {
    /// The other side's picture; `None` when none is to be drawn.
    pub remote: Option<Rect>,
    /// Our own; draw it after the other.
    pub own: Option<Rect>,
}
