use super::*;
use crate::media::codec::opus::{BLOCK, Decoder, Encoder, Settings};

const START: u64 = 1_795_000_000_123_457;

/// Latencies in microseconds, and the last pitch, measured from `seconds` of blocks put through `channel` and heard
/// `delay_us` after their capture.
fn measured(
    hz: u32,
    seconds: u64,
    delay_us: impl Fn(u64) -> i64,
    mut channel: impl FnMut(u64, &[f32]) -> Vec<f32>,
) -> (Vec<i64>, f32) {
    let mut tone = Tone::new(hz).unwrap();
    let mut reader = Reader::new();
    let (mut latencies, mut pitch) = (Vec::new(), 0.0);
    for n in 0..seconds * 50 {
        let captured = WallTime(START + n * 20_000);
        let mut block = [0.0; BLOCK];
        tone.read(captured, &mut block).unwrap();
        let heard = channel(n, &block);
        let at = WallTime(captured.micros().saturating_add_signed(delay_us(n)));
        reader.listen(&heard, at, |m| {
            latencies.push(m.latency_us);
            pitch = m.hz;
        });
    }
    (latencies, pitch)
}

fn opus(bits_per_second: u32, dtx: bool) -> impl FnMut(u64, &[f32]) -> Vec<f32> {
    let settings = Settings { bits_per_second, dtx, ..Settings::default() };
    let (mut encoder, mut decoder) = (Encoder::new(settings).unwrap(), Decoder::new().unwrap());
    move |_, block| decoder.decode(&encoder.encode(block).unwrap()).unwrap().to_vec()
}

#[test]
fn latency_is_exact_without_a_codec() {
    for delay in [0, 317, 5_000, 63_210, 250_500, 999_999, 1_500_000, 4_500_000, -20_000, -400_000] {
        let (latencies, hz) = measured(440, 4, |_| delay, |_, block| block.to_vec());
        assert!(latencies.len() >= 25, "{delay}: {}", latencies.len());
        for latency in latencies {
            assert!((latency - delay).abs() <= 700, "{latency} instead of {delay}");
        }
        assert!((hz - 440.0).abs() <= 4.0, "{hz}");
    }
}

#[test]
fn latency_is_within_2_ms_after_opus() {
    // Opus itself delays by its lookahead of 6.5 ms, which is part of what is heard.
    for (hz, rate) in [
        (440, 12_000),
        (440, 16_000),
        (440, 24_000),
        (440, 32_000),
        (1000, 12_000),
        (300, 24_000),
        (3000, 24_000),
    ] {
        for dtx in [false, true] {
            let (latencies, pitch) = measured(hz, 12, |_| 93_500, opus(rate, dtx));
            assert!(latencies.len() >= 95, "{hz} Hz at {rate}, dtx {dtx}: {}", latencies.len());
            for latency in latencies {
                assert!((latency - 100_000).abs() <= 2_000, "{latency} at {hz} Hz, {rate} bit/s, dtx {dtx}");
            }
            assert!((pitch - hz as f32).abs() <= 6.0, "{pitch} instead of {hz}");
        }
    }
}

#[test]
fn latency_is_measured_through_loss_and_concealment() {
    for (every, enough, tolerance) in [(20, 100, 3_000), (10, 70, 4_000), (5, 40, 6_000)] {
        // The meter is what is tested: at the greatest effort a concealed tone strays a little further.
        let settings = Settings { complexity: 5, ..Settings::default() };
        let (mut encoder, mut decoder) = (Encoder::new(settings).unwrap(), Decoder::new().unwrap());
        let (latencies, _) = measured(
            440,
            15,
            |_| 93_500,
            |n, block| {
                let packet = encoder.encode(block).unwrap();
                // Evenly spread but out of step with the sequence.
                let lost = n > 20 && n * 7919 % 101 < 101 / every;
                if lost {
                    decoder.conceal(BLOCK).unwrap().to_vec()
                } else {
                    decoder.decode(&packet).unwrap().to_vec()
                }
            },
        );
        assert!(latencies.len() >= enough, "1 in {every}: {}", latencies.len());
        for latency in &latencies {
            assert!((latency - 100_000).abs() <= tolerance, "{latency} with 1 in {every} lost");
        }
    }
}

#[test]
fn a_change_of_latency_is_followed() {
    for (before, after) in [(40_000, 90_000), (40_000, 700_000), (900_000, 10_000)] {
        let delay = |n| if n < 200 { before } else { after };
        let (latencies, _) = measured(440, 12, delay, |_, block| block.to_vec());
        assert!((latencies[10] - before).abs() < 1000);
        assert!((latencies.last().unwrap() - after).abs() < 1000);
        let strange = |latency: &&i64| (**latency - before).abs() > 2000 && (**latency - after).abs() > 2000;
        assert!(latencies.iter().filter(strange).count() <= 4, "{latencies:?}");
    }
}

#[test]
fn speech_noise_and_silence_are_no_tone() {
    let wav = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/talk.wav")).unwrap();
    let speech: Vec<f32> =
        wav[44..].chunks_exact(2).map(|s| f32::from(i16::from_le_bytes([s[0], s[1]])) / 32768.0).collect();
    let mut state = 1_u32;
    let noise: Vec<f32> = (0..480_000)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 24) as f32 - 0.5
        })
        .collect();
    let hum: Vec<f32> = (0..480_000).map(|i| (i as f32 * 0.02).sin() * 0.5).collect();
    for (name, sound) in [("speech", speech), ("noise", noise), ("silence", vec![0.0; 480_000]), ("hum", hum)]
    {
        let mut reader = Reader::new();
        let mut time = START;
        for _ in 0..20 {
            for block in sound.chunks_exact(BLOCK) {
                reader.listen(block, WallTime(time), |m| panic!("{name} read as a tone: {m:?}"));
                time += 20_000;
            }
        }
        assert!(!reader.locked());
    }
}

#[test]
fn the_carrier_is_where_it_was_asked_for() {
    let mut tone = Tone::new(1000).unwrap();
    let mut second = vec![0.0; 48_000];
    tone.read(WallTime(START), &mut second).unwrap();
    let power = |hz: f64| {
        let (mut s1, mut s2) = (0.0, 0.0);
        let turn = 2.0 * (std::f64::consts::TAU * hz / 48_000.0).cos();
        for &x in &second {
            (s1, s2) = (f64::from(x) + turn * s1 - s2, s1);
        }
        (s1 * s1 + s2 * s2 - turn * s1 * s2).sqrt() / 24_000.0
    };
    assert!(power(1000.0) > 0.25, "{}", power(1000.0));
    assert!(power(700.0) < 0.01 && power(1500.0) < 0.01);
}

#[test]
fn blocks_of_any_length_join_without_a_step() {
    let (mut a, mut b) = (Tone::new(440).unwrap(), Tone::new(440).unwrap());
    let (mut whole, mut parts) = (vec![0.0; 4800], vec![0.0; 4800]);
    a.read(WallTime(START), &mut whole).unwrap();
    for (n, part) in parts.chunks_mut(48).enumerate() {
        b.read(WallTime(START + n as u64 * 1000), part).unwrap();
    }
    for (x, y) in whole.iter().zip(&parts) {
        assert!((x - y).abs() < 1e-3);
    }
    assert!(Tone::new(50).is_err());
    assert!(Tone::new(9000).is_err());
}
