//! What a face looks like when nothing covers it: learnt from itself, slowly, only while nothing is in front of it.
//!
//! Owns the means and the usual deviations of each cell, the skin's colour, and how a new moment is laid over them: where exactly the
//! face is now, and what of the difference the light explains.

use super::finder::Face;
use super::patch::{self, CELLS, Patch, is_core, is_face, is_mouth};
use super::picture::Small;

/// The share of the face that laying over goes by, the best fitting one: a hand may cover the rest.
const TRUSTED: f32 = 0.6;

/// How much of each new moment goes into the means once they are settled.
const LEARN: f32 = 0.03;

/// Moments that make a first reference.
pub(super) const FIRST: u32 = 6;

/// The least deviation of chroma that is taken for skin, in steps of a byte.
const CHROMA: f32 = 4.0;

/// Skin is within this many deviations …
const SKIN: f32 = 2.8;

/// … and no darker and no brighter than the face by this, as logarithms.
const DARKER: f32 = 1.0;
const BRIGHTER: f32 = 0.75;

/// What a face looks like.
#[derive(Debug, Clone)]
pub(super) struct Reference {
    luma: Vec<f32>,
    blue: Vec<f32>,
    red: Vec<f32>,
    /// How far a cell usually is from the reference.
    usual: Vec<f32>,
    seen: u32,
    skin: Skin,
}

/// The colour of a person's skin under the present lamp.
#[derive(Debug, Clone, Copy)]
struct Skin {
    luma: f32,
    blue: (f32, f32),
    red: (f32, f32),
}

/// A moment, laid over the reference.
pub(super) struct Laid {
    /// The patch with the light taken out: as bright and as tinted as the reference.
    pub(super) patch: Patch,
    /// Where the face is.
    pub(super) face: Face,
}

impl Reference {
    /// Begins with one moment.
    pub(super) fn new(patch: &Patch) -> Self {
        let usual = (0..CELLS).map(|cell| if is_mouth(cell) { 0.10 } else { 0.03 }).collect();
        let skin = Skin::of(patch);
        let Patch { luma, blue, red, .. } = patch.clone();
        Self { luma, blue, red, usual, seen: 1, skin }
    }

    /// False while there are too few moments to judge by.
    pub(super) fn is_settled(&self) -> bool {
        self.seen >= FIRST
    }

    /// Takes a moment in which nothing covers the face.
    pub(super) fn learn(&mut self, laid: &Laid) {
        self.seen = self.seen.saturating_add(1);
        let part = (1.0 / self.seen as f32).max(LEARN);
        let mix = |mean: &mut f32, new: f32| *mean += (new - *mean) * part;
        for cell in (0..CELLS).filter(|&cell| laid.patch.seen[cell]) {
            let off = self.difference(&laid.patch, cell, cell);
            mix(&mut self.usual[cell], off);
            mix(&mut self.luma[cell], laid.patch.luma[cell]);
            mix(&mut self.blue[cell], laid.patch.blue[cell]);
            mix(&mut self.red[cell], laid.patch.red[cell]);
        }
        let Self { luma, blue, red, .. } = self;
        let mean = Patch { luma: luma.clone(), blue: blue.clone(), red: red.clone(), seen: Vec::new() };
        self.skin = Skin::of(&mean);
    }

    /// Lays a picture over the reference: moves and grows the place where the face is thought to be until it fits, within `reach` of
    /// the face's size, then takes out the light.
    pub(super) fn lay(&self, picture: &Small, from: Face, reach: f32) -> Laid {
        let cells: Vec<usize> = (0..CELLS)
            .filter(|&cell| is_face(cell) && (cell + cell / patch::SIDE).is_multiple_of(2))
            .collect();
        let mut best = (from, self.misfit(picture, from, &cells));
        let mut step = reach * from.size;
        while step > from.size * 0.01 {
            let before = best.0;
            for (dx, dy, grow) in [
                (-step, 0.0, 1.0),
                (step, 0.0, 1.0),
                (0.0, -step, 1.0),
                (0.0, step, 1.0),
                (0.0, 0.0, 1.0 - step / from.size / 2.0),
                (0.0, 0.0, 1.0 + step / from.size / 2.0),
            ] {
                let face = Face { x: before.x + dx, y: before.y + dy, size: before.size * grow };
                let misfit = self.misfit(picture, face, &cells);
                if misfit < best.1 {
                    best = (face, misfit);
                }
            }
            if best.0 == before {
                step /= 2.0;
            }
        }
        let mut patch = Patch::of(picture, best.0);
        self.unlight(&mut patch);
        Laid { patch, face: best.0 }
    }

    /// How badly a place fits: what its cells differ by, without the common part, in the better share of them.
    fn misfit(&self, picture: &Small, face: Face, cells: &[usize]) -> f32 {
        let mut off: Vec<f32> = cells
            .iter()
            .map(|&cell| patch::luma(picture, face, patch::place(face, cell)) - self.luma[cell])
            .collect();
        let common = median(&mut off);
        off.iter_mut().for_each(|off| *off = (*off - common).abs());
        let kept = (off.len() as f32 * TRUSTED) as usize;
        off.select_nth_unstable_by(kept, f32::total_cmp);
        off[..kept].iter().sum::<f32>() / kept.max(1) as f32
    }

    /// Takes out of a patch what light explains: a brighter or darker face, more so on one side, and another tint.
    fn unlight(&self, patch: &mut Patch) {
        let face: Vec<usize> = (0..CELLS).filter(|&cell| is_face(cell) && patch.seen[cell]).collect();
        if face.len() < 50 {
            return;
        }
        let mut plane = [0.0f32; 3];
        let coordinates = |cell: usize| {
            let half = patch::SIDE as f32 / 2.0;
            [1.0, (cell % patch::SIDE) as f32 / half - 1.0, (cell / patch::SIDE) as f32 / half - 1.0]
        };
        let at = |plane: &[f32; 3], cell: usize| {
            let [one, x, y] = coordinates(cell);
            plane[0] * one + plane[1] * x + plane[2] * y
        };
        let off: Vec<f32> = face.iter().map(|&cell| patch.luma[cell] - self.luma[cell]).collect();
        plane[0] = median(&mut off.clone());
        for _ in 0..4 {
            let mut misfits: Vec<f32> =
                face.iter().zip(&off).map(|(&cell, off)| (off - at(&plane, cell)).abs()).collect();
            let usual = median(&mut misfits.clone()).max(0.01);
            // Cells that differ by far more than the others are covered, not lit.
            misfits.iter_mut().for_each(|misfit| *misfit = 1.0 / (1.0 + (*misfit / usual / 1.5).powi(4)));
            plane = fit(face
                .iter()
                .zip(&off)
                .zip(&misfits)
                .map(|((&cell, &off), &weight)| (coordinates(cell), off, weight)))
            .unwrap_or(plane);
        }
        // A slope is a lamp's, within bounds; what is steeper is a thing.
        plane[1] = plane[1].clamp(-1.5, 1.5);
        plane[2] = plane[2].clamp(-1.5, 1.5);
        for cell in 0..CELLS {
            // Beyond the face the slope goes on no further.
            let [one, x, y] = coordinates(cell);
            let x = x.clamp(-0.45, 0.45);
            let y = y.clamp(-0.65, 0.40);
            patch.luma[cell] -= plane[0] * one + plane[1] * x + plane[2] * y;
        }
        for (new, old) in [(&mut patch.blue, &self.blue), (&mut patch.red, &self.red)] {
            let mut off: Vec<f32> = face.iter().map(|&cell| new[cell] - old[cell]).collect();
            let tint = median(&mut off);
            new.iter_mut().for_each(|value| *value -= tint);
        }
    }

    /// How much a cell of a moment differs from a cell of the reference: luma as a logarithm, and chroma so that a clear change of
    /// colour counts as much as a clear change of brightness.
    fn difference(&self, patch: &Patch, cell: usize, from: usize) -> f32 {
        (patch.luma[cell] - self.luma[from]).abs()
            + ((patch.blue[cell] - self.blue[from]).abs() + (patch.red[cell] - self.red[from]).abs()) * 0.012
    }

    /// Whether a cell and its neighbours differ by more than `limit`, beyond what is usual, from whatever of the reference is close by: a
    /// face that turns a little shows the same things beside where they were, a hand does not.
    pub(super) fn is_new(&self, patch: &Patch, cell: usize, reach: isize, limit: f32) -> bool {
        self.is_apart(cell, reach, limit, |to, from| self.difference(patch, to, from))
    }

    /// The same for a cell of the reference and whatever is close by now: an eye that is nowhere is covered.
    pub(super) fn is_gone(&self, patch: &Patch, cell: usize, reach: isize, limit: f32) -> bool {
        self.is_apart(cell, reach, limit, |from, to| self.difference(patch, to, from))
    }

    /// Whether the mean difference between the surroundings of a cell on one side and those of each cell within reach on the other is above
    /// the limit. Most cells are where they were, so that the first comparison settles them.
    fn is_apart(
        &self,
        cell: usize,
        reach: isize,
        limit: f32,
        difference: impl Fn(usize, usize) -> f32,
    ) -> bool {
        let limit = limit + self.usual[cell];
        let far = |across: isize, down: isize| across * across + down * down > reach * reach + 1;
        let apart = |across, down| self.mean(cell, across, down, &difference) > limit;
        apart(0, 0)
            && (-reach..=reach)
                .all(|down| (-reach..=reach).all(|across| far(across, down) || apart(across, down)))
    }

    /// The mean difference between the nine cells around one and those this many columns and rows from them.
    fn mean(&self, cell: usize, across: isize, down: isize, difference: impl Fn(usize, usize) -> f32) -> f32 {
        let side = patch::SIDE as isize;
        let (column, row) = ((cell % patch::SIDE) as isize, (cell / patch::SIDE) as isize);
        let (mut sum, mut count) = (0.0, 0.0f32);
        for to_row in row - 1..=row + 1 {
            for to_column in column - 1..=column + 1 {
                let (from_column, from_row) = (to_column + across, to_row + down);
                let all = [to_column, to_row, from_column, from_row];
                if all.iter().all(|at| (0..side).contains(at)) {
                    sum += difference(
                        (to_row * side + to_column) as usize,
                        (from_row * side + from_column) as usize,
                    );
                    count += 1.0;
                }
            }
        }
        // What lies beyond the grid is like nothing.
        if count > 0.0 { sum / count } else { f32::MAX }
    }

    /// Whether a cell has the colour of this person's skin.
    pub(super) fn is_skin(&self, patch: &Patch, cell: usize) -> bool {
        self.skin.is(patch.luma[cell], patch.blue[cell], patch.red[cell])
    }
}

impl Skin {
    fn of(patch: &Patch) -> Self {
        let of = |plane: &[f32]| -> (f32, f32) {
            let mut values: Vec<f32> =
                (0..CELLS).filter(|&cell| is_core(cell) && !is_mouth(cell)).map(|cell| plane[cell]).collect();
            let middle = median(&mut values);
            values.iter_mut().for_each(|value| *value = (*value - middle).abs());
            (middle, (median(&mut values) * 1.5).clamp(CHROMA, CHROMA * 2.0))
        };
        Self { luma: of(&patch.luma).0, blue: of(&patch.blue), red: of(&patch.red) }
    }

    fn is(&self, luma: f32, blue: f32, red: f32) -> bool {
        let off = |value: f32, (mean, deviation): (f32, f32)| ((value - mean) / deviation).powi(2);
        let bright = luma - self.luma;
        bright > -DARKER && bright < BRIGHTER && off(blue, self.blue) + off(red, self.red) < SKIN * SKIN
    }
}

/// The middle value; 0 of nothing.
fn median(values: &mut [f32]) -> f32 {
    if values.is_empty() {
        return 0.0;
    }
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f32::total_cmp).1
}

/// The plane through weighted points, by least squares; `None` when they don't say enough.
fn fit(points: impl Iterator<Item = ([f32; 3], f32, f32)>) -> Option<[f32; 3]> {
    let mut sums = [[0.0f64; 4]; 3];
    for (at, value, weight) in points {
        for row in 0..3 {
            for column in 0..3 {
                sums[row][column] += f64::from(weight * at[row] * at[column]);
            }
            sums[row][3] += f64::from(weight * at[row] * value);
        }
    }
    for pivot in 0..3 {
        let largest = (pivot..3).max_by(|&a, &b| sums[a][pivot].abs().total_cmp(&sums[b][pivot].abs()))?;
        sums.swap(pivot, largest);
        if sums[pivot][pivot].abs() < 1e-6 {
            return None;
        }
        for row in (0..3).filter(|&row| row != pivot) {
            let share = sums[row][pivot] / sums[pivot][pivot];
            let from = sums[pivot];
            sums[row].iter_mut().zip(from).for_each(|(value, from)| *value -= share * from);
        }
    }
    Some(std::array::from_fn(|row| (sums[row][3] / sums[row][row]) as f32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plane_is_found_again_and_no_points_make_none() {
        let points = (0..100).map(|n| {
            let at = [1.0, (n % 10) as f32, (n / 10) as f32];
            (at, 0.5 - 0.25 * at[1] + 2.0 * at[2], 1.0 + n as f32)
        });
        let plane = fit(points).unwrap();
        for (found, wanted) in plane.iter().zip([0.5, -0.25, 2.0]) {
            assert!((found - wanted).abs() < 1e-3, "{plane:?}");
        }
        assert!(fit(std::iter::empty()).is_none());
    }
}
