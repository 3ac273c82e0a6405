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

/// How long a gap may come from reordering before it counts as a loss: a little at first, and then so much longer than packets of this path
/// were late by themselves.
const LEAST_WAIT: Duration = Duration::from_millis(2);
const MOST_WAIT: Duration = Duration::from_millis(30);
const LONGER: f64 = 1.2;
/// Packets after which what is known of reordering has faded to a third.
const FADES_OVER: f64 = 1000.0;
/// What came sooner after the first request than this share of the round trip was on its way already.
const TOO_SOON: f64 = 0.75;
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
    /// The highest sequence number, counted on beyond 16 bits, and when it came.
    highest: Option<(u64, Instant)>,
    wanted: BTreeMap<u64, Wanted>,
    /// The share of packets that did not come when they should have, fading.
    share: f32,
    /// How late packets were that came by themselves, in seconds, fading.
    reordered: f64,
    rtt: Duration,
}

#[derive(Debug, Clone, Copy)]
struct Wanted {
    /// When it should have come.
    missed: Instant,
    noticed: Instant,
    due: Instant,
    /// When it was asked for first.
    asked: Option<Instant>,
    requests: u8,
    /// When it is due again, once the request under way was made for the second time.
    then: Option<Instant>,
}

impl Missing {
    /// A packet came.
    pub(super) fn arrived(&mut self, sequence: u16, now: Instant) {
        let Some((highest, came)) = self.highest else {
            // A whole cycle of room, so that packets from before the first do not go below zero.
            self.highest = Some((u64::from(sequence) + (1 << 16), now));
            return;
        };
        let ahead = sequence.wrapping_sub(highest as u16).cast_signed();
        let number = highest.saturating_add_signed(i64::from(ahead));
        self.reordered -= self.reordered / FADES_OVER;
        if number <= highest {
            if let Some(wanted) = self.wanted.remove(&number) {
                let sooner = |asked| now.saturating_duration_since(asked) < self.rtt.mul_f64(TOO_SOON);
                if wanted.asked.is_none_or(sooner) {
                    let late = now.saturating_duration_since(wanted.noticed).as_secs_f64();
                    self.reordered = self.reordered.max(late);
                }
            }
            return;
        }
        let wait = Duration::from_secs_f64(self.reordered * LONGER).clamp(LEAST_WAIT, MOST_WAIT);
        let first = (highest + 1).max(number.saturating_sub(MISSING as u64));
        let (silence, steps) = (now.saturating_duration_since(came), (number - highest) as f64);
        let mut lost = 0.0;
        for gap in first..number {
            // Of a path that was cut for a while only the end is worth asking for: what came evenly was lost evenly.
            let ago = silence.mul_f64((number - gap) as f64 / steps);
            if let Some(missed) = now.checked_sub(ago).filter(|_| ago < WORTH_ASKING) {
                lost += 1.0;
                let (due, noticed) = (now + wait, now);
                self.wanted
                    .insert(gap, Wanted { missed, noticed, due, asked: None, requests: 0, then: None });
            }
        }
        self.share = (self.share * SHARE_OVER + lost) / (SHARE_OVER + lost + 1.0);
        while self.wanted.len() > MISSING {
            self.wanted.pop_first();
        }
        self.highest = Some((number, now));
    }

    /// When the next request is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.wanted.values().map(|wanted| wanted.due).min()
    }

    /// The packets to ask for now. What was asked for often enough, or is too old, is given up.
    pub(super) fn due(&mut self, now: Instant, rtt: Option<Duration>) -> Vec<u16> {
        self.rtt = rtt.unwrap_or_default();
        let pause = LEAST_PAUSE.max(self.rtt + MARGIN);
        let twice = self.share > LOSSY && pause > TWICE * 2;
        let mut ask = Vec::new();
        self.wanted.retain(|number, wanted| {
            if wanted.due > now {
                return true;
            }
            let old = now.saturating_duration_since(wanted.missed) > WORTH_ASKING;
            if old || wanted.requests == REQUESTS {
                return false;
            }
            ask.push(*number as u16);
            wanted.asked.get_or_insert(now);
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
        assert_eq!(missing.deadline(), Some(start + 2 * MS));
        assert!(missing.due(start + MS, None).is_empty());
        assert_eq!(missing.due(start + 2 * MS, Some(50 * MS)), [65_535, 0, 1]);
        missing.arrived(0, start + 52 * MS);
        assert!(missing.due(start + 61 * MS, Some(50 * MS)).is_empty());
        assert_eq!(missing.due(start + 62 * MS, None), [65_535, 1]);
        assert_eq!(missing.due(start + 92 * MS, None), [65_535, 1]);
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
    fn a_path_that_reorders_is_waited_for_and_one_that_does_not_any_more_is_not() {
        let start = Instant::now();
        let at = |ms: u32| start + ms * MS;
        let mut missing = Missing::default();
        missing.arrived(1, start);
        missing.arrived(3, at(10));
        assert_eq!(missing.due(at(12), Some(80 * MS)), [2], "once in vain");
        missing.arrived(2, at(25));
        missing.arrived(5, at(40));
        let waits = missing.deadline().unwrap() - at(40);
        assert!(waits > 17 * MS && waits < 18 * MS, "{waits:?}");
        missing.arrived(4, at(52));
        // What was sent again says nothing of reordering.
        missing.arrived(7, at(60));
        assert_eq!(missing.due(at(90), Some(80 * MS)), [6]);
        missing.arrived(6, at(180));
        let before = missing.reordered;
        (8..2_000).for_each(|number| missing.arrived(number, at(200)));
        assert!(before < 0.016 && missing.reordered < before / 6.0, "{before} {}", missing.reordered);
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
        assert_eq!(asked, [2, 14, 92, 104, 182, 194, 272, 284, 362, 374]);
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

    #[test]
    fn of_a_long_silence_only_the_end_is_asked_for() {
        let start = Instant::now();
        let mut missing = Missing::default();
        missing.arrived(1, start);
        let back = start + 10_000 * MS;
        missing.arrived(201, back);
        let asked = missing.due(back + 10 * MS, None);
        assert_eq!(asked, (172..=200).collect::<Vec<u16>>(), "one and a half of ten seconds");
        let mut soon = Missing::default();
        soon.arrived(1, start);
        soon.arrived(201, start + 1000 * MS);
        assert_eq!(soon.due(start + 1010 * MS, None).len(), 199, "all of one");
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
