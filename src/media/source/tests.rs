use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::*;
use crate::media::file::{wav, y4m};
use crate::media::synthetic::{Pattern, pattern};

const WEBM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/talk.webm");
const WAV: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/talk.wav");

/// A Y4M file of numbered pictures at 25 a second.
fn film(folder: &Path, width: u32, height: u32, count: u64) -> PathBuf {
    let path = folder.join("film.y4m");
    let pattern = Pattern::new(VideoFormat {
        width,
        height,
        fps: 25,
    })
    .unwrap();
    let mut writer = y4m::Writer::new(File::create(&path).unwrap(), width, height, 25).unwrap();
    (0..count).for_each(|n| writer.write(&pattern.paint(n, WallTime(0))).unwrap());
    path
}

fn numbers(source: &mut dyn VideoSource, ticks: impl Iterator<Item = u64>) -> Vec<u64> {
    ticks
        .map(|tick| {
            let picture = source.frame(tick, WallTime(tick)).unwrap().unwrap();
            assert_eq!(picture.captured, WallTime(tick));
            pattern::read(&picture, WallTime(0)).unwrap().number
        })
        .collect()
}

fn format(width: u32, height: u32, fps: u32) -> VideoFormat {
    VideoFormat { width, height, fps }
}

fn why<T>(result: Result<T, Error>) -> String {
    result.err().expect("an error").to_string()
}

#[test]
fn a_film_loops_at_its_own_rate_whatever_the_ticks() {
    let folder = tempfile::tempdir().unwrap();
    let path = film(folder.path(), 160, 90, 5);
    let mut same = open_film(&path, format(160, 90, 25)).unwrap();
    assert_eq!(
        numbers(&mut *same, 0..12),
        [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1]
    );
    let mut twice = open_film(&path, format(320, 180, 50)).unwrap();
    assert_eq!(numbers(&mut *twice, 0..8), [0, 0, 1, 1, 2, 2, 3, 3]);
    let mut half = open_film(&path, format(160, 90, 12)).unwrap();
    assert_eq!(numbers(&mut *half, 0..6), [0, 2, 4, 1, 3, 0]);
    let mut skipping = open_film(&path, format(160, 90, 25)).unwrap();
    assert_eq!(
        numbers(
            &mut *skipping,
            [0, 3, 11, 11, 1_000_000, 1_000_001].into_iter()
        ),
        [0, 3, 1, 1, 2, 3]
    );
}

#[test]
fn damaged_films_are_told_when_they_are_opened() {
    let folder = tempfile::tempdir().unwrap();
    let path = film(folder.path(), 160, 90, 2);
    let whole = fs::read(&path).unwrap();
    for (cut, said) in [
        (whole.len() - 1, "ends inside a picture"),
        (30, "ends inside a header line"),
        (48, "no picture"),
    ] {
        let header = whole.iter().position(|&b| b == b'\n').unwrap() + 1;
        fs::write(&path, &whole[..if cut == 48 { header } else { cut }]).unwrap();
        let said_now = why(open_film(&path, VideoFormat::DEFAULT));
        assert!(said_now.contains(said), "{said_now}");
    }
    fs::write(&path, b"").unwrap();
    assert!(why(open_film(&path, VideoFormat::DEFAULT)).ends_with("the file is empty"));
    assert!(
        why(open_film(Path::new("/nowhere.y4m"), VideoFormat::DEFAULT))
            .contains("cannot open \"/nowhere.y4m\": No such file")
    );
    assert!(open_film(folder.path(), VideoFormat::DEFAULT).is_err());
}

#[test]
fn sound_is_resampled_and_loops() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sound.wav");
    let mut bytes = Vec::new();
    let mut writer = wav::Writer::new(std::io::Cursor::new(&mut bytes)).unwrap();
    let sine: Vec<f32> = (0..24_000)
        .map(|i| (std::f32::consts::TAU * 441.0 * i as f32 / 24_000.0).sin() * 0.5)
        .collect();
    writer.write(&sine).unwrap();
    writer.update().unwrap();
    bytes[24..28].copy_from_slice(&24_000_u32.to_le_bytes());
    fs::write(&path, &bytes).unwrap();
    let mut source = open_sound(&path).unwrap();
    let mut out = vec![0.0; 48_000 * 3];
    out.chunks_mut(960)
        .for_each(|block| source.read(WallTime(0), block).unwrap());
    let crossings = out[960..]
        .windows(2)
        .filter(|pair| pair[0] < 0.0 && pair[1] >= 0.0)
        .count();
    assert!(crossings.abs_diff(441 * 3) < 15, "{crossings}");
    let power = out.iter().map(|x| x * x).sum::<f32>() / out.len() as f32;
    assert!((power - 0.125).abs() < 0.003, "{power}");

    fs::write(&path, &bytes[..bytes.len() - 10]).unwrap();
    assert!(why(open_sound(&path)).ends_with("the file ends 10 bytes early"));
    fs::write(&path, &bytes[..44]).unwrap();
    assert!(open_sound(&path).is_err());
}

#[test]
fn the_talk_plays_from_wav() {
    let mut source = open_sound(Path::new(WAV)).unwrap();
    let mut block = [0.0; 48_000];
    source.read(WallTime(0), &mut block).unwrap();
    assert!(block.iter().any(|x| x.abs() > 0.05));
    assert!(why(open_film(Path::new(WAV), VideoFormat::DEFAULT)).ends_with("it has no picture"));
}

/// Pulls until the source gives a picture for the tick.
fn patiently(source: &mut dyn VideoSource, tick: u64) -> VideoFrame {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(picture) = source
            .frame(tick, WallTime(tick))
            .expect("ffmpeg decodes the clip")
        {
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
    let mut sound = open_sound(Path::new(WEBM)).unwrap();
    let mut out = vec![0.0; 48_000 * 20];
    let deadline = Instant::now() + Duration::from_secs(20);
    for block in out.chunks_mut(960) {
        // Silence in place of sound that is not there yet would shift everything: ask again instead.
        sound.read(WallTime(0), block).unwrap();
        assert!(Instant::now() < deadline);
    }
    let correlation = |lag: usize| -> f32 { (4_800..200_000).map(|i| out[i] * out[i + lag]).sum() };
    let best = (470_000..490_000)
        .step_by(4)
        .max_by(|&a, &b| correlation(a).total_cmp(&correlation(b)))
        .unwrap();
    assert!(best.abs_diff(480_000) <= 1_920, "{best}");
}

#[test]
fn what_ffmpeg_cannot_read_is_told_with_its_words() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("noise.webm");
    fs::write(&path, [7; 5000]).unwrap();
    let said = why(open_film(&path, VideoFormat::DEFAULT));
    assert!(
        said.starts_with("cannot open \"") && said.contains("ffmpeg says: "),
        "{said}"
    );
    let truncated = folder.path().join("cut.webm");
    fs::write(&truncated, &fs::read(WEBM).unwrap()[..200]).unwrap();
    assert!(matches!(
        open_film(&truncated, VideoFormat::DEFAULT),
        Err(Error::Open { .. })
    ));
    let silent = film(folder.path(), 160, 90, 3);
    assert!(why(open_sound(&silent)).ends_with("it has no sound"));
}

#[test]
fn a_missing_ffmpeg_is_named_with_its_cure() {
    let said = why(ffmpeg::Film::open(
        "no-such-ffmpeg",
        Path::new(WEBM),
        VideoFormat::DEFAULT,
    ));
    assert!(
        said.ends_with(
            "this format needs ffmpeg, which is not installed (Debian, Ubuntu: apt install ffmpeg)"
        ),
        "{said}"
    );
    assert!(ffmpeg::Sound::open("no-such-ffmpeg", Path::new(WEBM)).is_err());
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
fn nothing_gives_nothing() {
    let mut none = NoPicture::new(VideoFormat::DEFAULT);
    assert_eq!(none.frame(0, WallTime(0)).unwrap(), None);
    let mut block = [1.0; 10];
    Silence.read(WallTime(0), &mut block).unwrap();
    assert_eq!(block, [0.0; 10]);
}
