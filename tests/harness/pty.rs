//! A program in a terminal of ours: a pty, an emulated screen, keys, and answers as a terminal gives them.
//!
//! Everything that waits has a deadline and fails with what the screen showed. Dropping kills the program.

use std::fs::File;
use std::io::{PipeReader, PipeWriter, Read as _, Write as _};
use std::num::NonZero;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use super::SOON;

/// A question of the program and the terminal's answer to it.
pub(crate) type Answer = (&'static [u8], &'static [u8]);

/// A terminal that only says that it is one.
pub(crate) const PLAIN: &[Answer] = &[(b"\x1b[c", b"\x1b[?1;2c"), (b"\x1b[5n", b"\x1b[0n")];

/// A terminal that says nothing at all.
pub(crate) const SILENT: &[Answer] = &[];

/// kitty, without the graphics: name, keyboard protocol, synchronized updates, 24-bit colour, an 8x16 cell.
pub(crate) const MODERN: &[Answer] = &[
    (b"\x1b[>0q", b"\x1bP>|kitty(0.26.5)\x1b\\"),
    (b"\x1b[?2026$p", b"\x1b[?2026;2$y"),
    (b"\x1b[?u", b"\x1b[?0u"),
    (b"\x1bP$qm\x1b\\", b"\x1bP1$r38:2:1:2:3m\x1b\\"),
    (b"\x1b[16t", b"\x1b[6;16;8t"),
    (b"\x1b]11;?\x1b\\", b"\x1b]11;rgb:0000/0000/0000\x1b\\"),
    (b"\x1b[5n", b"\x1b[0n"),
    (b"\x1b[c", b"\x1b[?62;c"),
];

/// A program in a pty.
pub(crate) struct Pty {
    master: Option<File>,
    /// Closed to end the reading thread.
    wake: Option<PipeWriter>,
    pid: i32,
    shared: Arc<Shared>,
    exit: Receiver<ExitStatus>,
    exited: Option<ExitStatus>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    screen: vt100::Parser,
    /// Everything that the program wrote.
    output: Vec<u8>,
    /// The program's side is closed.
    closed: bool,
    /// Nothing is read.
    stalled: bool,
    /// Answers to questions of a program that has left the screen since.
    late: usize,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pty {
    /// Starts `command` in a terminal of this size, which answers as told. `TERM` is `xterm-256color` in a UTF-8
    /// locale; what the command sets itself is kept.
    pub(crate) fn start(mut command: Command, columns: u16, rows: u16, answers: &'static [Answer]) -> Self {
        let (master, slave) = open(columns, rows);
        let own: Vec<_> = command.get_envs().map(|(name, _)| name.to_owned()).collect();
        for (name, value) in [("TERM", "xterm-256color"), ("LANG", "C.UTF-8")] {
            if !own.iter().any(|set| set == name) {
                command.env(name, value);
            }
        }
        let end = || Stdio::from(slave.try_clone().expect("a copy of the pty"));
        command.stdin(end()).stdout(end()).stderr(end());
        // SAFETY: only calls that are allowed between fork and exec.
        unsafe {
            command.pre_exec(|| {
                libc::setsid();
                libc::ioctl(0, libc::TIOCSCTTY, 0);
                Ok(())
            });
        }
        let child = command.spawn().expect("the program starts");
        // Or the end of the program would not close the pty: the command holds copies too.
        drop(command);
        drop(slave);
        let shared = Arc::new(Shared::default());
        shared.state().screen = vt100::Parser::new(side(rows), side(columns), 1000);
        let (woken, wake) = std::io::pipe().expect("a pipe");
        let reading = (master.try_clone().expect("a copy of the pty"), Arc::clone(&shared));
        thread::spawn(move || {
            read(reading.0, &woken, &reading.1, answers);
            reading.1.state().closed = true;
            reading.1.changed.notify_all();
        });
        let pid = i32::try_from(child.id()).expect("a process id");
        Self { master: Some(master), wake: Some(wake), pid, shared, exit: reap(child), exited: None }
    }

    /// Types.
    pub(crate) fn send(&mut self, keys: impl AsRef<[u8]>) {
        let master = self.master.as_mut().expect("not hung up");
        master.write_all(keys.as_ref()).expect("the pty takes keys");
    }

    /// Waits until `holds` for the screen; `what` says what is waited for.
    pub(crate) fn wait_until(&self, what: &str, mut holds: impl FnMut(&vt100::Screen) -> bool) {
        self.wait(what, |state| holds(state.screen.screen()));
    }

    /// Waits until the screen shows `text`.
    pub(crate) fn wait_for(&self, text: &str) {
        self.wait_until(text, |screen| screen.contents().contains(text));
    }

    /// Waits until the program has written `bytes`, looking from byte `from` of its output on; where it ends.
    pub(crate) fn wait_for_output(&self, bytes: &[u8], from: usize) -> usize {
        let mut end = 0;
        self.wait(&String::from_utf8_lossy(bytes), |state| {
            match find(&state.output[from.min(state.output.len())..], bytes) {
                Some(place) => {
                    end = from + place + bytes.len();
                    true
                }
                None => false,
            }
        });
        end
    }

    fn wait(&self, what: &str, mut holds: impl FnMut(&State) -> bool) {
        let (state, time) = self
            .shared
            .changed
            .wait_timeout_while(self.shared.state(), SOON, |state| !holds(state) && !state.closed)
            .unwrap_or_else(PoisonError::into_inner);
        assert!(
            holds(&state),
            "waited for {what:?} ({}); the screen:\n{}",
            if time.timed_out() { "in vain" } else { "the program ended" },
            state.screen.screen().contents()
        );
    }

    /// What the screen shows.
    pub(crate) fn contents(&self) -> String {
        self.shared.state().screen.screen().contents()
    }

    /// Something of the screen.
    pub(crate) fn screen<T>(&self, look: impl FnOnce(&vt100::Screen) -> T) -> T {
        look(self.shared.state().screen.screen())
    }

    /// Everything that the program wrote.
    pub(crate) fn output(&self) -> Vec<u8> {
        self.shared.state().output.clone()
    }

    /// How often questions were answered although the program had left the screen: a shell would take that for keys.
    pub(crate) fn late_answers(&self) -> usize {
        self.shared.state().late
    }

    /// Gives the screen another size, as dragging a window does.
    pub(crate) fn resize(&self, columns: u16, rows: u16) {
        self.shared.state().screen.screen_mut().set_size(side(rows), side(columns));
        let size = winsize(columns, rows);
        let master = self.master.as_ref().expect("not hung up");
        // SAFETY: TIOCSWINSZ reads a winsize.
        let done = unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) };
        assert_eq!(done, 0, "the pty takes a size");
    }

    /// Whether keys are echoed and come in lines, as a shell's terminal does.
    pub(crate) fn is_cooked(&self) -> bool {
        let master = self.master.as_ref().expect("not hung up");
        let mut settings = std::mem::MaybeUninit::<libc::termios>::uninit();
        // SAFETY: tcgetattr fills it when it returns 0; a pty's two ends have the same settings.
        let settings = unsafe {
            assert_eq!(libc::tcgetattr(master.as_raw_fd(), settings.as_mut_ptr()), 0);
            settings.assume_init()
        };
        let wanted = libc::ECHO | libc::ICANON | libc::ISIG;
        settings.c_lflag & wanted == wanted && settings.c_oflag & libc::OPOST != 0
    }

    /// Sends a signal to the program.
    pub(crate) fn signal(&self, signal: libc::c_int) {
        // SAFETY: a process of ours that has not been waited for, or there is nobody.
        unsafe { libc::kill(self.pid, signal) };
    }

    /// Reads nothing any more, as a frozen connection does, and waits until no more fits in between.
    pub(crate) fn stall(&self) {
        self.shared.state().stalled = true;
        let end = Instant::now() + SOON;
        let master = self.master.as_ref().expect("not hung up").as_raw_fd();
        let mut name = [0; 128];
        // SAFETY: ptsname_r ends the name within its length when it returns 0; the descriptor is nobody else's.
        let slave = unsafe {
            assert_eq!(libc::ptsname_r(master, name.as_mut_ptr(), name.len()), 0);
            let slave = libc::open(name.as_ptr(), libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC);
            assert!(slave >= 0, "the program's side of the pty");
            OwnedFd::from_raw_fd(slave)
        };
        let has_room = || {
            let mut asked = libc::pollfd { fd: slave.as_raw_fd(), events: libc::POLLOUT, revents: 0 };
            // SAFETY: one pollfd, as said.
            unsafe { libc::poll(&raw mut asked, 1, 0) != 0 }
        };
        while has_room() {
            assert!(Instant::now() < end, "the program does not fill the pty");
            thread::yield_now();
        }
    }

    /// Takes the terminal away, as closing its window does.
    pub(crate) fn hang_up(&mut self) {
        self.master = None;
        // The reading thread has a copy, which it closes now.
        self.wake = None;
    }

    /// The program's process id.
    pub(crate) fn pid(&self) -> i32 {
        self.pid
    }

    /// Waits for the end of the program.
    pub(crate) fn wait_exit(&mut self) -> ExitStatus {
        if self.exited.is_none() {
            self.exited = Some(
                self.exit
                    .recv_timeout(SOON)
                    .unwrap_or_else(|_| panic!("the program goes on; the screen:\n{}", self.contents())),
            );
        }
        // What it wrote last has been read when its side of the pty is closed.
        let (state, _) = self
            .shared
            .changed
            .wait_timeout_while(self.shared.state(), SOON, |state| !state.closed && !state.stalled)
            .unwrap_or_else(PoisonError::into_inner);
        drop(state);
        self.exited.expect("it ended")
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        if self.exited.is_none() && self.exit.try_recv().is_err() {
            self.signal(libc::SIGKILL);
        }
    }
}

/// The emulated screen is never empty.
fn side(cells: u16) -> NonZero<u16> {
    NonZero::new(cells.max(1)).expect("at least one")
}

fn winsize(columns: u16, rows: u16) -> libc::winsize {
    libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }
}

fn open(columns: u16, rows: u16) -> (File, OwnedFd) {
    let (mut master, mut slave) = (-1, -1);
    let size = winsize(columns, rows);
    // SAFETY: openpty writes two descriptors that are nobody else's.
    unsafe {
        let done = libc::openpty(
            &raw mut master,
            &raw mut slave,
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            (&raw const size).cast_mut(),
        );
        assert_eq!(done, 0, "a pty: {}", std::io::Error::last_os_error());
        for fd in [master, slave] {
            libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC);
        }
        (File::from_raw_fd(master), OwnedFd::from_raw_fd(slave))
    }
}

/// Reads until the program's side is closed, and answers questions in the order in which they come.
fn read(mut master: File, woken: &PipeReader, shared: &Shared, answers: &[Answer]) {
    let mut block = [0; 65536];
    let mut looked = 0;
    loop {
        let mut asked = [master.as_raw_fd(), woken.as_raw_fd()].map(|fd| libc::pollfd {
            fd,
            events: libc::POLLIN,
            revents: 0,
        });
        if shared.state().stalled {
            // poll leaves out what is negative.
            asked[0].fd = -1;
        }
        // SAFETY: two pollfds, as said.
        if unsafe { libc::poll(asked.as_mut_ptr(), 2, -1) } < 0 || asked[1].revents != 0 {
            return;
        }
        // EIO: nobody has the other side any more.
        let Ok(count @ 1..) = master.read(&mut block) else {
            return;
        };
        let mut state = shared.state();
        state.screen.process(&block[..count]);
        state.output.extend_from_slice(&block[..count]);
        let mut replies = Vec::new();
        while let Some((end, reply)) = answers
            .iter()
            .filter_map(|(question, reply)| {
                find(&state.output[looked..], question).map(|place| (looked + place + question.len(), *reply))
            })
            .min_by_key(|(end, _)| *end)
        {
            replies.extend_from_slice(reply);
            looked = end;
        }
        if !replies.is_empty() && !state.screen.screen().alternate_screen() {
            state.late += 1;
        }
        // A question may be cut by the block's end, but is never longer than this.
        looked = looked.max(state.output.len().saturating_sub(64));
        drop(state);
        shared.changed.notify_all();
        // The program may have ended.
        let _ = master.write_all(&replies);
    }
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

fn reap(mut child: Child) -> Receiver<ExitStatus> {
    let (sender, exit) = channel();
    thread::spawn(move || {
        if let Ok(status) = child.wait() {
            let _ = sender.send(status);
        }
    });
    exit
}
