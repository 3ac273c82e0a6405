//! Everything that reads bytes from the network or from a file, as functions of bytes that must
//! return whatever the bytes are. The fuzz targets and the test of the seeds call the same functions.
//! A panic is a finding; so is a broken promise stated here as an assertion.

use std::io::Cursor;
use std::time::{Duration, Instant};

use bytes::Bytes;
use letsmeet::files;
use letsmeet::media::codec::{VideoCodec, vp8, vp9};
use letsmeet::media::file::{wav, y4m};
use letsmeet::media::rtp::video::{self, Fragment};
use letsmeet::media::rtp::{Assembly, JitterBuffer, RtpPacket, opus};
use letsmeet::session::control::{Message, window};
use letsmeet::session::{check_chat, parse_chat};
use letsmeet::signaling::protocol::{
    MAX_FRAME, MAX_NAME, Name, check_candidate, check_sdp, parse_client, parse_server,
};

/// A frame of either side, and a name: what parses is written back and parses to the same.
pub(crate) fn protocol(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    match parse_client(text) {
        Ok(message) => {
            assert!(text.len() <= MAX_FRAME);
            let json = message.to_json();
            assert_eq!(parse_client(&json).map(|again| again.to_json()), Ok(json));
        }
        Err(error) => assert_harmless(&error.message),
    }
    match parse_server(text) {
        Ok(message) => {
            let json = message.to_json();
            assert_eq!(parse_server(&json).map(|again| again.to_json()), Ok(json));
        }
        Err(error) => assert_harmless(&error.message),
    }
    if let Ok(name) = Name::new(text) {
        assert!(name.as_str().len() <= MAX_NAME);
        assert_harmless(name.as_str());
        let again = Name::new(name.as_str()).expect("a prepared name is a name");
        assert_eq!(again.as_str(), name.as_str());
        assert_eq!(again.fold().as_str(), name.fold().as_str());
    }
}

/// A message about files, a chunk of one and a name: what parses is written back, a name is one entry of a folder.
pub(crate) fn transfer(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Some(message) = files::wire::Message::parse(&text) {
        assert_eq!(files::wire::Message::parse(&message.text()), Some(message));
    }
    if let Some(chunk) = files::wire::Chunk::parse(Bytes::copy_from_slice(data)) {
        assert!(!chunk.data.is_empty() && chunk.data.len() <= files::wire::MAX_DATA);
    }
    let name = files::name::safe(&text);
    assert!(!name.is_empty() && name.len() <= files::name::MAX_NAME);
    assert!(!name.contains(['/', '\\', '\0']) && !name.starts_with('.'));
    assert_eq!(files::name::safe(&name), name);
    // Whatever comes in whatever order: nothing is kept but what was agreed on.
    let limits = files::Limits { policy: files::Policy::Accept, max_size: 1 << 20 };
    let mut desk = files::Desk::new(limits);
    for (turn, line) in text.split('\n').enumerate().take(200) {
        let now = Duration::from_secs(turn as u64);
        match files::wire::Message::parse(line) {
            Some(message) => drop(desk.message(message, now)),
            None => {
                let chunk = files::wire::Chunk::parse(Bytes::copy_from_slice(line.as_bytes()));
                chunk.into_iter().for_each(|chunk| drop(desk.chunk(chunk, now)));
            }
        }
        drop(desk.prepared(turn as u32 + 1, Ok((0, blake3_of_nothing()))));
    }
    drop(desk.close());
}

fn blake3_of_nothing() -> files::Hash {
    files::Hash::from_bytes([0; 32])
}

/// A session description, and each of its lines as a candidate.
pub(crate) fn sdp(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let _ = check_sdp(text);
    if let Ok(fingerprint) = letsmeet::rtc::fingerprint(text) {
        assert_harmless(&fingerprint);
        assert_eq!(letsmeet::rtc::fingerprint(text).ok(), Some(fingerprint));
    }
    for line in text.lines().take(200) {
        let candidate = line.strip_prefix("a=").unwrap_or(line);
        let _ = check_candidate(candidate, "0");
    }
}

/// Packets, each after its length in two octets, played into the assembly of frames (payload type
/// 96 and 98) and the jitter buffer (any other) five milliseconds apart.
pub(crate) fn rtp(data: &[u8]) {
    let start = Instant::now();
    let (mut assembly, mut jitter) = (Assembly::new(), JitterBuffer::new(start));
    let (mut rest, mut now) = (data, start);
    while let Some((length, after)) = rest.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length)).min(after.len());
        let (packet, next) = after.split_at(length);
        (rest, now) = (next, now + Duration::from_millis(5));
        let bytes = Bytes::copy_from_slice(packet);
        for codec in [VideoCodec::Vp8, VideoCodec::Vp9] {
            let _ = Fragment::parse(codec, &bytes);
        }
        let _ = (vp8::header(&bytes), vp9::header(&bytes));
        let _ = (opus::duration(&bytes), opus::has_fec(&bytes));
        let Ok(packet) = RtpPacket::parse(&bytes, now) else {
            continue;
        };
        let again = RtpPacket::parse(&packet.to_bytes(), now);
        assert_eq!(again.as_ref(), Ok(&packet));
        if video::codec(packet.payload_type).is_some() {
            assembly.push(packet);
            while let Some(frame) = assembly.next_frame(now) {
                assert!(!frame.data.is_empty());
            }
            let _ = assembly.take_wish(now);
        } else {
            jitter.push(packet);
            let playout = jitter.next(now);
            assert!(playout.samples <= 48_000, "{playout:?}");
            assert!(jitter.len() <= 4_096, "{} packets held", jitter.len());
        }
    }
}

/// Most that the file target reads of one input: what an input promises beyond its own length must
/// come from nowhere.
const MOST: usize = 1 << 20;

/// The same bytes as a film (Y4M) and as sound (WAV).
pub(crate) fn files(data: &[u8]) {
    if let Ok(mut film) = y4m::Reader::new(Cursor::new(data)) {
        let header = film.header();
        let mut pictures = Vec::new();
        while let Ok(Some(picture)) = film.next_picture() {
            assert_eq!((picture.width(), picture.height()), (header.width, header.height));
            pictures.push(picture);
        }
        assert!(pictures.len() * header.picture_bytes() <= data.len());
        // Written and read again, they are the same pictures.
        let mut copy = Vec::new();
        let mut writer = y4m::Writer::new(&mut copy, header.width, header.height, 25).expect("into memory");
        for picture in &pictures {
            writer.write(picture).expect("into memory");
        }
        drop(writer);
        let mut again = y4m::Reader::new(Cursor::new(&copy[..])).expect("what was written is a film");
        for picture in &pictures {
            let read = again.next_picture().expect("whole").expect("as many");
            assert_eq!(read.data(), picture.data());
        }
    }
    if let Ok(mut sound) = wav::Reader::new(Cursor::new(data)) {
        let mut samples = Vec::new();
        while samples.len() < MOST {
            let before = samples.len();
            match sound.read(480, &mut samples) {
                Ok(0) | Err(_) => break,
                Ok(read) => assert_eq!(samples.len() - before, read),
            }
        }
        assert!(samples.len() <= data.len(), "{} samples of {} bytes", samples.len(), data.len());
        assert!(samples.iter().all(|sample| sample.is_finite()));
        if sound.rewind().is_ok() {
            let mut again = Vec::new();
            let _ = sound.read(samples.len(), &mut again);
            assert!(again.iter().zip(&samples).all(|(a, b)| a.to_bits() == b.to_bits()));
        }
    }
}

/// A message of the control channel: what is one is written back as it came, and is no written message of a person as well.
pub(crate) fn control(data: &[u8]) {
    if let Some(text) = parse_chat(data) {
        assert_eq!(Message::parse(data), None);
        assert!(check_chat(text).is_ok());
        // What a person sees of it.
        letsmeet::text::lines(text).iter().for_each(|line| assert_harmless(line.as_str()));
    }
    if let Some(message) = Message::parse(data) {
        assert_eq!(message.text().as_bytes(), data);
        if let Message::Window(limit) = message {
            assert_eq!(window(limit.width, limit.height, limit.fps), Some(limit));
        }
    }
}

/// What may be shown to a person: nothing that a terminal would obey.
fn assert_harmless(text: &str) {
    let bad = text.chars().find(|c| {
        c.is_control() || matches!(*c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    });
    assert_eq!(bad, None, "{text:?}");
}
