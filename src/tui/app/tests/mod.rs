//! The screen driven by keys and events, and looked at as text.

mod files;
mod keys;
mod properties;
mod recording;
mod screens;
mod steps;
mod talk;

use std::time::{Duration, UNIX_EPOCH};

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;

use super::*;
use crate::call::{CallId, EndReason};
use crate::history::{Direction, Outcome};
use crate::session::report::{self, Report};
use crate::session::{Change, Event, PathDistribution, PathStats, PresenceState, Stats, User};

/// Noon of some day.
const NOON: u64 = 1_800_000_000;

/// The fingerprint of the other side's key.
pub(super) const KEY: &str = "SHA256:abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";

/// A screen under test.
pub(super) struct Screen {
    pub(super) model: Model,
    pub(super) now: Now,
    pub(super) size: (u16, u16),
    /// What the last messages asked for.
    pub(super) actions: Vec<Action>,
}

pub(super) fn start() -> Start {
    Start {
        me: "alice".into(),
        server: "meet.example".into(),
        dial: None,
        keys: Keymap::default(),
        history: Vec::new(),
        theme: Theme::default(),
        sends: Sends { audio: true, video: true },
        push_to_talk: false,
        asks_code: false,
        alert: false,
        releases: true,
    }
}

pub(super) fn at(millis: u64) -> Now {
    let since_start = Duration::from_millis(millis);
    Now { since_start, wall: UNIX_EPOCH + Duration::from_secs(NOON) + since_start }
}

impl Screen {
    pub(super) fn open(start: Start) -> Self {
        let (model, actions) = Model::new(start, at(0));
        let mut screen = Self { model, now: at(0), size: (80, 24), actions };
        screen.resize(80, 24);
        screen
    }

    /// Online, with these users listed.
    pub(super) fn online(users: &[(&str, PresenceState)]) -> Self {
        let mut screen = Self::open(start());
        screen.register();
        screen.page("", users);
        screen
    }

    pub(super) fn register(&mut self) {
        self.event(Event::Registered { name: "alice".into(), resumed: false });
    }

    pub(super) fn page(&mut self, query: &str, users: &[(&str, PresenceState)]) {
        let users =
            users.iter().map(|(name, state)| User { name: name.parse().unwrap(), state: *state }).collect();
        self.tell(Message::Page { query: query.into(), page: Ok(Page { users, next: None }) });
    }

    pub(super) fn tell(&mut self, message: Message) {
        let actions = self.model.update(message, self.now);
        self.actions.extend(actions);
    }

    pub(super) fn event(&mut self, event: Event) {
        self.tell(Message::Session(event));
    }

    /// Presses keys, written with spaces between them.
    pub(super) fn press(&mut self, keys: &str) {
        for key in keys.split_whitespace() {
            self.tell(Message::Key(key.parse::<Chord>().unwrap().event()));
        }
    }

    /// Types text.
    pub(super) fn write(&mut self, text: &str) {
        for c in text.chars() {
            let key = crossterm::event::KeyCode::Char(c);
            self.tell(Message::Key(KeyEvent::new(key, crossterm::event::KeyModifiers::NONE)));
        }
    }

    pub(super) fn pass(&mut self, millis: u64) {
        self.now = at(self.now.since_start.as_millis() as u64 + millis);
        self.tell(Message::Tick);
    }

    pub(super) fn resize(&mut self, columns: u16, rows: u16) {
        self.size = (columns, rows);
        self.tell(Message::Resize(columns, rows));
    }

    /// What was asked for since the last time, in one line each.
    pub(super) fn done(&mut self) -> Vec<String> {
        self.actions.drain(..).map(|action| format!("{action:?}")).collect()
    }

    pub(super) fn draw(&self) -> (Buffer, Panes) {
        let mut terminal = Terminal::new(TestBackend::new(self.size.0, self.size.1)).unwrap();
        let mut panes = Panes::default();
        terminal.draw(|frame| panes = view(&self.model, self.now, frame)).unwrap();
        (terminal.backend().buffer().clone(), panes)
    }

    /// The screen as text, panes filled as painters would.
    pub(super) fn text(&self) -> String {
        let (mut buffer, panes) = self.draw();
        for (pane, sign) in [(panes.remote, "░"), (panes.own, "▓")] {
            for position in pane.into_iter().flat_map(Rect::positions) {
                buffer[position].set_symbol(sign);
            }
        }
        text_of(&buffer)
    }
}

/// A buffer as lines, with what wide characters cover left out.
pub(super) fn text_of(buffer: &Buffer) -> String {
    let mut text = String::new();
    for y in 0..buffer.area.height {
        let (mut line, mut x) = (String::new(), 0);
        while x < buffer.area.width {
            let symbol = buffer[(x, y)].symbol();
            line.push_str(symbol);
            x += u16::try_from(crate::text::width(symbol).max(1)).unwrap();
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Who is online.
pub(super) const BOTH: &[(&str, PresenceState)] =
    &[("bob", PresenceState::Available), ("carol", PresenceState::InCall)];

pub(super) const CALL: CallId = CallId::from_bytes([7; 16]);

pub(super) fn incoming(name: &str, first_contact: bool) -> Event {
    let key = "SHA256:uNiVztksCsDhcc0u9e8BgrJXVGDr7dQXs0m8D5k0Zu4".to_owned();
    Event::Incoming { call: CALL, from: name.into(), key, first_contact, files: false }
}

pub(super) fn figures(second: u64) -> Event {
    let mut media = Stats::default();
    let video = &mut media.video_received;
    (video.codec, video.width, video.height) = (Some("VP8"), 640, 360);
    (video.frames_shown, video.packets_received, video.packets_lost) =
        (25 * second, 100 * second, second / 4);
    (media.video_sent.width, media.video_sent.height, media.video_sent.frames_sent) = (640, 360, 30 * second);
    media.audio_received.codec = Some("opus");
    let mut path =
        PathStats { bytes_received: 101_500 * second, bytes_sent: 80_000 * second, ..PathStats::default() };
    let rtt = Duration::from_millis(48);
    path.rtt = Some(PathDistribution { p50: rtt, p95: rtt, max: rtt });
    Event::Stats { call: CALL, media: Box::new(media), path: Box::new(path) }
}

pub(super) fn ended(reason: EndReason, direction: report::Direction, connected: bool) -> Event {
    let report = Report {
        chat: crate::session::report::Chat::default(),
        compared: None,
        files: false,
        id: CALL,
        peer: "bob".into(),
        peer_key: None,
        verification_code: None,
        direction,
        reason,
        detail: None,
        duration: if connected { Duration::from_secs(62) } else { Duration::ZERO },
        setup: report::Setup {
            connected: connected.then_some(Duration::from_secs(1)),
            ..report::Setup::default()
        },
        remote_sends: report::RemoteSends::default(),
        path: None,
        media: None,
        record: None,
    };
    Event::Ended { reason, report: Box::new(report) }
}

/// What the session tells of a call that is dialed and taken.
pub(super) fn connect(screen: &mut Screen) {
    screen.event(Event::Calling { call: CALL, to: "bob".into() });
    screen.event(Event::Ringing { call: CALL });
    screen.event(Event::Accepted { call: CALL });
    screen.event(Event::Connected {
        call: CALL,
        verification_code: "1234 5678 9012 3456".into(),
        key: KEY.into(),
        first_contact: false,
    });
}

/// In a call with bob that has run for some seconds.
pub(super) fn in_call(seconds: u64) -> Screen {
    let mut screen = Screen::online(&[("bob", PresenceState::Available)]);
    screen.press("enter");
    connect(&mut screen);
    for second in 0..seconds {
        screen.pass(1000);
        screen.event(figures(second + 1));
    }
    screen.tell(Message::Levels { own: Some(-22.0), remote: Some(-38.0) });
    screen.done();
    screen
}

/// Some earlier calls, oldest first.
pub(super) fn earlier() -> Vec<Entry> {
    let call = |peer: &str, direction, outcome: Outcome, minutes: u64| {
        let seen = outcome != Outcome::Missed;
        Entry { peer: peer.into(), direction, outcome, at: NOON - 60 * minutes, seen }
    };
    vec![
        call("erin", Direction::Outgoing, Outcome::Failed { reason: "the connection was lost".into() }, 3000),
        call("bob", Direction::Outgoing, Outcome::Answered { seconds: 252 }, 130),
        call("dave", Direction::Outgoing, Outcome::NotAnswered { reason: "nobody answered".into() }, 75),
        call("田中さん", Direction::Incoming, Outcome::Answered { seconds: 3725 }, 64),
        call("carol", Direction::Incoming, Outcome::Missed, 12),
    ]
}
