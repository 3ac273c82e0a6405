//! Which name a command signs in with, and the folder that holds its key.
//!
//! `letsmeet login --name alice` remembers the name; later commands take the last one that logged in.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};

use super::failure::Usage;
use crate::identity::Identity;

/// The longest name that becomes a folder, bytes; the server's own limit is below it.
const LONGEST: usize = 256;

/// A name and its key.
#[derive(Debug)]
pub(super) struct Profile {
    /// The name as typed or remembered.
    pub(super) name: String,
    /// The key behind it.
    pub(super) identity: Arc<Identity>,
    /// Keys of others, pinned at first contact.
    pub(super) known_peers: PathBuf,
    /// Earlier calls.
    pub(super) history: PathBuf,
}

impl Profile {
    /// Opens the profile of `name`, or of the last login; makes the key at first use.
    ///
    /// # Errors
    /// No name is known, or the key can't be read or made.
    pub(super) fn open(data: &Path, name: Option<&str>) -> Result<Self> {
        let name = match name {
            Some(name) => name.to_owned(),
            None => Self::last(data)?
                .ok_or_else(|| Usage::new("no name yet (give --name NAME once, at login)"))?,
        };
        if name.is_empty() || name.len() > LONGEST {
            bail!(Usage::new(format!("a name has 1 to {LONGEST} bytes")));
        }
        let folder = data.join("profiles").join(folder_name(&name));
        let identity = Arc::new(Identity::load_or_create(&folder)?);
        Ok(Self {
            name,
            identity,
            known_peers: folder.join("known_peers"),
            history: folder.join("calls.jsonl"),
        })
    }

    /// The name of the last login.
    ///
    /// # Errors
    /// The data folder can't be read.
    pub(super) fn last(data: &Path) -> Result<Option<String>> {
        let path = data.join("last_profile");
        match fs::read_to_string(&path) {
            Ok(name) => Ok(Some(name.trim().to_owned()).filter(|name| !name.is_empty())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    /// Makes this the profile that commands take when no name is given.
    ///
    /// # Errors
    /// The data folder can't be written.
    pub(super) fn remember(&self, data: &Path) -> Result<()> {
        let path = data.join("last_profile");
        fs::write(&path, &self.name).with_context(|| format!("cannot write {}", path.display()))
    }
}

/// A name as one folder: letters, digits, `-` and `_` as they are, every other byte as `%XX`, so that no name
/// reaches outside and no two names meet. Lower case, because the server folds case.
fn folder_name(name: &str) -> String {
    name.to_lowercase()
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leaves_the_profiles_folder() {
        assert_eq!(folder_name("Alice-1_x"), "alice-1_x");
        assert_eq!(folder_name("../../etc"), "%2E%2E%2F%2E%2E%2Fetc");
        assert_eq!(folder_name("é"), "%C3%A9");
        assert_ne!(folder_name("a%2E"), folder_name("a."));
    }

    #[test]
    fn the_last_login_is_the_default_and_keeps_its_key() {
        let data = tempfile::tempdir().unwrap();
        assert!(Profile::open(data.path(), None).is_err());
        let first = Profile::open(data.path(), Some("alice")).unwrap();
        first.remember(data.path()).unwrap();
        let again = Profile::open(data.path(), None).unwrap();
        assert_eq!(again.name, "alice");
        assert_eq!(again.identity.public_key(), first.identity.public_key());
    }
}
