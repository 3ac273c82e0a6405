//! A table of all rows, to be read: run it with `--nocapture`.

use super::call::LIMITS;
use super::link::Shape;
use super::worlds::{
    Figures, HUNGRY, SEEDS, after_cut, crossed, cut, figures, later, moved, one, reached, stairs, two,
};
use super::{MS, SECOND};

/// Rows of the table, by name: the figures of each run.
#[derive(Default)]
struct Table(Vec<(String, Vec<Figures>, Vec<f64>)>);

impl Table {
    fn add(&mut self, name: &str, figures: Figures, more: f64) {
        match self.0.iter_mut().find(|(known, ..)| known == name) {
            Some((_, rows, last)) => (rows.push(figures), last.push(more)).1,
            None => self.0.push((name.to_owned(), vec![figures], vec![more])),
        }
    }

    fn print(&self) {
        println!(
            "{:<40} {:>13} {:>13} | {:>4} {:>9} {:>9} | {:>9} {:>9} | {:>11} {:>11} |",
            "kbit/s; ms; least..most of the runs",
            "media",
            "video",
            "q50",
            "q95",
            "qmax",
            "audio95",
            "video95",
            "fps",
            "gap"
        );
        for (name, rows, more) in &self.0 {
            let range = |value: &dyn Fn(&Figures) -> f64, digits: usize| {
                let values = rows.iter().map(value);
                let (least, most) = values
                    .fold((f64::MAX, f64::MIN), |(least, most), value| (least.min(value), most.max(value)));
                format!("{least:.digits$}..{most:.digits$}")
            };
            let more: Vec<String> =
                more.iter().filter(|more| !more.is_nan()).map(|more| format!("{more:.1}")).collect();
            println!(
                "{name:<40} {:>13} {:>13} | {:>4.0} {:>9} {:>9} | {:>9} {:>9} | {:>11} {:>11} | {}",
                range(&|row| row.media / 1e3, 0),
                range(&|row| row.video / 1e3, 0),
                rows.iter().map(|row| row.median).sum::<f64>() / rows.len() as f64,
                range(&|row| row.p95, 0),
                range(&|row| row.most, 0),
                range(&|row| row.audio_age, 0),
                range(&|row| row.video_age, 0),
                range(&|row| row.fps, 1),
                range(&|row| row.gap, 0),
                more.join(" "),
            );
        }
    }
}

#[test]
fn table_of_all_rows() {
    let mut table = Table::default();
    for (kind, burst) in [("", 0.0), (" tbf", 16_384.0)] {
        for seed in SEEDS {
            let world = one(&stairs(burst), seed, HUNGRY, false, 80 * SECOND);
            let heard = world.heard(0, 0);
            let start = reached(heard, SECOND, 0.8e6) + 1.0;
            let back = reached(heard, 50 * SECOND, 0.9 * 0.95e6);
            let part = |from, to| figures(heard, from * SECOND, to * SECOND);
            table.add(&format!("1 Mbit/s{kind} 10..30 s (800 k after s)"), part(10, 30), start);
            table.add(&format!("  200 kbit/s{kind}, first 3 s"), part(30, 33), f64::NAN);
            table.add(&format!("  200 kbit/s{kind}, 33..50 s"), part(33, 50), f64::NAN);
            table.add(&format!("  1 Mbit/s{kind} again (90 % after s)"), part(58, 80), back);
        }
    }
    for (kind, burst) in [("", 0.0), (" tbf", 16_384.0)] {
        for (rate, loss) in [(64e3, 0.0), (64e3, 0.05), (32e3, 0.0)] {
            for seed in SEEDS {
                let shape = Shape { loss, burst, ..Shape::new(rate) };
                let world = one(&shape, seed, LIMITS, true, 60 * SECOND);
                let name = format!("{} kbit/s both{kind}, {} % loss", rate / 1e3, loss * 100.0);
                for side in 0..2 {
                    let heard = world.heard(0, side);
                    table.add(&format!("{name}, 0..5 s"), figures(heard, 0, 5 * SECOND), f64::NAN);
                    table.add(&format!("{name}, 5..60 s"), figures(heard, 5 * SECOND, 60 * SECOND), f64::NAN);
                }
            }
        }
    }
    for loss in [0.05, 0.1, 0.2] {
        for (kind, reorders) in [("in order", false), ("reordering", true)] {
            for seed in SEEDS {
                let shape = Shape { loss, jitter: 10 * MS, reorders, ..Shape::new(2e6) };
                let world = one(&shape, seed, LIMITS, true, 60 * SECOND);
                let name = format!("2 Mbit/s, {} %, 10 ms {kind}", loss * 100.0);
                for side in 0..2 {
                    table.add(&name, figures(world.heard(0, side), 10 * SECOND, 60 * SECOND), f64::NAN);
                }
            }
        }
    }
    for (name, shape) in [
        ("1 Mbit/s, jitter 10 ms in order", Shape { jitter: 10 * MS, ..Shape::new(1e6) }),
        ("1 Mbit/s, jitter 10 ms reordering", Shape { jitter: 10 * MS, reorders: true, ..Shape::new(1e6) }),
        ("1 Mbit/s, jitter 40 ms reordering", Shape { jitter: 40 * MS, reorders: true, ..Shape::new(1e6) }),
        ("1 Mbit/s, stalls of 60 ms", Shape { jitter: 10 * MS, stall: 60 * MS, ..Shape::new(1e6) }),
        ("1 Mbit/s, stalls of 150 ms", Shape { jitter: 10 * MS, stall: 150 * MS, ..Shape::new(1e6) }),
        ("1 Mbit/s, 250 ms one way", Shape { delays: vec![(0, 250 * MS)], ..Shape::new(1e6) }),
        ("10 Mbit/s, 5 ms", Shape { delays: vec![(0, 5 * MS)], ..Shape::new(1e7) }),
        ("500 kbit/s, queue 30 ms (% overflow)", Shape { queue: 30 * MS, ..Shape::new(5e5) }),
        ("500 kbit/s, queue 30 ms, 5 % loss", Shape { queue: 30 * MS, loss: 0.05, ..Shape::new(5e5) }),
        ("1 Mbit/s, queue 10 ms", Shape { queue: 10 * MS, ..Shape::new(1e6) }),
    ] {
        for seed in SEEDS {
            let world = one(&shape, seed, HUNGRY, false, 60 * SECOND);
            table.add(name, figures(world.heard(0, 0), 10 * SECOND, 60 * SECOND), world.overflowed() * 100.0);
        }
    }
    for seed in SEEDS {
        let world = later(seed);
        let heard = world.heard(0, 0);
        table.add(
            "voice, then video (500 k after s)",
            figures(heard, 40 * SECOND, 60 * SECOND),
            reached(heard, 30 * SECOND, 500e3),
        );
    }
    for seed in SEEDS {
        let (world, shares) = two(seed);
        table.add(
            "two calls share 1 Mbit/s (% of first)",
            figures(world.heard(0, 0), 30 * SECOND, 90 * SECOND),
            shares[0],
        );
        table.add("  the second (%)", figures(world.heard(1, 0), 30 * SECOND, 90 * SECOND), shares[1]);
    }
    for seed in SEEDS {
        let world = cut(seed);
        let heard = world.heard(0, 0);
        let part = figures(heard, 40 * SECOND, 60 * SECOND);
        let (audio, video) = after_cut(heard);
        table.add("ten seconds cut (sound back after s)", part, audio);
        table.add("  (picture back after s)", part, video);
        table.add("  (450 kbit/s after s)", part, reached(heard, 40 * SECOND, 450e3));
    }
    for seed in SEEDS {
        let world = crossed(seed);
        let heard = world.heard(0, 0);
        table.add("500 k of others on 1 Mbit/s", figures(heard, 22 * SECOND, 40 * SECOND), f64::NAN);
        table.add(
            "  after it (800 k after s)",
            figures(heard, 45 * SECOND, 60 * SECOND),
            reached(heard, 40 * SECOND, 800e3),
        );
    }
    for seed in SEEDS {
        for (name, told) in [("path +80 ms, 1 -> 0.3 Mbit/s, told", true), ("  not told", false)] {
            table.add(name, figures(moved(seed, told).heard(0, 0), 22 * SECOND, 40 * SECOND), f64::NAN);
        }
    }
    table.print();
    for (name, rows, more) in &table.0 {
        assert!(more.iter().all(|seconds| !seconds.is_infinite()), "{name}: a rate is never reached");
        assert!(rows.iter().all(|row| row.media > 0.0), "{name}: nothing arrives");
    }
}
