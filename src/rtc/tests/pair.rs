//! Connecting, media both ways, reports, requests, control messages, goodbye.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::support::{Arrival, DEADLINE, connected, loopback, negotiate, packet, stream, two};
use crate::media::pipeline::Kind;
use crate::rtc::{Config, Error, Event, IcePolicy, MAX_CONTROL_MESSAGE, fingerprint};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn media_passes_both_ways_as_it_was_sent() {
    let (mut a, mut b) = connected(loopback()).await;
    for (from, to) in [(&mut a, &mut b)] {
        let outlet = from.peer.outlet();
        for kind in [Kind::Audio, Kind::Video] {
            for number in 1..=50 {
                outlet.send(kind, packet(number));
            }
            for number in 1..=50 {
                let (seen, got) = to
                    .arrival(|arrival| match arrival {
                        Arrival::Rtp(kind, packet) => Some((kind, packet)),
                        _ => None,
                    })
                    .await;
                let sent = packet(number);
                assert_eq!(seen, kind);
                assert_eq!(got.sequence, sent.sequence);
                assert_eq!(got.timestamp, sent.timestamp);
                assert_eq!(got.marker, sent.marker);
                assert_eq!(got.payload, sent.payload);
                assert_eq!(got.payload_type, if kind == Kind::Audio { 111 } else { 96 });
                assert!(got.arrived.elapsed() < DEADLINE);
            }
        }
    }
    let outlet = b.peer.outlet();
    outlet.send(Kind::Video, packet(7));
    let back = a
        .arrival(|arrival| match arrival {
            Arrival::Rtp(Kind::Video, packet) => Some(packet),
            _ => None,
        })
        .await;
    assert_eq!(back.sequence, 7);
    assert_eq!(a.peer.stats().video.packets_sent, 50);
    assert_eq!(b.peer.stats().audio.packets_received, 50);
    assert_eq!(b.peer.stats().video.bytes_received, 5000);
    a.close(true).await;
    b.close(true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_keyframe_request_reaches_the_sender_before_any_packet_was_seen() {
    let (mut a, b) = connected(loopback()).await;
    b.peer.outlet().request_keyframe();
    a.arrival(|arrival| matches!(arrival, Arrival::KeyframeRequest).then_some(())).await;
    assert_eq!(a.peer.stats().keyframe_requests_received, 1);
    assert_eq!(b.peer.stats().keyframe_requests_sent, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reports_carry_the_time_and_give_a_round_trip() {
    let (a, mut b) = connected(loopback()).await;
    let video = stream(a.peer.outlet(), Kind::Video, 1);
    let audio = stream(a.peer.outlet(), Kind::Audio, 1);
    let (ntp, rtp) = b
        .arrival(|arrival| match arrival {
            Arrival::Report(Kind::Video, ntp, rtp) => Some((ntp, rtp)),
            _ => None,
        })
        .await;
    assert!(ntp >> 32 > 3_900_000_000, "seconds since 1900: {}", ntp >> 32);
    assert!(rtp > 0);
    b.arrival(|arrival| matches!(arrival, Arrival::Report(Kind::Audio, ..)).then_some(())).await;
    let started = Instant::now();
    let stats = loop {
        let stats = a.peer.stats();
        if stats.audio.remote.is_some() && stats.rtt.is_some() && stats.local.is_some() {
            break stats;
        }
        assert!(started.elapsed() < DEADLINE, "{stats:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    video.abort();
    audio.abort();
    assert!(stats.rtt.unwrap().p50 < Duration::from_millis(500), "{stats:?}");
    assert_eq!(stats.audio.remote.unwrap().packets_lost, 0);
    let local = stats.local.unwrap();
    assert_eq!(local.candidate_type, "host");
    assert_eq!(local.protocol, "udp");
    assert!(local.address.starts_with("127.0.0.1:"), "{local:?}");
    assert!(stats.remote.unwrap().address.starts_with("127.0.0.1:"));
    assert_eq!(stats.relay_protocol, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn control_messages_pass_and_the_goodbye_ends_it() {
    let (mut a, mut b) = connected(loopback()).await;
    tokio::join!(a.until(|event| *event == Event::DataOpen), b.until(|event| *event == Event::DataOpen));
    a.peer.send_data(Bytes::from_static(b"one")).await.unwrap();
    a.peer.send_data(Bytes::from_static(b"goodbye")).await.unwrap();
    for expected in [&b"one"[..], b"goodbye"] {
        let data = b.until(|event| matches!(event, Event::Data { .. })).await;
        let Event::Data { label, bytes } = data else { panic!() };
        assert_eq!((label.as_str(), &bytes[..]), ("letsmeet", expected));
    }
    let long = Bytes::from(vec![0; MAX_CONTROL_MESSAGE + 1]);
    assert!(matches!(a.peer.send_data(long).await, Err(Error::Control(_))));
    let started = Instant::now();
    a.close(true).await;
    let took = started.elapsed();
    println!("closing took {took:?}");
    assert!(took < Duration::from_millis(1000), "{took:?}");
    b.until(|event| *event == Event::Goodbye).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_said_as_soon_as_the_channel_opens_arrives() {
    for round in 0..20 {
        let (mut a, mut b) = connected(loopback()).await;
        let speak = async |end: &mut super::support::End| {
            end.until(|event| *event == Event::DataOpen).await;
            end.peer.send_data(Bytes::from_static(b"early")).await.unwrap();
            end.until(|event| matches!(event, Event::Data { .. })).await;
        };
        let said = tokio::time::timeout(Duration::from_secs(5), async {
            tokio::join!(speak(&mut a), speak(&mut b))
        });
        assert!(said.await.is_ok(), "round {round}");
        a.close(false).await;
        b.close(false).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_without_a_goodbye_is_seen_as_well() {
    let (a, mut b) = connected(loopback()).await;
    a.close(false).await;
    b.until(|event| *event == Event::Goodbye).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_interface_and_address_family_may_be_used() {
    let config = Config { mdns: true, ..Config::default() };
    let (a, b) = connected(config).await;
    a.close(true).await;
    b.close(true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn audio_alone_can_be_negotiated() {
    let (mut a, mut b) = two(Config { video: false, ..loopback() }).await;
    negotiate(&a, &b, false).await;
    tokio::join!(a.until(|event| *event == Event::Connected), b.until(|event| *event == Event::Connected));
    a.peer.outlet().send(Kind::Audio, packet(3));
    b.arrival(|arrival| matches!(arrival, Arrival::Rtp(Kind::Audio, _)).then_some(())).await;
    a.peer.outlet().send(Kind::Video, packet(3));
    assert_eq!(a.peer.stats().video.dropped, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_sent_before_the_connection_is_up_is_dropped_and_counted() {
    let (a, _b) = two(loopback()).await;
    a.peer.outlet().send(Kind::Video, packet(1));
    a.peer.outlet().request_keyframe();
    assert_eq!(a.peer.stats().video.dropped, 1);
    assert!(a.peer.send_data(Bytes::from_static(b"x")).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_descriptions_carry_the_fingerprint_of_their_side() {
    let (a, b) = two(loopback()).await;
    let offer = a.peer.offer(false).await.unwrap();
    let answer = b.peer.answer(&offer).await.unwrap();
    let (fa, fb) = (fingerprint(&offer).unwrap(), fingerprint(&answer).unwrap());
    assert!(fa.starts_with("sha-256 ") && fa.len() == 8 + 95, "{fa}");
    assert_ne!(fa, fb);
}

#[tokio::test]
async fn only_relays_without_a_relay_is_refused() {
    let config = Config { policy: IcePolicy::Relay, ..loopback() };
    let (recorder, _arrivals) = tokio::sync::mpsc::channel(1);
    let refused = crate::rtc::Peer::new(config, super::support::recorder(recorder)).await;
    assert!(matches!(refused.err(), Some(Error::Config(_))));
}
