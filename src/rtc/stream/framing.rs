//! STUN messages and channel data as a stream of bytes (RFC 8489, section 6.2.2; RFC 8656, sections
//! 2.1 and 12.5). Pure: bytes in, datagrams out, and back.
//!
//! Both carry their length. Over a stream channel data is padded to four bytes, as datagrams it is not.

use bytes::{Buf as _, Bytes, BytesMut};
use thiserror::Error;

use crate::rtc::stun;

/// Bytes of the header of channel data: channel number and length (RFC 8656, section 12.4).
const CHANNEL_HEADER: usize = 4;
/// Longest unit in the format: a STUN message whose length says 65,532. Nothing else limits a unit,
/// since whoever may send to a relayed address decides how long the data is: what no reader has room
/// for is passed over, and does not end the connection.
#[cfg(test)]
pub(in crate::rtc) const MAX_UNIT: usize = stun::HEADER + 65_532;

/// Why the bytes of a stream make no sense any more. There is no way to find the next unit after that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Error {
    /// Neither a STUN message nor channel data begins here.
    #[error("what the server sent is neither STUN nor channel data (is this a TURN server?)")]
    Neither,
    /// A STUN message has a length that is no multiple of four.
    #[error("a STUN message has an impossible length")]
    Length,
}

/// A datagram that has no place in such a stream: its length is not what it says, or it is neither
/// STUN nor channel data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("neither a whole STUN message nor whole channel data")]
pub(in crate::rtc) struct Unframeable;

/// What a unit is, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Unit {
    /// Bytes of header and content.
    length: usize,
    /// Bytes that follow it on a stream.
    padding: usize,
}

impl Unit {
    /// `None`: there are too few bytes to tell.
    fn at(bytes: &[u8]) -> Result<Option<Self>, Error> {
        match *bytes {
            [0..=0x3f, _, high, low, ..] => {
                let length = usize::from(u16::from_be_bytes([high, low]));
                if length % 4 != 0 {
                    return Err(Error::Length);
                }
                // The cookie is looked at as far as it is there: a stranger is noticed early.
                let cookie = &bytes[4..bytes.len().min(8)];
                if !stun::COOKIE.starts_with(cookie) {
                    return Err(Error::Neither);
                }
                Ok((cookie.len() == 4).then_some(Self { length: stun::HEADER + length, padding: 0 }))
            }
            [0x40..=0x4f, _, high, low, ..] => {
                let length = usize::from(u16::from_be_bytes([high, low]));
                let padding = length.next_multiple_of(4) - length;
                Ok(Some(Self { length: CHANNEL_HEADER + length, padding }))
            }
            [0x50..=0xff, ..] => Err(Error::Neither),
            _ => Ok(None),
        }
    }
}

/// Appends a datagram to what is to be written to a stream.
///
/// # Errors
/// [`Unframeable`]; nothing was appended.
pub(in crate::rtc) fn encode(datagram: &[u8], stream: &mut BytesMut) -> Result<(), Unframeable> {
    let Ok(Some(unit)) = Unit::at(datagram) else {
        return Err(Unframeable);
    };
    // A sender of datagrams may have padded channel data (RFC 8656, section 12.5): only what counts is taken.
    let surplus = datagram.len().checked_sub(unit.length).ok_or(Unframeable)?;
    if surplus > unit.padding {
        return Err(Unframeable);
    }
    stream.extend_from_slice(&datagram[..unit.length]);
    stream.extend_from_slice(&[0; 3][..unit.padding]);
    Ok(())
}

/// Finds datagrams in the bytes of a stream, however these were cut.
#[derive(Debug, Default)]
pub(in crate::rtc) struct Decoder {
    bytes: BytesMut,
    /// A STUN message came: no channel is bound before one, and the text of other protocols looks like
    /// channel data.
    begun: bool,
}

impl Decoder {
    /// Where to read into. Give it to [`Decoder::next`] until that has no more before reading again:
    /// then it never holds more than one unit and what one reading brings.
    pub(in crate::rtc) fn buffer(&mut self) -> &mut BytesMut {
        &mut self.bytes
    }

    /// The next datagram, without padding. `None` until there are more bytes.
    ///
    /// # Errors
    /// [`enum@Error`], now and ever after.
    pub(in crate::rtc) fn next(&mut self) -> Result<Option<Bytes>, Error> {
        if !self.begun && matches!(self.bytes.first(), Some(0x40..)) {
            return Err(Error::Neither);
        }
        let Some(unit) = Unit::at(&self.bytes)? else {
            return Ok(None);
        };
        if self.bytes.len() < unit.length + unit.padding {
            return Ok(None);
        }
        let datagram = self.bytes.split_to(unit.length).freeze();
        self.bytes.advance(unit.padding);
        self.begun = true;
        Ok(Some(datagram))
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn message(length: usize) -> Vec<u8> {
        let mut bytes = vec![0, 1];
        bytes.extend(u16::try_from(length).unwrap().to_be_bytes());
        bytes.extend(stun::COOKIE);
        bytes.resize(stun::HEADER + length, 7);
        bytes
    }

    fn channel_data(channel: u16, length: usize) -> Vec<u8> {
        let mut bytes = channel.to_be_bytes().to_vec();
        bytes.extend(u16::try_from(length).unwrap().to_be_bytes());
        bytes.resize(CHANNEL_HEADER + length, 9);
        bytes
    }

    fn decode(pieces: &[&[u8]]) -> (Vec<Bytes>, Option<Error>) {
        let mut decoder = Decoder { begun: true, ..Decoder::default() };
        let mut found = Vec::new();
        for piece in pieces {
            decoder.buffer().extend_from_slice(piece);
            loop {
                match decoder.next() {
                    Ok(Some(datagram)) => found.push(datagram),
                    Ok(None) => break,
                    Err(error) => return (found, Some(error)),
                }
            }
            assert!(decoder.buffer().len() < MAX_UNIT + 3);
        }
        (found, None)
    }

    #[test]
    fn channel_data_is_padded_on_the_stream_only() {
        for (length, on_stream) in [(0, 4), (1, 8), (3, 8), (4, 8), (5, 12), (1200, 1204), (65_535, 65_540)] {
            let datagram = channel_data(0x4001, length);
            let mut stream = BytesMut::new();
            encode(&datagram, &mut stream).unwrap();
            assert_eq!(stream.len(), on_stream);
            assert_eq!(decode(&[&stream]), (vec![datagram.into()], None));
        }
    }

    #[test]
    fn padding_of_the_datagram_is_not_doubled() {
        let mut padded = channel_data(0x4000, 5);
        padded.extend([0; 3]);
        let mut stream = BytesMut::new();
        encode(&padded, &mut stream).unwrap();
        assert_eq!(stream.len(), 12);
        padded.push(0);
        assert_eq!(encode(&padded, &mut stream), Err(Unframeable));
    }

    #[test]
    fn only_whole_units_are_sent() {
        let whole = message(8);
        let long = [&whole[..], &[0]].concat();
        let cases: [&[u8]; 7] =
            [&[], &whole[..27], &long, &[22, 0xfe, 0xfd, 0], &[0x80, 96, 0, 0], &[0x40, 0, 0, 9], &[0x40]];
        for datagram in cases {
            let mut stream = BytesMut::new();
            assert_eq!(encode(datagram, &mut stream), Err(Unframeable), "{datagram:?}");
            assert!(stream.is_empty());
        }
    }

    #[test]
    fn a_stranger_is_noticed_at_once() {
        let mut decoder = Decoder::default();
        decoder.buffer().extend_from_slice(b"HTTP/1.1 400 Bad Request\r\n");
        assert_eq!(decoder.next(), Err(Error::Neither));
        assert_eq!(decoder.next(), Err(Error::Neither));
        assert_eq!(decode(&[b"SSH-"]), (vec![], Some(Error::Neither)));
        assert_eq!(decode(&[&[0x15, 3, 3, 0, 2]]), (vec![], Some(Error::Neither)));
        assert_eq!(decode(&[&[0, 1, 0, 3]]), (vec![], Some(Error::Length)));
        assert_eq!(decode(&[&[0x50]]), (vec![], Some(Error::Neither)));
        assert_eq!(decode(&[&[0x40], &[0]]), (vec![], None));
    }

    #[test]
    fn the_longest_unit_passes() {
        let longest = message(65_532);
        let (front, back) = longest.split_at(40_000);
        assert_eq!(decode(&[front, back]), (vec![longest.clone().into()], None));
    }

    fn datagram() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            (0_usize..40).prop_map(|words| message(words * 4)),
            (0x4000_u16..=0x4fff, 0_usize..70).prop_map(|(channel, length)| channel_data(channel, length)),
        ]
    }

    proptest! {
        #[test]
        fn every_split_gives_the_same(
            datagrams in vec(datagram(), 1..5),
            first in any::<prop::sample::Index>(),
        ) {
            let mut stream = BytesMut::new();
            for datagram in &datagrams {
                encode(datagram, &mut stream).unwrap();
            }
            let expected: Vec<Bytes> = datagrams.into_iter().map(Into::into).collect();
            let first = first.index(stream.len());
            for second in first..=stream.len() {
                let pieces = [&stream[..first], &stream[first..second], &stream[second..]];
                prop_assert_eq!(decode(&pieces), (expected.clone(), None));
            }
            let bytes: Vec<&[u8]> = stream.chunks(1).collect();
            prop_assert_eq!(decode(&bytes), (expected, None));
        }

        #[test]
        fn no_bytes_panic_and_every_split_ends_the_same(
            bytes in vec(prop_oneof![Just(0), Just(0x40), Just(0x21), any::<u8>()], 0..200),
            at in any::<prop::sample::Index>(),
        ) {
            let at = at.index(bytes.len() + 1);
            prop_assert_eq!(decode(&[&bytes]), decode(&[&bytes[..at], &bytes[at..]]));
            let _ = encode(&bytes, &mut BytesMut::new());
        }

        #[test]
        fn hostile_lengths_wait_for_no_more_than_the_format_allows(
            kind in 0_u8..0x50,
            length in any::<u16>(),
            rest in 0_usize..3_000,
        ) {
            let mut bytes = vec![kind, 0];
            bytes.extend(length.to_be_bytes());
            bytes.extend(stun::COOKIE);
            bytes.resize(8 + rest, 0);
            decode(&[&bytes]);
            if let Ok(Some(unit)) = Unit::at(&bytes) {
                prop_assert!(unit.length + unit.padding <= MAX_UNIT.max(CHANNEL_HEADER + 65_536));
            }
        }
    }
}
