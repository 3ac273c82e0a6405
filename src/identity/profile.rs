//! The key pair of a profile, and the file that keeps it.

use std::fmt;
use std::path::Path;

use ed25519_dalek::{Signer as _, SigningKey};

use super::key::{decode, encode, separated};
use super::{Error, PublicKey, Signature, file};

/// The key file's name in the profile's folder.
const FILE: &str = "identity.key";
/// First word of the one line that counts, so that other kinds of key can follow some day.
const KIND: &str = "letsmeet-ed25519-v1";
/// A key file is 200 bytes; a larger one is refused with `Error::TooLarge`.
const LARGEST: u64 = 4096;

/// A profile's key pair. The private half never leaves it but into its file, and is wiped on drop.
pub struct Identity {
    key: SigningKey,
}

impl Identity {
    /// Reads the key pair in `dir`, or makes one there if there is none yet: once, whatever happens
    /// at the same time or half-way. An existing file is never overwritten.
    ///
    /// # Errors
    /// `Exposed` when others can read the file, `Corrupt` when it is not a key file, `Io`, `Random`.
    pub fn load_or_create(dir: &Path) -> Result<Self, Error> {
        if let Some(identity) = Self::load(dir)? {
            return Ok(identity);
        }
        let path = dir.join(FILE);
        let _lock = file::Lock::acquire(&path)?;
        // Somebody else may have been first.
        if let Some(identity) = Self::load(dir)? {
            return Ok(identity);
        }
        let identity = Self::ephemeral()?;
        let text = format!(
            "# Private key of a letsmeet profile. Whoever has it can log in under your name.\n\
             # public: {}\n{KIND} {}\n",
            identity.public_key(),
            encode(identity.key.as_bytes())
        );
        file::replace(&path, text.as_bytes(), 0)?;
        Ok(identity)
    }

    /// Reads the key pair in `dir`; `None` when there is none yet.
    ///
    /// # Errors
    /// As `load_or_create`.
    pub fn load(dir: &Path) -> Result<Option<Self>, Error> {
        let path = dir.join(FILE);
        let Some(contents) = file::read(&path, LARGEST)? else {
            return Ok(None);
        };
        if contents.mode & 0o077 != 0 {
            return Err(Error::Exposed { path, mode: contents.mode });
        }
        parse(&contents.bytes)
            .map(|seed| Some(Self::from_seed(seed)))
            .map_err(|(line, what)| Error::Corrupt { path, line, what })
    }

    /// A key pair that is kept nowhere, for tests of a connection and the like.
    ///
    /// # Errors
    /// `Random` when the system has no random bytes.
    pub fn ephemeral() -> Result<Self, Error> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(Error::Random)?;
        Ok(Self::from_seed(seed))
    }

    /// The key pair that belongs to a seed (RFC 8032 section 5.1.5).
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self { key: SigningKey::from_bytes(&seed) }
    }

    /// The half that everyone may know.
    pub fn public_key(&self) -> PublicKey {
        // A key made from a seed is on the curve and never weak; `from_bytes` could not fail.
        PublicKey::of(&self.key.verifying_key())
    }

    /// Signs `message` for the purpose `context`, a constant of lower-case words with hyphens.
    pub fn sign(&self, context: &str, message: &[u8]) -> Signature {
        Signature::from_bytes(self.key.sign(&separated(context, message)).to_bytes())
    }
}

/// Shows the public half only.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.public_key())
    }
}

/// The seed in a key file, or the line that is wrong and why. Never shows what is in the file.
fn parse(bytes: &[u8]) -> Result<[u8; 32], (usize, &'static str)> {
    let mut seed = None;
    let mut last = 1;
    for (line, bytes) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        last = line;
        let text = std::str::from_utf8(bytes).map_err(|_| (line, "not UTF-8 text"))?.trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let Some((KIND, rest)) = text.split_once(' ') else {
            return Err((line, "not a letsmeet key (expected \"letsmeet-ed25519-v1 SEED\")"));
        };
        if seed.is_some() {
            return Err((line, "a second key"));
        }
        seed = Some(decode(rest).ok_or((line, "the seed is not 32 bytes in base64url"))?);
    }
    seed.ok_or((last, "no key in the file"))
}
