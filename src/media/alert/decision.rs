//! From scores over time to an alert: it takes a while to be raised and a while to be over, so that nothing flickers.

use std::time::Duration;

/// So long a hand has to be there.
const RAISE: f32 = 0.6;

/// A gap between two looks counts for no more than this.
const GAP: f32 = 0.4;

/// The alert is over below this part of the threshold.
const CLEAR: f32 = 0.6;

/// Whether the alert is on.
#[derive(Debug, Default)]
pub(super) struct Decision {
    /// Seconds of evidence.
    level: f32,
    raised: bool,
    last: Option<Duration>,
}

impl Decision {
    /// Takes a score of a moment; whether the alert is on from here.
    pub(super) fn step(&mut self, score: f32, threshold: f32, at: Duration) -> bool {
        let gap = self.last.map_or(0.2, |last| at.saturating_sub(last).as_secs_f32()).min(GAP);
        self.last = Some(at);
        if score >= threshold {
            self.level = (self.level + gap).min(RAISE * 1.5);
        } else if score < threshold * CLEAR || !self.raised {
            self.level = (self.level - gap).max(0.0);
        }
        self.raised = if self.raised { self.level > 0.0 } else { self.level >= RAISE - 0.05 };
        self.raised
    }

    /// True while the alert is on.
    pub(super) fn is_raised(&self) -> bool {
        self.raised
    }

    /// Forgets everything.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(scores: &[f32]) -> Vec<bool> {
        let mut decision = Decision::default();
        let at = |n: usize| Duration::from_millis(200 * n as u64);
        scores.iter().enumerate().map(|(n, &score)| decision.step(score, 0.5, at(n))).collect()
    }

    #[test]
    fn a_moment_raises_nothing_and_a_while_does() {
        assert!(!run(&[1.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0]).contains(&true));
        assert_eq!(run(&[0.0, 1.0, 1.0, 1.0]), [false, false, false, true]);
    }

    #[test]
    fn a_raised_alert_survives_a_moment_and_what_is_in_between() {
        let mut scores = vec![1.0; 5];
        scores.extend([0.0, 1.0, 0.4, 0.4, 0.4, 0.4, 0.4]);
        assert_eq!(run(&scores).iter().filter(|raised| **raised).count(), 10);
        scores.extend([0.0; 6]);
        assert_eq!(run(&scores).last(), Some(&false));
    }
}
