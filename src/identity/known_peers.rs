//! The pinned keys of others: trust on first use, as ssh does with hosts.
//!
//! A line is `name key`, blank, or a comment that starts with `#` (also after the key). Lines that
//! are not ours to change, comments included, are kept byte for byte.

use std::path::{Path, PathBuf};

use unicode_normalization::UnicodeNormalization as _;

use super::{Error, PublicKey, file};

/// Largest `known_peers` file, some 40,000 peers. When full, `pin` fails with `Error::TooLarge` and
/// nothing is changed.
const LARGEST: u64 = 4 * 1024 * 1024;
/// Longest name in bytes that can be pinned; the protocol's own limit is lower.
const LONGEST_NAME: usize = 256;

/// A `known_peers` file. It is read anew for each question, for other processes write it too.
#[derive(Clone, Debug)]
pub struct KnownPeers {
    path: PathBuf,
}

/// What is known of a name's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The name was never pinned.
    New,
    /// The name is pinned to this key.
    Known,
    /// The name is pinned to another key: somebody else may be answering.
    Changed {
        /// The key that was pinned.
        pinned: PublicKey,
        /// The line in the file, from 1.
        line: usize,
    },
}

struct Pin {
    line: usize,
    name: String,
    key: PublicKey,
}

impl KnownPeers {
    /// Opens the file at `path`, which need not exist: it is made at the first `pin`.
    ///
    /// # Errors
    /// `Corrupt` with the line when it does not hold what it should, `Writable` when others could
    /// pin keys in it, `TooLarge`, `Io`.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, Error> {
        let peers = Self { path: path.into() };
        peers.read()?;
        Ok(peers)
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is known of `name`, as against `key`. Changes nothing.
    ///
    /// # Errors
    /// As `open`.
    pub fn check(&self, name: &str, key: &PublicKey) -> Result<Standing, Error> {
        let (_, _, pins) = self.read()?;
        Ok(standing(&pins, name, key))
    }

    /// Pins `name` to `key`, if it is not pinned yet. Two processes may do so at once.
    ///
    /// # Errors
    /// `Changed` when it is pinned to another key, also by another process a moment ago; `Name`
    /// when it cannot stand in a line; else as `open`.
    pub fn pin(&self, name: &str, key: &PublicKey) -> Result<(), Error> {
        if !is_name(name) {
            return Err(Error::Name { name: name.to_owned() });
        }
        let _lock = file::Lock::acquire(&self.path)?;
        let (mut bytes, mode, pins) = self.read()?;
        match standing(&pins, name, key) {
            Standing::Known => return Ok(()),
            Standing::Changed { pinned, line } => {
                return Err(Error::Changed {
                    name: name.to_owned(),
                    path: self.path.clone(),
                    line,
                    pinned: pinned.fingerprint(),
                    offered: key.fingerprint(),
                });
            }
            Standing::New => {}
        }
        if bytes.last().is_some_and(|last| *last != b'\n') {
            bytes.push(b'\n');
        }
        bytes.extend_from_slice(format!("{name} {key}\n").as_bytes());
        if bytes.len() as u64 > LARGEST {
            return Err(Error::TooLarge { path: self.path.clone(), limit: LARGEST });
        }
        file::replace(&self.path, &bytes, mode)
    }

    /// The file as it is now: its bytes, its mode, and what they say.
    fn read(&self) -> Result<(Vec<u8>, u32, Vec<Pin>), Error> {
        let Some(contents) = file::read(&self.path, LARGEST)? else {
            return Ok((Vec::new(), 0, Vec::new()));
        };
        let file::Contents { bytes, mode } = contents;
        if mode & 0o002 != 0 {
            return Err(Error::Writable { path: self.path.clone(), mode });
        }
        let pins =
            parse(&bytes).map_err(|(line, what)| Error::Corrupt { path: self.path.clone(), line, what })?;
        Ok((bytes, mode, pins))
    }
}

/// The last line cannot contradict an earlier one: `parse` refuses such a file.
fn standing(pins: &[Pin], name: &str, key: &PublicKey) -> Standing {
    let name = fold(name);
    match pins.iter().find(|pin| pin.name == name) {
        None => Standing::New,
        Some(pin) if pin.key == *key => Standing::Known,
        Some(pin) => Standing::Changed { pinned: pin.key, line: pin.line },
    }
}

fn parse(bytes: &[u8]) -> Result<Vec<Pin>, (usize, &'static str)> {
    let mut pins = Vec::new();
    let mut seen = std::collections::HashMap::new();
    for (line, bytes) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        let text = std::str::from_utf8(bytes).map_err(|_| (line, "not UTF-8 text"))?.trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let mut words = text.split_whitespace();
        let name = words.next().filter(|name| is_name(name)).ok_or((line, "not the name of a peer"))?;
        let key = words.next().ok_or((line, "no key after the name"))?;
        let key: PublicKey = key.parse().map_err(|_| (line, "not a public key"))?;
        if words.next().is_some_and(|word| !word.starts_with('#')) {
            return Err((line, "more than a name and a key"));
        }
        let name = fold(name);
        if seen.insert(name.clone(), key).is_some_and(|earlier| earlier != key) {
            return Err((line, "another key for a name that is pinned above"));
        }
        pins.push(Pin { line, name, key });
    }
    Ok(pins)
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= LONGEST_NAME
        && !name.starts_with('#')
        && !name.chars().any(|c| c.is_whitespace() || c.is_control() || c == '\u{feff}')
}

/// Names are the same when the server takes them for the same.
fn fold(name: &str) -> String {
    let sigma = |c| if c == 'ς' { 'σ' } else { c };
    name.nfc().flat_map(char::to_lowercase).map(sigma).nfc().collect()
}
