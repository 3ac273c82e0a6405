//! Calls over shared links: estimator, pacer and allocation at each end, driven as a real call drives them.

use std::time::Instant;

use super::link::{Link, Shape};
use super::{MS, Micros, Random, SECOND, duration};
use crate::media::pipeline::allocation::{Allocation, Allocator, BACKLOG, Limits, wanted};
use crate::rtc::bandwidth::feedback::{Message, Recorder, reports};
use crate::rtc::bandwidth::pacer::{Pacer, Release};
use crate::rtc::bandwidth::{Bounds, Estimator, Kind, PACKET_OVERHEAD};

pub(super) const BOUNDS: Bounds = Bounds { start: 100_000.0, least: 16_000.0, most: 2_000_000.0 };
/// A 640x360 video that is content with 600 kbit/s and voice.
pub(super) const LIMITS: Limits = Limits {
    most: 2_000_000.0,
    audio: 24_000,
    width: 640,
    height: 360,
    fps: 25,
    video: Some(595_000),
    overhead: PACKET_OVERHEAD,
    beside: false,
};
/// Retransmissions of one packet.
const REPAIRS: u8 = 8;

#[derive(Clone, Debug)]
struct Media {
    kind: Kind,
    bytes: u32,
    frame: u64,
    last: bool,
    repairs: u8,
    born: Micros,
}

#[derive(Debug)]
enum Packet {
    Media { call: usize, side: usize, sequence: u16, media: Media },
    Feedback { call: usize, side: usize, message: Message },
    Other,
}

/// What arrived, for the figures.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heard {
    pub(super) at: Micros,
    pub(super) bytes: u32,
    pub(super) kind: Kind,
    /// In the link's queue.
    pub(super) queued: Micros,
    /// From capture to arrival.
    pub(super) age: Micros,
    pub(super) frame: Option<u64>,
}

/// One end of a call.
struct End {
    estimator: Estimator,
    allocator: Allocator,
    allocation: Option<Allocation>,
    pacer: Pacer<Media>,
    recorder: Recorder,
    limits: Limits,
    sends: bool,
    start: Micros,
    sequence: u16,
    random: Random,
    encoder: f64,
    debt: f64,
    keyframe: bool,
    width: u32,
    next_frame: Micros,
    next_audio: Micros,
    next_control: Micros,
    frames: u64,
    /// Repairs that were asked for, with the time at which that is known.
    repairs: Vec<(Micros, Media)>,
    control_bytes: f64,
    heard: Vec<Heard>,
}

pub(super) struct Cross {
    pub(super) from: Micros,
    pub(super) to: Micros,
    pub(super) rate: f64,
}

/// Links in both directions and what goes over them.
pub(super) struct World {
    epoch: Instant,
    now: Micros,
    links: [Link<Packet>; 2],
    calls: Vec<[End; 2]>,
    cross: Option<Cross>,
    cross_debt: f64,
    random: Random,
    /// When the ends are told that the path is another.
    pub(super) path_changes: Vec<Micros>,
    /// What the calling end may send from then on.
    pub(super) later: Option<(Micros, Limits)>,
}

impl World {
    pub(super) fn new(there: Shape, back: Shape, seed: u64) -> Self {
        Self {
            epoch: Instant::now(),
            now: 0,
            links: [Link::new(there, seed * 2 + 1), Link::new(back, seed * 2 + 2)],
            calls: Vec::new(),
            cross: None,
            cross_debt: 0.0,
            random: Random::new(seed * 977 + 5),
            path_changes: Vec::new(),
            later: None,
        }
    }

    pub(super) fn cross(&mut self, cross: Cross) {
        self.cross = Some(cross);
    }

    /// A call that begins at `start`; the callee sends as well when `both`.
    pub(super) fn call(&mut self, start: Micros, both: bool, limits: Limits) {
        let seed = self.calls.len() as u64 * 31 + 7;
        let end = |side: u64, sends| {
            let at = self.epoch + duration(start);
            let mut estimator = Estimator::new(at, BOUNDS);
            estimator.set_wanted(wanted(&limits, 0.0));
            let pacer = Pacer::new(at, estimator.pacing(at));
            let mut random = Random::new(seed * 1_000 + side * 17 + self.random.0);
            End {
                estimator,
                allocator: Allocator::default(),
                allocation: None,
                pacer,
                recorder: Recorder::new(self.epoch),
                limits,
                sends,
                start,
                sequence: (random.unit() * 65_535.0) as u16,
                random,
                encoder: 0.0,
                debt: 0.0,
                keyframe: true,
                width: 0,
                next_frame: start,
                next_audio: start,
                next_control: start,
                frames: 0,
                repairs: Vec::new(),
                control_bytes: 0.0,
                heard: Vec::new(),
            }
        };
        self.calls.push([end(0, true), end(1, both)]);
    }

    pub(super) fn run(&mut self, until: Micros) {
        while self.now < until {
            self.now += MS;
            self.step();
        }
    }

    /// Everything that the end on `side` sent and that arrived.
    pub(super) fn heard(&self, call: usize, side: usize) -> &[Heard] {
        &self.calls[call][1 - side].heard
    }

    /// Packets that the link there dropped for want of room, as a share.
    pub(super) fn overflowed(&self) -> f64 {
        self.links[0].overflowed as f64 / self.links[0].offered.max(1) as f64
    }

    fn instant(&self) -> Instant {
        self.epoch + duration(self.now)
    }

    fn step(&mut self) {
        let (now, at) = (self.now, self.instant());
        if let Some(cross) = &self.cross
            && (cross.from..cross.to).contains(&now)
        {
            self.cross_debt += cross.rate / 8_000.0;
            while self.cross_debt >= 1_000.0 {
                self.cross_debt -= 1_000.0;
                let _ = self.links[0].send(now, 1_000, Packet::Other);
            }
        }
        for side in 0..2 {
            for delivered in self.links[side].advance(now) {
                match delivered.packet {
                    Packet::Media { call, side, sequence, media } => {
                        let end = &mut self.calls[call][1 - side];
                        end.recorder.arrived(self.epoch + duration(delivered.at), sequence);
                        end.heard.push(Heard {
                            at: delivered.at,
                            bytes: media.bytes,
                            kind: media.kind,
                            queued: delivered.queued,
                            age: delivered.at - media.born,
                            frame: (media.kind == Kind::Video && media.last).then_some(media.frame),
                        });
                    }
                    Packet::Feedback { call, side, message } => {
                        let end = &mut self.calls[call][1 - side];
                        end.estimator.feedback(at, &reports(&message));
                    }
                    Packet::Other => {}
                }
            }
        }
        if let Some((_, limits)) = self.later.filter(|(at, _)| *at == now) {
            let end = &mut self.calls[0][0];
            end.limits = limits;
            end.estimator.set_wanted(wanted(&limits, 0.0));
        }
        let changed = self.path_changes.contains(&now);
        for call in 0..self.calls.len() {
            for side in 0..2 {
                let end = &mut self.calls[call][side];
                if now < end.start {
                    continue;
                }
                if changed {
                    end.estimator.reset();
                }
                let packets = end.act(now, at, call, side);
                for (bytes, packet) in packets {
                    if let Some(Packet::Media { media, .. }) = self.links[side].send(now, bytes, packet)
                        && media.kind == Kind::Video
                        && media.repairs < REPAIRS
                    {
                        let media = Media { repairs: media.repairs + 1, ..media };
                        self.calls[call][side].repairs.push((now + 110 * MS, media));
                    }
                }
            }
        }
    }
}

impl End {
    /// One millisecond of an end; what it puts on the wire.
    fn act(&mut self, now: Micros, at: Instant, call: usize, side: usize) -> Vec<(u32, Packet)> {
        let mut out = Vec::new();
        if (now - self.start) % (20 * MS) == 0 {
            self.plan(now, at);
        }
        if self.sends {
            self.media(now, at, call, side, &mut out);
        }
        self.control(now, at, call, side, &mut out);
        out
    }

    fn plan(&mut self, now: Micros, at: Instant) {
        self.estimator.tick(at);
        let estimate = self.estimator.estimate(at);
        if (now - self.start) % (100 * MS) == 0 {
            self.estimator.set_wanted(wanted(&self.limits, estimate.loss));
            let others = self.control_bytes * 8.0;
            self.allocation =
                Some(self.allocator.allocate(at, estimate.target, estimate.loss, others, &self.limits));
        }
        let received = self.heard.iter().rev().take_while(|heard| now - heard.at < SECOND);
        let received = received.map(|heard| f64::from(heard.bytes) * 8.0).sum::<f64>();
        let rate = if self.sends { received.min(estimate.target) } else { received };
        self.recorder.set_rate(rate);
        self.pacer.set_pacing(at, self.estimator.pacing(at));
    }

    fn media(&mut self, now: Micros, at: Instant, call: usize, side: usize, out: &mut Vec<(u32, Packet)>) {
        let Some(allocation) = self.allocation else { return };
        if now >= self.next_audio {
            self.next_audio += allocation.audio.frame.as_micros() as Micros;
            let payload =
                f64::from(allocation.audio.bits_per_second) * allocation.audio.frame.as_secs_f64() / 8.0;
            let bytes = (payload * (0.8 + 0.4 * self.random.unit())) as u32 + PACKET_OVERHEAD;
            let media = Media { kind: Kind::Audio, bytes, frame: 0, last: true, repairs: 0, born: now };
            self.pacer.charge(at, bytes);
            self.wire(at, call, side, media, out);
        }
        self.keyframe |= self.pacer.take_keyframe_wanted();
        if let Some(video) = allocation.video
            && now >= self.next_frame
        {
            let beat = SECOND / Micros::from(video.fps);
            self.next_frame = (self.next_frame + beat).max(now);
            // Half of a change arrives within 300 ms, as with a real encoder's rate control.
            let rate = f64::from(video.bits_per_second);
            let share = (beat as f64 / 430_000.0).min(1.0);
            self.encoder =
                if self.encoder == 0.0 { rate } else { self.encoder + (rate - self.encoder) * share };
            if video.width != self.width {
                self.width = video.width;
                self.keyframe = true;
            }
            if self.pacer.backlog() < BACKLOG {
                self.picture(now, at, video.fps);
            }
        }
        let mut index = 0;
        while index < self.repairs.len() {
            if self.repairs[index].0 <= now {
                let (_, media) = self.repairs.remove(index);
                self.pacer.repair(at, media.bytes, media);
            } else {
                index += 1;
            }
        }
        while let Some(release) = self.pacer.pop(at) {
            let media = match release {
                Release::Packet(media) => media,
                Release::Padding(bytes) => {
                    Media { kind: Kind::Padding, bytes, frame: 0, last: false, repairs: 0, born: now }
                }
            };
            self.wire(at, call, side, media, out);
            self.pacer.set_pacing(at, self.estimator.pacing(at));
        }
    }

    fn picture(&mut self, now: Micros, at: Instant, fps: u32) {
        let usual = self.encoder / f64::from(fps) / 8.0;
        let mut bytes = usual * (0.7 + 0.6 * self.random.unit());
        if std::mem::take(&mut self.keyframe) {
            bytes *= 5.0;
            self.debt += bytes - usual;
        } else {
            let repaid = self.debt.min(bytes * 0.25);
            self.debt -= repaid;
            bytes -= repaid;
        }
        self.frames += 1;
        let payload = self.allocation.and_then(|all| all.video).map_or(600.0, |video| video.packet as f64);
        let packets = (bytes / payload).ceil().max(1.0);
        for packet in 0..packets as u32 {
            let media = Media {
                kind: Kind::Video,
                bytes: (bytes / packets) as u32 + PACKET_OVERHEAD,
                frame: self.frames,
                last: packet + 1 == packets as u32,
                repairs: 0,
                born: now,
            };
            self.pacer.push(at, media.bytes, media);
        }
    }

    fn wire(&mut self, at: Instant, call: usize, side: usize, media: Media, out: &mut Vec<(u32, Packet)>) {
        self.estimator.sent(at, self.sequence, media.bytes, media.kind);
        out.push((media.bytes, Packet::Media { call, side, sequence: self.sequence, media }));
        self.sequence = self.sequence.wrapping_add(1);
    }

    /// Feedback, and a report a second.
    fn control(&mut self, now: Micros, at: Instant, call: usize, side: usize, out: &mut Vec<(u32, Packet)>) {
        if now >= self.next_control {
            self.next_control += SECOND;
            self.unnumbered(at, 100);
            out.push((100, Packet::Other));
        }
        while let Some(message) = self.recorder.message(at) {
            let bytes = message.wire_bytes();
            self.unnumbered(at, bytes);
            out.push((bytes, Packet::Feedback { call, side, message }));
        }
        self.control_bytes *= 1.0 - 0.001;
    }

    fn unnumbered(&mut self, at: Instant, bytes: u32) {
        self.control_bytes += f64::from(bytes) * 0.001;
        self.estimator.sent_unnumbered(bytes);
        self.pacer.charge(at, bytes);
    }
}
