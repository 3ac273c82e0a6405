//! Live video by iTerm2's inline images (OSC 1337), which WezTerm and others have too.
//!
//! Every frame is a JPEG drawn over the one before; how good, and how large before the terminal scales it, follows the quality.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::ExtendedColorType;
use image::codecs::jpeg::JpegEncoder;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::{Painter, Quality, Settings};
use super::cover::{Cover, pixels};
use super::picture::Picture;
use super::tmux;
use crate::media::frame::VideoFrame;

/// Bytes of base64 in one sequence inside tmux, which drops sequences above a megabyte. What is longer is sent in parts, which
/// iTerm2 understands from 3.5 on.
const MOST: usize = 1_000_000;

/// A picture drawn by inline images.
pub struct Iterm2 {
    settings: Settings,
    cover: Cover,
    picture: Picture,
    quality: Quality,
    pending: bool,
    rgb: Vec<u8>,
    jpeg: Vec<u8>,
    encoded: String,
    /// The sequence before it is wrapped for tmux.
    sequence: Vec<u8>,
}

impl Iterm2 {
    /// A picture of which nothing is drawn yet.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        Self {
            settings: settings.clone(),
            cover: Cover::default(),
            picture: Picture::default(),
            quality: Quality::default(),
            pending: false,
            rgb: Vec::new(),
            jpeg: Vec::new(),
            encoded: String::new(),
            sequence: Vec::new(),
        }
    }

    /// Appends one sequence, positioned where the picture is: tmux hands on what is inside the wrapping at the position
    /// that the terminal outside has at that moment.
    fn send(&mut self, out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
        self.sequence.clear();
        self.cover.home(&mut self.sequence);
        body(&mut self.sequence);
        self.sequence.push(0x07);
        if self.settings.tmux {
            tmux::wrap(&self.sequence, out);
        } else {
            out.extend_from_slice(&self.sequence);
        }
    }
}

impl Painter for Iterm2 {
    fn update(&mut self, frame: &VideoFrame, area: Rect, quality: Quality) {
        let before = self.cover.area();
        self.cover.take(frame, area, self.settings.cell, 1.0);
        self.quality = quality;
        let covered = self.cover.area();
        if covered.is_empty() {
            return;
        }
        let scale = if quality.scale > 0.0 && quality.scale < 1.0 { quality.scale } else { 1.0 };
        let screen = pixels(covered, self.settings.cell);
        let side = |frame: u32, screen: u32| ((frame.min(screen) as f32 * scale).round() as u32).max(1);
        let (width, height) = (side(frame.width(), screen.0), side(frame.height(), screen.1));
        self.pending |= self.picture.take(frame, width, height) || before != covered;
    }

    fn area(&self) -> Rect {
        self.cover.area()
    }

    fn place(&self, buffer: &mut Buffer) {
        self.cover.skip(buffer);
    }

    fn graphics(&mut self, out: &mut Vec<u8>) {
        let area = self.cover.area();
        if area.is_empty() || !self.pending && self.cover.is_drawn() {
            return;
        }
        self.pending = false;
        self.cover.settle(out);
        self.rgb.resize(self.picture.packed_len(), 0);
        self.picture.pack(&mut self.rgb);
        self.jpeg.clear();
        let (width, height) = (self.picture.width() as u32, self.picture.height() as u32);
        let encoded = JpegEncoder::new_with_quality(&mut self.jpeg, jpeg_quality(self.quality)).encode(
            &self.rgb,
            width,
            height,
            ExtendedColorType::Rgb8,
        );
        if encoded.is_err() {
            // Only a size that the format does not have can be refused, and none is drawn.
            return;
        }
        self.encoded.clear();
        STANDARD.encode_string(&self.jpeg, &mut self.encoded);
        let encoded = std::mem::take(&mut self.encoded);
        let options = format!(
            "inline=1;size={};width={};height={};preserveAspectRatio=0;doNotMoveCursor=1",
            self.jpeg.len(),
            area.width,
            area.height
        );
        // Writing to memory does not fail.
        if !self.settings.tmux || encoded.len() <= MOST {
            self.send(out, |out| {
                let _ = write!(out, "\x1b]1337;File={options}:{encoded}");
            });
        } else {
            self.send(out, |out| {
                let _ = write!(out, "\x1b]1337;MultipartFile={options}");
            });
            for part in encoded.as_bytes().chunks(MOST) {
                self.send(out, |out| {
                    out.extend_from_slice(b"\x1b]1337;FilePart=");
                    out.extend_from_slice(part);
                });
            }
            self.send(out, |out| out.extend_from_slice(b"\x1b]1337;FileEnd"));
        }
        self.encoded = encoded;
    }

    fn forget(&mut self) {
        self.cover.forget();
    }

    fn remove(&mut self, out: &mut Vec<u8>) {
        self.cover.clear(out);
    }
}

/// JPEG's quality for a threshold: nearly all there is at 0, 80 at the usual 16, 30 when hardly any bytes are left.
fn jpeg_quality(quality: Quality) -> u8 {
    let threshold = if quality.threshold.is_finite() { quality.threshold } else { 0.0 };
    (92.0 - 0.75 * threshold.clamp(0.0, 1000.0)).clamp(30.0, 92.0) as u8
}
