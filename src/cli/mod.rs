//! The command line: the composition root, and the headless front end.
//!
//! Owns what a command does from its flags to its exit. Everything below is put together here and nowhere else.

mod alert;
pub mod args;
mod call;
mod devices;
mod dialing;
mod doctor;
pub mod exit;
pub mod expect;
mod face;
mod failure;
mod front;
mod host;
mod ice;
mod input;
mod login;
mod loopback;
mod man;
mod messages;
pub mod output;
mod preview;
mod process;
mod profile;
mod repeat;
mod results;
mod runs;
mod selftest;
mod send;
mod serve;
mod setup;
mod signals;
mod trust;
mod users;
mod verdict;

use std::io::Write as _;

use anyhow::Result;
use clap::{CommandFactory as _, Parser as _};

use args::{Cli, Command, Global, Privacy, Results};
use exit::Exit;
use face::Face;
use failure::Device;
use output::report::Report;
use output::{Output, Style, mask};
use results::Status;

use crate::config::Folders;
use crate::logging::{self, Target};

/// Threads of the async runtime. Media has threads of its own; what is left is sockets and timers.
const WORKERS: usize = 2;

/// Reads the process's own command line and runs it to its end; the exit status.
#[must_use]
pub fn main() -> u8 {
    Cli::try_parse().map_or_else(|error| misread(&error), run)
}

/// Help and the version, which came in the way of an error as well, or what is wrong with the command line: a report goes
/// where one was promised, as far as what was typed tells.
fn misread(error: &clap::Error) -> u8 {
    // What can't be written here has nobody who reads it.
    let _ = error.print();
    if !error.use_stderr() {
        return Exit::Ok.code();
    }
    // What is no text is no flag of ours.
    let words = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned());
    let typed: Vec<String> = words.take_while(|word| word != "--").collect();
    let has = |flag: &str| typed.iter().any(|word| word == flag);
    let commands = Cli::command();
    let command = typed.iter().find_map(|word| commands.find_subcommand(word));
    let command = command.map_or("", clap::Command::get_name);
    let text = error.to_string();
    // What follows the first empty line is for a person who tries again.
    let message = text.split("\n\n").next().unwrap_or_default().trim_start_matches("error: ");
    let results = Results { nagios: has("--nagios"), ..Results::default() };
    let style = Style::choose(has("--json"), has("--headless"));
    if !results.nagios && !matches!(style, Style::Human) {
        document(style, command, Exit::Usage, message);
    }
    // A monitor's line does not name the command.
    results
        .write_error("letsmeet", Exit::Usage, message, ("", ""))
        .unwrap_or(Status::Exit(Exit::Usage))
        .code()
}

/// Runs one command to its end; the exit status. Errors are printed here, in the way the flags ask for.
#[must_use]
pub fn run(cli: Cli) -> u8 {
    if cli.command.privacy().is_some_and(|privacy| privacy.mask) {
        mask::start();
    }
    let style = Style::choose(cli.global.json, cli.command.is_headless());
    let results = cli.command.results().cloned().unwrap_or_default();
    let style = if results.nagios { Style::Silent } else { style };
    let (name, (label, subject)) = (cli.command.name(), cli.command.subject(&cli.global));
    let status = log(&cli).and_then(|()| start(cli)).unwrap_or_else(|error| {
        let exit = failure::exit_of(&error);
        tell(style, name, exit, &error);
        // What can't be written now is what was just told, or comes to the same exit status.
        results
            .write_error(name, exit, &format!("{error:#}"), (label, &subject))
            .unwrap_or(Status::Exit(exit))
    });
    status.code()
}

/// Diagnostics go to a file while the screen has the terminal.
fn log(cli: &Cli) -> Result<()> {
    let target = match cli.command.face(&cli.global) {
        Some(Face::Screen) => Target::File(Folders::find()?.data.join("letsmeet.log")),
        _ => Target::Stderr,
    };
    logging::start(cli.global.verbose, cli.global.quiet, &target)
        .map_err(|error| Device::new(format!("cannot log to {target}: {error}")).into())
}

fn start(cli: Cli) -> Result<Status> {
    let global = cli.global;
    let command = match cli.command {
        Command::Completions { shell } => return man::completions(shell).map(Status::from),
        Command::Man { folder } => return man::pages(folder.as_deref()).map(Status::from),
        other => other,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build()?;
    let outcome = runtime.block_on(async {
        let exit = match command {
            Command::Call(args) => return call::run(&global, args).await,
            Command::Doctor(args) => return doctor::run(&global, args).await,
            Command::Serve(args) => serve::run(&global, args).await,
            Command::Login(args) => login::run(&global, args).await,
            Command::Send(args) => send::run(&global, args).await,
            Command::Users(args) => users::run(&global, args).await,
            Command::Selftest(args) => selftest::run(&global, args).await,
            Command::Preview(args) => preview::run(&global, args).await,
            Command::Trust(args) => trust::run(&global, &args),
            Command::Alert(args) => alert::run(&global, args).await,
            Command::Devices => devices::run(&global).await,
            Command::Completions { shell } => man::completions(shell),
            Command::Man { folder } => man::pages(folder.as_deref()),
        };
        exit.map(Status::from)
    });
    // Threads that wait for stdin must not keep the process.
    runtime.shutdown_background();
    outcome
}

/// An error of a command that never came to its report: a sentence on stderr, and the report where one was
/// promised.
fn tell(style: Style, command: &str, exit: Exit, error: &anyhow::Error) {
    let message = format!("{error:#}");
    // Stderr may be closed; the exit status still tells.
    let _ = writeln!(std::io::stderr(), "error: {}", output::human::clean_lines(&mask::text(&message)));
    if !matches!(style, Style::Human | Style::Silent) {
        document(style, command, exit, &message);
    }
}

/// The report of a command that never came to its own.
fn document(style: Style, command: &str, exit: Exit, message: &str) {
    let mut report = Report::empty(command);
    report.conclude(exit, message);
    // Stdout may be what failed; the exit status still tells.
    let _ = Output::new(style).report(&report);
}

impl Command {
    /// Whether stdout carries JSON lines.
    fn is_headless(&self) -> bool {
        match self {
            Self::Serve(args) => args.headless,
            Self::Login(args) => args.headless,
            Self::Call(args) => args.headless,
            Self::Send(args) => args.headless,
            _ => false,
        }
    }

    /// The face of a command that has one.
    fn face(&self, global: &Global) -> Option<Face> {
        match self {
            Self::Login(args) => Some(Face::choose(global, args.headless)),
            Self::Call(args) => Some(call::face(global, args)),
            _ => None,
        }
    }

    /// Where the outcome goes, of a command that has one to tell.
    fn results(&self) -> Option<&Results> {
        match self {
            Self::Call(args) => Some(&args.results),
            Self::Doctor(args) => Some(&args.results),
            _ => None,
        }
    }

    /// What is not to be told.
    fn privacy(&self) -> Option<Privacy> {
        match self {
            Self::Login(args) => Some(args.privacy),
            other => other.results().map(|results| results.privacy),
        }
    }

    /// Whom or what the command is about, as a label.
    fn subject(&self, global: &Global) -> (&'static str, String) {
        match self {
            Self::Call(args) => ("peer", args.to.clone()),
            _ => ("server", global.server.clone().unwrap_or_default()),
        }
    }

    /// The command's name, for the report.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Serve(_) => "serve",
            Self::Login(_) => "login",
            Self::Call(_) => "call",
            Self::Send(_) => "send",
            Self::Users(_) => "users",
            Self::Selftest(_) => "selftest",
            Self::Preview(_) => "preview",
            Self::Trust(_) => "trust",
            Self::Alert(_) => "alert",
            Self::Devices => "devices",
            Self::Doctor(_) => "doctor",
            Self::Completions { .. } => "completions",
            Self::Man { .. } => "man",
        }
    }
}
