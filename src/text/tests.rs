//! A corpus of hostile and of honest text, and what holds for any text at all.

use proptest::prelude::*;

use super::*;

fn shown(text: &str) -> String {
    Shown::new(text).as_str().to_owned()
}

#[test]
fn hostile_text_loses_what_a_terminal_would_act_on() {
    for (hostile, harmless) in [
        ("\u{1b}[2Jx", "\u{fffd}[2Jx"),
        ("\u{1b}[31mred\u{1b}[0m", "\u{fffd}[31mred\u{fffd}[0m"),
        ("\u{1b}]52;c;AAAA\u{7}", "\u{fffd}]52;c;AAAA\u{fffd}"),
        (
            "\u{1b}]8;;http://x\u{1b}\\here\u{1b}]8;;\u{1b}\\",
            "\u{fffd}]8;;http://x\u{fffd}\\here\u{fffd}]8;;\u{fffd}\\",
        ),
        ("\u{1b}P+q544e\u{1b}\\", "\u{fffd}P+q544e\u{fffd}\\"),
        ("\u{1b}_Gi=1;\u{1b}\\", "\u{fffd}_Gi=1;\u{fffd}\\"),
        ("\u{1b}^secret\u{1b}\\", "\u{fffd}^secret\u{fffd}\\"),
        ("\u{1b}Xsecret\u{9c}", "\u{fffd}Xsecret\u{fffd}"),
        ("\u{9b}31m", "\u{fffd}31m"),
        ("\u{9d}0;title\u{9c}", "\u{fffd}0;title\u{fffd}"),
        ("\u{90}q\u{9c}", "\u{fffd}q\u{fffd}"),
        ("a\0b\u{8}c\u{7f}", "a\u{fffd}b\u{fffd}c\u{fffd}"),
        ("fine\rEVIL", "fine\u{fffd}EVIL"),
        ("one\ntwo", "one\u{fffd}two"),
        ("a\u{85}b\u{2028}c\u{2029}d", "a\u{fffd}b\u{fffd}c\u{fffd}d"),
        ("exe.\u{202e}gpj", "exe.\u{fffd}gpj"),
        ("\u{2066}a\u{2069}\u{200f}b", "\u{fffd}a\u{fffd}b"),
        ("ad\u{200b}min\u{feff}", "ad\u{fffd}min\u{fffd}"),
        ("ad\u{200d}min", "ad\u{fffd}min"),
        ("ad\u{2060}\u{2061}\u{ad}min", "ad\u{fffd}min"),
        ("hi\u{e0041}\u{e0042}\u{e007f}", "hi\u{fffd}"),
        ("a\u{fe01}\u{fe02}\u{e0101}b", "ab"),
        ("\u{e000}\u{f0000}\u{ffff}\u{378}x", "\u{fffd}x"),
        ("\u{115f}\u{3164}\u{ffa0}\u{2800}", "\u{fffd}"),
        ("tab\there", "tab here"),
        ("\u{301}x", "\u{25cc}\u{301}x"),
        ("\u{1f468}\u{200d}", "\u{1f468}\u{fffd}"),
        ("\u{1f468}\u{200d}\u{200d}\u{1f469}", "\u{1f468}\u{fffd}\u{1f469}"),
    ] {
        assert_eq!(shown(hostile), harmless, "{hostile:?}");
    }
}

#[test]
fn honest_text_stays_as_it_is() {
    for (text, columns) in [
        ("Zoë 田中 🦀", 11),
        ("مرحبا", 5),
        ("می\u{200c}خواهم", 7),
        ("नमस्ते", 4),
        ("한국어", 6),
        ("Việt Nam", 8),
        ("Zoe\u{308}", 3),
        ("\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}\u{200d}\u{1f466}", 2),
        ("\u{1f44d}\u{1f3fd}", 2),
        ("🇩🇪🇯🇵", 4),
        ("\u{fffd}\u{fffd}", 2),
    ] {
        assert_eq!(shown(text), text);
        assert_eq!(width(text), columns, "{text}");
    }
}

#[test]
fn the_tags_of_a_flag_go_and_the_flag_stays() {
    assert_eq!(shown("\u{1f3f4}\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}!"), "\u{1f3f4}!");
    assert_eq!(shown("❤\u{fe0f}"), "❤");
}

#[test]
fn marks_are_bounded() {
    let zalgo = format!("z{}a{}", "\u{300}".repeat(40), "\u{489}".repeat(40));
    assert_eq!(shown(&zalgo), format!("z{}a{}", "\u{300}".repeat(MARKS), "\u{489}".repeat(MARKS)));
    assert_eq!(width(&shown(&zalgo)), 2);
    for flood in ["\u{1161}", "क\u{94d}", "\u{1f468}\u{200d}", "\u{d4e}", "\u{1100}", "\u{1f3fd}"] {
        let text = shown(&flood.repeat(300));
        assert!(text.graphemes(true).all(|cluster| cluster.chars().count() <= CLUSTER + 1), "{flood:?}");
    }
}

#[test]
fn lines_are_split_and_each_is_cleaned() {
    let all: Vec<String> =
        lines("one\r\ntwo\rstill two\n\n\u{1b}[A\n\n").iter().map(Shown::to_string).collect();
    assert_eq!(all, ["one", "two\u{fffd}still two", "", "\u{fffd}[A"]);
    assert!(lines("").is_empty());
}

#[test]
fn text_is_cut_at_whole_clusters() {
    assert_eq!(truncate("田中さん", 8), "田中さん");
    assert_eq!(truncate("田中さん", 7), "田中さ…");
    assert_eq!(truncate("田中さん", 6), "田中…");
    assert_eq!(truncate("田中", 1), "…");
    assert_eq!(truncate("田中", 0), "");
}

#[test]
fn text_is_wrapped_at_spaces_and_within_long_words() {
    assert_eq!(wrap("the quick brown fox", 9), ["the quick", "brown fox"]);
    assert_eq!(wrap("abcdefghij kl", 4), ["abcd", "efgh", "ij", "kl"]);
    assert_eq!(wrap("田中さん", 5), ["田中", "さん"]);
    assert_eq!(wrap("田", 1), ["…"]);
    assert_eq!(wrap("", 4), [""]);
    assert!(wrap("x", 0).is_empty());
}

/// Text made of what is hard: single characters of every troublesome kind, and any others.
fn hard() -> impl Strategy<Value = String> {
    let trouble = prop::sample::select(vec![
        '\u{1b}',
        '\u{9b}',
        '\n',
        '\u{200d}',
        '\u{200c}',
        '\u{202e}',
        '\u{fe0f}',
        '\u{301}',
        '\u{489}',
        '\u{1f468}',
        '\u{1f3f4}',
        '\u{e0067}',
        '\u{1f3fd}',
        '\u{1f1e6}',
        '\u{1100}',
        '\u{1161}',
        '\u{11a8}',
        '\u{915}',
        '\u{94d}',
        '\u{d4e}',
        '\u{6cc}',
        '\u{ff9e}',
        '田',
        'a',
        ' ',
        '\u{fffd}',
        '\u{25cc}',
        '\u{2764}',
        '\u{111c2}',
    ]);
    prop::collection::vec(prop_oneof![4 => trouble, 1 => any::<char>()], 0..60)
        .prop_map(|characters| characters.into_iter().collect())
}

proptest! {
    #[test]
    fn nothing_shown_is_a_control_character(text in hard()) {
        let text = shown(&text);
        prop_assert!(!text.chars().any(|c| is_hidden(c) || is_variation(c)), "{text:?}");
        prop_assert!(text.graphemes(true).all(|cluster| cluster.chars().count() <= CLUSTER + 1), "{text:?}");
    }

    #[test]
    fn cleaning_twice_is_cleaning_once(text in hard()) {
        let once = Shown::new(&text);
        prop_assert_eq!(&Shown::new(once.as_str()), &once);
    }

    #[test]
    fn cut_text_fits(text in hard(), columns in 0usize..40) {
        prop_assert!(width(&truncate(&shown(&text), columns)) <= columns);
    }

    #[test]
    fn wrapped_text_fits_and_keeps_every_letter(text in hard(), columns in 1usize..40) {
        let text = shown(&text);
        let lines = wrap(&text, columns);
        for line in &lines {
            prop_assert!(width(line) <= columns, "{line:?} of {text:?}");
        }
        if columns >= 2 * CLUSTER {
            let letters = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            prop_assert_eq!(letters(&lines.concat()), letters(&text));
        }
    }
}

#[test]
fn json_keeps_its_meaning_and_loses_what_a_terminal_acts_on() {
    let told = serde_json::json!({ "text": "a\u{9b}31m\u{7f}\u{202e}b\u{e0041}c 田\n" });
    let json = serde_json::to_string_pretty(&told).unwrap();
    let safe = escape_json(json.clone());
    assert!(!safe.contains(|c: char| c != '\n' && is_hidden(c)), "{safe:?}");
    assert_eq!(safe.lines().count(), json.lines().count());
    assert_eq!(serde_json::from_str::<serde_json::Value>(&safe).unwrap(), told);
}
