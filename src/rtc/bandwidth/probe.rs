//! Short clusters of packets at a rate above the present one, and what their arrival says.
//!
//! Owns the cluster that is being sent and the one whose arrival is awaited. Says how fast to send and with packets of
//! which size; must not know where the bytes come from (media first, then padding) or what follows from the result.
//! A cluster is so short that it queues for at most its own length on a link that does not carry it. A token bucket
//! lets a cluster through that the link cannot sustain: the result is a hint, never a rate to jump to.

use std::ops::RangeInclusive;

use super::Micros;
use super::history::Arrived;

/// Packets that a cluster has at least.
const FEWEST: u32 = 5;
/// Sizes of padding packets on the wire, in bytes.
const PACKET: RangeInclusive<u32> = 120..=1_200;
/// A cluster that could not be sent in this many times its length is given up.
const PATIENCE: Micros = 4;
/// So many packets suffice when they took so many times as long to arrive as to leave.
const EARLY: u32 = 3;
const NARROW: Micros = 2;
/// Time for the arrival of a cluster to be reported.
const AWAITED: Micros = 3_000_000;

/// A cluster in the making.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Cluster {
    /// Bits per second to send at, everything together.
    pub(super) rate: f64,
    /// Bytes on the wire for each packet that is padded.
    pub(super) packet: u32,
    id: u32,
    bytes: u32,
    until: Micros,
    sent: u32,
    packets: u32,
}

/// A cluster that has left.
#[derive(Clone, Copy, Debug)]
struct Awaited {
    rate: f64,
    last_sent: Micros,
    until: Micros,
    bytes: u32,
}

/// What arrived of the newest cluster: on a short path the first of it is told of before the last has left.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    bytes: u32,
    count: u32,
    /// First and last arrival, and the bytes of the first packet.
    first: Option<(Micros, u32)>,
    last: Micros,
    first_sent: Micros,
    final_sent: Micros,
    final_bytes: u32,
}

impl Tally {
    fn add(&mut self, packet: &Arrived) {
        self.bytes = self.bytes.saturating_add(packet.bytes);
        self.count += 1;
        if self.first.is_none() {
            self.first = Some((packet.arrival, packet.bytes));
            self.first_sent = packet.sent;
        }
        self.last = self.last.max(packet.arrival);
        (self.final_sent, self.final_bytes) = (packet.sent, packet.bytes);
    }

    /// Whether the packets come very much slower than they left: then the first of them tell enough.
    fn is_narrow(&self) -> bool {
        let Some((first, bytes)) = self.first.filter(|_| self.count >= EARLY) else { return false };
        let left = (self.final_sent - self.first_sent).max(1);
        self.bytes > bytes && self.last - first > left * NARROW
    }
}

/// How a cluster came through.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Outcome {
    /// Bits per second that were sent, and that arrived.
    pub(super) sent: f64,
    pub(super) received: f64,
}

/// Makes clusters one after the other.
#[derive(Clone, Debug, Default)]
pub(super) struct Prober {
    next: u32,
    sending: Option<Cluster>,
    awaited: Option<Awaited>,
    tally: Tally,
}

impl Prober {
    /// Begins a cluster of `bits_per_second` that lasts for `length`, unless one is under way.
    pub(super) fn start(&mut self, now: Micros, bits_per_second: f64, length: Micros) {
        if self.busy(now) {
            return;
        }
        let bytes = (bits_per_second * length as f64 / 8e6) as u32;
        let packet = (bytes / FEWEST).clamp(*PACKET.start(), *PACKET.end());
        self.next = self.next.wrapping_add(1);
        (self.awaited, self.tally) = (None, Tally::default());
        self.sending = Some(Cluster {
            rate: bits_per_second,
            packet,
            id: self.next,
            bytes: bytes.max(packet * FEWEST),
            until: now + length * PATIENCE,
            sent: 0,
            packets: 0,
        });
    }

    /// Whether a cluster is being sent or awaited.
    pub(super) fn busy(&self, now: Micros) -> bool {
        self.sending.is_some_and(|cluster| now < cluster.until)
            || self.awaited.is_some_and(|awaited| now < awaited.until)
    }

    /// The cluster that is being sent.
    pub(super) fn sending(&self, now: Micros) -> Option<Cluster> {
        self.sending.filter(|cluster| now < cluster.until)
    }

    /// A packet leaves; the number of the cluster that it belongs to.
    pub(super) fn sent(&mut self, now: Micros, bytes: u32) -> Option<u32> {
        let cluster = self.sending.as_mut().filter(|cluster| now < cluster.until)?;
        cluster.sent = cluster.sent.saturating_add(bytes);
        cluster.packets += 1;
        let id = cluster.id;
        if cluster.packets >= FEWEST && cluster.sent >= cluster.bytes {
            let (rate, bytes) = (cluster.rate, cluster.sent);
            self.awaited = Some(Awaited { rate, last_sent: now, until: now + AWAITED, bytes });
            self.sending = None;
        }
        Some(id)
    }

    /// Takes what a feedback told; the outcome, once the cluster has been reported on.
    pub(super) fn arrived(&mut self, packets: &[Arrived]) -> Option<Outcome> {
        let ours = packets.iter().filter(|packet| packet.cluster == Some(self.next));
        ours.for_each(|packet| self.tally.add(packet));
        let last_sent = self.awaited?.last_sent;
        let over = packets.iter().any(|packet| packet.sent >= last_sent);
        if !over && !self.tally.is_narrow() {
            return None;
        }
        let (awaited, tally) = (self.awaited.take()?, self.tally);
        let (first, first_bytes) = tally.first?;
        // With too many lost there is nothing to measure.
        if over && tally.bytes.saturating_mul(3) < awaited.bytes.saturating_mul(2) {
            return None;
        }
        let rate = |bytes: u32, span: Micros| f64::from(bytes) * 8e6 / span.max(1) as f64;
        let sent = rate(tally.bytes.saturating_sub(tally.final_bytes), tally.final_sent - tally.first_sent);
        let received = rate(tally.bytes.saturating_sub(first_bytes), tally.last - first);
        Some(Outcome { sent: sent.min(awaited.rate * 1.5), received: received.min(awaited.rate * 1.5) })
    }

    /// Gives up what is under way.
    pub(super) fn reset(&mut self) {
        (self.sending, self.awaited) = (None, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends a cluster of 300 kbit/s over a link and reports on it.
    fn through(link: f64) -> Option<Outcome> {
        let mut prober = Prober::default();
        prober.start(0, 300_000.0, 40_000);
        let (mut now, mut free, mut packets) = (0, 0, Vec::new());
        while let Some(cluster) = prober.sending(now) {
            let id = prober.sent(now, cluster.packet);
            free = free.max(now) + (f64::from(cluster.packet) * 8e6 / link) as Micros;
            packets.push(Arrived {
                sent: now,
                arrival: free + 5_000_000,
                bytes: cluster.packet,
                cluster: id,
            });
            now += (f64::from(cluster.packet) * 8e6 / cluster.rate) as Micros;
        }
        assert_eq!(packets.len(), 5);
        prober.arrived(&packets[..3]).or_else(|| prober.arrived(&packets[3..]))
    }

    #[test]
    fn a_cluster_shows_the_rate_of_a_narrow_link_and_its_own_on_a_wide_one() {
        let narrow = through(64_000.0).unwrap();
        assert!((narrow.received / 64_000.0 - 1.0).abs() < 0.02, "{narrow:?}");
        let wide = through(5e6).unwrap();
        assert!((wide.received / 300_000.0 - 1.0).abs() < 0.05, "{wide:?}");
        assert!((wide.sent / 300_000.0 - 1.0).abs() < 0.05, "{wide:?}");
    }

    #[test]
    fn what_arrives_before_the_last_packet_has_left_counts_as_well() {
        let mut prober = Prober::default();
        prober.start(0, 500_000.0, 80_000);
        let (mut now, mut outcome) = (0, None);
        while let Some(cluster) = prober.sending(now) {
            let id = prober.sent(now, cluster.packet);
            // A path of a millisecond, and feedback about each packet.
            let arrived = Arrived { sent: now, arrival: now + 1_000, bytes: cluster.packet, cluster: id };
            outcome = outcome.or(prober.arrived(&[arrived]));
            now += (f64::from(cluster.packet) * 8e6 / cluster.rate) as Micros;
        }
        let outcome = outcome.expect("all of it arrived");
        assert!((outcome.received / 500_000.0 - 1.0).abs() < 0.05, "{outcome:?}");
        assert!(!prober.busy(now));
    }

    #[test]
    fn a_cluster_that_is_lost_or_never_sent_is_given_up() {
        let mut prober = Prober::default();
        prober.start(0, 300_000.0, 40_000);
        assert!(prober.busy(100_000) && !prober.busy(160_000));
        assert_eq!(prober.sent(200_000, 300), None);
        prober.start(200_000, 300_000.0, 40_000);
        for _ in 0..5 {
            prober.sent(210_000, 300);
        }
        let later = Arrived { sent: 250_000, arrival: 300_000, bytes: 100, cluster: None };
        assert_eq!(prober.arrived(&[later]), None);
        assert!(!prober.busy(260_000));
    }
}
