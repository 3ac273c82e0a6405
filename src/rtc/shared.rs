//! What the parts of one peer connection share: which streams there are, what was counted, and the
//! queue of events. Everything here can be touched from any thread and never waits.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::bandwidth::{IPV6_MORE, PACKET_OVERHEAD};
use super::config::{Candidate, EVENT_RESERVE, Event, MAX_REMOTE_CANDIDATES};
use super::inbound::Inbound;
use super::path::{Counters, PathEnd, PathStats, RemoteReport, Window};
use crate::media::codec::VideoCodec;
use crate::media::pipeline::{Bandwidth, Kind};
use crate::media::rtp::video::VP9_PAYLOAD_TYPE;

/// No payload type was negotiated for a stream.
const NOT_NEGOTIATED: u8 = u8::MAX;

/// One of the two media, both directions.
#[derive(Debug)]
pub(super) struct Medium {
    /// SSRC of what we send.
    pub(super) ssrc: u32,
    payload_type: AtomicU8,
    /// SSRC of what the other side sends; 0 while unknown.
    pub(super) remote_ssrc: AtomicU32,
    pub(super) counters: Counters,
    remote: Mutex<Option<RemoteReport>>,
}

impl Medium {
    fn new(ssrc: u32) -> Self {
        Self {
            ssrc,
            payload_type: AtomicU8::new(NOT_NEGOTIATED),
            remote_ssrc: AtomicU32::new(0),
            counters: Counters::default(),
            remote: Mutex::new(None),
        }
    }

    /// The payload type to send with, once it is negotiated.
    pub(super) fn payload_type(&self) -> Option<u8> {
        let value = self.payload_type.load(Ordering::Relaxed);
        (value != NOT_NEGOTIATED).then_some(value)
    }

    pub(super) fn set_payload_type(&self, value: u8) {
        self.payload_type.store(value, Ordering::Relaxed);
    }

    pub(super) fn set_remote_report(&self, report: RemoteReport) {
        *lock(&self.remote) = Some(report);
    }
}

/// Where an estimate begins, in bits per second: on a path that may be anything, within a private network, and within
/// one machine.
const UNKNOWN_START: f64 = 100_000.0;
const NEIGHBOUR_START: f64 = 1e6;
const SAME_MACHINE_START: f64 = 50e6;
/// The header of a TURN channel (RFC 8656, section 12.4).
const CHANNEL_HEADER: u32 = 4;

/// Something is under way on the bulk channel for so long after each message.
const BULK_LASTS: Duration = Duration::from_secs(5);

/// Relayed addresses that are remembered.
const MAX_RELAYS: usize = 64;

/// The selected pair as last read.
#[derive(Debug, Default, Clone)]
pub(super) struct Pair {
    pub(super) local: PathEnd,
    pub(super) remote: PathEnd,
    pub(super) relay_protocol: Option<String>,
}

/// The state that the parts of a peer connection share.
pub(super) struct Shared {
    pub(super) inbound: Arc<dyn Inbound>,
    audio: Medium,
    video: Medium,
    /// The payload type of VP9 where both sides have it.
    vp9: AtomicU8,
    /// Media may be sent: ICE and DTLS are up.
    pub(super) sending: AtomicBool,
    /// Relayed addresses of ours, and how their servers are reached.
    relays: Mutex<VecDeque<(String, &'static str)>>,
    /// The path is relayed on our side, or may become so.
    pub(super) relayed: AtomicBool,
    pub(super) bytes_sent: AtomicU64,
    pub(super) bytes_received: AtomicU64,
    pub(super) keyframe_requests_sent: AtomicU64,
    pub(super) keyframe_requests_received: AtomicU64,
    pub(super) restarts: AtomicU64,
    rtt: Mutex<Window>,
    /// The latest round-trip time in microseconds, 0 while unknown.
    latest_rtt: AtomicU64,
    pair: Mutex<Option<Pair>>,
    /// Counts the paths: another one is another number.
    pub(super) path: AtomicU64,
    /// What is sent is numbered, and the other side tells what of it arrived.
    pub(super) numbered: AtomicBool,
    /// The bits of the rate to begin with, an `f64`.
    start: AtomicU64,
    /// Bytes that a packet takes on this path beyond those of IPv4 and UDP.
    extra: AtomicU32,
    /// How long pictures wait for their turn, in microseconds.
    backlog: AtomicU64,
    /// What the path carries, in bits per second on the wire.
    available: Mutex<Option<f64>>,
    /// When something went through the bulk channel last.
    bulk: Mutex<Option<Instant>>,
    /// Remote candidates as they were announced: address and type. At most
    /// [`MAX_REMOTE_CANDIDATES`]; the oldest gives way.
    announced: Mutex<VecDeque<(SocketAddr, String)>>,
    /// Media identification tag that outgoing candidates carry.
    mid: Mutex<String>,
    pub(super) events: Events,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl Shared {
    pub(super) fn new(
        inbound: Arc<dyn Inbound>,
        events: mpsc::Sender<Event>,
        audio_ssrc: u32,
        video_ssrc: u32,
    ) -> Self {
        Self {
            inbound,
            audio: Medium::new(audio_ssrc),
            video: Medium::new(video_ssrc),
            vp9: AtomicU8::new(NOT_NEGOTIATED),
            sending: AtomicBool::new(false),
            relays: Mutex::default(),
            relayed: AtomicBool::new(false),
            bytes_sent: AtomicU64::new(0),
            bytes_received: AtomicU64::new(0),
            keyframe_requests_sent: AtomicU64::new(0),
            keyframe_requests_received: AtomicU64::new(0),
            restarts: AtomicU64::new(0),
            rtt: Mutex::new(Window::default()),
            latest_rtt: AtomicU64::new(0),
            pair: Mutex::new(None),
            path: AtomicU64::new(0),
            numbered: AtomicBool::new(false),
            start: AtomicU64::new(UNKNOWN_START.to_bits()),
            extra: AtomicU32::new(0),
            backlog: AtomicU64::new(0),
            available: Mutex::default(),
            bulk: Mutex::default(),
            announced: Mutex::new(VecDeque::new()),
            mid: Mutex::new("0".to_owned()),
            events: Events::new(events),
        }
    }

    pub(super) fn medium(&self, kind: Kind) -> &Medium {
        match kind {
            Kind::Audio => &self.audio,
            Kind::Video => &self.video,
        }
    }

    /// Both sides have VP9 under this payload type, or they have not.
    pub(super) fn set_vp9(&self, payload_type: Option<u8>) {
        self.vp9.store(payload_type.unwrap_or(NOT_NEGOTIATED), Ordering::Relaxed);
    }

    /// The payload type of VP9, where both sides have it.
    pub(super) fn vp9(&self) -> Option<u8> {
        let value = self.vp9.load(Ordering::Relaxed);
        (value != NOT_NEGOTIATED).then_some(value)
    }

    /// What a packet of pictures with this payload type is encoded with.
    pub(super) fn codec(&self, payload_type: u8) -> VideoCodec {
        if self.vp9() == Some(payload_type) { VideoCodec::Vp9 } else { VideoCodec::Vp8 }
    }

    /// The payload type to send a packet with, which carries that of our own offers.
    pub(super) fn payload_type(&self, kind: Kind, ours: u8) -> Option<u8> {
        match kind {
            Kind::Video if ours == VP9_PAYLOAD_TYPE => self.vp9(),
            Kind::Audio | Kind::Video => self.medium(kind).payload_type(),
        }
    }

    /// Whether the library's loop must go round again after each thing it did: see `runtime`.
    pub(super) fn needs_rounds(&self) -> bool {
        !self.sending.load(Ordering::Relaxed) || self.relayed.load(Ordering::Relaxed)
    }

    /// Which of our streams has this SSRC.
    pub(super) fn own_kind(&self, ssrc: u32) -> Option<Kind> {
        [Kind::Audio, Kind::Video].into_iter().find(|kind| self.medium(*kind).ssrc == ssrc)
    }

    pub(super) fn add_rtt(&self, sample: Duration) {
        let micros = u64::try_from(sample.as_micros()).unwrap_or(u64::MAX);
        self.latest_rtt.store(micros.max(1), Ordering::Relaxed);
        lock(&self.rtt).add(sample);
    }

    /// The latest round-trip time.
    pub(super) fn latest_rtt(&self) -> Option<Duration> {
        let micros = self.latest_rtt.load(Ordering::Relaxed);
        (micros != 0).then(|| Duration::from_micros(micros))
    }

    pub(super) fn announced(&self, address: SocketAddr, kind: &str) {
        let mut announced = lock(&self.announced);
        if announced.len() == MAX_REMOTE_CANDIDATES {
            announced.pop_front();
        }
        announced.push_back((address, kind.to_owned()));
    }

    /// Takes the selected pair. A remote end that was met in a check before it was announced is of the
    /// type that it was announced with (RFC 8445, section 7.3.1.3).
    pub(super) fn set_pair(&self, mut pair: Pair) {
        let announced = lock(&self.announced);
        let same = announced.iter().rev().find(|(address, _)| address.to_string() == pair.remote.address);
        if let Some((_, kind)) = same {
            pair.remote.candidate_type.clone_from(kind);
        }
        drop(announced);
        let mut extra = if pair.local.address.starts_with('[') { IPV6_MORE } else { 0 };
        if pair.relay_protocol.is_some() {
            extra += CHANNEL_HEADER;
        }
        self.extra.store(extra, Ordering::Relaxed);
        let before = lock(&self.pair).replace(pair.clone());
        let another = |before: Pair| {
            (before.local.address, before.remote.address) != (pair.local.address, pair.remote.address)
        };
        if before.is_some_and(another) {
            self.path.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A handshake goes to this address; `own` is that of the socket. Nothing is known of a path yet, except that one
    /// which does not leave the machine is as wide as anybody may want, and one within a private network hardly narrow.
    pub(super) fn reaches(&self, own: IpAddr, address: IpAddr) {
        let neighbours = match (own, address) {
            (IpAddr::V4(own), IpAddr::V4(address)) => {
                address.is_private() && own.octets()[..3] == address.octets()[..3]
            }
            (IpAddr::V6(own), IpAddr::V6(address)) => {
                address.is_unique_local() && own.segments()[..4] == address.segments()[..4]
            }
            _ => false,
        };
        let start = match address {
            _ if address.is_loopback() || address == own => SAME_MACHINE_START,
            _ if neighbours => NEIGHBOUR_START,
            _ => UNKNOWN_START,
        };
        self.start.store(start.to_bits(), Ordering::Relaxed);
    }

    /// Where an estimate of the path begins, in bits per second.
    pub(super) fn start_rate(&self) -> f64 {
        f64::from_bits(self.start.load(Ordering::Relaxed))
    }

    /// What is known of the path before anything was sent.
    pub(super) fn bandwidth(&self) -> Option<Bandwidth> {
        self.numbered.load(Ordering::Relaxed).then(|| Bandwidth::start(self.start_rate(), self.overhead()))
    }

    /// Bytes on the wire around the payload of a packet.
    pub(super) fn overhead(&self) -> u32 {
        PACKET_OVERHEAD + self.extra.load(Ordering::Relaxed)
    }

    pub(super) fn set_backlog(&self, backlog: Duration) {
        let micros = u64::try_from(backlog.as_micros()).unwrap_or(u64::MAX);
        self.backlog.store(micros, Ordering::Relaxed);
    }

    /// How long pictures wait for their turn.
    pub(super) fn backlog(&self) -> Duration {
        Duration::from_micros(self.backlog.load(Ordering::Relaxed))
    }

    /// A block of a file goes out or came in.
    pub(super) fn note_bulk(&self, now: Instant) {
        *lock(&self.bulk) = Some(now);
    }

    /// Whether the path is shared with files of the same call.
    pub(super) fn is_bulk_under_way(&self, now: Instant) -> bool {
        lock(&self.bulk).is_some_and(|at| now.saturating_duration_since(at) < BULK_LASTS)
    }

    pub(super) fn set_available(&self, bits_per_second: f64) {
        *lock(&self.available) = Some(bits_per_second);
    }

    /// A relayed address was gathered from a server that is reached by `protocol`.
    pub(super) fn relay_gathered(&self, address: String, protocol: &'static str) {
        let mut relays = lock(&self.relays);
        if relays.len() == MAX_RELAYS {
            relays.pop_front();
        }
        relays.push_back((address, protocol));
    }

    /// How the server of this relayed address is reached.
    pub(super) fn relay_protocol(&self, address: &str) -> &'static str {
        lock(&self.relays)
            .iter()
            .rev()
            .find(|(relay, _)| relay == address)
            .map_or("udp", |(_, protocol)| protocol)
    }

    pub(super) fn set_mid(&self, mid: &str) {
        mid.clone_into(&mut lock(&self.mid));
    }

    pub(super) fn mid(&self) -> String {
        lock(&self.mid).clone()
    }

    pub(super) fn stats(&self) -> PathStats {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let pair = lock(&self.pair).clone();
        let (local, remote, relay_protocol) = match pair {
            Some(pair) => (Some(pair.local), Some(pair.remote), pair.relay_protocol),
            None => (None, None, None),
        };
        let medium = |kind| {
            let medium = self.medium(kind);
            medium.counters.read(*lock(&medium.remote))
        };
        PathStats {
            local,
            remote,
            relay_protocol,
            rtt: lock(&self.rtt).distribution(),
            latest_rtt: self.latest_rtt(),
            restarts: get(&self.restarts),
            audio: medium(Kind::Audio),
            video: medium(Kind::Video),
            keyframe_requests_sent: get(&self.keyframe_requests_sent),
            keyframe_requests_received: get(&self.keyframe_requests_received),
            bytes_sent: get(&self.bytes_sent),
            bytes_received: get(&self.bytes_received),
            available: *lock(&self.available),
        }
    }
}

/// Nothing panics while one of these locks is held, and plain data stays whole if it did.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The way to the session, with the small state that says which event comes next.
#[derive(Debug)]
pub(super) struct Events {
    sender: mpsc::Sender<Event>,
    link: Mutex<Link>,
    goodbye: AtomicBool,
    /// We are closing: nothing that happens from now on is news.
    closing: AtomicBool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    Fresh,
    Up,
    Down,
    Restarting,
    Failed,
}

impl Events {
    fn new(sender: mpsc::Sender<Event>) -> Self {
        Self {
            sender,
            link: Mutex::new(Link::Fresh),
            goodbye: AtomicBool::new(false),
            closing: AtomicBool::new(false),
        }
    }

    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::Release);
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// The connection is up.
    pub(super) fn up(&self) {
        let mut link = lock(&self.link);
        match *link {
            Link::Fresh => self.send(Event::Connected),
            Link::Down | Link::Restarting | Link::Failed => self.send(Event::Restored),
            Link::Up => return,
        }
        *link = Link::Up;
    }

    /// Nothing is heard.
    pub(super) fn down(&self) {
        let mut link = lock(&self.link);
        if matches!(*link, Link::Up | Link::Restarting) {
            *link = Link::Down;
            self.send(Event::Disconnected);
        }
    }

    /// An ICE restart was applied: the next `up` is news.
    pub(super) fn restarting(&self) {
        let mut link = lock(&self.link);
        if *link == Link::Up {
            *link = Link::Restarting;
        }
    }

    /// There is no path.
    pub(super) fn failed(&self) {
        let mut link = lock(&self.link);
        if *link != Link::Failed {
            *link = Link::Failed;
            self.send(Event::Failed);
        }
    }

    /// The other side left.
    pub(super) fn goodbye(&self) {
        if !self.goodbye.swap(true, Ordering::AcqRel) {
            self.send(Event::Goodbye);
        }
    }

    pub(super) fn candidate(&self, candidate: Candidate) {
        self.send(Event::LocalCandidate(candidate));
    }

    /// Queues an event that must not wait: when the session has stopped reading it is lost.
    pub(super) fn send(&self, event: Event) {
        if self.is_closing() {
            return;
        }
        if let Err(mpsc::error::TrySendError::Full(_)) = self.sender.try_send(event) {
            tracing::warn!("an event of the connection was dropped: nobody reads them");
        }
    }

    /// Queues a message of the other side, waiting until more than the reserve is free, so that a
    /// flood of messages slows the other side down and never crowds out a state change.
    pub(super) async fn message(&self, event: Event) {
        if let Ok(mut permits) = self.sender.reserve_many(EVENT_RESERVE + 1).await
            && let Some(permit) = permits.next()
        {
            permit.send(event);
        }
    }
}
