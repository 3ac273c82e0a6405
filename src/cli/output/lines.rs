//! Events as JSON lines: `{"event": NAME, "at_ms": N, ...}`, the serde twin of [`session::Event`].

use serde::Serialize;

use super::report::{Path, Received, Report, Sent};
use super::series::Summary;
use crate::call::CallId;
use crate::session::files::{self, FileState};
use crate::session::{self, Event, Kind, PresenceState, Sign, Slot};

/// A line with the time since the command began.
#[derive(Debug, Serialize)]
pub(super) struct Stamped<'a> {
    pub(super) at_ms: u128,
    #[serde(flatten)]
    pub(super) line: &'a Line,
}

/// One line. Names and fields are fixed by docs/scripting.md.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[allow(missing_docs, reason = "docs/scripting.md describes every field; the names say the rest")]
pub enum Line {
    Listening {
        url: String,
    },
    Registered {
        name: String,
        resumed: bool,
    },
    Signaling {
        up: bool,
        reason: String,
        retry_in_ms: u128,
    },
    Refused {
        code: String,
        message: String,
    },
    Presence {
        changes: Vec<User>,
    },
    Calling {
        call: String,
        to: String,
    },
    Incoming {
        call: String,
        from: String,
        key: String,
        first_contact: bool,
        files: bool,
    },
    Ringing {
        call: String,
    },
    Accepted {
        call: String,
    },
    Connected {
        call: String,
        verification_code: String,
        key: String,
        first_contact: bool,
    },
    Compared {
        call: String,
        same: bool,
    },
    Media {
        call: String,
        side: &'static str,
        kind: &'static str,
        muted: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        source: Option<String>,
    },
    Recording {
        call: String,
        side: &'static str,
        on: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        path: Option<String>,
    },
    Alert {
        call: String,
        state: &'static str,
        count: u64,
    },
    Chat {
        call: String,
        side: &'static str,
        text: String,
        number: u64,
    },
    Delivered {
        call: String,
        number: u64,
    },
    Reaction {
        call: String,
        side: &'static str,
        reaction: &'static str,
    },
    Hand {
        call: String,
        side: &'static str,
        raised: bool,
    },
    Away {
        #[serde(skip_serializing_if = "Option::is_none")]
        call: Option<String>,
        side: &'static str,
        away: bool,
    },
    File(Box<File>),
    Link {
        call: String,
        state: &'static str,
    },
    Stats {
        call: String,
        path: Box<Path>,
        send: Box<Sent>,
        receive: Box<Received>,
    },
    Missed {
        from: String,
    },
    Users {
        users: Vec<User>,
        more: bool,
    },
    Notice {
        text: String,
    },
    Reply {
        command: String,
        ok: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
    Ended {
        call: String,
        reason: &'static str,
        message: String,
    },
    Report(Box<Report>),
    Run {
        run: u64,
        of: Option<u64>,
    },
    Summary(Box<Summary>),
}

/// What happened to a file. What does not belong to its state is left out.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs, reason = "docs/scripting.md describes every field; the names say the rest")]
pub struct File {
    pub call: String,
    pub file: u32,
    pub side: &'static str,
    pub name: String,
    pub size: u64,
    #[serde(rename = "type")]
    pub kind: String,
    pub state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_per_s: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_ms: Option<u128>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blake3: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<&'static str>,
}

impl File {
    /// The line for a file of a call.
    #[must_use]
    pub fn of(call: &str, file: &files::File) -> Self {
        let mut line = Self {
            call: call.to_owned(),
            file: file.number,
            side: if file.remote { "remote" } else { "local" },
            name: file.name.clone(),
            size: file.size,
            kind: file.kind.clone(),
            state: file.state.word(),
            bytes: None,
            bytes_per_s: None,
            left_ms: None,
            blake3: None,
            path: None,
            reason: None,
            message: None,
        };
        match &file.state {
            FileState::Offered => {}
            FileState::Started { from } => line.bytes = Some(*from),
            FileState::Progress { done, rate, left } => {
                (line.bytes, line.bytes_per_s) = (Some(*done), Some(*rate));
                line.left_ms = left.map(|left| left.as_millis());
            }
            FileState::Done { hash, path } => {
                line.blake3 = Some(hash.clone());
                line.path = path.as_ref().map(|path| path.to_string_lossy().into_owned());
            }
            FileState::Failed { why } => {
                (line.reason, line.message) = (Some(why.word()), Some(why.sentence()));
            }
        }
        line
    }
}

/// A name and its state.
#[derive(Debug, Clone, Serialize)]
pub struct User {
    /// The name as the server spells it.
    pub name: String,
    /// `available`, `ringing`, `in-call`, `away` or `offline`.
    pub state: &'static str,
}

impl Line {
    /// The line for an event; `None` for what is not shown.
    #[must_use]
    pub fn of(event: &Event) -> Option<Self> {
        Some(match event {
            Event::Registered { name, resumed } => Self::Registered { name: name.clone(), resumed: *resumed },
            Event::SignalingDown { reason, retry_in } => {
                Self::Signaling { up: false, reason: reason.clone(), retry_in_ms: retry_in.as_millis() }
            }
            Event::Refused { code, message } => {
                Self::Refused { code: code.clone(), message: message.clone() }
            }
            Event::Presence(changes) => Self::Presence {
                changes: changes
                    .iter()
                    .map(|change| User { name: change.name.to_string(), state: state_name(change.state) })
                    .collect(),
            },
            Event::Calling { call, to } => Self::Calling { call: call.to_string(), to: to.clone() },
            Event::Incoming { call, from, key, first_contact, files } => Self::Incoming {
                call: call.to_string(),
                from: from.clone(),
                key: key.clone(),
                first_contact: *first_contact,
                files: *files,
            },
            Event::Ringing { call } => Self::Ringing { call: call.to_string() },
            Event::Accepted { call } => Self::Accepted { call: call.to_string() },
            Event::Connected { call, verification_code, key, first_contact } => Self::Connected {
                call: call.to_string(),
                verification_code: verification_code.clone(),
                key: key.clone(),
                first_contact: *first_contact,
            },
            Event::Compared { call, same } => Self::Compared { call: call.to_string(), same: *same },
            Event::Media { call, remote, kind, muted } => Self::Media {
                call: call.to_string(),
                side: side(*remote),
                kind: kind_name(*kind),
                muted: *muted,
                source: None,
            },
            Event::Source { call, remote, slot, source, off, changed: _ } => Self::Media {
                call: call.to_string(),
                side: side(*remote),
                kind: match slot {
                    Slot::Video => "video",
                    Slot::Audio => "audio",
                    Slot::Hear => "hear",
                },
                muted: *off,
                source: Some(source.clone()),
            },
            Event::Alert { call, raised, count } => Self::Alert {
                call: call.to_string(),
                state: if *raised { "raised" } else { "cleared" },
                count: *count,
            },
            Event::Recording { call, remote, on, path } => Self::Recording {
                call: call.to_string(),
                side: side(*remote),
                on: *on,
                path: path.as_ref().map(|path| path.display().to_string()),
            },
            Event::Chat { call, remote, text, number } => Self::Chat {
                call: call.to_string(),
                side: side(*remote),
                text: text.clone(),
                number: *number,
            },
            Event::Delivered { call, number } => Self::Delivered { call: call.to_string(), number: *number },
            Event::Sign { call, remote, sign } => Self::sign(*call, side(*remote), *sign),
            Event::File { call, file } => Self::File(Box::new(File::of(&call.to_string(), file))),
            Event::Link { call, up } => {
                Self::Link { call: call.to_string(), state: if *up { "up" } else { "recovering" } }
            }
            Event::Stats { call, media, path } => {
                let mut report = Report::empty("stats");
                super::figures::fill(&mut report, Some(media), Some(path));
                Self::Stats {
                    call: call.to_string(),
                    path: Box::new(report.path),
                    send: Box::new(report.send),
                    receive: Box::new(report.receive),
                }
            }
            Event::Missed { from } => Self::Missed { from: from.clone() },
            Event::Notice { text } => Self::Notice { text: text.clone() },
            Event::NoPath { reason } | Event::Rejected { reason } => Self::Notice { text: reason.clone() },
            Event::Ended { reason, report } => Self::Ended {
                call: report.id.to_string(),
                reason: reason.name(),
                message: report.detail.clone().unwrap_or_else(|| reason.sentence().to_owned()),
            },
            Event::Closed => return None,
        })
    }

    fn sign(call: Option<CallId>, side: &'static str, sign: Sign) -> Self {
        let call = call.map(|call| call.to_string());
        match sign {
            Sign::Away(away) => Self::Away { call, side, away },
            Sign::Hand(raised) => Self::Hand { call: call.unwrap_or_default(), side, raised },
            Sign::Reaction(reaction) => {
                Self::Reaction { call: call.unwrap_or_default(), side, reaction: reaction.name() }
            }
        }
    }
}

/// Whose doing it is.
fn side(remote: bool) -> &'static str {
    if remote { "remote" } else { "local" }
}

/// `audio` or `video`.
pub(super) fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Audio => "audio",
        Kind::Video => "video",
    }
}

impl From<&session::User> for User {
    fn from(user: &session::User) -> Self {
        Self { name: user.name.to_string(), state: state_name(user.state) }
    }
}

/// The word for a state of presence.
pub(super) fn state_name(state: PresenceState) -> &'static str {
    match state {
        PresenceState::Available => "available",
        PresenceState::Away => "away",
        PresenceState::Ringing => "ringing",
        PresenceState::InCall => "in-call",
        PresenceState::Offline => "offline",
    }
}
