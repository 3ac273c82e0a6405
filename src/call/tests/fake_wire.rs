//! Two machines, a server and a path between them, in virtual time (see `world`): every order of
//! everything that may happen is explored, and no order may leave one side in a call alone.

mod world;

use std::collections::{BTreeMap, HashSet};

use super::*;
use world::{A, B, End, Plan, World};

/// How one course of events came out: what each end is left with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Outcome {
    /// Both talk, in the same call.
    Talking(CallId),
    /// Neither has a call, and somebody was told that the other is not online.
    Away,
    /// Neither has a call, and why for each (`None`: it never had one).
    Over(Option<&'static str>, Option<&'static str>),
}

/// Visits every reachable world and returns every outcome with how many final worlds have it.
fn explore(plan: &Plan) -> BTreeMap<Outcome, usize> {
    let mut outcomes = BTreeMap::new();
    for strict in [false, true] {
        let plan = Plan { strict, ..plan.clone() };
        for (outcome, count) in explore_from(World::new(&plan), &plan) {
            *outcomes.entry(outcome).or_insert(0) += count;
        }
    }
    outcomes
}

fn explore_from(first: World, plan: &Plan) -> BTreeMap<Outcome, usize> {
    let mut outcomes = BTreeMap::new();
    let mut seen = HashSet::from([first.clone()]);
    let mut open = vec![first];
    while let Some(world) = open.pop() {
        let next = world.next(plan);
        if next.is_empty() {
            *outcomes.entry(outcome(&world)).or_insert(0) += 1;
        }
        for world in next {
            if seen.insert(world.clone()) {
                open.push(world);
            }
        }
        assert!(seen.len() < 3_000_000, "the model is too large to explore");
    }
    println!("{} worlds, {outcomes:?}", seen.len());
    outcomes
}

fn outcome(world: &World) -> Outcome {
    let [a, b] = &world.ends;
    let states = (a.machine.state(), b.machine.state());
    for end in [a, b] {
        let open = end.peer.as_ref().map(|peer| peer.call);
        assert_eq!(open, end.machine.state().live(), "a peer without a call");
    }
    match states {
        (State::Active { call, role, .. }, State::Active { call: there, role: theirs, .. }) => {
            assert_eq!(call, there, "each in another call");
            assert_ne!(role, theirs);
            Outcome::Talking(*call)
        }
        (State::Idle | State::Ended { .. }, State::Idle | State::Ended { .. }) => {
            if world.away {
                return Outcome::Away;
            }
            let reason = |state: &State| match state {
                State::Ended { reason, .. } => Some(reason.name()),
                _ => None,
            };
            Outcome::Over(reason(states.0), reason(states.1))
        }
        _ => panic!("left in {} and {}", place(states.0), place(states.1)),
    }
}

fn talk(outcomes: &BTreeMap<Outcome, usize>) -> Vec<Outcome> {
    outcomes.keys().copied().collect()
}

#[test]
fn a_call_connects_in_every_order_and_ends_when_nobody_answers() {
    let unanswered = Outcome::Over(Some("no-answer"), Some("no-answer"));
    let users = [vec![dial(OURS, "bob")], vec![]];
    assert_eq!(talk(&explore(&Plan { users, ..Plan::default() })), [unanswered]);
    // Accepting before it rings does nothing, as it should.
    let users = [vec![dial(OURS, "bob")], vec![Event::Accept]];
    let outcomes = talk(&explore(&Plan { users, ..Plan::default() }));
    assert_eq!(outcomes, [Outcome::Talking(OURS), unanswered]);
}

#[test]
fn glare_always_ends_in_the_winning_call() {
    for (a, b) in [(LOWER, OURS), (OURS, LOWER)] {
        let plan = Plan { users: [vec![dial(a, "bob")], vec![dial(b, "alice")]], ..Plan::default() };
        let outcomes = talk(&explore(&plan));
        // Or the slower one dialed while it rang already, which is answering.
        assert_eq!(outcomes, [Outcome::Talking(LOWER), Outcome::Talking(OURS)]);
    }
}

#[test]
fn glare_with_hang_ups_never_leaves_one_side_alone() {
    let plan = Plan {
        users: [vec![dial(LOWER, "bob"), Event::HangUp], vec![dial(OURS, "alice"), Event::HangUp]],
        ..Plan::default()
    };
    assert!(!talk(&explore(&plan)).iter().any(|outcome| matches!(outcome, Outcome::Talking(_))));
}

#[test]
fn crossing_cancel_accept_decline_and_hang_up_agree() {
    for answer in [Event::Accept, Event::Decline { busy: false }] {
        let plan = Plan {
            users: [vec![dial(OURS, "bob"), Event::HangUp], vec![answer, Event::HangUp]],
            ..Plan::default()
        };
        for outcome in talk(&explore(&plan)) {
            assert!(matches!(outcome, Outcome::Over(..)), "{outcome:?}");
        }
    }
}

#[test]
fn time_outs_that_cross_messages_agree() {
    for users in [
        [vec![dial(OURS, "bob")], vec![Event::Accept]],
        [vec![dial(OURS, "bob")], vec![Event::Decline { busy: false }]],
        [vec![dial(LOWER, "bob")], vec![dial(OURS, "alice")]],
        [vec![dial(OURS, "bob")], vec![dial(LOWER, "alice")]],
    ] {
        explore(&Plan { users, hurries: 2, ..Plan::default() });
    }
}

#[test]
fn lost_connections_never_leave_one_side_alone() {
    for users in [
        [vec![dial(OURS, "bob"), Event::HangUp], vec![Event::Accept]],
        [vec![dial(OURS, "bob")], vec![Event::Accept, Event::HangUp]],
        [vec![dial(OURS, "bob")], vec![Event::Decline { busy: false }]],
    ] {
        // `outcome` fails when one side is left in a call alone.
        for (cuts, hurries) in [(2, 0), (1, 1)] {
            let users = users.clone();
            explore(&Plan { users, cuts, hurries, ..Plan::default() });
        }
    }
}

#[test]
fn lost_connections_do_not_keep_a_call_from_connecting() {
    let users = [vec![dial(OURS, "bob")], vec![Event::Accept]];
    for outcome in talk(&explore(&Plan { users, cuts: 2, ..Plan::default() })) {
        // Nobody answers if Bob accepts before it rings, or is cut off just when he is called.
        assert!(
            matches!(outcome, Outcome::Talking(OURS) | Outcome::Away | Outcome::Over(Some("no-answer"), _)),
            "{outcome:?}"
        );
    }
}

#[test]
fn glare_with_lost_connections_connects_unless_somebody_was_away_when_dialed() {
    for (a, b) in [(LOWER, OURS), (OURS, LOWER)] {
        let users = [vec![dial(a, "bob")], vec![dial(b, "alice")]];
        for outcome in talk(&explore(&Plan { users, cuts: 2, ..Plan::default() })) {
            assert!(matches!(outcome, Outcome::Talking(_) | Outcome::Away), "{outcome:?}");
        }
    }
}

#[test]
fn a_killed_server_never_leaves_one_side_alone() {
    for users in [
        [vec![dial(OURS, "bob")], vec![Event::Accept]],
        [vec![dial(OURS, "bob"), Event::HangUp], vec![Event::Accept]],
        [vec![dial(OURS, "bob")], vec![Event::Accept, Event::HangUp]],
        [vec![dial(LOWER, "bob")], vec![dial(OURS, "alice")]],
    ] {
        explore(&Plan { users, crashes: 1, hurries: 1, ..Plan::default() });
    }
}

#[test]
fn a_call_goes_on_and_can_be_hung_up_after_the_server_was_killed() {
    // Talking first: then the server is killed, comes back, and Bob hangs up. Every order again.
    let plan = Plan { users: [vec![], vec![Event::HangUp]], crashes: 2, ..Plan::default() };
    let mut world = World::new(&plan);
    world.happen(A, dial(OURS, "bob"));
    let calm = Plan::default();
    let script = [Event::Accept];
    let mut script = script.into_iter();
    world.crashes = 0;
    loop {
        let ready = matches!(world.ends[B].machine.state(), State::Ringing { .. });
        if let Some(event) = ready.then(|| script.next()).flatten() {
            world.happen(B, event);
        }
        let talking = |end: &End| matches!(end.machine.state(), State::Active { .. });
        if world.ends.iter().all(talking) {
            break;
        }
        world = world.next(&calm).remove(0);
    }
    world.crashes = plan.crashes;
    let outcomes = talk(&explore_from(world, &plan));
    for outcome in outcomes {
        assert!(matches!(outcome, Outcome::Over(Some("hung-up-by-peer"), Some("hung-up"))), "{outcome:?}");
    }
}
