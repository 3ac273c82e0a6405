//! Streams to a real TURN server, and to servers that are none.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::time::timeout;

use super::connect::HANDSHAKE_WITHIN;
use super::*;
use crate::rtc::stun::{Class, Message, Writer, attribute, long_term_key, method, transaction_id};
use crate::rtc::tests::coturn::{Authority, Coturn, Identity, PASSWORD, USER};

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const WITHIN: Duration = Duration::from_secs(10);

/// The streams of one socket to one server.
struct Client {
    streams: Streams,
    address: SocketAddr,
    key: [u8; 16],
    realm: String,
    nonce: Vec<u8>,
}

impl Client {
    fn new(server: SocketAddr, host: &str, tls: Option<Trust>) -> Self {
        Self::from(LOCAL, Endpoint { addresses: vec![server], host: host.to_owned(), tls })
    }

    fn from(from: IpAddr, endpoint: Endpoint) -> Self {
        let mut routes = Routes::default();
        let placeholder = routes.add(endpoint).unwrap();
        let address = placeholder.addresses[0];
        Self {
            streams: Streams::new(&routes, from),
            address,
            key: [0; 16],
            realm: String::new(),
            nonce: vec![],
        }
    }

    fn send(&self, datagram: &[u8]) {
        assert!(self.streams.send(datagram, self.address));
    }

    async fn receive(&self) -> Bytes {
        let mut buffer = vec![0; 2048];
        let received = std::future::poll_fn(|cx| self.streams.poll_recv(cx, &mut buffer));
        let (length, from) = timeout(WITHIN, received).await.expect("an answer");
        assert_eq!(from, self.address);
        buffer.truncate(length);
        buffer.into()
    }

    async fn ask(&self, method: u16, fill: impl Fn(Writer) -> Writer) -> Message {
        let id = transaction_id();
        let mut writer = fill(Writer::new(Class::Request, method, id));
        if !self.realm.is_empty() {
            writer = writer
                .attribute(attribute::USERNAME, USER.as_bytes())
                .attribute(attribute::REALM, self.realm.as_bytes())
                .attribute(attribute::NONCE, &self.nonce)
                .integrity(&self.key);
        }
        let request = writer.finish().unwrap();
        // Again and again, as the library would: the server sees it once.
        self.send(&request);
        self.send(&request);
        let answer = Message::read(self.receive().await).unwrap();
        assert_eq!(answer.id, id);
        answer
    }

    /// The relayed address.
    async fn allocate(&mut self) -> SocketAddr {
        let udp = |writer: Writer| writer.attribute(attribute::REQUESTED_TRANSPORT, &[17, 0, 0, 0]);
        let challenge = self.ask(method::ALLOCATE, udp).await;
        assert_eq!(challenge.error().map(|(code, _)| code), Some(401));
        self.realm = challenge.text(attribute::REALM).unwrap().to_owned();
        self.nonce = challenge.get(attribute::NONCE).unwrap().to_vec();
        self.key = long_term_key(USER, &self.realm, PASSWORD);
        let answer = self.ask(method::ALLOCATE, udp).await;
        assert_eq!(answer.class, Class::Success, "{:?}", answer.error());
        assert!(answer.is_signed(&self.key));
        assert!(answer.mapped().unwrap().ip().is_loopback());
        answer.xor_address(attribute::XOR_RELAYED_ADDRESS).unwrap()
    }

    async fn bind_channel(&self, peer: SocketAddr) {
        let answer = self
            .ask(method::CHANNEL_BIND, |writer| {
                writer
                    .attribute(attribute::CHANNEL_NUMBER, &[0x40, 0x07, 0, 0])
                    .xor_address(attribute::XOR_PEER_ADDRESS, peer)
            })
            .await;
        assert_eq!(answer.class, Class::Success, "{:?}", answer.error());
    }

    async fn failure(&self) -> Error {
        let failed = async {
            loop {
                if let Some(error) = self.streams.failure(self.address) {
                    return error;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(WITHIN, failed).await.expect("a failure")
    }

    async fn refusal(server: SocketAddr, host: &str, tls: Option<Trust>) -> Error {
        let client = Self::new(server, host, tls);
        client.send(&allocate_request());
        client.failure().await
    }
}

fn allocate_request() -> Bytes {
    Writer::new(Class::Request, method::ALLOCATE, transaction_id()).finish().unwrap()
}

fn channel_data(length: u16, fill: u8) -> Vec<u8> {
    let mut bytes = vec![0x40, 7];
    bytes.extend(length.to_be_bytes());
    bytes.resize(4 + usize::from(length), fill);
    bytes
}

/// Two relays, and data of every length through both of them and back.
async fn data_is_echoed(mut one: Client, mut other: Client) {
    let (here, there) = (one.allocate().await, other.allocate().await);
    one.bind_channel(there).await;
    other.bind_channel(here).await;
    for length in [0, 1, 2, 3, 4, 5, 160, 1187, 1400] {
        let sent = channel_data(length, 5);
        one.send(&sent);
        let heard = other.receive().await;
        assert_eq!(heard, sent);
        other.send(&heard);
        assert_eq!(one.receive().await, sent);
    }
}

#[tokio::test]
async fn data_goes_through_two_relays_over_tcp() {
    let server = Coturn::plain();
    let client = || Client::new(server.address(), "localhost", None);
    data_is_echoed(client(), client()).await;
}

#[tokio::test]
async fn data_goes_through_two_relays_over_tls() {
    let authority = Authority::new();
    let server = Coturn::tls(&authority.certify(&["localhost", "127.0.0.1"]));
    let trust = Trust::file(&authority.file()).unwrap();
    let client = |host| Client::new(server.tls_address(), host, Some(trust.clone()));
    data_is_echoed(client("localhost"), client("127.0.0.1")).await;
}

#[tokio::test]
async fn the_server_may_be_reached_by_ipv6() {
    let server = Coturn::plain();
    let address = SocketAddr::from((Ipv6Addr::LOCALHOST, server.address().port()));
    let endpoint =
        Endpoint { addresses: vec![server.address(), address], host: "localhost".to_owned(), tls: None };
    let client = || Client::from(Ipv6Addr::LOCALHOST.into(), endpoint.clone());
    let mut one = Client { address: stand_in(false, FIRST_PORT), ..client() };
    one.allocate().await;
    assert!(!client().streams.send(&allocate_request(), stand_in(true, FIRST_PORT)));
}

#[tokio::test]
async fn it_leaves_from_the_address_of_its_socket() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let from: IpAddr = [127, 0, 0, 77].into();
    let to = listener.local_addr().unwrap();
    let client =
        Client::from(from, Endpoint { addresses: vec![to], host: "localhost".to_owned(), tls: None });
    client.send(&allocate_request());
    let (_, peer) = timeout(WITHIN, listener.accept()).await.unwrap().unwrap();
    assert_eq!(peer.ip(), from);
}

#[tokio::test]
async fn certificates_are_checked() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let trust = Trust::file(&authority.file()).unwrap();
    let refused = async |identity: Identity, trust: &Trust| {
        let server = Coturn::tls(&identity);
        Client::refusal(server.tls_address(), "localhost", Some(trust.clone())).await
    };
    let fault = |error| match error {
        Error::Certificate { host, fault } if host == "localhost" => fault,
        other => panic!("{other:?}"),
    };
    let unknown = fault(refused(stranger.certify(&["localhost"]), &trust).await);
    assert_eq!(unknown, Certificate::UnknownIssuer);
    let unknown = fault(refused(authority.certify(&["localhost"]), &Trust::system().unwrap()).await);
    assert_eq!(unknown, Certificate::UnknownIssuer);
    let expired = fault(refused(authority.certify_expired(&["localhost"]), &trust).await);
    assert_eq!(expired, Certificate::Expired);
    let wrong = fault(refused(authority.certify(&["turn.example.org", "127.0.0.1"]), &trust).await);
    assert_eq!(
        wrong,
        Certificate::WrongName {
            wanted: "localhost".to_owned(),
            presented: "turn.example.org, 127.0.0.1".to_owned()
        }
    );
    let own = fault(refused(authority.itself(), &trust).await);
    assert_eq!(own, Certificate::Authority);
}

#[test]
fn authorities_come_from_a_file_that_has_some() {
    let authority = Authority::new();
    assert!(Trust::file(&authority.file()).is_ok());
    let missing = authority.file().with_file_name("missing.pem");
    let error = Trust::file(&missing).unwrap_err();
    assert!(error.to_string().contains("missing.pem: No such file"), "{error}");
    let key = authority.itself().key;
    assert_eq!(Trust::file(&key).unwrap_err(), TrustError::Empty(key));
}

#[tokio::test]
async fn a_closed_port_is_told_from_a_silent_server() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = listener.local_addr().unwrap();
    drop(listener);
    assert_eq!(Client::refusal(to, "localhost", None).await, Error::Refused { to });

    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let trust = Trust::file(&Authority::new().file()).unwrap();
    let error = Client::refusal(silent.local_addr().unwrap(), "localhost", Some(trust.clone())).await;
    assert_eq!(error, Error::HandshakeTimeout { host: "localhost".to_owned(), within: HANDSHAKE_WITHIN });

    let plain = Coturn::plain();
    let error = Client::refusal(plain.address(), "localhost", Some(trust)).await;
    assert!(matches!(error, Error::Handshake { .. }), "{error:?}");
}

#[tokio::test]
async fn a_server_of_another_kind_is_no_turn_server() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = Client::new(listener.local_addr().unwrap(), "localhost", None);
    client.send(&allocate_request());
    let (mut stream, _) = listener.accept().await.unwrap();
    stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    assert_eq!(client.failure().await, Error::Framing(framing::Error::Neither));
}

#[tokio::test]
async fn a_new_allocation_connects_again_and_nothing_else_does() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = Client::new(listener.local_addr().unwrap(), "localhost", None);
    client.send(&allocate_request());
    drop(timeout(WITHIN, listener.accept()).await.unwrap().unwrap());
    assert!(matches!(client.failure().await, Error::Closed | Error::Broken(_)));

    let refresh = Writer::new(Class::Request, method::REFRESH, transaction_id()).finish().unwrap();
    client.send(&refresh);
    client.send(&channel_data(9, 1));
    let allocate = allocate_request();
    client.send(&allocate);
    let (mut stream, _) = timeout(WITHIN, listener.accept()).await.unwrap().unwrap();
    let mut bytes = vec![0; allocate.len()];
    timeout(WITHIN, stream.read_exact(&mut bytes)).await.unwrap().unwrap();
    assert_eq!(bytes, allocate);
}

#[tokio::test]
async fn dropping_it_closes_the_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = Client::new(listener.local_addr().unwrap(), "localhost", None);
    let request = allocate_request();
    client.send(&request);
    let (mut stream, _) = timeout(WITHIN, listener.accept()).await.unwrap().unwrap();
    let mut bytes = Vec::new();
    drop(client);
    // Whether the request still went out depends on who was first; the end comes in any case.
    let end = timeout(WITHIN, stream.read_to_end(&mut bytes)).await.unwrap();
    assert!(end.is_err() || bytes.is_empty() || bytes == request);
}

#[tokio::test]
async fn sending_never_waits_for_a_server_that_reads_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = Client::new(listener.local_addr().unwrap(), "localhost", None);
    client.send(&allocate_request());
    let _stream = timeout(WITHIN, listener.accept()).await.unwrap().unwrap();
    // More than all the buffers on the way hold.
    let sending = tokio::task::spawn_blocking(move || {
        for _ in 0..20_000 {
            client.send(&channel_data(1200, 3));
        }
    });
    timeout(WITHIN, sending).await.expect("sent, or dropped, at once").unwrap();
}

#[test]
fn a_placeholder_says_how_its_server_is_reached() {
    let (mut routes, trust) = (Routes::default(), Trust::file(&Authority::new().file()).unwrap());
    let to = |ip: &str| SocketAddr::new(ip.parse().unwrap(), 443);
    let mut add = |addresses, tls| {
        let endpoint = Endpoint { addresses, host: "turn.example.org".to_owned(), tls };
        let placeholder = routes.add(endpoint).unwrap();
        (relay_protocol(&format!("turn:{}:{}", placeholder.host, placeholder.port)), placeholder)
    };
    let (tcp, one) = add(vec![to("198.51.100.1"), to("2001:db8::9")], None);
    let (tls, other) = add(vec![to("198.51.100.1")], Some(trust));
    assert_eq!((tcp, tls), ("tcp", "tls"));
    assert_eq!((one.addresses.len(), other.addresses.len()), (2, 1));
    assert!(one.addresses.iter().all(|address| !other.addresses.contains(address)));
    for url in ["turn:198.51.100.1:3478?transport=udp", "turn:tcp-1.example.org:1", "turn:tls-1.example", ""]
    {
        assert_eq!(relay_protocol(url), "udp", "{url}");
    }
}

#[tokio::test]
async fn what_goes_elsewhere_is_left_alone() {
    let streams = Streams::new(&Routes::default(), LOCAL);
    assert!(!streams.send(&allocate_request(), stand_in(true, 1)));
    let nothing = std::future::poll_fn(|cx| streams.poll_recv(cx, &mut [0; 100]).map(|_| ()));
    tokio::select! {
        biased;
        () = nothing => panic!("nothing can come"),
        () = tokio::task::yield_now() => {}
    }
}
