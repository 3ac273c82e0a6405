//! Ids, reasons and the arithmetic of lost paths.

use super::*;
use crate::call::{EndReason, glare, link};

#[test]
fn an_id_reads_back_what_it_writes() {
    let id = CallId::from_bytes(*b"\x00\x01\x7f\x80\xff\xfe0123456789");
    let text = id.to_string();
    assert_eq!(text, "00017f80fffe30313233343536373839");
    assert_eq!(text.parse(), Ok(id));
}

#[test]
fn an_id_is_32_lower_case_hex_digits_and_nothing_else() {
    for wrong in [
        "",
        "00",
        "00017F80FFFE30313233343536373839",
        "00017f80fffe3031323334353637383g",
        "00017f80fffe303132333435363738390",
        " 0017f80fffe30313233343536373839",
        "+0017f80fffe30313233343536373839",
        "ääääääääääääääää",
    ] {
        assert!(wrong.parse::<CallId>().is_err(), "{wrong:?}");
    }
}

#[test]
fn every_reason_has_one_name_and_one_sentence() {
    let names: std::collections::HashSet<_> = EndReason::ALL.iter().map(|r| r.name()).collect();
    let sentences: std::collections::HashSet<_> = EndReason::ALL.iter().map(|r| r.sentence()).collect();
    assert_eq!((names.len(), sentences.len()), (EndReason::ALL.len(), EndReason::ALL.len()));
    for reason in EndReason::ALL {
        assert_eq!(reason.name().parse(), Ok(reason));
        assert!(reason.name().bytes().all(|b| b.is_ascii_lowercase() || b == b'-'));
        assert!(!reason.sentence().ends_with('.'));
    }
}

#[test]
fn the_lower_id_wins_glare_on_both_sides() {
    for a in 0..4 {
        for b in 0..4 {
            let (here, there) = (glare::judge(id(a), id(b)), glare::judge(id(b), id(a)));
            let expected = match a.cmp(&b) {
                std::cmp::Ordering::Less => (glare::Verdict::Hold, glare::Verdict::Yield),
                std::cmp::Ordering::Equal => (glare::Verdict::Echo, glare::Verdict::Echo),
                std::cmp::Ordering::Greater => (glare::Verdict::Yield, glare::Verdict::Hold),
            };
            assert_eq!((here, there), expected);
        }
    }
}

#[test]
fn a_lost_path_ends_the_call_when_the_rule_says() {
    let timing = Timing::default();
    let gone = |since, peer_lost| link::gone_at(&timing, since, peer_lost);
    // Only the path is lost.
    assert_eq!(gone(secs(100), None), secs(130));
    // A crash: the socket closes, silence is noticed later. The clock runs from the crash.
    assert_eq!(gone(secs(104), Some(secs(100))), secs(105));
    assert_eq!(gone(secs(100), Some(secs(100))), secs(105));
    // Signaling was lost long before: media shows that the other side lived on.
    assert_eq!(gone(secs(200), Some(secs(100))), secs(205));
    assert_eq!(gone(secs(105), Some(secs(100))), secs(110));
    // Signaling was lost later.
    assert_eq!(gone(secs(100), Some(secs(110))), secs(115));
    // Never longer than without.
    assert_eq!(gone(secs(100), Some(secs(129))), secs(130));
}
