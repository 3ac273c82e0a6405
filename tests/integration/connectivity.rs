//! The ready scripts of scripts/connectivity, as somebody's CI, monitor and cron would run them.

use std::fs;
use std::process::Command;

use crate::harness::process::LETSMEET;
use crate::harness::{Home, Outcome, Process, SOON, Server, server_and_bob};

/// A script in a home of its own, at this server.
fn script(home: &Home, name: &str, args: &[&str], server: Option<&Server>) -> Outcome {
    let mut command = Command::new("bash");
    command
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/connectivity/").to_owned() + name)
        .args(args)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("LETSMEET", LETSMEET)
        .env("LETSMEET_HOME", home.path().join("letsmeet"))
        .env("HOME", home.path())
        .env("DURATION", "2s")
        .env("RUNS", "2")
        .env("EVERY", "1s")
        .current_dir(home.path());
    if let Some(server) = server {
        command.env("LETSMEET_SERVER", server.url()).env("LETSMEET_NAME", "alice");
    }
    Process::start(command, name).finish(2 * SOON)
}

#[test]
fn a_ci_job_checks_a_call_between_two_ends_of_its_own() {
    let home = Home::new();
    let outcome = script(&home, "ci-call", &["out.xml"], None).expect_code(0);
    assert_eq!(outcome.report().result.name, "ok");
    let xml = fs::read_to_string(home.path().join("out.xml")).unwrap();
    assert!(xml.contains("tests=\"5\" failures=\"0\" errors=\"0\""), "{xml}");
    let outcome = script(&home, "ci-call", &["out.xml", "--expect", "video.fps>=1000"], None).expect_code(7);
    assert!(fs::read_to_string(home.path().join("out.xml")).unwrap().contains("failures=\"1\""), "{outcome}");
}

#[test]
fn an_end_that_sends_back_is_called_again_and_again() {
    let (server, _home, _bob) = server_and_bob("echo");
    let home = Home::new();
    let outcome = script(&home, "round-trip", &["bob"], Some(&server));
    // How good the way is, is for those to say whose machine has nothing else to do.
    assert!([0, 7].contains(&outcome.code()), "{outcome}");
    let document: serde_json::Value =
        serde_json::from_str(&outcome.stdout).unwrap_or_else(|_| panic!("{outcome}"));
    assert_eq!(
        (&document["done"], &document["schema"]),
        (&2.into(), &"letsmeet.series/1".into()),
        "{outcome}"
    );
    assert!(document["figures"]["receive.video.fps"]["runs"] == 2, "{outcome}");
}

#[test]
fn a_monitor_s_plugin_says_one_line() {
    let (server, _home, _bob) = server_and_bob("accept");
    let home = Home::new();
    let outcome = script(&home, "check-letsmeet", &["call", "bob"], Some(&server)).expect_code(0);
    assert!(outcome.stdout.starts_with("LETSMEET OK - "), "{outcome}");
    let outcome = script(&home, "check-letsmeet", &["doctor"], Some(&server));
    // A machine that nobody sits at needs no camera.
    assert!(outcome.stdout.starts_with("LETSMEET OK - "), "{outcome}");
    assert_eq!(outcome.code(), 0, "{outcome}");
    for wrong in [&["doctor", "--nonsense"][..], &["call"], &[]] {
        let outcome = script(&home, "check-letsmeet", wrong, Some(&server)).expect_code(3);
        assert!(outcome.stdout.starts_with("LETSMEET UNKNOWN - "), "{outcome}");
        assert_eq!(outcome.stdout.lines().count(), 1, "{outcome}");
    }
}

#[test]
fn each_script_says_how_it_is_used() {
    let home = Home::new();
    for (name, code) in [("ci-call", 0), ("cron-prometheus", 0), ("round-trip", 0), ("check-letsmeet", 3)] {
        let outcome = script(&home, name, &["--help"], None).expect_code(code);
        assert!(outcome.stdout.contains("LETSMEET_SERVER"), "{outcome}");
    }
    let nowhere = home.path().join("nowhere");
    let outcome = script(&home, "cron-prometheus", &[nowhere.to_str().unwrap()], None).expect_code(2);
    assert!(outcome.stderr.contains("no folder"), "{outcome}");
}

#[test]
fn a_cron_job_leaves_text_for_a_collector() {
    let (server, _home, _bob) = server_and_bob("accept");
    let home = Home::new();
    let folder = home.path().join("textfile");
    fs::create_dir(&folder).unwrap();
    let outcome =
        script(&home, "cron-prometheus", &[folder.to_str().unwrap(), "bob"], Some(&server)).expect_code(0);
    assert_eq!(
        (outcome.stdout.as_str(), outcome.stderr.as_str()),
        ("", ""),
        "a cron job that talks sends mail"
    );
    for (file, line) in [
        ("letsmeet_doctor.prom", "letsmeet_doctor_ok{"),
        ("letsmeet_call_bob.prom", "letsmeet_call_ok{peer=\"bob\"} 1"),
    ] {
        let text = fs::read_to_string(folder.join(file)).unwrap();
        assert!(text.contains(line), "{text}");
    }
}
