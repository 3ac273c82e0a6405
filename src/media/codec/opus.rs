//! Opus (RFC 6716, RTP payload RFC 7587): 20 to 60 ms with in-band FEC, and a decoder that fills what was lost.
//!
//! Owns the libopus states. Must not know RTP or the jitter buffer, which decides when to ask for FEC or for
//! concealment.

use bytes::Bytes;
use opus::{Application, Bitrate, Channels, Signal};

use crate::media::{Error, SAMPLE_RATE};

/// Samples in the block that the encoder takes: 20 ms.
pub const BLOCK: usize = SAMPLE_RATE as usize / 50;

/// Samples in the longest packet that Opus knows, 120 ms (RFC 6716 section 2.1.4).
pub const MAX_BLOCK: usize = SAMPLE_RATE as usize * 120 / 1000;

/// The lowest and the highest rate that the encoder takes, in bit/s (RFC 6716 section 2.1.1).
pub const BITS_PER_SECOND: std::ops::RangeInclusive<u32> = 6_000..=510_000;

/// The longest packet that the encoder may produce, in bytes: 510 kbit/s for 20 ms is 1275.
const MAX_PACKET: usize = 1275;

/// How to encode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Target in bit/s, clamped to [`BITS_PER_SECOND`].
    pub bits_per_second: u32,
    /// Carry a coarse copy of the previous block in each packet, when expected loss makes it worth its bits.
    pub fec: bool,
    /// The packet loss to prepare for, 0 to 100 percent; FEC carries nothing at 0.
    pub expected_loss: u8,
    /// Send almost nothing while there is silence.
    pub dtx: bool,
    /// Effort from 0 to 10.
    pub complexity: u8,
}

impl Default for Settings {
    /// 24 kbit/s speech with FEC for 10 % loss, without DTX. The greatest effort: it is worth 0.2 to 0.3 of a PESQ point.
    fn default() -> Self {
        Self { bits_per_second: 24_000, fec: true, expected_loss: 10, dtx: false, complexity: 10 }
    }
}

/// Blocks that go into one packet at most: 60 ms, the longest frame that speech has (RFC 6716, section 2.1.4).
pub const BLOCKS: usize = 3;

/// An Opus encoder for 48 kHz mono speech, in packets of one to three blocks of 20 ms.
pub struct Encoder {
    encoder: opus::Encoder,
    settings: Settings,
}

impl Encoder {
    /// An encoder in its initial state.
    ///
    /// # Errors
    /// [`Error::Encode`] when libopus refuses the settings.
    pub fn new(settings: Settings) -> Result<Self, Error> {
        let mut encoder =
            opus::Encoder::new(SAMPLE_RATE, Channels::Mono, Application::Voip).map_err(encode_error)?;
        encoder.set_signal(Signal::Voice).map_err(encode_error)?;
        encoder.set_complexity(i32::from(settings.complexity.min(10))).map_err(encode_error)?;
        encoder.set_inband_fec(settings.fec).map_err(encode_error)?;
        encoder.set_dtx(settings.dtx).map_err(encode_error)?;
        let mut encoder = Self { encoder, settings };
        encoder.set_bitrate(settings.bits_per_second)?;
        encoder.set_expected_loss(settings.expected_loss)?;
        Ok(encoder)
    }

    /// The settings in force.
    pub fn settings(&self) -> Settings {
        self.settings
    }

    /// Samples by which decoded sound lags behind what was encoded.
    pub fn lookahead(&mut self) -> usize {
        self.encoder.get_lookahead().ok().and_then(|samples| usize::try_from(samples).ok()).unwrap_or(0)
    }

    /// Changes the target rate from the next block on. Clamped to [`BITS_PER_SECOND`].
    ///
    /// # Errors
    /// [`Error::Encode`] when libopus refuses.
    pub fn set_bitrate(&mut self, bits_per_second: u32) -> Result<(), Error> {
        let rate = bits_per_second.clamp(*BITS_PER_SECOND.start(), *BITS_PER_SECOND.end());
        self.encoder.set_bitrate(Bitrate::Bits(rate as i32)).map_err(encode_error)?;
        self.settings.bits_per_second = rate;
        Ok(())
    }

    /// Changes how much loss FEC prepares for, in percent. Clamped to 100.
    ///
    /// # Errors
    /// [`Error::Encode`] when libopus refuses.
    pub fn set_expected_loss(&mut self, percent: u8) -> Result<(), Error> {
        let percent = percent.min(100);
        self.encoder.set_packet_loss_perc(i32::from(percent)).map_err(encode_error)?;
        self.settings.expected_loss = percent;
        Ok(())
    }

    /// Whether silence is left out (DTX, RFC 7587, section 3.1.3), from the next block on.
    ///
    /// # Errors
    /// [`Error::Encode`] when libopus refuses.
    pub fn set_dtx(&mut self, dtx: bool) -> Result<(), Error> {
        if dtx != self.settings.dtx {
            self.encoder.set_dtx(dtx).map_err(encode_error)?;
            self.settings.dtx = dtx;
        }
        Ok(())
    }

    /// Encodes one packet of one to [`BLOCKS`] times [`BLOCK`] samples. With DTX, one or two bytes mean: need not be
    /// sent ([`leaves_out`]).
    ///
    /// # Errors
    /// [`Error::Encode`] for another number of samples.
    pub fn encode(&mut self, samples: &[f32]) -> Result<Bytes, Error> {
        if !samples.len().is_multiple_of(BLOCK) || !(1..=BLOCKS).contains(&(samples.len() / BLOCK)) {
            return Err(Error::Encode {
                codec: "Opus",
                why: format!("{} samples are not one to {BLOCKS} times {BLOCK}", samples.len()),
            });
        }
        let mut packet = [0; MAX_PACKET];
        let length = self.encoder.encode_float(samples, &mut packet).map_err(encode_error)?;
        Ok(Bytes::copy_from_slice(&packet[..length.min(MAX_PACKET)]))
    }
}

/// An Opus decoder to 48 kHz mono. Bytes may come from anyone: the answer is sound or an error.
pub struct Decoder {
    decoder: opus::Decoder,
    block: Box<[f32; MAX_BLOCK]>,
}

impl Decoder {
    /// A decoder in its initial state.
    ///
    /// # Errors
    /// [`Error::Decode`] when libopus cannot start (out of memory).
    pub fn new() -> Result<Self, Error> {
        let decoder = opus::Decoder::new(SAMPLE_RATE, Channels::Mono).map_err(decode_error)?;
        Ok(Self { decoder, block: Box::new([0.0; MAX_BLOCK]) })
    }

    /// Decodes one packet; the samples are valid until the next call.
    ///
    /// # Errors
    /// [`Error::Decode`] when the bytes are not an Opus packet; conceal instead.
    pub fn decode(&mut self, packet: &[u8]) -> Result<&[f32], Error> {
        if packet.is_empty() {
            return Err(Error::decode("Opus packet", "empty"));
        }
        let samples = self.decoder.decode_float(packet, &mut self.block[..], false).map_err(decode_error)?;
        Ok(&self.block[..samples.min(MAX_BLOCK)])
    }

    /// Recovers the `samples` lost right before `next` from the FEC copy that `next` carries; where it carries
    /// none this conceals. `next` itself must be decoded afterwards as usual.
    ///
    /// # Errors
    /// [`Error::Decode`] when `next` is not an Opus packet.
    pub fn recover(&mut self, next: &[u8], samples: usize) -> Result<&[f32], Error> {
        if next.is_empty() {
            return Err(Error::decode("Opus packet", "empty"));
        }
        let samples = whole(samples);
        let filled =
            self.decoder.decode_float(next, &mut self.block[..samples], true).map_err(decode_error)?;
        Ok(&self.block[..filled.min(samples)])
    }

    /// Invents `samples` (rounded down to 2.5 ms, 120 ms at most) that continue what was heard, fading out.
    ///
    /// # Errors
    /// [`Error::Decode`] when libopus fails, which it has no reason to.
    pub fn conceal(&mut self, samples: usize) -> Result<&[f32], Error> {
        let samples = whole(samples);
        let filled =
            self.decoder.decode_float(&[], &mut self.block[..samples], false).map_err(decode_error)?;
        Ok(&self.block[..filled.min(samples)])
    }
}

/// Whether `packet` carries a FEC copy of its predecessor (RFC 6716 section 4.2.4: the LBRR flag).
pub fn carries_fec(packet: &[u8]) -> bool {
    let Some((&toc, payload)) = packet.split_first() else {
        return false;
    };
    // Only SILK and hybrid modes (configurations 0 to 15) have LBRR; codes 1 to 3 pack several frames.
    if toc >> 3 >= 16 || toc & 3 != 0 {
        return false;
    }
    // The range coder starts with one VAD bit a 20 ms frame and then the LBRR bit, all of probability one half,
    // so that they are the top bits of the first byte.
    let frames = match toc >> 3 {
        2 | 6 | 10 => 2,
        3 | 7 | 11 => 3,
        _ => 1,
    };
    payload.first().is_some_and(|bits| bits >> (7 - frames) & 1 != 0)
}

/// Whether `packet` only says that there is silence from here on (RFC 6716, section 2.1.9: at most two bytes).
#[must_use]
pub fn leaves_out(packet: &[u8]) -> bool {
    packet.len() <= 2
}

/// Samples in `packet`; `None` when it is not an Opus packet.
pub fn samples(packet: &[u8]) -> Option<usize> {
    opus::packet::get_nb_samples(packet, SAMPLE_RATE).ok().filter(|samples| (1..=MAX_BLOCK).contains(samples))
}

/// Whole steps of 2.5 ms, as libopus demands for lost sound.
fn whole(samples: usize) -> usize {
    const STEP: usize = SAMPLE_RATE as usize / 400;
    (samples.min(MAX_BLOCK) / STEP).max(1) * STEP
}

fn encode_error(error: opus::Error) -> Error {
    Error::Encode { codec: "Opus", why: error.description().to_owned() }
}

fn decode_error(error: opus::Error) -> Error {
    Error::decode("Opus packet", error.description())
}

#[cfg(test)]
mod tests;
