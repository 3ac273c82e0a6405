//! The payload descriptor of VP8 (RFC 7741, section 4.2).

use bytes::{BufMut, Bytes, BytesMut};

use super::Error;
use super::video::{Fragment, Octets, Place};

/// Writes our descriptor: X, then I, then a 15 bit picture id.
pub(super) fn describe(out: &mut BytesMut, place: Place) {
    out.put_u8(0x80 | if place.begins { 0x10 } else { 0 });
    out.put_u8(0x80);
    out.put_u16(0x8000 | place.picture_id);
}

/// Reads a descriptor. The packet begins the frame at the start of partition 0, and a key frame when the P bit of the
/// VP8 header is not set.
pub(super) fn parse(payload: &Bytes) -> Result<Fragment, Error> {
    let mut octets = Octets::new(payload);
    let first = octets.next()?;
    let mut picture_id = None;
    if first & 0x80 != 0 {
        let extension = octets.next()?;
        if extension & 0x80 != 0 {
            picture_id = Some(octets.picture_id()?);
        }
        // TL0PICIDX, and the octet that TID and KEYIDX share.
        octets.skip(usize::from(extension & 0x40 != 0));
        octets.skip(usize::from(extension & 0x30 != 0));
    }
    let (head, data) = octets.rest()?;
    let begins_frame = first & 0x10 != 0 && first & 0x0f == 0;
    Ok(Fragment { begins_frame, begins_keyframe: begins_frame && head & 1 == 0, picture_id, data })
}

#[cfg(test)]
mod tests {
    use super::super::video::PictureId;
    use super::*;

    fn parse(raw: &[u8]) -> Result<Fragment, Error> {
        super::parse(&Bytes::copy_from_slice(raw))
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
        assert_eq!(layers.data.len(), 1);
        assert_eq!(parse(&[0x10, 0x00]).unwrap().picture_id, None);
    }

    #[test]
    fn descriptors_without_a_frame_behind_are_errors() {
        for raw in [&[][..], &[0x10], &[0x90], &[0x90, 0x80], &[0x90, 0x80, 0x80], &[0x90, 0xf0, 1, 2]] {
            assert_eq!(parse(raw), Err(Error::Truncated), "{raw:?}");
        }
    }
}
