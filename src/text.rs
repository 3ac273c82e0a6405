//! The one gate between remote text and a terminal.
//!
//! Owns what may be shown of names, messages, reasons and file names that came from elsewhere, and how wide text is
//! in columns. [`Shown`] can be made only by cleaning, so whoever draws a `Shown` draws nothing that a terminal acts on.
//! Must not know a terminal, a screen or a call. Driven by every front end.
//!
//! What the gate does, in this order for each character:
//!
//! | character | becomes |
//! |---|---|
//! | tab | a space |
//! | C0, DEL, C1; format and bidi controls; fillers; tags; unassigned, private and noncharacters | one U+FFFD a run |
//! | variation selectors, and the tags of a flag | nothing |
//! | joiners where they join nothing | one U+FFFD a run |
//! | a combining mark that has nothing to combine with | a dotted circle before it |
//! | more than [`MARKS`] marks on one character, more than [`CLUSTER`] characters in one cluster | nothing more |

use std::fmt::{self, Write as _};

use unicode_normalization::char::{is_combining_mark, is_public_assigned};
use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

#[cfg(test)]
mod tests;

/// Marks that one character may carry. Vietnamese needs two, Hebrew and Tibetan up to four.
pub const MARKS: usize = 5;

/// Characters that one cluster may have. A family with skin tones has eleven.
pub const CLUSTER: usize = 12;

/// Stands for what is not shown.
const REPLACEMENT: char = '\u{fffd}';

/// Carries a mark that came without anything to combine with.
const DOTTED_CIRCLE: char = '\u{25cc}';

/// Says that text goes on beyond its columns.
const ELLIPSIS: &str = "…";

/// Text of one line that is safe to show. Cleaning it again changes nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Shown(String);

impl Shown {
    /// Cleans text for one line; line breaks are replaced like every other control character.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut gate = Gate::default();
        let mut rest = text.chars().peekable();
        while let Some(c) = rest.next() {
            gate.take(c, rest.peek().copied());
        }
        Self(gate.out)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Columns that it takes.
    #[must_use]
    pub fn width(&self) -> usize {
        width(&self.0)
    }

    /// [`truncate`].
    #[must_use]
    pub fn truncate(&self, columns: usize) -> Self {
        Self(truncate(&self.0, columns))
    }

    /// [`wrap`].
    #[must_use]
    pub fn wrap(&self, columns: usize) -> Vec<Self> {
        wrap(&self.0, columns).into_iter().map(Self).collect()
    }

    /// True when there is nothing to show.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for Shown {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// Cleans text that may have several lines (LF or CR LF), without empty ones at its end.
#[must_use]
pub fn lines(text: &str) -> Vec<Shown> {
    text.trim_end().lines().map(Shown::new).collect()
}

/// Columns that text takes: the sum over its grapheme clusters, as a screen of cells draws them.
#[must_use]
pub fn width(text: &str) -> usize {
    text.graphemes(true).map(cluster_width).sum()
}

/// Columns of one grapheme cluster.
#[must_use]
pub fn cluster_width(cluster: &str) -> usize {
    // Half-width voiced sound marks stand in a column of their own although they extend a cluster.
    cluster.width() + cluster.chars().filter(|c| matches!(c, '\u{ff9e}' | '\u{ff9f}')).count()
}

/// At most `columns` columns of the text; what is cut off shows as `…`.
#[must_use]
pub fn truncate(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let Some(room) = columns.checked_sub(1) else { return String::new() };
    let mut used = 0;
    let mut short = String::new();
    for cluster in text.graphemes(true) {
        used += cluster_width(cluster);
        if used > room {
            break;
        }
        short.push_str(cluster);
    }
    short + ELLIPSIS
}

/// The text in lines of at most `columns` columns, broken at spaces where there are any and within words where not.
/// Nothing for no columns; a cluster that is wider than a line becomes `…`.
#[must_use]
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    if columns == 0 {
        return Vec::new();
    }
    let mut lines = Vec::new();
    let (mut line, mut used) = (String::new(), 0);
    for word in text.split_word_bounds() {
        let wide = width(word);
        if used + wide <= columns {
            line.push_str(word);
            used += wide;
            continue;
        }
        if word.chars().all(char::is_whitespace) {
            // A space at a break is the break.
            lines.push(std::mem::take(&mut line));
            used = 0;
            continue;
        }
        if wide <= columns && used > 0 {
            lines.push(std::mem::take(&mut line).trim_end().to_owned());
            line.push_str(word);
            used = wide;
            continue;
        }
        for cluster in word.graphemes(true) {
            let cluster = if cluster_width(cluster) > columns { ELLIPSIS } else { cluster };
            if used + cluster_width(cluster) > columns {
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            line.push_str(cluster);
            used += cluster_width(cluster);
        }
    }
    lines.push(line.trim_end().to_owned());
    lines
}

/// What has passed so far.
#[derive(Default)]
struct Gate {
    out: String,
    /// Where the last cluster of `out` begins.
    cluster: usize,
    /// The last character that is no mark.
    base: Option<char>,
    /// Marks since the base.
    marks: usize,
    /// The last character was replaced: a run of such is one U+FFFD.
    replaced: bool,
}

impl Gate {
    fn take(&mut self, c: char, next: Option<char>) {
        match c {
            '\t' => self.push(' '),
            _ if is_variation(c) => {}
            // England, Scotland and Wales are spelled in tags after a black flag.
            '\u{e0020}'..='\u{e007f}' if self.base == Some('\u{1f3f4}') => {}
            '\u{200c}' | '\u{200d}' if !self.joins(c, next) => self.replace(),
            '\u{200c}' | '\u{200d}' => self.mark(c),
            _ if is_hidden(c) || !is_public_assigned(c) => self.replace(),
            _ if is_mark(c) => self.mark(c),
            _ => self.push(c),
        }
    }

    fn replace(&mut self) {
        if !self.replaced {
            self.push(REPLACEMENT);
            self.replaced = true;
        }
    }

    fn mark(&mut self, c: char) {
        if self.base.is_none() {
            self.push(DOTTED_CIRCLE);
        }
        if self.marks < MARKS && self.room(c) {
            self.out.push(c);
            self.marks += 1;
            self.replaced = false;
        }
    }

    fn push(&mut self, c: char) {
        let c = if self.room(c) { c } else { REPLACEMENT };
        self.out.push(c);
        self.base = Some(c);
        self.marks = 0;
        self.replaced = false;
    }

    /// Whether `c` may come next: it begins a cluster, or the last one is not full.
    fn room(&mut self, c: char) -> bool {
        let end = self.out.len();
        self.out.push(c);
        let broken = self.out[self.cluster..].grapheme_indices(true).next_back().map_or(0, |(at, _)| at);
        let full = broken == 0 && self.out[self.cluster..].chars().count() > CLUSTER;
        self.out.truncate(end);
        self.cluster += if full { 0 } else { broken };
        !full
    }

    /// Whether a joiner does its work here: between two pictures, or within a script that needs it.
    fn joins(&self, joiner: char, next: Option<char>) -> bool {
        let (Some(base), Some(next)) = (self.base, next) else { return false };
        if self.out.ends_with(['\u{200c}', '\u{200d}']) {
            return false;
        }
        (joins_letters(base) && joins_letters(next) && !is_mark(next))
            || (joiner == '\u{200d}' && is_picture(base) && is_picture(next))
    }
}

/// Scripts whose letters change their shape by what they are joined to.
fn joins_letters(c: char) -> bool {
    matches!(c, '\u{620}'..='\u{6d3}' | '\u{710}'..='\u{77f}' | '\u{8a0}'..='\u{8c7}' | '\u{904}'..='\u{df4}'
        | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17b3}')
        && is_public_assigned(c)
}

/// Extended_Pictographic, as the rule for clusters (UAX 29, GB11) knows it: two of them, joined, are one cluster.
fn is_picture(c: char) -> bool {
    let joined: String = [c, '\u{200d}', '\u{1f600}'].iter().collect();
    joined.graphemes(true).count() == 1
}

/// Adds to the character before it rather than standing for itself.
fn is_mark(c: char) -> bool {
    is_combining_mark(c) || c.width() == Some(0) || matches!(c, '\u{1f3fb}'..='\u{1f3ff}')
}

/// Makes one cluster with any letter after it (UAX 29, GB9b): a few signs of numbers and old scripts.
fn is_prefix(c: char) -> bool {
    [c, 'a'].iter().collect::<String>().graphemes(true).count() == 1
}

/// Chooses between shapes of one character. Terminals disagree on the width of what has one, so they are left out.
fn is_variation(c: char) -> bool {
    matches!(c, '\u{180b}'..='\u{180d}' | '\u{180f}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}

/// Acts on a terminal, turns the direction of text, is not seen, or joins whatever comes next.
/// JSON (or any text in which `\uXXXX` is an escape) with everything escaped that a terminal acts on or that hides text. The same
/// document to whoever parses it.
#[must_use]
pub fn escape_json(json: String) -> String {
    let harmful = |c: char| c != '\n' && is_hidden(c);
    if !json.contains(harmful) {
        return json;
    }
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if harmful(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

fn is_hidden(c: char) -> bool {
    c.is_control()
        || c >= '\u{600}' && is_prefix(c)
        || matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}'
            | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}'
            | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}
