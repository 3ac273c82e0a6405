//! The thread that receives pictures: assembles frames, decodes them, shows each at its time.
//!
//! Sleeps until a packet comes, a picture is due, or a missing packet has been waited for long enough.

use std::sync::Arc;
use std::time::Instant;

use super::playout::Playout;
use super::stats::{VideoReceived, kbps};
use super::{Incoming, Kind, Shared, lock};
use crate::media::codec::{VideoCodec, vpx};
use crate::media::measure::VideoMeter;
use crate::media::record::Side;
use crate::media::rtp::assembly::{AssembledFrame, Assembly, Counts};
use crate::media::rtp::packet::HEADER_LENGTH;
use crate::media::rtp::video;
use crate::media::{Error, VideoFrame, VideoSink, WallTime};

/// Decoder threads: one keeps up with 720p.
const DECODER_THREADS: u32 = 1;

/// What the thread has seen, for the snapshot.
#[derive(Default)]
pub(super) struct Measured {
    meter: VideoMeter,
    counts: Counts,
    /// That of the last packet.
    codec: Option<VideoCodec>,
    bytes: u64,
    decoded: u64,
    decode_errors: u64,
    skipped: u64,
    shown: u64,
    requested: u64,
    first_arrived: Option<Instant>,
    last_arrived: Option<Instant>,
    first_shown: Option<Instant>,
}

impl Measured {
    pub(super) fn pause(&mut self, off: bool) {
        self.meter.pause(off);
    }

    pub(super) fn report(&self, dropped: u64) -> VideoReceived {
        let meter = self.meter.report(WallTime::now());
        VideoReceived {
            codec: self.codec.map(VideoCodec::name),
            width: meter.size.0,
            height: meter.size.1,
            fps: meter.fps,
            kbps: kbps(self.bytes, self.first_arrived, self.last_arrived),
            packets_received: self.counts.received,
            bytes_received: self.bytes,
            frames_received: self.counts.frames + self.counts.frames_dropped,
            frames_lost: self.counts.picture_gaps,
            frames_decoded: self.decoded,
            frames_shown: self.shown,
            frames_dropped: self.counts.frames_dropped + self.skipped,
            decode_errors: self.decode_errors,
            packets_lost: self.counts.lost,
            packets_recovered: self.counts.recovered,
            packets_dropped: dropped,
            keyframes_requested: self.requested,
            frozen_ms: meter.frozen_ms,
            longest_freeze_ms: meter.longest_freeze_ms,
            frozen_seconds: meter.frozen_seconds,
            latency: meter.latency,
            psnr_db: meter.psnr_db,
            ssim: meter.ssim,
            first_shown: self.first_shown,
        }
    }
}

/// The receiving side before its thread runs.
pub(super) struct Receiver {
    shared: Arc<Shared>,
    assembly: Assembly,
    decoder: vpx::Decoder,
    playout: Playout<VideoFrame>,
    /// In microseconds, once it is known.
    round_trip: Option<i64>,
    /// `None` after it failed.
    sink: Option<Box<dyn VideoSink>>,
}

impl Receiver {
    pub(super) fn new(shared: Arc<Shared>, sink: Box<dyn VideoSink>) -> Result<Self, Error> {
        Ok(Self {
            shared,
            assembly: Assembly::new(),
            decoder: vpx::Decoder::new(VideoCodec::Vp8, DECODER_THREADS)?,
            playout: Playout::new(),
            round_trip: None,
            sink: Some(sink),
        })
    }

    /// Runs until the queue is closed, then completes the sink.
    pub(super) fn run(mut self) {
        let shared = self.shared.clone();
        let mut incoming = Vec::new();
        while shared.video_in.wait(self.deadline(), true, &mut incoming) {
            self.take_in(&mut incoming);
            self.decode_ready();
            self.ask_for_keyframe();
            self.show_due();
            self.publish();
        }
        if let Some(mut sink) = self.sink.take()
            && let Err(error) = sink.finish()
        {
            shared.fail(Kind::Video, false, &error);
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let show = self.playout.deadline().map(|at| self.shared.instant(at));
        match (show, self.assembly.deadline()) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    fn take_in(&mut self, incoming: &mut Vec<Incoming>) {
        if let Some((usual, latest)) = *lock(&self.shared.rtt) {
            self.assembly.set_rtt(usual, latest);
            self.round_trip = i64::try_from(usual.as_micros()).ok();
        }
        for item in incoming.drain(..) {
            match item {
                Incoming::Report { ntp, rtp } => lock(&self.shared.sync).video_report(ntp, rtp),
                Incoming::Packet(packet) => {
                    let mut measured = lock(&self.shared.video_received);
                    measured.bytes += (packet.payload.len() + HEADER_LENGTH) as u64;
                    measured.first_arrived.get_or_insert(packet.arrived);
                    measured.last_arrived = Some(packet.arrived);
                    measured.codec = video::codec(packet.payload_type).or(measured.codec);
                    drop(measured);
                    self.assembly.push(packet);
                }
            }
        }
    }

    fn decode_ready(&mut self) {
        while let Some(frame) = self.assembly.next_frame(Instant::now()) {
            match self.decode(&frame) {
                Ok(decoded) => {
                    lock(&self.shared.video_received).decoded += 1;
                    let at = match decoded {
                        Some(decoded) => self.schedule(&frame, decoded.frame),
                        None => Instant::now(),
                    };
                    // Only what the decoder took, so that a recording can be decoded as well.
                    self.shared.record(|tap| {
                        tap.picture(Side::Remote, at, frame.codec, frame.keyframe, &frame.data);
                    });
                }
                Err(error) => {
                    tracing::debug!(%error, "frame refused");
                    lock(&self.shared.video_received).decode_errors += 1;
                    self.assembly.decoder_failed();
                }
            }
        }
    }

    /// Decodes a frame; one of another codec than before is a key frame, and needs nothing of the old decoder.
    fn decode(&mut self, frame: &AssembledFrame) -> Result<Option<vpx::Decoded>, Error> {
        if self.decoder.codec() != frame.codec {
            self.decoder = vpx::Decoder::new(frame.codec, DECODER_THREADS)?;
        }
        self.decoder.decode(&frame.data, WallTime::default())
    }

    /// Lets a picture wait for its time, and says when that is.
    fn schedule(&mut self, frame: &AssembledFrame, mut picture: VideoFrame) -> Instant {
        let now = self.shared.micros(Instant::now());
        let completed = self.shared.micros(frame.completed);
        let repair = self.round_trip.filter(|_| frame.repaired);
        let at = self.playout.beat(frame.timestamp, completed, now, repair);
        let mut sync = lock(&self.shared.sync);
        if let Some(captured) = sync.picture_captured(frame.timestamp) {
            picture.captured = captured;
        }
        let hold = sync.picture_ready(frame.timestamp, at);
        drop(sync);
        let hold = i64::try_from(hold.as_micros()).unwrap_or(0);
        self.playout.put(at + hold, picture);
        self.shared.instant(at + hold)
    }

    fn ask_for_keyframe(&mut self) {
        // Without an outlet the wish stays until there is one.
        let outlet = lock(&self.shared.outlet).clone();
        if let Some(outlet) = outlet
            && (self.assembly.take_wish(Instant::now()) | self.shared.recording_wants_keyframe(Side::Remote))
        {
            outlet.request_keyframe();
            lock(&self.shared.video_received).requested += 1;
        }
    }

    fn show_due(&mut self) {
        loop {
            let now = Instant::now();
            let Some(picture) = self.playout.due(self.shared.micros(now)) else {
                return;
            };
            let shown = WallTime::now();
            if let Some(sink) = &mut self.sink
                && let Err(error) = sink.show(&picture)
            {
                self.shared.fail(Kind::Video, false, &error);
                self.sink = None;
            }
            let mut measured = lock(&self.shared.video_received);
            measured.shown += 1;
            measured.first_shown.get_or_insert(now);
            measured.meter.shown(&picture, shown);
            drop(measured);
            if let Some(monitor) = &self.shared.monitor {
                monitor.show(|monitor| &monitor.remote, Arc::new(picture));
            }
        }
    }

    fn publish(&self) {
        let mut measured = lock(&self.shared.video_received);
        measured.counts = self.assembly.counts();
        measured.skipped = self.playout.skipped();
    }
}
