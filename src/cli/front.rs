//! The headless and plain front end of a session: events to stdout, lines from stdin to commands, signals.
//!
//! `login` and `call` differ in what starts a call and what ends the command; everything between is here.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::Result;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};

use super::exit::Exit;
use super::input::{self, Input, Lines, WORDS, Wish};
use super::output::{self, Line, Output, Style, User, human};
use super::signals::Signals;
use crate::media::spec::{AudioSpec, VideoSpec};
use crate::session::files::{self, File, FileState};
use crate::session::{Attendant, Command, Config, Event, Interruption, Page, Session};

/// Outcomes waiting to be written. When full, the tasks that bring them wait.
const REPLIES: usize = 16;

/// How long a front end that failed waits for its session to say goodbye.
const GOODBYES: Duration = Duration::from_secs(1);

/// What a task has found out.
enum Answer {
    /// How a command came out.
    Outcome {
        /// Its name.
        command: &'static str,
        /// What a person is told when it was carried out and no event says so.
        said: Option<&'static str>,
        /// Why it was not.
        error: Option<String>,
    },
    Users(Page),
}

/// What happened next.
#[derive(Debug)]
enum Next {
    /// The session told something; it has been written already.
    Event(Event),
    /// SIGINT or SIGTERM.
    Signal(Interruption),
    /// The instant passed to [`Front::next`] has come.
    Deadline,
    /// The session is over.
    Closed,
}

/// A session with its ears and mouth.
#[derive(Debug)]
pub(super) struct Front {
    session: Session,
    output: Output,
    signals: Signals,
    lines: Lines,
    /// Outcomes of commands from stdin, on their way to stdout.
    replies: mpsc::Receiver<Answer>,
    answered: mpsc::Sender<Answer>,
    /// Who is online is listed at first, and changes of those who were listed last are told.
    follows: bool,
    /// Progress of files as a line that is written over; otherwise as a sentence for each tenth.
    bar: bool,
    /// Tenths of files that a person was told.
    tenths: HashMap<u32, u64>,
    /// Whoever runs this calls for files alone.
    only_files: bool,
    /// The present call is about files alone.
    about_files: bool,
    /// The server was lost, and a person was told.
    down: bool,
    signalled: bool,
}

impl Front {
    /// Starts the session and begins to listen. `follows` tells a person who is online, and what changes about that.
    ///
    /// # Errors
    /// The signals can't be taken over.
    pub(super) fn start(config: Config, output: Output, follows: bool) -> Result<Self> {
        let signals = Signals::listen()?;
        if !config.files.only
            && config.media.video == VideoSpec::None
            && config.media.audio == AudioSpec::None
        {
            output.say("You send neither picture nor sound (see --video and --audio); you see and hear the other side.")?;
        }
        let (answered, replies) = mpsc::channel(REPLIES);
        let only_files = config.files.only;
        let session = Session::start(config);
        Ok(Self {
            session,
            output,
            signals,
            lines: input::lines(),
            replies,
            answered,
            follows,
            bar: false,
            tenths: HashMap::new(),
            only_files,
            about_files: only_files,
            down: false,
            signalled: false,
        })
    }

    /// With progress of files as one line that is written over, for a terminal that can.
    pub(super) fn with_bar(self, bar: bool) -> Self {
        Self { bar, ..self }
    }

    /// Runs the session to its end, with an attendant.
    ///
    /// # Errors
    /// Stdout is broken; the session has been left then.
    pub(super) async fn attend(mut self, attendant: &mut dyn Attendant) -> Result<()> {
        let outcome = self.follow(attendant).await;
        if outcome.is_err() {
            self.leave().await;
        }
        outcome
    }

    async fn follow(&mut self, attendant: &mut dyn Attendant) -> Result<()> {
        loop {
            let command = match self.next(attendant.deadline()).await? {
                Next::Event(event) => attendant.event(&event),
                Next::Signal(signal) => attendant.interrupted(signal),
                Next::Deadline => attendant.due(),
                Next::Closed => return Ok(()),
            };
            if let Some(command) = command {
                self.session.command(command).await;
            }
        }
    }

    /// Waits for what happens next, and writes it. Commands from stdin are carried out in here.
    ///
    /// # Errors
    /// Stdout is broken.
    async fn next(&mut self, deadline: Option<Instant>) -> Result<Next> {
        loop {
            tokio::select! {
                event = self.session.next() => return match event {
                    Some(event) => {
                        self.tell(&event)?;
                        Ok(Next::Event(event))
                    }
                    None => Ok(Next::Closed),
                },
                signal = self.signals.next() => {
                    if std::mem::replace(&mut self.signalled, true) {
                        // Asked twice: whoever asks does not want to wait for goodbyes.
                        std::process::exit(Exit::from(signal).code().into());
                    }
                    return Ok(Next::Signal(signal));
                }
                Some(line) = self.lines.recv() => self.line(line)?,
                Some(answer) = self.replies.recv() => self.answer(answer)?,
                () = at(deadline) => return Ok(Next::Deadline),
            }
        }
    }

    /// Ends the session after a failure of our own, with a moment for goodbyes: the other side should not have
    /// to wait for the silence.
    async fn leave(&mut self) {
        self.session.command(Command::Quit).await;
        let goodbyes = async { while self.session.next().await.is_some() {} };
        let _ = timeout(GOODBYES, goodbyes).await;
    }

    /// Carries a line out. The outcome comes through `replies`, because the session may have events to tell first.
    fn line(&self, line: Result<String, String>) -> Result<()> {
        let input = match line {
            Ok(line) if line.trim().is_empty() => return Ok(()),
            line => line.and_then(|line| Input::parse(&line)),
        };
        match input.and_then(|input| Ok((input.name(), input.into_wish()?))) {
            Ok((name, Wish::Command(command))) => {
                let (commander, answered) = (self.session.commander().clone(), self.answered.clone());
                let said = human::done(&command);
                tokio::spawn(async move {
                    let error = commander.ask(command).await.err();
                    // Nobody listens any more once the command has ended.
                    let _ = answered.send(Answer::Outcome { command: name, said, error }).await;
                });
                Ok(())
            }
            Ok((name, Wish::Users(query))) => {
                self.ask_who_is_online(Some(name), query);
                Ok(())
            }
            Ok((name, Wish::Help)) => {
                self.output.say(&format!("You can type: {WORDS}."))?;
                self.answer(Answer::Outcome { command: name, said: None, error: None })
            }
            Err(error) => self.answer(Answer::Outcome { command: "", said: None, error: Some(error) }),
        }
    }

    /// Asks the server; the answer comes through `replies`, together with the outcome of the command, if it was one.
    fn ask_who_is_online(&self, command: Option<&'static str>, query: Option<String>) {
        let follow = self.follows;
        let (commander, answered) = (self.session.commander().clone(), self.answered.clone());
        tokio::spawn(async move {
            let (reply, page) = oneshot::channel();
            let asked = commander.ask(Command::Users { query, after: None, reply }).await;
            let page = match asked {
                Ok(()) => page.await.unwrap_or_else(|_| Err("the server is not connected".into())),
                Err(why) => Err(why),
            };
            let error = match page {
                Ok(page) => {
                    let names = page.users.iter().map(|user| user.name.to_string()).collect();
                    if follow {
                        commander.give(Command::Watch { names }).await;
                    }
                    let _ = answered.send(Answer::Users(page)).await;
                    None
                }
                Err(error) => Some(error),
            };
            if let Some(command) = command {
                let _ = answered.send(Answer::Outcome { command, said: None, error }).await;
            }
        });
    }

    fn answer(&self, answer: Answer) -> Result<()> {
        match answer {
            Answer::Users(page) => {
                let users = page.users.iter().map(User::from).collect();
                Ok(self.output.users(users, page.next.is_some())?)
            }
            Answer::Outcome { command, said, error } => {
                match (&error, said) {
                    (Some(error), _) => self.output.say(&format!("Not done: {}.", human::clean(error)))?,
                    (None, Some(said)) => self.output.say(said)?,
                    (None, None) => {}
                }
                let (command, ok) = (command.to_owned(), error.is_none());
                Ok(self.output.line(&Line::Reply { command, ok, error })?)
            }
        }
    }

    /// Writes an event, unless a person was told already.
    fn tell(&mut self, event: &Event) -> Result<()> {
        let down = matches!(event, Event::SignalingDown { .. });
        let again = down && self.down;
        match event {
            Event::SignalingDown { .. } => self.down = true,
            Event::Registered { .. } => self.down = false,
            Event::Incoming { files, .. } => self.about_files = *files,
            Event::Calling { .. } => self.about_files = self.only_files,
            _ => {}
        }
        let human = self.output.style() == Style::Human;
        match event {
            Event::File { file, .. } if human && self.is_noise(file) => {
                if let (true, Some(line)) = (self.bar, human::bar(file)) {
                    output::write_bar(&line)?;
                }
            }
            _ if again && human => {}
            event => self.output.event(event, self.about_files)?,
        }
        if self.follows && matches!(event, Event::Registered { resumed: false, .. }) {
            self.ask_who_is_online(None, None);
        }
        Ok(())
    }
}

impl Front {
    /// Whether a person need not be told in a sentence: progress goes into the bar, or is told at each tenth.
    fn is_noise(&mut self, file: &File) -> bool {
        let FileState::Progress { done, .. } = file.state else {
            if file.state.is_over() {
                self.tenths.remove(&file.number);
            }
            return false;
        };
        let tenth = files::percent(done, file.size) / 10;
        self.bar || self.tenths.insert(file.number, tenth).unwrap_or(0) == tenth
    }
}

async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
