//! Who we are and whom we know: the key pair of a profile, the pinned keys of others, signatures,
//! and the code that two people compare.
//!
//! Owns the key file and the `known_peers` file, in full: their format, their permissions and how they
//! are changed without ever being half written. It must not know calls, messages or the server:
//! whoever signs names the purpose. `cli` opens the files, `signaling::client` signs the login,
//! `session` signs and checks fingerprints.
//!
//! ```text
//!   DIR/identity.key   one Ed25519 seed, mode 0600, made once and never overwritten
//!   known_peers        "name key" a line, comments kept, as ssh's known_hosts
//! ```

mod code;
mod file;
mod key;
mod known_peers;
mod profile;
#[cfg(test)]
mod tests;

use std::io;
use std::path::PathBuf;

pub use code::verification_code;
pub use key::{Invalid, PublicKey, Signature};
pub use known_peers::{KnownPeers, Peer, Standing};
pub use profile::Identity;

/// Why an identity file could not be used. Nothing was changed in any of these cases.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system refused.
    #[error("cannot {action} {path:?}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others could read the private key.
    #[error(
        "private key {path:?} can be read or changed by others (mode {mode:04o}): run \
         chmod 600 '{}'",
        path.display()
    )]
    Exposed {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Others could pin keys.
    #[error(
        "{path:?} can be changed by others (mode {mode:04o}): run chmod o-w '{}'",
        path.display()
    )]
    Writable {
        /// The file of pinned keys.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A file does not hold what it should. It is left as it is.
    #[error("{path:?} line {line}: {what}")]
    Corrupt {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// What is wrong there.
        what: &'static str,
    },
    /// Larger than such a file can sensibly be.
    #[error("{path:?} is larger than {limit} bytes")]
    TooLarge {
        /// Which file.
        path: PathBuf,
        /// The largest size in bytes.
        limit: u64,
    },
    /// Not something that can stand in a line of `known_peers`.
    #[error("{name:?} cannot be the name of a peer")]
    Name {
        /// The name.
        name: String,
    },
    /// The name is pinned to another key.
    #[error(
        "the key of {name:?} has changed: {path:?} line {line} has {pinned}, offered is {offered} \
         (if that is expected: letsmeet trust forget {name})"
    )]
    Changed {
        /// Whose key.
        name: String,
        /// The file of pinned keys.
        path: PathBuf,
        /// Where the pinned key stands, from 1.
        line: usize,
        /// Fingerprint of the pinned key.
        pinned: String,
        /// Fingerprint of the offered key.
        offered: String,
    },
    /// The system has no random bytes.
    #[error("cannot draw a key: {0}")]
    Random(getrandom::Error),
}
