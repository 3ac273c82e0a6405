//! Cameras as sources of pictures: `camera`, `camera:ID`, `camera:part of the name`, `camera:=exactly that one`.
//!
//! Owns which format is asked for, the conversion to what is wanted, and what happens when a camera goes away: the next one, or a card
//! that says so, until the wished one is back. The system is behind `Cameras` and `Camera`, so that tests script it. Driven by the
//! pipeline through [`VideoSource`], which never waits: one thread reads the camera (`reader`), one looks after it (`keeper`).

mod format;
mod keeper;
mod reader;
mod system;

use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use self::format::{Format, Packing};
use super::slot::Slot;
use super::{Device, Notices, Wish};
use crate::media::source::Content;
use crate::media::{Error, VideoFormat, VideoFrame, VideoSource, WallTime};

/// The cameras of a machine; shared by the threads that look for them and open them.
trait Cameras: Send + Sync {
    /// What there is now. Opens none.
    fn list(&self) -> Result<Vec<Device>, String>;

    /// Takes hold of one, on the thread that reads it.
    fn connect(&self, id: &str) -> Result<Box<dyn Camera>, String>;
}

/// One camera. Stays on its thread; dropping it lets go of the device.
trait Camera {
    fn formats(&mut self) -> Result<Vec<Format>, String>;

    /// Starts it; returns what it really does.
    fn start(&mut self, format: Format) -> Result<Format, String>;

    /// Waits for the next picture, packed as [`Camera::start`] said.
    fn next(&mut self) -> Result<&[u8], String>;
}

/// The cameras of this machine with what each can do, in the system's order.
///
/// # Errors
/// [`Error::Open`] when the system does not let anybody ask.
pub fn list() -> Result<Vec<Device>, Error> {
    system::list_with_formats().map_err(|why| Error::open("cameras", why))
}

/// Opens the camera that `wish` means, or another one where it may be another, and waits for its first picture. From then on it never
/// fails: when the camera goes away, the next one is read or the picture is a card, `notices` hears of it, and the wished one is read
/// again soon after it came back. Each picture has the size of `wanted`, with bars where the camera's shape is another one.
///
/// # Errors
/// [`Error::Open`] when there is no camera, not that one, or none that gives a picture: busy, forbidden, broken.
pub fn open(wish: Wish, wanted: VideoFormat, notices: Notices) -> Result<Box<dyn VideoSource>, Error> {
    let source = Source::open(Arc::new(system::Native), wish, wanted, notices, keeper::Patience::USUAL)?;
    Ok(Box::new(source))
}

/// A camera in use, whichever it is now. Dropping it lets go of the device.
struct Source {
    format: VideoFormat,
    slot: Slot,
    /// Nothing is sent here; its end stops the keeper.
    alive: Option<SyncSender<()>>,
    keeper: Option<std::thread::JoinHandle<()>>,
}

impl Source {
    fn open(
        cameras: Arc<dyn Cameras>,
        wish: Wish,
        wanted: VideoFormat,
        notices: Notices,
        patience: keeper::Patience,
    ) -> Result<Self, Error> {
        let slot = Slot::default();
        let (alive, keeper) = keeper::start(cameras, wish, wanted, notices, slot.clone(), patience)?;
        Ok(Self { format: wanted, slot, alive: Some(alive), keeper: Some(keeper) })
    }
}

impl VideoSource for Source {
    fn format(&self) -> VideoFormat {
        self.format
    }

    fn frame(&mut self, index: u64, captured: WallTime) -> Result<Option<VideoFrame>, Error> {
        Ok(self.slot.take(index, self.format.fps, captured))
    }

    fn content(&self) -> Content {
        Content::Camera
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.alive = None;
        if let Some(keeper) = self.keeper.take() {
            // It waits for the device for half a second at most, so that whoever comes next finds it free.
            let _ = keeper.join();
        }
    }
}

#[cfg(test)]
mod tests;
