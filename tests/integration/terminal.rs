//! The terminal as letsmeet takes it and gives it back, through a real pty.

use std::io::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;
use std::time::{Duration, Instant};

use letsmeet::tui::terminal::{Options, Terminal};
use serde_json::Value;

use crate::harness::process::LETSMEET;
use crate::harness::pty::{Answer, MODERN, PLAIN, Pty, SILENT};
use crate::harness::{Home, SOON};

const PREVIEW: [&str; 5] = ["preview", "--video", "pattern", "--size", "160x90"];

fn preview(home: &Home, answers: &'static [Answer]) -> Pty {
    let pty = Pty::start(home.command(&PREVIEW), 80, 24, answers);
    pty.wait_for("kbit/s");
    pty
}

/// The terminal is as it was: settings, screen, cursor, modes, and nothing of the picture is left.
fn assert_given_back(pty: &Pty) {
    assert!(pty.is_cooked(), "the settings are back");
    pty.screen(|screen| {
        assert!(!screen.alternate_screen() && !screen.hide_cursor() && !screen.bracketed_paste());
        assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None);
        assert!(!screen.contents().contains("kbit/s"));
    });
}

/// How often `part` is in the output.
fn count(pty: &Pty, part: &[u8]) -> usize {
    pty.output().windows(part.len()).filter(|window| *window == part).count()
}

#[test]
fn a_preview_takes_the_terminal_and_gives_it_back() {
    let home = Home::new();
    let mut pty = preview(&home, MODERN);
    assert!(!pty.is_cooked());
    pty.screen(|screen| {
        assert!(screen.alternate_screen() && screen.hide_cursor() && screen.bracketed_paste());
        assert!(screen.contents().contains("sextant"), "{}", screen.contents());
    });
    pty.send("q");
    assert_eq!(pty.wait_exit().code(), Some(0));
    assert_given_back(&pty);
    // The keyboard protocol is pushed once and popped once.
    assert_eq!((count(&pty, b"\x1b[>7u"), count(&pty, b"\x1b[<u")), (1, 1));
    assert_eq!((count(&pty, b"\x1b[22;0t"), count(&pty, b"\x1b[23;0t")), (1, 1));
}

#[test]
fn escape_and_ctrl_c_leave_a_preview_as_q_does() {
    for key in ["\x1b", "\x03", "\x1b[27u", "\x1b[99;5u"] {
        let home = Home::new();
        let mut pty = preview(&home, PLAIN);
        pty.send(key);
        assert_eq!(pty.wait_exit().code(), Some(0), "{key:?}");
        assert_given_back(&pty);
    }
}

#[test]
fn a_silent_terminal_is_drawn_on_all_the_same() {
    let home = Home::new();
    let mut pty = preview(&home, SILENT);
    // Answers that come long after are no keys: there is a q in this one.
    pty.send("\x1bP>|quick terminal\x1b\\\x1b[?62;4c\x1b]11;rgb:q/q/q\x07");
    pty.send("r");
    pty.wait_for("half");
    pty.send("q");
    assert_eq!(pty.wait_exit().code(), Some(0));
    assert_given_back(&pty);
}

#[test]
fn signals_that_end_the_process_give_the_terminal_back_first() {
    for (signal, code) in [(libc::SIGTERM, 143), (libc::SIGHUP, 143), (libc::SIGINT, 130)] {
        let home = Home::new();
        let mut pty = preview(&home, MODERN);
        pty.signal(signal);
        assert_eq!(pty.wait_exit().code(), Some(code), "signal {signal}");
        assert_given_back(&pty);
    }
}

#[test]
fn a_terminal_that_reads_nothing_does_not_hold_up_the_end() {
    let home = Home::new();
    let mut pty = preview(&home, PLAIN);
    pty.stall();
    let began = Instant::now();
    pty.signal(libc::SIGTERM);
    assert_eq!(pty.wait_exit().code(), Some(143));
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    assert!(pty.is_cooked(), "the settings are back all the same");
}

#[test]
fn another_size_of_the_screen_is_drawn_at_once() {
    let home = Home::new();
    let mut pty = preview(&home, PLAIN);
    for (columns, rows) in [(100, 30), (40, 12), (1, 1), (2, 2), (120, 40)] {
        let seen = pty.output().len();
        pty.resize(columns, rows);
        pty.wait_for_output(b"\x1b[2J", seen);
    }
    pty.wait_until("the status line on row 40", |screen| {
        screen.contents_between(39, 0, 39, 119).contains("kbit/s")
    });
    pty.send("q");
    assert_eq!(pty.wait_exit().code(), Some(0));
}

/// The one process that `parent` has started.
fn only_child(parent: i32) -> i32 {
    let children = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).expect("/proc");
    children.trim().parse().unwrap_or_else(|_| panic!("not one child: {children:?}"))
}

#[test]
fn ctrl_z_gives_the_terminal_to_the_shell_and_fg_takes_it_again() {
    let home = Home::new();
    // The same environment, another program.
    let letsmeet = home.command(&[]);
    let mut bash = Command::new("bash");
    bash.env_clear().envs(letsmeet.get_envs().filter_map(|(name, value)| Some((name, value?))));
    bash.args(["--norc", "--noprofile", "-i"]).env("PS1", "prompt> ").current_dir(home.path());
    let mut pty = Pty::start(bash, 80, 24, MODERN);
    pty.wait_for("prompt>");
    pty.send(format!("{LETSMEET} {}\r", PREVIEW.join(" ")));
    pty.wait_for("kbit/s");
    // By the key, and by a signal from outside; soon after it goes on as well.
    for round in 1..=8 {
        if round % 2 == 1 {
            pty.send("\x1a");
        } else {
            let seen = pty.output().len();
            // SAFETY: a process that the shell of ours has started and not waited for.
            unsafe { libc::kill(only_child(pty.pid()), libc::SIGTSTP) };
            pty.wait_for_output(b"Stopped", seen);
        }
        pty.wait_for("Stopped");
        pty.wait_until("the shell's prompt on the shell's screen", |screen| {
            !screen.alternate_screen()
                && !screen.hide_cursor()
                && screen.contents().trim_end().ends_with("prompt>")
        });
        let seen = pty.output().len();
        pty.send("echo still $((40 + 2))\r");
        pty.wait_for("still 42");
        pty.send("fg\r");
        pty.wait_for_output(b"\x1b[?1049h", seen);
        pty.wait_for("kbit/s");
        pty.screen(|screen| assert!(screen.alternate_screen() && screen.hide_cursor()));
    }
    assert_eq!(pty.late_answers(), 0, "the shell gets nothing that nobody typed");
    pty.send("q");
    // What is typed before the shell is back is thrown away, as late answers are.
    pty.wait_until("the shell again", |screen| {
        !screen.alternate_screen() && screen.contents().trim_end().ends_with("prompt>")
    });
    pty.send("exit 7\r");
    assert_eq!(pty.wait_exit().code(), Some(7));
    assert_given_back(&pty);
    assert_eq!(count(&pty, b"\x1b[>7u"), count(&pty, b"\x1b[<u"));
    assert_eq!(count(&pty, b"\x1b[22;0t"), count(&pty, b"\x1b[23;0t"));
}

#[test]
fn a_terminal_that_goes_away_ends_the_process_without_a_busy_loop() {
    let home = Home::new();
    let mut pty = preview(&home, PLAIN);
    pty.hang_up();
    let began = Instant::now();
    let status = pty.wait_exit();
    assert!(status.code().is_some() || status.signal() == Some(libc::SIGHUP), "{status:?}");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[test]
fn a_fence_is_told_beside_the_keys() {
    const CHILD: &str = "LETSMEET_TEST_FENCE";
    if std::env::var_os(CHILD).is_some() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let terminal = Terminal::open(Options::SCREEN).await.expect("a terminal");
            let (reached, fence) = std::sync::mpsc::channel();
            terminal.on_fence(move || reached.send(()).expect("somebody waits"));
            terminal.out().write_all(b"\x1b[5n\x1b[5n").expect("written");
            for _ in 0..2 {
                fence.recv_timeout(SOON).expect("the answer");
            }
            terminal.close();
            println!("two fences");
        });
        return;
    }
    let mut pty = Pty::start(again("a_fence_is_told_beside_the_keys", CHILD), 80, 24, MODERN);
    assert!(pty.wait_exit().success(), "{}", pty.contents());
    assert!(pty.contents().contains("two fences"));
}

/// This test once more, in a process of its own, with `variable` set.
fn again(test: &str, variable: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("the test's own program"));
    command.args(["--exact", &format!("terminal::{test}"), "--nocapture"]).env(variable, "1");
    command
}

#[test]
fn a_panic_gives_the_terminal_back_before_its_message() {
    const CHILD: &str = "LETSMEET_TEST_PANIC";
    if std::env::var_os(CHILD).is_some() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let _terminal = Terminal::open(Options::SCREEN).await.expect("a terminal");
            panic!("as the test asked for");
        });
    }
    let mut pty =
        Pty::start(again("a_panic_gives_the_terminal_back_before_its_message", CHILD), 80, 24, MODERN);
    assert!(!pty.wait_exit().success());
    let output = pty.output();
    let place = |part: &[u8]| {
        output.windows(part.len()).position(|window| window == part).unwrap_or_else(|| panic!("{part:?}"))
    };
    assert!(place(b"\x1b[?1049h") < place(b"\x1b[?1049l"));
    assert!(place(b"\x1b[?1049l") < place(b"as the test asked for"));
    assert_given_back(&pty);
    assert_eq!(count(&pty, b"\x1b[?1049l"), 1, "given back once");
}

#[test]
fn doctor_tells_what_it_found_and_shows_a_card_in_each_mode() {
    let home = Home::new();
    let mut pty = Pty::start(home.command(&["doctor", "--terminal"]), 80, 160, MODERN);
    assert_eq!(pty.wait_exit().code(), Some(0));
    let contents = pty.contents();
    for part in
        ["kitty(0.26.5)", "24 bits", "8x16 pixels", "#000000", "draws in", "sextant:", "braille:", "ascii:"]
    {
        assert!(contents.contains(part), "{part:?} is missing in:\n{contents}");
    }
    assert_given_back(&pty);
}

#[test]
fn doctor_as_json_is_one_document() {
    let home = Home::new();
    let mut pty = Pty::start(home.command(&["doctor", "--terminal", "--json"]), 200, 200, MODERN);
    assert_eq!(pty.wait_exit().code(), Some(0));
    let contents = pty.contents();
    let text = &contents[contents.find('{').expect("a document")..];
    let document: Value = serde_json::from_str(text).expect("JSON");
    assert_eq!(document["schema"], "letsmeet.doctor/1");
    assert_eq!(document["terminal"]["mode"], "sextant");
    assert_eq!(document["terminal"]["columns"], 200);
}

#[test]
fn without_a_terminal_the_commands_for_it_say_so() {
    let home = Home::new();
    for args in [&["doctor", "--terminal"][..], &PREVIEW[..]] {
        let outcome = home.run(args);
        assert_eq!(outcome.status.code(), Some(6), "{outcome:?}");
        assert!(outcome.stderr.contains("is not a terminal"), "{outcome:?}");
        assert_eq!(outcome.stdout, "");
    }
}
