//! Where results go beside stdout: the files of `--junit` and `--prometheus`, the line of `--nagios`.
//!
//! Owns that a file is there whole or not at all, and that nobody's phone rings for a file that can't be written.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Result;

use super::args::Results as Flags;
use super::exit::Exit;
use super::failure::{Device, Usage};
use super::output::nagios::State;
use super::output::results::Results;
use super::output::{junit, nagios, prometheus, write_line};

/// How the process ends: as all commands do, or as a plugin of a monitor does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    /// By the table of docs/scripting.md.
    Exit(Exit),
    /// 0 to 3.
    Plugin(State),
}

impl Status {
    /// The process's exit status.
    #[must_use]
    pub(super) fn code(self) -> u8 {
        match self {
            Self::Exit(exit) => exit.code(),
            Self::Plugin(state) => state.code(),
        }
    }
}

impl From<Exit> for Status {
    fn from(exit: Exit) -> Self {
        Self::Exit(exit)
    }
}

impl Flags {
    /// Said before anything is begun.
    ///
    /// # Errors
    /// Two things are asked of stdout, or a file has no folder.
    pub(super) fn check(&self, json: bool) -> Result<()> {
        if self.nagios && json {
            return Err(Usage::new("--nagios writes one line: leave out --json").into());
        }
        for path in [&self.junit, &self.prometheus].into_iter().flatten() {
            let folder = folder(path);
            if !folder.is_dir() || path.is_dir() {
                let why = if path.is_dir() { "it is a folder" } else { "there is no such folder" };
                return Err(Device::new(format!("cannot write {}: {why}", path.display())).into());
            }
        }
        Ok(())
    }

    /// Whether anything is asked for.
    pub(super) fn wanted(&self) -> bool {
        self.junit.is_some() || self.prometheus.is_some() || self.nagios
    }

    /// Writes what was asked for, and says how the process ends.
    ///
    /// # Errors
    /// A file can't be written, or stdout is broken.
    pub(super) fn write(&self, exit: Exit, results: &Results) -> Result<Status> {
        self.write_files(results)?;
        if self.nagios {
            write_line(&nagios::write(&results.service))?;
            return Ok(Status::Plugin(results.service.state));
        }
        Ok(exit.into())
    }

    /// The files alone: of several runs each has its turn.
    ///
    /// # Errors
    /// A file can't be written.
    pub(super) fn write_files(&self, results: &Results) -> Result<()> {
        if let Some(path) = &self.junit {
            replace(path, &junit::write(&results.suites))?;
        }
        if let Some(path) = &self.prometheus {
            replace(path, &prometheus::write(&results.metrics))?;
        }
        Ok(())
    }

    /// The same for a command that failed before it had anything to tell.
    pub(super) fn write_error(
        &self,
        command: &'static str,
        exit: Exit,
        message: &str,
        subject: (&'static str, &str),
    ) -> Result<Status> {
        let results = Results::of_error(command, exit, message, subject, SystemTime::now());
        self.write(exit, &results)
    }
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// By a file beside it that takes its name when it is whole: whoever reads sees the old one or the new one. Its name does not
/// end in `.prom`, so that no collector takes it.
fn replace(path: &Path, text: &str) -> Result<()> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let beside: PathBuf = folder(path).join(format!(".{name}.{}.part", std::process::id()));
    let written = fs::File::create(&beside)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&beside, path));
    written.map_err(|error| {
        // What is left of it helps nobody; that it can't be removed changes nothing about the error.
        let _ = fs::remove_file(&beside);
        Device::new(format!("cannot write {}: {error}", path.display())).into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("letsmeet.prom");
        for text in ["one\n", "two\n"] {
            replace(&path, text).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(replace(&folder.path().join("none/x"), "").is_err());
        let flags = Flags { junit: Some(folder.path().join("none/x")), ..Flags::default() };
        assert!(flags.check(false).is_err());
        let plugin = Flags { nagios: true, ..Flags::default() };
        assert!(plugin.check(true).is_err() && plugin.check(false).is_ok());
    }
}
