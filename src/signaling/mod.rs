//! Signaling: how two peers find each other and exchange descriptions and candidates.
//!
//! Owns the wire format ([`protocol`]), the reconnecting WebSocket actor ([`client`]) and the
//! server ([`server`]). Knows nothing of media, WebRTC, the call machine or any front end. The
//! session drives the client; the command line drives the server. The wire format is specified in
//! docs/protocol.md.
pub mod client;
pub mod protocol;
pub mod server;
