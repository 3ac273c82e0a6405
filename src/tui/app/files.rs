//! Files of a call as the screen knows them: which wait for an answer, which are under way, what is said of them.
//!
//! Owns what is shown. Knows no disk; the session owns the transfers.

use std::collections::VecDeque;
use std::time::Duration;

use crate::session::files::{self, File, FileState, Why};
use crate::text::Shown;

/// Columns of a name in a sentence.
const NAME: usize = 40;

/// A file that is not over.
#[derive(Debug)]
pub(super) struct Transfer {
    pub(super) number: u32,
    pub(super) remote: bool,
    pub(super) name: Shown,
    pub(super) kind: Shown,
    pub(super) size: u64,
    pub(super) state: State,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// It waits for an answer.
    Offered,
    /// The answer is on its way.
    Answered,
    /// It is under way.
    Moving {
        /// Bytes that are there.
        done: u64,
        /// Bytes a second.
        rate: u64,
        /// How long the rest takes.
        left: Option<Duration>,
    },
}

/// The files of a call, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Files {
    list: Vec<Transfer>,
    /// Nobody is asked any more.
    pub(super) takes_all: bool,
    /// What became of those that are over, for the card at the end.
    pub(super) over: VecDeque<String>,
}

/// Lines about files on that card; the oldest give way.
const OVER: usize = 6;

impl Files {
    /// Takes in what happened; what is to be said about it, and whether it is bad.
    pub(super) fn take(&mut self, file: &File) -> Option<(String, bool)> {
        let shown = Shown::new(&file.name);
        let name = shown.truncate(NAME);
        let state = match &file.state {
            FileState::Offered => State::Offered,
            FileState::Started { from } => State::Moving { done: *from, rate: 0, left: None },
            FileState::Progress { done, rate, left } => {
                State::Moving { done: *done, rate: *rate, left: *left }
            }
            FileState::Done { path, .. } => {
                let text = match path {
                    Some(path) => format!("{name} is there: {}", path.display()),
                    None => format!("{name} was sent and checked"),
                };
                self.ends(file.number, text.clone());
                return Some((text, false));
            }
            FileState::Failed { why } => {
                let begun =
                    |it: &Transfer| it.number == file.number && matches!(it.state, State::Moving { .. });
                let goes_on = matches!(why, Why::CallEnded | Why::Stalled) && self.list.iter().any(begun);
                let more = if goes_on { "; sent again, it goes on from there" } else { "" };
                let text = format!("{name}: {}{more}", why.sentence());
                self.ends(file.number, text.clone());
                return Some((text, true));
            }
        };
        match self.list.iter_mut().find(|transfer| transfer.number == file.number) {
            Some(transfer) => {
                transfer.state = state;
                None
            }
            None => {
                self.list.push(Transfer {
                    number: file.number,
                    remote: file.remote,
                    name: shown,
                    kind: Shown::new(&file.kind),
                    size: file.size,
                    state,
                });
                let size = files::amount(file.size);
                // An offer of the other side is a prompt of its own.
                (!file.remote).then(|| (format!("{name} ({size}) is offered"), false))
            }
        }
    }

    /// A file is over.
    fn ends(&mut self, number: u32, text: String) {
        self.list.retain(|transfer| transfer.number != number);
        if self.over.len() == OVER {
            self.over.pop_front();
        }
        self.over.push_back(text);
    }

    /// How many wait for an answer.
    pub(super) fn waiting(&self) -> usize {
        self.list.iter().filter(|transfer| transfer.remote && transfer.state == State::Offered).count()
    }

    /// What the person has to answer next.
    pub(super) fn offer(&self) -> Option<&Transfer> {
        self.list.iter().find(|transfer| transfer.remote && transfer.state == State::Offered)
    }

    /// The person has answered it: which it was.
    pub(super) fn answer(&mut self) -> Option<u32> {
        let offered = |transfer: &&mut Transfer| transfer.remote && transfer.state == State::Offered;
        let transfer = self.list.iter_mut().find(offered)?;
        transfer.state = State::Answered;
        Some(transfer.number)
    }

    /// An answer came to nothing.
    pub(super) fn unanswer(&mut self) {
        let answered = self.list.iter_mut().filter(|transfer| transfer.state == State::Answered);
        answered.for_each(|transfer| transfer.state = State::Offered);
    }

    /// What has a line on the screen, moving before waiting, and how many more there are.
    pub(super) fn shown(&self) -> Option<(&Transfer, usize)> {
        let lines = || self.list.iter().filter(|it| !it.remote || it.state != State::Offered);
        let moving = lines().find(|transfer| matches!(transfer.state, State::Moving { .. }));
        Some((moving.or_else(|| lines().next())?, lines().count() - 1))
    }
}
