//! From the session's plain figures to the fields of the report.

use super::lines::kind_name;
use super::report::{
    Alert, Candidate, Path, Received, ReceivedAudio, ReceivedVideo, Report, Sent, SentAudio, SentVideo,
    Spread, ms, rounded,
};
use crate::media::pipeline::Failure;
use crate::session::{PathDistribution, PathEnd, PathStats, Spread as Plain, Stats};

/// Fills in everything under `send`, `receive` and `path`, and the failures.
pub fn fill(report: &mut Report, media: Option<&Stats>, path: Option<&PathStats>) {
    if let Some(media) = media {
        report.send = sent(media);
        report.receive = received(media);
        report.alert = alert(media);
        report.failures = media.failures.iter().map(failure).collect();
    }
    let Some(path) = path else { return };
    report.path = Path {
        local: path.local.as_ref().map(candidate),
        remote: path.remote.as_ref().map(candidate),
        relay_protocol: path.relay_protocol.clone(),
        rtt_ms: path.rtt.as_ref().map(round_trip).unwrap_or_default(),
        restarts: path.restarts,
        available_kbps: path.available.map(|bits| rounded(bits / 1e3, 10.0)),
        bytes_sent: path.bytes_sent,
        bytes_received: path.bytes_received,
    };
    let video = &mut report.send.video;
    video.packets_dropped = path.video.dropped;
    video.retransmitted = path.video.retransmitted;
    video.remote_loss_pct = path.video.remote.map(|remote| rounded(remote.fraction_lost * 100.0, 10.0));
    let audio = &mut report.send.audio;
    audio.packets_dropped = path.audio.dropped;
    audio.retransmitted = path.audio.retransmitted;
    audio.remote_loss_pct = path.audio.remote.map(|remote| rounded(remote.fraction_lost * 100.0, 10.0));
    audio.remote_jitter_ms = path.audio.remote.map(|remote| ms(remote.jitter));
}

/// Which way of which medium stopped, and what it said.
fn failure(failure: &Failure) -> String {
    let way = if failure.sending { "sending" } else { "receiving" };
    format!("{way} {}: {}", kind_name(failure.kind), failure.message)
}

fn alert(media: &Stats) -> Alert {
    let seconds = |time: std::time::Duration| rounded(time.as_secs_f64(), 10.0);
    Alert {
        count: media.alert.map(|alert| alert.count),
        seconds: media.alert.map(|alert| seconds(alert.raised)),
        watched_seconds: media.alert.map(|alert| seconds(alert.watched)),
    }
}

fn sent(media: &Stats) -> Sent {
    let (video, audio) = (&media.video_sent, &media.audio_sent);
    let seen = video.codec.is_some();
    Sent {
        video: SentVideo {
            codec: video.codec.map(str::to_owned),
            width: seen.then_some(video.width),
            height: seen.then_some(video.height),
            fps: seen.then(|| rounded(video.fps, 10.0)),
            kbps: seen.then(|| rounded(video.kbps, 10.0)),
            frames_sent: video.frames_sent,
            keyframes: video.keyframes,
            frames_skipped: video.frames_skipped,
            ..SentVideo::default()
        },
        audio: SentAudio {
            codec: audio.codec.map(str::to_owned),
            kbps: audio.codec.map(|_| rounded(audio.kbps, 10.0)),
            packets_sent: audio.packets_sent,
            ..SentAudio::default()
        },
    }
}

fn received(media: &Stats) -> Received {
    Received { video: received_video(media), audio: received_audio(media) }
}

fn received_video(media: &Stats) -> ReceivedVideo {
    let video = &media.video_received;
    let came = video.codec.is_some();
    let shown = video.frames_shown > 0;
    ReceivedVideo {
        codec: video.codec.map(str::to_owned),
        width: shown.then_some(video.width),
        height: shown.then_some(video.height),
        fps: shown.then(|| rounded(video.fps, 10.0)),
        kbps: came.then(|| rounded(video.kbps, 10.0)),
        frames_received: video.frames_received,
        frames_decoded: video.frames_decoded,
        frames_shown: video.frames_shown,
        frames_dropped: came.then_some(video.frames_dropped),
        frames_lost: came.then_some(video.frames_lost),
        packets_received: video.packets_received,
        packets_lost: came.then_some(video.packets_lost),
        packets_recovered: came.then_some(video.packets_recovered),
        keyframes_requested: video.keyframes_requested,
        frozen_ms: shown.then(|| rounded(video.frozen_ms, 10.0)),
        longest_freeze_ms: shown.then(|| rounded(video.longest_freeze_ms, 10.0)),
        frozen_seconds: shown.then_some(video.frozen_seconds),
        latency_ms: spread(video.latency.as_ref()),
        psnr_db: video.psnr_db.map(|value| rounded(value, 100.0)),
        ssim: video.ssim.map(|value| rounded(value, 10_000.0)),
    }
}

fn received_audio(media: &Stats) -> ReceivedAudio {
    let audio = &media.audio_received;
    let came = audio.codec.is_some();
    let played = audio.first_played.is_some();
    ReceivedAudio {
        codec: audio.codec.map(str::to_owned),
        kbps: came.then(|| rounded(audio.kbps, 10.0)),
        packets_received: audio.packets_received,
        packets_lost: came.then_some(audio.packets_lost),
        packets_recovered: came.then_some(audio.packets_recovered),
        packets_late: came.then_some(audio.packets_late),
        concealed_pct: played.then(|| rounded(audio.concealed_pct, 100.0)),
        silence_pct: played.then(|| rounded(audio.silence_pct, 100.0)),
        gaps: came.then_some(audio.gaps),
        latency_ms: spread(audio.latency.as_ref()),
        tone_hz: audio.tone_hz.map(|value| rounded(value, 10.0)),
        level_dbfs: audio.level_dbfs.map(|value| rounded(value, 10.0)),
        jitter_ms: played.then(|| rounded(audio.jitter_ms, 10.0)),
        buffer_ms: played.then(|| rounded(audio.target_delay_ms, 10.0)),
        behind_picture_ms: audio.behind_picture_ms.map(|value| rounded(value, 10.0)),
    }
}

fn candidate(end: &PathEnd) -> Candidate {
    Candidate {
        kind: end.candidate_type.clone(),
        protocol: end.protocol.clone(),
        address: end.address.clone(),
    }
}

fn round_trip(rtt: &PathDistribution) -> Spread {
    Spread { p50: Some(ms(rtt.p50)), p95: Some(ms(rtt.p95)), max: Some(ms(rtt.max)) }
}

fn spread(plain: Option<&Plain>) -> Spread {
    plain.map_or_else(Spread::default, |plain| Spread {
        p50: Some(rounded(plain.p50, 10.0)),
        p95: Some(rounded(plain.p95, 10.0)),
        max: Some(rounded(plain.max, 10.0)),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::media::pipeline::Kind;

    fn received(media: &Stats) -> Value {
        let mut report = Report::empty("call");
        fill(&mut report, Some(media), None);
        serde_json::to_value(report.receive).unwrap()
    }

    #[test]
    fn what_nothing_came_for_is_not_judged_and_counts_stay_numbers() {
        let receive = received(&Stats::default());
        for (kind, judged) in [
            ("video", &["packets_lost", "packets_recovered", "frames_lost", "frames_dropped"][..]),
            ("video", &["frozen_ms", "longest_freeze_ms", "frozen_seconds", "fps", "kbps"]),
            ("audio", &["packets_lost", "packets_recovered", "packets_late", "gaps", "concealed_pct"]),
        ] {
            for field in judged {
                assert_eq!(receive[kind].get(field), Some(&Value::Null), "{kind}.{field}");
            }
        }
        for field in ["frames_received", "frames_decoded", "frames_shown", "packets_received"] {
            assert_eq!(receive["video"][field], json!(0), "{field}");
        }
        assert_eq!(receive["audio"]["packets_received"], json!(0));
    }

    #[test]
    fn packets_without_a_picture_judge_the_path_and_not_the_freezes() {
        let mut media = Stats::default();
        media.video_received.codec = Some("VP8");
        let video = &received(&media)["video"];
        assert_eq!((&video["packets_lost"], &video["frames_lost"]), (&json!(0), &json!(0)));
        assert_eq!((&video["frozen_ms"], &video["frozen_seconds"]), (&Value::Null, &Value::Null));
        media.video_received.frames_shown = 1;
        assert_eq!(received(&media)["video"]["frozen_ms"], json!(0.0));
    }

    #[test]
    fn a_failure_says_which_way_of_which_medium_stopped() {
        let failed = Failure { kind: Kind::Video, sending: true, message: "cannot decode x".into() };
        let mut report = Report::empty("call");
        fill(&mut report, Some(&Stats { failures: vec![failed], ..Stats::default() }), None);
        assert_eq!(report.failures, ["sending video: cannot decode x"]);
    }
}
