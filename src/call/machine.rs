//! Owns the machine: which event leads where from which state, and with what effects.
//!
//! It must not know any clock, task or transport. `session` calls `handle` for everything that
//! happens and `handle(now, Event::Tick)` no later than `deadline`. What happened counts before what
//! ran out of time: an event that arrives late is applied first, then time-outs are.

use std::collections::VecDeque;
use std::time::Duration;

use super::glare::{self, Verdict};
use super::{
    CallId, Effect, EndReason, Event, JsepRole, Link, LinkNotice, Notice, Rival, State, Timing,
    link,
};

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
    call: CallId,
    effect: Effect,
    at: Duration,
}

impl Machine {
    /// A machine in `Idle`, with signaling taken to be up (hand it `SignalingDown` if it is not).
    ///
    /// `me` is the own name and, like every name in events, spelled as the server folds it.
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
        let ignored = Effect::Ignored {
            event: event.name(),
            state: self.state.name(),
            call: event.call(),
        };
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
                let rival = rival
                    .as_ref()
                    .map(|rival| rival.since.saturating_add(timing.glare));
                Some(earliest(ring, [self.signaling_gone_at(*since), rival]))
            }
            State::Ringing { since, .. } => {
                let ring = since.saturating_add(timing.ring);
                Some(earliest(ring, [self.signaling_gone_at(*since)]))
            }
            State::Connecting { since, .. } => Some(since.saturating_add(timing.connect)),
            State::Active { link: Link::Up, .. } => None,
            State::Active {
                link: Link::Recovering { since, restarted },
                peer_lost,
                ..
            } => {
                let gone = link::gone_at(timing, *since, *peer_lost);
                let restart = self
                    .may_send_offer()
                    .then(|| link::restart_at(timing, *since, *restarted));
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
            Event::Decline => {
                matches!(self.state, State::Ringing { .. }) && self.finish(EndReason::Declined, out)
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
            Event::Ended { reason, .. } => self.ended(reason.mirrored(), out),
            Event::PeerSignaling { up, .. } => self.peer_signaling(up),
            Event::Connected { call } => self.connected(call, out),
            Event::LinkDown { call } => self.link_down(call, out),
            Event::LinkUp { call } => self.link_up(call, out),
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
            State::Active {
                call,
                link: Link::Recovering { since, restarted },
                peer_lost,
                ..
            } => {
                if link::gone_at(&self.timing, *since, *peer_lost) <= now {
                    self.finish(EndReason::ConnectionLost, out);
                } else if self.may_send_offer()
                    && link::restart_at(&self.timing, *since, *restarted) <= now
                {
                    out.push(Effect::RestartIce { call: *call });
                    self.note_restart(Some(now));
                }
            }
        }
    }

    // What the user does.

    fn dial(&mut self, call: CallId, to: String, out: &mut Vec<Effect>) -> bool {
        match &self.state {
            _ if self.finished.contains(&call) => false,
            // Calling whoever rings us is taking their call.
            State::Ringing {
                from,
                consent: false,
                call: theirs,
                ..
            } if *from == to => {
                let theirs = *theirs;
                self.retire(call);
                notify(out, call, Notice::Merged { into: theirs });
                self.accept(out)
            }
            State::Idle | State::Ended { .. } if to == self.me => {
                self.retire(call);
                let reason = EndReason::Refused;
                self.state = State::Ended {
                    call,
                    with: to,
                    reason,
                    at: self.now,
                };
                notify(out, call, Notice::Ended { reason });
                true
            }
            State::Idle | State::Ended { .. } => {
                self.send(
                    out,
                    Effect::SendInvite {
                        call,
                        to: to.clone(),
                    },
                );
                out.push(Effect::PreparePeer {
                    call,
                    role: JsepRole::Offerer,
                });
                notify(out, call, Notice::Calling { to: to.clone() });
                self.state = State::Dialing {
                    call,
                    to,
                    since: self.now,
                    ringing: false,
                    rival: None,
                };
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

    // What the server says.

    fn incoming(&mut self, call: CallId, from: String, out: &mut Vec<Effect>) -> bool {
        if self.finished.contains(&call) {
            // The caller repeats an invite that we have dealt with: so was our answer lost.
            let said = self.farewell.as_ref().filter(|said| said.call == call);
            let again = said.map(|said| said.effect.clone());
            return again.is_some_and(|effect| self.send(out, effect));
        }
        if from == self.me {
            return self.send(out, Effect::SendDecline { call, busy: false });
        }
        let live = self.state.live();
        match &mut self.state {
            State::Idle | State::Ended { .. } => {
                self.send(out, Effect::SendRinging { call });
                out.push(Effect::PreparePeer {
                    call,
                    role: JsepRole::Answerer,
                });
                notify(out, call, Notice::Incoming { from: from.clone() });
                self.state = State::Ringing {
                    call,
                    from,
                    since: self.now,
                    consent: false,
                };
                true
            }
            State::Dialing {
                call: ours,
                to,
                rival,
                ..
            } if *to == from => match (glare::judge(*ours, call), &rival) {
                (Verdict::Echo, _) => false,
                (Verdict::Yield, _) => {
                    self.take_theirs(call, true, out);
                    true
                }
                (Verdict::Hold, None) => {
                    *rival = Some(Rival {
                        call,
                        since: self.now,
                    });
                    true
                }
                (Verdict::Hold, Some(known)) if known.call == call => false,
                (Verdict::Hold, Some(_)) => {
                    self.send(out, Effect::SendDecline { call, busy: true })
                }
            },
            // The caller repeats its invite after a loss: tell it again where the call stands.
            State::Ringing { call: ours, .. } if *ours == call => {
                self.send(out, Effect::SendRinging { call })
            }
            State::Connecting {
                call: ours,
                role: JsepRole::Answerer,
                ..
            } if *ours == call => self.send(out, Effect::SendAccept { call }),
            _ if live == Some(call) => false,
            _ => {
                self.send(out, Effect::SendDecline { call, busy: true });
                if self.state.with() != Some(&from) {
                    notify(out, call, Notice::Missed { from });
                }
                true
            }
        }
    }

    fn rings_there(&mut self, call: CallId, out: &mut Vec<Effect>) -> bool {
        match &mut self.state {
            State::Dialing { ringing, .. } if !*ringing => {
                *ringing = true;
                notify(out, call, Notice::Ringing);
                true
            }
            _ => false,
        }
    }

    fn accepted(&mut self, call: CallId, out: &mut Vec<Effect>) -> bool {
        let State::Dialing { to, rival, .. } = &mut self.state else {
            return false;
        };
        let (with, role) = (std::mem::take(to), JsepRole::Offerer);
        if let Some(rival) = rival.take() {
            self.retire(rival.call);
        }
        out.push(Effect::Negotiate { call, role });
        notify(out, call, Notice::Accepted);
        self.state = State::Connecting {
            call,
            with,
            role,
            since: self.now,
            peer_lost: None,
        };
        true
    }

    /// Somebody accepted a call that is not ours (any more), and waits for us in vain.
    fn refuse_acceptance(&mut self, call: CallId, out: &mut Vec<Effect>) -> bool {
        if self.rival() == Some(call) {
            return false;
        }
        self.send(
            out,
            Effect::SendHangup {
                call,
                reason: EndReason::Cancelled,
            },
        )
    }

    /// The call is over, says the server or the other side; nothing needs to be said back.
    fn ended(&mut self, reason: EndReason, out: &mut Vec<Effect>) -> bool {
        match &mut self.state {
            State::Active { peer_lost, .. } if !reason.ends_active() => {
                peer_lost.get_or_insert(self.now);
                true
            }
            State::Dialing {
                rival: Some(rival), ..
            } => {
                let theirs = rival.call;
                self.take_theirs(theirs, false, out);
                true
            }
            _ => self.close(reason, None, false, out),
        }
    }

    fn peer_signaling(&mut self, up: bool) -> bool {
        let (State::Connecting { peer_lost, .. } | State::Active { peer_lost, .. }) =
            &mut self.state
        else {
            return false;
        };
        if up {
            *peer_lost = None;
            // An offer sent while they were away is lost: have a new one made.
            self.note_restart(None);
        } else {
            peer_lost.get_or_insert(self.now);
        }
        true
    }

    fn lose_signaling(&mut self) -> bool {
        if self.signaling_lost.is_some() {
            return false;
        }
        self.signaling_lost = Some(self.now);
        match &mut self.state {
            // The server tells anew, if they still call.
            State::Dialing { rival, .. } => *rival = None,
            // Whether the other side still has signaling is unknown from here on.
            State::Connecting { peer_lost, .. } | State::Active { peer_lost, .. } => {
                *peer_lost = None
            }
            _ => {}
        }
        true
    }

    fn restore_signaling(&mut self, out: &mut Vec<Effect>) -> bool {
        self.signaling_lost = None;
        if let Some(said) = self.farewell.take()
            && self.now.saturating_sub(said.at) <= FAREWELL_FOR
        {
            out.push(said.effect);
        }
        match &self.state {
            State::Idle | State::Ended { .. } => {}
            State::Dialing { call, to, .. } => {
                out.push(Effect::SendInvite {
                    call: *call,
                    to: to.clone(),
                });
            }
            State::Ringing { consent: true, .. } => {
                self.accept(out);
            }
            State::Ringing { call, .. } => out.push(Effect::SendRinging { call: *call }),
            State::Connecting {
                call, with, role, ..
            } => {
                if *role == JsepRole::Answerer {
                    out.push(Effect::SendAccept { call: *call });
                }
                out.push(Effect::SendRejoin {
                    call: *call,
                    with: with.clone(),
                });
            }
            State::Active { call, with, .. } => {
                out.push(Effect::SendRejoin {
                    call: *call,
                    with: with.clone(),
                });
                self.note_restart(None);
            }
        }
        true
    }

    // What the path does.

    fn connected(&mut self, call: CallId, out: &mut Vec<Effect>) -> bool {
        match &mut self.state {
            State::Connecting {
                with,
                role,
                peer_lost,
                ..
            } => {
                let (with, role, peer_lost) = (std::mem::take(with), *role, *peer_lost);
                out.push(Effect::StartMedia { call });
                notify(out, call, Notice::Connected);
                self.state = State::Active {
                    call,
                    with,
                    role,
                    since: self.now,
                    link: Link::Up,
                    peer_lost,
                };
                true
            }
            _ => self.link_up(call, out),
        }
    }

    fn link_down(&mut self, call: CallId, out: &mut Vec<Effect>) -> bool {
        match &mut self.state {
            State::Active {
                link: link @ Link::Up,
                ..
            } => {
                *link = Link::Recovering {
                    since: self.now,
                    restarted: None,
                };
                notify(out, call, Notice::Link(LinkNotice::Recovering));
                true
            }
            _ => false,
        }
    }

    fn link_up(&mut self, call: CallId, out: &mut Vec<Effect>) -> bool {
        match &mut self.state {
            State::Active {
                link: link @ Link::Recovering { .. },
                ..
            } => {
                *link = Link::Up;
                notify(out, call, Notice::Link(LinkNotice::Up));
                true
            }
            _ => false,
        }
    }

    /// ICE gives up sooner than we do: an active call restarts it and waits on.
    fn link_failed(&mut self, call: CallId, out: &mut Vec<Effect>) -> bool {
        match &self.state {
            State::Connecting { .. } => self.finish(EndReason::ConnectFailed, out),
            State::Active { link: Link::Up, .. } => self.link_down(call, out),
            State::Active { link, .. } if link::may_restart(link, self.now) => {
                self.note_restart(None);
                true
            }
            _ => false,
        }
    }

    /// The other side hung up, and says so without the server.
    fn goodbye(&mut self, call: CallId, out: &mut Vec<Effect>) -> bool {
        let (State::Connecting { peer_lost, .. } | State::Active { peer_lost, .. }) = &self.state
        else {
            return false;
        };
        // They could not tell the server, so we do: it would keep the call for them.
        let reason = EndReason::HungUp;
        let farewell = peer_lost.map(|_| Effect::SendHangup { call, reason });
        self.close(EndReason::HungUpByPeer, farewell, false, out)
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
                    self.send(
                        out,
                        Effect::SendDecline {
                            call: theirs,
                            busy: false,
                        },
                    );
                }
                (Some(Effect::SendCancel { call }), false)
            }
            // The caller's own clock ends it there; a late decline would only blur the reason.
            State::Ringing { .. }
                if matches!(reason, EndReason::NoAnswer | EndReason::SignalingLost) =>
            {
                (None, false)
            }
            State::Ringing { call, .. } => (
                Some(Effect::SendDecline {
                    call: *call,
                    busy: false,
                }),
                false,
            ),
            State::Connecting { call, .. } => (
                Some(Effect::SendHangup {
                    call: *call,
                    reason,
                }),
                false,
            ),
            State::Active { call, .. } => (
                Some(Effect::SendHangup {
                    call: *call,
                    reason,
                }),
                true,
            ),
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
            self.farewell = Some(Farewell {
                call,
                effect,
                at: self.now,
            });
        }
        out.push(Effect::ClosePeer { call, goodbye });
        if matches!(self.state, State::Ringing { .. }) && is_missed(reason) {
            notify(out, call, Notice::Missed { from: with.clone() });
        }
        notify(out, call, Notice::Ended { reason });
        self.state = State::Ended {
            call,
            with,
            reason,
            at: self.now,
        };
        true
    }

    /// Drops our call in favour of theirs, which we answer at once: we wanted to talk to them.
    fn take_theirs(&mut self, theirs: CallId, withdraw: bool, out: &mut Vec<Effect>) {
        let State::Dialing {
            call: ours,
            to,
            rival,
            ..
        } = &mut self.state
        else {
            return;
        };
        let (ours, with, rival) = (*ours, std::mem::take(to), rival.take());
        self.retire(ours);
        if withdraw {
            let effect = Effect::SendCancel { call: ours };
            self.send(out, effect.clone());
            self.farewell = Some(Farewell {
                call: ours,
                effect,
                at: self.now,
            });
        }
        if let Some(rival) = rival.filter(|rival| rival.call != theirs) {
            self.retire(rival.call);
            self.send(
                out,
                Effect::SendDecline {
                    call: rival.call,
                    busy: true,
                },
            );
        }
        out.push(Effect::ClosePeer {
            call: ours,
            goodbye: false,
        });
        notify(out, ours, Notice::Merged { into: theirs });
        out.push(Effect::PreparePeer {
            call: theirs,
            role: JsepRole::Answerer,
        });
        self.consent_to(theirs, with, out);
    }

    /// Accepts an incoming call whose peer is prepared.
    fn consent_to(&mut self, call: CallId, with: String, out: &mut Vec<Effect>) {
        let role = JsepRole::Answerer;
        self.send(out, Effect::SendAccept { call });
        out.push(Effect::Negotiate { call, role });
        notify(out, call, Notice::Accepted);
        self.state = State::Connecting {
            call,
            with,
            role,
            since: self.now,
            peer_lost: None,
        };
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

    fn rival(&self) -> Option<CallId> {
        match &self.state {
            State::Dialing { rival, .. } => rival.as_ref().map(|rival| rival.call),
            _ => None,
        }
    }

    fn forget_rival(&mut self, gone: CallId) -> bool {
        match &mut self.state {
            State::Dialing { rival, .. }
                if rival.as_ref().is_some_and(|rival| rival.call == gone) =>
            {
                *rival = None;
                self.retire(gone);
                true
            }
            _ => false,
        }
    }

    fn signaling_gone_at(&self, since: Duration) -> Option<Duration> {
        self.signaling_lost
            .map(|lost| lost.max(since).saturating_add(self.timing.signaling))
    }

    /// Whether an offer that restarts ICE would reach the other side.
    fn may_send_offer(&self) -> bool {
        let State::Active {
            role: JsepRole::Offerer,
            peer_lost: None,
            ..
        } = &self.state
        else {
            return false;
        };
        self.signaling_up()
    }

    fn note_restart(&mut self, at: Option<Duration>) {
        if let State::Active {
            link: Link::Recovering { restarted, .. },
            ..
        } = &mut self.state
        {
            *restarted = at;
        }
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
        EndReason::Cancelled
            | EndReason::NoAnswer
            | EndReason::SignalingLost
            | EndReason::HungUpByPeer
    )
}
