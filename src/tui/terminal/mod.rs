//! The terminal itself: what it can, what it is told, what comes from it.

pub mod pace;
pub mod writer;
