//! When the other side is told what we can draw: at once, and then at most twice a second with what is so by then.
//!
//! Pure: time is an argument.

use std::time::Duration;

use tokio::time::Instant;

use crate::media::pipeline::Limit;

/// The shortest time between two messages.
const BETWEEN: Duration = Duration::from_millis(500);

/// What is to be told, and what was.
#[derive(Debug, Default)]
pub(super) struct Window {
    wanted: Option<Limit>,
    told: Option<Limit>,
    next: Option<Instant>,
}

impl Window {
    /// It is this from now on.
    pub(super) fn is(&mut self, limit: Limit) {
        self.wanted = Some(limit);
    }

    /// When [`Window::take`] has something, if nothing changes; in the past for at once.
    pub(super) fn deadline(&self, now: Instant) -> Option<Instant> {
        (self.wanted != self.told).then(|| self.next.unwrap_or(now))
    }

    /// What is to be told now.
    pub(super) fn take(&mut self, now: Instant) -> Option<Limit> {
        if self.deadline(now)? > now {
            return None;
        }
        self.told = self.wanted;
        self.next = Some(now + BETWEEN);
        self.told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(width: u32) -> Limit {
        Limit { width, height: 96, fps: 25 }
    }

    #[test]
    fn a_window_that_is_dragged_is_told_twice_a_second_and_then_as_it_is() {
        let start = Instant::now();
        let mut window = Window::default();
        assert_eq!(window.take(start), None);
        let mut told = Vec::new();
        for step in 0..100u32 {
            let now = start + Duration::from_millis(u64::from(step) * 10);
            window.is(limit(160 + step));
            told.extend(window.take(now).map(|limit| limit.width));
        }
        assert_eq!(told, [160, 210]);
        let due = window.deadline(start).unwrap();
        assert_eq!(due, start + Duration::from_secs(1));
        assert_eq!(window.take(due), Some(limit(259)));
        // What was told already is not told again.
        assert_eq!(window.deadline(due), None);
        window.is(limit(259));
        assert_eq!(window.take(due + BETWEEN), None);
    }
}
