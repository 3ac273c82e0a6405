//! The files of a call: carries out what the desk decides.
//!
//! One task beside the leg, from the moment that both ends listen. Words go out before blocks of files; what a file may have under way is
//! granted to its reading thread by [`Pace`]. Disks are read and written on threads of their own, one a transfer, which never
//! touch the connection. What comes from the other side is taken in at once, so that nothing that belongs to the call waits behind it.

mod lanes;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, interval, timeout};

use self::lanes::{Block, Outcome, Reading, Writing, lock};
use super::super::files::{File, FileState, Settings};
use super::media::Reply;
use super::{LegEvent, Out};
use crate::files::wire::{Chunk, Message};
use crate::files::{Desk, Effect, Folder, Limits, Moment, Pace, Progress, Source};
use crate::rtc::{Bulk, BulkMessage};

/// Orders that may wait, before both ends listen too. One more is refused.
const ORDERS: usize = 16;

/// Words that may wait for the channel. When they do not fit, what is repeated anyway is left out first.
const WORDS: usize = 256;

/// Places in that queue that progress leaves free.
const RESERVE: usize = 64;

/// Blocks that may wait for the channel: enough to read the next ones meanwhile. When full, reading waits.
const BLOCKS: usize = 4;

/// Outcomes of work on disks that may wait. When full, a thread waits.
const OUTCOMES: usize = 64;

/// How long what was said last may take on its way out.
const LAST_WORDS: Duration = Duration::from_millis(150);

/// How often it is looked for transfers that stand still.
const TICK: Duration = Duration::from_secs(5);

/// What a person wants of files.
#[derive(Debug)]
pub(in crate::session) enum FileOrder {
    /// Offer this file.
    Send(PathBuf),
    /// Accept the offer of this number, or the oldest.
    Accept(Option<u32>),
    /// Decline it.
    Decline(Option<u32>),
    /// End this transfer.
    Cancel(u32),
}

/// The leg's end.
pub(super) struct Files {
    orders: Option<mpsc::Sender<(FileOrder, Reply)>>,
    media: watch::Sender<bool>,
    /// What the task needs, until both ends listen.
    waiting: Option<Waiting>,
    task: Option<JoinHandle<()>>,
}

struct Waiting {
    settings: Settings,
    peer: String,
    orders: mpsc::Receiver<(FileOrder, Reply)>,
    media: watch::Receiver<bool>,
}

impl Files {
    /// Nothing happens before [`Files::open`], but orders may be given. `peer` tells from whom a file is that came half.
    pub(super) fn new(settings: Settings, peer: String) -> Self {
        let (orders, inbox) = mpsc::channel(ORDERS);
        let (sender, media) = watch::channel(false);
        let waiting = Waiting { settings, peer, orders: inbox, media };
        Self { orders: Some(orders), media: sender, waiting: Some(waiting), task: None }
    }

    /// Both ends listen.
    pub(super) fn open(&mut self, bulk: Bulk, messages: Option<mpsc::Receiver<BulkMessage>>, out: &Out) {
        if let (Some(waiting), Some(messages)) = (self.waiting.take(), messages) {
            self.task = Some(tokio::spawn(run(waiting, bulk, messages, out.clone())));
        }
    }

    /// Hands an order over; the reply comes from the task, or back when it can't be taken.
    pub(super) fn order(&self, order: FileOrder, reply: Reply) -> Result<(), Reply> {
        match &self.orders {
            Some(orders) => orders.try_send((order, reply)).map_err(|error| error.into_inner().1),
            None => Err(reply),
        }
    }

    /// Whether media shares the path with files.
    pub(super) fn set_media(&self, media: bool) {
        self.media.send_if_modified(|now| std::mem::replace(now, media) != media);
    }

    /// Ends every transfer and waits until that was told.
    pub(super) async fn close(&mut self) {
        self.orders = None;
        self.waiting = None;
        if let Some(task) = self.task.take() {
            let _ = task.await;
        }
    }
}

/// The task.
struct Running {
    desk: Desk,
    folder: Folder,
    peer: String,
    epoch: Instant,
    pace: Arc<std::sync::Mutex<Pace>>,
    words: mpsc::Sender<String>,
    blocks: mpsc::Sender<Block>,
    outcomes: mpsc::Sender<(u32, Outcome)>,
    /// A writing thread has written something.
    moved: Arc<Notify>,
    /// Sources that were opened and are not read yet.
    opened: BTreeMap<u32, Source>,
    reading: BTreeMap<u32, Reading>,
    writing: BTreeMap<u32, Writing>,
    progress: BTreeMap<u32, Progress>,
    out: Out,
}

async fn run(waiting: Waiting, bulk: Bulk, mut messages: mpsc::Receiver<BulkMessage>, out: Out) {
    let Waiting { settings, peer, mut orders, mut media } = waiting;
    let (words, said) = mpsc::channel(WORDS);
    let (blocks, read) = mpsc::channel(BLOCKS);
    let (outcomes, mut done) = mpsc::channel(OUTCOMES);
    let (epoch, pace) = (Instant::now(), Arc::default());
    let mouth = tokio::spawn(speak(bulk, said, read, Arc::clone(&pace), epoch));
    let mut running = Running {
        desk: Desk::new(Limits { policy: settings.policy, max_size: settings.max_size }),
        folder: Folder::new(settings.folder),
        peer,
        epoch,
        pace,
        words,
        blocks,
        outcomes,
        moved: Arc::default(),
        opened: BTreeMap::new(),
        reading: BTreeMap::new(),
        writing: BTreeMap::new(),
        progress: BTreeMap::new(),
        out,
    };
    let mut tick = interval(TICK);
    let moved = Arc::clone(&running.moved);
    running.media(*media.borrow_and_update());
    loop {
        let effects = tokio::select! {
            // What a disk has done comes before what the other side says of it, and both before a stream of chunks.
            biased;
            Some((number, outcome)) = done.recv() => running.outcome(number, outcome),
            order = orders.recv() => match order {
                Some((order, reply)) => running.order(order, reply).await,
                None => break,
            },
            () = moved.notified() => running.written(),
            Ok(()) = media.changed() => {
                running.media(*media.borrow_and_update());
                Vec::new()
            }
            _ = tick.tick() => running.desk.tick(running.epoch.elapsed()),
            message = messages.recv() => match message {
                Some(message) => running.message(message),
                None => break,
            },
        };
        running.carry_out(effects).await;
    }
    let effects = running.desk.close();
    running.carry_out(effects).await;
    drop(running);
    // What was said last is why nothing more is: the other side should hear it before the goodbye.
    let silence = mouth.abort_handle();
    if timeout(LAST_WORDS, mouth).await.is_err() {
        silence.abort();
    }
}

/// Puts words and blocks on the channel, words first.
async fn speak(
    bulk: Bulk,
    mut words: mpsc::Receiver<String>,
    mut blocks: mpsc::Receiver<Block>,
    pace: Arc<std::sync::Mutex<Pace>>,
    epoch: Instant,
) {
    loop {
        let (message, upto) = tokio::select! {
            biased;
            Some(word) = words.recv() => (BulkMessage::Text(word), None),
            Some(block) = blocks.recv() => match block {
                Block::Data { number, upto, message } => {
                    (BulkMessage::Binary(message.freeze()), Some((number, upto)))
                }
                Block::End(word) => (BulkMessage::Text(word), None),
            },
            else => return,
        };
        if let Some((number, upto)) = upto {
            lock(&pace).sent(number, upto, epoch.elapsed());
        }
        // A channel that breaks is a call that ends, which is told otherwise.
        if bulk.send(message).await.is_err() {
            return;
        }
    }
}

impl Running {
    async fn order(&mut self, order: FileOrder, reply: Reply) -> Vec<Effect> {
        let oldest = || self.desk.oldest_offer().ok_or_else(|| "no file is offered".to_owned());
        let outcome = match order {
            FileOrder::Send(path) => self.offer(path).await,
            FileOrder::Accept(number) => match number.map_or_else(oldest, Ok) {
                Ok(number) => self.desk.accept(number),
                Err(why) => Err(why),
            },
            FileOrder::Decline(number) => match number.map_or_else(oldest, Ok) {
                Ok(number) => self.desk.decline(number),
                Err(why) => Err(why),
            },
            FileOrder::Cancel(number) => self.desk.cancel(number),
        };
        let (effects, outcome) = match outcome {
            Ok(effects) => (effects, Ok(())),
            Err(why) => (Vec::new(), Err(why)),
        };
        match (reply, outcome) {
            // Whoever asked may have gone.
            (Some(reply), outcome) => drop(reply.send(outcome)),
            (None, Err(why)) => self.out.send(LegEvent::Rejected(why)).await,
            (None, Ok(())) => {}
        }
        effects
    }

    async fn offer(&mut self, path: PathBuf) -> Result<Vec<Effect>, String> {
        let shown = path.clone();
        let cannot = |why: &str| format!("cannot send {}: {why}", Path::display(&shown));
        let source = match tokio::task::spawn_blocking(move || Source::open(&path)).await {
            Ok(Ok(source)) => source,
            Ok(Err(error)) => return Err(cannot(&error.to_string())),
            Err(_) => return Err(cannot("it could not be opened")),
        };
        let (number, effects) = self.desk.offer(source.about().clone())?;
        self.opened.insert(number, source);
        Ok(effects)
    }

    fn message(&mut self, message: BulkMessage) -> Vec<Effect> {
        let now = self.epoch.elapsed();
        let known = match message {
            BulkMessage::Text(text) => Message::parse(&text).map(|message| self.desk.message(message, now)),
            BulkMessage::Binary(bytes) => Chunk::parse(bytes).map(|chunk| self.desk.chunk(chunk, now)),
        };
        known.unwrap_or_else(|| {
            // Of a later version, or nonsense.
            tracing::debug!("a message about files is unknown and was dropped");
            Vec::new()
        })
    }

    fn outcome(&mut self, number: u32, outcome: Outcome) -> Vec<Effect> {
        match outcome {
            Outcome::Began(from) => self.desk.began(number, from),
            Outcome::Read(hash) => {
                self.desk.read(number, hash);
                Vec::new()
            }
            Outcome::Unsent(why) => self.desk.unsent(number, why),
            Outcome::Prepared(prepared) => self.desk.prepared(number, prepared),
            Outcome::Kept(kept) => self.desk.kept(number, kept),
        }
    }

    /// Tells how far the files are that are being written.
    fn written(&mut self) -> Vec<Effect> {
        let now = self.epoch.elapsed();
        let mut effects = Vec::new();
        for (number, writing) in &mut self.writing {
            if let Some(upto) = writing.news() {
                effects.extend(self.desk.written(*number, upto, now));
            }
        }
        effects
    }

    fn media(&mut self, media: bool) {
        lock(&self.pace).set_media(media);
        self.grant();
    }

    async fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Say(message) => self.say(&message),
                Effect::Begin { number, id, from, prefix } => {
                    if let Some(source) = self.opened.remove(&number) {
                        let (blocks, outcomes) = (self.blocks.clone(), self.outcomes.clone());
                        let task = lanes::Task { source, number, id, from, prefix };
                        self.reading.insert(number, Reading::start(task, blocks, outcomes));
                    }
                }
                Effect::Moved { number, upto, bytes } => {
                    if bytes > 0 {
                        lock(&self.pace).got(number, upto, bytes, self.epoch.elapsed());
                    }
                    if let Some(reading) = self.reading.get_mut(&number) {
                        reading.got = upto;
                        reading.goes = true;
                    }
                    self.grant();
                }
                Effect::Release(number) => {
                    self.opened.remove(&number);
                    self.reading.remove(&number);
                    lock(&self.pace).forget(number);
                    self.grant();
                }
                Effect::Prepare(number, about) => {
                    let (folder, peer) = (self.folder.clone(), self.peer.clone());
                    let (outcomes, moved) = (self.outcomes.clone(), Arc::clone(&self.moved));
                    let writing = Writing::start(folder, peer, about, number, outcomes, moved);
                    self.writing.insert(number, writing);
                }
                Effect::Restart(number) => self.write(number, lanes::Work::Restart).await,
                Effect::Write(number, chunk) => self.write(number, lanes::Work::Data(chunk.data)).await,
                Effect::Keep(number, hash) => self.write(number, lanes::Work::Keep(hash)).await,
                Effect::Close(number, remove) => {
                    if remove {
                        self.write(number, lanes::Work::Discard).await;
                    }
                    self.writing.remove(&number);
                }
                Effect::Tell { number, remote, about, moment } => {
                    if let Some(state) = self.state(number, about.size, moment) {
                        let file = File {
                            number,
                            remote,
                            name: about.name,
                            size: about.size,
                            kind: about.kind,
                            state,
                        };
                        self.out.send(LegEvent::File(file)).await;
                    }
                }
            }
        }
    }

    /// What is told of a moment; nothing of progress that was told a moment ago.
    fn state(&mut self, number: u32, size: u64, moment: Moment) -> Option<FileState> {
        let now = self.epoch.elapsed();
        let state = match moment {
            Moment::Offered => FileState::Offered,
            Moment::Started(from) => {
                self.progress.entry(number).or_default().add(from, now);
                FileState::Started { from }
            }
            Moment::Progress(done) => {
                let progress = self.progress.entry(number).or_default();
                if !progress.add(done, now) {
                    return None;
                }
                FileState::Progress { done, rate: progress.rate(), left: progress.left(size) }
            }
            Moment::Done(hash, path) => FileState::Done { hash: hash.to_string(), path },
            Moment::Failed(why) => FileState::Failed { why },
        };
        if state.is_over() {
            self.progress.remove(&number);
        }
        Some(state)
    }

    fn say(&self, message: &Message) {
        if matches!(message, Message::Got(..)) && self.words.capacity() < RESERVE {
            return;
        }
        if self.words.try_send(message.text()).is_err() {
            tracing::warn!("the other side asks more about files than can be answered");
        }
    }

    /// Waits for the disk: only a side that sends more than it was granted has so much waiting.
    async fn write(&self, number: u32, work: lanes::Work) {
        if let Some(writing) = self.writing.get(&number) {
            writing.give(work).await;
        }
    }

    /// Shares the window out among the files that are under way.
    fn grant(&self) {
        let (window, block) = {
            let pace = lock(&self.pace);
            (pace.window(), pace.block())
        };
        let going = self.reading.values().filter(|reading| reading.goes);
        let share = window / (going.clone().count() as u64).max(1);
        for reading in going {
            reading.grant(reading.got + share, block);
        }
    }
}
