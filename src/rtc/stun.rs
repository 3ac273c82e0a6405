//! STUN messages as bytes (RFC 8489), with the attributes that questions to STUN and TURN servers need
//! (RFC 5780, RFC 8656). Pure: no sockets, no clock. `probe` asks with it; connections do not, their
//! library has its own. Nothing here panics, whatever the bytes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bytes::Bytes;
use hmac::{Hmac, Mac as _};
use md5::{Digest as _, Md5};
use sha1::Sha1;
use thiserror::Error;

/// Bytes of the header (RFC 8489, section 5).
pub(super) const HEADER: usize = 20;
/// The magic cookie (RFC 8489, section 5).
pub(super) const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
/// Attributes read of one message; real ones have a dozen.
const MAX_ATTRIBUTES: usize = 64;
/// Longest realm, nonce or reason that is kept, in bytes (RFC 8489, sections 14.8 to 14.10).
const MAX_TEXT: usize = 763;
/// Bytes of a MESSAGE-INTEGRITY value.
const INTEGRITY: usize = 20;
/// What the checksum of FINGERPRINT is combined with (RFC 8489, section 14.7).
const FINGERPRINT_MASK: u32 = 0x5354_554e;

/// Methods (RFC 8489, section 18.2; RFC 8656, section 17).
pub(super) mod method {
    pub(in crate::rtc) const BINDING: u16 = 0x001;
    pub(in crate::rtc) const ALLOCATE: u16 = 0x003;
    pub(in crate::rtc) const REFRESH: u16 = 0x004;
    pub(in crate::rtc) const CREATE_PERMISSION: u16 = 0x008;
    pub(in crate::rtc) const CHANNEL_BIND: u16 = 0x009;
}

/// Attribute types (RFC 8489, section 14; RFC 8656, section 18; RFC 5780, section 7).
pub(super) mod attribute {
    pub(in crate::rtc) const MAPPED_ADDRESS: u16 = 0x0001;
    pub(in crate::rtc) const CHANGE_REQUEST: u16 = 0x0003;
    pub(in crate::rtc) const CHANGED_ADDRESS: u16 = 0x0005;
    pub(in crate::rtc) const USERNAME: u16 = 0x0006;
    pub(in crate::rtc) const MESSAGE_INTEGRITY: u16 = 0x0008;
    pub(in crate::rtc) const ERROR_CODE: u16 = 0x0009;
    pub(in crate::rtc) const CHANNEL_NUMBER: u16 = 0x000c;
    pub(in crate::rtc) const LIFETIME: u16 = 0x000d;
    pub(in crate::rtc) const XOR_PEER_ADDRESS: u16 = 0x0012;
    pub(in crate::rtc) const REALM: u16 = 0x0014;
    pub(in crate::rtc) const NONCE: u16 = 0x0015;
    pub(in crate::rtc) const XOR_RELAYED_ADDRESS: u16 = 0x0016;
    pub(in crate::rtc) const REQUESTED_TRANSPORT: u16 = 0x0019;
    pub(in crate::rtc) const XOR_MAPPED_ADDRESS: u16 = 0x0020;
    pub(in crate::rtc) const SOFTWARE: u16 = 0x8022;
    pub(in crate::rtc) const ALTERNATE_SERVER: u16 = 0x8023;
    pub(in crate::rtc) const FINGERPRINT: u16 = 0x8028;
    pub(in crate::rtc) const OTHER_ADDRESS: u16 = 0x802c;
}

/// Why bytes are no STUN message, or a message cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Error {
    /// The header is not that of a STUN message.
    #[error("not a STUN message")]
    Header,
    /// An attribute reaches beyond its message, or there are too many.
    #[error("a STUN message with broken attributes")]
    Attributes,
    /// The checksum is wrong: the bytes were changed on the way.
    #[error("a STUN message with a wrong checksum")]
    Fingerprint,
    /// A value does not fit into a message.
    #[error("too long for a STUN message")]
    TooLong,
}

/// Identifies a request and its answer.
pub(super) type TransactionId = [u8; 12];

/// A random transaction id. All zeros when the system has no randomness, which then only shows in
/// answers that take each other's place.
pub(super) fn transaction_id() -> TransactionId {
    let mut id = [0; 12];
    let _ = getrandom::fill(&mut id);
    id
}

/// The two class bits of a message type (RFC 8489, section 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Request,
    Indication,
    Success,
    Error,
}

/// The key of long-term credentials (RFC 8489, section 9.2.2). Its words are taken as they are: they
/// are not prepared as RFC 8265 says, which changes nothing for ASCII.
pub(super) fn long_term_key(username: &str, realm: &str, password: &str) -> [u8; 16] {
    Md5::digest(format!("{username}:{realm}:{password}")).into()
}

/// Writes one message.
#[derive(Debug, Clone)]
pub(super) struct Writer {
    bytes: Vec<u8>,
    fits: bool,
}

impl Writer {
    pub(super) fn new(class: Class, method: u16, id: TransactionId) -> Self {
        let class = match class {
            Class::Request => 0x000,
            Class::Indication => 0x010,
            Class::Success => 0x100,
            Class::Error => 0x110,
        };
        let kind = (method & 0x00f) | (method & 0x070) << 1 | (method & 0xf80) << 2 | class;
        let mut bytes = Vec::with_capacity(128);
        bytes.extend(kind.to_be_bytes());
        bytes.extend([0, 0]);
        bytes.extend(COOKIE);
        bytes.extend(id);
        Self { bytes, fits: true }
    }

    pub(super) fn attribute(mut self, kind: u16, value: &[u8]) -> Self {
        self.push(kind, value);
        self
    }

    /// An address combined with the cookie (RFC 8489, section 14.2).
    pub(super) fn xor_address(self, kind: u16, address: SocketAddr) -> Self {
        let mask = mask(&self.bytes);
        let mut value = vec![0];
        match address.ip() {
            IpAddr::V4(ip) => {
                value.push(1);
                value.extend((address.port() ^ 0x2112).to_be_bytes());
                value.extend(ip.octets().iter().zip(mask).map(|(a, b)| a ^ b));
            }
            IpAddr::V6(ip) => {
                value.push(2);
                value.extend((address.port() ^ 0x2112).to_be_bytes());
                value.extend(ip.octets().iter().zip(mask).map(|(a, b)| a ^ b));
            }
        }
        self.attribute(kind, &value)
    }

    /// MESSAGE-INTEGRITY over what was written so far (RFC 8489, section 14.5).
    pub(super) fn integrity(mut self, key: &[u8]) -> Self {
        self.set_length(4 + INTEGRITY);
        let tag = hmac(key, &[&self.bytes]).map(|mac| mac.finalize().into_bytes());
        match tag {
            Some(tag) => self.push(attribute::MESSAGE_INTEGRITY, &tag),
            None => self.fits = false,
        }
        self
    }

    /// The message, with a FINGERPRINT at its end (RFC 8489, section 14.7).
    ///
    /// # Errors
    /// [`Error::TooLong`]: an attribute or the whole does not fit.
    pub(super) fn finish(mut self) -> Result<Bytes, Error> {
        self.set_length(8);
        let sum = crc32fast::hash(&self.bytes) ^ FINGERPRINT_MASK;
        self.push(attribute::FINGERPRINT, &sum.to_be_bytes());
        if self.fits { Ok(self.bytes.into()) } else { Err(Error::TooLong) }
    }

    fn push(&mut self, kind: u16, value: &[u8]) {
        let Ok(length) = u16::try_from(value.len()) else {
            self.fits = false;
            return;
        };
        self.bytes.extend(kind.to_be_bytes());
        self.bytes.extend(length.to_be_bytes());
        self.bytes.extend(value);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        self.set_length(0);
    }

    /// Writes the length as it will be with `more` bytes.
    fn set_length(&mut self, more: usize) {
        match u16::try_from(self.bytes.len() + more - HEADER) {
            Ok(length) => self.bytes[2..4].copy_from_slice(&length.to_be_bytes()),
            Err(_) => self.fits = false,
        }
    }
}

/// One message that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) class: Class,
    pub(super) method: u16,
    pub(super) id: TransactionId,
    bytes: Bytes,
    /// Type, and where the value begins and ends in `bytes`.
    attributes: Vec<(u16, usize, usize)>,
    /// Where the MESSAGE-INTEGRITY attribute begins.
    integrity: Option<usize>,
}

impl Message {
    /// Reads a whole datagram. What follows MESSAGE-INTEGRITY is left out, FINGERPRINT is checked.
    ///
    /// # Errors
    /// What is wrong with the bytes.
    pub(super) fn read(bytes: Bytes) -> Result<Self, Error> {
        let header: [u8; HEADER] =
            bytes.get(..HEADER).and_then(|h| h.try_into().ok()).ok_or(Error::Header)?;
        let [k0, k1, l0, l1, c0, c1, c2, c3, id @ ..] = header;
        let (kind, length) = (u16::from_be_bytes([k0, k1]), usize::from(u16::from_be_bytes([l0, l1])));
        if kind & 0xc000 != 0
            || [c0, c1, c2, c3] != COOKIE
            || length % 4 != 0
            || bytes.len() != HEADER + length
        {
            return Err(Error::Header);
        }
        let class = match kind & 0x110 {
            0x000 => Class::Request,
            0x010 => Class::Indication,
            0x100 => Class::Success,
            _ => Class::Error,
        };
        let method = (kind & 0x000f) | (kind & 0x00e0) >> 1 | (kind & 0x3e00) >> 2;
        let mut message = Self { class, method, id, bytes, attributes: Vec::new(), integrity: None };
        message.index()?;
        Ok(message)
    }

    /// The first value of this type.
    pub(super) fn get(&self, kind: u16) -> Option<&[u8]> {
        let (_, start, end) = self.attributes.iter().find(|(other, ..)| *other == kind)?;
        self.bytes.get(*start..*end)
    }

    /// A value of four bytes.
    pub(super) fn number(&self, kind: u16) -> Option<u32> {
        self.get(kind)?.try_into().ok().map(u32::from_be_bytes)
    }

    /// A text, unless it is longer than any may be.
    pub(super) fn text(&self, kind: u16) -> Option<&str> {
        self.get(kind).filter(|value| value.len() <= MAX_TEXT).and_then(|value| str::from_utf8(value).ok())
    }

    /// An address written plainly (RFC 8489, section 14.1).
    pub(super) fn address(&self, kind: u16) -> Option<SocketAddr> {
        address(self.get(kind)?, 0, [0; 16])
    }

    /// An address combined with the cookie (RFC 8489, section 14.2).
    pub(super) fn xor_address(&self, kind: u16) -> Option<SocketAddr> {
        address(self.get(kind)?, 0x2112, mask(&self.bytes))
    }

    /// The address that the server saw, in whichever form it says it.
    pub(super) fn mapped(&self) -> Option<SocketAddr> {
        self.xor_address(attribute::XOR_MAPPED_ADDRESS).or_else(|| self.address(attribute::MAPPED_ADDRESS))
    }

    /// Code and reason of an error response, 300 to 699 (RFC 8489, section 14.8).
    pub(super) fn error(&self) -> Option<(u16, String)> {
        let [_, _, hundreds, rest, reason @ ..] = self.get(attribute::ERROR_CODE)? else {
            return None;
        };
        let (hundreds, rest) = (u16::from(hundreds & 7), u16::from(*rest));
        let reason: String = String::from_utf8_lossy(&reason[..reason.len().min(MAX_TEXT)])
            .chars()
            .filter(|c| !c.is_control())
            .collect();
        ((3..=6).contains(&hundreds) && rest < 100).then_some((hundreds * 100 + rest, reason))
    }

    /// Whether the sender knows `key`. False without MESSAGE-INTEGRITY.
    pub(super) fn is_signed(&self, key: &[u8]) -> bool {
        let (Some(at), Some(tag)) = (self.integrity, self.get(attribute::MESSAGE_INTEGRITY)) else {
            return false;
        };
        let Ok(length) = u16::try_from(at + 4 + INTEGRITY - HEADER) else {
            return false;
        };
        hmac(key, &[&self.bytes[..2], &length.to_be_bytes(), &self.bytes[4..at]])
            .is_some_and(|mac| mac.verify_slice(tag).is_ok())
    }

    fn index(&mut self) -> Result<(), Error> {
        let mut at = HEADER;
        while at < self.bytes.len() {
            let [t0, t1, l0, l1, ..] = self.bytes[at..] else {
                return Err(Error::Attributes);
            };
            let (kind, length) = (u16::from_be_bytes([t0, t1]), usize::from(u16::from_be_bytes([l0, l1])));
            let (start, end) = (at + 4, at + 4 + length);
            let next = start + length.next_multiple_of(4);
            if next > self.bytes.len() || self.attributes.len() == MAX_ATTRIBUTES {
                return Err(Error::Attributes);
            }
            if kind == attribute::FINGERPRINT {
                let sum = crc32fast::hash(&self.bytes[..at]) ^ FINGERPRINT_MASK;
                let last = next == self.bytes.len();
                return if last && self.bytes[start..end] == sum.to_be_bytes() {
                    Ok(())
                } else {
                    Err(Error::Fingerprint)
                };
            }
            if self.integrity.is_none() {
                self.attributes.push((kind, start, end));
                self.integrity = (kind == attribute::MESSAGE_INTEGRITY).then_some(at);
            }
            at = next;
        }
        Ok(())
    }
}

/// What addresses are combined with: the cookie and the transaction id. `message` has a header.
fn mask(message: &[u8]) -> [u8; 16] {
    message.get(4..HEADER).and_then(|bytes| bytes.try_into().ok()).unwrap_or_default()
}

fn address(value: &[u8], port_mask: u16, mask: [u8; 16]) -> Option<SocketAddr> {
    let [_, family, p0, p1, ip @ ..] = value else {
        return None;
    };
    let ip: IpAddr = match (family, ip.len()) {
        (1, 4) => {
            let bits: [u8; 4] = ip.try_into().ok()?;
            let mask = [mask[0], mask[1], mask[2], mask[3]];
            Ipv4Addr::from_bits(u32::from_be_bytes(bits) ^ u32::from_be_bytes(mask)).into()
        }
        (2, 16) => {
            let bits: [u8; 16] = ip.try_into().ok()?;
            Ipv6Addr::from_bits(u128::from_be_bytes(bits) ^ u128::from_be_bytes(mask)).into()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_be_bytes([*p0, *p1]) ^ port_mask))
}

/// HMAC-SHA1 of the parts, one after the other. Takes keys of every length.
fn hmac(key: &[u8], parts: &[&[u8]]) -> Option<Hmac<Sha1>> {
    let mut mac = Hmac::<Sha1>::new_from_slice(key).ok()?;
    for part in parts {
        mac.update(part);
    }
    Some(mac)
}

#[cfg(test)]
mod tests;
