//! Token buckets and the table of addresses. Pure: time is an argument.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

/// A rate in the long run and a burst after a pause.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// Tokens that come back each second.
    pub per_second: f32,
    /// Tokens at most.
    pub burst: f32,
}

/// A token bucket: empty means refused.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bucket {
    tokens: f32,
    filled: Duration,
}

impl Bucket {
    pub(crate) fn new(rate: Rate, now: Duration) -> Bucket {
        Bucket { tokens: rate.burst, filled: now }
    }

    /// Takes tokens, or none and returns false when there are too few.
    pub(crate) fn take(&mut self, rate: Rate, now: Duration, tokens: f32) -> bool {
        self.fill(rate, now);
        if self.tokens < tokens {
            return false;
        }
        self.tokens -= tokens;
        true
    }

    fn fill(&mut self, rate: Rate, now: Duration) {
        let passed = now.saturating_sub(self.filled).as_secs_f32();
        self.tokens = (self.tokens + passed * rate.per_second).min(rate.burst);
        self.filled = now;
    }

    fn is_full(&mut self, rate: Rate, now: Duration) -> bool {
        self.fill(rate, now);
        self.tokens >= rate.burst
    }
}

/// What is held for one address (an IPv4 address or an IPv6 /64).
#[derive(Debug)]
struct Held {
    connections: usize,
    claims: Bucket,
}

/// Connections and claims of new names, by address.
#[derive(Debug)]
pub(crate) struct Addresses {
    held: HashMap<IpAddr, Held>,
    per_address: usize,
    claims: Rate,
    swept: usize,
}

impl Addresses {
    pub(crate) fn new(per_address: usize, claims: Rate) -> Addresses {
        Addresses { held: HashMap::new(), per_address, claims, swept: 0 }
    }

    /// One more connection of an address, or false when it has as many as it may.
    pub(crate) fn enter(&mut self, address: IpAddr, now: Duration) -> bool {
        let claims = self.claims;
        let held = self
            .held
            .entry(group(address))
            .or_insert_with(|| Held { connections: 0, claims: Bucket::new(claims, now) });
        if held.connections >= self.per_address {
            return false;
        }
        held.connections += 1;
        true
    }

    /// One connection less.
    pub(crate) fn leave(&mut self, address: IpAddr, now: Duration) {
        if let Some(held) = self.held.get_mut(&group(address)) {
            held.connections = held.connections.saturating_sub(1);
        }
        // An address stays in the table until its bucket is full again, so that reconnecting does not
        // refill it; now and then those that are done with are thrown out.
        self.swept += 1;
        if self.swept >= self.held.len() {
            self.swept = 0;
            let claims = self.claims;
            self.held.retain(|_, held| held.connections > 0 || !held.claims.is_full(claims, now));
        }
    }

    /// Whether an address may claim one more new name now.
    pub(crate) fn may_claim(&mut self, address: IpAddr, now: Duration) -> bool {
        let claims = self.claims;
        self.held.get_mut(&group(address)).is_none_or(|held| held.claims.take(claims, now, 1.0))
    }
}

fn group(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let network = u128::from(address) & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from(network))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_refills_with_time_and_not_beyond_its_burst() {
        let rate = Rate { per_second: 2.0, burst: 3.0 };
        let at = Duration::from_millis;
        let mut bucket = Bucket::new(rate, at(0));
        assert!((0..3).all(|_| bucket.take(rate, at(0), 1.0)));
        assert!(!bucket.take(rate, at(400), 1.0));
        assert!(bucket.take(rate, at(600), 1.0));
        assert!(bucket.take(rate, at(60_000), 3.0));
        assert!(!bucket.take(rate, at(60_000), 1.0));
    }

    #[test]
    fn an_address_is_held_to_its_connections_and_claims_also_after_reconnecting() {
        let mut addresses = Addresses::new(2, Rate { per_second: 0.1, burst: 1.0 });
        let (a, b): (IpAddr, IpAddr) = ("2001:db8::1".parse().unwrap(), "2001:db8::2".parse().unwrap());
        let now = Duration::ZERO;
        assert!(addresses.enter(a, now) && addresses.enter(b, now));
        assert!(!addresses.enter(a, now), "both are in one /64");
        assert!(addresses.may_claim(a, now));
        assert!(!addresses.may_claim(b, now));
        addresses.leave(a, now);
        addresses.leave(a, now);
        assert!(addresses.enter(a, now));
        assert!(!addresses.may_claim(a, now));
        addresses.leave(a, Duration::from_secs(60));
        assert!(addresses.held.is_empty());
    }
}
