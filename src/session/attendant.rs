//! Who acts on a session beside the person: dials, answers by rule, hangs up when the time is over.
//!
//! A command's own logic is written once as an attendant and works under every front end, because each of them asks it in the same
//! way: what it wants done about an event, and when it wants to be woken.

use tokio::time::Instant;

use super::{Command, Event};

/// Why the process was asked to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interruption {
    /// SIGINT, or its key in a front end that has no other use for it.
    Interrupt,
    /// SIGTERM, or the terminal went away (SIGHUP).
    Terminate,
}

/// Acts on a session. A command that it returns is given before the front end does anything else.
pub trait Attendant: Send {
    /// Something happened; called for every event, before a person sees it.
    fn event(&mut self, event: &Event) -> Option<Command>;

    /// When [`Attendant::due`] is to be called; asked after each call of the others.
    fn deadline(&self) -> Option<Instant>;

    /// The deadline has come.
    fn due(&mut self) -> Option<Command>;

    /// The process was asked to end; the command should bring that about.
    fn interrupted(&mut self, by: Interruption) -> Option<Command>;
}
