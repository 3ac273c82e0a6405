//! Events as JSON lines: `{"event": NAME, "at_ms": N, ...}`, the serde twin of [`session::Event`].

use serde::Serialize;

use super::report::{Path, Received, Report, Sent};
use crate::session::{self, Event, Kind, PresenceState, Slot};

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
    Media {
        call: String,
        side: &'static str,
        kind: &'static str,
        muted: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        source: Option<String>,
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
    },
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
            Event::Incoming { call, from, key, first_contact } => Self::Incoming {
                call: call.to_string(),
                from: from.clone(),
                key: key.clone(),
                first_contact: *first_contact,
            },
            Event::Ringing { call } => Self::Ringing { call: call.to_string() },
            Event::Accepted { call } => Self::Accepted { call: call.to_string() },
            Event::Connected { call, verification_code, key, first_contact } => Self::Connected {
                call: call.to_string(),
                verification_code: verification_code.clone(),
                key: key.clone(),
                first_contact: *first_contact,
            },
            Event::Media { call, remote, kind, muted } => Self::Media {
                call: call.to_string(),
                side: if *remote { "remote" } else { "local" },
                kind: kind_name(*kind),
                muted: *muted,
                source: None,
            },
            Event::Source { call, remote, slot, source, off, changed: _ } => Self::Media {
                call: call.to_string(),
                side: if *remote { "remote" } else { "local" },
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
            Event::Chat { call, remote, text } => Self::Chat {
                call: call.to_string(),
                side: if *remote { "remote" } else { "local" },
                text: text.clone(),
            },
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
            Event::Rejected { reason } => Self::Notice { text: reason.clone() },
            Event::Ended { reason, report } => Self::Ended {
                call: report.id.to_string(),
                reason: reason.name(),
                message: report.detail.clone().unwrap_or_else(|| reason.sentence().to_owned()),
            },
            Event::Closed => return None,
        })
    }
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
