//! Keeps connectivity checks from flooding a thin link. The library's agent repeats the checks of all
//! pairs in rounds, and goes on to the next step of connecting only in a round, so rounds must be
//! short; but what goes over the wire for one destination may thin out quickly (RFC 8445, section 14).
//! This stands between the agent and the socket and swallows repetitions. Pure: time is an argument.

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

/// The thinning of one socket.
#[derive(Debug, Default)]
pub(super) struct Checks(HashMap<SocketAddr, Pace>);

#[derive(Debug)]
struct Pace {
    last: Instant,
    pause: Duration,
}

impl Checks {
    /// Whether `datagram` should really be sent to `to` now.
    pub(super) fn pass(&mut self, datagram: &[u8], to: SocketAddr, now: Instant) -> bool {
        if !is_plain_check(datagram) {
            return true;
        }
        match self.0.get_mut(&to) {
            Some(pace) if now.saturating_duration_since(pace.last) < pace.pause => false,
            Some(pace) => {
                pace.last = now;
                pace.pause = (pace.pause * 2).min(LONGEST_PAUSE);
                true
            }
            None => {
                if self.0.len() < DESTINATIONS {
                    let pause = FIRST_PAUSE;
                    self.0.insert(to, Pace { last: now, pause });
                }
                true
            }
        }
    }

    /// Something came from there: the next check may go at once.
    pub(super) fn heard(&mut self, from: SocketAddr) {
        if !self.0.is_empty() {
            self.0.remove(&from);
        }
    }
}

/// Whether this is a connectivity check that nominates nothing.
fn is_plain_check(datagram: &[u8]) -> bool {
    if datagram.len() < HEADER || datagram[..2] != BINDING_REQUEST || datagram[4..8] != MAGIC_COOKIE {
        return false;
    }
    let mut rest = &datagram[HEADER..];
    let mut check = false;
    while let [t0, t1, l0, l1, tail @ ..] = rest {
        match u16::from_be_bytes([*t0, *t1]) {
            USE_CANDIDATE => return false,
            PRIORITY => check = true,
            _ => {}
        }
        let length = usize::from(u16::from_be_bytes([*l0, *l1])).next_multiple_of(4);
        let Some(next) = tail.get(length..) else {
            break;
        };
        rest = next;
    }
    check
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
        let mut checks = Checks::default();
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
    fn everything_else_passes() {
        let mut checks = Checks::default();
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
        let mut checks = Checks::default();
        for port in 1..5000 {
            let to = SocketAddr::from(([192, 0, 2, 1], port));
            assert!(checks.pass(&check(&[PRIORITY]), to, Instant::now()));
        }
        assert_eq!(checks.0.len(), DESTINATIONS);
    }

    proptest! {
        #[test]
        fn no_datagram_panics(bytes in proptest::collection::vec(any::<u8>(), 0..64), stun in any::<bool>()) {
            let mut datagram = if stun { check(&[]) } else { vec![] };
            datagram.extend(bytes);
            is_plain_check(&datagram);
        }
    }
}
