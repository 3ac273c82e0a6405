//! Starts letsmeet's processes, and networks for them, as a person or a script would.
//!
//! `process` runs the binary and reads its JSON lines against deadlines, `report` is the report as
//! types that deny what they do not know, `network` is a laboratory of hosts behind routers.
//! `chromium` is a browser whose page calls and is called. `pty` runs a program in a terminal of ours.
//! Nothing here sleeps to wait for something: every wait is for an event, with a deadline.

pub(crate) mod chromium;
pub(crate) mod display;
#[allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    unused_imports,
    reason = "a bench and an example use it too"
)]
pub(crate) mod faces;
pub(crate) mod network;
pub(crate) mod pesq;
pub(crate) mod process;
pub(crate) mod pty;
pub(crate) mod pulse;
pub(crate) mod report;
pub(crate) mod throttle;
pub(crate) mod tmux;

use std::path::PathBuf;
use std::time::{Duration, Instant};

pub(crate) use process::{Home, Outcome, Process, Server, Signal};

/// Starting a process, registering, ringing: far more than it takes, so that only a hang fails.
pub(crate) const SOON: Duration = Duration::from_secs(15);

/// What makes both sides send something that the other can measure.
pub(crate) const MEASURED: [&str; 8] =
    ["--video", "pattern", "--audio", "tone", "--size", "320x180", "--fps", "25"];

/// Looks again and again until there is what is wanted, or panics with `what` was waited for. For what gives no sign when it
/// changes: a screen, a file, a process.
pub(crate) fn until<T>(within: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + within;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {within:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A file of `tests/data`.
pub(crate) fn data(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

/// A server, and Bob online who answers as told (`accept`, `decline`, `busy`, `ask`).
pub(crate) fn server_and_bob(answer: &str) -> (Server, Home, Process) {
    let server = Server::start();
    let home = Home::new();
    let bob = bob(&server, &home, answer);
    (server, home, bob)
}

/// Bob, online at `server`.
pub(crate) fn bob(server: &Server, home: &Home, answer: &str) -> Process {
    let mut args = vec!["login", "--name", "bob", "--server", server.url(), "--headless", "--answer", answer];
    args.extend(MEASURED);
    let mut bob = home.start(&args);
    bob.wait_for("registered", SOON);
    bob
}

/// Alice's `letsmeet call bob` with the pattern and the tone, and `more` arguments.
pub(crate) fn call_bob(server: &Server, home: &Home, more: &[&str]) -> Process {
    let mut args = vec!["call", "bob", "--name", "alice", "--server", server.url(), "--headless"];
    args.extend(MEASURED);
    args.extend(more);
    home.start(&args)
}
