//! Questions to STUN and TURN servers, for `letsmeet doctor`: what address others see, what the NAT
//! before this machine does, whether a TURN server lets this user in and carries data. A client of its
//! own, apart from the library that makes the calls: it says why something does not work.
//!
//! Every question ends within a time that the caller sets, and every answer is plain data. What a server
//! cannot tell is [`Unknown`](Verdict::Unknown), and never `false`. It knows nothing of calls and prints
//! nothing; the command drives it. Dropping a question ends it.

mod binding;
mod error;
mod link;
mod nat;
mod relay;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

pub use binding::{Binding, binding};
pub use error::Error;
pub use nat::{Behaviour, Comparison, Nat, Unknown, Verdict, compare, nat};
pub use relay::{Echo, Relay, relay};

use super::server_url::ServerUrl;
use super::stream::Trust;

/// How long one question may take when nothing else is said: four transmissions of a request over UDP
/// (RFC 8489, section 6.2.1).
pub const WITHIN: Duration = Duration::from_secs(5);

/// A family of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::V4 } else { Self::V6 }
    }

    fn unspecified(self) -> IpAddr {
        match self {
            Self::V4 => Ipv4Addr::UNSPECIFIED.into(),
            Self::V6 => Ipv6Addr::UNSPECIFIED.into(),
        }
    }
}

impl std::fmt::Display for Family {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        })
    }
}

/// How questions are asked.
#[derive(Debug, Clone)]
pub struct Options {
    /// The local address to ask from; the one that the system takes for that server without.
    pub from: Option<IpAddr>,
    /// Which addresses of the server are used; without, those of the first one that its name has. `from`
    /// decides if it is given.
    pub family: Option<Family>,
    /// How long each question may take. Connecting over TCP and TLS has its own times on top.
    pub within: Duration,
    /// Whose certificates are accepted; those of the system without.
    pub trust: Option<Trust>,
}

impl Default for Options {
    fn default() -> Self {
        Self { from: None, family: None, within: WITHIN, trust: None }
    }
}

impl Options {
    fn family(&self) -> Option<Family> {
        self.from.map(Family::of).or(self.family)
    }
}

/// The addresses of a server, of one family only.
async fn resolve(server: &ServerUrl, options: &Options) -> Result<Vec<SocketAddr>, Error> {
    let unresolved = |reason: String| Error::Resolve { host: server.host.clone(), reason };
    let lookup = tokio::net::lookup_host((server.host.as_str(), server.port));
    let found: Vec<SocketAddr> = match tokio::time::timeout(options.within, lookup).await {
        Ok(Ok(found)) => found.collect(),
        Ok(Err(error)) => return Err(unresolved(error.to_string())),
        Err(_) => return Err(unresolved(format!("no answer within {} s", options.within.as_secs()))),
    };
    let first = found.first().map(|address| Family::of(address.ip()));
    let Some(family) = options.family().or(first) else {
        return Err(unresolved("no addresses".to_owned()));
    };
    let addresses: Vec<_> = found.into_iter().filter(|address| Family::of(address.ip()) == family).collect();
    match addresses.is_empty() {
        true => Err(Error::NoAddress { host: server.host.clone(), family }),
        false => Ok(addresses),
    }
}

#[cfg(test)]
mod tests;
