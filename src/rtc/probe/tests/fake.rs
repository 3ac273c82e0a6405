//! Servers that lie, break off or say nothing.

use std::sync::Arc;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinHandle;

use super::*;
use crate::rtc::credentials::Credentials;
use crate::rtc::server_url::Transport;
use crate::rtc::stream;
use crate::rtc::stun::{Class, Message, Writer, attribute, long_term_key, method};

/// A UDP server that answers each message as `behave` says. Ends when it is dropped.
struct Fake {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Fake {
    async fn new(mut behave: impl FnMut(Message, SocketAddr) -> Option<Bytes> + Send + 'static) -> Self {
        let socket = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
        let address = socket.local_addr().unwrap();
        let task = tokio::spawn(async move {
            let mut buffer = [0; 2048];
            while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                let Ok(message) = Message::read(Bytes::copy_from_slice(&buffer[..length])) else {
                    continue;
                };
                if let Some(answer) = behave(message, from) {
                    socket.send_to(&answer, from).await.unwrap();
                }
            }
        });
        Self { address, task }
    }

    fn stun(&self) -> ServerUrl {
        url(&format!("stun:{}", self.address))
    }

    fn turn(&self) -> ServerUrl {
        url(&format!("turn:{}", self.address))
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn success(request: &Message, seen: SocketAddr) -> Writer {
    Writer::new(Class::Success, request.method, request.id).xor_address(attribute::XOR_MAPPED_ADDRESS, seen)
}

fn plain_address(address: &str) -> Vec<u8> {
    let SocketAddr::V4(address) = address.parse().unwrap() else { panic!("IPv4 only") };
    [&[0, 1][..], &address.port().to_be_bytes(), &address.ip().octets()].concat()
}

fn refuse(request: &Message, code: u8) -> Writer {
    Writer::new(Class::Error, request.method, request.id)
        .attribute(attribute::ERROR_CODE, &[0, 0, 4, code, b'n', b'o'])
        .attribute(attribute::REALM, b"fake")
        .attribute(attribute::NONCE, b"nonce")
}

fn user() -> Credentials {
    Credentials { username: "u".to_owned(), password: "p".to_owned() }
}

#[tokio::test]
async fn a_lost_request_is_sent_again() {
    let mut lost = 1;
    let server = Fake::new(move |request, from| {
        lost -= 1;
        (lost < 0).then(|| success(&request, from).finish().unwrap())
    })
    .await;
    let found = binding(&server.stun(), &Options::default()).await.unwrap();
    assert_eq!((found.sent, found.mapped), (2, found.local));
    assert!(found.rtt < link::FIRST_PAUSE);
}

#[tokio::test]
async fn silence_a_closed_port_and_nonsense_are_told_apart() {
    let silent = Fake::new(|_, _| None).await;
    let (to, transport, within) = (silent.address, Transport::Udp, soon().within);
    assert_eq!(binding(&silent.stun(), &soon()).await, Err(Error::Silent { to, transport, within }));

    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let to = socket.local_addr().unwrap();
    drop(socket);
    assert_eq!(binding(&url(&format!("stun:{to}")), &soon()).await, Err(Error::Refused { to }));

    let nonsense = Fake::new(|request, _| {
        Some(Writer::new(Class::Success, request.method, request.id).finish().unwrap())
    })
    .await;
    assert_eq!(binding(&nonsense.stun(), &soon()).await, Err(Error::Lacks("mapped address")));

    let stranger = Fake::new(|mut request, from| {
        request.id = [9; 12];
        Some(success(&request, from).finish().unwrap())
    })
    .await;
    assert!(matches!(binding(&stranger.stun(), &soon()).await, Err(Error::Silent { .. })));

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = listener.local_addr().unwrap();
    let asked = binding(&url(&format!("stun:{to}?transport=tcp")), &soon()).await;
    assert_eq!(asked, Err(Error::Silent { to, transport: Transport::Tcp, within }));
    drop(listener);
    let asked = binding(&url(&format!("stun:{to}?transport=tcp")), &soon()).await;
    assert_eq!(asked, Err(Error::Stream(stream::Error::Refused { to })));

    assert!(matches!(binding(&url("stun:nowhere.invalid"), &soon()).await, Err(Error::Resolve { .. })));
    let v6 = Options { family: Some(Family::V6), ..soon() };
    assert!(matches!(binding(&url("stun:127.0.0.1"), &v6).await, Err(Error::NoAddress { .. })));
    assert_eq!(nat(&url("stuns:127.0.0.1"), &soon()).await, Err(Error::UdpOnly));
}

#[test]
fn what_went_wrong_is_said_in_a_sentence_of_the_same_kind() {
    let to = SocketAddr::from(([192, 0, 2, 1], 3478));
    let host = || "turn.example.org".to_owned();
    let expired = stream::Error::Certificate { host: host(), fault: stream::Certificate::Expired };
    let errors = [
        Error::Resolve { host: host(), reason: "not found".to_owned() },
        Error::NoAddress { host: host(), family: Family::V6 },
        Error::Refused { to },
        Error::Silent { to, transport: Transport::Udp, within: WITHIN },
        Error::Silent { to, transport: Transport::Tls, within: WITHIN },
        Error::Stream(expired),
        Error::Unauthorized,
        Error::StaleNonce,
        Error::Mismatch,
        Error::Quota,
        Error::Capacity,
        Error::Forbidden,
        Error::Family(440),
        Error::TryAlternate(Some(to)),
        Error::Unsigned,
        Error::Lacks("mapped address"),
        Error::Lost { sent: 3 },
    ];
    for error in errors {
        let text = error.to_string();
        println!("{text}");
        assert!(text.starts_with(|c: char| c.is_lowercase()) && !text.ends_with('.'), "{text}");
        assert!(!text.contains("  ") && !text.contains('\n') && text.len() < 200, "{text}");
    }
}

#[tokio::test]
async fn a_second_address_that_does_not_answer_proves_nothing() {
    let silent = UdpSocket::bind("127.0.0.3:0").await.unwrap().local_addr().unwrap();
    let other = plain_address(&silent.to_string());
    let server = Fake::new(move |request, from| {
        let asked_elsewhere = request.get(attribute::CHANGE_REQUEST).is_some();
        let answer = success(&request, from).attribute(attribute::OTHER_ADDRESS, &other);
        (!asked_elsewhere).then(|| answer.finish().unwrap())
    })
    .await;
    let found = nat(&server.stun(), &Options::default()).await.unwrap();
    assert_eq!(found.mapping, Verdict::Unknown(Unknown::OtherSilent));
    assert_eq!(found.filtering, Verdict::Unknown(Unknown::OtherSilent));
}

#[tokio::test]
async fn a_server_that_answers_from_the_same_address_shows_no_filtering() {
    let other = Fake::new(|request, from| Some(success(&request, from).finish().unwrap())).await;
    // Of another address it only speaks.
    let told = plain_address(&format!("127.0.0.3:{}", other.address.port()));
    let server = Fake::new(move |request, from| {
        Some(success(&request, from).attribute(attribute::OTHER_ADDRESS, &told).finish().unwrap())
    })
    .await;
    let found = nat(&server.stun(), &Options::default()).await.unwrap();
    assert_eq!(found.filtering, Verdict::Unknown(Unknown::CannotChange));
}

#[tokio::test]
async fn a_different_address_at_each_server_is_a_dependent_mapping() {
    let seen_as = |address: &'static str| {
        Fake::new(move |request, _| Some(success(&request, address.parse().unwrap()).finish().unwrap()))
    };
    let (one, other) = (seen_as("192.0.2.1:1000").await, seen_as("192.0.2.1:1001").await);
    let found = compare(&one.stun(), &other.stun(), &Options::default()).await.unwrap();
    assert_eq!((found.endpoint_independent, found.translated), (Verdict::Known(false), true));
}

#[tokio::test]
async fn each_refusal_of_a_relay_is_its_own() {
    let refusal = async |code: u8| {
        let server = Fake::new(move |request, _| {
            let code = if request.get(attribute::USERNAME).is_some() { code } else { 1 };
            Some(refuse(&request, code).finish().unwrap())
        })
        .await;
        relay(&server.turn(), &user(), &soon()).await.unwrap_err()
    };
    assert_eq!(refusal(1).await, Error::Unauthorized);
    assert_eq!(refusal(3).await, Error::Forbidden);
    assert_eq!(refusal(37).await, Error::Mismatch);
    assert_eq!(refusal(38).await, Error::StaleNonce);
    assert_eq!(refusal(40).await, Error::Family(440));
    assert_eq!(refusal(42).await, Error::RelayTransport);
    assert_eq!(refusal(86).await, Error::Quota);
    assert_eq!(refusal(20).await, Error::Status { code: 420, reason: "no".to_owned() });
}

#[tokio::test]
async fn a_stale_nonce_is_replaced() {
    let mut answered = 0;
    let server = Fake::new(move |request, from| {
        let key = long_term_key("u", "fake", "p");
        if request.get(attribute::USERNAME).is_none() {
            return Some(refuse(&request, 1).finish().unwrap());
        }
        assert!(request.is_signed(&key));
        answered += 1;
        match (request.method, answered) {
            (_, 1 | 2) => Some(
                Writer::new(Class::Error, request.method, request.id)
                    .attribute(attribute::ERROR_CODE, &[0, 0, 4, 38])
                    .attribute(attribute::NONCE, b"newer")
                    .finish()
                    .unwrap(),
            ),
            (method::ALLOCATE, _) => {
                assert_eq!(request.text(attribute::NONCE), Some("newer"));
                let relayed = SocketAddr::new(from.ip(), 1);
                let answer = success(&request, from)
                    .xor_address(attribute::XOR_RELAYED_ADDRESS, relayed)
                    .attribute(attribute::LIFETIME, &600_u32.to_be_bytes());
                Some(answer.integrity(&key).finish().unwrap())
            }
            // Everything is granted, and nothing is relayed.
            _ => Some(
                Writer::new(Class::Success, request.method, request.id).integrity(&key).finish().unwrap(),
            ),
        }
    })
    .await;
    assert_eq!(relay(&server.turn(), &user(), &soon()).await, Err(Error::Lost { sent: 3 }));
}

#[tokio::test]
async fn a_success_that_is_not_signed_is_none() {
    let server = Fake::new(|request, from| {
        Some(match request.get(attribute::USERNAME) {
            None => refuse(&request, 1).finish().unwrap(),
            Some(_) => success(&request, from).integrity(b"another").finish().unwrap(),
        })
    })
    .await;
    assert_eq!(relay(&server.turn(), &user(), &soon()).await, Err(Error::Unsigned));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn no_answer_panics(
        attributes in vec((0_u16..0x30, vec(any::<u8>(), 0..40)), 0..6),
        class in prop_oneof![Just(Class::Success), Just(Class::Error)],
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let server = Fake::new(move |request, _| {
                let writer = Writer::new(class, request.method, request.id);
                let fill = |writer: Writer, (kind, value): &(u16, Vec<u8>)| writer.attribute(*kind, value);
                Some(attributes.iter().fold(writer, fill).finish().unwrap())
            })
            .await;
            let options = Options { within: Duration::from_millis(50), ..Options::default() };
            let _ = binding(&server.stun(), &options).await;
            let _ = relay(&server.turn(), &user(), &options).await;
        });
    }
}
