//! The one owner of a call: turns everything that happens into one closed enum, asks the pure machine,
//! and carries out its effects.
//!
//! Owns the machine, the signaling client, the record of the present call (and of one that is still being
//! closed) and the leg that holds its peer connection and media. Knows no front end: commands come in,
//! events go out. Dropping the front end's handle hangs up.

use std::collections::{HashMap, VecDeque};

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::command::Command;
use super::config::Config;
use super::event::Event;
use super::leg::{Leg, LegCommand, LegEvent, LegSetup};
use super::record::Record;
use super::report::Direction;
use super::trust::{Judge, Judgement};
use super::wire::{self, Wire};
use crate::call::{
    CallId, Effect, EndReason, Event as CallEvent, LinkNotice, Machine, Notice, State,
};
use crate::identity::Signature;
use crate::media::pipeline::Kind;
use crate::rtc::{self, Candidate, IceServer};
use crate::signaling::client::{Client, Event as ServerEvent};
use crate::signaling::protocol::{DescriptionKind, ErrorCode, SessionId};

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
            machine: Machine::new(
                config.timing.clone(),
                config.signaling.name.fold().as_str().to_owned(),
            ),
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
            Command::Dial { .. } if live.is_some() => self.reject("there is a call already").await,
            Command::Dial { to } => self.dial(to).await,
            Command::Accept | Command::Decline { .. } | Command::HangUp if live.is_none() => {
                self.reject("there is no call").await;
            }
            Command::Accept => self.pending.push_back(CallEvent::Accept),
            Command::Decline { busy } => self.pending.push_back(CallEvent::Decline { busy }),
            Command::HangUp => self.pending.push_back(CallEvent::HangUp),
            Command::Mute { kind, muted } => {
                match live.filter(|call| self.to_leg_possible(*call)) {
                    Some(call) => {
                        self.to_leg(call, LegCommand::Mute(kind, muted));
                        self.tell(Event::Media {
                            call,
                            remote: false,
                            kind,
                            muted,
                        })
                        .await;
                    }
                    None => self.reject("there is no call").await,
                }
            }
            Command::Watch { names } => self.wire.watch(names),
            Command::Users {
                query,
                after,
                reply,
            } => self.wire.users(query, after, reply),
            Command::Quit => self.quit(),
        }
    }

    async fn dial(&mut self, to: String) {
        let mut bytes = [0; 16];
        if getrandom::fill(&mut bytes).is_err() {
            return self
                .reject("the system gave no random bytes for a call id")
                .await;
        }
        let call = CallId::from_bytes(bytes);
        self.records
            .insert(call, Record::new(call, to.clone(), Direction::Outgoing));
        self.pending.push_back(CallEvent::Dial { call, to });
    }

    async fn server_event(&mut self, event: ServerEvent) {
        match event {
            ServerEvent::Up {
                name,
                resumed,
                ice_servers,
                ..
            } => {
                self.ice_servers = ice_servers
                    .into_iter()
                    .map(|server| IceServer {
                        urls: server.urls,
                        username: server.username,
                        credential: server.credential,
                    })
                    .collect();
                self.tell(Event::Registered {
                    name: name.to_string(),
                    resumed,
                })
                .await;
                self.pending.push_back(CallEvent::SignalingUp);
            }
            ServerEvent::Down { reason, retry_in } => {
                self.pending.push_back(CallEvent::SignalingDown);
                self.tell(Event::SignalingDown { reason, retry_in }).await;
            }
            ServerEvent::Refused { code, message } => {
                self.tell(Event::Refused {
                    code: code.as_str().to_owned(),
                    message,
                })
                .await;
                self.quit();
            }
            ServerEvent::Incoming {
                call,
                from,
                from_key,
                from_session,
            } => {
                self.incoming(
                    wire::call(call),
                    from.to_string(),
                    *from_key.bytes(),
                    from_session,
                )
                .await;
            }
            ServerEvent::Ringing { call } => self.pending.push_back(CallEvent::Ringing {
                call: wire::call(call),
            }),
            ServerEvent::Accepted {
                call, key, session, ..
            } => {
                self.accepted(wire::call(call), *key.bytes(), session);
            }
            ServerEvent::Ended { call, reason, .. } => {
                self.pending.push_back(CallEvent::Ended {
                    call: wire::call(call),
                    reason: wire::reason(reason),
                });
            }
            ServerEvent::PeerSignaling { call, up, session } => {
                let call = wire::call(call);
                if let (Some(record), Some(session)) = (self.records.get_mut(&call), session) {
                    record.remote_session = Some(session);
                }
                self.pending
                    .push_back(CallEvent::PeerSignaling { call, up });
            }
            ServerEvent::Description {
                call,
                from,
                kind,
                sdp,
                signature,
            } => {
                let offer = kind == DescriptionKind::Offer;
                self.description(wire::call(call), from, offer, sdp, *signature.bytes())
                    .await;
            }
            ServerEvent::Candidate {
                call,
                from,
                candidate,
                mid,
                mline,
            } => {
                let call = wire::call(call);
                if self
                    .records
                    .get(&call)
                    .is_some_and(|record| record.is_from(from))
                {
                    self.to_leg(
                        call,
                        LegCommand::Candidate(Candidate {
                            candidate,
                            mid,
                            mline,
                        }),
                    );
                }
            }
            ServerEvent::Presence(changes) => self.tell(Event::Presence(changes)).await,
            ServerEvent::CallRefused {
                call,
                code,
                message,
            } => self.call_refused(wire::call(call), code, message).await,
        }
    }

    /// The server would not place our call, or had forgotten it; anything else it refuses is worth a line only.
    async fn call_refused(&mut self, call: CallId, code: ErrorCode, message: String) {
        let placed = self.machine.state().live() == Some(call)
            && matches!(self.machine.state(), State::Dialing { .. });
        if placed {
            if let Some(record) = self.records.get_mut(&call) {
                record.detail = Some(message);
            }
            self.pending.push_back(CallEvent::Ended {
                call,
                reason: EndReason::Refused,
            });
        } else {
            tracing::info!(
                code = code.as_str(),
                "the server refused a message: {message}"
            );
        }
    }

    async fn incoming(&mut self, call: CallId, from: String, key: [u8; 32], session: SessionId) {
        let (key, first_contact) = match self.judge.judge(&from, key) {
            Judgement::Trusted { key, first_contact } => (key, first_contact),
            Judgement::Refused { why } => {
                self.tell(Event::Notice {
                    text: format!("refused a call: {why}"),
                })
                .await;
                return self.wire.decline(call, false);
            }
        };
        if !self.records.contains_key(&call) {
            let mut record = Record::new(call, from.clone(), Direction::Incoming);
            record.key = Some(key);
            record.first_contact = first_contact;
            record.remote_session = Some(session);
            self.records.insert(call, record);
        }
        self.pending.push_back(CallEvent::Incoming { call, from });
    }

    fn accepted(&mut self, call: CallId, key: [u8; 32], session: SessionId) {
        let Some(record) = self.records.get_mut(&call) else {
            // Not ours any more: the machine answers it with a hang-up.
            return self.pending.push_back(CallEvent::Accepted { call });
        };
        match self.judge.judge(&record.peer, key) {
            Judgement::Trusted { key, first_contact } => {
                record.key = Some(key);
                record.first_contact = first_contact;
                record.remote_session = Some(session);
                self.pending.push_back(CallEvent::Accepted { call });
            }
            Judgement::Refused { why } => {
                record.detail = Some(why);
                self.pending.push_back(CallEvent::IdentityRefused { call });
            }
        }
    }

    /// Checks that the DTLS fingerprint in a description is signed by the key of the other side, so that not
    /// even the server can put its own in place.
    async fn description(
        &mut self,
        call: CallId,
        from: SessionId,
        offer: bool,
        sdp: String,
        signature: [u8; 64],
    ) {
        let Some(record) = self
            .records
            .get_mut(&call)
            .filter(|record| record.is_from(from))
        else {
            return;
        };
        match super::trust::check_description(
            call,
            record.key.as_ref(),
            offer,
            &sdp,
            &Signature::from_bytes(signature),
        ) {
            Ok(fingerprint) => {
                record.remote_fingerprint = Some(fingerprint);
                record.acknowledged(offer);
                self.to_leg(call, LegCommand::Remote { offer, sdp });
            }
            Err(why) => {
                record.detail = Some(why);
                self.pending.push_back(CallEvent::IdentityRefused { call });
            }
        }
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
                self.tell(Event::Media {
                    call,
                    remote: true,
                    kind,
                    muted,
                })
                .await;
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
                self.to_leg(call, LegCommand::Described);
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

    async fn effect(&mut self, effect: Effect) {
        match effect {
            Effect::SendInvite { call, to } => self.wire.invite(call, &to),
            Effect::SendRinging { call } => self.wire.ringing(call),
            Effect::SendAccept { call } => self.wire.accept(call),
            Effect::SendDecline { call, busy } => self.wire.decline(call, busy),
            Effect::SendCancel { call } => self.wire.cancel(call),
            Effect::SendHangup { call, reason } => self.wire.hangup(call, reason),
            Effect::SendRejoin { call, with } => self.wire.rejoin(call, &with),
            Effect::RepeatDescription { call } => self.repeat_unanswered(call),
            Effect::PreparePeer { call, role } => {
                let setup = LegSetup {
                    call,
                    role,
                    media: self.config.media.clone(),
                    rtc: self.rtc_config(),
                };
                let leg = self.legs.start(setup, self.leg_sender.clone());
                if let Some(record) = self.records.get_mut(&call) {
                    record.leg = Some(leg);
                }
            }
            Effect::Negotiate { call, .. } => self.to_leg(call, LegCommand::Negotiate),
            Effect::StartMedia { call } => self.to_leg(call, LegCommand::StartMedia),
            Effect::RestartIce { call } => self.to_leg(call, LegCommand::RestartIce),
            Effect::ClosePeer { call, goodbye } => self.to_leg(call, LegCommand::Close { goodbye }),
            Effect::Notify { call, notice } => self.notify(call, notice).await,
            Effect::Ignored { event, state, call } => {
                tracing::debug!(event, state, call = ?call.map(|call| call.to_string()), "ignored");
            }
        }
    }

    async fn notify(&mut self, call: CallId, notice: Notice) {
        let now = Instant::now();
        let record = self.records.get_mut(&call);
        let event = match notice {
            Notice::Calling { to } => Event::Calling { call, to },
            Notice::Ringing => {
                record.into_iter().for_each(|record| record.rings(now));
                Event::Ringing { call }
            }
            Notice::Incoming { from } => {
                let Some(record) = record else { return };
                record.rings(now);
                let key = record
                    .key
                    .as_ref()
                    .map(ToString::to_string)
                    .unwrap_or_default();
                Event::Incoming {
                    call,
                    from,
                    key,
                    first_contact: record.first_contact,
                }
            }
            Notice::Accepted => {
                record.into_iter().for_each(|record| record.accepted(now));
                Event::Accepted { call }
            }
            Notice::Merged { into } => return self.merge(call, into),
            Notice::Connected => {
                let Some(record) = record else { return };
                record.connected(now);
                if let Some(key) = &record.key
                    && let Err(error) = self.judge.pin(&record.peer, key)
                {
                    self.tell(Event::Notice {
                        text: format!("the key could not be remembered: {error}"),
                    })
                    .await;
                }
                let Some(record) = self.records.get(&call) else {
                    return;
                };
                Event::Connected {
                    call,
                    verification_code: record.verification_code.clone().unwrap_or_default(),
                }
            }
            Notice::Link(link) => Event::Link {
                call,
                up: link == LinkNotice::Up,
            },
            Notice::Missed { from } => Event::Missed { from },
            Notice::Ended { reason } => {
                if let Some(record) = record {
                    record.ended(now, reason);
                }
                return self.finish(call).await;
            }
        };
        self.tell(event).await;
    }

    /// Both sides had dialed: what was known about our call moves to the one that goes on.
    fn merge(&mut self, from: CallId, into: CallId) {
        if let Some(dialed) = self.records.remove(&from)
            && let Some(record) = self.records.get_mut(&into)
        {
            record.merge(dialed);
        }
    }

    /// The front end hears of the end when both the machine and the leg are done, so that the report is whole.
    async fn finish(&mut self, call: CallId) {
        let done = self
            .records
            .get(&call)
            .is_some_and(|record| record.end.is_some() && record.leg.is_none());
        if done
            && let Some((reason, report)) = self.records.remove(&call).and_then(Record::into_report)
        {
            self.tell(Event::Ended {
                reason,
                report: Box::new(report),
            })
            .await;
        }
    }

    /// Lets go of calls that came to nothing here: declined as busy, or lost against our own at the same time.
    fn sweep(&mut self) {
        let state = self.machine.state();
        let rival = match state {
            State::Dialing {
                rival: Some(rival), ..
            } => Some(rival.call),
            _ => None,
        };
        let live = state.live();
        self.records.retain(|call, record| {
            record.leg.is_some()
                || record.end.is_some()
                || Some(*call) == live
                || Some(*call) == rival
        });
    }

    fn repeat_unanswered(&mut self, call: CallId) {
        let Some(record) = self.records.get(&call) else {
            return;
        };
        if let Some(unanswered) = &record.unanswered {
            self.wire.description(
                call,
                unanswered.offer,
                &unanswered.sdp,
                unanswered.signature,
            );
            for candidate in &unanswered.candidates {
                self.wire.candidate(call, candidate.clone());
            }
        }
    }

    fn rtc_config(&self) -> rtc::Config {
        let ice_servers = self
            .config
            .ice_servers
            .iter()
            .chain(&self.ice_servers)
            .cloned()
            .collect();
        rtc::Config {
            ice_servers,
            policy: self.config.ice_policy,
            ..rtc::Config::default()
        }
    }

    fn to_leg_possible(&self, call: CallId) -> bool {
        self.records
            .get(&call)
            .is_some_and(|record| record.leg.is_some())
    }

    fn to_leg(&mut self, call: CallId, command: LegCommand) {
        if let Some(leg) = self
            .records
            .get_mut(&call)
            .and_then(|record| record.leg.as_mut())
        {
            leg.send(command);
        }
    }

    async fn reject(&mut self, reason: &str) {
        self.tell(Event::Rejected {
            reason: reason.to_owned(),
        })
        .await;
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
