//! The report of product.md and docs/scripting.md as types. A field that is not here fails the
//! test that meets it: the published shape and this file change together.

#![allow(
    dead_code,
    reason = "a field that no test reads yet is still part of the published shape"
)]

use std::collections::BTreeMap;

use serde::Deserialize;

/// The whole document.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Report {
    pub(crate) schema: u32,
    pub(crate) command: String,
    pub(crate) version: String,
    pub(crate) result: Outcome,
    pub(crate) call: Option<Call>,
    pub(crate) setup: Option<Setup>,
    pub(crate) path: Option<PathFigures>,
    pub(crate) send: Option<Send>,
    pub(crate) receive: Option<Receive>,
    pub(crate) process: Option<ProcessFigures>,
    #[serde(default)]
    pub(crate) expectations: Vec<Expectation>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Outcome {
    pub(crate) exit: i32,
    pub(crate) name: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Call {
    pub(crate) id: String,
    pub(crate) peer: String,
    pub(crate) direction: String,
    pub(crate) end_reason: Option<String>,
    pub(crate) duration_ms: Option<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Setup {
    pub(crate) ringing_ms: Option<f64>,
    pub(crate) accepted_ms: Option<f64>,
    pub(crate) connected_ms: Option<f64>,
    pub(crate) first_audio_ms: Option<f64>,
    pub(crate) first_frame_ms: Option<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PathFigures {
    pub(crate) local: Option<End>,
    pub(crate) remote: Option<End>,
    pub(crate) relay_protocol: Option<String>,
    pub(crate) rtt_ms: Option<Distribution>,
    pub(crate) restarts: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct End {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) protocol: Option<String>,
    pub(crate) address: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Distribution {
    pub(crate) p50: f64,
    pub(crate) p95: f64,
    pub(crate) max: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Send {
    pub(crate) video: Option<SendVideo>,
    pub(crate) audio: Option<SendAudio>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SendVideo {
    pub(crate) codec: String,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) fps: f64,
    pub(crate) kbps: f64,
    pub(crate) frames_sent: u64,
    pub(crate) keyframes: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SendAudio {
    pub(crate) codec: String,
    pub(crate) kbps: f64,
    pub(crate) packets_sent: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Receive {
    pub(crate) video: Option<ReceiveVideo>,
    pub(crate) audio: Option<ReceiveAudio>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReceiveVideo {
    pub(crate) codec: String,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) fps: f64,
    pub(crate) kbps: f64,
    pub(crate) frames_decoded: u64,
    pub(crate) frames_shown: u64,
    pub(crate) packets_lost: u64,
    pub(crate) packets_recovered: u64,
    pub(crate) frozen_ms: f64,
    pub(crate) longest_freeze_ms: f64,
    /// Pattern only, as are the two below.
    pub(crate) latency_ms: Option<Distribution>,
    pub(crate) psnr_db: Option<f64>,
    pub(crate) ssim: Option<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReceiveAudio {
    pub(crate) codec: String,
    pub(crate) kbps: f64,
    pub(crate) packets_lost: u64,
    pub(crate) packets_recovered: u64,
    pub(crate) concealed_pct: f64,
    pub(crate) silence_pct: f64,
    pub(crate) gaps: u64,
    /// Tone only.
    pub(crate) latency_ms: Option<Distribution>,
    pub(crate) level_dbfs: Option<f64>,
    pub(crate) jitter_ms: Option<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProcessFigures {
    pub(crate) cpu_s: f64,
    pub(crate) rss_peak_mb: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expectation {
    pub(crate) text: String,
    /// Null when the report has no such number: then it did not hold.
    pub(crate) actual: Option<f64>,
    pub(crate) held: bool,
}

impl Report {
    /// The received picture; panics with the report when there is none.
    pub(crate) fn video(&self) -> &ReceiveVideo {
        self.receive
            .as_ref()
            .and_then(|receive| receive.video.as_ref())
            .unwrap_or_else(|| panic!("no picture received: {self:#?}"))
    }

    /// The received sound; panics with the report when there is none.
    pub(crate) fn audio(&self) -> &ReceiveAudio {
        self.receive
            .as_ref()
            .and_then(|receive| receive.audio.as_ref())
            .unwrap_or_else(|| panic!("no sound received: {self:#?}"))
    }

    /// Why the call ended, in kebab-case.
    pub(crate) fn end_reason(&self) -> &str {
        self.call
            .as_ref()
            .and_then(|call| call.end_reason.as_deref())
            .unwrap_or_else(|| panic!("no end reason: {self:#?}"))
    }

    /// Every expectation's text and whether it held.
    pub(crate) fn expectations(&self) -> BTreeMap<&str, bool> {
        self.expectations
            .iter()
            .map(|expectation| (expectation.text.as_str(), expectation.held))
            .collect()
    }
}
