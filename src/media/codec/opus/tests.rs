use proptest::prelude::*;

use super::*;
use crate::media::synthetic::Tone;
use crate::media::{AudioSource, WallTime};

fn blocks(count: u64) -> Vec<[f32; BLOCK]> {
    let mut tone = Tone::new(440).unwrap();
    (0..count)
        .map(|n| {
            let mut block = [0.0; BLOCK];
            tone.read(WallTime(n * 20_000), &mut block).unwrap();
            block
        })
        .collect()
}

fn rms(samples: &[f32]) -> f32 {
    (samples.iter().map(|x| x * x).sum::<f32>() / samples.len() as f32).sqrt()
}

#[test]
fn sound_comes_back_at_its_level_and_rate() {
    for rate in [12_000, 24_000, 64_000] {
        let mut encoder = Encoder::new(Settings { bits_per_second: rate, ..Settings::default() }).unwrap();
        let mut decoder = Decoder::new().unwrap();
        let (mut bytes, mut sent, mut heard) = (0, Vec::new(), Vec::new());
        for block in blocks(100) {
            let packet = encoder.encode(&block).unwrap();
            assert_eq!(samples(&packet), Some(BLOCK));
            bytes += packet.len();
            sent.extend_from_slice(&block);
            heard.extend_from_slice(decoder.decode(&packet).unwrap());
        }
        assert_eq!(heard.len(), sent.len());
        let ratio = rms(&heard[48_000..]) / rms(&sent[48_000..]);
        assert!((0.8..1.2).contains(&ratio), "{ratio} at {rate}");
        assert!(bytes * 4 < rate as usize * 13 / 10, "{bytes} bytes at {rate}");
    }
}

#[test]
fn fec_brings_back_a_lost_block_better_than_concealment() {
    // The pitch changes in the lost block, so that continuing the old one is wrong.
    let mut tone = (Tone::new(300).unwrap(), Tone::new(900).unwrap());
    let mut encoder = Encoder::new(Settings { expected_loss: 20, ..Settings::default() }).unwrap();
    let packets: Vec<_> = (0..40_u64)
        .map(|n| {
            let mut block = [0.0; BLOCK];
            let time = WallTime(n * 20_000);
            if n < 30 {
                tone.0.read(time, &mut block).unwrap()
            } else {
                tone.1.read(time, &mut block).unwrap()
            }
            encoder.encode(&block).unwrap()
        })
        .collect();
    assert!(carries_fec(&packets[32]));
    let (mut clean, mut fec, mut plc) =
        (Decoder::new().unwrap(), Decoder::new().unwrap(), Decoder::new().unwrap());
    for packet in &packets[..31] {
        clean.decode(packet).unwrap();
        fec.decode(packet).unwrap();
        plc.decode(packet).unwrap();
    }
    let truth = clean.decode(&packets[31]).unwrap().to_vec();
    let error = |guess: &[f32]| rms(&truth.iter().zip(guess).map(|(a, b)| a - b).collect::<Vec<_>>());
    let recovered = error(fec.recover(&packets[32], BLOCK).unwrap());
    let concealed = error(plc.conceal(BLOCK).unwrap());
    assert!(recovered < concealed * 0.7, "{recovered} against {concealed}");
    assert_eq!(fec.decode(&packets[32]).unwrap().len(), BLOCK);
}

#[test]
fn without_expected_loss_there_is_no_fec() {
    let mut encoder = Encoder::new(Settings { expected_loss: 0, ..Settings::default() }).unwrap();
    for block in blocks(20) {
        assert!(!carries_fec(&encoder.encode(&block).unwrap()));
    }
    encoder.set_expected_loss(250).unwrap();
    assert_eq!(encoder.settings().expected_loss, 100);
    assert!(blocks(20).iter().any(|block| carries_fec(&encoder.encode(block).unwrap())));
}

#[test]
fn silence_with_dtx_costs_next_to_nothing() {
    let mut encoder = Encoder::new(Settings { dtx: true, ..Settings::default() }).unwrap();
    let sizes: Vec<_> = (0..100).map(|_| encoder.encode(&[0.0; BLOCK]).unwrap().len()).collect();
    assert!(sizes[60..].iter().filter(|&&size| size <= 2).count() > 30, "{sizes:?}");
}

#[test]
fn concealment_fades_and_takes_any_length() {
    let mut encoder = Encoder::new(Settings::default()).unwrap();
    let mut decoder = Decoder::new().unwrap();
    for block in blocks(20) {
        decoder.decode(&encoder.encode(&block).unwrap()).unwrap();
    }
    let first = rms(decoder.conceal(BLOCK).unwrap());
    for _ in 0..20 {
        decoder.conceal(BLOCK).unwrap();
    }
    assert!(first > 0.05);
    assert!(rms(decoder.conceal(BLOCK).unwrap()) < first / 4.0);
    assert_eq!(decoder.conceal(0).unwrap().len(), 120);
    assert_eq!(decoder.conceal(usize::MAX).unwrap().len(), MAX_BLOCK);
    assert!(decoder.decode(&[]).is_err());
    assert!(decoder.recover(&[], BLOCK).is_err());
    assert!(encoder.encode(&[0.0; 100]).is_err());
}

proptest! {
    #[test]
    fn any_bytes_give_sound_or_an_error(packets in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 1..8)) {
        let mut decoder = Decoder::new().unwrap();
        for packet in packets {
            carries_fec(&packet);
            samples(&packet);
            if let Ok(sound) = decoder.decode(&packet) {
                prop_assert!(sound.len() <= MAX_BLOCK);
            }
            if let Ok(sound) = decoder.recover(&packet, BLOCK) {
                prop_assert!(sound.len() <= BLOCK);
            }
        }
    }
}
