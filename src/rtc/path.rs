//! What is known of the path: the selected pair, round-trip times, what the other side reports of
//! our media, and counters. Written by the interceptors, read by `Peer::stats`. Bounded memory.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// One end of the selected candidate pair.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PathEnd {
    /// `host`, `srflx`, `prflx` or `relay`.
    pub candidate_type: String,
    /// `udp` or `tcp`.
    pub protocol: String,
    /// `address:port`, an IPv6 address in brackets.
    pub address: String,
}

/// A distribution of durations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Distribution {
    /// Median of the kept samples.
    pub p50: Duration,
    /// 95th percentile of the kept samples.
    pub p95: Duration,
    /// Largest of all samples.
    pub max: Duration,
}

/// What the other side last reported of one of our streams (RFC 3550, section 6.4.1).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct RemoteReport {
    /// Share lost since its report before, 0 to 1.
    pub fraction_lost: f64,
    /// Packets lost since the start.
    pub packets_lost: i64,
    /// Interarrival jitter.
    pub jitter: Duration,
}

/// Counters of one medium.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct MediumStats {
    /// RTP packets sent, retransmissions included.
    pub packets_sent: u64,
    /// RTP payload bytes sent, retransmissions included.
    pub bytes_sent: u64,
    /// RTP packets received, retransmissions included.
    pub packets_received: u64,
    /// RTP payload bytes received, retransmissions included.
    pub bytes_received: u64,
    /// Packets that were sent again because the other side asked.
    pub retransmitted: u64,
    /// Packets that the other side asked for again.
    pub nacks_received: u64,
    /// Packets that we asked for again (each request for each packet counts).
    pub nacks_sent: u64,
    /// Packets given to the outlet and dropped: not connected, or the queue was full.
    pub dropped: u64,
    /// The last report of the other side.
    pub remote: Option<RemoteReport>,
}

/// A snapshot of the path.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PathStats {
    /// Our end of the selected pair.
    pub local: Option<PathEnd>,
    /// The other end of the selected pair.
    pub remote: Option<PathEnd>,
    /// How our relay is reached (`udp`, `tcp` or `tls`), when our end is relayed.
    pub relay_protocol: Option<String>,
    /// Round-trip time, by RTCP reports and consent checks; absent before the first.
    pub rtt: Option<Distribution>,
    /// The latest of it.
    pub latest_rtt: Option<Duration>,
    /// ICE restarts that were applied.
    pub restarts: u64,
    /// Counters of audio.
    pub audio: MediumStats,
    /// Counters of video.
    pub video: MediumStats,
    /// Keyframe requests (PLI) that we sent.
    pub keyframe_requests_sent: u64,
    /// Keyframe requests (PLI and FIR) that we received.
    pub keyframe_requests_received: u64,
    /// RTP and RTCP bytes sent, with RTP headers, without those of SRTP, UDP and IP.
    pub bytes_sent: u64,
    /// RTP and RTCP bytes received, counted alike.
    pub bytes_received: u64,
    /// Bits per second on the wire that the path carries in our direction; none when the other side does not tell.
    pub available: Option<f64>,
}

/// The last round-trip times. At one or two samples a second this holds about ten minutes.
const RTT_SAMPLES: usize = 1024;

/// A window of durations; the oldest gives way when it is full.
#[derive(Debug, Default)]
pub(super) struct Window {
    samples: Vec<Duration>,
    next: usize,
    max: Duration,
}

impl Window {
    /// Takes one sample.
    pub(super) fn add(&mut self, sample: Duration) {
        self.max = self.max.max(sample);
        if self.samples.len() < RTT_SAMPLES {
            self.samples.push(sample);
        } else {
            self.samples[self.next] = sample;
            self.next = (self.next + 1) % RTT_SAMPLES;
        }
    }

    /// The distribution, when there is a sample.
    pub(super) fn distribution(&self) -> Option<Distribution> {
        if self.samples.is_empty() {
            return None;
        }
        let mut sorted = self.samples.clone();
        sorted.sort_unstable();
        let at = |share: usize| sorted[(sorted.len() - 1) * share / 100];
        Some(Distribution { p50: at(50), p95: at(95), max: self.max })
    }
}

/// Counters that the packet path bumps without a lock.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) packets_sent: AtomicU64,
    pub(super) bytes_sent: AtomicU64,
    pub(super) packets_received: AtomicU64,
    pub(super) bytes_received: AtomicU64,
    pub(super) retransmitted: AtomicU64,
    pub(super) nacks_received: AtomicU64,
    pub(super) nacks_sent: AtomicU64,
    pub(super) dropped: AtomicU64,
}

impl Counters {
    /// Reads the counters and joins them with what the other side reported.
    pub(super) fn read(&self, remote: Option<RemoteReport>) -> MediumStats {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        MediumStats {
            packets_sent: get(&self.packets_sent),
            bytes_sent: get(&self.bytes_sent),
            packets_received: get(&self.packets_received),
            bytes_received: get(&self.bytes_received),
            retransmitted: get(&self.retransmitted),
            nacks_received: get(&self.nacks_received),
            nacks_sent: get(&self.nacks_sent),
            dropped: get(&self.dropped),
            remote,
        }
    }
}

/// Adds to a counter; the order between counters does not matter.
pub(super) fn bump(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_forgets_old_samples_but_not_the_largest() {
        let mut window = Window::default();
        assert_eq!(window.distribution(), None);
        window.add(Duration::from_secs(9));
        for n in 0..2000u64 {
            window.add(Duration::from_millis(n % 100));
        }
        let seen = window.distribution().unwrap();
        assert_eq!(seen.max, Duration::from_secs(9));
        assert!((45..55).contains(&seen.p50.as_millis()), "{seen:?}");
        assert!((90..100).contains(&seen.p95.as_millis()), "{seen:?}");
        assert_eq!(window.samples.len(), RTT_SAMPLES);
    }
}
