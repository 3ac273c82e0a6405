//! The codecs: VP8 and VP9 for pictures, Opus for sound.
//!
//! Owns the only `unsafe` code of media, inside safe wrappers. Must not know RTP or where frames come from.

pub mod opus;
pub mod vp8;
pub mod vp9;
pub mod vpx;

use bytes::Bytes;

use super::WallTime;

/// What pictures are encoded with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VideoCodec {
    /// RFC 6386; every end has it.
    Vp8,
    /// Profile 0; where both ends have it.
    Vp9,
}

impl VideoCodec {
    /// As reports name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Vp8 => "VP8",
            Self::Vp9 => "VP9",
        }
    }
}

/// One picture as the video encoder left it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedFrame {
    /// What it was encoded with.
    pub codec: VideoCodec,
    /// The encoded bytes.
    pub data: Bytes,
    /// Whether it can be decoded without any earlier frame.
    pub keyframe: bool,
    /// Its time on the 90 kHz media clock.
    pub timestamp: u32,
    /// When the picture was taken.
    pub captured: WallTime,
    /// Pixels a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
}
