//! The thread that plays sound: packet by packet takes what the jitter buffer says, decodes it or
//! makes it up, and gives it to the sink when it is due.
//!
//! Sleeps through the packets that come in between. The beat starts with the first packet and its
//! length is that of the sound, so that the playout delay is exactly the one aimed at.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::stats::{AudioReceived, kbps};
use super::{Incoming, Kind, Shared, lock};
use crate::media::codec::opus;
use crate::media::measure::AudioMeter;
use crate::media::record::Side;
use crate::media::rtp::jitter::{Counts, JitterBuffer, What};
use crate::media::rtp::packet::HEADER_LENGTH;
use crate::media::rtp::stretch::Stretcher;
use crate::media::voice::{Activity, Reference};
use crate::media::{AudioSink, Error, SAMPLE_RATE, WallTime};

/// A thread that is behind by more than this starts its beat anew instead of catching up.
const FAR_BEHIND: Duration = Duration::from_millis(100);

/// Beside a file of the same call sound waits longer by what the file may add to the path, before it
/// has: no more than is made good in the pauses between words.
const BESIDE: Duration = Duration::from_millis(15);

/// What the thread has seen, for the snapshot.
#[derive(Default)]
pub(super) struct Measured {
    meter: AudioMeter,
    counts: Counts,
    bytes: u64,
    jitter: Duration,
    target: Duration,
    delay: Duration,
    behind_picture: Option<i64>,
    speaking: bool,
    first_arrived: Option<Instant>,
    last_arrived: Option<Instant>,
    first_played: Option<Instant>,
}

impl Measured {
    pub(super) fn report(&self, dropped: u64) -> AudioReceived {
        let meter = self.meter.report();
        let counts = self.counts;
        let concealed = counts.concealed_samples as f64 * 100.0 / counts.samples.max(1) as f64;
        AudioReceived {
            codec: self.first_arrived.map(|_| "opus"),
            kbps: kbps(self.bytes, self.first_arrived, self.last_arrived),
            packets_received: counts.received,
            bytes_received: self.bytes,
            packets_lost: counts.lost.saturating_sub(counts.recovered_by_fec),
            packets_recovered: counts.recovered_by_fec + counts.recovered_by_retransmission,
            packets_recovered_by_fec: counts.recovered_by_fec,
            packets_late: counts.late,
            packets_dropped: dropped,
            packets_discarded: counts.discarded,
            concealed_pct: concealed,
            silence_pct: meter.silence_pct,
            speaking: self.speaking,
            gaps: meter.gaps,
            played_ms: meter.played_ms,
            latency: meter.latency,
            tone_hz: meter.tone_hz,
            level_dbfs: meter.level_dbfs,
            recent_dbfs: meter.recent_dbfs,
            jitter_ms: self.jitter.as_secs_f64() * 1_000.0,
            target_delay_ms: self.target.as_secs_f64() * 1_000.0,
            delay_ms: self.delay.as_secs_f64() * 1_000.0,
            behind_picture_ms: self.behind_picture.map(|micros| micros as f64 / 1_000.0),
            first_played: self.first_played,
        }
    }
}

/// The receiving side before its thread runs.
pub(super) struct Receiver {
    shared: Arc<Shared>,
    buffer: JitterBuffer,
    decoder: opus::Decoder,
    /// `None` after it failed.
    sink: Option<Box<dyn AudioSink>>,
    /// The sound being played, kept for its memory.
    block: Vec<f32>,
    stretcher: Stretcher,
    heard: bool,
    activity: Activity,
    /// Where the other thread learns what the microphone may hear of this.
    reference: Reference,
}

impl Receiver {
    pub(super) fn new(
        shared: Arc<Shared>,
        sink: Box<dyn AudioSink>,
        reference: Reference,
    ) -> Result<Self, Error> {
        Ok(Self {
            buffer: JitterBuffer::new(shared.epoch),
            shared,
            decoder: opus::Decoder::new()?,
            sink: Some(sink),
            block: Vec::with_capacity(2 * opus::MAX_BLOCK),
            stretcher: Stretcher::default(),
            heard: false,
            activity: Activity::default(),
            reference,
        })
    }

    /// Runs until the queue is closed, then completes the sink.
    pub(super) fn run(mut self) {
        let shared = self.shared.clone();
        let mut incoming = Vec::new();
        let mut beat: Option<Instant> = None;
        // Before the beat each packet wakes the thread: the first says when the beat starts.
        while shared.audio_in.wait(beat.or(self.buffer.starts_at()), beat.is_none(), &mut incoming) {
            self.take_in(&mut incoming);
            let now = Instant::now();
            let Some(due) = beat.or_else(|| self.buffer.starts_at()).filter(|&due| due <= now) else {
                continue;
            };
            let due = if now - due > FAR_BEHIND { now } else { due };
            let samples = self.play(due);
            self.publish(due);
            let nanos = samples as u64 * 1_000_000_000 / u64::from(SAMPLE_RATE);
            beat = Some(due + Duration::from_nanos(nanos));
        }
        self.finish();
    }

    /// Completes the present sink.
    fn finish(&mut self) {
        if let Some(mut sink) = self.sink.take()
            && let Err(error) = sink.finish()
        {
            self.shared.fail(Kind::Audio, false, &error);
        }
    }

    fn take_in(&mut self, incoming: &mut Vec<Incoming>) {
        for item in incoming.drain(..) {
            match item {
                Incoming::Report { ntp, rtp } => lock(&self.shared.sync).audio_report(ntp, rtp),
                Incoming::Packet(packet) => {
                    let mut measured = lock(&self.shared.audio_received);
                    measured.bytes += (packet.payload.len() + HEADER_LENGTH) as u64;
                    measured.first_arrived.get_or_insert(packet.arrived);
                    measured.last_arrived = Some(packet.arrived);
                    drop(measured);
                    self.buffer.push(packet);
                }
            }
        }
    }

    /// Plays what is due and returns its length: one packet, stretched or not. Each is asked for
    /// when it is due and not before, so that a retransmission has until then.
    fn play(&mut self, due: Instant) -> usize {
        self.decode_next(due);
        let next = lock(&self.shared.hear).take();
        if next.is_some() {
            self.finish();
            self.sink = next;
        }
        let played = WallTime::now();
        self.reference.played(&self.block);
        self.shared.record(|tap| tap.sound(Side::Remote, due, &self.block));
        let speaking = self.activity.hear(&self.block);
        if let Some(monitor) = &self.shared.monitor {
            monitor.remote.heard(&self.block, speaking);
        }
        if let Some(sink) = &mut self.sink
            && let Err(error) = sink.play(&self.block)
        {
            self.shared.fail(Kind::Audio, false, &error);
            self.sink = None;
        }
        let mut measured = lock(&self.shared.audio_received);
        measured.speaking = speaking;
        measured.meter.played(&self.block, played);
        if self.heard {
            measured.first_played.get_or_insert_with(Instant::now);
        }
        self.block.len()
    }

    /// Puts the next stretch of sound into `block`; never less than 2.5 ms.
    fn decode_next(&mut self, due: Instant) {
        let playout = self.buffer.next(due);
        let decoded = match &playout.what {
            What::Packet(packet) => self.decoder.decode(packet),
            What::Recover(packet) => self.decoder.recover(packet, playout.samples),
            What::Conceal => self.decoder.conceal(playout.samples),
            What::Silence => Ok(&[][..]),
        };
        self.block.clear();
        match decoded {
            Ok(samples) => self.block.extend_from_slice(samples),
            Err(error) => tracing::debug!(%error, "packet refused"),
        }
        // What the decoder did not give is silence: the beat does not depend on it.
        self.block.resize(playout.samples, 0.0);
        if matches!(playout.what, What::Packet(_)) {
            self.heard = true;
            if let Some(timestamp) = playout.timestamp {
                lock(&self.shared.sync).sound_played(timestamp, self.shared.micros(due));
            }
        }
        self.stretcher.stretch(&mut self.block, playout.adjust);
    }

    fn publish(&mut self, due: Instant) {
        let now = self.shared.micros(due);
        let sync = lock(&self.shared.sync);
        let (extra, behind) = (sync.sound_extra(now), sync.sound_behind(now));
        drop(sync);
        let beside = if self.shared.beside.load(Ordering::Relaxed) { BESIDE } else { Duration::ZERO };
        self.buffer.set_extra(extra.unwrap_or_default().max(beside));
        let mut measured = lock(&self.shared.audio_received);
        measured.counts = self.buffer.counts();
        measured.jitter = self.buffer.jitter();
        measured.target = self.buffer.target_delay(due);
        measured.delay = self.buffer.delay();
        measured.behind_picture = behind;
    }
}
