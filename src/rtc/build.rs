//! Builds the library's peer connection from our configuration: codecs, interceptors, timers.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use ::rtc::ice::mdns::MulticastDnsMode;
use ::rtc::interceptor::{ReceiverReportBuilder, Registry, SenderReportBuilder, Slot};
use ::rtc::media_stream::MediaStreamTrack;
use ::rtc::peer_connection::configuration::media_engine::{MIME_TYPE_OPUS, MIME_TYPE_VP8, MIME_TYPE_VP9};
use ::rtc::rtp_transceiver::rtp_sender::{
    RTCPFeedback, RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters,
    RTCRtpHeaderExtensionCapability, RtpCodecKind,
};
use tokio::sync::Notify;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::peer_connection::{
    MediaEngine, PeerConnection, PeerConnectionBuilder, RTCConfigurationBuilder, RTCIceServer,
    RTCIceTransportPolicy, SettingEngine, SettingEngineBuilder,
};

use super::bulk::SEND_BUFFER;
use super::config::{
    CHECK_INTERVAL, Config, DISCONNECTED_AFTER, FAILED_AFTER, IcePolicy, KEEPALIVE, MAX_CHECKS,
    OPUS_PAYLOAD_TYPE, RETRANSMISSION_BUFFER, SRFLX_WAIT,
};
use super::error::Error;
use super::handler::Handler;
use super::interfaces::Bind;
use super::meter::{DELIVERY_SLOT, Delivery, METER_SLOT, Meter};
use super::nack::Nack;
use super::runtime::Driver;
use super::servers::Servers;
use super::shared::Shared;
use super::traffic::{FEEDBACK, NUMBER_URI, Traffic};
use crate::media::codec::VideoCodec;
use crate::media::pipeline::Kind;
use crate::media::rtp::video;

/// How often RTCP reports are sent.
const REPORT_INTERVAL: std::time::Duration = std::time::Duration::from_secs(1);
/// SRTP packets that may arrive out of order: as many as can be asked for again.
const REPLAY_WINDOW: usize = RETRANSMISSION_BUFFER as usize;

/// The library's connection, driven from now on by a task of its own.
///
/// # Errors
///
/// [`Error::Config`] when no relay is usable under the relay policy, when no address can be bound.
pub(super) async fn connection(
    config: &Config,
    shared: &Arc<Shared>,
    path_changed: Arc<Notify>,
) -> Result<Arc<dyn PeerConnection>, Error> {
    let servers = Servers::prepare(config.usable_servers()?, config.trust.clone()).await;
    let policy = match config.policy {
        IcePolicy::Relay => RTCIceTransportPolicy::Relay,
        IcePolicy::All | IcePolicy::Host => RTCIceTransportPolicy::All,
    };
    shared.relayed.store(servers.relay(), Ordering::Relaxed);
    let Servers { told, names, routes } = servers;
    let servers = told.into_iter().map(|server| RTCIceServer {
        urls: server.urls,
        username: server.username.unwrap_or_default(),
        credential: server.credential.unwrap_or_default(),
    });
    let configuration = RTCConfigurationBuilder::default()
        .with_ice_servers(servers.collect())
        .with_ice_transport_policy(policy)
        .build();
    let bind = match &config.bind[..] {
        [] => vec![Bind::Interfaces],
        addresses => addresses.iter().copied().map(Bind::Address).collect(),
    };
    let connection = PeerConnectionBuilder::new()
        .with_configuration(configuration)
        .with_media_engine(codecs()?)
        .with_setting_engine(settings(config))
        .with_interceptor_registry(interceptors(shared))
        .with_handler(Arc::new(Handler { shared: Arc::clone(shared), path_changed }))
        .with_runtime(Arc::new(Driver::new(Arc::clone(shared), names, routes, config.policy.relay_wait())))
        .with_udp_addrs(bind)
        .with_data_channel_send_buffer_limit(SEND_BUFFER)
        .build()
        .await
        .map_err(|error| Error::Config(error.to_string()))?;
    Ok(Arc::new(connection))
}

/// A track with an id that no other peer uses: the library mixes up tracks of equal ids.
pub(super) fn track(kind: Kind, ssrc: u32, id: &str) -> TrackLocalStaticRTP {
    let (codec, codec_kind, name) = match kind {
        Kind::Audio => (opus(), RtpCodecKind::Audio, "audio"),
        Kind::Video => (pictures(VideoCodec::Vp8), RtpCodecKind::Video, "video"),
    };
    TrackLocalStaticRTP::new(MediaStreamTrack::new(
        format!("letsmeet-{id}"),
        format!("{name}-{id}"),
        name.to_owned(),
        codec_kind,
        vec![RTCRtpEncodingParameters {
            rtp_coding_parameters: RTCRtpCodingParameters { ssrc: Some(ssrc), ..Default::default() },
            codec: codec.rtp_codec,
            ..Default::default()
        }],
    ))
}

/// What is offered of a kind, the best first: browsers send that.
pub(super) fn preferences(kind: Kind) -> Vec<RTCRtpCodecParameters> {
    match kind {
        Kind::Audio => vec![opus()],
        Kind::Video => [VideoCodec::Vp8, VideoCodec::Vp9].map(pictures).to_vec(),
    }
}

fn codecs() -> Result<MediaEngine, Error> {
    let mut engine = MediaEngine::default();
    for (ours, kind) in [(Kind::Audio, RtpCodecKind::Audio), (Kind::Video, RtpCodecKind::Video)] {
        for codec in preferences(ours) {
            engine.register_codec(codec, kind)?;
        }
        let number = RTCRtpHeaderExtensionCapability { uri: NUMBER_URI.to_owned() };
        engine.register_header_extension(number, kind, None)?;
    }
    Ok(engine)
}

/// Opus with in-band error correction (RFC 7587). NACK, which is rare for audio: a packet that comes
/// late still fills a hole of the jitter buffer.
fn opus() -> RTCRtpCodecParameters {
    RTCRtpCodecParameters {
        rtp_codec: RTCRtpCodec {
            mime_type: MIME_TYPE_OPUS.to_owned(),
            clock_rate: 48_000,
            channels: 2,
            sdp_fmtp_line: "minptime=10;useinbandfec=1".to_owned(),
            rtcp_feedback: vec![feedback("nack", ""), feedback(FEEDBACK, "")],
        },
        payload_type: OPUS_PAYLOAD_TYPE,
    }
}

/// VP8 (RFC 7741) or VP9 (RFC 9628) with NACK, PLI and FIR, and without retransmission streams: with those the library
/// asks for the same packet again and again.
fn pictures(codec: VideoCodec) -> RTCRtpCodecParameters {
    let (mime_type, format) = match codec {
        VideoCodec::Vp8 => (MIME_TYPE_VP8, ""),
        VideoCodec::Vp9 => (MIME_TYPE_VP9, "profile-id=0"),
    };
    RTCRtpCodecParameters {
        rtp_codec: RTCRtpCodec {
            mime_type: mime_type.to_owned(),
            clock_rate: 90_000,
            channels: 0,
            sdp_fmtp_line: format.to_owned(),
            rtcp_feedback: vec![
                feedback("nack", ""),
                feedback("nack", "pli"),
                feedback("ccm", "fir"),
                feedback(FEEDBACK, ""),
            ],
        },
        payload_type: video::payload_type(codec),
    }
}

fn feedback(typ: &str, parameter: &str) -> RTCPFeedback {
    RTCPFeedback { typ: typ.to_owned(), parameter: parameter.to_owned() }
}

fn settings(config: &Config) -> SettingEngine {
    let mdns = if config.mdns && config.policy != IcePolicy::Relay && multicast_works() {
        MulticastDnsMode::QueryOnly
    } else {
        MulticastDnsMode::Disabled
    };
    SettingEngineBuilder::new()
        .with_ice_timeouts(Some(DISCONNECTED_AFTER), Some(FAILED_AFTER), Some(KEEPALIVE))
        .with_ice_connection_attempts(Some(CHECK_INTERVAL), Some(MAX_CHECKS))
        .with_host_acceptance_min_wait(Some(std::time::Duration::ZERO))
        .with_prflx_acceptance_min_wait(Some(std::time::Duration::ZERO))
        .with_srflx_acceptance_min_wait(Some(SRFLX_WAIT))
        .with_relay_acceptance_min_wait(Some(config.policy.relay_wait()))
        .with_multicast_dns_mode(mdns)
        .with_discard_local_candidates_during_ice_restart(true)
        .with_srtp_replay_protection_window(REPLAY_WINDOW)
        .build()
}

/// Whether the multicast socket that mDNS needs can be opened. The library gives the whole connection
/// up when it cannot, as in a network namespace without a multicast route.
fn multicast_works() -> bool {
    ::rtc::mdns::MulticastSocket::new().into_std().is_ok()
}

fn interceptors(shared: &Arc<Shared>) -> Registry {
    Registry::new()
        .with(Slot::from(METER_SLOT), Meter::new(Arc::clone(shared)))
        .with(Slot::Pacer, Traffic::new(Arc::clone(shared)))
        .with(Slot::NackGenerator, Nack::new(Arc::clone(shared)))
        .with(Slot::ReceiverReport, ReceiverReportBuilder::new().with_interval(REPORT_INTERVAL).build())
        .with(Slot::SenderReport, SenderReportBuilder::new().with_interval(REPORT_INTERVAL).build())
        .with(Slot::from(DELIVERY_SLOT), Delivery::new(Arc::clone(shared)))
}
