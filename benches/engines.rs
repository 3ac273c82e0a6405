//! Two engines calling each other in one process for a while, over a wire with loss: what the media
//! of a call costs and how it looks and sounds, without the peer connection.
//!
//! `cargo bench --bench engines -- --size 640x360 --fps 25 --kbps 600 --seconds 60 --loss 5 --delay 40`

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a program for people at a terminal")]

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use letsmeet::media::pipeline::{Engine, Inlet, Kind, Outlet, Sinks, Sources, Stats};
use letsmeet::media::rtp::RtpPacket;
use letsmeet::media::synthetic::pattern::Pattern;
use letsmeet::media::synthetic::tone::Tone;
use letsmeet::media::{AudioSink, Error, VideoFormat, VideoFrame, VideoSink, WallTime};

struct Null;

impl VideoSink for Null {
    fn show(&mut self, _: &VideoFrame) -> Result<(), Error> {
        Ok(())
    }
    fn finish(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

impl AudioSink for Null {
    fn play(&mut self, _: &[f32]) -> Result<(), Error> {
        Ok(())
    }
    fn finish(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

struct State {
    under_way: BTreeMap<(Instant, u64), (Kind, RtpPacket)>,
    serial: u64,
    random: u64,
    last_report: [Option<Instant>; 2],
}

/// A wire with a delay, random loss and the retransmissions of the peer connection.
struct Wire {
    state: Mutex<State>,
    changed: Condvar,
    loss: f64,
    delay: Duration,
    to: Inlet,
}

impl Wire {
    fn start(to: Inlet, loss: f64, delay: Duration, seed: u64) -> Arc<Self> {
        let state = State { under_way: BTreeMap::new(), serial: 0, random: seed, last_report: [None; 2] };
        let wire = Arc::new(Self { state: Mutex::new(state), changed: Condvar::new(), loss, delay, to });
        let runner = wire.clone();
        std::thread::spawn(move || runner.run());
        wire
    }

    fn run(&self) {
        let mut state = self.state.lock().unwrap();
        loop {
            let now = Instant::now();
            let first = state.under_way.keys().next().map(|key| key.0);
            if first.is_some_and(|at| at <= now) {
                let (_, (kind, mut packet)) = state.under_way.pop_first().unwrap();
                packet.arrived = now;
                self.to.rtp(kind, packet);
                continue;
            }
            let wait = first.map_or(Duration::from_secs(3_600), |at| at - now);
            state = self.changed.wait_timeout(state, wait).unwrap().0;
        }
    }

    /// The sender report that the peer connection would send once a second.
    fn report(&self, state: &mut State, kind: Kind, timestamp: u32) {
        let now = Instant::now();
        let last = &mut state.last_report[kind as usize];
        if last.is_some_and(|at| now - at < Duration::from_secs(1)) {
            return;
        }
        *last = Some(now);
        let micros = WallTime::now().micros() + 2_208_988_800 * 1_000_000;
        let fraction = ((micros % 1_000_000) << 32) / 1_000_000;
        self.to.sender_report(kind, (micros / 1_000_000) << 32 | fraction, timestamp, now);
    }
}

fn share(random: &mut u64) -> f64 {
    *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*random >> 11) as f64 / (1u64 << 53) as f64
}

impl Outlet for Wire {
    fn send(&self, kind: Kind, packet: RtpPacket) {
        let mut state = self.state.lock().unwrap();
        self.report(&mut state, kind, packet.timestamp);
        let mut delay = self.delay;
        let came = 1.0 - self.loss / 100.0;
        if share(&mut state.random) > came {
            let next = if kind == Kind::Audio { 20.0 } else { 40.0 };
            let phase = share(&mut state.random) * 20.0;
            delay += Duration::from_secs_f64((next + phase) / 1_000.0) + self.delay * 2;
            let mut tries = 1;
            while share(&mut state.random) > came * came {
                tries += 1;
                delay += Duration::from_millis(20);
            }
            if tries > 10 {
                return;
            }
        }
        state.serial += 1;
        let key = (Instant::now() + delay, state.serial);
        let first = state.under_way.first_key_value().is_none_or(|(next, _)| key < *next);
        state.under_way.insert(key, (kind, packet));
        if first {
            self.changed.notify_all();
        }
    }

    fn request_keyframe(&self) {
        self.to.keyframe_requested();
    }
}

fn option(name: &str, default: &str) -> String {
    let mut arguments = std::env::args().skip_while(|argument| argument != name);
    arguments.nth(1).unwrap_or_else(|| default.to_owned())
}

fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|f| f.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

fn print(name: &str, stats: &Stats) {
    let (video, audio) = (&stats.video_received, &stats.audio_received);
    println!(
        "{name} sent: video {:.1} fps {:.0} kbit/s {} frames {} key {} skipped; audio {:.1} kbit/s",
        stats.video_sent.fps,
        stats.video_sent.kbps,
        stats.video_sent.frames_sent,
        stats.video_sent.keyframes,
        stats.video_sent.frames_skipped,
        stats.audio_sent.kbps,
    );
    println!(
        "{name} video: {:.2} fps shown {} dropped {} lost {} recovered {} pli {} frozen {:.0} ms \
         longest {:.0} ms latency {:?} psnr {:?} ssim {:?}",
        video.fps,
        video.frames_shown,
        video.frames_dropped,
        video.packets_lost,
        video.packets_recovered,
        video.keyframes_requested,
        video.frozen_ms,
        video.longest_freeze_ms,
        video.latency,
        video.psnr_db,
        video.ssim,
    );
    println!(
        "{name} audio: lost {} recovered {} (fec {}) late {} concealed {:.3} % silence {:.2} % gaps {} \
         latency {:?} jitter {:.1} ms target {:.0} now {:.0} ms behind picture {:?}",
        audio.packets_lost,
        audio.packets_recovered,
        audio.packets_recovered_by_fec,
        audio.packets_late,
        audio.concealed_pct,
        audio.silence_pct,
        audio.gaps,
        audio.latency,
        audio.jitter_ms,
        audio.target_delay_ms,
        audio.delay_ms,
        audio.behind_picture_ms,
    );
}

fn main() {
    let number = |name, default| option(name, default).parse::<f64>().unwrap();
    let size = option("--size", "640x360");
    let (width, height) = size.split_once('x').unwrap();
    let format = VideoFormat {
        width: width.parse().unwrap(),
        height: height.parse().unwrap(),
        fps: number("--fps", "25") as u32,
    };
    let seconds = number("--seconds", "10");
    let prepare = || {
        let parts = Engine::prepare(Sinks { video: Box::new(Null), audio: Box::new(Null), monitor: None });
        let (engine, inlet) = parts.unwrap();
        let sources = Sources {
            video: Some(Box::new(Pattern::new(format).unwrap())),
            audio: Some(Box::new(Tone::new(440).unwrap())),
            video_kbps: number("--kbps", "600") as u32,
            audio_bits_per_second: 24_000,
            most: None,
        };
        engine.attach(sources).unwrap();
        (engine, inlet)
    };
    let ((a, in_a), (b, in_b)) = (prepare(), prepare());
    let delay = Duration::from_secs_f64(number("--delay", "0.1") / 1_000.0);
    let loss = number("--loss", "0");
    for engine in [&a, &b] {
        engine.set_rtt(delay * 2, delay * 2);
    }
    let (to_a, to_b) = (Wire::start(in_a, loss, delay, 5), Wire::start(in_b, loss, delay, 6));
    let (begin, cpu) = (Instant::now(), cpu_seconds());
    a.start_sending(to_b).unwrap();
    b.start_sending(to_a).unwrap();
    std::thread::sleep(Duration::from_secs_f64(seconds));
    let (elapsed, cpu) = (begin.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    let (a, b) = (a.stop(), b.stop());
    print("a", &a);
    print("b", &b);
    let first = |stats: &Stats| stats.video_received.first_shown.map(|at| at - begin);
    println!("first frame after {:?} and {:?}", first(&a), first(&b));
    println!("{:.2} CPU seconds a minute for each end", cpu / elapsed * 60.0 / 2.0);
}
