//! The hot paths of media: codecs, pattern, tone, meters, scaling.
//!
//! `cargo bench --bench media`. One element is one frame (or one block of 20 ms).

// A bench that cannot start has nothing better to do than to stop.
#![allow(clippy::expect_used)]

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use letsmeet::media::codec::{VideoCodec, opus, vpx};
use letsmeet::media::measure::{AudioMeter, VideoMeter, quality};
use letsmeet::media::resample::Resampler;
use letsmeet::media::scale::Scaler;
use letsmeet::media::synthetic::{Pattern, Tone, pattern};
use letsmeet::media::voice::{FRAME, Settings, pair};
use letsmeet::media::{AudioSource, VideoFormat, VideoFrame, WallTime};

const NOW: u64 = 1_795_000_000_000_000;
const SIZES: [(u32, u32, u32); 3] = [(160, 90, 40), (320, 180, 100), (640, 360, 300)];

fn at(number: u64) -> WallTime {
    WallTime(NOW + number * 40_000)
}

fn painter(width: u32, height: u32) -> Pattern {
    Pattern::new(VideoFormat { width, height, fps: 25 }).expect("the sizes are possible")
}

/// Ten seconds of pictures.
fn pictures(width: u32, height: u32) -> Vec<VideoFrame> {
    let pattern = painter(width, height);
    (0..250).map(|n| pattern.paint(n, at(n))).collect()
}

fn video_codec(c: &mut Criterion) {
    let codecs = [VideoCodec::Vp8, VideoCodec::Vp9];
    for (codec, (width, height, kbps)) in codecs.into_iter().flat_map(|codec| SIZES.map(|size| (codec, size)))
    {
        let pictures = pictures(width, height);
        let settings = vpx::Settings::realtime(codec, width, height, 25, kbps);
        let mut encoder = vpx::Encoder::new(settings).expect("libvpx starts");
        let name = codec.name().to_lowercase();
        let mut encoded = Vec::new();
        for (n, picture) in pictures.iter().enumerate() {
            encoded.push(encoder.encode(picture, n as u32 * 3600, false).expect("it encodes").data);
        }
        let mut n = 0_usize;
        c.bench_function(&format!("{name} encode {width}x{height} {kbps} kbit/s"), |b| {
            b.iter(|| {
                n += 1;
                encoder.encode(&pictures[n % 250], n as u32 * 3600, false).expect("it encodes")
            });
        });
        let mut decoder = vpx::Decoder::new(codec, 1).expect("libvpx starts");
        let mut n = 0;
        c.bench_function(&format!("{name} decode {width}x{height} {kbps} kbit/s"), |b| {
            b.iter(|| {
                let frame = decoder.decode(&encoded[n % 250], WallTime(0)).expect("it decodes");
                n += 1;
                frame
            });
        });
    }
}

fn audio_codec(c: &mut Criterion) {
    let mut tone = Tone::new(440).expect("440 Hz is possible");
    let mut block = [0.0; opus::BLOCK];
    for kbps in [12, 24] {
        let settings = opus::Settings { bits_per_second: kbps * 1000, ..opus::Settings::default() };
        let mut encoder = opus::Encoder::new(settings).expect("libopus starts");
        let mut n = 0;
        c.bench_function(&format!("opus encode {kbps} kbit/s"), |b| {
            b.iter(|| {
                tone.read(WallTime(NOW + n * 20_000), &mut block).expect("a tone never fails");
                n += 1;
                encoder.encode(&block).expect("it encodes")
            });
        });
        let packet = encoder.encode(&block).expect("it encodes");
        let mut decoder = opus::Decoder::new().expect("libopus starts");
        c.bench_function(&format!("opus decode {kbps} kbit/s"), |b| {
            b.iter(|| decoder.decode(black_box(&packet)).expect("it decodes")[0]);
        });
    }
}

fn synthetic(c: &mut Criterion) {
    for (width, height, _) in SIZES {
        let pattern = painter(width, height);
        let mut n = 0;
        c.bench_function(&format!("pattern paint {width}x{height}"), |b| {
            b.iter(|| {
                n += 1;
                pattern.paint(n, at(n))
            });
        });
        let picture = pattern.paint(7, at(7));
        c.bench_function(&format!("pattern read {width}x{height}"), |b| {
            b.iter(|| pattern::read(black_box(&picture), at(9)));
        });
    }
    let mut tone = Tone::new(440).expect("440 Hz is possible");
    let mut block = [0.0; opus::BLOCK];
    let mut n = 0;
    c.bench_function("tone make 20 ms", |b| {
        b.iter(|| {
            n += 1;
            tone.read(WallTime(NOW + n * 20_000), &mut block)
        });
    });
}

fn meters(c: &mut Criterion) {
    for (width, height, _) in SIZES {
        let pictures = pictures(width, height);
        let mut meter = VideoMeter::new();
        let mut n = 0;
        c.bench_function(&format!("video meter {width}x{height}, sampled"), |b| {
            b.iter_batched_ref(
                || {
                    n += 1;
                    // Fresh numbers, so that none counts as shown again.
                    painter_frame(&pictures, n)
                },
                |(picture, time)| meter.shown(picture, *time),
                BatchSize::SmallInput,
            );
        });
        let (a, b2) = (&pictures[0], &pictures[1]);
        c.bench_function(&format!("psnr {width}x{height}"), |b| {
            b.iter(|| quality::luma_error(black_box(a), b2))
        });
        c.bench_function(&format!("ssim {width}x{height}"), |b| b.iter(|| quality::ssim(black_box(a), b2)));
    }
    let mut tone = Tone::new(440).expect("440 Hz is possible");
    let blocks: Vec<_> = (0..500)
        .map(|n| {
            let mut block = [0.0; opus::BLOCK];
            tone.read(WallTime(NOW + n * 20_000), &mut block).expect("a tone never fails");
            block
        })
        .collect();
    for (name, sound) in [("tone", blocks), ("silence", vec![[0.0; opus::BLOCK]; 500])] {
        let mut meter = AudioMeter::new();
        let mut n = 0;
        c.bench_function(&format!("audio meter 20 ms of {name}"), |b| {
            b.iter(|| {
                meter.played(&sound[n % 500], WallTime(NOW + n as u64 * 20_000 + 60_000));
                n += 1;
            });
        });
    }
}

fn painter_frame(pictures: &[VideoFrame], n: u64) -> (VideoFrame, WallTime) {
    (pictures[n as usize % pictures.len()].clone(), WallTime(at(n).micros() + 60_000))
}

fn edges(c: &mut Criterion) {
    let picture = painter(640, 360).paint(1, at(1));
    for (width, height) in [(320, 180), (160, 90), (1280, 720)] {
        let scaler = Scaler::new((640, 360), (width, height)).expect("the sizes are possible");
        c.bench_function(&format!("scale 640x360 to {width}x{height}"), |b| {
            b.iter(|| scaler.scale(&picture))
        });
    }
    let mut resampler = Resampler::new(44_100);
    let (block, mut out) = ([0.1; 882], Vec::new());
    c.bench_function("resample 20 ms of 44.1 kHz", |b| {
        b.iter(|| {
            out.clear();
            resampler.push(&block, &mut out);
        });
    });
}

fn voice(c: &mut Criterion) {
    let (mut capture, mut reference) = pair(Settings::default());
    let mut tone = Tone::new(440).expect("440 Hz is possible");
    let (mut n, mut played, mut frame) = (0, [0.0; FRAME], [0.0; FRAME]);
    c.bench_function("voice 10 ms of capture", |b| {
        b.iter(|| {
            tone.read(WallTime(NOW + n * 10_000), &mut played).expect("a tone never fails");
            n += 1;
            reference.played(&played);
            frame.copy_from_slice(&played);
            capture.process(&mut frame);
        });
    });
}

fn config() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(20)
}

criterion_group! { name = benches; config = config(); targets = video_codec, audio_codec, synthetic, meters, edges, voice }
criterion_main!(benches);
