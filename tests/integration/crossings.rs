//! Calls that cross: both dial at once, several sessions of one name.

use std::time::Duration;

use crate::harness::{Home, MEASURED, SOON, Server, call_bob, server_and_bob};

#[test]
fn both_dialing_at_once_connects_them() {
    let server = Server::start();
    let homes = [Home::new(), Home::new()];
    let mut sides = Vec::new();
    for (home, (me, other)) in homes.iter().zip([("alice", "bob"), ("bob", "alice")]) {
        let mut args = vec!["call", other, "--name", me, "--server", server.url(), "--headless"];
        // Each waits for the other, so both dial in the moment in which both are there.
        args.extend(["--wait", "10s", "--duration", "2s"]);
        args.extend(MEASURED);
        sides.push(home.start(&args));
    }
    let mut ids = Vec::new();
    for side in sides {
        let report = side.finish(Duration::from_secs(30)).expect_code(0).report();
        assert!(report.receive.video.frames_shown > 25, "{report:#?}");
        ids.push(report.call.id.clone());
    }
    assert_eq!(ids[0], ids[1], "one call, not two");
}

#[test]
fn the_first_session_to_answer_takes_the_call_and_the_others_are_told() {
    let (server, bob_home, mut bob) = server_and_bob("ask");
    let mut args =
        vec!["login", "--name", "bob", "--server", server.url(), "--headless", "--answer", "accept"];
    args.extend(MEASURED);
    // The same profile, so the same key: a second session of the same name.
    let mut second = bob_home.start(&args);
    second.wait_for("registered", SOON);
    let home = Home::new();
    let alice = call_bob(&server, &home, &["--duration", "1s"]);
    assert_eq!(bob.wait_for("ended", SOON).text("reason"), "answered-elsewhere");
    second.wait_for("connected", SOON);
    alice.finish(Duration::from_secs(30)).expect_code(0);
}
