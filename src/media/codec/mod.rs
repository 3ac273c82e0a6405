//! The codecs: VP8 for pictures, Opus for sound.
//!
//! Owns the only `unsafe` code of media, inside safe wrappers. Must not know RTP or where frames come from.

pub mod opus;
pub mod vp8;

use bytes::Bytes;

use super::WallTime;

/// One picture as the video encoder left it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedFrame {
    /// The encoded bytes.
    pub data: Bytes,
    /// Whether it can be decoded without any earlier frame.
    pub keyframe: bool,
    /// Its time on the 90 kHz media clock (RFC 7741 section 4.1).
    pub timestamp: u32,
    /// When the picture was taken.
    pub captured: WallTime,
    /// Pixels a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
}
