//! The key file: made once, kept private, never overwritten.

use std::fs;
use std::sync::Barrier;

use proptest::prelude::*;

use super::*;

#[test]
fn a_key_is_made_once_and_found_again() {
    let dir = tempfile::tempdir().unwrap();
    assert!(Identity::load(dir.path()).unwrap().is_none());
    let first = Identity::load_or_create(dir.path()).unwrap();
    let again = Identity::load_or_create(dir.path()).unwrap();
    assert_eq!(first.public_key(), again.public_key());
    assert_eq!(Identity::load(dir.path()).unwrap().unwrap().public_key(), first.public_key());
}

#[test]
#[cfg(unix)]
fn the_file_and_a_folder_made_for_it_are_private() {
    let dir = tempfile::tempdir().unwrap();
    let profile = dir.path().join("profiles/alice");
    Identity::load_or_create(&profile).unwrap();
    assert_eq!(mode_of(&profile.join("identity.key")), 0o600);
    assert_eq!(mode_of(&profile), 0o700);
}

#[test]
#[cfg(unix)]
fn a_key_that_others_can_read_is_refused_with_the_cure() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("identity.key");
    let key = Identity::load_or_create(dir.path()).unwrap().public_key();
    for mode in [0o640, 0o604, 0o644, 0o620] {
        set_mode(&path, mode);
        let error = Identity::load_or_create(dir.path()).unwrap_err();
        assert!(matches!(error, Error::Exposed { mode: said, .. } if said == mode));
        let cure = format!("chmod 600 '{}'", path.display());
        assert!(error.to_string().contains(&cure), "{error}");
    }
    set_mode(&path, 0o400);
    assert_eq!(Identity::load_or_create(dir.path()).unwrap().public_key(), key);
}

#[test]
fn many_at_once_agree_on_one_key() {
    let dir = tempfile::tempdir().unwrap();
    let start = Barrier::new(8);
    let keys: Vec<_> = std::thread::scope(|scope| {
        let make = || {
            start.wait();
            Identity::load_or_create(dir.path()).unwrap().public_key()
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(make)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(keys.iter().all(|key| *key == keys[0]));
}

#[test]
fn what_a_killed_writer_left_behind_does_no_harm() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("identity.key.new"), "half a ke").unwrap();
    let key = Identity::load_or_create(dir.path()).unwrap().public_key();
    assert_eq!(Identity::load(dir.path()).unwrap().unwrap().public_key(), key);
    assert!(!dir.path().join("identity.key.new").exists());
}

#[test]
fn a_corrupt_key_file_is_named_with_its_line_and_left_alone() {
    let good = "letsmeet-ed25519-v1 AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";
    let longer = format!("{good}A");
    let twice = format!("{good}\n\n{good}\n");
    for (text, line) in [
        ("", 1),
        ("# only a comment\n", 2),
        ("# comment\nsomething else\n", 2),
        ("letsmeet-ed25519-v1\n", 1),
        ("letsmeet-ed25519-v2 AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE\n", 1),
        ("\n\nletsmeet-ed25519-v1 AQEB", 3),
        (longer.as_str(), 1),
        (twice.as_str(), 3),
    ] {
        let (error, after) = load_text(text.as_bytes());
        let error = error.expect_err(text);
        assert!(matches!(error, Error::Corrupt { line: said, .. } if said == line), "{error}");
        let said = error.to_string();
        assert!(said.contains("identity.key") && said.contains(&format!("line {line}")), "{said}");
        assert!(!said.contains("AQEB"), "shows the key: {said}");
        assert_eq!(after, text.as_bytes());
    }
    assert!(load_text(good.as_bytes()).0.is_ok());
    assert!(load_text(format!("# hand-made\r\n{good}\r\n").as_bytes()).0.is_ok());
}

#[test]
fn a_folder_or_a_huge_file_in_its_place_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("identity.key")).unwrap();
    assert!(matches!(Identity::load_or_create(dir.path()), Err(Error::Io { .. })));
    let (huge, _) = load_text(&vec![b'\n'; 1 << 20]);
    assert!(matches!(huge, Err(Error::TooLarge { .. })));
}

proptest! {
    // Each case writes real files to disk.
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn no_content_makes_it_panic_or_is_overwritten(bytes: Vec<u8>) {
        let (_, after) = load_text(&bytes);
        prop_assert_eq!(after, bytes);
    }
}

/// Loads a key file with these contents, and says what is in it afterwards.
fn load_text(bytes: &[u8]) -> (Result<Identity, Error>, Vec<u8>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("identity.key");
    fs::write(&path, bytes).unwrap();
    #[cfg(unix)]
    set_mode(&path, 0o600);
    let result = Identity::load_or_create(dir.path());
    (result, fs::read(&path).unwrap())
}
