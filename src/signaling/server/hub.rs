//! The meeting point of all connections: the registry and the outboxes under one lock, and the ticker.
//!
//! Owns the order of things: what the registry decides is put into the outboxes before the next decision.
//! Frames of descriptions and candidates are made before the lock is taken. Connections call it; it knows
//! no sockets.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::outbox::{Bounds, End, Frame, Full, Outbox};
use super::registry::{Join, Joined, Output, Refusal, Registry, Reply};
use crate::signaling::protocol::{CallId, ClientMessage, ErrorCode, ServerMessage, SessionId};

pub(crate) struct Hub {
    inner: Mutex<Inner>,
    bounds: Bounds,
    epoch: Instant,
    /// When the ticker wakes next, in microseconds since the epoch.
    next_tick: AtomicU64,
    earlier: Notify,
}

struct Inner {
    registry: Box<dyn Registry>,
    outboxes: HashMap<SessionId, Arc<Outbox>>,
    out: Vec<Output>,
    stopped: bool,
}

/// A connection's hold on its session.
pub(crate) struct Attached {
    pub(crate) session: SessionId,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) generation: u32,
}

impl Hub {
    pub(crate) fn new(registry: Box<dyn Registry>, bounds: Bounds) -> Hub {
        let inner = Inner { registry, outboxes: HashMap::new(), out: Vec::new(), stopped: false };
        Hub {
            inner: Mutex::new(inner),
            bounds,
            epoch: Instant::now(),
            next_tick: AtomicU64::new(u64::MAX),
            earlier: Notify::new(),
        }
    }

    /// The time since the hub was made: the clock of everything behind it.
    pub(crate) fn now(&self) -> Duration {
        self.epoch.elapsed()
    }

    pub(crate) fn sessions(&self) -> usize {
        self.lock().registry.sessions()
    }

    /// Makes or resumes a session and attaches to it. The frame of `registered` is returned: it goes before
    /// what waits in the outbox.
    pub(crate) fn join(
        &self,
        join: Join,
        registered: impl FnOnce(&Joined) -> ServerMessage,
    ) -> Result<(Attached, Frame), Refusal> {
        let now = self.now();
        let mut inner = self.lock();
        if inner.stopped {
            return Err(Refusal::new(ErrorCode::Unavailable, "the server is stopping"));
        }
        let mut out = std::mem::take(&mut inner.out);
        let joined = inner.registry.join(now, join, &mut out);
        let attached = joined.map(|joined| {
            let outbox = Arc::clone(inner.outboxes.entry(joined.session).or_default());
            let generation = outbox.attach();
            let frame = Frame::from(registered(&joined).to_json());
            (Attached { session: joined.session, outbox, generation }, frame)
        });
        self.dispatch(&mut inner, out);
        attached
    }

    /// The socket of a session broke; does nothing when another one has taken over.
    pub(crate) fn detach(&self, attached: &Attached) {
        let now = self.now();
        let mut inner = self.lock();
        if attached.outbox.is_attached(attached.generation) {
            let mut out = std::mem::take(&mut inner.out);
            inner.registry.detach(now, attached.session, &mut out);
            self.dispatch(&mut inner, out);
        }
    }

    /// The session ends now.
    pub(crate) fn leave(&self, session: SessionId) {
        let now = self.now();
        let mut inner = self.lock();
        let mut out = std::mem::take(&mut inner.out);
        inner.registry.leave(now, session, &mut out);
        self.dispatch(&mut inner, out);
    }

    pub(crate) fn handle(&self, from: SessionId, message: ClientMessage) -> Result<Reply, Refusal> {
        let now = self.now();
        let mut inner = self.lock();
        let mut out = std::mem::take(&mut inner.out);
        let reply = inner.registry.handle(now, from, message, &mut out);
        self.dispatch(&mut inner, out);
        reply
    }

    /// Passes a description or a candidate on, if the registry lets it.
    pub(crate) fn relay(
        &self,
        from: SessionId,
        call: CallId,
        to: Option<SessionId>,
        frame: Frame,
    ) -> Result<(), Refusal> {
        const AWAY: Refusal =
            Refusal::new(ErrorCode::PeerAway, "the other side does not take what is sent to it");
        let outbox = {
            let inner = self.lock();
            let to = inner.registry.route(from, call, to)?;
            inner.outboxes.get(&to).map(Arc::clone)
        };
        // One sender's frames stay in order, which is all that descriptions and candidates need.
        match outbox.map(|outbox| outbox.push(frame, self.bounds)) {
            Some(Ok(())) => Ok(()),
            Some(Err(Full)) | None => Err(AWAY),
        }
    }

    /// Tells every session goodbye and lets no new one in.
    pub(crate) fn stop(&self, bye: &ServerMessage) {
        let frame = Frame::from(bye.to_json());
        let mut inner = self.lock();
        inner.stopped = true;
        for outbox in inner.outboxes.values() {
            // A full queue ends its connection anyway.
            let _ = outbox.push(frame.clone(), self.bounds);
            outbox.end(End::Shutdown);
        }
    }

    /// Runs what falls due until the token is cancelled.
    pub(crate) async fn run_ticker(&self, stop: CancellationToken) {
        loop {
            let deadline = self.lock().registry.deadline();
            let micros = deadline.map_or(u64::MAX, micros);
            self.next_tick.store(micros, Ordering::SeqCst);
            let due = async {
                match deadline {
                    Some(at) => tokio::time::sleep_until(self.epoch + at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.earlier.notified() => {}
                () = due => {
                    let now = self.now();
                    let mut inner = self.lock();
                    let mut out = std::mem::take(&mut inner.out);
                    inner.registry.tick(now, &mut out);
                    self.dispatch(&mut inner, out);
                }
            }
        }
    }

    /// Puts what the registry decided into the outboxes, and wakes the ticker when it has to be earlier.
    fn dispatch(&self, inner: &mut Inner, mut out: Vec<Output>) {
        for output in out.drain(..) {
            match output {
                Output::Deliver { to, message } => {
                    if let Some(outbox) = inner.outboxes.get(&to) {
                        // A full queue ends its connection, and that the registry is told by `detach`.
                        let _ = outbox.push(message.to_json().into(), self.bounds);
                    }
                }
                Output::Forget(session) => {
                    if let Some(outbox) = inner.outboxes.remove(&session) {
                        outbox.end(End::Left);
                    }
                }
            }
        }
        inner.out = out;
        if let Some(deadline) = inner.registry.deadline()
            && micros(deadline) < self.next_tick.load(Ordering::SeqCst)
        {
            self.earlier.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // The registry does not panic; should it, the server goes on with what it has.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
