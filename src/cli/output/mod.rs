//! What a command writes to stdout, in one of three ways: lines for a person, JSON lines, one JSON document.
//!
//! Knows the session's events and nothing of how they came about. Diagnostics never come here; they go to
//! stderr through `tracing`.

pub mod checks;
pub mod figures;
pub(super) mod human;
pub mod junit;
mod lines;
pub mod mask;
pub mod nagios;
pub mod prometheus;
pub mod report;
pub mod results;
pub mod series;

use std::io::{self, IsTerminal as _, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

pub use lines::{File, Line, User};

use crate::session::Event;
use crate::text;
use report::Report;
use series::{Outcome, Series};

/// How stdout is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Sentences.
    Human,
    /// One JSON object a line, one line an event.
    Lines,
    /// One JSON document at the end, nothing before.
    Document,
    /// Nothing: what there is to say goes elsewhere.
    Silent,
}

impl Style {
    /// `--json` promises one document and nothing else, so it wins over `--headless`.
    #[must_use]
    pub fn choose(json: bool, headless: bool) -> Self {
        match (json, headless) {
            (true, _) => Self::Document,
            (false, true) => Self::Lines,
            (false, false) => Self::Human,
        }
    }
}

/// Stdout, written in one style.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    style: Style,
    began: Instant,
}

impl Output {
    /// Times in JSON lines count from here.
    #[must_use]
    pub fn new(style: Style) -> Self {
        Self { style, began: Instant::now() }
    }

    /// The style chosen.
    #[must_use]
    pub fn style(&self) -> Style {
        self.style
    }

    /// Tells an event of the session; `files` when its call is about files alone.
    ///
    /// # Errors
    /// Stdout is closed or broken.
    pub fn event(&self, event: &Event, files: bool) -> io::Result<()> {
        mask::learn(event);
        let sentence = if files { human::sentence_about_files } else { human::sentence };
        match self.style {
            Style::Human => match sentence(event) {
                // A call must be noticed by whoever looks elsewhere.
                Some(text)
                    if matches!(event, Event::Incoming { .. } | Event::Alert { raised: true, .. })
                        && io::stdout().is_terminal() =>
                {
                    write_line(&format!("\u{7}{}", mask::text(&text)))
                }
                Some(text) => write_line(&mask::text(&text)),
                None => Ok(()),
            },
            Style::Lines => match Line::of(event) {
                Some(line) => self.line(&line),
                None => Ok(()),
            },
            Style::Document | Style::Silent => Ok(()),
        }
    }

    /// Tells something that is no event of the session, in lines only.
    ///
    /// # Errors
    /// Stdout is closed or broken.
    pub fn line(&self, line: &Line) -> io::Result<()> {
        if self.style != Style::Lines {
            return Ok(());
        }
        write_json(&lines::Stamped { at_ms: self.began.elapsed().as_millis(), line })
    }

    /// Tells who is online, as a line or a sentence.
    ///
    /// # Errors
    /// Stdout is closed or broken.
    pub fn users(&self, users: Vec<User>, more: bool) -> io::Result<()> {
        users.iter().for_each(|user| mask::hide_name(&user.name));
        self.say(&human::online(&users, more))?;
        self.line(&Line::Users { users, more })
    }

    /// Tells a person something, in sentences only.
    ///
    /// # Errors
    /// Stdout is closed or broken.
    pub fn say(&self, text: &str) -> io::Result<()> {
        if self.style == Style::Human { write_line(&mask::text(text)) } else { Ok(()) }
    }

    /// The report: the document, the last line, or a summary.
    ///
    /// # Errors
    /// Stdout is closed or broken.
    pub fn report(&self, report: &Report) -> io::Result<()> {
        if let Some(peer) = &report.call.peer {
            mask::hide_name(peer);
        }
        match self.style {
            Style::Human => write_line(&mask::text(&human::summary(report))),
            Style::Lines => self.line(&Line::Report(Box::new(report.clone()))),
            Style::Document => document(report),
            Style::Silent => Ok(()),
        }
    }
}

impl Output {
    /// What several runs came to: the document, the last line, or a few lines.
    ///
    /// # Errors
    /// Stdout is closed or broken.
    pub fn series<R: Outcome>(&self, series: &Series<R>) -> io::Result<()> {
        match self.style {
            Style::Human => write_line(&mask::text(&series.summary().lines())),
            Style::Lines => self.line(&Line::Summary(Box::new(series.summary()))),
            Style::Document => document(&series.document()),
            Style::Silent => Ok(()),
        }
    }
}

/// A line of progress stands on the terminal, to be replaced by whatever is written next.
static BAR: AtomicBool = AtomicBool::new(false);

/// To the start of the line, which is emptied.
const CLEAR: &str = "\r\u{1b}[K";

/// Writes a line of progress over the one before. Only for a terminal that is no dumb one.
///
/// # Errors
/// Stdout is closed or broken.
pub(in crate::cli) fn write_bar(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    BAR.store(true, Ordering::Relaxed);
    stdout.write_all(format!("{CLEAR}{text}").as_bytes())?;
    stdout.flush()
}

/// One JSON document, readable.
///
/// # Errors
/// Stdout is closed or broken.
pub fn document(value: &impl serde::Serialize) -> io::Result<()> {
    let text = match masked(value)? {
        Some(value) => serde_json::to_string_pretty(&value),
        None => serde_json::to_string_pretty(value),
    };
    let text = text.map_err(io::Error::other)?;
    write_line(&text::escape_json(text))
}

fn write_json(value: &impl serde::Serialize) -> io::Result<()> {
    let text = match masked(value)? {
        Some(value) => serde_json::to_string(&value),
        None => serde_json::to_string(value),
    };
    write_line(&text::escape_json(text.map_err(io::Error::other)?))
}

/// The value without addresses and names, if they are hidden. Its fields are in another order then.
fn masked(value: &impl serde::Serialize) -> io::Result<Option<serde_json::Value>> {
    if !mask::is_on() {
        return Ok(None);
    }
    let mut value = serde_json::to_value(value).map_err(io::Error::other)?;
    mask::document(&mut value);
    Ok(Some(value))
}

/// One write for a line, flushed: a reader at the other end of a pipe sees whole lines at once.
pub(in crate::cli) fn write_line(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    let mut line = String::with_capacity(text.len() + 8);
    if BAR.swap(false, Ordering::Relaxed) {
        line.push_str(CLEAR);
    }
    line.push_str(text);
    line.push('\n');
    stdout.write_all(line.as_bytes())?;
    stdout.flush()
}
