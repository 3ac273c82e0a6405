//! The file through its life: first call, damage, growth, several writers.

use super::*;

fn entry(peer: &str, at: u64, outcome: Outcome) -> Entry {
    let seen = outcome != Outcome::Missed;
    Entry { peer: peer.to_owned(), direction: Direction::Incoming, outcome, at, seen }
}

fn fresh() -> (tempfile::TempDir, History) {
    let folder = tempfile::tempdir().unwrap();
    let history = History::at(folder.path().join("profiles/alice/history.jsonl"));
    (folder, history)
}

#[test]
fn calls_come_back_as_they_were_kept() {
    let (_folder, history) = fresh();
    assert_eq!(history.read().unwrap(), []);
    let all = [
        entry("bob", 1, Outcome::Answered { seconds: 61 }),
        entry("田中\n\u{1b}[2J", 2, Outcome::Missed),
        entry("carol", 3, Outcome::Declined),
        entry("dave", 4, Outcome::NotAnswered { reason: "nobody answered".into() }),
        entry("erin", 5, Outcome::Failed { reason: "the connection was lost".into() }),
    ];
    for entry in &all {
        history.add(entry).unwrap();
    }
    assert_eq!(history.read().unwrap(), all);
}

#[test]
fn a_damaged_line_costs_only_itself() {
    let (_folder, history) = fresh();
    history.add(&entry("bob", 1, Outcome::Missed)).unwrap();
    let mut file = OpenOptions::new().append(true).open(&history.path).unwrap();
    file.write_all(b"{\"peer\":\"x\"}\n\xff\xfe\n\n{\"peer\":\"torn").unwrap();
    drop(file);
    history.add(&entry("carol", 2, Outcome::Declined)).unwrap();
    let peers: Vec<String> = history.read().unwrap().into_iter().map(|entry| entry.peer).collect();
    assert_eq!(peers, ["bob", "carol"]);
}

#[test]
fn the_file_is_bounded() {
    let (_folder, history) = fresh();
    history.add(&entry("first", 0, Outcome::Missed)).unwrap();
    let filler: String =
        (1..FULL as u64 - 1).map(|at| encode(&entry("bob", at, Outcome::Declined))).collect();
    OpenOptions::new().append(true).open(&history.path).unwrap().write_all(filler.as_bytes()).unwrap();
    assert_eq!(history.read().unwrap().len(), KEPT);
    history.add(&entry("last", 9999, Outcome::Missed)).unwrap();
    assert_eq!(fs::read_to_string(&history.path).unwrap().lines().count(), KEPT);
    assert_eq!(history.read().unwrap().last().unwrap().peer, "last");
}

#[test]
fn missed_calls_are_new_until_they_were_looked_at() {
    let (_folder, history) = fresh();
    history.mark_seen().unwrap();
    history.add(&entry("bob", 1, Outcome::Missed)).unwrap();
    history.add(&entry("carol", 2, Outcome::Declined)).unwrap();
    let new = |history: &History| history.read().unwrap().iter().filter(|entry| entry.is_new()).count();
    assert_eq!(new(&history), 1);
    history.mark_seen().unwrap();
    assert_eq!(new(&history), 0);
    assert_eq!(history.read().unwrap().len(), 2);
}

#[cfg(unix)]
#[test]
fn the_file_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let (_folder, history) = fresh();
    history.add(&entry("bob", 1, Outcome::Missed)).unwrap();
    history.mark_seen().unwrap();
    assert_eq!(fs::metadata(&history.path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn several_writers_lose_nothing() {
    let (_folder, history) = fresh();
    std::thread::scope(|scope| {
        for writer in 0..4u64 {
            let history = &history;
            scope.spawn(move || {
                for at in 0..25 {
                    history.add(&entry("bob", writer * 100 + at, Outcome::Missed)).unwrap();
                    history.mark_seen().unwrap();
                }
            });
        }
    });
    assert_eq!(history.read().unwrap().len(), 100);
}

#[test]
fn a_folder_in_the_way_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let error = History::at(folder.path()).read().unwrap_err();
    assert!(error.to_string().contains("call history"), "{error}");
}
