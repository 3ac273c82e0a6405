//! What a leg sends and plays, and what both sides tell each other about it.
//!
//! Owns the choice of sources in the middle of a call: the new one is opened beside the old one, off the runtime's threads, and takes its
//! place only when it is there. Nothing is negotiated for it.

use tokio::sync::oneshot;

use super::super::choice::{self, Choice, Slot};
use super::super::config::{Media, Missing};
use super::super::control::{Message, Picture};
use super::{LegEvent, Running, Sources};
use crate::media::device::{self, Notices};
use crate::media::pipeline::Kind;
use crate::media::spec::VideoSpec;
use crate::media::{AudioSink, AudioSource, VideoSource};
use crate::rtc;

/// Sources that may be opening at once. One more is refused: whoever asks does not wait for what was asked before.
const OPENING: usize = 4;

/// What a slot is to get.
#[derive(Debug)]
pub(in crate::session) enum Switch {
    /// This.
    To(Choice),
    /// The device after the present one.
    Next(Slot),
}

/// Where the outcome of a switch goes; without it a failure becomes [`LegEvent::Rejected`].
pub(in crate::session) type Reply = Option<oneshot::Sender<Result<(), String>>>;

/// What was opened.
pub(in crate::session) enum Opened {
    /// A picture and its rate, kbit/s.
    Video(Option<Box<dyn VideoSource>>, u32),
    Audio(Option<Box<dyn AudioSource>>),
    Hear(Box<dyn AudioSink>),
}

/// A switch that has been tried.
pub(super) struct Tried {
    slot: Slot,
    /// Which of the slot's switches it was.
    turn: u64,
    outcome: Result<(Choice, Opened), String>,
    reply: Reply,
}

/// What is known of both sides' media, beside what flows.
#[derive(Debug)]
pub(super) struct Known {
    /// What the slots hold.
    pub(super) media: Media,
    /// What a person muted, by kind.
    pub(super) muted: [bool; 2],
    /// What is off here because it is off there, by kind.
    pub(super) mirrored: [bool; 2],
    /// What the other side does not send now, by kind.
    pub(super) remote_off: [bool; 2],
    /// The other side records.
    pub(super) remote_records: bool,
    /// Where its picture comes from, once it said so.
    pub(super) remote_picture: Option<Picture>,
    /// How many switches each slot has seen.
    turns: [u64; 3],
}

impl Known {
    pub(super) fn new(media: Media) -> Self {
        let mut muted = [false; 2];
        muted[Kind::Audio as usize] = media.push_to_talk;
        Self {
            media,
            muted,
            mirrored: [false; 2],
            remote_off: [false; 2],
            remote_records: false,
            remote_picture: None,
            turns: [0; 3],
        }
    }

    /// Whether the other side says that it sends anything.
    pub(super) fn hears(&self) -> bool {
        self.remote_off.contains(&false)
    }

    /// Whether either side sends sound or picture now.
    pub(super) fn is_anything_on(&self) -> bool {
        [Kind::Audio, Kind::Video]
            .into_iter()
            .any(|kind| !self.is_off(kind) || !self.remote_off[kind as usize])
    }

    /// Whether nothing of this kind is sent now.
    pub(super) fn is_off(&self, kind: Kind) -> bool {
        self.is_muted(kind) || self.media.sourceless()[kind as usize]
    }

    /// Whether what there is of this kind is kept back.
    pub(super) fn is_muted(&self, kind: Kind) -> bool {
        self.muted[kind as usize] || self.mirrored[kind as usize]
    }

    /// Where our picture comes from; `None` while it is the other side's, who did not say.
    fn picture(&self) -> Option<Picture> {
        match &self.media.video {
            VideoSpec::Echo => self.remote_picture,
            spec => Some(Picture::from(spec)),
        }
    }
}

impl Running<'_> {
    pub(super) async fn mute(&mut self, kind: Kind, muted: bool) {
        self.known.muted[kind as usize] = muted;
        self.engine.set_muted(kind, self.known.is_muted(kind));
        if kind == Kind::Video && muted {
            self.unwatch(|monitor| monitor.own.clear());
        }
        self.say(Message::Off(kind, self.known.is_off(kind))).await;
    }

    /// Tells the other side; one that is not connected yet is told all of it when it is.
    pub(super) async fn say(&self, message: Message) {
        if self.data_open {
            // A channel that breaks is a link that breaks, which is told otherwise.
            let _ = self.peer.send_data(message.text().into()).await;
        }
    }

    /// A side without a source says so, so that silence from it is not taken for a broken path.
    pub(super) async fn say_everything(&self) {
        for kind in [Kind::Audio, Kind::Video] {
            if self.known.is_off(kind) {
                self.say(Message::Off(kind, true)).await;
            }
        }
        if let Some(picture) = self.known.picture() {
            self.say(Message::Picture(picture)).await;
        }
    }

    /// The first offer of the other side says whether there is to be media: what is sent is opened, or left alone.
    pub(super) async fn offered_media(&mut self, sdp: &str) {
        if !matches!(self.sources, Sources::Unasked) {
            return;
        }
        let media = rtc::has_media(sdp);
        self.sections &= media;
        let wished = [self.known.media.choice(Slot::Video), self.known.media.choice(Slot::Audio)];
        for choice in wished.into_iter().filter(|choice| !media && choice.is_something()) {
            let nothing = choice.nothing();
            self.known.media.put(nothing.clone());
            self.out.send(LegEvent::Using { choice: nothing, off: true, missing: true }).await;
        }
        self.sources = Sources::open(&self.known.media, &self.engine, &self.notices);
    }

    /// Begins to open what is asked for.
    pub(super) async fn switch(&mut self, switch: Switch, reply: Reply) {
        if self.opening.len() >= OPENING {
            return self.decline(reply, "too many sources are being opened already".to_owned()).await;
        }
        let slot = match &switch {
            Switch::To(choice) => choice.slot(),
            Switch::Next(slot) => *slot,
        };
        let turn = &mut self.known.turns[slot as usize];
        *turn += 1;
        let (turn, media, notices) = (*turn, self.known.media.clone(), self.notices.clone());
        self.opening.spawn_blocking(move || Tried {
            slot,
            turn,
            outcome: open(switch, &media, &notices),
            reply,
        });
    }

    /// Puts what was opened into its place, or says why not and keeps what is there.
    pub(super) async fn switched(&mut self, tried: Tried) {
        let Tried { slot, turn, outcome, reply } = tried;
        if turn != self.known.turns[slot as usize] {
            return self.decline(reply, "another one was asked for meanwhile".to_owned()).await;
        }
        let (choice, opened) = match outcome {
            Ok(found) => found,
            Err(why) => return self.decline(reply, why).await,
        };
        let empty = !choice.is_something();
        self.known.media.put(choice.clone());
        let kind = match opened {
            Opened::Video(source, kbps) => {
                self.engine.set_video_source(source, kbps);
                if empty {
                    self.unwatch(|monitor| monitor.own.clear());
                }
                Some(Kind::Video)
            }
            Opened::Audio(source) => {
                self.engine.set_audio_source(source);
                Some(Kind::Audio)
            }
            Opened::Hear(sink) => {
                self.engine.set_audio_sink(self.echoing.hear(sink));
                None
            }
        };
        let off = kind.is_some_and(|kind| self.known.is_off(kind));
        // Where the picture comes from is told before it is on, and after it is off.
        let said = [
            kind.map(|kind| Message::Off(kind, off)),
            (kind == Some(Kind::Video)).then(|| Message::Picture(Picture::from(&self.known.media.video))),
        ];
        let [state, picture] = said;
        for message in if off { [state, picture] } else { [picture, state] }.into_iter().flatten() {
            self.say(message).await;
        }
        self.out.send(LegEvent::Using { choice, off, missing: false }).await;
        if let Some(reply) = reply {
            // Whoever asked may have gone.
            let _ = reply.send(Ok(()));
        }
    }

    pub(super) async fn decline(&self, reply: Reply, why: String) {
        match reply {
            // Whoever asked may have gone.
            Some(reply) => drop(reply.send(Err(why))),
            None => self.out.send(LegEvent::Rejected(why)).await,
        }
    }

    /// Devices that a call goes on without: said once, and told as what they are, nothing.
    pub(super) async fn do_without(&mut self, missing: Vec<Missing>) {
        for Missing { choice, why } in missing {
            // Something else was chosen while it was tried.
            if self.known.media.choice(choice.slot()) != choice {
                continue;
            }
            let nothing = choice.nothing();
            self.known.media.put(nothing.clone());
            self.out.send(LegEvent::Notice(why)).await;
            self.out.send(LegEvent::Using { choice: nothing, off: true, missing: true }).await;
            match choice.slot() {
                Slot::Video => {
                    self.say(Message::Off(Kind::Video, true)).await;
                    self.say(Message::Picture(Picture::None)).await;
                }
                Slot::Audio => self.say(Message::Off(Kind::Audio, true)).await,
                Slot::Hear => {}
            }
        }
    }

    /// What the other side says about its media and itself. Only changes are passed on, so that a side that repeats itself keeps nobody busy.
    pub(super) async fn told(&mut self, message: Message) {
        match message {
            Message::Off(kind, off) => {
                if std::mem::replace(&mut self.known.remote_off[kind as usize], off) == off {
                    return;
                }
                if kind == Kind::Video {
                    self.engine.pictures_are_off(off);
                    if off {
                        self.unwatch(|monitor| monitor.remote.clear());
                    }
                }
                self.mirror(kind, off).await;
                self.out.send(LegEvent::RemoteMute(kind, off)).await;
            }
            Message::Picture(picture) => {
                let before = self.known.remote_picture.replace(picture);
                if before != Some(picture) {
                    self.mirror_picture(picture).await;
                    self.out.send(LegEvent::RemotePicture { picture, changed: before.is_some() }).await;
                }
            }
            Message::Window(limit) => self.engine.set_picture_limit(Some(limit)),
            Message::Delivered(number) => self.delivered(number).await,
            Message::Sign(sign) => self.shown(sign).await,
            Message::Recording(on) => {
                self.engine.set_recorded(on);
                if std::mem::replace(&mut self.known.remote_records, on) != on {
                    self.out.send(LegEvent::Recording { remote: true, on, path: None }).await;
                }
            }
        }
    }
}

/// Finds and opens what is asked for. Takes as long as it takes.
fn open(switch: Switch, media: &Media, notices: &Notices) -> Result<(Choice, Opened), String> {
    let choice = match switch {
        Switch::To(choice) => choice,
        Switch::Next(slot) => {
            let devices = device::list(slot.device()).map_err(|error| error.to_string())?;
            choice::next(&media.choice(slot), &devices)?
        }
    };
    let opened = media.open(&choice, notices).map_err(|error| error.to_string())?;
    Ok((choice, opened))
}
