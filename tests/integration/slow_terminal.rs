//! A picture over a slow link is late by no more than 300 ms, and goes on being drawn.

use std::time::Duration;

use crate::harness::throttle::{Line, Sighting, SlowTerminal};
use crate::harness::{Home, SOON};

/// How far behind a picture may be.
const LAG: Duration = Duration::from_millis(300);

fn watch(bits: f64, base: Duration, render: &str) -> Vec<Sighting> {
    let home = Home::new();
    let mut command = home.command(&["preview", "--video", "pattern", "--render", render]);
    command.env("TERM", "xterm-256color").env("COLORTERM", "truecolor").env("LANG", "C.UTF-8");
    let terminal = SlowTerminal::start(command, 160, 48, Line { bits, base });
    let first = terminal.first(SOON);
    let seen = terminal.watch(Duration::from_secs(8));
    terminal.keys("q");
    assert!(terminal.finish(SOON).success(), "q ends the preview");
    // The first second finds out how fast the link is.
    seen.into_iter().filter(|sighting| sighting.at > first.at + Duration::from_secs(1)).collect()
}

#[allow(clippy::print_stdout, reason = "the figures, for whoever runs the test to see them")]
fn judge(what: &str, seen: &[Sighting], lag: Duration, fps: f64) {
    assert!(seen.len() > 2, "{what}: only {} pictures", seen.len());
    assert!(seen.is_sorted_by_key(|sighting| sighting.number), "{what}: pictures go back");
    let mut lags: Vec<Duration> = seen.iter().map(|sighting| sighting.lag).collect();
    lags.sort();
    let time = seen[seen.len() - 1].at - seen[0].at;
    let rate = (seen.len() - 1) as f64 / time.as_secs_f64();
    let (median, worst) = (lags[lags.len() / 2], lags[lags.len() - 1]);
    println!("{what}: {rate:.1} fps, lag median {median:?}, worst {worst:?}");
    assert!(worst < lag, "{what}: {worst:?} behind (median {median:?})");
    assert!(rate >= fps, "{what}: {rate:.1} fps");
}

#[test]
fn over_one_megabit_the_picture_is_under_300_ms_behind() {
    for base in [0, 40] {
        let seen = watch(1e6, Duration::from_millis(base), "half");
        judge(&format!("1 Mbit/s, {base} ms"), &seen, LAG, 6.0);
    }
}

/// The smallest picture that the pattern can be read from takes longer than 300 ms on such a link; it must be the only one there.
#[test]
fn over_a_quarter_of_a_megabit_one_picture_is_under_way_at_a_time() {
    let seen = watch(256e3, Duration::from_millis(20), "half");
    judge("256 kbit/s, 20 ms", &seen, Duration::from_millis(700), 1.5);
    let half = seen.len() / 2;
    let worst = |part: &[Sighting]| part.iter().map(|sighting| sighting.lag).max();
    let (early, late) = (worst(&seen[..half]), worst(&seen[half..]));
    assert!(late < early.map(|early| early + LAG / 2), "the lag grows: {early:?}, then {late:?}");
}

#[test]
fn a_fast_terminal_sees_every_picture() {
    let seen = watch(200e6, Duration::from_millis(1), "half");
    judge("200 Mbit/s, 1 ms", &seen, LAG, 22.0);
}
