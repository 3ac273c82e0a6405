//! The hand-on-face alert: what it notices of the labelled set, and that nobody but its own side learns of it.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use letsmeet::media::alert::{Detector, Settings, State};
use letsmeet::media::{VideoFrame, WallTime};
use proptest::prelude::*;
use tempfile::TempDir;

use crate::harness::faces::{Case, FPS, HEIGHT, Hand, PEOPLE, Person, Scene, Tally, WIDTH, judge};
use crate::harness::{Home, SOON, Server};

fn judged(cases: &[Case]) -> Tally {
    let people: Vec<&Person> = PEOPLE.iter().filter(|person| !person.tuning).collect();
    let mut sum = Tally::default();
    std::thread::scope(|scope| {
        let each: Vec<_> = people
            .iter()
            .map(|person| {
                scope.spawn(|| {
                    let mut sum = Tally::default();
                    cases.iter().for_each(|&case| sum += judge(person, case, 100..101));
                    sum
                })
            })
            .collect();
        each.into_iter().for_each(|one| sum += one.join().unwrap());
    });
    sum
}

#[test]
fn most_hands_on_faces_that_nobody_tuned_for_are_noticed() {
    let sum = judged(&Case::COVERED);
    assert_eq!(sum.hands, 24);
    assert!(sum.noticed >= 17, "{sum:?}");
    assert!(sum.delay / (sum.noticed as f32) < 1.5, "{sum:?}");
}

#[test]
fn faces_that_turn_talk_and_are_lit_otherwise_raise_next_to_no_alarm() {
    let sum = judged(&Case::FREE);
    assert_eq!((sum.free, sum.hands), (34, 0));
    assert!(sum.alarms <= 2, "{sum:?}");
}

#[test]
fn scenes_are_the_same_each_time() {
    let scene = || Scene::new(&PEOPLE[0], Case::On(Hand::Mouth), 3);
    assert_eq!(scene().nth(30), scene().nth(30));
    assert_eq!(scene().count(), 12 * FPS as usize);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn no_picture_of_any_size_brings_the_detector_down(
        sizes in prop::collection::vec((1u32..400, 1u32..300), 1..4),
        fill in any::<[u8; 3]>(),
        seed in any::<u64>(),
    ) {
        let mut detector = Detector::new(Settings::default()).unwrap();
        for (number, (width, height)) in sizes.into_iter().enumerate() {
            let mut data = vec![fill[number % 3]; VideoFrame::bytes(width, height)];
            if seed % 2 == 0 {
                let mut mixed = seed | 1;
                data.iter_mut().for_each(|byte| {
                    mixed = mixed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    *byte = (mixed >> 56) as u8;
                });
            }
            let picture = VideoFrame::new(width, height, data, WallTime(0)).unwrap();
            let seen = detector.look(&picture, Duration::from_millis(200 * number as u64));
            prop_assert!((0.0..=1.0).contains(&seen.score));
        }
    }
}

#[test]
fn a_face_that_is_followed_through_other_sizes_is_no_reason_to_stop() {
    let mut detector = Detector::new(Settings::default()).unwrap();
    let mut at = Duration::ZERO;
    let mut look = |picture: &VideoFrame| {
        at += Duration::from_millis(200);
        detector.look(picture, at).state
    };
    let faces: Vec<VideoFrame> =
        Scene::new(&PEOPLE[1], Case::Still, 1).take(15).map(|(_, face, _)| face).collect();
    let states: Vec<State> = faces.iter().map(&mut look).collect();
    assert_eq!(states.last(), Some(&State::Free));
    for size in [(1, 1), (3, 200), (400, 2), (64, 48)] {
        look(&VideoFrame::black(size.0, size.1, WallTime(0)));
    }
    let (luma, blue, red) =
        (vec![235; WIDTH * HEIGHT], vec![0; WIDTH * HEIGHT / 4], vec![255; WIDTH * HEIGHT / 4]);
    let glaring = [luma, blue, red].concat();
    look(&VideoFrame::new(WIDTH as u32, HEIGHT as u32, glaring, WallTime(0)).unwrap());
}

/// A film of a scene, made by ffmpeg; it goes on from its beginning for as long as it is played.
fn film(folder: &TempDir, name: &str, scenes: &[(Case, u64, f32, f32)]) -> PathBuf {
    let file = folder.path().join(name);
    let size = format!("{WIDTH}x{HEIGHT}");
    let rate = FPS.to_string();
    let mut ffmpeg = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", &size, "-r", &rate, "-i", "-"])
        .args(["-c:v", "libvpx", "-b:v", "2M", "-y"])
        .arg(&file)
        .stdin(Stdio::piped())
        .spawn()
        .expect("ffmpeg is missing: apt-get install ffmpeg (or scripts/setup --tests)");
    let mut pictures = ffmpeg.stdin.take().unwrap();
    for &(case, seed, from, to) in scenes {
        for (_, picture, _) in Scene::new(&PEOPLE[1], case, seed).filter(|(at, ..)| (from..to).contains(at)) {
            pictures.write_all(picture.data()).unwrap();
        }
    }
    drop(pictures);
    assert!(ffmpeg.wait().unwrap().success());
    file
}

#[test]
fn a_hand_on_the_face_is_told_to_its_own_side_and_to_nobody_else() {
    let folder = TempDir::with_prefix("letsmeet-alert-").unwrap();
    let hand = Case::On(Hand::RightCheek);
    let clip = film(&folder, "hand.webm", &[(hand, 1, 0.0, 12.0)]);
    let video = format!("file:{}", clip.display());
    let server = Server::start();
    let (bob_home, alice_home) = (Home::new(), Home::new());
    let sees = ["--video", "pattern", "--audio", "none", "--size", "160x90"];
    let mut args =
        vec!["login", "--name", "bob", "--server", server.url(), "--headless", "--answer", "accept", "-vvv"];
    args.extend(sees);
    let mut bob = bob_home.start(&args);
    bob.wait_for("registered", SOON);
    let args = [
        "call",
        "bob",
        "--name",
        "alice",
        "--server",
        server.url(),
        "--headless",
        "--video",
        &video,
        "--audio",
        "none",
        "--alert",
        "--duration",
        "14s",
    ];
    let mut alice = alice_home.start(&args);
    alice.wait_for("connected", SOON);
    let raised = alice.wait_where("alert", 2 * SOON, |event| event.text("state") == "raised");
    assert_eq!(raised.number("count"), Some(1.0));
    alice.wait_where("alert", 2 * SOON, |event| event.text("state") == "cleared");
    let report = alice.wait_for_report();
    assert_eq!(report.alert.count, Some(1), "{report:#?}");
    assert!(report.alert.seconds.is_some_and(|seconds| (2.0..9.0).contains(&seconds)), "{report:#?}");
    assert!(report.alert.watched_seconds.is_some_and(|seconds| seconds > 8.0), "{report:#?}");
    alice.finish(SOON).expect_code(0);

    let report = bob.wait_for_report();
    bob.say(&serde_json::json!({"command": "quit"}));
    let outcome = bob.finish(SOON);
    assert!(outcome.events().iter().all(|event| event.name != "alert"), "{outcome}");
    // Not even as a message that this version would not know: every unknown one leaves a line in the log.
    assert!(!outcome.says("unknown and was dropped"), "{outcome}");
    assert_eq!((report.alert.count, report.alert.seconds), (None, None), "{report:#?}");
}

#[test]
fn the_alert_can_be_turned_on_in_a_call_and_off_again() {
    let folder = TempDir::with_prefix("letsmeet-alert-").unwrap();
    let clip = film(&folder, "still.webm", &[(Case::Still, 1, 0.0, 4.0)]);
    let video = format!("file:{}", clip.display());
    let (server, _home, mut bob) = crate::harness::server_and_bob("accept");
    let home = Home::new();
    let args = ["call", "bob", "--name", "alice", "--server", server.url(), "--headless", "--video", &video];
    let mut alice = home.start(&args);
    alice.wait_for("connected", SOON);
    for on in [true, false, true] {
        alice.say(&serde_json::json!({"command": "alert", "on": on}));
        let reply = alice.wait_for("reply", SOON);
        assert_eq!(reply.text("command"), "alert");
    }
    assert!(alice.stays_without("alert", Duration::from_secs(3)));
    alice.say(&serde_json::json!({"command": "hangup"}));
    let report = alice.wait_for_report();
    assert_eq!(report.alert.count, Some(0), "{report:#?}");
    bob.wait_for("ended", SOON);
}

#[test]
fn calibrating_measures_a_film_and_keeps_a_threshold() {
    let folder = TempDir::with_prefix("letsmeet-alert-").unwrap();
    // Still for 4 s with what it takes to find the face, moving for 3 s, a hand for 5 s.
    let clip = film(
        &folder,
        "calibrate.webm",
        &[(Case::Still, 1, 0.0, 4.0), (Case::Lively, 1, 4.0, 8.0), (Case::On(Hand::RightCheek), 1, 4.8, 9.4)],
    );
    let video = format!("file:{}", clip.display());
    let home = Home::new();
    let args = ["alert", "calibrate", "--video", &video, "--still", "1.5s", "--move", "3.5s", "--hand", "4s"];
    let outcome = home.run(&args).expect_code(0);
    assert!(outcome.says("Sit still") && outcome.says("Kept in"), "{outcome}");
    let settings = std::fs::read_to_string(home.path().join("config/letsmeet/config.toml")).unwrap();
    assert!(settings.contains("[alert]") && settings.contains("threshold = 0."), "{settings}");
    assert!(!outcome.stdout.contains('\u{1b}'), "{outcome}");
}

#[test]
fn calibrating_without_a_face_says_so_and_keeps_nothing() {
    let folder = TempDir::with_prefix("letsmeet-alert-").unwrap();
    let blank = folder.path().join("blank.y4m");
    let mut film = b"YUV4MPEG2 W160 H90 F5:1 C420jpeg\nFRAME\n".to_vec();
    film.extend(vec![90; 160 * 90 * 3 / 2]);
    std::fs::write(&blank, film).unwrap();
    let home = Home::new();
    let outcome =
        home.run(&["alert", "calibrate", "--video", &format!("file:{}", blank.display())]).expect_code(6);
    assert!(outcome.says("no face was found"), "{outcome}");
    assert!(!home.path().join("config/letsmeet/config.toml").exists());
    home.run(&["alert", "calibrate", "--video", "pattern"]).expect_code(2);
}
