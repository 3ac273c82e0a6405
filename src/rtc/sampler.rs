//! Reads the selected pair when it may have changed, and its round-trip time once a second.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use ::rtc::statistics::StatsSelector;
use tokio::sync::Notify;
use webrtc::peer_connection::transport::DtlsTransport;
use webrtc::peer_connection::{PeerConnection, RTCIceCandidate, RTCIceCandidateType};

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

/// The transport that everything of this connection shares, once it is negotiated.
pub(super) async fn transport(connection: &Arc<dyn PeerConnection>) -> Option<Arc<dyn DtlsTransport>> {
    for sender in connection.get_senders().await {
        if let Ok(Some(transport)) = sender.transport().await {
            return Some(transport);
        }
    }
    Some(connection.sctp().await?.transport())
}

/// Takes the selected pair and, when a consent check was answered since, its round-trip time.
async fn sample(connection: &Arc<dyn PeerConnection>, shared: &Shared, responses: &mut u64) {
    if let Some(transport) = transport(connection).await
        && let Ok(Some(pair)) = transport.ice_transport().get_selected_candidate_pair().await
    {
        let relayed = pair.local().typ == RTCIceCandidateType::Relay;
        let local = end(pair.local());
        let protocol = relayed.then(|| shared.relay_protocol(&local.address).to_owned());
        shared.set_pair(Pair { local, remote: end(pair.remote()), relay_protocol: protocol });
    }
    let report = connection.get_stats(Instant::now(), StatsSelector::None).await;
    let selected = report.transport().map(|transport| transport.selected_candidate_pair_id.as_str());
    let pair = report.candidate_pairs().find(|pair| Some(pair.stats.id.as_str()) == selected);
    if let Some(pair) = pair
        && pair.responses_received != *responses
        && pair.current_round_trip_time > 0.0
    {
        *responses = pair.responses_received;
        if let Ok(rtt) = Duration::try_from_secs_f64(pair.current_round_trip_time) {
            shared.add_rtt(rtt);
        }
    }
}

pub(super) fn end(candidate: &RTCIceCandidate) -> PathEnd {
    let address = &candidate.address;
    PathEnd {
        candidate_type: candidate.typ.to_string(),
        protocol: candidate.protocol.to_string().to_ascii_lowercase(),
        address: match address.contains(':') {
            true => format!("[{address}]:{}", candidate.port),
            false => format!("{address}:{}", candidate.port),
        },
    }
}
