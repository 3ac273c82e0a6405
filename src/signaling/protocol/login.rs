//! What a login signs, and the check of it (RFC 8032, strict verification).

use ed25519_dalek::VerifyingKey;

use super::{Key, Nonce, Signature};

/// The purpose that a login signs for: `letsmeet <context> v1` and a zero byte come before the message, so
/// that no other signature of letsmeet is worth anything here.
pub const LOGIN_CONTEXT: &str = "login";

/// The message that a login signs with the key of the profile: the 32 bytes of the nonce, then the `server`
/// text of the challenge and the name, each with its length in bytes as a big-endian u16 before it.
///
/// `name` is the normalised name, the one that `registered` repeats.
pub fn login_message(nonce: &Nonce, server: &str, name: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(nonce.bytes().len() + 4 + server.len() + name.len());
    bytes.extend_from_slice(nonce.bytes());
    for text in [server, name] {
        // Both are short by construction; a longer one is cut in its length only, and so signs nothing valid.
        bytes.extend_from_slice(&u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes());
        bytes.extend_from_slice(text.as_bytes());
    }
    bytes
}

/// The very bytes under the signature: [`LOGIN_CONTEXT`] with what is around it, then [`login_message`].
pub fn login_bytes(nonce: &Nonce, server: &str, name: &str) -> Vec<u8> {
    let mut bytes = format!("letsmeet {LOGIN_CONTEXT} v1\0").into_bytes();
    bytes.append(&mut login_message(nonce, server, name));
    bytes
}

/// Whether the signature over [`login_bytes`] was made by the key.
pub fn verify_login(nonce: &Nonce, server: &str, name: &str, key: &Key, signature: &Signature) -> bool {
    let Ok(key) = VerifyingKey::from_bytes(key.bytes()) else {
        return false;
    };
    let signature = ed25519_dalek::Signature::from_bytes(signature.bytes());
    key.verify_strict(&login_bytes(nonce, server, name), &signature).is_ok()
}
