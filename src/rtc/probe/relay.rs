//! Whether a TURN server lets this user in and carries data (RFC 8656): two allocations, and packets from
//! one to the other and back. Nothing but the server is needed, and it works wherever a call would.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use tokio::time::Instant;

use super::binding::software;
use super::link::{Answer, Link, Question};
use super::{Error, Options};
use crate::rtc::credentials::Credentials;
use crate::rtc::server_url::{ServerUrl, Transport};
use crate::rtc::stun::{Class, Writer, attribute, long_term_key, method, transaction_id};

/// UDP, as what is to be relayed (RFC 8656, section 18.8).
const UDP: [u8; 4] = [17, 0, 0, 0];
/// The channel of each allocation (RFC 8656, section 12).
const CHANNEL: u16 = 0x4000;
/// Packets sent through the relay, by their length: those of voice and of video, and odd ones.
const LENGTHS: [usize; 8] = [40, 41, 160, 3, 500, 1199, 1200, 90];
/// How long one of them may take.
const PACKET_WITHIN: Duration = Duration::from_secs(1);
/// After so many of which none came back, no more are sent.
const HOPELESS: u32 = 3;
/// Nonces that may be called stale in one question.
const MAX_STALE: u32 = 2;

/// What a TURN server did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relay {
    /// How it was reached.
    pub transport: Transport,
    /// The server's address.
    pub server: SocketAddr,
    /// Where the requests left from.
    pub local: SocketAddr,
    /// Where the server saw them come from.
    pub mapped: Option<SocketAddr>,
    /// The address that others would send to.
    pub relayed: SocketAddr,
    /// The realm that the user belongs to.
    pub realm: String,
    /// How long the allocation would have lived without a refresh.
    pub lifetime: Duration,
    /// The server's name for itself.
    pub software: Option<String>,
    /// How long connecting took, with its TLS handshake. `None` over UDP.
    pub connected: Option<Duration>,
    /// How long the allocation took, with the first request, which is refused to learn the realm.
    pub allocated: Duration,
    /// Round trip between this machine and the server.
    pub rtt: Duration,
    /// What went through the relay.
    pub echo: Echo,
    /// Whether the server said that the allocations are gone.
    pub released: bool,
}

/// Packets from one allocation to the other and back: four times the way between here and the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Echo {
    /// Packets sent, one after the other.
    pub sent: u32,
    /// Packets that came back as they were. At least one.
    pub returned: u32,
    /// Shortest round trip.
    pub rtt_min: Duration,
    /// Median round trip.
    pub rtt_median: Duration,
}

/// Allocates twice, sends packets from one relayed address to the other and back, and gives both
/// allocations back. The server must relay to its own addresses, as one does that serves both ends of a call.
///
/// # Errors
/// Why it does not work. What was allocated is given back all the same.
pub async fn relay(server: &ServerUrl, credentials: &Credentials, options: &Options) -> Result<Relay, Error> {
    let begun = Client::allocate(server, credentials, options);
    let (one, other) = tokio::join!(begun, Client::allocate(server, credentials, options));
    let (mut one, mut other) = match (one, other) {
        (Ok(one), Ok(other)) => (one, other),
        (Err(error), Ok(mut left)) | (Ok(mut left), Err(error)) => {
            left.release().await;
            return Err(error);
        }
        (Err(error), Err(_)) => return Err(error),
    };
    let echo = echo(&mut one, &mut other).await;
    let (a, b) = tokio::join!(one.release(), other.release());
    Ok(Relay {
        transport: one.link.transport,
        server: one.link.server,
        local: one.link.local,
        mapped: one.allocation.mapped,
        relayed: one.allocation.relayed,
        realm: one.realm,
        lifetime: one.allocation.lifetime,
        software: one.allocation.software,
        connected: one.link.connected,
        allocated: one.allocation.took,
        rtt: one.allocation.rtt,
        echo: echo?,
        released: a && b,
    })
}

async fn echo(one: &mut Client, other: &mut Client) -> Result<Echo, Error> {
    let (here, there) = (one.allocation.relayed, other.allocation.relayed);
    let (a, b) = tokio::join!(one.admit(there), other.admit(here));
    a.and(b)?;
    let (mut sent, mut times) = (0, Vec::new());
    for length in LENGTHS {
        if sent == HOPELESS && times.is_empty() {
            break;
        }
        let packet = packet(length);
        let begun = Instant::now();
        sent += 1;
        one.link.send(&packet).await?;
        if other.expect(&packet).await? {
            other.link.send(&packet).await?;
            if one.expect(&packet).await? {
                times.push(begun.elapsed());
            }
        }
    }
    times.sort_unstable();
    let (Some(rtt_min), Some(rtt_median)) = (times.first(), times.get(times.len() / 2)) else {
        return Err(Error::Lost { sent });
    };
    let returned = u32::try_from(times.len()).unwrap_or(sent);
    Ok(Echo { sent, returned, rtt_min: *rtt_min, rtt_median: *rtt_median })
}

/// Channel data of that many bytes, unlike any other.
fn packet(length: usize) -> Bytes {
    let mut packet = BytesMut::with_capacity(4 + length);
    packet.put_u16(CHANNEL);
    packet.put_u16(u16::try_from(length).unwrap_or_default());
    let id = transaction_id();
    packet.extend(id.iter().cycle().take(length));
    packet.freeze()
}

/// One allocation.
struct Client {
    link: Link,
    credentials: Credentials,
    within: Duration,
    realm: String,
    nonce: Vec<u8>,
    key: Option<[u8; 16]>,
    allocation: Allocation,
}

struct Allocation {
    relayed: SocketAddr,
    mapped: Option<SocketAddr>,
    lifetime: Duration,
    software: Option<String>,
    took: Duration,
    rtt: Duration,
}

impl Client {
    async fn allocate(
        server: &ServerUrl,
        credentials: &Credentials,
        options: &Options,
    ) -> Result<Self, Error> {
        let link = Link::open(server, options).await?;
        let unset = SocketAddr::new(super::Family::V4.unspecified(), 0);
        let zero = Duration::ZERO;
        let mut client = Self {
            link,
            credentials: credentials.clone(),
            within: options.within,
            realm: String::new(),
            nonce: Vec::new(),
            key: None,
            allocation: Allocation {
                relayed: unset,
                mapped: None,
                lifetime: zero,
                software: None,
                took: zero,
                rtt: zero,
            },
        };
        let begun = Instant::now();
        let answer =
            client.ask(method::ALLOCATE, |ask| ask.attribute(attribute::REQUESTED_TRANSPORT, &UDP)).await?;
        let message = &answer.message;
        let relayed =
            message.xor_address(attribute::XOR_RELAYED_ADDRESS).ok_or(Error::Lacks("relayed address"))?;
        let lifetime = message.number(attribute::LIFETIME).ok_or(Error::Lacks("lifetime"))?;
        client.allocation = Allocation {
            relayed,
            mapped: message.mapped(),
            lifetime: Duration::from_secs(lifetime.into()),
            software: software(message),
            took: begun.elapsed(),
            rtt: answer.rtt,
        };
        Ok(client)
    }

    /// Lets `peer` in, and gives it a channel.
    async fn admit(&mut self, peer: SocketAddr) -> Result<(), Error> {
        self.ask(method::CREATE_PERMISSION, |ask| ask.xor_address(attribute::XOR_PEER_ADDRESS, peer)).await?;
        let channel = u32::from(CHANNEL) << 16;
        self.ask(method::CHANNEL_BIND, |ask| {
            ask.attribute(attribute::CHANNEL_NUMBER, &channel.to_be_bytes())
                .xor_address(attribute::XOR_PEER_ADDRESS, peer)
        })
        .await?;
        Ok(())
    }

    /// Whether this packet comes in time. Others, late ones, are passed over.
    async fn expect(&mut self, packet: &[u8]) -> Result<bool, Error> {
        let until = Instant::now() + PACKET_WITHIN;
        while let Some(datagram) = self.link.receive(until).await? {
            // A datagram may be padded (RFC 8656, section 12.5).
            if datagram.get(..packet.len()) == Some(packet) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Gives the allocation back; whether the server agrees.
    async fn release(&mut self) -> bool {
        self.ask(method::REFRESH, |ask| ask.attribute(attribute::LIFETIME, &[0; 4])).await.is_ok()
    }

    /// Asks with long-term credentials (RFC 8489, section 9.2), the first time after a refusal that says
    /// how, and again when the nonce has become stale. An answer is a signed success.
    async fn ask(&mut self, method: u16, fill: impl Fn(Writer) -> Writer) -> Result<Answer, Error> {
        let mut stale = 0;
        loop {
            let id = transaction_id();
            let mut writer = fill(Writer::new(Class::Request, method, id));
            if let Some(key) = &self.key {
                writer = writer
                    .attribute(attribute::USERNAME, self.credentials.username.as_bytes())
                    .attribute(attribute::REALM, self.realm.as_bytes())
                    .attribute(attribute::NONCE, &self.nonce)
                    .integrity(key);
            }
            let question = Question { to: self.link.server, id, method, request: writer.finish()? };
            let answer = self.link.ask(&question, self.within).await?;
            let message = &answer.message;
            if message.class == Class::Success {
                return match self.key {
                    Some(key) if !message.is_signed(&key) => Err(Error::Unsigned),
                    _ => Ok(answer),
                };
            }
            match message.error() {
                Some((401, _)) if self.key.is_none() => {}
                Some((438, _)) if stale < MAX_STALE => stale += 1,
                _ => return Err(Error::refusal(message)),
            }
            self.realm = message.text(attribute::REALM).unwrap_or(&self.realm).to_owned();
            self.nonce = message.text(attribute::NONCE).ok_or(Error::Lacks("nonce"))?.as_bytes().to_vec();
            let Credentials { username, password } = &self.credentials;
            self.key = Some(long_term_key(username, &self.realm, password));
        }
    }
}
