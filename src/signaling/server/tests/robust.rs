//! Slow readers, floods, limits, silence, HTTP and the end of the server.

use std::time::Duration;

use futures_util::SinkExt;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use super::super::{Config, Rate};
use super::harness::{PATIENCE, SDP, Server, call, description, event, event_where, key};
use crate::signaling::client::{Client, Event, Refusal};
use crate::signaling::protocol::ErrorCode;

#[tokio::test]
async fn a_slow_reader_is_cut_and_holds_nobody_up() {
    let rate = Rate { per_second: 1e6, burst: 1e6 };
    let server = Server::start(Config { messages: rate, ..Config::default() }).await;
    let (mut alice, mut bob) = (server.raw("alice").await, server.raw("bob").await);
    let (mut carol, mut dave) = (server.raw("carol").await, server.raw("dave").await);
    for (a, b, id) in [(&mut alice, &mut bob, call(1)), (&mut carol, &mut dave, call(2))] {
        let callee = if id == call(1) { "bob" } else { "dave" };
        a.send(json!({ "type": "invite", "call": id, "to": callee })).await;
        b.next().await;
        b.send(json!({ "type": "accept", "call": id })).await;
        a.next().await;
    }
    // Bob reads nothing: the kernel's buffers fill, then the queue, and then his connection is cut.
    let heavy = description(&call(1), &format!("{SDP}{}", "a".repeat(40_000)));
    let light = description(&call(2), SDP);
    let cut = loop {
        alice.send(heavy.clone()).await;
        carol.send(light.clone()).await;
        assert_eq!(dave.next().await["type"], "description");
        alice.send(json!({ "type": "state", "state": "available", "seq": 1 })).await;
        let answer = alice.next().await;
        if answer["type"] != "ok" {
            break answer;
        }
    };
    assert!(cut["code"] == "peer-away" || cut["type"] == "peer-signaling", "{cut}");
    // His session is still there and may be taken up again; carol and dave never noticed.
    dave.is_fine().await;
    carol.is_fine().await;
    drop(bob);
    server.stop().await;
}

#[tokio::test]
async fn a_flood_is_told_and_then_cut() {
    let rate = Rate { per_second: 0.001, burst: 20.0 };
    let server = Server::start(Config { messages: rate, ..Config::default() }).await;
    let mut alice = server.raw("alice").await;
    let mut bob = server.raw("bob").await;
    for seq in 0..600 {
        let flood = json!({ "type": "state", "state": "away", "seq": seq }).to_string();
        if alice.socket.send(Message::text(flood)).await.is_err() {
            break;
        }
    }
    let mut codes = Vec::new();
    while let Some(answer) = alice.try_next().await {
        codes.push(answer["code"].as_str().unwrap_or("ok").to_owned());
    }
    assert_eq!(codes.iter().filter(|c| *c == "ok").count(), 20);
    assert!(codes.iter().any(|c| c == "rate-limited"), "{codes:?}");
    bob.is_fine().await;
    server.stop().await;
}

#[tokio::test]
async fn limits_on_sessions_calls_names_and_addresses_are_told() {
    let mut config = Config::default();
    config.bounds.sessions_per_name = 2;
    config.bounds.pending_calls = 2;
    config.names = 3;
    config.connections_per_address = 6;
    let server = Server::start(config).await;
    let mut alice = server.raw("alice").await;
    let _second = server.raw("alice").await;
    let mut third = server.connect().await;
    let login = third.login("alice", &key("alice")).await;
    assert_eq!(third.refused(login).await, "too-many-sessions");
    third.is_closed().await;
    let _bob = server.raw("bob").await;
    let _carol = server.raw("carol").await;
    let mut dave = server.connect().await;
    let login = dave.login("dave", &key("dave")).await;
    assert_eq!(dave.refused(login).await, "too-many-names");
    dave.is_closed().await;
    for byte in [1, 2] {
        alice.send(json!({ "type": "invite", "call": call(byte), "to": "bob" })).await;
    }
    assert_eq!(
        alice.refused(json!({ "type": "invite", "call": call(3), "to": "carol" })).await,
        "too-many-calls"
    );

    let mut idle = Vec::new();
    let refused = loop {
        match tokio_tungstenite::connect_async(format!("ws://127.0.0.1:{}/v1/ws", server.port)).await {
            Ok(socket) => idle.push(socket),
            Err(tokio_tungstenite::tungstenite::Error::Http(response)) => break response.status(),
            Err(error) => panic!("{error}"),
        }
        assert!(idle.len() < 10);
    };
    assert_eq!(refused, 429);
    server.stop().await;
}

#[tokio::test]
async fn sockets_that_say_nothing_are_ended() {
    let config = Config {
        handshake_timeout: Duration::from_millis(200),
        login_timeout: Duration::from_millis(200),
        heartbeat: Duration::from_millis(150),
        ..Config::default()
    };
    let server = Server::start(config).await;
    // A header that dribbles.
    let mut dribble = TcpStream::connect(("127.0.0.1", server.port)).await.unwrap();
    dribble.write_all(b"GET /v1/ws HTTP/1.1\r\nHost").await.unwrap();
    let mut rest = Vec::new();
    timeout(PATIENCE, dribble.read_to_end(&mut rest)).await.unwrap().unwrap();
    // No login.
    let mut mute = server.connect().await;
    mute.next().await;
    assert_eq!(mute.error().await, "login-timeout");
    mute.is_closed().await;
    // Logged in, but pings are not answered, because nobody reads the socket.
    let mut watcher = server.raw("watcher").await;
    let dead = server.raw("dead").await;
    watcher.send(json!({ "type": "watch", "names": ["dead"] })).await;
    assert_eq!(watcher.next().await["changes"][0]["state"], "available");
    assert_eq!(watcher.next().await["changes"][0]["state"], "offline");
    drop(dead);
    server.stop().await;
}

#[tokio::test]
async fn http_answers_and_origins_are_checked() {
    let server = Server::start(Config::default()).await;
    let get = async |path: &str, extra: &str| -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", server.port)).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n{extra}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        timeout(PATIENCE, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
        answer
    };
    let health = get("/healthz", "").await;
    assert!(health.starts_with("HTTP/1.1 200") && health.contains(r#""status":"ok""#), "{health}");
    let known = get("/.well-known/letsmeet", "").await;
    assert!(known.contains(r#"{"ws":"/v1/ws","protocols":[1]}"#), "{known}");
    assert!(get("/nothing", "").await.starts_with("HTTP/1.1 404"));
    assert!(get("/v1/ws", "").await.starts_with("HTTP/1.1 426"));
    let page = "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: https://evil.example\r\n";
    assert!(get("/v1/ws", page).await.starts_with("HTTP/1.1 403"));
    assert!(get("/v1/ws", &format!("X: {}\r\n", "y".repeat(20_000))).await.starts_with("HTTP/1.1 431"));
    server.stop().await;
}

#[tokio::test]
async fn a_shutdown_says_bye_and_clients_come_back() {
    let server = Server::start(Config::default()).await;
    let port = server.port;
    let mut raw = server.raw("raw").await;
    let (_alice, mut events) = server.client("alice").await;
    server.stop().await;
    let bye = raw.next().await;
    assert_eq!(bye["type"], "bye");
    raw.is_closed().await;
    let down = event(&mut events).await;
    let Event::Down { reason, retry_in } = down else { panic!("{down:?}") };
    assert!(reason.contains("stopping") && retry_in > Duration::ZERO, "{reason} {retry_in:?}");
    let server = Server::start_on(port, Config::default()).await;
    event_where(&mut events, |e| matches!(e, Event::Up { .. })).await;
    server.stop().await;
}

#[tokio::test]
async fn a_refusal_for_good_stops_the_client() {
    let server = Server::start(Config { token: Some("x".to_owned()), ..Config::default() }).await;
    let (client, mut events) = Client::spawn(server.client_config("alice", key("alice")));
    let refused = event(&mut events).await;
    assert!(
        matches!(refused, Event::Refused { code: Refusal::Server(ErrorCode::BadToken), .. }),
        "{refused:?}"
    );
    assert_eq!(timeout(PATIENCE, events.recv()).await.unwrap(), None);
    assert!(client.list(None, None, None).await.is_err());
    server.stop().await;
}

#[tokio::test]
async fn the_public_host_is_part_of_what_is_signed() {
    let config = Config { public_host: Some("calls.example".to_owned()), ..Config::default() };
    let server = Server::start(config).await;
    server.raw("alice").await.is_fine().await;
    let (_client, mut events) = Client::spawn(server.client_config("bob", key("bob")));
    let refused = event(&mut events).await;
    let Event::Refused { message, .. } = &refused else { panic!("{refused:?}") };
    assert!(message.contains("calls.example"), "{message}");
    server.stop().await;
}
