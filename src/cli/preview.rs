//! `letsmeet preview`: a source's picture as the other side would see it.

use std::env;

use anyhow::Result;

use super::args::{Global, Preview};
use super::doctor::unusable;
use super::exit::Exit;
use super::failure::Usage;
use super::output::human;
use crate::media::spec::{self, VideoSpec};
use crate::media::{VideoFormat, VideoSource, device};
use crate::tui::render::Mode;

/// Runs the command.
///
/// # Errors
/// The source can't be opened or breaks, or there is no terminal.
pub(super) async fn run(global: &Global, args: Preview) -> Result<Exit> {
    if global.json {
        return Err(Usage::new("preview draws in the terminal and has nothing to say in JSON").into());
    }
    if global.plain || env::var("TERM").as_deref() == Ok("dumb") {
        return Err(Usage::new("preview draws pictures, which lines of text can't hold").into());
    }
    if args.video == VideoSpec::None {
        return Err(Usage::new("--video none: there is nothing to see").into());
    }
    let usual = args.video.usual_format();
    let format = VideoFormat {
        width: args.size.map_or(usual.width, |size| size.width),
        height: args.size.map_or(usual.height, |size| size.height),
        fps: args.fps.unwrap_or(usual.fps),
    };
    let name = human::clean(&args.video.to_string());
    // Before the terminal is taken: what is wrong with a source is said on the screen that stays.
    let open = move || spec::open_video(&args.video, format, &device::logged());
    let source = tokio::task::spawn_blocking(open).await??;
    show(name.to_string(), source, args.render).await
}

#[cfg(unix)]
async fn show(name: String, mut source: Box<dyn VideoSource>, mode: Option<Mode>) -> Result<Exit> {
    use super::failure::Device;
    use crate::media::WallTime;
    use crate::tui::preview::{self, End};
    use crate::tui::terminal::{Options, Signal, Terminal};

    let fps = source.format().fps;
    let mut terminal = Terminal::open(Options::SCREEN).await.map_err(unusable)?;
    let pictures = Box::new(move |number| source.frame(number, WallTime::now()));
    let end = preview::run(&mut terminal, preview::Preview { name, pictures, fps, mode }).await;
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
async fn show(_: String, _: Box<dyn VideoSource>, _: Option<Mode>) -> Result<Exit> {
    Err(unusable(crate::tui::terminal::Error::Unsupported))
}
