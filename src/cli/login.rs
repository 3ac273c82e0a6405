//! `letsmeet login`: claim the name, stay online, take calls.

use anyhow::Result;
use tokio::time::Instant;

use super::args::{Answer, Global, Login};
use super::exit::Exit;
use super::face::{Face, Scene};
use super::failure::Signaling;
use super::host::Host;
use super::messages::Correspondent;
use super::output::report::Report;
use super::output::{Output, Style};
use super::setup::Ground;
use super::trust;
use super::verdict;
use crate::session::{Attendant, Command, Event, Interruption, report};

/// Pictures a second that an echo sends back at most, unless told otherwise: none waits longer than 20 ms for its turn.
const ECHO_FPS: u32 = 50;

/// Answers by the flags, and reports each call.
struct Receptionist<'a> {
    args: &'a Login,
    name: &'a str,
    /// `None` under the screen, which shows how a call ended by itself.
    output: Option<Output>,
    remember: Box<dyn Fn() -> Result<()> + Send + 'a>,
    registered: bool,
    connected: bool,
    /// What is written in the present call is written back.
    echoes: bool,
    deadline: Option<Instant>,
    exit: Exit,
    /// What the server said when it would not have us.
    refused: Option<String>,
    /// What went wrong on this machine.
    broken: Option<anyhow::Error>,
}

/// Runs the command.
///
/// # Errors
/// Flags, settings, files: what is wrong before signing in.
pub(super) async fn run(global: &Global, args: Login) -> Result<Exit> {
    let face = Face::choose(global, args.headless);
    let ground = Ground::read(global)?;
    let profile = ground.profile(global)?;
    // A login has no single document to print at its end: its events are the document.
    let output = Output::new(Style::choose(false, args.headless || global.json));
    let mut config = ground.session(global, &profile, &args.media, &args.path, &args.trust, face)?;
    config.files = ground.files(&args.files)?;
    config.media.echo = (args.answer == Answer::Echo).then(|| args.media.fps.unwrap_or(ECHO_FPS));
    let host = match args.host {
        Some(address) => Some(Host::start(&ground, global, address).await?),
        None => None,
    };
    if let Some(host) = &host {
        config.signaling.server = host.local()?;
        host.announce(&output, &profile.name)?;
    }
    if face != Face::Screen {
        output.say(&format!("Your key is {}.", profile.identity.public_key().fingerprint()))?;
    }
    let mut receptionist = Receptionist {
        args: &args,
        name: &profile.name,
        output: (face != Face::Screen).then_some(output),
        remember: Box::new(|| profile.remember(&ground.folders.data)),
        registered: false,
        connected: false,
        echoes: false,
        deadline: args.duration.map(|duration| Instant::now() + duration),
        exit: Exit::Ok,
        refused: None,
        broken: None,
    };
    let server = match &host {
        Some(host) => host.urls().into_iter().next().unwrap_or_default(),
        None => config.signaling.server.to_string(),
    };
    let scene = Scene {
        ground: &ground,
        profile: &profile,
        config,
        output,
        dial: None,
        asks_code: args.trust.asks(),
        server,
        render: args.media.render,
    };
    let mut correspondent = Correspondent::new(&args.messages, &profile.name, &mut receptionist)?;
    let outcome = face.attend(scene, &mut correspondent).await;
    correspondent.conclude(&output)?;
    let (broken, exit) = (receptionist.broken.take(), receptionist.exit);
    let refused = receptionist.refused.take();
    if let Some(host) = host {
        host.stop().await?;
    }
    outcome?;
    match (broken, refused) {
        (Some(error), _) => Err(error),
        (None, Some(refused)) => Err(Signaling::new(refused).into()),
        (None, None) => Ok(exit),
    }
}

impl Attendant for Receptionist<'_> {
    fn event(&mut self, event: &Event) -> Option<Command> {
        match event {
            Event::Registered { .. } if !self.registered => {
                self.registered = true;
                (self.remember)().err().map(|error| self.fail(error))
            }
            Event::SignalingDown { reason, .. } if !self.registered => {
                self.refused = Some(format!("the server could not be used: {reason}"));
                self.exit = Exit::Signaling;
                Some(Command::Quit)
            }
            Event::Refused { message, .. } => {
                self.refused = Some(format!("the server refused \"{}\": {message}", self.name));
                self.exit = Exit::Signaling;
                None
            }
            Event::Incoming { call, .. } => match self.args.answer {
                Answer::Accept => Some(Command::Accept { call: Some(*call) }),
                Answer::Echo => {
                    self.echoes = true;
                    Some(Command::Accept { call: Some(*call) })
                }
                Answer::Decline => Some(Command::Decline { call: Some(*call), busy: false }),
                Answer::Busy => Some(Command::Decline { call: Some(*call), busy: true }),
                Answer::Ask => None,
            },
            // Never in a call of one's own: two who repeat each other would not come to an end.
            Event::Chat { remote: true, text, .. } if self.echoes => {
                Some(Command::Chat { text: text.clone() })
            }
            Event::Connected { .. } => {
                self.connected = true;
                trust::compare(&self.args.trust)
            }
            Event::Ended { report, .. } => {
                self.echoes = false;
                self.report(report).err().map(|error| self.fail(error))
            }
            _ => None,
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    fn due(&mut self) -> Option<Command> {
        self.deadline = None;
        Some(Command::Quit)
    }

    fn interrupted(&mut self, by: Interruption) -> Option<Command> {
        if !self.registered {
            self.exit = by.into();
        }
        Some(Command::Quit)
    }
}

impl Receptionist<'_> {
    fn report(&mut self, ended: &report::Report) -> Result<()> {
        let connected = std::mem::take(&mut self.connected);
        if let Some(output) = &self.output {
            let mut json = Report::of("login", ended);
            let (exit, message) =
                verdict::of_call(ended, connected, self.args.trust.expect_code.is_some(), &[], &mut json);
            json.conclude(exit, &message);
            output.report(&json)?;
        }
        Ok(())
    }

    fn fail(&mut self, error: anyhow::Error) -> Command {
        self.broken = Some(error);
        Command::Quit
    }
}
