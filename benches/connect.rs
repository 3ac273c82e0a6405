//! How long two peers in one process take to connect over loopback, and what a connection costs.
//!
//! `cargo bench --bench connect -- [RUNS] [turn:HOST:PORT USER PASSWORD]`
//!
//! With a TURN server both sides use relayed candidates only.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use letsmeet::media::pipeline::{Bandwidth, Kind, Outlet};
use letsmeet::media::rtp::packet::RtpPacket;
use letsmeet::rtc::{Config, Event, IcePolicy, IceServer, Inbound, Peer};
use tokio::sync::mpsc;

/// Counts packets and notes when the first came.
struct Sink {
    started: Instant,
    first: AtomicU64,
    count: AtomicU64,
}

impl Inbound for Sink {
    fn rtp(&self, _kind: Kind, _packet: RtpPacket) {
        let after = self.started.elapsed().as_micros() as u64;
        let _ = self.first.compare_exchange(0, after.max(1), Ordering::Relaxed, Ordering::Relaxed);
        self.count.fetch_add(1, Ordering::Relaxed);
    }
    fn sender_report(&self, _kind: Kind, _ntp: u64, _rtp: u32, _arrived: Instant) {}
    fn keyframe_requested(&self) {}
    fn bandwidth(&self, _path: Bandwidth) -> f64 {
        0.0
    }
}

fn sink() -> Arc<Sink> {
    Arc::new(Sink { started: Instant::now(), first: AtomicU64::new(0), count: AtomicU64::new(0) })
}

fn packet(number: u16, size: usize) -> RtpPacket {
    RtpPacket {
        payload_type: 0,
        marker: true,
        sequence: number,
        timestamp: u32::from(number) * 960,
        ssrc: 0,
        payload: Bytes::from(vec![7; size]),
        arrived: Instant::now(),
    }
}

/// Forwards candidates from `from` to `to` until `from` says `wanted`.
async fn until(from: &mut mpsc::Receiver<Event>, to: &Peer, wanted: Event) {
    while let Some(event) = from.recv().await {
        if event == wanted {
            return;
        }
        if let Event::LocalCandidate(candidate) = event {
            to.add_candidate(candidate).await.unwrap();
        }
    }
    panic!("the peer ended before {wanted:?}");
}

struct Times {
    new: Duration,
    offer: Duration,
    answer: Duration,
    connected: Duration,
    first_packet: Duration,
    data: Duration,
}

async fn pair(config: &Config) -> (Times, Peer, Peer, Arc<Sink>) {
    let began = Instant::now();
    let (a, mut events_a) = Peer::new(config.clone(), sink()).await.unwrap();
    let sink_b = sink();
    let (b, mut events_b) = Peer::new(config.clone(), sink_b.clone() as Arc<dyn Inbound>).await.unwrap();
    let new = began.elapsed();
    let began = Instant::now();
    let offer = a.offer(false).await.unwrap();
    a.apply_local().await.unwrap();
    let offered = began.elapsed();
    let answer = b.answer(&offer).await.unwrap();
    b.apply_local().await.unwrap();
    let answered = began.elapsed();
    a.accept_answer(&answer).await.unwrap();
    tokio::join!(until(&mut events_a, &b, Event::Connected), until(&mut events_b, &a, Event::Connected));
    let connected = began.elapsed();
    let outlet = a.outlet();
    let mut number = 1;
    while sink_b.first.load(Ordering::Relaxed) == 0 {
        outlet.send(Kind::Audio, packet(number, 80));
        number += 1;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let first_packet = Duration::from_micros(sink_b.first.load(Ordering::Relaxed))
        .saturating_sub(began.duration_since(sink_b.started));
    until(&mut events_a, &b, Event::DataOpen).await;
    let data = began.elapsed();
    tokio::spawn(async move { while events_a.recv().await.is_some() {} });
    tokio::spawn(async move { while events_b.recv().await.is_some() {} });
    let times = Times { new, offer: offered, answer: answered, connected, first_packet, data };
    (times, a, b, sink_b)
}

fn line(name: &str, mut values: Vec<Duration>) {
    values.sort_unstable();
    let at = |share: usize| values[(values.len() - 1) * share / 100].as_secs_f64() * 1e3;
    println!("{name:<24} median {:7.2} ms   p95 {:7.2} ms   max {:7.2} ms", at(50), at(95), at(100));
}

fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after = stat.rsplit(')').next().unwrap();
    let words: Vec<&str> = after.split_whitespace().collect();
    let ticks: f64 = words[11].parse::<f64>().unwrap() + words[12].parse::<f64>().unwrap();
    ticks / 100.0
}

fn rss_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}

async fn measure(name: &str, config: &Config, runs: usize) {
    let mut all = Vec::new();
    for _ in 0..runs {
        let (times, a, b, _sink) = pair(config).await;
        tokio::join!(a.close(true), b.close(true));
        all.push(times);
    }
    println!("{name}, {runs} runs, from the call of offer()");
    line("  two Peer::new", all.iter().map(|t| t.new).collect());
    line("  offer applied", all.iter().map(|t| t.offer).collect());
    line("  answer applied", all.iter().map(|t| t.answer).collect());
    line("  both connected", all.iter().map(|t| t.connected).collect());
    line("  first packet arrived", all.iter().map(|t| t.first_packet).collect());
    line("  control channel open", all.iter().map(|t| t.data).collect());
}

async fn cost(config: &Config, seconds: u64) {
    let before = rss_mb();
    let (_, a, b, sink) = pair(config).await;
    let started = cpu();
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let idle = cpu() - started;
    let per_minute = 60.0 / seconds as f64 / 2.0;
    println!(
        "connected and silent: {:.3} CPU s a minute a peer, RSS {:.1} MB (before {before:.1} MB)",
        idle * per_minute,
        rss_mb()
    );
    let started = cpu();
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    let mut number = 100;
    let outlets: [Arc<dyn Outlet>; 2] = [a.outlet(), b.outlet()];
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(seconds) {
        ticks.tick().await;
        number += 1;
        for outlet in &outlets {
            outlet.send(Kind::Audio, packet(number, 80));
            outlet.send(Kind::Video, packet(number, 1100));
        }
    }
    let busy = cpu() - started;
    println!(
        "50 audio and 50 video packets a second both ways: {:.3} CPU s a minute a peer, RSS {:.1} MB, {} arrived at b",
        busy * per_minute,
        rss_mb(),
        sink.count.load(Ordering::Relaxed)
    );
    println!("{:?}", a.stats());
    tokio::join!(a.close(true), b.close(true));
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let runs = words.first().and_then(|w| w.parse().ok()).unwrap_or(30);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        if let [_, url, user, password] = &words[..] {
            let relayed = Config {
                ice_servers: vec![IceServer {
                    urls: vec![url.clone()],
                    username: Some(user.clone()),
                    credential: Some(password.clone()),
                }],
                policy: IcePolicy::Relay,
                ..Config::default()
            };
            measure("relay to relay", &relayed, runs).await;
            return;
        }
        let one = Config { bind: vec!["127.0.0.1".parse().unwrap()], mdns: false, ..Config::default() };
        measure("127.0.0.1 only", &one, runs).await;
        measure("every interface", &Config::default(), runs).await;
        cost(&one, 10).await;
    });
}
