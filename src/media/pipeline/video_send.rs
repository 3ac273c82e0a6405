//! The thread that sends pictures: waits for the source's beat, encodes, cuts into packets.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::allocation::{BACKLOG, Video};
use super::coding::{self, Coding};
use super::control::Orders;
use super::fitting::{Fitting, Limit, Wish};
use super::pace::Pacer;
use super::stats::kbps;
use super::{Kind, Outlet, Shared, lock};
use crate::media::codec::{EncodedFrame, VideoCodec, vpx};
use crate::media::record::Side;
use crate::media::rtp::packet::HEADER_LENGTH;
use crate::media::rtp::video::Packetiser;
use crate::media::scale::Scaler;
use crate::media::source::Content;
use crate::media::{Error, VideoFrame, VideoSource, WallTime};

/// Forced key frames are at least this far apart; a wish in between is met when it is over.
const KEYFRAME_INTERVAL: Duration = Duration::from_millis(150);

/// The encoder makes all that it may while no more than this waits; of the rest each so much takes an eighth off, up to half.
const NO_BACKLOG: Duration = Duration::from_millis(20);
const AN_EIGHTH: Duration = Duration::from_millis(25);
const EIGHTHS: u32 = 8;

/// A beat without a source: nothing is due.
const IDLE_FPS: u32 = 1;

/// What pictures are read from, and how many bits they may take.
pub(super) struct Feed {
    pub(super) source: Box<dyn VideoSource>,
    pub(super) kbps: u32,
}

/// The source and the encoder made for its pictures.
struct Running {
    source: Box<dyn VideoSource>,
    encoder: vpx::Encoder,
    /// It has encoded something.
    begun: bool,
    fps: u32,
    /// The target for everything that the source gives.
    kbps: u32,
    fitting: Fitting,
    scaler: Option<Scaler>,
    /// The path has no room for pictures.
    held: bool,
    /// The most bytes of a picture in one packet.
    packet: usize,
    /// How much of its rate the encoder makes.
    eighths: u32,
}

impl Running {
    fn new(feed: Feed, limit: Option<Limit>) -> Result<Self, Error> {
        let format = feed.source.format();
        // What the other side has is not known yet.
        let mut settings =
            vpx::Settings::realtime(VideoCodec::Vp8, format.width, format.height, format.fps, feed.kbps);
        settings.screen = feed.source.content() == Content::Screen;
        Ok(Self {
            source: feed.source,
            encoder: vpx::Encoder::new(settings)?,
            begun: false,
            fps: format.fps.max(1),
            kbps: feed.kbps,
            fitting: Fitting::new(format, limit),
            scaler: None,
            held: false,
            packet: usize::MAX,
            eighths: EIGHTHS,
        })
    }

    /// What the encoder is to make now, kbit/s.
    fn kbps(&self) -> u32 {
        self.fitting.kbps(self.kbps) * self.eighths / EIGHTHS
    }

    /// Pictures become smaller while those before them wait for their turn: an encoder that begins, or that is told of another rate, makes
    /// more than it should for a while, and what waits is late.
    fn make_room(&mut self, backlog: Duration) -> Result<(), Error> {
        let steps = backlog.saturating_sub(NO_BACKLOG).as_millis() / AN_EIGHTH.as_millis();
        let eighths = EIGHTHS - u32::try_from(steps).unwrap_or(EIGHTHS).min(EIGHTHS / 2);
        if eighths != self.eighths {
            self.eighths = eighths;
            self.encoder.set_bitrate(self.kbps())?;
        }
        Ok(())
    }

    /// What the path carries of these pictures from now on.
    fn allot(&mut self, video: Option<Video>) {
        self.held = video.is_none();
        if let Some(video) = video {
            self.fitting.set_allotted(Some(video));
            self.packet = video.packet;
        }
    }

    /// Follows what was told.
    fn follow<S>(&mut self, orders: &Orders<S>) -> Result<(), Error> {
        if let Some(limit) = orders.limit {
            self.fitting.set_limit(limit);
        }
        if let Some(video) = orders.video {
            self.allot(video);
        }
        let settled = self.fitting.settle(Instant::now());
        if settled || orders.limit.is_some() || orders.video.is_some() {
            let (before, now) = (self.encoder.settings().kbps, self.kbps());
            // What is hardly another rate is none: the encoder begins to learn anew with each.
            if settled || before.abs_diff(now) * 32 >= before {
                self.encoder.set_bitrate(now)?;
            }
        }
        Ok(())
    }

    /// Encodes a picture in the size and with the codec that are right now; another size or codec than before makes a
    /// key frame.
    fn encode(
        &mut self,
        picture: &VideoFrame,
        timestamp: u32,
        keyframe: bool,
        coding: &mut Coding,
        vp9: bool,
    ) -> Result<EncodedFrame, Error> {
        let start = Instant::now();
        let from = (picture.width(), picture.height());
        let to = self.fitting.size(from);
        self.encoder.set_fps(self.fitting.fps())?;
        self.renew(to, coding.codec(to, vp9))?;
        let scaled = if from == to {
            None
        } else {
            let scaler = match self.scaler.take() {
                Some(scaler) if scaler.sizes() == (from, to) => scaler,
                _ => Scaler::new(from, to)?,
            };
            let scaled = scaler.scale(picture);
            self.scaler = Some(scaler);
            Some(scaled)
        };
        let begun = Instant::now();
        let frame = self.encoder.encode(scaled.as_ref().unwrap_or(picture), timestamp, keyframe)?;
        let now = Instant::now();
        self.begun = true;
        coding.encoded(frame.codec, now - begun, self.fitting.interval());
        self.fitting.encoded(now - start, now);
        Ok(frame)
    }

    /// Beat `index` is not sent although it should be: what waits has no room on the path.
    fn leave_out(&mut self, index: u64) {
        if self.fitting.sends(index) {
            self.encoder.leave_out(self.fitting.interval());
        }
    }

    /// Makes the encoder anew if it is not the one for pictures of this size.
    fn renew(&mut self, size: (u32, u32), codec: VideoCodec) -> Result<(), Error> {
        let before = self.encoder.settings();
        if coding::renews(self.begun, (before.codec, (before.width, before.height)), (codec, size)) {
            let mut settings = vpx::Settings::realtime(codec, size.0, size.1, before.fps, before.kbps);
            settings.screen = before.screen;
            self.encoder = vpx::Encoder::new(settings)?;
        }
        Ok(())
    }
}

/// The sending side, ready to start. Without a source it waits for one.
pub(super) struct Sender {
    running: Option<Running>,
    packetiser: Packetiser,
    /// RTP time of the first beat of the present source.
    timestamp: u32,
    last_forced: Option<Instant>,
    /// Beats that former sources passed over.
    skipped: u64,
    /// What the other side can use.
    limit: Option<Limit>,
    coding: Coding,
    /// What was last asked of the path.
    wish: Option<Wish>,
}

impl Sender {
    pub(super) fn new(feed: Option<Feed>) -> Result<Self, Error> {
        let [ssrc, timestamp, numbers] = super::random()?;
        Ok(Self {
            running: feed.map(|feed| Running::new(feed, None)).transpose()?,
            packetiser: Packetiser::new(ssrc, numbers as u16, (numbers >> 16) as u16),
            timestamp,
            last_forced: None,
            skipped: 0,
            limit: None,
            coding: Coding::default(),
            wish: None,
        })
    }

    /// Runs until told to stop. A source or encoder that fails is told of and let go; another one may follow.
    pub(super) fn run(mut self, shared: &Shared, outlet: &dyn Outlet) {
        let mut start = Instant::now();
        let mut pacer = Pacer::new(start, self.running.as_ref().map_or(IDLE_FPS, |running| running.fps));
        while let Some(mut orders) = shared.video_out.wait(self.running.as_ref().map(|_| pacer.deadline())) {
            self.limit = orders.limit.unwrap_or(self.limit);
            if let Some(feed) = orders.source.take() {
                let now = Instant::now();
                self.change(feed, now - start, shared);
                start = now;
                self.skipped += pacer.skipped();
                pacer = Pacer::new(start, self.running.as_ref().map_or(IDLE_FPS, |running| running.fps));
            }
            let followed = self.running.as_mut().map_or(Ok(()), |running| running.follow(&orders));
            let followed = followed.and_then(|()| self.ask(orders.muted, shared));
            let sends = self.running.as_ref().filter(|_| !orders.muted);
            lock(&shared.video_sent).held = sends.map(|running| running.held);
            if self.running.is_none() {
                continue;
            }
            let frame = followed.and_then(|()| {
                let Some(index) = pacer.tick(Instant::now(), Duration::ZERO).filter(|_| !orders.muted) else {
                    return Ok(None);
                };
                let backlog = outlet.backlog();
                if let Some(running) = &mut self.running {
                    running.make_room(backlog)?;
                    if backlog > BACKLOG {
                        running.leave_out(index);
                        return Ok(None);
                    }
                }
                self.frame(index, &mut orders, shared, outlet.accepts(VideoCodec::Vp9))
            });
            // What could not be done now is still wanted.
            if orders.keyframe && !orders.muted {
                shared.video_out.request_keyframe();
            }
            match frame {
                Ok(Some(frame)) => self.send(&frame, self.skipped + pacer.skipped(), shared, outlet),
                Ok(None) => {}
                Err(error) => {
                    shared.fail(Kind::Video, true, &error);
                    self.running = None;
                }
            }
        }
    }

    /// Tells what there is to send, when that is something else than before, and takes what the path has for it.
    fn ask(&mut self, muted: bool, shared: &Shared) -> Result<(), Error> {
        let running = self.running.as_mut().filter(|_| !muted);
        let wish = running.as_ref().map(|running| running.fitting.wish(running.kbps));
        if wish == self.wish {
            return Ok(());
        }
        self.wish = wish;
        let allotted = lock(&shared.rates).wish(Instant::now(), wish);
        if let (Some(running), Some(video)) = (running, allotted) {
            running.allot(video);
            running.fitting.settle(Instant::now());
            running.encoder.set_bitrate(running.kbps())?;
        }
        Ok(())
    }

    /// Goes on with another source. RTP time goes on with the clock, the first frame is a key frame as any encoder's is.
    fn change(&mut self, feed: Option<Feed>, since_start: Duration, shared: &Shared) {
        let ticks = since_start.as_nanos() * u128::from(vpx::CLOCK) / 1_000_000_000;
        self.timestamp = self.timestamp.wrapping_add(ticks as u32);
        // The old device is closed before the new one is read: they may be the same.
        self.running = None;
        // What the path has for it is asked, as for any other.
        self.wish = None;
        match feed.map(|feed| Running::new(feed, self.limit)).transpose() {
            Ok(running) => self.running = running,
            Err(error) => shared.fail(Kind::Video, true, &error),
        }
    }

    /// The next frame, if the source has a picture; what was done of `orders` is struck off. `vp9` is whether the other
    /// side has that.
    fn frame(
        &mut self,
        index: u64,
        orders: &mut Orders<Feed>,
        shared: &Shared,
        vp9: bool,
    ) -> Result<Option<EncodedFrame>, Error> {
        let Some(running) = &mut self.running else {
            return Ok(None);
        };
        if running.held {
            running.leave_out(index);
            return Ok(None);
        }
        if !running.fitting.sends(index) {
            return Ok(None);
        }
        let Some(picture) = running.source.frame(index, WallTime::now())? else {
            return Ok(None);
        };
        let ticks = u128::from(index) * u128::from(vpx::CLOCK) / u128::from(running.fps);
        let timestamp = self.timestamp.wrapping_add(ticks as u32);
        let now = Instant::now();
        let too_soon = self.last_forced.is_some_and(|last| now - last < KEYFRAME_INTERVAL);
        orders.keyframe |= shared.recording_wants_keyframe(Side::Own);
        let keyframe = orders.keyframe && !too_soon;
        let vp9 = vp9 && !shared.is_recorded();
        let frame = running.encode(&picture, timestamp, keyframe, &mut self.coding, vp9)?;
        shared.record(|tap| tap.picture(Side::Own, now, frame.codec, frame.keyframe, &frame.data));
        // A shared screen shows no face of ours.
        if running.source.content() != Content::Screen
            && let Some(watcher) = &lock(&shared.alert).0
        {
            watcher.offer(&picture);
        }
        if let Some(monitor) = &shared.monitor {
            // Whoever sits there expects a looking-glass.
            let mirrored = running.source.content() == Content::Camera;
            let picture = if mirrored { picture.mirrored() } else { picture };
            monitor.show(|monitor| &monitor.own, Arc::new(picture));
        }
        if frame.keyframe {
            self.last_forced = Some(now);
        }
        orders.keyframe &= too_soon;
        Ok(Some(frame))
    }

    fn send(&mut self, frame: &EncodedFrame, skipped: u64, shared: &Shared, outlet: &dyn Outlet) {
        let now = Instant::now();
        let most = self.running.as_ref().map_or(usize::MAX, |running| running.packet);
        let packets = self.packetiser.packetise(frame, most, now);
        let count = packets.len() as u64;
        let bytes: usize = packets.iter().map(|packet| packet.payload.len() + HEADER_LENGTH).sum();
        for packet in packets {
            outlet.send(Kind::Video, packet);
        }
        let mut sent = lock(&shared.video_sent);
        sent.codec = Some(frame.codec.name());
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
