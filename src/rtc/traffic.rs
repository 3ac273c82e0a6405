//! What passes between the library and the wire: every packet that leaves is numbered and reported on, pictures leave at
//! the pace of the path, lost packets are sent again, and the other side is told when its packets arrived.
//!
//! One interceptor in place of the library's pacer, responder and transport-wide congestion control: a padding packet
//! takes the sequence number that the next packet would have had, so whoever paces must number, and whoever numbers must
//! know what to send again. What leaves is [`outgoing`]'s, what comes is [`incoming`]'s; both are driven from the
//! connection's task and never wait. What is decided is decided in [`super::bandwidth`].

mod incoming;
mod kept;
mod outgoing;
#[cfg(test)]
mod tests;
mod wire;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use ::rtc::interceptor::{AttributedPacket, Interceptor, Packet, StreamInfo, TaggedPacket};
use ::rtc::rtcp;
use ::rtc::rtcp::transport_feedbacks::transport_layer_cc::TransportLayerCc;
use ::rtc::rtcp::transport_feedbacks::transport_layer_nack::TransportLayerNack;
use ::rtc::sansio::Protocol;
use ::rtc::shared::TransportContext;
use ::rtc::shared::error::Error;

use super::sdp::kind_of;
use super::shared::Shared;
use crate::media::pipeline::Kind;
use incoming::Incoming;
use outgoing::Outgoing;

/// The header extension that carries the transport-wide number
/// (draft-holmer-rmcat-transport-wide-cc-extensions-01, section 2).
pub(super) const NUMBER_URI: &str =
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";
/// The feedback about it, as it is named in a description.
pub(super) const FEEDBACK: &str = "transport-cc";

/// The interceptor.
pub(super) struct Traffic {
    shared: Arc<Shared>,
    outgoing: Outgoing,
    incoming: Incoming,
    reads: VecDeque<TaggedPacket>,
    writes: VecDeque<TaggedPacket>,
}

impl Traffic {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            outgoing: Outgoing::new(Arc::clone(&shared)),
            incoming: Incoming::default(),
            shared,
            reads: VecDeque::new(),
            writes: VecDeque::new(),
        }
    }

    /// Moves what is to leave now to the way out.
    fn release(&mut self, now: Instant) {
        self.outgoing.pump(now);
        self.writes.extend(self.outgoing.released());
    }

    fn heard(&mut self, packet: &dyn rtcp::Packet, now: Instant) {
        let any = packet.as_any();
        if let Some(feedback) = any.downcast_ref::<TransportLayerCc>() {
            self.outgoing.feedback(now, &wire::reports(feedback));
        } else if let Some(request) = any.downcast_ref::<TransportLayerNack>() {
            let asked = request.nacks.iter().flat_map(|pair| pair.packet_list());
            self.outgoing.asked(now, request.media_ssrc, asked);
        }
    }
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for Traffic {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, msg: TaggedPacket) -> Result<(), Error> {
        let now = msg.now;
        match &msg.message.packet {
            Packet::Rtp(packet) => self.incoming.arrived(now, packet),
            Packet::Rtcp(packets) => {
                for packet in packets {
                    self.heard(packet.as_ref(), now);
                }
                self.release(now);
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
        let now = msg.now;
        match msg.message.packet {
            Packet::Rtp(packet) => {
                if let Some(foreign) = self.outgoing.send(now, packet) {
                    let message = AttributedPacket::new(Packet::Rtp(foreign));
                    self.writes.push_back(TaggedPacket { message, ..msg });
                }
                self.release(now);
            }
            Packet::Rtcp(ref packets) => {
                self.outgoing.passed(now, packets);
                self.writes.push_back(msg);
            }
            _ => self.writes.push_back(msg),
        }
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.writes.pop_front()
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), Error> {
        self.outgoing.tick(now);
        self.release(now);
        self.incoming.set_own_rate(self.outgoing.rate(now));
        let sender_ssrc = self.shared.medium(Kind::Video).ssrc;
        while let Some((media_ssrc, message)) = self.incoming.message(now) {
            let feedback: Vec<Box<dyn rtcp::Packet>> =
                vec![Box::new(wire::feedback(sender_ssrc, media_ssrc, &message))];
            self.outgoing.passed(now, &feedback);
            self.writes.push_back(TaggedPacket {
                now,
                transport: TransportContext::default(),
                message: AttributedPacket::new(Packet::Rtcp(feedback)),
            });
        }
        Ok(())
    }

    fn poll_timeout(&mut self) -> Option<Instant> {
        let deadlines = [self.outgoing.deadline(), self.incoming.deadline()];
        deadlines.into_iter().flatten().min()
    }
}

impl Interceptor for Traffic {
    fn bind_local_stream(&mut self, info: &StreamInfo) {
        if let Some(kind) = kind_of(&info.mime_type) {
            self.outgoing.bind(info.ssrc, kind, number_extension(info), taken(info));
        }
    }

    fn unbind_local_stream(&mut self, info: &StreamInfo) {
        self.outgoing.unbind(info.ssrc);
    }

    fn bind_remote_stream(&mut self, info: &StreamInfo) {
        if let Some(extension) = number_extension(info) {
            self.incoming.bind(info.ssrc, extension);
        }
    }

    fn unbind_remote_stream(&mut self, info: &StreamInfo) {
        self.incoming.unbind(info.ssrc);
    }
}

/// The identifier of the number's header extension, where both sides agreed on it and on the feedback.
fn number_extension(info: &StreamInfo) -> Option<u8> {
    let agreed = info.rtcp_feedback.iter().any(|feedback| feedback.typ == FEEDBACK);
    let extension = info.rtp_header_extensions.iter().find(|extension| extension.uri == NUMBER_URI)?;
    // The one-byte form knows no others (RFC 8285, section 4.2).
    u8::try_from(extension.id).ok().filter(|id| agreed && (1..=14).contains(id))
}

/// Identifiers that mean something on this stream.
fn taken(info: &StreamInfo) -> Vec<u8> {
    info.rtp_header_extensions.iter().filter_map(|extension| u8::try_from(extension.id).ok()).collect()
}
