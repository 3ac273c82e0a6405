//! The colours of a sixel picture: which ones, and whether they still fit.
//!
//! Owns the learning of a palette from a picture: the histogram is split where it varies most, then the colours are moved to
//! the middle of what is nearest to them. Pure; driven by the painter when the scene changes.

use super::super::picture::Picture;
use super::super::rgb::{Chroma, Row, chroma_row, rgb_row, vectorised};

/// The most colours of a palette: what fits a byte.
pub(super) const MOST: usize = 256;

/// Bits a channel of the histogram.
const BITS: u32 = 5;

/// Rounds of moving colours to the middle of what is nearest to them.
const ROUNDS: usize = 4;

/// A palette, the most used colours first: their numbers are the shortest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Palette {
    colours: Vec<[u8; 3]>,
    /// The channels apart, padded with colours that are never nearest.
    planes: [Vec<i32>; 3],
}

/// The pixels of one bin of the histogram.
#[derive(Clone, Copy, Default)]
struct Bin {
    count: u32,
    sums: [u32; 3],
}

/// The same as a weighted point.
#[derive(Clone, Copy)]
struct Point {
    weight: f32,
    colour: [f32; 3],
}

/// A part of the points that becomes one colour.
struct Part {
    from: usize,
    to: usize,
    mean: [f32; 3],
    /// The channel that varies most.
    axis: usize,
    /// How much it varies, times the weight.
    spread: f32,
}

impl Palette {
    /// At most `most` colours (2 to [`MOST`]) that suit `picture`.
    pub(super) fn learn(picture: &Picture, most: usize) -> Self {
        let mut points = points(picture);
        let mut colours = split(&mut points, most.clamp(2, MOST));
        let mut counts = vec![0.0; colours.len()];
        for _ in 0..ROUNDS {
            let palette = Self::new(colours.iter().map(|colour| colour.map(|c| c.round() as u8)).collect());
            let mut sums = vec![[0.0_f32; 3]; colours.len()];
            counts.fill(0.0);
            for point in &points {
                let nearest = palette.nearest(point.colour.map(|c| c.round() as u8));
                counts[nearest] += point.weight;
                for (sum, colour) in sums[nearest].iter_mut().zip(point.colour) {
                    *sum += colour * point.weight;
                }
            }
            for ((colour, sum), &count) in colours.iter_mut().zip(&sums).zip(&counts) {
                if count > 0.0 {
                    *colour = sum.map(|s| s / count);
                }
            }
        }
        let mut order: Vec<usize> = (0..colours.len()).collect();
        order.sort_by(|&a, &b| counts[b].total_cmp(&counts[a]));
        Self::new(order.into_iter().map(|at| colours[at].map(shown)).collect())
    }

    fn new(colours: Vec<[u8; 3]>) -> Self {
        let padded = colours.len().next_multiple_of(8);
        let planes = [0, 1, 2].map(|channel| {
            let mut plane: Vec<i32> = colours.iter().map(|colour| i32::from(colour[channel])).collect();
            plane.resize(padded, 4096);
            plane
        });
        Self { colours, planes }
    }

    /// The colours, as the terminal shows them.
    pub(super) fn colours(&self) -> &[[u8; 3]] {
        &self.colours
    }

    /// The number of the colour nearest to `colour`.
    pub(super) fn nearest(&self, colour: [u8; 3]) -> usize {
        let mut best = 0;
        nearest(&self.planes, colour.map(i32::from), &mut best);
        (best as usize & 0xff).min(self.colours.len().saturating_sub(1))
    }
}

/// What a terminal shows of a channel, which sixel gives in percent.
fn shown(channel: f32) -> u8 {
    let percent = (channel * 100.0 / 255.0).round().clamp(0.0, 100.0);
    (percent * 255.0 / 100.0).round() as u8
}

/// The percentage that [`shown`] made `channel` of.
pub(super) fn percent(channel: u8) -> u8 {
    ((u32::from(channel) * 100 + 127) / 255) as u8
}

vectorised!(
    /// Leaves the number of the nearest colour in the low byte of `best`.
    nearest, nearest_inner, (planes: &[Vec<i32>; 3], colour: [i32; 3], best: &mut u32)
);

#[inline(always)]
fn nearest_inner(planes: &[Vec<i32>; 3], colour: [i32; 3], best: &mut u32) {
    let [red, green, blue] = planes;
    let mut least = [u32::MAX; 8];
    for (block, ((red, green), blue)) in
        red.chunks_exact(8).zip(green.chunks_exact(8)).zip(blue.chunks_exact(8)).enumerate()
    {
        for i in 0..8 {
            let (r, g, b) = (red[i] - colour[0], green[i] - colour[1], blue[i] - colour[2]);
            // The padding is so far away that its distance has to be cut to leave room for the number.
            let distance = ((r * r + g * g + b * b) as u32).min(0x00ff_ffff);
            least[i] = least[i].min(distance << 8 | (block * 8 + i) as u32);
        }
    }
    *best = least.into_iter().min().unwrap_or(0);
}

/// The histogram of a picture.
fn points(picture: &Picture) -> Vec<Point> {
    let mut bins = vec![Bin::default(); 1 << (3 * BITS)];
    let (mut chroma, mut row) = (Chroma::default(), Row::default());
    for y in 0..picture.height() {
        let [luma, u, v] = picture.row(y);
        chroma_row(u, v, luma.len(), &mut chroma);
        rgb_row(luma, &chroma, &mut row);
        for ((&r, &g), &b) in row.red.iter().zip(&row.green).zip(&row.blue) {
            let place = |channel: u8| usize::from(channel >> (8 - BITS));
            let bin = &mut bins[place(r) << (2 * BITS) | place(g) << BITS | place(b)];
            bin.count += 1;
            for (sum, channel) in bin.sums.iter_mut().zip([r, g, b]) {
                *sum += u32::from(channel);
            }
        }
    }
    let point = |bin: &Bin| {
        let weight = bin.count as f32;
        Point { weight, colour: bin.sums.map(|sum| sum as f32 / weight) }
    };
    bins.iter().filter(|bin| bin.count > 0).map(point).collect()
}

/// The middles of at most `most` parts of the points, made by splitting what varies most.
fn split(points: &mut [Point], most: usize) -> Vec<[f32; 3]> {
    let mut parts = vec![Part::new(points, 0, points.len())];
    while parts.len() < most {
        let Some(widest) = (0..parts.len()).max_by(|&a, &b| parts[a].spread.total_cmp(&parts[b].spread))
        else {
            break;
        };
        let Part { from, to, mean, axis, spread } = parts[widest];
        if spread <= 0.0 {
            break;
        }
        let mut middle = from;
        for at in from..to {
            if points[at].colour[axis] < mean[axis] {
                points.swap(at, middle);
                middle += 1;
            }
        }
        // Rounding can put all points on one side of their mean; such a part is as good as one colour.
        if middle == from || middle == to {
            parts[widest].spread = 0.0;
            continue;
        }
        parts[widest] = Part::new(points, from, middle);
        parts.push(Part::new(points, middle, to));
    }
    parts.into_iter().map(|part| part.mean).collect()
}

impl Part {
    fn new(points: &[Point], from: usize, to: usize) -> Self {
        let (mut weight, mut sums, mut squares) = (0.0, [0.0; 3], [0.0; 3]);
        for point in &points[from..to] {
            weight += point.weight;
            for channel in 0..3 {
                let value = point.colour[channel];
                sums[channel] += point.weight * value;
                squares[channel] += point.weight * value * value;
            }
        }
        let mean = sums.map(|sum: f32| if weight > 0.0 { sum / weight } else { 0.0 });
        let (mut axis, mut spread) = (0, 0.0);
        for channel in 0..3 {
            let along = squares[channel] - mean[channel] * sums[channel];
            if to - from > 1 && along > spread {
                (axis, spread) = (channel, along);
            }
        }
        Self { from, to, mean, axis, spread }
    }
}
