//! Everything that the screen remembers.
//!
//! Owns the state and its small steps; `update` decides which step a message takes, `view` draws it.

use std::collections::VecDeque;
use std::time::Duration;

use super::conversation::{Call, Phase, Sending, Sent};
use super::editor::Editor;
use super::files::Transfer;
use super::keymap::{Context, Keymap};
use super::users::Users;
use super::{Action, Now, Sends, Start, Theme};
use crate::call::CallId;
use crate::history::{Entry, KEPT};
use crate::session::Command;
use crate::session::report::Report;
use crate::text::Shown;

/// How long a notice stays at the foot of the screen.
const TOAST: Duration = Duration::from_secs(6);

/// How long a bad one is left to be read before something newer takes its place.
const READ: Duration = Duration::from_millis(2500);

/// Notices waiting to be shown; the oldest gives way, and all are in the log.
const TOASTS: usize = 4;

/// Notices in the log; the oldest gives way.
const LOG: usize = 300;

/// The list of users is asked for this often.
pub(super) const REFRESH: Duration = Duration::from_secs(10);

/// The bell sounds this often while it rings.
pub(super) const BELL: Duration = Duration::from_secs(3);

/// Keys pressed this soon after a prompt or a card appeared were meant for something else; and so were those that come within
/// this time after one of them, because somebody is typing.
pub(super) const CONSENT: Duration = Duration::from_millis(700);

/// The prompt changes its look this often, so that it can't be overlooked.
pub(super) const BLINK: Duration = Duration::from_millis(500);

/// The connection to the server.
#[derive(Debug, PartialEq)]
pub(super) enum Server {
    /// Not there yet.
    Connecting,
    /// The name is ours.
    Online,
    /// Gone; tried again by itself.
    Down { reason: Shown, retry: Duration },
    /// It will not have us.
    Refused { message: Shown },
}

/// Which list has the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pane {
    People,
    Calls,
}

/// What is typed at the foot of the dashboard.
#[derive(Debug)]
pub(super) struct Prompt {
    pub(super) purpose: Purpose,
    pub(super) editor: Editor,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Search,
    Dial,
    File,
    /// The code that the other side reads.
    Compare,
}

/// Somebody calls.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) call: CallId,
    /// As it came.
    pub(super) name: String,
    pub(super) from: Shown,
    pub(super) key: Shown,
    pub(super) first_contact: bool,
    /// It is about files, without sound and picture.
    pub(super) files: bool,
    pub(super) at: u64,
    pub(super) next_bell: Duration,
    /// The answer is on its way.
    pub(super) answered: bool,
}

/// Something to read over the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    Help,
    Log,
    Figures,
}

/// A line of the log.
#[derive(Debug)]
pub(super) struct Logged {
    pub(super) at: u64,
    pub(super) text: Shown,
}

/// Something to be noticed for a while.
#[derive(Debug)]
pub(super) struct Toast {
    pub(super) text: Shown,
    pub(super) bad: bool,
    pub(super) since: Duration,
    pub(super) until: Duration,
}

/// Where the own picture lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Corner {
    BottomRight,
    BottomLeft,
    TopLeft,
    TopRight,
}

/// How the picture is drawn at present.
#[derive(Debug)]
pub(super) struct Drawing {
    pub(super) mode: Shown,
    pub(super) fps: f32,
    pub(super) kbps: u32,
}

/// The state of the screen. See [`super`].
#[derive(Debug)]
pub struct Model {
    pub(super) me: Shown,
    pub(super) address: Shown,
    pub(super) keys: Keymap,
    pub(super) theme: Theme,
    pub(super) sends: Sends,
    pub(super) size: (u16, u16),
    pub(super) server: Server,
    pub(super) users: Users,
    /// Newest first.
    pub(super) calls: VecDeque<Entry>,
    pub(super) selected_call: usize,
    pub(super) pane: Pane,
    pub(super) prompt: Option<Prompt>,
    pub(super) incoming: Option<Incoming>,
    pub(super) call: Option<Call>,
    pub(super) reading: Option<Reading>,
    /// First line shown of what is read.
    pub(super) top: usize,
    pub(super) toasts: VecDeque<Toast>,
    pub(super) log: VecDeque<Logged>,
    pub(super) drawing: Option<Drawing>,
    pub(super) self_view: bool,
    pub(super) corner: Corner,
    pub(super) full: bool,
    pub(super) next_refresh: Duration,
    pub(super) focused: bool,
    /// A row and when it was clicked, for the second click.
    pub(super) clicked: Option<((u16, u16), Duration)>,
    /// Leave when the one call is over.
    pub(super) one_call: bool,
    pub(super) leaving: bool,
    /// Until then no key and no click answers anything.
    pub(super) settling: Option<Duration>,
    /// When a notification of a message may follow the last one.
    pub(super) next_notice: Duration,
    pub(super) report: Option<Box<Report>>,
    /// The microphone is off unless somebody talks.
    pub(super) push_to_talk: bool,
    /// A hand on the own face is looked out for.
    pub(super) alert: bool,
    /// The code is asked for as soon as there is one.
    pub(super) asks_code: bool,
    /// The bell may sound again for one.
    pub(super) next_alarm: Duration,
    /// The terminal tells when a key is let go of.
    pub(super) releases: bool,
    /// The key to talk is held.
    pub(super) talking: bool,
    /// Nobody sits here, as others are told.
    pub(super) away: bool,
    /// Another device was asked for, by slot.
    pub(super) asked: [bool; 3],
    pub(super) out: Vec<Action>,
}

impl Model {
    /// The screen as it begins, and what is to be done at once.
    #[must_use]
    pub fn new(start: Start, now: Now) -> (Self, Vec<Action>) {
        let one_call = start.dial.is_some();
        let mut calls: VecDeque<Entry> = start.history.into_iter().rev().collect();
        calls.truncate(KEPT);
        let mut model = Self {
            me: Shown::new(&start.me),
            address: Shown::new(&start.server),
            keys: start.keys,
            theme: start.theme,
            sends: start.sends,
            size: (80, 24),
            server: Server::Connecting,
            users: Users::new(&start.me),
            calls,
            selected_call: 0,
            pane: Pane::People,
            prompt: None,
            incoming: None,
            call: None,
            reading: None,
            top: 0,
            toasts: VecDeque::new(),
            log: VecDeque::new(),
            drawing: None,
            self_view: true,
            corner: Corner::BottomRight,
            full: false,
            next_refresh: Duration::ZERO,
            focused: true,
            clicked: None,
            one_call,
            leaving: false,
            settling: None,
            next_notice: Duration::ZERO,
            report: None,
            push_to_talk: start.push_to_talk,
            alert: start.alert,
            asks_code: start.asks_code,
            next_alarm: Duration::ZERO,
            releases: start.releases,
            talking: false,
            away: false,
            asked: [false; 3],
            out: Vec::new(),
        };
        if let Some(name) = &start.dial {
            model.call = Some(Call::new(name, Phase::Waiting, now.since_start, now.unix(), model.own()));
        }
        (model, Vec::new())
    }

    /// When [`super::Message::Tick`] is due, since the start.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        let toast = self.toasts.front().map(|toast| toast.until);
        let refresh = self.lists_people().then_some(self.next_refresh);
        let bell =
            self.incoming.as_ref().filter(|incoming| !incoming.answered).map(|incoming| incoming.next_bell);
        [toast, refresh, bell, self.settling].into_iter().flatten().min()
    }

    /// How often the screen changes by itself: clocks and the blinking prompt. `None` while nothing moves.
    #[must_use]
    pub fn beat(&self) -> Option<Duration> {
        let counts = self.call.as_ref().is_some_and(|call| !call.is_over());
        let waits = matches!(self.server, Server::Down { .. });
        match self.incoming.is_some() || self.offer().is_some() {
            true => Some(BLINK),
            false => (counts || waits).then_some(Duration::from_secs(1)),
        }
    }

    /// Where keys go at present.
    pub(super) fn context(&self) -> Context {
        if self.incoming.is_some() {
            return Context::Incoming;
        }
        if self.offer().is_some() {
            return Context::Offer;
        }
        if self.reading.is_some() {
            return Context::Reading;
        }
        match &self.call {
            Some(call) if call.is_over() => Context::Ended,
            Some(call) if call.is_dialing() => Context::Dialing,
            Some(_) if self.prompt.is_some() => Context::Typing,
            Some(call) if call.chat.open && call.chat.typing => Context::Chat,
            Some(_) => Context::Call,
            None if self.prompt.is_some() => Context::Typing,
            None => Context::Dashboard,
        }
    }

    /// The file that a person is asked about.
    pub(super) fn offer(&self) -> Option<&Transfer> {
        self.call.as_ref().filter(|call| !call.is_over()).and_then(|call| call.files.offer())
    }

    /// True while the list of people is on the screen and can be asked for.
    pub(super) fn lists_people(&self) -> bool {
        self.call.is_none() && self.server == Server::Online && !self.leaving
    }

    /// Missed calls that nobody has looked at.
    pub(super) fn missed(&self) -> usize {
        self.calls.iter().filter(|entry| entry.is_new()).count()
    }

    /// What a new call would send.
    pub(super) fn own(&self) -> Sending {
        let sent = |there: bool| if there { Sent::On } else { Sent::Never };
        Sending { audio: sent(self.sends.audio), video: sent(self.sends.video) }
    }

    /// Something appeared that a key could answer.
    pub(super) fn settle(&mut self, now: Now) {
        self.settling = Some(now.since_start + CONSENT);
    }

    /// True while whoever sits there can't have seen yet that somebody calls, or that a call is over.
    pub(super) fn is_settling(&self, now: Now) -> bool {
        self.settling.is_some_and(|until| now.since_start < until)
    }

    /// Shows a line for a while and keeps it in the log. The text may be remote.
    pub(super) fn say(&mut self, text: &str, bad: bool, now: Now) {
        let text = Shown::new(text);
        self.note(text.clone(), now);
        if !bad {
            // The answer to the last key counts, not what the ones before it did.
            self.toasts.retain(|toast| toast.bad);
        }
        if self.toasts.len() == TOASTS {
            self.toasts.pop_front();
        }
        // What is newer is shown soon: what stands has been read by then, and the log has it.
        self.toasts.iter_mut().for_each(|toast| toast.until = toast.until.min(toast.since + READ));
        let since = self.toasts.back().map_or(now.since_start, |last| last.until.max(now.since_start));
        self.toasts.push_back(Toast { text, bad, since, until: since + TOAST });
    }

    /// Keeps a line in the log only.
    pub(super) fn note(&mut self, text: Shown, now: Now) {
        if self.log.len() == LOG {
            self.log.pop_front();
        }
        self.log.push_back(Logged { at: now.unix(), text });
    }

    /// Calls somebody, or says why not.
    pub(super) fn dial(&mut self, name: &str, now: Now) {
        let name = name.trim();
        if name.is_empty() {
            return;
        }
        if self.server != Server::Online {
            return self.say("not connected to the server: nobody can be called now", true, now);
        }
        self.prompt = None;
        self.call = Some(Call::new(name, Phase::Calling, now.since_start, now.unix(), self.own()));
        self.out.push(Action::Command(Command::Dial { to: name.to_owned() }));
    }

    /// Puts a call into the history.
    pub(super) fn remember(&mut self, entry: Entry) {
        self.calls.push_front(entry.clone());
        self.calls.truncate(KEPT);
        self.out.push(Action::Remember(entry));
    }

    /// Asks for the list of users, and again after a while.
    pub(super) fn refresh(&mut self, now: Now) {
        self.next_refresh = now.since_start + REFRESH;
        let ask = self.users.refresh();
        self.out.push(ask);
    }

    /// Leaves: the session first, the screen when that is done. Asked for twice, at once.
    pub(super) fn quit(&mut self) {
        let last = std::mem::replace(&mut self.leaving, true);
        self.out.push(if last { Action::Quit } else { Action::Leave });
    }
}
