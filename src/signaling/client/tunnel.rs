//! A connection through an HTTP proxy by CONNECT (RFC 9110, section 9.3.6).
//!
//! Owns the request and the reading of the answer, which is not trusted: it is bounded in size and time, and nothing of
//! it is shown but its status. What goes through the tunnel is the caller's.

use std::io;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::StatusCode;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::proxy::{Proxy, bracketed};

/// How long it may take until the proxy has connected.
const WITHIN: Duration = Duration::from_secs(8);
/// Bytes of the answer's head; a longer one is no answer.
const MAX_HEAD: usize = 8 * 1024;

/// Why there is no tunnel. Names the proxy, never its password.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The proxy itself is out of reach.
    #[error("cannot reach the proxy {proxy}: {reason}")]
    Unreachable { proxy: String, reason: String },
    /// It wants to know who we are, or does not believe it.
    #[error("the proxy {proxy} {} (in the variable: http://USER:PASSWORD@HOST:PORT)", if *told { "refuses this user name and password" } else { "wants a user name and a password" })]
    Credentials { proxy: String, told: bool },
    /// It does not connect.
    #[error("the proxy {proxy} does not connect to {target}: it answered {status}")]
    Refused { proxy: String, target: String, status: StatusCode },
    /// What it says makes no sense.
    #[error("the proxy {proxy} does not speak HTTP: {why}")]
    Nonsense { proxy: String, why: &'static str },
    /// It says nothing.
    #[error("the proxy {proxy} did not answer within {} s", WITHIN.as_secs())]
    Silent { proxy: String },
}

impl Error {
    /// Whether the same again cannot help.
    pub(super) fn is_final(&self) -> bool {
        match self {
            Error::Credentials { .. } => true,
            // 503, 502 and the like are about the server behind it, which may come.
            Error::Refused { status, .. } => {
                status.is_client_error() && *status != StatusCode::TOO_MANY_REQUESTS
            }
            Error::Unreachable { .. } | Error::Nonsense { .. } | Error::Silent { .. } => false,
        }
    }
}

/// A connection to a host and port behind the proxy.
///
/// # Errors
/// [`Error`]
pub(super) async fn open(proxy: &Proxy, host: &str, port: u16) -> Result<TcpStream, Error> {
    let opening = async {
        let mut stream = TcpStream::connect((proxy.host(), proxy.port()))
            .await
            .map_err(|error| Error::Unreachable { proxy: proxy.to_string(), reason: error.to_string() })?;
        // Failing only costs time.
        let _ = stream.set_nodelay(true);
        connect(&mut stream, proxy, &format!("{}:{port}", bracketed(host))).await?;
        Ok(stream)
    };
    timeout(WITHIN, opening).await.unwrap_or_else(|_| Err(Error::Silent { proxy: proxy.to_string() }))
}

/// Asks for `target` and reads the answer, and not a byte of what comes behind it.
async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    proxy: &Proxy,
    target: &str,
) -> Result<(), Error> {
    let broken = |error: io::Error| {
        let reason = match error.kind() {
            io::ErrorKind::UnexpectedEof => "it closed the connection".to_owned(),
            _ => error.to_string(),
        };
        Error::Unreachable { proxy: proxy.to_string(), reason }
    };
    let nonsense = |why| Error::Nonsense { proxy: proxy.to_string(), why };
    stream.write_all(request(proxy, target).as_bytes()).await.map_err(broken)?;
    let mut head = Vec::new();
    let status = loop {
        let mut bytes = [0u8; 512];
        let read = stream.read(&mut bytes).await.map_err(broken)?;
        if read == 0 {
            return Err(broken(io::ErrorKind::UnexpectedEof.into()));
        }
        head.extend_from_slice(&bytes[..read]);
        match answer(&head).map_err(nonsense)? {
            // The server behind it waits for us to begin: these bytes are not its own.
            Some((status, end)) if status.is_success() && end < head.len() => {
                return Err(nonsense("it says more than its answer"));
            }
            Some((status, _)) => break status,
            None if head.len() >= MAX_HEAD => return Err(nonsense("its answer does not end")),
            None => {}
        }
    };
    let named = proxy.to_string();
    if status.is_success() {
        Ok(())
    } else if status == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
        Err(Error::Credentials { told: proxy.credentials().is_some(), proxy: named })
    } else {
        Err(Error::Refused { proxy: named, target: target.to_owned(), status })
    }
}

fn request(proxy: &Proxy, target: &str) -> String {
    let credentials = proxy.credentials().map_or_else(String::new, |credentials| {
        format!("Proxy-Authorization: Basic {}\r\n", STANDARD.encode(credentials))
    });
    let agent = concat!("letsmeet/", env!("CARGO_PKG_VERSION"));
    format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{credentials}User-Agent: {agent}\r\n\r\n")
}

/// The status, and where the head ends (RFC 9112, section 4). None as long as it is not whole.
fn answer(bytes: &[u8]) -> Result<Option<(StatusCode, usize)>, &'static str> {
    const VERSION: &[u8] = b"HTTP/1.";
    let begun = bytes.len().min(VERSION.len());
    if bytes[..begun] != VERSION[..begun] {
        return Err("its answer is something else");
    }
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let line = bytes[..end].split(|byte| *byte == b'\r').next().unwrap_or_default();
    let status = match line.get(VERSION.len()..) {
        Some([minor, b' ', code @ ..]) if minor.is_ascii_digit() => match code {
            [_, _, _] | [_, _, _, b' ', ..] => StatusCode::from_bytes(&code[..3]).ok(),
            _ => None,
        },
        _ => None,
    };
    Ok(Some((status.ok_or("its answer has no status")?, end + 4)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::duplex;

    use super::super::proxy::Proxies;
    use super::*;

    fn proxy(text: &str) -> Proxy {
        let proxies = Proxies::read(|name| (name == "https_proxy").then(|| text.to_owned()));
        proxies.for_url(&"wss://a.example/".parse().unwrap()).unwrap().unwrap()
    }

    /// What comes of it when the proxy says `bytes` and closes, and what it was asked.
    async fn says(proxy: &Proxy, bytes: &[u8]) -> (Result<(), Error>, String) {
        let (mut ours, mut theirs) = duplex(64 * 1024);
        theirs.write_all(bytes).await.unwrap();
        theirs.shutdown().await.unwrap();
        let result = connect(&mut ours, proxy, "a.example:443").await;
        drop(ours);
        let mut asked = String::new();
        theirs.read_to_string(&mut asked).await.unwrap();
        (result, asked)
    }

    #[tokio::test]
    async fn a_tunnel_is_asked_for_with_credentials_only_where_there_are_some() {
        let (open, asked) =
            says(&proxy("me:pw@p"), b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n").await;
        open.unwrap();
        assert!(asked.starts_with("CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n"), "{asked}");
        assert!(
            asked.contains("Proxy-Authorization: Basic bWU6cHc=\r\n") && asked.ends_with("\r\n\r\n"),
            "{asked}"
        );
        let (open, asked) = says(&proxy("p"), b"HTTP/1.0 200\r\n\r\n").await;
        open.unwrap();
        assert!(!asked.contains("Authorization"), "{asked}");
    }

    #[tokio::test]
    async fn every_other_answer_says_which_proxy_and_why() {
        for (bytes, sentence, is_final) in [
            (
                &b"HTTP/1.1 407 Who are you?\r\nContent-Length: 2\r\n\r\nno"[..],
                "refuses this user name",
                true,
            ),
            (
                b"HTTP/1.1 403 \x1b[31mNo\r\n\r\n",
                "does not connect to a.example:443: it answered 403 Forbidden",
                true,
            ),
            (b"HTTP/1.1 503 Later\r\n\r\n", "it answered 503", false),
            (b"HTTP/1.1 200 OK\r\n\r\nSSH-2.0", "says more than its answer", false),
            (b"SSH-2.0-OpenSSH\r\n\r\n", "is something else", false),
            (b"HTTP/1.1 2000 OK\r\n\r\n", "has no status", false),
            (b"HTTP/1.1 20", "closed the connection", false),
            (b"", "closed the connection", false),
        ] {
            let (result, _) = says(&proxy("me:secret@p"), bytes).await;
            let error = result.unwrap_err();
            let said = error.to_string();
            assert!(said.contains(sentence) && said.contains("proxy http://p:80 (https_proxy)"), "{said}");
            assert!(!said.contains("secret") && !said.contains('\u{1b}'), "{said}");
            assert_eq!(error.is_final(), is_final, "{said}");
        }
        let error = says(&proxy("p"), b"HTTP/1.1 407 x\r\n\r\n").await.0.unwrap_err().to_string();
        assert!(error.contains("wants a user name and a password"), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_without_end_and_a_silent_proxy_are_given_up() {
        let endless = [b"HTTP/1.1 200 OK\r\n".to_vec(), b"a: b\r\n".repeat(5000)].concat();
        let error = says(&proxy("p"), &endless).await.0.unwrap_err().to_string();
        assert!(error.contains("does not end"), "{error}");
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let silent = proxy(&listener.local_addr().unwrap().to_string());
        assert!(matches!(open(&silent, "a.example", 443).await, Err(Error::Silent { .. })));
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic_or_read_on_without_end(bytes: Vec<u8>, rest in "HTTP/1\\.1 [0-9]{3}[ \r\n]{0,6}[^\\x00]*") {
            for bytes in [&bytes[..], rest.as_bytes()] {
                if let Ok(Some((status, end))) = answer(bytes) {
                    prop_assert!(end <= bytes.len() && bytes.starts_with(b"HTTP/1."));
                    prop_assert!(bytes[..end].ends_with(b"\r\n\r\n") && status.as_u16() >= 100);
                }
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                // It ends: as a tunnel, or with an error.
                let _ = runtime.block_on(says(&proxy("p"), bytes));
            }
        }
    }
}
