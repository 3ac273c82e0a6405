//! The preview of a voice: its level, and one's own voice back after a second.

use letsmeet::media::WallTime;
use letsmeet::media::source::open_sound;
use tempfile::TempDir;

use crate::harness::pesq::scores;
use crate::harness::pty::{PLAIN, Pty};
use crate::harness::{Home, SOON, Signal, data, until};

#[test]
fn a_voice_is_told_in_lines_and_comes_back_after_a_second() {
    let folder = TempDir::with_prefix("letsmeet-preview-").unwrap();
    let (talk, back) = (data("talk.wav"), folder.path().join("back.wav"));
    let (audio, hear) = (format!("file:{}", talk.display()), format!("file:{}", back.display()));
    let home = Home::new();
    let args = ["preview", "--video", "none", "--audio", &audio, "--hear", &hear, "--echo"];
    let mut preview = home.start(&args);
    preview.wait_for_text("You hear yourself after a second.", SOON);
    preview.wait_for_text("A voice, -", SOON);
    preview.type_line("dance");
    preview.wait_for_text("Known are echo and quit.", SOON);
    // A second of silence, the text and what a judge needs beside it.
    let head = 44;
    let wanted = head + (std::fs::metadata(&talk).unwrap().len() as usize - head) + 2 * 2 * 48_000;
    until(3 * SOON, "the text is back", || {
        (std::fs::metadata(&back).ok()?.len() as usize > wanted).then_some(())
    });
    preview.type_line("echo");
    preview.wait_for_text("You don't hear yourself any more.", SOON);
    preview.type_line("quit");
    let outcome = preview.finish(SOON).expect_code(0);
    assert!(!outcome.stdout.contains('\u{1b}'), "{outcome}");

    let mut heard = vec![0.0; 48_000 * 3 / 2];
    open_sound(&back).unwrap().read(WallTime(0), &mut heard).unwrap();
    let first = heard.iter().position(|sample| sample.abs() > 0.01).expect("a voice");
    assert!((48_000..56_000).contains(&first), "the voice begins after {first} samples");
    let score = scores(&talk, &back)[0];
    assert!(score >= 4.2, "PESQ-WB of one's own voice: {score:.2}");
}

#[test]
fn the_level_stands_below_the_picture_and_a_key_turns_the_echo_on() {
    let folder = TempDir::with_prefix("letsmeet-preview-").unwrap();
    let hear = format!("file:{}", folder.path().join("back.wav").display());
    let home = Home::new();
    let args = ["preview", "--video", "pattern", "--size", "160x90", "--audio", "tone", "--hear", &hear];
    let mut pty = Pty::start(home.command(&args), 80, 24, PLAIN);
    pty.wait_for("━━━━");
    pty.wait_for("e: echo");
    pty.send("e");
    pty.wait_for("echo on");
    pty.send("e");
    pty.wait_for("e: echo");
    pty.send("q");
    assert_eq!(pty.wait_exit().code(), Some(0));
}

#[test]
fn without_a_microphone_or_speaker_the_preview_says_so_and_goes_on() {
    let home = Home::new();
    let mut command = home.command(&["preview", "--video", "pattern", "--size", "160x90"]);
    command.env("PULSE_SERVER", "unix:/nonexistent").env("HOME", home.path());
    let mut pty = Pty::start(command, 160, 24, PLAIN);
    pty.wait_for("cannot open microphone");
    pty.send("q");
    assert_eq!(pty.wait_exit().code(), Some(0));

    let mut command =
        home.command(&["preview", "--video", "none", "--audio", "tone", "--hear", "speaker:=gone", "--echo"]);
    command.env("PULSE_SERVER", "unix:/nonexistent").env("HOME", home.path());
    let mut preview = crate::harness::Process::start(command, "preview");
    preview.wait_for_text("You can't hear yourself: cannot open speaker", SOON);
    preview.wait_for_text("dBFS.", SOON);
    preview.signal(Signal::Interrupt);
    preview.finish(SOON).expect_code(130);
}

#[test]
fn nothing_to_see_or_hear_is_refused() {
    let outcome = Home::new().run(&["preview", "--video", "none", "--audio", "none"]).expect_code(2);
    assert!(outcome.says("there is nothing to see or hear"), "{outcome}");
}

#[test]
fn in_lines_of_text_the_picture_is_described_and_what_is_missing_is_said() {
    let home = Home::new();
    let outcome = home.run(&["preview", "--plain", "--video", "pattern"]).expect_code(0);
    assert!(
        outcome.says("Picture: pattern, 640x360, 25 fps.\nNo sound: cannot open microphone"),
        "{outcome}"
    );
    let outcome = home.run(&["preview", "--plain", "--video=pattern", "--audio", "none"]).expect_code(0);
    assert_eq!(outcome.stdout, "Picture: pattern, 640x360, 25 fps.", "{outcome}");
}

#[test]
fn without_a_camera_the_sound_is_told_in_lines() {
    let home = Home::new();
    let mut preview = home.start(&["preview", "--audio", "tone"]);
    preview.wait_for_text("No picture: cannot open camera", SOON);
    preview.wait_for_text("dBFS.", SOON);
    preview.type_line("quit");
    preview.finish(SOON).expect_code(0);
    // Neither is there.
    let outcome = home.run(&["preview", "--audio", "none"]).expect_code(6);
    assert!(outcome.says("cannot open camera"), "{outcome}");
}
