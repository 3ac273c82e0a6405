//! Keys as they are written, the table, the changes of a person, and typing.

use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;

use super::super::editor::Editor;
use super::super::keymap::{Command, Context, Error, Keymap, TABLE};
use super::*;

fn changed(changes: &[(&str, &str)]) -> Result<Keymap, Error> {
    let changes = changes.iter().map(|(name, keys)| ((*name).to_owned(), (*keys).to_owned()));
    Keymap::with(&changes.collect::<BTreeMap<_, _>>())
}

fn chord(text: &str) -> Chord {
    text.parse().unwrap()
}

#[test]
fn keys_are_read_as_people_write_them_and_shown_in_one_way() {
    for (written, shown) in [
        ("m", "m"),
        ("G", "G"),
        ("shift-g", "G"),
        ("C-c", "Ctrl-C"),
        ("ctrl-C", "Ctrl-C"),
        ("<esc>", "Esc"),
        ("Escape", "Esc"),
        ("ret", "Enter"),
        ("alt-enter", "Alt-Enter"),
        ("M-x", "Alt-x"),
        ("backtab", "Shift-Tab"),
        ("S-tab", "Shift-Tab"),
        ("f12", "F12"),
        ("space", "Space"),
        ("-", "-"),
        ("ctrl--", "Ctrl--"),
        ("pageup", "PgUp"),
        ("/", "/"),
        ("é", "é"),
        ("ctrl-alt-up", "Ctrl-Alt-Up"),
    ] {
        let key = chord(written);
        assert_eq!(key.to_string(), shown, "{written}");
        assert_eq!(chord(shown), key, "{written}");
    }
    for nothing in ["", "f0", "f99", "hyper-x", "mm", "ctrl-", "-x", "\u{1b}", "ctrl-mm"] {
        assert!(nothing.parse::<Chord>().is_err(), "{nothing:?}");
    }
}

#[test]
fn a_release_is_no_key_and_shift_is_in_the_character() {
    use crossterm::event::{KeyCode, KeyEventKind, KeyModifiers};
    let mut event = KeyEvent::new(KeyCode::Char('g'), KeyModifiers::SHIFT);
    assert_eq!(Chord::of(event), Some(chord("G")));
    event.kind = KeyEventKind::Release;
    assert_eq!(Chord::of(event), None);
    assert_eq!(Chord::of(KeyEvent::new(KeyCode::BackTab, KeyModifiers::SHIFT)), Some(chord("shift-tab")));
}

#[test]
fn every_command_has_keys_that_can_be_read_and_help_that_can_be_shown() {
    let mut names = HashMap::new();
    for row in TABLE {
        assert!(!row.keys.is_empty() && !row.contexts.is_empty(), "{}", row.name);
        assert!(row.keys.iter().all(|key| key.parse::<Chord>().is_ok()), "{}", row.name);
        assert!(
            (6..=48).contains(&row.help.len()) && row.help.is_ascii() && !row.help.ends_with('.'),
            "{}",
            row.name
        );
        assert_eq!(names.insert(row.name, row.command), None, "{} is there twice", row.name);
    }
}

#[test]
fn no_two_commands_share_a_key_where_both_are_meant() {
    assert!(changed(&[]).is_ok());
    let keymap = Keymap::default();
    for context in Context::ALL {
        let mut taken = HashMap::new();
        for (row, keys) in keymap.rows(context) {
            for key in keys {
                assert_eq!(taken.insert(*key, row.name), None, "{key} in {context:?}");
                assert_eq!(keymap.command(context, *key), Some(row.command));
            }
        }
    }
}

#[test]
fn where_text_is_typed_no_character_is_a_key() {
    let keymap = Keymap::default();
    for context in [Context::Typing, Context::Chat] {
        for c in (' '..='~').chain(['é', '田']) {
            let key = Chord::of(KeyEvent::new(
                crossterm::event::KeyCode::Char(c),
                crossterm::event::KeyModifiers::NONE,
            ))
            .unwrap();
            assert_eq!(keymap.command(context, key), None, "{c:?} in {context:?}");
        }
    }
}

#[test]
fn keys_can_be_changed_added_and_taken_away() {
    let keymap = changed(&[("mute", "ctrl-t f2"), ("camera", "none"), ("hang-up", "m")]).unwrap();
    assert_eq!(keymap.command(Context::Call, chord("ctrl-t")), Some(Command::Mute));
    assert_eq!(keymap.command(Context::Call, chord("f2")), Some(Command::Mute));
    assert_eq!(keymap.command(Context::Call, chord("m")), Some(Command::HangUp));
    assert_eq!(keymap.command(Context::Call, chord("v")), None);
    assert_eq!(keymap.key(Context::Call, Command::Mute), Some(chord("ctrl-t")));
    assert_eq!(keymap.key(Context::Call, Command::Camera), None);
}

#[test]
fn keys_that_cannot_work_are_refused_with_a_reason() {
    for (changes, reason) in [
        (&[("mut", "x")][..], "no command is called \"mut\" (there are: accept, "),
        (&[("mute", "hyper-x")], "key of \"mute\": \"hyper-x\" is no key"),
        (&[("mute", " ")], "nothing there"),
        (&[("mute", "v")], "\"mute\" and \"camera\" both have the key v (In a call)"),
        (&[("mute", "ctrl-c")], "\"mute\" and \"interrupt\" both have the key Ctrl-C (In a call)"),
        (&[("send", "s")], "key of \"send\": \"s\" is text there"),
        (&[("suspend", "z")], "key of \"suspend\": \"z\" is text there"),
    ] {
        let error = changed(changes).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
}

/// An editor after these keys, its cursor as `|`.
fn typed(start: &str, keys: &str) -> String {
    let mut editor = Editor::lines(200);
    editor.insert(start);
    for key in keys.split_whitespace() {
        editor.key(chord(key));
    }
    let before = editor.text().to_owned();
    editor.insert("|");
    assert_eq!(editor.text().replacen('|', "", 1), before);
    editor.text().to_owned()
}

#[test]
fn the_cursor_moves_and_deletes_by_what_one_reads_as_a_character() {
    assert_eq!(typed("ab", "left x"), "ax|b");
    assert_eq!(typed("Zoe\u{308}", "backspace"), "Zo|");
    assert_eq!(typed("a👨\u{200d}👩\u{200d}👧", "left"), "a|👨\u{200d}👩\u{200d}👧");
    assert_eq!(typed("a👨\u{200d}👩\u{200d}👧", "backspace backspace backspace"), "|");
    assert_eq!(typed("田中", "home delete"), "|中");
    assert_eq!(typed("one two  ", "ctrl-w"), "one |");
    assert_eq!(typed("one two", "alt-b alt-b X alt-f"), "Xone| two");
    assert_eq!(typed("one\ntwo", "ctrl-a x end y"), "one\nxtwoy|");
    assert_eq!(typed("one\ntwo", "ctrl-u"), "one\n|");
    assert_eq!(typed("one two", "ctrl-left ctrl-k"), "one |");
    assert_eq!(typed("", "left right backspace delete ctrl-w ctrl-k alt-d"), "|");
}

#[test]
fn pasted_text_brings_no_control_characters_and_is_bounded() {
    assert_eq!(typed("a\u{1b}[2J\r\nb\tc\u{9b}\r", ""), "a[2J\nb c\n|");
    let mut line = Editor::line(5);
    line.insert("田中\nxyz");
    assert_eq!(line.text(), "田");
    line.insert("ab\ncd");
    assert_eq!(line.text(), "田ab");
}

proptest! {
    #[test]
    fn an_editor_survives_any_keys_and_its_cursor_is_in_sight(
        keys in prop::collection::vec(prop::sample::select(vec![
            "left", "right", "home", "end", "backspace", "delete", "ctrl-w", "ctrl-u", "ctrl-k", "alt-f", "alt-b",
            "alt-d", "a", "é", "田", "\u{301}", "\u{1f468}", "\u{1f1e6}", "space",
        ]), 0..60),
        pasted in any::<String>(),
        columns in 0usize..12,
    ) {
        let mut editor = Editor::lines(300);
        for (index, key) in keys.iter().enumerate() {
            if index == 7 {
                editor.insert(&pasted);
            }
            editor.key(chord(key));
            let laid = editor.layout(columns);
            prop_assert!(laid.cursor.1 < laid.lines.len() && laid.cursor.0 < columns.max(1));
            prop_assert!(laid.lines.iter().all(|line| crate::text::width(line) <= columns.max(1)));
            prop_assert!(editor.text().len() <= 300);
        }
    }
}

#[test]
fn the_manual_names_every_key() {
    let manual = include_str!("../../../../docs/screen.md");
    for row in TABLE {
        assert!(manual.contains(&format!("| `{}` |", row.name)), "docs/screen.md lacks {}", row.name);
        for key in row.keys {
            assert!(manual.contains(&format!("`{key}`")), "docs/screen.md lacks the key {key}");
        }
    }
}
