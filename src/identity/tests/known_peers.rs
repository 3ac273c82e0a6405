//! The file of pinned keys.

use std::fs;
use std::sync::Barrier;

use proptest::prelude::*;

use super::*;

fn key(n: u8) -> PublicKey {
    person(n).public_key()
}

/// A `known_peers` file with this text, and the folder that keeps it alive.
fn with_text(text: impl AsRef<[u8]>) -> (tempfile::TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("known_peers");
    fs::write(&path, text).unwrap();
    (dir, path)
}

#[test]
fn a_key_is_trusted_on_first_use_and_a_changed_one_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let peers = KnownPeers::open(dir.path().join("new/known_peers")).unwrap();
    assert_eq!(peers.check("bob", &key(1)).unwrap(), Standing::New);
    peers.pin("bob", &key(1)).unwrap();
    assert_eq!(peers.check("bob", &key(1)).unwrap(), Standing::Known);
    let changed = Standing::Changed { pinned: key(1), line: 1 };
    assert_eq!(peers.check("bob", &key(2)).unwrap(), changed);
    assert_eq!(peers.check("carol", &key(2)).unwrap(), Standing::New);
}

#[test]
fn pinning_another_key_is_refused_and_changes_nothing() {
    let (_dir, path) = with_text(format!("# friends\nbob {}\n", key(1)));
    let before = fs::read(&path).unwrap();
    let peers = KnownPeers::open(&path).unwrap();
    let error = peers.pin("bob", &key(2)).unwrap_err();
    assert!(matches!(error, Error::Changed { line: 2, .. }));
    let said = error.to_string();
    assert!(said.contains("line 2") && said.contains(&key(1).fingerprint()), "{said}");
    peers.pin("bob", &key(1)).unwrap();
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn comments_blank_lines_and_odd_spacing_are_kept() {
    let text = format!("# friends\n\n  bob   {}\t# met in Rome\r\n#end without newline", key(1));
    let (_dir, path) = with_text(&text);
    let peers = KnownPeers::open(&path).unwrap();
    assert_eq!(peers.check("bob", &key(1)).unwrap(), Standing::Known);
    peers.pin("carol", &key(2)).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("{text}\ncarol {}\n", key(2)));
}

#[test]
fn names_are_the_same_when_the_server_says_so() {
    let (_dir, path) = with_text("");
    let peers = KnownPeers::open(&path).unwrap();
    peers.pin("Ångström", &key(1)).unwrap();
    for same in ["ångström", "ÅNGSTRÖM", "A\u{30a}ngstro\u{308}m", "\u{212b}ngström"] {
        assert_eq!(peers.check(same, &key(1)).unwrap(), Standing::Known, "{same}");
    }
    peers.pin("ΟΔΥΣΣΕΥΣ", &key(2)).unwrap();
    assert_eq!(peers.check("οδυσσευς", &key(2)).unwrap(), Standing::Known);
    assert_eq!(peers.check("angstrom", &key(1)).unwrap(), Standing::New);
}

#[test]
fn a_corrupt_file_is_named_with_its_line_and_left_alone() {
    let good = format!("bob {}\n", key(1));
    for (text, line) in [
        (format!("{good}carol\n").into_bytes(), 2),
        (format!("{good}\n# x\ncarol AAAA\n").into_bytes(), 4),
        (format!("{good}carol {} {}\n", key(2), key(3)).into_bytes(), 2),
        (format!("{good}BOB {}\n", key(2)).into_bytes(), 2),
        ([good.as_bytes(), b"\xff\xfe\n"].concat(), 2),
        (format!("{good}ca\u{7}rol {}\n", key(2)).into_bytes(), 2),
        // A key for which anybody can sign.
        (format!("{good}carol {}\n", "A".repeat(43)).into_bytes(), 2),
    ] {
        let (_dir, path) = with_text(&text);
        let error = KnownPeers::open(&path).unwrap_err();
        assert!(matches!(error, Error::Corrupt { line: said, .. } if said == line), "{error}");
        assert!(error.to_string().contains("known_peers"), "{error}");
        // Also when it is damaged later.
        let peers = KnownPeers::open(path.with_extension("other")).unwrap();
        fs::write(peers.path(), &text).unwrap();
        assert!(peers.check("bob", &key(1)).is_err());
        assert!(peers.pin("dave", &key(4)).is_err());
        assert_eq!(fs::read(peers.path()).unwrap(), text);
    }
}

#[test]
fn what_cannot_stand_in_a_line_is_not_pinned() {
    let dir = tempfile::tempdir().unwrap();
    let peers = KnownPeers::open(dir.path().join("known_peers")).unwrap();
    let long = "x".repeat(257);
    for name in ["", "#bob", "b ob", "bob\n", "bob\neve", "b\u{1b}[2Job", "b\u{2028}ob", &long] {
        let error = peers.pin(name, &key(1)).unwrap_err();
        assert!(matches!(error, Error::Name { .. }), "{name:?}");
        assert!(!error.to_string().contains(['\u{1b}', '\n']), "unsanitised");
    }
    assert!(!peers.path().exists());
}

#[test]
#[cfg(unix)]
fn the_file_is_private_at_first_and_keeps_its_mode_later() {
    let dir = tempfile::tempdir().unwrap();
    let peers = KnownPeers::open(dir.path().join("known_peers")).unwrap();
    peers.pin("bob", &key(1)).unwrap();
    assert_eq!(mode_of(peers.path()), 0o600);
    set_mode(peers.path(), 0o644);
    peers.pin("carol", &key(2)).unwrap();
    assert_eq!(mode_of(peers.path()), 0o644);
    set_mode(peers.path(), 0o666);
    let error = peers.check("bob", &key(1)).unwrap_err();
    assert!(error.to_string().contains("chmod o-w"), "{error}");
}

#[test]
#[cfg(unix)]
fn a_link_stays_a_link() {
    let (_dir, real) = with_text("# in the dot files\n");
    let dir = tempfile::tempdir().unwrap();
    let link = dir.path().join("known_peers");
    std::os::unix::fs::symlink(&real, &link).unwrap();
    KnownPeers::open(&link).unwrap().pin("bob", &key(1)).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read_to_string(&real).unwrap(), format!("# in the dot files\nbob {}\n", key(1)));
}

#[test]
fn many_writers_at_once_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("known_peers");
    let start = Barrier::new(8);
    std::thread::scope(|scope| {
        for writer in 0..8u8 {
            let (path, start) = (&path, &start);
            scope.spawn(move || {
                let peers = KnownPeers::open(path).unwrap();
                start.wait();
                for n in 0..4 {
                    peers.pin(&format!("peer-{writer}-{n}"), &key(writer)).unwrap();
                }
            });
        }
    });
    let peers = KnownPeers::open(&path).unwrap();
    for writer in 0..8u8 {
        for n in 0..4 {
            let standing = peers.check(&format!("peer-{writer}-{n}"), &key(writer)).unwrap();
            assert_eq!(standing, Standing::Known);
        }
    }
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 32);
}

#[test]
fn of_two_who_pin_different_keys_at_once_one_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("known_peers");
    let start = Barrier::new(2);
    let pinned: Vec<bool> = std::thread::scope(|scope| {
        let pin = |n: u8| {
            let (path, start) = (&path, &start);
            scope.spawn(move || {
                let peers = KnownPeers::open(path).unwrap();
                start.wait();
                peers.pin("bob", &key(n)).is_ok()
            })
        };
        let threads = [pin(1), pin(2)];
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(pinned.iter().filter(|ok| **ok).count(), 1);
}

proptest! {
    // Each case writes real files to disk.
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn no_content_makes_it_panic_or_is_overwritten(bytes: Vec<u8>) {
        let (_dir, path) = with_text(&bytes);
        if let Ok(peers) = KnownPeers::open(&path) {
            peers.pin("somebody-new", &key(1)).unwrap();
            prop_assert!(fs::read(&path).unwrap().starts_with(&bytes));
        } else {
            prop_assert_eq!(fs::read(&path).unwrap(), bytes);
        }
    }

    #[test]
    fn whatever_is_pinned_is_found_again(names in prop::collection::btree_set("\\PC{1,20}", 0..6)) {
        let dir = tempfile::tempdir().unwrap();
        let peers = KnownPeers::open(dir.path().join("known_peers")).unwrap();
        for name in &names {
            match peers.pin(name, &key(1)) {
                Ok(()) => prop_assert_eq!(peers.check(name, &key(1)).unwrap(), Standing::Known),
                Err(error) => prop_assert!(matches!(error, Error::Name { .. }), "{}", error),
            }
        }
    }
}

#[test]
fn a_compared_key_is_marked_in_its_line_and_nothing_else_changes() {
    let text = format!("# friends\nbob {}\t# met in Rome\r\ncarol {}", key(1), key(2));
    let (_dir, path) = with_text(&text);
    let peers = KnownPeers::open(&path).unwrap();
    assert!(peers.list().unwrap().iter().all(|peer| !peer.verified));
    peers.verify("BOB", &key(1)).unwrap();
    let after = format!("# friends\nbob {}\t# met in Rome # verified\r\ncarol {}", key(1), key(2));
    assert_eq!(fs::read_to_string(&path).unwrap(), after);
    peers.verify("bob", &key(1)).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), after, "once is enough");
    peers.verify("dave", &key(3)).unwrap();
    let verified: Vec<_> = peers.list().unwrap().into_iter().map(|peer| (peer.name, peer.verified)).collect();
    assert_eq!(verified, [("bob".into(), true), ("carol".into(), false), ("dave".into(), true)]);
    let error = peers.verify("carol", &key(1)).unwrap_err();
    assert!(matches!(error, Error::Changed { line: 3, .. }), "{error}");
}

#[test]
fn a_forgotten_name_is_new_again_and_other_lines_stay() {
    let text = format!("# friends\nbob {0}\r\n\nBOB {0} # twice\ncarol {1}", key(1), key(2));
    let (_dir, path) = with_text(&text);
    let peers = KnownPeers::open(&path).unwrap();
    assert_eq!(peers.forget("dave").unwrap(), 0);
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    assert_eq!(peers.forget("Bob").unwrap(), 2);
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("# friends\n\ncarol {}", key(2)));
    assert_eq!(peers.check("bob", &key(3)).unwrap(), Standing::New);
}
