//! A real TURN server on loopback.

use super::*;
use crate::rtc::credentials::{Credentials, mint};
use crate::rtc::server_url::Transport;
use crate::rtc::tests::coturn::{Authority, Coturn, PASSWORD, USER};

fn lab() -> Credentials {
    Credentials { username: USER.to_owned(), password: PASSWORD.to_owned() }
}

fn users(lines: &str) -> String {
    format!("lt-cred-mech\nuser={USER}:{PASSWORD}\n{lines}")
}

#[tokio::test]
async fn the_address_is_seen_over_every_transport_and_family() {
    let authority = Authority::new();
    let server = Coturn::tls(&authority.certify(&["localhost"]));
    let options = Options {
        trust: Some(Trust::file(&authority.file()).unwrap()),
        family: Some(Family::V4),
        ..Options::default()
    };
    let (port, tls_port) = (server.address().port(), server.tls_address().port());
    let cases = [
        (format!("stun:localhost:{port}"), Transport::Udp),
        (format!("stun:localhost:{port}?transport=tcp"), Transport::Tcp),
        (format!("stuns:localhost:{tls_port}"), Transport::Tls),
    ];
    for (text, transport) in cases {
        let found = binding(&url(&text), &options).await.unwrap();
        assert_eq!((found.transport, found.mapped, found.sent), (transport, found.local, 1), "{text}");
        assert_eq!(found.connected.is_some(), transport != Transport::Udp);
        assert!(found.software.as_ref().is_some_and(|name| name.contains("Coturn")), "{found:?}");
        assert!(found.rtt > Duration::ZERO && found.rtt < Duration::from_secs(1));
    }
    for text in [format!("stun:[::1]:{port}"), format!("stun:[::1]:{port}?transport=tcp")] {
        let found = binding(&url(&text), &Options::default()).await.unwrap();
        assert_eq!(found.mapped, found.local);
        assert!(found.local.is_ipv6());
    }
    let from = Options { from: Some([127, 0, 0, 9].into()), ..Options::default() };
    let found = binding(&url(&format!("stun:127.0.0.1:{port}")), &from).await.unwrap();
    assert_eq!(found.mapped.ip(), from.from.unwrap());
}

#[tokio::test]
async fn without_a_nat_nothing_depends_on_anything() {
    let server = Coturn::plain();
    let found =
        nat(&url(&format!("stun:127.0.0.1:{}", server.address().port())), &Options::default()).await.unwrap();
    assert_eq!(found.mapping, Verdict::Known(Behaviour::EndpointIndependent));
    assert_eq!(found.filtering, Verdict::Known(Behaviour::EndpointIndependent));
    assert_eq!(found.other.unwrap().to_string(), format!("127.0.0.2:{}", server.address().port() + 1));
    assert_eq!((found.translated, found.hairpin, found.mapped), (false, None, found.local));
}

#[tokio::test]
async fn what_a_server_without_rfc_5780_cannot_tell_is_unknown() {
    let server = Coturn::start("no-rfc5780", None);
    let text = |ip| url(&format!("stun:{ip}:{}", server.address().port()));
    let found = nat(&text("127.0.0.1"), &Options::default()).await.unwrap();
    assert_eq!(found.mapping, Verdict::Unknown(Unknown::NoOtherAddress));
    assert_eq!(found.filtering, Verdict::Unknown(Unknown::NoOtherAddress));
    // Two ordinary servers still show the mapping, one does not.
    let found = compare(&text("127.0.0.1"), &text("127.0.0.2"), &Options::default()).await.unwrap();
    assert_eq!((found.endpoint_independent, found.translated), (Verdict::Known(true), false));
    let found = compare(&text("127.0.0.1"), &text("127.0.0.1"), &Options::default()).await.unwrap();
    assert_eq!(found.endpoint_independent, Verdict::Unknown(Unknown::SameServer));
}

#[tokio::test]
async fn packets_come_back_through_the_relay_over_every_transport() {
    let authority = Authority::new();
    let server = Coturn::tls(&authority.certify(&["127.0.0.1"]));
    let options = Options { trust: Some(Trust::file(&authority.file()).unwrap()), ..Options::default() };
    let (port, tls_port) = (server.address().port(), server.tls_address().port());
    for text in [
        format!("turn:127.0.0.1:{port}"),
        format!("turn:127.0.0.1:{port}?transport=tcp"),
        format!("turns:127.0.0.1:{tls_port}?transport=tcp"),
    ] {
        let found = relay(&url(&text), &lab(), &options).await.unwrap();
        assert_eq!(found.realm, "lab.example");
        assert!(found.relayed.ip().is_loopback() && found.relayed != found.server);
        assert_eq!(found.mapped, Some(found.local));
        assert_eq!(found.lifetime, Duration::from_secs(600));
        assert_eq!((found.echo.sent, found.echo.returned, found.released), (8, 8, true), "{text}");
        assert!(
            found.echo.rtt_min <= found.echo.rtt_median && found.echo.rtt_median < Duration::from_secs(1)
        );
    }
}

#[tokio::test]
async fn refusals_say_what_to_do() {
    let refused = async |lines: &str, credentials: Credentials| {
        let server = Coturn::start(&users(lines), None);
        let text = format!("turn:127.0.0.1:{}", server.address().port());
        relay(&url(&text), &credentials, &Options::default()).await.unwrap_err()
    };
    let wrong = Credentials { password: "wrong".to_owned(), ..lab() };
    assert_eq!(refused("", wrong).await, Error::Unauthorized);
    assert_eq!(
        refused("", Credentials { username: "nobody".to_owned(), ..lab() }).await,
        Error::Unauthorized
    );
    assert_eq!(refused("user-quota=1", lab()).await, Error::Quota);
    assert_eq!(refused("denied-peer-ip=127.0.0.1", lab()).await, Error::Forbidden);
    let long = Credentials { username: "x".repeat(70_000), ..lab() };
    assert!(matches!(refused("", long).await, Error::Unwritable(_)));
}

#[tokio::test]
async fn credentials_are_accepted_until_they_run_out() {
    let server = Coturn::start("use-auth-secret\nstatic-auth-secret=north", None);
    let text = url(&format!("turn:127.0.0.1:{}?transport=tcp", server.address().port()));
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let ask = async |credentials: Credentials| relay(&text, &credentials, &Options::default()).await;
    ask(mint(b"north", "alice", now + 60)).await.unwrap();
    ask(mint(b"north", "", now + 60)).await.unwrap();
    assert_eq!(ask(mint(b"north", "alice", now - 60)).await.unwrap_err(), Error::Unauthorized);
    assert_eq!(ask(mint(b"south", "alice", now + 60)).await.unwrap_err(), Error::Unauthorized);
}
