//! Terminals on systems that are not Unix: not there yet, said clearly.
//!
//! Owns the same names as `guard`, so that everything above compiles; opening is an error that says so.

use std::convert::Infallible;
use std::io;

use crossterm::event::{KeyEvent, MouseEvent};

use super::capabilities::Capabilities;
use super::detect::Finding;
use super::environment::Environment;
use super::error::Error;

/// What is switched on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// The alternate screen.
    pub screen: bool,
    /// Mouse, focus, pastes.
    pub events: bool,
}

impl Options {
    /// All of it.
    pub const SCREEN: Self = Self { screen: true, events: true };
    /// Only keys.
    pub const LINES: Self = Self { screen: false, events: false };
}

/// The size of the screen in cells.
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
    /// SIGINT.
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
    /// Text was pasted.
    Paste(String),
    /// The window got or lost the focus.
    Focus(bool),
    /// The screen has this size now.
    Resize(u16, u16),
    /// The screen has to be drawn from nothing.
    Resumed,
    /// The process shall stop.
    Stop,
    /// The process shall end.
    Terminate(Signal),
    /// The terminal is gone.
    Closed,
}

/// No terminal.
pub struct Terminal(Infallible);

impl Terminal {
    /// Always an error.
    ///
    /// # Errors
    /// [`Error::Unsupported`].
    pub async fn open(_: Options) -> Result<Self, Error> {
        Err(Error::Unsupported)
    }

    /// Always an error.
    ///
    /// # Errors
    /// [`Error::Unsupported`].
    pub async fn open_in(_: Options, _: Environment) -> Result<Self, Error> {
        Err(Error::Unsupported)
    }

    /// Never called.
    #[must_use]
    pub fn capabilities(&self) -> &Capabilities {
        match self.0 {}
    }

    /// Never called.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        match self.0 {}
    }

    /// Never called.
    #[must_use]
    pub fn size(&self) -> Size {
        match self.0 {}
    }

    /// Never called.
    #[must_use]
    pub fn out(&self) -> Out {
        match self.0 {}
    }

    /// Never called.
    pub fn on_fence(&self, _: impl Fn() + Send + Sync + 'static) {
        match self.0 {}
    }

    /// Never called.
    pub async fn next(&mut self) -> Input {
        match self.0 {}
    }

    /// Never called.
    pub fn suspend(&mut self) {
        match self.0 {}
    }

    /// Never called.
    pub fn close(self) {
        match self.0 {}
    }
}

/// Nowhere to draw.
#[derive(Debug, Clone)]
pub struct Out(Infallible);

impl io::Write for Out {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        match self.0 {}
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.0 {}
    }
}
