//! Calls between letsmeet and a page in Chromium that speaks docs/protocol.md and nothing else: `tests/chromium`.
//!
//! Both ends are asked what they decoded: the page by getStats, by the numbers in the pictures that it shows and by the pitch that it
//! hears; letsmeet by its report, and by the files that it plays into.

use std::time::Duration;

use serde_json::json;

use crate::harness::chromium::{Page, Played};
use crate::harness::network::{Network, SERVER};
use crate::harness::process::Event;
use crate::harness::report::Report;
use crate::harness::{Home, Process, SOON, Server};

/// Longer than any of it takes.
const LONG: Duration = Duration::from_secs(30);

/// The pitch of the page's tone, and of letsmeet's.
const PAGE_HZ: f64 = 880.0;
const OUR_HZ: f64 = 660.0;

/// A browser and a terminal, each on a host of its own behind a router that only forwards.
struct Lab {
    network: Network,
    server: Server,
    /// Where the page runs, and where letsmeet runs.
    browser: Home,
    terminal: Home,
}

impl Lab {
    fn up() -> Self {
        Self::between("browser", "terminal")
    }

    /// The same with both on one host.
    fn on_one_host() -> Self {
        Self::between("browser", "browser")
    }

    fn between(browser: &str, terminal: &str) -> Self {
        let network = Network::up(&["browser=none", "terminal=none"]);
        let server = Server::start_in(network.home("srv"), &format!("{SERVER}:0"));
        let (browser, terminal) = (network.home(browser), network.home(terminal));
        Self { network, server, browser, terminal }
    }

    /// The page, signed in; it answers every call.
    fn page(&self) -> Page {
        self.page_with(&json!({}))
    }

    fn page_with(&self, media: &serde_json::Value) -> Page {
        Page::open(&self.browser, &self.server, media)
    }

    fn letsmeet(&self, command: &[&str], more: &[&str]) -> Process {
        let mut args = command.to_vec();
        args.extend(["--name", "alice", "--server", self.server.url(), "--headless"]);
        args.extend(["--size", "320x180", "--fps", "25", "--audio", "tone:660"]);
        args.extend(more);
        self.terminal.start(&args)
    }

    /// letsmeet, signed in, answers every call.
    fn answering(&self, more: &[&str]) -> Process {
        let mut alice = self.letsmeet(&["login", "--answer", "accept"], more);
        alice.wait_for("registered", SOON);
        alice
    }

    /// The page calls letsmeet, which sends a pattern.
    fn page_calls(&self) -> (Page, Process) {
        let alice = self.answering(&["--video", "pattern"]);
        let mut page = self.page();
        page.say(&json!({"command": "call", "to": "alice"}));
        (page, alice)
    }

    /// letsmeet calls the page, and sends a pattern.
    fn letsmeet_calls(&self) -> (Page, Process) {
        let page = self.page();
        let alice = self.letsmeet(&["call", "page"], &["--video", "pattern"]);
        (page, alice)
    }
}

/// letsmeet shows so many more pictures than now, and hears.
fn shows(alice: &mut Process, pictures: f64) {
    let shown = |event: &Event| event.number("receive.video.frames_shown").unwrap_or(0.0);
    let before = shown(&alice.wait_for("stats", LONG));
    alice.wait_where("stats", LONG, |event| shown(event) >= before + pictures);
}

/// The page hangs up; letsmeet's report.
fn page_hangs_up(mut page: Page, mut alice: Process) -> Report {
    page.say(&json!({"command": "hangup"}));
    let report = alice.wait_for_report();
    assert_eq!(report.end_reason(), "hung-up-by-peer", "{report:#?}");
    page.close();
    report
}

fn figure(event: &Event, path: &str) -> f64 {
    event.number(path).unwrap_or_else(|| panic!("no {path} in {event:?}"))
}

/// Both ends decoded what the other one sent, and it was that.
fn assert_both_ways(seen: &Event, report: &Report, played: &Played) {
    // A call begins small and grows as the path shows what it carries.
    let (width, height) = (figure(seen, "eye.width"), figure(seen, "eye.height"));
    assert!((160.0..=320.0).contains(&width) && (width * 9.0 / 16.0 - height).abs() < 2.0, "{seen:?}");
    assert!(figure(seen, "video.framesDecoded") >= 40.0, "{seen:?}");
    // Each number was read out of a picture that the page had decoded and shown.
    assert!(figure(seen, "eye.read") >= 0.9 * figure(seen, "eye.shown"), "{seen:?}");
    assert!(figure(seen, "eye.number") >= 40.0, "{seen:?}");
    assert!(figure(seen, "audio.totalAudioEnergy") > 0.01, "{seen:?}");
    assert!((figure(seen, "ear.hz") - OUR_HZ).abs() < 12.0, "{seen:?}");

    let (video, audio) = (&report.receive.video, &report.receive.audio);
    assert_eq!((video.width, video.height), (Some(320), Some(180)), "{report:#?}");
    assert!(video.frames_shown >= 50 && video.frames_lost == Some(0), "{report:#?}");
    assert!(video.latency_ms.p50.is_some_and(|ms| ms < 500.0), "from the code in its pictures: {report:#?}");
    // How much is made up on a clean link is another test's question, which has the machine to itself.
    assert!(audio.concealed_pct.is_some_and(|share| share < 25.0), "{report:#?}");
    assert!(played.share_of(PAGE_HZ) > 0.8, "its tone: {}", played.share_of(PAGE_HZ));
    // rgb(200 40 40) is 91, 104, 199 (BT.601, video levels) or 74, 110, 208 (BT.709, full range, which a canvas becomes).
    let [y, u, v] = played.ground();
    let red = (65.0..105.0).contains(&y) && (95.0..120.0).contains(&u) && (185.0..220.0).contains(&v);
    assert!(red, "the ground of its pictures: {y} {u} {v}");
}

#[test]
fn a_page_calls_and_both_sides_see_and_hear() {
    let lab = Lab::up();
    let played = Played::into(&lab.terminal);
    let flags = played.flags();
    let mut args = vec!["--video", "pattern"];
    args.extend(flags.iter().map(String::as_str));
    let mut alice = lab.answering(&args);
    let mut page = lab.page();
    page.say(&json!({"command": "call", "to": "alice"}));
    shows(&mut alice, 50.0);
    let seen = page.sees_and_hears(50.0, 1.0, LONG);
    let report = page_hangs_up(page, alice);
    assert_eq!(report.call.direction.as_deref(), Some("incoming"));
    assert_both_ways(&seen, &report, &played);
}

#[test]
fn a_page_is_called_and_both_sides_see_and_hear() {
    let lab = Lab::up();
    let played = Played::into(&lab.terminal);
    let flags = played.flags();
    let mut page = lab.page();
    let mut args = vec!["--video", "pattern"];
    args.extend(flags.iter().map(String::as_str));
    let mut alice = lab.letsmeet(&["call", "page"], &args);
    page.wait_for("incoming", SOON);
    shows(&mut alice, 50.0);
    let seen = page.sees_and_hears(50.0, 1.0, LONG);
    alice.say(&json!({"command": "hangup"}));
    let outcome = alice.finish(SOON).expect_code(0);
    let report = outcome.report();
    assert_eq!(report.end_reason(), "hung-up", "{outcome}");
    page.wait_where("ended", SOON, |event| event.text("reason") == "hung-up-by-peer");
    page.close();
    assert_both_ways(&seen, &report, &played);
}

#[test]
fn small_pictures_go_in_vp9_both_ways_where_the_page_likes_that() {
    let lab = Lab::up();
    let mut alice = lab.answering(&["--video", "pattern"]);
    let mut page = lab.page_with(&json!({"codecs": ["VP9", "VP8"]}));
    page.say(&json!({"command": "call", "to": "alice"}));
    shows(&mut alice, 50.0);
    let seen = page.sees_and_hears(50.0, 0.5, LONG);
    assert_eq!(seen.text("codec"), "video/VP9", "{seen:?}");
    let report = page_hangs_up(page, alice);
    assert_eq!(report.receive.video.codec.as_deref(), Some("VP9"), "{report:#?}");
    assert!(report.receive.video.frames_shown >= 50, "{report:#?}");
}

#[test]
fn hidden_host_addresses_are_found_by_multicast() {
    let lab = Lab::on_one_host();
    let mut alice = lab.answering(&["--video", "pattern"]);
    // The page hears of no address of ours, so that it cannot be the first to send and be known by that.
    let mut page = lab.page_with(&json!({"deaf": true}));
    page.say(&json!({"command": "call", "to": "alice"}));
    let candidate = page.wait_where("candidate", SOON, |event| event.text("side") == "local");
    assert!(candidate.text("candidate").contains(".local "), "{candidate:?}");
    shows(&mut alice, 25.0);
    page.sees_and_hears(25.0, 0.5, LONG);
    let report = page_hangs_up(page, alice);
    let remote = report.path.remote.as_ref().expect("a path");
    assert!(remote.kind == "host" && remote.address.contains(".local"), "{remote:?}");
}

#[test]
fn a_page_restarts_ice() {
    let lab = Lab::up();
    let (mut page, mut alice) = lab.page_calls();
    page.wait_where("description", LONG, |event| event.text("kind") == "answer");
    shows(&mut alice, 10.0);
    for _ in 0..2 {
        page.say(&json!({"command": "restart"}));
        page.wait_where("description", SOON, |event| event.text("kind") == "answer");
        shows(&mut alice, 25.0);
        page.sees_and_hears(25.0, 0.5, LONG);
    }
    let report = page_hangs_up(page, alice);
    assert_eq!(report.path.restarts, 2, "{report:#?}");
}

#[test]
fn ice_is_restarted_when_either_address_changes() {
    let lab = Lab::up();
    let (mut page, mut alice) = lab.letsmeet_calls();
    page.wait_where("description", LONG, |event| event.text("kind") == "offer");
    shows(&mut alice, 50.0);
    for host in ["terminal", "browser"] {
        lab.network.natlab(&["readdr", host]);
        page.wait_where("description", LONG, |event| event.text("kind") == "offer");
        shows(&mut alice, 25.0);
        page.sees_and_hears(25.0, 0.5, LONG);
    }
    let report = page_hangs_up(page, alice);
    assert!(report.path.restarts >= 2, "{report:#?}");
}

#[test]
fn a_page_restarts_ice_when_the_callee_changes_its_address() {
    let lab = Lab::up();
    let (mut page, mut alice) = lab.page_calls();
    page.wait_where("description", LONG, |event| event.text("kind") == "answer");
    shows(&mut alice, 50.0);
    lab.network.natlab(&["readdr", "terminal"]);
    page.wait_where("description", LONG, |event| event.text("kind") == "answer");
    shows(&mut alice, 25.0);
    page.sees_and_hears(25.0, 0.5, LONG);
    let report = page_hangs_up(page, alice);
    assert!(report.path.restarts >= 1, "{report:#?}");
}

#[test]
fn a_picture_may_come_later_in_the_section_that_waits_for_it() {
    let lab = Lab::up();
    let mut alice = lab.answering(&["--video", "none"]);
    let mut page = lab.page_with(&json!({"video": "later"}));
    page.say(&json!({"command": "call", "to": "alice"}));
    alice.wait_where("media", LONG, |event| event.text("side") == "remote" && event.text("kind") == "video");
    let first = page.hears(LONG);
    assert_eq!(first.number("video.framesDecoded").unwrap_or(0.0), 0.0, "{first:?}");

    page.say(&json!({"command": "camera"}));
    shows(&mut alice, 25.0);
    alice.say(&json!({"command": "camera", "source": "pattern"}));
    page.sees_and_hears(25.0, 0.5, LONG);
    let report = page_hangs_up(page, alice);
    assert!(report.receive.video.latency_ms.p50.is_some(), "{report:#?}");
}

#[test]
fn a_picture_may_come_later_in_a_section_of_its_own() {
    let lab = Lab::up();
    let mut alice = lab.answering(&["--video", "pattern"]);
    let mut page = lab.page_with(&json!({"video": "absent"}));
    page.say(&json!({"command": "call", "to": "alice"}));
    page.hears(LONG);

    page.say(&json!({"command": "camera"}));
    shows(&mut alice, 25.0);
    page.sees_and_hears(25.0, 0.5, LONG);
    let report = page_hangs_up(page, alice);
    assert!(report.receive.video.latency_ms.p50.is_some(), "{report:#?}");
}

#[test]
fn what_is_written_arrives_on_both_sides() {
    let lab = Lab::up();
    let (mut page, mut alice) = lab.letsmeet_calls();
    alice.wait_for("connected", LONG);
    alice.say(&json!({"command": "chat", "text": "grüß dich, page"}));
    page.wait_where("message", SOON, |event| event.text("text") == "chat grüß dich, page");
    page.say(&json!({"command": "say", "text": "delivered 1"}));
    alice.wait_for("delivered", SOON);
    page.say(&json!({"command": "say", "text": "chat two\nlines"}));
    let chat = alice.wait_where("chat", SOON, |event| event.text("side") == "remote");
    assert_eq!(chat.text("text"), "two\nlines");
    page.wait_where("message", SOON, |event| event.text("text") == "delivered 1");
    page.say(&json!({"command": "say", "text": "hand up"}));
    alice.wait_where("hand", SOON, |event| event.text("side") == "remote");

    alice.say(&json!({"command": "hangup"}));
    page.wait_where("control", SOON, |event| event.text("text") == "goodbye");
    let report = alice.finish(SOON).expect_code(0).report();
    assert_eq!((report.chat.sent, report.chat.delivered, report.chat.received), (1, 1, 1));
    page.close();
}

/// What both ends say of eight seconds over a link that loses this many per cent each way: the page's figures at the beginning and at the
/// end of them, and letsmeet's report.
fn call_at(loss: &str) -> (Event, Event, Report) {
    let lab = Lab::up();
    let (mut page, mut alice) = lab.page_calls();
    shows(&mut alice, 10.0);
    lab.network.natlab(&["loss", "terminal", loss]);
    let first = page.figures(LONG, |event| event.number("video.framesDecoded") > Some(10.0));
    let last = page.figures(LONG, |event| event.at_ms >= first.at_ms + 8_000);
    lab.network.natlab(&["loss", "terminal", "off"]);
    let report = page_hangs_up(page, alice);
    told(loss, &first, &last, &report);
    (first, last, report)
}

/// Prints what came of a call.
#[allow(clippy::print_stdout, reason = "figures, seen with --no-capture")]
fn told(loss: &str, first: &Event, last: &Event, report: &Report) {
    let (video, audio) = (&report.receive.video, &report.receive.audio);
    let (fps, concealed) = quality(first, last);
    let count = |path| grown((first, last), path);
    println!(
        "{loss} %: the page {fps:.1} fps, {:.1} s frozen, {} nacks, {} keyframe requests, {concealed:.1} % concealed; letsmeet \
         {:.1} fps, {:.1} s frozen, {} packets recovered, {} keyframe requests, {:.1} % concealed",
        count("video.totalFreezesDuration"),
        count("video.nackCount"),
        count("video.pliCount"),
        video.fps.unwrap_or(0.0),
        video.frozen_ms.unwrap_or(0.0) / 1000.0,
        video.packets_recovered.unwrap_or(0),
        video.keyframes_requested,
        audio.concealed_pct.unwrap_or(0.0),
    );
}

/// How much a counter of the page grew.
fn grown((first, last): (&Event, &Event), path: &str) -> f64 {
    figure(last, path) - first.number(path).unwrap_or(0.0)
}

/// Pictures that the page decoded a second, and the share of its sound that it made up, in per cent.
fn quality(first: &Event, last: &Event) -> (f64, f64) {
    let span = (first, last);
    let seconds = (last.at_ms - first.at_ms) as f64 / 1000.0;
    let concealed = grown(span, "audio.concealedSamples") / grown(span, "audio.totalSamplesReceived");
    (grown(span, "video.framesDecoded") / seconds, 100.0 * concealed)
}

#[test]
fn without_loss_every_picture_arrives() {
    let (first, last, report) = call_at("0");
    let (fps, concealed) = quality(&first, &last);
    assert!(fps > 12.0 && concealed < 3.0, "{fps} {concealed} {last:?}");
    let video = &report.receive.video;
    assert!(video.fps.is_some_and(|fps| fps > 22.0) && video.frames_lost == Some(0), "{report:#?}");
}

#[test]
fn five_per_cent_leave_picture_and_sound_fluent() {
    let (first, last, report) = call_at("5");
    let (fps, concealed) = quality(&first, &last);
    assert!(fps > 10.0 && concealed < 10.0, "{fps} {concealed} {last:?}");
    let (video, audio) = (&report.receive.video, &report.receive.audio);
    assert!(video.fps.is_some_and(|fps| fps > 15.0), "{report:#?}");
    assert!(video.packets_recovered > Some(0), "Chromium sends again what is asked for: {report:#?}");
    assert!(audio.concealed_pct.is_some_and(|share| share < 8.0), "{report:#?}");
}

#[test]
fn twenty_per_cent_leave_the_call_alive() {
    let (first, last, report) = call_at("20");
    let (fps, concealed) = quality(&first, &last);
    assert!(fps > 8.0 && concealed < 25.0, "{fps} {concealed} {last:?}");
    let (video, audio) = (&report.receive.video, &report.receive.audio);
    assert!(video.fps.is_some_and(|fps| fps > 5.0), "{report:#?}");
    assert!(audio.concealed_pct.is_some_and(|share| share < 25.0), "{report:#?}");
}
