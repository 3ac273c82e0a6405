//! The layers test: reads `src/**` and fails on an arrow that points up, on a crate named outside
//! its room, on a clock inside pure code, on a file that grew too long or does not say what it owns.
//! The rules are the tables below; ARCHITECTURE.md says them in words. Test code is exempt.

mod source;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use source::{PathUse, Source};

/// A file longer than this (without its tests) needs to be split.
const MAX_LINES: usize = 600;

/// Which rooms a place may name besides itself. The longest matching place decides.
struct Arrow {
    place: &'static str,
    may_use: &'static [&'static str],
}

const fn arrow(place: &'static str, may_use: &'static [&'static str]) -> Arrow {
    Arrow { place, may_use }
}

const ARROWS: &[Arrow] = &[
    arrow("call", &[]),
    arrow("files", &[]),
    arrow("identity", &[]),
    arrow("logging", &[]),
    arrow("media", &[]),
    arrow("rtc", &["media", "tls"]),
    arrow("signaling", &["call", "identity"]),
    arrow("signaling::protocol", &["call", "identity"]),
    arrow("signaling::client", &["signaling", "call", "identity", "tls"]),
    arrow("signaling::server", &["signaling", "call", "identity"]),
    arrow("session", &["call", "files", "identity", "media", "rtc", "signaling"]),
    arrow("config", &["call", "identity", "media", "rtc"]),
    arrow("text", &[]),
    arrow("tls", &[]),
    arrow("history", &["text"]),
    arrow("tui", &["session", "call", "media::frame", "media::clock", "text", "history"]),
    arrow(
        "cli",
        &[
            "call",
            "config",
            "files",
            "history",
            "identity",
            "logging",
            "media",
            "rtc",
            "session",
            "signaling",
            "text",
            "tls",
            "tui",
        ],
    ),
    arrow("cli::output", &["cli", "session", "call", "media", "text"]),
    arrow("main", &["cli"]),
];

/// Inside one room: what a part must not name although the room as a whole may.
const APART: &[(&str, &[&str])] = &[
    ("signaling::protocol", &["signaling::client", "signaling::server", "call::machine", "call::Machine"]),
    ("tui::render", &["session", "call", "history", "text", "tui::terminal"]),
    ("signaling::client", &["signaling::server", "call::machine", "call::Machine"]),
    ("signaling::server", &["signaling::client"]),
];

/// A crate and the only places that may name it.
const HOMES: &[(&str, &[&str])] = &[
    ("webrtc", &["rtc"]),
    ("rtc", &["rtc"]),
    ("socket2", &["rtc"]),
    ("rustls_native_certs", &["tls"]),
    ("hmac", &["rtc"]),
    ("md5", &["rtc"]),
    ("sha1", &["rtc"]),
    ("crc32fast", &["rtc"]),
    ("vpx_sys", &["media"]),
    ("nokhwa", &["media::device::camera::system"]),
    ("alsa", &["media::device::sound::hosts"]),
    ("cpal", &["media::device::sound"]),
    ("pulseaudio", &["media::device::sound::pulse"]),
    ("xcap", &["media::device::screen::system"]),
    ("rustface", &["media::alert::finder"]),
    ("zune_jpeg", &["media::device::convert"]),
    ("opus", &["media"]),
    ("axum", &["signaling::server"]),
    ("tokio_tungstenite", &["signaling"]),
    ("redb", &["signaling::server"]),
    ("clap", &["cli", "main"]),
    ("clap_complete", &["cli"]),
    ("clap_mangen", &["cli"]),
    ("anyhow", &["cli", "main"]),
    ("ratatui", &["tui"]),
    ("crossterm", &["tui"]),
    ("flate2", &["tui::render"]),
    ("fast_image_resize", &["tui::render"]),
];

/// A place and the crates it must not name.
const WITHOUT: &[(&str, &[&str])] = &[
    ("session", &["serde_json"]),
    ("files", &["tokio", "serde_json"]),
    (
        "signaling::server::registry",
        &["tokio", "tokio_util", "serde", "serde_json", "axum", "redb", "futures_util"],
    ),
];

/// A place and the ends of paths that it must not name: time comes in as an argument there.
const NO_CLOCK: &[&str] = &["call", "signaling::server::registry"];
const CLOCKS: &[&str] = &["Instant::now", "SystemTime", "SystemTime::now", "WallTime::now"];

/// Pure code: of the standard library, these modules reach outside.
const PURE: &[&str] = &["call"];
const OUTSIDE: &[&str] = &["env", "fs", "io", "net", "os", "process", "thread", "sync"];

/// Within media, the wall clock is read in one place.
const WALL_CLOCK: &str = "media::clock";

/// True when `path` is `place` or lies in it; both with `::`.
fn within(path: &str, place: &str) -> bool {
    path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Everything that is wrong, but for files that hold only tests.
fn all_faults(sources: &[Source], crates: &BTreeSet<String>) -> Vec<String> {
    let tests: Vec<&Vec<String>> = sources.iter().flat_map(|source| &source.test_modules).collect();
    let ships = |source: &&Source| !tests.iter().any(|module| source.module.starts_with(module));
    sources.iter().filter(ships).flat_map(|source| faults(source, crates)).collect()
}

/// Everything that is wrong with one file; `crates` are the dependencies by their Rust names.
fn faults(source: &Source, crates: &BTreeSet<String>) -> Vec<String> {
    let mut found = Vec::new();
    if !source.documented {
        found.push(format!(
            "{}: does not open with //! (what it owns, what it must not know, who drives it)",
            source.file
        ));
    }
    if source.lines > MAX_LINES {
        found.push(format!(
            "{}: {} lines without its tests, the limit is {MAX_LINES}",
            source.file, source.lines
        ));
    }
    let here = source.module.join("::");
    // `use crate::rtc;` makes `rtc::` mean the room, not the crate of that name.
    let rooms: BTreeSet<&str> = source
        .paths
        .iter()
        .filter(|path| path.segments.len() == 2 && path.segments[0] == "crate")
        .map(|path| path.segments[1].as_str())
        .collect();
    for path in &source.paths {
        let fault = if path.segments[0] == "crate" {
            room_fault(&here, &path.segments[1..].join("::"))
        } else if rooms.contains(path.segments[0].as_str()) {
            room_fault(&here, &path.segments.join("::"))
        } else {
            crate_fault(&here, path, crates)
        };
        if let Some(fault) = fault.or_else(|| clock_fault(&here, path)) {
            found.push(format!("{}:{}: {} {fault}", source.file, path.line, path.segments.join("::")));
        }
    }
    found
}

fn room_fault(here: &str, target: &str) -> Option<String> {
    let room = target.split("::").next().unwrap_or(target);
    if !ARROWS.iter().any(|arrow| arrow.place == room) {
        return None; // an item of the crate root
    }
    for (place, apart) in APART {
        if within(here, place) && apart.iter().any(|other| within(target, other)) {
            return Some(format!("is out of reach for {place}"));
        }
    }
    let arrow =
        ARROWS.iter().filter(|arrow| within(here, arrow.place)).max_by_key(|arrow| arrow.place.len())?;
    let own = arrow.place.split("::").next().unwrap_or(arrow.place);
    let allowed = within(target, own) && (own == arrow.place || within(target, arrow.place))
        || arrow.may_use.iter().any(|place| within(target, place));
    (!allowed).then(|| format!("is not for {} (it may use: {})", arrow.place, list(arrow.may_use)))
}

fn crate_fault(here: &str, path: &PathUse, crates: &BTreeSet<String>) -> Option<String> {
    let name = path.segments[0].as_str();
    if PURE.iter().any(|place| within(here, place)) {
        if crates.contains(name) {
            return Some(format!("is a dependency, and {here} is pure: the standard library only"));
        }
        if name == "std" && path.segments.get(1).is_some_and(|part| OUTSIDE.contains(&part.as_str())) {
            return Some(format!("reaches outside, and {here} is pure"));
        }
    }
    for (home, places) in HOMES {
        if name == *home && crates.contains(name) && !places.iter().any(|place| within(here, place)) {
            return Some(format!("may be named only in {}", list(places)));
        }
    }
    for (place, names) in WITHOUT {
        if within(here, place) && names.contains(&name) {
            return Some(format!("must not be named in {place}"));
        }
    }
    None
}

fn clock_fault(here: &str, path: &PathUse) -> Option<String> {
    let text = path.segments.join("::");
    let clock = CLOCKS.iter().any(|clock| text == *clock || text.ends_with(&format!("::{clock}")));
    if clock && NO_CLOCK.iter().any(|place| within(here, place)) {
        return Some("reads a clock: time comes in as an argument here".to_owned());
    }
    let wall =
        text.ends_with("SystemTime::now") || text.ends_with("SystemTime") || text.ends_with("UNIX_EPOCH");
    (wall && within(here, "media") && !within(here, WALL_CLOCK))
        .then(|| format!("the wall clock is read in {WALL_CLOCK} only"))
}

fn list(names: &[&str]) -> String {
    if names.is_empty() { "nothing else".to_owned() } else { names.join(", ") }
}

/// The dependencies of the package as Rust names them.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    let manifest: toml::Table = manifest.parse().expect("Cargo.toml is TOML");
    let mut names: BTreeSet<String> =
        manifest["dependencies"].as_table().expect("dependencies").keys().cloned().collect();
    for target in manifest
        .get("target")
        .and_then(toml::Value::as_table)
        .into_iter()
        .flat_map(|targets| targets.values())
    {
        names.extend(
            target
                .get("dependencies")
                .and_then(toml::Value::as_table)
                .into_iter()
                .flat_map(|table| table.keys().cloned()),
        );
    }
    let mut crates: BTreeSet<String> = names.iter().map(|name| name.replace('-', "_")).collect();
    crates.insert("vpx_sys".to_owned()); // the library name of env-libvpx-sys
    crates
}

fn rust_files(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    let mut entries: Vec<_> =
        fs::read_dir(folder).expect("src is readable").map(|entry| entry.expect("entry").path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn every_arrow_between_the_rooms_points_down() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let crates = dependencies(&fs::read_to_string(package.join("Cargo.toml")).expect("Cargo.toml"));
    let mut files = Vec::new();
    rust_files(&package.join("src"), &mut files);
    assert!(files.len() > 8, "only {} files under src", files.len());
    let sources: Vec<Source> = files
        .iter()
        .map(|file| {
            let name = file.strip_prefix(package).expect("under the package");
            let text = fs::read_to_string(file).expect("source is UTF-8");
            Source::read(&name.to_string_lossy().replace('\\', "/"), &text)
        })
        .collect();
    let found = all_faults(&sources, &crates);
    assert!(found.is_empty(), "{} faults:\n{}", found.len(), found.join("\n"));
}

#[test]
fn every_room_has_a_rule() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    for entry in fs::read_dir(package.join("src")).expect("src") {
        let name = entry.expect("entry").file_name().to_string_lossy().trim_end_matches(".rs").to_owned();
        assert!(
            name == "lib" || ARROWS.iter().any(|arrow| arrow.place == name),
            "src/{name} is in no table of tests/integration/layers"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: [&str; 0] = [];

    /// The faults of `text` (a module doc is put before it) at `file`.
    fn check(file: &str, text: &str) -> Vec<String> {
        let crates = dependencies(
            "[dependencies]\nwebrtc = \"0\"\nrtc = \"0\"\ntokio = \"1\"\nserde = \"1\"\nserde_json = \"1\"\nclap = \"4\"\nopus = \"0\"\n[target.'cfg(unix)'.dependencies]\nlibc = \"0\"\n",
        );
        faults(&Source::read(file, &format!("//! Doc.\n{text}")), &crates)
    }

    #[test]
    fn arrows_up_are_faults() {
        for (file, text) in [
            ("src/call/machine.rs", "use crate::media::Frame;"),
            ("src/media/mod.rs", "fn f() { crate::call::CallId::new(); }"),
            ("src/media/pipeline/mod.rs", "use crate::{session::Handle};"),
            ("src/rtc/peer.rs", "use super::super::signaling::protocol;"),
            ("src/signaling/protocol.rs", "use crate::signaling::server::Registry;"),
            ("src/signaling/protocol.rs", "use super::client::Client;"),
            ("src/signaling/client/mod.rs", "use crate::call::machine::Machine;"),
            ("src/signaling/client/mod.rs", "use crate::rtc::Peer;"),
            ("src/signaling/server/mod.rs", "use crate::session::Handle;"),
            ("src/signaling/server/tls.rs", "use crate::tls::Trust;"),
            ("src/tls.rs", "use crate::rtc::Peer;"),
            ("src/session/mod.rs", "use crate::cli::output;"),
            ("src/session/mod.rs", "use crate::{cli}; "),
            ("src/tui/mod.rs", "use crate::media::codec::vp8;"),
            ("src/cli/output/json.rs", "use crate::rtc::PathStats;"),
            ("src/cli/output/mod.rs", "use crate::rtc; fn f(_: rtc::Peer) {}"),
            ("src/main.rs", "use crate::session::Handle;"),
        ] {
            assert_ne!(check(file, text), NONE, "{file}: {text}");
        }
    }

    #[test]
    fn arrows_down_are_fine() {
        for (file, text) in [
            (
                "src/call/machine.rs",
                "use super::event::Event; use std::{collections::BTreeMap, time::Duration};",
            ),
            (
                "src/rtc/peer.rs",
                "use crate::media::{rtp::RtpPacket, pipeline::Inlet}; use webrtc::api::Api; use rtc::stun;",
            ),
            (
                "src/signaling/client/mod.rs",
                "use crate::signaling::protocol::ClientMessage; use crate::call::CallId;",
            ),
            ("src/signaling/client/way.rs", "use crate::tls::Trust;"),
            ("src/rtc/servers.rs", "use crate::tls::Trust;"),
            ("src/signaling/server/registry.rs", "use std::time::{Duration, Instant}; fn f(now: Instant) {}"),
            (
                "src/session/mod.rs",
                "use crate::{call, identity, media, rtc, signaling}; fn f() { rtc::Peer::new(); call::CallId::new(); }",
            ),
            ("src/tui/mod.rs", "use crate::{session::Handle, media::frame::VideoFrame};"),
            (
                "src/cli/output/json.rs",
                "use crate::session::Snapshot; use crate::cli::exit::Code; use serde_json::json;",
            ),
            ("src/media/clock.rs", "fn f() { std::time::SystemTime::now(); }"),
        ] {
            assert_eq!(check(file, text), NONE, "{file}: {text}");
        }
    }

    #[test]
    fn crates_stay_in_their_rooms() {
        for (file, text) in [
            ("src/session/mod.rs", "use webrtc::peer_connection::X;"),
            ("src/session/mod.rs", "fn f() { rtc::stun::X::new(); }"),
            ("src/session/mod.rs", "use serde_json::Value;"),
            ("src/session/mod.rs", "use clap::Parser;"),
            ("src/cli/output/json.rs", "use opus::Encoder;"),
            ("src/call/mod.rs", "use serde::Serialize;"),
            ("src/call/mod.rs", "#[derive(serde::Serialize)] struct A;"),
            ("src/call/mod.rs", "use tokio;"),
            ("src/call/mod.rs", "use libc::c_int;"),
            ("src/call/mod.rs", "use std::{fs, time::Duration};"),
            ("src/signaling/server/registry/mod.rs", "use tokio::sync::mpsc;"),
        ] {
            assert_ne!(check(file, text), NONE, "{file}: {text}");
        }
    }

    #[test]
    fn pure_code_reads_no_clock() {
        for (file, text) in [
            ("src/call/machine.rs", "use std::time::Instant; fn f() { Instant::now(); }"),
            ("src/call/machine.rs", "fn f() { std::time::Instant::now(); }"),
            ("src/call/machine.rs", "use std::time::SystemTime;"),
            ("src/signaling/server/registry.rs", "fn f() { std::time::Instant::now(); }"),
            ("src/media/jitter.rs", "use std::time::SystemTime;"),
        ] {
            assert_ne!(check(file, text), NONE, "{file}: {text}");
        }
    }

    #[test]
    fn tests_may_name_what_their_code_must_not() {
        assert_eq!(
            check(
                "src/call/mod.rs",
                "#[cfg(test)]\nmod tests {\n use tokio::time::Instant;\n fn f() { Instant::now(); }\n}\n"
            ),
            NONE
        );
        let declares = Source::read("src/call/mod.rs", "//! Doc.\n#[cfg(test)]\nmod tests;");
        let tests = Source::read("src/call/tests/glare.rs", "use proptest::prelude::*; use std::fs;");
        assert_eq!(all_faults(&[declares, tests], &BTreeSet::new()), NONE);
    }

    #[test]
    fn a_file_too_long_or_without_its_doc_is_a_fault() {
        let long = "fn f() {}\n".repeat(MAX_LINES);
        assert!(check("src/call/mod.rs", &long)[0].contains("601 lines"));
        let undocumented = Source::read("src/call/mod.rs", "fn f() {}");
        assert!(faults(&undocumented, &BTreeSet::new())[0].contains("//!"));
    }

    #[test]
    fn a_fault_names_its_file_and_line() {
        assert_eq!(
            check("src/rtc/mod.rs", "\nuse crate::cli::exit;"),
            ["src/rtc/mod.rs:3: crate::cli::exit is not for rtc (it may use: media, tls)"]
        );
    }
}
