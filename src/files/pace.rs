//! How much of a file may be under way, so that a voice beside it does not wait.
//!
//! Pure: time is an argument. While media runs, the delay of acknowledgements against the shortest one seen is kept at
//! [`TARGET`] (as RFC 6817 does) and a little more where the path itself varies, so that the queue of the narrowest link stays
//! short whatever its rate. Without media a window of [`WINDOW`] is under way and the transport's own congestion control has
//! the say.

use std::collections::VecDeque;
use std::time::Duration;

use super::wire::{MAX_DATA, WINDOW};

/// The delay that a file may add to the path.
const TARGET: Duration = Duration::from_millis(20);

/// The least that is under way, bytes: two packets, so that a path is never left unused.
const LEAST: f64 = 2400.0;

/// What is under way at first beside media, bytes: it goes out at once.
const FIRST: f64 = 2.0 * LEAST;

/// The most that is under way beside media, bytes. More would stand in the socket of the receiver, where media stands too.
const MOST: f64 = 192.0 * 1024.0;

/// Blocks in a window, so that it is heard of often.
const BLOCKS: f64 = 8.0;

/// How long the shortest delay is remembered: routes change.
const BASE_FOR: Duration = Duration::from_secs(30);

/// Of so many delays the shortest counts: what only one of them met is jitter, and no queue (RFC 6817, section 3.4.2).
const FILTER: usize = 4;

/// By how much the window grows for what has arrived, while no queue has been seen: a fifth more each round trip, so that
/// the first queue holds no more than that.
const START: f64 = 0.2;

/// The same later, while the queue is short: others may have left.
const AGAIN: f64 = 0.06;

/// How much of what is wanting in the queue, or of what is too much, is made good in a round trip. An answer takes a round
/// trip to be seen, and half of one more in the filter: more than a third would swing.
const ANSWER: f64 = 0.3;

/// Delays over which their variation is averaged, and the most that is made of it, seconds.
const VARIES_OVER: f64 = 32.0;
const MOST_VARIES: f64 = 0.04;

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
    /// No queue has been seen yet.
    starting: bool,
    /// By how much the delay is usually above the shortest of its neighbours, seconds.
    varies: f64,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            media: false,
            window: FIRST,
            base: [None; 2],
            since: Duration::ZERO,
            sent: VecDeque::new(),
            recent: VecDeque::with_capacity(FILTER),
            starting: true,
            varies: 0.0,
        }
    }
}

impl Pace {
    /// Whether media of either side shares the path.
    pub fn set_media(&mut self, media: bool) {
        if media && !self.media {
            self.window = self.window.min(FIRST);
            self.starting = true;
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
            true => ((self.window / BLOCKS) as usize).clamp(LEAST as usize / 2, MAX_DATA),
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
        let shortest = self.recent.iter().min().copied().unwrap_or(delay);
        self.varies += ((delay - shortest).as_secs_f64() - self.varies) / VARIES_OVER;
        let base = self.base.iter().flatten().min().copied().unwrap_or(shortest);
        let queued = shortest.saturating_sub(base).as_secs_f64();
        // What the path varies by is not the file's queue, and a voice is ready for as much.
        let target = TARGET.as_secs_f64() + (2.0 * self.varies).min(MOST_VARIES);
        self.starting &= queued < 0.75 * target;
        // The whole window arrives in a round trip, and what is wanting in the queue is this share of it.
        let wanting = (target - queued) / shortest.max(TARGET).as_secs_f64();
        let least = match (self.starting, queued < target / 2.0) {
            (true, _) => START,
            (false, true) => AGAIN,
            (false, false) => f64::NEG_INFINITY,
        };
        self.window += (ANSWER * wanting).max(least) * bytes as f64;
        self.window = self.window.clamp(LEAST, MOST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A link of `rate` bytes a second whose round trip of this length varies by `jitter`, in order: the window at the end, and
    /// the longest queue of its second half.
    fn link(rate: f64, trip: Duration, jitter: Duration, seconds: u64) -> (u64, Duration) {
        let mut pace = Pace::default();
        pace.set_media(true);
        let mut random = 1_u32;
        let (mut now, mut sent, mut got, mut free) = (Duration::ZERO, 0_u64, 0_u64, Duration::ZERO);
        let mut wire: VecDeque<(u64, Duration)> = VecDeque::new();
        let mut longest = Duration::ZERO;
        while now < Duration::from_secs(seconds) {
            while sent - got < pace.window() {
                let block = (pace.block() as u64).min(pace.window() - (sent - got)).max(1);
                sent += block;
                pace.sent(1, sent, now);
                free = free.max(now) + Duration::from_secs_f64(block as f64 / rate);
                if now > Duration::from_secs(seconds / 2) {
                    longest = longest.max(free - now);
                }
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let varies = jitter.mul_f64(f64::from(random >> 16) / f64::from(1 << 16));
                let before = wire.back().map_or(Duration::ZERO, |&(_, at)| at);
                wire.push_back((sent, before.max(free + trip + varies)));
            }
            if let Some((upto, at)) = wire.pop_front() {
                now = now.max(at);
                pace.got(1, upto, upto - got, now);
                got = upto;
            }
        }
        (pace.window(), longest)
    }

    #[test]
    fn a_voice_waits_no_longer_than_a_moment_on_links_of_any_rate() {
        for rate in [30e3, 100e3, 250e3, 1e6, 10e6] {
            for trip in [1, 20, 80, 200] {
                for jitter in [0, 20] {
                    let (trip, jitter) = (Duration::from_millis(trip), Duration::from_millis(jitter));
                    let (window, queue) = link(rate, trip, jitter, 20);
                    // One packet of a slow link takes longer than the target already.
                    let least = Duration::from_secs_f64(2.0 * LEAST / rate);
                    assert!(
                        queue < 2 * TARGET + least,
                        "{rate} B/s, {trip:?}, {jitter:?}: {queue:?} with {window}"
                    );
                }
            }
        }
    }

    #[test]
    fn an_empty_path_is_used() {
        for jitter in [0, 20] {
            let (window, _) = link(1e6, Duration::from_millis(80), Duration::from_millis(jitter), 20);
            assert!(window >= 70_000, "{jitter} ms: {window}");
        }
    }

    #[test]
    fn without_media_the_window_is_whole() {
        let mut pace = Pace::default();
        assert_eq!((pace.window(), pace.block()), (WINDOW, MAX_DATA));
        pace.set_media(true);
        assert!(pace.window() < 20_000 && pace.block() < 5_000);
    }
}
