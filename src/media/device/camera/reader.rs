//! The thread that reads one camera: asks for the nearest format, converts and scales what comes, counts what is damaged.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::{Cameras, Format, Packing, format};
use crate::media::device::convert;
use crate::media::device::slot::Slot;
use crate::media::scale::Scaler;
use crate::media::{Error, VideoFormat, VideoFrame, WallTime};

/// Errors of a camera in a row after which it is given up.
const MAX_ERRORS: u32 = 20;
/// One line in the log about errors and damaged pictures in this time.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// What the reader says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// No picture yet.
    Starting,
    /// Pictures come.
    Running,
    /// No picture came for as long as was waited.
    Silent,
    /// It has ended, because of this.
    Ended(String),
}

/// A reader under way, as its keeper sees it.
pub(super) struct Reader {
    link: Arc<Link>,
    /// Pictures that the keeper knows of.
    seen: u64,
}

struct Link {
    state: Mutex<Progress>,
    changed: Condvar,
}

struct Progress {
    state: State,
    /// Pictures so far.
    pictures: u64,
    /// Nothing of it is wanted any more.
    stopped: bool,
    /// The device is let go of.
    gone: bool,
    /// Where pictures go.
    slot: Slot,
}

impl Reader {
    /// Starts to read `id` into `slot`.
    pub(super) fn start(
        cameras: Arc<dyn Cameras>,
        id: String,
        wanted: VideoFormat,
        slot: Slot,
    ) -> Result<Self, Error> {
        let progress = Progress { state: State::Starting, pictures: 0, stopped: false, gone: false, slot };
        let link = Arc::new(Link { state: Mutex::new(progress), changed: Condvar::new() });
        let reader = Self { link: link.clone(), seen: 0 };
        let body = move || {
            let why = read(&*cameras, &id, wanted, &link);
            let mut progress = link.lock();
            (progress.state, progress.gone) = (State::Ended(why), true);
            link.changed.notify_all();
        };
        thread::Builder::new()
            .name("camera".to_owned())
            .spawn(body)
            .map_err(|source| Error::Io { what: "camera thread".to_owned(), source })?;
        Ok(reader)
    }

    /// Waits for the next picture or the end, for `patience` at most.
    pub(super) fn next(&mut self, patience: Duration) -> State {
        let progress = self.link.lock();
        let seen = self.seen;
        let news =
            |progress: &mut Progress| progress.pictures == seen && !matches!(progress.state, State::Ended(_));
        let waited = self.link.changed.wait_timeout_while(progress, patience, news);
        let (progress, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        self.seen = progress.pictures;
        if waited.timed_out() { State::Silent } else { progress.state.clone() }
    }

    /// Pictures go here from now on.
    pub(super) fn retarget(&self, slot: Slot) {
        self.link.lock().slot = slot;
    }

    /// Stops it and waits until the device is let go of, for `patience` at most: a driver that hangs is left behind.
    pub(super) fn stop(&self, patience: Duration) {
        let mut progress = self.link.lock();
        progress.stopped = true;
        drop(self.link.changed.wait_timeout_while(progress, patience, |progress| !progress.gone));
    }
}

impl Link {
    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// False when nothing more is wanted.
    fn put(&self, picture: VideoFrame) -> bool {
        let mut progress = self.lock();
        if progress.stopped {
            return false;
        }
        // Under the lock, so that a reader that was stopped never overwrites what its successor gave.
        progress.slot.put(picture);
        progress.state = State::Running;
        progress.pictures += 1;
        self.changed.notify_all();
        true
    }
}

/// Reads until it is not wanted any more or the camera fails; says why.
fn read(cameras: &dyn Cameras, id: &str, wanted: VideoFormat, link: &Link) -> String {
    let started = cameras.connect(id).and_then(|mut camera| {
        let offers = camera.formats()?;
        let nearest = format::nearest(&offers, wanted)
            .ok_or_else(|| "it offers no format that is understood (MJPEG, YUYV or NV12)".to_owned())?;
        let format = camera.start(nearest)?;
        tracing::debug!(id, %format, "camera started");
        Ok((camera, format))
    });
    let (mut camera, format) = match started {
        Ok(started) => started,
        Err(why) => return why,
    };
    let (mut in_a_row, mut troubles) = (0, Troubles::default());
    let mut scaler: Option<Scaler> = None;
    loop {
        let picture = match camera.next() {
            Ok(bytes) => {
                in_a_row = 0;
                converted(bytes, format)
            }
            Err(why) => {
                in_a_row += 1;
                if in_a_row == MAX_ERRORS {
                    return why;
                }
                Err(why)
            }
        };
        let wanted_still = match picture {
            Ok(picture) => scaled(picture, wanted, &mut scaler).is_none_or(|picture| link.put(picture)),
            Err(why) => {
                troubles.count(id, &why);
                !link.lock().stopped
            }
        };
        if !wanted_still {
            return "not needed any more".to_owned();
        }
    }
}

fn converted(bytes: &[u8], format: Format) -> Result<VideoFrame, String> {
    let (width, height, now) = (format.width, format.height, WallTime::now());
    let raw = match format.packing {
        Packing::Mjpeg => return convert::mjpeg(bytes, now),
        Packing::Yuyv => convert::yuyv(width, height, bytes, now),
        Packing::Nv12 => convert::nv12(width, height, bytes, now),
    };
    raw.ok_or_else(|| format!("{} bytes are no picture of {format}", bytes.len()))
}

fn scaled(picture: VideoFrame, wanted: VideoFormat, scaler: &mut Option<Scaler>) -> Option<VideoFrame> {
    let (from, to) = ((picture.width(), picture.height()), (wanted.width, wanted.height));
    if from == to {
        return Some(picture);
    }
    if scaler.as_ref().is_none_or(|scaler| scaler.sizes() != (from, to)) {
        *scaler = Scaler::new(from, to).ok();
    }
    scaler.as_ref().map(|scaler| scaler.scale(&picture))
}

/// Errors and damaged pictures, told now and then.
#[derive(Default)]
struct Troubles {
    count: u64,
    last_told: Option<Instant>,
}

impl Troubles {
    fn count(&mut self, id: &str, why: &str) {
        self.count += 1;
        if self.last_told.is_none_or(|last| last.elapsed() >= LOG_INTERVAL) {
            self.last_told = Some(Instant::now());
            tracing::warn!(id, count = self.count, why, "a picture of the camera is left out");
        }
    }
}
