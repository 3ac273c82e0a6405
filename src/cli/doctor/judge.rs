//! What the checks mean together: pure.

use crate::cli::exit::Exit;
use crate::cli::output::checks::{Check, Outcome};

/// The steps to the signaling server: without one of them nobody can be called.
const SERVER: [&str; 4] = ["resolve", "tcp", "tls", "login"];
/// Ways past NATs and firewalls.
const BEYOND: [&str; 5] = ["stun-v4", "stun-v6", "turn-udp", "turn-tcp", "turn-tls"];
/// Ways to a relay.
const RELAYS: [&str; 3] = ["turn-udp", "turn-tcp", "turn-tls"];
/// Whole calls.
const CALLS: [&str; 3] = ["path-host", "path-all", "path-relay"];

fn any(checks: &[Check], names: &[&str], outcome: impl Fn(Outcome) -> bool) -> bool {
    checks.iter().any(|check| names.contains(&check.name) && outcome(check.outcome))
}

fn works(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Pass | Outcome::Warn)
}

/// A way that is closed while another one leads there is no reason why calls would fail: STUN and TURN over UDP beside a relay
/// over TCP or TLS, one family of addresses beside the other.
pub(super) fn soften(checks: &mut [Check]) {
    let relayed = any(checks, &RELAYS, works);
    let families = any(checks, &["stun-v4", "stun-v6"], works);
    for check in checks.iter_mut().filter(|check| check.outcome == Outcome::Fail) {
        let other = match check.name {
            "stun-v4" | "stun-v6" if families => "by the other family of addresses",
            "stun-v4" | "stun-v6" | "turn-udp" | "turn-tcp" | "turn-tls" if relayed => {
                "by a relay that works"
            }
            _ => continue,
        };
        check.outcome = Outcome::Warn;
        let hint = check.hint.take().map(|hint| format!("; {hint}")).unwrap_or_default();
        check.hint = Some(format!("calls go {other}{hint}"));
    }
}

/// The exit, and a sentence about it.
pub(super) fn verdict(checks: &[Check]) -> (Exit, String) {
    let failed: Vec<&Check> = checks.iter().filter(|check| check.outcome == Outcome::Fail).collect();
    let named = |names: &[&str]| failed.iter().find(|check| names.contains(&check.name));
    if let Some(check) = named(&SERVER) {
        let why = check.figure.as_deref().unwrap_or("no answer");
        return (Exit::Signaling, format!("the server cannot be used: {}: {why}", check.name));
    }
    // Known servers of which none answers, or calls of which none comes about even here.
    let closed = |names: &[&str]| named(names).is_some() && !any(checks, names, works);
    if closed(&BEYOND) || closed(&CALLS) {
        return (
            Exit::NoMediaPath,
            "no way out for media was found: neither STUN nor TURN gets through".to_owned(),
        );
    }
    if let Some(first) = failed.first() {
        let names: Vec<&str> = failed.iter().map(|check| check.name).collect();
        let why = first.figure.as_deref().unwrap_or("no answer");
        return (Exit::Unexpected, format!("{} failed, first: {}: {why}", names.join(", "), first.name));
    }
    // A way that was not tried is neither open nor closed.
    let tried = any(checks, &BEYOND, |outcome| outcome != Outcome::Skip);
    let count = |outcome| checks.iter().filter(|check| check.outcome == outcome).count();
    let (warned, unknown) = (count(Outcome::Warn), count(Outcome::Inconclusive));
    let signed_in = !any(checks, &["login"], |outcome| outcome == Outcome::Skip);
    let calls = if tried && signed_in { "calls work" } else { "calls work on this machine" };
    let warnings = if warned == 1 { "1 warning".to_owned() } else { format!("{warned} warnings") };
    let mut message = match (warned, unknown) {
        (0, 0) if tried && signed_in => "nothing stands in the way of a call".to_owned(),
        (0, 0) => calls.to_owned(),
        (_, 0) => format!("{calls}; {warnings}"),
        (_, unknown) => format!("{calls}; {warnings}, {unknown} not known"),
    };
    if !signed_in {
        message.push_str("; the login was not tried, for there is no name to sign in with");
    }
    if !tried {
        message.push_str("; no way out was tried, for no STUN or TURN server is known");
    }
    (Exit::Ok, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checks(outcomes: &[(&'static str, Outcome)]) -> Vec<Check> {
        outcomes.iter().map(|(name, outcome)| Check::new(name, *outcome, "so")).collect()
    }

    #[test]
    fn the_exit_says_what_is_worst() {
        use Outcome::{Fail, Inconclusive, Pass, Skip, Warn};
        for (outcomes, exit) in [
            (&[("tcp", Pass), ("stun-v4", Skip), ("path-host", Pass)][..], Exit::Ok),
            (&[("tcp", Fail), ("stun-v4", Fail)], Exit::Signaling),
            (&[("login", Fail)], Exit::Signaling),
            (&[("tcp", Pass), ("stun-v4", Fail), ("path-host", Pass)], Exit::NoMediaPath),
            (&[("stun-v4", Fail), ("turn-udp", Fail), ("turn-tcp", Fail)], Exit::NoMediaPath),
            (&[("path-host", Fail), ("path-relay", Skip), ("stun-v4", Pass)], Exit::NoMediaPath),
            (&[("path-host", Fail), ("path-relay", Pass), ("stun-v4", Pass)], Exit::Unexpected),
            (&[("stun-v4", Pass), ("turn-udp", Fail)], Exit::Unexpected),
            (&[("camera", Warn), ("nat-mapping", Inconclusive)], Exit::Ok),
        ] {
            assert_eq!(verdict(&checks(outcomes)).0, exit, "{outcomes:?}");
        }
    }

    #[test]
    fn what_was_not_tried_is_not_said_to_work() {
        use Outcome::{Pass, Skip, Warn};
        let message = |outcomes: &[(&'static str, Outcome)]| verdict(&checks(outcomes)).1;
        let all = [("login", Pass), ("stun-v4", Pass), ("path-host", Pass)];
        assert_eq!(message(&all), "nothing stands in the way of a call");
        assert_eq!(
            message(&[("login", Skip), ("stun-v4", Pass), ("camera", Warn)]),
            "calls work on this machine; 1 warning; the login was not tried, for there is no name to sign in with"
        );
        assert_eq!(
            message(&[("login", Pass), ("stun-v4", Skip)]),
            "calls work on this machine; no way out was tried, for no STUN or TURN server is known"
        );
    }

    #[test]
    fn a_closed_way_beside_an_open_one_is_a_warning() {
        use Outcome::{Fail, Pass, Skip, Warn};
        let mut blocked =
            checks(&[("stun-v4", Fail), ("stun-v6", Skip), ("turn-udp", Fail), ("turn-tls", Pass)]);
        soften(&mut blocked);
        let outcomes: Vec<Outcome> = blocked.iter().map(|check| check.outcome).collect();
        assert_eq!(outcomes, [Warn, Skip, Warn, Pass]);
        assert_eq!(verdict(&blocked).0, Exit::Ok);
        let mut closed = checks(&[("stun-v4", Fail), ("turn-udp", Fail), ("path-relay", Fail)]);
        soften(&mut closed);
        assert!(closed.iter().all(|check| check.outcome == Fail));
    }
}
