//! What is VP9's own (VP9 Bitstream & Decoding Process Specification): its uncompressed header, frames that travel
//! together, and how its encoder is tuned. The rest is [`super::vpx`]'s.
//!
//! Unlike VP8, a frame that is no keyframe may bring a size of its own, and one piece of data may hold several frames.
//! So each frame is cut out, its header is read, and libvpx gets it alone: what follows it is never taken for another.

use std::ffi::c_int;

use vpx_sys::{AQ_MODE, vp8e_enc_control_id as control, vp9e_tune_content as content};

use super::vpx::{Header, Settings};

/// The speed for conversation.
pub(super) const REALTIME_SPEED: i32 = 7;

/// `frame_sync_code` (section 7.2).
const SYNC: u32 = 0x49_8342;
/// `color_space` of RGB, which profile 0 cannot have (section 7.2.2).
const RGB: u32 = 7;
/// The first bits of a superframe index (annex B.2).
const INDEX: u8 = 0b1100_0000;
const INDEX_MASK: u8 = 0b1110_0000;

/// Reads the uncompressed header (section 6.2); `None` when these bytes cannot start a frame of profile 0.
pub fn header(data: &[u8]) -> Option<Header> {
    let mut bits = Bits { data, at: 0 };
    // The frame marker, and the profile.
    if bits.read(2)? != 2 || bits.read(2)? != 0 {
        return None;
    }
    let shows_existing = bits.flag()?;
    if shows_existing {
        return Some(Header::Inter);
    }
    let inter = bits.flag()?;
    let shown = bits.flag()?;
    let error_resilient = bits.flag()?;
    if !inter {
        if bits.read(24)? != SYNC || bits.read(3)? == RGB {
            return None;
        }
        let _range = bits.flag()?;
        let (width, height) = bits.size()?;
        return Some(Header::Key { width, height });
    }
    let intra_only = !shown && bits.flag()?;
    if !error_resilient {
        let _reset = bits.read(2)?;
    }
    if intra_only && bits.read(24)? != SYNC {
        return None;
    }
    let _refreshed = bits.read(8)?;
    if !intra_only {
        let _references = bits.read(3 * 4)?;
        for _ in 0..3 {
            let as_large_as_reference = bits.flag()?;
            if as_large_as_reference {
                return Some(Header::Inter);
            }
        }
    }
    let (width, height) = bits.size()?;
    Some(Header::Resized { width, height })
}

/// The frames in one piece of data, by its superframe index if there is one (annex B); `None` when that is damaged.
pub(super) fn frames(data: &[u8]) -> Option<Vec<&[u8]>> {
    let &last = data.last()?;
    if last & INDEX_MASK != INDEX {
        return Some(vec![data]);
    }
    let count = usize::from(last & 7) + 1;
    let width = usize::from(last >> 3 & 3) + 1;
    let (mut rest, index) = data.split_at_checked(data.len().checked_sub(2 + count * width)?)?;
    if *index.first()? != last {
        return None;
    }
    let mut frames = Vec::with_capacity(count);
    for size in index[1..].chunks_exact(width).take(count) {
        let size = size.iter().rev().fold(0, |size, &byte| size << 8 | usize::from(byte));
        let (frame, after) = rest.split_at_checked(size)?;
        if !frame.is_empty() {
            frames.push(frame);
        }
        rest = after;
    }
    Some(frames)
}

/// A frame with an index that says that it is the only one.
pub(super) fn alone(frame: &[u8]) -> Vec<u8> {
    let size = u32::try_from(frame.len()).unwrap_or(u32::MAX);
    let marker = INDEX | 3 << 3;
    let mut data = Vec::with_capacity(frame.len() + 6);
    data.extend_from_slice(frame);
    data.push(marker);
    data.extend_from_slice(&size.to_le_bytes());
    data.push(marker);
    data
}

/// What the encoder is told before the first picture.
pub(super) fn controls(settings: &Settings) -> [(control, c_int); 7] {
    let tune = if settings.screen { content::VP9E_CONTENT_SCREEN } else { content::VP9E_CONTENT_DEFAULT };
    [
        // Below 5 it is no encoder for real time.
        (control::VP8E_SET_CPUUSED, settings.cpu_used.clamp(5, 9)),
        (control::VP9E_SET_AQ_MODE, AQ_MODE::CYCLIC_REFRESH_AQ as c_int),
        (control::VP9E_SET_TUNE_CONTENT, tune as c_int),
        (control::VP8E_SET_STATIC_THRESHOLD, if settings.screen { 100 } else { 1 }),
        (control::VP9E_SET_NOISE_SENSITIVITY, 0),
        (control::VP9E_SET_FRAME_PARALLEL_DECODING, c_int::from(settings.error_resilient)),
        (control::VP9E_SET_ROW_MT, c_int::from(settings.threads > 1)),
    ]
}

/// Bits, most significant first.
struct Bits<'a> {
    data: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn read(&mut self, count: usize) -> Option<u32> {
        (0..count).try_fold(0, |value, _| Some(value << 1 | u32::from(self.flag()?)))
    }

    fn flag(&mut self) -> Option<bool> {
        let byte = self.data.get(self.at / 8)?;
        let bit = byte >> (7 - self.at % 8) & 1;
        self.at += 1;
        Some(bit != 0)
    }

    fn size(&mut self) -> Option<(u32, u32)> {
        Some((self.read(16)? + 1, self.read(16)? + 1))
    }
}

#[cfg(test)]
mod tests;
