//! What is said on the channel of files: words for everything about a transfer, binary messages for its bytes.
//!
//! Owns the form of messages and their bounds (docs/protocol.md, section 8). Reading never fails otherwise than by `None`: what is no
//! message is ignored. Each side numbers what it offers, so the same number may stand for one file each way.

use bytes::{BufMut as _, Bytes, BytesMut};

use super::{About, Hash, kind};

/// The longest name that is read, bytes.
pub const MAX_NAME: usize = 1024;

/// The largest file that can be spoken of, bytes: what a double holds exactly, for a web page.
pub const MAX_SIZE: u64 = (1 << 53) - 1;

/// The most bytes of a file in one message; with its head it stays below the 64 KiB of the channel.
pub const MAX_DATA: usize = 60 * 1024;

/// Bytes before the data of a chunk: the number and where the data belongs.
const HEAD: usize = 12;

/// What a sender may send beyond what is known to have been written, bytes.
pub const WINDOW: u64 = 4 * 1024 * 1024;

/// Words about transfers. A number is always the one that the offering side gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// A file could be had.
    Offer(u32, About),
    /// It is wanted, and this many bytes with this hash are there already.
    Accept(u32, u64, Hash),
    /// The chunks that follow begin here: where the receiver asked for, or at 0 when its bytes are others.
    Begin(u32, u64),
    /// Everything before this is written.
    Got(u32, u64),
    /// That was all, and this is the hash of the whole file.
    End(u32, Hash),
    /// It was the same here, and the file is kept.
    Done(u32),
    /// The offering side gives up.
    Withdraw(u32, Why),
    /// The receiving side does not want it, or no more.
    Refuse(u32, Why),
}

/// Why a transfer came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Why {
    /// The receiver said no.
    Declined,
    /// The receiver takes no files.
    NotWanted,
    /// It is larger than the receiver takes.
    TooLarge,
    /// Too many transfers at once.
    TooMany,
    /// There is not enough room on the receiver's disk.
    NoSpace,
    /// The receiver's folder can't be written.
    NotWritable,
    /// A person stopped it.
    Cancelled,
    /// The sender's file became another while it was read.
    Changed,
    /// The sender's file can't be read any more.
    Unreadable,
    /// What arrived has another hash.
    Mismatch,
    /// What arrived was not what was agreed on.
    Broken,
    /// Nothing arrived for too long.
    Stalled,
    /// The call ended first. Never said, because nobody hears it.
    CallEnded,
}

impl Why {
    /// Every reason.
    pub const ALL: [Self; 13] = [
        Self::Declined,
        Self::NotWanted,
        Self::TooLarge,
        Self::TooMany,
        Self::NoSpace,
        Self::NotWritable,
        Self::Cancelled,
        Self::Changed,
        Self::Unreadable,
        Self::Mismatch,
        Self::Broken,
        Self::Stalled,
        Self::CallEnded,
    ];

    /// The word for it, on the wire and in events.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Declined => "declined",
            Self::NotWanted => "not-wanted",
            Self::TooLarge => "too-large",
            Self::TooMany => "too-many",
            Self::NoSpace => "no-space",
            Self::NotWritable => "not-writable",
            Self::Cancelled => "cancelled",
            Self::Changed => "changed",
            Self::Unreadable => "unreadable",
            Self::Mismatch => "mismatch",
            Self::Broken => "broken",
            Self::Stalled => "stalled",
            Self::CallEnded => "call-ended",
        }
    }

    /// A sentence about it, without a full stop; the same for both sides.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Declined => "the receiver declined it",
            Self::NotWanted => "the receiver takes no files",
            Self::TooLarge => "it is larger than the receiver takes",
            Self::TooMany => "there are too many transfers at once",
            Self::NoSpace => "there is not enough room on the receiver's disk",
            Self::NotWritable => "the receiver's folder cannot be written",
            Self::Cancelled => "it was cancelled",
            Self::Changed => "the file changed while it was sent",
            Self::Unreadable => "the file cannot be read any more",
            Self::Mismatch => "what arrived is not what was sent",
            Self::Broken => "the other side did not keep to what was agreed",
            Self::Stalled => "nothing arrived for too long",
            Self::CallEnded => "the call ended",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|why| why.word() == word)
    }
}

impl Message {
    /// The message as it is sent.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Offer(id, about) => {
                format!("offer {id} {} {} {}", about.size, about.kind, about.name)
            }
            Self::Accept(id, from, hash) => format!("accept {id} {from} {hash}"),
            Self::Begin(id, from) => format!("begin {id} {from}"),
            Self::Got(id, upto) => format!("got {id} {upto}"),
            Self::End(id, hash) => format!("end {id} {hash}"),
            Self::Done(id) => format!("done {id}"),
            Self::Withdraw(id, why) => format!("withdraw {id} {}", why.word()),
            Self::Refuse(id, why) => format!("refuse {id} {}", why.word()),
        }
    }

    /// Reads a message; `None` for what is none. The name of an offer is as it came.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (word, rest) = text.split_once(' ')?;
        if word == "offer" {
            let mut parts = rest.splitn(4, ' ');
            let (id, size) = (number(parts.next()?)?, number(parts.next()?)?);
            let (kind, name) = (parts.next()?, parts.next()?);
            let fits = size <= MAX_SIZE && kind::is_one(kind) && (1..=MAX_NAME).contains(&name.len());
            let about = About { name: name.to_owned(), size, kind: kind.to_owned() };
            return fits.then_some(Self::Offer(u32::try_from(id).ok()?, about));
        }
        let mut parts = rest.split(' ');
        let id = u32::try_from(number(parts.next()?)?).ok()?;
        let message = match word {
            "accept" => Self::Accept(id, place(parts.next()?)?, hash(parts.next()?)?),
            "begin" => Self::Begin(id, place(parts.next()?)?),
            "got" => Self::Got(id, place(parts.next()?)?),
            "end" => Self::End(id, hash(parts.next()?)?),
            "done" => Self::Done(id),
            "withdraw" => Self::Withdraw(id, Why::parse(parts.next()?)?),
            "refuse" => Self::Refuse(id, Why::parse(parts.next()?)?),
            _ => return None,
        };
        parts.next().is_none().then_some(message)
    }
}

/// Bytes of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// The number of the transfer.
    pub id: u32,
    /// Where in the file they belong.
    pub at: u64,
    /// 1 to [`MAX_DATA`] bytes.
    pub data: Bytes,
}

impl Chunk {
    /// An empty message for so many bytes, whose data is to be filled in behind the head with [`Chunk::head`].
    #[must_use]
    pub fn room(length: usize) -> BytesMut {
        BytesMut::zeroed(HEAD + length.min(MAX_DATA))
    }

    /// Where the data of such a message is.
    pub fn data_of(message: &mut BytesMut) -> &mut [u8] {
        let head = HEAD.min(message.len());
        &mut message[head..]
    }

    /// Writes the head of such a message, which then holds `length` bytes of data.
    pub fn head(message: &mut BytesMut, id: u32, at: u64, length: usize) {
        message.truncate(HEAD + length);
        if let Some(mut head) = message.get_mut(..HEAD) {
            head.put_u32(id);
            head.put_u64(at);
        }
    }

    /// Reads a message; `None` for what is none.
    #[must_use]
    pub fn parse(mut message: Bytes) -> Option<Self> {
        if !(HEAD + 1..=HEAD + MAX_DATA).contains(&message.len()) {
            return None;
        }
        let data = message.split_off(HEAD);
        let (id, at) = message.split_at(4);
        let id = u32::from_be_bytes(id.try_into().ok()?);
        let at = u64::from_be_bytes(at.try_into().ok()?);
        (at.checked_add(data.len() as u64)? <= MAX_SIZE).then_some(Self { id, at, data })
    }
}

/// Plain digits only, in the one way to write them.
fn number(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}

fn place(text: &str) -> Option<u64> {
    number(text).filter(|place| *place <= MAX_SIZE)
}

/// Lower case only, for the same reason.
fn hash(text: &str) -> Option<Hash> {
    let lower = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if lower { Hash::from_hex(text).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_message() -> impl Strategy<Value = Message> {
        let why = prop::sample::select(&Why::ALL[..]);
        let hash = any::<[u8; 32]>().prop_map(Hash::from_bytes);
        let place = 0..=MAX_SIZE;
        let name =
            any::<String>().prop_filter("1 to 1024 bytes", |name| (1..=MAX_NAME).contains(&name.len()));
        prop_oneof![
            (any::<u32>(), name, place.clone()).prop_map(|(id, name, size)| {
                let kind = kind::of(&name).to_owned();
                Message::Offer(id, About { name, size, kind })
            }),
            (any::<u32>(), place.clone(), hash.clone())
                .prop_map(|(id, at, hash)| Message::Accept(id, at, hash)),
            (any::<u32>(), place.clone()).prop_map(|(id, at)| Message::Begin(id, at)),
            (any::<u32>(), place).prop_map(|(id, at)| Message::Got(id, at)),
            (any::<u32>(), hash).prop_map(|(id, hash)| Message::End(id, hash)),
            any::<u32>().prop_map(Message::Done),
            (any::<u32>(), why.clone()).prop_map(|(id, why)| Message::Withdraw(id, why)),
            (any::<u32>(), why).prop_map(|(id, why)| Message::Refuse(id, why)),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(message in any_message()) {
            prop_assert_eq!(Message::parse(&message.text()), Some(message));
        }

        #[test]
        fn what_is_read_is_written_the_same_way(text in "(offer|accept|begin|got|end|done|refuse) [ -~]{0,90}") {
            if let Some(message) = Message::parse(&text) {
                prop_assert_eq!(message.text(), text);
            }
        }

        #[test]
        fn chunks_are_read_back(id in any::<u32>(), at in 0..MAX_SIZE / 2, data in prop::collection::vec(any::<u8>(), 1..2000)) {
            let mut message = Chunk::room(MAX_DATA);
            Chunk::data_of(&mut message)[..data.len()].copy_from_slice(&data);
            Chunk::head(&mut message, id, at, data.len());
            prop_assert_eq!(Chunk::parse(message.freeze()), Some(Chunk { id, at, data: data.into() }));
        }

        #[test]
        fn any_bytes_may_come(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Message::parse(&String::from_utf8_lossy(&bytes));
            let _ = Chunk::parse(bytes.into());
        }
    }

    #[test]
    fn nothing_else_is_a_message() {
        let zeros = "0".repeat(64);
        for other in [
            "".to_owned(),
            "offer".to_owned(),
            "offer 1 2 text/plain ".to_owned(),
            "offer 1 2 text name".to_owned(),
            "offer 01 2 text/plain x".to_owned(),
            "offer 4294967296 2 text/plain x".to_owned(),
            "offer 1 9007199254740992 text/plain x".to_owned(),
            format!("offer 1 2 text/plain {}", "x".repeat(MAX_NAME + 1)),
            "accept 1 0 00".to_owned(),
            format!("accept 1 0 {} ", zeros),
            format!("end 1 {}", "A".repeat(64)),
            "got 1 -1".to_owned(),
            "done".to_owned(),
            "done 1 2".to_owned(),
            "refuse 1 perhaps".to_owned(),
            "hello 1".to_owned(),
        ] {
            assert_eq!(Message::parse(&other), None, "{other:?}");
        }
        for length in [0, HEAD, HEAD + MAX_DATA + 1] {
            assert_eq!(Chunk::parse(vec![0; length].into()), None);
        }
        assert_eq!(Chunk::parse(vec![0xff; 20].into()), None);
    }
}
