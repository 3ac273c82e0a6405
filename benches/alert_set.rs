//! The table of docs/alert.md: what the hand-on-face alert makes of the labelled set.
//!
//! `cargo run --release --example alert_set [SEEDS]`. Each line is a case, each number the sum of its scenes.

// Without its photographs there is nothing to measure.
#![allow(clippy::expect_used)]

use std::io::{self, Write};

#[path = "../tests/harness/faces/mod.rs"]
#[allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    unused_imports,
    reason = "the tests and the bench use the rest"
)]
mod faces;

use faces::{Case, PEOPLE, Person, Tally, judge};

fn main() -> io::Result<()> {
    let seeds = std::env::args().nth(1).map_or(3, |seeds| seeds.parse().expect("a number of seeds"));
    let mut out = io::stdout().lock();
    let people: Vec<&Person> = PEOPLE
        .iter()
        .filter(|person| !person.tuning)
        .chain(PEOPLE.iter().filter(|person| person.tuning))
        .collect();
    let names: Vec<String> = people
        .iter()
        .map(|person| format!("{}{}", person.name, if person.tuning { " (tuning)" } else { "" }))
        .collect();
    let rule = |out: &mut dyn Write| writeln!(out, "|---|{}", "---:|".repeat(people.len()));
    let mut sums = vec![Tally::default(); people.len()];
    writeln!(out, "| a hand on the face: noticed of all | {} |", names.join(" | "))?;
    rule(&mut out)?;
    for case in Case::COVERED {
        line(&mut out, case, &people, &mut sums, seeds, |tally| {
            format!("{} of {}", tally.noticed, tally.hands)
        })?;
    }
    let all: Vec<String> = sums
        .iter()
        .map(|sum| {
            let share = 100.0 * f64::from(sum.noticed) / f64::from(sum.hands);
            format!("{share:.0} %, {:.1} s", sum.delay / sum.noticed.max(1) as f32)
        })
        .collect();
    writeln!(out, "| **all, and the mean delay** | {} |\n", all.join(" | "))?;
    writeln!(out, "| no hand on the face: false alarms in all | {} |", names.join(" | "))?;
    rule(&mut out)?;
    for case in Case::FREE {
        line(&mut out, case, &people, &mut sums, seeds, |tally| {
            format!("{} in {}", tally.alarms, tally.free)
        })?;
    }
    let all: Vec<String> =
        sums.iter().map(|sum| format!("{} in {}", sum.alarms, sum.free + sum.hands)).collect();
    writeln!(out, "| **all, scenes with a hand included** | {} |", all.join(" | "))
}

fn line(
    out: &mut dyn Write,
    case: Case,
    people: &[&Person],
    sums: &mut [Tally],
    seeds: u64,
    text: impl Fn(Tally) -> String,
) -> io::Result<()> {
    let tallies: Vec<Tally> = std::thread::scope(|scope| {
        let each: Vec<_> =
            people.iter().map(|person| scope.spawn(move || judge(person, case, 0..seeds))).collect();
        each.into_iter().map(|one| one.join().expect("it was judged")).collect()
    });
    sums.iter_mut().zip(&tallies).for_each(|(sum, tally)| *sum += *tally);
    let cells: Vec<String> = tallies.into_iter().map(text).collect();
    writeln!(out, "| {} | {} |", case.name(), cells.join(" | "))?;
    out.flush()
}
