//! What is sent and where the received is played, chosen by a person or a script in the middle of a call.
//!
//! Owns the three slots of a call, what each of them holds, and which device comes after the present one. Opening is the leg's.

use crate::media::device::{self, Device, Wish};
use crate::media::spec::{AudioSpec, HearSpec, VideoSpec};

/// A place in a call that something is put into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Slot {
    /// The picture sent.
    Video,
    /// The sound sent.
    Audio,
    /// Where received sound is played.
    Hear,
}

/// What a slot is to hold from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// Send this picture.
    Video(VideoSpec),
    /// Send this sound.
    Audio(AudioSpec),
    /// Play received sound here.
    Hear(HearSpec),
}

impl Slot {
    /// The device that usually fills it.
    #[must_use]
    pub fn device(self) -> device::Kind {
        match self {
            Self::Video => device::Kind::Camera,
            Self::Audio => device::Kind::Microphone,
            Self::Hear => device::Kind::Speaker,
        }
    }

    fn with(self, id: String) -> Choice {
        match self {
            Self::Video => Choice::Video(VideoSpec::Camera(Some(id))),
            Self::Audio => Choice::Audio(AudioSpec::Mic(Some(id))),
            Self::Hear => Choice::Hear(HearSpec::Speaker(Some(id))),
        }
    }
}

impl Choice {
    /// Where it goes.
    #[must_use]
    pub fn slot(&self) -> Slot {
        match self {
            Self::Video(_) => Slot::Video,
            Self::Audio(_) => Slot::Audio,
            Self::Hear(_) => Slot::Hear,
        }
    }

    /// In the words of the flags.
    #[must_use]
    pub fn spec(&self) -> String {
        match self {
            Self::Video(spec) => spec.to_string(),
            Self::Audio(spec) => spec.to_string(),
            Self::Hear(spec) => spec.to_string(),
        }
    }

    /// False for nothing at all.
    #[must_use]
    pub fn is_something(&self) -> bool {
        match self {
            Self::Video(spec) => *spec != VideoSpec::None,
            Self::Audio(spec) => *spec != AudioSpec::None,
            Self::Hear(spec) => *spec != HearSpec::Null,
        }
    }

    /// The same slot with nothing in it.
    #[must_use]
    pub fn nothing(&self) -> Self {
        match self {
            Self::Video(_) => Self::Video(VideoSpec::None),
            Self::Audio(_) => Self::Audio(AudioSpec::None),
            Self::Hear(_) => Self::Hear(HearSpec::Null),
        }
    }

    /// The device that it names; `None` for what is none.
    #[must_use]
    pub fn device(&self) -> Option<(device::Kind, Option<&str>)> {
        match self {
            Self::Video(VideoSpec::Camera(id)) => Some((device::Kind::Camera, id.as_deref())),
            Self::Video(VideoSpec::Screen(id)) => Some((device::Kind::Screen, id.as_deref())),
            Self::Audio(AudioSpec::Mic(id)) => Some((device::Kind::Microphone, id.as_deref())),
            Self::Hear(HearSpec::Speaker(id)) => Some((device::Kind::Speaker, id.as_deref())),
            _ => None,
        }
    }

    /// The device that is wished for; `None` for what is no device of the slot's own kind.
    fn wish(&self) -> Option<Wish> {
        let (kind, id) = self.device()?;
        (kind == self.slot().device()).then(|| Wish::new(id))
    }

    /// Whether a call goes on without it when it can't be had: a device that is not to be exactly this one.
    #[must_use]
    pub fn may_be_missing(&self) -> bool {
        self.device().is_some_and(|(_, id)| !matches!(Wish::new(id), Wish::Exact(_)))
    }
}

/// The device after the one that `present` means, round and round.
///
/// # Errors
/// There is no other one, in words.
pub(super) fn next(present: &Choice, devices: &[Device]) -> Result<Choice, String> {
    let slot = present.slot();
    let kind = slot.device();
    let used = present.wish().and_then(|wish| {
        let chosen = device::choose(devices, &wish).first().map(|(device, _)| device.id.clone())?;
        devices.iter().position(|device| device.id == chosen)
    });
    let after = used.map_or(0, |used| (used + 1) % devices.len().max(1));
    match devices.get(after) {
        Some(_) if used == Some(after) => Err(format!("there is no other {kind}")),
        Some(device) => Ok(slot.with(device.id.clone())),
        None => Err(format!("there is no {kind}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn devices(ids: &[&str]) -> Vec<Device> {
        let device = |id: &&str| Device {
            kind: device::Kind::Camera,
            id: (*id).to_owned(),
            name: format!("camera {id}"),
            formats: Vec::new(),
            default: *id == "b",
            busy: None,
        };
        ids.iter().map(device).collect()
    }

    fn camera(id: &str) -> Choice {
        Choice::Video(VideoSpec::Camera(Some(id.to_owned())))
    }

    #[test]
    fn the_next_device_comes_after_the_one_that_is_used() {
        let all = devices(&["a", "b", "c"]);
        let after = |present: VideoSpec| next(&Choice::Video(present), &all);
        assert_eq!(after(VideoSpec::Camera(Some("c".into()))), Ok(camera("a")));
        // Nobody said which: the usual one is used.
        assert_eq!(after(VideoSpec::Camera(None)), Ok(camera("c")));
        for other in [VideoSpec::None, VideoSpec::Screen(None), VideoSpec::Pattern(None)] {
            assert_eq!(after(other), Ok(camera("a")));
        }
    }

    #[test]
    fn without_another_device_nothing_changes() {
        let alone = devices(&["a"]);
        assert_eq!(next(&camera("a"), &alone), Err("there is no other camera".to_owned()));
        assert_eq!(next(&camera("a"), &[]), Err("there is no camera".to_owned()));
        assert_eq!(next(&Choice::Hear(HearSpec::Null), &[]), Err("there is no speaker".to_owned()));
    }

    #[test]
    fn a_call_goes_on_without_a_device_unless_it_has_to_be_that_one() {
        let video = |text: &str| Choice::Video(text.parse().unwrap()).may_be_missing();
        assert!(video("camera") && video("camera:front") && video("screen"));
        assert!(!video("camera:=front") && !video("screen:=1") && !video("pattern") && !video("none"));
    }
}
