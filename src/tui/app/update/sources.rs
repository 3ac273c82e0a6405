//! What is sent and played: choices by key, and what came of them.

use super::super::conversation::Sent;
use super::super::model::Model;
use super::super::{Action, Now};
use crate::call::CallId;
use crate::session::{Choice, Command, Kind, Slot, VideoSpec};
use crate::text::Shown;

/// Something else is sent or played.
pub(super) struct Told {
    pub(super) call: CallId,
    pub(super) remote: bool,
    pub(super) slot: Slot,
    pub(super) source: String,
    pub(super) off: bool,
    pub(super) changed: bool,
}

impl Model {
    pub(super) fn source(&mut self, told: Told, now: Now) {
        let Told { call: id, remote, slot, source, off, changed } = told;
        let Some(call) = self.call.as_mut().filter(|call| call.is(id)) else { return };
        let there = !matches!(source.as_str(), "none" | "null");
        let sent = match (there, off) {
            (false, _) => Sent::Never,
            (true, true) => Sent::Off,
            (true, false) => Sent::On,
        };
        if remote {
            call.remote.video = sent;
            call.remote_picture = word(&source);
            let shares = match source.as_str() {
                "screen" => "shares a screen",
                "camera" if changed => "shows the camera",
                "film" if changed => "shows a film",
                "pattern" if changed => "shows the test pattern",
                _ => return,
            };
            let line = format!("{} {shares}", call.peer);
            return self.say(&line, false, now);
        }
        let what = match slot {
            Slot::Video => {
                call.own.video = sent;
                call.own_picture = word(&source);
                self.sends.video = there;
                "picture"
            }
            Slot::Audio => {
                call.own.audio = sent;
                self.sends.audio = there;
                "microphone"
            }
            Slot::Hear => "speaker",
        };
        if changed {
            self.say(&format!("{what}: {source}"), false, now);
            if std::mem::take(&mut self.asked[slot as usize]) {
                self.out.push(Action::Keep { slot, source });
            }
        }
    }

    /// The device after the present one.
    pub(super) fn next_device(&mut self, slot: Slot) {
        self.asked[slot as usize] = true;
        self.out.push(Action::Command(Command::Next(slot)));
    }

    /// From whatever is sent to the screen, and back to the camera.
    pub(super) fn share(&mut self) {
        let shares = self.call.as_ref().is_some_and(|call| call.own_picture.as_str() == "screen");
        let spec = if shares { VideoSpec::Camera(None) } else { VideoSpec::Screen(None) };
        self.out.push(Action::Command(Command::Use(Choice::Video(spec))));
    }

    /// Turns push-to-talk on or off.
    pub(super) fn switch_push_to_talk(&mut self, now: Now) {
        self.push_to_talk = !self.push_to_talk;
        self.out.push(Action::Command(Command::PushToTalk(self.push_to_talk)));
        let text = match (self.push_to_talk, self.releases) {
            (false, _) => "push-to-talk is off: the microphone is on",
            (true, true) => "push-to-talk: the microphone is on while you hold the key",
            (true, false) => "push-to-talk: the key turns the microphone on, and off again",
        };
        self.say(text, false, now);
    }

    /// The key to talk was pressed. Where the terminal tells of its release it is held; elsewhere it goes on and off.
    pub(super) fn talk(&mut self, now: Now) {
        if !self.push_to_talk {
            return self.mute(Kind::Audio, now);
        }
        let audio = self.call.as_ref().map_or(Sent::Never, |call| call.own.audio);
        if self.releases {
            if audio == Sent::Off && !std::mem::replace(&mut self.talking, true) {
                self.out.push(Action::Command(Command::Mute { kind: Kind::Audio, muted: false }));
            }
            return;
        }
        self.mute(Kind::Audio, now);
    }

    /// The key to talk was let go of.
    pub(super) fn hush(&mut self) {
        if std::mem::take(&mut self.talking) {
            self.out.push(Action::Command(Command::Mute { kind: Kind::Audio, muted: true }));
        }
    }
}

/// What a picture's source is called beside it.
fn word(source: &str) -> Shown {
    let word = source.split(':').next().unwrap_or_default();
    Shown::new(match word {
        "screen" | "pattern" | "film" => word,
        "file" => "film",
        _ => "camera",
    })
}
