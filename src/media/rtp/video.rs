//! Encoded pictures in RTP packets, whatever the codec: cutting a frame into payloads, and reading the payload
//! descriptor of what comes in.
//!
//! Owns the payload types, the sizes and the numbering of outgoing packets; the layouts of the descriptors are in
//! `vp8` and `vp9`, putting frames together again is in `assembly`. Encoded frames are opaque apart from the key
//! frame bit.

use std::time::Instant;

use bytes::{Bytes, BytesMut};

use super::packet::{HEADER_LENGTH, RtpPacket};
use super::{Error, vp8, vp9};
use crate::media::codec::{EncodedFrame, VideoCodec};

/// Payload type of VP8 (90,000, RFC 7741): in our offers, and of every packet of it inside this program.
pub const VP8_PAYLOAD_TYPE: u8 = 96;
/// Payload type of VP9, profile 0 (90,000, RFC 9628).
pub const VP9_PAYLOAD_TYPE: u8 = 98;

/// The largest RTP packet sent, octets, header included: leaves room for SRTP, TURN and UDP
/// within the 1,280 octets that IPv6 promises.
pub const MAX_PACKET: usize = 1_200;
/// Room kept for the header extensions that the peer connection adds.
const EXTENSION_ROOM: usize = 16;
/// The longest descriptor of ours.
const DESCRIPTOR_ROOM: usize = 11;
/// The most octets of a frame in one packet.
pub const MAX_FRAGMENT: usize = MAX_PACKET - HEADER_LENGTH - EXTENSION_ROOM - DESCRIPTOR_ROOM;
/// Nobody wants smaller pieces than this.
const LEAST_FRAGMENT: usize = 200;

/// The payload type of a codec.
#[must_use]
pub fn payload_type(codec: VideoCodec) -> u8 {
    match codec {
        VideoCodec::Vp8 => VP8_PAYLOAD_TYPE,
        VideoCodec::Vp9 => VP9_PAYLOAD_TYPE,
    }
}

/// The codec of a payload type.
#[must_use]
pub fn codec(payload_type: u8) -> Option<VideoCodec> {
    match payload_type {
        VP8_PAYLOAD_TYPE => Some(VideoCodec::Vp8),
        VP9_PAYLOAD_TYPE => Some(VideoCodec::Vp9),
        _ => None,
    }
}

/// Cuts frames into packets and numbers them. The numbers go on when the codec changes.
#[derive(Debug)]
pub struct Packetiser {
    ssrc: u32,
    sequence: u16,
    picture_id: u16,
}

/// Where a packet stands in its frame.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// Fifteen bits.
    pub(super) picture_id: u16,
    pub(super) begins: bool,
    pub(super) ends: bool,
}

impl Packetiser {
    /// Starts at the given numbers, which should be random (RFC 3550, section 5.1).
    #[must_use]
    pub fn new(ssrc: u32, sequence: u16, picture_id: u16) -> Self {
        Self { ssrc, sequence, picture_id: picture_id & 0x7fff }
    }

    /// Cuts one frame into packets of nearly equal size with at most `most` octets of it, nor more than
    /// [`MAX_FRAGMENT`]; the last has the marker. An empty frame makes no packet and uses no picture id.
    pub fn packetise(&mut self, frame: &EncodedFrame, most: usize, now: Instant) -> Vec<RtpPacket> {
        let count = frame.data.len().div_ceil(most.clamp(LEAST_FRAGMENT, MAX_FRAGMENT));
        if count == 0 {
            return Vec::new();
        }
        // Equal sizes: a small last packet costs a whole header and is lost as easily.
        let size = frame.data.len().div_ceil(count);
        let mut buffer = BytesMut::with_capacity(frame.data.len() + count * DESCRIPTOR_ROOM);
        let mut packets = Vec::with_capacity(count);
        let mut fragments = frame.data.chunks(size).enumerate().peekable();
        while let Some((index, fragment)) = fragments.next() {
            let ends = fragments.peek().is_none();
            let place = Place { picture_id: self.picture_id, begins: index == 0, ends };
            match frame.codec {
                VideoCodec::Vp8 => vp8::describe(&mut buffer, place),
                VideoCodec::Vp9 => vp9::describe(&mut buffer, place, frame),
            }
            buffer.extend_from_slice(fragment);
            packets.push(RtpPacket {
                payload_type: payload_type(frame.codec),
                marker: ends,
                sequence: self.sequence,
                timestamp: frame.timestamp,
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

/// What the payload descriptor of one packet says, with the part of the frame after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fragment {
    /// The packet begins the frame.
    pub begins_frame: bool,
    /// The packet begins a key frame.
    pub begins_keyframe: bool,
    /// The picture id, if sent.
    pub picture_id: Option<PictureId>,
    /// Part of the encoded frame; empty when it is of a layer that is left out.
    pub data: Bytes,
}

impl Fragment {
    /// Reads the descriptor of one payload.
    ///
    /// # Errors
    ///
    /// [`Error::Truncated`] when nothing of the frame is left behind the descriptor, [`Error::Descriptor`] when that
    /// makes no sense.
    pub fn parse(codec: VideoCodec, payload: &Bytes) -> Result<Self, Error> {
        match codec {
            VideoCodec::Vp8 => vp8::parse(payload),
            VideoCodec::Vp9 => vp9::parse(payload),
        }
    }
}

/// The octets of a descriptor, one after the other.
pub(super) struct Octets<'a> {
    payload: &'a Bytes,
    at: usize,
}

impl<'a> Octets<'a> {
    pub(super) fn new(payload: &'a Bytes) -> Self {
        Self { payload, at: 0 }
    }

    pub(super) fn next(&mut self) -> Result<u8, Error> {
        let octet = self.payload.get(self.at).copied().ok_or(Error::Truncated)?;
        self.at += 1;
        Ok(octet)
    }

    pub(super) fn skip(&mut self, count: usize) {
        self.at += count;
    }

    /// A picture id of one octet, or of two when the first bit says so.
    pub(super) fn picture_id(&mut self) -> Result<PictureId, Error> {
        let high = self.next()?;
        if high & 0x80 == 0 {
            return Ok(PictureId::Short(high));
        }
        Ok(PictureId::Long(u16::from_be_bytes([high & 0x7f, self.next()?])))
    }

    /// What is behind the descriptor, at least one octet: that one, and all of it.
    pub(super) fn rest(self) -> Result<(u8, Bytes), Error> {
        let head = self.payload.get(self.at).copied().ok_or(Error::Truncated)?;
        Ok((head, self.payload.slice(self.at..)))
    }
}

/// A frame of nothing but these bytes, for tests.
#[cfg(test)]
pub(crate) fn frame(codec: VideoCodec, data: Vec<u8>, keyframe: bool, timestamp: u32) -> EncodedFrame {
    let captured = crate::media::WallTime(0);
    EncodedFrame { codec, data: data.into(), keyframe, timestamp, captured, width: 320, height: 180 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CODECS: [VideoCodec; 2] = [VideoCodec::Vp8, VideoCodec::Vp9];

    #[test]
    fn every_codec_has_its_payload_type() {
        assert!(CODECS.iter().all(|&of| codec(payload_type(of)) == Some(of)));
        assert_eq!(codec(97), None);
    }

    #[test]
    fn picture_id_and_sequence_wrap_and_go_on_over_a_change_of_codec() {
        let mut packetiser = Packetiser::new(1, 65_535, 0x7fff);
        let now = Instant::now();
        let first =
            packetiser.packetise(&frame(VideoCodec::Vp8, vec![1; 2_000], false, 0), MAX_FRAGMENT, now);
        assert_eq!(first.iter().map(|p| p.sequence).collect::<Vec<_>>(), [65_535, 0]);
        let second =
            packetiser.packetise(&frame(VideoCodec::Vp9, vec![0x82; 10], true, 0), MAX_FRAGMENT, now);
        let id = |p: &RtpPacket| {
            Fragment::parse(codec(p.payload_type).unwrap(), &p.payload).unwrap().picture_id.unwrap()
        };
        assert_eq!((second[0].sequence, id(&second[0])), (1, PictureId::Long(0)));
        assert_eq!(id(&first[0]).steps_to(id(&second[0])), Some(1));
    }

    proptest! {
        #[test]
        fn what_is_cut_fits_and_joins_again(data in proptest::collection::vec(any::<u8>(), 0..6_000), keyframe: bool, which in 0usize..2) {
            let frame = frame(CODECS[which], data, keyframe, 90_000);
            let packets = Packetiser::new(7, 9, 3).packetise(&frame, MAX_FRAGMENT, Instant::now());
            let mut joined = Vec::new();
            for (index, packet) in packets.iter().enumerate() {
                prop_assert!(packet.to_bytes().len() + EXTENSION_ROOM <= MAX_PACKET);
                prop_assert_eq!(packet.marker, index + 1 == packets.len());
                let fragment = Fragment::parse(CODECS[which], &packet.payload).unwrap();
                prop_assert_eq!(fragment.begins_frame, index == 0);
                joined.extend_from_slice(&fragment.data);
            }
            prop_assert_eq!(joined, frame.data);
        }

        #[test]
        fn any_payload_parses_or_fails_without_panic(raw in proptest::collection::vec(any::<u8>(), 0..40)) {
            for codec in CODECS {
                let _ = Fragment::parse(codec, &Bytes::copy_from_slice(&raw));
            }
        }
    }
}
