//! VP8 in RTP packets (RFC 7741): cutting an encoded frame into payloads and reading the payload
//! descriptor of what comes in.
//!
//! Owns the descriptor layout and the numbering of outgoing packets; putting frames together again
//! is in `assembly`. Encoded frames are opaque apart from the key frame bit.

use std::time::Instant;

use bytes::{BufMut, Bytes, BytesMut};

use super::Error;
use super::packet::{HEADER_LENGTH, RtpPacket};

/// The largest RTP packet sent, octets, header included: leaves room for SRTP, TURN and UDP
/// within the 1,280 octets that IPv6 promises.
pub const MAX_PACKET: usize = 1_200;
/// Room kept for the header extensions that the peer connection adds.
const EXTENSION_ROOM: usize = 16;
/// Our descriptor: X, then I, then a 15 bit picture id.
const DESCRIPTOR_LENGTH: usize = 4;
/// The most octets of a frame in one packet.
pub const MAX_FRAGMENT: usize = MAX_PACKET - HEADER_LENGTH - EXTENSION_ROOM - DESCRIPTOR_LENGTH;
/// Nobody wants smaller pieces than this.
const LEAST_FRAGMENT: usize = 200;

/// Cuts frames into packets and numbers them.
#[derive(Debug)]
pub struct Packetiser {
    ssrc: u32,
    payload_type: u8,
    sequence: u16,
    picture_id: u16,
}

impl Packetiser {
    /// Starts at the given numbers, which should be random (RFC 3550, section 5.1).
    #[must_use]
    pub fn new(ssrc: u32, payload_type: u8, sequence: u16, picture_id: u16) -> Self {
        Self { ssrc, payload_type, sequence, picture_id: picture_id & 0x7fff }
    }

    /// Cuts one frame into packets of nearly equal size with at most `most` octets of it, nor more than
    /// [`MAX_FRAGMENT`]; the last has the marker. An empty frame makes no packet and uses no picture id.
    pub fn packetise(&mut self, frame: &[u8], timestamp: u32, most: usize, now: Instant) -> Vec<RtpPacket> {
        let count = frame.len().div_ceil(most.clamp(LEAST_FRAGMENT, MAX_FRAGMENT));
        if count == 0 {
            return Vec::new();
        }
        // Equal sizes: a small last packet costs a whole header and is lost as easily.
        let size = frame.len().div_ceil(count);
        let mut buffer = BytesMut::with_capacity(frame.len() + count * DESCRIPTOR_LENGTH);
        let mut packets = Vec::with_capacity(count);
        let mut fragments = frame.chunks(size).enumerate().peekable();
        while let Some((index, fragment)) = fragments.next() {
            buffer.put_u8(0x80 | if index == 0 { 0x10 } else { 0 });
            buffer.put_u8(0x80);
            buffer.put_u16(0x8000 | self.picture_id);
            buffer.put_slice(fragment);
            packets.push(RtpPacket {
                payload_type: self.payload_type,
                marker: fragments.peek().is_none(),
                sequence: self.sequence,
                timestamp,
                ssrc: self.ssrc,
                payload: buffer.split().freeze(),
                arrived: now,
            });
            self.sequence = self.sequence.wrapping_add(1);
        }
        self.picture_id = (self.picture_id + 1) & 0x7fff;
        packets
    }
}

/// A picture id as it was sent, 7 or 15 bits wide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PictureId {
    /// Seven bits.
    Short(u8),
    /// Fifteen bits.
    Long(u16),
}

impl PictureId {
    /// Frames between `self` and a later picture id; `None` when the widths differ.
    #[must_use]
    pub fn steps_to(self, later: Self) -> Option<i64> {
        match (self, later) {
            (Self::Short(a), Self::Short(b)) => Some(super::sequence::distance::<7>(a.into(), b.into())),
            (Self::Long(a), Self::Long(b)) => Some(super::sequence::distance::<15>(a.into(), b.into())),
            _ => None,
        }
    }
}

/// The payload descriptor of one packet (RFC 7741, section 4.2) with the part of the frame after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fragment {
    /// The packet begins the frame: start of partition 0.
    pub begins_frame: bool,
    /// The packet begins a key frame (the inverse of the P bit of the VP8 header).
    pub begins_keyframe: bool,
    /// No other frame depends on this one (N).
    pub non_reference: bool,
    /// The picture id, if sent.
    pub picture_id: Option<PictureId>,
    /// Part of the encoded frame.
    pub data: Bytes,
}

impl Fragment {
    /// Reads the descriptor of one payload.
    ///
    /// # Errors
    ///
    /// [`Error::Truncated`] when nothing of the frame is left behind the descriptor.
    pub fn parse(payload: &Bytes) -> Result<Self, Error> {
        let at = |index: usize| payload.get(index).copied().ok_or(Error::Truncated);
        let first = at(0)?;
        let mut length = 1;
        let mut picture_id = None;
        if first & 0x80 != 0 {
            let extension = at(length)?;
            length += 1;
            if extension & 0x80 != 0 {
                let high = at(length)?;
                length += 1;
                picture_id = Some(if high & 0x80 == 0 {
                    PictureId::Short(high)
                } else {
                    let low = at(length)?;
                    length += 1;
                    PictureId::Long(u16::from_be_bytes([high & 0x7f, low]))
                });
            }
            // TL0PICIDX, and the octet that TID and KEYIDX share.
            length += usize::from(extension & 0x40 != 0);
            length += usize::from(extension & 0x30 != 0);
        }
        let head = at(length)?;
        let begins_frame = first & 0x10 != 0 && first & 0x0f == 0;
        Ok(Self {
            begins_frame,
            begins_keyframe: begins_frame && head & 1 == 0,
            non_reference: first & 0x20 != 0,
            picture_id,
            data: payload.slice(length..),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(raw: &[u8]) -> Result<Fragment, Error> {
        Fragment::parse(&Bytes::copy_from_slice(raw))
    }

    #[test]
    fn the_examples_of_rfc_7741_are_read() {
        // Section 4.5: a key frame in one packet, then a continuation, with 15 and 7 bit ids.
        let key = parse(&[0x90, 0x80, 0x11, 0x00, 0xaa]).unwrap();
        assert_eq!(key.picture_id, Some(PictureId::Short(0x11)));
        assert!(key.begins_keyframe && key.data.len() == 2);
        let long = parse(&[0x90, 0x80, 0x92, 0x34, 0x01]).unwrap();
        assert_eq!(long.picture_id, Some(PictureId::Long(0x1234)));
        assert!(long.begins_frame && !long.begins_keyframe);
        let rest = parse(&[0x80, 0x80, 0x92, 0x34, 0x00]).unwrap();
        assert!(!rest.begins_frame && !rest.begins_keyframe);
        let layers = parse(&[0xb0, 0xf0, 0x11, 0x01, 0x40, 0x01]).unwrap();
        assert!(layers.non_reference && layers.data.len() == 1);
        assert_eq!(parse(&[0x10, 0x00]).unwrap().picture_id, None);
    }

    #[test]
    fn descriptors_without_a_frame_behind_are_errors() {
        for raw in [&[][..], &[0x10], &[0x90], &[0x90, 0x80], &[0x90, 0x80, 0x80], &[0x90, 0xf0, 1, 2]] {
            assert_eq!(parse(raw), Err(Error::Truncated), "{raw:?}");
        }
    }

    #[test]
    fn picture_id_and_sequence_wrap() {
        let mut packetiser = Packetiser::new(1, 96, 65_535, 0x7fff);
        let now = Instant::now();
        let first = packetiser.packetise(&[1; 2_000], 0, MAX_FRAGMENT, now);
        assert_eq!(first.iter().map(|p| p.sequence).collect::<Vec<_>>(), [65_535, 0]);
        let second = packetiser.packetise(&[1; 10], 3_600, MAX_FRAGMENT, now);
        let id = |p: &RtpPacket| Fragment::parse(&p.payload).unwrap().picture_id.unwrap();
        assert_eq!(id(&second[0]), PictureId::Long(0));
        assert_eq!(id(&first[0]).steps_to(id(&second[0])), Some(1));
    }

    proptest! {
        #[test]
        fn what_is_cut_fits_and_joins_again(frame in proptest::collection::vec(any::<u8>(), 0..6_000)) {
            let mut packetiser = Packetiser::new(7, 96, 9, 3);
            let packets = packetiser.packetise(&frame, 90_000, MAX_FRAGMENT, Instant::now());
            let mut joined = Vec::new();
            for (index, packet) in packets.iter().enumerate() {
                prop_assert!(packet.to_bytes().len() + EXTENSION_ROOM <= MAX_PACKET);
                prop_assert_eq!(packet.marker, index + 1 == packets.len());
                let fragment = Fragment::parse(&packet.payload).unwrap();
                prop_assert_eq!(fragment.begins_frame, index == 0);
                joined.extend_from_slice(&fragment.data);
            }
            prop_assert_eq!(joined, frame);
        }

        #[test]
        fn any_payload_parses_or_fails_without_panic(raw in proptest::collection::vec(any::<u8>(), 0..12)) {
            let _ = parse(&raw);
        }
    }
}
