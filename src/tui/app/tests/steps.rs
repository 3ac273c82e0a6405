//! What keys and events lead to: the actions that come out, and what is remembered.

use crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

use super::super::model::{CONSENT, Server};
use super::*;
use crate::session::{Kind, Slot};

fn click(screen: &mut Screen, column: u16, row: u16) {
    let kind = MouseEventKind::Down(MouseButton::Left);
    screen.tell(Message::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }));
}

/// The column and row where a text stands on the screen.
fn place_of(screen: &Screen, text: &str) -> (u16, u16) {
    let drawn = screen.text();
    let (row, line) = drawn.lines().enumerate().find(|(_, line)| line.contains(text)).expect(text);
    let column = crate::text::width(&line[..line.find(text).unwrap()]);
    (u16::try_from(column).unwrap(), u16::try_from(row).unwrap())
}

fn names(screen: &Screen) -> Vec<&str> {
    screen.model.users.rows().iter().map(|row| row.name.as_str()).collect()
}

#[test]
fn going_online_asks_for_the_list_and_watches_whom_it_names() {
    let mut screen = Screen::open(start());
    assert_eq!(screen.done(), [""; 0]);
    screen.register();
    assert_eq!(screen.done(), ["Users { query: None, after: None }"]);
    screen.page("", BOTH);
    assert_eq!(screen.done(), ["Watch([\"bob\", \"carol\"])"]);
    screen.pass(10_000);
    assert_eq!(screen.done(), ["Users { query: None, after: None }"]);
    screen.page("", BOTH);
    assert_eq!(screen.done(), [""; 0], "nobody is watched twice");
}

#[test]
fn a_list_of_several_pages_is_fetched_whole_before_it_is_shown() {
    let mut screen = Screen::open(start());
    screen.register();
    let user = |name: &str| User { name: name.parse().unwrap(), state: PresenceState::Available };
    let page = Page { users: vec![user("bob")], next: Some("bob".into()) };
    screen.tell(Message::Page { query: String::new(), page: Ok(page) });
    assert!(screen.done().contains(&"Users { query: None, after: Some(\"bob\") }".to_owned()));
    assert!(names(&screen).is_empty());
    screen.page("", &[("carol", PresenceState::Away)]);
    assert_eq!(names(&screen), ["bob", "carol"]);
}

#[test]
fn at_most_a_hundred_names_are_watched() {
    let mut screen = Screen::open(start());
    screen.register();
    screen.done();
    let all: Vec<String> = (0..150).map(|number| format!("user{number:03}")).collect();
    let users: Vec<(&str, PresenceState)> =
        all.iter().map(|name| (name.as_str(), PresenceState::Available)).collect();
    screen.page("", &users);
    let watched = match &screen.actions[..] {
        [Action::Watch(names)] => names.len(),
        other => panic!("{other:?}"),
    };
    assert_eq!(watched, 100);
}

#[test]
fn one_self_is_never_listed() {
    let screen = Screen::online(&[("Alice", PresenceState::Available), ("bob", PresenceState::Away)]);
    assert_eq!(names(&screen), ["bob"]);
}

#[test]
fn presence_moves_removes_and_brings_back() {
    let mut screen = Screen::online(BOTH);
    let change = |name: &str, state| Event::Presence(vec![Change { name: name.parse().unwrap(), state }]);
    screen.press("j");
    screen.event(change("bob", PresenceState::Away));
    assert_eq!(names(&screen), ["carol", "bob"]);
    assert_eq!(screen.model.users.chosen().unwrap().name, "carol", "the selected name stays selected");
    screen.event(change("carol", PresenceState::Offline));
    assert_eq!(names(&screen), ["bob"]);
    screen.event(change("carol", PresenceState::Available));
    assert_eq!(names(&screen), ["carol", "bob"]);
    screen.press("s");
    assert_eq!(names(&screen), ["bob", "carol"]);
}

#[test]
fn a_search_asks_the_server_and_late_answers_to_other_searches_are_dropped() {
    let mut screen = Screen::online(BOTH);
    screen.done();
    screen.press("/");
    screen.write("ca");
    assert_eq!(
        screen.done(),
        ["Users { query: Some(\"c\"), after: None }", "Users { query: Some(\"ca\"), after: None }"]
    );
    assert_eq!(names(&screen), ["carol"], "what is known is searched at once");
    screen.page("c", &[("carol", PresenceState::Away), ("mac", PresenceState::Away)]);
    assert_eq!(names(&screen), ["carol"]);
    screen.page("ca", &[("carol", PresenceState::Away), ("oscar", PresenceState::Away)]);
    assert_eq!(names(&screen), ["carol", "oscar"]);
    screen.press("down enter enter");
    assert!(screen.done().last().unwrap().contains("Dial { to: \"oscar\" }"));
}

#[test]
fn escape_ends_a_search() {
    let mut screen = Screen::online(BOTH);
    screen.press("/ c esc");
    assert_eq!(screen.done().last().unwrap(), "Users { query: None, after: None }");
    screen.page("", BOTH);
    assert_eq!(names(&screen), ["bob", "carol"]);
}

#[test]
fn a_name_can_be_typed_and_called() {
    let mut screen = Screen::online(&[]);
    screen.press("d");
    screen.write("Zoë q");
    screen.press("enter");
    assert!(screen.done().last().unwrap().contains("Dial { to: \"Zoë q\" }"));
}

#[test]
fn nobody_is_called_without_a_server() {
    let mut screen = Screen::online(BOTH);
    screen.event(Event::SignalingDown { reason: "gone".into(), retry_in: Duration::from_secs(2) });
    screen.done();
    screen.press("enter");
    assert_eq!(screen.done(), [""; 0]);
    assert!(screen.text().contains("nobody can be called now"));
    assert!(screen.model.call.is_none());
}

#[test]
fn an_incoming_call_rings_until_it_is_answered_and_notifies_once() {
    let mut screen = Screen::online(BOTH);
    screen.done();
    screen.event(incoming("bob", false));
    assert_eq!(screen.done(), ["Notify { title: \"letsmeet\", body: \"bob is calling\" }", "Bell"]);
    screen.pass(2999);
    assert_eq!(screen.done(), [""; 0]);
    screen.pass(1);
    assert_eq!(screen.done(), ["Bell"]);
    screen.press("a a");
    assert_eq!(screen.done().len(), 1, "answered once");
    screen.pass(3000);
    assert!(!screen.done().contains(&"Bell".to_owned()));
    screen.event(Event::Accepted { call: CALL });
    assert!(screen.model.incoming.is_none() && screen.model.call.is_some());
}

#[test]
fn a_key_that_was_on_its_way_consents_to_nothing() {
    let mut screen = Screen::online(BOTH);
    screen.press("/");
    screen.event(incoming("bob", false));
    screen.done();
    screen.write("anybody");
    assert_eq!(screen.done(), [""; 0]);
    screen.press("ctrl-l");
    assert_eq!(screen.done(), ["Redraw"], "what answers nothing works");
    assert!(screen.text().contains("one moment"), "the buttons come later");
    let half = u64::try_from(CONSENT.as_millis() / 2).unwrap();
    screen.pass(half);
    screen.write("a");
    screen.pass(half + 1);
    screen.write("a");
    assert_eq!(screen.done(), [""; 0], "who goes on typing does not look");
    screen.pass(2 * half + 1);
    screen.press("d");
    assert!(screen.done()[0].contains("Decline { call: Some(CallId(0707"));
}

#[test]
fn the_buttons_of_an_incoming_call_can_be_clicked_at_any_size() {
    for (columns, rows) in [(40, 12), (80, 24), (200, 60)] {
        for (button, command) in
            [("[a Accept]", "Accept {"), ("[d Decline]", "busy: false"), ("[b Busy]", "busy: true")]
        {
            let mut screen = Screen::online(BOTH);
            screen.resize(columns, rows);
            screen.event(incoming("bob", true));
            screen.pass(1000);
            screen.done();
            let (column, row) = place_of(&screen, button);
            click(&mut screen, column + 3, row);
            assert!(screen.done()[0].contains(command), "{button} at {columns}x{rows}");
        }
    }
}

#[test]
fn a_click_selects_and_a_second_one_calls() {
    let mut screen = Screen::online(BOTH);
    let (column, row) = place_of(&screen, "carol");
    screen.done();
    click(&mut screen, column, row);
    assert_eq!(screen.model.users.chosen().unwrap().name, "carol");
    assert_eq!(screen.done(), [""; 0]);
    screen.pass(1000);
    click(&mut screen, column, row);
    assert_eq!(screen.done(), [""; 0], "too late for a double click");
    screen.pass(100);
    click(&mut screen, column, row);
    assert!(screen.done()[0].contains("Dial { to: \"carol\" }"));
}

#[test]
fn missed_calls_are_new_until_they_were_looked_at() {
    let mut screen = Screen::open(Start { history: earlier(), ..start() });
    screen.register();
    assert!(screen.text().contains("1 missed call"));
    screen.event(incoming("bob", false));
    screen.done();
    screen.event(Event::Missed { from: "bob".into() });
    assert!(screen.model.incoming.is_none());
    screen.event(ended(EndReason::NoAnswer, report::Direction::Incoming, false));
    let done = screen.done();
    assert_eq!(
        done.iter().filter(|line| line.contains("outcome: Missed") && line.contains("seen: false")).count(),
        1
    );
    screen.event(Event::Missed { from: "carol".into() });
    assert!(screen.done()[0].contains("peer: \"carol\""), "it never rang here, being busy");
    assert!(screen.text().contains("3 missed calls"));
    screen.pass(1000);
    screen.press("tab tab");
    assert_eq!(screen.done(), ["Seen"]);
    assert!(!screen.text().contains("3 missed"));
}

#[test]
fn mute_and_camera_are_asked_for_and_shown_when_they_happened() {
    let mut screen = in_call(2);
    screen.press("m v");
    assert_eq!(
        screen.done(),
        ["Command(Mute { kind: Audio, muted: true })", "Command(Mute { kind: Video, muted: true })"]
    );
    assert!(!screen.text().contains("MUTED"));
    let kind = crate::session::Kind::Audio;
    screen.event(Event::Media { call: CALL, remote: false, kind, muted: true });
    assert!(screen.text().contains("MUTED"));
    screen.press("m");
    assert_eq!(screen.done(), ["Command(Mute { kind: Audio, muted: false })"]);
}

#[test]
fn without_a_camera_there_is_nothing_to_mute() {
    let mut screen = Screen::open(Start { sends: Sends { audio: true, video: false }, ..start() });
    screen.register();
    screen.event(incoming("bob", false));
    screen.event(Event::Accepted { call: CALL });
    screen.event(Event::Connected {
        call: CALL,
        verification_code: "1".into(),
        key: KEY.into(),
        first_contact: false,
    });
    screen.pass(20_000);
    screen.done();
    screen.press("v");
    assert_eq!(screen.done(), [""; 0]);
    let text = screen.text();
    assert!(text.contains("camera none") && text.contains("without a camera"), "{text}");
}

#[test]
fn events_of_other_calls_change_nothing() {
    let mut screen = in_call(1);
    let call = CallId::from_bytes([9; 16]);
    let before = screen.text();
    screen.event(Event::Chat { call, remote: true, text: "boo".into(), number: 1 });
    screen.event(Event::Link { call, up: false });
    screen.event(Event::Ringing { call });
    screen.event(Event::Connected {
        call,
        verification_code: "6666".into(),
        key: KEY.into(),
        first_contact: false,
    });
    assert_eq!(screen.text(), before);
}

#[test]
fn both_sides_dialing_leads_into_the_call_that_goes_on() {
    let mut screen = Screen::online(BOTH);
    screen.press("enter");
    screen.event(Event::Calling { call: CallId::from_bytes([9; 16]), to: "bob".into() });
    screen.event(Event::Accepted { call: CALL });
    screen.event(Event::Connected {
        call: CALL,
        verification_code: "1234".into(),
        key: KEY.into(),
        first_contact: false,
    });
    assert!(screen.text().contains("code 1234"));
}

#[test]
fn a_call_that_is_over_is_remembered_and_any_key_goes_back() {
    let mut screen = in_call(3);
    screen.press("q");
    assert!(screen.done()[0].contains("HangUp"));
    screen.event(ended(EndReason::HungUp, report::Direction::Outgoing, true));
    assert!(screen.done()[0].contains("outcome: Answered { seconds: 62 }"));
    screen.press("z");
    assert!(screen.model.call.is_some(), "a key that was on its way reads nothing away");
    screen.pass(u64::try_from(CONSENT.as_millis()).unwrap());
    screen.press("z");
    assert!(screen.model.call.is_none());
    assert_eq!(screen.done(), ["Users { query: None, after: None }"]);
}

#[test]
fn the_one_call_of_a_command_is_shown_as_its_attendant_dials_and_leaves_when_it_is_over() {
    let mut screen = Screen::open(Start { dial: Some("bob".into()), ..start() });
    assert_eq!(screen.done(), [""; 0]);
    assert!(screen.text().contains("waiting …"));
    screen.register();
    assert!(!screen.done().iter().any(|action| action.contains("Dial")));
    screen.event(Event::Calling { call: CALL, to: "bob".into() });
    assert!(screen.text().contains("calling"));
    screen.event(ended(EndReason::Busy, report::Direction::Outgoing, false));
    screen.done();
    screen.pass(u64::try_from(CONSENT.as_millis()).unwrap());
    screen.press("enter");
    assert_eq!(screen.done(), ["Leave"]);
    screen.event(Event::Closed);
    assert_eq!(screen.done(), ["Quit"]);
}

#[test]
fn a_refused_dial_says_why() {
    let mut screen = Screen::online(BOTH);
    screen.press("enter");
    screen.tell(Message::Rejected("\"bob\" is yourself\u{1b}".into()));
    screen.pass(u64::try_from(CONSENT.as_millis()).unwrap());
    let text = screen.text();
    assert!(text.contains("\"bob\" is yourself\u{fffd}.") && text.contains("any key"), "{text}");
}

#[test]
fn ctrl_c_hangs_up_first_and_leaves_then() {
    let mut screen = in_call(1);
    screen.press("c");
    screen.press("ctrl-c");
    assert!(screen.done()[0].contains("HangUp"));
    screen.press("ctrl-c");
    assert_eq!(screen.done(), ["Leave"], "the session does not answer");
    screen.press("ctrl-c");
    assert_eq!(screen.done(), ["Quit"]);
}

#[test]
fn keys_of_the_terminal_work_everywhere() {
    let mut typing = Screen::online(BOTH);
    typing.press("/");
    let mut ringing = Screen::online(BOTH);
    ringing.event(incoming("bob", false));
    for screen in [&mut typing, &mut ringing, &mut in_call(1)] {
        screen.done();
        screen.press("ctrl-z ctrl-l f1");
        assert_eq!(screen.done(), ["Suspend", "Redraw"]);
    }
}

#[test]
fn toasts_go_after_their_time_and_stay_in_the_log() {
    let mut screen = Screen::online(BOTH);
    screen.event(Event::Notice { text: "refused a call: \u{1b}[31mkey".into() });
    assert!(screen.text().contains("! refused a call: \u{fffd}[31mkey"));
    let due = screen.model.deadline().unwrap();
    assert!(due > screen.now.since_start);
    screen.pass(6000);
    assert!(!screen.text().contains("refused a call"));
    screen.press("l");
    assert!(screen.text().contains("refused a call"));
}

#[test]
fn an_answer_takes_the_place_of_the_one_before_and_waits_for_what_is_bad() {
    let mut screen = Screen::online(BOTH);
    screen.tell(Message::Notice("the first".into()));
    screen.tell(Message::Notice("the second".into()));
    assert!(screen.text().contains("the second") && !screen.text().contains("the first"));
    screen.pass(6000);
    screen.tell(Message::Trouble("the bad".into()));
    screen.tell(Message::Notice("the third".into()));
    assert!(screen.text().contains("! the bad"));
    screen.pass(6000);
    assert!(screen.text().contains("the third"));
}

#[test]
fn a_lost_server_is_said_and_its_return_refreshes_the_list() {
    let mut screen = Screen::online(BOTH);
    screen.event(Event::SignalingDown { reason: "reset".into(), retry_in: Duration::from_millis(1500) });
    assert!(screen.text().contains("OFFLINE, again in 2 s"));
    assert_eq!(screen.model.beat(), Some(Duration::from_secs(1)));
    screen.done();
    screen.event(Event::Registered { name: "alice".into(), resumed: true });
    assert_eq!(screen.model.server, Server::Online);
    assert_eq!(screen.done(), ["Users { query: None, after: None }"]);
}

#[test]
fn the_picture_keys_change_only_the_picture() {
    let mut screen = in_call(2);
    let (_, panes) = screen.draw();
    let (remote, own) = (panes.remote.unwrap(), panes.own.unwrap());
    assert_eq!((remote.height, own.right(), own.bottom()), (21, remote.right(), remote.bottom()));
    screen.press("p");
    assert_eq!(screen.draw().1.own.unwrap().x, 0);
    screen.press("s");
    assert_eq!(screen.draw().1.own, None);
    screen.pass(20_000);
    screen.press("f");
    assert_eq!(screen.draw().1.remote.unwrap(), Rect::new(0, 0, 80, 24));
    screen.press("f r");
    assert_eq!(screen.done(), ["NextMode"]);
}

#[test]
fn nothing_is_painted_under_what_is_read() {
    let mut screen = in_call(2);
    for keys in ["?", "esc i", "esc l"] {
        screen.press(keys);
        assert_eq!(screen.draw().1, Panes::default(), "{keys}");
    }
    screen.press("esc");
    assert!(screen.draw().1.remote.is_some());
}

#[test]
fn help_names_every_key_that_works() {
    let mut screen = Screen::online(BOTH);
    screen.resize(100, 120);
    screen.press("?");
    let text = screen.text();
    for row in super::super::keymap::TABLE {
        assert!(text.contains(row.help), "{}", row.name);
    }
}

#[test]
fn somebody_else_s_call_ends_nothing_while_ours_waits() {
    let mut screen = Screen::open(Start { dial: Some("bob".into()), ..start() });
    screen.register();
    screen.event(ended(EndReason::Busy, report::Direction::Incoming, false));
    screen.tell(Message::Trouble("the disk is full".into()));
    assert!(screen.text().contains("waiting …"), "{}", screen.text());
    screen.event(Event::Calling { call: CALL, to: "bob".into() });
    assert!(screen.text().contains("calling"), "{}", screen.text());
}

fn source(slot: Slot, remote: bool, source: &str, off: bool, changed: bool) -> Event {
    Event::Source { call: CALL, remote, slot, source: source.into(), off, changed }
}

#[test]
fn a_device_chosen_by_key_is_kept_and_one_that_came_otherwise_is_not() {
    let mut screen = in_call(2);
    screen.event(source(Slot::Video, false, "camera:1", false, true));
    assert!(screen.done().is_empty());
    screen.press("V");
    assert_eq!(screen.done(), ["Command(Next(Video))"]);
    screen.event(source(Slot::Video, false, "camera:2", false, true));
    assert_eq!(screen.done(), ["Keep { slot: Video, source: \"camera:2\" }"]);
    screen.press("w");
    assert_eq!(screen.done(), ["Command(Use(Video(Screen(None))))"]);
    screen.event(source(Slot::Video, false, "screen", false, true));
    assert!(screen.text().contains("screen on"), "{}", screen.text());
    screen.press("w M O");
    let expected = ["Command(Use(Video(Camera(None))))", "Command(Next(Audio))", "Command(Next(Hear))"];
    assert_eq!(screen.done(), expected);
}

#[test]
fn a_screen_that_the_other_side_shares_is_told() {
    let mut screen = in_call(2);
    screen.event(source(Slot::Video, true, "screen", false, true));
    // The hint to compare the code comes first.
    screen.pass(5000);
    assert!(screen.text().contains("bob shares a screen"), "{}", screen.text());
}

#[test]
fn push_to_talk_is_held_where_releases_are_told_and_toggled_elsewhere() {
    let release = |screen: &mut Screen| {
        let mut key = "space".parse::<Chord>().unwrap().event();
        key.kind = crossterm::event::KeyEventKind::Release;
        screen.tell(Message::Key(key));
    };
    let (on, off) =
        ("Command(Mute { kind: Audio, muted: false })", "Command(Mute { kind: Audio, muted: true })");
    for releases in [true, false] {
        let mut screen = in_call(2);
        screen.model.releases = releases;
        screen.press("t");
        assert_eq!(screen.done(), ["Command(PushToTalk(true))"]);
        screen.event(Event::Media { call: CALL, remote: false, kind: Kind::Audio, muted: true });
        assert!(screen.text().contains("PTT MUTE"), "{}", screen.text());
        screen.press("space");
        assert_eq!(screen.done(), [on]);
        screen.event(Event::Media { call: CALL, remote: false, kind: Kind::Audio, muted: false });
        if releases {
            // Held keys repeat.
            screen.press("space");
            assert!(screen.done().is_empty());
            release(&mut screen);
        } else {
            release(&mut screen);
            screen.press("space");
        }
        assert_eq!(screen.done(), [off]);
    }
}

#[test]
fn a_hand_on_the_face_rings_once_and_stands_at_the_foot_while_it_lasts() {
    let mut screen = in_call(2);
    screen.press("F");
    assert_eq!(screen.done(), ["Command(Alert(true))"]);
    let alert = |raised, count| Event::Alert { call: CALL, raised, count };
    screen.event(alert(true, 1));
    assert_eq!(screen.done(), ["Bell"]);
    assert!(screen.text().contains("HAND ON YOUR FACE"), "{}", screen.text());
    screen.event(alert(false, 1));
    assert!(!screen.text().contains("HAND ON YOUR FACE"), "{}", screen.text());
    // Soon after, it is shown and not rung.
    screen.event(alert(true, 2));
    assert!(screen.done().is_empty());
    assert!(screen.text().contains("HAND ON YOUR FACE"), "{}", screen.text());
    screen.press("F");
    assert_eq!(screen.done(), ["Command(Alert(false))"]);
    let other = CallId::from_bytes([9; 16]);
    screen.event(alert(false, 2));
    screen.event(Event::Alert { call: other, raised: true, count: 1 });
    assert!(screen.done().is_empty() && !screen.text().contains("HAND ON YOUR FACE"), "{}", screen.text());
}
