//! Where pictures and sound come from: the two traits the pipeline pulls from.
//!
//! A source is paced from outside: it never sleeps and never reads a clock, so a test can run an hour of media
//! in a second. One that is fed by another process waits for it for half a tick at most. It owns its file or device; dropping it closes that.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use super::{Error, VideoFormat, VideoFrame, WallTime};

mod ffmpeg;
mod film;
mod quiet;
mod sound;

pub use film::Film;
pub use quiet::{NoPicture, Silence};
pub use sound::Sound;

/// What the pictures of a source show: an encoder treats text that stands still unlike a face.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Content {
    /// Whoever sits there; shown mirrored to themselves.
    Camera,
    /// Text and windows.
    Screen,
    /// A film or a pattern.
    #[default]
    Other,
}

/// A source of pictures, pulled once a frame interval.
pub trait VideoSource: Send {
    /// The size and rate that [`VideoSource::frame`] produces; constant for the life of the source.
    fn format(&self) -> VideoFormat;

    /// The picture for tick `index` (counted from 0 at `format().fps`, ticks may be skipped but never go back),
    /// stamped with `captured`. `None` when the source has no picture for this tick and there is nothing to send.
    ///
    /// # Errors
    /// The source is broken for good: the file is damaged or the device is gone.
    fn frame(&mut self, index: u64, captured: WallTime) -> Result<Option<VideoFrame>, Error>;

    /// What its pictures show; constant for the life of the source.
    fn content(&self) -> Content {
        Content::Other
    }
}

/// A source of 48 kHz mono sound, pulled a block at a time.
pub trait AudioSource: Send {
    /// Fills all of `out` with the next samples; `captured` is the time of `out[0]`. Silence when there is nothing.
    ///
    /// # Errors
    /// The source is broken for good: the file is damaged or the device is gone.
    fn read(&mut self, captured: WallTime, out: &mut [f32]) -> Result<(), Error>;

    /// Whether this is a microphone that hears a person and a room: then echo and noise are taken out of it
    /// ([`voice`](super::voice)) and its silences are hardly sent. Anything else is sent as it is.
    fn live(&self) -> bool {
        false
    }
}

/// Opens a film: Y4M by itself, anything else by ffmpeg. Waits for the first picture. Starts again at its end.
///
/// # Errors
/// [`Error::Open`] when the file, or the ffmpeg it needs, cannot be opened or has no picture; [`Error::Decode`] when
/// a Y4M file is damaged.
pub fn open_film(path: &Path, wanted: VideoFormat) -> Result<Box<dyn VideoSource>, Error> {
    let (file, head) = open(path)?;
    match head {
        Head::Y4m => Ok(Box::new(Film::new(file, path, wanted)?)),
        Head::Wav => Err(Error::open(quoted(path), "it has no picture")),
        Head::Other => Ok(Box::new(ffmpeg::Film::open(ffmpeg::PROGRAM, path, wanted)?)),
    }
}

/// Opens sound: WAV by itself, anything else by ffmpeg. Starts again at its end.
///
/// # Errors
/// As [`open_film`].
pub fn open_sound(path: &Path) -> Result<Box<dyn AudioSource>, Error> {
    let (file, head) = open(path)?;
    match head {
        Head::Wav => Ok(Box::new(Sound::new(file, path)?)),
        Head::Y4m => Err(Error::open(quoted(path), "it has no sound")),
        Head::Other => Ok(Box::new(ffmpeg::Sound::open(ffmpeg::PROGRAM, path)?)),
    }
}

enum Head {
    Y4m,
    Wav,
    Other,
}

/// Opens a file and looks at its first bytes without taking them.
fn open(path: &Path) -> Result<(BufReader<File>, Head), Error> {
    let file = File::open(path).map_err(|why| Error::open(quoted(path), why))?;
    let mut file = BufReader::new(file);
    let head = match file.fill_buf().map_err(|why| Error::open(quoted(path), why))? {
        [] => return Err(Error::open(quoted(path), "the file is empty")),
        bytes if bytes.starts_with(b"YUV4MPEG2") => Head::Y4m,
        bytes if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WAVE") => Head::Wav,
        _ => Head::Other,
    };
    // ffmpeg opens the file anew, which only a regular file survives.
    if matches!(head, Head::Other) && !file.get_ref().metadata().is_ok_and(|metadata| metadata.is_file()) {
        return Err(Error::open(quoted(path), "neither Y4M nor WAV, and not a regular file"));
    }
    Ok((file, head))
}

fn quoted(path: &Path) -> String {
    format!("\"{}\"", path.display())
}

/// Pictures or blocks by which a source may lag behind its pipeline and still catch up by skipping; after a longer
/// pause (a suspended machine) it goes on where it was.
const MAX_SKIP: u64 = 250;

#[cfg(test)]
mod tests;
