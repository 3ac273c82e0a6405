//! What a camera can give, and which of it is nearest to what is wanted.

use std::cmp::Reverse;
use std::fmt;

use crate::media::VideoFormat;

/// How a camera packs its pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Packing {
    Yuyv,
    Nv12,
    Mjpeg,
}

/// One thing that a camera offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Format {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) fps: u32,
    pub(super) packing: Packing,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let packing = match self.packing {
            Packing::Yuyv => "YUYV",
            Packing::Nv12 => "NV12",
            Packing::Mjpeg => "MJPEG",
        };
        write!(f, "{}x{}@{} {packing}", self.width, self.height, self.fps)
    }
}

/// The offer that is nearest to `wanted`: large enough that nothing is enlarged, then fast enough, then with the fewest pixels to throw
/// away, then raw rather than packed by JPEG, then of the same shape, then no faster than needed. Where nothing is large or fast enough,
/// as large or fast as there is.
pub(super) fn nearest(offers: &[Format], wanted: VideoFormat) -> Option<Format> {
    let pixels = |format: &Format| u64::from(format.width) * u64::from(format.height);
    // The part of the wanted size that the picture fills without being enlarged, in its own shape.
    let missing = |format: &Format| {
        let width = u64::from(format.width) * 1_000 / u64::from(wanted.width.max(1));
        let height = u64::from(format.height) * 1_000 / u64::from(wanted.height.max(1));
        1_000 - width.min(height).min(1_000)
    };
    let slow = |format: &Format| wanted.fps.saturating_sub(format.fps);
    let bent = |format: &Format| {
        let (one, other) = (format.width * wanted.height, format.height * wanted.width);
        u64::from(one.abs_diff(other)) * 100 / u64::from(one.max(other).max(1))
    };
    let usable = offers.iter().filter(|format| format.width > 0 && format.height > 0 && format.fps > 0);
    usable.copied().min_by_key(|format| {
        let enough = missing(format) > 0;
        // Half of the wanted rate is worse than a smaller picture.
        let crawling = format.fps * 2 <= wanted.fps;
        let size =
            if enough { Reverse(u64::MAX - missing(format)) } else { Reverse(u64::MAX - pixels(format)) };
        (crawling, enough, slow(format), size, format.packing == Packing::Mjpeg, bent(format), format.fps)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(text: &str) -> Format {
        let (size, packing) = text.split_once(' ').unwrap();
        let (size, fps) = size.split_once('@').unwrap();
        let (width, height) = size.split_once('x').unwrap();
        let packing = match packing {
            "YUYV" => Packing::Yuyv,
            "NV12" => Packing::Nv12,
            _ => Packing::Mjpeg,
        };
        let [width, height, fps] = [width, height, fps].map(|number| number.parse().unwrap());
        Format { width, height, fps, packing }
    }

    /// A usual webcam: raw pictures only where the bus carries them.
    const WEBCAM: &[&str] = &[
        "640x480@30 YUYV",
        "640x360@30 YUYV",
        "1280x720@10 YUYV",
        "1920x1080@5 YUYV",
        "640x480@30 MJPEG",
        "640x360@30 MJPEG",
        "800x600@30 MJPEG",
        "1280x720@30 MJPEG",
        "1920x1080@30 MJPEG",
    ];

    #[test]
    fn the_nearest_offer_is_taken() {
        type Row = (&'static [&'static str], (u32, u32, u32), &'static str);
        let table: &[Row] = &[
            // Raw at the very size.
            (WEBCAM, (640, 360, 25), "640x360@30 YUYV"),
            (WEBCAM, (320, 180, 25), "640x360@30 YUYV"),
            // Raw is too slow there.
            (WEBCAM, (1280, 720, 25), "1280x720@30 MJPEG"),
            (WEBCAM, (1280, 720, 10), "1280x720@10 YUYV"),
            // Rather thrown away than enlarged.
            (WEBCAM, (960, 540, 25), "1280x720@30 MJPEG"),
            (WEBCAM, (640, 480, 30), "640x480@30 YUYV"),
            // More than there is: as much as there is.
            (WEBCAM, (3840, 2160, 30), "1920x1080@30 MJPEG"),
            (WEBCAM, (640, 360, 60), "640x360@30 YUYV"),
            // A film-like rate is no reason to leave the size.
            (&["640x360@24 YUYV", "320x240@30 YUYV"], (640, 360, 25), "640x360@24 YUYV"),
            (&["1280x720@5 YUYV", "640x480@30 YUYV"], (1280, 720, 25), "640x480@30 YUYV"),
            // Equal in all but the packing, and in all but the rate.
            (&["640x360@30 MJPEG", "640x360@30 NV12"], (640, 360, 30), "640x360@30 NV12"),
            (&["640x360@60 YUYV", "640x360@30 YUYV"], (640, 360, 25), "640x360@30 YUYV"),
            (&["176x144@15 MJPEG"], (1280, 720, 30), "176x144@15 MJPEG"),
        ];
        for (offers, (width, height, fps), best) in table {
            let offers: Vec<Format> = offers.iter().map(|text| offer(text)).collect();
            let wanted = VideoFormat { width: *width, height: *height, fps: *fps };
            assert_eq!(nearest(&offers, wanted).unwrap().to_string(), *best, "{wanted}");
            let backwards: Vec<Format> = offers.into_iter().rev().collect();
            assert_eq!(nearest(&backwards, wanted).unwrap().to_string(), *best, "{wanted} backwards");
        }
    }

    #[test]
    fn a_camera_that_offers_nothing_of_use_is_not_taken() {
        let none = Format { width: 640, height: 360, fps: 0, packing: Packing::Yuyv };
        assert_eq!(nearest(&[], VideoFormat::DEFAULT), None);
        assert_eq!(nearest(&[none], VideoFormat::DEFAULT), None);
    }
}
