//! `letsmeet doctor`, and results for machines: JUnit, Prometheus, Nagios, masked output.

use std::fs;
use std::time::Duration;

use serde_json::Value;

use crate::harness::{Home, Outcome, SOON, Server, call_bob, server_and_bob};

/// Every check, in the order of the lines.
const CHECKS: [&str; 20] = [
    "resolve",
    "tcp",
    "tls",
    "clock",
    "login",
    "stun-v4",
    "stun-v6",
    "nat-mapping",
    "nat-filtering",
    "turn-udp",
    "turn-tcp",
    "turn-tls",
    "candidates",
    "path-host",
    "path-all",
    "path-relay",
    "throughput",
    "camera",
    "microphone",
    "speaker",
];

/// The document; its exit status and the process's are the same.
pub(crate) fn diagnosis(outcome: &Outcome) -> Value {
    let document: Value =
        serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}\n{outcome}"));
    assert_eq!(document["schema"], "letsmeet.doctor/1");
    assert_eq!(document["result"]["exit"], outcome.code(), "{outcome}");
    document
}

/// The outcome of one check, as far as there is one.
pub(crate) fn outcome_of<'a>(document: &'a Value, name: &str) -> &'a str {
    check(document, name)["outcome"].as_str().expect("an outcome")
}

/// One check.
pub(crate) fn check<'a>(document: &'a Value, name: &str) -> &'a Value {
    let checks = document["checks"].as_array().expect("checks");
    checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("no {name}: {document:#}"))
}

#[test]
fn it_names_every_check_and_says_that_calls_work_here() {
    let (server, home) = (Server::start(), Home::new());
    let folder = home.path().join("results");
    fs::create_dir(&folder).unwrap();
    let (junit, prom) = (folder.join("doctor.xml"), folder.join("doctor.prom"));
    let outcome = home
        .run(&[
            "doctor",
            "--server",
            server.url(),
            "--name",
            "alice",
            "--json",
            "--junit",
            junit.to_str().unwrap(),
            "--prometheus",
            prom.to_str().unwrap(),
        ])
        .expect_code(0);
    let document = diagnosis(&outcome);
    let names: Vec<&str> =
        document["checks"].as_array().unwrap().iter().map(|check| check["name"].as_str().unwrap()).collect();
    assert_eq!(names[..CHECKS.len()], CHECKS, "{document:#}");
    assert_eq!(names.last(), Some(&"terminal"));
    for name in ["resolve", "tcp", "clock", "login", "candidates", "path-host", "path-all"] {
        assert_eq!(outcome_of(&document, name), "pass", "{document:#}");
        assert!(check(&document, name)["ms"].is_number(), "{document:#}");
    }
    for name in ["tls", "stun-v4", "nat-mapping", "turn-udp", "path-relay", "terminal"] {
        assert_eq!(outcome_of(&document, name), "skip", "{document:#}");
        assert!(check(&document, name)["ms"].is_null(), "{document:#}");
    }
    let xml = fs::read_to_string(&junit).unwrap();
    assert!(xml.contains("<testsuite name=\"letsmeet.doctor\"") && xml.contains("failures=\"0\""), "{xml}");
    let text = fs::read_to_string(&prom).unwrap();
    assert!(
        text.contains("letsmeet_doctor_ok{server=") && text.contains("check=\"login\",outcome=\"pass\"} 1")
    );
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 2, "nothing is left beside the files");
}

#[test]
fn a_machine_that_nobody_sits_at_has_no_devices_to_check() {
    let (server, home) = (Server::start(), Home::new());
    let outcome = home.run(&["doctor", "--server", server.url(), "--no-devices", "--json"]).expect_code(0);
    let document = diagnosis(&outcome);
    for check in document["checks"].as_array().unwrap() {
        let name = check["name"].as_str().unwrap();
        assert!(!["camera", "microphone", "speaker", "terminal"].contains(&name), "{document:#}");
    }
}

#[test]
fn lines_for_a_person_have_marks_and_hints() {
    let (server, home) = (Server::start(), Home::new());
    let outcome = home.run(&["doctor", "--server", server.url()]).expect_code(0);
    // Nobody has signed in here yet, which is no failure.
    for part in ["pass  tcp", "skip  login", "-> give --name NAME", "\nok: "] {
        assert!(outcome.stdout.contains(part), "{part:?} is missing\n{outcome}");
    }
    assert!(!home.path().join("data").exists(), "no key is made for nobody");
}

#[test]
fn a_server_that_is_down_is_a_finding() {
    let mut server = Server::start();
    let (url, home) = (server.url().to_owned(), Home::new());
    server.kill();
    let xml = home.path().join("x.xml");
    let args = ["doctor", "--server", &url, "--name", "alice", "--json", "--junit", xml.to_str().unwrap()];
    let outcome = home.run(&args).expect_code(3);
    assert!(!outcome.stderr.contains("panicked"), "{outcome}");
    let document = diagnosis(&outcome);
    assert_eq!((outcome_of(&document, "tcp"), outcome_of(&document, "login")), ("fail", "skip"));
    assert_eq!(outcome_of(&document, "path-host"), "pass", "the rest is checked all the same");
    let xml = fs::read_to_string(xml).unwrap();
    assert!(xml.contains("failures=\"1\"") && xml.contains("errors=\"0\""), "{xml}");
    let outcome = home.run(&["doctor", "--server", &url, "--name", "alice", "--nagios"]).expect_code(2);
    assert!(outcome.stdout.starts_with("LETSMEET CRITICAL - "), "{outcome}");
    assert_eq!(outcome.stdout.lines().count(), 1, "{outcome}");
}

#[test]
fn masked_output_has_neither_addresses_nor_names() {
    let (server, _home, bob) = server_and_bob("accept");
    let home = Home::new();
    let outcome = call_bob(&server, &home, &["--duration", "1s", "--mask"]).finish(SOON).expect_code(0);
    let hidden = |text: &str| {
        let text = text.to_lowercase();
        ["127.0.0.1", "\"alice\"", "\"bob\"", "sha256:"].iter().all(|secret| !text.contains(secret))
    };
    assert!(hidden(&outcome.stdout), "{outcome}");
    assert!(outcome.stdout.contains("\"event\":\"ringing\""), "what is fixed stays\n{outcome}");
    for placeholder in ["name-1", "name-2", "address-1", "key-1"] {
        assert!(outcome.stdout.contains(placeholder), "{placeholder}\n{outcome}");
    }
    assert_eq!(outcome.report().result.name, "ok");
    let args = ["doctor", "--server", server.url(), "--name", "alice", "--mask", "--nagios"];
    let outcome = home.run(&args);
    assert!(hidden(&outcome.stdout) && !outcome.stdout.contains("alice"), "{outcome}");
    let outcome = home.run(&["doctor", "--server", server.url(), "--name", "alice", "--mask", "--json"]);
    assert!(hidden(&outcome.stdout), "{outcome}");
    assert_eq!(outcome_of(&diagnosis(&outcome), "tcp"), "pass");
    drop(bob);
    let login = ["login", "--name", "carol", "--server", server.url(), "--mask", "--duration", "200ms"];
    for more in [&["--headless"][..], &["--plain"]] {
        let outcome = home.start(&[&login[..], more].concat()).finish(SOON).expect_code(0);
        assert!(!outcome.stdout.contains("carol") && hidden(&outcome.stdout), "{outcome}");
        assert!(outcome.stdout.contains("name-1"), "{outcome}");
    }
}

#[test]
fn a_call_tells_ci_servers_and_monitors_what_did_not_hold() {
    let (server, _home, bob) = server_and_bob("accept");
    let home = Home::new();
    let (xml, prom) = (home.path().join("call.xml"), home.path().join("call.prom"));
    let args = [
        "--duration",
        "2s",
        "--expect",
        "video.fps>=1000",
        "--expect",
        "video.frames_shown>=1",
        "--junit",
        xml.to_str().unwrap(),
        "--prometheus",
        prom.to_str().unwrap(),
    ];
    call_bob(&server, &home, &args).finish(SOON).expect_code(7);
    let text = fs::read_to_string(&xml).unwrap();
    assert!(text.contains("tests=\"3\" failures=\"1\" errors=\"0\""), "{text}");
    assert!(text.contains("name=\"video.fps&gt;=1000\"><failure"), "{text}");
    let text = fs::read_to_string(&prom).unwrap();
    assert!(text.contains("letsmeet_call_expectation_held{peer=\"bob\",expectation=\"video.fps>=1000\"} 0"));
    assert!(text.contains("letsmeet_call_receive_video_frames_shown{peer=\"bob\"} "), "{text}");
    let plugin = ["--duration", "2s", "--nagios"];
    let outcome = call_bob(&server, &home, &plugin).finish(SOON).expect_code(0);
    assert!(outcome.stdout.starts_with("LETSMEET OK - ") && outcome.stdout.contains(" | '"), "{outcome}");
    drop(bob);
    let nobody =
        ["call", "nobody", "--name", "alice", "--server", server.url(), "--junit", xml.to_str().unwrap()];
    home.run(&nobody).expect_code(4);
    assert!(fs::read_to_string(&xml).unwrap().contains("errors=\"1\""));
}

#[test]
fn what_could_not_run_is_an_error_in_every_output() {
    let home = Home::new();
    let xml = home.path().join("x.xml");
    let path = xml.to_str().unwrap();
    home.run(&["call", "bob", "--name", "bob", "--headless", "--junit", path]).expect_code(2);
    assert!(fs::read_to_string(&xml).unwrap().contains("<error message=\"usage: "));
    let outcome = home.run(&["call", "bob", "--name", "bob", "--nagios"]).expect_code(3);
    assert!(outcome.stdout.starts_with("LETSMEET UNKNOWN - "), "{outcome}");
    let missing = home.path().join("none/x.xml");
    let outcome = home.run(&["doctor", "--junit", missing.to_str().unwrap()]).expect_code(6);
    assert!(outcome.says("there is no such folder"), "{outcome}");
    assert!(outcome.took < Duration::from_secs(2), "{outcome}");
}
