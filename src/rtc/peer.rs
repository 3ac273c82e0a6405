//! One peer connection, from the first description to the goodbye. The session drives it; a task of
//! the library drives what lies underneath.

use std::collections::VecDeque;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{Mutex, Notify, mpsc};
use tokio::task::JoinHandle;
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::peer_connection::{PeerConnection, RTCIceCandidateInit, RTCSessionDescription};

use ::rtc::peer_connection::configuration::RTCOfferOptions;

use super::build;
use super::bulk::{self, Bulk, BulkMessage};
use super::candidate::{self, Verdict};
use super::config::{
    CLOSE_WITHIN, Candidate, Config, EVENT_CAPACITY, Event, MAX_EARLY_CANDIDATES, MAX_REMOTE_CANDIDATES,
};
use super::control::Control;
use super::error::Error;
use super::inbound::Inbound;
use super::outlet::PacketOutlet;
use super::path::{PathStats, bump};
use super::sampler;
use super::sdp::{self, Description};
use super::shared::Shared;
use crate::media::pipeline::{Kind, Outlet};

/// A WebRTC connection to one participant.
///
/// Descriptions are made (`offer`, `answer`) and applied (`apply_local`) in two steps, because
/// candidates start to flow in the second and must not overtake the description at the other side.
/// Every method may be dropped half-way: what it began is finished in the background.
///
/// Dropping a peer closes it without a goodbye.
pub struct Peer {
    connection: Arc<dyn PeerConnection>,
    shared: Arc<Shared>,
    control: Control,
    bulk: Bulk,
    /// Until somebody takes it.
    bulk_messages: Option<mpsc::Receiver<BulkMessage>>,
    negotiation: Arc<Mutex<Negotiation>>,
    outlet: Arc<PacketOutlet>,
    sampler: JoinHandle<()>,
    mdns: bool,
    closed: bool,
}

/// Where the exchange of descriptions stands (RFC 9429, section 3.2).
#[derive(Default)]
struct Negotiation {
    /// Made and not yet applied.
    made: Option<RTCSessionDescription>,
    /// An offer of ours was applied and waits for its answer.
    offered: bool,
    /// The mids of our last offer, which an answer must repeat.
    mids: Vec<String>,
    /// The payload type of VP9 in our last description.
    vp9: Option<u8>,
    /// The description being made restarts ICE.
    restarts: bool,
    /// ICE user name fragment of the last remote description.
    remote_ufrag: Option<String>,
    /// Candidates can be given to the library.
    remote: bool,
    early: VecDeque<Candidate>,
    /// Candidates taken since the last remote offer or answer.
    taken: usize,
}

impl Peer {
    /// Binds sockets and prepares tracks and the control channel. Nothing is sent yet, besides the
    /// lookup of the names of ICE servers, which may take up to a second.
    ///
    /// Must be called on a tokio runtime. Events must be read: see [`EVENT_CAPACITY`].
    ///
    /// # Errors
    ///
    /// [`Error::Config`] when no address can be bound or the policy cannot be met.
    pub async fn new(
        config: Config,
        inbound: Arc<dyn Inbound>,
    ) -> Result<(Self, mpsc::Receiver<Event>), Error> {
        let (events, receiver) = mpsc::channel(EVENT_CAPACITY);
        let [audio_ssrc, video_ssrc] = random_ssrcs()?;
        let shared = Arc::new(Shared::new(inbound, events, audio_ssrc, video_ssrc));
        let path_changed = Arc::new(Notify::new());
        let connection = build::connection(&config, &shared, Arc::clone(&path_changed)).await?;
        let id = random_id()?;
        let audio = match config.audio {
            true => Some(add_track(&connection, Kind::Audio, audio_ssrc, &id).await?),
            false => None,
        };
        let video = match config.video {
            true => Some(add_track(&connection, Kind::Video, video_ssrc, &id).await?),
            false => None,
        };
        let control = Control::open(&connection, &shared).await?;
        let (bulk, bulk_messages) = bulk::open(&connection, &shared).await?;
        let sampler =
            tokio::spawn(sampler::run(Arc::downgrade(&connection), Arc::clone(&shared), path_changed));
        let outlet = Arc::new(PacketOutlet { shared: Arc::clone(&shared), audio, video });
        let peer = Self {
            connection,
            shared,
            control,
            bulk,
            bulk_messages: Some(bulk_messages),
            negotiation: Arc::default(),
            outlet,
            sampler,
            mdns: config.mdns,
            closed: false,
        };
        Ok((peer, receiver))
    }

    /// Makes an offer; with `ice_restart` one that replaces the path (RFC 8445, section 9), for
    /// which every socket is bound anew once it is applied.
    ///
    /// # Errors
    ///
    /// [`Error::Order`] while another description of ours waits.
    pub async fn offer(&self, ice_restart: bool) -> Result<String, Error> {
        let connection = Arc::clone(&self.connection);
        let negotiation = Arc::clone(&self.negotiation);
        guarded(async move {
            let mut state = negotiation.lock().await;
            if state.offered {
                return Err(Error::Order("the last offer has not been answered yet"));
            }
            let options = RTCOfferOptions { ice_restart };
            let offer = connection.create_offer(Some(options)).await?;
            let text = offer.sdp.clone();
            state.mids = sdp::own_mids(&text);
            state.vp9 = sdp::own_vp9(&text);
            state.restarts = ice_restart;
            state.made = Some(offer);
            Ok(text)
        })
        .await
    }

    /// Takes an offer of the other side and makes the answer.
    ///
    /// # Errors
    ///
    /// [`Error::Description`] when a call cannot be made of it; the peer is as it was before.
    /// [`Error::Order`] when an offer of ours was applied and not answered.
    pub async fn answer(&self, offer_sdp: &str) -> Result<String, Error> {
        let description = sdp::check(offer_sdp)?;
        let offer = RTCSessionDescription::offer(description.text.clone())
            .map_err(|error| Error::Description(error.to_string()))?;
        let connection = Arc::clone(&self.connection);
        let negotiation = Arc::clone(&self.negotiation);
        let shared = Arc::clone(&self.shared);
        let mdns = self.mdns;
        guarded(async move {
            let mut state = negotiation.lock().await;
            if state.offered {
                return Err(Error::Order("an offer of ours is not answered yet"));
            }
            state.made = None;
            let answer = match answer_to(&connection, offer).await {
                Ok(answer) => answer,
                Err(error) => {
                    // Back to where the offer found us (RFC 9429, section 4.1.10.2).
                    if let Ok(rollback) = RTCSessionDescription::rollback(None) {
                        let _ = connection.set_remote_description(rollback).await;
                    }
                    return Err(refused(error));
                }
            };
            let text = answer.sdp.clone();
            state.vp9 = sdp::own_vp9(&text);
            state.made = Some(answer);
            state.restarts = false;
            if state.remote_ufrag.as_ref().is_some_and(|ufrag| *ufrag != description.ufrag) {
                bump(&shared.restarts, 1);
            }
            state.remote_described(&connection, &shared, description, mdns).await;
            Ok(text)
        })
        .await
    }

    /// Applies the description that `offer` or `answer` made. Candidates start to flow within, so
    /// call it after the description was handed to signaling.
    ///
    /// # Errors
    ///
    /// [`Error::Order`] when there is none.
    pub async fn apply_local(&self) -> Result<(), Error> {
        let connection = Arc::clone(&self.connection);
        let negotiation = Arc::clone(&self.negotiation);
        let shared = Arc::clone(&self.shared);
        guarded(async move {
            let mut state = negotiation.lock().await;
            state.apply(&connection, &shared).await
        })
        .await
    }

    /// Takes the answer to our offer, which is applied first if it was not yet.
    ///
    /// # Errors
    ///
    /// [`Error::Description`] when it does not fit the offer, [`Error::Order`] without an offer.
    pub async fn accept_answer(&self, answer_sdp: &str) -> Result<(), Error> {
        let description = sdp::check(answer_sdp)?;
        let answer = RTCSessionDescription::answer(description.text.clone())
            .map_err(|error| Error::Description(error.to_string()))?;
        let connection = Arc::clone(&self.connection);
        let negotiation = Arc::clone(&self.negotiation);
        let shared = Arc::clone(&self.shared);
        let mdns = self.mdns;
        guarded(async move {
            let mut state = negotiation.lock().await;
            if state.made.is_some() && !state.offered {
                state.apply(&connection, &shared).await?;
            }
            if !state.offered {
                return Err(Error::Order("there is no offer to answer"));
            }
            if state.mids != description.mids {
                return Err(Error::Description("its media sections are not those of the offer".to_owned()));
            }
            connection.set_remote_description(answer).await.map_err(refused)?;
            state.offered = false;
            state.remote_described(&connection, &shared, description, mdns).await;
            Ok(())
        })
        .await
    }

    /// Takes a candidate of the other side, at any time: before its description it is kept.
    ///
    /// # Errors
    ///
    /// [`Error::Candidate`] when it is nonsense or one too many; the peer goes on without it.
    pub async fn add_candidate(&self, candidate: Candidate) -> Result<(), Error> {
        if candidate::judge(&candidate, self.mdns)? == Verdict::Skip {
            return Ok(());
        }
        let connection = Arc::clone(&self.connection);
        let negotiation = Arc::clone(&self.negotiation);
        let shared = Arc::clone(&self.shared);
        let channel = self.control.channel();
        guarded(async move {
            let mut state = negotiation.lock().await;
            if state.remote {
                state.take(&connection, &shared, candidate).await?;
                Control::wake(&channel).await;
                return Ok(());
            }
            if state.early.len() >= MAX_EARLY_CANDIDATES {
                return Err(Error::Candidate("too many came before the description".to_owned()));
            }
            state.early.push_back(candidate);
            Ok(())
        })
        .await
    }

    /// Where encoded media goes. Before the connection is up what is sent is dropped and counted.
    pub fn outlet(&self) -> Arc<dyn Outlet> {
        Arc::clone(&self.outlet) as Arc<dyn Outlet>
    }

    /// Sends one message over the control channel: reliable, in order, at most
    /// [`MAX_CONTROL_MESSAGE`](super::MAX_CONTROL_MESSAGE) bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Control`] before [`Event::DataOpen`] or when too much waits; [`Error::Closed`].
    pub async fn send_data(&self, bytes: Bytes) -> Result<(), Error> {
        self.control.send(&bytes).await
    }

    /// The sending end of the bulk channel, which may outlive the peer and then only fails. Nothing should be said there before
    /// [`Event::DataOpen`]: it would be lost on the way.
    pub fn bulk(&self) -> Bulk {
        self.bulk.clone()
    }

    /// The receiving end of the bulk channel, once; it ends with the connection. While nobody reads it the other side is
    /// throttled, on the control channel too.
    pub fn take_bulk_messages(&mut self) -> Option<mpsc::Receiver<BulkMessage>> {
        self.bulk_messages.take()
    }

    /// What is known of the path now.
    pub fn stats(&self) -> PathStats {
        self.shared.stats()
    }

    /// Closes, with a goodbye first when asked, within [`CLOSE_WITHIN`].
    pub async fn close(mut self, goodbye: bool) {
        self.closed = true;
        self.shared.events.close();
        self.sampler.abort();
        let connection = Arc::clone(&self.connection);
        let closing = async {
            if goodbye {
                self.control.goodbye().await;
            }
            if let Err(error) = connection.close().await {
                tracing::debug!(%error, "closing the connection");
            }
        };
        if tokio::time::timeout(CLOSE_WITHIN, closing).await.is_err() {
            tracing::debug!("closing the connection took too long and goes on without us");
            finish(Arc::clone(&self.connection));
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.shared.events.close();
        self.sampler.abort();
        if !self.closed {
            finish(Arc::clone(&self.connection));
        }
    }
}

impl Negotiation {
    async fn apply(&mut self, connection: &Arc<dyn PeerConnection>, shared: &Shared) -> Result<(), Error> {
        let made = self.made.take().ok_or(Error::Order("there is no description to apply"))?;
        let is_offer = made.sdp_type == webrtc::peer_connection::RTCSdpType::Offer;
        if let Some(mid) = sdp::own_mids(&made.sdp).first() {
            shared.set_mid(mid);
        }
        if std::mem::take(&mut self.restarts) {
            // What the other side sends from now on belongs to the new path, and its candidates
            // have to wait for its answer.
            self.remote = false;
            bump(&shared.restarts, 1);
        }
        connection.set_local_description(made).await?;
        self.offered = is_offer;
        Ok(())
    }

    /// A remote description is in place: candidates may follow it.
    async fn remote_described(
        &mut self,
        connection: &Arc<dyn PeerConnection>,
        shared: &Shared,
        description: Description,
        mdns: bool,
    ) {
        if let Some(ssrc) = description.video_ssrc {
            shared.medium(Kind::Video).remote_ssrc.store(ssrc, std::sync::atomic::Ordering::Relaxed);
        }
        // The library sends only what has the same number on both sides.
        shared.set_vp9(description.vp9.filter(|payload_type| self.vp9 == Some(*payload_type)));
        self.remote_ufrag = Some(description.ufrag);
        self.remote = true;
        self.taken = 0;
        let carried = description.candidates.into_iter();
        let early = std::mem::take(&mut self.early);
        for candidate in carried.chain(early) {
            if candidate::judge(&candidate, mdns) != Ok(Verdict::Use) {
                continue;
            }
            if let Err(error) = self.take(connection, shared, candidate).await {
                tracing::debug!(%error, "a candidate was left out");
            }
        }
    }

    async fn take(
        &mut self,
        connection: &Arc<dyn PeerConnection>,
        shared: &Shared,
        candidate: Candidate,
    ) -> Result<(), Error> {
        if self.taken >= MAX_REMOTE_CANDIDATES {
            return Err(Error::Candidate("there are too many of them".to_owned()));
        }
        self.taken += 1;
        let address = candidate::address(&candidate);
        if let Some((address, kind)) = address {
            shared.announced(address, kind);
            if known(connection, address).await {
                // The agent has met this address in a check that came before the candidate did. Given
                // twice, the second would never succeed and hold up the first.
                return Ok(());
            }
        }
        let init = RTCIceCandidateInit {
            candidate: candidate.candidate,
            sdp_mid: Some(candidate.mid),
            sdp_mline_index: Some(candidate.mline),
            ..Default::default()
        };
        connection.add_ice_candidate(init).await.map_err(|error| Error::Candidate(error.to_string()))
    }
}

/// Whether the ICE agent has a remote candidate of this address already.
async fn known(connection: &Arc<dyn PeerConnection>, address: SocketAddr) -> bool {
    let Some(transport) = sampler::transport(connection).await else {
        return false;
    };
    let remote = transport.ice_transport().get_remote_candidates().await;
    remote.is_ok_and(|candidates| {
        candidates.iter().any(|candidate| {
            candidate.port == address.port() && candidate.address.parse() == Ok(address.ip())
        })
    })
}

/// Runs a step in a task of its own: it is finished even when the caller gives up, and a panic of
/// the library on some odd input ends as an error.
async fn guarded<T: Send + 'static>(
    step: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    match tokio::spawn(step).await {
        Ok(result) => result,
        Err(error) if error.is_panic() => {
            Err(Error::Library("it gave up on this input (please report it)".to_owned()))
        }
        Err(_) => Err(Error::Closed),
    }
}

async fn answer_to(
    connection: &Arc<dyn PeerConnection>,
    offer: RTCSessionDescription,
) -> Result<RTCSessionDescription, webrtc::error::Error> {
    connection.set_remote_description(offer).await?;
    connection.create_answer(None).await
}

/// The library refused a description that passed our checks.
fn refused(error: webrtc::error::Error) -> Error {
    match Error::from(error) {
        Error::Library(text) => Error::Description(text),
        other => other,
    }
}

/// Closes in the background, where there is still a runtime to do it.
fn finish(connection: Arc<dyn PeerConnection>) {
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        runtime.spawn(async move {
            let _ = connection.close().await;
        });
    }
}

async fn add_track(
    connection: &Arc<dyn PeerConnection>,
    kind: Kind,
    ssrc: u32,
    id: &str,
) -> Result<Arc<TrackLocalStaticRTP>, Error> {
    let track = Arc::new(build::track(kind, ssrc, id));
    let transceiver =
        connection.add_transceiver_from_track(Arc::clone(&track) as Arc<dyn TrackLocal>, None).await?;
    // A track names one codec, and the library would offer nothing else.
    transceiver.set_codec_preferences(build::preferences(kind)).await?;
    Ok(track)
}

fn random_bytes<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| Error::Config(error.to_string()))?;
    Ok(bytes)
}

/// Two different SSRCs, neither of them zero.
fn random_ssrcs() -> Result<[u32; 2], Error> {
    let [a, b, c, d] = random_bytes::<4>()?;
    let audio = u32::from_be_bytes([a, b, c, d]) | 1;
    Ok([audio, audio ^ 0x5555_5554])
}

fn random_id() -> Result<String, Error> {
    let bytes = random_bytes::<16>()?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
