//! Wall time, the only clock that two machines share; read here and nowhere else in media.
//!
//! Owns [`WallTime`] and its one reading of the system clock. Everything else in media is handed its times.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Microseconds since the UNIX epoch: when something was captured or shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WallTime(pub u64);

impl WallTime {
    /// The system clock's time now. A clock before 1970 reads as zero.
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
    }

    /// Microseconds since the UNIX epoch.
    pub fn micros(self) -> u64 {
        self.0
    }

    /// The time that passed from `earlier` to `self`; zero when `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// Microseconds from `earlier` to `self`, negative when `earlier` is later.
    pub fn signed_since(self, earlier: Self) -> i64 {
        self.0.wrapping_sub(earlier.0) as i64
    }
}

impl std::ops::Add<Duration> for WallTime {
    type Output = Self;

    fn add(self, later: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(later.as_micros()).unwrap_or(u64::MAX)))
    }
}

impl std::ops::Sub<Duration> for WallTime {
    type Output = Self;

    fn sub(self, earlier: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(earlier.as_micros()).unwrap_or(u64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_do_not_underflow() {
        let (a, b) = (WallTime(5), WallTime(9));
        assert_eq!(b.since(a), Duration::from_micros(4));
        assert_eq!(a.since(b), Duration::ZERO);
        assert_eq!(a.signed_since(b), -4);
        assert_eq!(a - Duration::from_secs(1), WallTime(0));
        assert_eq!(WallTime(u64::MAX) + Duration::from_secs(1), WallTime(u64::MAX));
    }

    #[test]
    fn now_is_after_the_first_line_of_this_file() {
        assert!(WallTime::now() > WallTime(1_700_000_000_000_000));
    }
}
