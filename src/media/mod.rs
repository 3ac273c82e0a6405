//! Pictures and sound: formats, sources and sinks, codecs, the measured truth about what was decoded.
//!
//! Owns everything between "a picture or a block of sound exists" and "an RTP packet exists", both ways.
//! Must not know calls, sessions, signaling or the WebRTC crate: packets leave and arrive through the small
//! seams of the pipeline. Driven by the pipeline's own threads; nothing in here sleeps, reads a clock
//! (but [`clock`]) or touches the async runtime.

pub mod alert;
pub mod clock;
pub mod codec;
pub mod device;
pub mod echo;
pub mod error;
pub mod file;
pub mod frame;
pub mod measure;
pub mod monitor;
pub mod pipeline;
pub mod record;
pub mod resample;
pub mod rtp;
pub mod scale;
pub mod sink;
pub mod soundcheck;
pub mod source;
pub mod spec;
pub mod synthetic;
pub mod voice;

pub use clock::WallTime;
pub use error::Error;
pub use frame::{SAMPLE_RATE, VideoFormat, VideoFrame};
pub use monitor::Monitor;
pub use sink::{AudioSink, VideoSink};
pub use source::{AudioSource, VideoSource};
