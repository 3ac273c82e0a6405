//! STUN over IPv4 and IPv6, and what the NAT before this machine does to UDP.
//!
//! A silence over UDP is a finding about the network; what a server cannot tell is inconclusive.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;

use super::sentence::split;
use crate::cli::output::checks::{Check, Outcome};
use crate::rtc::probe::{self, Behaviour, Binding, Comparison, Error, Family, Nat, Options, Verdict};
use crate::rtc::{ServerUrl, local_addresses};

/// How long a server may take: three transmissions of a request.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(3);

const NO_SERVER: &str = "no STUN server is known";
const NAME_ONE: &str = "name one (--stun, or stun in the settings of the signaling server)";
const LET_UDP_OUT: &str =
    "a firewall may drop UDP: let it out, or have a TURN server over TCP or TLS (--turn, turns: on port 443)";
const SYMMETRIC: &str = "calls to others behind such a NAT need a relay: have a TURN server (turn: in the settings of the signaling server)";

/// Under which address the servers see this machine.
pub(super) async fn stun(family: Family, servers: &[ServerUrl]) -> Check {
    let name = match family {
        Family::V4 => "stun-v4",
        Family::V6 => "stun-v6",
    };
    if servers.is_empty() {
        let check = Check::new(name, Outcome::Skip, NO_SERVER);
        // Said once.
        return if family == Family::V4 { check.hint(NAME_ONE) } else { check };
    }
    let v6 = |address: &std::net::IpAddr| address.is_ipv6();
    if family == Family::V6 && local_addresses().is_ok_and(|addresses| !addresses.iter().any(v6)) {
        return Check::new(name, Outcome::Skip, "this machine has no IPv6 address that others could reach");
    }
    let options = Options { family: Some(family), within: ANSWER_WITHIN, ..Options::default() };
    let begun = Instant::now();
    let answers = join_all(servers.iter().map(|server| probe::binding(server, &options))).await;
    judge(name, family, servers, answers).took(begun.elapsed())
}

fn judge(
    name: &'static str,
    family: Family,
    servers: &[ServerUrl],
    answers: Vec<Result<Binding, Error>>,
) -> Check {
    let asked = answers.len();
    let mut failures = Vec::new();
    let mut best: Option<Binding> = None;
    let mut answered = 0;
    for (server, answer) in servers.iter().zip(answers) {
        match answer {
            Ok(binding) => {
                answered += 1;
                if best.as_ref().is_none_or(|best| binding.rtt < best.rtt) {
                    best = Some(binding);
                }
            }
            Err(error) => failures.push((server, error)),
        }
    }
    let Some(best) = best else {
        return silent(name, family, &failures);
    };
    let seen = match best.mapped == best.local {
        true => format!("seen as {}, no NAT", best.mapped.ip()),
        false => format!("seen as {}, {} here", best.mapped.ip(), best.local.ip()),
    };
    // A server without an address of this family is not one that keeps silent.
    failures.retain(|(_, error)| !matches!(error, Error::NoAddress { .. }));
    let outcome = if failures.is_empty() { Outcome::Pass } else { Outcome::Warn };
    let rtt = best.rtt.as_secs_f64() * 1e3;
    let check = Check::new(name, outcome, format!("{seen}, round trip {rtt:.1} ms"))
        .time("rtt_ms", best.rtt)
        .number("servers", asked as f64)
        .number("answered", f64::from(answered));
    match failures.first() {
        Some((server, error)) => check.hint(format!("{server} does not answer: {error}")),
        None => check,
    }
}

/// None of them answered.
fn silent(name: &'static str, family: Family, failures: &[(&ServerUrl, Error)]) -> Check {
    let without = |error: &Error| matches!(error, Error::NoAddress { .. });
    if failures.iter().all(|(_, error)| without(error)) {
        return Check::new(name, Outcome::Skip, format!("no server that is known has an {family} address"));
    }
    let Some((server, error)) = failures.iter().find(|(_, error)| !without(error)) else {
        return Check::new(name, Outcome::Inconclusive, "nothing was asked");
    };
    let (figure, hint) = split(&error.to_string());
    let unreachable = matches!(error, Error::Unreachable { .. } | Error::Local { .. });
    if family == Family::V6 && unreachable {
        return Check::new(name, Outcome::Skip, format!("this machine has no way to IPv6 ({figure})"));
    }
    let hint = match error {
        Error::Silent { .. } => LET_UDP_OUT.to_owned(),
        _ => hint.unwrap_or_else(|| format!("is {server} the right server?")),
    };
    Check::new(name, Outcome::Fail, figure).hint(hint).number("answered", 0.0)
}

/// Mapping and filtering, by RFC 5780 where a server can, by comparing two servers where there are two.
pub(super) async fn behaviour(servers: &[ServerUrl]) -> [Check; 2] {
    let both = |outcome: Outcome, figure: &str| {
        ["nat-mapping", "nat-filtering"].map(|name| Check::new(name, outcome, figure))
    };
    let Some(first) = servers.first() else {
        return both(Outcome::Skip, NO_SERVER);
    };
    let options = Options { within: ANSWER_WITHIN, ..Options::default() };
    let begun = Instant::now();
    let (found, compared) = tokio::join!(probe::nat(first, &options), compare(servers, &options));
    let took = begun.elapsed();
    let checks = match found {
        Ok(nat) => [mapping(&nat, compared.as_ref()), filtering(&nat)],
        Err(_) => match &compared {
            Some(compared) => {
                [by_comparison(compared), unknown("nat-filtering", "the first server is silent")]
            }
            None => both(Outcome::Inconclusive, "no answer over UDP, so nothing can be told"),
        },
    };
    checks.map(|check| check.took(took))
}

async fn compare(servers: &[ServerUrl], options: &Options) -> Option<Comparison> {
    let [one, other, ..] = servers else { return None };
    probe::compare(one, other, options).await.ok()
}

fn unknown(name: &'static str, why: &str) -> Check {
    Check::new(name, Outcome::Inconclusive, format!("cannot be told: {why}"))
}

fn mapping(nat: &Nat, compared: Option<&Comparison>) -> Check {
    let check = |outcome, figure: &str| Check::new("nat-mapping", outcome, figure);
    let checked = match nat.mapping {
        _ if !nat.translated => check(Outcome::Pass, "no NAT"),
        Verdict::Known(Behaviour::EndpointIndependent) => check(
            Outcome::Pass,
            "endpoint-independent: one address for all destinations, as direct calls need it",
        ),
        Verdict::Known(Behaviour::AddressDependent) => {
            check(Outcome::Warn, "address-dependent: another port for each destination (symmetric NAT)")
                .hint(SYMMETRIC)
        }
        Verdict::Known(Behaviour::AddressAndPortDependent) => check(
            Outcome::Warn,
            "address-and-port-dependent: another port for each destination (symmetric NAT)",
        )
        .hint(SYMMETRIC),
        Verdict::Unknown(why) => match compared {
            Some(compared) => by_comparison(compared),
            None => unknown("nat-mapping", &why.to_string())
                .hint("name two STUN servers with different addresses, or one that knows RFC 5780"),
        },
    };
    let code = |behaviour| match behaviour {
        Behaviour::EndpointIndependent => 0.0,
        Behaviour::AddressDependent => 1.0,
        Behaviour::AddressAndPortDependent => 2.0,
    };
    match nat.mapping {
        Verdict::Known(behaviour) => checked.number("dependence", code(behaviour)),
        Verdict::Unknown(_) => checked,
    }
}

fn by_comparison(compared: &Comparison) -> Check {
    match compared.endpoint_independent {
        Verdict::Known(true) => {
            Check::new("nat-mapping", Outcome::Pass, "one address for two servers, as direct calls need it")
        }
        Verdict::Known(false) => {
            Check::new("nat-mapping", Outcome::Warn, "another port for each of two servers (symmetric NAT)")
                .hint(SYMMETRIC)
        }
        Verdict::Unknown(why) => unknown("nat-mapping", &why.to_string())
            .hint("name two STUN servers with different addresses, or one that knows RFC 5780"),
    }
}

/// Filtering alone keeps no two ends apart: each sends first.
fn filtering(nat: &Nat) -> Check {
    let figure = match nat.filtering {
        Verdict::Known(Behaviour::EndpointIndependent) => "endpoint-independent: lets in whoever sends",
        Verdict::Known(Behaviour::AddressDependent) => "address-dependent: lets in whom this machine sent to",
        Verdict::Known(Behaviour::AddressAndPortDependent) => {
            "address-and-port-dependent: lets in what this machine sent to"
        }
        Verdict::Unknown(why) => return unknown("nat-filtering", &why.to_string()),
    };
    Check::new("nat-filtering", Outcome::Pass, figure)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtc::probe::Unknown;

    fn nat(translated: bool, mapping: Verdict<Behaviour>, filtering: Verdict<Behaviour>) -> Nat {
        let address = "192.0.2.1:1".parse().unwrap();
        Nat {
            server: address,
            other: None,
            local: address,
            mapped: address,
            rtt: Duration::ZERO,
            translated,
            mapping,
            filtering,
            hairpin: None,
        }
    }

    #[test]
    fn a_symmetric_nat_is_named_and_what_is_unknown_is_not_said_to_be_bad() {
        let unknown = Verdict::Unknown(Unknown::NoOtherAddress);
        let symmetric =
            mapping(&nat(true, Verdict::Known(Behaviour::AddressAndPortDependent), unknown), None);
        assert_eq!(symmetric.outcome, Outcome::Warn);
        assert!(symmetric.figure.unwrap().contains("symmetric"));
        let dark = nat(true, unknown, unknown);
        for check in [mapping(&dark, None), filtering(&dark)] {
            assert_eq!(check.outcome, Outcome::Inconclusive, "{check:?}");
            assert!(check.figure.unwrap().starts_with("cannot be told"));
        }
        assert_eq!(mapping(&nat(false, unknown, unknown), None).outcome, Outcome::Pass);
        let seen = dark.server;
        let compared = Comparison {
            local: seen,
            seen: [(seen, seen), (seen, seen)],
            translated: true,
            endpoint_independent: Verdict::Known(false),
        };
        assert_eq!(mapping(&dark, Some(&compared)).outcome, Outcome::Warn);
    }

    #[test]
    fn silence_over_udp_is_a_failure_with_a_hint_and_a_missing_family_is_skipped() {
        let server: ServerUrl = "stun:a.example".parse().unwrap();
        let silence = || Error::Silent {
            to: "192.0.2.1:3478".parse().unwrap(),
            transport: server.transport,
            within: ANSWER_WITHIN,
        };
        let check = judge("stun-v4", Family::V4, std::slice::from_ref(&server), vec![Err(silence())]);
        assert_eq!(check.outcome, Outcome::Fail);
        assert!(check.hint.unwrap().contains("UDP"));
        let none = Error::NoAddress { host: "a.example".into(), family: Family::V6 };
        let check = judge("stun-v6", Family::V6, std::slice::from_ref(&server), vec![Err(none)]);
        assert_eq!(check.outcome, Outcome::Skip);
    }
}
