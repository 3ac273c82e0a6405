//! A path that is cut, and ends that change their networks: the call goes on by itself.

use std::time::Duration;

use super::reach::network_with_turn;
use crate::harness::network::Network;
use crate::harness::process::Event;
use crate::harness::{Home, Process, Server, Signal, bob, call_bob};

/// Longer than any of it takes.
const LONG: Duration = Duration::from_secs(30);

/// Alice and bob in a call that has shown pictures, each behind a router of this type.
struct Call {
    network: Network,
    _server: Server,
    _homes: [Home; 2],
    alice: Process,
    bob: Process,
}

impl Call {
    fn between(kind: &str) -> Self {
        let (network, server) = network_with_turn(&[&format!("alice={kind}"), &format!("bob={kind}")]);
        let homes = [network.home("alice"), network.home("bob")];
        let bob = bob(&server, &homes[1], "accept");
        let alice = call_bob(&server, &homes[0], &[]);
        let mut call = Self { network, _server: server, _homes: homes, alice, bob };
        call.shows();
        call
    }

    /// Both see pictures that they had not seen before.
    fn shows(&mut self) {
        for end in [&mut self.alice, &mut self.bob] {
            let shown = |event: &Event| event.number("receive.video.frames_shown").unwrap_or(0.0);
            let before = shown(&end.wait_for("stats", LONG));
            end.wait_where("stats", LONG, |event| shown(event) > before + 5.0);
        }
    }

    /// The network changes like this at one end and then at the other; each time the call recovers.
    fn changes(&mut self, how: &str) {
        for host in ["alice", "bob"] {
            self.network.natlab(&[how, host]);
            self.alice.wait_where("link", LONG, |event| event.text("state") == "recovering");
            self.alice.wait_where("link", LONG, |event| event.text("state") == "up");
            self.shows();
        }
    }

    fn hang_up(mut self) -> u64 {
        self.alice.say(&serde_json::json!({"command": "hangup"}));
        let report = self.alice.wait_for_report();
        assert_eq!(report.end_reason(), "hung-up", "{report:#?}");
        assert_eq!(self.bob.wait_for_report().end_reason(), "hung-up-by-peer");
        self.bob.signal(Signal::Terminate);
        for end in [self.alice, self.bob] {
            // An offer before the last one was answered would be refused, and the path replaced seconds later.
            let told = end.finish(LONG).events();
            assert!(told.iter().all(|event| event.name != "notice"), "{told:#?}");
        }
        report.path.restarts
    }
}

#[test]
fn a_blackout_of_ten_seconds_heals_on_the_same_path() {
    let mut call = Call::between("none");
    call.network.natlab(&["cut", "alice", "10", "silent"]);
    for end in [&mut call.alice, &mut call.bob] {
        end.wait_where("link", LONG, |event| event.text("state") == "recovering");
        end.wait_where("link", LONG, |event| event.text("state") == "up");
    }
    call.shows();
    assert_eq!(call.hang_up(), 0, "the path came back and was not replaced");
}

#[test]
fn either_side_may_change_its_address() {
    let mut call = Call::between("port");
    call.changes("readdr");
    assert!(call.hang_up() >= 2);
}

#[test]
fn either_router_may_forget_and_get_another_public_address() {
    let mut call = Call::between("port");
    call.changes("rewan");
    assert!(call.hang_up() >= 2);
}
