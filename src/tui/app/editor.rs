//! A line (or a few) being typed, with a cursor that moves by what a reader takes for one character.
//!
//! Owns the text and the editing keys. Keeps control characters out, whatever is pasted; what else must not be shown is
//! for the gate when it is drawn. Must not know what becomes of the text.

use crossterm::event::{KeyCode, KeyModifiers};
use unicode_segmentation::UnicodeSegmentation as _;

use super::keys::Chord;
use crate::text::{Shown, cluster_width};

/// Text and cursor.
#[derive(Debug, Clone, Default)]
pub(super) struct Editor {
    text: String,
    /// Byte offset, always between two clusters.
    cursor: usize,
    /// Bytes that fit.
    limit: usize,
    /// Whether line breaks are kept; else they become spaces.
    several_lines: bool,
}

/// An editor's text laid out for a number of columns.
pub(super) struct Laid {
    /// At least one.
    pub(super) lines: Vec<String>,
    /// Column and line of the cursor.
    pub(super) cursor: (usize, usize),
}

impl Editor {
    /// An empty line of at most `limit` bytes.
    pub(super) fn line(limit: usize) -> Self {
        Self { limit, ..Self::default() }
    }

    /// The same, with line breaks.
    pub(super) fn lines(limit: usize) -> Self {
        Self { limit, several_lines: true, ..Self::default() }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Takes the text out.
    pub(super) fn take(&mut self) -> String {
        self.cursor = 0;
        std::mem::take(&mut self.text)
    }

    /// Puts text in at the cursor, as much of it as fits.
    pub(super) fn insert(&mut self, text: &str) {
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let mut added = String::new();
        for c in text.chars() {
            let c = match c {
                '\n' if self.several_lines => c,
                '\n' | '\t' => ' ',
                _ if c.is_control() => continue,
                _ => c,
            };
            if self.text.len() + added.len() + c.len_utf8() > self.limit {
                break;
            }
            added.push(c);
        }
        self.text.insert_str(self.cursor, &added);
        self.cursor = self.boundary_from(self.cursor + added.len());
    }

    /// Carries an editing key out; false when it is none.
    pub(super) fn key(&mut self, chord: Chord) -> bool {
        let (control, alt) = (KeyModifiers::CONTROL, KeyModifiers::ALT);
        match (chord.code(), chord.modifiers()) {
            (KeyCode::Char(c), modifiers) if modifiers.is_empty() => self.insert(c.encode_utf8(&mut [0; 4])),
            (KeyCode::Left, modifiers) if modifiers.intersects(control | alt) => {
                self.cursor = self.word_before()
            }
            (KeyCode::Right, modifiers) if modifiers.intersects(control | alt) => {
                self.cursor = self.word_after()
            }
            (KeyCode::Char('b'), modifiers) if modifiers == alt => self.cursor = self.word_before(),
            (KeyCode::Char('f'), modifiers) if modifiers == alt => self.cursor = self.word_after(),
            (KeyCode::Left, _) => self.cursor = self.before(),
            (KeyCode::Char('b'), modifiers) if modifiers == control => self.cursor = self.before(),
            (KeyCode::Right, _) => self.cursor = self.after(),
            (KeyCode::Char('f'), modifiers) if modifiers == control => self.cursor = self.after(),
            (KeyCode::Home, _) => self.cursor = self.line_start(),
            (KeyCode::Char('a'), modifiers) if modifiers == control => self.cursor = self.line_start(),
            (KeyCode::End, _) => self.cursor = self.line_end(),
            (KeyCode::Char('e'), modifiers) if modifiers == control => self.cursor = self.line_end(),
            (KeyCode::Backspace, modifiers) if modifiers.intersects(control | alt) => {
                self.cut(self.word_before(), self.cursor)
            }
            (KeyCode::Char('w'), modifiers) if modifiers == control => {
                self.cut(self.word_before(), self.cursor)
            }
            (KeyCode::Backspace, _) => self.cut(self.before(), self.cursor),
            (KeyCode::Char('h'), modifiers) if modifiers == control => self.cut(self.before(), self.cursor),
            (KeyCode::Delete, _) => self.cut(self.cursor, self.after()),
            (KeyCode::Char('d'), modifiers) if modifiers == control => self.cut(self.cursor, self.after()),
            (KeyCode::Char('d'), modifiers) if modifiers == alt => self.cut(self.cursor, self.word_after()),
            (KeyCode::Char('u'), modifiers) if modifiers == control => {
                self.cut(self.line_start(), self.cursor)
            }
            (KeyCode::Char('k'), modifiers) if modifiers == control => self.cut(self.cursor, self.line_end()),
            _ => return false,
        }
        true
    }

    /// The text through the gate, broken into lines of `columns`.
    pub(super) fn layout(&self, columns: usize) -> Laid {
        let columns = columns.max(1);
        let mut laid = Laid { lines: vec![String::new()], cursor: (0, 0) };
        let mut used = 0;
        for (number, part) in [&self.text[..self.cursor], &self.text[self.cursor..]].into_iter().enumerate() {
            if number == 1 {
                laid.cursor = (used, laid.lines.len() - 1);
            }
            for (index, line) in part.split('\n').enumerate() {
                if index > 0 {
                    laid.lines.push(String::new());
                    used = 0;
                }
                let shown = Shown::new(line);
                for cluster in shown.as_str().graphemes(true) {
                    let wide = cluster_width(cluster);
                    if used + wide > columns && used > 0 {
                        laid.lines.push(String::new());
                        used = 0;
                    }
                    if let Some(last) = laid.lines.last_mut().filter(|_| wide <= columns) {
                        last.push_str(cluster);
                        used += wide;
                    }
                }
            }
        }
        if laid.cursor.0 >= columns {
            laid.cursor = (0, laid.cursor.1 + 1);
            if laid.cursor.1 == laid.lines.len() {
                laid.lines.push(String::new());
            }
        }
        laid
    }

    fn cut(&mut self, from: usize, to: usize) {
        self.text.replace_range(from..to, "");
        self.cursor = self.boundary_from(from);
    }

    /// The first place between clusters at or after `at`: what was put in may have joined its neighbours.
    fn boundary_from(&self, at: usize) -> usize {
        self.text
            .grapheme_indices(true)
            .map(|(index, _)| index)
            .find(|index| *index >= at)
            .unwrap_or(self.text.len())
    }

    fn before(&self) -> usize {
        self.text[..self.cursor].grapheme_indices(true).next_back().map_or(0, |(index, _)| index)
    }

    fn after(&self) -> usize {
        self.cursor + self.text[self.cursor..].graphemes(true).next().map_or(0, str::len)
    }

    fn word_before(&self) -> usize {
        let words = self.text[..self.cursor].split_word_bound_indices();
        words.rev().find(|(_, word)| !word.trim().is_empty()).map_or(0, |(index, _)| index)
    }

    fn word_after(&self) -> usize {
        let rest = &self.text[self.cursor..];
        let word = rest.split_word_bound_indices().find(|(_, word)| !word.trim().is_empty());
        self.boundary_from(self.cursor + word.map_or(rest.len(), |(index, word)| index + word.len()))
    }

    fn line_start(&self) -> usize {
        self.text[..self.cursor].rfind('\n').map_or(0, |index| index + 1)
    }

    fn line_end(&self) -> usize {
        self.text[self.cursor..].find('\n').map_or(self.text.len(), |index| self.cursor + index)
    }
}
