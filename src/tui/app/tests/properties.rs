//! What holds whatever happens, at any size of the screen.

use crossterm::event::{KeyCode, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use proptest::prelude::*;

use super::*;
use crate::session::Kind;
use crate::session::files::{File, FileState, Why};

/// Remote text of every kind of malice.
fn hostile() -> impl Strategy<Value = String> {
    let known = vec![
        "bob",
        "\u{1b}[2J\u{9b}31m",
        "田中さん田中さん",
        "z\u{300}\u{300}\u{300}\u{300}\u{300}\u{300}\u{300}",
        "a\u{202e}b",
        "",
        "👨\u{200d}👩\u{200d}👧🇩🇪",
    ];
    prop_oneof![prop::sample::select(known).prop_map(str::to_owned), any::<String>()]
}

fn kind() -> impl Strategy<Value = Kind> {
    prop::sample::select(vec![Kind::Audio, Kind::Video])
}

fn call() -> impl Strategy<Value = CallId> {
    prop::sample::select(vec![CALL, CALL, CALL, CallId::from_bytes([8; 16])])
}

fn file_state() -> impl Strategy<Value = FileState> {
    let path = Some("\u{1b}[2J".into());
    prop::sample::select(vec![
        FileState::Offered,
        FileState::Offered,
        FileState::Started { from: 10 },
        FileState::Progress { done: 2000, rate: u64::MAX, left: Some(Duration::MAX) },
        FileState::Done { hash: String::new(), path },
        FileState::Failed { why: Why::Declined },
    ])
}

fn event() -> impl Strategy<Value = Event> {
    let reason = || prop::sample::select(EndReason::ALL.to_vec());
    let direction = || prop::sample::select(vec![report::Direction::Outgoing, report::Direction::Incoming]);
    prop_oneof![
        (hostile(), any::<bool>()).prop_map(|(name, resumed)| Event::Registered { name, resumed }),
        (hostile(), 0u64..100).prop_map(|(reason, seconds)| Event::SignalingDown {
            reason,
            retry_in: Duration::from_secs(seconds)
        }),
        hostile().prop_map(|message| Event::Refused { code: "x".into(), message }),
        (call(), hostile()).prop_map(|(call, to)| Event::Calling { call, to }),
        (hostile(), any::<bool>()).prop_map(|(name, first)| incoming(&name, first)),
        call().prop_map(|call| Event::Ringing { call }),
        call().prop_map(|call| Event::Accepted { call }),
        (call(), hostile()).prop_map(|(call, verification_code)| Event::Connected {
            call,
            key: verification_code.clone(),
            verification_code,
            first_contact: false,
        }),
        (call(), any::<bool>(), kind(), any::<bool>()).prop_map(|(call, remote, kind, muted)| Event::Media {
            call,
            remote,
            kind,
            muted
        }),
        (call(), any::<bool>(), hostile(), any::<bool>()).prop_map(|(call, remote, source, off)| {
            Event::Source { call, remote, slot: crate::session::Slot::Video, source, off, changed: true }
        }),
        (call(), any::<bool>(), hostile()).prop_map(|(call, remote, text)| Event::Chat {
            call,
            remote,
            text,
            number: 1
        }),
        (call(), any::<bool>(), any::<bool>(), hostile()).prop_map(|(call, remote, on, path)| {
            Event::Recording { call, remote, on, path: (!remote).then(|| path.into()) }
        }),
        (call(), any::<bool>(), hostile(), file_state(), 0..5_u32).prop_map(
            |(call, remote, name, state, number)| {
                let kind = name.clone();
                Event::File { call, file: File { number, remote, name, size: 1000, kind, state } }
            }
        ),
        (call(), any::<bool>()).prop_map(|(call, up)| Event::Link { call, up }),
        (call(), any::<bool>()).prop_map(|(call, raised)| Event::Alert { call, raised, count: 1 }),
        (0u64..1000).prop_map(figures),
        hostile().prop_map(|from| Event::Missed { from }),
        hostile().prop_map(|text| Event::Notice { text }),
        hostile().prop_map(|reason| Event::Rejected { reason }),
        hostile().prop_map(|reason| Event::NoPath { reason }),
        (reason(), direction(), any::<bool>())
            .prop_map(|(reason, direction, connected)| ended(reason, direction, connected)),
    ]
}

fn key() -> impl Strategy<Value = KeyEvent> {
    let codes = vec![
        KeyCode::Enter,
        KeyCode::Esc,
        KeyCode::Tab,
        KeyCode::Up,
        KeyCode::Down,
        KeyCode::PageUp,
        KeyCode::PageDown,
        KeyCode::Home,
        KeyCode::End,
        KeyCode::Backspace,
        KeyCode::F(1),
        KeyCode::Left,
    ];
    let modifiers = prop::sample::select(vec![
        KeyModifiers::NONE,
        KeyModifiers::NONE,
        KeyModifiers::CONTROL,
        KeyModifiers::ALT,
    ]);
    let code = prop_oneof![
        prop::sample::select(codes),
        prop::sample::select("acdfhijklmnpqrsuvxyzU/?AFGORUé田123456".chars().collect::<Vec<_>>())
            .prop_map(KeyCode::Char),
    ];
    (code, modifiers).prop_map(|(code, modifiers)| KeyEvent::new(code, modifiers))
}

fn mouse() -> impl Strategy<Value = MouseEvent> {
    let kinds = vec![
        MouseEventKind::Down(MouseButton::Left),
        MouseEventKind::ScrollUp,
        MouseEventKind::ScrollDown,
        MouseEventKind::Moved,
    ];
    (prop::sample::select(kinds), 0u16..140, 0u16..60).prop_map(|(kind, column, row)| MouseEvent {
        kind,
        column,
        row,
        modifiers: KeyModifiers::NONE,
    })
}

fn page() -> impl Strategy<Value = Message> {
    let states =
        vec![PresenceState::Available, PresenceState::Away, PresenceState::InCall, PresenceState::Ringing];
    let users = prop::collection::vec((0u32..200, prop::sample::select(states)), 0..60);
    (users, any::<bool>()).prop_map(|(users, more)| {
        let users = users
            .into_iter()
            .map(|(number, state)| User { name: format!("名{number}").parse().unwrap(), state })
            .collect();
        Message::Page { query: String::new(), page: Ok(Page { users, next: more.then(|| "名1".into()) }) }
    })
}

fn size() -> impl Strategy<Value = (u16, u16)> {
    prop_oneof![
        (0u16..6, 0u16..6),
        (30u16..100, 8u16..40),
        (0u16..420, 0u16..130),
        Just((80, 24)),
        Just((40, 12))
    ]
}

/// A message, or time that goes on.
fn step() -> impl Strategy<Value = (Message, u64)> {
    let message = prop_oneof![
        6 => key().prop_map(Message::Key),
        6 => event().prop_map(Message::Session),
        2 => mouse().prop_map(Message::Mouse),
        2 => size().prop_map(|(columns, rows)| Message::Resize(columns, rows)),
        2 => page(),
        1 => hostile().prop_map(Message::Paste),
        1 => any::<bool>().prop_map(Message::Focus),
        1 => Just(()).prop_map(|()| Message::Tick),
        1 => (any::<f32>(), any::<f32>()).prop_map(|(own, remote)| Message::Levels { own: Some(own), remote: Some(remote) }),
        1 => hostile().prop_map(Message::Rejected),
        1 => (hostile(), any::<f32>()).prop_map(|(mode, fps)| Message::Drawing { mode, fps, kbps: 7 }),
    ];
    (message, prop::sample::select(vec![0u64, 1, 300, 800, 5000, 20_000]))
}

/// Everything that must hold of a drawn screen.
fn check(screen: &Screen) -> Result<(), TestCaseError> {
    let (buffer, panes) = screen.draw();
    let area = Rect::new(0, 0, screen.size.0, screen.size.1);
    for pane in [panes.remote, panes.own].into_iter().flatten() {
        prop_assert!(!pane.is_empty() && pane.intersection(area) == pane, "{pane:?} in {area:?}");
    }
    if let (Some(own), Some(remote)) = (panes.own, panes.remote) {
        prop_assert_eq!(own.intersection(remote), own);
    }
    let under = |own: Rect| own.positions().all(|at| buffer[at].symbol() == " ");
    prop_assert!(panes.own.is_none_or(under), "something lies under the own picture");
    for cell in buffer.content() {
        let symbol = cell.symbol();
        prop_assert!(!symbol.chars().any(char::is_control), "{symbol:?}");
        // A joiner is fine where it joins; what comes alone may get something to stand on.
        let clean = |c: char| {
            matches!(c, '\u{200c}' | '\u{200d}')
                || crate::text::Shown::new(&c.to_string()).as_str().ends_with(c)
        };
        prop_assert!(symbol.chars().all(clean), "{symbol:?}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_messages_at_no_size_lead_to_a_panic_or_to_unclean_cells(
        steps in prop::collection::vec(step(), 1..40),
        dials in any::<bool>(),
    ) {
        let dial = dials.then(|| "bob".to_owned());
        let mut screen = Screen::open(Start { history: earlier(), dial, ..start() });
        screen.register();
        for (message, millis) in steps {
            if let Message::Resize(columns, rows) = message {
                screen.size = (columns, rows);
            }
            screen.pass(millis);
            screen.tell(message);
            check(&screen)?;
            let overdue = screen.model.deadline().is_some_and(|deadline| deadline <= screen.now.since_start);
            prop_assert!(!overdue, "a deadline that stays in the past keeps the loop busy");
        }
    }

    #[test]
    fn a_call_fits_on_every_screen((columns, rows) in size(), keys in prop::collection::vec(key(), 0..8)) {
        let mut screen = in_call(3);
        screen.resize(columns, rows);
        check(&screen)?;
        for key in keys {
            screen.tell(Message::Key(key));
            check(&screen)?;
        }
    }
}
