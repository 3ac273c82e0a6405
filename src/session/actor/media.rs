//! What is sent and played, as the session keeps it: commands on their way to the leg, and what came of them.

use super::super::choice::{Choice, Slot};
use super::super::control::Picture;
use super::super::event::Event;
use super::super::leg::{FileOrder, LegCommand, Reply, Switch};
use super::Actor;
use crate::call::{CallId, JsepRole};
use crate::media::pipeline::Kind;

impl Actor {
    /// Carries a mute out, or says why not.
    pub(super) async fn mute(&mut self, kind: Kind, muted: bool) -> Result<(), String> {
        let live = self.machine.state().live().filter(|call| self.has_leg(*call));
        let sourceless = live.and_then(|call| self.records.get(&call)).map(|record| record.sourceless);
        if sourceless.unwrap_or_else(|| self.config.media.sourceless())[kind as usize] {
            return Err(match kind {
                Kind::Audio => "you send no sound (see --audio)".into(),
                Kind::Video => "you send no picture (see --video)".into(),
            });
        }
        let call = live.ok_or("there is no call")?;
        self.command_leg(call, LegCommand::Mute(kind, muted));
        self.tell(Event::Media { call, remote: false, kind, muted }).await;
        Ok(())
    }

    /// From now on the microphone is off unless somebody talks, or the other way round; in this call and the next ones.
    pub(super) async fn push_to_talk(&mut self, on: bool) {
        self.config.media.push_to_talk = on;
        if self.machine.state().live().is_some_and(|call| self.has_leg(call)) {
            // Without sound to send there is nothing to mute.
            let _ = self.mute(Kind::Audio, on).await;
        }
    }

    /// What a call begins with.
    pub(super) async fn tell_sources(&mut self, call: CallId) {
        let sourceless = self.records.get(&call).map_or([true; 2], |record| record.sourceless);
        let echo = self.records.get(&call).is_some_and(|record| record.echo);
        let media = self.config.media.for_role(if echo { JsepRole::Answerer } else { JsepRole::Offerer });
        let talks = media.push_to_talk;
        for slot in [Slot::Video, Slot::Audio, Slot::Hear] {
            let choice = media.choice(slot);
            let (choice, off) = match slot {
                Slot::Video if sourceless[Kind::Video as usize] => (choice.nothing(), true),
                Slot::Audio if sourceless[Kind::Audio as usize] => (choice.nothing(), true),
                Slot::Audio => (choice, talks),
                Slot::Video | Slot::Hear => (choice, false),
            };
            let source = choice.spec();
            self.tell(Event::Source { call, remote: false, slot, source, off, changed: false }).await;
        }
    }

    /// The leg answers when what is asked for is open, or can't be.
    pub(super) async fn switch(&mut self, switch: Switch, reply: Reply) {
        match self.machine.state().live().filter(|call| self.has_leg(*call)) {
            Some(call) => self.command_leg(call, LegCommand::Switch(switch, reply)),
            None => self.refuse(reply, "there is no call".to_owned()).await,
        }
    }

    /// The same for files, which need consent to the call first.
    pub(super) async fn file(&mut self, order: FileOrder, reply: Reply) {
        match self.machine.state().live().filter(|call| self.has_leg(*call)) {
            Some(call) => self.command_leg(call, LegCommand::File(order, reply)),
            None => self.refuse(reply, "there is no call".to_owned()).await,
        }
    }

    /// What was chosen in a call is used in the next one too; what was only missing is tried again then.
    pub(super) async fn using(&mut self, call: CallId, choice: Choice, off: bool, missing: bool) {
        let kind = match choice.slot() {
            Slot::Video => Some(Kind::Video),
            Slot::Audio => Some(Kind::Audio),
            Slot::Hear => None,
        };
        if let (Some(kind), Some(record)) = (kind, self.records.get_mut(&call)) {
            record.sourceless[kind as usize] = !choice.is_something();
        }
        let (slot, source) = (choice.slot(), choice.spec());
        if !missing {
            self.config.media.put(choice);
        }
        self.tell(Event::Source { call, remote: false, slot, source, off, changed: !missing }).await;
    }

    pub(super) async fn remote_muted(&mut self, call: CallId, kind: Kind, muted: bool) {
        if let Some(record) = self.records.get_mut(&call) {
            record.remote_off[kind as usize] = muted;
            if muted {
                match kind {
                    Kind::Audio => record.remote_sends.audio = false,
                    Kind::Video => record.remote_sends.video = false,
                }
            }
        }
        self.tell(Event::Media { call, remote: true, kind, muted }).await;
    }

    pub(super) async fn remote_picture(&mut self, call: CallId, picture: Picture, changed: bool) {
        let muted = self.records.get(&call).is_some_and(|record| record.remote_off[Kind::Video as usize]);
        let off = muted || picture == Picture::None;
        let source = picture.name().to_owned();
        self.tell(Event::Source { call, remote: true, slot: Slot::Video, source, off, changed }).await;
    }
}
