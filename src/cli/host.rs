//! `login --host`: the signaling server in the same process, for two people and no server.

use std::fs;
use std::net::{IpAddr, SocketAddr};

use anyhow::Result;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::args::Global;
use super::failure::{Device, Signaling};
use super::output::{Line, Output};
use super::setup::Ground;
use crate::rtc;
use crate::signaling::client::ServerAddress;
use crate::signaling::server::{self, Server};

/// A running server. Dropping it leaves it running until the process ends.
pub(super) struct Host {
    address: SocketAddr,
    shutdown: CancellationToken,
    serving: JoinHandle<Result<(), server::Error>>,
}

impl Host {
    /// Opens the names that `letsmeet serve` keeps, listens and serves.
    ///
    /// # Errors
    /// The names are in use by another server, or the address is.
    pub(super) async fn start(ground: &Ground, global: &Global, address: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind(address).await.map_err(|error| {
            Signaling::new(format!("cannot listen on {address}: {error} (--host ADDRESS:PORT takes another)"))
        })?;
        let address = listener.local_addr()?;
        let data = ground.folders.data.join("server");
        fs::create_dir_all(&data)
            .map_err(|error| Device::new(format!("cannot make {}: {error}", data.display())))?;
        let token = ground.token(global)?;
        let server = Server::open(server::Config { data: Some(data), token, ..server::Config::default() })?;
        let shutdown = CancellationToken::new();
        let serving = tokio::spawn(server.serve(listener, shutdown.clone()));
        Ok(Self { address, shutdown, serving })
    }

    /// Where this process finds it.
    ///
    /// # Errors
    /// Never, as long as an address of this machine is a valid address of a server.
    pub(super) fn local(&self) -> Result<ServerAddress> {
        let ip = match self.address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::from([127, 0, 0, 1]),
            IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(std::net::Ipv6Addr::LOCALHOST),
            ip => ip,
        };
        Ok(url(SocketAddr::new(ip, self.address.port())).parse()?)
    }

    /// Where others find it: one URL for each address of this machine, the likeliest first.
    pub(super) fn urls(&self) -> Vec<String> {
        if !self.address.ip().is_unspecified() {
            return vec![url(self.address)];
        }
        let mut all = rtc::local_addresses().unwrap_or_default();
        if self.address.is_ipv4() {
            all.retain(IpAddr::is_ipv4);
        }
        // People read and type IPv4 more easily.
        all.sort_by_key(IpAddr::is_ipv6);
        all.into_iter().map(|ip| url(SocketAddr::new(ip, self.address.port()))).collect()
    }

    /// Says where others find it.
    ///
    /// # Errors
    /// Stdout is closed or broken.
    pub(super) fn announce(&self, output: &Output, name: &str) -> Result<()> {
        let urls = self.urls();
        for url in &urls {
            output.line(&Line::Listening { url: url.clone() })?;
        }
        if let Some(url) = urls.first() {
            output.say(&format!(
                "You host the server. The other side types: letsmeet call {name} --name YOU --server {url}"
            ))?;
        }
        Ok(())
    }

    /// Says goodbye to whoever is connected and stops.
    ///
    /// # Errors
    /// The server had failed while it ran.
    pub(super) async fn stop(self) -> Result<()> {
        self.shutdown.cancel();
        Ok(self.serving.await.map_err(anyhow::Error::from)??)
    }
}

fn url(address: SocketAddr) -> String {
    format!("ws://{address}")
}
