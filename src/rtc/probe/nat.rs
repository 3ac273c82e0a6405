//! What the NATs and firewalls before this machine do to UDP (RFC 4787, RFC 5780).

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::UdpSocket;

use super::binding::{mapped, question};
use super::link::{Answer, FIRST_PAUSE, Question, ask_all, bind, local_address};
use super::{Error, Options, resolve};
use crate::rtc::server_url::{ServerUrl, Transport};
use crate::rtc::stun::{Class, Message, attribute};

/// CHANGE-REQUEST: answer from the other address and the other port (RFC 5780, section 7.2).
const CHANGE_BOTH: u8 = 0x06;
/// CHANGE-REQUEST: answer from the other port.
const CHANGE_PORT: u8 = 0x02;
/// Silence has to be told from loss: requests go out five times within this.
const SILENCE_WITHIN: Duration = Duration::from_millis(2500);
/// Shortest first pause where silence is one of the answers.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);

/// How mapping, or filtering, depends on where packets go (RFC 4787, sections 4.1 and 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Behaviour {
    /// Not at all: the most open one.
    EndpointIndependent,
    /// On the other side's address.
    AddressDependent,
    /// On the other side's address and port: the most closed one.
    AddressAndPortDependent,
}

/// A finding, or why there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict<T> {
    /// It was seen.
    Known(T),
    /// It cannot be told. This is never a no.
    Unknown(Unknown),
}

/// Why something cannot be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Unknown {
    /// The server has one address, or does not tell of its other one.
    #[error("the server has no second address (RFC 5780 needs one)")]
    NoOtherAddress,
    /// The server's other address does not answer.
    #[error("the server's second address does not answer")]
    OtherSilent,
    /// The server answers from the same address although another one was asked for, or refuses.
    #[error("the server does not answer from its second address when asked to")]
    CannotChange,
    /// Two servers that share an address show too little.
    #[error("the two servers have the same address")]
    SameServer,
}

/// What was found out with one server that has two addresses and two ports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nat {
    /// The server's address.
    pub server: SocketAddr,
    /// Its other address and port, if it tells of one.
    pub other: Option<SocketAddr>,
    /// Where the requests left from.
    pub local: SocketAddr,
    /// Where the server saw them come from.
    pub mapped: SocketAddr,
    /// Time to the first answer, from its latest transmission on.
    pub rtt: Duration,
    /// Whether there is a NAT: `mapped` is not `local`. Filtering may be a firewall's even without one.
    pub translated: bool,
    /// Which packets leave with the same mapped address.
    pub mapping: Verdict<Behaviour>,
    /// Which packets from outside are let in.
    pub filtering: Verdict<Behaviour>,
    /// Whether two sockets on this machine reach each other by the mapped address (RFC 4787, section 6).
    /// `None` without a NAT.
    pub hairpin: Option<bool>,
}

/// What two ordinary servers show of the mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// Where the requests left from: one socket.
    pub local: SocketAddr,
    /// Each server's address, and where it saw them come from.
    pub seen: [(SocketAddr, SocketAddr); 2],
    /// Whether there is a NAT.
    pub translated: bool,
    /// Whether the mapping is the same for both, which is what hole punching needs. If not, it depends on
    /// the address, and perhaps on the port too: two servers cannot tell which.
    pub endpoint_independent: Verdict<bool>,
}

/// Asks one server what RFC 5780 asks: mapping and filtering at once, and hairpinning. Takes about
/// three seconds longer than the first answer where something is filtered.
///
/// # Errors
/// The server does not answer at all, or the URL is not for UDP.
pub async fn nat(server: &ServerUrl, options: &Options) -> Result<Nat, Error> {
    let to = address(server, options).await?;
    let from = local_address(to, options).await?;
    let (socket, local) = bind(from).await?;
    let first = ask_one(&socket, to, FIRST_PAUSE, options).await?;
    let seen = mapped(&first.message)?;
    let other = other(&first.message, to);
    let translated = seen != local;
    let pause = (first.rtt * 2).clamp(SHORTEST_PAUSE, FIRST_PAUSE);
    // A socket that has never sent to the other address: a NAT lets in what was sent to.
    let (fresh, _) = bind(from).await?;
    let (mapping, filtering, hairpin) = tokio::join!(
        mapping(&socket, to, other, seen, pause),
        filtering(&fresh, to, pause, options),
        hairpin(from, translated, to, pause, options),
    );
    let (mapping, alive) = mapping?;
    let filtering = match (other, filtering?) {
        (None, _) => Verdict::Unknown(Unknown::NoOtherAddress),
        (Some(_), Filtering::Open(behaviour)) => Verdict::Known(behaviour),
        (Some(_), Filtering::Ignored) => Verdict::Unknown(Unknown::CannotChange),
        // Nothing came: it was filtered only if there was something to filter.
        (Some(_), Filtering::Nothing) if alive => Verdict::Known(Behaviour::AddressAndPortDependent),
        (Some(_), Filtering::Nothing) => Verdict::Unknown(Unknown::OtherSilent),
    };
    Ok(Nat {
        server: to,
        other,
        local,
        mapped: seen,
        rtt: first.rtt,
        translated,
        mapping,
        filtering,
        hairpin: hairpin?,
    })
}

/// Compares the mapping for two servers, of which neither needs to know RFC 5780.
///
/// # Errors
/// One of them does not answer, or a URL is not for UDP.
pub async fn compare(one: &ServerUrl, other: &ServerUrl, options: &Options) -> Result<Comparison, Error> {
    let first = address(one, options).await?;
    let options = Options { family: Some(super::Family::of(first.ip())), ..options.clone() };
    let second = address(other, &options).await?;
    let (socket, local) = bind(local_address(first, &options).await?).await?;
    let questions = [question(first, None)?, question(second, None)?];
    let mut seen = [(first, local), (second, local)];
    let answers = ask_all(&socket, &questions, FIRST_PAUSE, options.within).await?;
    for (seen, answer) in seen.iter_mut().zip(answers) {
        seen.1 = mapped(&answer.ok_or(silent(seen.0, &options))?.message)?;
    }
    let same = seen[0].1 == seen[1].1;
    let endpoint_independent = match first.ip() == second.ip() && same {
        true => Verdict::Unknown(Unknown::SameServer),
        false => Verdict::Known(same),
    };
    Ok(Comparison { local, seen, translated: seen[0].1 != local, endpoint_independent })
}

async fn address(server: &ServerUrl, options: &Options) -> Result<SocketAddr, Error> {
    if server.transport != Transport::Udp {
        return Err(Error::UdpOnly);
    }
    resolve(server, options).await?.first().copied().ok_or(Error::Lacks("address"))
}

async fn ask_one(
    socket: &UdpSocket,
    to: SocketAddr,
    pause: Duration,
    options: &Options,
) -> Result<Answer, Error> {
    let answers = ask_all(socket, &[question(to, None)?], pause, options.within).await?;
    answers.into_iter().flatten().next().ok_or(silent(to, options))
}

fn silent(to: SocketAddr, options: &Options) -> Error {
    Error::Silent { to, transport: Transport::Udp, within: options.within }
}

/// The server's other address, if it differs in both address and port, as it must.
fn other(answer: &Message, to: SocketAddr) -> Option<SocketAddr> {
    answer
        .address(attribute::OTHER_ADDRESS)
        .or_else(|| answer.address(attribute::CHANGED_ADDRESS))
        .filter(|other| other.is_ipv4() == to.is_ipv4() && other.ip() != to.ip() && other.port() != to.port())
        .filter(|other| !other.ip().is_unspecified() && !other.ip().is_multicast() && other.port() != 0)
}

/// RFC 5780, section 4.3, and whether the other address answers.
async fn mapping(
    socket: &UdpSocket,
    to: SocketAddr,
    other: Option<SocketAddr>,
    first: SocketAddr,
    pause: Duration,
) -> Result<(Verdict<Behaviour>, bool), Error> {
    let Some(other) = other else {
        return Ok((Verdict::Unknown(Unknown::NoOtherAddress), false));
    };
    let second = SocketAddr::new(other.ip(), to.port());
    let questions = [question(second, None)?, question(other, None)?];
    // No way to the other address at all is silence of it too.
    let answers = ask_all(socket, &questions, pause, SILENCE_WITHIN).await.unwrap_or_default();
    let seen: Vec<Option<SocketAddr>> =
        answers.iter().map(|answer| mapped(&answer.as_ref()?.message).ok()).collect();
    let alive = seen.iter().any(Option::is_some);
    let verdict = match seen[..] {
        [Some(second), _] if second == first => Verdict::Known(Behaviour::EndpointIndependent),
        [Some(second), Some(third)] if second == third => Verdict::Known(Behaviour::AddressDependent),
        [Some(_), Some(_)] => Verdict::Known(Behaviour::AddressAndPortDependent),
        _ => Verdict::Unknown(Unknown::OtherSilent),
    };
    Ok((verdict, alive))
}

/// What came of asking for answers from elsewhere.
enum Filtering {
    Open(Behaviour),
    Nothing,
    /// The answer came from where the request went.
    Ignored,
}

/// RFC 5780, section 4.4, with both of its questions at once: neither makes the NAT let the other in.
async fn filtering(
    socket: &UdpSocket,
    to: SocketAddr,
    pause: Duration,
    options: &Options,
) -> Result<Filtering, Error> {
    ask_one(socket, to, pause, options).await?;
    let questions: [Question; 2] = [question(to, Some(CHANGE_BOTH))?, question(to, Some(CHANGE_PORT))?];
    let answers = ask_all(socket, &questions, pause, SILENCE_WITHIN).await?;
    let changed = |at: usize, fits: &dyn Fn(SocketAddr) -> bool| match answers.get(at) {
        Some(Some(answer)) => Some(answer.message.class == Class::Success && fits(answer.from)),
        _ => None,
    };
    let both = changed(0, &|from| from.ip() != to.ip() && from.port() != to.port());
    let port = changed(1, &|from| from.ip() == to.ip() && from.port() != to.port());
    Ok(match (both, port) {
        (Some(true), _) => Filtering::Open(Behaviour::EndpointIndependent),
        (Some(false), _) | (None, Some(false)) => Filtering::Ignored,
        (None, Some(true)) => Filtering::Open(Behaviour::AddressDependent),
        (None, None) => Filtering::Nothing,
    })
}

/// Whether what one socket sends to the mapped address of another one arrives. The other socket has
/// sent to itself too, for a NAT that filters.
async fn hairpin(
    from: std::net::IpAddr,
    translated: bool,
    to: SocketAddr,
    pause: Duration,
    options: &Options,
) -> Result<Option<bool>, Error> {
    if !translated {
        return Ok(None);
    }
    let ((inner, _), (outer, _)) = (bind(from).await?, bind(from).await?);
    let inner_seen = mapped(&ask_one(&inner, to, pause, options).await?.message)?;
    let outer_seen = mapped(&ask_one(&outer, to, pause, options).await?.message)?;
    let (there, back) = (question(inner_seen, None)?, question(outer_seen, None)?);
    // Each asks the other one; what arrives is a request, which answers nothing: it is looked for by its id.
    let mut buffer = [0; 512];
    let heard = async {
        loop {
            let Ok((length, _)) = inner.recv_from(&mut buffer).await else {
                continue;
            };
            let bytes = bytes::Bytes::copy_from_slice(&buffer[..length]);
            if Message::read(bytes).is_ok_and(|message| message.id == there.id) {
                return;
            }
        }
    };
    let speak = async {
        let mut pause = pause;
        loop {
            // A way that is not there is what this is about.
            let _ = inner.send_to(&back.request, back.to).await;
            let _ = outer.send_to(&there.request, there.to).await;
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
    };
    Ok(Some(tokio::select! {
        () = heard => true,
        () = speak => false,
        () = tokio::time::sleep(SILENCE_WITHIN) => false,
    }))
}
