use std::fs;
use std::time::Instant;

use super::super::open_film;
use super::*;

const WEBM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/talk.webm");

fn format(width: u32, height: u32, fps: u32) -> VideoFormat {
    VideoFormat { width, height, fps }
}

fn why<T>(result: Result<T, Error>) -> String {
    result.err().expect("an error").to_string()
}

/// Pulls until the source gives a picture for the tick.
fn patiently(source: &mut dyn VideoSource, tick: u64) -> VideoFrame {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(picture) = source.frame(tick, WallTime(tick)).expect("ffmpeg decodes the clip") {
            return picture;
        }
        assert!(Instant::now() < deadline, "no picture for tick {tick}");
    }
}

#[test]
fn a_webm_is_decoded_by_ffmpeg_and_loops() {
    let mut source = open_film(Path::new(WEBM), format(160, 90, 25)).unwrap();
    let pictures: Vec<_> = (0..260).map(|tick| patiently(&mut *source, tick)).collect();
    // Ten seconds are 250 pictures; then it starts again.
    assert_eq!(pictures[250].data(), pictures[0].data());
    assert_eq!(pictures[259].data(), pictures[9].data());
    assert_ne!(pictures[100].data(), pictures[0].data());

    let mut square = open_film(Path::new(WEBM), format(90, 90, 10)).unwrap();
    let picture = patiently(&mut *square, 0);
    assert_eq!((picture.y()[0], picture.width()), (16, 90));
    assert!(picture.y()[45 * 90..][..90].iter().any(|&y| y > 60));
}

#[test]
fn sound_and_picture_of_a_film_have_the_same_length() {
    let mut sound = Sound::open(PROGRAM, Path::new(WEBM)).unwrap();
    let mut out = Vec::new();
    while out.len() < 48_000 * 20 {
        let block = sound.decoding.next(Duration::from_secs(20)).unwrap().unwrap();
        out.extend(block.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])));
    }
    let correlation = |lag: usize| -> f32 { (4_800..200_000).map(|i| out[i] * out[i + lag]).sum() };
    let best =
        (470_000..490_000).step_by(4).max_by(|&a, &b| correlation(a).total_cmp(&correlation(b))).unwrap();
    assert!(best.abs_diff(480_000) <= 1_920, "{best}");
}

#[test]
fn what_ffmpeg_cannot_read_is_told_with_its_words() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("noise.webm");
    fs::write(&path, [7; 5000]).unwrap();
    let said = why(open_film(&path, VideoFormat::DEFAULT));
    assert!(said.starts_with("cannot open \"") && said.contains("ffmpeg says: "), "{said}");
    let truncated = folder.path().join("cut.webm");
    fs::write(&truncated, &fs::read(WEBM).unwrap()[..200]).unwrap();
    assert!(matches!(open_film(&truncated, VideoFormat::DEFAULT), Err(Error::Open { .. })));
}

#[test]
fn a_missing_ffmpeg_is_named_with_its_cure() {
    let said = why(Film::open("no-such-ffmpeg", Path::new(WEBM), VideoFormat::DEFAULT));
    assert!(
        said.ends_with(
            "this format needs ffmpeg, which is not installed (Debian, Ubuntu: apt install ffmpeg)"
        ),
        "{said}"
    );
    assert!(Sound::open("no-such-ffmpeg", Path::new(WEBM)).is_err());
}

#[test]
fn dropping_a_film_ends_its_process() {
    let mut source = open_film(Path::new(WEBM), format(640, 360, 25)).unwrap();
    patiently(&mut *source, 0);
    let start = Instant::now();
    drop(source);
    // Dropping waits for the process and the thread; that it returns is that they are gone.
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_device_or_pipe_is_not_handed_to_ffmpeg() {
    assert!(why(open_film(Path::new("/dev/zero"), VideoFormat::DEFAULT)).ends_with("not a regular file"));
}
