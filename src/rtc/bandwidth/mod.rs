//! How much may be sent on a path: the sender's bandwidth estimator, what it gives to sound and pictures, the pacer,
//! and the feedback that the receiver gives to the other side's.
//!
//! Pure: time is an argument, nothing here waits, sends or reads a clock. It is driven by whoever stands next to the
//! wire: [`Estimator::sent`] for each RTP packet that leaves with a transport-wide sequence number,
//! [`Estimator::feedback`] for each transport-wide feedback that comes
//! (draft-holmer-rmcat-transport-wide-cc-extensions-01), [`Estimator::tick`] several times a second. What the target
//! means for encoders is decided in `media::pipeline`; when packets leave is [`pacer`]'s; [`feedback`] is the receiver's side.
//!
//! Rates are bits per second on the wire, IP headers included, of everything that the estimator is told of.

mod control;
mod delay;
pub mod feedback;
mod history;
mod loss;
pub mod pacer;
mod probe;
mod window;

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use control::{Control, Measured};
use delay::Detector;
use history::History;
use loss::Losses;
use probe::Prober;
use window::{Flow, Least, Rate};

pub use control::{Bounds, Phase};
pub use history::{Arrival, Kind, Report};

/// Microseconds since the estimator was made, or on the receiver's clock.
type Micros = i64;

/// Bytes on the wire around an RTP payload: IPv4 20, UDP 8, RTP header 12 (RFC 3550, section 5.1), the header
/// extension with the transport-wide number 8 (RFC 8285, section 4.2), SRTP's authentication tag 10 (RFC 3711,
/// section 3.1).
pub const PACKET_OVERHEAD: u32 = 58;
/// The same around the body of RTCP: IPv4 20, UDP 8, SRTCP's index and tag 14 (RFC 3711, section 3.4).
pub const RTCP_OVERHEAD: u32 = 42;
/// What IPv6 takes more than IPv4.
pub const IPV6_MORE: u32 = 20;

/// What gets through is measured over this long, and over so many packets.
const THROUGH: Micros = 200_000;
const THROUGH_PACKETS: usize = 6;
const THROUGH_LONG: Micros = 700_000;
const COLLAPSED: f64 = 0.7;
/// What is sent is measured over this long.
const SENT: Micros = 1_000_000;
/// Nothing heard for so many round trips, and for so many times as long as usual, is silence, but not before the first
/// time here and on a short path not after the second; it is acted on that often.
const SILENT_ROUND_TRIPS: Micros = 2;
const SILENT_INTERVALS: f64 = 8.0;
const SOONEST_SILENCE: Micros = 400_000;
const SILENCE: Micros = 1_000_000;
const SILENT_STEP: Micros = 300_000;
/// After a silence of this length the path is taken for a new one.
const LONG_SILENCE: Micros = 2_500_000;
/// The first cluster: so many times the start rate, for this long.
const FIRST_CLUSTER: f64 = 3.0;
const FIRST_LENGTH: Micros = 40_000;
/// Later clusters last this long.
const LENGTH: Micros = 80_000;
/// Bytes that may be on their way before the first feedback.
const FIRST_WINDOW: u64 = 3_200;
/// No more may be on its way than what leaves in the shortest round trip and in this time, and outside a ramp in the time
/// between two feedbacks: where nothing is heard any more there is a queue already, in either direction.
const MARGIN: f64 = 0.12;
/// In a ramp the time between two feedbacks counts as well, in this proportion to what is lost by chance.
const MISSED: f64 = 4.0;
/// Of what was sent so long, this share should have been told of by now, losses aside. With less of it as much less may
/// be on its way: feedback may stand in a queue itself, and what it tells then is old.
const ANSWERED: Micros = 300_000;
const MOST_ANSWERED: f64 = 0.6;
/// Padding packets of a ramp, on the wire.
const PADDING: u32 = 400;

/// What there is to know about the path.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Bits per second that may be sent.
    pub target: f64,
    /// Why.
    pub phase: Phase,
    /// What the path carries, as far as it is known.
    pub capacity: Option<f64>,
    /// The queue that all packets meet.
    pub queue: Duration,
    /// The share of packets lost in the last seconds, and the part of it that is chance: 0 to 1.
    pub loss: f64,
    /// See `loss`.
    pub chance: f64,
    /// From a packet to the feedback about it, the receiver's interval included.
    pub round_trip: Option<Duration>,
    /// Feedback stays away although packets were sent.
    pub silent: bool,
}

/// How fast packets are to leave now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pacing {
    /// Bits per second, everything together.
    pub rate: f64,
    /// When there is no packet to send, one of padding of this many bytes on the wire is to be made.
    pub padding: Option<u32>,
}

/// The estimator of one path.
#[derive(Clone, Debug)]
pub struct Estimator {
    epoch: Instant,
    bounds: Bounds,
    history: History,
    detector: Detector,
    losses: Losses,
    prober: Prober,
    control: Control,
    through: Flow,
    sent: Flow,
    /// What was told to have arrived, at the time when it was told.
    told_of: Flow,
    wanted: f64,
    /// The largest of the last packets, fading.
    largest: f64,
    round_trip: Option<Micros>,
    shortest: Least,
    heard: Option<Micros>,
    /// Twice the time between two feedbacks of late, in seconds: one may be lost.
    told: f64,
    silence_acted_on: Option<Micros>,
    started: bool,
}

impl Estimator {
    /// An estimator that knows nothing of the path.
    #[must_use]
    pub fn new(now: Instant, bounds: Bounds) -> Self {
        Self {
            epoch: now,
            bounds,
            history: History::default(),
            detector: Detector::default(),
            losses: Losses::default(),
            prober: Prober::default(),
            control: Control::new(bounds),
            through: Flow::new(2_000_000),
            sent: Flow::new(2_000_000),
            told_of: Flow::new(2_000_000),
            wanted: bounds.most,
            largest: 0.0,
            round_trip: None,
            shortest: Least::default(),
            heard: None,
            told: 0.1,
            silence_acted_on: None,
            started: false,
        }
    }

    /// What would be sent if the path took it, in bits per second on the wire. Nothing is probed beyond this.
    pub fn set_wanted(&mut self, bits_per_second: f64) {
        self.wanted = bits_per_second.max(self.bounds.least);
    }

    /// A packet with the transport-wide number `sequence` leaves; `bytes` is its size on the wire.
    pub fn sent(&mut self, now: Instant, sequence: u16, bytes: u32, kind: Kind) {
        let now = self.micros(now);
        if !self.started {
            self.started = true;
            if self.control.target() < self.wanted {
                self.prober.start(now, self.control.target() * FIRST_CLUSTER, FIRST_LENGTH);
            }
        }
        let cluster = self.prober.sent(now, bytes);
        self.history.sent(now, sequence, bytes, cluster);
        self.sent.add(now, u64::from(bytes));
        if kind == Kind::Video {
            self.largest = (self.largest * 0.98).max(f64::from(bytes));
        }
    }

    /// Something left that carries no transport-wide number.
    pub fn sent_unnumbered(&mut self, bytes: u32) {
        self.history.unnumbered(bytes);
    }

    /// Transport-wide feedback came.
    pub fn feedback(&mut self, now: Instant, reports: &[Report]) {
        let now = self.micros(now);
        let waited = self.history.waiting_since();
        let news = self.history.feedback(now, reports);
        if !news.known {
            return;
        }
        self.end_silence(now, waited);
        if let Some(heard) = self.heard.replace(now) {
            let interval = (now - heard).clamp(0, 500_000) as f64 / 1e6;
            self.told += (interval * 2.0 - self.told) / 8.0;
        }
        self.losses.settled(now, &news.settled);
        if news.arrived.is_empty() {
            return;
        }
        if let Some(sample) = news.round_trip {
            let sample = sample.clamp(0, 5_000_000);
            self.round_trip = Some(self.round_trip.map_or(sample, |known| (known * 7 + sample) / 8));
            self.shortest.add(now, sample);
        }
        let mut unreported = (news.unreported as f64 * (1.0 - self.losses.chance())) as u64;
        self.told_of.add(now, news.arrived.iter().map(|packet| u64::from(packet.bytes)).sum());
        for packet in &news.arrived {
            let bytes = u64::from(packet.bytes) + std::mem::take(&mut unreported);
            self.through.arrived(packet.arrival, packet.sent, bytes);
        }
        let rate = self.control.capacity().unwrap_or(0.0).max(self.control.target()).max(1_000.0);
        let packet_time = (self.largest * 8e6 / rate) as Micros;
        let queue = self.detector.arrived(&news.arrived, packet_time);
        if let Some(outcome) = self.prober.arrived(&news.arrived) {
            let kept = 1.0 - self.losses.chance();
            self.control.cluster(now, outcome.sent / kept, outcome.received / kept);
        }
        let through = self.through();
        self.control.update(&Measured {
            now,
            queue,
            through: through.map(|rate| rate.bits_per_second / (1.0 - self.losses.chance())),
            kept_up: through.is_some_and(|rate| rate.kept_up),
            sent: self.sent.rate_until(now, SENT),
            outstanding: self.history.outstanding() as f64 * 8.0,
            round_trip: self.shortest.value().unwrap_or(100_000),
            wanted: self.wanted,
            loss_limit: self.losses.limit(now),
            lossy: self.losses.more_than_chance(),
        });
    }

    /// Time passes. Acts on silence and begins clusters; ten times a second is often enough.
    pub fn tick(&mut self, now: Instant) {
        let now = self.micros(now);
        if self.silent(now) {
            if self.silence_acted_on.is_none_or(|at| now - at >= SILENT_STEP) {
                self.silence_acted_on = Some(now);
                self.control.silent();
                self.prober.reset();
            }
            return;
        }
        if self.started
            && !self.prober.busy(now)
            && let Some(rate) = self.control.wants_cluster(now, &self.detector.queue(), self.wanted)
        {
            self.prober.start(now, rate.min(self.bounds.most), LENGTH);
        }
    }

    /// The path is another one (a pair was nominated, an address changed): what was learned is forgotten, the rate
    /// begins at most at twice the start rate.
    pub fn reset(&mut self) {
        let wanted = self.wanted;
        let start = self.control.target().min(self.bounds.start * 2.0);
        let mut history = std::mem::take(&mut self.history);
        history.forget();
        let bounds = Bounds { start, ..self.bounds };
        let fresh = Self::new(self.epoch, bounds);
        *self = Self { bounds: self.bounds, history, wanted, ..fresh };
    }

    /// What is known now.
    #[must_use]
    pub fn estimate(&self, now: Instant) -> Estimate {
        let queue = self.detector.queue();
        Estimate {
            target: self.control.target(),
            phase: self.control.phase(),
            capacity: self.control.capacity(),
            queue: duration(queue.standing),
            loss: self.losses.share(),
            chance: self.losses.chance(),
            round_trip: self.round_trip.map(duration),
            silent: self.silent(self.micros(now)),
        }
    }

    /// How fast packets are to leave now, and whether with padding.
    #[must_use]
    pub fn pacing(&self, now: Instant) -> Pacing {
        let now = self.micros(now);
        if let Some(cluster) = self.prober.sending(now) {
            return Pacing { rate: cluster.rate, padding: Some(cluster.packet) };
        }
        let target = self.control.target();
        // Feedback is lost as well where packets are.
        let missed = self.told * (self.losses.chance() * MISSED).min(1.0);
        match self.control.phase() {
            Phase::Ramp if self.history.outstanding() as f64 * 8.0 > target * (self.window() + missed) => {
                Pacing { rate: self.bounds.least, padding: None }
            }
            Phase::Ramp if !self.silent(now) => Pacing { rate: target, padding: Some(PADDING) },
            // Before the first feedback nothing says that the path takes this much.
            _ if self.heard.is_none() && self.history.outstanding() > FIRST_WINDOW => {
                Pacing { rate: self.bounds.least, padding: None }
            }
            _ if self.heard.is_none() => Pacing { rate: target, padding: None },
            Phase::Steady | Phase::Emptying
                if !self.control.empties_for_long(now)
                    && self.history.outstanding() as f64 * 8.0
                        > target * self.answered(now) * (self.window() + self.told) =>
            {
                Pacing { rate: (target * 0.25).max(self.bounds.least), padding: None }
            }
            Phase::Emptying => Pacing { rate: target, padding: None },
            // Where there is no room for a queue there is none for bursts.
            _ if self.losses.limit(now).is_some() => Pacing { rate: target, padding: None },
            _ => Pacing { rate: target * pacer::FACTOR, padding: None },
        }
    }

    /// What got through: over a longer time, because pictures come in pieces, or in the last moments where that is much
    /// less.
    fn through(&self) -> Option<Rate> {
        let short = self.through.rate(THROUGH, THROUGH_PACKETS)?;
        let long = self.through.rate(THROUGH_LONG, THROUGH_PACKETS);
        let alike = |long: &Rate| short.bits_per_second > long.bits_per_second * COLLAPSED;
        Some(long.filter(alike).unwrap_or(short))
    }

    /// How much of a rate may be on its way while feedback is frequent, in seconds.
    fn window(&self) -> f64 {
        self.shortest.value().map_or(MARGIN, |round_trip| round_trip as f64 / 1e6 + MARGIN)
    }

    /// How much of what should have been told of by now was, 1 when it is most of it.
    fn answered(&self, now: Micros) -> f64 {
        let later = self.shortest.value().unwrap_or(0) + (self.told * 5e5) as Micros;
        let span = ANSWERED.max((self.told * 1.5e6) as Micros);
        let sent = self.sent.between(now - span - later, now - later) as f64;
        let told_of = self.told_of.between(now - span, now + 1) as f64;
        let kept = (1.0 - self.losses.share()).powi(2).max(0.2);
        if sent == 0.0 { 1.0 } else { (told_of / (sent * kept * MOST_ANSWERED)).min(1.0) }
    }

    fn micros(&self, now: Instant) -> Micros {
        Micros::try_from(now.saturating_duration_since(self.epoch).as_micros()).unwrap_or(Micros::MAX / 4)
    }

    fn silent(&self, now: Micros) -> bool {
        let usual = (self.told * SILENT_INTERVALS * 5e5) as Micros;
        let patience = self.round_trip.map_or(SILENCE, |rtt| {
            let latest = SILENCE.max(rtt * SILENT_ROUND_TRIPS * 2);
            (rtt * SILENT_ROUND_TRIPS + usual).clamp(SOONEST_SILENCE, latest)
        });
        self.history.waiting_since().is_some_and(|sent| now - sent > patience)
            && self.heard.is_none_or(|heard| now - heard > patience)
    }

    /// Feedback is here; `waited` is when the oldest packet left that had been waiting for it.
    fn end_silence(&mut self, now: Micros, waited: Option<Micros>) {
        if self.silence_acted_on.take().is_none() {
            return;
        }
        let heard = self.heard.unwrap_or_default().max(waited.unwrap_or_default());
        let long = now - heard > LONG_SILENCE;
        self.control.heard(now, long);
        self.through.clear();
        self.detector.resume();
        if long {
            self.losses.reset();
            self.prober.start(now, self.control.target() * 2.0, FIRST_LENGTH);
        }
    }
}

fn duration(micros: Micros) -> Duration {
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}
