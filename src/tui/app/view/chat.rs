//! The written messages of a call, and the one being written.

use ratatui::layout::{Position, Rect};
use ratatui::style::Style;

use super::super::conversation::Call;
use super::super::keymap::{Command, Context};
use super::super::model::Model;
use super::layout;
use super::parts::{Canvas, Piece, row};
use crate::text;

/// Rows that a message being written may take.
const INPUT: usize = 4;

/// Draws the panel; where the cursor is, while keys are text.
pub(super) fn draw(model: &Model, call: &Call, area: Rect, canvas: &mut Canvas) -> Option<Position> {
    let theme = model.theme;
    canvas.clear(area);
    let beside = area.height + 3
        >= layout::call(model, call, Rect::new(0, 0, model.size.0, model.size.1)).picture.height;
    let inner = if beside && area.x > 0 {
        canvas.bar(area.x, area.y, area.bottom());
        Rect { x: area.x + 2, width: area.width.saturating_sub(3), ..area }
    } else {
        Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area }
    };
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

/// The newest messages at the bottom.
fn messages(model: &Model, call: &Call, area: Rect, canvas: &mut Canvas) {
    let theme = model.theme;
    let width = usize::from(area.width);
    let mut lines: Vec<Vec<Piece>> = Vec::new();
    for said in &call.chat.said {
        let who = if said.remote { call.peer.truncate(width / 2).to_string() } else { "you".to_owned() };
        // Every line of a message is set in, so that none can pass for another sender's.
        let mut lines_of_message = 0;
        for (index, line) in said.lines.iter().enumerate() {
            let name = if index == 0 { format!("{who}: ") } else { String::new() };
            for line in text::wrap(&format!("{name}{line}"), width.saturating_sub(2)) {
                let begins = index == 0 && lines_of_message == 0;
                lines_of_message += 1;
                lines.push(match line.strip_prefix(name.trim_end()).filter(|_| begins) {
                    Some(rest) => {
                        vec![(name.trim_end().to_owned(), theme.strong), (rest.to_owned(), Style::new())]
                    }
                    None => vec![("  ".to_owned(), Style::new()), (line, Style::new())],
                });
            }
        }
    }
    if lines.is_empty() {
        canvas.put(area.x, area.y, area.width, "Nothing was written yet.", theme.quiet);
    }
    let room = usize::from(area.height);
    let back = call.chat.back.min(lines.len().saturating_sub(room));
    let first = lines.len().saturating_sub(room + back);
    for (index, pieces) in lines.iter().skip(first).take(room).enumerate() {
        let place = row(area, index as u16);
        canvas.pieces(place.x, place.y, place.width, pieces);
    }
}
