//! The terminal itself: what it can do, what it sends, and giving it back as it was found.
//!
//! Owns the tty's file, its settings, and the signals that have to do with it. Must not know what is drawn or what keys
//! mean. Driven by whoever owns the screen: [`Terminal::open`], then [`Terminal::next`] until the end; what is drawn
//! goes through [`Terminal::out`].

mod capabilities;
pub mod detect;
mod environment;
mod error;
#[cfg(unix)]
mod guard;
pub mod input;
mod known;
mod multiplexer;
pub mod pace;
#[cfg(unix)]
mod reader;
#[cfg(unix)]
mod restore;
#[cfg(unix)]
mod shared_memory;
#[cfg(unix)]
mod tty;
#[cfg(not(unix))]
mod unsupported;
#[cfg(unix)]
pub mod writer;

pub use capabilities::{Capabilities, Notification};
pub use detect::Finding;
pub use environment::Environment;
pub use error::Error;
#[cfg(unix)]
pub use guard::{Input, Options, Signal, Size, Terminal};
#[cfg(unix)]
pub use tty::Out;
#[cfg(not(unix))]
pub use unsupported::{Input, Options, Out, Signal, Size, Terminal};
