//! The server under TLS: the limits of connections that are not yet any, and what the client makes of its certificates.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::super::{Config, Tls};
use super::harness::{PATIENCE, Server, event, event_where, key};
use crate::signaling::client::{Client, Event, Refusal, Way};
use crate::tls::{Trust, server_name};

/// A certificate that signs itself, with its key.
struct Pair {
    folder: TempDir,
}

impl Pair {
    fn new(name: &str) -> Pair {
        Pair::made(CertificateParams::new(vec![name.to_owned()]).unwrap())
    }

    fn made(params: CertificateParams) -> Pair {
        let folder = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        std::fs::write(folder.path().join("cert"), params.self_signed(&key).unwrap().pem()).unwrap();
        std::fs::write(folder.path().join("key"), key.serialize_pem()).unwrap();
        Pair { folder }
    }

    fn certificate(&self) -> PathBuf {
        self.folder.path().join("cert")
    }

    fn tls(&self) -> Tls {
        Tls::load(self.certificate(), self.folder.path().join("key")).unwrap()
    }

    fn config(&self) -> Config {
        Config { tls: Some(self.tls()), ..Config::default() }
    }
}

/// A client of the real actor that trusts `ca` alone.
fn client(server: &Server, path: &str, ca: &Path) -> (Client, tokio::sync::mpsc::Receiver<Event>) {
    let mut config = server.client_config("alice", key("alice"));
    config.server = format!("wss://localhost:{}{path}", server.port).parse().unwrap();
    config.way = Way { trust: Some(Trust::file(ca).unwrap()), ..Way::default() };
    Client::spawn(config)
}

/// A request over TLS, and the answer to it.
async fn ask(server: &Server, pair: &Pair, request: &str) -> String {
    let stream = TcpStream::connect(("127.0.0.1", server.port)).await.unwrap();
    let connector = Trust::file(&pair.certificate()).unwrap().connector();
    let mut stream = connector.connect(server_name("localhost").unwrap(), stream).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = vec![0; 4096];
    let read = timeout(PATIENCE, stream.read(&mut answer)).await.unwrap().unwrap();
    String::from_utf8_lossy(&answer[..read]).into_owned()
}

#[tokio::test]
async fn whoever_does_not_finish_the_handshake_is_cut_and_holds_nobody_up() {
    let pair = Pair::new("localhost");
    let config = Config { handshake_timeout: Duration::from_millis(1500), connections: 4, ..pair.config() };
    let server = Server::start(config).await;
    let mut silent = Vec::new();
    for begin in [&b""[..], b"\x16", b"\x16\x03\x01\x02\x00\x01"] {
        let mut stream = TcpStream::connect(("127.0.0.1", server.port)).await.unwrap();
        stream.write_all(begin).await.unwrap();
        silent.push(stream);
    }
    // Meanwhile there is room for one.
    let (_alice, mut events) = client(&server, "/v1/ws", &pair.certificate());
    assert!(matches!(event(&mut events).await, Event::Up { .. }));
    for stream in &mut silent {
        let read = timeout(PATIENCE, stream.read(&mut [0; 64])).await.unwrap();
        assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn limits_by_address_hold_under_tls_and_so_do_the_other_routes() {
    let pair = Pair::new("localhost");
    let server = Server::start(Config { connections_per_address: 1, ..pair.config() }).await;
    let (_alice, mut events) = client(&server, "", &pair.certificate());
    assert!(matches!(event(&mut events).await, Event::Up { .. }));
    let upgrade = "GET /v1/ws HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
        sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
    let answer = ask(&server, &pair, upgrade).await;
    assert!(answer.starts_with("HTTP/1.1 429 "), "{answer}");
    let answer = ask(&server, &pair, "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("\"sessions\":1"), "{answer}");
    server.stop().await;
}

#[tokio::test]
async fn a_certificate_that_is_not_accepted_ends_the_first_attempt() {
    let stranger = Pair::new("localhost");
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2020, 12, 31));
    let (expired, wrong) = (Pair::made(params), Pair::new("other.example"));
    for (pair, trusted, sentence) in [
        (&stranger, &wrong, "--ca-file"),
        (&expired, &expired, "has expired"),
        (&wrong, &wrong, "is for other.example, not for localhost"),
    ] {
        // Asked for the document first, and asked for the WebSocket at once.
        for path in ["", "/v1/ws"] {
            let server = Server::start(pair.config()).await;
            let (_alice, mut events) = client(&server, path, &trusted.certificate());
            let refused = event(&mut events).await;
            let Event::Refused { code: Refusal::Certificate, message } = &refused else {
                panic!("{refused:?}")
            };
            assert!(
                message.contains("the certificate of localhost") && message.contains(sentence),
                "{message}"
            );
            server.stop().await;
        }
    }
}

#[tokio::test]
async fn a_certificate_that_goes_bad_is_waited_out_by_who_was_connected() {
    let (good, bad) = (Pair::new("localhost"), Pair::new("localhost"));
    let server = Server::start(good.config()).await;
    let port = server.port;
    let (_alice, mut events) = client(&server, "/v1/ws", &good.certificate());
    assert!(matches!(event(&mut events).await, Event::Up { .. }));
    server.stop().await;
    let server = Server::start_on(port, bad.config()).await;
    let unknown = |event: &Event| matches!(event, Event::Down { reason, .. } if reason.contains("nobody that is trusted"));
    event_where(&mut events, unknown).await;
    server.stop().await;
    let server = Server::start_on(port, good.config()).await;
    event_where(&mut events, |event| matches!(event, Event::Up { .. })).await;
    server.stop().await;
}

#[tokio::test]
async fn a_client_without_tls_is_told_that_it_needs_some() {
    let pair = Pair::new("localhost");
    let server = Server::start(pair.config()).await;
    for path in ["", "/v1/ws"] {
        let mut config = server.client_config("alice", key("alice"));
        config.server = format!("ws://127.0.0.1:{}{path}", server.port).parse().unwrap();
        let (_alice, mut events) = Client::spawn(config);
        let refused = event(&mut events).await;
        let Event::Refused { message, .. } = &refused else { panic!("{refused:?}") };
        assert!(message.contains("speaks TLS only"), "{message}");
    }
    server.stop().await;
}
