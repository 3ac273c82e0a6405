//! The face and what is around it on a grid that moves and grows with the face, so that two moments can be compared cell by cell.
//!
//! Owns the grid's geometry: which of its cells are the face, which of these the mouth. Luma is kept as its logarithm, in which a
//! brighter lamp is a number added to all cells.

use super::finder::Face;
use super::picture::Small;

/// Cells a side of the grid.
pub(super) const SIDE: usize = 48;

/// All cells.
pub(super) const CELLS: usize = SIDE * SIDE;

/// Cells across a face.
const ACROSS: f32 = 20.0;

/// The row of the grid that goes through the middle of the face; there is more below it, where hands come from.
const MIDDLE: f32 = 20.0;

/// Half of the face's width and height, in its own size.
const FACE: (f32, f32) = (0.47, 0.60);

/// The middle of the mouth beneath the middle of the face, and half of its width and height.
const MOUTH: (f32, f32, f32) = (0.34, 0.30, 0.20);

/// Added to the luma that chroma is divided by, so that the noise of dark places is no colour.
const DARK: f32 = 10.0;

/// One moment of a face.
#[derive(Debug, Clone)]
pub(super) struct Patch {
    /// Logarithm of the luma.
    pub(super) luma: Vec<f32>,
    /// Blue difference, in hundredths of the luma.
    pub(super) blue: Vec<f32>,
    /// Red difference, in hundredths of the luma.
    pub(super) red: Vec<f32>,
    /// False for a cell outside the picture.
    pub(super) seen: Vec<bool>,
}

impl Patch {
    /// Reads the grid of a face.
    pub(super) fn of(picture: &Small, face: Face) -> Self {
        let mut patch = Self {
            luma: Vec::with_capacity(CELLS),
            blue: Vec::with_capacity(CELLS),
            red: Vec::with_capacity(CELLS),
            seen: Vec::with_capacity(CELLS),
        };
        for cell in 0..CELLS {
            let (x, y) = place(face, cell);
            let luma = luma(picture, face, (x, y));
            // A thing in the shade has less colour than the same thing in the light; what is divided by the luma does not.
            let share = 100.0 / (luma.exp() + DARK);
            patch.luma.push(luma);
            patch.blue.push((picture.read(1, x, y) - 128.0) * share);
            patch.red.push((picture.read(2, x, y) - 128.0) * share);
            patch.seen.push(picture.holds(x, y));
        }
        patch
    }
}

/// Where a cell of the grid lies in the picture.
pub(super) fn place(face: Face, cell: usize) -> (f32, f32) {
    let step = face.size / ACROSS;
    let (column, row) = ((cell % SIDE) as f32, (cell / SIDE) as f32);
    (face.x + (column + 0.5 - SIDE as f32 / 2.0) * step, face.y + (row + 0.5 - MIDDLE) * step)
}

/// The luma of a cell, as its logarithm: the mean of four places in it.
pub(super) fn luma(picture: &Small, face: Face, (x, y): (f32, f32)) -> f32 {
    let quarter = face.size / ACROSS / 4.0;
    let corners = [(-quarter, -quarter), (quarter, -quarter), (-quarter, quarter), (quarter, quarter)];
    let sum: f32 = corners.iter().map(|(dx, dy)| picture.read(0, x + dx, y + dy)).sum();
    // Black has a luma of 16, and noise that would be all in a logarithm of little.
    ((sum / 4.0 - 16.0).max(0.0) + 12.0).ln()
}

/// Whether a cell is in an ellipse of this many sizes of a face, this far beneath its middle.
fn inside(cell: usize, below: f32, half: (f32, f32)) -> bool {
    let x = ((cell % SIDE) as f32 + 0.5 - SIDE as f32 / 2.0) / ACROSS / half.0;
    let y = (((cell / SIDE) as f32 + 0.5 - MIDDLE) / ACROSS - below) / half.1;
    x * x + y * y <= 1.0
}

/// True for a cell of the face.
pub(super) fn is_face(cell: usize) -> bool {
    inside(cell, 0.02, FACE)
}

/// True for a cell in the middle of the face, where there is skin on everybody.
pub(super) fn is_core(cell: usize) -> bool {
    inside(cell, 0.05, (0.33, 0.40))
}

/// True for a cell about the mouth.
pub(super) fn is_mouth(cell: usize) -> bool {
    inside(cell, MOUTH.0, (MOUTH.1, MOUTH.2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grid_holds_the_whole_face_with_room_on_each_side() {
        let count = |is: fn(usize) -> bool| (0..CELLS).filter(|&cell| is(cell)).count();
        assert!((330..=380).contains(&count(is_face)), "{}", count(is_face));
        assert!(count(is_core) < count(is_face) && count(is_mouth) > 40);
        for cell in (0..CELLS).filter(|&cell| is_face(cell)) {
            let (column, row) = (cell % SIDE, cell / SIDE);
            assert!((10..38).contains(&column) && (6..38).contains(&row));
        }
    }
}
