//! The jitter buffer on a wire in virtual time.

use proptest::prelude::*;

use super::super::wire::{Conditions, Random, Wire};
use super::*;

/// SILK, 20 ms, with and without the LBRR flag.
const TOC: u8 = 9 << 3;
const FEC: u8 = 0b0100_0000;
const TICK: Duration = Duration::from_millis(20);

fn packet(number: u32, at: Instant) -> RtpPacket {
    let mut payload = vec![TOC, FEC];
    payload.extend_from_slice(&number.to_be_bytes());
    RtpPacket {
        payload_type: 111,
        marker: false,
        sequence: 65_000u16.wrapping_add(number as u16),
        timestamp: 0xffff_0000u32.wrapping_add(number.wrapping_mul(960)),
        ssrc: 3,
        payload: payload.into(),
        arrived: at,
    }
}

fn without_fec(number: u32, at: Instant) -> RtpPacket {
    let packet = packet(number, at);
    let mut payload = packet.payload.to_vec();
    payload[1] = 0;
    RtpPacket { payload: payload.into(), ..packet }
}

fn number(payload: &[u8]) -> u32 {
    u32::from_be_bytes(payload[2..6].try_into().unwrap())
}

/// A listener that plays packet by packet, as the playout thread does, stretching ideally.
struct Listener {
    buffer: JitterBuffer,
    tick: Option<Instant>,
    delays: Vec<Duration>,
    played: Vec<u32>,
}

impl Listener {
    fn new(start: Instant) -> Self {
        Self { buffer: JitterBuffer::new(start), tick: None, delays: Vec::new(), played: Vec::new() }
    }

    /// Plays what is due until `now`; `sent` tells when a packet number was captured.
    fn run(&mut self, now: Instant, sent: impl Fn(u32) -> Instant) {
        if self.tick.is_none() {
            self.tick = self.buffer.starts_at().filter(|&at| at <= now);
        }
        while let Some(tick) = self.tick.filter(|&at| at <= now) {
            let playout = self.buffer.next(tick);
            let mut samples = playout.samples as i64;
            if let What::Packet(payload) = &playout.what {
                self.played.push(number(payload));
                self.delays.push(tick - sent(number(payload)));
                // A pause of a fifth of a second in each.
                let pause = number(payload) % 50 < 10;
                samples += match playout.adjust {
                    Adjust::Shorten(When::Now) => -240,
                    Adjust::Lengthen(When::Now) => 240,
                    Adjust::Shorten(When::InPauses) if pause => -240,
                    Adjust::Lengthen(When::InPauses) if pause => 240,
                    _ => 0,
                };
            }
            self.tick = Some(tick + Duration::from_nanos(samples as u64 * 62_500 / 3));
        }
    }
}

struct Heard {
    counts: Counts,
    delays: Vec<Duration>,
    played: Vec<u32>,
}

impl Heard {
    fn concealed(&self) -> f64 {
        self.counts.concealed_samples as f64 * 100.0 / self.counts.samples as f64
    }

    fn p95(&self) -> Duration {
        let mut delays = self.delays.clone();
        delays.sort();
        delays[delays.len() * 95 / 100]
    }
}

/// A minute of sound over a wire that may change as time goes by.
fn minute(seed: u64, conditions: Conditions, change: impl FnMut(u32, &mut Wire)) -> Heard {
    minute_of(seed, conditions, packet, change)
}

fn minute_of(
    seed: u64,
    conditions: Conditions,
    packet: fn(u32, Instant) -> RtpPacket,
    mut change: impl FnMut(u32, &mut Wire),
) -> Heard {
    let start = Instant::now();
    let mut wire = Wire::new(start, seed, conditions);
    let mut listener = Listener::new(start);
    for millisecond in 0..60_000u32 {
        let now = start + Duration::from_millis(millisecond.into());
        change(millisecond, &mut wire);
        if millisecond % 20 == 0 {
            wire.send(now, packet(millisecond / 20, now));
        }
        wire.receive(now).into_iter().for_each(|packet| listener.buffer.push(packet));
        listener.run(now, |number| start + TICK * number);
    }
    Heard { counts: listener.buffer.counts(), delays: listener.delays, played: listener.played }
}

fn calm() -> Conditions {
    Conditions { loss: 0.0, delay: Duration::from_millis(1), jitter: Duration::from_millis(1), nack: true }
}

#[test]
fn on_a_calm_network_everything_is_played_forty_milliseconds_late() {
    let heard = minute(1, calm(), |_, _| {});
    assert_eq!(heard.counts.concealed_samples, 0, "{:?}", heard.counts);
    assert_eq!(heard.counts.lost, 0);
    assert!(heard.p95() <= Duration::from_millis(52), "{:?}", heard.p95());
    assert!(heard.played.windows(2).all(|w| w[1] == w[0] + 1));
}

#[test]
fn five_percent_loss_is_hardly_heard() {
    for seed in 0..5 {
        let heard = minute(seed, Conditions { loss: 5.0, ..calm() }, |_, _| {});
        assert!(heard.concealed() < 0.5, "{} {:?}", heard.concealed(), heard.counts);
        assert!(heard.counts.recovered_by_fec + heard.counts.recovered_by_retransmission > 100);
        assert!(heard.p95() < Duration::from_millis(80), "{:?}", heard.p95());
        eprintln!("5 %: {:.3} % concealed, p95 {:?} {:?}", heard.concealed(), heard.p95(), heard.counts);
    }
}

#[test]
fn five_percent_loss_on_a_long_path_is_left_to_fec() {
    let conditions = Conditions {
        loss: 5.0,
        delay: Duration::from_millis(80),
        jitter: Duration::from_millis(10),
        nack: true,
    };
    let heard = minute(7, conditions, |_, _| {});
    assert!(heard.concealed() < 1.0, "{} {:?}", heard.concealed(), heard.counts);
    assert!(heard.counts.recovered_by_fec > 60, "{:?}", heard.counts);
}

#[test]
fn where_fec_is_missing_the_delay_grows_until_retransmissions_are_in_time() {
    let conditions = Conditions {
        loss: 5.0,
        delay: Duration::from_millis(35),
        jitter: Duration::from_millis(2),
        nack: true,
    };
    let heard = minute_of(3, conditions, without_fec, |_, _| {});
    eprintln!("{:.3} % p95 {:?} {:?}", heard.concealed(), heard.p95(), heard.counts);
    assert!(heard.concealed() < 2.0, "{} {:?}", heard.concealed(), heard.counts);
    assert!(heard.counts.recovered_by_retransmission > 60, "{:?}", heard.counts);
}

#[test]
fn twenty_percent_loss_conceals_little() {
    for seed in 0..5 {
        let heard = minute(seed, Conditions { loss: 20.0, ..calm() }, |_, _| {});
        assert!(heard.concealed() < 2.0, "{} {:?}", heard.concealed(), heard.counts);
        eprintln!("20 %: {:.3} % concealed, p95 {:?}", heard.concealed(), heard.p95());
    }
}

#[test]
fn loss_without_retransmission_is_recovered_from_the_next_packet() {
    let heard = minute(3, Conditions { loss: 5.0, nack: false, ..calm() }, |_, _| {});
    assert!(heard.concealed() < 0.6, "{} {:?}", heard.concealed(), heard.counts);
    let recovered = heard.counts.recovered_by_fec as f64 / heard.counts.lost as f64;
    assert!(recovered > 0.9, "{recovered}");
}

#[test]
fn the_delay_grows_at_once_with_jitter_and_comes_back_slowly() {
    let heard = minute(4, calm(), |millisecond, wire| {
        let jittery = (10_000..20_000).contains(&millisecond);
        wire.conditions.jitter = Duration::from_millis(if jittery { 70 } else { 1 });
    });
    let during = heard.delays[700];
    assert!((60..=130).contains(&during.as_millis()), "{during:?}");
    let after = heard.delays[heard.delays.len() - 10];
    assert!(after < Duration::from_millis(55), "{after:?}");
    assert!(heard.concealed() < 0.5, "{} {:?}", heard.concealed(), heard.counts);
}

#[test]
fn a_path_that_gets_much_longer_is_followed_within_a_second() {
    let heard = minute(5, calm(), |millisecond, wire| {
        wire.conditions.delay = Duration::from_millis(if millisecond < 20_000 { 1 } else { 400 });
    });
    assert!(heard.counts.concealed_samples < 48_000 * 2, "{:?}", heard.counts);
    let last = heard.delays[heard.delays.len() - 10];
    assert!((430..=480).contains(&last.as_millis()), "{last:?}");
}

#[test]
fn a_path_that_gets_shorter_skips_ahead() {
    let heard = minute(5, Conditions { delay: Duration::from_millis(500), ..calm() }, |ms, wire| {
        wire.conditions.delay = Duration::from_millis(if ms < 20_000 { 500 } else { 1 });
    });
    let last = heard.delays[heard.delays.len() - 10];
    assert!(last < Duration::from_millis(55), "{last:?}");
}

#[test]
fn ten_seconds_of_nothing_and_the_sound_is_back_at_once() {
    let heard = minute(6, calm(), |millisecond, wire| {
        let cut = (20_000..30_000).contains(&millisecond);
        wire.conditions.loss = if cut { 100.0 } else { 0.0 };
    });
    let concealed = heard.counts.concealed_samples / 48;
    assert!((9_900..=10_150).contains(&concealed), "{concealed} ms");
    let back = heard.played.iter().position(|&n| n >= 1_500).unwrap();
    assert!(heard.delays[back] < Duration::from_millis(60));
}

#[test]
fn a_silence_left_out_by_the_sender_is_no_loss() {
    let start = Instant::now();
    let mut listener = Listener::new(start);
    for millisecond in 0..10_000u32 {
        let now = start + Duration::from_millis(millisecond.into());
        // Two seconds of sound, two of silence in which one packet in 20 is sent.
        let number = millisecond / 20;
        let silent = (millisecond / 2_000) % 2 == 1;
        if millisecond % 20 == 0 && (!silent || number % 20 == 0) {
            let mut packet = packet(number, now);
            let left_out: u32 = (0..number).filter(|n| (n / 100) % 2 == 1 && n % 20 != 0).count() as u32;
            packet.sequence = packet.sequence.wrapping_sub(left_out as u16);
            listener.buffer.push(packet);
        }
        listener.run(now, |number| start + TICK * number);
    }
    let counts = listener.buffer.counts();
    assert_eq!(counts.lost, 0, "{counts:?}");
    assert!(counts.silence_samples > 48_000 * 3, "{counts:?}");
    // Only what is under way at the very end is not yet told apart.
    assert!(counts.concealed_samples < 48_000 / 2, "{counts:?}");
}

#[test]
fn duplicates_and_rubbish_are_counted_and_left_out() {
    let start = Instant::now();
    let mut buffer = JitterBuffer::new(start);
    buffer.push(packet(0, start));
    buffer.push(packet(0, start));
    let mut empty = packet(1, start);
    empty.payload = Bytes::new();
    buffer.push(empty);
    assert_eq!((buffer.counts().duplicates, buffer.counts().discarded, buffer.len()), (1, 1, 1));
}

#[test]
fn timestamps_that_jump_either_way_are_followed() {
    for jump in [48_000u32 * 30, 0u32.wrapping_sub(48_000 * 30)] {
        let start = Instant::now();
        let mut listener = Listener::new(start);
        for millisecond in 0..10_000u32 {
            let now = start + Duration::from_millis(millisecond.into());
            if millisecond % 20 == 0 {
                let mut packet = packet(millisecond / 20, now);
                if millisecond >= 5_000 {
                    packet.timestamp = packet.timestamp.wrapping_add(jump);
                }
                listener.buffer.push(packet);
            }
            listener.run(now, |number| start + TICK * number);
        }
        let last = *listener.delays.last().unwrap();
        assert!(last < Duration::from_millis(60), "{jump}: {last:?}");
        let played = listener.played.len();
        assert!(played > 440, "{jump}: {played} {:?}", listener.buffer.counts());
    }
}

#[test]
fn clocks_that_differ_by_a_part_in_two_thousand_stay_in_step_for_ten_minutes() {
    for parts in [-500i64, 500] {
        let start = Instant::now();
        let mut listener = Listener::new(start);
        let sent = |n: u32| start + Duration::from_nanos((i64::from(n) * 20 * (1_000_000 + parts)) as u64);
        let mut number = 0;
        for millisecond in 0..600_000u64 {
            let now = start + Duration::from_millis(millisecond);
            while sent(number) <= now {
                listener.buffer.push(packet(number, sent(number)));
                number += 1;
            }
            listener.run(now, sent);
        }
        let counts = listener.buffer.counts();
        assert!(counts.concealed_samples < 48_000, "{parts}: {counts:?}");
        let last = *listener.delays.last().unwrap();
        assert!((20..=80).contains(&last.as_millis()), "{parts}: {last:?}");
    }
}

#[test]
fn a_longer_delay_can_be_asked_for_lips() {
    let start = Instant::now();
    let mut listener = Listener::new(start);
    for millisecond in 0..5_000u32 {
        let now = start + Duration::from_millis(millisecond.into());
        if millisecond == 1_000 {
            listener.buffer.set_extra(Duration::from_millis(60));
        }
        if millisecond % 20 == 0 {
            listener.buffer.push(packet(millisecond / 20, now));
        }
        listener.run(now, |number| start + TICK * number);
    }
    assert!((88..=112).contains(&listener.delays.last().unwrap().as_millis()));
    assert_eq!(listener.buffer.counts().concealed_samples, 0);
}

proptest! {
    #[test]
    fn whatever_comes_the_playout_goes_on_and_memory_is_bounded(seed: u64) {
        let start = Instant::now();
        let mut random = Random(seed);
        let mut buffer = JitterBuffer::new(start);
        let (mut sequence, mut timestamp) = (random.next() as u16, random.next() as u32);
        let mut at = start;
        for i in 0..3_000u64 {
            let now = start + Duration::from_millis(i * 7);
            sequence = match random.next() % 30 {
                0 => random.next() as u16,
                1 => sequence.wrapping_sub(3),
                2 => sequence.wrapping_add(40),
                _ => sequence.wrapping_add(1),
            };
            timestamp = match random.next() % 30 {
                0 => random.next() as u32,
                1 => timestamp.wrapping_sub(960),
                _ => timestamp.wrapping_add(960),
            };
            let payload: Vec<u8> = (0..random.next() % 5).map(|_| random.next() as u8).collect();
            buffer.push(RtpPacket {
                payload_type: 111, marker: false, sequence, timestamp,
                ssrc: u32::from(random.chance(0.5)), payload: payload.into(), arrived: now,
            });
            prop_assert!(buffer.len() <= CAPACITY);
            while at < now {
                let playout = buffer.next(at);
                prop_assert!(playout.samples > 0 && playout.samples <= opus::MAX_DURATION as usize);
                at += Duration::from_micros(playout.samples as u64 * 125 / 6);
            }
        }
        let counts = buffer.counts();
        prop_assert!(counts.concealed_samples + counts.silence_samples <= counts.samples);
    }

    #[test]
    fn with_any_loss_every_packet_is_played_at_most_once_and_in_order(seed: u64, loss in 0.0f64..60.0, jitter in 0u64..120) {
        let conditions = Conditions { loss, jitter: Duration::from_millis(jitter), ..calm() };
        let start = Instant::now();
        let mut wire = Wire::new(start, seed, conditions);
        let mut listener = Listener::new(start);
        for millisecond in 0..5_000u32 {
            let now = start + Duration::from_millis(millisecond.into());
            if millisecond % 20 == 0 {
                wire.send(now, packet(millisecond / 20, now));
            }
            wire.receive(now).into_iter().for_each(|packet| listener.buffer.push(packet));
            listener.run(now, |number| start + TICK * number);
        }
        prop_assert!(listener.played.windows(2).all(|w| w[0] < w[1]));
    }
}
