//! `letsmeet selftest`: both ends and a server in one command.

use std::time::Duration;

use serde_json::Value;

use crate::harness::Home;

#[test]
fn it_says_in_under_ten_seconds_that_media_flows() {
    let home = Home::new();
    let outcome = home.run(&["selftest"]).expect_code(0);
    assert!(outcome.took < Duration::from_secs(10), "{outcome:?}");
    let text = outcome.stdout.to_lowercase();
    for word in ["video", "audio", "latency"] {
        assert!(
            text.contains(word),
            "no {word} in the verdict:\n{}",
            outcome.stdout
        );
    }
    assert!(
        !outcome.stdout.contains('\x1b'),
        "no colours when stdout is no terminal"
    );
}

#[test]
fn its_json_is_one_document_with_the_same_result() {
    let home = Home::new();
    let outcome = home.run(&["selftest", "--json"]).expect_code(0);
    let document: Value =
        serde_json::from_str(&outcome.stdout).expect("one JSON document on stdout");
    assert_eq!(document["schema"], 1, "{document:#}");
    assert_eq!(document["command"], "selftest", "{document:#}");
    assert_eq!(
        (&document["result"]["exit"], &document["result"]["name"]),
        (&0.into(), &"ok".into()),
        "{document:#}"
    );
}

#[test]
fn it_leaves_nothing_behind() {
    let home = Home::new();
    home.run(&["selftest"]).expect_code(0);
    let left: Vec<_> = std::fs::read_dir(home.path())
        .expect("the home")
        .map(|entry| entry.expect("entry").path())
        .collect();
    assert!(left.is_empty(), "{left:?}");
}
