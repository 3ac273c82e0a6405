//! What the machine wants done, carried out.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::super::event::Event;
use super::super::leg::{Leg, LegCommand, LegSetup};
use super::super::record::Record;
use super::Actor;
use crate::call::{CallId, Effect, Link, LinkNotice, Notice, State};
use crate::media::spec::VideoSpec;

/// A server that takes longer to answer is not there.
const REACHED_WITHIN: Duration = Duration::from_secs(2);

impl Actor {
    pub(super) async fn effect(&mut self, effect: Effect) {
        match effect {
            Effect::SendInvite { call, to } => self.wire.invite(call, &to, self.config.files.only),
            Effect::SendRinging { call } => self.wire.ringing(call),
            Effect::SendAccept { call } => self.wire.accept(call),
            Effect::SendDecline { call, busy } => self.wire.decline(call, busy),
            Effect::SendCancel { call } => self.wire.cancel(call),
            Effect::SendHangup { call, reason } => self.wire.hangup(call, reason),
            Effect::SendRejoin { call, with } => self.wire.rejoin(call, &with),
            Effect::RepeatDescription { call } => self.repeat_unanswered(call),
            Effect::PreparePeer { call, role } => {
                let media = self.config.media.for_role(role);
                let (sourceless, echo) = (media.sourceless(), media.video == VideoSpec::Echo);
                let setup = LegSetup {
                    call,
                    role,
                    media,
                    rtc: self.rtc_config(),
                    record: self.take(),
                    files: self.config.files.clone(),
                    // Names are compared without their case.
                    peer: self
                        .records
                        .get(&call)
                        .map(|record| record.peer.to_lowercase())
                        .unwrap_or_default(),
                    away: self.away,
                };
                let leg = Leg::spawn(setup, self.leg_sender.clone());
                if let Some(record) = self.records.get_mut(&call) {
                    record.leg = Some(leg);
                    (record.sourceless, record.echo) = (sourceless, echo);
                }
            }
            Effect::Negotiate { call, .. } => self.command_leg(call, LegCommand::Negotiate),
            Effect::StartMedia { call } => self.command_leg(call, LegCommand::StartMedia),
            // An offer that was never answered is sent again rather than replaced: it may have been lost.
            Effect::RestartIce { call } if self.unanswered_offer(call) => self.repeat_unanswered(call),
            Effect::RestartIce { call } => self.reach_server(call),
            Effect::ClosePeer { call, goodbye } => self.command_leg(call, LegCommand::Close { goodbye }),
            Effect::Notify { call, notice } => self.notify(call, notice).await,
            Effect::Ignored { event, state, call } => {
                tracing::debug!(event, state, call = ?call.map(|call| call.to_string()), "ignored");
            }
        }
    }

    /// Asks the server for anything at all, before ICE is restarted over it. Only the last question counts: an offer for each answer
    /// would be one that the other side gets before it has answered the one before.
    fn reach_server(&mut self, call: CallId) {
        let answer = self.wire.answers();
        self.reaching = JoinSet::new();
        self.reaching
            .spawn(async move { timeout(REACHED_WITHIN, answer).await.is_ok_and(|yes| yes).then_some(call) });
    }

    /// Asks the server for anything at all: where the network changed this shows at once that the way there is lost too, and
    /// the other side's offer waits for us. Who makes the offer asks again before it ([`Self::reach_server`]).
    fn ask_server(&self) {
        tokio::spawn(timeout(REACHED_WITHIN, self.wire.answers()));
    }

    /// The server has answered: what stood for it goes on, if it is still wanted.
    pub(super) fn reached(&mut self, call: CallId) {
        let state = self.machine.state();
        if matches!(state, State::Active { call: live, link: Link::Recovering { .. }, .. } if *live == call) {
            match self.unanswered_offer(call) {
                true => self.repeat_unanswered(call),
                false => self.command_leg(call, LegCommand::RestartIce),
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
                let key = record.key.map(|key| key.fingerprint()).unwrap_or_default();
                let (first_contact, files) = (record.first_contact, record.only_files);
                Event::Incoming { call, from, key, first_contact, files }
            }
            Notice::Accepted => {
                record.into_iter().for_each(|record| record.accepted(now));
                Event::Accepted { call }
            }
            Notice::Merged { into } => return self.merge(call, into),
            Notice::Connected => {
                let Some(record) = record else { return };
                record.connected(now);
                let connected = Event::Connected {
                    call,
                    verification_code: record.verification_code.clone().unwrap_or_default(),
                    key: record.key.map(|key| key.fingerprint()).unwrap_or_default(),
                    first_contact: record.first_contact,
                };
                self.tell(connected).await;
                return self.tell_sources(call).await;
            }
            Notice::Link(link) => {
                if link == LinkNotice::Recovering {
                    self.ask_server();
                }
                Event::Link { call, up: link == LinkNotice::Up }
            }
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
    pub(super) async fn finish(&mut self, call: CallId) {
        let done = self.records.get(&call).is_some_and(|record| record.end.is_some() && record.leg.is_none());
        if done && let Some((reason, report)) = self.records.remove(&call).and_then(Record::into_report) {
            self.tell(Event::Ended { reason, report: Box::new(report) }).await;
        }
    }
}
