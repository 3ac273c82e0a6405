//! Whose certificates a TLS server may show: always checked, against the system's authorities or
//! those of a file; and what is wrong with one, in words.
//!
//! Knows nothing of what goes through the connection. TURN over TLS (`rtc`) and the way to the signaling
//! server use it alike.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

pub use rustls::ClientConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, RootCertStore};

/// The authorities that are trusted. Cheap to clone; made once, for all connections.
#[derive(Clone)]
pub struct Trust(Arc<ClientConfig>);

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Trust")
    }
}

/// Why there are no authorities to trust.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// The file cannot be read, or is not PEM.
    #[error("cannot read certificates from {}: {reason} (a PEM file is needed)", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// The file holds no certificate that can be used.
    #[error("no usable certificate in {} (a PEM file with BEGIN CERTIFICATE is needed)", .0.display())]
    Empty(PathBuf),
    /// The system has no authorities.
    #[error(
        "this system has no certificate authorities: {0} (install ca-certificates, or name a file of them: --ca-file)"
    )]
    NoSystemRoots(String),
    /// The TLS library refuses its own settings.
    #[error("tls cannot be set up: {0}")]
    Library(String),
}

impl Trust {
    /// The authorities that this system trusts. The first time it reads files, which takes some milliseconds.
    ///
    /// # Errors
    /// [`TrustError::NoSystemRoots`], [`TrustError::Library`].
    pub fn system() -> Result<Self, TrustError> {
        static SYSTEM: OnceLock<Result<Trust, TrustError>> = OnceLock::new();
        SYSTEM.get_or_init(Self::load).clone()
    }

    fn load() -> Result<Self, TrustError> {
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        // A system has some that are broken: they are of no use, and no reason to do without the others.
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            let reasons: Vec<String> = found.errors.iter().map(ToString::to_string).collect();
            let reasons = if reasons.is_empty() { "none found".to_owned() } else { reasons.join("; ") };
            return Err(TrustError::NoSystemRoots(reasons));
        }
        Self::new(roots)
    }

    /// Those that are given, or else the system's, read where reading holds up nobody.
    ///
    /// # Errors
    /// As [`Trust::system`].
    pub async fn or_system(given: Option<Trust>) -> Result<Self, TrustError> {
        match given {
            Some(trust) => Ok(trust),
            None => match tokio::task::spawn_blocking(Self::system).await {
                Ok(trust) => trust,
                Err(error) => Err(TrustError::NoSystemRoots(error.to_string())),
            },
        }
    }

    /// The authorities of a PEM file, and no others.
    ///
    /// # Errors
    /// [`TrustError::File`], [`TrustError::Empty`], [`TrustError::Library`].
    pub fn file(path: &Path) -> Result<Self, TrustError> {
        let unreadable = |reason: rustls::pki_types::pem::Error| TrustError::File {
            path: path.to_owned(),
            reason: match reason {
                rustls::pki_types::pem::Error::Io(error) => error.to_string(),
                other => other.to_string(),
            },
        };
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(path).map_err(unreadable)? {
            roots.add_parsable_certificates([certificate.map_err(unreadable)?]);
        }
        if roots.is_empty() {
            return Err(TrustError::Empty(path.to_owned()));
        }
        Self::new(roots)
    }

    fn new(roots: RootCertStore) -> Result<Self, TrustError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| TrustError::Library(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self(Arc::new(config)))
    }

    /// Makes TLS of a connection.
    #[must_use]
    pub fn connector(&self) -> tokio_rustls::TlsConnector {
        tokio_rustls::TlsConnector::from(Arc::clone(&self.0))
    }

    /// The settings, for a library that makes its own connections.
    #[must_use]
    pub fn config(&self) -> &Arc<ClientConfig> {
        &self.0
    }
}

/// The name that the certificate must be for: a host name, which is also sent to the server (SNI, RFC
/// 6066), or an address, which is not. `None` when it is neither.
#[must_use]
pub fn server_name(host: &str) -> Option<ServerName<'static>> {
    ServerName::try_from(host.trim_end_matches('.').to_owned()).ok()
}

/// The TLS library's error within another one.
#[must_use]
pub fn within<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = match error.downcast_ref::<io::Error>() {
            // Asked for its source, it steps over what it holds.
            Some(error) => error.get_ref().map(|held| held as &(dyn Error + 'static)),
            None => error.source(),
        };
    }
    None
}

/// What is wrong with a server's certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Certificate {
    /// Its time is over.
    #[error("has expired (renew it on the server; or this machine's clock is wrong)")]
    Expired,
    /// Its time has not come.
    #[error("is not valid yet (this machine's clock may be wrong)")]
    NotYetValid,
    /// No trusted authority has signed it.
    #[error(
        "is signed by nobody that is trusted here \
         (--ca-file names a file of its authority; or the server leaves out intermediate certificates)"
    )]
    UnknownIssuer,
    /// It is an authority's own certificate, as self-signed ones often are.
    #[error(
        "is that of an authority and not of a server (self-signed: make it with CA:FALSE, or have it signed)"
    )]
    Authority,
    /// It is for other names.
    #[error("is for {presented}, not for {wanted} (use a name that it is for)")]
    WrongName {
        /// The name in the URL.
        wanted: String,
        /// Those in the certificate, or `other names`.
        presented: String,
    },
    /// It was revoked.
    #[error("was revoked")]
    Revoked,
    /// Anything else.
    #[error("is not usable: {0}")]
    Other(String),
}

impl Certificate {
    /// The fault that the TLS library found with the certificate of `host`. `None`: it is another one.
    #[must_use]
    pub fn fault(error: &rustls::Error, host: &str) -> Option<Self> {
        let rustls::Error::InvalidCertificate(fault) = error else {
            return None;
        };
        Some(match fault {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Self::NotYetValid,
            // A bad signature: an authority of a trusted name, with another key.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => Self::UnknownIssuer,
            CertificateError::Revoked => Self::Revoked,
            CertificateError::NotValidForName => Self::wrong_name(host, &[]),
            CertificateError::NotValidForNameContext { presented, .. } => Self::wrong_name(host, presented),
            CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
                Self::Authority
            }
            other => Self::Other(other.to_string()),
        })
    }

    /// The same, where the TLS library's error lies somewhere within another one.
    #[must_use]
    pub fn fault_in(error: &(dyn Error + 'static), host: &str) -> Option<Self> {
        Self::fault(within(error)?, host)
    }

    fn wrong_name(wanted: &str, presented: &[String]) -> Self {
        // As the library writes them: DnsName("a.example.org"), IpAddress(192.0.2.1).
        let plain = |name: &String| {
            name.split(['(', '"', ')']).rfind(|part| !part.is_empty()).unwrap_or(name).to_owned()
        };
        let names: Vec<String> = presented.iter().take(4).map(plain).collect();
        let presented = if names.is_empty() { "other names".to_owned() } else { names.join(", ") };
        Self::WrongName { wanted: wanted.to_owned(), presented }
    }
}
