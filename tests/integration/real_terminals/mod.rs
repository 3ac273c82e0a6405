//! What real terminals show is the picture: a film that moves and comes to rest is played by `letsmeet preview` in xterm,
//! kitty, mlterm and foot on a virtual display, and the screenshot compared with what it rests on.

mod card;

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::harness::Home;
use crate::harness::display::{Display, Program};

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
    Show::start(terminal, render, limit).comes_to_rest();
}

/// A terminal that plays the film.
struct Show {
    display: Display,
    program: Program,
    _home: Home,
    /// The terminal's name.
    terminal: String,
    render: String,
    limit: f32,
    /// What was last seen.
    last: String,
}

impl Show {
    fn start(terminal: &[&str], render: &str, limit: f32) -> Self {
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
        let program = display.run(command);
        Self {
            display,
            program,
            _home: home,
            terminal: terminal[0].to_owned(),
            render: render.to_owned(),
            limit,
            last: "no frame of the picture on the screen".to_owned(),
        }
    }

    /// Waits until the film has moved and then looks right.
    fn comes_to_rest(&mut self) {
        let mut moved = false;
        self.wait("the picture at rest", |mean, right| {
            moved |= mean.is_some_and(|mean| mean > 2.0 * PIXELS.max(CELLS));
            moved && right
        });
        say(&self.terminal, &self.render, &self.last);
    }

    /// Lays another window over the terminal and takes it away: the picture must be what it was, though no new one comes.
    fn survives_being_covered(&mut self) {
        let mut command = Command::new("xterm");
        command.args(["-fa", "DejaVu Sans Mono", "-geometry", "30x10+200+150", "-e", "sleep", "600"]);
        let cover = self.display.run(command);
        self.wait("the window that covers it", |_, right| !right);
        drop(cover);
        self.wait("the picture behind it", |_, right| right);
    }

    /// Looks at the screen until `enough` says so of the mean difference, if there is a picture, and of whether it is
    /// right.
    fn wait(&mut self, what: &str, mut enough: impl FnMut(Option<f32>, bool) -> bool) {
        let deadline = Instant::now() + SHOWN;
        loop {
            self.program.assert_runs(&self.terminal);
            let screen = self.display.screenshot();
            let (mean, right) = self.judge(&screen);
            keep(&screen, &self.terminal, &self.render);
            if enough(mean, right) {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "{} --render {}: not within {SHOWN:?}: {what}: {}; see {}",
                self.terminal,
                self.render,
                self.last,
                file(&self.terminal, &self.render).display()
            );
        }
    }

    fn judge(&mut self, screen: &image::RgbImage) -> (Option<f32>, bool) {
        let Some(area) = card::find(screen) else { return (None, false) };
        let (mean, worst) = card::difference(screen, area);
        let shape = area.width as f32 / area.height as f32 / (16.0 / 9.0);
        // Characters are not exact enough to tell a wrong pixel.
        let specks = if self.limit == PIXELS { card::specks(screen, area) } else { 0.0 };
        self.last = format!(
            "{area:?}, mean difference {mean:.1}, worst {worst:.1}, specks {specks:.4}, shape {shape:.2}"
        );
        let right = mean < self.limit && specks < SPECKS && (shape - 1.0).abs() < SHAPE;
        (Some(mean), right)
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
fn xterm_shows_the_film_in_sixel_and_still_does_after_it_was_covered() {
    let mut show = Show::start(XTERM, "sixel", PIXELS);
    show.comes_to_rest();
    show.survives_being_covered();
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
