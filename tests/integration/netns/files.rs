//! A file over a path that breaks while it is under way.

use std::fs;
use std::time::Duration;

use crate::harness::network::{Network, SERVER};
use crate::harness::{Server, bob};

/// No transfer of a test takes longer.
const LONG: Duration = Duration::from_secs(60);

#[test]
fn a_transfer_goes_on_after_its_path_was_gone_and_after_it_was_replaced() {
    let network = Network::up(&["alice=none", "bob=none"]);
    let server = Server::start_in(network.home("srv"), &format!("{SERVER}:0"));
    let (bobs, alices) = (network.home("bob"), network.home("alice"));
    let mut bob = bob(&server, &bobs, "accept");
    // 24 MB at 20 Mbit/s: ten seconds, whatever the machine.
    network.natlab(&["rate", "alice", "20mbit"]);
    let wanted: Vec<u8> = (0..24_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let path = alices.path().join("film.webm");
    fs::write(&path, &wanted).unwrap();
    let mut args = vec!["send", "bob", "--name", "alice", "--headless", "--server", server.url()];
    args.push(path.to_str().unwrap());
    let mut alice = alices.start(&args);
    bob.wait_where("file", LONG, |event| event.text("state") == "offered");
    bob.say(&serde_json::json!({"command": "accept-file"}));
    alice.wait_where("file", LONG, |event| event.number("bytes") > Some(2e6));
    network.natlab(&["cut", "alice", "5", "silent"]);
    alice.wait_where("link", LONG, |event| event.text("state") == "recovering");
    alice.wait_where("link", LONG, |event| event.text("state") == "up");
    network.natlab(&["readdr", "alice"]);
    alice.wait_where("link", LONG, |event| event.text("state") == "recovering");
    alice.wait_where("link", LONG, |event| event.text("state") == "up");
    let alice = alice.finish(LONG).expect_code(0);
    assert!(alice.report().path.restarts > 0, "{alice}");
    assert!(fs::read(bobs.path().join("Downloads").join("film.webm")).unwrap() == wanted);
}
