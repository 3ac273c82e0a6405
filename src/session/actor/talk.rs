//! What is written and shown in a call, as the session keeps it.

use super::super::event::Event;
use super::super::leg::LegCommand;
use super::super::sign::Sign;
use super::Actor;
use crate::call::{CallId, Event as CallEvent};

impl Actor {
    /// Shows something to the other side, or says why not. Being away is the session's: it needs no call.
    pub(super) async fn show(&mut self, sign: Sign) -> Result<(), String> {
        let call = self.machine.state().live().filter(|call| self.has_leg(*call));
        let changed = match sign {
            Sign::Away(away) => std::mem::replace(&mut self.away, away) != away,
            Sign::Hand(_) | Sign::Reaction(_) => true,
        };
        if let (Sign::Away(away), true) = (sign, changed) {
            self.wire.away(away);
        }
        match (call, sign) {
            // Told when it is done, by the leg.
            (Some(call), sign) => self.command_leg(call, LegCommand::Sign(sign)),
            (None, Sign::Away(_)) if changed => {
                self.tell(Event::Sign { call: None, remote: false, sign }).await;
            }
            (None, Sign::Away(_)) => {}
            (None, Sign::Hand(_) | Sign::Reaction(_)) => return Err("there is no call".to_owned()),
        }
        Ok(())
    }

    /// Whether both sides see the same code. Anybody in between has one with each of them.
    pub(super) async fn compare(&mut self, code: &str) -> Result<(), String> {
        let live = self.machine.state().live();
        let record = live.and_then(|call| self.records.get_mut(&call));
        let (Some(call), Some(record)) = (live, record) else {
            return Err("there is no call".to_owned());
        };
        let Some(ours) = &record.verification_code else {
            return Err("there is no code before the call is connected".to_owned());
        };
        let (ours_only, theirs) = (digits(ours), digits(code));
        // A slip of the keyboard is no attack.
        if theirs.len() != ours_only.len() {
            return Err(format!("a code has {} digits", ours_only.len()));
        }
        let same = ours_only == theirs;
        record.compared = Some(same);
        if !same {
            record.detail = Some(format!("the other side's code is {code:?}, not {ours}"));
            self.pending.push_back(CallEvent::IdentityRefused { call });
        }
        // It was carried out, whatever came of it.
        self.tell(Event::Compared { call, same }).await;
        Ok(())
    }

    pub(super) async fn written(&mut self, call: CallId, remote: bool, text: String, number: u64) {
        if let Some(record) = self.records.get_mut(&call) {
            *(if remote { &mut record.chat.received } else { &mut record.chat.sent }) = number;
        }
        self.tell(Event::Chat { call, remote, text, number }).await;
    }

    pub(super) async fn delivered(&mut self, call: CallId, number: u64) {
        if let Some(record) = self.records.get_mut(&call) {
            record.chat.delivered = number;
        }
        self.tell(Event::Delivered { call, number }).await;
    }
}

/// What a code consists of, however it was written down.
fn digits(code: &str) -> String {
    code.chars().filter(char::is_ascii_digit).collect()
}
