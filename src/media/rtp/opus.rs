//! What an Opus packet says about itself without decoding it (RFC 6716, section 3): how long it
//! plays, and whether it carries forward error correction for the packet before it.
//!
//! Owns the table of contents only; it must not know the decoder.

/// The longest packet that RFC 6716 allows, samples at 48 kHz (120 ms).
pub const MAX_DURATION: u32 = 5_760;

/// Samples at 48 kHz that a packet plays; `None` for an empty or invalid one.
#[must_use]
pub fn duration(payload: &[u8]) -> Option<u32> {
    let toc = *payload.first()?;
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u32::from(payload.get(1)? & 0x3f),
    };
    let total = frames * frame_duration(toc);
    (1..=MAX_DURATION).contains(&total).then_some(total)
}

/// Whether the packet carries a low bit-rate copy (LBRR) of the frame before it. A packet of
/// several frames with explicit padding is taken as having none.
#[must_use]
pub fn has_fec(payload: &[u8]) -> bool {
    let Some(&toc) = payload.first() else {
        return false;
    };
    if toc & 0x80 != 0 {
        return false; // CELT only
    }
    let header = match toc & 3 {
        0 | 1 => 1,
        2 => match payload.get(1) {
            Some(0..=251) => 2,
            Some(_) => 3,
            None => return false,
        },
        _ => return false,
    };
    let Some(&first) = payload.get(header) else {
        return false;
    };
    // SILK begins with one voice flag for each 20 ms, then the LBRR flag (section 4.2.3).
    let silk_frames = (frame_duration(toc) / 960).max(1);
    let mid = first >> (7 - silk_frames) & 1;
    let side = if toc & 4 != 0 { first >> (6 - 2 * silk_frames) & 1 } else { 0 };
    mid | side != 0
}

/// Samples of one frame by the configuration number (RFC 6716, table 2).
fn frame_duration(toc: u8) -> u32 {
    let config = toc >> 3;
    match config {
        0..=11 => [480, 960, 1_920, 2_880][usize::from(config & 3)],
        12..=15 => [480, 960][usize::from(config & 1)],
        _ => [120, 240, 480, 960][usize::from(config & 3)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_follow_the_table_of_contents() {
        assert_eq!(duration(&[1 << 3, 0]), Some(960)); // SILK narrow band, 20 ms
        assert_eq!(duration(&[3 << 3, 0]), Some(2_880)); // 60 ms
        assert_eq!(duration(&[15 << 3, 0]), Some(960)); // hybrid 20 ms
        assert_eq!(duration(&[31 << 3 | 1, 0]), Some(1_920)); // CELT, two of 20 ms
        assert_eq!(duration(&[16 << 3 | 3, 4]), Some(480)); // four of 2.5 ms
        assert_eq!(duration(&[3 << 3 | 3, 3]), None); // 180 ms
        assert_eq!(duration(&[3]), None);
        assert_eq!(duration(&[3, 0]), None);
        assert_eq!(duration(&[]), None);
    }

    #[test]
    fn fec_is_read_from_the_silk_header() {
        assert!(has_fec(&[9 << 3, 0b0100_0000]));
        assert!(!has_fec(&[9 << 3, 0b1000_0000]));
        assert!(!has_fec(&[31 << 3, 0xff]), "CELT has none");
        assert!(!has_fec(&[9 << 3]));
        assert!(!has_fec(&[]));
    }

    #[test]
    fn no_short_input_panics() {
        for toc in 0..=255u8 {
            for second in 0..=255u8 {
                for raw in [&[toc][..], &[toc, second], &[toc, second, 0xff]] {
                    let _ = (duration(raw), has_fec(raw));
                }
            }
        }
    }
}
