//! What truly arrived: meters for decoded pictures and sound.
//!
//! Owns counters and histograms of bounded size, whatever the length of a call. Must not know codecs or the network;
//! fed by the pipeline with what is shown and played and when, and read at any time.

pub mod audio;
pub mod histogram;
pub mod quality;
pub mod video;

pub use audio::{AudioMeter, AudioReport};
pub use histogram::{Distribution, Histogram};
pub use video::{VideoMeter, VideoReport};
