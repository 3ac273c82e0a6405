//! The model that `fake_wire` explores: two ends, a server, two signaling connections and a path.
//!
//! The server is the smallest one that keeps the protocol's promises: a repeated invite, acceptance
//! or rejoin is answered with where the call stands, and after a restart the call is there again
//! once both said that it goes on.

use std::collections::{BTreeMap, VecDeque};

use super::super::*;
use crate::call::{EndReason, JsepRole};

pub(super) const A: usize = 0;
pub(super) const B: usize = 1;
pub(super) const NAMES: [&str; 2] = ["alice", "bob"];

/// What may happen in one exploration, besides delivery.
#[derive(Clone, Default)]
pub(super) struct Plan {
    /// What each user does, in this order, at any time.
    pub(super) users: [Vec<Event>; 2],
    /// How often a signaling connection breaks, with everything that is on it.
    pub(super) cuts: u8,
    /// How often a deadline passes although messages are still on their way.
    pub(super) hurries: u8,
    /// How often the server is killed, and forgets all.
    pub(super) crashes: u8,
    /// Whether the server keeps what a broken session has not read, refuses repetitions, and forgets
    /// calls that are over; else it loses it, and answers repetitions with where the call stands.
    pub(super) strict: bool,
}

#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct World {
    pub(super) strict: bool,
    /// Whether somebody was dialed while cut off, and the dialer told so.
    pub(super) away: bool,
    pub(super) now: Duration,
    pub(super) ends: [End; 2],
    pub(super) server: BTreeMap<CallId, Entry>,
    pub(super) cuts: u8,
    pub(super) hurries: u8,
    pub(super) crashes: u8,
}

#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct End {
    pub(super) machine: Machine,
    /// Index into the plan.
    pub(super) next: usize,
    pub(super) online: bool,
    pub(super) to_server: VecDeque<Effect>,
    pub(super) from_server: VecDeque<Event>,
    pub(super) from_path: VecDeque<Event>,
    pub(super) peer: Option<Peer>,
    pub(super) over: Vec<(CallId, EndReason)>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Peer {
    pub(super) call: CallId,
    pub(super) role: Option<JsepRole>,
    pub(super) connected: bool,
}

/// A call as the server knows it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) enum Entry {
    Pending {
        caller: usize,
    },
    Accepted {
        caller: usize,
    },
    /// After a restart one of the two said that the call goes on.
    Rejoined {
        first: usize,
    },
    Over {
        reason: EndReason,
    },
}

impl World {
    pub(super) fn new(plan: &Plan) -> Self {
        let end = |who: usize| End {
            machine: Machine::new(Timing::default(), NAMES[who].to_owned()),
            next: 0,
            online: true,
            to_server: VecDeque::new(),
            from_server: VecDeque::new(),
            from_path: VecDeque::new(),
            peer: None,
            over: Vec::new(),
        };
        Self {
            now: Duration::ZERO,
            ends: [end(A), end(B)],
            server: BTreeMap::new(),
            cuts: plan.cuts,
            hurries: plan.hurries,
            crashes: plan.crashes,
            strict: plan.strict,
            away: false,
        }
    }

    /// Every world that may come next.
    pub(super) fn next(&self, plan: &Plan) -> Vec<World> {
        let mut next = Vec::new();
        let mut branch = |change: &dyn Fn(&mut World)| {
            let mut world = self.clone();
            change(&mut world);
            next.push(world);
        };
        for who in [A, B] {
            let end = &self.ends[who];
            if let Some(event) = plan.users[who].get(end.next) {
                branch(&|world| {
                    world.ends[who].next += 1;
                    world.happen(who, event.clone());
                });
            }
            if !end.to_server.is_empty() {
                branch(&|world| {
                    let message = world.ends[who].to_server.pop_front().unwrap();
                    world.serve(who, message);
                });
            }
            if end.online && !end.from_server.is_empty() {
                branch(&|world| {
                    let event = world.ends[who].from_server.pop_front().unwrap();
                    world.happen(who, event);
                });
            }
            if !end.from_path.is_empty() {
                branch(&|world| {
                    let event = world.ends[who].from_path.pop_front().unwrap();
                    world.happen(who, event);
                });
            }
            if self.may_connect(who) {
                branch(&|world| {
                    let peer = world.ends[who].peer.as_mut().unwrap();
                    peer.connected = true;
                    let call = peer.call;
                    world.happen(who, Event::Connected { call });
                });
            }
            if end.online && self.cuts > 0 {
                branch(&|world| {
                    world.cuts -= 1;
                    world.cut(who);
                });
            }
            if !end.online {
                branch(&|world| world.restore(who));
            }
        }
        if self.crashes > 0 {
            branch(&|world| {
                world.crashes -= 1;
                world.server.clear();
                for who in [A, B] {
                    if world.ends[who].online {
                        world.cut(who);
                    }
                    world.ends[who].from_server.clear();
                }
            });
        }
        // Time is slow compared with messages, unless it hurries.
        let quiet = next.is_empty();
        let due = self.ends.iter().filter_map(|end| end.machine.deadline()).min();
        if let Some(due) = due.filter(|_| quiet || self.hurries > 0) {
            let mut world = self.clone();
            world.hurries -= u8::from(!quiet);
            world.now = world.now.max(due);
            world.happen(A, Event::Tick);
            world.happen(B, Event::Tick);
            next.push(world);
        }
        next
    }

    /// Both negotiate the same call, with opposite roles, and this end is not connected yet.
    fn may_connect(&self, who: usize) -> bool {
        let (Some(here), Some(there)) = (&self.ends[who].peer, &self.ends[1 - who].peer) else {
            return false;
        };
        !here.connected
            && here.call == there.call
            && here.role.is_some()
            && there.role.is_some()
            && here.role != there.role
    }

    pub(super) fn happen(&mut self, who: usize, event: Event) {
        let effects = self.ends[who].machine.handle(self.now, event);
        for effect in effects {
            match effect {
                Effect::PreparePeer { call, .. } => {
                    assert!(self.ends[who].peer.is_none());
                    self.ends[who].peer = Some(Peer { call, role: None, connected: false });
                }
                Effect::Negotiate { role, .. } => {
                    self.ends[who].peer.as_mut().unwrap().role = Some(role);
                }
                Effect::ClosePeer { call, goodbye } => {
                    let peer = self.ends[who].peer.take().unwrap();
                    assert_eq!(peer.call, call);
                    let other = &mut self.ends[1 - who];
                    let heard = other.peer.as_ref().is_some_and(|p| p.call == call && p.connected);
                    // What is not said is noticed as silence.
                    let said = goodbye && peer.connected;
                    let event = if said { Event::Goodbye { call } } else { Event::LinkDown { call } };
                    if heard {
                        other.from_path.push_back(event);
                    }
                }
                Effect::Notify { call, notice: Notice::Ended { reason } } => {
                    let over = &mut self.ends[who].over;
                    assert!(over.iter().all(|(known, _)| *known != call), "ended twice");
                    over.push((call, reason));
                }
                Effect::Notify { .. }
                | Effect::Ignored { .. }
                | Effect::StartMedia { .. }
                | Effect::RestartIce { .. }
                | Effect::RepeatDescription { .. } => {}
                message => self.ends[who].to_server.push_back(message),
            }
        }
    }

    fn cut(&mut self, who: usize) {
        let end = &mut self.ends[who];
        end.online = false;
        end.to_server.clear();
        if !self.strict {
            end.from_server.clear();
        }
        self.happen(who, Event::SignalingDown);
        self.tell_of(who, false);
    }

    fn restore(&mut self, who: usize) {
        self.ends[who].online = true;
        self.happen(who, Event::SignalingUp);
        self.tell_of(who, true);
    }

    /// `peer-signaling` to the other participant of an accepted call.
    fn tell_of(&mut self, who: usize, up: bool) {
        let calls: Vec<_> = self.server.iter().map(|(call, entry)| (*call, entry.clone())).collect();
        for (call, entry) in calls {
            if matches!(entry, Entry::Accepted { .. }) {
                self.tell(1 - who, Event::PeerSignaling { call, up });
            }
        }
    }

    fn tell(&mut self, who: usize, event: Event) {
        if self.strict || self.ends[who].online {
            self.ends[who].from_server.push_back(event);
        }
    }

    fn serve(&mut self, who: usize, message: Effect) {
        let other = 1 - who;
        let (call, asked) = match &message {
            Effect::SendInvite { call, .. } => (*call, Asked::Invite),
            Effect::SendRinging { call } => (*call, Asked::Ringing),
            Effect::SendAccept { call } => (*call, Asked::Accept),
            Effect::SendDecline { call, busy: true } => (*call, Asked::End(EndReason::Busy)),
            Effect::SendDecline { call, .. } => (*call, Asked::End(EndReason::Declined)),
            Effect::SendCancel { call } => (*call, Asked::End(EndReason::Cancelled)),
            Effect::SendHangup { call, reason } => (*call, Asked::End(*reason)),
            Effect::SendRejoin { call, .. } => (*call, Asked::Rejoin),
            other => panic!("not a message: {other:?}"),
        };
        let incoming = Event::Incoming { call, from: NAMES[who].to_owned() };
        if self.strict && self.refuses(who, call, &message) {
            return;
        }
        match (self.server.get(&call).cloned(), asked) {
            (None, Asked::Invite) if !self.ends[other].online => {
                let reason = EndReason::UnknownName;
                self.away = true;
                if !self.strict {
                    self.server.insert(call, Entry::Over { reason });
                }
                self.tell(who, Event::Ended { call, reason });
            }
            (None, Asked::Invite) => {
                self.server.insert(call, Entry::Pending { caller: who });
                self.tell(other, incoming);
            }
            (Some(Entry::Pending { caller }), Asked::Invite) if caller == who => self.tell(other, incoming),
            (Some(Entry::Pending { caller }), Asked::Ringing) if caller == other => {
                self.tell(other, Event::Ringing { call });
            }
            (Some(Entry::Pending { caller }), Asked::Accept) if caller == other => {
                self.server.insert(call, Entry::Accepted { caller });
                self.tell(other, Event::Accepted { call });
            }
            (Some(Entry::Accepted { caller }), Asked::Invite) if caller == who => {
                self.tell(who, Event::Accepted { call });
            }
            (Some(Entry::Rejoined { .. }), Asked::End(_)) if self.strict => {
                self.server.remove(&call);
            }
            (Some(Entry::Pending { .. } | Entry::Accepted { .. }), Asked::End(reason)) => {
                self.server.insert(call, Entry::Over { reason });
                self.tell(other, Event::Ended { call, reason });
                if self.strict {
                    self.server.remove(&call);
                }
            }
            (None, Asked::Rejoin) => drop(self.server.insert(call, Entry::Rejoined { first: who })),
            (Some(Entry::Rejoined { first }), Asked::Rejoin) if first != who => {
                self.server.insert(call, Entry::Accepted { caller: first });
                for end in [A, B] {
                    self.tell(end, Event::PeerSignaling { call, up: true });
                }
            }
            (Some(Entry::Rejoined { first }), Asked::Invite) if first != who => {
                self.server.insert(call, Entry::Pending { caller: who });
                self.tell(other, incoming);
            }
            (
                Some(Entry::Over { reason }),
                Asked::Invite | Asked::Ringing | Asked::Accept | Asked::Rejoin,
            ) => {
                self.tell(who, Event::Ended { call, reason });
            }
            _ => {}
        }
    }

    /// Whether a strict server takes the message for an error, which the sender only logs.
    fn refuses(&self, who: usize, call: CallId, message: &Effect) -> bool {
        let entry = self.server.get(&call);
        match message {
            Effect::SendInvite { .. } => entry.is_some(),
            Effect::SendRejoin { .. } => matches!(entry, Some(Entry::Pending { .. })),
            Effect::SendCancel { .. } => !matches!(entry, Some(Entry::Pending { caller }) if *caller == who),
            Effect::SendHangup { .. } => {
                !matches!(entry, Some(Entry::Accepted { .. } | Entry::Rejoined { .. }))
            }
            _ => !matches!(entry, Some(Entry::Pending { caller }) if *caller != who),
        }
    }
}

enum Asked {
    Invite,
    Ringing,
    Accept,
    End(EndReason),
    Rejoin,
}
