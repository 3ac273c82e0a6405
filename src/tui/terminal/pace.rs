//! When the next update of the screen may be composed, and how much its picture may cost.
//!
//! Owns the estimate of what lies between us and the terminal's glass. Pure: time is an argument, counted from any
//! one moment. Must not know what is drawn or how it is written; driven by [`super::writer::Writer`].
//!
//! A terminal behind ssh takes megabytes at once and shows them seconds later, so a finished write proves nothing.
//! Each update therefore ends with a question that every terminal answers in order (DSR, `CSI 5 n`): a fence. A large one
//! has one in front as well. What comes back tells three things: when the update was on the screen, how long the way takes when
//! nothing is on it, and how fast the link carries what is.
//!
//! ```text
//!   composed ──►  fence │ bytes │ fence  ──►  link (rate, base)  ──►  terminal
//!                   ▲                                                  │ CSI 0 n, in order
//!                   └──────────────── reached ◄────────────────────────┘
//! ```
//!
//! From that follows when the link will have carried everything that was sent. A picture waits for that moment; so
//! none ever waits behind another, and the frame rate gives way by itself. What else gives way is in `knobs`.

mod knobs;
mod link;

#[cfg(test)]
mod simulation;

use std::collections::VecDeque;
use std::time::Duration;

use crate::tui::render::Quality;
use knobs::{Budget, Knobs};
use link::Link;

/// From composing an update to seeing it, at most.
const LAG: Duration = Duration::from_millis(300);

/// What of [`LAG`] is left for jitter and for pictures larger than the last.
const MARGIN: f64 = 0.06;

/// The frame rate below which pictures become cheaper instead of fewer.
const FEWEST: f64 = 9.0;

/// The part of the link that is used: what is left lets it run empty, and only an empty link shows how long it is.
const USE: f64 = 0.85;

/// Pictures do not come faster than this: a little less than 25 a second need, so that jitter costs none.
const BETWEEN_PICTURES: Duration = Duration::from_millis(25);

/// Updates without a picture are small: they may queue behind a picture for this long.
const INTERFACE_LAG: Duration = Duration::from_millis(150);

/// An update without a picture goes out after this time whatever the link does, so that keys are never without an effect.
const INTERFACE_WAIT: Duration = Duration::from_millis(250);

/// Updates up to this size show how long the way is.
const SMALL: u64 = 512;

/// Fences in flight; when there are more, nothing is sent until one comes back.
const WINDOW: usize = 64;

/// A fence that is later than expected by this much, and a quarter of the way: the link is slower than thought.
const TOLERANCE: Duration = Duration::from_millis(30);

/// No fence was ever answered for this long: the terminal does not answer.
const NEVER: Duration = Duration::from_secs(3);

/// Fences were answered, and now none for this long: the link stands still, or answers were lost.
const SILENCE: Duration = Duration::from_secs(5);

/// How long apart updates are while there is silence: at first, and at most.
const SILENT_WAIT: Duration = Duration::from_secs(1);
const LONGEST_SILENT_WAIT: Duration = Duration::from_secs(8);

/// After a silence the answers of before come in a burst; when none came for this long, the next is to the next fence.
const SETTLE: Duration = Duration::from_millis(300);

/// What is known of the terminal before anything is sent.
#[derive(Debug, Clone, Copy, Default)]
pub struct PaceConfig {
    /// The terminal answers questions, so fences may be sent.
    pub fences: bool,
    /// How long it took to answer one, when that was measured.
    pub link: Option<Duration>,
}

/// Which fences an update is written with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fenced {
    /// One before its bytes.
    pub before: bool,
    /// One after them.
    pub after: bool,
}

/// What is known of the link, for people to read.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct LinkStats {
    /// Bytes a second that the link is believed to carry; `None` before it was measured.
    pub rate: Option<f64>,
    /// The way to the terminal and back with nothing in between.
    pub base: Option<Duration>,
    /// From composing the last update that the terminal confirmed until that was known.
    pub delay: Option<Duration>,
    /// The terminal answers fences.
    pub answers: bool,
    /// Updates composed so far.
    pub frames: u64,
    /// Those with a picture.
    pub pictures: u64,
    /// Bytes given to the terminal so far.
    pub bytes: u64,
}

/// A fence on its way.
#[derive(Debug, Clone, Copy)]
struct Flight {
    /// Bytes since the fence before.
    bytes: u64,
    /// When they were composed.
    at: Duration,
    /// When the link should have carried them.
    carried: Duration,
    /// The update ends here.
    last: bool,
}

/// What becomes of fences.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Answers {
    /// None was answered yet.
    Unknown,
    /// They are answered.
    Come,
    /// There are none, or no fences: a finished write is all there is.
    Never,
    /// They were answered and now they are not. Updates go out seldom.
    Silent { next: Duration, wait: Duration },
    /// They are answered again, and it is not known which.
    Settling { last: Duration },
}

/// When something may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    Now,
    At(Duration),
    /// Not before something was written or answered.
    Told,
}

/// Decides when and how much, see the module.
#[derive(Debug)]
pub struct Pace {
    link: Link,
    knobs: Knobs,
    answers: Answers,
    flights: VecDeque<Flight>,
    /// Fences whose answers may still come, whether it is known which is whose or not.
    open: usize,
    /// When the last update was confirmed, and when the fence before the present one came.
    confirmed: Duration,
    reached: Duration,
    /// When the link should have carried everything.
    free: Duration,
    /// The fence in front of the next update is on its way.
    begun: bool,
    /// An update that is not written yet: its bytes and when it was composed.
    writing: Option<(u64, Duration)>,
    last: Option<Duration>,
    last_picture: Option<Duration>,
    stats: LinkStats,
}

impl Pace {
    /// Nothing was sent yet.
    #[must_use]
    pub fn new(config: PaceConfig) -> Self {
        Self {
            link: Link::new(config.link),
            knobs: Knobs::new(),
            answers: if config.fences { Answers::Unknown } else { Answers::Never },
            flights: VecDeque::new(),
            open: 0,
            confirmed: Duration::ZERO,
            reached: Duration::ZERO,
            free: Duration::ZERO,
            begun: false,
            writing: None,
            last: None,
            last_picture: None,
            stats: LinkStats::default(),
        }
    }

    /// True when the next update, with a `picture` or without, may be composed.
    pub fn may_send(&mut self, now: Duration, picture: bool) -> bool {
        self.advance(now);
        self.when(now, picture) == When::Now
    }

    /// When [`Pace::may_send`] may become true without anything being told; `None` when it does not.
    pub fn next_check(&mut self, now: Duration, picture: bool) -> Option<Duration> {
        self.advance(now);
        match self.when(now, picture) {
            When::Now => Some(now),
            When::At(at) => Some(at),
            When::Told => None,
        }
    }

    /// What the next picture may cost.
    #[must_use]
    pub fn quality(&self) -> Quality {
        self.knobs.quality()
    }

    /// An update will be composed now. True when a fence is to be written already: while the update is drawn it gets ahead, and
    /// shows how long the way is. Behind ssh, one written with the update would travel in the same packet and come no
    /// earlier than the end of that.
    pub fn begin(&mut self, now: Duration) -> bool {
        self.advance(now);
        let fence = !self.begun
            && self.writing.is_none()
            && matches!(self.answers, Answers::Unknown | Answers::Come)
            && self.flights.len() < WINDOW;
        if fence {
            self.begun = true;
            self.open += 1;
            self.flights.push_back(Flight { bytes: 0, at: now, carried: self.free.max(now), last: false });
        }
        fence
    }

    /// An update of `bytes` was composed and will be written next. Says which fences to write with it.
    pub fn composed(&mut self, now: Duration, bytes: u64, picture: bool) -> Fenced {
        self.advance(now);
        if picture {
            let budget = self.budget();
            self.knobs.composed(now, bytes, budget);
            self.last_picture = Some(now);
            self.stats.pictures += 1;
        }
        self.stats.frames += 1;
        self.last = Some(now);
        self.writing = Some((bytes, now));
        self.sent(now, bytes);
        if let Answers::Silent { next, wait } = &mut self.answers {
            *next = now + *wait;
            *wait = (*wait * 2).min(LONGEST_SILENT_WAIT);
        }
        let after = match self.answers {
            Answers::Never => false,
            // Answers cannot be told apart now; one question is enough to notice that there are any.
            Answers::Silent { .. } | Answers::Settling { .. } => {
                self.open += 1;
                return Fenced { before: false, after: true };
            }
            Answers::Unknown | Answers::Come => true,
        };
        let before = after && bytes > SMALL && !self.begun;
        self.begun = false;
        let fenced = Fenced { before, after };
        self.open += usize::from(before) + usize::from(after);
        if fenced.before {
            let carried = self.free.saturating_sub(self.occupies(bytes)).max(now);
            self.flights.push_back(Flight { bytes: 0, at: now, carried, last: false });
        }
        if fenced.after {
            self.flights.push_back(Flight { bytes, at: now, carried: self.free, last: true });
        }
        fenced
    }

    /// Bytes that are no update (a bell, a notification) will be written next.
    pub fn sent(&mut self, now: Duration, bytes: u64) {
        self.stats.bytes += bytes;
        self.free = self.free.max(now) + self.occupies(bytes);
    }

    /// Everything composed so far was taken by the terminal's device.
    pub fn written(&mut self, now: Duration) {
        self.advance(now);
        if let Some((bytes, at)) = self.writing.take()
            && self.answers == Answers::Never
        {
            self.link.carried(now, bytes, now.saturating_sub(at));
            self.link.distrust();
            self.free = at + self.occupies(bytes);
        }
    }

    /// A fence came back. One that nobody waits for changes nothing.
    pub fn reached(&mut self, now: Duration) {
        self.advance(now);
        self.open = self.open.saturating_sub(1);
        match self.answers {
            Answers::Unknown => self.answers = Answers::Come,
            Answers::Come => {}
            Answers::Never | Answers::Silent { .. } | Answers::Settling { .. } => {
                self.answers = Answers::Settling { last: now };
                return;
            }
        }
        let Some(flight) = self.flights.pop_front() else { return };
        let trip = now.saturating_sub(flight.at);
        if flight.bytes <= SMALL {
            self.link.returned(now, trip);
        }
        let base = self.link.base().unwrap_or(trip);
        if flight.last {
            // On an empty link the bytes took what the way alone would not have; behind others, what came after those. Where bytes
            // travel in large packets, the fence in front comes no earlier than the one behind: the longer of the two times is right.
            let alone = now.saturating_sub((flight.at + base).max(self.confirmed));
            let apart = now.saturating_sub(self.reached.max(flight.at));
            self.link.carried(
                now,
                flight.bytes,
                if self.reached > flight.at { alone.max(apart) } else { alone },
            );
            self.knobs.allow(self.budget());
            self.confirmed = now;
            self.stats.delay = Some(trip);
        }
        self.reached = now;
        self.expect_again(now.saturating_sub(base).max(flight.at));
    }

    /// The terminal was somebody else's for a while: answers of before are lost, or came to nobody.
    pub fn resync(&mut self, now: Duration) {
        self.flights.clear();
        (self.begun, self.writing) = (false, None);
        // Where every answer had come before, the next is to the next fence.
        if std::mem::take(&mut self.open) > 0 && self.answers != Answers::Never {
            self.answers = Answers::Settling { last: now };
        }
        self.free = now;
    }

    /// Fences that may still be answered.
    #[must_use]
    pub fn awaited(&self) -> usize {
        if self.answers == Answers::Never { 0 } else { self.open }
    }

    /// What the terminal shows is not known any more: the next picture is whole, whatever it may cost.
    pub fn repaint(&mut self) {
        self.knobs.repaint();
    }

    /// What is known of the link.
    #[must_use]
    pub fn stats(&self) -> LinkStats {
        LinkStats {
            rate: self.link.is_measured().then(|| self.link.rate()),
            base: self.link.base(),
            answers: matches!(self.answers, Answers::Come | Answers::Settling { .. }),
            ..self.stats
        }
    }

    /// Works out anew when the link will have carried what is in flight, from the moment it carried what came before.
    fn expect_again(&mut self, from: Duration) {
        let mut free = from;
        for index in 0..self.flights.len() {
            let Flight { bytes, at, .. } = self.flights[index];
            free = free.max(at) + self.occupies(bytes);
            self.flights[index].carried = free;
        }
        self.free = free;
    }

    /// Changes that come with time alone.
    fn advance(&mut self, now: Duration) {
        match self.answers {
            Answers::Unknown if self.waited(now) > NEVER => {
                self.flights.clear();
                self.answers = Answers::Never;
            }
            Answers::Come if self.waited(now) > SILENCE => {
                self.flights.clear();
                self.answers = Answers::Silent { next: now, wait: SILENT_WAIT };
            }
            Answers::Settling { last } if now.saturating_sub(last) > SETTLE => {
                // What did not come by now was lost.
                self.open = 0;
                self.answers = Answers::Come;
            }
            _ => {}
        }
    }

    /// How long nothing came back although something is on its way.
    fn waited(&self, now: Duration) -> Duration {
        self.flights.front().map_or(Duration::ZERO, |flight| now.saturating_sub(flight.at.max(self.reached)))
    }

    fn when(&self, now: Duration, picture: bool) -> When {
        if self.writing.is_some() {
            return When::Told;
        }
        match self.answers {
            Answers::Silent { next, .. } => return at(now, next),
            Answers::Settling { last } => {
                return When::At((last + SETTLE).max(now) + Duration::from_millis(1));
            }
            Answers::Unknown | Answers::Come | Answers::Never => {}
        }
        if picture {
            return self.when_free(
                now,
                Duration::ZERO,
                self.last_picture.map_or(now, |last| last + BETWEEN_PICTURES),
            );
        }
        let patience = self.last.map_or(now, |last| last + INTERFACE_WAIT);
        match (self.when_free(now, INTERFACE_LAG, now), at(now, patience)) {
            (When::Now, _) | (_, When::Now) => When::Now,
            (When::At(free), When::At(patience)) => When::At(free.min(patience)),
            (_, patience) => patience,
        }
    }

    /// When what is on the link takes no more than `lag`, and not before `earliest`.
    fn when_free(&self, now: Duration, lag: Duration, earliest: Duration) -> When {
        // While there is silence, only the end of patience changes something by itself.
        let silent = |after: Duration| {
            let from = self.flights.front().map_or(now, |flight| flight.at.max(self.reached));
            When::At((from + after).max(now) + Duration::from_millis(1))
        };
        match (self.flights.front(), self.link.base()) {
            (Some(_), None) => silent(NEVER),
            (Some(first), Some(base)) if now > first.carried + base + TOLERANCE + base / 4 => silent(SILENCE),
            _ if self.flights.len() >= WINDOW => silent(SILENCE.min(NEVER)),
            _ => at(now, self.free.saturating_sub(lag).max(earliest)),
        }
    }

    /// How long `bytes` occupy the link, with what is left free.
    fn occupies(&self, bytes: u64) -> Duration {
        Duration::from_secs_f64((self.link.seconds_for(bytes) / USE).min(3600.0))
    }

    /// What a picture may cost: what the link carries in the time that it may take, which is less where the way is long.
    fn budget(&self) -> Budget {
        let way = self.link.base().unwrap_or_default().as_secs_f64() / 2.0;
        let left = (LAG.as_secs_f64() - way - MARGIN).max(0.03);
        let rate = self.link.rate();
        // Nothing grows on a rate that is only assumed.
        let whole = if self.link.is_measured() { rate * left } else { 0.0 };
        Budget { bytes: rate * left.min(USE / FEWEST), whole }
    }
}

fn at(now: Duration, when: Duration) -> When {
    if when <= now { When::Now } else { When::At(when) }
}
