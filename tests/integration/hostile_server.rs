//! A signaling server that does not keep to its own rules: the client must not lean on it for consent.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ed25519_dalek::{Signer as _, SigningKey};
use futures_util::{SinkExt as _, StreamExt as _};
use letsmeet::media::pipeline::{Bandwidth, Kind};
use letsmeet::media::rtp::RtpPacket;
use letsmeet::rtc::{self, Candidate, Inbound, Peer};
use letsmeet::signaling::protocol::{Key, Signature};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::harness::{Home, MEASURED, Outcome, Process, SOON};

const CALL: &str = "00112233445566778899aabbccddeeff";
const SECOND: &str = "ffeeddccbbaa99887766554433221100";
const SESSION: &str = "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1";

/// Takes no media: the offer is all that is wanted of this peer.
struct Nowhere;

impl Inbound for Nowhere {
    fn rtp(&self, _: Kind, _: RtpPacket) {}
    fn sender_report(&self, _: Kind, _: u64, _: u32, _: Instant) {}
    fn keyframe_requested(&self) {}
    fn bandwidth(&self, _path: Bandwidth) -> f64 {
        0.0
    }
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

/// A client that has logged in to us under this name.
async fn logged_in(listener: &TcpListener, name: &str) -> Client {
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
            json!({"type": "registered", "name": name, "session": "b2".repeat(16), "resume": "c3".repeat(16),
            "resumed": false, "calls": [], "ice_servers": [], "heartbeat_ms": 15000}),
        )
        .await;
    client
}

/// Bob, whom nobody answers for, logged in to us.
async fn bob_who_is_asked(home: &Home) -> (Client, Process) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/v1/ws", listener.local_addr().unwrap());
    let args = ["login", "--name", "bob", "--server", &url, "--headless", "--answer", "ask"];
    let bob = home.start(&[&args[..], &MEASURED].concat());
    (logged_in(&listener, "bob").await, bob)
}

#[test]
fn an_offer_that_comes_before_the_callee_accepted_is_not_answered() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let home = Home::new();
        let (mut server, mut bob) = bob_who_is_asked(&home).await;

        let mallory = key(9);
        let key = public(&mallory);
        let incoming = |call: &str| {
            json!({"type": "incoming", "call": call, "from": "alice", "from_key": key, "from_session": SESSION})
        };
        server.say(incoming(CALL)).await;
        server.until("ringing").await;

        let (peer, _events) = Peer::new(rtc::Config::default(), Arc::new(Nowhere)).await.unwrap();
        let sdp = peer.offer(false).await.unwrap();
        let signature = signed(&mallory, CALL, "offer", &rtc::fingerprint(&sdp).unwrap());
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

#[test]
fn whoever_took_files_is_neither_seen_nor_heard() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let home = Home::new();
        let (mut server, mut bob) = bob_who_is_asked(&home).await;
        let mallory = key(9);
        server
            .say(json!({"type": "incoming", "call": CALL, "from": "alice", "from_key": public(&mallory),
                "from_session": SESSION, "files": true}))
            .await;
        server.until("ringing").await;
        bob.wait_where("incoming", SOON, |event| event.fields["files"] == true);
        bob.say(&json!({"command": "accept"}));
        server.until("accept").await;

        let (peer, _events) = Peer::new(rtc::Config::default(), Arc::new(Nowhere)).await.unwrap();
        let sdp = peer.offer(false).await.unwrap();
        let signature = signed(&mallory, CALL, "offer", &rtc::fingerprint(&sdp).unwrap());
        server
            .say(json!({"type": "description", "call": CALL, "from": SESSION, "kind": "offer", "sdp": sdp,
                "signature": signature}))
            .await;
        let seen = server.until("hangup").await;
        let answered = |message: &Value| message["type"] == "description" || message["type"] == "candidate";
        assert!(!seen.iter().any(answered), "{seen:#?}");
        let ended = bob.wait_for("ended", SOON);
        assert!(ended.text("message").contains("rang for files"), "{ended:#?}");
        peer.close(false).await;
        bob.signal(crate::harness::Signal::Terminate);
        tokio::time::timeout(Duration::from_secs(5), server.socket.close(None)).await.unwrap().unwrap();
    });
}

/// How a server that sits in between answers in bob's name.
#[derive(Debug, Clone, Copy)]
enum Trick {
    /// It gives a key of its own as bob's.
    OwnKey,
    /// Bob's key, and its own signature.
    OwnSignature,
    /// Bob's signature of another call.
    OtherCall,
    /// Bob's signature of an offer.
    OtherKind,
    /// Bob's signature of bob's own certificate.
    OtherCertificate,
    /// None: bob's key, and bob's signature of this certificate. Only bob could do that.
    None,
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn public(key: &SigningKey) -> Key {
    Key::from_bytes(key.verifying_key().to_bytes())
}

fn signed(key: &SigningKey, call: &str, kind: &str, fingerprint: &str) -> Signature {
    let statement = format!("letsmeet description v1\0{call}\n{kind}\n{fingerprint}");
    Signature::from_bytes(key.sign(statement.as_bytes()).to_bytes())
}

/// Alice, who knows bob's key, calls him over a server that answers itself. Says how it ended for her, and whether she was connected.
async fn called(trick: Trick) -> (Outcome, bool) {
    let (bob, mallory) = (key(5), key(9));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/v1/ws", listener.local_addr().unwrap());
    let home = Home::new();
    let known = serde_json::to_value(public(&bob)).unwrap();
    home.run(&["trust", "verify", "bob", known.as_str().unwrap(), "--name", "alice"]).expect_code(0);
    let args = ["call", "bob", "--name", "alice", "--server", &url, "--headless", "--duration", "1s"];
    let alice = home.start(&[&args[..], &MEASURED].concat());
    let mut server = logged_in(&listener, "alice").await;
    let invite = server.until("invite").await.pop().unwrap();
    let call = invite["call"].as_str().unwrap().to_owned();
    let shown = if matches!(trick, Trick::OwnKey) { &mallory } else { &bob };
    server
        .say(json!({"type": "accepted", "call": call, "by": "bob", "key": public(shown), "session": SESSION}))
        .await;
    let mut connected = false;
    if !matches!(trick, Trick::OwnKey) {
        let offer = server.until("description").await.pop().unwrap();
        let (peer, mut events) = Peer::new(rtc::Config::default(), Arc::new(Nowhere)).await.unwrap();
        let sdp = peer.answer(offer["sdp"].as_str().unwrap()).await.unwrap();
        peer.apply_local().await.unwrap();
        let own = rtc::fingerprint(&sdp).unwrap();
        let bobs = own.replace(|c: char| c.is_ascii_digit(), "0");
        let signature = match trick {
            Trick::OwnKey | Trick::OwnSignature => signed(&mallory, &call, "answer", &own),
            Trick::OtherCall => signed(&bob, SECOND, "answer", &own),
            Trick::OtherKind => signed(&bob, &call, "offer", &own),
            Trick::OtherCertificate => signed(&bob, &call, "answer", &bobs),
            Trick::None => signed(&bob, &call, "answer", &own),
        };
        let answer = json!({"type": "description", "call": call, "from": SESSION, "kind": "answer", "sdp": sdp,
            "signature": signature});
        server.say(answer).await;
        let reaching = reaches(&mut server, &peer, &mut events);
        connected = tokio::time::timeout(SOON, reaching).await.expect("connected, or hung up");
        peer.close(true).await;
    }
    let outcome = tokio::task::spawn_blocking(move || {
        // She waits for her server to say goodbye, or not.
        alice.finish(SOON + SOON)
    });
    drop(server);
    (outcome.await.unwrap(), connected)
}

/// Hands the caller's candidates to our peer until both are connected, or she gives up.
async fn reaches(server: &mut Client, peer: &Peer, events: &mut mpsc::Receiver<rtc::Event>) -> bool {
    loop {
        tokio::select! {
            Some(event) = events.recv() => {
                if event == rtc::Event::Connected {
                    return true;
                }
            }
            frame = server.socket.next() => {
                let Some(Ok(Message::Text(text))) = frame else { return false };
                let message: Value = serde_json::from_str(&text).unwrap();
                if message["type"] == "hangup" {
                    return false;
                }
                if message["type"] == "candidate" {
                    let candidate = Candidate {
                        candidate: message["candidate"].as_str().unwrap().to_owned(),
                        mid: message["mid"].as_str().unwrap().to_owned(),
                        mline: message["mline"].as_u64().unwrap().try_into().unwrap(),
                    };
                    peer.add_candidate(candidate).await.unwrap();
                }
            }
        }
    }
}

#[test]
fn a_server_that_swaps_keys_or_certificates_cannot_listen_in() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    for trick in
        [Trick::OwnKey, Trick::OwnSignature, Trick::OtherCall, Trick::OtherKind, Trick::OtherCertificate]
    {
        let (outcome, connected) = runtime.block_on(called(trick));
        assert!(!connected, "{trick:?}");
        let outcome = outcome.expect_code(8);
        let report = outcome.report();
        assert_eq!(report.call.end_reason.as_deref(), Some("identity-mismatch"), "{trick:?}: {report:#?}");
        assert_eq!((report.setup.connected_ms, report.send.video.frames_sent), (None, 0), "{trick:?}");
    }
    // Nothing but bob's key was missing.
    let (outcome, connected) = runtime.block_on(called(Trick::None));
    assert!(connected, "{outcome}");
}
