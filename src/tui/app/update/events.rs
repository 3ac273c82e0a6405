//! Events of the session.
//!
//! Everything in them that came from elsewhere passes the gate here, once.

use std::time::Duration;

use super::super::conversation::{Call, Phase, Sent};
use super::super::model::{BELL, Incoming, Model, Server};
use super::super::{Action, Now};
use super::sources::Told;
use crate::call::{CallId, EndReason};
use crate::history::{self, Entry};
use crate::session::files::File;
use crate::session::report::{Direction, Report};
use crate::session::{Command, Event, Kind, PathStats, Stats};
use crate::text::Shown;

/// Columns of a message that a notification shows.
const NOTICE: usize = 100;

/// Notifications of messages are at least this far apart.
const BETWEEN_NOTICES: Duration = Duration::from_secs(5);

impl Model {
    pub(super) fn event(&mut self, event: Event, now: Now) {
        match event {
            Event::Registered { name, resumed } => self.registered(&name, resumed, now),
            Event::SignalingDown { reason, retry_in } => {
                let reason = Shown::new(&reason);
                self.note(Shown::new(&format!("the server is not reached: {reason}")), now);
                self.server = Server::Down { reason, retry: now.since_start.saturating_add(retry_in) };
            }
            Event::Refused { message, .. } => {
                self.say(&format!("the server refused: {message}"), true, now);
                self.server = Server::Refused { message: Shown::new(&message) };
            }
            Event::Presence(changes) => self.users.presence(changes),
            Event::Calling { call, to } => {
                if let Some(ours) = self.call.as_mut().filter(|ours| ours.is_dialing()) {
                    ours.id = Some(call);
                    ours.peer = Shown::new(&to);
                    if matches!(ours.phase, Phase::Waiting) {
                        ours.enter(Phase::Calling, now.since_start);
                    }
                }
            }
            Event::Incoming { call, from, key, first_contact, files } => {
                self.incoming(call, from, Shown::new(&key), (first_contact, files), now)
            }
            Event::Ringing { call } => {
                if let Some(ours) = self.call.as_mut().filter(|ours| ours.is(call) && ours.is_dialing()) {
                    ours.enter(Phase::Ringing, now.since_start);
                }
            }
            Event::Accepted { call } => self.accepted(call, now),
            Event::Connected { call, verification_code, key, first_contact } => {
                self.connected(call, &verification_code, &key, first_contact, now);
            }
            Event::Compared { call, same } => {
                if let Some(ours) = self.call.as_mut().filter(|ours| ours.is(call)) {
                    ours.compared = same;
                }
                let said = match same {
                    true => "the codes are the same: nobody sits in between",
                    false => "THE CODES DIFFER: somebody may be listening in",
                };
                self.say(said, !same, now);
            }
            Event::Media { call, remote, kind, muted } => self.media(call, remote, kind, muted, now),
            Event::Source { call, remote, slot, source, off, changed } => {
                self.source(Told { call, remote, slot, source, off, changed }, now);
            }
            Event::Alert { call, raised, .. } => self.alerted(call, raised, now),
            Event::Recording { call, remote, on, path } => self.recording(call, remote, on, path, now),
            Event::Chat { call, remote, text, number } => {
                if let Some(ours) = self.call.as_mut().filter(|ours| ours.is(call)) {
                    ours.chat.add(remote, &text, number);
                    if remote {
                        let first = Shown::new(text.trim().lines().next().unwrap_or_default());
                        let line = format!("{} writes: {}", ours.peer, first.truncate(NOTICE));
                        let read = ours.chat.open;
                        if !self.focused && self.next_notice <= now.since_start {
                            self.next_notice = now.since_start + BETWEEN_NOTICES;
                            let (title, body) = ("letsmeet".to_owned(), line.clone());
                            self.out.push(Action::Notify { title, body });
                        }
                        if !read {
                            self.say(&line, false, now);
                        }
                    }
                }
            }
            Event::Delivered { call, number } => {
                if let Some(ours) = self.call.as_mut().filter(|ours| ours.is(call)) {
                    ours.chat.delivered = number;
                }
            }
            Event::Sign { call, remote, sign } => self.signed(call, remote, sign, now),
            Event::File { call, file } => self.file(call, &file, now),
            Event::Link { call, up } => {
                if let Some(ours) = self.call.as_mut().filter(|ours| ours.is(call)) {
                    ours.recovering = !up;
                    let text =
                        if up { "the connection is back" } else { "nothing is heard from the other side" };
                    self.note(Shown::new(text), now);
                }
            }
            Event::Stats { call, media, path } => self.figures(call, &media, &path, now),
            Event::Missed { from } => self.missed_call(&from, now),
            Event::Notice { text } => self.say(&text, true, now),
            Event::NoPath { reason } | Event::Rejected { reason } => self.rejected(&reason, now),
            Event::Ended { reason, report } => self.ended(reason, report, now),
            Event::Closed => self.out.push(Action::Quit),
        }
    }

    fn registered(&mut self, name: &str, resumed: bool, now: Now) {
        self.me = Shown::new(name);
        self.users.iam(name);
        if matches!(self.server, Server::Down { .. }) {
            self.note(Shown::new(if resumed { "the server is back" } else { "online again" }), now);
        }
        self.server = Server::Online;
        self.next_refresh = now.since_start;
    }

    fn incoming(
        &mut self,
        call: CallId,
        name: String,
        key: Shown,
        (first_contact, files): (bool, bool),
        now: Now,
    ) {
        let from = Shown::new(&name);
        let body = match files {
            true => format!("{from} wants to send files"),
            false => format!("{from} is calling"),
        };
        self.note(Shown::new(&body), now);
        self.out.push(Action::Notify { title: "letsmeet".into(), body });
        self.incoming = Some(Incoming {
            call,
            name,
            from,
            key,
            first_contact,
            files,
            at: now.unix(),
            next_bell: now.since_start,
            answered: false,
        });
        self.settle(now);
    }

    /// Rings the bell when it is time.
    pub(super) fn ring(&mut self, now: Now) {
        if let Some(incoming) = &mut self.incoming
            && !incoming.answered
            && incoming.next_bell <= now.since_start
        {
            incoming.next_bell = now.since_start + BELL;
            self.out.push(Action::Bell);
        }
    }

    fn accepted(&mut self, id: CallId, now: Now) {
        let own = self.own();
        if let Some(incoming) = self.incoming.take_if(|incoming| incoming.call == id) {
            let mut call = Call::new(&incoming.name, Phase::Connecting, now.since_start, incoming.at, own);
            call.id = Some(id);
            call.key = Some(incoming.key);
            self.call = Some(call);
        } else if let Some(call) = self.call.as_mut().filter(|call| call.is_dialing()) {
            // Both sides may have dialed: then the call that goes on is the other side's.
            call.id = Some(id);
            call.enter(Phase::Connecting, now.since_start);
        }
        if let Some(call) = self.call.as_mut().filter(|call| call.is(id)) {
            call.own_shows.away = self.away;
        }
        self.prompt = None;
        self.reading = None;
    }

    fn connected(&mut self, id: CallId, code: &str, key: &str, first_contact: bool, now: Now) {
        let Some(call) = self.call.as_mut().filter(|call| call.is(id)) else { return };
        call.enter(Phase::Active { since: now.since_start }, now.since_start);
        let code = Shown::new(code);
        let first = if first_contact { "FIRST CONTACT: " } else { "" };
        let hint = format!("{first}compare code {code} aloud");
        call.code = Some(code);
        call.key = Some(Shown::new(key));
        self.say(&hint, first_contact, now);
        if self.asks_code {
            self.ask_code();
        }
    }

    fn media(&mut self, id: CallId, remote: bool, kind: Kind, muted: bool, now: Now) {
        let Some(call) = self.call.as_mut().filter(|call| call.is(id)) else { return };
        let side = if remote { &mut call.remote } else { &mut call.own };
        let sent = side.of(kind);
        if remote || *sent != Sent::Never {
            *sent = if muted { Sent::Off } else { Sent::On };
        }
        let who = if remote { call.peer.to_string() } else { "you".to_owned() };
        let (what, state) = match kind {
            Kind::Audio => ("microphone", if muted { "off" } else { "on" }),
            Kind::Video => ("camera", if muted { "off" } else { "on" }),
        };
        let change = format!("{who}: {what} {state}");
        if self.full {
            // The row that shows it is not there.
            self.say(&change, false, now);
        } else {
            self.note(Shown::new(&change), now);
        }
    }

    fn file(&mut self, id: CallId, file: &File, now: Now) {
        let asked = self.offer().map(|offer| offer.number);
        let Some(call) = self.call.as_mut().filter(|call| call.is(id)) else { return };
        let told = call.files.take(file);
        if let Some((text, bad)) = told {
            self.say(&text, bad, now);
        }
        if asked.is_some_and(|asked| self.offer().is_none_or(|offer| offer.number != asked)) {
            // The prompt is gone: a key that was meant for it means nothing else.
            self.settle(now);
        }
        if self.call.as_ref().is_some_and(|call| call.files.takes_all) && self.offer().is_some() {
            return self.answer_file(|number| Command::AcceptFile { number }, now);
        }
        let asks = self.offer().map(|offer| (offer.number, offer.name.clone()));
        if let Some((number, name)) = asks
            && asked != Some(number)
        {
            // A prompt that nobody has seen yet.
            self.settle(now);
            self.note(Shown::new(&format!("a file is offered: {name}")), now);
            self.out.push(Action::Bell);
            self.out.push(Action::Notify {
                title: "letsmeet".into(),
                body: format!("a file is offered: {name}"),
            });
        }
    }

    fn figures(&mut self, id: CallId, media: &Stats, path: &PathStats, now: Now) {
        let Some(call) = self.call.as_mut().filter(|call| call.is(id)) else { return };
        call.meter.take(now.since_start, media, path);
        let mut facts = Vec::new();
        if let (Some(local), Some(remote)) = (&path.local, &path.remote) {
            let path = format!("{} {} to {}", local.candidate_type, local.protocol, remote.candidate_type);
            facts.push(("path", Shown::new(&path)));
        }
        let codecs = [media.video_received.codec, media.audio_received.codec];
        let codecs: Vec<&str> = codecs.into_iter().flatten().collect();
        if !codecs.is_empty() {
            facts.push(("codecs", Shown::new(&codecs.join(", "))));
        }
        let lost = media.video_received.packets_lost + media.audio_received.packets_lost;
        let again = media.video_received.packets_recovered + media.audio_received.packets_recovered;
        facts.push(("packets lost", Shown::new(&format!("{lost}, and {again} recovered"))));
        let frozen = format!("{:.1} s", media.video_received.frozen_ms / 1e3);
        facts.push(("picture frozen", Shown::new(&frozen)));
        if media.audio_received.delay_ms > 0.0 {
            facts.push(("sound delay", Shown::new(&format!("{:.0} ms", media.audio_received.delay_ms))));
        }
        call.facts = facts;
    }

    fn missed_call(&mut self, from: &str, now: Now) {
        self.say(&format!("missed call from {from}"), true, now);
        if self.incoming.take_if(|incoming| incoming.name == from).is_some() {
            self.settle(now);
        } else {
            // It never rang on this screen, so that no end of it is told.
            self.remember(Entry {
                peer: from.to_owned(),
                direction: history::Direction::Incoming,
                outcome: history::Outcome::Missed,
                at: now.unix(),
                seen: false,
            });
        }
    }

    /// A command came to nothing; a call that was only wished for is over with it.
    pub(super) fn rejected(&mut self, reason: &str, now: Now) {
        if let Some(incoming) = &mut self.incoming {
            incoming.answered = false;
        }
        self.call.iter_mut().for_each(|call| {
            call.hanging_up = false;
            call.files.unanswer();
        });
        match self.call.as_mut().filter(|call| call.id.is_none() && matches!(call.phase, Phase::Calling)) {
            Some(call) => {
                let reason = Shown::new(reason);
                call.enter(Phase::Ended { reason, detail: None, lasted: None }, now.since_start);
                self.settle(now);
            }
            None => self.say(&format!("not possible: {reason}"), true, now),
        }
    }

    fn ended(&mut self, reason: EndReason, report: Box<Report>, now: Now) {
        let began = self
            .call
            .as_ref()
            .filter(|call| !call.is_over() && call.id == Some(report.id))
            .map(|call| call.at);
        let rang = self.incoming.take_if(|incoming| incoming.call == report.id);
        if rang.is_some() {
            self.settle(now);
        }
        if reason != EndReason::AnsweredElsewhere {
            let at = began.or(rang.as_ref().map(|incoming| incoming.at)).unwrap_or(now.unix());
            self.remember(entry(&report, at));
        }
        let detail = report.detail.as_deref().map(Shown::new);
        // A call of ours that ended before it was on its way has no id here yet.
        let wished = report.direction == Direction::Outgoing;
        let ours = self.call.as_mut().filter(|call| match call.id {
            Some(id) => !call.is_over() && id == report.id,
            None => matches!(call.phase, Phase::Calling) && wished,
        });
        if let Some(call) = ours {
            let lasted = report.setup.connected.map(|_| report.duration);
            let sentence = Shown::new(reason.sentence());
            call.enter(Phase::Ended { reason: sentence, detail, lasted }, now.since_start);
            call.recovering = false;
            self.reading = None;
            self.prompt = None;
            self.report = Some(report);
            // What was said about the call is over with it.
            self.toasts.clear();
            self.settle(now);
        } else if reason == EndReason::Cancelled {
            // Told as a missed call.
        } else if rang.is_some() || reason != EndReason::HungUp {
            let peer = Shown::new(&report.peer);
            let more = detail.map_or_else(String::new, |detail| format!(" ({detail})"));
            self.say(&format!("{peer}: {}{more}", reason.sentence()), false, now);
        }
    }
}

/// The line of history that a report makes.
fn entry(report: &Report, at: u64) -> Entry {
    use history::Outcome;
    let outgoing = report.direction == Direction::Outgoing;
    let sentence = || report.reason.sentence().to_owned();
    let outcome = match report.reason {
        _ if report.setup.connected.is_some() => Outcome::Answered { seconds: report.duration.as_secs() },
        EndReason::Declined | EndReason::Busy if !outgoing => Outcome::Declined,
        EndReason::Declined => Outcome::Declined,
        EndReason::NoAnswer | EndReason::Cancelled if !outgoing => Outcome::Missed,
        EndReason::NoAnswer
        | EndReason::Busy
        | EndReason::Unavailable
        | EndReason::Cancelled
        | EndReason::UnknownName
        | EndReason::AnsweredElsewhere => Outcome::NotAnswered { reason: sentence() },
        EndReason::SignalingLost if !outgoing && report.setup.accepted.is_none() => Outcome::Missed,
        _ => Outcome::Failed { reason: sentence() },
    };
    let direction = if outgoing { history::Direction::Outgoing } else { history::Direction::Incoming };
    let seen = outcome != Outcome::Missed;
    Entry { peer: report.peer.clone(), direction, outcome, at, seen }
}
