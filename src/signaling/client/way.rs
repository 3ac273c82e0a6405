//! How servers are reached: whose certificates are accepted, and through which proxy.
//!
//! Owns the socket up to where the WebSocket handshake begins, and the settings of the look-up's HTTP client, so that
//! both go the same way. Knows nothing of logins; [`dial`](super::dial) and [`resolve`](mod@super::resolve) use it.

use std::error::Error;
use std::sync::Arc;

use reqwest::redirect::{Attempt, Policy};
use reqwest::{ClientBuilder, Url};
use tokio::net::TcpStream;
use tokio_tungstenite::Connector;

use super::proxy::{BadProxy, Proxies, bare};
use super::{Failure, Refusal, ServerAddress, tunnel};
use crate::tls::{self, Certificate, Trust};

/// Redirects that a look-up follows.
const REDIRECTS: usize = 3;

/// Whom to trust and through what to go.
#[derive(Debug, Clone, Default)]
pub struct Way {
    /// The authorities whose certificates are accepted; none means those of the system.
    pub trust: Option<Trust>,
    /// The proxies of the environment.
    pub proxies: Proxies,
}

impl Way {
    /// Whether the proxy for a server, if there is one, can be used.
    ///
    /// # Errors
    /// [`BadProxy`]
    pub fn check(&self, server: &ServerAddress) -> Result<(), BadProxy> {
        self.proxies.for_url(server.url()).map(drop)
    }

    /// A connection to where a ws or wss URL leads, and what makes TLS of it if that is wanted.
    pub(super) async fn open(&self, url: &Url) -> Result<(TcpStream, Connector), Failure> {
        let host = bare(url.host_str().unwrap_or_default());
        let port = url.port_or_known_default().unwrap_or_default();
        // First, because it may fail for good.
        let connector = match url.scheme() {
            "wss" => Connector::Rustls(Arc::clone(self.trusted().await?.config())),
            _ => Connector::Plain,
        };
        let stream = match self.proxies.for_url(url)? {
            Some(proxy) => tunnel::open(&proxy, host, port).await?,
            None => {
                let stream = TcpStream::connect((host, port))
                    .await
                    .map_err(|error| Failure::Later(format!("cannot reach {url}: {error}")))?;
                // A frame is a message: it must not wait for the next one. Failing only costs time.
                let _ = stream.set_nodelay(true);
                stream
            }
        };
        Ok((stream, connector))
    }

    /// An HTTP client that goes the same way to `url`.
    pub(super) async fn http(&self, url: &Url) -> Result<ClientBuilder, Failure> {
        // Its own look at the environment follows other rules.
        let mut client = ClientBuilder::new().no_proxy();
        self.proxies.for_url(url)?;
        if self.proxies != Proxies::default() {
            let proxies = self.proxies.clone();
            client = client.proxy(reqwest::Proxy::custom(move |url| {
                // What cannot be used ended above, or ends at the redirect that leads to it.
                proxies.for_url(url).ok().flatten().map(|proxy| proxy.url().clone())
            }));
        }
        if url.scheme() == "https" || self.trust.is_some() {
            let config = tls::ClientConfig::clone(self.trusted().await?.config());
            client = client.tls_backend_preconfigured(config);
        }
        let proxies = self.proxies.clone();
        let follow = move |attempt: Attempt<'_>| match proxies.for_url(attempt.url()) {
            Err(error) => attempt.error(error),
            Ok(_) if attempt.previous().len() > REDIRECTS => attempt.error("too many redirects"),
            Ok(_) => attempt.follow(),
        };
        Ok(client.redirect(Policy::custom(follow)))
    }

    /// What a failure to reach `url` means.
    pub(super) fn failure(&self, url: &Url, error: &(dyn Error + 'static)) -> Failure {
        let host = url.host_str().unwrap_or_default();
        if let Some(fault) = Certificate::fault_in(error, bare(host)) {
            return Failure::Never(Refusal::Certificate, format!("the certificate of {host} {fault}"));
        }
        let proxy = self.proxies.for_url(url).ok().flatten();
        let cause = root_cause(error);
        if let Some(proxy) = &proxy
            && cause.contains("proxy authorization required")
        {
            let told = proxy.credentials().is_some();
            return tunnel::Error::Credentials { proxy: proxy.to_string(), told }.into();
        }
        let by = proxy.map_or_else(String::new, |proxy| format!(" by the proxy {proxy}"));
        let hint = match tls::within(error) {
            Some(rustls::Error::InvalidMessage(_)) => " (it does not speak TLS: try http:// or ws://)",
            _ => "",
        };
        Failure::Later(format!("cannot reach {url}{by}: {cause}{hint}"))
    }

    async fn trusted(&self) -> Result<Trust, Failure> {
        let trust = Trust::or_system(self.trust.clone()).await;
        trust.map_err(|error| Failure::Never(Refusal::Certificate, error.to_string()))
    }
}

/// The innermost cause: the layers around it only say that a request failed.
fn root_cause(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
