//! The cameras of this machine by nokhwa. The only place that names it.

use std::borrow::Cow;

use nokhwa::NokhwaError;
use nokhwa::utils::{
    ApiBackend, CameraFormat, CameraIndex, FrameFormat, RequestedFormat, RequestedFormatType, Resolution,
};

use super::{Camera, Cameras, Format, Packing};
use crate::media::device::{Device, Kind};

/// Everything that a camera may offer, so that connecting to it never fails for want of a format.
const ALL: &[FrameFormat] = &[
    FrameFormat::MJPEG,
    FrameFormat::YUYV,
    FrameFormat::NV12,
    FrameFormat::GRAY,
    FrameFormat::RAWRGB,
    FrameFormat::RAWBGR,
];

/// The cameras that the system knows.
pub(super) struct Native;

impl Cameras for Native {
    fn list(&self) -> Result<Vec<Device>, String> {
        let known = nokhwa::query(ApiBackend::Auto).map_err(|error| error.to_string())?;
        let mut known: Vec<_> = known.into_iter().map(|info| (id(info.index()), info.human_name())).collect();
        known.sort_by(|(one, _), (other, _)| (one.len(), one).cmp(&(other.len(), other)));
        let devices = known.into_iter().enumerate().map(|(place, (id, name))| Device {
            kind: Kind::Camera,
            id,
            name,
            formats: Vec::new(),
            default: place == 0,
            busy: None,
        });
        Ok(devices.collect())
    }

    fn connect(&self, id: &str) -> Result<Box<dyn Camera>, String> {
        let index = id.parse().map_or_else(|_| CameraIndex::String(id.to_owned()), CameraIndex::Index);
        let any = RequestedFormat::with_formats(RequestedFormatType::AbsoluteHighestFrameRate, ALL);
        let camera = nokhwa::Camera::new(index, any).map_err(said)?;
        Ok(Box::new(Held { camera, bytes: Vec::new() }))
    }
}

/// The list with what each camera offers, which means to open it for a moment: one that cannot be opened is listed without.
pub(super) fn list_with_formats() -> Result<Vec<Device>, String> {
    let mut devices = Native.list()?;
    for device in &mut devices {
        match Native.connect(&device.id).and_then(|mut camera| camera.formats()) {
            Ok(formats) => {
                device.formats = formats.iter().map(ToString::to_string).collect();
                device.busy = Some(false);
            }
            Err(why) => device.busy = why.to_lowercase().contains("busy").then_some(true),
        }
    }
    // One camera has several nodes on Linux, of which those without formats give no pictures.
    if devices.iter().any(|device| !device.formats.is_empty()) {
        devices.retain(|device| !device.formats.is_empty() || device.busy == Some(true));
    }
    Ok(devices)
}

fn id(index: &CameraIndex) -> String {
    match index {
        CameraIndex::Index(number) => number.to_string(),
        CameraIndex::String(text) => text.clone(),
    }
}

fn said(error: NokhwaError) -> String {
    error.to_string()
}

struct Held {
    camera: nokhwa::Camera,
    /// The last picture, where the system gives it away.
    bytes: Vec<u8>,
}

impl Camera for Held {
    fn formats(&mut self) -> Result<Vec<Format>, String> {
        let mut formats: Vec<Format> =
            self.camera.compatible_camera_formats().map_err(said)?.into_iter().filter_map(ours).collect();
        formats.sort_by_key(|format| (format.width * format.height, format.fps, format.packing as u8));
        formats.dedup();
        Ok(formats)
    }

    fn start(&mut self, format: Format) -> Result<Format, String> {
        let packing = match format.packing {
            Packing::Mjpeg => FrameFormat::MJPEG,
            Packing::Yuyv => FrameFormat::YUYV,
            Packing::Nv12 => FrameFormat::NV12,
        };
        let wanted = CameraFormat::new(Resolution::new(format.width, format.height), packing, format.fps);
        let exact = RequestedFormat::with_formats(RequestedFormatType::Exact(wanted), ALL);
        let granted = self.camera.set_camera_requset(exact).map_err(said)?;
        self.camera.open_stream().map_err(said)?;
        ours(granted).ok_or_else(|| format!("it gives {granted} instead of {format}"))
    }

    fn next(&mut self) -> Result<&[u8], String> {
        match self.camera.frame_raw().map_err(said)? {
            // The borrow of the driver's buffer may not outlive this call on every system.
            Cow::Borrowed(bytes) => {
                self.bytes.clear();
                self.bytes.extend_from_slice(bytes);
            }
            Cow::Owned(bytes) => self.bytes = bytes,
        }
        Ok(&self.bytes)
    }
}

fn ours(format: CameraFormat) -> Option<Format> {
    let packing = match format.format() {
        FrameFormat::MJPEG => Packing::Mjpeg,
        FrameFormat::YUYV => Packing::Yuyv,
        FrameFormat::NV12 => Packing::Nv12,
        FrameFormat::GRAY | FrameFormat::RAWRGB | FrameFormat::RAWBGR => return None,
    };
    Some(Format { width: format.width(), height: format.height(), fps: format.frame_rate(), packing })
}
