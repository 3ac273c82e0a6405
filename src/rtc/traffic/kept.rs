//! Packets that were sent and may be asked for again (RFC 4585, section 6.2.1).
//!
//! Owns the last packets of one stream by sequence number. Must not know the wire. Pure: time is an argument.

use std::time::{Duration, Instant};

use ::rtc::rtp::Packet;

/// After this long a packet that was to be sent again is not waiting any more: it was dropped.
const WAITS: Duration = Duration::from_secs(1);

/// A packet, and what became of it.
#[derive(Debug)]
struct Kept {
    packet: Packet,
    again: Option<Again>,
}

/// When a packet was asked for again, or has left again.
#[derive(Clone, Copy, Debug)]
enum Again {
    Waits(Instant),
    Left(Instant),
}

/// The last packets of one stream.
#[derive(Debug)]
pub(super) struct Sent {
    /// By sequence number, modulo the length.
    ring: Vec<Option<Kept>>,
}

impl Sent {
    /// Room for so many packets.
    pub(super) fn new(packets: u16) -> Self {
        Self { ring: (0..packets.max(1)).map(|_| None).collect() }
    }

    /// A packet leaves for the first time.
    pub(super) fn keep(&mut self, packet: Packet) {
        let at = self.index(packet.header.sequence_number);
        self.ring[at] = Some(Kept { packet, again: None });
    }

    /// The packet with this number, to be sent again: unless it is too old to be known, waits for its turn already, or has
    /// left again so lately that the other side cannot have missed it since.
    pub(super) fn again(&mut self, now: Instant, sequence: u16, pause: Duration) -> Option<Packet> {
        let at = self.index(sequence);
        let kept = self.ring[at].as_mut().filter(|kept| kept.packet.header.sequence_number == sequence)?;
        let soon = |at, pause| now.saturating_duration_since(at) < pause;
        match kept.again {
            Some(Again::Waits(since)) if soon(since, WAITS) => return None,
            Some(Again::Left(at)) if soon(at, pause) => return None,
            _ => {}
        }
        kept.again = Some(Again::Waits(now));
        Some(kept.packet.clone())
    }

    /// The packet with this number has left again.
    pub(super) fn left(&mut self, now: Instant, sequence: u16) {
        let at = self.index(sequence);
        if let Some(kept) = &mut self.ring[at]
            && kept.packet.header.sequence_number == sequence
        {
            kept.again = Some(Again::Left(now));
        }
    }

    fn index(&self, sequence: u16) -> usize {
        usize::from(sequence) % self.ring.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_is_sent_again_once_a_round_trip_and_for_as_long_as_it_is_known() {
        let start = Instant::now();
        let pause = Duration::from_millis(40);
        let mut sent = Sent::new(4);
        let packet = |sequence_number| Packet {
            header: ::rtc::rtp::Header { sequence_number, ..Default::default() },
            ..Default::default()
        };
        for sequence in [65_534, 65_535, 0, 1, 2] {
            sent.keep(packet(sequence));
        }
        assert_eq!(sent.again(start, 65_534, pause), None, "it gave way to 2");
        assert_eq!(sent.again(start, 3, pause), None, "it was never sent");
        assert_eq!(sent.again(start, 65_535, pause), Some(packet(65_535)));
        assert_eq!(sent.again(start + pause * 3, 65_535, pause), None, "it waits for its turn");
        let left = start + pause * 4;
        sent.left(left, 65_535);
        assert_eq!(sent.again(left + pause / 2, 65_535, pause), None);
        assert_eq!(sent.again(left + pause, 65_535, pause), Some(packet(65_535)));
        assert_eq!(sent.again(left + pause + WAITS, 65_535, pause), Some(packet(65_535)), "it was dropped");
    }
}
