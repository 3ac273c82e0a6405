//! What the alert makes of the scenes: hands that it noticed, and alarms where there was none.

use std::time::Duration;

use letsmeet::media::alert::{Detector, Settings, State};

use super::{Case, Person, Scene};

/// A hand has to be noticed by the time it leaves, and this much later at most, seconds.
const LATE: f32 = 0.4;

/// The sum of some scenes.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Tally {
    /// Scenes with a hand on the face.
    pub hands: u32,
    /// Of these, with an alert while it was there.
    pub noticed: u32,
    /// Seconds until the alert, of all that were noticed together.
    pub delay: f32,
    /// Scenes without one.
    pub free: u32,
    /// Alerts where there was no hand on the face, in any scene.
    pub alarms: u32,
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.hands += other.hands;
        self.noticed += other.noticed;
        self.delay += other.delay;
        self.free += other.free;
        self.alarms += other.alarms;
    }
}

/// Shows the alert the scenes of a case.
pub fn judge(person: &Person, case: Case, seeds: std::ops::Range<u64>) -> Tally {
    let mut sum = Tally::default();
    for seed in seeds {
        let mut detector = Detector::new(Settings::default()).unwrap_or_else(|error| panic!("{error}"));
        let (mut raised, mut arrived, mut left, mut noticed) = (false, None, f32::MAX, None);
        for (at, picture, covered) in Scene::new(person, case, seed) {
            if covered {
                arrived.get_or_insert(at);
                left = at;
            }
            let now = detector.look(&picture, Duration::from_secs_f32(at)).state == State::Covered;
            if now && !raised {
                // A hand on its way is over the face before it lies where it goes.
                let expected = matches!(case, Case::On(_)) && at > 4.2 && at < left.min(9.6) + LATE;
                match expected {
                    true => _ = noticed.get_or_insert(at),
                    false => sum.alarms += 1,
                }
            }
            raised = now;
        }
        match case {
            Case::On(_) => {
                sum.hands += 1;
                sum.noticed += u32::from(noticed.is_some());
                sum.delay +=
                    noticed.zip(arrived).map_or(0.0, |(noticed, arrived)| (noticed - arrived).max(0.0));
            }
            _ => sum.free += 1,
        }
    }
    sum
}
