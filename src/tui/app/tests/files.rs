//! Files of a call on the screen: the prompt of an offer, the answers, the line of progress, the path that is typed.

use super::super::model::CONSENT;
use super::*;
use crate::session::files::{File, FileState, Why};

fn file(number: u32, remote: bool, name: &str, state: FileState) -> Event {
    let (name, kind) = (name.to_owned(), "image/jpeg".to_owned());
    Event::File { call: CALL, file: File { number, remote, name, size: 12_345_678, kind, state } }
}

/// A call in which the other side offers a photo, seen long enough to be answered.
fn offered() -> Screen {
    let mut screen = in_call(3);
    screen.event(file(1, true, "photo.jpg", FileState::Offered));
    screen.pass(u64::try_from(CONSENT.as_millis()).unwrap());
    screen.done();
    screen
}

#[test]
fn an_offer_is_a_prompt_with_name_size_and_type() {
    let mut screen = offered();
    let text = screen.text();
    for part in
        ["A FILE IS OFFERED", "photo.jpg", "12 MB, image/jpeg", "from bob", "[a Accept]", "[d Decline]"]
    {
        assert!(text.contains(part), "{part:?} in\n{text}");
    }
    screen.press("y");
    assert_eq!(screen.done(), ["Command(AcceptFile { number: Some(1) })"]);
    assert!(!screen.text().contains("OFFERED"));
    screen.press("y");
    assert_eq!(screen.done(), [""; 0], "nothing is answered twice");
}

#[test]
fn a_key_that_was_on_its_way_takes_no_file() {
    let mut screen = in_call(3);
    screen.event(file(1, true, "photo.jpg", FileState::Offered));
    let told = screen.done();
    assert!(told.iter().any(|action| action == "Bell"), "{told:?}");
    screen.press("y n a d enter");
    assert_eq!(screen.done(), [""; 0]);
    assert!(screen.text().contains("one moment"));
    screen.pass(u64::try_from(CONSENT.as_millis()).unwrap());
    screen.press("n");
    assert_eq!(screen.done(), ["Command(DeclineFile { number: Some(1) })"]);
}

#[test]
fn the_next_offer_has_to_be_seen_as_well() {
    let mut screen = offered();
    screen.event(file(2, true, "other.exe", FileState::Offered));
    screen.press("y y");
    assert_eq!(screen.done(), ["Command(AcceptFile { number: Some(1) })"]);
    assert!(screen.text().contains("other.exe"));
    screen.pass(u64::try_from(CONSENT.as_millis()).unwrap());
    screen.press("d");
    assert_eq!(screen.done(), ["Command(DeclineFile { number: Some(2) })"]);
}

#[test]
fn an_offer_that_is_withdrawn_is_gone() {
    let mut screen = offered();
    screen.event(file(1, true, "photo.jpg", FileState::Failed { why: Why::Cancelled }));
    // After what was said about the code.
    screen.pass(4000);
    let text = screen.text();
    assert!(!text.contains("OFFERED") && text.contains("photo.jpg: it was cancelled"), "{text}");
}

#[test]
fn an_offer_with_a_hostile_name_shows_it_cleaned() {
    let mut screen = in_call(3);
    screen.event(file(1, true, "\u{1b}[2J\u{202e}gpj.exe", FileState::Offered));
    let text = screen.text();
    assert!(text.contains("\u{fffd}[2J") && !text.contains('\u{1b}') && !text.contains('\u{202e}'), "{text}");
}

#[test]
fn progress_has_a_line_with_bar_rate_and_time_left() {
    let mut screen = offered();
    screen.press("a");
    let state = FileState::Progress { done: 6_200_000, rate: 3_100_000, left: Some(Duration::from_secs(62)) };
    screen.event(file(1, true, "photo.jpg", state));
    let text = screen.text();
    assert!(text.contains("↓ photo.jpg ━━━━━━━━──────── 50 % of 12 MB  3.1 MB/s 1:02 left"), "{text}");
    screen.event(file(2, false, "mine.txt", FileState::Offered));
    assert!(screen.text().contains("and 1 more"));
    screen.done();
    screen.press("U");
    assert_eq!(screen.done(), ["Command(CancelFile { number: 1 })"]);
    let state = FileState::Done { hash: "00".into(), path: Some("downloads/photo.jpg".into()) };
    screen.event(file(1, true, "photo.jpg", state));
    let text = screen.text();
    assert!(text.contains("↑ mine.txt  12 MB, waits for an answer"), "{text}");
}

#[test]
fn all_files_of_a_call_are_taken_by_one_key() {
    let mut screen = offered();
    screen.event(file(2, true, "other.jpg", FileState::Offered));
    assert!(screen.text().contains("from bob, and 1 more"), "{}", screen.text());
    assert!(screen.text().contains("[A Accept all]"), "{}", screen.text());
    screen.press("A");
    let accepted = |n| format!("Command(AcceptFile {{ number: Some({n}) }})");
    assert_eq!(screen.done(), [accepted(1), accepted(2)]);
    screen.event(file(3, true, "third.jpg", FileState::Offered));
    assert_eq!(screen.done(), [accepted(3)], "nobody is asked again");
    assert!(!screen.text().contains("OFFERED"));
}

#[test]
fn a_key_that_was_meant_for_an_offer_means_nothing_else() {
    let mut screen = offered();
    screen.event(file(1, true, "photo.jpg", FileState::Failed { why: Why::Cancelled }));
    screen.done();
    screen.press("A q");
    assert_eq!(screen.done(), [""; 0]);
    screen.pass(u64::try_from(CONSENT.as_millis()).unwrap());
    screen.press("m");
    assert_eq!(screen.done(), ["Command(Mute { kind: Audio, muted: true })"]);
}

#[test]
fn the_card_at_the_end_says_where_files_are_and_what_can_go_on() {
    let mut screen = offered();
    screen.press("a");
    let path = Some("downloads/photo.jpg".into());
    screen.event(file(1, true, "photo.jpg", FileState::Done { hash: "00".into(), path }));
    screen.event(file(2, true, "film.webm", FileState::Started { from: 0 }));
    screen.event(file(2, true, "film.webm", FileState::Failed { why: Why::CallEnded }));
    screen.event(ended(EndReason::HungUpByPeer, report::Direction::Incoming, true));
    let text = screen.text();
    assert!(text.contains("photo.jpg is there: downloads/photo.jpg"), "{text}");
    assert!(text.contains("film.webm: ") && text.contains("sent again, it goes on from there"), "{text}");
}

#[test]
fn the_full_screen_shows_who_records_and_how_far_a_file_is() {
    let mut screen = in_call(3);
    screen.press("f");
    assert!(!screen.text().contains("bob"), "{}", screen.text());
    let state = FileState::Progress { done: 6_200_000, rate: 3_100_000, left: Some(Duration::from_secs(62)) };
    screen.event(file(1, true, "photo.jpg", state));
    screen.event(Event::Recording { call: CALL, remote: true, on: true, path: None });
    let text = screen.text();
    assert!(text.contains("REC by them") && text.contains("↓ photo.jpg"), "{text}");
}

#[test]
fn whoever_rings_for_files_is_announced_so() {
    let mut screen = Screen::online(BOTH);
    let key = "SHA256:uNiVztksCsDhcc0u9e8BgrJXVGDr7dQXs0m8D5k0Zu4".to_owned();
    screen.event(Event::Incoming { call: CALL, from: "bob".into(), key, first_contact: true, files: true });
    let text = screen.text();
    assert!(
        text.contains("FILES FOR YOU") && text.contains("wants to send you files, without a call"),
        "{text}"
    );
    assert!(!text.contains("INCOMING CALL"));
}

#[test]
fn a_path_is_typed_in_the_call_and_sent() {
    let mut screen = in_call(3);
    screen.press("u");
    screen.write("~/my photo.jpg");
    assert!(screen.text().contains("send the file: ~/my photo.jpg"));
    assert_eq!(screen.done(), [""; 0], "letters are no keys while a path is typed");
    screen.press("enter");
    assert_eq!(screen.done(), ["SendFile(\"~/my photo.jpg\")"]);
    screen.press("u");
    screen.write("x");
    screen.press("esc");
    screen.press("u enter");
    assert_eq!(screen.done(), [""; 0]);
    screen.press("m");
    assert_eq!(screen.done(), ["Command(Mute { kind: Audio, muted: true })"]);
}

#[test]
fn what_is_typed_is_gone_with_the_call() {
    let mut screen = in_call(3);
    screen.press("u");
    screen.event(ended(EndReason::HungUpByPeer, report::Direction::Outgoing, true));
    screen.pass(u64::try_from(CONSENT.as_millis()).unwrap());
    screen.press("enter");
    screen.press("d");
    assert!(!screen.text().contains("send the file"));
}

#[test]
fn small_screens_say_what_is_offered() {
    let mut screen = offered();
    screen.resize(40, 12);
    assert!(screen.text().contains("photo.jpg"));
    screen.resize(30, 5);
    assert!(screen.text().contains("FILE photo.jpg"));
}
