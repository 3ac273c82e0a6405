//! Calls over real sockets and real clients.

use serde_json::json;

use super::super::{Config, Rate};
use super::harness::{SDP, Server, call, description, event, event_where};
use crate::signaling::client::Event;
use crate::signaling::protocol::{
    Availability, CallId, DescriptionKind, EndReason, ErrorCode, PresenceState, Signature,
};

fn id(byte: u8) -> CallId {
    CallId::from_bytes([byte; 16])
}

#[tokio::test]
async fn a_call_from_invite_to_hangup_by_two_clients() {
    let server = Server::start(Config::default()).await;
    let (alice, mut from_alice) = server.client("Alice").await;
    let (bob, mut from_bob) = server.client("bob").await;
    let call = id(7);

    alice.invite(call, "BOB", false).unwrap();
    let Event::Incoming { call: rung, from, from_session, .. } = event(&mut from_bob).await else {
        panic!("no incoming");
    };
    assert_eq!((rung, from.as_str()), (call, "Alice"));
    bob.ringing(call).unwrap();
    assert_eq!(event(&mut from_alice).await, Event::Ringing { call });
    bob.accept(call).unwrap();
    let Event::Accepted { by, session, .. } = event(&mut from_alice).await else {
        panic!("no accepted");
    };
    assert_eq!(by.as_str(), "bob");

    let signature = Signature::from_bytes([1; 64]);
    alice.description(call, DescriptionKind::Offer, SDP.to_owned(), signature).unwrap();
    let offer = event(&mut from_bob).await;
    let expected = Event::Description {
        call,
        from: from_session,
        kind: DescriptionKind::Offer,
        sdp: SDP.to_owned(),
        signature,
    };
    assert_eq!(offer, expected);
    let line = "candidate:1 1 udp 2122260223 192.0.2.1 50000 typ host";
    bob.candidate(call, line.to_owned(), "0".to_owned(), 0).unwrap();
    let Event::Candidate { from, candidate, .. } = event(&mut from_alice).await else {
        panic!("no candidate");
    };
    assert_eq!((from, candidate.as_str()), (session, line));

    let page = alice.list(None, None, None).await.unwrap();
    let users: Vec<_> = page.users.iter().map(|u| (u.name.as_str(), u.state)).collect();
    assert_eq!(users, [("bob", PresenceState::InCall)]);

    bob.hangup(call, EndReason::HungUp).unwrap();
    let ended = event(&mut from_alice).await;
    assert!(matches!(ended, Event::Ended { reason: EndReason::HungUpByPeer, .. }), "{ended:?}");
    alice.hangup(call, EndReason::HungUp).unwrap();
    let refused = event(&mut from_alice).await;
    assert!(matches!(refused, Event::CallRefused { code: ErrorCode::UnknownCall, .. }), "{refused:?}");
    alice.close().await;
    bob.close().await;
    server.stop().await;
}

#[tokio::test]
async fn an_offer_before_the_answer_does_not_reach_the_callee() {
    let server = Server::start(Config::default()).await;
    let (mut alice, mut bob, mut eve) =
        (server.raw("alice").await, server.raw("bob").await, server.raw("eve").await);
    let call = call(1);
    alice.send(json!({ "type": "invite", "call": call, "to": "bob" })).await;
    assert_eq!(bob.next().await["type"], "incoming");
    assert_eq!(alice.refused(description(&call, SDP)).await, "wrong-state");
    assert_eq!(bob.refused(description(&call, SDP)).await, "wrong-state");
    assert_eq!(eve.refused(description(&call, SDP)).await, "unknown-call");
    assert_eq!(eve.refused(json!({ "type": "accept", "call": call })).await, "unknown-call");
    assert_eq!(eve.refused(json!({ "type": "cancel", "call": call })).await, "unknown-call");
    bob.send(json!({ "type": "accept", "call": call })).await;
    assert_eq!(alice.next().await["type"], "accepted");
    assert_eq!(eve.refused(description(&call, SDP)).await, "unknown-call");
    assert_eq!(eve.refused(json!({ "type": "hangup", "call": call })).await, "unknown-call");
    assert_eq!(eve.refused(json!({ "type": "rejoin", "call": call, "with": "bob" })).await, "unknown-call");
    alice.send(description(&call, SDP)).await;
    assert_eq!(bob.next().await["sdp"], SDP);
    server.stop().await;
}

#[tokio::test]
async fn every_session_of_a_name_rings_and_the_first_to_accept_takes_the_call() {
    let server = Server::start(Config::default()).await;
    let mut alice = server.raw("alice").await;
    let (mut phone, mut laptop) = (server.raw("bob").await, server.raw("bob").await);
    let (first, second) = (call(1), call(2));
    alice.send(json!({ "type": "invite", "call": first, "to": "bob" })).await;
    assert_eq!(phone.next().await["type"], "incoming");
    assert_eq!(laptop.next().await["type"], "incoming");
    laptop.send(json!({ "type": "accept", "call": first })).await;
    assert_eq!(alice.next().await["type"], "accepted");
    assert_eq!(phone.next().await["reason"], "answered-elsewhere");
    assert_eq!(phone.refused(json!({ "type": "accept", "call": first })).await, "unknown-call");

    let mut carol = server.raw("carol").await;
    carol.send(json!({ "type": "invite", "call": second, "to": "bob" })).await;
    assert_eq!(phone.next().await["type"], "incoming");
    assert_eq!(laptop.next().await["type"], "incoming");
    laptop.send(json!({ "type": "decline", "call": second, "busy": true })).await;
    phone.send(json!({ "type": "decline", "call": second, "busy": true })).await;
    assert_eq!(carol.next().await["reason"], "busy");
    server.stop().await;
}

#[tokio::test]
async fn a_name_that_is_gone_and_a_name_that_never_was_are_answered_alike() {
    let messages = Rate { per_second: 1e6, burst: 1e6 };
    let server = Server::start(Config { messages, ..Config::default() }).await;
    let mut alice = server.raw("alice").await;
    let (bob, mut from_bob) = server.client("bob").await;
    bob.close().await;
    assert_eq!(from_bob.recv().await, None);
    // The logout was sent; the server has carried it out once bob is off the list.
    loop {
        alice.send(json!({ "type": "list" })).await;
        if alice.next().await["users"] == json!([]) {
            break;
        }
    }
    for (byte, name) in [(1, "bob"), (2, "nobody")] {
        alice.send(json!({ "type": "invite", "call": call(byte), "to": name })).await;
        let ended = alice.next().await;
        assert_eq!((&ended["type"], &ended["reason"]), (&json!("ended"), &json!("unknown-name")));
    }
    server.stop().await;
}

#[tokio::test]
async fn a_call_survives_a_restart_of_the_server_by_rejoin() {
    let directory = tempfile::tempdir().unwrap();
    let config = Config { data: Some(directory.path().to_owned()), ..Config::default() };
    let server = Server::start(config.clone()).await;
    let port = server.port;
    let (alice, mut from_alice) = server.client("alice").await;
    let (bob, mut from_bob) = server.client("bob").await;
    let call = id(3);
    alice.invite(call, "bob", false).unwrap();
    event_where(&mut from_bob, |e| matches!(e, Event::Incoming { .. })).await;
    bob.accept(call).unwrap();
    event_where(&mut from_alice, |e| matches!(e, Event::Accepted { .. })).await;
    server.stop().await;

    let server = Server::start_on(port, config).await;
    for (client, events, with) in [(&alice, &mut from_alice, "bob"), (&bob, &mut from_bob, "alice")] {
        event_where(events, |e| matches!(e, Event::Down { .. })).await;
        event_where(events, |e| matches!(e, Event::Up { resumed: false, .. })).await;
        client.rejoin(call, with).unwrap();
    }
    let up = |e: &Event| matches!(e, Event::PeerSignaling { up: true, .. });
    event_where(&mut from_alice, up).await;
    event_where(&mut from_bob, up).await;
    let signature = Signature::from_bytes([1; 64]);
    bob.description(call, DescriptionKind::Offer, SDP.to_owned(), signature).unwrap();
    event_where(&mut from_alice, |e| matches!(e, Event::Description { .. })).await;
    alice.hangup(call, EndReason::HungUp).unwrap();
    event_where(&mut from_bob, |e| matches!(e, Event::Ended { reason: EndReason::HungUpByPeer, .. })).await;
    server.stop().await;
}

#[tokio::test]
async fn a_session_is_resumed_and_gets_what_waited_for_it() {
    let server = Server::start(Config::default()).await;
    let (mut alice, mut bob) = (server.raw("alice").await, server.connect().await);
    let login = bob.login("bob", &super::harness::key("bob")).await;
    bob.send(login).await;
    let registered = bob.next().await;
    let call = call(1);
    alice.send(json!({ "type": "invite", "call": call, "to": "bob" })).await;
    assert_eq!(bob.next().await["type"], "incoming");
    bob.send(json!({ "type": "accept", "call": call })).await;
    assert_eq!(alice.next().await["type"], "accepted");
    drop(bob);
    let lost = alice.next().await;
    assert_eq!((&lost["type"], &lost["up"]), (&json!("peer-signaling"), &json!(false)));
    alice.send(description(&call, SDP)).await;
    alice.is_fine().await;

    let mut bob = server.connect().await;
    let mut login = bob.login("bob", &super::harness::key("bob")).await;
    login["resume"] = registered["resume"].clone();
    bob.send(login).await;
    let again = bob.next().await;
    assert_eq!(again["resumed"], true);
    assert_eq!(again["session"], registered["session"]);
    assert_ne!(again["resume"], registered["resume"]);
    assert_eq!(again["calls"], json!([call]));
    assert_eq!(bob.next().await["sdp"], SDP);
    assert_eq!(alice.next().await["up"], true);
    server.stop().await;
}

#[tokio::test]
async fn watchers_hear_of_changes_and_nobody_else_does() {
    let server = Server::start(Config::default()).await;
    let (alice, mut from_alice) = server.client("alice").await;
    let mut carol = server.raw("carol").await;
    alice.watch(vec!["Bob".to_owned()]).await.unwrap();
    let state = |event: Event| match event {
        Event::Presence(changes) => changes.into_iter().map(|c| (c.name.to_string(), c.state)).collect(),
        _ => Vec::new(),
    };
    assert_eq!(state(event(&mut from_alice).await), [("Bob".to_owned(), PresenceState::Offline)]);
    let (bob, _from_bob) = server.client("bob").await;
    assert_eq!(state(event(&mut from_alice).await), [("bob".to_owned(), PresenceState::Available)]);
    bob.set_state(Availability::Away).await.unwrap();
    assert_eq!(state(event(&mut from_alice).await), [("bob".to_owned(), PresenceState::Away)]);
    bob.close().await;
    assert_eq!(state(event(&mut from_alice).await), [("Bob".to_owned(), PresenceState::Offline)]);
    carol.is_fine().await;
    server.stop().await;
}
