//! What a peer connection is told, and what it tells: plain data, and every constant that tunes it.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;

use super::Error;
use super::server_url::Scheme;
use super::servers::usable;
use super::stream::Trust;

/// One STUN or TURN server (W3C `RTCIceServer`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IceServer {
    /// `stun:host[:port]`, `turn:host[:port][?transport=udp|tcp]` or `turns:host[:port][?transport=tcp]`
    /// (RFC 7064, RFC 7065).
    pub urls: Vec<String>,
    /// TURN user name.
    pub username: Option<String>,
    /// TURN password.
    pub credential: Option<String>,
}

/// Which candidates may be used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum IcePolicy {
    /// Host, server reflexive and relayed candidates.
    #[default]
    All,
    /// Relayed candidates only; needs a TURN server.
    Relay,
    /// Host candidates only; STUN and TURN servers are left alone.
    Host,
}

/// What a [`Peer`](super::Peer) is built from.
#[derive(Debug, Clone)]
pub struct Config {
    /// STUN and TURN servers, normally those that the signaling server hands out.
    pub ice_servers: Vec<IceServer>,
    /// Which candidates may be used.
    pub policy: IcePolicy,
    /// Addresses to bind; empty means every usable address of every interface, loopback included,
    /// looked up again at each ICE restart.
    pub bind: Vec<IpAddr>,
    /// Whether an audio section is negotiated. It can carry media both ways.
    pub audio: bool,
    /// Whether a video section is negotiated. It can carry media both ways.
    pub video: bool,
    /// Whether `.local` candidates of browsers are resolved by multicast DNS.
    pub mdns: bool,
    /// Whose certificates TURN servers over TLS may show; those of the system's authorities without.
    pub trust: Option<Trust>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            ice_servers: Vec::new(),
            policy: IcePolicy::All,
            bind: Vec::new(),
            audio: true,
            video: true,
            mdns: true,
            trust: None,
        }
    }
}

/// One trickled ICE candidate (RFC 8838). An empty `candidate` is the end of candidates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The candidate attribute, `candidate:...` (RFC 8839, section 5.1).
    pub candidate: String,
    /// The media section it belongs to.
    pub mid: String,
    /// The index of that media section.
    pub mline: u16,
}

/// What happens to a peer connection. Past tense, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A local candidate to hand to the other side.
    LocalCandidate(Candidate),
    /// Every local candidate was announced.
    GatheringDone,
    /// ICE and DTLS are up: media flows. Once for each peer connection.
    Connected,
    /// Nothing was heard from the other side for [`DISCONNECTED_AFTER`].
    Disconnected,
    /// The path is back, after `Disconnected` or after an ICE restart.
    Restored,
    /// There is no path and there will be none without an ICE restart.
    Failed,
    /// The control channel can be written to.
    DataOpen,
    /// A message of the other side on the control channel.
    Data {
        /// Label of the channel.
        label: String,
        /// The message.
        bytes: Bytes,
    },
    /// The other side said goodbye, or closed its end of the encrypted transport.
    Goodbye,
}

/// Longest session description that is read, in bytes. A full one of ours has 2 to 3 KB.
pub const MAX_DESCRIPTION: usize = 64 * 1024;
/// Longest candidate attribute that is read, in bytes.
pub const MAX_CANDIDATE: usize = 1024;
/// Remote candidates kept until the remote description is there. Further ones are refused.
pub const MAX_EARLY_CANDIDATES: usize = 64;
/// Remote candidates taken in one ICE generation. Further ones are refused, so that the other side
/// cannot make this one send checks to the whole world.
pub const MAX_REMOTE_CANDIDATES: usize = 128;
/// Longest control message, in bytes.
pub const MAX_CONTROL_MESSAGE: usize = 16 * 1024;
/// Label of the control channel.
pub const CONTROL_LABEL: &str = "letsmeet";
/// SCTP stream of the control channel, which both sides open without a handshake (`negotiated`).
pub const CONTROL_STREAM: u16 = 0;
/// Longest message of the bulk channel, in bytes: what the library takes in one.
pub const MAX_BULK_MESSAGE: usize = 64 * 1024;
/// Label of the bulk channel.
pub const BULK_LABEL: &str = "letsmeet-files";
/// SCTP stream of the bulk channel, opened like that of the control channel. Odd and even mean nothing for agreed streams.
pub const BULK_STREAM: u16 = 2;

/// Events waiting for the session. When full, control messages wait (the other side is throttled)
/// and candidates are dropped with a warning.
pub const EVENT_CAPACITY: usize = 256;
/// Places in that queue that control messages never take, so that state changes always fit.
pub(super) const EVENT_RESERVE: usize = 192;

/// Payload type of Opus in our offers.
pub const OPUS_PAYLOAD_TYPE: u8 = 111;

/// Silence after which the path counts as down. Media or a consent check each second breaks it.
pub const DISCONNECTED_AFTER: Duration = Duration::from_millis(2500);
/// Further silence after which the library gives the path up; the session decides long before.
pub(super) const FAILED_AFTER: Duration = Duration::from_secs(60);
/// How often consent is checked (RFC 7675).
pub(super) const KEEPALIVE: Duration = Duration::from_secs(1);
/// Pause between two rounds of connectivity checks while connecting. The library's 200 ms is most of
/// its time to connect. What goes over the wire is thinned out in `checks`.
pub(super) const CHECK_INTERVAL: Duration = Duration::from_millis(10);
/// Rounds of checks for one pair before it is given up: 30 s, twice as long as a call may connect.
pub(super) const MAX_CHECKS: u16 = 3000;
/// How long a pair with a server reflexive candidate waits for a host pair to succeed.
pub(super) const SRFLX_WAIT: Duration = Duration::from_millis(20);
/// How long a relayed pair waits for a direct one to succeed, unless only relays are allowed.
const RELAY_WAIT: Duration = Duration::from_millis(400);

impl IcePolicy {
    /// How long a relayed pair waits for a direct one to succeed.
    pub(super) fn relay_wait(self) -> Duration {
        match self {
            Self::Relay => Duration::ZERO,
            Self::All | Self::Host => RELAY_WAIT,
        }
    }
}

/// Sent packets kept for retransmission, of each stream: 2.5 s of 400 packets a second.
pub(super) const RETRANSMISSION_BUFFER: u16 = 1024;

/// How long closing may take in all.
pub const CLOSE_WITHIN: Duration = Duration::from_millis(300);
/// How long closing waits for the other side to answer the goodbye.
pub(super) const GOODBYE_WITHIN: Duration = Duration::from_millis(150);
/// How often the selected pair and its round-trip time are read.
pub(super) const PATH_SAMPLE: Duration = Duration::from_secs(1);

impl Config {
    /// Whether a path may come about at all.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] when only relays are allowed and none of them can be used.
    pub fn check(&self) -> Result<(), Error> {
        self.usable_servers().map(drop)
    }

    /// The servers that this room can use under the policy: STUN over UDP, TURN over UDP, TCP and TLS.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] when only relays are allowed and none of them can be used.
    pub(super) fn usable_servers(&self) -> Result<Vec<IceServer>, Error> {
        if self.policy == IcePolicy::Host {
            return Ok(Vec::new());
        }
        let mut servers = Vec::new();
        let mut relays = 0;
        for server in &self.ice_servers {
            let urls: Vec<String> = server
                .urls
                .iter()
                .filter(|url| match usable(url) {
                    Some(url) => {
                        relays += u32::from(url.scheme == Scheme::Turn);
                        true
                    }
                    None => {
                        tracing::warn!(
                            scheme = scheme(url),
                            "ICE server skipped: only stun: over UDP, turn: and turns: are supported"
                        );
                        false
                    }
                })
                .cloned()
                .collect();
            if !urls.is_empty() {
                servers.push(IceServer { urls, ..server.clone() });
            }
        }
        if self.policy == IcePolicy::Relay && relays == 0 {
            return Err(Error::Config("only relays are allowed, and there is no TURN server".to_owned()));
        }
        Ok(servers)
    }
}

fn scheme(url: &str) -> &str {
    url.split(':').next().unwrap_or_default()
}
