//! What an operator may set.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::limits::Rate;
use super::registry::Bounds;
use super::tls::Tls;
use crate::signaling::protocol::{Fold, IceServer, Key, Limits, Name};
use crate::signaling::protocol::{MAX_CANDIDATE, MAX_FRAME, MAX_NAME, MAX_PAGE, MAX_SDP, MAX_WATCHED};

/// Settings of a server. The defaults suit a small public server.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where names are kept; without it they are forgotten when the process ends.
    pub data: Option<PathBuf>,
    /// The token that every login must give, if any. Never logged.
    pub token: Option<String>,
    /// Who may log in; empty means everybody.
    pub allow: Vec<Admit>,
    /// The host (with its port unless it is the usual one) under which clients reach this server. When it
    /// is set, a login signed for another host is refused, and clients that dialed another refuse.
    pub public_host: Option<String>,
    /// What clients are shown when the server itself speaks TLS; without it, it speaks plain HTTP.
    pub tls: Option<Tls>,
    /// Origins of web pages that may connect, as `https://host[:port]`. Pages of the same host always may.
    pub origins: Vec<String>,
    /// Whether the last address of `X-Forwarded-For` counts as the client's: only behind a proxy.
    pub trust_forwarded: bool,
    /// STUN and TURN servers handed to every client that logs in.
    pub ice_servers: Vec<IceServer>,
    /// TURN servers for which everybody who logs in gets a password of their own.
    pub minting: Option<Minting>,
    /// Connections in all; one more is answered HTTP 503.
    pub connections: usize,
    /// Connections of one address (or IPv6 /64); one more is answered HTTP 429.
    pub connections_per_address: usize,
    /// Names owned in all; a new one beyond it is answered `too-many-names`.
    pub names: usize,
    /// New names claimed from one address; more are answered `too-many-names`.
    pub claims_per_address: Rate,
    /// Messages of one connection; more are answered `rate-limited` and dropped.
    pub messages: Rate,
    /// Bounds of sessions and calls.
    pub bounds: Bounds,
    /// Frames that wait for one session; one more cuts its connection.
    pub queued_frames: usize,
    /// Bytes that wait for one session; more cut its connection.
    pub queued_bytes: usize,
    /// From accepting a connection to the end of its HTTP exchange.
    pub handshake_timeout: Duration,
    /// From the challenge to the login.
    pub login_timeout: Duration,
    /// How often a silent connection is pinged; silent for twice as long, it is cut.
    pub heartbeat: Duration,
    /// How long one batch of frames may take to be handed to the kernel.
    pub write_timeout: Duration,
    /// How long a shutdown waits for connections to take their `bye`.
    pub drain: Duration,
}

/// Makes a user name and a password for a name, good until a time in seconds since 1970.
pub type Mint = Arc<dyn Fn(&str, u64) -> (String, String) + Send + Sync>;

/// TURN servers that share a secret with whoever runs this server.
#[derive(Clone)]
pub struct Minting {
    /// Their URLs.
    pub urls: Vec<String>,
    /// How long what is minted can be used for new allocations and their refreshes.
    pub lifetime: Duration,
    /// Does it.
    pub mint: Mint,
}

impl fmt::Debug for Minting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Minting").field("urls", &self.urls).finish_non_exhaustive()
    }
}

impl Minting {
    /// The servers and what `name` may use them with, from `now` on.
    pub(crate) fn server(&self, name: &str, now: SystemTime) -> IceServer {
        let expires = now.duration_since(UNIX_EPOCH).unwrap_or_default() + self.lifetime;
        let (username, credential) = (self.mint)(name, expires.as_secs());
        IceServer { urls: self.urls.clone(), username: Some(username), credential: Some(credential) }
    }
}

/// An entry of the allow list: a name, or `key:` and a public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admit {
    /// Anybody who owns this name.
    Name(Fold),
    /// This key under any name.
    Key(Key),
}

impl FromStr for Admit {
    type Err = String;

    fn from_str(text: &str) -> Result<Admit, String> {
        match text.strip_prefix("key:") {
            Some(key) => key.parse().map(Admit::Key).map_err(|e| format!("{text:?} is no key: {e}")),
            None => Name::new(text).map(|n| Admit::Name(n.fold())).map_err(|e| format!("{text:?}: {e}")),
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Config {
            data: None,
            token: None,
            allow: Vec::new(),
            public_host: None,
            tls: None,
            origins: Vec::new(),
            trust_forwarded: false,
            ice_servers: Vec::new(),
            minting: None,
            connections: 20_000,
            connections_per_address: 256,
            names: 1_000_000,
            claims_per_address: Rate { per_second: 0.2, burst: 200.0 },
            messages: Rate { per_second: 50.0, burst: 200.0 },
            bounds: Bounds::default(),
            queued_frames: 512,
            queued_bytes: 256 * 1024,
            handshake_timeout: Duration::from_secs(10),
            login_timeout: Duration::from_secs(10),
            heartbeat: Duration::from_secs(15),
            write_timeout: Duration::from_secs(10),
            drain: Duration::from_secs(3),
        }
    }
}

impl Config {
    /// The limits as the challenge tells them.
    pub(crate) fn limits(&self) -> Limits {
        let short = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Limits {
            frame_bytes: short(MAX_FRAME),
            sdp_bytes: short(MAX_SDP),
            candidate_bytes: short(MAX_CANDIDATE),
            name_bytes: short(MAX_NAME),
            watched: short(MAX_WATCHED),
            page: u32::from(MAX_PAGE),
            // Saturating by the rules of `as` for floats.
            messages_per_second: self.messages.per_second as u32,
            burst: self.messages.burst as u32,
            pending_calls: short(self.bounds.pending_calls),
        }
    }
}
