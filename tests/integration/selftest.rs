//! `letsmeet selftest`: both ends and a server in one command.

use std::time::Duration;

use serde_json::Value;

use crate::harness::Home;
use crate::harness::report::Report;

#[test]
fn it_says_in_under_ten_seconds_that_media_flows() {
    let home = Home::new();
    let outcome = home.run(&["selftest"]).expect_code(0);
    assert!(outcome.took < Duration::from_secs(10), "{outcome:?}");
    let text = outcome.stdout.to_lowercase();
    for word in ["pass", "video", "audio", "latency"] {
        assert!(text.contains(word), "no {word} in the verdict:\n{}", outcome.stdout);
    }
    assert!(!outcome.stdout.contains('\x1b'), "no colours when stdout is no terminal");
}

#[test]
fn its_json_is_one_document_with_both_ends() {
    let home = Home::new();
    let outcome = home.run(&["selftest", "--json", "--duration", "3s"]).expect_code(0);
    let document: Value =
        serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}\n{outcome}"));
    assert_eq!(
        (&document["result"]["exit"], &document["result"]["name"]),
        (&0.into(), &"ok".into()),
        "{document:#}"
    );
    let ends: Vec<Report> =
        serde_json::from_value(document["ends"].clone()).unwrap_or_else(|error| panic!("{error}\n{outcome}"));
    let directions: Vec<Option<&str>> = ends.iter().map(|end| end.call.direction.as_deref()).collect();
    assert_eq!(directions, [Some("outgoing"), Some("incoming")]);
    for end in &ends {
        assert!(end.receive.video.frames_shown > 50 && end.receive.video.ssim.is_some(), "{end:#?}");
        assert!(end.receive.audio.latency_ms.p50.is_some(), "{end:#?}");
    }
}

#[test]
fn an_expectation_that_does_not_hold_fails_it() {
    let home = Home::new();
    let outcome = home.run(&["selftest", "--duration", "2s", "--expect", "video.fps>=1000"]).expect_code(7);
    assert!(outcome.stdout.contains("FAIL") && outcome.says("video.fps>=1000"), "{outcome}");
}

#[test]
fn it_leaves_nothing_behind() {
    let home = Home::new();
    home.run(&["selftest", "--duration", "3s"]).expect_code(0);
    let left: Vec<_> =
        std::fs::read_dir(home.path()).expect("the home").map(|entry| entry.expect("entry").path()).collect();
    assert!(left.is_empty(), "{left:?}");
}
