//! What the path between the two peers does once both consent.

use super::{Machine, notify};
use crate::call::{CallId, Effect, EndReason, JsepRole, Link, LinkNotice, Notice, State, link};

impl Machine {
    pub(super) fn connected(&mut self, call: CallId, out: &mut Vec<Effect>) -> bool {
        match &mut self.state {
            State::Connecting { with, role, peer_lost, .. } => {
                let (with, role, peer_lost) = (std::mem::take(with), *role, *peer_lost);
                out.push(Effect::StartMedia { call });
                notify(out, call, Notice::Connected);
                self.state = State::Active { call, with, role, since: self.now, link: Link::Up, peer_lost };
                true
            }
            _ => self.link_up(call, out),
        }
    }

    pub(super) fn link_down(&mut self, call: CallId, out: &mut Vec<Effect>) -> bool {
        match &mut self.state {
            State::Active { link: link @ Link::Up, .. } => {
                *link = Link::Recovering { since: self.now, next: self.now, restarted: None };
                notify(out, call, Notice::Link(LinkNotice::Recovering));
                true
            }
            _ => false,
        }
    }

    pub(super) fn link_up(&mut self, call: CallId, out: &mut Vec<Effect>) -> bool {
        match &mut self.state {
            State::Active { link: link @ Link::Recovering { .. }, .. } => {
                *link = Link::Up;
                notify(out, call, Notice::Link(LinkNotice::Up));
                true
            }
            _ => false,
        }
    }

    /// ICE gives up sooner than we do: an active call restarts it and waits on. Before, there never will be a path.
    pub(super) fn link_failed(&mut self, call: CallId, out: &mut Vec<Effect>) -> bool {
        match &self.state {
            State::Active { .. } => self.path_changed(call, out),
            _ => self.finish(EndReason::ConnectFailed, out),
        }
    }

    /// The path as it was can't come back: it is replaced as soon as that can be said.
    pub(super) fn path_changed(&mut self, call: CallId, out: &mut Vec<Effect>) -> bool {
        if !matches!(self.state, State::Active { .. }) {
            return false;
        }
        self.link_down(call, out);
        self.hurry();
        true
    }

    /// The other side hung up, and says so without the server.
    pub(super) fn goodbye(&mut self, call: CallId, out: &mut Vec<Effect>) -> bool {
        let (State::Connecting { peer_lost, .. } | State::Active { peer_lost, .. }) = &self.state else {
            return false;
        };
        // They could not tell the server, so we do: it would keep the call for them.
        let reason = EndReason::HungUp;
        let farewell = peer_lost.map(|_| Effect::SendHangup { call, reason });
        self.close(EndReason::HungUpByPeer, farewell, false, out)
    }

    /// Whether an offer that restarts ICE would reach the other side.
    pub(super) fn may_send_offer(&self) -> bool {
        let State::Active { role: JsepRole::Offerer, peer_lost: None, .. } = &self.state else {
            return false;
        };
        self.signaling_up()
    }

    /// ICE was restarted just now.
    pub(super) fn restarted(&mut self) {
        let (now, again) = (self.now, self.timing.restart);
        if let State::Active { link: Link::Recovering { restarted, next, .. }, .. } = &mut self.state {
            (*restarted, *next) = (Some(now), now.saturating_add(again));
        }
    }

    /// There is reason to restart ICE now, if the path is down.
    pub(super) fn hurry(&mut self) {
        let now = self.now;
        if let State::Active { link: Link::Recovering { restarted, next, .. }, .. } = &mut self.state {
            *next = link::soonest(now, *restarted).min(*next);
        }
    }
}
