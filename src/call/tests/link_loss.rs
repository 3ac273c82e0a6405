//! What happens to an active call whose path is lost: a crash, a blackout, a changed address.

use super::*;
use crate::call::EndReason;

const CALL: CallId = OURS;

/// Runs the deadlines of `machine` until the path's loss ends the call, and says when and why.
fn wait_for_the_end(machine: &mut Machine) -> (Duration, EndReason) {
    for _ in 0..20 {
        let at = machine.deadline().expect("an open question has a deadline");
        machine.handle(at, Event::Tick);
        if let State::Ended { reason, at, .. } = machine.state() {
            return (*at, *reason);
        }
    }
    panic!("the call does not end");
}

#[test]
fn a_killed_peer_ends_the_call_within_six_seconds() {
    for silence_noticed in [500, 2_500, 4_000, 4_999] {
        for mut machine in [calling_connected(), called_connected()] {
            machine.handle(secs(60), Event::PeerSignaling { call: CALL, up: false });
            assert_eq!(machine.deadline(), None, "media alone keeps the call");
            machine.handle(secs(60) + millis(silence_noticed), Event::LinkDown { call: CALL });
            let (at, reason) = wait_for_the_end(&mut machine);
            assert_eq!(reason, EndReason::ConnectionLost);
            assert!(at <= secs(66), "ended {at:?}");
        }
    }
}

#[test]
fn a_blackout_of_ten_seconds_survives_with_both_signaling_connections_up() {
    let mut machine = calling_connected();
    let down = machine.handle(secs(62), Event::LinkDown { call: CALL });
    assert_eq!(brief(&down), "notify #5: link recovering, restart ice #5");
    // The driver ticks at every deadline; the call stays.
    while let Some(at) = machine.deadline().filter(|at| *at < secs(75)) {
        machine.handle(at, Event::Tick);
    }
    let up = machine.handle(secs(75), Event::LinkUp { call: CALL });
    assert_eq!(brief(&up), "notify #5: link up");
    assert_eq!(machine.deadline(), None);
}

#[test]
fn a_killed_server_does_not_disturb_a_call_whose_media_flows() {
    let mut machine = called_connected();
    assert_eq!(machine.handle(secs(60), Event::SignalingDown), []);
    assert_eq!(machine.deadline(), None);
    let up = machine.handle(secs(600), Event::SignalingUp);
    assert_eq!(brief(&up), "send rejoin #5 with bob");
    assert_eq!(place(machine.state()), "Active #5, Answerer, up");
}

#[test]
fn with_server_and_path_both_lost_the_call_waits_the_whole_time() {
    let mut machine = calling_connected();
    // Their socket closed first (the server was going down), then ours: so we know nothing.
    machine.handle(secs(60), Event::PeerSignaling { call: CALL, up: false });
    machine.handle(secs(60), Event::SignalingDown);
    machine.handle(secs(61), Event::LinkDown { call: CALL });
    assert_eq!(wait_for_the_end(&mut machine), (secs(91), EndReason::ConnectionLost));
}

#[test]
fn a_peer_that_lost_its_signaling_long_ago_gets_the_full_grace_when_the_path_stutters() {
    let mut machine = calling_connected();
    machine.handle(secs(60), Event::PeerSignaling { call: CALL, up: false });
    machine.handle(secs(600), Event::LinkDown { call: CALL });
    assert_eq!(machine.deadline(), Some(secs(605)));
    machine.handle(secs(602), Event::LinkUp { call: CALL });
    assert_eq!(machine.deadline(), None);
}

#[test]
fn a_peer_that_comes_back_after_changing_networks_is_offered_a_restart() {
    let mut machine = calling_connected();
    machine.handle(secs(60), Event::PeerSignaling { call: CALL, up: false });
    let down = machine.handle(secs(63), Event::LinkDown { call: CALL });
    assert_eq!(brief(&down), "notify #5: link recovering", "an offer would not reach them");
    let back = machine.handle(secs(64), Event::PeerSignaling { call: CALL, up: true });
    assert_eq!(brief(&back), "repeat description #5, restart ice #5");
    assert_eq!(machine.deadline(), Some(secs(69)), "the restart is repeated");
    assert_eq!(brief(&machine.handle(secs(69), Event::Tick)), "restart ice #5");
}

#[test]
fn only_the_offerer_restarts() {
    let mut machine = called_connected();
    let down = machine.handle(secs(60), Event::LinkDown { call: CALL });
    assert_eq!(brief(&down), "notify #5: link recovering");
    assert_eq!(machine.deadline(), Some(secs(90)));
    assert_eq!(wait_for_the_end(&mut machine), (secs(90), EndReason::ConnectionLost));
}

#[test]
fn a_path_that_fails_is_restarted_but_not_twice_at_once() {
    let mut machine = calling_connected();
    machine.handle(secs(60), Event::LinkDown { call: CALL });
    let failed = machine.handle(secs(61), Event::LinkFailed { call: CALL });
    assert!(!brief(&failed).contains("restart"), "the restart a second ago is still on its way");
    assert_eq!(brief(&machine.handle(secs(62), Event::Tick)), "restart ice #5");
}

#[test]
fn a_path_whose_address_is_gone_is_replaced_at_once() {
    let mut machine = calling_connected();
    let changed = machine.handle(secs(60), Event::PathChanged { call: CALL });
    assert_eq!(brief(&changed), "notify #5: link recovering, restart ice #5");
    // Where the socket to the server went with it, the offer follows as soon as there is another one.
    let mut machine = calling_connected();
    machine.handle(secs(60), Event::SignalingDown);
    let changed = machine.handle(secs(60), Event::PathChanged { call: CALL });
    assert_eq!(brief(&changed), "notify #5: link recovering");
    let up = machine.handle(millis(60_200), Event::SignalingUp);
    assert_eq!(brief(&up), "send rejoin #5 with bob, restart ice #5");
}

#[test]
fn an_offer_that_may_be_lost_is_repeated_when_the_other_side_signs_in_again() {
    let mut machine = calling_connected();
    machine.handle(secs(60), Event::PathChanged { call: CALL });
    let up = machine.handle(millis(60_500), Event::PeerSignaling { call: CALL, up: true });
    assert_eq!(brief(&up), "repeat description #5");
    let mut machine = called_connected();
    machine.handle(secs(60), Event::PathChanged { call: CALL });
    let up = machine.handle(millis(60_500), Event::PeerSignaling { call: CALL, up: true });
    assert_eq!(brief(&up), "nothing", "the offerer does it");
}

#[test]
fn restarts_do_not_put_off_the_end() {
    let mut machine = calling_connected();
    machine.handle(secs(60), Event::LinkDown { call: CALL });
    assert_eq!(wait_for_the_end(&mut machine), (secs(90), EndReason::ConnectionLost));
}

#[test]
fn signaling_restored_while_the_path_is_down_restarts_it() {
    let mut machine = calling_connected();
    machine.handle(secs(60), Event::SignalingDown);
    let down = machine.handle(secs(61), Event::LinkDown { call: CALL });
    assert_eq!(brief(&down), "notify #5: link recovering");
    let up = machine.handle(secs(65), Event::SignalingUp);
    assert_eq!(brief(&up), "send rejoin #5 with bob, restart ice #5");
}

#[test]
fn an_offer_that_may_be_lost_with_signaling_is_repeated_as_soon_as_that_is_back() {
    let mut machine = calling_connected();
    let down = machine.handle(secs(60), Event::LinkDown { call: CALL });
    assert_eq!(brief(&down), "notify #5: link recovering, restart ice #5");
    machine.handle(secs(60) + millis(10), Event::SignalingDown);
    let back = machine.handle(secs(60) + millis(200), Event::SignalingUp);
    assert_eq!(brief(&back), "send rejoin #5 with bob, restart ice #5");
}

#[test]
fn the_servers_own_bookkeeping_does_not_end_an_active_call() {
    for reason in EndReason::ALL.into_iter().filter(|reason| !reason.ends_active()) {
        let mut machine = calling_connected();
        machine.handle(secs(60), Event::Ended { call: CALL, reason });
        assert!(matches!(machine.state(), State::Active { .. }), "{reason}");
        // But it counts as their signaling being gone.
        machine.handle(secs(61), Event::LinkDown { call: CALL });
        assert_eq!(wait_for_the_end(&mut machine).0, secs(65), "{reason}");
    }
}

#[test]
fn a_goodbye_ends_at_once_and_tells_the_server_for_a_peer_that_could_not() {
    let mut machine = calling_connected();
    let effects = machine.handle(secs(60), Event::Goodbye { call: CALL });
    assert_eq!(brief(&effects), "close peer #5, notify #5: ended, hung-up-by-peer");

    let mut machine = calling_connected();
    machine.handle(secs(59), Event::PeerSignaling { call: CALL, up: false });
    let effects = machine.handle(secs(60), Event::Goodbye { call: CALL });
    assert_eq!(brief(&effects), "send hangup #5 (hung-up), close peer #5, notify #5: ended, hung-up-by-peer");
}
