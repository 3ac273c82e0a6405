//! Microphones and speakers of this machine, through cpal.
//!
//! Owns the devices from the sound system's callbacks to the pipeline's [`AudioSource`] and [`AudioSink`]: which there are, keeping
//! one open while they come and go, and joining two clocks. Must not know calls. Driven by the pipeline's threads; the callbacks run in
//! threads of the sound system, and a thread of its own watches each open device.

mod callback;
mod elastic;
mod hosts;
mod keeper;
mod line;
#[cfg(target_os = "linux")]
mod pulse;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use cpal::traits::{DeviceTrait, StreamTrait};

use self::keeper::{Keeper, Open, Trouble};
use self::line::{Incoming, Outgoing};
use super::{Device, Kind, Notices, Wish};
use crate::media::{AudioSink, AudioSource, Error, WallTime};

/// A sound server that takes longer to make a stream is hung.
const OPENING: Duration = Duration::from_secs(3);

/// The microphones or the speakers that there are, the usual one marked, monitors of speakers last. None for other kinds.
///
/// # Errors
/// [`Error::Open`] when the sound system does not answer.
pub fn list(kind: Kind) -> Result<Vec<Device>, Error> {
    if !matches!(kind, Kind::Microphone | Kind::Speaker) {
        return Ok(Vec::new());
    }
    let found = hosts::Host::new()
        .devices(kind, true)
        .map_err(|error| Error::open(format!("list of {kind}s"), error))?;
    Ok(found.into_iter().map(|found| found.listed).collect())
}

/// Says whether a microphone or speaker like that is there, without opening it.
///
/// # Errors
/// [`Error::Open`] when there is none.
pub fn find(kind: Kind, wish: &Wish) -> Result<(), Error> {
    keeper::find(kind, wish)
}

/// Opens a microphone. When it goes away, another one takes its place or silence does, until it is back; `notices` hears of each
/// change. Dropping the source closes the device.
///
/// # Errors
/// [`Error::Open`] when there is no such device or it refuses.
pub fn open_microphone(wish: Wish, notices: Notices) -> Result<Box<dyn AudioSource>, Error> {
    let place = Place::new();
    let there = place.clone();
    let open: Open = Box::new(move |device, trouble| {
        let (config, format) = hosts::format(device, Kind::Microphone)?;
        let (mut capture, line) = Incoming::new(config.sample_rate, config.channels);
        let (clock, errors) = (there.clock, report(trouble));
        let callback =
            move |data: &cpal::Data, _: &cpal::InputCallbackInfo| capture.take(data, micros(clock));
        let stream = device.build_input_stream_raw(config, format, callback, errors, Some(OPENING))?;
        stream.play()?;
        there.put(line);
        Ok(stream)
    });
    let keeper = Keeper::start(Kind::Microphone, wish, notices, open)?;
    Ok(Box::new(Microphone { place, line: None, _keeper: keeper }))
}

/// Opens a speaker. When it goes away, another one takes its place or nothing is heard, until it is back; `notices` hears of each
/// change. Dropping the sink closes the device.
///
/// # Errors
/// [`Error::Open`] when there is no such device or it refuses.
pub fn open_speaker(wish: Wish, notices: Notices) -> Result<Box<dyn AudioSink>, Error> {
    let place = Place::new();
    let there = place.clone();
    let open: Open = Box::new(move |device, trouble| {
        let (config, format) = hosts::format(device, Kind::Speaker)?;
        let (mut playback, line) = Outgoing::new(config.sample_rate, config.channels);
        let (clock, errors) = (there.clock, report(trouble));
        let callback =
            move |data: &mut cpal::Data, _: &cpal::OutputCallbackInfo| playback.give(data, micros(clock));
        let stream = device.build_output_stream_raw(config, format, callback, errors, Some(OPENING))?;
        stream.play()?;
        there.put(line);
        Ok(stream)
    });
    let keeper = Keeper::start(Kind::Speaker, wish, notices, open)?;
    Ok(Box::new(Speaker { place, line: None, _keeper: keeper }))
}

fn report(trouble: &Arc<Trouble>) -> impl FnMut(cpal::Error) + Send + 'static {
    let trouble = trouble.clone();
    move |error| trouble.tell(error)
}

/// Microseconds since `start`.
fn micros(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// Where the keeper leaves the line to the device that it has opened; never touched by a callback.
struct Place<T> {
    new: Arc<Mutex<Option<T>>>,
    /// The clock of all lines that come through here.
    clock: Instant,
}

impl<T> Place<T> {
    fn new() -> Self {
        Self { new: Arc::default(), clock: Instant::now() }
    }

    fn put(&self, line: T) {
        *self.new.lock().unwrap_or_else(PoisonError::into_inner) = Some(line);
    }

    fn take(&self) -> Option<T> {
        self.new.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl<T> Clone for Place<T> {
    fn clone(&self) -> Self {
        Self { new: self.new.clone(), clock: self.clock }
    }
}

/// An open microphone.
struct Microphone {
    place: Place<Incoming>,
    line: Option<Incoming>,
    _keeper: Keeper,
}

impl AudioSource for Microphone {
    fn read(&mut self, _: WallTime, out: &mut [f32]) -> Result<(), Error> {
        if let Some(line) = self.place.take() {
            self.line = Some(line);
        }
        match &mut self.line {
            Some(line) => line.read(out, micros(self.place.clock)),
            None => out.fill(0.0),
        }
        self.line.take_if(|line| line.is_abandoned());
        Ok(())
    }

    fn live(&self) -> bool {
        true
    }
}

/// An open speaker.
struct Speaker {
    place: Place<Outgoing>,
    line: Option<Outgoing>,
    _keeper: Keeper,
}

impl AudioSink for Speaker {
    fn play(&mut self, samples: &[f32]) -> Result<(), Error> {
        if let Some(line) = self.place.take() {
            self.line = Some(line);
        }
        self.line.take_if(|line| line.is_abandoned());
        if let Some(line) = &mut self.line {
            line.write(samples, micros(self.place.clock));
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
