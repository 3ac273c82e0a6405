//! Lips and words: RTP time mapped to the sender's clock by its RTCP sender reports (RFC 3550,
//! section 6.4.1), and the one of picture and sound that is ahead held back, within bounds.
//!
//! Owns arithmetic only: times are microseconds on a local clock that the owner picks. Before both
//! kinds have had a report, and whenever one of them has fallen silent, nothing is held back.

use std::time::Duration;

use crate::media::WallTime;

/// How far the picture may be ahead of its sound. Sound that is late by up to 125 ms is not noticed
/// (ITU-R BT.1359); half of it keeps the picture's delay small.
const PICTURE_AHEAD: i64 = 60_000;
/// How far the sound may be ahead of its picture: 45 ms are not noticed.
const SOUND_AHEAD: i64 = 40_000;
/// The most that a picture is held back.
const LONGEST_HOLD: i64 = 200_000;
/// The most that sound is held back for its picture.
const MOST_EXTRA: i64 = 200_000;
/// An offset beyond this is a broken clock, not a path.
const ABSURD: i64 = 2_000_000;
/// What has not been played for this long does not count.
const SILENT: i64 = 2_000_000;
/// Share of a new observation in the smoothed offset.
const SMOOTHING: i64 = 16;
/// How fast the extra delay of sound changes, microseconds for each observation of a frame.
const EXTRA_STEP: i64 = 400;

/// From the NTP era's begin to 1970, microseconds.
const UNIX_EPOCH: i64 = 2_208_988_800 * 1_000_000;

/// Maps RTP timestamps of one stream to the sender's wall clock.
#[derive(Debug, Clone)]
pub struct SenderClock {
    rate: i64,
    anchor: Option<(i64, u32)>,
}

impl SenderClock {
    /// `rate` is the RTP clock, ticks a second.
    #[must_use]
    pub fn new(rate: u32) -> Self {
        Self { rate: i64::from(rate.max(1)), anchor: None }
    }

    /// Takes note of a sender report: an NTP time (32.32 fixed point) and the RTP time that
    /// belongs to it.
    pub fn report(&mut self, ntp: u64, rtp: u32) {
        let seconds = (ntp >> 32) as i64;
        let micros = ((ntp & 0xffff_ffff) * 1_000_000) >> 32;
        self.anchor = Some((seconds * 1_000_000 + micros as i64, rtp));
    }

    /// The sender's time of an RTP timestamp, microseconds since 1900; `None` before a report.
    #[must_use]
    pub fn time(&self, rtp: u32) -> Option<i64> {
        let (ntp, anchor) = self.anchor?;
        Some(ntp + i64::from(rtp.wrapping_sub(anchor) as i32) * 1_000_000 / self.rate)
    }
}

/// The smoothed way from the sender's clock to the local instant of playing.
#[derive(Debug, Clone, Copy, Default)]
struct Offset {
    value: Option<i64>,
    seen: i64,
}

impl Offset {
    fn observe(&mut self, sender: i64, local: i64) {
        let offset = local - sender;
        self.value = Some(match self.value {
            // After a jump, as with a new report of a sender that has set its clock, start anew.
            Some(value) if (offset - value).abs() < ABSURD / 4 => value + (offset - value) / SMOOTHING,
            _ => offset,
        });
        self.seen = local;
    }

    fn at(&self, now: i64) -> Option<i64> {
        self.value.filter(|_| now - self.seen < SILENT)
    }
}

/// The alignment of one participant's sound and picture.
#[derive(Debug, Clone)]
pub struct Sync {
    audio: SenderClock,
    video: SenderClock,
    sound: Offset,
    picture: Offset,
    extra: i64,
}

impl Default for Sync {
    fn default() -> Self {
        Self::new()
    }
}

impl Sync {
    /// No reports yet: everything is shown at once.
    #[must_use]
    pub fn new() -> Self {
        Self {
            audio: SenderClock::new(48_000),
            video: SenderClock::new(90_000),
            sound: Offset::default(),
            picture: Offset::default(),
            extra: 0,
        }
    }

    /// A sender report of the sound.
    pub fn audio_report(&mut self, ntp: u64, rtp: u32) {
        self.audio.report(ntp, rtp);
    }

    /// A sender report of the picture.
    pub fn video_report(&mut self, ntp: u64, rtp: u32) {
        self.video.report(ntp, rtp);
    }

    /// The sample with this timestamp is played at `at`.
    pub fn sound_played(&mut self, rtp: u32, at: i64) {
        if let Some(sender) = self.audio.time(rtp) {
            self.sound.observe(sender, at);
        }
    }

    /// When a picture was taken by the sender's clock; `None` before a report of its kind.
    #[must_use]
    pub fn picture_captured(&self, rtp: u32) -> Option<WallTime> {
        let since_1900 = self.video.time(rtp)?;
        u64::try_from(since_1900 - UNIX_EPOCH).ok().map(WallTime)
    }

    /// A picture could be shown at `ready`; returns how long it should be held back for its sound.
    pub fn picture_ready(&mut self, rtp: u32, ready: i64) -> Duration {
        let Some(sender) = self.video.time(rtp) else {
            return Duration::ZERO;
        };
        self.picture.observe(sender, ready);
        let Some(sound) = self.sound.at(ready) else {
            self.extra = 0;
            return Duration::ZERO;
        };
        self.steer_extra(sound);
        let ahead = sound - (ready - sender);
        if ahead.abs() > ABSURD {
            return Duration::ZERO;
        }
        let hold = (ahead - PICTURE_AHEAD).clamp(0, LONGEST_HOLD);
        Duration::from_micros(u64::try_from(hold).unwrap_or(0))
    }

    /// How much later than it could the sound should be played for its picture; `None` for as long
    /// as nothing is to be held back.
    #[must_use]
    pub fn sound_extra(&self, now: i64) -> Option<Duration> {
        self.picture.at(now)?;
        u64::try_from(self.extra).ok().filter(|&extra| extra > 0).map(Duration::from_micros)
    }

    /// How far the sound is played behind its picture at present, microseconds; `None` when unknown.
    #[must_use]
    pub fn sound_behind(&self, now: i64) -> Option<i64> {
        Some(self.sound.at(now)? - self.picture.at(now)?)
    }

    fn steer_extra(&mut self, sound: i64) {
        let Some(picture) = self.picture.value else {
            return;
        };
        let sound_ahead = picture - sound;
        let step = match sound_ahead {
            ahead if ahead.abs() > ABSURD => -EXTRA_STEP,
            ahead if ahead > SOUND_AHEAD => EXTRA_STEP,
            ahead if ahead < SOUND_AHEAD / 2 => -EXTRA_STEP,
            _ => 0,
        };
        self.extra = (self.extra + step).clamp(0, MOST_EXTRA);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NTP: u64 = 3_900_000_000 << 32;

    fn both() -> Sync {
        let mut sync = Sync::new();
        sync.audio_report(NTP, 480_000);
        sync.video_report(NTP, 0xffff_fff0);
        sync
    }

    #[test]
    fn rtp_time_is_mapped_over_the_wrap() {
        let mut clock = SenderClock::new(90_000);
        assert_eq!(clock.time(0), None);
        clock.report(NTP | 1 << 31, 0xffff_fff0);
        let base = 3_900_000_000 * 1_000_000 + 500_000;
        assert_eq!(clock.time(0xffff_fff0), Some(base));
        assert_eq!(clock.time(0xffff_fff0u32.wrapping_add(90_000)), Some(base + 1_000_000));
        assert_eq!(clock.time(0xffff_fff0 - 9_000), Some(base - 100_000));
    }

    #[test]
    fn before_both_reports_pictures_are_shown_at_once() {
        let mut sync = Sync::new();
        sync.sound_played(0, 1_000);
        assert_eq!(sync.picture_ready(0, 1_000), Duration::ZERO);
        sync.video_report(NTP, 0);
        assert_eq!(sync.picture_ready(0, 1_000), Duration::ZERO);
    }

    #[test]
    fn a_picture_waits_for_its_sound_less_the_tolerance() {
        let mut sync = both();
        for i in 0..500u32 {
            let t = i64::from(i) * 20_000;
            sync.sound_played(480_000 + i * 960, t + 150_000);
        }
        let hold = sync.picture_ready(0xffff_fff0u32.wrapping_add(900_000), 10_000_000 + 10_000);
        assert_eq!(hold, Duration::from_millis(80));
        let late = sync.picture_ready(0xffff_fff0u32.wrapping_add(900_000), 10_000_000 + 140_000);
        assert_eq!(late, Duration::ZERO);
    }

    #[test]
    fn sound_is_held_back_step_by_step_for_a_late_picture() {
        let mut sync = both();
        for i in 0..1_000u32 {
            let t = i64::from(i) * 40_000;
            let extra = sync.sound_extra(t).unwrap_or_default().as_micros() as i64;
            sync.sound_played(480_000 + i * 1_920, t + 60_000 + extra);
            sync.picture_ready(0xffff_fff0u32.wrapping_add(i * 3_600), t + 160_000);
        }
        let behind = sync.sound_behind(40_000_000).unwrap();
        assert!((-45_000..=-20_000).contains(&behind), "{behind}");
        assert!(sync.sound_extra(40_000_000).unwrap() <= Duration::from_millis(120));
        assert_eq!(sync.sound_extra(90_000_000), None, "the picture has stopped");
    }

    #[test]
    fn absurd_reports_hold_nothing_back() {
        let mut sync = both();
        sync.sound_played(480_000, 50_000_000);
        assert_eq!(sync.picture_ready(0xffff_fff0, 1_000_000), Duration::ZERO);
    }
}
