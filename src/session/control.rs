//! Messages of the control channel about the media of a call, as they travel: one line of text each (docs/protocol.md, section 8).
//!
//! Owns their form and bounds. Encrypted like the media and straight between the peers; the server sees nothing of them. Must not know
//! what becomes of them: the leg acts on them. Written messages have a form of their own.

use crate::media::frame::{MAX_FPS, MAX_SIDE};
use crate::media::pipeline::{Kind, Limit};
use crate::media::spec::VideoSpec;

/// The smallest window that is worth telling, pixels a side.
pub const MIN_WINDOW: u32 = 2;

/// What one side tells the other about media.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    /// It sends none of this kind from here on (true), or sends again.
    Off(Kind, bool),
    /// Where its picture comes from, from here on.
    Picture(Picture),
    /// What it can draw of the picture that it gets.
    Window(Limit),
    /// It records the call from here on (true), or no longer.
    Recording(bool),
}

/// Where a picture comes from, in so many words as the other side needs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Picture {
    /// A camera.
    Camera,
    /// A screen, or a window of one.
    Screen,
    /// A file.
    Film,
    /// The test pattern.
    Pattern,
    /// Nowhere: there is none.
    #[default]
    None,
}

impl Picture {
    const ALL: [Self; 5] = [Self::Camera, Self::Screen, Self::Film, Self::Pattern, Self::None];

    /// Its word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Camera => "camera",
            Self::Screen => "screen",
            Self::Film => "film",
            Self::Pattern => "pattern",
            Self::None => "none",
        }
    }
}

impl From<&VideoSpec> for Picture {
    fn from(spec: &VideoSpec) -> Self {
        match spec {
            VideoSpec::Camera(_) => Self::Camera,
            VideoSpec::Screen(_) => Self::Screen,
            VideoSpec::Pattern(_) => Self::Pattern,
            VideoSpec::File(_) => Self::Film,
            VideoSpec::None => Self::None,
        }
    }
}

impl Message {
    /// The line as it is sent.
    #[must_use]
    pub fn text(self) -> String {
        match self {
            Self::Off(kind, off) => format!("media {} {}", name(kind), if off { "off" } else { "on" }),
            Self::Picture(picture) => format!("source video {}", picture.name()),
            Self::Window(Limit { width, height, fps }) => format!("window {width} {height} {fps}"),
            Self::Recording(on) => format!("recording {}", if on { "on" } else { "off" }),
        }
    }

    /// A received line; `None` for what a later version may mean, what is out of bounds, and nonsense.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        if let Some(on) = [true, false].into_iter().find(|on| Self::Recording(*on).text() == text) {
            return Some(Self::Recording(on));
        }
        let mut words = text.split(' ');
        let mut word = || words.next();
        let message = match (word()?, word()?, word()?) {
            ("media", kind, state) => Self::Off(
                [Kind::Audio, Kind::Video].into_iter().find(|known| name(*known) == kind)?,
                match state {
                    "off" => true,
                    "on" => false,
                    _ => return None,
                },
            ),
            ("source", "video", source) => {
                Self::Picture(Picture::ALL.into_iter().find(|known| known.name() == source)?)
            }
            ("window", width, height) => {
                let fps = word()?;
                Self::Window(window(number(width)?, number(height)?, number(fps)?)?)
            }
            _ => return None,
        };
        words.next().is_none().then_some(message)
    }
}

/// What can be drawn, if it is within bounds.
#[must_use]
pub fn window(width: u32, height: u32, fps: u32) -> Option<Limit> {
    let side = MIN_WINDOW..=MAX_SIDE;
    let fits = side.contains(&width) && side.contains(&height) && (1..=MAX_FPS).contains(&fps);
    fits.then_some(Limit { width, height, fps })
}

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Audio => "audio",
        Kind::Video => "video",
    }
}

/// Plain digits only, in the one way to write them.
fn number(text: &str) -> Option<u32> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    if plain { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_back_as_they_are_written() {
        let mut all: Vec<Message> = Picture::ALL.into_iter().map(Message::Picture).collect();
        for kind in [Kind::Audio, Kind::Video] {
            all.extend([Message::Off(kind, true), Message::Off(kind, false)]);
        }
        all.push(Message::Window(Limit { width: 160, height: 96, fps: 30 }));
        all.extend([true, false].map(Message::Recording));
        for message in all {
            assert_eq!(Message::parse(message.text().as_bytes()), Some(message));
        }
    }

    #[test]
    fn nothing_else_is_a_message() {
        for other in [
            "",
            "media audio",
            "media audio off ",
            "media screen off",
            "source video",
            "source video camera 1",
            "source audio mic",
            "source video Camera",
            "window 160 96",
            "window 160 96 30 1",
            "window +160 96 30",
            "window 0160 96 30",
            "window 1 96 30",
            "window 160 99999 30",
            "window 160 96 0",
            "window 160 96 121",
            "window 160 99999999999 30",
            "hello",
            "recording",
            "recording On",
            "recording on now",
        ] {
            assert_eq!(Message::parse(other.as_bytes()), None, "{other:?}");
        }
        assert_eq!(Message::parse(b"media \xff off"), None);
    }
}
