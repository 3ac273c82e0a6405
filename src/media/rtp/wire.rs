//! Two ends and a wire between them in virtual time, for tests: random loss, delay, reordering, and
//! the peer connection's retransmissions (asked for every 20 ms, ten times a packet).

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::packet::RtpPacket;

/// A small generator (splitmix64): the same numbers in every run.
#[derive(Debug, Clone)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Evenly between 0 and 1.
    pub(crate) fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub(crate) fn chance(&mut self, percent: f64) -> bool {
        self.share() * 100.0 < percent
    }
}

/// How the wire behaves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Conditions {
    /// Loss each way, percent.
    pub(crate) loss: f64,
    /// One way.
    pub(crate) delay: Duration,
    /// Evenly spread on top, each packet on its own, so that packets overtake.
    pub(crate) jitter: Duration,
    /// Whether lost packets are asked for again.
    pub(crate) nack: bool,
}

/// One direction of a stream, and the requests for what is missing the other way.
pub(crate) struct Wire {
    pub(crate) conditions: Conditions,
    pub(crate) random: Random,
    sent: BTreeMap<i64, RtpPacket>,
    /// What is under way, by the time it comes and a running number.
    under_way: BTreeMap<(Instant, u64), (i64, RtpPacket)>,
    requests: BTreeMap<(Instant, u64), i64>,
    came: BTreeSet<i64>,
    tries: BTreeMap<i64, u32>,
    first: Option<i64>,
    serial: u64,
    next_nack: Instant,
    unwrapper: super::sequence::Unwrapper<16>,
    pub(crate) lost: u64,
}

impl Wire {
    pub(crate) fn new(start: Instant, seed: u64, conditions: Conditions) -> Self {
        Self {
            conditions,
            random: Random(seed),
            sent: BTreeMap::new(),
            under_way: BTreeMap::new(),
            requests: BTreeMap::new(),
            came: BTreeSet::new(),
            tries: BTreeMap::new(),
            first: None,
            serial: 0,
            next_nack: start,
            unwrapper: super::sequence::Unwrapper::default(),
            lost: 0,
        }
    }

    pub(crate) fn send(&mut self, now: Instant, packet: RtpPacket) {
        let sequence = self.unwrapper.unwrap(packet.sequence.into());
        self.sent.insert(sequence, packet.clone());
        self.launch(now, sequence, packet);
    }

    fn launch(&mut self, now: Instant, sequence: i64, packet: RtpPacket) {
        if self.random.chance(self.conditions.loss) {
            self.lost += 1;
            return;
        }
        let at = now + self.travel();
        self.serial += 1;
        self.under_way.insert((at, self.serial), (sequence, packet));
    }

    fn travel(&mut self) -> Duration {
        self.conditions.delay + self.conditions.jitter.mul_f64(self.random.share())
    }

    /// What came in until `now`, in order of arrival.
    pub(crate) fn receive(&mut self, now: Instant) -> Vec<RtpPacket> {
        let mut out = Vec::new();
        // Events in order of time: requests at the sender, arrivals, and the receiver's NACK tick.
        loop {
            let request = self.requests.keys().next().copied();
            let arrival = self.under_way.keys().next().copied();
            let times = [request.map(|k| k.0), arrival.map(|k| k.0), Some(self.next_nack)];
            let Some(first) = times.into_iter().flatten().min().filter(|&at| at <= now) else {
                return out;
            };
            if arrival.is_some_and(|k| k.0 == first) {
                let (sequence, mut packet) = self.under_way.pop_first().unwrap().1;
                self.first.get_or_insert(sequence);
                self.came.insert(sequence);
                packet.arrived = first;
                out.push(packet);
            } else if request.is_some_and(|k| k.0 == first) {
                let sequence = self.requests.pop_first().unwrap().1;
                let packet = self.sent[&sequence].clone();
                self.launch(first, sequence, packet);
            } else {
                self.next_nack += Duration::from_millis(20);
                self.ask(first);
            }
        }
    }

    fn ask(&mut self, now: Instant) {
        if !self.conditions.nack {
            return;
        }
        let (Some(first), Some(&last)) = (self.first, self.came.last()) else {
            return;
        };
        for sequence in first.max(last - 500)..last {
            if self.came.contains(&sequence) {
                continue;
            }
            let tries = self.tries.entry(sequence).or_default();
            *tries += 1;
            if *tries > 10 || self.random.chance(self.conditions.loss) {
                continue;
            }
            self.serial += 1;
            let at = now + self.travel();
            self.requests.insert((at, self.serial), sequence);
        }
    }
}
