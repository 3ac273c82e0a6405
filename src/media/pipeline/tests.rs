//! Two engines joined back to back by a wire in this process: real threads, codecs and clocks.

use std::collections::BTreeMap;
use std::sync::{Condvar, Weak};

use super::*;
use crate::media::frame::VideoFormat;
use crate::media::synthetic::pattern::{self, Pattern};
use crate::media::synthetic::tone::Tone;
use crate::media::{VideoFrame, WallTime};

mod codecs;
mod pictures;

/// Nothing in here takes this long unless it is broken.
const PATIENCE: Duration = Duration::from_secs(60);

/// Sinks that remember what they were given.
#[derive(Default)]
struct Seen {
    numbers: Vec<u64>,
    sizes: Vec<(u32, u32)>,
    samples: usize,
    energy: f64,
    finished: u32,
}

#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Seen>>);

impl VideoSink for Recorder {
    fn show(&mut self, frame: &VideoFrame) -> Result<(), Error> {
        let mut seen = lock(&self.0);
        seen.sizes.push((frame.width(), frame.height()));
        if let Some(reading) = pattern::read(frame, WallTime::now()) {
            seen.numbers.push(reading.number);
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Error> {
        lock(&self.0).finished += 1;
        Ok(())
    }
}

impl AudioSink for Recorder {
    fn play(&mut self, samples: &[f32]) -> Result<(), Error> {
        let mut seen = lock(&self.0);
        seen.samples += samples.len();
        seen.energy += samples.iter().map(|&s| f64::from(s * s)).sum::<f64>();
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Error> {
        lock(&self.0).finished += 1;
        Ok(())
    }
}

/// What is under way on one wire, by its time of arrival.
type UnderWay = BTreeMap<(Instant, u64), (Kind, RtpPacket)>;

/// A wire with random loss and retransmission, in real time on a thread of its own.
struct Wire {
    state: Mutex<(UnderWay, u64, crate::media::rtp::wire::Random, bool)>,
    changed: Condvar,
    loss: f64,
    to: Inlet,
    sent: Mutex<[u64; 2]>,
    /// The other side has VP9.
    vp9: AtomicBool,
}

impl Wire {
    fn new(to: Inlet, loss: f64, seed: u64) -> (Arc<Self>, JoinHandle<()>) {
        let random = crate::media::rtp::wire::Random(seed);
        let wire = Arc::new(Self {
            state: Mutex::new((UnderWay::new(), 0, random, false)),
            changed: Condvar::new(),
            loss,
            to,
            sent: Mutex::default(),
            vp9: AtomicBool::new(false),
        });
        let thread = std::thread::spawn({
            let wire = wire.clone();
            move || wire.run()
        });
        (wire, thread)
    }

    fn run(&self) {
        let mut state = lock(&self.state);
        while !state.3 {
            let now = Instant::now();
            let first = state.0.keys().next().map(|key| key.0);
            if first.is_some_and(|at| at <= now) {
                let (_, (kind, mut packet)) = state.0.pop_first().unwrap();
                packet.arrived = now;
                self.to.rtp(kind, packet);
                continue;
            }
            let wait = first.map_or(PATIENCE, |at| at - now);
            state = self.changed.wait_timeout(state, wait).unwrap().0;
        }
    }

    fn close(&self) {
        lock(&self.state).3 = true;
        self.changed.notify_all();
    }
}

impl Outlet for Wire {
    fn send(&self, kind: Kind, packet: RtpPacket) {
        lock(&self.sent)[kind as usize] += 1;
        let mut state = lock(&self.state);
        let mut delay = Duration::from_millis(1);
        if state.2.chance(self.loss) {
            // Noticed when the next packet comes, asked for within 20 ms, again and again.
            let next = if kind == Kind::Audio { 20 } else { 40 };
            delay += Duration::from_millis(next + state.2.next() % 20);
            let once = 1.0 - self.loss / 100.0;
            let mut tries = 1;
            while state.2.share() > once * once {
                tries += 1;
                delay += Duration::from_millis(20);
            }
            if tries > 10 {
                return;
            }
        }
        state.1 += 1;
        let key = (Instant::now() + delay, state.1);
        state.0.insert(key, (kind, packet));
        self.changed.notify_all();
    }

    fn request_keyframe(&self) {
        self.to.keyframe_requested();
    }

    fn accepts(&self, codec: VideoCodec) -> bool {
        codec == VideoCodec::Vp8 || self.vp9.load(Ordering::Relaxed)
    }
}

struct End {
    engine: Engine,
    inlet: Inlet,
    video: Recorder,
    audio: Recorder,
}

fn format() -> VideoFormat {
    VideoFormat { width: 160, height: 90, fps: 25 }
}

fn end() -> End {
    let (video, audio) = (Recorder::default(), Recorder::default());
    let (engine, inlet) = Engine::prepare(Sinks {
        video: Box::new(video.clone()),
        audio: Box::new(audio.clone()),
        monitor: None,
    })
    .unwrap();
    let sources = Sources {
        video: Some(Box::new(Pattern::new(format()).unwrap())),
        audio: Some(Box::new(Tone::new(440).unwrap())),
        video_kbps: 150,
        audio_bits_per_second: 24_000,
        most: None,
    };
    engine.attach(sources).unwrap();
    End { engine, inlet, video, audio }
}

/// Polls a condition of two live engines.
fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    let tick = Control::<()>::default();
    while !condition() {
        assert!(Instant::now() < deadline, "gave up waiting until {what}");
        tick.wait(Some(Instant::now() + Duration::from_millis(10)));
    }
}

/// Both ends sending to each other with this loss until the condition holds; their last figures.
fn call(loss: f64, condition: impl Fn(&Stats, &Stats) -> bool) -> [(Stats, Recorder, Recorder); 2] {
    let (a, b) = (end(), end());
    let (to_b, one) = Wire::new(b.inlet.clone(), loss, 1);
    let (to_a, other) = Wire::new(a.inlet.clone(), loss, 2);
    a.engine.start_sending(to_b.clone()).unwrap();
    b.engine.start_sending(to_a.clone()).unwrap();
    until("the call is as it should be", || condition(&a.engine.snapshot(), &b.engine.snapshot()));
    let stats = [a.engine.stop(), b.engine.stop()];
    to_a.close();
    to_b.close();
    one.join().unwrap();
    other.join().unwrap();
    let [first, second] = stats;
    [(first, a.video, a.audio), (second, b.video, b.audio)]
}

fn lasted(stats: &Stats, seconds: u64) -> bool {
    stats.audio_received.played_ms >= seconds * 1_000 && stats.video_received.frames_shown >= seconds * 20
}

#[test]
fn picture_and_sound_arrive_both_ways() {
    let ends = call(0.0, |a, b| lasted(a, 3) && lasted(b, 3) && a.audio_received.latency.is_some());
    for (at, (stats, video, audio)) in ends.iter().enumerate() {
        let received = &stats.video_received;
        assert_eq!((received.width, received.height), (160, 90));
        assert_eq!(stats.failures, []);
        assert_eq!(received.packets_lost, 0);
        assert_eq!(received.decode_errors, 0);
        assert!(received.psnr_db.unwrap() > 25.0, "{received:?}");
        assert!(received.latency.is_some() && received.first_shown.is_some());
        let seen = lock(&video.0);
        assert_eq!(seen.numbers.len() as u64, received.frames_shown, "every picture reads");
        assert!(seen.numbers.windows(2).all(|w| w[0] < w[1]), "in order");
        assert_eq!(seen.finished, 1);
        let heard = lock(&audio.0);
        assert_eq!(heard.finished, 1);
        assert!(heard.energy / heard.samples as f64 > 1e-3, "the tone is loud");
        let sound = &stats.audio_received;
        assert_eq!(heard.samples as u64 / 48, sound.played_ms);
        assert!((sound.tone_hz.unwrap_or(440.0) - 440.0).abs() < 5.0);
        assert_eq!(sound.packets_lost, 0);
        let other = &ends[1 - at].0;
        assert!(other.video_sent.frames_sent >= received.frames_decoded, "no picture twice");
        assert!(stats.video_sent.keyframes >= 1);
        assert!(stats.audio_sent.kbps > 5.0 && stats.video_sent.kbps > 20.0);
    }
}

#[test]
fn five_percent_loss_is_neither_seen_nor_heard() {
    let ends = call(5.0, |a, b| lasted(a, 6) && lasted(b, 6));
    for (stats, ..) in &ends {
        assert!(stats.video_received.packets_recovered > 0, "{:?}", stats.video_received);
        assert!(stats.audio_received.packets_recovered > 0, "{:?}", stats.audio_received);
        assert!(stats.audio_received.concealed_pct < 2.0, "{:?}", stats.audio_received);
        assert_eq!(stats.video_received.decode_errors, 0);
    }
}

#[test]
fn twenty_percent_loss_leaves_the_call_alive() {
    let ends = call(20.0, |a, b| lasted(a, 5) && lasted(b, 5));
    for (stats, video, _) in &ends {
        assert!(stats.video_received.packets_recovered > 0);
        assert!(stats.audio_received.concealed_pct < 8.0, "{:?}", stats.audio_received);
        let seen = lock(&video.0);
        assert!(seen.numbers.windows(2).all(|w| w[0] < w[1]), "nothing drifted is shown");
        assert_eq!(seen.numbers.len(), seen.sizes.len());
    }
}

#[test]
fn a_receiver_that_joins_late_asks_for_a_key_frame() {
    let (a, b) = (end(), end());
    let (to_b, one) = Wire::new(b.inlet.clone(), 0.0, 1);
    let (to_a, other) = Wire::new(a.inlet.clone(), 0.0, 2);
    // What is sent before the other side's path exists goes nowhere.
    struct Nowhere(Mutex<Option<Weak<Wire>>>);
    impl Outlet for Nowhere {
        fn send(&self, kind: Kind, packet: RtpPacket) {
            if let Some(wire) = lock(&self.0).as_ref().and_then(Weak::upgrade) {
                wire.send(kind, packet);
            }
        }
        fn request_keyframe(&self) {}
    }
    let gate = Arc::new(Nowhere(Mutex::default()));
    a.engine.start_sending(gate.clone()).unwrap();
    until("some frames were sent", || a.engine.snapshot().video_sent.frames_sent > 5);
    *lock(&gate.0) = Some(Arc::downgrade(&to_b));
    until("packets come in", || b.engine.snapshot().video_received.packets_received > 0);
    assert_eq!(b.engine.snapshot().video_received.frames_shown, 0);
    b.engine.start_sending(to_a.clone()).unwrap();
    until("a picture is shown", || b.engine.snapshot().video_received.frames_shown > 5);
    let stats = b.engine.stop();
    assert!(stats.video_received.keyframes_requested >= 1);
    assert!(a.engine.stop().video_sent.keyframes >= 2);
    to_a.close();
    to_b.close();
    one.join().unwrap();
    other.join().unwrap();
}

#[test]
fn mute_stops_the_picture_and_silences_the_sound_and_both_come_back() {
    let (a, b) = (end(), end());
    let (to_b, one) = Wire::new(b.inlet.clone(), 0.0, 1);
    a.engine.start_sending(to_b.clone()).unwrap();
    until("media flows", || lasted(&b.engine.snapshot(), 1));
    a.engine.set_muted(Kind::Video, true);
    a.engine.set_muted(Kind::Audio, true);
    until("it is quiet", || {
        b.engine.snapshot().audio_received.recent_dbfs.is_some_and(|level| level < -60.0)
    });
    let before = a.engine.snapshot();
    until("silence is sent", || {
        a.engine.snapshot().audio_sent.packets_sent > before.audio_sent.packets_sent + 10
    });
    let after = a.engine.snapshot();
    assert_eq!(after.video_sent.frames_sent, before.video_sent.frames_sent);
    a.engine.set_muted(Kind::Video, false);
    a.engine.set_muted(Kind::Audio, false);
    until("it is loud", || b.engine.snapshot().audio_received.recent_dbfs.is_some_and(|level| level > -30.0));
    until("pictures flow", || a.engine.snapshot().video_sent.keyframes > before.video_sent.keyframes);
    to_b.close();
    one.join().unwrap();
}

#[test]
fn sources_and_the_place_to_play_change_in_mid_stream() {
    let (a, b) = (end(), end());
    let (to_b, one) = Wire::new(b.inlet.clone(), 0.0, 1);
    let (to_a, other) = Wire::new(a.inlet.clone(), 0.0, 2);
    a.engine.start_sending(to_b.clone()).unwrap();
    b.engine.start_sending(to_a.clone()).unwrap();
    until("media flows", || lasted(&b.engine.snapshot(), 1));
    let other_size = VideoFormat { width: 320, height: 180, fps: 15 };
    a.engine.set_video_source(Some(Box::new(Pattern::new(other_size).unwrap())), 200);
    a.engine.set_audio_source(Some(Box::new(Tone::new(880).unwrap())));
    let later = Recorder::default();
    b.engine.set_audio_sink(Box::new(later.clone()));
    until("the other picture is shown", || lock(&b.video.0).sizes.last() == Some(&(320, 180)));
    until("the other tone is heard", || {
        b.engine.snapshot().audio_received.tone_hz.is_some_and(|hz| (hz - 880.0).abs() < 5.0)
    });
    until("it is played elsewhere", || lock(&later.0).samples > 0);
    assert_eq!(lock(&b.audio.0).finished, 1, "the former sink was completed");
    a.engine.set_video_source(None, 0);
    a.engine.set_audio_source(None);
    until("nothing is sent", || {
        let before = a.engine.snapshot();
        until("time goes on", || b.engine.snapshot().video_sent.frames_sent % 10 == 0);
        before.audio_sent.packets_sent == a.engine.snapshot().audio_sent.packets_sent
    });
    a.engine.set_video_source(Some(Box::new(Pattern::new(format()).unwrap())), 150);
    a.engine.set_audio_source(Some(Box::new(Tone::new(440).unwrap())));
    until("the first picture is back", || lock(&b.video.0).sizes.last() == Some(&(160, 90)));
    until("the first tone is back", || {
        b.engine.snapshot().audio_received.tone_hz.is_some_and(|hz| (hz - 440.0).abs() < 5.0)
    });
    let (sent, received) = (a.engine.stop(), b.engine.stop());
    assert_eq!((sent.failures, received.failures), (vec![], vec![]));
    assert_eq!(received.video_received.decode_errors, 0);
    assert_eq!(received.video_received.packets_lost, 0, "one stream that goes on");
    assert_eq!(received.audio_received.packets_lost, 0);
    for wire in [to_a, to_b] {
        wire.close();
    }
    one.join().unwrap();
    other.join().unwrap();
}

#[test]
fn an_end_without_sources_receives_and_a_sink_that_fails_is_told() {
    struct Broken;
    impl VideoSink for Broken {
        fn show(&mut self, _: &VideoFrame) -> Result<(), Error> {
            Err(Error::Spec("the disk is full".to_owned()))
        }
        fn finish(&mut self) -> Result<(), Error> {
            unreachable!("a sink that failed is not finished");
        }
    }
    let a = end();
    let audio = Recorder::default();
    let (engine, inlet) =
        Engine::prepare(Sinks { video: Box::new(Broken), audio: Box::new(audio.clone()), monitor: None })
            .unwrap();
    let (wire, thread) = Wire::new(inlet, 0.0, 1);
    let (back, back_thread) = Wire::new(a.inlet.clone(), 0.0, 1);
    a.engine.start_sending(wire.clone()).unwrap();
    engine.start_sending(back.clone()).unwrap();
    until("the failure is told", || !engine.snapshot().failures.is_empty());
    until("sound goes on", || engine.snapshot().audio_received.played_ms > 200);
    let stats = engine.stop();
    assert_eq!(stats.failures.len(), 1);
    assert_eq!(stats.failures[0].kind, Kind::Video);
    assert_eq!(stats.video_sent.frames_sent + stats.audio_sent.packets_sent, 0);
    assert_eq!(lock(&back.sent).iter().sum::<u64>(), 0);
    for wire in [wire, back] {
        wire.close();
    }
    thread.join().unwrap();
    back_thread.join().unwrap();
}

#[test]
fn stopping_needs_no_packet_and_dropping_is_stopping() {
    let a = end();
    let stats = a.engine.stop();
    assert_eq!(stats.video_received.frames_shown, 0);
    assert_eq!(lock(&a.video.0).finished, 1);
    assert_eq!(lock(&a.audio.0).finished, 1);
    let b = end();
    let (wire, thread) = Wire::new(b.inlet.clone(), 0.0, 1);
    b.engine.start_sending(wire.clone()).unwrap();
    drop(b.engine);
    assert_eq!(Arc::strong_count(&wire), 2, "the outlet is let go of, but for the wire's own thread");
    wire.close();
    thread.join().unwrap();
    assert_eq!(lock(&b.video.0).finished, 1);
    // An inlet that outlives its engine takes packets and drops them.
    b.inlet.keyframe_requested();
    b.inlet.sender_report(Kind::Audio, 0, 0, Instant::now());
}
