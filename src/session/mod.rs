//! The process-side owner of a call: runs what call control decides.
//!
//! One task owns the pure machine, the signaling client and the record of the call; a second one, the leg,
//! owns the peer connection and the media engine. Front ends see only [`Command`], [`Event`] and the
//! [`report`]. Must not know the terminal, the command line or JSON.
//!
//! ```text
//!   front end ──Command──► actor ──LegCommand──► leg ──► rtc::Peer
//!             ◄──Event────   │  ◄──LegEvent────   └────► media::pipeline::Engine
//!                            ├──► call::Machine (pure)
//!                            └──► signaling::client
//! ```

mod actor;
mod attendant;
mod chat;
mod choice;
mod command;
mod config;
pub mod control;
mod event;
pub mod files;
mod leg;
mod notices;
mod record;
mod recording;
pub mod report;
mod sign;
mod trust;
mod wire;

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

pub use attendant::{Attendant, Interruption};
pub use chat::{MAX_CHAT, check as check_chat, parse as parse_chat};
pub use choice::{Choice, Slot};
pub use command::Command;
pub use config::{Alert, AlertSettings, Config, ExpectedKey, Media, Trust, Voice};
pub use event::Event;
pub use recording::{Recording, numbered};
pub use sign::{Reaction, Sign};

pub use crate::media::measure::Distribution as Spread;
pub use crate::media::monitor::Monitor;
pub use crate::media::pipeline::{Kind, Limit, Stats};
pub use crate::media::spec::{AudioSpec, HearSpec, VideoSpec};
pub use crate::rtc::{Distribution as PathDistribution, PathEnd, PathStats};
pub use crate::signaling::client::Page;
pub use crate::signaling::protocol::{Change, PresenceState, User};

/// Commands waiting for the session. When full the front end waits.
const COMMANDS: usize = 64;

/// Events waiting for the front end. Figures are dropped when it is full; everything else waits
/// [`FRONT_END_PATIENCE`], then the front end counts as gone.
const EVENTS: usize = 256;

/// How long a full event queue is waited for.
const FRONT_END_PATIENCE: Duration = Duration::from_secs(5);

/// A place to give commands from; clones give to the same session.
#[derive(Debug, Clone)]
pub struct Commander {
    orders: mpsc::Sender<command::Order>,
}

impl Commander {
    /// Asks for something; a refusal becomes [`Event::Rejected`] or [`Event::NoPath`]. Waits while the session is busy; does nothing
    /// once it has ended.
    pub async fn give(&self, command: Command) {
        let _ = self.orders.send(command::Order { command, reply: None }).await;
    }

    /// Asks for something and waits for what becomes of it: carried out, or why not.
    ///
    /// # Errors
    /// Why the command makes no sense now.
    pub async fn ask(&self, command: Command) -> Result<(), String> {
        let (reply, outcome) = oneshot::channel();
        let gone = || "the session has ended".to_owned();
        self.orders.send(command::Order { command, reply: Some(reply) }).await.map_err(|_| gone())?;
        outcome.await.unwrap_or_else(|_| Err(gone()))
    }
}

/// A running session. Dropping it and every commander hangs up and signs off.
#[derive(Debug)]
pub struct Session {
    commands: Commander,
    events: mpsc::Receiver<Event>,
}

impl Session {
    /// Signs in and waits for commands, on the present tokio runtime.
    #[must_use]
    pub fn start(config: Config) -> Self {
        let (commands, inbox) = mpsc::channel(COMMANDS);
        let (outbox, events) = mpsc::channel(EVENTS);
        let (client, server) = crate::signaling::client::Client::spawn(config.signaling.clone());
        tokio::spawn(actor::Actor::new(config, client, server, inbox, outbox).run());
        Self { commands: Commander { orders: commands }, events }
    }

    /// [`Commander::give`].
    pub async fn command(&self, command: Command) {
        self.commands.give(command).await;
    }

    /// Where commands are given.
    #[must_use]
    pub fn commander(&self) -> &Commander {
        &self.commands
    }

    /// The next event; `None` after [`Event::Closed`].
    pub async fn next(&mut self) -> Option<Event> {
        self.events.recv().await
    }
}
