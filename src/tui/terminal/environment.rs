//! What the environment says of the terminal.
//!
//! Owns the variables that matter, read once through a function so that tests need no process of their own. Knows
//! nothing of what the terminal itself answers, which is believed first: variables are inherited by terminals
//! started in terminals and travel over ssh.

/// The environment, as far as it tells of the terminal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment {
    /// `TERM`.
    pub term: String,
    /// `COLORTERM`.
    pub colorterm: String,
    /// `TERM_PROGRAM` and its version.
    pub program: String,
    /// `TERM_PROGRAM_VERSION`.
    pub program_version: String,
    /// `VTE_VERSION`, set by terminals made with VTE.
    pub vte: String,
    /// `WT_SESSION`, set by Windows Terminal.
    pub windows_terminal: bool,
    /// The first of `LC_ALL`, `LC_CTYPE` and `LANG` that says anything.
    pub locale: String,
    /// `NO_COLOR` is there and not empty (<https://no-color.org>).
    pub no_color: bool,
    /// `TMUX` is there.
    pub tmux: bool,
    /// `TMUX_PANE`.
    pub tmux_pane: String,
    /// `SSH_CONNECTION` or `SSH_TTY` is there: answers take longer, and no memory is shared.
    pub ssh: bool,
}

impl Environment {
    /// Reads the process's own environment.
    #[must_use]
    pub fn of_process() -> Self {
        Self::read(|name| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned()))
    }

    /// Reads variables by `variable`.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Self {
        let text = |name: &str| variable(name).unwrap_or_default();
        let there = |name: &str| variable(name).is_some_and(|value| !value.is_empty());
        Self {
            term: text("TERM"),
            colorterm: text("COLORTERM"),
            program: text("TERM_PROGRAM"),
            program_version: text("TERM_PROGRAM_VERSION"),
            vte: text("VTE_VERSION"),
            windows_terminal: there("WT_SESSION"),
            locale: ["LC_ALL", "LC_CTYPE", "LANG"]
                .into_iter()
                .map(text)
                .find(|value| !value.is_empty())
                .unwrap_or_default(),
            no_color: there("NO_COLOR"),
            tmux: there("TMUX"),
            tmux_pane: text("TMUX_PANE"),
            ssh: there("SSH_CONNECTION") || there("SSH_TTY"),
        }
    }

    /// Whether the locale writes UTF-8; `None` when no locale is set.
    #[must_use]
    pub fn utf8(&self) -> Option<bool> {
        if self.locale.is_empty() {
            return None;
        }
        let locale = self.locale.to_ascii_lowercase();
        Some(locale.contains("utf-8") || locale.contains("utf8"))
    }

    /// A terminal that can do nothing but lines.
    #[must_use]
    pub fn is_dumb(&self) -> bool {
        matches!(self.term.as_str(), "" | "dumb" | "unknown")
    }

    /// The text console of Linux (not of a terminal emulator).
    #[must_use]
    pub fn is_linux_console(&self) -> bool {
        self.term == "linux" || self.term.starts_with("linux-")
    }
}
