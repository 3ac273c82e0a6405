//! The assembly on a wire in virtual time.

use proptest::prelude::*;

use super::super::video::{Packetiser, frame};
use super::super::wire::{Conditions, Random, Wire};
use super::*;

const FRAME: Duration = Duration::from_millis(40);

/// A stand-in for an encoded frame: the first bit says key frame, then the frame number.
fn encoded(number: u32, keyframe: bool, size: usize) -> Vec<u8> {
    let mut data = vec![u8::from(!keyframe)];
    data.extend_from_slice(&number.to_be_bytes());
    data.resize(size.max(5), number as u8);
    data
}

fn number(frame: &AssembledFrame) -> u32 {
    u32::from_be_bytes(frame.data[1..5].try_into().unwrap())
}

struct Sender {
    packetiser: Packetiser,
    number: u32,
}

impl Sender {
    fn new() -> Self {
        Self { packetiser: Packetiser::new(5, 65_500, 0x7ff0), number: 0 }
    }

    fn frame(&mut self, keyframe: bool, size: usize, now: Instant) -> Vec<RtpPacket> {
        self.frame_of(VideoCodec::Vp8, keyframe, size, now)
    }

    fn frame_of(&mut self, codec: VideoCodec, keyframe: bool, size: usize, now: Instant) -> Vec<RtpPacket> {
        let mut data = encoded(self.number, keyframe, size);
        if codec == VideoCodec::Vp9 {
            data[0] = if keyframe { 0x82 } else { 0x86 };
        }
        let frame = frame(codec, data, keyframe, self.number.wrapping_mul(3_600));
        let packets = self.packetiser.packetise(&frame, usize::MAX, now);
        self.number += 1;
        packets
    }
}

fn drain(assembly: &mut Assembly, now: Instant) -> Vec<AssembledFrame> {
    std::iter::from_fn(|| assembly.next_frame(now)).collect()
}

#[test]
fn frames_in_order_come_out_at_once() {
    let (mut assembly, mut sender, mut now) = (Assembly::new(), Sender::new(), Instant::now());
    for i in 0..100 {
        for packet in sender.frame(i == 0, 3_000, now) {
            assembly.push(packet);
        }
        let frames = drain(&mut assembly, now);
        assert_eq!(frames.iter().map(number).collect::<Vec<_>>(), [i]);
        assert_eq!(frames[0].data.len(), 3_000);
        assert_eq!(frames[0].keyframe, i == 0);
        assert!(!assembly.take_wish(now));
        now += FRAME;
    }
    assert_eq!(assembly.counts().frames, 100);
    assert_eq!(assembly.counts().lost, 0);
}

#[test]
fn a_stream_joined_in_the_middle_wishes_for_a_key_frame_at_once_and_not_too_often() {
    let (mut assembly, mut sender, mut now) = (Assembly::new(), Sender::new(), Instant::now());
    let mut wishes = 0;
    for i in 0..50 {
        for packet in sender.frame(i == 40, 800, now) {
            assembly.push(packet);
        }
        let frames = drain(&mut assembly, now);
        assert_eq!(frames.len(), usize::from(i >= 40), "frame {i}");
        let wish = assembly.take_wish(now);
        assert!(i > 0 || wish, "the first wish is immediate");
        wishes += u32::from(wish);
        now += FRAME;
    }
    assert_eq!(wishes, 8, "every 200 ms for 1.6 s");
}

#[test]
fn a_retransmission_in_time_fills_the_hole_and_nothing_is_lost() {
    let (mut assembly, mut sender, mut now) = (Assembly::new(), Sender::new(), Instant::now());
    let mut missing = None;
    let mut seen = Vec::new();
    for i in 0..10 {
        for packet in sender.frame(i == 0, 2_500, now) {
            if i == 4 && missing.is_none() && !packet.marker {
                missing = Some(packet);
                continue;
            }
            assembly.push(packet);
        }
        if i == 6 {
            let mut late = missing.clone().unwrap();
            late.arrived = now;
            assembly.push(late);
        }
        seen.extend(drain(&mut assembly, now).iter().map(number));
        assert!(!assembly.take_wish(now));
        now += FRAME;
    }
    assert_eq!(seen, (0..10).collect::<Vec<_>>());
    assert_eq!((assembly.counts().recovered, assembly.counts().lost), (1, 0));
}

#[test]
fn behind_a_hole_nothing_is_handed_on_until_a_key_frame() {
    let (mut assembly, mut sender, mut now) = (Assembly::new(), Sender::new(), Instant::now());
    let (mut seen, mut wished_at) = (Vec::new(), None);
    for i in 0..30 {
        let key = i == 0 || wished_at.is_some_and(|at| i == at + 2);
        for (index, packet) in sender.frame(key, 2_500, now).into_iter().enumerate() {
            if i != 5 || index != 1 {
                assembly.push(packet);
            }
        }
        seen.extend(drain(&mut assembly, now).iter().map(number));
        if assembly.take_wish(now) && wished_at.is_none() {
            wished_at = Some(i);
        }
        now += FRAME;
    }
    let wished = wished_at.unwrap();
    assert!((11..=13).contains(&wished), "after its patience: {wished}");
    let expected: Vec<u32> = (0..5).chain(wished + 2..30).collect();
    assert_eq!(seen, expected);
    assert_eq!(assembly.counts().lost, 1);
    assert_eq!(u64::from(wished + 2 - 6), assembly.counts().frames_dropped - 1);
}

#[test]
fn a_picture_id_gap_without_a_missing_packet_asks_for_a_key_frame() {
    let (mut assembly, mut sender, now) = (Assembly::new(), Sender::new(), Instant::now());
    let mut packets = sender.frame(true, 100, now);
    let skipped = sender.frame(false, 100, now);
    packets.extend(sender.frame(false, 100, now));
    packets[1].sequence = skipped[0].sequence;
    packets.into_iter().for_each(|packet| assembly.push(packet));
    assert_eq!(drain(&mut assembly, now).len(), 1);
    assert!(assembly.take_wish(now));
    assert_eq!(assembly.counts().picture_gaps, 1);
}

#[test]
fn another_codec_goes_on_with_a_key_frame_and_a_frame_is_of_one_codec() {
    use VideoCodec::{Vp8, Vp9};
    let (mut assembly, mut sender, mut now) = (Assembly::new(), Sender::new(), Instant::now());
    let mut seen = Vec::new();
    let plan = [
        (Vp8, true, true),
        (Vp8, false, true),
        (Vp9, true, true),
        (Vp9, false, true),
        // Without its key frame nothing of it is of use, nor of the other one afterwards.
        (Vp8, false, false),
        (Vp9, false, false),
        (Vp8, true, true),
        (Vp8, false, true),
    ];
    for (codec, keyframe, handed_on) in plan {
        for packet in sender.frame_of(codec, keyframe, 2_500, now) {
            assembly.push(packet);
        }
        let frames = drain(&mut assembly, now);
        assert_eq!(frames.len(), usize::from(handed_on), "{codec:?} {keyframe}");
        seen.extend(frames.iter().map(|frame| (frame.codec, frame.keyframe)));
        assert_eq!(assembly.take_wish(now), !handed_on);
        now += WISH_INTERVAL;
    }
    let expected = plan.iter().filter(|(.., handed_on)| *handed_on);
    assert!(seen.into_iter().eq(expected.map(|&(codec, keyframe, _)| (codec, keyframe))));
    assert_eq!((assembly.counts().frames_dropped, assembly.counts().picture_gaps), (2, 0));

    let mut mixed = sender.frame_of(Vp9, true, 2_500, now);
    mixed[1].payload_type = video::VP8_PAYLOAD_TYPE;
    mixed.into_iter().for_each(|packet| assembly.push(packet));
    assert!(drain(&mut assembly, now).is_empty());
    assert_eq!(assembly.counts().malformed, 1);
    let mut unknown = sender.frame_of(Vp9, true, 100, now);
    unknown[0].payload_type = 35;
    unknown.into_iter().for_each(|packet| assembly.push(packet));
    assert_eq!(assembly.counts().malformed, 2);
}

#[test]
fn padding_takes_a_number_and_breaks_nothing() {
    let (mut assembly, mut sender, now) = (Assembly::new(), Sender::new(), Instant::now());
    let first = sender.frame(true, 100, now);
    let padding = sender.frame(false, 100, now);
    let mut padding = padding[0].clone();
    padding.payload = Bytes::new();
    padding.marker = false;
    padding.timestamp = first[0].timestamp;
    sender.packetiser = Packetiser::new(5, padding.sequence.wrapping_add(1), 0x7ff1);
    let second = sender.frame(false, 100, now);
    first.into_iter().chain([padding]).chain(second).for_each(|packet| assembly.push(packet));
    assert_eq!(drain(&mut assembly, now).len(), 2);
}

#[test]
fn a_repair_that_stands_in_a_queue_is_waited_for_but_not_for_ever() {
    let ms = Duration::from_millis;
    let patience = |usual, latest| {
        let mut assembly = Assembly::new();
        assembly.set_rtt(ms(usual), ms(latest));
        assembly.patience()
    };
    assert!((ms(240)..ms(300)).contains(&patience(40, 40)), "{:?}", patience(40, 40));
    assert!((ms(840)..ms(900)).contains(&patience(40, 400)), "{:?}", patience(40, 400));
    assert_eq!(patience(40, 2_000), MOST_PATIENCE);
    assert!(MOST_PATIENCE < GIVE_UP);
}

#[test]
fn an_outage_of_many_packets_wishes_at_once() {
    let (mut assembly, mut sender, mut now) = (Assembly::new(), Sender::new(), Instant::now());
    sender.frame(true, 100, now).into_iter().for_each(|packet| assembly.push(packet));
    assert_eq!(drain(&mut assembly, now).len(), 1);
    for _ in 0..300 {
        sender.frame(false, 100, now);
        now += FRAME;
    }
    sender.frame(false, 100, now).into_iter().for_each(|packet| assembly.push(packet));
    assert!(drain(&mut assembly, now).is_empty());
    assert!(assembly.take_wish(now));
    sender.frame(true, 4_000, now).into_iter().for_each(|mut packet| {
        packet.arrived = now + assembly.patience();
        assembly.push(packet);
    });
    now += assembly.patience();
    assert_eq!(drain(&mut assembly, now).len(), 1);
    assert_eq!(assembly.counts().lost, 300);
}

#[test]
fn a_new_sender_and_a_sender_that_counts_anew_are_followed() {
    let (mut assembly, mut sender, now) = (Assembly::new(), Sender::new(), Instant::now());
    sender.frame(true, 100, now).into_iter().for_each(|packet| assembly.push(packet));
    assert_eq!(drain(&mut assembly, now).len(), 1);
    let mut other = Sender { packetiser: Packetiser::new(6, 100, 0), number: 0 };
    other.frame(true, 100, now).into_iter().for_each(|packet| assembly.push(packet));
    assert_eq!(drain(&mut assembly, now).len(), 1, "another SSRC");
    let mut again = Sender { packetiser: Packetiser::new(6, 60_000, 0), number: 0 };
    let mut frames = 0;
    for _ in 0..300 {
        again.frame(true, 100, now).into_iter().for_each(|packet| assembly.push(packet));
        frames += drain(&mut assembly, now).len();
    }
    assert!(frames > 50, "{frames} after the numbers went back");
}

#[test]
fn a_hole_that_never_fills_is_given_up_and_the_window_is_bounded() {
    let (mut assembly, mut sender, mut now) = (Assembly::new(), Sender::new(), Instant::now());
    for i in 0..5_000 {
        for packet in sender.frame(i == 0, 2_500, now) {
            if i != 1 {
                assembly.push(packet);
            }
        }
        drain(&mut assembly, now);
        assembly.take_wish(now);
        assert!(assembly.window.len() <= WINDOW);
        assert!(assembly.keyframes.len() <= WINDOW);
        now += FRAME;
    }
    assert_eq!(assembly.counts().frames, 1);
    assert!(assembly.counts().frames_dropped > 4_900);
}

/// Runs a minute of video over a wire; returns (frames in time, longest gap, wishes, counts).
fn minute(conditions: Conditions, size: usize, seed: u64) -> (usize, Duration, u32, Counts) {
    let start = Instant::now();
    let (mut assembly, mut sender) = (Assembly::new(), Sender::new());
    let mut wire = Wire::new(start, seed, conditions);
    assembly.set_rtt(conditions.delay * 2, conditions.delay * 2);
    let (mut frames, mut wishes, mut longest) = (0, 0, Duration::ZERO);
    let (mut last_shown, mut keyframe_due, mut last_number) = (None, Some(start), None);
    for millisecond in 0..60_000u32 {
        let now = start + Duration::from_millis(millisecond.into());
        if millisecond % 40 == 0 {
            let key = keyframe_due.is_some_and(|at| at <= now);
            if key {
                keyframe_due = None;
            }
            for packet in sender.frame(key, if key { size * 5 } else { size }, now) {
                wire.send(now, packet);
            }
        }
        wire.receive(now).into_iter().for_each(|packet| assembly.push(packet));
        for frame in drain(&mut assembly, now) {
            assert!(
                frame.keyframe || last_number.is_some_and(|last| number(&frame) == last + 1),
                "a frame that depends on a missing one"
            );
            last_number = Some(number(&frame));
            frames += 1;
            if let Some(last) = last_shown.replace(now) {
                longest = longest.max(now - last);
            }
        }
        if assembly.take_wish(now) {
            wishes += 1;
            if !wire.random.chance(conditions.loss) {
                keyframe_due.get_or_insert(now + conditions.delay);
            }
        }
    }
    (frames, longest, wishes, assembly.counts())
}

#[test]
fn five_percent_loss_freezes_nothing() {
    for seed in 0..5 {
        let conditions = Conditions {
            loss: 5.0,
            delay: Duration::from_millis(1),
            jitter: Duration::from_millis(2),
            nack: true,
        };
        let (frames, longest, wishes, counts) = minute(conditions, 1_500, seed);
        assert!(frames >= 1_498, "{frames} {counts:?}");
        assert!(longest < Duration::from_millis(200), "{longest:?}");
        assert!(wishes <= 1, "{wishes}");
        assert!(counts.recovered > 100);
    }
}

#[test]
fn five_percent_loss_on_a_path_of_forty_milliseconds_stays_alive() {
    let conditions = Conditions {
        loss: 5.0,
        delay: Duration::from_millis(40),
        jitter: Duration::from_millis(10),
        nack: true,
    };
    let (frames, longest, _, counts) = minute(conditions, 1_500, 9);
    assert!(frames >= 1_480, "{frames} {counts:?}");
    assert!(longest < Duration::from_millis(400), "{longest:?}");
}

#[test]
fn twenty_percent_loss_keeps_most_frames() {
    for seed in 0..5 {
        let conditions = Conditions {
            loss: 20.0,
            delay: Duration::from_millis(1),
            jitter: Duration::from_millis(2),
            nack: true,
        };
        let (frames, longest, wishes, counts) = minute(conditions, 1_500, seed);
        assert!(frames >= 1_450, "{frames} {wishes} {counts:?}");
        assert!(longest < Duration::from_millis(500), "{longest:?}");
    }
}

#[test]
fn loss_without_retransmission_lives_on_key_frames() {
    let conditions =
        Conditions { loss: 2.0, delay: Duration::from_millis(5), jitter: Duration::ZERO, nack: false };
    let (frames, longest, wishes, _) = minute(conditions, 1_000, 3);
    assert!(frames > 900 && wishes > 5, "{frames} {wishes}");
    assert!(longest < Duration::from_secs(2), "{longest:?}");
}

proptest! {
    #[test]
    fn shuffled_and_doubled_packets_give_every_frame_once_in_order(seed: u64, sizes in proptest::collection::vec(1usize..5_000, 2..30)) {
        let (mut assembly, mut sender, now) = (Assembly::new(), Sender::new(), Instant::now());
        let mut random = Random(seed);
        let mut packets: Vec<RtpPacket> = Vec::new();
        for (i, size) in sizes.iter().enumerate() {
            packets.extend(sender.frame(i == 0, *size, now));
        }
        for i in 1..packets.len().saturating_sub(8) {
            packets.swap(i, i + (random.next() % 8) as usize);
            if random.chance(10.0) {
                packets.insert(i, packets[i].clone());
            }
        }
        let mut seen = Vec::new();
        for packet in packets {
            assembly.push(packet);
            seen.extend(drain(&mut assembly, now).iter().map(number));
        }
        prop_assert_eq!(seen, (0..sizes.len() as u32).collect::<Vec<_>>());
    }

    #[test]
    fn hostile_packets_neither_panic_nor_pile_up(seed: u64) {
        let (mut assembly, start) = (Assembly::new(), Instant::now());
        let mut random = Random(seed);
        let mut sequence = 0u16;
        for i in 0..2_000u64 {
            let now = start + Duration::from_millis(i);
            sequence = match random.next() % 20 {
                0 => random.next() as u16,
                1 => sequence.wrapping_sub(5),
                2 => sequence.wrapping_add(700),
                _ => sequence.wrapping_add(1),
            };
            let length = (random.next() % 9) as usize;
            let payload: Vec<u8> = (0..length).map(|_| random.next() as u8).collect();
            assembly.push(RtpPacket {
                payload_type: [96, 98][(random.next() % 2) as usize],
                marker: random.chance(30.0),
                sequence,
                timestamp: (random.next() % 4) as u32,
                ssrc: u32::from(random.chance(1.0)),
                payload: payload.into(),
                arrived: now,
            });
            drain(&mut assembly, now);
            assembly.take_wish(now);
            if random.chance(1.0) {
                assembly.decoder_failed();
            }
            prop_assert!(assembly.window.len() <= WINDOW);
        }
    }
}
