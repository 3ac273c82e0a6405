//! Owns the machine: which event leads where from which state, and with what effects.
//!
//! It must not know any clock, task or transport. `session` calls `handle` for everything that
//! happens and `handle(now, Event::Tick)` no later than `deadline`. What happened counts before what
//! ran out of time: an event that arrives late is applied first, then time-outs are.

mod path;
mod remote;

use std::collections::VecDeque;
use std::time::Duration;

use super::{CallId, Effect, EndReason, Event, JsepRole, Link, Notice, Rival, State, Timing, glare, link};

/// How many finished calls are remembered, so that a late or repeated invite does not ring again.
/// When full the oldest is forgotten.
const FINISHED: usize = 16;

/// A farewell (cancel, decline, hang-up) is said again when signaling comes back within this time:
/// it may have been lost with the connection, or could not be sent at all.
const FAREWELL_FOR: Duration = Duration::from_secs(60);

/// Call control for one process: at most one call at a time.
///
/// Cloning copies the whole state; two clones handle the same events alike.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Machine {
    timing: Timing,
    me: String,
    state: State,
    now: Duration,
    /// Since when own signaling is down.
    signaling_lost: Option<Duration>,
    farewell: Option<Farewell>,
    finished: VecDeque<CallId>,
}

/// The last thing said about a call that ended here.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Farewell {
    effect: Effect,
    at: Duration,
}

impl Machine {
    /// A machine in `Idle`, with signaling taken to be up (hand it `SignalingDown` if it is not).
    ///
    /// `me` is the own name. Names, here and in events, are normalised as the protocol says; their
    /// case does not matter.
    pub fn new(timing: Timing, me: String) -> Self {
        Self {
            timing,
            me,
            state: State::Idle,
            now: Duration::ZERO,
            signaling_lost: None,
            farewell: None,
            finished: VecDeque::with_capacity(FINISHED),
        }
    }

    /// Applies one event, then whatever is due at `now`. Carry the effects out in order.
    ///
    /// `now` is monotonic, since an epoch of the caller's choice; a `now` before an earlier one
    /// counts as that earlier one.
    pub fn handle(&mut self, now: Duration, event: Event) -> Vec<Effect> {
        self.now = self.now.max(now);
        let mut out = Vec::new();
        let ignored = Effect::Ignored { event: event.name(), state: self.state.name(), call: event.call() };
        if !self.apply(event, &mut out) {
            out.push(ignored);
        }
        self.expire(&mut out);
        out
    }

    /// When `handle(now, Event::Tick)` is due; `None` when nothing is waited for.
    pub fn deadline(&self) -> Option<Duration> {
        let timing = &self.timing;
        match &self.state {
            State::Idle | State::Ended { .. } => None,
            State::Dialing { since, rival, .. } => {
                let ring = since.saturating_add(timing.ring);
                let rival = rival.as_ref().map(|rival| rival.since.saturating_add(timing.glare));
                Some(earliest(ring, [self.signaling_gone_at(*since), rival]))
            }
            State::Ringing { since, .. } => {
                let ring = since.saturating_add(timing.ring);
                Some(earliest(ring, [self.signaling_gone_at(*since)]))
            }
            State::Connecting { since, .. } => Some(since.saturating_add(timing.connect)),
            State::Active { link: Link::Up, .. } => None,
            State::Active { link: Link::Recovering { since, next, .. }, peer_lost, .. } => {
                let gone = link::gone_at(timing, *since, *peer_lost);
                let restart = self.may_send_offer().then_some(*next);
                Some(earliest(gone, [restart]))
            }
        }
    }

    /// Where the call stands.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Whether own signaling is up, as far as the machine was told.
    pub fn signaling_up(&self) -> bool {
        self.signaling_lost.is_none()
    }

    /// Returns whether the event made sense.
    fn apply(&mut self, event: Event, out: &mut Vec<Effect>) -> bool {
        let ours = event.call().is_some() && event.call() == self.state.live();
        match event {
            Event::Dial { call, to } => self.dial(call, to, out),
            Event::Accept => self.accept(out),
            Event::Decline { busy } => {
                let reason = if busy { EndReason::Busy } else { EndReason::Declined };
                matches!(self.state, State::Ringing { .. }) && self.finish(reason, out)
            }
            Event::HangUp => self.finish(self.reason_to_hang_up(), out),
            Event::SignalingDown => self.lose_signaling(),
            Event::SignalingUp => self.restore_signaling(out),
            Event::Tick => true,
            Event::Incoming { call, from } => self.incoming(call, from, out),
            Event::Accepted { call } if !ours => self.refuse_acceptance(call, out),
            Event::Ended { call, .. } if !ours => self.forget_rival(call),
            _ if !ours => false,
            Event::Ringing { call } => self.rings_there(call, out),
            Event::Accepted { call } => self.accepted(call, out),
            Event::Ended { reason, .. } => self.ended(reason.told_by_peer(), out),
            Event::PeerSignaling { call, up } => self.peer_signaling(call, up, out),
            Event::Connected { call } => self.connected(call, out),
            Event::LinkDown { call } => self.link_down(call, out),
            Event::LinkUp { call } => self.link_up(call, out),
            Event::PathChanged { call } => self.path_changed(call, out),
            Event::LinkFailed { call } => self.link_failed(call, out),
            Event::Goodbye { call } => self.goodbye(call, out),
            Event::IdentityRefused { .. } => self.finish(EndReason::IdentityMismatch, out),
            Event::MediaFailed { .. } => self.finish(EndReason::MediaFailed, out),
        }
    }

    /// Applies what is due, once.
    fn expire(&mut self, out: &mut Vec<Effect>) {
        let now = self.now;
        match &self.state {
            State::Idle | State::Ended { .. } | State::Active { link: Link::Up, .. } => {}
            State::Dialing { since, rival, .. } => {
                if since.saturating_add(self.timing.ring) <= now {
                    self.finish(EndReason::NoAnswer, out);
                } else if self.signaling_gone_at(*since).is_some_and(|at| at <= now) {
                    self.finish(EndReason::SignalingLost, out);
                } else if let Some(rival) = rival
                    && rival.since.saturating_add(self.timing.glare) <= now
                {
                    let theirs = rival.call;
                    self.take_theirs(theirs, true, out);
                }
            }
            State::Ringing { since, .. } => {
                if since.saturating_add(self.timing.ring) <= now {
                    self.finish(EndReason::NoAnswer, out);
                } else if self.signaling_gone_at(*since).is_some_and(|at| at <= now) {
                    self.finish(EndReason::SignalingLost, out);
                }
            }
            State::Connecting { since, .. } => {
                if since.saturating_add(self.timing.connect) <= now {
                    // Without signaling the descriptions could not pass: say what was missing.
                    let reason = match self.signaling_lost {
                        None => EndReason::ConnectFailed,
                        Some(_) => EndReason::SignalingLost,
                    };
                    self.finish(reason, out);
                }
            }
            State::Active { call, link: Link::Recovering { since, next, .. }, peer_lost, .. } => {
                if link::gone_at(&self.timing, *since, *peer_lost) <= now {
                    self.finish(EndReason::ConnectionLost, out);
                } else if self.may_send_offer() && *next <= now {
                    out.push(Effect::RestartIce { call: *call });
                    self.restarted();
                }
            }
        }
    }

    // What the user does.

    fn dial(&mut self, call: CallId, to: String, out: &mut Vec<Effect>) -> bool {
        match &self.state {
            _ if self.finished.contains(&call) || self.state.live() == Some(call) => false,
            // Calling whoever rings us is taking their call.
            State::Ringing { from, consent: false, call: theirs, .. } if glare::same_name(from, &to) => {
                let theirs = *theirs;
                self.retire(call);
                notify(out, call, Notice::Merged { into: theirs });
                self.accept(out)
            }
            State::Idle | State::Ended { .. } if glare::same_name(&to, &self.me) => {
                self.retire(call);
                let reason = EndReason::Refused;
                self.state = State::Ended { call, with: to, reason, at: self.now };
                notify(out, call, Notice::Ended { reason });
                true
            }
            State::Idle | State::Ended { .. } => {
                self.send(out, Effect::SendInvite { call, to: to.clone() });
                out.push(Effect::PreparePeer { call, role: JsepRole::Offerer });
                notify(out, call, Notice::Calling { to: to.clone() });
                self.state = State::Dialing { call, to, since: self.now, ringing: false, rival: None };
                true
            }
            _ => false,
        }
    }

    fn accept(&mut self, out: &mut Vec<Effect>) -> bool {
        let up = self.signaling_up();
        match &mut self.state {
            State::Ringing { consent, .. } if !up && !*consent => {
                *consent = true;
                true
            }
            State::Ringing { call, from, .. } if up => {
                let (call, with) = (*call, std::mem::take(from));
                self.consent_to(call, with, out);
                true
            }
            _ => false,
        }
    }

    /// The reason is for a person: giving up before the answer is not hanging up.
    fn reason_to_hang_up(&self) -> EndReason {
        match self.state {
            State::Dialing { .. } => EndReason::Cancelled,
            State::Ringing { .. } => EndReason::Declined,
            _ => EndReason::HungUp,
        }
    }

    // Transitions that several events share.

    /// Ends the live call from this side, with the farewell that its state asks for.
    fn finish(&mut self, reason: EndReason, out: &mut Vec<Effect>) -> bool {
        let (farewell, goodbye) = match &self.state {
            State::Idle | State::Ended { .. } => return false,
            State::Dialing { call, rival, .. } => {
                let (call, rival) = (*call, rival.clone());
                if let Some(Rival { call: theirs, .. }) = rival {
                    self.retire(theirs);
                    self.send(out, Effect::SendDecline { call: theirs, busy: false });
                }
                (Some(Effect::SendCancel { call }), false)
            }
            // The caller's own clock ends it there; a late decline would only blur the reason.
            State::Ringing { .. } if matches!(reason, EndReason::NoAnswer | EndReason::SignalingLost) => {
                (None, false)
            }
            State::Ringing { call, .. } => {
                (Some(Effect::SendDecline { call: *call, busy: reason == EndReason::Busy }), false)
            }
            // The other side may be connected already, a moment before us.
            State::Connecting { call, .. } => (
                Some(Effect::SendHangup { call: *call, reason }),
                !matches!(reason, EndReason::ConnectFailed | EndReason::SignalingLost),
            ),
            State::Active { call, .. } => (Some(Effect::SendHangup { call: *call, reason }), true),
        };
        self.close(reason, farewell, goodbye, out)
    }

    /// The one place where a live call becomes an ended one.
    fn close(
        &mut self,
        reason: EndReason,
        farewell: Option<Effect>,
        goodbye: bool,
        out: &mut Vec<Effect>,
    ) -> bool {
        let Some(call) = self.state.live() else {
            return false;
        };
        let with = self.state.with().unwrap_or_default().to_owned();
        self.retire(call);
        if let Some(effect) = farewell {
            self.send(out, effect.clone());
            self.farewell = Some(Farewell { effect, at: self.now });
        }
        out.push(Effect::ClosePeer { call, goodbye });
        if matches!(self.state, State::Ringing { .. }) && is_missed(reason) {
            notify(out, call, Notice::Missed { from: with.clone() });
        }
        notify(out, call, Notice::Ended { reason });
        self.state = State::Ended { call, with, reason, at: self.now };
        true
    }

    /// Drops our call in favour of theirs, which we answer at once: we wanted to talk to them.
    fn take_theirs(&mut self, theirs: CallId, withdraw: bool, out: &mut Vec<Effect>) {
        let State::Dialing { call: ours, to, rival, .. } = &mut self.state else {
            return;
        };
        let (ours, with, rival) = (*ours, std::mem::take(to), rival.take());
        self.retire(ours);
        if withdraw {
            let effect = Effect::SendCancel { call: ours };
            self.send(out, effect.clone());
            self.farewell = Some(Farewell { effect, at: self.now });
        }
        if let Some(rival) = rival.filter(|rival| rival.call != theirs) {
            self.retire(rival.call);
            self.send(out, Effect::SendDecline { call: rival.call, busy: true });
        }
        out.push(Effect::ClosePeer { call: ours, goodbye: false });
        notify(out, ours, Notice::Merged { into: theirs });
        out.push(Effect::PreparePeer { call: theirs, role: JsepRole::Answerer });
        self.consent_to(theirs, with, out);
    }

    /// Accepts an incoming call whose peer is prepared.
    fn consent_to(&mut self, call: CallId, with: String, out: &mut Vec<Effect>) {
        let role = JsepRole::Answerer;
        self.send(out, Effect::SendAccept { call });
        out.push(Effect::Negotiate { call, role });
        notify(out, call, Notice::Accepted);
        self.state = State::Connecting { call, with, role, since: self.now, peer_lost: None };
    }

    /// Says something to the server, if it can be reached. Returns true, for the caller's `apply`.
    fn send(&self, out: &mut Vec<Effect>, effect: Effect) -> bool {
        if self.signaling_up() {
            out.push(effect);
        }
        true
    }

    fn retire(&mut self, call: CallId) {
        if self.finished.len() == FINISHED {
            self.finished.pop_front();
        }
        self.finished.push_back(call);
    }

    fn signaling_gone_at(&self, since: Duration) -> Option<Duration> {
        self.signaling_lost.map(|lost| lost.max(since).saturating_add(self.timing.signaling))
    }
}

fn notify(out: &mut Vec<Effect>, call: CallId, notice: Notice) {
    out.push(Effect::Notify { call, notice });
}

fn earliest<const N: usize>(first: Duration, others: [Option<Duration>; N]) -> Duration {
    others.into_iter().flatten().fold(first, Duration::min)
}

/// Whether a ringing call that ends so was missed: nobody here said anything to it.
fn is_missed(reason: EndReason) -> bool {
    matches!(
        reason,
        EndReason::Cancelled | EndReason::NoAnswer | EndReason::SignalingLost | EndReason::HungUpByPeer
    )
}
