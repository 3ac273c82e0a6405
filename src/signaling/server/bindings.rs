//! Which key owns which name.
//!
//! Owns the store of names: in memory, or on disk with redb. A new claim is on disk before it is answered;
//! claims that arrive together share one commit. Knows nothing of sessions. Connections ask it during login.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread;

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use tokio::sync::{mpsc, oneshot};

use crate::signaling::protocol::{Fold, Key};

/// Claims that wait for the disk; while it is full, logins with new names wait for room.
const WAITING: usize = 4096;
/// Claims in one commit.
const BATCH: usize = 4096;
/// Memory that redb may use for its pages, in bytes; the names are held in memory anyway.
const CACHE: usize = 4 << 20;
const FILE: &str = "names.redb";
const NAMES: TableDefinition<'_, &str, &[u8; 32]> = TableDefinition::new("names-v1");

/// The store failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The directory cannot be made.
    #[error("cannot make the data directory {path}: {source}")]
    Directory {
        /// The directory.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The file cannot be opened, or another server has it open.
    #[error("cannot open the store of names {path}: {source}")]
    Open {
        /// The file.
        path: String,
        /// Why.
        source: Box<redb::Error>,
    },
    /// The writer could not be started.
    #[error("cannot start the writer of the store of names: {0}")]
    Writer(std::io::Error),
}

/// What a claim came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// The key owns the name.
    Owned,
    /// Another key owns the name.
    Taken,
    /// As many names as the store may hold.
    Full,
    /// The disk failed; nothing was claimed.
    Failed,
}

fn builder() -> redb::Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE);
    builder
}

/// Makes an empty store that is there whole or not at all: a process killed in the middle must not leave a
/// file that no later one can open. When another server made it in the meantime, that one stays.
fn create(directory: &Path, path: &Path) -> Result<(), redb::Error> {
    let scratch = directory.join(format!("{FILE}.{}", std::process::id()));
    match std::fs::remove_file(&scratch) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    drop(builder().create(&scratch)?);
    std::fs::File::open(&scratch)?.sync_all()?;
    let linked = std::fs::hard_link(&scratch, path);
    std::fs::remove_file(&scratch)?;
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error.into()),
        _ => {}
    }
    // The name of the file must be as durable as the file.
    std::fs::File::open(directory)?.sync_all()?;
    Ok(())
}

/// The names and their keys.
#[derive(Debug, Clone)]
pub struct Bindings {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    owners: RwLock<HashMap<Fold, Key>>,
    most: usize,
    /// Absent when nothing is kept on disk. Taken away to stop the writer.
    writer: Mutex<Option<mpsc::Sender<Request>>>,
    thread: Mutex<Option<thread::JoinHandle<()>>>,
}

type Request = (Fold, Key, oneshot::Sender<Claim>);

impl Bindings {
    /// Names that are forgotten when the process ends. At most `most` of them.
    pub fn in_memory(most: usize) -> Bindings {
        let inner =
            Inner { owners: RwLock::default(), most, writer: Mutex::new(None), thread: Mutex::new(None) };
        Bindings { inner: Arc::new(inner) }
    }

    /// Names kept in a directory, which is made if it is missing. At most `most` of them.
    ///
    /// # Errors
    /// [`Error`] when the store cannot be opened.
    pub fn open(directory: &Path, most: usize) -> Result<Bindings, Error> {
        std::fs::create_dir_all(directory)
            .map_err(|source| Error::Directory { path: directory.display().to_string(), source })?;
        let path = directory.join(FILE);
        let failed =
            |source: redb::Error| Error::Open { path: path.display().to_string(), source: Box::new(source) };
        if !path.exists() {
            create(directory, &path).map_err(failed)?;
        }
        let database = builder().open(&path).map_err(|e| failed(e.into()))?;
        let owners = load(&database).map_err(failed)?;
        let (requests, waiting) = mpsc::channel(WAITING);
        let inner = Inner {
            owners: RwLock::new(owners),
            most,
            writer: Mutex::new(Some(requests)),
            thread: Mutex::new(None),
        };
        let bindings = Bindings { inner: Arc::new(inner) };
        let inner = Arc::downgrade(&bindings.inner);
        let thread = thread::Builder::new()
            .name("names".to_owned())
            .spawn(move || write(&database, waiting, &inner))
            .map_err(Error::Writer)?;
        *bindings.inner.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
        Ok(bindings)
    }

    /// Stops the writer and waits until the file is closed, so that another server may open it. What is
    /// on disk does not depend on it. Claims of new names are decided in memory only from here.
    pub async fn close(&self) {
        self.inner.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        let thread = self.inner.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // Joining fails only when the thread panicked, and then the file is closed as well.
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }

    /// The owner of a name.
    pub fn owner(&self, name: &Fold) -> Option<Key> {
        self.inner.owners.read().unwrap_or_else(PoisonError::into_inner).get(name).copied()
    }

    /// How many names are owned.
    pub fn len(&self) -> usize {
        self.inner.owners.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether no name is owned.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Claims a name for a key. A name that nobody owns belongs to the key from now on, durably when this
    /// returns [`Claim::Owned`].
    pub async fn claim(&self, name: &Fold, key: &Key) -> Claim {
        if let Some(owner) = self.owner(name) {
            return if owner == *key { Claim::Owned } else { Claim::Taken };
        }
        let writer = self.inner.writer.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(writer) = writer else {
            return self.inner.settle(name, key);
        };
        let (answer, answered) = oneshot::channel();
        if writer.send((name.clone(), *key, answer)).await.is_err() {
            return Claim::Failed;
        }
        answered.await.unwrap_or(Claim::Failed)
    }
}

impl Inner {
    /// Decides and, for a free name, records it in memory.
    fn settle(&self, name: &Fold, key: &Key) -> Claim {
        let mut owners = self.owners.write().unwrap_or_else(PoisonError::into_inner);
        match owners.get(name) {
            Some(owner) if owner == key => Claim::Owned,
            Some(_) => Claim::Taken,
            None if owners.len() >= self.most => Claim::Full,
            None => {
                owners.insert(name.clone(), *key);
                Claim::Owned
            }
        }
    }
}

fn load(database: &Database) -> Result<HashMap<Fold, Key>, redb::Error> {
    let transaction = database.begin_write()?;
    transaction.open_table(NAMES)?;
    transaction.commit()?;
    let table = database.begin_read()?.open_table(NAMES)?;
    let mut owners = HashMap::new();
    for entry in table.iter()? {
        let (name, key) = entry?;
        owners.insert(Fold::cursor(name.value()), Key::from_bytes(*key.value()));
    }
    Ok(owners)
}

/// The writer's thread: everything that waits goes into one commit, then all of it is answered.
fn write(database: &Database, mut waiting: mpsc::Receiver<Request>, inner: &std::sync::Weak<Inner>) {
    let mut batch = Vec::new();
    while waiting.blocking_recv_many(&mut batch, BATCH) > 0 {
        let Some(inner) = inner.upgrade() else {
            return;
        };
        let written = commit(database, &inner, &batch);
        if let Err(error) = &written {
            tracing::error!(%error, "cannot write the store of names");
        }
        for (name, key, answer) in batch.drain(..) {
            let claim = match &written {
                Ok(()) => inner.settle(&name, &key),
                Err(_) => match inner.owners.read().unwrap_or_else(PoisonError::into_inner).get(&name) {
                    Some(owner) if *owner == key => Claim::Owned,
                    Some(_) => Claim::Taken,
                    None => Claim::Failed,
                },
            };
            // A client that did not wait has its name all the same.
            let _ = answer.send(claim);
        }
    }
}

/// Writes the first claim of each free name; what [`Inner::settle`] decides afterwards is the same.
fn commit(database: &Database, inner: &Inner, batch: &[Request]) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    {
        let mut table = transaction.open_table(NAMES)?;
        let mut room = {
            let owners = inner.owners.read().unwrap_or_else(PoisonError::into_inner);
            inner.most.saturating_sub(owners.len())
        };
        for (name, key, _) in batch {
            if room == 0 {
                break;
            }
            if table.get(name.as_str())?.is_none() {
                table.insert(name.as_str(), key.bytes())?;
                room -= 1;
            }
        }
    }
    transaction.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signaling::protocol::Name;

    fn name(text: &str) -> Fold {
        Name::new(text).unwrap().fold()
    }

    fn key(byte: u8) -> Key {
        Key::from_bytes([byte; 32])
    }

    #[tokio::test]
    async fn the_first_key_owns_a_name_in_every_spelling() {
        let bindings = Bindings::in_memory(2);
        assert_eq!(bindings.claim(&name("Alice"), &key(1)).await, Claim::Owned);
        assert_eq!(bindings.claim(&name("alice"), &key(1)).await, Claim::Owned);
        assert_eq!(bindings.claim(&name("ALICE"), &key(2)).await, Claim::Taken);
        assert_eq!(bindings.claim(&name("bob"), &key(2)).await, Claim::Owned);
        assert_eq!(bindings.claim(&name("carol"), &key(3)).await, Claim::Full);
    }

    #[tokio::test]
    async fn a_claim_is_on_disk_before_it_is_answered() {
        let directory = tempfile::tempdir().unwrap();
        let bindings = Bindings::open(directory.path(), 1000).unwrap();
        let claims = (0..50u8).map(|i| {
            let bindings = bindings.clone();
            tokio::spawn(async move { bindings.claim(&name(&format!("user{i}")), &key(i)).await })
        });
        for claim in claims.collect::<Vec<_>>() {
            assert_eq!(claim.await.unwrap(), Claim::Owned);
        }
        // The bytes as a crash at this moment would leave them: nothing was closed.
        let after = tempfile::tempdir().unwrap();
        std::fs::copy(directory.path().join(FILE), after.path().join(FILE)).unwrap();
        let reopened = Bindings::open(after.path(), 1000).unwrap();
        assert_eq!(reopened.len(), 50);
        assert_eq!(reopened.claim(&name("USER7"), &key(7)).await, Claim::Owned);
        assert_eq!(reopened.claim(&name("user7"), &key(8)).await, Claim::Taken);
    }

    #[tokio::test]
    async fn two_keys_that_claim_one_name_at_once_do_not_both_get_it() {
        let directory = tempfile::tempdir().unwrap();
        let bindings = Bindings::open(directory.path(), 1000).unwrap();
        let (alice, one, two) = (name("alice"), key(1), key(2));
        let (a, b) = tokio::join!(bindings.claim(&alice, &one), bindings.claim(&alice, &two));
        assert_eq!([a, b].iter().filter(|c| **c == Claim::Owned).count(), 1);
        assert_eq!([a, b].iter().filter(|c| **c == Claim::Taken).count(), 1);
    }

    #[test]
    fn a_store_that_another_server_has_open_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let _open = Bindings::open(directory.path(), 10).unwrap();
        let error = Bindings::open(directory.path(), 10).unwrap_err();
        assert!(error.to_string().contains("names.redb"), "{error}");
    }
}
