//! Small things that every part of the screen draws with.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::super::conversation::{Call, Phase};
use super::super::keymap::Context;
use super::super::model::Model;
use super::super::quality::{Verdict, level};
use super::super::{Now, Theme};
use crate::session::PresenceState;
use crate::text;

/// The cells, and what is written where. Nothing is written beyond them.
pub(super) struct Canvas<'a> {
    buffer: &'a mut Buffer,
    pub(super) theme: Theme,
}

impl<'a> Canvas<'a> {
    pub(super) fn new(buffer: &'a mut Buffer, theme: Theme) -> Self {
        Self { buffer, theme }
    }

    /// Writes text into at most `columns` columns, cut with `…`; says where it ended.
    pub(super) fn put(&mut self, x: u16, y: u16, columns: u16, text: &str, style: Style) -> u16 {
        let area = self.buffer.area;
        if x < area.x || x >= area.right() || y < area.y || y >= area.bottom() {
            return x;
        }
        let columns = columns.min(area.right() - x);
        let text = text::truncate(text, usize::from(columns));
        self.buffer.set_stringn(x, y, text, usize::from(columns), style).0
    }

    /// Writes pieces one after the other.
    pub(super) fn pieces(&mut self, x: u16, y: u16, columns: u16, pieces: &[Piece]) -> u16 {
        let end = x.saturating_add(columns);
        pieces.iter().fold(x, |x, (text, style)| self.put(x, y, end.saturating_sub(x), text, *style))
    }

    /// Writes at the right end of a row; nothing when it doesn't fit.
    pub(super) fn right(&mut self, row: Rect, text: &str, style: Style) {
        let wide = columns(text);
        if wide <= row.width {
            self.put(row.right() - wide, row.y, wide, text, style);
        }
    }

    /// Writes in the middle of a row.
    pub(super) fn centre(&mut self, row: Rect, text: &str, style: Style) {
        let wide = columns(text).min(row.width);
        self.put(row.x + (row.width - wide) / 2, row.y, wide, text, style);
    }

    /// Gives a part of the screen a style.
    pub(super) fn tint(&mut self, area: Rect, style: Style) {
        self.buffer.set_style(area.intersection(self.buffer.area), style);
    }

    /// Empties a part of the screen.
    pub(super) fn clear(&mut self, area: Rect) {
        let area = area.intersection(self.buffer.area);
        for position in area.positions() {
            if let Some(cell) = self.buffer.cell_mut(position) {
                cell.reset();
            }
        }
        // Half of a wide character that reaches into it would hide its first column.
        for y in area.top()..area.bottom() {
            if let Some(cell) = area.x.checked_sub(1).and_then(|x| self.buffer.cell_mut((x, y)))
                && text::width(cell.symbol()) > 1
            {
                cell.set_symbol(" ");
            }
        }
    }

    /// A line across.
    pub(super) fn rule(&mut self, row: Rect) {
        let line = "─".repeat(usize::from(row.width));
        self.put(row.x, row.y, row.width, &line, self.theme.quiet);
    }

    /// A line down.
    pub(super) fn bar(&mut self, x: u16, from: u16, to: u16) {
        for y in from..to {
            self.put(x, y, 1, "│", self.theme.quiet);
        }
    }

    /// An empty box with a title.
    pub(super) fn frame(&mut self, area: Rect, title: &str, style: Style) {
        self.clear(area);
        if area.width < 2 || area.height < 2 {
            return;
        }
        let across = "─".repeat(usize::from(area.width - 2));
        self.put(area.x, area.y, area.width, &format!("┌{across}┐"), style);
        for y in area.y + 1..area.bottom() - 1 {
            self.put(area.x, y, 1, "│", style);
            self.put(area.right() - 1, y, 1, "│", style);
        }
        self.put(area.x, area.bottom() - 1, area.width, &format!("└{across}┘"), style);
        if !title.is_empty() && area.width > 6 {
            self.put(area.x + 2, area.y, area.width - 4, &format!(" {title} "), self.theme.strong);
        }
    }
}

/// Text and how it looks.
pub(super) type Piece = (String, Style);

/// Columns of a text, as cells are counted.
pub(super) fn columns(text: &str) -> u16 {
    u16::try_from(text::width(text)).unwrap_or(u16::MAX)
}

/// The row of an area, counted from its top; empty when it has fewer.
pub(super) fn row(area: Rect, index: u16) -> Rect {
    if index < area.height { Rect::new(area.x, area.y + index, area.width, 1) } else { Rect::ZERO }
}

/// An area without its outermost columns and rows.
pub(super) fn inside(area: Rect, columns: u16, rows: u16) -> Rect {
    let (width, height) = (area.width.saturating_sub(2 * columns), area.height.saturating_sub(2 * rows));
    Rect::new(area.x.saturating_add(columns), area.y.saturating_add(rows), width, height)
}

/// The foot of the screen: a toast while there is one, else the hints of the present context.
pub(super) fn footer(model: &Model, area: Rect, canvas: &mut Canvas) {
    let theme = model.theme;
    if let Some(toast) = model.toasts.front() {
        let mark = if toast.bad { "! " } else { "· " };
        let style = if toast.bad { theme.bad } else { theme.strong };
        canvas.pieces(
            area.x + 1,
            area.y,
            area.width.saturating_sub(2),
            &[(mark.to_owned(), style), (toast.text.to_string(), style)],
        );
        return;
    }
    hints(model, model.context(), area, canvas);
}

/// Keys and their words, as many as fit whole.
pub(super) fn hints(model: &Model, context: Context, area: Rect, canvas: &mut Canvas) {
    let theme = model.theme;
    let all = model.keys.rows(context).filter(|(row, _)| !row.hint.is_empty());
    let mut hints: Vec<(String, &str)> =
        all.filter_map(|(row, keys)| keys.first().map(|key| (key.to_string(), row.hint))).collect();
    let wide = |hints: &[(String, &str)]| {
        hints.iter().map(|(key, word)| columns(key) + columns(word) + 3).sum::<u16>()
    };
    // The way out and the way to help stand last in the table and give way last.
    while wide(&hints) > area.width && !hints.is_empty() {
        hints.remove(hints.len().saturating_sub(3));
    }
    hints.into_iter().fold(area.x + 1, |x, (key, word)| {
        canvas.pieces(x, area.y, area.width, &[(key, theme.key), (format!(" {word}"), theme.quiet)]) + 2
    });
}

/// Minutes and seconds, with hours when there are any.
pub(super) fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds / 3600 {
        0 => format!("{:02}:{:02}", seconds / 60, seconds % 60),
        hours => format!("{hours}:{:02}:{:02}", seconds / 60 % 60, seconds % 60),
    }
}

/// How long ago, in few words.
pub(super) fn ago(at: u64, now: Now) -> String {
    let seconds = now.unix().saturating_sub(at);
    match seconds {
        0..60 => "now".to_owned(),
        60..3600 => format!("{} min", seconds / 60),
        3600..86_400 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// A state of presence as a sign and a word.
pub(super) fn presence(state: PresenceState) -> (&'static str, &'static str) {
    match state {
        PresenceState::Available => ("●", "available"),
        PresenceState::Ringing => ("◎", "ringing"),
        PresenceState::InCall => ("◆", "in a call"),
        PresenceState::Away => ("○", "away"),
        PresenceState::Offline => ("·", "offline"),
    }
}

/// A phase in words.
pub(super) fn phase(call: &Call) -> &'static str {
    match call.phase {
        _ if call.hanging_up && !call.is_over() => "hanging up …",
        Phase::Waiting => "waiting …",
        Phase::Calling => "calling …",
        Phase::Ringing => "it rings …",
        Phase::Connecting => "connecting …",
        Phase::Active { .. } if call.recovering => "RECOVERING",
        Phase::Active { .. } => "in a call",
        Phase::Ended { .. } => "over",
    }
}

/// A level as a heavy line on a light one.
pub(super) fn meter(dbfs: Option<f32>, steps: usize, theme: Theme) -> [Piece; 2] {
    let heavy = level(dbfs, steps);
    [("━".repeat(heavy), theme.good), ("─".repeat(steps - heavy), theme.quiet)]
}

/// A verdict as bars, a word and its style.
pub(super) fn verdict(verdict: (Verdict, usize), theme: Theme) -> (String, &'static str, Style) {
    let (verdict, bars) = verdict;
    let signs: String =
        ["▂", "▄", "▆", "█"].iter().enumerate().map(|(n, sign)| if n < bars { *sign } else { "·" }).collect();
    match verdict {
        Verdict::Good => (signs, "good", theme.good),
        Verdict::Fair => (signs, "fair", theme.fair),
        Verdict::Poor => (signs, "POOR", theme.bad),
    }
}
