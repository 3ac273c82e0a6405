//! How things look: nothing but the terminal's own foreground and background, weight, reverse and a few colours of the
//! 16 that are readable on light and on dark.
//!
//! Owns styles. Nothing is said by colour alone: whoever draws also says it in a word or a sign.

use ratatui::style::{Color, Modifier, Style};

/// The styles of the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Theme {
    /// What to read first.
    pub strong: Style,
    /// What can be passed over.
    pub quiet: Style,
    /// The selected row, a pressed button.
    pub selected: Style,
    /// Keys in hints and help.
    pub key: Style,
    /// As it should be.
    pub good: Style,
    /// Not quite.
    pub fair: Style,
    /// Wrong, or off.
    pub bad: Style,
    /// What must not be overlooked.
    pub alarm: Style,
}

impl Default for Theme {
    fn default() -> Self {
        let plain = Self::monochrome();
        Self {
            good: Style::new().fg(Color::Green).add_modifier(Modifier::BOLD),
            fair: Style::new().fg(Color::Magenta),
            bad: Style::new().fg(Color::Red).add_modifier(Modifier::BOLD),
            ..plain
        }
    }
}

impl Theme {
    /// Without any colour, as `NO_COLOR` asks for.
    #[must_use]
    pub fn monochrome() -> Self {
        let bold = Style::new().add_modifier(Modifier::BOLD);
        Self {
            strong: bold,
            quiet: Style::new().add_modifier(Modifier::DIM),
            selected: Style::new().add_modifier(Modifier::REVERSED),
            key: bold,
            good: bold,
            fair: Style::new(),
            bad: bold,
            alarm: bold.add_modifier(Modifier::REVERSED),
        }
    }
}
