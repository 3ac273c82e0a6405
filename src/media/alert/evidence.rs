//! What speaks for a hand in one moment: skin that is new, in one piece, and reaches from outside into the face.
//!
//! Owns the score, 0 for nothing and 1 for a hand that covers a good part. A face that turns or talks changes inside, a hand beside the
//! face changes things outside, and light is taken out before; only what is in front of a face does both in one piece.

use super::patch::{CELLS, SIDE, is_face, is_mouth};
use super::reference::{Laid, Reference};

/// What a cell has to differ by, beyond what is usual, to be new.
const NEW: f32 = 0.11;

/// New skin may be found this many cells from where the reference has the same.
const REACH: isize = 2;

/// The shares of the face's size that count as all: covered by the hand …
const INSIDE: f32 = 0.30;

/// … and taken by the hand around the face.
const OUTSIDE: f32 = 0.30;

/// What a face that is not found any more makes of the share that is covered.
const LOST: f32 = 1.6;

/// Cells that are this far apart still hang together: the edge of a hand is darker than skin.
const GAP: usize = 2;

/// How much a cell about the mouth counts: it moves by itself.
const MOUTH: f32 = 0.8;

/// What is in front of a face.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Evidence {
    /// The share of the face that a piece of new skin covers.
    pub(super) inside: f32,
    /// How much of the same piece is around the face, in sizes of the face.
    pub(super) outside: f32,
}

impl Evidence {
    /// Looks at a moment.
    pub(super) fn of(reference: &Reference, laid: &Laid) -> Self {
        let patch = &laid.patch;
        let mut left: Vec<bool> = (0..CELLS)
            .map(|cell| {
                patch.seen[cell]
                    && reference.is_skin(patch, cell)
                    && (reference.is_new(patch, cell, REACH, NEW)
                        || is_face(cell) && reference.is_gone(patch, cell, REACH, NEW))
            })
            .collect();
        let whole = (0..CELLS).filter(|&cell| is_face(cell)).count() as f32;
        let mut best = Self::default();
        for start in 0..CELLS {
            if left[start] {
                let (inside, outside) = piece(&mut left, start);
                let found = Self { inside: inside / whole, outside: outside / whole };
                if found.score(false) > best.score(false) {
                    best = found;
                }
            }
        }
        best
    }

    /// Both at once, 0 to 1. A face that is not found any more while a hand is in it is covered by so much more.
    pub(super) fn score(self, lost: bool) -> f32 {
        let inside = self.inside * if lost { LOST } else { 1.0 };
        ((inside / INSIDE).min(1.0) * (self.outside / OUTSIDE).min(1.0)).sqrt()
    }
}

/// Takes the piece that a cell belongs to; how many of its cells are in the face, and how many around it.
fn piece(left: &mut [bool], start: usize) -> (f32, f32) {
    let (mut inside, mut outside) = (0.0, 0.0);
    let mut open = vec![start];
    left[start] = false;
    while let Some(cell) = open.pop() {
        match (is_face(cell), is_mouth(cell)) {
            (true, true) => inside += MOUTH,
            (true, false) => inside += 1.0,
            (false, _) => outside += 1.0,
        }
        let (column, row) = (cell % SIDE, cell / SIDE);
        for to_row in row.saturating_sub(GAP)..=(row + GAP).min(SIDE - 1) {
            for to_column in column.saturating_sub(GAP)..=(column + GAP).min(SIDE - 1) {
                if std::mem::take(&mut left[to_row * SIDE + to_column]) {
                    open.push(to_row * SIDE + to_column);
                }
            }
        }
    }
    (inside, outside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_what_hangs_together() {
        let mut left = vec![false; CELLS];
        // A bar from the left edge into the face, and one that touches nothing.
        (0..SIDE / 2).for_each(|column| left[20 * SIDE + column] = true);
        (0..5).for_each(|column| left[40 * SIDE + column] = true);
        let (inside, outside) = piece(&mut left, 20 * SIDE);
        assert_eq!((inside, outside), (9.0, 15.0));
        assert_eq!(left.iter().filter(|left| **left).count(), 5);
    }
}
