//! Whether a call was good: how it ended, whether media flowed both ways, and what was expected of it.

use std::time::Duration;

use super::exit::Exit;
use super::expect::{Expectation, Outcome};
use super::output::report::Report;
use crate::call::EndReason;
use crate::session::report;

/// A connected call of at least this length must have shown media of the other side.
const MEDIA_BY: Duration = Duration::from_secs(1);

/// What is said where `--expect-code` asked for it and it did not happen.
pub(super) const NOT_COMPARED: &str = "nobody compared the verification code (see: --expect-code)";

/// The exit of a call and a sentence about it. Fills in the report's expectations. `compare` wants the codes of both sides to have been
/// compared.
#[must_use]
pub(super) fn of_call(
    ended: &report::Report,
    connected: bool,
    compare: bool,
    expectations: &[Expectation],
    report: &mut Report,
) -> (Exit, String) {
    let json = serde_json::to_value(&*report).unwrap_or_default();
    report.expectations = expectations.iter().map(|expectation| expectation.judge(&json)).collect();
    let sentence = || ended.detail.clone().unwrap_or_else(|| ended.reason.sentence().to_owned());
    let exit = Exit::from(ended.reason);
    if exit != Exit::Ok || !connected {
        let exit = if exit == Exit::Ok { Exit::NotAnswered } else { exit };
        return (exit, sentence());
    }
    if compare && ended.compared != Some(true) {
        return (Exit::Identity, NOT_COMPARED.to_owned());
    }
    report.expectations.extend(both_ways(ended, &json));
    let failed: Vec<&str> = report.expectations.iter().filter(|o| !o.held).map(|o| o.text.as_str()).collect();
    if !failed.is_empty() {
        return (Exit::Expectation, format!("did not hold: {}", failed.join(", ")));
    }
    match report.failures.first() {
        Some(failure) => (Exit::Device, failure.clone()),
        None => (Exit::Ok, sentence()),
    }
}

/// One-way media is a failure: what the other side did not say it keeps off must have arrived. Only what
/// failed is listed, so that a report lists what its reader asked for and what went wrong.
fn both_ways(ended: &report::Report, json: &serde_json::Value) -> Vec<Outcome> {
    if ended.duration < MEDIA_BY || !matches!(ended.reason, EndReason::HungUp | EndReason::HungUpByPeer) {
        return Vec::new();
    }
    let mut wanted = Vec::new();
    if ended.remote_sends.audio {
        wanted.push(Expectation::at_least("receive.audio.packets_received", 1.0));
    }
    if ended.remote_sends.video {
        wanted.push(Expectation::at_least("receive.video.frames_shown", 1.0));
    }
    wanted.iter().map(|expectation| expectation.judge(json)).filter(|outcome| !outcome.held).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::pipeline::{Failure, Kind, Stats};

    fn ended(failures: Vec<Failure>) -> report::Report {
        let mut media = Stats { failures, ..Stats::default() };
        media.video_received.frames_shown = 1;
        media.audio_received.packets_received = 1;
        report::Report {
            chat: report::Chat::default(),
            compared: None,
            files: false,
            id: "00112233445566778899aabbccddeeff".parse().unwrap(),
            peer: "bob".into(),
            peer_key: None,
            verification_code: None,
            direction: report::Direction::Outgoing,
            reason: EndReason::HungUp,
            detail: None,
            duration: MEDIA_BY,
            setup: report::Setup::default(),
            remote_sends: report::RemoteSends::default(),
            path: None,
            media: Some(media),
            record: None,
        }
    }

    fn judged(ended: &report::Report, expectations: &[Expectation]) -> (Exit, String) {
        of_call(ended, true, false, expectations, &mut Report::of("call", ended))
    }

    #[test]
    fn a_good_call_in_which_a_sink_failed_is_a_device_s_fault() {
        let failure = Failure { kind: Kind::Video, sending: false, message: "the disk is full".into() };
        assert_eq!(judged(&ended(Vec::new()), &[]).0, Exit::Ok);
        let broken = ended(vec![failure]);
        assert_eq!(judged(&broken, &[]), (Exit::Device, "receiving video: the disk is full".into()));
        let wish = [Expectation::at_least("video.frames_shown", 2.0)];
        assert_eq!(judged(&broken, &wish).0, Exit::Expectation);
    }
}
