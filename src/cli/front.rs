//! The headless and plain front end of a session: events to stdout, lines from stdin to commands, signals.
//!
//! `login` and `call` differ in what starts a call and what ends the command; everything between is here.

use anyhow::Result;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::exit::Exit;
use super::input::{self, Input};
use super::output::{Line, Output};
use super::signals::Signals;
use crate::session::{Command, Config, Event, Session};

/// What happened next.
#[derive(Debug)]
pub(super) enum Next {
    /// The session told something; it has been written already.
    Event(Event),
    /// SIGINT or SIGTERM.
    Signal(Exit),
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
    signalled: bool,
}

impl Front {
    /// Starts the session and begins to listen.
    ///
    /// # Errors
    /// The signals can't be taken over.
    pub(super) fn start(config: Config, output: Output) -> Result<Self> {
        let signals = Signals::listen()?;
        Ok(Self { session: Session::start(config), output, signals, lines: input::lines(), signalled: false })
    }

    /// Where things are written.
    #[must_use]
    pub(super) fn output(&self) -> &Output {
        &self.output
    }

    /// Gives a command.
    pub(super) async fn command(&self, command: Command) {
        self.session.command(command).await;
    }

    /// Waits for what happens next, and writes it. Commands from stdin are carried out in here.
    ///
    /// # Errors
    /// Stdout is broken.
    pub(super) async fn next(&mut self, deadline: Option<Instant>) -> Result<Next> {
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
                        std::process::exit(signal.code().into());
                    }
                    return Ok(Next::Signal(signal));
                }
                Some(line) = self.lines.recv() => self.line(line).await?,
                () = at(deadline) => return Ok(Next::Deadline),
            }
        }
    }

    async fn line(&self, line: Result<String, String>) -> Result<()> {
        let line = match line {
            Ok(line) if line.trim().is_empty() => return Ok(()),
            other => other,
        };
        let reply = match line.and_then(|line| Input::parse(&line)) {
            Ok(input) => {
                let command = input.name().to_owned();
                self.command(input.into_command()).await;
                Line::Reply { command, ok: true, error: None }
            }
            Err(error) => {
                self.output.say(&format!("Not understood: {error}."))?;
                Line::Reply { command: String::new(), ok: false, error: Some(error) }
            }
        };
        Ok(self.output.line(&reply)?)
    }
}

async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
