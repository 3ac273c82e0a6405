//! What the library runs on: tokio, with four differences. Sockets receive one datagram at a time
//! into small buffers, thin out connectivity checks and repeat lost handshakes, host names come from a table that was filled
//! beforehand, the end of the task that drives the connection, by a panic too, becomes an event
//! instead of silence, and while connecting and on a relayed path that task goes round again after
//! each thing it did.

use std::collections::HashMap;
use std::future::Future;
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::net::UdpSocket;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use webrtc::runtime::{
    AsyncInterval, AsyncTcpListener, AsyncTcpStream, AsyncUdpSocket, JoinHandle, RecvMeta, Runtime,
    TokioRuntime, Transmit,
};

use super::checks::{self, Checks};
use super::flights::Flights;
use super::shared::{Shared, lock};
use super::stream::{Routes, Streams};

/// What a socket may hold that was not read yet, bytes: a window of the data channels on top of media. What does not fit is lost, and
/// media with it; the system's usual 208 KB hold less than a hundred packets.
const RECEIVE_BUFFER: usize = 4 * 1024 * 1024;

/// The content type of a handshake in DTLS (RFC 9147, section 4.1).
const HANDSHAKE: u8 = 22;

/// How long one host name may take.
const RESOLVE_WITHIN: Duration = Duration::from_secs(1);

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Host names of servers, looked up before the connection is built: the library looks them up in
/// the task that drives everything else.
#[derive(Debug, Default, Clone)]
pub(super) struct Names(HashMap<String, Vec<SocketAddr>>);

impl Names {
    /// Looks up every `host:port`, all at once. What cannot be found in a second is left out.
    pub(super) async fn look_up(hosts: Vec<String>) -> Self {
        let lookups = hosts.into_iter().map(|host| async move {
            let found = tokio::time::timeout(RESOLVE_WITHIN, tokio::net::lookup_host(host.clone())).await;
            match found {
                Ok(Ok(addresses)) => Some((host, addresses.collect())),
                _ => {
                    tracing::warn!("the name of an ICE server cannot be resolved");
                    None
                }
            }
        });
        let found = futures_util::future::join_all(lookups).await;
        Self(found.into_iter().flatten().collect())
    }

    /// The addresses of a `host:port`.
    pub(super) fn find(&self, host: &str) -> Option<&[SocketAddr]> {
        self.0.get(host).map(Vec::as_slice)
    }

    /// Adds one that needs no looking up.
    pub(super) fn insert(&mut self, host: String, addresses: Vec<SocketAddr>) {
        self.0.insert(host, addresses);
    }
}

/// The runtime of one connection.
#[derive(Debug)]
pub(super) struct Driver {
    shared: Arc<Shared>,
    names: Names,
    routes: Routes,
    relay_wait: Duration,
    rounds: Rounds,
}

impl Driver {
    /// Checks through a relay begin `relay_wait` after the others.
    pub(super) fn new(shared: Arc<Shared>, names: Names, routes: Routes, relay_wait: Duration) -> Self {
        Self { shared, names, routes, relay_wait, rounds: Rounds::default() }
    }
}

/// Extra rounds of the library's loop after a round in which something happened. What comes of a
/// selected pair (the first DTLS flight) and of what passes its TURN client is sent only in the next
/// round, and without these that is when the next packet or timer happens to come: DTLS would wait
/// for the next round of checks, and every relayed packet for another packet.
const EXTRA_ROUNDS: u8 = 2;

/// Counts the extra rounds. The loop goes to sleep exactly once a round.
#[derive(Debug, Default)]
struct Rounds {
    left: AtomicU8,
    /// The last sleep ended because an extra round was due, and not because something happened.
    idle: Arc<AtomicBool>,
}

impl Rounds {
    /// A sleep that is over at once, when a further round is due.
    fn again(&self) -> Option<Boxed<'static, ()>> {
        if !self.idle.swap(false, Ordering::Relaxed) {
            self.left.store(EXTRA_ROUNDS, Ordering::Relaxed);
        }
        let left = self.left.load(Ordering::Relaxed).checked_sub(1)?;
        self.left.store(left, Ordering::Relaxed);
        let idle = Arc::clone(&self.idle);
        Some(Box::pin(async move { idle.store(true, Ordering::Relaxed) }))
    }
}

/// Reports the end of the driving task, however it ends.
struct Ended(Arc<Shared>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.events.failed();
    }
}

impl Runtime for Driver {
    /// Spawned for this connection is only the task that drives it: its sockets are UDP sockets.
    fn spawn(&self, future: Boxed<'static, ()>) -> Box<dyn JoinHandle> {
        let ended = Ended(Arc::clone(&self.shared));
        TokioRuntime.spawn(Box::pin(async move {
            let _ended = ended;
            future.await;
        }))
    }

    fn wrap_udp_socket(&self, socket: std::net::UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        socket.set_nonblocking(true)?;
        // What the system does not grant is not missed by a call, only by files.
        let _ = socket2::SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BUFFER);
        let socket = UdpSocket::from_std(socket)?;
        let streams = Streams::new(&self.routes, socket.local_addr()?.ip());
        Ok(Arc::new_cyclic(|datagrams| Datagrams {
            shared: Arc::clone(&self.shared),
            socket,
            streams,
            checks: Mutex::new(Checks::new(self.relay_wait)),
            flights: Mutex::default(),
            begun: Arc::default(),
            repeating: Mutex::new(None),
            this: Weak::clone(datagrams),
        }))
    }

    fn wrap_tcp_listener(&self, listener: std::net::TcpListener) -> io::Result<Arc<dyn AsyncTcpListener>> {
        TokioRuntime.wrap_tcp_listener(listener)
    }

    /// Never: remote TCP candidates are left out before the library sees them.
    fn connect_tcp<'a>(&'a self, _remote: SocketAddr) -> Boxed<'a, io::Result<Arc<dyn AsyncTcpStream>>> {
        Box::pin(async { Err(io::ErrorKind::Unsupported.into()) })
    }

    fn resolve_host<'a>(&'a self, host: &'a str) -> Boxed<'a, io::Result<Vec<SocketAddr>>> {
        let found = self.names.0.get(host).cloned();
        Box::pin(async move { found.ok_or_else(|| io::ErrorKind::NotFound.into()) })
    }

    fn sleep(&self, duration: Duration) -> Boxed<'static, ()> {
        if self.shared.needs_rounds()
            && let Some(at_once) = self.rounds.again()
        {
            return at_once;
        }
        TokioRuntime.sleep(duration)
    }

    fn interval(&self, period: Duration) -> Box<dyn AsyncInterval> {
        TokioRuntime.interval(period)
    }

    fn block_on(&self, future: Pin<Box<dyn Future<Output = ()> + '_>>) {
        TokioRuntime.block_on(future);
    }

    fn name(&self) -> &'static str {
        "letsmeet"
    }
}

/// A UDP socket without batching: a call has some hundred small packets a second, and the buffers
/// for batches cost 96 KB a socket.
#[derive(Debug)]
struct Datagrams {
    shared: Arc<Shared>,
    socket: UdpSocket,
    /// TURN servers that are reached over TCP and TLS, behind addresses that stand for them.
    streams: Streams,
    checks: Mutex<Checks>,
    flights: Mutex<Flights>,
    /// A flight of a handshake was sent.
    begun: Arc<Notify>,
    /// The task that repeats flights, from the first one on: most sockets never see any.
    repeating: Mutex<Option<AbortHandle>>,
    this: Weak<Self>,
}

impl Datagrams {
    /// Takes note of a datagram that was sent.
    fn sent(&self, datagram: &[u8], to: SocketAddr) {
        if matches!(datagram.first(), Some(&HANDSHAKE)) {
            let own = self.socket.local_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |own| own.ip());
            self.shared.reaches(own, to.ip());
        }
        if !lock(&self.flights).sent(datagram, to, Instant::now()) {
            return;
        }
        self.begun.notify_one();
        let mut repeating = lock(&self.repeating);
        if repeating.is_none() {
            let task = tokio::spawn(repeat(Weak::clone(&self.this), Arc::clone(&self.begun)));
            *repeating = Some(task.abort_handle());
        }
    }

    /// Repeats what is due, and says when the next repetition is.
    fn repeat(&self) -> Option<Instant> {
        let mut flights = lock(&self.flights);
        for (to, datagram) in flights.repeat(Instant::now()) {
            // A full socket loses it, as a path may; a stream does not, but the path behind its relay may.
            if !self.streams.send(datagram, *to) {
                let _ = self.socket.try_send_to(datagram, *to);
            }
        }
        flights.deadline()
    }

    /// Takes note of a datagram that came, and tells the library of it.
    fn heard(&self, datagram: &[u8], from: SocketAddr, meta: &mut RecvMeta) {
        if stun(datagram) {
            lock(&self.checks).heard(from);
        }
        lock(&self.flights).heard(datagram);
        *meta = RecvMeta::default();
        meta.addr = from;
        meta.len = datagram.len();
        meta.stride = datagram.len().max(1);
    }
}

impl Drop for Datagrams {
    fn drop(&mut self) {
        if let Some(task) = lock(&self.repeating).take() {
            task.abort();
        }
    }
}

/// Repeats the flights of a socket for as long as it lives.
async fn repeat(socket: Weak<Datagrams>, begun: Arc<Notify>) {
    loop {
        let Some(due) = socket.upgrade().map(|socket| socket.repeat()) else {
            return;
        };
        match due {
            Some(due) => tokio::select! {
                () = tokio::time::sleep_until(due.into()) => {}
                () = begun.notified() => {}
            },
            None => begun.notified().await,
        }
    }
}

impl AsyncUdpSocket for Datagrams {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    fn poll_send(&self, cx: &mut Context<'_>, transmit: &Transmit<'_>) -> Poll<io::Result<usize>> {
        let (bytes, to) = (transmit.contents, transmit.destination);
        if (stun(bytes) || checks::is_channel(bytes)) && !lock(&self.checks).pass(bytes, to, Instant::now()) {
            return Poll::Ready(Ok(bytes.len()));
        }
        if self.streams.send(bytes, to) {
            self.sent(bytes, to);
            return Poll::Ready(Ok(bytes.len()));
        }
        loop {
            ready!(self.socket.poll_send_ready(cx))?;
            match self.socket.try_send_to(bytes, to) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => {
                    self.sent(bytes, to);
                    return Poll::Ready(done);
                }
            }
        }
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let (Some(buffer), Some(meta)) = (bufs.first_mut(), meta.first_mut()) else {
            return Poll::Ready(Ok(0));
        };
        if let Poll::Ready((length, from)) = self.streams.poll_recv(cx, buffer) {
            self.heard(&buffer[..length], from, meta);
            return Poll::Ready(Ok(1));
        }
        loop {
            ready!(self.socket.poll_recv_ready(cx))?;
            match self.socket.try_recv_from(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
                Ok((length, from)) => {
                    self.heard(&buffer[..length], from, meta);
                    return Poll::Ready(Ok(1));
                }
            }
        }
    }
}

/// Whether a datagram is STUN rather than DTLS, RTP or a TURN channel (RFC 7983).
fn stun(datagram: &[u8]) -> bool {
    matches!(datagram.first(), Some(0..=3))
}
