//! A Y4M file as a source: scaled to the wanted size, repeated or thinned out to the wanted rate, in a loop.

use std::fs::File;
use std::io::{BufReader, Seek, SeekFrom};
use std::path::Path;

use super::{MAX_SKIP, quoted};
use crate::media::file::{self, y4m};
use crate::media::scale::Scaler;
use crate::media::{Error, VideoFormat, VideoFrame, VideoSource, WallTime};

/// An open Y4M file.
pub struct Film {
    reader: y4m::Reader<BufReader<File>>,
    name: String,
    format: VideoFormat,
    scaler: Option<Scaler>,
    /// Pictures taken from the file so far, all rounds counted.
    taken: u64,
    /// Pictures by which the file lags behind the ticks for good.
    behind: u64,
    /// Whether this round had a picture; a file without any must not be searched for ever.
    fruitful: bool,
    last: Option<VideoFrame>,
}

impl Film {
    /// A film from a file that stands at its start. Reads the header and looks for a cut end.
    ///
    /// # Errors
    /// [`Error::Decode`] when the file is damaged.
    pub fn new(file: BufReader<File>, path: &Path, wanted: VideoFormat) -> Result<Self, Error> {
        let name = quoted(path);
        let in_file = |error: file::Error| error.in_file(name.clone());
        let mut reader = y4m::Reader::new(file).map_err(in_file)?;
        check_whole(&mut reader).map_err(in_file)?;
        let header = reader.header();
        let (from, to) = ((header.width, header.height), (wanted.width, wanted.height));
        let scaler = if from == to { None } else { Some(Scaler::new(from, to)?) };
        let mut film =
            Self { reader, name, format: wanted, scaler, taken: 0, behind: 0, fruitful: false, last: None };
        film.last = film.next()?;
        match film.last {
            Some(_) => Ok(film),
            None => Err(Error::decode(film.name, "it holds no picture")),
        }
    }

    /// The next picture, around the end; `None` when the input cannot be read again.
    fn next(&mut self) -> Result<Option<VideoFrame>, Error> {
        loop {
            if let Some(picture) =
                self.reader.next_picture().map_err(|error| error.in_file(self.name.clone()))?
            {
                self.taken += 1;
                self.fruitful = true;
                return Ok(Some(
                    self.scaler.as_ref().map_or_else(|| picture.clone(), |scaler| scaler.scale(&picture)),
                ));
            }
            if !self.rewind() {
                return Ok(None);
            }
        }
    }

    fn skip(&mut self) -> Result<bool, Error> {
        loop {
            if self.reader.skip_picture().map_err(|error| error.in_file(self.name.clone()))? {
                self.taken += 1;
                self.fruitful = true;
                return Ok(true);
            }
            if !self.rewind() {
                return Ok(false);
            }
        }
    }

    fn rewind(&mut self) -> bool {
        let start = self.reader.header_bytes();
        std::mem::take(&mut self.fruitful) && self.reader.input_mut().seek(SeekFrom::Start(start)).is_ok()
    }

    /// The number in the file, all rounds counted, of the picture that belongs to a tick.
    fn place(&self, index: u64) -> u64 {
        let (numerator, denominator) = self.reader.header().rate;
        let place = u128::from(index) * u128::from(numerator)
            / (u128::from(denominator) * u128::from(self.format.fps));
        u64::try_from(place).unwrap_or(u64::MAX)
    }
}

impl VideoSource for Film {
    fn format(&self) -> VideoFormat {
        self.format
    }

    fn frame(&mut self, index: u64, captured: WallTime) -> Result<Option<VideoFrame>, Error> {
        // `last` is picture number `taken - 1`.
        let mut missing = (self.place(index).saturating_sub(self.behind) + 1).saturating_sub(self.taken);
        if missing > MAX_SKIP {
            self.behind += missing - 1;
            missing = 1;
        }
        while missing > 1 && self.skip()? {
            missing -= 1;
        }
        if missing > 0 {
            self.last = self.next()?;
        }
        Ok(self.last.as_ref().map(|picture| {
            let mut picture = picture.clone();
            picture.captured = captured;
            picture
        }))
    }
}

/// Finds out at the start whether the file ends inside a picture, as far as that can be told without reading it.
fn check_whole(reader: &mut y4m::Reader<BufReader<File>>) -> Result<(), file::Error> {
    let start = reader.header_bytes();
    let Ok(metadata) = reader.input_mut().get_ref().metadata() else {
        return Ok(());
    };
    if !metadata.is_file() {
        return Ok(());
    }
    let picture = "FRAME\n".len() as u64 + reader.header().picture_bytes() as u64;
    if (metadata.len() - start.min(metadata.len())).is_multiple_of(picture) {
        return Ok(());
    }
    // Either the file is cut or its pictures have parameters: walk through it.
    while reader.skip_picture()? {}
    reader.input_mut().seek(SeekFrom::Start(start))?;
    Ok(())
}
