use super::*;
use crate::media::codec::VideoCodec;
use crate::media::codec::vpx::{Decoder, Encoder};
use crate::media::synthetic::Pattern;
use crate::media::{Error, VideoFormat, WallTime};

/// Writes bits, most significant first.
fn bits(fields: &[(u32, usize)]) -> Vec<u8> {
    let all: Vec<u32> =
        fields.iter().flat_map(|&(value, count)| (0..count).rev().map(move |bit| value >> bit & 1)).collect();
    all.chunks(8)
        .map(|byte| byte.iter().enumerate().fold(0, |sum, (at, bit)| sum | (*bit as u8) << (7 - at)))
        .collect()
}

/// A key frame's header up to its size.
fn key(profile: u32, space: u32, width: u32, height: u32) -> Vec<u8> {
    let fields = [
        (2, 2),
        (profile, 2),
        (0b0010, 4),
        (SYNC, 24),
        (space, 3),
        (0, 1),
        (width - 1, 16),
        (height - 1, 16),
        (0, 8),
    ];
    bits(&fields)
}

/// The header of a frame that is no key frame and brings a size of its own.
fn resized(intra_only: bool, width: u32, height: u32) -> Vec<u8> {
    let size = [(width - 1, 16), (height - 1, 16), (0, 8)];
    let head: &[(u32, usize)] = if intra_only {
        // Not shown, intra only, no reset of contexts; what is refreshed.
        &[(2, 2), (0, 2), (0b0100, 4), (1, 1), (0, 2), (SYNC, 24), (0xff, 8)]
    } else {
        // Shown, no reset; what is refreshed, three references, none as large as this one.
        &[(2, 2), (0, 2), (0b0110, 4), (0, 2), (1, 8), (0, 12), (0, 3)]
    };
    bits(&[head, &size].concat())
}

fn three_frames(width: u32, height: u32) -> Vec<Vec<u8>> {
    let pattern = Pattern::new(VideoFormat { width, height, fps: 25 }).unwrap();
    let mut encoder = Encoder::new(Settings::realtime(VideoCodec::Vp9, width, height, 25, 200)).unwrap();
    let encode = |n: u64| encoder.encode(&pattern.paint(n, WallTime(0)), n as u32 * 3_600, false);
    (0..3).map(encode).map(|frame| frame.unwrap().data.to_vec()).collect()
}

#[test]
fn headers_say_what_the_encoder_made() {
    let frames = three_frames(320, 180);
    assert_eq!(header(&frames[0]), Some(Header::Key { width: 320, height: 180 }));
    assert_eq!([header(&frames[1]), header(&frames[2])], [Some(Header::Inter); 2]);
    // The first bytes of a key frame of 64x48 as ffmpeg writes it with libvpx-vp9.
    let known = [0x82, 0x49, 0x83, 0x42, 0x00, 0x03, 0xf0, 0x02, 0xf6, 0x06];
    assert_eq!(header(&known), Some(Header::Key { width: 64, height: 48 }));
}

#[test]
fn sizes_are_found_wherever_a_frame_may_have_one() {
    assert_eq!(header(&key(0, 1, 65_536, 1)), Some(Header::Key { width: 65_536, height: 1 }));
    for intra_only in [false, true] {
        let found = header(&resized(intra_only, 65_536, 40_000));
        assert_eq!(found, Some(Header::Resized { width: 65_536, height: 40_000 }));
    }
    assert_eq!(header(&key(1, 1, 64, 64)), None, "another profile");
    assert_eq!(header(&key(0, RGB, 64, 64)), None);
    for length in 0..9 {
        assert_eq!(header(&key(0, 1, 64, 64)[..length]), None, "{length} octets");
    }
}

#[test]
fn frames_that_travel_together_are_told_apart() {
    let index = [0b1100_1001, 2, 0, 1, 0, 0b1100_1001];
    let data = [&[1, 2, 3][..], &index].concat();
    assert_eq!(frames(&data), Some(vec![&[1, 2][..], &[3]]));
    assert_eq!(frames(&[1, 2, 3]), Some(vec![&[1, 2, 3][..]]));
    assert_eq!(frames(&alone(&[7; 300])), Some(vec![&[7; 300][..]]));
    // An index that is longer than the data, one without its beginning, sizes beyond the end.
    for damaged in [&[0b1100_0111][..], &[9, 9, 9, 9, 0b1100_0000], &[0b1100_0000, 5, 0b1100_0000], &[]] {
        assert_eq!(frames(damaged), None, "{damaged:?}");
    }
}

#[test]
fn a_size_that_is_too_large_never_reaches_libvpx() {
    let good = three_frames(160, 90);
    let refused = |decoder: &mut Decoder, data: &[u8]| {
        let Err(Error::Decode { why, .. }) = decoder.decode(data, WallTime(0)) else { return false };
        why.contains("is refused")
    };
    let filler = [0x55; 64];
    for hostile in [key(0, 1, 16_384, 16_384), resized(false, 16_384, 9_000), resized(true, 9_000, 16_384)] {
        let hostile = [&hostile[..], &filler].concat();
        let mut decoder = Decoder::new(VideoCodec::Vp9, 1).unwrap();
        assert!(decoder.decode(&good[0], WallTime(0)).unwrap().is_some());
        assert!(refused(&mut decoder, &hostile));
        // The second of two in one piece of data.
        let sizes = [good[1].len() as u16, hostile.len() as u16].map(u16::to_le_bytes).concat();
        let marker = [INDEX | 1 << 3 | 1];
        let together = [&good[1][..], &hostile, &marker, &sizes, &marker].concat();
        assert!(refused(&mut decoder, &together));
        // Behind a whole frame, where libvpx by itself would look for another one.
        let mut fresh = Decoder::new(VideoCodec::Vp9, 1).unwrap();
        if let Ok(Some(shown)) = fresh.decode(&[&good[0][..], &hostile].concat(), WallTime(0)) {
            assert_eq!((shown.frame.width(), shown.frame.height()), (160, 90));
        }
    }
}

#[test]
fn frames_in_one_piece_of_data_are_all_decoded_and_the_last_is_shown() {
    let good = three_frames(160, 90);
    let sizes = [good[1].len() as u16, good[2].len() as u16].map(u16::to_le_bytes).concat();
    let marker = [INDEX | 1 << 3 | 1];
    let together = [&good[1][..], &good[2], &marker, &sizes, &marker].concat();
    let mut apart = Decoder::new(VideoCodec::Vp9, 1).unwrap();
    let mut joined = Decoder::new(VideoCodec::Vp9, 1).unwrap();
    let shown: Vec<_> = good.iter().map(|data| apart.decode(data, WallTime(0)).unwrap().unwrap()).collect();
    joined.decode(&good[0], WallTime(0)).unwrap();
    let together = joined.decode(&together, WallTime(0)).unwrap().unwrap();
    assert_eq!(together.frame.data(), shown[2].frame.data());
}
