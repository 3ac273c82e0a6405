//! A source's picture on the whole screen, with a line that says how it is drawn.
//!
//! Owns the loop of pictures and keys. Must not know where pictures come from: it pulls them by number, and is paced by
//! the rate it was given. Driven by the command line.

use std::io::Write as _;
use std::time::{Duration, Instant};

use crossterm::event::{KeyCode, KeyEventKind, KeyModifiers};
use ratatui::layout::Rect;
use tokio::task::JoinHandle;
use tokio::time::{Interval, MissedTickBehavior};

use super::composition::Composition;
use super::render::{Mode, Settings};
use super::terminal::{Input, Out, Signal, Terminal};
use crate::media::frame::VideoFrame;

/// Figures in the status line are of this long.
const WINDOW: Duration = Duration::from_secs(1);

/// Gives the picture for a tick, counted from 0; ticks are skipped when drawing is slower. `None`: none for this one.
pub type Pictures<E> = Box<dyn FnMut(u64) -> Result<Option<VideoFrame>, E> + Send>;

/// What is shown.
pub struct Preview<E> {
    /// The source's name, printable.
    pub name: String,
    /// Where pictures come from.
    pub pictures: Pictures<E>,
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
    let mode = preview.mode.unwrap_or_else(|| capabilities.best());
    let settings = capabilities.settings(Some(mode), 1);
    let area = screen(terminal);
    let mut stage = Place::At(Box::new(Stage {
        composition: Composition::new(&settings, area, capabilities.synchronized),
        settings,
        area,
        name: preview.name,
        pictures: preview.pictures,
        out: terminal.out(),
        figures: Figures::new(Instant::now()),
        last: None,
    }));
    let mut wish = Wish::default();
    let mut ticks = interval(preview.fps);
    let began = Instant::now();
    let mut number = 0;
    let end = loop {
        tokio::select! {
            input = terminal.next() => match on_input(&input) {
                Some(Reaction::End(end)) => break end,
                Some(Reaction::Mode) => wish.mode = true,
                Some(Reaction::Fresh) => wish.area = Some(screen(terminal)),
                Some(Reaction::Suspend) => terminal.suspend(),
                None => {}
            },
            _ = ticks.tick() => {
                if let Some(mut ready) = stage.leave() {
                    // By the clock, so that a film keeps its speed on a terminal that does not.
                    let due = (began.elapsed().as_secs_f64() * f64::from(preview.fps)) as u64;
                    number = due.max(number + 1);
                    let modes = capabilities.modes();
                    ready.prepare(std::mem::take(&mut wish), |mode| {
                        let place = modes.iter().position(|&known| known == mode).map_or(0, |place| place + 1);
                        capabilities.settings(modes.get(place).or(modes.first()).copied(), 1)
                    });
                    stage = Place::Away(tokio::task::spawn_blocking(move || {
                        let done = ready.show(number);
                        (ready, done)
                    }));
                }
            }
            done = stage.back() => match done {
                Ok((back, Ok(()))) => stage = Place::At(back),
                Ok((_, Err(Trouble::Source(error)))) => return End::Source(error),
                // A panic there has been told by the hook.
                Ok((_, Err(Trouble::Terminal))) | Err(_) => return End::Gone,
            },
        }
    };
    // Pictures in pixels may stay in the terminal's memory otherwise. One that is being written is not waited for.
    if let Some(mut ready) = stage.leave() {
        let mut bytes = Vec::new();
        ready.composition.remove(&mut bytes);
        // The terminal may be what went.
        let _ = ready.out.write_all(&bytes);
    }
    end
}

/// Draws one picture after the other, on a thread where waiting for the source and the terminal is allowed.
struct Stage<E> {
    composition: Composition,
    settings: Settings,
    area: Rect,
    name: String,
    pictures: Pictures<E>,
    out: Out,
    figures: Figures,
    last: Option<VideoFrame>,
}

/// The stage on its return, and how drawing went.
type Shown<E> = (Box<Stage<E>>, Result<(), Trouble<E>>);

/// Where the stage is: a picture is begun only when the last one is written, so a slow terminal drops pictures.
enum Place<E> {
    At(Box<Stage<E>>),
    Away(JoinHandle<Shown<E>>),
    Left,
}

impl<E> Place<E> {
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
    async fn back(&mut self) -> Result<Shown<E>, tokio::task::JoinError> {
        match self {
            Self::Away(drawing) => drawing.await,
            _ => std::future::pending().await,
        }
    }
}

enum Trouble<E> {
    Source(E),
    Terminal,
}

/// What the next picture has to begin with.
#[derive(Default)]
struct Wish {
    mode: bool,
    area: Option<Rect>,
}

impl<E> Stage<E> {
    fn prepare(&mut self, wish: Wish, next: impl FnOnce(Mode) -> Settings) {
        if let Some(area) = wish.area {
            self.area = area;
            self.composition.forget(area);
        }
        if wish.mode {
            let mut bytes = Vec::new();
            self.settings = next(self.settings.mode);
            self.composition.change(&self.settings, &mut bytes);
            // Should it fail, the picture behind it fails too.
            let _ = self.out.write_all(&bytes);
        }
    }

    fn show(&mut self, number: u64) -> Result<(), Trouble<E>> {
        if let Some(frame) = (self.pictures)(number).map_err(Trouble::Source)? {
            self.last = Some(frame);
        }
        let Some(frame) = &self.last else {
            return Ok(());
        };
        let line = format!(
            "{}  {}x{}  {}  {:.0} fps  {:.0} kbit/s   r: mode  q: leave",
            self.name,
            frame.width(),
            frame.height(),
            self.settings.mode,
            self.figures.fps,
            self.figures.kbps
        );
        let picture = Rect { height: self.area.height.saturating_sub(1), ..self.area };
        let mut bytes = Vec::new();
        self.composition.compose(frame, picture, Some(&line), true, &mut bytes);
        self.out.write_all(&bytes).map_err(|_| Trouble::Terminal)?;
        self.figures.count(bytes.len(), Instant::now());
        Ok(())
    }
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
    Fresh,
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
                _ => None,
            }
        }
        Input::Resize(..) | Input::Resumed => Some(Reaction::Fresh),
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
    fn releases_of_keys_do_nothing() {
        let key = |kind| {
            let key = crossterm::event::KeyEvent::new_with_kind(KeyCode::Char('q'), KeyModifiers::NONE, kind);
            on_input::<()>(&Input::Key(key)).is_some()
        };
        assert!(key(KeyEventKind::Press) && !key(KeyEventKind::Release));
    }
}
