//! Which of the other side's numbered packets arrived when, and the messages that tell it so.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use ::rtc::rtp::Packet;

use super::wire::number_of;
use crate::rtc::bandwidth::PACKET_OVERHEAD;
use crate::rtc::bandwidth::feedback::{Message, Recorder};

/// Streams of the other side that are told apart; a browser may add some.
const STREAMS: usize = 16;
/// What arrives is measured over this long.
const WINDOW: Duration = Duration::from_millis(500);

/// The receiving side.
#[derive(Debug, Default)]
pub(super) struct Incoming {
    /// The identifier of the number's header extension, by SSRC.
    extensions: HashMap<u32, u8>,
    recorder: Option<Recorder>,
    /// The stream that a message names: any of the other side's.
    ssrc: u32,
    /// Bytes since the beginning of the window, and what the last one came to, in bits per second.
    window: Option<(Instant, u64)>,
    rate: f64,
    /// What we send ourselves.
    own: Option<f64>,
}

impl Incoming {
    pub(super) fn bind(&mut self, ssrc: u32, extension: u8) {
        if self.extensions.len() < STREAMS {
            self.extensions.insert(ssrc, extension);
        }
    }

    pub(super) fn unbind(&mut self, ssrc: u32) {
        self.extensions.remove(&ssrc);
    }

    /// A packet came off the wire.
    pub(super) fn arrived(&mut self, now: Instant, packet: &Packet) {
        let header = &packet.header;
        // A source that the description did not name is numbered as the others are.
        let extension = self.extensions.get(&header.ssrc).or_else(|| self.extensions.values().next());
        let Some(number) = extension.and_then(|extension| number_of(header, *extension)) else {
            return;
        };
        self.ssrc = header.ssrc;
        self.measure(now, packet.payload.len() as u64 + u64::from(PACKET_OVERHEAD));
        let recorder = self.recorder.get_or_insert_with(|| Recorder::new(now));
        let rate = self.own.map_or(self.rate, |own| own.min(self.rate));
        recorder.set_rate(if self.rate > 0.0 { rate } else { f64::INFINITY });
        recorder.arrived(now, number);
    }

    /// What we send, in bits per second, if anything: feedback shares that way.
    pub(super) fn set_own_rate(&mut self, rate: Option<f64>) {
        self.own = rate;
    }

    /// When the next message is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.recorder.as_ref().and_then(Recorder::deadline)
    }

    /// A message that is due, and the stream that it names.
    pub(super) fn message(&mut self, now: Instant) -> Option<(u32, Message)> {
        let ssrc = self.ssrc;
        self.recorder.as_mut()?.message(now).map(|message| (ssrc, message))
    }

    fn measure(&mut self, now: Instant, bytes: u64) {
        let (since, sum) = self.window.get_or_insert((now, 0));
        *sum += bytes;
        let passed = now.saturating_duration_since(*since);
        if passed >= WINDOW {
            self.rate = *sum as f64 * 8.0 / passed.as_secs_f64();
            self.window = Some((now, 0));
        }
    }
}
