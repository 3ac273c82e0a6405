//! letsmeet: video calls that live in a terminal.
pub mod call;
pub mod cli;
pub mod config;
pub mod identity;
pub mod media;
pub mod rtc;
pub mod session;
pub mod signaling;
