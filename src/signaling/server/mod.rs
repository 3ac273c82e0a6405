//! The signaling server: `serve(listener, config, shutdown)`.
//!
//! Owns the listener, the HTTP exchange, the connections, the registry and the store of names. Must not know
//! the session, WebRTC, media or any front end. The command line drives it, and tests on port 0.

mod bindings;
mod config;
mod connection;
mod http;
mod hub;
mod limits;
mod login;
mod outbox;
pub mod registry;
#[cfg(test)]
mod tests;
mod tls;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use bindings::{Bindings, Claim, Error as BindingsError};
pub use config::{Admit, Config, Mint, Minting};
pub use limits::Rate;
pub use tls::{Error as TlsError, Tls};

use crate::signaling::protocol::{Limits, ServerMessage};
use hub::Hub;
use limits::Addresses;
use registry::{Local, Registry};

/// The pause after the system could not accept a connection (no file descriptors, mostly).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// What clients are asked to wait for after a shutdown, before the chance that each adds.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// Why a server cannot run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store of names cannot be opened.
    #[error(transparent)]
    Names(#[from] BindingsError),
    /// No random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(getrandom::Error),
}

/// What all connections share.
pub(crate) struct App {
    config: Config,
    limits: Limits,
    hub: Hub,
    bindings: Bindings,
    addresses: Mutex<Addresses>,
    connections: AtomicUsize,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// A counted connection; dropping it makes room for another.
pub(crate) struct Slot(Arc<App>);

impl Slot {
    fn take(app: &Arc<App>) -> Slot {
        app.connections.fetch_add(1, Ordering::Relaxed);
        Slot(Arc::clone(app))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

impl App {
    fn addresses(&self) -> MutexGuard<'_, Addresses> {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// [`Server::open`] and [`Server::serve`] in one.
///
/// # Errors
/// As [`Server::open`]; nothing was accepted then.
pub async fn serve(listener: TcpListener, config: Config, shutdown: CancellationToken) -> Result<(), Error> {
    Server::open(config)?.serve(listener, shutdown).await
}

/// A server that has opened its store and accepts nothing yet.
pub struct Server {
    config: Config,
    bindings: Bindings,
    registry: Box<dyn Registry>,
}

impl Server {
    /// Opens the store of names; sessions and calls are kept in this process.
    ///
    /// # Errors
    /// [`Error`] when the store of names cannot be opened.
    pub fn open(config: Config) -> Result<Server, Error> {
        let registry = Box::new(Local::new(config.bounds));
        Server::open_with(config, registry)
    }

    /// [`Server::open`] with a registry of the caller's.
    ///
    /// # Errors
    /// As [`Server::open`].
    pub fn open_with(config: Config, registry: Box<dyn Registry>) -> Result<Server, Error> {
        let bindings = match &config.data {
            Some(directory) => Bindings::open(directory, config.names)?,
            None => Bindings::in_memory(config.names),
        };
        Ok(Server { config, bindings, registry })
    }

    /// Serves until `shutdown` is cancelled, then says `bye` to every client, waits for a moment and returns.
    ///
    /// Dropping the future stops accepting, but leaves open connections to their tasks: cancel instead.
    ///
    /// # Errors
    /// [`Error`] when the system has no random bytes; nothing was accepted then.
    pub async fn serve(self, listener: TcpListener, shutdown: CancellationToken) -> Result<(), Error> {
        run(self, listener, shutdown).await
    }
}

async fn run(server: Server, listener: TcpListener, shutdown: CancellationToken) -> Result<(), Error> {
    let Server { config, bindings, registry } = server;
    // Fails here rather than in a login.
    getrandom::u64().map_err(Error::Random)?;
    let bounds = outbox::Bounds { frames: config.queued_frames, bytes: config.queued_bytes };
    let app = Arc::new(App {
        limits: config.limits(),
        hub: Hub::new(registry, bounds),
        bindings,
        addresses: Mutex::new(Addresses::new(config.connections_per_address, config.claims_per_address)),
        connections: AtomicUsize::new(0),
        tasks: TaskTracker::new(),
        stop: shutdown.clone(),
        config,
    });
    let names = app.bindings.len();
    tracing::info!(names, on_disk = app.config.data.is_some(), "serving");
    let ticker = {
        let app = Arc::clone(&app);
        tokio::spawn(async move { app.hub.run_ticker(app.stop.clone()).await })
    };
    let watcher = app.config.tls.clone().map(|tls| tokio::spawn(tls.watch(shutdown)));
    accept(&app, listener).await;

    let bye = ServerMessage::Bye {
        reason: "the server is stopping".to_owned(),
        retry_after_ms: u64::try_from(RETRY_AFTER.as_millis()).unwrap_or_default(),
    };
    app.hub.stop(&bye);
    app.tasks.close();
    if tokio::time::timeout(app.config.drain, app.tasks.wait()).await.is_err() {
        tracing::info!(left = app.tasks.len(), "some connections did not take their goodbye");
    }
    // They ended with the token.
    let _ = ticker.await;
    if let Some(watcher) = watcher {
        let _ = watcher.await;
    }
    app.bindings.close().await;
    tracing::info!("stopped");
    Ok(())
}

/// Accepts until the shutdown. Sockets beyond the bound are told so in one line and closed.
async fn accept(app: &Arc<App>, listener: TcpListener) {
    let router = http::router(Arc::clone(app));
    loop {
        let accepted = tokio::select! {
            () = app.stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                if app.connections.load(Ordering::Relaxed) >= app.config.connections {
                    turn_away(app, &stream);
                    continue;
                }
                // A frame is a message: it must not wait for the next one. Failing only costs time.
                let _ = stream.set_nodelay(true);
                let (slot, router) = (Slot::take(app), router.clone());
                app.tasks.spawn(async move {
                    http::exchange(&slot.0, router, stream, peer.ip()).await;
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn turn_away(app: &App, stream: &TcpStream) {
    const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    if app.config.tls.is_some() {
        // There is no TLS yet in which it could be said.
        return;
    }
    // A fresh socket takes so little at once; if it does not, closing says enough.
    let _ = stream.try_write(FULL);
}

/// Random bytes for an id, a secret or a nonce; none when the system's generator fails.
fn random<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0u8; N];
    getrandom::fill(&mut bytes).ok().map(|()| bytes)
}
