//! What people write and show to each other in a call: delivered messages, the log, hands, reactions, being away.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use crate::harness::{Home, SOON, Server, bob, call_bob, server_and_bob};

#[test]
fn what_a_script_writes_is_delivered_counted_and_kept_only_where_that_was_asked() {
    let (server, _bob_home, mut bob) = server_and_bob("accept");
    let home = Home::new();
    let log = home.path().join("chat.log");
    let args = ["--chat", "hello", "--chat", "two\nlines \u{1b}[2J", "--chat-log", log.to_str().unwrap()];
    let counts = ["--expect", "chat.delivered==3", "--expect", "chat.received==1"];
    let mut alice = call_bob(&server, &home, &[&args[..], &counts].concat());
    for (text, number) in [("hello", 1.0), ("two\nlines \u{1b}[2J", 2.0)] {
        let line = bob.wait_for("chat", SOON);
        assert_eq!((line.text("text"), line.text("side")), (text, "remote"));
        assert_eq!(line.number("number"), Some(number));
        let delivered = alice.wait_for("delivered", SOON);
        assert_eq!(delivered.number("number"), Some(number));
    }
    bob.say(&json!({"command": "chat", "text": "welcome"}));
    alice.wait_where("chat", SOON, |event| event.text("side") == "remote" && event.text("text") == "welcome");
    bob.wait_for("delivered", SOON);
    alice.say(&json!({"command": "chat", "text": "bye"}));
    alice.wait_where("delivered", SOON, |event| event.number("number") == Some(3.0));
    alice.say(&json!({"command": "hangup"}));
    let report = alice.wait_for_report();
    assert_eq!((report.chat.sent, report.chat.delivered, report.chat.received), (3, 3, 1));
    alice.finish(SOON).expect_code(0);
    let report = bob.wait_for_report();
    assert_eq!((report.chat.sent, report.chat.delivered, report.chat.received), (1, 1, 3));

    let kept = std::fs::read_to_string(&log).unwrap();
    assert!(!kept.contains('\u{1b}'), "{kept:?}");
    let lines: Vec<&str> =
        kept.lines().map(|line| line.split_once("Z ").map_or(line, |(_, rest)| rest)).collect();
    assert_eq!(lines, ["alice: hello", "alice: two", "    lines \u{fffd}[2J", "bob: welcome", "alice: bye"]);
    assert_eq!(std::fs::metadata(&log).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_message_that_can_not_be_sent_is_a_usage_error() {
    let home = Home::new();
    let long = "x".repeat(4097);
    for (text, why) in [(" ", "there is nothing to say"), (&long[..], "4097 bytes are more than the 4096")] {
        let outcome =
            home.run(&["call", "bob", "--name", "alice", "--headless", "--chat", text]).expect_code(2);
        assert!(outcome.says(why), "{outcome}");
    }
    let folder = home.path().to_str().unwrap();
    let outcome =
        home.run(&["call", "bob", "--name", "alice", "--headless", "--chat-log", folder]).expect_code(6);
    assert!(outcome.says("cannot open"), "{outcome}");
}

#[test]
fn hands_and_reactions_are_seen_and_a_flood_is_not() {
    let (server, _bob_home, mut bob) = server_and_bob("accept");
    let home = Home::new();
    let mut alice = call_bob(&server, &home, &[]);
    alice.wait_for("connected", SOON);
    // Raised before the other side listens or after: it is seen.
    alice.say(&json!({"command": "hand", "raised": true}));
    let hand = bob.wait_for("hand", SOON);
    assert_eq!((hand.text("side"), &hand.fields["raised"]), ("remote", &json!(true)));
    for _ in 0..50 {
        alice.say(&json!({"command": "react", "reaction": "clap"}));
    }
    alice.say(&json!({"command": "hand", "raised": false}));
    bob.wait_where("hand", SOON, |event| event.fields["raised"] == json!(false));
    alice.say(&json!({"command": "react", "reaction": "applause"}));
    let refused = alice.wait_where("reply", SOON, |event| event.fields["ok"] == json!(false));
    assert!(refused.text("error").contains("\"applause\" is no reaction"), "{refused:?}");
    alice.say(&json!({"command": "hangup"}));
    alice.finish(SOON).expect_code(0);
    bob.wait_for_report();
    bob.signal(crate::harness::Signal::Terminate);
    let seen = bob.finish(SOON).events();
    let claps = seen.iter().filter(|event| event.name == "reaction").count();
    assert!((5..=12).contains(&claps), "{claps} of 50 reactions at once");
}

#[test]
fn who_is_away_is_told_to_those_who_call_and_to_those_who_watch() {
    let server = Server::start();
    let (bobs, home, carols) = (Home::new(), Home::new(), Home::new());
    let mut bob = bob(&server, &bobs, "accept");
    let args = ["login", "--name", "carol", "--server", server.url(), "--headless"];
    let mut carol = carols.start(&args);
    carol.wait_for("registered", SOON);
    carol.say(&json!({"command": "watch", "names": ["bob"]}));
    let state = |wanted: &'static str| {
        move |event: &crate::harness::process::Event| event.fields["changes"][0]["state"] == json!(wanted)
    };
    carol.wait_where("presence", SOON, state("available"));
    bob.say(&json!({"command": "away"}));
    carol.wait_where("presence", SOON, state("away"));
    let mut alice = call_bob(&server, &home, &[]);
    let away = alice.wait_for("away", SOON);
    assert_eq!((away.text("side"), &away.fields["away"]), ("remote", &json!(true)));
    bob.say(&json!({"command": "back"}));
    alice.wait_where("away", SOON, |event| event.fields["away"] == json!(false));
    alice.say(&json!({"command": "hangup"}));
    alice.finish(SOON).expect_code(0);
    carol.wait_where("presence", SOON, state("available"));
}
