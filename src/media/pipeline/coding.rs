//! Which codec pictures are sent with: VP9 where it pays and the processor has time for it, else VP8.
//!
//! Pure: what encoding took is an argument. VP9 gains most at the few bits of small pictures, and there it costs
//! little. Another codec needs a key frame, so one is left for another only where there is one anyway; but VP9 that is
//! too slow, or not wanted any more, is left at once.

use std::time::Duration;

use crate::media::codec::VideoCodec;

/// The largest picture that is sent in VP9, in pixels.
const MOST_PIXELS: u64 = 320 * 180;
/// VP9 is too slow when encoding takes more than this share of the time between two pictures. Well before pictures
/// are made smaller for the same reason (`fitting`).
const TOO_SLOW: f64 = 0.4;
/// Each picture counts so much in the mean.
const WEIGHT: f64 = 0.05;
/// So many pictures are encoded before anything is said: the first ones, key frames among them, take longest.
const PATIENCE: u32 = 25;

/// What is known of VP9 in this call.
#[derive(Clone, Debug, Default)]
pub(super) struct Coding {
    /// The mean share of the time, and of how many pictures.
    share: f64,
    pictures: u32,
    too_slow: bool,
}

impl Coding {
    /// What a picture of this size is sent with. VP9 is `allowed` where the other side has it and nothing stands against it.
    pub(super) fn codec(&self, size: (u32, u32), allowed: bool) -> VideoCodec {
        let small = u64::from(size.0) * u64::from(size.1) <= MOST_PIXELS;
        if allowed && small && !self.too_slow { VideoCodec::Vp9 } else { VideoCodec::Vp8 }
    }

    /// Encoding one picture took so long, with another one due after `interval`. What was once too slow stays so.
    pub(super) fn encoded(&mut self, codec: VideoCodec, took: Duration, interval: Duration) {
        if codec != VideoCodec::Vp9 {
            return;
        }
        let share = took.as_secs_f64() / interval.as_secs_f64().max(1e-3);
        self.pictures += 1;
        // Until there are enough, all count alike.
        self.share += (share - self.share) * WEIGHT.max(1.0 / f64::from(self.pictures));
        self.too_slow |= self.pictures >= PATIENCE && self.share > TOO_SLOW;
    }
}

/// Whether the encoder is made anew: for another size, before the first picture, or to leave VP9.
pub(super) fn renews(
    begun: bool,
    before: (VideoCodec, (u32, u32)),
    wanted: (VideoCodec, (u32, u32)),
) -> bool {
    let leaves = before.0 == VideoCodec::Vp9 && wanted.0 == VideoCodec::Vp8;
    before.1 != wanted.1 || leaves || (!begun && before != wanted)
}

#[cfg(test)]
mod tests {
    use VideoCodec::{Vp8, Vp9};

    use super::*;

    const BEAT: Duration = Duration::from_millis(40);
    const SMALL: (u32, u32) = (160, 90);
    const LARGE: (u32, u32) = (640, 360);

    #[test]
    fn small_pictures_are_vp9_where_it_is_allowed() {
        for (size, allowed, codec) in [
            (SMALL, true, Vp9),
            ((320, 180), true, Vp9),
            ((322, 180), true, Vp8),
            (LARGE, true, Vp8),
            ((u32::MAX, u32::MAX), true, Vp8),
            (SMALL, false, Vp8),
        ] {
            assert_eq!(Coding::default().codec(size, allowed), codec, "{size:?} {allowed}");
        }
    }

    #[test]
    fn too_slow_is_a_mean_of_many_and_for_good() {
        let mut coding = Coding::default();
        for picture in 0..1_000 {
            // A hitch each second, and a slow start.
            let slow = picture % 25 == 0 || picture < 5;
            coding.encoded(Vp9, BEAT * if slow { 3 } else { 1 } / 10, BEAT);
            assert_eq!(coding.codec(SMALL, true), Vp9, "after {picture}");
        }
        coding.encoded(Vp8, BEAT * 100, BEAT);
        assert_eq!(coding.codec(SMALL, true), Vp9, "another codec says nothing of it");
        let patience = (0..).take_while(|_| {
            coding.encoded(Vp9, BEAT * 6 / 10, BEAT);
            coding.codec(SMALL, true) == Vp9
        });
        assert!((10..50).contains(&patience.count()));
        for _ in 0..1_000 {
            coding.encoded(Vp9, BEAT / 100, BEAT);
        }
        assert_eq!(coding.codec(SMALL, true), Vp8);
    }

    #[test]
    fn a_processor_that_is_too_slow_from_the_beginning_is_known_after_a_second() {
        let mut coding = Coding::default();
        let pictures = (0..).take_while(|_| {
            coding.encoded(Vp9, BEAT / 2, BEAT);
            coding.codec(SMALL, true) == Vp9
        });
        assert_eq!(pictures.count(), PATIENCE as usize - 1);
    }

    #[test]
    fn the_encoder_is_made_anew_where_there_is_a_key_frame_anyway_or_to_leave_vp9() {
        for (begun, before, wanted, renewed) in [
            (false, (Vp8, SMALL), (Vp9, SMALL), true),
            (false, (Vp8, SMALL), (Vp8, SMALL), false),
            (true, (Vp8, SMALL), (Vp9, SMALL), false),
            (true, (Vp9, SMALL), (Vp8, SMALL), true),
            (true, (Vp8, LARGE), (Vp9, SMALL), true),
            (true, (Vp9, SMALL), (Vp9, SMALL), false),
        ] {
            assert_eq!(renews(begun, before, wanted), renewed, "{begun} {before:?} {wanted:?}");
        }
    }
}
