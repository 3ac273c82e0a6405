//! Pictures in the codec that fits: both ways, one way, and in the middle of a call.

use super::*;
use crate::media::record;

const LARGE: VideoFormat = VideoFormat { width: 640, height: 360, fps: 25 };

/// Two ends, and the wires from the first and from the second.
struct Call {
    ends: [End; 2],
    wires: [Arc<Wire>; 2],
    threads: [JoinHandle<()>; 2],
}

/// Both ends send; `vp9` is whether the other end of each has that.
fn call(vp9: [bool; 2]) -> Call {
    let ends = [end(), end()];
    let (to_b, one) = Wire::new(ends[1].inlet.clone(), 0.0, 1);
    let (to_a, other) = Wire::new(ends[0].inlet.clone(), 0.0, 2);
    let wires = [to_b, to_a];
    for ((end, wire), vp9) in ends.iter().zip(&wires).zip(vp9) {
        wire.vp9.store(vp9, Ordering::Relaxed);
        end.engine.start_sending(wire.clone()).unwrap();
    }
    Call { ends, wires, threads: [one, other] }
}

impl Call {
    fn sent(&self) -> Option<&'static str> {
        self.ends[0].engine.snapshot().video_sent.codec
    }

    fn received(&self) -> VideoReceived {
        self.ends[1].engine.snapshot().video_received
    }

    /// Waits until the second end shows so many more pictures, in this codec.
    fn shows(&self, codec: &str, more: u64) {
        until("it is received in that codec", || self.received().codec == Some(codec));
        let before = self.received().frames_shown;
        until("pictures are shown", || self.received().frames_shown >= before + more);
        assert_eq!((self.sent(), self.received().codec), (Some(codec), Some(codec)));
    }

    fn end(self) -> [Stats; 2] {
        let stats = self.ends.each_ref().map(|end| end.engine.stop());
        self.wires.iter().for_each(|wire| wire.close());
        for thread in self.threads {
            thread.join().unwrap();
        }
        for stats in &stats {
            assert_eq!(stats.failures, []);
            assert_eq!(stats.video_received.decode_errors, 0);
            assert_eq!(stats.video_received.frames_lost, 0, "one numbering");
        }
        stats
    }
}

#[test]
fn vp9_is_used_both_ways_where_both_have_it() {
    let call = call([true, true]);
    until("pictures are shown", || {
        call.ends.iter().all(|end| end.engine.snapshot().video_received.frames_shown > 40)
    });
    for stats in call.end() {
        assert_eq!((stats.video_sent.codec, stats.video_received.codec), (Some("VP9"), Some("VP9")));
        assert!(stats.video_received.psnr_db.unwrap() > 25.0, "{:?}", stats.video_received);
        assert_eq!((stats.video_received.width, stats.video_received.height), (160, 90));
    }
}

#[test]
fn an_end_without_vp9_gets_vp8_whatever_it_is_sent_itself() {
    let call = call([true, false]);
    until("pictures are shown", || {
        call.ends.iter().all(|end| end.engine.snapshot().video_received.frames_shown > 40)
    });
    let [first, second] = call.end();
    assert_eq!((first.video_sent.codec, first.video_received.codec), (Some("VP9"), Some("VP8")));
    assert_eq!((second.video_sent.codec, second.video_received.codec), (Some("VP8"), Some("VP9")));
}

#[test]
fn the_codec_follows_the_size_with_the_key_frame_that_a_new_size_needs() {
    let call = call([true, true]);
    call.shows("VP9", 10);
    let a = &call.ends[0].engine;
    a.set_video_source(Some(Box::new(Pattern::new(LARGE).unwrap())), 400);
    call.shows("VP8", 10);
    let before = a.snapshot().video_sent.keyframes;
    a.set_picture_limit(Some(Limit { width: 160, height: 90, fps: 25 }));
    call.shows("VP9", 10);
    a.set_picture_limit(None);
    call.shows("VP8", 10);
    assert_eq!(a.snapshot().video_sent.keyframes, before + 2, "one for each size");
    call.end();
}

#[test]
fn while_anybody_records_pictures_are_vp8() {
    let call = call([true, true]);
    call.shows("VP9", 10);
    let a = &call.ends[0].engine;
    a.set_recorded(true);
    call.shows("VP8", 10);
    a.set_recorded(false);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("call.webm");
    let recorder = record::Recorder::start(&path, true, Box::new(|_, _| {})).unwrap();
    // VP9 comes back with another size, and goes when this side records.
    a.set_video_source(Some(Box::new(Pattern::new(LARGE).unwrap())), 400);
    call.shows("VP8", 5);
    a.set_picture_limit(Some(Limit { width: 160, height: 90, fps: 25 }));
    call.shows("VP9", 5);
    a.set_record(Some(recorder.tap()));
    call.shows("VP8", 30);
    a.set_record(None);
    let recorded = recorder.finish();
    assert_eq!((recorded.failure, recorded.dropped), (None, 0));
    let probed = std::process::Command::new("ffprobe")
        .args(["-v", "error", "-show_entries", "stream=codec_name", "-of", "csv=p=0"])
        .arg(&path)
        .output()
        .expect("ffprobe is missing: scripts/setup --tests");
    let codecs = String::from_utf8(probed.stdout).unwrap();
    // The other side, which was not told that it is recorded, sends VP9, and that is waited for.
    assert_eq!(codecs.split_whitespace().filter(|&codec| codec == "vp8").count(), 1, "{codecs}");
    call.end();
}
