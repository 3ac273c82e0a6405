//! Pictures of characters: time, bytes and quality of each mode on the reference clip.
//!
//! ```text
//! cargo bench --bench render                          criterion: one element is one frame of 640x360
//! cargo bench --bench render -- --table               the table of docs/performance.md
//! cargo bench --bench render -- --psnr 80x24 25:FILE  quality of what another program printed for frame 25
//! ```
//!
//! A frame's time is that of taking it, composing the screen, ratatui's comparison and the bytes: all that lies
//! between the decoder and the terminal. It is given as CPU time of the thread, which other work on the machine disturbs
//! least. A cell is 8x15 pixels, so that 16:9 fills 80x24 exactly, as it does 160x48 and 200x60.
//!
//! Quality is the PSNR in RGB over all cells at 8x16 pixels each: what is shown is drawn by the glyphs' masks, and
//! compared with the frame, scaled to that size with a triangle filter. Every fifth frame counts.

// A bench that cannot start has nothing better to do than to stop.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

use std::path::Path;

use criterion::Criterion;
use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use letsmeet::media::source::open_film;
use letsmeet::media::{VideoFormat, VideoFrame, WallTime};
use letsmeet::tui::render::backend::Backend;
use letsmeet::tui::render::cells::glyphs;
use letsmeet::tui::render::{CellSize, Depth, Keeps, Mode, Painter, Quality, Settings, painter};
use ratatui::Terminal;
use ratatui::buffer::Buffer;
use ratatui::layout::{Rect, Size};
use ratatui::style::Color;

const SIZES: [Size; 3] = [Size::new(80, 24), Size::new(160, 48), Size::new(200, 60)];
const MODES: [Mode; 6] =
    [Mode::Half, Mode::Quadrant, Mode::Sextant, Mode::Octant, Mode::Braille, Mode::Ascii];
const FRAMES: u64 = 250;

type Rgb = [u8; 3];

/// The clip, decoded.
fn clip() -> Vec<VideoFrame> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/talk.webm");
    let mut film = open_film(&path, VideoFormat::DEFAULT).expect("ffmpeg reads the clip (see scripts/setup)");
    (0..FRAMES).filter_map(|index| film.frame(index, WallTime(index * 40_000)).expect("it decodes")).collect()
}

fn settings(mode: Mode, depth: Depth) -> Settings {
    Settings {
        mode,
        depth,
        cell: CellSize { width: 8, height: 15 },
        sixel_colours: 256,
        sixel_keeps: Keeps::Everything,
        shared_memory: false,
        tmux: false,
        picture: 1,
    }
}

/// A painter and the screen it draws on.
struct Screen {
    painter: Box<dyn Painter>,
    terminal: Terminal<Backend>,
    area: Rect,
}

impl Screen {
    fn new(mode: Mode, depth: Depth, size: Size) -> Self {
        let Ok(terminal) = Terminal::new(Backend::new(size, depth));
        Self {
            painter: painter(&settings(mode, depth)),
            terminal,
            area: Rect::from((Default::default(), size)),
        }
    }

    /// Draws a frame; the bytes it takes.
    fn draw(&mut self, frame: &VideoFrame, quality: Quality) -> Vec<u8> {
        self.painter.update(frame, self.area, quality);
        let painter = &self.painter;
        let Ok(_) = self.terminal.draw(|screen| painter.place(screen.buffer_mut()));
        self.terminal.backend_mut().take()
    }

    fn pixels(&self) -> Vec<Rgb> {
        let mut buffer = Buffer::empty(self.area);
        self.painter.place(&mut buffer);
        let look = |x: u16, y: u16| {
            let cell = &buffer[(x, y)];
            (cell.symbol().chars().next(), rgb(cell.fg, [255; 3]), rgb(cell.bg, [0; 3]))
        };
        pixels(self.area.as_size(), look).0
    }
}

/// Draws cells by their masks; also the number of characters that have none.
fn pixels(size: Size, cell: impl Fn(u16, u16) -> (Option<char>, Rgb, Rgb)) -> (Vec<Rgb>, usize) {
    let width = usize::from(size.width) * 8;
    let mut pixels = vec![[0; 3]; width * usize::from(size.height) * 16];
    let mut strangers = 0;
    for y in 0..size.height {
        for x in 0..size.width {
            let (symbol, fg, bg) = cell(x, y);
            let mask = glyphs::mask(symbol.unwrap_or(' ')).unwrap_or_else(|| {
                strangers += 1;
                0
            });
            for pixel in 0..128 {
                let at = (usize::from(y) * 16 + pixel / 8) * width + usize::from(x) * 8 + pixel % 8;
                pixels[at] = if mask >> pixel & 1 == 1 { fg } else { bg };
            }
        }
    }
    (pixels, strangers)
}

fn rgb(color: Color, default: Rgb) -> Rgb {
    match color {
        Color::Rgb(r, g, b) => [r, g, b],
        Color::Indexed(index) => palette(index),
        _ => default,
    }
}

/// The 256 colours as xterm has them.
fn palette(index: u8) -> Rgb {
    const BRIGHT: [u32; 16] = [
        0x00_00_00, 0xcd_00_00, 0x00_cd_00, 0xcd_cd_00, 0x00_00_ee, 0xcd_00_cd, 0x00_cd_cd, 0xe5_e5_e5,
        0x7f_7f_7f, 0xff_00_00, 0x00_ff_00, 0xff_ff_00, 0x5c_5c_ff, 0xff_00_ff, 0x00_ff_ff, 0xff_ff_ff,
    ];
    let level = |step: u8| if step == 0 { 0 } else { 55 + 40 * step };
    match index {
        0..=15 => [16, 8, 0].map(|shift| (BRIGHT[usize::from(index)] >> shift) as u8),
        16..=231 => [(index - 16) / 36, (index - 16) / 6 % 6, (index - 16) % 6].map(level),
        grey => [8 + 10 * (grey - 232); 3],
    }
}

/// The frame at 8x16 pixels a cell.
fn wanted(frame: &VideoFrame, size: Size) -> Vec<Rgb> {
    let (width, height) = (u32::from(size.width) * 8, u32::from(size.height) * 16);
    let scale = |plane: &[u8], from: (u32, u32)| {
        let mut scaled = vec![U8::new(0); (width * height) as usize];
        let source = TypedImageRef::<U8>::from_buffer(from.0, from.1, plane).unwrap();
        let mut target = TypedImage::from_pixels_slice(width, height, &mut scaled).unwrap();
        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
        Resizer::new().resize_typed(&source, &mut target, &options).unwrap();
        scaled
    };
    let y = scale(frame.y(), (frame.width(), frame.height()));
    let (u, v) = (scale(frame.u(), frame.chroma_size()), scale(frame.v(), frame.chroma_size()));
    let pixel = |((y, u), v): ((U8, U8), U8)| {
        let luma = (f32::from(y.0) - 16.0) * 255.0 / 219.0;
        let (u, v) = (f32::from(u.0) - 128.0, f32::from(v.0) - 128.0);
        [luma + 1.596_03 * v, luma - 0.391_76 * u - 0.812_97 * v, luma + 2.017_23 * u]
            .map(|c| (c + 0.5) as u8)
    };
    y.into_iter().zip(u).zip(v).map(pixel).collect()
}

fn psnr(a: &[Rgb], b: &[Rgb]) -> f64 {
    let error: u64 =
        a.iter().flatten().zip(b.iter().flatten()).map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2)).sum();
    10.0 * (255.0 * 255.0 * 3.0 * a.len() as f64 / error as f64).log10()
}

/// CPU time of this thread, in milliseconds.
fn cpu() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes one timespec, which it is given.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
}

fn table(quality: Quality) {
    let clip = clip();
    println!("\nThreshold {}, {} frames of 640x360.\n", quality.threshold, clip.len());
    println!(
        "| cells | mode | colours | CPU ms a frame | kB a frame | kB whole | PSNR dB | of a full repaint |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for size in SIZES {
        let wanted: Vec<Vec<Rgb>> = clip.iter().step_by(5).map(|frame| wanted(frame, size)).collect();
        let others =
            [Depth::Indexed256, Depth::Indexed16, Depth::Monochrome].map(|depth| (Mode::Octant, depth));
        for (mode, depth) in MODES.map(|mode| (mode, Depth::Truecolor)).into_iter().chain(others) {
            let mut screen = Screen::new(mode, depth, size);
            let (mut spent, mut bytes, mut whole, mut shown, mut best) = (0.0, 0, 0, 0.0, 0.0);
            for (index, frame) in clip.iter().enumerate() {
                let start = cpu();
                let length = screen.draw(frame, quality).len();
                if index == 0 {
                    whole = length;
                } else {
                    spent += cpu() - start;
                    bytes += length;
                }
                if index % 5 == 0 {
                    shown += psnr(&screen.pixels(), &wanted[index / 5]);
                    let mut fresh = Screen::new(mode, depth, size);
                    let _ = fresh.draw(frame, Quality { threshold: 0.0, ..quality });
                    best += psnr(&fresh.pixels(), &wanted[index / 5]);
                }
            }
            let count = (clip.len() - 1) as f64;
            // Dots of a font have no masks.
            let measured = |sum: f64| match mode {
                Mode::Braille => "-".to_owned(),
                _ => format!("{:.2}", sum / wanted.len() as f64),
            };
            println!(
                "| {}x{} | {mode} | {} | {:.2} | {:.1} | {:.1} | {} | {} |",
                size.width,
                size.height,
                match depth {
                    Depth::Truecolor => "24 bits",
                    Depth::Indexed256 => "256",
                    Depth::Indexed16 => "16",
                    Depth::Monochrome => "none",
                },
                spent / count,
                bytes as f64 / count / 1e3,
                whole as f64 / 1e3,
                measured(shown),
                measured(best),
            );
        }
    }
}

/// What other programs printed: each argument is the number of a frame and a file with the bytes for it.
fn compare(size: &str, files: &[String]) {
    let (columns, rows) = size.split_once('x').expect("a size such as 80x24");
    let size = Size::new(columns.parse().unwrap(), rows.parse().unwrap());
    let clip = clip();
    let (mut sum, mut strangers) = (0.0, 0);
    for file in files {
        let (index, path) = file.split_once(':').expect("a frame and a file such as 25:FILE");
        let text = String::from_utf8_lossy(&std::fs::read(path).expect("the file can be read"))
            .replace('\n', "\r\n");
        let side = |cells: u16| std::num::NonZeroU16::new(cells).unwrap();
        // A row more, for the line feed at the end.
        let mut parser = vt100::Parser::new(side(size.height + 1), side(size.width), 0);
        parser.process(text.as_bytes());
        let (shown, unknown) = pixels(size, |x, y| {
            let cell = parser.screen().cell(y, x).expect("it is inside");
            let look = |color, default| match color {
                vt100::Color::Rgb(r, g, b) => [r, g, b],
                vt100::Color::Idx(index) => palette(index),
                vt100::Color::Default => default,
            };
            let (fg, bg) = (look(cell.fgcolor(), [255; 3]), look(cell.bgcolor(), [0; 3]));
            let (fg, bg) = if cell.inverse() { (bg, fg) } else { (fg, bg) };
            (cell.contents().chars().next(), fg, bg)
        });
        sum += psnr(&shown, &wanted(&clip[index.parse::<usize>().unwrap()], size));
        strangers += unknown;
    }
    if strangers > 0 {
        eprintln!("{strangers} characters without a mask counted as blanks");
    }
    println!("{:.2}", sum / files.len() as f64);
}

fn criterion() {
    let clip = clip();
    let mut criterion = Criterion::default().configure_from_args();
    for size in SIZES {
        for mode in MODES {
            let mut screen = Screen::new(mode, Depth::Truecolor, size);
            let mut index = 0;
            criterion.bench_function(&format!("{mode} {}x{}", size.width, size.height), |b| {
                b.iter(|| {
                    index += 1;
                    screen.draw(&clip[index % clip.len()], Quality::default())
                });
            });
        }
    }
    criterion.final_summary();
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--table"] => table(Quality::default()),
        ["--table", threshold] => {
            table(Quality { threshold: threshold.parse().expect("a number"), ..Quality::default() });
        }
        ["--psnr", size, ..] => compare(size, &arguments[2..]),
        _ => criterion(),
    }
}
