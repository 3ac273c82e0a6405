//! Commands on stdin: JSON lines from a script, words from a person.
//!
//! Owns the grammar and the thread that reads. A line that makes no sense is answered and changes nothing;
//! the end of stdin ends nothing, because scripts often have none.

use std::io::{self, BufRead, Read};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};

use serde::Deserialize;
use tokio::sync::{Mutex, mpsc};

use crate::call::CallId;
use crate::session::{self, Choice, HearSpec, Recording, Sign};
use crate::text::Shown;

/// The longest line that is read, bytes; a longer one is refused and skipped.
const LONGEST: u64 = 64 * 1024;

/// Lines waiting for the front end. When full the reader waits, and so does whoever writes to our stdin.
const LINES: usize = 16;

/// A command as a line holds it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Input {
    /// Answer the ringing call.
    Accept {
        /// Only if it is this one.
        #[serde(default)]
        call: Option<String>,
    },
    /// Refuse the ringing call.
    Decline {
        /// Only if it is this one.
        #[serde(default)]
        call: Option<String>,
        /// Say busy.
        #[serde(default)]
        busy: bool,
    },
    /// End or cancel the call.
    Hangup {
        /// Only if it is this one.
        #[serde(default)]
        call: Option<String>,
    },
    /// Send no sound (or no picture).
    Mute {
        /// `audio` unless said otherwise.
        #[serde(default)]
        kind: Kind,
    },
    /// Send it again.
    Unmute {
        /// `audio` unless said otherwise.
        #[serde(default)]
        kind: Kind,
    },
    /// Another picture.
    Camera {
        /// `off`, `on`, or a source in the words of `--video`.
        source: String,
    },
    /// Another sound.
    Microphone {
        /// `off`, `on`, or a source in the words of `--audio`.
        source: String,
    },
    /// Another place to play what is received.
    Speaker {
        /// `off`, `on`, or a place in the words of `--hear`.
        source: String,
    },
    /// Look out for a hand on one's own face.
    Alert {
        /// False to stop that.
        on: bool,
    },
    /// Call somebody.
    Call {
        /// Whom.
        to: String,
    },
    /// Say something in writing.
    Chat {
        /// What.
        text: String,
    },
    /// A short answer without words.
    React {
        /// Its word.
        reaction: String,
    },
    /// A hand up, or down again.
    Hand {
        /// Up.
        raised: bool,
    },
    /// Nobody sits here.
    Away {},
    /// Somebody does again.
    Back {},
    /// The code that the other side says it sees.
    Compare {
        /// Its digits.
        code: String,
    },
    /// Record the call.
    Record {
        /// `off`, or the file; a new one in the usual folder unless said otherwise.
        #[serde(default)]
        path: Option<String>,
    },
    /// Offer a file.
    SendFile {
        /// Its path.
        path: PathBuf,
    },
    /// Take a file that is offered.
    AcceptFile {
        /// Which; the oldest offer when absent.
        #[serde(default)]
        file: Option<u32>,
    },
    /// Do not take it.
    DeclineFile {
        /// Which; the oldest offer when absent.
        #[serde(default)]
        file: Option<u32>,
    },
    /// End a transfer.
    CancelFile {
        /// Which.
        file: u32,
    },
    /// Follow the presence of names.
    Watch {
        /// Which.
        names: Vec<String>,
    },
    /// Who is online.
    Users {
        /// Only names that contain this.
        #[serde(default)]
        query: Option<String>,
    },
    /// What can be typed.
    Help {},
    /// Hang up and leave.
    Quit {},
}

/// The words that can be typed, for whoever typed another one.
pub(super) const WORDS: &str = "accept, decline, busy, call NAME, hangup, mute, unmute, camera off, camera on, \
                                camera SOURCE, microphone SOURCE, speaker SINK, alert on, alert off, record, record PATH, record off, \
                                chat TEXT, react thumbs-up|thumbs-down|clap|heart|laugh|wow, hand up, hand down, away, back, compare CODE, send PATH, accept file, \
                                decline file, cancel file N, users, users TEXT, watch NAME, help, quit";

/// What a line asks for.
#[derive(Debug)]
pub(super) enum Wish {
    /// Something of the session.
    Command(session::Command),
    /// The list of who is online.
    Users(Option<String>),
    /// The list of words.
    Help,
}

/// Sound or picture.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Kind {
    /// Sound.
    #[default]
    Audio,
    /// Picture.
    Video,
}

impl From<Kind> for session::Kind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Audio => Self::Audio,
            Kind::Video => Self::Video,
        }
    }
}

impl Input {
    /// Reads one line.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(super) fn parse(line: &str) -> Result<Self, String> {
        let line = line.trim();
        if line.starts_with('{') {
            return serde_json::from_str(line).map_err(|error| error.to_string());
        }
        if let Some(text) = line.strip_prefix("chat ") {
            return Ok(Self::Chat { text: text.trim().to_owned() });
        }
        // A path or a name may have spaces in it.
        if let Some((word, source)) = line.split_once(char::is_whitespace) {
            let source = source.trim();
            match word {
                "camera" if !matches!(source, "on" | "off") => {
                    return Ok(Self::Camera { source: source.to_owned() });
                }
                "compare" => return Ok(Self::Compare { code: source.to_owned() }),
                "send" => return Ok(Self::SendFile { path: PathBuf::from(source) }),
                "microphone" => return Ok(Self::Microphone { source: source.to_owned() }),
                "speaker" => return Ok(Self::Speaker { source: source.to_owned() }),
                "record" => return Ok(Self::Record { path: Some(source.to_owned()) }),
                _ => {}
            }
        }
        if let Some(command) = file(line) {
            return command;
        }
        let mut words = line.split_whitespace();
        let command = match (words.next(), words.next()) {
            (Some("accept"), None) => Self::Accept { call: None },
            (Some("decline"), None) => Self::Decline { call: None, busy: false },
            (Some("busy"), None) => Self::Decline { call: None, busy: true },
            (Some("hangup"), None) => Self::Hangup { call: None },
            (Some("mute"), None) => Self::Mute { kind: Kind::Audio },
            (Some("unmute"), None) => Self::Unmute { kind: Kind::Audio },
            (Some("camera"), Some("off")) => Self::Mute { kind: Kind::Video },
            (Some("camera"), Some("on")) => Self::Unmute { kind: Kind::Video },
            (Some("alert"), Some("on")) => Self::Alert { on: true },
            (Some("alert"), Some("off")) => Self::Alert { on: false },
            (Some("call"), Some(to)) => Self::Call { to: to.to_owned() },
            (Some("react"), Some(reaction)) => Self::React { reaction: reaction.to_owned() },
            (Some("hand"), Some("up")) => Self::Hand { raised: true },
            (Some("hand"), Some("down")) => Self::Hand { raised: false },
            (Some("away"), None) => Self::Away {},
            (Some("back"), None) => Self::Back {},
            (Some("record"), None) => Self::Record { path: None },
            (Some("watch"), Some(name)) => Self::Watch { names: vec![name.to_owned()] },
            (Some("users"), query) => Self::Users { query: query.map(str::to_owned) },
            (Some("help"), None) => Self::Help {},
            (Some("quit"), None) => Self::Quit {},
            (word, _) => return Err(lacking(word.unwrap_or_default())),
        };
        match words.next() {
            None => Ok(command),
            Some(extra) => Err(format!("\"{extra}\" is one word too many")),
        }
    }

    /// The command's name, for the answer.
    #[must_use]
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Accept { .. } => "accept",
            Self::Decline { .. } => "decline",
            Self::Hangup { .. } => "hangup",
            Self::Mute { .. } => "mute",
            Self::Unmute { .. } => "unmute",
            Self::Camera { .. } => "camera",
            Self::Microphone { .. } => "microphone",
            Self::Speaker { .. } => "speaker",
            Self::Alert { .. } => "alert",
            Self::Call { .. } => "call",
            Self::Chat { .. } => "chat",
            Self::React { .. } => "react",
            Self::Hand { .. } => "hand",
            Self::Away {} => "away",
            Self::Back {} => "back",
            Self::Compare { .. } => "compare",
            Self::Record { .. } => "record",
            Self::SendFile { .. } => "send-file",
            Self::AcceptFile { .. } => "accept-file",
            Self::DeclineFile { .. } => "decline-file",
            Self::CancelFile { .. } => "cancel-file",
            Self::Watch { .. } => "watch",
            Self::Users { .. } => "users",
            Self::Help {} => "help",
            Self::Quit {} => "quit",
        }
    }

    /// The same for the session, or for the front end itself.
    ///
    /// # Errors
    /// What is no call id.
    pub(super) fn into_wish(self) -> Result<Wish, String> {
        use session::Command;
        Ok(Wish::Command(match self {
            Self::Users { query } => return Ok(Wish::Users(query)),
            Self::Help {} => return Ok(Wish::Help),
            Self::Accept { call } => Command::Accept { call: id(call)? },
            Self::Decline { call, busy } => Command::Decline { call: id(call)?, busy },
            Self::Hangup { call } => Command::HangUp { call: id(call)? },
            Self::Mute { kind } => Command::Mute { kind: kind.into(), muted: true },
            Self::Unmute { kind } => Command::Mute { kind: kind.into(), muted: false },
            Self::Camera { source } => match source.as_str() {
                "off" | "on" => Command::Mute { kind: session::Kind::Video, muted: source == "off" },
                source => Command::Use(Choice::Video(spec(source)?)),
            },
            Self::Microphone { source } => match source.as_str() {
                "off" | "on" => Command::Mute { kind: session::Kind::Audio, muted: source == "off" },
                source => Command::Use(Choice::Audio(spec(source)?)),
            },
            Self::Speaker { source } => Command::Use(Choice::Hear(match source.as_str() {
                "off" => HearSpec::Null,
                "on" => HearSpec::Speaker(None),
                source => spec(source)?,
            })),
            Self::Alert { on } => Command::Alert(on),
            Self::Call { to } => Command::Dial { to },
            Self::Chat { text } => Command::Chat { text },
            Self::React { reaction } => Command::Sign(Sign::Reaction(spec(&reaction)?)),
            Self::Hand { raised } => Command::Sign(Sign::Hand(raised)),
            Self::Away {} => Command::Sign(Sign::Away(true)),
            Self::Back {} => Command::Sign(Sign::Away(false)),
            Self::Compare { code } => Command::Compare { code },
            Self::Record { path } => Command::Record(match path.as_deref() {
                None => Recording::Anywhere,
                Some("off") => Recording::Off,
                Some(path) => Recording::Into(path.into()),
            }),
            Self::SendFile { path } => Command::SendFile { path },
            Self::AcceptFile { file } => Command::AcceptFile { number: file },
            Self::DeclineFile { file } => Command::DeclineFile { number: file },
            Self::CancelFile { file } => Command::CancelFile { number: file },
            Self::Watch { names } => Command::Watch { names },
            Self::Quit {} => Command::Quit,
        }))
    }
}

/// What a line lacks, or that nobody knows its word.
fn lacking(word: &str) -> String {
    let forms: Vec<&str> = WORDS.split(", ").filter(|form| form.split(' ').next() == Some(word)).collect();
    match &forms[..] {
        [] => format!("\"{}\" is no word that is known here (help lists all)", Shown::new(word).truncate(40)),
        [form] if !form.contains(' ') => format!("{word} stands alone"),
        forms => format!("type {}", forms.join(", ")),
    }
}

/// `accept file`, `accept file 2` and their like; `None` for other words.
fn file(line: &str) -> Option<Result<Input, String>> {
    let mut words = line.split_whitespace();
    let word = words.next().filter(|word| matches!(*word, "accept" | "decline" | "cancel"))?;
    words.next().filter(|word| *word == "file")?;
    let number = match (words.next(), words.next()) {
        (None, _) => None,
        (Some(text), None) => match text.parse() {
            Ok(number) => Some(number),
            Err(_) => return Some(Err(format!("\"{text}\" is no number of a file"))),
        },
        (Some(_), Some(extra)) => return Some(Err(format!("\"{extra}\" is one word too many"))),
    };
    Some(match (word, number) {
        ("accept", file) => Ok(Input::AcceptFile { file }),
        ("decline", file) => Ok(Input::DeclineFile { file }),
        (_, Some(file)) => Ok(Input::CancelFile { file }),
        (_, None) => Err("say which: cancel file N".to_owned()),
    })
}

fn spec<T: FromStr>(text: &str) -> Result<T, String>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error: T::Err| error.to_string())
}

fn id(text: Option<String>) -> Result<Option<CallId>, String> {
    text.map(|text| text.parse().map_err(|error| format!("{text:?}: {error}"))).transpose()
}

/// The lines of stdin, each to whoever asks first. There is one stdin: what a command's first session has not read is for its next one.
#[derive(Debug, Clone)]
pub(super) struct Lines(Arc<Mutex<mpsc::Receiver<Result<String, String>>>>);

impl Lines {
    /// The next one; `None` when there are no more. Nothing is lost when this is dropped before it is there.
    pub(super) async fn recv(&mut self) -> Option<Result<String, String>> {
        self.0.lock().await.recv().await
    }
}

/// The lines of this process's stdin.
pub(super) fn lines() -> Lines {
    static LINES: OnceLock<Lines> = OnceLock::new();
    LINES.get_or_init(|| Lines(Arc::new(Mutex::new(read_lines())))).clone()
}

/// Starts the thread that reads stdin. It ends with stdin or with the process; the channel closes with it.
fn read_lines() -> mpsc::Receiver<Result<String, String>> {
    let (sender, receiver) = mpsc::channel(LINES);
    let reader = move || {
        let mut stdin = io::stdin().lock();
        while let Some(line) = next_line(&mut stdin) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    };
    // Without a thread there are no commands, which is what a closed stdin means as well.
    let _ = std::thread::Builder::new().name("stdin".into()).spawn(reader);
    receiver
}

fn next_line(input: &mut impl BufRead) -> Option<Result<String, String>> {
    let mut line = Vec::new();
    let read = input.by_ref().take(LONGEST).read_until(b'\n', &mut line).ok()?;
    if read == 0 {
        return None;
    }
    if line.last() != Some(&b'\n') && read as u64 == LONGEST {
        input.skip_until(b'\n').ok()?;
        return Some(Err(format!("a line is longer than {LONGEST} bytes")));
    }
    Some(String::from_utf8(line).map_err(|_| "a line is not UTF-8".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_and_words_mean_the_same() {
        for (json, words) in [
            (r#"{"command":"accept"}"#, "accept"),
            (r#"{"command":"decline","busy":true}"#, "busy"),
            (r#"{"command":"mute"}"#, "mute"),
            (r#"{"command":"unmute","kind":"video"}"#, "camera on"),
            (r#"{"command":"camera","source":"file:my film.y4m"}"#, "camera file:my film.y4m"),
            (r#"{"command":"microphone","source":"off"}"#, "microphone off"),
            (r#"{"command":"speaker","source":"speaker:USB"}"#, "speaker  speaker:USB "),
            (r#"{"command":"record"}"#, "record"),
            (r#"{"command":"record","path":"off"}"#, "record off"),
            (r#"{"command":"record","path":"my call.webm"}"#, "record  my call.webm"),
            (r#"{"command":"alert","on":true}"#, "alert on"),
            (r#"{"command":"call","to":"bob"}"#, "call bob"),
            (r#"{"command":"chat","text":"see you  there"}"#, "chat see you  there"),
            (r#"{"command":"react","reaction":"clap"}"#, "react clap"),
            (r#"{"command":"hand","raised":true}"#, "hand up"),
            (r#"{"command":"compare","code":"1111 2222 3333 4444"}"#, "compare 1111 2222 3333 4444"),
            (r#"{"command":"away"}"#, "away"),
            (r#"{"command":"back"}"#, "back"),
            (r#"{"command":"send-file","path":"my photo.jpg"}"#, "send  my photo.jpg"),
            (r#"{"command":"accept-file"}"#, "accept file"),
            (r#"{"command":"decline-file","file":2}"#, "decline file 2"),
            (r#"{"command":"cancel-file","file":3}"#, "cancel file 3"),
            (r#"{"command":"quit"}"#, " quit \n"),
        ] {
            assert_eq!(Input::parse(json).unwrap(), Input::parse(words).unwrap());
        }
    }

    #[test]
    fn a_source_is_checked_before_anything_changes() {
        for wrong in ["camera front", "microphone tone:x", "speaker loud", "camera pattern:1x1"] {
            let input = Input::parse(wrong).unwrap();
            assert!(input.into_wish().is_err(), "{wrong}");
        }
        let wish = Input::parse("speaker off").unwrap().into_wish().unwrap();
        assert!(matches!(wish, Wish::Command(session::Command::Use(Choice::Hear(HearSpec::Null)))));
    }

    #[test]
    fn nonsense_is_answered_not_guessed() {
        for wrong in [
            "",
            "acept",
            "mute all",
            "cancel file",
            "accept file x",
            "accept file 1 2",
            "call",
            "{",
            r#"{"command":"accept","now":1}"#,
            r#"{"command":"x"}"#,
        ] {
            assert!(Input::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_line_is_named() {
        for (line, why) in [
            ("acept", "\"acept\" is no word that is known here (help lists all)"),
            ("chat", "type chat TEXT"),
            ("chat ", "type chat TEXT"),
            ("hand", "type hand up, hand down"),
            ("mute all", "mute stands alone"),
            ("react", "type react thumbs-up|thumbs-down|clap|heart|laugh|wow"),
        ] {
            assert_eq!(Input::parse(line).unwrap_err(), why);
        }
    }

    #[test]
    fn a_line_without_end_is_refused_and_the_next_one_read() {
        let mut text = vec![b'a'; 2 * LONGEST as usize];
        text.extend(b"\nquit\n\xff\nlast");
        let mut input = io::Cursor::new(text);
        assert!(next_line(&mut input).unwrap().is_err());
        assert_eq!(next_line(&mut input).unwrap().unwrap(), "quit\n");
        assert!(next_line(&mut input).unwrap().is_err());
        assert_eq!(next_line(&mut input).unwrap().unwrap(), "last");
        assert!(next_line(&mut input).is_none());
    }
}
