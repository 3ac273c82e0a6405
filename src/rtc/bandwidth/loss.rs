//! Are packets lost because we send too much? Asked of the link itself: a lower rate is tried, and the losses answer.
//!
//! Owns the shares of loss of the last seconds, the share that is believed to be chance, and the limit that follows.
//! Must not know delays.
//!
//! A link that loses by chance loses the same share at every rate; one whose queue is too short to show as delay loses
//! only what is above its capacity. At one rate both look the same (libwebrtc's loss-based estimation weighs them over
//! the rates that happened to be sent). So each time clearly more is lost than chance is known to take, the rate goes
//! for a moment below what got through. Losses that go with it were too much: what got through is the capacity.
//! Losses that stay are chance, and from then on no reason for anything.

use std::collections::VecDeque;

use super::Micros;
use super::history::Settled;

/// A share is measured over this many packets and this long, or over fewer in the longer time.
const PACKETS: u32 = 20;
const SHORTEST: Micros = 250_000;
const FEW_PACKETS: u32 = 8;
const LONGEST: Micros = 1_000_000;
/// Shares remembered, and how many are judged together.
const SHARES: usize = 8;
const JUDGED: usize = 3;
/// More than chance is so much more, and so many times its usual spread.
const RISE: f64 = 0.03;
const SPREADS: f64 = 4.0;
/// Where less is lost the spread is taken to be that of this share.
const LEAST_LOSS: f64 = 0.005;
/// A trial sends this share of what got through lately, or in the last share where that is more, as in a ramp; but not less
/// than the second share of what was sent.
const TRIAL_RATE: f64 = 0.92;
const DEEPEST_TRIAL: f64 = 0.5;
/// Until encoders follow, what is lost in a trial does not count.
const SETTLING: Micros = 300_000;
/// A trial's verdict needs so many packets in this time, or fewer in the longer one. After the longest it is void.
const TRIAL_PACKETS: f64 = 56.0;
const TRIAL_LENGTH: Micros = 500_000;
const TRIAL_FEW: f64 = 14.0;
const TRIAL_LONG: Micros = 2_000_000;
const TRIAL_VOID: Micros = 5_000_000;
/// The trial's rate must have been lower than this share of the rate before.
const LOWER: f64 = 0.96;
/// Losses went with the rate when less than this share of what is beyond chance stays, and when they differ by so many
/// times the spread; by less near a capacity that was found.
const WENT: f64 = 0.4;
const SURELY: f64 = 2.6;
const SURE_AGAIN: f64 = 1.6;
/// Above this share of a capacity that was found, losses are looked into at once.
const NEAR: f64 = 0.8;
/// Losses of a trial that are at least this share of those before are the same losses.
const ALIKE: f64 = 0.6;
/// Chance is never believed to take more.
const MOST_CHANCE: f64 = 0.6;
/// After losses were found to be chance, none are looked into for this long.
const PAUSE: Micros = 5_000_000;
/// The limit begins at this share of the capacity and grows by so much a second, faster when nothing was lost for so
/// many seconds, until it is no limit any more: capacities change, and a trial may have been unlucky.
const START_SHARE: f64 = 0.95;
const GROWTH: f64 = 0.02;
const HELD: f64 = 4.0;
const MOST_GROWTH: f64 = 0.4;
/// How fast chance falls to what is seen with each share, and how fast it follows where the rate is known to be none of
/// the reasons: up to so much above what the trial found, so that a capacity that shrinks slowly is not taken for it.
const FALL: f64 = 0.15;
const FOLLOW: f64 = 0.06;
const FARTHEST: f64 = 0.06;
const SAFE: f64 = 1.1;
/// Chance is never taken to be better known than from so many packets.
const MOST_KNOWN: f64 = 400.0;
/// Losses of the first moments are taken for chance, up to this share: the rate is low then, and there is nothing to
/// compare it with.
const YOUNG: Micros = 1_600_000;
const YOUNG_PACKETS: f64 = 120.0;
const LONGEST_YOUNG: Micros = 3_000_000;
const MOST_YOUNG: f64 = 0.25;
/// Chance follows what is seen later to as many spreads above that.
const YOUNG_SPREADS: f64 = 2.0;

#[derive(Clone, Copy, Debug, Default)]
struct Share {
    /// Bits sent, and in which time.
    bits: f64,
    span: Micros,
    packets: f64,
    lost: f64,
    /// Bits lost: a full queue has room for small packets still.
    lost_bits: f64,
}

impl Share {
    fn add(&mut self, other: &Self) {
        self.bits += other.bits;
        self.span += other.span;
        self.packets += other.packets;
        self.lost += other.lost;
        self.lost_bits += other.lost_bits;
    }

    /// Bits per second that got through.
    fn through(&self) -> f64 {
        (self.bits - self.lost_bits) * 1e6 / self.span.max(1) as f64
    }

    fn lost_share(&self) -> f64 {
        self.lost / self.packets.max(1.0)
    }

    fn rate(&self) -> f64 {
        self.bits * 1e6 / self.span.max(1) as f64
    }

    /// Whether more is lost than in `other`, by so many times the spread of the difference.
    fn exceeds_by(&self, other: &Self, spreads: f64) -> bool {
        self.lost_share() - other.lost_share() > spreads * self.spread().hypot(other.spread())
    }

    /// The usual deviation of the share that was lost.
    fn spread(&self) -> f64 {
        let lost = self.lost_share().clamp(LEAST_LOSS, 1.0 - LEAST_LOSS);
        (lost * (1.0 - lost) / self.packets.max(1.0)).sqrt()
    }

    /// Whether so much is hardly lost where `usual` is the share, which so many packets told.
    fn exceeds(&self, usual: f64, known: f64) -> bool {
        let packets = 1.0 / self.packets.max(1.0) + 1.0 / known.max(1.0);
        let spread = (usual.max(LEAST_LOSS) * (1.0 - usual) * packets).sqrt();
        self.lost_share() > usual + RISE.max(SPREADS * spread)
    }
}

/// Packets that are being put together to a share.
#[derive(Clone, Copy, Debug, Default)]
struct Collected {
    start: Option<Micros>,
    share: Share,
}

impl Collected {
    fn add(&mut self, packet: &Settled) {
        let start = *self.start.get_or_insert(packet.sent);
        self.share.span = (packet.sent - start).max(0);
        self.share.bits += f64::from(packet.bytes) * 8.0;
        self.share.packets += 1.0;
        if packet.lost {
            self.share.lost += 1.0;
            self.share.lost_bits += f64::from(packet.bytes) * 8.0;
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Trial {
    started: Micros,
    rate: f64,
    /// The rate before.
    reference: f64,
    before: Share,
    seen: Collected,
}

/// What the losses say.
#[derive(Clone, Debug, Default)]
pub(super) struct Losses {
    collected: Collected,
    shares: VecDeque<Share>,
    chance: f64,
    /// How many packets told that.
    known: f64,
    /// A rate at which nothing but chance takes packets, and the most that this may be.
    safe: Option<(f64, f64)>,
    capacity: Option<(f64, Micros)>,
    trial: Option<Trial>,
    next_trial: Micros,
    /// The time of the first packet, and what became of those of the first moments.
    begun: Option<Micros>,
    young: Share,
}

impl Losses {
    /// Takes packets whose fate is known now.
    pub(super) fn settled(&mut self, now: Micros, packets: &[Settled]) {
        for packet in packets {
            let age = packet.sent - *self.begun.get_or_insert(packet.sent);
            if age < YOUNG || (age < LONGEST_YOUNG && self.young.packets < YOUNG_PACKETS) {
                self.young.packets += 1.0;
                self.young.lost += f64::from(u8::from(packet.lost));
                self.chance = self.young.lost_share().min(MOST_YOUNG);
                self.known = self.young.packets;
            }
            if let Some(start) = self.collected.start {
                let span = packet.sent - start;
                let share = self.collected.share;
                let enough = share.packets >= f64::from(PACKETS) && span >= SHORTEST;
                if enough || (share.packets >= f64::from(FEW_PACKETS) && span >= LONGEST) {
                    self.collected = Collected::default();
                    self.measured(now, Share { span, ..share });
                } else if !(0..=3 * LONGEST).contains(&span) {
                    self.collected = Collected::default();
                }
            }
            self.collected.add(packet);
            if let Some(trial) = &mut self.trial
                && packet.sent >= trial.started + SETTLING
            {
                trial.seen.add(packet);
            }
        }
        self.judge(now);
    }

    /// The most to send now, in bits per second.
    pub(super) fn limit(&self, now: Micros) -> Option<f64> {
        let trial = self.trial.map(|trial| trial.rate);
        let limit = self.capacity.and_then(|(rate, since)| {
            let seconds = (now - since).max(0) as f64 / 1e6;
            let grown = GROWTH * (seconds + (seconds - HELD).max(0.0).powi(2));
            (grown < MOST_GROWTH).then_some(rate * (START_SHARE + grown))
        });
        [trial, limit].into_iter().flatten().min_by(f64::total_cmp)
    }

    /// The share lost by chance, as far as it is known: no sign of too high a rate.
    pub(super) fn chance(&self) -> f64 {
        self.chance
    }

    /// The share lost in the last seconds, for whatever reason.
    pub(super) fn share(&self) -> f64 {
        self.last(SHARES).lost_share()
    }

    /// Whether clearly more is lost than chance explains.
    pub(super) fn more_than_chance(&self) -> bool {
        self.last(JUDGED).exceeds(self.chance, self.known)
    }

    /// Forgets everything: it is another path.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    /// Whether this was sent so fast that the capacity that was found is the limit.
    fn limits(&self, share: &Share) -> bool {
        self.capacity.is_some_and(|(rate, _)| share.rate() > rate * NEAR)
    }

    fn last(&self, count: usize) -> Share {
        self.shares.iter().rev().take(count).fold(Share::default(), |mut sum, share| {
            sum.add(share);
            sum
        })
    }

    fn measured(&mut self, now: Micros, share: Share) {
        self.shares.push_back(share);
        if self.shares.len() > SHARES {
            self.shares.pop_front();
        }
        let lately = self.last(SHARES).lost_share();
        let follows = match self.safe {
            Some((rate, most)) => (share.rate() <= rate * SAFE).then_some(most),
            // No losses were looked into yet: what the first moments told is made better, as far as they leave it open.
            None if self.capacity.is_none() => {
                let young = self.young.lost_share().min(MOST_YOUNG);
                Some((young + self.young.spread() * YOUNG_SPREADS).max(self.chance))
            }
            None => None,
        };
        if let Some(most) = follows {
            self.chance = (self.chance + (share.lost_share() - self.chance) * FOLLOW).min(most);
            self.known = (self.known + share.packets).min(MOST_KNOWN);
        } else if lately < self.chance {
            self.chance += (lately - self.chance) * FALL;
        }
        // What comes all at once shows in a few shares, a little more than chance in many.
        let windows = [JUDGED, SHARES].map(|count| self.last(count));
        let beyond = windows.into_iter().find(|window| window.exceeds(self.chance, self.known));
        if let Some(judged) = beyond
            && self.trial.is_none()
            && (self.limits(&judged) || now >= self.next_trial)
            && share.lost_share() > self.chance + RISE
        {
            self.trial = Some(Trial {
                started: now,
                rate: (judged.through().max(share.through()) * TRIAL_RATE).max(judged.rate() * DEEPEST_TRIAL),
                reference: judged.rate().max(share.rate()),
                before: judged,
                seen: Collected::default(),
            });
        }
    }

    /// Ends the trial when it has told enough.
    fn judge(&mut self, now: Micros) {
        let Some(trial) = self.trial else { return };
        let (seen, before) = (trial.seen.share, trial.before);
        let enough = seen.packets >= TRIAL_PACKETS && seen.span >= TRIAL_LENGTH;
        let void = now - trial.started > TRIAL_VOID;
        if enough || (seen.packets >= TRIAL_FEW && seen.span >= TRIAL_LONG) {
            let surely = if self.limits(&before) { SURE_AGAIN } else { SURELY };
            let excess = |share: &Share| (share.lost_share() - self.chance).max(0.0);
            let went = excess(&seen) < excess(&before) * WENT;
            let lower = seen.rate() < trial.reference * LOWER;
            if lower && went && before.exceeds_by(&seen, surely) {
                let kept = 1.0 - seen.lost_share().min(0.5);
                let through = (before.through() / kept).min(before.rate());
                self.capacity = Some((through.max(seen.through()), now));
                let most = seen.lost_share() + seen.spread();
                if self.chance > most {
                    self.chance = most;
                    self.known = seen.packets.min(MOST_KNOWN);
                }
                self.safe = None;
            } else if lower || void {
                let mut both = before;
                both.add(&seen);
                let alike = seen.lost_share() > before.lost_share() * ALIKE;
                let told = if alike { both } else { seen };
                self.chance = told.lost_share().min(MOST_CHANCE);
                self.known = told.packets.min(MOST_KNOWN);
                self.safe = Some((before.rate(), (self.chance + FARTHEST).min(MOST_CHANCE)));
                self.capacity = None;
                self.next_trial = now + PAUSE;
            } else {
                return;
            }
            // What was lost before the trial is no reason for another.
            self.shares.clear();
            self.trial = None;
        } else if void {
            self.trial = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends at a rate that follows the limit at once and grows by a fifth a second.
    struct Sender {
        losses: Losses,
        now: Micros,
        rate: f64,
        random: u64,
    }

    impl Sender {
        fn new() -> Self {
            Self { losses: Losses::default(), now: 0, rate: 1e5, random: 88_172_645_463_325_252 }
        }

        fn chance(&mut self, share: f64) -> bool {
            self.random ^= self.random << 13;
            self.random ^= self.random >> 7;
            self.random ^= self.random << 17;
            ((self.random >> 11) as f64 / (1u64 << 53) as f64) < share
        }

        /// The mean rate over `seconds`, over a link that loses by `chance` and what is above `capacity`.
        fn run(&mut self, seconds: u64, wanted: f64, chance: f64, capacity: f64) -> f64 {
            let (start, mut bits) = (self.now, 0.0);
            while self.now < start + seconds as Micros * 1_000_000 {
                let most = self.losses.limit(self.now).unwrap_or(wanted).min(wanted);
                let gap = 8e9 / self.rate;
                self.rate = (self.rate * (1.0 + 0.2 * gap / 1e6)).min(most);
                self.now += gap as Micros;
                bits += 8_000.0;
                let lost = self.chance(chance) || self.chance(1.0 - capacity / self.rate);
                self.losses.settled(self.now, &[Settled { sent: self.now, bytes: 1_000, lost }]);
            }
            bits / seconds as f64
        }
    }

    #[test]
    fn losses_by_chance_set_no_limit() {
        for chance in [0.05, 0.1, 0.2] {
            let mut sender = Sender::new();
            sender.run(20, 6e5, chance, f64::INFINITY);
            let steady = sender.run(60, 6e5, chance, f64::INFINITY);
            assert!(steady > 5.2e5, "{steady} at {chance}");
            assert!((sender.losses.chance() - chance).abs() < 0.06);
        }
    }

    #[test]
    fn losses_that_begin_at_a_steady_rate_cost_a_moment_only() {
        let mut sender = Sender::new();
        sender.run(20, 6e5, 0.0, f64::INFINITY);
        let lossy = sender.run(20, 6e5, 0.1, f64::INFINITY);
        assert!(lossy > 5e5, "{lossy}");
    }

    #[test]
    fn a_link_that_drops_what_is_too_much_without_a_queue_is_respected() {
        for (chance, least) in [(0.0, 4e5), (0.05, 3.7e5)] {
            let mut sender = Sender::new();
            sender.run(20, 9e5, chance, 5e5);
            let limited = sender.run(60, 9e5, chance, 5e5);
            assert!(limited < 5.9e5 && limited > least, "{limited} at {chance}");
        }
    }

    #[test]
    fn a_link_that_grows_again_is_found_out() {
        let mut sender = Sender::new();
        sender.run(20, 9e5, 0.0, 5e5);
        let back = sender.run(30, 9e5, 0.0, f64::INFINITY);
        assert!(back > 6.5e5, "{back}");
    }

    #[test]
    fn another_path_begins_without_limits() {
        let mut sender = Sender::new();
        sender.run(20, 9e5, 0.0, 5e5);
        sender.losses.reset();
        assert_eq!((sender.losses.limit(sender.now), sender.losses.chance()), (None, 0.0));
    }
}
