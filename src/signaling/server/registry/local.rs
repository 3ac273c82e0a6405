//! The registry of one server: sessions and names; calls and presence are in their own files.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::time::Duration;

use super::calls::{Call, Phase};
use super::presence::Presence;
use super::{Bounds, Join, Joined, LEAVE_DEBOUNCE, Output, RESUME_IN_CALL, Refusal, Registry, Reply, Timer};
use crate::signaling::protocol::{
    Availability, CallId, ClientMessage, ErrorCode, Fold, Key, MAX_PAGE, MAX_QUERY, Name, PresenceState,
    ResumeToken, ServerMessage, SessionId, User, fold_text,
};

/// Names looked at for one page: a search that finds little returns a short page and a `next`.
const SCAN: usize = 4096;

/// Everything that one server knows of its users, in memory.
#[derive(Debug, Default)]
pub struct Local {
    pub(super) bounds: Bounds,
    pub(super) sessions: HashMap<SessionId, Session>,
    pub(super) names: BTreeMap<Fold, Online>,
    pub(super) calls: HashMap<CallId, Call>,
    pub(super) presence: Presence,
    pub(super) timers: BTreeSet<(Duration, Timer)>,
}

#[derive(Debug)]
pub(super) struct Session {
    pub(super) fold: Fold,
    pub(super) name: Name,
    pub(super) key: Key,
    secret: ResumeToken,
    away: bool,
    /// Since when no socket is attached, as the time when it is forgotten.
    pub(super) detached: Option<Duration>,
    pub(super) calls: Vec<CallId>,
    /// What this session watches.
    pub(super) watched: BTreeSet<Fold>,
}

/// A name with at least one session.
#[derive(Debug)]
pub(super) struct Online {
    pub(super) name: Name,
    pub(super) sessions: Vec<SessionId>,
}

impl Local {
    /// An empty registry.
    pub fn new(bounds: Bounds) -> Local {
        Local { bounds, ..Local::default() }
    }

    /// The state of a name over all of its sessions, without any debouncing.
    pub(super) fn state(&self, fold: &Fold) -> PresenceState {
        let Some(online) = self.names.get(fold) else {
            return PresenceState::Offline;
        };
        let mut best = PresenceState::Offline;
        for session in online.sessions.iter().filter_map(|id| self.sessions.get(id)) {
            for call in session.calls.iter().filter_map(|id| self.calls.get(id)) {
                match call.phase {
                    Phase::Accepted { .. } | Phase::Waiting { .. } => return PresenceState::InCall,
                    Phase::Ringing { .. } if session.detached.is_none() => best = PresenceState::Ringing,
                    Phase::Ringing { .. } => {}
                }
            }
            if session.detached.is_some() || best == PresenceState::Ringing {
                continue;
            }
            best = match (best, session.away) {
                (PresenceState::Available, _) | (_, false) => PresenceState::Available,
                (_, true) => PresenceState::Away,
            };
        }
        best
    }

    /// Tells presence that the state of a name may have changed.
    pub(super) fn touch(&mut self, now: Duration, fold: &Fold) {
        if self.presence.watches(fold) {
            let state = self.state(fold);
            self.presence.changed(now, fold, state, &mut self.timers);
        }
    }

    pub(super) fn touch_session(&mut self, now: Duration, session: SessionId) {
        if let Some(fold) = self.sessions.get(&session).map(|s| s.fold.clone()) {
            self.touch(now, &fold);
        }
    }

    /// When the session would be forgotten if its socket broke now.
    fn patience(&self, session: &Session) -> Duration {
        let holds = |id: &CallId| {
            matches!(
                self.calls.get(id).map(|c| &c.phase),
                Some(Phase::Accepted { .. } | Phase::Waiting { .. })
            )
        };
        if session.calls.iter().any(holds) { RESUME_IN_CALL } else { LEAVE_DEBOUNCE }
    }

    /// A session whose socket is broken has become part of an accepted call: it is kept for longer.
    pub(super) fn extend_patience(&mut self, now: Duration, id: SessionId, at: Duration) {
        let until = now + RESUME_IN_CALL;
        if let Some(session) = self.sessions.get_mut(&id)
            && session.detached == Some(at)
        {
            session.detached = Some(until);
            self.timers.remove(&(at, Timer::Detached(id)));
            self.timers.insert((until, Timer::Detached(id)));
        }
    }

    fn resume(&mut self, now: Duration, join: &Join, fold: &Fold, out: &mut Vec<Output>) -> Option<Joined> {
        let wanted = join.resume?;
        let online = self.names.get(fold)?;
        let id = *online.sessions.iter().find(|id| {
            self.sessions.get(id).is_some_and(|s| s.secret.matches(&wanted) && s.key == join.key)
        })?;
        let session = self.sessions.get_mut(&id)?;
        session.secret = join.secret;
        let calls = session.calls.clone();
        if let Some(at) = session.detached.take() {
            self.timers.remove(&(at, Timer::Detached(id)));
            self.touch(now, fold);
        }
        // Also when nobody had noticed that the old connection was dead: what went into it may be lost.
        self.tell_peers(id, true, out);
        Some(Joined { session: id, resumed: true, secret: join.secret, calls })
    }

    fn forget(&mut self, now: Duration, id: SessionId, gone_for_good: bool, out: &mut Vec<Output>) {
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        let calls = std::mem::take(&mut session.calls);
        for call in calls {
            self.drop_from_call(now, call, id, gone_for_good, out);
        }
        let Some(session) = self.sessions.remove(&id) else {
            return;
        };
        if let Some(at) = session.detached {
            self.timers.remove(&(at, Timer::Detached(id)));
        }
        for watched in &session.watched {
            self.presence.unwatch(watched, id, &mut self.timers);
        }
        if let Some(online) = self.names.get_mut(&session.fold) {
            online.sessions.retain(|other| *other != id);
            if online.sessions.is_empty() {
                self.names.remove(&session.fold);
            }
        }
        self.touch(now, &session.fold);
        out.push(Output::Forget(id));
    }

    fn page(
        &self,
        from: SessionId,
        query: Option<String>,
        after: Option<String>,
        limit: Option<u16>,
    ) -> Result<Reply, Refusal> {
        let too_long = |text: &Option<String>| text.as_ref().is_some_and(|t| t.len() > MAX_QUERY);
        if too_long(&query) || too_long(&after) {
            return Err(Refusal::new(ErrorCode::Malformed, "query and after have at most 64 bytes"));
        }
        let limit = usize::from(limit.unwrap_or(MAX_PAGE).clamp(1, MAX_PAGE));
        let query = query.map(|q| fold_text(&q)).unwrap_or_default();
        let own = self.sessions.get(&from).map(|s| s.fold.clone());
        let start = after.as_deref().map(Fold::cursor);
        let range = match &start {
            Some(after) => self.names.range((Bound::Excluded(after), Bound::Unbounded)),
            None => self.names.range::<Fold, _>(..),
        };
        let mut users = Vec::new();
        let mut next = None;
        for (looked, (fold, online)) in range.enumerate() {
            if users.len() == limit || looked == SCAN {
                break;
            }
            // Where the next page begins, unless this was the last name.
            next = Some(fold);
            if own.as_ref() == Some(fold) || !fold.as_str().contains(&query) {
                continue;
            }
            match self.state(fold) {
                PresenceState::Offline => {}
                state => users.push(User { name: online.name.clone(), state }),
            }
        }
        let last = self.names.keys().next_back();
        let next = next.filter(|n| Some(*n) != last).map(|n| n.as_str().to_owned());
        Ok(Reply::Page { users, next })
    }

    fn set_away(&mut self, now: Duration, from: SessionId, state: Availability) -> Result<Reply, Refusal> {
        if let Some(session) = self.sessions.get_mut(&from) {
            session.away = state == Availability::Away;
        }
        self.touch_session(now, from);
        Ok(Reply::Done)
    }
}

impl Registry for Local {
    fn join(&mut self, now: Duration, join: Join, out: &mut Vec<Output>) -> Result<Joined, Refusal> {
        let fold = join.name.fold();
        if let Some(joined) = self.resume(now, &join, &fold, out) {
            return Ok(joined);
        }
        if self.sessions.len() >= self.bounds.sessions {
            return Err(Refusal::new(ErrorCode::Unavailable, "the server is full"));
        }
        if let Some(online) = self.names.get(&fold)
            && online.sessions.len() >= self.bounds.sessions_per_name
        {
            // A session whose socket broke makes room first, unless a call depends on it.
            let idle =
                online.sessions.iter().copied().find(|id| {
                    self.sessions.get(id).is_some_and(|s| s.detached.is_some() && s.calls.is_empty())
                });
            match idle {
                Some(idle) => self.forget(now, idle, false, out),
                None => {
                    return Err(Refusal::new(
                        ErrorCode::TooManySessions,
                        "this name has as many sessions as it may",
                    ));
                }
            }
        }
        let session = Session {
            fold: fold.clone(),
            name: join.name.clone(),
            key: join.key,
            secret: join.secret,
            away: false,
            detached: None,
            calls: Vec::new(),
            watched: BTreeSet::new(),
        };
        self.sessions.insert(join.session, session);
        let online = self
            .names
            .entry(fold.clone())
            .or_insert_with(|| Online { name: join.name, sessions: Vec::with_capacity(1) });
        online.sessions.push(join.session);
        self.touch(now, &fold);
        Ok(Joined { session: join.session, resumed: false, secret: join.secret, calls: Vec::new() })
    }

    fn detach(&mut self, now: Duration, id: SessionId, out: &mut Vec<Output>) {
        let Some(session) = self.sessions.get(&id).filter(|s| s.detached.is_none()) else {
            return;
        };
        let at = now + self.patience(session);
        let fold = session.fold.clone();
        if let Some(session) = self.sessions.get_mut(&id) {
            session.detached = Some(at);
        }
        self.timers.insert((at, Timer::Detached(id)));
        self.tell_peers(id, false, out);
        self.touch(now, &fold);
    }

    fn leave(&mut self, now: Duration, session: SessionId, out: &mut Vec<Output>) {
        self.forget(now, session, true, out);
    }

    fn handle(
        &mut self,
        now: Duration,
        from: SessionId,
        message: ClientMessage,
        out: &mut Vec<Output>,
    ) -> Result<Reply, Refusal> {
        match message {
            ClientMessage::List { query, after, limit, .. } => self.page(from, query, after, limit),
            ClientMessage::Watch { names, .. } => self.watch(from, &names, out),
            ClientMessage::Unwatch { names, .. } => self.unwatch(from, &names),
            ClientMessage::State { state, .. } => self.set_away(now, from, state),
            ClientMessage::Invite { call, to, files, .. } => self.invite(now, from, call, (&to, files), out),
            ClientMessage::Ringing { call, .. } => self.ringing(from, call, out),
            ClientMessage::Accept { call, .. } => self.accept(now, from, call, out),
            ClientMessage::Decline { call, busy, .. } => self.decline(now, from, call, busy, out),
            ClientMessage::Cancel { call, .. } => self.cancel(now, from, call, out),
            ClientMessage::Hangup { call, reason, .. } => self.hangup(now, from, call, reason, out),
            ClientMessage::Rejoin { call, with, .. } => self.rejoin(now, from, call, &with, out),
            ClientMessage::Login(_)
            | ClientMessage::Logout { .. }
            | ClientMessage::Description(_)
            | ClientMessage::Candidate(_) => {
                Err(Refusal::new(ErrorCode::WrongOrder, "this message does not belong here"))
            }
        }
    }

    fn route(&self, from: SessionId, call: CallId, to: Option<SessionId>) -> Result<SessionId, Refusal> {
        self.other_participant(from, call, to)
    }

    fn tick(&mut self, now: Duration, out: &mut Vec<Output>) {
        let mut changes: BTreeMap<SessionId, Vec<_>> = BTreeMap::new();
        while let Some((at, _)) = self.timers.first()
            && *at <= now
        {
            let Some((at, timer)) = self.timers.pop_first() else {
                break;
            };
            match timer {
                Timer::Ring(call) => self.ring_timeout(now, call, at, out),
                Timer::Detached(session) => {
                    if self.sessions.get(&session).is_some_and(|s| s.detached == Some(at)) {
                        self.forget(now, session, false, out);
                    }
                }
                Timer::Presence(fold) => {
                    let state = self.state(&fold);
                    let name = self.names.get(&fold).map(|online| &online.name);
                    self.presence.publish(&fold, name, state, at, &mut changes);
                }
            }
        }
        for (to, changes) in changes {
            out.push(Output::Deliver { to, message: ServerMessage::Presence { changes } });
        }
    }

    fn deadline(&self) -> Option<Duration> {
        self.timers.first().map(|(at, _)| *at)
    }

    fn sessions(&self) -> usize {
        self.sessions.len()
    }
}
