//! A call between three processes on loopback, with the pattern and the tone both ways: what each
//! side decoded is what the other sent.

use std::time::Duration;

use crate::harness::report::{Distribution, Report};
use crate::harness::{Home, MEASURED, SOON, Signal, call_bob, server_and_bob};

/// The goals are 70 and 120 ms (`scripts/bench` measures against them); a test machine that is busy
/// with something else must not fail the build.
const VIDEO_LATENCY_MS: f64 = 150.0;
const AUDIO_LATENCY_MS: f64 = 240.0;
const FIRST_FRAME_MS: f64 = 1_000.0;

fn ordered(figures: &Distribution, below: f64) {
    assert!(
        0.0 < figures.p50 && figures.p50 <= figures.p95 && figures.p95 <= figures.max,
        "{figures:?}"
    );
    assert!(figures.p95 < below, "{figures:?}");
}

/// What must be true of either side's report after `seconds` of undisturbed media.
fn media_flowed(report: &Report, seconds: f64) {
    let (video, audio) = (report.video(), report.audio());
    assert_eq!(
        (video.codec.as_str(), audio.codec.as_str()),
        ("VP8", "opus"),
        "{report:#?}"
    );
    assert!(video.fps >= 24.0, "{report:#?}");
    assert!(
        video.frames_shown as f64 >= 24.0 * (seconds - 1.0),
        "{report:#?}"
    );
    assert!(video.frames_decoded >= video.frames_shown, "{report:#?}");
    assert!(
        video.longest_freeze_ms < 1_000.0 && video.frozen_ms < 1_000.0,
        "{report:#?}"
    );
    ordered(
        video
            .latency_ms
            .as_ref()
            .expect("the pattern gives a latency"),
        VIDEO_LATENCY_MS,
    );
    assert!(
        video.psnr_db.expect("the pattern gives a PSNR") > 25.0,
        "{report:#?}"
    );
    let ssim = video.ssim.expect("the pattern gives an SSIM");
    assert!(ssim > 0.8 && ssim <= 1.0, "{report:#?}");

    assert!(
        audio.concealed_pct < 2.0 && audio.silence_pct < 5.0,
        "{report:#?}"
    );
    assert!(audio.kbps > 5.0, "{report:#?}");
    ordered(
        audio.latency_ms.as_ref().expect("the tone gives a latency"),
        AUDIO_LATENCY_MS,
    );
    let level = audio.level_dbfs.expect("a level");
    assert!((-40.0..0.0).contains(&level), "{report:#?}");

    let send = report.send.as_ref().expect("sent");
    assert!(
        send.video
            .as_ref()
            .is_some_and(|video| video.fps >= 24.0 && video.keyframes >= 1 && video.width > 0),
        "{report:#?}"
    );
    assert!(
        send.audio
            .as_ref()
            .is_some_and(|audio| audio.packets_sent as f64 > 25.0 * (seconds - 1.0)),
        "{report:#?}"
    );

    let path = report.path.as_ref().expect("a path");
    assert!(
        path.local.as_ref().is_some_and(|end| end.kind == "host"),
        "{report:#?}"
    );
    assert!(
        path.rtt_ms.as_ref().is_some_and(|rtt| rtt.p50 < 50.0),
        "{report:#?}"
    );
    let process = report.process.as_ref().expect("process figures");
    assert!(
        process.cpu_s > 0.0 && process.rss_peak_mb > 1.0,
        "{report:#?}"
    );
}

#[test]
fn pattern_and_tone_arrive_on_both_sides() {
    let (server, _bob_home, mut bob) = server_and_bob("accept");
    let home = Home::new();
    let alice = call_bob(&server, &home, &["--duration", "10s"])
        .finish(Duration::from_secs(40))
        .expect_code(0);
    let report = alice.report();
    media_flowed(&report, 10.0);
    assert_eq!(report.command, "call");
    assert_eq!(report.end_reason(), "hung-up");
    let call = report.call.as_ref().expect("a call");
    assert_eq!(
        (call.peer.as_str(), call.direction.as_str()),
        ("bob", "outgoing")
    );
    assert!(
        (9_000.0..12_000.0).contains(&call.duration_ms.expect("a duration")),
        "{report:#?}"
    );

    let setup = report.setup.as_ref().expect("set-up times");
    let steps = [setup.ringing_ms, setup.accepted_ms, setup.connected_ms]
        .map(|step| step.expect("each step has a time"));
    assert!(steps.is_sorted(), "{setup:?}");
    for first in [setup.first_audio_ms, setup.first_frame_ms] {
        let first = first.expect("a first of each");
        assert!(first >= steps[2] && first < FIRST_FRAME_MS, "{setup:?}");
    }

    let ended = bob.wait_for("ended", SOON);
    assert_eq!(ended.text("reason"), "hung-up-by-peer");
    bob.signal(Signal::Terminate);
    let bob = bob.finish(SOON);
    let report = bob.report();
    media_flowed(&report, 10.0);
    assert_eq!(
        report.call.as_ref().map(|call| call.direction.as_str()),
        Some("incoming")
    );
    assert_eq!(report.end_reason(), "hung-up-by-peer");
}

#[test]
fn the_events_of_a_call_come_in_their_order() {
    let (server, _bob_home, mut bob) = server_and_bob("accept");
    let home = Home::new();
    let alice = call_bob(&server, &home, &["--duration", "3s"])
        .finish(Duration::from_secs(30))
        .expect_code(0);
    let events = alice.events();
    let place = |name: &str| {
        events
            .iter()
            .position(|event| event.name == name)
            .unwrap_or_else(|| panic!("no {name} in {events:#?}"))
    };
    let order = [
        "registered",
        "ringing",
        "accepted",
        "connected",
        "stats",
        "ended",
        "report",
    ]
    .map(place);
    assert!(order.is_sorted(), "{events:#?}");
    assert_eq!(order[6], events.len() - 1, "the report is last");
    assert!(events.is_sorted_by_key(|event| event.at_ms), "{events:#?}");

    for name in ["incoming", "accepted", "connected", "ended"] {
        let event = bob.wait_for(name, SOON);
        if name == "incoming" {
            assert_eq!(event.text("from"), "alice");
        }
    }
}

#[test]
fn one_bob_takes_one_call_after_the_other() {
    let (server, _bob_home, mut bob) = server_and_bob("accept");
    for name in ["alice", "carol", "dave"] {
        let home = Home::new();
        let mut args = vec![
            "call",
            "bob",
            "--name",
            name,
            "--server",
            server.url(),
            "--headless",
        ];
        args.extend(MEASURED);
        args.extend(["--duration", "1s"]);
        home.start(&args)
            .finish(Duration::from_secs(30))
            .expect_code(0);
        bob.wait_for("ended", SOON);
    }
}

#[test]
fn a_second_caller_is_told_busy() {
    let (server, _bob_home, mut bob) = server_and_bob("accept");
    let (home, other) = (Home::new(), Home::new());
    let mut alice = call_bob(&server, &home, &[]);
    alice.wait_for("connected", SOON);
    bob.wait_for("connected", SOON);
    let carol = other
        .run(&[
            "call",
            "bob",
            "--name",
            "carol",
            "--server",
            server.url(),
            "--headless",
        ])
        .expect_code(4);
    assert_eq!(carol.report().end_reason(), "busy");
    alice.say(&serde_json::json!({ "command": "hangup" }));
    alice.finish(SOON).expect_code(0);
}

#[test]
fn expectations_that_hold_leave_the_exit_status_alone() {
    let (server, _bob_home, _bob) = server_and_bob("accept");
    let home = Home::new();
    let wanted = [
        "receive.video.fps>=20",
        "receive.audio.concealed_pct<5",
        "receive.video.latency_ms.p95 < 500",
        "path.rtt_ms.p50<=100",
    ];
    let mut args = vec!["--duration", "4s"];
    for expectation in wanted {
        args.extend(["--expect", expectation]);
    }
    let report = call_bob(&server, &home, &args)
        .finish(Duration::from_secs(30))
        .expect_code(0)
        .report();
    assert_eq!(report.expectations.len(), wanted.len());
    assert!(
        report
            .expectations
            .iter()
            .all(|expectation| expectation.held && expectation.actual.is_some()),
        "{report:#?}"
    );
}

#[test]
fn nothing_is_sent_before_the_callee_accepts() {
    let (server, _bob_home, mut bob) = server_and_bob("ask");
    let home = Home::new();
    let mut alice = call_bob(&server, &home, &[]);
    alice.wait_for("ringing", SOON);
    bob.wait_for("incoming", SOON);
    assert!(
        alice.stays_without("connected", Duration::from_secs(2)),
        "connected without consent"
    );
    assert!(
        bob.stays_without("connected", Duration::from_millis(100)),
        "connected without consent"
    );
    bob.say(&serde_json::json!({ "command": "accept" }));
    alice.wait_for("connected", SOON);
    bob.wait_for("connected", SOON);
    bob.say(&serde_json::json!({ "command": "hangup" }));
    let alice = alice.finish(SOON).expect_code(0);
    assert_eq!(alice.report().end_reason(), "hung-up-by-peer");
}
