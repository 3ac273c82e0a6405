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

    /// Date and time of this machine's time zone as digits for a file name: `20261231-235959`. Where the zone is not known, UTC.
    #[must_use]
    pub fn local_digits(self) -> String {
        let seconds = self.0 / 1_000_000;
        let [year, month, day, hour, minute, second] = zone(seconds).unwrap_or_else(|| utc(seconds));
        format!("{year:04}{month:02}{day:02}-{hour:02}{minute:02}{second:02}")
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

/// Year, month, day, hour, minute and second by the time zone of this machine.
#[cfg(unix)]
fn zone(seconds: u64) -> Option<[i64; 6]> {
    let seconds = libc::time_t::try_from(seconds).ok()?;
    let mut parts = std::mem::MaybeUninit::<libc::tm>::zeroed();
    // SAFETY: both pointers are to live values of the right types; all zeros is a valid `tm`, filled in or not.
    let parts = unsafe {
        if libc::localtime_r(&raw const seconds, parts.as_mut_ptr()).is_null() {
            return None;
        }
        parts.assume_init()
    };
    let numbers =
        [1_900 + parts.tm_year, 1 + parts.tm_mon, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec];
    Some(numbers.map(i64::from))
}

#[cfg(not(unix))]
fn zone(_: u64) -> Option<[i64; 6]> {
    None
}

/// The same in UTC, by the proleptic Gregorian calendar.
fn utc(seconds: u64) -> [i64; 6] {
    let days = i64::try_from(seconds / 86_400).unwrap_or(0) + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // Years begin with March in here, so that a leap day is the last one.
    let month = (5 * day + 2) / 153;
    let (day, later) = (day - (153 * month + 2) / 5 + 1, i64::from(month >= 10));
    let rest = i64::try_from(seconds % 86_400).unwrap_or(0);
    [year + era * 400 + later, month + 3 - 12 * later, day, rest / 3_600, rest / 60 % 60, rest % 60]
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
    fn a_time_has_its_date() {
        assert_eq!(utc(0), [1970, 1, 1, 0, 0, 0]);
        assert_eq!(utc(951_782_399), [2000, 2, 28, 23, 59, 59]);
        assert_eq!(utc(951_868_799), [2000, 2, 29, 23, 59, 59]);
        assert_eq!(utc(1_798_761_599), [2026, 12, 31, 23, 59, 59]);
        assert_eq!(WallTime(1_700_000_000_000_000).local_digits().len(), "20231114-221320".len());
    }

    #[test]
    fn now_is_after_the_first_line_of_this_file() {
        assert!(WallTime::now() > WallTime(1_700_000_000_000_000));
    }
}
