//! The hand-on-face alert: whether a hand covers a part of the face in one's own picture.
//!
//! Pure but for [`Watcher`], which gives it a thread: pictures come in with a time, and what is seen in them comes out. Must not know calls,
//! screens or the network; nothing in here leaves the machine.
//!
//! ```text
//!   picture ─► Small ─► Finder ─► Reference::lay ─► Evidence ─► Decision ─► Seen
//!                       (face)    (face, no light)   (score)    (over time)
//!                                      ▲ learns while nothing is in front of the face
//! ```

mod decision;
mod evidence;
mod finder;
mod patch;
mod picture;
mod reference;
mod watcher;

use std::time::Duration;

use self::decision::Decision;
use self::evidence::Evidence;
use self::finder::{Face, Finder};
use self::patch::Patch;
use self::picture::Small;
use self::reference::Reference;
use super::{Error, VideoFrame};
pub use watcher::{Change, Tally, Tell, Watcher};

/// The score from which on a hand counts, for whoever never calibrated.
pub const THRESHOLD: f32 = 0.35;

/// The whole picture is searched for a face this often while there is none.
const SEARCH: Duration = Duration::from_millis(500);

/// A face that was not found for this long is gone.
const GONE: Duration = Duration::from_secs(4);

/// The same for a face that is still being learnt: it may have been none.
const FLEETING: Duration = Duration::from_millis(900);

/// With this score a face that is not found is taken to be behind something.
const HINT: f32 = 0.12;

/// An alert that lasts longer is taken for a change of the face, such as glasses, and the face is learnt anew.
const LONGEST: Duration = Duration::from_secs(60);

/// A face is learnt from only below this part of the threshold.
const LEARN_BELOW: f32 = 0.5;

/// How easily the alert is raised.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sensitivity {
    /// Only by a hand that covers much.
    Low,
    /// As it was measured (docs/alert.md).
    #[default]
    Normal,
    /// Also by fingers.
    High,
}

impl std::str::FromStr for Sensitivity {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "low" => Ok(Self::Low),
            "normal" => Ok(Self::Normal),
            "high" => Ok(Self::High),
            _ => Err(format!("sensitivity \"{text}\" is none of low, normal and high")),
        }
    }
}

/// What is looked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// How easily the alert is raised.
    pub sensitivity: Sensitivity,
    /// The score from which on a hand counts at normal sensitivity, 0 to 1.
    pub threshold: f32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { sensitivity: Sensitivity::Normal, threshold: THRESHOLD }
    }
}

impl Settings {
    /// The score from which on a hand counts.
    fn limit(self) -> f32 {
        let scale = match self.sensitivity {
            Sensitivity::Low => 1.35,
            Sensitivity::Normal => 1.0,
            Sensitivity::High => 0.7,
        };
        (self.threshold * scale).clamp(0.05, 0.95)
    }
}

/// What is known after a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// There is no face.
    NoFace,
    /// There is one that was not seen for long enough.
    Learning,
    /// Nothing is in front of it.
    Free,
    /// A hand is.
    Covered,
}

/// One look.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seen {
    /// What is known now.
    pub state: State,
    /// How much this moment alone speaks for a hand, 0 to 1; 0 without a face.
    pub score: f32,
}

/// Watches one person. Not `Send`: it is made on the thread that uses it.
pub struct Detector {
    settings: Settings,
    finder: Finder,
    face: Option<Known>,
    searched: Option<Duration>,
    decision: Decision,
    raised: Option<Duration>,
}

/// A face that is followed.
struct Known {
    face: Face,
    /// When the finder last saw it, or something of it was covered.
    seen: Duration,
    reference: Reference,
}

impl Known {
    /// How long the face may be out of sight.
    fn patience(&self) -> Duration {
        if self.reference.is_settled() { GONE } else { FLEETING }
    }
}

impl Detector {
    /// Makes a detector that has seen nothing.
    ///
    /// # Errors
    /// The model of faces can't be read.
    pub fn new(settings: Settings) -> Result<Self, Error> {
        Ok(Self {
            settings,
            finder: Finder::new()?,
            face: None,
            searched: None,
            decision: Decision::default(),
            raised: None,
        })
    }

    /// Looks at a picture; `at` is a time that never goes back. Five pictures a second are enough, and what the times in here are made for.
    pub fn look(&mut self, picture: &VideoFrame, at: Duration) -> Seen {
        let small = Small::of(picture);
        let Some(mut known) = self.face.take() else {
            return self.search(&small, at);
        };
        let found = self.finder.near(&small, known.face);
        let found = found.or_else(|| self.search_again(&small, at).filter(|found| found.may_be(known.face)));
        let reach = if found.is_some() { 0.08 } else { 0.16 };
        if found.is_some() {
            known.seen = at;
        } else if at.saturating_sub(known.seen) > known.patience() && !self.decision.is_raised() {
            self.decision.reset();
            return Seen { state: State::NoFace, score: 0.0 };
        }
        let laid = known.reference.lay(&small, found.unwrap_or(known.face), reach);
        known.face = laid.face;
        if !known.reference.is_settled() {
            if found.is_some() {
                known.reference.learn(&laid);
            }
            self.face = Some(known);
            return Seen { state: State::Learning, score: 0.0 };
        }
        let evidence = Evidence::of(&known.reference, &laid);
        let score = evidence.score(found.is_none());
        if score > HINT {
            // A face that is not found because a hand is in front of it is still there.
            known.seen = at;
        }
        let limit = self.settings.limit();
        let raised = self.decision.step(score, limit, at);
        self.raised = raised.then(|| self.raised.unwrap_or(at));
        if self.raised.is_some_and(|since| at.saturating_sub(since) > LONGEST) {
            self.forget();
            return Seen { state: State::NoFace, score: 0.0 };
        }
        if !raised && found.is_some() && score < limit * LEARN_BELOW {
            known.reference.learn(&laid);
        }
        self.face = Some(known);
        Seen { state: if raised { State::Covered } else { State::Free }, score }
    }

    /// Forgets the face and the alert, because another picture follows.
    pub fn forget(&mut self) {
        self.face = None;
        self.raised = None;
        self.decision.reset();
    }

    /// Looks for a face where none was.
    fn search(&mut self, small: &Small, at: Duration) -> Seen {
        match self.search_again(small, at) {
            Some(face) => {
                let reference = Reference::new(&Patch::of(small, face));
                self.face = Some(Known { face, seen: at, reference });
                Seen { state: State::Learning, score: 0.0 }
            }
            None => Seen { state: State::NoFace, score: 0.0 },
        }
    }

    /// Searches the whole picture, unless that was done a moment ago.
    fn search_again(&mut self, small: &Small, at: Duration) -> Option<Face> {
        if self.searched.is_some_and(|last| at.saturating_sub(last) < SEARCH) {
            return None;
        }
        self.searched = Some(at);
        self.finder.anywhere(small)
    }
}
