//! Which face a command shows: the screen, plain lines, or lines for a machine.
//!
//! The attendant of a command is the same under each of them.

use std::env;
use std::io::{self, IsTerminal as _};
use std::path::Path;

use anyhow::Result;

use super::args::Global;
use super::failure::{Device, Usage};
use super::front::Front;
use super::output::Output;
use super::profile::Profile;
use super::setup::Ground;
use crate::config;
use crate::session::{Attendant, Config, Slot};
use crate::tui;
use crate::tui::render::Mode;

/// What a person or a script sees of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Face {
    /// JSON, for a script.
    Headless,
    /// Sentences, one a line.
    Plain,
    /// The whole terminal.
    Screen,
}

/// Everything that a face needs beside the attendant.
pub(super) struct Scene<'a> {
    pub(super) ground: &'a Ground,
    pub(super) profile: &'a Profile,
    pub(super) config: Config,
    pub(super) output: Output,
    /// Whom the command calls, if it does.
    pub(super) dial: Option<&'a str>,
    /// The code of a call is to be compared by whoever sits there.
    pub(super) asks_code: bool,
    /// The server, as a person knows it.
    pub(super) server: String,
    /// How pictures are to be drawn, when a person says so.
    pub(super) render: Option<Mode>,
}

impl Face {
    /// By the flags, and by what stdin and stdout are.
    pub(super) fn choose(global: &Global, headless: bool) -> Self {
        let terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
        let name = env::var("TERM").unwrap_or_default();
        Self::of(headless || global.json, global.plain, terminal, &name)
    }

    fn of(headless: bool, plain: bool, terminal: bool, name: &str) -> Self {
        match headless {
            true => Self::Headless,
            // A dumb terminal can neither move its cursor nor clear itself.
            false if plain || !terminal || matches!(name, "" | "dumb") => Self::Plain,
            false => Self::Screen,
        }
    }

    /// Runs the session to its end.
    ///
    /// # Errors
    /// Stdout or the terminal is broken.
    pub(super) async fn attend(self, scene: Scene<'_>, attendant: &mut dyn Attendant) -> Result<()> {
        match self {
            Self::Headless => Front::start(scene.config, scene.output, false)?.attend(attendant).await,
            Self::Plain => {
                Front::start(scene.config, scene.output, scene.dial.is_none())?.attend(attendant).await
            }
            #[cfg(unix)]
            Self::Screen => screen(scene, attendant).await,
            #[cfg(not(unix))]
            Self::Screen => Err(Usage::new("there is no screen on this system yet: use --plain").into()),
        }
    }
}

#[cfg(unix)]
async fn screen(scene: Scene<'_>, attendant: &mut dyn Attendant) -> Result<()> {
    let settings = &scene.ground.settings;
    let render = match (scene.render, &settings.render) {
        (Some(mode), _) => Some(mode),
        (None, Some(name)) => {
            Some(name.parse().map_err(|error| Usage::new(format!("in the settings file: render: {error}")))?)
        }
        (None, None) => None,
    };
    let setup = tui::run::Setup {
        me: scene.profile.name.clone(),
        server: scene.server,
        dial: scene.dial.map(str::to_owned),
        asks_code: scene.asks_code,
        keys: settings.keys.clone(),
        history: scene.profile.history.clone(),
        keep: {
            let file = scene.ground.file.clone();
            Box::new(move |slot, source| keep(&file, slot, source))
        },
        render,
        session: scene.config,
    };
    match tui::run::run(setup, attendant).await {
        Err(error @ tui::run::Error::Keys(_)) => {
            Err(Usage::new(format!("in the settings file: {error}")).into())
        }
        Err(error) => Err(Device::new(error.to_string()).into()),
        Ok(()) => Ok(()),
    }
}

/// Keeps a device that a person chose; what is no device is for this call only.
#[cfg(unix)]
fn keep(file: &Path, slot: Slot, source: &str) -> Result<(), String> {
    let (word, key) = match slot {
        Slot::Video => ("camera:", "camera"),
        Slot::Audio => ("mic:", "microphone"),
        Slot::Hear => ("speaker:", "speaker"),
    };
    match source.strip_prefix(word) {
        Some(id) => config::remember(file, "media", key, id).map_err(|error| error.to_string()),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_screen_is_for_terminals_that_can_move_their_cursor() {
        assert_eq!(Face::of(false, false, true, "xterm"), Face::Screen);
        for (plain, terminal, name) in
            [(true, true, "xterm"), (false, false, "xterm"), (false, true, "dumb"), (false, true, "")]
        {
            assert_eq!(Face::of(false, plain, terminal, name), Face::Plain);
            assert_eq!(Face::of(true, plain, terminal, name), Face::Headless);
        }
        assert_eq!(Face::of(true, false, true, "xterm"), Face::Headless);
    }
}
