//! How calls end: who hears of it, with which reason, and what is let go.

use std::time::Duration;

use super::calls::{Call, Phase};
use super::local::Local;
use super::{Output, Timer};
use crate::signaling::protocol::{CallId, EndReason, ServerMessage, SessionId};

impl Local {
    /// Ends a call that rings: the caller hears one reason, the sessions that ring still another.
    pub(super) fn end_ringing(
        &mut self,
        now: Duration,
        id: CallId,
        for_caller: EndReason,
        for_callee: EndReason,
        out: &mut Vec<Output>,
    ) {
        let Some(Call { first, phase: Phase::Ringing { callee, targets, until, .. } }) =
            self.calls.remove(&id)
        else {
            return;
        };
        self.timers.remove(&(until, Timer::Ring(id)));
        for to in targets {
            end(to, id, for_callee, out);
            self.quit(to, id);
        }
        if let Some(caller) = first.session {
            // Who cancelled knows it.
            if for_caller != EndReason::Cancelled {
                end(caller, id, for_caller, out);
            }
            self.quit(caller, id);
        }
        self.touch(now, &first.name.fold());
        self.touch(now, &callee);
    }

    pub(super) fn end_accepted(
        &mut self,
        now: Duration,
        id: CallId,
        by: SessionId,
        reason: EndReason,
        out: &mut Vec<Output>,
    ) {
        let Some(Call { first, phase }) = self.calls.remove(&id) else {
            return;
        };
        let reason = match reason {
            EndReason::HungUp => EndReason::HungUpByPeer,
            other => other,
        };
        let second = match phase {
            Phase::Accepted { second } => Some(second),
            _ => None,
        };
        for side in [Some(first), second].into_iter().flatten() {
            if let Some(session) = side.session {
                if session != by {
                    end(session, id, reason, out);
                }
                self.quit(session, id);
            }
            self.touch(now, &side.name.fold());
        }
    }
}

/// Tells one session that a call is over.
pub(super) fn end(to: SessionId, call: CallId, reason: EndReason, out: &mut Vec<Output>) {
    out.push(Output::Deliver { to, message: ServerMessage::ended(call, reason) });
}
