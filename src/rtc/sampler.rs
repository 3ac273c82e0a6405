//! Reads the selected pair when it may have changed, and its round-trip time once a second.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use ::rtc::statistics::StatsSelector;
use ::rtc::statistics::report::RTCStatsReportEntry;
use ::rtc::statistics::stats::ice_candidate::RTCIceCandidateStats;
use tokio::sync::Notify;
use webrtc::peer_connection::PeerConnection;

use super::config::PATH_SAMPLE;
use super::path::PathEnd;
use super::shared::{Pair, Shared};

/// Runs until the connection is gone. Sleeps until the connection is up.
pub(super) async fn run(
    connection: Weak<dyn PeerConnection>,
    shared: Arc<Shared>,
    path_changed: Arc<Notify>,
) {
    path_changed.notified().await;
    let mut responses = 0;
    loop {
        let Some(connection) = connection.upgrade() else {
            return;
        };
        sample(&connection, &shared, &mut responses).await;
        drop(connection);
        tokio::select! {
            () = path_changed.notified() => {}
            () = tokio::time::sleep(PATH_SAMPLE) => {}
        }
    }
}

/// Takes the selected pair and, when a consent check was answered since, its round-trip time.
async fn sample(connection: &Arc<dyn PeerConnection>, shared: &Shared, responses: &mut u64) {
    let report = connection
        .get_stats(Instant::now(), StatsSelector::None)
        .await;
    let selected = report
        .transport()
        .map(|transport| transport.selected_candidate_pair_id.as_str());
    let Some(pair) = report
        .candidate_pairs()
        .find(|pair| Some(pair.stats.id.as_str()) == selected)
    else {
        return;
    };
    if pair.responses_received != *responses && pair.current_round_trip_time > 0.0 {
        *responses = pair.responses_received;
        if let Ok(rtt) = Duration::try_from_secs_f64(pair.current_round_trip_time) {
            shared.add_rtt(rtt);
        }
    }
    let local = report.get(&pair.local_candidate_id);
    let remote = report.get(&pair.remote_candidate_id);
    if let (
        Some(RTCStatsReportEntry::LocalCandidate(local)),
        Some(RTCStatsReportEntry::RemoteCandidate(remote)),
    ) = (local, remote)
    {
        let relayed = local.candidate_type.to_string() == "relay";
        shared.set_pair(Pair {
            local: end(local),
            remote: end(remote),
            relay_protocol: relayed.then(|| "udp".to_owned()),
        });
    }
}

fn end(candidate: &RTCIceCandidateStats) -> PathEnd {
    let address = candidate.address.clone().unwrap_or_default();
    PathEnd {
        candidate_type: candidate.candidate_type.to_string(),
        protocol: candidate.protocol.to_ascii_lowercase(),
        address: match address.contains(':') {
            true => format!("[{address}]:{}", candidate.port),
            false => format!("{address}:{}", candidate.port),
        },
    }
}
