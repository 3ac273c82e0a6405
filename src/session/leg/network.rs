//! Whether the path can still be the one that was found: our own addresses, and media that stops without a word.
//!
//! Owns when that is looked at. What follows from it is call control's to decide.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::{Instant, Interval, MissedTickBehavior, interval};

use super::LegEvent;
use crate::rtc::{self, Peer};

/// How often it is looked at. Our addresses cost a tenth of a millisecond.
const LOOK: Duration = Duration::from_millis(250);

/// Media that came all the time and does not come for this long will hardly come over this path. The library waits for the
/// consent checks of 2.5 s.
const SILENCE: Duration = Duration::from_millis(750);

/// Media comes all the time when each of so many looks in a row saw some.
const STEADY: u32 = 8;

/// What was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// An address of ours is gone.
    Address,
    /// Media has stopped.
    Silent,
    /// It is back.
    Heard,
}

impl From<Change> for LegEvent {
    fn from(change: Change) -> Self {
        match change {
            Change::Address => Self::AddressGone,
            Change::Silent => Self::Silent,
            Change::Heard => Self::LinkUp,
        }
    }
}

/// What is known of the network below a call.
pub(super) struct Network {
    addresses: BTreeSet<IpAddr>,
    looks: Interval,
    media: Media,
}

impl Network {
    /// As it is now.
    pub(super) fn new() -> Self {
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { addresses: addresses().unwrap_or_default(), looks, media: Media::default() }
    }

    /// The next change. `sends` tells whether the other side says that it sends anything. Cancel safe.
    pub(super) async fn changed(&mut self, peer: &Peer, sends: bool) -> Change {
        loop {
            self.looks.tick().await;
            // A system that does not list its interfaces now is asked again.
            if let Some(now) = addresses() {
                let gone = self.addresses.difference(&now).next().is_some();
                self.addresses = now;
                if gone {
                    return Change::Address;
                }
            }
            if let Some(change) = self.media.look(peer.stats().bytes_received, sends, Instant::now()) {
                return change;
            }
        }
    }
}

/// Whether media comes. Pure.
#[derive(Debug, Default)]
struct Media {
    bytes: u64,
    last: Option<Instant>,
    /// Looks in a row that saw some.
    steady: u32,
    silent: bool,
}

impl Media {
    fn look(&mut self, bytes: u64, sends: bool, now: Instant) -> Option<Change> {
        if std::mem::replace(&mut self.bytes, bytes) != bytes {
            self.last = Some(now);
            self.steady = self.steady.saturating_add(1);
            return std::mem::take(&mut self.silent).then_some(Change::Heard);
        }
        let silence = self.last.is_some_and(|last| now.saturating_duration_since(last) >= SILENCE);
        if silence && sends && !self.silent && self.steady >= STEADY {
            self.silent = true;
            return Some(Change::Silent);
        }
        if silence {
            self.steady = 0;
        }
        None
    }
}

fn addresses() -> Option<BTreeSet<IpAddr>> {
    Some(rtc::local_addresses().ok()?.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of looks a quarter of a second apart, each of which saw media or not.
    fn said(looks: &str, sends: bool) -> Vec<(usize, Change)> {
        let (start, mut media, mut bytes) = (Instant::now(), Media::default(), 0);
        let looks = looks.bytes().enumerate();
        looks
            .filter_map(|(at, look)| {
                bytes += u64::from(look == b'x');
                let now = start + LOOK * u32::try_from(at).unwrap();
                media.look(bytes, sends, now).map(|change| (at, change))
            })
            .collect()
    }

    #[test]
    fn media_that_stops_without_a_word_is_noticed_once_and_so_is_its_return() {
        assert_eq!(said("xxxxxxxxx.....xxx", true), [(11, Change::Silent), (14, Change::Heard)]);
    }

    #[test]
    fn pauses_of_a_voice_and_of_a_lossy_path_are_none() {
        assert_eq!(said("xxxxxxxxx..x.x..x..xxxxx..x", true), []);
        assert_eq!(said("x...x...x...x", true), [], "what comes now and then is not missed");
    }

    #[test]
    fn who_says_that_nothing_is_sent_is_not_missed() {
        assert_eq!(said("xxxxxxxxxxx.......", false), []);
    }
}
