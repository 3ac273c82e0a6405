//! The call of the README: a film and its sound as sources, decoded on the other side into files
//! that other programs can read.

use std::process::Command;
use std::time::Duration;

use crate::harness::{Home, SOON, Server, data};

fn on_path(tool: &str) -> bool {
    std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
        .any(|folder| folder.join(tool).is_file())
}

#[test]
fn the_clip_arrives_as_picture_and_sound() {
    assert!(on_path("ffmpeg"), "ffmpeg is missing: apt-get install ffmpeg (or scripts/setup --tests)");
    let server = Server::start();
    let (bob_home, home) = (Home::new(), Home::new());
    let (picture, sound) = (bob_home.path().join("seen.y4m"), bob_home.path().join("heard.wav"));
    let (show, hear) = (format!("file:{}", picture.display()), format!("file:{}", sound.display()));
    let mut bob = bob_home.start(&[
        "login",
        "--name",
        "bob",
        "--server",
        server.url(),
        "--headless",
        "--answer",
        "accept",
        "--show",
        &show,
        "--hear",
        &hear,
    ]);
    bob.wait_for("registered", SOON);

    let (film, voice) =
        (format!("file:{}", data("talk.webm").display()), format!("file:{}", data("talk.wav").display()));
    let args = [
        "call",
        "bob",
        "--name",
        "alice",
        "--server",
        server.url(),
        "--headless",
        "--video",
        &film,
        "--audio",
        &voice,
        "--duration",
        "10s",
        "--json",
    ];
    let alice = home.start(&args).finish(Duration::from_secs(40)).expect_code(0).report();
    assert!(alice.send.video.frames_sent > 200, "{alice:#?}");
    assert_eq!((alice.send.video.width, alice.send.video.height), (Some(640), Some(360)));

    let report = bob.wait_for_report();
    let (video, audio) = (&report.receive.video, &report.receive.audio);
    assert!(video.fps.is_some_and(|fps| fps >= 24.0), "{report:#?}");
    assert!(video.frames_shown >= 225, "{report:#?}");
    assert!(video.longest_freeze_ms.is_some_and(|longest| longest < 1_000.0), "{report:#?}");
    assert!(
        video.psnr_db.is_none() && video.latency_ms.p50.is_none(),
        "only the pattern can be measured so: {report:#?}"
    );
    assert!(audio.silence_pct.is_some_and(|share| share < 90.0), "{report:#?}");
    assert!(audio.concealed_pct.is_some_and(|share| share < 2.0), "{report:#?}");
    assert!(audio.level_dbfs.is_some_and(|level| (-50.0..-3.0).contains(&level)), "{report:#?}");

    // What was written is what was shown, in a form that ffmpeg reads.
    let probe = |file: &std::path::Path, entries: &str| {
        let output = Command::new("ffprobe")
            .args([
                "-v",
                "error",
                "-count_frames",
                "-show_entries",
                entries,
                "-of",
                "default=noprint_wrappers=1:nokey=1",
            ])
            .arg(file)
            .output()
            .expect("ffprobe comes with ffmpeg");
        assert!(output.status.success(), "{}: {}", file.display(), String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    let written = probe(&picture, "stream=width,height,nb_read_frames");
    assert_eq!(written[..2], ["640", "360"]);
    let frames: u64 = written[2].parse().expect("a count");
    assert!(frames >= 225, "{frames} frames in {}", picture.display());
    let heard = probe(&sound, "stream=sample_rate,channels,duration");
    assert_eq!(heard[..2], ["48000", "1"]);
    let seconds: f64 = heard[2].parse().expect("a duration");
    assert!((8.5..12.0).contains(&seconds), "{seconds} s of sound");
}
