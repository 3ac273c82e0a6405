//! The written messages of a call, and the one being written.

use ratatui::layout::{Position, Rect};
use ratatui::style::Style;

use super::super::conversation::{Call, Said};
use super::super::keymap::{Command, Context};
use super::super::model::Model;
use super::parts::{Canvas, Piece, row};
use crate::text;

/// Rows that a message being written may take.
const INPUT: usize = 4;

/// Draws the panel; where the cursor is, while keys are text.
pub(super) fn draw(model: &Model, call: &Call, area: Rect, canvas: &mut Canvas) -> Option<Position> {
    let theme = model.theme;
    canvas.clear(area);
    if is_beside(area) {
        canvas.bar(area.x, area.y, area.bottom());
    }
    let inner = inner(area);
    let head = row(inner, 0);
    if head.height == 0 {
        return None;
    }
    canvas.put(head.x, head.y, head.width, "MESSAGES", theme.strong);
    let back = call.chat.back;
    if back > 0 {
        canvas.right(head, "older", theme.quiet);
    }
    let laid = call.chat.editor.layout(usize::from(inner.width.saturating_sub(2).max(2)));
    let input = laid.lines.len().min(INPUT).min(usize::from(inner.height.saturating_sub(2)).max(1));
    let said = Rect { y: inner.y + 1, height: inner.height.saturating_sub(1 + input as u16), ..inner };
    messages(model, call, said, canvas);
    let bottom = Rect { y: said.bottom(), height: inner.bottom().saturating_sub(said.bottom()), ..inner };
    if !call.chat.typing {
        let key = model.keys.key(Context::Call, Command::Chat).map_or(String::new(), |key| key.to_string());
        canvas.put(bottom.x, bottom.y, bottom.width, &format!("> {key} to write"), theme.quiet);
        return None;
    }
    // The rows around the cursor.
    let first = (laid.cursor.1 + 1).saturating_sub(input);
    for (index, line) in laid.lines.iter().skip(first).take(input).enumerate() {
        let place = row(bottom, index as u16);
        let sign = if first + index == 0 { "> " } else { "  " };
        canvas.pieces(
            place.x,
            place.y,
            place.width,
            &[(sign.to_owned(), theme.strong), (line.clone(), Style::new())],
        );
    }
    let (column, line) = laid.cursor;
    let y = bottom.y.saturating_add((line - first) as u16);
    Some(Position::new(bottom.x.saturating_add(2 + column as u16), y))
}

/// The newest messages at the bottom. No more are looked at than are shown: there may be many, and long ones.
fn messages(model: &Model, call: &Call, area: Rect, canvas: &mut Canvas) {
    let room = usize::from(area.height);
    let wanted = room.saturating_add(call.chat.back);
    let mut lines: Vec<Vec<Piece>> = Vec::new();
    for said in call.chat.said.iter().rev() {
        lines.extend(message(said, call, usize::from(area.width), model).into_iter().rev());
        if lines.len() >= wanted {
            break;
        }
    }
    if lines.is_empty() {
        canvas.put(area.x, area.y, area.width, "Nothing was written yet.", model.theme.quiet);
    }
    let back = call.chat.back.min(lines.len().saturating_sub(room));
    for (index, pieces) in lines.iter().skip(back).take(room).rev().enumerate() {
        let place = row(area, index as u16);
        canvas.pieces(place.x, place.y, place.width, pieces);
    }
}

/// A message as lines of at most `width` columns. All but the first are set in, so that none can pass for the
/// message of somebody else.
fn message(said: &Said, call: &Call, width: usize, model: &Model) -> Vec<Vec<Piece>> {
    // The mark stands in the name, in front of what the other side could write.
    let who = match said.remote {
        true => call.peer.truncate(width / 2).to_string(),
        false if said.number <= call.chat.delivered => "you ✓".to_owned(),
        false => "you".to_owned(),
    };
    let name = format!("{who}:");
    let width = width.saturating_sub(2);
    let mut lines: Vec<Vec<Piece>> = Vec::new();
    for (index, line) in said.lines.iter().enumerate() {
        let text = if index == 0 { format!("{name} {line}") } else { line.to_string() };
        for line in text::wrap(&text, width) {
            let named = if lines.is_empty() { line.strip_prefix(&name) } else { None };
            lines.push(match named {
                Some(rest) => vec![(name.clone(), model.theme.strong), (rest.to_owned(), Style::new())],
                None => vec![("  ".to_owned(), Style::new()), (line, Style::new())],
            });
        }
    }
    lines
}

/// How far back one can scroll.
pub(super) fn furthest_back(model: &Model, call: &Call, area: Rect) -> usize {
    let width = usize::from(inner(area).width);
    let lines: usize = call.chat.said.iter().map(|said| message(said, call, width, model).len()).sum();
    lines.saturating_sub(usize::from(area.height) / 2)
}

/// The panel without its margins.
fn inner(area: Rect) -> Rect {
    if is_beside(area) {
        Rect { x: area.x + 2, width: area.width.saturating_sub(3), ..area }
    } else {
        Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area }
    }
}

/// True when the panel stands beside the picture and not beneath it.
fn is_beside(area: Rect) -> bool {
    area.x > 0
}
