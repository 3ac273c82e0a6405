//! The bytes of what [`super::super::bandwidth`] decides: feedback as a packet and back, numbers and padding as header
//! extensions.

use std::time::Duration;

use ::rtc::rtcp::transport_feedbacks::transport_layer_cc::{
    PacketStatusChunk, RecvDelta, RunLengthChunk, StatusChunkTypeTcc, StatusVectorChunk, SymbolSizeTypeTcc,
    SymbolTypeTcc, TransportLayerCc,
};
use ::rtc::rtp::Header;
use bytes::Bytes;

use crate::rtc::bandwidth::feedback::{Chunk, Message, Symbol};
use crate::rtc::bandwidth::{Arrival, PACKET_OVERHEAD, Report};

/// Units of the reference time and of the deltas (section 3.1).
const REFERENCE: i64 = 64_000;
const DELTA: i64 = 250;
/// One feedback tells of so many packets at most; what a longer one says beyond is passed over.
const MOST: usize = 4_096;
/// Octets that one element of the one-byte form holds at most (RFC 8285, section 4.2).
const ELEMENT: usize = 16;
/// Identifiers of that form.
const IDENTIFIERS: std::ops::RangeInclusive<u8> = 1..=14;

/// The packet that carries `message`.
pub(super) fn feedback(sender_ssrc: u32, media_ssrc: u32, message: &Message) -> TransportLayerCc {
    let chunk = |chunk: &Chunk| match chunk {
        Chunk::Run(symbol, length) => PacketStatusChunk::RunLengthChunk(RunLengthChunk {
            type_tcc: StatusChunkTypeTcc::RunLengthChunk,
            packet_status_symbol: status(*symbol),
            run_length: *length,
        }),
        Chunk::Vector(symbols) => PacketStatusChunk::StatusVectorChunk(StatusVectorChunk {
            type_tcc: StatusChunkTypeTcc::StatusVectorChunk,
            symbol_size: SymbolSizeTypeTcc::TwoBit,
            symbol_list: symbols.iter().copied().map(status).collect(),
        }),
    };
    let delta = |delta: &i16| RecvDelta {
        type_tcc_packet: match delta {
            0..=255 => SymbolTypeTcc::PacketReceivedSmallDelta,
            _ => SymbolTypeTcc::PacketReceivedLargeDelta,
        },
        delta: i64::from(*delta) * DELTA,
    };
    TransportLayerCc {
        sender_ssrc,
        media_ssrc,
        base_sequence_number: message.base,
        packet_status_count: message.count,
        reference_time: message.reference,
        fb_pkt_count: message.number,
        packet_chunks: message.chunks.iter().map(chunk).collect(),
        recv_deltas: message.deltas.iter().map(delta).collect(),
    }
}

fn status(symbol: Symbol) -> SymbolTypeTcc {
    match symbol {
        Symbol::Missing => SymbolTypeTcc::PacketNotReceived,
        Symbol::Small => SymbolTypeTcc::PacketReceivedSmallDelta,
        Symbol::Large => SymbolTypeTcc::PacketReceivedLargeDelta,
    }
}

/// What a feedback says, packet by packet. The other side may say anything: what does not add up ends it.
pub(super) fn reports(feedback: &TransportLayerCc) -> Vec<Report> {
    let symbols = feedback.packet_chunks.iter().flat_map(|chunk| {
        let (list, run) = match chunk {
            PacketStatusChunk::RunLengthChunk(run) => {
                (&[][..], Some((run.packet_status_symbol, usize::from(run.run_length))))
            }
            PacketStatusChunk::StatusVectorChunk(vector) => (&vector.symbol_list[..], None),
        };
        let run = run.into_iter().flat_map(|(symbol, length)| std::iter::repeat_n(symbol, length));
        list.iter().copied().chain(run)
    });
    let mut deltas = feedback.recv_deltas.iter();
    let mut at = i64::from(feedback.reference_time) * REFERENCE;
    let count = usize::from(feedback.packet_status_count).min(MOST);
    let mut reports = Vec::new();
    for (symbol, step) in symbols.take(count).zip(0u16..) {
        let arrival = match symbol {
            SymbolTypeTcc::PacketNotReceived => Arrival::Missing,
            SymbolTypeTcc::PacketReceivedWithoutDelta => Arrival::Unknown,
            SymbolTypeTcc::PacketReceivedSmallDelta | SymbolTypeTcc::PacketReceivedLargeDelta => {
                let Some(delta) = deltas.next() else { break };
                at = at.saturating_add(delta.delta);
                // Before the zero of its clock: it is going backwards.
                let Ok(micros) = u64::try_from(at) else { break };
                Arrival::At(Duration::from_micros(micros))
            }
        };
        reports.push(Report { sequence: feedback.base_sequence_number.wrapping_add(step), arrival });
    }
    reports
}

/// Writes the transport-wide number into a header.
pub(super) fn number(header: &mut Header, extension: u8, number: u16) {
    // Refused only for an identifier outside the one-byte form, which is never agreed on.
    let _ = header.set_extension(extension, Bytes::copy_from_slice(&number.to_be_bytes()));
}

/// The number in a header.
pub(super) fn number_of(header: &Header, extension: u8) -> Option<u16> {
    let bytes = header.get_extension(extension)?;
    Some(u16::from_be_bytes([*bytes.first()?, *bytes.get(1)?]))
}

/// Makes a header as long as a packet of about `bytes` on the wire, with elements that mean nothing to anybody: their
/// identifiers are not among the `taken`. A receiver skips what it does not know (RFC 8285, section 4.2), and a packet
/// without payload is known as padding everywhere. Answers the bytes on the wire.
pub(super) fn pad(header: &mut Header, bytes: u32, taken: &[u8]) -> u32 {
    let wanted = bytes.saturating_sub(PACKET_OVERHEAD) as usize;
    let free = IDENTIFIERS.filter(|id| !taken.contains(id));
    let mut padded = 0;
    for id in free.take(wanted / (ELEMENT + 1)) {
        if header.set_extension(id, Bytes::from_static(&[0; ELEMENT])).is_err() {
            break;
        }
        padded += ELEMENT + 1;
    }
    PACKET_OVERHEAD + u32::try_from(padded).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtc::bandwidth::feedback::{Recorder, reports as meant};
    use ::rtc::shared::marshal::{Marshal, Unmarshal};
    use proptest::prelude::*;
    use std::time::Instant;

    proptest! {
        #[test]
        fn feedback_says_after_the_wire_what_the_recorder_meant(
            arrivals in proptest::collection::vec((0u16..400, 0u64..20_000_000), 1..60),
            first in any::<u16>(),
        ) {
            let start = Instant::now();
            let mut recorder = Recorder::new(start);
            let mut sorted = arrivals;
            sorted.sort_by_key(|(_, micros)| *micros);
            for (offset, micros) in &sorted {
                recorder.arrived(start + Duration::from_micros(*micros), first.wrapping_add(*offset));
            }
            let later = start + Duration::from_secs(60);
            while let Some(message) = recorder.message(later) {
                let sent = feedback(1, 2, &message);
                let mut bytes = sent.marshal().unwrap();
                let received = TransportLayerCc::unmarshal(&mut bytes).unwrap();
                prop_assert_eq!(reports(&received), meant(&message));
            }
        }

        #[test]
        fn nothing_that_may_be_said_panics(
            base in any::<u16>(), count in any::<u16>(), reference in any::<u32>(),
            runs in proptest::collection::vec((0u16..4, any::<u16>()), 0..8),
            deltas in proptest::collection::vec(any::<i64>(), 0..50),
        ) {
            let said = TransportLayerCc {
                base_sequence_number: base,
                packet_status_count: count,
                reference_time: reference,
                packet_chunks: runs
                    .iter()
                    .map(|(symbol, length)| PacketStatusChunk::RunLengthChunk(RunLengthChunk {
                        packet_status_symbol: SymbolTypeTcc::from(*symbol),
                        run_length: *length,
                        ..RunLengthChunk::default()
                    }))
                    .collect(),
                recv_deltas: deltas
                    .iter()
                    .map(|delta| RecvDelta { delta: *delta, ..RecvDelta::default() })
                    .collect(),
                ..TransportLayerCc::default()
            };
            prop_assert!(reports(&said).len() <= usize::from(count).min(MOST));
        }
    }

    #[test]
    fn padding_is_as_long_as_told_and_keeps_clear_of_what_is_taken() {
        for wanted in [70, 120, 250, 400] {
            let mut header = Header { version: 2, ..Header::default() };
            number(&mut header, 3, 0xABCD);
            let bytes = pad(&mut header, wanted, &[3, 5]);
            assert!(
                bytes <= wanted && bytes + 17 > wanted.min(PACKET_OVERHEAD + 12 * 17),
                "{bytes} of {wanted}"
            );
            assert_eq!(number_of(&header, 3), Some(0xABCD));
            assert!(header.get_extension(5).is_none());
            let length = header.marshal().unwrap().len();
            assert!((bytes as usize - 38).abs_diff(length) <= 4, "{length} octets of {bytes} on the wire");
        }
    }
}
