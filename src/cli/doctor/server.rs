//! The signaling server, one step after the other: its name, a connection, TLS, the clock, signing in.
//!
//! A step that did not work ends the way; what follows it is skipped and says so. Hands on the STUN and TURN
//! servers that the server names.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime};

use futures_util::future::select_ok;
use reqwest::Url;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use super::dates;
use super::sentence::split;
use crate::cli::output::checks::{Check, Outcome};
use crate::cli::output::mask;
use crate::rtc::IceServer;
use crate::signaling::client::{self, Client, Config, Event, Proxy, Refusal, ServerAddress, Way};
use crate::signaling::protocol::ErrorCode;

const RESOLVE_WITHIN: Duration = Duration::from_secs(5);
const CONNECT_WITHIN: Duration = Duration::from_secs(4);
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
const LOGIN_WITHIN: Duration = Duration::from_secs(6);
/// How long signing out may take.
const GOODBYE_WITHIN: Duration = Duration::from_secs(1);
/// A certificate that runs out sooner is worth a word.
const EXPIRES_SOON: Duration = Duration::from_secs(14 * 24 * 3600);
/// Clocks that differ by more show in the latencies that calls measure, and in passwords that run out.
const CLOCK_OFF: f64 = 3.0;

/// What came of it.
pub(super) struct Seen {
    pub(super) checks: Vec<Check>,
    /// What the server handed out.
    pub(super) ice_servers: Vec<IceServer>,
}

/// Who signs in, or why nobody does.
pub(super) type Login = Result<Config, String>;

/// Goes the way to the server.
pub(super) async fn examine(server: &ServerAddress, way: &Way, login: Login) -> Seen {
    let mut checks = Vec::new();
    let ice_servers = steps(server, way, login, &mut checks).await.unwrap_or_default();
    for name in ["resolve", "tcp", "tls", "clock", "login"] {
        if !checks.iter().any(|check| check.name == name) {
            checks.push(Check::new(name, Outcome::Skip, "the server was not reached"));
        }
    }
    Seen { checks, ice_servers }
}

/// `None` as soon as there is no way on.
async fn steps(
    server: &ServerAddress,
    way: &Way,
    login: Login,
    checks: &mut Vec<Check>,
) -> Option<Vec<IceServer>> {
    // Whoever goes through a proxy needs the way to that, and no other.
    let proxy = way.proxies.for_url(server.url()).ok().flatten();
    let (host, port) = match &proxy {
        Some(proxy) => (proxy.host().to_owned(), proxy.port()),
        None => (host(server.url())?, server.url().port_or_known_default()?),
    };
    mask::hide_host(&host);
    let addresses = resolve(&host, port, checks).await?;
    connect(&addresses, proxy.as_ref(), checks).await?;
    let (http, (login, ice_servers)) = tokio::join!(http(server, way), sign_in(login));
    checks.extend(http);
    checks.push(login);
    Some(ice_servers)
}

fn host(url: &Url) -> Option<String> {
    Some(url.host_str()?.trim_start_matches('[').trim_end_matches(']').to_owned())
}

async fn resolve(host: &str, port: u16, checks: &mut Vec<Check>) -> Option<Vec<SocketAddr>> {
    let begun = Instant::now();
    let found = timeout(RESOLVE_WITHIN, tokio::net::lookup_host((host, port))).await;
    let took = begun.elapsed();
    let failed = |why: String| {
        Check::new("resolve", Outcome::Fail, why)
            .of(host)
            .took(took)
            .hint("is the server's name right (--server), and does DNS work here?")
    };
    let addresses: Vec<SocketAddr> = match found {
        Ok(Ok(found)) => found.collect(),
        Ok(Err(error)) => {
            checks.push(failed(error.to_string()));
            return None;
        }
        Err(_) => {
            checks.push(failed(format!("no answer within {} s", RESOLVE_WITHIN.as_secs())));
            return None;
        }
    };
    if addresses.is_empty() {
        checks.push(failed("no addresses".to_owned()));
        return None;
    }
    let shown: Vec<String> = addresses.iter().take(4).map(|address| address.ip().to_string()).collect();
    let figure = match host.parse::<IpAddr>() {
        Ok(_) => "an address, no name".to_owned(),
        Err(_) => shown.join(", "),
    };
    let check = Check::new("resolve", Outcome::Pass, figure).of(host).took(took);
    checks.push(check.number("addresses", addresses.len() as f64));
    Some(addresses)
}

/// To all addresses at once: the first that answers counts.
async fn connect(addresses: &[SocketAddr], proxy: Option<&Proxy>, checks: &mut Vec<Check>) -> Option<()> {
    let begun = Instant::now();
    let attempts = addresses.iter().take(8).map(|address| {
        Box::pin(async move {
            match timeout(CONNECT_WITHIN, TcpStream::connect(*address)).await {
                Ok(Ok(_)) => Ok(*address),
                Ok(Err(error)) => Err((*address, error)),
                Err(_) => Err((*address, io::ErrorKind::TimedOut.into())),
            }
        })
    });
    let outcome = select_ok(attempts).await;
    let took = begun.elapsed();
    match outcome {
        Ok((address, _)) => {
            let which = if proxy.is_some() { ", the proxy of the environment" } else { "" };
            let check = Check::new("tcp", Outcome::Pass, format!("connected to {address}{which}"));
            checks.push(check.took(took).time("connect_ms", took));
            Some(())
        }
        Err((address, error)) => {
            let (why, hint) = match error.kind() {
                io::ErrorKind::TimedOut => (
                    format!("no answer from {address} within {} s", CONNECT_WITHIN.as_secs()),
                    "a firewall drops it, or the machine is down",
                ),
                io::ErrorKind::ConnectionRefused => (
                    format!("{address} refuses the connection"),
                    "is the server running (letsmeet serve), and is the port right?",
                ),
                _ => (format!("{address}: {error}"), "is there a way to that network?"),
            };
            checks.push(Check::new("tcp", Outcome::Fail, why).took(took).hint(hint));
            None
        }
    }
}

/// TLS and the clock, by one request.
async fn http(server: &ServerAddress, way: &Way) -> Vec<Check> {
    let secure = server.is_secure();
    let plain = || Check::new("tls", Outcome::Skip, "the server is asked without TLS");
    let begun = Instant::now();
    let answer = client::ask(server, way, ANSWER_WITHIN).await;
    let took = begun.elapsed();
    let now = SystemTime::now();
    let answer = match answer {
        Ok(answer) => answer,
        Err(why) => {
            let (why, hint) = split(&why);
            let (tls, clock) = match secure {
                true => {
                    let hint = hint.unwrap_or_else(|| "is this the server's TLS port?".to_owned());
                    let tls = Check::new("tls", Outcome::Fail, why).took(took).hint(hint);
                    (tls, Check::new("clock", Outcome::Skip, "no answer over HTTP"))
                }
                false => {
                    let hint = hint.unwrap_or_else(|| "is this a letsmeet server?".to_owned());
                    (plain(), Check::new("clock", Outcome::Inconclusive, why).took(took).hint(hint))
                }
            };
            return vec![tls, clock];
        }
    };
    let tls = match secure {
        true => certificate(answer.extensions().get::<reqwest::tls::TlsInfo>(), now).took(took),
        false => plain(),
    };
    let date = answer.headers().get(reqwest::header::DATE).and_then(|date| date.to_str().ok());
    vec![tls, clock(date.and_then(dates::http), now, took)]
}

fn certificate(info: Option<&reqwest::tls::TlsInfo>, now: SystemTime) -> Check {
    let expires = info.and_then(|info| info.peer_certificate()).and_then(dates::not_after);
    let Some(expires) = expires else {
        return Check::new(
            "tls",
            Outcome::Pass,
            "the certificate is accepted; when it runs out is not known",
        );
    };
    // It was accepted a moment ago, so it can't have run out.
    let left = expires.duration_since(now).unwrap_or_default();
    let days = left.as_secs() / (24 * 3600);
    let soon = left < EXPIRES_SOON;
    let outcome = if soon { Outcome::Warn } else { Outcome::Pass };
    let figure = format!("the certificate is accepted and good for {days} more days");
    let check = Check::new("tls", outcome, figure).number("certificate_days", days as f64);
    if soon { check.hint("renew the server's certificate") } else { check }
}

/// By the answer's `Date`, which tells whole seconds: it was written within the time that the request took, and the
/// second it names began up to a second before.
fn clock(date: Option<SystemTime>, now: SystemTime, took: Duration) -> Check {
    let Some(date) = date else {
        let check = Check::new("clock", Outcome::Inconclusive, "the server does not say what time it is");
        return check.took(took);
    };
    let seconds = |time: SystemTime| match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => since.as_secs_f64(),
        Err(before) => -before.duration().as_secs_f64(),
    };
    let offset = seconds(now) - took.as_secs_f64() / 2.0 - (seconds(date) + 0.5);
    let offset = (offset * 10.0).round() / 10.0;
    let check =
        |outcome, figure: String| Check::new("clock", outcome, figure).took(took).number("offset_s", offset);
    if offset.abs() <= CLOCK_OFF {
        return check(Outcome::Pass, "within a second or two of the server's".to_owned());
    }
    let which = if offset > 0.0 { "ahead of" } else { "behind" };
    check(Outcome::Warn, format!("{:.0} s {which} the server's", offset.abs())).hint(
        "set one of the clocks (NTP): TURN passwords that run out, certificates and measured latencies depend on them",
    )
}

/// A session of the profile beside those that it has; nothing is asked of it but the server's hand-out.
async fn sign_in(login: Login) -> (Check, Vec<IceServer>) {
    let config = match login {
        Ok(config) => config,
        Err(why) => {
            let hint = "give --name NAME; signed in, the server's own STUN and TURN servers are checked too";
            return (Check::new("login", Outcome::Skip, why).hint(hint), Vec::new());
        }
    };
    let begun = Instant::now();
    let (client, mut events) = Client::spawn(Config { connect_timeout: LOGIN_WITHIN, ..config });
    let first = timeout(LOGIN_WITHIN, first(&mut events)).await;
    let took = begun.elapsed();
    // Whether the server took the goodbye changes nothing: it notices by itself.
    let _ = timeout(GOODBYE_WITHIN, client.close()).await;
    let failed = |why: String| Check::new("login", Outcome::Fail, why).took(took);
    match first {
        Ok(Ok((name, servers))) => {
            let urls: usize = servers.iter().map(|server| server.urls.len()).sum();
            let figure = format!("signed in as {name}; the server names {urls} STUN and TURN servers");
            let check = Check::new("login", Outcome::Pass, figure).took(took);
            (check.time("login_ms", took).number("ice_servers", urls as f64), servers)
        }
        Ok(Err((why, hint))) => (failed(why).hint(hint), Vec::new()),
        Err(_) => {
            let why = format!("no answer within {} s", LOGIN_WITHIN.as_secs());
            (failed(why).hint("does a proxy before the server pass WebSockets on?"), Vec::new())
        }
    }
}

/// The name as the server spells it and the servers that it names, or why not and what to do.
async fn first(
    events: &mut mpsc::Receiver<Event>,
) -> Result<(String, Vec<IceServer>), (String, &'static str)> {
    while let Some(event) = events.recv().await {
        match event {
            Event::Up { name, ice_servers, .. } => {
                let servers = ice_servers.into_iter().map(|server| IceServer {
                    urls: server.urls,
                    username: server.username,
                    credential: server.credential,
                });
                return Ok((name.to_string(), servers.collect()));
            }
            Event::Down { reason, .. } => {
                return Err((
                    reason,
                    "is it a letsmeet server, and does a proxy before it pass WebSockets on?",
                ));
            }
            Event::Refused { code, message } => return Err((message, mend(code))),
            _ => {}
        }
    }
    Err(("the connection ended".to_owned(), "try again"))
}

/// What to do about it.
fn mend(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Certificate => "see the lines about tcp and tls; --ca-file trusts an authority of your own",
        Refusal::Proxy => "see https_proxy, http_proxy, all_proxy and no_proxy in the environment",
        Refusal::Server(ErrorCode::Malformed) => {
            "is it a letsmeet server, or something else under its address?"
        }
        Refusal::Server(ErrorCode::NameTaken) => {
            "take another name (--name), or bring the key that has this one"
        }
        Refusal::Server(ErrorCode::BadName) => "take another name (--name)",
        Refusal::Server(ErrorCode::BadToken) => "give the server's token (--token-file)",
        Refusal::Server(ErrorCode::NotAllowed) => "ask who runs the server to allow this name",
        Refusal::Server(ErrorCode::TooManySessions) => {
            "leave on another machine, or take another name (--name)"
        }
        Refusal::Server(ErrorCode::ProtocolVersion) => {
            "this letsmeet and the server's are too far apart: renew the older"
        }
        Refusal::Server(ErrorCode::BadSignature) => {
            "does a proxy in front change the host? see serve --public-host"
        }
        Refusal::Server(_) => "wait a little; if it stays, ask who runs the server",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_off_is_a_warning_and_none_is_unknown() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let took = Duration::from_millis(20);
        let at = |back: i64| now.checked_sub(Duration::from_secs(back.unsigned_abs()));
        assert_eq!(clock(at(0), now, took).outcome, Outcome::Pass);
        let ahead = clock(at(90), now, took);
        assert_eq!(ahead.outcome, Outcome::Warn);
        assert!(ahead.figure.unwrap().contains("ahead of"));
        assert!((ahead.numbers["offset_s"] - 89.5).abs() < 0.2);
        let unknown = clock(None, now, took);
        assert_eq!(unknown.outcome, Outcome::Inconclusive);
        assert!(unknown.numbers.is_empty());
    }

    #[test]
    fn a_certificate_of_which_nothing_is_known_is_not_said_to_run_out() {
        let check = certificate(None, SystemTime::now());
        assert_eq!((check.outcome, check.numbers.len()), (Outcome::Pass, 0));
    }
}
