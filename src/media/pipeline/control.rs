//! What a sending thread is told while it works: stop, mute, key frame, rate. The thread waits here
//! for its next deadline, so that being told something wakes it.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// What was told since the thread last looked.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Orders {
    pub(super) muted: bool,
    pub(super) keyframe: bool,
    pub(super) bitrate: Option<u32>,
    pub(super) expected_loss: Option<u8>,
}

#[derive(Debug, Default)]
struct State {
    stopped: bool,
    orders: Orders,
}

/// Shared by one sending thread and those who steer it.
#[derive(Debug, Default)]
pub(super) struct Control {
    state: Mutex<State>,
    changed: Condvar,
}

impl Control {
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

    pub(super) fn set_bitrate(&self, rate: u32) {
        self.lock().orders.bitrate = Some(rate);
    }

    pub(super) fn set_expected_loss(&self, percent: u8) {
        self.lock().orders.expected_loss = Some(percent);
    }

    /// Sleeps until the deadline; `None` when the thread should end.
    pub(super) fn wait(&self, deadline: Instant) -> Option<Orders> {
        let mut state = self.lock();
        loop {
            if state.stopped {
                return None;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let orders = state.orders;
                state.orders = Orders { muted: orders.muted, ..Orders::default() };
                return Some(orders);
            }
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
