//! Pictures and sound that tell on their own when they were made.
//!
//! Owns the pattern and the tone, both ends of each: what sends them and what reads them back after the codec and
//! the network. Must not know codecs, RTP or clocks; times are arguments.

pub mod pattern;
pub mod tone;

pub use pattern::Pattern;
pub use tone::Tone;
