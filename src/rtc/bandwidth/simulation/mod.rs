//! A simulated network in virtual time, with calls over it.
//!
//! Owns links, model encoders and what was measured. Deterministic: the same seed gives the same figures.

mod call;
mod link;
mod scenarios;
mod table;
mod worlds;

use std::time::Duration;

/// Microseconds of virtual time.
type Micros = i64;

const MS: Micros = 1_000;
const SECOND: Micros = 1_000_000;

fn duration(micros: Micros) -> Duration {
    Duration::from_micros(micros as u64)
}

/// Numbers that look random (xorshift64*).
#[derive(Clone, Debug)]
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// From 0 to 1.
    fn unit(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1u64 << 53) as f64
    }
}
