//! The estimator as a whole, against clocks that jump and feedback that nobody would send.

use proptest::prelude::*;

use super::feedback::{Recorder, reports};
use super::pacer::Pacer;
use super::*;
use crate::media::pipeline::allocation::{Allocator, Limits, wanted};

const BOUNDS: Bounds = Bounds { start: 100_000.0, least: 16_000.0, most: 2_000_000.0 };
const MS: Duration = Duration::from_millis(1);

/// Sends `bytes` every `gap` for `count` packets, each of which arrives after 50 ms and is reported on at once.
fn run(
    estimator: &mut Estimator,
    from: Instant,
    first: u16,
    count: u16,
    bytes: u32,
    gap: Duration,
) -> Instant {
    let mut now = from;
    for step in 0..count {
        let sequence = first.wrapping_add(step);
        estimator.sent(now, sequence, bytes, Kind::Video);
        let arrival = Duration::from_secs(50) + gap * u32::from(first.wrapping_add(step));
        estimator.feedback(now + 100 * MS, &[Report { sequence, arrival: Arrival::At(arrival) }]);
        estimator.tick(now + 100 * MS);
        now += gap;
    }
    now
}

#[test]
fn the_rate_rises_to_what_is_wanted_and_no_further() {
    let start = Instant::now();
    let mut estimator = Estimator::new(start, BOUNDS);
    estimator.set_wanted(400_000.0);
    run(&mut estimator, start, 0, 1_000, 500, 10 * MS);
    let target = estimator.estimate(start).target;
    assert!((380_000.0..600_000.0).contains(&target), "{target}");
}

#[test]
fn silence_is_noticed_only_while_something_was_sent() {
    let start = Instant::now();
    let mut estimator = Estimator::new(start, BOUNDS);
    let now = run(&mut estimator, start, 0, 50, 500, 20 * MS);
    let before = estimator.estimate(now).target;
    estimator.tick(now + Duration::from_secs(60));
    assert_eq!(estimator.estimate(now + Duration::from_secs(60)).target, before);
    estimator.sent(now + Duration::from_secs(60), 50, 500, Kind::Video);
    for second in 61..70 {
        estimator.tick(now + Duration::from_secs(second));
    }
    let estimate = estimator.estimate(now + Duration::from_secs(70));
    assert!(estimate.silent && estimate.target < before / 2.0, "{estimate:?}");
}

#[test]
fn another_path_is_measured_anew_and_feedback_about_the_former_one_is_passed_over() {
    let start = Instant::now();
    let mut estimator = Estimator::new(start, BOUNDS);
    let now = run(&mut estimator, start, 0, 1_000, 1_000, 10 * MS);
    assert!(estimator.estimate(now).target > 300_000.0);
    estimator.reset();
    let estimate = estimator.estimate(now);
    assert!(estimate.target <= 200_000.0 && estimate.capacity.is_none() && estimate.round_trip.is_none());
    estimator.feedback(now, &[Report { sequence: 999, arrival: Arrival::At(MS) }]);
    assert_eq!(estimator.estimate(now).round_trip, None);
    run(&mut estimator, now, 1_000, 100, 500, 10 * MS);
    assert!(estimator.estimate(now).round_trip.is_some());
}

fn arrival() -> impl Strategy<Value = Arrival> {
    prop_oneof![
        Just(Arrival::Missing),
        Just(Arrival::Unknown),
        (0u64..20_000_000).prop_map(|micros| Arrival::At(Duration::from_micros(micros))),
        any::<u64>().prop_map(|seconds| Arrival::At(Duration::from_secs(seconds))),
    ]
}

#[derive(Clone, Debug)]
enum Step {
    Sent(u16, u32),
    Feedback(Vec<(u16, Arrival)>),
    Wait(u32),
    Back(u32),
    Reset,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0u16..3, 0u32..2_000).prop_map(|(gap, bytes)| Step::Sent(gap, bytes)),
        1 => any::<(u16, u32)>().prop_map(|(gap, bytes)| Step::Sent(gap, bytes)),
        6 => proptest::collection::vec((0u16..100, arrival()), 0..40).prop_map(Step::Feedback),
        1 => proptest::collection::vec((any::<u16>(), arrival()), 0..40).prop_map(Step::Feedback),
        4 => (0u32..500).prop_map(Step::Wait),
        1 => (0u32..5_000).prop_map(Step::Back),
        1 => Just(Step::Reset),
    ]
}

proptest! {
    #[test]
    fn no_feedback_drives_the_rate_out_of_its_bounds(steps in proptest::collection::vec(step(), 0..300)) {
        let start = Instant::now() + Duration::from_secs(1_000);
        let (mut now, mut next) = (start, 0u16);
        let mut estimator = Estimator::new(start, BOUNDS);
        for step in steps {
            match step {
                Step::Sent(gap, bytes) => {
                    next = next.wrapping_add(gap);
                    estimator.sent(now, next, bytes, Kind::Video);
                    estimator.sent_unnumbered(bytes);
                    next = next.wrapping_add(1);
                }
                Step::Feedback(told) => {
                    let reports: Vec<Report> = told
                        .into_iter()
                        .map(|(back, arrival)| Report { sequence: next.wrapping_sub(back), arrival })
                        .collect();
                    estimator.feedback(now, &reports);
                }
                Step::Wait(millis) => now += MS * millis,
                Step::Back(millis) => now -= MS * millis.min(100),
                Step::Reset => estimator.reset(),
            }
            estimator.tick(now);
            let estimate = estimator.estimate(now);
            prop_assert!((BOUNDS.least..=BOUNDS.most).contains(&estimate.target), "{:?}", estimate);
            prop_assert!((0.0..=1.0).contains(&estimate.loss) && (0.0..=1.0).contains(&estimate.chance));
            let pacing = estimator.pacing(now);
            prop_assert!(pacing.rate.is_finite() && pacing.rate > 0.0 && pacing.rate <= BOUNDS.most * 3.0 + 1.0);
        }
    }

    #[test]
    fn every_packet_is_told_of_at_last_and_none_that_did_not_come(
        sequences in proptest::collection::vec((any::<u16>(), 0u64..300), 1..200)
    ) {
        let start = Instant::now();
        let mut recorder = Recorder::new(start);
        let mut now = start;
        let mut came = std::collections::HashSet::new();
        for (sequence, millis) in sequences {
            now += Duration::from_millis(millis);
            recorder.arrived(now, sequence);
            recorder.set_rate(f64::from(sequence) * 10.0);
            came.insert(sequence);
            let mut messages = 0;
            while let Some(message) = recorder.message(now) {
                messages += 1;
                prop_assert!(messages < 10 && message.wire_bytes() < 1_500);
                let told = reports(&message);
                prop_assert_eq!(told.len(), usize::from(message.count));
                for report in told {
                    prop_assert!(report.arrival == Arrival::Missing || came.contains(&report.sequence));
                }
            }
        }
        let last = now + feedback::LONGEST;
        prop_assert!(recorder.deadline().is_none_or(|due| due <= last));
    }

    #[test]
    fn no_estimate_allots_more_than_there_is(
        target in any::<f64>(), loss in any::<f64>(), others in 0.0..50_000.0f64, width in 0u32..4_000, fps in 0u32..100
    ) {
        let limits =
            Limits { most: 3e6, audio: 32_000, width, height: width / 2, fps, video: Some(595_000), overhead: PACKET_OVERHEAD, beside: false };
        let allocation = Allocator::default().allocate(Instant::now(), target, loss, others, &limits);
        prop_assert!(allocation.audio.bits_per_second >= 6_000);
        if let Some(video) = allocation.video {
            let together = f64::from(video.bits_per_second + allocation.audio.bits_per_second) + others;
            prop_assert!(together <= target.min(3e6) * 1.01 + 1.0, "{:?} of {}", allocation, target);
        }
        prop_assert!(wanted(&limits, loss).is_finite());
    }

    #[test]
    fn the_pacer_keeps_its_pace_and_its_bounds(
        steps in proptest::collection::vec((0u32..2_000, 0u32..50, 1.0..3e6f64), 1..300)
    ) {
        let start = Instant::now() + Duration::from_secs(10);
        let mut pacer = Pacer::new(start, Pacing { rate: 100_000.0, padding: None });
        let mut now = start;
        for (bytes, millis, rate) in steps {
            pacer.push(now, bytes, ());
            pacer.set_pacing(now, Pacing { rate, padding: None });
            let mut left = 0;
            while pacer.pop(now).is_some() {
                left += 1;
                prop_assert!(left <= 300);
            }
            prop_assert!(pacer.deadline().is_none_or(|deadline| deadline <= now + Duration::from_secs(1)));
            now += MS * millis;
        }
    }
}
