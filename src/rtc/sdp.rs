//! Session descriptions of the other side (RFC 8866, RFC 9429) are read here before the library sees
//! them: what a call cannot be made of is refused with a sentence, candidates are taken out so that
//! they pass the same checks as trickled ones, and the one fingerprint that was read is the one that
//! the library gets. Pure: text in, facts out.
//!
//! What the library reads differently must not pass: it skips carriage returns before a line and trims
//! the value of an attribute, so that a line that looks harmless could be a fingerprint to it.

use std::collections::BTreeSet;

use super::config::{Candidate, MAX_DESCRIPTION, MAX_EARLY_CANDIDATES};
use super::error::Error;
use crate::media::pipeline::Kind;

/// Most lines of a description. A browser's has about 200.
const MAX_LINES: usize = 2000;
/// Most media sections of a description: ours have three.
const MAX_SECTIONS: usize = 16;
/// Longest media identification tag.
const MAX_MID: usize = 32;

/// What is known of a description that passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Description {
    /// The description without its candidate lines, and with its fingerprint in one place: a single
    /// line before the first media section.
    pub(super) text: String,
    /// The candidates that it carried.
    pub(super) candidates: Vec<Candidate>,
    /// Media identification tags, in order of the sections.
    pub(super) mids: Vec<String>,
    /// The first ICE user name fragment: another one than before is an ICE restart.
    pub(super) ufrag: String,
    /// The SSRC that the other side announced for its video, when it did.
    pub(super) video_ssrc: Option<u32>,
    /// The payload type of VP9, profile 0.
    pub(super) vp9: Option<u8>,
}

/// One media section while it is read.
#[derive(Debug, Default)]
struct Section<'a> {
    kind: &'a str,
    port: &'a str,
    mid: Option<&'a str>,
    codec: bool,
    /// Payload types of VP9, and those of another profile than 0.
    vp9: Vec<u8>,
    profiled: Vec<u8>,
    ssrc: Option<u32>,
    ufrag: Option<&'a str>,
    pwd: Option<&'a str>,
}

/// Reads a description of the other side.
///
/// # Errors
///
/// [`Error::Description`], with the first thing that is wrong.
pub(super) fn check(sdp: &str) -> Result<Description, Error> {
    let fingerprint = fingerprint(sdp)?;
    let mut session = Section::default();
    let mut sections: Vec<Section<'_>> = Vec::new();
    let mut text = String::with_capacity(sdp.len());
    let mut candidates = Vec::new();
    for line in sdp.lines() {
        match named(line) {
            Some(("fingerprint", _)) => continue,
            Some(("candidate", value)) => {
                if candidates.len() >= MAX_EARLY_CANDIDATES {
                    return Err(wrong("it carries too many candidates"));
                }
                candidates.push((sections.len(), format!("candidate:{value}")));
                continue;
            }
            Some((name, value)) => attribute(name, value, sections.last_mut().unwrap_or(&mut session))?,
            None => {}
        }
        if let Some(value) = line.strip_prefix("m=") {
            if sections.is_empty() {
                text.push_str(&format!("a=fingerprint:{fingerprint}\r\n"));
            }
            if sections.len() >= MAX_SECTIONS {
                return Err(wrong("it has too many media sections"));
            }
            sections.push(section(value)?);
        }
        text.push_str(line);
        text.push_str("\r\n");
    }
    let ufrag = credentials(&session, &sections)?;
    let mids = mids(&sections)?;
    // A call for files has nothing but data channels.
    let data = sections.iter().all(|s| s.kind == "application") && sections.iter().any(|s| s.port != "0");
    if !data && !sections.iter().any(|s| s.codec && s.port != "0") {
        return Err(wrong("it offers neither Opus audio nor VP8 video"));
    }
    let candidates = candidates
        .into_iter()
        .filter_map(|(section, candidate)| {
            let index = section.checked_sub(1)?;
            Some(Candidate { candidate, mid: mids.get(index)?.clone(), mline: u16::try_from(index).ok()? })
        })
        .collect();
    let video = sections.iter().find(|s| s.kind == "video" && s.codec);
    let vp9 = sections.iter().filter(|s| s.kind == "video" && s.port != "0").find_map(vp9_of);
    Ok(Description { text, candidates, ufrag, video_ssrc: video.and_then(|s| s.ssrc), vp9, mids })
}

/// The payload type of VP9, profile 0, in one of our own descriptions.
pub(super) fn own_vp9(sdp: &str) -> Option<u8> {
    check(sdp).ok()?.vp9
}

fn vp9_of(section: &Section<'_>) -> Option<u8> {
    section.vp9.iter().copied().find(|payload_type| !section.profiled.contains(payload_type))
}

/// Whether a description speaks of sound or picture at all: one that does not is of a call for files.
pub fn has_media(sdp: &str) -> bool {
    sdp.lines().any(|line| {
        let line = line.trim_start();
        line.starts_with("m=audio ") || line.starts_with("m=video ")
    })
}

/// The DTLS fingerprint of a description as `algorithm HEX`: what identities sign and the verification
/// code is made of (RFC 8122).
///
/// # Errors
///
/// [`Error::Description`] when there is none, when one is malformed or weak, when they differ, and when
/// a line of the description is malformed: a fingerprint could hide in it.
pub fn fingerprint(sdp: &str) -> Result<String, Error> {
    bounds(sdp)?;
    let mut found = BTreeSet::new();
    for line in sdp.lines() {
        if let Some(("fingerprint", value)) = named(line) {
            found.insert(one_fingerprint(value)?);
        }
    }
    let mut found = found.into_iter();
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => Err(wrong("it has no DTLS fingerprint")),
        (Some(_), Some(_)) => Err(wrong("its DTLS fingerprints differ")),
    }
}

/// The media identification tags of one of our own descriptions.
pub(super) fn own_mids(sdp: &str) -> Vec<String> {
    sdp.lines().filter_map(|line| line.strip_prefix("a=mid:")).map(str::to_owned).collect()
}

fn wrong(what: &str) -> Error {
    Error::Description(what.to_owned())
}

fn bounds(sdp: &str) -> Result<(), Error> {
    if sdp.len() > MAX_DESCRIPTION {
        return Err(wrong("it is longer than 64 KiB"));
    }
    if sdp.bytes().any(|b| b < 0x20 && b != b'\r' && b != b'\n') {
        return Err(wrong("it contains control characters"));
    }
    if !sdp.starts_with("v=0\r\n") && !sdp.starts_with("v=0\n") {
        return Err(wrong("it does not start with v=0"));
    }
    if sdp.lines().nth(MAX_LINES).is_some() {
        return Err(wrong("it has too many lines"));
    }
    if !sdp.lines().all(is_well_formed) {
        return Err(wrong("a line of it is malformed"));
    }
    Ok(())
}

/// Whether a line is `<type>=<value>` (RFC 8866, section 5) and reads the same to everybody.
fn is_well_formed(line: &str) -> bool {
    let Some((kind, value)) = line.split_once('=') else {
        return false;
    };
    let plain = kind.len() == 1 && kind.bytes().all(|b| b.is_ascii_lowercase()) && !line.contains('\r');
    plain && (kind != "a" || !value.starts_with(char::is_whitespace))
}

/// The name and the value of an attribute line, as the library keys them: by the exact name, in what is
/// left of the line without the white space around it.
fn named(line: &str) -> Option<(&str, &str)> {
    let attribute = line.strip_prefix("a=")?.trim();
    Some(attribute.split_once(':').unwrap_or((attribute, "")))
}

/// Reads the value of `m=`: kind, port, protocol, formats.
fn section(value: &str) -> Result<Section<'_>, Error> {
    let mut words = value.split(' ');
    let (Some(kind), Some(port), Some(_protocol), Some(_format)) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(wrong("a media line is too short"));
    };
    if port.parse::<u16>().is_err() {
        return Err(wrong("the port of a media line is not a number"));
    }
    Ok(Section { kind, port, ..Section::default() })
}

fn attribute<'a>(name: &str, value: &'a str, section: &mut Section<'a>) -> Result<(), Error> {
    match name {
        "mid" => once(&mut section.mid, value)?,
        "ice-ufrag" => once(&mut section.ufrag, value)?,
        "ice-pwd" => once(&mut section.pwd, value)?,
        "rtpmap" => {
            let Some((payload_type, encoding)) = value.split_once(' ') else {
                return Err(wrong("an rtpmap attribute is malformed"));
            };
            let Some(payload_type) = payload_type.parse::<u8>().ok().filter(|pt| *pt < 128) else {
                return Err(wrong("a payload type is out of range"));
            };
            section.codec |= codec(section.kind, encoding);
            if section.kind == "video" && encoding.trim().eq_ignore_ascii_case("VP9/90000") {
                section.vp9.push(payload_type);
            }
        }
        "fmtp" => {
            if let Some((payload_type, parameters)) = value.split_once(' ')
                && let Ok(payload_type) = payload_type.parse()
                && parameters.split(';').any(is_other_profile)
            {
                section.profiled.push(payload_type);
            }
        }
        "ssrc" if section.ssrc.is_none() => {
            let id = value.split(' ').next().unwrap_or_default();
            let Ok(id) = id.parse() else {
                return Err(wrong("an SSRC is not a number"));
            };
            section.ssrc = Some(id);
        }
        _ => {}
    }
    Ok(())
}

/// Takes an attribute that a section has at most once.
fn once<'a>(place: &mut Option<&'a str>, value: &'a str) -> Result<(), Error> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(wrong("an attribute is repeated")),
    }
}

/// Whether this encoding is the codec of ours for that kind.
fn codec(kind: &str, encoding: &str) -> bool {
    let ours = match kind {
        "audio" => "opus/48000/2",
        "video" => "VP8/90000",
        _ => return false,
    };
    encoding.trim().eq_ignore_ascii_case(ours)
}

/// Whether this parameter says that a stream of VP9 is not of profile 0, which it is without a word (RFC 9628,
/// section 6).
fn is_other_profile(parameter: &str) -> bool {
    let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
    name.trim().eq_ignore_ascii_case("profile-id") && value.trim() != "0"
}

/// ICE credentials must be there for the session or for each section that is not rejected
/// (RFC 8839, section 5.4).
fn credentials(session: &Section<'_>, sections: &[Section<'_>]) -> Result<String, Error> {
    let all = std::iter::once(session).chain(sections);
    let ufrag = all.clone().find_map(|s| s.ufrag);
    let pwd = all.clone().find_map(|s| s.pwd);
    let (Some(ufrag), Some(_)) = (ufrag, pwd) else {
        return Err(wrong("it has no ICE credentials"));
    };
    let good = |text: &str, least: usize| {
        (least..=256).contains(&text.len())
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'-' | b'_' | b'='))
    };
    for section in all {
        if !section.ufrag.is_none_or(|text| good(text, 4)) || !section.pwd.is_none_or(|text| good(text, 22)) {
            return Err(wrong("its ICE credentials are malformed"));
        }
    }
    Ok(ufrag.to_owned())
}

fn mids(sections: &[Section<'_>]) -> Result<Vec<String>, Error> {
    let mut mids: Vec<String> = Vec::new();
    for section in sections {
        let Some(mid) = section.mid else {
            return Err(wrong("a media section has no mid"));
        };
        let token = |b: u8| b.is_ascii_graphic() && b != b':';
        if mid.is_empty() || mid.len() > MAX_MID || !mid.bytes().all(token) {
            return Err(wrong("a mid is malformed"));
        }
        if mids.iter().any(|other| other == mid) {
            return Err(wrong("two media sections have the same mid"));
        }
        mids.push(mid.to_owned());
    }
    Ok(mids)
}

/// Reads `sha-256 AB:CD:...` and brings it to one form.
fn one_fingerprint(value: &str) -> Result<String, Error> {
    let (algorithm, digest) =
        value.trim().split_once(' ').ok_or_else(|| wrong("its DTLS fingerprint is malformed"))?;
    let algorithm = algorithm.to_ascii_lowercase();
    let length = match algorithm.as_str() {
        "sha-256" => 32,
        "sha-384" => 48,
        "sha-512" => 64,
        _ => return Err(wrong("its DTLS fingerprint is not of the SHA-2 family")),
    };
    let bytes: Vec<&str> = digest.trim().split(':').collect();
    let hex = |text: &&str| text.len() == 2 && text.bytes().all(|b| b.is_ascii_hexdigit());
    if bytes.len() != length || !bytes.iter().all(hex) {
        return Err(wrong("its DTLS fingerprint is malformed"));
    }
    Ok(format!("{algorithm} {}", digest.trim().to_ascii_uppercase()))
}

/// The kind that a codec's MIME type belongs to.
pub(super) fn kind_of(mime_type: &str) -> Option<Kind> {
    let (kind, _) = mime_type.split_once('/')?;
    match kind.to_ascii_lowercase().as_str() {
        "audio" => Some(Kind::Audio),
        "video" => Some(Kind::Video),
        _ => None,
    }
}
