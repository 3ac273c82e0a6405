//! What real terminals show is the picture: a film that moves and comes to rest is played by `letsmeet preview` in xterm,
//! kitty, mlterm and foot on a virtual display, and the screenshot compared with what it rests on.

mod card;

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::harness::display::Display;
use crate::harness::{Home, until};

/// A terminal with software rendering on two busy cores.
const SHOWN: Duration = Duration::from_secs(40);

/// Mean difference of a field, of 255: a picture in wrong colours or at a wrong place is above 14, see `card`.
const PIXELS: f32 = 8.0;
const CELLS: f32 = 12.0;

/// Pixels of wrong colours in a picture of pixels, in parts of all.
const SPECKS: f32 = 0.002;

/// The picture is 16:9 within half a cell at each side.
const SHAPE: f32 = 0.1;

/// How a terminal is told to run a program; its arguments follow.
const XTERM: &[&str] = &[
    "xterm",
    "-ti",
    "vt340",
    "-fa",
    "DejaVu Sans Mono",
    "-fs",
    "11",
    "-geometry",
    "90x28+0+0",
    "-b",
    "0",
    "-e",
];
const KITTY: &[&str] = &[
    "kitty",
    "--config",
    "NONE",
    "-o",
    "remember_window_size=no",
    "-o",
    "initial_window_width=90c",
    "-o",
    "initial_window_height=28c",
    "-o",
    "update_check_interval=0",
];
const MLTERM: &[&str] = &["mlterm", "-g", "80x24", "-s", "-e"];
const FOOT: &[&str] = &["foot", "-c", "/dev/null"];

/// Plays the film in the terminal until it rests and looks right.
fn shows_the_film(terminal: &[&str], render: &str, limit: f32) {
    let display = if terminal[0] == "foot" { Display::with_wayland() } else { Display::start() };
    let home = Home::new();
    let film = home.path().join("film.y4m");
    card::write(&film);
    let source = format!("file:{}", film.display());
    let preview = home.command(&["preview", "--video", &source, "--render", render]);
    let mut command = Command::new(terminal[0]);
    command
        .args(&terminal[1..])
        .arg(preview.get_program())
        .args(preview.get_args())
        .env_clear()
        .envs(preview.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .env("LC_ALL", "C.UTF-8")
        .current_dir(home.path());
    let mut program = display.run(command);
    let mut last = "no frame of the picture on the screen".to_owned();
    let mut moved = false;
    let look = || {
        program.assert_runs(terminal[0]);
        let screen = display.screenshot();
        let area = card::find(&screen)?;
        let (mean, worst) = card::difference(&screen, area);
        let shape = area.width as f32 / area.height as f32 / (16.0 / 9.0);
        let specks = if limit == PIXELS { card::specks(&screen, area) } else { 0.0 };
        let right = mean < limit && specks < SPECKS && (shape - 1.0).abs() < SHAPE;
        last = format!(
            "{area:?}, mean difference {mean:.1}, worst {worst:.1}, specks {specks:.4}, shape {shape:.2}, moved {moved}"
        );
        keep(&screen, terminal[0], render);
        moved |= mean > 2.0 * limit;
        (right && moved).then(|| last.clone())
    };
    let shown = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| until(SHOWN, "the still", look)));
    match shown {
        Ok(figures) => say(terminal[0], render, &figures),
        Err(_) => {
            panic!("{} --render {render}: {last}; see {}", terminal[0], file(terminal[0], render).display())
        }
    }
}

#[allow(clippy::print_stdout, reason = "the figures, for whoever runs the test to see them")]
fn say(terminal: &str, render: &str, figures: &str) {
    println!("{terminal} {render}: {figures}");
}

/// The last screenshot stays where a person can look at it.
fn keep(screen: &image::RgbImage, terminal: &str, render: &str) {
    screen.save(file(terminal, render)).expect("a screenshot kept");
}

fn file(terminal: &str, render: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{terminal}-{render}.png"))
}

#[test]
fn xterm_shows_the_film_in_sixel() {
    shows_the_film(XTERM, "sixel", PIXELS);
}

#[test]
fn xterm_shows_the_film_in_half_blocks_and_quadrants() {
    shows_the_film(XTERM, "half", CELLS);
    shows_the_film(XTERM, "quadrant", CELLS);
}

#[test]
fn kitty_shows_the_film_in_its_own_protocol() {
    shows_the_film(KITTY, "kitty", PIXELS);
}

#[test]
fn kitty_shows_the_film_in_sextants() {
    shows_the_film(KITTY, "sextant", CELLS);
}

#[test]
fn mlterm_shows_the_film_in_sixel_and_in_half_blocks() {
    shows_the_film(MLTERM, "sixel", PIXELS);
    shows_the_film(MLTERM, "half", CELLS);
}

#[test]
fn foot_shows_the_film_in_sixel_and_in_sextants() {
    shows_the_film(FOOT, "sixel", PIXELS);
    shows_the_film(FOOT, "sextant", CELLS);
}
