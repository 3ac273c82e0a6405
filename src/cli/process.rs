//! What this process has cost so far: CPU time and memory.

use std::time::Duration;

/// Resource use of this process since it began.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Usage {
    /// User and system CPU time of all threads.
    pub(super) cpu: Duration,
    /// The largest resident set so far, bytes; 0 where the platform does not say.
    pub(super) rss_peak: u64,
}

impl Usage {
    /// Asks the system. Zero where it has no answer.
    #[cfg(unix)]
    #[must_use]
    pub(super) fn now() -> Self {
        let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
        // SAFETY: getrusage writes a whole rusage to the pointer it is given, and rusage is plain data for
        // which all zeroes (the value if the call fails) is valid.
        let usage = unsafe {
            libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr());
            usage.assume_init()
        };
        let time = |value: libc::timeval| {
            Duration::from_secs(u64::try_from(value.tv_sec).unwrap_or(0))
                + Duration::from_micros(u64::try_from(value.tv_usec).unwrap_or(0))
        };
        // Linux counts kibibytes here, macOS bytes.
        let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
        Self {
            cpu: time(usage.ru_utime) + time(usage.ru_stime),
            rss_peak: u64::try_from(usage.ru_maxrss).unwrap_or(0) * unit,
        }
    }

    /// Asks the system. Zero where it has no answer.
    #[cfg(not(unix))]
    #[must_use]
    pub(super) fn now() -> Self {
        Self::default()
    }
}
