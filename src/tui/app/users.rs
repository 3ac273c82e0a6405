//! Who is online, as the server's pages and presence tell it.
//!
//! Owns the list, its order, the search and which names are watched. Must not know how it is drawn.

use std::cmp::Ordering;
use std::collections::HashSet;

use super::Action;
use crate::session::{Change, Page, PresenceState, User};
use crate::text::Shown;

/// Names that the server lets one session watch; the rest is refreshed with the list.
const WATCHED: usize = 100;

/// Users that are kept; beyond that, search.
const MOST: usize = 1000;

/// How the list is ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    State,
    Name,
}

/// One row.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// As it is dialed.
    pub(super) name: String,
    pub(super) shown: Shown,
    pub(super) state: PresenceState,
}

/// The list.
#[derive(Debug)]
pub(super) struct Users {
    me: String,
    rows: Vec<Row>,
    /// Pages of the list that is being fetched.
    coming: Vec<Row>,
    pub(super) sort: Sort,
    /// What the server was asked for; empty for everybody.
    query: String,
    selected: usize,
    watched: HashSet<String>,
    /// False until the first page.
    pub(super) known: bool,
}

impl Users {
    pub(super) fn new(me: &str) -> Self {
        Self {
            me: fold(me),
            rows: Vec::new(),
            coming: Vec::new(),
            sort: Sort::State,
            query: String::new(),
            selected: 0,
            watched: HashSet::new(),
            known: false,
        }
    }

    /// Says which name is ours and so is not listed.
    pub(super) fn iam(&mut self, me: &str) {
        self.me = fold(me);
        self.rows.retain(|row| fold(&row.name) != self.me);
    }

    pub(super) fn rows(&self) -> &[Row] {
        &self.rows
    }

    pub(super) fn query(&self) -> &str {
        &self.query
    }

    pub(super) fn selected(&self) -> usize {
        self.selected.min(self.rows.len().saturating_sub(1))
    }

    pub(super) fn chosen(&self) -> Option<&Row> {
        self.rows.get(self.selected())
    }

    pub(super) fn select(&mut self, index: usize) {
        self.selected = index.min(self.rows.len().saturating_sub(1));
    }

    /// Asks for the list from its beginning.
    pub(super) fn refresh(&mut self) -> Action {
        self.coming.clear();
        Action::Users { query: self.query_asked(), after: None }
    }

    /// Searches for another text; shows at once what is known to fit.
    pub(super) fn search(&mut self, query: &str) -> Action {
        self.query = query.trim().to_owned();
        let wanted = fold(&self.query);
        self.rows.retain(|row| fold(&row.name).contains(&wanted));
        self.refresh()
    }

    /// Takes a page of an answer to `query`. Pages of older searches are dropped.
    pub(super) fn page(&mut self, query: &str, page: Page) -> Option<Action> {
        if query != self.query {
            return None;
        }
        let me = self.me.clone();
        self.coming.extend(page.users.into_iter().map(Row::from).filter(|row| fold(&row.name) != me));
        if page.next.is_some() && self.coming.len() < MOST {
            return Some(Action::Users { query: self.query_asked(), after: page.next });
        }
        let rows = std::mem::take(&mut self.coming);
        self.replace(rows);
        self.known = true;
        self.watch()
    }

    /// Takes new states; names that came back are listed again.
    pub(super) fn presence(&mut self, changes: Vec<Change>) {
        let mut rows = self.rows.clone();
        for Change { name, state } in changes {
            let folded = fold(name.as_str());
            match rows.iter().position(|row| fold(&row.name) == folded) {
                Some(index) if state == PresenceState::Offline => drop(rows.remove(index)),
                Some(index) => rows[index].state = state,
                None if state == PresenceState::Offline || folded == self.me => {}
                None if !folded.contains(&fold(&self.query)) => {}
                None => rows.push(Row::from(User { name, state })),
            }
        }
        self.replace(rows);
    }

    /// Another order; the selected name stays selected.
    pub(super) fn resort(&mut self) {
        self.sort = match self.sort {
            Sort::State => Sort::Name,
            Sort::Name => Sort::State,
        };
        let rows = self.rows.clone();
        self.replace(rows);
    }

    fn replace(&mut self, mut rows: Vec<Row>) {
        let selected = self.chosen().map(|row| row.name.clone());
        let sort = self.sort;
        rows.sort_by(|a, b| order(sort, a, b));
        rows.dedup_by(|a, b| a.name == b.name);
        self.rows = rows;
        // Without the name, whoever stands in its place now.
        let found = selected.and_then(|name| self.rows.iter().position(|row| row.name == name));
        self.selected = found.unwrap_or(self.selected());
    }

    fn watch(&mut self) -> Option<Action> {
        let room = WATCHED - self.watched.len();
        let fresh = self.rows.iter().filter(|row| !self.watched.contains(&row.name));
        let names: Vec<String> = fresh.map(|row| row.name.clone()).take(room).collect();
        self.watched.extend(names.iter().cloned());
        (!names.is_empty()).then_some(Action::Watch(names))
    }

    fn query_asked(&self) -> Option<String> {
        (!self.query.is_empty()).then(|| self.query.clone())
    }
}

impl From<User> for Row {
    fn from(user: User) -> Self {
        Self { name: user.name.to_string(), shown: Shown::new(user.name.as_str()), state: user.state }
    }
}

fn order(sort: Sort, a: &Row, b: &Row) -> Ordering {
    let by_name = || fold(&a.name).cmp(&fold(&b.name)).then_with(|| a.name.cmp(&b.name));
    match sort {
        Sort::Name => by_name(),
        Sort::State => rank(a.state).cmp(&rank(b.state)).then_with(by_name),
    }
}

/// Whom one can call comes first.
fn rank(state: PresenceState) -> u8 {
    match state {
        PresenceState::Available => 0,
        PresenceState::Ringing => 1,
        PresenceState::InCall => 2,
        PresenceState::Away => 3,
        PresenceState::Offline => 4,
    }
}

/// For comparing names on this screen; the server's own folding decides who is who.
pub(super) fn fold(name: &str) -> String {
    name.to_lowercase()
}
