use std::num::NonZeroU16;

use proptest::prelude::*;
use ratatui::backend::Backend as _;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};

use super::*;

/// A backend and an emulator that gets its bytes.
struct Rig {
    backend: Backend,
    screen: vt100::Parser,
    drawn: Buffer,
}

impl Rig {
    fn new(columns: u16, rows: u16) -> Self {
        let mut rig = Self {
            backend: Backend::new(Size::new(columns, rows), Depth::Truecolor),
            screen: vt100::Parser::new(side(rows), side(columns), 0),
            drawn: Buffer::empty(Rect::new(0, 0, columns, rows)),
        };
        rig.resize(columns, rows);
        rig
    }

    fn resize(&mut self, columns: u16, rows: u16) {
        self.backend.resize(Size::new(columns, rows));
        self.screen.screen_mut().set_size(side(rows), side(columns));
        let Ok(()) = self.backend.clear();
        self.drawn = Buffer::empty(Rect::new(0, 0, columns, rows));
        self.flush();
    }

    fn draw(&mut self, next: Buffer) -> usize {
        let changes = self.drawn.diff(&next);
        let Ok(()) = self.backend.draw(changes.into_iter());
        self.drawn = next;
        self.flush()
    }

    fn flush(&mut self) -> usize {
        let bytes = self.backend.take();
        self.screen.process(&bytes);
        bytes.len()
    }

    /// The first place where the screen is not as drawn.
    fn difference(&self) -> Option<String> {
        let area = self.drawn.area;
        for y in 0..area.height {
            let mut x = 0;
            while x < area.width {
                let wanted = &self.drawn[(x, y)];
                let found = self.screen.screen().cell(y, x)?;
                let mut symbol = found.contents();
                if symbol.is_empty() {
                    symbol = " ";
                }
                let modifier = wanted.modifier;
                let inked = symbol != " "
                    || modifier.intersects(Modifier::REVERSED | Modifier::UNDERLINED | Modifier::CROSSED_OUT);
                let same = symbol == wanted.symbol()
                    && same_color(found.bgcolor(), wanted.bg)
                    && (!inked || same_color(found.fgcolor(), wanted.fg))
                    && (!inked || found.bold() == modifier.contains(Modifier::BOLD))
                    && (!inked || found.dim() == modifier.contains(Modifier::DIM))
                    && (!inked || found.italic() == modifier.contains(Modifier::ITALIC))
                    && found.underline() == modifier.contains(Modifier::UNDERLINED)
                    && found.inverse() == modifier.contains(Modifier::REVERSED);
                if !same {
                    return Some(format!("at {x},{y}: {found:?} is not {wanted:?}"));
                }
                x += u16::try_from(wanted.symbol().width()).unwrap().max(1);
            }
        }
        None
    }
}

fn side(cells: u16) -> NonZeroU16 {
    NonZeroU16::new(cells).unwrap()
}

fn same_color(found: vt100::Color, wanted: Color) -> bool {
    let named = |index: u8| found == vt100::Color::Idx(index);
    match wanted {
        Color::Reset => found == vt100::Color::Default,
        Color::Rgb(r, g, b) => found == vt100::Color::Rgb(r, g, b),
        Color::Indexed(index) => named(index),
        Color::Red => named(1),
        Color::Gray => named(7),
        Color::DarkGray => named(8),
        Color::White => named(15),
        other => panic!("{other} is not drawn here"),
    }
}

fn color() -> impl Strategy<Value = Color> {
    prop_oneof![
        3 => Just(Color::Reset),
        2 => prop_oneof![Just(Color::Red), Just(Color::Gray), Just(Color::DarkGray), Just(Color::White)],
        2 => any::<u8>().prop_map(Color::Indexed),
        2 => (any::<u8>(), 0u8..3, 0u8..120).prop_map(|(r, g, b)| Color::Rgb(r, g, b)),
    ]
}

fn style() -> impl Strategy<Value = Style> {
    // Bold and dim at once are one attribute to the emulator.
    let modifier = prop_oneof![
        4 => Just(Modifier::empty()),
        1 => Just(Modifier::BOLD),
        1 => Just(Modifier::DIM | Modifier::ITALIC),
        1 => Just(Modifier::BOLD | Modifier::UNDERLINED | Modifier::REVERSED),
        1 => Just(Modifier::SLOW_BLINK | Modifier::CROSSED_OUT),
    ];
    (color(), color(), modifier).prop_map(|(fg, bg, modifier)| {
        Style::new().fg(fg).bg(bg).remove_modifier(Modifier::all()).add_modifier(modifier)
    })
}

/// Texts at places; where they overlap the later lies over the earlier.
fn texts() -> impl Strategy<Value = Vec<(u16, u16, String, Style)>> {
    let text = prop_oneof![
        4 => "[ a-c]{1,9}",
        2 => "[▀▄█▌⣿é]{1,6}",
        1 => "[\u{1fb00}\u{1cd00}\u{1cde5}]{1,4}",
        2 => "[世界x 😀]{1,5}",
        1 => Just("e\u{301}o".to_string()),
    ];
    prop::collection::vec((0u16..24, 0u16..8, text, style()), 0..12)
}

fn buffer(columns: u16, rows: u16, texts: &[(u16, u16, String, Style)]) -> Buffer {
    let mut buffer = Buffer::empty(Rect::new(0, 0, columns, rows));
    for (x, y, text, style) in texts {
        if *x < columns && *y < rows {
            buffer.set_stringn(*x, *y, text, usize::from(columns - x), *style);
        }
    }
    // Half of a wide character under another text is no cell that anybody means to show.
    for y in 0..rows {
        for x in 0..columns {
            let width = u16::try_from(buffer[(x, y)].symbol().width()).unwrap();
            if width > 1 && (x + 1 >= columns || buffer[(x + 1, y)].symbol() != " ") {
                buffer[(x, y)].set_symbol("?");
            }
        }
    }
    buffer
}

proptest! {
    #[test]
    fn an_emulator_shows_what_was_drawn_after_any_changes(
        size in (1u16..24, 1u16..8),
        other in (1u16..24, 1u16..8),
        first in prop::collection::vec(texts(), 1..5),
        second in prop::collection::vec(texts(), 0..4),
    ) {
        let mut rig = Rig::new(size.0, size.1);
        for texts in &first {
            rig.draw(buffer(size.0, size.1, texts));
            prop_assert_eq!(rig.difference(), None);
        }
        rig.resize(other.0, other.1);
        for texts in &second {
            rig.draw(buffer(other.0, other.1, texts));
            prop_assert_eq!(rig.difference(), None);
        }
    }

    #[test]
    fn the_cursor_stands_where_it_was_put(moves in prop::collection::vec((0u16..24, 0u16..8, "[a世é]?"), 1..20)) {
        let mut rig = Rig::new(24, 8);
        for (x, y, text) in moves {
            let mut next = rig.drawn.clone();
            next.set_stringn(x, y, &text, usize::from(24 - x), Style::new());
            let changes: Vec<_> = rig.drawn.diff(&next);
            let Ok(()) = rig.backend.draw(changes.into_iter());
            rig.drawn = next;
            let Ok(()) = rig.backend.set_cursor_position((x, y));
            rig.flush();
            prop_assert_eq!(rig.screen.screen().cursor_position(), (y, x));
        }
    }

    #[test]
    fn nothing_outside_the_screen_is_written(x in any::<u16>(), y in any::<u16>(), columns in 0u16..4, rows in 0u16..4) {
        let mut backend = Backend::new(Size::new(columns, rows), Depth::Truecolor);
        let Ok(()) = backend.draw([(x, y, &Cell::new("x"))].into_iter());
        prop_assert_eq!(backend.take().is_empty(), x >= columns || y >= rows);
    }
}

fn drawn(cells: &[(u16, u16, Cell)], depth: Depth) -> String {
    let mut backend = Backend::new(Size::new(80, 24), depth);
    let Ok(()) = backend.clear();
    let Ok(()) = backend.set_cursor_position((0, 0));
    let _ = backend.take();
    let Ok(()) = backend.draw(cells.iter().map(|(x, y, cell)| (*x, *y, cell)));
    String::from_utf8(backend.take()).unwrap()
}

fn cell(symbol: &'static str, fg: Color, bg: Color) -> Cell {
    Cell::new(symbol).set_fg(fg).set_bg(bg).clone()
}

#[test]
fn only_what_changes_is_written() {
    let (a, b) = (Color::Rgb(1, 2, 3), Color::Rgb(4, 5, 6));
    let bytes = drawn(
        &[
            (0, 0, cell("▀", a, b)),
            (1, 0, cell("▄", a, b)),
            (3, 0, cell("▀", b, b)),
            (5, 0, cell(" ", a, b)),
            (6, 0, cell("x", a, Color::Reset)),
            (0, 1, cell("x", a, Color::Reset)),
        ],
        Depth::Truecolor,
    );
    assert_eq!(bytes, "\x1b[38;2;1;2;3;48;2;4;5;6m▀▄\x1b[C\x1b[38;2;4;5;6m▀\x1b[C \x1b[;38;2;1;2;3mx\r\nx");
}

#[test]
fn a_reset_is_written_where_it_is_shorter() {
    let plain = cell("y", Color::Reset, Color::Reset);
    let loud =
        cell("x", Color::Red, Color::Rgb(1, 2, 3)).set_style(Modifier::BOLD | Modifier::UNDERLINED).clone();
    let quiet = cell("z", Color::Red, Color::Reset);
    assert_eq!(
        drawn(&[(0, 0, loud.clone()), (1, 0, plain)], Depth::Truecolor),
        "\x1b[1;4;31;48;2;1;2;3mx\x1b[my"
    );
    assert_eq!(drawn(&[(0, 0, loud), (1, 0, quiet)], Depth::Truecolor), "\x1b[1;4;31;48;2;1;2;3mx\x1b[;31mz");
}

#[test]
fn colours_are_those_that_the_terminal_has() {
    let grey = cell("x", Color::Rgb(128, 128, 128), Color::Rgb(255, 0, 0));
    assert_eq!(drawn(&[(0, 0, grey.clone())], Depth::Indexed256), "\x1b[38;5;244;48;5;196mx");
    assert_eq!(drawn(&[(0, 0, grey.clone())], Depth::Indexed16), "\x1b[90;101mx");
    assert_eq!(drawn(&[(0, 0, grey)], Depth::Monochrome), "x");
}

#[test]
fn what_controls_a_terminal_is_not_written() {
    let bytes = drawn(
        &[
            (0, 0, cell("\x1b]52;c;x\x07", Color::Reset, Color::Reset)),
            (9, 0, cell("\u{9b}", Color::Reset, Color::Reset)),
        ],
        Depth::Truecolor,
    );
    assert!(!bytes.contains(['\x07', '\u{9b}']) && !bytes.contains("\x1b]"), "{bytes:?}");
}

#[test]
fn after_a_forget_nothing_is_taken_for_granted() {
    let mut backend = Backend::new(Size::new(80, 24), Depth::Truecolor);
    let red = cell("x", Color::Red, Color::Reset);
    let Ok(()) = backend.draw([(0, 0, &red)].into_iter());
    let Ok(()) = backend.hide_cursor();
    let first = backend.take();
    let Ok(()) = backend.hide_cursor();
    assert!(backend.take().is_empty());
    backend.forget();
    let Ok(()) = backend.draw([(0, 0, &red)].into_iter());
    let Ok(()) = backend.hide_cursor();
    assert_eq!(backend.take(), first);
    assert_eq!(first, b"\x1b[H\x1b[0;31mx\x1b[?25l");
}
