//! A spoken text over a link of 40 ms with jitter and loss: what arrives is judged by PESQ, and how late it comes.
//! The floors at 5, 10 and 20 % are under the aims (3.3, 2.8 and 2.2), for losses that fall badly; docs/voice.md has the figures.

use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use crate::harness::network::{Network, SERVER};
use crate::harness::pesq::{median, scores};
use crate::harness::{SOON, Server, bob, call_bob, data};

/// 40 ms one way, give or take 10 in order: what a good connection across a continent does.
const FAR: [&str; 5] = ["delay", "alice", "40", "10", "keep_order=1"];

/// The scores of all that was heard on both sides of a call of 34 s at `loss` per cent each way, the text again and again.
fn heard_at(loss: &str) -> Vec<f64> {
    heard(&["loss", "alice", loss], None, false).0
}

/// The same over a link that is as told, from when alice has signed in on if she does so `before`, while she sends a file if there is one;
/// and how many bytes of it arrived.
fn heard(link: &[&str], file: Option<&Path>, before: bool) -> (Vec<f64>, f64) {
    let network = Network::up(&["alice=none", "bob=none"]);
    network.natlab(&FAR);
    let server = Server::start_in(network.home("srv"), &format!("{SERVER}:0"));
    let (bob_home, home) = (network.home("bob"), network.home("alice"));
    let folder = TempDir::with_prefix("letsmeet-voice-").unwrap();
    let talk = data("talk.wav");
    let audio = format!("file:{}", talk.display());
    let recordings = ["alice.wav", "bob.wav"].map(|name| folder.path().join(name));
    let [hear, bob_hear] = recordings.each_ref().map(|path| format!("file:{}", path.display()));
    let common = ["--server", server.url(), "--headless", "--video", "none", "--audio", &audio];
    let mut args =
        vec!["login", "--name", "bob", "--answer", "accept", "--accept-files", "--hear", &bob_hear];
    args.extend(common);
    let mut bob = bob_home.start(&args);
    bob.wait_for("registered", SOON);
    if !before {
        network.natlab(link);
    }
    let mut args = vec!["call", "bob", "--name", "alice", "--duration", "34s", "--hear", &hear];
    args.extend(common);
    let mut alice = home.start(&args);
    if before {
        alice.wait_for("registered", SOON);
        network.natlab(link);
    }
    if let Some(file) = file {
        alice.wait_for("connected", SOON);
        alice.say(&serde_json::json!({"command": "send-file", "path": file}));
    }
    let alice = alice.finish(Duration::from_secs(75)).expect_code(0);
    let sent = alice.events().iter().filter_map(|event| event.number("bytes")).fold(0.0, f64::max);
    bob.wait_for_report();
    let score = |path: &Path| scores(&talk, path);
    let all: Vec<f64> = recordings.iter().flat_map(|path| score(path)).collect();
    assert!(all.len() >= 4, "two repetitions on each side: {all:?}");
    (all, sent)
}

#[test]
fn a_voice_over_a_link_without_loss_is_as_good_as_new() {
    let all = heard_at("0");
    eprintln!("PESQ-WB at 0 % loss each way: {all:.2?}");
    assert!(median(all.clone()) >= 4.2, "{all:.2?}");
}

#[test]
fn a_file_beside_a_voice_does_not_make_it_worse() {
    let folder = TempDir::with_prefix("letsmeet-beside-").unwrap();
    let path = folder.path().join("large");
    std::fs::File::create(&path).and_then(|file| file.set_len(1 << 30)).unwrap();
    for link in [&["loss", "alice", "0"][..], &["rate", "alice", "2mbit"]] {
        let (without, _) = heard(link, None, false);
        let (beside, sent) = heard(link, Some(&path), false);
        eprintln!(
            "PESQ-WB with {link:?}: {without:.2?}; beside {:.1} MB of a file: {beside:.2?}",
            sent / 1e6
        );
        assert!(sent > 0.0, "the file was under way");
        assert!(median(beside.clone()) >= median(without) - 0.2, "{beside:.2?}");
    }
}

#[test]
fn a_voice_at_five_per_cent_loss_is_good() {
    let all = heard_at("5");
    eprintln!("PESQ-WB at 5 % loss each way: {all:.2?}");
    assert!(median(all.clone()) >= 2.8, "{all:.2?}");
}

#[test]
fn a_voice_at_ten_per_cent_loss_is_fair() {
    let all = heard_at("10");
    eprintln!("PESQ-WB at 10 % loss each way: {all:.2?}");
    assert!(median(all.clone()) >= 2.4, "{all:.2?}");
}

#[test]
fn a_voice_at_twenty_per_cent_loss_is_understood() {
    // A TCP connection to the server may take longer over such a link than a login may.
    let (all, _) = heard(&["loss", "alice", "20"], None, true);
    eprintln!("PESQ-WB at 20 % loss each way: {all:.2?}");
    assert!(median(all.clone()) >= 1.9, "{all:.2?}");
}

#[test]
fn from_mouth_to_ear_is_less_than_150_ms() {
    let network = Network::up(&["alice=none", "bob=none"]);
    network.natlab(&FAR);
    let server = Server::start_in(network.home("srv"), &format!("{SERVER}:0"));
    let (bob_home, home) = (network.home("bob"), network.home("alice"));
    let mut bob = bob(&server, &bob_home, "accept");
    let alice =
        call_bob(&server, &home, &["--duration", "15s"]).finish(Duration::from_secs(45)).expect_code(0);
    for report in [alice.report(), bob.wait_for_report()] {
        let latency = &report.receive.audio.latency_ms;
        eprintln!("mouth to ear: {latency:?}");
        assert!(latency.p50.is_some_and(|p50| p50 < 150.0), "{report:#?}");
    }
}
