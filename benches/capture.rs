//! What a camera and a screen cost before the encoder: conversion to I420 and scaling to what is sent.
//!
//! `cargo bench --bench capture`. One element is one picture.

// A bench that cannot start has nothing better to do than to stop.
#![allow(clippy::expect_used)]

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use letsmeet::media::WallTime;
#[cfg(any(feature = "devices", feature = "screen"))]
use letsmeet::media::device::convert;
use letsmeet::media::scale::Scaler;
use letsmeet::media::synthetic::Pattern;
use letsmeet::media::{VideoFormat, VideoFrame};

const NOW: WallTime = WallTime(0);

fn picture(width: u32, height: u32) -> VideoFrame {
    Pattern::new(VideoFormat { width, height, fps: 25 }).expect("the sizes are possible").paint(3, NOW)
}

#[cfg(any(feature = "devices", feature = "screen"))]
fn conversion(c: &mut Criterion) {
    for (width, height) in [(640_u32, 360_u32), (1280, 720)] {
        let pixels = width as usize * height as usize;
        let luma = picture(width, height);
        let packed: Vec<u8> = luma.y().iter().flat_map(|&level| [level, 128]).collect();
        let rgba: Vec<u8> = luma.y().iter().flat_map(|&level| [level, 255 - level, level / 2, 255]).collect();
        let size = format!("{width}x{height}");
        c.bench_function(&format!("YUYV to I420 {size}"), |b| {
            b.iter(|| convert::yuyv(width, height, black_box(&packed), NOW).expect("it fits"));
        });
        c.bench_function(&format!("NV12 to I420 {size}"), |b| {
            b.iter(|| convert::nv12(width, height, black_box(luma.data()), NOW).expect("it fits"));
        });
        c.bench_function(&format!("RGBA to I420 {size}"), |b| {
            b.iter(|| convert::rgba(width, height, black_box(&rgba[..pixels * 4]), NOW).expect("it fits"));
        });
        #[cfg(feature = "devices")]
        {
            let rgb: Vec<u8> =
                rgba.chunks_exact(4).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect();
            let mut jpeg = Vec::new();
            image::codecs::jpeg::JpegEncoder::new_with_quality(&mut jpeg, 85)
                .encode(&rgb, width, height, image::ExtendedColorType::Rgb8)
                .expect("it encodes");
            c.bench_function(&format!("MJPEG to I420 {size}"), |b| {
                b.iter(|| convert::mjpeg(black_box(&jpeg), NOW).expect("it decodes"));
            });
        }
    }
}

#[cfg(not(any(feature = "devices", feature = "screen")))]
fn conversion(_: &mut Criterion) {}

fn scaling(c: &mut Criterion) {
    for (from, to) in [((1280, 720), (640, 360)), ((1920, 1080), (1280, 720))] {
        let picture = picture(from.0, from.1);
        let scaler = Scaler::new(from, to).expect("the sizes are possible");
        c.bench_function(&format!("scale {}x{} to {}x{}", from.0, from.1, to.0, to.1), |b| {
            b.iter(|| scaler.scale(black_box(&picture)));
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    targets = conversion, scaling
}
criterion_main!(benches);
