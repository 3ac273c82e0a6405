//! Live video by DEC sixel graphics.
//!
//! Where the terminal keeps what lies beneath transparent pixels ([`Keeps`]), each frame is sent as what differs from the
//! picture on the screen: pixels that keep their colour are transparent, and bands of six rows without a change are
//! one byte. Elsewhere each frame is sent whole. The palette is kept until the scene is another one. Every
//! sequence defines the colours that it uses, because terminals differ in whether colours outlive a sequence.
//!
//! ```text
//!   Picture ─► dither ─► nearest colour ─► pick (what is painted, for its bytes) ─► band (in which order)
//!                 palette ──┘  └ shown: what the terminal has
//! ```

mod band;
mod dither;
mod nearest;
mod palette;
mod pick;
#[cfg(test)]
mod tests;

use std::io::Write;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::{Keeps, Painter, Quality, Settings};
use super::cover::{Cover, pixels};
use super::picture::Picture;
use super::rgb::{Chroma, Row, chroma_row, pixel, rgb_row, vectorised};
use super::tmux;
use crate::media::frame::{MAX_SIDE, VideoFrame};
use band::{Band, number};
use dither::{Pattern, SIDE};
use nearest::{Nearest, chroma_place, luma_place};
use palette::{Palette, percent};
use pick::{Colours, Job, ROWS, settle};

/// Frames that a palette is kept at least while the picture only drifts away from it.
const KEPT: u32 = 25;

/// Frames after which the picture is sent whole where only what is on the screen is kept: about a second of them.
const HEALED: u32 = 25;

/// Pixels a side at most where more is not known to be shown: xterm shows nothing at all of a picture with a longer side, unless
/// it is configured otherwise.
const LIMITED_SIDE: u32 = 1000;

/// A picture drawn by sixel graphics.
pub struct Sixel {
    settings: Settings,
    cover: Cover,
    picture: Picture,
    quality: Quality,
    pending: bool,
    palette: Option<Learnt>,
    nearest: Nearest,
    /// The number of the colour that each pixel on the screen has, if `known`.
    shown: Vec<u8>,
    known: bool,
    /// Sequences since the picture was last sent whole, which counts as the first.
    sent: u32,
    /// Frames since then.
    frames: u32,
    rows: Rows,
    band: Band,
    sequence: Vec<u8>,
}

/// A palette and how well it fitted the picture that it was learnt from.
struct Learnt {
    palette: Palette,
    colours: Box<Colours>,
    pattern: Pattern,
    /// Mean squared error when it was learnt.
    error: f32,
    /// Frames since.
    age: u32,
}

/// The rows of a band on their way to colours.
#[derive(Default)]
struct Rows {
    chroma: Chroma,
    chroma_places: Vec<u32>,
    dithered: Vec<u8>,
    row: Row,
    places: Vec<u32>,
    red: Vec<u8>,
    green: Vec<u8>,
    blue: Vec<u8>,
    nearest: Vec<u8>,
    open: Vec<u8>,
}

impl Sixel {
    /// A picture of which nothing is drawn yet.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        Self {
            settings: settings.clone(),
            cover: Cover::default(),
            picture: Picture::default(),
            quality: Quality::default(),
            pending: false,
            palette: None,
            nearest: Nearest::new(),
            shown: Vec::new(),
            known: false,
            sent: 0,
            frames: 0,
            rows: Rows::default(),
            band: Band::new(),
            sequence: Vec::new(),
        }
    }

    /// The palette for the picture: the one there is, unless the scene has changed.
    fn palette(&mut self) -> Learnt {
        if let Some(mut learnt) = self.palette.take() {
            learnt.age = learnt.age.saturating_add(1);
            let error = error(&self.picture, &learnt.palette, &mut self.nearest);
            let drifted = error > 1.5 * learnt.error + 4.0 && learnt.age > KEPT;
            let cut = error > 4.0 * learnt.error + 16.0;
            if !drifted && !cut {
                return learnt;
            }
        }
        let palette = Palette::learn(&self.picture, usize::from(self.settings.sixel_colours));
        self.nearest.clear();
        self.known = false;
        let mut colours = Box::new([[0; 4]; 256]);
        for (numbers, &[red, green, blue]) in colours.iter_mut().zip(palette.colours()) {
            *numbers = [red.into(), green.into(), blue.into(), 0];
        }
        let error = error(&self.picture, &palette, &mut self.nearest);
        // As much as the colours are apart; many colours need none that anyone could see.
        let pattern = dither::pattern((error.sqrt() * 0.6 - 2.0).max(0.0));
        Learnt { palette, colours, pattern, error, age: 0 }
    }

    /// True when the picture has to be sent whole again because only the screen keeps it. One that stands still is sent so once.
    fn is_worn(&self) -> bool {
        self.settings.sixel_keeps == Keeps::Shown && self.sent > 1 && self.frames >= HEALED
    }

    /// Appends to the sequence what has to be sent of the picture; false when that is nothing.
    fn draw(&mut self, learnt: &Learnt) -> bool {
        if self.known && self.settings.sixel_keeps == Keeps::Nothing {
            // A change that is not worth its own bytes is not worth those of a whole picture.
            let start = self.sequence.len();
            self.known = !self.bands(learnt, true);
            self.sequence.truncate(start);
            if self.known {
                return false;
            }
        }
        self.bands(learnt, false)
    }

    /// Appends the bands of the picture to the sequence, or only the `first` that has clearly changed; false when none has.
    fn bands(&mut self, learnt: &Learnt, first: bool) -> bool {
        let (width, height) = (self.picture.width(), self.picture.height());
        // Held pixels are worth less than a byte or two; what a byte is worth is what the quality says.
        let price = self.quality.threshold.clamp(0.0, 10_000.0) as i32;
        // Noise takes pixels across the threshold that lie just below it, in every frame a few others.
        let price = if first { 2 * price } else { price };
        let mut defined = [false; 256];
        let (mut skipped, mut any) = (0, false);
        for top in (0..height).step_by(ROWS) {
            let rows = ROWS.min(height - top);
            let shown = &mut self.shown[top * width..(top + rows) * width];
            self.rows.prepare(&self.picture, top, shown, self.known, learnt, &mut self.nearest);
            settle(&mut Job {
                width,
                red: &self.rows.red,
                green: &self.rows.green,
                blue: &self.rows.blue,
                nearest: &self.rows.nearest,
                shown,
                known: self.known,
                open: &self.rows.open,
                colours: &learnt.colours,
                price,
                band: &mut self.band,
            });
            if !self.band.is_empty() {
                self.sequence.extend(std::iter::repeat_n(b'-', skipped));
                (skipped, any) = (0, true);
                self.band.write(&mut self.sequence, |colour, out| {
                    select(colour, &learnt.palette, &mut defined, out);
                });
            }
            if any && first {
                break;
            }
            skipped += 1;
        }
        any
    }
}

impl Painter for Sixel {
    fn update(&mut self, frame: &VideoFrame, area: Rect, quality: Quality) {
        let before = self.cover.area();
        let side = if self.settings.sixel_keeps == Keeps::Everything { MAX_SIDE } else { LIMITED_SIDE };
        self.cover.take_within(frame, area, self.settings.cell, quality.scale, side);
        let covered = self.cover.area();
        if covered.is_empty() {
            return;
        }
        let (width, height) = pixels(covered, self.settings.cell);
        // Terminals round a picture up to whole bands, and scroll when that is too much for the screen.
        let bands = height / ROWS as u32;
        let height = if bands > 0 { bands * ROWS as u32 } else { height };
        self.pending |= self.picture.take(frame, width, height);
        self.frames = self.frames.saturating_add(1);
        self.pending |= self.settings.sixel_keeps == Keeps::Shown && self.is_worn();
        self.pending |= before != covered || self.quality != quality;
        self.quality = quality;
    }

    fn area(&self) -> Rect {
        self.cover.area()
    }

    fn place(&self, buffer: &mut Buffer) {
        self.cover.skip(buffer);
    }

    fn graphics(&mut self, out: &mut Vec<u8>) {
        if self.cover.area().is_empty() || !self.pending && self.cover.is_drawn() {
            return;
        }
        self.pending = false;
        let pixels = self.picture.width() * self.picture.height();
        if !self.cover.is_drawn() || self.shown.len() != pixels {
            self.known = false;
            self.cover.settle(out);
        }
        self.known &= !self.is_worn();
        self.shown.resize(pixels, 0);
        let learnt = self.palette();
        if !self.known {
            (self.sent, self.frames) = (0, 0);
        }
        self.sequence.clear();
        self.cover.home(&mut self.sequence);
        // Writing to memory does not fail.
        let _ = write!(self.sequence, "\x1bP7;1q\"1;1;{};{}", self.picture.width(), self.picture.height());
        if self.draw(&learnt) {
            self.sent = self.sent.saturating_add(1);
            self.sequence.extend_from_slice(b"\x1b\\");
            if self.settings.tmux {
                tmux::wrap(&self.sequence, out);
            } else {
                out.extend_from_slice(&self.sequence);
            }
        }
        self.known = true;
        self.palette = Some(learnt);
    }

    fn forget(&mut self) {
        self.known = false;
        self.cover.forget();
    }

    fn remove(&mut self, out: &mut Vec<u8>) {
        self.known = false;
        self.cover.clear(out);
    }
}

impl Rows {
    /// Reads the band that begins at row `top` and finds the nearest colours and where they are not the `shown` ones.
    fn prepare(
        &mut self,
        picture: &Picture,
        top: usize,
        shown: &[u8],
        known: bool,
        learnt: &Learnt,
        nearest: &mut Nearest,
    ) {
        let width = picture.width();
        let rows = shown.len() / width;
        for plane in [&mut self.red, &mut self.green, &mut self.blue, &mut self.nearest] {
            plane.resize(ROWS * width, 0);
        }
        self.open.clear();
        self.open.resize(width, if known { 0 } else { u8::MAX });
        for (row, shown) in shown.chunks_exact(width).enumerate().take(rows) {
            let y = top + row;
            let [luma, u, v] = picture.row(y);
            if y.is_multiple_of(2) {
                chroma_row(u, v, width, &mut self.chroma);
                chroma_places_row(u, v, width, &mut self.chroma_places);
            }
            places_row(
                luma,
                &self.chroma_places,
                &learnt.pattern[y % SIDE],
                &mut self.dithered,
                &mut self.places,
            );
            rgb_row(&self.dithered, &self.chroma, &mut self.row);
            let here = row * width..(row + 1) * width;
            self.red[here.clone()].copy_from_slice(&self.row.red);
            self.green[here.clone()].copy_from_slice(&self.row.green);
            self.blue[here.clone()].copy_from_slice(&self.row.blue);
            let colours = &mut self.nearest[here];
            for (colour, &place) in colours.iter_mut().zip(&self.places) {
                *colour = nearest.at(place, &learnt.palette);
            }
            for ((open, colour), shown) in self.open.iter_mut().zip(colours).zip(shown) {
                *open |= u8::from(colour != shown) << row;
            }
        }
    }
}

/// Appends the choice of a colour, after its definition the first time. A DEC terminal chooses a colour by defining it, xterm does
/// not, so it is always chosen as well.
fn select(colour: u8, palette: &Palette, defined: &mut [bool; 256], out: &mut Vec<u8>) {
    let defined = &mut defined[usize::from(colour)];
    if let Some(&channels) = palette.colours().get(usize::from(colour))
        && !*defined
    {
        *defined = true;
        out.push(b'#');
        number(out, u32::from(colour));
        out.extend_from_slice(b";2");
        for channel in channels {
            out.push(b';');
            number(out, u32::from(percent(channel)));
        }
    }
    out.push(b'#');
    number(out, u32::from(colour));
}

/// The mean squared error of the nearest colours, by one pixel in 64.
fn error(picture: &Picture, palette: &Palette, nearest: &mut Nearest) -> f32 {
    let (mut sum, mut count) = (0_u64, 0_u64);
    for y in (0..picture.height()).step_by(8) {
        let [luma, u, v] = picture.row(y);
        for (x, &luma) in luma.iter().enumerate().step_by(8) {
            let (u, v) = (u[x / 2], v[x / 2]);
            let colour = nearest.at(luma_place(u32::from(luma)) | chroma_place(u, v), palette);
            let shown = palette.colours().get(usize::from(colour)).copied().unwrap_or_default();
            for (have, wanted) in shown.into_iter().zip(pixel(luma, u, v)) {
                sum += u64::from(have.abs_diff(wanted)).pow(2);
            }
            count += 3;
        }
    }
    sum as f32 / count.max(1) as f32
}

vectorised!(
    /// The places of a row's chroma, for every pixel of it.
    chroma_places_row, chroma_places_row_inner, (u: &[u8], v: &[u8], width: usize, out: &mut Vec<u32>)
);

#[inline(always)]
fn chroma_places_row_inner(u: &[u8], v: &[u8], width: usize, out: &mut Vec<u32>) {
    out.resize(width.next_multiple_of(2), 0);
    for ((pair, &u), &v) in out.chunks_exact_mut(2).zip(u).zip(v) {
        pair.fill(chroma_place(u, v));
    }
    out.truncate(width);
}

vectorised!(
    /// The luma of a row with its dither, and the places of its pixels.
    places_row,
    places_row_inner,
    (luma: &[u8], chroma: &[u32], dither: &[i16; SIDE], dithered: &mut Vec<u8>, places: &mut Vec<u32>)
);

#[inline(always)]
fn places_row_inner(
    luma: &[u8],
    chroma: &[u32],
    dither: &[i16; SIDE],
    dithered: &mut Vec<u8>,
    places: &mut Vec<u32>,
) {
    dithered.resize(luma.len(), 0);
    places.resize(luma.len(), 0);
    for (dithered, luma) in dithered.chunks_mut(SIDE).zip(luma.chunks(SIDE)) {
        for ((dithered, &luma), &dither) in dithered.iter_mut().zip(luma).zip(dither) {
            *dithered = (i16::from(luma) + dither).clamp(0, 255) as u8;
        }
    }
    for ((place, &luma), &chroma) in places.iter_mut().zip(&*dithered).zip(chroma) {
        *place = luma_place(u32::from(luma)) | chroma;
    }
}
