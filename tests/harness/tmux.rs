//! A tmux server of its own: terminals that a test types into and reads.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::until;

/// The server. Dropping it ends every session and what runs in them.
pub(crate) struct Tmux {
    folder: TempDir,
}

/// One terminal in it, with a shell.
pub(crate) struct Pane<'a> {
    tmux: &'a Tmux,
    name: String,
}

impl Tmux {
    /// A server without settings.
    pub(crate) fn start() -> Self {
        Self { folder: TempDir::with_prefix("letsmeet-tmux-").expect("a temporary folder") }
    }

    /// A shell in a terminal of `columns` and `rows`, with the environment and the folder of `like` and nothing else.
    pub(crate) fn pane(&self, name: &str, (columns, rows): (u16, u16), like: &Command) -> Pane<'_> {
        let mut command = self.command();
        command.args(["new-session", "-d", "-s", name]);
        if let Some(folder) = like.get_current_dir() {
            command.arg("-c").arg(folder);
        }
        command
            .args(["-x", &columns.to_string(), "-y", &rows.to_string(), "env", "-i"])
            .args(["TERM=screen-256color", "COLORTERM=truecolor", "LC_ALL=C.UTF-8", "PS1=$ "])
            .args(like.get_envs().filter_map(|(name, value)| {
                let mut pair = name.to_os_string();
                pair.push("=");
                pair.push(value?);
                Some(pair)
            }))
            .args(["sh", "-i"]);
        done(&mut command);
        let pane = Pane { tmux: self, name: name.to_owned() };
        pane.wait_for("$", super::SOON);
        pane
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    fn command(&self) -> Command {
        let mut command = Command::new("tmux");
        command.args(["-u", "-f", "/dev/null", "-S"]).arg(self.socket()).env_remove("TMUX");
        command
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        let _ = self.command().arg("kill-server").stderr(Stdio::null()).status();
    }
}

impl Pane<'_> {
    /// Types text as it is.
    pub(crate) fn text(&self, text: &str) {
        done(self.tmux.command().args(["send-keys", "-t", &self.name, "-l", text]));
    }

    /// Presses keys by tmux's names (`Enter`, `Escape`, `a`).
    pub(crate) fn keys(&self, keys: &[&str]) {
        done(self.tmux.command().args(["send-keys", "-t", &self.name]).args(keys));
    }

    /// A command line and Enter.
    pub(crate) fn run(&self, line: &str) {
        self.text(line);
        self.keys(&["Enter"]);
    }

    /// The screen as lines of text.
    pub(crate) fn screen(&self) -> String {
        done(self.tmux.command().args(["capture-pane", "-p", "-t", &self.name]))
    }

    /// What tmux knows of the terminal, such as `#{alternate_on}`.
    pub(crate) fn display(&self, format: &str) -> String {
        done(self.tmux.command().args(["display-message", "-p", "-t", &self.name, format])).trim().to_owned()
    }

    /// Waits until the screen satisfies `look`; panics with the screen when it does not in time.
    pub(crate) fn wait<T>(&self, what: &str, within: Duration, look: impl Fn(&str) -> Option<T>) -> T {
        let mut screen = String::new();
        let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            until(within, what, || {
                screen = self.screen();
                look(&screen)
            })
        }));
        found.unwrap_or_else(|_| panic!("{} does not show {what}:\n{}", self.name, self.screen()))
    }

    /// Waits until the screen shows `text`, in any case of letters.
    pub(crate) fn wait_for(&self, text: &str, within: Duration) {
        let wanted = text.to_lowercase();
        self.wait(&format!("\"{text}\""), within, |screen| {
            screen.to_lowercase().contains(&wanted).then_some(())
        });
    }
}

/// What a command printed; panics when it fails or is not there.
fn done(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("cannot start tmux: {error} (scripts/setup --tests installs it)"));
    assert!(status.success(), "{command:?}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8_lossy(&stdout).into_owned()
}
