//! kill -9 of the server: calls go on, everyone comes back when it does, and names stay whose they are.

use std::time::Duration;

use serde_json::json;

use crate::harness::{Home, Process, SOON, Server, bob, call_bob, server_and_bob};

/// Reconnecting backs off: a client that just tried may wait this long.
const BACK: Duration = Duration::from_secs(30);

/// Frames shown so far, from the next `stats`.
fn frames_shown(process: &mut Process) -> f64 {
    let stats =
        process.wait_where("stats", SOON, |stats| stats.number("receive.video.frames_shown").is_some());
    stats.number("receive.video.frames_shown").expect("checked")
}

#[test]
fn a_call_outlives_its_server_and_hanging_up_works_when_it_is_back() {
    let (mut server, _bob_home, mut bob) = server_and_bob("accept");
    let home = Home::new();
    let mut alice = call_bob(&server, &home, &[]);
    alice.wait_for("connected", SOON);
    bob.wait_for("connected", SOON);
    frames_shown(&mut alice);

    server.kill();
    for side in [&mut alice, &mut bob] {
        let before = frames_shown(side);
        for _ in 0..3 {
            frames_shown(side);
        }
        let after = frames_shown(side);
        assert!(after - before > 60.0, "{before} frames, then {after}: media stopped with the server");
    }

    server.restart();
    alice.wait_for("registered", BACK);
    bob.wait_for("registered", BACK);
    frames_shown(&mut alice);
    alice.say(&json!({ "command": "hangup" }));
    let alice = alice.finish(SOON).expect_code(0);
    assert_eq!(alice.report().end_reason(), "hung-up");
    assert_eq!(bob.wait_for("ended", SOON).text("reason"), "hung-up-by-peer");

    // And the next call goes through the new server.
    call_bob(&server, &home, &["--duration", "2s"]).finish(Duration::from_secs(30)).expect_code(0);
}

#[test]
fn hanging_up_works_while_the_server_is_gone() {
    let (mut server, _bob_home, mut bob) = server_and_bob("accept");
    let home = Home::new();
    let mut alice = call_bob(&server, &home, &[]);
    alice.wait_for("connected", SOON);
    bob.wait_for("connected", SOON);
    frames_shown(&mut bob);
    server.kill();
    alice.say(&json!({ "command": "hangup" }));
    alice.finish(SOON).expect_code(0);
    assert_eq!(
        bob.wait_for("ended", Duration::from_secs(3)).text("reason"),
        "hung-up-by-peer",
        "the peers say goodbye to each other"
    );
}

#[test]
fn names_stay_with_their_keys_over_a_kill() {
    let mut server = Server::start();
    let bob_home = Home::new();
    drop(bob(&server, &bob_home, "accept"));
    server.kill();
    server.restart();
    let mallory = Home::new();
    mallory.run(&["login", "--name", "bob", "--server", server.url(), "--headless"]).expect_code(3);
    bob(&server, &bob_home, "accept");
}

#[test]
fn a_server_comes_up_again_and_again() {
    let mut server = Server::start();
    for _ in 0..3 {
        server.kill();
        server.restart();
    }
    server.stop().expect_code(0);
}
