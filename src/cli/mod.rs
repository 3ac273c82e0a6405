//! The command line: the composition root, and the headless front end.
//!
//! Owns what a command does from its flags to its exit. Everything below is put together here and nowhere else.

pub mod args;
mod call;
mod doctor;
pub mod exit;
pub mod expect;
mod failure;
mod front;
mod input;
mod login;
mod man;
pub mod output;
mod preview;
mod process;
mod profile;
mod selftest;
mod serve;
mod setup;
mod signals;
mod users;
mod verdict;

use std::io::Write as _;

use anyhow::Result;

use args::{Cli, Command};
use exit::Exit;
use output::report::Report;
use output::{Output, Style};

/// Threads of the async runtime. Media has threads of its own; what is left is sockets and timers.
const WORKERS: usize = 2;

/// Runs one command to its end and says how it came out. Errors are printed here, in the way the flags ask for.
#[must_use]
pub fn run(cli: Cli) -> Exit {
    crate::logging::start(cli.global.verbose, cli.global.quiet);
    let style = Style::choose(cli.global.json, cli.command.is_headless());
    let name = cli.command.name();
    match start(cli) {
        Ok(exit) => exit,
        Err(error) => {
            let exit = failure::exit_of(&error);
            tell(style, name, exit, &error);
            exit
        }
    }
}

fn start(cli: Cli) -> Result<Exit> {
    let global = cli.global;
    let command = match cli.command {
        Command::Completions { shell } => return man::completions(shell),
        Command::Man { folder } => return man::pages(folder.as_deref()),
        other => other,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build()?;
    let outcome = runtime.block_on(async {
        match command {
            Command::Serve(args) => serve::run(&global, args).await,
            Command::Login(args) => login::run(&global, args).await,
            Command::Call(args) => call::run(&global, args).await,
            Command::Users(args) => users::run(&global, args).await,
            Command::Selftest(args) => selftest::run(&global, args).await,
            Command::Preview(args) => preview::run(&global, args).await,
            Command::Doctor(args) => doctor::run(&global, args).await,
            Command::Completions { shell } => man::completions(shell),
            Command::Man { folder } => man::pages(folder.as_deref()),
        }
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
    let _ = writeln!(std::io::stderr(), "error: {message}");
    if style != Style::Human {
        let mut report = Report::empty(command);
        report.conclude(exit, &message);
        // Stdout may be what failed; the exit status still tells.
        let _ = Output::new(style).report(&report);
    }
}

impl Command {
    /// Whether stdout carries JSON lines.
    fn is_headless(&self) -> bool {
        match self {
            Self::Serve(args) => args.headless,
            Self::Login(args) => args.headless,
            Self::Call(args) => args.headless,
            _ => false,
        }
    }

    /// The command's name, for the report.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Serve(_) => "serve",
            Self::Login(_) => "login",
            Self::Call(_) => "call",
            Self::Users(_) => "users",
            Self::Selftest(_) => "selftest",
            Self::Preview(_) => "preview",
            Self::Doctor(_) => "doctor",
            Self::Completions { .. } => "completions",
            Self::Man { .. } => "man",
        }
    }
}
