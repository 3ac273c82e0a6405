//! Two peers whose only way to each other is a TURN server over a stream.

use std::time::Duration;

use tokio::time::timeout;

use super::coturn::{Authority, Coturn, PASSWORD, USER};
use super::support::{Arrival, connected, loopback, restart_twice, stream};
use crate::media::pipeline::Kind;
use crate::rtc::{Config, IcePolicy, IceServer, Trust};

/// How soon something happens that waits for nothing.
const SOON: Duration = Duration::from_secs(2);

fn relayed(url: String, trust: Option<Trust>) -> Config {
    let server =
        IceServer { urls: vec![url], username: Some(USER.to_owned()), credential: Some(PASSWORD.to_owned()) };
    Config { ice_servers: vec![server], policy: IcePolicy::Relay, trust, ..loopback() }
}

/// Two ends connect, send and receive; their relays are reached by that protocol.
async fn media_flows(config: Config, protocol: &str) {
    let (a, mut b) = connected(config).await;
    let sending = stream(a.peer.outlet(), Kind::Video, 1);
    for _ in 0..50 {
        b.arrival(|arrival| matches!(arrival, Arrival::Rtp(Kind::Video, _)).then_some(())).await;
    }
    sending.abort();
    let stats = a.peer.stats();
    assert_eq!(stats.relay_protocol.as_deref(), Some(protocol));
    assert!([stats.local, stats.remote].into_iter().flatten().all(|end| end.candidate_type == "relay"));
    a.close(true).await;
    b.close(true).await;
}

#[tokio::test]
async fn peers_meet_at_a_relay_over_udp() {
    let server = Coturn::plain();
    media_flows(relayed(format!("turn:{}", server.address()), None), "udp").await;
}

#[tokio::test]
async fn peers_meet_at_a_relay_over_tcp() {
    let server = Coturn::plain();
    media_flows(relayed(format!("turn:{}?transport=tcp", server.address()), None), "tcp").await;
}

#[tokio::test]
async fn peers_meet_at_a_relay_over_tls() {
    let authority = Authority::new();
    let server = Coturn::tls(&authority.certify(&["localhost"]));
    let url = format!("turns:localhost:{}?transport=tcp", server.tls_address().port());
    media_flows(relayed(url, Some(Trust::file(&authority.file()).unwrap())), "tls").await;
}

#[tokio::test]
async fn a_relay_that_cannot_be_reached_keeps_nobody_waiting() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for to in [silent.local_addr().unwrap(), closed] {
        let config = relayed(format!("turn:{to}?transport=tcp"), None);
        let connecting = connected(Config { policy: IcePolicy::All, ..config });
        let (a, b) = timeout(SOON, connecting).await.expect("host candidates wait for no relay");
        a.close(true).await;
        b.close(true).await;
    }
}

#[tokio::test]
async fn an_ice_restart_takes_new_streams() {
    let server = Coturn::plain();
    let config = relayed(format!("turn:{}?transport=tcp", server.address()), None);
    let (mut a, mut b) = connected(config).await;
    restart_twice(&mut a, &mut b).await;
    a.close(true).await;
    b.close(true).await;
}
