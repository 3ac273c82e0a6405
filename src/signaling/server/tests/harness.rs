//! A server on port 0, raw sockets that speak JSON, and clients of the real actor.

use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::{Signer as _, SigningKey};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use tokio_util::sync::CancellationToken;

use super::super::{Config, Error, serve};
use crate::signaling::client::{self, Client, Event, Signer};
use crate::signaling::protocol::{Name, ServerMessage, login_bytes, parse_server};

/// Nothing here takes as long, unless it is broken.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

pub(super) struct Server {
    pub(super) port: u16,
    stop: CancellationToken,
    done: JoinHandle<Result<(), Error>>,
}

impl Server {
    pub(super) async fn start(config: Config) -> Server {
        Server::start_on(0, config).await
    }

    pub(super) async fn start_on(port: u16, config: Config) -> Server {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let stop = CancellationToken::new();
        let done = tokio::spawn(serve(listener, config, stop.clone()));
        Server { port, stop, done }
    }

    pub(super) async fn stop(self) {
        self.stop.cancel();
        timeout(PATIENCE, self.done).await.unwrap().unwrap().unwrap();
    }

    /// A client of the real actor, already up.
    pub(super) async fn client(&self, name: &str) -> (Client, mpsc::Receiver<Event>) {
        let (client, mut events) = Client::spawn(self.client_config(name, key(name)));
        let up = event(&mut events).await;
        assert!(matches!(up, Event::Up { .. }), "{up:?}");
        (client, events)
    }

    pub(super) fn client_config(&self, name: &str, key: SigningKey) -> client::Config {
        let server = format!("127.0.0.1:{}", self.port).parse().unwrap();
        let mut config = client::Config::new(server, Name::new(name).unwrap(), Arc::new(TestKey(key)));
        config.backoff.first = Duration::from_millis(20);
        config.backoff.most = Duration::from_millis(100);
        config
    }

    /// A socket that has not logged in and has not read the challenge.
    pub(super) async fn connect(&self) -> Raw {
        let url = format!("ws://127.0.0.1:{}/v1/ws", self.port);
        let (socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
        Raw { socket }
    }

    /// A socket that is logged in.
    pub(super) async fn raw(&self, name: &str) -> Raw {
        self.raw_with(name, &key(name)).await
    }

    pub(super) async fn raw_with(&self, name: &str, key: &SigningKey) -> Raw {
        let mut raw = self.connect().await;
        let login = raw.login(name, key).await;
        raw.send(login).await;
        let registered = raw.next().await;
        assert_eq!(registered["type"], "registered", "{registered}");
        raw
    }
}

struct TestKey(SigningKey);

impl Signer for TestKey {
    fn public_key(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }
    fn sign(&self, context: &str, message: &[u8]) -> [u8; 64] {
        let bytes = [format!("letsmeet {context} v1\0").as_bytes(), message].concat();
        self.0.sign(&bytes).to_bytes()
    }
}

/// The key of a name, the same each time.
pub(super) fn key(name: &str) -> SigningKey {
    SigningKey::from_bytes(blake3::hash(name.as_bytes()).as_bytes())
}

pub(super) async fn event(events: &mut mpsc::Receiver<Event>) -> Event {
    timeout(PATIENCE, events.recv()).await.unwrap().unwrap()
}

/// The next event that is wanted; others in between are dropped.
pub(super) async fn event_where(
    events: &mut mpsc::Receiver<Event>,
    wanted: impl Fn(&Event) -> bool,
) -> Event {
    loop {
        let event = event(events).await;
        if wanted(&event) {
            return event;
        }
    }
}

pub(super) struct Raw {
    pub(super) socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Raw {
    /// Reads the challenge and makes the login for it.
    pub(super) async fn login(&mut self, name: &str, key: &SigningKey) -> Value {
        let challenge = self.next_message().await;
        let ServerMessage::Challenge { nonce, server, .. } = challenge else {
            panic!("no challenge: {challenge:?}");
        };
        let signature = key.sign(&login_bytes(&nonce, &server, name)).to_bytes();
        json!({
            "type": "login",
            "protocol": 1,
            "name": name,
            "key": crate::signaling::protocol::Key::from_bytes(key.verifying_key().to_bytes()),
            "signature": crate::signaling::protocol::Signature::from_bytes(signature),
        })
    }

    pub(super) async fn send(&mut self, message: Value) {
        self.send_text(message.to_string()).await;
    }

    pub(super) async fn send_text(&mut self, text: String) {
        self.socket.send(Message::text(text)).await.unwrap();
    }

    pub(super) async fn next(&mut self) -> Value {
        self.try_next().await.expect("the server closed the connection")
    }

    pub(super) async fn next_message(&mut self) -> ServerMessage {
        parse_server(&self.next().await.to_string()).unwrap()
    }

    /// The next text, or none when the connection is closed.
    pub(super) async fn try_next(&mut self) -> Option<Value> {
        loop {
            match timeout(PATIENCE, self.socket.next()).await.expect("the server says nothing") {
                Some(Ok(Message::Text(text))) => {
                    parse_server(&text).expect("the server keeps to its protocol");
                    return Some(serde_json::from_str(&text).unwrap());
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }

    /// Sends something and returns the `code` of the error that comes back.
    pub(super) async fn refused(&mut self, message: Value) -> String {
        self.send(message).await;
        self.error().await
    }

    pub(super) async fn error(&mut self) -> String {
        let answer = self.next().await;
        assert_eq!(answer["type"], "error", "{answer}");
        assert!(!answer["message"].as_str().unwrap().is_empty());
        answer["code"].as_str().unwrap().to_owned()
    }

    /// The server has ended the connection.
    pub(super) async fn is_closed(&mut self) {
        assert_eq!(self.try_next().await, None);
    }

    /// Everything sent so far was carried out without a word.
    pub(super) async fn is_fine(&mut self) {
        self.send(json!({ "type": "state", "state": "available", "seq": 4242 })).await;
        assert_eq!(self.next().await, json!({ "type": "ok", "re": 4242 }));
    }
}

pub(super) fn call(byte: u8) -> String {
    format!("{byte:02x}").repeat(16)
}

pub(super) const SDP: &str = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n";

pub(super) fn description(call: &str, sdp: &str) -> Value {
    json!({
        "type": "description", "call": call, "kind": "offer", "sdp": sdp, "signature": "A".repeat(86)
    })
}
