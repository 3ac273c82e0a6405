//! Cards in the middle of the screen: somebody calls, we call, a call is over.

use ratatui::layout::Rect;
use ratatui::style::Style;

use super::super::Now;
use super::super::conversation::{Call, Phase};
use super::super::files::Transfer;
use super::super::keymap::Context;
use super::super::model::{BLINK, Incoming, Model};
use super::layout;
use super::parts::{Canvas, clock, footer, inside, phase, row};
use crate::session::files;
use crate::text::{self, Shown};

/// Lines in the middle of an area, from the top when they don't fit.
pub(super) fn lines(area: Rect, lines: &[(String, Style)], canvas: &mut Canvas) {
    let wrapped: Vec<(String, Style)> = lines
        .iter()
        .flat_map(|(line, style)| {
            text::wrap(line, usize::from(area.width)).into_iter().map(|line| (line, *style))
        })
        .collect();
    let free = usize::from(area.height).saturating_sub(wrapped.len()) / 2;
    for (index, (line, style)) in wrapped.iter().enumerate() {
        let place = row(area, u16::try_from(free + index).unwrap_or(u16::MAX));
        if place.height > 0 {
            canvas.centre(place, line, *style);
        }
    }
}

/// A call that is not answered yet, or over.
pub(super) fn card(model: &Model, call: &Call, now: Now, area: Rect, canvas: &mut Canvas) {
    let theme = model.theme;
    let body = inside(Rect { height: area.height - 1, ..area }, 3, 1);
    let mut said = vec![
        (call.peer.truncate(usize::from(body.width)).to_string(), theme.strong),
        (String::new(), Style::new()),
    ];
    if let Phase::Ended { reason, detail, lasted } = &call.phase {
        said.push((sentence(reason), theme.strong));
        if let Some(detail) = detail {
            said.push((sentence(detail), Style::new()));
        }
        if let Some(lasted) = lasted {
            said.push((String::new(), Style::new()));
            said.push((format!("{} in the call", clock(*lasted)), Style::new()));
            let recorded = model.report.as_ref().and_then(|report| report.record.as_ref());
            if let Some(recorded) = recorded.filter(|recorded| recorded.bytes > 0) {
                let path = Shown::new(&recorded.path.display().to_string());
                said.push((format!("recorded into {path}"), Style::new()));
            }
            said.extend(call.files.over.iter().map(|line| (line.clone(), Style::new())));
            said.extend(call.facts.iter().map(|(name, fact)| (format!("{name}: {fact}"), theme.quiet)));
        }
        said.push((String::new(), Style::new()));
        let then = match (model.is_settling(now), model.one_call) {
            (true, _) => "",
            (false, true) => "any key leaves",
            (false, false) => "any key goes back",
        };
        said.push((then.to_owned(), theme.quiet));
    } else {
        said.push((phase(call).to_owned(), Style::new()));
        said.push((clock(now.since_start.saturating_sub(call.since)), theme.quiet));
    }
    lines(body, &said, canvas);
    footer(model, row(area, area.height - 1), canvas);
}

/// Somebody calls.
pub(super) fn incoming(model: &Model, incoming: &Incoming, now: Now, area: Rect, canvas: &mut Canvas) {
    let theme = model.theme;
    let places = layout::incoming(model, incoming, area);
    let title =
        if incoming.files { "▼▼  FILES FOR YOU  ▼▼" } else { "▶▶  INCOMING CALL  ◀◀" };
    let body = prompt(places.area, title, now, canvas);
    let mut said = vec![
        (incoming.from.truncate(usize::from(body.width)).to_string(), theme.strong),
        (String::new(), Style::new()),
        (format!("{}", incoming.key), theme.quiet),
    ];
    if incoming.files {
        said.insert(1, ("wants to send you files, without a call".to_owned(), Style::new()));
    }
    said.push(if incoming.first_contact {
        ("FIRST CONTACT: this key was never seen before. Is it who you think?".to_owned(), theme.bad)
    } else {
        ("the key is the one you know".to_owned(), Style::new())
    });
    lines(body, &said, canvas);
    answers(model, &places, Context::Incoming, incoming.answered, now, canvas);
}

/// The other side offers a file.
pub(super) fn offer(model: &Model, offer: &Transfer, now: Now, area: Rect, canvas: &mut Canvas) {
    let theme = model.theme;
    let places = layout::offer(model, area);
    let body = prompt(places.area, "▼▼  A FILE IS OFFERED  ▼▼", now, canvas);
    let from =
        model.call.as_ref().map(|call| call.peer.truncate(usize::from(body.width))).unwrap_or_default();
    let more = match model.call.as_ref().map_or(0, |call| call.files.waiting()) {
        0 | 1 => String::new(),
        waiting => format!(", and {} more", waiting - 1),
    };
    let said = [
        (offer.name.truncate(usize::from(body.width) * 2).to_string(), theme.strong),
        (format!("{}, {}", files::amount(offer.size), offer.kind), Style::new()),
        (format!("from {from}{more}"), theme.quiet),
    ];
    lines(body, &said, canvas);
    answers(model, &places, Context::Offer, false, now, canvas);
}

/// The box of something that wants an answer; where the words about it go.
fn prompt(area: Rect, title: &str, now: Now, canvas: &mut Canvas) -> Rect {
    let theme = canvas.theme;
    canvas.clear(area);
    double(area, canvas);
    let banner = row(inside(area, 1, 1), 0);
    // Reversed and not, in turn: it moves, whatever colours there are.
    let on = (now.since_start.as_millis() / BLINK.as_millis()).is_multiple_of(2);
    canvas.centre(banner, title, theme.strong);
    canvas.tint(banner, if on { theme.alarm } else { theme.strong });
    let body = inside(area, 3, 3);
    Rect { height: area.bottom().saturating_sub(2).saturating_sub(body.y), ..body }
}

/// The buttons beneath it, or why there are none.
fn answers(
    model: &Model,
    places: &layout::Ringing,
    context: Context,
    answered: bool,
    now: Now,
    canvas: &mut Canvas,
) {
    let theme = model.theme;
    let last = inside(row(places.area, places.area.height.saturating_sub(2)), 2, 0);
    if answered {
        return canvas.centre(last, "answering …", theme.strong);
    }
    if model.is_settling(now) {
        return canvas.centre(last, "one moment …", theme.quiet);
    }
    for (command, place) in &places.buttons {
        let words = layout::button(model, context, *command);
        canvas.put(place.x, place.y, place.width, &words, theme.selected);
    }
}

/// A box that is told from every other one.
fn double(area: Rect, canvas: &mut Canvas) {
    if area.width < 2 || area.height < 2 {
        return;
    }
    let across = "═".repeat(usize::from(area.width - 2));
    let style = canvas.theme.strong;
    canvas.put(area.x, area.y, area.width, &format!("╔{across}╗"), style);
    for y in area.y + 1..area.bottom() - 1 {
        canvas.put(area.x, y, 1, "║", style);
        canvas.put(area.right() - 1, y, 1, "║", style);
    }
    canvas.put(area.x, area.bottom() - 1, area.width, &format!("╚{across}╝"), style);
}

/// A clause as a sentence.
fn sentence(clause: &Shown) -> String {
    let mut characters = clause.as_str().chars();
    let first: String = characters.next().into_iter().flat_map(char::to_uppercase).collect();
    format!("{first}{}.", characters.as_str())
}
