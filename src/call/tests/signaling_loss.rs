//! Own signaling lost and restored, in each state.

use super::*;
use crate::call::EndReason;

#[test]
fn dialing_waits_for_signaling_a_bounded_time_and_invites_again() {
    let mut machine = dialing();
    machine.handle(secs(5), Event::SignalingDown);
    assert_eq!(machine.deadline(), Some(secs(15)));
    let up = machine.handle(secs(8), Event::SignalingUp);
    assert_eq!(brief(&up), "send invite #5 to bob");
    assert_eq!(machine.deadline(), Some(secs(45)), "the ring time runs from dialing");

    machine.handle(secs(10), Event::SignalingDown);
    let gone = machine.handle(secs(20), Event::Tick);
    assert_eq!(brief(&gone), "close peer #5, notify #5: ended, signaling-lost");
}

#[test]
fn dialing_without_signaling_invites_when_it_is_there() {
    let mut machine = alice();
    machine.handle(secs(100), Event::SignalingDown);
    let dialed = machine.handle(secs(200), dial(OURS, "bob"));
    assert_eq!(brief(&dialed), "prepare peer #5 (Offerer), notify #5: calling bob");
    assert_eq!(machine.deadline(), Some(secs(210)));
    assert_eq!(brief(&machine.handle(secs(201), Event::SignalingUp)), "send invite #5 to bob");
}

#[test]
fn a_call_that_was_cancelled_without_signaling_is_withdrawn_when_it_is_back() {
    let mut machine = dialing();
    machine.handle(secs(5), Event::SignalingDown);
    let cancelled = machine.handle(secs(6), Event::HangUp);
    assert_eq!(brief(&cancelled), "close peer #5, notify #5: ended, cancelled");
    assert_eq!(brief(&machine.handle(secs(9), Event::SignalingUp)), "send cancel #5");
    assert_eq!(machine.handle(secs(10), Event::SignalingUp), [], "once is enough");
}

#[test]
fn a_farewell_is_not_said_for_ever() {
    let mut machine = calling_connected();
    machine.handle(secs(5), Event::SignalingDown);
    machine.handle(secs(6), Event::HangUp);
    assert_eq!(machine.handle(secs(3_600), Event::SignalingUp), []);
}

#[test]
fn hanging_up_works_without_signaling() {
    let mut machine = calling_connected();
    machine.handle(secs(5), Event::SignalingDown);
    let effects = machine.handle(secs(6), Event::HangUp);
    assert_eq!(brief(&effects), "close peer #5 (goodbye), notify #5: ended, hung-up");
    assert_eq!(brief(&machine.handle(secs(7), Event::SignalingUp)), "send hangup #5 (hung-up)");
}

#[test]
fn ringing_waits_for_signaling_and_says_again_that_it_rings() {
    let mut machine = ringing();
    machine.handle(secs(5), Event::SignalingDown);
    assert_eq!(brief(&machine.handle(secs(6), Event::SignalingUp)), "send ringing #5");
    machine.handle(secs(7), Event::SignalingDown);
    let gone = machine.handle(secs(17), Event::Tick);
    assert_eq!(brief(&gone), "close peer #5, notify #5: missed bob, notify #5: ended, signaling-lost");
}

#[test]
fn a_call_that_ends_before_signaling_is_back_rings_on_nowhere() {
    let lost = Event::Ended { call: OURS, reason: EndReason::SignalingLost };
    let mut consenting = ringing();
    drive(&mut consenting, [Event::SignalingDown, Event::Accept]);
    for mut machine in [dialing(), ringing(), consenting] {
        drive(&mut machine, [Event::SignalingDown]);
        let ended = brief(&machine.handle(secs(6), lost.clone()));
        assert!(ended.starts_with("close peer #5") && ended.ends_with("ended, signaling-lost"), "{ended}");
        assert_eq!(machine.handle(secs(7), Event::SignalingUp), []);
        assert_eq!(machine.deadline(), None);
    }
}

#[test]
fn an_acceptance_without_signaling_is_sent_when_it_is_back() {
    let mut machine = ringing();
    machine.handle(secs(5), Event::SignalingDown);
    assert_eq!(machine.handle(secs(6), Event::Accept), []);
    let up = machine.handle(secs(7), Event::SignalingUp);
    assert_eq!(brief(&up), "send accept #5, negotiate #5 (Answerer), notify #5: accepted");
}

#[test]
fn an_acceptance_without_signaling_can_be_taken_back() {
    let mut machine = ringing();
    machine.handle(secs(5), Event::SignalingDown);
    machine.handle(secs(6), Event::Accept);
    machine.handle(secs(7), Event::HangUp);
    assert_eq!(brief(&machine.handle(secs(8), Event::SignalingUp)), "send decline #5");
}

#[test]
fn connecting_rejoins_and_repeats_what_may_be_lost() {
    let mut caller = dialing();
    drive(&mut caller, [Event::Accepted { call: OURS }, Event::SignalingDown]);
    let up = caller.handle(secs(3), Event::SignalingUp);
    assert_eq!(brief(&up), "send rejoin #5 with bob, repeat description #5");

    let mut callee = ringing();
    drive(&mut callee, [Event::Accept, Event::SignalingDown]);
    let up = callee.handle(secs(3), Event::SignalingUp);
    assert_eq!(brief(&up), "send accept #5, send rejoin #5 with bob, repeat description #5");
}

#[test]
fn connecting_repeats_its_description_to_a_peer_that_is_back() {
    let mut caller = dialing();
    drive(&mut caller, [Event::Accepted { call: OURS }]);
    assert_eq!(caller.handle(secs(1), Event::PeerSignaling { call: OURS, up: false }), []);
    let back = caller.handle(secs(2), Event::PeerSignaling { call: OURS, up: true });
    assert_eq!(brief(&back), "repeat description #5");
}

#[test]
fn connecting_that_times_out_says_what_was_missing() {
    for (lost, reason) in [(false, EndReason::ConnectFailed), (true, EndReason::SignalingLost)] {
        let mut machine = dialing();
        drive(&mut machine, [Event::Accepted { call: OURS }]);
        if lost {
            machine.handle(secs(1), Event::SignalingDown);
        }
        machine.handle(machine.deadline().unwrap(), Event::Tick);
        assert!(matches!(machine.state(), State::Ended { reason: said, .. } if *said == reason));
    }
}

#[test]
fn an_invite_that_is_repeated_is_answered_with_where_the_call_stands() {
    let mut machine = ringing();
    let again = incoming(OURS, "bob");
    assert_eq!(brief(&machine.handle(secs(1), again.clone())), "send ringing #5");
    let mut accepted = machine.clone();
    drive(&mut accepted, [Event::Accept]);
    assert_eq!(brief(&accepted.handle(secs(2), again.clone())), "send accept #5");
    drive(&mut machine, [Event::Decline { busy: false }]);
    assert_eq!(brief(&machine.handle(secs(2), again)), "send decline #5", "and does not ring again");
}
