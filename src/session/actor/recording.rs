//! Recordings, as the session keeps them: which file a call goes into, commands on their way to the leg, and what came of them.

use std::path::PathBuf;

use super::super::event::Event;
use super::super::leg::{LegCommand, Reply};
use super::super::recording::{Recording, Take, numbered};
use super::Actor;
use crate::call::CallId;
use crate::media::WallTime;
use crate::media::record;

impl Actor {
    /// The file for the next call, if each one is to be recorded.
    pub(super) fn take(&self) -> Option<Take> {
        let path = self.config.media.record.as_ref()?;
        Some(Take { path: numbered(path, self.takes), replace: true })
    }

    /// The leg answers when the call is recorded, or is no longer, or can't be.
    pub(super) async fn record(&mut self, recording: Recording, reply: Reply) {
        let live = self.machine.state().live().filter(|call| self.has_leg(*call));
        let peer = live.and_then(|call| self.records.get(&call)).map(|record| record.peer.clone());
        let (Some(call), Some(peer)) = (live, peer) else {
            return self.refuse(reply, "there is no call".to_owned()).await;
        };
        let take = match recording {
            Recording::Into(path) => match record::check_name(&path) {
                Ok(()) => Some(Take { path, replace: true }),
                Err(error) => return self.refuse(reply, error.to_string()).await,
            },
            Recording::Anywhere => Some(Take::new(&self.config.media.recordings, &peer, WallTime::now())),
            Recording::Off => None,
        };
        self.command_leg(call, LegCommand::Record(take, reply));
    }

    pub(super) async fn recording(&mut self, call: CallId, remote: bool, on: bool, path: Option<PathBuf>) {
        if !remote && on && path == self.take().map(|take| take.path) {
            self.takes += 1;
        }
        self.tell(Event::Recording { call, remote, on, path }).await;
    }

    pub(super) async fn refuse(&mut self, reply: Reply, reason: String) {
        match reply {
            // Whoever asked may have gone.
            Some(reply) => drop(reply.send(Err(reason))),
            None => self.tell(Event::Rejected { reason }).await,
        }
    }
}
