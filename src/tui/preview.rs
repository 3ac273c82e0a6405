//! A source's picture on the whole screen, with a line that says how it is drawn.
//!
//! Owns the loop of pictures and keys. Must not know where pictures come from: it pulls them by number, and is paced by
//! the rate it was given. Driven by the command line.

use std::time::{Duration, Instant};

use crossterm::event::{KeyCode, KeyEventKind, KeyModifiers};
use ratatui::layout::Rect;
use tokio::task::JoinHandle;
use tokio::time::{Interval, MissedTickBehavior};

use super::app::level;
use super::composition::Composition;
use super::render::{Mode, Quality, Settings};
use super::terminal::pace::PaceConfig;
use super::terminal::writer::Writer;
use super::terminal::{Input, Signal, Terminal};
use crate::media::frame::VideoFrame;
use crate::text;

/// Figures in the status line are of this long.
const WINDOW: Duration = Duration::from_secs(1);

/// Parts of the level's line.
const STEPS: usize = 8;

/// The bell sounds for a hand on the face no oftener than this.
const ALARM: Duration = Duration::from_secs(5);

/// What is left to write at the end has this long.
const PATIENCE: Duration = Duration::from_millis(200);

/// Gives the picture for a tick, counted from 0; ticks are skipped when drawing is slower. `None`: none for this one.
pub type Pictures<E> = Box<dyn FnMut(u64) -> Result<Option<VideoFrame>, E> + Send>;

/// How loud it is now; told that one's own voice shall come back, or no more.
pub type Sound = Box<dyn FnMut(bool) -> Meter + Send>;

/// Whether a hand is on the face by now.
pub type Hand = Box<dyn Fn() -> bool + Send>;

/// What is known of the sound.
#[derive(Debug, Clone, Default)]
pub struct Meter {
    /// The loudest sample since the last look.
    pub dbfs: Option<f32>,
    /// One's own voice comes back.
    pub echo: bool,
    /// The source is read no more: there is no level, and no echo to be had.
    pub over: bool,
    /// What went wrong since the last look, printable.
    pub failure: Option<String>,
}

/// What is shown.
pub struct Preview<E> {
    /// The source's name, printable.
    pub name: String,
    /// Where pictures come from.
    pub pictures: Pictures<E>,
    /// The level of the sound, if there is to be one.
    pub sound: Option<Sound>,
    /// The hand-on-face alert, if it is on.
    pub alert: Option<Hand>,
    /// Pictures a second, at least 1.
    pub fps: u32,
    /// The way to draw, or the best.
    pub mode: Option<Mode>,
}

/// Why a preview ended.
#[derive(Debug)]
pub enum End<E> {
    /// The person left.
    Left,
    /// A signal asked for it.
    Signal(Signal),
    /// The terminal is gone.
    Gone,
    /// The source is broken.
    Source(E),
}

/// Shows the preview until it is left.
pub async fn run<E: Send + 'static>(terminal: &mut Terminal, preview: Preview<E>) -> End<E> {
    let capabilities = terminal.capabilities().clone();
    let pace = PaceConfig { fences: capabilities.answers, link: capabilities.link };
    let Ok(writer) = Writer::start(terminal.out(), pace) else {
        return End::Gone;
    };
    let told = writer.clone();
    terminal.on_fence(move || told.reached());
    let mode = preview.mode.unwrap_or_else(|| capabilities.best());
    let settings = capabilities.settings(Some(mode), 1);
    let area = screen(terminal);
    let mut stage = Place::At(Box::new(Stage {
        composition: Composition::new(&settings, area, capabilities.synchronized),
        settings,
        area,
        name: preview.name,
        pictures: preview.pictures,
        sound: preview.sound,
        alert: preview.alert,
        hand: false,
        rang: None,
        failure: None,
        figures: Figures::new(Instant::now()),
        last: None,
    }));
    let mut wish = Wish::default();
    let mut ticks = interval(preview.fps);
    let began = Instant::now();
    let mut number = 0;
    let mut due = false;
    let end = loop {
        tokio::select! {
            input = terminal.next() => match on_input(&input) {
                Some(Reaction::End(end)) => break end,
                Some(Reaction::Mode) => wish.mode = true,
                Some(Reaction::Echo) => wish.echo ^= true,
                Some(Reaction::Fresh) => wish.area = Some(screen(terminal)),
                Some(Reaction::Resumed) => {
                    writer.resync();
                    wish.area = Some(screen(terminal));
                }
                Some(Reaction::Suspend) => {
                    // As at the end: answers that come later would be typed into the shell.
                    writer.settled(PATIENCE).await;
                    terminal.suspend();
                }
                None => {}
            },
            _ = ticks.tick() => due = true,
            ready = writer.until_ready(true), if due && stage.is_here() => {
                if ready.is_err() {
                    break End::Gone;
                }
                let Some(mut here) = stage.leave() else { continue };
                due = false;
                // By the clock, so that a film keeps its speed on a terminal that does not.
                let by_clock = (began.elapsed().as_secs_f64() * f64::from(preview.fps)) as u64;
                number = by_clock.max(number + 1);
                let mut bytes = Vec::new();
                if wish.mode || wish.area.is_some() {
                    writer.repaint();
                }
                here.prepare(std::mem::take(&mut wish), &mut bytes, |mode| {
                    let modes = capabilities.modes();
                    let place = modes.iter().position(|&known| known == mode).map_or(0, |place| place + 1);
                    capabilities.settings(modes.get(place).or(modes.first()).copied(), 1)
                });
                writer.begin();
                let quality = writer.quality();
                stage = Place::Away(tokio::task::spawn_blocking(move || {
                    let drawn = here.draw(number, quality, &mut bytes).map(|()| bytes);
                    (here, drawn)
                }));
            }
            back = stage.back() => match back {
                Ok((here, Ok(bytes))) => {
                    stage = Place::At(here);
                    if !bytes.is_empty() {
                        writer.frame(bytes, true);
                    }
                }
                Ok((_, Err(error))) => break End::Source(error),
                // A panic there has been told by the hook.
                Err(_) => break End::Gone,
            },
        }
    };
    // Pictures in pixels may stay in the terminal's memory otherwise. One that is being drawn is not waited for.
    if let Some(mut here) = stage.leave() {
        let mut bytes = Vec::new();
        here.composition.remove(&mut bytes);
        writer.urgent(bytes);
    }
    // Answers that come later would be typed into the shell.
    writer.settled(PATIENCE).await;
    writer.flush_and_close(PATIENCE);
    end
}

/// Draws one picture after the other, on a thread where waiting for the source is allowed.
struct Stage<E> {
    composition: Composition,
    settings: Settings,
    area: Rect,
    name: String,
    pictures: Pictures<E>,
    sound: Option<Sound>,
    alert: Option<Hand>,
    /// A hand was on the face at the last picture.
    hand: bool,
    /// When the bell last sounded for one.
    rang: Option<Instant>,
    /// What last went wrong with the sound.
    failure: Option<String>,
    figures: Figures,
    last: Option<VideoFrame>,
}

/// The stage on its return, and what it drew.
type Drawn<E> = (Box<Stage<E>>, Result<Vec<u8>, E>);

/// Where the stage is.
enum Place<E> {
    At(Box<Stage<E>>),
    Away(JoinHandle<Drawn<E>>),
    Left,
}

impl<E> Place<E> {
    fn is_here(&self) -> bool {
        matches!(self, Self::At(_))
    }

    /// The stage, when it is here.
    fn leave(&mut self) -> Option<Box<Stage<E>>> {
        match std::mem::replace(self, Self::Left) {
            Self::At(stage) => Some(stage),
            other => {
                *self = other;
                None
            }
        }
    }

    /// Comes back when the stage does. Cancel safe.
    async fn back(&mut self) -> Result<Drawn<E>, tokio::task::JoinError> {
        match self {
            Self::Away(drawing) => drawing.await,
            _ => std::future::pending().await,
        }
    }
}

/// What the next picture has to begin with.
#[derive(Default)]
struct Wish {
    mode: bool,
    echo: bool,
    area: Option<Rect>,
}

impl<E> Stage<E> {
    fn prepare(&mut self, wish: Wish, out: &mut Vec<u8>, next: impl FnOnce(Mode) -> Settings) {
        if let Some(area) = wish.area {
            self.area = area;
            self.composition.forget(area);
        }
        if wish.mode {
            self.settings = next(self.settings.mode);
            self.composition.change(&self.settings, out);
        }
        if let (true, Some(sound)) = (wish.echo, &mut self.sound) {
            self.failure = sound(true).failure;
        }
    }

    /// The level as a line, while there is one.
    fn meter(&mut self) -> String {
        let Some(sound) = &mut self.sound else {
            return String::new();
        };
        let meter = sound(false);
        if meter.failure.is_some() {
            self.failure = meter.failure;
        }
        if meter.over {
            return String::new();
        }
        let (heavy, light) = if self.settings.mode == Mode::Ascii { ("=", "-") } else { ("━", "─") };
        let full = level(meter.dbfs, STEPS);
        let echo = if meter.echo { "echo on" } else { "e: echo" };
        format!("{}{} {echo}", heavy.repeat(full), light.repeat(STEPS - full))
    }

    /// What is said of a hand on the face; the bell sounds when one comes.
    fn hand(&mut self, out: &mut Vec<u8>) -> &'static str {
        let hand = self.alert.as_ref().is_some_and(|alert| alert());
        let now = Instant::now();
        if hand && !self.hand && self.rang.is_none_or(|rang| now - rang > ALARM) {
            self.rang = Some(now);
            out.push(0x07);
        }
        self.hand = hand;
        if hand { "HAND ON YOUR FACE" } else { "" }
    }

    fn draw(&mut self, number: u64, quality: Quality, out: &mut Vec<u8>) -> Result<(), E> {
        if let Some(frame) = (self.pictures)(number)? {
            self.last = Some(frame);
        }
        let meter = self.meter();
        let hand = self.hand(out);
        let failure = self.failure.as_deref().unwrap_or_default();
        let Some(frame) = &self.last else {
            return Ok(());
        };
        let watched = if self.alert.is_some() { "alert on" } else { "" };
        let size = format!("{}x{}", frame.width(), frame.height());
        let drawn = format!("{:.0} fps {:.0} kbit/s", self.figures.fps, self.figures.kbps);
        // By what gives way first where there is no room: the way out never does.
        let parts = [
            (hand, 9),
            (self.name.as_str(), 4),
            (size.as_str(), 0),
            (self.settings.mode.name(), 3),
            (drawn.as_str(), 2),
            (watched, 6),
            (meter.as_str(), 5),
            ("r: mode", 1),
            ("q: leave", 7),
        ];
        // What went wrong has what is left of the line.
        let line = format!("{}  {failure}", foot(&parts, usize::from(self.area.width)));
        let picture = Rect { height: self.area.height.saturating_sub(1), ..self.area };
        self.composition.compose(frame, picture, Some(&line), quality, true, out);
        self.figures.count(out.len(), Instant::now());
        Ok(())
    }
}

/// The parts that fit, in their order; those of the lowest weight are left out first, empty ones always.
fn foot(parts: &[(&str, u8)], columns: usize) -> String {
    let mut kept: Vec<(&str, u8)> = parts.iter().copied().filter(|(text, _)| !text.is_empty()).collect();
    let wide = |kept: &[(&str, u8)]| kept.iter().map(|(text, _)| text::width(text) + 2).sum::<usize>();
    while wide(&kept) > columns + 2 && kept.len() > 1 {
        let lightest = kept.iter().map(|(_, weight)| *weight).min();
        kept.retain(|(_, weight)| Some(*weight) != lightest);
    }
    kept.iter().map(|(text, _)| *text).collect::<Vec<_>>().join("  ")
}

/// Pictures and bytes of the last second.
struct Figures {
    since: Instant,
    pictures: u32,
    bytes: usize,
    fps: f64,
    kbps: f64,
}

impl Figures {
    fn new(now: Instant) -> Self {
        Self { since: now, pictures: 0, bytes: 0, fps: 0.0, kbps: 0.0 }
    }

    fn count(&mut self, bytes: usize, now: Instant) {
        self.pictures += 1;
        self.bytes += bytes;
        let time = now.saturating_duration_since(self.since);
        if time >= WINDOW {
            let seconds = time.as_secs_f64();
            *self = Self {
                since: now,
                pictures: 0,
                bytes: 0,
                fps: f64::from(self.pictures) / seconds,
                kbps: self.bytes as f64 * 8.0 / 1000.0 / seconds,
            };
        }
    }
}

enum Reaction<E> {
    End(End<E>),
    Mode,
    Echo,
    Fresh,
    Resumed,
    Suspend,
}

fn on_input<E>(input: &Input) -> Option<Reaction<E>> {
    match input {
        Input::Key(key) if key.kind != KeyEventKind::Release => {
            let control = key.modifiers.contains(KeyModifiers::CONTROL);
            match key.code {
                KeyCode::Char('c') if control => Some(Reaction::End(End::Left)),
                KeyCode::Char('z') if control => Some(Reaction::Suspend),
                KeyCode::Char('l') if control => Some(Reaction::Fresh),
                KeyCode::Char('q') | KeyCode::Esc => Some(Reaction::End(End::Left)),
                KeyCode::Char('r') => Some(Reaction::Mode),
                KeyCode::Char('e') => Some(Reaction::Echo),
                _ => None,
            }
        }
        Input::Resize(..) => Some(Reaction::Fresh),
        Input::Resumed => Some(Reaction::Resumed),
        Input::Stop => Some(Reaction::Suspend),
        Input::Terminate(signal) => Some(Reaction::End(End::Signal(*signal))),
        Input::Closed => Some(Reaction::End(End::Gone)),
        _ => None,
    }
}

fn screen(terminal: &Terminal) -> Rect {
    let size = terminal.size();
    Rect::new(0, 0, size.columns, size.rows)
}

fn interval(fps: u32) -> Interval {
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / fps.max(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    ticks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_those_of_the_last_second() {
        let start = Instant::now();
        let mut figures = Figures::new(start);
        for tick in 1..=25 {
            figures.count(1000, start + Duration::from_millis(40 * tick));
        }
        assert!((figures.fps - 25.0).abs() < 0.01 && (figures.kbps - 200.0).abs() < 0.1);
        assert_eq!((figures.pictures, figures.bytes), (0, 0));
    }

    #[test]
    fn what_is_least_wanted_gives_way_and_the_way_out_stays() {
        let parts =
            [("", 9), ("talk.webm", 4), ("640x360", 1), ("25 fps", 0), ("alert on", 6), ("q: leave", 7)];
        assert_eq!(foot(&parts, 80), "talk.webm  640x360  25 fps  alert on  q: leave");
        assert_eq!(foot(&parts, 40), "talk.webm  640x360  alert on  q: leave");
        assert_eq!(foot(&parts, 20), "alert on  q: leave");
        assert_eq!(foot(&parts, 5), "q: leave");
    }

    #[test]
    fn releases_of_keys_do_nothing() {
        let key = |kind| {
            let key = crossterm::event::KeyEvent::new_with_kind(KeyCode::Char('q'), KeyModifiers::NONE, kind);
            on_input::<()>(&Input::Key(key)).is_some()
        };
        assert!(key(KeyEventKind::Press) && !key(KeyEventKind::Release));
    }
}
