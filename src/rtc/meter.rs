//! Our interceptors. `Meter` stands next to the wire: it counts what passes, reads RTCP for
//! round-trip time, loss and jitter, and hands reports and keyframe requests on. `Delivery` stands
//! next to the application: it hands RTP to media and ends its way there, so that no queue of the
//! library lies in between. The library drives both from the connection's task; neither waits.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use ::rtc::interceptor::{Attribute, Interceptor, Packet, StreamInfo, TaggedPacket};
use ::rtc::rtcp;
use ::rtc::rtcp::payload_feedbacks::full_intra_request::FullIntraRequest;
use ::rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use ::rtc::rtcp::receiver_report::ReceiverReport;
use ::rtc::rtcp::reception_report::ReceptionReport;
use ::rtc::rtcp::sender_report::SenderReport;
use ::rtc::rtcp::transport_feedbacks::transport_layer_nack::TransportLayerNack;
use ::rtc::sansio::Protocol;
use ::rtc::shared::error::Error;

use super::path::{RemoteReport, bump};
use super::sdp::kind_of;
use super::shared::Shared;
use crate::media::pipeline::Kind;
use crate::media::rtp::packet::RtpPacket;
use crate::media::rtp::video;

/// Where [`Meter`] stands in the chain: nearer to the wire than everything of the library.
pub(super) const METER_SLOT: usize = 500;
/// Where [`Delivery`] stands: nearer to the application than everything of the library.
pub(super) const DELIVERY_SLOT: usize = 14_000;

/// Sender reports whose answer is awaited; the oldest gives way. Two streams, one a second.
const REPORTS_KEPT: usize = 32;
/// Sources of the other side that are told apart; further ones are mapped by payload type only.
const SOURCES_KEPT: usize = 16;
/// RTP header without extensions, for counting bytes.
const RTP_HEADER: usize = 12;

/// Which kind the sources of the other side are.
#[derive(Debug, Default)]
struct Sources(HashMap<u32, Kind>);

impl Sources {
    fn bind(&mut self, info: &StreamInfo) -> Option<Kind> {
        let kind = kind_of(&info.mime_type)?;
        if self.0.len() < SOURCES_KEPT || self.0.contains_key(&info.ssrc) {
            self.0.insert(info.ssrc, kind);
        }
        Some(kind)
    }

    /// The kind of a packet: by its source, or by the payload type for a source that the
    /// description did not announce.
    fn kind(&self, shared: &Shared, ssrc: u32, payload_type: u8) -> Option<Kind> {
        self.0.get(&ssrc).copied().or_else(|| {
            [Kind::Audio, Kind::Video]
                .into_iter()
                .find(|kind| shared.medium(*kind).payload_type() == Some(payload_type))
                .or((shared.vp9() == Some(payload_type)).then_some(Kind::Video))
        })
    }
}

/// Counts and reads RTCP, next to the wire.
pub(super) struct Meter {
    shared: Arc<Shared>,
    sources: Sources,
    /// Middle 32 bits of the NTP time of our sender reports, and when they left.
    reports: VecDeque<(u32, Instant)>,
    reads: VecDeque<TaggedPacket>,
    writes: VecDeque<TaggedPacket>,
}

impl Meter {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            sources: Sources::default(),
            reports: VecDeque::with_capacity(REPORTS_KEPT),
            reads: VecDeque::new(),
            writes: VecDeque::new(),
        }
    }

    fn received(&mut self, packet: &dyn rtcp::Packet, now: Instant) {
        let any = packet.as_any();
        if let Some(report) = any.downcast_ref::<SenderReport>() {
            if let Some(kind) = self.sources.0.get(&report.ssrc) {
                self.shared.inbound.sender_report(*kind, report.ntp_time, report.rtp_time, now);
            }
            self.reported(&report.reports, now);
        } else if let Some(report) = any.downcast_ref::<ReceiverReport>() {
            self.reported(&report.reports, now);
        } else if any.is::<PictureLossIndication>() || any.is::<FullIntraRequest>() {
            bump(&self.shared.keyframe_requests_received, 1);
            self.shared.inbound.keyframe_requested();
        } else if let Some(nack) = any.downcast_ref::<TransportLayerNack>()
            && let Some(kind) = self.shared.own_kind(nack.media_ssrc)
        {
            bump(&self.shared.medium(kind).counters.nacks_received, asked(nack));
        }
    }

    /// Reads the blocks of a report about our streams (RFC 3550, section 6.4.1).
    fn reported(&self, blocks: &[ReceptionReport], now: Instant) {
        for block in blocks {
            let Some(kind) = self.shared.own_kind(block.ssrc) else {
                continue;
            };
            let clock = match kind {
                Kind::Audio => 48_000.0,
                Kind::Video => 90_000.0,
            };
            self.shared.medium(kind).set_remote_report(RemoteReport {
                fraction_lost: f64::from(block.fraction_lost) / 256.0,
                packets_lost: signed_24(block.total_lost),
                jitter: Duration::from_secs_f64(f64::from(block.jitter) / clock),
            });
            let sent = self.reports.iter().find(|(middle, _)| *middle == block.last_sender_report);
            if let Some((_, sent)) = sent {
                let held = Duration::from_secs_f64(f64::from(block.delay) / 65_536.0);
                if let Some(rtt) = now.saturating_duration_since(*sent).checked_sub(held) {
                    self.shared.add_rtt(rtt);
                }
            }
        }
    }

    fn sent(&mut self, packet: &dyn rtcp::Packet, now: Instant) {
        let any = packet.as_any();
        if let Some(report) = any.downcast_ref::<SenderReport>() {
            if self.reports.len() == REPORTS_KEPT {
                self.reports.pop_front();
            }
            self.reports.push_back(((report.ntp_time >> 16) as u32, now));
        } else if any.is::<PictureLossIndication>() {
            bump(&self.shared.keyframe_requests_sent, 1);
        } else if let Some(nack) = any.downcast_ref::<TransportLayerNack>() {
            let kind = self.sources.0.get(&nack.media_ssrc);
            if let Some(kind) = kind {
                bump(&self.shared.medium(*kind).counters.nacks_sent, asked(nack));
            }
        }
    }
}

/// How many packets a NACK asks for.
fn asked(nack: &TransportLayerNack) -> u64 {
    nack.nacks.iter().map(|pair| 1 + u64::from(pair.lost_packets.count_ones())).sum()
}

/// The cumulative loss of a report is a signed number of 24 bits.
fn signed_24(value: u32) -> i64 {
    i64::from((value << 8).cast_signed() >> 8)
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for Meter {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, msg: TaggedPacket) -> Result<(), Error> {
        match &msg.message.packet {
            Packet::Rtp(packet) => {
                let bytes = packet.payload.len();
                bump(&self.shared.bytes_received, (bytes + RTP_HEADER) as u64);
                let header = &packet.header;
                let kind = self.sources.kind(&self.shared, header.ssrc, header.payload_type);
                if let Some(kind) = kind {
                    let counters = &self.shared.medium(kind).counters;
                    bump(&counters.packets_received, 1);
                    bump(&counters.bytes_received, bytes as u64);
                }
            }
            Packet::Rtcp(packets) => {
                for packet in packets {
                    bump(&self.shared.bytes_received, packet.marshal_size() as u64);
                    self.received(packet.as_ref(), msg.now);
                }
            }
            _ => {}
        }
        self.reads.push_back(msg);
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.reads.pop_front()
    }

    fn handle_write(&mut self, msg: TaggedPacket) -> Result<(), Error> {
        match &msg.message.packet {
            Packet::Rtp(packet) => {
                let bytes = packet.payload.len();
                bump(&self.shared.bytes_sent, (bytes + RTP_HEADER) as u64);
                if let Some(kind) = self.shared.own_kind(packet.header.ssrc) {
                    let counters = &self.shared.medium(kind).counters;
                    bump(&counters.packets_sent, 1);
                    bump(&counters.bytes_sent, bytes as u64);
                    if msg.message.has(&Attribute::Retransmission) {
                        bump(&counters.retransmitted, 1);
                    }
                }
            }
            Packet::Rtcp(packets) => {
                for packet in packets {
                    bump(&self.shared.bytes_sent, packet.marshal_size() as u64);
                    self.sent(packet.as_ref(), msg.now);
                }
            }
            _ => {}
        }
        self.writes.push_back(msg);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.writes.pop_front()
    }
}

impl Interceptor for Meter {
    fn bind_local_stream(&mut self, info: &StreamInfo) {
        if let Some(kind) = kind_of(&info.mime_type) {
            self.shared.medium(kind).set_payload_type(info.payload_type);
        }
    }

    fn unbind_local_stream(&mut self, _info: &StreamInfo) {}

    fn bind_remote_stream(&mut self, info: &StreamInfo) {
        if let Some(kind) = self.sources.bind(info) {
            self.shared.medium(kind).remote_ssrc.store(info.ssrc, Ordering::Relaxed);
        }
    }

    fn unbind_remote_stream(&mut self, info: &StreamInfo) {
        self.sources.0.remove(&info.ssrc);
    }
}

/// Hands RTP to media and keeps it from going further, next to the application.
pub(super) struct Delivery {
    shared: Arc<Shared>,
    sources: Sources,
    reads: VecDeque<TaggedPacket>,
    writes: VecDeque<TaggedPacket>,
}

impl Delivery {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, sources: Sources::default(), reads: VecDeque::new(), writes: VecDeque::new() }
    }
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for Delivery {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, msg: TaggedPacket) -> Result<(), Error> {
        let arrived = msg.now;
        match msg.message.packet {
            Packet::Rtp(packet) => {
                let header = packet.header;
                let kind = self.sources.kind(&self.shared, header.ssrc, header.payload_type);
                if let Some(kind) = kind {
                    let payload_type = match kind {
                        Kind::Audio => header.payload_type,
                        // Media knows the codecs by the numbers of our own offers.
                        Kind::Video => video::payload_type(self.shared.codec(header.payload_type)),
                    };
                    self.shared.inbound.rtp(
                        kind,
                        RtpPacket {
                            payload_type,
                            marker: header.marker,
                            sequence: header.sequence_number,
                            timestamp: header.timestamp,
                            ssrc: header.ssrc,
                            payload: packet.payload,
                            arrived,
                        },
                    );
                }
            }
            _ => self.reads.push_back(msg),
        }
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
}

impl Interceptor for Delivery {
    fn bind_local_stream(&mut self, _info: &StreamInfo) {}
    fn unbind_local_stream(&mut self, _info: &StreamInfo) {}

    fn bind_remote_stream(&mut self, info: &StreamInfo) {
        self.sources.bind(info);
    }

    fn unbind_remote_stream(&mut self, info: &StreamInfo) {
        self.sources.0.remove(&info.ssrc);
    }
}
