//! What the server says, turned into events of call control; and what is checked on the way.

use super::super::event::Event;
use super::super::leg::LegCommand;
use super::super::record::Record;
use super::super::report::Direction;
use super::super::trust::{self, Judgement};
use super::super::wire;
use super::Actor;
use crate::call::{CallId, EndReason, Event as CallEvent, State};
use crate::identity::{self, Signature};
use crate::rtc::{self, Candidate, IceServer};
use crate::signaling::client::Event as ServerEvent;
use crate::signaling::protocol::{DescriptionKind, ErrorCode, SessionId};

impl Actor {
    pub(super) async fn server_event(&mut self, event: ServerEvent) {
        match event {
            ServerEvent::Up { name, resumed, ice_servers, .. } => {
                self.ice_servers = ice_servers
                    .into_iter()
                    .map(|server| IceServer {
                        urls: server.urls,
                        username: server.username,
                        credential: server.credential,
                    })
                    .collect();
                self.tell(Event::Registered { name: name.to_string(), resumed }).await;
                self.pending.push_back(CallEvent::SignalingUp);
            }
            ServerEvent::Down { reason, retry_in } => {
                self.pending.push_back(CallEvent::SignalingDown);
                self.tell(Event::SignalingDown { reason, retry_in }).await;
            }
            ServerEvent::Refused { code, message } => {
                self.pending.push_back(CallEvent::SignalingDown);
                self.tell(Event::Refused { code: code.as_str().to_owned(), message }).await;
            }
            ServerEvent::Incoming { call, from, from_key, from_session, files } => {
                let (call, from) = (wire::call(call), from.to_string());
                self.incoming(call, from, *from_key.bytes(), from_session, files).await;
            }
            ServerEvent::Ringing { call } => {
                self.pending.push_back(CallEvent::Ringing { call: wire::call(call) })
            }
            ServerEvent::Accepted { call, key, session, .. } => {
                self.accepted(wire::call(call), *key.bytes(), session);
            }
            ServerEvent::Ended { call, reason, .. } => {
                self.pending
                    .push_back(CallEvent::Ended { call: wire::call(call), reason: wire::reason(reason) });
            }
            ServerEvent::PeerSignaling { call, up, session } => {
                let call = wire::call(call);
                if let (Some(record), Some(session)) = (self.records.get_mut(&call), session) {
                    record.remote_session = Some(session);
                }
                self.pending.push_back(CallEvent::PeerSignaling { call, up });
            }
            ServerEvent::Description { call, from, kind, sdp, signature } => {
                let offer = kind == DescriptionKind::Offer;
                self.description(wire::call(call), from, offer, sdp, *signature.bytes()).await;
            }
            ServerEvent::Candidate { call, from, candidate, mid, mline } => {
                let call = wire::call(call);
                if self.consented(call) && self.records.get(&call).is_some_and(|record| record.is_from(from))
                {
                    self.command_leg(call, LegCommand::Candidate(Candidate { candidate, mid, mline }));
                }
            }
            ServerEvent::Presence(changes) => self.tell(Event::Presence(changes)).await,
            ServerEvent::CallRefused { call, code, message } => {
                self.call_refused(wire::call(call), code, message).await
            }
        }
    }

    /// The server would not place our call, or had forgotten it; anything else it refuses is worth a line only.
    async fn call_refused(&mut self, call: CallId, code: ErrorCode, message: String) {
        let placed = matches!(self.machine.state(), State::Dialing { call: ours, .. } if *ours == call);
        // An invite that is repeated after signaling was lost is answered so when the first one had arrived.
        if placed && code != ErrorCode::CallExists {
            if let Some(record) = self.records.get_mut(&call) {
                record.detail = Some(message);
            }
            self.pending.push_back(CallEvent::Ended { call, reason: EndReason::Refused });
        } else {
            tracing::info!(code = code.as_str(), "the server refused a message: {message}");
        }
    }

    async fn incoming(&mut self, call: CallId, from: String, key: [u8; 32], session: SessionId, files: bool) {
        if self.quitting {
            return self.wire.decline(call, true);
        }
        let (key, first_contact) = match self.judge.judge(&from, key) {
            Judgement::Trusted { key, first_contact } => (key, first_contact),
            Judgement::Refused { why } => {
                self.tell(Event::Notice { text: format!("refused a call: {why}") }).await;
                return self.wire.decline(call, false);
            }
        };
        self.records.entry(call).or_insert_with(|| {
            let mut record = Record::new(call, from.clone(), Direction::Incoming);
            record.key = Some(key);
            record.first_contact = first_contact;
            record.remote_session = Some(session);
            record.only_files = files;
            record
        });
        self.pending.push_back(CallEvent::Incoming { call, from });
    }

    fn accepted(&mut self, call: CallId, key: [u8; 32], session: SessionId) {
        let dialing = matches!(self.machine.state(), State::Dialing { call: ours, .. } if *ours == call);
        let Some(record) = self.records.get_mut(&call).filter(|_| dialing) else {
            // Not awaited, or not any more: call control knows what to answer, and nobody's key changes.
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

    /// Whether both sides agreed to this call, as far as call control knows.
    fn consented(&self, call: CallId) -> bool {
        matches!(
            self.machine.state(),
            State::Connecting { call: ours, .. } | State::Active { call: ours, .. } if *ours == call
        )
    }

    /// Checks that the DTLS fingerprint in a description is signed by the key of the other side, so that not
    /// even the server can put its own in place; and that it stays the same for the whole call, because the
    /// verification code speaks of one. The key has proved itself then, and is pinned.
    async fn description(
        &mut self,
        call: CallId,
        from: SessionId,
        offer: bool,
        sdp: String,
        signature: [u8; 64],
    ) {
        if !self.consented(call) {
            return;
        }
        let Some(record) = self.records.get_mut(&call).filter(|record| record.is_from(from)) else {
            return;
        };
        let Some(key) = record.key else { return };
        if record.only_files && rtc::has_media(&sdp) {
            // Whoever took files has not agreed to be seen or heard.
            record.detail = Some("they rang for files and offered sound or picture".to_owned());
            return self.pending.push_back(CallEvent::LinkFailed { call });
        }
        let refused =
            match trust::check_description(call, &key, offer, &sdp, &Signature::from_bytes(signature)) {
                Ok(fingerprint) => {
                    let first = record.remote_fingerprint.is_none();
                    if *record.remote_fingerprint.get_or_insert_with(|| fingerprint.clone()) == fingerprint {
                        if !offer && !record.awaits_answer() {
                            // Our offer was repeated, and has been answered each time.
                            return;
                        }
                        record.acknowledged(offer);
                        let peer = record.peer.clone();
                        self.command_leg(call, LegCommand::Remote { offer, sdp });
                        if !first {
                            return;
                        }
                        match self.judge.pin(&peer, &key) {
                            Ok(()) => return,
                            Err(error @ identity::Error::Changed { .. }) => error.to_string(),
                            Err(error) => {
                                let text = format!("the key could not be remembered: {error}");
                                return self.tell(Event::Notice { text }).await;
                            }
                        }
                    } else {
                        "the other side's certificate changed within the call".to_owned()
                    }
                }
                Err(why) => why,
            };
        if let Some(record) = self.records.get_mut(&call) {
            record.detail = Some(refused);
        }
        self.pending.push_back(CallEvent::IdentityRefused { call });
    }
}
