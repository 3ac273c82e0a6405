//! Where a call is recorded: what a front end may ask for, and the names of files.
//!
//! Owns the name that nobody had to think of, and the numbers of further ones. Recording itself is the leg's and media's.

use std::path::{Path, PathBuf};

use crate::media::WallTime;

/// What a front end asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recording {
    /// Record into this file, which is overwritten.
    Into(PathBuf),
    /// Record into a new file in the usual folder.
    Anywhere,
    /// Record no longer.
    Off,
}

/// A file to record into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Take {
    pub(super) path: PathBuf,
    /// One that is there is overwritten; otherwise another name is found, and the folder is made.
    pub(super) replace: bool,
}

impl Take {
    /// A new file for a call with `peer` that is recorded from `now` on.
    pub(super) fn new(folder: &Path, peer: &str, now: WallTime) -> Self {
        Self { path: folder.join(file_name(peer, now)), replace: false }
    }

    /// The name that is free: this one, or with a number.
    pub(super) fn free(&self) -> PathBuf {
        if self.replace {
            return self.path.clone();
        }
        (0..=99).map(|count| numbered(&self.path, count)).find(|path| !path.exists()).unwrap_or_default()
    }
}

/// The name of the file for the call after `count` others.
#[must_use]
pub fn numbered(path: &Path, count: usize) -> PathBuf {
    if count == 0 {
        return path.to_owned();
    }
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(format!("-{}", count + 1));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

/// A name that says who and when; of the other side's name only what every file system takes.
fn file_name(peer: &str, now: WallTime) -> String {
    let plain = |c: char| if c.is_alphanumeric() || matches!(c, '-' | '_') { c } else { '_' };
    let peer: String = peer.chars().map(plain).collect();
    format!("letsmeet-{peer}-{}.webm", now.local_digits())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn further_calls_are_numbered() {
        let path = Path::new("calls/out.webm");
        let names: Vec<PathBuf> = (0..3).map(|count| numbered(path, count)).collect();
        assert_eq!(names, ["calls/out.webm", "calls/out-2.webm", "calls/out-3.webm"].map(PathBuf::from));
    }

    #[test]
    fn a_name_says_who_and_when_and_leads_nowhere_else() {
        let now = WallTime(1_700_000_000_000_000);
        let take = Take::new(Path::new("/videos"), "../b\u{202e}ö b:1", now);
        let name = take.path.file_name().unwrap().to_str().unwrap().to_owned();
        assert!(name.starts_with("letsmeet-___b_ö_b_1-202311") && name.ends_with(".webm"), "{name}");
        assert_eq!(take.path.parent(), Some(Path::new("/videos")));
        assert_eq!(name.len(), "letsmeet-___b_ö_b_1-20231114-221320.webm".len());
    }

    #[test]
    fn a_file_that_nobody_named_replaces_none() {
        let folder = tempfile::tempdir().unwrap();
        let take = Take { path: folder.path().join("a.webm"), replace: false };
        for expected in ["a.webm", "a-2.webm", "a-3.webm"] {
            let free = take.free();
            assert_eq!(free, folder.path().join(expected));
            std::fs::write(free, "").unwrap();
        }
    }
}
