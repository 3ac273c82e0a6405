//! A microphone without a call: how loud it is, and one's own voice back after a second, as the other side would hear it.
//!
//! Owns the thread that takes sound from the source through voice processing and Opus to the speaker. Must not know who watches.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::codec::opus;
use super::monitor::Watched;
use super::pipeline::pace::Pacer;
use super::voice::{self, Activity, Capture, Reference};
use super::{AudioSink, AudioSource, Error, SAMPLE_RATE, WallTime};

/// What a call sends unless it is told otherwise.
const BITS_PER_SECOND: u32 = 48_000;
/// Blocks a second, and how long one is.
const BLOCKS: u32 = SAMPLE_RATE / opus::BLOCK as u32;
const BLOCK_TIME: Duration = Duration::from_millis(1000 / BLOCKS as u64);
/// A thread that is behind by more than this passes blocks over.
const PATIENCE: Duration = Duration::from_millis(120);
/// How much later than it was said a voice comes back.
const DELAY: Duration = Duration::from_secs(1);

/// Opens the speaker, when it is wanted for the first time.
pub type OpenSink = Box<dyn FnMut() -> Result<Box<dyn AudioSink>, Error> + Send>;

/// A running check. Ends when dropped.
pub struct SoundCheck {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    own: Watched,
    echo: AtomicBool,
    stop: AtomicBool,
    failure: Mutex<Option<Error>>,
}

impl SoundCheck {
    /// Starts to listen to `source`, worked on as `settings` say if it is a microphone.
    ///
    /// # Errors
    /// [`Error::Encode`] or [`Error::Decode`] when libopus can't start, [`Error::Open`] when no thread can.
    pub fn start(
        source: Box<dyn AudioSource>,
        settings: voice::Settings,
        open: OpenSink,
    ) -> Result<Self, Error> {
        let voice = Voice::new(source, settings)?;
        let shared = Arc::<Shared>::default();
        let there = shared.clone();
        let thread = thread::Builder::new()
            .name("sound-check".to_owned())
            .spawn(move || run(voice, open, &there))
            .map_err(|error| Error::open("the sound check", error))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// The loudest sample since the last call, in dBFS; `None` for digital silence.
    pub fn take_level(&self) -> Option<f32> {
        self.shared.own.take_level()
    }

    /// Whether somebody speaks.
    pub fn speaking(&self) -> bool {
        self.shared.own.speaking()
    }

    /// Whether one's own voice is to come back.
    pub fn set_echo(&self, wanted: bool) {
        self.shared.echo.store(wanted, Ordering::Relaxed);
    }

    /// Whether one's own voice comes back, or will when the speaker is open.
    pub fn echo(&self) -> bool {
        self.shared.echo.load(Ordering::Relaxed)
    }

    /// Whether the source is still read.
    pub fn runs(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// What went wrong since the last call. A speaker that fails ends the echo, a source that fails ends the check.
    pub fn take_failure(&self) -> Option<Error> {
        self.shared.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for SoundCheck {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A panic there was told by its hook.
            let _ = thread.join();
        }
    }
}

fn run(mut voice: Voice, mut open: OpenSink, shared: &Shared) {
    let fail = |error| *shared.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    let start = Instant::now();
    // A block exists when its last sample does.
    let mut pacer = Pacer::new(start + BLOCK_TIME, BLOCKS);
    let mut sink: Option<Box<dyn AudioSink>> = None;
    while !shared.stop.load(Ordering::Relaxed) {
        thread::park_timeout(pacer.deadline().saturating_duration_since(Instant::now()));
        if pacer.tick(Instant::now(), PATIENCE).is_none() {
            continue;
        }
        match (shared.echo.load(Ordering::Relaxed), &sink) {
            (true, None) => match open() {
                Ok(opened) => sink = Some(opened),
                Err(error) => {
                    shared.echo.store(false, Ordering::Relaxed);
                    fail(error);
                }
            },
            (false, Some(_)) => sink = None,
            _ => {}
        }
        let back = match voice.next(WallTime::now(), &shared.own) {
            Ok(back) => back,
            Err(error) => return fail(error),
        };
        if let Some(to) = &mut sink
            && let Err(error) = to.play(back)
        {
            sink = None;
            shared.echo.store(false, Ordering::Relaxed);
            fail(error);
        }
        if sink.is_some() {
            voice.played();
        }
    }
}

/// The way of a voice to the other side and back.
struct Voice {
    source: Box<dyn AudioSource>,
    capture: Capture,
    reference: Reference,
    activity: Activity,
    encoder: opus::Encoder,
    decoder: opus::Decoder,
    /// What comes back later; always [`DELAY`] long.
    waiting: VecDeque<f32>,
    block: Vec<f32>,
}

impl Voice {
    fn new(source: Box<dyn AudioSource>, settings: voice::Settings) -> Result<Self, Error> {
        let settings = if source.live() { settings } else { voice::Settings::OFF };
        let (capture, reference) = voice::pair(settings);
        Ok(Self {
            source,
            capture,
            reference,
            activity: Activity::default(),
            encoder: opus::Encoder::new(opus::Settings {
                bits_per_second: BITS_PER_SECOND,
                ..opus::Settings::default()
            })?,
            decoder: opus::Decoder::new()?,
            waiting: vec![0.0; DELAY.as_secs() as usize * SAMPLE_RATE as usize].into(),
            block: vec![0.0; opus::BLOCK],
        })
    }

    /// Takes a block in, and gives what was said a second ago.
    fn next(&mut self, now: WallTime, watched: &Watched) -> Result<&[f32], Error> {
        self.source.read(now - BLOCK_TIME, &mut self.block)?;
        self.capture.process(&mut self.block);
        watched.heard(&self.block, self.activity.hear(&self.block));
        let packet = self.encoder.encode(&self.block)?;
        self.waiting.extend(self.decoder.decode(&packet)?);
        self.block.clear();
        self.block.extend(self.waiting.drain(..opus::BLOCK.min(self.waiting.len())));
        self.block.resize(opus::BLOCK, 0.0);
        Ok(&self.block)
    }

    /// What [`Voice::next`] gave was played: a microphone may hear it again.
    fn played(&mut self) {
        self.reference.played(&self.block);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::synthetic::Tone;

    #[test]
    fn a_voice_comes_back_after_a_second_and_its_level_is_known() {
        let mut voice = Voice::new(Box::new(Tone::new(440).unwrap()), voice::Settings::default()).unwrap();
        let watched = Watched::default();
        let start = WallTime(1_000_000_000);
        let mut back = Vec::new();
        for block in 1..=3 * BLOCKS {
            back.extend_from_slice(voice.next(start + BLOCK_TIME * block, &watched).unwrap());
        }
        let loud = |from: usize, to: usize| back[from..to].iter().fold(0.0f32, |peak, at| peak.max(at.abs()));
        let second = SAMPLE_RATE as usize;
        assert_eq!(loud(0, second), 0.0);
        let played = 20.0 * loud(second + second / 10, 3 * second).log10();
        let level = watched.take_level().unwrap();
        assert!((played - level).abs() < 1.0, "{played} and {level} dBFS");
    }

    #[test]
    fn a_speaker_that_does_not_open_is_told_and_the_level_goes_on() {
        let open: OpenSink = Box::new(|| Err(Error::open("speaker", "this machine has no speaker")));
        let check =
            SoundCheck::start(Box::new(Tone::new(440).unwrap()), voice::Settings::default(), open).unwrap();
        check.set_echo(true);
        let failure = wait(|| check.take_failure());
        assert!(failure.to_string().contains("no speaker") && !check.echo(), "{failure}");
        check.take_level();
        wait(|| check.take_level());
    }

    fn wait<T>(mut check: impl FnMut() -> Option<T>) -> T {
        let since = Instant::now();
        loop {
            if let Some(found) = check() {
                return found;
            }
            assert!(since.elapsed() < Duration::from_secs(10));
            thread::yield_now();
        }
    }
}
