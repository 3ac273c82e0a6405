//! What is VP8's own (RFC 6386): its frame tag and how its encoder is tuned. The rest is [`super::vpx`]'s.

use std::ffi::c_int;

use vpx_sys::vp8e_enc_control_id as control;

use super::vpx::{Header, Settings};

/// The speed for conversation.
pub(super) const REALTIME_SPEED: i32 = -6;

/// Reads the frame tag (section 9.1); `None` when these bytes cannot start a frame.
pub fn header(data: &[u8]) -> Option<Header> {
    let tag = data.get(..3)?;
    if tag[0] & 1 != 0 {
        return Some(Header::Inter);
    }
    let rest = data.get(3..10)?;
    if rest[..3] != [0x9d, 0x01, 0x2a] {
        return None;
    }
    let side = |low: u8, high: u8| u32::from(u16::from_le_bytes([low, high]) & 0x3fff);
    Some(Header::Key { width: side(rest[3], rest[4]), height: side(rest[5], rest[6]) })
}

/// What the encoder is told before the first picture.
pub(super) fn controls(settings: &Settings) -> [(control, c_int); 5] {
    [
        (control::VP8E_SET_CPUUSED, settings.cpu_used.clamp(-16, 16)),
        (control::VP8E_SET_TOKEN_PARTITIONS, settings.token_partitions.min(3) as c_int),
        (control::VP8E_SET_STATIC_THRESHOLD, if settings.screen { 100 } else { 1 }),
        (control::VP8E_SET_NOISE_SENSITIVITY, 0),
        (control::VP8E_SET_SCREEN_CONTENT_MODE, c_int::from(settings.screen)),
    ]
}
