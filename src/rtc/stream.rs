//! TURN over TCP and TLS (RFC 8656, section 2.1) for a library that knows only UDP.
//!
//! Each server that is reached by a stream gets an address that stands for it ([`Routes`]). The library
//! is told that address; `runtime`, between the library and its sockets, gives what goes there to
//! [`Streams`] and takes from it what comes back. A stream connects when the first request for an
//! allocation goes to it, from the address of the socket that it belongs to.
//!
//! It knows units of STUN and channel data, and nothing of what they mean but for what begins a
//! connection. Dropping a [`Streams`] closes its connections.

mod connect;
mod framing;
mod outbox;
mod tcp;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::sync::{Notify, mpsc};
use tokio::task::AbortHandle;
use tokio::time::Instant;

pub use crate::tls::{Certificate, Trust, TrustError};
pub use connect::Error;
pub(super) use connect::{Connection, Endpoint, broken, connect, socket};
pub use framing::Error as FramingError;
pub(super) use framing::{Decoder, encode};

use self::outbox::Outbox;
use super::shared::lock;

/// Datagrams that came and were not fetched yet. When full, reading pauses, and the server drops what
/// it cannot send, as on a thin link.
const INBOX: usize = 256;
/// Bytes read at once: a TLS record.
pub(super) const READ: usize = 16 * 1024;
/// Pause between the beginnings of two attempts to connect; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A connection that lived this long was a good one: the next attempt need not wait longer.
const GOOD_AFTER: Duration = Duration::from_secs(10);
/// Ports of the addresses that stand for servers, from here on.
const FIRST_PORT: u16 = 1;
/// What the name of a placeholder begins with.
const TCP: &str = "tcp";
const TLS: &str = "tls";

/// The servers that are reached by streams, and the addresses that stand for them. No packet ever goes
/// to those: they are of the ranges for documentation (RFC 5737, RFC 3849).
#[derive(Debug, Clone, Default)]
pub(super) struct Routes(Vec<Route>);

#[derive(Debug, Clone)]
struct Route {
    port: u16,
    endpoint: Endpoint,
}

/// What stands for a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Placeholder {
    /// A name that exists nowhere (RFC 6761, section 6.4), for the library's URL.
    pub(super) host: String,
    /// The port of it.
    pub(super) port: u16,
    /// What the name resolves to: one address of each family that the server has.
    pub(super) addresses: Vec<SocketAddr>,
}

impl Routes {
    /// Adds a server. `None` when there are 65,535 of them.
    pub(super) fn add(&mut self, endpoint: Endpoint) -> Option<Placeholder> {
        let port = FIRST_PORT.checked_add(u16::try_from(self.0.len()).ok()?)?;
        let addresses = [true, false]
            .into_iter()
            .filter(|v4| endpoint.addresses.iter().any(|address| address.is_ipv4() == *v4))
            .map(|v4| stand_in(v4, port))
            .collect();
        let host = format!("{}-{port}.invalid", protocol(&endpoint));
        self.0.push(Route { port, endpoint });
        Some(Placeholder { host, port, addresses })
    }
}

/// How the server in the library's URL is reached: `udp`, or `tcp` or `tls` if a placeholder stands for it.
pub(super) fn relay_protocol(url: &str) -> &'static str {
    let host = url.split_once(':').map_or(url, |(_, rest)| rest);
    let host = host.split(':').next().unwrap_or_default();
    match host.split_once('-') {
        Some((TCP, rest)) if rest.ends_with(".invalid") => TCP,
        Some((TLS, rest)) if rest.ends_with(".invalid") => TLS,
        _ => "udp",
    }
}

/// The address that stands for the server with this port.
fn stand_in(v4: bool, port: u16) -> SocketAddr {
    let ip: IpAddr = match v4 {
        true => Ipv4Addr::new(192, 0, 2, 1).into(),
        false => Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into(),
    };
    SocketAddr::new(ip, port)
}

/// The streams of one UDP socket.
#[derive(Debug)]
pub(super) struct Streams {
    streams: Vec<Stream>,
    inbox: Mutex<mpsc::Receiver<(SocketAddr, Bytes)>>,
}

impl Streams {
    /// Streams that will connect from `from` to those servers that have an address of its family.
    pub(super) fn new(routes: &Routes, from: IpAddr) -> Self {
        let (arrived, inbox) = mpsc::channel(INBOX);
        let reachable =
            |route: &&Route| route.endpoint.addresses.iter().any(|to| to.is_ipv4() == from.is_ipv4());
        let stream = |route: &Route| Stream {
            address: stand_in(from.is_ipv4(), route.port),
            endpoint: route.endpoint.clone(),
            from,
            outgoing: Arc::default(),
            arrived: arrived.clone(),
            task: Mutex::default(),
        };
        let streams = routes.0.iter().filter(reachable).map(stream).collect();
        Self { streams, inbox: Mutex::new(inbox) }
    }

    /// Takes a datagram that goes to an address that stands for a server; false for any other. Never
    /// waits: what cannot be sent soon is dropped, the oldest first (see [`outbox`]), and so is what has
    /// no place in a stream. Needs a running tokio runtime.
    pub(super) fn send(&self, datagram: &[u8], to: SocketAddr) -> bool {
        match self.streams.iter().find(|stream| stream.address == to) {
            Some(stream) => {
                stream.send(datagram);
                true
            }
            None => false,
        }
    }

    /// The next datagram that came, put into `buffer`: its length, and the address that stands for the
    /// server. What is longer than `buffer` is dropped. Only the latest caller is woken.
    pub(super) fn poll_recv(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<(usize, SocketAddr)> {
        // Without any stream nothing will come, and nobody needs to be woken.
        if self.streams.is_empty() {
            return Poll::Pending;
        }
        let mut inbox = lock(&self.inbox);
        loop {
            match inbox.poll_recv(cx) {
                Poll::Ready(Some((from, datagram))) => {
                    if let Some(place) = buffer.get_mut(..datagram.len()) {
                        place.copy_from_slice(&datagram);
                        return Poll::Ready((datagram.len(), from));
                    }
                }
                Poll::Ready(None) | Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Why the server behind this address cannot be reached, or could not when it was tried last.
    #[cfg(test)]
    pub(super) fn failure(&self, address: SocketAddr) -> Option<Error> {
        let stream = self.streams.iter().find(|stream| stream.address == address)?;
        lock(&stream.outgoing.state).failure.clone()
    }
}

/// The stream to one server.
#[derive(Debug)]
struct Stream {
    address: SocketAddr,
    endpoint: Endpoint,
    from: IpAddr,
    outgoing: Arc<Outgoing>,
    arrived: mpsc::Sender<(SocketAddr, Bytes)>,
    /// The task that connects, from the first datagram on.
    task: Mutex<Option<AbortHandle>>,
}

#[derive(Debug, Default)]
struct Outgoing {
    state: Mutex<State>,
    /// There is something new in the outbox.
    filled: Notify,
}

#[derive(Debug, Default)]
struct State {
    outbox: Outbox,
    failure: Option<Error>,
}

impl Stream {
    fn send(&self, datagram: &[u8]) {
        if !lock(&self.outgoing.state).outbox.push(datagram, Instant::now()) {
            return;
        }
        self.outgoing.filled.notify_one();
        let mut task = lock(&self.task);
        if task.is_none() {
            let keep_going = keep_going(
                self.endpoint.clone(),
                self.from,
                self.address,
                Arc::clone(&self.outgoing),
                self.arrived.clone(),
            );
            *task = Some(tokio::spawn(keep_going).abort_handle());
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let Some(task) = lock(&self.task).take() {
            task.abort();
        }
    }
}

/// Connects each time that there is something to begin a connection with, ever more rarely while that fails.
async fn keep_going(
    endpoint: Endpoint,
    from: IpAddr,
    address: SocketAddr,
    outgoing: Arc<Outgoing>,
    arrived: mpsc::Sender<(SocketAddr, Bytes)>,
) {
    let mut pause = FIRST_PAUSE;
    loop {
        while lock(&outgoing.state).outbox.is_empty() {
            outgoing.filled.notified().await;
        }
        let begun = Instant::now();
        let (error, good) = match connect(&endpoint, from).await {
            Ok(connection) => {
                {
                    let mut state = lock(&outgoing.state);
                    state.outbox.connected();
                    state.failure = None;
                }
                let up = Instant::now();
                let error = carry(connection, address, &outgoing, &arrived).await;
                (error, up.elapsed() >= GOOD_AFTER)
            }
            Err(error) => (error, false),
        };
        tracing::info!(protocol = protocol(&endpoint), "a TURN server: {error}");
        {
            let mut state = lock(&outgoing.state);
            state.outbox.disconnected();
            state.failure = Some(error);
        }
        pause = if good { FIRST_PAUSE } else { pause };
        tokio::time::sleep_until(begun + pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

fn protocol(endpoint: &Endpoint) -> &'static str {
    if endpoint.tls.is_some() { TLS } else { TCP }
}

/// Carries datagrams both ways until the connection ends.
async fn carry(
    connection: Connection,
    address: SocketAddr,
    outgoing: &Outgoing,
    arrived: &mpsc::Sender<(SocketAddr, Bytes)>,
) -> Error {
    let (reader, writer) = tokio::io::split(connection);
    tokio::select! {
        error = read(reader, address, arrived) => error,
        error = write(writer, outgoing) => error,
    }
}

async fn read(
    mut reader: ReadHalf<Connection>,
    address: SocketAddr,
    arrived: &mpsc::Sender<(SocketAddr, Bytes)>,
) -> Error {
    let mut decoder = Decoder::default();
    loop {
        decoder.buffer().reserve(READ);
        match reader.read_buf(decoder.buffer()).await {
            Ok(0) => return Error::Closed,
            Ok(_) => {}
            Err(error) => return broken(&error),
        }
        loop {
            match decoder.next() {
                Ok(Some(datagram)) => {
                    if arrived.send((address, datagram)).await.is_err() {
                        return Error::Closed;
                    }
                }
                Ok(None) => break,
                Err(error) => return error.into(),
            }
        }
    }
}

async fn write(mut writer: WriteHalf<Connection>, outgoing: &Outgoing) -> Error {
    let mut bytes = BytesMut::new();
    loop {
        lock(&outgoing.state).outbox.take(&mut bytes, Instant::now());
        if bytes.is_empty() {
            outgoing.filled.notified().await;
            continue;
        }
        let written = async {
            writer.write_all(&bytes).await?;
            writer.flush().await
        };
        if let Err(error) = written.await {
            return broken(&error);
        }
        bytes.clear();
    }
}

#[cfg(test)]
mod tests;
