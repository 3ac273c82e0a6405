//! One process of the binary: its own home, its JSON lines, its end.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};
use tempfile::TempDir;

use super::SOON;
use super::report::Report;

/// The binary under test.
pub(crate) const LETSMEET: &str = env!("CARGO_BIN_EXE_letsmeet");

/// A person's own folders: keys, settings, state. Removed when dropped.
pub(crate) struct Home {
    folder: TempDir,
    /// What the command is run by: `ip netns exec NAME`, or nothing.
    wrapper: Vec<OsString>,
}

/// One line of `--headless` output.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) name: String,
    /// Milliseconds since the process started, by its own clock.
    pub(crate) at_ms: u64,
    /// Everything else on the line.
    pub(crate) fields: Map<String, Value>,
}

impl Event {
    /// A `report` event as the report.
    pub(crate) fn report(&self) -> Result<Report, String> {
        serde_json::from_value(Value::Object(self.fields.clone()))
            .map_err(|error| format!("the report is not as published: {error}"))
    }

    /// The text at `field`; empty when there is none.
    pub(crate) fn text(&self, field: &str) -> &str {
        self.fields.get(field).and_then(Value::as_str).unwrap_or_default()
    }

    /// The number at a path such as `receive.video.frames_shown`.
    pub(crate) fn number(&self, path: &str) -> Option<f64> {
        let (first, rest) = path.split_once('.').unwrap_or((path, ""));
        let value = self.fields.get(first)?;
        let pointer = if rest.is_empty() { String::new() } else { format!("/{}", rest.replace('.', "/")) };
        value.pointer(&pointer)?.as_f64()
    }
}

/// What a test sends to a process.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Signal {
    Hangup,
    Interrupt,
    Terminate,
    Kill,
}

/// How a process ended and what it said.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// How long it ran.
    pub(crate) took: Duration,
}

/// A running process. Dropping it kills it.
pub(crate) struct Process {
    what: String,
    pid: i32,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    exit: Receiver<ExitStatus>,
    exited: Option<ExitStatus>,
    stderr: Receiver<String>,
    /// Lines read from stdout so far.
    seen: Vec<String>,
    /// Read, not yet looked at by `wait_for`.
    fresh: VecDeque<Event>,
    started: Instant,
}

impl Home {
    /// A new, empty home.
    pub(crate) fn new() -> Self {
        Self::wrapped(Vec::new())
    }

    /// A home whose commands are run by `wrapper`.
    pub(crate) fn wrapped(wrapper: Vec<OsString>) -> Self {
        Self { folder: TempDir::with_prefix("letsmeet-test-").expect("a temporary folder"), wrapper }
    }

    /// The folder itself.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The binary with `args`, in this home, with nothing else of the environment but `PATH`.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        self.command_of(LETSMEET, args)
    }

    /// Another program in the same way.
    pub(crate) fn command_of(&self, program: &str, args: &[&str]) -> Command {
        let mut command = match self.wrapper.split_first() {
            None => Command::new(program),
            Some((wrapper, rest)) => {
                let mut command = Command::new(wrapper);
                command.args(rest).arg(program);
                command
            }
        };
        let path = std::env::var_os("PATH").unwrap_or_default();
        command
            .args(args)
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.path())
            .env("RUST_BACKTRACE", "1")
            .current_dir(self.path());
        for (name, folder) in [
            ("CONFIG", "config"),
            ("DATA", "data"),
            ("STATE", "state"),
            ("CACHE", "cache"),
            ("RUNTIME", "run"),
        ] {
            let suffix = if name == "RUNTIME" { "DIR" } else { "HOME" };
            command.env(format!("XDG_{name}_{suffix}"), self.path().join(folder));
        }
        command
    }

    /// Starts the binary with `args`, its three streams held by the test.
    pub(crate) fn start(&self, args: &[&str]) -> Process {
        Process::start(self.command(args), &args.join(" "))
    }

    /// Runs the binary to its end, with nothing on stdin.
    pub(crate) fn run(&self, args: &[&str]) -> Outcome {
        let mut process = self.start(args);
        process.stdin = None;
        process.finish(Duration::from_secs(30))
    }
}

impl Process {
    /// Its process id, which is that of what a wrapper turns into.
    pub(crate) fn pid(&self) -> i32 {
        self.pid
    }

    /// Starts `command`; `what` names it when a wait fails.
    pub(crate) fn start(mut command: Command, what: &str) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{what}: cannot start: {error}"));
        let pid = i32::try_from(child.id()).expect("a process id");
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().expect("stdout is piped");
        let mut errors = child.stderr.take().expect("stderr is piped");
        // The test's own threads; a process under test writes little, so these queues may be unbounded.
        let (line, lines) = channel();
        thread::spawn(move || {
            for text in BufReader::new(stdout).lines().map_while(Result::ok) {
                if line.send(text).is_err() {
                    break;
                }
            }
        });
        let (text, stderr) = channel();
        thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = errors.read_to_end(&mut bytes);
            let _ = text.send(String::from_utf8_lossy(&bytes).into_owned());
        });
        let exit = wait_in_background(child);
        Self {
            what: what.to_owned(),
            pid,
            stdin,
            lines,
            exit,
            exited: None,
            stderr,
            seen: Vec::new(),
            fresh: VecDeque::new(),
            started: Instant::now(),
        }
    }

    /// The next event called `name`; earlier ones of other names are skipped for good.
    /// Panics with everything the process said when it does not come in time.
    pub(crate) fn wait_for(&mut self, name: &str, within: Duration) -> Event {
        self.wait_where(name, within, |_| true)
    }

    /// As `wait_for`, and the event must also satisfy `wanted`.
    pub(crate) fn wait_where(
        &mut self,
        name: &str,
        within: Duration,
        wanted: impl Fn(&Event) -> bool,
    ) -> Event {
        self.wait_until(name, within, |event| event.name == name && wanted(event))
    }

    /// The next event that is `wanted`, whatever its name; `what` is said when it does not come in time.
    pub(crate) fn wait_until(
        &mut self,
        what: &str,
        within: Duration,
        wanted: impl Fn(&Event) -> bool,
    ) -> Event {
        let deadline = Instant::now() + within;
        loop {
            while let Some(event) = self.fresh.pop_front() {
                if wanted(&event) {
                    return event;
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => self.take(line),
                Err(RecvTimeoutError::Timeout) => self.fail(&format!("no \"{what}\" within {within:?}")),
                Err(RecvTimeoutError::Disconnected) => self.fail(&format!("ended without \"{what}\"")),
            }
        }
    }

    /// The next line of plain text that contains `text`; earlier ones are skipped for good.
    pub(crate) fn wait_for_text(&mut self, text: &str, within: Duration) -> String {
        let deadline = Instant::now() + within;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    self.seen.push(line.clone());
                    if line.contains(text) {
                        return line;
                    }
                }
                Err(_) => self.fail(&format!("no line with \"{text}\" within {within:?}")),
            }
        }
    }

    /// Types a line of words.
    pub(crate) fn type_line(&mut self, words: &str) {
        let stdin = self.stdin.as_mut().expect("stdin is open");
        if let Err(error) = writeln!(stdin, "{words}").and_then(|()| stdin.flush()) {
            self.fail(&format!("does not read its stdin: {error}"));
        }
    }

    /// True when no event called `name` comes within `within`; other events are kept.
    pub(crate) fn stays_without(&mut self, name: &str, within: Duration) -> bool {
        let deadline = Instant::now() + within;
        loop {
            if self.fresh.iter().any(|event| event.name == name) {
                return false;
            }
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => self.take(line),
                Err(_) => return true,
            }
        }
    }

    /// The next `report` event, as types.
    pub(crate) fn wait_for_report(&mut self) -> Report {
        let event = self.wait_for("report", SOON);
        event.report().unwrap_or_else(|problem| self.fail(&problem))
    }

    /// Gives one command as a JSON line on stdin.
    pub(crate) fn say(&mut self, command: &Value) {
        let stdin = self.stdin.as_mut().expect("stdin is open");
        if let Err(error) = writeln!(stdin, "{command}").and_then(|()| stdin.flush()) {
            self.fail(&format!("does not read its stdin: {error}"));
        }
    }

    /// Sends a signal to this process, by its id, if it still runs.
    pub(crate) fn signal(&mut self, signal: Signal) {
        if self.exited.is_none() {
            self.exited = self.exit.try_recv().ok();
        }
        if self.exited.is_none() {
            let number = match signal {
                Signal::Hangup => libc::SIGHUP,
                Signal::Interrupt => libc::SIGINT,
                Signal::Terminate => libc::SIGTERM,
                Signal::Kill => libc::SIGKILL,
            };
            // SAFETY: kill takes no pointers. The id is ours until the waiting thread reports the
            // exit; the moment between the two is no danger to anything but this test.
            unsafe { libc::kill(self.pid, number) };
        }
    }

    /// Waits for the end; kills and panics when it does not come in time.
    pub(crate) fn finish(mut self, within: Duration) -> Outcome {
        let status = match self.exited.map_or_else(|| self.exit.recv_timeout(within), Ok) {
            Ok(status) => status,
            Err(_) => self.fail(&format!("did not end within {within:?}")),
        };
        self.exited = Some(status);
        let took = self.started.elapsed();
        while let Ok(line) = self.lines.recv_timeout(SOON) {
            self.seen.push(line);
        }
        let stderr = self.stderr.recv_timeout(SOON).unwrap_or_default();
        Outcome { status, stdout: self.seen.join("\n"), stderr, took }
    }

    fn take(&mut self, line: String) {
        if let Ok(event) = event(&line) {
            self.fresh.push_back(event);
        }
        self.seen.push(line);
    }

    /// Ends it and panics with everything that it said.
    pub(crate) fn fail(&mut self, problem: &str) -> ! {
        self.signal(Signal::Kill);
        while let Ok(line) = self.lines.recv_timeout(Duration::from_secs(2)) {
            self.seen.push(line);
        }
        let status = self.exited.map_or_else(|| self.exit.recv_timeout(Duration::from_secs(2)), Ok);
        let stderr = self.stderr.recv_timeout(Duration::from_secs(2)).unwrap_or_default();
        panic!(
            "{}: {problem}\nstatus: {status:?}\nstdout:\n{}\nstderr:\n{stderr}",
            self.what,
            self.seen.join("\n")
        );
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal(Signal::Kill);
    }
}

fn wait_in_background(mut child: Child) -> Receiver<ExitStatus> {
    let (status, exit) = channel();
    thread::spawn(move || {
        if let Ok(ended) = child.wait() {
            let _ = status.send(ended);
        }
    });
    exit
}

fn event(line: &str) -> Result<Event, String> {
    let mut fields: Map<String, Value> =
        serde_json::from_str(line).map_err(|error| format!("{line:?} is no JSON object: {error}"))?;
    let Some(Value::String(name)) = fields.remove("event") else {
        return Err(format!("no event in {line}"));
    };
    let at_ms =
        fields.remove("at_ms").and_then(|at| at.as_u64()).ok_or_else(|| format!("no at_ms in {line}"))?;
    Ok(Event { name, at_ms, fields })
}

impl Outcome {
    /// The exit status as a shell would show it: 128 and the signal when one ended the process.
    pub(crate) fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| 128 + self.status.signal().unwrap_or(0))
    }

    /// Panics unless the exit status is `wanted`; returns itself.
    pub(crate) fn expect_code(self, wanted: i32) -> Self {
        assert_eq!(self.code(), wanted, "{self}");
        self
    }

    /// Every line of stdout as an event; panics when one is not.
    pub(crate) fn events(&self) -> Vec<Event> {
        self.stdout
            .lines()
            .map(|line| event(line).unwrap_or_else(|problem| panic!("{problem}\nstdout:\n{}", self.stdout)))
            .collect()
    }

    /// The report: the whole stdout with `--json`, the last line with `--headless`. Its exit status
    /// and the process's must agree.
    pub(crate) fn report(&self) -> Report {
        let text = self.stdout.trim();
        let report: Result<Report, String> = match serde_json::from_str::<Value>(text) {
            Ok(document) if document.get("event").is_none() => {
                serde_json::from_value(document).map_err(|error| error.to_string())
            }
            _ => match text.lines().last().map(event) {
                Some(Ok(last)) if last.name == "report" => last.report(),
                _ => Err("no report at the end of stdout".to_owned()),
            },
        };
        let report = report.unwrap_or_else(|problem| panic!("{problem}\n{self}"));
        assert_eq!(report.result.exit, self.code(), "the report and the exit status\n{self}");
        report
    }

    /// Whether stderr or stdout has `text`.
    pub(crate) fn says(&self, text: &str) -> bool {
        self.stderr.contains(text) || self.stdout.contains(text)
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "exit status {} after {:?}\nstdout:\n{}\nstderr:\n{}",
            self.code(),
            self.took,
            self.stdout,
            self.stderr
        )
    }
}

/// `letsmeet serve`, on a free port of its own.
pub(crate) struct Server {
    process: Option<Process>,
    home: Home,
    url: String,
    /// Flags beside `--listen`.
    more: Vec<String>,
}

impl Server {
    /// On loopback.
    pub(crate) fn start() -> Self {
        Self::start_in(Home::new(), "127.0.0.1:0")
    }

    /// With what `home` holds, at `listen`.
    pub(crate) fn start_in(home: Home, listen: &str) -> Self {
        Self::start_with(home, listen, &[])
    }

    /// The same with `more` flags.
    pub(crate) fn start_with(home: Home, listen: &str, more: &[&str]) -> Self {
        let more: Vec<String> = more.iter().map(ToString::to_string).collect();
        let (process, url) = Self::launch(&home, listen, &more);
        Self { process: Some(process), home, url, more }
    }

    fn launch(home: &Home, listen: &str, more: &[String]) -> (Process, String) {
        let mut args = vec!["serve", "--listen", listen, "--headless"];
        args.extend(more.iter().map(String::as_str));
        let mut process = home.start(&args);
        let url = process.wait_for("listening", SOON).text("url").to_owned();
        assert!(!url.is_empty(), "the listening event has a url");
        (process, url)
    }

    /// What `--server` takes.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Sends it a signal.
    pub(crate) fn signal(&mut self, signal: Signal) {
        self.process.as_mut().expect("the server runs").signal(signal);
    }

    /// `HOST:PORT` of the bound socket, from the URL.
    pub(crate) fn address(&self) -> &str {
        let rest = self.url.split_once("://").map_or(self.url.as_str(), |(_, rest)| rest);
        rest.split('/').next().unwrap_or(rest)
    }

    /// kill -9.
    pub(crate) fn kill(&mut self) {
        let mut process = self.process.take().expect("the server runs");
        process.signal(Signal::Kill);
        process.finish(SOON);
    }

    /// Starts again after `kill`, at the same address, with what it kept on disk.
    pub(crate) fn restart(&mut self) {
        assert!(self.process.is_none(), "the server still runs");
        let address = self.address().to_owned();
        let (process, url) = Self::launch(&self.home, &address, &self.more);
        assert_eq!(url, self.url, "the same address again");
        self.process = Some(process);
    }

    /// Ends it with SIGTERM and returns how it ended.
    pub(crate) fn stop(mut self) -> Outcome {
        let mut process = self.process.take().expect("the server runs");
        process.signal(Signal::Terminate);
        process.finish(SOON)
    }
}
