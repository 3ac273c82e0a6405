//! Where a face is: rustface, with the model that it is published with.
//!
//! Owns the settings of the detector and the choice between a search of the whole picture, which is slow, and one around where the face
//! was. Must not know what is done with a face.

use rustface::{Detector, FaceInfo, ImageData};

use super::picture::Small;
use crate::media::Error;

/// SeetaFace's frontal faces, by the Chinese Academy of Sciences (BSD 2-clause, see `face.model.LICENSE`); the same file as in the crate,
/// which has no way to embed it.
const MODEL: &[u8] = include_bytes!("face.model");

/// The smallest face that is found, in pixels of the half picture.
const SMALLEST: u32 = 20;

/// How sure the detector has to be of a face that nobody knew of; 0.95, 2.8 and 4.5 are usual; what was no face is found only once.
const SURE: f64 = 2.0;

/// The same for a face that was there a moment ago.
const STILL_SURE: f64 = 1.5;

/// The square around a known face that is searched: this many times its size …
const AROUND: f32 = 2.0;

/// … drawn with this many pixels a side.
const SIDE: usize = 72;

/// A face: the middle and the side of the square from brows to chin, in pixels of [`Small`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Face {
    pub(super) x: f32,
    pub(super) y: f32,
    pub(super) size: f32,
}

impl Face {
    /// Whether this may be a face that was elsewhere a moment ago.
    pub(super) fn may_be(self, other: Self) -> bool {
        let far = (self.x - other.x).hypot(self.y - other.y);
        far < other.size * 1.2 && (0.65..1.55).contains(&(self.size / other.size))
    }
}

/// Looks for faces. Not `Send`: it lives where it is used.
pub(super) struct Finder {
    detector: Box<dyn Detector>,
}

impl Finder {
    /// Reads the model.
    ///
    /// # Errors
    /// [`Error::Decode`] when it is damaged, which only a broken build can bring about.
    pub(super) fn new() -> Result<Self, Error> {
        let model = rustface::read_model(MODEL).map_err(|why| Error::decode("the model of faces", why))?;
        let mut detector = rustface::create_detector_with_model(model);
        detector.set_pyramid_scale_factor(0.8);
        detector.set_slide_window_step(4, 4);
        Ok(Self { detector })
    }

    /// The largest face of the whole picture.
    pub(super) fn anywhere(&mut self, picture: &Small) -> Option<Face> {
        let (grey, width, height) = picture.half();
        let least = SMALLEST as usize * 2;
        if width < least || height < least {
            return None;
        }
        self.detector.set_min_face_size(SMALLEST);
        self.detector.set_max_face_size(width.min(height) as u32);
        self.detector.set_score_thresh(SURE);
        let faces = self.detector.detect(&ImageData::new(&grey, width as u32, height as u32));
        let largest = faces.iter().max_by_key(|face| face.bbox().width())?;
        let (x, y, size) = middle(largest);
        Some(Face { x: x * 2.0, y: y * 2.0, size: size * 2.0 })
    }

    /// The face that is closest to where one was.
    pub(super) fn near(&mut self, picture: &Small, last: Face) -> Option<Face> {
        let size = last.size * AROUND;
        let grey = picture.grey((last.x, last.y), size, SIDE);
        let expected = SIDE as f32 / AROUND;
        self.detector.set_min_face_size(((expected * 0.7) as u32).max(20));
        self.detector.set_max_face_size((expected * 1.5) as u32);
        self.detector.set_score_thresh(STILL_SURE);
        let faces = self.detector.detect(&ImageData::new(&grey, SIDE as u32, SIDE as u32));
        let off = |face: &FaceInfo| {
            let (x, y, size) = middle(face);
            (x - SIDE as f32 / 2.0).abs() + (y - SIDE as f32 / 2.0).abs() + (size - expected).abs()
        };
        let closest = faces.iter().min_by(|a, b| off(a).total_cmp(&off(b)))?;
        let scale = size / SIDE as f32;
        let (x, y, side) = middle(closest);
        let place = |middle: f32, at: f32| middle + (at - SIDE as f32 / 2.0) * scale;
        Some(Face { x: place(last.x, x), y: place(last.y, y), size: side * scale })
    }
}

fn middle(face: &FaceInfo) -> (f32, f32, f32) {
    let found = face.bbox();
    let size = found.width() as f32;
    (found.x() as f32 + size / 2.0, found.y() as f32 + found.height() as f32 / 2.0, size)
}
