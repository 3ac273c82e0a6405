//! Which glyph and colours a cell shows next, or that it keeps what it shows.
//!
//! Rate against distortion: an error costs what it is (mean squared over the cell's pixels and channels), a byte costs
//! `price`, and the cheapest way wins. What a byte buys is told by a model of the terminal's pen: a colour
//! that is already selected costs nothing. What a cell shows is always compared by its own error against the new
//! frame, so errors never add up over time.

use super::colours::Paint;
use super::glyphs::Set;
use super::sums::{LANES, Sums};
use crate::tui::render::Depth;

/// What a cell shows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Shown {
    /// Not known, or nothing of this picture.
    Nothing,
    /// One colour: a space.
    Flat(Paint),
    /// A shape in two colours.
    Glyph {
        /// Index in the set of shapes.
        shape: u8,
        /// True when the character fills the outside of the cut.
        outside: bool,
        fg: Paint,
        bg: Paint,
    },
}

/// The colours that the terminal writes in, and whether the cursor stands before the next cell.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Pen {
    fg: Option<Paint>,
    bg: Option<Paint>,
    near: bool,
}

impl Pen {
    /// The cursor stands somewhere else.
    pub(super) fn lift(&mut self) {
        self.near = false;
    }
}

/// How to weigh.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scales {
    /// What a byte costs, in mean squared error of a cell.
    pub(super) price: f32,
    /// Which colours there are.
    pub(super) depth: Depth,
}

/// Bytes that move the cursor over held cells, about.
const MOVE: f32 = 4.0;
/// Bytes around the parameters of a colour change: ESC [ and m.
const CHANGE: f32 = 3.0;

/// A colour to write in: its cost, and the colour.
#[derive(Clone, Copy)]
struct Side {
    cost: f32,
    paint: Paint,
    sent: bool,
}

impl Scales {
    /// The cheapest way to show `part` of a cell in `wanted`, given the pen's colour.
    #[inline(always)]
    fn side(&self, held: Option<Paint>, wanted: [f32; 3], part: f32, new: Paint, new_cost: f32) -> Side {
        match held {
            Some(paint) => {
                let cost = part * paint.error(wanted);
                if cost <= new_cost {
                    return Side { cost, paint, sent: false };
                }
                Side { cost: new_cost, paint: new, sent: true }
            }
            None => Side { cost: new_cost, paint: new, sent: true },
        }
    }

    /// Decides on one cell: what it shows from now on, which is `shown` again when it is held.
    pub(super) fn choose(&self, set: &Set, sums: &Sums, lane: usize, shown: Shown, pen: &mut Pen) -> Shown {
        debug_assert!(lane < LANES);
        let mean: [f32; 3] = std::array::from_fn(|channel| sums.mean[channel][lane]);
        // Errors count from that of a flat cell in its mean colour.
        let held = match shown {
            Shown::Nothing => f32::INFINITY,
            Shown::Flat(paint) => paint.error(mean),
            Shown::Glyph { shape, outside, fg, bg } => {
                let sum: [f32; 3] =
                    std::array::from_fn(|channel| sums.shapes[usize::from(shape)][channel][lane]);
                let part = set.shapes[usize::from(shape)].part;
                let (inner, outer) = if outside { (bg, fg) } else { (fg, bg) };
                let mut error = 0.0;
                for channel in 0..3 {
                    let inner = f32::from(inner.rgb[channel]) - mean[channel];
                    let outer = f32::from(outer.rgb[channel]) - mean[channel];
                    error += part * inner * inner + (1.0 - part) * outer * outer
                        - 2.0 * (inner - outer) * sum[channel];
                }
                error / 3.0
            }
        };
        let best = -sums.gain[lane] / 3.0;
        let start = if pen.near { 0.0 } else { MOVE * self.price };
        // Not even a glyph in the pen's colours, without any error of its own, would pay.
        if held <= best + start + self.price {
            pen.near = false;
            return shown;
        }
        let mut cost = held;
        let mut next = shown;

        let paint = Paint::nearest(mean, self.depth);
        let new = self.price * (CHANGE + paint.bytes(self.depth)) + paint.error(mean);
        let side = self.side(pen.bg, mean, 1.0, paint, new);
        let flat = start + self.price + side.cost;
        if flat < cost {
            cost = flat;
            next = Shown::Flat(side.paint);
        }

        let index = sums.best[lane] as usize;
        // Where there are no shapes, all is flat.
        let Some(shape) = set.shapes.get(index) else { return self.keep(shown, next, pen) };
        let sum: [f32; 3] = std::array::from_fn(|channel| sums.shapes[index][channel][lane]);
        let (inner_part, outer_part) = (shape.part, 1.0 - shape.part);
        let inner: [f32; 3] = std::array::from_fn(|channel| mean[channel] + sum[channel] / inner_part);
        let outer: [f32; 3] = std::array::from_fn(|channel| mean[channel] - sum[channel] / outer_part);
        let inner_paint = Paint::nearest(inner, self.depth);
        let outer_paint = Paint::nearest(outer, self.depth);
        let inner_new = self.price * inner_paint.bytes(self.depth) + inner_part * inner_paint.error(inner);
        let outer_new = self.price * outer_paint.bytes(self.depth) + outer_part * outer_paint.error(outer);
        for (outside, symbol) in [(false, shape.inside), (true, shape.outside)] {
            let Some(symbol) = symbol else { continue };
            let (fg, bg) = if outside {
                (
                    self.side(pen.fg, outer, outer_part, outer_paint, outer_new),
                    self.side(pen.bg, inner, inner_part, inner_paint, inner_new),
                )
            } else {
                (
                    self.side(pen.fg, inner, inner_part, inner_paint, inner_new),
                    self.side(pen.bg, outer, outer_part, outer_paint, outer_new),
                )
            };
            let bytes = symbol.len_utf8() as f32 + if fg.sent || bg.sent { CHANGE } else { 0.0 };
            let total = best + start + bytes * self.price + fg.cost + bg.cost;
            if total < cost {
                cost = total;
                next = Shown::Glyph { shape: index as u8, outside, fg: fg.paint, bg: bg.paint };
            }
        }
        self.keep(shown, next, pen)
    }

    /// Moves the pen to where it stands after the cell.
    fn keep(&self, shown: Shown, next: Shown, pen: &mut Pen) -> Shown {
        if next == shown {
            pen.near = false;
            return shown;
        }
        match next {
            Shown::Nothing => {}
            Shown::Flat(paint) => pen.bg = Some(paint),
            Shown::Glyph { fg, bg, .. } => {
                pen.fg = Some(fg);
                pen.bg = Some(bg);
            }
        }
        pen.near = true;
        next
    }
}
