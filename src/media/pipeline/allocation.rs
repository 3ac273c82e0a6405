//! Who gets what of the estimate: sound first, then pictures, with their overhead counted.
//!
//! Pure: time is an argument. Owns the steps of sound and pictures and when one is left for another. Must not know how the
//! estimate is made, nor encoders. The steps of a picture are for 16:9; of another shape the one with as many pixels is meant.

use std::time::{Duration, Instant};

/// What the application and the other side allow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// The most of everything, bits per second on the wire: `--max-bitrate`.
    pub most: f64,
    /// The most for Opus, bits per second of payload.
    pub audio: u32,
    /// The largest picture of use: the source's size or the receiver's window.
    pub width: u32,
    /// See `width`.
    pub height: u32,
    /// The most frames a second of use.
    pub fps: u32,
    /// The most for pictures of that size and beat, bits per second of payload; none when there are none to send.
    pub video: Option<u32>,
    /// Bytes around an RTP payload on the wire.
    pub overhead: u32,
    /// A file of the same call is under way beside it.
    pub beside: bool,
}

/// How to send sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Audio {
    /// Bits per second of payload.
    pub bits_per_second: u32,
    /// Length of a packet (RFC 7587, section 4.2).
    pub frame: Duration,
    /// In-band error correction for so many percent of loss; none when 0.
    pub expected_loss: u8,
    /// Leave silence out.
    pub dtx: bool,
}

/// How to send pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Video {
    /// Bits per second of payload.
    pub bits_per_second: u32,
    /// Frames a second.
    pub fps: u32,
    /// Largest size.
    pub width: u32,
    /// See `width`.
    pub height: u32,
    /// The most bytes of a picture to put into one packet: sound waits behind the packet that is on the link, so packets
    /// are small on a narrow one.
    pub packet: usize,
}

/// Everything together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allocation {
    /// Sound is always sent.
    pub audio: Audio,
    /// None when there is no room, or nothing to send.
    pub video: Option<Video>,
}

/// With so much waiting for its turn to leave a picture is left out.
pub const BACKLOG: Duration = Duration::from_millis(200);
/// Sound: from this estimate on, so many bits per second of payload in packets of so many milliseconds. Below 100
/// kbit/s headers would take more than the sound itself, so packets are long there. The last step is what is allowed.
/// A path that has room for all pictures as well may have a higher step sooner.
const AUDIO: [(f64, u32, u32); 7] = [
    (0.0, 6_000, 60),
    (22_000.0, 8_000, 60),
    (44_000.0, 12_000, 60),
    (110_000.0, 16_000, 40),
    (180_000.0, 24_000, 20),
    (350_000.0, 32_000, 20),
    (500_000.0, u32::MAX, 20),
];
/// Pictures: size, frames a second, and the payload's bits per second from which it is worth it.
const VIDEO: [(u32, u32, u32, f64); 14] = [
    (160, 90, 2, 3_000.0),
    (160, 90, 5, 7_000.0),
    (160, 90, 8, 11_000.0),
    (160, 90, 10, 20_000.0),
    (160, 90, 12, 26_000.0),
    (160, 90, 15, 38_000.0),
    (160, 90, 20, 55_000.0),
    (240, 136, 20, 85_000.0),
    (320, 180, 20, 120_000.0),
    (320, 180, 25, 160_000.0),
    (480, 270, 25, 240_000.0),
    (640, 360, 25, 350_000.0),
    (960, 540, 25, 800_000.0),
    (1_280, 720, 30, 1_500_000.0),
];
/// The highest step is the source's own picture. It is left alone when there is this share of what is allowed for it.
const ENOUGH: f64 = 0.9;
/// What is allowed for a picture is usually this much, in bits a pixel. With less than half of it a smaller one is better.
const USUAL: f64 = 0.1;
const SPARING: f64 = 0.5;
/// A step is left for a higher one when there has been so much more than that needs for [`SURE`], and for a lower one
/// when there is less than this share of what the step needs.
const UP: f64 = 1.1;
const DOWN: f64 = 0.85;
const SURE: Duration = Duration::from_secs(2);
/// With so much more than it needs, or from no picture at all, a higher step is sure sooner.
const PLENTY: f64 = 1.6;
const SURE_OF_PLENTY: Duration = Duration::from_millis(300);
/// Sound alone is hardly ever what is too much: it steps down when there has been too little for so long.
const SURE_OF_LITTLE: Duration = Duration::from_millis(700);
/// From this share of loss on another size is sure only after [`SURE`], because it is a key frame, and of so many packets
/// one is lost: one step in place of several.
const LOSSY: f64 = 0.02;
/// Sound steps up at so much more than the step's estimate.
const AUDIO_UP: f64 = 1.15;
/// Payload of a video packet: the most, the least, and the time that it may take on the path, in seconds.
const PAYLOAD: f64 = 1_150.0;
const SMALLEST_PAYLOAD: f64 = 600.0;
const PAYLOAD_TIME: f64 = 0.035;
/// The estimate may be so much above what would be sent.
const ROOM: f64 = 1.05;
/// What is looked for is so much more than what would be sent: the highest step is only taken with room to spare, and
/// losses and reports take their part.
const WANTED_ROOM: f64 = 1.2;
/// More loss than this is not made up for by sending again.
const MOST_REPAIRED: f64 = 0.3;
/// Below this estimate silence is left out whatever the source is, except where sound is sent whole.
const DTX_BELOW: f64 = 110_000.0;
/// Error correction begins at this share of loss below [`FEC_ALWAYS`], and always expects this much at least.
const FEC_FROM: f64 = 0.02;
const FEC_ALWAYS: f64 = 180_000.0;
const FEC_LEAST: f64 = 10.0;

/// The steps in force.
#[derive(Clone, Copy, Debug, Default)]
pub struct Allocator {
    audio: usize,
    /// One more than the step of pictures; 0 for none.
    video: usize,
    /// Since when there has been enough for a higher step.
    enough_since: Option<Instant>,
    /// Since when there has been too little for sound.
    little_since: Option<Instant>,
    begun: bool,
}

impl Allocator {
    /// Shares `target` out. `loss` is the share of packets lost, 0 to 1; `others` is what else leaves on this path, in
    /// bits per second: RTCP, and feedback about the other direction's packets.
    pub fn allocate(
        &mut self,
        now: Instant,
        target: f64,
        loss: f64,
        others: f64,
        limits: &Limits,
    ) -> Allocation {
        let target = if target.is_finite() { target.min(limits.most).max(0.0) } else { 0.0 };
        let audio = self.audio(now, target, loss, limits);
        // What is lost of pictures is sent again, out of the same estimate.
        let kept = 1.0 - lost(loss);
        let left = (target - audio_wire(&audio, limits) - others.max(0.0)) * kept;
        let lossy = loss >= LOSSY;
        let video = if limits.video.is_some() { self.video(now, target, left, lossy, limits) } else { None };
        self.begun = true;
        Allocation { audio, video }
    }

    fn audio(&mut self, now: Instant, target: f64, loss: f64, limits: &Limits) -> Audio {
        let pictures = video_wire(limits, loss);
        let fits = |step: usize, more: f64| {
            AUDIO.get(step).is_some_and(|(from, ..)| {
                target >= from * more
                    || target >= pictures + audio_wire(&sound(step, limits), limits) * more.min(ROOM)
            })
        };
        let mut at = self.audio;
        while at > 0 && !fits(at, 1.0) {
            at -= 1;
        }
        let more = if self.begun { AUDIO_UP } else { 1.0 };
        while fits(at + 1, more) {
            at += 1;
        }
        let alone = limits.video.is_none();
        let whole = sound(AUDIO.len() - 1, limits);
        if alone && limits.beside && limits.most >= audio_wire(&whole, limits) {
            // What is in its way is the file, which yields by itself.
            at = AUDIO.len() - 1;
        }
        if at >= self.audio {
            self.little_since = None;
            self.audio = at;
        } else {
            let since = *self.little_since.get_or_insert(now);
            let allowed = limits.most >= audio_wire(&sound(self.audio, limits), limits);
            if !alone || !allowed || now.saturating_duration_since(since) >= SURE_OF_LITTLE {
                self.audio = at;
            }
        }
        let all = self.audio == AUDIO.len() - 1;
        let corrects = all || target >= FEC_ALWAYS || loss >= FEC_FROM;
        let percent = (loss * 100.0).ceil().clamp(FEC_LEAST, 40.0);
        Audio {
            expected_loss: if corrects { percent as u8 } else { 0 },
            dtx: target < DTX_BELOW && !all,
            ..sound(self.audio, limits)
        }
    }

    fn video(&mut self, now: Instant, target: f64, left: f64, lossy: bool, limits: &Limits) -> Option<Video> {
        let top = top(limits);
        let most = f64::from(limits.video.unwrap_or(0)).max(VIDEO[0].3);
        let room = |at: usize| left - frame_overhead(left, step(at, top, limits).0.fps, limits);
        let payload = |at: usize| room(at).min(most);
        let fits = |at: usize, share: f64| payload(at) >= step(at, top, limits).1 * share;
        self.video = self.video.min(top + 1);
        if self.video > 0 && !fits(self.video - 1, DOWN) {
            self.enough_since = None;
            while self.video > 0 && !fits(self.video - 1, 1.0) {
                self.video -= 1;
            }
        } else if self.video <= top && fits(self.video, if self.begun { UP } else { 1.0 }) {
            let since = *self.enough_since.get_or_insert(now);
            let width = |at: usize| step(at, top, limits).0.width;
            let reached = (self.video..=top).take_while(|at| fits(*at, UP)).last().unwrap_or(self.video);
            let larger = self.video > 0 && width(reached) > width(self.video - 1);
            let plenty = room(self.video) >= step(self.video, top, limits).1 * PLENTY && !(lossy && larger);
            let sure = if self.video == 0 || plenty { SURE_OF_PLENTY } else { SURE };
            if !self.begun || now.saturating_duration_since(since) >= sure {
                self.enough_since = None;
                let more = if self.begun { UP } else { 1.0 };
                while self.video <= top && fits(self.video, more) {
                    self.video += 1;
                }
            }
        } else {
            self.enough_since = None;
        }
        let at = self.video.checked_sub(1)?;
        let bits_per_second = payload(at).max(VIDEO[0].3 * DOWN) as u32;
        Some(Video { bits_per_second, packet: packet_payload(target), ..step(at, top, limits).0 })
    }
}

/// What would be sent if the path took everything: what the estimator is to look for. `loss` as in
/// [`Allocator::allocate`].
#[must_use]
pub fn wanted(limits: &Limits, loss: f64) -> f64 {
    let audio = audio_wire(&sound(AUDIO.len() - 1, limits), limits);
    ((audio + video_wire(limits, loss)) * WANTED_ROOM).min(limits.most)
}

/// How many bytes of a picture to put into one packet.
fn packet_payload(target: f64) -> usize {
    (target * PAYLOAD_TIME / 8.0).clamp(SMALLEST_PAYLOAD, PAYLOAD) as usize
}

/// A step of sound.
fn sound(step: usize, limits: &Limits) -> Audio {
    let (_, bits, millis) = AUDIO[step.min(AUDIO.len() - 1)];
    Audio {
        bits_per_second: bits.min(limits.audio.max(6_000)),
        frame: Duration::from_millis(u64::from(millis)),
        expected_loss: 0,
        dtx: false,
    }
}

/// A step of pictures, and the payload's bits per second from which it is worth it. The one at the `top` is all that
/// the source gives.
fn step(at: usize, top: usize, limits: &Limits) -> (Video, f64) {
    let (width, height, fps, needs) = VIDEO[at.min(VIDEO.len() - 1)];
    let most = limits.video.unwrap_or(0);
    let all = (limits.width.max(2), limits.height.max(2), limits.fps.max(1));
    let usual = f64::from(all.0) * f64::from(all.1) * f64::from(all.2) * USUAL;
    let allowed = f64::from(most).max(usual * SPARING) * ENOUGH;
    let (width, height, fps, needs) = match at < top {
        true => (width.min(all.0), height.min(all.1), fps.min(all.2), needs),
        false => (all.0, all.1, all.2, needs * (f64::from(all.2) / f64::from(fps)).max(1.0)),
    };
    (Video { bits_per_second: most, fps, width, height, packet: 0 }, needs.min(allowed))
}

/// The share of losses that retransmission makes up for.
fn lost(loss: f64) -> f64 {
    if loss.is_finite() { loss.clamp(0.0, MOST_REPAIRED) } else { 0.0 }
}

/// What sound takes on the wire.
fn audio_wire(audio: &Audio, limits: &Limits) -> f64 {
    f64::from(audio.bits_per_second) + f64::from(limits.overhead) * 8.0 / audio.frame.as_secs_f64().max(0.01)
}

/// What the pictures that are allowed take on the wire.
fn video_wire(limits: &Limits, loss: f64) -> f64 {
    let payload = f64::from(limits.video.unwrap_or(0));
    if payload == 0.0 {
        return 0.0;
    }
    (payload + frame_overhead(payload, limits.fps.max(1), limits)) / (1.0 - lost(loss))
}

/// What the headers of pictures take when payload and headers together are `bits_per_second`.
fn frame_overhead(bits_per_second: f64, fps: u32, limits: &Limits) -> f64 {
    let payload = packet_payload(bits_per_second) as f64;
    let packets = (bits_per_second.max(0.0) / 8.0 / payload + f64::from(fps) * 0.5).max(f64::from(fps));
    packets * f64::from(limits.overhead) * 8.0
}

/// The highest step of use.
fn top(limits: &Limits) -> usize {
    let useful = |step: &usize| {
        let below = &VIDEO[step - 1];
        below.0 < limits.width && below.1 < limits.height
    };
    let smallest = VIDEO.iter().take_while(|step| step.0 == VIDEO[0].0).count();
    (1..VIDEO.len()).take_while(useful).last().unwrap_or(0).max(smallest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        most: 2e6,
        audio: 32_000,
        width: 640,
        height: 360,
        fps: 25,
        video: Some(595_000),
        overhead: 58,
        beside: false,
    };

    fn first(target: f64) -> Allocation {
        Allocator::default().allocate(Instant::now(), target, 0.0, 0.0, &LIMITS)
    }

    fn wire(allocation: &Allocation) -> f64 {
        let video = allocation.video.map_or(0.0, |video| {
            let bits = f64::from(video.bits_per_second);
            bits + (bits / 8.0 / PAYLOAD).max(f64::from(video.fps)) * f64::from(LIMITS.overhead) * 8.0
        });
        audio_wire(&allocation.audio, &LIMITS) + video
    }

    #[test]
    fn a_narrow_path_carries_voice_first_and_a_small_moving_picture() {
        let narrow = first(61_000.0);
        assert_eq!((narrow.audio.bits_per_second, narrow.audio.frame.as_millis()), (12_000, 60));
        let video = narrow.video.unwrap();
        assert_eq!((video.width, video.height, video.fps), (160, 90, 12));
        assert!(video.bits_per_second > 32_000, "{video:?}");
        let narrower = first(30_000.0);
        assert_eq!(narrower.audio.bits_per_second, 8_000);
        assert!(narrower.video.is_some_and(|video| video.fps <= 5));
        assert_eq!(first(14_000.0).video, None);
    }

    #[test]
    fn what_is_given_fits_the_estimate_with_all_headers() {
        for kbps in 20..1_500 {
            let target = f64::from(kbps) * 1_000.0;
            let allocation = first(target);
            assert!(
                wire(&allocation) <= target * 1.02,
                "{allocation:?} takes {} of {target}",
                wire(&allocation)
            );
            assert!(
                !(40..=600).contains(&kbps) || wire(&allocation) > target * 0.9,
                "{allocation:?} of {target}"
            );
        }
        assert!(wanted(&LIMITS, 0.0) > 6e5 && wanted(&LIMITS, 0.0) < 9e5, "{}", wanted(&LIMITS, 0.0));
    }

    #[test]
    fn a_trembling_estimate_changes_no_size() {
        let start = Instant::now();
        let mut allocator = Allocator::default();
        let mut changes = 0;
        let mut last = allocator.allocate(start, 200_000.0, 0.0, 0.0, &LIMITS);
        for step in 1..600 {
            let target = if step % 2 == 0 { 212_000.0 } else { 192_000.0 };
            let next =
                allocator.allocate(start + Duration::from_millis(100) * step, target, 0.0, 0.0, &LIMITS);
            let steps =
                |allocation: &Allocation| (allocation.video.map(|video| video.width), allocation.audio.frame);
            changes += u32::from(steps(&next) != steps(&last));
            last = next;
        }
        assert!(changes <= 1, "{changes}");
    }

    #[test]
    fn where_packets_get_lost_the_picture_grows_in_fewer_steps() {
        let start = Instant::now();
        let sizes = |loss: f64| {
            let mut allocator = Allocator::default();
            let mut sizes = Vec::new();
            for tick in 0..60u32 {
                // A ramp that doubles every second.
                let target = (100e3 * 2f64.powf(f64::from(tick) / 10.0)).min(900e3);
                let now = start + Duration::from_millis(100) * tick;
                sizes.push(allocator.allocate(now, target, loss, 0.0, &LIMITS).video.unwrap().width);
            }
            sizes.dedup();
            sizes
        };
        let (lossy, clean) = (sizes(0.05), sizes(0.0));
        assert_eq!((lossy.last(), clean.last()), (Some(&640), Some(&640)));
        assert!(clean.len() > lossy.len(), "{lossy:?} {clean:?}");
    }

    #[test]
    fn the_window_of_the_other_side_bounds_what_is_sent() {
        let limits = Limits { width: 150, height: 80, video: Some(60_000), ..LIMITS };
        let video = Allocator::default().allocate(Instant::now(), 1e6, 0.0, 0.0, &limits).video.unwrap();
        assert_eq!((video.bits_per_second, video.fps, video.width, video.height), (60_000, 25, 150, 80));
        let none = Limits { video: None, ..LIMITS };
        assert!(wanted(&none, 0.0) < 70_000.0);
        let odd = Limits { width: 0, height: 0, fps: 0, most: 0.0, audio: 0, ..LIMITS };
        let allocation = Allocator::default().allocate(Instant::now(), f64::NAN, f64::NAN, -1.0, &odd);
        assert_eq!(allocation.video, None);
    }

    #[test]
    fn who_allows_little_for_pictures_gets_a_small_one_on_a_wide_path_too() {
        let of = |video: u32| {
            let limits = Limits { video: Some(video), ..LIMITS };
            Allocator::default().allocate(Instant::now(), 5e6, 0.0, 0.0, &limits).video.unwrap()
        };
        let least = of(10_000);
        assert_eq!((least.bits_per_second, least.width, least.fps), (10_000, 160, 5));
        assert_eq!((of(100_000).width, of(300_000).width), (240, 640));
        assert_eq!((of(300_000).bits_per_second, of(300_000).fps), (300_000, 25));
    }

    #[test]
    fn sound_alone_follows_a_path_that_is_too_narrow_for_it_for_long_and_is_left_alone_beside_a_file() {
        let alone = Limits { video: None, ..LIMITS };
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut allocator = Allocator::default();
        let whole = allocator.allocate(at(0), 100_000.0, 0.0, 0.0, &alone).audio;
        assert_eq!(whole.bits_per_second, 32_000);
        let dip = allocator.allocate(at(100), 30_000.0, 0.0, 0.0, &alone).audio;
        assert_eq!(dip, whole);
        allocator.allocate(at(300), 100_000.0, 0.0, 0.0, &alone);
        assert_eq!(allocator.allocate(at(900), 30_000.0, 0.0, 0.0, &alone).audio, whole);
        let narrow = allocator.allocate(at(1_700), 30_000.0, 0.0, 0.0, &alone).audio;
        assert_eq!((narrow.bits_per_second, narrow.frame.as_millis()), (16_000, 40));
        let beside = Limits { beside: true, ..alone };
        assert_eq!(allocator.allocate(at(1_800), 30_000.0, 0.0, 0.0, &beside).audio, whole);
    }
}
