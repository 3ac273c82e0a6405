//! What is known of terminals by their name, because it can't be asked.
//!
//! Owns one table. A name comes from XTVERSION, else from variables. What can be asked (graphics, colours, modes) is never
//! taken from here when there was an answer.

use super::capabilities::Notification;
use super::environment::Environment;
use crate::tui::render::Keeps;

/// What a terminal of this name can do from a version on; `None` is never.
#[derive(Debug)]
pub(super) struct Known {
    /// The name as XTVERSION gives it, in lower case.
    name: &'static str,
    /// Draws octants (Unicode 16) itself from this version on. From the terminals' own release notes and sources:
    /// kitty 0.40, foot 1.20, ghostty 1.2, VTE 0.78.
    octants: Option<[u32; 2]>,
    /// Draws sextants (Unicode 13) itself from this version on, so that no font has to have them.
    sextants: Option<[u32; 2]>,
    /// Shows iTerm2's inline images from this version on.
    iterm2: Option<[u32; 2]>,
    /// Draws kitty's images in placeholder cells from this version on, which is how they pass through tmux.
    placeholders: Option<[u32; 2]>,
    /// What it keeps of a sixel picture beneath the next, as it was seen to do: nothing, unless it was looked at.
    sixel_keeps: Keeps,
    /// How it is asked for a desktop notification.
    pub(super) notification: Notification,
    /// It has 24-bit colour and UTF-8 in every version that gives this name.
    pub(super) modern: bool,
}

const ANY: Option<[u32; 2]> = Some([0, 0]);

const fn known(name: &'static str) -> Known {
    Known {
        name,
        octants: None,
        sextants: None,
        iterm2: None,
        placeholders: None,
        sixel_keeps: Keeps::Nothing,
        notification: Notification::None,
        modern: true,
    }
}

const TABLE: &[Known] = &[
    Known {
        octants: Some([0, 40]),
        sextants: Some([0, 20]),
        placeholders: Some([0, 28]),
        notification: Notification::Osc99,
        ..known("kitty")
    },
    Known {
        octants: Some([1, 20]),
        sextants: Some([1, 7]),
        sixel_keeps: Keeps::Everything,
        notification: Notification::Osc777,
        ..known("foot")
    },
    Known {
        octants: Some([1, 2]),
        sextants: ANY,
        placeholders: ANY,
        notification: Notification::Osc777,
        ..known("ghostty")
    },
    // VTE counts 0.78.2 as 7802.
    Known { octants: Some([7800, 0]), sextants: Some([6200, 0]), ..known("vte") },
    Known { sextants: ANY, iterm2: ANY, notification: Notification::Osc777, ..known("wezterm") },
    Known { iterm2: Some([2, 9]), notification: Notification::Osc9, ..known("iterm2") },
    Known { iterm2: Some([2, 9]), notification: Notification::Osc9, ..known("mintty") },
    Known { iterm2: Some([22, 4]), ..known("konsole") },
    Known { sextants: Some([0, 16]), ..known("alacritty") },
    Known { sextants: ANY, ..known("contour") },
    Known { sextants: Some([1, 22]), ..known("windows-terminal") },
    Known { modern: false, sixel_keeps: Keeps::Shown, ..known("xterm") },
    Known { modern: false, ..known("mlterm") },
];

/// A terminal's name and version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    name: String,
    version: [u32; 2],
}

impl Identity {
    /// From what XTVERSION answers: `kitty(0.26.5)`, `tmux 3.3a`, `WezTerm 20240203-110809-5046fc22`.
    pub(super) fn parse(text: &str) -> Self {
        let end = text.find(['(', ' ']).unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        let mut numbers = rest
            .split(|c: char| !c.is_ascii_digit())
            .filter(|digits| !digits.is_empty())
            .map(|digits| digits.parse().unwrap_or(u32::MAX));
        Self {
            name: name.to_ascii_lowercase(),
            version: [numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)],
        }
    }

    /// From variables, where the terminal does not say its name.
    pub(super) fn of_environment(environment: &Environment) -> Option<Self> {
        // GNU screen answers for itself and hides the terminal around it, whose variables are still there.
        if environment.term.starts_with("screen") {
            return None;
        }
        let text = match environment.program.as_str() {
            "iTerm.app" => format!("iTerm2 {}", environment.program_version),
            program @ ("WezTerm" | "ghostty" | "mintty") => {
                format!("{program} {}", environment.program_version)
            }
            _ if !environment.vte.is_empty() => format!("vte {}", environment.vte),
            _ if environment.windows_terminal => "windows-terminal 0".to_owned(),
            // Its version is told by nothing, and those without sextants are getting rare only slowly.
            _ if environment.term.starts_with("alacritty") => "alacritty 0".to_owned(),
            _ => return None,
        };
        Some(Self::parse(&text))
    }

    /// The row of the table.
    pub(super) fn known(&self) -> Option<&'static Known> {
        TABLE.iter().find(|row| row.name == self.name)
    }

    pub(super) fn octants(&self) -> bool {
        self.has(|row| row.octants)
    }

    pub(super) fn sextants(&self) -> bool {
        self.has(|row| row.sextants)
    }

    pub(super) fn iterm2(&self) -> bool {
        self.has(|row| row.iterm2)
    }

    pub(super) fn placeholders(&self) -> bool {
        self.has(|row| row.placeholders)
    }

    pub(super) fn sixel_keeps(&self) -> Keeps {
        self.known().map_or(Keeps::Nothing, |row| row.sixel_keeps)
    }

    /// True when this is tmux, of at least `version`.
    pub(super) fn is_tmux(&self, version: [u32; 2]) -> bool {
        self.name == "tmux" && self.version >= version
    }

    fn has(&self, since: impl Fn(&Known) -> Option<[u32; 2]>) -> bool {
        self.known().and_then(since).is_some_and(|since| self.version >= since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_decide_what_a_name_stands_for() {
        for (text, octants, sextants, iterm2) in [
            ("kitty(0.26.5)", false, true, false),
            ("kitty(0.40.0)", true, true, false),
            ("foot(1.13.1)", false, true, false),
            ("foot(1.20.2-12-gabc)", true, true, false),
            ("ghostty 1.1.3", false, true, false),
            ("ghostty 1.2.0-main+abc", true, true, false),
            ("WezTerm 20240203-110809-5046fc22", false, true, true),
            ("VTE(7600)", false, true, false),
            ("VTE(7802)", true, true, false),
            ("iTerm2 3.5.0", false, false, true),
            ("XTerm(379)", false, false, false),
            ("99999999999999999999(", false, false, false),
            ("", false, false, false),
        ] {
            let found = Identity::parse(text);
            assert_eq!(
                (found.octants(), found.sextants(), found.iterm2()),
                (octants, sextants, iterm2),
                "{text}"
            );
        }
    }

    #[test]
    fn tmux_says_its_version_with_a_letter() {
        assert!(Identity::parse("tmux 3.3a").is_tmux([3, 3]));
        assert!(!Identity::parse("tmux 3.3a").is_tmux([3, 4]));
        assert!(Identity::parse("tmux 3.5").is_tmux([3, 4]));
        assert!(Identity::parse("tmux next-3.6").is_tmux([3, 6]));
    }
}
