//! What VP9 gains over VP8 at the sizes and rates of narrow links, and what it costs: PSNR and SSIM of what is decoded, the rate that
//! came of the target, and the time that encoding a picture takes.
//!
//! `cargo bench --bench codecs`, of a talking head (tests/data/talk.webm, which needs ffmpeg) and of the moving pattern;
//! `cargo bench --bench codecs -- --speed 8` with another speed of VP9.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a program for people at a terminal")]

use std::path::Path;
use std::time::{Duration, Instant};

use letsmeet::media::codec::VideoCodec;
use letsmeet::media::codec::vpx::{CLOCK, Decoder, Encoder, Settings};
use letsmeet::media::measure::quality;
use letsmeet::media::source::open_film;
use letsmeet::media::synthetic::Pattern;
use letsmeet::media::{VideoFormat, VideoFrame, VideoSource, WallTime};

/// Width, height, frames a second, kbit/s.
const CASES: [(u32, u32, u32, u32); 6] = [
    (160, 90, 10, 20),
    (160, 90, 10, 40),
    (240, 136, 15, 80),
    (320, 180, 15, 120),
    (320, 180, 25, 145),
    (640, 360, 25, 300),
];
const SECONDS: u32 = 9;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let speed = arguments
        .iter()
        .position(|argument| argument == "--speed")
        .map(|at| arguments[at + 1].parse().unwrap());
    println!("| picture | codec | kbit/s | PSNR dB | worst | SSIM | key frame | ms a picture |");
    println!("|---|---|---|---|---|---|---|---|");
    for (width, height, fps, kbps) in CASES {
        let format = VideoFormat { width, height, fps };
        let film = open_film(Path::new("tests/data/talk.webm"), format).unwrap();
        let pattern = Box::new(Pattern::new(format).unwrap());
        for (name, source) in [("head", film as Box<dyn VideoSource>), ("pattern", pattern)] {
            let pictures = pictures(source, fps);
            for codec in [VideoCodec::Vp8, VideoCodec::Vp9] {
                let mut settings = Settings::realtime(codec, width, height, fps, kbps);
                if let (VideoCodec::Vp9, Some(speed)) = (codec, speed) {
                    settings.cpu_used = speed;
                }
                let figures = measure(&pictures, settings);
                println!("| {name} {width}x{height}@{fps}, {kbps} kbit/s | {} | {figures} |", codec.name());
            }
        }
    }
}

fn pictures(mut source: Box<dyn VideoSource>, fps: u32) -> Vec<VideoFrame> {
    let start = WallTime::now();
    (0..u64::from(SECONDS * fps))
        .filter_map(|index| {
            let at = start + Duration::from_secs(index) / fps;
            // A film comes from another process, in its own time.
            let deadline = Instant::now() + Duration::from_secs(10);
            loop {
                match source.frame(index, at).unwrap() {
                    Some(picture) => return Some(picture),
                    None if Instant::now() > deadline => return None,
                    None => std::thread::yield_now(),
                }
            }
        })
        .collect()
}

fn measure(pictures: &[VideoFrame], settings: Settings) -> String {
    let mut encoder = Encoder::new(settings).unwrap();
    let mut decoder = Decoder::new(settings.codec, 1).unwrap();
    let (mut bytes, mut key, mut error, mut worst, mut ssim) = (0, 0, 0.0, 0.0_f64, 0.0);
    let mut took = Duration::ZERO;
    for (index, picture) in (0u32..).zip(pictures) {
        let start = Instant::now();
        let frame = encoder.encode(picture, index * CLOCK / settings.fps, false).unwrap();
        took += start.elapsed();
        bytes += frame.data.len();
        key = if frame.keyframe { frame.data.len() } else { key };
        let decoded = decoder.decode(&frame.data, picture.captured).unwrap().unwrap().frame;
        let of_this = quality::luma_error(picture, &decoded).unwrap();
        error += of_this;
        worst = worst.max(of_this);
        ssim += quality::ssim(picture, &decoded).unwrap();
    }
    let count = pictures.len() as f64;
    format!(
        "{:.1} | {:.2} | {:.1} | {:.4} | {key} B | {:.2}",
        bytes as f64 * 8.0 / 1_000.0 * f64::from(settings.fps) / count,
        quality::psnr(error / count),
        quality::psnr(worst),
        ssim / count,
        took.as_secs_f64() * 1_000.0 / count,
    )
}
