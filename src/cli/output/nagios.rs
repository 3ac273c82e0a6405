//! One line and an exit status for Nagios, Icinga and whatever else runs their plugins. Pure: plain data in, text out.

use super::human::clean;

/// Longest text before the figures, in columns: monitors cut long lines anyhow.
const LONGEST: usize = 300;

/// What a plugin says of its service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// As it should be.
    Ok,
    /// Works, and wants to be looked at.
    Warning,
    /// Does not work.
    Critical,
    /// Could not be found out.
    Unknown,
}

impl State {
    /// The process's exit status.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Warning => 1,
            Self::Critical => 2,
            Self::Unknown => 3,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// What the line says.
#[derive(Debug, Clone, PartialEq)]
pub struct Service {
    /// How it is.
    pub state: State,
    /// Why, for a person.
    pub text: String,
    /// Figures: the label, whose end tells the unit (`_ms`, `_s`, `_pct`), and the value. What is not finite is left out.
    pub figures: Vec<(String, f64)>,
}

/// The line, without its end.
#[must_use]
pub fn write(service: &Service) -> String {
    let text = clean(&service.text).truncate(LONGEST).as_str().replace('|', "/");
    let figures: Vec<String> = service
        .figures
        .iter()
        .filter(|(_, value)| value.is_finite())
        .map(|(label, value)| format!("'{}'={value}{}", self::label(label), unit(label)))
        .collect();
    let figures = if figures.is_empty() { String::new() } else { format!(" | {}", figures.join(" ")) };
    format!("LETSMEET {} - {text}{figures}", service.state.word())
}

fn label(text: &str) -> String {
    clean(text).as_str().chars().map(|c| if matches!(c, '\'' | '=' | '|') { '_' } else { c }).collect()
}

/// The units that plugins know; a count has none.
fn unit(label: &str) -> &'static str {
    let last = label.rsplit('.').next().unwrap_or(label);
    let ends = |end: &str| label.split('.').any(|part| part.ends_with(end));
    match () {
        () if last.ends_with("_pct") => "%",
        () if last.ends_with("_days") => "",
        () if ends("_ms") => "ms",
        () if ends("_s") => "s",
        () => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_has_the_state_the_text_and_figures_with_units() {
        let service = Service {
            state: State::Warning,
            text: "2 warnings".into(),
            figures: vec![
                ("tcp_ms".into(), 0.5),
                ("path.rtt_ms.p50".into(), 12.0),
                ("audio.concealed_pct".into(), 1.5),
                ("clock.offset_s".into(), -0.2),
                ("video.fps".into(), 25.0),
                ("nothing".into(), f64::NAN),
            ],
        };
        assert_eq!(
            write(&service),
            "LETSMEET WARNING - 2 warnings | 'tcp_ms'=0.5ms 'path.rtt_ms.p50'=12ms 'audio.concealed_pct'=1.5% \
             'clock.offset_s'=-0.2s 'video.fps'=25"
        );
        let codes = [State::Ok, State::Warning, State::Critical, State::Unknown].map(State::code);
        assert_eq!(codes, [0, 1, 2, 3]);
    }

    #[test]
    fn remote_text_can_neither_begin_another_line_nor_pass_for_figures() {
        let hostile = "a|'x'=1\n\u{1b}[2JOK\u{202e}";
        let service =
            Service { state: State::Critical, text: hostile.into(), figures: vec![(hostile.into(), 1.0)] };
        let line = write(&service);
        assert!(!line.chars().any(|c| c.is_control() || c == '\u{202e}'), "{line:?}");
        assert_eq!(line.matches('|').count(), 1, "{line}");
        assert!(line.starts_with("LETSMEET CRITICAL - a/"), "{line}");
        let long = Service { state: State::Ok, text: "x".repeat(5000), figures: Vec::new() };
        assert!(write(&long).chars().count() < 400);
    }
}
