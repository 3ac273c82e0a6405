//! Files from one end of a call to the other: what is said about them, who may do what when, and how a file comes into a
//! folder without harm to anything that is there.
//!
//! [`Desk`] is pure: it knows every transfer of a call, takes what the other side says and what the person wants, and answers with
//! [`Effect`]s. [`Source`] and [`Part`] are the two ends that touch the disk; they block and belong on threads of their own. Must
//! not know calls, connections or terminals. The session drives all of it (docs/protocol.md, section 8, has the words).

mod desk;
mod kind;
pub mod name;
mod pace;
mod progress;
mod receive;
mod send;
pub mod wire;

pub use desk::{Desk, Effect, Limits, Moment, Policy};
pub use pace::Pace;
pub use progress::Progress;
pub use receive::{Folder, Part};
pub use send::Source;
pub use wire::Why;

/// The hash that both ends make of a file: BLAKE3.
pub type Hash = blake3::Hash;

/// Reads at once from a disk, bytes.
const BLOCK: usize = 256 * 1024;

/// What is known of a file before its first byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// Its name; one of the other side has been through [`name::safe`].
    pub name: String,
    /// Its length, bytes.
    pub size: u64,
    /// Its media type, guessed by the sender from the name.
    pub kind: String,
}
