//! Reads Rust source just far enough to name the paths it uses: comments, literals and test code
//! are dropped, `use` trees are unfolded, `self` and `super` are resolved by the file's place.
//! It knows no layer and no rule; `layers` drives it.

use std::path::Path;

/// One Rust file under `src/`, reduced to what the rules look at.
pub(crate) struct Source {
    /// Relative to the package, with `/`.
    pub(crate) file: String,
    /// Where the file sits: `src/call/machine.rs` is `["call", "machine"]`.
    pub(crate) module: Vec<String>,
    /// Every path with at least two segments, and every single-name import.
    pub(crate) paths: Vec<PathUse>,
    /// Lines before the first `#[cfg(test)] mod`.
    pub(crate) lines: usize,
    /// Whether the file opens with `//!`.
    pub(crate) documented: bool,
    /// Modules that `#[cfg(test)] mod NAME;` declares here: their files hold only tests.
    pub(crate) test_modules: Vec<Vec<String>>,
}

/// A path and the line where it starts.
#[derive(Debug, PartialEq)]
pub(crate) struct PathUse {
    pub(crate) segments: Vec<String>,
    pub(crate) line: usize,
}

#[derive(Debug, PartialEq, Clone)]
enum Token {
    Word(String),
    /// `::`
    Join,
    Mark(char),
}

type Tokens = Vec<(Token, usize)>;

impl Source {
    /// Reads `text` as the file at `file`, which is relative to the package (`src/call/mod.rs`).
    pub(crate) fn read(file: &str, text: &str) -> Self {
        let module = module_of(file);
        let tokens = tokens(text);
        let test_modules = test_modules(&tokens, &module);
        Self {
            file: file.to_owned(),
            paths: resolve(paths(&without_tests(tokens)), &module),
            module,
            lines: lines_before_tests(text),
            documented: text.trim_start().starts_with("//!"),
            test_modules,
        }
    }
}

fn module_of(file: &str) -> Vec<String> {
    let path = Path::new(file.strip_prefix("src/").unwrap_or(file)).with_extension("");
    let mut module: Vec<String> = path.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if module.last().is_some_and(|name| name == "mod" || name == "lib") {
        module.pop();
    }
    module
}

fn lines_before_tests(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    let tests = lines.windows(2).position(|pair| {
        pair[0].trim() == "#[cfg(test)]"
            && pair[1].trim_start().starts_with("mod ")
            && pair[1].trim_end().ends_with('{')
    });
    tests.unwrap_or(lines.len())
}

fn tokens(text: &str) -> Tokens {
    let chars: Vec<char> = text.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let mut found = Tokens::new();
    let (mut i, mut line) = (0, 1);
    while i < chars.len() {
        let start = i;
        let c = chars[i];
        if c == '/' && at(i + 1) == '/' {
            while i < chars.len() && chars[i] != '\n' {
                i += 1;
            }
        } else if c == '/' && at(i + 1) == '*' {
            let mut depth = 0;
            while i < chars.len() {
                match (chars[i], at(i + 1)) {
                    ('/', '*') => (depth, i) = (depth + 1, i + 2),
                    ('*', '/') => (depth, i) = (depth - 1, i + 2),
                    _ => i += 1,
                }
                if depth == 0 {
                    break;
                }
            }
        } else if c == '"' {
            i = after_string(&chars, i);
        } else if c == '\'' {
            i = after_quote(&chars, i);
        } else if c.is_alphabetic() || c == '_' {
            while i < chars.len() && (chars[i].is_alphanumeric() || chars[i] == '_') {
                i += 1;
            }
            let word: String = chars[start..i].iter().collect();
            match word.as_str() {
                "r" | "br" | "cr" if at(i) == '"' || (at(i) == '#' && matches!(at(i + 1), '"' | '#')) => {
                    i = after_raw_string(&chars, i);
                }
                "b" | "c" if at(i) == '"' => i = after_string(&chars, i),
                "b" if at(i) == '\'' => i = after_quote(&chars, i),
                _ => found.push((Token::Word(word), line)),
            }
        } else if c == ':' && at(i + 1) == ':' {
            found.push((Token::Join, line));
            i += 2;
        } else {
            if !c.is_whitespace() {
                found.push((Token::Mark(c), line));
            }
            i += 1;
        }
        line += chars[start..i.min(chars.len())].iter().filter(|c| **c == '\n').count();
    }
    found
}

fn after_string(chars: &[char], open: usize) -> usize {
    let mut i = open + 1;
    while i < chars.len() && chars[i] != '"' {
        i += if chars[i] == '\\' { 2 } else { 1 };
    }
    (i + 1).min(chars.len())
}

fn after_raw_string(chars: &[char], open: usize) -> usize {
    let hashes = chars[open..].iter().take_while(|c| **c == '#').count();
    let mut i = open + hashes + 1;
    while i < chars.len() {
        if chars[i] == '"' && chars[i + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes {
            return i + 1 + hashes;
        }
        i += 1;
    }
    chars.len()
}

/// After a character literal, or after the quote alone when it opens a lifetime.
fn after_quote(chars: &[char], open: usize) -> usize {
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    if at(open + 1) == '\\' {
        let mut i = open + 3;
        while i < chars.len() && chars[i] != '\'' {
            i += 1;
        }
        i + 1
    } else if at(open + 2) == '\'' {
        open + 3
    } else {
        open + 1
    }
}

/// Whether `#[cfg(test)]` stands at `i`.
fn cfg_test(tokens: &Tokens, i: usize) -> bool {
    let wanted = ["#", "[", "cfg", "(", "test", ")", "]"];
    wanted.iter().enumerate().all(|(offset, wanted)| match tokens.get(i + offset) {
        Some((Token::Word(word), _)) => word == wanted,
        Some((Token::Mark(mark), _)) => wanted.chars().eq([*mark]),
        _ => false,
    })
}

/// The modules in files of their own that are declared for tests only.
fn test_modules(tokens: &Tokens, module: &[String]) -> Vec<Vec<String>> {
    let at = |i: usize| tokens.get(i).map(|token| &token.0);
    let mut found = Vec::new();
    for i in (0..tokens.len()).filter(|i| cfg_test(tokens, *i)) {
        if let (Some(Token::Word(word)), Some(Token::Word(name))) = (at(i + 7), at(i + 8))
            && word == "mod"
            && at(i + 9) == Some(&Token::Mark(';'))
        {
            found.push(module.iter().cloned().chain([name.clone()]).collect());
        }
    }
    found
}

/// Drops every item under `#[cfg(test)]`.
fn without_tests(tokens: Tokens) -> Tokens {
    let mark = |i: usize, c: char| matches!(tokens.get(i), Some((Token::Mark(m), _)) if *m == c);
    let mut kept = Tokens::new();
    let mut i = 0;
    while i < tokens.len() {
        if !cfg_test(&tokens, i) {
            kept.push(tokens[i].clone());
            i += 1;
            continue;
        }
        // To the end of the item: its `;`, or the brace that closes its body.
        i += 7;
        let mut depth = 0;
        while i < tokens.len() {
            let was = depth;
            match tokens[i].0 {
                Token::Mark('{') => depth += 1,
                Token::Mark('}') => depth -= 1,
                _ => {}
            }
            let ends = depth == 0 && (was == 1 || mark(i, ';'));
            i += 1;
            if ends {
                break;
            }
        }
    }
    kept
}

/// Every path, with `use` trees unfolded; a lone word only when `use` imports it.
fn paths(tokens: &Tokens) -> Vec<PathUse> {
    let mut found = Vec::new();
    let mut i = 0;
    while i < tokens.len() {
        let importing = i > 0 && matches!(&tokens[i - 1].0, Token::Word(word) if word == "use");
        match tokens[i].0 {
            Token::Word(_) => {
                let before = found.len();
                let next = tree(tokens, i, &[], &mut found);
                if !importing && found.len() == before + 1 && found[before].segments.len() < 2 {
                    found.pop();
                }
                i = next.max(i + 1);
            }
            _ => i += 1,
        }
    }
    found
}

/// Reads one path or `use` tree at `i`, adds its leaves, returns the place after it.
fn tree(tokens: &Tokens, mut i: usize, prefix: &[String], found: &mut Vec<PathUse>) -> usize {
    let mut segments = prefix.to_vec();
    let line = tokens.get(i).map_or(0, |token| token.1);
    loop {
        match tokens.get(i).map(|token| &token.0) {
            Some(Token::Word(word)) => {
                if word != "self" || segments.is_empty() {
                    segments.push(word.clone());
                }
                i += 1;
            }
            Some(Token::Mark('{')) if i > 0 && tokens[i - 1].0 == Token::Join => {
                i += 1;
                while i < tokens.len() && tokens[i].0 != Token::Mark('}') {
                    let next = tree(tokens, i, &segments, found);
                    i = next.max(i + 1);
                    // `as name` and the comma
                    while i < tokens.len() && !matches!(tokens[i].0, Token::Mark(',' | '}')) {
                        i += 1;
                    }
                    if tokens.get(i).is_some_and(|token| token.0 == Token::Mark(',')) {
                        i += 1;
                    }
                }
                return i + 1;
            }
            _ => break,
        }
        if tokens.get(i).is_some_and(|token| token.0 == Token::Join) {
            i += 1;
        } else {
            break;
        }
    }
    if !segments.is_empty() {
        found.push(PathUse { segments, line });
    }
    i
}

/// `self` and `super` become paths from `crate`.
fn resolve(paths: Vec<PathUse>, module: &[String]) -> Vec<PathUse> {
    let absolute = |path: PathUse| {
        let mut rest = &path.segments[..];
        let mut place = module.to_vec();
        match rest[0].as_str() {
            "self" => rest = &rest[1..],
            "super" => {
                while rest.first().is_some_and(|segment| segment == "super") {
                    place.pop();
                    rest = &rest[1..];
                }
            }
            _ => return path,
        }
        let segments = ["crate".to_owned()].into_iter().chain(place).chain(rest.iter().cloned()).collect();
        PathUse { segments, line: path.line }
    };
    paths.into_iter().map(absolute).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(file: &str, text: &str) -> Vec<String> {
        Source::read(file, text).paths.iter().map(|path| path.segments.join("::")).collect()
    }

    #[test]
    fn use_trees_are_unfolded_and_renames_dropped() {
        let text = "use crate::{media::{self, frame::VideoFrame as F}, rtc::*};\nuse serde;";
        assert_eq!(
            found("src/session/mod.rs", text),
            ["crate::media", "crate::media::frame::VideoFrame", "crate::rtc", "serde"]
        );
    }

    #[test]
    fn comments_strings_lifetimes_and_tests_name_nothing() {
        let text = r##"
            // crate::a::b
            /* crate::c /* nested */ crate::d */
            fn f<'a>(x: &'a str) { let _ = ("crate::e", r#"crate::"f"#, 'g', '\'', b"crate::h"); std::fs::read(x); }
            #[cfg(test)]
            use crate::i::j;
            #[cfg(test)]
            mod tests { use crate::k::l; mod inner { fn m() { n::o(); } } }
            fn last() { p::q::r() }
        "##;
        assert_eq!(found("src/call/mod.rs", text), ["std::fs::read", "p::q::r"]);
    }

    #[test]
    fn super_and_self_become_paths_from_the_crate() {
        assert_eq!(
            found("src/call/machine.rs", "use super::super::media::Frame; use self::x::Y;"),
            ["crate::media::Frame", "crate::call::machine::x::Y"]
        );
        assert_eq!(found("src/call/mod.rs", "fn f() { super::rtc::Peer::new() }"), ["crate::rtc::Peer::new"]);
    }

    #[test]
    fn a_path_knows_its_line() {
        let source = Source::read("src/rtc/mod.rs", "//! Doc.\n\n/* two\nlines */ use webrtc::A;\n");
        assert_eq!(source.paths, [PathUse { segments: vec!["webrtc".into(), "A".into()], line: 4 }]);
        assert!(source.documented);
    }

    #[test]
    fn lines_count_up_to_the_inline_tests() {
        let text = "//! Doc.\nfn a() {}\n#[cfg(test)]\nmod tests {\n}\n";
        assert_eq!(Source::read("src/a.rs", text).lines, 2);
        assert_eq!(Source::read("src/a.rs", "//! Doc.\n#[cfg(test)]\nmod tests;\nfn b() {}\n").lines, 4);
    }

    #[test]
    fn modules_declared_for_tests_only_are_known() {
        let text =
            "#[cfg(test)]\nmod tests;\nmod machine;\n#[cfg(test)]\nmod wire;\n#[cfg(test)]\nmod inline {}\n";
        let source = Source::read("src/call/mod.rs", text);
        assert_eq!(source.test_modules, [["call", "tests"], ["call", "wire"]]);
    }
}
