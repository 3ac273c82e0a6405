//! Two ends and the signaling between them, in one struct.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::media::pipeline::{Bandwidth, Kind, Outlet};
use crate::media::rtp::packet::RtpPacket;
use crate::rtc::{Candidate, Config, Event, Inbound, Peer};

/// No test waits longer than this for anything.
pub(super) const DEADLINE: Duration = Duration::from_secs(20);

/// What arrived at one end.
#[derive(Debug)]
pub(super) enum Arrival {
    Rtp(Kind, RtpPacket),
    Report(Kind, u64, u32),
    KeyframeRequest,
}

/// Puts everything that arrives into a queue; drops what does not fit.
struct Recorder(mpsc::Sender<Arrival>);

impl Inbound for Recorder {
    fn rtp(&self, kind: Kind, packet: RtpPacket) {
        let _ = self.0.try_send(Arrival::Rtp(kind, packet));
    }
    fn sender_report(&self, kind: Kind, ntp: u64, rtp: u32, _arrived: Instant) {
        let _ = self.0.try_send(Arrival::Report(kind, ntp, rtp));
    }
    fn keyframe_requested(&self) {
        let _ = self.0.try_send(Arrival::KeyframeRequest);
    }
    fn bandwidth(&self, _path: Bandwidth) -> f64 {
        0.0
    }
}

/// One end: the peer, what it told, what arrived.
pub(super) struct End {
    pub(super) peer: Arc<Peer>,
    pub(super) events: mpsc::Receiver<Event>,
    pub(super) arrivals: mpsc::Receiver<Arrival>,
    /// Candidates of the other end are left here by [`pump`].
    candidates: mpsc::Sender<Candidate>,
    incoming: mpsc::Receiver<Candidate>,
}

pub(super) fn loopback() -> Config {
    Config { bind: vec!["127.0.0.1".parse().unwrap()], mdns: false, ..Config::default() }
}

/// Two ends that know each other's candidates queue.
pub(super) async fn two(config: Config) -> (End, End) {
    let (to_b, at_b) = mpsc::channel(256);
    let (to_a, at_a) = mpsc::channel(256);
    (end(config.clone(), to_b, at_a).await, end(config, to_a, at_b).await)
}

/// Two ends, the second driven by a runtime of its own, which can be taken away from it.
pub(super) async fn two_apart(config: Config) -> (End, End, tokio::runtime::Runtime) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (to_b, at_b) = mpsc::channel(256);
    let (to_a, at_a) = mpsc::channel(256);
    let a = end(config.clone(), to_b, at_a).await;
    let b = runtime.spawn(end(config, to_a, at_b)).await.unwrap();
    (a, b, runtime)
}

async fn end(
    config: Config,
    candidates: mpsc::Sender<Candidate>,
    incoming: mpsc::Receiver<Candidate>,
) -> End {
    let (recorder, arrivals) = mpsc::channel(4096);
    let (peer, events) = Peer::new(config, Arc::new(Recorder(recorder))).await.unwrap();
    End { peer: Arc::new(peer), events, arrivals, candidates, incoming }
}

/// Exchanges descriptions as a session does: each is handed over before it is applied.
pub(super) async fn negotiate(a: &End, b: &End, ice_restart: bool) {
    let offer = a.peer.offer(ice_restart).await.unwrap();
    a.peer.apply_local().await.unwrap();
    let answer = b.peer.answer(&offer).await.unwrap();
    b.peer.apply_local().await.unwrap();
    a.peer.accept_answer(&answer).await.unwrap();
}

impl End {
    /// Passes candidates both ways until `wanted` is told by this end, which is returned.
    pub(super) async fn until(&mut self, wanted: impl Fn(&Event) -> bool) -> Event {
        let found = timeout(DEADLINE, async {
            loop {
                tokio::select! {
                    event = self.events.recv() => match event.expect("the peer is alive") {
                        event if wanted(&event) => return event,
                        Event::LocalCandidate(candidate) => {
                            self.candidates.send(candidate).await.unwrap();
                        }
                        _ => {}
                    },
                    Some(candidate) = self.incoming.recv() => {
                        self.peer.add_candidate(candidate).await.unwrap();
                    }
                }
            }
        });
        found.await.expect("the event comes in time")
    }

    /// Waits for an arrival that `wanted` makes something of.
    pub(super) async fn arrival<T>(&mut self, wanted: impl Fn(Arrival) -> Option<T>) -> T {
        let found = timeout(DEADLINE, async {
            loop {
                if let Some(found) = wanted(self.arrivals.recv().await.unwrap()) {
                    return found;
                }
            }
        });
        found.await.expect("it arrives in time")
    }

    pub(super) async fn close(self, goodbye: bool) {
        let peer = Arc::try_unwrap(self.peer).ok().expect("the only owner");
        peer.close(goodbye).await;
    }
}

/// Both ends connected.
pub(super) async fn connected(config: Config) -> (End, End) {
    let (mut a, mut b) = two(config).await;
    negotiate(&a, &b, false).await;
    tokio::join!(a.until(|event| *event == Event::Connected), b.until(|event| *event == Event::Connected));
    (a, b)
}

/// Restarts ICE twice while `a` sends, and sees each time that what `b` receives comes over the new path.
pub(super) async fn restart_twice(a: &mut End, b: &mut End) {
    let sending = stream(a.peer.outlet(), Kind::Video, 1);
    b.arrival(|arrival| matches!(arrival, Arrival::Rtp(..)).then_some(())).await;
    for _ in 0..2 {
        negotiate(a, b, true).await;
        tokio::join!(a.until(|event| *event == Event::Restored), b.until(|event| *event == Event::Restored));
        while b.arrivals.try_recv().is_ok() {}
        b.arrival(|arrival| matches!(arrival, Arrival::Rtp(..)).then_some(())).await;
    }
    sending.abort();
}

/// The `number`-th packet of a stream: every tenth carries the marker.
pub(super) fn packet(number: u16) -> RtpPacket {
    RtpPacket {
        payload_type: 0,
        marker: number.is_multiple_of(10),
        sequence: number,
        timestamp: u32::from(number) * 3000,
        ssrc: 0,
        payload: Bytes::from(vec![u8::try_from(number % 251).unwrap(); 100]),
        arrived: Instant::now(),
    }
}

/// Sends packets from number `first` on, one each 5 ms, until the task is aborted.
pub(super) fn stream(outlet: Arc<dyn Outlet>, kind: Kind, first: u16) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(Duration::from_millis(5));
        for number in first.. {
            ticks.tick().await;
            outlet.send(kind, packet(number));
        }
    })
}

/// An inbound that records into `sender`.
pub(super) fn recorder(sender: mpsc::Sender<Arrival>) -> Arc<dyn Inbound> {
    Arc::new(Recorder(sender))
}
