//! What signaling says, and what becomes of the call when signaling itself is lost or restored.

use super::{FAREWELL_FOR, Machine, notify};
use crate::call::glare::{self, Verdict};
use crate::call::{CallId, Effect, EndReason, JsepRole, Link, Notice, Rival, State};

impl Machine {
    pub(super) fn incoming(&mut self, call: CallId, from: String, out: &mut Vec<Effect>) -> bool {
        if self.finished.contains(&call) {
            // The caller repeats an invite that we have dealt with: our answer was lost. If it was
            // a person's no, say so again; else do not speak for our other sessions.
            let declined = self
                .farewell
                .as_ref()
                .is_some_and(|said| said.effect == (Effect::SendDecline { call, busy: false }));
            return self.send(out, Effect::SendDecline { call, busy: !declined });
        }
        if glare::same_name(&from, &self.me) {
            return self.send(out, Effect::SendDecline { call, busy: false });
        }
        let live = self.state.live();
        match &mut self.state {
            State::Idle | State::Ended { .. } => {
                self.send(out, Effect::SendRinging { call });
                out.push(Effect::PreparePeer { call, role: JsepRole::Answerer });
                notify(out, call, Notice::Incoming { from: from.clone() });
                self.state = State::Ringing { call, from, since: self.now, consent: false };
                true
            }
            State::Dialing { call: ours, to, rival, .. } if glare::same_name(to, &from) => {
                match (glare::judge(*ours, call), &rival) {
                    (Verdict::Echo, _) => false,
                    (Verdict::Yield, _) => {
                        self.take_theirs(call, true, out);
                        true
                    }
                    (Verdict::Hold, None) => {
                        *rival = Some(Rival { call, since: self.now });
                        true
                    }
                    (Verdict::Hold, Some(known)) if known.call == call => false,
                    (Verdict::Hold, Some(_)) => self.send(out, Effect::SendDecline { call, busy: true }),
                }
            }
            // The caller repeats its invite after a loss: tell it again where the call stands.
            State::Ringing { call: ours, .. } if *ours == call => {
                self.send(out, Effect::SendRinging { call })
            }
            State::Connecting { call: ours, role: JsepRole::Answerer, .. } if *ours == call => {
                self.send(out, Effect::SendAccept { call })
            }
            _ if live == Some(call) => false,
            _ => {
                self.send(out, Effect::SendDecline { call, busy: true });
                if !self.state.with().is_some_and(|with| glare::same_name(with, &from)) {
                    notify(out, call, Notice::Missed { from });
                }
                true
            }
        }
    }

    pub(super) fn rings_there(&mut self, call: CallId, out: &mut Vec<Effect>) -> bool {
        match &mut self.state {
            State::Dialing { ringing, .. } if !*ringing => {
                *ringing = true;
                notify(out, call, Notice::Ringing);
                true
            }
            _ => false,
        }
    }

    pub(super) fn accepted(&mut self, call: CallId, out: &mut Vec<Effect>) -> bool {
        let State::Dialing { to, rival, .. } = &mut self.state else {
            return false;
        };
        let (with, role) = (std::mem::take(to), JsepRole::Offerer);
        if let Some(Rival { call: theirs, .. }) = rival.take() {
            // Not withdrawn by now: another session of theirs dialed it.
            self.retire(theirs);
            self.send(out, Effect::SendDecline { call: theirs, busy: true });
        }
        out.push(Effect::Negotiate { call, role });
        notify(out, call, Notice::Accepted);
        self.state = State::Connecting { call, with, role, since: self.now, peer_lost: None };
        true
    }

    /// Somebody accepted a call that is not ours (any more), and waits for us in vain.
    pub(super) fn refuse_acceptance(&mut self, call: CallId, out: &mut Vec<Effect>) -> bool {
        if self.rival() == Some(call) {
            return false;
        }
        self.send(out, Effect::SendHangup { call, reason: EndReason::Cancelled })
    }

    /// The call is over, says the server or the other side; nothing needs to be said back.
    pub(super) fn ended(&mut self, reason: EndReason, out: &mut Vec<Effect>) -> bool {
        match &mut self.state {
            State::Active { peer_lost, .. } if !reason.ends_active() => {
                peer_lost.get_or_insert(self.now);
                true
            }
            State::Dialing { rival: Some(rival), .. } => {
                let theirs = rival.call;
                self.take_theirs(theirs, false, out);
                true
            }
            _ => self.close(reason, None, false, out),
        }
    }

    pub(super) fn peer_signaling(&mut self, call: CallId, up: bool, out: &mut Vec<Effect>) -> bool {
        let (State::Connecting { peer_lost, .. } | State::Active { peer_lost, .. }) = &mut self.state else {
            return false;
        };
        if up {
            *peer_lost = None;
            // What was sent while they were away is lost: repeat it, or have a new offer made.
            if matches!(self.state, State::Connecting { .. }) {
                out.push(Effect::RepeatDescription { call });
            }
            // Or that was underway already.
            if matches!(
                self.state,
                State::Active { link: Link::Recovering { .. }, role: JsepRole::Offerer, .. }
            ) {
                out.push(Effect::RepeatDescription { call });
            }
            self.hurry();
        } else {
            peer_lost.get_or_insert(self.now);
        }
        true
    }

    pub(super) fn lose_signaling(&mut self) -> bool {
        if self.signaling_lost.is_some() {
            return false;
        }
        self.signaling_lost = Some(self.now);
        match &mut self.state {
            // The server tells anew, if they still call.
            State::Dialing { rival, .. } => *rival = None,
            // Whether the other side still has signaling is unknown from here on.
            State::Connecting { peer_lost, .. } => *peer_lost = None,
            State::Active { peer_lost, link, .. } => {
                *peer_lost = None;
                // The offer that restarts ICE may be lost with it: where the network changed it is what shows that.
                if let Link::Recovering { restarted, .. } = link {
                    *restarted = None;
                }
            }
            _ => {}
        }
        true
    }

    pub(super) fn restore_signaling(&mut self, out: &mut Vec<Effect>) -> bool {
        self.signaling_lost = None;
        if let Some(said) = self.farewell.take()
            && self.now.saturating_sub(said.at) <= FAREWELL_FOR
        {
            out.push(said.effect);
        }
        match &self.state {
            State::Idle | State::Ended { .. } => {}
            State::Dialing { call, to, .. } => {
                out.push(Effect::SendInvite { call: *call, to: to.clone() });
            }
            State::Ringing { consent: true, .. } => {
                self.accept(out);
            }
            State::Ringing { call, .. } => out.push(Effect::SendRinging { call: *call }),
            State::Connecting { call, with, role, .. } => {
                let call = *call;
                if *role == JsepRole::Answerer {
                    out.push(Effect::SendAccept { call });
                }
                out.push(Effect::SendRejoin { call, with: with.clone() });
                out.push(Effect::RepeatDescription { call });
            }
            State::Active { call, with, .. } => {
                out.push(Effect::SendRejoin { call: *call, with: with.clone() });
                self.hurry();
            }
        }
        true
    }

    pub(super) fn rival(&self) -> Option<CallId> {
        match &self.state {
            State::Dialing { rival, .. } => rival.as_ref().map(|rival| rival.call),
            _ => None,
        }
    }

    pub(super) fn forget_rival(&mut self, gone: CallId) -> bool {
        match &mut self.state {
            State::Dialing { rival, .. } if rival.as_ref().is_some_and(|rival| rival.call == gone) => {
                *rival = None;
                self.retire(gone);
                true
            }
            _ => false,
        }
    }
}
