//! The kitty painter's sequences, parsed, inflated and read from shared memory.

use std::collections::HashMap;
use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use ratatui::buffer::{Buffer, CellDiffOption};
use ratatui::layout::Rect;
use ratatui::style::Color;

use super::super::super::{CellSize, Depth, Painter, Quality, Settings};
use super::super::Kitty;
use super::{moving, psnr, rgb, settings, unwrapped};
use crate::media::VideoFrame;

const CELL: CellSize = CellSize { width: 8, height: 15 };

/// One command of the protocol, its chunks joined.
#[derive(Debug)]
struct Command {
    keys: HashMap<String, String>,
    payload: Vec<u8>,
}

impl Command {
    fn key(&self, key: &str) -> &str {
        self.keys.get(key).map_or("", String::as_str)
    }

    fn pixels(&self) -> Vec<u8> {
        let mut pixels = Vec::new();
        flate2::read::ZlibDecoder::new(&self.payload[..]).read_to_end(&mut pixels).expect("it inflates");
        pixels
    }
}

fn commands(bytes: &[u8]) -> Vec<Command> {
    let text = std::str::from_utf8(bytes).expect("text");
    let mut commands: Vec<Command> = Vec::new();
    let mut more = false;
    for part in text.split("\x1b_G").skip(1) {
        let (body, _) = part.split_once("\x1b\\").expect("a command ends");
        let (keys, payload) = body.split_once(';').unwrap_or((body, ""));
        assert!(payload.len() <= 4096);
        let keys: HashMap<String, String> = keys
            .split(',')
            .filter_map(|key| key.split_once('='))
            .map(|(k, v)| (k.into(), v.into()))
            .collect();
        let continues = more;
        more = keys.get("m").is_some_and(|more| more == "1");
        assert!(!more || payload.len() % 4 == 0);
        match commands.last_mut().filter(|_| continues) {
            Some(command) => command.payload.extend_from_slice(payload.as_bytes()),
            None => commands.push(Command { keys, payload: payload.as_bytes().to_vec() }),
        }
    }
    assert!(!more);
    for command in &mut commands {
        command.payload = STANDARD.decode(&command.payload).expect("base64");
    }
    commands
}

fn paint(painter: &mut Kitty, frame: &VideoFrame, area: Rect) -> Vec<u8> {
    let mut out = Vec::new();
    painter.update(frame, area, Quality::default());
    painter.graphics(&mut out);
    out
}

fn local() -> Settings {
    Settings { shared_memory: true, ..settings(CELL) }
}

/// Reads an object as the terminal would, removing it.
#[cfg(target_os = "linux")]
fn object(name: &[u8]) -> std::io::Result<Vec<u8>> {
    let path = format!("/dev/shm{}", std::str::from_utf8(name).expect("a name"));
    let bytes = std::fs::read(&path)?;
    std::fs::remove_file(&path)?;
    Ok(bytes)
}

#[test]
#[cfg(target_os = "linux")]
fn on_the_same_machine_the_pixels_are_in_shared_memory() {
    let frame = moving(160, 90, 0);
    let mut painter = Kitty::new(&local());
    let out = paint(&mut painter, &frame, Rect::new(4, 2, 20, 6));
    assert!(String::from_utf8_lossy(&out).contains("\x1b[3;5H\x1b_G"));
    let [command] = &commands(&out)[..] else { panic!("one command") };
    for (key, value) in [
        ("a", "T"),
        ("q", "2"),
        ("p", "1"),
        ("C", "1"),
        ("f", "24"),
        ("t", "s"),
        ("c", "20"),
        ("r", "6"),
        ("s", "160"),
        ("v", "90"),
    ] {
        assert_eq!(command.key(key), value, "{key}");
    }
    let pixels = object(&command.payload).expect("the object is there");
    assert_eq!(command.key("S"), pixels.len().to_string());
    assert!(psnr(&pixels, &rgb(&frame)) > 45.0);
}

#[test]
#[cfg(target_os = "linux")]
fn every_frame_has_a_fresh_object_and_nothing_is_left_behind() {
    let mut painter = Kitty::new(&local());
    let mut names = Vec::new();
    for number in 0..20 {
        let out = paint(&mut painter, &moving(160, 90, number), Rect::new(0, 0, 20, 6));
        names.push(commands(&out).remove(0).payload);
    }
    let there =
        |name: &Vec<u8>| std::path::Path::new(&format!("/dev/shm{}", String::from_utf8_lossy(name))).exists();
    assert_eq!(names.iter().filter(|name| there(name)).count(), 8);
    drop(painter);
    assert_eq!(names.iter().filter(|name| there(name)).count(), 0);
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 20);
}

#[test]
fn elsewhere_the_pixels_are_deflated_at_half_the_resolution() {
    let frame = moving(320, 180, 0);
    let mut painter = Kitty::new(&settings(CELL));
    let out = paint(&mut painter, &frame, Rect::new(0, 0, 40, 12));
    let [command] = &commands(&out)[..] else { panic!("one command") };
    for (key, value) in [("o", "z"), ("t", ""), ("c", "40"), ("r", "12"), ("s", "160"), ("v", "90")] {
        assert_eq!(command.key(key), value, "{key}");
    }
    let pixels = command.pixels();
    let wanted: Vec<u8> = rgb(&frame)
        .chunks_exact(3 * 320 * 2)
        .flat_map(|rows| (0..160 * 3).map(|i| rows[i / 3 * 6 + i % 3]).collect::<Vec<_>>())
        .collect();
    assert!(psnr(&pixels, &wanted) > 30.0, "{}", psnr(&pixels, &wanted));
}

#[test]
fn the_same_image_is_replaced_and_an_identical_frame_sends_nothing() {
    let mut painter = Kitty::new(&settings(CELL));
    let area = Rect::new(0, 0, 20, 6);
    let first = commands(&paint(&mut painter, &moving(160, 90, 0), area));
    assert!(paint(&mut painter, &moving(160, 90, 0), area).is_empty());
    let second = commands(&paint(&mut painter, &moving(160, 90, 1), area));
    assert_eq!(first[0].key("i"), second[0].key("i"));
    painter.forget();
    let mut again = Vec::new();
    painter.graphics(&mut again);
    assert_eq!(commands(&again)[0].payload, second[0].payload);
    let mut gone = Vec::new();
    painter.remove(&mut gone);
    let gone = commands(&gone);
    assert_eq!((gone[0].key("a"), gone[0].key("d"), gone[0].key("i")), ("d", "I", first[0].key("i")));
}

#[test]
fn the_cells_of_a_picture_are_skipped() {
    let mut painter = Kitty::new(&settings(CELL));
    let mut buffer = Buffer::empty(Rect::new(0, 0, 10, 4));
    painter.place(&mut buffer);
    assert_eq!(buffer, Buffer::empty(buffer.area));
    painter.update(&moving(160, 90, 0), Rect::new(8, 1, 20, 6), Quality::default());
    painter.place(&mut buffer);
    let skipped = buffer.content.iter().filter(|cell| cell.diff_option == CellDiffOption::Skip).count();
    assert_eq!(skipped, 2 * 3);
}

#[test]
fn inside_tmux_placeholder_cells_name_the_image() {
    let mut painter = Kitty::new(&Settings { tmux: true, ..settings(CELL) });
    let wrapped = paint(&mut painter, &moving(160, 90, 0), Rect::new(2, 1, 20, 6));
    assert!(wrapped.starts_with(b"\x1bPtmux;\x1b\x1b_G"));
    let [command] = &commands(&unwrapped(&wrapped))[..] else { panic!("one command") };
    assert_eq!((command.key("U"), command.key("c"), command.key("r")), ("1", "20", "6"));
    let id: u32 = command.key("i").parse().expect("a number");
    let mut buffer = Buffer::empty(Rect::new(0, 0, 30, 10));
    painter.place(&mut buffer);
    let cell = &buffer[(3, 1)];
    assert_eq!(cell.symbol(), "\u{10eeee}\u{305}\u{30d}");
    let [_, red, green, blue] = id.to_be_bytes();
    assert_eq!(cell.fg, Color::Rgb(red, green, blue));
    assert_eq!(buffer[(1, 1)].symbol(), " ");

    let indexed = Settings { tmux: true, depth: Depth::Indexed256, picture: 2, ..settings(CELL) };
    let mut painter = Kitty::new(&indexed);
    let wrapped = paint(&mut painter, &moving(160, 90, 0), Rect::new(2, 1, 20, 6));
    assert_eq!(commands(&unwrapped(&wrapped))[0].key("i"), "2");
    painter.place(&mut buffer);
    assert_eq!(buffer[(3, 1)].fg, Color::Indexed(2));
}

proptest! {
    #[test]
    fn any_frame_in_any_area_decodes_to_its_size(
        (width, height) in (1_u32..100, 1_u32..100),
        (columns, rows) in (0_u16..400, 0_u16..400),
        (tmux, scale) in (any::<bool>(), prop_oneof![Just(f32::NAN), 0.01_f32..2.0]),
    ) {
        let mut painter = Kitty::new(&Settings { tmux, ..settings(CELL) });
        let area = Rect::new(1, 1, columns, rows);
        let mut out = Vec::new();
        painter.update(&moving(width, height, 0), area, Quality { threshold: 0.0, scale });
        painter.graphics(&mut out);
        prop_assert_eq!(painter.area().intersection(area), painter.area());
        if painter.area().is_empty() {
            prop_assert!(out.is_empty());
            return Ok(());
        }
        let command = commands(&unwrapped(&out)).remove(0);
        let side = |key: &str| command.key(key).parse::<usize>().expect("a number");
        prop_assert_eq!(command.pixels().len(), 3 * side("s") * side("v"));
        prop_assert!(side("s") as u32 <= width && side("v") as u32 <= height);
        prop_assert_eq!((side("c"), side("r")), (painter.area().width.into(), painter.area().height.into()));
        prop_assert!(!tmux || side("c") <= 297 && side("r") <= 297);
    }
}
