//! The thread that looks: takes a picture five times a second while there are any, and tells when a hand comes and goes.
//!
//! Owns the slot between whoever captures and the detector; the only place of the alert with a clock. Whoever captures never waits for it: a
//! picture that nobody had time for gives way to the next one, and those that are not due are not even copied.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::{Detector, Settings, State};
use crate::media::{Error, VideoFrame};

/// From one look to the next.
const BETWEEN: Duration = Duration::from_millis(195);

/// Without a picture for this long there is nothing to be alarmed by: the camera is off.
const DARK: Duration = Duration::from_secs(2);

/// A longer gap between two looks is not time that was watched.
const GAP: Duration = Duration::from_millis(600);

/// What a watcher tells, on its own thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A hand is on the face; the how manieth time that is since the watcher began.
    Raised(u64),
    /// The face is free again, or not to be seen.
    Cleared,
    /// Nothing is looked at any more.
    Failed(String),
}

/// Where a watcher tells; it must return at once.
pub type Tell = Arc<dyn Fn(Change) + Send + Sync>;

/// What was counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Alerts.
    pub count: u64,
    /// How long they lasted together.
    pub raised: Duration,
    /// How long there was a face to watch.
    pub watched: Duration,
}

impl std::ops::Add for Tally {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            count: self.count + other.count,
            raised: self.raised + other.raised,
            watched: self.watched + other.watched,
        }
    }
}

/// A running watcher. Dropping it ends its thread, after the look that it is at.
#[derive(Debug)]
pub struct Watcher {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    began: Instant,
    /// When the next picture is due, in milliseconds since the beginning.
    due: AtomicU64,
    slot: Mutex<Slot>,
    filled: Condvar,
    tally: Mutex<Tally>,
}

#[derive(Debug, Default)]
struct Slot {
    picture: Option<VideoFrame>,
    ended: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Watcher {
    /// Begins to watch what is offered.
    ///
    /// # Errors
    /// [`Error::Io`] when the system grants no thread.
    pub fn start(settings: Settings, tell: Tell) -> Result<Self, Error> {
        let shared = Arc::new(Shared {
            began: Instant::now(),
            due: AtomicU64::new(0),
            slot: Mutex::default(),
            filled: Condvar::new(),
            tally: Mutex::default(),
        });
        let watched = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("alert".to_owned())
            .spawn(move || watched.run(settings, &tell))
            .map_err(|source| Error::Io { what: "alert thread".to_owned(), source })?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// A picture of one's own, as captured. Returns at once; most are passed over.
    pub fn offer(&self, picture: &VideoFrame) {
        let now = self.shared.began.elapsed().as_millis() as u64;
        if now < self.shared.due.load(Ordering::Relaxed) {
            return;
        }
        self.shared.due.store(now + BETWEEN.as_millis() as u64, Ordering::Relaxed);
        lock(&self.shared.slot).picture = Some(picture.clone());
        self.shared.filled.notify_one();
    }

    /// What was counted so far.
    #[must_use]
    pub fn tally(&self) -> Tally {
        *lock(&self.shared.tally)
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        lock(&self.shared.slot).ended = true;
        self.shared.filled.notify_one();
        if let Some(thread) = self.thread.take() {
            // A panic there was printed; there is nothing to clean up after it.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn run(&self, settings: Settings, tell: &Tell) {
        let mut detector = match Detector::new(settings) {
            Ok(detector) => detector,
            Err(error) => return tell(Change::Failed(error.to_string())),
        };
        let mut raised = false;
        let mut last: Option<Instant> = None;
        while let Ok(picture) = self.wait() {
            let now = Instant::now();
            let state = match picture {
                Some(picture) => detector.look(&picture, self.began.elapsed()).state,
                None => {
                    detector.forget();
                    State::NoFace
                }
            };
            let gap = last.map_or(Duration::ZERO, |last| now - last);
            let gap = if gap > GAP { Duration::ZERO } else { gap };
            last = Some(now);
            let mut tally = lock(&self.tally);
            if state != State::NoFace {
                tally.watched += gap;
            }
            if raised {
                tally.raised += gap;
            }
            let covered = state == State::Covered;
            let change = match (raised, covered) {
                (false, true) => {
                    tally.count += 1;
                    Some(Change::Raised(tally.count))
                }
                (true, false) => Some(Change::Cleared),
                _ => None,
            };
            raised = covered;
            drop(tally);
            if let Some(change) = change {
                tell(change);
            }
        }
    }

    /// The next picture; `None` when there was none for a while, and an error when nobody wants to know any more.
    fn wait(&self) -> Result<Option<VideoFrame>, ()> {
        let mut slot = lock(&self.slot);
        let until = Instant::now() + DARK;
        loop {
            if slot.ended {
                return Err(());
            }
            if let Some(picture) = slot.picture.take() {
                return Ok(Some(picture));
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            slot = self.filled.wait_timeout(slot, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::WallTime;

    #[test]
    fn pictures_that_are_not_due_are_passed_over_and_nothing_waits() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&told);
        let watcher =
            Watcher::start(Settings::default(), Arc::new(move |change| lock(&heard).push(change))).unwrap();
        let began = Instant::now();
        for _ in 0..1000 {
            watcher.offer(&VideoFrame::black(64, 48, WallTime(0)));
        }
        assert!(began.elapsed() < Duration::from_secs(1));
        drop(watcher);
        assert_eq!(*lock(&told), []);
    }
}
