//! A signaling server that does not keep to its own rules: the client must not lean on it for consent.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ed25519_dalek::{Signer as _, SigningKey};
use futures_util::{SinkExt as _, StreamExt as _};
use letsmeet::media::pipeline::Kind;
use letsmeet::media::rtp::RtpPacket;
use letsmeet::rtc::{self, Inbound, Peer};
use letsmeet::signaling::protocol::{Key, Signature};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::harness::{Home, MEASURED, SOON};

const CALL: &str = "00112233445566778899aabbccddeeff";
const SECOND: &str = "ffeeddccbbaa99887766554433221100";
const SESSION: &str = "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1";

/// Takes no media: the offer is all that is wanted of this peer.
struct Nowhere;

impl Inbound for Nowhere {
    fn rtp(&self, _: Kind, _: RtpPacket) {}
    fn sender_report(&self, _: Kind, _: u64, _: u32, _: Instant) {}
    fn keyframe_requested(&self) {}
}

struct Client {
    socket: WebSocketStream<TcpStream>,
}

impl Client {
    async fn say(&mut self, message: Value) {
        self.socket.send(Message::text(message.to_string())).await.unwrap();
    }

    /// The next message of this type or one of the others named; everything before it is returned as well.
    async fn until(&mut self, kind: &str) -> Vec<Value> {
        let mut seen = Vec::new();
        loop {
            let frame = tokio::time::timeout(SOON, self.socket.next()).await.expect("a message in time");
            if let Message::Text(text) = frame.unwrap().unwrap() {
                seen.push(serde_json::from_str::<Value>(&text).unwrap());
                if seen.last().unwrap()["type"] == kind {
                    return seen;
                }
            }
        }
    }
}

/// A client that has logged in to us as bob.
async fn logged_in(listener: &TcpListener) -> Client {
    let (stream, _) = listener.accept().await.unwrap();
    let mut client = Client { socket: tokio_tungstenite::accept_async(stream).await.unwrap() };
    let limits = json!({"frame_bytes": 65536, "sdp_bytes": 49152, "candidate_bytes": 1024, "name_bytes": 64,
        "watched": 100, "page": 100, "messages_per_second": 50, "burst": 200, "pending_calls": 8});
    let nonce = Key::from_bytes([7; 32]);
    client
        .say(json!({"type": "challenge", "protocol": 1, "nonce": nonce, "server": "", "limits": limits}))
        .await;
    client.until("login").await;
    client
        .say(
            json!({"type": "registered", "name": "bob", "session": "b2".repeat(16), "resume": "c3".repeat(16),
            "resumed": false, "calls": [], "ice_servers": [], "heartbeat_ms": 15000}),
        )
        .await;
    client
}

#[test]
fn an_offer_that_comes_before_the_callee_accepted_is_not_answered() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}/v1/ws", listener.local_addr().unwrap());
        let home = Home::new();
        let mut args = vec!["login", "--name", "bob", "--server", &url, "--headless", "--answer", "ask"];
        args.extend(MEASURED);
        let mut bob = home.start(&args);
        let mut server = logged_in(&listener).await;

        let mallory = SigningKey::from_bytes(&[9; 32]);
        let key = Key::from_bytes(mallory.verifying_key().to_bytes());
        let incoming = |call: &str| {
            json!({"type": "incoming", "call": call, "from": "alice", "from_key": key, "from_session": SESSION})
        };
        server.say(incoming(CALL)).await;
        server.until("ringing").await;

        let (peer, _events) = Peer::new(rtc::Config::default(), Arc::new(Nowhere)).await.unwrap();
        let sdp = peer.offer(false).await.unwrap();
        let statement =
            format!("letsmeet description v1\0{CALL}\noffer\n{}", rtc::fingerprint(&sdp).unwrap());
        let signature = Signature::from_bytes(mallory.sign(statement.as_bytes()).to_bytes());
        let offer = json!({"type": "description", "call": CALL, "from": SESSION, "kind": "offer", "sdp": sdp,
            "signature": signature});
        server.say(offer.clone()).await;
        // A second call is declined as busy: by then the offer has been read.
        server.say(incoming(SECOND)).await;
        let seen = server.until("decline").await;
        let hasty = |message: &Value| message["type"] == "description" || message["type"] == "candidate";
        assert!(!seen.iter().any(hasty), "{seen:#?}");

        // The same offer, after consent, is answered: nothing but the consent was missing.
        bob.say(&json!({"command": "accept"}));
        let seen = server.until("accept").await;
        assert!(!seen.iter().any(hasty), "{seen:#?}");
        server.say(offer).await;
        let seen = server.until("description").await;
        assert_eq!(seen.last().unwrap()["kind"], "answer", "{seen:#?}");
        peer.close(false).await;
        bob.signal(crate::harness::Signal::Terminate);
        tokio::time::timeout(Duration::from_secs(5), server.socket.close(None)).await.unwrap().unwrap();
    });
}
