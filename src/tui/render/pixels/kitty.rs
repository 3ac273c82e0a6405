//! Live video by the kitty graphics protocol.
//!
//! Every frame replaces the image of its picture, under the same id and placement, so nothing is taken off the screen between two
//! frames and nothing piles up in the terminal. On the same machine the pixels go through shared memory, otherwise
//! deflated and at half the resolution through the terminal's own line; the terminal scales. Inside tmux the image
//! is drawn by placeholder cells, which tmux moves as it moves text.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Color;

use super::super::{Depth, Painter, Quality, Settings};
use super::cover::{Cover, pixels};
use super::picture::Picture;
use super::{placeholder, tmux};
use crate::media::frame::VideoFrame;

/// Bytes of base64 in one sequence, as the protocol limits it.
const CHUNK: usize = 4096;

/// A picture drawn by the kitty protocol.
pub struct Kitty {
    settings: Settings,
    id: u32,
    cover: Cover,
    picture: Picture,
    pending: bool,
    #[cfg(unix)]
    shared: super::shared::Shared,
    rgb: Vec<u8>,
    deflated: Vec<u8>,
    encoded: String,
    /// The sequence before it is wrapped for tmux.
    sequence: Vec<u8>,
}

impl Kitty {
    /// A picture with the id that the settings' number and this process make; nothing is drawn yet.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        Self {
            settings: settings.clone(),
            id: id(settings),
            cover: Cover::default(),
            picture: Picture::default(),
            pending: false,
            #[cfg(unix)]
            shared: super::shared::Shared::default(),
            rgb: Vec::new(),
            deflated: Vec::new(),
            encoded: String::new(),
            sequence: Vec::new(),
        }
    }

    /// Sends the pixels in shared memory; false when there is none to be had.
    #[cfg(unix)]
    fn send_shared(&mut self, out: &mut Vec<u8>) -> bool {
        let Ok(name) = self.shared.put(&self.rgb) else {
            return false;
        };
        self.encoded.clear();
        STANDARD.encode_string(name.to_bytes(), &mut self.encoded);
        let size = format!("t=s,S={},", self.rgb.len());
        self.send(&size, out);
        true
    }

    #[cfg(not(unix))]
    fn send_shared(&mut self, _out: &mut Vec<u8>) -> bool {
        false
    }

    /// Sends the pixels themselves, deflated.
    fn send_inline(&mut self, out: &mut Vec<u8>) {
        self.deflated.clear();
        let mut encoder = ZlibEncoder::new(&mut self.deflated, Compression::fast());
        // Writing to memory does not fail.
        let _ = encoder.write_all(&self.rgb);
        let _ = encoder.finish();
        self.encoded.clear();
        STANDARD.encode_string(&self.deflated, &mut self.encoded);
        self.send("o=z,", out);
    }

    /// Appends `encoded` as one image, in as many sequences as it takes.
    fn send(&mut self, how: &str, out: &mut Vec<u8>) {
        let area = self.cover.area();
        let (width, height) = (self.picture.width(), self.picture.height());
        let place = if self.settings.tmux { "U=1," } else { "p=1,C=1," };
        let mut chunks = self.encoded.as_bytes().chunks(CHUNK).peekable();
        let mut first = true;
        while let Some(chunk) = chunks.next() {
            let more = u8::from(chunks.peek().is_some());
            self.sequence.clear();
            let sequence = &mut self.sequence;
            // Writing to memory does not fail.
            let _ = if first {
                write!(
                    sequence,
                    "\x1b_Ga=T,q=2,i={},{place}z={},c={},r={},f=24,s={width},v={height},{how}m={more};",
                    self.id, self.settings.picture, area.width, area.height
                )
            } else {
                write!(sequence, "\x1b_Gm={more},q=2;")
            };
            sequence.extend_from_slice(chunk);
            sequence.extend_from_slice(b"\x1b\\");
            first = false;
            if self.settings.tmux {
                tmux::wrap(sequence, out);
            } else {
                out.extend_from_slice(sequence);
            }
        }
    }
}

impl Painter for Kitty {
    fn update(&mut self, frame: &VideoFrame, area: Rect, quality: Quality) {
        // The resolution gives way to the byte budget, not the size: the terminal scales.
        let pane = if self.settings.tmux {
            Rect {
                width: area.width.min(placeholder::MOST),
                height: area.height.min(placeholder::MOST),
                ..area
            }
        } else {
            area
        };
        let before = self.cover.area();
        self.cover.take(frame, pane, self.settings.cell, 1.0);
        let covered = self.cover.area();
        if covered.is_empty() {
            return;
        }
        let scale = if quality.scale > 0.0 && quality.scale < 1.0 { quality.scale } else { 1.0 };
        let scale = if self.settings.shared_memory { scale } else { scale / 2.0 };
        let screen = pixels(covered, self.settings.cell);
        let side = |frame: u32, screen: u32| ((frame.min(screen) as f32 * scale).round() as u32).max(1);
        let (width, height) = (side(frame.width(), screen.0), side(frame.height(), screen.1));
        self.pending |= self.picture.take(frame, width, height) || before != covered;
    }

    fn area(&self) -> Rect {
        self.cover.area()
    }

    fn place(&self, buffer: &mut Buffer) {
        if !self.settings.tmux {
            self.cover.skip(buffer);
            return;
        }
        let area = self.cover.area();
        let colour = colour(self.id, self.settings.depth);
        for position in area.intersection(buffer.area).positions() {
            if let Some(cell) = buffer.cell_mut(position) {
                placeholder::fill(cell, position.y - area.y, position.x - area.x, colour);
            }
        }
    }

    fn graphics(&mut self, out: &mut Vec<u8>) {
        if self.cover.area().is_empty() || !self.pending && self.cover.is_drawn() {
            return;
        }
        self.pending = false;
        if self.settings.tmux {
            self.cover.mark_drawn();
        } else {
            self.cover.settle(out);
            self.cover.home(out);
        }
        self.rgb.resize(self.picture.packed_len(), 0);
        let mut rgb = std::mem::take(&mut self.rgb);
        self.picture.pack(&mut rgb);
        self.rgb = rgb;
        if !(self.settings.shared_memory && self.send_shared(out)) {
            self.send_inline(out);
        }
    }

    fn forget(&mut self) {
        self.cover.forget();
    }

    fn remove(&mut self, out: &mut Vec<u8>) {
        let sequence = format!("\x1b_Ga=d,d=I,i={},q=2\x1b\\", self.id);
        if self.settings.tmux {
            tmux::wrap(sequence.as_bytes(), out);
        } else {
            out.extend_from_slice(sequence.as_bytes());
        }
        self.cover.forget();
    }
}

/// The image's number in the terminal. Other programs in other windows or panes of the terminal share the numbers, so
/// this process has some of its own; where a placeholder's colour can't carry them, only the picture's number is left.
fn id(settings: &Settings) -> u32 {
    let picture = settings.picture.clamp(1, 0xff);
    if settings.tmux && settings.depth != Depth::Truecolor {
        return picture;
    }
    (std::process::id() & 0xffff) << 8 | picture
}

/// The colour that names an image.
fn colour(id: u32, depth: Depth) -> Color {
    let [_, red, green, blue] = id.to_be_bytes();
    if depth == Depth::Truecolor { Color::Rgb(red, green, blue) } else { Color::Indexed(blue) }
}
