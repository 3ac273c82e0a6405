//! Detection against recorded answers of real terminals to the batch of questions.

use std::time::Duration;

use super::*;
use crate::tui::render::{Keeps, Mode};
use crate::tui::terminal::input::{Event, Parser};

// Recorded under Xvfb and weston; the answers to questions that the batch does not hold are left out.
const XTERM: &str = "\x1bP>|XTerm(379)\x1b\\\x1b[?1;3S\x1b[?2026;0$y\x1bP1$r0;38:2::1:2:3m\x1b\\\
    \x1b]11;rgb:ffff/ffff/ffff\x1b\\\x1b[?64;1;2;6;9;15;16;17;18;21;22;28c";
const XTERM_VT340: &str = "\x1bP>|XTerm(379)\x1b\\\x1b[?1;0;1024S\x1b[?2026;0$y\x1bP1$r0;38:2::1:2:3m\x1b\\\
    \x1b]11;rgb:ffff/ffff/ffff\x1b\\\x1b[?63;1;2;4;6;9;15;16;22;28c";
const KITTY: &str = "\x1bP>|kitty(0.26.5)\x1b\\\x1b_Gi=31;OK\x1b\\\x1b_Gi=32;OK\x1b\\\x1b[?2026;2$y\x1b[?0u\
    \x1b[6;18;9t\x1b[4;396;639t\x1bP1$r38:2:1:2:3m\x1b\\\x1b]11;rgb:0000/0000/0000\x1b\\\x1b[?62;c";
const FOOT: &str = "\x1bP>|foot(1.13.1)\x1b\\\x1b[?1;0;1024S\x1b[?2026;2$y\x1b[?0u\x1b[6;14;7t\x1b[4;462;693t\
    \x1bP1$r0;38:2::1:2:3m\x1b\\\x1b]11;rgb:1111/1111/1111\x1b\\\x1b[?62;4;22c";
const MLTERM: &str = "\x1b[?1;0;1024S\x1b[?2026;0$y\x1b[6;19;10t\x1b[4;456;800t\x1bP1$r0;38;5;16m\x1b\\\
    \x1b]11;rgb:ffff/ffff/ffff\x1b\\\x1b[?63;1;2;3;4;6;7;15;18;22;29c";
const TMUX: &str = "\x1bP>|tmux 3.3a\x1b\\\x1b[?1;2c";
const LINUX: &str = "\x1b[?6c";

const AT_ONCE: Duration = Duration::from_millis(3);

fn environment(variables: &[(&str, &str)]) -> Environment {
    Environment::read(|name| {
        variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    })
}

fn modern() -> Environment {
    environment(&[("TERM", "xterm-256color"), ("LANG", "en_GB.UTF-8")])
}

/// What follows from `answers`.
fn detect(answers: &str, environment: &Environment, tmux: Option<&Multiplexer>) -> Capabilities {
    let mut parser = Parser::new(0x7f);
    let mut events = Vec::new();
    parser.feed(answers.as_bytes(), Duration::ZERO, &mut events);
    let mut probe = Probe::default();
    for event in events {
        match event {
            Event::Reply(reply) => probe.take(&reply, AT_ONCE),
            other => panic!("an answer became {other:?}"),
        }
    }
    let window = Window { columns: 80, rows: 24, width: 0, height: 0 };
    probe.finish(environment, tmux, window).0
}

#[test]
fn kitty_on_this_machine_shares_memory() {
    let found = detect(KITTY, &modern(), None);
    assert!(found.kitty && found.shared_memory && found.keyboard && found.synchronized && found.sextants);
    assert!(!found.octants, "0.26 does not draw them");
    assert_eq!(found.name.as_deref(), Some("kitty(0.26.5)"));
    assert_eq!(found.cell, Some(CellSize { width: 9, height: 18 }));
    assert_eq!(found.depth, Depth::Truecolor);
    assert_eq!(found.background, Some([0, 0, 0]));
    assert_eq!(found.notification, Notification::Osc99);
    assert_eq!((found.best(), found.link), (Mode::Kitty, Some(AT_ONCE)));
}

#[test]
fn foot_shows_sixel_and_asks_for_notifications_its_own_way() {
    let found = detect(FOOT, &modern(), None);
    assert_eq!((found.best(), found.sixel), (Mode::Sixel, Some(1024)));
    assert!(!found.kitty && found.sextants && found.keyboard && found.synchronized);
    assert_eq!(found.notification, Notification::Osc777);
    assert_eq!(found.cell, Some(CellSize { width: 7, height: 14 }));
}

#[test]
fn xterm_shows_sixel_only_as_a_vt340() {
    let found = detect(XTERM, &modern(), None);
    assert_eq!((found.best(), found.sixel, found.synchronized), (Mode::Quadrant, None, false));
    assert_eq!((found.depth, found.cell), (Depth::Truecolor, None));
    let found = detect(XTERM_VT340, &modern(), None);
    assert_eq!((found.best(), found.sixel), (Mode::Sixel, Some(1024)));
}

#[test]
fn mlterm_gives_back_another_colour_than_was_set() {
    let found = detect(MLTERM, &modern(), None);
    assert_eq!((found.best(), found.depth), (Mode::Sixel, Depth::Indexed256));
    assert_eq!(found.name, None);
    assert_eq!(found.cell, Some(CellSize { width: 10, height: 19 }));
}

#[test]
fn tmux_says_what_it_knows_of_the_terminal_around_it() {
    let inside = environment(&[("TERM", "tmux-256color"), ("LANG", "C.UTF-8"), ("TMUX", "/tmp/x,1,0")]);
    let closed = Multiplexer { version: Some("3.3a".into()), ..Multiplexer::default() };
    let found = detect(TMUX, &inside, Some(&closed));
    assert_eq!((found.best(), found.depth), (Mode::Quadrant, Depth::Indexed256));
    assert_eq!(found.tmux.as_deref(), Some("3.3a"));
    assert_eq!(found.notification, Notification::None);

    let open = Multiplexer {
        version: Some("3.4".into()),
        passthrough: true,
        outer: Some("kitty(0.41.0)".into()),
        truecolor: true,
    };
    let answers = format!("{TMUX}\x1b_Gi=31;OK\x1b\\").replace("3.3a", "3.4");
    let found = detect(&answers, &inside, Some(&open));
    assert_eq!((found.best(), found.depth, found.octants), (Mode::Kitty, Depth::Truecolor, true));
    assert!(found.settings(None, 1).tmux, "what kitty shall see has to pass through tmux");
    assert!(!found.settings(Some(Mode::Octant), 1).tmux);

    let old = Multiplexer { outer: Some("kitty(0.26.5)".into()), ..open.clone() };
    assert_eq!(detect(&answers, &inside, Some(&old)).best(), Mode::Sextant, "it has no placeholder cells");

    let sixel = "\x1bP>|tmux 3.4\x1b\\\x1b[?1;2;4c";
    let found = detect(sixel, &inside, Some(&Multiplexer { passthrough: false, ..open }));
    assert_eq!((found.best(), found.sixel), (Mode::Sixel, Some(256)));
    assert!(!found.settings(None, 1).tmux, "tmux shows sixel by itself");
}

#[test]
fn the_answer_through_tmux_is_waited_for_behind_the_fence() {
    let open = Multiplexer { passthrough: true, ..Multiplexer::default() };
    let mut probe = Probe::default();
    probe.take(&Reply::Attributes(vec![1, 2]), AT_ONCE);
    assert!(probe.is_complete(None) && !probe.is_complete(Some(&open)));
    probe.take(&Reply::Graphics { id: 31, ok: true }, AT_ONCE);
    assert!(probe.is_complete(Some(&open)));
}

#[test]
fn a_silent_terminal_is_taken_by_its_variables() {
    let found = detect("", &modern(), None);
    assert!(!found.answers && found.utf8);
    assert_eq!((found.depth, found.best(), found.link), (Depth::Indexed256, Mode::Quadrant, None));
    let found = detect("", &environment(&[("TERM", "xterm"), ("COLORTERM", "truecolor")]), None);
    assert_eq!((found.depth, found.utf8, found.best()), (Depth::Truecolor, false, Mode::Ascii));
    let found = detect("", &environment(&[]), None);
    assert_eq!((found.depth, found.best()), (Depth::Monochrome, Mode::Ascii));
}

#[test]
fn the_linux_console_has_sixteen_colours_and_half_blocks() {
    let console = environment(&[("TERM", "linux"), ("LANG", "en_GB.UTF-8")]);
    let found = detect(LINUX, &console, None);
    assert_eq!((found.depth, found.best()), (Depth::Indexed16, Mode::Half));
    assert_eq!(questions(&console, None, None), b"\x1b[c");
}

#[test]
fn no_color_means_braille_whatever_the_terminal_can_do() {
    let quiet = environment(&[("TERM", "xterm-kitty"), ("LANG", "C.UTF-8"), ("NO_COLOR", "1")]);
    let found = detect(KITTY, &quiet, None);
    assert_eq!((found.depth, found.best()), (Depth::Monochrome, Mode::Braille));
    assert_eq!(found.modes(), [Mode::Braille, Mode::Ascii]);
    let empty = environment(&[("TERM", "xterm-kitty"), ("LANG", "C.UTF-8"), ("NO_COLOR", "")]);
    assert_eq!(detect(KITTY, &empty, None).best(), Mode::Kitty);
}

#[test]
fn a_locale_without_utf8_is_believed_and_none_is_not_for_a_modern_terminal() {
    let latin = environment(&[("TERM", "xterm"), ("LC_ALL", "de_DE.ISO-8859-1"), ("LANG", "de_DE.UTF-8")]);
    assert_eq!(detect(XTERM, &latin, None).best(), Mode::Ascii);
    assert_eq!(detect(XTERM_VT340, &latin, None).best(), Mode::Sixel, "pixels need no character set");
    assert!(detect(KITTY, &environment(&[("TERM", "xterm-kitty")]), None).utf8);
    assert!(!detect(XTERM, &environment(&[("TERM", "xterm")]), None).utf8);
}

#[test]
fn terminals_without_a_name_are_known_by_their_variables_until_they_say_one() {
    let iterm = environment(&[
        ("TERM_PROGRAM", "iTerm.app"),
        ("TERM_PROGRAM_VERSION", "3.4.1"),
        ("TERM", "xterm"),
        ("LANG", "C.UTF-8"),
    ]);
    assert_eq!(detect(LINUX, &iterm, None).best(), Mode::Iterm2);
    // xterm started from there has the variables of iTerm2.
    assert_eq!(detect(XTERM, &iterm, None).best(), Mode::Quadrant);
    let vte = environment(&[("VTE_VERSION", "7802"), ("TERM", "xterm-256color"), ("LANG", "C.UTF-8")]);
    assert_eq!(detect(LINUX, &vte, None).best(), Mode::Octant);
}

#[test]
fn questions_end_with_the_fence_and_are_few_enough_for_one_write() {
    let all = questions(&modern(), None, Some("/letsmeet-1"));
    assert!(all.ends_with(b"\x1b[c") && all.len() < 512, "{} bytes", all.len());
    assert_eq!(questions(&environment(&[("TERM", "dumb")]), None, None), b"");
    let open = Multiplexer { passthrough: true, ..Multiplexer::default() };
    let wrapped = questions(&modern(), Some(&open), None);
    let wrapped = String::from_utf8(wrapped).unwrap();
    assert!(wrapped.contains("\x1bPtmux;\x1b\x1b_Gi=31,"), "{wrapped:?}");
}

#[test]
fn nonsense_in_answers_is_not_believed() {
    let found = detect("\x1b[6;0;0t\x1b[4;9;9t\x1b[?1;0;1S\x1bP>|\x1b\\\x1b[?4c", &modern(), None);
    assert_eq!((found.cell, found.sixel, found.name), (None, None, None));
    let found = detect("\x1bP>|evil\x07\u{9b}31mname\x1b\\\x1b[?1;4c", &modern(), None);
    assert_eq!(found.name.as_deref(), Some("evil31mname"));
    assert_eq!(found.sixel, Some(256));
}

#[test]
fn a_forced_mode_gets_settings_that_its_painter_can_bear() {
    let settings = Capabilities::unknown().settings(Some(Mode::Sixel), 3);
    assert_eq!((settings.sixel_colours, settings.cell), (256, CellSize::default()));
    assert_eq!((settings.mode, settings.picture), (Mode::Sixel, 3));
    assert_eq!(settings.sixel_keeps, Keeps::Nothing);
}

#[test]
fn sixel_pictures_are_drawn_over_only_where_the_terminal_was_seen_to_keep_them() {
    for (name, keeps) in [
        ("XTerm(379)", Keeps::Shown),
        ("mlterm(3.9.2)", Keeps::Nothing),
        ("foot(1.13.1)", Keeps::Everything),
        ("tmux 3.4", Keeps::Nothing),
        ("other 1", Keeps::Nothing),
    ] {
        let found = detect(&format!("\x1bP>|{name}\x1b\\\x1b[?4;4c"), &modern(), None);
        assert_eq!(found.settings(Some(Mode::Sixel), 1).sixel_keeps, keeps, "{name}");
    }
}
