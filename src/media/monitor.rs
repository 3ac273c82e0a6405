//! What a person at this machine watches of a call: the latest picture of each side, and how loud each is.
//!
//! Filled by the pipeline's threads, read by a screen whenever it has time: a picture that was not looked at before the
//! next one came is gone. Holds nothing back and never blocks.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::VideoFrame;

/// One call's pictures and levels, for a screen.
pub struct Monitor {
    /// What the other side sends.
    pub remote: Watched,
    /// What we send, before it is made smaller for the other side; as in a looking-glass when a camera gives it.
    pub own: Watched,
    wake: Box<dyn Fn() + Send + Sync>,
}

/// One side.
#[derive(Default)]
pub struct Watched {
    latest: Mutex<Option<Arc<VideoFrame>>>,
    /// The loudest sample since it was last read; the bits of a float that is not negative sort as the float does.
    peak: AtomicU32,
    speaking: AtomicBool,
}

impl Monitor {
    /// `wake` is called from media threads for each new picture; it must return at once.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self { remote: Watched::default(), own: Watched::default(), wake: Box::new(wake) }
    }

    /// Forgets pictures and levels, at the beginning and end of a call.
    pub fn clear(&self) {
        for side in [&self.remote, &self.own] {
            side.clear();
        }
        (self.wake)();
    }

    pub(super) fn show(&self, side: impl Fn(&Self) -> &Watched, picture: Arc<VideoFrame>) {
        side(self).put(picture);
        (self.wake)();
    }
}

impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Monitor").finish_non_exhaustive()
    }
}

impl Watched {
    /// The latest picture; `None` before the first and after [`Watched::clear`]. The same one may be read again: two
    /// are the same when their pointers are.
    pub fn latest(&self) -> Option<Arc<VideoFrame>> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The loudest sample since the last call, in dBFS; `None` for digital silence or no sound at all.
    pub fn take_level(&self) -> Option<f32> {
        let peak = f32::from_bits(self.peak.swap(0, Ordering::Relaxed));
        (peak > 0.0).then(|| 20.0 * peak.log10())
    }

    /// Whether somebody speaks there; held over the pauses between words, so that a screen may show it as it is.
    pub fn speaking(&self) -> bool {
        self.speaking.load(Ordering::Relaxed)
    }

    /// Forgets the picture, because none is sent any more.
    pub fn clear(&self) {
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.peak.store(0, Ordering::Relaxed);
        self.speaking.store(false, Ordering::Relaxed);
    }

    fn put(&self, picture: Arc<VideoFrame>) {
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = Some(picture);
    }

    pub(super) fn heard(&self, samples: &[f32], speaking: bool) {
        self.speaking.store(speaking, Ordering::Relaxed);
        // `max` passes over what is no number.
        let peak = samples.iter().fold(0.0f32, |peak, sample| peak.max(sample.abs()));
        self.peak.fetch_max(peak.to_bits(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::WallTime;

    #[test]
    fn only_the_latest_picture_is_kept_and_each_one_wakes() {
        let woken = Arc::new(AtomicU32::new(0));
        let counter = woken.clone();
        let monitor = Monitor::new(move || {
            counter.fetch_add(1, Ordering::Relaxed);
        });
        assert!(monitor.remote.latest().is_none());
        for width in [16, 32] {
            let picture = VideoFrame::black(width, 16, WallTime(0));
            monitor.show(|monitor| &monitor.remote, Arc::new(picture));
        }
        assert_eq!(monitor.remote.latest().unwrap().width(), 32);
        assert!(monitor.own.latest().is_none());
        assert_eq!(woken.load(Ordering::Relaxed), 2);
        monitor.clear();
        assert!(monitor.remote.latest().is_none());
    }

    #[test]
    fn the_level_is_the_loudest_sample_since_it_was_read() {
        let side = Watched::default();
        assert_eq!(side.take_level(), None);
        side.heard(&[0.1, -0.5, f32::NAN], true);
        assert!(side.speaking());
        side.heard(&[0.25], false);
        assert!(!side.speaking());
        assert!((side.take_level().unwrap() + 6.02).abs() < 0.01);
        assert_eq!(side.take_level(), None);
    }
}
