//! Asks for lost packets again (RFC 4585, section 6.2.1). Unlike the library's generator, which asks
//! every so many milliseconds whether there is anything to ask for or not, this one has a timer only
//! while something is missing, asks for the first time as soon as reordering is ruled out, and repeats
//! after a round trip, from the fifth time on after ever longer: sooner would only fetch the same packet twice. Where
//! much is lost each request is made twice, because it may be lost itself.
//!
//! [`Missing`] is pure, time is an argument; [`Nack`] puts it into the library's chain.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::rtc::interceptor::{AttributedPacket, Interceptor, Packet, StreamInfo, TaggedPacket};
use ::rtc::rtcp::transport_feedbacks::transport_layer_nack::{
    TransportLayerNack, nack_pairs_from_sequence_numbers,
};
use ::rtc::sansio::Protocol;
use ::rtc::shared::TransportContext;
use ::rtc::shared::error::Error;

use super::sdp::kind_of;
use super::shared::Shared;
use crate::media::pipeline::Kind;

/// How long a gap may come from reordering before it counts as a loss.
const REORDERING: Duration = Duration::from_millis(10);
/// Pause between two requests for one packet, unless a round trip takes longer.
const LEAST_PAUSE: Duration = Duration::from_millis(20);
/// Added to the round trip before a request is repeated, for jitter and the other side's work.
const MARGIN: Duration = Duration::from_millis(10);
/// Requests that are a round trip apart; later ones come after ever longer.
const PROMPT: u8 = 4;
/// A request may be lost itself: where more than this share of the packets is, each is made twice, so far apart. The
/// other side sends once.
const LOSSY: f32 = 0.07;
const TWICE: Duration = Duration::from_millis(12);
/// Packets over which that share is taken.
const SHARE_OVER: f32 = 100.0;
/// Requests for one packet. With half of everything lost, one in a thousand is still missing then.
const REQUESTS: u8 = 10;
/// After this long nobody plays the packet any more.
const WORTH_ASKING: Duration = Duration::from_millis(1500);
/// Packets of one stream that are missed at a time; a longer gap is no loss to repair, but a break,
/// and the oldest are given up.
const MISSING: usize = 256;
/// Streams that are watched: one of each kind, and what a browser may add.
const STREAMS: usize = 8;

/// What is missing of one stream.
#[derive(Debug, Default)]
pub(super) struct Missing {
    /// The highest sequence number, counted on beyond 16 bits.
    highest: Option<u64>,
    wanted: BTreeMap<u64, Wanted>,
    /// The share of packets that did not come when they should have, fading.
    share: f32,
}

#[derive(Debug, Clone, Copy)]
struct Wanted {
    noticed: Instant,
    due: Instant,
    requests: u8,
    /// When it is due again, once the request under way was made for the second time.
    then: Option<Instant>,
}

impl Missing {
    /// A packet came.
    pub(super) fn arrived(&mut self, sequence: u16, now: Instant) {
        let Some(highest) = self.highest else {
            // A whole cycle of room, so that packets from before the first do not go below zero.
            self.highest = Some(u64::from(sequence) + (1 << 16));
            return;
        };
        let ahead = sequence.wrapping_sub(highest as u16).cast_signed();
        let number = highest.saturating_add_signed(i64::from(ahead));
        if number <= highest {
            self.wanted.remove(&number);
            return;
        }
        let first = (highest + 1).max(number.saturating_sub(MISSING as u64));
        for gap in first..number {
            self.wanted.insert(gap, Wanted { noticed: now, due: now + REORDERING, requests: 0, then: None });
        }
        let lost = (number - first) as f32;
        self.share = (self.share * SHARE_OVER + lost) / (SHARE_OVER + lost + 1.0);
        while self.wanted.len() > MISSING {
            self.wanted.pop_first();
        }
        self.highest = Some(number);
    }

    /// When the next request is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.wanted.values().map(|wanted| wanted.due).min()
    }

    /// The packets to ask for now. What was asked for often enough, or is too old, is given up.
    pub(super) fn due(&mut self, now: Instant, rtt: Option<Duration>) -> Vec<u16> {
        let pause = LEAST_PAUSE.max(rtt.unwrap_or_default() + MARGIN);
        let twice = self.share > LOSSY && pause > TWICE * 2;
        let mut ask = Vec::new();
        self.wanted.retain(|number, wanted| {
            if wanted.due > now {
                return true;
            }
            let old = now.saturating_duration_since(wanted.noticed) > WORTH_ASKING;
            if old || wanted.requests == REQUESTS {
                return false;
            }
            ask.push(*number as u16);
            if let Some(then) = wanted.then.take() {
                wanted.due = then;
                return true;
            }
            // What is not there after some round trips may stand in a queue behind what it came after: longer each time.
            let more = u32::from((wanted.requests + 1).saturating_sub(PROMPT));
            let next = now + pause + pause * more / 2;
            wanted.requests += 1;
            (wanted.due, wanted.then) = if twice { (now + TWICE, Some(next)) } else { (next, None) };
            true
        });
        ask
    }
}

/// [`Missing`] for every stream, in the library's chain.
pub(super) struct Nack {
    shared: Arc<Shared>,
    streams: HashMap<u32, (Kind, Missing)>,
    reads: VecDeque<TaggedPacket>,
    writes: VecDeque<TaggedPacket>,
}

impl Nack {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, streams: HashMap::new(), reads: VecDeque::new(), writes: VecDeque::new() }
    }
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for Nack {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, msg: TaggedPacket) -> Result<(), Error> {
        if let Packet::Rtp(packet) = &msg.message.packet
            && let Some((_, missing)) = self.streams.get_mut(&packet.header.ssrc)
        {
            missing.arrived(packet.header.sequence_number, msg.now);
        }
        self.reads.push_back(msg);
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.reads.pop_front()
    }

    fn handle_write(&mut self, msg: TaggedPacket) -> Result<(), Error> {
        self.writes.push_back(msg);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.writes.pop_front()
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), Error> {
        let rtt = self.shared.latest_rtt();
        for (media_ssrc, (kind, missing)) in &mut self.streams {
            if missing.deadline().is_none_or(|deadline| deadline > now) {
                continue;
            }
            let ask = missing.due(now, rtt);
            if ask.is_empty() {
                continue;
            }
            let request = TransportLayerNack {
                sender_ssrc: self.shared.medium(*kind).ssrc,
                media_ssrc: *media_ssrc,
                nacks: nack_pairs_from_sequence_numbers(&ask),
            };
            self.writes.push_back(TaggedPacket {
                now,
                transport: TransportContext::default(),
                message: AttributedPacket::new(Packet::Rtcp(vec![Box::new(request)])),
            });
        }
        Ok(())
    }

    fn poll_timeout(&mut self) -> Option<Instant> {
        let deadlines = self.streams.values();
        deadlines.filter_map(|(_, missing)| missing.deadline()).min()
    }
}

impl Interceptor for Nack {
    fn bind_local_stream(&mut self, _info: &StreamInfo) {}
    fn unbind_local_stream(&mut self, _info: &StreamInfo) {}

    fn bind_remote_stream(&mut self, info: &StreamInfo) {
        let agreed =
            info.rtcp_feedback.iter().any(|feedback| feedback.typ == "nack" && feedback.parameter.is_empty());
        if let Some(kind) = kind_of(&info.mime_type)
            && agreed
            && self.streams.len() < STREAMS
        {
            self.streams.insert(info.ssrc, (kind, Missing::default()));
        }
    }

    fn unbind_remote_stream(&mut self, info: &StreamInfo) {
        self.streams.remove(&info.ssrc);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_gap_is_asked_for_after_reordering_is_ruled_out_and_again_after_a_round_trip() {
        let start = Instant::now();
        let mut missing = Missing::default();
        for sequence in [65_533, 65_534, 2] {
            missing.arrived(sequence, start);
        }
        assert_eq!(missing.deadline(), Some(start + 10 * MS));
        assert!(missing.due(start + 9 * MS, None).is_empty());
        assert_eq!(missing.due(start + 10 * MS, Some(50 * MS)), [65_535, 0, 1]);
        missing.arrived(0, start + 30 * MS);
        assert!(missing.due(start + 69 * MS, Some(50 * MS)).is_empty());
        assert_eq!(missing.due(start + 70 * MS, None), [65_535, 1]);
        assert_eq!(missing.due(start + 100 * MS, None), [65_535, 1]);
        missing.arrived(1, start + 101 * MS);
        missing.arrived(65_535, start + 101 * MS);
        assert_eq!(missing.deadline(), None);
    }

    #[test]
    fn reordering_and_duplicates_ask_for_nothing() {
        let start = Instant::now();
        let mut missing = Missing::default();
        for (step, sequence) in [10, 12, 11, 13, 13, 15, 14, 9].into_iter().enumerate() {
            let now = start + MS * u32::try_from(step).unwrap();
            missing.arrived(sequence, now);
            assert!(missing.due(now, None).is_empty());
        }
        assert_eq!(missing.deadline(), None);
    }

    #[test]
    fn where_much_is_lost_each_request_is_made_twice() {
        let start = Instant::now();
        let mut missing = Missing::default();
        let rtt = Some(80 * MS);
        (0..400u16).filter(|number| number % 10 != 9).for_each(|number| missing.arrived(number, start));
        (0..400).for_each(|number| missing.arrived(number, start));
        assert_eq!(missing.deadline(), None);
        missing.arrived(401, start);
        let asked: Vec<u64> = std::iter::from_fn(|| {
            let at = missing.deadline()?;
            missing.due(at, rtt).first().map(|_| u64::try_from((at - start).as_millis()).unwrap())
        })
        .take(10)
        .collect();
        assert_eq!(asked, [10, 22, 100, 112, 190, 202, 280, 292, 370, 382]);
    }

    #[test]
    fn what_never_comes_is_given_up() {
        let start = Instant::now();
        let mut missing = Missing::default();
        missing.arrived(1, start);
        missing.arrived(3, start);
        let mut asked = 0;
        let mut now = start;
        while let Some(deadline) = missing.deadline() {
            now = deadline;
            asked += missing.due(now, None).len();
        }
        assert_eq!(asked, usize::from(REQUESTS));
        assert!(now - start < WORTH_ASKING);
        missing.arrived(1000, now);
        assert!(missing.due(now + 10 * MS, None).len() <= MISSING);
        let late = now + WORTH_ASKING * 2;
        assert!(missing.due(late, None).is_empty());
        assert_eq!(missing.deadline(), None);
    }

    proptest! {
        #[test]
        fn memory_stays_bounded_and_only_the_missing_is_asked_for(
            sequences in proptest::collection::vec(any::<u16>(), 1..300)
        ) {
            let start = Instant::now();
            let mut missing = Missing::default();
            for (step, sequence) in sequences.iter().enumerate() {
                let now = start + MS * u32::try_from(step).unwrap();
                missing.arrived(*sequence, now);
                prop_assert!(missing.wanted.len() <= MISSING);
                let asked = missing.due(now + 20 * MS, None);
                prop_assert!(!asked.contains(sequence));
            }
        }
    }
}
