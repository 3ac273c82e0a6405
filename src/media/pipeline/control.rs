//! What a sending thread is told while it works: stop, mute, key frame, rate, another source. The thread waits here
//! for its next deadline, so that being told something wakes it.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::allocation::{self, Audio};
use super::fitting::Limit;

/// What was told since the thread last looked; `S` is what it reads from.
#[derive(Debug)]
pub(super) struct Orders<S> {
    pub(super) muted: bool,
    pub(super) keyframe: bool,
    pub(super) expected_loss: Option<u8>,
    /// What the path carries of pictures from now on; none when it has no room for them.
    pub(super) video: Option<Option<allocation::Video>>,
    /// What it carries of sound.
    pub(super) audio: Option<Audio>,
    /// What the other side can use from now on.
    pub(super) limit: Option<Option<Limit>>,
    /// Read from this from now on; `Some(None)` is to read from nothing.
    pub(super) source: Option<Option<S>>,
}

impl<S> Default for Orders<S> {
    fn default() -> Self {
        Self {
            muted: false,
            keyframe: false,
            expected_loss: None,
            video: None,
            audio: None,
            limit: None,
            source: None,
        }
    }
}

#[derive(Debug)]
struct State<S> {
    stopped: bool,
    orders: Orders<S>,
}

/// Shared by one sending thread and those who steer it.
#[derive(Debug)]
pub(super) struct Control<S> {
    state: Mutex<State<S>>,
    changed: Condvar,
}

impl<S> Default for Control<S> {
    fn default() -> Self {
        Self {
            state: Mutex::new(State { stopped: false, orders: Orders::default() }),
            changed: Condvar::new(),
        }
    }
}

impl<S> Control<S> {
    pub(super) fn stop(&self) {
        self.lock().stopped = true;
        self.changed.notify_all();
    }

    pub(super) fn request_keyframe(&self) {
        self.lock().orders.keyframe = true;
    }

    /// Going on after a mute asks for a key frame: the other side may have given up its last picture.
    pub(super) fn set_muted(&self, muted: bool) {
        let mut state = self.lock();
        state.orders.keyframe |= state.orders.muted && !muted;
        state.orders.muted = muted;
    }

    pub(super) fn set_expected_loss(&self, percent: u8) {
        self.lock().orders.expected_loss = Some(percent);
    }

    pub(super) fn set_video(&self, video: Option<allocation::Video>) {
        self.lock().orders.video = Some(video);
    }

    pub(super) fn set_audio(&self, audio: Audio) {
        self.lock().orders.audio = Some(audio);
    }

    pub(super) fn set_limit(&self, limit: Option<Limit>) {
        self.lock().orders.limit = Some(limit);
    }

    /// Takes effect at once. A source that was not looked at yet is dropped, on this thread.
    pub(super) fn set_source(&self, source: Option<S>) {
        let before = self.lock().orders.source.replace(source);
        self.changed.notify_all();
        drop(before);
    }

    /// Sleeps until the deadline or until there is another source; without a deadline only for that. `None` when the
    /// thread should end.
    pub(super) fn wait(&self, deadline: Option<Instant>) -> Option<Orders<S>> {
        let mut state = self.lock();
        loop {
            if state.stopped {
                return None;
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if state.orders.source.is_some() || left.is_some_and(|left| left.is_zero()) {
                let muted = state.orders.muted;
                return Some(std::mem::replace(&mut state.orders, Orders { muted, ..Orders::default() }));
            }
            state = match left {
                Some(left) => {
                    self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<S>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
