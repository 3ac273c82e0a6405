//! Public keys and signatures: their text forms, and what a valid signature is.
//!
//! Ed25519 (RFC 8032), checked strictly. What is signed is always
//! `letsmeet <context> v1\0<message>`, so that a signature made for one purpose is worth nothing for
//! another. Text forms are base64url without padding (RFC 4648 section 5).

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use ed25519_dalek::VerifyingKey;
use sha2::{Digest as _, Sha256};

/// Somebody's public key: 32 bytes that are a point on the curve, and not a weak one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey([u8; 32]);

/// An Ed25519 signature, not yet checked against anything.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Signature([u8; 64]);

/// Why a key or a signature is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// Not the text or the bytes of a public key.
    #[error("not an Ed25519 public key in base64url (43 characters)")]
    Key,
    /// Not the text of a signature.
    #[error("not an Ed25519 signature in base64url (86 characters)")]
    Signature,
    /// A signature, but not of this message, for this purpose, by this key.
    #[error("the signature does not match")]
    Mismatch,
}

impl PublicKey {
    /// Takes 32 bytes as a key.
    ///
    /// # Errors
    /// `Invalid::Key` when they are no point on the curve, or one of low order, for which anybody
    /// can make signatures.
    pub fn from_bytes(bytes: [u8; 32]) -> Result<Self, Invalid> {
        match VerifyingKey::from_bytes(&bytes) {
            Ok(key) if !key.is_weak() => Ok(Self(bytes)),
            _ => Err(Invalid::Key),
        }
    }

    pub(super) fn of(key: &VerifyingKey) -> Self {
        Self(key.to_bytes())
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether `signature` is this key's, of `message`, for the purpose `context`.
    ///
    /// # Errors
    /// `Invalid::Mismatch` when it is not.
    pub fn verify(&self, context: &str, message: &[u8], signature: &Signature) -> Result<(), Invalid> {
        let key = VerifyingKey::from_bytes(&self.0).map_err(|_| Invalid::Key)?;
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        key.verify_strict(&separated(context, message), &signature).map_err(|_| Invalid::Mismatch)
    }

    /// What people compare: `SHA256:` and the base64 of the key's hash, as ssh shows keys.
    pub fn fingerprint(&self) -> String {
        format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(self.0)))
    }
}

impl Signature {
    /// Takes 64 bytes as a signature; whether it is one shows only in `PublicKey::verify`.
    pub const fn from_bytes(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }

    /// The 64 bytes.
    pub const fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }
}

/// The bytes that are signed. Contexts are constants in the code: lower-case words with hyphens.
pub(super) fn separated(context: &str, message: &[u8]) -> Vec<u8> {
    debug_assert!(context.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'));
    let mut bytes = Vec::with_capacity(context.len() + message.len() + 16);
    bytes.extend_from_slice(b"letsmeet ");
    bytes.extend_from_slice(context.as_bytes());
    bytes.extend_from_slice(b" v1\0");
    bytes.extend_from_slice(message);
    bytes
}

/// Exactly `N` bytes of canonical base64url without padding.
pub(super) fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

pub(super) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&encode(&self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl FromStr for PublicKey {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        decode(text).ok_or(Invalid::Key).and_then(Self::from_bytes)
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&encode(&self.0))
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({self})")
    }
}

impl FromStr for Signature {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        decode(text).map(Self).ok_or(Invalid::Signature)
    }
}
