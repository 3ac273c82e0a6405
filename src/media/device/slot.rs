//! Where a device's thread leaves its latest picture for the pipeline. Nothing here waits.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::media::{VideoFrame, WallTime};

/// A picture that was not taken before the next one came is gone.
#[derive(Clone, Default)]
pub(super) struct Slot(Arc<Mutex<Content>>);

#[derive(Default)]
struct Content {
    latest: Option<VideoFrame>,
    /// Shown while nothing comes.
    still: Option<VideoFrame>,
    /// The tick at which the still picture was last taken.
    shown: Option<u64>,
}

impl Slot {
    /// There is a picture.
    pub(super) fn put(&self, picture: VideoFrame) {
        *self.lock() = Content { latest: Some(picture), ..Content::default() };
    }

    /// There is none, and this is shown instead until one comes.
    pub(super) fn stand_still(&self, picture: VideoFrame) {
        *self.lock() = Content { still: Some(picture), ..Content::default() };
    }

    /// What came since the last tick, stamped with `captured`. A still picture comes once in `fps` ticks, so that whoever joins late sees it.
    pub(super) fn take(&self, index: u64, fps: u32, captured: WallTime) -> Option<VideoFrame> {
        let mut content = self.lock();
        if let Some(mut picture) = content.latest.take() {
            picture.captured = captured;
            return Some(picture);
        }
        if content.shown.is_some_and(|shown| index.saturating_sub(shown) < u64::from(fps)) {
            return None;
        }
        let mut still = content.still.clone()?;
        still.captured = captured;
        content.shown = Some(index);
        Some(still)
    }

    fn lock(&self) -> MutexGuard<'_, Content> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_picture_is_taken_once_and_a_still_one_once_a_second() {
        let slot = Slot::default();
        let picture = |width| VideoFrame::black(width, 16, WallTime(0));
        let width = |index| slot.take(index, 10, WallTime(5)).map(|picture| picture.width());
        assert_eq!(width(0), None);
        slot.put(picture(16));
        slot.put(picture(32));
        assert_eq!((width(1), width(2)), (Some(32), None));
        slot.stand_still(picture(64));
        assert_eq!((width(3), width(4), width(12), width(13)), (Some(64), None, None, Some(64)));
        slot.put(picture(16));
        assert_eq!((width(14), width(30)), (Some(16), None));
    }
}
