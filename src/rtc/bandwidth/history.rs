//! What was sent, joined with what the other side says about it.
//!
//! Owns the records of sent packets by transport-wide sequence number
//! (draft-holmer-rmcat-transport-wide-cc-extensions-01, section 3), from the moment a packet leaves until its fate is
//! known. Must not judge: what arrival times and losses mean is for `delay` and `loss`.
//!
//! A packet that is reported missing may still be on its way, when packets overtake each other: it counts as lost only
//! when it is still missing a little later. A packet that no feedback speaks of, because the feedback itself was lost,
//! is neither lost nor arrived.

use std::collections::VecDeque;
use std::time::Duration;

use super::Micros;

/// Packets remembered: ten seconds at 4 Mbit/s. The oldest gives way.
const REMEMBERED: usize = 4_096;
/// How far the numbers of two packets sent one after the other may be apart; more is a new start.
const LARGEST_GAP: u16 = 256;
/// How long a packet that was reported missing may still turn up.
const OVERTAKEN: Micros = 80_000;
/// After this long without a word about it, a packet's fate stays unknown.
const UNREPORTED: Micros = 1_000_000;

/// What a packet was sent for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Sound.
    Audio,
    /// Pictures, retransmissions among them.
    Video,
    /// Nothing but bytes: sent to find out whether they get through.
    Padding,
}

/// What one feedback says of one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// The transport-wide sequence number.
    pub sequence: u16,
    /// Whether and when it arrived.
    pub arrival: Arrival,
}

/// The receiver's word about one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// Not there yet.
    Missing,
    /// There, at this time on the receiver's clock.
    At(Duration),
    /// There, at a time that was not said.
    Unknown,
}

/// A packet that was reported to have arrived, for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Arrived {
    /// When it left, and when it arrived on the receiver's clock.
    pub(super) sent: Micros,
    pub(super) arrival: Micros,
    /// On the wire, with what was sent unnumbered before it.
    pub(super) bytes: u32,
    pub(super) cluster: Option<u32>,
}

/// A packet whose fate is final.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Settled {
    pub(super) sent: Micros,
    pub(super) bytes: u32,
    pub(super) lost: bool,
}

/// What one feedback brought to light.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct News {
    /// In the order of sending.
    pub(super) arrived: Vec<Arrived>,
    /// In the order of sending, each packet once.
    pub(super) settled: Vec<Settled>,
    /// Bytes of packets that lie between this feedback and the one before it, and that neither speaks of.
    pub(super) unreported: u64,
    /// Whether it spoke of any packet that was sent.
    pub(super) known: bool,
    /// From the sending of the newest packet that arrived to the feedback about it.
    pub(super) round_trip: Option<Micros>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing was said of it.
    Pending,
    /// It was passed over by the feedback.
    Unreported,
    /// Reported missing, since then.
    Missing(Micros),
    Arrived,
}

#[derive(Clone, Copy, Debug)]
struct Record {
    sent: Micros,
    bytes: u32,
    cluster: Option<u32>,
    state: State,
}

/// The records of what was sent.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    records: VecDeque<Record>,
    /// The number of the first record, counted on beyond 16 bits.
    first: u64,
    /// The number after the newest that was reported on.
    reported: u64,
    /// The number after the last whose fate was told.
    settled: u64,
    /// Bytes sent unnumbered since the last numbered packet.
    unnumbered: u32,
}

impl History {
    /// A packet left at `now`; `bytes` is its size on the wire.
    pub(super) fn sent(&mut self, now: Micros, sequence: u16, bytes: u32, cluster: Option<u32>) {
        let record = |bytes, state| Record { sent: now, bytes, cluster, state };
        let next = self.first + self.records.len() as u64;
        let gap = sequence.wrapping_sub(next as u16);
        if self.records.is_empty() || gap > LARGEST_GAP {
            // A whole cycle ahead, so that no feedback about former packets is taken for one about these.
            let base = (next / 0x1_0000 + 2) * 0x1_0000 + u64::from(sequence);
            self.records.clear();
            (self.first, self.reported, self.settled) = (base, base, base);
        } else {
            for _ in 0..gap {
                self.records.push_back(record(0, State::Unreported));
            }
        }
        let bytes = bytes.saturating_add(std::mem::take(&mut self.unnumbered));
        self.records.push_back(record(bytes, State::Pending));
        while self.records.len() > REMEMBERED {
            self.records.pop_front();
            self.first += 1;
        }
    }

    /// Bytes left that carry no number: RTCP, and what else shares the path. They are counted with the next packet.
    pub(super) fn unnumbered(&mut self, bytes: u32) {
        self.unnumbered = self.unnumbered.saturating_add(bytes);
    }

    /// When the oldest packet left that nothing was heard of, among those after the newest that was reported on.
    pub(super) fn waiting_since(&self) -> Option<Micros> {
        let from = usize::try_from(self.reported.saturating_sub(self.first)).ok()?;
        self.records.get(from).map(|record| record.sent)
    }

    /// Bytes sent after the newest packet that was reported on.
    pub(super) fn outstanding(&self) -> u64 {
        let from = usize::try_from(self.reported.saturating_sub(self.first)).unwrap_or(usize::MAX);
        self.records.iter().skip(from).map(|record| u64::from(record.bytes)).sum()
    }

    /// Joins one feedback with what was sent. Reports about unknown packets are passed over.
    pub(super) fn feedback(&mut self, now: Micros, reports: &[Report]) -> News {
        let mut news = News::default();
        let mut numbered: Vec<(u64, Arrival)> = reports
            .iter()
            .filter_map(|report| Some((self.number(report.sequence)?, report.arrival)))
            .collect();
        numbered.sort_by_key(|(number, _)| *number);
        let Some(&(lowest, _)) = numbered.first() else {
            return news;
        };
        news.known = true;
        for number in self.reported.max(self.first)..lowest {
            if let Some(record) = self.record(number)
                && record.state == State::Pending
            {
                record.state = State::Unreported;
                news.unreported += u64::from(record.bytes);
            }
        }
        for (number, arrival) in numbered {
            let Some(record) = self.record(number) else { continue };
            let known = record.state == State::Arrived;
            match arrival {
                Arrival::Missing if record.state == State::Pending || record.state == State::Unreported => {
                    record.state = State::Missing(now);
                }
                Arrival::Missing => {}
                Arrival::At(_) | Arrival::Unknown => record.state = State::Arrived,
            }
            if let Arrival::At(at) = arrival
                && !known
            {
                let arrived = Arrived {
                    sent: record.sent,
                    arrival: Micros::try_from(at.as_micros()).unwrap_or(Micros::MAX / 4).min(Micros::MAX / 4),
                    bytes: record.bytes,
                    cluster: record.cluster,
                };
                news.round_trip = Some((now - record.sent).max(0));
                news.arrived.push(arrived);
            }
            self.reported = self.reported.max(number + 1);
        }
        self.settle(now, &mut news.settled);
        news
    }

    /// Forgets everything that was sent so far: it went another way.
    pub(super) fn forget(&mut self) {
        let next = self.first + self.records.len() as u64;
        self.records.clear();
        (self.first, self.reported, self.settled) = (next, next, next);
    }

    /// The full number of a packet that was sent lately.
    fn number(&self, sequence: u16) -> Option<u64> {
        let newest = (self.first + self.records.len() as u64).checked_sub(1)?;
        let number = newest.checked_sub(u64::from((newest as u16).wrapping_sub(sequence)))?;
        (number >= self.first && !self.records.is_empty()).then_some(number)
    }

    fn record(&mut self, number: u64) -> Option<&mut Record> {
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.records.get_mut(index)
    }

    /// Tells the fate of packets in the order of sending, up to the first that is not sure yet.
    fn settle(&mut self, now: Micros, settled: &mut Vec<Settled>) {
        self.settled = self.settled.max(self.first);
        while self.settled < self.reported {
            let number = self.settled;
            let Some(record) = self.record(number) else { break };
            let lost = match record.state {
                State::Arrived => Some(false),
                State::Missing(since) if now - since >= OVERTAKEN => Some(true),
                State::Missing(_) => break,
                State::Pending | State::Unreported => {
                    if record.bytes > 0 && now - record.sent < UNREPORTED {
                        break;
                    }
                    None
                }
            };
            if let Some(lost) = lost {
                settled.push(Settled { sent: record.sent, bytes: record.bytes, lost });
            }
            self.settled += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(sequence: u16, millis: u64) -> Report {
        Report { sequence, arrival: Arrival::At(Duration::from_millis(millis)) }
    }

    fn missing(sequence: u16) -> Report {
        Report { sequence, arrival: Arrival::Missing }
    }

    fn sent(first: u16, count: u16) -> History {
        let mut history = History::default();
        for step in 0..count {
            history.sent(Micros::from(step) * 10_000, first.wrapping_add(step), 100, None);
        }
        history
    }

    #[test]
    fn numbers_go_on_beyond_sixteen_bits() {
        let mut history = sent(65_530, 20);
        let reports: Vec<Report> =
            (0..20).map(|step| at(65_530u16.wrapping_add(step), u64::from(step) * 10)).collect();
        let news = history.feedback(300_000, &reports);
        assert_eq!(news.arrived.len(), 20);
        assert_eq!(news.settled.len(), 20);
        assert_eq!(news.round_trip, Some(110_000));
        assert!(news.arrived.is_sorted_by_key(|arrived| arrived.sent));
    }

    #[test]
    fn a_packet_that_was_only_overtaken_is_not_lost() {
        let mut history = sent(0, 4);
        let news = history.feedback(100_000, &[at(0, 1), missing(1), at(2, 3)]);
        assert_eq!(news.settled.len(), 1, "what came after the gap waits for it");
        let news = history.feedback(150_000, &[at(1, 4), at(2, 3), at(3, 5)]);
        assert_eq!(news.arrived.len(), 2, "the third was told of before");
        assert_eq!(news.settled.iter().filter(|settled| settled.lost).count(), 0);
        assert_eq!(news.settled.len(), 3);
    }

    #[test]
    fn a_packet_that_stays_missing_is_lost_once() {
        let mut history = sent(0, 4);
        history.feedback(100_000, &[at(0, 1), missing(1), at(2, 3)]);
        let news = history.feedback(200_000, &[at(3, 5)]);
        let lost: Vec<bool> = news.settled.iter().map(|settled| settled.lost).collect();
        assert_eq!(lost, [true, false, false]);
        assert!(history.feedback(300_000, &[at(3, 5), missing(1)]).settled.is_empty());
    }

    #[test]
    fn packets_of_which_a_lost_feedback_spoke_are_neither_lost_nor_arrived() {
        let mut history = sent(0, 30);
        history.feedback(100_000, &[at(0, 1)]);
        let news = history.feedback(300_000, &[at(20, 9)]);
        assert_eq!((news.unreported, news.settled.len()), (1_900, 0));
        let news = history.feedback(2_000_000, &[at(21, 10)]);
        assert_eq!(news.settled.len(), 2);
        assert_eq!(history.waiting_since(), Some(220_000));
    }

    #[test]
    fn unnumbered_bytes_travel_with_the_next_packet_and_a_new_path_starts_empty() {
        let mut history = sent(7, 1);
        history.unnumbered(70);
        history.sent(20_000, 8, 100, Some(3));
        let news = history.feedback(90_000, &[at(8, 9)]);
        assert_eq!((news.arrived[0].bytes, news.arrived[0].cluster), (170, Some(3)));
        history.forget();
        assert_eq!(history.feedback(90_000, &[at(7, 9), at(8, 9)]), News::default());
        assert_eq!(history.waiting_since(), None);
    }
}
