//! A call that is recorded: the key, and what is seen of it on both sides.

use super::*;
use crate::session::report::Recorded;

fn records(screen: &mut Screen, remote: bool, on: bool) {
    let path = (!remote).then(|| "/videos/letsmeet-bob.webm".into());
    screen.event(Event::Recording { call: CALL, remote, on, path });
}

fn status(screen: &Screen) -> String {
    screen.text().lines().next().unwrap().to_owned()
}

#[test]
fn a_key_records_the_call_and_the_same_key_ends_it() {
    let mut screen = in_call(8);
    screen.done();
    screen.press("R");
    assert_eq!(screen.done(), ["Command(Record(Anywhere))"]);
    assert!(!status(&screen).contains("REC"), "only what is so is shown");
    records(&mut screen, false, true);
    assert!(screen.text().contains("recording into /videos/letsmeet-bob.webm"), "{}", screen.text());
    screen.done();
    screen.press("R");
    assert_eq!(screen.done(), ["Command(Record(Off))"]);
    records(&mut screen, false, false);
    assert!(!status(&screen).contains("REC"));
    assert!(screen.text().contains("recorded into /videos/letsmeet-bob.webm"), "{}", screen.text());
}

#[test]
fn who_records_stands_in_the_status_of_both_sides() {
    for (columns, rows) in [(80, 24), (40, 12)] {
        let mut screen = in_call(8);
        screen.resize(columns, rows);
        records(&mut screen, true, true);
        assert!(screen.text().contains("bob records this call"), "{}", screen.text());
        assert!(status(&screen).contains(" REC by them "), "{}", status(&screen));
        records(&mut screen, false, true);
        assert!(status(&screen).contains(" REC both "), "{}", status(&screen));
        assert!(status(&screen).contains("good"), "the quality of the link stays: {}", status(&screen));
        screen.event(Event::Link { call: CALL, up: false });
        assert!(status(&screen).contains(" REC both "), "{}", status(&screen));
        records(&mut screen, true, false);
        assert!(status(&screen).contains(" REC  "), "{}", status(&screen));
    }
}

#[test]
fn the_card_at_the_end_says_where_the_recording_is() {
    let mut screen = in_call(8);
    records(&mut screen, false, true);
    let Event::Ended { reason, mut report } = ended(EndReason::HungUp, report::Direction::Outgoing, true)
    else {
        panic!("it is over");
    };
    report.record = Some(Recorded {
        path: "/videos/letsmeet-bob.webm".into(),
        bytes: 7,
        duration: Duration::from_secs(1),
        dropped: 0,
        failure: None,
    });
    screen.event(Event::Ended { reason, report });
    assert!(screen.text().contains("recorded into /videos/letsmeet-bob.webm"), "{}", screen.text());
}
