//! Sources change in the middle of a call: by commands on stdin, without negotiation, and the other side is told.

use serde_json::{Value, json};

use crate::harness::{Home, MEASURED, Process, SOON, Server, bob, call_bob, data, server_and_bob, until};

/// Gives a command and waits for its answer.
fn ask(process: &mut Process, command: &Value) -> (bool, String) {
    process.say(command);
    let reply = process.wait_for("reply", SOON);
    (reply.fields["ok"] == Value::Bool(true), reply.text("error").to_owned())
}

fn done(process: &mut Process, command: &str, source: &str) {
    let (ok, error) = ask(process, &json!({"command": command, "source": source}));
    assert!(ok, "{command} {source}: {error}");
}

/// Waits until the other side says that its picture comes from there.
fn shows(process: &mut Process, source: &str) {
    process.wait_where("media", SOON, |event| {
        event.text("side") == "remote" && event.text("kind") == "video" && event.text("source") == source
    });
}

/// Waits for what was received of a picture that is `width` pixels wide, and for how many of its frames were shown.
fn receives(process: &mut Process, width: f64) -> f64 {
    let stats = process.wait_where("stats", SOON, |event| event.number("receive.video.width") == Some(width));
    stats.number("receive.video.frames_shown").expect("a number of frames")
}

fn sends(process: &mut Process, kind: &str, on: bool) {
    process.wait_where("media", SOON, |event| {
        event.text("side") == "remote"
            && event.text("kind") == kind
            && event.fields.get("source").is_none()
            && event.fields["muted"] == Value::Bool(!on)
    });
}

#[test]
fn pictures_and_sound_change_in_a_call_and_the_other_side_is_told() {
    let (server, _bob_home, mut bob) = server_and_bob("accept");
    let home = Home::new();
    let mut alice = call_bob(&server, &home, &[]);
    alice.wait_for("connected", SOON);
    shows(&mut bob, "pattern");
    receives(&mut bob, 320.0);

    done(&mut alice, "camera", "pattern:160x96@20");
    receives(&mut bob, 160.0);
    done(&mut alice, "camera", &format!("file:{}", data("talk.webm").display()));
    shows(&mut bob, "film");
    let before = receives(&mut bob, 320.0);
    let later = receives(&mut bob, 320.0);
    assert!(later > before + 10.0, "the film goes on: {before} to {later} frames");

    done(&mut alice, "camera", "none");
    sends(&mut bob, "video", false);
    shows(&mut bob, "none");
    let refused = ask(&mut alice, &json!({"command": "unmute", "kind": "video"}));
    assert_eq!(refused, (false, "you send no picture (see --video)".to_owned()));
    done(&mut alice, "camera", "pattern:160x96");
    shows(&mut bob, "pattern");
    sends(&mut bob, "video", true);
    receives(&mut bob, 160.0);

    done(&mut alice, "microphone", &format!("file:{}", data("talk.wav").display()));
    done(&mut alice, "microphone", "none");
    sends(&mut bob, "audio", false);
    done(&mut alice, "microphone", "tone:880");
    sends(&mut bob, "audio", true);
    let heard = home.path().join("heard.wav");
    done(&mut alice, "speaker", &format!("file:{}", heard.display()));
    // The next figures may come right behind the change: how much was heard is in the file itself.
    let length = || std::fs::metadata(&heard).ok().map(|about| about.len());
    until(SOON, "what was heard from then on", || length().filter(|&bytes| bytes > 20_000));

    alice.say(&json!({"command": "hangup"}));
    let report = alice.wait_for_report();
    assert_eq!(report.path.restarts, 0, "nothing was negotiated again: {report:#?}");
    assert!(report.failures.is_empty(), "{report:#?}");
    alice.finish(SOON).expect_code(0);
    let sound = length().expect("what was heard from then on");
    assert!(sound > 20_000, "{sound} bytes");
    bob.wait_for_report();
}

#[test]
fn what_cannot_be_opened_is_answered_and_changes_nothing() {
    let (server, _bob_home, mut bob) = server_and_bob("accept");
    let home = Home::new();
    let mut alice = call_bob(&server, &home, &[]);
    alice.wait_for("connected", SOON);
    receives(&mut bob, 320.0);
    for (command, source, why) in [
        ("camera", "file:nowhere.y4m", "nowhere.y4m"),
        ("camera", "camera:=none such", "camera"),
        ("camera", "sofa", "is no video source"),
        ("microphone", "file:nowhere.wav", "nowhere.wav"),
        ("microphone", "tone:x", "is no tone"),
        ("speaker", "loud", "is no place to play"),
    ] {
        let (ok, error) = ask(&mut alice, &json!({"command": command, "source": source}));
        assert!(!ok && error.contains(why), "{command} {source}: {error}");
    }
    let before = receives(&mut bob, 320.0);
    assert!(receives(&mut bob, 320.0) > before, "the picture goes on");
    alice.say(&json!({"command": "hangup"}));
    alice.finish(SOON).expect_code(0);
}

#[test]
fn a_call_that_began_without_a_source_gets_one_later() {
    let server = Server::start();
    let (bobs, home) = (Home::new(), Home::new());
    let mut bob = bob(&server, &bobs, "accept");
    let args = ["call", "bob", "--name", "alice", "--headless", "--server", server.url()];
    let none = ["--video", "none", "--audio", "none", "--size", "320x180"];
    let mut alice = home.start(&[&args[..], &none].concat());
    alice.wait_for("connected", SOON);
    sends(&mut bob, "video", false);
    done(&mut alice, "camera", "pattern");
    done(&mut alice, "microphone", "tone");
    sends(&mut bob, "video", true);
    receives(&mut bob, 320.0);
    alice.say(&json!({"command": "hangup"}));
    alice.finish(SOON).expect_code(0);
    let report = bob.wait_for_report();
    assert!(report.receive.video.psnr_db.is_some_and(|psnr| psnr > 25.0), "{report:#?}");
    assert!(report.receive.audio.packets_received > 0, "{report:#?}");
}

#[test]
fn a_source_changes_by_words_and_nothing_changes_without_a_call() {
    let (server, _bob_home, mut bob) = server_and_bob("accept");
    let home = Home::new();
    let login = ["login", "--name", "alice", "--plain", "--server", server.url(), "--push-to-talk"];
    let mut alice = home.start(&[&login[..], &MEASURED].concat());
    alice.wait_for_text("You are online as alice.", SOON);
    alice.type_line("camera pattern");
    alice.wait_for_text("Not done: there is no call.", SOON);
    alice.type_line("call bob");
    alice.wait_for_text("Connected.", SOON);
    // Push-to-talk: the microphone is off until somebody talks.
    sends(&mut bob, "audio", false);
    alice.type_line("unmute");
    sends(&mut bob, "audio", true);
    alice.type_line("camera none");
    alice.wait_for_text("You send no picture now.", SOON);
    shows(&mut bob, "none");
    alice.type_line("camera pattern:160x96");
    alice.wait_for_text("Your picture is pattern:160x96 now.", SOON);
    receives(&mut bob, 160.0);
    bob.say(&json!({"command": "camera", "source": "none"}));
    alice.wait_for_text("The other side sends no picture.", SOON);
    alice.type_line("quit");
    alice.finish(SOON).expect_code(0);
}

#[test]
fn devices_lists_every_kind_or_says_why_not() {
    let home = Home::new();
    let people = home.run(&["devices"]).expect_code(0);
    for title in ["Cameras", "Microphones", "Speakers", "Screens", "Windows"] {
        assert!(people.stdout.lines().any(|line| line == title), "{people}");
    }
    let json = home.run(&["devices", "--json"]).expect_code(0);
    let document: Value = serde_json::from_str(&json.stdout).expect("one document");
    assert_eq!(document["schema"], "letsmeet.devices/1");
    assert!(document["devices"].is_array() && document["failures"].is_array(), "{json}");
}
