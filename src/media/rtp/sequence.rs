//! Numbers that wrap made numbers that grow: sequence numbers, timestamps and picture ids.
//!
//! Owns the arithmetic only; what a jump means is for the assembly and the jitter buffer to say.

/// Extends a counter of `BITS` bits (1 to 32) to 64, taking each value as the one nearest to the
/// highest seen so far.
#[derive(Debug, Clone, Default)]
pub struct Unwrapper<const BITS: u32> {
    highest: Option<i64>,
}

impl<const BITS: u32> Unwrapper<BITS> {
    /// The extended value, without taking note of it.
    #[must_use]
    pub fn peek(&self, value: u32) -> i64 {
        match self.highest {
            None => i64::from(value),
            Some(highest) => highest + distance::<BITS>(highest as u32, value),
        }
    }

    /// The extended value; a higher one becomes the reference for the next.
    pub fn unwrap(&mut self, value: u32) -> i64 {
        let extended = self.peek(value);
        if self.highest.is_none_or(|highest| extended > highest) {
            self.highest = Some(extended);
        }
        extended
    }

    /// The highest value so far, extended; `None` before the first.
    #[must_use]
    pub fn highest(&self) -> Option<i64> {
        self.highest
    }

    /// Forgets everything, as after a change of the sender.
    pub fn reset(&mut self) {
        self.highest = None;
    }
}

/// The signed way from one wrapped value to another, the shorter way round.
#[must_use]
pub fn distance<const BITS: u32>(from: u32, to: u32) -> i64 {
    let shift = 32 - BITS;
    i64::from((to.wrapping_sub(from) << shift) as i32 >> shift)
}

/// The sequence numbers seen of late, to tell a duplicate from a late packet.
#[derive(Debug, Clone, Default)]
pub struct History {
    highest: i64,
    bits: u128,
}

/// How far back [`History`] remembers.
pub const HISTORY: i64 = 128;

/// What [`History`] knows of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// It was not there before.
    New,
    /// It was.
    Before,
    /// It is older than the memory.
    Forgotten,
}

impl History {
    /// Takes note of an extended sequence number.
    pub fn insert(&mut self, sequence: i64) -> Seen {
        if self.bits == 0 {
            self.highest = sequence;
            self.bits = 1;
            return Seen::New;
        }
        if sequence > self.highest {
            let by = sequence - self.highest;
            self.bits = if by >= HISTORY { 0 } else { self.bits << by };
            self.bits |= 1;
            self.highest = sequence;
            return Seen::New;
        }
        let back = self.highest - sequence;
        if back >= HISTORY {
            return Seen::Forgotten;
        }
        let bit = 1u128 << back;
        let fresh = self.bits & bit == 0;
        self.bits |= bit;
        if fresh { Seen::New } else { Seen::Before }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_wrap_forward_and_a_step_back_over_it() {
        let mut unwrapper = Unwrapper::<16>::default();
        assert_eq!(unwrapper.unwrap(65_534), 65_534);
        assert_eq!(unwrapper.unwrap(1), 65_537);
        assert_eq!(unwrapper.unwrap(65_535), 65_535);
        assert_eq!(unwrapper.unwrap(2), 65_538);
    }

    #[test]
    fn picture_ids_of_fifteen_bits_wrap_at_their_own_size() {
        assert_eq!(distance::<15>(0x7fff, 0), 1);
        assert_eq!(distance::<15>(0, 0x7fff), -1);
        assert_eq!(distance::<32>(u32::MAX, 4), 5);
    }

    #[test]
    fn history_tells_new_from_seen() {
        let mut history = History::default();
        let expected = [
            (10, Seen::New),
            (10, Seen::Before),
            (12, Seen::New),
            (11, Seen::New),
            (11, Seen::Before),
            (1_000, Seen::New),
            (12, Seen::Forgotten),
        ];
        for (sequence, seen) in expected {
            assert_eq!(history.insert(sequence), seen, "{sequence}");
        }
    }

    proptest! {
        #[test]
        fn a_walk_of_small_steps_is_followed_exactly(
            start: u16, steps in proptest::collection::vec(-200i64..400, 1..300)
        ) {
            let mut unwrapper = Unwrapper::<16>::default();
            let mut truth = i64::from(start);
            let mut highest = truth;
            prop_assert_eq!(unwrapper.unwrap(u32::from(start)), truth);
            for step in steps {
                truth = (highest - 10_000).max(truth + step);
                prop_assert_eq!(unwrapper.unwrap(truth.rem_euclid(65_536) as u32), truth);
                highest = highest.max(truth);
            }
        }
    }
}
