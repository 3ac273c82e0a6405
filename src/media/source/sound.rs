//! A WAV file as a source: mixed to mono, brought to 48 kHz, in a loop.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use super::quoted;
use crate::media::file::wav;
use crate::media::resample::Resampler;
use crate::media::{AudioSource, Error, WallTime};

/// Samples taken from the file at a time.
const BLOCK: usize = 1024;

/// An open WAV file.
pub struct Sound {
    reader: wav::Reader<BufReader<File>>,
    name: String,
    resampler: Resampler,
    raw: Vec<f32>,
    ready: Vec<f32>,
    /// Whether this round had a sample; a file without any must not be searched for ever.
    fruitful: bool,
    ended: bool,
}

impl Sound {
    /// Sound from a file that stands at its start.
    ///
    /// # Errors
    /// [`Error::Decode`] when the file is damaged, shorter than its header says or without a sample.
    pub fn new(file: BufReader<File>, path: &Path) -> Result<Self, Error> {
        let name = quoted(path);
        let metadata = file.get_ref().metadata().ok().filter(std::fs::Metadata::is_file);
        let reader = wav::Reader::new(file).map_err(|error| error.in_file(name.clone()))?;
        let header = reader.header();
        if let (Some(metadata), Some(data)) = (metadata, header.data_bytes) {
            let there = metadata.len().saturating_sub(header.data_start);
            if there < data {
                return Err(Error::decode(name, format!("the file ends {} bytes early", data - there)));
            }
        }
        let resampler = Resampler::new(header.rate);
        let mut sound = Self {
            reader,
            name,
            resampler,
            raw: Vec::new(),
            ready: Vec::new(),
            fruitful: false,
            ended: false,
        };
        sound.fill()?;
        if sound.fruitful { Ok(sound) } else { Err(Error::decode(sound.name, "it holds no sound")) }
    }

    /// Takes one block from the file, around its end.
    fn fill(&mut self) -> Result<(), Error> {
        self.raw.clear();
        let in_file = |error: crate::media::file::Error| error.in_file(self.name.clone());
        if self.reader.read(BLOCK, &mut self.raw).map_err(in_file)? == 0 {
            self.ended = !std::mem::take(&mut self.fruitful) || self.reader.rewind().is_err();
            return Ok(());
        }
        self.fruitful = true;
        self.resampler.push(&self.raw, &mut self.ready);
        Ok(())
    }
}

impl AudioSource for Sound {
    fn read(&mut self, _: WallTime, out: &mut [f32]) -> Result<(), Error> {
        while self.ready.len() < out.len() && !self.ended {
            self.fill()?;
        }
        let there = out.len().min(self.ready.len());
        out[..there].copy_from_slice(&self.ready[..there]);
        out[there..].fill(0.0);
        self.ready.drain(..there);
        Ok(())
    }
}
