//! Cameras, microphones, speakers, screens and windows of this machine.
//!
//! Owns what there is, which of it is meant by a word, and what is told when one goes away or comes back. What opens them is behind
//! the features `devices` and `screen`; this list is always built, so that a build without them can say so. Must not know calls.

#[cfg(feature = "devices")]
pub mod camera;
#[cfg(any(feature = "devices", feature = "screen"))]
mod card;
mod choice;
#[cfg(any(feature = "devices", feature = "screen"))]
pub mod convert;
#[cfg(feature = "screen")]
pub mod screen;
#[cfg(any(feature = "devices", feature = "screen"))]
mod slot;
#[cfg(feature = "devices")]
pub mod sound;

pub use choice::{Wish, choose};

use std::fmt;
use std::sync::Arc;

use super::Error;

/// What a device is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Gives pictures of whoever sits there.
    Camera,
    /// Gives sound.
    Microphone,
    /// Plays sound.
    Speaker,
    /// A whole screen, as pictures.
    Screen,
    /// One window, as pictures.
    Window,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Camera => "camera",
            Self::Microphone => "microphone",
            Self::Speaker => "speaker",
            Self::Screen => "screen",
            Self::Window => "window",
        })
    }
}

/// One device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// What it is for.
    pub kind: Kind,
    /// By which it is found again, as long as it stays where it is. Text of the system, not cleaned.
    pub id: String,
    /// What people call it. Text of the system (a window's title is written by whoever made the window), not cleaned.
    pub name: String,
    /// What it can do, one phrase each: `1280x720@30 MJPEG`, `48000 Hz, 2 channels`. Empty when it does not say.
    pub formats: Vec<String>,
    /// Whether it is taken when nobody says which.
    pub default: bool,
    /// Whether somebody else has it; `None` when that cannot be told.
    pub busy: Option<bool>,
}

/// Something happened to a device that is in use. The media goes on: with another device, or with silence or a still picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// What it is for.
    pub kind: Kind,
    /// What happened.
    pub what: What,
}

/// What happened to a device in use. Names are text of the system, not cleaned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// It is open and used from now on, in place of nothing or of another one.
    Using {
        /// Its name.
        name: String,
    },
    /// The wished one is not there or does not open; another one is used.
    InPlaceOf {
        /// What was wished.
        wished: String,
        /// What is used.
        name: String,
    },
    /// It went away, and there is no other: silence, or no picture, until one comes.
    Lost {
        /// Its name.
        name: String,
        /// What the system says.
        why: String,
    },
    /// A screen or window share ended: the window was closed, or the screen is gone.
    Ended {
        /// Its name.
        name: String,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind;
        match &self.what {
            What::Using { name } => write!(f, "{kind}: {name}"),
            What::InPlaceOf { wished, name } => {
                write!(f, "{kind}: {name}, because {wished:?} is not there or does not open")
            }
            What::Lost { name, why } => write!(f, "{kind}: {name} is gone ({why}); waiting for one"),
            What::Ended { name } => write!(f, "{kind}: the share of {name} has ended"),
        }
    }
}

/// The devices of a kind, in the system's order.
///
/// # Errors
/// [`Error::Open`] when they can't be listed: the build has no support for them, or the system says no.
pub fn list(kind: Kind) -> Result<Vec<Device>, Error> {
    match kind {
        #[cfg(feature = "devices")]
        Kind::Microphone | Kind::Speaker => sound::list(kind),
        #[cfg(feature = "devices")]
        Kind::Camera => camera::list(),
        #[cfg(feature = "screen")]
        Kind::Screen | Kind::Window => {
            let all = screen::list()?;
            Ok(all.into_iter().filter(|device| device.kind == kind).collect())
        }
        #[cfg(not(all(feature = "devices", feature = "screen")))]
        _ => Err(Error::open(kind.to_string(), format!("this build has no {kind} support"))),
    }
}

/// Where notices go. Called from any thread; must return at once.
pub type Notices = Arc<dyn Fn(Notice) + Send + Sync>;

/// Notices for the log.
#[must_use]
pub fn logged() -> Notices {
    // Quoted: names are text of the system.
    Arc::new(|notice| tracing::info!(notice = ?notice.to_string(), "device"))
}
