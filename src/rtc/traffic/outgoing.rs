//! What leaves: numbers, pace, padding, and what is sent again.
//!
//! Sound leaves at once and is only charged. Pictures wait for their turn. RTP sequence numbers are given when a packet
//! leaves, without gaps: pictures that waited for too long are dropped together with all that depends on them, and the
//! other side sees a stream that goes on with a key frame.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use ::rtc::interceptor::{Attribute, AttributedPacket, Packet as Chained, TaggedPacket};
use ::rtc::rtcp;
use ::rtc::rtp::{Header, Packet};
use ::rtc::shared::TransportContext;

use super::kept::Sent;
use super::wire;
use crate::media::pipeline::{Bandwidth, Kind};
use crate::media::rtp::video::Fragment;
use crate::rtc::bandwidth::pacer::{Pacer, Release};
use crate::rtc::bandwidth::{Bounds, Estimator, Kind as Load, Pacing, RTCP_OVERHEAD, Report};
use crate::rtc::config::RETRANSMISSION_BUFFER;
use crate::rtc::path::bump;
use crate::rtc::shared::Shared;

/// How often the estimator is told that time passes, and the application how the path is.
const TICK: Duration = Duration::from_millis(100);
/// After this long without a packet nobody needs to be told.
const IDLE: Duration = Duration::from_secs(3);
/// No estimate is lower, in bits per second: voice alone at its worst.
const LEAST: f64 = 16_000.0;
/// No estimate is higher.
const MOST: f64 = 100e6;
/// Sound that may be asked for again: 5 s.
const KEPT_SOUND: u16 = 256;
/// One packet is sent again this often at most.
const AGAIN: Duration = Duration::from_millis(10);
/// RTCP is averaged over about this long, in seconds.
const OTHERS: f64 = 2.0;

/// One of our streams.
#[derive(Debug)]
struct Stream {
    kind: Kind,
    /// Identifier of the number's header extension.
    extension: Option<u8>,
    /// Identifiers that mean something.
    taken: Vec<u8>,
    sent: Sent,
    /// The sequence number of the next packet; that of the first is the application's.
    next: Option<u16>,
    /// The header of the last packet: padding follows it.
    last: Option<Header>,
    /// What waited was dropped: nothing before a key frame is of use.
    waits_for_keyframe: bool,
}

/// A packet that waits for its turn.
#[derive(Debug)]
struct Parcel {
    packet: Packet,
    /// It was sent before.
    again: bool,
}

/// What is known of the path, once it is used.
#[derive(Debug)]
struct Flow {
    estimator: Estimator,
    pacer: Pacer<Parcel>,
    /// The next transport-wide number.
    number: u16,
    ticked: Instant,
    last: Instant,
    /// Packets that waited for too long, as far as they were counted.
    dropped: u64,
    /// Which path this is about.
    path: u64,
    /// The most that may leave, bits per second, whatever the path carries: an encoder does not keep to its rate on the spot.
    most: f64,
    /// RTCP of late: bytes, fading.
    others: f64,
    others_at: Instant,
}

/// The sending side.
pub(super) struct Outgoing {
    shared: Arc<Shared>,
    streams: HashMap<u32, Stream>,
    flow: Option<Flow>,
    out: VecDeque<TaggedPacket>,
}

impl Outgoing {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, streams: HashMap::new(), flow: None, out: VecDeque::new() }
    }

    pub(super) fn bind(&mut self, ssrc: u32, kind: Kind, extension: Option<u8>, taken: Vec<u8>) {
        if extension.is_some() {
            self.shared.numbered.store(true, Ordering::Relaxed);
        }
        if let Some(stream) = self.streams.get_mut(&ssrc) {
            (stream.extension, stream.taken) = (extension, taken);
            return;
        }
        let kept = match kind {
            Kind::Audio => KEPT_SOUND,
            Kind::Video => RETRANSMISSION_BUFFER,
        };
        let sent = Sent::new(kept);
        let stream =
            Stream { kind, extension, taken, sent, next: None, last: None, waits_for_keyframe: false };
        self.streams.insert(ssrc, stream);
    }

    pub(super) fn unbind(&mut self, ssrc: u32) {
        self.streams.remove(&ssrc);
    }

    /// What is to go on towards the wire.
    pub(super) fn released(&mut self) -> impl Iterator<Item = TaggedPacket> + '_ {
        self.out.drain(..)
    }

    /// A packet of the application. One of a stream that is not ours is given back.
    pub(super) fn send(&mut self, now: Instant, packet: Packet) -> Option<Packet> {
        let Some(stream) = self.streams.get_mut(&packet.header.ssrc) else {
            return Some(packet);
        };
        if stream.extension.is_none() || stream.kind == Kind::Audio {
            self.leave(now, Parcel { packet, again: false });
            return None;
        }
        if stream.waits_for_keyframe {
            let codec = self.shared.codec(packet.header.payload_type);
            let fragment = Fragment::parse(codec, &packet.payload);
            let begins = fragment.is_ok_and(|fragment| fragment.begins_keyframe);
            if !begins {
                bump(&self.shared.medium(Kind::Video).counters.dropped, 1);
                return None;
            }
            stream.waits_for_keyframe = false;
        }
        let bytes = self.size(&packet);
        self.begin(now);
        if let Some(flow) = &mut self.flow {
            flow.pacer.push(now, bytes, Parcel { packet, again: false });
        }
        None
    }

    /// RTCP leaves.
    pub(super) fn passed(&mut self, now: Instant, packets: &[Box<dyn rtcp::Packet>]) {
        let Some(flow) = &mut self.flow else { return };
        let bytes: usize = packets.iter().map(|packet| packet.marshal_size()).sum();
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX / 2) + RTCP_OVERHEAD;
        flow.pass_others(now, bytes);
        flow.estimator.sent_unnumbered(bytes);
        flow.pacer.charge(now, bytes);
    }

    /// The other side asks for packets again.
    pub(super) fn asked(&mut self, now: Instant, ssrc: u32, sequences: impl Iterator<Item = u16>) {
        let rtt = self.shared.latest_rtt().unwrap_or_default();
        // As long as it takes to hear of a packet, the queue and the other side's interval included.
        let heard = self.flow.as_ref().and_then(|flow| flow.estimator.estimate(now).round_trip);
        let Some(stream) = self.streams.get_mut(&ssrc) else { return };
        let paced = stream.extension.is_some() && stream.kind == Kind::Video;
        let pause = AGAIN.max(if paced { heard.unwrap_or(rtt) * 2 / 3 } else { rtt / 2 });
        let packets: Vec<Packet> =
            sequences.filter_map(|sequence| stream.sent.again(now, sequence, pause)).collect();
        for packet in packets {
            let bytes = self.size(&packet);
            let parcel = Parcel { packet, again: true };
            match &mut self.flow {
                Some(flow) if paced => flow.pacer.repair(now, bytes, parcel),
                _ => self.leave(now, parcel),
            }
        }
    }

    /// The other side tells what arrived.
    pub(super) fn feedback(&mut self, now: Instant, reports: &[Report]) {
        let Some(flow) = &mut self.flow else { return };
        flow.estimator.feedback(now, reports);
        self.tell(now);
    }

    /// Time passes.
    pub(super) fn tick(&mut self, now: Instant) {
        let path = self.shared.path.load(Ordering::Relaxed);
        let Some(flow) = &mut self.flow else { return };
        if now.saturating_duration_since(flow.ticked) < TICK {
            return;
        }
        flow.ticked = now;
        if flow.path != path {
            flow.path = path;
            flow.estimator.reset();
        }
        flow.estimator.tick(now);
        self.tell(now);
    }

    /// Lets leave what may leave now.
    pub(super) fn pump(&mut self, now: Instant) {
        loop {
            let padded = self.padded();
            let Some(flow) = &mut self.flow else { return };
            let mut pacing = flow.estimator.pacing(now);
            pacing.padding = pacing.padding.filter(|_| padded.is_some());
            pacing.rate = pacing.rate.min(flow.most);
            flow.pacer.set_pacing(now, pacing);
            let release = flow.pacer.pop(now);
            let dropped = flow.pacer.dropped();
            bump(&self.shared.medium(Kind::Video).counters.dropped, dropped - flow.dropped);
            flow.dropped = dropped;
            if flow.pacer.take_keyframe_wanted() {
                self.drop_pictures();
                continue;
            }
            match release {
                Some(Release::Packet(parcel)) => self.leave(now, parcel),
                Some(Release::Padding(bytes)) => self.leave_padding(now, bytes, padded),
                None => break,
            }
        }
        let backlog = self.flow.as_ref().map_or(Duration::ZERO, |flow| flow.pacer.backlog());
        self.shared.set_backlog(backlog);
    }

    /// When something is to be done.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let flow = self.flow.as_ref()?;
        let busy = flow.ticked.saturating_duration_since(flow.last) < IDLE;
        let tick = busy.then_some(flow.ticked + TICK);
        [flow.pacer.deadline(), tick].into_iter().flatten().min()
    }

    /// What we send, in bits per second, when we do.
    pub(super) fn rate(&self, now: Instant) -> Option<f64> {
        let flow = self.flow.as_ref()?;
        let busy = now.saturating_duration_since(flow.last) < IDLE;
        busy.then(|| flow.estimator.estimate(now).target)
    }

    /// The first packet is about to leave.
    fn begin(&mut self, now: Instant) {
        if self.flow.is_none() {
            self.flow =
                Some(Flow::new(now, self.shared.start_rate(), self.shared.path.load(Ordering::Relaxed)));
            self.tell(now);
        }
    }

    /// Tells the application how the path is, and learns what it would send.
    fn tell(&mut self, now: Instant) {
        let Some(flow) = &mut self.flow else { return };
        let estimate = flow.estimator.estimate(now);
        let wanted = self.shared.inbound.bandwidth(Bandwidth {
            target: estimate.target,
            loss: estimate.loss,
            others: flow.others(now),
            overhead: self.shared.overhead(),
            beside: self.shared.is_bulk_under_way(now),
        });
        flow.estimator.set_wanted(wanted);
        flow.most = self.shared.inbound.most();
        tracing::trace!(target = estimate.target as u64, phase = ?estimate.phase, queue = ?estimate.queue, "path");
        self.shared.set_available(estimate.target);
    }

    /// The stream that padding may follow: that of pictures, between two of them.
    fn padded(&self) -> Option<u32> {
        self.streams
            .iter()
            .find(|(_, stream)| {
                stream.kind == Kind::Video
                    && stream.extension.is_some()
                    && stream.last.as_ref().is_some_and(|last| last.marker)
            })
            .map(|(ssrc, _)| *ssrc)
    }

    /// A packet leaves now.
    fn leave(&mut self, now: Instant, parcel: Parcel) {
        let Parcel { mut packet, again } = parcel;
        let Some(stream) = self.streams.get_mut(&packet.header.ssrc) else { return };
        if !again {
            let next = stream.next.unwrap_or(packet.header.sequence_number);
            packet.header.sequence_number = next;
            stream.next = Some(next.wrapping_add(1));
            stream.last = Some(packet.header.clone());
            stream.sent.keep(packet.clone());
        } else {
            stream.sent.left(now, packet.header.sequence_number);
        }
        let (kind, extension) = (stream.kind, stream.extension);
        if let Some(extension) = extension {
            let bytes = self.size(&packet);
            self.begin(now);
            let load = match kind {
                Kind::Audio => Load::Audio,
                Kind::Video => Load::Video,
            };
            if let Some(flow) = &mut self.flow {
                flow.number(now, &mut packet.header, extension, bytes, load);
                if kind == Kind::Audio {
                    flow.pacer.charge(now, bytes);
                }
            }
        }
        self.put(now, packet, again);
    }

    /// A packet of nothing leaves, of about so many bytes, or of as many as can be.
    fn leave_padding(&mut self, now: Instant, bytes: u32, ssrc: Option<u32>) {
        let Some(stream) = ssrc.and_then(|ssrc| self.streams.get_mut(&ssrc)) else { return };
        let (Some(last), Some(next), Some(extension), Some(flow)) =
            (&stream.last, stream.next, stream.extension, &mut self.flow)
        else {
            return;
        };
        let mut header = last.clone();
        header.sequence_number = next;
        header.marker = false;
        stream.next = Some(next.wrapping_add(1));
        // What is asked for again is the number, not the bytes.
        stream.sent.keep(Packet { header: header.clone(), ..Packet::default() });
        wire::number(&mut header, extension, flow.number);
        let wanted = bytes;
        let bytes = wire::pad(&mut header, wanted, &stream.taken);
        flow.pacer.give_back(wanted.saturating_sub(bytes));
        flow.number(now, &mut header, extension, bytes, Load::Padding);
        self.put(now, Packet { header, ..Packet::default() }, false);
    }

    fn put(&mut self, now: Instant, packet: Packet, again: bool) {
        let mut message = AttributedPacket::new(Chained::Rtp(packet));
        if again {
            message.attributes.push(Attribute::Retransmission);
        }
        self.out.push_back(TaggedPacket { now, transport: TransportContext::default(), message });
    }

    /// Pictures waited for too long and are gone.
    fn drop_pictures(&mut self) {
        for stream in self.streams.values_mut().filter(|stream| stream.kind == Kind::Video) {
            stream.waits_for_keyframe = true;
        }
        self.shared.inbound.keyframe_requested();
    }

    /// Bytes on the wire.
    fn size(&self, packet: &Packet) -> u32 {
        let payload = u32::try_from(packet.payload.len()).unwrap_or(u32::MAX / 2);
        payload + self.shared.overhead()
    }
}

impl Flow {
    fn new(now: Instant, start: f64, path: u64) -> Self {
        let bounds = Bounds { start, least: LEAST, most: MOST };
        Self {
            estimator: Estimator::new(now, bounds),
            pacer: Pacer::new(now, Pacing { rate: start, padding: None }),
            number: 0,
            ticked: now,
            last: now,
            dropped: 0,
            path,
            most: f64::INFINITY,
            others: 0.0,
            others_at: now,
        }
    }

    /// Numbers a packet that leaves.
    fn number(&mut self, now: Instant, header: &mut Header, extension: u8, bytes: u32, load: Load) {
        wire::number(header, extension, self.number);
        self.estimator.sent(now, self.number, bytes, load);
        self.number = self.number.wrapping_add(1);
        if now.saturating_duration_since(self.last) > IDLE {
            // Ticks had stopped.
            self.ticked = now;
        }
        self.last = now;
    }

    fn pass_others(&mut self, now: Instant, bytes: u32) {
        self.others = self.faded(now) + f64::from(bytes);
        self.others_at = now;
    }

    fn faded(&self, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(self.others_at).as_secs_f64();
        self.others * (-passed / OTHERS).exp()
    }

    /// RTCP of late, in bits per second.
    fn others(&self, now: Instant) -> f64 {
        self.faded(now) * 8.0 / OTHERS
    }
}
