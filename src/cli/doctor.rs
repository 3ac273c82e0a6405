//! `letsmeet doctor`: what this machine and its network can do for a call, and what to do where they cannot.
//!
//! Owns which checks run when and what their outcomes mean together; each check is a file of its own below. Every
//! check is bounded in time, and a network that lets nothing through is a finding like any other.

mod dates;
mod judge;
mod local;
mod nat;
mod paths;
mod relay;
mod sentence;
mod server;
mod servers;
mod terminal;
mod throughput;

use std::time::SystemTime;

use anyhow::Result;

use super::args::{Doctor, Global};
use super::exit::Exit;
use super::failure::Usage;
use super::output::checks::{Check, Diagnosis, Outcome};
use super::output::report::Verdict;
use super::output::results::Results;
use super::output::{self, Output, Style, human, mask};
use super::results::Status;
use super::setup::Ground;
use super::signals::Signals;
use crate::rtc::IceServer;
use crate::rtc::probe::Family;
use crate::signaling::client::{ServerAddress, Way};
use servers::Servers;

pub(super) use terminal::unusable;

/// What is checked, read from flags and settings before anything is asked.
struct Plan {
    server: ServerAddress,
    way: Way,
    login: server::Login,
    /// Servers of the flags and the settings file.
    ice_servers: Vec<IceServer>,
    /// Whether somebody sits at this machine.
    devices: bool,
}

/// Runs the command.
///
/// # Errors
/// Flags and settings that make no sense, a file that can't be read, a broken stdout.
pub(super) async fn run(global: &Global, args: Doctor) -> Result<Status> {
    if args.terminal {
        if args.results.wanted() || args.runs.several() {
            return Err(Usage::new("--terminal shows the terminal alone: leave it out").into());
        }
        return terminal::run(global, args).await.map(Status::from);
    }
    args.results.check(global.json)?;
    args.runs.check(&args.results)?;
    let style = if args.results.nagios { Style::Silent } else { Style::choose(global.json, false) };
    let ground = Ground::read(global)?;
    let server = ground.server(global)?.0.to_string();
    let visit = Visit { global, args: &args, ground, output: Output::new(style) };
    let subject = ("server", server.as_str());
    if args.runs.several() {
        let once = async |_, signals: &mut Signals| {
            let (exit, diagnosis) = visit.pay(signals).await?;
            visit.output.say(&result(&diagnosis))?;
            Ok((exit, diagnosis))
        };
        return args.runs.all(&visit.output, &args.results, subject, once).await;
    }
    let (exit, diagnosis) = visit.pay(&mut Signals::listen()?).await?;
    match global.json {
        true => output::document(&diagnosis)?,
        false => visit.output.say(&result(&diagnosis))?,
    }
    args.results.write(exit, &Results::of_doctor(exit, &diagnosis, subject, SystemTime::now()))
}

/// For a person.
fn result(diagnosis: &Diagnosis) -> String {
    format!("\n{}: {}", diagnosis.result.name, human::clean(&diagnosis.result.message))
}

/// What each visit has in common.
struct Visit<'a> {
    global: &'a Global,
    args: &'a Doctor,
    ground: Ground,
    output: Output,
}

impl Visit<'_> {
    /// Checks everything, and says line by line what came of it.
    async fn pay(&self, signals: &mut Signals) -> Result<(Exit, Diagnosis)> {
        let plan = Plan::new(self.global, self.args, &self.ground)?;
        let checked = tokio::select! {
            checked = plan.carry_out(&self.output) => Ok(checked?),
            signal = signals.next() => Err(signal),
        };
        let (exit, message, checks) = match checked {
            Ok(checks) => {
                let (exit, message) = judge::verdict(&checks);
                (exit, message, checks)
            }
            Err(signal) => (signal.into(), "interrupted before all checks were done".to_owned(), Vec::new()),
        };
        let diagnosis = Diagnosis {
            schema: Diagnosis::SCHEMA,
            version: env!("CARGO_PKG_VERSION"),
            result: Verdict { exit: exit.code(), name: exit.name().into(), message },
            checks,
        };
        Ok((exit, diagnosis))
    }
}

impl Plan {
    fn new(global: &Global, args: &Doctor, ground: &Ground) -> Result<Self> {
        let (server, way) = ground.server(global)?;
        // Without any name there is nobody to sign in as, which is no reason not to check the rest.
        let login = match ground.has_profile(global)? {
            true => {
                let profile = ground.profile(global)?;
                Ok(ground.signaling(global, &profile, &profile.identity)?)
            }
            false => Err("no name to sign in with".to_owned()),
        };
        let ice_servers = ground.ice_servers(&args.servers)?;
        Ok(Self { server, way, login, ice_servers, devices: !args.no_devices })
    }

    /// Two rounds: what needs no other check, all at once; then what needs the servers that the signaling server
    /// hands out, all at once; at last what the relay carries.
    async fn carry_out(self, output: &Output) -> Result<Vec<Check>> {
        let (seen, local, host) = tokio::join!(
            server::examine(&self.server, &self.way, self.login),
            async { if self.devices { local::all().await } else { Vec::new() } },
            paths::host(),
        );
        let mut checks = seen.checks;
        tell(output, &checks)?;
        let mut all = self.ice_servers;
        all.extend(seen.ice_servers);
        let servers = Servers::of(&all);
        servers.hosts().for_each(mask::hide_host);
        let relays = servers.turn.iter().any(|(_, credentials)| credentials.is_some());
        let trust = self.way.trust.as_ref();
        let (v4, v6, nat, turn, candidates, every, relay) = tokio::join!(
            nat::stun(Family::V4, &servers.stun),
            nat::stun(Family::V6, &servers.stun),
            nat::behaviour(&servers.stun),
            relay::turn(&servers.turn, trust),
            paths::candidates(&all, relays, trust),
            paths::all(&all, trust),
            paths::relay(&all, relays, trust),
        );
        let mut second = vec![v4, v6];
        second.extend(nat);
        second.extend(turn);
        let works = relay.outcome == Outcome::Pass;
        second.extend([candidates, host, every, relay]);
        // Alone: it fills the way.
        second.push(throughput::relay(&all, works, trust).await);
        judge::soften(&mut second);
        second.extend(local);
        tell(output, &second)?;
        checks.extend(second);
        Ok(checks)
    }
}

/// Lines for a person.
fn tell(output: &Output, checks: &[Check]) -> Result<()> {
    for check in checks {
        output.say(&check.lines())?;
    }
    Ok(())
}
