//! Tests of call control: no clock, no task, no socket.

mod crossings;
mod fake_wire;
mod link_loss;
mod properties;
mod signaling_loss;
mod small_parts;
mod table;

use std::fmt::Write as _;
use std::time::Duration;

use super::{CallId, Effect, Event, Link, LinkNotice, Machine, Notice, State, Timing};

/// The call that a test is about.
const OURS: CallId = id(5);
/// A call that wins glare against `OURS`.
const LOWER: CallId = id(3);
/// A call that loses glare against `OURS`.
const HIGHER: CallId = id(7);

const fn id(n: u8) -> CallId {
    CallId::from_bytes([n; 16])
}

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

const fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn alice() -> Machine {
    Machine::new(Timing::default(), "alice".to_owned())
}

fn dial(call: CallId, to: &str) -> Event {
    let to = to.to_owned();
    Event::Dial { call, to }
}

fn incoming(call: CallId, from: &str) -> Event {
    let from = from.to_owned();
    Event::Incoming { call, from }
}

/// Applies events one after the other at time zero.
fn drive(machine: &mut Machine, events: impl IntoIterator<Item = Event>) {
    for event in events {
        machine.handle(Duration::ZERO, event);
    }
}

fn dialing() -> Machine {
    let mut machine = alice();
    drive(&mut machine, [dial(OURS, "bob")]);
    machine
}

fn ringing() -> Machine {
    let mut machine = alice();
    drive(&mut machine, [incoming(OURS, "bob")]);
    machine
}

fn calling_connected() -> Machine {
    let mut machine = dialing();
    drive(&mut machine, [Event::Accepted { call: OURS }, Event::Connected { call: OURS }]);
    machine
}

fn called_connected() -> Machine {
    let mut machine = ringing();
    drive(&mut machine, [Event::Accept, Event::Connected { call: OURS }]);
    machine
}

/// One line for a list of effects, short enough to compare by eye.
fn brief(effects: &[Effect]) -> String {
    let mut line = String::new();
    for effect in effects {
        if !line.is_empty() {
            line.push_str(", ");
        }
        match effect {
            Effect::SendInvite { call, to } => write!(line, "send invite {} to {to}", short(*call)),
            Effect::SendRinging { call } => write!(line, "send ringing {}", short(*call)),
            Effect::SendAccept { call } => write!(line, "send accept {}", short(*call)),
            Effect::SendDecline { call, busy } => {
                write!(line, "send decline {}{}", short(*call), if *busy { " (busy)" } else { "" })
            }
            Effect::SendCancel { call } => write!(line, "send cancel {}", short(*call)),
            Effect::SendHangup { call, reason } => {
                write!(line, "send hangup {} ({reason})", short(*call))
            }
            Effect::SendRejoin { call, with } => {
                write!(line, "send rejoin {} with {with}", short(*call))
            }
            Effect::PreparePeer { call, role } => {
                write!(line, "prepare peer {} ({role:?})", short(*call))
            }
            Effect::Negotiate { call, role } => {
                write!(line, "negotiate {} ({role:?})", short(*call))
            }
            Effect::RepeatDescription { call } => {
                write!(line, "repeat description {}", short(*call))
            }
            Effect::StartMedia { call } => write!(line, "start media {}", short(*call)),
            Effect::RestartIce { call } => write!(line, "restart ice {}", short(*call)),
            Effect::ClosePeer { call, goodbye } => {
                write!(line, "close peer {}{}", short(*call), if *goodbye { " (goodbye)" } else { "" })
            }
            Effect::Notify { call, notice } => {
                write!(line, "notify {}: {}", short(*call), say(notice))
            }
            Effect::Ignored { .. } => write!(line, "ignored"),
        }
        .unwrap();
    }
    if line.is_empty() { "nothing".to_owned() } else { line }
}

fn say(notice: &Notice) -> String {
    match notice {
        Notice::Calling { to } => format!("calling {to}"),
        Notice::Ringing => "ringing".to_owned(),
        Notice::Incoming { from } => format!("incoming from {from}"),
        Notice::Accepted => "accepted".to_owned(),
        Notice::Merged { into } => format!("merged into {}", short(*into)),
        Notice::Connected => "connected".to_owned(),
        Notice::Link(LinkNotice::Up) => "link up".to_owned(),
        Notice::Link(LinkNotice::Recovering) => "link recovering".to_owned(),
        Notice::Missed { from } => format!("missed {from}"),
        Notice::Ended { reason } => format!("ended, {reason}"),
    }
}

fn place(state: &State) -> String {
    let mut text = state.name().to_owned();
    let call = match state {
        State::Ended { call, .. } => Some(*call),
        _ => state.live(),
    };
    if let Some(call) = call {
        write!(text, " {}", short(call)).unwrap();
    }
    match state {
        State::Dialing { ringing, rival, .. } => {
            text.push_str(if *ringing { ", ringing there" } else { "" });
            if let Some(rival) = rival {
                write!(text, ", rival {}", short(rival.call)).unwrap();
            }
        }
        State::Ringing { consent, .. } => text.push_str(if *consent { ", consent" } else { "" }),
        State::Connecting { role, peer_lost, .. } => {
            write!(text, ", {role:?}").unwrap();
            text.push_str(if peer_lost.is_some() { ", peer's signaling down" } else { "" });
        }
        State::Active { role, link, peer_lost, .. } => {
            write!(text, ", {role:?}, ").unwrap();
            text.push_str(if *link == Link::Up { "up" } else { "recovering" });
            text.push_str(if peer_lost.is_some() { ", peer's signaling down" } else { "" });
        }
        State::Ended { reason, .. } => write!(text, ", {reason}").unwrap(),
        State::Idle => {}
    }
    text
}

fn short(call: CallId) -> String {
    format!("#{}", call.as_bytes()[0])
}
