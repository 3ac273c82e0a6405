//! The seam towards media: what arrives from the network.

use std::time::Instant;

use crate::media::pipeline::{Bandwidth, Inlet, Kind};
use crate::media::rtp::packet::RtpPacket;

/// Takes what arrives. Called from the task that drives the connection: it must never block, and
/// what it cannot take it drops.
pub trait Inbound: Send + Sync {
    /// One RTP packet, in order of arrival, duplicates and retransmissions included.
    fn rtp(&self, kind: Kind, packet: RtpPacket);
    /// A sender report: `ntp` (RFC 3550, 64 bits) and `rtp` name the same instant at the sender.
    fn sender_report(&self, kind: Kind, ntp: u64, rtp: u32, arrived: Instant);
    /// The other side asks for a keyframe (PLI, RFC 4585, or FIR, RFC 5104).
    fn keyframe_requested(&self);
    /// News of the path in our direction. Answers what would be sent if there were room, in bits per second on the wire.
    fn bandwidth(&self, path: Bandwidth) -> f64;
    /// The most that may be sent of everything, in bits per second on the wire, whatever the path carries.
    fn most(&self) -> f64 {
        f64::INFINITY
    }
}

impl Inbound for Inlet {
    fn rtp(&self, kind: Kind, packet: RtpPacket) {
        Inlet::rtp(self, kind, packet);
    }

    fn sender_report(&self, kind: Kind, ntp: u64, rtp: u32, arrived: Instant) {
        Inlet::sender_report(self, kind, ntp, rtp, arrived);
    }

    fn keyframe_requested(&self) {
        Inlet::keyframe_requested(self);
    }

    fn bandwidth(&self, path: Bandwidth) -> f64 {
        Inlet::bandwidth(self, path)
    }

    fn most(&self) -> f64 {
        Inlet::most(self)
    }
}
