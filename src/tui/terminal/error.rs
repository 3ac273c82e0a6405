//! What can go wrong with a terminal.

use std::io;

/// The terminal can't be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Standard input or output is a file, a pipe or nothing.
    #[error("standard {0} is not a terminal")]
    NotATerminal(&'static str),
    /// The system has no terminals as Unix knows them.
    #[error("drawing in a terminal is not there yet on this system (see: letsmeet login --plain)")]
    Unsupported,
    /// The terminal's settings, its signals or its file could not be used.
    #[error("cannot {what} the terminal: {source}")]
    Io {
        /// What was tried: a verb.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
}
