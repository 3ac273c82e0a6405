//! The report of docs/scripting.md as types. A field that is not here fails the test that meets it,
//! and so does one that is missing: the published shape and this file change together.

#![allow(dead_code, reason = "a field that no test reads yet is still part of the published shape")]

use std::collections::BTreeMap;

use serde::Deserialize;

/// The version of the shape that these types are.
pub(crate) const SCHEMA: &str = "letsmeet.report/1";

macro_rules! shapes {
    ($($(#[$about:meta])* struct $name:ident { $($(#[$attribute:meta])* $field:ident: $kind:ty,)* })*) => {$(
        $(#[$about])*
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(crate) struct $name {
            $($(#[$attribute])* pub(crate) $field: $kind,)*
        }
    )*};
}

shapes! {
    /// The whole document.
    struct Report {
        schema: String,
        command: String,
        version: String,
        result: Verdict,
        call: Call,
        setup: Setup,
        path: Path,
        send: Sent,
        receive: Received,
        chat: Chat,
        record: Record,
        alert: Alert,
        process: Process,
        expectations: Vec<Expectation>,
        failures: Vec<String>,
    }
    /// How it came out.
    struct Verdict {
        exit: i32,
        name: String,
        message: String,
    }
    /// The call; nulls when none was placed.
    struct Call {
        id: Option<String>,
        peer: Option<String>,
        peer_key: Option<String>,
        verification_code: Option<String>,
        compared: Option<bool>,
        files: bool,
        direction: Option<String>,
        end_reason: Option<String>,
        duration_ms: u64,
    }
    /// Milliseconds from dialing, or from the ring.
    struct Setup {
        ringing_ms: Option<f64>,
        accepted_ms: Option<f64>,
        connected_ms: Option<f64>,
        first_audio_ms: Option<f64>,
        first_frame_ms: Option<f64>,
    }
    /// The path that media took.
    struct Path {
        local: Option<Candidate>,
        remote: Option<Candidate>,
        relay_protocol: Option<String>,
        rtt_ms: Spread,
        restarts: u64,
        available_kbps: Option<f64>,
        bytes_sent: u64,
        bytes_received: u64,
    }
    /// One end of the selected pair.
    struct Candidate {
        #[serde(rename = "type")]
        kind: String,
        protocol: String,
        address: String,
    }
    /// A distribution, milliseconds; nulls when nothing was measured.
    struct Spread {
        p50: Option<f64>,
        p95: Option<f64>,
        max: Option<f64>,
    }
    /// Written messages.
    struct Chat {
        sent: u64,
        delivered: u64,
        received: u64,
    }
    /// What was sent.
    struct Sent {
        video: SentVideo,
        audio: SentAudio,
    }
    /// Pictures sent.
    struct SentVideo {
        codec: Option<String>,
        width: Option<u32>,
        height: Option<u32>,
        fps: Option<f64>,
        kbps: Option<f64>,
        frames_sent: u64,
        keyframes: u64,
        frames_skipped: u64,
        packets_dropped: u64,
        retransmitted: u64,
        remote_loss_pct: Option<f64>,
    }
    /// Sound sent.
    struct SentAudio {
        codec: Option<String>,
        kbps: Option<f64>,
        packets_sent: u64,
        packets_dropped: u64,
        retransmitted: u64,
        remote_loss_pct: Option<f64>,
        remote_jitter_ms: Option<f64>,
    }
    /// What was received, measured on decoded media.
    struct Received {
        video: ReceivedVideo,
        audio: ReceivedAudio,
    }
    /// Pictures received; the last three only with the pattern.
    struct ReceivedVideo {
        codec: Option<String>,
        width: Option<u32>,
        height: Option<u32>,
        fps: Option<f64>,
        kbps: Option<f64>,
        frames_received: u64,
        frames_decoded: u64,
        frames_shown: u64,
        frames_dropped: Option<u64>,
        frames_lost: Option<u64>,
        packets_received: u64,
        packets_lost: Option<u64>,
        packets_recovered: Option<u64>,
        keyframes_requested: u64,
        frozen_ms: Option<f64>,
        longest_freeze_ms: Option<f64>,
        frozen_seconds: Option<u64>,
        latency_ms: Spread,
        psnr_db: Option<f64>,
        ssim: Option<f64>,
    }
    /// Sound received; the latency only with the tone.
    struct ReceivedAudio {
        codec: Option<String>,
        kbps: Option<f64>,
        packets_received: u64,
        packets_lost: Option<u64>,
        packets_recovered: Option<u64>,
        packets_late: Option<u64>,
        concealed_pct: Option<f64>,
        silence_pct: Option<f64>,
        gaps: Option<u64>,
        latency_ms: Spread,
        tone_hz: Option<f64>,
        level_dbfs: Option<f64>,
        jitter_ms: Option<f64>,
        buffer_ms: Option<f64>,
        behind_picture_ms: Option<f64>,
    }
    /// A recording; nulls when none was made.
    struct Record {
        path: Option<String>,
        bytes: Option<u64>,
        duration_ms: Option<u64>,
        dropped: Option<u64>,
    }
    /// Hands on the own face; nulls when nobody looked out for them.
    struct Alert {
        count: Option<u64>,
        seconds: Option<f64>,
        watched_seconds: Option<f64>,
    }
    /// What the process cost.
    struct Process {
        cpu_s: f64,
        rss_peak_mb: f64,
    }
    /// An expectation as it came out; no `actual` when this call produced no such number.
    struct Expectation {
        text: String,
        actual: Option<f64>,
        held: bool,
    }
}

impl Report {
    /// Why the call ended, in kebab-case; empty when there was none.
    pub(crate) fn end_reason(&self) -> &str {
        self.call.end_reason.as_deref().unwrap_or_default()
    }

    /// Every expectation's text and whether it held.
    pub(crate) fn expectations(&self) -> BTreeMap<&str, bool> {
        self.expectations.iter().map(|expectation| (expectation.text.as_str(), expectation.held)).collect()
    }
}
