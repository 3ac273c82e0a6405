//! One direction of a path: rate, delay, queue, jitter, loss.

use std::collections::VecDeque;

use super::{MS, Micros, Random, SECOND};

/// What a link is like.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    /// Bits per second from each time on.
    pub(super) rates: Vec<(Micros, f64)>,
    /// Propagation delay from each time on.
    pub(super) delays: Vec<(Micros, Micros)>,
    /// The longest queue, as time at the present rate.
    pub(super) queue: Micros,
    /// At least so many bytes fit.
    pub(super) queue_bytes: f64,
    /// Bytes of a token bucket; 0 for a link that takes its time for each packet.
    pub(super) burst: f64,
    pub(super) jitter: Micros,
    pub(super) reorders: bool,
    /// Nothing arrives for this long in every second, as on a wireless link.
    pub(super) stall: Micros,
    pub(super) loss: f64,
    /// Nothing gets through.
    pub(super) cut: Option<(Micros, Micros)>,
}

impl Shape {
    pub(super) fn new(rate: f64) -> Self {
        Self {
            rates: vec![(0, rate)],
            delays: vec![(0, 40 * MS)],
            queue: SECOND,
            queue_bytes: 3_000.0,
            burst: 0.0,
            jitter: 0,
            reorders: false,
            stall: 0,
            loss: 0.0,
            cut: None,
        }
    }

    pub(super) fn rate(&self, now: Micros) -> f64 {
        self.rates.iter().rev().find(|(from, _)| now >= *from).map_or(1e6, |(_, rate)| *rate)
    }

    fn delay(&self, now: Micros) -> Micros {
        self.delays.iter().rev().find(|(from, _)| now >= *from).map_or(0, |(_, delay)| *delay)
    }

    pub(super) fn is_cut(&self, now: Micros) -> bool {
        self.cut.is_some_and(|(from, to)| (from..to).contains(&now))
    }
}

/// A packet that left the link.
#[derive(Debug)]
pub(super) struct Delivered<T> {
    pub(super) at: Micros,
    /// Time in the queue and on the link.
    pub(super) queued: Micros,
    pub(super) packet: T,
}

#[derive(Debug)]
pub(super) struct Link<T> {
    pub(super) shape: Shape,
    random: Random,
    queue: VecDeque<(Micros, u32, T)>,
    bytes: f64,
    free: Micros,
    tokens: f64,
    last_delivery: Micros,
    underway: Vec<Delivered<T>>,
    /// Packets offered, and dropped because the queue was full.
    pub(super) offered: u64,
    pub(super) overflowed: u64,
}

impl<T> Link<T> {
    pub(super) fn new(shape: Shape, seed: u64) -> Self {
        let tokens = shape.burst;
        Self {
            shape,
            random: Random::new(seed),
            queue: VecDeque::new(),
            bytes: 0.0,
            free: 0,
            tokens,
            last_delivery: 0,
            underway: Vec::new(),
            offered: 0,
            overflowed: 0,
        }
    }

    /// Takes a packet; gives it back when it is lost.
    pub(super) fn send(&mut self, now: Micros, bytes: u32, packet: T) -> Option<T> {
        self.offered += 1;
        if self.shape.is_cut(now) || self.random.unit() < self.shape.loss {
            return Some(packet);
        }
        let room = (self.shape.rate(now) / 8.0 * self.shape.queue as f64 / 1e6).max(self.shape.queue_bytes);
        if self.bytes + f64::from(bytes) > room {
            self.overflowed += 1;
            return Some(packet);
        }
        self.bytes += f64::from(bytes);
        self.queue.push_back((now, bytes, packet));
        None
    }

    /// What arrives until `now`.
    pub(super) fn advance(&mut self, now: Micros) -> Vec<Delivered<T>> {
        while let Some((since, bytes, _)) = self.queue.front() {
            let start = self.free.max(*since);
            let rate = self.shape.rate(start) / 8e6;
            let size = f64::from(*bytes);
            let done = if self.shape.burst > 0.0 {
                let tokens = (self.tokens + (start - self.free) as f64 * rate).min(self.shape.burst);
                let done = start + ((size - tokens).max(0.0) / rate) as Micros;
                if done <= now {
                    self.tokens = tokens + (done - start) as f64 * rate - size;
                }
                done
            } else {
                start + (size / rate) as Micros
            };
            if done > now {
                break;
            }
            self.free = done;
            let Some((since, bytes, packet)) = self.queue.pop_front() else { break };
            self.bytes -= f64::from(bytes);
            let jitter = (self.random.unit() * self.shape.jitter as f64) as Micros;
            let mut at = done + self.shape.delay(done) + jitter;
            let second = at % SECOND;
            if second < self.shape.stall {
                at += self.shape.stall - second;
            }
            if !self.shape.reorders {
                at = at.max(self.last_delivery);
            }
            self.last_delivery = at;
            self.underway.push(Delivered { at, queued: done - since, packet });
        }
        let mut arrived = Vec::new();
        let mut index = 0;
        while index < self.underway.len() {
            if self.underway[index].at <= now {
                arrived.push(self.underway.remove(index));
            } else {
                index += 1;
            }
        }
        arrived.sort_by_key(|delivered| delivered.at);
        arrived
    }
}
