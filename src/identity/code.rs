//! The verification code: what two people read to each other to know that nobody sits between them.

use sha2::{Digest as _, Sha256};

/// How often the hash is applied. Whoever sits in the middle must find two certificates that give
/// both sides the same code while the call connects; this makes each try cost milliseconds.
const ROUNDS: u32 = 1 << 16;
/// Four groups of four digits.
const GROUPS: u32 = 4;

/// The code for a call between two DTLS fingerprints (RFC 8122, `sha-256 AB:CD:...`): four groups
/// of four digits, the same whichever side asks and however the hex digits are cased.
///
/// Takes some milliseconds of CPU on purpose; compute it once a call.
pub fn verification_code(fp_a: &str, fp_b: &str) -> String {
    let (a, b) = (canonical(fp_a), canonical(fp_b));
    let (first, second) = if a <= b { (a, b) } else { (b, a) };
    let mut hash = Sha256::new();
    hash.update(b"letsmeet verification-code v1\0");
    // The length keeps two texts from running into each other.
    hash.update((first.len() as u64).to_be_bytes());
    hash.update(first);
    hash.update(second);
    let mut digest: [u8; 32] = hash.finalize().into();
    for _ in 0..ROUNDS {
        digest = Sha256::digest(digest).into();
    }
    let mut number = digest[..16].iter().fold(0u128, |number, byte| number << 8 | u128::from(*byte));
    let mut groups = Vec::new();
    for _ in 0..GROUPS {
        groups.push(format!("{:04}", number % 10_000));
        number /= 10_000;
    }
    groups.join(" ")
}

/// The fingerprint without differences that mean nothing.
fn canonical(fingerprint: &str) -> String {
    let words: Vec<_> = fingerprint.split_whitespace().collect();
    words.join(" ").to_ascii_uppercase()
}
