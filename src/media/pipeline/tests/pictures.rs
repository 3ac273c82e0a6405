//! Pictures that follow what the other side can use and what a source shows.

use super::*;
use crate::media::source::Content;

const LARGE: VideoFormat = VideoFormat { width: 640, height: 360, fps: 25 };

fn limit(width: u32, height: u32, fps: u32) -> Option<Limit> {
    Some(Limit { width, height, fps })
}

#[test]
fn pictures_follow_the_other_sides_window_with_one_key_frame_a_size() {
    let (a, b) = (end(), end());
    let (to_b, one) = Wire::new(b.inlet.clone(), 0.0, 1);
    a.engine.set_video_source(Some(Box::new(Pattern::new(LARGE).unwrap())), 400);
    a.engine.start_sending(to_b.clone()).unwrap();
    let shown = |size: (u32, u32)| lock(&b.video.0).sizes.last() == Some(&size);
    until("all of it is sent", || shown((640, 360)));
    a.engine.set_picture_limit(limit(330, 300, 25));
    until("half of it is sent", || shown((320, 180)));
    let before = a.engine.snapshot().video_sent;
    // An edge that trembles.
    for width in [340, 322, 345, 318] {
        a.engine.set_picture_limit(limit(width, 300, 25));
        let frames = a.engine.snapshot().video_sent.frames_sent;
        until("a few more are sent", || a.engine.snapshot().video_sent.frames_sent > frames + 5);
    }
    let after = a.engine.snapshot().video_sent;
    assert_eq!((after.keyframes, after.width), (before.keyframes, 320), "no key frame for nothing");
    a.engine.set_picture_limit(limit(10, 10, 25));
    until("no less than that is sent", || shown((160, 90)));
    // A source that comes later is held to it as well.
    a.engine.set_video_source(Some(Box::new(Pattern::new(VideoFormat { fps: 20, ..LARGE }).unwrap())), 400);
    let frames = a.engine.snapshot().video_sent.frames_sent;
    until("the other source is sent", || a.engine.snapshot().video_sent.frames_sent > frames + 30);
    assert!(shown((160, 90)));
    a.engine.set_picture_limit(None);
    until("all of it is sent again", || shown((640, 360)));
    let stats = a.engine.stop();
    assert_eq!(stats.failures, []);
    assert!(lock(&b.video.0).numbers.len() > 50, "the pattern can be read at every size");
    assert_eq!(b.engine.stop().video_received.decode_errors, 0);
    to_b.close();
    one.join().unwrap();
}

#[test]
fn beats_are_left_out_where_the_other_side_shows_fewer() {
    let (a, b) = (end(), end());
    let (to_b, one) = Wire::new(b.inlet.clone(), 0.0, 1);
    a.engine.set_picture_limit(limit(160, 90, 5));
    a.engine.start_sending(to_b.clone()).unwrap();
    until("pictures come", || lock(&b.video.0).numbers.len() > 12);
    let numbers = lock(&b.video.0).numbers.clone();
    // Five of twenty-five: every fifth, but for the first ones before the limit was looked at.
    let steps: Vec<u64> = numbers.windows(2).skip(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(steps.iter().all(|step| step % 5 == 0), "{numbers:?}");
    assert_eq!(a.engine.stop().failures, []);
    to_b.close();
    one.join().unwrap();
}

#[test]
fn only_a_camera_is_mirrored_and_only_for_whoever_sits_before_it() {
    /// Dark on the left, light on the right.
    struct Halves(Content);
    impl VideoSource for Halves {
        fn format(&self) -> VideoFormat {
            super::format()
        }
        fn frame(&mut self, _: u64, captured: WallTime) -> Result<Option<VideoFrame>, Error> {
            let mut picture = VideoFrame::black(160, 90, captured);
            picture.planes_mut().0.chunks_exact_mut(160).for_each(|row| row[80..].fill(200));
            Ok(Some(picture))
        }
        fn content(&self) -> Content {
            self.0
        }
    }
    #[derive(Clone, Default)]
    struct Corner(Arc<Mutex<Option<u8>>>);
    impl VideoSink for Corner {
        fn show(&mut self, frame: &VideoFrame) -> Result<(), Error> {
            *lock(&self.0) = Some(frame.y()[0]);
            Ok(())
        }
        fn finish(&mut self) -> Result<(), Error> {
            Ok(())
        }
    }
    for content in [Content::Camera, Content::Screen, Content::Other] {
        let corner = Corner::default();
        let b = Engine::prepare(Sinks {
            video: Box::new(corner.clone()),
            audio: Box::new(Recorder::default()),
            monitor: None,
        });
        let (b, to_b) = b.unwrap();
        let monitor = Arc::new(Monitor::new(|| {}));
        let sinks = Sinks {
            video: Box::new(Recorder::default()),
            audio: Box::new(Recorder::default()),
            monitor: Some(monitor.clone()),
        };
        let (a, _) = Engine::prepare(sinks).unwrap();
        let sources = Sources {
            video: Some(Box::new(Halves(content))),
            audio: None,
            video_kbps: 100,
            audio_bits_per_second: 0,
            most: None,
        };
        a.attach(sources).unwrap();
        let (wire, thread) = Wire::new(to_b, 0.0, 1);
        a.start_sending(wire.clone()).unwrap();
        until("the other side sees it", || lock(&corner.0).is_some());
        assert!(lock(&corner.0).unwrap() < 60, "what is sent is never mirrored");
        let own = monitor.own.latest().unwrap();
        assert_eq!(own.y()[0] == 200, content == Content::Camera, "{content:?}");
        drop((a, b));
        wire.close();
        thread.join().unwrap();
    }
}
