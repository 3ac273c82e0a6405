//! How fast a ring between two clocks is emptied, so that what waits in it stays as little as it may be.
//!
//! Owns the aim and the speed. Must not know rings, devices or clocks: it is told how much waits and answers with a speed, so an hour
//! of drift is simulated in seconds. Driven by the microphone's reader and the speaker's writer, once a block.

/// What is held beyond what the device's blocks need, in seconds: what the threads of both sides are late by.
const LEAST_MARGIN: f64 = 0.005;
const MOST_MARGIN: f64 = 0.060;
/// The margin to begin with: nobody knows the threads yet, and at the beginning of a call they have most to do.
const FIRST_MARGIN: f64 = 0.012;
/// What a gap in the sound adds to the margin, and how much of it a calm second takes away.
const AFTER_GAP: f64 = 0.004;
const CALM_SECOND: f64 = 0.000_1;
/// More than this beyond the aim is dropped at once instead of played faster.
const MOST_EXCESS: f64 = 0.040;
/// By how much a second the longest block of the device is forgotten.
const FORGET: f64 = 0.001;

/// Seconds over which the fill is averaged, and over which a change of speed is spread: what threads are late by must not be heard.
const AVERAGE: f64 = 3.0;
const SPREAD: f64 = 1.0;
/// Speed for each second of fill that is too much, and for each second squared: critically damped, settled after some 20 s.
const PROPORTIONAL: f64 = 0.1;
const INTEGRAL: f64 = PROPORTIONAL * PROPORTIONAL / 4.0;
/// Clocks that differ by more than this are broken; a speed beyond it can be heard.
const MOST_DRIFT: f64 = 0.002;
const MOST_SPEED: f64 = 0.005;

/// The control loop of one ring. All times are seconds.
pub(super) struct Elastic {
    margin: f64,
    /// The longest block of the device that the aim has to bridge.
    block: f64,
    average: Option<f64>,
    drift: f64,
    /// The answer without its 1.
    bend: f64,
}

impl Elastic {
    pub(super) fn new() -> Self {
        Self { margin: FIRST_MARGIN, block: 0.0, average: None, drift: 0.0, bend: 0.0 }
    }

    /// How much should wait.
    pub(super) fn aim(&self) -> f64 {
        self.block + self.margin
    }

    /// Told once every `passed` seconds how much waits and the longest block since the last time; answers how fast to empty the ring,
    /// 1 being the clock's own speed.
    pub(super) fn steer(&mut self, waits: f64, block: f64, passed: f64) -> f64 {
        self.block = block.max(self.block - FORGET * passed);
        self.margin = (self.margin - CALM_SECOND * passed).max(LEAST_MARGIN);
        let average = self.average.map_or(waits, |average| average + (waits - average) * passed / AVERAGE);
        self.average = Some(average);
        let error = average - self.aim();
        self.drift = (self.drift + INTEGRAL * error * passed).clamp(-MOST_DRIFT, MOST_DRIFT);
        let wanted = (self.drift + PROPORTIONAL * error).clamp(-MOST_SPEED, MOST_SPEED);
        self.bend += (wanted - self.bend) * passed / SPREAD;
        1.0 + self.bend
    }

    /// How much to drop now, when that much is too much to be played away.
    pub(super) fn excess(&self, waits: f64) -> Option<f64> {
        Some(waits - self.aim()).filter(|&excess| excess > MOST_EXCESS)
    }

    /// The ring ran dry: more is held from now on.
    pub(super) fn ran_dry(&mut self) {
        self.margin = (self.margin + AFTER_GAP).min(MOST_MARGIN);
        self.average = None;
    }

    /// The ring was brought to the aim by hand.
    pub(super) fn refilled(&mut self) {
        self.average = None;
    }
}
