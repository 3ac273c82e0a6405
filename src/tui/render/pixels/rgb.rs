//! From I420 of limited range to RGB, by BT.601, as everything in `media` makes it.
//!
//! Pure arithmetic in 16-bit integers with four binary places, right within one step of 255. The loops are written for the
//! compiler to vectorise and are compiled twice on x86-64: for every machine, and for those with AVX2.

/// What chroma adds to each colour of a row, for every pixel of it; good for the two rows that share their chroma.
#[derive(Default)]
pub(super) struct Chroma {
    red: Vec<i16>,
    green: Vec<i16>,
    blue: Vec<i16>,
}

/// One row of separate colours.
#[derive(Default)]
pub(super) struct Row {
    pub(super) red: Vec<u8>,
    pub(super) green: Vec<u8>,
    pub(super) blue: Vec<u8>,
}

/// Binary places of the sums.
const PLACES: u32 = 4;

/// The factors of BT.601, scaled so that the upper half of the product has [`PLACES`] binary places: luma comes in times
/// 2^7, chroma times 2^8.
const LUMA: i32 = 9539;
const RED_V: i32 = 6537;
const GREEN_U: i32 = -1605;
const GREEN_V: i32 = -3330;
const BLUE_U: i32 = 8263;

/// Compiles a function twice on x86-64, with AVX2 for machines that have it, and calls the right one.
macro_rules! vectorised {
    ($(#[$doc:meta])* $name:ident, $inner:ident, ($($argument:ident: $kind:ty),* $(,)?)) => {
        $(#[$doc])*
        pub(super) fn $name($($argument: $kind),*) {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2")]
                fn fast($($argument: $kind),*) {
                    $inner($($argument),*);
                }
                if std::arch::is_x86_feature_detected!("avx2") {
                    // SAFETY: the machine has the one feature that the function asks for.
                    return unsafe { fast($($argument),*) };
                }
            }
            $inner($($argument),*);
        }
    };
}
pub(super) use vectorised;

vectorised!(
    /// Works out `chroma` for rows of `width` pixels from their rows of U and V.
    chroma_row, chroma_row_inner, (u: &[u8], v: &[u8], width: usize, chroma: &mut Chroma)
);
vectorised!(
    /// The colours of one row of luma.
    rgb_row, rgb_row_inner, (luma: &[u8], chroma: &Chroma, row: &mut Row)
);
vectorised!(
    /// The colours of one row of luma as `red green blue` bytes; `out` is three times as long as `luma`.
    packed_row, packed_row_inner, (luma: &[u8], chroma: &Chroma, out: &mut [u8])
);

/// The colour of one pixel.
pub(super) fn pixel(y: u8, u: u8, v: u8) -> [u8; 3] {
    let [red, green, blue] = parts(u, v);
    let luma = luma(y);
    [clamp(luma + red), clamp(luma + green), clamp(luma + blue)]
}

#[inline(always)]
fn high(value: i16, factor: i32) -> i16 {
    ((i32::from(value) * factor) >> 16) as i16
}

#[inline(always)]
fn luma(y: u8) -> i16 {
    high((i16::from(y) - 16) << 7, LUMA)
}

#[inline(always)]
fn parts(u: u8, v: u8) -> [i16; 3] {
    let (u, v) = ((i16::from(u) - 128) << 8, (i16::from(v) - 128) << 8);
    [high(v, RED_V), high(u, GREEN_U) + high(v, GREEN_V), high(u, BLUE_U)]
}

#[inline(always)]
fn clamp(sum: i16) -> u8 {
    ((sum + (1 << (PLACES - 1))) >> PLACES).clamp(0, 255) as u8
}

#[inline(always)]
fn chroma_row_inner(u: &[u8], v: &[u8], width: usize, chroma: &mut Chroma) {
    let Chroma { red, green, blue } = chroma;
    let pairs = width.div_ceil(2).min(u.len()).min(v.len());
    for plane in [&mut *red, &mut *green, &mut *blue] {
        plane.resize(2 * pairs, 0);
    }
    for ((pair, &u), &v) in red.chunks_exact_mut(2).zip(u).zip(v) {
        pair.fill(parts(u, v)[0]);
    }
    for ((pair, &u), &v) in green.chunks_exact_mut(2).zip(u).zip(v) {
        pair.fill(parts(u, v)[1]);
    }
    for ((pair, &u), &v) in blue.chunks_exact_mut(2).zip(u).zip(v) {
        pair.fill(parts(u, v)[2]);
    }
    for plane in [red, green, blue] {
        plane.truncate(width);
    }
}

#[inline(always)]
fn rgb_row_inner(luma_row: &[u8], chroma: &Chroma, row: &mut Row) {
    let width = luma_row.len();
    for (out, part) in
        [(&mut row.red, &chroma.red), (&mut row.green, &chroma.green), (&mut row.blue, &chroma.blue)]
    {
        out.resize(width, 0);
        for ((out, &y), &part) in out.iter_mut().zip(luma_row).zip(part) {
            *out = clamp(luma(y) + part);
        }
    }
}

/// Pixels that are worked out before they are interleaved.
const BLOCK: usize = 32;

#[inline(always)]
fn packed_row_inner(luma_row: &[u8], chroma: &Chroma, out: &mut [u8]) {
    let parts = [&chroma.red, &chroma.green, &chroma.blue];
    let whole = luma_row.len() / BLOCK * BLOCK;
    let mut planes = [[0_u8; BLOCK]; 3];
    for at in (0..whole).step_by(BLOCK) {
        for (plane, part) in planes.iter_mut().zip(parts) {
            for ((out, &y), &part) in
                plane.iter_mut().zip(&luma_row[at..at + BLOCK]).zip(&part[at..at + BLOCK])
            {
                *out = clamp(luma(y) + part);
            }
        }
        let [red, green, blue] = &planes;
        for (i, pixel) in out[3 * at..3 * (at + BLOCK)].chunks_exact_mut(3).enumerate() {
            (pixel[0], pixel[1], pixel[2]) = (red[i], green[i], blue[i]);
        }
    }
    for at in whole..luma_row.len().min(out.len() / 3) {
        for (part, colour) in parts.into_iter().zip(0..) {
            out[3 * at + colour] = clamp(luma(luma_row[at]) + part[at]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_colour_is_within_one_step_of_bt_601() {
        for y in (0..=255).step_by(3) {
            for u in (0..=255).step_by(5) {
                for v in (0..=255).step_by(5) {
                    let (luma, du, dv) =
                        (f64::from(y - 16) * 255.0 / 219.0, f64::from(u - 128), f64::from(v - 128));
                    let wanted = [luma + 1.596 * dv, luma - 0.392 * du - 0.813 * dv, luma + 2.017 * du];
                    for (have, wanted) in pixel(y as u8, u as u8, v as u8).into_iter().zip(wanted) {
                        assert!((f64::from(have) - wanted.clamp(0.0, 255.0)).abs() <= 1.0, "{y} {u} {v}");
                    }
                }
            }
        }
    }

    #[test]
    fn rows_are_what_their_pixels_are() {
        for width in [1_usize, 2, 31, 32, 33, 95, 640] {
            let luma: Vec<u8> = (0..width).map(|x| (x * 7) as u8).collect();
            let u: Vec<u8> = (0..width.div_ceil(2)).map(|x| (x * 13 + 5) as u8).collect();
            let v: Vec<u8> = (0..width.div_ceil(2)).map(|x| (x * 29 + 9) as u8).collect();
            let (mut chroma, mut row, mut packed) = (Chroma::default(), Row::default(), vec![0; width * 3]);
            chroma_row(&u, &v, width, &mut chroma);
            rgb_row(&luma, &chroma, &mut row);
            packed_row(&luma, &chroma, &mut packed);
            for x in 0..width {
                let wanted = pixel(luma[x], u[x / 2], v[x / 2]);
                assert_eq!([row.red[x], row.green[x], row.blue[x]], wanted);
                assert_eq!(packed[3 * x..3 * x + 3], wanted);
            }
        }
    }
}
