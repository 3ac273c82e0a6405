//! A file of ours that is read to be sent. Blocks; lives on a thread.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::time::SystemTime;

use super::wire::{MAX_NAME, MAX_SIZE, Why};
use super::{About, BLOCK, Hash, kind, name};

/// An open file and what was read of it.
#[derive(Debug)]
pub struct Source {
    file: File,
    about: About,
    modified: Option<SystemTime>,
    at: u64,
    hasher: blake3::Hasher,
}

impl Source {
    /// Opens a file. Folders, devices and pipes are none.
    ///
    /// # Errors
    /// It is no file, can't be opened, or is larger than can be spoken of.
    pub fn open(path: &Path) -> io::Result<Self> {
        let other = |why: &str| io::Error::new(io::ErrorKind::InvalidInput, why.to_owned());
        let is_file = |about: &std::fs::Metadata| match (about.is_file(), about.is_dir()) {
            (true, _) => Ok(()),
            (false, true) => Err(other("it is a folder (pack it first, for example with tar)")),
            (false, false) => Err(other("it is no file")),
        };
        // A pipe would block on opening.
        is_file(&path.metadata()?)?;
        let file = File::open(path)?;
        let about = file.metadata()?;
        is_file(&about)?;
        if about.len() > MAX_SIZE {
            return Err(other("it is too large"));
        }
        let own = path.file_name().map(|own| own.to_string_lossy().into_owned()).unwrap_or_default();
        let fits = (1..=MAX_NAME).contains(&own.len());
        let own = if fits { own } else { name::safe(&own) };
        Ok(Self {
            modified: about.modified().ok(),
            about: About { kind: kind::of(&own).to_owned(), name: own, size: about.len() },
            file,
            at: 0,
            hasher: blake3::Hasher::new(),
        })
    }

    /// What is offered.
    #[must_use]
    pub fn about(&self) -> &About {
        &self.about
    }

    /// How far it was read.
    #[must_use]
    pub fn at(&self) -> u64 {
        self.at
    }

    /// Goes to where the other side has it up to, if its bytes are the same as ours; otherwise to the start. Says which.
    ///
    /// # Errors
    /// [`Why::Unreadable`], [`Why::Changed`].
    pub fn begin(&mut self, from: u64, prefix: Hash) -> Result<u64, Why> {
        let mut block = vec![0; BLOCK];
        while self.at < from {
            let length = usize::try_from(from - self.at).unwrap_or(BLOCK).min(BLOCK);
            self.read(&mut block[..length])?;
        }
        if self.at > 0 && self.hasher.finalize() != prefix {
            io::Seek::rewind(&mut self.file).map_err(|_| Why::Unreadable)?;
            self.hasher.reset();
            self.at = 0;
        }
        Ok(self.at)
    }

    /// Fills the block, or less at the end of the file; says how much. Not called behind the end.
    ///
    /// # Errors
    /// [`Why::Unreadable`], or [`Why::Changed`] when the file ends before it should.
    pub fn read(&mut self, block: &mut [u8]) -> Result<usize, Why> {
        let rest = usize::try_from(self.about.size - self.at).unwrap_or(usize::MAX);
        let length = block.len().min(rest);
        let block = &mut block[..length];
        self.file.read_exact(block).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => Why::Changed,
            _ => Why::Unreadable,
        })?;
        self.hasher.update(block);
        self.at += length as u64;
        Ok(length)
    }

    /// The hash of everything that was read, if the file is still what was offered.
    ///
    /// # Errors
    /// [`Why::Unreadable`], [`Why::Changed`].
    pub fn finish(&self) -> Result<Hash, Why> {
        let now = self.file.metadata().map_err(|_| Why::Unreadable)?;
        let same = now.len() == self.about.size && now.modified().ok() == self.modified;
        if same && self.at == self.about.size { Ok(self.hasher.finalize()) } else { Err(Why::Changed) }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn write(folder: &Path, name: &str, bytes: &[u8]) -> std::path::PathBuf {
        let path = folder.join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    #[test]
    fn a_file_is_read_from_where_the_other_side_has_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let bytes: Vec<u8> = (0..700_000_u32).map(|n| (n % 251) as u8).collect();
        let path = write(folder.path(), "a.png", &bytes);
        let mut source = Source::open(&path).unwrap();
        assert_eq!((source.about().size, source.about().kind.as_str()), (700_000, "image/png"));
        assert_eq!(source.begin(300_000, blake3::hash(&bytes[..300_000])), Ok(300_000));
        let mut rest = vec![0; 700_000];
        assert_eq!(source.read(&mut rest), Ok(400_000));
        assert_eq!(rest[..400_000], bytes[300_000..]);
        assert_eq!(source.finish(), Ok(blake3::hash(&bytes)));

        let mut source = Source::open(&path).unwrap();
        assert_eq!(source.begin(300_000, blake3::hash(b"something else")), Ok(0));
        assert_eq!(source.read(&mut rest), Ok(700_000));
        assert_eq!(source.finish(), Ok(blake3::hash(&bytes)));
    }

    #[test]
    fn a_file_that_changes_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let mut block = [0; 100];
        let path = write(folder.path(), "grows", &[1; 50]);
        let mut source = Source::open(&path).unwrap();
        write(folder.path(), "grows", &[1; 60]);
        assert_eq!(source.read(&mut block), Ok(50));
        assert_eq!(source.finish(), Err(Why::Changed));
        let path = write(folder.path(), "shrinks", &[1; 50]);
        let mut source = Source::open(&path).unwrap();
        write(folder.path(), "shrinks", &[1; 40]);
        assert_eq!(source.read(&mut block), Err(Why::Changed));
        assert_eq!(source.begin(45, blake3::hash(&[])), Err(Why::Changed));
    }

    #[test]
    fn only_files_are_sent() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Source::open(folder.path()).unwrap_err().to_string().contains("folder"));
        assert_eq!(Source::open(&folder.path().join("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
        #[cfg(unix)]
        assert!(Source::open(Path::new("/dev/null")).unwrap_err().to_string().contains("no file"));
    }
}
