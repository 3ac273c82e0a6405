//! Pictures of few colours: ordered dither, from the dots of each cell to a glyph.
//!
//! The dither's pattern is fixed to the screen, so a still picture stands still, and a dot changes only when its value
//! has clearly crossed the pattern. Owns what each cell shows in such a mode. Knows dots and colours; must not know
//! frames.

use std::sync::LazyLock;

use super::colours::{Paint, SIXTEEN};
use super::glyphs::{braille, octant, sextant};
use crate::tui::render::{Depth, Mode};

/// One dot: red, green, blue of 0 to 255, not clipped.
pub(super) type Dot = [f32; 3];

/// What a cell of dots shows.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Dotted {
    /// Dots in the ink's colour, bit `columns * row + column`; of ASCII, the character.
    pub(super) mask: u8,
    /// None: the terminal's own colour.
    pub(super) fg: Option<Paint>,
    pub(super) bg: Option<Paint>,
    /// False before anything was shown.
    pub(super) known: bool,
}

/// How a picture of dots is made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dots {
    pub(super) mode: Mode,
    pub(super) depth: Depth,
    /// Mean squared error by which a cell may be off before it changes.
    pub(super) threshold: f32,
}

impl Dots {
    /// Dots of a cell: columns and rows.
    pub(super) fn grid(&self) -> (usize, usize) {
        match self.mode {
            Mode::Octant | Mode::Braille => (2, 4),
            Mode::Sextant => (2, 3),
            Mode::Quadrant => (2, 2),
            Mode::Ascii if self.depth != Depth::Monochrome => (1, 1),
            _ => (1, 2),
        }
    }

    /// What the cell at (`column`, `row`) shows next, which is `shown` again when that is as good.
    pub(super) fn choose(&self, dots: &[Dot], column: usize, row: usize, shown: Dotted) -> Dotted {
        match (self.mode, self.depth) {
            (Mode::Ascii, Depth::Monochrome) => self.letter(dots, column, row, shown),
            (Mode::Braille, Depth::Truecolor | Depth::Indexed256 | Depth::Indexed16) => {
                self.ink(dots, column, row, shown)
            }
            (_, Depth::Monochrome) => {
                let light = |dot: &Dot| luma(*dot);
                Dotted { mask: self.mask(dots, column, row, shown, light), known: true, ..Dotted::default() }
            }
            _ => self.pair(dots, column, row, shown),
        }
    }

    /// The character of a mask.
    pub(super) fn symbol(&self, mask: u8) -> char {
        match self.mode {
            Mode::Octant => octant(mask),
            Mode::Sextant => sextant(mask),
            Mode::Quadrant => {
                let quarters =
                    [0x05, 0x0a, 0x50, 0xa0].iter().enumerate().filter(|(bit, _)| mask >> bit & 1 == 1);
                octant(quarters.fold(0, |octants, (_, quarter)| octants | quarter))
            }
            Mode::Braille => braille(mask),
            Mode::Ascii if self.depth == Depth::Monochrome => char::from(mask.clamp(b' ', b'~')),
            Mode::Ascii => ' ',
            _ => [' ', '▀', '▄', '█'][usize::from(mask & 3)],
        }
    }

    /// The dots that are lighter than the pattern; a dot turns only when it is so by a margin.
    fn mask(
        &self,
        dots: &[Dot],
        column: usize,
        row: usize,
        shown: Dotted,
        light: impl Fn(&Dot) -> f32,
    ) -> u8 {
        let (columns, rows) = self.grid();
        let margin = if shown.known { self.threshold.max(0.0).sqrt() } else { 0.0 };
        let mut mask = 0;
        for (bit, dot) in dots.iter().enumerate().take(8) {
            let limit = 255.0 * pattern(column * columns + bit % columns, row * rows + bit / columns);
            let limit = if shown.mask >> bit & 1 == 1 { limit - margin } else { limit + margin };
            mask |= u8::from(light(dot) > limit) << bit;
        }
        mask
    }

    /// Dots of one colour on the terminal's own ground: the ink has the cell's hue, the number of dots its lightness.
    fn ink(&self, dots: &[Dot], column: usize, row: usize, shown: Dotted) -> Dotted {
        let mean = mean(dots);
        let peak = mean.into_iter().fold(1.0, f32::max);
        let ink = mean.map(|channel| channel.max(0.0) * 255.0 / peak);
        let fg = match shown.fg {
            Some(paint)
                if shown.known
                    && paint.error(ink) * (peak / 255.0).powi(2) <= self.threshold.max(1.0) * 4.0 =>
            {
                paint
            }
            _ => Paint::nearest(ink, self.depth),
        };
        let light = |dot: &Dot| dot.iter().copied().fold(0.0, f32::max);
        Dotted { mask: self.mask(dots, column, row, shown, light), fg: Some(fg), bg: None, known: true }
    }

    /// Two of the sixteen colours: each dot is one of the two that mix to its colour, and the cell's most frequent two stay.
    fn pair(&self, dots: &[Dot], column: usize, row: usize, shown: Dotted) -> Dotted {
        let (columns, rows) = self.grid();
        let mut count = [0u8; 16];
        for (bit, dot) in dots.iter().enumerate() {
            let (x, y) = (column * columns + bit % columns, row * rows + bit / columns);
            count[usize::from(Mix::of(*dot).dot(pattern(x, y)))] += 1;
        }
        let mut order: [u8; 16] = std::array::from_fn(|index| index as u8);
        order.sort_by_key(|index| std::cmp::Reverse(count[usize::from(*index)]));
        let (first, second) = (order[0], if count[usize::from(order[1])] > 0 { order[1] } else { order[0] });
        let (fg, bg) = (Paint::sixteen(first.max(second)), Paint::sixteen(first.min(second)));
        let mut mask = 0;
        for (bit, dot) in dots.iter().enumerate().take(8) {
            let (x, y) = (column * columns + bit % columns, row * rows + bit / columns);
            let wanted = Paint::sixteen(Mix::of(*dot).dot(pattern(x, y)));
            let nearer = |paint: Paint| paint.error(wanted.rgb.map(f32::from));
            mask |= u8::from(nearer(fg) < nearer(bg)) << bit;
        }
        let next = if dots.len() == 1 {
            Dotted { mask: 0, fg: None, bg: Some(if mask == 1 { fg } else { bg }), known: true }
        } else {
            Dotted { mask, fg: Some(fg), bg: Some(bg), known: true }
        };
        // The dither is off by much at every dot, and only the change of that counts.
        let slack = 4.0 * self.threshold.max(0.0);
        if shown.known && off(shown, dots) <= off(next, dots) + slack { shown } else { next }
    }

    /// The character whose ink is nearest to the upper and the lower half's lightness.
    fn letter(&self, dots: &[Dot], column: usize, row: usize, shown: Dotted) -> Dotted {
        let light = |index: usize| dots.get(index).map_or(0.0, |dot| luma(*dot) / 255.0);
        let nudge = (pattern(column, row) - 0.5) / 6.0;
        let (upper, lower) = (light(0) + nudge, light(1) + nudge);
        let error = |ink: &(u8, f32, f32)| (ink.1 - upper).powi(2) + (ink.2 - lower).powi(2);
        let best = INK.iter().min_by(|a, b| error(a).total_cmp(&error(b))).unwrap_or(&INK[0]);
        let slack = self.threshold.max(0.0) / (255.0 * 255.0);
        let held = INK
            .iter()
            .find(|ink| shown.known && ink.0 == shown.mask)
            .filter(|ink| error(ink) <= error(best) + slack);
        Dotted { mask: held.unwrap_or(best).0, known: true, ..Dotted::default() }
    }
}

/// Characters by the part of the upper and of the lower half of a cell that they fill, stretched so that the fullest fills all.
const INK: [(u8, f32, f32); 22] = [
    (b' ', 0.0, 0.0),
    (b'.', 0.0, 0.15),
    (b',', 0.0, 0.22),
    (b'\'', 0.18, 0.0),
    (b'`', 0.12, 0.0),
    (b':', 0.15, 0.18),
    (b'_', 0.0, 0.32),
    (b'"', 0.34, 0.0),
    (b'-', 0.17, 0.17),
    (b';', 0.15, 0.28),
    (b'=', 0.34, 0.34),
    (b'+', 0.28, 0.32),
    (b'v', 0.2, 0.45),
    (b'*', 0.5, 0.3),
    (b'x', 0.35, 0.48),
    (b'o', 0.3, 0.52),
    (b'Y', 0.55, 0.38),
    (b'P', 0.72, 0.42),
    (b'b', 0.5, 0.7),
    (b'&', 0.72, 0.76),
    (b'#', 0.82, 0.82),
    (b'@', 1.0, 1.0),
];

/// The threshold of a place on the screen, above 0 and below 1, in the order of an 8x8 Bayer matrix.
fn pattern(x: usize, y: usize) -> f32 {
    let (mut order, mixed) = (0, x ^ y);
    for bit in 0..3 {
        order |= (mixed >> bit & 1) << (5 - 2 * bit) | (y >> bit & 1) << (4 - 2 * bit);
    }
    (order as f32 + 0.5) / 64.0
}

fn luma([r, g, b]: Dot) -> f32 {
    0.299 * r + 0.587 * g + 0.114 * b
}

fn mean(dots: &[Dot]) -> Dot {
    let count = dots.len().max(1) as f32;
    std::array::from_fn(|channel| dots.iter().map(|dot| dot[channel]).sum::<f32>() / count)
}

/// How far what is shown is off the dots, each dot against its own and the whole against the mean.
fn off(shown: Dotted, dots: &[Dot]) -> f32 {
    let black = Paint::default();
    let (fg, bg) = (shown.fg.unwrap_or(black), shown.bg.unwrap_or(black));
    let count = dots.len().max(1) as f32;
    let mut each = 0.0;
    let mut sum = [0.0; 3];
    for (bit, dot) in dots.iter().enumerate().take(8) {
        let paint = if shown.mask >> bit & 1 == 1 { fg } else { bg };
        each += paint.error(*dot) / count;
        for channel in 0..3 {
            sum[channel] += (f32::from(paint.rgb[channel]) - dot[channel]) / count;
        }
    }
    each / 8.0 + sum.iter().map(|channel| channel * channel).sum::<f32>() / 3.0
}

/// Two of the sixteen colours, and how much of the second mixes to a colour.
#[derive(Debug, Clone, Copy, Default)]
struct Mix {
    first: u8,
    second: u8,
    part: f32,
}

impl Mix {
    /// The best mix for a colour, from a table of 16 levels a channel.
    fn of(dot: Dot) -> Self {
        static MIXES: LazyLock<Vec<Mix>> = LazyLock::new(|| {
            (0..4096)
                .map(|index| {
                    Mix::best([index >> 8, index >> 4 & 15, index & 15].map(|level| level as f32 * 17.0))
                })
                .collect()
        });
        let [r, g, b] = dot.map(|channel| usize::from(((channel + 8.5) / 17.0) as u8).min(15));
        MIXES[r << 8 | g << 4 | b]
    }

    fn best(wanted: Dot) -> Self {
        let mut best = Self::default();
        let mut least = f32::INFINITY;
        for first in 0..16u8 {
            for second in first..16 {
                let [a, b] = [first, second].map(|index| SIXTEEN[usize::from(index)].map(f32::from));
                let (mut along, mut apart) = (0.0, 0.0);
                for channel in 0..3 {
                    along += (wanted[channel] - a[channel]) * (b[channel] - a[channel]);
                    apart += (b[channel] - a[channel]).powi(2);
                }
                let part = if apart > 0.0 { (along / apart).clamp(0.0, 1.0) } else { 0.0 };
                let mut error = 0.0;
                for channel in 0..3 {
                    error += (a[channel] + part * (b[channel] - a[channel]) - wanted[channel]).powi(2);
                }
                // Colours far apart mix to a coarse grain, which is an error too.
                error += 0.1 * apart * part * (1.0 - part);
                if error < least {
                    least = error;
                    best = Self { first, second, part };
                }
            }
        }
        best
    }

    fn dot(self, limit: f32) -> u8 {
        if self.part > limit { self.second } else { self.first }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pattern_has_every_level_once() {
        let mut levels: Vec<u32> =
            (0..64).map(|place| (pattern(place % 8, place / 8) * 64.0) as u32).collect();
        levels.sort_unstable();
        assert_eq!(levels, (0..64).collect::<Vec<_>>());
    }

    #[test]
    fn as_many_dots_are_light_as_the_grey_is() {
        let dots = Dots { mode: Mode::Braille, depth: Depth::Monochrome, threshold: 0.0 };
        for grey in [0.0f32, 64.0, 128.0, 192.0, 255.0] {
            let mut light = 0;
            for place in 0..64 {
                light +=
                    dots.choose(&[[grey; 3]; 8], place % 8, place / 8, Dotted::default()).mask.count_ones();
            }
            assert!((light as f32 / 512.0 - grey / 255.0).abs() < 0.02, "{grey}: {light}");
        }
    }

    #[test]
    fn noise_below_the_threshold_changes_no_dot() {
        for (mode, depth) in [
            (Mode::Octant, Depth::Monochrome),
            (Mode::Ascii, Depth::Monochrome),
            (Mode::Octant, Depth::Indexed16),
            (Mode::Braille, Depth::Truecolor),
        ] {
            let dots = Dots { mode, depth, threshold: 16.0 };
            let count = dots.grid().0 * dots.grid().1;
            for place in 0..64 {
                let shown =
                    dots.choose(&vec![[100.0, 90.0, 80.0]; count], place % 8, place / 8, Dotted::default());
                let noisy: Vec<Dot> = (0..count)
                    .map(|dot| [100.0, 90.0, 80.0].map(|channel| channel + (dot % 3) as f32 - 1.0))
                    .collect();
                assert_eq!(dots.choose(&noisy, place % 8, place / 8, shown), shown, "{mode}");
            }
        }
    }

    #[test]
    fn sixteen_colours_mix_to_a_grey_between_them() {
        let dots = Dots { mode: Mode::Octant, depth: Depth::Indexed16, threshold: 0.0 };
        let mut sum = 0.0;
        for place in 0..64 {
            let shown = dots.choose(&[[170.0; 3]; 8], place % 8, place / 8, Dotted::default());
            for bit in 0..8 {
                let paint = if shown.mask >> bit & 1 == 1 { shown.fg } else { shown.bg };
                sum += luma(paint.unwrap().rgb.map(f32::from));
            }
        }
        assert!((sum / 512.0 - 170.0).abs() < 12.0, "{}", sum / 512.0);
    }
}
