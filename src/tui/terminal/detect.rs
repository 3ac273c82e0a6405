//! Finds out what the terminal can do: one batch of questions, the last of which every terminal answers.
//!
//! Owns the questions and what follows from the answers and the environment. Pure: the guard writes the questions, feeds the
//! answers and keeps the time. What comes after the time is up is swallowed by the input parser as every answer is.

use std::time::Duration;

use super::capabilities::{Capabilities, Notification};
use super::environment::Environment;
use super::input::{Colour, Reply};
use super::known::Identity;
use super::multiplexer::Multiplexer;
use crate::tui::render::{CellSize, Depth, Keeps};

/// How long a terminal on this machine may take to answer.
pub const LOCAL: Duration = Duration::from_millis(250);

/// How long it may take over ssh.
pub const REMOTE: Duration = Duration::from_secs(1);

/// Numbers of the two questions about kitty graphics.
const DIRECT: u32 = 31;
const SHARED: u32 = 32;

/// The mode of synchronized updates.
const SYNCHRONIZED: u16 = 2026;

/// The colour that is set and asked back; no palette holds it.
const PROBE_COLOUR: [u8; 3] = [1, 2, 3];

/// The longest name that is kept.
const LONGEST_NAME: usize = 64;

/// One thing that was found, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it is about: a word or two.
    pub what: &'static str,
    /// What was found.
    pub value: String,
    /// How.
    pub how: &'static str,
}

/// What the system says of the window: TIOCGWINSZ.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Window {
    /// Columns.
    pub columns: u16,
    /// Rows.
    pub rows: u16,
    /// Pixels across; 0 when not told.
    pub width: u16,
    /// Pixels down; 0 when not told.
    pub height: u16,
}

/// The answers as they come in.
#[derive(Debug, Default)]
pub struct Probe {
    version: Option<String>,
    attributes: Option<Vec<u16>>,
    answered_after: Option<Duration>,
    direct: Option<bool>,
    shared: Option<bool>,
    registers: Option<u16>,
    synchronized: bool,
    keyboard: bool,
    truecolor: Option<bool>,
    cell: Option<(u16, u16)>,
    area: Option<(u16, u16)>,
    background: Option<[u8; 3]>,
}

/// The questions for a terminal in this environment. `shared` is the name of a shared memory object that holds one
/// pixel, when memory can be shared. Empty for a terminal that would print them.
#[must_use]
pub fn questions(
    environment: &Environment,
    multiplexer: Option<&Multiplexer>,
    shared: Option<&str>,
) -> Vec<u8> {
    if environment.is_dumb() {
        return Vec::new();
    }
    let mut out = Vec::new();
    // The Linux console prints the inside of strings in older kernels; it has nothing to say to them either.
    if !environment.is_linux_console() {
        // Name; kitty graphics.
        out.extend_from_slice(b"\x1b[>0q");
        let direct = format!("\x1b_Gi={DIRECT},s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\");
        if multiplexer.is_none() {
            out.extend_from_slice(direct.as_bytes());
            if let Some(name) = shared {
                let name = base64(name.as_bytes());
                out.extend_from_slice(
                    format!("\x1b_Gi={SHARED},s=1,v=1,a=q,t=s,f=24;{name}\x1b\\").as_bytes(),
                );
            }
        } else if multiplexer.is_some_and(|tmux| tmux.passthrough) {
            let wrapped = direct.replace('\x1b', "\x1b\x1b");
            out.extend_from_slice(format!("\x1bPtmux;{wrapped}\x1b\\").as_bytes());
        }
        // Sixel colours; synchronized updates; keyboard protocol; cell and area in pixels.
        out.extend_from_slice(b"\x1b[?1;1;0S\x1b[?2026$p\x1b[?u\x1b[16t\x1b[14t");
        // A colour is set and asked back: a terminal without true colour answers with the nearest it has.
        let [red, green, blue] = PROBE_COLOUR;
        out.extend_from_slice(format!("\x1b[38;2;{red};{green};{blue}m\x1bP$qm\x1b\\\x1b[0m").as_bytes());
        out.extend_from_slice(b"\x1b]11;?\x1b\\");
    }
    // The fence: everything before it is answered before it.
    out.extend_from_slice(b"\x1b[c");
    out
}

impl Probe {
    /// Takes an answer that came `after` the questions were sent.
    pub fn take(&mut self, reply: &Reply, after: Duration) {
        match reply {
            Reply::Version(text) => self.version = clean(text),
            Reply::Attributes(numbers) if self.attributes.is_none() => {
                self.attributes = Some(numbers.clone());
                self.answered_after = Some(after);
            }
            Reply::Graphics { id: DIRECT, ok } => self.direct = Some(*ok),
            Reply::Graphics { id: SHARED, ok } => self.shared = Some(*ok),
            Reply::Registers { item: 1, status: 0, value } => self.registers = Some(*value),
            // 1 set, 2 reset, 3 always set; 0 is unknown, 4 is never.
            Reply::Mode { mode: SYNCHRONIZED, state } => self.synchronized = matches!(state, 1..=3),
            Reply::Keyboard(_) => self.keyboard = true,
            Reply::Setting { valid: true, text } => self.truecolor = Some(shows_probe_colour(text)),
            Reply::Window { kind: 6, height, width } => self.cell = Some((*width, *height)),
            Reply::Window { kind: 4, height, width } => self.area = Some((*width, *height)),
            Reply::Colour { of: Colour::Background, rgb } => self.background = Some(*rgb),
            _ => {}
        }
    }

    /// True when nothing more has to be waited for. Through tmux the answer about kitty comes from farther away than
    /// the fence.
    #[must_use]
    pub fn is_complete(&self, multiplexer: Option<&Multiplexer>) -> bool {
        let through = multiplexer.is_some_and(|tmux| tmux.passthrough);
        self.attributes.is_some() && (!through || self.direct.is_some())
    }

    /// What follows from the answers, and how each thing was found.
    #[must_use]
    pub fn finish(
        self,
        environment: &Environment,
        multiplexer: Option<&Multiplexer>,
        window: Window,
    ) -> (Capabilities, Vec<Finding>) {
        let mut found = Findings::default();
        let own = self.version.as_deref().map(Identity::parse);
        let in_tmux = multiplexer.is_some() || own.as_ref().is_some_and(|own| own.is_tmux([0, 0]));
        // What draws in the end: inside tmux the terminal around it, as far as tmux knows it.
        let around = multiplexer.and_then(|tmux| tmux.outer.as_deref()).map(Identity::parse);
        let drawing = match (in_tmux, &own) {
            (true, _) => around,
            (false, Some(own)) => Some(own.clone()),
            (false, None) => Identity::of_environment(environment),
        };
        let known = drawing.as_ref().and_then(Identity::known);
        let modern = known.is_some_and(|known| known.modern);

        let name_how = if self.version.is_some() { "XTVERSION" } else { "no answer to XTVERSION" };
        found.add("terminal", self.version.clone().unwrap_or_else(|| "unknown".to_owned()), name_how);
        found.add("TERM", printable(&environment.term), "environment");
        let tmux = in_tmux.then(|| {
            multiplexer
                .and_then(|tmux| tmux.version.clone())
                .or_else(|| self.version.as_deref().and_then(|v| v.strip_prefix("tmux ")).map(str::to_owned))
                .unwrap_or_else(|| "unknown".to_owned())
        });
        if let Some(version) = &tmux {
            found.add("tmux", version.clone(), "TMUX and its own answers");
            let through = multiplexer.is_some_and(|tmux| tmux.passthrough);
            found.yes("tmux pass-through", through, "allow-passthrough of this pane");
        }
        let answers = self.attributes.is_some();
        found.yes("answers", answers, "DA1");

        let (utf8, how) = match environment.utf8() {
            Some(utf8) => (utf8, "locale"),
            None if modern => (true, "no locale is set; this terminal knows nothing else"),
            None => (false, "no locale is set"),
        };
        found.yes("UTF-8", utf8, how);
        let (depth, how) = self.depth(environment, multiplexer, modern);
        found.add("colours", depth_name(depth).to_owned(), how);

        // Through tmux they have to be drawn in placeholder cells, which can't be asked for.
        let placed = !in_tmux || drawing.as_ref().is_some_and(Identity::placeholders);
        let kitty = self.direct == Some(true) && placed;
        let how = match self.direct {
            Some(_) if !placed => "asked, but not in the cells that tmux needs",
            Some(_) => "asked",
            None => "asked, no answer",
        };
        found.yes("kitty graphics", kitty, how);
        let shared_memory = kitty && self.shared == Some(true);
        let how = match self.shared {
            Some(_) => "asked",
            None if environment.ssh => "not over ssh",
            None if in_tmux => "not through tmux",
            None => "asked, no answer",
        };
        found.yes("kitty shared memory", shared_memory, how);
        // Through tmux only what tmux lets pass; it does not say whether the terminal around it drew anything.
        let iterm2 = drawing.as_ref().is_some_and(Identity::iterm2)
            && (!in_tmux || multiplexer.is_some_and(|tmux| tmux.passthrough));
        found.yes("iTerm2 images", iterm2, "by the terminal's name");
        let has_sixel = self.attributes.as_ref().is_some_and(|all| all.iter().skip(1).any(|&n| n == 4));
        let sixel = has_sixel.then(|| self.registers.filter(|&n| n >= 2).unwrap_or(256).min(1024));
        found.yes("sixel", has_sixel, "DA1");
        if let Some(registers) = sixel {
            let how = if self.registers.is_some() { "XTSMGRAPHICS" } else { "not told" };
            found.add("sixel colours", registers.to_string(), how);
        }

        // tmux has pictures of its own and draws them anew by rules of its own.
        let sixel_keeps = match &drawing {
            Some(drawing) if !in_tmux => drawing.sixel_keeps(),
            _ => Keeps::Nothing,
        };

        // tmux before 3.4 is older than octants and measures them by tables that do not have them.
        let tables = !in_tmux || own.as_ref().is_some_and(|own| own.is_tmux([3, 4]));
        let octants = utf8 && tables && drawing.as_ref().is_some_and(Identity::octants);
        let sextants = utf8 && drawing.as_ref().is_some_and(Identity::sextants);
        found.yes("octants", octants, "by the terminal's name and version");
        found.yes("sextants", sextants, "by the terminal's name and version");

        let (cell, how) = self.cell(window);
        match cell {
            Some(cell) => found.add("cell", format!("{}x{} pixels", cell.width, cell.height), how),
            None => found.add("cell", "unknown, taken as 8x16".to_owned(), how),
        }
        found.yes("synchronized updates", self.synchronized, "DECRQM 2026");
        found.yes("keyboard protocol", self.keyboard, "CSI ? u");
        // tmux keeps notifications to itself.
        let notification =
            if in_tmux { Notification::None } else { known.map_or(Notification::None, |k| k.notification) };
        found.add("notifications", notification_name(notification).to_owned(), "by the terminal's name");
        let background = self.background.map_or_else(
            || "unknown".to_owned(),
            |[red, green, blue]| format!("#{red:02x}{green:02x}{blue:02x}"),
        );
        found.add("background", background, "OSC 11");
        if let Some(after) = self.answered_after {
            found.add(
                "answered after",
                format!("{:.1} ms", after.as_secs_f64() * 1000.0),
                "from the questions to DA1",
            );
        }

        let capabilities = Capabilities {
            name: self.version,
            kitty,
            shared_memory,
            iterm2,
            sixel,
            sixel_keeps,
            octants,
            sextants,
            quadrants: !environment.is_linux_console(),
            utf8,
            depth,
            cell,
            synchronized: self.synchronized,
            keyboard: self.keyboard,
            notification,
            background: self.background,
            tmux,
            answers,
            link: self.answered_after,
        };
        (capabilities, found.0)
    }

    fn depth(
        &self,
        environment: &Environment,
        multiplexer: Option<&Multiplexer>,
        modern: bool,
    ) -> (Depth, &'static str) {
        let term = environment.term.as_str();
        if environment.no_color {
            return (Depth::Monochrome, "NO_COLOR");
        }
        if environment.is_dumb() || term.starts_with("vt1") || term.starts_with("vt2") {
            return (Depth::Monochrome, "TERM");
        }
        match self.truecolor {
            Some(true) => return (Depth::Truecolor, "a colour was set and asked back"),
            Some(false) => return (Depth::Indexed256, "a colour was set, another came back"),
            None => {}
        }
        if multiplexer.is_some_and(|tmux| tmux.truecolor) {
            return (Depth::Truecolor, "tmux says RGB of the terminal around it");
        }
        if matches!(environment.colorterm.as_str(), "truecolor" | "24bit") {
            return (Depth::Truecolor, "COLORTERM");
        }
        if term.ends_with("-direct") {
            return (Depth::Truecolor, "TERM");
        }
        if modern {
            return (Depth::Truecolor, "by the terminal's name");
        }
        if term.contains("256color") {
            return (Depth::Indexed256, "TERM");
        }
        (Depth::Indexed16, "TERM")
    }

    fn cell(&self, window: Window) -> (Option<CellSize>, &'static str) {
        let divided = |(width, height): (u16, u16)| {
            sensible(width.checked_div(window.columns)?, height.checked_div(window.rows)?)
        };
        if let Some(cell) = self.cell.and_then(|(width, height)| sensible(width, height)) {
            return (Some(cell), "CSI 16 t");
        }
        if let Some(cell) = self.area.and_then(divided) {
            return (Some(cell), "CSI 14 t by the size in cells");
        }
        match divided((window.width, window.height)) {
            Some(cell) => (Some(cell), "TIOCGWINSZ"),
            None => (None, "nobody told"),
        }
    }
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, what: &'static str, value: String, how: &'static str) {
        self.0.push(Finding { what, value, how });
    }

    fn yes(&mut self, what: &'static str, yes: bool, how: &'static str) {
        self.add(what, if yes { "yes" } else { "no" }.to_owned(), how);
    }
}

/// Cells of 1x1 (a terminal that lies) to 255x255 (a wall).
fn sensible(width: u16, height: u16) -> Option<CellSize> {
    let side = 2..=255;
    (side.contains(&width) && side.contains(&height)).then_some(CellSize { width, height })
}

/// `38:2::1:2:3`, `38:2:1:2:3` or `38;2;1;2;3` somewhere in the setting.
fn shows_probe_colour(setting: &str) -> bool {
    let numbers: Vec<&str> =
        setting.trim_end_matches('m').split([';', ':']).filter(|part| !part.is_empty()).collect();
    let wanted: Vec<String> = PROBE_COLOUR.iter().map(u8::to_string).collect();
    numbers.windows(5).any(|part| part[..2] == ["38", "2"] && part[2..].iter().eq(wanted.iter()))
        // A colour space of 0 between them.
        || numbers.windows(6).any(|part| part[..3] == ["38", "2", "0"] && part[3..].iter().eq(wanted.iter()))
}

fn depth_name(depth: Depth) -> &'static str {
    match depth {
        Depth::Truecolor => "24 bits",
        Depth::Indexed256 => "256",
        Depth::Indexed16 => "16",
        Depth::Monochrome => "none",
    }
}

fn notification_name(notification: Notification) -> &'static str {
    match notification {
        Notification::None => "none",
        Notification::Osc9 => "OSC 9",
        Notification::Osc99 => "OSC 99",
        Notification::Osc777 => "OSC 777",
    }
}

/// What a terminal calls itself is shown to people, so it must not be able to do anything.
fn clean(text: &str) -> Option<String> {
    let name = printable(text).trim().to_owned();
    (!name.is_empty()).then_some(name)
}

fn printable(text: &str) -> String {
    text.chars().filter(|c| matches!(c, ' '..='~')).take(LONGEST_NAME).collect()
}

fn base64(bytes: &[u8]) -> String {
    use ::base64::Engine as _;
    ::base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests;
