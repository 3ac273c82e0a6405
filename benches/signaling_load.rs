//! A load program for the signaling server: memory a connection, logins and relays a second, latency.
//!
//! `cargo run --release --example signaling_load -- [--clients 5000] [--server HOST:PORT --pid PID]
//! [--data DIR]`. Without `--server` it starts itself once more as the server, so that the figures are
//! those of another process. Load and server share the machine, as in the figures it is compared with.

#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used)]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ed25519_dalek::{Signer, SigningKey};
use futures_util::{SinkExt, StreamExt};
use letsmeet::signaling::protocol::{
    ClientMessage, Key, Login, ServerMessage, Signature, login_bytes, parse_server,
};
use letsmeet::signaling::server::{Config, Rate, serve};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};
use tokio_util::sync::CancellationToken;

type Socket = WebSocketStream<TcpStream>;

/// Logins that are under way at the same time.
const AT_ONCE: usize = 64;
/// Calls over which relays are sent.
const PAIRS: usize = 100;
/// Relays of one call that are under way at the same time.
const WINDOW: usize = 16;
/// Bytes of a relayed description.
const PAYLOAD: usize = 1024;
const RELAY_TIME: Duration = Duration::from_secs(5);
const LATENCY_TIME: Duration = Duration::from_secs(5);
const LATENCY_RATE: u32 = 1_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let value =
        |name: &str| arguments.iter().position(|a| a == name).and_then(|at| arguments.get(at + 1)).cloned();
    raise_file_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    if arguments.iter().any(|a| a == "--serve") {
        runtime.block_on(run_server(value("--data")));
        return;
    }
    let clients = value("--clients").map_or(5_000, |n| n.parse().expect("--clients wants a number"));
    let (address, pid, _inner) = match value("--server") {
        Some(address) => (address, value("--pid").and_then(|p| p.parse().ok()), None),
        None => {
            let (address, inner) = spawn_inner(value("--data"));
            (address, Some(inner.0.id()), Some(inner))
        }
    };
    runtime.block_on(drive(&address, pid, clients));
}

/// The server of this library without the limits that one machine's load would meet.
async fn run_server(data: Option<String>) {
    let endless = Rate { per_second: 1e9, burst: 1e9 };
    let mut config = Config {
        data: data.map(Into::into),
        connections: 100_000,
        connections_per_address: 100_000,
        claims_per_address: endless,
        messages: endless,
        heartbeat: Duration::from_secs(300),
        queued_frames: 4096,
        queued_bytes: 4 << 20,
        ..Config::default()
    };
    config.bounds.sessions = 100_000;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap());
    serve(listener, config, CancellationToken::new()).await.unwrap();
}

/// The server's process, ended with this one.
struct Inner(Child);

impl Drop for Inner {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn spawn_inner(data: Option<String>) -> (String, Inner) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg("--serve").stdout(Stdio::piped());
    if let Some(data) = data {
        command.args(["--data", &data]);
    }
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (line.trim().to_owned(), Inner(child))
}

async fn drive(address: &str, pid: Option<u32>, clients: usize) {
    // The first login pays for what is loaded only once.
    let warm = login(address, usize::MAX).await;
    let before = Usage::of(pid);

    let started = Instant::now();
    let room = Arc::new(Semaphore::new(AT_ONCE));
    let mut logins = Vec::with_capacity(clients);
    for number in 0..clients {
        let permit = Arc::clone(&room).acquire_owned().await.unwrap();
        let address = address.to_owned();
        logins.push(tokio::spawn(async move {
            let socket = login(&address, number).await;
            drop(permit);
            socket
        }));
    }
    let mut sockets = Vec::with_capacity(clients);
    for login in logins {
        sockets.push(login.await.unwrap());
    }
    let took = started.elapsed();
    let after = Usage::of(pid);
    let each = |total: f64, n: usize| total / n as f64;
    println!(
        "logins: {clients} in {:.2} s, {:.0}/s, {:.0} us of server CPU each",
        took.as_secs_f64(),
        clients as f64 / took.as_secs_f64(),
        each((after.cpu - before.cpu) * 1e6, clients),
    );
    println!(
        "memory: {:.1} MB with {clients} connections, {:.2} KB each (peak {:.1} MB)",
        after.rss / 1e6,
        each((after.rss - before.rss) / 1e3, clients),
        after.peak / 1e6,
    );
    drop(warm);

    let mut pairs = Vec::new();
    for number in 0..PAIRS.min(clients / 2) {
        let (mut caller, mut callee) = (sockets.pop().unwrap(), sockets.pop().unwrap());
        let call = format!("{number:032x}");
        let to = clients - 2 - 2 * number;
        caller.send(text(format!(r#"{{"type":"invite","call":"{call}","to":"load{to}"}}"#))).await.unwrap();
        expect(&mut callee, "incoming").await;
        callee.send(text(format!(r#"{{"type":"accept","call":"{call}"}}"#))).await.unwrap();
        expect(&mut caller, "accepted").await;
        pairs.push((caller, callee, call));
    }
    pairs = relays(pairs, pid).await;
    latency(pairs).await;
}

/// As many relays as go through, with a window for each call.
async fn relays(pairs: Vec<(Socket, Socket, String)>, pid: Option<u32>) -> Vec<(Socket, Socket, String)> {
    let before = Usage::of(pid);
    let total = Arc::new(AtomicU64::new(0));
    let started = Instant::now();
    let mut tasks = Vec::new();
    for (caller, callee, call) in pairs {
        let total = Arc::clone(&total);
        tasks.push(tokio::spawn(async move {
            let frame = description(&call, 0);
            let (mut sink, source) = caller.split();
            let (sink_b, mut stream) = callee.split();
            let window = Semaphore::new(WINDOW);
            let sending = async {
                let end = started + RELAY_TIME;
                while Instant::now() < end {
                    let room = window.available_permits().max(1);
                    window.acquire_many(u32::try_from(room).unwrap()).await.unwrap().forget();
                    for _ in 0..room {
                        sink.feed(Message::Text(frame.clone())).await.unwrap();
                    }
                    sink.flush().await.unwrap();
                }
                window.acquire_many(u32::try_from(WINDOW).unwrap()).await.unwrap().forget();
                window.close();
            };
            let receiving = async {
                while !window.is_closed() {
                    match tokio::time::timeout(Duration::from_millis(200), stream.next()).await {
                        Ok(Some(Ok(Message::Text(_)))) => {
                            total.fetch_add(1, Ordering::Relaxed);
                            window.add_permits(1);
                        }
                        Ok(Some(Ok(_))) | Err(_) => {}
                        Ok(other) => panic!("relay broke: {other:?}"),
                    }
                }
            };
            tokio::join!(sending, receiving);
            (sink.reunite(source).unwrap(), sink_b.reunite(stream).unwrap(), call)
        }));
    }
    let mut back = Vec::new();
    for task in tasks {
        back.push(task.await.unwrap());
    }
    let took = started.elapsed().min(RELAY_TIME).as_secs_f64();
    let after = Usage::of(pid);
    let total = total.load(Ordering::Relaxed);
    println!(
        "relays: {:.0}/s of {PAYLOAD} bytes over {} calls, {:.1} us of server CPU each",
        total as f64 / took,
        back.len(),
        (after.cpu - before.cpu) * 1e6 / total as f64,
    );
    back
}

/// Latency from handing a relay to the kernel until it is read, at a fixed rate over all calls.
async fn latency(pairs: Vec<(Socket, Socket, String)>) {
    let mut senders = Vec::new();
    let mut receivers = Vec::new();
    for (caller, mut callee, call) in pairs {
        senders.push((caller, call));
        receivers.push(tokio::spawn(async move {
            let mut seen = Vec::new();
            while let Ok(Some(Ok(frame))) = tokio::time::timeout(Duration::from_secs(1), callee.next()).await
            {
                if let Message::Text(frame) = frame
                    && let Some((_, sent)) = frame.as_str().split_once("o=- ")
                    && let Some(sent) = sent.split(' ').next().and_then(|t| t.parse::<u64>().ok())
                {
                    seen.push(now_ns().saturating_sub(sent));
                }
            }
            seen
        }));
    }
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / (LATENCY_RATE / 2));
    let end = Instant::now() + LATENCY_TIME;
    let mut turn = 0;
    while Instant::now() < end {
        // The runtime's clock has a step of 1 ms, so two go out on each tick.
        ticks.tick().await;
        for _ in 0..2 {
            let at = turn % senders.len();
            turn += 1;
            let (caller, call) = &mut senders[at];
            caller.send(Message::Text(description(call, now_ns()))).await.unwrap();
        }
    }
    let mut all = Vec::new();
    for receiver in receivers {
        all.extend(receiver.await.unwrap());
    }
    all.sort_unstable();
    let at = |share: f64| all[((all.len() - 1) as f64 * share) as usize] as f64 / 1e6;
    println!(
        "latency: {} of {turn} relays at {LATENCY_RATE}/s, p50 {:.2} ms, p99 {:.2} ms, max {:.2} ms",
        all.len(),
        at(0.5),
        at(0.99),
        at(1.0),
    );
}

fn description(call: &str, stamp: u64) -> Utf8Bytes {
    let head = format!("v=0\\r\\no=- {stamp} 1 IN IP4 0.0.0.0\\r\\ns=-\\r\\n");
    let padding = "a=candidate:1 1 udp 2122260223 192.0.2.1 50000 typ host\\r\\n".repeat(PAYLOAD / 58);
    let signature = "A".repeat(86);
    format!(
        r#"{{"type":"description","call":"{call}","kind":"offer","sdp":"{head}{padding}","signature":"{signature}"}}"#
    )
    .into()
}

async fn login(address: &str, number: usize) -> Socket {
    let name = if number == usize::MAX { "warm".to_owned() } else { format!("load{number}") };
    let key = SigningKey::from_bytes(blake3::hash(name.as_bytes()).as_bytes());
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let limits = WebSocketConfig::default().read_buffer_size(4096).write_buffer_size(32 * 1024);
    let url = format!("ws://{address}/v1/ws");
    let (mut socket, _) = client_async_with_config(url, stream, Some(limits)).await.unwrap();
    let ServerMessage::Challenge { nonce, server, .. } = next(&mut socket).await else {
        panic!("no challenge");
    };
    let login = ClientMessage::Login(Login {
        protocol: 1,
        key: Key::from_bytes(key.verifying_key().to_bytes()),
        signature: Signature::from_bytes(key.sign(&login_bytes(&nonce, &server, &name)).to_bytes()),
        name,
        token: None,
        resume: None,
        seq: None,
    });
    socket.send(text(login.to_json())).await.unwrap();
    expect(&mut socket, "registered").await;
    socket
}

fn text(text: String) -> Message {
    Message::text(text)
}

async fn next(socket: &mut Socket) -> ServerMessage {
    match socket.next().await {
        Some(Ok(Message::Text(text))) => parse_server(&text).unwrap(),
        other => panic!("the server ended it: {other:?}"),
    }
}

async fn expect(socket: &mut Socket, kind: &str) {
    match socket.next().await {
        Some(Ok(Message::Text(text))) if text.contains(&format!(r#""type":"{kind}""#)) => {}
        other => panic!("expected {kind}, got {other:?}"),
    }
}

fn now_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(since.as_nanos()).unwrap()
}

/// CPU seconds and bytes of a process, from /proc.
#[derive(Debug, Clone, Copy, Default)]
struct Usage {
    cpu: f64,
    rss: f64,
    peak: f64,
}

impl Usage {
    fn of(pid: Option<u32>) -> Usage {
        let Some(pid) = pid else {
            return Usage::default();
        };
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |at: usize| fields.get(at).and_then(|f| f.parse::<f64>().ok()).unwrap_or_default();
        // User and system time are fields 14 and 15; three come before the closing parenthesis.
        let cpu = (ticks(11) + ticks(12)) / 100.0;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let kilobytes = |name: &str| {
            let line = status.lines().find_map(|l| l.strip_prefix(name)).unwrap_or_default();
            line.split_whitespace().next().and_then(|n| n.parse::<f64>().ok()).unwrap_or_default() * 1024.0
        };
        Usage { cpu, rss: kilobytes("VmRSS:"), peak: kilobytes("VmHWM:") }
    }
}

/// A descriptor a connection: the usual 1024 are not enough.
#[cfg(unix)]
fn raise_file_limit() {
    // SAFETY: both calls only read and write the struct on this stack.
    unsafe {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        if libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) == 0 {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
        }
    }
}

#[cfg(not(unix))]
fn raise_file_limit() {}
