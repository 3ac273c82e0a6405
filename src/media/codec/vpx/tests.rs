use proptest::prelude::*;

use super::*;
use crate::media::VideoFormat;
use crate::media::synthetic::Pattern;

const CODECS: [VideoCodec; 2] = [VideoCodec::Vp8, VideoCodec::Vp9];

fn settings(codec: VideoCodec, width: u32, height: u32, kbps: u32) -> Settings {
    Settings::realtime(codec, width, height, 25, kbps)
}

fn header(codec: VideoCodec, data: &[u8]) -> Option<Header> {
    match codec {
        VideoCodec::Vp8 => vp8::header(data),
        VideoCodec::Vp9 => vp9::header(data),
    }
}

fn pictures(width: u32, height: u32) -> Pattern {
    Pattern::new(VideoFormat { width, height, fps: 25 }).unwrap()
}

fn luma_error(a: &VideoFrame, b: &VideoFrame) -> f64 {
    let sum: u64 = a.y().iter().zip(b.y()).map(|(&a, &b)| u64::from(a.abs_diff(b)).pow(2)).sum();
    sum as f64 / a.y().len() as f64
}

#[test]
fn odd_sizes_come_back_whole() {
    for codec in CODECS {
        for (width, height) in [(160, 90), (161, 91), (321, 179), (640, 360)] {
            let pattern = pictures(width, height);
            let mut encoder = Encoder::new(settings(codec, width, height, 2000)).unwrap();
            let mut decoder = Decoder::new(codec, 1).unwrap();
            // VP9 comes to what its rate allows more slowly.
            for number in 0..30 {
                let picture = pattern.paint(number, WallTime(number));
                let encoded = encoder.encode(&picture, number as u32 * 3600, false).unwrap();
                assert_eq!(encoded.keyframe, number == 0);
                assert_eq!((encoded.captured, encoded.timestamp), (WallTime(number), number as u32 * 3600));
                let decoded = decoder.decode(&encoded.data, WallTime(7)).unwrap().unwrap();
                assert!(!decoded.corrupted);
                assert_eq!(
                    (decoded.frame.width(), decoded.frame.height(), decoded.frame.captured),
                    (width, height, WallTime(7))
                );
                if number == 29 {
                    assert!(luma_error(&picture, &decoded.frame) < 20.0, "{width}x{height}");
                }
            }
        }
    }
}

#[test]
fn a_keyframe_comes_when_asked_for() {
    for codec in CODECS {
        let pattern = pictures(160, 90);
        let mut encoder = Encoder::new(settings(codec, 160, 90, 100)).unwrap();
        let keys: Vec<_> = (0..30)
            .map(|n| encoder.encode(&pattern.paint(n, WallTime(0)), n as u32 * 3600, n == 12).unwrap())
            .enumerate()
            .filter(|(_, frame)| frame.keyframe)
            .map(|(n, frame)| (n, header(codec, &frame.data)))
            .collect();
        let key = Some(Header::Key { width: 160, height: 90 });
        assert_eq!(keys, [(0, key), (12, key)]);
    }
}

#[test]
fn the_rate_follows_the_target_without_a_keyframe() {
    for codec in CODECS {
        let pattern = pictures(320, 180);
        let mut encoder = Encoder::new(settings(codec, 320, 180, 400)).unwrap();
        let run = |range: std::ops::Range<u64>, encoder: &mut Encoder| -> f64 {
            let mut bytes = 0;
            for n in range.clone() {
                let frame =
                    encoder.encode(&pattern.paint(n, WallTime(n * 40_000)), n as u32 * 3600, false).unwrap();
                assert_eq!(frame.keyframe, n == 0);
                bytes += frame.data.len();
            }
            bytes as f64 * 8.0 / 1000.0 / ((range.end - range.start) as f64 / 25.0)
        };
        let high = run(0..100, &mut encoder);
        encoder.set_bitrate(60).unwrap();
        run(100..125, &mut encoder);
        let low = run(125..225, &mut encoder);
        assert!((250.0..480.0).contains(&high), "{high}");
        assert!((40.0..72.0).contains(&low), "{low}");
        assert_eq!(encoder.settings().kbps, 60);
    }
}

#[test]
fn what_is_left_out_makes_what_follows_no_larger() {
    for codec in CODECS {
        let pattern = pictures(320, 180);
        let bytes = |told: bool| -> usize {
            let mut encoder = Encoder::new(settings(codec, 320, 180, 200)).unwrap();
            let mut frame = |n: u64| {
                let picture = pattern.paint(n, WallTime(n * 40_000));
                encoder.leave_out(Duration::from_millis(if told { 40 } else { 0 }));
                encoder.encode(&picture, n as u32 * 3600, false).unwrap().data.len()
            };
            (0..150).map(|n| frame(n * 2)).skip(50).sum()
        };
        let (all, left_out) = (bytes(false) as f64, bytes(true) as f64);
        assert!((0.4..0.65).contains(&(left_out / all)), "{codec:?}: {left_out} of {all}");
    }
}

#[test]
fn a_new_size_restarts_with_a_keyframe() {
    for codec in CODECS {
        let mut encoder = Encoder::new(settings(codec, 320, 180, 100)).unwrap();
        let mut decoder = Decoder::new(codec, 1).unwrap();
        for (n, (width, height)) in [(320, 180), (160, 90), (640, 360)].into_iter().enumerate() {
            let picture = pictures(width, height).paint(0, WallTime(0));
            let encoded = encoder.encode(&picture, n as u32 * 3600, false).unwrap();
            assert!(encoded.keyframe);
            let decoded = decoder.decode(&encoded.data, WallTime(0)).unwrap().unwrap();
            assert_eq!((decoded.frame.width(), decoded.frame.height()), (width, height));
        }
    }
}

#[test]
fn timestamps_may_wrap_stand_still_and_jump() {
    for codec in CODECS {
        let pattern = pictures(160, 90);
        let mut encoder = Encoder::new(settings(codec, 160, 90, 100)).unwrap();
        for (n, timestamp) in [u32::MAX - 100, 3500, 3500, 7100, 3_000_000_000, 5].into_iter().enumerate() {
            encoder.encode(&pattern.paint(n as u64, WallTime(0)), timestamp, false).unwrap();
        }
    }
}

#[test]
fn nonsense_is_an_error_and_the_decoder_lives() {
    for codec in CODECS {
        let mut decoder = Decoder::new(codec, 1).unwrap();
        let mut encoder = Encoder::new(settings(codec, 160, 90, 100)).unwrap();
        let pattern = pictures(160, 90);
        let key = encoder.encode(&pattern.paint(0, WallTime(0)), 0, false).unwrap();
        let inter = encoder.encode(&pattern.paint(1, WallTime(0)), 3600, false).unwrap();
        for bad in [&[][..], &[0], &[0; 9], &[0; 40], &inter.data] {
            assert!(matches!(decoder.decode(bad, WallTime(0)), Err(Error::Decode { .. })));
        }
        let mut huge = key.data.to_vec();
        huge[6..10].fill(0xff);
        assert!(decoder.decode(&huge, WallTime(0)).is_err());
        assert!(decoder.decode(&key.data, WallTime(0)).unwrap().is_some());
        assert!(decoder.decode(&inter.data, WallTime(0)).unwrap().is_some());
    }
}

#[test]
fn impossible_settings_are_refused() {
    for codec in CODECS {
        assert!(Encoder::new(settings(codec, 0, 90, 100)).is_err());
        assert!(Encoder::new(Settings::realtime(codec, 160, 90, 0, 100)).is_err());
        assert!(Encoder::new(settings(codec, 160, 90, 0)).is_ok());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn damaged_frames_never_crash(cuts in proptest::collection::vec((0_usize..4000, any::<u8>()), 1..20), length in 0_usize..4000, which in 0_usize..2) {
        let codec = CODECS[which];
        let pattern = pictures(80, 46);
        let mut encoder = Encoder::new(settings(codec, 80, 46, 100)).unwrap();
        let mut decoder = Decoder::new(codec, 1).unwrap();
        for n in 0..4 {
            let mut data = encoder.encode(&pattern.paint(n, WallTime(0)), n as u32 * 3600, false).unwrap().data.to_vec();
            if n % 2 == 1 {
                for &(at, value) in &cuts {
                    let at = at % data.len();
                    data[at] ^= value;
                }
                data.truncate(length.max(1));
            }
            if let Ok(Some(decoded)) = decoder.decode(&data, WallTime(0)) {
                prop_assert_eq!(decoded.frame.data().len(), VideoFrame::bytes(decoded.frame.width(), decoded.frame.height()));
            }
        }
    }
}

#[test]
fn pictures_of_some_of_the_beats_keep_to_the_rate_as_those_of_all() {
    for codec in CODECS {
        for fps in [25, 20, 15, 12, 8] {
            for told in [false, true] {
                let pattern = pictures(320, 180);
                let mut encoder = Encoder::new(settings(codec, 320, 180, 100)).unwrap();
                if told {
                    encoder.set_fps(fps).unwrap();
                }
                let fps = u64::from(fps);
                let sent = |n: &u64| *n == 0 || n * fps / 25 != (n - 1) * fps / 25;
                let mut bytes = 0;
                for n in (0..250).filter(sent) {
                    let picture = pattern.paint(n, WallTime(n * 40_000));
                    let frame = encoder.encode(&picture, n as u32 * 3600, false).unwrap();
                    bytes += if n < 50 { 0 } else { frame.data.len() };
                }
                let kbps = bytes as f64 * 8.0 / 1000.0 / 8.0;
                assert!((92.0..108.0).contains(&kbps), "{codec:?} {fps} fps: {kbps:.0} kbit/s");
            }
        }
    }
}

#[test]
fn another_number_of_pictures_a_second_is_followed_at_once() {
    for codec in CODECS {
        let pattern = pictures(160, 90);
        let mut encoder = Encoder::new(settings(codec, 160, 90, 16)).unwrap();
        let mut at = 0;
        // Six seconds at each; the first of them may be what the change costs.
        for fps in [10, 2, 10, 5, 15, 2, 5] {
            encoder.set_fps(fps).unwrap();
            let mut bytes = 0;
            for n in 0..fps * 6 {
                at += 90_000 / fps;
                let picture = pattern.paint(u64::from(at / 3600), WallTime(u64::from(at) * 1000 / 90));
                let size = encoder.encode(&picture, at, false).unwrap().data.len();
                bytes += if n < fps { 0 } else { size };
            }
            let kbps = bytes as f64 * 8.0 / 1000.0 / 5.0;
            println!("{codec:?} {fps} fps: {kbps:.1} kbit/s");
            assert!((12.0..19.0).contains(&kbps), "{codec:?} {fps} fps: {kbps:.0} kbit/s");
        }
    }
}

#[test]
fn a_picture_that_comes_late_makes_the_next_ones_hardly_larger() {
    for codec in CODECS {
        let pattern = pictures(320, 180);
        let mut encoder = Encoder::new(settings(codec, 320, 180, 200)).unwrap();
        let mut frame = |n: u64, beat: u64| {
            let picture = pattern.paint(n, WallTime(beat * 40_000));
            encoder.encode(&picture, beat as u32 * 3600, false).unwrap().data.len()
        };
        let before: usize = (0..100).map(|n| frame(n, n)).skip(50).sum();
        let after: usize = (100..150).map(|n| frame(n, n + 100)).sum();
        assert!((after as f64) < before as f64 * 1.25, "{codec:?}: {after} after {before} bytes");
    }
}
