//! The pinned keys of others: trust on first use, as ssh does with hosts.
//!
//! A line is `name key`, blank, or a comment that starts with `#` (also after the key). A comment after a key that
//! has the word `verified` says that a person compared it. Lines that are not ours to change, comments included, are
//! kept byte for byte.

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

/// A name and its key, as a line of the file has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The name as it was written.
    pub name: String,
    /// Its key.
    pub key: PublicKey,
    /// Somebody compared the key with its owner's.
    pub verified: bool,
    /// The line in the file, from 1.
    pub line: usize,
}

/// The comment of a key that was compared.
const VERIFIED: &str = "verified";

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

    /// Whether the server takes two names for the same.
    #[must_use]
    pub fn same_name(a: &str, b: &str) -> bool {
        fold(a) == fold(b)
    }

    /// What is known of `name`, as against `key`. Changes nothing.
    ///
    /// # Errors
    /// As `open`.
    pub fn check(&self, name: &str, key: &PublicKey) -> Result<Standing, Error> {
        let (_, _, peers) = self.read()?;
        Ok(standing(&peers, name, key))
    }

    /// Everyone in the file, in its order; a name that stands there twice, with the same key, comes twice.
    ///
    /// # Errors
    /// As `open`.
    pub fn list(&self) -> Result<Vec<Peer>, Error> {
        self.read().map(|(_, _, peers)| peers)
    }

    /// Pins `name` to `key`, if it is not pinned yet. Two processes may do so at once.
    ///
    /// # Errors
    /// `Changed` when it is pinned to another key, also by another process a moment ago; `Name`
    /// when it cannot stand in a line; else as `open`.
    pub fn pin(&self, name: &str, key: &PublicKey) -> Result<(), Error> {
        self.write(name, key, false)
    }

    /// Marks the key of `name` as compared with its owner's; pins it first where the name was never pinned.
    ///
    /// # Errors
    /// As `pin`.
    pub fn verify(&self, name: &str, key: &PublicKey) -> Result<(), Error> {
        self.write(name, key, true)
    }

    /// Takes every line of `name` out, and says how many there were. The next key under that name is trusted again.
    ///
    /// # Errors
    /// As `open`.
    pub fn forget(&self, name: &str) -> Result<usize, Error> {
        let _lock = file::Lock::acquire(&self.path)?;
        let (bytes, mode, peers) = self.read()?;
        let name = fold(name);
        let lines: Vec<usize> =
            peers.iter().filter(|peer| fold(&peer.name) == name).map(|peer| peer.line).collect();
        if lines.is_empty() {
            return Ok(0);
        }
        let kept = (1..).zip(bytes.split_inclusive(|byte| *byte == b'\n'));
        let kept =
            kept.filter(|(line, _)| !lines.contains(line)).flat_map(|(_, bytes)| bytes.iter().copied());
        file::replace(&self.path, &kept.collect::<Vec<u8>>(), mode)?;
        Ok(lines.len())
    }

    fn write(&self, name: &str, key: &PublicKey, verified: bool) -> Result<(), Error> {
        if !is_name(name) {
            return Err(Error::Name { name: name.to_owned() });
        }
        let _lock = file::Lock::acquire(&self.path)?;
        let (mut bytes, mode, peers) = self.read()?;
        match standing(&peers, name, key) {
            Standing::Known => {
                let known = peers.iter().find(|peer| fold(&peer.name) == fold(name));
                let Some(known) = known.filter(|known| verified && !known.verified) else { return Ok(()) };
                return file::replace(&self.path, &marked(&bytes, known.line), mode);
            }
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
        let mark = if verified { format!(" # {VERIFIED}") } else { String::new() };
        bytes.extend_from_slice(format!("{name} {key}{mark}\n").as_bytes());
        if bytes.len() as u64 > LARGEST {
            return Err(Error::TooLarge { path: self.path.clone(), limit: LARGEST });
        }
        file::replace(&self.path, &bytes, mode)
    }

    /// The file as it is now: its bytes, its mode, and what they say.
    fn read(&self) -> Result<(Vec<u8>, u32, Vec<Peer>), Error> {
        let Some(contents) = file::read(&self.path, LARGEST)? else {
            return Ok((Vec::new(), 0, Vec::new()));
        };
        let file::Contents { bytes, mode } = contents;
        if mode & 0o002 != 0 {
            return Err(Error::Writable { path: self.path.clone(), mode });
        }
        let peers =
            parse(&bytes).map_err(|(line, what)| Error::Corrupt { path: self.path.clone(), line, what })?;
        Ok((bytes, mode, peers))
    }
}

/// The last line cannot contradict an earlier one: `parse` refuses such a file.
fn standing(peers: &[Peer], name: &str, key: &PublicKey) -> Standing {
    let name = fold(name);
    match peers.iter().find(|peer| fold(&peer.name) == name) {
        None => Standing::New,
        Some(peer) if peer.key == *key => Standing::Known,
        Some(peer) => Standing::Changed { pinned: peer.key, line: peer.line },
    }
}

/// The file with a mark at the end of a line, counted from 1.
fn marked(bytes: &[u8], line: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + VERIFIED.len() + 3);
    for (number, bytes) in (1..).zip(bytes.split_inclusive(|byte| *byte == b'\n')) {
        let text = bytes.trim_ascii_end();
        out.extend_from_slice(text);
        if number == line {
            out.extend_from_slice(format!(" # {VERIFIED}").as_bytes());
        }
        out.extend_from_slice(&bytes[text.len()..]);
    }
    out
}

fn parse(bytes: &[u8]) -> Result<Vec<Peer>, (usize, &'static str)> {
    let mut peers = Vec::new();
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
        let comment = words.next();
        if comment.is_some_and(|word| !word.starts_with('#')) {
            return Err((line, "more than a name and a key"));
        }
        let verified = comment.into_iter().chain(words).any(|word| word.trim_start_matches('#') == VERIFIED);
        if seen.insert(fold(name), key).is_some_and(|earlier| earlier != key) {
            return Err((line, "another key for a name that is pinned above"));
        }
        peers.push(Peer { name: name.to_owned(), key, verified, line });
    }
    Ok(peers)
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
