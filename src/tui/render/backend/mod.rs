//! ratatui's backend: from changed cells to the shortest bytes that change them.
//!
//! Owns what is known about the terminal's pen and cursor. Writes into memory only; must not know files, threads or
//! how large the terminal really is (it is told). Driven by ratatui's `Terminal`, and by whoever takes the bytes.

mod sgr;

use std::collections::BTreeSet;
use std::convert::Infallible;

use ratatui::backend::{ClearType, WindowSize};
use ratatui::buffer::{Cell, CellDiffOption};
use ratatui::layout::{Position, Size};
use unicode_width::UnicodeWidthStr;

use super::Depth;
use sgr::Pen;

/// Gathers the bytes that bring a terminal from what was drawn last to what is drawn now.
///
/// Writes only attributes that change, the shortest cursor moves, and colours that the terminal has. The
/// terminal must be one that understands what every terminal since the VT100 and its colours does.
#[derive(Debug)]
pub struct Backend {
    out: Vec<u8>,
    size: Size,
    depth: Depth,
    /// None: not known, and the next change of attributes starts with a reset.
    pen: Option<Pen>,
    /// Where the next character goes; None: not known. A column equal to the width is the state after a character in the last
    /// column, in which terminals differ: only absolute moves and a return leave it.
    cursor: Option<Position>,
    /// Whether the cursor shows; None: not known.
    shown: Option<bool>,
    /// Nothing but ASCII is written.
    ascii: bool,
    /// Where characters of two columns stand.
    wide: BTreeSet<(u16, u16)>,
    /// The second half of one whose first half was just written over. Terminals fill it as they like, and ratatui does
    /// not mention it when it was and is a plain blank.
    torn: Option<Position>,
}

impl Backend {
    /// A backend for a terminal of this size and depth, of which nothing else is known.
    #[must_use]
    pub fn new(size: Size, depth: Depth) -> Self {
        Self {
            out: Vec::new(),
            size,
            depth,
            pen: None,
            cursor: None,
            shown: None,
            ascii: false,
            wide: BTreeSet::new(),
            torn: None,
        }
    }

    /// For a terminal that does not read UTF-8, where the bytes of a letter may be a command: all is written in ASCII.
    #[must_use]
    pub fn in_ascii(mut self, ascii: bool) -> Self {
        self.ascii = ascii;
        self
    }

    /// Brings a cursor that shows back to its place, after something else was written in between.
    pub fn put_cursor_back(&mut self, at: Option<Position>) {
        if let Some(at) = at
            && self.shown == Some(true)
        {
            self.go_to(at);
            self.cursor = Some(at);
        }
    }

    /// Where the cursor is, as far as that is known.
    #[must_use]
    pub fn cursor(&self) -> Option<Position> {
        self.cursor
    }

    /// The terminal has another size now.
    pub fn resize(&mut self, size: Size) {
        self.size = size;
        self.cursor = None;
        self.wide.clear();
    }

    /// Somebody else wrote to the terminal and put the cursor back, if it shows.
    pub fn forget_pen(&mut self) {
        self.pen = None;
        if self.shown != Some(true) {
            self.cursor = None;
        }
    }

    /// Somebody else wrote to the terminal: neither its cursor nor its attributes are known any more.
    pub fn forget(&mut self) {
        self.pen = None;
        self.cursor = None;
        self.shown = None;
    }

    /// Takes the bytes since the last call.
    #[must_use]
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    /// Bytes that are waiting to be taken.
    #[must_use]
    pub fn pending(&self) -> &[u8] {
        &self.out
    }

    fn number(&mut self, number: u16) {
        sgr::number(&mut self.out, number);
    }

    /// Brings the cursor to a place, the shortest way.
    fn go(&mut self, to: Position) {
        if self.cursor == Some(to) {
            return;
        }
        match self.cursor {
            Some(from) if from.y == to.y => self.go_along(from.x, to),
            Some(from) if to.y.wrapping_sub(from.y) == 1 && to.x == 0 => self.out.extend_from_slice(b"\r\n"),
            _ => self.go_to(to),
        }
        self.cursor = Some(to);
    }

    fn go_along(&mut self, from: u16, to: Position) {
        let unsure = from >= self.size.width;
        if to.x == 0 {
            self.out.push(b'\r');
        } else if !unsure && to.x > from {
            self.steps(to.x - from, b'C');
        } else if !unsure && from - to.x <= 3 {
            self.out.extend(std::iter::repeat_n(8, usize::from(from - to.x)));
        } else {
            // The column alone (CHA).
            self.steps(to.x.saturating_add(1), b'G');
        }
    }

    fn steps(&mut self, count: u16, which: u8) {
        self.out.extend_from_slice(b"\x1b[");
        if count != 1 {
            self.number(count);
        }
        self.out.push(which);
    }

    fn go_to(&mut self, to: Position) {
        self.out.extend_from_slice(b"\x1b[");
        if to.y > 0 || to.x > 0 {
            self.number(to.y.saturating_add(1));
        }
        if to.x > 0 {
            self.out.push(b';');
            self.number(to.x.saturating_add(1));
        }
        self.out.push(b'H');
    }

    fn cell(&mut self, x: u16, y: u16, cell: &Cell) {
        if x >= self.size.width || y >= self.size.height {
            return;
        }
        self.mend(Some(Position { x, y }));
        self.go(Position { x, y });
        sgr::change(&mut self.out, &mut self.pen, cell, self.depth);
        let (width, sure) = self.write(cell.symbol(), cell.diff_option);
        let next = x.saturating_add(width);
        self.cursor = (sure && next <= self.size.width).then_some(Position { x: next, y });
        if width > 1 || !self.wide.is_empty() {
            self.cover(x, next, y, width > 1);
        }
    }

    /// Keeps account of wide characters where the columns from `x` to before `next` were written.
    fn cover(&mut self, x: u16, next: u16, y: u16, wide: bool) {
        for column in x..next {
            if self.wide.remove(&(y, column)) && column.saturating_add(1) == next && next < self.size.width {
                self.torn = Some(Position { x: next, y });
            }
        }
        if wide {
            self.wide.insert((y, x));
        }
    }

    /// Makes a blank of the torn half of a wide character, unless it is written next.
    fn mend(&mut self, next: Option<Position>) {
        if let Some(torn) = self.torn.take()
            && next != Some(torn)
        {
            self.go(torn);
            sgr::change(&mut self.out, &mut self.pen, &Cell::EMPTY, self.depth);
            self.out.push(b' ');
            self.cursor = Some(Position { x: torn.x + 1, y: torn.y });
        }
    }

    fn write_in_ascii(&mut self, symbol: &str, option: CellDiffOption) -> (u16, bool) {
        let width = match option {
            CellDiffOption::ForcedWidth(width) => width.get(),
            _ => u16::try_from(symbol.width()).unwrap_or(u16::MAX).max(1),
        };
        let stands_for = match symbol.chars().next() {
            Some('─' | '━' | '═') => b'-',
            Some('│' | '║') => b'|',
            Some('╔' | '╗' | '╚' | '╝' | '┌' | '┐' | '└' | '┘') => b'+',
            Some('●' | '◎' | '○' | '·') => b'*',
            Some('▂' | '▄' | '▆' | '█') => b'#',
            Some('…') => b'.',
            Some('›' | '▶') => b'>',
            Some('◀') => b'<',
            _ => b'?',
        };
        self.out.extend(std::iter::repeat_n(stands_for, usize::from(width)));
        (width, true)
    }

    /// Writes a symbol; its width, and whether every terminal agrees on that.
    fn write(&mut self, symbol: &str, option: CellDiffOption) -> (u16, bool) {
        let bytes = symbol.as_bytes();
        if let [byte @ 0x20..=0x7e] = bytes {
            self.out.push(*byte);
            return (1, true);
        }
        let mut characters = symbol.chars();
        if let (Some(first), None) = (characters.next(), characters.next())
            && is_plain(first)
            && !self.ascii
        {
            self.out.extend_from_slice(bytes);
            return (1, true);
        }
        if self.ascii {
            return self.write_in_ascii(symbol, option);
        }
        let start = self.out.len();
        // What controls a terminal must not get this far; if it does, it goes no further.
        for character in symbol.chars().filter(|character| !character.is_control()) {
            self.out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
        if self.out.len() == start {
            self.out.push(b' ');
            return (1, true);
        }
        let width = match option {
            CellDiffOption::ForcedWidth(width) => width.get(),
            _ => u16::try_from(symbol.width()).unwrap_or(u16::MAX),
        };
        (width, false)
    }

    fn erase(&mut self, what: &[u8]) {
        self.wide.clear();
        // Terminals fill with the background that is selected.
        if self.pen != Some(Pen::default()) {
            self.out.extend_from_slice(b"\x1b[m");
            self.pen = Some(Pen::default());
        }
        self.out.extend_from_slice(what);
    }

    fn show(&mut self, shown: bool) {
        if self.shown != Some(shown) {
            self.out.extend_from_slice(if shown { b"\x1b[?25h" } else { b"\x1b[?25l" });
            self.shown = Some(shown);
        }
    }
}

/// One character that is one column wide everywhere: letters of Latin, Greek and Cyrillic, lines, blocks and braille.
fn is_plain(character: char) -> bool {
    matches!(character,
        '\u{a1}'..='\u{ac}' | '\u{ae}'..='\u{2ff}' | '\u{391}'..='\u{3a1}' | '\u{3a3}'..='\u{3ff}' | '\u{400}'..='\u{482}'
        | '\u{2500}'..='\u{259f}' | '\u{2800}'..='\u{28ff}' | '\u{1cd00}'..='\u{1cde5}' | '\u{1cea0}'..='\u{1ceaf}'
        | '\u{1fb00}'..='\u{1fbca}' | '\u{1fbe6}' | '\u{1fbe7}')
}

impl ratatui::backend::Backend for Backend {
    type Error = Infallible;

    fn draw<'a, I>(&mut self, content: I) -> Result<(), Infallible>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        for (x, y, cell) in content {
            self.cell(x, y, cell);
        }
        self.mend(None);
        Ok(())
    }

    fn append_lines(&mut self, count: u16) -> Result<(), Infallible> {
        self.out.extend(std::iter::repeat_n(b'\n', usize::from(count)));
        self.cursor = None;
        Ok(())
    }

    fn hide_cursor(&mut self) -> Result<(), Infallible> {
        self.show(false);
        Ok(())
    }

    fn show_cursor(&mut self) -> Result<(), Infallible> {
        self.show(true);
        Ok(())
    }

    /// Where the cursor is as far as is known, the upper left otherwise: nothing is asked of the terminal.
    fn get_cursor_position(&mut self) -> Result<Position, Infallible> {
        Ok(self.cursor.unwrap_or_default())
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> Result<(), Infallible> {
        let Position { x, y } = position.into();
        let last = |side: u16| side.saturating_sub(1);
        self.go(Position { x: x.min(last(self.size.width)), y: y.min(last(self.size.height)) });
        Ok(())
    }

    fn clear(&mut self) -> Result<(), Infallible> {
        self.erase(b"\x1b[2J");
        Ok(())
    }

    fn clear_region(&mut self, region: ClearType) -> Result<(), Infallible> {
        self.erase(match region {
            ClearType::All => b"\x1b[2J",
            ClearType::AfterCursor => b"\x1b[J",
            ClearType::BeforeCursor => b"\x1b[1J",
            ClearType::CurrentLine => b"\x1b[2K",
            ClearType::UntilNewLine => b"\x1b[K",
        });
        Ok(())
    }

    fn size(&self) -> Result<Size, Infallible> {
        Ok(self.size)
    }

    /// The size in cells; the size in pixels is not known here.
    fn window_size(&mut self) -> Result<WindowSize, Infallible> {
        Ok(WindowSize { columns_rows: self.size, pixels: Size::default() })
    }

    /// Does nothing: the bytes wait in memory until they are taken.
    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
