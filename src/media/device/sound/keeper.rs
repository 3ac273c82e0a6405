//! The thread that keeps a device open: opens it, hears when it breaks, tries the next one, and comes back to the wished one.
//!
//! Owns the stream and what is told about it. Must not know what the stream carries: a closure opens it. Ends when its owner is dropped.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use super::hosts::{Found, Host, repeats_a_speaker};
use crate::media::Error;
use crate::media::device::{Kind, Notice, Notices, What, Wish, choose};

/// How often it looks whether a better device is there.
const LOOK: Duration = Duration::from_secs(1);
/// A device that broke sooner than this after it was opened is left alone for a while, each time twice as long as before.
const SHORT_LIFE: Duration = Duration::from_secs(3);
const LONGEST_REST: Duration = Duration::from_secs(16);
/// A sound system that takes longer to open a device does not answer.
const PATIENCE: Duration = Duration::from_secs(8);
/// How long a device may take to close before its owner goes on without waiting.
const CLOSING: Duration = Duration::from_millis(500);

/// Opens a stream that reports its end to the [`Trouble`].
pub(super) type Open =
    Box<dyn FnMut(&cpal::Device, &Arc<Trouble>) -> Result<cpal::Stream, cpal::Error> + Send>;

/// The first error that ended a stream; what follows it is not kept, however much it is.
pub(super) struct Trouble {
    first: OnceLock<cpal::Error>,
    keeper: Thread,
}

impl Trouble {
    /// Called by the sound system's threads. What a stream survives is none.
    pub(super) fn tell(&self, error: cpal::Error) {
        use cpal::ErrorKind::{DeviceChanged, RealtimeDenied, Xrun};
        if !matches!(error.kind(), Xrun | RealtimeDenied | DeviceChanged) && self.first.set(error).is_ok() {
            self.keeper.unpark();
        }
    }
}

/// Owns the thread.
pub(super) struct Keeper {
    stop: Arc<AtomicBool>,
    thread: Thread,
    ended: Receiver<()>,
}

impl Keeper {
    /// Opens the wished device, or what is to be used in its place, and keeps it open.
    ///
    /// # Errors
    /// [`Error::Open`] when there is none, or each of them refuses.
    pub(super) fn start(kind: Kind, wish: Wish, notices: Notices, open: Open) -> Result<Self, Error> {
        let stop = Arc::new(AtomicBool::new(false));
        // One answer each; nobody waits for room in them.
        let (opened, first) = sync_channel(1);
        let (end, ended) = sync_channel(1);
        let told = stop.clone();
        let name = wish.clone();
        let spawned = thread::Builder::new().name(format!("{kind} keeper")).spawn(move || {
            Watch { kind, wish, notices, open, host: Host::new(), current: None, rest: Rest::default() }
                .run(&told, &opened);
            let _ = end.send(());
        });
        let thread = match spawned {
            Ok(handle) => handle.thread().clone(),
            Err(why) => return Err(Error::open(title(kind, &name), why)),
        };
        let keeper = Self { stop, thread, ended };
        match first.recv_timeout(PATIENCE) {
            Ok(Ok(())) => Ok(keeper),
            Ok(Err(error)) => Err(error),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                Err(Error::open(title(kind, &name), "the sound system does not answer: restart it"))
            }
        }
    }
}

impl Drop for Keeper {
    /// Closes the device; gives up waiting for one that does not close.
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.unpark();
        let _ = self.ended.recv_timeout(CLOSING);
    }
}

/// `microphone "x"`.
fn title(kind: Kind, wish: &Wish) -> String {
    wish.name().map_or_else(|| kind.to_string(), |name| format!("{kind} {name:?}"))
}

/// Why a device did not open, and what to do.
fn advice(error: &cpal::Error) -> String {
    use cpal::ErrorKind::{DeviceBusy, DeviceNotAvailable, HostUnavailable, PermissionDenied};
    match error.kind() {
        DeviceBusy => {
            "another program has it: close that, or choose another one (see: letsmeet devices)".to_owned()
        }
        PermissionDenied => {
            format!("not allowed ({error}): let this user and this terminal use sound")
        }
        DeviceNotAvailable => format!("{error} (see: letsmeet devices)"),
        HostUnavailable => format!("no sound system answers ({error}): start PulseAudio or PipeWire"),
        _ => error.to_string(),
    }
}

/// Those of `found` that may be tried for `wish`, best first; true beside what was wished. A monitor of a speaker is tried only when it
/// is asked for, or is what the system prefers.
fn candidates<'a>(found: &'a [Found], wish: &Wish) -> Vec<(&'a Found, bool)> {
    let listed: Vec<_> = found.iter().map(|found| found.listed.clone()).collect();
    choose(&listed, wish)
        .into_iter()
        .filter(|(device, wished)| {
            !repeats_a_speaker(device) || device.default || *wished && wish.name().is_some()
        })
        .filter_map(|(device, wished)| {
            Some((found.iter().find(|found| found.listed.id == device.id)?, wished))
        })
        .collect()
}

/// Says whether a device like that is there, without opening it.
///
/// # Errors
/// [`Error::Open`] when there is none.
pub(super) fn find(kind: Kind, wish: &Wish) -> Result<(), Error> {
    let found =
        Host::new().devices(kind, false).map_err(|error| Error::open(title(kind, wish), advice(&error)))?;
    if candidates(&found, wish).is_empty() { Err(missing(kind, wish)) } else { Ok(()) }
}

fn missing(kind: Kind, wish: &Wish) -> Error {
    let why = match wish {
        Wish::Exact(_) => "no such device (see: letsmeet devices)".to_owned(),
        _ => format!("this machine has no {kind}: plug one in, or start its sound server"),
    };
    Error::open(title(kind, wish), why)
}

/// Closes a stream, and goes on without waiting when that takes too long: the threads of one that the server took away may never end.
fn close(stream: cpal::Stream) {
    let (end, ended) = sync_channel::<()>(1);
    let closing = thread::Builder::new().name("device closing".to_owned()).spawn(move || {
        drop(stream);
        drop(end);
    });
    if closing.is_ok() {
        // Ends with an error as soon as the other side is gone.
        let _ = ended.recv_timeout(CLOSING);
    }
}

struct Current {
    trouble: Arc<Trouble>,
    stream: cpal::Stream,
    id: String,
    /// The sound system's number for the device when it was opened.
    number: Option<u32>,
    name: String,
    /// Whether there is no better one to look for.
    best: bool,
    since: Instant,
}

#[derive(Default)]
struct Rest {
    length: Duration,
    until: Option<Instant>,
}

struct Watch {
    kind: Kind,
    wish: Wish,
    notices: Notices,
    open: Open,
    host: Host,
    current: Option<Current>,
    rest: Rest,
}

impl Watch {
    fn run(mut self, stop: &AtomicBool, opened: &SyncSender<Result<(), Error>>) {
        let first = self.improve();
        let failed = first.is_err();
        if opened.send(first).is_err() || failed {
            return;
        }
        while !stop.load(Ordering::Relaxed) {
            thread::park_timeout(LOOK);
            if !stop.load(Ordering::Relaxed) {
                self.look();
            }
        }
    }

    fn look(&mut self) {
        let moved = self.was_moved();
        let broken = self.current.take_if(|current| moved || current.trouble.first.get().is_some());
        if moved {
            // All that one connection plays goes where its moved stream is.
            self.host = self.host.again().unwrap_or_else(|_| Host::new());
        }
        let lost = broken.map(|current| {
            self.rest(current.since.elapsed());
            close(current.stream);
            let why = current.trouble.first.get().map_or_else(|| "unplugged".to_owned(), ToString::to_string);
            What::Lost { name: current.name, why }
        });
        let better = self.current.as_ref().is_none_or(|current| !current.best);
        let rested = self.rest.until.is_none_or(|until| Instant::now() >= until);
        if better
            && rested
            && let Err(error) = self.improve()
        {
            tracing::debug!(%error, "no better device");
        }
        if let Some(lost) = lost.filter(|_| self.current.is_none()) {
            self.tell(lost);
        }
    }

    /// Whether the stream still runs but its device is not there any more, or was away.
    fn was_moved(&self) -> bool {
        self.current.as_ref().is_some_and(|current| self.host.lost(self.kind, &current.id, current.number))
    }

    fn rest(&mut self, lived: Duration) {
        self.rest.length = match lived < SHORT_LIFE {
            true => (self.rest.length * 2).clamp(LOOK, LONGEST_REST),
            false => Duration::ZERO,
        };
        self.rest.until = Some(Instant::now() + self.rest.length);
    }

    /// Opens the best device that is better than the present one.
    fn improve(&mut self) -> Result<(), Error> {
        let (kind, wish) = (self.kind, self.wish.clone());
        let refused = |error: &cpal::Error| Error::open(title(kind, &wish), advice(error));
        let found = self.host.devices(kind, false).or_else(|_| {
            // The server that this host spoke to is gone; another one may be there.
            self.host = self.host.again()?;
            self.host.devices(kind, false)
        });
        let found = found.map_err(|error| refused(&error))?;
        let mut failure = missing(kind, &wish);
        for (place, (candidate, wished)) in candidates(&found, &wish).into_iter().enumerate() {
            if self.current.as_ref().is_some_and(|current| current.id == candidate.listed.id) {
                return Ok(());
            }
            let trouble = Arc::new(Trouble { first: OnceLock::new(), keeper: thread::current() });
            let apart = self.apart(&candidate.listed.id);
            match (self.open)(apart.as_ref().unwrap_or(&candidate.handle), &trouble) {
                Ok(stream) => {
                    let (id, name) = (candidate.listed.id.clone(), candidate.listed.name.clone());
                    let what = match wish.name() {
                        Some(wanted) if !wished => {
                            What::InPlaceOf { wished: wanted.to_owned(), name: name.clone() }
                        }
                        _ => What::Using { name: name.clone() },
                    };
                    let since = Instant::now();
                    let best = place == 0 && wished;
                    let number = self.host.number(kind, &id);
                    let current = Current { trouble, stream, id, number, name, best, since };
                    let before = self.current.replace(current);
                    self.tell(what);
                    if let Some(before) = before {
                        close(before.stream);
                    }
                    return Ok(());
                }
                // What the best one says counts.
                Err(error) if place == 0 => failure = refused(&error),
                Err(_) => {}
            }
        }
        Err(failure)
    }

    /// The same device by a connection of its own, when PulseAudio plays for us already: all that one connection of this client plays
    /// has to go to one sink.
    fn apart(&mut self, id: &str) -> Option<cpal::Device> {
        if self.current.is_none() || !self.host.moves_streams() {
            return None;
        }
        self.host = self.host.again().ok()?;
        let found = self.host.devices(self.kind, false).ok()?;
        found.into_iter().find(|found| found.listed.id == id).map(|found| found.handle)
    }

    fn tell(&self, what: What) {
        (self.notices)(Notice { kind: self.kind, what });
    }
}
