//! The loop of the screen: what happens to messages, actions to what carries them out, and an update whenever there is
//! something to show and the terminal has room for it.
//!
//! Owns the order in which these meet, and nothing else: what a person sees is the app's, how it gets there the stage's. Driven by
//! `cli`, once a command.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use ratatui::layout::Size;
use tokio::sync::{Notify, mpsc, oneshot};

use super::app::{self, Action, Keymap, Message, Model, Now, Sends, Start, Theme};
use super::notify;
use super::render::{Depth, Mode};
use super::stage::{Frames, Stage};
use super::terminal::pace::{LinkStats, PaceConfig};
use super::terminal::writer::{Closed, Writer};
use super::terminal::{self, Input, Options, Signal, Terminal};
use crate::call::CallId;
use crate::history::{self, History};
use crate::session::{
    Attendant, Command, Config, Event, Interruption, Limit, Monitor, Session, Slot, control,
};

/// Answers of the server on their way to the model. When full, the tasks that bring them wait.
const ANSWERS: usize = 16;

/// How often levels are read while there is a call.
const LEVELS: Duration = Duration::from_millis(100);

/// More pictures a second than this no terminal shows.
const MOST_PICTURES: u32 = 60;

/// How often the line to the terminal is looked at.
const DRAWING: Duration = Duration::from_secs(1);

/// A terminal that takes nothing is not waited for any longer than this at the end.
const FAREWELL: Duration = Duration::from_millis(500);

/// Keeps a device, in the words of the flags, for the next time; says why it could not.
pub type Keep = Box<dyn Fn(Slot, &str) -> Result<(), String> + Send>;

/// What the screen is started with.
pub struct Setup {
    /// The session that it shows. Its pictures and levels are watched from here.
    pub session: Config,
    /// Our name.
    pub me: String,
    /// The server, as a person knows it.
    pub server: String,
    /// The one call that this is about, if it is.
    pub dial: Option<String>,
    /// The code of a call is to be compared: it is asked for as soon as there is one.
    pub asks_code: bool,
    /// Keys that a person wants otherwise: the command's name and the key.
    pub keys: BTreeMap<String, String>,
    /// The file of earlier calls.
    pub history: PathBuf,
    /// Keeps a device that a person chose for the next time.
    pub keep: Keep,
    /// How pictures are to be drawn; the best way when nobody says.
    pub render: Option<Mode>,
}

/// Why there is no screen.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The terminal can't be used.
    #[error(transparent)]
    Terminal(#[from] terminal::Error),
    /// The terminal went away.
    #[error(transparent)]
    Closed(#[from] Closed),
    /// The keys of the settings file make no sense.
    #[error(transparent)]
    Keys(#[from] app::keymap::Error),
}

/// Runs a session under the screen to its end.
///
/// # Errors
/// [`Error`], before the session is started; once it runs, a terminal that goes away ends it as SIGHUP does.
pub async fn run(setup: Setup, attendant: &mut dyn Attendant) -> Result<(), Error> {
    let keys = Keymap::with(&setup.keys)?;
    let history = History::at(setup.history);
    // What was is no reason not to call.
    let (calls, unread) = match history.read() {
        Ok(calls) => (calls, None),
        Err(error) => (Vec::new(), Some(Message::Trouble(error.to_string()))),
    };
    let terminal = Terminal::open(Options::SCREEN).await?;
    let capabilities = terminal.capabilities().clone();
    let config = PaceConfig { fences: capabilities.answers, link: capabilities.link };
    let writer = Writer::start(terminal.out(), config)?;
    let reached = writer.clone();
    terminal.on_fence(move || reached.reached());
    let size = terminal.size();
    let stage =
        Stage::new(Size::new(size.columns, size.rows), writer.clone(), capabilities.clone(), setup.render);

    let wake = Arc::new(Notify::new());
    let woken = Arc::clone(&wake);
    let monitor = Arc::new(Monitor::new(move || woken.notify_one()));
    let mut session = setup.session;
    let sends = Sends { audio: session.media.sends_audio(), video: session.media.sends_video() };
    let shows = session.media.shows();
    session.media.monitor = Some(Arc::clone(&monitor));

    let theme = if capabilities.depth == Depth::Monochrome { Theme::monochrome() } else { Theme::default() };
    let start = Start {
        me: setup.me,
        server: setup.server,
        dial: setup.dial,
        keys,
        history: calls,
        theme,
        sends,
        push_to_talk: session.media.push_to_talk,
        alert: session.media.alert.on,
        asks_code: setup.asks_code,
        releases: capabilities.keyboard,
    };
    let began = Instant::now();
    let (mut model, _) = Model::new(start, now(began));
    for message in [Some(Message::Resize(size.columns, size.rows)), unread].into_iter().flatten() {
        model.update(message, now(began));
    }
    let (answered, answers) = mpsc::channel(ANSWERS);
    let screen = Screen {
        terminal,
        writer: writer.clone(),
        stage,
        session: Session::start(session),
        model,
        history,
        keep: setup.keep,
        window: None,
        monitor,
        shows,
        wake,
        answered,
        answers,
        began,
        measured: (writer.stats(), began),
        stale: true,
        fresh: false,
        in_call: None,
        interrupted: false,
        leaving: false,
        closing: false,
    };
    screen.follow(attendant).await;
    Ok(())
}

struct Screen {
    terminal: Terminal,
    writer: Writer,
    stage: Stage,
    session: Session,
    model: Model,
    history: History,
    keep: Keep,
    /// What the other side was last told that can be drawn of its picture.
    window: Option<Limit>,
    monitor: Arc<Monitor>,
    /// False when a person wants no pictures (`--show null`).
    shows: bool,
    /// A new picture is there.
    wake: Arc<Notify>,
    answered: mpsc::Sender<Message>,
    answers: mpsc::Receiver<Message>,
    began: Instant,
    /// What the writer had counted when it was last asked, and when that was.
    measured: (LinkStats, Instant),
    /// The screen shows something that is not so any more.
    stale: bool,
    /// There is a picture that was not shown yet.
    fresh: bool,
    /// Levels are worth reading.
    in_call: Option<CallId>,
    /// The process was asked to end once already.
    interrupted: bool,
    /// The person wants to leave.
    leaving: bool,
    /// The person does not want to wait for goodbyes.
    closing: bool,
}

enum Happened {
    Session(Option<Event>),
    Input(Input),
    Answer(Message),
    Picture,
    /// An update may be composed; true with new pictures.
    Room(Result<bool, Closed>),
    Levels,
    Drawing,
    Beat,
    Deadline,
    Due,
}

impl Screen {
    async fn follow(mut self, attendant: &mut dyn Attendant) {
        let mut levels = tokio::time::interval(LEVELS);
        let mut drawing = tokio::time::interval(DRAWING);
        for timer in [&mut levels, &mut drawing] {
            timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        }
        let mut gone = false;
        loop {
            let beat = self.model.beat().map(|beat| next_beat(self.began, beat));
            let deadline = self.model.deadline().map(|after| (self.began + after).into());
            let happened = tokio::select! {
                event = self.session.next() => Happened::Session(event),
                input = self.terminal.next() => Happened::Input(input),
                Some(answer) = self.answers.recv() => Happened::Answer(answer),
                () = self.wake.notified() => Happened::Picture,
                room = room(&self.writer, self.stale, self.fresh), if !gone => Happened::Room(room),
                _ = levels.tick(), if self.in_call.is_some() => Happened::Levels,
                _ = drawing.tick(), if self.in_call.is_some() => Happened::Drawing,
                () = at(beat) => Happened::Beat,
                () = at(deadline) => Happened::Deadline,
                () = at(attendant.deadline()) => Happened::Due,
            };
            let left = self.leaving;
            match happened {
                Happened::Session(None) => break,
                Happened::Session(Some(event)) => {
                    self.note(&event);
                    let command = attendant.event(&event);
                    self.tell(Message::Session(event)).await;
                    self.give(command).await;
                }
                Happened::Input(input) => {
                    // A window that is closed says so in several ways at once, and wants a goodbye all the same.
                    let asked = matches!(input, Input::Terminate(Signal::Interrupt | Signal::Terminate));
                    if let Some(by) = self.input(input).await {
                        if self.interrupted && asked {
                            // Asked twice: whoever asks does not want to wait for goodbyes.
                            break;
                        }
                        self.interrupt(by, attendant).await;
                    }
                }
                Happened::Answer(message) => self.tell(message).await,
                Happened::Picture => self.fresh = true,
                Happened::Room(Ok(pictures)) => {
                    self.compose(pictures);
                    self.tell_window().await;
                }
                Happened::Room(Err(_)) => {
                    gone = true;
                    self.interrupt(Interruption::Terminate, attendant).await;
                }
                Happened::Levels => {
                    let levels = Message::Levels {
                        own: self.monitor.own.take_level(),
                        remote: self.monitor.remote.take_level(),
                    };
                    self.tell(levels).await;
                }
                Happened::Drawing => {
                    let drawing = self.drawing();
                    self.tell(drawing).await;
                }
                Happened::Beat => self.stale = true,
                Happened::Deadline => self.tell(Message::Tick).await,
                Happened::Due => {
                    let command = attendant.due();
                    self.give(command).await;
                }
            }
            if self.leaving && !left {
                self.interrupt(Interruption::Interrupt, attendant).await;
            }
            if self.closing {
                break;
            }
        }
        self.stage.leave();
        // Answers that come later would be typed into the shell.
        self.writer.settled(FAREWELL).await;
        self.writer.flush_and_close(FAREWELL);
    }

    async fn interrupt(&mut self, by: Interruption, attendant: &mut dyn Attendant) {
        if !std::mem::replace(&mut self.interrupted, true) {
            let command = attendant.interrupted(by);
            self.give(command).await;
        }
    }

    /// What was drawn since this was last asked for.
    fn drawing(&mut self) -> Message {
        let (link, at) = (self.writer.stats(), Instant::now());
        let (before, then) = std::mem::replace(&mut self.measured, (link, at));
        let seconds = (at - then).as_secs_f64().max(0.001);
        let fps = (link.pictures - before.pictures) as f64 / seconds;
        let kbps = (link.bytes - before.bytes) as f64 * 8e-3 / seconds;
        Message::Drawing { mode: self.stage.mode().name().to_owned(), fps: fps as f32, kbps: kbps as u32 }
    }

    /// What the loop itself has to know of the session.
    fn note(&mut self, event: &Event) {
        match event {
            Event::Connected { call, .. } => self.in_call = Some(*call),
            Event::Ended { report, .. } if self.in_call == Some(report.id) => {
                self.in_call = None;
                self.window = None;
            }
            _ => {}
        }
    }

    /// Passes on what happened at the terminal; why the process should end, if it should.
    async fn input(&mut self, input: Input) -> Option<Interruption> {
        match input {
            Input::Key(key) => self.tell(Message::Key(key)).await,
            Input::Mouse(mouse) => self.tell(Message::Mouse(mouse)).await,
            Input::Paste(text) => self.tell(Message::Paste(text)).await,
            Input::Focus(focus) => self.tell(Message::Focus(focus)).await,
            Input::Resize(columns, rows) => {
                self.stage.resize(Size::new(columns, rows));
                self.tell(Message::Resize(columns, rows)).await;
            }
            Input::Resumed => {
                self.writer.resync();
                self.stage.forget();
                self.stale = true;
            }
            Input::Stop => self.act(Action::Suspend).await,
            Input::Terminate(Signal::Interrupt) => return Some(Interruption::Interrupt),
            Input::Terminate(Signal::Terminate | Signal::Hangup) | Input::Closed => {
                return Some(Interruption::Terminate);
            }
        }
        None
    }

    /// Tells the model, and carries out what it wants done.
    async fn tell(&mut self, message: Message) {
        self.stale = true;
        for action in self.model.update(message, now(self.began)) {
            self.act(action).await;
        }
    }

    async fn act(&mut self, action: Action) {
        match action {
            Action::Command(command) => self.session.command(command).await,
            Action::Users { query, after } => self.ask_who_is_online(query, after),
            Action::Watch(names) => self.session.command(Command::Watch { names }).await,
            Action::Bell => self.writer.urgent(b"\x07".to_vec()),
            Action::Notify { title, body } => {
                let sequence = notify::sequence(self.terminal.capabilities(), &title, &body);
                self.writer.urgent(sequence);
            }
            Action::Remember(entry) => self.kept(self.history.add(&entry)).await,
            Action::Keep { slot, source } => {
                if let Err(why) = (self.keep)(slot, &source) {
                    // Nobody listens any more when the screen is closing.
                    let _ = self.answered.try_send(Message::Trouble(why));
                }
            }
            Action::SendFile(path) => {
                self.session.command(Command::SendFile { path: at_home(&path) }).await;
            }
            Action::Seen => self.kept(self.history.mark_seen()).await,
            Action::NextMode => {
                self.stage.next_mode();
                let notice = format!("pictures are drawn in {} now", self.stage.mode());
                // A line that gets lost among answers is no loss.
                let _ = self.answered.try_send(Message::Notice(notice));
            }
            Action::Suspend => {
                self.writer.settled(FAREWELL).await;
                self.terminal.suspend();
            }
            Action::Redraw => self.stage.forget(),
            Action::Leave => self.leaving = true,
            Action::Quit => self.closing = true,
        }
    }

    /// The call history is worth a line when it can't be written, not a call.
    async fn kept(&mut self, outcome: Result<(), history::Error>) {
        if let Err(error) = outcome {
            // Nobody listens any more when the screen is closing.
            let _ = self.answered.try_send(Message::Trouble(error.to_string()));
        }
    }

    fn ask_who_is_online(&self, query: Option<String>, after: Option<String>) {
        let (commander, answered) = (self.session.commander().clone(), self.answered.clone());
        tokio::spawn(async move {
            let (reply, page) = oneshot::channel();
            let asked = commander.ask(Command::Users { query: query.clone(), after, reply }).await;
            let page = match asked {
                Ok(()) => page.await.unwrap_or_else(|_| Err("the server is not connected".into())),
                Err(why) => Err(why),
            };
            let _ = answered.send(Message::Page { query: query.unwrap_or_default(), page }).await;
        });
    }

    async fn give(&mut self, command: Option<Command>) {
        if let Some(command) = command {
            self.session.command(command).await;
        }
    }

    /// Lets the other side know what can be seen of its picture, when that is something else than before.
    async fn tell_window(&mut self) {
        let seen = self.stage.pixels().filter(|_| self.shows && self.in_call.is_some());
        let limit = seen.and_then(|(width, height)| control::window(width, height, MOST_PICTURES));
        if limit.is_some() && limit != self.window {
            self.window = limit;
            self.give(limit.map(Command::Window)).await;
        }
    }

    fn compose(&mut self, pictures: bool) {
        let frames: Frames = match self.shows {
            true => [self.monitor.remote.latest(), self.monitor.own.latest()],
            false => [None, None],
        };
        let (model, time) = (&self.model, now(self.began));
        let owed = self.stage.compose(&frames, pictures, |canvas| {
            let panes = app::view(model, time, canvas);
            [panes.remote, panes.own]
        });
        self.stale = false;
        self.fresh = (self.fresh && !pictures) || owed;
    }
}

/// Resolves when there is something to show and room for it: true when new pictures may be part of it.
async fn room(writer: &Writer, stale: bool, fresh: bool) -> Result<bool, Closed> {
    tokio::select! {
        room = writer.until_ready(true), if fresh => room.map(|()| true),
        room = writer.until_ready(false), if stale => room.map(|()| fresh && writer.ready(true)),
        else => std::future::pending().await,
    }
}

/// The next multiple of `beat` since `began`.
fn next_beat(began: Instant, beat: Duration) -> tokio::time::Instant {
    let beats = began.elapsed().as_nanos() / beat.as_nanos().max(1);
    let after = beat.saturating_mul(u32::try_from(beats + 1).unwrap_or(u32::MAX));
    (began + after).into()
}

async fn at(time: Option<tokio::time::Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}

fn now(began: Instant) -> Now {
    Now { since_start: began.elapsed(), wall: SystemTime::now() }
}
/// A path as a shell would read it: `~` is the home folder.
fn at_home(path: &str) -> PathBuf {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    match (path.strip_prefix('~'), home) {
        (Some(""), Some(home)) => home,
        (Some(rest), Some(home)) if rest.starts_with('/') => home.join(&rest[1..]),
        _ => PathBuf::from(path),
    }
}
