//! Recordings of calls, judged by ffmpeg's and mpv's readers: finished ones, ones that were left by kill -9, ones on a full disk; and
//! that the other side is always told.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use letsmeet::media::measure::{AudioMeter, VideoMeter};
use letsmeet::media::synthetic::pattern;
use letsmeet::media::{VideoFrame, WallTime};
use serde_json::{Value, json};

use crate::harness::{Home, MEASURED, Process, SOON, Server, bob, call_bob, server_and_bob};

const CALL: Duration = Duration::from_secs(60);

/// Runs a program with options that have no spaces in them; `FILE` stands for the file.
fn run(program: &str, options: &str, file: &Path) -> Output {
    let args =
        options.split(' ').map(|option| if option == "FILE" { file.as_os_str() } else { option.as_ref() });
    let output = Command::new(program).args(args).output();
    output.unwrap_or_else(|error| panic!("{program}: {error} (scripts/setup --tests installs it)"))
}

/// What ffprobe says of a file that it decodes whole; a single complaint fails.
fn probe(file: &Path) -> Value {
    let output = run("ffprobe", "-v warning -count_frames -show_streams -show_format -of json FILE", file);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{}: {said}", file.display());
    serde_json::from_slice(&output.stdout).expect("ffprobe writes JSON")
}

/// Decodes everything without a complaint.
fn decodes(file: &Path) {
    let streams = probe(file)["streams"].as_array().map(|streams| streams.iter().map(frames).sum::<f64>());
    assert!(streams.is_some_and(|frames| frames > 0.0), "{}", file.display());
}

/// A player of its own, with a reader of its own, plays to the end.
fn plays(file: &Path) {
    let output = run(
        "mpv",
        "--no-config --vo=null --ao=null --ao-null-untimed --untimed --msg-level=all=warn FILE",
        file,
    );
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && !said.contains("rror"), "{}: {said}", file.display());
}

fn seconds(value: &Value) -> f64 {
    value.as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{value} is no time"))
}

/// Frames that ffprobe decoded of a stream.
fn frames(stream: &Value) -> f64 {
    seconds(&stream["nb_read_frames"])
}

fn codecs(probed: &Value) -> Vec<&str> {
    let streams = probed["streams"].as_array().expect("streams");
    streams.iter().filter_map(|stream| stream["codec_name"].as_str()).collect()
}

/// The times of a stream's packets, from `from` seconds on as a player enters there; and which are key frames.
fn packets(file: &Path, stream: &str, from: u32) -> Vec<(f64, bool)> {
    let options =
        format!("-v error -read_intervals {from}% -select_streams {stream} -show_packets -of json FILE");
    let probed: Value =
        serde_json::from_slice(&run("ffprobe", &options, file).stdout).expect("ffprobe writes JSON");
    let packets = probed["packets"].as_array().expect("packets");
    let key = |packet: &Value| packet["flags"].as_str().is_some_and(|flags| flags.contains('K'));
    packets.iter().map(|packet| (seconds(&packet["pts_time"]), key(packet))).collect()
}

/// The pictures of a track in `width` and `height`, scaled to that where it is another.
fn pictures(file: &Path, map: &str, (width, height): (u32, u32)) -> Vec<VideoFrame> {
    let how = "-fps_mode passthrough -pix_fmt yuv420p -f rawvideo";
    let output = run("ffmpeg", &format!("-v error -i FILE -map {map} -s {width}x{height} {how} -"), file);
    let picture =
        |data: &[u8]| VideoFrame::new(width, height, data.to_vec(), WallTime(0)).expect("a picture");
    output.stdout.chunks_exact(VideoFrame::bytes(width, height)).map(picture).collect()
}

/// The mixed voices.
fn sound(file: &Path) -> Vec<f32> {
    let output = run("ffmpeg", "-v error -i FILE -map 0:a:0 -f f32le -ac 1 -ar 48000 -", file);
    output.stdout.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().expect("four"))).collect()
}

/// Alice calls Bob, with nothing usual among the arguments.
fn call(server: &Server, home: &Home, args: &[&str]) -> Process {
    let mut all = vec!["call", "bob", "--name", "alice", "--server", server.url(), "--headless"];
    all.extend(args);
    home.start(&all)
}

/// Waits until this process says that a side records, or no longer.
fn told(process: &mut Process, side: &str, on: bool) -> String {
    let event = process.wait_where("recording", SOON, |event| {
        event.text("side") == side && event.fields["on"] == Value::Bool(on)
    });
    event.text("path").to_owned()
}

fn ask(process: &mut Process, command: &Value) -> (bool, String) {
    process.say(command);
    let reply = process.wait_for("reply", SOON);
    (reply.fields["ok"] == Value::Bool(true), reply.text("error").to_owned())
}

fn file(home: &Home, name: &str) -> PathBuf {
    home.path().join(name)
}

#[test]
fn both_sides_are_recorded_as_they_were_seen_and_heard() {
    let (server, _bob_home, mut bob) = server_and_bob("accept");
    let home = Home::new();
    // Silence of our own, so that what is heard is the other side's tone alone.
    let args = ["--video", "pattern", "--audio", "silence", "--size", "640x360", "--duration", "24s"];
    let alice = call(&server, &home, &[&args[..], &["--record", "out.webm"]].concat());
    told(&mut bob, "remote", true);
    let report = alice.finish(CALL).expect_code(0).report();
    let path = file(&home, "out.webm");
    assert_eq!(report.record.path.as_deref(), Some("out.webm"));
    assert_eq!(report.record.bytes, Some(path.metadata().expect("a file").len()));
    assert_eq!(report.record.dropped, Some(0));

    let probed = probe(&path);
    assert_eq!(codecs(&probed), ["vp8", "vp8", "opus"]);
    let (remote, own) = (&probed["streams"][0], &probed["streams"][1]);
    assert_eq!((&remote["width"], &remote["height"]), (&json!(320), &json!(180)));
    assert_eq!((&own["width"], &own["height"]), (&json!(640), &json!(360)));
    assert_eq!((&remote["disposition"]["default"], &own["disposition"]["default"]), (&json!(1), &json!(0)));
    assert_eq!(own["tags"]["title"], json!("own picture"));
    let length = seconds(&probed["format"]["duration"]);
    let recorded = report.record.duration_ms.expect("recorded") as f64 / 1e3;
    assert!((length - recorded).abs() < 0.01 && (length - 24.0).abs() < 0.3, "{length} {recorded}");
    // It begins with key frames, which take a moment to come; from there on nothing is missing.
    let missing = |all: u64, stream: &Value| all as f64 - frames(stream);
    assert!((0.0..12.0).contains(&missing(report.receive.video.frames_decoded, remote)), "{report:#?}");
    assert!((0.0..12.0).contains(&missing(report.send.video.frames_sent, own)), "{report:#?}");
    decodes(&path);
    plays(&path);

    // Every picture is there once, in its order, as good as it came.
    let shown = pictures(&path, "0:v:0", (320, 180));
    let read: Vec<pattern::Reading> =
        shown.iter().map(|picture| pattern::read(picture, WallTime::now()).expect("a pattern")).collect();
    // A busy machine passes over a picture now and then, before it is encoded.
    assert!(read.windows(2).all(|pair| pair[1].number > pair[0].number), "each picture is there once");

    // Lips and voices are together: both meters see nearly the same way from capture to the file's clock.
    let times = packets(&path, "v:0", 0);
    assert_eq!(times.len(), read.len());
    let at = |time: f64| Duration::from_secs_f64(time.max(0.0));
    let zero = read[0].captured + Duration::from_millis(5) - at(times[0].0);
    let mut seen = VideoMeter::new();
    for (picture, (time, _)) in shown.iter().zip(&times) {
        seen.shown(picture, zero + at(*time));
    }
    let mut heard = AudioMeter::new();
    for (index, block) in sound(&path).chunks(960).enumerate() {
        heard.played(block, zero + Duration::from_millis(20 * index as u64));
    }
    let picture = seen.report(WallTime::now()).latency.expect("measured").p50;
    let voice = heard.report().latency.expect("a tone").p50;
    let together = report.receive.audio.behind_picture_ms.unwrap_or(0.0);
    assert!(
        (voice - picture).abs() < 120.0,
        "picture {picture} ms, voice {voice} ms, in the call {together}"
    );
    // A machine so busy that sound is played late has holes on the clock of the call as well; what was played is all there.
    let [there, played] =
        [heard.report().level_dbfs, report.receive.audio.level_dbfs].map(|level| level.unwrap_or(-120.0));
    assert!((there - played).abs() < 3.0, "{there} dBFS in the file, {played} in the call");

    // A player that enters late enters by a cue, not at the beginning.
    for stream in ["v:0", "v:1"] {
        let entered = packets(&path, stream, 16);
        assert!(entered[0].1 && (8.0..=16.0).contains(&entered[0].0), "{stream}: {:?}", entered[0]);
    }
}

#[test]
fn a_recorder_that_is_killed_leaves_all_but_the_last_two_seconds() {
    let (server, _bob_home, mut bob) = server_and_bob("accept");
    let home = Home::new();
    let mut alice = call_bob(&server, &home, &["--record", "out.webm"]);
    told(&mut bob, "remote", true);
    let begun = told_at(&mut alice);
    let mut last = 0;
    for _ in 0..6 {
        last = alice.wait_for("stats", SOON).at_ms;
    }
    alice.signal(crate::harness::Signal::Kill);
    alice.finish(SOON);
    let path = file(&home, "out.webm");
    let probed = probe(&path);
    assert_eq!(codecs(&probed), ["vp8", "vp8", "opus"]);
    let lasted = (last - begun) as f64 / 1e3;
    let length = seconds(&probed["format"]["duration"]);
    assert!(length > lasted - 2.0 && length < lasted + 1.0, "{length} s of {lasted}");
    for stream in ["v:0", "v:1", "a:0"] {
        let (end, _) = *packets(&path, stream, 0).last().expect("packets");
        assert!(end > lasted - 2.0, "{stream} ends at {end} s of {lasted}");
    }
    decodes(&path);
    plays(&path);
}

/// When the process began to record, by its own clock.
fn told_at(process: &mut Process) -> u64 {
    process.wait_where("recording", SOON, |event| event.text("side") == "local").at_ms
}

#[test]
fn a_call_without_pictures_is_a_recording_of_sound_alone() {
    let server = Server::start();
    let (bob_home, home) = (Home::new(), Home::new());
    let tone = ["--video", "none", "--audio", "tone:440", "--headless", "--answer", "accept"];
    let mut bob =
        bob_home.start(&[&["login", "--name", "bob", "--server", server.url()], &tone[..]].concat());
    bob.wait_for("registered", SOON);
    let args = ["--video", "none", "--audio", "tone:1000", "--duration", "6s", "--record", "sound.webm"];
    call(&server, &home, &args).finish(CALL).expect_code(0);
    let path = file(&home, "sound.webm");
    let probed = probe(&path);
    assert_eq!(codecs(&probed), ["opus"]);
    assert!((seconds(&probed["format"]["duration"]) - 6.0).abs() < 0.3, "{probed}");
    decodes(&path);
    plays(&path);
    let heard = sound(&path);
    let middle = &heard[2 * 48_000..4 * 48_000];
    for hz in [440.0, 1_000.0] {
        let loud = amplitude(middle, hz);
        assert!(loud > 0.05, "{hz} Hz is one of the two voices: {loud}");
    }
    assert!(amplitude(middle, 700.0) < 0.02);
}

/// How loud `hz` is.
fn amplitude(samples: &[f32], hz: f64) -> f64 {
    let (mut a, mut b) = (0.0, 0.0);
    for (at, &sample) in samples.iter().enumerate() {
        let (sin, cos) = (hz * std::f64::consts::TAU * at as f64 / 48_000.0).sin_cos();
        a += f64::from(sample) * sin;
        b += f64::from(sample) * cos;
    }
    f64::hypot(a, b) * 2.0 / samples.len() as f64
}

#[test]
fn pictures_that_change_or_stop_in_the_call_stay_readable() {
    let (server, _bob_home, mut bob) = server_and_bob("accept");
    let home = Home::new();
    let mut alice = call_bob(&server, &home, &["--record", "out.webm"]);
    told(&mut bob, "remote", true);
    let stats = |process: &mut Process| drop(process.wait_for("stats", SOON));
    for (who, command) in [
        (true, json!({"command": "camera", "source": "pattern:160x96"})),
        (false, json!({"command": "camera", "source": "pattern:640x360"})),
        (true, json!({"command": "mute", "kind": "video"})),
        (false, json!({"command": "camera", "source": "none"})),
        (true, json!({"command": "unmute", "kind": "video"})),
        (false, json!({"command": "camera", "source": "pattern:320x180"})),
    ] {
        let process = if who { &mut alice } else { &mut bob };
        assert_eq!(ask(process, &command), (true, String::new()));
        stats(process);
        stats(process);
    }
    alice.say(&json!({"command": "hangup"}));
    let report = alice.finish(SOON).expect_code(0).report();
    let path = file(&home, "out.webm");
    decodes(&path);
    plays(&path);
    let probed = probe(&path);
    assert_eq!(codecs(&probed), ["vp8", "vp8", "opus"]);
    assert!(frames(&probed["streams"][0]) > 100.0 && frames(&probed["streams"][1]) > 100.0, "{probed}");
    let call = report.call.duration_ms as f64 / 1e3;
    assert!((seconds(&probed["format"]["duration"]) - call).abs() < 0.3, "{probed}");
    // After the last change every picture of the other side is the pattern again.
    let last = pictures(&path, "0:v:0", (320, 180)).pop().expect("a picture");
    assert!(pattern::read(&last, WallTime::now()).is_some());
}

#[test]
fn a_recording_begins_and_ends_by_command_and_the_other_side_is_told() {
    let (server, bob_home, mut bob) = server_and_bob("accept");
    let home = Home::new();
    let mut alice = call_bob(&server, &home, &[]);
    let off = json!({"command": "record", "path": "off"});
    alice.wait_for("connected", SOON);
    assert_eq!(ask(&mut alice, &off), (false, "nothing is recorded".to_owned()));
    let (ok, why) = ask(&mut alice, &json!({"command": "record", "path": "nowhere/x.webm"}));
    assert!(!ok && why.starts_with("cannot open"), "{why}");
    let (ok, why) = ask(&mut alice, &json!({"command": "record", "path": "x.mp4"}));
    assert!(!ok && why.contains("name it *.webm"), "{why}");

    // Both at once, each with a file of its own; nobody named Bob's.
    alice.type_line("record mine.webm");
    assert_eq!(told(&mut alice, "local", true), "mine.webm");
    told(&mut bob, "remote", true);
    bob.say(&json!({"command": "record"}));
    let bobs = PathBuf::from(told(&mut bob, "local", true));
    told(&mut alice, "remote", true);
    assert!(bobs.starts_with(bob_home.path()), "{}", bobs.display());
    let name = bobs.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
    assert!(name.starts_with("letsmeet-alice-20") && name.ends_with(".webm"), "{name}");
    alice.wait_for("stats", SOON);
    let (ok, why) = ask(&mut alice, &json!({"command": "record", "path": "other.webm"}));
    assert!(!ok && why == "the call is recorded already", "{why}");
    for _ in 0..3 {
        alice.wait_for("stats", SOON);
    }
    alice.type_line("record off");
    assert_eq!(told(&mut alice, "local", false), "mine.webm");
    told(&mut bob, "remote", false);
    decodes(&file(&home, "mine.webm"));
    alice.say(&json!({"command": "hangup"}));
    let report = alice.finish(SOON).expect_code(0).report();
    assert_eq!(report.record.path.as_deref(), Some("mine.webm"));
    assert!(report.record.duration_ms.is_some_and(|ms| ms > 2_000), "{report:#?}");
    let report = bob.wait_for_report();
    assert_eq!(report.record.path.as_deref(), bobs.to_str());
    decodes(&bobs);
}

#[test]
fn a_file_that_cannot_be_written_is_told_before_anybodys_phone_rings() {
    let (server, _bob_home, mut bob) = server_and_bob("accept");
    let home = Home::new();
    let refused = call_bob(&server, &home, &["--record", "nowhere/out.webm"]).finish(SOON).expect_code(6);
    assert!(refused.says("cannot open") && refused.says("nowhere/out.webm"), "{refused}");
    let refused = call_bob(&server, &home, &["--record", "out.mkv"]).finish(SOON).expect_code(2);
    assert!(refused.says("only WebM is written (name it *.webm)"), "{refused}");
    assert!(bob.stays_without("incoming", Duration::from_millis(500)));
    assert_eq!(
        std::fs::read_dir(home.path()).expect("a folder").flatten().count(),
        files(&home),
        "nothing was made"
    );
}

/// Entries of a home that are letsmeet's own.
fn files(home: &Home) -> usize {
    let own = ["config", "data", "state", "cache", "run"];
    own.iter().filter(|name| home.path().join(name).exists()).count()
}

#[test]
fn a_disk_that_is_full_ends_the_recording_and_not_the_call() {
    let (server, _bob_home, mut bob) = server_and_bob("accept");
    // A limit of the process stands for the disk: 100 kB for each file.
    let limit = "trap '' XFSZ; ulimit -f 100; exec \"$0\" \"$@\"";
    let home = Home::wrapped(["bash", "-c", limit].map(Into::into).to_vec());
    let mut alice = call_bob(&server, &home, &["--record", "out.webm"]);
    told(&mut bob, "remote", true);
    let notice = alice.wait_where("notice", SOON, |event| event.text("text").contains("recording has ended"));
    assert!(notice.text("text").contains("out.webm"), "{notice:?}");
    told(&mut bob, "remote", false);
    told(&mut alice, "local", false);
    // The call goes on.
    let before = alice.wait_for("stats", SOON).number("receive.video.frames_shown");
    let after = alice.wait_for("stats", SOON).number("receive.video.frames_shown");
    assert!(after > before, "{before:?} {after:?}");
    alice.say(&json!({"command": "hangup"}));
    let report = alice.finish(SOON).expect_code(6).report();
    assert!(report.failures.iter().any(|why| why.starts_with("recording: ")), "{report:#?}");
    let path = file(&home, "out.webm");
    decodes(&path);
    plays(&path);
}

#[test]
fn each_call_of_a_login_has_a_file_of_its_own() {
    let server = Server::start();
    let bob_home = Home::new();
    let mut args =
        vec!["login", "--name", "bob", "--server", server.url(), "--headless", "--answer", "accept"];
    args.extend(MEASURED);
    args.extend(["--record", "calls.webm"]);
    let mut bob = bob_home.start(&args);
    bob.wait_for("registered", SOON);
    let home = Home::new();
    for name in ["calls.webm", "calls-2.webm"] {
        let mut alice = call_bob(&server, &home, &["--duration", "3s"]);
        told(&mut alice, "remote", true);
        alice.finish(CALL).expect_code(0);
        let report = bob.wait_for_report();
        assert_eq!(report.record.path.as_deref(), Some(name));
        decodes(&bob_home.path().join(name));
    }
}

#[test]
fn a_call_that_nobody_answers_leaves_no_file() {
    let server = Server::start();
    let (home, bob_home) = (Home::new(), Home::new());
    call_bob(&server, &home, &["--record", "out.webm"]).finish(SOON).expect_code(4);
    let mut bob = bob(&server, &bob_home, "decline");
    call_bob(&server, &home, &["--record", "out.webm"]).finish(SOON).expect_code(4);
    bob.wait_for("ended", SOON);
    assert!(!file(&home, "out.webm").exists());
}
