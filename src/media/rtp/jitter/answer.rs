//! What the jitter buffer answers: the next stretch of sound, and the counters.

use bytes::Bytes;

/// What to do for the next stretch of sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Decode this packet.
    Packet(Bytes),
    /// Decode the forward error correction of this packet, which stays in the buffer.
    Recover(Bytes),
    /// Let the decoder make something up.
    Conceal,
    /// Play silence and leave the decoder alone.
    Silence,
}

/// Whether the sound should be made shorter or longer to bring the delay to its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adjust {
    /// As it is.
    None,
    /// There is too much delay.
    Shorten(When),
    /// There is too little.
    Lengthen(When),
}

/// Where sound may be stretched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Between words: there is time, and nobody hears it there.
    InPauses,
    /// Anywhere.
    Now,
}

/// The next stretch of sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Playout {
    /// What to play.
    pub what: What,
    /// Its length at 48 kHz.
    pub samples: usize,
    /// The RTP timestamp of its first sample; `None` before the first packet.
    pub timestamp: Option<u32>,
    /// Whether to stretch it.
    pub adjust: Adjust,
}

/// What happened to packets and sound so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Packets that came, duplicates included.
    pub received: u64,
    /// Packets that were there before.
    pub duplicates: u64,
    /// Packets that came when their time was over.
    pub late: u64,
    /// Packets thrown away for a skip or for want of room, and those that are no Opus.
    pub discarded: u64,
    /// Packets that were not there when they should have been played, those that FEC replaced included.
    pub lost: u64,
    /// Lost packets whose sound FEC brought back.
    pub recovered_by_fec: u64,
    /// Packets that came behind a later one and in time: retransmitted or reordered.
    pub recovered_by_retransmission: u64,
    /// Samples played of any kind since the first packet.
    pub samples: u64,
    /// Samples made up for packets that were not there.
    pub concealed_samples: u64,
    /// Samples of silence that the sender left out (DTX).
    pub silence_samples: u64,
}
