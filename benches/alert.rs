//! What one look of the hand-on-face alert costs; it takes five a second, and may take 10 ms each.
//!
//! `cargo bench --bench alert`. One element is one picture: a face that is followed, the same with a hand on it, and a picture without any.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use letsmeet::media::alert::{Detector, Settings};
use letsmeet::media::scale::Scaler;
use letsmeet::media::{VideoFrame, WallTime};

#[path = "../tests/harness/faces/mod.rs"]
#[allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    unused_imports,
    reason = "the tests and the example use the rest"
)]
mod faces;

use faces::{Case, HEIGHT, Hand, PEOPLE, Scene, WIDTH};

/// Pictures in the size that a camera gives.
#[allow(clippy::expect_used, reason = "without pictures there is nothing to measure")]
fn pictures(case: Case) -> Vec<VideoFrame> {
    let scaler = Scaler::new((WIDTH as u32, HEIGHT as u32), (640, 360)).expect("both sizes are possible");
    Scene::new(&PEOPLE[1], case, 1).map(|(_, picture, _)| scaler.scale(&picture)).collect()
}

fn looks(c: &mut Criterion) {
    let empty = vec![VideoFrame::black(640, 360, WallTime(0)); 60];
    for (name, pictures) in [
        ("a face alone", pictures(Case::Lively)),
        ("a hand on a face", pictures(Case::On(Hand::LivelyCheek))),
        ("no face", empty),
    ] {
        c.bench_function(&format!("hand-on-face alert, 640x360, {name}"), |b| {
            #[allow(clippy::expect_used, reason = "the model is part of the program")]
            let mut detector = Detector::new(Settings::default()).expect("the model is whole");
            let mut number = 0usize;
            b.iter(|| {
                let at = Duration::from_millis(200 * number as u64);
                let seen = detector.look(black_box(&pictures[number % pictures.len()]), at);
                number += 1;
                seen
            });
        });
    }
}

criterion_group! {
    name = alert;
    config = Criterion::default().sample_size(60).measurement_time(Duration::from_secs(4));
    targets = looks
}
criterion_main!(alert);
