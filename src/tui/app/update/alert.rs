//! The hand-on-face alert, as whoever sits there is told of it: a bell and a line that stays while the hand does.

use std::time::Duration;

use super::super::model::Model;
use super::super::{Action, Now};
use crate::call::CallId;
use crate::session::Command;
use crate::text::Shown;

/// The bell sounds for alerts no oftener than this.
const ALARM: Duration = Duration::from_secs(5);

impl Model {
    /// Turns the alert on or off.
    pub(super) fn switch_alert(&mut self, now: Now) {
        self.alert = !self.alert;
        self.out.push(Action::Command(Command::Alert(self.alert)));
        let text = match self.alert {
            true => "hand-on-face alert: on; the other side is not told",
            false => "hand-on-face alert: off",
        };
        self.say(text, false, now);
    }

    /// A hand came to the face, or is gone.
    pub(super) fn alerted(&mut self, id: CallId, raised: bool, now: Now) {
        let Some(call) = self.call.as_mut().filter(|call| call.is(id) && !call.is_over()) else { return };
        call.hand_on_face = raised;
        if !raised {
            return;
        }
        if self.full {
            // The line that shows it is not there.
            self.say("a hand is on your face", true, now);
        } else {
            self.note(Shown::new("a hand is on your face"), now);
        }
        if self.next_alarm <= now.since_start {
            self.next_alarm = now.since_start + ALARM;
            self.out.push(Action::Bell);
        }
    }
}
