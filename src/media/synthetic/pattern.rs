//! A moving picture that carries its frame number and capture time as blocks that survive a harsh codec.
//!
//! Four rows of twenty light and dark cells, two at the top and two at the bottom, hold 80 bits: 24 of the frame
//! number, 24 of the capture time in units of 256 us, and a CRC-32 of both. Between them a textured ground stands
//! still, a band scrolls and a disc bounces, so that the codec has real work. Everything is integer arithmetic:
//! the same number, time and size give the same bytes on every machine, which is what PSNR and SSIM are measured
//! against. Cells scale with the picture, so a picture that was scaled on the way still reads.

use crate::media::frame::{self, chroma_size};
use crate::media::{Error, VideoFormat, VideoFrame, VideoSource, WallTime};

/// The smallest picture whose cells can be told apart.
pub const MIN_SIZE: (u32, u32) = (80, 45);

/// Frame numbers count modulo this: at 25 frames a second they repeat after a week.
pub const NUMBERS: u64 = 1 << 24;

const COLUMNS: usize = 20;
const BITS: usize = 80;
/// Capture time is carried as microseconds shifted right by this, modulo 2^24: 71 minutes before it repeats.
const TIME_SHIFT: u32 = 8;
const TIMES: u64 = 1 << 24;
const DARK: u8 = 40;
const LIGHT: u8 = 216;
/// A cell whose mean is closer to the middle than this does not count as read.
const DOUBT: i32 = 32;
/// With more doubtful cells than this the picture does not read at all; with fewer both readings are tried.
/// 16 tries against 32 bits of CRC leave a wrong reading of noise at four in a thousand million.
const MAX_DOUBTFUL: usize = 4;

/// The `pattern` source, and the painter that repeats any of its pictures.
pub struct Pattern {
    format: VideoFormat,
    ground: VideoFrame,
    band: Band,
}

impl Pattern {
    /// A pattern of this size and rate.
    ///
    /// # Errors
    /// [`Error::Spec`] for a size below [`MIN_SIZE`] or above the largest picture.
    pub fn new(format: VideoFormat) -> Result<Self, Error> {
        frame::check_size(format.width, format.height)?;
        if format.width < MIN_SIZE.0 || format.height < MIN_SIZE.1 {
            let (width, height) = MIN_SIZE;
            return Err(Error::Spec(format!("a pattern must be at least {width}x{height}, not {format}")));
        }
        Ok(Self {
            format,
            ground: ground(format.width, format.height),
            band: Band::new(format.width, format.height),
        })
    }

    /// Whether the pictures have the size of `format`.
    pub fn paints(&self, format: VideoFormat) -> bool {
        (self.format.width, self.format.height) == (format.width, format.height)
    }

    /// Paints picture `number` as captured at `captured`.
    pub fn paint(&self, number: u64, captured: WallTime) -> VideoFrame {
        let number = number % NUMBERS;
        let mut picture = self.ground.clone();
        picture.captured = captured;
        self.band.paint(&mut picture, number);
        paint_disc(&mut picture, number);
        paint_code(&mut picture, code(number as u32, ticks(captured)));
        picture
    }
}

impl VideoSource for Pattern {
    fn format(&self) -> VideoFormat {
        self.format
    }

    fn frame(&mut self, index: u64, captured: WallTime) -> Result<Option<VideoFrame>, Error> {
        Ok(Some(self.paint(index, captured)))
    }
}

/// What a picture says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The frame number, modulo [`NUMBERS`].
    pub number: u64,
    /// The capture time to 128 us.
    pub captured: WallTime,
}

/// Reads a picture of any size. `near` is the reader's own time, within half an hour of the capture time by the
/// sender's clock. `None` for any picture that is not a pattern or is too damaged; never a wrong number.
pub fn read(picture: &VideoFrame, near: WallTime) -> Option<Reading> {
    if picture.width() < MIN_SIZE.0 || picture.height() < MIN_SIZE.1 {
        return None;
    }
    let mut bits: u128 = 0;
    let mut doubtful = [0; MAX_DOUBTFUL];
    let mut doubts = 0;
    for cell in 0..BITS {
        let level = mean(picture, cell) - 128;
        bits = bits << 1 | u128::from(level > 0);
        if level.abs() < DOUBT {
            *doubtful.get_mut(doubts)? = BITS - 1 - cell;
            doubts += 1;
        }
    }
    let reading = (0..1_u32 << doubts).find_map(|flips| {
        let candidate =
            (0..doubts).filter(|&i| flips >> i & 1 != 0).fold(bits, |bits, i| bits ^ 1 << doubtful[i]);
        decode(candidate)
    });
    reading.map(|(number, time)| Reading { number: u64::from(number), captured: nearest(time, near) })
}

fn ticks(captured: WallTime) -> u32 {
    (captured.micros() >> TIME_SHIFT) as u32 & (TIMES - 1) as u32
}

/// The time with these low ticks that is closest to `near`.
fn nearest(ticks: u32, near: WallTime) -> WallTime {
    let here = near.micros() >> TIME_SHIFT;
    let ahead = u64::from(ticks).wrapping_sub(here) & (TIMES - 1);
    let time = if ahead < TIMES / 2 { here + ahead } else { (here + ahead).saturating_sub(TIMES) };
    WallTime((time << TIME_SHIFT) + (1 << TIME_SHIFT >> 1))
}

fn code(number: u32, ticks: u32) -> u128 {
    let message = u64::from(number) << 24 | u64::from(ticks);
    u128::from(message) << 32 | u128::from(crc(message))
}

fn decode(bits: u128) -> Option<(u32, u32)> {
    let message = (bits >> 32) as u64;
    (crc(message) == bits as u32).then_some(((message >> 24) as u32, message as u32 & 0xff_ffff))
}

/// CRC-32 (the one of IEEE 802.3) of the 48-bit message.
fn crc(message: u64) -> u32 {
    let mut crc = !0_u32;
    for byte in &message.to_be_bytes()[2..] {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = crc >> 1 ^ if crc & 1 != 0 { 0xedb8_8320 } else { 0 };
        }
    }
    !crc
}

/// Pixel bounds (left, right, top, bottom) of a code cell. Consecutive cells fill squares of two by two, so that
/// at 160x90 a square is a macroblock and the slowly changing bits cost nothing.
fn cell_bounds(cell: usize, width: u32, height: u32) -> (usize, usize, usize, usize) {
    let (square, quarter) = (cell / 4, cell % 4);
    let column = square % (COLUMNS / 2) * 2 + quarter % 2;
    let row = square / (COLUMNS / 2) * 9 + quarter / 2;
    (
        column_edge(column, width),
        column_edge(column + 1, width),
        row_edge(row, width, height),
        row_edge(row + 1, width, height),
    )
}

fn column_edge(column: usize, width: u32) -> usize {
    column * width as usize / COLUMNS
}

/// Cells are square unless the picture is wider than 16:9, where eleven and a quarter rows fill its height.
fn row_edge(row: usize, width: u32, height: u32) -> usize {
    row * (9 * width as usize).min(16 * height as usize) / 180
}

/// Mean luma of the inner half of a cell.
fn mean(picture: &VideoFrame, cell: usize) -> i32 {
    let (left, right, top, bottom) = cell_bounds(cell, picture.width(), picture.height());
    let inset = |low: usize, high: usize| (low + (high - low) / 4, high - (high - low) / 4);
    let ((left, right), (top, bottom)) = (inset(left, right), inset(top, bottom));
    let width = picture.width() as usize;
    let mut sum = 0_u32;
    for row in picture.y()[top * width..bottom * width].chunks_exact(width) {
        sum += row[left..right].iter().map(|&y| u32::from(y)).sum::<u32>();
    }
    (sum / ((right - left) * (bottom - top)).max(1) as u32) as i32
}

fn paint_code(picture: &mut VideoFrame, bits: u128) {
    let (width, height) = (picture.width(), picture.height());
    let stride = width as usize;
    let (y, _, _) = picture.planes_mut();
    for cell in 0..BITS {
        let level = if bits >> (BITS - 1 - cell) & 1 != 0 { LIGHT } else { DARK };
        let (left, right, top, bottom) = cell_bounds(cell, width, height);
        for row in y[top * stride..bottom * stride].chunks_exact_mut(stride) {
            row[left..right].fill(level);
        }
    }
}

/// The rows between the two strips of code.
fn middle(width: u32, height: u32) -> (usize, usize) {
    (row_edge(2, width, height), row_edge(9, width, height))
}

/// What stands still: slow gradients with grain of two sizes; grey chroma under the code.
fn ground(width: u32, height: u32) -> VideoFrame {
    let mut picture = VideoFrame::black(width, height, WallTime(0));
    let (w, h) = (width as usize, height as usize);
    let (cw, ch) = picture.chroma_size();
    let (cw, ch) = (cw as usize, ch as usize);
    let (top, bottom) = middle(width, height);
    let coarse = (w / 20).max(4);
    let fine = (w / 80).max(2);
    let (y, u, v) = picture.planes_mut();
    y.fill(128);
    for row in top..bottom {
        for column in 0..w {
            let slope = 70 + 60 * column / w + 40 * row / h;
            let grain = noise(column, row, coarse, 1) / 4 + noise(column, row, fine, 2) / 16;
            y[row * w + column] = (slope + grain).min(235) as u8;
        }
    }
    for row in top / 2..(bottom / 2).min(ch) {
        for column in 0..cw {
            u[row * cw + column] = (104 + 48 * column / cw) as u8;
            v[row * cw + column] = (152 - 48 * row / ch) as u8;
        }
    }
    picture
}

/// A band of texture that scrolls sideways through the middle.
struct Band {
    top: usize,
    rows: usize,
    step: usize,
    luma: Vec<u8>,
}

impl Band {
    fn new(width: u32, height: u32) -> Self {
        let (top, bottom) = middle(width, height);
        let rows = (bottom - top) / 4 / 2 * 2;
        let top = (top + (bottom - top) * 5 / 8) / 2 * 2;
        let w = width as usize;
        let grain = (w / 40).max(4);
        let mut luma = vec![0; w * rows];
        for row in 0..rows {
            for column in 0..w {
                // Close to the right edge the texture fades into its own start, so that it can wrap around.
                let fade = (column + grain * 4).saturating_sub(w) * 256 / (grain * 4);
                let here = noise(column, row, grain, 3);
                let there = noise((column + grain * 4).saturating_sub(w), row, grain, 3);
                luma[row * w + column] = (60 + (here * (256 - fade) + there * fade) / 256 / 2) as u8;
            }
        }
        Self { top, rows, step: (w / 160).max(1), luma }
    }

    fn paint(&self, picture: &mut VideoFrame, number: u64) {
        let w = picture.width() as usize;
        let offset = (number % w as u64) as usize * self.step % w;
        let (y, _, _) = picture.planes_mut();
        let rows = y[self.top * w..].chunks_exact_mut(w).zip(self.luma.chunks_exact(w)).take(self.rows);
        for (row, texture) in rows {
            row[..w - offset].copy_from_slice(&texture[offset..]);
            row[w - offset..].copy_from_slice(&texture[..offset]);
        }
    }
}

/// A shaded, coloured disc that bounces between the strips of code.
fn paint_disc(picture: &mut VideoFrame, number: u64) {
    let (width, height) = (picture.width(), picture.height());
    let (top, bottom) = middle(width, height);
    let w = width as usize;
    let radius = ((bottom - top) / 6).min(w / 6).max(3);
    let step = (w / 160).max(1) as u64;
    // Even positions keep luma and chroma in step.
    let left = bounce(number * 2 * step, w - 2 * radius) / 2 * 2;
    let upper =
        top.div_ceil(2) * 2 + bounce(number * step, (bottom - top).saturating_sub(2 * radius + 2)) / 2 * 2;
    let chroma_stride = chroma_size(width, height).0 as usize;
    let (y, u, v) = picture.planes_mut();
    let square = (radius * radius) as i64;
    for dy in 0..2 * radius {
        let ry = dy as i64 - radius as i64;
        let half = isqrt(square - ry * ry);
        let row = &mut y[(upper + dy) * w + left + radius - half..][..2 * half];
        for (i, luma) in row.iter_mut().enumerate() {
            let rx = i as i64 - half as i64;
            *luma = (220 - 130 * (rx * rx + ry * ry) / square) as u8;
        }
        if dy % 2 == 0 {
            let start = (upper + dy) / 2 * chroma_stride + (left + radius - half) / 2;
            u[start..start + half].fill(90);
            v[start..start + half].fill(190);
        }
    }
}

/// Back and forth between 0 and `span`.
fn bounce(way: u64, span: usize) -> usize {
    let span = span.max(1) as u64;
    let at = way % (2 * span);
    (if at < span { at } else { 2 * span - at }) as usize
}

fn isqrt(square: i64) -> usize {
    square.max(0).unsigned_abs().isqrt() as usize
}

/// Smooth noise between 0 and 255 with features of `scale` pixels.
fn noise(x: usize, y: usize, scale: usize, seed: u32) -> usize {
    let (cx, cy) = (x / scale, y / scale);
    let (fx, fy) = (x % scale, y % scale);
    let corner = |dx: usize, dy: usize| hash((cx + dx) as u32, (cy + dy) as u32, seed) as usize;
    let upper = corner(0, 0) * (scale - fx) + corner(1, 0) * fx;
    let lower = corner(0, 1) * (scale - fx) + corner(1, 1) * fx;
    (upper * (scale - fy) + lower * fy) / (scale * scale)
}

fn hash(x: u32, y: u32, seed: u32) -> u8 {
    let mut h = x.wrapping_mul(0x9e37_79b1) ^ y.wrapping_mul(0x85eb_ca77) ^ seed.wrapping_mul(0xc2b2_ae3d);
    h = (h ^ h >> 15).wrapping_mul(0x2c1b_3c6d);
    h = (h ^ h >> 12).wrapping_mul(0x297a_2d39);
    (h >> 24) as u8 ^ (h >> 9) as u8
}

#[cfg(test)]
mod tests;
