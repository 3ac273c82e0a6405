use super::*;
use crate::media::measure::quality;
use crate::media::synthetic::Pattern;
use crate::media::{VideoFormat, VideoFrame};

const NOW: WallTime = WallTime(7);

fn pattern(width: u32, height: u32) -> VideoFrame {
    Pattern::new(VideoFormat { width, height, fps: 25 }).unwrap().paint(3, NOW)
}

/// Colour of one pixel as a screen shows it.
fn rgb(picture: &VideoFrame, x: usize, y: usize) -> [u8; 3] {
    let across = picture.width() as usize;
    let chroma = y / 2 * picture.chroma_size().0 as usize + x / 2;
    let luma = 1.164 * (f64::from(picture.y()[y * across + x]) - 16.0);
    let (u, v) = (f64::from(picture.u()[chroma]) - 128.0, f64::from(picture.v()[chroma]) - 128.0);
    [luma + 1.596 * v, luma - 0.392 * u - 0.813 * v, luma + 2.017 * u].map(|level| level.round() as u8)
}

fn as_rgba(picture: &VideoFrame) -> Vec<u8> {
    let (across, down) = (picture.width() as usize, picture.height() as usize);
    (0..across * down)
        .flat_map(|at| {
            let [r, g, b] = rgb(picture, at % across, at / across);
            [r, g, b, 255]
        })
        .collect()
}

#[test]
fn packed_and_planar_pictures_are_taken_over_as_they_are() {
    let picture = pattern(160, 90);
    let (mut packed, mut planar) = (Vec::new(), picture.y().to_vec());
    for at in 0..160 * 90 {
        let chroma = at / 160 / 2 * 80 + at % 160 / 2;
        let plane = if at % 2 == 0 { picture.u() } else { picture.v() };
        packed.extend([picture.y()[at], plane[chroma]]);
    }
    for (&u, &v) in picture.u().iter().zip(picture.v()) {
        planar.extend([u, v]);
    }
    assert_eq!(yuyv(160, 90, &packed, NOW).unwrap(), picture);
    assert_eq!(nv12(160, 90, &planar, NOW).unwrap(), picture);
}

#[test]
fn colours_of_a_screen_keep_their_looks() {
    let colours = [[255, 255, 255], [0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255], [200, 120, 40]];
    for (width, height) in [(4, 4), (5, 3), (1, 1)] {
        for [r, g, b] in colours {
            let bytes = [r, g, b, 9].repeat((width * height) as usize);
            let picture = rgba(width, height, &bytes, NOW).unwrap();
            for at in 0..(width * height) as usize {
                let shown = rgb(&picture, at % width as usize, at / width as usize);
                for (shown, wanted) in shown.into_iter().zip([r, g, b]) {
                    assert!(shown.abs_diff(wanted) <= 3, "{shown} {wanted}");
                }
            }
        }
    }
}

#[test]
fn bytes_that_do_not_fit_their_size_are_no_picture() {
    assert!(yuyv(4, 4, &[0; 31], NOW).is_none() && yuyv(5, 4, &[0; 64], NOW).is_none());
    assert!(nv12(4, 4, &[0; 23], NOW).is_none() && rgba(4, 4, &[0; 63], NOW).is_none());
    assert!(rgba(0, 4, &[], NOW).is_none() && nv12(100_000, 100_000, &[], NOW).is_none());
    // A driver's buffer may be longer than its picture.
    assert!(yuyv(4, 4, &[0; 99], NOW).is_some());
}

#[cfg(feature = "devices")]
mod jpeg {
    use super::*;

    fn encoded(picture: &VideoFrame) -> Vec<u8> {
        let rgb: Vec<u8> = as_rgba(picture).chunks_exact(4).flat_map(|pixel| pixel[..3].to_vec()).collect();
        let mut bytes = Vec::new();
        image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 95)
            .encode(&rgb, picture.width(), picture.height(), image::ExtendedColorType::Rgb8)
            .unwrap();
        bytes
    }

    #[test]
    fn a_jpeg_comes_out_as_it_went_in_padded_or_not() {
        let picture = pattern(320, 180);
        let mut bytes = encoded(&picture);
        for _ in 0..2 {
            let decoded = mjpeg(&bytes, NOW).unwrap();
            assert_eq!((decoded.width(), decoded.height(), decoded.captured), (320, 180, NOW));
            let decibels = quality::psnr(quality::luma_error(&picture, &decoded).unwrap());
            assert!(decibels > 30.0, "{decibels}");
            let grey: Vec<u8> = decoded.u().iter().zip(picture.u()).map(|(a, b)| a.abs_diff(*b)).collect();
            assert!(grey.iter().map(|&d| u32::from(d)).sum::<u32>() < 6 * grey.len() as u32);
            bytes.extend([0; 700]);
        }
    }

    #[test]
    fn a_grey_jpeg_is_a_grey_picture() {
        let mut bytes = Vec::new();
        image::codecs::jpeg::JpegEncoder::new(&mut bytes)
            .encode(&[255; 32 * 16], 32, 16, image::ExtendedColorType::L8)
            .unwrap();
        let picture = mjpeg(&bytes, NOW).unwrap();
        assert_eq!((picture.y()[5], picture.u()[5]), (235, 128));
    }

    #[test]
    fn damaged_jpegs_are_told_and_never_fatal() {
        let good = encoded(&pattern(160, 90));
        assert!(mjpeg(&[], NOW).is_err() && mjpeg(&[0; 64], NOW).is_err());
        for length in 0..good.len() {
            assert!(mjpeg(&good[..length], NOW).is_err(), "{length}");
        }
        let mut random = crate::media::rtp::wire::Random(5);
        for _ in 0..500 {
            let mut bytes = good.clone();
            for _ in 0..4 {
                let at = random.next() as usize % bytes.len();
                bytes[at] = random.next() as u8;
            }
            let _ = mjpeg(&bytes, NOW);
        }
    }
}
