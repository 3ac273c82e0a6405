//! The server's own TLS: a certificate and its key from two files, and new ones when the files change.
//!
//! Owns what new connections are shown. A pair that cannot be used is told and the one before stays; a connection
//! keeps what it began with. Knows nothing of HTTP but the one answer to who speaks it without TLS. The
//! accepting task drives it, and [`Tls::watch`] runs beside it.

use std::fmt;
use std::fs::{self, File, Metadata};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::ServerConfig;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;
use tokio_util::sync::CancellationToken;

/// A client's socket: as it came, also behind a proxy that took the TLS off, or after the handshake. What TLS needs is on the heap, so
/// that a plain connection does not pay for it.
pub(crate) type Stream = Either<TcpStream, Box<TlsStream<TcpStream>>>;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Bytes of a file at most. A chain with its key has a few thousand.
const LARGEST: u64 = 1 << 20;
/// The first byte of a TLS connection: a handshake record (RFC 8446, section 5.1).
const HANDSHAKE: u8 = 22;
/// The answer to HTTP without TLS (RFC 2817, section 4.2).
const SPEAK_TLS: &[u8] =
    b"HTTP/1.1 426 Upgrade Required\r\nupgrade: TLS/1.2, HTTP/1.1\r\nconnection: Upgrade, close\r\n\
    content-type: text/plain\r\ncontent-length: 46\r\n\r\nthis server speaks TLS: use https:// or wss://";

/// A certificate that is shown to clients. Cheap to clone; clones are one.
#[derive(Clone)]
pub struct Tls(Arc<Inner>);

struct Inner {
    certificate: PathBuf,
    key: PathBuf,
    current: Mutex<Current>,
}

struct Current {
    acceptor: TlsAcceptor,
    /// The files as they were when they were read last, whatever came of it.
    read: Stamps,
}

/// Why a certificate and a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file holds something else.
    #[error("{} is not usable: {reason} (a PEM file with BEGIN {wanted} is needed)", path.display())]
    Content {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
        /// What was looked for.
        wanted: &'static str,
    },
    /// Both can be read, and do not fit.
    #[error("the key in {} is not that of the certificate in {} (its first one must be the server's own)", key.display(), certificate.display())]
    Mismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// The TLS library refuses.
    #[error("tls cannot be set up: {0}")]
    Library(String),
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("certificate", &self.0.certificate).finish_non_exhaustive()
    }
}

impl Tls {
    /// Reads both files (PEM): the certificate with those that lead to its authority behind it, and its key.
    ///
    /// # Errors
    /// [`Error`]
    pub fn load(certificate: PathBuf, key: PathBuf) -> Result<Tls, Error> {
        // Before they are read: what changes meanwhile is seen at the next look.
        let read = Stamps::of(&certificate, &key);
        let acceptor = acceptor(&certificate, &key)?;
        Ok(Tls(Arc::new(Inner { certificate, key, current: Mutex::new(Current { acceptor, read }) })))
    }

    /// Reads the files again. New connections are shown what is in them now; if that cannot be used, everything stays
    /// as it was.
    ///
    /// # Errors
    /// As [`Tls::load`].
    pub fn reload(&self) -> Result<(), Error> {
        let Inner { certificate, key, .. } = &*self.0;
        let read = Stamps::of(certificate, key);
        let acceptor = acceptor(certificate, key);
        let mut current = self.current();
        current.read = read;
        current.acceptor = acceptor?;
        Ok(())
    }

    /// [`Tls::reload`] where reading holds up nobody, with what came of it in the log.
    pub async fn renew(&self) {
        let tls = self.clone();
        match tokio::task::spawn_blocking(move || tls.reload()).await {
            Ok(Ok(())) => {
                tracing::info!(certificate = %self.0.certificate.display(), "the certificate was read again");
            }
            Ok(Err(error)) => tracing::warn!("the certificate from before stays in use: {error}"),
            Err(error) => tracing::warn!(%error, "the certificate was not read"),
        }
    }

    /// Looks at the files every now and then, and reads them when they have changed and are at rest.
    pub(super) async fn watch(self, stop: CancellationToken) {
        let mut seen = self.current().read;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            let tls = self.clone();
            let Ok(now) =
                tokio::task::spawn_blocking(move || Stamps::of(&tls.0.certificate, &tls.0.key)).await
            else {
                continue;
            };
            if self.is_due(&mut seen, now) {
                self.renew().await;
            }
        }
    }

    /// Whether the files, which look like `now`, are to be read. The two are written one after the other: not before
    /// two looks have found them the same.
    fn is_due(&self, seen: &mut Stamps, now: Stamps) -> bool {
        let at_rest = *seen == now;
        *seen = now;
        at_rest && self.current().read != now
    }

    /// The handshake with a client. It takes as long as the client takes: the caller has the deadline.
    ///
    /// # Errors
    /// The client does not speak TLS, which it is told if it speaks HTTP, or nothing that fits.
    pub(super) async fn accept(&self, mut stream: TcpStream) -> io::Result<Stream> {
        let mut first = [0u8];
        if stream.peek(&mut first).await? == 1 && first[0] != HANDSHAKE {
            tell(&mut stream).await?;
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the client does not speak TLS"));
        }
        let acceptor = self.current().acceptor.clone();
        acceptor.accept(stream).await.map(|stream| Stream::Right(Box::new(stream)))
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.0.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes a request without TLS and says that it needs one.
async fn tell(stream: &mut TcpStream) -> io::Result<()> {
    // What lies unread when a socket is closed makes the system take the answer back.
    let mut request = [0u8; 4096];
    let _ = stream.read(&mut request).await?;
    stream.write_all(SPEAK_TLS).await?;
    stream.shutdown().await
}

/// What tells that a file is another one than before.
type Stamp = Option<(Option<SystemTime>, u64, [i64; 3])>;

/// Both files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamps(Stamp, Stamp);

impl Stamps {
    fn of(certificate: &Path, key: &Path) -> Stamps {
        let stamp = |path: &Path| {
            // Through links, as certbot sets them.
            let about = fs::metadata(path).ok()?;
            Some((about.modified().ok(), about.len(), identity(&about)))
        };
        Stamps(stamp(certificate), stamp(key))
    }
}

/// What changes also when a file is put in place with the old time.
#[cfg(unix)]
fn identity(about: &Metadata) -> [i64; 3] {
    use std::os::unix::fs::MetadataExt as _;
    [about.ino().cast_signed(), about.ctime(), about.ctime_nsec()]
}

#[cfg(not(unix))]
fn identity(_: &Metadata) -> [i64; 3] {
    [0; 3]
}

fn acceptor(certificate: &Path, key: &Path) -> Result<TlsAcceptor, Error> {
    let bad_certificate =
        |reason: String| Error::Content { path: certificate.to_owned(), reason, wanted: "CERTIFICATE" };
    let bad_key = |reason: String| Error::Content { path: key.to_owned(), reason, wanted: "PRIVATE KEY" };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&read(certificate)?)
        .collect::<Result<_, _>>()
        .map_err(|error| bad_certificate(error.to_string()))?;
    if chain.is_empty() {
        return Err(bad_certificate("no certificate in it".to_owned()));
    }
    warn_if_open(key);
    let private = PrivateKeyDer::from_pem_slice(&read(key)?).map_err(|error| {
        bad_key(match error {
            pem::Error::NoItemsFound => "no private key in it".to_owned(),
            other => other.to_string(),
        })
    })?;
    let provider = Arc::new(ring::default_provider());
    let certified = match CertifiedKey::from_der(chain, private, &provider) {
        Ok(certified) => certified,
        Err(rustls::Error::InconsistentKeys(_)) => {
            return Err(Error::Mismatch { certificate: certificate.to_owned(), key: key.to_owned() });
        }
        Err(rustls::Error::InvalidCertificate(fault)) => {
            return Err(bad_certificate(fault.to_string()));
        }
        Err(error) => return Err(bad_key(error.to_string())),
    };
    // With the settings go the sessions that could be resumed: whoever comes after a change sees the new certificate.
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Library(error.to_string()))?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let fail = |source| Error::Read { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    File::open(path).map_err(fail)?.take(LARGEST + 1).read_to_end(&mut bytes).map_err(fail)?;
    if bytes.len() as u64 > LARGEST {
        return Err(fail(io::Error::other(format!("larger than {LARGEST} bytes"))));
    }
    Ok(bytes)
}

/// Says so when every user of the machine can read the key.
#[cfg(unix)]
fn warn_if_open(key: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    if fs::metadata(key).is_ok_and(|about| about.permissions().mode() & 0o004 != 0) {
        let key = key.display();
        tracing::warn!("every user of this machine can read the key in {key} (chmod o-r {key})");
    }
}

#[cfg(not(unix))]
fn warn_if_open(_: &Path) {}

#[cfg(test)]
mod tests {
    use super::*;

    use rcgen::{CertificateParams, KeyPair};

    /// A self-signed certificate, and its key, in files.
    fn write(folder: &Path, name: &str) {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().self_signed(&key).unwrap();
        fs::write(folder.join("cert.pem"), certificate.pem()).unwrap();
        fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
    }

    fn load(folder: &Path) -> Result<Tls, Error> {
        Tls::load(folder.join("cert.pem"), folder.join("key.pem"))
    }

    /// Whether a client that trusts `ca` alone gets through the handshake.
    async fn is_shown(tls: &Tls, ca: &Path) -> bool {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        let trust = crate::tls::Trust::file(ca).unwrap();
        let name = crate::tls::server_name("localhost").unwrap();
        let (served, client) = tokio::join!(tls.accept(server), trust.connector().connect(name, client));
        assert_eq!(served.is_ok(), client.is_ok());
        client.is_ok()
    }

    #[tokio::test]
    async fn new_connections_see_the_new_certificate_and_a_broken_one_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let [old, new] = ["old.pem", "new.pem"].map(|name| path.join(name));
        write(path, "localhost");
        fs::copy(path.join("cert.pem"), &old).unwrap();
        let tls = load(path).unwrap();
        assert!(is_shown(&tls, &old).await);

        let key = fs::read(path.join("key.pem")).unwrap();
        write(path, "localhost");
        fs::copy(path.join("cert.pem"), &new).unwrap();
        let (certificate, fitting) = (fs::read(&new).unwrap(), fs::read(path.join("key.pem")).unwrap());
        fs::write(path.join("key.pem"), key).unwrap();
        assert!(matches!(tls.reload(), Err(Error::Mismatch { .. })), "half of the pair is the old one");
        assert!(is_shown(&tls, &old).await);

        fs::write(path.join("key.pem"), fitting).unwrap();
        tls.reload().unwrap();
        assert!(!is_shown(&tls, &old).await);
        assert!(is_shown(&tls, &new).await);

        fs::write(path.join("cert.pem"), &certificate[..certificate.len() / 2]).unwrap();
        assert!(matches!(tls.reload(), Err(Error::Content { .. })));
        fs::remove_file(path.join("cert.pem")).unwrap();
        assert!(matches!(tls.reload(), Err(Error::Read { .. })));
        assert!(is_shown(&tls, &new).await);
    }

    #[test]
    fn files_are_read_once_they_have_changed_and_are_at_rest() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "localhost");
        let tls = load(folder.path()).unwrap();
        let look = || Stamps::of(&folder.path().join("cert.pem"), &folder.path().join("key.pem"));
        let mut seen = look();
        assert!(!tls.is_due(&mut seen, look()), "nothing has changed");
        write(folder.path(), "localhost");
        assert!(!tls.is_due(&mut seen, look()), "it may still be written");
        assert!(tls.is_due(&mut seen, look()));
        tls.reload().unwrap();
        assert!(!tls.is_due(&mut seen, look()), "it was read");
        fs::write(folder.path().join("key.pem"), "nonsense").unwrap();
        assert!(!tls.is_due(&mut seen, look()));
        assert!(tls.is_due(&mut seen, look()));
        assert!(matches!(tls.reload(), Err(Error::Content { .. })));
        assert!(!tls.is_due(&mut seen, look()), "a broken one is told once");
    }

    #[tokio::test]
    async fn whoever_speaks_http_is_told_to_use_tls() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "localhost");
        let tls = load(folder.path()).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        assert!(tls.accept(server).await.is_err());
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 426 "), "{head}");
        assert!(head.contains(&format!("content-length: {}", body.len())), "{answer}");
    }
}
