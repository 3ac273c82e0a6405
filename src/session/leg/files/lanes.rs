//! The threads between disks and the task of a call's files: one for each transfer, gone with it.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use tokio::sync::{Notify, mpsc};

use crate::files::wire::{Chunk, Message};
use crate::files::{About, Folder, Hash, Part, Source, Why};

/// Pieces that may wait for a disk. A window's worth fits in; when there is more, the channel waits.
const WORK: usize = 128;

/// What became of work on a disk.
#[derive(Debug)]
pub(super) enum Outcome {
    /// A source goes on from here.
    Began(u64),
    /// It was read to its end.
    Read(Hash),
    /// It can't be sent.
    Unsent(Why),
    /// A part file is open.
    Prepared(Result<(u64, Hash), Why>),
    /// It became the file.
    Kept(Result<PathBuf, Why>),
}

/// What a reading thread puts on the channel.
#[derive(Debug)]
pub(super) enum Block {
    /// A chunk of a file, which ends at `upto`.
    Data { number: u32, upto: u64, message: BytesMut },
    /// The last word about it.
    End(String),
}

/// What a reading thread begins with.
pub(super) struct Task {
    pub(super) source: Source,
    pub(super) number: u32,
    pub(super) id: u32,
    pub(super) from: u64,
    pub(super) prefix: Hash,
}

/// A reading thread. Dropping this ends it.
pub(super) struct Reading {
    /// Up to here the other side has it.
    pub(super) got: u64,
    /// It was compared and may go.
    pub(super) goes: bool,
    credit: Arc<Credit>,
}

#[derive(Default)]
struct Credit {
    state: Mutex<Granted>,
    changed: Condvar,
}

#[derive(Default, Clone, Copy)]
struct Granted {
    upto: u64,
    block: usize,
    /// The other side was told where it begins.
    begun: bool,
    released: bool,
}

impl Reading {
    pub(super) fn start(
        task: Task,
        blocks: mpsc::Sender<Block>,
        outcomes: mpsc::Sender<(u32, Outcome)>,
    ) -> Self {
        let credit = Arc::<Credit>::default();
        let granted = Arc::clone(&credit);
        tokio::task::spawn_blocking(move || {
            let number = task.number;
            if let Err(why) = read(task, &granted, &blocks, &outcomes) {
                let _ = outcomes.blocking_send((number, Outcome::Unsent(why)));
            }
        });
        Self { got: 0, goes: false, credit }
    }

    /// It may read up to there, in pieces of this size.
    pub(super) fn grant(&self, upto: u64, block: usize) {
        let mut state = lock(&self.credit.state);
        (state.upto, state.block, state.begun) = (upto, block, true);
        self.credit.changed.notify_one();
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        lock(&self.credit.state).released = true;
        self.credit.changed.notify_one();
    }
}

impl Credit {
    /// Waits until the other side was told where it begins; false when nothing is wanted any more.
    fn begun(&self) -> bool {
        let mut state = lock(&self.state);
        while !state.begun && !state.released {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        !state.released
    }

    /// Waits until something behind `at` may be read; `None` when nothing more is wanted.
    fn behind(&self, at: u64) -> Option<(u64, usize)> {
        let mut state = lock(&self.state);
        loop {
            match *state {
                Granted { released: true, .. } => return None,
                Granted { upto, block, .. } if upto > at => return Some((upto - at, block)),
                _ => state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}

/// Reads a file to its end, or until nobody wants it; whoever has gone wants nothing.
fn read(
    task: Task,
    credit: &Credit,
    blocks: &mpsc::Sender<Block>,
    outcomes: &mpsc::Sender<(u32, Outcome)>,
) -> Result<(), Why> {
    let Task { mut source, number, id, from, prefix } = task;
    let from = source.begin(from, prefix)?;
    let _ = outcomes.blocking_send((number, Outcome::Began(from)));
    if !credit.begun() {
        return Ok(());
    }
    while source.at() < source.about().size {
        let Some((granted, block)) = credit.behind(source.at()) else {
            return Ok(());
        };
        let at = source.at();
        let length = usize::try_from(granted).unwrap_or(block).min(block);
        let mut message = Chunk::room(length);
        let length = source.read(Chunk::data_of(&mut message))?;
        Chunk::head(&mut message, id, at, length);
        if blocks.blocking_send(Block::Data { number, upto: source.at(), message }).is_err() {
            return Ok(());
        }
    }
    let hash = source.finish()?;
    let _ = outcomes.blocking_send((number, Outcome::Read(hash)));
    let _ = blocks.blocking_send(Block::End(Message::End(id, hash).text()));
    Ok(())
}

/// What a writing thread is given to do.
#[derive(Debug)]
pub(super) enum Work {
    /// Forget what is there.
    Restart,
    /// Append.
    Data(Bytes),
    /// Make it the file.
    Keep(Hash),
    /// Remove it.
    Discard,
}

/// A writing thread. Dropping this ends it; what it has written stays.
pub(super) struct Writing {
    work: mpsc::Sender<Work>,
    upto: Arc<AtomicU64>,
    told: u64,
}

impl Writing {
    pub(super) fn start(
        folder: Folder,
        peer: String,
        about: About,
        number: u32,
        outcomes: mpsc::Sender<(u32, Outcome)>,
        moved: Arc<Notify>,
    ) -> Self {
        let (work, inbox) = mpsc::channel(WORK);
        let upto = Arc::<AtomicU64>::default();
        let written = Arc::clone(&upto);
        tokio::task::spawn_blocking(move || {
            let tell = |outcome| {
                let _ = outcomes.blocking_send((number, outcome));
            };
            match folder.part(&peer, &about) {
                Ok(part) => {
                    tell(Outcome::Prepared(Ok(part.prefix())));
                    if let Some(kept) = write(part, inbox, &written, &moved) {
                        tell(Outcome::Kept(kept));
                    }
                }
                Err(why) => tell(Outcome::Prepared(Err(why))),
            }
        });
        Self { work, upto, told: 0 }
    }

    /// Hands work over. A thread that failed has said so and wants none.
    pub(super) async fn give(&self, work: Work) {
        let _ = self.work.send(work).await;
    }

    /// How far it is, if that is more than the last time.
    pub(super) fn news(&mut self) -> Option<u64> {
        let upto = self.upto.load(Ordering::Acquire);
        (std::mem::replace(&mut self.told, upto) != upto).then_some(upto)
    }
}

/// Writes until the end of the work; what became of the file, unless it only stays as it is.
fn write(
    mut part: Part,
    mut work: mpsc::Receiver<Work>,
    upto: &AtomicU64,
    moved: &Notify,
) -> Option<Result<PathBuf, Why>> {
    while let Some(next) = work.blocking_recv() {
        let written = match next {
            Work::Restart => part.restart(),
            Work::Data(data) => part.write(&data).map(|at| {
                upto.store(at, Ordering::Release);
                moved.notify_one();
            }),
            Work::Keep(hash) => return Some(part.keep(hash)),
            Work::Discard => {
                part.discard();
                return None;
            }
        };
        if let Err(why) = written {
            return Some(Err(why));
        }
    }
    None
}

/// Nothing panics while one of these locks is held, and plain data stays whole if it did.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
