//! Ways to a server: one UDP socket or one stream, and questions over them with their repetitions
//! (RFC 8489, sections 6.2.1 and 6.2.2).

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};

use super::{Error, Options, resolve};
use crate::rtc::server_url::{ServerUrl, Transport};
use crate::rtc::stream::{self, Connection, Decoder, Endpoint, READ, Trust, broken, connect, encode, socket};
use crate::rtc::stun::{Class, Message, TransactionId};

/// Pause before the first repetition over UDP; each further one is twice as long.
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// Longest datagram that is read.
const MAX_DATAGRAM: usize = 2048;
/// Datagrams kept that came while an answer was waited for.
const MAX_ASIDE: usize = 64;

/// One request, written, and where it goes.
#[derive(Debug, Clone)]
pub(super) struct Question {
    pub(super) to: SocketAddr,
    pub(super) id: TransactionId,
    pub(super) method: u16,
    pub(super) request: Bytes,
}

/// What came back.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) message: Message,
    pub(super) from: SocketAddr,
    /// From the latest transmission of the request on: too short if an earlier one was answered late.
    pub(super) rtt: Duration,
    /// Transmissions of the request.
    pub(super) sent: u32,
}

impl Question {
    fn is_answered_by(&self, message: &Message) -> bool {
        message.id == self.id
            && message.method == self.method
            && matches!(message.class, Class::Success | Class::Error)
    }
}

/// When a request is sent again: after ever longer pauses, and not after the end.
#[derive(Debug)]
struct Schedule {
    due: Instant,
    pause: Duration,
    end: Instant,
}

impl Schedule {
    fn new(pause: Duration, within: Duration) -> Self {
        let now = Instant::now();
        Self { due: now, pause, end: now + within }
    }

    /// Whether to send now; moves on if so.
    fn send(&mut self) -> bool {
        let now = Instant::now();
        if now < self.due || now >= self.end {
            return false;
        }
        self.due = now + self.pause;
        self.pause *= 2;
        true
    }

    fn is_over(&self) -> bool {
        Instant::now() >= self.end
    }

    /// When to look again.
    fn next(&self) -> Instant {
        self.due.min(self.end)
    }
}

/// A UDP socket bound to that local address, and its address.
pub(super) async fn bind(from: IpAddr) -> Result<(UdpSocket, SocketAddr), Error> {
    let unusable = |error: io::Error| Error::Local { from, reason: error.to_string() };
    let socket = UdpSocket::bind(SocketAddr::new(from, 0)).await.map_err(unusable)?;
    let local = socket.local_addr().map_err(unusable)?;
    Ok((socket, local))
}

/// The local address that packets to a server leave from.
pub(super) async fn local_address(to: SocketAddr, options: &Options) -> Result<IpAddr, Error> {
    let family = super::Family::of(to.ip());
    let (socket, _) = bind(options.from.unwrap_or(family.unspecified())).await?;
    let unreachable = |error: io::Error| Error::Unreachable { to, reason: error.to_string() };
    socket.connect(to).await.map_err(unreachable)?;
    Ok(socket.local_addr().map_err(unreachable)?.ip())
}

/// Asks everything at once over one socket that takes answers from anywhere. In the order of the
/// questions; `None`: no answer until the end.
///
/// # Errors
/// [`Error::Unreachable`]: the first request cannot be sent at all.
pub(super) async fn ask_all(
    socket: &UdpSocket,
    questions: &[Question],
    pause: Duration,
    within: Duration,
) -> Result<Vec<Option<Answer>>, Error> {
    let mut answers: Vec<Option<Answer>> = vec![None; questions.len()];
    let mut schedule = Schedule::new(pause, within);
    let (mut last, mut sent) = (Instant::now(), 0);
    let mut buffer = vec![0; MAX_DATAGRAM];
    while answers.iter().any(Option::is_none) && !schedule.is_over() {
        if schedule.send() {
            last = Instant::now();
            let open = questions.iter().zip(&answers).filter(|(_, answer)| answer.is_none());
            for (question, _) in open {
                let done = socket.send_to(&question.request, question.to).await;
                if let (0, Err(error)) = (sent, done) {
                    return Err(Error::Unreachable { to: question.to, reason: error.to_string() });
                }
            }
            sent += 1;
        }
        // A failure tells of one of the packets sent before: the others may be answered still.
        let Ok(Ok((length, from))) = timeout_at(schedule.next(), socket.recv_from(&mut buffer)).await else {
            continue;
        };
        let Ok(message) = Message::read(Bytes::copy_from_slice(&buffer[..length])) else {
            continue;
        };
        let of = |question: &Question| question.is_answered_by(&message);
        if let Some(at) = questions.iter().position(of)
            && answers[at].is_none()
        {
            answers[at] = Some(Answer { message, from, rtt: last.elapsed(), sent });
        }
    }
    Ok(answers)
}

/// The way to one server.
#[derive(Debug)]
pub(super) struct Link {
    way: Way,
    pub(super) transport: Transport,
    pub(super) local: SocketAddr,
    pub(super) server: SocketAddr,
    /// How long connecting took, with its TLS handshake. `None` over UDP.
    pub(super) connected: Option<Duration>,
    /// What came while an answer was waited for.
    aside: VecDeque<Bytes>,
}

#[derive(Debug)]
enum Way {
    Udp(UdpSocket),
    Stream(Box<(Connection, Decoder)>),
}

impl Link {
    /// # Errors
    /// The server's name, its certificate, or the way there.
    pub(super) async fn open(server: &ServerUrl, options: &Options) -> Result<Self, Error> {
        let addresses = resolve(server, options).await?;
        let Some(first) = addresses.first().copied() else {
            return Err(Error::Lacks("address"));
        };
        let from = options.from.unwrap_or(super::Family::of(first.ip()).unspecified());
        if server.transport == Transport::Udp {
            let (socket, _) = bind(from).await?;
            let unreachable = |error: io::Error| Error::Unreachable { to: first, reason: error.to_string() };
            // Connected, it learns that nothing listens there.
            socket.connect(first).await.map_err(unreachable)?;
            let local = socket.local_addr().map_err(unreachable)?;
            return Ok(Self::new(Way::Udp(socket), server.transport, local, first, None));
        }
        let tls = match server.transport {
            Transport::Tls => Some(trust(options).await?),
            Transport::Udp | Transport::Tcp => None,
        };
        let begun = Instant::now();
        let connection = connect(&Endpoint { addresses, host: server.host.clone(), tls }, from).await?;
        let connected = Some(begun.elapsed());
        let socket = socket(&connection);
        let (local, to) = (socket.local_addr(), socket.peer_addr());
        let local = local.map_err(|error| broken(&error))?;
        let to = to.map_err(|error| broken(&error))?;
        let way = Way::Stream(Box::new((connection, Decoder::default())));
        Ok(Self::new(way, server.transport, local, to, connected))
    }

    fn new(
        way: Way,
        transport: Transport,
        local: SocketAddr,
        server: SocketAddr,
        connected: Option<Duration>,
    ) -> Self {
        Self { way, transport, local, server, connected, aside: VecDeque::new() }
    }

    /// Asks, over UDP again and again.
    ///
    /// # Errors
    /// [`Error::Silent`], or what became of the link.
    pub(super) async fn ask(&mut self, question: &Question, within: Duration) -> Result<Answer, Error> {
        let mut schedule = Schedule::new(FIRST_PAUSE, within);
        let (mut last, mut sent) = (Instant::now(), 0);
        while !schedule.is_over() {
            if (sent == 0 || self.transport == Transport::Udp) && schedule.send() {
                (last, sent) = (Instant::now(), sent + 1);
                self.send(&question.request).await?;
            }
            let until = if self.transport == Transport::Udp { schedule.next() } else { schedule.end };
            let Some(datagram) = self.next(until).await? else {
                continue;
            };
            match Message::read(datagram.clone()) {
                Ok(message) if question.is_answered_by(&message) => {
                    return Ok(Answer { message, from: self.server, rtt: last.elapsed(), sent });
                }
                _ if self.aside.len() < MAX_ASIDE => self.aside.push_back(datagram),
                _ => {}
            }
        }
        Err(Error::Silent { to: self.server, transport: self.transport, within })
    }

    /// Sends one datagram.
    ///
    /// # Errors
    /// What became of the link.
    pub(super) async fn send(&mut self, datagram: &[u8]) -> Result<(), Error> {
        match &mut self.way {
            Way::Udp(socket) => match socket.send(datagram).await {
                Ok(_) => Ok(()),
                Err(error) => Err(failed(&error, self.server)),
            },
            Way::Stream(stream) => {
                let mut framed = BytesMut::new();
                encode(datagram, &mut framed)
                    .map_err(|_| Error::Unwritable(crate::rtc::stun::Error::Header))?;
                let written = async {
                    stream.0.write_all(&framed).await?;
                    stream.0.flush().await
                };
                written.await.map_err(|error| broken(&error).into())
            }
        }
    }

    /// The next datagram that answers no question. `None`: none until then.
    ///
    /// # Errors
    /// What became of the link.
    pub(super) async fn receive(&mut self, until: Instant) -> Result<Option<Bytes>, Error> {
        match self.aside.pop_front() {
            Some(datagram) => Ok(Some(datagram)),
            None => self.next(until).await,
        }
    }

    async fn next(&mut self, until: Instant) -> Result<Option<Bytes>, Error> {
        match &mut self.way {
            Way::Udp(socket) => {
                let mut buffer = BytesMut::zeroed(MAX_DATAGRAM);
                match timeout_at(until, socket.recv(&mut buffer)).await {
                    Ok(Ok(length)) => Ok(Some(buffer.split_to(length).freeze())),
                    Ok(Err(error)) => Err(failed(&error, self.server)),
                    Err(_) => Ok(None),
                }
            }
            Way::Stream(stream) => loop {
                let (connection, decoder) = &mut **stream;
                if let Some(datagram) = decoder.next().map_err(stream::Error::from)? {
                    return Ok(Some(datagram));
                }
                decoder.buffer().reserve(READ);
                match timeout_at(until, connection.read_buf(decoder.buffer())).await {
                    Ok(Ok(0)) => return Err(stream::Error::Closed.into()),
                    Ok(Ok(_)) => {}
                    Ok(Err(error)) => return Err(broken(&error).into()),
                    Err(_) => return Ok(None),
                }
            },
        }
    }
}

async fn trust(options: &Options) -> Result<Trust, Error> {
    Ok(Trust::or_system(options.trust.clone()).await?)
}

fn failed(error: &io::Error, to: SocketAddr) -> Error {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Error::Refused { to },
        _ => Error::Unreachable { to, reason: error.to_string() },
    }
}
