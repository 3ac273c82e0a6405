//! What the pixels inside each shape add up to, for eight cells at once.
//!
//! The search for the best glyph lives on these sums: with the mean taken off, a shape that covers the part `p` of a
//! cell and whose pixels add up to `s` lowers the squared error by `|s|^2 / (p (1 - p))`. Eight neighbouring
//! cells are worked on in step, so that each operation is one vector instruction or two. Plain loops over arrays,
//! because what the compiler does not inline it does not compile for the wider vectors either.

use super::glyphs::Set;
use super::grid::{Grid, Parts};
use crate::media::frame::VideoFrame;

/// Cells worked on at once.
pub(super) const LANES: usize = 8;
/// One number for each of the cells.
pub(super) type Lanes = [f32; LANES];
/// Red, green and blue of each of the cells.
pub(super) type Sum = [Lanes; 3];

const ZERO: Sum = [[0.0; LANES]; 3];

/// The means of one row of cells over the parts that shapes are made of.
#[derive(Debug, Default)]
pub(super) struct Row {
    /// Cells, rounded up to whole groups of lanes: the distance from part to part.
    stride: usize,
    /// Luma of 8 octants, 6 sextants, 8 eighth rows and 8 eighth columns; of 4 quarters only for half blocks.
    y: Vec<f32>,
    /// Chroma of 8 octants, or of 4 quarters.
    u: Vec<f32>,
    v: Vec<f32>,
}

const SEXTANTS: usize = 8;
const ROWS: usize = 14;
const COLUMNS: usize = 22;
const ALL: usize = 30;

/// The sums of eight cells. The whole cell counts as 1.
pub(super) struct Sums {
    /// Mean colour.
    pub(super) mean: Sum,
    /// For each shape of the set: the sum over its inside of the colours without the mean.
    pub(super) shapes: [Sum; 256],
    /// The best shape's index.
    pub(super) best: [u32; LANES],
    /// What it lowers the squared error by: sum over the channels, mean over the pixels.
    pub(super) gain: Lanes,
}

impl Default for Sums {
    fn default() -> Self {
        Self { mean: ZERO, shapes: [ZERO; 256], best: [0; LANES], gain: [0.0; LANES] }
    }
}

/// Whether the processor has the wider vectors that this is also compiled for.
#[cfg(target_arch = "x86_64")]
fn is_wide() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
}

impl Row {
    /// Reads row `row` of the cells of `columns` columns off `frame`.
    pub(super) fn load(
        &mut self,
        set: &Set,
        grid: &mut Grid,
        frame: &VideoFrame,
        row: usize,
        columns: usize,
    ) {
        #[cfg(target_arch = "x86_64")]
        if is_wide() {
            // SAFETY: the processor has what the function is compiled for, as just asked.
            unsafe { self.load_wide(set, grid, frame, row, columns) };
            return;
        }
        self.load_any(set, grid, frame, row, columns);
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    fn load_wide(&mut self, set: &Set, grid: &mut Grid, frame: &VideoFrame, row: usize, columns: usize) {
        self.load_any(set, grid, frame, row, columns);
    }

    #[inline(always)]
    fn load_any(&mut self, set: &Set, grid: &mut Grid, frame: &VideoFrame, row: usize, columns: usize) {
        self.stride = columns.next_multiple_of(LANES);
        let stride = self.stride;
        self.y.resize(ALL * stride, 0.0);
        self.u.resize(8 * stride, 0.0);
        self.v.resize(8 * stride, 0.0);
        let bands = if set.octants <= 2 { 2 } else { 4 };
        for band in 0..bands {
            let at = band * 2 * stride;
            grid.y.load(frame.y(), row, band, bands);
            grid.y.read(Parts::Halves, stride, &mut self.y[at..]);
            grid.u.load(frame.u(), row, band, bands);
            grid.u.read(Parts::Halves, stride, &mut self.u[at..]);
            grid.v.load(frame.v(), row, band, bands);
            grid.v.read(Parts::Halves, stride, &mut self.v[at..]);
        }
        if set.octants <= 2 {
            return;
        }
        if set.sextants > 0 {
            for band in 0..3 {
                grid.y.load(frame.y(), row, band, 3);
                grid.y.read(Parts::Halves, stride, &mut self.y[(SEXTANTS + 2 * band) * stride..]);
            }
        }
        for band in 0..8 {
            grid.y.load(frame.y(), row, band, 8);
            grid.y.read(Parts::Whole, stride, &mut self.y[(ROWS + band) * stride..]);
        }
        grid.y.load(frame.y(), row, 0, 1);
        grid.y.read(Parts::Eighths, stride, &mut self.y[COLUMNS * stride..]);
    }

    /// Reads means over a plain grid of `bands` rows, each the whole cell or its halves wide.
    pub(super) fn load_dots(
        &mut self,
        grid: &mut Grid,
        frame: &VideoFrame,
        row: usize,
        columns: usize,
        dots: (usize, usize),
    ) {
        self.stride = columns.next_multiple_of(LANES);
        let stride = self.stride;
        let (per, bands) = dots;
        let parts = if per == 1 { Parts::Whole } else { Parts::Halves };
        for (plane, pixels, out) in [
            (&mut grid.y, frame.y(), &mut self.y),
            (&mut grid.u, frame.u(), &mut self.u),
            (&mut grid.v, frame.v(), &mut self.v),
        ] {
            out.resize(ALL * stride, 0.0);
            for band in 0..bands {
                plane.load(pixels, row, band, bands);
                plane.read(parts, stride, &mut out[band * per * stride..]);
            }
        }
    }

    /// The colour of one part of one cell, after [`Row::load_dots`].
    pub(super) fn dot(&self, part: usize, column: usize) -> [f32; 3] {
        let at = part * self.stride + column;
        let read = |plane: &[f32]| plane.get(at).copied().unwrap_or_default();
        let mut sum = ZERO;
        colour(&mut sum, &[read(&self.y); LANES], &[read(&self.u); LANES], &[read(&self.v); LANES]);
        sum.map(|channel| channel[0])
    }

    #[inline(always)]
    fn lanes(&self, plane: &[f32], part: usize, column: usize) -> Lanes {
        let mut lanes = [0.0; LANES];
        let from = part * self.stride + column;
        if let Some(found) = plane.get(from..from + LANES) {
            lanes.copy_from_slice(found);
        }
        lanes
    }
}

impl Sums {
    /// Fills all of it for the eight cells from `column` on, which counts in whole groups of lanes.
    pub(super) fn load(&mut self, set: &Set, row: &Row, column: usize) {
        #[cfg(target_arch = "x86_64")]
        if is_wide() {
            // SAFETY: the processor has what the function is compiled for, as just asked.
            unsafe { self.load_wide(set, row, column) };
            return;
        }
        self.load_any(set, row, column);
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    fn load_wide(&mut self, set: &Set, row: &Row, column: usize) {
        self.load_any(set, row, column);
    }

    #[inline(always)]
    fn load_any(&mut self, set: &Set, row: &Row, column: usize) {
        if set.octants <= 2 {
            self.halves(row, column);
        } else {
            self.fine(set, row, column);
        }
        self.search(set);
    }

    #[inline(always)]
    fn halves(&mut self, row: &Row, column: usize) {
        let mut quarters = [ZERO; 4];
        let mut mean = ZERO;
        for (part, quarter) in quarters.iter_mut().enumerate() {
            let (y, u, v) = (
                row.lanes(&row.y, part, column),
                row.lanes(&row.u, part, column),
                row.lanes(&row.v, part, column),
            );
            colour(quarter, &y, &u, &v);
            add(&mut mean, quarter, 1.0 / 4.0);
        }
        for quarter in &mut quarters {
            centre(quarter, &mean, 1.0 / 4.0);
        }
        self.mean = mean;
        blend(&mut self.shapes[0], &quarters[0], 1.0, &quarters[1], 1.0);
        blend(&mut self.shapes[1], &quarters[0], 1.0, &quarters[2], 1.0);
    }

    #[inline(always)]
    fn fine(&mut self, set: &Set, row: &Row, column: usize) {
        let mut octants = [ZERO; 8];
        let (mut u, mut v) = ([[0.0; LANES]; 8], [[0.0; LANES]; 8]);
        let mut mean = ZERO;
        for part in 0..8 {
            u[part] = row.lanes(&row.u, part, column);
            v[part] = row.lanes(&row.v, part, column);
            colour(&mut octants[part], &row.lanes(&row.y, part, column), &u[part], &v[part]);
            add(&mut mean, &octants[part], 1.0 / 8.0);
        }
        self.mean = mean;
        for part in &mut octants {
            centre(part, &mean, 1.0 / 8.0);
        }
        if set.octants == 127 {
            subsets::<7>(&mut self.shapes, &octants);
        } else {
            let mut quarters = [ZERO; 4];
            for (part, quarter) in quarters.iter_mut().enumerate() {
                let upper = part % 2 + part / 2 * 4;
                blend(quarter, &octants[upper], 1.0, &octants[upper + 2], 1.0);
            }
            // In the order of the shapes: all ways to take some of the first three, without the fourth.
            subsets::<3>(&mut self.shapes, &quarters);
        }
        let mut next = set.octants;
        if set.sextants > 0 {
            let mut sextants = [ZERO; 6];
            for (part, sextant) in sextants.iter_mut().enumerate() {
                let (own, shared) = [(0, 2), (1, 3), (2, 4), (3, 5), (6, 4), (7, 5)][part];
                let weight = if part / 2 == 1 { 0.5 } else { 0.75 };
                let (mut blue, mut red) = ([0.0; LANES], [0.0; LANES]);
                for lane in 0..LANES {
                    blue[lane] = u[own][lane] * weight + u[shared][lane] * (1.0 - weight);
                    red[lane] = v[own][lane] * weight + v[shared][lane] * (1.0 - weight);
                }
                colour(sextant, &row.lanes(&row.y, SEXTANTS + part, column), &blue, &red);
                centre(sextant, &mean, 1.0 / 6.0);
            }
            subsets::<5>(&mut self.shapes[next..], &sextants);
            next += set.sextants;
        }
        let (mut rows, mut columns) = (ZERO, ZERO);
        let (mut left, mut right) = (([0.0; LANES], [0.0; LANES]), ([0.0; LANES], [0.0; LANES]));
        for part in 0..4 {
            for lane in 0..LANES {
                left.0[lane] += u[2 * part][lane] * 0.25;
                left.1[lane] += v[2 * part][lane] * 0.25;
                right.0[lane] += u[2 * part + 1][lane] * 0.25;
                right.1[lane] += v[2 * part + 1][lane] * 0.25;
            }
        }
        for eighth in 0..7 {
            let (mut blue, mut red) = ([0.0; LANES], [0.0; LANES]);
            let line = eighth / 2 * 2;
            for lane in 0..LANES {
                blue[lane] = (u[line][lane] + u[line + 1][lane]) * 0.5;
                red[lane] = (v[line][lane] + v[line + 1][lane]) * 0.5;
            }
            let mut part = ZERO;
            colour(&mut part, &row.lanes(&row.y, ROWS + eighth, column), &blue, &red);
            centre(&mut part, &mean, 1.0 / 8.0);
            add(&mut rows, &part, 1.0);
            let (blue, red) = if eighth < 4 { &left } else { &right };
            colour(&mut part, &row.lanes(&row.y, COLUMNS + eighth, column), blue, red);
            centre(&mut part, &mean, 1.0 / 8.0);
            add(&mut columns, &part, 1.0);
            if eighth != 3 {
                self.shapes[next] = rows;
                self.shapes[next + 6] = columns;
                next += 1;
            }
        }
    }

    #[inline(always)]
    fn search(&mut self, set: &Set) {
        let mut best = [0u32; LANES];
        let mut gain = [0.0f32; LANES];
        for (index, (sum, weight)) in self.shapes.iter().zip(&set.weights).enumerate() {
            for lane in 0..LANES {
                let (r, g, b) = (sum[0][lane], sum[1][lane], sum[2][lane]);
                let found = (r * r + g * g + b * b) * weight;
                let better = found > gain[lane];
                gain[lane] = if better { found } else { gain[lane] };
                best[lane] = if better { index as u32 } else { best[lane] };
            }
        }
        self.best = best;
        self.gain = gain;
    }
}

/// The sums of all ways to take some of the first `N` parts, the way with mask `m` at index `m - 1`.
#[inline(always)]
fn subsets<const N: usize>(out: &mut [Sum], parts: &[Sum]) {
    let mut count = 0;
    for part in &parts[..N] {
        out[count] = *part;
        let (known, new) = out.split_at_mut(count + 1);
        for (known, new) in known[..count].iter().zip(new) {
            blend(new, known, 1.0, part, 1.0);
        }
        count = 2 * count + 1;
    }
}

/// BT.601, limited range; not clipped, so that sums stay sums.
#[inline(always)]
fn colour(out: &mut Sum, y: &Lanes, u: &Lanes, v: &Lanes) {
    for lane in 0..LANES {
        let luma = (y[lane] - 16.0) * (255.0 / 219.0);
        let (u, v) = (u[lane] - 128.0, v[lane] - 128.0);
        out[0][lane] = luma + 1.596_03 * v;
        out[1][lane] = luma - 0.391_76 * u - 0.812_97 * v;
        out[2][lane] = luma + 2.017_23 * u;
    }
}

#[inline(always)]
fn blend(out: &mut Sum, a: &Sum, of_a: f32, b: &Sum, of_b: f32) {
    for channel in 0..3 {
        for lane in 0..LANES {
            out[channel][lane] = a[channel][lane] * of_a + b[channel][lane] * of_b;
        }
    }
}

#[inline(always)]
fn add(out: &mut Sum, sum: &Sum, times: f32) {
    for channel in 0..3 {
        for lane in 0..LANES {
            out[channel][lane] += sum[channel][lane] * times;
        }
    }
}

/// From the mean of a part of this size to its sum without the cell's mean.
#[inline(always)]
fn centre(part: &mut Sum, mean: &Sum, size: f32) {
    for channel in 0..3 {
        for lane in 0..LANES {
            part[channel][lane] = (part[channel][lane] - mean[channel][lane]) * size;
        }
    }
}
