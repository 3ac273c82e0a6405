//! Input that is wrong, at the level of processes: broken files, names that are not names, bytes
//! that are no protocol. Each gives a clear error to whoever sent it and nothing to anyone else.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;

use crate::harness::{Home, Outcome, SOON, Server, bob, call_bob, data, server_and_bob};

/// Names with what must never reach a terminal, or that are no names.
const NO_NAMES: &[(&str, &str)] = &[
    ("an escape sequence", "bob\x1b[31m"),
    ("a bell", "bob\x07"),
    ("a line break", "bob\nalice"),
    ("a zero width space", "bo\u{200b}b"),
    ("a right-to-left override", "bob\u{202e}ecila"),
    ("a byte order mark", "\u{feff}bob"),
    ("nothing", ""),
    ("only spaces", "   "),
];

fn clean(outcome: &Outcome) {
    for text in [&outcome.stdout, &outcome.stderr] {
        let bad = text.chars().find(|c| matches!(*c, '\x1b' | '\x07' | '\u{200b}' | '\u{202e}' | '\u{feff}'));
        assert_eq!(bad, None, "{text:?}");
    }
}

#[test]
fn names_that_are_no_names_are_usage_errors() {
    let home = Home::new();
    let long = "a".repeat(1_000);
    for (what, name) in NO_NAMES.iter().copied().chain([("a thousand letters", long.as_str())]) {
        for args in [["login", "--name", name, "--headless"], ["call", name, "--name=alice", "--headless"]] {
            let outcome = home.run(&args).expect_code(2);
            assert!(!outcome.stderr.is_empty(), "{what}: says why");
            clean(&outcome);
        }
    }
}

#[test]
fn names_of_every_script_are_welcome() {
    let server = Server::start();
    for name in ["zoë", "ミナ", "влад", "نور", "bob-2"] {
        let home = Home::new();
        let mut login = home.start(&[
            "login",
            "--name",
            name,
            "--server",
            server.url(),
            "--headless",
            "--answer",
            "accept",
        ]);
        assert_eq!(login.wait_for("registered", SOON).text("name"), name);
    }
}

/// A Y4M file of `frames` grey frames of 64x48, and the bytes of one frame.
fn y4m(frames: usize) -> (Vec<u8>, usize) {
    let mut bytes = b"YUV4MPEG2 W64 H48 F25:1 Ip A1:1 C420jpeg\n".to_vec();
    let frame = 64 * 48 * 3 / 2;
    for _ in 0..frames {
        bytes.extend(b"FRAME\n");
        bytes.extend(vec![128; frame]);
    }
    (bytes, frame)
}

#[test]
fn broken_film_and_sound_files_are_refused_by_name() {
    let (server, _bob_home, mut bob) = server_and_bob("accept");
    let home = Home::new();
    let (film, frame) = y4m(3);
    let sound = fs::read(data("talk.wav")).expect("talk.wav");
    let files: [(&str, &[u8]); 9] = [
        ("empty.y4m", b""),
        ("header-cut.y4m", &film[..20]),
        ("no-frame.y4m", &film[..41]),
        ("first-frame-cut.y4m", &film[..47 + frame / 2]),
        ("huge.y4m", b"YUV4MPEG2 W999999999 H999999999 F25:1\nFRAME\n"),
        ("empty.wav", b""),
        ("header-cut.wav", &sound[..30]),
        ("not-a-sound.wav", b"GIF89a, not a sound at all, but long enough to hold a header of a WAV file."),
        ("no-samples.wav", &sound[..44]),
    ];
    for (name, bytes) in files {
        let path: PathBuf = home.path().join(name);
        fs::write(&path, bytes).expect("written");
        let spec = format!("file:{}", path.display());
        let kind = if name.ends_with("y4m") { "--video" } else { "--audio" };
        let args = [
            "call",
            "bob",
            "--name",
            "alice",
            "--server",
            server.url(),
            "--headless",
            kind,
            &spec,
            "--duration",
            "2s",
        ];
        let outcome = home.run(&args).expect_code(6);
        assert!(outcome.says(name), "the message names {name}\n{outcome}");
    }
    // A folder is no film either.
    let spec = format!("file:{}", home.path().display());
    home.run(&["call", "bob", "--name", "alice", "--server", server.url(), "--headless", "--video", &spec])
        .expect_code(6);
    // Bob noticed nothing worse than calls that ended, and still answers.
    let outcome = call_bob(&server, &home, &["--duration", "2s"]).finish(Duration::from_secs(30));
    outcome.expect_code(0);
    bob.wait_for("connected", SOON);
}

#[test]
fn bytes_that_are_no_protocol_leave_the_server_standing() {
    let (server, _bob_home, _bob) = server_and_bob("accept");
    let flood = vec![b'A'; 1 << 20];
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"GET /v1/ws HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /v1/ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 8\r\nSec-WebSocket-Key: bad\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"\0\0\0\0\0\0\0\0\r\n\r\n",
        &flood,
    ] {
        let mut stream = TcpStream::connect(server.address()).expect("connects");
        stream.set_read_timeout(Some(Duration::from_secs(15))).expect("set");
        stream.set_write_timeout(Some(Duration::from_secs(15))).expect("set");
        // The server may cut the connection at any point of it.
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        let _ = stream.take(65_536).read_to_end(&mut answer);
        assert!(!answer.starts_with(b"HTTP/1.1 2") && !answer.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&answer));
    }
    let home = Home::new();
    call_bob(&server, &home, &["--duration", "2s"]).finish(Duration::from_secs(30)).expect_code(0);
}

#[test]
fn commands_that_make_no_sense_are_answered_and_change_nothing() {
    let server = Server::start();
    let home = Home::new();
    let mut bob = bob(&server, &home, "ask");
    for command in [
        json!("not an object"),
        json!({ "command": "fly" }),
        json!({}),
        json!({ "command": "accept", "now": true }),
    ] {
        bob.say(&command);
        let reply = bob.wait_for("reply", SOON);
        assert_eq!(reply.fields.get("ok"), Some(&json!(false)), "{command}: {reply:?}");
        assert!(!reply.text("error").is_empty(), "{command}: {reply:?}");
    }
    // Nothing rings, so there is nothing to accept.
    bob.say(&json!({ "command": "accept" }));
    bob.wait_for("reply", SOON);
    let caller = Home::new();
    let mut alice = call_bob(&server, &caller, &[]);
    bob.wait_for("incoming", SOON);
    bob.say(&json!({ "command": "decline" }));
    assert_eq!(alice.wait_for("ended", SOON).text("reason"), "declined");
    alice.finish(SOON).expect_code(4);
}
