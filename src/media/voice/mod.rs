//! What is done to a voice between the microphone and the encoder: echo, noise and level, and whether somebody speaks.
//!
//! Owns the signal processing, and the way of the played sound to it. Must not know devices, threads or packets: the
//! pipeline gives what it plays to [`Reference`] on one thread and what it captured to [`Capture`] on another. Nothing
//! in here sleeps, locks or reads a clock.
//!
//! ```text
//! played   -> Reference -> ring (bounded, lock-free)
//!                             |
//! captured -> Capture: high pass, echo, noise, gain -> encoder
//! ```

mod activity;
mod capture;
mod fade;
mod reference;

pub use activity::Activity;
pub use capture::Capture;
pub use fade::Fade;
pub use reference::Reference;

use super::SAMPLE_RATE;

/// Samples in the frame that is worked on: 10 ms.
pub const FRAME: usize = SAMPLE_RATE as usize / 100;

/// What to do to a voice. With everything off not one sample is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Take out of the captured sound what the loudspeaker played.
    pub echo_cancellation: bool,
    /// Make steady noise softer, by about 12 dB.
    pub noise_suppression: bool,
    /// Bring soft voices nearer to a common level, by 9 dB at most, and keep loud ones from clipping.
    pub gain: bool,
}

impl Settings {
    /// Leaves everything as it is.
    pub const OFF: Self = Self { echo_cancellation: false, noise_suppression: false, gain: false };
}

impl Default for Settings {
    /// Everything on.
    fn default() -> Self {
        Self { echo_cancellation: true, noise_suppression: true, gain: true }
    }
}

/// The two ends of the processing of one call: for the thread that captures, and for the one that plays.
#[must_use]
pub fn pair(settings: Settings) -> (Capture, Reference) {
    let (reference, played) = reference::ring();
    (Capture::new(settings, played), reference)
}

#[cfg(test)]
mod tests;
