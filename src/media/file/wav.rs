//! WAV (RIFF WAVE): integer PCM of 8 to 32 bits and floats, plain or extensible, any rate, mixed to mono.
//!
//! The writer makes 48 kHz mono 16 bit and keeps its header true while it goes, for whoever reads the file of a
//! process that was killed.

use std::io::{Read, Seek, SeekFrom, Write};

use super::Error;
use crate::media::SAMPLE_RATE;

/// Channels and samples a second that are taken; anything else is damage.
const CHANNELS: std::ops::RangeInclusive<u16> = 1..=32;
const RATES: std::ops::RangeInclusive<u32> = 1_000..=384_000;

/// How samples are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Unsigned 8 bit.
    U8,
    /// Signed 16 bit.
    I16,
    /// Signed 24 bit.
    I24,
    /// Signed 32 bit.
    I32,
    /// 32-bit float.
    F32,
    /// 64-bit float.
    F64,
}

impl Encoding {
    fn bytes(self) -> usize {
        match self {
            Self::U8 => 1,
            Self::I16 => 2,
            Self::I24 => 3,
            Self::I32 | Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    fn sample(self, bytes: &[u8]) -> f32 {
        match (self, bytes) {
            (Self::U8, &[a]) => (f32::from(a) - 128.0) / 128.0,
            (Self::I16, &[a, b]) => f32::from(i16::from_le_bytes([a, b])) / 32_768.0,
            (Self::I24, &[a, b, c]) => (i32::from_le_bytes([0, a, b, c]) >> 8) as f32 / 8_388_608.0,
            (Self::I32, &[a, b, c, d]) => i32::from_le_bytes([a, b, c, d]) as f32 / 2_147_483_648.0,
            (Self::F32, &[a, b, c, d]) => finite(f32::from_le_bytes([a, b, c, d])),
            (Self::F64, &[a, b, c, d, e, f, g, h]) => {
                finite(f64::from_le_bytes([a, b, c, d, e, f, g, h]) as f32)
            }
            _ => 0.0,
        }
    }
}

fn finite(sample: f32) -> f32 {
    if sample.is_finite() { sample.clamp(-8.0, 8.0) } else { 0.0 }
}

/// What the header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Channels, interleaved.
    pub channels: u16,
    /// Samples a second of each.
    pub rate: u32,
    /// How each is stored.
    pub encoding: Encoding,
    /// Where the sound starts, in bytes from the start of the file.
    pub data_start: u64,
    /// Bytes of sound; `None` when the file was made without knowing (to its end, then).
    pub data_bytes: Option<u64>,
}

impl Header {
    fn frame_bytes(&self) -> usize {
        usize::from(self.channels) * self.encoding.bytes()
    }
}

/// Reads sound mixed to mono at the file's own rate.
pub struct Reader<R> {
    input: R,
    header: Header,
    left: Option<u64>,
    bytes: Vec<u8>,
}

impl<R: Read> Reader<R> {
    /// Reads up to the start of the sound.
    ///
    /// # Errors
    /// Not a WAV file, an encoding that is not PCM, or numbers that cannot be.
    pub fn new(mut input: R) -> Result<Self, Error> {
        let header = parse(&mut input)?;
        Ok(Self { input, header, left: header.data_bytes, bytes: Vec::new() })
    }

    /// What the header said.
    pub fn header(&self) -> Header {
        self.header
    }

    /// Appends up to `samples` mono samples to `out` and returns how many; 0 at the end.
    ///
    /// # Errors
    /// The file ends before the header said.
    pub fn read(&mut self, samples: usize, out: &mut Vec<f32>) -> Result<usize, Error> {
        let frame = self.header.frame_bytes();
        let wanted = (samples.min(MAX_READ) * frame) as u64;
        let wanted = self.left.map_or(wanted, |left| left.min(wanted)) / frame as u64 * frame as u64;
        self.bytes.clear();
        let got = (&mut self.input).take(wanted).read_to_end(&mut self.bytes)? as u64;
        if let Some(left) = &mut self.left {
            if got < wanted {
                return Err(Error::damaged(format!("the file ends {} bytes early", *left - got)));
            }
            *left -= got;
        }
        let encoding = self.header.encoding;
        let share = 1.0 / f32::from(self.header.channels);
        for frame in self.bytes.chunks_exact(frame) {
            let sum: f32 = frame.chunks_exact(encoding.bytes()).map(|sample| encoding.sample(sample)).sum();
            out.push(sum * share);
        }
        Ok(self.bytes.len() / frame)
    }
}

impl<R: Read + Seek> Reader<R> {
    /// Goes back to the first sample.
    ///
    /// # Errors
    /// What the input says.
    pub fn rewind(&mut self) -> Result<(), Error> {
        self.input.seek(SeekFrom::Start(self.header.data_start))?;
        self.left = self.header.data_bytes;
        Ok(())
    }
}

/// Samples taken at a time at most.
const MAX_READ: usize = 65_536;

fn parse(input: &mut impl Read) -> Result<Header, Error> {
    let mut at = 0;
    let riff: [u8; 12] = take(input, &mut at)?;
    if &riff[..4] != b"RIFF" || &riff[8..] != b"WAVE" {
        return Err(Error::damaged("not a WAV file"));
    }
    let mut format = None;
    loop {
        let chunk: [u8; 8] = take(input, &mut at)?;
        let length = u32::from_le_bytes([chunk[4], chunk[5], chunk[6], chunk[7]]);
        match &chunk[..4] {
            b"fmt " => {
                let (fields, used) = format_fields(input, length, &mut at)?;
                skip(input, padded(length) - used, &mut at)?;
                format = Some(fields);
            }
            b"data" => {
                let (channels, rate, encoding) =
                    format.ok_or_else(|| Error::damaged("the sound comes before its format"))?;
                // Programs that write to a pipe leave 0 or all ones here.
                let data_bytes =
                    if length == 0 || length == u32::MAX { None } else { Some(u64::from(length)) };
                return Ok(Header { channels, rate, encoding, data_start: at, data_bytes });
            }
            _ => skip(input, padded(length), &mut at)?,
        }
    }
}

/// Reads the part of a format chunk that matters: channels, rate, encoding; and how many bytes that was.
fn format_fields(
    input: &mut impl Read,
    length: u32,
    at: &mut u64,
) -> Result<((u16, u32, Encoding), u64), Error> {
    if length < 16 {
        return Err(Error::damaged("the format is too short"));
    }
    let plain: [u8; 16] = take(input, at)?;
    let half = |i: usize| u16::from_le_bytes([plain[i], plain[i + 1]]);
    let rate = u32::from_le_bytes([plain[4], plain[5], plain[6], plain[7]]);
    let (mut kind, channels, align, bits) = (half(0), half(2), half(12), half(14));
    let mut used = 16;
    if kind == EXTENSIBLE {
        if length < 40 {
            return Err(Error::damaged("the extensible format is too short"));
        }
        let more: [u8; 24] = take(input, at)?;
        // The first two bytes of the sub-format are the plain format's number; the rest is one fixed GUID.
        if more[10..] != GUID_TAIL {
            return Err(Error::damaged("the sub-format is not PCM"));
        }
        kind = u16::from_le_bytes([more[8], more[9]]);
        used = 40;
    }
    let encoding = match (kind, bits) {
        (PCM, 8) => Encoding::U8,
        (PCM, 16) => Encoding::I16,
        (PCM, 24) => Encoding::I24,
        (PCM, 32) => Encoding::I32,
        (FLOAT, 32) => Encoding::F32,
        (FLOAT, 64) => Encoding::F64,
        _ => {
            return Err(Error::damaged(format!(
                "encoding {kind} with {bits} bits is not supported, only PCM and float"
            )));
        }
    };
    if !CHANNELS.contains(&channels) || !RATES.contains(&rate) {
        return Err(Error::damaged(format!("{channels} channels at {rate} Hz are not supported")));
    }
    if usize::from(align) != usize::from(channels) * encoding.bytes() {
        return Err(Error::damaged("the block size contradicts the sample size"));
    }
    Ok(((channels, rate, encoding), used))
}

const PCM: u16 = 1;
const FLOAT: u16 = 3;
const EXTENSIBLE: u16 = 0xfffe;
const GUID_TAIL: [u8; 14] = [0, 0, 0, 0, 16, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71];

/// Chunks are padded to even lengths.
fn padded(length: u32) -> u64 {
    u64::from(length) + u64::from(length & 1)
}

fn take<const N: usize>(input: &mut impl Read, at: &mut u64) -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    input.read_exact(&mut bytes).map_err(|error| match error.kind() {
        std::io::ErrorKind::UnexpectedEof => Error::damaged("the file ends before its sound starts"),
        _ => Error::Io(error),
    })?;
    *at += N as u64;
    Ok(bytes)
}

fn skip(input: &mut impl Read, length: u64, at: &mut u64) -> Result<(), Error> {
    let skipped = std::io::copy(&mut input.take(length), &mut std::io::sink())?;
    *at += skipped;
    if skipped == length { Ok(()) } else { Err(Error::damaged("the file ends before its sound starts")) }
}

/// Bytes before the first sample in the files written here.
const HEADER_BYTES: u32 = 44;
/// Samples after which the lengths in the header are brought up to date: one second.
const UPDATE: u64 = SAMPLE_RATE as u64;
/// The most samples that the 32-bit lengths of a WAV file can count: 12.4 hours. What comes later is not written.
const MAX_SAMPLES: u64 = (u32::MAX - HEADER_BYTES) as u64 / 2;

/// Writes 48 kHz mono 16 bit.
pub struct Writer<W> {
    output: W,
    samples: u64,
    written_in_header: u64,
    block: Vec<u8>,
}

impl<W: Write + Seek> Writer<W> {
    /// Writes the header of an empty file.
    ///
    /// # Errors
    /// What `output` says.
    pub fn new(mut output: W) -> std::io::Result<Self> {
        output.write_all(&header_bytes(0))?;
        Ok(Self { output, samples: 0, written_in_header: 0, block: Vec::new() })
    }

    /// Appends samples, clipped to full scale; about once a second the header learns of them.
    ///
    /// # Errors
    /// What `output` says.
    pub fn write(&mut self, samples: &[f32]) -> std::io::Result<()> {
        let room = usize::try_from(MAX_SAMPLES - self.samples).unwrap_or(usize::MAX);
        let samples = &samples[..samples.len().min(room)];
        self.block.clear();
        for &sample in samples {
            let value = (sample * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16;
            self.block.extend_from_slice(&value.to_le_bytes());
        }
        self.output.write_all(&self.block)?;
        self.samples += samples.len() as u64;
        if self.samples - self.written_in_header >= UPDATE { self.update() } else { Ok(()) }
    }

    /// Brings the header up to date.
    ///
    /// # Errors
    /// What `output` says.
    pub fn update(&mut self) -> std::io::Result<()> {
        self.output.seek(SeekFrom::Start(0))?;
        self.output.write_all(&header_bytes(self.samples))?;
        self.output.seek(SeekFrom::End(0))?;
        self.output.flush()?;
        self.written_in_header = self.samples;
        Ok(())
    }
}

fn header_bytes(samples: u64) -> [u8; HEADER_BYTES as usize] {
    let data = (samples * 2) as u32;
    let mut header = *b"RIFF....WAVEfmt \x10\0\0\0\x01\0\x01\0....\0\0\0\0\x02\0\x10\0data....";
    header[4..8].copy_from_slice(&(data + HEADER_BYTES - 8).to_le_bytes());
    header[24..28].copy_from_slice(&SAMPLE_RATE.to_le_bytes());
    header[28..32].copy_from_slice(&(SAMPLE_RATE * 2).to_le_bytes());
    header[40..44].copy_from_slice(&data.to_le_bytes());
    header
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    fn read_all(bytes: &[u8]) -> Result<(Header, Vec<f32>), Error> {
        let mut reader = Reader::new(bytes)?;
        let mut samples = Vec::new();
        while reader.read(100, &mut samples)? > 0 {}
        Ok((reader.header(), samples))
    }

    fn wav(kind: u16, channels: u16, rate: u32, bits: u16, extensible: bool, data: &[u8]) -> Vec<u8> {
        let mut format = Vec::new();
        format.extend((if extensible { EXTENSIBLE } else { kind }).to_le_bytes());
        format.extend(channels.to_le_bytes());
        format.extend(rate.to_le_bytes());
        format.extend((rate * u32::from(channels * bits / 8)).to_le_bytes());
        format.extend((channels * bits / 8).to_le_bytes());
        format.extend(bits.to_le_bytes());
        if extensible {
            format.extend([22, 0, bits as u8, 0, 4, 0, 0, 0]);
            format.extend(kind.to_le_bytes());
            format.extend(GUID_TAIL);
        }
        let mut bytes = b"RIFF\0\0\0\0WAVEJUNK\x03\0\0\0abc\0fmt ".to_vec();
        bytes.extend((format.len() as u32).to_le_bytes());
        bytes.extend(format);
        bytes.extend(b"data");
        bytes.extend((data.len() as u32).to_le_bytes());
        bytes.extend(data);
        bytes
    }

    #[test]
    fn every_encoding_reads_half_scale_as_half() {
        for extensible in [false, true] {
            for (kind, bits, half) in [
                (PCM, 8, vec![192]),
                (PCM, 16, 16_384_i16.to_le_bytes().to_vec()),
                (PCM, 24, vec![0, 0, 0x40]),
                (PCM, 32, (1_i32 << 30).to_le_bytes().to_vec()),
                (FLOAT, 32, 0.5_f32.to_le_bytes().to_vec()),
                (FLOAT, 64, 0.5_f64.to_le_bytes().to_vec()),
            ] {
                let silent = vec![if bits == 8 { 128 } else { 0 }; half.len()];
                let data = [half.clone(), half.clone(), half, silent].concat();
                let (header, samples) = read_all(&wav(kind, 2, 44_100, bits, extensible, &data)).unwrap();
                assert_eq!((header.channels, header.rate), (2, 44_100));
                assert_eq!(samples, [0.5, 0.25], "{kind} {bits}");
            }
        }
    }

    #[test]
    fn what_was_written_reads_back_also_when_killed() {
        let sound: Vec<f32> = (0..100_000).map(|i| (i as f32 * 0.01).sin()).collect();
        let mut file = Cursor::new(Vec::new());
        let mut writer = Writer::new(&mut file).unwrap();
        writer.write(&[2.0, -2.0, f32::NAN]).unwrap();
        for block in sound.chunks(960) {
            writer.write(block).unwrap();
        }
        drop(writer);
        let (header, samples) = read_all(file.get_ref()).unwrap();
        assert_eq!((header.channels, header.rate, header.encoding), (1, SAMPLE_RATE, Encoding::I16));
        assert!(samples.len() > 90_000, "{}", samples.len());
        assert_eq!(samples[..3], [32_767.0 / 32_768.0, -1.0, 0.0]);
        assert!(samples[3..].iter().zip(&sound).all(|(a, b)| (a - b).abs() < 1e-4));
    }

    #[test]
    fn lies_are_errors() {
        let good = wav(PCM, 1, 48_000, 16, false, &[0; 100]);
        assert!(read_all(&good).is_ok());
        for cut in 0..good.len() {
            assert!(read_all(&good[..cut]).is_err(), "cut at {cut}");
        }
        for (kind, channels, rate, bits) in [
            (PCM, 0, 48_000, 16),
            (PCM, 1, 0, 16),
            (PCM, 1, 48_000, 12),
            (2, 1, 48_000, 16),
            (PCM, 99, 48_000, 16),
        ] {
            assert!(read_all(&wav(kind, channels, rate, bits, false, &[0; 8])).is_err());
        }
        let mut crooked = good.clone();
        crooked[56 - 12] = 3;
        assert!(read_all(&crooked).is_err());
    }

    #[test]
    fn an_unknown_length_means_to_the_end() {
        let mut file = wav(PCM, 1, 48_000, 16, false, &[0; 10]);
        let at = file.len() - 14;
        file[at..at + 4].fill(0xff);
        assert_eq!(read_all(&file).unwrap().1.len(), 5);
    }

    proptest! {
        #[test]
        fn any_bytes_are_sound_or_an_error(mut tail in proptest::collection::vec(any::<u8>(), 0..200), cut in 0_usize..60, whole: bool) {
            if whole {
                let start = &wav(PCM, 1, 48_000, 16, true, &[])[..cut];
                tail.splice(0..0, start.iter().copied());
            }
            let _ = read_all(&tail);
        }
    }
}
