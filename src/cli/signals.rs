//! SIGINT and SIGTERM as a stream: the first asks a command to end well, the second ends the process. SIGHUP asks a
//! server to read its files again.

use std::io;

use crate::session::Interruption;

/// Waits for signals.
#[derive(Debug)]
pub(super) struct Signals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    /// Takes the signals over from their default, which ends the process at once.
    ///
    /// # Errors
    /// The system refused.
    #[cfg(unix)]
    pub(super) fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Takes Ctrl-C over from its default, which ends the process at once.
    ///
    /// # Errors
    /// The system refused.
    #[cfg(not(unix))]
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self {})
    }

    /// The next signal.
    #[cfg(unix)]
    pub(super) async fn next(&mut self) -> Interruption {
        tokio::select! {
            _ = self.interrupt.recv() => Interruption::Interrupt,
            _ = self.terminate.recv() => Interruption::Terminate,
        }
    }

    /// The next signal.
    #[cfg(not(unix))]
    pub(super) async fn next(&mut self) -> Interruption {
        match tokio::signal::ctrl_c().await {
            Ok(()) => Interruption::Interrupt,
            Err(_) => std::future::pending().await,
        }
    }
}

/// Waits for SIGHUP, where there is such a thing and somebody who heeds it.
#[derive(Debug)]
pub(super) struct Reloads {
    #[cfg(unix)]
    hangup: Option<tokio::signal::unix::Signal>,
}

impl Reloads {
    /// Takes SIGHUP over from its default, which ends the process, if it is `heeded`.
    ///
    /// # Errors
    /// The system refused.
    #[cfg(unix)]
    pub(super) fn listen(heeded: bool) -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let hangup = if heeded { Some(signal(SignalKind::hangup())?) } else { None };
        Ok(Self { hangup })
    }

    /// There is no such signal.
    ///
    /// # Errors
    /// Never.
    #[cfg(not(unix))]
    pub(super) fn listen(_: bool) -> io::Result<Self> {
        Ok(Self {})
    }

    /// The next one; never, where it is not heeded.
    pub(super) async fn next(&mut self) {
        #[cfg(unix)]
        if let Some(hangup) = &mut self.hangup
            && hangup.recv().await.is_some()
        {
            return;
        }
        std::future::pending().await
    }
}
