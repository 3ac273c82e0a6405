//! The way out for media: puts packets into the queue of the connection's task without waiting.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::task::unconstrained;
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;

use ::rtc::rtcp;
use ::rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;

use super::path::bump;
use super::shared::Shared;
use crate::media::codec::VideoCodec;
use crate::media::pipeline::{Bandwidth, Kind, Outlet};
use crate::media::rtp::packet::RtpPacket;

/// RTP is version 2 (RFC 3550, section 5.1).
const RTP_VERSION: u8 = 2;

/// Sends packets over the negotiated tracks.
///
/// The queue is the library's own, 256 packets and requests for both media together, emptied by the
/// task that drives the connection. When it is full, or before the connection is up, the packet is
/// dropped and counted.
pub(super) struct PacketOutlet {
    pub(super) shared: Arc<Shared>,
    pub(super) audio: Option<Arc<TrackLocalStaticRTP>>,
    pub(super) video: Option<Arc<TrackLocalStaticRTP>>,
}

impl PacketOutlet {
    fn track(&self, kind: Kind) -> Option<&Arc<TrackLocalStaticRTP>> {
        match kind {
            Kind::Audio => self.audio.as_ref(),
            Kind::Video => self.video.as_ref(),
        }
    }

    /// Queues one packet; false when that would have to wait or makes no sense yet.
    fn queue(&self, kind: Kind, packet: RtpPacket) -> bool {
        let medium = self.shared.medium(kind);
        if !self.shared.sending.load(Ordering::Relaxed) {
            return false;
        }
        let payload_type = self.shared.payload_type(kind, packet.payload_type);
        let (Some(track), Some(payload_type)) = (self.track(kind), payload_type) else {
            return false;
        };
        let header = ::rtc::rtp::Header {
            version: RTP_VERSION,
            marker: packet.marker,
            payload_type,
            sequence_number: packet.sequence,
            timestamp: packet.timestamp,
            ssrc: medium.ssrc,
            ..Default::default()
        };
        let packet = ::rtc::rtp::Packet { header, payload: packet.payload };
        // Polled once: it is ready at once when there is room, and given up when there is none.
        let written = unconstrained(track.write_rtp(packet)).now_or_never();
        matches!(written, Some(Ok(())))
    }
}

impl Outlet for PacketOutlet {
    fn send(&self, kind: Kind, packet: RtpPacket) {
        if !self.queue(kind, packet) {
            bump(&self.shared.medium(kind).counters.dropped, 1);
        }
    }

    fn accepts(&self, codec: VideoCodec) -> bool {
        codec == VideoCodec::Vp8 || self.shared.vp9().is_some()
    }

    fn path(&self) -> Option<Bandwidth> {
        self.shared.bandwidth()
    }

    fn backlog(&self) -> Duration {
        self.shared.backlog()
    }

    fn request_keyframe(&self) {
        let medium = self.shared.medium(Kind::Video);
        let media_ssrc = medium.remote_ssrc.load(Ordering::Relaxed);
        let Some(track) = &self.video else { return };
        if media_ssrc == 0 || !self.shared.sending.load(Ordering::Relaxed) {
            return;
        }
        let request: Vec<Box<dyn rtcp::Packet>> =
            vec![Box::new(PictureLossIndication { sender_ssrc: medium.ssrc, media_ssrc })];
        let _ = unconstrained(track.write_rtcp(request)).now_or_never();
    }
}
