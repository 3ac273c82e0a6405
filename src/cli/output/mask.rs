//! `--mask`: addresses and names do not leave this process, in whatever it writes.
//!
//! Each distinct address becomes `address-1`, `address-2` and so on, each name `name-1`, each key's fingerprint `key-1`,
//! the same one all through a run, so that what belongs together can still be seen. IP addresses and fingerprints are
//! found wherever they stand; names and host names only once somebody has said that they are such. Off until [`start`].

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use serde_json::Value;

use crate::session::Event;

/// One for the process: whatever is written by whomever goes through it.
static MASK: OnceLock<Mutex<Mask>> = OnceLock::new();

/// Fields whose words are fixed by docs/scripting.md: a person called `video` does not change them.
const FIXED: [&str; 14] = [
    "event",
    "schema",
    "command",
    "version",
    "type",
    "protocol",
    "state",
    "side",
    "kind",
    "end_reason",
    "direction",
    "codec",
    "relay_protocol",
    "outcome",
];

/// What a fingerprint begins with, and how many characters follow.
const FINGERPRINT: (&str, usize) = ("SHA256:", 43);

/// What is hidden, each in the order in which it was seen.
#[derive(Debug, Default)]
struct Mask {
    /// Words that were said to be names or hosts, lower case, with what stands for them; the longest first.
    words: Vec<(Vec<char>, String)>,
    names: usize,
    addresses: Vec<String>,
    keys: Vec<String>,
}

/// Begins to hide.
pub fn start() {
    MASK.get_or_init(Mutex::default);
}

fn mask() -> Option<MutexGuard<'static, Mask>> {
    // What a panic left behind is whole: each change is one push.
    MASK.get().map(|mask| mask.lock().unwrap_or_else(PoisonError::into_inner))
}

/// This is somebody's name.
pub fn hide_name(name: &str) {
    if let Some(mut mask) = mask() {
        mask.hide_name(name);
    }
}

/// This is a host's name, or its address.
pub fn hide_host(host: &str) {
    if let Some(mut mask) = mask() {
        mask.hide_host(host);
    }
}

/// This is the address of a server, as a URL.
pub fn hide_server(url: &str) {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let port = authority.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
    hide_host(port.map_or(authority, |(host, _)| host));
}

/// Hides the names that an event tells of.
pub fn learn(event: &Event) {
    if let Some(mut mask) = mask() {
        match event {
            Event::Registered { name, .. } => mask.hide_name(name),
            Event::Presence(changes) => {
                changes.iter().for_each(|change| mask.hide_name(change.name.as_str()))
            }
            Event::Calling { to, .. } => mask.hide_name(to),
            Event::Incoming { from, .. } | Event::Missed { from } => mask.hide_name(from),
            Event::Ended { report, .. } => mask.hide_name(&report.peer),
            _ => {}
        }
    }
}

/// The text without them; as it is when nothing is hidden.
#[must_use]
pub fn text(text: &str) -> String {
    mask().map_or_else(|| text.to_owned(), |mut mask| mask.text(text))
}

/// Whether anything is hidden.
pub(super) fn is_on() -> bool {
    MASK.get().is_some()
}

/// All text of a document, but for what is fixed.
pub(super) fn document(value: &mut Value) {
    if let Some(mut mask) = mask() {
        mask.value(value);
    }
}

impl Mask {
    fn hide_name(&mut self, name: &str) {
        let word = folded(name);
        if !word.is_empty() && !self.words.iter().any(|(known, _)| *known == word) {
            self.names += 1;
            let placeholder = format!("name-{}", self.names);
            self.add(word, placeholder);
        }
    }

    fn hide_host(&mut self, host: &str) {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let word = folded(host);
        // An address is found by what it looks like.
        if word.is_empty()
            || host.parse::<IpAddr>().is_ok()
            || self.words.iter().any(|(known, _)| *known == word)
        {
            return;
        }
        let placeholder = numbered("address", &mut self.addresses, host.to_lowercase());
        self.add(word, placeholder);
    }

    fn add(&mut self, word: Vec<char>, placeholder: String) {
        self.words.push((word, placeholder));
        self.words.sort_by_key(|(word, _)| std::cmp::Reverse(word.len()));
    }

    fn value(&mut self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.text(text),
            Value::Array(values) => values.iter_mut().for_each(|value| self.value(value)),
            Value::Object(fields) => {
                // A result and a check have names of their own.
                let named = fields.contains_key("exit") || fields.contains_key("outcome");
                for (key, value) in fields.iter_mut() {
                    let fixed = FIXED.contains(&key.as_str()) || (named && key == "name");
                    if !fixed {
                        self.value(value);
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn text(&mut self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        let mut before = None;
        while let Some(first) = rest.chars().next() {
            let found = if before.is_some_and(is_word) { None } else { self.hidden(rest) };
            let length = match found {
                Some((placeholder, length)) => {
                    out.push_str(&placeholder);
                    length
                }
                None => {
                    out.push(first);
                    first.len_utf8()
                }
            };
            before = rest[..length].chars().next_back();
            rest = &rest[length..];
        }
        out
    }

    /// What stands for what the text begins with, and the bytes of that.
    fn hidden(&mut self, text: &str) -> Option<(String, usize)> {
        if let Some(rest) = text.strip_prefix(FINGERPRINT.0) {
            let is_digit = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '-' | '_');
            let length = FINGERPRINT.0.len() + rest.chars().take_while(is_digit).take(FINGERPRINT.1).count();
            if length == FINGERPRINT.0.len() + FINGERPRINT.1 {
                return Some((numbered("key", &mut self.keys, text[..length].to_owned()), length));
            }
        }
        if let Some((address, length)) = address(text) {
            return Some((numbered("address", &mut self.addresses, address.to_string()), length));
        }
        self.words.iter().find_map(|(word, placeholder)| Some((placeholder.clone(), begins(text, word)?)))
    }
}

/// The placeholder of the one that is the same, or the next one.
fn numbered(kind: &str, known: &mut Vec<String>, one: String) -> String {
    let at = known.iter().position(|other| *other == one).unwrap_or_else(|| {
        known.push(one);
        known.len() - 1
    });
    format!("{kind}-{}", at + 1)
}

fn folded(text: &str) -> Vec<char> {
    text.chars().flat_map(char::to_lowercase).collect()
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The bytes of the text that are this whole word, whatever their case.
fn begins(text: &str, word: &[char]) -> Option<usize> {
    let mut wanted = word.iter();
    for (at, c) in text.char_indices() {
        if wanted.as_slice().is_empty() {
            return (!is_word(c)).then_some(at);
        }
        if !c.to_lowercase().all(|c| wanted.next() == Some(&c)) {
            return None;
        }
    }
    wanted.as_slice().is_empty().then_some(text.len())
}

/// The IP address that the text begins with, and its bytes: the longest that is one.
fn address(text: &str) -> Option<(IpAddr, usize)> {
    let is_part = |c: &char| c.is_ascii_hexdigit() || matches!(c, ':' | '.');
    let run = text.chars().take_while(is_part).take(45).count();
    let found = (2..=run).rev().find_map(|end| Some((text[..end].parse::<IpAddr>().ok()?, end)));
    found.filter(|(_, end)| !text[*end..].starts_with(is_word))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_address_has_one_placeholder_wherever_it_stands() {
        let mut mask = Mask::default();
        mask.hide_host("turn.example.org");
        for (text, masked) in [
            ("no answer from 192.0.2.7:3478 within 3 s", "no answer from address-2:3478 within 3 s"),
            ("[2001:db8::1]:3478, 2001:db8::1: refused", "[address-3]:3478, address-3: refused"),
            ("192.0.2.7, 192.0.2.70", "address-2, address-4"),
            ("turn:TURN.example.org:3478?transport=tcp", "turn:address-1:3478?transport=tcp"),
            ("version 0.1.0 at 13:58:06, std::add, face", "version 0.1.0 at 13:58:06, std::add, face"),
            ("", ""),
        ] {
            assert_eq!(mask.text(text), masked);
        }
    }

    #[test]
    fn names_are_hidden_as_whole_words_in_any_case() {
        let mut mask = Mask::default();
        mask.hide_name("Bob");
        mask.hide_name("bobby");
        mask.hide_name("Zoë");
        mask.hide_name("bob");
        assert_eq!(mask.text("BOB is calling bobby; Bobs ZOË"), "name-1 is calling name-2; Bobs name-3");
        let key = format!("SHA256:{}", "a".repeat(43));
        assert_eq!(mask.text(&format!("first contact, key {key}.")), "first contact, key key-1.");
    }

    #[test]
    fn words_that_are_fixed_stay_whatever_somebody_is_called() {
        let mut mask = Mask::default();
        for name in ["ringing", "ok", "tcp", "host"] {
            mask.hide_name(name);
        }
        let mut value = json!({
            "event": "ringing",
            "result": {"exit": 0, "name": "ok", "message": "ok said 192.0.2.1"},
            "checks": [{"name": "tcp", "outcome": "pass"}],
            "path": {"type": "host", "address": "192.0.2.1:9"},
            "users": [{"name": "ok", "state": "ringing"}],
        });
        mask.value(&mut value);
        assert_eq!(
            value,
            json!({
                "event": "ringing",
                "result": {"exit": 0, "name": "ok", "message": "name-2 said address-1"},
                "checks": [{"name": "tcp", "outcome": "pass"}],
                "path": {"type": "host", "address": "address-1:9"},
                "users": [{"name": "name-2", "state": "ringing"}],
            })
        );
    }
}
