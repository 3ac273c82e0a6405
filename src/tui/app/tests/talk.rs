//! Messages, hands and reactions of a call on the screen.

use super::*;
use crate::session::{Reaction, Sign};

#[test]
fn a_message_is_sent_with_its_lines_and_keys_are_text_meanwhile() {
    let mut screen = in_call(1);
    screen.press("c");
    screen.write("mq?");
    screen.press("alt-enter");
    screen.tell(Message::Paste("x\r\n\u{1b}[2Jy".into()));
    screen.press("enter enter");
    assert_eq!(screen.done(), ["Command(Chat { text: \"mq?\\nx\\n[2Jy\" })"]);
    screen.press("tab m");
    assert_eq!(screen.done(), ["Command(Mute { kind: Audio, muted: true })"]);
    assert!(screen.text().contains("MESSAGES"));
}

#[test]
fn unread_messages_are_counted_while_the_panel_is_away() {
    let mut screen = in_call(1);
    screen.tell(Message::Focus(false));
    screen.event(Event::Chat { call: CALL, remote: true, text: "one".into(), number: 1 });
    assert_eq!(screen.done(), ["Notify { title: \"letsmeet\", body: \"bob writes: one\" }"]);
    screen.event(Event::Chat { call: CALL, remote: false, text: "mine".into(), number: 1 });
    screen.pass(60_000);
    assert!(screen.text().contains("1 unread"));
    screen.press("c esc");
    assert!(!screen.text().contains("unread"));
}

#[test]
fn a_message_cannot_pass_for_somebody_elses() {
    let mut screen = in_call(1);
    screen.press("c");
    screen.event(Event::Chat {
        call: CALL,
        remote: true,
        text: "hi\nyou: I agree\n\u{1b}[1A".into(),
        number: 1,
    });
    let text = screen.text();
    assert!(
        text.contains("│ bob: hi") && text.contains("│   you: I agree") && !text.contains('\u{1b}'),
        "{text}"
    );
}

#[test]
fn a_message_of_ours_has_a_mark_once_it_arrived() {
    let mut screen = in_call(1);
    screen.press("c");
    for (number, text) in (1..).zip(["one", "two"]) {
        screen.event(Event::Chat { call: CALL, remote: false, text: text.into(), number });
    }
    assert!(screen.text().contains("you: one") && screen.text().contains("you: two"));
    screen.event(Event::Delivered { call: CALL, number: 1 });
    assert!(screen.text().contains("you ✓: one") && screen.text().contains("you: two"));
}

#[test]
fn a_hand_and_being_away_stay_on_the_screen_and_a_reaction_passes() {
    let mut screen = in_call(1);
    let sign = |screen: &mut Screen, sign| {
        screen.event(Event::Sign { call: Some(CALL), remote: true, sign });
    };
    sign(&mut screen, Sign::Hand(true));
    sign(&mut screen, Sign::Reaction(Reaction::Clap));
    assert!(screen.text().contains("HAND UP") && screen.text().contains("clap"), "{}", screen.text());
    screen.pass(30_000);
    assert!(screen.text().contains("HAND UP") && !screen.text().contains("clap"), "{}", screen.text());
    sign(&mut screen, Sign::Hand(false));
    sign(&mut screen, Sign::Away(true));
    screen.pass(60_000);
    assert!(!screen.text().contains("HAND UP") && screen.text().contains("AWAY"), "{}", screen.text());
}

#[test]
fn keys_raise_the_hand_react_and_say_that_nobody_is_there() {
    let mut screen = in_call(1);
    screen.done();
    screen.press("h 3 A");
    assert_eq!(
        screen.done(),
        ["Command(Sign(Hand(true)))", "Command(Sign(Reaction(Clap)))", "Command(Sign(Away(true)))"]
    );
    screen.event(Event::Sign { call: Some(CALL), remote: false, sign: Sign::Hand(true) });
    screen.event(Event::Sign { call: Some(CALL), remote: false, sign: Sign::Away(true) });
    screen.press("h A");
    assert_eq!(screen.done(), ["Command(Sign(Hand(false)))", "Command(Sign(Away(false)))"]);
}

#[test]
fn older_messages_are_a_page_away_and_a_new_one_brings_the_newest_back() {
    let mut screen = in_call(1);
    screen.press("c");
    for number in 0..60 {
        screen.event(Event::Chat {
            call: CALL,
            remote: number % 2 == 0,
            text: format!("number {number}\n\nand more"),
            number: 1 + number / 2,
        });
    }
    assert!(screen.text().contains("number 59") && !screen.text().contains("number 50"));
    screen.press("pgup");
    assert!(screen.text().contains("number 50") && !screen.text().contains("number 59"));
    for _ in 0..50 {
        screen.press("pgup");
    }
    assert!(screen.text().contains("number 0"));
    screen.event(Event::Chat { call: CALL, remote: true, text: "hello?".into(), number: 1 });
    assert!(screen.text().contains("hello?"));
}

#[test]
fn a_code_is_typed_and_compared() {
    let mut screen = in_call(3);
    screen.press("=");
    screen.write("1111 2222 3333 4444");
    assert!(screen.text().contains("the code that they read: 1111 2222 3333 4444"), "{}", screen.text());
    screen.press("enter");
    assert_eq!(screen.done(), ["Command(Compare { code: \"1111 2222 3333 4444\" })"]);
    screen.event(Event::Compared { call: CALL, same: true });
    screen.pass(4000);
    assert!(screen.text().contains("the codes are the same"), "{}", screen.text());
    screen.press("i");
    assert!(screen.text().contains("Compared: it is the same on both sides"), "{}", screen.text());
    screen.press("i");
    assert!(!screen.text().contains("THIS CALL"), "the same key closes it");
}

#[test]
fn who_must_compare_is_asked_at_once_and_can_be_asked_again() {
    let mut screen = Screen::open(Start { dial: Some("bob".into()), asks_code: true, ..start() });
    connect(&mut screen);
    assert!(screen.text().contains("the code that they read:"), "{}", screen.text());
    screen.press("esc");
    screen.pass(3000);
    assert!(screen.text().contains("the codes are not compared: = asks again"), "{}", screen.text());
    screen.press("=");
    assert!(screen.text().contains("the code that they read:"), "{}", screen.text());
}

#[test]
fn a_key_that_was_meant_for_a_call_that_is_gone_calls_nobody() {
    let mut screen = Screen::online(BOTH);
    screen.event(incoming("bob", false));
    screen.pass(1000);
    screen.event(Event::Missed { from: "bob".into() });
    screen.done();
    screen.press("d enter");
    assert_eq!(screen.done(), [""; 0]);
    assert!(!screen.text().contains("call: "), "{}", screen.text());
}

#[test]
fn unread_messages_are_counted_beside_a_notice() {
    let mut screen = in_call(3);
    screen.event(Event::Chat { call: CALL, remote: true, text: "hello".into(), number: 1 });
    screen.pass(3000);
    let text = screen.text();
    assert!(text.contains("bob writes: hello") && text.contains("1 unread"), "{text}");
}
