//! Under which address a server sees this machine (RFC 8489, section 3).

use std::net::SocketAddr;
use std::time::Duration;

use super::link::{Link, Question};
use super::{Error, Options};
use crate::rtc::server_url::{ServerUrl, Transport};
use crate::rtc::stun::{Class, Message, Writer, attribute, method, transaction_id};

/// What a server answered to a binding request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// How it was asked.
    pub transport: Transport,
    /// The server's address.
    pub server: SocketAddr,
    /// Where the request left from.
    pub local: SocketAddr,
    /// Where it came from as the server saw it. The same as `local`: there is no NAT between.
    pub mapped: SocketAddr,
    /// From the latest transmission of the request to its answer.
    pub rtt: Duration,
    /// Transmissions of the request. More than one: something was lost, or took longer than half a second.
    pub sent: u32,
    /// How long connecting took, with its TLS handshake. `None` over UDP.
    pub connected: Option<Duration>,
    /// The server's name for itself.
    pub software: Option<String>,
}

/// Asks a STUN or TURN server for the address that it sees.
///
/// # Errors
/// Why there is no answer.
pub async fn binding(server: &ServerUrl, options: &Options) -> Result<Binding, Error> {
    let mut link = Link::open(server, options).await?;
    let answer = link.ask(&question(link.server, None)?, options.within).await?;
    let mapped = mapped(&answer.message)?;
    Ok(Binding {
        transport: link.transport,
        server: link.server,
        local: link.local,
        mapped,
        rtt: answer.rtt,
        sent: answer.sent,
        connected: link.connected,
        software: software(&answer.message),
    })
}

/// A binding request, which may ask for an answer from another address (RFC 5780, section 7.2).
pub(super) fn question(to: SocketAddr, change: Option<u8>) -> Result<Question, Error> {
    let id = transaction_id();
    let mut writer = Writer::new(Class::Request, method::BINDING, id);
    if let Some(change) = change {
        writer = writer.attribute(attribute::CHANGE_REQUEST, &[0, 0, 0, change]);
    }
    Ok(Question { to, id, method: method::BINDING, request: writer.finish()? })
}

/// The address in an answer to a binding request.
pub(super) fn mapped(answer: &Message) -> Result<SocketAddr, Error> {
    match answer.class {
        Class::Success => answer.mapped().ok_or(Error::Lacks("mapped address")),
        _ => Err(Error::refusal(answer)),
    }
}

/// The server's name for itself, short and without control characters.
pub(super) fn software(answer: &Message) -> Option<String> {
    let name: String =
        answer.text(attribute::SOFTWARE)?.chars().filter(|c| !c.is_control()).take(80).collect();
    (!name.is_empty()).then_some(name)
}
