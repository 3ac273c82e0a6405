//! Who is online, and the calls that were.

use ratatui::layout::{Position, Rect};

use super::super::Now;
use super::super::model::{Model, Pane, Purpose, Server};
use super::super::users::Sort;
use super::layout;
use super::parts::{Canvas, ago, clock, columns, footer, presence, row};
use crate::history::{Direction, Entry, Outcome};
use crate::text::{self, Shown};

/// A header of fewer columns says less.
const NARROW: u16 = 60;

pub(super) fn draw(model: &Model, now: Now, area: Rect, canvas: &mut Canvas) -> Option<Position> {
    let places = layout::dashboard(model, area);
    header(model, now, places.header, canvas);
    if let Some(rule) = places.rule {
        canvas.rule(rule);
    }
    if let Some(pane) = places.people {
        people(model, pane, canvas);
    }
    if let Some(pane) = places.calls {
        calls(model, now, pane, canvas);
        if let Some(x) = places.bar {
            canvas.bar(x, pane.y, pane.bottom());
        }
    }
    let cursor = prompt(model, places.footer, canvas);
    if cursor.is_none() {
        footer(model, places.footer, canvas);
    }
    cursor
}

fn header(model: &Model, now: Now, area: Rect, canvas: &mut Canvas) {
    let theme = model.theme;
    let narrow = area.width < NARROW;
    let (sign, word, style) = match &model.server {
        Server::Online if model.away => ("○", "away".to_owned(), theme.quiet),
        Server::Online => ("●", "online".to_owned(), theme.good),
        Server::Connecting => ("○", "connecting …".to_owned(), theme.quiet),
        Server::Down { retry, .. } => {
            let seconds = retry.saturating_sub(now.since_start).as_secs_f32().ceil();
            let again = if narrow { "" } else { ", again in" };
            ("✗", format!("OFFLINE{again} {seconds:.0} s"), theme.bad)
        }
        Server::Refused { .. } if narrow => ("✗", "REFUSED".to_owned(), theme.bad),
        Server::Refused { .. } => ("✗", "REFUSED by the server".to_owned(), theme.bad),
    };
    let missed = match model.missed() {
        0 => String::new(),
        1 => "1 missed call ".to_owned(),
        many => format!("{many} missed calls "),
    };
    let room = area.width.saturating_sub(columns(&missed) + 2);
    let state = columns(&word) + 3;
    let names = room.saturating_sub(state);
    let mut x = canvas.put(area.x + 1, area.y, names, model.me.as_str(), theme.strong);
    let left = (area.x + 1 + names).saturating_sub(x);
    if !narrow && left > 8 {
        x = canvas.put(x, area.y, left, &format!(" on {}", model.address), theme.quiet);
    }
    x = canvas.put(x + 2, area.y, 2, sign, style);
    canvas.put(x + 1, area.y, room.saturating_sub(x + 1), &word, style);
    canvas.right(area, &missed, theme.alarm);
}

/// A pane's title, strong when it has the keys.
fn title(model: &Model, pane: Pane, words: &str, more: &str, area: Rect, canvas: &mut Canvas) {
    let style = if model.pane == pane { model.theme.strong } else { model.theme.quiet };
    let x = canvas.put(area.x + 1, area.y, area.width.saturating_sub(2), words, style);
    canvas.put(x + 2, area.y, area.right().saturating_sub(x + 3), more, model.theme.quiet);
}

fn people(model: &Model, area: Rect, canvas: &mut Canvas) {
    let rows = model.users.rows();
    let order = match model.users.sort {
        Sort::State => "by state",
        Sort::Name => "by name",
    };
    let query = Shown::new(model.users.query());
    let more = if !query.is_empty() {
        format!("{} with \"{query}\"", rows.len())
    } else {
        format!("{}, {order}", rows.len())
    };
    title(model, Pane::People, "PEOPLE", &more, area, canvas);
    let list = layout::list(area);
    if rows.is_empty() {
        let waiting = model.server != Server::Online || !model.users.known;
        let (call, server) = (format!("letsmeet call {}", model.me), format!("  --server {}", model.address));
        let words = if waiting {
            vec!["Waiting for the server …"]
        } else if !query.is_empty() {
            vec!["Nobody online has that in the name."]
        } else {
            // In two lines, because a URL is long.
            vec!["Nobody else is online.", "", "Others reach you with:", &call, "  --name NAME", &server]
        };
        for (index, line) in (1..).zip(words) {
            let place = row(list, index);
            if place.height > 0 {
                canvas.put(place.x + 3, place.y, place.width.saturating_sub(4), line, model.theme.quiet);
            }
        }
        return;
    }
    let first = layout::first(model.users.selected(), list);
    for (index, person) in rows.iter().enumerate().skip(first).take(usize::from(list.height)) {
        let place = row(list, (index - first) as u16);
        let (sign, word) = presence(person.state);
        let chosen = index == model.users.selected() && model.pane == Pane::People;
        let sign_style = if sign == "●" { model.theme.good } else { model.theme.quiet };
        let name = place.width.saturating_sub(4 + 12);
        canvas.put(place.x + 2, place.y, 1, sign, sign_style);
        canvas.put(place.x + 4, place.y, name, person.shown.as_str(), Default::default());
        canvas.right(Rect { width: place.width.saturating_sub(2), ..place }, word, model.theme.quiet);
        mark(chosen, place, model, canvas);
    }
}

fn calls(model: &Model, now: Now, area: Rect, canvas: &mut Canvas) {
    let more = match model.missed() {
        0 => String::new(),
        missed => format!("{missed} missed"),
    };
    title(model, Pane::Calls, "CALLS", &more, area, canvas);
    let list = layout::list(area);
    if model.calls.is_empty() {
        let place = row(list, 1);
        canvas.put(place.x + 3, place.y, place.width.saturating_sub(4), "No calls yet.", model.theme.quiet);
        return;
    }
    let first = layout::first(model.selected_call, list);
    for (index, entry) in model.calls.iter().enumerate().skip(first).take(usize::from(list.height)) {
        let place = row(list, (index - first) as u16);
        let chosen = index == model.selected_call && model.pane == Pane::Calls;
        let (sign, word) = outcome(entry);
        let style = if entry.is_new() { model.theme.bad } else { model.theme.quiet };
        let name = place.width.saturating_sub(4 + 11 + 8);
        canvas.put(place.x + 2, place.y, 1, sign, style);
        let peer = Shown::new(&entry.peer);
        let name_style = if entry.is_new() { model.theme.strong } else { Default::default() };
        canvas.put(place.x + 4, place.y, name, peer.as_str(), name_style);
        canvas.put(place.x + 5 + name, place.y, 9, &word, style);
        canvas.right(
            Rect { width: place.width.saturating_sub(1), ..place },
            &ago(entry.at, now),
            model.theme.quiet,
        );
        mark(chosen, place, model, canvas);
    }
}

/// The selected row: reversed, and with a sign where nothing can be reversed.
fn mark(chosen: bool, place: Rect, model: &Model, canvas: &mut Canvas) {
    if chosen {
        canvas.put(place.x, place.y, 1, "›", model.theme.strong);
        canvas.tint(place, model.theme.selected);
    }
}

/// What became of a call: a sign of its direction (`!` for one to be looked at) and a word.
fn outcome(entry: &Entry) -> (&'static str, String) {
    let sign = match entry.direction {
        _ if entry.is_new() => "!",
        Direction::Outgoing => "→",
        Direction::Incoming => "←",
    };
    let word = match &entry.outcome {
        Outcome::Answered { seconds } => clock(std::time::Duration::from_secs(*seconds)),
        Outcome::Missed => "missed".to_owned(),
        Outcome::Declined => "declined".to_owned(),
        Outcome::NotAnswered { .. } => "no answer".to_owned(),
        Outcome::Failed { .. } => "failed".to_owned(),
    };
    (sign, word)
}

/// What is typed, with the cursor; the end of a long line stays in sight.
pub(super) fn prompt(model: &Model, area: Rect, canvas: &mut Canvas) -> Option<Position> {
    let prompt = model.prompt.as_ref()?;
    let label = match prompt.purpose {
        Purpose::Search => "search: ",
        Purpose::Dial => "call: ",
        Purpose::File => "send the file: ",
        Purpose::Compare => "the code that they read: ",
    };
    canvas.clear(area);
    let x = canvas.put(area.x + 1, area.y, area.width.saturating_sub(1), label, model.theme.strong);
    let room = area.right().saturating_sub(x + 1);
    let laid = prompt.editor.layout(usize::from(room.max(2)));
    let (column, line) = laid.cursor;
    let text = laid.lines.get(line).map_or("", String::as_str);
    let end = canvas.put(x, area.y, room, text, Default::default());
    let hints = Rect::new(end + 2, area.y, area.right().saturating_sub(end + 2), 1);
    if hints.width > 20 && text::width(text) < usize::from(room) {
        super::parts::hints(model, model.context(), hints, canvas);
    }
    Some(Position::new(x.saturating_add(column as u16), area.y))
}
