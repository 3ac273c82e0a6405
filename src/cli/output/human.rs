//! Events and reports as sentences, for a person at a terminal or behind a screen reader.
//!
//! Everything that came from the other side or from the server passes [`clean`] on its way out.

use std::fmt::Write as _;

use super::lines::{User, state_name};
use super::report::{Report, Spread};
use crate::session::{Event, Kind, Slot};
use crate::text::{self, Shown};

/// The sentence for an event; `None` for what would only be noise in lines of text.
pub(super) fn sentence(event: &Event) -> Option<String> {
    Some(match event {
        Event::Registered { name, resumed: false } => format!("You are online as {}.", clean(name)),
        Event::Registered { name, resumed: true } => format!("You are online as {} again.", clean(name)),
        Event::SignalingDown { reason, retry_in } => format!(
            "The connection to the server is down ({}); next attempt in {:.1} s.",
            clean(reason),
            retry_in.as_secs_f64()
        ),
        Event::Refused { message, .. } => format!("The server refused: {}.", clean(message)),
        Event::Presence(changes) => {
            let all: Vec<String> = changes
                .iter()
                .map(|change| format!("{} is {}", clean(change.name.as_str()), state_name(change.state)))
                .collect();
            format!("{}.", all.join(", "))
        }
        Event::Calling { to, .. } => format!("Calling {} …", clean(to)),
        Event::Incoming { from, key, first_contact, .. } => {
            let known = if *first_contact { format!(", first contact, key {key}") } else { String::new() };
            format!("{} is calling{known}. Type accept or decline.", clean(from))
        }
        Event::Ringing { .. } => "It rings.".into(),
        Event::Accepted { .. } => "Accepted; connecting …".into(),
        Event::Connected { verification_code, key, first_contact, .. } => {
            let first = match first_contact {
                true => format!(" This is the first contact, with the key {key}: compare the code aloud."),
                false => String::new(),
            };
            format!(
                "Connected. Verification code: {verification_code}.{first} Type mute, chat TEXT or hangup; help lists all words."
            )
        }
        Event::Media { remote, kind, muted, .. } => {
            let side = if *remote { "The other side sends" } else { "You send" };
            let (no, what) = match (*muted, *kind) {
                (true, Kind::Audio) => ("no ", "sound"),
                (true, Kind::Video) => ("no ", "picture"),
                (false, Kind::Audio) => ("", "sound again"),
                (false, Kind::Video) => ("", "a picture again"),
            };
            format!("{side} {no}{what}.")
        }
        Event::Source { remote, slot, source, off, changed, .. } => {
            return changed_source(*remote, *slot, source, *off, *changed);
        }
        Event::Alert { raised: true, .. } => "A hand is on your face.".into(),
        Event::Alert { raised: false, .. } => "Your face is free again.".into(),
        Event::Chat { remote: true, text, .. } => format!("They write: {}", clean_lines(text)),
        Event::Chat { remote: false, text, .. } => format!("You wrote: {}", clean_lines(text)),
        Event::Link { up: true, .. } => "The connection is back.".into(),
        Event::Link { up: false, .. } => "Nothing is heard from the other side; trying to recover …".into(),
        Event::Missed { from } => format!("Missed call from {}.", clean(from)),
        Event::Notice { text } => clean(text).to_string(),
        Event::Rejected { reason } => format!("Not possible: {}.", clean(reason)),
        Event::Ended { reason, report } => match &report.detail {
            Some(detail) => format!("The call is over: {} ({}).", reason.sentence(), clean(detail)),
            None => format!("The call is over: {}.", reason.sentence()),
        },
        Event::Stats { .. } | Event::Closed => return None,
    })
}

/// What is sent or played from now on; what a call begins with is only told when it is a screen.
fn changed_source(remote: bool, slot: Slot, source: &str, off: bool, changed: bool) -> Option<String> {
    if remote {
        let what = match source {
            "screen" => "The other side shares a screen.",
            "camera" if changed => "The other side shows its camera.",
            "film" if changed => "The other side shows a film.",
            "pattern" if changed => "The other side shows the test pattern.",
            _ => return None,
        };
        return Some(what.to_owned());
    }
    if !changed {
        return None;
    }
    Some(match (slot, source) {
        (Slot::Video, "none") => "You send no picture now.".to_owned(),
        (Slot::Audio, "none") => "You send no sound now.".to_owned(),
        (Slot::Hear, "null") => "What you receive is played nowhere now.".to_owned(),
        (Slot::Video, source) if off => format!("Your picture is {}, when it is on again.", clean(source)),
        (Slot::Audio, source) if off => format!("Your sound is {}, when it is on again.", clean(source)),
        (Slot::Video, source) => format!("Your picture is {} now.", clean(source)),
        (Slot::Audio, source) => format!("Your sound is {} now.", clean(source)),
        (Slot::Hear, source) => format!("You hear through {} now.", clean(source)),
    })
}

/// Who is online, in one sentence.
pub(super) fn online(users: &[User], more: bool) -> String {
    if users.is_empty() {
        return "Nobody else is online.".to_owned();
    }
    let names: Vec<String> =
        users.iter().map(|user| format!("{} ({})", clean(&user.name), user.state)).collect();
    let more = if more { ", and more (type users TEXT for names that contain it)" } else { "" };
    format!("Online: {}{more}.", names.join(", "))
}

/// The figures of a report in a few lines.
pub(super) fn summary(report: &Report) -> String {
    let mut text = String::new();
    let _ = body(&mut text, report);
    text.truncate(text.trim_end().len());
    text
}

fn body(out: &mut String, report: &Report) -> std::fmt::Result {
    if report.setup.connected_ms.is_some() {
        figures(out, report)?;
    }
    for expectation in &report.expectations {
        let actual = expectation.actual.map_or("nothing".to_owned(), |value| value.to_string());
        let word = if expectation.held { "held  " } else { "FAILED" };
        writeln!(out, "  {word}   {} (was {actual})", clean(&expectation.text))?;
    }
    for failure in &report.failures {
        writeln!(out, "  failed   {}", clean(failure))?;
    }
    write!(out, "  result   {}: {}", report.result.name, clean(&report.result.message))
}

/// What was measured of a call that was connected.
fn figures(out: &mut String, report: &Report) -> std::fmt::Result {
    let receive = &report.receive;
    if let (Some(width), Some(height)) = (receive.video.width, receive.video.height) {
        writeln!(
            out,
            "  picture  {} {width}x{height}, {} fps, {} kbit/s, {} frames shown, frozen {} s, latency {}",
            clean(receive.video.codec.as_deref().unwrap_or("-")),
            number(receive.video.fps),
            number(receive.video.kbps),
            receive.video.frames_shown,
            seconds(receive.video.frozen_ms),
            spread(&receive.video.latency_ms),
        )?;
        if let (Some(psnr), Some(ssim)) = (receive.video.psnr_db, receive.video.ssim) {
            writeln!(out, "           PSNR {psnr} dB, SSIM {ssim}")?;
        }
    } else {
        writeln!(out, "  picture  none received")?;
    }
    if let Some(codec) = &receive.audio.codec {
        writeln!(
            out,
            "  sound    {}, {} kbit/s, {} packets, {} lost, {} % concealed, {} dBFS, latency {}",
            clean(codec),
            number(receive.audio.kbps),
            receive.audio.packets_received,
            count(receive.audio.packets_lost),
            number(receive.audio.concealed_pct),
            number(receive.audio.level_dbfs),
            spread(&receive.audio.latency_ms),
        )?;
    } else {
        writeln!(out, "  sound    none received")?;
    }
    if let (Some(local), Some(remote)) = (&report.path.local, &report.path.remote) {
        writeln!(
            out,
            "  path     {} {} to {} {}, round trip {}",
            clean(&local.kind),
            clean(&local.protocol),
            clean(&remote.kind),
            clean(&remote.protocol),
            spread(&report.path.rtt_ms)
        )?;
    }
    let step = |value: Option<f64>| value.map_or("-".to_owned(), |ms| format!("{ms:.0}"));
    writeln!(
        out,
        "  setup    ringing {} ms, accepted {} ms, connected {} ms, first sound {} ms, first picture {} ms",
        step(report.setup.ringing_ms),
        step(report.setup.accepted_ms),
        step(report.setup.connected_ms),
        step(report.setup.first_audio_ms),
        step(report.setup.first_frame_ms),
    )
}

fn number(value: Option<f64>) -> String {
    value.map_or("-".to_owned(), |value| value.to_string())
}

/// Milliseconds as seconds.
fn seconds(ms: Option<f64>) -> String {
    number(ms.map(|ms| (ms / 10.0).round() / 100.0))
}

fn count(value: Option<u64>) -> String {
    value.map_or("-".to_owned(), |value| value.to_string())
}

fn spread(spread: &Spread) -> String {
    match (spread.p50, spread.p95) {
        (Some(p50), Some(p95)) => format!("{p50} ms (p95 {p95} ms)"),
        _ => "not measured".to_owned(),
    }
}

/// Remote text as it may be shown: the one gate.
pub(in crate::cli) fn clean(text: &str) -> Shown {
    Shown::new(text)
}

/// The same for text that may have lines: each further one is set in, so that it can't pass for a line of ours.
pub(in crate::cli) fn clean_lines(text: &str) -> String {
    text::lines(text).iter().map(Shown::as_str).collect::<Vec<_>>().join("\n    ")
}

#[cfg(test)]
mod tests {
    use super::super::report::Candidate;
    use super::*;

    fn is_hostile(c: char) -> bool {
        c.is_control() || matches!(c, '\u{200b}' | '\u{202e}' | '\u{e0041}')
    }

    #[test]
    fn nothing_that_a_terminal_acts_on_survives() {
        for hostile in
            ["\x1b[2J", "\x1b]52;c;AAAA\x07", "\u{9b}31m", "a\u{202e}b", "z\u{200b}w", "x\ry\n", "\u{e0041}"]
        {
            let notice = sentence(&Event::Notice { text: hostile.to_owned() }).unwrap();
            assert!(!notice.chars().any(is_hostile), "{hostile:?}");
        }
        assert_eq!(clean("Zoë 田中 🦀").as_str(), "Zoë 田中 🦀");
    }

    #[test]
    fn no_remote_text_of_a_report_reaches_the_terminal_as_it_came() {
        let hostile = "\x1b[2J\u{202e}".to_owned();
        let mut report = Report::empty("call");
        report.conclude(crate::cli::exit::Exit::Unexpected, &hostile);
        report.failures = vec![hostile.clone()];
        report.receive.audio.codec = Some(hostile.clone());
        let end = Candidate { kind: hostile.clone(), protocol: hostile.clone(), address: hostile };
        (report.path.local, report.path.remote) = (Some(end.clone()), Some(end));
        let text = summary(&report);
        assert!(!text.chars().any(|c| is_hostile(c) && c != '\n'), "{text:?}");
    }
}
