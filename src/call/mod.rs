//! Call control, pure: one call from dialing or ringing to its end.
//!
//! Owns what a call's states are, what may follow what, and how long each waits. It must not know a
//! clock, a socket, a codec, serde or async: std only. `session` drives it:
//!
//! ```text
//!   keys, messages, path changes            time is an argument, monotonic
//!            │                                        │
//!            ▼                                        ▼
//!   Machine::handle(now, Event) ──► Vec<Effect>   to be carried out in order
//!   Machine::deadline()         ──► when to call handle(now, Tick) at the latest
//!   Machine::state()            ──► where the call stands
//! ```
//!
//! There are no errors: what makes no sense in a state becomes `Effect::Ignored`. Session
//! descriptions and candidates bypass the machine; `session` routes them by `CallId` once
//! `Effect::Negotiate` said that both sides consent.
//!
//! What never happens: media or negotiation before consent; two `Ended` notices for one call; a peer
//! connection that is prepared and not closed; a message sent while signaling is down; an effect on a
//! call by an event of another call, except that an acceptance of a call that is not ours any more
//! is answered with a hang-up.

mod effect;
mod event;
mod glare;
mod id;
mod link;
mod machine;
mod reason;
mod state;
#[cfg(test)]
mod tests;
mod timing;

pub use effect::{Effect, LinkNotice, Notice};
pub use event::Event;
pub use id::{CallId, ParseError};
pub use machine::Machine;
pub use reason::{EndReason, UnknownReason};
pub use state::{JsepRole, Link, Rival, State};
pub use timing::Timing;
