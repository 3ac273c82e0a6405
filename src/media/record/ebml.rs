//! EBML (RFC 8794), as far as a writer needs it: ids, sizes, elements, room that is kept free.
//!
//! Owns the bytes of single elements. Must not know what they mean.

/// A size that nobody knows yet, in eight bytes: what is written until the file is finished.
pub(super) const UNKNOWN: [u8; 8] = [0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];

/// The id of an element without meaning.
const VOID: u32 = 0xec;

/// An id; its length marker is part of it.
pub(super) fn id(out: &mut Vec<u8>, id: u32) {
    let bytes = id.to_be_bytes();
    let zeros = id.leading_zeros() as usize / 8;
    out.extend_from_slice(&bytes[zeros.min(3)..]);
}

/// A size in as few bytes as it takes.
pub(super) fn size(out: &mut Vec<u8>, size: u64) {
    // All ones would mean that the size is unknown.
    let length = (1..8).find(|length| size < (1 << (7 * length)) - 1).unwrap_or(8);
    let marked = size | 1 << (7 * length);
    out.extend_from_slice(&marked.to_be_bytes()[8 - length..]);
}

/// A size in eight bytes, for a place that was kept free for it.
pub(super) fn wide_size(size: u64) -> [u8; 8] {
    (size & 0x00ff_ffff_ffff_ffff | 1 << 56).to_be_bytes()
}

/// An element.
pub(super) fn element(out: &mut Vec<u8>, name: u32, body: &[u8]) {
    id(out, name);
    size(out, body.len() as u64);
    out.extend_from_slice(body);
}

/// An element that holds others.
pub(super) fn master(out: &mut Vec<u8>, name: u32, fill: impl FnOnce(&mut Vec<u8>)) {
    let mut body = Vec::new();
    fill(&mut body);
    element(out, name, &body);
}

/// A whole number in as few bytes as it takes.
pub(super) fn uint(out: &mut Vec<u8>, name: u32, value: u64) {
    let zeros = value.leading_zeros() as usize / 8;
    element(out, name, &value.to_be_bytes()[zeros.min(7)..]);
}

/// A real number, always in eight bytes.
pub(super) fn float(out: &mut Vec<u8>, name: u32, value: f64) {
    element(out, name, &value.to_be_bytes());
}

/// A time since the beginning of 2001, nanoseconds.
pub(super) fn date(out: &mut Vec<u8>, name: u32, nanos: i64) {
    element(out, name, &nanos.to_be_bytes());
}

/// Text.
pub(super) fn text(out: &mut Vec<u8>, name: u32, value: &str) {
    element(out, name, value.as_bytes());
}

/// So many bytes without meaning, two at least: an element needs an id and a size.
pub(super) fn void(out: &mut Vec<u8>, length: usize) {
    id(out, VOID);
    let body = if length <= 128 {
        let body = length.saturating_sub(2);
        size(out, body as u64);
        body
    } else {
        let body = length - 9;
        out.extend_from_slice(&wide_size(body as u64));
        body
    };
    out.resize(out.len() + body, 0);
}

/// Fills up to `room` bytes with an element without meaning; `None` when more stands there already, or one byte less, which
/// nothing can fill.
pub(super) fn padded(mut bytes: Vec<u8>, room: usize) -> Option<Vec<u8>> {
    match room.checked_sub(bytes.len())? {
        0 => Some(bytes),
        1 => None,
        rest => {
            void(&mut bytes, rest);
            Some(bytes)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(make: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::new();
        make(&mut out);
        out
    }

    #[test]
    fn ids_and_sizes_are_as_short_as_they_can_be() {
        assert_eq!(made(|out| id(out, 0xa3)), [0xa3]);
        assert_eq!(made(|out| id(out, 0x1f43_b675)), [0x1f, 0x43, 0xb6, 0x75]);
        assert_eq!(made(|out| size(out, 126)), [0xfe]);
        assert_eq!(made(|out| size(out, 127)), [0x40, 0x7f]);
        assert_eq!(made(|out| size(out, 16_382)), [0x7f, 0xfe]);
        assert_eq!(made(|out| size(out, 16_383)), [0x20, 0x3f, 0xff]);
        assert_eq!(wide_size(5), [0x01, 0, 0, 0, 0, 0, 0, 5]);
        assert_eq!(made(|out| uint(out, 0xd7, 0)), [0xd7, 0x81, 0]);
        assert_eq!(made(|out| uint(out, 0xd7, 0x1234)), [0xd7, 0x82, 0x12, 0x34]);
    }

    #[test]
    fn room_is_filled_to_the_byte() {
        for length in 2..400 {
            assert_eq!(made(|out| void(out, length)).len(), length);
        }
        assert_eq!(padded(vec![0; 9], 9).map(|bytes| bytes.len()), Some(9));
        assert_eq!(padded(vec![0; 8], 9), None);
        assert_eq!(padded(vec![0; 10], 9), None);
        assert_eq!(padded(vec![0; 10], 500).map(|bytes| bytes.len()), Some(500));
    }
}
