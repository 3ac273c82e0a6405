//! Watched names and the changes owed to their watchers.
//!
//! A change is told after [`GATHER`], a leave after [`LEAVE_DEBOUNCE`]; both fall on a common grid, so that
//! the changes of many names reach a watcher in one message.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use super::local::Local;
use super::{GATHER, LEAVE_DEBOUNCE, Output, Refusal, Reply, Timer};
use crate::signaling::protocol::{
    Change, ErrorCode, Fold, MAX_WATCHED, Name, PresenceState, ServerMessage, SessionId,
};

#[derive(Debug, Default)]
pub(super) struct Presence {
    watched: HashMap<Fold, Watched>,
}

#[derive(Debug)]
struct Watched {
    /// The spelling of the first watcher, for a name that is not online.
    asked: Name,
    /// What the watchers were last told.
    told: PresenceState,
    due: Option<Duration>,
    watchers: BTreeSet<SessionId>,
}

impl Presence {
    pub(super) fn watches(&self, fold: &Fold) -> bool {
        self.watched.contains_key(fold)
    }

    /// Notes that a watched name is now in a state, and when to tell.
    pub(super) fn changed(
        &mut self,
        now: Duration,
        fold: &Fold,
        state: PresenceState,
        timers: &mut BTreeSet<(Duration, Timer)>,
    ) {
        let Some(watched) = self.watched.get_mut(fold) else {
            return;
        };
        let due = if state == watched.told {
            None
        } else if state == PresenceState::Offline {
            // The first sign of leaving counts, not the last.
            Some(watched.due.unwrap_or_else(|| on_grid(now + LEAVE_DEBOUNCE)))
        } else {
            let soon = on_grid(now + GATHER);
            Some(watched.due.map_or(soon, |due| due.min(soon)))
        };
        if due != watched.due {
            if let Some(old) = watched.due {
                timers.remove(&(old, Timer::Presence(fold.clone())));
            }
            if let Some(due) = due {
                timers.insert((due, Timer::Presence(fold.clone())));
            }
            watched.due = due;
        }
    }

    /// What is due at `at` for a name, appended for each of its watchers.
    pub(super) fn publish(
        &mut self,
        fold: &Fold,
        name: Option<&Name>,
        state: PresenceState,
        at: Duration,
        changes: &mut BTreeMap<SessionId, Vec<Change>>,
    ) {
        let Some(watched) = self.watched.get_mut(fold).filter(|w| w.due == Some(at)) else {
            return;
        };
        watched.due = None;
        if watched.told == state {
            return;
        }
        watched.told = state;
        let name = name.unwrap_or(&watched.asked);
        for watcher in &watched.watchers {
            changes.entry(*watcher).or_default().push(Change { name: name.clone(), state });
        }
    }

    fn watch(&mut self, name: Name, fold: Fold, session: SessionId, state: PresenceState) {
        let watched = self.watched.entry(fold).or_insert_with(|| Watched {
            asked: name,
            told: state,
            due: None,
            watchers: BTreeSet::new(),
        });
        watched.watchers.insert(session);
    }

    /// What the watchers of a name believe.
    fn told(&self, fold: &Fold) -> Option<PresenceState> {
        self.watched.get(fold).map(|w| w.told)
    }

    pub(super) fn unwatch(
        &mut self,
        fold: &Fold,
        session: SessionId,
        timers: &mut BTreeSet<(Duration, Timer)>,
    ) {
        let Some(watched) = self.watched.get_mut(fold) else {
            return;
        };
        watched.watchers.remove(&session);
        if watched.watchers.is_empty() {
            if let Some(due) = watched.due {
                timers.remove(&(due, Timer::Presence(fold.clone())));
            }
            self.watched.remove(fold);
        }
    }

    #[cfg(test)]
    pub(super) fn watchers(&self) -> impl Iterator<Item = (&Fold, SessionId)> {
        self.watched.iter().flat_map(|(fold, w)| w.watchers.iter().map(move |s| (fold, *s)))
    }
}

impl Local {
    pub(super) fn watch(
        &mut self,
        from: SessionId,
        names: &[String],
        out: &mut Vec<Output>,
    ) -> Result<Reply, Refusal> {
        let too_many = Refusal::new(ErrorCode::TooManyWatched, "a session watches at most 100 names");
        if names.len() > MAX_WATCHED {
            return Err(too_many);
        }
        let names = parse_names(names)?;
        let already = self.sessions.get(&from).map(|s| &s.watched);
        let fresh: BTreeMap<Fold, Name> =
            names.into_iter().filter(|(fold, _)| already.is_none_or(|w| !w.contains(fold))).collect();
        if already.map_or(0, BTreeSet::len) + fresh.len() > MAX_WATCHED {
            return Err(too_many);
        }
        let mut changes = Vec::with_capacity(fresh.len());
        for (fold, name) in fresh {
            // Late watchers are told what the others believe, so that one delta serves all.
            let state = self.presence.told(&fold).unwrap_or_else(|| self.state(&fold));
            let spelled = self.names.get(&fold).map_or_else(|| name.clone(), |o| o.name.clone());
            changes.push(Change { name: spelled, state });
            if let Some(session) = self.sessions.get_mut(&from) {
                session.watched.insert(fold.clone());
            }
            self.presence.watch(name, fold, from, state);
        }
        if !changes.is_empty() {
            out.push(Output::Deliver { to: from, message: ServerMessage::Presence { changes } });
        }
        Ok(Reply::Done)
    }

    pub(super) fn unwatch(&mut self, from: SessionId, names: &[String]) -> Result<Reply, Refusal> {
        let names = parse_names(names)?;
        let Some(watched) = self.sessions.get_mut(&from).map(|s| &mut s.watched) else {
            return Ok(Reply::Done);
        };
        let gone: Vec<Fold> = if names.is_empty() {
            std::mem::take(watched).into_iter().collect()
        } else {
            names.into_iter().map(|(fold, _)| fold).filter(|fold| watched.remove(fold)).collect()
        };
        for fold in gone {
            self.presence.unwatch(&fold, from, &mut self.timers);
        }
        Ok(Reply::Done)
    }
}

fn parse_names(names: &[String]) -> Result<Vec<(Fold, Name)>, Refusal> {
    names
        .iter()
        .map(|text| Name::new(text).map(|name| (name.fold(), name)))
        .collect::<Result<_, _>>()
        .map_err(|_| Refusal::new(ErrorCode::BadName, "one of the names breaks the rules for names"))
}

fn on_grid(at: Duration) -> Duration {
    let step = GATHER.as_millis();
    let steps = at.as_millis().div_ceil(step);
    Duration::from_millis(u64::try_from(steps * step).unwrap_or(u64::MAX))
}
