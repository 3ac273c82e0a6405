//! What can go wrong in media, sorted by what a caller can do about it.

/// A failure of a source, a sink or a codec.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The words given by the user name no source or sink, or a size or rate that cannot be (exit status 2).
    #[error("{0}")]
    Spec(String),
    /// A device, a file or a helper program cannot be opened (exit status 6).
    #[error("cannot open {what}: {why}")]
    Open {
        /// The device or file, as the user named it.
        what: String,
        /// Why not, with a hint where the cure is known.
        why: String,
    },
    /// Bytes that are not what their format promises: a damaged file or encoded frame.
    #[error("cannot decode {what}: {why}")]
    Decode {
        /// The file or the codec.
        what: String,
        /// What is wrong with the bytes.
        why: String,
    },
    /// A codec refused its settings or its input.
    #[error("{codec} encoder: {why}")]
    Encode {
        /// The codec's name.
        codec: &'static str,
        /// What it said.
        why: String,
    },
    /// Reading or writing failed after the file was opened: a full disk, a closed pipe.
    #[error("{what}: {source}")]
    Io {
        /// The file.
        what: String,
        /// What the system said.
        source: std::io::Error,
    },
}

impl Error {
    /// Shorthand for [`Error::Open`].
    pub(crate) fn open(what: impl Into<String>, why: impl std::fmt::Display) -> Self {
        Self::Open { what: what.into(), why: why.to_string() }
    }

    /// Shorthand for [`Error::Decode`].
    pub(crate) fn decode(what: impl Into<String>, why: impl std::fmt::Display) -> Self {
        Self::Decode { what: what.into(), why: why.to_string() }
    }
}
