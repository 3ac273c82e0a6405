//! Remote candidates (RFC 8839, section 5.1) are judged here before the library sees them. Pure.

use std::net::{IpAddr, SocketAddr};

use super::config::{Candidate, MAX_CANDIDATE};
use super::error::Error;

/// What to do with a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Give it to the ICE agent.
    Use,
    /// Well-formed and of no use here: TCP, another component, mDNS when that is off, the end mark.
    Skip,
}

/// Judges one candidate.
///
/// # Errors
///
/// [`Error::Candidate`] when it is too long, cannot be parsed, or names an address that nothing may
/// be sent to.
pub(super) fn judge(candidate: &Candidate, mdns: bool) -> Result<Verdict, Error> {
    let text = candidate.candidate.as_str();
    if text.len() > MAX_CANDIDATE {
        return Err(wrong("it is longer than 1 KiB"));
    }
    if text.bytes().any(|b| b.is_ascii_control()) {
        return Err(wrong("it contains control characters"));
    }
    if text.is_empty() {
        return Ok(Verdict::Skip);
    }
    let Some(value) = text.strip_prefix("candidate:") else {
        return Err(wrong("it does not start with \"candidate:\""));
    };
    let words: Vec<&str> = value.split_ascii_whitespace().collect();
    let [_, component, transport, priority, address, port, "typ", kind, rest @ ..] = &words[..] else {
        return Err(wrong("it is too short"));
    };
    let (Ok(component), Ok(_), Ok(port)) =
        (component.parse::<u16>(), priority.parse::<u32>(), port.parse::<u16>())
    else {
        return Err(wrong("a number in it is out of range"));
    };
    if !matches!(*kind, "host" | "srflx" | "prflx" | "relay") {
        return Err(wrong("its type is unknown"));
    }
    if *kind != "host" && !related(rest) {
        return Err(wrong("its related address is malformed"));
    }
    if component != 1 || !transport.eq_ignore_ascii_case("udp") {
        return Ok(Verdict::Skip);
    }
    match address.parse::<IpAddr>() {
        Ok(ip) if reachable(ip) && port != 0 => Ok(Verdict::Use),
        Ok(_) => Err(wrong("nothing can be sent to its address")),
        Err(_) if *kind == "host" && local_name(address) && port != 0 => {
            Ok(if mdns { Verdict::Use } else { Verdict::Skip })
        }
        Err(_) => Err(wrong("its address is neither an IP address nor a .local name")),
    }
}

/// Address and type of a candidate that passed, unless its address is a name.
pub(super) fn address(candidate: &Candidate) -> Option<(SocketAddr, &str)> {
    let mut words = candidate.candidate.split_ascii_whitespace().skip(4);
    let ip: IpAddr = words.next()?.parse().ok()?;
    let port = words.next()?.parse().ok()?;
    Some((SocketAddr::new(ip, port), words.nth(1)?))
}

fn wrong(what: &str) -> Error {
    Error::Candidate(what.to_owned())
}

/// `raddr ADDRESS rport PORT`, which all but host candidates carry; browsers may leave it out.
fn related(rest: &[&str]) -> bool {
    match rest {
        ["raddr", address, "rport", port, ..] => {
            address.parse::<IpAddr>().is_ok() && port.parse::<u16>().is_ok()
        }
        ["raddr", ..] | ["rport", ..] => false,
        _ => true,
    }
}

fn reachable(ip: IpAddr) -> bool {
    let broadcast = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast());
    !ip.is_unspecified() && !ip.is_multicast() && !broadcast
}

/// One label of letters, digits and hyphens under `.local` (RFC 6762).
fn local_name(name: &str) -> bool {
    name.strip_suffix(".local").is_some_and(|label| {
        (1..=63).contains(&label.len()) && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn verdict(text: &str) -> Result<Verdict, Error> {
        let candidate = Candidate { candidate: text.to_owned(), mid: "0".to_owned(), mline: 0 };
        judge(&candidate, true)
    }

    #[test]
    fn candidates_are_judged_as_the_table_says() {
        use Verdict::{Skip, Use};
        let table: &[(&str, Option<Verdict>)] = &[
            ("", Some(Skip)),
            ("candidate:1 1 udp 2130706431 192.0.2.1 5000 typ host", Some(Use)),
            ("candidate:1 1 UDP 2130706431 192.0.2.1 5000 typ host generation 0 ufrag x", Some(Use)),
            ("candidate:1 1 udp 1 2001:db8::1 5000 typ host", Some(Use)),
            ("candidate:1 1 udp 1 127.0.0.1 5000 typ host", Some(Use)),
            ("candidate:1 1 udp 1 198.51.100.1 5 typ srflx raddr 10.0.0.1 rport 7", Some(Use)),
            ("candidate:1 1 udp 1 198.51.100.1 5 typ relay raddr 0.0.0.0 rport 0", Some(Use)),
            ("candidate:1 1 udp 1 a1b2-c3.local 5000 typ host", Some(Use)),
            ("candidate:1 1 tcp 1 192.0.2.1 9 typ host tcptype active", Some(Skip)),
            ("candidate:1 2 udp 1 192.0.2.1 5000 typ host", Some(Skip)),
            ("candidate:", None),
            ("a=candidate:1 1 udp 1 192.0.2.1 5000 typ host", None),
            ("candidate:1 1 udp 1 192.0.2.1 70000 typ host", None),
            ("candidate:1 1 udp -1 192.0.2.1 5000 typ host", None),
            ("candidate:1 1 udp 1 192.0.2.1 0 typ host", None),
            ("candidate:1 1 udp 1 0.0.0.0 5000 typ host", None),
            ("candidate:1 1 udp 1 224.0.0.1 5000 typ host", None),
            ("candidate:1 1 udp 1 255.255.255.255 5000 typ host", None),
            ("candidate:1 1 udp 1 example.org 5000 typ host", None),
            ("candidate:1 1 udp 1 a.b.local 5000 typ host", None),
            ("candidate:1 1 udp 1 x.local 5000 typ srflx", None),
            ("candidate:1 1 udp 1 192.0.2.1 5000 typ nonsense", None),
            ("candidate:1 1 udp 1 192.0.2.1 5000 typ relay raddr", None),
            ("candidate:1 1 udp 1 192.0.2.1 5000 typ relay raddr x rport y", None),
            ("candidate:1 1 udp 1 192.0.2.1 5000\r\na=x typ host", None),
            ("candidate:1 1 udp 1 192.0.2.1 5000", None),
        ];
        for (text, expected) in table {
            assert_eq!(verdict(text).ok(), *expected, "{text}");
        }
        assert!(verdict(&format!("candidate:{}", "9".repeat(2000))).is_err());
    }

    #[test]
    fn names_of_the_local_network_are_skipped_without_multicast_dns() {
        let candidate = Candidate {
            candidate: "candidate:1 1 udp 1 abc.local 5000 typ host".to_owned(),
            mid: "0".to_owned(),
            mline: 0,
        };
        assert_eq!(judge(&candidate, false), Ok(Verdict::Skip));
    }

    proptest! {
        #[test]
        fn no_candidate_panics_and_what_is_used_the_library_can_read(
            text in "(candidate:)?[0-9a-z]{0,4} [0-9]{1,2} (udp|tcp|UDP) [0-9]{1,11} [0-9a-f.:]{0,20}(local)? [0-9]{1,6} typ (host|srflx|prflx|relay)( raddr [0-9.]{0,12} rport [0-9]{0,5})?"
        ) {
            if verdict(&text) == Ok(Verdict::Use) {
                let value = text.strip_prefix("candidate:").unwrap();
                prop_assert!(::rtc::ice::candidate::unmarshal_candidate(value).is_ok(), "{}", text);
            }
        }
    }
}
