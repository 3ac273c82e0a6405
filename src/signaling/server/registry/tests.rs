//! The whole table of phases and verbs, time, presence, and random sequences.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use proptest::prelude::*;

use super::calls::Phase;
use super::*;
use crate::signaling::protocol::{Availability, EndReason, PresenceState};

fn id(n: u8) -> SessionId {
    SessionId::from_bytes([n; 16])
}

fn call(n: u8) -> CallId {
    CallId::from_bytes([n; 16])
}

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn join_as(registry: &mut Local, now: Duration, name: &str, session: u8) -> Joined {
    let mut out = Vec::new();
    try_join(registry, now, name, session, None, &mut out).unwrap()
}

fn try_join(
    registry: &mut Local,
    now: Duration,
    name: &str,
    session: u8,
    resume: Option<ResumeToken>,
    out: &mut Vec<Output>,
) -> Result<Joined, Refusal> {
    let name = Name::new(name).unwrap();
    let key = Key::from_bytes(*blake3::hash(name.fold().as_str().as_bytes()).as_bytes());
    let secret = ResumeToken::from_bytes([session ^ 0x55; 16]);
    registry.join(now, Join { name, key, resume, session: id(session), secret }, out)
}

/// alice is session 1, bob 2 and 3, carol 4.
fn cast() -> Local {
    let mut registry = Local::new(Bounds::default());
    for (name, session) in [("alice", 1), ("bob", 2), ("bob", 3), ("carol", 4)] {
        join_as(&mut registry, secs(0), name, session);
    }
    registry
}

fn say(registry: &mut Local, now: Duration, from: u8, message: ClientMessage) -> String {
    let mut out = Vec::new();
    let reply = registry.handle(now, id(from), message, &mut out);
    let mut text = match reply {
        Ok(_) => "ok".to_owned(),
        Err(refusal) => refusal.code.to_string(),
    };
    text.push_str(&tell(&out));
    check(registry);
    text
}

fn tell(out: &[Output]) -> String {
    let mut text = String::new();
    for output in out {
        match output {
            Output::Forget(session) => write!(text, " forget:{}", session.bytes()[0]).unwrap(),
            Output::Deliver { to, message } => {
                let value: serde_json::Value = serde_json::from_str(&message.to_json()).unwrap();
                let more = value.get("reason").or(value.get("up")).map(|v| format!("({v})").replace('"', ""));
                let kind = value["type"].as_str().unwrap();
                write!(text, " {}<-{kind}{}", to.bytes()[0], more.unwrap_or_default()).unwrap();
            }
        }
    }
    text
}

fn tick(registry: &mut Local, now: Duration) -> String {
    let mut out = Vec::new();
    registry.tick(now, &mut out);
    check(registry);
    tell(&out)
}

fn invite(n: u8, to: &str) -> ClientMessage {
    ClientMessage::Invite { call: call(n), to: to.to_owned(), files: false, seq: None }
}

fn accept(n: u8) -> ClientMessage {
    ClientMessage::Accept { call: call(n), seq: None }
}

fn decline(n: u8, busy: bool) -> ClientMessage {
    ClientMessage::Decline { call: call(n), busy, seq: None }
}

fn rejoin(n: u8, with: &str) -> ClientMessage {
    ClientMessage::Rejoin { call: call(n), with: with.to_owned(), seq: None }
}

fn hangup(n: u8) -> ClientMessage {
    ClientMessage::Hangup { call: call(n), reason: EndReason::HungUp, seq: None }
}

/// What must always hold.
fn check(registry: &Local) {
    for (session, state) in &registry.sessions {
        let online = registry.names.get(&state.fold).expect("a session is on the list of its name");
        assert!(online.sessions.contains(session));
        for id in &state.calls {
            let call = registry.calls.get(id).expect("a session knows only calls that exist");
            assert!(members(call).contains(session), "and is in them");
        }
        if let Some(at) = state.detached {
            assert!(registry.timers.contains(&(at, Timer::Detached(*session))));
        }
        for watched in &state.watched {
            assert!(registry.presence.watchers().any(|(fold, s)| fold == watched && s == *session));
        }
    }
    for (fold, online) in &registry.names {
        assert!(!online.sessions.is_empty(), "{fold:?} has no session");
        assert!(online.sessions.len() <= registry.bounds.sessions_per_name);
        assert!(online.sessions.iter().all(|s| registry.sessions.contains_key(s)));
    }
    for (id, call) in &registry.calls {
        let members = members(call);
        assert!(!members.is_empty(), "a call without anybody");
        for member in members {
            assert!(registry.sessions[&member].calls.contains(id));
        }
        match &call.phase {
            Phase::Ringing { targets, until, .. } => {
                assert!(!targets.is_empty() && call.first.session.is_some());
                assert!(registry.timers.contains(&(*until, Timer::Ring(*id))));
                for target in targets {
                    assert!(registry.route(*target, *id, None).is_err(), "no description before accept");
                }
            }
            Phase::Accepted { second } => assert_ne!(call.first.session, second.session),
            Phase::Waiting { .. } => {}
        }
    }
    for (_, watcher) in registry.presence.watchers() {
        assert!(registry.sessions.contains_key(&watcher));
    }
}

fn members(call: &super::calls::Call) -> BTreeSet<SessionId> {
    let mut members: BTreeSet<SessionId> = call.first.session.into_iter().collect();
    match &call.phase {
        Phase::Ringing { targets, .. } => members.extend(targets),
        Phase::Accepted { second } => members.extend(second.session),
        Phase::Waiting { .. } => {}
    }
    members
}

/// Every verb by every role in every phase, as one table.
#[test]
fn the_table_of_phases_and_verbs() {
    type Setup = (&'static str, fn(&mut Local));
    let setups: [Setup; 5] = [
        ("none", |_| {}),
        ("ringing", |r| drop(say(r, secs(1), 1, invite(1, "bob")))),
        ("accepted", |r| {
            say(r, secs(1), 1, invite(1, "bob"));
            say(r, secs(2), 2, accept(1));
        }),
        ("callee-away", |r| {
            say(r, secs(1), 1, invite(1, "bob"));
            say(r, secs(2), 2, accept(1));
            r.detach(secs(3), id(2), &mut Vec::new());
        }),
        ("waiting", |r| drop(say(r, secs(1), 1, rejoin(1, "bob")))),
    ];
    let verbs: [(&str, ClientMessage); 9] = [
        ("invite", invite(1, "bob")),
        ("ringing", ClientMessage::Ringing { call: call(1), seq: None }),
        ("accept", accept(1)),
        ("decline", decline(1, false)),
        ("busy", decline(1, true)),
        ("cancel", ClientMessage::Cancel { call: call(1), seq: None }),
        ("hangup", hangup(1)),
        ("rejoin-alice", rejoin(1, "alice")),
        ("rejoin-bob", rejoin(1, "bob")),
    ];
    let roles = [("caller", 1u8), ("callee", 2), ("callee's other", 3), ("stranger", 4)];
    let mut table = String::new();
    for (phase, set_up) in setups {
        for (role, session) in roles {
            for (verb, message) in &verbs {
                let mut registry = cast();
                set_up(&mut registry);
                let result = say(&mut registry, secs(4), session, message.clone());
                writeln!(table, "{phase:11} {role:14} {verb:12} {result}").unwrap();
            }
            let mut registry = cast();
            set_up(&mut registry);
            let route = match registry.route(id(session), call(1), None) {
                Ok(to) => format!("to {}", to.bytes()[0]),
                Err(refusal) => refusal.code.to_string(),
            };
            writeln!(table, "{phase:11} {role:14} description  {route}").unwrap();
        }
    }
    insta::assert_snapshot!(table);
}

#[test]
fn ringing_ends_by_itself() {
    let mut r = cast();
    say(&mut r, secs(1), 1, invite(1, "bob"));
    assert_eq!(r.deadline(), Some(secs(1) + RING_GUARD));
    assert_eq!(tick(&mut r, secs(60)), "");
    assert_eq!(tick(&mut r, secs(61)), " 2<-ended(no-answer) 3<-ended(no-answer) 1<-ended(no-answer)");
    assert_eq!(r.deadline(), None);
}

#[test]
fn busy_everywhere_is_busy_and_gone_everywhere_is_unavailable() {
    let mut r = cast();
    say(&mut r, secs(1), 1, invite(1, "bob"));
    assert_eq!(say(&mut r, secs(1), 2, decline(1, true)), "ok");
    assert_eq!(say(&mut r, secs(1), 3, decline(1, true)), "ok 1<-ended(busy)");
    say(&mut r, secs(2), 1, invite(2, "bob"));
    let mut out = Vec::new();
    r.leave(secs(2), id(2), &mut out);
    r.leave(secs(2), id(3), &mut out);
    assert_eq!(tell(&out), " forget:2 1<-ended(unavailable) forget:3");
    check(&r);
    assert_eq!(say(&mut r, secs(3), 1, invite(3, "bob")), "ok 1<-ended(unknown-name)");
}

#[test]
fn a_caller_that_vanishes_stops_the_ringing_and_one_that_resumes_does_not() {
    let mut r = cast();
    let alice = ResumeToken::from_bytes([1 ^ 0x55; 16]);
    say(&mut r, secs(1), 1, invite(1, "bob"));
    let mut out = Vec::new();
    r.detach(secs(2), id(1), &mut out);
    let joined = try_join(&mut r, secs(3), "Alice", 9, Some(alice), &mut out).unwrap();
    assert_eq!((joined.session, joined.resumed, joined.calls), (id(1), true, vec![call(1)]));
    assert_eq!(tick(&mut r, secs(30)), "");
    r.detach(secs(31), id(1), &mut out);
    assert_eq!(tick(&mut r, secs(33)), " 2<-ended(cancelled) 3<-ended(cancelled) forget:1");
}

#[test]
fn a_resume_needs_the_secret_and_the_key() {
    let mut r = cast();
    let mut out = Vec::new();
    let wrong = ResumeToken::from_bytes([9; 16]);
    assert!(!try_join(&mut r, secs(1), "alice", 9, Some(wrong), &mut out).unwrap().resumed);
    let bobs = ResumeToken::from_bytes([2 ^ 0x55; 16]);
    assert!(!try_join(&mut r, secs(1), "alice", 10, Some(bobs), &mut out).unwrap().resumed);
    let name = Name::new("alice").unwrap();
    let join = Join {
        name,
        key: Key::from_bytes([0; 32]),
        resume: Some(ResumeToken::from_bytes([1 ^ 0x55; 16])),
        session: id(11),
        secret: wrong,
    };
    assert!(!r.join(secs(1), join, &mut out).unwrap().resumed);
}

#[test]
fn an_accepted_call_outlives_a_session_and_can_be_rejoined_by_a_new_one() {
    let mut r = cast();
    say(&mut r, secs(1), 1, invite(1, "bob"));
    say(&mut r, secs(1), 2, accept(1));
    let mut out = Vec::new();
    r.detach(secs(2), id(2), &mut out);
    assert_eq!(tell(&out), " 1<-peer-signaling(false)");
    assert_eq!(tick(&mut r, secs(61)), "");
    assert_eq!(tick(&mut r, secs(62)), " forget:2");
    assert_eq!(r.route(id(1), call(1), None).unwrap_err().code, ErrorCode::PeerAway);
    join_as(&mut r, secs(90), "bob", 7);
    assert_eq!(say(&mut r, secs(90), 4, rejoin(1, "alice")), "unknown-call");
    assert_eq!(
        say(&mut r, secs(90), 7, rejoin(1, "alice")),
        "ok 7<-peer-signaling(true) 1<-peer-signaling(true)"
    );
    assert_eq!(r.route(id(1), call(1), None), Ok(id(7)));
    assert_eq!(say(&mut r, secs(91), 1, hangup(1)), "ok 7<-ended(hung-up-by-peer)");
}

#[test]
fn after_a_restart_both_participants_have_to_name_each_other() {
    let mut r = cast();
    assert_eq!(say(&mut r, secs(1), 1, rejoin(1, "Bob")), "ok");
    assert_eq!(r.route(id(1), call(1), None).unwrap_err().code, ErrorCode::PeerAway);
    assert_eq!(say(&mut r, secs(1), 4, rejoin(1, "alice")), "unknown-call");
    assert_eq!(say(&mut r, secs(1), 2, rejoin(1, "carol")), "unknown-call");
    assert_eq!(
        say(&mut r, secs(1), 2, rejoin(1, "alice")),
        "ok 2<-peer-signaling(true) 1<-peer-signaling(true)"
    );
    assert_eq!(r.route(id(2), call(1), Some(id(1))), Ok(id(1)));
    assert_eq!(r.route(id(2), call(1), Some(id(4))).unwrap_err().code, ErrorCode::UnknownCall);
}

#[test]
fn a_name_that_blinks_is_not_told_and_one_that_leaves_is_told_late() {
    let mut r = cast();
    let watch = ClientMessage::Watch { names: vec!["carol".to_owned()], seq: None };
    assert_eq!(say(&mut r, secs(1), 1, watch), "ok 1<-presence");
    let mut out = Vec::new();
    r.detach(secs(2), id(4), &mut out);
    let secret = ResumeToken::from_bytes([4 ^ 0x55; 16]);
    try_join(&mut r, secs(3), "carol", 9, Some(secret), &mut out).unwrap();
    assert_eq!(tick(&mut r, secs(10)), "");
    r.leave(secs(11), id(4), &mut out);
    assert_eq!(tick(&mut r, Duration::from_millis(12_900)), "");
    assert_eq!(tick(&mut r, secs(13)), " 1<-presence");
    let away = ClientMessage::State { state: Availability::Away, seq: None };
    say(&mut r, secs(14), 2, away.clone());
    say(&mut r, secs(14), 3, away);
    assert_eq!(r.state(&Name::new("bob").unwrap().fold()), PresenceState::Away);
}

#[test]
fn the_list_is_paged_searched_and_without_oneself() {
    let mut r = Local::new(Bounds::default());
    for n in 0..150u8 {
        join_as(&mut r, secs(0), &format!("User{n:03}"), n);
    }
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let list = ClientMessage::List { query: None, after, limit: Some(40), seq: None };
        let Ok(Reply::Page { users, next }) = r.handle(secs(1), id(7), list, &mut Vec::new()) else {
            panic!("no page");
        };
        assert!(users.len() <= 40);
        seen.extend(users.into_iter().map(|u| u.name.to_string()));
        match next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    assert_eq!(seen.len(), 149);
    assert!(seen.is_sorted() && !seen.contains(&"User007".to_owned()));
    let list = ClientMessage::List { query: Some("SER14".to_owned()), after: None, limit: None, seq: None };
    let Ok(Reply::Page { users, next }) = r.handle(secs(1), id(7), list, &mut Vec::new()) else {
        panic!("no page");
    };
    assert_eq!((users.len(), next), (10, None));
}

#[derive(Debug, Clone)]
enum Step {
    Join(u8, u8, bool),
    Detach(u8),
    Leave(u8),
    Say(u8, ClientMessage),
    Wait(u16),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let names = prop::sample::select(vec!["alice", "Bob", "carol", "\u{202e}"]);
    let message = (0..12u8, 0..4u8, names, any::<bool>()).prop_map(|(verb, n, name, flag)| match verb {
        0 | 1 => invite(n, name),
        2 => ClientMessage::Ringing { call: call(n), seq: None },
        3 | 4 => accept(n),
        5 => decline(n, flag),
        6 => ClientMessage::Cancel { call: call(n), seq: None },
        7 => hangup(n),
        8 => rejoin(n, name),
        9 => ClientMessage::Watch { names: vec![name.to_owned()], seq: None },
        10 => ClientMessage::Unwatch { names: if flag { vec![] } else { vec![name.to_owned()] }, seq: None },
        _ => ClientMessage::State {
            state: if flag { Availability::Away } else { Availability::Available },
            seq: None,
        },
    });
    let step = prop_oneof![
        3 => (0..8u8, 0..3u8, any::<bool>()).prop_map(|(s, n, r)| Step::Join(s, n, r)),
        1 => (0..8u8).prop_map(Step::Detach),
        1 => (0..8u8).prop_map(Step::Leave),
        12 => (0..8u8, message).prop_map(|(s, m)| Step::Say(s, m)),
        2 => (0..30_000u16).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 1..120)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_of_messages_breaks_the_registry(steps in steps()) {
        let bounds = Bounds { sessions: 6, sessions_per_name: 3, pending_calls: 2 };
        let mut registry = Local::new(bounds);
        let mut now = secs(0);
        for step in steps {
            let mut out = Vec::new();
            match step {
                Step::Join(session, name, resume) => {
                    if registry.sessions.contains_key(&id(session)) && !resume {
                        continue;
                    }
                    let resume = resume.then(|| ResumeToken::from_bytes([session ^ 0x55; 16]));
                    let fresh = if resume.is_some() { session + 100 } else { session };
                    if registry.sessions.contains_key(&id(fresh)) {
                        continue;
                    }
                    let name = ["alice", "bob", "Carol"][usize::from(name)];
                    let _ = try_join(&mut registry, now, name, fresh, resume, &mut out);
                }
                Step::Detach(session) => registry.detach(now, id(session), &mut out),
                Step::Leave(session) => registry.leave(now, id(session), &mut out),
                Step::Say(session, message) => {
                    if registry.sessions.contains_key(&id(session)) {
                        let _ = registry.handle(now, id(session), message, &mut out);
                    }
                }
                Step::Wait(ms) => {
                    now += Duration::from_millis(ms.into());
                    registry.tick(now, &mut out);
                    prop_assert!(registry.deadline().is_none_or(|at| at > now));
                }
            }
            check(&registry);
        }
        // Once everybody has left nothing remains.
        let all: Vec<SessionId> = registry.sessions.keys().copied().collect();
        for session in all {
            registry.leave(now, session, &mut Vec::new());
        }
        registry.tick(now + secs(120), &mut Vec::new());
        check(&registry);
        prop_assert!(registry.calls.is_empty() && registry.names.is_empty() && registry.timers.is_empty());
    }
}
