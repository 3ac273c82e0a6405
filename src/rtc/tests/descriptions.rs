//! Descriptions that no call can be made of are refused, and the peer goes on.

use proptest::prelude::*;
use proptest::test_runner::{Config as Runs, TestRunner};
use webrtc::peer_connection::RTCSessionDescription;

use super::support::{connected, loopback, negotiate, two};
use crate::rtc::sdp::check;
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
        ("a fingerprint without a value", good.replacen("a=mid:0", "a=fingerprint\r\na=mid:0", 1)),
        ("an empty line", good.replacen("a=mid:0", "\r\na=mid:0", 1)),
        ("a line of an unknown shape", good.replacen("a=mid:0", "mid:0\r\na=mid:0", 1)),
        ("an upper-case type", good.replacen("a=mid:0", "A=x\r\na=mid:0", 1)),
        ("a space in the type", good.replacen("a=mid:0", "a =x\r\na=mid:0", 1)),
        ("a return before the end of a line", good.replacen("a=mid:0\r", "a=mid:0\r\r", 1)),
        ("a return at the end", format!("{good}a=x\r")),
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

/// How the library may be made to read a line that does not begin like an attribute's.
const DISGUISES: [&str; 7] = ["a= ", "a=\u{a0}", "a=\u{85}", "a=\u{2003}", "a=\t", "\ra=", "\r\ra="];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fingerprint_or_a_candidate_in_disguise_is_refused_wherever_it_stands() {
    let good = an_offer().await;
    let of_mallory = format!("fingerprint:sha-256 {}", "AB:".repeat(31) + "CD");
    let candidate = "candidate:1 1 udp 1 192.0.2.1 9 typ host";
    for disguise in DISGUISES {
        for hidden in [&of_mallory, candidate] {
            for before in ["m=audio", "a=mid:0", "a=mid:1"] {
                let sdp = good.replacen(before, &format!("{disguise}{hidden}\r\n{before}"), 1);
                assert_ne!(sdp, good);
                let said = format!("{disguise:?} {hidden} before {before}");
                assert!(matches!(fingerprint(&sdp), Err(Error::Description(_))), "{said}");
                assert!(matches!(check(&sdp), Err(Error::Description(_))), "{said}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_library_reads_the_fingerprint_that_was_verified_and_no_candidate() {
    let good = an_offer().await;
    let verified = fingerprint(&good).unwrap();
    let line = format!("a=fingerprint:{verified}");
    let in_each_section = good.replace("a=mid:", &format!("{line}\r\na=mid:"));
    let in_sections_only = without(&good, "a=fingerprint").replace("a=mid:", &format!("{line}\r\na=mid:"));
    let (algorithm, digest) = verified.split_once(' ').unwrap();
    let in_other_letters = good.replace(digest, &digest.to_ascii_lowercase()).replace(algorithm, "SHA-256");
    let with_spaces = good.replace(&line, &format!("a=fingerprint:  {verified} \u{a0}"));
    // The library keys attributes by their exact names: these two are no fingerprints to it.
    let with_strangers = good.replacen("a=mid:0", "a=Fingerprint:x\r\na=fingerprint :x\r\na=mid:0", 1);
    let with_candidates =
        good.replacen("a=mid:0", "a=candidate:1 1 udp 1 192.0.2.1 9 typ host\u{a0}\r\na=mid:0", 1);
    for sdp in [
        good,
        in_each_section,
        in_sections_only,
        in_other_letters,
        with_spaces,
        with_strangers,
        with_candidates,
    ] {
        assert_eq!(fingerprint(&sdp).unwrap(), verified, "{sdp}");
        let text = check(&sdp).unwrap().text;
        let read = RTCSessionDescription::offer(text.clone()).unwrap().unmarshal().unwrap();
        assert_eq!(read.attribute("fingerprint"), Some(&verified), "{text}");
        for section in &read.media_descriptions {
            assert_eq!(section.attribute("fingerprint"), None, "{text}");
            assert!(!section.attributes.iter().any(|a| a.is_ice_candidate()), "{text}");
        }
        assert_eq!(text.matches("a=fingerprint:").count(), 1, "{text}");
        assert_eq!(fingerprint(&text).unwrap(), verified);
    }
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
