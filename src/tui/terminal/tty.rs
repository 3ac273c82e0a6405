//! The tty's file: its settings, its size, and writes that come to an end.
//!
//! Owns every system call on the terminal but reading. Never sets the open file non-blocking that the shell and other
//! programs have as well; where it can be opened anew, that one is.

use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::detect::Window;
use super::error::Error;

/// How long a write waits at a time for a terminal that has no room, before it looks again what has become of it.
const TURN: Duration = Duration::from_millis(50);

/// Both ends of the terminal, copies of standard input and output.
#[derive(Debug)]
pub(super) struct Tty {
    pub(super) input: Arc<OwnedFd>,
    pub(super) output: Arc<OwnedFd>,
}

impl Tty {
    /// The terminal on standard input and output.
    pub(super) fn open() -> Result<Self, Error> {
        use std::io::IsTerminal as _;
        let (stdin, stdout) = (io::stdin(), io::stdout());
        if !stdin.is_terminal() {
            return Err(Error::NotATerminal("input"));
        }
        if !stdout.is_terminal() {
            return Err(Error::NotATerminal("output"));
        }
        let copy = |fd: BorrowedFd<'_>| {
            let fd = fd.try_clone_to_owned().map_err(|source| Error::Io { what: "open", source })?;
            Ok(Arc::new(fd))
        };
        let output = match reopened(stdout.as_raw_fd()) {
            Some(fd) => Arc::new(fd),
            None => copy(stdout.as_fd())?,
        };
        Ok(Self { input: copy(stdin.as_fd())?, output })
    }

    /// The settings now.
    pub(super) fn settings(&self) -> Result<libc::termios, Error> {
        settings(self.input.as_raw_fd()).map_err(|source| Error::Io { what: "read the settings of", source })
    }

    /// Keys come one by one and unchanged, nothing is echoed, output is not touched.
    pub(super) fn make_raw(&self, from: &libc::termios) -> Result<(), Error> {
        let mut raw = *from;
        // SAFETY: `raw` is a valid termios.
        unsafe { libc::cfmakeraw(&raw mut raw) };
        // A read never waits: who reads has asked poll before, and another process may have been faster.
        raw.c_cc[libc::VMIN] = 0;
        raw.c_cc[libc::VTIME] = 0;
        set(self.input.as_raw_fd(), &raw).map_err(|source| Error::Io { what: "set up", source })
    }

    /// The size in cells and pixels; zeros when the system does not know.
    pub(super) fn window(&self) -> Window {
        let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
        // SAFETY: TIOCGWINSZ writes a winsize; the file is open.
        let done = unsafe { libc::ioctl(self.output.as_raw_fd(), libc::TIOCGWINSZ, &raw mut size) };
        if done != 0 {
            return Window::default();
        }
        Window { columns: size.ws_col, rows: size.ws_row, width: size.ws_xpixel, height: size.ws_ypixel }
    }
}

/// The terminal `fd` opened anew and non-blocking, so that a write to one that reads nothing can be given up: no other
/// program has this open file. `None` where it has no name, or belongs to somebody else (after su).
fn reopened(fd: RawFd) -> Option<OwnedFd> {
    let mut name = [0; 256];
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_NONBLOCK | libc::O_CLOEXEC;
    // SAFETY: ttyname_r ends the name within its length when it returns 0; the new descriptor is nobody else's;
    // fstat fills what is compared when it returns 0.
    unsafe {
        if libc::ttyname_r(fd, name.as_mut_ptr(), name.len()) != 0 {
            return None;
        }
        let new = libc::open(name.as_ptr(), flags);
        if new < 0 {
            return None;
        }
        let new = OwnedFd::from_raw_fd(new);
        let device = |fd: RawFd| {
            let mut about = std::mem::MaybeUninit::<libc::stat>::uninit();
            (libc::fstat(fd, about.as_mut_ptr()) == 0).then(|| about.assume_init().st_rdev)
        };
        // In a container the name may be that of another terminal.
        (device(fd).is_some() && device(fd) == device(new.as_raw_fd())).then_some(new)
    }
}

/// The settings of a terminal.
pub(super) fn settings(fd: RawFd) -> io::Result<libc::termios> {
    let mut settings = std::mem::MaybeUninit::<libc::termios>::uninit();
    // SAFETY: tcgetattr writes all of it when it returns 0.
    unsafe {
        if libc::tcgetattr(fd, settings.as_mut_ptr()) == 0 {
            Ok(settings.assume_init())
        } else {
            Err(io::Error::last_os_error())
        }
    }
}

/// Sets a terminal up at once, without waiting for output to be read.
pub(super) fn set(fd: RawFd, settings: &libc::termios) -> io::Result<()> {
    loop {
        // SAFETY: `settings` is a valid termios; the file may be closed, which is an error and no more.
        if unsafe { libc::tcsetattr(fd, libc::TCSANOW, settings) } == 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// Waits until `fd` is ready for `events` or the time is up; the events that came, 0 for none.
pub(super) fn wait(fd: RawFd, events: libc::c_short, within: Duration) -> io::Result<libc::c_short> {
    let mut asked = libc::pollfd { fd, events, revents: 0 };
    let milliseconds = libc::c_int::try_from(within.as_millis()).unwrap_or(libc::c_int::MAX);
    // SAFETY: one pollfd, as said.
    let ready = unsafe { libc::poll(&raw mut asked, 1, milliseconds) };
    match ready {
        0.. => Ok(if ready == 0 { 0 } else { asked.revents }),
        _ => {
            let error = io::Error::last_os_error();
            if error.kind() == io::ErrorKind::Interrupted { Ok(0) } else { Err(error) }
        }
    }
}

/// Writes as much of `bytes` as the terminal takes within the time.
pub(super) fn write_within(fd: RawFd, mut bytes: &[u8], within: Duration) -> io::Result<()> {
    let end = Instant::now() + within;
    while !bytes.is_empty() {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        // In turns: output that is thrown away makes room without a word to who waits for it.
        if wait(fd, libc::POLLOUT, left.min(TURN))? == 0 {
            continue;
        }
        let written = write(fd, bytes)?;
        bytes = &bytes[written..];
    }
    Ok(())
}

fn write(fd: RawFd, bytes: &[u8]) -> io::Result<usize> {
    // SAFETY: the pointer and length are those of `bytes`.
    let written = unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) };
    match usize::try_from(written) {
        Ok(written) => Ok(written),
        Err(_) => {
            let error = io::Error::last_os_error();
            match error.kind() {
                io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock => Ok(0),
                _ => Err(error),
            }
        }
    }
}

/// Where drawing goes. Cheap to copy, usable from any thread, waits for a slow terminal.
///
/// While the terminal is given back (suspended, or for good) what is written vanishes: it would land on the shell's screen.
#[derive(Debug, Clone)]
pub struct Out {
    fd: Arc<OwnedFd>,
    open: Arc<AtomicBool>,
}

impl Out {
    pub(super) fn new(fd: Arc<OwnedFd>) -> Self {
        Self { fd, open: Arc::new(AtomicBool::new(false)) }
    }

    pub(super) fn set_open(&self, open: bool) {
        self.open.store(open, Ordering::Release);
    }
}

impl AsFd for Out {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl io::Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        while self.open.load(Ordering::Acquire) && !bytes.is_empty() {
            match write(self.fd.as_raw_fd(), bytes)? {
                0 => {
                    wait(self.fd.as_raw_fd(), libc::POLLOUT, TURN)?;
                }
                written => return Ok(written),
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
