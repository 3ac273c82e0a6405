//! Parses the command line, runs it, and turns the outcome into an exit status.

use std::process::ExitCode;

use letsmeet::cli::{self, args::Cli};

fn main() -> ExitCode {
    ExitCode::from(cli::run(Cli::from_command_line()))
}
