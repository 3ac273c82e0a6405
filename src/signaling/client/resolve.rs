//! From what a person types after `--server` to the address of the WebSocket.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use reqwest::header::{HeaderMap, UPGRADE};
use reqwest::{Response, StatusCode, Url};

use super::{Failure, Way};
use crate::signaling::protocol::{ErrorCode, VERSION, WELL_KNOWN_PATH, WS_PATH, WellKnown};

/// The port of `letsmeet serve`, for a bare loopback or private address without one.
const DEFAULT_PORT: u16 = 7880;
/// Bytes of the document at `/.well-known/letsmeet`; a longer one is no such document.
const MAX_DOCUMENT: usize = 16 * 1024;
const TIMEOUT: Duration = Duration::from_secs(8);

/// A server as a person names it.
///
/// `host`, `host:port`, `http://..`, `https://..`, `ws://..` or `wss://..`. A bare host is asked over https,
/// or over http when it is a loopback or private address. A ws address with a path is used as it is; any
/// other is asked for `/.well-known/letsmeet`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerAddress {
    url: Url,
}

/// Where the WebSocket is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// A ws or wss address.
    pub url: String,
    /// Host, and port unless it is the usual one: what a challenge's `server` must be if not empty.
    pub host: String,
}

/// This is no address of a server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no server: {why} (try a host name, http://, https://, ws:// or wss://)")]
pub struct BadAddress {
    text: String,
    why: String,
}

impl FromStr for ServerAddress {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        let bad = |why: &str| BadAddress { text: text.to_owned(), why: why.to_owned() };
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return Err(bad("it is empty"));
        }
        let bare = !trimmed.contains("://");
        let mut url = if bare {
            // An IPv6 address without brackets is a host as well.
            let host = match trimmed.parse::<IpAddr>() {
                Ok(IpAddr::V6(address)) => format!("[{address}]"),
                _ => trimmed.to_owned(),
            };
            Url::parse(&format!("https://{host}"))
        } else {
            Url::parse(trimmed)
        }
        .map_err(|e| bad(&e.to_string()))?;
        if !matches!(url.scheme(), "http" | "https" | "ws" | "wss") {
            return Err(bad("its scheme is unknown"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(bad("it contains a user name"));
        }
        let Some(host) = url.host_str().filter(|h| !h.is_empty()) else {
            return Err(bad("it has no host"));
        };
        if bare && is_near(host) {
            // https swallows its own port, so whether one was given shows in the text.
            let explicit = trimmed.parse::<IpAddr>().is_err()
                && trimmed
                    .split('/')
                    .next()
                    .and_then(|authority| authority.rsplit_once(':'))
                    .is_some_and(|(_, port)| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()));
            let port = if explicit { url.port_or_known_default() } else { Some(DEFAULT_PORT) };
            url.set_scheme("http").map_err(|()| bad("it cannot be asked over http"))?;
            url.set_port(port).map_err(|()| bad("it cannot have a port"))?;
        }
        url.set_fragment(None);
        Ok(ServerAddress { url })
    }
}

impl ServerAddress {
    /// As it was understood.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Whether it is reached over TLS.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        matches!(self.url.scheme(), "https" | "wss")
    }

    /// Where the server says of itself what it is.
    fn document(&self) -> Url {
        let mut url = self.url.clone();
        url.set_path(WELL_KNOWN_PATH);
        url.set_query(None);
        let changed = url.set_scheme(if self.is_secure() { "https" } else { "http" });
        debug_assert!(changed.is_ok(), "all four schemes are special ones");
        url
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.url.fmt(f)
    }
}

/// Finds the WebSocket of a server, by `way`.
///
/// # Errors
/// A sentence for a person.
pub async fn resolve(server: &ServerAddress, way: &Way) -> Result<Endpoint, String> {
    find(server, way).await.map_err(|failure| failure.to_string())
}

/// Asks a server what it is, by `way`, and gives the answer as it came, with what is known of its certificate: for whoever
/// wants to know how it is reached.
///
/// # Errors
/// A sentence for a person; what can be done stands in parentheses at its end.
pub async fn ask(server: &ServerAddress, way: &Way, within: Duration) -> Result<Response, String> {
    request(&server.document(), way, within).await.map_err(|failure| failure.to_string())
}

pub(super) async fn find(server: &ServerAddress, way: &Way) -> Result<Endpoint, Failure> {
    let given = &server.url;
    if matches!(given.scheme(), "ws" | "wss") && given.path() != "/" {
        return Ok(endpoint(given));
    }
    let (ask, secure) = (server.document(), server.is_secure());
    let document = fetch(ask.clone(), way).await?;
    if !document.protocols.contains(&VERSION) {
        return Err(Failure::Never(
            ErrorCode::ProtocolVersion.into(),
            format!("{server} speaks protocols {:?}, this client {VERSION}", document.protocols),
        ));
    }
    let nowhere = || Failure::Never(ErrorCode::Malformed.into(), format!("{server} names no WebSocket"));
    let mut url = ask.join(&document.ws).map_err(|_| nowhere())?;
    let scheme = match url.scheme() {
        "https" | "wss" => "wss",
        "http" | "ws" if !secure => "ws",
        // A page fetched over TLS must not send the client away from it.
        _ => return Err(nowhere()),
    };
    url.set_scheme(scheme).map_err(|()| nowhere())?;
    Ok(endpoint(&url))
}

async fn request(url: &Url, way: &Way, within: Duration) -> Result<Response, Failure> {
    super::install_crypto();
    let failed = |error: reqwest::Error| way.failure(url, &error);
    let client = way.http(url).await?.timeout(within).tls_info(true);
    let client = client.https_only(url.scheme() == "https").build().map_err(failed)?;
    client.get(url.clone()).send().await.map_err(failed)
}

async fn fetch(url: Url, way: &Way) -> Result<WellKnown, Failure> {
    let failed = |error: reqwest::Error| way.failure(&url, &error);
    let mut response = request(&url, way, TIMEOUT).await?;
    if response.status() == StatusCode::NOT_FOUND {
        let message = format!("{url} does not exist: is this a letsmeet server?");
        return Err(Failure::Never(ErrorCode::Malformed.into(), message));
    }
    if wants_tls(response.status(), response.headers()) {
        let message = format!("{url} speaks TLS only (use https:// or wss://)");
        return Err(Failure::Never(ErrorCode::Malformed.into(), message));
    }
    if !response.status().is_success() {
        return Err(Failure::Later(format!("{url} answered {}", response.status())));
    }
    let mut document = Vec::new();
    while let Some(part) = response.chunk().await.map_err(failed)? {
        document.extend_from_slice(&part);
        if document.len() > MAX_DOCUMENT {
            break;
        }
    }
    serde_json::from_slice(&document).map_err(|_| {
        let message = format!("{url} is not what a letsmeet server says of itself");
        Failure::Never(ErrorCode::Malformed.into(), message)
    })
}

fn endpoint(url: &Url) -> Endpoint {
    let mut url = url.clone();
    if url.path() == "/" {
        url.set_path(WS_PATH);
    }
    let host = url.host_str().unwrap_or_default();
    let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    Endpoint { url: url.into(), host }
}

/// Whether a server says that it speaks TLS (RFC 2817, section 4.2).
pub(super) fn wants_tls(status: StatusCode, headers: &HeaderMap) -> bool {
    status == StatusCode::UPGRADE_REQUIRED
        && headers.get(UPGRADE).is_some_and(|to| to.as_bytes().starts_with(b"TLS"))
}

/// Loopback and private addresses, where a server without TLS is usual.
fn is_near(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    match bare.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(IpAddr::V4(a)) => a.is_loopback() || a.is_private() || a.is_link_local() || a.is_unspecified(),
        Ok(IpAddr::V6(a)) => {
            a.is_loopback() || a.is_unique_local() || a.is_unicast_link_local() || a.is_unspecified()
        }
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::super::Proxies;
    use super::*;

    fn parsed(text: &str) -> String {
        text.parse::<ServerAddress>().map_or_else(|e| e.to_string(), |a| a.to_string())
    }

    #[test]
    fn what_a_person_types_becomes_an_address() {
        for (text, address) in [
            ("calls.example", "https://calls.example/"),
            ("calls.example:8443", "https://calls.example:8443/"),
            ("127.0.0.1:7990", "http://127.0.0.1:7990/"),
            ("127.0.0.1", "http://127.0.0.1:7880/"),
            ("localhost:443", "http://localhost:443/"),
            ("localhost:80", "http://localhost/"),
            ("::1", "http://[::1]:7880/"),
            ("[::1]:80", "http://[::1]/"),
            ("192.168.1.5:7880", "http://192.168.1.5:7880/"),
            ("http://calls.example", "http://calls.example/"),
            ("wss://calls.example/v1/ws", "wss://calls.example/v1/ws"),
        ] {
            assert_eq!(parsed(text), address, "{text}");
        }
        for text in ["", "ftp://x", "https://me:pw@calls.example", "http://", "a b", "\u{1b}[31m"] {
            assert!(parsed(text).contains("is no server"), "{text:?} -> {}", parsed(text));
        }
    }

    #[tokio::test]
    async fn a_whole_ws_address_is_not_asked_about() {
        let found = find(&"ws://127.0.0.1:1/v1/ws".parse().unwrap(), &Way::default()).await.unwrap();
        assert_eq!(found.url, "ws://127.0.0.1:1/v1/ws");
        assert_eq!(found.host, "127.0.0.1:1");
        let unreachable = find(&"127.0.0.1:1".parse().unwrap(), &Way::default()).await;
        assert!(matches!(unreachable, Err(Failure::Later(_))));
    }

    #[tokio::test]
    async fn a_server_without_tls_is_looked_up_through_the_proxy_that_the_environment_names() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let proxy = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            let document = r#"{"ws":"/there","protocols":[1]}"#;
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{document}", document.len());
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8(head).unwrap()
        });
        let proxies =
            Proxies::read(|name| (name == "http_proxy").then(|| format!("http://me:p%77@{address}")));
        let way = Way { proxies, ..Way::default() };
        let found = find(&"http://calls.test".parse().unwrap(), &way).await.unwrap();
        assert_eq!(found.url, "ws://calls.test/there");
        let asked = proxy.await.unwrap();
        assert!(asked.starts_with("GET http://calls.test/.well-known/letsmeet HTTP/1.1\r\n"), "{asked}");
        assert!(asked.to_ascii_lowercase().contains("proxy-authorization: basic bwu6chc=\r\n"), "{asked}");
    }
}
