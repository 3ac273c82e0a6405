//! The thread that reads the terminal.
//!
//! Owns reading, the input parser and its clock. Gives events over a bounded channel; when that is full it stops
//! reading, and what is typed waits in the system. Fences are told at once, beside the channel. Ends when it is
//! dropped or the terminal is gone.

use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::error::Error;
use super::input::{Event, Parser, Reply};

/// Events that wait for whoever reads them.
const WAITING: usize = 256;

/// Bytes taken at a time.
const BLOCK: usize = 4096;

/// Reads in a row that give nothing although poll says there is something: the terminal is gone.
const MOST_EMPTY: u32 = 16;

/// How long a pause waits for the thread; it is held up only by a full channel.
const PATIENCE: Duration = Duration::from_millis(500);

/// Called for each fence that comes back.
pub(super) type OnFence = Box<dyn Fn() + Send + Sync>;

/// What the thread and its owner share.
#[derive(Default)]
struct Shared {
    wish: Mutex<Wish>,
    changed: Condvar,
    fence: Mutex<Option<OnFence>>,
}

#[derive(Default)]
struct Wish {
    stop: bool,
    pause: bool,
    /// The thread stands still because of `pause`, or has ended.
    still: bool,
}

impl Shared {
    fn wish(&self) -> MutexGuard<'_, Wish> {
        self.wish.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The running thread.
pub(super) struct Reader {
    events: Option<mpsc::Receiver<Event>>,
    shared: Arc<Shared>,
    wake: OwnedFd,
    thread: Option<JoinHandle<()>>,
}

impl Reader {
    /// Starts to read `tty`, whose Backspace key sends `erase`.
    pub(super) fn start(tty: Arc<OwnedFd>, erase: u8) -> Result<Self, Error> {
        let failed = |source| Error::Io { what: "read", source };
        let (woken, wake) = pipe().map_err(failed)?;
        let (sender, events) = mpsc::channel(WAITING);
        let shared = Arc::new(Shared::default());
        let work = Work { tty, woken, shared: Arc::clone(&shared), events: sender };
        let thread = std::thread::Builder::new()
            .name("keyboard".into())
            .spawn(move || work.run(erase))
            .map_err(failed)?;
        Ok(Self { events: Some(events), shared, wake, thread: Some(thread) })
    }

    /// The next event; `None` when the terminal is gone. Cancel safe.
    pub(super) async fn next(&mut self) -> Option<Event> {
        match &mut self.events {
            Some(events) => events.recv().await,
            None => None,
        }
    }

    /// What to call when the answer to `CSI 5 n` comes.
    pub(super) fn on_fence(&self, call: OnFence) {
        *self.shared.fence.lock().unwrap_or_else(PoisonError::into_inner) = Some(call);
    }

    /// Nothing is read until [`Reader::resume`]: the terminal belongs to somebody else.
    pub(super) fn pause(&self) {
        let mut wish = self.shared.wish();
        wish.pause = true;
        wake(&self.wake);
        // When the thread does not come to a stand it is held up and does not read either.
        drop(self.shared.changed.wait_timeout_while(wish, PATIENCE, |wish| !wish.still));
    }

    /// Reads again.
    pub(super) fn resume(&self) {
        self.shared.wish().pause = false;
        self.shared.changed.notify_all();
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // A thread that waits for room in the channel waits no longer.
        self.events = None;
        self.shared.wish().stop = true;
        self.shared.changed.notify_all();
        wake(&self.wake);
        if let Some(thread) = self.thread.take() {
            // A panic there has been told by the hook.
            let _ = thread.join();
        }
    }
}

struct Work {
    tty: Arc<OwnedFd>,
    woken: OwnedFd,
    shared: Arc<Shared>,
    events: mpsc::Sender<Event>,
}

impl Work {
    fn run(self, erase: u8) {
        self.read(erase);
        self.shared.wish().still = true;
        self.shared.changed.notify_all();
    }

    fn read(&self, erase: u8) {
        let start = Instant::now();
        let mut parser = Parser::new(erase);
        let mut block = [0; BLOCK];
        let mut found = Vec::new();
        let mut empty = 0;
        while self.goes_on() {
            let wait = parser.deadline().map(|at| at.saturating_sub(start.elapsed()));
            let Ok(ready) = self.wait(wait) else {
                return;
            };
            if ready {
                match read(&self.tty, &mut block) {
                    Ok(0) => {
                        empty += 1;
                        if empty == MOST_EMPTY {
                            return;
                        }
                    }
                    Ok(count) => {
                        empty = 0;
                        parser.feed(&block[..count], start.elapsed(), &mut found);
                    }
                    Err(error)
                        if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {
                    }
                    // EIO: the terminal hung up.
                    Err(_) => return,
                }
            }
            parser.expire(start.elapsed(), &mut found);
            for event in found.drain(..) {
                if event == Event::Reply(Reply::Status(0))
                    && let Some(call) =
                        self.shared.fence.lock().unwrap_or_else(PoisonError::into_inner).as_ref()
                {
                    call();
                } else if self.events.blocking_send(event).is_err() {
                    return;
                }
            }
        }
    }

    /// Stands still as long as it is asked to; false when it is asked to end.
    fn goes_on(&self) -> bool {
        let mut wish = self.shared.wish();
        while wish.pause && !wish.stop {
            wish.still = true;
            self.shared.changed.notify_all();
            wish = self.shared.changed.wait(wish).unwrap_or_else(PoisonError::into_inner);
        }
        wish.still = false;
        !wish.stop
    }

    /// Waits for the terminal, a wake or the time; whether the terminal has something.
    fn wait(&self, within: Option<Duration>) -> io::Result<bool> {
        let mut asked = [&*self.tty, &self.woken].map(|fd| libc::pollfd {
            fd: fd.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        });
        // Rounded up: a time that is not over yet must not be asked for again and again.
        let milliseconds = within.map_or(-1, |time| {
            libc::c_int::try_from(time.as_micros().div_ceil(1000)).unwrap_or(libc::c_int::MAX)
        });
        // SAFETY: two pollfds, as said.
        if unsafe { libc::poll(asked.as_mut_ptr(), 2, milliseconds) } < 0 {
            let error = io::Error::last_os_error();
            return if error.kind() == io::ErrorKind::Interrupted { Ok(false) } else { Err(error) };
        }
        if asked[1].revents != 0 {
            read(&self.woken, &mut [0; 64])?;
        }
        if asked[0].revents & libc::POLLNVAL != 0 {
            return Err(io::ErrorKind::NotConnected.into());
        }
        Ok(asked[0].revents != 0)
    }
}

fn read(fd: &OwnedFd, block: &mut [u8]) -> io::Result<usize> {
    // SAFETY: the pointer and length are those of `block`.
    let count = unsafe { libc::read(fd.as_raw_fd(), block.as_mut_ptr().cast(), block.len()) };
    usize::try_from(count).map_err(|_| io::Error::last_os_error())
}

/// A pipe: the end to read, the end to write. Children do not get it.
fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends = [0; 2];
    // SAFETY: pipe writes two descriptors that are nobody else's.
    unsafe {
        if libc::pipe(ends.as_mut_ptr()) != 0 {
            return Err(io::Error::last_os_error());
        }
        for end in ends {
            libc::fcntl(end, libc::F_SETFD, libc::FD_CLOEXEC);
        }
        Ok((OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])))
    }
}

/// A pipe holds thousands of these, and there are as many as suspensions.
fn wake(fd: &OwnedFd) {
    // SAFETY: one byte. When it can't be written, the thread is awake or gone.
    unsafe { libc::write(fd.as_raw_fd(), [0u8].as_ptr().cast(), 1) };
}
