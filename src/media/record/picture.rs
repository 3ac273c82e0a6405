//! Which encoded pictures of one side a recording takes: from a key frame on, and after a gap from the next one.
//!
//! Owns when another key frame is wished for, and which codec a side is recorded in. Pure: times are arguments.

use std::time::{Duration, Instant};

use crate::media::codec::vpx::Header;
use crate::media::codec::{VideoCodec, vp8, vp9};

/// A wish that was not met is repeated after this.
const AGAIN: Duration = Duration::from_secs(1);
/// So far apart a player finds places to enter, at the least.
pub(super) const ENTRIES: Duration = Duration::from_secs(10);
/// A side that can is about to send VP8 when it hears of the recording; before this is over nothing else is taken.
const SETTLES: Duration = Duration::from_secs(2);
/// Key frames that are only for the recording take one part in so many of what the side sends: a slow link is slow for a call, too.
const SHARE: usize = 20;

/// What is known of one side's pictures.
#[derive(Debug)]
pub(super) struct Picture {
    /// So far apart key frames are wished for.
    entries: Duration,
    /// The number of the next one.
    next: u64,
    whole: bool,
    wished: Instant,
    entered: Instant,
    keyframe_bytes: usize,
    bytes_since: usize,
    began: Instant,
    /// What its track is of, once that is written.
    codec: Option<VideoCodec>,
}

/// Whether a picture's codec is that of its track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// It is, or may be.
    Yes,
    /// Another one is likely to come.
    NotYet,
    /// It is another one.
    Never,
}

/// What is to be done with a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Verdict {
    /// It belongs into the file.
    pub(super) take: bool,
    /// A key frame should come next.
    pub(super) wish: bool,
}

impl Picture {
    /// Nothing was taken; a first key frame was wished for.
    pub(super) fn new(entries: Duration, now: Instant) -> Self {
        Self {
            entries,
            next: 0,
            whole: false,
            wished: now,
            entered: now,
            keyframe_bytes: 0,
            bytes_since: 0,
            began: now,
            codec: None,
        }
    }

    /// Whether a picture of this codec can be in the track: one that has a codec already keeps it.
    pub(super) fn fits(&self, codec: VideoCodec, now: Instant) -> Fit {
        match self.codec {
            Some(track) if track == codec => Fit::Yes,
            Some(_) => Fit::Never,
            None if codec == VideoCodec::Vp8 || now.saturating_duration_since(self.began) >= SETTLES => {
                Fit::Yes
            }
            None => Fit::NotYet,
        }
    }

    /// The track is of this codec from now on; true for the first word about it.
    pub(super) fn describe(&mut self, codec: VideoCodec) -> bool {
        self.codec.replace(codec).is_none()
    }

    /// Passes over a picture that does not fit.
    pub(super) fn pass(&mut self, number: u64) {
        (self.whole, self.next) = (false, number + 1);
    }

    /// Judges the next picture. One that was not numbered in turn has others missing before it.
    pub(super) fn judge(&mut self, number: u64, keyframe: bool, bytes: usize, now: Instant) -> Verdict {
        self.whole &= number == self.next;
        self.next = number + 1;
        if keyframe {
            (self.whole, self.entered) = (true, now);
            (self.keyframe_bytes, self.bytes_since) = (bytes, 0);
            return Verdict { take: true, wish: false };
        }
        self.bytes_since = self.bytes_since.saturating_add(bytes);
        let wish = (!self.whole || self.is_due(self.entries, now))
            && now.saturating_duration_since(self.wished) >= AGAIN;
        if wish {
            self.wished = now;
        }
        Verdict { take: self.whole, wish }
    }

    /// Whether a key frame is wanted beside one of the other side: a player that enters there needs both.
    pub(super) fn joins(&mut self, now: Instant) -> bool {
        let wish = self.whole && self.is_due(self.entries / 2, now);
        if wish {
            self.wished = now;
        }
        wish
    }

    fn is_due(&self, entries: Duration, now: Instant) -> bool {
        now.saturating_duration_since(self.entered) >= entries
            && self.bytes_since >= SHARE * self.keyframe_bytes
    }
}

/// The size of a key frame; `None` for what is none.
pub(super) fn size(codec: VideoCodec, data: &[u8]) -> Option<(u32, u32)> {
    let header = match codec {
        VideoCodec::Vp8 => vp8::header(data),
        VideoCodec::Vp9 => vp9::header(data),
    };
    match header {
        Some(Header::Key { width, height }) if width > 0 && height > 0 => Some((width, height)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_taken_from_a_key_frame_on_and_again_from_the_next_one_after_a_gap() {
        let now = Instant::now();
        let mut picture = Picture::new(ENTRIES, now);
        let mut take = |number, keyframe| picture.judge(number, keyframe, 100, now).take;
        assert!(!take(0, false));
        assert!(take(1, true) && take(2, false) && take(3, false));
        assert!(!take(5, false) && !take(6, false));
        assert!(take(7, true) && take(8, false));
        // A key frame needs nothing before it.
        assert!(take(20, true) && take(21, false));
    }

    #[test]
    fn a_key_frame_is_wished_for_until_it_comes_and_not_with_every_picture() {
        let now = Instant::now();
        let mut picture = Picture::new(ENTRIES, now);
        let wishes = (0..100)
            .filter(|&i| picture.judge(i, false, 100, now + Duration::from_millis(40) * i as u32).wish);
        assert_eq!(wishes.count(), 3);
    }

    #[test]
    fn entries_come_every_ten_seconds_unless_they_cost_too_much() {
        let wishes = |keyframe: usize, other: usize| {
            let now = Instant::now();
            let mut picture = Picture::new(ENTRIES, now);
            let mut met = Vec::new();
            let mut wish = true;
            for index in 0..60 * 25u32 {
                let bytes = if wish { keyframe } else { other };
                let at = now + Duration::from_millis(40) * index;
                if wish {
                    met.push(index / 25);
                }
                wish = picture.judge(index.into(), wish, bytes, at).wish;
            }
            met
        };
        assert_eq!(wishes(20_000, 2_000), [0, 10, 20, 30, 40, 50]);
        assert_eq!(wishes(20_000, 500), [0, 32], "a twentieth of the bytes");
    }

    #[test]
    fn a_key_frame_joins_one_of_the_other_side_unless_there_was_one_just_now() {
        let now = Instant::now();
        let mut picture = Picture::new(ENTRIES, now);
        assert!(!picture.joins(now + ENTRIES), "nothing was taken yet");
        picture.judge(0, true, 100, now);
        assert!((1..40).all(|number| picture.judge(number, false, 100, now).take));
        assert!(!picture.joins(now + Duration::from_secs(3)));
        assert!(picture.joins(now + Duration::from_secs(8)));
        assert!(
            !picture.judge(40, false, 100, now + Duration::from_millis(8_100)).wish,
            "it is wished for already"
        );
    }

    #[test]
    fn the_size_stands_in_a_key_frame_only() {
        let key = [0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x40, 0x41, 0xb4, 0x00, 7];
        let size = |data: &[u8]| super::size(VideoCodec::Vp8, data);
        assert_eq!(size(&key), Some((320, 180)));
        assert_eq!(size(&[0x11, 0, 0, 0x9d, 0x01, 0x2a, 0x40, 0x01, 0xb4, 0x00]), None);
        assert_eq!(size(&key[..9]), None);
        assert_eq!(size(&[0x10, 0, 0, 0x9d, 0x01, 0x2a, 0, 0, 0xb4, 0]), None);
        assert_eq!(super::size(VideoCodec::Vp9, &key), None);
        let key = [0x82, 0x49, 0x83, 0x42, 0x00, 0x03, 0xf0, 0x02, 0xf6, 0x06];
        assert_eq!(super::size(VideoCodec::Vp9, &key), Some((64, 48)));
    }

    #[test]
    fn a_track_is_of_one_codec_and_vp8_is_waited_for() {
        let now = Instant::now();
        let mut picture = Picture::new(ENTRIES, now);
        assert_eq!(picture.fits(VideoCodec::Vp9, now + SETTLES / 2), Fit::NotYet);
        assert_eq!(picture.fits(VideoCodec::Vp8, now), Fit::Yes);
        assert_eq!(picture.fits(VideoCodec::Vp9, now + SETTLES), Fit::Yes);
        assert!(picture.describe(VideoCodec::Vp9) && !picture.describe(VideoCodec::Vp9));
        assert_eq!(picture.fits(VideoCodec::Vp9, now), Fit::Yes);
        assert_eq!(picture.fits(VideoCodec::Vp8, now + SETTLES * 2), Fit::Never);
        // What did not fit is a gap.
        assert!(picture.judge(0, true, 100, now).take && picture.judge(1, false, 100, now).take);
        picture.pass(2);
        assert!(!picture.judge(3, false, 100, now).take && picture.judge(4, true, 100, now).take);
    }
}
