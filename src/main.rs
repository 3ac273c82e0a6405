//! Parses the command line, runs it, and turns the outcome into an exit status.

use std::process::ExitCode;

use letsmeet::cli;

fn main() -> ExitCode {
    ExitCode::from(cli::main())
}
