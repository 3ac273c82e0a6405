//! A bounded queue into a thread that also has deadlines to keep.
//!
//! Putting in never blocks on the reader and never grows the queue beyond its capacity: the newest
//! item is dropped and counted. The reader chooses whether an item wakes it, so that a thread that
//! works on a beat is not woken for each packet.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

#[derive(Debug)]
struct State<T> {
    items: VecDeque<T>,
    dropped: u64,
    wake_on_item: bool,
    /// Set by [`Mailbox::nudge`]: something else than an item wants to be seen.
    nudged: bool,
    closed: bool,
}

/// The queue; shared by its writers and its one reader.
#[derive(Debug)]
pub struct Mailbox<T> {
    capacity: usize,
    state: Mutex<State<T>>,
    changed: Condvar,
}

impl<T> Mailbox<T> {
    /// Room for `capacity` items.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity,
            state: Mutex::new(State {
                items: VecDeque::new(),
                dropped: 0,
                wake_on_item: false,
                nudged: false,
                closed: false,
            }),
            changed: Condvar::new(),
        }
    }

    /// Puts an item in. When the queue is full or closed the item is dropped, and counted if full.
    pub fn put(&self, item: T) {
        let mut state = self.lock();
        if state.closed {
            return;
        }
        if state.items.len() >= self.capacity {
            state.dropped += 1;
            return;
        }
        state.items.push_back(item);
        if state.wake_on_item {
            self.changed.notify_one();
        }
    }

    /// Wakes the reader.
    pub fn nudge(&self) {
        self.lock().nudged = true;
        self.changed.notify_one();
    }

    /// Drops what is in the queue and all that comes, and wakes the reader for good.
    pub fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.items.clear();
        self.changed.notify_one();
    }

    /// Moves what is in the queue to `into`, after waiting until the deadline (without one: for as
    /// long as it takes), for a nudge, or for an item if `wake_on_item`. `false` when closed.
    pub fn wait(&self, deadline: Option<Instant>, wake_on_item: bool, into: &mut Vec<T>) -> bool {
        let mut state = self.lock();
        loop {
            if state.closed {
                return false;
            }
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            let due = left.is_some_and(|left| left.is_zero());
            if due || state.nudged || (wake_on_item && !state.items.is_empty()) {
                state.nudged = false;
                state.wake_on_item = false;
                into.extend(state.items.drain(..));
                return true;
            }
            state.wake_on_item = wake_on_item;
            state = match left {
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(left) => {
                    let waited = self.changed.wait_timeout(state, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// Items dropped because the queue was full.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.lock().dropped
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::time::Duration;

    #[test]
    fn a_full_queue_drops_the_newest_and_counts() {
        let mailbox = Mailbox::new(2);
        (0..5).for_each(|item| mailbox.put(item));
        let mut items = Vec::new();
        assert!(mailbox.wait(Some(Instant::now()), true, &mut items));
        assert_eq!(items, [0, 1]);
        assert_eq!(mailbox.dropped(), 3);
    }

    #[test]
    fn an_item_a_nudge_and_closing_wake_the_reader() {
        let mailbox = Arc::new(Mailbox::new(8));
        let reader = std::thread::spawn({
            let mailbox = mailbox.clone();
            move || {
                let (mut items, mut wakes) = (Vec::new(), 0);
                while mailbox.wait(None, true, &mut items) {
                    wakes += 1;
                }
                (items, wakes)
            }
        });
        mailbox.put(7);
        let patience = Instant::now() + Duration::from_secs(10);
        while !mailbox.lock().items.is_empty() && Instant::now() < patience {
            std::thread::yield_now();
        }
        mailbox.close();
        mailbox.put(8);
        let (items, wakes) = reader.join().unwrap();
        assert_eq!((items, wakes), (vec![7], 1));
    }

    #[test]
    fn an_unwanted_item_does_not_end_the_wait() {
        let mailbox = Mailbox::new(8);
        mailbox.put(1);
        let mut items = Vec::new();
        let until = Instant::now() + Duration::from_millis(20);
        assert!(mailbox.wait(Some(until), false, &mut items));
        assert!(Instant::now() >= until);
        assert_eq!(items, [1]);
    }
}
