//! Files between two processes: consent, resume, and what a hostile sender does not achieve.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Home, Outcome, Process, SOON, Server, Signal};

/// No transfer of a test takes longer.
const LONG: Duration = Duration::from_secs(90);

/// Large enough to be stopped half-way on any machine.
const LARGE: usize = 160_000_000;

/// A server and bob, who answers every call and sends no media.
struct Place {
    server: Server,
    bobs: Home,
    bob: Process,
}

impl Place {
    fn new(flags: &[&str]) -> Self {
        let (server, bobs) = (Server::start(), Home::new());
        let bob = login(&server, &bobs, flags);
        Self { server, bobs, bob }
    }

    /// Where bob's files arrive.
    fn downloads(&self) -> PathBuf {
        self.bobs.path().join("Downloads")
    }

    fn sender(&self, home: &Home, paths: &[&Path]) -> Process {
        let paths: Vec<String> = paths.iter().map(|path| path.to_str().unwrap().to_owned()).collect();
        let mut args = vec!["send", "bob", "--name", "alice", "--headless", "--server", self.server.url()];
        args.push("--");
        args.extend(paths.iter().map(String::as_str));
        home.start(&args)
    }

    fn send(&self, home: &Home, paths: &[&Path]) -> Outcome {
        self.sender(home, paths).finish(LONG)
    }

    /// What lies in bob's folder, part files too.
    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.downloads())
            .map(|entries| {
                entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
            })
            .unwrap_or_default();
        names.sort();
        names
    }
}

fn login(server: &Server, home: &Home, flags: &[&str]) -> Process {
    let mut args = vec!["login", "--name", "bob", "--headless", "--answer", "accept"];
    args.extend(["--video", "none", "--audio", "none", "--server", server.url()]);
    args.extend(flags);
    let mut bob = home.start(&args);
    bob.wait_for("registered", SOON);
    bob
}

/// Bytes that no two files share.
fn bytes(seed: &str, length: usize) -> Vec<u8> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(seed.as_bytes());
    let mut bytes = vec![0; length];
    hasher.finalize_xof().fill(&mut bytes);
    bytes
}

fn file(home: &Home, name: &str, bytes: &[u8]) -> PathBuf {
    let path = home.path().join(name);
    fs::write(&path, bytes).unwrap();
    path
}

/// The last event of a file in a process's output.
fn last_of(outcome: &Outcome, name: &str) -> serde_json::Map<String, Value> {
    let events = outcome.events();
    let found = events.iter().rev().find(|event| event.name == "file" && event.text("name") == name);
    found.unwrap_or_else(|| panic!("nothing of {name}\n{outcome}")).fields.clone()
}

#[test]
fn two_files_at_once_arrive_whole_and_are_checked() {
    let mut place = Place::new(&["--accept-files"]);
    let alices = Home::new();
    let (one, two) = (bytes("one", 3_000_017), bytes("two", 1));
    let paths =
        [file(&alices, "one.png", &one), file(&alices, "Zoë 田中.txt", &two), file(&alices, "empty", b"")];
    let paths: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
    let alice = place.send(&alices, &paths).expect_code(0);
    for (name, wanted) in [("one.png", &one[..]), ("Zoë 田中.txt", &two), ("empty", b"")] {
        assert_eq!(fs::read(place.downloads().join(name)).unwrap(), wanted);
        let last = last_of(&alice, name);
        assert_eq!((&last["state"], &last["side"]), (&json!("done"), &json!("local")));
        assert_eq!(last["blake3"], blake3::hash(wanted).to_hex().as_str());
    }
    let done = place.bob.wait_where("file", SOON, |event| event.text("state") == "done");
    assert_eq!((done.text("side"), done.text("path").is_empty()), ("remote", false));
    assert_eq!(place.names(), ["Zoë 田中.txt", "empty", "one.png"]);
    // A second one of the same name replaces nothing.
    place.send(&alices, &paths[..1]).expect_code(0);
    assert_eq!(place.names(), ["Zoë 田中.txt", "empty", "one (2).png", "one.png"]);
    let report = alice.report();
    assert_eq!((report.result.name.as_str(), report.result.message.as_str()), ("ok", "sent 3 files"));
}

#[test]
fn each_file_needs_consent() {
    let mut place = Place::new(&[]);
    let alices = Home::new();
    let (good, bad) = (file(&alices, "good.txt", b"good"), file(&alices, "bad.sh", b"bad"));
    let mut alice = place.sender(&alices, &[&good, &bad]);
    let offered = place.bob.wait_where("file", SOON, |event| event.text("name") == "good.txt");
    assert_eq!((offered.text("state"), offered.text("type")), ("offered", "text/plain"));
    assert_eq!(offered.number("size"), Some(4.0));
    let number = offered.fields["file"].clone();
    let other = place.bob.wait_where("file", SOON, |event| event.text("name") == "bad.sh");
    assert!(place.names().is_empty());
    place.bob.say(&json!({"command": "decline-file", "file": other.fields["file"]}));
    let failed = alice.wait_where("file", SOON, |event| event.text("state") == "failed");
    assert_eq!((failed.text("name"), failed.text("reason")), ("bad.sh", "declined"));
    place.bob.say(&json!({"command": "accept-file", "file": 99}));
    let reply = place.bob.wait_where("reply", SOON, |event| event.text("command") == "accept-file");
    assert!(reply.text("error").contains("no file 99"));
    place.bob.say(&json!({"command": "accept-file", "file": number}));
    alice.wait_where("file", SOON, |event| event.text("state") == "done");
    let alice = alice.finish(SOON).expect_code(4);
    assert_eq!(alice.report().result.message, "bad.sh was not sent: the receiver declined it");
    assert_eq!(place.names(), ["good.txt"]);
}

#[test]
fn what_is_too_large_or_not_wanted_is_refused_before_a_byte_is_sent() {
    for (flags, reason) in [
        (&["--accept-files", "--max-file-size", "1k"][..], "too-large"),
        (&["--files", "decline"], "not-wanted"),
        (&["--accept-files", "--download", "/dev/null/x"], "not-writable"),
    ] {
        let (place, alices) = (Place::new(flags), Home::new());
        let path = file(&alices, "large", &[0; 2000]);
        let alice = place.send(&alices, &[&path]).expect_code(4);
        assert_eq!(last_of(&alice, "large")["reason"], reason, "{alice}");
        assert!(place.names().is_empty());
    }
}

#[test]
fn a_transfer_goes_on_after_the_sender_was_killed() {
    let mut place = Place::new(&["--accept-files"]);
    let alices = Home::new();
    let wanted = bytes("sender", LARGE);
    let path = file(&alices, "film.webm", &wanted);
    let mut alice = place.sender(&alices, &[&path]);
    place.bob.wait_where("file", LONG, |event| event.number("bytes") > Some(0.0));
    alice.signal(Signal::Kill);
    place.bob.wait_where("file", SOON, |event| event.text("reason") == "call-ended");
    place.bob.wait_for("report", SOON);
    let alice = place.send(&alices, &[&path]).expect_code(0);
    let started = alice.events().into_iter().find(|event| event.text("state") == "started").unwrap();
    assert!(started.number("bytes") > Some(0.0), "{alice}");
    assert!(fs::read(place.downloads().join("film.webm")).unwrap() == wanted);
    assert_eq!(place.names(), ["film.webm"]);
}

#[test]
fn a_transfer_goes_on_after_the_receiver_was_killed() {
    let mut place = Place::new(&["--accept-files"]);
    let alices = Home::new();
    let wanted = bytes("receiver", LARGE);
    let path = file(&alices, "film.webm", &wanted);
    let alice = place.sender(&alices, &[&path]);
    place.bob.wait_where("file", LONG, |event| event.number("bytes") > Some(0.0));
    place.bob.signal(Signal::Kill);
    let alice = alice.finish(LONG).expect_code(5);
    assert_eq!(last_of(&alice, "film.webm")["reason"], "call-ended");
    place.bob = login(&place.server, &place.bobs, &["--accept-files"]);
    let alice = place.send(&alices, &[&path]).expect_code(0);
    let started = alice.events().into_iter().find(|event| event.text("state") == "started").unwrap();
    assert!(started.number("bytes") > Some(0.0), "{alice}");
    assert!(fs::read(place.downloads().join("film.webm")).unwrap() == wanted);
}

#[test]
fn a_part_that_was_damaged_meanwhile_is_noticed() {
    let mut place = Place::new(&["--accept-files"]);
    let alices = Home::new();
    let wanted = bytes("damaged", LARGE);
    let path = file(&alices, "film.webm", &wanted);
    let mut alice = place.sender(&alices, &[&path]);
    place.bob.wait_where("file", LONG, |event| event.number("bytes") > Some(0.0));
    alice.signal(Signal::Kill);
    place.bob.wait_for("report", SOON);
    let [part] = &place.names()[..] else { panic!("{:?}", place.names()) };
    assert!(part.starts_with(".film.webm.") && part.ends_with(".part"), "{part}");
    let mut damaged = fs::OpenOptions::new().write(true).open(place.downloads().join(part)).unwrap();
    damaged.write_all(b"x").unwrap();
    let alice = place.send(&alices, &[&path]).expect_code(0);
    let started = alice.events().into_iter().find(|event| event.text("state") == "started").unwrap();
    assert_eq!(started.number("bytes"), Some(0.0));
    assert!(fs::read(place.downloads().join("film.webm")).unwrap() == wanted);
    assert_eq!(place.names(), ["film.webm"]);
}

#[test]
fn a_file_that_changes_while_it_is_sent_does_not_arrive() {
    let mut place = Place::new(&["--accept-files"]);
    let alices = Home::new();
    let path = file(&alices, "log", &bytes("log", LARGE));
    let alice = place.sender(&alices, &[&path]);
    place.bob.wait_where("file", LONG, |event| event.number("bytes") > Some(0.0));
    fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"more").unwrap();
    let alice = alice.finish(LONG).expect_code(6);
    assert_eq!(last_of(&alice, "log")["reason"], "changed");
    place.bob.wait_where("file", SOON, |event| event.text("reason") == "changed");
    place.bob.wait_for("report", SOON);
    assert!(place.names().is_empty());
}

#[test]
fn hostile_names_end_in_the_folder_as_harmless_ones() {
    let mut place = Place::new(&["--accept-files"]);
    let alices = Home::new();
    let long = "x".repeat(255);
    let names =
        ["\u{1b}[2J.txt", ".bashrc", "con", "a\u{202e}gpj.exe", "-rf", " . ", "a\\..\\b", "new\nline", &long];
    let kept = ["[2J.txt", "bashrc", "_con", "agpj.exe", "_-rf", "file", "b", "newline"];
    for name in names {
        let path = file(&alices, name, name.as_bytes());
        place.send(&alices, &[&path]).expect_code(0);
        let done = place.bob.wait_where("file", SOON, |event| event.text("state") == "done");
        let path = PathBuf::from(done.text("path"));
        assert_eq!(path.parent(), Some(place.downloads().as_path()));
        assert_eq!(fs::read(path).unwrap(), name.as_bytes());
    }
    let there = place.names();
    assert_eq!(there.len(), names.len(), "{there:?}");
    for name in kept {
        assert!(there.iter().any(|there| there == name), "{name:?} in {there:?}");
    }
}

#[test]
fn a_link_in_the_folder_is_neither_followed_nor_replaced() {
    let place = Place::new(&["--accept-files"]);
    let alices = Home::new();
    let precious = file(&place.bobs, "precious", b"precious");
    fs::create_dir(place.downloads()).unwrap();
    std::os::unix::fs::symlink(&precious, place.downloads().join("a.txt")).unwrap();
    let path = file(&alices, "a.txt", b"hello");
    place.send(&alices, &[&path]).expect_code(0);
    assert_eq!(fs::read(precious).unwrap(), b"precious");
    assert_eq!(fs::read(place.downloads().join("a (2).txt")).unwrap(), b"hello");
}

#[test]
fn files_go_both_ways_in_a_call_with_media_and_can_be_cancelled() {
    let (server, alices, bobs) = (Server::start(), Home::new(), Home::new());
    let media = ["--video", "pattern:160x90@10", "--audio", "tone", "--accept-files", "--headless"];
    let mut args = vec!["login", "--name", "bob", "--answer", "accept", "--server", server.url()];
    args.extend(media);
    let mut bob = bobs.start(&args);
    bob.wait_for("registered", SOON);
    let mut args = vec!["call", "bob", "--name", "alice", "--server", server.url()];
    args.extend(media);
    let mut alice = alices.start(&args);
    alice.wait_for("connected", SOON);
    bob.wait_for("connected", SOON);
    let (one, two) = (bytes("a", 2_000_000), bytes("b", 2_000_000));
    let one_path = file(&alices, "one", &one);
    let two_path = file(&bobs, "two", &two);
    alice.say(&json!({"command": "send-file", "path": one_path}));
    bob.say(&json!({"command": "send-file", "path": two_path}));
    let done = |event: &crate::harness::process::Event| {
        event.text("state") == "done" && event.text("side") == "remote"
    };
    let theirs = alice.wait_where("file", LONG, done);
    let ours = bob.wait_where("file", LONG, done);
    assert!(fs::read(theirs.text("path")).unwrap() == two && fs::read(ours.text("path")).unwrap() == one);
    let large = file(&alices, "large", &bytes("large", LARGE));
    alice.say(&json!({"command": "send-file", "path": large}));
    let moving = bob.wait_where("file", LONG, |event| event.number("bytes") > Some(0.0));
    bob.say(&json!({"command": "cancel-file", "file": moving.fields["file"]}));
    let failed = alice.wait_where("file", SOON, |event| event.text("state") == "failed");
    assert_eq!(failed.text("reason"), "cancelled");
    alice.say(&json!({"command": "send-file", "path": "/nowhere"}));
    let reply = alice.wait_where("reply", SOON, |event| event.fields["ok"] == json!(false));
    assert!(reply.text("error").contains("cannot send /nowhere"));
    alice.say(&json!({"command": "hangup"}));
    alice.finish(SOON).expect_code(0);
    bob.wait_for("report", SOON);
    assert_eq!(fs::read_dir(bobs.path().join("Downloads")).unwrap().count(), 1);
}

#[test]
fn what_cannot_be_read_is_told_before_anybody_s_phone_rings() {
    let home = Home::new();
    for (path, why) in [("none", "No such file"), (".", "it is a folder"), ("/dev/null", "it is no file")] {
        let outcome = home.run(&["send", "bob", path, "--name", "alice", "--server", "ws://127.0.0.1:1"]);
        let outcome = outcome.expect_code(6);
        assert!(outcome.says(why), "{outcome}");
    }
    home.run(&["send", "bob", "--name", "alice"]).expect_code(2);
}

#[test]
fn nobody_of_that_name_is_told_as_in_a_call() {
    let (server, home) = (Server::start(), Home::new());
    let path = file(&home, "a", b"a");
    let path = path.to_str().unwrap();
    let outcome = home.run(&["send", "bob", path, "--name", "alice", "--json", "--server", server.url()]);
    let document: Value = serde_json::from_str(&outcome.expect_code(4).stdout).unwrap();
    assert_eq!(document["schema"], "letsmeet.send/1");
    assert_eq!(document["result"]["name"], "not-answered");
}

#[test]
fn a_person_is_told_in_sentences() {
    let (server, alices, bobs) = (Server::start(), Home::new(), Home::new());
    let media = ["--video", "none", "--audio", "none", "--hear", "null", "--plain", "--server", server.url()];
    let mut args = vec!["login", "--name", "bob", "--answer", "accept"];
    args.extend(media);
    let mut bob = bobs.start(&args);
    bob.wait_for_text("You are online", SOON);
    let path = file(&alices, "photo.jpg", &bytes("photo", 1_234_567));
    let path = path.to_str().unwrap();
    let mut alice =
        alices.start(&["send", "bob", path, "--name", "alice", "--plain", "--server", server.url()]);
    alice.wait_for_text("photo.jpg (1.2 MB) is offered.", SOON);
    bob.wait_for_text("alice wants to send you files, first contact", SOON);
    bob.wait_for_text("The other side offers a file: photo.jpg (1.2 MB, image/jpeg). Type accept file", SOON);
    bob.type_line("accept file");
    bob.wait_for_text("photo.jpg is received whole:", SOON);
    alice.wait_for_text("photo.jpg is sent and was checked by the other side.", SOON);
    alice.wait_for_text("sent 1 file.", SOON);
    let alice = alice.finish(SOON).expect_code(0);
    assert!(!alice.stdout.contains('\u{1b}') && !alice.says("You send neither"), "{alice}");
    // What belongs to a call with sound and picture is not said, nor is the end said twice.
    for talk in ["Type", "hung up", "picture", "mute"] {
        assert!(!alice.says(talk), "{talk:?} in {alice}");
    }
    bob.wait_for_text("result   ok", SOON);
    bob.type_line("quit");
    let bob = bob.finish(SOON).expect_code(0);
    assert!(!bob.says("picture  none") && bob.says("path     "), "{bob}");
}

#[test]
fn a_disk_that_fills_half_way_ends_the_transfer_and_the_rest_comes_when_there_is_room() {
    let server = Server::start();
    // A disk of its own, which only bob sees.
    let mount = "mkdir -p \"$HOME/Downloads\" && mount -t tmpfs -o size=200m tmpfs \"$HOME/Downloads\" && exec \"$@\"";
    let wrapper = ["unshare", "--mount", "sh", "-c", mount, "sh"].into_iter().map(Into::into).collect();
    let bobs = Home::wrapped(wrapper);
    let mut place = Place { bob: login(&server, &bobs, &["--accept-files"]), server, bobs };
    let disk = PathBuf::from(format!("/proc/{}/root{}", place.bob.pid(), place.downloads().display()));
    let alices = Home::new();
    let wanted = bytes("full", LARGE);
    let path = file(&alices, "film.webm", &wanted);
    let alice = place.sender(&alices, &[&path]);
    place.bob.wait_where("file", LONG, |event| event.number("bytes") > Some(0.0));
    let filler = disk.join("filler");
    let mut filling = fs::File::create(&filler).unwrap();
    while filling.write_all(&[0; 65_536]).is_ok() {}
    let alice = alice.finish(LONG).expect_code(4);
    assert_eq!(last_of(&alice, "film.webm")["reason"], "no-space");
    place.bob.wait_where("file", SOON, |event| event.text("reason") == "no-space");
    drop(filling);
    fs::remove_file(&filler).unwrap();
    let alice = place.send(&alices, &[&path]).expect_code(0);
    let started = alice.events().into_iter().find(|event| event.text("state") == "started").unwrap();
    assert!(started.number("bytes") > Some(0.0), "{alice}");
    assert!(fs::read(disk.join("film.webm")).unwrap() == wanted);
}
