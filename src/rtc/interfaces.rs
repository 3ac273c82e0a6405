//! Which local addresses to bind: looked up again each time the sockets are bound, so that an ICE
//! restart follows the machine to another network.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

/// One entry of the list of addresses given to the library, resolved at every bind.
#[derive(Debug, Clone)]
pub(super) enum Bind {
    /// Every usable address of every interface.
    Interfaces,
    /// Exactly this address.
    Address(IpAddr),
}

impl ToSocketAddrs for Bind {
    type Iter = std::vec::IntoIter<SocketAddr>;

    fn to_socket_addrs(&self) -> io::Result<Self::Iter> {
        let addresses = match self {
            Self::Address(address) => vec![*address],
            Self::Interfaces => local_addresses()?,
        };
        let sockets: Vec<_> = addresses.into_iter().map(|address| SocketAddr::new(address, 0)).collect();
        Ok(sockets.into_iter())
    }
}

/// The addresses of this machine under which others may reach it: those that a candidate can be made of.
///
/// # Errors
/// The system does not list its interfaces.
pub fn local_addresses() -> io::Result<Vec<IpAddr>> {
    let found = ::rtc::shared::ifaces::ifaces()?;
    Ok(choose(found.into_iter().filter_map(|i| i.addr).map(|a| a.ip())))
}

/// Leaves out what no candidate can be made of: unspecified, multicast and link-local addresses (a
/// candidate has no room for the scope that an IPv6 link-local address needs). Loopback counts only on a
/// machine that has nothing else: to any other machine it is noise, and TURN servers refuse it as a peer.
fn choose(found: impl Iterator<Item = IpAddr>) -> Vec<IpAddr> {
    let usable: BTreeSet<IpAddr> = found
        .filter(|ip| !ip.is_unspecified() && !ip.is_multicast())
        .filter(|ip| match ip {
            IpAddr::V4(v4) => !v4.is_link_local() && !v4.is_broadcast(),
            IpAddr::V6(v6) => (v6.segments()[0] & 0xffc0) != 0xfe80,
        })
        .collect();
    let (inner, outer): (Vec<_>, Vec<_>) = usable.into_iter().partition(IpAddr::is_loopback);
    if outer.is_empty() { inner } else { outer }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_local_and_meaningless_addresses_are_left_out() {
        let found = [
            "127.0.0.1",
            "10.1.2.3",
            "169.254.1.1",
            "0.0.0.0",
            "224.0.0.251",
            "::1",
            "fe80::1",
            "2001:db8::7",
            "10.1.2.3",
        ];
        let chosen = choose(found.iter().map(|text| text.parse().unwrap()));
        let texts: Vec<String> = chosen.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["10.1.2.3", "2001:db8::7"]);
    }

    #[test]
    fn loopback_serves_a_machine_without_a_network() {
        let found = ["127.0.0.1", "fe80::1", "::1"];
        let chosen = choose(found.iter().map(|text| text.parse().unwrap()));
        assert!(chosen.len() == 2 && chosen.iter().all(IpAddr::is_loopback));
    }

    #[test]
    fn this_machine_has_an_address() {
        assert!(Bind::Interfaces.to_socket_addrs().unwrap().count() >= 1);
        let one = Bind::Address("127.0.0.1".parse().unwrap());
        assert_eq!(one.to_socket_addrs().unwrap().count(), 1);
    }
}
