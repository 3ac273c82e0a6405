//! The whole state x event table as one snapshot: every place, every event, what follows.

use std::fmt::Write as _;

use super::*;
use crate::call::EndReason;

#[test]
fn every_event_in_every_state() {
    let mut table = String::new();
    for (title, machine) in places() {
        writeln!(table, "{title}\n  [{}]", place(machine.state())).unwrap();
        for (label, event) in events() {
            let mut machine = machine.clone();
            let before = machine.state().clone();
            let effects = machine.handle(secs(1), event);
            let after = machine.state();
            let arrow = if before == *after { String::new() } else { format!(" -> {}", place(after)) };
            writeln!(table, "  {label:<28}{}{arrow}", brief(&effects)).unwrap();
        }
        table.push('\n');
    }
    insta::assert_snapshot!(table);
}

fn places() -> Vec<(&'static str, Machine)> {
    let with = |mut machine: Machine, events: Vec<Event>| {
        drive(&mut machine, events);
        machine
    };
    let call = OURS;
    let accepted = || Event::Accepted { call };
    let down = || Event::SignalingDown;
    vec![
        ("nothing yet", alice()),
        ("dialing bob", dialing()),
        ("dialing bob, it rings there", with(dialing(), vec![Event::Ringing { call }])),
        ("dialing bob, his own call to us lost", with(dialing(), vec![incoming(HIGHER, "bob")])),
        ("dialing bob without signaling", with(alice(), vec![down(), dial(OURS, "bob")])),
        ("bob calls", ringing()),
        ("bob calls, accepted without signaling", with(ringing(), vec![down(), Event::Accept])),
        ("connecting to bob whom we called", with(dialing(), vec![accepted()])),
        ("connecting to bob who called", with(ringing(), vec![Event::Accept])),
        ("in a call with bob whom we called", calling_connected()),
        ("in a call with bob who called", called_connected()),
        ("in a call, path lost (offerer)", with(calling_connected(), vec![Event::LinkDown { call }])),
        ("in a call, path lost (answerer)", with(called_connected(), vec![Event::LinkDown { call }])),
        (
            "in a call, path and signaling lost",
            with(calling_connected(), vec![down(), Event::LinkDown { call }]),
        ),
        ("cancelled by us", with(dialing(), vec![Event::HangUp])),
        ("cancelled by bob", with(ringing(), vec![Event::Ended { call, reason: EndReason::Cancelled }])),
        ("hung up by us", with(called_connected(), vec![Event::HangUp])),
    ]
}

fn events() -> Vec<(&'static str, Event)> {
    let call = OURS;
    let ended = |reason| Event::Ended { call, reason };
    vec![
        ("dial carol (new id)", dial(id(9), "carol")),
        ("dial bob (new id)", dial(id(9), "bob")),
        ("dial oneself (new id)", dial(id(9), "alice")),
        ("dial bob (this id)", dial(OURS, "bob")),
        ("accept", Event::Accept),
        ("decline", Event::Decline { busy: false }),
        ("hang up", Event::HangUp),
        ("incoming, this id, bob", incoming(OURS, "bob")),
        ("incoming, lower id, bob", incoming(LOWER, "bob")),
        ("incoming, higher id, bob", incoming(HIGHER, "bob")),
        ("incoming, lower id, carol", incoming(LOWER, "carol")),
        ("incoming, lower id, oneself", incoming(LOWER, "alice")),
        ("ringing", Event::Ringing { call }),
        ("accepted", Event::Accepted { call }),
        ("accepted, another call", Event::Accepted { call: id(9) }),
        ("accepted, higher id", Event::Accepted { call: HIGHER }),
        ("ended hung-up", ended(EndReason::HungUp)),
        ("ended cancelled", ended(EndReason::Cancelled)),
        ("ended declined", ended(EndReason::Declined)),
        ("ended busy", ended(EndReason::Busy)),
        ("ended answered-elsewhere", ended(EndReason::AnsweredElsewhere)),
        ("ended signaling-lost", ended(EndReason::SignalingLost)),
        ("ended cancelled, higher id", Event::Ended { call: HIGHER, reason: EndReason::Cancelled }),
        ("peer signaling down", Event::PeerSignaling { call, up: false }),
        ("peer signaling up", Event::PeerSignaling { call, up: true }),
        ("signaling down", Event::SignalingDown),
        ("signaling up", Event::SignalingUp),
        ("connected", Event::Connected { call }),
        ("link down", Event::LinkDown { call }),
        ("link up", Event::LinkUp { call }),
        ("path changed", Event::PathChanged { call }),
        ("link failed", Event::LinkFailed { call }),
        ("goodbye", Event::Goodbye { call }),
        ("goodbye, another call", Event::Goodbye { call: id(9) }),
        ("identity refused", Event::IdentityRefused { call }),
        ("media failed", Event::MediaFailed { call }),
        ("tick", Event::Tick),
    ]
}
