//! Signaling gets through and media does not: the call fails with the reason and exit status 5.

use std::time::Duration;

use crate::harness::network::{Network, SERVER};
use crate::harness::{SOON, Server, bob, call_bob};

#[test]
fn a_network_without_udp_is_no_media_path() {
    let network = Network::up(&["alice=none", "bob=none"]);
    let server = Server::start_in(network.home("srv"), &format!("{SERVER}:0"));
    let (bob_home, home) = (network.home("bob"), network.home("alice"));
    let mut bob = bob(&server, &bob_home, "accept");
    network.natlab(&["block", "alice", "udp"]);
    let alice = call_bob(&server, &home, &[]).finish(Duration::from_secs(45)).expect_code(5);
    let report = alice.report();
    assert_eq!(
        (report.result.name.as_str(), report.end_reason()),
        ("no-media-path", "connect-failed"),
        "{report:#?}"
    );
    assert_eq!(bob.wait_for("ended", SOON).text("reason"), "connect-failed");
}
