//! Writes to the terminal, on a thread of its own, no faster than the terminal shows.
//!
//! Owns the order of what is written and the one update that waits to be; [`Pace`] decides when the next may be
//! composed. Must not know what is drawn, nor read the terminal: whoever does tells it of each fence. Driven by the owner of
//! the screen:
//!
//! ```text
//!   until_ready ──► begin ──► compose with quality() ──► frame ──► (thread) ──► terminal ──► reached
//! ```
//!
//! Updates are differences to the one before, so none is dropped once it was composed; what a slow terminal drops is
//! the pictures that are never composed.

use std::collections::VecDeque;
use std::io::{ErrorKind, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::pace::{LinkStats, Pace, PaceConfig};
use crate::tui::render::Quality;

/// Asks the terminal for its status (DSR); it answers `CSI 0 n`, after everything before was processed.
const FENCE: &[u8] = b"\x1b[5n";

/// Bells and notifications that wait for a terminal which takes nothing, in bytes. What does not fit is dropped.
const URGENT_LIMIT: usize = 64 * 1024;

/// The terminal is gone, or the writer was closed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot write to the terminal: {reason}")]
pub struct Closed {
    /// What the system said.
    pub reason: String,
}

/// The way to the terminal. Clones share it; when the last is dropped, the thread ends after what is queued.
#[derive(Debug, Clone)]
pub struct Writer {
    handle: Arc<Handle>,
}

#[derive(Debug)]
struct Handle {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// There is something to write, or the end.
    work: Condvar,
    /// The thread is done.
    done: Condvar,
    /// Something changed that [`Writer::until_ready`] depends on.
    changed: Notify,
    start: Instant,
}

#[derive(Debug)]
struct State {
    pace: Pace,
    queue: VecDeque<Chunk>,
    /// Bytes of the queue that are not of updates.
    urgent: usize,
    closing: bool,
    closed: Option<Closed>,
    done: bool,
}

#[derive(Debug)]
struct Chunk {
    bytes: Vec<u8>,
    update: bool,
}

impl Writer {
    /// Starts the thread that writes to `out`: a terminal, blocking or not.
    ///
    /// # Errors
    /// [`Closed`] when the system has no thread left.
    pub fn start(out: impl Write + AsFd + Send + 'static, config: PaceConfig) -> Result<Self, Closed> {
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                pace: Pace::new(config),
                queue: VecDeque::new(),
                urgent: 0,
                closing: false,
                closed: None,
                done: false,
            }),
            work: Condvar::new(),
            done: Condvar::new(),
            changed: Notify::new(),
            start: Instant::now(),
        });
        let own = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("terminal".to_owned())
            .spawn(move || run(&own, out))
            .map_err(|error| Closed { reason: error.to_string() })?;
        Ok(Self { handle: Arc::new(Handle { shared, thread: Mutex::new(Some(thread)) }) })
    }

    /// True when the next update may be composed, with a new `picture` or without: the last one is written, and the link is
    /// not behind. False for ever once the writer is closed.
    #[must_use]
    pub fn ready(&self, picture: bool) -> bool {
        let now = self.now();
        let mut state = self.lock();
        state.closed.is_none() && !state.closing && state.pace.may_send(now, picture)
    }

    /// Waits until [`Writer::ready`]. Cancel safe.
    ///
    /// # Errors
    /// [`Closed`] when that will never be.
    pub async fn until_ready(&self, picture: bool) -> Result<(), Closed> {
        loop {
            let changed = self.handle.shared.changed.notified();
            tokio::pin!(changed);
            // From here on a change is not missed, so the state may be looked at.
            changed.as_mut().enable();
            let now = self.now();
            let next = {
                let mut state = self.lock();
                if let Some(closed) = &state.closed {
                    return Err(closed.clone());
                }
                if state.closing {
                    return Err(Closed { reason: "it was closed".to_owned() });
                }
                if state.pace.may_send(now, picture) {
                    return Ok(());
                }
                state.pace.next_check(now, picture)
            };
            match next {
                Some(at) => drop(tokio::time::timeout(at.saturating_sub(now), changed).await),
                None => changed.await,
            }
        }
    }

    /// Resolves when the terminal is gone, with the reason; never while it is there. Cancel safe.
    pub async fn closed(&self) -> Closed {
        loop {
            let changed = self.handle.shared.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if let Some(closed) = self.lock().closed.clone() {
                return closed;
            }
            changed.await;
        }
    }

    /// Says that an update will be composed now. A fence goes ahead while it is; without, the link is measured less well where bytes
    /// travel in large packets.
    pub fn begin(&self) {
        let now = self.now();
        let mut state = self.lock();
        if state.writes() && state.pace.begin(now) {
            state.pace.sent(now, FENCE.len() as u64);
            self.push(state, FENCE.to_vec(), false);
        }
    }

    /// What the next picture may cost.
    #[must_use]
    pub fn quality(&self) -> Quality {
        self.lock().pace.quality()
    }

    /// Writes an update of the screen, with a new `picture` or without, after everything given before. Composed before
    /// [`Writer::ready`], it is written all the same.
    pub fn frame(&self, bytes: Vec<u8>, picture: bool) {
        let now = self.now();
        let mut state = self.lock();
        if !state.writes() {
            return;
        }
        let fenced = state.pace.composed(now, bytes.len() as u64, picture);
        let mut bytes = bytes;
        if fenced.before {
            bytes.splice(0..0, FENCE.iter().copied());
        }
        if fenced.after {
            bytes.extend_from_slice(FENCE);
        }
        self.push(state, bytes, true);
    }

    /// Writes what is no update (a bell, a notification) after everything given before. Dropped only when a terminal that takes
    /// nothing has 64 KiB of them waiting already.
    pub fn urgent(&self, bytes: Vec<u8>) {
        let now = self.now();
        let mut state = self.lock();
        if state.writes() && state.urgent + bytes.len() <= URGENT_LIMIT {
            state.pace.sent(now, bytes.len() as u64);
            self.push(state, bytes, false);
        }
    }

    /// The terminal answered a fence.
    pub fn reached(&self) {
        let now = self.now();
        self.lock().pace.reached(now);
        self.handle.shared.changed.notify_waiters();
    }

    /// The terminal was given away and taken back: answers of before are not waited for.
    pub fn resync(&self) {
        let now = self.now();
        self.lock().pace.resync(now);
        self.handle.shared.changed.notify_waiters();
    }

    /// Waits until every fence was answered, so that no answer comes when nobody reads the terminal any more; at most
    /// `within`.
    pub async fn settled(&self, within: Duration) {
        let waiting = async {
            loop {
                let changed = self.handle.shared.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                if self.is_settled() {
                    return;
                }
                changed.await;
            }
        };
        // One that does not answer in time does not answer.
        let _ = tokio::time::timeout(within, waiting).await;
    }

    fn is_settled(&self) -> bool {
        let state = self.lock();
        state.closed.is_some() || (state.queue.is_empty() && state.pace.awaited() == 0)
    }

    /// The next picture is sent whole, whatever it costs: the screen was resized or cleared.
    pub fn repaint(&self) {
        self.lock().pace.repaint();
    }

    /// What is known of the link.
    #[must_use]
    pub fn stats(&self) -> LinkStats {
        self.lock().pace.stats()
    }

    /// Writes what is queued and ends the thread, but returns after `within` at the latest: a terminal that takes nothing keeps
    /// its thread and nobody else. What is given afterwards is dropped. Does nothing the second time.
    pub fn flush_and_close(&self, within: Duration) {
        let shared = &self.handle.shared;
        let mut state = self.lock();
        state.closing = true;
        shared.work.notify_one();
        shared.changed.notify_waiters();
        let (state, _) = shared
            .done
            .wait_timeout_while(state, within, |state| !state.done)
            .unwrap_or_else(PoisonError::into_inner);
        let done = state.done;
        drop(state);
        let thread = self.handle.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && done
        {
            // It has nothing left to do, and nothing in it panics.
            drop(thread.join());
        }
    }

    fn push(&self, mut state: MutexGuard<'_, State>, bytes: Vec<u8>, update: bool) {
        if !update {
            state.urgent += bytes.len();
        }
        state.queue.push_back(Chunk { bytes, update });
        drop(state);
        self.handle.shared.work.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.handle.shared.lock()
    }

    fn now(&self) -> Duration {
        self.handle.shared.start.elapsed()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.lock().closing = true;
        self.shared.work.notify_one();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock; if it did, the state would still be whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn writes(&self) -> bool {
        self.closed.is_none() && !self.closing
    }
}

/// The thread: writes one chunk after the other until the end or the first error.
fn run(shared: &Shared, mut out: impl Write + AsFd) {
    loop {
        let idle = |state: &mut State| state.queue.is_empty() && !state.closing;
        let mut state = shared.work.wait_while(shared.lock(), idle).unwrap_or_else(PoisonError::into_inner);
        let Some(chunk) = state.queue.pop_front() else {
            state.done = true;
            break;
        };
        if !chunk.update {
            state.urgent -= chunk.bytes.len();
        }
        drop(state);
        let written = write_all(&mut out, &chunk.bytes);
        let mut state = shared.lock();
        match written {
            Ok(()) => {
                if chunk.update {
                    state.pace.written(shared.start.elapsed());
                    shared.changed.notify_waiters();
                }
            }
            Err(error) => {
                state.closed = Some(Closed { reason: error.to_string() });
                state.queue.clear();
                state.done = true;
                break;
            }
        }
    }
    shared.done.notify_all();
    shared.changed.notify_waiters();
}

/// As `Write::write_all`, also where the descriptor does not block: another program may have made it so.
fn write_all(out: &mut (impl Write + AsFd), mut bytes: &[u8]) -> std::io::Result<()> {
    while !bytes.is_empty() {
        match out.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => wait_writable(out)?,
            Err(error) => return Err(error),
        }
    }
    loop {
        match out.flush() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => wait_writable(out)?,
            flushed => return flushed,
        }
    }
}

fn wait_writable(out: &impl AsFd) -> std::io::Result<()> {
    let mut wait = libc::pollfd { fd: out.as_fd().as_raw_fd(), events: libc::POLLOUT, revents: 0 };
    // SAFETY: one pollfd, which lives through the call; the descriptor is borrowed from `out`.
    let ready = unsafe { libc::poll(&raw mut wait, 1, -1) };
    let error = std::io::Error::last_os_error();
    if ready < 0 && error.kind() != ErrorKind::Interrupted { Err(error) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Read;
    use std::os::fd::{FromRawFd, OwnedFd};
    use std::os::unix::net::UnixStream;
    use std::sync::mpsc;

    use super::*;

    const SOON: Duration = Duration::from_secs(10);
    const FENCED: PaceConfig = PaceConfig { fences: true, link: Some(Duration::from_millis(1)) };

    fn writer(config: PaceConfig) -> (Writer, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        theirs.set_read_timeout(Some(SOON)).unwrap();
        (Writer::start(ours, config).unwrap(), theirs)
    }

    fn read(from: &mut impl Read, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        from.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// A pseudo terminal in raw mode: the side of the terminal, and ours.
    fn pty() -> (File, File) {
        let (mut terminal, mut ours) = (-1, -1);
        let none = std::ptr::null_mut();
        // SAFETY: both numbers are written before the call returns 0 and are then ours alone.
        let (terminal, ours) = unsafe {
            assert_eq!(libc::openpty(&raw mut terminal, &raw mut ours, none, none.cast(), none.cast()), 0);
            let mut mode = std::mem::zeroed();
            assert_eq!(libc::tcgetattr(ours, &raw mut mode), 0);
            libc::cfmakeraw(&raw mut mode);
            assert_eq!(libc::tcsetattr(ours, libc::TCSANOW, &raw const mode), 0);
            (OwnedFd::from_raw_fd(terminal), OwnedFd::from_raw_fd(ours))
        };
        (terminal.into(), ours.into())
    }

    fn set_nonblocking(file: &impl AsFd) {
        let fd = file.as_fd().as_raw_fd();
        // SAFETY: no pointers; the descriptor is borrowed.
        unsafe {
            assert_eq!(libc::fcntl(fd, libc::F_SETFL, libc::fcntl(fd, libc::F_GETFL) | libc::O_NONBLOCK), 0)
        };
    }

    #[test]
    fn updates_and_bells_come_out_in_order_and_large_updates_between_fences() {
        let (writer, mut terminal) = writer(FENCED);
        writer.frame(b"small".to_vec(), false);
        writer.urgent(b"\x07".to_vec());
        let large = vec![b'x'; 5000];
        writer.frame(large.clone(), true);
        let expected = [b"small\x1b[5n\x07\x1b[5n".as_slice(), &large, FENCE].concat();
        assert_eq!(read(&mut terminal, expected.len()), expected);
    }

    #[test]
    fn without_fences_the_bytes_alone_are_written() {
        let (writer, mut terminal) = writer(PaceConfig::default());
        writer.begin();
        writer.frame(vec![b'x'; 5000], true);
        writer.flush_and_close(SOON);
        let mut all = Vec::new();
        terminal.read_to_end(&mut all).unwrap();
        assert_eq!(all, vec![b'x'; 5000]);
    }

    #[tokio::test]
    async fn the_next_picture_waits_for_the_fence_and_the_interface_does_not_starve() {
        let (writer, mut terminal) = writer(PaceConfig { fences: true, link: None });
        writer.until_ready(true).await.unwrap();
        writer.begin();
        writer.frame(vec![b'x'; 20_000], true);
        read(&mut terminal, 20_008);
        assert!(!writer.ready(true), "nothing was answered yet");
        tokio::time::timeout(SOON, writer.until_ready(false)).await.expect("patience ends").unwrap();
        writer.reached();
        writer.reached();
        tokio::time::timeout(SOON, writer.until_ready(true)).await.expect("the link is free").unwrap();
        let stats = writer.stats();
        assert!(stats.answers && stats.rate.is_some() && stats.pictures == 1 && stats.frames == 1);
    }

    #[test]
    fn a_terminal_that_reads_slowly_gets_every_byte_whether_the_descriptor_blocks_or_not() {
        for nonblocking in [false, true] {
            let (mut terminal, ours) = pty();
            if nonblocking {
                set_nonblocking(&ours);
            }
            // A pty forgets what was not read once the writing side is closed for good.
            let keep = ours.try_clone().unwrap();
            let writer = Writer::start(ours, FENCED).unwrap();
            let bytes: Vec<u8> = (0..300_000u32).map(|number| b'a' + (number % 26) as u8).collect();
            writer.frame(bytes.clone(), true);
            let mut seen = Vec::new();
            let mut part = [0; 700];
            while seen.len() < bytes.len() + 2 * FENCE.len() {
                let count = terminal.read(&mut part).unwrap();
                seen.extend_from_slice(&part[..count]);
            }
            assert_eq!(seen[4..bytes.len() + 4], bytes);
            writer.flush_and_close(SOON);
            drop(keep);
        }
    }

    #[tokio::test]
    async fn a_terminal_that_is_gone_is_said_to_be() {
        let (writer, terminal) = writer(FENCED);
        drop(terminal);
        writer.frame(b"into the void".to_vec(), true);
        let closed = tokio::time::timeout(SOON, writer.closed()).await.expect("noticed");
        assert!(closed.to_string().starts_with("cannot write to the terminal: "));
        assert_eq!(writer.until_ready(true).await, Err(closed));
        assert!(!writer.ready(false));
        writer.frame(b"dropped".to_vec(), true);
        writer.flush_and_close(SOON);
    }

    #[test]
    fn closing_writes_what_is_queued_and_does_nothing_twice() {
        let (writer, mut terminal) = writer(PaceConfig::default());
        for number in 0..100u8 {
            writer.urgent(vec![number; 50]);
        }
        writer.flush_and_close(SOON);
        writer.flush_and_close(SOON);
        writer.urgent(b"too late".to_vec());
        let mut all = Vec::new();
        terminal.read_to_end(&mut all).unwrap();
        assert_eq!(all.len(), 5000);
        assert!(
            all.chunks(50)
                .enumerate()
                .all(|(number, chunk)| chunk.iter().all(|byte| usize::from(*byte) == number))
        );
    }

    #[test]
    fn a_stuck_terminal_neither_hangs_the_end_nor_fills_the_memory() {
        let (terminal, ours) = pty();
        let writer = Writer::start(ours, PaceConfig::default()).unwrap();
        writer.frame(vec![b'x'; 1_000_000], true);
        assert!(!writer.ready(true));
        for _ in 0..10_000 {
            writer.urgent(vec![7; 100]);
        }
        assert!(writer.lock().urgent <= URGENT_LIMIT);
        let (ended, end) = mpsc::channel();
        let closer = writer.clone();
        std::thread::spawn(move || {
            closer.flush_and_close(Duration::from_millis(50));
            ended.send(()).unwrap();
        });
        end.recv_timeout(SOON).expect("closing returns");
        drop(terminal);
    }

    #[test]
    fn dropping_the_last_handle_ends_the_thread() {
        let (writer, mut terminal) = writer(PaceConfig::default());
        let other = writer.clone();
        drop(writer);
        other.urgent(b"last".to_vec());
        drop(other);
        let mut all = Vec::new();
        terminal.read_to_end(&mut all).unwrap();
        assert_eq!(all, b"last");
    }
}
