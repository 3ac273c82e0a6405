//! Every exit status of product.md, from a process that was brought to it. Where there is a report
//! its `result` must say the same (the harness checks that whenever it reads one).

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::harness::{Home, Process, SOON, Server, Signal, bob, call_bob, server_and_bob};

const CALL: Duration = Duration::from_secs(40);

/// Alice's call to its end, with the report's result name checked as well.
fn ends(call: Process, code: i32, name: &str, reason: &str) {
    let outcome = call.finish(CALL).expect_code(code);
    let report = outcome.report();
    assert_eq!((report.result.name.as_str(), report.end_reason()), (name, reason), "{outcome}");
}

#[test]
fn code_0_a_call_that_ended_normally() {
    let (server, _home, _bob) = server_and_bob("accept");
    let home = Home::new();
    ends(call_bob(&server, &home, &["--duration", "2s"]), 0, "ok", "hung-up");
}

#[test]
fn code_1_output_that_cannot_be_written() {
    let full = OpenOptions::new().write(true).open("/dev/full").expect("/dev/full");
    let home = Home::new();
    let mut command = home.command(&["completions", "bash"]);
    let output = command.stdin(Stdio::null()).stdout(full).output().expect("runs");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(!output.stderr.is_empty(), "it says why");
}

#[test]
fn code_2_usage() {
    let home = Home::new();
    for args in [
        &["call"][..],
        &["call", "bob", "--no-such-flag"],
        &["no-such-command"],
        &["call", "bob", "--name", "alice", "--headless", "--duration", "soon"],
        &["call", "bob", "--name", "alice", "--headless", "--expect", "receive.video.fsp>=24"],
        &["call", "bob", "--name", "alice", "--headless", "--expect", "receive.video.fps"],
        &["call", "bob", "--name", "alice", "--headless", "--video", "telescope"],
        &["call", "bob", "--name", "alice", "--headless", "--server", "ftp://127.0.0.1"],
    ] {
        let outcome = home.run(args).expect_code(2);
        assert!(!outcome.stderr.is_empty(), "{args:?} says why");
        assert!(
            outcome.stderr.contains("letsmeet") || outcome.stderr.contains("error"),
            "{args:?}: {}",
            outcome.stderr
        );
    }
}

#[test]
fn code_2_a_settings_file_that_is_wrong() {
    let home = Home::new();
    let file = home.path().join("settings.toml");
    for text in ["server = [", "no_such_setting = 1\n"] {
        std::fs::write(&file, text).expect("written");
        let outcome = home.run(&["--config", file.to_str().expect("UTF-8"), "users"]).expect_code(2);
        assert!(outcome.stderr.contains("settings.toml"), "the message names the file: {}", outcome.stderr);
    }
}

#[test]
fn code_3_no_server_there() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address").to_string();
    drop(listener);
    let home = Home::new();
    let outcome =
        home.run(&["call", "bob", "--name", "alice", "--server", &address, "--headless"]).expect_code(3);
    assert_eq!(outcome.report().result.name, "signaling");
    assert!(outcome.says(&address), "the message names the server\n{outcome}");
}

#[test]
fn code_3_something_else_answers_there() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address").to_string();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let _ = stream.set_read_timeout(Some(Duration::from_millis(500)));
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(b"220 mail.example ESMTP ready\r\n");
        }
    });
    let home = Home::new();
    let outcome =
        home.run(&["call", "bob", "--name", "alice", "--server", &address, "--headless"]).expect_code(3);
    assert_eq!(outcome.report().result.name, "signaling");
}

#[test]
fn code_3_a_name_that_another_key_holds() {
    let (server, _home, _bob) = server_and_bob("accept");
    let mallory = Home::new();
    let outcome =
        mallory.run(&["login", "--name", "bob", "--server", server.url(), "--headless"]).expect_code(3);
    assert!(outcome.says("another key"), "it says why\n{outcome}");
}

#[test]
fn code_4_nobody_of_that_name() {
    let server = Server::start();
    let home = Home::new();
    ends(call_bob(&server, &home, &[]), 4, "not-answered", "unknown-name");
}

#[test]
fn code_4_declined() {
    let (server, _home, _bob) = server_and_bob("decline");
    let home = Home::new();
    ends(call_bob(&server, &home, &[]), 4, "not-answered", "declined");
}

#[test]
fn code_4_busy() {
    let (server, _home, _bob) = server_and_bob("busy");
    let home = Home::new();
    ends(call_bob(&server, &home, &[]), 4, "not-answered", "busy");
}

#[test]
fn code_4_no_answer() {
    let (server, _home, _bob) = server_and_bob("ask");
    let home = Home::new();
    ends(call_bob(&server, &home, &["--ring-timeout", "2s"]), 4, "not-answered", "no-answer");
}

#[test]
fn code_4_cancelled_by_the_caller() {
    let (server, _home, mut bob) = server_and_bob("ask");
    let home = Home::new();
    let mut alice = call_bob(&server, &home, &[]);
    alice.wait_for("ringing", SOON);
    bob.wait_for("incoming", SOON);
    alice.say(&json!({ "command": "hangup" }));
    ends(alice, 4, "not-answered", "cancelled");
    assert_eq!(bob.wait_for("ended", SOON).text("reason"), "cancelled");
}

#[test]
fn code_5_only_relays_are_allowed_and_there_is_none() {
    let (server, _home, mut bob) = server_and_bob("accept");
    let home = Home::new();
    let outcome = call_bob(&server, &home, &["--ice", "relay"]).finish(CALL).expect_code(5);
    assert!(outcome.report().result.message.contains("there is no TURN server"), "{outcome}");
    // By a command as well, and the name counts first.
    let url = server.url().to_owned();
    let carol = Home::new();
    let login = ["login", "--name", "carol", "--server", &url, "--headless", "--ice", "relay"];
    let mut process = carol.start(&login);
    process.wait_for("registered", SOON);
    for (to, why) in [("bob", "there is no TURN server"), ("no such name", "no such name")] {
        process.say(&json!({ "command": "call", "to": to }));
        let reply = process.wait_for("reply", SOON);
        assert_eq!(reply.fields["ok"], json!(false), "{reply:?}");
        assert!(reply.text("error").contains(why), "{reply:?}");
    }
    // What bob hears of is the call after it.
    ends(call_bob(&server, &home, &["--duration", "1s"]), 0, "ok", "hung-up");
    bob.wait_for("ended", SOON);
    bob.signal(Signal::Interrupt);
    let heard = bob.finish(SOON).expect_code(0).events();
    assert_eq!(heard.iter().filter(|event| event.name == "incoming").count(), 1, "{heard:?}");
}

#[test]
fn code_6_a_source_that_is_not_there() {
    let (server, _home, _bob) = server_and_bob("accept");
    let home = Home::new();
    for spec in [["--video", "file:missing.y4m"], ["--audio", "file:missing.wav"]] {
        let args =
            ["call", "bob", "--name", "alice", "--server", server.url(), "--headless", spec[0], spec[1]];
        let outcome = home.run(&args).expect_code(6);
        assert_eq!(outcome.report().result.name, "device");
        assert!(outcome.says(&spec[1][5..]), "the message names the file\n{outcome}");
    }
}

#[test]
fn code_6_a_sink_that_cannot_be_made() {
    let (server, _home, _bob) = server_and_bob("accept");
    let home = Home::new();
    let outcome =
        call_bob(&server, &home, &["--show", "file:/nonexistent/folder/out.y4m"]).finish(CALL).expect_code(6);
    assert_eq!(outcome.report().result.name, "device");
}

#[test]
fn code_7_an_expectation_that_does_not_hold() {
    let (server, _home, _bob) = server_and_bob("accept");
    let home = Home::new();
    let expect =
        ["--duration", "3s", "--expect", "receive.video.fps>=1", "--expect", "receive.video.fps>=1000"];
    let outcome = call_bob(&server, &home, &expect).finish(CALL).expect_code(7);
    let report = outcome.report();
    assert_eq!(report.result.name, "expectation");
    let held = report.expectations();
    assert_eq!((held["receive.video.fps>=1"], held["receive.video.fps>=1000"]), (true, false), "{report:#?}");
}

#[test]
fn code_7_media_that_flows_one_way_only() {
    let server = Server::start();
    let (bob_home, home) = (Home::new(), Home::new());
    let mut bob = bob_home.start(&[
        "login",
        "--name",
        "bob",
        "--server",
        server.url(),
        "--headless",
        "--answer",
        "accept",
        "--video",
        "none",
        "--audio",
        "none",
    ]);
    bob.wait_for("registered", SOON);
    let outcome = call_bob(&server, &home, &["--duration", "3s", "--expect", "receive.video.frames_shown>0"])
        .finish(CALL)
        .expect_code(7);
    let report = outcome.report();
    assert_eq!(report.expectations().get("receive.video.frames_shown>0"), Some(&false), "{report:#?}");
}

#[test]
fn code_8_a_key_that_is_not_the_known_one() {
    let home = Home::new();
    {
        let (server, _home, _bob) = server_and_bob("accept");
        ends(call_bob(&server, &home, &["--duration", "2s"]), 0, "ok", "hung-up");
    }
    // Another server, where somebody else claimed the name.
    let (server, _home, _impostor) = server_and_bob("accept");
    ends(call_bob(&server, &home, &["--duration", "2s"]), 8, "identity", "identity-mismatch");
}

#[test]
fn code_130_and_143_interrupted_before_the_call_was_established() {
    let (server, _home, mut bob) = server_and_bob("ask");
    let home = Home::new();
    for (signal, code) in [(Signal::Interrupt, 130), (Signal::Terminate, 143)] {
        let mut alice = call_bob(&server, &home, &[]);
        alice.wait_for("ringing", SOON);
        bob.wait_for("incoming", SOON);
        alice.signal(signal);
        ends(alice, code, "interrupted", "cancelled");
        assert_eq!(bob.wait_for("ended", SOON).text("reason"), "cancelled", "the callee stops ringing");
    }
}

#[test]
fn an_interrupt_in_a_call_hangs_up_and_still_reports() {
    let (server, bob_home, mut bob) = server_and_bob("accept");
    let home = Home::new();
    for signal in [Signal::Interrupt, Signal::Terminate] {
        let mut alice = call_bob(&server, &home, &[]);
        alice.wait_for("connected", SOON);
        alice.wait_for("stats", SOON);
        alice.signal(signal);
        ends(alice, 0, "ok", "hung-up");
        assert_eq!(bob.wait_for("ended", SOON).text("reason"), "hung-up-by-peer");
    }
    drop(bob_home);
}

#[test]
fn json_changes_the_output_and_never_the_exit_status() {
    let (server, _home, _bob) = server_and_bob("decline");
    let home = Home::new();
    let outcome = call_bob(&server, &home, &["--json"]).finish(CALL).expect_code(4);
    assert_eq!(outcome.report().result.name, "not-answered");
}

#[test]
fn code_0_a_server_that_was_told_to_stop() {
    let server = Server::start();
    let home = Home::new();
    let _bob = bob(&server, &home, "accept");
    server.stop().expect_code(0);
}
