//! The terminal's screen: pictures, keys, and everything a person sees of a call.
//!
//! Owns the terminal while it is open. Must not know the command line, signaling or the WebRTC crates: it gives
//! [`crate::session::Command`]s and is told [`crate::session::Event`]s, as every front end is.

pub mod app;
pub mod card;
mod composition;
#[cfg(unix)]
mod notify;
#[cfg(unix)]
pub mod preview;
pub mod render;
#[cfg(unix)]
pub mod run;
#[cfg(unix)]
mod stage;
pub mod terminal;
