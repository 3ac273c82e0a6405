//! What the command line prints without a call: help, version, completions, manual pages, and how
//! it refuses.

use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::ffi::OsStrExt as _;
use std::process::{Command, Stdio};

use crate::harness::Home;

const COMMANDS: &[&str] = &["serve", "login", "call", "users", "selftest", "completions", "man"];

#[test]
fn help_is_on_stdout_for_every_command() {
    let home = Home::new();
    let top = home.run(&["--help"]).expect_code(0);
    for command in COMMANDS {
        assert!(top.stdout.contains(command), "{command} is not in the help:\n{}", top.stdout);
        let help = home.run(&[command, "--help"]).expect_code(0);
        assert!(help.stdout.contains("Usage:") && help.stderr.is_empty(), "{command}: {help:?}");
        assert!(!help.stdout.contains('\x1b'), "{command}: colours in a pipe");
    }
}

#[test]
fn version_is_the_package_s() {
    let outcome = Home::new().run(&["--version"]).expect_code(0);
    assert_eq!(outcome.stdout.trim(), concat!("letsmeet ", env!("CARGO_PKG_VERSION")));
}

#[test]
fn completions_are_scripts_of_their_shell() {
    let home = Home::new();
    for shell in ["bash", "zsh", "fish"] {
        let outcome = home.run(&["completions", shell]).expect_code(0);
        for command in ["selftest", "headless"] {
            assert!(outcome.stdout.contains(command), "{shell}: no {command}");
        }
    }
    let script = home.run(&["completions", "bash"]).stdout;
    let mut bash =
        Command::new("bash").arg("-n").stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("bash");
    bash.stdin.take().expect("stdin").write_all(script.as_bytes()).expect("written");
    let output = bash.wait_with_output().expect("bash ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    home.run(&["completions", "tcsh"]).expect_code(2);
}

#[test]
fn the_manual_is_roff() {
    let outcome = Home::new().run(&["man"]).expect_code(0);
    assert!(
        outcome.stdout.contains(".TH letsmeet 1"),
        "{}",
        outcome.stdout.chars().take(400).collect::<String>()
    );
}

#[test]
fn a_usage_error_says_nothing_on_stdout() {
    let home = Home::new();
    for args in [&["dance"][..], &["call"], &["call", "bob", "--volume", "11"]] {
        let outcome = home.run(args).expect_code(2);
        assert!(outcome.stdout.is_empty(), "{args:?}: {}", outcome.stdout);
        assert!(outcome.stderr.contains("--help"), "{args:?} says where help is: {}", outcome.stderr);
    }
}

#[test]
fn a_usage_error_is_told_to_a_script_in_the_way_it_reads() {
    let home = Home::new();
    for format in ["--json", "--headless"] {
        let outcome = home.run(&["call", "bob", format, "--duration", "soon"]).expect_code(2);
        let report = outcome.report();
        assert_eq!((report.command.as_str(), report.result.exit), ("call", 2), "{outcome}");
        assert!(report.result.message.contains("\"soon\" is not a time"), "{outcome}");
        assert!(outcome.stderr.contains("--help"), "a person who looks for it reads more: {outcome}");
    }
    // CRITICAL would be a claim about the calls.
    let outcome = home.run(&["doctor", "--nagios", "--no-such-flag"]).expect_code(3);
    assert!(outcome.stdout.starts_with("LETSMEET UNKNOWN"), "{outcome}");
    // Not every argument is text.
    let mut command = home.command(&["doctor", "--nagios", "--no-such-flag"]);
    let output = command.arg(OsStr::from_bytes(b"\xff")).output().expect("runs");
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    // It is no flag where it is somebody's name.
    let outcome = home.run(&["call", "--duration", "soon", "--", "--json"]).expect_code(2);
    assert!(outcome.stdout.is_empty(), "{outcome}");
}

#[test]
fn without_a_command_it_shows_the_help_as_a_usage_error() {
    let outcome = Home::new().run(&[]).expect_code(2);
    assert!(outcome.stdout.is_empty() && outcome.stderr.contains("Usage:"), "{outcome:?}");
}
