//! The thread that writes a recording.
//!
//! Owns the file and its time. Sleeps most of a tenth of a second, takes what came meanwhile, mixes and encodes the sound, and writes
//! the clusters that are complete. What the disk does never reaches the threads of the call.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::mix::Mixer;
use super::picture::{self, ENTRIES, Fit, Picture};
use super::tap::{Item, Tap};
use super::webm::{Block, Track, Writer};
use crate::media::codec::opus;
use crate::media::{Error, SAMPLE_RATE, WallTime};

/// How often the thread looks.
const TICK: Duration = Duration::from_millis(100);
/// Both voices in one sound: more than one of them in a call gets, bit/s.
const BITS_PER_SECOND: u32 = 64_000;
/// The recorder's share of the machine is to be small; what this costs in quality is not heard at this rate.
const COMPLEXITY: u8 = 5;
/// The beginning of 2001, from which WebM counts, in seconds since 1970.
const MILLENNIUM: i64 = 978_307_200;

/// Where a recorder tells that something went wrong, in a sentence; called on its thread, and should not wait. True when the recording
/// has ended with it.
pub type Tell = Box<dyn Fn(String, bool) + Send>;

/// What was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The file.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// How long it plays.
    pub duration: Duration,
    /// Pictures and blocks of sound that found no room because the disk was too slow.
    pub dropped: u64,
    /// Why it ended early, or is not whole.
    pub failure: Option<String>,
}

impl Recorded {
    /// Nothing was, and why.
    #[must_use]
    pub fn failed(path: PathBuf, why: String) -> Self {
        Self { path, bytes: 0, duration: Duration::ZERO, dropped: 0, failure: Some(why) }
    }
}

/// A recording under way. Dropping it completes the file without waiting for that.
#[derive(Debug)]
pub struct Recorder {
    path: PathBuf,
    tap: Arc<Tap>,
    thread: Option<JoinHandle<Recorded>>,
}

impl Recorder {
    /// Makes the file and starts the thread. With `replace` a file that is there is overwritten, without it that is an error.
    ///
    /// # Errors
    /// [`Error::Spec`] for a name that is none of a WebM file, [`Error::Open`] when it can't be made or written.
    pub fn start(path: &Path, replace: bool, tell: Tell) -> Result<Self, Error> {
        check_name(path)?;
        let cannot = |why: std::io::Error| Error::open(quoted(path), why);
        // A pipe would keep us until somebody reads it, and can't be completed.
        if std::fs::metadata(path).is_ok_and(|about| !about.is_file()) {
            return Err(Error::open(quoted(path), "it is no regular file"));
        }
        let mut options = File::options();
        options.write(true).truncate(replace).create(replace).create_new(!replace);
        let file = options.open(path).map_err(cannot)?;
        let settings = opus::Settings {
            bits_per_second: BITS_PER_SECOND,
            fec: false,
            expected_loss: 0,
            dtx: false,
            complexity: COMPLEXITY,
        };
        let mut encoder = opus::Encoder::new(settings)?;
        let pre_skip = u16::try_from(encoder.lookahead()).unwrap_or(0);
        let seconds = i64::try_from(WallTime::now().micros() / 1_000_000).unwrap_or(MILLENNIUM) - MILLENNIUM;
        let writer = Writer::new(file, pre_skip, seconds.saturating_mul(1_000_000_000)).map_err(cannot)?;
        let tap = Arc::new(Tap::new());
        let began = Instant::now();
        let work = Work {
            path: path.to_owned(),
            tap: Arc::clone(&tap),
            tell,
            began,
            writer,
            mixer: Mixer::default(),
            encoder,
            // Usually the own picture joins the other side's before it has to wish by itself.
            pictures: [Picture::new(ENTRIES, began), Picture::new(ENTRIES * 5 / 4, began)],
            told: false,
            changed: None,
        };
        let thread = std::thread::Builder::new()
            .name("record".to_owned())
            .spawn(move || work.run())
            .map_err(|source| Error::Io { what: "record thread".to_owned(), source })?;
        Ok(Self { path: path.to_owned(), tap, thread: Some(thread) })
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the threads of a call hand over what is to be recorded.
    #[must_use]
    pub fn tap(&self) -> Arc<Tap> {
        Arc::clone(&self.tap)
    }

    /// Completes the file. Blocks for as long as the disk takes.
    #[must_use]
    pub fn finish(mut self) -> Recorded {
        self.stop();
        let thread = self.thread.take();
        thread.and_then(|thread| thread.join().ok()).unwrap_or_else(|| {
            Recorded::failed(self.path.clone(), "the thread that wrote the recording failed".to_owned())
        })
    }

    fn stop(&self) {
        self.tap.stop.store(true, Ordering::Release);
        self.tap.queue.nudge();
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Whether a file of this name may be recorded into.
///
/// # Errors
/// [`Error::Spec`] for a name that does not end in `.webm`.
pub fn check_name(path: &Path) -> Result<(), Error> {
    if path.extension().is_some_and(|found| found.eq_ignore_ascii_case("webm")) {
        return Ok(());
    }
    Err(Error::Spec(format!("cannot record into {}: only WebM is written (name it *.webm)", quoted(path))))
}

/// Whether a file can be made or written there; leaves everything as it is.
///
/// # Errors
/// As [`Recorder::start`] would say it.
pub fn check(path: &Path) -> Result<(), Error> {
    check_name(path)?;
    let cannot = |why: std::io::Error| Error::open(quoted(path), why);
    match std::fs::metadata(path) {
        Ok(about) if !about.is_file() => Err(Error::open(quoted(path), "it is no regular file")),
        Ok(_) => File::options().append(true).open(path).map(drop).map_err(cannot),
        Err(_) => {
            File::create_new(path).map_err(cannot)?;
            std::fs::remove_file(path).map_err(cannot)
        }
    }
}

fn quoted(path: &Path) -> String {
    format!("\"{}\"", path.display())
}

/// What the thread works with.
struct Work {
    path: PathBuf,
    tap: Arc<Tap>,
    tell: Tell,
    began: Instant,
    writer: Writer<File>,
    mixer: Mixer,
    encoder: opus::Encoder,
    /// By track.
    pictures: [Picture; 2],
    /// That something was dropped.
    told: bool,
    /// That a side went on with another codec.
    changed: Option<String>,
}

impl Work {
    fn run(mut self) -> Recorded {
        let failure = match self.record() {
            Ok(()) => None,
            Err(error) => {
                self.writer.give_up();
                let why = error.to_string();
                (self.tell)(format!("the recording has ended: {why}"), true);
                Some(why)
            }
        };
        self.tap.queue.close();
        let dropped = self.tap.queue.dropped();
        let incomplete =
            || format!("{}: {dropped} pictures and blocks of sound are missing", quoted(&self.path));
        Recorded {
            failure: failure.or(self.changed).or_else(|| (dropped > 0).then(incomplete)),
            path: self.path,
            bytes: self.writer.bytes(),
            duration: Duration::from_millis(self.writer.length()),
            dropped,
        }
    }

    fn record(&mut self) -> Result<(), Error> {
        let mut items = Vec::new();
        loop {
            let stopping = self.tap.stop.load(Ordering::Acquire);
            let now = Instant::now();
            let look = if stopping { now } else { now + TICK };
            self.tap.queue.wait(Some(look), false, &mut items);
            for item in items.drain(..) {
                self.take(item)?;
            }
            self.tell_dropped();
            self.mix(stopping)?;
            if stopping {
                return self.writer.finish().map_err(|source| self.io(source));
            }
            let settled = millis(self.mixer.position());
            self.writer.settle(settled).map_err(|source| self.io(source))?;
        }
    }

    fn take(&mut self, item: Item) -> Result<(), Error> {
        match item {
            Item::Sound { who, at, samples } => self.mixer.add(who, self.position(at), &samples),
            Item::Picture { track, number, at, codec, keyframe, data } => {
                let Some(picture) = self.pictures.get_mut(track as usize) else { return Ok(()) };
                let now = Instant::now();
                let fit = picture.fits(codec, now);
                if fit == Fit::Never {
                    picture.pass(number);
                    self.tell_changed(track);
                    return Ok(());
                }
                let size = picture::size(codec, &data).filter(|_| keyframe && fit == Fit::Yes);
                let verdict = picture.judge(number, size.is_some(), data.len(), now);
                if verdict.wish {
                    self.tap.wish(track);
                }
                if !verdict.take {
                    return Ok(());
                }
                if let Some(size) = size.filter(|_| picture.describe(codec)) {
                    self.writer.describe(track, codec, size).map_err(|source| self.io(source))?;
                }
                let at = at.saturating_duration_since(self.began).as_millis();
                let at = u64::try_from(at).unwrap_or(u64::MAX);
                self.writer.push(Block { track, at, keyframe, data });
                if track == Track::Remote
                    && keyframe
                    && self.pictures[Track::Own as usize].joins(Instant::now())
                {
                    self.tap.wish(Track::Own);
                }
            }
        }
        Ok(())
    }

    /// Encodes the sound that is complete, or all of it.
    fn mix(&mut self, all: bool) -> Result<(), Error> {
        let mut block = [0.0; opus::BLOCK];
        let now = self.position(Instant::now());
        loop {
            let next = match self.mixer.take(now, &mut block) {
                None if all => self.mixer.take_rest(&mut block),
                next => next,
            };
            let Some(position) = next else { return Ok(()) };
            let data = self.encoder.encode(&block)?;
            self.writer.push(Block { track: Track::Sound, at: millis(position), keyframe: true, data });
        }
    }

    /// The two ends of ours agree on a codec for as long as one of them records; another one may not.
    fn tell_changed(&mut self, track: Track) {
        if self.changed.is_none() {
            let whose = if track == Track::Own { "the own picture" } else { "the other side's picture" };
            let path = quoted(&self.path);
            let text =
                format!("the recording is not whole: {path} is without {whose} since its codec changed");
            (self.tell)(text.clone(), false);
            self.changed = Some(text);
        }
    }

    fn tell_dropped(&mut self) {
        if !self.told && self.tap.queue.dropped() > 0 {
            self.told = true;
            let text =
                format!("the recording is not whole: {} is not written fast enough", quoted(&self.path));
            (self.tell)(text, false);
        }
    }

    /// A moment in samples since the beginning.
    fn position(&self, at: Instant) -> i64 {
        let samples = |time: Duration| {
            let exact = (time.as_nanos() * u128::from(SAMPLE_RATE) + 500_000_000) / 1_000_000_000;
            i64::try_from(exact).unwrap_or(i64::MAX / 2)
        };
        match at.checked_duration_since(self.began) {
            Some(since) => samples(since),
            None => -samples(self.began - at),
        }
    }

    fn io(&self, source: std::io::Error) -> Error {
        Error::Io { what: quoted(&self.path), source }
    }
}

/// Samples as milliseconds; blocks begin at whole ones.
fn millis(samples: i64) -> u64 {
    u64::try_from(samples).unwrap_or(0) * 1_000 / u64::from(SAMPLE_RATE)
}
