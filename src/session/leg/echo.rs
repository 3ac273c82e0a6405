//! A call that gets back what it sends: when there is something to send back, and what is off because it is off on the other side.
//!
//! The way itself is media's ([`Echo`]). Sound begins with the first that is heard; pictures begin with the first one, and anew with each that has another
//! size, so that they go back in the size they came in, with the bits for it. A side that sends none of a kind gets none of it, and is told so.

use tokio::sync::mpsc;

use super::super::config::Media;
use super::super::control::{Message, Picture};
use super::Running;
use crate::media::echo::Echo;
use crate::media::pipeline::{Kind, Sinks};
use crate::media::spec::{AudioSpec, VideoSpec};
use crate::media::{AudioSink, VideoFormat};

/// The way back of this call, if it has one.
pub(super) struct Echoing {
    echo: Option<Echo>,
    /// There is something to send back. One is enough to look at everything; more are not kept.
    begun: mpsc::Receiver<()>,
    /// What is sent back so far.
    pictures: Option<VideoFormat>,
    sound: bool,
}

impl Echoing {
    pub(super) fn new(media: &Media) -> Self {
        let (sender, begun) = mpsc::channel(1);
        let fps = media.echo.filter(|_| media.video == VideoSpec::Echo);
        let tell = move || {
            // Full: whoever looks next sees this, too.
            let _ = sender.try_send(());
        };
        let echo = fps.map(|fps| Echo::new(fps, tell));
        Self { echo, begun, pictures: None, sound: false }
    }

    /// These sinks, and back.
    pub(super) fn listen(&self, sinks: Sinks) -> Sinks {
        match &self.echo {
            Some(echo) => Sinks { video: echo.see(sinks.video), audio: echo.hear(sinks.audio), ..sinks },
            None => sinks,
        }
    }

    /// This sink, and back.
    pub(super) fn hear(&self, sink: Box<dyn AudioSink>) -> Box<dyn AudioSink> {
        match &self.echo {
            Some(echo) => echo.hear(sink),
            None => sink,
        }
    }

    /// There is something to send back; `None` where nothing is.
    pub(super) async fn begun(&mut self) -> Option<()> {
        self.begun.recv().await
    }
}

impl Running<'_> {
    /// Sends back what there is now, unless something else was chosen for it.
    pub(super) fn send_back(&mut self) {
        let (media, echoing) = (&self.known.media, &mut self.echoing);
        let Some(echo) = &echoing.echo else { return };
        if let Some(format) = echo.format().filter(|_| media.video == VideoSpec::Echo)
            && echoing.pictures.replace(format) != Some(format)
        {
            // The beat is fast so that no picture waits long for it; how many come is another matter.
            let usual = VideoFormat { fps: media.format.fps, ..format };
            self.engine.set_video_source(Some(echo.pictures(format)), media.kbps(usual));
        }
        if media.audio == AudioSpec::Echo && echo.heard() && !std::mem::replace(&mut echoing.sound, true) {
            self.engine.set_audio_source(Some(echo.sound()));
        }
    }

    /// The other side sends none of this kind, or does again, and gets as much.
    pub(super) async fn mirror(&mut self, kind: Kind, off: bool) {
        if self.echoing.echo.is_some() {
            self.known.mirrored[kind as usize] = off;
            self.engine.set_muted(kind, self.known.is_muted(kind));
            self.say(Message::Off(kind, self.known.is_off(kind))).await;
        }
    }

    /// Where its picture comes from is where ours does.
    pub(super) async fn mirror_picture(&self, picture: Picture) {
        if self.known.media.video == VideoSpec::Echo {
            self.say(Message::Picture(picture)).await;
        }
    }
}
