//! The WebRTC connection to one participant: ICE, DTLS, RTP in and out, the control channel, and
//! what is measured of the path.
//!
//! This is the only place that names the `webrtc` and `rtc` crates. It knows packets and kinds of
//! media, and nothing of calls, sessions or signaling: descriptions and candidates go in and come
//! out as text. The session drives a [`Peer`] and reads its [`Event`]s.

pub mod bandwidth;
mod build;
mod bulk;
mod candidate;
mod checks;
mod config;
mod control;
mod credentials;
mod error;
mod flights;
mod handler;
mod inbound;
mod interfaces;
mod meter;
mod nack;
mod outlet;
mod path;
mod peer;
pub mod probe;
mod runtime;
mod sampler;
mod sdp;
mod server_url;
mod servers;
mod shared;
mod stream;
mod stun;
mod traffic;

pub use bulk::{Bulk, BulkMessage};
pub use config::{
    BULK_LABEL, BULK_STREAM, CLOSE_WITHIN, CONTROL_LABEL, CONTROL_STREAM, Candidate, Config,
    DISCONNECTED_AFTER, EVENT_CAPACITY, Event, IcePolicy, IceServer, MAX_BULK_MESSAGE, MAX_CANDIDATE,
    MAX_CONTROL_MESSAGE, MAX_DESCRIPTION, MAX_EARLY_CANDIDATES, MAX_REMOTE_CANDIDATES, OPUS_PAYLOAD_TYPE,
};
pub use credentials::{Credentials, mint};
pub use error::Error;
pub use inbound::Inbound;
pub use interfaces::local_addresses;
pub use path::{Distribution, MediumStats, PathEnd, PathStats, RemoteReport};
pub use peer::Peer;
pub use sdp::{fingerprint, has_media};
pub use server_url::{Invalid as InvalidUrl, Scheme, ServerUrl, Transport};
pub use stream::{Certificate, Error as StreamError, FramingError, Trust, TrustError};
pub use stun::Error as StunError;

#[cfg(test)]
mod tests;
