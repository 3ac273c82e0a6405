//! The links and calls that the rows are about, and their figures.

use super::call::{Cross, Heard, LIMITS, World};
use super::link::Shape;
use super::{MS, Micros, SECOND};
use crate::media::pipeline::allocation::Limits;
use crate::rtc::bandwidth::Kind;

/// The figures of one direction over a stretch of time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Figures {
    /// Bits per second that arrived without padding, and of pictures alone.
    pub(super) media: f64,
    pub(super) video: f64,
    /// Queue of the link in milliseconds.
    pub(super) median: f64,
    pub(super) p95: f64,
    pub(super) most: f64,
    /// From capture to arrival: sound and pictures, 95 of 100.
    pub(super) audio_age: f64,
    pub(super) video_age: f64,
    pub(super) fps: f64,
    /// The longest time without a picture, milliseconds.
    pub(super) gap: f64,
}

fn percentile(sorted: &[f64], share: f64) -> f64 {
    sorted.get(((sorted.len() as f64 - 1.0) * share).max(0.0) as usize).copied().unwrap_or(0.0)
}

pub(super) fn figures(heard: &[Heard], from: Micros, to: Micros) -> Figures {
    let within: Vec<&Heard> = heard.iter().filter(|heard| (from..to).contains(&heard.at)).collect();
    let seconds = (to - from) as f64 / 1e6;
    let bits = |wanted: &dyn Fn(Kind) -> bool| {
        within
            .iter()
            .filter(|heard| wanted(heard.kind))
            .map(|heard| f64::from(heard.bytes) * 8.0)
            .sum::<f64>()
            / seconds
    };
    let sorted = |values: &mut dyn Iterator<Item = Micros>| {
        let mut values: Vec<f64> = values.map(|micros| micros as f64 / 1e3).collect();
        values.sort_by(f64::total_cmp);
        values
    };
    let queued = sorted(&mut within.iter().map(|heard| heard.queued));
    let ages = |kind| sorted(&mut within.iter().filter(|heard| heard.kind == kind).map(|heard| heard.age));
    let mut frames: Vec<Micros> =
        within.iter().filter(|heard| heard.frame.is_some()).map(|heard| heard.at).collect();
    let pictures = frames.len() as f64;
    frames.insert(0, from);
    frames.push(to);
    frames.sort_unstable();
    let gap = frames.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0);
    Figures {
        media: bits(&|kind| kind != Kind::Padding),
        video: bits(&|kind| kind == Kind::Video),
        median: percentile(&queued, 0.5),
        p95: percentile(&queued, 0.95),
        most: percentile(&queued, 1.0),
        audio_age: percentile(&ages(Kind::Audio), 0.95),
        video_age: percentile(&ages(Kind::Video), 0.95),
        fps: pictures / seconds,
        gap: gap as f64 / 1e3,
    }
}

/// Seconds from `from` until the rate that arrives, over half a second, first reaches `wanted`.
pub(super) fn reached(heard: &[Heard], from: Micros, wanted: f64) -> f64 {
    let mut at = from;
    while at < from + 40 * SECOND {
        at += 100 * MS;
        let since = at - SECOND;
        let within =
            heard.iter().filter(|heard| (since..at).contains(&heard.at) && heard.kind != Kind::Padding);
        if within.map(|heard| f64::from(heard.bytes) * 8.0).sum::<f64>() >= wanted {
            return (at - from) as f64 / 1e6;
        }
    }
    f64::INFINITY
}

/// Rates for a source that takes whatever there is.
pub(super) const HUNGRY: Limits = Limits { width: 1_280, height: 720, video: Some(2_550_000), ..LIMITS };

pub(super) fn one(shape: &Shape, seed: u64, limits: Limits, both: bool, until: Micros) -> World {
    let mut world = World::new(shape.clone(), shape.clone(), seed);
    world.call(0, both, limits);
    world.run(until);
    world
}

/// 1 Mbit/s, 200 kbit/s from 30 s on, 1 Mbit/s again at 50 s.
pub(super) fn stairs(burst: f64) -> Shape {
    Shape { rates: vec![(0, 1e6), (30 * SECOND, 2e5), (50 * SECOND, 1e6)], burst, ..Shape::new(1e6) }
}

pub(super) const SEEDS: std::ops::Range<u64> = 1..4;

/// A second call joins after ten seconds; the shares of both from 30 s to 90 s, in percent of the link.
pub(super) fn two(seed: u64) -> (World, [f64; 2]) {
    let mut world = World::new(Shape::new(1e6), Shape::new(1e7), seed);
    world.call(0, false, HUNGRY);
    world.call(10 * SECOND + seed as Micros * 37 * MS, false, HUNGRY);
    world.run(90 * SECOND);
    let share = |call| figures(world.heard(call, 0), 30 * SECOND, 90 * SECOND).media / 1e4;
    let shares = [share(0), share(1)];
    (world, shares)
}

/// Voice alone for half a minute, then pictures.
pub(super) fn later(seed: u64) -> World {
    let mut world = World::new(Shape::new(1e6), Shape::new(1e6), seed);
    world.call(0, false, Limits { video: None, ..LIMITS });
    world.later = Some((30 * SECOND, LIMITS));
    world.run(60 * SECOND);
    world
}

/// Nothing gets through from 30 s to 40 s.
pub(super) fn cut(seed: u64) -> World {
    let shape = Shape { cut: Some((30 * SECOND, 40 * SECOND)), ..Shape::new(2e6) };
    one(&shape, seed, LIMITS, true, 60 * SECOND)
}

/// Seconds until sound and pictures are back.
pub(super) fn after_cut(heard: &[Heard]) -> (f64, f64) {
    let first = |kind: Kind| {
        let found = heard.iter().find(|heard| heard.at > 40 * SECOND && heard.kind == kind);
        found.map_or(f64::INFINITY, |heard| (heard.at - 40 * SECOND) as f64 / 1e6)
    };
    (first(Kind::Audio), first(Kind::Video))
}

/// Others take half of the link from 20 s to 40 s.
pub(super) fn crossed(seed: u64) -> World {
    let mut world = World::new(Shape::new(1e6), Shape::new(1e6), seed);
    world.call(0, false, HUNGRY);
    world.cross(Cross { from: 20 * SECOND, to: 40 * SECOND, rate: 5e5 });
    world.run(60 * SECOND);
    world
}

/// At 20 s the path becomes longer and narrower.
pub(super) fn moved(seed: u64, told: bool) -> World {
    let shape = Shape {
        rates: vec![(0, 1e6), (20 * SECOND, 3e5)],
        delays: vec![(0, 20 * MS), (20 * SECOND, 100 * MS)],
        ..Shape::new(1e6)
    };
    let mut world = World::new(shape.clone(), shape, seed);
    world.call(0, false, HUNGRY);
    if told {
        world.path_changes.push(20 * SECOND);
    }
    world.run(40 * SECOND);
    world
}
