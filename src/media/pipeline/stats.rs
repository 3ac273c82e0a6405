//! The figures of one engine as plain data: everything that the report says of media.
//!
//! Owns no measuring: counters are the threads', distributions the meters'.

use std::time::Instant;

use super::Kind;
use crate::media::alert;
use crate::media::measure::Distribution;

/// The figures of both directions.
#[derive(Debug, Clone, Default)]
pub struct Stats {
    /// Pictures sent.
    pub video_sent: VideoSent,
    /// Sound sent.
    pub audio_sent: AudioSent,
    /// Pictures received.
    pub video_received: VideoReceived,
    /// Sound received.
    pub audio_received: AudioReceived,
    /// What the hand-on-face alert counted; `None` when it was never on.
    pub alert: Option<alert::Tally>,
    /// Sources, sinks and codecs that failed for good.
    pub failures: Vec<Failure>,
}

/// A source, a sink or a codec that failed for good; the rest of the engine goes on without it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Sound or picture.
    pub kind: Kind,
    /// Whether it was on the way out.
    pub sending: bool,
    /// What it said.
    pub message: String,
}

/// Pictures sent.
#[derive(Debug, Clone, Default)]
pub struct VideoSent {
    /// Pictures are not sent now, because the path has no room for them; `None` while there are none to send.
    pub held: Option<bool>,
    /// `VP8` or `VP9`: that of the last frame; `None` before the first.
    pub codec: Option<&'static str>,
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// Frames a second from the first to the last.
    pub fps: f64,
    /// Mean rate of RTP packets, kbit/s.
    pub kbps: f64,
    /// Frames encoded and sent.
    pub frames_sent: u64,
    /// Of these, key frames.
    pub keyframes: u64,
    /// Beats of the source passed over because the encoder was behind.
    pub frames_skipped: u64,
    /// RTP packets.
    pub packets_sent: u64,
    /// Octets of RTP packets, headers included.
    pub bytes_sent: u64,
    /// When the first frame went out.
    pub first_sent: Option<Instant>,
    /// When the last frame went out.
    pub last_sent: Option<Instant>,
}

/// Sound sent.
#[derive(Debug, Clone, Default)]
pub struct AudioSent {
    /// `opus`; `None` before the first packet.
    pub codec: Option<&'static str>,
    /// Mean rate of RTP packets, kbit/s.
    pub kbps: f64,
    /// RTP packets.
    pub packets_sent: u64,
    /// Blocks of 20 ms of silence for which no packet was needed (DTX).
    pub blocks_left_out: u64,
    /// Whether somebody speaks into the source right now.
    pub speaking: bool,
    /// Octets of RTP packets, headers included.
    pub bytes_sent: u64,
    /// Blocks of 20 ms passed over because the thread was behind.
    pub blocks_skipped: u64,
    /// When the first packet went out.
    pub first_sent: Option<Instant>,
    /// When the last packet went out.
    pub last_sent: Option<Instant>,
}

/// Pictures received.
#[derive(Debug, Clone, Default)]
pub struct VideoReceived {
    /// `VP8` or `VP9`: that of the last packet; `None` before the first.
    pub codec: Option<&'static str>,
    /// Pixels across of the last picture.
    pub width: u32,
    /// Pixels down of the last picture.
    pub height: u32,
    /// Pictures shown a second.
    pub fps: f64,
    /// Mean rate of RTP packets, kbit/s.
    pub kbps: f64,
    /// RTP packets, duplicates included.
    pub packets_received: u64,
    /// Octets of RTP packets, headers included.
    pub bytes_received: u64,
    /// Frames that came whole.
    pub frames_received: u64,
    /// Frames that the sender numbered and that never came, or not whole.
    pub frames_lost: u64,
    /// Frames decoded.
    pub frames_decoded: u64,
    /// Pictures given to the sink.
    pub frames_shown: u64,
    /// Complete frames not decoded (one before them was missing) and pictures not shown (too late).
    pub frames_dropped: u64,
    /// Frames that the decoder refused.
    pub decode_errors: u64,
    /// Packets that never came, or too late.
    pub packets_lost: u64,
    /// Packets that came behind a later one and in time: retransmitted or reordered.
    pub packets_recovered: u64,
    /// Packets dropped because the queue of the thread was full.
    pub packets_dropped: u64,
    /// Key frames asked for.
    pub keyframes_requested: u64,
    /// Time in freezes (pictures more than 200 ms apart), ms.
    pub frozen_ms: f64,
    /// The longest freeze, ms.
    pub longest_freeze_ms: f64,
    /// Seconds since the first picture in which there was frozen time.
    pub frozen_seconds: u64,
    /// From capture to show; pattern only.
    pub latency: Option<Distribution>,
    /// Against the regenerated original; pattern only.
    pub psnr_db: Option<f64>,
    /// Against the regenerated original; pattern only.
    pub ssim: Option<f64>,
    /// When the first picture was shown.
    pub first_shown: Option<Instant>,
}

/// Sound received.
#[derive(Debug, Clone, Default)]
pub struct AudioReceived {
    /// `opus`; `None` before the first packet.
    pub codec: Option<&'static str>,
    /// Mean rate of RTP packets, kbit/s.
    pub kbps: f64,
    /// RTP packets, duplicates included.
    pub packets_received: u64,
    /// Octets of RTP packets, headers included.
    pub bytes_received: u64,
    /// Packets that were not there in time, recovered ones not counted.
    pub packets_lost: u64,
    /// Lost packets whose sound came back: by forward error correction or by retransmission.
    pub packets_recovered: u64,
    /// Of these, by the forward error correction in the next packet.
    pub packets_recovered_by_fec: u64,
    /// Packets that came when their time was over.
    pub packets_late: u64,
    /// Packets dropped because the queue of the thread was full.
    pub packets_dropped: u64,
    /// Packets thrown away by the jitter buffer: jumps, overflow, rubbish.
    pub packets_discarded: u64,
    /// Share of the sound played that was made up, percent.
    pub concealed_pct: f64,
    /// Share of the sound played that was silent, percent.
    pub silence_pct: f64,
    /// Whether somebody speaks there right now.
    pub speaking: bool,
    /// Audible holes in a tone.
    pub gaps: u64,
    /// Sound played, ms.
    pub played_ms: u64,
    /// From capture to play; tone only.
    pub latency: Option<Distribution>,
    /// The tone's frequency, Hz; tone only.
    pub tone_hz: Option<f64>,
    /// Level of everything played.
    pub level_dbfs: Option<f64>,
    /// Level of the last 100 ms.
    pub recent_dbfs: Option<f64>,
    /// Interarrival jitter (RFC 3550, section 6.4.1), ms.
    pub jitter_ms: f64,
    /// The playout delay aimed at, ms.
    pub target_delay_ms: f64,
    /// The playout delay of the last packet, ms.
    pub delay_ms: f64,
    /// How far sound is played behind its picture, ms; negative when ahead. `None` before sender
    /// reports of both kinds.
    pub behind_picture_ms: Option<f64>,
    /// When the first received sound was played.
    pub first_played: Option<Instant>,
}

/// Mean rate in kbit/s of so many octets between two instants.
pub(super) fn kbps(bytes: u64, first: Option<Instant>, last: Option<Instant>) -> f64 {
    match (first, last) {
        (Some(first), Some(last)) if last > first => {
            bytes as f64 * 8.0 / 1_000.0 / (last - first).as_secs_f64()
        }
        _ => 0.0,
    }
}
