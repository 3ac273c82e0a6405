//! The terminal while letsmeet has it: taken once, given back however the end comes.
//!
//! Owns the order of things: settings, detection, modes, signals, suspension. Must not know what is drawn. One at a time in
//! a process.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crossterm::event::{KeyEvent, MouseEvent};
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

use super::capabilities::Capabilities;
use super::detect::{self, Finding, Probe};
use super::environment::Environment;
use super::error::Error;
use super::input::Event;
use super::multiplexer::Multiplexer;
use super::reader::Reader;
use super::restore::{self, Record};
use super::shared_memory::Pixel;
use super::tty::{self, Out, Tty};

/// A terminal that does not take what it is asked within this time has nothing to say.
const PATIENCE: Duration = Duration::from_millis(500);

/// A SIGCONT this soon after a suspension ended is the one that ended it.
const SAME: Duration = Duration::from_secs(1);

/// Flags of kitty's keyboard protocol: escape codes that can be told apart, kinds of events, other layouts' keys.
const KEYBOARD: u8 = 1 | 2 | 4;

/// The title kept, the alternate screen, no cursor.
const SCREEN: &[u8] = b"\x1b[22;0t\x1b[?1049h\x1b[?25l";

/// What is switched on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// The alternate screen, without cursor: what was on the screen comes back at the end.
    pub screen: bool,
    /// Clicks and the wheel, reports of the focus, pastes in brackets, and releases of keys where there are any.
    pub events: bool,
}

impl Options {
    /// All of it, as a screen full of things needs it.
    pub const SCREEN: Self = Self { screen: true, events: true };
    /// Only keys: output goes on below what is there.
    pub const LINES: Self = Self { screen: false, events: false };
}

/// The size of the screen in cells, at least 1x1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Columns.
    pub columns: u16,
    /// Rows.
    pub rows: u16,
}

/// A signal that asks for the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT, from outside: Ctrl-C is a key.
    Interrupt,
    /// SIGTERM.
    Terminate,
    /// SIGHUP.
    Hangup,
}

/// What happened at the terminal.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// A key.
    Key(KeyEvent),
    /// The mouse.
    Mouse(MouseEvent),
    /// Text was pasted; it is not sanitised.
    Paste(String),
    /// The window got or lost the focus.
    Focus(bool),
    /// The screen has this size now: columns, rows.
    Resize(u16, u16),
    /// The screen has to be drawn from nothing: it was somebody else's. May come twice.
    Resumed,
    /// SIGTSTP from outside: what is still to be answered is waited for, then [`Terminal::suspend`] follows it.
    Stop,
    /// The process shall end.
    Terminate(Signal),
    /// The terminal is gone, or was given back because something panicked. Comes once; then only signals come.
    Closed,
}

/// The terminal, raw and ours. Dropping it gives it back.
pub struct Terminal {
    // First: the thread must have ended when the settings go back.
    reader: Reader,
    tty: Tty,
    out: Out,
    options: Options,
    capabilities: Capabilities,
    findings: Vec<Finding>,
    signals: Signals,
    /// What came while nobody asked.
    queue: VecDeque<Input>,
    size: Size,
    closed: bool,
    /// When the last suspension ended.
    resumed: Option<Instant>,
}

struct Signals {
    interrupt: Stream,
    terminate: Stream,
    hangup: Stream,
    stop: Stream,
    resume: Stream,
    window: Stream,
}

impl Signals {
    fn listen() -> Result<Self, Error> {
        let listen = |kind| signal(kind).map_err(|source| Error::Io { what: "watch the signals of", source });
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: listen(SignalKind::hangup())?,
            stop: listen(SignalKind::from_raw(libc::SIGTSTP))?,
            resume: listen(SignalKind::from_raw(libc::SIGCONT))?,
            window: listen(SignalKind::window_change())?,
        })
    }
}

enum Happened {
    Event(Option<Event>),
    Signal(Signal),
    Stop,
    Resume,
    Window,
}

impl Terminal {
    /// Takes the terminal on standard input and output and finds out what it can do. Needs a tokio runtime with
    /// I/O and time.
    ///
    /// # Errors
    /// There is no terminal, or the system does not let it be used. It is as it was then.
    pub async fn open(options: Options) -> Result<Self, Error> {
        Self::open_in(options, Environment::of_process()).await
    }

    /// As [`Terminal::open`], in an environment of the caller's choice.
    ///
    /// # Errors
    /// As [`Terminal::open`].
    pub async fn open_in(options: Options, environment: Environment) -> Result<Self, Error> {
        let tty = Tty::open()?;
        let signals = Signals::listen()?;
        let settings = tty.settings()?;
        let asked = environment.clone();
        let multiplexer = tokio::task::spawn_blocking(move || Multiplexer::ask(&asked)).await.unwrap_or(None);
        let out = Out::new(tty.output.clone());
        take(&tty, &out, settings, farewell(options, false));
        // From here on an error gives the terminal back, whatever it is.
        let given_back = GiveBack;
        tty.make_raw(&settings)?;
        if options.screen {
            // Before the questions: should the terminal print them, then where nothing is lost.
            tell(&tty, SCREEN);
        }
        let mut reader = Reader::start(tty.input.clone(), settings.c_cc[libc::VERASE])?;
        let mut queue = VecDeque::new();
        let (capabilities, findings) =
            ask(&tty, &mut reader, &environment, multiplexer.as_ref(), &mut queue).await;
        restore::set_farewell(farewell(options, capabilities.keyboard));
        tell(&tty, &greeting(options, capabilities.keyboard));
        out.set_open(true);
        std::mem::forget(given_back);
        let size = size(&tty);
        Ok(Self {
            reader,
            tty,
            out,
            options,
            capabilities,
            findings,
            signals,
            queue,
            size,
            closed: false,
            resumed: None,
        })
    }

    /// What the terminal can do.
    #[must_use]
    pub fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// The same for people, with how it was found.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The size now.
    #[must_use]
    pub fn size(&self) -> Size {
        size(&self.tty)
    }

    /// Where drawing goes.
    #[must_use]
    pub fn out(&self) -> Out {
        self.out.clone()
    }

    /// What to call, on the reading thread, when the answer to a `CSI 5 n` comes back. It must not take long.
    pub fn on_fence(&self, call: impl Fn() + Send + Sync + 'static) {
        self.reader.on_fence(Box::new(call));
    }

    /// The next thing that happens. Cancel safe.
    pub async fn next(&mut self) -> Input {
        loop {
            if let Some(input) = self.queue.pop_front() {
                return input;
            }
            match self.happens().await {
                Happened::Event(Some(event)) => self.queue.extend(as_input(event)),
                // A panic elsewhere gave the terminal back: as good as gone.
                Happened::Event(None) => {
                    self.closed = true;
                    return Input::Closed;
                }
                Happened::Signal(signal) => return Input::Terminate(signal),
                Happened::Stop => return Input::Stop,
                // The one that ended our own suspension.
                Happened::Resume if self.resumed.is_some_and(|at| at.elapsed() < SAME) => {}
                Happened::Resume => {
                    // Whoever had the terminal in the meantime has changed it, and stopped nobody properly.
                    self.enter(true);
                    return Input::Resumed;
                }
                Happened::Window => {
                    // Several signals are one, and one without a change is none.
                    let size = size(&self.tty);
                    if size != self.size {
                        self.size = size;
                        return Input::Resize(size.columns, size.rows);
                    }
                }
            }
        }
    }

    async fn happens(&mut self) -> Happened {
        let closed = self.closed;
        if !closed && !restore::is_armed() {
            return Happened::Event(None);
        }
        let signals = &mut self.signals;
        tokio::select! {
            biased;
            Some(()) = signals.terminate.recv() => Happened::Signal(Signal::Terminate),
            Some(()) = signals.hangup.recv() => Happened::Signal(Signal::Hangup),
            Some(()) = signals.interrupt.recv() => Happened::Signal(Signal::Interrupt),
            Some(()) = signals.stop.recv() => Happened::Stop,
            Some(()) = signals.resume.recv() => Happened::Resume,
            Some(()) = signals.window.recv() => Happened::Window,
            () = restore::panicked(), if !closed => Happened::Event(None),
            event = self.reader.next(), if !closed => Happened::Event(event),
        }
    }

    /// Gives the terminal back, stops the process (and those it shares the foreground with, as Ctrl-Z does), and takes
    /// the terminal again when it goes on. [`Input::Resumed`] follows. Blocks as long as the process is stopped. An answer
    /// that comes while it is goes to the shell, so nothing should be left to be answered.
    pub fn suspend(&mut self) {
        self.reader.pause();
        restore::restore();
        stop();
        // The shell may have changed the settings in the meantime, for instance by stty.
        if let Ok(settings) = self.tty.settings() {
            take(&self.tty, &self.out, settings, farewell(self.options, self.capabilities.keyboard));
        }
        self.enter(false);
        self.resumed = Some(Instant::now());
        self.reader.resume();
        self.queue.push_back(Input::Resumed);
        let size = size(&self.tty);
        if size != self.size {
            self.size = size;
            self.queue.push_back(Input::Resize(size.columns, size.rows));
        }
    }

    /// Switches everything on; `again` when all or some of it is on.
    fn enter(&mut self, again: bool) {
        if !restore::is_armed() {
            return;
        }
        let Ok(settings) = self.tty.settings() else {
            return;
        };
        // The terminal may be gone by now; reading will say so.
        let _ = self.tty.make_raw(&settings);
        if again {
            // What counts its switchings on has to be switched off once before: the title, the keyboard.
            tell(&self.tty, &farewell(self.options, self.capabilities.keyboard));
        }
        if self.options.screen {
            tell(&self.tty, SCREEN);
        }
        tell(&self.tty, &greeting(self.options, self.capabilities.keyboard));
        self.out.set_open(true);
    }

    /// Gives the terminal back now.
    pub fn close(self) {
        drop(self);
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // What is still typed is not for the shell: reading goes on until the settings are back.
        self.reader.pause();
        restore::restore();
    }
}

/// Gives the terminal back when opening fails half-way.
struct GiveBack;

impl Drop for GiveBack {
    fn drop(&mut self) {
        restore::restore();
    }
}

fn take(tty: &Tty, out: &Out, settings: libc::termios, farewell: Vec<u8>) {
    let (input, output) = (tty.input.clone(), tty.output.clone());
    restore::arm(Record { input, output, settings, farewell, out: out.clone() });
}

/// Asks the terminal what it can do. Keys that come in between are kept.
async fn ask(
    tty: &Tty,
    reader: &mut Reader,
    environment: &Environment,
    multiplexer: Option<&Multiplexer>,
    queue: &mut VecDeque<Input>,
) -> (Capabilities, Vec<Finding>) {
    // Removed when the answers are in.
    let pixel = if environment.ssh || multiplexer.is_some() { None } else { Pixel::new() };
    let questions = detect::questions(environment, multiplexer, pixel.as_ref().and_then(Pixel::name));
    let mut probe = Probe::default();
    if !questions.is_empty() {
        let within = if environment.ssh { detect::REMOTE } else { detect::LOCAL };
        let asked = Instant::now();
        tell(tty, &questions);
        let deadline = tokio::time::Instant::now() + within;
        while !probe.is_complete(multiplexer) {
            match tokio::time::timeout_at(deadline, reader.next()).await {
                Ok(Some(Event::Reply(reply))) => probe.take(&reply, asked.elapsed()),
                Ok(Some(event)) => queue.extend(as_input(event)),
                Ok(None) | Err(_) => break,
            }
        }
    }
    probe.finish(environment, multiplexer, tty.window())
}

fn as_input(event: Event) -> Option<Input> {
    Some(match event {
        Event::Key(key) => Input::Key(key),
        Event::Mouse(mouse) => Input::Mouse(mouse),
        Event::Paste(text) => Input::Paste(text),
        Event::Focus(focus) => Input::Focus(focus),
        // Late, or asked for by nobody.
        Event::Reply(_) => return None,
    })
}

/// A terminal that does not take it is noticed when it answers nothing.
fn tell(tty: &Tty, bytes: &[u8]) {
    use std::os::fd::AsRawFd as _;
    let _ = tty::write_within(tty.output.as_raw_fd(), bytes, PATIENCE);
}

/// What switches on, after detection.
fn greeting(options: Options, keyboard: bool) -> Vec<u8> {
    let mut out = Vec::new();
    if options.events {
        // Buttons and the wheel in the SGR way, focus, pastes.
        out.extend_from_slice(b"\x1b[?1000h\x1b[?1006h\x1b[?1004h\x1b[?2004h");
        if keyboard {
            out.extend_from_slice(format!("\x1b[>{KEYBOARD}u").as_bytes());
        }
    }
    out
}

/// What undoes all of it, also in the middle of a sequence that was being written.
fn farewell(options: Options, keyboard: bool) -> Vec<u8> {
    // Ends a string; ends a synchronized update; plain text.
    let mut out = b"\x1b\\\x1b[?2026l\x1b[0m".to_vec();
    if options.events {
        if keyboard {
            out.extend_from_slice(b"\x1b[<u");
        }
        out.extend_from_slice(b"\x1b[?1006l\x1b[?1000l\x1b[?1004l\x1b[?2004l");
    }
    if options.screen {
        // Wrapping, the other screen, the cursor, the title.
        out.extend_from_slice(b"\x1b[?7h\x1b[?1049l\x1b[?25h\x1b[23;0t");
    }
    out
}

fn size(tty: &Tty) -> Size {
    let window = tty.window();
    match (window.columns, window.rows) {
        // A serial line, or a pty that nobody gave a size.
        (0, _) | (_, 0) => Size { columns: 80, rows: 24 },
        (columns, rows) => Size { columns, rows },
    }
}

/// Stops the process until SIGCONT. In a process group that nobody could continue nothing happens.
fn stop() {
    // SAFETY: plain signal calls; the action that was there, tokio's, is put back as it was.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        let mut before: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = libc::SIG_IGN;
        if libc::sigaction(libc::SIGTSTP, &raw const action, &raw mut before) != 0 {
            return;
        }
        // The others, as the terminal would for Ctrl-Z: a script that started us stops too, and the shell shows its
        // prompt.
        libc::kill(0, libc::SIGTSTP);
        action.sa_sigaction = libc::SIG_DFL;
        libc::sigaction(libc::SIGTSTP, &raw const action, std::ptr::null_mut());
        // Then this thread by name: it does not go on before the process stands.
        libc::raise(libc::SIGTSTP);
        libc::sigaction(libc::SIGTSTP, &raw const before, std::ptr::null_mut());
    }
}
