//! Y4M (YUV4MPEG2), the plain film format of mjpegtools: a line of text, then raw pictures with a line each.
//!
//! Reads the 8-bit 4:2:0 variants and mono; writes 4:2:0.

use std::io::{BufRead, Read, Write};

use super::Error;
use crate::media::frame::{self, MAX_SIDE};
use crate::media::{VideoFrame, WallTime};

/// The longest header line in bytes; a longer one is damage.
const MAX_LINE: u64 = 1024;

/// What a new picture's allocation starts with at most; it grows as bytes arrive, so that a lying header costs nothing.
const FIRST_ALLOCATION: usize = 1 << 20;

/// What the header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Pixels a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Frames a second, numerator and denominator; 25:1 when the file does not know.
    pub rate: (u32, u32),
    /// Only luma is stored.
    pub mono: bool,
}

impl Header {
    /// Bytes of one picture in the file, without its line.
    pub fn picture_bytes(&self) -> usize {
        if self.mono {
            self.width as usize * self.height as usize
        } else {
            VideoFrame::bytes(self.width, self.height)
        }
    }
}

/// Reads pictures one by one.
pub struct Reader<R> {
    input: R,
    header: Header,
    header_bytes: u64,
}

impl<R: BufRead> Reader<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// Not a Y4M file, a size or rate that cannot be, or a colour format other than 8-bit 4:2:0 and mono.
    pub fn new(mut input: R) -> Result<Self, Error> {
        let line = line(&mut input)?.ok_or_else(|| Error::damaged("empty"))?;
        let header = parse(&line)?;
        Ok(Self { input, header, header_bytes: line.len() as u64 + 1 })
    }

    /// What the header said.
    pub fn header(&self) -> Header {
        self.header
    }

    /// Length of the header, which is where the first picture starts.
    pub fn header_bytes(&self) -> u64 {
        self.header_bytes
    }

    /// The input, for seeking.
    pub fn input_mut(&mut self) -> &mut R {
        &mut self.input
    }

    /// The next picture, `None` at the end of the file.
    ///
    /// # Errors
    /// The file ends inside a picture, or something else stands where a picture should.
    pub fn next_picture(&mut self) -> Result<Option<VideoFrame>, Error> {
        if !self.picture_line()? {
            return Ok(None);
        }
        let wanted = self.header.picture_bytes();
        let full = VideoFrame::bytes(self.header.width, self.header.height);
        let mut data = Vec::with_capacity(full.min(FIRST_ALLOCATION));
        (&mut self.input).take(wanted as u64).read_to_end(&mut data)?;
        if data.len() != wanted {
            return Err(truncated(data.len() as u64, wanted));
        }
        data.resize(full, 128);
        VideoFrame::new(self.header.width, self.header.height, data, WallTime(0))
            .map(Some)
            .map_err(|why| Error::damaged(why.to_string()))
    }

    /// Passes over the next picture; false at the end of the file.
    ///
    /// # Errors
    /// As [`Reader::next_picture`].
    pub fn skip_picture(&mut self) -> Result<bool, Error> {
        if !self.picture_line()? {
            return Ok(false);
        }
        let wanted = self.header.picture_bytes();
        let skipped = std::io::copy(&mut (&mut self.input).take(wanted as u64), &mut std::io::sink())?;
        if skipped == wanted as u64 { Ok(true) } else { Err(truncated(skipped, wanted)) }
    }

    fn picture_line(&mut self) -> Result<bool, Error> {
        match line(&mut self.input)? {
            None => Ok(false),
            Some(line) if line == b"FRAME" || line.starts_with(b"FRAME ") => Ok(true),
            Some(_) => Err(Error::damaged("no FRAME where a picture should start")),
        }
    }
}

fn truncated(got: u64, wanted: usize) -> Error {
    Error::damaged(format!("the file ends inside a picture ({got} of {wanted} bytes)"))
}

/// One line without its end; `None` when the input is at its end.
fn line(input: &mut impl BufRead) -> Result<Option<Vec<u8>>, Error> {
    let mut line = Vec::new();
    input.take(MAX_LINE).read_until(b'\n', &mut line)?;
    match line.pop() {
        None => Ok(None),
        Some(b'\n') => Ok(Some(line)),
        Some(_) if line.len() as u64 + 1 >= MAX_LINE => Err(Error::damaged("a header line is too long")),
        Some(_) => Err(Error::damaged("the file ends inside a header line")),
    }
}

fn parse(line: &[u8]) -> Result<Header, Error> {
    let text = std::str::from_utf8(line).map_err(|_| Error::damaged("not a Y4M file"))?;
    let mut words = text.split(' ');
    if words.next() != Some("YUV4MPEG2") {
        return Err(Error::damaged("not a Y4M file"));
    }
    let (mut width, mut height, mut rate, mut mono) = (None, None, (25, 1), false);
    for word in words.filter(|word| !word.is_empty()) {
        let mut rest = word.chars();
        let key = rest.next();
        let value = rest.as_str();
        match key {
            Some('W') => width = Some(side(value)?),
            Some('H') => height = Some(side(value)?),
            Some('F') => rate = parse_rate(value)?,
            Some('C') => mono = parse_colour(value)?,
            // Interlacing, pixel shape and comments change nothing here.
            _ => {}
        }
    }
    match (width, height) {
        (Some(width), Some(height)) => Ok(Header { width, height, rate, mono }),
        _ => Err(Error::damaged("the header names no size")),
    }
}

fn side(value: &str) -> Result<u32, Error> {
    let side = value.parse().map_err(|_| Error::damaged(format!("{value:?} is no width or height")))?;
    frame::check_size(side, side)
        .map(|()| side)
        .map_err(|_| Error::damaged(format!("a side of {side} is not between 1 and {MAX_SIDE}")))
}

fn parse_rate(value: &str) -> Result<(u32, u32), Error> {
    let wrong = || Error::damaged(format!("{value:?} is no frame rate between 1 in 10 s and 1000 a second"));
    let (numerator, denominator) = value.split_once(':').ok_or_else(wrong)?;
    match (numerator.parse::<u32>(), denominator.parse::<u32>()) {
        (Ok(0), Ok(0)) => Ok((25, 1)),
        (Ok(n), Ok(d))
            if d > 0 && u64::from(n) <= 1000 * u64::from(d) && 10 * u64::from(n) >= u64::from(d) =>
        {
            Ok((n, d))
        }
        _ => Err(wrong()),
    }
}

fn parse_colour(value: &str) -> Result<bool, Error> {
    match value {
        "420" | "420jpeg" | "420mpeg2" | "420paldv" => Ok(false),
        "mono" => Ok(true),
        other => {
            Err(Error::damaged(format!("colour format {other:?} is not supported, only 8-bit 420 and mono")))
        }
    }
}

/// Writes pictures of one size.
pub struct Writer<W> {
    output: W,
    size: (u32, u32),
    block: Vec<u8>,
}

impl<W: Write> Writer<W> {
    /// Writes the header.
    ///
    /// # Errors
    /// What `output` says.
    pub fn new(mut output: W, width: u32, height: u32, fps: u32) -> std::io::Result<Self> {
        output.write_all(format!("YUV4MPEG2 W{width} H{height} F{fps}:1 Ip A1:1 C420jpeg\n").as_bytes())?;
        Ok(Self { output, size: (width, height), block: Vec::new() })
    }

    /// Width and height that every picture must have.
    pub fn size(&self) -> (u32, u32) {
        self.size
    }

    /// Appends one picture, in one write, so that a process killed between calls leaves whole pictures.
    ///
    /// # Errors
    /// What the output says, and `InvalidInput` for a picture of another size.
    pub fn write(&mut self, picture: &VideoFrame) -> std::io::Result<()> {
        if (picture.width(), picture.height()) != self.size {
            return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, "a picture of another size"));
        }
        self.block.clear();
        self.block.extend_from_slice(b"FRAME\n");
        self.block.extend_from_slice(picture.data());
        self.output.write_all(&self.block)
    }

    /// Hands what is held back to the system.
    ///
    /// # Errors
    /// What `output` says.
    pub fn flush(&mut self) -> std::io::Result<()> {
        self.output.flush()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::media::VideoFormat;
    use crate::media::synthetic::Pattern;

    fn read_all(bytes: &[u8]) -> Result<Vec<VideoFrame>, Error> {
        let mut reader = Reader::new(bytes)?;
        let mut pictures = Vec::new();
        while let Some(picture) = reader.next_picture()? {
            pictures.push(picture);
        }
        Ok(pictures)
    }

    fn film(width: u32, height: u32, count: u64) -> (Vec<u8>, Vec<VideoFrame>) {
        let pattern = Pattern::new(VideoFormat { width, height, fps: 25 }).unwrap();
        let pictures: Vec<_> = (0..count).map(|n| pattern.paint(n, WallTime(0))).collect();
        let mut bytes = Vec::new();
        let mut writer = Writer::new(&mut bytes, width, height, 25).unwrap();
        for picture in &pictures {
            writer.write(picture).unwrap();
        }
        (bytes, pictures)
    }

    #[test]
    fn what_was_written_reads_back() {
        for (width, height) in [(80, 46), (81, 47)] {
            let (bytes, pictures) = film(width, height, 3);
            assert_eq!(read_all(&bytes).unwrap(), pictures);
        }
    }

    #[test]
    fn every_cut_but_those_between_pictures_is_an_error() {
        let (bytes, _) = film(80, 45, 2);
        let header = bytes.iter().position(|&b| b == b'\n').unwrap() + 1;
        let picture = (bytes.len() - header) / 2;
        for cut in (0..bytes.len()).step_by(7).chain([header, header + picture]) {
            let whole = cut >= header && (cut - header) % picture == 0;
            assert_eq!(read_all(&bytes[..cut]).is_ok(), whole, "cut at {cut}");
        }
    }

    #[test]
    fn headers_are_read_with_care() {
        let header = |text: &str| Reader::new(format!("{text}\n").as_bytes()).map(|r| r.header());
        let full = header("YUV4MPEG2 W5 H3 F30000:1001 It A128:117 C420mpeg2 XYSCSS=420MPEG2").unwrap();
        assert_eq!(full, Header { width: 5, height: 3, rate: (30000, 1001), mono: false });
        assert!(header("YUV4MPEG2 H1 W1 F0:0 Cmono").unwrap().mono);
        for bad in [
            "",
            "YUV4MPEG",
            "YUV4MPEG2",
            "YUV4MPEG2 W5",
            "YUV4MPEG2 W0 H5",
            "YUV4MPEG2 W99999 H5",
            "YUV4MPEG2 W-5 H5",
            "YUV4MPEG2 W5 H5 F1:0",
            "YUV4MPEG2 W5 H5 F25",
            "YUV4MPEG2 W5 H5 C444",
            "YUV4MPEG2 W5 H5 C420p10",
            "YUV4MPEG2 W5 H5 F1:4000000000",
            "RIFF",
        ] {
            assert!(matches!(header(bad), Err(Error::Damaged(_))), "{bad:?}");
        }
        let long = format!("YUV4MPEG2 W5 H5 X{}", "x".repeat(4000));
        assert!(header(&long).is_err());
    }

    #[test]
    fn a_lying_header_allocates_little() {
        let bytes = b"YUV4MPEG2 W4096 H4096\nFRAME\nshort";
        assert!(read_all(bytes).is_err());
    }

    #[test]
    fn mono_gets_grey_chroma_and_frames_may_have_parameters() {
        let pictures = read_all(b"YUV4MPEG2 W2 H2 Cmono\nFRAME Ip\nabcd").unwrap();
        assert_eq!(pictures[0].data(), [b'a', b'b', b'c', b'd', 128, 128]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_pictures_or_an_error(tail in proptest::collection::vec(any::<u8>(), 0..300), prefix in 0_usize..3) {
            let start: &[u8] = [&b""[..], b"YUV4MPEG2 ", b"YUV4MPEG2 W3 H3 C420\nFRAME\n"][prefix];
            let _ = read_all(&[start, &tail].concat());
        }
    }
}
