//! VP9 beside VP8: offered, answered, and told apart by payload type.

use super::support::{Arrival, End, connected, loopback, packet, two};
use crate::media::codec::VideoCodec;
use crate::media::pipeline::Kind;
use crate::media::rtp::packet::RtpPacket;
use crate::media::rtp::video::{VP8_PAYLOAD_TYPE, VP9_PAYLOAD_TYPE};
use crate::rtc::Event;
use crate::rtc::sdp::check;

/// A description without its lines about VP9.
fn without_vp9(sdp: &str) -> String {
    let formats = format!("SAVPF {VP8_PAYLOAD_TYPE} {VP9_PAYLOAD_TYPE}");
    assert!(sdp.contains(&formats), "VP8 comes first\n{sdp}");
    let of_vp9 = |line: &&str| {
        ["rtpmap", "fmtp", "rtcp-fb"]
            .iter()
            .any(|name| line.starts_with(&format!("a={name}:{VP9_PAYLOAD_TYPE} ")))
    };
    let kept = sdp.lines().filter(|line| !of_vp9(line));
    let text: String = kept.map(|line| format!("{line}\r\n")).collect();
    text.replace(&formats, &format!("SAVPF {VP8_PAYLOAD_TYPE}"))
}

/// Exchanges descriptions, each as the other side gets to see it.
async fn negotiate(a: &End, b: &End, offer: impl Fn(&str) -> String, answer: impl Fn(&str) -> String) {
    let sdp = a.peer.offer(false).await.unwrap();
    a.peer.apply_local().await.unwrap();
    let sdp = b.peer.answer(&offer(&sdp)).await.unwrap();
    b.peer.apply_local().await.unwrap();
    a.peer.accept_answer(&answer(&sdp)).await.unwrap();
}

/// Which ends may send VP9.
fn accepted(a: &End, b: &End) -> [bool; 2] {
    [a, b].map(|end| end.peer.outlet().accepts(VideoCodec::Vp9))
}

fn picture(number: u16, payload_type: u8) -> RtpPacket {
    RtpPacket { payload_type, ..packet(number) }
}

async fn next(end: &mut End) -> (u16, u8) {
    let wanted = |arrival| match arrival {
        Arrival::Rtp(Kind::Video, packet) => Some((packet.sequence, packet.payload_type)),
        _ => None,
    };
    end.arrival(wanted).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_ends_of_ours_have_both_codecs_and_each_packet_is_of_its_own() {
    let (mut a, mut b) = connected(loopback()).await;
    assert_eq!(accepted(&a, &b), [true, true]);
    assert!(a.peer.outlet().accepts(VideoCodec::Vp8));
    let sent = [VP8_PAYLOAD_TYPE, VP9_PAYLOAD_TYPE, VP9_PAYLOAD_TYPE, VP8_PAYLOAD_TYPE];
    for (from, to) in [(0, 1), (1, 0)] {
        let ends = [&mut a, &mut b];
        let outlet = ends[from].peer.outlet();
        for (number, payload_type) in (1..).zip(sent) {
            outlet.send(Kind::Video, picture(number, payload_type));
        }
        for expected in (1..).zip(sent) {
            assert_eq!(next(ends[to]).await, expected);
        }
    }
    a.close(true).await;
    b.close(true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_one_side_has_no_vp9_nobody_sends_it() {
    let as_it_is = str::to_owned;
    for offerer_has_it in [false, true] {
        let (mut a, mut b) = two(loopback()).await;
        if offerer_has_it {
            negotiate(&a, &b, as_it_is, without_vp9).await;
        } else {
            negotiate(&a, &b, without_vp9, as_it_is).await;
        }
        tokio::join!(
            a.until(|event| *event == Event::Connected),
            b.until(|event| *event == Event::Connected)
        );
        assert!(!a.peer.outlet().accepts(VideoCodec::Vp9), "{offerer_has_it}");
        assert_eq!(b.peer.outlet().accepts(VideoCodec::Vp9), offerer_has_it, "it was told nothing else");
        // What is sent all the same goes nowhere, and pictures go on.
        let outlet = a.peer.outlet();
        outlet.send(Kind::Video, picture(1, VP9_PAYLOAD_TYPE));
        outlet.send(Kind::Video, picture(2, VP8_PAYLOAD_TYPE));
        assert_eq!(next(&mut b).await, (2, VP8_PAYLOAD_TYPE));
        assert_eq!(a.peer.stats().video.dropped, 1);
        a.close(true).await;
        b.close(true).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_payload_types_are_those_of_the_offer() {
    let (a, b) = two(loopback()).await;
    // As a browser may number them; the library's own numbers are others.
    let renumbered =
        |sdp: &str| sdp.replace("SAVPF 96 98", "SAVPF 98 35").replace(":98 ", ":35 ").replace(":96 ", ":98 ");
    let back = |sdp: &str| {
        assert_eq!(check(sdp).unwrap().vp9, Some(35), "{sdp}");
        sdp.replace("SAVPF 98 35", "SAVPF 96 98").replace(":98 ", ":96 ").replace(":35 ", ":98 ")
    };
    negotiate(&a, &b, renumbered, back).await;
    assert_eq!(accepted(&a, &b), [true, true]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_profile_0_counts() {
    let (a, _b) = two(loopback()).await;
    let ours = a.peer.offer(false).await.unwrap();
    assert_eq!(check(&ours).unwrap().vp9, Some(VP9_PAYLOAD_TYPE), "{ours}");
    let other = ours.replace("profile-id=0", "profile-id=2");
    assert_eq!(check(&other).unwrap().vp9, None);
    let silent = ours.replace("profile-id=0", "max-fr=30");
    assert_eq!(check(&silent).unwrap().vp9, Some(VP9_PAYLOAD_TYPE), "0 is meant without a word");
    // As Chromium offers it: two profiles.
    let both = ours
        .replace("SAVPF 96 98", "SAVPF 96 100 98")
        .replace("a=rtpmap:98 ", "a=rtpmap:100 VP9/90000\r\na=fmtp:100 profile-id=2\r\na=rtpmap:98 ");
    assert_eq!(check(&both).unwrap().vp9, Some(VP9_PAYLOAD_TYPE));
    let (_c, d) = two(loopback()).await;
    let answer = d.peer.answer(&both).await.unwrap();
    assert_eq!(check(&answer).unwrap().vp9, Some(VP9_PAYLOAD_TYPE), "{answer}");
    assert!(!answer.contains(":100 "), "{answer}");
}
