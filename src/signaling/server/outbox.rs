//! What waits to be sent to one session.
//!
//! Owns a bounded queue of frames. Whoever has something for the session pushes and never waits; the
//! connection that is attached to the session takes. A queue that is full ends the session's connection:
//! one slow reader costs at most the queue and holds nobody up. The queue outlives the socket, so that a
//! resumed session misses nothing.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// A frame as JSON text.
pub(crate) type Frame = tokio_tungstenite::tungstenite::Utf8Bytes;

/// Why a connection must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The reader was too slow and the queue is full.
    TooSlow,
    /// Another socket resumed the session.
    Replaced,
    /// The session ended; what is queued is still to be sent.
    Left,
    /// The server stops; what is queued is still to be sent.
    Shutdown,
}

/// The bounds of one queue.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Frames; one more ends the connection.
    pub(crate) frames: usize,
    /// Bytes of text; more end the connection.
    pub(crate) bytes: usize,
}

#[derive(Debug, Default)]
pub(crate) struct Outbox {
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    frames: VecDeque<Frame>,
    bytes: usize,
    end: Option<End>,
    /// Which attachment may take; a resume adds one.
    generation: u32,
    waker: Option<Waker>,
}

/// Nothing more fits.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl Outbox {
    /// Puts a frame at the end.
    ///
    /// # Errors
    /// [`Full`] when a bound is reached: the frame is dropped and the connection will end.
    pub(crate) fn push(&self, frame: Frame, bounds: Bounds) -> Result<(), Full> {
        let waker = {
            let mut queue = self.lock();
            if queue.end == Some(End::TooSlow) {
                return Err(Full);
            }
            if queue.frames.len() >= bounds.frames || queue.bytes + frame.len() > bounds.bytes {
                queue.end = Some(End::TooSlow);
                queue.frames = VecDeque::new();
                queue.bytes = 0;
                let waker = queue.waker.take();
                drop(queue);
                wake(waker);
                return Err(Full);
            }
            queue.bytes += frame.len();
            queue.frames.push_back(frame);
            queue.waker.take()
        };
        wake(waker);
        Ok(())
    }

    /// Ends the connection that is attached; the first reason stays.
    pub(crate) fn end(&self, end: End) {
        let waker = {
            let mut queue = self.lock();
            queue.end.get_or_insert(end);
            queue.waker.take()
        };
        wake(waker);
    }

    /// Attaches a connection; the one before it finds itself replaced. A queue that was full begins anew:
    /// what it lost stays lost, and `registered` tells which calls are left.
    pub(crate) fn attach(&self) -> u32 {
        let (generation, waker) = {
            let mut queue = self.lock();
            queue.generation += 1;
            if queue.end == Some(End::TooSlow) {
                queue.end = None;
            }
            (queue.generation, queue.waker.take())
        };
        wake(waker);
        generation
    }

    /// Whether this attachment is still the one.
    pub(crate) fn is_attached(&self, generation: u32) -> bool {
        self.lock().generation == generation
    }

    /// Takes every frame into `batch` (which is empty), or tells why the connection ends, or waits. With
    /// `Left` and `Shutdown` the frames come first.
    pub(crate) fn poll_take(
        &self,
        cx: &mut Context<'_>,
        generation: u32,
        batch: &mut VecDeque<Frame>,
    ) -> Poll<Option<End>> {
        let mut queue = self.lock();
        if queue.generation != generation {
            return Poll::Ready(Some(End::Replaced));
        }
        if !queue.frames.is_empty() {
            std::mem::swap(&mut queue.frames, batch);
            queue.bytes = 0;
            return Poll::Ready(None);
        }
        if let Some(end) = queue.end {
            return Poll::Ready(Some(end));
        }
        remember(&mut queue.waker, cx);
        Poll::Pending
    }

    /// Waits until the connection has to end without sending anything more.
    pub(crate) fn poll_cut(&self, cx: &mut Context<'_>, generation: u32) -> Poll<End> {
        let mut queue = self.lock();
        if queue.generation != generation {
            return Poll::Ready(End::Replaced);
        }
        if let Some(End::TooSlow) = queue.end {
            return Poll::Ready(End::TooSlow);
        }
        remember(&mut queue.waker, cx);
        Poll::Pending
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Queue> {
        // Nothing panics while holding the lock.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn remember(slot: &mut Option<Waker>, cx: &mut Context<'_>) {
    match slot {
        Some(waker) if waker.will_wake(cx.waker()) => {}
        _ => *slot = Some(cx.waker().clone()),
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { frames: 2, bytes: 10 };

    fn take(outbox: &Outbox, generation: u32) -> Poll<(Option<End>, usize)> {
        let mut batch = VecDeque::new();
        let mut cx = Context::from_waker(Waker::noop());
        outbox.poll_take(&mut cx, generation, &mut batch).map(|end| (end, batch.len()))
    }

    #[test]
    fn a_full_queue_ends_the_connection_and_frees_its_memory() {
        let outbox = Outbox::default();
        let generation = outbox.attach();
        assert_eq!(take(&outbox, generation), Poll::Pending);
        assert_eq!(outbox.push("12345".into(), BOUNDS), Ok(()));
        assert_eq!(outbox.push("123456".into(), BOUNDS), Err(Full));
        assert_eq!(outbox.push("1".into(), BOUNDS), Err(Full));
        assert_eq!(take(&outbox, generation), Poll::Ready((Some(End::TooSlow), 0)));
    }

    #[test]
    fn frames_come_before_the_end_and_a_replaced_connection_takes_nothing() {
        let outbox = Outbox::default();
        let old = outbox.attach();
        let new = outbox.attach();
        outbox.push("bye".into(), BOUNDS).unwrap();
        outbox.end(End::Shutdown);
        assert_eq!(take(&outbox, old), Poll::Ready((Some(End::Replaced), 0)));
        assert_eq!(take(&outbox, new), Poll::Ready((None, 1)));
        assert_eq!(take(&outbox, new), Poll::Ready((Some(End::Shutdown), 0)));
    }
}
