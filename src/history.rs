//! The calls of a profile, kept on disk: one JSON object a line, oldest first.
//!
//! Owns the file: its form, its bounds and how it is changed. Must not know sessions, screens or where the file
//! lies. Driven by front ends: read once at start, added to when a call is over.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

#[cfg(test)]
mod tests;

/// Calls that are kept.
pub const KEPT: usize = 500;

/// The file is made short again when it holds this many lines, not at every call.
const FULL: usize = KEPT + KEPT / 4;

/// A file beyond this is none of ours: a line has some hundred bytes.
const LARGEST: u64 = 4 << 20;

/// Which side dialed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// We dialed.
    Outgoing,
    /// We were called.
    Incoming,
}

/// What became of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Outcome {
    /// There was a conversation.
    Answered {
        /// How long, in seconds.
        seconds: u64,
    },
    /// It rang here and nobody answered.
    Missed,
    /// The callee said no, here or there.
    Declined,
    /// The callee did not answer, or could not.
    NotAnswered {
        /// A sentence without a full stop.
        reason: String,
    },
    /// It was answered or should have been placed, and something broke.
    Failed {
        /// A sentence without a full stop.
        reason: String,
    },
}

/// One call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The other side's name: remote text, to be cleaned before it is shown.
    pub peer: String,
    /// Which side dialed.
    pub direction: Direction,
    /// What became of it.
    pub outcome: Outcome,
    /// When it began, seconds since 1970.
    pub at: u64,
    /// False for a missed call until it was looked at.
    pub seen: bool,
}

impl Entry {
    /// True for a missed call that nobody has looked at.
    #[must_use]
    pub fn is_new(&self) -> bool {
        !self.seen && self.outcome == Outcome::Missed
    }
}

/// Why the history could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system refused.
    #[error("cannot {action} the call history {path:?}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Larger than such a file can be.
    #[error("the call history {path:?} is larger than {LARGEST} bytes (move it away to begin a new one)")]
    TooLarge {
        /// Which file.
        path: PathBuf,
    },
}

/// The file of one profile.
#[derive(Debug, Clone)]
pub struct History {
    path: PathBuf,
}

impl History {
    /// The history at `path`; nothing is read or made yet.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The last [`KEPT`] calls, oldest first; none when there is no file. Lines that can't be read are passed over
    /// with a warning in the log.
    ///
    /// # Errors
    /// The file is there and can't be read, or is absurdly large.
    pub fn read(&self) -> Result<Vec<Entry>, Error> {
        let mut entries = self.all()?;
        entries.drain(..entries.len().saturating_sub(KEPT));
        Ok(entries)
    }

    /// Adds a call: one write at the end of the file, on a line of its own whatever was there before. The file and its
    /// folder are made if need be, for the owner only.
    ///
    /// # Errors
    /// The system refused. What was there stays.
    pub fn add(&self, entry: &Entry) -> Result<(), Error> {
        let _lock = self.lock()?;
        let mut file = private(OpenOptions::new().read(true).append(true).create(true))
            .open(&self.path)
            .map_err(|source| self.failed("open", source))?;
        let write = |file: &mut File| {
            let mut line = encode(entry);
            if torn(file)? {
                line.insert(0, '\n');
            }
            file.write_all(line.as_bytes())
        };
        write(&mut file).map_err(|source| self.failed("write", source))?;
        let entries = self.all()?;
        if entries.len() >= FULL { self.replace(&entries[entries.len() - KEPT..]) } else { Ok(()) }
    }

    /// Notes that every call was looked at.
    ///
    /// # Errors
    /// The system refused. What was there stays.
    pub fn mark_seen(&self) -> Result<(), Error> {
        let _lock = self.lock()?;
        let mut entries = self.all()?;
        if entries.iter().all(|entry| entry.seen) {
            return Ok(());
        }
        entries.drain(..entries.len().saturating_sub(KEPT));
        entries.iter_mut().for_each(|entry| entry.seen = true);
        self.replace(&entries)
    }

    fn all(&self) -> Result<Vec<Entry>, Error> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(self.failed("open", source)),
        };
        let mut bytes = Vec::new();
        file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(|source| self.failed("read", source))?;
        if bytes.len() as u64 > LARGEST {
            return Err(Error::TooLarge { path: self.path.clone() });
        }
        let lines =
            bytes.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.trim_ascii().is_empty());
        Ok(lines
            .filter_map(|(number, line)| {
                serde_json::from_slice(line)
                    .inspect_err(|error| {
                        tracing::warn!(path = ?self.path, line = number + 1, "a call of the history is unreadable: {error}");
                    })
                    .ok()
            })
            .collect())
    }

    /// Replaces the file at once: whoever reads sees the old one or the new one.
    fn replace(&self, entries: &[Entry]) -> Result<(), Error> {
        let scratch = self.beside(".new");
        let text: String = entries.iter().map(encode).collect();
        let write = || {
            let mut file =
                private(OpenOptions::new().write(true).create(true).truncate(true)).open(&scratch)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&scratch, &self.path)
        };
        write().map_err(|source| self.failed("write", source))
    }

    /// Keeps other processes of the profile out until it is dropped. It is on a file beside, for the file itself is
    /// replaced.
    fn lock(&self) -> Result<File, Error> {
        if let Some(folder) = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            make_folder(folder).map_err(|source| self.failed("make the folder of", source))?;
        }
        let lock = || {
            let file = private(OpenOptions::new().write(true).create(true).truncate(false))
                .open(self.beside(".lock"))?;
            file.lock()?;
            Ok(file)
        };
        lock().map_err(|source| self.failed("lock", source))
    }

    fn beside(&self, ending: &str) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(ending);
        name.into()
    }

    fn failed(&self, action: &'static str, source: io::Error) -> Error {
        Error::Io { action, path: self.path.clone(), source }
    }
}

/// One line. An entry holds only text and numbers, so that it can always be written.
fn encode(entry: &Entry) -> String {
    serde_json::to_string(entry).map(|line| line + "\n").unwrap_or_default()
}

/// True when the file ends within a line: a writer was killed.
fn torn(file: &mut File) -> io::Result<bool> {
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

#[cfg(unix)]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt as _;
    options.mode(0o600)
}

#[cfg(not(unix))]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

#[cfg(unix)]
fn make_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(not(unix))]
fn make_folder(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)
}
