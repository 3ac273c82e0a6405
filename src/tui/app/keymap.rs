//! The one table of keys: what can be done, where, by which key, and how help says it.
//!
//! Owns commands, their default keys and the changes a person makes to them in the settings. Help and the hints at the foot
//! of the screen are made of it. Must not know how a command is carried out.

use std::collections::BTreeMap;

use super::keys::Chord;
use crate::session::Reaction;

/// Where keys have a meaning of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Context {
    /// Whatever is on the screen.
    Everywhere,
    /// The lists of people and calls.
    Dashboard,
    /// A name or a search is being typed.
    Typing,
    /// Somebody calls.
    Incoming,
    /// The other side of a call offers a file.
    Offer,
    /// We call and nobody has answered.
    Dialing,
    /// In a call.
    Call,
    /// A message is being typed.
    Chat,
    /// A call is over and says why.
    Ended,
    /// Help, messages or figures lie over the screen.
    Reading,
}

impl Context {
    /// Every context, in the order of help.
    pub const ALL: [Self; 10] = [
        Self::Dashboard,
        Self::Incoming,
        Self::Offer,
        Self::Dialing,
        Self::Call,
        Self::Chat,
        Self::Ended,
        Self::Typing,
        Self::Reading,
        Self::Everywhere,
    ];

    /// Its heading in help.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Everywhere => "Everywhere",
            Self::Dashboard => "People and calls",
            Self::Typing => "Typing a name or a path",
            Self::Incoming => "Somebody calls",
            Self::Offer => "A file is offered",
            Self::Dialing => "Calling",
            Self::Call => "In a call",
            Self::Chat => "Writing a message",
            Self::Ended => "After a call",
            Self::Reading => "Reading help, messages, figures",
        }
    }

    /// True where characters are text, so that they can't be keys.
    fn types_text(self) -> bool {
        matches!(self, Self::Typing | Self::Chat | Self::Everywhere)
    }
}

/// What a key can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the table beneath says what each does, for help and for the reader")]
pub enum Command {
    Select,
    Dial,
    Search,
    Everybody,
    Sort,
    OtherPane,
    Up,
    Down,
    PageUp,
    PageDown,
    First,
    Last,
    Refresh,
    Confirm,
    GiveUp,
    Accept,
    AcceptAll,
    Decline,
    Busy,
    Cancel,
    Mute,
    Talk,
    PushToTalk,
    Camera,
    NextCamera,
    Share,
    NextMicrophone,
    NextSpeaker,
    Hand,
    React(Reaction),
    Away,
    Chat,
    SendFile,
    StopFile,
    SelfView,
    Corner,
    FullScreen,
    Alert,
    RenderMode,
    Record,
    Figures,
    Compare,
    HangUp,
    Send,
    NewLine,
    LeaveChat,
    CloseChat,
    Back,
    Close,
    Messages,
    Help,
    Quit,
    Interrupt,
    Redraw,
    Suspend,
}

/// One line of the table.
#[derive(Debug)]
pub struct Row {
    /// What it does.
    pub command: Command,
    /// Where.
    pub contexts: &'static [Context],
    /// Its name in the settings.
    pub name: &'static str,
    /// Its keys, unless changed.
    pub keys: &'static [&'static str],
    /// What it does, for help.
    pub help: &'static str,
    /// A word for the foot of the screen; empty when it isn't shown there.
    pub hint: &'static str,
}

const fn row(
    command: Command,
    contexts: &'static [Context],
    name: &'static str,
    keys: &'static [&'static str],
    hint: &'static str,
    help: &'static str,
) -> Row {
    Row { command, contexts, name, keys, help, hint }
}

use Context as In;

/// Everything that has a key.
#[rustfmt::skip]
pub const TABLE: &[Row] = &[
    row(Command::Accept,     &[In::Incoming],  "accept",      &["a", "y"],        "accept",  "take the call"),
    row(Command::Decline,    &[In::Incoming],  "decline",     &["d", "n"],        "decline", "refuse the call"),
    row(Command::Busy,       &[In::Incoming],  "busy",        &["b"],             "busy",    "refuse it and say that you are busy"),
    row(Command::Accept,     &[In::Offer],     "accept-file", &["a", "y"],        "accept",  "take the file"),
    row(Command::AcceptAll,  &[In::Offer],     "accept-all",  &["A"],             "all",     "take it, and every other file of this call"),
    row(Command::Decline,    &[In::Offer],     "decline-file", &["d", "n"],       "decline", "do not take the file"),
    row(Command::Select,     &[In::Dashboard], "call",        &["enter"],         "call",    "call the selected name"),
    row(Command::Dial,       &[In::Dashboard], "dial",        &["d", "n"],        "dial",    "call a name that you type"),
    row(Command::Search,     &[In::Dashboard], "search",      &["/"],             "search",  "search for a name"),
    row(Command::Everybody,  &[In::Dashboard], "everybody",   &["esc"],           "",        "end the search: show everybody"),
    row(Command::Sort,       &[In::Dashboard], "sort",        &["s"],             "sort",    "sort by state or by name"),
    row(Command::OtherPane,  &[In::Dashboard], "pane",        &["tab", "left", "right"], "calls", "go to the list of calls, or back to people"),
    row(Command::Refresh,    &[In::Dashboard], "refresh",     &["r"],             "",        "ask the server who is online"),
    row(Command::Confirm,    &[In::Typing],    "confirm",     &["enter"],         "done",    "call, send, compare or search what was typed"),
    row(Command::GiveUp,     &[In::Typing],    "give-up",     &["esc"],           "cancel",  "forget what was typed"),
    row(Command::Cancel,     &[In::Dialing],   "cancel",      &["esc", "q", "x"], "cancel",  "stop calling"),
    row(Command::Mute,       &[In::Call],      "mute",        &["m"],             "mute",    "microphone off or on"),
    row(Command::Talk,       &[In::Call],      "talk",        &["space"],         "",        "microphone off or on; held in push-to-talk"),
    row(Command::PushToTalk, &[In::Call],      "push-to-talk", &["t"],            "",        "talk only while a key is held, or as usual"),
    row(Command::Camera,     &[In::Call],      "camera",      &["v"],             "camera",  "camera off or on"),
    row(Command::NextCamera, &[In::Call],      "next-camera", &["V"],             "",        "send the picture of the next camera"),
    row(Command::Share,      &[In::Call],      "share",       &["w"],             "",        "share the screen, or go back to the camera"),
    row(Command::NextMicrophone, &[In::Call],  "next-microphone", &["M"],         "",        "send the sound of the next microphone"),
    row(Command::NextSpeaker, &[In::Call],     "next-speaker", &["O"],            "",        "hear through the next speaker"),
    row(Command::Chat,       &[In::Call],      "chat",        &["c", "enter"],    "chat",    "write a message"),
    row(Command::CloseChat,  &[In::Call],      "close-chat",  &["esc"],           "",        "put the messages away; leave the full screen"),
    row(Command::SendFile,   &[In::Call],      "send-file",   &["u"],             "",        "send a file: its path is asked for"),
    row(Command::StopFile,   &[In::Call],      "stop-file",   &["U"],             "",        "end the transfer that is shown"),
    row(Command::SelfView,   &[In::Call],      "self-view",   &["s"],             "self",    "own picture away or back"),
    row(Command::Corner,     &[In::Call],      "corner",      &["p"],             "",        "own picture into the next corner"),
    row(Command::FullScreen, &[In::Call],      "full-screen", &["f"],             "full",    "only the picture, or everything again"),
    row(Command::Alert,      &[In::Call],      "alert",       &["F"],             "",        "alert for a hand on your face, on or off"),
    row(Command::RenderMode, &[In::Call],      "render",      &["r"],             "",        "draw pictures in the next way"),
    row(Command::Record,     &[In::Call],      "record",      &["R"],             "",        "record both sides, or stop; they are told"),
    row(Command::Figures,    &[In::Call],      "figures",     &["i"],             "info",    "code, key, path and figures"),
    row(Command::Figures,    &[In::Reading],   "leave-figures", &["i"],           "",        "figures of the call, or close them"),
    row(Command::Compare,    &[In::Call],      "compare",     &["="],             "",        "compare codes: type what the other side reads"),
    row(Command::Hand,       &[In::Call],      "hand",        &["h"],             "",        "raise a hand, or take it down"),
    row(Command::React(Reaction::ThumbsUp),   &[In::Call], "thumbs-up",   &["1"],  "",        "react: thumbs up"),
    row(Command::React(Reaction::ThumbsDown), &[In::Call], "thumbs-down", &["2"],  "",        "react: thumbs down"),
    row(Command::React(Reaction::Clap),       &[In::Call], "clap",        &["3"],  "",        "react: applause"),
    row(Command::React(Reaction::Heart),      &[In::Call], "heart",       &["4"],  "",        "react: a heart"),
    row(Command::React(Reaction::Laugh),      &[In::Call], "laugh",       &["5"],  "",        "react: laughter"),
    row(Command::React(Reaction::Wow),        &[In::Call], "wow",         &["6"],  "",        "react: surprise"),
    row(Command::Away,       &[In::Dashboard, In::Call], "away", &["A"],           "",        "tell others that you are away, or back"),
    row(Command::HangUp,     &[In::Call],      "hang-up",     &["q", "x"],        "hang up", "end the call"),
    row(Command::Send,       &[In::Chat],      "send",        &["enter"],         "send",    "send the message"),
    row(Command::NewLine,    &[In::Chat],      "new-line",    &["alt-enter", "shift-enter"], "new line", "begin another line"),
    row(Command::LeaveChat,  &[In::Chat],      "leave-chat",  &["tab"],           "keys",    "use keys again; the messages stay"),
    row(Command::GiveUp,     &[In::Chat],      "end-chat",    &["esc"],           "close",   "put the messages away"),
    row(Command::Back,       &[In::Ended],     "back",        &["enter", "esc", "q", "space"], "go on", "back to the dashboard; any other key does it too"),
    row(Command::Close,      &[In::Reading],   "close",       &["esc", "q", "enter"], "close", "close it"),
    row(Command::Up,         &[In::Dashboard, In::Reading], "up",    &["up", "k"],     "", "one line up"),
    row(Command::Down,       &[In::Dashboard, In::Reading], "down",  &["down", "j"],   "", "one line down"),
    row(Command::First,      &[In::Dashboard, In::Reading], "first", &["home", "g"],   "", "to the first line"),
    row(Command::Last,       &[In::Dashboard, In::Reading], "last",  &["end", "G"],    "", "to the last line"),
    row(Command::Up,         &[In::Typing],    "typing-up",   &["up"],            "",        "one name up"),
    row(Command::Down,       &[In::Typing],    "typing-down", &["down"],          "",        "one name down"),
    row(Command::PageUp,     &[In::Dashboard, In::Reading, In::Call, In::Chat], "page-up",   &["pgup"], "", "a page up; in a call, older messages"),
    row(Command::PageDown,   &[In::Dashboard, In::Reading, In::Call, In::Chat], "page-down", &["pgdn"], "", "a page down; in a call, newer messages"),
    row(Command::Messages,   &[In::Dashboard, In::Call, In::Dialing, In::Reading], "messages", &["l"], "", "what letsmeet has said so far"),
    row(Command::Quit,       &[In::Dashboard], "quit",        &["q"],             "quit",    "sign off and leave"),
    row(Command::Help,       &[In::Dashboard, In::Call, In::Dialing, In::Incoming, In::Offer, In::Reading], "help", &["?"], "help", "this help, or close it"),
    row(Command::Help,       &[In::Everywhere], "help-anywhere", &["f1"],         "",        "help, also while typing"),
    row(Command::Interrupt,  &[In::Everywhere], "interrupt",  &["ctrl-c"],        "",        "hang up; without a call, leave"),
    row(Command::Redraw,     &[In::Everywhere], "redraw",     &["ctrl-l"],        "",        "draw the whole screen anew"),
    row(Command::Suspend,    &[In::Everywhere], "suspend",    &["ctrl-z"],        "",        "back to the shell; fg returns here"),
];

/// Why the keys of the settings can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No command has this name.
    #[error("no command is called \"{name}\" (there are: {all})")]
    UnknownCommand {
        /// As written.
        name: String,
        /// Every name.
        all: String,
    },
    /// Not a key.
    #[error("key of \"{name}\": {why}")]
    Key {
        /// The command.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// A character where characters are text.
    #[error("key of \"{name}\": \"{key}\" is text there; take one with ctrl or alt, or f1 to f24")]
    Text {
        /// The command.
        name: String,
        /// The key.
        key: String,
    },
    /// Two commands share a key in one place.
    #[error("\"{first}\" and \"{second}\" both have the key {key} ({place})")]
    Conflict {
        /// One command.
        first: &'static str,
        /// The other.
        second: &'static str,
        /// The key.
        key: String,
        /// Where both are meant.
        place: &'static str,
    },
}

/// The table with its keys as they are now.
#[derive(Debug, Clone)]
pub struct Keymap {
    /// One entry for each row of [`TABLE`].
    keys: Vec<Vec<Chord>>,
}

impl Default for Keymap {
    fn default() -> Self {
        // The table's own keys can all be read, as its test shows.
        Self {
            keys: TABLE
                .iter()
                .map(|row| row.keys.iter().filter_map(|key| key.parse().ok()).collect())
                .collect(),
        }
    }
}

impl Keymap {
    /// The default keys with some changed: a command's name, and its keys with spaces between them (`"m f2"`), or
    /// `"none"`.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn with(overrides: &BTreeMap<String, String>) -> Result<Self, Error> {
        let mut keymap = Self::default();
        for (name, keys) in overrides {
            let index =
                TABLE.iter().position(|row| row.name == name).ok_or_else(|| Error::UnknownCommand {
                    name: name.clone(),
                    all: TABLE.iter().map(|row| row.name).collect::<Vec<_>>().join(", "),
                })?;
            let parse = |key: &str| key.parse().map_err(|why| Error::Key { name: name.clone(), why });
            let chords: Vec<Chord> = match keys.trim() {
                "none" => Vec::new(),
                "" => {
                    return Err(Error::Key {
                        name: name.clone(),
                        why: "nothing there (none takes it away)".into(),
                    });
                }
                keys => keys.split_whitespace().map(parse).collect::<Result<_, _>>()?,
            };
            let typed = TABLE[index].contexts.iter().any(|context| context.types_text());
            if let Some(key) = chords.iter().find(|chord| typed && chord.text().is_some()) {
                return Err(Error::Text { name: name.clone(), key: key.to_string() });
            }
            keymap.keys[index] = chords;
        }
        keymap.check().map(|()| keymap)
    }

    /// What a key means in a context.
    #[must_use]
    pub fn command(&self, context: Context, chord: Chord) -> Option<Command> {
        let find = |context: Context| {
            let rows = TABLE.iter().zip(&self.keys);
            rows.into_iter()
                .find(|(row, keys)| row.contexts.contains(&context) && keys.contains(&chord))
                .map(|(row, _)| row.command)
        };
        find(context).or_else(|| find(Context::Everywhere))
    }

    /// The rows of a context with their keys, in the table's order.
    pub fn rows(&self, context: Context) -> impl Iterator<Item = (&'static Row, &[Chord])> {
        TABLE
            .iter()
            .zip(&self.keys)
            .filter(move |(row, _)| row.contexts.contains(&context))
            .map(|(row, keys)| (row, &keys[..]))
    }

    /// The first key of a command in a context, for buttons and sentences.
    #[must_use]
    pub fn key(&self, context: Context, command: Command) -> Option<Chord> {
        self.rows(context).find(|(row, _)| row.command == command).and_then(|(_, keys)| keys.first().copied())
    }

    fn check(&self) -> Result<(), Error> {
        for (index, (row, keys)) in TABLE.iter().zip(&self.keys).enumerate() {
            for (other, taken) in TABLE.iter().zip(&self.keys).skip(index + 1) {
                let place = row.contexts.iter().find(|context| {
                    **context == Context::Everywhere
                        || other.contexts.contains(context)
                        || other.contexts.contains(&Context::Everywhere)
                });
                if let (Some(place), Some(key)) = (place, keys.iter().find(|key| taken.contains(key))) {
                    let key = key.to_string();
                    return Err(Error::Conflict {
                        first: row.name,
                        second: other.name,
                        key,
                        place: place.title(),
                    });
                }
            }
        }
        Ok(())
    }
}
