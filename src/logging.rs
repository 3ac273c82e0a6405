//! Diagnostics: `tracing` to stderr, or to a file while the terminal belongs to the screen. Stdout belongs to the
//! command's own output.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::time::SystemTime;

/// A file that has grown to this many bytes is set aside before a command begins to log, as `NAME.old`.
const LARGEST: u64 = 4 << 20;

/// Where diagnostics go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Stderr, from warnings on.
    Stderr,
    /// This file, from information on: who looks into it wants to know what happened.
    File(PathBuf),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stderr => f.write_str("stderr"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

/// Starts logging. `LETSMEET_LOG` (a tracing filter) wins over the flags.
///
/// The WebRTC crates speak at levels meant for their authors, so they stay two steps behind.
///
/// # Errors
/// The file can't be opened.
pub fn start(verbose: u8, quiet: bool, target: &Target) -> io::Result<()> {
    let more = u8::from(matches!(target, Target::File(_)));
    let ours = match (quiet, verbose + more) {
        (true, _) => "letsmeet=error",
        (false, 0) => "letsmeet=warn",
        (false, 1) => "letsmeet=info",
        (false, 2) => "letsmeet=debug,warn",
        (false, _) => "letsmeet=trace,info",
    };
    let filter = EnvFilter::try_from_env("LETSMEET_LOG").unwrap_or_else(|_| EnvFilter::new(ours));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_timer(SystemTime);
    // A second call (two commands in one process, as tests do) leaves the first one in place.
    let _ = match target {
        Target::Stderr => builder.with_writer(io::stderr).try_init(),
        Target::File(path) => builder.with_writer(Mutex::new(open(path)?)).try_init(),
    };
    Ok(())
}

/// Opens a log to be added to, for its owner's eyes only.
fn open(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    if fs::metadata(path).is_ok_and(|about| about.len() > LARGEST) {
        fs::rename(path, path.with_extension("log.old"))?;
    }
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_added_to_and_set_aside_when_it_has_grown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/letsmeet.log");
        for _ in 0..2 {
            io::Write::write_all(&mut open(&path).unwrap(), b"line\n").unwrap();
        }
        assert_eq!(fs::read(&path).unwrap(), b"line\nline\n");
        File::options().write(true).open(&path).unwrap().set_len(LARGEST + 1).unwrap();
        assert_eq!(open(&path).unwrap().metadata().unwrap().len(), 0);
        assert!(folder.path().join("deep/letsmeet.log.old").exists());
    }
}
