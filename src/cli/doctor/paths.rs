//! What a call would find: its own candidates, and a whole call with a data channel and media in this process,
//! once for each policy.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

use crate::cli::loopback::{Server, Setup};
use crate::cli::output::checks::{Check, Outcome};
use crate::cli::output::report::Report;
use crate::cli::verdict;
use crate::media::VideoFormat;
use crate::media::pipeline::{Bandwidth, Kind};
use crate::media::rtp::packet::RtpPacket;
use crate::rtc::{Candidate, Config, Event, IcePolicy, IceServer, Inbound, Peer, Trust};
use crate::session::report;

/// How long candidates are waited for.
const GATHER_WITHIN: Duration = Duration::from_secs(6);
/// How long media flows: long enough to see that it does.
const MEDIA: Duration = Duration::from_millis(1500);
/// How long a path may take to be found.
const CONNECT_WITHIN: Duration = Duration::from_secs(6);
/// A whole call with its beginning and its end.
const CALL_WITHIN: Duration = Duration::from_secs(11);
/// Small: this is about the path.
const PICTURE: VideoFormat = VideoFormat { width: 160, height: 90, fps: 15 };

/// Nothing is received while candidates are gathered.
pub(super) struct Nobody;

impl Inbound for Nobody {
    fn rtp(&self, _kind: Kind, _packet: RtpPacket) {}
    fn sender_report(&self, _kind: Kind, _ntp: u64, _rtp: u32, _arrived: std::time::Instant) {}
    fn keyframe_requested(&self) {}
    fn bandwidth(&self, _path: Bandwidth) -> f64 {
        0.0
    }
}

/// How many candidates of each type there are.
#[derive(Debug, Default, PartialEq, Eq)]
struct Gathered {
    host: u32,
    srflx: u32,
    relay: u32,
    done: bool,
}

impl Gathered {
    fn take(&mut self, candidate: &Candidate) {
        let mut words = candidate.candidate.split(' ').skip_while(|word| *word != "typ");
        match words.nth(1) {
            Some("host") => self.host += 1,
            Some("srflx") => self.srflx += 1,
            Some("relay") => self.relay += 1,
            _ => {}
        }
    }
}

/// Candidates as a call would gather them.
pub(super) async fn candidates(servers: &[IceServer], relays: bool, authorities: Option<&Trust>) -> Check {
    let begun = Instant::now();
    let config = Config {
        ice_servers: servers.to_vec(),
        policy: IcePolicy::All,
        trust: authorities.cloned(),
        ..Config::default()
    };
    let check = match gather(config).await {
        Ok(gathered) => counted(&gathered, relays),
        Err(error) => Check::new("candidates", Outcome::Fail, error.to_string()),
    };
    check.took(begun.elapsed())
}

async fn gather(config: Config) -> Result<Gathered, crate::rtc::Error> {
    let (peer, mut events) = Peer::new(config, Arc::new(Nobody)).await?;
    peer.offer(false).await?;
    peer.apply_local().await?;
    let gathered = collect(&mut events).await;
    peer.close(false).await;
    Ok(gathered)
}

async fn collect(events: &mut mpsc::Receiver<Event>) -> Gathered {
    let until = Instant::now() + GATHER_WITHIN;
    let mut gathered = Gathered::default();
    while let Ok(Some(event)) = timeout_at(until, events.recv()).await {
        match event {
            Event::LocalCandidate(candidate) => gathered.take(&candidate),
            Event::GatheringDone => {
                gathered.done = true;
                break;
            }
            _ => {}
        }
    }
    gathered
}

fn counted(gathered: &Gathered, relays: bool) -> Check {
    let Gathered { host, srflx, relay, .. } = *gathered;
    let (outcome, hint) = match (host + srflx + relay, relay) {
        (0, _) => (Outcome::Fail, Some("is any network up (ip address)?")),
        (_, 0) if relays => {
            (Outcome::Warn, Some("there are TURN servers and none gave a relay: see the lines about TURN"))
        }
        _ => (Outcome::Pass, None),
    };
    let when = if gathered.done { "" } else { ", and it goes on" };
    let figure = format!("{host} host, {srflx} server reflexive, {relay} relayed{when}");
    let check = Check::new("candidates", outcome, figure)
        .number("host", host.into())
        .number("srflx", srflx.into())
        .number("relay", relay.into());
    match hint {
        Some(hint) => check.hint(hint),
        None => check,
    }
}

/// A call over host candidates: addresses of this machine alone.
pub(super) async fn host() -> Check {
    looped("path-host", IcePolicy::Host, Vec::new(), None).await
}

/// A call as calls are: over whatever is found first and best among all candidates.
pub(super) async fn all(servers: &[IceServer], authorities: Option<&Trust>) -> Check {
    looped("path-all", IcePolicy::All, servers.to_vec(), authorities.cloned()).await
}

/// A call through the relay, there and back. Only with TURN servers that can be used.
pub(super) async fn relay(servers: &[IceServer], relays: bool, authorities: Option<&Trust>) -> Check {
    if !relays {
        return Check::new("path-relay", Outcome::Skip, "no TURN server that can be used is known");
    }
    looped("path-relay", IcePolicy::Relay, servers.to_vec(), authorities.cloned()).await
}

async fn looped(
    name: &'static str,
    ice_policy: IcePolicy,
    ice_servers: Vec<IceServer>,
    authorities: Option<Trust>,
) -> Check {
    let setup = Setup {
        format: PICTURE,
        duration: MEDIA,
        connect: CONNECT_WITHIN,
        ice_servers,
        ice_policy,
        authorities,
        message: Some("doctor"),
    };
    let begun = Instant::now();
    let server = match Server::start().await {
        Ok(server) => server,
        Err(error) => return Check::new(name, Outcome::Inconclusive, format!("{error:#}")),
    };
    let ended = timeout(CALL_WITHIN, server.call(&setup)).await;
    let took = begun.elapsed();
    // Nobody is left to say goodbye to when the call did not come to its end.
    let check = match ended {
        Ok(Ok(ends)) => {
            server.stop().await;
            judge(name, &ends)
        }
        Ok(Err(error)) => Check::new(name, Outcome::Inconclusive, format!("{error:#}")),
        Err(_) => Check::new(
            name,
            Outcome::Fail,
            format!("the call did not come to its end within {} s", CALL_WITHIN.as_secs()),
        ),
    };
    check.took(took)
}

fn judge(name: &'static str, ends: &[Box<report::Report>; 2]) -> Check {
    let mut worst = None;
    for end in ends {
        let mut report = Report::of("doctor", end);
        let connected = end.setup.connected.is_some();
        let (exit, sentence) = verdict::of_call(end, connected, false, &[], &mut report);
        if exit != crate::cli::exit::Exit::Ok && worst.is_none() {
            worst = Some(sentence);
        }
    }
    let [caller, _] = ends;
    if let Some(sentence) = worst {
        let hint = match name {
            "path-relay" => "calls that need the relay fail: see the lines about TURN",
            _ => "does a firewall on this machine drop UDP between its own programs?",
        };
        return Check::new(name, Outcome::Fail, sentence).hint(hint);
    }
    if caller.chat.delivered == 0 {
        return Check::new(name, Outcome::Fail, "media flowed and the data channel did not")
            .hint("please report this: letsmeet selftest --json says more");
    }
    let by = caller.path.as_ref().and_then(|path| path.relay_protocol.clone());
    let way = by.map(|by| format!(" by TURN/{}", by.to_uppercase())).unwrap_or_default();
    let connected = caller.setup.connected.unwrap_or_default();
    let rtt = caller.path.as_ref().and_then(|path| path.rtt.as_ref()).map(|rtt| rtt.p50);
    let mut figure = format!("data, picture and sound both ways{way}, up in {} ms", connected.as_millis());
    let mut check = Check::new(name, Outcome::Pass, "").time("connected_ms", connected);
    if let Some(rtt) = rtt {
        figure.push_str(&format!(", round trip {:.1} ms", rtt.as_secs_f64() * 1e3));
        check = check.time("rtt_ms", rtt);
    }
    check.figure = Some(figure);
    check
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_are_counted_by_their_type() {
        let mut gathered = Gathered { done: true, ..Gathered::default() };
        for kind in ["host", "host", "srflx", "relay", "prflx"] {
            gathered.take(&Candidate {
                candidate: format!("candidate:1 1 udp 1 192.0.2.1 9 typ {kind}"),
                mid: "0".into(),
                mline: 0,
            });
        }
        assert_eq!(gathered, Gathered { host: 2, srflx: 1, relay: 1, done: true });
        assert_eq!(counted(&gathered, true).outcome, Outcome::Pass);
        assert_eq!(counted(&Gathered::default(), false).outcome, Outcome::Fail);
        let without = Gathered { relay: 0, ..gathered };
        assert_eq!(counted(&without, true).outcome, Outcome::Warn);
        assert_eq!(counted(&without, false).outcome, Outcome::Pass);
    }
}
