//! The mouse: a click selects, a second one calls, buttons can be pressed, the wheel scrolls.

use std::time::Duration;

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Position;

use super::super::Now;
use super::super::keymap::{Command, Context};
use super::super::model::{Model, Pane};
use super::super::view::{Target, target};

/// Two clicks within this time are a double click.
const DOUBLE: Duration = Duration::from_millis(400);

/// Lines that one notch of the wheel scrolls.
const NOTCH: isize = 3;

impl Model {
    pub(super) fn mouse(&mut self, event: MouseEvent, now: Now) {
        let at = (event.column, event.row);
        match event.kind {
            MouseEventKind::ScrollUp => self.wheel(at, -1),
            MouseEventKind::ScrollDown => self.wheel(at, 1),
            MouseEventKind::Down(MouseButton::Left) => self.click(at, now),
            _ => {}
        }
    }

    fn click(&mut self, at: (u16, u16), now: Now) {
        let again = self
            .clicked
            .replace((at, now.since_start))
            .is_some_and(|(before, when)| before == at && now.since_start < when + DOUBLE);
        match target(self, Position::from(at)) {
            Some(Target::Button(_) | Target::Card) if self.is_settling(now) => self.settle(now),
            Some(Target::Button(command)) => self.command(self.context(), command, now),
            Some(Target::Person(index)) => {
                self.to(Pane::People);
                self.users.select(index);
                if again && self.users.selected() == index {
                    self.call_selected(now);
                }
            }
            Some(Target::Call(index)) => {
                self.to(Pane::Calls);
                self.selected_call = index;
                if again {
                    self.call_selected(now);
                }
            }
            Some(Target::Card) => self.dismiss(now),
            Some(Target::Chat) => self.command(Context::Call, Command::Chat, now),
            None => {}
        }
    }

    fn wheel(&mut self, at: (u16, u16), by: isize) {
        let context = self.context();
        if let Some(Target::Person(_) | Target::Call(_)) = target(self, Position::from(at)) {
            return self.step(context, by);
        }
        match context {
            Context::Incoming | Context::Offer => {}
            Context::Dashboard | Context::Typing => self.step(context, by),
            _ => self.step(context, by * NOTCH),
        }
    }

    fn to(&mut self, pane: Pane) {
        if self.pane != pane {
            self.other_pane();
        }
    }
}
