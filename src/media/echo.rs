//! What a call hears and sees, sent back to where it came from: a source pair that is fed by the sinks of the same call.
//!
//! Owns the two short queues between what is played here and what is sent from here, and how long something waits in them. Pictures go back in
//! the size they came in; what has not come is not made up: no picture before the first one, silence where sound is late. Written by the threads that
//! receive, read by those that send. Must not know who calls.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::rtp::jitter::{Adjust, When};
use super::rtp::stretch::Stretcher;
use super::{
    AudioSink, AudioSource, Error, SAMPLE_RATE, VideoFormat, VideoFrame, VideoSink, VideoSource, WallTime,
};

/// Pictures that may wait for the beat of the sender; the oldest is dropped for one more. Two, because two may be shown within one beat.
const PICTURES: usize = 2;
/// Sound that may wait: 200 ms. The oldest is dropped for more, so that a sender that stalled goes on with what is new.
const SOUND: usize = SAMPLE_RATE as usize / 5;
/// What is sent at a time: 20 ms.
const BLOCK: usize = SAMPLE_RATE as usize / 50;
/// Sound that waits before the first of it is sent: a block may come a block late.
const START: usize = 2 * BLOCK;
/// Blocks after which it is judged whether more waits than is needed: a second.
const WINDOW: u32 = 50;
/// What may be left after each block of a window without anything being done about it. Above, sound is made shorter by so much as is
/// more than a block.
const SPARE: usize = BLOCK + BLOCK / 2;
/// Sound that is looked at to take a period out of it.
const SHORTENED: usize = BLOCK + BLOCK / 2;

/// The way back of one call. Both taps and both sources share it.
#[derive(Clone)]
pub struct Echo {
    shared: Arc<Shared>,
    fps: u32,
}

struct Shared {
    pictures: Mutex<Pictures>,
    sound: Mutex<Sound>,
    /// There is something to send that there was not, or it has another size.
    begun: Box<dyn Fn() + Send + Sync>,
}

#[derive(Default)]
struct Pictures {
    waiting: VecDeque<VideoFrame>,
    size: Option<(u32, u32)>,
}

#[derive(Default)]
struct Sound {
    waiting: VecDeque<f32>,
    heard: bool,
    /// Enough was there once, and has not run dry since.
    flows: bool,
    /// What was left after each block of this window, at least.
    least: Option<usize>,
    blocks: u32,
    /// How much is too much.
    excess: usize,
    stretcher: Stretcher,
}

impl Echo {
    /// An empty one, for up to `fps` pictures a second. `begun` is called from media threads when the first sound comes, and when a picture comes whose size is
    /// another than that of the one before; it must return at once.
    pub fn new(fps: u32, begun: impl Fn() + Send + Sync + 'static) -> Self {
        let shared = Shared { pictures: Mutex::default(), sound: Mutex::default(), begun: Box::new(begun) };
        Self { shared: Arc::new(shared), fps }
    }

    /// This sink, and back.
    #[must_use]
    pub fn see(&self, sink: Box<dyn VideoSink>) -> Box<dyn VideoSink> {
        Box::new(Tap { sink, shared: Arc::clone(&self.shared) })
    }

    /// This sink, and back. A sink that takes its place takes the way back as well.
    #[must_use]
    pub fn hear(&self, sink: Box<dyn AudioSink>) -> Box<dyn AudioSink> {
        Box::new(Tap { sink, shared: Arc::clone(&self.shared) })
    }

    /// What the latest picture is like, in the beat of a source for it; `None` before the first.
    #[must_use]
    pub fn format(&self) -> Option<VideoFormat> {
        let (width, height) = lock(&self.shared.pictures).size?;
        Some(VideoFormat { width, height, fps: self.fps })
    }

    /// Whether any sound has come.
    #[must_use]
    pub fn heard(&self) -> bool {
        lock(&self.shared.sound).heard
    }

    /// A source of the pictures of this size; those of another one wait for a source of theirs.
    #[must_use]
    pub fn pictures(&self, format: VideoFormat) -> Box<dyn VideoSource> {
        Box::new(Back { shared: Arc::clone(&self.shared), format })
    }

    /// A source of the sound.
    #[must_use]
    pub fn sound(&self) -> Box<dyn AudioSource> {
        Box::new(Back { shared: Arc::clone(&self.shared), format: VideoFormat::DEFAULT })
    }
}

impl std::fmt::Debug for Echo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Echo").finish_non_exhaustive()
    }
}

/// A sink that is listened to.
struct Tap<S: ?Sized> {
    sink: Box<S>,
    shared: Arc<Shared>,
}

impl VideoSink for Tap<dyn VideoSink> {
    fn show(&mut self, frame: &VideoFrame) -> Result<(), Error> {
        if lock(&self.shared.pictures).put(frame) {
            (self.shared.begun)();
        }
        self.sink.show(frame)
    }

    fn finish(&mut self) -> Result<(), Error> {
        self.sink.finish()
    }
}

impl AudioSink for Tap<dyn AudioSink> {
    fn play(&mut self, samples: &[f32]) -> Result<(), Error> {
        if lock(&self.shared.sound).put(samples) {
            (self.shared.begun)();
        }
        self.sink.play(samples)
    }

    fn finish(&mut self) -> Result<(), Error> {
        self.sink.finish()
    }
}

/// The sending end.
struct Back {
    shared: Arc<Shared>,
    format: VideoFormat,
}

impl VideoSource for Back {
    fn format(&self) -> VideoFormat {
        self.format
    }

    fn frame(&mut self, _: u64, captured: WallTime) -> Result<Option<VideoFrame>, Error> {
        let size = (self.format.width, self.format.height);
        let picture = lock(&self.shared.pictures).take(size);
        Ok(picture.map(|mut picture| {
            picture.captured = captured;
            picture
        }))
    }
}

impl AudioSource for Back {
    fn read(&mut self, _: WallTime, out: &mut [f32]) -> Result<(), Error> {
        lock(&self.shared.sound).take(out);
        Ok(())
    }
}

impl Pictures {
    /// True when its size is new.
    fn put(&mut self, frame: &VideoFrame) -> bool {
        if self.waiting.len() == PICTURES {
            self.waiting.pop_front();
        }
        self.waiting.push_back(frame.clone());
        let size = Some((frame.width(), frame.height()));
        std::mem::replace(&mut self.size, size) != size
    }

    /// The next one if it has this size. What stands before one of this size has been waiting for a source that is gone.
    fn take(&mut self, size: (u32, u32)) -> Option<VideoFrame> {
        let fits = |frame: &VideoFrame| (frame.width(), frame.height()) == size;
        let first = self.waiting.iter().position(fits)?;
        self.waiting.drain(..first);
        self.waiting.pop_front()
    }
}

impl Sound {
    /// True for the first.
    fn put(&mut self, samples: &[f32]) -> bool {
        self.waiting.extend(samples);
        let over = self.waiting.len().saturating_sub(SOUND);
        self.waiting.drain(..over);
        !std::mem::replace(&mut self.heard, true)
    }

    /// Fills `out`, with silence where nothing is there.
    fn take(&mut self, out: &mut [f32]) {
        self.flows |= self.waiting.len() >= START;
        if !self.flows {
            return out.fill(0.0);
        }
        if self.excess > 0 && self.waiting.len() >= SHORTENED {
            self.shorten();
        }
        let there = self.waiting.len().min(out.len());
        for (place, sample) in out.iter_mut().zip(self.waiting.drain(..there)) {
            *place = sample;
        }
        // What is late comes later: from then on more waits, and the same lateness makes no second hole.
        out[there..].fill(0.0);
        self.flows = there > 0;
        self.judge();
    }

    /// Takes a period out of what comes next, if there is a place for it.
    fn shorten(&mut self) {
        let mut next: Vec<f32> = self.waiting.drain(..SHORTENED).collect();
        let less = self.stretcher.stretch(&mut next, Adjust::Shorten(When::Now)).unsigned_abs();
        for sample in next.into_iter().rev() {
            self.waiting.push_front(sample);
        }
        self.excess = self.excess.saturating_sub(less);
    }

    fn judge(&mut self) {
        let left = self.waiting.len();
        self.least = Some(self.least.map_or(left, |least| least.min(left)));
        self.blocks += 1;
        if self.blocks == WINDOW {
            let least = self.least.take().unwrap_or(0);
            self.excess = if least > SPARE { least - BLOCK } else { 0 };
            self.blocks = 0;
        }
    }
}

/// What a poisoned lock guards is as good as before the panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::media::sink::Null;

    fn echo() -> (Echo, Arc<AtomicU32>) {
        let begun = Arc::new(AtomicU32::new(0));
        let counter = Arc::clone(&begun);
        let count = move || {
            counter.fetch_add(1, Ordering::Relaxed);
        };
        (Echo::new(50, count), begun)
    }

    fn picture(width: u32, at: u64) -> VideoFrame {
        let mut picture = VideoFrame::black(width, 16, WallTime(at));
        picture.planes_mut().0[0] = at as u8;
        picture
    }

    fn next(source: &mut dyn VideoSource) -> Option<u8> {
        source.frame(0, WallTime(99)).unwrap().map(|frame| {
            assert_eq!(frame.captured, WallTime(99));
            frame.y()[0]
        })
    }

    #[test]
    fn pictures_go_back_in_order_and_in_their_size() {
        let (echo, begun) = echo();
        let mut sink = echo.see(Box::new(Null));
        assert_eq!(echo.format(), None);
        sink.show(&picture(32, 1)).unwrap();
        sink.show(&picture(32, 2)).unwrap();
        let format = echo.format().unwrap();
        assert_eq!(format, VideoFormat { width: 32, height: 16, fps: 50 });
        let mut source = echo.pictures(format);
        assert_eq!([next(&mut *source), next(&mut *source), next(&mut *source)], [Some(1), Some(2), None]);
        for at in 3..6 {
            sink.show(&picture(32, at)).unwrap();
        }
        assert_eq!(begun.load(Ordering::Relaxed), 1);
        assert_eq!([next(&mut *source), next(&mut *source), next(&mut *source)], [Some(4), Some(5), None]);
        sink.show(&picture(32, 6)).unwrap();
        sink.show(&picture(64, 7)).unwrap();
        assert_eq!(begun.load(Ordering::Relaxed), 2, "another size is told");
        assert_eq!([next(&mut *source), next(&mut *source)], [Some(6), None], "it waits for its own source");
        let mut wider = echo.pictures(echo.format().unwrap());
        assert_eq!([next(&mut *wider), next(&mut *wider)], [Some(7), None]);
    }

    /// The next block.
    fn read(source: &mut dyn AudioSource) -> Vec<f32> {
        let mut block = vec![9.0; BLOCK];
        source.read(WallTime(0), &mut block).unwrap();
        block
    }

    fn tone(from: usize, length: usize) -> Vec<f32> {
        (from..from + length).map(|n| (n as f32 * 440.0 * std::f32::consts::TAU / 48_000.0).sin()).collect()
    }

    #[test]
    fn sound_goes_back_without_a_seam_after_forty_milliseconds() {
        let (echo, begun) = echo();
        let (mut sink, mut source) = (echo.hear(Box::new(Null)), echo.sound());
        assert!(!echo.heard());
        assert_eq!(read(&mut *source), [0.0; BLOCK]);
        sink.play(&tone(0, 1_000)).unwrap();
        assert_eq!(read(&mut *source), [0.0; BLOCK], "a block could not be late yet");
        assert!(echo.heard());
        let mut heard = Vec::new();
        for n in 0..200 {
            // As a jitter buffer gives it: blocks of changing lengths.
            let from = 1_000 + n * BLOCK + if n % 2 == 0 { 0 } else { 100 };
            let to = 1_000 + (n + 1) * BLOCK + if n % 2 == 0 { 100 } else { 0 };
            sink.play(&tone(from, to - from)).unwrap();
            heard.extend(read(&mut *source));
        }
        assert!(heard == tone(0, 200 * BLOCK), "not a sample is missing, and none is another");
        assert_eq!(begun.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_late_block_leaves_one_hole_and_the_next_one_none() {
        let (echo, _) = echo();
        let (mut sink, mut source) = (echo.hear(Box::new(Null)), echo.sound());
        sink.play(&vec![1.0; START]).unwrap();
        let mut holes = Vec::new();
        let mut silent = |block: Vec<f32>| holes.push(block.iter().filter(|&&sample| sample == 0.0).count());
        silent(read(&mut *source));
        sink.play(&vec![1.0; BLOCK / 2]).unwrap();
        silent(read(&mut *source));
        for _ in 0..2 {
            // Late by more than a block, twice.
            silent(read(&mut *source));
            sink.play(&vec![1.0; 2 * BLOCK]).unwrap();
            silent(read(&mut *source));
        }
        assert_eq!(holes, [0, 0, BLOCK / 2, 0, 0, 0]);
    }

    #[test]
    fn what_waits_too_long_is_caught_up_with_and_never_grows() {
        let (echo, _) = echo();
        let (mut sink, mut source) = (echo.hear(Box::new(Null)), echo.sound());
        sink.play(&tone(0, 20 * SOUND)).unwrap();
        let waiting = || lock(&echo.shared.sound).waiting.len();
        assert_eq!(waiting(), SOUND);
        let mut loudest_step = 0.0f32;
        let mut before = None;
        for n in 0..200 {
            sink.play(&tone(20 * SOUND + n * BLOCK, BLOCK)).unwrap();
            for sample in read(&mut *source) {
                loudest_step = loudest_step.max(before.map_or(0.0, |before: f32| (sample - before).abs()));
                before = Some(sample);
            }
        }
        assert!(waiting() <= SPARE, "{} samples wait", waiting());
        // A sine of 440 Hz moves by 0.058 a sample.
        assert!(loudest_step < 0.12, "no click: {loudest_step}");
    }

    #[test]
    fn sound_that_ended_is_silence_and_begins_anew() {
        let (echo, _) = echo();
        let (mut sink, mut source) = (echo.hear(Box::new(Null)), echo.sound());
        sink.play(&vec![1.0; START]).unwrap();
        assert_eq!([read(&mut *source), read(&mut *source)], [vec![1.0; BLOCK], vec![1.0; BLOCK]]);
        assert_eq!(read(&mut *source), [0.0; BLOCK]);
        sink.play(&vec![1.0; BLOCK]).unwrap();
        assert_eq!(read(&mut *source), [0.0; BLOCK], "it collects again");
        sink.play(&vec![1.0; BLOCK]).unwrap();
        assert_eq!(read(&mut *source), [1.0; BLOCK]);
    }
}
