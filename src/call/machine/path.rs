//! What the path between the two peers does once both consent.

use std::time::Duration;

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
                *link = Link::Recovering { since: self.now, restarted: None };
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

    /// ICE gives up sooner than we do: an active call restarts it and waits on.
    pub(super) fn link_failed(&mut self, call: CallId, out: &mut Vec<Effect>) -> bool {
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

    pub(super) fn note_restart(&mut self, at: Option<Duration>) {
        if let State::Active { link: Link::Recovering { restarted, .. }, .. } = &mut self.state {
            *restarted = at;
        }
    }
}
