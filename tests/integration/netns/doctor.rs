//! What the doctor says of networks that are in the way.

use std::time::Duration;

use serde_json::Value;

use super::reach::network_with;
use crate::doctor::{check, diagnosis, outcome_of};
use crate::harness::network::SERVER;

/// The diagnosis of alice's machine behind a router of this type, with this blocked at it.
fn behind(router: &str, block: &str, code: i32) -> Value {
    let turn = [format!("turn:{SERVER}:3478"), format!("turn:{SERVER}:3478?transport=tcp")];
    let turn: Vec<&str> = turn.iter().map(String::as_str).collect();
    let (network, server) = network_with(&[&format!("alice={router}")], &turn);
    network.natlab(&["block", "alice", block]);
    let home = network.home("alice");
    let args = ["doctor", "--server", server.url(), "--name", "alice", "--json"];
    let outcome = home.start(&args).finish(Duration::from_secs(40)).expect_code(code);
    assert!(outcome.took < Duration::from_secs(30), "{outcome}");
    diagnosis(&outcome)
}

#[test]
fn a_symmetric_nat_is_named_and_its_relay_carries_a_call() {
    let found = behind("sym", "off", 0);
    let mapping = check(&found, "nat-mapping");
    assert_eq!(mapping["outcome"], "warn", "{found:#}");
    assert!(mapping["figure"].as_str().unwrap().contains("symmetric"), "{found:#}");
    for name in ["stun-v4", "turn-udp", "turn-tcp", "path-all", "path-relay", "throughput"] {
        assert_eq!(outcome_of(&found, name), "pass", "{name}: {found:#}");
    }
    assert_eq!(outcome_of(&found, "stun-v6"), "skip", "no IPv6 is not a failure: {found:#}");
}

#[test]
fn blocked_udp_is_a_finding_and_the_relay_over_tcp_is_the_way() {
    let found = behind("port", "udp", 0);
    for (name, outcome) in [
        ("stun-v4", "warn"),
        ("turn-udp", "warn"),
        ("turn-tcp", "pass"),
        ("path-relay", "pass"),
        ("throughput", "pass"),
        ("nat-mapping", "inconclusive"),
        ("nat-filtering", "inconclusive"),
    ] {
        assert_eq!(outcome_of(&found, name), outcome, "{name}: {found:#}");
    }
    assert!(check(&found, "stun-v4")["hint"].as_str().unwrap().contains("relay"), "{found:#}");
}
