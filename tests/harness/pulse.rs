//! A sound server of the test's own: PulseAudio or PipeWire as user processes, with sinks that go nowhere.
//!
//! It has its own home and socket and touches no other server. What is played into a sink can be heard at that sink's monitor.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::display::Program;
use super::{Home, Process, SOON, until};

/// Samples a second of what the test plays and records, mono.
pub(crate) const RATE: usize = 48_000;

/// A running server with these sinks; each has a monitor `NAME.monitor`.
pub(crate) struct Pulse {
    folder: TempDir,
    sinks: Vec<&'static str>,
    /// PipeWire is more than one program; ended in this order.
    server: Vec<Program>,
}

impl Pulse {
    /// A server with sinks of these names.
    pub(crate) fn start(sinks: &[&'static str]) -> Self {
        let mut pulse = Self::nowhere(sinks);
        pulse.restart();
        pulse
    }

    /// The same, but PipeWire speaks PulseAudio's protocol.
    pub(crate) fn start_pipewire(sinks: &[&'static str]) -> Self {
        let mut pulse = Self::nowhere(sinks);
        let folder = pulse.folder.path().to_owned();
        let bus = format!("unix:path={}", folder.join("bus").display());
        let program = |program: &str, args: &[&str]| {
            let mut command = Command::new(program);
            command
                .args(args)
                .env("HOME", &folder)
                .env("XDG_RUNTIME_DIR", &folder)
                .env("XDG_CONFIG_HOME", &folder)
                .env("XDG_STATE_HOME", &folder)
                .env("PULSE_RUNTIME_PATH", &folder)
                .env("DBUS_SESSION_BUS_ADDRESS", &bus)
                .env_remove("PULSE_SERVER");
            Program::start(command)
        };
        let there = |name: &str| {
            until(SOON, name, || folder.join(name).exists().then_some(()));
        };
        let bus_server =
            program("dbus-daemon", &["--session", "--nofork", "--nopidfile", &format!("--address={bus}")]);
        let core = program("pipewire", &[]);
        there("bus");
        there("pipewire-0");
        let manager = program("wireplumber", &[]);
        let protocol = program("pipewire-pulse", &[]);
        there("native");
        pulse.server = vec![protocol, manager, core, bus_server];
        for sink in sinks {
            let name = format!("sink_name={sink}");
            pulse.control(&["load-module", "module-null-sink", &name, "rate=48000", "channels=2"]);
        }
        pulse
    }

    fn nowhere(sinks: &[&'static str]) -> Self {
        let folder = TempDir::with_prefix("letsmeet-pulse-").expect("a temporary folder");
        Self { folder, sinks: sinks.to_vec(), server: Vec::new() }
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("native")
    }

    /// What `PULSE_SERVER` is for this server.
    fn address(&self) -> String {
        format!("unix:{}", self.socket().display())
    }

    /// `command` as a user of this server alone.
    pub(crate) fn into(&self, command: &mut Command) {
        command
            .env("PULSE_SERVER", self.address())
            .env("PULSE_RUNTIME_PATH", self.folder.path())
            // Nobody has made a cookie there, as on a machine where no program has used sound yet.
            .env("HOME", self.folder.path())
            .env_remove("PULSE_COOKIE");
    }

    /// Starts the binary with `args` in `home`, with this server to hear and play.
    pub(crate) fn run(&self, home: &Home, args: &[&str]) -> Process {
        let mut command = home.command(args);
        self.into(&mut command);
        Process::start(command, &args.join(" "))
    }

    /// A tool of PulseAudio on this server.
    pub(crate) fn tool(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(args).env("XDG_RUNTIME_DIR", self.folder.path());
        self.into(&mut command);
        command
    }

    /// Ends the server at once, as a crash would.
    pub(crate) fn kill(&mut self) {
        self.server.clear();
        let _ = std::fs::remove_file(self.socket());
    }

    /// Starts the server again after `kill`.
    pub(crate) fn restart(&mut self) {
        let folder = self.folder.path();
        let mut command = Command::new("pulseaudio");
        command
            .args(["--daemonize=no", "-n", "--exit-idle-time=-1", "--use-pid-file=no", "--disable-shm=yes"])
            .args(["--log-target=stderr", "--realtime=no", "--high-priority=no"])
            .arg(format!(
                "--load=module-native-protocol-unix auth-anonymous=1 socket={}",
                self.socket().display()
            ));
        for sink in &self.sinks {
            command.arg(format!(
                "--load=module-null-sink sink_name={sink} rate=48000 channels=2 sink_properties=device.description={sink}"
            ));
        }
        command
            .env("HOME", folder)
            .env("XDG_RUNTIME_DIR", folder)
            .env("XDG_CONFIG_HOME", folder)
            .env("PULSE_RUNTIME_PATH", folder)
            .env_remove("PULSE_SERVER")
            .env_remove("DBUS_SESSION_BUS_ADDRESS");
        let mut server = Program::start(command);
        until(SOON, "PulseAudio lists its sinks", || {
            server.assert_runs("pulseaudio");
            let mut list = self.tool("pactl", &["list", "short", "sinks"]);
            let said = list.stderr(Stdio::null()).output().unwrap_or_else(|error| {
                panic!("cannot start pactl: {error} (scripts/setup --tests installs it)")
            });
            let said = String::from_utf8_lossy(&said.stdout).into_owned();
            self.sinks.iter().all(|sink| said.contains(sink)).then_some(())
        });
        self.server = vec![server];
    }

    /// Runs `pactl` with these arguments.
    pub(crate) fn control(&self, args: &[&str]) -> String {
        let said = self.tool("pactl", args).output().expect("pactl was there before");
        assert!(said.status.success(), "pactl {args:?}: {}", String::from_utf8_lossy(&said.stderr));
        String::from_utf8_lossy(&said.stdout).trim().to_owned()
    }
}

/// A tool that plays samples into a sink; ends with them, or when dropped.
pub(crate) struct Player(Child);

impl Pulse {
    /// Plays `samples` into `sink`.
    pub(crate) fn play(&self, sink: &str, samples: Vec<f32>) -> Player {
        let mut command = self.tool("pacat", &["--playback", "--raw", "--format=float32le", "--channels=1"]);
        command
            .args([&format!("--rate={RATE}"), &format!("--device={sink}"), "--latency-msec=20"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut child = command.spawn().expect("pacat comes with pactl");
        let mut stdin = child.stdin.take().expect("stdin is piped");
        thread::spawn(move || {
            // Ends early when the server does.
            let _ = stdin.write_all(&bytes(&samples));
        });
        Player(child)
    }

    /// Records what is played into `sink` from now on.
    pub(crate) fn record(&self, sink: &str) -> Recorder {
        let mut command = self.tool("parec", &["--raw", "--format=float32le", "--channels=1"]);
        command
            .args([&format!("--rate={RATE}"), &format!("--device={sink}.monitor"), "--latency-msec=10"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().expect("parec comes with pactl");
        let mut stdout = child.stdout.take().expect("stdout is piped");
        let heard = Arc::new(Mutex::new(Heard { bytes: Vec::new(), start: None }));
        let into = heard.clone();
        thread::spawn(move || {
            let mut part = [0; 4096];
            while let Ok(length @ 1..) = stdout.read(&mut part) {
                let now = Instant::now();
                let mut heard = into.lock().expect("nobody panics with it");
                let before = Duration::from_secs_f64(heard.bytes.len() as f64 / (4 * RATE) as f64);
                // The part that came with the least delay says when the first sample was there.
                let start = now.checked_sub(before).unwrap_or(now);
                heard.start = Some(heard.start.map_or(start, |known| known.min(start)));
                heard.bytes.extend_from_slice(&part[..length]);
            }
        });
        Recorder { child, heard }
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a recorder has heard.
struct Heard {
    bytes: Vec<u8>,
    start: Option<Instant>,
}

/// A tool that records; ends when dropped.
pub(crate) struct Recorder {
    child: Child,
    heard: Arc<Mutex<Heard>>,
}

impl Recorder {
    /// All samples so far, and when the first one was there by the test's clock.
    pub(crate) fn all(&self) -> (Vec<f32>, Option<Instant>) {
        let heard = self.heard.lock().expect("nobody panics with it");
        (samples(&heard.bytes), heard.start)
    }

    /// The last `length` samples, once there are as many.
    pub(crate) fn last(&self, length: usize) -> Option<Vec<f32>> {
        let heard = self.heard.lock().expect("nobody panics with it");
        let from = (heard.bytes.len() / 4).checked_sub(length)? * 4;
        Some(samples(&heard.bytes[from..]))
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Little-endian floats as samples.
fn samples(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]])).collect()
}

/// Samples as little-endian floats.
fn bytes(samples: &[f32]) -> Vec<u8> {
    samples.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}
