//! Pipeline seam (temporary seam).

use crate::media::rtp::packet::RtpPacket;

/// Which of the two media of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Opus.
    Audio,
    /// VP8.
    Video,
}

/// Where encoded media goes. Never blocks.
pub trait Outlet: Send + Sync {
    /// Sends one packet, or drops it.
    fn send(&self, kind: Kind, packet: RtpPacket);
    /// Asks the other side for a keyframe.
    fn request_keyframe(&self);
}
