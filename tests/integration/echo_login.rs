//! `login --answer echo`: one side tests alone, and gets back what it sends.

use serde_json::json;

use crate::harness::process::Event;
use crate::harness::report::Report;
use crate::harness::{Home, MEASURED, Outcome, Process, SOON, Server, bob, call_bob};

/// Somebody who sends back what comes.
fn server_and_echo() -> (Server, Home, Process) {
    let server = Server::start();
    let home = Home::new();
    let echo = bob(&server, &home, "echo");
    (server, home, echo)
}

/// A call with a tone and a pattern of these.
fn call(server: &Server, home: &Home, tone: &str, pattern: &str, more: &[&str]) -> Outcome {
    let mut args = vec!["call", "bob", "--name", "alice", "--server", server.url(), "--headless"];
    args.extend(["--audio", tone, "--video", pattern, "--duration", "4s"]);
    args.extend(more);
    home.start(&args).finish(2 * SOON)
}

/// What came back is what was sent.
fn came_back(report: &Report, hz: f64, size: (u32, u32)) {
    let (video, audio) = (&report.receive.video, &report.receive.audio);
    assert_eq!((video.width, video.height), (Some(size.0), Some(size.1)), "{report:#?}");
    assert!(video.psnr_db.is_some_and(|psnr| psnr > 25.0), "the pattern is its own\n{report:#?}");
    assert!(video.frames_shown > 50, "{report:#?}");
    assert!(audio.tone_hz.is_some_and(|found| (found - hz).abs() < 0.02 * hz), "{report:#?}");
    // There and back by one clock.
    for latency in [&video.latency_ms, &audio.latency_ms] {
        assert!(latency.p50.is_some_and(|ms| ms > 0.0 && ms < 1_000.0), "{report:#?}");
    }
    assert!(audio.silence_pct.is_some_and(|share| share < 30.0), "{report:#?}");
}

#[test]
fn a_caller_gets_its_own_tone_and_pattern_back_and_so_does_the_next_one() {
    let (server, _home, mut echo) = server_and_echo();
    let wanted = ["--expect", "video.fps>=15", "--expect", "audio.tone_hz>=900"];
    let home = Home::new();
    let first = call(&server, &home, "tone:1000", "pattern:320x180@25", &wanted).expect_code(0);
    came_back(&first.report(), 1_000.0, (320, 180));
    let report = echo.wait_for_report();
    assert_eq!((report.result.name.as_str(), report.call.direction.as_deref()), ("ok", Some("incoming")));
    assert_eq!(report.send.video.width, Some(320), "{report:#?}");
    let chat = ["--chat", "is this on?"];
    let second = call(&server, &home, "tone:600", "pattern:480x270@25", &chat).expect_code(0);
    came_back(&second.report(), 600.0, (480, 270));
    assert_eq!(second.report().chat.received, 1, "what is written comes back as well\n{second}");
    let said =
        second.events().into_iter().find(|event| event.name == "chat" && event.text("side") == "remote");
    assert_eq!(said.expect("an answer").text("text"), "is this on?");
    echo.wait_for_report();
    echo.say(&json!({ "command": "quit" }));
    echo.finish(SOON).expect_code(0);
}

#[test]
fn an_echo_says_what_it_sends_and_is_off_where_the_caller_is() {
    let (server, _home, mut echo) = server_and_echo();
    let home = Home::new();
    let mut alice = call_bob(&server, &home, &[]);
    let said = echo.wait_where("media", SOON, |event| event.text("kind") == "video");
    assert_eq!((said.text("side"), said.text("source")), ("local", "echo"));
    let off = |kind: &'static str, muted: bool| {
        move |event: &Event| {
            event.text("side") == "remote"
                && event.text("kind") == kind
                && event.fields.get("muted") == Some(&json!(muted))
        }
    };
    alice.wait_where("stats", SOON, |event| {
        event.number("receive.video.frames_shown") > Some(10.0)
            && event.number("receive.audio.tone_hz").is_some()
    });
    for (word, muted) in [("mute", true), ("unmute", false)] {
        for kind in ["video", "audio"] {
            alice.say(&json!({ "command": word, "kind": kind }));
            alice.wait_where("media", SOON, off(kind, muted));
        }
    }
    alice.wait_where("stats", SOON, |event| event.number("receive.video.fps") > Some(1.0));
    alice.say(&json!({ "command": "hangup" }));
    let report = alice.finish(SOON).expect_code(0).report();
    assert!(report.receive.video.psnr_db.is_some_and(|psnr| psnr > 25.0), "{report:#?}");
}

#[test]
fn a_caller_without_a_picture_gets_none_and_misses_nothing() {
    let (server, _home, _echo) = server_and_echo();
    let home = Home::new();
    let args = ["call", "bob", "--name", "alice", "--server", server.url(), "--headless", "--duration", "3s"];
    let only_sound = [&args[..], &["--video", "none", "--audio", "tone:700"]].concat();
    let report = home.start(&only_sound).finish(SOON).expect_code(0).report();
    assert_eq!(report.receive.video.frames_shown, 0, "{report:#?}");
    assert!(report.receive.audio.tone_hz.is_some_and(|hz| (hz - 700.0).abs() < 14.0), "{report:#?}");
}

#[test]
fn a_second_caller_hears_busy_and_disturbs_nobody() {
    let (server, _home, mut echo) = server_and_echo();
    let (home, other) = (Home::new(), Home::new());
    let mut alice = call_bob(&server, &home, &[]);
    alice.wait_for("connected", SOON);
    echo.wait_for("connected", SOON);
    let mut args = vec!["call", "bob", "--name", "carol", "--server", server.url(), "--headless"];
    args.extend(MEASURED);
    assert_eq!(other.run(&args).expect_code(4).report().end_reason(), "busy");
    alice.wait_where("stats", SOON, |event| event.number("receive.audio.tone_hz").is_some());
    alice.say(&json!({ "command": "hangup" }));
    alice.finish(SOON).expect_code(0);
}
