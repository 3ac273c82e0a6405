//! Recordings: asked for by key, and told of both sides.

use std::path::PathBuf;

use super::super::model::Model;
use super::super::{Action, Now};
use crate::call::CallId;
use crate::session::{Command, Recording};

impl Model {
    /// Begins to record the call, or ends it.
    pub(super) fn record(&mut self) {
        let records = self.call.as_ref().is_some_and(|call| call.own_records);
        let recording = if records { Recording::Off } else { Recording::Anywhere };
        self.out.push(Action::Command(Command::Record(recording)));
    }

    /// A recording began or ended. That the other side records must not be overlooked.
    pub(super) fn recording(&mut self, id: CallId, remote: bool, on: bool, path: Option<PathBuf>, now: Now) {
        let Some(call) = self.call.as_mut().filter(|call| call.is(id)) else { return };
        let path = path.unwrap_or_default();
        let line = match (remote, on) {
            (true, true) => format!("{} records this call", call.peer),
            (true, false) => format!("{} no longer records", call.peer),
            (false, true) => format!("recording into {}", path.display()),
            (false, false) => format!("recorded into {}", path.display()),
        };
        *(if remote { &mut call.remote_records } else { &mut call.own_records }) = on;
        self.say(&line, remote && on, now);
    }
}
