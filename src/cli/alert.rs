//! `letsmeet alert calibrate`: what tells a hand from the face it covers, measured in front of a person's own camera.
//!
//! Owns the three phases, what is said in them, and the threshold that comes of their scores. Pictures are looked at as in a call.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;

use super::args::{Alert, AlertCommand, Calibrate, Global};
use super::exit::Exit;
use super::failure::{Device, Usage};
use super::output::{self, human, write_line};
use super::setup::Ground;
use crate::config;
use crate::media::alert::{Detector, Settings, State, THRESHOLD};
use crate::media::spec::{self, VideoSpec};
use crate::media::{VideoSource, WallTime, device};

/// From one look to the next.
const BETWEEN: Duration = Duration::from_millis(200);

/// A face has to be found within this time before anything is measured.
const PATIENCE: Duration = Duration::from_secs(6);

/// A hand needs this long to come, and what is seen meanwhile counts for neither side.
const COMES: f64 = 0.3;

/// A phase is worth something with at least this many looks at a face.
const LOOKS: usize = 8;

/// The hand has to score this much above the face alone.
const APART: f32 = 0.06;

/// Where the threshold lies between the face alone (0) and the hand (1).
const BETWEEN_THEM: f32 = 0.5;

/// The lowest and the highest threshold that is kept.
const BOUNDS: (f32, f32) = (0.15, 0.60);

/// What was measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct Measured {
    /// The score that the face alone stays below, but for one look in twenty.
    face_alone: f32,
    /// The score that a hand exceeds in three looks of four.
    hand: f32,
    /// In between.
    threshold: f32,
}

/// Runs the command.
///
/// # Errors
/// The source can't be opened or breaks, no face is found, or the hand is not told from the face.
pub(super) async fn run(global: &Global, args: Alert) -> Result<Exit> {
    let AlertCommand::Calibrate(args) = args.command;
    if matches!(args.video, VideoSpec::None | VideoSpec::Screen(_) | VideoSpec::Pattern(_)) {
        return Err(Usage::new("calibrating needs a face: take --video camera or file:PATH").into());
    }
    let ground = Ground::read(global)?;
    let json = global.json;
    let dry = args.dry_run;
    // Frames and looks take time that the runtime's own threads don't have.
    let measured = tokio::task::spawn_blocking(move || measure(&args, json)).await??;
    if !dry {
        keep(&ground.file, measured)?;
    }
    if json {
        output::document(&measured)?;
        return Ok(Exit::Ok);
    }
    write_line(&format!(
        "Your face alone scores up to {:.2}, with a hand {:.2} and more: the threshold is {:.2}.",
        measured.face_alone, measured.hand, measured.threshold
    ))?;
    write_line(&match dry {
        true => "Nothing was kept (--dry-run).".to_owned(),
        false => format!(
            "Kept in {}. Turn the alert on with --alert, or with the key F in a call.",
            human::clean(&ground.file.display().to_string())
        ),
    })?;
    Ok(Exit::Ok)
}

fn keep(file: &Path, measured: Measured) -> Result<()> {
    // Two digits: what is written is what was said.
    let threshold = f64::from((measured.threshold * 100.0).round()) / 100.0;
    Ok(config::remember(file, "alert", "threshold", threshold)?)
}

/// The three phases, one after the other.
fn measure(args: &Calibrate, quiet: bool) -> Result<Measured> {
    let say = |text: String| if quiet { Ok(()) } else { write_line(&text) };
    let source = spec::open_video(&args.video, args.video.usual_format(), &device::logged())?;
    let mut eye = Eye::new(source)?;
    let seconds = |time: Duration| format!("{:.0} s", time.as_secs_f64());
    say(format!("Sit still and look at the camera, hands down, for {}.", seconds(args.still)))?;
    eye.find()?;
    let mut alone = eye.scores(args.still)?;
    say(format!("Turn your head to both sides, nod, and talk, for {}.", seconds(args.moving)))?;
    alone.extend(eye.scores(args.moving)?);
    say(format!("Put a hand to your cheek and leave it there, for {}.", seconds(args.hand)))?;
    let hand = eye.scores(args.hand)?;
    judge(alone, &hand)
}

/// The threshold between the scores of a face alone and those of a hand.
fn judge(mut alone: Vec<f32>, hand: &[f32]) -> Result<Measured> {
    let mut hand = hand[(hand.len() as f64 * COMES) as usize..].to_vec();
    if alone.len() < LOOKS || hand.len() < LOOKS / 2 {
        return Err(Device::new(
            "your face was lost too often to measure anything (more light from the front helps)",
        )
        .into());
    }
    alone.sort_by(f32::total_cmp);
    hand.sort_by(f32::total_cmp);
    let of = |scores: &[f32], share: f64| scores[((scores.len() - 1) as f64 * share) as usize];
    let (face_alone, hand) = (of(&alone, 0.95), of(&hand, 0.25));
    if hand < face_alone + APART {
        let why = format!(
            "the hand (score {hand:.2}) was not told from the face alone ({face_alone:.2}): more light from the front and a plain \
             background help (the usual threshold of {THRESHOLD} stays)"
        );
        return Err(Device::new(why).into());
    }
    let threshold = (face_alone + (hand - face_alone) * BETWEEN_THEM).clamp(BOUNDS.0, BOUNDS.1);
    Ok(Measured { face_alone, hand, threshold })
}

/// A source that is looked at.
struct Eye {
    source: Box<dyn VideoSource>,
    detector: Detector,
    began: Instant,
}

impl Eye {
    fn new(source: Box<dyn VideoSource>) -> Result<Self> {
        Ok(Self { source, detector: Detector::new(Settings::default())?, began: Instant::now() })
    }

    /// Waits until a face is known.
    fn find(&mut self) -> Result<()> {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if self.look()?.is_some_and(|(state, _)| !matches!(state, State::NoFace | State::Learning)) {
                return Ok(());
            }
        }
        Err(Device::new(
            "no face was found in the picture (look at the camera, come closer, more light from the front)",
        )
        .into())
    }

    /// The scores of a phase.
    fn scores(&mut self, long: Duration) -> Result<Vec<f32>> {
        let until = Instant::now() + long;
        let mut scores = Vec::new();
        while Instant::now() < until {
            if let Some((state, score)) = self.look()?
                && !matches!(state, State::NoFace | State::Learning)
            {
                scores.push(score);
            }
        }
        Ok(scores)
    }

    /// Waits for the next look and takes it; `None` when there was no picture.
    fn look(&mut self) -> Result<Option<(State, f32)>> {
        std::thread::sleep(BETWEEN);
        let at = self.began.elapsed();
        let number = (at.as_secs_f64() * f64::from(self.source.format().fps)) as u64;
        let Some(picture) = self.source.frame(number, WallTime::now())? else { return Ok(None) };
        let seen = self.detector.look(&picture, at);
        Ok(Some((seen.state, seen.score)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_threshold_lies_between_the_face_and_the_hand() {
        let measured = judge(vec![0.0; 20], &[0.0, 0.0, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8]).unwrap();
        assert!((measured.threshold - 0.4).abs() < 0.01, "{measured:?}");
        let measured = judge(vec![0.3; 20], &[1.0; 10]).unwrap();
        assert_eq!(measured.threshold, BOUNDS.1);
    }

    #[test]
    fn a_hand_that_looks_like_the_face_is_refused_with_a_hint() {
        let error = judge(vec![0.2; 20], &[0.22; 10]).unwrap_err().to_string();
        assert!(error.contains("light"), "{error}");
        assert!(judge(vec![], &[0.5; 10]).is_err());
    }
}
