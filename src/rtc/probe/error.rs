//! Why a question has no answer, each with what to do about it.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use thiserror::Error;

use super::Family;
use crate::rtc::server_url::Transport;
use crate::rtc::stream::{self, TrustError};
use crate::rtc::stun::{self, Message, attribute};

/// Why a question to a server has no answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Error {
    /// The server's name is not known.
    #[error("cannot resolve {host}: {reason} (is the name right, and does DNS work here?)")]
    Resolve {
        /// The name.
        host: String,
        /// What the system says.
        reason: String,
    },
    /// The server has no address of that family.
    #[error("{host} has no {family} address")]
    NoAddress {
        /// The name.
        host: String,
        /// The family that was asked for.
        family: Family,
    },
    /// The local address cannot be used.
    #[error("cannot send from {from}: {reason}")]
    Local {
        /// The local address.
        from: IpAddr,
        /// What the system says.
        reason: String,
    },
    /// There is no way to the server's address.
    #[error("no route to {to}: {reason}")]
    Unreachable {
        /// The server's address.
        to: SocketAddr,
        /// What the system says.
        reason: String,
    },
    /// Nothing listens at that UDP port.
    #[error("nothing listens on UDP at {to} (is the server running, and is the port right?)")]
    Refused {
        /// The server's address.
        to: SocketAddr,
    },
    /// Nothing came back.
    #[error("no answer from {to} over {transport} within {} s{}", within.as_secs_f32(), silence(*transport))]
    Silent {
        /// The server's address.
        to: SocketAddr,
        /// How it was asked.
        transport: Transport,
        /// How long was waited.
        within: Duration,
    },
    /// There is no connection, or it ended.
    #[error(transparent)]
    Stream(#[from] stream::Error),
    /// There are no authorities to check certificates with.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// A question cannot be written: a user name or a password is too long.
    #[error("cannot ask: {0}")]
    Unwritable(#[from] stun::Error),
    /// What NATs do to UDP is only seen over UDP.
    #[error("this is asked over UDP only (use a stun: URL)")]
    UdpOnly,
    /// The server wants other credentials (401).
    #[error(
        "the TURN server refuses this user name or password \
         (401: check them; time-limited ones may have run out, or the clocks differ)"
    )]
    Unauthorized,
    /// The server goes on wanting a newer nonce (438).
    #[error(
        "the TURN server calls each nonce stale (438: a load balancer may send each packet to another server)"
    )]
    StaleNonce,
    /// The server takes the allocation for somebody else's (437).
    #[error("the TURN server mixes this allocation up with an older one (437: try again in a minute)")]
    Mismatch,
    /// The user has too many allocations (486).
    #[error(
        "the TURN server's quota for this user is used up \
         (486: wait until other allocations end, or raise user-quota)"
    )]
    Quota,
    /// The server has no room (508).
    #[error("the TURN server has no relay address left (508: its ports or total quota are used up)")]
    Capacity,
    /// The server does not do that for this user or peer (403).
    #[error(
        "the TURN server forbids it (403: its rules for peers, such as denied-peer-ip, or for this user)"
    )]
    Forbidden,
    /// The server relays for no address of that family (440, 443).
    #[error("the TURN server has no relay address of this family ({0})")]
    Family(u16),
    /// The server does not relay UDP (442).
    #[error("the TURN server does not relay UDP (442)")]
    RelayTransport,
    /// The server names another one (300).
    #[error("the TURN server sends its clients elsewhere{} \
         (300: use that server's name in the URL)", elsewhere(*.0))]
    TryAlternate(Option<SocketAddr>),
    /// Any other refusal.
    #[error("the server refuses: {code} {reason}")]
    Status {
        /// The error code, 300 to 699.
        code: u16,
        /// The server's words.
        reason: String,
    },
    /// The answer does not show that the server knows the password.
    #[error(
        "the TURN server's answer is not signed with the password (something between may have changed it)"
    )]
    Unsigned,
    /// The answer lacks what it must have.
    #[error("the server's answer has no {0} (is this a STUN or TURN server?)")]
    Lacks(&'static str),
    /// The relay was set up and carried nothing.
    #[error(
        "nothing of {sent} packets came back through the relay \
         (a firewall before the relay's own ports, usually UDP 49152 to 65535?)"
    )]
    Lost {
        /// Packets sent.
        sent: u32,
    },
}

impl Error {
    /// What an error response means.
    pub(super) fn refusal(answer: &Message) -> Self {
        let Some((code, reason)) = answer.error() else {
            return Self::Lacks("error code");
        };
        match code {
            300 => Self::TryAlternate(answer.address(attribute::ALTERNATE_SERVER)),
            401 => Self::Unauthorized,
            403 => Self::Forbidden,
            437 => Self::Mismatch,
            438 => Self::StaleNonce,
            440 | 443 => Self::Family(code),
            442 => Self::RelayTransport,
            486 => Self::Quota,
            508 => Self::Capacity,
            _ => Self::Status { code, reason },
        }
    }
}

fn silence(transport: Transport) -> &'static str {
    match transport {
        Transport::Udp => " (a firewall may drop UDP; or nothing listens there)",
        Transport::Tcp | Transport::Tls => " (it accepts connections, but is it a STUN or TURN server?)",
    }
}

fn elsewhere(to: Option<SocketAddr>) -> String {
    to.map(|to| format!(", to {to}")).unwrap_or_default()
}
