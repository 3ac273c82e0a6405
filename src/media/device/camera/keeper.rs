//! The thread that looks after a camera: falls back to another when it is lost, and back to the wished one when that returns.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::Cameras;
use super::reader::{Reader, State};
use crate::media::device::card::card;
use crate::media::device::slot::Slot;
use crate::media::device::{Device, Kind, Notice, Notices, What, Wish, choose};
use crate::media::{Error, VideoFormat, WallTime};

/// How long what is waited for.
#[derive(Clone, Copy)]
pub(super) struct Patience {
    /// A camera's first picture: some move a shutter or set their light first.
    pub(super) first: Duration,
    /// A next picture, before the camera counts as lost.
    pub(super) stall: Duration,
    /// Before cameras are looked for again. Doubled each time that one is lost at once, up to [`MAX_PAUSE`].
    pub(super) pause: Duration,
    /// The end of a reader that was stopped.
    pub(super) stop: Duration,
}

impl Patience {
    pub(super) const USUAL: Self = Self {
        first: Duration::from_secs(6),
        stall: Duration::from_secs(2),
        pause: Duration::from_secs(1),
        stop: Duration::from_millis(500),
    };
}

/// A camera that comes and goes is tried this seldom in the end, and told of no more often.
const MAX_PAUSE: Duration = Duration::from_secs(32);
/// One that worked for this many pauses is sound again.
const SOUND: u32 = 10;

/// While it waits for a picture, a keeper looks this often whether any is wanted still.
const GLANCE: Duration = Duration::from_millis(100);

/// What somebody was last told.
#[derive(PartialEq, Eq)]
enum Told {
    Nothing,
    Using(String),
    Lost,
}

struct Keeper {
    cameras: Arc<dyn Cameras>,
    wish: Wish,
    wanted: VideoFormat,
    notices: Notices,
    slot: Slot,
    patience: Patience,
    stopped: Receiver<()>,
    told: Told,
}

/// One camera in use.
struct Held {
    reader: Reader,
    device: Device,
    wished: bool,
    since: Instant,
}

/// Opens a camera and stays with it until the sender that is returned is dropped.
pub(super) fn start(
    cameras: Arc<dyn Cameras>,
    wish: Wish,
    wanted: VideoFormat,
    notices: Notices,
    slot: Slot,
    patience: Patience,
) -> Result<(SyncSender<()>, JoinHandle<()>), Error> {
    let (alive, stopped) = sync_channel(1);
    let what = wish.name().map_or_else(|| "camera".to_owned(), |name| format!("camera {name:?}"));
    let mut keeper = Keeper { cameras, wish, wanted, notices, slot, patience, stopped, told: Told::Nothing };
    let held = keeper.take(None).map_err(|why| Error::open(what, why))?;
    let body = move || keeper.run(held);
    let thread = thread::Builder::new()
        .name("camera-keeper".to_owned())
        .spawn(body)
        .map_err(|source| Error::Io { what: "camera thread".to_owned(), source })?;
    Ok((alive, thread))
}

impl Keeper {
    fn run(mut self, mut held: Held) {
        let mut pause = self.patience.pause;
        loop {
            let why = match self.stay(&mut held) {
                Left::Stopped => return held.reader.stop(self.patience.stop),
                Left::Lost(why) => why,
                Left::Returned => {
                    // The one in use goes on until the wished one gives a picture.
                    if let Ok(better) = self.take(Some(&held)) {
                        held.reader.stop(self.patience.stop);
                        held = better;
                    }
                    continue;
                }
            };
            held.reader.stop(self.patience.stop);
            self.slot.stand_still(card("CAMERA OFF", self.wanted, WallTime::now()));
            let worked = held.since.elapsed();
            pause = if worked > self.patience.pause * SOUND {
                self.patience.pause
            } else {
                (pause * 2).min(MAX_PAUSE)
            };
            let mut next = if worked > self.patience.pause { self.take(None).ok() } else { None };
            if next.is_none() {
                self.tell(Told::Lost, What::Lost { name: held.device.name.clone(), why });
            }
            while next.is_none() {
                if self.is_stopped_within(pause) {
                    return;
                }
                next = self.take(None).ok();
            }
            if let Some(next) = next {
                held = next;
            }
        }
    }

    /// Stays with one camera while it gives pictures and no better one is there.
    fn stay(&self, held: &mut Held) -> Left {
        let mut looked = Instant::now();
        loop {
            match self.picture(&mut held.reader, self.patience.stall) {
                None => return Left::Stopped,
                Some(State::Starting | State::Running) => {}
                Some(State::Silent) => return Left::Lost("it gives no pictures any more".to_owned()),
                Some(State::Ended(why)) => return Left::Lost(why),
            }
            if !held.wished && looked.elapsed() >= self.patience.pause {
                looked = Instant::now();
                let devices = self.cameras.list().unwrap_or_default();
                if choose(&devices, &self.wish).first().is_some_and(|(_, wished)| *wished) {
                    return Left::Returned;
                }
            }
        }
    }

    /// Opens the first camera that gives a picture, best first; only a wished one when another is `held`.
    fn take(&mut self, held: Option<&Held>) -> Result<Held, String> {
        let devices = self.cameras.list()?;
        if devices.is_empty() {
            return Err(
                "there is no camera (plug one in, or take --video file:PATH, screen, pattern or none)"
                    .to_owned(),
            );
        }
        let mut first_trouble = None;
        for (device, wished) in choose(&devices, &self.wish) {
            if held.is_some_and(|held| !wished || held.device.id == device.id) {
                continue;
            }
            // While another camera is held, its pictures stay until this one is sure to give some.
            let slot = if held.is_some() { Slot::default() } else { self.slot.clone() };
            let (cameras, id) = (self.cameras.clone(), device.id.clone());
            let mut reader =
                Reader::start(cameras, id, self.wanted, slot).map_err(|error| error.to_string())?;
            let why = match self.picture(&mut reader, self.patience.first) {
                Some(State::Starting | State::Running) => {
                    return Ok(self.use_from_now(reader, device.clone(), wished, held.is_some()));
                }
                Some(State::Silent) => "it gives no picture".to_owned(),
                Some(State::Ended(why)) => why,
                None => "not needed any more".to_owned(),
            };
            reader.stop(self.patience.stop);
            if self.is_stopped_within(Duration::ZERO) {
                return Err(why);
            }
            first_trouble.get_or_insert_with(|| format!("{}: {}", device.name, with_hint(&why)));
        }
        Err(first_trouble.unwrap_or_else(|| "no such device (see: letsmeet devices)".to_owned()))
    }

    /// The next picture of a camera, or its end, or silence for `patience`; `None` when nobody wants pictures any more.
    fn picture(&self, reader: &mut Reader, patience: Duration) -> Option<State> {
        let deadline = Instant::now() + patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let state = reader.next(left.min(GLANCE));
            if self.is_stopped_within(Duration::ZERO) {
                return None;
            }
            if state != State::Silent || left.is_zero() {
                return Some(state);
            }
        }
    }

    fn use_from_now(&mut self, reader: Reader, device: Device, wished: bool, retarget: bool) -> Held {
        if retarget {
            reader.retarget(self.slot.clone());
        }
        let name = device.name.clone();
        let what = match self.wish.name() {
            Some(wanted) if !wished => What::InPlaceOf { wished: wanted.to_owned(), name: name.clone() },
            _ => What::Using { name: name.clone() },
        };
        self.tell(Told::Using(device.id.clone()), what);
        Held { reader, device, wished, since: Instant::now() }
    }

    fn tell(&mut self, told: Told, what: What) {
        if self.told != told {
            self.told = told;
            (self.notices)(Notice { kind: Kind::Camera, what });
        }
    }

    /// Waits for the end of the source, for so long at most.
    fn is_stopped_within(&self, wait: Duration) -> bool {
        self.stopped.recv_timeout(wait) != Err(RecvTimeoutError::Timeout)
    }
}

/// Why a camera is left.
enum Left {
    /// Nobody wants pictures any more.
    Stopped,
    /// It is gone, because of this.
    Lost(String),
    /// The wished one may be back.
    Returned,
}

/// What can be done about the usual troubles.
fn with_hint(why: &str) -> String {
    let lower = why.to_lowercase();
    if lower.contains("busy") {
        format!("{why} (another program uses it: close that one)")
    } else if lower.contains("permission") || lower.contains("not permitted") || lower.contains("denied") {
        format!(
            "{why} (you may not use it: on Linux join the group video, elsewhere allow it in the system's settings)"
        )
    } else {
        why.to_owned()
    }
}
