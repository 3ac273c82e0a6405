//! Identifiers, keys and signatures as text on the wire.
//!
//! Identifiers are 32 lower-case hex digits (128 random bits); keys, nonces and signatures are
//! base64url without padding (RFC 4648 section 5). Anything else is refused while parsing.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::ser::{Serialize, Serializer};

/// The text is not what the type wants.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {0}")]
pub struct BadText(&'static str);

macro_rules! wire_text {
    ($name:ident, $expected:literal) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.with_text(|text| serializer.serialize_str(text))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;
                impl Visitor<'_> for Text {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($expected)
                    }
                    fn visit_str<E: de::Error>(self, text: &str) -> Result<$name, E> {
                        text.parse().map_err(E::custom)
                    }
                }
                deserializer.deserialize_str(Text)
            }
        }
    };
}

macro_rules! hex_id {
    ($(#[$doc:meta])* $name:ident, $expected:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name([u8; 16]);

        impl $name {
            /// Wraps 16 bytes.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// The 16 bytes.
            pub const fn bytes(&self) -> &[u8; 16] {
                &self.0
            }

            fn with_text<T>(&self, use_text: impl FnOnce(&str) -> T) -> T {
                const DIGITS: &[u8; 16] = b"0123456789abcdef";
                let mut text = [0u8; 32];
                for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
                    pair[0] = DIGITS[usize::from(byte >> 4)];
                    pair[1] = DIGITS[usize::from(byte & 15)];
                }
                use_text(std::str::from_utf8(&text).unwrap_or_default())
            }
        }

        impl FromStr for $name {
            type Err = BadText;

            fn from_str(text: &str) -> Result<Self, BadText> {
                let digits = text.as_bytes();
                if digits.len() != 32 {
                    return Err(BadText($expected));
                }
                let mut bytes = [0u8; 16];
                for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
                    let (Some(high), Some(low)) = (nibble(pair[0]), nibble(pair[1])) else {
                        return Err(BadText($expected));
                    };
                    *byte = high << 4 | low;
                }
                Ok(Self(bytes))
            }
        }

        wire_text!($name, $expected);

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": "^[0-9a-f]{32}$", "description": $expected })
            }
        }
    };
}

macro_rules! base64_bytes {
    ($(#[$doc:meta])* $name:ident, $bytes:literal, $digits:literal, $expected:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $name([u8; $bytes]);

        impl $name {
            /// Wraps the raw bytes.
            pub const fn from_bytes(bytes: [u8; $bytes]) -> Self {
                Self(bytes)
            }

            /// The raw bytes.
            pub const fn bytes(&self) -> &[u8; $bytes] {
                &self.0
            }

            fn with_text<T>(&self, use_text: impl FnOnce(&str) -> T) -> T {
                let mut text = [0u8; $digits];
                let used = URL_SAFE_NO_PAD.encode_slice(self.0, &mut text).unwrap_or(0);
                use_text(std::str::from_utf8(&text[..used]).unwrap_or_default())
            }
        }

        impl FromStr for $name {
            type Err = BadText;

            fn from_str(text: &str) -> Result<Self, BadText> {
                // The decoder wants room for whole groups of three.
                let mut room = [0u8; $bytes + 3];
                if text.len() != $digits {
                    return Err(BadText($expected));
                }
                match URL_SAFE_NO_PAD.decode_slice(text, &mut room) {
                    Ok($bytes) => {
                        let mut bytes = [0u8; $bytes];
                        bytes.copy_from_slice(&room[..$bytes]);
                        Ok(Self(bytes))
                    }
                    _ => Err(BadText($expected)),
                }
            }
        }

        wire_text!($name, $expected);

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "type": "string",
                    "pattern": concat!("^[A-Za-z0-9_-]{", stringify!($digits), "}$"),
                    "description": $expected
                })
            }
        }
    };
}

macro_rules! shown {
    ($($name:ident),*) => { $(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.with_text(|text| f.write_str(text))
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    )* };
}

hex_id! {
    /// One call; made by the caller from 128 random bits.
    CallId, "a call id of 32 lower-case hex digits"
}
hex_id! {
    /// One login of a name; made by the server from 128 random bits.
    SessionId, "a session id of 32 lower-case hex digits"
}
hex_id! {
    /// The secret with which a session is resumed after its socket broke. Never logged.
    ResumeToken, "a resume token of 32 lower-case hex digits"
}
base64_bytes! {
    /// An Ed25519 public key (RFC 8032).
    Key, 32, 43, "an Ed25519 public key of 43 base64url digits"
}
base64_bytes! {
    /// The server's challenge, fresh for each connection.
    Nonce, 32, 43, "a nonce of 43 base64url digits"
}
base64_bytes! {
    /// An Ed25519 signature (RFC 8032).
    Signature, 64, 86, "an Ed25519 signature of 86 base64url digits"
}
shown!(CallId, SessionId, Key, Nonce, Signature);

impl fmt::Debug for ResumeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResumeToken(..)")
    }
}

impl ResumeToken {
    /// Whether both are the same, in a time that does not depend on where they differ.
    pub fn matches(&self, other: &ResumeToken) -> bool {
        self.0.iter().zip(other.0).fold(0, |differing, (a, b)| differing | (a ^ b)) == 0
    }
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}
