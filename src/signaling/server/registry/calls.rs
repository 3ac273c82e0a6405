//! Calls: who may say what in which phase.
//!
//! A call is ringing, then accepted, then gone; after the server was started anew it waits for its second
//! participant. Sockets that break do not end an accepted call.

use std::time::Duration;

use super::ending::end;
use super::local::Local;
use super::{Output, RING_GUARD, Refusal, Reply, Timer};
use crate::signaling::protocol::{CallId, EndReason, ErrorCode, Fold, Key, Name, ServerMessage, SessionId};

#[derive(Debug)]
pub(super) struct Call {
    /// The caller; in a call that waits, the participant that waits.
    pub(super) first: Side,
    pub(super) phase: Phase,
}

/// A participant. Without a session its way to the server is gone, but it may rejoin.
#[derive(Debug)]
pub(super) struct Side {
    pub(super) name: Name,
    pub(super) key: Key,
    pub(super) session: Option<SessionId>,
}

#[derive(Debug)]
pub(super) enum Phase {
    Ringing {
        callee: Fold,
        /// The sessions that ring still.
        targets: Vec<SessionId>,
        /// Whether the caller was told that it rings.
        told: bool,
        any_busy: bool,
        until: Duration,
    },
    Accepted {
        second: Side,
    },
    /// After a restart: `first` named the other participant, who did not come yet.
    Waiting {
        with: Fold,
    },
}

const UNKNOWN: Refusal = Refusal::new(ErrorCode::UnknownCall, "no such call");
const WRONG_STATE: Refusal =
    Refusal::new(ErrorCode::WrongState, "the call is not in a state that allows this");
const TOO_MANY: Refusal =
    Refusal::new(ErrorCode::TooManyCalls, "as many pending calls as a session may have");

impl Local {
    pub(super) fn invite(
        &mut self,
        now: Duration,
        from: SessionId,
        id: CallId,
        (to, files): (&str, bool),
        out: &mut Vec<Output>,
    ) -> Result<Reply, Refusal> {
        if self.calls.contains_key(&id) {
            return Err(Refusal::new(ErrorCode::CallExists, "this call id is in use"));
        }
        let callee = Name::new(to).map_err(|_| bad_name())?.fold();
        self.room_for_call(from)?;
        let caller = self.side(from)?;
        let rung: Vec<SessionId> = self.names.get(&callee).map_or_else(Vec::new, |online| {
            let rings =
                |s: &SessionId| *s != from && self.sessions.get(s).is_some_and(|s| s.detached.is_none());
            online.sessions.iter().copied().filter(rings).collect()
        });
        if rung.is_empty() {
            end(from, id, EndReason::UnknownName, out);
            return Ok(Reply::Done);
        }
        let targets: Vec<SessionId> =
            rung.into_iter().filter(|s| self.pending(*s) < self.bounds.pending_calls).collect();
        if targets.is_empty() {
            end(from, id, EndReason::Busy, out);
            return Ok(Reply::Done);
        }
        for to in &targets {
            let message = ServerMessage::Incoming {
                call: id,
                from: caller.name.clone(),
                from_key: caller.key,
                from_session: from,
                files,
            };
            out.push(Output::Deliver { to: *to, message });
            self.enter(*to, id);
        }
        self.enter(from, id);
        let until = now + RING_GUARD;
        self.timers.insert((until, Timer::Ring(id)));
        let phase = Phase::Ringing { callee: callee.clone(), targets, told: false, any_busy: false, until };
        self.calls.insert(id, Call { first: caller, phase });
        self.touch_session(now, from);
        self.touch(now, &callee);
        Ok(Reply::Done)
    }

    pub(super) fn ringing(
        &mut self,
        from: SessionId,
        id: CallId,
        out: &mut Vec<Output>,
    ) -> Result<Reply, Refusal> {
        let call = self.calls.get_mut(&id).ok_or(UNKNOWN)?;
        let Phase::Ringing { targets, told, .. } = &mut call.phase else {
            return Err(refuse(call, from));
        };
        if !targets.contains(&from) {
            return Err(refuse(call, from));
        }
        if !std::mem::replace(told, true)
            && let Some(to) = call.first.session
        {
            out.push(Output::Deliver { to, message: ServerMessage::Ringing { call: id } });
        }
        Ok(Reply::Done)
    }

    pub(super) fn accept(
        &mut self,
        now: Duration,
        from: SessionId,
        id: CallId,
        out: &mut Vec<Output>,
    ) -> Result<Reply, Refusal> {
        let second = self.side(from)?;
        let call = self.calls.get_mut(&id).ok_or(UNKNOWN)?;
        let Phase::Ringing { targets, until, callee, .. } = &mut call.phase else {
            return Err(refuse(call, from));
        };
        if !targets.contains(&from) {
            return Err(refuse(call, from));
        }
        self.timers.remove(&(*until, Timer::Ring(id)));
        let others: Vec<SessionId> = targets.iter().copied().filter(|t| *t != from).collect();
        let callee = callee.clone();
        let message =
            ServerMessage::Accepted { call: id, by: second.name.clone(), key: second.key, session: from };
        call.phase = Phase::Accepted { second };
        let caller = call.first.session;
        if let Some(to) = caller {
            out.push(Output::Deliver { to, message });
            // The caller's socket broke while it rang: the callee must know that nothing will come yet.
            if let Some(session) = self.sessions.get(&to)
                && let Some(at) = session.detached
            {
                let message = ServerMessage::PeerSignaling { call: id, up: false, session: Some(to) };
                out.push(Output::Deliver { to: from, message });
                self.extend_patience(now, to, at);
            }
        }
        for to in others {
            end(to, id, EndReason::AnsweredElsewhere, out);
            self.quit(to, id);
        }
        if let Some(caller) = caller {
            self.touch_session(now, caller);
        }
        self.touch(now, &callee);
        Ok(Reply::Done)
    }

    pub(super) fn decline(
        &mut self,
        now: Duration,
        from: SessionId,
        id: CallId,
        busy: bool,
        out: &mut Vec<Output>,
    ) -> Result<Reply, Refusal> {
        let call = self.calls.get_mut(&id).ok_or(UNKNOWN)?;
        let Phase::Ringing { targets, any_busy, .. } = &mut call.phase else {
            return Err(refuse(call, from));
        };
        if !targets.contains(&from) {
            return Err(refuse(call, from));
        }
        targets.retain(|t| *t != from);
        *any_busy |= busy;
        let over = !busy || targets.is_empty();
        self.quit(from, id);
        if over {
            let reason = if busy { EndReason::Busy } else { EndReason::Declined };
            self.end_ringing(now, id, reason, EndReason::AnsweredElsewhere, out);
        } else {
            self.touch_session(now, from);
        }
        Ok(Reply::Done)
    }

    pub(super) fn cancel(
        &mut self,
        now: Duration,
        from: SessionId,
        id: CallId,
        out: &mut Vec<Output>,
    ) -> Result<Reply, Refusal> {
        let call = self.calls.get(&id).ok_or(UNKNOWN)?;
        if call.first.session != Some(from) {
            return Err(refuse(call, from));
        }
        match call.phase {
            Phase::Ringing { .. } => {
                self.end_ringing(now, id, EndReason::Cancelled, EndReason::Cancelled, out);
            }
            // It crossed the answer on its way: the caller does not want the call any more.
            Phase::Accepted { .. } => self.end_accepted(now, id, from, EndReason::Cancelled, out),
            Phase::Waiting { .. } => return Err(WRONG_STATE),
        }
        Ok(Reply::Done)
    }

    pub(super) fn hangup(
        &mut self,
        now: Duration,
        from: SessionId,
        id: CallId,
        reason: EndReason,
        out: &mut Vec<Output>,
    ) -> Result<Reply, Refusal> {
        let call = self.calls.get(&id).ok_or(UNKNOWN)?;
        match &call.phase {
            Phase::Accepted { second } if [call.first.session, second.session].contains(&Some(from)) => {}
            Phase::Waiting { .. } if call.first.session == Some(from) => {}
            _ => return Err(refuse(call, from)),
        }
        self.end_accepted(now, id, from, reason, out);
        Ok(Reply::Done)
    }

    pub(super) fn rejoin(
        &mut self,
        now: Duration,
        from: SessionId,
        id: CallId,
        with: &str,
        out: &mut Vec<Output>,
    ) -> Result<Reply, Refusal> {
        let with = Name::new(with).map_err(|_| bad_name())?.fold();
        let me = self.side(from)?;
        let own = me.name.fold();
        let Some(call) = self.calls.get(&id) else {
            self.room_for_call(from)?;
            self.calls.insert(id, Call { first: me, phase: Phase::Waiting { with } });
            self.enter(from, id);
            self.touch(now, &own);
            return Ok(Reply::Done);
        };
        match &call.phase {
            Phase::Ringing { .. } => Err(refuse(call, from)),
            Phase::Waiting { .. } if call.first.session == Some(from) => Ok(Reply::Done),
            Phase::Waiting { with: expected } => {
                if *expected != own || call.first.name.fold() != with {
                    return Err(UNKNOWN);
                }
                self.enter(from, id);
                if let Some(call) = self.calls.get_mut(&id) {
                    call.phase = Phase::Accepted { second: me };
                }
                self.introduce(id, from, out);
                self.touch(now, &own);
                Ok(Reply::Done)
            }
            Phase::Accepted { second } => {
                if [call.first.session, second.session].contains(&Some(from)) {
                    return Ok(Reply::Done);
                }
                let fits = |mine: &Side, other: &Side| {
                    mine.name.fold() == own && mine.key == me.key && other.name.fold() == with
                };
                let gone = |side: &Side| {
                    side.session.is_none_or(|s| self.sessions.get(&s).is_none_or(|s| s.detached.is_some()))
                };
                let first_fits = fits(&call.first, second);
                let second_fits = fits(second, &call.first);
                if !first_fits && !second_fits {
                    return Err(UNKNOWN);
                }
                let takes_first = first_fits && gone(&call.first);
                let takes_second = second_fits && gone(second);
                if !takes_first && !takes_second {
                    return Err(WRONG_STATE);
                }
                let mut left = None;
                if let Some(call) = self.calls.get_mut(&id)
                    && let Phase::Accepted { second } = &mut call.phase
                {
                    let side = if takes_first { &mut call.first } else { second };
                    left = side.session.replace(from);
                }
                if let Some(left) = left {
                    self.quit(left, id);
                }
                self.enter(from, id);
                self.introduce(id, from, out);
                self.touch(now, &own);
                Ok(Reply::Done)
            }
        }
    }

    pub(super) fn other_participant(
        &self,
        from: SessionId,
        id: CallId,
        to: Option<SessionId>,
    ) -> Result<SessionId, Refusal> {
        let call = self.calls.get(&id).ok_or(UNKNOWN)?;
        let other = match &call.phase {
            Phase::Accepted { second } if call.first.session == Some(from) => second.session,
            Phase::Accepted { second } if second.session == Some(from) => call.first.session,
            Phase::Waiting { .. } if call.first.session == Some(from) => None,
            _ => return Err(refuse(call, from)),
        };
        match (other, to) {
            (Some(other), Some(to)) if other != to => {
                Err(Refusal::new(ErrorCode::UnknownCall, "the session it is for is not in this call"))
            }
            (Some(other), _) => Ok(other),
            (None, _) => {
                Err(Refusal::new(ErrorCode::PeerAway, "the other side has lost its way to the server"))
            }
        }
    }

    pub(super) fn ring_timeout(&mut self, now: Duration, id: CallId, at: Duration, out: &mut Vec<Output>) {
        let due = self
            .calls
            .get(&id)
            .is_some_and(|c| matches!(c.phase, Phase::Ringing { until, .. } if until == at));
        if due {
            self.end_ringing(now, id, EndReason::NoAnswer, EndReason::NoAnswer, out);
        }
    }

    /// A session is about to be forgotten: takes it out of one call.
    pub(super) fn drop_from_call(
        &mut self,
        now: Duration,
        id: CallId,
        session: SessionId,
        gone_for_good: bool,
        out: &mut Vec<Output>,
    ) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        match &mut call.phase {
            Phase::Ringing { .. } if call.first.session == Some(session) => {
                self.end_ringing(now, id, EndReason::Cancelled, EndReason::Cancelled, out);
            }
            Phase::Ringing { targets, any_busy, .. } => {
                targets.retain(|t| *t != session);
                if targets.is_empty() {
                    let reason = if *any_busy { EndReason::Busy } else { EndReason::Unavailable };
                    self.end_ringing(now, id, reason, reason, out);
                }
            }
            Phase::Waiting { .. } => {
                self.calls.remove(&id);
            }
            Phase::Accepted { .. } if gone_for_good => {
                self.end_accepted(now, id, session, EndReason::HungUp, out);
            }
            Phase::Accepted { second } => {
                for side in [&mut call.first, second] {
                    if side.session == Some(session) {
                        side.session = None;
                    }
                }
                if call.first.session.is_none() && second.session.is_none() {
                    self.calls.remove(&id);
                }
            }
        }
    }

    /// Tells the other participants of a session's accepted calls that its socket broke or is back.
    pub(super) fn tell_peers(&self, session: SessionId, up: bool, out: &mut Vec<Output>) {
        let calls = self.sessions.get(&session).map_or(&[][..], |s| &s.calls);
        for id in calls {
            if let Ok(to) = self.other_participant(session, *id, None) {
                let message = ServerMessage::PeerSignaling { call: *id, up, session: Some(session) };
                out.push(Output::Deliver { to, message });
            }
        }
    }

    /// Both participants of a call are told of each other after one of them rejoined.
    fn introduce(&self, id: CallId, joined: SessionId, out: &mut Vec<Output>) {
        let other = self.other_participant(joined, id, None).ok();
        let up = other.is_some_and(|o| self.sessions.get(&o).is_some_and(|s| s.detached.is_none()));
        let message = ServerMessage::PeerSignaling { call: id, up, session: other };
        out.push(Output::Deliver { to: joined, message });
        if let Some(to) = other {
            let message = ServerMessage::PeerSignaling { call: id, up: true, session: Some(joined) };
            out.push(Output::Deliver { to, message });
        }
    }

    /// Calls of a session that are not accepted.
    fn pending(&self, session: SessionId) -> usize {
        let calls = self.sessions.get(&session).map_or(&[][..], |s| &s.calls);
        let pending =
            |id: &&CallId| self.calls.get(id).is_some_and(|c| !matches!(c.phase, Phase::Accepted { .. }));
        calls.iter().filter(pending).count()
    }

    /// A session may hold so many pending calls, and twice as many calls in all.
    fn room_for_call(&self, session: SessionId) -> Result<(), Refusal> {
        let all = self.sessions.get(&session).map_or(0, |s| s.calls.len());
        if self.pending(session) >= self.bounds.pending_calls || all >= 2 * self.bounds.pending_calls {
            return Err(TOO_MANY);
        }
        Ok(())
    }

    fn side(&self, session: SessionId) -> Result<Side, Refusal> {
        let s = self.sessions.get(&session).ok_or(UNKNOWN)?;
        Ok(Side { name: s.name.clone(), key: s.key, session: Some(session) })
    }

    fn enter(&mut self, session: SessionId, id: CallId) {
        if let Some(session) = self.sessions.get_mut(&session)
            && !session.calls.contains(&id)
        {
            session.calls.push(id);
        }
    }

    pub(super) fn quit(&mut self, session: SessionId, id: CallId) {
        if let Some(session) = self.sessions.get_mut(&session) {
            session.calls.retain(|c| *c != id);
            if session.calls.is_empty() {
                session.calls = Vec::new();
            }
        }
    }
}

/// A participant learns that the state is wrong; anybody else learns nothing of the call.
fn refuse(call: &Call, from: SessionId) -> Refusal {
    let part = call.first.session == Some(from)
        || match &call.phase {
            Phase::Ringing { targets, .. } => targets.contains(&from),
            Phase::Accepted { second } => second.session == Some(from),
            Phase::Waiting { .. } => false,
        };
    if part { WRONG_STATE } else { UNKNOWN }
}

fn bad_name() -> Refusal {
    Refusal::new(ErrorCode::BadName, "this is no name")
}
