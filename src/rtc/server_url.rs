//! URLs of STUN and TURN servers (RFC 7064, RFC 7065). Pure: names are not looked up here.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use thiserror::Error;

/// What the server is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Addresses only.
    Stun,
    /// Relaying, and addresses.
    Turn,
}

/// How the server is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// One datagram a message.
    Udp,
    /// A plain TCP connection.
    Tcp,
    /// TLS over TCP: `stuns:` and `turns:`.
    Tls,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
        })
    }
}

/// `stun:host[:port]`, `stuns:...`, `turn:host[:port][?transport=udp|tcp]` or `turns:...[?transport=tcp]`.
///
/// `?transport=` is taken after `stun:` too, though RFC 7064 knows none: it is written often.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ServerUrl {
    /// What the server is asked for.
    pub scheme: Scheme,
    /// How it is reached.
    pub transport: Transport,
    /// A name or an address; an IPv6 address without brackets.
    pub host: String,
    /// 3478 if not given, over TLS 5349.
    pub port: u16,
}

/// Why a text is not the URL of a STUN or TURN server that can be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Invalid {
    /// Another scheme, or none.
    #[error("not a STUN or TURN server: {0:?} (for example turn:turn.example.org:3478?transport=tcp)")]
    Scheme(String),
    /// No usable host, or no usable port.
    #[error("no usable host and port in {0:?} (for example turn:turn.example.org:3478)")]
    Host(String),
    /// Something other than `?transport=udp` or `?transport=tcp`.
    #[error("unknown option in {0:?} (only ?transport=udp and ?transport=tcp)")]
    Query(String),
    /// DTLS, which `turns:` with `transport=udp` means.
    #[error("TURN over DTLS is not supported: {0:?} (turns: is TLS over TCP)")]
    Dtls(String),
}

impl FromStr for ServerUrl {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = |kind: fn(String) -> Invalid| kind(text.to_owned());
        let (scheme, rest) = text.split_once(':').ok_or_else(|| invalid(Invalid::Scheme))?;
        let (scheme, secure) = match scheme.to_ascii_lowercase().as_str() {
            "stun" => (Scheme::Stun, false),
            "stuns" => (Scheme::Stun, true),
            "turn" => (Scheme::Turn, false),
            "turns" => (Scheme::Turn, true),
            _ => return Err(invalid(Invalid::Scheme)),
        };
        let (authority, query) = match rest.split_once('?') {
            Some((authority, query)) => (authority, Some(query.to_ascii_lowercase())),
            None => (rest, None),
        };
        let transport = match (secure, query.as_deref()) {
            (false, None | Some("transport=udp")) => Transport::Udp,
            (false, Some("transport=tcp")) => Transport::Tcp,
            (true, None | Some("transport=tcp")) => Transport::Tls,
            (true, Some("transport=udp")) => return Err(invalid(Invalid::Dtls)),
            _ => return Err(invalid(Invalid::Query)),
        };
        let (host, port) = split(authority).ok_or_else(|| invalid(Invalid::Host))?;
        let port = port.unwrap_or(if secure { 5349 } else { 3478 });
        Ok(Self { scheme, transport, host: host.to_owned(), port })
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.scheme {
            Scheme::Stun => "stun",
            Scheme::Turn => "turn",
        };
        let secure = if self.transport == Transport::Tls { "s" } else { "" };
        match self.host.contains(':') {
            true => write!(f, "{scheme}{secure}:[{}]:{}", self.host, self.port)?,
            false => write!(f, "{scheme}{secure}:{}:{}", self.host, self.port)?,
        }
        match (self.scheme, self.transport) {
            (Scheme::Turn, Transport::Udp) => f.write_str("?transport=udp"),
            (Scheme::Stun, Transport::Udp) | (Scheme::Stun, Transport::Tls) => Ok(()),
            (_, Transport::Tcp | Transport::Tls) => f.write_str("?transport=tcp"),
        }
    }
}

/// Host and port of `host[:port]` or `[v6][:port]`.
fn split(authority: &str) -> Option<(&str, Option<u16>)> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        host.parse::<Ipv6Addr>().ok()?;
        return Some((host, port(rest)?));
    }
    let at = authority.find(':').unwrap_or(authority.len());
    let (host, rest) = authority.split_at(at);
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let named = !host.is_empty() && host.len() <= 253 && host.chars().all(plain);
    named.then_some(())?;
    Some((host, port(rest)?))
}

/// The port of nothing or `:port`. `None` when it is neither.
fn port(rest: &str) -> Option<Option<u16>> {
    if rest.is_empty() {
        return Some(None);
    }
    let digits = rest.strip_prefix(':')?;
    let port = digits.parse().ok().filter(|port| *port != 0)?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then_some(Some(port))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn urls_are_read_and_written() {
        let cases = [
            ("stun:stun.example.org", "stun:stun.example.org:3478"),
            ("STUN:192.0.2.1:19302", "stun:192.0.2.1:19302"),
            ("stun:h?transport=tcp", "stun:h:3478?transport=tcp"),
            ("stuns:h", "stuns:h:5349"),
            ("turn:h", "turn:h:3478?transport=udp"),
            ("turn:[2001:db8::1]:99?transport=TCP", "turn:[2001:db8::1]:99?transport=tcp"),
            ("turns:turn-1.example.org:443?transport=tcp", "turns:turn-1.example.org:443?transport=tcp"),
            ("turns:[::1]", "turns:[::1]:5349?transport=tcp"),
        ];
        for (text, written) in cases {
            let url: ServerUrl = text.parse().unwrap();
            assert_eq!(url.to_string(), written);
            assert_eq!(written.parse(), Ok(url));
        }
    }

    #[test]
    fn what_cannot_be_used_is_refused_with_the_reason() {
        let refused = |text: &str| text.parse::<ServerUrl>().unwrap_err();
        for text in ["", "turn", "http://h", "h:3478"] {
            assert!(matches!(refused(text), Invalid::Scheme(_)), "{text}");
        }
        let hosts =
            ["turn:", "turn:h:", "turn:h:0", "turn:h:+1", "turn:h:70000", "turn:u@h", "turn://h", "turn:[h]"];
        for text in hosts.into_iter().chain(["turn:::1", "turn:[::1", "turn:[::1]x", "turn:a b", "turn:h/x"])
        {
            assert!(matches!(refused(text), Invalid::Host(_)), "{text}");
        }
        for text in ["turn:h?", "turn:h?transport=sctp", "turn:h?transport=tcp&x=1"] {
            assert!(matches!(refused(text), Invalid::Query(_)), "{text}");
        }
        assert!(matches!(refused("turns:h?transport=udp"), Invalid::Dtls(_)));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(turn|stuns?):.{0,30}") {
            if let Ok(url) = text.parse::<ServerUrl>() {
                prop_assert_eq!(url.to_string().parse(), Ok(url));
            }
        }
    }
}
