//! Reaching somebody by flag: signed in, waited for, dialed. What `call` and `send` do alike before there is a call.
//!
//! Owns the order of that, its deadline, and why it came to nothing. Must not know what the call is for.

use std::time::Duration;

use anyhow::Result;
use tokio::time::Instant;

use super::exit::Exit;
use super::failure::Usage;
use super::profile::Profile;
use super::setup::Ground;
use crate::session::{Change, Command, Event, PresenceState};
use crate::signaling::protocol::Name;

/// The way to one person.
pub(super) struct Dialing<'a> {
    ground: &'a Ground,
    profile: &'a Profile,
    to: Name,
    /// The name as it was typed.
    typed: &'a str,
    waits: bool,
    registered: bool,
    dialed: bool,
    /// The call is on its way.
    placed: bool,
    /// When [`Dialing::due`] has something to do. Whoever has reached the other side may set another one.
    pub(super) deadline: Option<Instant>,
    /// Why it ended before there was a call.
    pub(super) failed: Option<(Exit, String)>,
    /// What went wrong on this machine beside the call.
    pub(super) broken: Option<anyhow::Error>,
}

impl<'a> Dialing<'a> {
    /// To `typed`, once they are online if there is to be a `wait`, at most so long if it has an end.
    ///
    /// # Errors
    /// It is no name, or one's own.
    pub(super) fn new(
        ground: &'a Ground,
        profile: &'a Profile,
        typed: &'a str,
        wait: Option<Option<Duration>>,
    ) -> Result<Self> {
        let to = Name::new(typed).map_err(|error| Usage::new(format!("{typed:?}: {error}")))?;
        if Name::new(&profile.name).is_ok_and(|me| me.fold() == to.fold()) {
            return Err(Usage::new("you cannot call yourself").into());
        }
        Ok(Self {
            ground,
            profile,
            to,
            typed,
            waits: wait.is_some(),
            registered: false,
            dialed: false,
            placed: false,
            deadline: wait.flatten().map(|wait| Instant::now() + wait),
            failed: None,
            broken: None,
        })
    }

    /// Whether the call of this command has been asked for.
    pub(super) fn dialed(&self) -> bool {
        self.dialed
    }

    /// Whether this is the name that is dialed.
    pub(super) fn is(&self, name: &str) -> bool {
        Name::new(name).is_ok_and(|name| name.fold() == self.to.fold())
    }

    /// Takes one step further by what happened; everything that is not about reaching the other side changes nothing.
    pub(super) fn event(&mut self, event: &Event) -> Option<Command> {
        match event {
            Event::Registered { .. } if !self.registered => self.registered(),
            Event::Presence(changes) if !self.dialed => {
                let online = |change: &Change| {
                    change.name.fold() == self.to.fold() && change.state != PresenceState::Offline
                };
                changes.iter().any(online).then(|| self.dial())
            }
            Event::SignalingDown { reason, .. } if !self.registered && !self.waits => {
                self.fail(Exit::Signaling, reason.clone())
            }
            Event::NoPath { reason } if self.dialed && !self.placed => {
                self.fail(Exit::NoMediaPath, reason.clone())
            }
            // Another call was there first, or the name is none.
            Event::Rejected { reason } if self.dialed && !self.placed => {
                self.fail(Exit::NotAnswered, reason.clone())
            }
            Event::Calling { .. } | Event::Accepted { .. } if self.dialed => {
                self.placed = true;
                None
            }
            _ => None,
        }
    }

    /// Calls now.
    pub(super) fn dial(&mut self) -> Command {
        self.dialed = true;
        self.deadline = None;
        Command::Dial { to: self.typed.to_owned() }
    }

    /// The deadline has come: of waiting, or the one that was set since.
    pub(super) fn due(&mut self) -> Option<Command> {
        self.deadline = None;
        if self.dialed {
            Some(Command::HangUp { call: None })
        } else if self.registered {
            self.fail(Exit::NotAnswered, format!("{} did not come online in time", self.typed))
        } else {
            self.fail(Exit::Signaling, "the server could not be reached in time".into())
        }
    }

    /// It came to nothing: the first reason counts.
    pub(super) fn fail(&mut self, exit: Exit, why: String) -> Option<Command> {
        self.failed.get_or_insert((exit, why));
        Some(Command::Quit)
    }

    fn registered(&mut self) -> Option<Command> {
        self.registered = true;
        if let Err(error) = self.profile.remember(&self.ground.folders.data) {
            self.broken = Some(error);
            return Some(Command::Quit);
        }
        Some(if self.waits { Command::Watch { names: vec![self.typed.to_owned()] } } else { self.dial() })
    }
}
