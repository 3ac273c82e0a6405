//! The one owner of a call: turns everything that happens into one closed enum, asks the pure machine,
//! and carries out its effects.
//!
//! Owns the machine, the signaling client, the record of the present call (and of one that is still being
//! closed) and the leg that holds its peer connection and media. Knows no front end: commands come in,
//! events go out. Dropping the front end's handle hangs up.

mod effects;
mod media;
mod recording;
mod server;
mod talk;

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::command::{Command, Order};
use super::config::Config;
use super::event::Event;
use super::leg::{FileOrder, LegCommand, LegEvent, Reply, Switch};
use super::record::Record;
use super::report::Direction;
use super::trust::Judge;
use super::wire::Wire;
use crate::call::{CallId, Event as CallEvent, Machine, State};
use crate::rtc::{self, IceServer};
use crate::signaling::client::{Client, Event as ServerEvent};
use crate::signaling::protocol::Name;

/// Events of legs waiting for the actor. When full the leg waits; the actor never waits for a leg in return.
pub(super) const LEG_EVENTS: usize = 256;

enum Input {
    Command(Option<Order>),
    Server(Option<ServerEvent>),
    Leg(CallId, LegEvent),
    /// The server answers, before ICE is restarted over it.
    Reached(CallId),
    Deadline,
}

pub(super) struct Actor {
    config: Config,
    machine: Machine,
    epoch: Instant,
    wire: Wire,
    server: mpsc::Receiver<ServerEvent>,
    commands: mpsc::Receiver<Order>,
    events: mpsc::Sender<Event>,
    leg_events: mpsc::Receiver<(CallId, LegEvent)>,
    leg_sender: mpsc::Sender<(CallId, LegEvent)>,
    /// The present call, and calls whose legs are still closing.
    records: HashMap<CallId, Record>,
    judge: Judge,
    /// From the server, at registration.
    ice_servers: Vec<IceServer>,
    /// What carrying out effects brought up, fed to the machine next.
    pending: VecDeque<CallEvent>,
    /// Calls that were recorded into the file of the settings.
    takes: usize,
    /// The front end has gone or wants to.
    quitting: bool,
    /// The client has stopped for good.
    server_gone: bool,
    /// Nobody sits here.
    away: bool,
    /// The question to the server before ICE is restarted for a call.
    reaching: JoinSet<Option<CallId>>,
}

impl Actor {
    pub(super) fn new(
        config: Config,
        client: Client,
        server: mpsc::Receiver<ServerEvent>,
        commands: mpsc::Receiver<Order>,
        events: mpsc::Sender<Event>,
    ) -> Self {
        let (leg_sender, leg_events) = mpsc::channel(LEG_EVENTS);
        let me = config.signaling.name.to_string();
        let mut machine = Machine::new(config.timing.clone(), me);
        // Nothing is sent before the first registration.
        machine.handle(Duration::ZERO, CallEvent::SignalingDown);
        Self {
            machine,
            judge: Judge::new(config.trust.clone()),
            epoch: Instant::now(),
            config,
            wire: Wire::new(client),
            server,
            commands,
            events,
            leg_events,
            leg_sender,
            records: HashMap::new(),
            ice_servers: Vec::new(),
            pending: VecDeque::new(),
            takes: 0,
            quitting: false,
            server_gone: false,
            away: false,
            reaching: JoinSet::new(),
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
            // A call that is up needs no server; without a call there is nothing left to do.
            if self.server_gone && self.machine.state().live().is_none() {
                self.quitting = true;
            }
        }
        self.tell(Event::Closed).await;
        self.wire.close(super::config::SIGN_OFF).await;
    }

    async fn next(&mut self) -> Input {
        let deadline = self.machine.deadline().map(|after| self.epoch + after);
        tokio::select! {
            Some((call, event)) = self.leg_events.recv() => Input::Leg(call, event),
            command = self.commands.recv(), if !self.quitting => Input::Command(command),
            event = self.server.recv(), if !self.server_gone => Input::Server(event),
            Some(Ok(Some(call))) = self.reaching.join_next() => Input::Reached(call),
            () = sleep_until(deadline) => Input::Deadline,
        }
    }

    async fn handle(&mut self, input: Input) {
        match input {
            Input::Command(Some(Order { command: Command::Dial { to }, reply })) => {
                self.dial(&to, reply).await
            }
            Input::Command(Some(Order { command: Command::Use(choice), reply })) => {
                self.switch(Switch::To(choice), reply).await;
            }
            Input::Command(Some(Order { command: Command::Next(slot), reply })) => {
                self.switch(Switch::Next(slot), reply).await;
            }
            Input::Command(Some(Order { command: Command::Record(recording), reply })) => {
                self.record(recording, reply).await;
            }
            Input::Command(Some(Order { command: Command::SendFile { path }, reply })) => {
                self.file(FileOrder::Send(path), reply).await;
            }
            Input::Command(Some(Order { command: Command::AcceptFile { number }, reply })) => {
                self.file(FileOrder::Accept(number), reply).await;
            }
            Input::Command(Some(Order { command: Command::DeclineFile { number }, reply })) => {
                self.file(FileOrder::Decline(number), reply).await;
            }
            Input::Command(Some(Order { command: Command::CancelFile { number }, reply })) => {
                self.file(FileOrder::Cancel(number), reply).await;
            }
            Input::Command(Some(Order { command, reply })) => {
                let outcome = self.command(command).await;
                match (reply, outcome) {
                    // Whoever asked may have gone.
                    (Some(reply), outcome) => drop(reply.send(outcome)),
                    (None, Err(reason)) => self.tell(Event::Rejected { reason }).await,
                    (None, Ok(())) => {}
                }
            }
            Input::Command(None) => self.quit(),
            Input::Server(Some(event)) => self.server_event(event).await,
            Input::Server(None) => {
                self.server_gone = true;
                self.pending.push_back(CallEvent::SignalingDown);
            }
            Input::Leg(call, event) => self.leg_event(call, event).await,
            Input::Reached(call) => self.reached(call),
            Input::Deadline => self.pending.push_back(CallEvent::Tick),
        }
    }

    fn quit(&mut self) {
        self.quitting = true;
        match self.machine.state() {
            // Other sessions of this name go on ringing.
            State::Ringing { .. } => self.pending.push_back(CallEvent::Decline { busy: true }),
            state if state.live().is_some() => self.pending.push_back(CallEvent::HangUp),
            _ => {}
        }
    }

    /// Carries a command out, or says why not.
    async fn command(&mut self, command: Command) -> Result<(), String> {
        let live = self.machine.state().live();
        let none = || Err("there is no call".to_owned());
        match command {
            Command::Accept { call } | Command::Decline { call, .. } | Command::HangUp { call }
                if live.is_none() || call.is_some_and(|call| Some(call) != live) =>
            {
                return none();
            }
            Command::Accept { .. } | Command::Decline { .. }
                if !matches!(self.machine.state(), State::Ringing { .. }) =>
            {
                return Err("no call rings here".into());
            }
            Command::Accept { .. } => self.pending.push_back(CallEvent::Accept),
            Command::Decline { busy, .. } => self.pending.push_back(CallEvent::Decline { busy }),
            Command::HangUp { .. } => self.pending.push_back(CallEvent::HangUp),
            Command::Mute { kind, muted } => return self.mute(kind, muted).await,
            // Carried out elsewhere.
            Command::Dial { .. }
            | Command::Use(_)
            | Command::Next(_)
            | Command::Record(_)
            | Command::SendFile { .. }
            | Command::AcceptFile { .. }
            | Command::DeclineFile { .. }
            | Command::CancelFile { .. } => {}
            Command::PushToTalk(on) => self.push_to_talk(on).await,
            Command::Alert(on) => {
                self.config.media.alert.on = on;
                if let Some(call) = live {
                    self.command_leg(call, LegCommand::Alert(on));
                }
            }
            Command::Window(limit) => {
                if let Some(call) = live {
                    self.command_leg(call, LegCommand::Window(limit));
                }
            }
            Command::Chat { text } => {
                super::chat::message(&text)?;
                match live.filter(|call| self.has_leg(*call)) {
                    Some(call) => self.command_leg(call, LegCommand::Chat(text)),
                    None => return none(),
                }
            }
            Command::Compare { code } => return self.compare(&code).await,
            Command::Sign(sign) => return self.show(sign).await,
            Command::Watch { names } => self.wire.watch(names),
            Command::Users { query, after, reply } => self.wire.users(query, after, reply),
            Command::Quit => self.quit(),
        }
        Ok(())
    }

    /// Calls `to`, or says why not.
    async fn dial(&mut self, to: &str, reply: Reply) {
        // Nobody's bell rings for what can't come about.
        let no_path = self.rtc_config().check().err().map(|error| error.to_string());
        let outcome = self.callee(to).and_then(|to| no_path.clone().map_or(Ok(to), Err));
        match (reply, outcome.and_then(|to| self.place(&to))) {
            // Whoever asked may have gone.
            (Some(reply), outcome) => drop(reply.send(outcome)),
            (None, Err(reason)) if no_path.as_ref() == Some(&reason) => {
                self.tell(Event::NoPath { reason }).await;
            }
            (None, Err(reason)) => self.tell(Event::Rejected { reason }).await,
            (None, Ok(())) => {}
        }
    }

    /// Who is called by this name, if anybody can be now. Dialing whoever is ringing here is answering, as call control knows.
    fn callee(&self, to: &str) -> Result<Name, String> {
        let to = Name::new(to).map_err(|error| format!("{to:?}: {error}"))?;
        if self.machine.state().live().is_some() && !self.rings_from(&to) {
            return Err("there is a call already".into());
        }
        Ok(to)
    }

    fn place(&mut self, to: &Name) -> Result<(), String> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(|_| "the system gave no random bytes for a call id")?;
        let (call, to) = (CallId::from_bytes(bytes), to.to_string());
        let mut record = Record::new(call, to.clone(), Direction::Outgoing);
        record.only_files = self.config.files.only;
        self.records.insert(call, record);
        self.pending.push_back(CallEvent::Dial { call, to });
        Ok(())
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
            LegEvent::Silent => self.pending.push_back(CallEvent::PathChanged { call }),
            LegEvent::AddressGone => {
                // The socket to the server may lie on the same address: it is made anew rather than waited for.
                self.wire.reconnect();
                self.pending.push_back(CallEvent::PathChanged { call });
            }
            LegEvent::LinkFailed => self.pending.push_back(CallEvent::LinkFailed { call }),
            LegEvent::Goodbye => self.pending.push_back(CallEvent::Goodbye { call }),
            LegEvent::RemoteMute(kind, muted) => self.remote_muted(call, kind, muted).await,
            LegEvent::RemotePicture { picture, changed } => {
                self.remote_picture(call, picture, changed).await;
            }
            LegEvent::Using { choice, off, missing } => self.using(call, choice, off, missing).await,
            LegEvent::Recording { remote, on, path } => self.recording(call, remote, on, path).await,
            LegEvent::Rejected(reason) => self.tell(Event::Rejected { reason }).await,
            LegEvent::Alert { raised, count } => self.tell(Event::Alert { call, raised, count }).await,
            LegEvent::Chat { remote, text, number } => self.written(call, remote, text, number).await,
            LegEvent::Delivered(number) => self.delivered(call, number).await,
            LegEvent::Sign(remote, sign) => self.tell(Event::Sign { call: Some(call), remote, sign }).await,
            LegEvent::File(file) => self.tell(Event::File { call, file }).await,
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
            LegEvent::NoPath(why) => {
                if let Some(record) = self.records.get_mut(&call) {
                    record.detail = Some(why);
                }
                self.pending.push_back(CallEvent::LinkFailed { call });
            }
            LegEvent::Stats(media, path) => {
                // Figures are for watching: a front end that lags behind misses some.
                let _ = self.events.try_send(Event::Stats { call, media, path });
            }
            LegEvent::Closed(figures) => {
                if let Some(record) = self.records.get_mut(&call) {
                    record.leg = None;
                    record.media = figures.media.map(|media| *media);
                    record.path = figures.path.map(|path| *path);
                    record.recorded = figures.recorded;
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
        let media = !self.config.files.only;
        let policy = self.config.ice_policy;
        let trust = self.config.authorities.clone();
        rtc::Config { ice_servers, policy, audio: media, video: media, trust, ..rtc::Config::default() }
    }

    fn rings_from(&self, name: &Name) -> bool {
        match self.machine.state() {
            State::Ringing { from, .. } => Name::new(from).is_ok_and(|from| from.fold() == name.fold()),
            _ => false,
        }
    }

    fn unanswered_offer(&self, call: CallId) -> bool {
        self.records.get(&call).is_some_and(Record::awaits_answer)
    }

    fn has_leg(&self, call: CallId) -> bool {
        self.records.get(&call).is_some_and(|record| record.leg.is_some())
    }

    fn command_leg(&mut self, call: CallId, command: LegCommand) {
        if let Some(leg) = self.records.get_mut(&call).and_then(|record| record.leg.as_mut()) {
            leg.send(command);
        }
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
