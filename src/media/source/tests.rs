use std::fs;
use std::path::PathBuf;

use super::*;
use crate::media::file::{wav, y4m};
use crate::media::synthetic::{Pattern, pattern};

const WAV: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/talk.wav");

/// A Y4M file of numbered pictures at 25 a second.
fn film(folder: &Path, width: u32, height: u32, count: u64) -> PathBuf {
    let path = folder.join("film.y4m");
    let pattern = Pattern::new(VideoFormat { width, height, fps: 25 }).unwrap();
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
    assert_eq!(numbers(&mut *same, 0..12), [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1]);
    let mut twice = open_film(&path, format(320, 180, 50)).unwrap();
    assert_eq!(numbers(&mut *twice, 0..8), [0, 0, 1, 1, 2, 2, 3, 3]);
    let mut half = open_film(&path, format(160, 90, 12)).unwrap();
    assert_eq!(numbers(&mut *half, 0..6), [0, 2, 4, 1, 3, 0]);
    let mut skipping = open_film(&path, format(160, 90, 25)).unwrap();
    assert_eq!(numbers(&mut *skipping, [0, 3, 11, 11, 1_000_000, 1_000_001].into_iter()), [0, 3, 1, 1, 2, 3]);
}

#[test]
fn damaged_films_are_told_when_they_are_opened() {
    let folder = tempfile::tempdir().unwrap();
    let path = film(folder.path(), 160, 90, 2);
    let whole = fs::read(&path).unwrap();
    for (cut, said) in
        [(whole.len() - 1, "ends inside a picture"), (30, "ends inside a header line"), (48, "no picture")]
    {
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
    let sine: Vec<f32> =
        (0..24_000).map(|i| (std::f32::consts::TAU * 441.0 * i as f32 / 24_000.0).sin() * 0.5).collect();
    writer.write(&sine).unwrap();
    writer.update().unwrap();
    bytes[24..28].copy_from_slice(&24_000_u32.to_le_bytes());
    fs::write(&path, &bytes).unwrap();
    let mut source = open_sound(&path).unwrap();
    let mut out = vec![0.0; 48_000 * 3];
    out.chunks_mut(960).for_each(|block| source.read(WallTime(0), block).unwrap());
    let crossings = out[960..].windows(2).filter(|pair| pair[0] < 0.0 && pair[1] >= 0.0).count();
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

#[test]
fn nothing_gives_nothing() {
    let mut none = NoPicture::new(VideoFormat::DEFAULT);
    assert_eq!(none.frame(0, WallTime(0)).unwrap(), None);
    let mut block = [1.0; 10];
    Silence.read(WallTime(0), &mut block).unwrap();
    assert_eq!(block, [0.0; 10]);
}

#[test]
fn a_film_without_sound_is_told() {
    let folder = tempfile::tempdir().unwrap();
    assert!(why(open_sound(&film(folder.path(), 160, 90, 3))).ends_with("it has no sound"));
}
