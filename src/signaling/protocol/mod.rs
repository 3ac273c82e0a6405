//! The wire format: every message, its limits, its codes, and how a login is signed.
//!
//! Owns the types that cross the socket as JSON text, their strict parsing and their JSON Schema.
//! Must not know sockets, clocks, sessions or media. Both ends use it; docs/protocol.md is its
//! specification and `docs/protocol.schema.json` its schema.

mod code;
mod ids;
mod login;
mod message;
mod name;
mod parse;
mod schema;
#[cfg(test)]
mod tests;

pub use code::{EndReason, ErrorCode};
pub use ids::{CallId, Key, Nonce, ResumeToken, SessionId, Signature};
pub use login::{LOGIN_CONTEXT, login_bytes, login_message, verify_login};
pub use message::{
    Availability, Candidate, Change, ClientMessage, Description, DescriptionKind, IceServer, Limits, Login,
    PresenceState, ServerMessage, User, WellKnown,
};
pub(crate) use name::fold_text;
pub use name::{Fold, Name, NameError};
pub use parse::{ParseError, check_candidate, check_sdp, parse_client, parse_server};
pub use schema::schema;

/// The protocol version this build speaks.
pub const VERSION: u32 = 1;
/// Where the WebSocket is, unless `/.well-known/letsmeet` says otherwise.
pub const WS_PATH: &str = "/v1/ws";
/// Where a server describes itself.
pub const WELL_KNOWN_PATH: &str = "/.well-known/letsmeet";
/// Bytes in one text frame of a client; a longer one is answered `too-large` and ends the connection.
pub const MAX_FRAME: usize = 64 * 1024;
/// Bytes in one text frame of the server: what it relays may grow a little.
pub const MAX_SERVER_FRAME: usize = 2 * MAX_FRAME;
/// Bytes in one session description; a longer one is answered `bad-description`.
pub const MAX_SDP: usize = 48 * 1024;
/// Bytes in one candidate line; a longer one is answered `bad-candidate`.
pub const MAX_CANDIDATE: usize = 1024;
/// Bytes in a mid; a longer one is answered `bad-candidate`.
pub const MAX_MID: usize = 64;
/// Bytes in a name as UTF-8; a longer one is answered `bad-name`.
pub const MAX_NAME: usize = 64;
/// Names one session may watch; more are answered `too-many-watched` and none of them is added.
pub const MAX_WATCHED: usize = 100;
/// Users in one page of the list; a larger `limit` is lowered to it.
pub const MAX_PAGE: u16 = 100;
/// Bytes in a list query; a longer one is answered `malformed`.
pub const MAX_QUERY: usize = 64;
/// Bytes in the shared token; a longer one is answered `bad-token`.
pub const MAX_TOKEN: usize = 256;
