//! What both sides write and show to each other, beside media.
//!
//! Owns the counts of messages, what waits for the control channel, and the bounds of what is taken from the other side. Form is
//! [`chat`]'s and [`control`](super::super::control)'s.

use tokio::time::Instant;

use super::super::chat;
use super::super::control::Message;
use super::super::sign::{Sign, Signs};
use super::{LegEvent, Running};

/// Written messages that may wait for the control channel to open; one more is refused.
const UNSENT: usize = 16;

/// The conversation of one call.
#[derive(Debug)]
pub(super) struct Talk {
    /// Written messages that wait for the control channel.
    unsent: Vec<String>,
    /// Messages that went out.
    said: u64,
    /// Of these, those that the other side has.
    delivered: u64,
    /// Messages that came.
    heard: u64,
    own: Signs,
    remote: Signs,
}

impl Talk {
    pub(super) fn new(away: bool) -> Self {
        let now = Instant::now();
        Self {
            unsent: Vec::new(),
            said: 0,
            delivered: 0,
            heard: 0,
            own: Signs::new(now, away),
            remote: Signs::new(now, false),
        }
    }
}

impl Running<'_> {
    /// What is written before the channel is open goes out when it is.
    pub(super) async fn chat(&mut self, text: String) {
        if !self.data_open && self.talk.unsent.len() < UNSENT {
            return self.talk.unsent.push(text);
        }
        let sent = match chat::message(&text) {
            Ok(message) => self.peer.send_data(message.into()).await.map_err(|error| error.to_string()),
            Err(why) => Err(why),
        };
        self.out
            .send(match sent {
                Ok(()) => {
                    self.talk.said += 1;
                    LegEvent::Chat { remote: false, text, number: self.talk.said }
                }
                Err(why) => LegEvent::Notice(format!("the message was not sent: {why}")),
            })
            .await;
    }

    /// The other side listens: what waited for that.
    pub(super) async fn speak(&mut self) {
        for sign in self.talk.own.lasting() {
            self.say(Message::Sign(sign)).await;
        }
        for text in std::mem::take(&mut self.talk.unsent) {
            self.chat(text).await;
        }
    }

    /// The other side wrote something. It is told that it arrived once the front end is on its way to know.
    pub(super) async fn written(&mut self, text: &str) {
        self.talk.heard += 1;
        let number = self.talk.heard;
        self.out.send(LegEvent::Chat { remote: true, text: text.to_owned(), number }).await;
        self.say(Message::Delivered(number)).await;
    }

    /// The other side has our messages up to `number`. One that was never sent is not believed.
    pub(super) async fn delivered(&mut self, number: u64) {
        if number > self.talk.delivered && number <= self.talk.said {
            self.talk.delivered = number;
            self.out.send(LegEvent::Delivered(number)).await;
        }
    }

    /// Shows something to the other side. What lasts is said when it listens, what passes has passed by then.
    pub(super) async fn show(&mut self, sign: Sign) {
        if matches!(sign, Sign::Reaction(_)) && !self.data_open {
            return self.out.send(LegEvent::Rejected("not connected yet".to_owned())).await;
        }
        if self.talk.own.take(sign, Instant::now()) {
            self.say(Message::Sign(sign)).await;
            self.out.send(LegEvent::Sign(false, sign)).await;
        } else if matches!(sign, Sign::Reaction(_)) {
            self.out.send(LegEvent::Rejected("too many reactions at once".to_owned())).await;
        }
    }

    /// The other side shows something. Only changes are passed on, and no flood.
    pub(super) async fn shown(&mut self, sign: Sign) {
        if self.talk.remote.take(sign, Instant::now()) {
            self.out.send(LegEvent::Sign(true, sign)).await;
        }
    }
}
