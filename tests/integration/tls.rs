//! Calls over a server that speaks TLS itself, and over an HTTP proxy: whose certificates are accepted, what is said of those that are
//! not, certificates that change under a call, and tunnels.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};

use crate::harness::{Home, MEASURED, Outcome, Process, SOON, Server, Signal, until};

/// A refusal comes at the first attempt, not after waiting for a better one.
const AT_ONCE: Duration = Duration::from_secs(5);

/// An authority; its file and the server's pair are in one folder.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: PathBuf,
}

impl Authority {
    fn new(home: &Home, name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = home.path().join(name);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("ca.pem"), issuer.pem()).unwrap();
        Self { issuer, folder }
    }

    /// For `--ca-file`.
    fn file(&self) -> String {
        self.folder.join("ca.pem").display().to_string()
    }

    /// Writes a certificate for `name` into `to`, with its key; one that was good in 2020 if it has `expired`.
    fn certify(&self, name: &str, expired: bool, to: &Path) {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        if expired {
            (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2020, 12, 31));
        }
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        fs::write(to.join("key.pem"), key.serialize_pem()).unwrap();
        fs::write(to.join("cert.pem"), certificate.pem()).unwrap();
    }
}

/// A server with a certificate for `name` of `authority`'s.
fn serve(authority: &Authority, name: &str, expired: bool) -> Server {
    let home = Home::new();
    authority.certify(name, expired, home.path());
    Server::start_with(home, "127.0.0.1:0", &["--tls-cert", "cert.pem", "--tls-key", "key.pem"])
}

/// The command with these arguments and the media that the other side can measure.
fn command(home: &Home, args: &[&str]) -> Command {
    home.command(&[args, &["--headless"], &MEASURED].concat())
}

fn start(home: &Home, args: &[&str]) -> Process {
    Process::start(command(home, args), &args.join(" "))
}

fn users(home: &Home, server: &str, ca: &str) -> Outcome {
    home.run(&["users", "--name", "carol", "--server", server, "--ca-file", ca])
}

#[test]
fn a_call_goes_on_while_the_certificate_changes() {
    let home = Home::new();
    let (old, new) = (Authority::new(&home, "old"), Authority::new(&home, "new"));
    let folder = Home::new();
    let files = folder.path().to_owned();
    old.certify("127.0.0.1", false, &files);
    let mut server =
        Server::start_with(folder, "127.0.0.1:0", &["--tls-cert", "cert.pem", "--tls-key", "key.pem"]);
    let url = server.url().to_owned();
    assert!(url.starts_with("wss://127.0.0.1:"), "{url}");

    let (alices, bobs) = (Home::new(), Home::new());
    let ca = old.file();
    let log_in = ["login", "--name", "bob", "--server", &url, "--ca-file", &ca, "--answer", "accept"];
    let mut bob = start(&bobs, &log_in);
    bob.wait_for("registered", SOON);
    let mut alice = start(&alices, &["call", "bob", "--name", "alice", "--server", &url, "--ca-file", &ca]);
    alice.wait_for("connected", SOON);

    // Half of the pair: it is told and nothing changes.
    fs::copy(new.folder.join("ca.pem"), files.join("cert.pem")).unwrap();
    server.signal(Signal::Hangup);
    users(&home, &url, &ca).expect_code(0);
    new.certify("127.0.0.1", false, &files);
    // Nobody tells the server: it looks by itself.
    until(SOON, "the new certificate is shown", || {
        let outcome = users(&home, &url, &new.file());
        if outcome.code() == 0 { Some(()) } else { None }
    });
    let refused = users(&home, &url, &ca).expect_code(3);
    assert!(refused.says("--ca-file"), "{refused}");

    assert!(alice.stays_without("ended", Duration::ZERO), "the call was cut");
    alice.wait_for("stats", SOON);
    alice.say(&serde_json::json!({ "command": "hangup" }));
    let alice = alice.finish(SOON).expect_code(0);
    let report = alice.report();
    assert!(report.receive.video.frames_shown > 10, "{report:#?}");
    assert!(report.receive.audio.level_dbfs.is_some_and(|level| level > -50.0), "{report:#?}");
    let down = alice.events().iter().any(|event| event.name == "signaling");
    assert!(!down, "the connection to the server was cut: {alice}");
    let log = server.stop().expect_code(0);
    assert!(log.says("the certificate from before stays in use"), "{log}");
}

#[test]
fn a_certificate_that_is_not_accepted_ends_the_command_at_once() {
    let home = Home::new();
    let authority = Authority::new(&home, "authority");
    let (good, expired, wrong) = (
        serve(&authority, "127.0.0.1", false),
        serve(&authority, "127.0.0.1", true),
        serve(&authority, "calls.test", false),
    );
    let ca = authority.file();
    let cases: [(&Server, &[&str], &str); 3] = [
        (&good, &[], "is signed by nobody that is trusted here (--ca-file"),
        (&expired, &["--ca-file", &ca], "has expired"),
        (&wrong, &["--ca-file", &ca], "is for calls.test, not for 127.0.0.1"),
    ];
    for (server, trust, sentence) in cases {
        // With --wait it would go on trying where that makes sense.
        let call = ["call", "bob", "--name", "alice", "--server", server.url(), "--wait", "60s"];
        let outcome = start(&home, &[&call, trust].concat()).finish(SOON).expect_code(3);
        assert!(outcome.took < AT_ONCE && outcome.says(sentence), "{outcome}");
        let refused = outcome.events().into_iter().find(|event| event.name == "refused");
        assert_eq!(refused.unwrap().text("code"), "bad-certificate");
    }
}

#[test]
fn flags_and_files_of_tls_that_make_no_sense_are_told_before_anything_listens() {
    let home = Home::new();
    let authority = Authority::new(&home, "authority");
    authority.certify("localhost", false, home.path());
    let serve = |args: &[&str]| home.run(&[&["serve", "--listen", "127.0.0.1:0"], args].concat());
    let outcome = serve(&["--tls-cert", "cert.pem"]).expect_code(2);
    assert!(outcome.says("--tls-key"), "{outcome}");
    let outcome = serve(&["--tls-cert", "cert.pem", "--tls-key", "cert.pem"]).expect_code(6);
    assert!(outcome.says("cert.pem is not usable: no private key in it"), "{outcome}");
    let outcome = serve(&["--tls-cert", &authority.file(), "--tls-key", "key.pem"]).expect_code(6);
    assert!(outcome.says("is not that of the certificate"), "{outcome}");
}

/// An HTTP proxy that wants credentials and connects every tunnel to one address, whatever was asked for.
struct Connector {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Connector {
    /// `credentials` in base64, as a client sends them.
    fn start(to: &str, credentials: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, asked) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
        let (to, log) = (to.to_owned(), Arc::clone(&asked));
        thread::spawn(move || {
            // It ends with the test's process.
            for client in listener.incoming().map_while(Result::ok) {
                let (to, log) = (to.clone(), Arc::clone(&log));
                thread::spawn(move || {
                    // A client that goes away in the middle is none of the proxy's business.
                    let _ = Self::connect(client, &to, credentials, &log);
                });
            }
        });
        Self { address, asked }
    }

    fn connect(
        mut client: TcpStream,
        to: &str,
        credentials: &str,
        log: &Mutex<Vec<String>>,
    ) -> io::Result<()> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            client.read_exact(&mut byte)?;
            head.extend(byte);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        log.lock().unwrap().push(head.lines().next().unwrap_or_default().to_owned());
        let given = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("proxy-authorization").then(|| value.to_owned())
        });
        if given != Some(format!("Basic {credentials}")) {
            return client
                .write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n");
        }
        let mut server = TcpStream::connect(to)?;
        client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
        let (mut from, mut into) = (server.try_clone()?, client.try_clone()?);
        thread::spawn(move || io::copy(&mut from, &mut into));
        io::copy(&mut client, &mut server).map(drop)
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

#[test]
fn a_call_finds_its_server_through_a_proxy_that_wants_a_password() {
    let home = Home::new();
    let authority = Authority::new(&home, "authority");
    // No resolver knows the name: the proxy alone leads there.
    let server = serve(&authority, "calls.test", false);
    let proxy = Connector::start(server.address(), "bGFiOnMzY3JldCE="); // lab:s3cret!
    let port = server.address().rsplit_once(':').unwrap().1.to_owned();
    let (url, ca) = (format!("wss://calls.test:{port}"), authority.file());
    let by = |home: &Home, args: &[&str], credentials: &str| {
        let more = ["--server", &url, "--ca-file", &ca];
        let mut command = command(home, &[args, &more].concat());
        command.env("HTTPS_PROXY", format!("http://{credentials}{}", proxy.address));
        Process::start(command, &args.join(" "))
    };
    let (alices, bobs) = (Home::new(), Home::new());
    let mut bob = by(&bobs, &["login", "--name", "bob", "--answer", "accept"], "lab:s3cret%21@");
    bob.wait_for("registered", SOON);
    let call = ["call", "bob", "--name", "alice", "--duration", "2s"];
    let report = by(&alices, &call, "lab:s3cret%21@").finish(SOON).expect_code(0).report();
    assert!(report.receive.video.frames_shown > 10, "{report:#?}");
    // Each found the server and then its WebSocket.
    assert_eq!(proxy.asked(), vec![format!("CONNECT calls.test:{port} HTTP/1.1"); 4]);

    for (credentials, sentence) in [("lab:w0rdless@", "refuses this user name"), ("", "wants a user name")] {
        let outcome = by(&alices, &call, credentials).finish(SOON).expect_code(3);
        assert!(outcome.says(sentence) && outcome.says(&proxy.address.to_string()), "{outcome}");
        assert!(outcome.took < AT_ONCE && !outcome.says("w0rdless"), "{outcome}");
    }

    let socks = |variable: &str, server: &str| {
        let mut command = command(&alices, &["call", "bob", "--name", "alice", "--server", server]);
        command.env(variable, "socks5://lab:s3cret@127.0.0.1:1");
        Process::start(command, variable).finish(SOON)
    };
    let outcome = socks("ALL_PROXY", &url).expect_code(2);
    assert!(
        outcome.says("ALL_PROXY: SOCKS proxies are not supported") && !outcome.says("s3cret"),
        "{outcome}"
    );
    // This machine is never reached by a proxy: nothing listens there, and that is what is said.
    let outcome = socks("ALL_PROXY", "ws://127.0.0.1:1/v1/ws").expect_code(3);
    assert!(outcome.says("cannot reach ws://127.0.0.1:1/v1/ws"), "{outcome}");
}
