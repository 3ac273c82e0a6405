//! Screens and windows as sources of pictures: `screen`, `screen:ID`, `screen:TITLE or a part of it`.
//!
//! Owns the thread that takes the shots and what is told when a share ends. Another window or the whole screen is never shared in place
//! of the one that was named. The system is behind `Target`, so that tests script it. Driven by the pipeline through [`VideoSource`].

mod system;

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use super::card::card;
use super::slot::Slot;
use super::{Device, Kind, Notice, Notices, What, Wish, choose};
use crate::media::pipeline::pace::Pacer;
use crate::media::scale::{Scaler, shrunk};
use crate::media::source::Content;
use crate::media::{Error, VideoFormat, VideoFrame, VideoSource, WallTime};

/// The first shot, which may have to be allowed by a person.
const FIRST: Duration = Duration::from_secs(30);

/// What one look at a screen or window gives.
enum Shot {
    /// This many pixels a row and rows, as RGBA.
    Picture(u32, u32, Vec<u8>),
    /// None now, because of this: the window is minimised or half off the screen.
    Hidden(String),
    /// The window was closed, or the screen is gone.
    Gone,
}

/// One screen or window. Stays on the thread that made it.
trait Target {
    fn shot(&mut self) -> Shot;
}

/// The screens and windows of this machine, front window first.
///
/// # Errors
/// [`Error::Open`] when there is no display, or none that may be read.
pub fn list() -> Result<Vec<Device>, Error> {
    system::list()
}

/// Shares the screen or window that `wish` means, in its own shape, at most as large as `wanted`. Waits for the first shot. When its
/// end comes, `notices` hears of it and the picture says so.
///
/// # Errors
/// [`Error::Open`] when there is no such screen or window or no display, or when it gives no picture.
pub fn open(wish: Wish, wanted: VideoFormat, notices: Notices) -> Result<Box<dyn VideoSource>, Error> {
    let what = wish.name().map_or_else(|| "screen".to_owned(), |name| format!("screen {name:?}"));
    let devices = system::list()?;
    let chosen = choose(&devices, &wish).into_iter().find(|(_, wished)| *wished);
    let Some((device, _)) = chosen else {
        return Err(Error::open(what, "no such screen or window (see: letsmeet devices)"));
    };
    let (kind, id) = (device.kind, device.id.clone());
    let share = Share::start(what, device.kind, device.name.clone(), wanted, notices, move || {
        system::target(kind, &id)
    })?;
    Ok(Box::new(share))
}

/// A share under way. Dropping it ends it.
struct Share {
    format: VideoFormat,
    slot: Slot,
    /// Nothing is sent here; its end stops the thread.
    _alive: SyncSender<()>,
}

impl Share {
    fn start<T: Target>(
        what: String,
        kind: Kind,
        name: String,
        wanted: VideoFormat,
        notices: Notices,
        target: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<Self, Error> {
        let slot = Slot::default();
        let (alive, stopped) = sync_channel(1);
        let (first, answer) = sync_channel(1);
        let watch = Watch { kind, name, wanted, notices, slot: slot.clone(), stopped };
        let body = move || watch.run(target, &first);
        thread::Builder::new()
            .name("screen".to_owned())
            .spawn(body)
            .map_err(|source| Error::Io { what: "screen thread".to_owned(), source })?;
        match answer.recv_timeout(FIRST) {
            Ok(Ok(format)) => Ok(Self { format, slot, _alive: alive }),
            Ok(Err(why)) => Err(Error::open(what, why)),
            Err(_) => Err(Error::open(what, "it gives no picture")),
        }
    }
}

impl VideoSource for Share {
    fn format(&self) -> VideoFormat {
        self.format
    }

    fn frame(&mut self, index: u64, captured: WallTime) -> Result<Option<VideoFrame>, Error> {
        Ok(self.slot.take(index, self.format.fps, captured))
    }

    fn content(&self) -> Content {
        Content::Screen
    }
}

/// The thread that looks.
struct Watch {
    kind: Kind,
    name: String,
    wanted: VideoFormat,
    notices: Notices,
    slot: Slot,
    stopped: Receiver<()>,
}

impl Watch {
    fn run<T: Target>(
        self,
        target: impl FnOnce() -> Result<T, Error>,
        first: &SyncSender<Result<VideoFormat, String>>,
    ) {
        let mut target = match target() {
            Ok(target) => target,
            Err(error) => return drop(first.send(Err(error.to_string()))),
        };
        let shot = match target.shot() {
            Shot::Picture(width, height, bytes) => (width, height, bytes),
            Shot::Hidden(why) => return drop(first.send(Err(format!("it cannot be seen ({why})")))),
            Shot::Gone => return drop(first.send(Err("it is gone".to_owned()))),
        };
        let (width, height) = shrunk((shot.0, shot.1), (self.wanted.width, self.wanted.height));
        let format = VideoFormat { width, height, ..self.wanted };
        let mut scaler = None;
        self.show(&mut scaler, format, shot);
        (self.notices)(Notice { kind: self.kind, what: What::Using { name: self.name.clone() } });
        if first.send(Ok(format)).is_err() {
            return;
        }
        let mut pacer = Pacer::new(Instant::now(), format.fps);
        let mut hidden = false;
        loop {
            let left = pacer.deadline().saturating_duration_since(Instant::now());
            // The beat is kept by waiting for the end of the share.
            if self.stopped.recv_timeout(left) != Err(RecvTimeoutError::Timeout) {
                return;
            }
            if pacer.tick(Instant::now(), Duration::ZERO).is_none() {
                continue;
            }
            match target.shot() {
                Shot::Picture(width, height, bytes) => {
                    hidden = false;
                    self.show(&mut scaler, format, (width, height, bytes));
                }
                Shot::Hidden(why) if !hidden => {
                    tracing::info!(name = self.name, why, "nothing to see of what is shared");
                    hidden = true;
                }
                Shot::Hidden(_) => {}
                Shot::Gone => break,
            }
        }
        self.slot.stand_still(card("SHARE ENDED", format, WallTime::now()));
        (self.notices)(Notice { kind: self.kind, what: What::Ended { name: self.name } });
    }

    fn show(
        &self,
        scaler: &mut Option<Scaler>,
        format: VideoFormat,
        (width, height, bytes): (u32, u32, Vec<u8>),
    ) {
        let Some(picture) = super::convert::rgba(width, height, &bytes, WallTime::now()) else {
            return;
        };
        let (from, to) = ((width, height), (format.width, format.height));
        if from == to {
            return self.slot.put(picture);
        }
        if scaler.as_ref().is_none_or(|scaler| scaler.sizes().0 != from) {
            // Both sizes are those of pictures that exist.
            *scaler = Scaler::new(from, to).ok();
        }
        if let Some(scaler) = scaler {
            self.slot.put(scaler.scale(&picture));
        }
    }
}

#[cfg(test)]
mod tests;
