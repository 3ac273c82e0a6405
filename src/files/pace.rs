//! How much of a file may be under way, so that a voice beside it does not wait.
//!
//! Pure: time is an argument. While media runs, the delay of acknowledgements against the shortest one seen is kept at
//! [`TARGET`] (as RFC 6817 does), so that the queue of the narrowest link stays short whatever its rate. Without media a
//! window of [`WINDOW`] is under way and the transport's own congestion control has the say.

use std::collections::VecDeque;
use std::time::Duration;

use super::wire::{MAX_DATA, WINDOW};

/// The delay that a file may add to the path.
const TARGET: Duration = Duration::from_millis(20);

/// The least that is under way, bytes: two packets, so that a path is never left unused.
const LEAST: f64 = 2400.0;

/// The most that is under way beside media, bytes. More would stand in the socket of the receiver, where media stands too.
const MOST: f64 = 192.0 * 1024.0;

/// How long the shortest delay is remembered: routes change.
const BASE_FOR: Duration = Duration::from_secs(30);

/// Of so many delays the shortest counts: what only one of them met is jitter, and no queue (RFC 6817, section 3.4.2).
const FILTER: usize = 4;

/// Sent and not acknowledged blocks that are remembered; further ones give no sample.
const SAMPLES: usize = 512;

/// The window of one direction, for all its files together.
#[derive(Debug)]
pub struct Pace {
    media: bool,
    window: f64,
    /// The shortest delay of this stretch of time and of the one before, and when this one began.
    base: [Option<Duration>; 2],
    since: Duration,
    /// What was sent and is not acknowledged: whose, up to where, when.
    sent: VecDeque<(u32, u64, Duration)>,
    /// The last delays.
    recent: VecDeque<Duration>,
    /// The window was made smaller; not again before this.
    eased: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            media: false,
            window: 4.0 * LEAST,
            base: [None; 2],
            since: Duration::ZERO,
            sent: VecDeque::new(),
            recent: VecDeque::with_capacity(FILTER),
            eased: Duration::ZERO,
        }
    }
}

impl Pace {
    /// Whether media of either side shares the path.
    pub fn set_media(&mut self, media: bool) {
        if media && !self.media {
            self.window = self.window.min(4.0 * LEAST);
        }
        self.media = media;
    }

    /// Bytes that may be under way now.
    #[must_use]
    pub fn window(&self) -> u64 {
        if self.media { self.window as u64 } else { WINDOW }
    }

    /// Bytes to put in one message: a small window is not given away in one piece.
    #[must_use]
    pub fn block(&self) -> usize {
        match self.media {
            true => ((self.window / 4.0) as usize).clamp(LEAST as usize / 2, MAX_DATA),
            false => MAX_DATA,
        }
    }

    /// Everything of a file before `upto` was handed to the channel.
    pub fn sent(&mut self, file: u32, upto: u64, now: Duration) {
        if self.sent.len() < SAMPLES {
            self.sent.push_back((file, upto, now));
        }
    }

    /// Everything of a file before `upto` is known to have arrived.
    pub fn got(&mut self, file: u32, upto: u64, bytes: u64, now: Duration) {
        let mut latest = None;
        self.sent.retain(|(of, end, at)| {
            let gone = *of == file && *end <= upto;
            if gone {
                latest = latest.max(Some(*at));
            }
            !gone
        });
        if let Some(at) = latest {
            self.sample(now.saturating_sub(at), bytes, now);
        }
    }

    /// Nothing more will be heard of a file.
    pub fn forget(&mut self, file: u32) {
        self.sent.retain(|(of, ..)| *of != file);
    }

    fn sample(&mut self, delay: Duration, bytes: u64, now: Duration) {
        if now.saturating_sub(self.since) > BASE_FOR {
            self.base = [None, self.base[0]];
            self.since = now;
        }
        self.base[0] = Some(self.base[0].map_or(delay, |base| base.min(delay)));
        if self.recent.len() == FILTER {
            self.recent.pop_front();
        }
        self.recent.push_back(delay);
        let delay = self.recent.iter().min().copied().unwrap_or(delay);
        let base = self.base.iter().flatten().min().copied().unwrap_or(delay);
        let queued = delay.saturating_sub(base).as_secs_f64() / TARGET.as_secs_f64();
        // The path takes a round trip to answer: it is eased once for each.
        if queued > 1.0 && now >= self.eased {
            self.window /= (1.0 + (queued - 1.0) / 2.0).min(2.0);
            self.eased = now + delay;
        } else if queued < 1.0 {
            // Twice as much after a round trip on an empty path, less the fuller it is.
            self.window += (1.0 - queued) * bytes as f64 / 2.0;
        }
        self.window = self.window.clamp(LEAST, MOST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A link of `rate` bytes a second and this delay both ways together; gives the window and the queue's delay at the end.
    fn link(rate: f64, trip: Duration, seconds: u64) -> (u64, Duration) {
        let mut pace = Pace::default();
        pace.set_media(true);
        let (mut now, mut sent, mut got, mut free) = (Duration::ZERO, 0_u64, 0_u64, Duration::ZERO);
        let mut wire: VecDeque<(u64, Duration)> = VecDeque::new();
        let mut queue = Duration::ZERO;
        while now < Duration::from_secs(seconds) {
            while sent - got < pace.window() {
                let block = (pace.block() as u64).min(pace.window() - (sent - got)).max(1);
                sent += block;
                pace.sent(1, sent, now);
                free = free.max(now) + Duration::from_secs_f64(block as f64 / rate);
                queue = free - now;
                wire.push_back((sent, free + trip));
            }
            if let Some((upto, at)) = wire.pop_front() {
                now = now.max(at);
                pace.got(1, upto, upto - got, now);
                got = upto;
            }
        }
        (pace.window(), queue)
    }

    #[test]
    fn a_voice_waits_no_longer_than_a_moment_on_links_of_any_rate() {
        for rate in [30e3, 100e3, 1e6, 10e6] {
            for trip in [1, 20, 80] {
                let (window, queue) = link(rate, Duration::from_millis(trip), 20);
                // One packet of a slow link takes longer than the target already.
                let least = Duration::from_secs_f64(2.0 * LEAST / rate);
                assert!(queue < 2 * TARGET + least, "{rate} B/s, {trip} ms: {queue:?} with {window}");
            }
        }
    }

    #[test]
    fn an_empty_path_is_used() {
        let (window, _) = link(1e6, Duration::from_millis(40), 20);
        assert!(window >= 40_000, "{window}");
    }

    #[test]
    fn without_media_the_window_is_whole() {
        let mut pace = Pace::default();
        assert_eq!((pace.window(), pace.block()), (WINDOW, MAX_DATA));
        pace.set_media(true);
        assert!(pace.window() < 20_000 && pace.block() < 5_000);
    }
}
