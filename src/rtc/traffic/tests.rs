//! The interceptor as the library drives it, with a path that is a list of packets.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ::rtc::interceptor::{
    Attribute, AttributedPacket, Interceptor, Packet, RTCPFeedback, RTPHeaderExtension, StreamInfo,
    TaggedPacket,
};
use ::rtc::rtcp::transport_feedbacks::transport_layer_nack::{
    TransportLayerNack, nack_pairs_from_sequence_numbers,
};
use ::rtc::rtp;
use ::rtc::sansio::Protocol;
use ::rtc::shared::TransportContext;
use bytes::Bytes;
use tokio::sync::mpsc;

use super::wire::number_of;
use super::{FEEDBACK, NUMBER_URI, Traffic};
use crate::media::codec::VideoCodec;
use crate::media::pipeline::{Bandwidth, Kind};
use crate::media::rtp::packet::RtpPacket;
use crate::media::rtp::video::{self, Packetiser};
use crate::rtc::inbound::Inbound;
use crate::rtc::shared::Shared;

const MS: Duration = Duration::from_millis(1);
const AUDIO: u32 = 11;
const VIDEO: u32 = 22;
const EXTENSION: u8 = 4;
/// What the application would send.
const WANTED: f64 = 700_000.0;

/// What the application hears.
#[derive(Default)]
struct Application {
    path: Mutex<Vec<Bandwidth>>,
    keyframes: AtomicU32,
    most: Mutex<Option<f64>>,
}

impl Inbound for Application {
    fn rtp(&self, _kind: Kind, _packet: RtpPacket) {}
    fn sender_report(&self, _kind: Kind, _ntp: u64, _rtp: u32, _arrived: Instant) {}
    fn keyframe_requested(&self) {
        self.keyframes.fetch_add(1, Ordering::Relaxed);
    }
    fn bandwidth(&self, path: Bandwidth) -> f64 {
        self.path.lock().unwrap().push(path);
        WANTED
    }
    fn most(&self) -> f64 {
        self.most.lock().unwrap().unwrap_or(f64::INFINITY)
    }
}

struct End {
    traffic: Traffic,
    application: Arc<Application>,
    shared: Arc<Shared>,
    packetiser: Packetiser,
    frames: u32,
}

fn stream(ssrc: u32, numbered: bool) -> StreamInfo {
    let feedback = |typ: &str| RTCPFeedback { typ: typ.to_owned(), parameter: String::new() };
    StreamInfo {
        ssrc,
        mime_type: if ssrc == AUDIO { "audio/opus" } else { "video/VP8" }.to_owned(),
        rtp_header_extensions: vec![RTPHeaderExtension { uri: NUMBER_URI.to_owned(), id: EXTENSION.into() }],
        rtcp_feedback: if numbered {
            vec![feedback("nack"), feedback(FEEDBACK)]
        } else {
            vec![feedback("nack")]
        },
        ..StreamInfo::default()
    }
}

impl End {
    fn new(numbered: bool) -> Self {
        let application = Arc::new(Application::default());
        let (events, _) = mpsc::channel(8);
        let shared = Arc::new(Shared::new(application.clone(), events, AUDIO, VIDEO));
        let mut traffic = Traffic::new(shared.clone());
        for ssrc in [AUDIO, VIDEO] {
            traffic.bind_local_stream(&stream(ssrc, numbered));
            traffic.bind_remote_stream(&stream(ssrc, numbered));
        }
        let packetiser = Packetiser::new(VIDEO, 65_530, 7);
        Self { traffic, application, shared, packetiser, frames: 0 }
    }

    fn write(&mut self, now: Instant, packet: rtp::Packet) {
        let message = AttributedPacket::new(Packet::Rtp(packet));
        self.traffic
            .handle_write(TaggedPacket { now, transport: TransportContext::default(), message })
            .unwrap();
    }

    fn sound(&mut self, now: Instant, sequence: u16) {
        let header = rtp::Header { version: 2, ssrc: AUDIO, sequence_number: sequence, ..Default::default() };
        self.write(now, rtp::Packet { header, payload: Bytes::from_static(&[0; 60]) });
    }

    /// A picture of so many bytes; one that depends on no other has an even first byte (RFC 6386, section 9.1).
    fn picture(&mut self, now: Instant, bytes: usize, keyframe: bool) {
        self.picture_of(now, VideoCodec::Vp8, vec![u8::from(!keyframe); bytes], keyframe);
    }

    fn picture_of(&mut self, now: Instant, codec: VideoCodec, data: Vec<u8>, keyframe: bool) {
        self.frames += 1;
        let frame = video::frame(codec, data, keyframe, self.frames * 3_600);
        for packet in self.packetiser.packetise(&frame, 1_000, now) {
            let header = rtp::Header {
                version: 2,
                ssrc: VIDEO,
                payload_type: packet.payload_type,
                marker: packet.marker,
                timestamp: packet.timestamp,
                sequence_number: packet.sequence,
                ..Default::default()
            };
            self.write(now, rtp::Packet { header, payload: packet.payload });
        }
    }

    fn tick(&mut self, now: Instant) {
        if self.traffic.poll_timeout().is_some_and(|due| due <= now) {
            self.traffic.handle_timeout(now).unwrap();
        }
    }

    /// What left since the last question.
    fn left(&mut self) -> Vec<TaggedPacket> {
        std::iter::from_fn(|| self.traffic.poll_write()).collect()
    }

    fn read(&mut self, now: Instant, packet: TaggedPacket) {
        self.traffic.handle_read(TaggedPacket { now, ..packet }).unwrap();
        while self.traffic.poll_read().is_some() {}
    }

    fn asks(&mut self, now: Instant, sequences: &[u16]) {
        let request = TransportLayerNack {
            sender_ssrc: 1,
            media_ssrc: VIDEO,
            nacks: nack_pairs_from_sequence_numbers(sequences),
        };
        let message = AttributedPacket::new(Packet::Rtcp(vec![Box::new(request)]));
        self.read(now, TaggedPacket { now, transport: TransportContext::default(), message });
    }
}

fn media(packets: Vec<TaggedPacket>) -> Vec<(rtp::Packet, bool)> {
    packets
        .into_iter()
        .filter_map(|packet| {
            let again = packet.message.has(&Attribute::Retransmission);
            match packet.message.packet {
                Packet::Rtp(rtp) => Some((rtp, again)),
                _ => None,
            }
        })
        .collect()
}

#[test]
fn where_the_other_side_tells_nothing_everything_passes_and_can_be_asked_for_again() {
    let now = Instant::now();
    let mut end = End::new(false);
    end.picture(now, 5_000, true);
    let left = media(end.left());
    assert_eq!(left.len(), 5);
    assert!(left.iter().all(|(packet, again)| !packet.header.extension && !again));
    assert!(
        left.iter()
            .map(|(packet, _)| packet.header.sequence_number)
            .eq([65_530, 65_531, 65_532, 65_533, 65_534])
    );
    end.asks(now, &[65_531, 65_533, 9]);
    let again = media(end.left());
    assert_eq!(again.len(), 2);
    assert_eq!((&again[0].0, &again[1].0), (&left[1].0, &left[3].0));
    assert!(again.iter().all(|(_, again)| *again));
    end.asks(now + MS, &[65_531]);
    assert!(end.left().is_empty(), "it is under way");
    assert!(end.application.path.lock().unwrap().is_empty());
    assert_eq!((end.shared.bandwidth(), end.traffic.poll_timeout()), (None, None));
}

#[test]
fn sound_leaves_at_once_and_pictures_at_the_pace_of_the_path() {
    let start = Instant::now();
    let mut end = End::new(true);
    assert_eq!(end.shared.bandwidth().map(|path| path.target), Some(end.shared.start_rate()));
    end.picture(start, 10_000, true);
    end.sound(start, 300);
    let first = media(end.left());
    assert!(first.len() < 6, "{} packets at once", first.len());
    assert_eq!(first.last().map(|(packet, _)| packet.header.ssrc), Some(AUDIO));
    let numbers: Vec<u16> =
        first.iter().filter_map(|(packet, _)| number_of(&packet.header, EXTENSION)).collect();
    assert!(numbers.iter().copied().eq(0..first.len() as u16), "{numbers:?}");
    assert!(end.shared.backlog() > 200 * MS, "the encoder should know that it waits");
    let mut sent = Vec::new();
    for step in 1..1_500 {
        let now = start + MS * step;
        end.tick(now);
        sent.extend(media(end.left()).into_iter().map(|(packet, _)| (step, packet)));
    }
    assert!(sent.first().is_some_and(|(step, _)| *step > 20));
    let sequences: Vec<u16> = first
        .iter()
        .map(|(packet, _)| packet)
        .chain(sent.iter().map(|(_, packet)| packet))
        .filter(|packet| packet.header.ssrc == VIDEO)
        .map(|packet| packet.header.sequence_number.wrapping_sub(65_530))
        .collect();
    assert!(sequences.iter().copied().eq(0..sequences.len() as u16), "{sequences:?}");
    assert!(end.application.path.lock().unwrap().len() > 5);
}

/// What leaves in the first 600 ms of an encoder that makes far too much, in bits per second, where so much is allowed.
fn first_rate(most: Option<f64>) -> f64 {
    let start = Instant::now();
    let mut end = End::new(true);
    *end.application.most.lock().unwrap() = most;
    let mut bytes = 0;
    for at in 0..600 {
        let now = start + MS * at;
        if at % 20 == 0 {
            end.sound(now, u16::try_from(at / 20).unwrap());
        }
        if at % 40 == 0 && end.shared.backlog() < 200 * MS {
            end.picture(now, 900, at == 0);
        }
        end.tick(now);
        bytes += media(end.left()).iter().map(|(packet, _)| packet.payload.len() + 58).sum::<usize>();
    }
    bytes as f64 * 8.0 / 0.6
}

#[test]
fn no_more_leaves_than_the_application_allows_however_wide_the_path_is() {
    // Sound alone is 47 kbit/s, and does not wait.
    let (free, held) = (first_rate(None), first_rate(Some(55_000.0)));
    assert!(held < 62_000.0 && held < 0.85 * free, "{held} of {free}");
}

#[test]
fn pictures_that_waited_too_long_are_dropped_up_to_the_next_key_frame_and_leave_no_gap() {
    let start = Instant::now();
    let mut end = End::new(true);
    end.picture(start, 60_000, true);
    let mut sent = media(end.left());
    // Nobody answers: the path carries next to nothing.
    for step in 1..12_000 {
        let now = start + MS * step;
        if step % 40 == 0 {
            end.picture(now, 400, false);
        }
        end.tick(now);
        sent.extend(media(end.left()));
    }
    assert!(end.application.keyframes.load(Ordering::Relaxed) > 0);
    let before = sent.len();
    // Not one of VP8 by its first octet: what it is says the payload type.
    end.shared.set_vp9(Some(video::VP9_PAYLOAD_TYPE));
    end.picture_of(start + MS * 12_001, VideoCodec::Vp9, vec![0x83; 500], true);
    for step in 12_001..14_000 {
        end.tick(start + MS * step);
        sent.extend(media(end.left()));
    }
    assert_eq!(sent.len(), before + 1, "after what was dropped comes the key frame");
    let sequences = sent.iter().map(|(packet, _)| packet.header.sequence_number.wrapping_sub(65_530));
    assert!(sequences.eq(0..sent.len() as u16));
}

#[test]
fn a_wide_path_is_found_with_padding_that_takes_numbers_and_can_be_asked_for_again() {
    let start = Instant::now();
    let (mut here, mut there) = (End::new(true), End::new(true));
    let mut wire: Vec<(u32, bool, TaggedPacket)> = Vec::new();
    let (mut padding, mut received, mut found_after) = (None, Vec::new(), None);
    for step in 0..9_000u32 {
        let now = start + MS * step;
        if step % 20 == 0 {
            here.sound(now, (step / 20) as u16);
        }
        if step % 40 == 0 {
            here.picture(now, 300, step == 0);
        }
        here.tick(now);
        there.tick(now);
        for (to_there, end) in [(true, &mut here), (false, &mut there)] {
            for packet in end.left() {
                if to_there && let Packet::Rtp(rtp) = &packet.message.packet {
                    if rtp.header.ssrc == VIDEO {
                        received.push(rtp.header.sequence_number.wrapping_sub(65_530));
                    }
                    if rtp.payload.is_empty() {
                        padding.get_or_insert(rtp.header.sequence_number);
                    }
                }
                wire.push((step + 20, to_there, packet));
            }
        }
        let (arrived, rest) = wire.into_iter().partition(|(at, ..)| *at <= step);
        wire = rest;
        for (_, to_there, packet) in arrived {
            if to_there { there.read(now, packet) } else { here.read(now, packet) }
        }
        let target = here.application.path.lock().unwrap().last().map_or(0.0, |path| path.target);
        if target >= WANTED {
            found_after.get_or_insert(step);
        }
    }
    let found_after = found_after.expect("it was found");
    assert!(found_after < 4_000, "the path was known after {found_after} ms");
    assert!(received.iter().copied().eq(0..received.len() as u16), "numbers have gaps");
    let padding = padding.expect("nothing was padded");
    let now = start + MS * 9_001;
    here.asks(now, &[padding]);
    let again = media(here.left());
    let found = again.iter().find(|(packet, _)| packet.header.sequence_number == padding);
    assert!(found.is_some_and(|(packet, again)| *again && packet.payload.is_empty()), "{again:?}");
}
