//! The input parser against what terminals send, and against what nobody should.

use std::time::Duration;

use crossterm::event::{
    KeyCode, KeyEvent, KeyEventKind, KeyEventState, KeyModifiers, MouseButton, MouseEventKind,
};
use proptest::prelude::*;

use super::*;

const T0: Duration = Duration::from_secs(5);
const DEL: u8 = 0x7f;

/// Everything that `bytes` mean when nothing follows.
fn events(bytes: &[u8]) -> Vec<Event> {
    let mut parser = Parser::new(DEL);
    let mut out = Vec::new();
    parser.feed(bytes, T0, &mut out);
    parser.expire(T0 + Duration::from_secs(60), &mut out);
    out
}

fn key(code: KeyCode, modifiers: KeyModifiers) -> Event {
    Event::Key(KeyEvent::new(code, modifiers))
}

fn of_kind(code: KeyCode, modifiers: KeyModifiers, kind: KeyEventKind) -> Event {
    Event::Key(KeyEvent { code, modifiers, kind, state: KeyEventState::NONE })
}

fn plain(char: char) -> Event {
    key(KeyCode::Char(char), KeyModifiers::NONE)
}

const NONE: KeyModifiers = KeyModifiers::NONE;
const SHIFT: KeyModifiers = KeyModifiers::SHIFT;
const ALT: KeyModifiers = KeyModifiers::ALT;
const CTRL: KeyModifiers = KeyModifiers::CONTROL;

#[test]
fn keys_are_read_as_xterm_the_linux_console_rxvt_and_tmux_send_them() {
    use KeyCode::*;
    let table: &[(&[u8], KeyCode, KeyModifiers)] = &[
        (b"a", Char('a'), NONE),
        (b"A", Char('A'), SHIFT),
        ("ä".as_bytes(), Char('ä'), NONE),
        ("日".as_bytes(), Char('日'), NONE),
        ("🦀".as_bytes(), Char('🦀'), NONE),
        (b"\r", Enter, NONE),
        (b"\n", Char('j'), CTRL),
        (b"\t", Tab, NONE),
        (b"\x7f", Backspace, NONE),
        (b"\x08", Char('h'), CTRL),
        (b"\x03", Char('c'), CTRL),
        (b"\x1a", Char('z'), CTRL),
        (b"\0", Char(' '), CTRL),
        (b"\x1c", Char('\\'), CTRL),
        (b"\x1f", Char('_'), CTRL),
        (b"\x1ba", Char('a'), ALT),
        (b"\x1b\x7f", Backspace, ALT),
        (b"\x1b\r", Enter, ALT),
        ("\x1bä".as_bytes(), Char('ä'), ALT),
        (b"\x1b\x01", Char('a'), CTRL.union(ALT)),
        (b"\x1b[", Char('['), ALT),
        (b"\x1bO", Char('O'), ALT),
        (b"\x1b]", Char(']'), ALT),
        (b"\x1bP", Char('P'), ALT),
        (b"\x1b_", Char('_'), ALT),
        // Cursor keys: normal, application, modified, rxvt's shifted, and Alt as a second ESC.
        (b"\x1b[A", Up, NONE),
        (b"\x1bOA", Up, NONE),
        (b"\x1b[1;5C", Right, CTRL),
        (b"\x1b[1;2D", Left, SHIFT),
        (b"\x1b[1;10A", Up, SHIFT.union(KeyModifiers::SUPER)),
        (b"\x1b[a", Up, SHIFT),
        (b"\x1b\x1b[B", Down, ALT),
        (b"\x1b\x1bOB", Down, ALT),
        (b"\x1b[H", Home, NONE),
        (b"\x1b[F", End, NONE),
        (b"\x1b[1~", Home, NONE),
        (b"\x1b[4~", End, NONE),
        (b"\x1b[2~", Insert, NONE),
        (b"\x1b[3;5~", Delete, CTRL),
        (b"\x1b[5~", PageUp, NONE),
        (b"\x1b[6;2~", PageDown, SHIFT),
        (b"\x1b[Z", BackTab, SHIFT),
        // Function keys: xterm, rxvt, Linux console.
        (b"\x1bOP", F(1), NONE),
        (b"\x1bOS", F(4), NONE),
        (b"\x1b[11~", F(1), NONE),
        (b"\x1b[15~", F(5), NONE),
        (b"\x1b[17~", F(6), NONE),
        (b"\x1b[21~", F(10), NONE),
        (b"\x1b[24;2~", F(12), SHIFT),
        (b"\x1b[1;2P", F(1), SHIFT),
        (b"\x1b[1;5R", F(3), CTRL),
        (b"\x1bO5P", F(1), CTRL),
        (b"\x1b[[A", F(1), NONE),
        (b"\x1b[[E", F(5), NONE),
        // modifyOtherKeys.
        (b"\x1b[27;5;105~", Char('i'), CTRL),
        (b"\x1b[27;6;13~", Enter, CTRL.union(SHIFT)),
    ];
    for (bytes, code, modifiers) in table {
        assert_eq!(events(bytes), [key(*code, *modifiers)], "{:?}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn the_backspace_key_is_what_the_terminal_settings_say() {
    let mut out = Vec::new();
    Parser::new(0x08).feed(b"\x08", T0, &mut out);
    assert_eq!(out, [key(KeyCode::Backspace, NONE)]);
}

#[test]
fn the_numeric_pad_in_application_mode_types_digits() {
    let found = events(b"\x1bOp\x1bOM");
    let [Event::Key(zero), Event::Key(enter)] = found[..] else { panic!("{found:?}") };
    assert_eq!((zero.code, zero.state), (KeyCode::Char('0'), KeyEventState::KEYPAD));
    assert_eq!((enter.code, enter.state), (KeyCode::Enter, KeyEventState::KEYPAD));
}

#[test]
fn the_kitty_keyboard_protocol_tells_repeats_and_releases() {
    use KeyEventKind::{Press, Release, Repeat};
    for (bytes, code, modifiers, kind) in [
        ("\x1b[97u", KeyCode::Char('a'), NONE, Press),
        ("\x1b[97;5u", KeyCode::Char('a'), CTRL, Press),
        ("\x1b[32;1:3u", KeyCode::Char(' '), NONE, Release),
        ("\x1b[97:65;2:3u", KeyCode::Char('A'), SHIFT, Release),
        ("\x1b[97;1:2u", KeyCode::Char('a'), NONE, Repeat),
        ("\x1b[27u", KeyCode::Esc, NONE, Press),
        ("\x1b[27;1:3u", KeyCode::Esc, NONE, Release),
        ("\x1b[9;2u", KeyCode::BackTab, SHIFT, Press),
        ("\x1b[13;5u", KeyCode::Enter, CTRL, Press),
        ("\x1b[127;3u", KeyCode::Backspace, ALT, Press),
        ("\x1b[1;1:3A", KeyCode::Up, NONE, Release),
        ("\x1b[1;5:2D", KeyCode::Left, CTRL, Repeat),
        ("\x1b[3;1:3~", KeyCode::Delete, NONE, Release),
        ("\x1b[13~", KeyCode::F(3), NONE, Press),
        ("\x1b[57376u", KeyCode::F(13), NONE, Press),
        // Ctrl and the key of c on a Russian keyboard.
        ("\x1b[1089::99;5u", KeyCode::Char('c'), CTRL, Press),
        ("\x1b[1089::99;1u", KeyCode::Char('с'), NONE, Press),
        ("\x1b[97;1;97u", KeyCode::Char('a'), NONE, Press),
    ] {
        assert_eq!(events(bytes.as_bytes()), [of_kind(code, modifiers, kind)], "{bytes:?}");
    }
    let found = events(b"\x1b[57400;129u\x1b[97;65u");
    let [Event::Key(pad), Event::Key(caps)] = found[..] else { panic!("{found:?}") };
    assert_eq!(pad.state, KeyEventState::KEYPAD | KeyEventState::NUM_LOCK);
    assert_eq!(caps.state, KeyEventState::CAPS_LOCK);
}

#[test]
fn a_lone_escape_is_a_key_only_after_its_time() {
    let mut parser = Parser::new(DEL);
    let mut out = Vec::new();
    parser.feed(b"\x1b", T0, &mut out);
    assert_eq!(parser.deadline(), Some(T0 + ESCAPE));
    parser.expire(T0 + ESCAPE - Duration::from_millis(1), &mut out);
    assert_eq!(out, []);
    parser.expire(T0 + ESCAPE, &mut out);
    assert_eq!(out, [key(KeyCode::Esc, NONE)]);
    assert_eq!(parser.deadline(), None);
    // A sequence that begins after that time is one of its own, also when nobody called expire.
    out.clear();
    parser.feed(b"\x1b", T0, &mut out);
    parser.feed(b"[A", T0 + ESCAPE, &mut out);
    assert_eq!(out, [key(KeyCode::Esc, NONE), plain('['), key(KeyCode::Char('A'), SHIFT)]);
}

#[test]
fn escape_before_another_sequence_is_the_escape_key() {
    assert_eq!(events(b"\x1b\x1b"), [key(KeyCode::Esc, NONE), key(KeyCode::Esc, NONE)]);
    assert_eq!(
        events(b"\x1b\x1b[?62;4c"),
        [key(KeyCode::Esc, NONE), Event::Reply(Reply::Attributes(vec![62, 4]))]
    );
    assert_eq!(
        events(b"\x1b\x1b_Gi=31;OK\x1b\\"),
        [key(KeyCode::Esc, NONE), Event::Reply(Reply::Graphics { id: 31, ok: true })]
    );
    assert_eq!(events(b"\x1b\x1bx"), [key(KeyCode::Esc, NONE), key(KeyCode::Char('x'), ALT)]);
}

#[test]
fn a_sequence_broken_off_by_a_key_does_not_swallow_it() {
    assert_eq!(events(b"\x1b[1;5\x03"), [key(KeyCode::Char('c'), CTRL)]);
    assert_eq!(events("\x1b[1;5é".as_bytes()), [plain('é')]);
    assert_eq!(events(b"\x1b[1;\x1b[A"), [key(KeyCode::Up, NONE)]);
    assert_eq!(events(b"\xc3q"), [plain('q')]);
    assert_eq!(events(b"\x1b]11;rgb:\x1b[A"), [key(KeyCode::Up, NONE)]);
}

#[test]
fn a_string_that_never_ends_does_not_keep_the_keyboard() {
    let mut parser = Parser::new(DEL);
    let mut out = Vec::new();
    parser.feed(b"\x1b]0;half a title", T0, &mut out);
    parser.feed(b"q", T0 + STRING_IDLE, &mut out);
    assert_eq!(out, [plain('q')]);
    out.clear();
    parser.feed(b"\x1b[200~half a paste", T0 + STRING_IDLE, &mut out);
    parser.feed(b"q", T0 + STRING_IDLE + PASTE_IDLE, &mut out);
    assert_eq!(out, [Event::Paste("half a paste".into()), plain('q')]);
}

#[test]
fn the_mouse_is_told_with_its_place_from_zero() {
    use MouseEventKind::*;
    for (bytes, kind, column, row, modifiers) in [
        (&b"\x1b[<0;1;1M"[..], Down(MouseButton::Left), 0, 0, NONE),
        (b"\x1b[<0;300;200m", Up(MouseButton::Left), 299, 199, NONE),
        (b"\x1b[<2;5;6M", Down(MouseButton::Right), 4, 5, NONE),
        (b"\x1b[<64;5;6M", ScrollUp, 4, 5, NONE),
        (b"\x1b[<65;5;6M", ScrollDown, 4, 5, NONE),
        (b"\x1b[<32;5;6M", Drag(MouseButton::Left), 4, 5, NONE),
        (b"\x1b[<35;5;6M", Moved, 4, 5, NONE),
        (b"\x1b[<20;5;6M", Down(MouseButton::Left), 4, 5, SHIFT.union(CTRL)),
        (b"\x1b[M !!", Down(MouseButton::Left), 0, 0, NONE),
        (b"\x1b[M#!!", Up(MouseButton::Left), 0, 0, NONE),
        (b"\x1b[M`\xff!", ScrollUp, 222, 0, NONE),
    ] {
        let expected = Event::Mouse(MouseEvent { kind, column, row, modifiers });
        assert_eq!(events(bytes), [expected], "{bytes:?}");
    }
    for broken in [&b"\x1b[<0;0;1M"[..], b"\x1b[<0;1M", b"\x1b[<M", b"\x1b[<0;1;1;1M", b"\x1b[M\0\0\0"] {
        assert_eq!(events(broken), [], "{broken:?}");
    }
}

#[test]
fn a_paste_is_text_whatever_is_in_it() {
    assert_eq!(
        events(b"\x1b[200~one\r\ntwo\rthree \x1b[A \x1b[201 \x1b\x1b[201~x"),
        [Event::Paste("one\ntwo\nthree \x1b[A \x1b[201 \x1b".into()), plain('x')]
    );
    assert_eq!(events(b"\x1b[200~\x1b[201~"), [Event::Paste(String::new())]);
    // The end of a paste that never began is nothing.
    assert_eq!(events(b"\x1b[201~"), [Event::Reply(Reply::Other)]);
    let mut long = b"\x1b[200~".to_vec();
    long.resize(LONGEST_PASTE + 500_000, b'x');
    long.extend_from_slice(b"\x1b[201~y");
    let found = events(&long);
    let [Event::Paste(text), last] = &found[..] else { panic!("{} events", found.len()) };
    assert_eq!((text.len(), last), (LONGEST_PASTE, &plain('y')));
}

#[test]
fn answers_are_typed_and_never_keys() {
    use Reply::*;
    let table: &[(&[u8], Reply)] = &[
        (b"\x1b[?62;c", Attributes(vec![62, 0])),
        (b"\x1b[?64;1;2;4;22c", Attributes(vec![64, 1, 2, 4, 22])),
        (b"\x1b[>41;379;0c", Model(vec![41, 379, 0])),
        (b"\x1bP!|464f4f54\x1b\\", Unit("464f4f54".into())),
        (b"\x1bP>|kitty(0.26.5)\x1b\\", Version("kitty(0.26.5)".into())),
        (b"\x1bP1$r0;38:2::1:2:3m\x1b\\", Setting { valid: true, text: "0;38:2::1:2:3m".into() }),
        (b"\x1bP0$r\x1b\\", Setting { valid: false, text: String::new() }),
        (b"\x1b[?2026;2$y", Mode { mode: 2026, state: 2 }),
        (b"\x1b[0n", Status(0)),
        (b"\x1b[?997;1n", Other),
        (b"\x1b[24;80R", Cursor { row: 24, column: 80 }),
        (b"\x1b[?1;2;1R", Cursor { row: 1, column: 2 }),
        (b"\x1b[6;14;7t", Window { kind: 6, height: 14, width: 7 }),
        (b"\x1b[48;24;80;384;640t", Other),
        (
            b"\x1b]11;rgb:1111/2222/ffff\x1b\\",
            Colour { of: self::Colour::Background, rgb: [0x11, 0x22, 0xff] },
        ),
        (b"\x1b]10;rgb:f/0/8\x07", Colour { of: self::Colour::Foreground, rgb: [255, 0, 136] }),
        (b"\x1b]4;7;#102030\x1b\\", Colour { of: self::Colour::Palette(7), rgb: [0x10, 0x20, 0x30] }),
        (b"\x1b]11;rgba:ff/00/00/80\x07", Colour { of: self::Colour::Background, rgb: [255, 0, 0] }),
        (b"\x1b]11;no colour\x07", Other),
        (b"\x1b_Gi=31;OK\x1b\\", Graphics { id: 31, ok: true }),
        (b"\x1b_Gi=32,p=1;EBADF:no such file\x1b\\", Graphics { id: 32, ok: false }),
        (b"\x1b_whatever\x1b\\", Other),
        (b"\x1b[?1;0;1024S", Registers { item: 1, status: 0, value: 1024 }),
        (b"\x1b[?1;3S", Registers { item: 1, status: 3, value: 0 }),
        (b"\x1b[?7u", Keyboard(7)),
        (b"\x1b^private\x1b\\", Other),
        (b"\x1b[99z", Other),
        (b"\x1b[?99999999999c", Attributes(vec![65535])),
    ];
    for (bytes, reply) in table {
        assert_eq!(events(bytes), [Event::Reply(reply.clone())], "{:?}", String::from_utf8_lossy(bytes));
    }
    assert_eq!(events(b"\x1b[I\x1b[O"), [Event::Focus(true), Event::Focus(false)]);
}

#[test]
fn an_overlong_sequence_is_read_to_its_end_and_dropped() {
    let mut csi = b"\x1b[".to_vec();
    csi.resize(100_000, b'1');
    csi.extend_from_slice(b"Ax");
    assert_eq!(events(&csi), [plain('x')]);
    let mut osc = b"\x1b]11;".to_vec();
    osc.resize(100_000, b'1');
    osc.extend_from_slice(b"\x07x");
    assert_eq!(events(&osc), [plain('x')]);
}

/// Random bytes that are more often parts of sequences than chance would have it.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        3 => any::<u8>().prop_map(|byte| vec![byte]),
        2 => prop::sample::select(b"\x1b[]O_P?<>;:~uMmAcRtn$y\\\x070123456789\xc3\xf0".to_vec()).prop_map(|b| vec![b]),
        2 => prop::sample::select(vec![
            "\x1b[200~", "\x1b[201~", "\x1b[<0;1;1M", "\x1b[?62;4c", "\x1b_Gi=31;OK\x1b\\", "\x1bP>|x\x1b\\", "\x1b[1;5A",
            "\x1b[M", "\x1b[[", "\x1b]11;rgb:0/0/0\x07", "é", "🦀", "\x1b[97:65:99;2:3;97u", "\x1b\x1b",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
    ];
    prop::collection::vec(part, 0..60).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic_and_it_always_comes_to_rest(bytes in hostile()) {
        let mut parser = Parser::new(DEL);
        let mut out = Vec::new();
        parser.feed(&bytes, T0, &mut out);
        let Some(deadline) = parser.deadline() else { return Ok(()) };
        prop_assert!(deadline <= T0 + PASTE_IDLE);
        parser.expire(deadline, &mut out);
        prop_assert_eq!(parser.deadline(), None);
    }

    #[test]
    fn where_the_bytes_are_split_makes_no_difference(bytes in hostile(), cuts in prop::collection::vec(0usize..200, 0..8)) {
        let whole = events(&bytes);
        let mut parser = Parser::new(DEL);
        let mut split = Vec::new();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
        cuts.sort_unstable();
        let mut from = 0;
        for cut in cuts.into_iter().chain([bytes.len()]) {
            parser.feed(&bytes[from..cut], T0, &mut split);
            from = cut;
        }
        parser.expire(T0 + Duration::from_secs(60), &mut split);
        prop_assert_eq!(split, whole);
    }

    #[test]
    fn answers_among_keys_leave_the_keys_as_they_are(keys in "[a-z0-9]{0,12}", at in 0usize..12) {
        let at = at.min(keys.len());
        let bytes = format!("{}\x1b[?62;4c\x1b_Gi=31;OK\x1b\\\x1b[0n{}", &keys[..at], &keys[at..]);
        let found: Vec<Event> =
            events(bytes.as_bytes()).into_iter().filter(|event| !matches!(event, Event::Reply(_))).collect();
        prop_assert_eq!(found, keys.chars().map(plain).collect::<Vec<_>>());
    }
}
