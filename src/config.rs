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
    /// `--ca-file`.
    pub ca_file: Option<PathBuf>,
    /// What is sent and where the received goes, in the words of the flags.
    #[serde(default)]
    pub media: Media,
    /// STUN and TURN servers.
    #[serde(default)]
    pub ice: Ice,
    /// The signaling server's own.
    #[serde(default)]
    pub serve: Serve,
    /// What becomes of files that others send.
    #[serde(default)]
    pub files: Files,
    /// What is done to the microphone's sound.
    #[serde(default)]
    pub voice: Voice,
    /// The hand-on-face alert.
    #[serde(default)]
    pub alert: Alert,
    /// `--push-to-talk`.
    #[serde(default)]
    pub push_to_talk: bool,
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
    /// The camera that was used last, taken when `video` says nothing.
    pub camera: Option<String>,
    /// The microphone that was used last, taken when `audio` says nothing.
    pub microphone: Option<String>,
    /// The speaker that was used last, taken when `hear` says nothing.
    pub speaker: Option<String>,
}

/// `[serve]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Serve {
    /// `--tls-cert`.
    pub tls_cert: Option<PathBuf>,
    /// `--tls-key`.
    pub tls_key: Option<PathBuf>,
}

/// `[files]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Files {
    /// `--files`: `ask`, `accept` or `decline`.
    pub receive: Option<String>,
    /// `--download`.
    pub download: Option<PathBuf>,
    /// `--max-file-size`, bytes.
    pub max_size: Option<u64>,
}

/// `[voice]`: what is done to the microphone's sound; everything, unless said otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Voice {
    /// False is `--no-echo-cancellation`.
    pub echo_cancellation: bool,
    /// False is `--no-noise-suppression`.
    pub noise_suppression: bool,
    /// False is `--no-gain`.
    pub gain: bool,
}

impl Default for Voice {
    fn default() -> Self {
        Self { echo_cancellation: true, noise_suppression: true, gain: true }
    }
}

/// `[alert]`: the hand-on-face alert.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alert {
    /// True is `--alert`.
    #[serde(default)]
    pub on: bool,
    /// `low`, `normal` or `high`.
    pub sensitivity: Option<String>,
    /// The score from which on a hand counts, 0 to 1; `letsmeet alert calibrate` writes it.
    pub threshold: Option<f64>,
}

impl Eq for Alert {}

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
    /// `--turn-secret-file` of `serve`.
    pub turn_secret_file: Option<PathBuf>,
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
    /// The file can't be written.
    #[error("cannot write {path}: {source}")]
    Write {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
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
    /// Where recordings go whose file nobody named; made when the first one is.
    pub recordings: PathBuf,
}

impl Folders {
    /// Where files of others arrive: the platform's download folder; a folder of our own where there is none, and under
    /// `LETSMEET_HOME`.
    #[must_use]
    pub fn download(&self) -> PathBuf {
        let named = std::env::var_os("LETSMEET_HOME").is_some_and(|home| !home.is_empty());
        let users = if named { None } else { directories::UserDirs::new() };
        let usual = users.as_ref().and_then(|dirs| {
            dirs.download_dir()
                .map_or_else(|| Some(dirs.home_dir().join("Downloads")), |dir| Some(dir.to_owned()))
        });
        usual.unwrap_or_else(|| self.data.join("downloads"))
    }

    /// `LETSMEET_HOME` for everything, or else the platform's own places.
    ///
    /// # Errors
    /// [`Error::NoHome`] when neither is known.
    pub fn find() -> Result<Self, Error> {
        if let Some(home) = std::env::var_os("LETSMEET_HOME").filter(|home| !home.is_empty()) {
            let home = PathBuf::from(home);
            return Ok(Self { recordings: home.join("recordings"), config: home.clone(), data: home });
        }
        let places = directories::ProjectDirs::from("", "", "letsmeet").ok_or(Error::NoHome)?;
        let (config, data) = (places.config_dir().to_owned(), places.data_dir().to_owned());
        // A machine without a desktop has neither folder.
        let recordings = directories::UserDirs::new().map_or_else(
            || data.join("recordings"),
            |dirs| dirs.video_dir().or(dirs.download_dir()).unwrap_or(dirs.home_dir()).to_owned(),
        );
        Ok(Self { config, data, recordings })
    }
}

impl Settings {
    /// The file that is read: the one that the user named, or the usual one.
    #[must_use]
    pub fn file(named: Option<&Path>, folders: &Folders) -> PathBuf {
        named.map_or_else(|| folders.config.join("config.toml"), Path::to_owned)
    }

    /// Reads `path` if the user named it, or the usual file if it is there.
    ///
    /// # Errors
    /// A named file that is missing, any file that can't be read or is not valid.
    pub fn load(named: Option<&Path>, folders: &Folders) -> Result<Self, Error> {
        let (path, must_exist) = (Self::file(named, folders), named.is_some());
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

/// Sets one value in a table of the settings file and leaves everything else as it stands, comments included. The file is there
/// whole, as it was or as it is to be, at any time; it is made when it is not there.
///
/// # Errors
/// It can't be read or written, or is not valid.
pub fn remember(
    path: &Path,
    table: &str,
    key: &str,
    value: impl Into<toml_edit::Value>,
) -> Result<(), Error> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(source) => return Err(Error::Read { path: path.to_owned(), source }),
    };
    let invalid = |message: String| Error::Invalid { path: path.to_owned(), message };
    let mut document: toml_edit::DocumentMut =
        text.parse().map_err(|error: toml_edit::TomlError| invalid(error.to_string()))?;
    let entry = document.entry(table).or_insert_with(toml_edit::table);
    let entry = entry.as_table_like_mut().ok_or_else(|| invalid(format!("{table} is no table")))?;
    entry.insert(key, toml_edit::value(value));
    let written = || {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        // Through a link to the file itself, where people keep it under version control.
        let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let beside = target.with_extension(format!("{}.new", std::process::id()));
        fs::write(&beside, document.to_string())?;
        if let Ok(about) = fs::metadata(&target) {
            fs::set_permissions(&beside, about.permissions())?;
        }
        fs::rename(&beside, &target)
    };
    written().map_err(|source| Error::Write { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_leaves_the_rest_of_the_file_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("deep/config.toml");
        remember(&file, "media", "camera", "front").unwrap();
        fs::write(
            &file,
            "# mine\nname = \"alice\"\n[media] # what I send\naudio = \"tone\"\ncamera = \"x\"\n",
        )
        .unwrap();
        remember(&file, "media", "camera", "a \"b\"").unwrap();
        let text = fs::read_to_string(&file).unwrap();
        assert!(
            text.starts_with("# mine\nname = \"alice\"\n[media] # what I send\naudio = \"tone\"\n"),
            "{text}"
        );
        let settings = Settings::parse(&text).unwrap();
        assert_eq!(settings.media.camera.as_deref(), Some("a \"b\""));
        assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1);
        fs::write(&file, "media = 3\n").unwrap();
        assert!(remember(&file, "media", "camera", "x").is_err());
        assert_eq!(fs::read_to_string(&file).unwrap(), "media = 3\n");
    }

    #[test]
    fn every_key_of_the_file_is_read() {
        let settings = Settings::parse(
            "server = \"meet.example\"\nname = \"alice\"\ntoken_file = \"/t\"\n[media]\nvideo = \"pattern\"\n\
             audio = \"tone\"\nshow = \"null\"\nhear = \"null\"\n[ice]\nstun = [\"stun:a\"]\nturn = [\"turn:b\"]\n\
             turn_user = \"u\"\nturn_password_file = \"/p\"\n[serve]\ntls_cert = \"/c\"\ntls_key = \"/k\"\n",
        )
        .unwrap();
        assert_eq!(settings.server.as_deref(), Some("meet.example"));
        assert_eq!(settings.media.video.as_deref(), Some("pattern"));
        assert_eq!(settings.ice.turn, ["turn:b"]);
        assert_eq!(settings.serve.tls_key.as_deref(), Some(Path::new("/k")));
    }

    #[test]
    fn an_unknown_key_is_an_error_that_names_its_line() {
        let error = Settings::parse("name = \"alice\"\nsrever = \"x\"\n").unwrap_err();
        assert!(error.contains("srever") && error.contains("line 2"), "{error}");
    }

    #[test]
    fn a_missing_file_is_fine_unless_it_was_named() {
        let folder = tempfile::tempdir().unwrap();
        let folders = Folders {
            config: folder.path().to_owned(),
            data: folder.path().to_owned(),
            recordings: folder.path().to_owned(),
        };
        assert_eq!(Settings::load(None, &folders).unwrap(), Settings::default());
        let named = folder.path().join("other.toml");
        assert!(matches!(Settings::load(Some(&named), &folders), Err(Error::Read { .. })));
    }
}
