//! The report as JSON: the serde twin of [`session::report::Report`](crate::session::report::Report).
//!
//! Owns the field names, which docs/scripting.md and docs/report.schema.json fix (a test compares
//! the schema with these types). What was judged or measured is null when there was nothing to judge or
//! measure; a plain count is always a number, for then 0 is true.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use crate::cli::exit::Exit;
use crate::cli::expect::Outcome;
use crate::cli::process::Usage;
use crate::session::report as plain;

/// The version of this document's shape. Fields may be added within a version.
pub const SCHEMA: &str = "letsmeet.report/1";

/// One command's result.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// `letsmeet.report/1`.
    pub schema: String,
    /// The command, as it was given: `call`, `login`, `selftest` …
    pub command: String,
    /// The version of letsmeet.
    pub version: String,
    /// How it came out.
    pub result: Verdict,
    /// The call.
    pub call: Call,
    /// When each step was reached.
    pub setup: Setup,
    /// The path that media took.
    pub path: Path,
    /// What was sent.
    pub send: Sent,
    /// What was received, measured on decoded media.
    pub receive: Received,
    /// What was written.
    pub chat: Chat,
    /// The recording, if one was made; of several the last.
    pub record: Record,
    /// Hands on the own face, if that was looked out for.
    pub alert: Alert,
    /// What it cost.
    pub process: Process,
    /// The expectations, as they came out.
    pub expectations: Vec<Outcome>,
    /// Sources, sinks, codecs and recordings of this side that failed during the call, a sentence each.
    pub failures: Vec<String>,
}

/// How the command came out.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Verdict {
    /// The exit status.
    pub exit: u8,
    /// Its name.
    pub name: String,
    /// A sentence for a person.
    pub message: String,
}

/// The call.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// 32 hexadecimal digits; null when no call was placed.
    pub id: Option<String>,
    /// The other side's name.
    pub peer: Option<String>,
    /// Fingerprint of the other side's key.
    pub peer_key: Option<String>,
    /// The code that both sides can compare.
    pub verification_code: Option<String>,
    /// Whether both sides' codes were the same; null when nobody compared them.
    pub compared: Option<bool>,
    /// It was about files alone, without sound and picture.
    pub files: bool,
    /// `outgoing` or `incoming`.
    pub direction: Option<String>,
    /// Why it ended, a word of docs/scripting.md.
    pub end_reason: Option<String>,
    /// From connected to the end, milliseconds.
    pub duration_ms: u64,
}

/// Milliseconds from dialing, or from the ring.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Setup {
    /// The other side rings.
    pub ringing_ms: Option<f64>,
    /// The callee accepted.
    pub accepted_ms: Option<f64>,
    /// ICE and DTLS are done.
    pub connected_ms: Option<f64>,
    /// The first decoded sound was played.
    pub first_audio_ms: Option<f64>,
    /// The first decoded picture was shown.
    pub first_frame_ms: Option<f64>,
}

/// The path that media took.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Path {
    /// Our candidate of the selected pair.
    pub local: Option<Candidate>,
    /// Theirs.
    pub remote: Option<Candidate>,
    /// How we reach our TURN server, when the path is relayed on our side.
    pub relay_protocol: Option<String>,
    /// Round-trip times.
    pub rtt_ms: Spread,
    /// ICE restarts.
    pub restarts: u64,
    /// What the path carries in our direction, with all headers; null when the other side does not tell what arrives.
    pub available_kbps: Option<f64>,
    /// Bytes of media and reports sent, without the headers below RTP.
    pub bytes_sent: u64,
    /// Bytes received.
    pub bytes_received: u64,
}

/// A candidate of the selected pair.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Candidate {
    /// `host`, `srflx`, `prflx` or `relay` (RFC 8445).
    #[serde(rename = "type")]
    pub kind: String,
    /// `udp` or `tcp`.
    pub protocol: String,
    /// Address and port.
    pub address: String,
}

/// A distribution, in milliseconds.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spread {
    /// Half of the values are at most this.
    pub p50: Option<f64>,
    /// 95 of 100 values are at most this.
    pub p95: Option<f64>,
    /// The largest.
    pub max: Option<f64>,
}

/// What was sent.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sent {
    /// Pictures.
    pub video: SentVideo,
    /// Sound.
    pub audio: SentAudio,
}

/// Pictures sent.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SentVideo {
    /// The codec of the last picture, VP8 or VP9; null when no picture was sent.
    pub codec: Option<String>,
    /// Pixels a row.
    pub width: Option<u32>,
    /// Rows.
    pub height: Option<u32>,
    /// Frames encoded a second, over the whole call.
    pub fps: Option<f64>,
    /// RTP payload, kbit/s, over the whole call.
    pub kbps: Option<f64>,
    /// Frames sent.
    pub frames_sent: u64,
    /// Of these, keyframes.
    pub keyframes: u64,
    /// Beats of the source passed over because the encoder was behind.
    pub frames_skipped: u64,
    /// Packets dropped because the transport's queue was full.
    pub packets_dropped: u64,
    /// Packets sent again because the other side asked for them.
    pub retransmitted: u64,
    /// Share of our packets that the other side says it lost, percent, latest RTCP report.
    pub remote_loss_pct: Option<f64>,
}

/// Sound sent.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SentAudio {
    /// The codec; null when no sound was sent.
    pub codec: Option<String>,
    /// RTP payload, kbit/s, over the whole call.
    pub kbps: Option<f64>,
    /// Packets handed to the transport.
    pub packets_sent: u64,
    /// Packets dropped because the transport's queue was full.
    pub packets_dropped: u64,
    /// Packets sent again because the other side asked for them.
    pub retransmitted: u64,
    /// Share of our packets that the other side says it lost, percent, latest RTCP report.
    pub remote_loss_pct: Option<f64>,
    /// Interarrival jitter that the other side reports, milliseconds, latest RTCP report.
    pub remote_jitter_ms: Option<f64>,
}

/// What was received, measured on decoded media.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Received {
    /// Pictures.
    pub video: ReceivedVideo,
    /// Sound.
    pub audio: ReceivedAudio,
}

/// Pictures received.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReceivedVideo {
    /// The codec of the last picture, VP8 or VP9; null when nothing came.
    pub codec: Option<String>,
    /// Pixels a row of the last picture.
    pub width: Option<u32>,
    /// Rows of the last picture.
    pub height: Option<u32>,
    /// Pictures shown a second, from the first one to the end.
    pub fps: Option<f64>,
    /// RTP payload, kbit/s.
    pub kbps: Option<f64>,
    /// Frames that came whole.
    pub frames_received: u64,
    /// Frames decoded.
    pub frames_decoded: u64,
    /// Pictures shown.
    pub frames_shown: u64,
    /// Complete frames that were not decoded (one before them was missing) or not shown (too late);
    /// null when nothing came.
    pub frames_dropped: Option<u64>,
    /// Frames that the sender numbered and that never came, or not whole; null when nothing came.
    pub frames_lost: Option<u64>,
    /// Packets received, duplicates included.
    pub packets_received: u64,
    /// Packets that never came; null when nothing came.
    pub packets_lost: Option<u64>,
    /// Packets that came after they were missed, in time; null when nothing came.
    pub packets_recovered: Option<u64>,
    /// Keyframes asked for.
    pub keyframes_requested: u64,
    /// Time in freezes: more than 200 ms between two shown pictures, counted whole; null when none was shown.
    pub frozen_ms: Option<f64>,
    /// The longest freeze; 0 without any, null when no picture was shown.
    pub longest_freeze_ms: Option<f64>,
    /// Seconds, counted from the first picture, that a freeze touches; null without one.
    pub frozen_seconds: Option<u64>,
    /// Pattern only: from capture to show.
    pub latency_ms: Spread,
    /// Pattern only: luma, against the regenerated original.
    pub psnr_db: Option<f64>,
    /// Pattern only: luma, against the regenerated original.
    pub ssim: Option<f64>,
}

/// Sound received.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReceivedAudio {
    /// The codec; null when nothing came.
    pub codec: Option<String>,
    /// RTP payload, kbit/s.
    pub kbps: Option<f64>,
    /// Packets received.
    pub packets_received: u64,
    /// Packets that did not come in time; null when nothing came.
    pub packets_lost: Option<u64>,
    /// Lost packets whose sound came back, by in-band FEC or by retransmission; null when
    /// nothing came.
    pub packets_recovered: Option<u64>,
    /// Packets that came when their time was over; null when nothing came.
    pub packets_late: Option<u64>,
    /// Share of the played sound that was made up, percent.
    pub concealed_pct: Option<f64>,
    /// Share of the played sound below -60 dBFS, percent.
    pub silence_pct: Option<f64>,
    /// Audible holes in a tone; null when nothing came.
    pub gaps: Option<u64>,
    /// Tone only: from capture to playout.
    pub latency_ms: Spread,
    /// Tone only: its frequency, Hz.
    pub tone_hz: Option<f64>,
    /// Level of the played sound.
    pub level_dbfs: Option<f64>,
    /// Interarrival jitter (RFC 3550), milliseconds.
    pub jitter_ms: Option<f64>,
    /// Present delay of the jitter buffer, milliseconds.
    pub buffer_ms: Option<f64>,
    /// How far the sound is played behind its picture, milliseconds; negative when ahead.
    pub behind_picture_ms: Option<f64>,
}

/// Written messages.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Chat {
    /// Messages that went out.
    pub sent: u64,
    /// Of these, those that the other side has, as it says.
    pub delivered: u64,
    /// Messages that came.
    pub received: u64,
}

/// A recording of this side.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The file; null when nothing was recorded.
    pub path: Option<String>,
    /// Its length.
    pub bytes: Option<u64>,
    /// How long it plays.
    pub duration_ms: Option<u64>,
    /// Pictures and blocks of sound that are missing in it because the disk was too slow.
    pub dropped: Option<u64>,
}

/// Hands on the own face; nulls when nobody looked out for them.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Alert {
    /// How often the alert was raised.
    pub count: Option<u64>,
    /// How long it was on, seconds.
    pub seconds: Option<f64>,
    /// How long there was a face to watch, seconds.
    pub watched_seconds: Option<f64>,
}

/// What the process cost so far.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Process {
    /// User and system CPU time, seconds.
    pub cpu_s: f64,
    /// The largest resident set, MB (10^6 bytes).
    pub rss_peak_mb: f64,
}

impl Report {
    /// A report without a call: what a command that failed before it can say.
    #[must_use]
    pub fn empty(command: &str) -> Self {
        let usage = Usage::now();
        Self {
            schema: SCHEMA.into(),
            command: command.into(),
            version: env!("CARGO_PKG_VERSION").into(),
            result: Verdict::default(),
            call: Call::default(),
            setup: Setup::default(),
            path: Path::default(),
            send: Sent::default(),
            receive: Received::default(),
            chat: Chat::default(),
            record: Record::default(),
            alert: Alert::default(),
            process: Process {
                cpu_s: rounded(usage.cpu.as_secs_f64(), 100.0),
                rss_peak_mb: rounded(usage.rss_peak as f64 / 1e6, 10.0),
            },
            expectations: Vec::new(),
            failures: Vec::new(),
        }
    }

    /// A report of one call; the result is still to be concluded.
    #[must_use]
    pub fn of(command: &str, call: &plain::Report) -> Self {
        let mut report = Self::empty(command);
        report.call = Call {
            id: Some(call.id.to_string()),
            peer: Some(call.peer.clone()),
            peer_key: call.peer_key.clone(),
            verification_code: call.verification_code.clone(),
            compared: call.compared,
            files: call.files,
            direction: Some(
                match call.direction {
                    plain::Direction::Outgoing => "outgoing",
                    plain::Direction::Incoming => "incoming",
                }
                .into(),
            ),
            end_reason: Some(call.reason.name().into()),
            duration_ms: u64::try_from(call.duration.as_millis()).unwrap_or(u64::MAX),
        };
        report.setup = Setup {
            ringing_ms: call.setup.ringing.map(ms),
            accepted_ms: call.setup.accepted.map(ms),
            connected_ms: call.setup.connected.map(ms),
            first_audio_ms: call.setup.first_audio.map(ms),
            first_frame_ms: call.setup.first_frame.map(ms),
        };
        report.chat =
            Chat { sent: call.chat.sent, delivered: call.chat.delivered, received: call.chat.received };
        super::figures::fill(&mut report, call.media.as_ref(), call.path.as_ref());
        if let Some(recorded) = &call.record {
            report.record = Record {
                path: Some(recorded.path.display().to_string()),
                bytes: Some(recorded.bytes),
                duration_ms: u64::try_from(recorded.duration.as_millis()).ok(),
                dropped: Some(recorded.dropped),
            };
            report.failures.extend(recorded.failure.iter().map(|why| format!("recording: {why}")));
        }
        report
    }

    /// The JSON Schema of this document, as docs/report.schema.json holds it.
    #[must_use]
    pub fn schema() -> serde_json::Value {
        schemars::schema_for!(Report).to_value()
    }

    /// Sets how it came out.
    pub fn conclude(&mut self, exit: Exit, message: &str) {
        self.result = Verdict { exit: exit.code(), name: exit.name().into(), message: message.into() };
    }
}

/// A time as milliseconds with a tenth.
pub(super) fn ms(time: Duration) -> f64 {
    rounded(time.as_secs_f64() * 1e3, 10.0)
}

/// Figures in a report carry as many digits as they are worth; `scale` 10 keeps one decimal.
pub(super) fn rounded(value: f64, scale: f64) -> f64 {
    (value * scale).round() / scale
}
