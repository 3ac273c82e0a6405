//! Every kind of bad input gets its error; the others go on.

use futures_util::SinkExt;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::super::{Admit, Config};
use super::harness::{Raw, SDP, Server, call, description, key};
use crate::signaling::protocol::{MAX_FRAME, MAX_SDP};

/// A server with two bystanders in a call, who are checked at the end.
struct Scene {
    server: Server,
    alice: Raw,
    bob: Raw,
    call: String,
}

impl Scene {
    async fn new() -> Scene {
        let server = Server::start(Config::default()).await;
        let (mut alice, mut bob) = (server.raw("alice").await, server.raw("bob").await);
        let call = call(0xab);
        alice.send(json!({ "type": "invite", "call": call, "to": "bob" })).await;
        bob.next().await;
        bob.send(json!({ "type": "accept", "call": call })).await;
        alice.next().await;
        Scene { server, alice, bob, call }
    }

    /// The bystanders heard nothing and can go on.
    async fn end(mut self) {
        self.alice.send(description(&self.call, SDP)).await;
        assert_eq!(self.bob.next().await["type"], "description");
        self.bob.is_fine().await;
        self.alice.is_fine().await;
        self.server.stop().await;
    }
}

#[tokio::test]
async fn nonsense_is_answered_and_the_connection_goes_on() {
    let scene = Scene::new().await;
    let mut eve = scene.server.raw("eve").await;
    let id = call(1);
    for (text, code) in [
        ("", "malformed"),
        ("{", "malformed"),
        ("null", "malformed"),
        ("[]", "malformed"),
        ("42", "malformed"),
        ("{}", "malformed"),
        (r#"{"type":null}"#, "malformed"),
        (r#"{"type":"steal"}"#, "unknown-type"),
        (r#"{"type":"list","limit":-1}"#, "malformed"),
        (r#"{"type":"list","colour":"red"}"#, "malformed"),
        (r#"{"type":"list","type":"list"}"#, "malformed"),
        (r#"{"type":"accept","call":"ABCDEF00000000000000000000000000"}"#, "malformed"),
        (r#"{"type":"accept","call":"00"}"#, "malformed"),
        (r#"{"type":"watch","names":["\u001b[31m"]}"#, "bad-name"),
        (r#"{"type":"watch","names":"bob"}"#, "malformed"),
    ] {
        eve.send_text(text.to_owned()).await;
        assert_eq!(eve.error().await, code, "{text}");
    }
    let deep = "[".repeat(30_000);
    eve.send_text(deep).await;
    assert_eq!(eve.error().await, "malformed");
    eve.send(json!({ "type": "list", "colour": 1, "seq": 9 })).await;
    assert_eq!(eve.next().await["re"], 9);
    assert_eq!(eve.refused(json!({ "type": "accept", "call": id })).await, "unknown-call");
    assert_eq!(eve.refused(json!({ "type": "invite", "call": id, "to": "" })).await, "bad-name");
    assert_eq!(
        eve.refused(json!({ "type": "invite", "call": scene.call, "to": "bob" })).await,
        "call-exists"
    );
    let names: Vec<String> = (0..101).map(|i| format!("n{i}")).collect();
    assert_eq!(eve.refused(json!({ "type": "watch", "names": names })).await, "too-many-watched");
    eve.is_fine().await;
    scene.end().await;
}

#[tokio::test]
async fn descriptions_and_candidates_that_are_none_go_nowhere() {
    let mut scene = Scene::new().await;
    let call = scene.call.clone();
    for sdp in ["", "hello", "v=0", "v=0\r\n\u{1b}[2J", "v=0\r\n\0"] {
        assert_eq!(scene.alice.refused(description(&call, sdp)).await, "bad-description");
    }
    let long = format!("v=0\r\n{}", "a".repeat(MAX_SDP));
    assert_eq!(scene.alice.refused(description(&call, &long)).await, "bad-description");
    let candidate = |text: &str, mid: &str| -> Value {
        json!({ "type": "candidate", "call": call, "candidate": text, "mid": mid, "mline": 0 })
    };
    let long = format!("candidate:{}", "1".repeat(2000));
    for text in ["nonsense", "candidate:", "candidate:1 1 udp x 1.2.3.4 5 typ host", &long, "candidate:1\n"] {
        assert_eq!(scene.alice.refused(candidate(text, "0")).await, "bad-candidate", "{text}");
    }
    assert_eq!(scene.alice.refused(candidate("", "\u{202e}")).await, "bad-candidate");
    scene.end().await;
}

#[tokio::test]
async fn frames_that_end_a_connection_say_why_first() {
    let scene = Scene::new().await;
    let mut big = scene.server.raw("big").await;
    big.send_text(format!(r#"{{"type":"list","query":"{}"}}"#, "x".repeat(1 << 20))).await;
    assert_eq!(big.error().await, "too-large");
    big.is_closed().await;
    let mut exact = scene.server.raw("exact").await;
    exact.send_text(format!("{}{{}}", " ".repeat(MAX_FRAME - 2))).await;
    assert_eq!(exact.error().await, "malformed");
    exact.is_fine().await;
    let mut binary = scene.server.raw("binary").await;
    binary.socket.send(Message::binary(vec![0, 1, 2])).await.unwrap();
    assert_eq!(binary.error().await, "binary");
    binary.is_closed().await;
    let mut again = scene.server.raw("again").await;
    assert_eq!(
        again
            .refused(json!({ "type": "login", "protocol": 1, "name": "x", "key": "A".repeat(43),
        "signature": "A".repeat(86) }))
            .await,
        "wrong-order"
    );
    again.is_fine().await;
    scene.end().await;
}

#[tokio::test]
async fn logins_that_are_not_right_are_refused() {
    let scene = Scene::new().await;
    let server = &scene.server;

    let mut first = server.connect().await;
    first.next().await;
    assert_eq!(first.refused(json!({ "type": "list" })).await, "wrong-order");
    first.is_closed().await;

    // A login that was overheard does not work on another connection.
    let mut overheard = server.connect().await;
    let login = overheard.login("mallory", &key("mallory")).await;
    let mut replay = server.connect().await;
    replay.next().await;
    assert_eq!(replay.refused(login.clone()).await, "bad-signature");
    replay.is_closed().await;
    overheard.send(login).await;
    assert_eq!(overheard.next().await["type"], "registered");

    // A name belongs to its first key in every spelling.
    for name in ["bob", "BOB", "\u{ff22}ob"] {
        let mut thief = server.connect().await;
        // What is signed is the normalised name.
        let mut login = thief
            .login(
                if name == "bob" {
                    "bob"
                } else if name == "BOB" {
                    "BOB"
                } else {
                    "Bob"
                },
                &key("thief"),
            )
            .await;
        login["name"] = json!(name);
        assert_eq!(thief.refused(login).await, "name-taken", "{name}");
        thief.is_closed().await;
    }

    for name in [
        "",
        "a b",
        "\u{1b}[2Jx",
        "a\u{200b}b",
        "a\u{202e}b",
        "a\u{200d}b",
        "a@b",
        "\u{feff}",
        "x\n",
        "\u{2066}x",
        "😀",
        &"x".repeat(65),
    ] {
        let mut bad = server.connect().await;
        let login = bad.login(name, &key("bad")).await;
        assert_eq!(bad.refused(login).await, "bad-name", "{name:?}");
        bad.is_closed().await;
    }

    let mut other = server.connect().await;
    let mut login = other.login("other", &key("other")).await;
    login["protocol"] = json!(2);
    assert_eq!(other.refused(login).await, "protocol-version");
    let mut zero = server.connect().await;
    let mut login = zero.login("zero", &key("zero")).await;
    login["key"] = json!("A".repeat(43));
    assert_eq!(zero.refused(login).await, "bad-signature");
    scene.end().await;
}

#[tokio::test]
async fn names_of_the_world_are_welcome() {
    let server = Server::start(Config::default()).await;
    for name in ["Jürgen", "李小龙", "Ольга", "علي", "שרה", "Ωμέγα", "o'brien", "日本語"]
    {
        server.raw(name).await.is_fine().await;
    }
    server.stop().await;
}

#[tokio::test]
async fn a_token_and_an_allow_list_keep_others_out() {
    let dora = crate::signaling::protocol::Key::from_bytes(key("dora").verifying_key().to_bytes());
    let config = Config {
        token: Some("open sesame".to_owned()),
        allow: vec!["Alice".parse().unwrap(), Admit::Key(dora)],
        ..Config::default()
    };
    let server = Server::start(config).await;
    for (name, token, expected) in [
        ("alice", None, "bad-token"),
        ("alice", Some("open"), "bad-token"),
        ("eve", Some("open sesame"), "not-allowed"),
        ("ALICE", Some("open sesame"), "registered"),
        ("dora", Some("open sesame"), "registered"),
    ] {
        let mut raw = server.connect().await;
        let mut login = raw.login(name, &key(name)).await;
        if let Some(token) = token {
            login["token"] = json!(token);
        }
        raw.send(login).await;
        let answer = raw.next().await;
        let said = answer["code"].as_str().or(answer["type"].as_str()).unwrap();
        assert_eq!(said, expected, "{name}");
    }
    server.stop().await;
}
