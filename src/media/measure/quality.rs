//! How much of a picture is left: PSNR and SSIM of the luma plane.
//!
//! SSIM uses windows of 8x8 pixels, 4 apart, with integer sums of 4x4 blocks, the way x264 and ffmpeg do, so that
//! figures compare.

use crate::media::VideoFrame;

/// What PSNR says of identical pictures, in dB.
pub const MAX_DECIBELS: f64 = 100.0;

/// Mean squared error of the luma planes; `None` when the sizes differ.
pub fn luma_error(a: &VideoFrame, b: &VideoFrame) -> Option<f64> {
    if (a.width(), a.height()) != (b.width(), b.height()) {
        return None;
    }
    let width = a.width() as usize;
    let sum: u64 = a
        .y()
        .chunks_exact(width)
        .zip(b.y().chunks_exact(width))
        .map(|(a, b)| {
            // A row of 4096 times 255 squared fits into 32 bits.
            let row: u32 = a.iter().zip(b).map(|(&a, &b)| (i32::from(a) - i32::from(b)).pow(2) as u32).sum();
            u64::from(row)
        })
        .sum();
    Some(sum as f64 / a.y().len() as f64)
}

/// PSNR in dB of a mean squared error, at most [`MAX_DECIBELS`].
pub fn psnr(error: f64) -> f64 {
    if error <= 0.0 { MAX_DECIBELS } else { (10.0 * (255.0 * 255.0 / error).log10()).min(MAX_DECIBELS) }
}

/// Structural similarity of the luma planes, 1 for identical ones; `None` when the sizes differ or a side is below 8.
pub fn ssim(a: &VideoFrame, b: &VideoFrame) -> Option<f64> {
    if (a.width(), a.height()) != (b.width(), b.height()) || a.width() < 8 || a.height() < 8 {
        return None;
    }
    let width = a.width() as usize;
    let across = width / 4;
    let mut columns = Columns::new(across * 4);
    let (mut upper, mut lower) = (vec![Sums::default(); across], vec![Sums::default(); across]);
    let (mut total, mut windows) = (0.0, 0_u32);
    let strips = a.y().chunks_exact(4 * width).zip(b.y().chunks_exact(4 * width));
    for (strip, (a, b)) in strips.enumerate() {
        std::mem::swap(&mut upper, &mut lower);
        columns.fold(a, b, width, &mut lower);
        if strip > 0 {
            for (upper, lower) in upper.windows(2).zip(lower.windows(2)) {
                total += f64::from(window(&[upper[0], upper[1], lower[0], lower[1]]));
            }
            windows += across as u32 - 1;
        }
    }
    Some(total / f64::from(windows.max(1)))
}

/// Sums over one 4x4 block of both pictures: of each, of the squares of both, of the products.
#[derive(Clone, Copy, Default)]
struct Sums {
    a: i32,
    b: i32,
    squares: i32,
    products: i32,
}

/// Sums over four rows of each column, kept apart so that the loops run over plain slices.
struct Columns {
    a: Vec<i32>,
    b: Vec<i32>,
    squares: Vec<i32>,
    products: Vec<i32>,
}

impl Columns {
    fn new(width: usize) -> Self {
        Self { a: vec![0; width], b: vec![0; width], squares: vec![0; width], products: vec![0; width] }
    }

    fn fold(&mut self, a: &[u8], b: &[u8], width: usize, blocks: &mut [Sums]) {
        for sums in [&mut self.a, &mut self.b, &mut self.squares, &mut self.products] {
            sums.fill(0);
        }
        for (a, b) in a.chunks_exact(width).zip(b.chunks_exact(width)) {
            let sums = self.a.iter_mut().zip(&mut self.b).zip(&mut self.squares).zip(&mut self.products);
            for ((((sa, sb), squares), products), (&a, &b)) in sums.zip(a.iter().zip(b)) {
                let (a, b) = (i32::from(a), i32::from(b));
                *sa += a;
                *sb += b;
                *squares += a * a + b * b;
                *products += a * b;
            }
        }
        let four = |sums: &[i32], at: usize| sums[4 * at..4 * at + 4].iter().sum();
        for (at, block) in blocks.iter_mut().enumerate() {
            *block = Sums {
                a: four(&self.a, at),
                b: four(&self.b, at),
                squares: four(&self.squares, at),
                products: four(&self.products, at),
            };
        }
    }
}

/// SSIM of the 8x8 window that four blocks make.
fn window(blocks: &[Sums; 4]) -> f32 {
    const PIXELS: i32 = 64;
    const C1: i32 = (0.01 * 0.01 * 255.0 * 255.0 * 64.0 + 0.5) as i32;
    const C2: i32 = (0.03 * 0.03 * 255.0 * 255.0 * 64.0 * 63.0 + 0.5) as i32;
    let sum = |part: fn(&Sums) -> i32| blocks.iter().map(part).sum::<i32>();
    let (a, b, squares, products) = (sum(|s| s.a), sum(|s| s.b), sum(|s| s.squares), sum(|s| s.products));
    let variances = squares * PIXELS - a * a - b * b;
    let covariance = products * PIXELS - a * b;
    (2 * a * b + C1) as f32 * (2 * covariance + C2) as f32
        / ((a * a + b * b + C1) as f32 * (variances + C2) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::codec::VideoCodec;
    use crate::media::codec::vpx::{Decoder, Encoder, Settings};
    use crate::media::file::y4m;
    use crate::media::synthetic::Pattern;
    use crate::media::{VideoFormat, WallTime};

    /// A pattern and what VP8 leaves of it.
    fn pair(width: u32, height: u32, kbps: u32) -> (VideoFrame, VideoFrame) {
        let pattern = Pattern::new(VideoFormat { width, height, fps: 25 }).unwrap();
        let mut encoder = Encoder::new(Settings::realtime(VideoCodec::Vp8, width, height, 25, kbps)).unwrap();
        let mut decoder = Decoder::new(VideoCodec::Vp8, 1).unwrap();
        let mut last = None;
        for n in 0..20 {
            let picture = pattern.paint(n, WallTime(n * 40_000));
            let encoded = encoder.encode(&picture, n as u32 * 3600, false).unwrap();
            last = decoder.decode(&encoded.data, picture.captured).unwrap().map(|d| (picture, d.frame));
        }
        last.unwrap()
    }

    #[test]
    fn identical_pictures_are_perfect() {
        let (picture, _) = pair(160, 90, 100);
        assert_eq!(luma_error(&picture, &picture), Some(0.0));
        assert_eq!(psnr(0.0), MAX_DECIBELS);
        assert!((ssim(&picture, &picture).unwrap() - 1.0).abs() < 1e-6);
    }

    #[test]
    fn different_sizes_do_not_compare() {
        let (a, b) = (VideoFrame::black(16, 16, WallTime(0)), VideoFrame::black(16, 8, WallTime(0)));
        assert_eq!((luma_error(&a, &b), ssim(&a, &b)), (None, None));
        let tiny = VideoFrame::black(7, 16, WallTime(0));
        assert_eq!(ssim(&tiny, &tiny), None);
    }

    #[test]
    fn black_against_white_does_not_overflow() {
        let (a, mut b) = (VideoFrame::black(64, 64, WallTime(0)), VideoFrame::black(64, 64, WallTime(0)));
        b.planes_mut().0.fill(255);
        assert!(ssim(&a, &b).unwrap() < 0.2);
        assert!(psnr(luma_error(&a, &b).unwrap()) < 1.0);
    }

    #[test]
    fn figures_agree_with_ffmpeg() {
        for (width, height, kbps) in [(160, 90, 30), (322, 182, 100), (640, 360, 300)] {
            let (a, b) = pair(width, height, kbps);
            let folder = tempfile::tempdir().unwrap();
            for (name, picture) in [("a.y4m", &a), ("b.y4m", &b)] {
                let file = std::fs::File::create(folder.path().join(name)).unwrap();
                y4m::Writer::new(file, width, height, 25).unwrap().write(picture).unwrap();
            }
            let run = std::process::Command::new("ffmpeg")
                .args(["-v", "info", "-nostdin", "-i", "a.y4m", "-i", "b.y4m"])
                .args(["-lavfi", "[0:v][1:v]ssim;[0:v][1:v]psnr", "-f", "null", "-"])
                .current_dir(folder.path())
                .output()
                .expect("ffmpeg is missing: apt install ffmpeg (or run scripts/setup)");
            let text = String::from_utf8_lossy(&run.stderr);
            let figure = |line: &str, key: &str| -> f64 {
                let line = text.lines().find(|l| l.contains(line)).unwrap_or_else(|| panic!("{text}"));
                let value = line.split(key).nth(1).unwrap().split_whitespace().next().unwrap();
                value.parse().unwrap()
            };
            let (their_ssim, their_psnr) = (figure("SSIM", "Y:"), figure("PSNR", "y:"));
            let (our_ssim, our_psnr) = (ssim(&a, &b).unwrap(), psnr(luma_error(&a, &b).unwrap()));
            assert!((our_ssim - their_ssim).abs() < 0.002, "{our_ssim} against {their_ssim}");
            assert!((our_psnr - their_psnr).abs() < 0.02, "{our_psnr} against {their_psnr}");
        }
    }
}
