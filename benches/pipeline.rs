//! What one packet costs on its way in: frame assembly and the jitter buffer, without codecs.
//!
//! `cargo bench --bench pipeline`

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use letsmeet::media::WallTime;
use letsmeet::media::codec::{EncodedFrame, VideoCodec};
use letsmeet::media::rtp::video::Packetiser;
use letsmeet::media::rtp::{Assembly, JitterBuffer, RtpPacket};

/// Ten seconds of 25 frames of six packets each, arrivals 40 ms apart; every 20th packet comes
/// 40 ms late when `lossy`, as a retransmission does.
fn video(start: Instant, lossy: bool) -> Vec<RtpPacket> {
    let mut packetiser = Packetiser::new(1, 60_000, 7);
    let mut packets = Vec::new();
    for frame in 0..250u32 {
        let mut data = vec![u8::from(frame != 0); 7_000];
        data[1..5].copy_from_slice(&frame.to_be_bytes());
        let now = start + Duration::from_millis(u64::from(frame) * 40);
        let encoded = EncodedFrame {
            codec: VideoCodec::Vp8,
            data: data.into(),
            keyframe: frame == 0,
            timestamp: frame * 3_600,
            captured: WallTime(0),
            width: 640,
            height: 360,
        };
        packets.extend(packetiser.packetise(&encoded, usize::MAX, now));
    }
    if lossy {
        for packet in packets.iter_mut().step_by(20).skip(1) {
            packet.arrived += Duration::from_millis(41);
        }
        packets.sort_by_key(|packet| packet.arrived);
    }
    packets
}

/// Ten seconds of Opus packets of 20 ms; every 20th is missing when `lossy`.
fn audio(start: Instant, lossy: bool) -> Vec<RtpPacket> {
    let all = (0..500u32).map(|number| RtpPacket {
        payload_type: 111,
        marker: number == 0,
        sequence: 65_000u16.wrapping_add(number as u16),
        timestamp: number.wrapping_mul(960),
        ssrc: 2,
        payload: Bytes::from(vec![9 << 3, 0b0100_0000, 3, 4]),
        arrived: start + Duration::from_millis(u64::from(number) * 20 + u64::from(number % 5)),
    });
    all.filter(|packet| !lossy || packet.sequence % 20 != 0).collect()
}

fn assemble(packets: Vec<RtpPacket>) -> u64 {
    let mut assembly = Assembly::new();
    for packet in packets {
        let now = packet.arrived;
        assembly.push(packet);
        while let Some(frame) = assembly.next_frame(now) {
            black_box(frame);
        }
        black_box(assembly.take_wish(now));
    }
    assembly.counts().frames
}

fn play(start: Instant, packets: Vec<RtpPacket>) -> u64 {
    let mut buffer = JitterBuffer::new(start);
    let mut beat = start + Duration::from_millis(40);
    for packet in packets {
        while beat <= packet.arrived {
            black_box(buffer.next(beat));
            beat += Duration::from_millis(20);
        }
        buffer.push(packet);
    }
    buffer.counts().samples
}

fn packets(criterion: &mut Criterion) {
    let start = Instant::now();
    for (name, lossy) in [("calm", false), ("5 % lost", true)] {
        let mut group = criterion.benchmark_group("assembly");
        let packets = video(start, lossy);
        group.throughput(Throughput::Elements(packets.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter_batched(|| packets.clone(), assemble, BatchSize::SmallInput);
        });
        group.finish();
        let mut group = criterion.benchmark_group("jitter buffer");
        let packets = audio(start, lossy);
        group.throughput(Throughput::Elements(packets.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter_batched(|| packets.clone(), |packets| play(start, packets), BatchSize::SmallInput);
        });
        group.finish();
    }
}

criterion_group!(benches, packets);
criterion_main!(benches);
