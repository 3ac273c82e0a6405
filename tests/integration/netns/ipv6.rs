//! Calls where there is IPv6 alone, and between a host that has nothing else and one that has never heard of it.

use std::fs;
use std::time::Duration;

use crate::harness::network::{Network, SERVER};
use crate::harness::report::Report;
use crate::harness::{MEASURED, SOON, Server};

/// The server's other address.
const SERVER6: &str = "2001:db8:ff::2";

/// A network with IPv6 as well, a signaling server that listens to both, and its port.
fn network(turn: &[String]) -> (Network, Server, String) {
    let network = Network::up(&["alice=none", "bob=none"]);
    network.natlab(&["v6"]);
    network.natlab(&["turn", "start"]);
    let home = network.home("srv");
    let folder = home.path().join("config").join("letsmeet");
    fs::create_dir_all(&folder).unwrap();
    let password = folder.join("turn-password");
    fs::write(&password, "lab\n").unwrap();
    let settings =
        format!("[ice]\nturn = {turn:?}\nturn_user = \"lab\"\nturn_password_file = {password:?}\n");
    fs::write(folder.join("config.toml"), settings).unwrap();
    let server = Server::start_in(home, "[::]:0");
    let port = server.url().rsplit(':').next().unwrap().to_owned();
    (network, server, port)
}

/// Takes IPv4 away from a host.
fn without_ipv4(network: &Network, host: &str) {
    network.natlab(&["exec", host, "ip", "-4", "address", "flush", "dev", "eth0"]);
}

/// Alice's and bob's reports of a call of 3 s; each signs in at an address of its own.
fn call(network: &Network, [alice, bob]: [&str; 2], port: &str) -> [Report; 2] {
    let (home, bob_home) = (network.home("alice"), network.home("bob"));
    let [url, bob_url] = [alice, bob].map(|host| format!("ws://{host}:{port}"));
    let mut args = vec!["login", "--name", "bob", "--server", &bob_url, "--headless", "--answer", "accept"];
    args.extend(MEASURED);
    let mut bob = bob_home.start(&args);
    bob.wait_for("registered", SOON);
    let mut args = vec!["call", "bob", "--name", "alice", "--server", &url, "--headless", "--duration", "3s"];
    args.extend(MEASURED);
    let alice = home.start(&args).finish(Duration::from_secs(45)).expect_code(0);
    let reports = [alice.report(), bob.wait_for_report()];
    for report in &reports {
        assert!(report.receive.video.frames_shown > 25, "{report:#?}");
    }
    reports
}

#[test]
fn where_there_is_no_ipv4_a_call_goes_over_ipv6() {
    let (network, _server, port) = network(&[]);
    without_ipv4(&network, "alice");
    without_ipv4(&network, "bob");
    let server = format!("[{SERVER6}]");
    for report in call(&network, [&server, &server], &port) {
        for end in [&report.path.local, &report.path.remote] {
            let end = end.as_ref().unwrap();
            assert!(end.address.contains("2001:db8:"), "{report:#?}");
            assert_ne!(end.kind, "relay", "{report:#?}");
        }
    }
}

#[test]
fn a_host_with_ipv6_alone_meets_one_with_ipv4_alone_at_the_relay() {
    let turn = [SERVER.to_owned(), format!("[{SERVER6}]")].map(|host| format!("turn:{host}:3478"));
    let (network, _server, port) = network(&turn);
    without_ipv4(&network, "alice");
    network.natlab(&["exec", "bob", "ip", "-6", "address", "flush", "dev", "eth0"]);
    let reports = call(&network, [&format!("[{SERVER6}]"), SERVER], &port);
    let relayed = |report: &Report| report.path.local.as_ref().is_some_and(|end| end.kind == "relay");
    assert!(reports.iter().any(relayed), "{reports:#?}");
}
