use proptest::prelude::*;

use super::*;
use crate::media::codec::VideoCodec;
use crate::media::codec::vpx::{Decoder, Encoder, Settings};

const NOW: WallTime = WallTime(1_795_000_000_123_456);

fn pattern(width: u32, height: u32) -> Pattern {
    Pattern::new(VideoFormat { width, height, fps: 25 }).unwrap()
}

#[test]
fn every_size_reads_back_what_was_painted() {
    for (width, height) in
        [(80, 45), (160, 90), (176, 144), (320, 180), (321, 181), (640, 360), (360, 640), (1280, 300)]
    {
        let painter = pattern(width, height);
        for number in [0, 1, 77, NUMBERS - 1] {
            let captured = NOW + std::time::Duration::from_millis(40 * number);
            let reading = read(&painter.paint(number, captured), captured).unwrap();
            assert_eq!(reading.number, number);
            assert!(reading.captured.signed_since(captured).abs() <= 128, "{width}x{height}");
        }
    }
}

#[test]
fn a_repeated_number_wraps_and_repeats_its_picture() {
    let painter = pattern(160, 90);
    assert_eq!(painter.paint(5, NOW), painter.paint(NUMBERS + 5, NOW));
    assert_ne!(painter.paint(5, NOW), painter.paint(6, NOW));
}

#[test]
fn too_small_is_a_spec_error() {
    assert!(matches!(Pattern::new(VideoFormat { width: 79, height: 45, fps: 1 }), Err(Error::Spec(_))));
}

#[test]
fn the_code_survives_20_kbit() {
    for codec in [VideoCodec::Vp8, VideoCodec::Vp9] {
        for (width, height, fps) in [(160, 90, 12), (160, 90, 25), (320, 180, 10), (640, 360, 5)] {
            let (read, frames, kbps) = through(codec, width, height, fps, 20, 10);
            assert!(read == frames, "{codec:?} {width}x{height}@{fps}: {read} of {frames} read");
            if width == 160 {
                assert!(kbps < 22.0, "{codec:?} {width}x{height}@{fps}: {kbps:.1} kbit/s");
            }
        }
    }
}

#[test]
fn the_code_survives_usual_rates() {
    use VideoCodec::{Vp8, Vp9};
    for (codec, width, height, kbps) in [
        (Vp8, 160, 90, 40),
        (Vp8, 320, 180, 100),
        (Vp8, 640, 360, 300),
        // Larger pictures are not sent in it.
        (Vp9, 160, 90, 40),
        (Vp9, 320, 180, 100),
    ] {
        let (read, frames, _) = through(codec, width, height, 25, kbps, 4);
        assert_eq!(read, frames, "{codec:?} {width}x{height}");
    }
}

fn through(codec: VideoCodec, width: u32, height: u32, fps: u32, kbps: u32, seconds: u64) -> (u64, u64, f64) {
    let painter = pattern(width, height);
    let mut encoder = Encoder::new(Settings::realtime(codec, width, height, fps, kbps)).unwrap();
    let mut decoder = Decoder::new(codec, 1).unwrap();
    let frames = seconds * u64::from(fps);
    let (mut good, mut bytes) = (0, 0);
    for number in 0..frames {
        // A little jitter, as real capture times have.
        let captured = NOW
            + std::time::Duration::from_micros(number * 1_000_000 / u64::from(fps) + number * 7919 % 1500);
        let encoded = encoder
            .encode(&painter.paint(number, captured), (number * 90_000 / u64::from(fps)) as u32, false)
            .unwrap();
        bytes += encoded.data.len();
        let decoded = decoder.decode(&encoded.data, captured).unwrap().unwrap();
        if let Some(reading) = read(&decoded.frame, captured + std::time::Duration::from_millis(80)) {
            assert_eq!(reading.number, number);
            assert!(reading.captured.signed_since(captured).abs() <= 128);
            good += 1;
        }
    }
    (good, frames, bytes as f64 * 8.0 / 1000.0 / seconds as f64)
}

#[test]
fn other_pictures_do_not_read() {
    assert_eq!(read(&VideoFrame::black(640, 360, NOW), NOW), None);
    let mut grey = VideoFrame::black(640, 360, NOW);
    grey.planes_mut().0.fill(128);
    assert_eq!(read(&grey, NOW), None);
    grey.planes_mut().0.fill(255);
    assert_eq!(read(&grey, NOW), None);
    assert_eq!(read(&ground(640, 360), NOW), None);
}

proptest! {
    #[test]
    fn damage_gives_the_right_number_or_none(
        number in 0..NUMBERS, seed: u64, strength in 1_i32..200, patches in 0_usize..40,
    ) {
        let painter = pattern(160, 90);
        let mut picture = painter.paint(number, NOW);
        let mut state = seed | 1;
        let mut random = || { state ^= state << 13; state ^= state >> 7; state ^= state << 17; state };
        let (y, _, _) = picture.planes_mut();
        for _ in 0..patches {
            let (x, row) = ((random() % 150) as usize, (random() % 80) as usize);
            let change = (random() % (2 * strength as u64)) as i32 - strength;
            for dy in 0..10 {
                for px in &mut y[(row + dy) * 160 + x..][..10] {
                    *px = (i32::from(*px) + change).clamp(0, 255) as u8;
                }
            }
        }
        if let Some(reading) = read(&picture, NOW) {
            prop_assert_eq!(reading.number, number);
        }
    }

    #[test]
    fn the_time_comes_back_whole_from_far_clocks(micros in 1_u64 << 42..1 << 52, skew in -1_700_000_000_i64..1_700_000_000) {
        let captured = WallTime(micros);
        let near = WallTime(micros.saturating_add_signed(skew));
        prop_assert!(nearest(ticks(captured), near).signed_since(captured).abs() <= 128);
    }
}
