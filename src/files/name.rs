//! Names of files that came from elsewhere: what of them may become a name in the download folder.
//!
//! Owns the rules; knows no disk. What comes out names exactly one entry of one folder on every system that letsmeet runs on, is not
//! hidden, is no device and shows as it is: no text runs backwards in it.

/// The longest name, bytes. With the rest of the name of a part file it stays below the 255 of common file systems.
pub const MAX_NAME: usize = 200;

/// The longest end of a name that is kept when the name is cut, bytes.
const MAX_END: usize = 16;

/// What a name that has nothing left becomes.
const NAMELESS: &str = "file";

/// Names that are devices on Windows, whatever follows the first dot.
const DEVICES: &[&str] = &["con", "prn", "aux", "nul", "conin$", "conout$", "clock$"];

/// The name under which a file may be kept.
#[must_use]
pub fn safe(name: &str) -> String {
    // Folders are the sender's own affair.
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let mut clean: String = last.chars().filter(|c| !is_unseen(*c)).map(plain).collect();
    // Hidden files do things that nobody sees, and trailing dots and spaces vanish on Windows.
    clean = clean.trim_start_matches(is_fringe).trim_end_matches(is_fringe).to_owned();
    clean = shorten(&clean);
    if is_device(&clean) || clean.starts_with(['-', '~']) {
        clean.insert(0, '_');
    }
    if clean.is_empty() { NAMELESS.to_owned() } else { clean }
}

/// The name for the `n`-th file that would have the same: `photo (2).jpg`.
#[must_use]
pub fn numbered(name: &str, n: u32) -> String {
    match name.rsplit_once('.') {
        Some((stem, end)) if !stem.is_empty() => format!("{stem} ({n}).{end}"),
        _ => format!("{name} ({n})"),
    }
}

/// Control characters, and what shows as nothing or turns text around.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}'
        )
}

/// What Windows and shells read as something else.
fn plain(c: char) -> char {
    match c {
        '<' | '>' | ':' | '"' | '|' | '?' | '*' => '_',
        c if c.is_whitespace() => ' ',
        c => c,
    }
}

fn is_fringe(c: char) -> bool {
    c == '.' || c.is_whitespace()
}

fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_lowercase();
    let port = |prefix: &str| {
        stem.strip_prefix(prefix).is_some_and(|rest| {
            let mut digits = rest.chars();
            matches!(digits.next(), Some('0'..='9' | '¹' | '²' | '³')) && digits.next().is_none()
        })
    };
    DEVICES.contains(&stem.as_str()) || port("com") || port("lpt")
}

/// Cuts the middle out of what is too long, so that the end still says what it is. Leaves room for the mark of a device.
fn shorten(name: &str) -> String {
    const LONGEST: usize = MAX_NAME - 1;
    if name.len() <= LONGEST {
        return name.to_owned();
    }
    let end = name.rfind('.').filter(|at| name.len() - at <= MAX_END).map_or("", |at| &name[at..]);
    let mut cut = LONGEST - end.len();
    while !name.is_char_boundary(cut) {
        cut -= 1;
    }
    format!("{}{end}", name[..cut].trim_end_matches(is_fringe))
}

#[cfg(test)]
mod tests {
    use std::path::{Component, Path};

    use proptest::prelude::*;

    use super::*;

    /// What a hostile sender may call a file.
    const HOSTILE: &[(&str, &str)] = &[
        ("", "file"),
        (".", "file"),
        ("..", "file"),
        ("...", "file"),
        ("/", "file"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\windows\\system.ini", "system.ini"),
        ("/etc/shadow", "shadow"),
        ("C:\\boot.ini", "boot.ini"),
        ("C:evil", "C_evil"),
        (".bashrc", "bashrc"),
        ("  .ssh", "ssh"),
        ("a\0b", "ab"),
        ("\u{1b}[2Jx", "[2Jx"),
        ("photo\u{202e}gpj.exe", "photogpj.exe"),
        ("a\u{200b}b", "ab"),
        ("CON", "_CON"),
        ("nul.txt", "_nul.txt"),
        ("com1", "_com1"),
        ("LPT\u{b9}.x", "_LPT\u{b9}.x"),
        ("console.txt", "console.txt"),
        ("name. . .", "name"),
        ("-rf", "_-rf"),
        ("~", "_~"),
        ("a\nb", "ab"),
        ("what?.txt", "what_.txt"),
        ("stream.txt:hidden", "stream.txt_hidden"),
        ("Zoë 田中 🦀.png", "Zoë 田中 🦀.png"),
        ("a\u{3000}b", "a b"),
    ];

    #[test]
    fn hostile_names_lose_what_makes_them_hostile() {
        for (name, kept) in HOSTILE {
            assert_eq!(safe(name), *kept, "{name:?}");
        }
    }

    #[test]
    fn a_long_name_keeps_its_end() {
        let long = safe(&format!("{}.tar.gz", "田".repeat(300)));
        assert!(long.len() <= MAX_NAME && long.ends_with("田.gz"), "{long}");
        assert!(safe(&"x".repeat(5000)).len() <= MAX_NAME);
        assert!(safe(&format!("x.{}", "y".repeat(300))).len() <= MAX_NAME);
    }

    #[test]
    fn the_second_of_a_name_has_a_number_before_its_end() {
        assert_eq!(numbered("photo.jpg", 2), "photo (2).jpg");
        assert_eq!(numbered("README", 3), "README (3)");
    }

    proptest! {
        #[test]
        fn a_name_is_always_one_entry_of_the_folder(name in any::<String>()) {
            let kept = safe(&name);
            prop_assert!(!kept.is_empty() && kept.len() <= MAX_NAME);
            let parts: Vec<Component<'_>> = Path::new(&kept).components().collect();
            prop_assert!(matches!(parts[..], [Component::Normal(_)]), "{kept:?}");
            prop_assert!(!kept.starts_with('.') && !kept.ends_with(['.', ' ']));
            prop_assert!(!kept.contains(|c: char| c.is_control() || "/\\<>:\"|?*".contains(c)));
            prop_assert!(!is_device(&kept));
            // What was made safe is safe.
            prop_assert_eq!(safe(&kept), kept);
        }
    }
}
