//! The hand-on-face alert of a call: on, off, and what it tells. Nothing of it goes to the other side.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::{LegEvent, Running};
use crate::media::alert::{Change, Tell, Watcher};
use crate::media::spec::VideoSpec;

/// Changes waiting for the leg; there is one in half a second at most. When full they are dropped.
const CHANGES: usize = 16;

/// Where the watcher tells, and where the leg hears it.
pub(super) fn channel() -> (Tell, mpsc::Receiver<Change>) {
    let (sender, receiver) = mpsc::channel(CHANGES);
    let tell = move |change| {
        // Full or closed: the watcher waits for nobody.
        let _ = sender.try_send(change);
    };
    (Arc::new(tell), receiver)
}

impl Running<'_> {
    /// Begins to look, or stops; an alert that is on is over with that.
    pub(super) async fn alert(&mut self, on: bool) {
        self.known.media.alert.on = on;
        // What an echo shows is somebody else's face.
        if !on || self.known.media.video == VideoSpec::Echo {
            self.engine.set_alert(None);
            while self.watched.try_recv().is_ok() {}
            return self.free().await;
        }
        match Watcher::start(self.known.media.alert.settings, Arc::clone(&self.watch)) {
            Ok(watcher) => {
                self.engine.set_alert(Some(watcher));
                self.free().await;
            }
            Err(error) => self.out.send(LegEvent::Notice(error.to_string())).await,
        }
    }

    /// What the watcher told.
    pub(super) async fn alerted(&mut self, change: Change) {
        match change {
            Change::Raised(_) => {
                self.alerts += 1;
                self.covered = true;
                self.out.send(LegEvent::Alert { raised: true, count: self.alerts }).await;
            }
            Change::Cleared => self.free().await,
            Change::Failed(why) => {
                self.out.send(LegEvent::Notice(format!("there is no hand-on-face alert: {why}"))).await;
            }
        }
    }

    async fn free(&mut self) {
        if std::mem::take(&mut self.covered) {
            self.out.send(LegEvent::Alert { raised: false, count: self.alerts }).await;
        }
    }
}
