//! Makes one connection to a server, over TCP or TLS, or says why not. Knows nothing of STUN.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use thiserror::Error;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;
use tokio_util::either::Either;

use super::framing;
use super::tcp::Tcp;
use crate::tls::{self, Certificate, Trust};

/// How long one address may take to accept. A lost SYN is sent again after one and after three seconds.
pub(in crate::rtc) const CONNECT_WITHIN: Duration = Duration::from_secs(4);
/// How long the TLS handshake may take.
pub(in crate::rtc) const HANDSHAKE_WITHIN: Duration = Duration::from_secs(5);
/// Addresses of a name that are tried, one after the other.
const MAX_ADDRESSES: usize = 3;

/// Where a connection leads.
#[derive(Debug, Clone)]
pub(in crate::rtc) struct Endpoint {
    /// The server's addresses, best first.
    pub(in crate::rtc) addresses: Vec<SocketAddr>,
    /// The name or address in the server's URL: what a certificate must be for.
    pub(in crate::rtc) host: String,
    /// Whose certificates are accepted; plain TCP without.
    pub(in crate::rtc) tls: Option<Trust>,
}

/// Why there is no connection, or no more.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Error {
    /// The server has no address of the family of the local one.
    #[error("{host} has no address that can be reached from {from}")]
    NoAddress {
        /// The server.
        host: String,
        /// The local address.
        from: IpAddr,
    },
    /// The local address cannot be used.
    #[error("cannot connect from {from}: {reason}")]
    Bind {
        /// The local address.
        from: IpAddr,
        /// What the system says.
        reason: String,
    },
    /// The server, or something before it, refuses: nothing listens there.
    #[error("{to} refuses TCP connections (is the server running, and is the port right?)")]
    Refused {
        /// The server's address.
        to: SocketAddr,
    },
    /// Nothing came back.
    #[error("no TCP connection to {to} within {} s (a firewall may drop it)", within.as_secs())]
    ConnectTimeout {
        /// The server's address.
        to: SocketAddr,
        /// How long was waited.
        within: Duration,
    },
    /// Any other failure to connect.
    #[error("no TCP connection to {to}: {reason}")]
    Connect {
        /// The server's address.
        to: SocketAddr,
        /// What the system says.
        reason: String,
    },
    /// The certificate is not accepted.
    #[error("the certificate of {host} {fault}")]
    Certificate {
        /// The server.
        host: String,
        /// What is wrong with it.
        fault: Certificate,
    },
    /// The TLS handshake failed for another reason.
    #[error("no TLS with {host}: {reason} (is this its TLS port?)")]
    Handshake {
        /// The server.
        host: String,
        /// What the TLS library says.
        reason: String,
    },
    /// The server accepted the connection and said nothing.
    #[error("{host} does not answer the TLS handshake within {} s (is this its TLS port?)", within.as_secs())]
    HandshakeTimeout {
        /// The server.
        host: String,
        /// How long was waited.
        within: Duration,
    },
    /// The server closed the connection.
    #[error("the server closed the connection")]
    Closed,
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// What came is not STUN.
    #[error(transparent)]
    Framing(#[from] framing::Error),
}

/// A connection that is up, without TLS or with it.
pub(in crate::rtc) type Connection = Either<Tcp, Box<TlsStream<Tcp>>>;

/// Connects from `from`, or from wherever the system likes if that is unspecified, to the first address
/// of its family that accepts.
///
/// # Errors
/// [`enum@Error`], of the last address that was tried.
pub(in crate::rtc) async fn connect(endpoint: &Endpoint, from: IpAddr) -> Result<Connection, Error> {
    let same_family = endpoint.addresses.iter().filter(|to| to.is_ipv4() == from.is_ipv4());
    let mut last = Error::NoAddress { host: endpoint.host.clone(), from };
    for to in same_family.take(MAX_ADDRESSES) {
        match open(*to, from).await {
            Ok(stream) => return secure(stream, endpoint).await,
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn open(to: SocketAddr, from: IpAddr) -> Result<Tcp, Error> {
    let unusable = |error: io::Error| Error::Bind { from, reason: error.to_string() };
    let socket = if to.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }.map_err(unusable)?;
    if !from.is_unspecified() {
        socket.bind(SocketAddr::new(from, 0)).map_err(unusable)?;
    }
    let stream = match timeout(CONNECT_WITHIN, socket.connect(to)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
            return Err(Error::Refused { to });
        }
        Ok(Err(error)) => return Err(Error::Connect { to, reason: error.to_string() }),
        Err(_) => return Err(Error::ConnectTimeout { to, within: CONNECT_WITHIN }),
    };
    Ok(Tcp::new(stream))
}

async fn secure(stream: Tcp, endpoint: &Endpoint) -> Result<Connection, Error> {
    let Some(trust) = &endpoint.tls else {
        return Ok(Either::Left(stream));
    };
    let host = || endpoint.host.clone();
    let name = tls::server_name(&endpoint.host)
        .ok_or_else(|| Error::Handshake { host: host(), reason: "not a host name".to_owned() })?;
    match timeout(HANDSHAKE_WITHIN, trust.connector().connect(name, stream)).await {
        Ok(Ok(stream)) => Ok(Either::Right(Box::new(stream))),
        Ok(Err(error)) => Err(handshake(error, &endpoint.host)),
        Err(_) => Err(Error::HandshakeTimeout { host: host(), within: HANDSHAKE_WITHIN }),
    }
}

/// What the TLS library says, in our words.
fn handshake(error: io::Error, host: &str) -> Error {
    let host = host.to_owned();
    let Some(inner) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) else {
        let reason = match error.kind() {
            io::ErrorKind::UnexpectedEof => "the server closed the connection".to_owned(),
            _ => error.to_string(),
        };
        return Error::Handshake { host, reason };
    };
    match (Certificate::fault(inner, &host), inner) {
        (Some(fault), _) => Error::Certificate { host, fault },
        (None, rustls::Error::InvalidMessage(_)) => {
            Error::Handshake { host, reason: "what it sent is not TLS".to_owned() }
        }
        (None, other) => Error::Handshake { host, reason: other.to_string() },
    }
}

/// The socket below a connection, for its addresses.
pub(in crate::rtc) fn socket(connection: &Connection) -> &TcpStream {
    match connection {
        Either::Left(stream) => stream.get(),
        Either::Right(stream) => stream.get_ref().0.get(),
    }
}

/// What a failure to read or write means.
pub(in crate::rtc) fn broken(error: &io::Error) -> Error {
    match error.kind() {
        // TLS says so when a server closes without saying goodbye.
        io::ErrorKind::UnexpectedEof => Error::Closed,
        _ => Error::Broken(error.to_string()),
    }
}
