//! What can go wrong at the boundary of the rtc room.

use thiserror::Error;

/// Why an operation on a [`Peer`](super::Peer) failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Error {
    /// The configuration cannot work: no usable address, a relay policy without a relay.
    #[error("cannot set up the connection: {0}")]
    Config(String),
    /// The other side's description is not one that this call can be made with.
    #[error("the session description is not usable: {0}")]
    Description(String),
    /// A candidate of the other side cannot be parsed or is out of bounds.
    #[error("the ICE candidate is not usable: {0}")]
    Candidate(String),
    /// The operation does not fit the state of the negotiation (RFC 9429).
    #[error("out of order: {0}")]
    Order(&'static str),
    /// The control channel is not open, or the message is too long for it.
    #[error("cannot send on the control channel: {0}")]
    Control(String),
    /// The connection was closed, or its driver has ended.
    #[error("the connection is closed")]
    Closed,
    /// The WebRTC library refused something that passed our own checks.
    #[error("webrtc: {0}")]
    Library(String),
}

impl From<webrtc::error::Error> for Error {
    fn from(error: webrtc::error::Error) -> Self {
        match error {
            webrtc::error::Error::ErrConnectionClosed | webrtc::error::Error::ErrDataChannelClosed => {
                Self::Closed
            }
            other => Self::Library(other.to_string()),
        }
    }
}
