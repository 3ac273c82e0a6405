//! Messages of the control channel about a call, as they travel: one line of text each (docs/protocol.md, section 8).
//!
//! Owns their form and bounds. Encrypted like the media and straight between the peers; the server sees nothing of them. Must not know
//! what becomes of them: the leg acts on them. Written messages have a form of their own.

use super::sign::{Reaction, Sign};
use crate::media::frame::{MAX_FPS, MAX_SIDE};
use crate::media::pipeline::{Kind, Limit};
use crate::media::spec::VideoSpec;

/// Words of the longest message.
const WORDS: usize = 4;

/// The smallest window that is worth telling, pixels a side.
pub const MIN_WINDOW: u32 = 2;

/// What one side tells the other about media and about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    /// It sends none of this kind from here on (true), or sends again.
    Off(Kind, bool),
    /// Where its picture comes from, from here on.
    Picture(Picture),
    /// What it can draw of the picture that it gets.
    Window(Limit),
    /// So many written messages of the other side have come to it in this call.
    Delivered(u64),
    /// It shows this of itself.
    Sign(Sign),
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
            // What it is, the other side knows: the leg tells it its own word.
            VideoSpec::File(_) | VideoSpec::Echo => Self::Film,
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
            Self::Delivered(count) => format!("delivered {count}"),
            Self::Sign(Sign::Hand(up)) => format!("hand {}", if up { "up" } else { "down" }),
            Self::Sign(Sign::Away(away)) => format!("away {}", if away { "on" } else { "off" }),
            Self::Sign(Sign::Reaction(reaction)) => format!("reaction {}", reaction.name()),
            Self::Recording(on) => format!("recording {}", if on { "on" } else { "off" }),
        }
    }

    /// A received line; `None` for what a later version may mean, what is out of bounds, and nonsense.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let mut all = std::str::from_utf8(bytes).ok()?.split(' ');
        // No message has more words than these.
        let mut words = [""; WORDS];
        let mut count = 0;
        for (place, word) in words.iter_mut().zip(all.by_ref()) {
            *place = word;
            count += 1;
        }
        if all.next().is_some() {
            return None;
        }
        Some(match words[..count] {
            ["media", kind, state] => Self::Off(
                [Kind::Audio, Kind::Video].into_iter().find(|known| name(*known) == kind)?,
                either(state, "off", "on")?,
            ),
            ["source", "video", source] => {
                Self::Picture(Picture::ALL.into_iter().find(|known| known.name() == source)?)
            }
            ["window", width, height, fps] => {
                let [width, height, fps] = [number(width)?, number(height)?, number(fps)?];
                Self::Window(window(width.try_into().ok()?, height.try_into().ok()?, fps.try_into().ok()?)?)
            }
            ["delivered", count] => Self::Delivered(number(count)?),
            ["hand", state] => Self::Sign(Sign::Hand(either(state, "up", "down")?)),
            ["away", state] => Self::Sign(Sign::Away(either(state, "on", "off")?)),
            ["recording", state] => Self::Recording(either(state, "on", "off")?),
            ["reaction", reaction] => Self::Sign(Sign::Reaction(reaction.parse::<Reaction>().ok()?)),
            _ => return None,
        })
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

/// One of two words, as whether it is the first.
fn either(word: &str, yes: &str, no: &str) -> Option<bool> {
    (word == yes || word == no).then_some(word == yes)
}

/// Plain digits only, in the one way to write them.
fn number(text: &str) -> Option<u64> {
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
        all.extend([1, u64::MAX].map(Message::Delivered));
        for on in [true, false] {
            all.extend([Sign::Hand(on), Sign::Away(on)].map(Message::Sign));
        }
        all.extend(Reaction::ALL.map(|reaction| Message::Sign(Sign::Reaction(reaction))));
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
            "delivered",
            "delivered 0",
            "delivered 01",
            "delivered 18446744073709551616",
            "delivered 1 2",
            "hand",
            "hand high",
            "away up",
            "reaction",
            "reaction \u{1b}[2J",
            "reaction clap clap",
            "hand up down left right",
            "recording",
            "recording On",
            "recording on now",
        ] {
            assert_eq!(Message::parse(other.as_bytes()), None, "{other:?}");
        }
        assert_eq!(Message::parse(b"media \xff off"), None);
    }
}
