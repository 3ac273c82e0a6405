//! The one owner of a call: turns everything that happens into one closed enum, asks the pure machine,
//! and carries out its effects.
//!
//! Owns the machine, the signaling client, the record of the present call (and of one that is still being
//! closed) and the leg that holds its peer connection and media. Knows no front end: commands come in,
//! events go out. Dropping the front end's handle hangs up.

mod effects;
mod server;

use std::collections::{HashMap, VecDeque};

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::command::Command;
use super::config::Config;
use super::event::Event;
use super::leg::{Leg, LegCommand, LegEvent, LegSetup};
use super::record::Record;
use super::report::Direction;
use super::trust::Judge;
use super::wire::Wire;
use crate::call::{CallId, Event as CallEvent, Machine, State};
use crate::media::pipeline::Kind;
use crate::rtc::{self, IceServer};
use crate::signaling::client::{Client, Event as ServerEvent};

/// Events of legs waiting for the actor. When full the leg waits; the actor never waits for a leg in return.
pub(super) const LEG_EVENTS: usize = 256;

/// Makes legs. A seam for tests of the actor without a network.
pub(super) trait Legs: Send + 'static {
    fn start(&mut self, setup: LegSetup, events: mpsc::Sender<(CallId, LegEvent)>) -> Leg;
}

/// The legs of real calls.
pub(super) struct RealLegs;

impl Legs for RealLegs {
    fn start(&mut self, setup: LegSetup, events: mpsc::Sender<(CallId, LegEvent)>) -> Leg {
        Leg::spawn(setup, events)
    }
}

enum Input {
    Command(Option<Command>),
    Server(Option<ServerEvent>),
    Leg(CallId, LegEvent),
    Deadline,
}

pub(super) struct Actor<L> {
    config: Config,
    machine: Machine,
    epoch: Instant,
    wire: Wire,
    server: mpsc::Receiver<ServerEvent>,
    commands: mpsc::Receiver<Command>,
    events: mpsc::Sender<Event>,
    legs: L,
    leg_events: mpsc::Receiver<(CallId, LegEvent)>,
    leg_sender: mpsc::Sender<(CallId, LegEvent)>,
    /// The present call, and calls whose legs are still closing.
    records: HashMap<CallId, Record>,
    judge: Judge,
    /// From the server, at registration.
    ice_servers: Vec<IceServer>,
    /// What carrying out effects brought up, fed to the machine next.
    pending: VecDeque<CallEvent>,
    quitting: bool,
}

impl<L: Legs> Actor<L> {
    pub(super) fn new(
        config: Config,
        client: Client,
        server: mpsc::Receiver<ServerEvent>,
        commands: mpsc::Receiver<Command>,
        events: mpsc::Sender<Event>,
        legs: L,
    ) -> Self {
        let (leg_sender, leg_events) = mpsc::channel(LEG_EVENTS);
        Self {
            machine: Machine::new(config.timing.clone(), config.signaling.name.fold().as_str().to_owned()),
            judge: Judge::new(config.trust.clone()),
            epoch: Instant::now(),
            config,
            wire: Wire::new(client),
            server,
            commands,
            events,
            legs,
            leg_events,
            leg_sender,
            records: HashMap::new(),
            ice_servers: Vec::new(),
            pending: VecDeque::new(),
            quitting: false,
        }
    }

    /// Runs until the front end quits or the server refuses us.
    pub(super) async fn run(mut self) {
        while !(self.quitting && self.records.is_empty()) {
            let input = self.next().await;
            self.handle(input).await;
            while let Some(event) = self.pending.pop_front() {
                self.drive(event).await;
            }
            self.sweep();
        }
        self.tell(Event::Closed).await;
        self.wire.close(super::config::SIGN_OFF).await;
    }

    async fn next(&mut self) -> Input {
        let deadline = self.machine.deadline().map(|after| self.epoch + after);
        tokio::select! {
            biased;
            Some((call, event)) = self.leg_events.recv() => Input::Leg(call, event),
            command = self.commands.recv(), if !self.quitting => Input::Command(command),
            event = self.server.recv() => Input::Server(event),
            () = sleep_until(deadline) => Input::Deadline,
        }
    }

    async fn handle(&mut self, input: Input) {
        match input {
            Input::Command(Some(command)) => self.command(command).await,
            Input::Command(None) => self.quit(),
            Input::Server(Some(event)) => self.server_event(event).await,
            Input::Server(None) => self.quit(),
            Input::Leg(call, event) => self.leg_event(call, event).await,
            Input::Deadline => self.pending.push_back(CallEvent::Tick),
        }
    }

    fn quit(&mut self) {
        self.quitting = true;
        if self.machine.state().live().is_some() {
            self.pending.push_back(CallEvent::HangUp);
        }
    }

    async fn command(&mut self, command: Command) {
        let live = self.machine.state().live();
        match command {
            // Dialing whoever is ringing here is answering, as call control knows.
            Command::Dial { to } if live.is_some() && !self.rings_from(&to) => {
                self.reject("there is a call already").await;
            }
            Command::Dial { to } => self.dial(to).await,
            Command::Accept | Command::Decline { .. } | Command::HangUp if live.is_none() => {
                self.reject("there is no call").await;
            }
            Command::Accept => self.pending.push_back(CallEvent::Accept),
            Command::Decline { busy } => self.pending.push_back(CallEvent::Decline { busy }),
            Command::HangUp => self.pending.push_back(CallEvent::HangUp),
            Command::Mute { kind, muted } => match live.filter(|call| self.has_leg(*call)) {
                Some(call) => {
                    self.command_leg(call, LegCommand::Mute(kind, muted));
                    self.tell(Event::Media { call, remote: false, kind, muted }).await;
                }
                None => self.reject("there is no call").await,
            },
            Command::Watch { names } => self.wire.watch(names),
            Command::Users { query, after, reply } => self.wire.users(query, after, reply),
            Command::Quit => self.quit(),
        }
    }

    async fn dial(&mut self, to: String) {
        let mut bytes = [0; 16];
        if getrandom::fill(&mut bytes).is_err() {
            return self.reject("the system gave no random bytes for a call id").await;
        }
        let call = CallId::from_bytes(bytes);
        self.records.insert(call, Record::new(call, to.clone(), Direction::Outgoing));
        self.pending.push_back(CallEvent::Dial { call, to });
    }

    async fn leg_event(&mut self, call: CallId, event: LegEvent) {
        match event {
            LegEvent::Described { offer, sdp } => self.describe(call, offer, sdp).await,
            LegEvent::Candidate(candidate) => {
                if let Some(record) = self.records.get_mut(&call) {
                    record.remember(candidate.clone());
                    self.wire.candidate(call, candidate);
                }
            }
            LegEvent::Connected => self.pending.push_back(CallEvent::Connected { call }),
            LegEvent::LinkDown => self.pending.push_back(CallEvent::LinkDown { call }),
            LegEvent::LinkUp => self.pending.push_back(CallEvent::LinkUp { call }),
            LegEvent::LinkFailed => self.pending.push_back(CallEvent::LinkFailed { call }),
            LegEvent::Goodbye => self.pending.push_back(CallEvent::Goodbye { call }),
            LegEvent::RemoteMute(kind, muted) => {
                if muted && let Some(record) = self.records.get_mut(&call) {
                    match kind {
                        Kind::Audio => record.remote_sends.audio = false,
                        Kind::Video => record.remote_sends.video = false,
                    }
                }
                self.tell(Event::Media { call, remote: true, kind, muted }).await;
            }
            LegEvent::Refused(why) => {
                tracing::warn!(%call, "the other side's message was refused: {why}");
                self.tell(Event::Notice { text: why }).await;
            }
            LegEvent::Notice(text) => self.tell(Event::Notice { text }).await,
            LegEvent::MediaFailed(why) => {
                if let Some(record) = self.records.get_mut(&call) {
                    record.detail = Some(why);
                }
                self.pending.push_back(CallEvent::MediaFailed { call });
            }
            LegEvent::Stats(media, path) => {
                // Figures are for watching: a front end that lags behind misses some.
                let _ = self.events.try_send(Event::Stats { call, media, path });
            }
            LegEvent::Closed(media, path) => {
                if let Some(record) = self.records.get_mut(&call) {
                    record.leg = None;
                    record.media = media.map(|media| *media);
                    record.path = path.map(|path| *path);
                }
                self.finish(call).await;
            }
        }
    }

    /// Signs and sends a description, then lets the leg apply it: candidates come out of that, and must not
    /// overtake it.
    async fn describe(&mut self, call: CallId, offer: bool, sdp: String) {
        let Some(record) = self.records.get_mut(&call) else {
            return;
        };
        let signed = super::trust::sign_description(call, &self.config.identity, offer, &sdp);
        match signed {
            Ok((fingerprint, signature)) => {
                record.local_fingerprint = Some(fingerprint);
                self.wire.description(call, offer, &sdp, signature);
                record.described(offer, sdp, signature);
                self.command_leg(call, LegCommand::Described);
            }
            Err(why) => {
                record.detail = Some(why);
                self.pending.push_back(CallEvent::MediaFailed { call });
            }
        }
    }

    async fn drive(&mut self, event: CallEvent) {
        for effect in self.machine.handle(self.epoch.elapsed(), event) {
            self.effect(effect).await;
        }
    }

    /// Lets go of calls that came to nothing here: declined as busy, or lost against our own at the same time.
    fn sweep(&mut self) {
        let state = self.machine.state();
        let rival = match state {
            State::Dialing { rival: Some(rival), .. } => Some(rival.call),
            _ => None,
        };
        let live = state.live();
        self.records.retain(|call, record| {
            record.leg.is_some() || record.end.is_some() || Some(*call) == live || Some(*call) == rival
        });
    }

    fn repeat_unanswered(&mut self, call: CallId) {
        let Some(record) = self.records.get(&call) else {
            return;
        };
        if let Some(unanswered) = &record.unanswered {
            self.wire.description(call, unanswered.offer, &unanswered.sdp, unanswered.signature);
            for candidate in &unanswered.candidates {
                self.wire.candidate(call, candidate.clone());
            }
        }
    }

    fn rtc_config(&self) -> rtc::Config {
        let ice_servers = self.config.ice_servers.iter().chain(&self.ice_servers).cloned().collect();
        rtc::Config { ice_servers, policy: self.config.ice_policy, ..rtc::Config::default() }
    }

    fn rings_from(&self, name: &str) -> bool {
        matches!(self.machine.state(), State::Ringing { from, .. } if from.to_lowercase() == name.to_lowercase())
    }

    fn has_leg(&self, call: CallId) -> bool {
        self.records.get(&call).is_some_and(|record| record.leg.is_some())
    }

    fn command_leg(&mut self, call: CallId, command: LegCommand) {
        if let Some(leg) = self.records.get_mut(&call).and_then(|record| record.leg.as_mut()) {
            leg.send(command);
        }
    }

    async fn reject(&mut self, reason: &str) {
        self.tell(Event::Rejected { reason: reason.to_owned() }).await;
    }

    /// A front end that has stopped reading has also stopped commanding: the call ends as if it had let go.
    async fn tell(&mut self, event: Event) {
        match tokio::time::timeout(super::FRONT_END_PATIENCE, self.events.send(event)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) if self.quitting => {}
            Ok(Err(_)) | Err(_) => self.quit(),
        }
    }
}

/// Never, when there is no deadline.
async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
