//! Strict parsing of frames, and the shape of descriptions and candidates.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{
    CallId, Candidate, ClientMessage, Description, DescriptionKind, ErrorCode, MAX_CANDIDATE, MAX_FRAME,
    MAX_MID, MAX_SDP, MAX_SERVER_FRAME, ServerMessage, SessionId, Signature,
};

/// Why a frame is no message, with the `seq` it carried when that much could be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ParseError {
    /// `malformed`, `unknown-type` or `too-large`.
    pub code: ErrorCode,
    /// For a person; never repeats what the frame contained beyond names of fields.
    pub message: String,
    /// The `seq` of the frame.
    pub re: Option<u32>,
}

const CLIENT_TYPES: [&str; 15] = [
    "login",
    "logout",
    "list",
    "watch",
    "unwatch",
    "state",
    "invite",
    "ringing",
    "accept",
    "decline",
    "cancel",
    "hangup",
    "description",
    "candidate",
    "rejoin",
];
const SERVER_TYPES: [&str; 15] = [
    "challenge",
    "registered",
    "ok",
    "error",
    "users",
    "presence",
    "incoming",
    "ringing",
    "accepted",
    "ended",
    "description",
    "candidate",
    "peer-signaling",
    "bye",
    "",
];

/// Parses a frame of a client.
///
/// # Errors
/// [`ParseError`] when the frame is no message of the protocol.
pub fn parse_client(text: &str) -> Result<ClientMessage, ParseError> {
    // The two types that make up nearly all traffic are read without a look ahead; when that fails, the
    // way below finds out what is wrong.
    if text.len() > MAX_FRAME {
        // No way at all, not even the quick one.
    } else if text.starts_with(r#"{"type":"description""#) {
        if let Ok(message) = serde_json::from_str::<TaggedDescription>(text) {
            return Ok(ClientMessage::Description(message.into()));
        }
    } else if text.starts_with(r#"{"type":"candidate""#)
        && let Ok(message) = serde_json::from_str::<TaggedCandidate>(text)
    {
        return Ok(ClientMessage::Candidate(message.into()));
    }
    parse(text, &CLIENT_TYPES, MAX_FRAME)
}

/// Parses a frame of the server, which may be twice as long as a client's: what it relays may grow.
///
/// # Errors
/// [`ParseError`] when the frame is no message of the protocol.
pub fn parse_server(text: &str) -> Result<ServerMessage, ParseError> {
    parse(text, &SERVER_TYPES, MAX_SERVER_FRAME)
}

/// Whether a text has the shape of a session description (RFC 8866): its first line, its length, and no
/// control characters but line ends and tabs.
pub fn check_sdp(sdp: &str) -> Result<(), &'static str> {
    if sdp.len() > MAX_SDP {
        return Err("the description is longer than 48 KiB");
    }
    if !(sdp.starts_with("v=0\r\n") || sdp.starts_with("v=0\n")) {
        return Err("the description does not begin with v=0");
    }
    if sdp.bytes().any(|b| (b < 0x20 && !matches!(b, b'\r' | b'\n' | b'\t')) || b == 0x7f) {
        return Err("the description contains control characters");
    }
    Ok(())
}

/// Whether the parts have the shape of a candidate (RFC 8839 section 5.1) or of the end of candidates.
pub fn check_candidate(candidate: &str, mid: &str) -> Result<(), &'static str> {
    if candidate.len() > MAX_CANDIDATE {
        return Err("the candidate is longer than 1024 bytes");
    }
    if mid.len() > MAX_MID || !mid.bytes().all(|b| b.is_ascii_graphic()) {
        return Err("the mid is not a token of at most 64 bytes");
    }
    if candidate.is_empty() {
        return Ok(());
    }
    if candidate.bytes().any(|b| !(0x20..0x7f).contains(&b)) {
        return Err("the candidate contains characters outside printable ASCII");
    }
    let Some(fields) = candidate.strip_prefix("candidate:") else {
        return Err("the candidate does not begin with candidate:");
    };
    // foundation component transport priority address port typ type
    let mut fields = fields.split_ascii_whitespace();
    let (_foundation, component, _transport, priority) =
        (fields.next(), fields.next(), fields.next(), fields.next());
    let (_address, port, typ, kind) = (fields.next(), fields.next(), fields.next(), fields.next());
    let number = |text: Option<&str>| text.and_then(|t| t.parse::<u32>().ok());
    if number(component).is_none_or(|c| c > 256)
        || number(priority).is_none()
        || number(port).is_none_or(|p| p > 65_535)
        || typ != Some("typ")
        || kind.is_none()
    {
        return Err("the candidate lacks fields of RFC 8839");
    }
    Ok(())
}

fn parse<'a, T: Deserialize<'a>>(text: &'a str, types: &[&str], longest: usize) -> Result<T, ParseError> {
    #[derive(Deserialize)]
    struct Head<'a> {
        #[serde(rename = "type", borrow)]
        kind: std::borrow::Cow<'a, str>,
        #[serde(default)]
        seq: Option<u32>,
    }
    if text.len() > longest {
        let message = format!("the frame is longer than {} KiB", longest / 1024);
        return Err(ParseError { code: ErrorCode::TooLarge, message, re: None });
    }
    match serde_json::from_str(text) {
        Ok(message) => Ok(message),
        Err(error) => {
            let (code, message, re) = match serde_json::from_str::<Head<'_>>(text) {
                Ok(head) if types.contains(&&*head.kind) => {
                    (ErrorCode::Malformed, format!("{}: {}", head.kind, explain(&error)), head.seq)
                }
                Ok(head) => {
                    (ErrorCode::UnknownType, "the type is none of this protocol's".to_owned(), head.seq)
                }
                Err(error) => (ErrorCode::Malformed, explain(&error), None),
            };
            Err(ParseError { code, message, re })
        }
    }
}

/// The parser's words, cut short and without anything a terminal would obey: they may quote the frame.
fn explain(error: &serde_json::Error) -> String {
    const LONGEST: usize = 200;
    error
        .to_string()
        .chars()
        .take(LONGEST)
        .map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' })
        .collect()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TaggedDescription {
    #[serde(rename = "type")]
    _type: IgnoredAny,
    call: CallId,
    #[serde(default)]
    to: Option<SessionId>,
    kind: DescriptionKind,
    sdp: String,
    signature: Signature,
    #[serde(default)]
    seq: Option<u32>,
}

impl From<TaggedDescription> for Description {
    fn from(tagged: TaggedDescription) -> Self {
        let TaggedDescription { _type, call, to, kind, sdp, signature, seq } = tagged;
        Description { call, to, kind, sdp, signature, seq }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TaggedCandidate {
    #[serde(rename = "type")]
    _type: IgnoredAny,
    call: CallId,
    #[serde(default)]
    to: Option<SessionId>,
    candidate: String,
    mid: String,
    mline: u16,
    #[serde(default)]
    seq: Option<u32>,
}

impl From<TaggedCandidate> for Candidate {
    fn from(tagged: TaggedCandidate) -> Self {
        let TaggedCandidate { _type, call, to, candidate, mid, mline, seq } = tagged;
        Candidate { call, to, candidate, mid, mline, seq }
    }
}
