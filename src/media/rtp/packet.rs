//! One RTP packet (RFC 3550, section 5.1), read from bytes and written to bytes.
//!
//! Owns the header layout only; payload formats are in their own files. The peer connection hands
//! over packets that its own stack has read, so the parser serves tests, fuzzing and tools.

use std::time::Instant;

use bytes::Bytes;

use super::Error;

/// Length of the fixed header, octets.
pub const HEADER_LENGTH: usize = 12;

/// One RTP packet as plain data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RtpPacket {
    /// Payload type, 0 to 127.
    pub payload_type: u8,
    /// Marker bit: the last packet of a video frame, the first of a talk spurt.
    pub marker: bool,
    /// Sequence number, wraps at 2^16.
    pub sequence: u16,
    /// Media time in the payload's clock (90 kHz video, 48 kHz Opus), wraps at 2^32.
    pub timestamp: u32,
    /// Who sends.
    pub ssrc: u32,
    /// Payload without header, extensions and padding.
    pub payload: Bytes,
    /// When it came in; for an outgoing packet, when it was made.
    pub arrived: Instant,
}

impl RtpPacket {
    /// Reads a packet, skipping contributing sources, header extension and padding.
    ///
    /// # Errors
    ///
    /// [`Error`] when the bytes are no whole RTP packet. Nothing in the input can panic.
    pub fn parse(bytes: &Bytes, arrived: Instant) -> Result<Self, Error> {
        let header = bytes.get(..HEADER_LENGTH).ok_or(Error::Truncated)?;
        if header[0] >> 6 != 2 {
            return Err(Error::Version);
        }
        let mut start = HEADER_LENGTH + 4 * usize::from(header[0] & 0x0f);
        if header[0] & 0x10 != 0 {
            let extension = bytes.get(start..start + 4).ok_or(Error::Truncated)?;
            start += 4 + 4 * usize::from(u16::from_be_bytes([extension[2], extension[3]]));
        }
        if start > bytes.len() {
            return Err(Error::Truncated);
        }
        let mut end = bytes.len();
        if header[0] & 0x20 != 0 {
            let padding = usize::from(bytes[end - 1]);
            if padding == 0 || padding > end - start {
                return Err(Error::Padding);
            }
            end -= padding;
        }
        Ok(Self {
            payload_type: header[1] & 0x7f,
            marker: header[1] & 0x80 != 0,
            sequence: u16::from_be_bytes([header[2], header[3]]),
            timestamp: u32::from_be_bytes([header[4], header[5], header[6], header[7]]),
            ssrc: u32::from_be_bytes([header[8], header[9], header[10], header[11]]),
            payload: bytes.slice(start..end),
            arrived,
        })
    }

    /// Writes the packet with a fixed header and no extensions.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        let mut out = Vec::with_capacity(HEADER_LENGTH + self.payload.len());
        out.push(0x80);
        out.push((u8::from(self.marker) << 7) | (self.payload_type & 0x7f));
        out.extend_from_slice(&self.sequence.to_be_bytes());
        out.extend_from_slice(&self.timestamp.to_be_bytes());
        out.extend_from_slice(&self.ssrc.to_be_bytes());
        out.extend_from_slice(&self.payload);
        out.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn extensions_sources_and_padding_are_skipped() {
        let mut raw = vec![0x80 | 0x20 | 0x10 | 1, 0x80 | 96, 0, 7, 0, 0, 0, 9, 0, 0, 0, 1];
        raw.extend_from_slice(&[1, 1, 1, 1]); // one contributing source
        raw.extend_from_slice(&[0xbe, 0xde, 0, 1, 5, 5, 5, 5]); // extension of one word
        raw.extend_from_slice(b"hello");
        raw.extend_from_slice(&[0, 0, 3]);
        let packet = RtpPacket::parse(&raw.into(), Instant::now()).unwrap();
        assert_eq!(packet.payload, &b"hello"[..]);
        assert!(packet.marker);
        assert_eq!((packet.payload_type, packet.sequence, packet.timestamp), (96, 7, 9));
    }

    #[test]
    fn wrong_version_short_header_and_wild_padding_are_errors() {
        let now = Instant::now();
        let parse = |raw: &[u8]| RtpPacket::parse(&Bytes::copy_from_slice(raw), now);
        assert_eq!(parse(&[0x80; 11]), Err(Error::Truncated));
        assert_eq!(parse(&[0x40; 12]), Err(Error::Version));
        let mut raw = [0u8; 13];
        raw[0] = 0xa0;
        assert_eq!(parse(&raw), Err(Error::Padding));
        raw[12] = 2;
        assert_eq!(parse(&raw), Err(Error::Padding));
        let mut bare = [0u8; 12];
        bare[0] = 0xa0;
        assert_eq!(parse(&bare), Err(Error::Padding));
        bare[0] = 0x8f;
        assert_eq!(parse(&bare), Err(Error::Truncated));
    }

    proptest! {
        #[test]
        fn any_bytes_parse_or_fail_without_panic(raw in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = RtpPacket::parse(&raw.into(), Instant::now());
        }

        #[test]
        fn what_is_written_is_read_back(
            payload_type in 0u8..128, marker: bool, sequence: u16, timestamp: u32, ssrc: u32,
            payload in proptest::collection::vec(any::<u8>(), 0..64),
        ) {
            let packet = RtpPacket {
                payload_type, marker, sequence, timestamp, ssrc,
                payload: payload.into(), arrived: Instant::now(),
            };
            let back = RtpPacket::parse(&packet.to_bytes(), packet.arrived);
            prop_assert_eq!(back, Ok(packet));
        }
    }
}
