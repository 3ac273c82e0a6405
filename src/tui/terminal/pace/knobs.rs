//! How much a picture may cost: threshold and size, turned so that a picture fits the time it may occupy the link.
//!
//! Owns the two knobs and the order in which they give way: the frame rate first (by itself: a picture waits until the
//! link is free), then the threshold, then the size; back in the reverse order. Knows bytes and budgets, not the
//! link; driven by [`super::Pace`], once for each picture.

use std::time::Duration;

use crate::tui::render::Quality;

/// The threshold never goes above this: 16 steps of 255 off, on average over a cell.
const COARSEST: f32 = 256.0;

/// Sizes, largest first. Each takes 0.7 of the area of the one before, so that a step is larger than what
/// sizes of pictures vary by.
const SCALES: [f32; 5] = [1.0, 0.84, 0.71, 0.59, 0.5];

/// A picture grows when what it would then cost stays below this part of the budget.
const ROOM: f64 = 0.75;

/// A size is kept at least this long before it grows, and twice as long each time that growing was a mistake.
const HOLD: Duration = Duration::from_secs(1);
const LONGEST_HOLD: Duration = Duration::from_secs(16);

/// A size that had to be given up within this time was a mistake.
const MISTAKE: Duration = Duration::from_secs(4);

/// Pictures after a change until the sizes of pictures say what the change did.
const SETTLED: u32 = 3;

/// What a picture of this size may cost.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    /// Bytes of a picture that comes as often as is wanted at the least.
    pub(super) bytes: f64,
    /// Bytes of a picture that may be sent once in a while, such as a whole one at a new size; 0 while the link is
    /// not known, and nothing is to be spent on it.
    pub(super) whole: f64,
}

/// The knobs.
#[derive(Debug)]
pub(super) struct Knobs {
    threshold: f32,
    step: usize,
    /// Bytes a picture of late, at the present knobs; `None` before one was sent that was not whole.
    size: Option<f64>,
    /// Bytes of a whole picture at full size, from the last one that was.
    whole: Option<f64>,
    /// Pictures since the size of the picture changed.
    since: u32,
    /// Pictures one after the other that were too large with nothing left but the size.
    strained: u32,
    changed: Duration,
    hold: Duration,
    grown: bool,
}

impl Knobs {
    /// Small at first: what a whole picture costs is not known before one was sent.
    pub(super) fn new() -> Self {
        Self {
            threshold: COARSEST,
            step: SCALES.len() - 1,
            size: None,
            whole: None,
            since: 0,
            strained: 0,
            changed: Duration::ZERO,
            hold: Duration::ZERO,
            grown: false,
        }
    }

    /// What the next picture may cost.
    pub(super) fn quality(&self) -> Quality {
        Quality { threshold: self.threshold, scale: SCALES[self.step] }
    }

    /// The next picture is whole whatever the knobs say: the terminal was resized or is not known any more.
    pub(super) fn repaint(&mut self) {
        self.since = 0;
        self.size = None;
    }

    /// The budget is `budget` now: when it fell, the next picture is already cheaper.
    pub(super) fn allow(&mut self, budget: Budget) {
        if let Some(size) = self.size.filter(|size| *size > budget.bytes) {
            self.turn(self.turned(size, budget));
        }
    }

    /// A picture of `bytes` was composed with [`Knobs::quality`].
    pub(super) fn composed(&mut self, now: Duration, bytes: u64, budget: Budget) {
        #[expect(clippy::cast_precision_loss, reason = "sizes of screens, not of discs")]
        let bytes = bytes as f64;
        self.since = self.since.saturating_add(1);
        if self.since == 1 {
            self.whole = Some(bytes / area(self.step));
        } else {
            self.size = Some(self.size.map_or(bytes, |size| size + (bytes - size) * 0.4));
        }
        let Some(size) = self.size else {
            // Only a whole picture so far. When even those may come at any time, there is nothing to save.
            if bytes / area(self.step) < budget.bytes.min(budget.whole) && self.step > 0 {
                self.resize(now, 0);
                self.threshold = Quality::default().threshold;
            }
            return;
        };
        if budget.whole <= 0.0 {
            return;
        }
        if size > budget.bytes && self.threshold >= COARSEST {
            self.strained += 1;
            self.shrink(now, size, budget);
        } else {
            self.strained = 0;
            if !self.grow(now, size, budget) {
                self.turn(self.turned(size, budget));
            }
        }
    }

    /// The threshold that brings a picture of `size` into the budget.
    fn turned(&self, size: f64, budget: Budget) -> f32 {
        let ratio = size / budget.bytes;
        if ratio > 1.0 {
            self.threshold * ratio.min(3.0).powf(1.5) as f32
        } else if ratio < 0.8 {
            self.threshold * (ratio / 0.9).max(0.5) as f32
        } else {
            self.threshold
        }
    }

    fn turn(&mut self, threshold: f32) {
        let before = self.threshold;
        self.threshold = threshold.clamp(Quality::default().threshold, COARSEST);
        // What the turn will do is counted before it is seen, or the next picture would turn it once more.
        if let Some(size) = &mut self.size {
            *size *= cheaper(before, self.threshold);
        }
    }

    /// Takes the largest size that fits at the coarsest threshold. True when it is larger than before.
    fn grow(&mut self, now: Duration, size: f64, budget: Budget) -> bool {
        if self.since < SETTLED || now.saturating_sub(self.changed) < self.hold {
            return false;
        }
        let coarse = size * cheaper(self.threshold, COARSEST) / area(self.step);
        let whole = self.whole.unwrap_or(0.0);
        let fits =
            |step: &usize| coarse * area(*step) < ROOM * budget.bytes && whole * area(*step) < budget.whole;
        let Some(step) = (0..self.step).find(fits) else { return false };
        let threshold = f64::from(COARSEST) * (coarse * area(step) / (ROOM * budget.bytes)).powi(2);
        self.resize(now, step);
        self.turn(threshold as f32);
        self.grown = true;
        true
    }

    /// Gives size away when a few pictures were too large at the coarsest threshold.
    fn shrink(&mut self, now: Duration, size: f64, budget: Budget) {
        if self.strained < SETTLED || self.since < SETTLED || self.step + 1 == SCALES.len() {
            return;
        }
        let fits = |step: &usize| size * area(*step) / area(self.step) < budget.bytes;
        let step = (self.step + 1..SCALES.len()).find(fits).unwrap_or(SCALES.len() - 1);
        let mistake = self.grown && now.saturating_sub(self.changed) < MISTAKE;
        self.hold = if mistake { (self.hold * 2).clamp(HOLD, LONGEST_HOLD) } else { HOLD };
        self.resize(now, step);
        self.grown = false;
    }

    fn resize(&mut self, now: Duration, step: usize) {
        self.size = self.size.map(|size| size * area(step) / area(self.step));
        self.step = step;
        self.since = 0;
        self.strained = 0;
        self.changed = now;
    }
}

/// The part of the full area at a step.
fn area(step: usize) -> f64 {
    f64::from(SCALES[step]).powi(2)
}

/// The part of its bytes that a picture has after the threshold was turned: they fall with about its root.
fn cheaper(from: f32, to: f32) -> f64 {
    f64::from(from / to).sqrt()
}
