//! File formats that need no helper program: Y4M for pictures, WAV for sound.
//!
//! Pure readers over any `Read` and writers over any `Write`. Headers may lie and files may end anywhere: every
//! reader answers with an error, and allocates no more than the bytes that are there plus one picture. Must not
//! know paths; the sources and sinks that do put them into the message.

pub mod wav;
pub mod y4m;

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bytes are not what the format promises, or use a part of it that is not supported.
    #[error("{0}")]
    Damaged(String),
    /// Reading failed.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl Error {
    pub(crate) fn damaged(why: impl Into<String>) -> Self {
        Self::Damaged(why.into())
    }

    /// The same with the file's name.
    pub fn in_file(self, what: impl Into<String>) -> super::Error {
        match self {
            Self::Damaged(why) => super::Error::Decode { what: what.into(), why },
            Self::Io(source) => super::Error::Io { what: what.into(), source },
        }
    }
}
