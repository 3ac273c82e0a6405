//! Hosts behind routers in network namespaces, with loss and cuts on demand: `tests/natlab`.
//! Needs root and its tools; what is missing fails the test with the line that installs it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;

use super::process::Home;

/// What natlab runs, and the Debian package it is in.
const TOOLS: &[(&str, &str)] = &[
    ("ip", "iproute2"),
    ("nft", "nftables"),
    ("conntrack", "conntrack"),
    ("sysctl", "procps"),
    ("python3", "python3"),
    ("turnserver", "coturn"),
    ("openssl", "openssl"),
];

/// The address of the public server, `srv`.
pub(crate) const SERVER: &str = "198.51.100.2";

/// Distinguishes the networks of one test process.
static NEXT: AtomicU32 = AtomicU32::new(0);

/// A laboratory network. Dropping it ends what runs inside and removes it.
pub(crate) struct Network {
    prefix: String,
    state: TempDir,
}

impl Network {
    /// Hosts as natlab names them: `alice=none` is public, `bob=port` is behind a NAT.
    pub(crate) fn up(hosts: &[&str]) -> Self {
        // SAFETY: geteuid takes nothing and cannot fail.
        assert!(
            unsafe { libc::geteuid() } == 0,
            "network namespaces need root: run scripts/test, which uses sudo for this part"
        );
        for (tool, package) in TOOLS {
            assert!(
                find(tool).is_some(),
                "{tool} is missing: apt-get install {package} (or scripts/setup --tests)"
            );
        }
        remove_left_over();
        let prefix = format!("lm{}x{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let network =
            Self { prefix, state: TempDir::with_prefix("letsmeet-natlab-").expect("a temporary folder") };
        let mut args = vec!["up"];
        args.extend(hosts);
        network.natlab(&args);
        network
    }

    /// One command of tests/natlab/natlab.sh, such as `["loss", "alice", "5"]`; its output.
    pub(crate) fn natlab(&self, args: &[&str]) -> String {
        let output =
            natlab(&self.prefix, &self.state.path().join("state")).args(args).output().expect("bash runs");
        assert!(
            output.status.success(),
            "natlab {}: {}{}",
            args.join(" "),
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The certificate of coturn, which has signed itself.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.state.path().join("state").join("turn.crt")
    }

    /// A home whose processes run on `host` (`srv` is the public server).
    pub(crate) fn home(&self, host: &str) -> Home {
        Home::wrapped(
            ["ip", "netns", "exec", &format!("{}-{host}", self.prefix)]
                .into_iter()
                .map(OsString::from)
                .collect(),
        )
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let _ = natlab(&self.prefix, &self.state.path().join("state")).arg("down").output();
    }
}

fn natlab(prefix: &str, state: &Path) -> Command {
    let mut command = Command::new("bash");
    command
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/natlab/natlab.sh"))
        .args(["-p", prefix])
        .env("NATLAB_STATE", state);
    command
}

/// The program of this name.
pub(super) fn find(tool: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(tool))
        .find(|file| file.is_file())
}

/// Removes the networks of test processes that were killed before they could.
fn remove_left_over() {
    let output = Command::new("ip").args(["netns", "list"]).output().expect("ip runs");
    let mut dead: Vec<String> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| line.split_once('-').map(|(prefix, _)| prefix.to_owned()))
        .filter(|prefix| {
            let owner =
                prefix.strip_prefix("lm").and_then(|rest| rest.split_once('x')).map(|(owner, _)| owner);
            owner
                .is_some_and(|owner| owner.parse::<u32>().is_ok() && !Path::new("/proc").join(owner).exists())
        })
        .collect();
    dead.sort();
    dead.dedup();
    for prefix in dead {
        let _ = natlab(&prefix, Path::new("/nonexistent")).arg("down").output();
    }
}
