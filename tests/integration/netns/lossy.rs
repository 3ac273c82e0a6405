//! A call over a link that loses packets at random, both ways.

use std::time::Duration;

use crate::harness::network::Network;
use crate::harness::report::Report;
use crate::harness::{Server, bob, call_bob};

/// Both sides' reports of a call of 20 s at `loss` per cent each way.
fn call_at(loss: &str) -> [Report; 2] {
    let network = Network::up(&["alice=none", "bob=none"]);
    // Beside the caller: signing in is TCP, which may take longer to begin over such a link than anybody waits.
    let server = Server::start_in(network.home("alice"), "10.1.0.2:0");
    let (bob_home, home) = (network.home("bob"), network.home("alice"));
    let mut bob = bob(&server, &bob_home, "accept");
    network.natlab(&["loss", "alice", loss]);
    let alice =
        call_bob(&server, &home, &["--duration", "20s"]).finish(Duration::from_secs(60)).expect_code(0);
    [alice.report(), bob.wait_for_report()]
}

/// Packets that did not come when they should have.
fn missed(lost: Option<u64>, recovered: Option<u64>) -> u64 {
    lost.expect("packets came") + recovered.expect("packets came")
}

#[test]
fn five_per_cent_leave_no_frozen_second_and_hardly_any_concealment() {
    for report in call_at("5") {
        let (video, audio) = (&report.receive.video, &report.receive.audio);
        assert!(missed(video.packets_lost, video.packets_recovered) > 0, "the loss was real: {report:#?}");
        assert!(video.longest_freeze_ms.is_some_and(|longest| longest < 1_000.0), "{report:#?}");
        assert!(video.fps.is_some_and(|fps| fps >= 20.0), "{report:#?}");
        assert!(audio.concealed_pct.is_some_and(|share| share < 2.0), "{report:#?}");
        assert!(audio.packets_recovered > Some(0), "FEC gave some back: {report:#?}");
    }
}

#[test]
fn twenty_per_cent_leave_the_call_alive_and_told_of() {
    for report in call_at("20") {
        let (video, audio) = (&report.receive.video, &report.receive.audio);
        assert_eq!(report.result.name, "ok");
        assert!(missed(video.packets_lost, video.packets_recovered) > 50, "{report:#?}");
        assert!(missed(audio.packets_lost, audio.packets_recovered) > 50, "{report:#?}");
        assert!(video.frames_shown > 100, "{report:#?}");
        assert!(audio.concealed_pct.is_some_and(|share| share < 20.0), "{report:#?}");
    }
}
