//! `--chat` and `--chat-log`: written messages by flag, and kept on disk for whoever asks for it.
//!
//! Stands between a front end and the attendant of the command, and adds to what that one does.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::time::SystemTime;

use anyhow::Result;
use tokio::time::Instant;

use super::args::Messages;
use super::failure::Device;
use super::output::{Output, human};
use crate::session::{Attendant, Command, Event, Interruption};
use crate::text::Shown;

/// The attendant that writes.
pub(super) struct Correspondent<'a> {
    inner: &'a mut dyn Attendant,
    /// What is said in each call.
    opening: &'a [String],
    /// Of these, what the present call has not been told yet.
    waiting: VecDeque<String>,
    me: Shown,
    peer: Shown,
    log: Option<Log>,
    /// Why the log ended early.
    failure: Option<io::Error>,
}

impl<'a> Correspondent<'a> {
    /// Opens the log, if one is wanted.
    ///
    /// # Errors
    /// It can't be opened.
    pub(super) fn new(args: &'a Messages, me: &str, inner: &'a mut dyn Attendant) -> Result<Self> {
        let log = args.chat_log.as_deref().map(Log::open).transpose()?;
        let (me, peer) = (human::clean(me), human::clean(""));
        Ok(Self { inner, opening: &args.chat, waiting: VecDeque::new(), me, peer, log, failure: None })
    }

    /// Says, once there is a terminal to say it on, what was not kept.
    ///
    /// # Errors
    /// Stdout is broken.
    pub(super) fn conclude(self, output: &Output) -> io::Result<()> {
        match self.failure {
            Some(error) => output.say(&format!("The messages were not kept to their end: {error}.")),
            None => Ok(()),
        }
    }

    fn keep(&mut self, event: &Event) -> io::Result<()> {
        let Some(log) = &mut self.log else { return Ok(()) };
        match event {
            Event::Chat { remote, text, .. } => log.write(if *remote { &self.peer } else { &self.me }, text),
            _ => Ok(()),
        }
    }
}

impl Attendant for Correspondent<'_> {
    fn event(&mut self, event: &Event) -> Option<Command> {
        match event {
            Event::Calling { to: name, .. } | Event::Incoming { from: name, .. } => {
                self.peer = human::clean(name);
            }
            Event::Connected { .. } => self.waiting = self.opening.iter().cloned().collect(),
            Event::Ended { .. } => self.waiting.clear(),
            _ => {}
        }
        if let Err(error) = self.keep(event) {
            // The conversation goes on: what is wrong with the disk is no matter of the other side.
            tracing::error!("a message was not kept, and none will be: {error}");
            (self.log, self.failure) = (None, Some(error));
        }
        self.inner.event(event)
    }

    fn deadline(&self) -> Option<Instant> {
        if self.waiting.is_empty() { self.inner.deadline() } else { Some(Instant::now()) }
    }

    fn due(&mut self) -> Option<Command> {
        match self.waiting.pop_front() {
            Some(text) => Some(Command::Chat { text }),
            None => self.inner.due(),
        }
    }

    fn interrupted(&mut self, by: Interruption) -> Option<Command> {
        self.inner.interrupted(by)
    }
}

/// The file of what was written, one paragraph a message: the time in UTC, who, and the text, further lines set in.
struct Log {
    file: File,
}

impl Log {
    fn open(path: &Path) -> Result<Self> {
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        // What people write to each other is nobody else's to read.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file =
            options.open(path).map_err(|error| Device::new(format!("cannot open {path:?}: {error}")))?;
        Ok(Self { file })
    }

    fn write(&mut self, who: &Shown, text: &str) -> io::Result<()> {
        let at = humantime::format_rfc3339_seconds(SystemTime::now());
        // One write, so that two letsmeets do not write into each other's lines.
        self.file.write_all(format!("{at} {who}: {}\n", human::clean_lines(text)).as_bytes())
    }
}
