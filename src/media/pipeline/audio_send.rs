//! The thread that sends sound: each 20 ms reads a block and works on it if it is a microphone's; one to three of them, as the
//! path has room, are encoded into one packet. Of the silence of a microphone, and of a mute, hardly anything is sent (DTX).

use std::time::{Duration, Instant};

use super::allocation::Audio;
use super::control::Orders;
use super::pace::Pacer;
use super::stats::kbps;
use super::{Kind, OPUS_PAYLOAD_TYPE, Outlet, Shared, lock};
use crate::media::codec::opus;
use crate::media::record::Side;
use crate::media::rtp::packet::{HEADER_LENGTH, RtpPacket};
use crate::media::voice::{self, Activity, Capture, Fade};
use crate::media::{AudioSource, Error, WallTime};

/// Blocks a second, and how long one is.
const BLOCKS: u32 = 50;
const BLOCK_TIME: Duration = Duration::from_millis(20);
/// A thread that is behind by more than this passes blocks over; below it catches up.
const PATIENCE: Duration = Duration::from_millis(120);
/// Below this libopus leaves forward error correction out at 24 kbit/s, also at 5 % loss. The other side's reports are no
/// reason to do without it, as long as nothing better is known of the path: a retransmission that came too late to be
/// played may count as received there.
const LEAST_EXPECTED_LOSS: u8 = 10;
/// When the system's clock and the beat of the blocks have come apart by this, the clock was set.
const CLOCK_SET: Duration = Duration::from_millis(200);

/// The source and its encoder, ready to start. Without a source it waits for one.
pub(super) struct Sender {
    source: Option<Box<dyn AudioSource>>,
    encoder: opus::Encoder,
    voice: Capture,
    fade: Fade,
    activity: Activity,
    /// Blocks of the next packet, and the number of the first.
    gathered: Vec<f32>,
    first: u64,
    /// What the path carries.
    allotted: Option<Audio>,
    /// The other side knows that silence is being left out.
    leaving_out: bool,
    ssrc: u32,
    /// RTP time of the first block of the present source.
    timestamp: u32,
    sequence: u16,
    /// Blocks that former sources passed over.
    skipped: u64,
}

impl Sender {
    pub(super) fn new(
        source: Option<Box<dyn AudioSource>>,
        bits_per_second: u32,
        voice: Capture,
    ) -> Result<Self, Error> {
        let settings = opus::Settings { bits_per_second, ..opus::Settings::default() };
        let [ssrc, timestamp, sequence] = super::random()?;
        Ok(Self {
            source,
            encoder: opus::Encoder::new(settings)?,
            voice,
            fade: Fade::default(),
            activity: Activity::default(),
            gathered: Vec::with_capacity(opus::BLOCKS * opus::BLOCK),
            first: 0,
            allotted: None,
            leaving_out: false,
            ssrc,
            timestamp,
            sequence: sequence as u16,
            skipped: 0,
        })
    }

    /// Runs until told to stop. A source or encoder that fails is told of and the source let go; another one may follow.
    pub(super) fn run(mut self, shared: &Shared, outlet: &dyn Outlet) {
        let mut start = Instant::now();
        let mut clock = CaptureClock::new(WallTime::now());
        // A block exists when its last sample does: the first is due after 20 ms.
        let mut pacer = Pacer::new(start + BLOCK_TIME, BLOCKS);
        let mut block = [0.0f32; opus::BLOCK];
        while let Some(mut orders) = shared.audio_out.wait(self.source.as_ref().map(|_| pacer.deadline())) {
            if let Some(source) = orders.source.take() {
                let now = Instant::now();
                let blocks = (now - start).as_nanos() / BLOCK_TIME.as_nanos();
                self.timestamp = self.timestamp.wrapping_add((blocks * opus::BLOCK as u128) as u32);
                // The old device is closed before the new one is read: they may be the same.
                self.source = None;
                self.source = source;
                start = now;
                clock = CaptureClock::new(WallTime::now());
                self.skipped += pacer.skipped();
                self.gathered.clear();
                pacer = Pacer::new(start + BLOCK_TIME, BLOCKS);
            }
            if let Err(error) = self.steer(&orders) {
                shared.fail(Kind::Audio, true, &error);
                self.source = None;
            }
            if self.source.is_none() {
                continue;
            }
            let Some(index) = pacer.tick(Instant::now(), PATIENCE) else {
                continue;
            };
            let captured = clock.block(index, WallTime::now());
            let encoded = self.encode(captured, index, &mut block, orders.muted, shared);
            if encoded.is_ok() {
                // Counted in the blocks' own beat, so that they join without a step.
                let spoken = start + BLOCK_TIME * u32::try_from(index).unwrap_or(u32::MAX);
                shared.record(|tap| tap.sound(Side::Own, spoken, &block));
            }
            match encoded {
                Ok(None) => {}
                Ok(Some(payload)) => self.send(payload, self.skipped + pacer.skipped(), shared, outlet),
                Err(error) => {
                    shared.fail(Kind::Audio, true, &error);
                    self.source = None;
                }
            }
        }
    }

    /// The next packet, if what the source has now completes it.
    fn encode(
        &mut self,
        captured: WallTime,
        index: u64,
        block: &mut [f32; opus::BLOCK],
        muted: bool,
        shared: &Shared,
    ) -> Result<Option<bytes::Bytes>, Error> {
        let mut live = false;
        if let Some(source) = &mut self.source {
            live = source.live();
            self.voice.set(if live { *lock(&shared.voice) } else { voice::Settings::OFF });
            source.read(captured, block)?;
        }
        // Also while muted: what was learned of the room stays true.
        self.voice.process(block);
        self.fade.apply(muted, block);
        let speaking = self.activity.hear(block);
        if let Some(monitor) = &shared.monitor {
            monitor.own.heard(block, speaking);
        }
        lock(&shared.audio_sent).speaking = speaking;
        let have = (self.gathered.len() / opus::BLOCK) as u64;
        if have == 0 || index != self.first + have {
            // Blocks that were passed over would move those before them.
            self.gathered.clear();
            self.first = index;
        }
        self.gathered.extend_from_slice(block);
        if self.gathered.len() / opus::BLOCK < self.blocks() {
            return Ok(None);
        }
        self.encoder.set_dtx(live || self.fade.silent() || self.allotted.is_some_and(|audio| audio.dtx))?;
        self.encoder.encode(&self.gathered).map(Some)
    }

    /// Blocks that go into one packet.
    fn blocks(&self) -> usize {
        let blocks = self.allotted.map_or(1, |audio| audio.frame.as_millis() / BLOCK_TIME.as_millis());
        usize::try_from(blocks).unwrap_or(1).clamp(1, opus::BLOCKS)
    }

    fn steer(&mut self, orders: &Orders<Box<dyn AudioSource>>) -> Result<(), Error> {
        if let Some(audio) = orders.audio {
            self.allotted = Some(audio);
            if audio.bits_per_second != self.encoder.settings().bits_per_second {
                self.encoder.set_bitrate(audio.bits_per_second)?;
            }
            self.encoder.set_expected_loss(audio.expected_loss)?;
        }
        if let Some(percent) = orders.expected_loss {
            self.encoder.set_expected_loss(percent.max(LEAST_EXPECTED_LOSS))?;
        }
        Ok(())
    }

    fn send(&mut self, payload: bytes::Bytes, skipped: u64, shared: &Shared, outlet: &dyn Outlet) {
        let silence = opus::leaves_out(&payload);
        let blocks = self.gathered.len() / opus::BLOCK;
        self.gathered.clear();
        if silence && self.leaving_out {
            lock(&shared.audio_sent).blocks_left_out += blocks as u64;
            return;
        }
        // The first packet of a silence is sent: it says that what follows was not lost.
        let talkspurt = self.first == 0 || (self.leaving_out && !silence);
        self.leaving_out = silence;
        let now = Instant::now();
        let bytes = (payload.len() + HEADER_LENGTH) as u64;
        outlet.send(
            Kind::Audio,
            RtpPacket {
                payload_type: OPUS_PAYLOAD_TYPE,
                marker: talkspurt,
                sequence: self.sequence,
                timestamp: self.timestamp.wrapping_add((self.first * opus::BLOCK as u64) as u32),
                ssrc: self.ssrc,
                payload,
                arrived: now,
            },
        );
        self.sequence = self.sequence.wrapping_add(1);
        let mut sent = lock(&shared.audio_sent);
        sent.codec = Some("opus");
        sent.packets_sent += 1;
        sent.bytes_sent += bytes;
        sent.blocks_skipped = skipped;
        sent.first_sent.get_or_insert(now);
        sent.last_sent = Some(now);
        sent.kbps = kbps(sent.bytes_sent, sent.first_sent, sent.last_sent);
    }
}

/// The wall time of the first sample of each block: on the beat of the blocks, so that blocks join
/// without a step, and after the system's clock when that is set.
struct CaptureClock {
    start: WallTime,
}

impl CaptureClock {
    fn new(start: WallTime) -> Self {
        Self { start }
    }

    /// `now` is when the block's last sample exists, or a little later.
    fn block(&mut self, index: u64, now: WallTime) -> WallTime {
        let since_start = Duration::from_millis(20 * index);
        let beat = self.start + since_start;
        let off = now.signed_since(beat + BLOCK_TIME);
        if off.unsigned_abs() <= CLOCK_SET.as_micros() as u64 {
            return beat;
        }
        self.start = now - BLOCK_TIME - since_start;
        now - BLOCK_TIME
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_join_exactly_and_a_set_clock_is_followed() {
        let start = WallTime(1_000_000_000);
        let mut clock = CaptureClock::new(start);
        for index in 0..100u64 {
            let late = Duration::from_micros(index % 7 * 900);
            let now = start + BLOCK_TIME * (index as u32 + 1) + late;
            assert_eq!(clock.block(index, now), start + BLOCK_TIME * index as u32);
        }
        let set = start + Duration::from_secs(3_600);
        assert_eq!(clock.block(100, set), set - BLOCK_TIME);
        assert_eq!(clock.block(101, set + BLOCK_TIME), set);
    }
}
