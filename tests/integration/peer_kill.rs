//! kill -9 of one side: the other ends within six seconds and says that the connection was lost.

use std::time::{Duration, Instant};

use crate::harness::{Home, SOON, Signal, call_bob, server_and_bob};

const NOTICED: Duration = Duration::from_secs(6);

#[test]
fn the_caller_notices_that_the_callee_is_gone() {
    let (server, _bob_home, mut bob) = server_and_bob("accept");
    let home = Home::new();
    let mut alice = call_bob(&server, &home, &[]);
    alice.wait_for("connected", SOON);
    alice.wait_for("stats", SOON);
    bob.signal(Signal::Kill);
    let killed = Instant::now();
    let ended = alice.wait_for("ended", NOTICED);
    assert!(killed.elapsed() <= NOTICED);
    assert_eq!(ended.text("reason"), "connection-lost");
    let alice = alice.finish(SOON).expect_code(5);
    let report = alice.report();
    assert_eq!((report.result.name.as_str(), report.end_reason()), ("no-media-path", "connection-lost"));
}

#[test]
fn the_callee_notices_that_the_caller_is_gone_and_takes_the_next_call() {
    let (server, _bob_home, mut bob) = server_and_bob("accept");
    let home = Home::new();
    let mut alice = call_bob(&server, &home, &[]);
    alice.wait_for("connected", SOON);
    bob.wait_for("connected", SOON);
    bob.wait_for("stats", SOON);
    alice.signal(Signal::Kill);
    assert_eq!(bob.wait_for("ended", NOTICED).text("reason"), "connection-lost");
    call_bob(&server, &home, &["--duration", "2s"]).finish(Duration::from_secs(30)).expect_code(0);
}

#[test]
fn a_caller_that_dies_while_it_rings_stops_the_ringing() {
    let (server, _bob_home, mut bob) = server_and_bob("ask");
    let home = Home::new();
    let mut alice = call_bob(&server, &home, &[]);
    alice.wait_for("ringing", SOON);
    bob.wait_for("incoming", SOON);
    alice.signal(Signal::Kill);
    bob.wait_for("ended", SOON);
}

#[test]
fn a_callee_that_dies_while_it_rings_is_unavailable() {
    let (server, _bob_home, mut bob) = server_and_bob("ask");
    let home = Home::new();
    let mut alice = call_bob(&server, &home, &[]);
    bob.wait_for("incoming", SOON);
    bob.signal(Signal::Kill);
    alice.wait_for("ended", SOON);
    let alice = alice.finish(SOON).expect_code(4);
    assert_eq!(alice.report().result.name, "not-answered");
}
