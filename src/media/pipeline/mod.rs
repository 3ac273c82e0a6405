//! The threads between sources and packets and between packets and sinks.
//!
//! Owns four OS threads (video and audio, each way), their bounded queues and their clocks; the only
//! place in media that waits. It must not know the peer connection, calls or sessions: packets leave
//! through an [`Outlet`] and come in through an [`Inlet`], and [`Stats`] are plain data.
//!
//! ```text
//! source -> pacer -> encoder -> packets -> Outlet          (start_sending)
//! Inlet -> assembly -> decoder -> playout -> sink, meter   (prepare: plays as soon as packets come)
//! Inlet -> jitter buffer -> decoder -> beat -> sink, meter
//! ```

pub mod allocation;
mod audio_receive;
mod audio_send;
mod coding;
mod control;
mod fitting;
pub mod mailbox;
pub mod pace;
pub mod playout;
mod rates;
mod stats;
mod video_receive;
mod video_send;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub use fitting::Limit;
pub use rates::Bandwidth;
pub use stats::{AudioReceived, AudioSent, Failure, Stats, VideoReceived, VideoSent};

use self::control::Control;
use self::mailbox::Mailbox;
use self::rates::Rates;
use super::alert::{Tally, Watcher};
use super::codec::VideoCodec;
use super::record::{Side, Tap};
use super::rtp::packet::RtpPacket;
use super::rtp::sync::Sync;
use super::voice::{self, Capture};
use super::{AudioSink, AudioSource, Error, Monitor, VideoSink, VideoSource};

/// RTP payload type of Opus (48,000/2, RFC 7587).
pub const OPUS_PAYLOAD_TYPE: u8 = 111;
/// Incoming video packets that may wait for their thread: 4 s at 2 Mbit/s. What comes when it is
/// full is dropped and counted, and the assembly sees a hole.
pub const VIDEO_QUEUE: usize = 1_024;
/// Incoming audio packets that may wait: 5 s. What comes when it is full is dropped and counted.
pub const AUDIO_QUEUE: usize = 256;

/// Sound or picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Sound.
    Audio,
    /// Picture.
    Video,
}

/// Where packets leave; implemented by the peer connection.
pub trait Outlet: Send + std::marker::Sync {
    /// Sends a packet or drops it; never blocks.
    fn send(&self, kind: Kind, packet: RtpPacket);
    /// Asks the other side for a key frame (PLI, RFC 4585, section 6.3.1); never blocks.
    fn request_keyframe(&self);
    /// Whether the other side decodes this codec. VP8 is decoded by everybody.
    fn accepts(&self, codec: VideoCodec) -> bool {
        codec == VideoCodec::Vp8
    }
    /// What is known of the path before anything was sent. `None` when the other side will not tell what arrives: then
    /// [`Inlet::bandwidth`] is never called, and everything is sent as it is.
    fn path(&self) -> Option<Bandwidth> {
        None
    }
    /// How long the pictures that were sent still wait for their turn to leave.
    fn backlog(&self) -> Duration {
        Duration::ZERO
    }
}

/// Where received media goes.
pub struct Sinks {
    /// Where received pictures go.
    pub video: Box<dyn VideoSink>,
    /// Where received sound goes.
    pub audio: Box<dyn AudioSink>,
    /// Who watches both sides beside the sinks.
    pub monitor: Option<Arc<Monitor>>,
}

/// What is sent.
pub struct Sources {
    /// The picture to send; `None` sends none.
    pub video: Option<Box<dyn VideoSource>>,
    /// The sound to send; `None` sends none.
    pub audio: Option<Box<dyn AudioSource>>,
    /// The most for pictures, kbit/s.
    pub video_kbps: u32,
    /// The most for sound, bit/s.
    pub audio_bits_per_second: u32,
    /// The most for everything together, bit/s on the wire.
    pub most: Option<u32>,
}

/// What came from the network for one receiving thread.
#[derive(Debug)]
enum Incoming {
    Packet(RtpPacket),
    Report { ntp: u64, rtp: u32 },
}

/// Everything that the threads share.
struct Shared {
    /// Local times are counted from here.
    epoch: Instant,
    /// Let go of when the engine stops: the peer connection behind it may hold the inlet.
    outlet: Mutex<Option<Arc<dyn Outlet>>>,
    video_in: Mailbox<Incoming>,
    audio_in: Mailbox<Incoming>,
    video_out: Control<video_send::Feed>,
    audio_out: Control<Box<dyn AudioSource>>,
    /// Where sound goes from now on, until the thread that plays it looks.
    hear: Mutex<Option<Box<dyn AudioSink>>>,
    /// What is done to the sound of a microphone.
    voice: Mutex<voice::Settings>,
    sync: Mutex<Sync>,
    rates: Mutex<Rates>,
    rtt: Mutex<Option<(Duration, Duration)>>,
    video_sent: Mutex<VideoSent>,
    audio_sent: Mutex<AudioSent>,
    video_received: Mutex<video_receive::Measured>,
    audio_received: Mutex<audio_receive::Measured>,
    failures: Mutex<Vec<Failure>>,
    /// Who looks at our own pictures, and what those before it counted.
    alert: Mutex<(Option<Watcher>, Option<Tally>)>,
    monitor: Option<Arc<Monitor>>,
    /// Where everything is recorded, while it is.
    record: Mutex<Option<Arc<Tap>>>,
    /// The other side records.
    recorded: AtomicBool,
    /// A file of the same call is under way beside it.
    beside: AtomicBool,
}

impl Shared {
    /// Takes note that a source, a sink or a codec failed for good.
    fn fail(&self, kind: Kind, sending: bool, error: &Error) {
        tracing::warn!(?kind, sending, %error, "media failed");
        lock(&self.failures).push(Failure { kind, sending, message: error.to_string() });
    }

    /// Hands something to the recording, if there is one; never waits for it.
    fn record(&self, give: impl FnOnce(&Tap)) {
        if let Some(tap) = &*lock(&self.record) {
            give(tap);
        }
    }

    /// Whether anybody records our pictures. A track of a recording is of one codec, so it stays the one that every
    /// picture may have.
    fn is_recorded(&self) -> bool {
        self.recorded.load(Ordering::Relaxed) || lock(&self.record).is_some()
    }

    /// Whether the recording needs a key frame of this side now. Says so once for each wish.
    fn recording_wants_keyframe(&self, side: Side) -> bool {
        lock(&self.record).as_ref().is_some_and(|tap| tap.wants_keyframe(side))
    }

    /// What was counted of hands on the face, if anybody looked.
    fn alerts(&self) -> Option<Tally> {
        let alert = lock(&self.alert);
        let now = alert.0.as_ref().map(Watcher::tally);
        now.map(|now| now + alert.1.unwrap_or_default()).or(alert.1)
    }

    fn micros(&self, at: Instant) -> i64 {
        i64::try_from(at.saturating_duration_since(self.epoch).as_micros()).unwrap_or(i64::MAX)
    }

    fn instant(&self, micros: i64) -> Instant {
        self.epoch + Duration::from_micros(u64::try_from(micros).unwrap_or(0))
    }
}

/// What a poisoned lock guards is plain numbers: they are as good as before the panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Random numbers for SSRC, timestamp and sequence (RFC 3550, section 5.1).
fn random() -> Result<[u32; 3], Error> {
    let mut bytes = [0u8; 12];
    getrandom::fill(&mut bytes).map_err(|error| Error::Io {
        what: "the system's random numbers".to_owned(),
        source: std::io::Error::other(error.to_string()),
    })?;
    let number = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    Ok([number(0), number(4), number(8)])
}

/// Where packets come in; held by the peer connection. Nothing here blocks. Once the engine has
/// stopped, everything is dropped.
#[derive(Clone)]
pub struct Inlet {
    shared: Arc<Shared>,
}

impl Inlet {
    /// A received packet; `arrived` should be the moment at which it came from the socket.
    pub fn rtp(&self, kind: Kind, packet: RtpPacket) {
        self.mailbox(kind).put(Incoming::Packet(packet));
    }

    /// A received sender report (RFC 3550, section 6.4.1): NTP time in 32.32 fixed point and the RTP
    /// time that belongs to it.
    pub fn sender_report(&self, kind: Kind, ntp: u64, rtp: u32, _arrived: Instant) {
        self.mailbox(kind).put(Incoming::Report { ntp, rtp });
    }

    /// The other side asked for a key frame (PLI or FIR).
    pub fn keyframe_requested(&self) {
        self.shared.video_out.request_keyframe();
    }

    /// News of the path in our direction, several times a second: sound and pictures follow. Answers what would be sent
    /// if there were room, in bits per second on the wire.
    pub fn bandwidth(&self, path: Bandwidth) -> f64 {
        self.shared.beside.store(path.beside, Ordering::Relaxed);
        let (allocation, wanted) = lock(&self.shared.rates).path(Instant::now(), path);
        if let Some(allocation) = allocation {
            tracing::trace!(?path, ?allocation, wanted, "shared out");
            self.shared.audio_out.set_audio(allocation.audio);
            self.shared.video_out.set_video(allocation.video);
        }
        wanted
    }

    /// The most that may be sent of everything, in bits per second on the wire, whatever the path carries.
    #[must_use]
    pub fn most(&self) -> f64 {
        lock(&self.shared.rates).most()
    }

    fn mailbox(&self, kind: Kind) -> &Mailbox<Incoming> {
        match kind {
            Kind::Audio => &self.shared.audio_in,
            Kind::Video => &self.shared.video_in,
        }
    }
}

/// The media of one call. Dropping it stops everything, as [`Engine::stop`] does.
pub struct Engine {
    shared: Arc<Shared>,
    /// Sources wait here for [`Engine::start_sending`].
    senders: Mutex<Option<Senders>>,
    /// Waits for [`Engine::attach`].
    capture: Mutex<Option<Capture>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

struct Senders {
    video: video_send::Sender,
    audio: audio_send::Sender,
}

impl Engine {
    /// Makes decoders and starts receiving. What comes through the inlet is decoded, measured and given
    /// to the sinks from now on.
    ///
    /// # Errors
    ///
    /// A codec that refuses its settings, or a thread that the system does not grant.
    pub fn prepare(sinks: Sinks) -> Result<(Self, Inlet), Error> {
        let shared = Arc::new(Shared {
            epoch: Instant::now(),
            outlet: Mutex::default(),
            video_in: Mailbox::new(VIDEO_QUEUE),
            audio_in: Mailbox::new(AUDIO_QUEUE),
            video_out: Control::default(),
            audio_out: Control::default(),
            hear: Mutex::default(),
            voice: Mutex::default(),
            sync: Mutex::new(Sync::new()),
            rates: Mutex::default(),
            rtt: Mutex::new(None),
            video_sent: Mutex::default(),
            audio_sent: Mutex::default(),
            video_received: Mutex::default(),
            audio_received: Mutex::default(),
            failures: Mutex::default(),
            alert: Mutex::default(),
            monitor: sinks.monitor,
            record: Mutex::default(),
            recorded: AtomicBool::new(false),
            beside: AtomicBool::new(false),
        });
        let (capture, reference) = voice::pair(voice::Settings::OFF);
        let engine = Self {
            shared: shared.clone(),
            senders: Mutex::default(),
            capture: Mutex::new(Some(capture)),
            threads: Mutex::default(),
        };
        let receiver = video_receive::Receiver::new(shared.clone(), sinks.video)?;
        engine.spawn("video-receive", move || receiver.run())?;
        let receiver = audio_receive::Receiver::new(shared.clone(), sinks.audio, reference)?;
        engine.spawn("audio-receive", move || receiver.run())?;
        Ok((engine, Inlet { shared }))
    }

    /// Makes encoders for these sources, which wait for [`Engine::start_sending`]; nothing is read from
    /// them yet. Opening a film takes long next to finding a path, so this may happen while that goes on.
    ///
    /// # Errors
    ///
    /// A codec that refuses its settings.
    pub fn attach(&self, sources: Sources) -> Result<(), Error> {
        let feed = sources.video.map(|source| video_send::Feed { source, kbps: sources.video_kbps });
        let video = video_send::Sender::new(feed)?;
        // Whoever attaches again has no way back from what is played: the first has it.
        let capture = lock(&self.capture).take().unwrap_or_else(|| voice::pair(voice::Settings::OFF).0);
        let audio = audio_send::Sender::new(sources.audio, sources.audio_bits_per_second, capture)?;
        let mut rates = lock(&self.shared.rates);
        rates.set_audio(sources.audio_bits_per_second);
        rates.set_most(sources.most.map(f64::from));
        drop(rates);
        *lock(&self.senders) = Some(Senders { video, audio });
        Ok(())
    }

    /// Starts to read the attached sources and to send, and lets the receiver ask for key frames. Only the
    /// first call has an effect.
    ///
    /// # Errors
    ///
    /// A thread that the system does not grant.
    pub fn start_sending(&self, outlet: Arc<dyn Outlet>) -> Result<(), Error> {
        let Some(senders) = lock(&self.senders).take() else {
            return Ok(());
        };
        lock(&self.shared.rates).begin(outlet.path());
        *lock(&self.shared.outlet) = Some(outlet.clone());
        self.shared.video_in.nudge();
        let (shared, video, video_outlet) = (self.shared.clone(), senders.video, outlet.clone());
        self.spawn("video-send", move || video.run(&shared, &*video_outlet))?;
        let (shared, audio) = (self.shared.clone(), senders.audio);
        self.spawn("audio-send", move || audio.run(&shared, &*outlet))?;
        Ok(())
    }

    /// The figures as of now.
    #[must_use]
    pub fn snapshot(&self) -> Stats {
        let shared = &self.shared;
        Stats {
            video_sent: lock(&shared.video_sent).clone(),
            audio_sent: lock(&shared.audio_sent).clone(),
            video_received: lock(&shared.video_received).report(shared.video_in.dropped()),
            audio_received: lock(&shared.audio_received).report(shared.audio_in.dropped()),
            alert: shared.alerts(),
            failures: lock(&shared.failures).clone(),
        }
    }

    /// Stops sending pictures, or sends silence for sound; and back. A key frame follows on the way back.
    pub fn set_muted(&self, kind: Kind, muted: bool) {
        match kind {
            Kind::Audio => self.shared.audio_out.set_muted(muted),
            Kind::Video => self.shared.video_out.set_muted(muted),
        }
    }

    /// Sends this picture from now on, or none. The other side sees one stream that goes on: no negotiation, a key frame
    /// first. `kbps` is the target of the encoder for it.
    pub fn set_video_source(&self, source: Option<Box<dyn VideoSource>>, kbps: u32) {
        self.shared.video_out.set_source(source.map(|source| video_send::Feed { source, kbps }));
    }

    /// Sends this sound from now on, or none.
    pub fn set_audio_source(&self, source: Option<Box<dyn AudioSource>>) {
        self.shared.audio_out.set_source(source);
    }

    /// What is done to the sound of a microphone from the next block on; before the first call everything is on. Sound that is
    /// not [`live`](AudioSource::live) is sent as it is, whatever this says.
    pub fn set_voice(&self, settings: voice::Settings) {
        *lock(&self.shared.voice) = settings;
    }

    /// Plays what is received here from the next packet on. The former sink is completed.
    pub fn set_audio_sink(&self, sink: Box<dyn AudioSink>) {
        let unheard = lock(&self.shared.hear).replace(sink);
        drop(unheard);
    }

    /// What the other side's window can use, or no limit: pictures are sent no larger and no more often, with as many bits less. It
    /// holds for later sources as well. Follows within a second or so; only another size costs a key frame.
    pub fn set_picture_limit(&self, limit: Option<Limit>) {
        self.shared.video_out.set_limit(limit);
    }

    /// Hands both sides' encoded pictures and sound to this recording from now on, or to none. Pictures begin with a key frame, which
    /// is asked for.
    pub fn set_record(&self, tap: Option<Arc<Tap>>) {
        *lock(&self.shared.record) = tap;
        self.shared.video_in.nudge();
    }

    /// The other side says that it records, or does no more: meanwhile pictures are sent in VP8.
    pub fn set_recorded(&self, recorded: bool) {
        self.shared.recorded.store(recorded, Ordering::Relaxed);
    }

    /// The other side says that it sends no pictures, or does again: what is not there meanwhile does not count as frozen.
    pub fn pictures_are_off(&self, off: bool) {
        lock(&self.shared.video_received).pause(off);
    }

    /// Lets this one look at our own pictures from now on, or nobody. What was counted goes on.
    pub fn set_alert(&self, watcher: Option<Watcher>) {
        let counted = self.shared.alerts();
        let before = std::mem::replace(&mut *lock(&self.shared.alert), (watcher, counted));
        // Its thread may be at a look; pictures go on meanwhile.
        drop(before);
    }

    /// Makes the next frame sent a key frame.
    pub fn request_keyframe(&self) {
        self.shared.video_out.request_keyframe();
    }

    /// Tells how much of the sound sent gets lost, 0 to 1: forward error correction is made for it. Where the path is
    /// known better ([`Inlet::bandwidth`]) that holds.
    pub fn set_expected_loss(&self, share: f64) {
        if lock(&self.shared.rates).is_path_known() {
            return;
        }
        self.shared.audio_out.set_expected_loss((share * 100.0).ceil() as u8);
    }

    /// Tells the round trip time of the path, the usual one and the latest: how long a retransmission is worth waiting for.
    pub fn set_rtt(&self, usual: Duration, latest: Duration) {
        *lock(&self.shared.rtt) = Some((usual, latest));
    }

    /// Stops everything, completes the sinks and returns the last figures. Blocks until the threads
    /// have ended, which takes as long as the sinks take to finish.
    /// A second call only reads the figures again.
    #[must_use]
    pub fn stop(&self) -> Stats {
        self.halt();
        self.snapshot()
    }

    fn halt(&self) {
        self.set_alert(None);
        lock(&self.senders).take();
        lock(&self.shared.outlet).take();
        self.shared.video_out.stop();
        self.shared.audio_out.stop();
        self.shared.video_in.close();
        self.shared.audio_in.close();
        for thread in lock(&self.threads).drain(..) {
            // A panic in a codec thread was printed; the figures of the others still count.
            let _ = thread.join();
        }
    }

    fn spawn(&self, name: &str, body: impl FnOnce() + Send + 'static) -> Result<(), Error> {
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(body);
        let thread = thread.map_err(|source| Error::Io { what: format!("{name} thread"), source })?;
        lock(&self.threads).push(thread);
        Ok(())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.halt();
    }
}

#[cfg(test)]
mod tests;
