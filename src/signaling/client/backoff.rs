//! When to try again: a policy, without a clock or randomness of its own.

use std::time::Duration;

/// Exponential back-off with full jitter, so that thousands of clients do not come back at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The upper end of the first wait.
    pub first: Duration,
    /// The upper end that waits grow to, doubling.
    pub most: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Backoff { first: Duration::from_millis(250), most: Duration::from_secs(15) }
    }
}

impl Backoff {
    /// The wait before attempt `attempt` (0 is the first one after a loss), for a `chance` from 0 to 1.
    /// Never less than `at_least`, which the chance goes on top of.
    pub fn wait(&self, attempt: u32, chance: f64, at_least: Duration) -> Duration {
        let doubled = self.first.saturating_mul(1u32.checked_shl(attempt).unwrap_or(u32::MAX));
        let span = doubled.min(self.most);
        at_least.min(self.most) + span.mul_f64(if chance.is_nan() { 1.0 } else { chance.clamp(0.0, 1.0) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_most_and_never_overflow() {
        let backoff = Backoff::default();
        let ms = |attempt| backoff.wait(attempt, 1.0, Duration::ZERO).as_millis();
        assert_eq!([ms(0), ms(1), ms(2), ms(6), ms(31), ms(40)], [250, 500, 1000, 15_000, 15_000, 15_000]);
        assert_eq!(backoff.wait(3, 0.0, Duration::from_millis(700)).as_millis(), 700);
        assert_eq!(backoff.wait(3, f64::NAN, Duration::ZERO).as_millis(), 2000);
    }
}
