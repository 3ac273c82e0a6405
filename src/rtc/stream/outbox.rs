//! What waits to be written to a stream. Media that is late is worth nothing, and a stream that is
//! slower than its sender would make everything ever later: what waited too long is dropped here, as a
//! router would drop it. Pure: time is an argument.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::time::Instant;

use super::framing::encode;
use crate::rtc::stun;

/// How long a datagram waits at most.
const FRESH: Duration = Duration::from_millis(300);
/// How long a request waits at most: it is not sent again on a stream, and a connection takes time.
const REQUEST_FRESH: Duration = Duration::from_secs(10);
/// Bytes that wait at most; the oldest are dropped for the newest.
const MAX_BYTES: usize = 512 * 1024;
/// Requests remembered of one connection, so that none is sent twice.
const REMEMBERED: usize = 64;

/// The datagrams of one stream, framed when they are taken.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    waiting: VecDeque<Waiting>,
    bytes: usize,
    connected: bool,
    /// Requests that were written to this connection, oldest first.
    asked: VecDeque<stun::TransactionId>,
}

#[derive(Debug)]
struct Waiting {
    datagram: Bytes,
    since: Instant,
    request: Option<stun::TransactionId>,
}

impl Waiting {
    fn is_late(&self, now: Instant) -> bool {
        let limit = if self.request.is_some() { REQUEST_FRESH } else { FRESH };
        now.saturating_duration_since(self.since) > limit
    }
}

impl Outbox {
    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Adds a datagram. False when it is not kept: a request that was asked already (a stream loses none:
    /// RFC 8489, section 6.2.2), or, without a connection, anything but a request for an allocation: to a
    /// server all else belongs to one that ended with the connection before.
    pub(super) fn push(&mut self, datagram: &[u8], now: Instant) -> bool {
        let request = request(datagram);
        let begins = request.is_some_and(|(method, _)| method == stun::method::ALLOCATE);
        if !self.connected && !begins {
            return false;
        }
        let request = request.map(|(_, id)| id);
        let known = |id: &stun::TransactionId| {
            self.asked.contains(id) || self.waiting.iter().any(|waiting| waiting.request.as_ref() == Some(id))
        };
        if request.as_ref().is_some_and(known) {
            return false;
        }
        self.bytes += datagram.len();
        self.waiting.push_back(Waiting { datagram: Bytes::copy_from_slice(datagram), since: now, request });
        while self.bytes > MAX_BYTES {
            self.drop_oldest();
        }
        true
    }

    /// Puts the datagram that is to be written next into `stream`, which is empty, framed. What is late is
    /// dropped. One at a time: what was handed out cannot be dropped any more.
    pub(super) fn take(&mut self, stream: &mut BytesMut, now: Instant) {
        while stream.is_empty()
            && let Some(waiting) = self.waiting.pop_front()
        {
            self.bytes -= waiting.datagram.len();
            // What cannot be framed is no business of a TURN server: a datagram of the library's that
            // went astray.
            if waiting.is_late(now) || encode(&waiting.datagram, stream).is_err() {
                continue;
            }
            if let Some(id) = waiting.request {
                if self.asked.len() == REMEMBERED {
                    self.asked.pop_front();
                }
                self.asked.push_back(id);
            }
        }
    }

    /// There is a connection.
    pub(super) fn connected(&mut self) {
        self.connected = true;
        self.asked.clear();
    }

    /// There is none any more, or none could be made: what waited was for that one.
    pub(super) fn disconnected(&mut self) {
        *self = Self::default();
    }

    fn drop_oldest(&mut self) {
        // Requests are few and small, and are not sent again: the oldest of the others goes.
        let at = self.waiting.iter().position(|waiting| waiting.request.is_none()).unwrap_or(0);
        if let Some(dropped) = self.waiting.remove(at) {
            self.bytes -= dropped.datagram.len();
        }
    }
}

/// Method and transaction id of a STUN request.
fn request(datagram: &[u8]) -> Option<(u16, stun::TransactionId)> {
    let header = datagram.get(..stun::HEADER)?;
    // In a request the bits of the class are zero, and with few methods so are those above them.
    let method = u16::from_be_bytes([header[0], header[1]]);
    let is_request = method <= 0x000f && header[4..8] == stun::COOKIE;
    let id = header[8..].try_into().ok()?;
    is_request.then_some((method, id))
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::rtc::stun::{Class, Writer, method, transaction_id};

    fn ask(method: u16) -> Bytes {
        Writer::new(Class::Request, method, transaction_id()).finish().unwrap()
    }

    fn media(length: u16) -> Vec<u8> {
        let mut bytes = vec![0x40, 0];
        bytes.extend(length.to_be_bytes());
        bytes.resize(4 + usize::from(length), 1);
        bytes
    }

    fn drain(outbox: &mut Outbox, now: Instant) -> usize {
        let mut bytes = BytesMut::new();
        let mut total = 0;
        loop {
            outbox.take(&mut bytes, now);
            if bytes.is_empty() {
                return total;
            }
            total += bytes.len();
            bytes.clear();
        }
    }

    #[test]
    fn only_what_begins_a_connection_waits_for_one() {
        let (mut outbox, now) = (Outbox::default(), Instant::now());
        assert!(!outbox.push(&media(4), now));
        assert!(!outbox.push(&ask(method::REFRESH), now));
        assert!(outbox.push(&ask(method::ALLOCATE), now));
        outbox.connected();
        assert!(outbox.push(&media(4), now));
        assert!(outbox.push(&ask(method::REFRESH), now));
        outbox.disconnected();
        assert!(outbox.is_empty());
        assert!(!outbox.push(&media(4), now));
    }

    #[test]
    fn a_request_is_sent_once_a_connection() {
        let (mut outbox, now) = (Outbox::default(), Instant::now());
        let allocate = ask(method::ALLOCATE);
        assert!(outbox.push(&allocate, now));
        assert!(!outbox.push(&allocate, now));
        outbox.connected();
        assert_eq!(drain(&mut outbox, now), allocate.len());
        assert!(!outbox.push(&allocate, now));
        outbox.disconnected();
        assert!(outbox.push(&allocate, now));
    }

    #[test]
    fn what_waited_too_long_is_not_sent() {
        let (mut outbox, start) = (Outbox::default(), Instant::now());
        outbox.connected();
        let allocate = ask(method::ALLOCATE);
        outbox.push(&media(100), start);
        outbox.push(&allocate, start);
        outbox.push(&media(200), start + Duration::from_millis(300));
        assert_eq!(drain(&mut outbox, start + Duration::from_millis(600)), allocate.len() + 204);
        outbox.push(&ask(method::ALLOCATE), start);
        assert_eq!(drain(&mut outbox, start + Duration::from_secs(11)), 0);
    }

    #[test]
    fn the_oldest_media_make_room_and_requests_stay() {
        let (mut outbox, now) = (Outbox::default(), Instant::now());
        outbox.connected();
        let refresh = ask(method::REFRESH);
        outbox.push(&refresh, now);
        for _ in 0..2000 {
            outbox.push(&media(1000), now);
        }
        assert!(outbox.bytes <= MAX_BYTES);
        assert_eq!(outbox.waiting[0].datagram, refresh);
        assert!(outbox.waiting.len() > 500);
    }

    #[test]
    fn it_is_handed_out_one_by_one() {
        let (mut outbox, now) = (Outbox::default(), Instant::now());
        outbox.connected();
        for _ in 0..20 {
            outbox.push(&media(1200), now);
        }
        let mut bytes = BytesMut::new();
        outbox.take(&mut bytes, now);
        assert_eq!(bytes.len(), 1204);
        assert_eq!(drain(&mut outbox, now), 19 * 1204);
    }

    proptest! {
        #[test]
        fn the_count_of_bytes_is_right(
            datagrams in vec((any::<bool>(), vec(any::<u8>(), 0..40)), 0..40),
        ) {
            let (mut outbox, now) = (Outbox::default(), Instant::now());
            outbox.connected();
            let mut stream = BytesMut::new();
            for (take, datagram) in datagrams {
                outbox.push(&datagram, now);
                if take {
                    stream.clear();
                    outbox.take(&mut stream, now);
                }
                prop_assert_eq!(outbox.bytes, outbox.waiting.iter().map(|w| w.datagram.len()).sum::<usize>());
            }
        }
    }
}
