//! Typed settings: the file, below the environment, below the flags.
//!
//! Owns where letsmeet keeps its things and what may stand in `config.toml`. Flags and environment are clap's;
//! a command merges them over what is read here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::Deserialize;

/// Where the server is looked for when nobody says.
pub const DEFAULT_SERVER: &str = "ws://127.0.0.1:7880";

/// The largest settings file that is read, bytes. A real one has a few hundred.
const LARGEST: u64 = 256 * 1024;

/// What may stand in the settings file. Every key is optional; unknown keys are errors.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The signaling server.
    pub server: Option<String>,
    /// The name to sign in with.
    pub name: Option<String>,
    /// A file that holds the server's shared token.
    pub token_file: Option<PathBuf>,
    /// What is sent and where the received goes, in the words of the flags.
    #[serde(default)]
    pub media: Media,
    /// STUN and TURN servers.
    #[serde(default)]
    pub ice: Ice,
    /// `--render`.
    pub render: Option<String>,
    /// Keys of the screen: a command's name and the key for it.
    #[serde(default)]
    pub keys: BTreeMap<String, String>,
}

/// `[media]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Media {
    /// `--video`.
    pub video: Option<String>,
    /// `--audio`.
    pub audio: Option<String>,
    /// `--show`.
    pub show: Option<String>,
    /// `--hear`.
    pub hear: Option<String>,
}

/// `[ice]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ice {
    /// `--stun`.
    #[serde(default)]
    pub stun: Vec<String>,
    /// `--turn`.
    #[serde(default)]
    pub turn: Vec<String>,
    /// `--turn-user`.
    pub turn_user: Option<String>,
    /// `--turn-password-file`.
    pub turn_password_file: Option<PathBuf>,
}

/// Why the settings can't be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file is there (or was asked for) and can't be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is no TOML, or has a key or a value that letsmeet does not know.
    #[error("{path}: {message}")]
    Invalid {
        /// Which file.
        path: PathBuf,
        /// Line, column and what is wrong.
        message: String,
    },
    /// The platform names no folder for settings.
    #[error("no home folder (set HOME, or LETSMEET_HOME to a folder for letsmeet)")]
    NoHome,
}

/// The folders of one user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folders {
    /// Holds `config.toml`.
    pub config: PathBuf,
    /// Holds profiles, known peers and the server's names.
    pub data: PathBuf,
}

impl Folders {
    /// `LETSMEET_HOME` for everything, or else the platform's own places.
    ///
    /// # Errors
    /// [`Error::NoHome`] when neither is known.
    pub fn find() -> Result<Self, Error> {
        if let Some(home) = std::env::var_os("LETSMEET_HOME").filter(|home| !home.is_empty()) {
            let home = PathBuf::from(home);
            return Ok(Self { config: home.clone(), data: home });
        }
        let places = directories::ProjectDirs::from("", "", "letsmeet").ok_or(Error::NoHome)?;
        Ok(Self { config: places.config_dir().to_owned(), data: places.data_dir().to_owned() })
    }
}

impl Settings {
    /// Reads `path` if the user named it, or the usual file if it is there.
    ///
    /// # Errors
    /// A named file that is missing, any file that can't be read or is not valid.
    pub fn load(named: Option<&Path>, folders: &Folders) -> Result<Self, Error> {
        let (path, must_exist) = match named {
            Some(path) => (path.to_owned(), true),
            None => (folders.config.join("config.toml"), false),
        };
        let read = |source| Error::Read { path: path.clone(), source };
        match fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !must_exist => {
                return Ok(Self::default());
            }
            Err(error) => return Err(read(error)),
            Ok(about) if about.len() > LARGEST => {
                return Err(Error::Invalid { path, message: format!("larger than {LARGEST} bytes") });
            }
            Ok(_) => {}
        }
        let text = fs::read_to_string(&path).map_err(read)?;
        Self::parse(&text).map_err(|message| Error::Invalid { path, message })
    }

    fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_of_the_file_is_read() {
        let settings = Settings::parse(
            "server = \"meet.example\"\nname = \"alice\"\ntoken_file = \"/t\"\n[media]\nvideo = \"pattern\"\n\
             audio = \"tone\"\nshow = \"null\"\nhear = \"null\"\n[ice]\nstun = [\"stun:a\"]\nturn = [\"turn:b\"]\n\
             turn_user = \"u\"\nturn_password_file = \"/p\"\n",
        )
        .unwrap();
        assert_eq!(settings.server.as_deref(), Some("meet.example"));
        assert_eq!(settings.media.video.as_deref(), Some("pattern"));
        assert_eq!(settings.ice.turn, ["turn:b"]);
    }

    #[test]
    fn an_unknown_key_is_an_error_that_names_its_line() {
        let error = Settings::parse("name = \"alice\"\nsrever = \"x\"\n").unwrap_err();
        assert!(error.contains("srever") && error.contains("line 2"), "{error}");
    }

    #[test]
    fn a_missing_file_is_fine_unless_it_was_named() {
        let folder = tempfile::tempdir().unwrap();
        let folders = Folders { config: folder.path().to_owned(), data: folder.path().to_owned() };
        assert_eq!(Settings::load(None, &folders).unwrap(), Settings::default());
        let named = folder.path().join("other.toml");
        assert!(matches!(Settings::load(Some(&named), &folders), Err(Error::Read { .. })));
    }
}
