//! Diagnostics: `tracing` to stderr. Stdout belongs to the command's own output.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::time::SystemTime;

/// Starts logging. `LETSMEET_LOG` (a tracing filter) wins over the flags.
///
/// The WebRTC crates speak at levels meant for their authors, so they stay two steps behind.
pub fn start(verbose: u8, quiet: bool) {
    let ours = match (quiet, verbose) {
        (true, _) => "letsmeet=error",
        (false, 0) => "letsmeet=warn",
        (false, 1) => "letsmeet=info",
        (false, 2) => "letsmeet=debug,warn",
        (false, _) => "letsmeet=trace,info",
    };
    let filter = EnvFilter::try_from_env("LETSMEET_LOG").unwrap_or_else(|_| EnvFilter::new(ours));
    // A second call (two commands in one process, as tests do) leaves the first one in place.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_timer(SystemTime)
        .try_init();
}
