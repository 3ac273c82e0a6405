//! The headless and plain front end of a session: events to stdout, lines from stdin to commands, signals.
//!
//! `login` and `call` differ in what starts a call and what ends the command; everything between is here.

use std::time::Duration;

use anyhow::Result;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

use super::exit::Exit;
use super::input::{self, Input};
use super::output::{Line, Output, human};
use super::signals::Signals;
use crate::media::spec::{AudioSpec, VideoSpec};
use crate::session::{Attendant, Command, Config, Event, Interruption, Session};

/// Outcomes waiting to be written. When full, the tasks that bring them wait.
const REPLIES: usize = 16;

/// How long a front end that failed waits for its session to say goodbye.
const GOODBYES: Duration = Duration::from_secs(1);

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
    lines: mpsc::Receiver<Result<String, String>>,
    /// Outcomes of commands from stdin, on their way to stdout.
    replies: mpsc::Receiver<Line>,
    answered: mpsc::Sender<Line>,
    signalled: bool,
}

impl Front {
    /// Starts the session and begins to listen.
    ///
    /// # Errors
    /// The signals can't be taken over.
    pub(super) fn start(config: Config, output: Output) -> Result<Self> {
        let signals = Signals::listen()?;
        if config.media.video == VideoSpec::None && config.media.audio == AudioSpec::None {
            output.say("You send neither picture nor sound (see --video and --audio); you see and hear the other side.")?;
        }
        let (answered, replies) = mpsc::channel(REPLIES);
        let session = Session::start(config);
        Ok(Self { session, output, signals, lines: input::lines(), replies, answered, signalled: false })
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
                        self.output.event(&event)?;
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
                Some(reply) = self.replies.recv() => self.reply(reply)?,
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
        match input.and_then(|input| Ok((input.name(), input.into_command()?))) {
            Ok((name, command)) => {
                let (commander, answered) = (self.session.commander().clone(), self.answered.clone());
                tokio::spawn(async move {
                    let error = commander.ask(command).await.err();
                    let reply = Line::Reply { command: name.to_owned(), ok: error.is_none(), error };
                    // Nobody listens any more once the command has ended.
                    let _ = answered.send(reply).await;
                });
                Ok(())
            }
            Err(error) => self.reply(Line::Reply { command: String::new(), ok: false, error: Some(error) }),
        }
    }

    fn reply(&self, reply: Line) -> Result<()> {
        if let Line::Reply { error: Some(error), .. } = &reply {
            self.output.say(&format!("Not done: {}.", human::clean(error)))?;
        }
        Ok(self.output.line(&reply)?)
    }
}

async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
