//! Two clocks in virtual time, and callbacks under an allocator that counts.

mod clocks;
mod real_time;
