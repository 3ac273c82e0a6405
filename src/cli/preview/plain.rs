//! The preview in lines of text: what the picture is like, when a voice is heard, how loud it is, and back on request.

use std::io;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::super::exit::Exit;
use super::super::input;
use super::super::output::write_line;
use super::super::signals::Signals;
use crate::media::soundcheck::SoundCheck;
use crate::media::{Error, VideoSource, WallTime};
use crate::session::Interruption;

/// How often the level is looked at. A line is written when something is new, and no oftener than this.
const LOOK: Duration = Duration::from_secs(1);
/// A level is new when it moved by this, in dB.
const STEP: f32 = 6.0;
/// Below this nothing is heard, in dBFS.
const SILENCE: f32 = -60.0;

/// A picture has this long to come.
const PATIENCE: Duration = Duration::from_secs(3);
/// A picture of less light than this shows nobody, as its mean luma (16 is black, 235 white).
const DARK: u64 = 40;

/// Says what the picture is like, for whoever can't look at it.
///
/// # Errors
/// The source breaks, or stdout is broken.
pub(super) async fn describe(name: &str, mut source: Box<dyn VideoSource>) -> Result<()> {
    let fps = source.format().fps;
    let first = tokio::task::spawn_blocking(move || -> Result<_, Error> {
        let (began, pause) = (Instant::now(), Duration::from_secs(1) / fps.max(1));
        let mut number = 0;
        while began.elapsed() < PATIENCE {
            if let Some(picture) = source.frame(number, WallTime::now())? {
                return Ok(Some(picture));
            }
            number += 1;
            std::thread::sleep(pause);
        }
        Ok(None)
    });
    let Some(picture) = first.await?? else {
        return Ok(write_line(&format!("Picture: {name}, which gives none so far."))?);
    };
    let light: u64 = picture.y().iter().copied().map(u64::from).sum();
    let dark = light < DARK * (picture.y().len() as u64).max(1);
    let dark = if dark { " It is dark: is the camera covered?" } else { "" };
    Ok(write_line(&format!("Picture: {name}, {}x{}, {fps} fps.{dark}", picture.width(), picture.height()))?)
}

/// Runs until told to end.
///
/// # Errors
/// The source breaks, or stdout is broken.
pub(super) async fn run(sound: &SoundCheck, echo: bool) -> Result<Exit> {
    let mut signals = Signals::listen()?;
    let mut lines = input::lines();
    let mut open = true;
    let mut looks = tokio::time::interval_at(tokio::time::Instant::now() + LOOK, LOOK);
    let mut said = None;
    write_line("Type echo to hear yourself after a second, quit to leave.")?;
    if echo {
        turn(sound, true)?;
    }
    loop {
        tokio::select! {
            signal = signals.next() => return Ok(match signal {
                Interruption::Interrupt => Exit::Interrupted,
                Interruption::Terminate => Exit::Terminated,
            }),
            line = lines.recv(), if open => match line.as_ref().map(|line| line.as_deref().map(str::trim)) {
                Some(Ok("quit")) => return Ok(Exit::Ok),
                Some(Ok("echo")) => turn(sound, !sound.echo())?,
                Some(_) => write_line("Known are echo and quit.")?,
                None => open = false,
            },
            _ = looks.tick() => {
                if let Some(error) = sound.take_failure() {
                    if !sound.runs() {
                        return Err(error.into());
                    }
                    write_line(&format!("You can't hear yourself: {error}."))?;
                }
                let heard = (sound.take_level().filter(|&level| level > SILENCE), sound.speaking());
                if said.is_none_or(|before| differs(before, heard)) {
                    say(heard)?;
                    said = Some(heard);
                }
            }
        }
    }
}

type Heard = (Option<f32>, bool);

fn differs(before: Heard, now: Heard) -> bool {
    match (before.0, now.0) {
        (Some(a), Some(b)) => (a - b).abs() >= STEP || before.1 != now.1,
        (a, b) => a.is_some() != b.is_some(),
    }
}

fn say(heard: Heard) -> io::Result<()> {
    write_line(&match heard {
        (None, _) => "Nothing is heard.".to_owned(),
        (Some(level), true) => format!("A voice, {level:.0} dBFS."),
        (Some(level), false) => format!("Sound, {level:.0} dBFS."),
    })
}

fn turn(sound: &SoundCheck, echo: bool) -> io::Result<()> {
    sound.set_echo(echo);
    write_line(if echo { "You hear yourself after a second." } else { "You don't hear yourself any more." })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_written_for_what_a_person_would_notice() {
        let soft = (Some(-40.0), false);
        assert!(!differs(soft, (Some(-43.0), false)) && differs(soft, (Some(-30.0), false)));
        assert!(differs(soft, (Some(-40.0), true)) && differs(soft, (None, false)));
        assert!(!differs((None, false), (None, true)));
    }
}
