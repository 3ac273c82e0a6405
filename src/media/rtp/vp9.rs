//! The payload descriptor of VP9 (RFC 9628, section 4.2).
//!
//! We send one layer in non-flexible mode, and say its structure with each key frame. What comes may be in either mode
//! and have layers: of spatial ones only the lowest is taken, which depends on no other.

use bytes::{BufMut, Bytes, BytesMut};

use super::Error;
use super::video::{Fragment, Octets, Place};
use crate::media::codec::EncodedFrame;

// The bits of the first octet.
const PICTURE_ID: u8 = 0x80;
const PREDICTED: u8 = 0x40;
const LAYERS: u8 = 0x20;
const FLEXIBLE: u8 = 0x10;
const BEGINS: u8 = 0x08;
const ENDS: u8 = 0x04;
const STRUCTURE: u8 = 0x02;

/// A frame refers to three others at most.
const MOST_REFERENCES: usize = 3;

/// Writes our descriptor: a 15 bit picture id, and at the beginning of a key frame the structure of the stream.
pub(super) fn describe(out: &mut BytesMut, place: Place, frame: &EncodedFrame) {
    let structure = frame.keyframe && place.begins;
    let bits = [
        (PICTURE_ID, true),
        (PREDICTED, !frame.keyframe),
        (BEGINS, place.begins),
        (ENDS, place.ends),
        (STRUCTURE, structure),
    ];
    out.put_u8(bits.into_iter().filter(|(_, set)| *set).map(|(bit, _)| bit).sum());
    out.put_u16(0x8000 | place.picture_id);
    if structure {
        // One spatial layer, its size, and a group of one picture that refers to the one before it.
        let side = |side: u32| u16::try_from(side).unwrap_or(u16::MAX);
        out.put_u8(0x18);
        out.put_u16(side(frame.width));
        out.put_u16(side(frame.height));
        out.put_slice(&[1, 0x04, 1]);
    }
}

/// Reads a descriptor.
pub(super) fn parse(payload: &Bytes) -> Result<Fragment, Error> {
    let mut octets = Octets::new(payload);
    let first = octets.next()?;
    let has = |bit: u8| first & bit != 0;
    let picture_id = if has(PICTURE_ID) { Some(octets.picture_id()?) } else { None };
    let mut layer = 0;
    if has(LAYERS) {
        layer = octets.next()? >> 1 & 7;
        // TL0PICIDX.
        octets.skip(usize::from(!has(FLEXIBLE)));
    }
    if has(FLEXIBLE) && has(PREDICTED) {
        let mut references = 1;
        while octets.next()? & 1 != 0 {
            references += 1;
            if references > MOST_REFERENCES {
                return Err(Error::Descriptor);
            }
        }
    }
    if has(STRUCTURE) {
        skip_structure(&mut octets)?;
    }
    let (head, data) = octets.rest()?;
    if layer > 0 {
        let data = Bytes::new();
        return Ok(Fragment { begins_frame: false, begins_keyframe: false, picture_id, data });
    }
    let begins_frame = has(BEGINS);
    // Not every frame that refers to none is a key frame: `show_existing_frame` and `frame_type` say it.
    let begins_keyframe = begins_frame && !has(PREDICTED) && head & 0x0c == 0;
    Ok(Fragment { begins_frame, begins_keyframe, picture_id, data })
}

/// Passes over the scalability structure (section 4.2.1).
fn skip_structure(octets: &mut Octets<'_>) -> Result<(), Error> {
    let head = octets.next()?;
    if head & 0x10 != 0 {
        octets.skip(4 * (usize::from(head >> 5) + 1));
    }
    if head & 0x08 != 0 {
        for _ in 0..octets.next()? {
            let references = octets.next()? >> 2 & 3;
            octets.skip(references.into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::super::video::{MAX_FRAGMENT, Packetiser, PictureId, frame};
    use super::*;
    use crate::media::codec::VideoCodec;

    /// The first octet of a key frame and of another one.
    const KEY: u8 = 0x82;
    const INTER: u8 = 0x86;

    fn parse(raw: &[u8]) -> Result<Fragment, Error> {
        super::parse(&Bytes::copy_from_slice(raw))
    }

    #[test]
    fn our_descriptors_are_these_octets() {
        let mut packetiser = Packetiser::new(1, 0, 0x1234);
        let mut cut = |data: Vec<u8>, keyframe| {
            let frame = frame(VideoCodec::Vp9, data, keyframe, 0);
            packetiser.packetise(&frame, MAX_FRAGMENT, Instant::now())
        };
        let key = cut([&[KEY][..], &[7; 1_999]].concat(), true);
        // I, B and V; a long id; one layer of 320x180; a group of one.
        let expected = [0x8a, 0x92, 0x34, 0x18, 0x01, 0x40, 0x00, 0xb4, 1, 4, 1, KEY, 7];
        assert_eq!(key[0].payload[..13], expected);
        assert_eq!(key[1].payload[..4], [0x84, 0x92, 0x34, 7]);
        let inter = cut(vec![INTER; 10], false);
        assert_eq!(inter[0].payload[..4], [0xcc, 0x92, 0x35, INTER]);
        let read: Vec<Fragment> =
            key.iter().chain(&inter).map(|packet| super::parse(&packet.payload).unwrap()).collect();
        assert_eq!(read.iter().map(|f| f.begins_frame).collect::<Vec<_>>(), [true, false, true]);
        assert_eq!(read.iter().map(|f| f.begins_keyframe).collect::<Vec<_>>(), [true, false, false]);
        assert_eq!(read.iter().map(|f| f.data.len()).collect::<Vec<_>>(), [1_000, 1_000, 10]);
        assert_eq!(read[2].picture_id, Some(PictureId::Long(0x1235)));
    }

    #[test]
    fn both_modes_and_every_optional_part_are_read() {
        // Non-flexible, short id, layers with TL0PICIDX.
        let plain = parse(&[0xe8, 0x11, 0x00, 0x05, INTER, 1]).unwrap();
        assert_eq!((plain.picture_id, plain.data.len()), (Some(PictureId::Short(0x11)), 2));
        assert!(plain.begins_frame && !plain.begins_keyframe);
        // Flexible, long id, layers without TL0PICIDX, two references.
        let flexible = parse(&[0xf8, 0x92, 0x34, 0x20, 0x03, 0x04, INTER]).unwrap();
        assert_eq!((flexible.picture_id, flexible.data.len()), (Some(PictureId::Long(0x1234)), 1));
        // A key frame with the structure of three layers in two sizes of group pictures.
        let structure = [0x58, 0, 160, 0, 90, 1, 64, 0, 180, 2, 128, 1, 104, 2, 0x08, 1, 2, 0x04, 1];
        let key = parse(&[&[0x8a, 0x01][..], &structure, &[KEY]].concat()).unwrap();
        assert!(key.begins_keyframe && key.data.len() == 1);
        // Nothing but the first octet.
        let bare = parse(&[0x0c, KEY]).unwrap();
        assert!(bare.begins_keyframe && bare.picture_id.is_none());
        // Refers to no other, and is no key frame all the same.
        assert!(!parse(&[0x08, INTER]).unwrap().begins_keyframe);
        assert!(!parse(&[0x48, KEY]).unwrap().begins_keyframe);
    }

    #[test]
    fn higher_spatial_layers_are_left_out() {
        let upper = parse(&[0xa8, 0x11, 0x03, 0x05, KEY, 1, 2]).unwrap();
        assert_eq!(upper.data.len(), 0);
        assert!(!upper.begins_frame && !upper.begins_keyframe);
    }

    #[test]
    fn descriptors_without_a_frame_behind_or_without_sense_are_errors() {
        let truncated: [&[u8]; 9] = [
            &[],
            &[0x08],
            &[0x88, 0x11],
            &[0x88, 0x91],
            &[0xa8, 0x11, 0x00],
            &[0xd8, 0x11, 0x03],
            &[0x0a, 0x18, 0, 1],
            &[0x0a, 0x08, 200, 0x0c],
            &[0x0a, 0xff],
        ];
        for raw in truncated {
            assert_eq!(parse(raw), Err(Error::Truncated), "{raw:?}");
        }
        assert_eq!(parse(&[0xd8, 0x11, 3, 3, 3, 3, INTER]), Err(Error::Descriptor));
    }
}
