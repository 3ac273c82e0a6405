//! Which pixels of a band are painted anew, and in which colours: the least error for the bytes they take.
//!
//! Pure. A colour in a column costs about one byte when the column before has it too, and five and more when it stands alone; a
//! pixel that keeps its colour costs none. So the six pixels of a column are settled together: of the colours that
//! are nearest to one of them, or were just used, the one that takes away most error for its price is painted,
//! until none is worth its price. Steady content costs nothing, noise is not chased, and runs come out long.

use super::super::rgb::vectorised;
use super::band::Band;

/// Pixel rows of a band.
pub(super) const ROWS: usize = 6;

/// Bytes that painting a colour takes, by columns since it was painted last: in this column, the one before, and so on up
/// to 5 and more.
const BYTES: [i32; 6] = [0, 1, 2, 3, 4, 5];

/// Bytes when the band does not have the colour yet.
pub(super) const BYTES_ANEW: i32 = 8;

/// The error of a pixel that shows nothing yet: more than any colour has.
const NOTHING: i32 = 1 << 20;

/// Colours that may be looked at for one column: nearest to one of its pixels, or painted in the column before.
const CANDIDATES: usize = 2 * ROWS;

/// Colours of a palette as numbers to reckon with.
pub(super) type Colours = [[i32; 4]; 256];

/// One band to settle. Every plane holds the band's rows back to back.
pub(super) struct Job<'a> {
    /// Pixels a row.
    pub(super) width: usize,
    /// What should be shown.
    pub(super) red: &'a [u8],
    pub(super) green: &'a [u8],
    pub(super) blue: &'a [u8],
    /// The nearest colour of each pixel.
    pub(super) nearest: &'a [u8],
    /// What is shown; changed to what will be.
    pub(super) shown: &'a mut [u8],
    /// Whether `shown` counts: otherwise everything is painted.
    pub(super) known: bool,
    /// For each column the rows whose nearest colour is not the shown one.
    pub(super) open: &'a [u8],
    pub(super) colours: &'a Colours,
    /// Squared error, summed over the channels, that a byte must take away.
    pub(super) price: i32,
    /// Where the painted pixels go.
    pub(super) band: &'a mut Band,
}

vectorised!(
    /// Settles a band.
    settle, settle_inner, (job: &mut Job<'_>)
);

/// A pixel more than a band has, so that a column is one vector.
const LANES: usize = 8;

#[inline(always)]
fn settle_inner(job: &mut Job<'_>) {
    let width = job.width;
    let rows = (job.shown.len() / width.max(1)).min(ROWS);
    let planes = [job.red, job.green, job.blue].map(|plane| split(plane, width));
    let nearest = split(job.nearest, width);
    let mut painted: [Option<u32>; 256] = [None; 256];
    let mut recent = [0_u8; ROWS];
    let mut recents = 0;
    for (x, &open) in job.open[..width].iter().enumerate() {
        if open == 0 {
            recents = 0;
            continue;
        }
        let mut pixels = [[0_i32; LANES]; 3];
        for (pixels, plane) in pixels.iter_mut().zip(&planes) {
            for (pixel, row) in pixels.iter_mut().zip(plane) {
                *pixel = i32::from(row[x]);
            }
        }
        let mut error = [0_i32; LANES];
        for (row, error) in error[..rows].iter_mut().enumerate() {
            let shown = job.shown[row * width + x];
            *error = if job.known {
                distance([pixels[0][row], pixels[1][row], pixels[2][row]], &job.colours[usize::from(shown)])
            } else {
                NOTHING
            };
        }

        let mut candidates = [0_u8; CANDIDATES];
        let mut prices = [0_i32; CANDIDATES];
        let mut count = 0;
        let price = |colour: u8| {
            job.price
                * match painted[usize::from(colour)] {
                    Some(last) => BYTES[(x as u32 - last).min(5) as usize],
                    None => BYTES_ANEW,
                }
        };
        // What painting every pixel in its nearest colour would gain, and the least that any of it costs.
        let (mut most, mut least) = (0, i32::MAX);
        for row in (0..rows).filter(|row| open >> row & 1 != 0) {
            let colour = nearest[row][x];
            let best =
                distance([pixels[0][row], pixels[1][row], pixels[2][row]], &job.colours[usize::from(colour)]);
            most += (error[row] - best).max(0);
            if !candidates[..count].contains(&colour) {
                candidates[count] = colour;
                prices[count] = price(colour);
                least = least.min(prices[count]);
                count += 1;
            }
        }
        if recents > 0 {
            least = least.min(job.price * BYTES[1]);
        }
        if most <= least {
            recents = 0;
            continue;
        }
        for &colour in &recent[..recents] {
            if !candidates[..count].contains(&colour) {
                candidates[count] = colour;
                prices[count] = price(colour);
                count += 1;
            }
        }

        let mut errors = [[0_i32; LANES]; CANDIDATES];
        for (errors, &candidate) in errors.iter_mut().zip(&candidates[..count]) {
            let colour = &job.colours[usize::from(candidate)];
            for (lane, error) in errors.iter_mut().enumerate() {
                *error = distance([pixels[0][lane], pixels[1][lane], pixels[2][lane]], colour);
            }
            // Lanes beyond the band have no error to lose.
            errors[rows..].fill(NOTHING);
        }

        let mut owner = [usize::MAX; LANES];
        loop {
            let mut best = (0, usize::MAX);
            for (at, (errors, &price)) in errors[..count].iter().zip(&prices).enumerate() {
                let gain: i32 = (0..LANES).map(|lane| (error[lane] - errors[lane]).max(0)).sum();
                if gain - price > best.0 {
                    best = (gain - price, at);
                }
            }
            let Some(errors) = errors.get(best.1) else {
                break;
            };
            for lane in 0..LANES {
                if errors[lane] < error[lane] {
                    (owner[lane], error[lane]) = (best.1, errors[lane]);
                }
            }
            prices[best.1] = 0;
        }

        recents = 0;
        for (at, &colour) in candidates[..count].iter().enumerate() {
            let mut mask = 0;
            for (row, &owner) in owner[..rows].iter().enumerate() {
                mask |= u8::from(owner == at) << row;
            }
            if mask == 0 {
                continue;
            }
            for row in 0..rows {
                if mask >> row & 1 != 0 {
                    job.shown[row * width + x] = colour;
                }
            }
            job.band.push(x as u16, colour, mask);
            painted[usize::from(colour)] = Some(x as u32);
            recent[recents] = colour;
            recents += 1;
        }
    }
}

/// The rows of a plane.
#[inline(always)]
fn split(plane: &[u8], width: usize) -> [&[u8]; ROWS] {
    std::array::from_fn(|row| &plane[row * width..][..width])
}

#[inline(always)]
fn distance(pixel: [i32; 3], colour: &[i32; 4]) -> i32 {
    let (red, green, blue) = (pixel[0] - colour[0], pixel[1] - colour[1], pixel[2] - colour[2]);
    red * red + green * green + blue * blue
}
