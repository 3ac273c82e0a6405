//! What is written is read back by a reader that shares nothing with the writer.

mod reader;

use std::io::{self, Cursor, Seek, SeekFrom, Write};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use proptest::prelude::*;

use self::reader::{File, read};
use super::webm::{Block, Storage, Track, Writer};
use super::*;
use crate::media::codec::{VideoCodec, opus, vpx};
use crate::media::synthetic::Pattern;
use crate::media::{VideoFormat, WallTime};

impl Storage for Cursor<Vec<u8>> {
    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.get_mut().truncate(usize::try_from(length).unwrap());
        Ok(())
    }
}

/// A disk that is full after so many bytes.
struct Small {
    file: Cursor<Vec<u8>>,
    room: u64,
}

impl Write for Small {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let left = self.room.saturating_sub(self.file.position());
        match usize::try_from(left).unwrap().min(bytes.len()) {
            0 => Err(io::ErrorKind::StorageFull.into()),
            some => self.file.write(&bytes[..some]),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Small {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

impl Storage for Small {
    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.file.cut(length)
    }
}

fn block(track: Track, at: u64, keyframe: bool) -> Block {
    Block { track, at, keyframe, data: Bytes::from(format!("{track:?} {at}")) }
}

/// Ten seconds of both pictures and sound.
fn usual(writer: &mut Writer<impl Storage>) -> io::Result<()> {
    writer.describe(Track::Remote, VideoCodec::Vp8, (320, 180))?;
    writer.describe(Track::Own, VideoCodec::Vp9, (640, 360))?;
    for index in 0..500u64 {
        writer.push(block(Track::Sound, index * 20, true));
        if index % 2 == 0 {
            writer.push(block(Track::Remote, index * 20 + 3, index % 150 == 0));
            writer.push(block(Track::Own, index * 20 + 5, index == 0));
        }
        writer.settle(index * 20)?;
    }
    Ok(())
}

fn written(fill: impl FnOnce(&mut Writer<Cursor<Vec<u8>>>)) -> Vec<u8> {
    let mut writer = Writer::new(Cursor::new(Vec::new()), 312, 0).unwrap();
    fill(&mut writer);
    writer.into_storage().into_inner()
}

/// Whether every cue points at a key frame of its track and time.
fn check_cues(file: &File) {
    for cue in &file.cues {
        let found =
            file.blocks.iter().find(|block| (block.cluster, block.offset) == (cue.cluster, cue.block));
        let found = found.expect("a cue points at a block");
        assert_eq!((found.track, found.at, found.keyframe), (cue.track, cue.at, true), "{cue:?}");
    }
}

#[test]
fn a_finished_file_has_everything_in_its_place() {
    let bytes = written(|writer| {
        usual(writer).unwrap();
        writer.finish().unwrap();
        assert_eq!(writer.length(), 10_000);
    });
    let file = read(&bytes).unwrap();
    assert_eq!(file.doc_type, "webm");
    assert_eq!(file.segment_size, Some(bytes.len() as u64 - file.segment));
    assert_eq!((file.duration, file.timestamp_scale), (Some(10_000.0), 1_000_000));
    assert_eq!(file.blocks.len(), 500 + 250 + 250);
    let tracks: Vec<_> =
        file.tracks.iter().map(|t| (t.number, t.codec.as_str(), t.size, t.default)).collect();
    assert_eq!(
        tracks,
        [
            (1, "V_VP8", Some((320, 180)), true),
            (2, "V_VP9", Some((640, 360)), false),
            (3, "A_OPUS", None, true)
        ]
    );
    assert_eq!(&file.tracks[2].private[..8], b"OpusHead");
    assert_eq!(file.tracks[2].delay, 312 * 1_000_000_000 / 48_000);
    assert!(
        file.seek.iter().all(|(_, found)| *found),
        "each part is where the seek head says: {:?}",
        file.seek
    );
    assert_eq!(file.seek.len(), 3);
    check_cues(&file);
    let remote: Vec<u64> = file.cues.iter().filter(|cue| cue.track == 1).map(|cue| cue.at).collect();
    assert_eq!(remote, [3, 3_003, 6_003, 9_003]);
    assert!(file.clusters.iter().all(|cluster| cluster.length <= 1_000), "{:?}", file.clusters);
}

#[test]
fn a_file_left_at_any_byte_plays_up_to_there() {
    let bytes = written(|writer| usual(writer).unwrap());
    let whole = read(&bytes).unwrap();
    assert_eq!((whole.segment_size, whole.cues.len()), (None, 0));
    assert!(whole.duration.is_some_and(|ms| ms >= 8_900.0), "also a file that was left tells its length");
    let header = whole.clusters[0].position as usize;
    for end in (header..bytes.len()).step_by(97) {
        let cut = read(&bytes[..end]).unwrap();
        let inside = whole.clusters.iter().filter(|cluster| cluster.end <= end as u64).count();
        assert_eq!(cut.clusters.len(), inside);
        assert!(cut.blocks.iter().eq(&whole.blocks[..cut.blocks.len()]));
    }
}

#[test]
fn at_any_moment_all_but_the_last_second_is_in_the_file() {
    let mut writer = Writer::new(Cursor::new(Vec::new()), 312, 0).unwrap();
    for index in 0..300u64 {
        writer.push(block(Track::Sound, index * 20, true));
        writer.settle(index * 20).unwrap();
        assert!(writer.length() + 20 >= index * 20);
    }
    let file = read(&writer.into_storage().into_inner()).unwrap();
    assert!(file.blocks.last().unwrap().at >= 300 * 20 - 1_000 - 40);
}

#[test]
fn sound_alone_has_one_track_and_places_to_enter() {
    let bytes = written(|writer| {
        (0..1_500u64).for_each(|index| writer.push(block(Track::Sound, index * 20, true)));
        writer.finish().unwrap();
    });
    let file = read(&bytes).unwrap();
    assert_eq!(file.tracks.len(), 1);
    check_cues(&file);
    assert_eq!(file.cues.iter().map(|cue| cue.at / 5_000).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
}

#[test]
fn an_empty_recording_is_a_file_as_well() {
    let file = read(&written(|writer| writer.finish().unwrap())).unwrap();
    assert_eq!((file.blocks.len(), file.duration, file.tracks.len()), (0, Some(0.0), 1));
}

#[test]
fn a_full_disk_leaves_everything_before_it_playable() {
    for room in (900..40_000).step_by(777) {
        let small = Small { file: Cursor::new(Vec::new()), room };
        let Ok(mut writer) = Writer::new(small, 312, 0) else { continue };
        if usual(&mut writer).and_then(|()| writer.finish()).is_err() {
            writer.give_up();
        }
        let claimed = writer.bytes();
        let bytes = writer.into_storage().file.into_inner();
        assert_eq!(bytes.len() as u64, claimed, "what was begun is cut off");
        let file = read(&bytes).unwrap();
        check_cues(&file);
        assert!(file.clusters.iter().all(|cluster| cluster.end <= bytes.len() as u64));
    }
}

#[derive(Debug, Clone)]
enum Step {
    Push(usize, u64, bool),
    Settle(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0..3usize, 0..8_000u64, any::<bool>()).prop_map(|(track, at, key)| Step::Push(track, at, key)),
        1 => (0..8_000u64).prop_map(Step::Settle),
    ];
    proptest::collection::vec(step, 0..200)
}

proptest! {
    #[test]
    fn whatever_comes_in_any_order_is_written_once_and_in_order(steps in steps()) {
        let mut pushed = 0;
        let bytes = written(|writer| {
            for step in steps {
                match step {
                    Step::Push(track, at, keyframe) => {
                        pushed += 1;
                        let track = [Track::Remote, Track::Own, Track::Sound][track];
                        writer.push(block(track, at, keyframe));
                    }
                    Step::Settle(until) => writer.settle(until).unwrap(),
                }
            }
            writer.finish().unwrap();
        });
        let file = read(&bytes).unwrap();
        prop_assert_eq!(file.blocks.len(), pushed);
        for number in 1..=3 {
            let times: Vec<u64> = file.blocks.iter().filter(|b| b.track == number).map(|b| b.at).collect();
            prop_assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "{:?}", times);
        }
        prop_assert!(file.blocks.is_sorted_by_key(|block| block.at));
        prop_assert!(file.clusters.iter().all(|cluster| cluster.length < 1_000));
        check_cues(&file);
    }
}

/// A recorder that tells its troubles to a channel.
fn recorder(
    path: &std::path::Path,
    replace: bool,
) -> Result<(Recorder, mpsc::Receiver<(String, bool)>), String> {
    let (tell, told) = mpsc::channel();
    let tell = move |text, ended| drop(tell.send((text, ended)));
    Recorder::start(path, replace, Box::new(tell)).map(|started| (started, told)).map_err(|e| e.to_string())
}

#[test]
fn pictures_and_voices_are_copied_and_mixed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("call.webm");
    let (recorder, told) = recorder(&path, true).unwrap();
    let tap = recorder.tap();
    assert!(tap.wants_keyframe(Side::Own) && tap.wants_keyframe(Side::Remote));
    assert!(!tap.wants_keyframe(Side::Remote), "a wish is told once");
    let format = VideoFormat { width: 160, height: 96, fps: 25 };
    let mut encoder = vpx::Encoder::new(vpx::Settings::realtime(VideoCodec::Vp8, 160, 96, 25, 200)).unwrap();
    let pattern = Pattern::new(format).unwrap();
    let began = Instant::now();
    let mut sent = Vec::new();
    for index in 0..50u32 {
        let at = began + Duration::from_millis(40) * index;
        let frame =
            encoder.encode(&pattern.paint(index.into(), WallTime(0)), index * 3_600, index == 3).unwrap();
        // The first picture that is handed over needs others.
        if index > 0 {
            tap.picture(Side::Remote, at, frame.codec, frame.keyframe, &frame.data);
        }
        if index >= 3 {
            sent.push(frame.data);
        }
        for half in 0..2 {
            tap.sound(Side::Own, at + Duration::from_millis(20) * half, &[0.1; 960]);
        }
        tap.sound(Side::Remote, at, &[0.1; 1_920]);
    }
    let recorded = recorder.finish();
    assert_eq!((recorded.failure, recorded.dropped), (None, 0));
    assert!(told.try_recv().is_err());
    tap.sound(Side::Own, began, &[0.0; 960]);
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(recorded.bytes, bytes.len() as u64);
    let file = read(&bytes).unwrap();
    assert_eq!(file.tracks.iter().map(|track| track.size).collect::<Vec<_>>(), [Some((160, 96)), None]);
    let pictures: Vec<&reader::Found> = file.blocks.iter().filter(|block| block.track == 1).collect();
    assert!(
        pictures.iter().map(|block| &block.data[..]).eq(sent.iter().map(|data| &data[..])),
        "copied to the byte"
    );
    let (first, last) = (pictures[0].at, pictures[46].at);
    assert!((118..=125).contains(&first) && (1_958..=1_965).contains(&last), "{first} {last}");
    let sound: Vec<&reader::Found> = file.blocks.iter().filter(|block| block.track == 3).collect();
    assert!(sound.iter().enumerate().all(|(index, block)| block.at == 20 * index as u64));
    assert!((1_990..=2_040).contains(&(recorded.duration.as_millis() as u64)), "{:?}", recorded.duration);
    let mut decoder = opus::Decoder::new().unwrap();
    let peak =
        sound.iter().flat_map(|block| decoder.decode(&block.data).unwrap().to_vec()).fold(0.0, f32::max);
    assert!(peak > 0.1, "both voices are in it: {peak}");
}

#[test]
fn a_track_of_vp9_is_read_by_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("call.webm");
    let mut writer = Writer::new(std::fs::File::create(&path).unwrap(), 312, 0).unwrap();
    writer.describe(Track::Remote, VideoCodec::Vp9, (160, 96)).unwrap();
    let mut encoder = vpx::Encoder::new(vpx::Settings::realtime(VideoCodec::Vp9, 160, 96, 25, 200)).unwrap();
    let pattern = Pattern::new(VideoFormat { width: 160, height: 96, fps: 25 }).unwrap();
    for index in 0..25u32 {
        let picture = pattern.paint(index.into(), WallTime(0));
        let frame = encoder.encode(&picture, index * 3_600, false).unwrap();
        let (at, keyframe, data) = (u64::from(index) * 40, frame.keyframe, frame.data);
        writer.push(Block { track: Track::Remote, at, keyframe, data });
    }
    writer.finish().unwrap();
    let probed = std::process::Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", "v", "-count_frames", "-of", "csv=p=0"])
        .args(["-show_entries", "stream=codec_name,width,height,nb_read_frames"])
        .arg(&path)
        .output()
        .expect("ffprobe is missing: scripts/setup --tests");
    let said = String::from_utf8_lossy(&probed.stdout);
    let troubles = String::from_utf8_lossy(&probed.stderr);
    assert_eq!((said.trim(), troubles.trim()), ("vp9,160,96,25", ""));
}

#[test]
fn a_recording_never_waits_for_the_disk_and_says_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let (recorder, told) = recorder(&folder.path().join("call.webm"), true).unwrap();
    let tap = recorder.tap();
    let began = Instant::now();
    let sound = [0.1; 960];
    // Far more than a thread that looks ten times a second can take.
    for index in 0..3 * tap::QUEUE as u32 {
        tap.sound(Side::Own, began + Duration::from_millis(20) * index, &sound);
    }
    let recorded = recorder.finish();
    assert!(recorded.dropped > 0 && recorded.failure.is_some(), "{recorded:?}");
    let (text, ended) = told.recv().unwrap();
    assert!(text.contains("not whole") && !ended, "{text}");
}

#[test]
fn files_that_cannot_be_recorded_into_are_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let said = |path: &str, replace| recorder(&folder.path().join(path), replace).err().unwrap();
    assert!(said("call.mkv", true).ends_with("only WebM is written (name it *.webm)"));
    assert!(said("call", true).contains("cannot record into"));
    assert!(said("nowhere/call.webm", true).contains("cannot open"));
    std::fs::create_dir(folder.path().join("folder.webm")).unwrap();
    assert!(said("folder.webm", true).contains("no regular file"));
    std::fs::write(folder.path().join("there.webm"), "kept").unwrap();
    assert!(said("there.webm", false).contains("cannot open"));
    assert_eq!(std::fs::read(folder.path().join("there.webm")).unwrap(), b"kept");
    drop(recorder(&folder.path().join("there.webm"), true).unwrap());
}
