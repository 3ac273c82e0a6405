//! Every screen as text, at a usual and at the smallest size.

use ratatui::style::Color;

use super::*;
use crate::session::Kind;

/// Compares the screen with the snapshot of that name, at both sizes.
fn look(name: &str, screen: &mut Screen) {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for (columns, rows) in [(80, 24), (40, 12)] {
            screen.resize(columns, rows);
            insta::assert_snapshot!(format!("{name}_{columns}x{rows}"), screen.text());
        }
    });
}

fn people() -> Screen {
    let mut screen = Screen::open(Start { history: earlier(), ..start() });
    screen.register();
    screen.page(
        "",
        &[
            ("bob", PresenceState::Available),
            ("Nguyễn", PresenceState::Available),
            ("carol", PresenceState::InCall),
            ("田中さん", PresenceState::Away),
            ("Zoe\u{308}", PresenceState::Ringing),
            ("a-name-of-sixty-four-bytes-that-no-column-of-the-list-can-hold-it", PresenceState::Away),
        ][..5],
    );
    screen
}

#[test]
fn dashboard_before_the_server_answers() {
    look("dashboard_connecting", &mut Screen::open(start()));
}

#[test]
fn dashboard_without_anybody() {
    look("dashboard_empty", &mut Screen::online(&[]));
}

#[test]
fn dashboard_with_people_and_calls() {
    look("dashboard", &mut people());
}

#[test]
fn dashboard_with_the_calls_in_hand() {
    let mut screen = people();
    screen.press("tab j");
    look("dashboard_calls", &mut screen);
}

#[test]
fn dashboard_while_a_name_is_searched() {
    let mut screen = people();
    screen.press("/");
    screen.write("o");
    look("search", &mut screen);
}

#[test]
fn dashboard_while_the_server_is_away() {
    let mut screen = people();
    screen
        .event(Event::SignalingDown { reason: "connection reset".into(), retry_in: Duration::from_secs(4) });
    screen.event(Event::Notice { text: "something worth a line".into() });
    look("dashboard_offline", &mut screen);
}

#[test]
fn incoming_call_of_a_stranger() {
    let mut screen = people();
    screen.event(incoming("carol", true));
    screen.pass(1000);
    look("incoming_first_contact", &mut screen);
}

#[test]
fn incoming_call_with_a_hostile_name() {
    let mut screen = people();
    let name = format!("bob\u{1b}[2J\u{202e}z{}", "\u{300}".repeat(30));
    screen.event(incoming(&name, false));
    screen.pass(1000);
    look("incoming_hostile", &mut screen);
}

#[test]
fn dialing_while_it_rings() {
    let mut screen = people();
    screen.press("enter");
    screen.event(Event::Calling { call: CALL, to: "bob".into() });
    screen.event(Event::Ringing { call: CALL });
    screen.pass(5000);
    look("dialing", &mut screen);
}

#[test]
fn call_while_it_connects() {
    let mut screen = people();
    screen.press("enter");
    screen.event(Event::Calling { call: CALL, to: "bob".into() });
    screen.event(Event::Accepted { call: CALL });
    look("connecting", &mut screen);
}

#[test]
fn call_with_figures() {
    look("call", &mut in_call(8));
}

#[test]
fn call_after_a_minute() {
    let mut screen = in_call(70);
    screen.resize(80, 24);
    let first = screen.text().lines().next().unwrap().to_owned();
    assert_eq!(first, " bob  01:10  ▂▄▆█ good  48 ms  0.3 % lost  ↓812 ↑640 kbit/s  25 fps");
}

#[test]
fn call_with_the_camera_off_and_muted() {
    let mut screen = in_call(8);
    for (remote, kind) in
        [(true, Kind::Video), (true, Kind::Audio), (false, Kind::Video), (false, Kind::Audio)]
    {
        screen.event(Event::Media { call: CALL, remote, kind, muted: true });
    }
    look("call_muted", &mut screen);
}

#[test]
fn call_with_messages() {
    let mut screen = in_call(8);
    screen.press("c");
    screen.event(Event::Chat {
        call: CALL,
        remote: true,
        text: "hi alice\nyou: looks like you, is not".into(),
        number: 1,
    });
    screen.event(Event::Chat {
        call: CALL,
        remote: false,
        text: "hi bob, good to see you 田中さん".into(),
        number: 1,
    });
    screen.write("and now");
    look("call_chat", &mut screen);
}

#[test]
fn call_while_it_recovers() {
    let mut screen = in_call(8);
    screen.event(Event::Link { call: CALL, up: false });
    look("call_recovering", &mut screen);
}

#[test]
fn figures_of_a_call() {
    let mut screen = in_call(8);
    screen.tell(Message::Drawing { mode: "sextant".into(), fps: 24.8, kbps: 2350 });
    screen.press("i");
    look("figures", &mut screen);
}

#[test]
fn help_in_a_call() {
    let mut screen = in_call(8);
    screen.press("?");
    look("help", &mut screen);
}

#[test]
fn call_that_is_over() {
    let mut screen = in_call(8);
    screen.pass(20_000);
    screen.event(ended(EndReason::ConnectionLost, report::Direction::Outgoing, true));
    screen.pass(1000);
    look("ended", &mut screen);
}

#[test]
fn screens_too_small_still_say_who_calls() {
    let mut screen = people();
    screen.event(incoming("carol", true));
    screen.resize(24, 5);
    assert_eq!(screen.text(), "CALL FROM carol\na accept  d decline\ntoo small: 40x12, not\n24x5\n\n");
    for size in [(0, 0), (1, 1), (39, 12), (40, 11)] {
        screen.resize(size.0, size.1);
        assert_eq!(screen.draw().1, Panes::default());
    }
}

#[test]
fn a_large_screen_is_mostly_picture() {
    let mut screen = in_call(8);
    screen.resize(400, 120);
    let remote = screen.draw().1.remote.unwrap();
    assert_eq!(remote, Rect::new(0, 1, 400, 117));
    let first = screen.text().lines().next().unwrap().to_owned();
    assert!(
        first.contains("fps") && first.contains("kbit/s") && first.ends_with("code 1234 5678 9012 3456"),
        "{first}"
    );
}

#[test]
fn without_colour_the_screen_says_the_same() {
    let drawn = |theme| {
        let mut screen = Screen::open(Start { history: earlier(), theme, ..start() });
        screen.register();
        screen.page("", &[("bob", PresenceState::Available), ("carol", PresenceState::Away)]);
        let plain = screen.draw().0;
        screen.event(incoming("bob", true));
        (plain, screen.draw().0)
    };
    let (coloured, ringing) = drawn(Theme::default());
    let (plain, ringing_plain) = drawn(Theme::monochrome());
    assert_eq!(text_of(&coloured), text_of(&plain));
    assert_eq!(text_of(&ringing), text_of(&ringing_plain));
    for cell in plain.content().iter().chain(ringing_plain.content()) {
        assert_eq!((cell.fg, cell.bg), (Color::Reset, Color::Reset));
    }
    for cell in coloured.content() {
        assert_eq!(cell.bg, Color::Reset);
        assert!([Color::Reset, Color::Green, Color::Magenta, Color::Red].contains(&cell.fg), "{:?}", cell.fg);
    }
}

#[test]
fn the_prompt_of_a_call_changes_its_look_while_it_rings() {
    let mut screen = people();
    screen.event(incoming("carol", false));
    let before = screen.draw().0;
    screen.pass(500);
    assert_ne!(before, screen.draw().0);
    assert_eq!(screen.model.beat(), Some(Duration::from_millis(500)));
}
