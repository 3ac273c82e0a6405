//! Whose key is accepted, and what a signed description must hold.
//!
//! Owns the rule (first use pins, a changed key refuses, an expected key is the only one) and the bytes
//! that are signed; the cryptography and the file are `identity`'s.

use super::config::Trust;
use crate::call::CallId;
use crate::identity::{Error, Identity, KnownPeers, PublicKey, Signature, Standing};
use crate::rtc;

/// Domain of the signatures on descriptions.
const CONTEXT: &str = "description";

/// What is thought of a key.
pub(super) enum Judgement {
    /// It is the expected or the pinned one, or the first one seen under that name.
    Trusted { key: PublicKey, first_contact: bool },
    /// It is not to be talked to.
    Refused { why: String },
}

/// Judges keys by the configuration and the file of known peers.
pub(super) struct Judge {
    trust: Trust,
}

impl Judge {
    pub(super) fn new(trust: Trust) -> Self {
        Self { trust }
    }

    pub(super) fn judge(&self, name: &str, key: [u8; 32]) -> Judgement {
        let Ok(key) = PublicKey::from_bytes(key) else {
            return Judgement::Refused { why: format!("the server gave no valid key for {name}") };
        };
        if let Some(expected) = &self.trust.expect_key
            && !expected.fits(&key)
        {
            let why = format!("{name} has the key {}, not the expected {}", key.fingerprint(), expected);
            return Judgement::Refused { why };
        }
        let Some(path) = &self.trust.known_peers else {
            return Judgement::Trusted { key, first_contact: true };
        };
        match KnownPeers::open(path).and_then(|known| known.check(name, &key)) {
            Ok(Standing::New) => Judgement::Trusted { key, first_contact: true },
            Ok(Standing::Known) => Judgement::Trusted { key, first_contact: false },
            Ok(Standing::Changed { pinned, line }) => Judgement::Refused {
                why: format!(
                    "THE KEY OF {name} HAS CHANGED: it was {}, it is {}; somebody may be listening in. \
                     If {name} really has a new key: letsmeet trust forget {name} (line {line} of {})",
                    pinned.fingerprint(),
                    key.fingerprint(),
                    path.display()
                ),
            },
            Err(error) => Judgement::Refused { why: error.to_string() },
        }
    }

    /// Remembers a key that has proved itself by a signed description.
    pub(super) fn pin(&self, name: &str, key: &PublicKey) -> Result<(), Error> {
        match &self.trust.known_peers {
            Some(path) => KnownPeers::open(path)?.pin(name, key),
            None => Ok(()),
        }
    }
}

/// What is signed: the call, the direction and the fingerprint, so that a signature fits nothing else.
fn statement(call: CallId, offer: bool, fingerprint: &str) -> Vec<u8> {
    format!("{call}\n{}\n{fingerprint}", if offer { "offer" } else { "answer" }).into_bytes()
}

/// The DTLS fingerprint of our description and our signature on it .
pub(super) fn sign_description(
    call: CallId,
    identity: &Identity,
    offer: bool,
    sdp: &str,
) -> Result<(String, [u8; 64]), String> {
    let fingerprint = rtc::fingerprint(sdp).map_err(|error| error.to_string())?;
    let signature = identity.sign(CONTEXT, &statement(call, offer, &fingerprint));
    Ok((fingerprint, *signature.as_bytes()))
}

/// The DTLS fingerprint of their description, if their key signed it.
pub(super) fn check_description(
    call: CallId,
    key: &PublicKey,
    offer: bool,
    sdp: &str,
    signature: &Signature,
) -> Result<String, String> {
    let fingerprint = rtc::fingerprint(sdp).map_err(|error| error.to_string())?;
    key.verify(CONTEXT, &statement(call, offer, &fingerprint), signature)
        .map_err(|_| "the description is not signed by the other side's key".to_owned())?;
    Ok(fingerprint)
}
