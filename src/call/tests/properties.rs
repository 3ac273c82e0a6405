//! Random sequences of events: what must hold after each of them, whatever came before.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::call::{EndReason, JsepRole};

fn any_call() -> impl Strategy<Value = CallId> {
    (1..=6u8).prop_map(id)
}

fn any_name() -> impl Strategy<Value = String> {
    prop_oneof![6 => Just("bob"), 2 => Just("carol"), 1 => Just("alice")].prop_map(str::to_owned)
}

fn any_reason() -> impl Strategy<Value = EndReason> {
    prop::sample::select(EndReason::ALL.to_vec())
}

fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => (any_call(), any_name()).prop_map(|(call, to)| Event::Dial { call, to }),
        3 => Just(Event::Accept),
        1 => Just(Event::Decline { busy: false }),
        1 => Just(Event::HangUp),
        5 => (any_call(), any_name()).prop_map(|(call, from)| Event::Incoming { call, from }),
        2 => any_call().prop_map(|call| Event::Ringing { call }),
        5 => any_call().prop_map(|call| Event::Accepted { call }),
        2 => (any_call(), any_reason()).prop_map(|(call, reason)| Event::Ended { call, reason }),
        3 => (any_call(), any::<bool>()).prop_map(|(call, up)| Event::PeerSignaling { call, up }),
        2 => Just(Event::SignalingDown),
        2 => Just(Event::SignalingUp),
        5 => any_call().prop_map(|call| Event::Connected { call }),
        4 => any_call().prop_map(|call| Event::LinkDown { call }),
        3 => any_call().prop_map(|call| Event::LinkUp { call }),
        2 => any_call().prop_map(|call| Event::LinkFailed { call }),
        2 => any_call().prop_map(|call| Event::PathChanged { call }),
        1 => any_call().prop_map(|call| Event::Goodbye { call }),
        1 => any_call().prop_map(|call| Event::IdentityRefused { call }),
        1 => any_call().prop_map(|call| Event::MediaFailed { call }),
        2 => Just(Event::Tick),
    ]
}

/// Time steps that often hit time-outs exactly, and now and then run backwards or far ahead.
fn any_step() -> impl Strategy<Value = i64> {
    prop_oneof![8 => 0..2_000i64, 2 => Just(5_000), 1 => Just(15_000), 1 => Just(45_000), 1 => -500..0i64]
}

/// What an observer of effects remembers, to say whether the next ones are allowed.
#[derive(Default)]
struct Observer {
    signaling_down: bool,
    peers: BTreeSet<CallId>,
    prepared: BTreeSet<CallId>,
    negotiated: BTreeMap<CallId, JsepRole>,
    started: BTreeSet<CallId>,
    over: BTreeSet<CallId>,
    /// Calls that the user took, and people whom the user dialed.
    accepted_here: BTreeSet<CallId>,
    dialed: BTreeSet<String>,
}

impl Observer {
    fn before(&mut self, state: &State, event: &Event) {
        match (event, state) {
            (Event::Accept, State::Ringing { call, .. }) => drop(self.accepted_here.insert(*call)),
            (Event::Dial { to, .. }, _) => drop(self.dialed.insert(to.clone())),
            (Event::SignalingDown, _) => self.signaling_down = true,
            (Event::SignalingUp, _) => self.signaling_down = false,
            _ => {}
        }
    }

    fn after(&mut self, event: &Event, effects: &[Effect], state: &State) {
        for effect in effects {
            match effect {
                Effect::SendInvite { .. }
                | Effect::SendRinging { .. }
                | Effect::SendAccept { .. }
                | Effect::SendDecline { .. }
                | Effect::SendCancel { .. }
                | Effect::SendHangup { .. }
                | Effect::SendRejoin { .. } => assert!(!self.signaling_down, "sent into the void"),
                Effect::PreparePeer { call, .. } => {
                    assert!(self.prepared.insert(*call), "prepared twice");
                    assert!(self.peers.insert(*call));
                }
                Effect::ClosePeer { call, .. } => {
                    assert!(self.peers.remove(call), "closed what is not open");
                }
                Effect::Negotiate { call, role } => {
                    assert!(self.peers.contains(call));
                    assert!(self.negotiated.insert(*call, *role).is_none(), "negotiated twice");
                    let with = state.with().unwrap();
                    match role {
                        JsepRole::Offerer => assert_eq!(*event, Event::Accepted { call: *call }),
                        JsepRole::Answerer => assert!(
                            self.accepted_here.contains(call) || self.dialed.contains(with),
                            "no consent"
                        ),
                    }
                }
                Effect::StartMedia { call } => {
                    assert!(self.negotiated.contains_key(call), "media before consent");
                    assert_eq!(*event, Event::Connected { call: *call });
                    assert!(self.started.insert(*call), "started twice");
                }
                Effect::RestartIce { call } => {
                    assert_eq!(self.negotiated[call], JsepRole::Offerer);
                    assert!(self.started.contains(call) && self.peers.contains(call));
                }
                Effect::RepeatDescription { call } => {
                    // Until the path is up; after that only an offer for a new one.
                    assert!(self.negotiated.contains_key(call) && !self.over.contains(call));
                    assert!(!self.started.contains(call) || self.negotiated[call] == JsepRole::Offerer);
                }
                Effect::Notify { call, notice } => {
                    assert!(!self.over.contains(call), "{notice:?} after the end");
                    if matches!(notice, Notice::Ended { .. } | Notice::Merged { .. }) {
                        self.over.insert(*call);
                    }
                }
                Effect::Ignored { .. } => {}
            }
        }
        assert_eq!(self.peers, state.live().into_iter().collect(), "exactly the live call has a peer");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn the_invariants_hold_after_every_event(
        steps in prop::collection::vec((any_step(), any_event()), 0..60)
    ) {
        let mut machine = alice();
        let mut observer = Observer::default();
        let mut clock = 0i64;
        for (step, event) in steps {
            clock = (clock + step).max(0);
            let now = millis(clock.unsigned_abs());
            observer.before(machine.state(), &event);
            let over = event.call().is_some_and(|call| observer.over.contains(&call));
            let effects = machine.handle(now, event.clone());
            observer.after(&event, &effects, machine.state());
            prop_assert!(machine.deadline().is_none_or(|at| at >= now), "a deadline in the past");
            if over && !effects.is_empty() {
                // A finished call is only ever answered with the farewell it had.
                let quiet = |effect: &Effect| matches!(
                    effect,
                    Effect::Ignored { .. }
                        | Effect::SendHangup { .. }
                        | Effect::SendCancel { .. }
                        | Effect::SendDecline { .. }
                );
                let about = |effect: &Effect| effect_call(effect) == event.call();
                prop_assert!(effects.iter().filter(|e| about(e)).all(quiet), "{}", brief(&effects));
            }
        }
        // Left alone, every call ends or has media flowing, and soon.
        for _ in 0..20 {
            let Some(at) = machine.deadline() else { break };
            let effects = machine.handle(at, Event::Tick);
            observer.after(&Event::Tick, &effects, machine.state());
        }
        let settled = matches!(
            machine.state(),
            State::Idle | State::Ended { .. } | State::Active { link: Link::Up, .. }
        );
        prop_assert!(settled, "stuck in {}", place(machine.state()));
    }

    #[test]
    fn no_time_is_too_large(
        events in prop::collection::vec(any_event(), 0..20),
        times in prop::collection::vec(prop_oneof![Just(Duration::MAX), Just(Duration::ZERO)], 20),
    ) {
        let mut machine = alice();
        for (event, now) in events.into_iter().zip(times) {
            machine.handle(now, event);
            machine.deadline();
        }
    }
}

fn effect_call(effect: &Effect) -> Option<CallId> {
    match effect {
        Effect::SendInvite { call, .. }
        | Effect::SendRinging { call }
        | Effect::SendAccept { call }
        | Effect::SendDecline { call, .. }
        | Effect::SendCancel { call }
        | Effect::SendHangup { call, .. }
        | Effect::SendRejoin { call, .. }
        | Effect::PreparePeer { call, .. }
        | Effect::Negotiate { call, .. }
        | Effect::RepeatDescription { call }
        | Effect::StartMedia { call }
        | Effect::RestartIce { call }
        | Effect::ClosePeer { call, .. }
        | Effect::Notify { call, .. } => Some(*call),
        Effect::Ignored { call, .. } => *call,
    }
}
