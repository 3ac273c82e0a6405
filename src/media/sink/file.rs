//! Files as sinks: Y4M for pictures, WAV for sound. Readable at any moment, also after a kill.

use std::fs::File;
use std::path::Path;

use crate::media::file::{wav, y4m};
use crate::media::scale::Scaler;
use crate::media::{AudioSink, Error, VideoFrame, VideoSink};

/// A Y4M file: one picture in it for each one shown. The first fixes the size; others are scaled into it.
pub struct Film {
    name: String,
    fps: u32,
    state: State,
    scaler: Option<Scaler>,
}

enum State {
    /// Made, but without a header until the first picture tells the size.
    Empty(Option<File>),
    Open(y4m::Writer<File>),
}

impl Film {
    /// Makes the file, replacing one that is there; `fps` is what the header will say.
    ///
    /// # Errors
    /// [`Error::Spec`] for a name that promises another format, [`Error::Open`] when it cannot be made.
    pub fn create(path: &Path, fps: u32) -> Result<Self, Error> {
        let (name, file) = create(path, "y4m", "Y4M")?;
        Ok(Self { name, fps, state: State::Empty(Some(file)), scaler: None })
    }

    fn io(&self) -> impl Fn(std::io::Error) -> Error + use<> {
        let what = self.name.clone();
        move |source| Error::Io { what: what.clone(), source }
    }
}

impl VideoSink for Film {
    fn show(&mut self, frame: &VideoFrame) -> Result<(), Error> {
        let io = self.io();
        let size = (frame.width(), frame.height());
        if let State::Empty(file) = &mut self.state {
            let Some(file) = file.take() else {
                return Err(io(std::io::ErrorKind::BrokenPipe.into()));
            };
            self.state = State::Open(y4m::Writer::new(file, size.0, size.1, self.fps).map_err(&io)?);
        }
        let State::Open(writer) = &mut self.state else {
            return Ok(());
        };
        if writer.size() == size {
            return writer.write(frame).map_err(io);
        }
        let wanted = (size, writer.size());
        let scaler = match self.scaler.take() {
            Some(scaler) if scaler.sizes() == wanted => scaler,
            _ => Scaler::new(wanted.0, wanted.1)?,
        };
        let written = writer.write(&scaler.scale(frame)).map_err(io);
        self.scaler = Some(scaler);
        written
    }

    fn finish(&mut self) -> Result<(), Error> {
        let io = self.io();
        match &mut self.state {
            State::Open(writer) => writer.flush().map_err(io),
            State::Empty(_) => Ok(()),
        }
    }
}

/// A WAV file, 48 kHz mono 16 bit. The header follows the sound by a second at most.
pub struct Sound {
    name: String,
    writer: wav::Writer<File>,
}

impl Sound {
    /// Makes the file, replacing one that is there.
    ///
    /// # Errors
    /// [`Error::Spec`] for a name that promises another format, [`Error::Open`] when it cannot be made.
    pub fn create(path: &Path) -> Result<Self, Error> {
        let (name, file) = create(path, "wav", "WAV")?;
        let writer = wav::Writer::new(file).map_err(|why| Error::open(name.clone(), why))?;
        Ok(Self { name, writer })
    }

    fn io(&self, result: std::io::Result<()>) -> Result<(), Error> {
        result.map_err(|source| Error::Io { what: self.name.clone(), source })
    }
}

impl AudioSink for Sound {
    fn play(&mut self, samples: &[f32]) -> Result<(), Error> {
        let result = self.writer.write(samples);
        self.io(result)
    }

    fn finish(&mut self) -> Result<(), Error> {
        let result = self.writer.update();
        self.io(result)
    }
}

/// Makes a file whose name has no extension or the right one.
fn create(path: &Path, extension: &str, format: &str) -> Result<(String, File), Error> {
    let name = format!("\"{}\"", path.display());
    if path.extension().is_some_and(|found| !found.eq_ignore_ascii_case(extension)) {
        return Err(Error::Spec(format!(
            "cannot write {name}: only {format} is written (name it *.{extension})"
        )));
    }
    match File::create(path) {
        Ok(file) => Ok((name, file)),
        Err(why) => Err(Error::open(name, why)),
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;
    use crate::media::synthetic::{Pattern, pattern};
    use crate::media::{VideoFormat, WallTime};

    fn picture(width: u32, height: u32, number: u64) -> VideoFrame {
        Pattern::new(VideoFormat { width, height, fps: 25 }).unwrap().paint(number, WallTime(0))
    }

    fn pictures(path: &Path) -> Vec<VideoFrame> {
        let mut reader = y4m::Reader::new(BufReader::new(File::open(path).unwrap())).unwrap();
        std::iter::from_fn(|| reader.next_picture().unwrap()).collect()
    }

    #[test]
    fn later_sizes_are_scaled_to_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("film.y4m");
        let mut film = Film::create(&path, 25).unwrap();
        for (number, (width, height)) in
            [(320, 180), (160, 90), (640, 360), (320, 180)].into_iter().enumerate()
        {
            film.show(&picture(width, height, number as u64)).unwrap();
            // What was shown is there at once, not only after the end.
            assert_eq!(pictures(&path).len(), number + 1);
        }
        film.finish().unwrap();
        for (number, picture) in pictures(&path).iter().enumerate() {
            assert_eq!((picture.width(), picture.height()), (320, 180));
            assert_eq!(pattern::read(picture, WallTime(0)).unwrap().number, number as u64);
        }
    }

    #[test]
    fn sound_is_readable_before_and_after_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sound.WAV");
        let read = || {
            let mut reader = wav::Reader::new(File::open(&path).unwrap()).unwrap();
            let mut samples = Vec::new();
            while reader.read(4096, &mut samples).unwrap() > 0 {}
            samples.len()
        };
        let mut sound = Sound::create(&path).unwrap();
        for _ in 0..75 {
            sound.play(&[0.25; 960]).unwrap();
        }
        assert!(read() >= 48_000);
        sound.finish().unwrap();
        assert_eq!(read(), 72_000);
    }

    #[test]
    fn other_formats_and_missing_folders_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let said = Film::create(&folder.path().join("film.mkv"), 25).err().unwrap().to_string();
        assert!(said.ends_with("only Y4M is written (name it *.y4m)"), "{said}");
        assert!(matches!(Sound::create(Path::new("/nowhere/x.wav")), Err(Error::Open { .. })));
        assert!(matches!(Sound::create(Path::new("x.mp3")), Err(Error::Spec(_))));
    }

    #[test]
    fn a_full_disk_is_an_error() {
        let mut film = Film::create(Path::new("/dev/full"), 25).unwrap();
        assert!(matches!(film.show(&picture(160, 90, 0)), Err(Error::Io { .. })));
        assert!(matches!(film.show(&picture(160, 90, 1)), Err(Error::Io { .. })));
    }
}
