//! Repeats what is lost of a DTLS handshake. The library sends an unanswered flight again after a second, seven times, and
//! then gives the connection up: at 20 % loss that is seconds of waiting and now and then no call at all. This stands
//! between it and the socket and repeats the datagrams of the present flight soon and ever more rarely, to the letter: an
//! end that had them drops them by their record numbers (RFC 6347, section 4.1.2.6), an end that had not goes on.
//! Browsers start at 50 ms too. Pure: time is an argument.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Pause before the first repetition; each further pause is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// Repetitions of one flight, over 1.5 s. The library's own come on top, each as a new flight here.
const REPETITIONS: u32 = 5;
/// Datagrams of a flight that follow each other by more than this belong to two: the library has begun anew.
const ONE_FLIGHT: Duration = Duration::from_millis(200);
/// Datagrams kept of one flight; a certificate of ours makes four. Further ones are sent once.
const DATAGRAMS: usize = 12;

/// The handshake at one socket.
#[derive(Debug, Default)]
pub(super) struct Flights {
    flight: Vec<(SocketAddr, Vec<u8>)>,
    repeated: u32,
    /// When the next repetition is due.
    due: Option<Instant>,
    /// When the last datagram of the flight was sent first.
    last: Option<Instant>,
    /// Something of the other side's handshake came since then: what is sent next is another flight.
    answered: bool,
}

impl Flights {
    /// A datagram was sent. True when there is a new deadline.
    pub(super) fn sent(&mut self, datagram: &[u8], to: SocketAddr, now: Instant) -> bool {
        if !payload(datagram).is_some_and(is_handshake) {
            return false;
        }
        if self.answered || self.last.is_none_or(|last| now.saturating_duration_since(last) > ONE_FLIGHT) {
            self.flight.clear();
        }
        if self.flight.len() < DATAGRAMS {
            self.flight.push((to, datagram.to_vec()));
        }
        self.answered = false;
        self.repeated = 0;
        self.last = Some(now);
        self.due = Some(now + FIRST_PAUSE);
        true
    }

    /// A datagram came. Media means that the other side has finished.
    pub(super) fn heard(&mut self, datagram: &[u8]) {
        if self.flight.is_empty() {
            return;
        }
        match payload(datagram) {
            Some(inner) if is_handshake(inner) => self.answered = true,
            Some([128..=191, ..]) => *self = Self::default(),
            _ => {}
        }
    }

    /// When [`Flights::repeat`] is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.due
    }

    /// What is to be sent again at `now`, if anything.
    pub(super) fn repeat(&mut self, now: Instant) -> &[(SocketAddr, Vec<u8>)] {
        if self.due.is_none_or(|due| now < due) {
            return &[];
        }
        self.repeated += 1;
        self.due = (self.repeated < REPETITIONS).then(|| now + FIRST_PAUSE * 2_u32.pow(self.repeated));
        &self.flight
    }
}

/// What a datagram carries to the other side: itself, or what is packed for a TURN server (RFC 8656, sections 11 and 12).
/// `None` for what is meant for the server or another agent.
fn payload(datagram: &[u8]) -> Option<&[u8]> {
    match datagram {
        // A Send or Data indication.
        [0, 0x16 | 0x17, ..] => attribute(datagram.get(20..)?, 0x0013),
        [0..=3, ..] => None,
        // Channel data.
        [64..=79, _, high, low, rest @ ..] => rest.get(..usize::from(u16::from_be_bytes([*high, *low]))),
        _ => Some(datagram),
    }
}

/// The value of a STUN attribute (RFC 8489, section 14).
fn attribute(mut attributes: &[u8], wanted: u16) -> Option<&[u8]> {
    while let [t0, t1, l0, l1, rest @ ..] = attributes {
        let length = usize::from(u16::from_be_bytes([*l0, *l1]));
        if u16::from_be_bytes([*t0, *t1]) == wanted {
            return rest.get(..length);
        }
        attributes = rest.get(length.next_multiple_of(4)..)?;
    }
    None
}

/// Whether a datagram begins with a DTLS record of a handshake: a message, or the change of ciphers before the last one.
fn is_handshake(datagram: &[u8]) -> bool {
    matches!(datagram, [20 | 22, 0xfe, 0xfd | 0xff, ..])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HELLO: [u8; 16] = [22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 1, 0, 3, 7, 7, 7];
    const FINISHED: [u8; 16] = [22, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 0, 0, 3, 9, 9, 9];

    fn to() -> SocketAddr {
        "192.0.2.1:9".parse().unwrap()
    }

    fn repetitions(flights: &mut Flights, start: Instant, until_ms: u64) -> Vec<(u64, usize)> {
        (0..until_ms)
            .map(|ms| (ms, flights.repeat(start + Duration::from_millis(ms)).len()))
            .filter(|(_, count)| *count > 0)
            .collect()
    }

    #[test]
    fn an_unanswered_flight_is_repeated_ever_more_rarely_and_then_left() {
        let (mut flights, start) = (Flights::default(), Instant::now());
        assert!(flights.sent(&HELLO, to(), start));
        assert!(flights.sent(&FINISHED, to(), start));
        let at = repetitions(&mut flights, start, 10_000);
        assert_eq!(at, [(50, 2), (150, 2), (350, 2), (750, 2), (1550, 2)]);
        assert_eq!(flights.deadline(), None);
    }

    #[test]
    fn what_follows_an_answer_is_a_new_flight() {
        let (mut flights, start) = (Flights::default(), Instant::now());
        flights.sent(&HELLO, to(), start);
        flights.heard(&HELLO);
        flights.sent(&FINISHED, to(), start + Duration::from_millis(5));
        assert_eq!(flights.repeat(start + Duration::from_millis(55)), [(to(), FINISHED.to_vec())]);
    }

    #[test]
    fn the_other_sides_repetition_does_not_end_ours() {
        let (mut flights, start) = (Flights::default(), Instant::now());
        flights.sent(&HELLO, to(), start);
        flights.heard(&HELLO);
        assert_eq!(flights.repeat(start + FIRST_PAUSE).len(), 1);
    }

    #[test]
    fn a_flight_that_the_library_sends_again_takes_the_place_of_the_old_one() {
        let (mut flights, start) = (Flights::default(), Instant::now());
        flights.sent(&HELLO, to(), start);
        let again = start + Duration::from_secs(1);
        flights.sent(&HELLO, to(), again);
        assert_eq!(flights.repeat(again + FIRST_PAUSE).len(), 1);
    }

    #[test]
    fn media_ends_it() {
        let (mut flights, start) = (Flights::default(), Instant::now());
        flights.sent(&FINISHED, to(), start);
        flights.heard(&[128, 111, 0, 1]);
        assert_eq!(flights.deadline(), None);
        assert!(flights.repeat(start + Duration::from_secs(9)).is_empty());
    }

    #[test]
    fn only_the_handshake_is_repeated_also_on_its_way_through_a_relay() {
        let mut channel = vec![0x40, 0, 0, 16];
        channel.extend(HELLO);
        let mut indication = vec![0, 0x16, 0, 32, 0x21, 0x12, 0xa4, 0x42];
        indication.extend([5; 12]);
        indication.extend([0, 0x12, 0, 8, 0, 1, 0, 9, 1, 2, 3, 4, 0, 0x13, 0, 16]);
        indication.extend(HELLO);
        for datagram in [&HELLO[..], &channel, &indication] {
            assert!(Flights::default().sent(datagram, to(), Instant::now()), "{datagram:?}");
        }
        let data = [23, 0xfe, 0xfd, 0, 1];
        let check = [0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
        for datagram in [&data[..], &check, &[128, 96, 0, 1], &[0x40, 0, 0, 99, 22, 0xfe, 0xfd], &[]] {
            assert!(!Flights::default().sent(datagram, to(), Instant::now()), "{datagram:?}");
        }
    }

    #[test]
    fn memory_is_bounded() {
        let (mut flights, now) = (Flights::default(), Instant::now());
        for _ in 0..1000 {
            flights.sent(&HELLO, to(), now);
        }
        assert_eq!(flights.flight.len(), DATAGRAMS);
    }

    proptest! {
        #[test]
        fn no_datagram_panics(bytes in proptest::collection::vec(any::<u8>(), 0..64), first in 0_u8..80) {
            let mut datagram = vec![first];
            datagram.extend(bytes);
            let mut flights = Flights::default();
            flights.sent(&HELLO, to(), Instant::now());
            flights.heard(&datagram);
            flights.sent(&datagram, to(), Instant::now());
        }
    }
}
