//! A window of a virtual display is shared in a call: its text can be read in what the other side received, and when it is closed
//! the picture says so.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use letsmeet::media::device::convert;
use letsmeet::media::measure::quality;
use letsmeet::media::{VideoFrame, WallTime};
use serde_json::json;

use crate::harness::display::{Display, Program};
use crate::harness::{Home, Process, SOON, Server, until};

const TITLE: &str = "Notes for the call";
const TEXT: &str = "The quick brown fox jumps over the lazy dog: 0123456789 {[()]} #@&%";

/// A terminal window full of text, its number told.
fn window(display: &Display, home: &Home) -> (Program, String) {
    let file = home.path().join("window");
    let mut command = Command::new("xterm");
    let script = format!(
        "for line in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do echo \"$line {TEXT}\"; done; \
         echo $WINDOWID > '{0}.part'; mv '{0}.part' '{0}'; exec sleep 600",
        file.display()
    );
    command.args(["-T", TITLE, "-fa", "DejaVu Sans Mono", "-fs", "10", "-geometry", "90x28+20+20"]);
    command.args(["-e", "sh", "-c", &script]);
    let program = display.run(command);
    let number = until(SOON, "xterm says its window", || std::fs::read_to_string(&file).ok());
    let number = number.trim().to_owned();
    // Which windows there are and how they are called is told by a window manager, which a display of a test does without.
    xprop(display, &["-id", &number, "-f", "_NET_WM_NAME", "8u", "-set", "_NET_WM_NAME", TITLE]);
    let list = "_NET_CLIENT_LIST_STACKING";
    xprop(display, &["-root", "-f", list, "32x", "-set", list, &number]);
    (program, number)
}

/// Sets a property of a window.
fn xprop(display: &Display, args: &[&str]) {
    let status = Command::new("xprop").args(args).env("DISPLAY", display.name()).status();
    let status =
        status.unwrap_or_else(|error| panic!("cannot start xprop: {error} (apt-get install x11-utils)"));
    assert!(status.success(), "xprop: {status}");
}

/// Alice on the display and Bob elsewhere, in a call; what Bob sees goes into a film.
fn call(server: &Server, homes: [&Home; 2], display: &Display, film: &Path, share: &str) -> [Process; 2] {
    let show = format!("file:{}", film.display());
    let mut bob = homes[1].start(&[
        "login",
        "--name",
        "bob",
        "--server",
        server.url(),
        "--headless",
        "--answer",
        "accept",
        "--video",
        "none",
        "--audio",
        "none",
        "--show",
        &show,
    ]);
    bob.wait_for("registered", SOON);
    let mut command = homes[0].command(&[
        "call",
        "bob",
        "--name",
        "alice",
        "--server",
        server.url(),
        "--headless",
        "--video",
        share,
        "--size",
        "1280x720",
        "--fps",
        "15",
        "--audio",
        "none",
    ]);
    command.env("DISPLAY", display.name());
    let mut alice = Process::start(command, "call bob with a share");
    for side in [&mut alice, &mut bob] {
        side.wait_for("connected", SOON);
    }
    [alice, bob]
}

/// The pictures of a film.
fn pictures(film: &Path) -> Vec<VideoFrame> {
    let bytes = std::fs::read(film).expect("a film");
    let end = bytes.iter().position(|&byte| byte == b'\n').expect("a header");
    let header = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let side = |letter| -> u32 {
        let word = header.split(' ').find_map(|word| word.strip_prefix(letter)).expect("a size");
        word.parse().expect("a number")
    };
    let (width, height) = (side('W'), side('H'));
    let picture = |bytes: &[u8]| {
        VideoFrame::new(width, height, bytes[b"FRAME\n".len()..].to_vec(), WallTime(0)).expect("a picture")
    };
    bytes[end + 1..].chunks_exact(b"FRAME\n".len() + VideoFrame::bytes(width, height)).map(picture).collect()
}

#[test]
fn the_text_of_a_shared_window_can_be_read_on_the_other_side_and_its_end_is_seen() {
    let (display, server) = (Display::start(), Server::start());
    let homes = [Home::new(), Home::new()];
    let (program, number) = window(&display, &homes[0]);
    let film = homes[1].path().join("seen.y4m");
    let [mut alice, mut bob] = call(&server, [&homes[0], &homes[1]], &display, &film, "screen:notes for");
    for _ in 0..5 {
        bob.wait_for("stats", SOON);
    }
    // While the window is there: the card after its end is a still picture.
    let fps = bob.wait_for("stats", SOON).number("receive.video.fps");
    let shot = display.screenshot_of(&number);
    let rgba: Vec<u8> = shot.pixels().flat_map(|pixel| [pixel[0], pixel[1], pixel[2], 255]).collect();
    let shown = convert::rgba(shot.width(), shot.height(), &rgba, WallTime(0)).expect("a picture");
    drop(program);
    for _ in 0..3 {
        bob.wait_for("stats", SOON);
    }
    alice.say(&json!({ "command": "hangup" }));
    let report = alice.finish(SOON).expect_code(0).report();
    let seen = bob.wait_for_report();

    assert!(fps.is_some_and(|fps| fps >= 10.0), "{fps:?}");
    assert_eq!(seen.receive.video.width, Some(shot.width()), "{seen:#?}");
    assert_eq!(seen.receive.video.height, Some(shot.height()), "in its own shape\n{seen:#?}");
    assert!(report.send.video.keyframes <= 4, "{report:#?}");

    let pictures = pictures(&film);
    let likeness = |picture: &VideoFrame| {
        (
            quality::psnr(quality::luma_error(picture, &shown).expect("one size")),
            quality::ssim(picture, &shown).expect("one size"),
        )
    };
    let (decibels, ssim) = pictures
        .iter()
        .map(likeness)
        .fold((0.0, 0.0), |best: (f64, f64), one| if one.0 > best.0 { one } else { best });
    println!(
        "{}x{}, {:?} fps, PSNR {decibels:.1} dB, SSIM {ssim:.4}",
        shot.width(),
        shot.height(),
        seen.receive.video.fps
    );
    assert!(decibels > 35.0 && ssim > 0.98, "PSNR {decibels:.1} dB, SSIM {ssim:.4}");

    let last = pictures.last().expect("pictures");
    let corner = last.y()[0];
    assert!(corner.abs_diff(48) <= 4, "the card that says that the share has ended: {corner}");
    assert!(last.y().iter().any(|&level| level > 150), "words on it");
}

#[test]
fn a_whole_screen_is_shared_and_a_window_that_is_not_there_is_not_replaced_by_it() {
    let (display, server) = (Display::start(), Server::start());
    let homes = [Home::new(), Home::new()];
    let film = homes[1].path().join("seen.y4m");
    let mut command = homes[0].command(&[
        "call",
        "bob",
        "--name",
        "alice",
        "--server",
        server.url(),
        "--headless",
        "--video",
        "screen:no such window",
    ]);
    command.env("DISPLAY", display.name());
    let outcome = Process::start(command, "a window that is not there").finish(SOON).expect_code(6);
    let words = "cannot open screen \"no such window\": no such screen or window (see: letsmeet devices)";
    assert!(outcome.says(words), "{outcome}");

    let [mut alice, mut bob] = call(&server, [&homes[0], &homes[1]], &display, &film, "screen");
    for _ in 0..4 {
        bob.wait_for("stats", Duration::from_secs(20));
    }
    alice.say(&json!({ "command": "hangup" }));
    alice.finish(SOON).expect_code(0);
    let seen = bob.wait_for_report();
    assert_eq!((seen.receive.video.width, seen.receive.video.height), (Some(1000), Some(720)), "{seen:#?}");
    assert!(seen.receive.video.fps.is_some_and(|fps| fps >= 10.0), "{seen:#?}");
}
