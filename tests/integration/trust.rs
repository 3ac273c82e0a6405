//! Keys of others: listed, compared, forgotten; and codes that are compared within a call.

use serde_json::json;

use crate::harness::{Home, SOON, call_bob, server_and_bob};

#[test]
fn a_key_is_pinned_at_the_first_call_compared_and_forgotten() {
    let (server, bobs, _bob) = server_and_bob("accept");
    let home = Home::new();
    call_bob(&server, &home, &["--duration", "1s"]).finish(SOON).expect_code(0);
    let list = |home: &Home, name: &str| {
        let outcome = home.run(&["trust", "list", "--json", "--name", name]).expect_code(0);
        serde_json::from_str::<serde_json::Value>(&outcome.stdout).unwrap()
    };
    let (ours, theirs) = (list(&home, "alice"), list(&bobs, "bob"));
    assert_eq!(ours["schema"], "letsmeet.trust/1");
    assert_eq!(ours["peers"][0]["name"], "bob");
    assert_eq!(ours["peers"][0]["verified"], false);
    let (key, fingerprint) =
        (theirs["own"]["key"].as_str().unwrap(), theirs["own"]["fingerprint"].as_str().unwrap());
    assert_eq!(ours["peers"][0]["key"], key);

    let trust = |args: &[&str]| home.run(&[&["trust"], args, &["--name", "alice"]].concat());
    // What is to be compared, and how.
    let outcome = trust(&["verify", "bob"]).expect_code(0);
    assert!(outcome.stdout.contains(&format!("letsmeet trust verify bob {fingerprint}")), "{outcome}");
    assert_eq!(list(&home, "alice")["peers"][0]["verified"], false);
    let own = ours["own"]["fingerprint"].as_str().unwrap();
    let outcome = trust(&["verify", "bob", own]).expect_code(8);
    assert!(outcome.says("has changed"), "{outcome}");
    trust(&["verify", "BOB", fingerprint]).expect_code(0);
    assert_eq!(list(&home, "alice")["peers"][0]["verified"], true);
    let outcome = trust(&["list"]).expect_code(0);
    assert!(outcome.stdout.contains(&format!("bob\t{fingerprint}\tverified\t{key}")), "{outcome}");

    trust(&["forget", "bob"]).expect_code(0);
    assert_eq!(list(&home, "alice")["peers"], json!([]));
    let outcome = trust(&["forget", "bob"]).expect_code(2);
    assert!(outcome.says("no key is known under \"bob\""), "{outcome}");
    let outcome = trust(&["verify", "bob", fingerprint]).expect_code(2);
    assert!(outcome.says("give all of it"), "{outcome}");
    // Before the first call, with the whole key: the first contact is none.
    trust(&["verify", "bob", key]).expect_code(0);
    let mut alice = call_bob(&server, &home, &["--duration", "1s"]);
    assert_eq!(alice.wait_for("connected", SOON).fields["first_contact"], false);
    alice.finish(SOON).expect_code(0);
}

#[test]
fn codes_of_both_sides_are_compared_by_a_script() {
    let (server, _bobs, mut bob) = server_and_bob("accept");
    let home = Home::new();
    let mut alice = call_bob(&server, &home, &["--expect-code", "ask"]);
    alice.wait_for("connected", SOON);
    let code = bob.wait_for("connected", SOON).text("verification_code").to_owned();
    // A slip of the keyboard is no attack.
    alice.say(&json!({"command": "compare", "code": "12"}));
    assert_eq!(alice.wait_for("reply", SOON).text("error"), "a code has 16 digits");
    alice.say(&json!({"command": "compare", "code": code}));
    assert_eq!(alice.wait_for("compared", SOON).fields["same"], true);
    alice.say(&json!({"command": "hangup"}));
    assert_eq!(alice.wait_for_report().call.compared, Some(true));
    alice.finish(SOON).expect_code(0);

    // Nobody compared.
    let outcome = call_bob(&server, &home, &["--expect-code", "ask", "--duration", "1s"]).finish(SOON);
    let outcome = outcome.expect_code(8);
    assert_eq!((outcome.report().result.name.as_str(), outcome.report().call.compared), ("identity", None));

    // Somebody in between would have shown another code.
    let other = if code.starts_with('1') { "2222-2222-2222-2222" } else { "1111 1111 1111 1111" };
    let outcome = call_bob(&server, &home, &["--expect-code", other]).finish(SOON).expect_code(8);
    let report = outcome.report();
    assert_eq!(report.call.end_reason.as_deref(), Some("identity-mismatch"), "{report:#?}");
    assert_eq!(report.call.compared, Some(false));
    let outcome = home.run(&["call", "bob", "--name", "alice", "--expect-code", "12"]).expect_code(2);
    assert!(outcome.says("four groups of four digits"), "{outcome}");
}

#[test]
fn no_file_is_offered_before_the_code_was_compared() {
    let (server, _bobs, mut bob) = server_and_bob("accept");
    let home = Home::new();
    std::fs::write(home.path().join("secret.txt"), "for bob alone").unwrap();
    let args = ["send", "bob", "secret.txt", "--name", "alice", "--server", server.url(), "--headless"];
    let send = |code: &str| home.start(&[&args[..], &["--expect-code", code]].concat());
    let outcome = send("1111 2222 3333 4444").finish(SOON).expect_code(8);
    assert_eq!(outcome.report().call.end_reason.as_deref(), Some("identity-mismatch"), "{outcome}");

    let mut alice = send("ask");
    alice.wait_for("connected", SOON);
    alice.say(&json!({"command": "hangup"}));
    let outcome = alice.finish(SOON).expect_code(8);
    assert!(outcome.report().result.message.contains("nobody compared"), "{outcome}");

    bob.wait_for_report();
    bob.wait_for_report();
    let mut alice = send("ask");
    alice.wait_for("connected", SOON);
    let code = bob.wait_for("connected", SOON).text("verification_code").to_owned();
    alice.say(&json!({"command": "compare", "code": code}));
    let offered = bob.wait_for("file", SOON);
    assert_eq!((offered.text("state"), offered.text("name")), ("offered", "secret.txt"));
    bob.say(&json!({"command": "decline-file"}));
    alice.finish(SOON).expect_code(4);
    bob.signal(crate::harness::Signal::Terminate);
    let offers = bob.finish(SOON).events();
    let offers = offers.iter().filter(|event| event.name == "file" && event.text("state") == "offered");
    assert_eq!(offers.count(), 1, "one call of three came so far");
}
