//! A file of the other side on its way into the download folder. Blocks; lives on a thread.
//!
//! What arrives is written to a hidden part file of the folder, whose name says from whom and what it is: `.NAME.TAG.part`. It
//! becomes the file in one step that replaces nothing. A part file outlives a broken call, and is taken up again by its bytes:
//! both sides hash what is there, nothing else is believed. No link is followed and nothing outside the folder is named.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use super::wire::Why;
use super::{About, BLOCK, Hash, name};

/// What must stay free on the disk besides the file, bytes.
const MARGIN: u64 = 16 * 1024 * 1024;

/// Files of one name, and part files of one tag, that may be there already.
const TRIES: u32 = 1000;

/// Digits of the tag.
const TAG: usize = 16;

/// Where files arrive. Made when the first one does.
#[derive(Debug, Clone)]
pub struct Folder {
    path: PathBuf,
}

/// A file that is not whole yet. Dropped, it stays and can be taken up again.
#[derive(Debug)]
pub struct Part {
    folder: PathBuf,
    path: PathBuf,
    file: File,
    about: About,
    at: u64,
    hasher: blake3::Hasher,
}

impl Folder {
    /// The folder of this path.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Opens the part file for what `peer` offers, the one that is there or a new one.
    ///
    /// # Errors
    /// [`Why::NotWritable`], [`Why::NoSpace`].
    pub fn part(&self, peer: &str, about: &About) -> Result<Part, Why> {
        fs::create_dir_all(&self.path).map_err(|error| because(&error))?;
        let tag = tag(peer, about);
        let (path, file) = (1..TRIES)
            .find_map(|n| {
                let again = if n == 1 { String::new() } else { format!("-{n}") };
                let path = self.path.join(format!(".{}.{tag}{again}.part", about.name));
                match open(&path) {
                    Ok(file) => file.map(|file| Ok((path, file))),
                    Err(error) => Some(Err(because(&error))),
                }
            })
            .unwrap_or(Err(Why::NotWritable))?;
        let hasher = blake3::Hasher::new();
        let mut part = Part { folder: self.path.clone(), path, file, about: about.clone(), at: 0, hasher };
        part.take_up()?;
        let wanted = (about.size - part.at).saturating_add(MARGIN);
        if free(&self.path).is_some_and(|free| free < wanted) {
            if part.at == 0 {
                part.discard();
            }
            return Err(Why::NoSpace);
        }
        Ok(part)
    }
}

impl Part {
    /// How much is there, and its hash.
    #[must_use]
    pub fn prefix(&self) -> (u64, Hash) {
        (self.at, self.hasher.finalize())
    }

    /// Lets go of what is there.
    ///
    /// # Errors
    /// [`Why::NotWritable`].
    pub fn restart(&mut self) -> Result<(), Why> {
        self.file.set_len(0).map_err(|error| because(&error))?;
        self.file.rewind().map_err(|error| because(&error))?;
        self.hasher.reset();
        self.at = 0;
        Ok(())
    }

    /// Appends; says how much is there now. No more than was offered.
    ///
    /// # Errors
    /// [`Why::NoSpace`], [`Why::NotWritable`], [`Why::Broken`] for what is too much.
    pub fn write(&mut self, data: &[u8]) -> Result<u64, Why> {
        if data.len() as u64 > self.about.size - self.at {
            return Err(Why::Broken);
        }
        self.file.write_all(data).map_err(|error| because(&error))?;
        self.hasher.update(data);
        self.at += data.len() as u64;
        Ok(self.at)
    }

    /// Makes it the file, if it is whole and has this hash; otherwise it is removed. Says where it is: a name that is taken
    /// gets a number.
    ///
    /// # Errors
    /// [`Why::Mismatch`], [`Why::NotWritable`].
    pub fn keep(self, hash: Hash) -> Result<PathBuf, Why> {
        if self.at != self.about.size || self.hasher.finalize() != hash {
            self.discard();
            return Err(Why::Mismatch);
        }
        for n in 1..TRIES {
            let called = if n == 1 { self.about.name.clone() } else { name::numbered(&self.about.name, n) };
            let path = self.folder.join(called);
            match self.publish(&path) {
                Ok(()) => return Ok(path),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(because(&error)),
            }
        }
        Err(Why::NotWritable)
    }

    /// Removes it.
    pub fn discard(self) {
        // Whoever removed it before us did the same.
        let _ = fs::remove_file(&self.path);
    }

    /// Reads what is there of an earlier attempt.
    fn take_up(&mut self) -> Result<(), Why> {
        let failed = |error: io::Error| because(&error);
        if self.file.metadata().map_err(failed)?.len() > self.about.size {
            return self.restart();
        }
        let mut block = vec![0; BLOCK];
        loop {
            match self.file.read(&mut block) {
                Ok(0) => break,
                Ok(length) => {
                    self.hasher.update(&block[..length]);
                    self.at += length as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(because(&error)),
            }
        }
        // Somebody else may be writing it, without the lock.
        if self.at > self.about.size {
            return self.restart();
        }
        self.file.seek(SeekFrom::Start(self.at)).map_err(failed).map(|_| ())
    }

    /// Gives the part file its name. A second name fails where the name is taken, by a dangling link too; on disks without second
    /// names an empty file takes the place first.
    fn publish(&self, path: &Path) -> io::Result<()> {
        match fs::hard_link(&self.path, path) {
            Ok(()) => {
                if !self.is_ours(path) {
                    // Somebody put something else in the place of the part file.
                    fs::remove_file(path)?;
                    return Err(io::ErrorKind::NotFound.into());
                }
                // The file is there; a second name of it left behind does no harm.
                let _ = fs::remove_file(&self.path);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(error),
            Err(_) => {
                OpenOptions::new().write(true).create_new(true).open(path)?;
                fs::rename(&self.path, path)
            }
        }
    }

    #[cfg(unix)]
    fn is_ours(&self, path: &Path) -> bool {
        use std::os::unix::fs::MetadataExt as _;
        match (self.file.metadata(), fs::symlink_metadata(path)) {
            (Ok(ours), Ok(there)) => (ours.dev(), ours.ino()) == (there.dev(), there.ino()),
            _ => false,
        }
    }

    #[cfg(not(unix))]
    fn is_ours(&self, path: &Path) -> bool {
        fs::symlink_metadata(path).is_ok_and(|there| there.is_file() && there.len() == self.about.size)
    }
}

/// Opens a part file for reading and writing; `None` when the place is taken by what is none of ours, or by another transfer.
fn open(path: &Path) -> io::Result<Option<File>> {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    let file = match fs::symlink_metadata(path) {
        Ok(there) if !there.is_file() => return Ok(None),
        Ok(_) => match unlinked(&mut options).open(path) {
            Ok(file) => file,
            // It became a link, or is somebody else's.
            Err(_) => return Ok(None),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => match options.create_new(true).open(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(None),
            opened => opened?,
        },
        Err(error) => return Err(error),
    };
    if !is_single(&file.metadata()?) {
        return Ok(None);
    }
    match file.try_lock() {
        Err(fs::TryLockError::WouldBlock) => Ok(None),
        // Where there are no locks, one transfer of a file from one peer at a time is the other side's affair.
        Ok(()) | Err(fs::TryLockError::Error(_)) => Ok(Some(file)),
    }
}

#[cfg(unix)]
fn unlinked(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt as _;
    options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
}

#[cfg(not(unix))]
fn unlinked(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

/// A file under one name only: what has another one is written there as well.
#[cfg(unix)]
fn is_single(about: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    about.is_file() && about.nlink() == 1
}

#[cfg(not(unix))]
fn is_single(about: &fs::Metadata) -> bool {
    about.is_file()
}

/// Free bytes on the disk of a folder, where the system says so.
#[cfg(unix)]
fn free(folder: &Path) -> Option<u64> {
    use std::os::unix::ffi::OsStrExt as _;
    let path = std::ffi::CString::new(folder.as_os_str().as_bytes()).ok()?;
    let mut about = std::mem::MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: the path ends with a zero byte, and the struct is written by a call that succeeds.
    let about = unsafe {
        if libc::statvfs(path.as_ptr(), about.as_mut_ptr()) != 0 {
            return None;
        }
        about.assume_init()
    };
    #[allow(clippy::useless_conversion, clippy::unnecessary_cast, reason = "the widths differ by system")]
    Some((about.f_bavail as u64).saturating_mul(about.f_frsize as u64))
}

#[cfg(not(unix))]
fn free(_folder: &Path) -> Option<u64> {
    None
}

/// Says from whom and what a part file is, so that nobody takes up what another one sent.
fn tag(peer: &str, about: &About) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in [peer.as_bytes(), about.name.as_bytes(), &about.size.to_be_bytes()] {
        hasher.update(&(part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize().to_hex()[..TAG].to_owned()
}

fn because(error: &io::Error) -> Why {
    tracing::warn!(%error, "a file cannot be received");
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            Why::NoSpace
        }
        _ => Why::NotWritable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about(name: &str, size: u64) -> About {
        About { name: name.to_owned(), size, kind: "text/plain".to_owned() }
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_appears_whole_and_replaces_nothing() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::new(place.path().join("new"));
        for expected in ["a.txt", "a (2).txt", "a (3).txt"] {
            let mut part = folder.part("key", &about("a.txt", 5)).unwrap();
            assert_eq!(part.prefix(), (0, blake3::hash(b"")));
            part.write(b"he").unwrap();
            assert!(!place.path().join("new").join(expected).exists());
            assert_eq!(part.write(b"llo"), Ok(5));
            assert_eq!(part.write(b"!"), Err(Why::Broken));
            let path = part.keep(blake3::hash(b"hello")).unwrap();
            assert_eq!(path.file_name().unwrap(), expected);
            assert_eq!(fs::read(path).unwrap(), b"hello");
        }
        assert_eq!(names(&place.path().join("new")), ["a (2).txt", "a (3).txt", "a.txt"]);
    }

    #[test]
    fn a_part_is_taken_up_by_the_same_peer_and_the_same_file_only() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::new(place.path().to_owned());
        let mut part = folder.part("key", &about("a", 5)).unwrap();
        part.write(b"hel").unwrap();
        // Who offers it twice at once gets a second part.
        assert_eq!(folder.part("key", &about("a", 5)).unwrap().prefix().0, 0);
        drop(part);
        for (peer, other) in [("other", about("a", 5)), ("key", about("b", 5)), ("key", about("a", 6))] {
            assert_eq!(folder.part(peer, &other).unwrap().prefix().0, 0);
        }
        let mut part = folder.part("key", &about("a", 5)).unwrap();
        assert_eq!(part.prefix(), (3, blake3::hash(b"hel")));
        part.restart().unwrap();
        part.write(b"world").unwrap();
        assert_eq!(fs::read(part.keep(blake3::hash(b"world")).unwrap()).unwrap(), b"world");
    }

    #[test]
    fn what_has_another_hash_or_length_is_removed() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::new(place.path().to_owned());
        for bytes in [&b"jello"[..], b"hell"] {
            let mut part = folder.part("key", &about("a", 5)).unwrap();
            part.write(bytes).unwrap();
            assert_eq!(part.keep(blake3::hash(b"hello")), Err(Why::Mismatch));
            assert!(names(place.path()).is_empty());
        }
    }

    #[cfg(unix)]
    #[test]
    fn no_link_is_followed_and_none_is_replaced() {
        use std::os::unix::fs::symlink;
        let place = tempfile::tempdir().unwrap();
        let (outside, inside) = (place.path().join("precious"), place.path().join("in"));
        fs::write(&outside, b"precious").unwrap();
        fs::create_dir(&inside).unwrap();
        let folder = Folder::new(inside.clone());
        let wanted = about("a.txt", 5);
        symlink(&outside, inside.join("a.txt")).unwrap();
        symlink(place.path().join("nowhere"), inside.join("a (2).txt")).unwrap();
        let tag = tag("key", &wanted);
        symlink(&outside, inside.join(format!(".a.txt.{tag}.part"))).unwrap();
        fs::hard_link(&outside, inside.join(format!(".a.txt.{tag}-2.part"))).unwrap();
        fs::create_dir(inside.join(format!(".a.txt.{tag}-3.part"))).unwrap();
        let mut part = folder.part("key", &wanted).unwrap();
        part.write(b"hello").unwrap();
        let path = part.keep(blake3::hash(b"hello")).unwrap();
        assert_eq!(path, inside.join("a (3).txt"));
        assert_eq!(fs::read(outside).unwrap(), b"precious");
        assert!(!place.path().join("nowhere").exists());
    }

    #[cfg(unix)]
    #[test]
    fn what_was_put_in_the_place_of_the_part_is_not_taken_for_it() {
        let place = tempfile::tempdir().unwrap();
        let mut part = Folder::new(place.path().to_owned()).part("key", &about("a", 5)).unwrap();
        part.write(b"hello").unwrap();
        fs::remove_file(&part.path).unwrap();
        fs::write(&part.path, b"other").unwrap();
        assert_eq!(part.keep(blake3::hash(b"hello")), Err(Why::NotWritable));
        assert!(!place.path().join("a").exists());
    }

    #[test]
    fn a_folder_that_is_none_takes_nothing() {
        let place = tempfile::NamedTempFile::new().unwrap();
        let folder = Folder::new(place.path().to_owned());
        assert_eq!(folder.part("key", &about("a", 5)).unwrap_err(), Why::NotWritable);
    }

    #[cfg(unix)]
    #[test]
    fn what_the_disk_has_no_room_for_is_not_begun() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::new(place.path().to_owned());
        assert_eq!(folder.part("key", &about("a", 1 << 52)).unwrap_err(), Why::NoSpace);
        assert!(names(place.path()).is_empty());
    }
}
