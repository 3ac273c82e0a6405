//! Which step a message takes.
//!
//! Owns the way from a message to the parts of the model; events of the session, commands and the mouse have a file each.

mod alert;
mod commands;
mod events;
mod mouse;
mod recording;
mod sources;

use crossterm::event::{KeyEvent, KeyEventKind};

use super::keymap::{Command, Context};
use super::keys::Chord;
use super::model::{Drawing, Model, Purpose};
use super::{Action, Message, Now};
use crate::text::Shown;

impl Model {
    /// Takes a message in; what comes out is to be done, in this order.
    pub fn update(&mut self, message: Message, now: Now) -> Vec<Action> {
        match message {
            Message::Session(event) => self.event(event, now),
            Message::Key(event) => {
                if event.kind == KeyEventKind::Release {
                    self.released(event);
                } else if let Some(chord) = Chord::of(event) {
                    self.key(chord, now);
                }
            }
            Message::Mouse(event) => self.mouse(event, now),
            Message::Paste(text) => self.paste(&text),
            Message::Focus(focused) => {
                self.focused = focused;
                if !focused {
                    // The release goes to another window.
                    self.hush();
                }
            }
            Message::Resize(columns, rows) => self.size = (columns, rows),
            Message::Tick => {}
            Message::Levels { own, remote } => {
                if let Some(call) = &mut self.call {
                    (call.level_own, call.level_remote) = (own, remote);
                }
            }
            Message::Page { query, page: Ok(page) } => {
                let next = self.users.page(&query, page);
                self.out.extend(next);
            }
            // The next attempt is not far; the state of the server is in the header.
            Message::Page { query: _, page: Err(why) } => self.note(Shown::new(&why), now),
            Message::Rejected(reason) => self.rejected(&reason, now),
            Message::Notice(text) => self.say(&text, false, now),
            Message::Trouble(text) => self.say(&text, true, now),
            Message::Drawing { mode, fps, kbps } => {
                self.drawing = Some(Drawing { mode: Shown::new(&mode), fps, kbps });
            }
        }
        self.pass(now);
        std::mem::take(&mut self.out)
    }

    /// What is due by now.
    fn pass(&mut self, now: Now) {
        while self.toasts.front().is_some_and(|toast| toast.until <= now.since_start) {
            self.toasts.pop_front();
        }
        if !self.is_settling(now) {
            self.settling = None;
        }
        if self.lists_people() && self.next_refresh <= now.since_start {
            self.refresh(now);
        }
        self.ring(now);
    }

    fn key(&mut self, chord: Chord, now: Now) {
        let context = self.context();
        let command = self.keys.command(context, chord);
        let elsewhere =
            matches!(command, Some(Command::Interrupt | Command::Redraw | Command::Suspend | Command::Help));
        // What is being typed goes on; everything else waits until the change was seen.
        if !matches!(context, Context::Typing | Context::Chat | Context::Dialing | Context::Reading)
            && !elsewhere
            && self.is_settling(now)
        {
            // Nobody consents to a call by a key that was on its way when the prompt appeared.
            return self.settle(now);
        }
        match command {
            Some(command) => self.command(context, command, now),
            None => self.type_key(chord, now),
        }
    }

    /// A key was let go of: only the one to talk is held.
    fn released(&mut self, event: KeyEvent) {
        let pressed = KeyEvent { kind: KeyEventKind::Press, ..event };
        let talks = |chord| self.keys.command(Context::Call, chord) == Some(Command::Talk);
        if self.talking && Chord::of(pressed).is_some_and(talks) {
            self.hush();
        }
    }

    /// A key that is no command: text, or whatever ends the card of a call.
    fn type_key(&mut self, chord: Chord, now: Now) {
        if self.incoming.is_some() || self.offer().is_some() || self.reading.is_some() {
            return;
        }
        if let Some(prompt) = &mut self.prompt {
            if prompt.editor.key(chord) {
                self.typed();
            }
            return;
        }
        match &mut self.call {
            Some(call) if call.is_over() => self.dismiss(now),
            Some(call) if call.chat.open && call.chat.typing => {
                call.chat.editor.key(chord);
            }
            _ => {}
        }
    }

    fn paste(&mut self, text: &str) {
        if self.incoming.is_some() || self.offer().is_some() || self.reading.is_some() {
            return;
        }
        if let Some(prompt) = &mut self.prompt {
            prompt.editor.insert(text);
            return self.typed();
        }
        if let Some(call) =
            self.call.as_mut().filter(|call| call.chat.open && call.chat.typing && !call.is_over())
        {
            call.chat.editor.insert(text);
        }
    }

    /// What is typed searches at once.
    fn typed(&mut self) {
        if let Some(prompt) = &self.prompt
            && prompt.purpose == Purpose::Search
        {
            let ask = self.users.search(prompt.editor.text());
            self.out.push(ask);
        }
    }
}
