//! A virtual X display with a real terminal on it, and what it shows.
//!
//! Xvfb picks its own number, weston carries Wayland terminals inside it. Every program is one that this file
//! started, and is killed by its id when its owner is dropped.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;

use image::RgbImage;
use tempfile::TempDir;

use super::{SOON, until};

/// Pixels of the display.
const SIZE: (u32, u32) = (1000, 720);

/// A program that ends when this is dropped.
pub(crate) struct Program(Child);

impl Program {
    /// Starts `command`; when the tool is not there, says what installs it.
    pub(crate) fn start(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().unwrap_or_else(|error| panic!("{}", missing(&command, &error))))
    }

    /// Panics when the program has ended.
    pub(crate) fn assert_runs(&mut self, what: &str) {
        if let Some(status) = self.0.try_wait().expect("a child") {
            panic!("{what} ended: {status}");
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An X server without a screen.
pub(crate) struct Display {
    name: String,
    /// Ended in this order.
    compositor: Option<(Program, TempDir)>,
    _server: Program,
}

impl Display {
    /// A display with a free number.
    pub(crate) fn start() -> Self {
        let (reader, writer) = pipe();
        let number = writer.as_raw_fd();
        let mut command = Command::new("Xvfb");
        command
            .args(["-displayfd", &number.to_string(), "-nolisten", "tcp", "-noreset", "-screen", "0"])
            .arg(format!("{}x{}x24", SIZE.0, SIZE.1));
        // SAFETY: one call that is allowed between fork and exec; the descriptor is open until after it.
        unsafe {
            command.pre_exec(move || {
                if libc::fcntl(number, libc::F_SETFD, 0) < 0 {
                    return Err(std::io::Error::last_os_error());
                }
                Ok(())
            });
        }
        let server = Program::start(command);
        drop(writer);
        let (line, lines) = channel();
        thread::spawn(move || {
            let mut text = String::new();
            let _ = BufReader::new(reader).read_line(&mut text);
            let _ = line.send(text);
        });
        let number = lines.recv_timeout(SOON).expect("Xvfb says its number");
        assert!(number.trim().parse::<u32>().is_ok(), "Xvfb did not start: {number:?}");
        Self { name: format!(":{}", number.trim()), compositor: None, _server: server }
    }

    /// The same with a Wayland compositor that shows one window over everything.
    pub(crate) fn with_wayland() -> Self {
        let mut display = Self::start();
        let folder = TempDir::with_prefix("letsmeet-wayland-").expect("a temporary folder");
        let mut command = Command::new("weston");
        command
            .args([
                "--backend=x11-backend.so",
                "--use-pixman",
                "--shell=kiosk-shell.so",
                "--idle-time=0",
                "--no-config",
            ])
            .args(["--socket=wayland-test", &format!("--width={}", SIZE.0), &format!("--height={}", SIZE.1)])
            .env("DISPLAY", &display.name)
            .env("XDG_RUNTIME_DIR", folder.path());
        let mut program = Program::start(command);
        until(SOON, "weston makes its socket", || {
            program.assert_runs("weston");
            folder.path().join("wayland-test").exists().then_some(())
        });
        display.compositor = Some((program, folder));
        display
    }

    /// Starts a program on this display.
    pub(crate) fn run(&self, mut command: Command) -> Program {
        command.env("DISPLAY", &self.name).env("LIBGL_ALWAYS_SOFTWARE", "1");
        if let Some((_, folder)) = &self.compositor {
            command.env("XDG_RUNTIME_DIR", folder.path()).env("WAYLAND_DISPLAY", "wayland-test");
        }
        Program::start(command)
    }

    /// What stands in its environment.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// What the display shows now.
    pub(crate) fn screenshot(&self) -> RgbImage {
        self.screenshot_of("root")
    }

    /// What a window shows now, by its number.
    pub(crate) fn screenshot_of(&self, window: &str) -> RgbImage {
        let mut command = Command::new("import");
        command.args(["-silent", "-window", window, "png:-"]).env("DISPLAY", &self.name);
        let output = command.output().unwrap_or_else(|error| panic!("{}", missing(&command, &error)));
        assert!(output.status.success(), "import: {}", String::from_utf8_lossy(&output.stderr));
        image::load_from_memory(&output.stdout).expect("import writes PNG").to_rgb8()
    }
}

fn missing(command: &Command, error: &std::io::Error) -> String {
    format!(
        "cannot start {}: {error} (scripts/setup --tests installs it)",
        command.get_program().to_string_lossy()
    )
}

/// A pipe that no other program inherits.
fn pipe() -> (File, OwnedFd) {
    let mut ends = [-1; 2];
    // SAFETY: the two numbers are written before the call returns 0 and are ours alone then.
    unsafe {
        assert_eq!(libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC), 0, "pipe");
        (OwnedFd::from_raw_fd(ends[0]).into(), OwnedFd::from_raw_fd(ends[1]))
    }
}
