//! Who is here and which calls there are: the state of the server, without a clock, sockets or tasks.
//!
//! Owns sessions, names online, calls and presence. Time comes in as an argument (since an epoch that the
//! driver picks), random ids too; what must be sent comes out as [`Output`]. Must not know sockets, the
//! store of names, or JSON. The hub drives it under a lock.
//!
//! [`Registry`] is the seam for servers that share users: a backplane implements it by wrapping [`Local`],
//! publishing what concerns sessions elsewhere and feeding in what the others publish.

mod calls;
mod ending;
mod local;
mod presence;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use local::Local;

use crate::signaling::protocol::{
    CallId, ClientMessage, ErrorCode, Fold, Key, Name, ResumeToken, ServerMessage, SessionId, User,
};

/// A ring that nobody answered ends after this, should the caller's own time-out not have ended it.
pub const RING_GUARD: Duration = Duration::from_secs(60);
/// A session in an accepted call may be resumed for this long after its socket broke.
pub const RESUME_IN_CALL: Duration = Duration::from_secs(60);
/// Any other session may be resumed for this long; watchers learn that it left after it.
pub const LEAVE_DEBOUNCE: Duration = Duration::from_secs(2);
/// Presence changes are gathered for this long.
pub const GATHER: Duration = Duration::from_millis(100);

/// The bounds of the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Sessions in all; one more login is answered `unavailable`.
    pub sessions: usize,
    /// Sessions of one name; one more login is answered `too-many-sessions`.
    pub sessions_per_name: usize,
    /// Calls of one session that ring or wait for a rejoin; one more is answered `too-many-calls`, and a
    /// session rung by so many counts as busy.
    pub pending_calls: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds { sessions: 20_000, sessions_per_name: 8, pending_calls: 8 }
    }
}

/// A login that passed every check of identity.
#[derive(Debug, Clone)]
pub struct Join {
    /// The name in its owner's spelling.
    pub name: Name,
    /// The key that owns the name.
    pub key: Key,
    /// The session to resume, by its secret.
    pub resume: Option<ResumeToken>,
    /// A fresh random id, used when nothing is resumed.
    pub session: SessionId,
    /// A fresh random secret.
    pub secret: ResumeToken,
}

/// What a login came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// The session: the fresh one or the resumed one.
    pub session: SessionId,
    /// Whether it was resumed.
    pub resumed: bool,
    /// The secret for the next resume.
    pub secret: ResumeToken,
    /// The calls that the session is in.
    pub calls: Vec<CallId>,
}

/// Why a request was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// For programs.
    pub code: ErrorCode,
    /// For people.
    pub message: &'static str,
}

impl Refusal {
    pub(crate) const fn new(code: ErrorCode, message: &'static str) -> Refusal {
        Refusal { code, message }
    }
}

/// The answer to a request that was carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Nothing to tell but that it was done.
    Done,
    /// One page of the list.
    Page {
        /// The users.
        users: Vec<User>,
        /// Where the next page begins.
        next: Option<String>,
    },
}

/// What the driver has to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Send a message to a session.
    Deliver {
        /// The session, attached or not.
        to: SessionId,
        /// The message.
        message: ServerMessage,
    },
    /// The session is no more; what waits for it can be thrown away.
    Forget(SessionId),
}

/// The seam between the connections and whoever knows the users.
pub trait Registry: Send + 'static {
    /// A login: resumes a session or makes a new one.
    ///
    /// # Errors
    /// [`Refusal`] when a bound is reached.
    fn join(&mut self, now: Duration, join: Join, out: &mut Vec<Output>) -> Result<Joined, Refusal>;

    /// The session's socket broke. It may be resumed for a while.
    fn detach(&mut self, now: Duration, session: SessionId, out: &mut Vec<Output>);

    /// The session ends now.
    fn leave(&mut self, now: Duration, session: SessionId, out: &mut Vec<Output>);

    /// A request of a session. `Login`, `Logout`, descriptions and candidates do not come here.
    ///
    /// # Errors
    /// [`Refusal`] when the session, the call or its state does not allow it.
    fn handle(
        &mut self,
        now: Duration,
        from: SessionId,
        message: ClientMessage,
        out: &mut Vec<Output>,
    ) -> Result<Reply, Refusal>;

    /// Where a description or a candidate of `from` in `call` may go: only from a participant of an
    /// accepted call to another one.
    ///
    /// # Errors
    /// [`Refusal`] when it may not pass.
    fn route(&self, from: SessionId, call: CallId, to: Option<SessionId>) -> Result<SessionId, Refusal>;

    /// Does what is due.
    fn tick(&mut self, now: Duration, out: &mut Vec<Output>);

    /// When something is due next.
    fn deadline(&self) -> Option<Duration>;

    /// How many sessions there are.
    fn sessions(&self) -> usize;
}

/// Something that falls due.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    Ring(CallId),
    Detached(SessionId),
    Presence(Fold),
}
