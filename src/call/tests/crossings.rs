//! Messages that cross: each test is one story, told from one side.

use super::*;
use crate::call::EndReason;

fn ended(reason: EndReason) -> Event {
    Event::Ended { call: OURS, reason }
}

#[test]
fn cancel_crosses_accept_seen_by_the_caller() {
    let mut machine = dialing();
    machine.handle(secs(1), Event::HangUp);
    let late = machine.handle(secs(1), Event::Accepted { call: OURS });
    assert_eq!(brief(&late), "send hangup #5 (cancelled)");
    assert_eq!(place(machine.state()), "Ended #5, cancelled");
}

#[test]
fn cancel_crosses_accept_seen_by_the_callee() {
    let mut machine = ringing();
    machine.handle(secs(1), Event::Accept);
    let effects = machine.handle(secs(1), ended(EndReason::Cancelled));
    assert_eq!(brief(&effects), "close peer #5, notify #5: ended, cancelled");
}

#[test]
fn accept_after_cancel_does_nothing() {
    let mut machine = ringing();
    let cancelled = machine.handle(secs(1), ended(EndReason::Cancelled));
    assert_eq!(brief(&cancelled), "close peer #5, notify #5: missed bob, notify #5: ended, cancelled");
    assert_eq!(brief(&machine.handle(secs(1), Event::Accept)), "ignored");
}

#[test]
fn both_hang_up() {
    let mut machine = calling_connected();
    machine.handle(secs(1), Event::HangUp);
    for late in [ended(EndReason::HungUp), Event::Goodbye { call: OURS }, Event::LinkDown { call: OURS }] {
        assert_eq!(brief(&machine.handle(secs(1), late)), "ignored");
    }
    assert_eq!(place(machine.state()), "Ended #5, hung-up");
}

#[test]
fn decline_crosses_the_callers_time_out() {
    let mut machine = dialing();
    let gone = machine.handle(secs(45), Event::Tick);
    assert_eq!(brief(&gone), "send cancel #5, close peer #5, notify #5: ended, no-answer");
    assert_eq!(brief(&machine.handle(secs(45), ended(EndReason::Declined))), "ignored");
}

#[test]
fn an_acceptance_that_arrives_before_the_tick_counts() {
    let mut machine = dialing();
    machine.handle(secs(50), Event::Accepted { call: OURS });
    assert_eq!(place(machine.state()), "Connecting #5, Offerer");
    assert_eq!(machine.deadline(), Some(secs(65)));
}

#[test]
fn nobody_answers_here() {
    let mut machine = ringing();
    let gone = machine.handle(secs(45), Event::Tick);
    assert_eq!(brief(&gone), "close peer #5, notify #5: missed bob, notify #5: ended, no-answer");
    assert_eq!(brief(&machine.handle(secs(46), Event::Accept)), "ignored");
}

#[test]
fn answered_elsewhere_is_not_missed() {
    let mut machine = ringing();
    let effects = machine.handle(secs(1), ended(EndReason::AnsweredElsewhere));
    assert_eq!(brief(&effects), "close peer #5, notify #5: ended, answered-elsewhere");
    // The same when both accepted and the other session was first.
    let mut machine = ringing();
    machine.handle(secs(1), Event::Accept);
    let effects = machine.handle(secs(1), ended(EndReason::AnsweredElsewhere));
    assert_eq!(brief(&effects), "close peer #5, notify #5: ended, answered-elsewhere");
}

#[test]
fn a_second_call_is_declined_as_busy_and_reported_as_missed() {
    for mut machine in [dialing(), ringing(), calling_connected()] {
        let before = machine.state().clone();
        let effects = machine.handle(secs(1), incoming(LOWER, "carol"));
        assert_eq!(brief(&effects), "send decline #3 (busy), notify #3: missed carol");
        assert_eq!(*machine.state(), before);
    }
}

#[test]
fn nobody_is_rung_by_their_own_name() {
    for mut machine in [alice(), dialing(), calling_connected()] {
        let before = machine.state().clone();
        let effects = machine.handle(secs(1), incoming(LOWER, "alice"));
        assert_eq!(brief(&effects), "send decline #3");
        assert_eq!(*machine.state(), before);
    }
    let effects = alice().handle(secs(1), dial(OURS, "alice"));
    assert_eq!(brief(&effects), "notify #5: ended, refused");
}

#[test]
fn glare_lost_withdraws_our_call_and_takes_theirs() {
    let effects = dialing().handle(secs(1), incoming(LOWER, "bob"));
    assert_eq!(
        brief(&effects),
        "send cancel #5, close peer #5, notify #5: merged into #3, prepare peer #3 (Answerer), \
         send accept #3, negotiate #3 (Answerer), notify #3: accepted"
    );
}

#[test]
fn glare_won_waits_for_their_acceptance() {
    let mut machine = dialing();
    assert_eq!(machine.handle(secs(1), incoming(HIGHER, "bob")), []);
    assert_eq!(machine.deadline(), Some(secs(6)));
    machine.handle(secs(1), Event::Ended { call: HIGHER, reason: EndReason::Cancelled });
    assert_eq!(machine.deadline(), Some(secs(45)));
    machine.handle(secs(2), Event::Accepted { call: OURS });
    assert_eq!(place(machine.state()), "Connecting #5, Offerer");
}

#[test]
fn glare_won_with_our_invite_lost_takes_theirs_in_the_end() {
    let mut machine = dialing();
    machine.handle(secs(1), incoming(HIGHER, "bob"));
    let effects = machine.handle(secs(6), Event::Tick);
    assert_eq!(
        brief(&effects),
        "send cancel #5, close peer #5, notify #5: merged into #7, prepare peer #7 (Answerer), \
         send accept #7, negotiate #7 (Answerer), notify #7: accepted"
    );
}

#[test]
fn glare_won_but_refused_takes_theirs_at_once() {
    let mut machine = dialing();
    machine.handle(secs(1), incoming(HIGHER, "bob"));
    machine.handle(secs(1), ended(EndReason::Busy));
    assert_eq!(place(machine.state()), "Connecting #7, Answerer");
}

#[test]
fn glare_while_the_others_acceptance_is_under_way() {
    // Bob answers #5 in one session while another session of his calls us as #3.
    let mut machine = dialing();
    machine.handle(secs(1), incoming(LOWER, "bob"));
    let late = machine.handle(secs(1), Event::Accepted { call: OURS });
    assert_eq!(brief(&late), "send hangup #5 (cancelled)");
    assert_eq!(place(machine.state()), "Connecting #3, Answerer");
    // The other way round: accepted first.
    let mut machine = dialing();
    machine.handle(secs(1), Event::Accepted { call: OURS });
    let late = machine.handle(secs(1), incoming(LOWER, "bob"));
    assert_eq!(brief(&late), "send decline #3 (busy)");
    assert_eq!(place(machine.state()), "Connecting #5, Offerer");
}

#[test]
fn calling_whoever_rings_is_answering() {
    let mut machine = ringing();
    let effects = machine.handle(secs(1), dial(id(9), "bob"));
    assert_eq!(
        brief(&effects),
        "notify #9: merged into #5, send accept #5, negotiate #5 (Answerer), notify #5: accepted"
    );
    assert_eq!(brief(&machine.handle(secs(1), dial(id(9), "bob"))), "ignored");
}

#[test]
fn a_foreign_key_ends_the_call_in_every_state() {
    let reason = EndReason::IdentityMismatch;
    for mut machine in [dialing(), ringing(), calling_connected()] {
        machine.handle(secs(1), Event::IdentityRefused { call: OURS });
        assert!(matches!(machine.state(), State::Ended { reason: said, .. } if *said == reason));
    }
}

#[test]
fn a_call_can_follow_a_call_but_not_under_the_same_id() {
    let mut machine = dialing();
    machine.handle(secs(1), ended(EndReason::Busy));
    assert_eq!(brief(&machine.handle(secs(2), dial(OURS, "bob"))), "ignored");
    assert_eq!(brief(&machine.handle(secs(2), incoming(OURS, "bob"))), "send decline #5 (busy)");
    machine.handle(secs(2), dial(id(9), "bob"));
    assert_eq!(place(machine.state()), "Dialing #9");
}

#[test]
fn the_case_of_a_name_does_not_matter() {
    let mut machine = alice();
    machine.handle(secs(1), dial(OURS, "ΟΔΥΣΣΕΥΣ"));
    machine.handle(secs(1), incoming(LOWER, "Οδυσσευς"));
    assert_eq!(place(machine.state()), "Connecting #3, Answerer");
    assert_eq!(brief(&machine.handle(secs(1), incoming(HIGHER, "Alice"))), "send decline #7");
}
