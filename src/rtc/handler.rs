//! Turns the library's callbacks into events. They run in the task that drives the connection, so
//! none of them waits.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use tokio::sync::Notify;
use webrtc::data_channel::DataChannel;
use webrtc::peer_connection::{
    PeerConnectionEventHandler, RTCIceCandidateType, RTCIceGatheringState, RTCPeerConnectionIceEvent,
    RTCPeerConnectionState,
};

use super::config::{Candidate, Event};
use super::sampler::end;
use super::shared::Shared;
use super::stream::relay_protocol;

/// The callbacks of one connection.
pub(super) struct Handler {
    pub(super) shared: Arc<Shared>,
    /// Rung when the selected pair may have changed.
    pub(super) path_changed: Arc<Notify>,
}

#[async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_ice_candidate(&self, event: RTCPeerConnectionIceEvent) {
        if event.candidate.typ == RTCIceCandidateType::Relay {
            self.shared.relay_gathered(end(&event.candidate).address, relay_protocol(&event.url));
        }
        match event.candidate.to_json() {
            Ok(init) if !init.candidate.is_empty() => {
                self.shared.events.candidate(Candidate {
                    candidate: init.candidate,
                    mid: self.shared.mid(),
                    mline: 0,
                });
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "a local candidate cannot be written"),
        }
    }

    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        if state == RTCIceGatheringState::Complete {
            self.shared.events.send(Event::GatheringDone);
        }
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        tracing::debug!(%state, "peer connection");
        match state {
            RTCPeerConnectionState::Connected => {
                self.shared.sending.store(true, Ordering::Relaxed);
                self.shared.events.up();
                self.path_changed.notify_one();
            }
            RTCPeerConnectionState::Connecting => self.shared.events.restarting(),
            RTCPeerConnectionState::Disconnected => self.shared.events.down(),
            RTCPeerConnectionState::Failed => self.shared.events.failed(),
            _ => {}
        }
    }

    /// The control channel is agreed on beforehand; a channel that the other side opens is not ours.
    async fn on_data_channel(&self, _channel: Arc<dyn DataChannel>) {
        tracing::debug!("a data channel of the other side was left alone");
    }
}
