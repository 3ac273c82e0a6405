//! Files of a call, as a front end sees them.

use std::path::PathBuf;
use std::time::Duration;

pub use crate::files::{Policy, Why};

/// What becomes of files that the other side offers.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where they are kept.
    pub folder: PathBuf,
    /// Whether somebody is asked.
    pub policy: Policy,
    /// The largest that is accepted, bytes.
    pub max_size: u64,
    /// Calls that are dialed are for files alone: neither sound nor picture is negotiated.
    pub only: bool,
}

/// A file that is offered, under way or over, in either direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its number in this call, from 1.
    pub number: u32,
    /// True when the other side sends it.
    pub remote: bool,
    /// Its name; one of the other side is fit for a folder, and still remote text.
    pub name: String,
    /// Its length, bytes.
    pub size: u64,
    /// Its media type as the sender guessed it.
    pub kind: String,
    /// What happened.
    pub state: FileState,
}

/// What happened to a file. Nothing follows `Done` and `Failed`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileState {
    /// It waits for the receiver's consent.
    Offered,
    /// It is being sent from this byte on; what was before it is there already.
    Started {
        /// That byte.
        from: u64,
    },
    /// At most four times a second.
    Progress {
        /// Bytes that are known to be there.
        done: u64,
        /// Bytes a second.
        rate: u64,
        /// How long the rest will take.
        left: Option<Duration>,
    },
    /// It is whole and checked.
    Done {
        /// BLAKE3 of it, hexadecimal.
        hash: String,
        /// Where it is kept, for a file of the other side.
        path: Option<PathBuf>,
    },
    /// It came to nothing.
    Failed {
        /// Why.
        why: Why,
    },
}

impl FileState {
    /// The word for it in events.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Offered => "offered",
            Self::Started { .. } => "started",
            Self::Progress { .. } => "progress",
            Self::Done { .. } => "done",
            Self::Failed { .. } => "failed",
        }
    }

    /// Whether nothing follows.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self, Self::Done { .. } | Self::Failed { .. })
    }
}

/// An amount of bytes for a person: `17 bytes`, `1.2 MB`. In thousands, as disks and rates are sold.
#[must_use]
pub fn amount(bytes: u64) -> String {
    if bytes < 1000 {
        return format!("{bytes} bytes");
    }
    let mut value = bytes as f64;
    let mut unit = "";
    for next in ["kB", "MB", "GB", "TB", "PB"] {
        if value < 999.5 {
            break;
        }
        (value, unit) = (value / 1000.0, next);
    }
    if value < 9.95 { format!("{value:.1} {unit}") } else { format!("{value:.0} {unit}") }
}

/// A time for a person: `0:07`, `1:02:03`.
#[must_use]
pub fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds / 3600 {
        0 => format!("{}:{:02}", seconds / 60, seconds % 60),
        hours => format!("{hours}:{:02}:{:02}", seconds / 60 % 60, seconds % 60),
    }
}

/// How much of a file is there, in hundredths; all of an empty one.
#[must_use]
pub fn percent(done: u64, size: u64) -> u64 {
    let (done, size) = (u128::from(done.min(size)), u128::from(size));
    u64::try_from((done * 100).checked_div(size).unwrap_or(100)).unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_and_times_are_short() {
        for (bytes, text) in [
            (0, "0 bytes"),
            (999, "999 bytes"),
            (1000, "1.0 kB"),
            (1_234_567, "1.2 MB"),
            (9_960_000, "10 MB"),
            (999_999, "1.0 MB"),
            (1 << 30, "1.1 GB"),
            (u64::MAX, "18447 PB"),
        ] {
            assert_eq!(amount(bytes), text);
        }
        assert_eq!(clock(Duration::from_secs(7)), "0:07");
        assert_eq!(clock(Duration::from_secs(3723)), "1:02:03");
        assert_eq!((percent(0, 0), percent(1, 3), percent(9, 3)), (100, 33, 100));
    }
}
