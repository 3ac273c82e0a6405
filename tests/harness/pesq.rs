//! PESQ-WB, the judge of voices: the PyPI package of that name, in the environment that `scripts/setup --tests` makes.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use letsmeet::media::file::wav;

/// The scores of each whole repetition of `reference` in `recording`, both WAV files, in order: 1.0 is unintelligible, 4.64
/// is the same. The recording must not be shorter.
pub(crate) fn scores(reference: &Path, recording: &Path) -> Vec<f64> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = here.join("target/python/bin/python");
    assert!(python.is_file(), "pesq is missing: scripts/setup --tests installs it into target/python");
    let script = here.join("tests/harness/judge.py");
    let output = Command::new(python).arg(script).args([reference, recording]).output().expect("python runs");
    assert!(output.status.success(), "pesq: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().map(|line| line.parse().expect("a score")).collect()
}

/// The middle one.
pub(crate) fn median(mut scores: Vec<f64>) -> f64 {
    assert!(!scores.is_empty(), "nothing was judged");
    scores.sort_by(f64::total_cmp);
    scores[scores.len() / 2]
}

/// `samples` at 48 kHz as a WAV file.
pub(crate) fn saved(path: &Path, samples: &[f32]) -> PathBuf {
    let mut writer = wav::Writer::new(File::create(path).expect("a new file")).expect("a WAV file");
    writer.write(samples).expect("room on the disk");
    writer.update().expect("room on the disk");
    path.to_owned()
}

/// A sentence spoken by espeak-ng in this voice (`en`, `en+f3`), as a WAV file in `folder`.
pub(crate) fn spoken(folder: &Path, voice: &str, words: &str) -> PathBuf {
    let path = folder.join(format!("{voice}.wav"));
    let said =
        Command::new("espeak-ng").args(["-v", voice, "-s", "150", "-w"]).arg(&path).arg(words).status();
    assert!(
        said.is_ok_and(|status| status.success()),
        "espeak-ng is missing: apt-get install espeak-ng (or scripts/setup --tests)"
    );
    path
}
