//! `letsmeet preview`: a source's picture and sound as the other side would get them.

use std::env;

use anyhow::Result;

use super::args::{Global, Preview};
use super::doctor::unusable;
use super::exit::Exit;
use super::failure::Usage;
use super::output::{self, human};
use super::setup::{self, Ground};
use crate::media::soundcheck::SoundCheck;
use crate::media::spec::{self, AudioSpec, HearSpec, VideoSpec};
use crate::media::{Error, VideoFormat, VideoSource, device, voice};
use crate::session::Alert;
use crate::tui::render::Mode;

mod plain;

/// Runs the command.
///
/// # Errors
/// The source can't be opened or breaks, or there is no terminal.
pub(super) async fn run(global: &Global, args: Preview) -> Result<Exit> {
    if global.json {
        return Err(Usage::new("preview draws in the terminal and has nothing to say in JSON").into());
    }
    let none = args.video == VideoSpec::None;
    if none && matches!(args.audio, AudioSpec::None) {
        return Err(Usage::new("--video none --audio none: there is nothing to see or hear").into());
    }
    let plain = none || global.plain || env::var("TERM").as_deref() == Ok("dumb");
    let echo = args.echo;
    let alert = setup::alert(args.alert, &Ground::read(global)?.settings.alert)?;
    let usual = args.video.usual_format();
    let format = VideoFormat {
        width: args.size.map_or(usual.width, |size| size.width),
        height: args.size.map_or(usual.height, |size| size.height),
        fps: args.fps.unwrap_or(usual.fps),
    };
    let name = human::clean(&args.video.to_string());
    // Before the terminal is taken: what is wrong with a source is said on the screen that stays.
    let open = move || -> Result<_, Error> {
        let picture = match &args.video {
            VideoSpec::None => None,
            video => Some((video, spec::open_video(video, format, &device::logged()))),
        };
        let picture = match picture {
            // A camera that is not there is no reason to hear nothing, nor a microphone to see nothing.
            Some((VideoSpec::Camera(None), Err(error))) => Some(Err(error)),
            Some((_, picture)) => Some(Ok(picture?)),
            None => None,
        };
        let sound = match (&args.audio, listen(&args.audio, args.hear)) {
            (AudioSpec::None, _) => None,
            (AudioSpec::Mic(None), Err(error)) => Some(Err(error)),
            (_, sound) => Some(Ok(sound?)),
        };
        Ok((picture, sound))
    };
    let (picture, sound) = tokio::task::spawn_blocking(open).await??;
    if echo && let Some(Ok(sound)) = &sound {
        sound.set_echo(true);
    }
    match (picture, sound) {
        (Some(Ok(source)), sound) if !plain => {
            show(name.to_string(), source, sound, args.render, alert).await
        }
        (Some(Err(error)), Some(Err(_)) | None) => Err(error.into()),
        (None, Some(Err(error))) => Err(error.into()),
        (picture, sound) => {
            match picture {
                Some(Ok(source)) => plain::describe(name.as_str(), source).await?,
                Some(Err(error)) => {
                    output::write_line(&format!("No picture: {}.", human::clean(&error.to_string())))?;
                }
                None => {}
            }
            match sound {
                Some(Ok(sound)) => plain::run(&sound, echo).await,
                Some(Err(error)) => {
                    output::write_line(&format!("No sound: {}.", human::clean(&error.to_string())))?;
                    Ok(Exit::Ok)
                }
                None => Ok(Exit::Ok),
            }
        }
    }
}

/// Opens the source of sound, to be heard at `hear`.
fn listen(audio: &AudioSpec, hear: HearSpec) -> Result<SoundCheck, Error> {
    let source = spec::open_audio(audio, &device::logged())?;
    let open = Box::new(move || spec::open_hear(&hear, &device::logged()));
    SoundCheck::start(source, voice::Settings::default(), open)
}

#[cfg(unix)]
async fn show(
    name: String,
    mut source: Box<dyn VideoSource>,
    sound: Option<Result<SoundCheck, Error>>,
    mode: Option<Mode>,
    alert: Alert,
) -> Result<Exit> {
    use super::failure::Device;
    use crate::media::WallTime;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use crate::media::alert::{Change, Watcher};
    use crate::tui::preview::{self, End, Hand, Meter};
    use crate::tui::terminal::{Options, Signal, Terminal};

    let fps = source.format().fps;
    let mut terminal = Terminal::open(Options::SCREEN).await.map_err(unusable)?;
    let hand = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&hand);
    let tell = Arc::new(move |change| told.store(matches!(change, Change::Raised(_)), Ordering::Relaxed));
    let watcher = alert.on.then(|| Watcher::start(alert.settings, tell)).transpose()?;
    let alert = watcher.is_some().then(|| -> Hand { Box::new(move || hand.load(Ordering::Relaxed)) });
    let pictures = Box::new(move |number| -> Result<_, Error> {
        let picture = source.frame(number, WallTime::now())?;
        if let (Some(watcher), Some(picture)) = (&watcher, &picture) {
            watcher.offer(picture);
        }
        Ok(picture)
    });
    let sound = sound.map(|sound| -> Box<dyn FnMut(bool) -> Meter + Send> {
        match sound {
            Ok(check) => Box::new(move |toggle| {
                if toggle {
                    check.set_echo(!check.echo());
                }
                Meter {
                    dbfs: check.take_level(),
                    echo: check.echo(),
                    over: !check.runs(),
                    failure: check.take_failure().map(|error| human::clean(&error.to_string()).to_string()),
                }
            }),
            Err(error) => {
                let mut failure = Some(human::clean(&error.to_string()).to_string());
                Box::new(move |_| Meter { over: true, failure: failure.take(), ..Meter::default() })
            }
        }
    });
    let end = preview::run(&mut terminal, preview::Preview { name, pictures, sound, alert, fps, mode }).await;
    terminal.close();
    match end {
        End::Left => Ok(Exit::Ok),
        End::Signal(Signal::Interrupt) => Ok(Exit::Interrupted),
        End::Signal(Signal::Terminate | Signal::Hangup) => Ok(Exit::Terminated),
        End::Gone => Err(Device::new("the terminal is gone").into()),
        End::Source(error) => Err(error.into()),
    }
}

#[cfg(not(unix))]
async fn show(
    _: String,
    _: Box<dyn VideoSource>,
    _: Option<Result<SoundCheck, Error>>,
    _: Option<Mode>,
    _: Alert,
) -> Result<Exit> {
    Err(unusable(crate::tui::terminal::Error::Unsupported))
}
