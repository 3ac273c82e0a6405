//! What the two sides show of themselves: raised hands, who is away, reactions.
//!
//! Owns how long a reaction stays on the screen. Must not know where it is drawn.

use std::time::Duration;

use super::Now;
use super::model::Model;
use crate::call::CallId;
use crate::session::{Command, Reaction, Sign};
use crate::text::Shown;

/// So long a reaction stands beside the name.
const STAYS: Duration = Duration::from_secs(5);

/// What one side shows.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Shows {
    pub(super) hand: bool,
    pub(super) away: bool,
    /// And until when.
    reaction: Option<(Reaction, Duration)>,
}

impl Shows {
    /// The reaction of the last seconds.
    pub(super) fn reaction(self, now: Now) -> Option<Reaction> {
        self.reaction.filter(|(_, until)| now.since_start < *until).map(|(reaction, _)| reaction)
    }
}

impl Model {
    /// A side shows something.
    pub(super) fn signed(&mut self, id: Option<CallId>, remote: bool, sign: Sign, now: Now) {
        if let (false, Sign::Away(away)) = (remote, sign) {
            self.away = away;
            let said = if away { "you are away: others see it" } else { "you are back" };
            self.say(said, false, now);
        }
        let Some(call) = self.call.as_mut().filter(|call| id.is_some_and(|id| call.is(id))) else { return };
        let shows = if remote { &mut call.remote_shows } else { &mut call.own_shows };
        match sign {
            Sign::Hand(up) => shows.hand = up,
            Sign::Away(away) => shows.away = away,
            Sign::Reaction(reaction) => shows.reaction = Some((reaction, now.since_start + STAYS)),
        }
        let who = if remote { call.peer.as_str() } else { "you" };
        let line = match sign {
            Sign::Hand(true) => format!("{who}: hand up"),
            Sign::Hand(false) => format!("{who}: hand down"),
            Sign::Away(true) => format!("{who}: away"),
            Sign::Away(false) => format!("{who}: back"),
            Sign::Reaction(reaction) => format!("{who}: {} {}", reaction.picture(), reaction.name()),
        };
        if remote {
            self.say(&line, false, now);
        } else {
            self.note(Shown::new(&line), now);
        }
    }

    pub(super) fn raise_hand(&mut self) {
        let up = self.call.as_ref().is_some_and(|call| call.own_shows.hand);
        self.sign(Sign::Hand(!up));
    }

    pub(super) fn go_away(&mut self) {
        self.sign(Sign::Away(!self.away));
    }

    pub(super) fn sign(&mut self, sign: Sign) {
        self.out.push(super::Action::Command(Command::Sign(sign)));
    }
}
