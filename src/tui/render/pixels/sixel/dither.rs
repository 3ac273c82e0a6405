//! Ordered dither: what is added to each pixel's luma before its colour is chosen.
//!
//! The pattern is a function of the pixel's place alone, so it stands still while the picture moves.

/// Side of the pattern, which repeats.
pub(super) const SIDE: usize = 8;

/// The luma to add to pixels of the pattern, by row and column.
pub(super) type Pattern = [[i16; SIDE]; SIDE];

/// Bayer's pattern from `-amplitude` to `amplitude`.
pub(super) fn pattern(amplitude: f32) -> Pattern {
    std::array::from_fn(|y| {
        std::array::from_fn(|x| {
            // The bits of x ^ y and of y, lowest first, are the bits of the rank, highest first.
            let rank = (0..3).fold(0, |rank, bit| rank << 2 | ((x ^ y) >> bit & 1) << 1 | y >> bit & 1);
            ((rank as f32 + 0.5) / 32.0 - 1.0).mul_add(amplitude, 0.0).round() as i16
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pattern_has_every_rank_once_and_is_even() {
        let pattern = pattern(63.5);
        let mut ranks: Vec<i16> = pattern.into_iter().flatten().collect();
        assert!(ranks.iter().sum::<i16>().abs() <= 64);
        ranks.sort_unstable();
        ranks.dedup();
        assert_eq!(ranks.len(), SIDE * SIDE);
        assert_eq!(super::pattern(0.0), [[0; SIDE]; SIDE]);
    }
}
