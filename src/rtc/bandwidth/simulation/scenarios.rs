//! The rows that a call must hold.

use super::call::{Heard, LIMITS};
use super::link::Shape;
use super::worlds::{
    HUNGRY, SEEDS, after_cut, crossed, cut, figures, later, moved, one, reached, stairs, two,
};
use super::{MS, Micros, SECOND};
use crate::rtc::bandwidth::Kind;

#[test]
fn a_link_that_becomes_narrow_and_wide_again_is_followed() {
    for burst in [0.0, 16_384.0] {
        for seed in SEEDS {
            let world = one(&stairs(burst), seed, HUNGRY, false, 80 * SECOND);
            let heard = world.heard(0, 0);
            let wide = figures(heard, 10 * SECOND, 30 * SECOND);
            assert!(wide.media > 0.88e6 && wide.p95 < 130.0, "{wide:?}");
            let falling = figures(heard, 30 * SECOND, 33 * SECOND);
            assert!(falling.gap < 2_000.0, "{falling:?}");
            let narrow = figures(heard, 33 * SECOND, 50 * SECOND);
            assert!(narrow.media > 0.17e6 && narrow.p95 < 400.0 && narrow.most < 600.0, "{narrow:?}");
            let back = reached(heard, 50 * SECOND, 0.9 * 0.95e6);
            assert!(back < 8.0, "90 % of the rate after {back} s");
        }
    }
}

/// As in the lab: a token bucket of 16 KB, as much queue, and hardly any delay.
fn bucket(shape: Shape, rate: f64) -> Shape {
    let queue_bytes = 16_384.0 + rate * 0.2 / 8.0;
    Shape { burst: 16_384.0, queue: 200 * MS, queue_bytes, delays: vec![(0, MS)], ..shape }
}

/// Packets of sound that come later than a jitter buffer waits.
fn late(heard: &[Heard], from: Micros, to: Micros) -> usize {
    let late = |heard: &&Heard| heard.kind == Kind::Audio && heard.age > 360 * MS;
    heard.iter().filter(|heard| (from..to).contains(&heard.at)).filter(late).count()
}

#[test]
fn where_both_ways_become_narrow_at_once_feedback_stands_in_the_queue_and_is_not_waited_for() {
    for seed in SEEDS {
        let world = one(&bucket(stairs(0.0), 2e5), seed, LIMITS, true, 60 * SECOND);
        for side in 0..2 {
            let heard = world.heard(0, side);
            let wide = figures(heard, 15 * SECOND, 30 * SECOND);
            let back = reached(heard, 50 * SECOND, 0.9 * wide.media);
            assert!(back < 6.0, "90 % of the rate after {back} s");
            let falling = figures(heard, 30 * SECOND, 33 * SECOND);
            assert!(falling.most < 750.0 && falling.gap < 1_000.0, "{falling:?}");
            assert!(late(heard, 30 * SECOND, 50 * SECOND) < 45);
        }
    }
}

#[test]
fn a_long_queue_behind_a_token_bucket_is_left_empty_by_thirty_two_kilobits() {
    for seed in SEEDS {
        let world = one(&bucket(Shape::new(32e3), 32e3), seed, LIMITS, true, 40 * SECOND);
        for side in 0..2 {
            let heard = world.heard(0, side);
            let start = figures(heard, 0, 5 * SECOND);
            assert!(start.most < 900.0, "{start:?}");
            let steady = figures(heard, 5 * SECOND, 40 * SECOND);
            assert!(steady.most < 600.0 && steady.p95 < 300.0 && steady.fps > 4.0, "{steady:?}");
            assert!(late(heard, 5 * SECOND, 40 * SECOND) < 10);
        }
    }
}

#[test]
fn losses_by_chance_hold_up_neither_the_start_nor_what_follows() {
    for (loss, most) in [(0.05, 5.5), (0.1, 6.0), (0.2, 7.0)] {
        // What chance does is seen over many runs only.
        for seed in 0..20 {
            let shape = Shape { loss, jitter: 10 * MS, ..Shape::new(2e7) };
            let world = one(&shape, seed, LIMITS, true, 20 * SECOND);
            for side in 0..2 {
                let heard = world.heard(0, side);
                let after = reached(heard, 0, 450e3);
                assert!(after < most, "450 kbit/s after {after} s at {loss}, {seed}");
                let later = figures(heard, 8 * SECOND, 20 * SECOND);
                assert!(later.video > 500e3, "{later:?} at {loss}, {seed}");
            }
        }
    }
}

#[test]
fn sixty_four_kilobits_each_way_carry_voice_and_a_moving_picture() {
    for loss in [0.0, 0.05] {
        for seed in SEEDS {
            let shape = Shape { loss, ..Shape::new(64e3) };
            let world = one(&shape, seed, LIMITS, true, 60 * SECOND);
            for side in 0..2 {
                let start = figures(world.heard(0, side), 0, 5 * SECOND);
                assert!(start.p95 < 400.0 && start.most < 500.0, "{start:?}");
                let steady = figures(world.heard(0, side), 5 * SECOND, 60 * SECOND);
                assert!(steady.p95 < 280.0 && steady.most < 500.0 && steady.median < 150.0, "{steady:?}");
                assert!(steady.fps > 9.5 && steady.video > 30_000.0, "{steady:?}");
            }
        }
    }
}

#[test]
fn thirty_two_kilobits_carry_voice_and_now_and_then_a_picture() {
    for seed in SEEDS {
        let world = one(&Shape::new(32e3), seed, LIMITS, true, 60 * SECOND);
        let steady = figures(world.heard(0, 0), 5 * SECOND, 60 * SECOND);
        assert!(steady.media > 24_000.0 && steady.audio_age < 450.0 && steady.fps > 1.5, "{steady:?}");
    }
}

#[test]
fn losses_by_chance_do_not_take_the_rate() {
    for (loss, share) in [(0.05, 0.8), (0.1, 0.7), (0.2, 0.5)] {
        for reorders in [false, true] {
            for seed in SEEDS {
                let shape = Shape { loss, jitter: 10 * MS, reorders, ..Shape::new(2e6) };
                let world = one(&shape, seed, LIMITS, true, 60 * SECOND);
                for side in 0..2 {
                    let part = figures(world.heard(0, side), 10 * SECOND, 60 * SECOND);
                    assert!(part.video > 600e3 * share, "{part:?} at {loss}");
                }
            }
        }
    }
}

#[test]
fn a_short_queue_is_respected_although_it_hardly_shows() {
    for (rate, queue, loss) in [(5e5, 30, 0.0), (5e5, 30, 0.05), (1e6, 10, 0.0)] {
        for seed in SEEDS {
            let shape = Shape { queue: queue * MS, loss, ..Shape::new(rate) };
            let world = one(&shape, seed, HUNGRY, false, 60 * SECOND);
            let part = figures(world.heard(0, 0), 10 * SECOND, 60 * SECOND);
            assert!(world.overflowed() < 0.08 && part.media > rate * 0.75, "{part:?}");
        }
    }
}

#[test]
fn jitter_overtaking_and_stalls_are_no_congestion() {
    for (jitter, reorders, stall) in
        [(10, false, 0), (10, true, 0), (40, true, 0), (10, false, 60), (10, false, 150)]
    {
        for seed in SEEDS {
            let shape = Shape { jitter: jitter * MS, reorders, stall: stall * MS, ..Shape::new(1e6) };
            let world = one(&shape, seed, HUNGRY, false, 60 * SECOND);
            let part = figures(world.heard(0, 0), 10 * SECOND, 60 * SECOND);
            assert!(part.media > 0.87e6 && part.p95 < 100.0, "{part:?}");
        }
    }
}

#[test]
fn two_calls_share_a_link() {
    for seed in SEEDS {
        let (_, shares) = two(seed);
        assert!(shares.iter().all(|share| *share > 35.0), "{shares:?}");
    }
}

#[test]
fn ten_seconds_without_a_path_are_over_within_a_second() {
    for seed in SEEDS {
        let world = cut(seed);
        let (audio, video) = after_cut(world.heard(0, 0));
        assert!(audio < 0.3 && video < 1.0, "sound after {audio} s, picture after {video} s");
        assert!(reached(world.heard(0, 0), 40 * SECOND, 450e3) < 6.0);
    }
}

#[test]
fn what_others_send_is_left_to_them_and_taken_back() {
    for seed in SEEDS {
        let world = crossed(seed);
        let heard = world.heard(0, 0);
        let beside = figures(heard, 22 * SECOND, 40 * SECOND);
        assert!(beside.media > 0.4e6 && beside.media < 0.5e6 && beside.p95 < 200.0, "{beside:?}");
        assert!(reached(heard, 40 * SECOND, 800e3) < 10.0);
    }
}

#[test]
fn another_path_is_measured_anew_whether_told_or_not() {
    for seed in SEEDS {
        let told = figures(moved(seed, true).heard(0, 0), 22 * SECOND, 40 * SECOND);
        assert!(told.media > 0.24e6 && told.p95 < 250.0, "{told:?}");
        let noticed = figures(moved(seed, false).heard(0, 0), 22 * SECOND, 40 * SECOND);
        assert!(noticed.media > 0.18e6 && noticed.p95 < 200.0, "{noticed:?}");
    }
}

#[test]
fn pictures_that_begin_late_reach_their_rate_within_eight_seconds() {
    for seed in SEEDS {
        let back = reached(later(seed).heard(0, 0), 30 * SECOND, 500e3);
        assert!(back < 8.0, "500 kbit/s after {back} s");
    }
}
