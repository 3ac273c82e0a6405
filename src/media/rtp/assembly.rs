//! Video packets put in order and joined to frames (RFC 7741, RFC 9628), and what to do about a hole.
//!
//! Owns the reorder window, the wait for retransmissions and the wish for a key frame. It must not
//! know the decoder or any clock. Frames come out in decoding order, and never one that depends on a
//! frame that is missing: the decoder would go on with drifted garbage. A hole is waited for as long as
//! a retransmission may still fill it; when it is older than [`Assembly::patience`] a key frame is
//! wished for, and the first complete key frame behind the hole ends the wait.

use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};

use super::packet::RtpPacket;
use super::sequence::{History, Seen, Unwrapper};
use super::video::{self, Fragment, PictureId};
use crate::media::codec::VideoCodec;

/// Packets that the window spans, missing ones included: about 4 s at 2 Mbit/s, at most 1.5 MB. A
/// packet beyond it gives up everything before.
pub const WINDOW: usize = 1_024;
/// The largest frame joined, octets; a larger one is dropped and counts as missing.
pub const MAX_FRAME: usize = 1 << 20;
/// How far before the first packet seen an earlier one may still come.
const HEAD_ROOM: i64 = 64;
/// More missing packets than this at once will not all be sent again: a key frame is cheaper.
const MANY_MISSING: i64 = 100;
/// The peer connection asks for a missing packet this often.
const NACK_INTERVAL: Duration = Duration::from_millis(20);
/// Times a packet should have been asked for before a key frame is wished for.
const NACK_TRIES: u32 = 4;
/// A packet that was sent again may be lost again: so many round trips are waited for.
const ROUND_TRIPS: u32 = 4;
/// So many of the latest, which may be long because of what stands in a queue: a key frame would stand behind it.
const LONG_ROUND_TRIPS: u32 = 2;
/// A key frame is wished for after this long at the latest.
const MOST_PATIENCE: Duration = Duration::from_millis(1_200);
/// When a hole is given up for good and what is held behind it dropped.
const GIVE_UP: Duration = Duration::from_millis(1_500);
/// So many late packets with none in time between them: the sender has started to count anew.
const LATE_RUN: u32 = 200;
/// Wishes for a key frame are at least this far apart, or a round trip when that is longer.
const WISH_INTERVAL: Duration = Duration::from_millis(200);
/// Round trip assumed until one was measured.
const FIRST_RTT: Duration = Duration::from_millis(50);
const LONGEST_RTT: Duration = Duration::from_secs(2);

/// One complete frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssembledFrame {
    /// What it is encoded with. Another one than before comes with a key frame.
    pub codec: VideoCodec,
    /// The encoded frame.
    pub data: Bytes,
    /// Whether it can be decoded without any other.
    pub keyframe: bool,
    /// RTP timestamp, 90 kHz.
    pub timestamp: u32,
    /// When its last packet came.
    pub completed: Instant,
    /// A packet of it came behind a later one.
    pub repaired: bool,
}

/// What happened so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Packets that came, duplicates included.
    pub received: u64,
    /// Packets that were there already.
    pub duplicates: u64,
    /// Packets that came after their hole had been given up.
    pub late: u64,
    /// Packets that never came, or came too late.
    pub lost: u64,
    /// Packets that came behind a later one and in time: retransmitted or reordered.
    pub recovered: u64,
    /// Packets of no codec that is known, or whose frame did not hold together.
    pub malformed: u64,
    /// Frames handed on.
    pub frames: u64,
    /// Of these, key frames.
    pub keyframes: u64,
    /// Complete frames not handed on, because one they depend on is missing.
    pub frames_dropped: u64,
    /// Frames that the sender numbered and that never came.
    pub picture_gaps: u64,
}

#[derive(Debug)]
struct Slot {
    codec: VideoCodec,
    /// `None` for padding: a packet without payload that only takes a number.
    fragment: Option<Fragment>,
    timestamp: u32,
    marker: bool,
    arrived: Instant,
    /// It came behind a later one.
    late: bool,
}

/// The assembly of one video stream.
#[derive(Debug)]
pub struct Assembly {
    ssrc: Option<u32>,
    sequence: Unwrapper<16>,
    history: History,
    /// Late packets in a row.
    late_run: u32,
    /// The number of `window[0]`: the next packet needed.
    next: i64,
    window: VecDeque<Option<Slot>>,
    /// Numbers in the window that begin a key frame.
    keyframes: BTreeSet<i64>,
    /// Whether a frame was handed on since the start: before, earlier packets are let in.
    begun: bool,
    needs_keyframe: bool,
    /// That of the last frame handed on.
    codec: Option<VideoCodec>,
    /// The hole at `next`, and when a packet behind it came.
    hole: Option<(i64, Instant)>,
    wish: bool,
    wished: Option<Instant>,
    last_picture: Option<PictureId>,
    last_timestamp: Option<u32>,
    frame_interval: Duration,
    rtt: Duration,
    latest_rtt: Duration,
    counts: Counts,
}

impl Default for Assembly {
    fn default() -> Self {
        Self::new()
    }
}

impl Assembly {
    /// Waits for a first key frame.
    #[must_use]
    pub fn new() -> Self {
        Self {
            ssrc: None,
            sequence: Unwrapper::default(),
            history: History::default(),
            late_run: 0,
            next: 0,
            window: VecDeque::new(),
            keyframes: BTreeSet::new(),
            begun: false,
            needs_keyframe: true,
            codec: None,
            hole: None,
            wish: false,
            wished: None,
            last_picture: None,
            last_timestamp: None,
            frame_interval: Duration::from_millis(40),
            rtt: FIRST_RTT,
            latest_rtt: FIRST_RTT,
            counts: Counts::default(),
        }
    }

    /// Takes in a packet at its `arrived` time.
    pub fn push(&mut self, packet: RtpPacket) {
        self.counts.received += 1;
        if self.ssrc.is_some_and(|ssrc| ssrc != packet.ssrc) {
            self.restart();
        }
        if self.ssrc.replace(packet.ssrc).is_none() {
            self.next = self.sequence.peek(packet.sequence.into());
        }
        let Some(codec) = video::codec(packet.payload_type) else {
            self.counts.malformed += 1;
            return;
        };
        let fragment = if packet.payload.is_empty() {
            None
        } else if let Ok(fragment) = Fragment::parse(codec, &packet.payload) {
            Some(fragment)
        } else {
            self.counts.malformed += 1;
            return;
        };
        let sequence = self.sequence.unwrap(packet.sequence.into());
        let newest = self.sequence.highest() == Some(sequence);
        if self.history.insert(sequence) == Seen::Before && sequence < self.next {
            self.counts.duplicates += 1;
            return;
        }
        if !self.make_room(sequence) {
            return;
        }
        let index = (sequence - self.next) as usize;
        if self.window.len() <= index {
            self.window.resize_with(index + 1, || None);
        }
        if self.window[index].is_some() {
            self.counts.duplicates += 1;
            return;
        }
        if !newest {
            self.counts.recovered += 1;
        }
        if fragment.as_ref().is_some_and(|fragment| fragment.begins_keyframe) {
            self.keyframes.insert(sequence);
        }
        if self.needs_keyframe && self.keyframes.is_empty() {
            self.wish = true;
        }
        self.window[index] = Some(Slot {
            codec,
            fragment,
            timestamp: packet.timestamp,
            marker: packet.marker,
            arrived: packet.arrived,
            late: !newest,
        });
    }

    /// The next frame that can be decoded, if there is one. Call until it returns `None`, after
    /// packets came and at [`Self::deadline`].
    pub fn next_frame(&mut self, now: Instant) -> Option<AssembledFrame> {
        loop {
            self.skip_padding();
            if let Some(length) = self.frame_at(self.next) {
                match self.take_frame(length) {
                    Some(frame) => return Some(frame),
                    None => continue,
                }
            }
            self.note_hole();
            let (_, since) = self.hole?;
            let age = now.saturating_duration_since(since);
            let patient = age < self.patience();
            if (self.needs_keyframe || !patient) && self.jump_to_keyframe() {
                continue;
            }
            if !patient || self.missing() > MANY_MISSING {
                self.wish = true;
            }
            if age >= GIVE_UP {
                self.give_up(self.window.len() as i64);
                self.needs_keyframe = true;
            }
            return None;
        }
    }

    /// Whether the sender should be asked for a key frame now. Says so once, and again only when the
    /// wish still stands 200 ms or a round trip later.
    pub fn take_wish(&mut self, now: Instant) -> bool {
        let due = self.wish
            && self.wished.is_none_or(|at| now.saturating_duration_since(at) >= self.wish_interval());
        if due {
            self.wished = Some(now);
        }
        due
    }

    /// The decoder refused a frame: nothing is handed on before the next key frame.
    pub fn decoder_failed(&mut self) {
        self.needs_keyframe = true;
        self.wish = true;
    }

    /// When [`Self::next_frame`] and [`Self::take_wish`] should be asked again if nothing comes.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let hole = self.hole.map(|(_, since)| {
            let step = if self.wish { GIVE_UP } else { self.patience() };
            since + step
        });
        let wish = self.wished.filter(|_| self.wish).map(|wished| wished + self.wish_interval());
        match (hole, wish) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// Tells the usual and the latest round trip time, which set how long a retransmission is waited for.
    pub fn set_rtt(&mut self, usual: Duration, latest: Duration) {
        self.rtt = usual.min(LONGEST_RTT);
        self.latest_rtt = latest.min(LONGEST_RTT);
    }

    /// How old a hole may get before a key frame is wished for: a round trip and four tries, or four round trips where those
    /// take longer, or two of the latest, and a frame; never more than 1.2 s. A key frame is many packets, of which the path
    /// loses as many: sooner it would not be there.
    #[must_use]
    pub fn patience(&self) -> Duration {
        let tries = self.rtt + NACK_INTERVAL * NACK_TRIES;
        let round_trips = (self.rtt + NACK_INTERVAL) * ROUND_TRIPS;
        let long_ones = (self.latest_rtt + NACK_INTERVAL) * LONG_ROUND_TRIPS;
        let frame = self.frame_interval.min(NACK_INTERVAL * 2);
        (tries.max(round_trips).max(long_ones) + frame).min(MOST_PATIENCE)
    }

    /// What happened so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    fn wish_interval(&self) -> Duration {
        WISH_INTERVAL.max(self.rtt).max(self.latest_rtt)
    }

    /// Makes the window span `sequence`; `false` when the packet is not wanted.
    fn make_room(&mut self, sequence: i64) -> bool {
        let ahead = sequence - self.next;
        if ahead < 0 {
            if self.begun || ahead < -HEAD_ROOM || self.window.len() as i64 - ahead > WINDOW as i64 {
                self.counts.late += 1;
                self.late_run += 1;
                if self.late_run > LATE_RUN {
                    self.restart();
                }
                return false;
            }
            for _ in ahead..0 {
                self.window.push_front(None);
            }
            self.next = sequence;
            self.hole = None;
        } else if ahead >= WINDOW as i64 {
            self.give_up(self.window.len() as i64);
            self.counts.lost += (sequence - self.next) as u64;
            self.next = sequence;
            self.needs_keyframe = true;
        }
        self.late_run = 0;
        true
    }

    fn skip_padding(&mut self) {
        while matches!(self.window.front(), Some(Some(Slot { fragment: None, .. }))) {
            self.window.pop_front();
            self.next += 1;
        }
    }

    /// How many packets the whole frame that begins at a number has; `None` when some are missing.
    /// A frame that does not begin properly has a length too, so that it can be passed over.
    fn frame_at(&self, sequence: i64) -> Option<usize> {
        let start = usize::try_from(sequence - self.next).ok()?;
        let first = self.window.get(start)?.as_ref()?;
        for (count, slot) in self.window.iter().skip(start).enumerate() {
            let slot = slot.as_ref()?;
            if slot.timestamp != first.timestamp {
                return Some(count);
            }
            if slot.marker {
                return Some(count + 1);
            }
        }
        None
    }

    /// Takes the frame off the window; `None` when it may not be decoded.
    fn take_frame(&mut self, length: usize) -> Option<AssembledFrame> {
        let slots: Vec<Slot> = self.window.drain(..length).flatten().collect();
        self.next += length as i64;
        self.forget_keyframes();
        let completed = slots.iter().map(|slot| slot.arrived).max()?;
        let Slot { timestamp, codec, .. } = *slots.first()?;
        let fragments = || slots.iter().filter_map(|slot| slot.fragment.as_ref());
        let size: usize = fragments().map(|fragment| fragment.data.len()).sum();
        let first = fragments().next()?;
        let sound = first.begins_frame
            && fragments()
                .skip(1)
                .all(|fragment| !fragment.begins_frame && fragment.picture_id == first.picture_id)
            && slots.iter().all(|slot| slot.fragment.is_none() || slot.codec == codec)
            && size <= MAX_FRAME
            && slots.len() == length;
        if !sound {
            if self.begun || first.begins_frame {
                self.counts.malformed += 1;
            }
            self.needs_keyframe = true;
            self.wish = true;
            return None;
        }
        let keyframe = first.begins_keyframe;
        if self.codec.is_some_and(|before| before != codec) {
            // Another codec counts its pictures as it likes, and knows nothing of what came before.
            self.last_picture = None;
            self.needs_keyframe = true;
        }
        self.note_picture(first.picture_id, keyframe);
        if self.needs_keyframe && !keyframe {
            self.counts.frames_dropped += 1;
            self.wish = true;
            return None;
        }
        self.needs_keyframe = false;
        self.codec = Some(codec);
        self.wish = false;
        self.begun = true;
        self.counts.keyframes += u64::from(keyframe);
        self.note_interval(timestamp);
        self.counts.frames += 1;
        let data = if fragments().nth(1).is_none() {
            first.data.clone()
        } else {
            let mut joined = BytesMut::with_capacity(size);
            for fragment in fragments() {
                joined.extend_from_slice(&fragment.data);
            }
            joined.freeze()
        };
        let repaired = slots.iter().any(|slot| slot.late);
        Some(AssembledFrame { codec, data, keyframe, timestamp, completed, repaired })
    }

    /// A gap in the picture ids means a missing frame even where no packet is missing.
    fn note_picture(&mut self, picture: Option<PictureId>, keyframe: bool) {
        let steps = self.last_picture.zip(picture).and_then(|(last, now)| last.steps_to(now));
        self.last_picture = picture;
        if let Some(steps) = steps
            && !(0..=1).contains(&steps)
        {
            self.counts.picture_gaps += u64::try_from(steps - 1).unwrap_or(0);
            if !keyframe {
                self.needs_keyframe = true;
            }
        }
    }

    fn note_interval(&mut self, timestamp: u32) {
        if let Some(last) = self.last_timestamp.replace(timestamp) {
            let ticks = timestamp.wrapping_sub(last);
            if (450..=45_000).contains(&ticks) {
                let interval = Duration::from_micros(u64::from(ticks) * 100 / 9);
                self.frame_interval = (self.frame_interval * 7 + interval) / 8;
            }
        }
    }

    /// Sets `hole` from the state of the window.
    fn note_hole(&mut self) {
        let first = match self.window.front() {
            None => None,
            Some(None) => Some(self.next),
            // The frame at the front is begun; the first number missing in it or behind it.
            Some(Some(_)) => (1..self.window.len())
                .find(|&index| self.window[index].is_none())
                .map(|index| self.next + index as i64),
        };
        if first == self.hole.map(|(sequence, _)| sequence) {
            return;
        }
        self.hole = first.and_then(|sequence| {
            let behind = self.window.iter().skip((sequence - self.next) as usize + 1).flatten();
            behind.map(|slot| slot.arrived).min().map(|since| (sequence, since))
        });
    }

    fn missing(&self) -> i64 {
        self.window.iter().filter(|slot| slot.is_none()).count() as i64
    }

    /// Gives up everything before the newest complete key frame behind the hole.
    fn jump_to_keyframe(&mut self) -> bool {
        let complete = |&&sequence: &&i64| sequence > self.next && self.frame_at(sequence).is_some();
        let Some(&sequence) = self.keyframes.iter().rev().find(complete) else {
            return false;
        };
        self.give_up(sequence - self.next);
        true
    }

    /// Takes `count` numbers off the front, counting what is missing as lost.
    fn give_up(&mut self, count: i64) {
        let count = count.clamp(0, self.window.len() as i64);
        for slot in self.window.drain(..count as usize) {
            match slot {
                None if self.begun => self.counts.lost += 1,
                Some(slot) if slot.marker => self.counts.frames_dropped += 1,
                _ => {}
            }
        }
        self.next += count;
        self.last_picture = None;
        self.hole = None;
        self.forget_keyframes();
    }

    fn forget_keyframes(&mut self) {
        self.keyframes = self.keyframes.split_off(&self.next);
    }

    /// A new sender: forgets the stream, keeps the counters and the pace of wishes.
    fn restart(&mut self) {
        let kept = (self.counts, self.wished, self.rtt);
        *self = Self::new();
        (self.counts, self.wished, self.rtt) = kept;
    }
}

#[cfg(test)]
mod tests;
