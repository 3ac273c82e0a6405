//! Small files that matter: read within bounds, replaced whole or not at all, one writer at a time.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::Error;

/// What was read: the bytes and the permission bits (0 where the system has none).
pub(super) struct Contents {
    pub(super) bytes: Vec<u8>,
    pub(super) mode: u32,
}

/// Reads at most `limit` bytes; `None` when the file does not exist.
pub(super) fn read(path: &Path, limit: u64) -> Result<Option<Contents>, Error> {
    let failed = |source| Error::Io { action: "read", path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let meta = file.metadata().map_err(failed)?;
    if !meta.is_file() {
        return Err(failed(io::Error::other("not a regular file")));
    }
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > limit {
        return Err(Error::TooLarge { path: path.to_owned(), limit });
    }
    Ok(Some(Contents { bytes, mode: mode(&meta) }))
}

/// Held while a file is read, changed and replaced. Dropping it lets the next writer in.
///
/// The lock is on a file beside it, for the file itself is replaced.
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Waits for other writers, in this process or another, and makes the folder if need be.
    pub(super) fn acquire(path: &Path) -> Result<Self, Error> {
        if let Some(folder) = folder(path) {
            make_folder(folder).map_err(|source| Error::Io {
                action: "create",
                path: folder.to_owned(),
                source,
            })?;
        }
        let path = beside(&real(path), ".lock");
        let failed = |source| Error::Io { action: "lock", path: path.clone(), source };
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true);
        private(&mut options);
        let file = options.open(&path).map_err(failed)?;
        file.lock().map_err(failed)?;
        Ok(Self { _file: file })
    }
}

/// Replaces `path` by `bytes` at once: readers, and a machine that loses power, see the old file or
/// the new one. The new one has `mode`, 0600 if that is 0. Hold the file's `Lock`.
pub(super) fn replace(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Error> {
    let target = real(path);
    let scratch = beside(&target, ".new");
    write_and_rename(&target, &scratch, bytes, mode).map_err(|source| {
        // Best effort: a scratch file that stays is overwritten next time.
        let _ = fs::remove_file(&scratch);
        Error::Io { action: "write", path: path.to_owned(), source }
    })
}

fn write_and_rename(target: &Path, scratch: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    // Left behind by a writer that was killed; the lock says that it is nobody's now.
    match fs::remove_file(scratch) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    private(&mut options);
    let mut file = options.open(scratch)?;
    file.write_all(bytes)?;
    if mode != 0 {
        allow(&file, mode)?;
    }
    file.sync_all()?;
    fs::rename(scratch, target)?;
    match folder(target) {
        Some(folder) => sync_folder(folder),
        None => sync_folder(Path::new(".")),
    }
}

/// The file behind a link: a link into somebody's dot files stays one.
fn real(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

fn folder(path: &Path) -> Option<&Path> {
    path.parent().filter(|folder| !folder.as_os_str().is_empty())
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(unix)]
fn mode(meta: &fs::Metadata) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    meta.permissions().mode() & 0o7777
}

#[cfg(unix)]
fn private(options: &mut OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt as _;
    options.mode(0o600);
}

#[cfg(unix)]
fn allow(file: &File, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(fs::Permissions::from_mode(mode))
}

#[cfg(unix)]
fn make_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// The new name is safe only once the folder is on disk as well.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn mode(_: &fs::Metadata) -> u32 {
    0
}

#[cfg(not(unix))]
fn private(_: &mut OpenOptions) {}

#[cfg(not(unix))]
fn allow(_: &File, _: u32) -> io::Result<()> {
    Ok(())
}

#[cfg(not(unix))]
fn make_folder(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}
