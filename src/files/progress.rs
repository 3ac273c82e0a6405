//! How fast a transfer goes and how long it will take. Pure: time is an argument.

use std::collections::VecDeque;
use std::time::Duration;

/// The stretch that a rate is taken over.
const OVER: Duration = Duration::from_secs(4);

/// How often progress is worth telling.
const EVERY: Duration = Duration::from_millis(250);

/// The progress of one transfer.
#[derive(Debug, Default)]
pub struct Progress {
    /// What was there at which time, over the last [`OVER`].
    points: VecDeque<(Duration, u64)>,
    told: Option<Duration>,
}

impl Progress {
    /// So many bytes are done now; true when it is time to tell.
    pub fn add(&mut self, done: u64, now: Duration) -> bool {
        while self.points.len() > 1
            && self.points.front().is_some_and(|(at, _)| now.saturating_sub(*at) > OVER)
        {
            self.points.pop_front();
        }
        let due = self.told.is_none_or(|told| now.saturating_sub(told) >= EVERY);
        if due {
            self.told = Some(now);
            self.points.push_back((now, done));
        }
        due
    }

    /// Bytes a second; 0 when it can't be told yet.
    #[must_use]
    pub fn rate(&self) -> u64 {
        let (Some((first, from)), Some((last, upto))) = (self.points.front(), self.points.back()) else {
            return 0;
        };
        let seconds = last.saturating_sub(*first).as_secs_f64();
        if seconds <= 0.0 { 0 } else { (upto.saturating_sub(*from) as f64 / seconds) as u64 }
    }

    /// How long the rest of `size` bytes takes at this rate.
    #[must_use]
    pub fn left(&self, size: u64) -> Option<Duration> {
        let (_, done) = self.points.back()?;
        let rate = self.rate();
        (rate > 0).then(|| Duration::from_secs(size.saturating_sub(*done).div_ceil(rate)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_last_seconds() {
        let mut progress = Progress::default();
        let mut told = 0;
        for tenth in 0..=200_u64 {
            let done = if tenth < 100 { tenth * 10_000 } else { 1_000_000 + (tenth - 100) * 100_000 };
            told += u32::from(progress.add(done, Duration::from_millis(tenth * 100)));
        }
        assert_eq!(told, 67);
        assert!((900_000..=1_100_000).contains(&progress.rate()), "{}", progress.rate());
        assert!(progress.left(31_000_000).is_some_and(|left| (19..=22).contains(&left.as_secs())));
    }

    #[test]
    fn nothing_is_told_of_what_did_not_move() {
        let mut progress = Progress::default();
        assert_eq!((progress.rate(), progress.left(10)), (0, None));
        assert!(progress.add(0, Duration::ZERO));
        assert!(!progress.add(1, Duration::from_millis(10)));
        assert_eq!((progress.rate(), progress.left(10)), (0, None));
    }
}
