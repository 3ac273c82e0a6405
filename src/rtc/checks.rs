//! Keeps connectivity checks from flooding a thin link. The library's agent repeats the checks of all
//! pairs in rounds, and goes on to the next step of connecting only in a round, so rounds must be
//! short; but what goes over the wire for one destination may thin out quickly (RFC 8445, section 14).
//! This stands between the agent and the socket and swallows repetitions. Pure: time is an argument.
//!
//! It also holds checks through our own relay back for a moment. The other side may get one before it is told of the relay's
//! address, and takes that for a peer reflexive one then, which it prefers to the direct way through a NAT.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Pause after the first check to a destination; each further pause is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
/// Longest pause. Checks that keep a connected path alive come more rarely anyway.
const LONGEST_PAUSE: Duration = Duration::from_millis(400);
/// Destinations that are remembered. Checks to further ones are not thinned out.
const DESTINATIONS: usize = 512;

/// First bytes of a binding request: type 0x0001 (RFC 8489, section 6).
const BINDING_REQUEST: [u8; 2] = [0, 1];
const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const HEADER: usize = 20;
/// The attribute of a check that nominates its pair (RFC 8445, section 16.1).
const USE_CANDIDATE: u16 = 0x0025;
/// The attribute that every connectivity check carries, and no request to a STUN server does.
const PRIORITY: u16 = 0x0024;

/// A Send indication to a TURN server, and what it carries (RFC 8656, sections 18.1 and 18.4).
const SEND_INDICATION: [u8; 2] = [0, 0x16];
const DATA: u16 = 0x0013;
/// What a bound channel carries stands behind its number and a length (RFC 8656, section 12.4).
const CHANNELS: std::ops::RangeInclusive<u8> = 0x40..=0x4f;
const CHANNEL_HEADER: usize = 4;

/// The thinning of one socket.
#[derive(Debug)]
pub(super) struct Checks {
    paces: HashMap<SocketAddr, Pace>,
    /// The first check, and how long after it those through a relay begin.
    begun: Option<Instant>,
    relay_wait: Duration,
}

#[derive(Debug)]
struct Pace {
    last: Instant,
    pause: Duration,
}

impl Checks {
    /// Checks through a relay begin so long after the first one.
    pub(super) fn new(relay_wait: Duration) -> Self {
        Self { paces: HashMap::new(), begun: None, relay_wait }
    }

    /// Whether `datagram` should really be sent to `to` now.
    pub(super) fn pass(&mut self, datagram: &[u8], to: SocketAddr, now: Instant) -> bool {
        let waits = self.begun.is_none_or(|begun| now.saturating_duration_since(begun) < self.relay_wait);
        if waits && is_relayed_check(datagram) {
            self.begun.get_or_insert(now);
            return self.relay_wait.is_zero();
        }
        if !is_plain_check(datagram) {
            return true;
        }
        self.begun.get_or_insert(now);
        match self.paces.get_mut(&to) {
            Some(pace) if now.saturating_duration_since(pace.last) < pace.pause => false,
            Some(pace) => {
                pace.last = now;
                pace.pause = (pace.pause * 2).min(LONGEST_PAUSE);
                true
            }
            None => {
                if self.paces.len() < DESTINATIONS {
                    let pause = FIRST_PAUSE;
                    self.paces.insert(to, Pace { last: now, pause });
                }
                true
            }
        }
    }

    /// Something came from there: the next check may go at once.
    pub(super) fn heard(&mut self, from: SocketAddr) {
        if !self.paces.is_empty() {
            self.paces.remove(&from);
        }
    }
}

/// Whether this is a connectivity check that nominates nothing.
fn is_plain_check(datagram: &[u8]) -> bool {
    let mut check = false;
    for (kind, _) in attributes(datagram, BINDING_REQUEST) {
        match kind {
            USE_CANDIDATE => return false,
            PRIORITY => check = true,
            _ => {}
        }
    }
    check
}

/// Whether this asks a TURN server to send such a check.
fn is_relayed_check(datagram: &[u8]) -> bool {
    if is_channel(datagram) {
        return datagram.get(CHANNEL_HEADER..).is_some_and(is_plain_check);
    }
    attributes(datagram, SEND_INDICATION).any(|(kind, value)| kind == DATA && is_plain_check(value))
}

/// Whether this is for a channel of a TURN server, of all that leaves a socket (RFC 7983, section 7).
pub(super) fn is_channel(datagram: &[u8]) -> bool {
    datagram.first().is_some_and(|first| CHANNELS.contains(first))
}

/// Types and values of the attributes of a message of this type; none of anything else, nor behind damage.
fn attributes(datagram: &[u8], message: [u8; 2]) -> impl Iterator<Item = (u16, &[u8])> {
    let header = datagram.get(..HEADER);
    let ours = header.is_some_and(|header| header[..2] == message && header[4..8] == MAGIC_COOKIE);
    let mut rest = if ours { &datagram[HEADER..] } else { &[] };
    std::iter::from_fn(move || {
        let [t0, t1, l0, l1, tail @ ..] = rest else { return None };
        let length = usize::from(u16::from_be_bytes([*l0, *l1]));
        let value = tail.get(..length)?;
        rest = tail.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((u16::from_be_bytes([*t0, *t1]), value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(attributes: &[u16]) -> Vec<u8> {
        let mut bytes = vec![0, 1, 0, 0];
        bytes.extend(MAGIC_COOKIE);
        bytes.extend([7; 12]);
        for attribute in attributes {
            bytes.extend(attribute.to_be_bytes());
            bytes.extend([0, 3, 1, 2, 3, 0]);
        }
        bytes
    }

    #[test]
    fn repetitions_thin_out_and_an_answer_clears_the_way() {
        let mut checks = Checks::new(Duration::ZERO);
        let to = "192.0.2.1:9".parse().unwrap();
        let start = Instant::now();
        let sent: Vec<u64> = (0..2000)
            .step_by(10)
            .filter(|ms| checks.pass(&check(&[PRIORITY]), to, start + Duration::from_millis(*ms)))
            .collect();
        assert_eq!(sent, [0, 20, 60, 140, 300, 620, 1020, 1420, 1820]);
        let now = start + Duration::from_millis(1830);
        assert!(!checks.pass(&check(&[PRIORITY]), to, now));
        checks.heard(to);
        assert!(checks.pass(&check(&[PRIORITY]), to, now));
    }

    #[test]
    fn checks_through_a_relay_begin_later_than_direct_ones() {
        let relayed = |data: &[u8]| {
            let mut bytes = [&[0, 0x16, 0, 0][..], &MAGIC_COOKIE, &[7; 12]].concat();
            bytes.extend([0, 0x12, 0, 8, 0, 1, 2, 3, 4, 5, 6, 7]);
            bytes.extend(DATA.to_be_bytes());
            bytes.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
            bytes.extend(data);
            bytes
        };
        let (server, now) = ("192.0.2.1:3478".parse().unwrap(), Instant::now());
        let check = check(&[PRIORITY]);
        let mut checks = Checks::new(Duration::from_millis(400));
        assert!(checks.pass(&check, "192.0.2.9:9".parse().unwrap(), now));
        for (after, passes) in [(0, false), (399, false), (400, true), (401, true)] {
            let at = now + Duration::from_millis(after);
            assert_eq!(checks.pass(&relayed(&check), server, at), passes, "after {after} ms");
        }
        let mut checks = Checks::new(Duration::from_millis(400));
        assert!(!checks.pass(&relayed(&check), server, now), "it may be the first of all");
        let channel = |data: &[u8]| {
            let length = u16::try_from(data.len()).unwrap().to_be_bytes();
            [&[0x40, 0x01][..], &length, data].concat()
        };
        assert!(!checks.pass(&channel(&check), server, now), "nor through a channel");
        let mut answer = check.clone();
        answer[0] = 1;
        for other in [&answer[..], b"media"] {
            assert!(checks.pass(&relayed(other), server, now) && checks.pass(&channel(other), server, now));
        }
        assert!(checks.pass(&channel(&check), server, now + Duration::from_millis(400)));
        for relayed in [relayed(&check), channel(&check)] {
            assert!(Checks::new(Duration::ZERO).pass(&relayed, server, now));
        }
    }

    #[test]
    fn everything_else_passes() {
        let mut checks = Checks::new(Duration::ZERO);
        let to = "192.0.2.1:9".parse().unwrap();
        let now = Instant::now();
        let mut answer = check(&[PRIORITY]);
        answer[0] = 1;
        let others = [
            check(&[]),
            check(&[PRIORITY, USE_CANDIDATE]),
            check(&[USE_CANDIDATE, PRIORITY]),
            answer,
            vec![],
            vec![22, 254, 253],
        ];
        for datagram in others.iter().chain(&others) {
            assert!(checks.pass(datagram, to, now), "{datagram:?}");
        }
    }

    #[test]
    fn memory_is_bounded() {
        let mut checks = Checks::new(Duration::ZERO);
        for port in 1..5000 {
            let to = SocketAddr::from(([192, 0, 2, 1], port));
            assert!(checks.pass(&check(&[PRIORITY]), to, Instant::now()));
        }
        assert_eq!(checks.paces.len(), DESTINATIONS);
    }

    proptest! {
        #[test]
        fn no_datagram_panics(bytes in proptest::collection::vec(any::<u8>(), 0..64), stun in any::<bool>()) {
            let mut datagram = if stun { check(&[]) } else { vec![] };
            datagram.extend(bytes);
            is_plain_check(&datagram);
            is_relayed_check(&datagram);
        }
    }
}
