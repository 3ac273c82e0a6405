//! The means of a frame over the parts of cells, one row of cells at a time.
//!
//! Owns the edges of the parts in the frame and the scratch rows, and keeps both between frames. Knows planes and
//! sizes; must not know glyphs. The mean of the pixels that a part covers, cut pixels by what is inside, is
//! all that least squares ask for, so no scaled picture is ever made: rows are added up for each band of a
//! cell, and a running sum along the band is looked up at the edges of the parts.

use crate::media::frame::VideoFrame;

/// A place along a row of pixels: whole pixels before it, and 256ths of the next.
#[derive(Debug, Clone, Copy, Default)]
struct Edge {
    whole: u32,
    rest: u32,
}

/// How one plane of a frame lies on cells.
#[derive(Debug, Default)]
pub(super) struct Plane {
    width: usize,
    height: usize,
    columns: usize,
    rows: usize,
    /// The edges of the eighths of all columns.
    edges: Vec<Edge>,
    /// One band: pixels added up with weights that add up to 256.
    band: Vec<u16>,
    /// The band's running sum, from 0.
    sums: Vec<u32>,
}

/// Parts of a cell that are read off one band.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parts {
    /// The cell from side to side.
    Whole = 8,
    /// Its two halves.
    Halves = 4,
    /// Its eight columns.
    Eighths = 1,
}

impl Plane {
    /// Prepares for planes of `size` (width, height) on so many columns and rows of cells.
    pub(super) fn prepare(&mut self, size: (u32, u32), columns: usize, rows: usize) {
        let (width, height) = (size.0 as usize, size.1 as usize);
        if (self.width, self.height, self.columns, self.rows) == (width, height, columns, rows) {
            return;
        }
        (self.width, self.height, self.columns, self.rows) = (width, height, columns, rows);
        let places = 8 * columns as u64;
        self.edges.clear();
        self.edges.extend((0..=places).map(|place| {
            let at = place * width as u64 * 256 / places.max(1);
            Edge { whole: (at / 256) as u32, rest: (at % 256) as u32 }
        }));
        self.band.resize(width + 1, 0);
        self.sums.resize(width + 1, 0);
    }

    /// Adds up the pixels of band `band` of `bands` of the cells in `row`.
    #[inline(always)]
    pub(super) fn load(&mut self, pixels: &[u8], row: usize, band: usize, bands: usize) {
        let whole = (self.rows * bands) as u64;
        // In units of a pixel row divided by `whole`, so that all edges are whole numbers.
        let first = ((row * bands + band) * self.height) as u64;
        let end = first + self.height as u64;
        let span = self.height as u64;
        let mut sofar = 0;
        let mut line = first / whole;
        let width = self.width;
        let total = &mut self.band[..width];
        while line * whole < end {
            // Weights are differences of rounded sums, so they add up to exactly 256.
            let reached = (((line + 1) * whole).min(end) - first) * 256 / span;
            let weight = (reached - sofar) as u16;
            let from = line as usize * width;
            if let Some(found) = pixels.get(from..from + width)
                && weight > 0
            {
                if sofar == 0 {
                    for (total, pixel) in total.iter_mut().zip(found) {
                        *total = u16::from(*pixel) * weight;
                    }
                } else {
                    for (total, pixel) in total.iter_mut().zip(found) {
                        *total += u16::from(*pixel) * weight;
                    }
                }
            }
            sofar = reached;
            line += 1;
        }
        let mut sum = 0u32;
        for (sums, pixel) in self.sums[1..].iter_mut().zip(&self.band) {
            sum += u32::from(*pixel);
            *sums = sum;
        }
    }

    /// Reads the means over `parts` of every cell off the band: the parts of one cell lie `stride` apart in `out`.
    #[inline(always)]
    pub(super) fn read(&self, parts: Parts, stride: usize, out: &mut [f32]) {
        let step = parts as usize;
        let count = 8 / step;
        let scale = (count * self.columns) as f32 / (256.0 * self.width as f32);
        let mut before = 0u32;
        let edges = self.edges[step..].iter().step_by(step);
        let mut place = 0;
        let mut column = 0;
        for edge in edges {
            let whole = edge.whole as usize;
            let here = self.sums[whole] + ((u32::from(self.band[whole]) * edge.rest) >> 8);
            out[place * stride + column] = (here - before) as f32 * scale;
            before = here;
            place += 1;
            if place == count {
                place = 0;
                column += 1;
            }
        }
    }
}

/// The three planes of a frame.
#[derive(Debug, Default)]
pub(super) struct Grid {
    /// Luma.
    pub(super) y: Plane,
    /// Blue difference.
    pub(super) u: Plane,
    /// Red difference.
    pub(super) v: Plane,
}

impl Grid {
    /// Prepares for frames like `frame` on so many columns and rows of cells.
    pub(super) fn prepare(&mut self, frame: &VideoFrame, columns: usize, rows: usize) {
        self.y.prepare((frame.width(), frame.height()), columns, rows);
        self.u.prepare(frame.chroma_size(), columns, rows);
        self.v.prepare(frame.chroma_size(), columns, rows);
    }
}
