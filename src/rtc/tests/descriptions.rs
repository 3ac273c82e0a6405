//! Descriptions that no call can be made of are refused, and the peer goes on.

use proptest::prelude::*;
use proptest::test_runner::{Config as Runs, TestRunner};

use super::support::{connected, loopback, negotiate, two};
use crate::rtc::{Candidate, Error, Event, MAX_DESCRIPTION, MAX_EARLY_CANDIDATES, fingerprint};

/// An offer of ours.
async fn an_offer() -> String {
    let (a, _b) = two(loopback()).await;
    a.peer.offer(false).await.unwrap()
}

fn without(sdp: &str, start: &str) -> String {
    let kept = sdp.lines().filter(|line| !line.starts_with(start));
    kept.map(|line| format!("{line}\r\n")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_call_can_be_made_of_is_refused_and_a_good_offer_works_afterwards() {
    let good = an_offer().await;
    let cut = good.find("m=").unwrap();
    let digest = fingerprint(&good).unwrap()[8..].to_owned();
    let table: &[(&str, String)] = &[
        ("empty", String::new()),
        ("not SDP", "hello".to_owned()),
        ("JSON", "{\"sdp\":null}".to_owned()),
        ("no media", good[..cut].to_owned()),
        ("no fingerprint", without(&good, "a=fingerprint")),
        ("no ICE user", without(&good, "a=ice-ufrag")),
        ("no ICE password", without(&good, "a=ice-pwd")),
        ("no mid", without(&good, "a=mid")),
        ("no codecs", without(&good, "a=rtpmap")),
        ("other codecs", good.replace("opus/48000/2", "PCMU/8000").replace("VP8/90000", "H264/90000")),
        ("all rejected", good.replace("m=audio 9", "m=audio 0").replace("m=video 9", "m=video 0")),
        ("two mids alike", good.replace("a=mid:1", "a=mid:0")),
        ("a weak fingerprint", good.replace("sha-256", "sha-1")),
        ("a short fingerprint", good.replace(&digest, "AB:CD")),
        (
            "two fingerprints",
            good.replacen(
                "a=mid:0",
                &format!("a=fingerprint:sha-256 {}\r\na=mid:0", "AB:".repeat(31) + "CD"),
                1,
            ),
        ),
        ("a short password", good.replace("a=ice-pwd:", "a=ice-pwd:x\r\na=ice-pwd:")),
        ("escape sequences", good.replace("s=-", "s=\u{1b}[2J")),
        ("a port that is none", good.replace("m=audio 9", "m=audio 99999999")),
        ("a payload type out of range", good.replace("a=rtpmap:111", "a=rtpmap:1111")),
        ("huge", format!("{good}a=x:{}\r\n", "y".repeat(MAX_DESCRIPTION))),
        ("many lines", format!("{good}{}", "a=x\r\n".repeat(5000))),
        ("many sections", format!("{good}{}", "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n".repeat(50))),
        (
            "many candidates",
            format!("{good}{}", "a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n".repeat(500)),
        ),
    ];
    let (mut a, mut b) = two(loopback()).await;
    for (name, sdp) in table {
        assert_ne!(*sdp, good, "{name}: the case changes nothing");
        let refused = b.peer.answer(sdp).await;
        assert!(matches!(refused, Err(Error::Description(_))), "{name}: {refused:?}");
        let refused = b.peer.accept_answer(sdp).await;
        assert!(matches!(refused, Err(Error::Description(_))), "{name}: {refused:?}");
    }
    negotiate(&a, &b, false).await;
    tokio::join!(a.until(|event| *event == Event::Connected), b.until(|event| *event == Event::Connected));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn steps_out_of_order_are_refused() {
    let (a, b) = two(loopback()).await;
    let order = |result: Result<(), Error>| assert!(matches!(result, Err(Error::Order(_))), "{result:?}");
    order(a.peer.apply_local().await);
    let offer = a.peer.offer(false).await.unwrap();
    let answer = b.peer.answer(&offer).await.unwrap();
    order(b.peer.accept_answer(&answer).await);
    a.peer.apply_local().await.unwrap();
    order(a.peer.offer(false).await.map(drop));
    order(a.peer.answer(&offer).await.map(drop));
    let refused = a.peer.accept_answer(&answer.replace("a=mid:1", "a=mid:9")).await;
    assert!(matches!(refused, Err(Error::Description(_))), "{refused:?}");
    a.peer.accept_answer(&answer).await.unwrap();
    order(a.peer.accept_answer(&answer).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn early_candidates_are_kept_and_bounded_and_nonsense_hurts_nobody() {
    let (mut a, mut b) = two(loopback()).await;
    let nonsense = Candidate { candidate: "candidate:who knows".to_owned(), mid: "0".to_owned(), mline: 0 };
    let early = |port: usize| Candidate {
        candidate: format!("candidate:1 1 udp 1 127.0.0.1 {port} typ host"),
        ..nonsense.clone()
    };
    assert!(matches!(b.peer.add_candidate(nonsense.clone()).await, Err(Error::Candidate(_))));
    for number in 0..MAX_EARLY_CANDIDATES {
        b.peer.add_candidate(early(1000 + number)).await.unwrap();
    }
    assert!(matches!(b.peer.add_candidate(early(9)).await, Err(Error::Candidate(_))));
    negotiate(&a, &b, false).await;
    assert!(matches!(a.peer.add_candidate(nonsense).await, Err(Error::Candidate(_))));
    tokio::join!(a.until(|event| *event == Event::Connected), b.until(|event| *event == Event::Connected));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_description_in_a_call_leaves_the_call_alone() {
    let (mut a, mut b) = connected(loopback()).await;
    let offer = a.peer.offer(true).await.unwrap();
    assert!(b.peer.answer(&without(&offer, "a=fingerprint")).await.is_err());
    assert!(b.peer.answer("v=0\r\n").await.is_err());
    a.peer.apply_local().await.unwrap();
    let answer = b.peer.answer(&offer).await.unwrap();
    b.peer.apply_local().await.unwrap();
    a.peer.accept_answer(&answer).await.unwrap();
    tokio::join!(a.until(|event| *event == Event::Restored), b.until(|event| *event == Event::Restored));
}

/// Whatever is done to an offer: an answer or an error, in time, and never a panic.
#[test]
fn mutated_offers_never_panic_nor_wedge() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let offer = runtime.block_on(an_offer());
    let lines: Vec<&str> = offer.lines().collect();
    let edit = (0..lines.len(), 0..6u8, ".{0,12}", 0..lines.len());
    let edits = proptest::collection::vec(edit, 1..5);
    let mut runner = TestRunner::new(Runs { cases: 150, ..Runs::default() });
    runner
        .run(&edits, |edits| {
            let mut lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
            for (at, what, text, other) in edits {
                let at = at.min(lines.len() - 1);
                let other = other.min(lines.len() - 1);
                match what {
                    0 => lines[at] = text,
                    1 => drop(lines.remove(at)),
                    2 => lines.insert(at, lines[other].clone()),
                    3 => lines.swap(at, other),
                    4 => {
                        let kept: String = lines[at].chars().take(text.len()).collect();
                        lines[at] = kept;
                    }
                    _ => lines[at].push_str(&text),
                }
                if lines.is_empty() {
                    lines.push(String::new());
                }
            }
            let sdp = lines.join("\r\n") + "\r\n";
            let outcome = runtime.block_on(async {
                let (_a, b) = two(loopback()).await;
                let answered = b.peer.answer(&sdp).await;
                if answered.is_ok() {
                    b.peer.apply_local().await?;
                }
                answered.map(drop)
            });
            let gave_up = matches!(&outcome, Err(Error::Library(text)) if text.contains("gave up"));
            prop_assert!(!gave_up, "the library panicked on\n{}", sdp);
            Ok(())
        })
        .unwrap();
}
