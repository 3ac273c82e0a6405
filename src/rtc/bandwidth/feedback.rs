//! The receiver's side: which packets arrived when, told to the sender in transport-wide feedback
//! (draft-holmer-rmcat-transport-wide-cc-extensions-01, section 3.1).
//!
//! Owns the arrivals that were not told yet, when they are told, and the message's fields. Must not know the bytes of
//! RTCP: a message maps onto the fields of the packet one to one. Driven by whoever sees packets come off the wire.
//!
//! How often: so that feedback takes a twentieth of the rate at most, between [`SHORTEST`] and [`LONGEST`]; in the
//! first moments often, whatever it takes, because the sender knows nothing yet.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::RTCP_OVERHEAD;

/// Bounds of the time between two messages.
pub const SHORTEST: Duration = Duration::from_millis(50);
/// See [`SHORTEST`].
pub const LONGEST: Duration = Duration::from_millis(250);
/// Messages at the beginning that come at [`SHORTEST`], and that come no later than twice that.
const EAGER: u32 = 8;
const SOON: u32 = 30;
/// The share of the rate that feedback may take.
const RATE_SHARE: f64 = 0.05;
/// Packets that one message tells of.
const MOST: u64 = 400;
/// A longer gap in the numbers, or a silence of this length, is not told of packet by packet.
const LARGEST_GAP: u64 = 500;
const SILENCE: Duration = Duration::from_secs(2);
/// A packet that comes later than this after one with a higher number is not told of any more.
const LATE: u64 = 200;
/// Header and fixed fields of the message: 12 and 8 bytes.
const FIXED: usize = 20;
/// Units of the reference time and of the deltas, in microseconds.
const REFERENCE: u64 = 64_000;
const DELTA: i64 = 250;

/// What is said of one packet (section 3.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Symbol {
    /// Not received.
    Missing,
    /// Received; the delta is one byte, 0 to 63.75 ms.
    Small,
    /// Received; the delta is two bytes, signed.
    Large,
}

/// Status of several packets (sections 3.1.3 and 3.1.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chunk {
    /// The same for so many.
    Run(Symbol, u16),
    /// Up to seven, two bits each.
    Vector(Vec<Symbol>),
}

/// The fields of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Number of the first packet.
    pub base: u16,
    /// How many packets it tells of.
    pub count: u16,
    /// Reference time in units of 64 ms, 24 bits.
    pub reference: u32,
    /// Number of the message.
    pub number: u8,
    /// Status of the packets.
    pub chunks: Vec<Chunk>,
    /// For each packet received, the time since the one before, in units of 250 us.
    pub deltas: Vec<i16>,
}

impl Message {
    /// Bytes on the wire as a packet of its own, padding to four bytes included.
    #[must_use]
    pub fn wire_bytes(&self) -> u32 {
        let deltas: usize =
            self.deltas.iter().map(|delta| if (0..=255).contains(delta) { 1 } else { 2 }).sum();
        let body = (FIXED + self.chunks.len() * 2 + deltas).next_multiple_of(4);
        u32::try_from(body).unwrap_or(u32::MAX / 2) + RTCP_OVERHEAD
    }
}

/// The arrivals, and when to tell of them.
#[derive(Clone, Debug)]
pub struct Recorder {
    epoch: Instant,
    /// Arrival in microseconds since the epoch, by number counted on beyond 16 bits.
    arrivals: BTreeMap<u64, u64>,
    /// The first number of the next message.
    next: Option<u64>,
    /// The highest number that arrived.
    highest: u64,
    last_arrival: Option<Instant>,
    due: Option<Instant>,
    interval: Duration,
    messages: u32,
    /// Size of a message, fading mean, bytes on the wire.
    size: f64,
}

impl Recorder {
    /// Nothing arrived yet; `now` becomes the zero of the arrival times.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            epoch: now,
            arrivals: BTreeMap::new(),
            next: None,
            highest: 0,
            last_arrival: None,
            due: None,
            interval: SHORTEST,
            messages: 0,
            size: 76.0,
        }
    }

    /// A packet with the transport-wide number `sequence` arrived.
    pub fn arrived(&mut self, now: Instant, sequence: u16) {
        let silent = self.last_arrival.is_some_and(|last| now.saturating_duration_since(last) > SILENCE);
        self.last_arrival = Some(now);
        let number = match self.next {
            None => 0x1_0000 + u64::from(sequence),
            Some(_) => {
                let ahead = sequence.wrapping_sub(self.highest as u16).cast_signed();
                self.highest.saturating_add_signed(i64::from(ahead))
            }
        };
        let next = *self.next.get_or_insert(number);
        if number + LATE < self.highest {
            return;
        }
        if number > self.highest.max(next) + LARGEST_GAP || silent {
            self.arrivals.clear();
            self.next = Some(number);
        } else if number < next {
            // It was told of as missing: what follows is told again with it.
            self.next = Some(number);
        }
        self.highest = self.highest.max(number);
        let since = now.saturating_duration_since(self.epoch).as_micros();
        self.arrivals.entry(number).or_insert(u64::try_from(since).unwrap_or(u64::MAX / 2));
        while self.arrivals.len() as u64 > MOST * 2 {
            self.arrivals.pop_first();
        }
        self.due.get_or_insert(now + self.interval);
    }

    /// The lower of the rates that both sides send at, in bits per second: feedback takes its share of this.
    pub fn set_rate(&mut self, bits_per_second: f64) {
        let seconds = self.size * 8.0 / (bits_per_second.max(1_000.0) * RATE_SHARE);
        let longest = match self.messages {
            0..EAGER => SHORTEST,
            EAGER..SOON => SHORTEST * 2,
            SOON.. => LONGEST,
        };
        self.interval = Duration::from_secs_f64(seconds).clamp(SHORTEST, longest);
    }

    /// When the next message is due; none while there is nothing to tell.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.due
    }

    /// The message that is due at `now`. There may be another right after it.
    pub fn message(&mut self, now: Instant) -> Option<Message> {
        if self.due.is_none_or(|due| now < due) {
            return None;
        }
        self.due = None;
        let base = self.next?;
        let (first, arrival) = self.arrivals.range(base..).next().map(|(number, at)| (*number, *at))?;
        let base = base.max(first.saturating_sub(LARGEST_GAP));
        let reference = arrival / REFERENCE;
        let (mut last, mut symbols, mut deltas) = (reference * REFERENCE, Vec::new(), Vec::new());
        let mut next = base;
        for (number, at) in self.arrivals.range(base..) {
            let delta = (*at as i64 - last as i64 + DELTA / 2).div_euclid(DELTA);
            let Ok(delta) = i16::try_from(delta) else { break };
            if number - base >= MOST {
                break;
            }
            symbols.resize(symbols.len() + (number - next) as usize, Symbol::Missing);
            symbols.push(if (0..=255).contains(&delta) { Symbol::Small } else { Symbol::Large });
            deltas.push(delta);
            last = last.saturating_add_signed(i64::from(delta) * DELTA);
            next = number + 1;
        }
        if symbols.is_empty() {
            // The first delta does not fit, which the reference time rules out; nothing is worth a panic.
            self.next = Some(first + 1);
            return None;
        }
        self.next = Some(next);
        if self.arrivals.range(next..).next().is_some() {
            self.due = Some(now);
        }
        // What was told is kept for a while: a late packet makes it be told again.
        let keep = next.saturating_sub(LATE);
        self.arrivals = self.arrivals.split_off(&keep);
        let message = Message {
            base: base as u16,
            count: u16::try_from(symbols.len()).unwrap_or(u16::MAX),
            reference: (reference & 0xFF_FFFF) as u32,
            number: self.messages as u8,
            chunks: chunks(&symbols),
            deltas,
        };
        self.messages = self.messages.wrapping_add(1).max(1);
        self.size += (f64::from(message.wire_bytes()) - self.size) / 8.0;
        Some(message)
    }
}

/// The shortest of runs and vectors for `symbols`, taken greedily.
fn chunks(symbols: &[Symbol]) -> Vec<Chunk> {
    const VECTOR: usize = 7;
    const RUN: usize = 0x1FFF;
    let (mut chunks, mut rest) = (Vec::new(), symbols);
    while let Some(first) = rest.first() {
        let run = rest.iter().take(RUN).take_while(|symbol| *symbol == first).count();
        let taken = if run >= VECTOR || run == rest.len() {
            chunks.push(Chunk::Run(*first, run as u16));
            run
        } else {
            let taken = rest.len().min(VECTOR);
            chunks.push(Chunk::Vector(rest[..taken].to_vec()));
            taken
        };
        rest = &rest[taken..];
    }
    chunks
}

#[cfg(test)]
pub(crate) fn reports(message: &Message) -> Vec<super::Report> {
    use super::{Arrival, Report};
    let symbols = message.chunks.iter().flat_map(|chunk| match chunk {
        Chunk::Run(symbol, length) => vec![*symbol; usize::from(*length)],
        Chunk::Vector(symbols) => symbols.clone(),
    });
    let mut deltas = message.deltas.iter();
    let mut at = i64::from(message.reference) * REFERENCE as i64;
    let report = |(step, symbol)| {
        let sequence = message.base.wrapping_add(step as u16);
        let arrival = match symbol {
            Symbol::Missing => Arrival::Missing,
            Symbol::Small | Symbol::Large => {
                at += deltas.next().map_or(0, |delta| i64::from(*delta) * DELTA);
                Arrival::At(Duration::from_micros(at.max(0) as u64))
            }
        };
        Report { sequence, arrival }
    };
    symbols.enumerate().map(report).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtc::bandwidth::{Arrival, Report};

    fn told(recorder: &mut Recorder, now: Instant) -> Vec<Report> {
        recorder.message(now).map(|message| reports(&message)).unwrap_or_default()
    }

    #[test]
    fn a_message_tells_what_arrived_and_what_did_not() {
        let start = Instant::now();
        let mut recorder = Recorder::new(start);
        for (sequence, millis) in [(65_534u16, 100), (65_535, 103), (2, 190), (1, 191)] {
            recorder.arrived(start + Duration::from_millis(millis), sequence);
        }
        assert_eq!(recorder.deadline(), Some(start + Duration::from_millis(150)));
        let reports = told(&mut recorder, start + Duration::from_millis(200));
        let at = |millis| Arrival::At(Duration::from_millis(millis));
        let expected =
            [(65_534, at(100)), (65_535, at(103)), (0, Arrival::Missing), (1, at(191)), (2, at(190))];
        assert_eq!(reports.len(), expected.len());
        for (report, (sequence, arrival)) in reports.iter().zip(expected) {
            assert_eq!((report.sequence, report.arrival), (sequence, arrival));
        }
        assert_eq!(recorder.deadline(), None);
        recorder.arrived(start + Duration::from_millis(210), 0);
        let again = told(&mut recorder, start + Duration::from_millis(300));
        assert_eq!(again.iter().map(|report| report.sequence).collect::<Vec<_>>(), [0, 1, 2]);
    }

    #[test]
    fn feedback_takes_a_twentieth_of_the_rate() {
        for (rate, packets_a_second, least, most) in
            [(64_000.0, 26, 3, 6), (1e6, 110, 14, 21), (16_000.0, 17, 2, 5)]
        {
            let start = Instant::now();
            let mut recorder = Recorder::new(start);
            let (mut bytes, mut messages) = (0, 0);
            for step in 0..packets_a_second * 20 {
                let now = start + Duration::from_secs(1) / packets_a_second * step;
                recorder.arrived(now, step as u16);
                recorder.set_rate(rate);
                if let Some(message) = recorder.message(now)
                    && step >= packets_a_second * 10
                {
                    (bytes, messages) = (bytes + message.wire_bytes(), messages + 1);
                }
            }
            assert!((least..=most).contains(&(messages / 10)), "{messages} in ten seconds at {rate}");
            let limit = if rate > 30_000.0 { 0.056 } else { 0.18 };
            assert!(f64::from(bytes) * 0.8 < rate * limit, "{bytes} bytes in ten seconds at {rate}");
        }
    }

    #[test]
    fn a_long_silence_is_not_told_of_packet_by_packet() {
        let start = Instant::now();
        let mut recorder = Recorder::new(start);
        recorder.arrived(start, 10);
        told(&mut recorder, start + Duration::from_secs(1));
        recorder.arrived(start + Duration::from_secs(11), 300);
        let reports = told(&mut recorder, start + Duration::from_secs(12));
        assert_eq!(reports.len(), 1);
    }
}
