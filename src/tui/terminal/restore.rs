//! Gives the terminal back, from wherever the end comes.
//!
//! Owns the one record of how the terminal was found, and the panic hook. Giving back happens once for each time it was
//! taken: at the end, before a panic's message, before a suspension. It writes to the file itself, because the
//! thread that usually writes may be the one that hangs.

use std::os::fd::{AsRawFd as _, OwnedFd};
use std::sync::{Arc, Mutex, Once, TryLockError, mpsc};
use std::time::Duration;

use tokio::sync::Notify;

use super::tty;

/// A terminal that reads nothing for this long loses what waits for it; twice as long, and it misses the farewell.
const PATIENCE: Duration = Duration::from_millis(250);

/// What it takes to give the terminal back.
pub(super) struct Record {
    pub(super) input: Arc<OwnedFd>,
    pub(super) output: Arc<OwnedFd>,
    pub(super) settings: libc::termios,
    /// What undoes all that was switched on.
    pub(super) farewell: Vec<u8>,
    /// Closed first, so that no frame follows the farewell.
    pub(super) out: tty::Out,
}

static RECORD: Mutex<Option<Record>> = Mutex::new(None);

/// Told when a panic gave the terminal back.
static PANICKED: Notify = Notify::const_new();

/// Remembers how to give the terminal back; a record that is there is replaced.
pub(super) fn arm(record: Record) {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            // The message must be on the screen that stays.
            if restore() {
                PANICKED.notify_one();
            }
            previous(info);
        }));
    });
    *RECORD.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(record);
}

/// Changes the farewell of a terminal that is taken.
pub(super) fn set_farewell(farewell: Vec<u8>) {
    if let Some(record) = RECORD.lock().unwrap_or_else(std::sync::PoisonError::into_inner).as_mut() {
        record.farewell = farewell;
    }
}

/// True while the terminal is taken.
pub(super) fn is_armed() -> bool {
    match RECORD.try_lock() {
        Ok(record) => record.is_some(),
        Err(TryLockError::Poisoned(record)) => record.into_inner().is_some(),
        Err(TryLockError::WouldBlock) => false,
    }
}

/// Comes back when a panic has given the terminal back. Cancel safe.
pub(super) async fn panicked() {
    PANICKED.notified().await;
}

/// Gives the terminal back. Does nothing, and says false, when it is given back already or another thread is at it.
pub(super) fn restore() -> bool {
    let record = match RECORD.try_lock() {
        Ok(mut record) => record.take(),
        Err(TryLockError::Poisoned(record)) => record.into_inner().take(),
        Err(TryLockError::WouldBlock) => None,
    };
    let Some(record) = record else {
        return false;
    };
    record.out.set_open(false);
    let _quiet = StopsBlocked::new();
    let input = record.input.as_raw_fd();
    say_farewell(&record);
    // What was typed or answered and not read is not for the shell.
    // SAFETY: the file is open.
    unsafe { libc::tcflush(input, libc::TCIFLUSH) };
    let _ = tty::set(input, &record.settings);
    true
}

/// Writes the farewell, on a thread of its own: while another write waits for a terminal that does not read, this one
/// waits behind it, whatever poll says. When it does not come through, the output that waits is thrown away; when even
/// that does not help, or the terminal is gone, the settings still count.
fn say_farewell(record: &Record) {
    let (fd, farewell) = (Arc::clone(&record.output), record.farewell.clone());
    let (sender, said) = mpsc::sync_channel(1);
    let thread = std::thread::Builder::new().name("farewell".into()).spawn(move || {
        // Nobody waits any longer when the time is up.
        let _ = sender.send(tty::write_within(fd.as_raw_fd(), &farewell, 2 * PATIENCE));
    });
    let fd = record.output.as_raw_fd();
    if thread.is_err() {
        // No more threads in this process: as well as it goes.
        let _ = tty::write_within(fd, &record.farewell, PATIENCE);
    } else if said.recv_timeout(PATIENCE).is_err() {
        // SAFETY: the file is open.
        unsafe { libc::tcflush(fd, libc::TCOFLUSH) };
        let _ = said.recv_timeout(PATIENCE);
    }
}

/// While this lives, changing the terminal from the background does not stop the process.
struct StopsBlocked(Option<libc::sigset_t>);

impl StopsBlocked {
    fn new() -> Self {
        let mut blocked = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
        let mut before = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: sigemptyset fills the first set, pthread_sigmask the second when it returns 0.
        unsafe {
            libc::sigemptyset(blocked.as_mut_ptr());
            libc::sigaddset(blocked.as_mut_ptr(), libc::SIGTTOU);
            let done = libc::pthread_sigmask(libc::SIG_BLOCK, blocked.as_ptr(), before.as_mut_ptr());
            Self((done == 0).then(|| before.assume_init()))
        }
    }
}

impl Drop for StopsBlocked {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            // SAFETY: the set is the one that pthread_sigmask gave.
            unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before, std::ptr::null_mut()) };
        }
    }
}
