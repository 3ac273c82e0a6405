//! Every seed of the fuzz targets, and every crash that was ever fixed, through the same functions.

use std::fs;
use std::path::Path;

use crate::fuzz_targets;

/// Runs `target` over the seeds in its folder.
fn seeds(folder: &str, target: fn(&[u8])) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/seeds").join(folder);
    let mut run = 0;
    for entry in fs::read_dir(&path).expect("the seeds") {
        let file = entry.expect("an entry").path();
        let bytes = fs::read(&file).expect("a seed");
        if std::panic::catch_unwind(|| target(&bytes)).is_err() {
            panic!("failed on {}", file.display());
        }
        // Cut short anywhere, it must do no harm either.
        for length in 0..bytes.len().min(600) {
            target(&bytes[..length]);
        }
        run += 1;
    }
    assert!(run > 5, "only {run} seeds in {}", path.display());
}

#[test]
fn protocol() {
    seeds("protocol", fuzz_targets::protocol);
}

#[test]
fn sdp() {
    seeds("sdp", fuzz_targets::sdp);
}

#[test]
fn rtp() {
    seeds("rtp", fuzz_targets::rtp);
}

#[test]
fn files() {
    seeds("files", fuzz_targets::files);
}

#[test]
fn transfer() {
    seeds("transfer", fuzz_targets::transfer);
}

#[test]
fn control() {
    seeds("control", fuzz_targets::control);
}
