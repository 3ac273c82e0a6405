//! Calls through NATs, with the STUN and TURN servers that the signaling server hands out.

use std::fs;
use std::time::Duration;

use crate::harness::network::{Network, SERVER};
use crate::harness::report::Report;
use crate::harness::{Server, bob, call_bob};

/// What the TURN server and the signaling server have in common.
const SECRET: &str = "a secret of the laboratory";

/// A network with coturn beside the signaling server, which names these TURN servers to its clients with passwords of their own.
pub(crate) fn network_with(hosts: &[&str], turn: &[&str]) -> (Network, Server) {
    let network = Network::up(hosts);
    network.natlab(&["turn", "start", SECRET]);
    let home = network.home("srv");
    let folder = home.path().join("config").join("letsmeet");
    fs::create_dir_all(&folder).unwrap();
    let secret = folder.join("turn-secret");
    fs::write(&secret, format!("{SECRET}\n")).unwrap();
    let settings =
        format!("[ice]\nstun = [\"stun:{SERVER}:3478\"]\nturn = {turn:?}\nturn_secret_file = {secret:?}\n");
    fs::write(folder.join("config.toml"), settings).unwrap();
    let server = Server::start_in(home, &format!("{SERVER}:0"));
    (network, server)
}

/// The same with one TURN server over UDP.
pub(super) fn network_with_turn(hosts: &[&str]) -> (Network, Server) {
    network_with(hosts, &[&format!("turn:{SERVER}:3478")])
}

/// Both sides' reports of a call of 3 s between two hosts behind NATs of these types.
fn call_behind(alice: &str, bob_type: &str, more: &[&str]) -> [Report; 2] {
    let (network, server) = network_with_turn(&[&format!("alice={alice}"), &format!("bob={bob_type}")]);
    let (bob_home, home) = (network.home("bob"), network.home("alice"));
    let mut bob = bob(&server, &bob_home, "accept");
    let mut args = vec!["--duration", "3s"];
    args.extend(more);
    let alice = call_bob(&server, &home, &args).finish(Duration::from_secs(45)).expect_code(0);
    [alice.report(), bob.wait_for_report()]
}

fn types(report: &Report) -> (&str, &str) {
    let side = |end: &Option<crate::harness::report::Candidate>| end.as_ref().map(|end| end.kind.clone());
    let (local, remote) = (side(&report.path.local), side(&report.path.remote));
    let known = |kind: Option<String>| match kind.as_deref() {
        Some("host") => "host",
        Some("srflx") => "srflx",
        Some("prflx") => "prflx",
        Some("relay") => "relay",
        _ => "none",
    };
    (known(local), known(remote))
}

#[test]
fn two_routers_that_keep_their_ports_are_crossed_without_a_relay() {
    for report in call_behind("port", "port", &[]) {
        let (local, remote) = types(&report);
        assert!(local != "relay" && remote != "relay" && remote != "host", "{report:#?}");
        assert!(report.receive.video.frames_shown > 25, "{report:#?}");
    }
}

#[test]
fn two_symmetric_routers_meet_at_the_relay() {
    let reports = call_behind("sym", "sym", &[]);
    assert!(reports.iter().any(|report| types(report).0 == "relay"), "{reports:#?}");
    for report in &reports {
        assert!(report.receive.video.frames_shown > 25, "{report:#?}");
    }
}

#[test]
fn a_side_that_allows_only_relays_uses_one() {
    let [alice, bob] = call_behind("none", "none", &["--ice", "relay"]);
    assert_eq!(types(&alice).0, "relay", "{alice:#?}");
    assert_eq!(alice.path.relay_protocol.as_deref(), Some("udp"));
    assert!(bob.receive.video.frames_shown > 25, "{bob:#?}");
}

/// A call of 3 s from a host whose router lets nothing but this through; alice's report.
fn call_through(block: &str, turn: &[&str]) -> Report {
    // The signaling server stands where the router lets it be reached.
    let (network, server) = network_with(&["alice=port", "bob=port"], turn);
    let (bob_home, home) = (network.home("bob"), network.home("alice"));
    let mut bob = bob(&server, &bob_home, "accept");
    network.natlab(&["block", "alice", block]);
    let authorities = network.certificate();
    let args = ["--duration", "3s", "--ca-file", authorities.to_str().unwrap()];
    let alice = call_bob(&server, &home, &args).finish(Duration::from_secs(45)).expect_code(0);
    assert!(bob.wait_for_report().receive.video.frames_shown > 25, "{alice}");
    let report = alice.report();
    assert_eq!(types(&report).0, "relay", "{report:#?}");
    report
}

#[test]
fn where_udp_is_blocked_a_relay_is_reached_over_tcp() {
    let report = call_through("udp", &[&format!("turn:{SERVER}:3478?transport=tcp")]);
    assert_eq!(report.path.relay_protocol.as_deref(), Some("tcp"), "{report:#?}");
}

#[test]
fn where_udp_is_blocked_a_relay_is_reached_over_tls() {
    let report = call_through("udp", &[&format!("turns:{SERVER}:443?transport=tcp")]);
    assert_eq!(report.path.relay_protocol.as_deref(), Some("tls"), "{report:#?}");
}
