//! Which servers the library is told of. It knows STUN and TURN over UDP: a TURN server that is reached
//! over TCP or TLS is told to it under an address that stands for it (see `stream`).

use super::config::IceServer;
use super::runtime::Names;
use super::server_url::{Scheme, ServerUrl, Transport};
use super::stream::{Endpoint, Routes, Trust};

/// What a connection is built with.
#[derive(Debug, Default)]
pub(super) struct Servers {
    /// For the library.
    pub(super) told: Vec<IceServer>,
    /// What its URLs resolve to.
    pub(super) names: Names,
    /// Behind which of these addresses there is a stream.
    pub(super) routes: Routes,
}

impl Servers {
    /// Looks up all names at once. Servers without an address, and those over TLS when there is nothing
    /// to check certificates with, are left out with a warning.
    pub(super) async fn prepare(servers: Vec<IceServer>, trust: Option<Trust>) -> Self {
        let parsed: Vec<(IceServer, Vec<ServerUrl>)> = servers
            .into_iter()
            .map(|server| {
                let urls = server.urls.iter().filter_map(|url| url.parse().ok()).collect();
                (server, urls)
            })
            .collect();
        let all = || parsed.iter().flat_map(|(_, urls)| urls);
        let mut hosts: Vec<String> = all().map(host).collect();
        hosts.sort_unstable();
        hosts.dedup();
        let secure = all().any(|url| url.transport == Transport::Tls);
        let (found, trust) = tokio::join!(Names::look_up(hosts), authorities(trust, secure));
        let mut prepared = Self::default();
        for (server, urls) in &parsed {
            let told = urls.iter().filter_map(|url| prepared.tell(url, &found, trust.as_ref())).collect();
            prepared.told.push(IceServer { urls: told, ..server.clone() });
        }
        prepared.told.retain(|server| !server.urls.is_empty());
        prepared
    }

    /// The URL under which the library is told of a server.
    fn tell(&mut self, url: &ServerUrl, found: &Names, trust: Option<&Trust>) -> Option<String> {
        let addresses = found.find(&host(url))?.to_vec();
        if url.transport == Transport::Udp {
            self.names.insert(host(url), addresses);
            return Some(url.to_string());
        }
        let tls = match url.transport {
            Transport::Tls => Some(trust?.clone()),
            Transport::Udp | Transport::Tcp => None,
        };
        let placeholder = self.routes.add(Endpoint { addresses, host: url.host.clone(), tls })?;
        self.names.insert(format!("{}:{}", placeholder.host, placeholder.port), placeholder.addresses);
        Some(format!("turn:{}:{}?transport=udp", placeholder.host, placeholder.port))
    }

    /// Whether there is a TURN server among them.
    pub(super) fn relay(&self) -> bool {
        self.told.iter().any(|server| server.urls.iter().any(|url| url.starts_with("turn:")))
    }
}

/// `host:port`, as the library asks for it.
fn host(url: &ServerUrl) -> String {
    format!("{}:{}", url.host, url.port)
}

/// Whom to trust, if anybody needs to be trusted.
async fn authorities(given: Option<Trust>, needed: bool) -> Option<Trust> {
    if given.is_some() || !needed {
        return given;
    }
    match Trust::or_system(None).await {
        Ok(trust) => Some(trust),
        Err(error) => {
            tracing::warn!("TURN servers over TLS are left out: {error}");
            None
        }
    }
}

/// Whether a server can be used for a call: STUN over UDP, TURN over anything but DTLS.
pub(super) fn usable(url: &str) -> Option<ServerUrl> {
    let url: ServerUrl = url.parse().ok()?;
    (url.scheme == Scheme::Turn || url.transport == Transport::Udp).then_some(url)
}
