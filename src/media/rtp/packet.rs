//! One RTP packet as it passes between media and rtc (temporary seam).

use bytes::Bytes;
use std::time::Instant;

/// One RTP packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RtpPacket {
    /// Payload type, 7 bits.
    pub payload_type: u8,
    /// Marker bit.
    pub marker: bool,
    /// Sequence number.
    pub sequence: u16,
    /// Media timestamp.
    pub timestamp: u32,
    /// Synchronisation source.
    pub ssrc: u32,
    /// Payload without header, extensions and padding.
    pub payload: Bytes,
    /// When the packet arrived (or was made).
    pub arrived: Instant,
}
