//! A real TURN server on loopback, and the certificates it shows.

use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use tempfile::TempDir;

pub(in crate::rtc) const USER: &str = "lab";
pub(in crate::rtc) const PASSWORD: &str = "lab-password";

/// How long it may take to start.
const START_WITHIN: Duration = Duration::from_secs(10);

/// An authority of one test, and its file.
pub(in crate::rtc) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

/// A certificate with its key.
pub(in crate::rtc) struct Identity {
    pub(in crate::rtc) certificate: PathBuf,
    pub(in crate::rtc) key: PathBuf,
}

impl Authority {
    pub(in crate::rtc) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { issuer, folder }
    }

    pub(in crate::rtc) fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// A certificate for these names and addresses.
    pub(in crate::rtc) fn certify(&self, names: &[&str]) -> Identity {
        self.sign(CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap())
    }

    /// One for these that was good in 2020.
    pub(in crate::rtc) fn certify_expired(&self, names: &[&str]) -> Identity {
        let mut params =
            CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2020, 12, 31);
        self.sign(params)
    }

    /// The authority's own certificate, shown by a server.
    pub(in crate::rtc) fn itself(&self) -> Identity {
        let key = self.folder.path().join("ca.key");
        std::fs::write(&key, self.issuer.key().serialize_pem()).unwrap();
        Identity { certificate: self.file(), key }
    }

    fn sign(&self, params: CertificateParams) -> Identity {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let files = ["server.pem", "server.key"].map(|name| self.folder.path().join(name));
        std::fs::write(&files[0], certificate.pem()).unwrap();
        std::fs::write(&files[1], key.serialize_pem()).unwrap();
        let [certificate, key] = files;
        Identity { certificate, key }
    }
}

/// A server. Dropping it ends it.
pub(in crate::rtc) struct Coturn {
    process: Child,
    port: u16,
    tls_port: u16,
    /// Its configuration; removed with it.
    _folder: TempDir,
}

impl Coturn {
    /// With a user, over UDP and TCP.
    pub(in crate::rtc) fn plain() -> Self {
        Self::start(&format!("lt-cred-mech\nuser={USER}:{PASSWORD}\n"), None)
    }

    /// Over TLS too.
    pub(in crate::rtc) fn tls(identity: &Identity) -> Self {
        Self::start(&format!("lt-cred-mech\nuser={USER}:{PASSWORD}\n"), Some(identity))
    }

    /// On 127.0.0.1 and 127.0.0.2, as RFC 5780 needs it, and on ::1, with further lines of configuration.
    pub(in crate::rtc) fn start(lines: &str, identity: Option<&Identity>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (port, tls_port) = (free_ports(), free_ports());
        let path = |name: &str| folder.path().join(name).display().to_string();
        let mut config = format!(
            "listening-ip=127.0.0.1\nlistening-ip=127.0.0.2\nlistening-ip=::1\nrelay-ip=127.0.0.1\n\
             listening-port={port}\ntls-listening-port={tls_port}\nrealm=lab.example\nallow-loopback-peers\n\
             no-cli\nno-dtls\nuserdb={}\nlog-file=stdout\nsimple-log\npidfile={}\n{lines}\n",
            path("db"),
            path("pid")
        );
        match identity {
            Some(Identity { certificate, key }) => {
                config += &format!("cert={}\npkey={}\n", certificate.display(), key.display());
            }
            None => config += "no-tls\n",
        }
        std::fs::write(folder.path().join("conf"), config).unwrap();
        let mut process = Command::new("turnserver")
            .args(["-c", &path("conf")])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .stdin(Stdio::null())
            .spawn()
            .expect("turnserver is missing: apt-get install coturn (or scripts/setup --tests)");
        let mut log = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
        assert!(log.any(|line| line.contains("Total General servers")), "turnserver did not start");
        // It goes on writing: somebody must read.
        std::thread::spawn(move || log.for_each(drop));
        let server = Self { process, port, tls_port, _folder: folder };
        server.wait_for(server.address());
        if identity.is_some() {
            server.wait_for(server.tls_address());
        }
        server
    }

    /// Its threads open their sockets each in its own time and say nothing of it.
    fn wait_for(&self, address: SocketAddr) {
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(begun.elapsed() < START_WITHIN, "turnserver does not listen at {address}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(in crate::rtc) fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    pub(in crate::rtc) fn tls_address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.tls_port))
    }
}

impl Drop for Coturn {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A port that is free for UDP and TCP, and the next one too, on both addresses.
fn free_ports() -> u16 {
    let free = |port: u16| {
        [[127, 0, 0, 1], [127, 0, 0, 2]].into_iter().all(|ip| {
            let address = SocketAddr::from((ip, port));
            TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok()
        })
    };
    for _ in 0..100 {
        let candidate = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        if candidate < 65_000 && free(candidate) && free(candidate + 1) {
            return candidate;
        }
    }
    panic!("no two free ports in a row");
}
