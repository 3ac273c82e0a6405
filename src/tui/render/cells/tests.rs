use std::num::NonZeroU16;

use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::layout::Size;
use unicode_width::UnicodeWidthStr;

use super::super::{CellSize, Keeps, Mode};
use super::*;
use crate::media::synthetic::Pattern;
use crate::media::{VideoFormat, VideoSource, WallTime};
use crate::tui::render::backend::Backend;

const MODES: [Mode; 6] =
    [Mode::Octant, Mode::Sextant, Mode::Quadrant, Mode::Half, Mode::Braille, Mode::Ascii];
const DEPTHS: [Depth; 4] = [Depth::Truecolor, Depth::Indexed256, Depth::Indexed16, Depth::Monochrome];

fn settings(mode: Mode, depth: Depth) -> Settings {
    Settings {
        mode,
        depth,
        // A picture of 16:9 fills 80x24 exactly.
        cell: CellSize { width: 8, height: 15 },
        sixel_colours: 256,
        sixel_keeps: Keeps::Everything,
        shared_memory: false,
        tmux: false,
        picture: 1,
    }
}

/// The synthetic pattern.
fn pattern(width: u32, height: u32, index: u64) -> VideoFrame {
    let mut source = Pattern::new(VideoFormat { width, height, fps: 25 }).unwrap();
    source.frame(index, WallTime(index * 40_000)).unwrap().unwrap()
}

/// Something like a face before a soft ground, with grain that `seed` moves.
fn scene(width: u32, height: u32, shift: f32, seed: u32) -> VideoFrame {
    let mut frame = VideoFrame::black(width, height, WallTime(0));
    let (y, u, v) = frame.planes_mut();
    let mut noise = seed.wrapping_mul(2_654_435_761) | 1;
    for (index, y) in y.iter_mut().enumerate() {
        let (column, row) = ((index as u32 % width) as f32, (index as u32 / width) as f32);
        let (x, z) = (column / width as f32 - 0.5 - shift, row / height as f32 - 0.5);
        let face =
            if x * x * 3.0 + z * z < 0.1 { 70.0 + 40.0 * (x * 60.0).sin() * (z * 45.0).cos() } else { 0.0 };
        noise ^= noise << 13;
        noise ^= noise >> 17;
        noise ^= noise << 5;
        *y = (60.0 + 60.0 * x + 30.0 * z + face + (noise % 7) as f32 - 3.0) as u8;
    }
    let half = width.div_ceil(2);
    for (index, (u, v)) in u.iter_mut().zip(v).enumerate() {
        *u = 110 + (index as u32 % half * 30 / half) as u8;
        *v = 150 - (index as u32 % half * 20 / half) as u8;
    }
    frame
}

/// A picture as pixels of 8x16 a cell: each glyph by its mask.
fn shown(cells: &Cells) -> Vec<[u8; 3]> {
    let area = cells.area();
    let mut buffer = Buffer::empty(area);
    cells.place(&mut buffer);
    let width = usize::from(area.width) * glyphs::MASK_WIDTH;
    let mut pixels = vec![[0; 3]; width * usize::from(area.height) * glyphs::MASK_HEIGHT];
    for (index, cell) in buffer.content.iter().enumerate() {
        let (column, row) = (index % usize::from(area.width), index / usize::from(area.width));
        let mask = glyphs::mask(cell.symbol().chars().next().unwrap()).unwrap();
        for pixel in 0..128 {
            let color = if mask >> pixel & 1 == 1 { cell.fg } else { cell.bg };
            let rgb = match color {
                Color::Rgb(r, g, b) => [r, g, b],
                Color::Indexed(index) => colours::rgb_of_256(index),
                _ => [0; 3],
            };
            pixels[(row * 16 + pixel / 8) * width + column * 8 + pixel % 8] = rgb;
        }
    }
    pixels
}

/// The frame scaled to as many pixels by the nearest, for what is 8x15 pixels a cell or any multiple.
fn wanted(frame: &VideoFrame, area: Rect) -> Vec<[u8; 3]> {
    let (width, height) = (usize::from(area.width) * 8, usize::from(area.height) * 16);
    let (fw, fh) = (frame.width() as usize, frame.height() as usize);
    let half = frame.chroma_size().0 as usize;
    (0..width * height)
        .map(|pixel| {
            let (x, y) =
                ((pixel % width * 2 + 1) * fw / (2 * width), (pixel / width * 2 + 1) * fh / (2 * height));
            let luma = (f32::from(frame.y()[y * fw + x]) - 16.0) * 255.0 / 219.0;
            let at = y / 2 * half + x / 2;
            let (u, v) = (f32::from(frame.u()[at]) - 128.0, f32::from(frame.v()[at]) - 128.0);
            [luma + 1.596 * v, luma - 0.392 * u - 0.813 * v, luma + 2.017 * u]
                .map(|channel| channel.round() as u8)
        })
        .collect()
}

fn error(a: &[[u8; 3]], b: &[[u8; 3]]) -> f64 {
    let sum: u64 = a
        .iter()
        .zip(b)
        .flat_map(|(a, b)| a.iter().zip(b))
        .map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2))
        .sum();
    sum as f64 / (3 * a.len()) as f64
}

fn psnr(cells: &Cells, frame: &VideoFrame) -> f64 {
    10.0 * (255.0 * 255.0 / error(&shown(cells), &wanted(frame, cells.area()))).log10()
}

const SCREEN: Rect = Rect::new(0, 0, 80, 24);
const ALL: Quality = Quality { threshold: 0.0, scale: 1.0 };

#[test]
fn finer_glyphs_give_a_better_picture() {
    let floors = [
        (Mode::Ascii, 19.0),
        (Mode::Half, 21.0),
        (Mode::Quadrant, 22.5),
        (Mode::Sextant, 23.0),
        (Mode::Octant, 23.5),
    ];
    for frame in [scene(640, 360, 0.0, 1), pattern(640, 360, 7)] {
        let mut last = 0.0;
        for (mode, floor) in floors {
            let mut cells = Cells::new(&settings(mode, Depth::Truecolor));
            cells.update(&frame, SCREEN, ALL);
            let found = psnr(&cells, &frame);
            println!("{mode}: {found:.2} dB");
            assert!(found > floor && found > last, "{mode}: {found:.2} dB, after {last:.2}");
            last = found;
        }
    }
}

#[test]
fn fewer_colours_give_a_worse_picture_but_a_picture() {
    let frame = scene(640, 360, 0.0, 1);
    for (depth, floor) in [(Depth::Indexed256, 20.0), (Depth::Indexed16, 11.0)] {
        let mut cells = Cells::new(&settings(Mode::Octant, depth));
        cells.update(&frame, SCREEN, ALL);
        let found = psnr(&cells, &frame);
        println!("{depth:?}: {found:.2} dB");
        assert!(found > floor, "{depth:?}: {found:.2} dB");
    }
}

#[test]
fn held_cells_do_not_drift_from_a_full_repaint() {
    let quality = Quality::default();
    for mode in [Mode::Half, Mode::Quadrant, Mode::Sextant, Mode::Octant] {
        let mut held = Cells::new(&settings(mode, Depth::Truecolor));
        for step in 0..40u8 {
            held.update(&scene(640, 360, f32::from(step) / 400.0, u32::from(step)), SCREEN, quality);
        }
        let still = scene(640, 360, 0.1, 99);
        for _ in 0..3 {
            held.update(&still, SCREEN, quality);
        }
        let mut fresh = Cells::new(&settings(mode, Depth::Truecolor));
        fresh.update(&still, SCREEN, ALL);
        let wanted = wanted(&still, SCREEN);
        let (held, fresh) = (error(&shown(&held), &wanted), error(&shown(&fresh), &wanted));
        println!("{mode}: {held:.2} against {fresh:.2}");
        assert!(held <= fresh + f64::from(quality.threshold), "{mode}: {held:.2} against {fresh:.2}");
    }
}

#[test]
fn a_still_picture_is_sent_once() {
    let frame = scene(320, 180, 0.0, 1);
    for mode in MODES {
        for depth in DEPTHS {
            let mut cells = Cells::new(&settings(mode, depth));
            cells.update(&frame, SCREEN, Quality::default());
            let first = cells.cells.clone();
            cells.update(&frame, SCREEN, Quality::default());
            // What the pen holds at the start of the second frame may make another way cheaper, once.
            let second = cells.cells.clone();
            cells.update(&frame, SCREEN, Quality::default());
            let changed = first.iter().zip(&second).filter(|(a, b)| a != b).count();
            assert!(changed * 20 < first.len(), "{mode} {depth:?}: {changed} cells");
            let changed = second.iter().zip(&cells.cells).filter(|(a, b)| a != b).count();
            assert!(changed * 50 < first.len(), "{mode} {depth:?}: {changed} cells");
        }
    }
}

#[test]
fn an_emulator_shows_the_picture() {
    for mode in MODES {
        for depth in DEPTHS {
            let mut cells = Cells::new(&settings(mode, depth));
            let Ok(mut terminal) = Terminal::new(Backend::new(Size::new(60, 20), depth));
            let mut screen =
                vt100::Parser::new(NonZeroU16::new(20).unwrap(), NonZeroU16::new(60).unwrap(), 0);
            for step in 0..4u8 {
                cells.update(
                    &scene(160, 90, f32::from(step) / 20.0, u32::from(step)),
                    Rect::new(3, 1, 50, 17),
                    Quality::default(),
                );
                let Ok(drawn) = terminal.draw(|frame| cells.place(frame.buffer_mut()));
                let wanted = drawn.buffer.clone();
                screen.process(&terminal.backend_mut().take());
                for y in 0..20 {
                    for x in 0..60 {
                        let (wanted, found) = (&wanted[(x, y)], screen.screen().cell(y, x).unwrap());
                        let symbol = if found.has_contents() { found.contents() } else { " " };
                        assert_eq!(symbol, wanted.symbol(), "{mode} {depth:?} at {x},{y}");
                        assert_eq!(emulated(wanted.bg), found.bgcolor(), "{mode} {depth:?} at {x},{y}");
                        if symbol != " " {
                            assert_eq!(emulated(wanted.fg), found.fgcolor(), "{mode} {depth:?} at {x},{y}");
                        }
                    }
                }
            }
        }
    }
}

fn emulated(color: Color) -> vt100::Color {
    match color {
        Color::Rgb(r, g, b) => vt100::Color::Rgb(r, g, b),
        Color::Indexed(index) => vt100::Color::Idx(index),
        _ => vt100::Color::Default,
    }
}

#[test]
fn no_cell_of_a_terminal_with_few_colours_asks_for_more() {
    let frame = scene(160, 90, 0.0, 1);
    for mode in MODES {
        for (depth, most) in [(Depth::Indexed256, 255), (Depth::Indexed16, 15)] {
            let mut cells = Cells::new(&settings(mode, depth));
            cells.update(&frame, SCREEN, Quality::default());
            for color in cells.cells.iter().flat_map(|cell| [cell.fg, cell.bg]) {
                assert!(
                    matches!(color, Color::Reset) || matches!(color, Color::Indexed(index) if index <= most),
                    "{color}"
                );
            }
        }
        let mut cells = Cells::new(&settings(mode, Depth::Monochrome));
        cells.update(&frame, SCREEN, Quality::default());
        assert!(cells.cells.iter().all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset));
    }
}

#[test]
fn a_new_area_or_a_forget_starts_anew() {
    let frame = scene(160, 90, 0.0, 1);
    let mut cells = Cells::new(&settings(Mode::Octant, Depth::Truecolor));
    cells.update(&frame, SCREEN, ALL);
    let first = cells.cells.clone();
    cells.update(&scene(160, 90, 0.2, 5), SCREEN, Quality { threshold: 1e9, scale: 1.0 });
    assert!(cells.cells == first);
    cells.update(&frame, Rect::new(5, 5, 20, 6), ALL);
    assert_eq!(cells.area(), Rect::new(5, 5, 20, 6));
    assert_eq!(cells.cells.len(), 120);
    cells.update(&frame, SCREEN, ALL);
    assert!(cells.cells == first);
}

fn frames() -> impl Strategy<Value = VideoFrame> {
    let side = prop_oneof![1u32..5, 1u32..80, Just(4096)];
    (side.clone(), side, any::<u8>(), any::<bool>()).prop_map(|(width, height, base, wild)| {
        let data = (0..VideoFrame::bytes(width, height))
            .map(
                |index| if wild { (index as u32).wrapping_mul(2_654_435_761).to_le_bytes()[3] } else { base },
            )
            .collect();
        VideoFrame::new(width, height, data, WallTime(0)).unwrap()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_frame_in_any_area_stays_inside_it(
        frames in prop::collection::vec(frames(), 1..3),
        area in (0u16..300, 0u16..100, 0u16..200, 0u16..60),
        screen in (1u16..250, 1u16..80),
        mode in prop::sample::select(&MODES[..]),
        depth in prop::sample::select(&DEPTHS[..]),
        threshold in prop_oneof![Just(0.0f32), Just(f32::NAN), Just(-1.0), 0.0f32..1000.0],
        scale in 0.0f32..1.5,
    ) {
        let area = Rect::new(area.0, area.1, area.2, area.3);
        let screen = Rect::new(0, 0, screen.0, screen.1);
        let mut cells = Cells::new(&settings(mode, depth));
        for frame in &frames {
            cells.update(frame, area, Quality { threshold, scale });
            prop_assert_eq!(cells.area().intersection(area), cells.area());
            let mut buffer = Buffer::filled(screen, Cell::new("?"));
            cells.place(&mut buffer);
            let mut again = Buffer::filled(screen, Cell::new("?"));
            cells.place(&mut again);
            prop_assert!(buffer == again);
            for y in 0..screen.height {
                for x in 0..screen.width {
                    let symbol = buffer[(x, y)].symbol();
                    prop_assert_eq!(symbol == "?", !cells.area().contains((x, y).into()));
                    prop_assert_eq!(symbol.width(), 1);
                }
            }
        }
        let mut out = Vec::new();
        cells.graphics(&mut out);
        cells.remove(&mut out);
        prop_assert!(out.is_empty());
    }
}
