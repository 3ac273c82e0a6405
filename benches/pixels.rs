//! Pictures as pixels: time, bytes and truth of a frame, beside other programs that draw sixels.
//!
//! `cargo bench --bench pixels` measures the painters with criterion; `cargo bench --bench pixels -- --table` prints a table
//! over two clips of ten seconds, 640x360 in 80x24 cells of 8x15 pixels: tests/data/talk.webm, whose whole picture sways, and the
//! same with a still background (its first frame, with the head of the others in an ellipse, and camera noise of sigma 1 on
//! every luma). Times are CPU time of the thread; the first frame, which is whole, is not in the means.

// A bench that cannot start has nothing better to do than to stop.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::print_stdout)]

#[path = "../src/tui/render/pixels/sixel/tests/screen.rs"]
#[allow(dead_code, unreachable_pub)]
mod screen;

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use criterion::Criterion;
use letsmeet::media::{VideoFrame, WallTime};
use letsmeet::tui::render::pixels::{Iterm2, Kitty, Sixel};
use letsmeet::tui::render::{CellSize, Depth, Keeps, Mode, Painter, Quality, Settings};
use ratatui::layout::Rect;
use screen::Screen;

const WIDTH: usize = 640;
const HEIGHT: usize = 360;
const AREA: Rect = Rect { x: 0, y: 0, width: 80, height: 24 };

/// Every how many frames the other programs are asked: each starts anew for a frame.
const STRIDE: usize = 25;

fn settings(shared_memory: bool) -> Settings {
    Settings {
        mode: Mode::Sixel,
        depth: Depth::Truecolor,
        cell: CellSize { width: 8, height: 15 },
        sixel_colours: 256,
        sixel_keeps: Keeps::Everything,
        shared_memory,
        tmux: false,
        picture: 1,
    }
}

/// The clip, decoded by ffmpeg.
fn talk() -> Vec<VideoFrame> {
    let clip = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/talk.webm");
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-i", clip, "-pix_fmt", "yuv420p", "-f", "rawvideo", "-"])
        .output()
        .expect("ffmpeg runs (scripts/setup)");
    let frames = output.stdout.chunks_exact(VideoFrame::bytes(WIDTH as u32, HEIGHT as u32));
    frames
        .map(|data| VideoFrame::new(WIDTH as u32, HEIGHT as u32, data.to_vec(), WallTime(0)).unwrap())
        .collect()
}

/// The head of each frame over the background of the first, with the noise of a camera.
fn still(talk: &[VideoFrame]) -> Vec<VideoFrame> {
    let mut state = 12_345_u64;
    let mut uniform = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 24) as f32 - 0.5
    };
    let inside = |x: usize, y: usize| {
        let (dx, dy) = ((x as f32 - 262.0) / 130.0, (y as f32 - 190.0) / 170.0);
        ((2.0 - 2.0 * (dx * dx + dy * dy).sqrt()).clamp(0.0, 0.4)) / 0.4
    };
    let mix = |a: u8, b: u8, share: f32| f32::from(a) * (1.0 - share) + f32::from(b) * share;
    let compose = |frame: &VideoFrame| {
        let mut out = talk[0].clone();
        let (y, u, v) = out.planes_mut();
        for (at, luma) in y.iter_mut().enumerate() {
            // The sum of four has a variance of a third.
            let noise = (uniform() + uniform() + uniform() + uniform()) * 3_f32.sqrt();
            let share = inside(at % WIDTH, at / WIDTH);
            *luma = (mix(*luma, frame.y()[at], share) + noise).round().clamp(0.0, 255.0) as u8;
        }
        for (plane, other) in [(u, frame.u()), (v, frame.v())] {
            for (at, value) in plane.iter_mut().enumerate() {
                let share = inside(at % (WIDTH / 2) * 2, at / (WIDTH / 2) * 2);
                *value = mix(*value, other[at], share).round() as u8;
            }
        }
        out
    };
    talk.iter().map(compose).collect()
}

/// A frame as RGB by BT.601.
fn rgb(frame: &VideoFrame) -> Vec<u8> {
    let byte = |value: f32| (value + 0.5).clamp(0.0, 255.0) as u8;
    let mut rgb = Vec::with_capacity(3 * WIDTH * HEIGHT);
    for (at, &luma) in frame.y().iter().enumerate() {
        let place = at / WIDTH / 2 * (WIDTH / 2) + at % WIDTH / 2;
        let luma = (f32::from(luma) - 16.0) * 255.0 / 219.0;
        let (u, v) = (f32::from(frame.u()[place]) - 128.0, f32::from(frame.v()[place]) - 128.0);
        rgb.extend([byte(luma + 1.596 * v), byte(luma - 0.392 * u - 0.813 * v), byte(luma + 2.017 * u)]);
    }
    rgb
}

fn squared(a: &[u8], b: &[u8]) -> f64 {
    a.iter().zip(b).map(|(&a, &b)| f64::from(a.abs_diff(b)).powi(2)).sum::<f64>() / a.len() as f64
}

/// CPU time of this thread, or of the children that have ended, in milliseconds.
fn cpu(children: bool) -> f64 {
    if children {
        // SAFETY: both calls fill a plain structure.
        let usage = unsafe {
            let mut usage = std::mem::zeroed::<libc::rusage>();
            libc::getrusage(libc::RUSAGE_CHILDREN, &mut usage);
            usage
        };
        let ms = |time: libc::timeval| time.tv_sec as f64 * 1e3 + time.tv_usec as f64 / 1e3;
        return ms(usage.ru_utime) + ms(usage.ru_stime);
    }
    // SAFETY: as above.
    let time = unsafe {
        let mut time = std::mem::zeroed::<libc::timespec>();
        libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time);
        time
    };
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
}

/// What was measured over some frames.
#[derive(Default)]
struct Figures {
    frames: f64,
    ms: f64,
    worst: f64,
    bytes: f64,
    /// Sum of the mean squared errors, where the picture is read back.
    error: Option<f64>,
}

impl Figures {
    fn add(&mut self, ms: f64, bytes: usize) {
        self.frames += 1.0;
        self.ms += ms;
        self.worst = self.worst.max(ms);
        self.bytes += bytes as f64;
    }

    fn print(&self, clip: &str, name: &str) {
        let psnr = self
            .error
            .map_or("-".into(), |error| format!("{:.2}", 10.0 * (65_025.0 * self.frames / error).log10()));
        println!(
            "| {clip} | {name} | {:.2} | {:.2} | {:.1} | {psnr} |",
            self.ms / self.frames,
            self.worst,
            self.bytes / self.frames / 1e3
        );
    }
}

/// Draws a clip; `look` gives the mean squared error of what is shown after a frame.
fn draw(
    clip: &[VideoFrame],
    painter: &mut dyn Painter,
    quality: Quality,
    mut look: impl FnMut(usize, &[u8]) -> Option<f64>,
) -> Figures {
    let mut figures = Figures::default();
    let mut out = Vec::new();
    for (at, frame) in clip.iter().enumerate() {
        out.clear();
        let began = cpu(false);
        painter.update(frame, AREA, quality);
        painter.graphics(&mut out);
        let ms = cpu(false) - began;
        let error = look(at, &out);
        if at > 0 {
            figures.add(ms, out.len());
            if let Some(error) = error {
                *figures.error.get_or_insert(0.0) += error;
            }
        }
    }
    figures
}

/// A program that makes sixels of a PPM on its standard input.
fn program(clip: &[Vec<u8>], command: &str, arguments: &[&str]) -> Option<Figures> {
    let mut figures = Figures::default();
    for rgb in clip.iter().step_by(STRIDE) {
        let began = cpu(true);
        let mut child = Command::new(command)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let mut input = child.stdin.take()?;
        let mut ppm = format!("P6 {WIDTH} {HEIGHT} 255\n").into_bytes();
        ppm.extend_from_slice(rgb);
        let writer = std::thread::spawn(move || input.write_all(&ppm));
        let mut out = Vec::new();
        child.stdout.take()?.read_to_end(&mut out).ok()?;
        let _ = writer.join();
        child.wait().ok()?;
        figures.add(cpu(true) - began, out.len());
        let start = out.windows(2).position(|two| two == b"\x1bP")?;
        *figures.error.get_or_insert(0.0) += decoded(&out[start..], rgb)?;
    }
    Some(figures)
}

/// The error of a sixel picture by an independent decoder.
fn decoded(sixel: &[u8], rgb: &[u8]) -> Option<f64> {
    let image = icy_sixel::SixelImage::decode(sixel).ok()?;
    let (width, height) = image.dimensions();
    if width < WIDTH || height < HEIGHT {
        return None;
    }
    let rows = image.pixels.chunks_exact(4 * width).take(HEIGHT);
    let seen: Vec<u8> = rows
        .flat_map(|row| row.chunks_exact(4).take(WIDTH).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]))
        .collect();
    Some(squared(&seen, rgb))
}

fn icy(clip: &[Vec<u8>]) -> Option<Figures> {
    let mut figures = Figures::default();
    for rgb in clip.iter().step_by(STRIDE) {
        let rgba: Vec<u8> =
            rgb.chunks_exact(3).flat_map(|pixel| [pixel[0], pixel[1], pixel[2], 255]).collect();
        let began = cpu(false);
        let sixel = icy_sixel::SixelImage::try_from_rgba(rgba, WIDTH, HEIGHT).ok()?.encode().ok()?;
        figures.add(cpu(false) - began, sixel.len());
        *figures.error.get_or_insert(0.0) += decoded(sixel.as_bytes(), rgb)?;
    }
    Some(figures)
}

fn table(talk: &[VideoFrame]) {
    println!(
        "| clip | drawn by | CPU ms a frame | worst | kB a frame | PSNR dB |\n|---|---|---|---|---|---|"
    );
    let still = still(talk);
    for (name, clip) in [("sways", talk), ("still background", &still)] {
        let wanted: Vec<Vec<u8>> = clip.iter().map(rgb).collect();
        for threshold in [0.0, 16.0, 32.0, 64.0] {
            let mut screen = Screen::new(WIDTH, HEIGHT);
            let quality = Quality { threshold, scale: 1.0 };
            let figures = draw(clip, &mut Sixel::new(&settings(false)), quality, |at, out| {
                screen.feed(out);
                Some(squared(&screen.rgb, &wanted[at]))
            });
            figures.print(name, &format!("sixel, threshold {threshold}"));
        }
        for (keeps, what) in
            [(Keeps::Shown, "sixel, whole each second"), (Keeps::Nothing, "sixel, always whole")]
        {
            let mut screen = Screen::new(WIDTH, HEIGHT);
            let settings = Settings { sixel_keeps: keeps, ..settings(false) };
            let figures = draw(clip, &mut Sixel::new(&settings), Quality::default(), |at, out| {
                screen.feed(out);
                Some(squared(&screen.rgb, &wanted[at]))
            });
            figures.print(name, what);
        }
        let quality = Quality::default();
        draw(clip, &mut Kitty::new(&settings(true)), quality, |_, _| None)
            .print(name, "kitty, shared memory");
        draw(clip, &mut Kitty::new(&settings(false)), quality, |_, _| None).print(name, "kitty, remote");
        draw(clip, &mut Iterm2::new(&settings(false)), quality, |_, _| None).print(name, "iterm2");
        let anchors = [
            (
                "chafa -f sixel",
                program(
                    &wanted,
                    "chafa",
                    &["-f", "sixel", "--animate", "off", "-s", "80x45", "--font-ratio", "1/1", "-"],
                ),
            ),
            ("img2sixel", program(&wanted, "img2sixel", &["-"])),
            ("icy_sixel", icy(&wanted)),
        ];
        for (program, figures) in anchors {
            match figures {
                Some(figures) => figures.print(name, program),
                None => println!("| {name} | {program} | not here | | | |"),
            }
        }
    }
}

fn main() {
    let talk = talk();
    if std::env::args().any(|argument| argument == "--table") {
        table(&talk);
        return;
    }
    let mut criterion = Criterion::default().configure_from_args().sample_size(50);
    let painters: [(&str, Box<dyn Painter>); 4] = [
        ("sixel 640x360", Box::new(Sixel::new(&settings(false)))),
        ("kitty shared memory 640x360", Box::new(Kitty::new(&settings(true)))),
        ("kitty remote 640x360", Box::new(Kitty::new(&settings(false)))),
        ("iterm2 640x360", Box::new(Iterm2::new(&settings(false)))),
    ];
    for (name, mut painter) in painters {
        let (mut number, mut out) = (0, Vec::new());
        criterion.bench_function(name, |b| {
            b.iter(|| {
                out.clear();
                number += 1;
                painter.update(&talk[number % talk.len()], AREA, Quality::default());
                painter.graphics(&mut out);
                out.len()
            });
        });
    }
    criterion.final_summary();
}
