//! What is read in a box over the screen: help, what was said so far, the figures of a call.

use ratatui::layout::Rect;
use ratatui::style::Style;

use super::super::Now;
use super::super::keymap::Context;
use super::super::model::{Model, Reading};
use super::layout;
use super::parts::{Canvas, Piece, ago, hints, inside, row};
use crate::text;

/// Columns of the keys in help, where there is room.
const KEYS: usize = 23;

/// Columns of the names of figures.
const NAMES: usize = 16;

pub(super) fn draw(model: &Model, what: Reading, now: Now, area: Rect, canvas: &mut Canvas) {
    let place = layout::reading(area);
    let title = match what {
        Reading::Help => "KEYS",
        Reading::Log => "MESSAGES OF LETSMEET",
        Reading::Figures => "THIS CALL",
    };
    canvas.frame(place, title, canvas.theme.quiet);
    let inner = inside(place, 2, 1);
    let lines = lines(model, what, Some(now), usize::from(inner.width));
    let top = model.top.min(lines.len().saturating_sub(usize::from(inner.height)));
    for (index, pieces) in lines.iter().skip(top).take(usize::from(inner.height)).enumerate() {
        let place = row(inner, index as u16);
        canvas.pieces(place.x, place.y, place.width, pieces);
    }
    let more = lines.len().saturating_sub(top + usize::from(inner.height));
    if more > 0 {
        let foot = row(place, place.height.saturating_sub(1));
        canvas.right(inside(foot, 2, 0), &format!(" {more} more "), canvas.theme.strong);
    }
    let foot = row(area, area.height.saturating_sub(1));
    if foot.y >= place.bottom() {
        canvas.clear(foot);
        hints(model, Context::Reading, foot, canvas);
    }
}

/// The first line of the last page.
pub(super) fn last_top(model: &Model, what: Reading, area: Rect) -> usize {
    let inner = inside(layout::reading(area), 2, 1);
    lines(model, what, None, usize::from(inner.width)).len().saturating_sub(usize::from(inner.height))
}

fn lines(model: &Model, what: Reading, now: Option<Now>, width: usize) -> Vec<Vec<Piece>> {
    match what {
        Reading::Help => help(model, width),
        Reading::Log => log(model, now, width),
        Reading::Figures => figures(model, width),
    }
}

/// The whole table of keys, the present place first.
fn help(model: &Model, width: usize) -> Vec<Vec<Piece>> {
    let theme = model.theme;
    let columns = (KEYS.min(width * 2 / 5), width);
    let here = match &model.call {
        Some(call) if call.is_over() => Context::Ended,
        Some(call) if call.is_dialing() => Context::Dialing,
        Some(_) => Context::Call,
        None => Context::Dashboard,
    };
    let others = Context::ALL.into_iter().filter(|context| *context != here);
    let mut lines = Vec::new();
    for context in std::iter::once(here).chain(others) {
        if !lines.is_empty() {
            lines.push(Vec::new());
        }
        lines.push(vec![(context.title().to_owned(), theme.strong)]);
        for (line, keys) in model.keys.rows(context).filter(|(_, keys)| !keys.is_empty()) {
            let keys = keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
            labelled(&mut lines, &keys, line.help, columns, theme.key);
        }
        if matches!(context, Context::Chat | Context::Typing) {
            labelled(
                &mut lines,
                "Ctrl-W Ctrl-U",
                "delete the word, the line before the cursor",
                columns,
                theme.key,
            );
            labelled(
                &mut lines,
                "Ctrl-A Ctrl-E",
                "to the beginning, to the end of the line",
                columns,
                theme.key,
            );
        }
    }
    lines.push(Vec::new());
    lines.push(vec![("Mouse".to_owned(), theme.strong)]);
    labelled(&mut lines, "click, twice", "select, call; buttons can be pressed", columns, theme.key);
    labelled(&mut lines, "wheel", "scroll", columns, theme.key);
    lines
}

fn log(model: &Model, now: Option<Now>, width: usize) -> Vec<Vec<Piece>> {
    if model.log.is_empty() {
        return vec![vec![("Nothing was said yet.".to_owned(), model.theme.quiet)]];
    }
    let mut lines = Vec::new();
    for logged in &model.log {
        let when = now.map_or(String::new(), |now| ago(logged.at, now));
        for (index, line) in logged.text.wrap(width.saturating_sub(8)).iter().enumerate() {
            let when = if index == 0 { format!("{when:>6}  ") } else { " ".repeat(8) };
            lines.push(vec![(when, model.theme.quiet), (line.to_string(), Style::new())]);
        }
    }
    lines
}

fn figures(model: &Model, width: usize) -> Vec<Vec<Piece>> {
    let Some(call) = &model.call else { return Vec::new() };
    let theme = model.theme;
    let mut lines = vec![vec![(call.peer.to_string(), theme.strong)], Vec::new()];
    let columns = (NAMES.min(width / 2), width);
    let mut fact = |name: &str, value: String| labelled(&mut lines, name, &value, columns, theme.quiet);
    if let Some(code) = &call.code {
        fact("code", code.to_string());
        let about = match call.compared {
            true => "Compared: it is the same on both sides, nobody sits in between.",
            false => "Read it to each other: if it is not the same on both sides, somebody listens in.",
        };
        fact("", about.to_owned());
    }
    if let Some(key) = &call.key {
        fact("key", key.to_string());
    }
    let figures = &call.meter.figures;
    if let Some(rtt) = figures.rtt {
        fact("round trip", format!("{} ms", rtt.as_millis()));
    }
    if let Some(loss) = figures.loss {
        fact("lost", format!("{loss:.1} %"));
    }
    let direction = |kbps: Option<f64>, fps: Option<f64>, size: Option<(u32, u32)>| {
        let mut words = Vec::new();
        words.extend(kbps.map(|kbps| format!("{kbps:.0} kbit/s")));
        words.extend(size.map(|(width, height)| format!("{width}x{height}")));
        words.extend(fps.map(|fps| format!("{fps:.0} fps")));
        if words.is_empty() { "nothing yet".to_owned() } else { words.join(", ") }
    };
    fact("received", direction(figures.kbps_in, figures.fps_in, figures.size_in));
    fact("sent", direction(figures.kbps_out, figures.fps_out, figures.size_out));
    if let Some(drawing) = &model.drawing {
        fact(
            "drawn",
            format!("{}, {:.0} fps, {} kbit/s to the terminal", drawing.mode, drawing.fps, drawing.kbps),
        );
    }
    for (name, value) in &call.facts {
        fact(name, value.to_string());
    }
    lines
}

/// A label in its columns and what belongs to it, wrapped beside it within all columns.
fn labelled(
    lines: &mut Vec<Vec<Piece>>,
    label: &str,
    value: &str,
    (column, width): (usize, usize),
    style: Style,
) {
    let label = text::truncate(label, column.saturating_sub(1));
    let pad = " ".repeat(column.saturating_sub(text::width(&label)));
    for (index, line) in text::wrap(value, width.saturating_sub(column)).into_iter().enumerate() {
        let first = if index == 0 { format!("{label}{pad}") } else { " ".repeat(column) };
        lines.push(vec![(first, style), (line, Style::new())]);
    }
}
