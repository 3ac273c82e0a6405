//! `--repeat` and `--every` of `call` and `doctor`: each run is judged, and all of them together.

use std::fs;

use serde_json::{Value, json};

use crate::harness::report::Report;
use crate::harness::{Home, Outcome, SOON, Server, Signal, bob, call_bob, server_and_bob};

/// The last line.
fn summary(outcome: &Outcome) -> Value {
    let last = outcome.events().pop().expect("lines");
    assert_eq!(last.name, "summary", "{outcome}");
    let summary = Value::Object(last.fields);
    assert_eq!(summary["result"]["exit"], outcome.code(), "{outcome}");
    summary
}

#[test]
fn each_run_has_its_report_and_its_cases_and_the_last_line_sums_up() {
    let (server, _bob_home, mut bob) = server_and_bob("echo");
    let home = Home::new();
    let (xml, prom) = (home.path().join("call.xml"), home.path().join("call.prom"));
    let files = ["--junit", xml.to_str().unwrap(), "--prometheus", prom.to_str().unwrap()];
    let args = ["--repeat", "3", "--every", "100ms", "--duration", "2s", "--expect", "video.frames_shown>=1"];
    let outcome = call_bob(&server, &home, &[&args[..], &files].concat()).finish(4 * SOON).expect_code(0);
    let events = outcome.events();
    let names: Vec<&str> = events
        .iter()
        .map(|event| event.name.as_str())
        .filter(|name| ["run", "connected", "report", "summary"].contains(name))
        .collect();
    let run = ["run", "connected", "report"];
    assert_eq!(names, [&run[..], &run, &run, &["summary"]].concat(), "{outcome}");
    let runs: Vec<&Value> =
        events.iter().filter(|event| event.name == "run").map(|event| &event.fields["run"]).collect();
    assert_eq!(runs, [1, 2, 3]);
    let mut calls = Vec::new();
    for event in events.iter().filter(|event| event.name == "report") {
        let report = event.report().unwrap();
        assert_eq!(report.result.name, "ok", "{outcome}");
        calls.push(report.call.id.expect("a call"));
        bob.wait_for_report();
    }
    calls.dedup();
    assert_eq!(calls.len(), 3, "each run is a call of its own");
    let summary = summary(&outcome);
    assert_eq!((&summary["done"], &summary["ok"], &summary["planned"]), (&3.into(), &3.into(), &3.into()));
    assert_eq!((&summary["interrupted"], &summary["outcomes"]), (&false.into(), &json!({ "ok": 3 })));
    assert_eq!(summary["figures"]["receive.video.fps"]["runs"], 3, "{summary:#}");
    let xml = fs::read_to_string(xml).unwrap();
    for run in 1..=3 {
        let suite =
            format!("<testsuite name=\"letsmeet.call.run-{run}\" tests=\"2\" failures=\"0\" errors=\"0\"");
        assert!(xml.contains(&suite), "{xml}");
    }
    let text = fs::read_to_string(prom).unwrap();
    for line in ["letsmeet_call_ok{peer=\"bob\"} 1\n", "letsmeet_call_runs{peer=\"bob\"} 3\n"] {
        assert!(text.contains(line), "{text}");
    }
}

#[test]
fn one_document_holds_every_report_and_is_as_published() {
    let (server, _bob_home, _bob) = server_and_bob("echo");
    let home = Home::new();
    let args = ["--json", "--repeat", "2", "--duration", "2s", "--expect", "video.fps>=1000"];
    let outcome = call_bob(&server, &home, &args).finish(3 * SOON).expect_code(7);
    let document: Value = serde_json::from_str(&outcome.stdout).unwrap_or_else(|_| panic!("{outcome}"));
    let schema: Value = serde_json::from_str(include_str!("../../docs/series.schema.json")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    assert!(validator.is_valid(&document), "{document:#}");
    assert_eq!((&document["schema"], &document["command"]), (&"letsmeet.series/1".into(), &"call".into()));
    assert_eq!(
        (&document["result"]["name"], &document["outcomes"]["expectation"]),
        (&"expectation".into(), &2.into())
    );
    let reports = document["runs"].as_array().unwrap();
    assert_eq!(reports.len(), 2);
    for report in reports {
        let report: Report = serde_json::from_value(report.clone()).unwrap();
        assert_eq!((report.result.exit, report.expectations()["video.fps>=1000"]), (7, false));
    }
}

#[test]
fn an_interrupt_between_runs_ends_with_what_was_done() {
    let (server, _bob_home, _bob) = server_and_bob("echo");
    let home = Home::new();
    let mut alice = call_bob(&server, &home, &["--every", "1h", "--duration", "2s"]);
    alice.wait_for("report", SOON);
    alice.signal(Signal::Interrupt);
    let outcome = alice.finish(SOON).expect_code(0);
    let summary = summary(&outcome);
    assert_eq!((&summary["done"], &summary["ok"], &summary["planned"]), (&1.into(), &1.into(), &Value::Null));
    assert_eq!(summary["interrupted"], true);
}

#[test]
fn an_interrupt_in_a_run_hangs_up_and_the_run_counts() {
    let (server, _bob_home, mut bob) = server_and_bob("echo");
    let home = Home::new();
    let mut alice = call_bob(&server, &home, &["--repeat", "5"]);
    for hangs_up in [true, false] {
        alice.wait_where("stats", SOON, |event| {
            event.number("receive.video.frames_shown") > Some(0.0)
                && event.number("receive.audio.packets_received") > Some(0.0)
        });
        // A run without an end is ended by whoever says so; its commands are those of the run.
        match hangs_up {
            true => {
                alice.say(&json!({ "command": "hangup" }));
                alice.wait_for("run", SOON);
            }
            false => alice.signal(Signal::Terminate),
        }
    }
    let outcome = alice.finish(SOON).expect_code(0);
    let summary = summary(&outcome);
    assert_eq!(
        (&summary["done"], &summary["ok"], &summary["interrupted"]),
        (&2.into(), &2.into(), &true.into())
    );
    for _ in 0..2 {
        assert_eq!(bob.wait_for_report().end_reason(), "hung-up-by-peer");
    }
}

#[test]
fn an_interrupt_before_any_call_is_an_interrupt() {
    let (server, bob_home, bob) = server_and_bob("echo");
    drop((bob, bob_home));
    let home = Home::new();
    let args = [
        "call",
        "nobody",
        "--name",
        "alice",
        "--server",
        server.url(),
        "--headless",
        "--wait",
        "--repeat",
        "2",
    ];
    let mut alice = home.start(&args);
    alice.wait_for("registered", SOON);
    alice.signal(Signal::Interrupt);
    let outcome = alice.finish(SOON).expect_code(130);
    assert_eq!((&summary(&outcome)["done"], &summary(&outcome)["interrupted"]), (&0.into(), &true.into()));
}

#[test]
fn the_worst_run_is_the_exit_status_and_the_others_go_on() {
    let (server, bob_home, bob_process) = server_and_bob("decline");
    let home = Home::new();
    let mut alice =
        call_bob(&server, &home, &["--repeat", "2", "--every", "3s", "--duration", "2s", "--wait"]);
    alice.wait_for("report", SOON);
    drop(bob_process);
    let _bob = bob(&server, &bob_home, "echo");
    let outcome = alice.finish(3 * SOON).expect_code(4);
    let summary = summary(&outcome);
    assert_eq!(summary["outcomes"], json!({ "not-answered": 1, "ok": 1 }), "{outcome}");
    assert!(summary["result"]["message"].as_str().unwrap().contains("the worst was run 1"), "{outcome}");
}

#[test]
fn lines_for_a_person_and_for_a_monitor_sum_up() {
    let (server, _bob_home, _bob) = server_and_bob("echo");
    let home = Home::new();
    let args =
        ["call", "bob", "--name", "alice", "--server", server.url(), "--repeat", "2", "--duration", "2s"];
    let media = ["--video", "pattern", "--audio", "tone"];
    let outcome = home.start(&[&args[..], &media, &["--plain"]].concat()).finish(3 * SOON).expect_code(0);
    for part in ["Run 1 of 2:", "Run 2 of 2:", "All 2 runs together:", "  result   ok: 2 of 2 runs good"] {
        assert!(outcome.stdout.contains(part), "{part}\n{outcome}");
    }
    let outcome = home.start(&[&args[..], &["--nagios"]].concat()).finish(3 * SOON).expect_code(0);
    assert!(
        outcome.stdout.starts_with("LETSMEET OK - 2 of 2 runs good | 'runs'=2 'runs_ok'=2 "),
        "{outcome}"
    );
    assert_eq!(outcome.stdout.lines().count(), 1, "{outcome}");
}

#[test]
fn the_doctor_comes_again_and_sums_up_in_the_same_way() {
    let (server, home) = (Server::start(), Home::new());
    let folder = home.path().join("results");
    fs::create_dir(&folder).unwrap();
    let prom = folder.join("doctor.prom");
    let doctor = ["doctor", "--server", server.url(), "--name", "alice", "--no-devices", "--repeat", "2"];
    let more = ["--json", "--every", "100ms", "--prometheus", prom.to_str().unwrap()];
    let outcome = home.run(&[&doctor[..], &more].concat()).expect_code(0);
    let document: Value = serde_json::from_str(&outcome.stdout).unwrap_or_else(|_| panic!("{outcome}"));
    assert_eq!((&document["schema"], &document["command"]), (&"letsmeet.series/1".into(), &"doctor".into()));
    assert_eq!((&document["done"], &document["ok"], &document["planned"]), (&2.into(), &2.into(), &2.into()));
    assert_eq!(document["figures"]["login.login_ms"]["runs"], 2, "{document:#}");
    for visit in document["runs"].as_array().unwrap() {
        assert_eq!((&visit["schema"], &visit["result"]["exit"]), (&"letsmeet.doctor/1".into(), &0.into()));
        assert!(visit["checks"].as_array().unwrap().len() > 15, "{visit:#}");
    }
    let text = fs::read_to_string(prom).unwrap();
    assert!(
        text.contains("letsmeet_doctor_runs_ok{server=\"") && text.contains("letsmeet_doctor_check{"),
        "{text}"
    );

    // Until somebody ends it; the visit that is broken off does not count.
    let mut watch = home.start(&[
        "doctor",
        "--server",
        server.url(),
        "--name",
        "alice",
        "--no-devices",
        "--every",
        "1ms",
    ]);
    watch.wait_for_text("Run 2:", 2 * SOON);
    watch.signal(Signal::Interrupt);
    let said = watch.finish(SOON).expect_code(0).stdout;
    assert!(said.contains("ok: 1 of 1 run good (interrupted after 1)"), "{said}");
}

#[test]
fn what_makes_no_sense_is_said_before_the_first_run() {
    let home = Home::new();
    for wrong in [&["--every", "0s"][..], &["--repeat", "0"], &["--terminal", "--repeat", "2"]] {
        home.run(&[&["doctor"], wrong].concat()).expect_code(2);
    }
    home.run(&["doctor", "--nagios", "--every", "1s"]).expect_code(3);
    let call = ["call", "bob", "--name", "alice", "--headless"];
    for wrong in [&["--every", "0s"][..], &["--repeat", "0"], &["--repeat", "x"], &["--wait", "soon"]] {
        home.run(&[&call[..], wrong].concat()).expect_code(2);
    }
    home.run(&["call", "bob", "--name", "alice", "--nagios", "--every", "1s"]).expect_code(3);
}

#[test]
fn whoever_waits_without_a_time_waits_as_long_as_it_takes() {
    let (server, bob_home, bob_process) = server_and_bob("echo");
    drop(bob_process);
    let home = Home::new();
    let mut alice = call_bob(&server, &home, &["--wait", "--duration", "2s"]);
    alice.wait_for("registered", SOON);
    let _bob = bob(&server, &bob_home, "echo");
    alice.finish(2 * SOON).expect_code(0);
}
