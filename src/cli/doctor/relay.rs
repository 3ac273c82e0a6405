//! TURN servers, each by itself: does it let this user in, and does it carry packets there and back?

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, timeout};

use super::nat::ANSWER_WITHIN;
use super::sentence::split;
use crate::cli::output::checks::{Check, Outcome};
use crate::rtc::probe::{self, Error, Options, Relay};
use crate::rtc::{Credentials, ServerUrl, Transport, Trust};

/// One server in all, with connecting over TLS.
const WITHIN: Duration = Duration::from_secs(10);

/// All of them at once. Each way to reach a relay is told of, also one that no server has.
pub(super) async fn turn(
    servers: &[(ServerUrl, Option<Credentials>)],
    authorities: Option<&Trust>,
) -> Vec<Check> {
    let options = Options { within: ANSWER_WITHIN, trust: authorities.cloned(), ..Options::default() };
    let asked = servers.iter().map(|(server, credentials)| ask(server, credentials.as_ref(), &options));
    let mut checks = join_all(asked).await;
    for transport in [Transport::Udp, Transport::Tcp, Transport::Tls] {
        if !servers.iter().any(|(server, _)| server.transport == transport) {
            let why = format!("no TURN server over {transport} is known");
            let check = Check::new(name(transport), Outcome::Skip, why);
            checks.push(match servers.is_empty() && transport == Transport::Udp {
                true => check.hint("without one, calls fail where NATs or firewalls are strict (--turn, or turn in the settings of the signaling server)"),
                false => check,
            });
        }
    }
    // Stable: several servers of a kind stay in their order.
    checks.sort_by_key(|check| {
        ["turn-udp", "turn-tcp", "turn-tls"].iter().position(|name| *name == check.name)
    });
    checks
}

fn name(transport: Transport) -> &'static str {
    match transport {
        Transport::Udp => "turn-udp",
        Transport::Tcp => "turn-tcp",
        Transport::Tls => "turn-tls",
    }
}

async fn ask(server: &ServerUrl, credentials: Option<&Credentials>, options: &Options) -> Check {
    let name = name(server.transport);
    let Some(credentials) = credentials else {
        return Check::new(name, Outcome::Skip, "no user name and password for it")
            .of(server.to_string())
            .hint("sign in to the signaling server (--name), or give --turn-user and --turn-password-file");
    };
    let begun = Instant::now();
    let found = timeout(WITHIN, probe::relay(server, credentials, options)).await;
    let check = match found {
        Ok(found) => judge(name, found),
        Err(_) => Check::new(name, Outcome::Fail, format!("not done within {} s", WITHIN.as_secs())),
    };
    check.of(server.to_string()).took(begun.elapsed())
}

fn judge(name: &'static str, found: Result<Relay, Error>) -> Check {
    match found {
        Ok(relay) => {
            let echo = relay.echo;
            let whole = echo.returned == echo.sent;
            let outcome = if whole { Outcome::Pass } else { Outcome::Warn };
            let figure = format!(
                "relays at {}, {} of {} packets came back, in {:.1} ms",
                relay.relayed.ip(),
                echo.returned,
                echo.sent,
                echo.rtt_median.as_secs_f64() * 1e3
            );
            let mut check = Check::new(name, outcome, figure)
                .time("rtt_ms", relay.rtt)
                .time("allocate_ms", relay.allocated)
                .time("echo_ms", echo.rtt_median)
                .number("packets_sent", echo.sent.into())
                .number("packets_returned", echo.returned.into());
            if let Some(connected) = relay.connected {
                check = check.time("connect_ms", connected);
            }
            if whole { check } else { check.hint("the way to the relay, or the relay, loses packets") }
        }
        Err(error) => {
            // Some relay to others and not to themselves: calls work there.
            let outcome = if error == Error::Forbidden { Outcome::Warn } else { Outcome::Fail };
            let (figure, hint) = split(&error.to_string());
            let check = Check::new(name, outcome, figure);
            match hint {
                Some(hint) => check.hint(hint),
                None => check,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_way_to_a_relay_is_told_of_in_one_order() {
        let servers = [("turns:a.example".parse().unwrap(), None)];
        let checks = turn(&servers, None).await;
        let names: Vec<&str> = checks.iter().map(|check| check.name).collect();
        assert_eq!(names, ["turn-udp", "turn-tcp", "turn-tls"]);
        assert!(checks.iter().all(|check| check.outcome == Outcome::Skip));
    }

    #[test]
    fn a_refusal_says_what_to_do() {
        let check = judge("turn-udp", Err(Error::Unauthorized));
        assert_eq!(check.outcome, Outcome::Fail);
        assert!(check.hint.unwrap().contains("401"));
        assert_eq!(judge("turn-udp", Err(Error::Forbidden)).outcome, Outcome::Warn);
    }
}
