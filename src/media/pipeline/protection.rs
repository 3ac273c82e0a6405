//! How much of the sound's bits goes into forward error correction: none on a path that loses nothing, where it would only
//! make the voice worse, and a share on top of the voice where packets get lost.
//!
//! Owns no encoder and no clock: told of losses by reports and of time by blocks.

/// Below this libopus leaves forward error correction out at 24 kbit/s, also at 5 % loss.
const LEAST_EXPECTED_LOSS: u8 = 10;
/// Blocks for which a path counts as lossy after a loss was reported: 10 s, so that one report without a loss changes
/// nothing.
const AFTER_LOSS: u32 = 500;
/// Blocks for which it does at the beginning, until the first reports: 2 s.
const AT_FIRST: u32 = 100;
/// At this rate and above the copies come on top of it; below, whoever set so little has a thin link.
const ROOM_FROM: u32 = 32_000;

/// What to tell the encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) bits_per_second: u32,
    /// In percent; at 0 no copies are made.
    pub(super) expected_loss: u8,
}

/// The protection of one sound.
#[derive(Clone, Copy, Debug)]
pub(super) struct Protection {
    wanted: u32,
    loss: u8,
    /// Blocks left for which copies are made.
    left: u32,
}

impl Protection {
    pub(super) fn new(bits_per_second: u32) -> Self {
        Self { wanted: bits_per_second, loss: LEAST_EXPECTED_LOSS, left: AT_FIRST }
    }

    pub(super) fn set_bitrate(&mut self, bits_per_second: u32) {
        self.wanted = bits_per_second;
    }

    /// The other side says that so much got lost, percent.
    pub(super) fn reported(&mut self, percent: u8) {
        if percent > 0 {
            self.loss = percent.max(LEAST_EXPECTED_LOSS);
            self.left = AFTER_LOSS;
        }
    }

    /// What holds for the next block.
    pub(super) fn block(&mut self) -> Told {
        if self.left == 0 {
            return Told { bits_per_second: self.wanted, expected_loss: 0 };
        }
        self.left -= 1;
        let more = if self.wanted >= ROOM_FROM { self.wanted / 5 * 2 } else { 0 };
        Told { bits_per_second: self.wanted.saturating_add(more), expected_loss: self.loss }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_without_loss_spends_nothing_on_it_and_one_with_loss_keeps_doing_so() {
        let mut protection = Protection::new(40_000);
        assert_eq!(protection.block(), Told { bits_per_second: 56_000, expected_loss: 10 });
        protection.reported(0);
        (1..AT_FIRST).for_each(|_| assert_eq!(protection.block().expected_loss, 10));
        assert_eq!(protection.block(), Told { bits_per_second: 40_000, expected_loss: 0 });
        protection.reported(17);
        for block in 0..2 * AFTER_LOSS {
            let loss = if block < AFTER_LOSS { 17 } else { 0 };
            assert_eq!(protection.block().expected_loss, loss, "{block}");
            if block % 50 == 0 {
                protection.reported(0);
            }
        }
    }

    #[test]
    fn a_thin_link_gets_no_more_than_was_asked_for() {
        let mut protection = Protection::new(12_000);
        assert_eq!(protection.block(), Told { bits_per_second: 12_000, expected_loss: 10 });
    }
}
