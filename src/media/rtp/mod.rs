//! RTP as plain data in virtual time: packets, sequence unwrapping, VP8 and VP9 payloads, video frame
//! assembly, the audio jitter buffer and the alignment of sound with picture.
//!
//! Nothing here reads a clock, owns a thread or touches a codec: every instant is an argument.
//! It must not know sockets, SRTP or the peer connection; `media::pipeline` drives it.

pub mod assembly;
pub mod delay;
pub mod jitter;
pub mod opus;
pub mod packet;
pub mod sequence;
pub mod stretch;
pub mod sync;
pub mod video;
mod vp8;
mod vp9;

#[cfg(test)]
pub(crate) mod wire;

pub use assembly::Assembly;
pub use jitter::JitterBuffer;
pub use packet::RtpPacket;

/// Why bytes from the network are not what they claim to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The bytes end before the header does.
    #[error("packet ends within its header")]
    Truncated,
    /// The two version bits are not 2 (RFC 3550, section 5.1).
    #[error("not RTP version 2")]
    Version,
    /// A payload descriptor that says what cannot be.
    #[error("a payload descriptor that makes no sense")]
    Descriptor,
    /// The padding count is zero or longer than the payload.
    #[error("padding longer than the payload")]
    Padding,
}
