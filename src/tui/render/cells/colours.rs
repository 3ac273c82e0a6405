//! The colours of a terminal: the nearest one it has, and how many bytes it takes to ask for it.

use ratatui::style::Color;

use crate::tui::render::Depth;

/// A colour that the terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Paint {
    /// What it looks like.
    pub(super) rgb: [u8; 3],
    /// Its number where colours have numbers.
    index: u8,
}

/// The levels of the cube of 6x6x6 colours.
const LEVELS: [u8; 6] = [0, 95, 135, 175, 215, 255];

/// The sixteen colours as xterm has them; a theme may have others.
pub(super) const SIXTEEN: [[u8; 3]; 16] = [
    [0, 0, 0],
    [205, 0, 0],
    [0, 205, 0],
    [205, 205, 0],
    [0, 0, 238],
    [205, 0, 205],
    [0, 205, 205],
    [229, 229, 229],
    [127, 127, 127],
    [255, 0, 0],
    [0, 255, 0],
    [255, 255, 0],
    [92, 92, 255],
    [255, 0, 255],
    [0, 255, 255],
    [255, 255, 255],
];

impl Paint {
    /// The nearest colour of `depth` to `wanted`, channels of 0 to 255, clamped.
    pub(super) fn nearest(wanted: [f32; 3], depth: Depth) -> Self {
        // Adding half and cutting rounds; the cast clamps.
        let rgb = wanted.map(|channel| (channel + 0.5) as u8);
        match depth {
            Depth::Truecolor | Depth::Monochrome => Self { rgb, index: 0 },
            Depth::Indexed256 => {
                let index = nearest_of_256(rgb);
                Self { rgb: rgb_of_256(index), index }
            }
            Depth::Indexed16 => Self::sixteen(nearest_of_16(rgb)),
        }
    }

    /// One of the sixteen.
    pub(super) fn sixteen(index: u8) -> Self {
        Self { rgb: SIXTEEN[usize::from(index & 15)], index: index & 15 }
    }

    /// The same for ratatui.
    pub(super) fn color(self, depth: Depth) -> Color {
        let [r, g, b] = self.rgb;
        match depth {
            Depth::Truecolor => Color::Rgb(r, g, b),
            Depth::Indexed256 | Depth::Indexed16 => Color::Indexed(self.index),
            Depth::Monochrome => Color::Reset,
        }
    }

    /// Bytes of the parameter that selects it.
    pub(super) fn bytes(self, depth: Depth) -> f32 {
        let digits = |number: u8| 1.0 + f32::from(u8::from(number > 9)) + f32::from(u8::from(number > 99));
        match depth {
            Depth::Truecolor => 7.0 + self.rgb.into_iter().map(digits).sum::<f32>(),
            Depth::Indexed256 => 5.0 + digits(self.index),
            Depth::Indexed16 => 2.0,
            Depth::Monochrome => 0.0,
        }
    }

    /// How far `colour` is from it: mean squared error over the channels.
    #[inline(always)]
    pub(super) fn error(self, colour: [f32; 3]) -> f32 {
        let [r, g, b] = std::array::from_fn(|channel| f32::from(self.rgb[channel]) - colour[channel]);
        (r * r + g * g + b * b) / 3.0
    }
}

/// The index in the 256-colour palette, above the sixteen, that is nearest.
pub(crate) fn nearest_of_256(rgb: [u8; 3]) -> u8 {
    let level = |channel: u8| match channel {
        0..=47 => 0u8,
        48..=114 => 1,
        channel => (channel - 35) / 40,
    };
    let cube = rgb.map(level);
    let cube = 16 + 36 * cube[0] + 6 * cube[1] + cube[2];
    let mean = rgb.iter().map(|channel| u32::from(*channel)).sum::<u32>() / 3;
    let grey = 232 + (mean.saturating_sub(3) / 10).min(23) as u8;
    let error = |index: u8| distance(rgb_of_256(index), rgb);
    if error(grey) < error(cube) { grey } else { cube }
}

/// The nearest of the sixteen.
pub(crate) fn nearest_of_16(rgb: [u8; 3]) -> u8 {
    (0..16u8).min_by_key(|index| distance(SIXTEEN[usize::from(*index)], rgb)).unwrap_or(0)
}

/// What a colour of the 256-colour palette looks like.
pub(crate) fn rgb_of_256(index: u8) -> [u8; 3] {
    match index {
        0..=15 => SIXTEEN[usize::from(index)],
        16..=231 => {
            let cube = usize::from(index - 16);
            [LEVELS[cube / 36], LEVELS[cube / 6 % 6], LEVELS[cube % 6]]
        }
        grey => [8 + 10 * (grey - 232); 3],
    }
}

fn distance(a: [u8; 3], b: [u8; 3]) -> u32 {
    a.iter().zip(b).map(|(a, b)| u32::from(a.abs_diff(b)).pow(2)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_of_the_palette_are_nearest_to_themselves() {
        for index in 16..=255 {
            let rgb = rgb_of_256(index);
            assert_eq!(rgb_of_256(nearest_of_256(rgb)), rgb);
        }
        for index in 0..16 {
            assert_eq!(nearest_of_16(SIXTEEN[usize::from(index)]), index);
        }
    }

    #[test]
    fn the_nearest_of_256_is_nearest() {
        for wanted in [[0, 0, 0], [255, 255, 255], [12, 12, 12], [47, 48, 49], [114, 115, 116], [200, 10, 90]]
        {
            let best = (16..=255).map(|index| distance(rgb_of_256(index), wanted)).min();
            assert_eq!(Some(distance(rgb_of_256(nearest_of_256(wanted)), wanted)), best, "{wanted:?}");
        }
    }
}
