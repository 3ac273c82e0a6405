//! The audio jitter buffer: when each Opus packet is played, and what is played in place of one
//! that is not there.
//!
//! Owns the order, the adaptive playout delay (40 to 320 ms above the quickest packet) and the
//! counters. It must not know the decoder, the sound card or any clock: the playout thread asks for
//! the next stretch of sound with the instant at which that will be heard, and decodes the answer.
//!
//! A missing packet is first asked of the one behind it (in-band FEC, RFC 6716, section 2.1.7), then
//! concealed. When nothing at all is there the answer is concealment too, and a packet that then
//! comes late but within the longest delay is still played: the delay grows by what it was late.

mod answer;

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;

pub use answer::{Adjust, Counts, Playout, What, When};

use super::delay::{DelayEstimator, Limits};
use super::opus;
use super::packet::RtpPacket;
use super::sequence::{History, Seen, Unwrapper};

/// Samples a second of the RTP clock (RFC 7587).
const RATE: i64 = 48_000;
/// The most packets held. When full the oldest goes, counted as discarded: its time is over.
pub const CAPACITY: usize = 100;
/// A sequence jump beyond this is a new start of the sender (RFC 3550, appendix A.1).
const MAX_DROPOUT: i64 = 3_000;
/// Delay range and aim of the playout, microseconds.
pub const LIMITS: Limits = Limits { floor: 40_000, ceiling: 320_000, margin: 8_000, quantile: 0.985 };
/// How far the delay may stand off its target before sound is stretched, microseconds.
const SLACK: i64 = 8_000;
/// How far the delay may stand above, and below, its target before words are stretched too, microseconds.
const FAR_ABOVE: i64 = 80_000;
const FAR_BELOW: i64 = 16_000;
/// How long a pause is waited for, microseconds.
const PATIENCE: i64 = 4_000_000;
/// How far above its ceiling the delay may be before sound is skipped, microseconds.
const SKIP: i64 = 80_000;
/// When packets have only come too late for this long, the stream starts anew, microseconds.
const RESYNC: i64 = 500_000;
/// Concealment is of some use for this long; then the decoder is left alone, samples.
const CONCEAL_LIMIT: i64 = 4_800;
/// Slots concealed of late, remembered to learn from a retransmission that comes too late.
const CONCEALED_MEMORY: usize = 32;

/// The share of made up sound above which delay is spent on retransmissions, and the samples over
/// which it is taken (10 s).
const MUCH_CONCEALED: f32 = 0.01;
const CONCEALED_WINDOW: f32 = 480_000.0;

#[derive(Debug)]
struct Held {
    timestamp: i64,
    duration: i64,
    payload: Bytes,
}

/// The buffer of one audio stream.
#[derive(Debug)]
pub struct JitterBuffer {
    epoch: Instant,
    delay: DelayEstimator,
    minimum: i64,
    ssrc: Option<u32>,
    sequence: Unwrapper<16>,
    timestamp: Unwrapper<32>,
    history: History,
    /// By extended sequence number; at most [`CAPACITY`].
    held: BTreeMap<i64, Held>,
    play: Option<Play>,
    late_since: Option<i64>,
    concealed_slots: VecDeque<i64>,
    /// The share of sound made up of late, 0 to 1.
    concealed_share: f32,
    last_transit: Option<i64>,
    jitter: f64,
    /// The delay of the last packet played, microseconds.
    delay_now: i64,
    /// Since when it has been off its target.
    off_since: Option<i64>,
    counts: Counts,
}

/// Where the playout stands.
#[derive(Debug)]
struct Play {
    /// Timestamp of the next sample.
    head: i64,
    /// Sequence number of the last packet played, recovered or passed over.
    sequence: i64,
    /// Length of the last packet, samples.
    duration: i64,
    /// The sender said that silence follows (a packet of at most two octets, RFC 6716, section 2.1.9).
    dtx: bool,
    /// Where the last sound that was sent ended.
    sent_until: i64,
    /// Sound made up in a row since then, samples.
    made_up: i64,
    /// A packet of this hole is known to be missing: what was made up is no silence of the sender.
    missing: bool,
    /// Where an underrun began: with nothing behind it, what comes late may still be played.
    underrun: Option<i64>,
}

impl JitterBuffer {
    /// An empty buffer; `epoch` is any instant not after the first packet.
    #[must_use]
    pub fn new(epoch: Instant) -> Self {
        Self {
            epoch,
            delay: DelayEstimator::new(LIMITS),
            minimum: 0,
            ssrc: None,
            sequence: Unwrapper::default(),
            timestamp: Unwrapper::default(),
            history: History::default(),
            held: BTreeMap::new(),
            play: None,
            late_since: None,
            concealed_slots: VecDeque::new(),
            concealed_share: 0.0,
            last_transit: None,
            jitter: 0.0,
            delay_now: 0,
            off_since: None,
            counts: Counts::default(),
        }
    }

    /// Takes in a packet at its `arrived` time.
    pub fn push(&mut self, packet: RtpPacket) {
        self.counts.received += 1;
        let Some(duration) = opus::duration(&packet.payload) else {
            self.counts.discarded += 1;
            return;
        };
        let ahead = self.sequence.peek(packet.sequence.into())
            - self.sequence.highest().unwrap_or(packet.sequence.into());
        if self.ssrc.is_some_and(|ssrc| ssrc != packet.ssrc) || ahead.abs() > MAX_DROPOUT {
            self.restart();
        }
        self.ssrc = Some(packet.ssrc);
        let sequence = self.sequence.unwrap(packet.sequence.into());
        let newest = self.sequence.highest() == Some(sequence);
        let now = self.micros(packet.arrived);
        match self.history.insert(sequence) {
            Seen::New => {}
            Seen::Before => {
                self.counts.duplicates += 1;
                return;
            }
            Seen::Forgotten => {
                self.note_late(now);
                return;
            }
        }
        let timestamp = self.timestamp.unwrap(packet.timestamp);
        let transit = now - to_micros(timestamp);
        let spread = if newest {
            self.note_jitter(transit);
            self.delay.observe(transit, now)
        } else {
            // A retransmission says nothing about the path.
            transit - self.delay.base().unwrap_or(transit)
        };
        if !self.admit(sequence, timestamp, spread, now, newest) {
            return;
        }
        if !newest {
            self.counts.recovered_by_retransmission += 1;
        }
        self.late_since = None;
        let duration = i64::from(duration);
        self.held.insert(sequence, Held { timestamp, duration, payload: packet.payload });
        if self.held.len() > CAPACITY {
            self.held.pop_first();
            self.counts.discarded += 1;
        }
    }

    /// The next stretch of sound, the first sample of which will be heard at `play_at`. Each call
    /// moves on by what it returns; a call that is not followed by sound loses it.
    pub fn next(&mut self, play_at: Instant) -> Playout {
        let now = self.micros(play_at);
        let Some(mut play) = self.play.take().or_else(|| self.begin(now)) else {
            return Playout { what: What::Silence, samples: 480, timestamp: None, adjust: Adjust::None };
        };
        self.skip_if_far_behind(&mut play, now);
        let before = self.counts.concealed_samples;
        let playout = self.advance(&mut play, now);
        self.counts.samples += playout.samples as u64;
        let made_up = self.counts.concealed_samples > before;
        self.concealed_share += (f32::from(u8::from(made_up)) - self.concealed_share)
            * (playout.samples as f32 / CONCEALED_WINDOW);
        self.play = Some(play);
        playout
    }

    /// When the playout of a stream that is not yet playing should begin: the arrival of its first
    /// packet and the present target delay. `None` when playing or when nothing came.
    #[must_use]
    pub fn starts_at(&self) -> Option<Instant> {
        if self.play.is_some() {
            return None;
        }
        let first = self.held.values().next()?;
        let at = self.delay.base()? + to_micros(first.timestamp) + self.target(0);
        Some(self.epoch + Duration::from_micros(u64::try_from(at).unwrap_or(0)))
    }

    /// Keeps the delay at least this far above its floor, as for lips that come later than words;
    /// never above its ceiling.
    pub fn set_extra(&mut self, extra: Duration) {
        let extra = i64::try_from(extra.as_micros()).unwrap_or(i64::MAX);
        self.minimum = LIMITS.floor.saturating_add(extra).min(LIMITS.ceiling);
    }

    /// What happened so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Interarrival jitter (RFC 3550, section 6.4.1).
    #[must_use]
    pub fn jitter(&self) -> Duration {
        Duration::from_secs_f64(self.jitter.max(0.0) / 1e6)
    }

    /// The delay above the quickest packet that the buffer aims at.
    #[must_use]
    pub fn target_delay(&self, now: Instant) -> Duration {
        Duration::from_micros(u64::try_from(self.target(self.micros(now))).unwrap_or(0))
    }

    /// The delay above the quickest packet with which the last packet was played.
    #[must_use]
    pub fn delay(&self) -> Duration {
        Duration::from_micros(u64::try_from(self.delay_now).unwrap_or(0))
    }

    /// Packets waiting.
    #[must_use]
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Whether no packet is waiting.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    fn target(&self, now: i64) -> i64 {
        self.delay.target(now).max(self.minimum)
    }

    fn micros(&self, at: Instant) -> i64 {
        i64::try_from(at.saturating_duration_since(self.epoch).as_micros()).unwrap_or(i64::MAX)
    }

    fn note_jitter(&mut self, transit: i64) {
        if let Some(last) = self.last_transit.replace(transit) {
            self.jitter += ((transit - last).abs() as f64 - self.jitter) / 16.0;
        }
    }

    /// Forgets the stream and keeps the counters.
    fn restart(&mut self) {
        self.counts.discarded += self.held.len() as u64;
        let kept = (self.counts, self.minimum, self.jitter);
        *self = Self::new(self.epoch);
        (self.counts, self.minimum, self.jitter) = kept;
    }

    /// Whether a packet is in time; one that is late for an underrun turns the playout back to it.
    fn admit(&mut self, sequence: i64, timestamp: i64, spread: i64, now: i64, newest: bool) -> bool {
        let Some(play) = &mut self.play else {
            return true;
        };
        if sequence > play.sequence {
            if timestamp >= play.head {
                return true;
            }
            if play.underrun.is_some_and(|from| timestamp >= from) && spread <= LIMITS.ceiling {
                play.head = timestamp;
                play.underrun = None;
                if newest || self.much_concealed() {
                    self.delay.late(spread, now);
                }
                return true;
            }
        }
        if newest {
            self.delay.late(spread, now);
            self.note_late(now);
        } else {
            self.counts.late += 1;
            let missed = self.concealed_slots.contains(&sequence);
            if missed && spread <= LIMITS.ceiling && self.much_concealed() {
                self.delay.late(spread, now);
            }
        }
        false
    }

    /// Whether so much is made up that waiting longer for retransmissions is worth the delay.
    fn much_concealed(&self) -> bool {
        self.concealed_share > MUCH_CONCEALED
    }

    fn note_late(&mut self, now: i64) {
        self.counts.late += 1;
        let since = *self.late_since.get_or_insert(now);
        if now - since > RESYNC {
            self.restart();
        }
    }

    fn begin(&self, now: i64) -> Option<Play> {
        let (&sequence, first) = self.held.first_key_value()?;
        let due = self.delay.base()? + to_micros(first.timestamp) + self.target(now);
        (now >= due).then_some(Play {
            head: first.timestamp,
            sequence: sequence - 1,
            duration: first.duration,
            dtx: false,
            sent_until: first.timestamp,
            made_up: 0,
            missing: false,
            underrun: None,
        })
    }

    /// After a jump of the timestamps, or a stall of the playout, goes to where the target delay is.
    fn skip_if_far_behind(&mut self, play: &mut Play, now: i64) {
        let Some(base) = self.delay.base() else {
            return;
        };
        if now - base - to_micros(play.head) <= LIMITS.ceiling + SKIP {
            return;
        }
        let want = to_samples(now - base - self.target(now));
        while let Some(first) = self.held.first_entry() {
            if first.get().timestamp + first.get().duration > want {
                break;
            }
            play.sequence = play.sequence.max(*first.key());
            first.remove();
            self.counts.discarded += 1;
        }
        let first = self.held.values().next().map_or(want, |held| held.timestamp);
        play.head = play.head.max(want.min(first));
        play.sent_until = play.sent_until.max(play.head);
        play.underrun = None;
    }

    fn advance(&mut self, play: &mut Play, now: i64) -> Playout {
        while let Some(first) = self.held.first_entry() {
            if *first.key() > play.sequence && first.get().timestamp + first.get().duration > play.head {
                break;
            }
            // Timestamps that run against the sequence numbers.
            first.remove();
            self.counts.late += 1;
        }
        let Some((&sequence, first)) = self.held.first_key_value() else {
            play.underrun.get_or_insert(play.head);
            let silent = play.dtx;
            return self.make_up(play, play.duration, silent);
        };
        let hole = first.timestamp - play.head;
        if hole <= 0 {
            return self.play_first(play, now);
        }
        play.underrun = None;
        if sequence == play.sequence + 1 {
            // Nothing is missing: the sender left a silence out.
            return self.make_up(play, play.duration.min(hole), true);
        }
        let (missing, payload) = (play.sequence + 1, &first.payload);
        let recover = hole <= first.duration && opus::has_fec(payload);
        let recover = recover.then(|| payload.clone());
        self.counts.lost += 1;
        play.sequence = missing;
        play.missing = true;
        if let Some(payload) = recover {
            self.counts.recovered_by_fec += 1;
            let timestamp = Some(play.head as u32);
            play.head += hole;
            play.made_up = 0;
            play.sent_until = play.head;
            let samples = usize::try_from(hole).unwrap_or(0);
            return Playout { what: What::Recover(payload), samples, timestamp, adjust: Adjust::None };
        }
        if self.concealed_slots.len() == CONCEALED_MEMORY {
            self.concealed_slots.pop_front();
        }
        self.concealed_slots.push_back(missing);
        self.make_up(play, play.duration.min(hole), false)
    }

    fn play_first(&mut self, play: &mut Play, now: i64) -> Playout {
        let Some((sequence, first)) = self.held.pop_first() else {
            return self.make_up(play, play.duration, false);
        };
        let passed = sequence - play.sequence - 1;
        self.counts.lost += u64::try_from(passed).unwrap_or(0);
        if passed == 0 && !play.missing {
            // What was made up in between had not been sent: it was silence, not loss.
            let unsent = (first.timestamp - play.sent_until).clamp(0, play.made_up) as u64;
            let moved = unsent.min(self.counts.concealed_samples);
            self.counts.concealed_samples -= moved;
            self.counts.silence_samples += moved;
        }
        let adjust = self.adjust(first.timestamp, now);
        play.head = first.timestamp + first.duration;
        play.sequence = sequence;
        play.duration = first.duration;
        play.dtx = first.payload.len() <= 2;
        play.sent_until = play.head;
        play.made_up = 0;
        play.missing = false;
        play.underrun = None;
        Playout {
            what: What::Packet(first.payload),
            samples: usize::try_from(first.duration).unwrap_or(0),
            timestamp: Some(first.timestamp as u32),
            adjust,
        }
    }

    fn make_up(&mut self, play: &mut Play, samples: i64, silent: bool) -> Playout {
        let what = if play.made_up < CONCEAL_LIMIT || play.dtx { What::Conceal } else { What::Silence };
        let timestamp = Some(play.head as u32);
        play.head += samples;
        let samples = usize::try_from(samples).unwrap_or(0);
        if silent {
            self.counts.silence_samples += samples as u64;
        } else {
            play.made_up += samples as i64;
            self.counts.concealed_samples += samples as u64;
        }
        Playout { what, samples, timestamp, adjust: Adjust::None }
    }

    fn adjust(&mut self, timestamp: i64, now: i64) -> Adjust {
        let Some(base) = self.delay.base() else {
            return Adjust::None;
        };
        self.delay_now = now - base - to_micros(timestamp);
        let over = self.delay_now - self.target(now);
        if over.abs() <= SLACK {
            self.off_since = None;
            return Adjust::None;
        }
        let since = *self.off_since.get_or_insert(now);
        let far = !(-FAR_BELOW..=FAR_ABOVE).contains(&over);
        let when = if far || now - since > PATIENCE { When::Now } else { When::InPauses };
        if over > 0 { Adjust::Shorten(when) } else { Adjust::Lengthen(when) }
    }
}

fn to_micros(samples: i64) -> i64 {
    samples * 1_000_000 / RATE
}

fn to_samples(micros: i64) -> i64 {
    micros * RATE / 1_000_000
}

#[cfg(test)]
mod tests;
