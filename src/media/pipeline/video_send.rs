//! The thread that sends pictures: waits for the source's beat, encodes, cuts into packets.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::control::Orders;
use super::pace::Pacer;
use super::stats::kbps;
use super::{Kind, Outlet, Shared, VP8_PAYLOAD_TYPE, lock};
use crate::media::codec::{EncodedFrame, vp8};
use crate::media::rtp::packet::HEADER_LENGTH;
use crate::media::rtp::vp8::Packetiser;
use crate::media::{Error, VideoSource, WallTime};

/// Forced key frames are at least this far apart; a wish in between is met when it is over.
const KEYFRAME_INTERVAL: Duration = Duration::from_millis(150);

/// The source and its encoder, ready to start.
pub(super) struct Sender {
    source: Box<dyn VideoSource>,
    encoder: vp8::Encoder,
    packetiser: Packetiser,
    /// RTP time of the first beat.
    timestamp: u32,
    last_forced: Option<Instant>,
}

impl Sender {
    pub(super) fn new(source: Box<dyn VideoSource>, video_kbps: u32) -> Result<Self, Error> {
        let format = source.format();
        let settings = vp8::Settings::realtime(format.width, format.height, format.fps, video_kbps);
        let [ssrc, timestamp, numbers] = super::random()?;
        Ok(Self {
            source,
            encoder: vp8::Encoder::new(settings)?,
            packetiser: Packetiser::new(ssrc, VP8_PAYLOAD_TYPE, numbers as u16, (numbers >> 16) as u16),
            timestamp,
            last_forced: None,
        })
    }

    /// Runs until told to stop, or until the source or the encoder fails.
    pub(super) fn run(mut self, shared: &Shared, outlet: &dyn Outlet) {
        let fps = self.source.format().fps.max(1);
        let mut pacer = Pacer::new(Instant::now(), fps);
        while let Some(orders) = shared.video_out.wait(pacer.deadline()) {
            let Some(index) = pacer.tick(Instant::now(), Duration::ZERO) else {
                continue;
            };
            if let Some(kbps) = orders.bitrate
                && let Err(error) = self.encoder.set_bitrate(kbps)
            {
                return shared.fail(Kind::Video, true, &error);
            }
            if orders.muted {
                continue;
            }
            match self.frame(index, fps, &orders, shared) {
                Ok(Some(frame)) => self.send(&frame, pacer.skipped(), shared, outlet),
                Ok(None) => {
                    if orders.keyframe {
                        shared.video_out.request_keyframe();
                    }
                }
                Err(error) => return shared.fail(Kind::Video, true, &error),
            }
        }
    }

    fn frame(
        &mut self,
        index: u64,
        fps: u32,
        orders: &Orders,
        shared: &Shared,
    ) -> Result<Option<EncodedFrame>, Error> {
        let Some(picture) = self.source.frame(index, WallTime::now())? else {
            return Ok(None);
        };
        let ticks = u128::from(index) * u128::from(vp8::CLOCK) / u128::from(fps);
        let timestamp = self.timestamp.wrapping_add(ticks as u32);
        let now = Instant::now();
        let too_soon = self.last_forced.is_some_and(|last| now - last < KEYFRAME_INTERVAL);
        if orders.keyframe && too_soon {
            shared.video_out.request_keyframe();
        }
        let keyframe = orders.keyframe && !too_soon;
        let frame = self.encoder.encode(&picture, timestamp, keyframe)?;
        if let Some(monitor) = &shared.monitor {
            monitor.show(|monitor| &monitor.own, Arc::new(picture));
        }
        if frame.keyframe {
            self.last_forced = Some(now);
        }
        Ok(Some(frame))
    }

    fn send(&mut self, frame: &EncodedFrame, skipped: u64, shared: &Shared, outlet: &dyn Outlet) {
        let now = Instant::now();
        let packets = self.packetiser.packetise(&frame.data, frame.timestamp, now);
        let count = packets.len() as u64;
        let bytes: usize = packets.iter().map(|packet| packet.payload.len() + HEADER_LENGTH).sum();
        for packet in packets {
            outlet.send(Kind::Video, packet);
        }
        let mut sent = lock(&shared.video_sent);
        sent.codec = Some("VP8");
        (sent.width, sent.height) = (frame.width, frame.height);
        sent.frames_sent += 1;
        sent.keyframes += u64::from(frame.keyframe);
        sent.frames_skipped = skipped;
        sent.packets_sent += count;
        sent.bytes_sent += bytes as u64;
        sent.first_sent.get_or_insert(now);
        sent.last_sent = Some(now);
        sent.kbps = kbps(sent.bytes_sent, sent.first_sent, sent.last_sent);
        sent.fps = kbps((sent.frames_sent - 1) * 125, sent.first_sent, sent.last_sent);
    }
}
