//! Events and reports as sentences, for a person at a terminal or behind a screen reader.
//!
//! Everything that came from the other side or from the server passes [`clean`] on its way out.

use std::fmt::Write as _;

use super::lines::{User, state_name};
use super::report::{Report, Spread};
use crate::call::EndReason;
use crate::session::files::{self, File, FileState};
use crate::session::{Command, Event, Kind, Sign, Slot};
use crate::text::{self, Shown};

/// The sentence for an event of a call for files alone, which has neither media nor much to type.
pub(super) fn sentence_about_files(event: &Event) -> Option<String> {
    match event {
        Event::Connected { verification_code, key, first_contact, .. } => {
            Some(connected(verification_code, key, *first_contact))
        }
        Event::Media { .. } | Event::Source { .. } => None,
        // What became of the files has been said, or is said behind it.
        Event::Ended { reason: EndReason::HungUp | EndReason::HungUpByPeer, report }
            if report.detail.is_none() =>
        {
            None
        }
        event => sentence(event),
    }
}

fn connected(code: &str, key: &str, first_contact: bool) -> String {
    let first = match first_contact {
        true => format!(" This is the first contact, with the key {key}: compare the code aloud."),
        false => String::new(),
    };
    format!("Connected. Verification code: {code}.{first}")
}

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
        Event::Incoming { from, key, first_contact, files, .. } => {
            let known = if *first_contact { format!(", first contact, key {key}") } else { String::new() };
            let wants = if *files { "wants to send you files" } else { "is calling" };
            format!("{} {wants}{known}. Type accept or decline.", clean(from))
        }
        Event::Ringing { .. } => "It rings.".into(),
        Event::Accepted { .. } => "Accepted; connecting …".into(),
        Event::Connected { verification_code, key, first_contact, .. } => format!(
            "{} Type compare CODE with the code that they read, mute, chat TEXT or hangup; help lists all words.",
            connected(verification_code, key, *first_contact)
        ),
        Event::Compared { same: true, .. } => "The codes are the same: nobody sits in between.".into(),
        Event::Compared { same: false, .. } => "THE CODES DIFFER: somebody may be listening in.".into(),
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
        Event::Recording { remote: true, on: true, .. } => "The other side records this call.".into(),
        Event::Recording { remote: true, on: false, .. } => "The other side no longer records.".into(),
        Event::Recording { on, path, .. } => {
            let path = path.as_deref().map_or_else(String::new, |path| path.display().to_string());
            let path = clean(&path);
            match on {
                true => format!("You record this call into {path}; the other side is told."),
                false => format!("You no longer record; the recording is {path}."),
            }
        }
        Event::Alert { raised: true, .. } => "A hand is on your face.".into(),
        Event::Alert { raised: false, .. } => "Your face is free again.".into(),
        Event::Chat { remote: true, text, .. } => format!("They write: {}", clean_lines(text)),
        Event::Chat { remote: false, text, .. } => format!("You wrote: {}", clean_lines(text)),
        Event::Sign { remote, sign, .. } => signed(*remote, *sign),
        Event::File { file, .. } => about_file(file),
        Event::Link { up: true, .. } => "The connection is back.".into(),
        Event::Link { up: false, .. } => "Nothing is heard from the other side; trying to recover …".into(),
        Event::Missed { from } => format!("Missed call from {}.", clean(from)),
        Event::Notice { text } => clean(text).to_string(),
        Event::NoPath { reason } | Event::Rejected { reason } => format!("Not possible: {}.", clean(reason)),
        Event::Ended { reason, report } => {
            let end = match &report.detail {
                Some(detail) => format!("The call is over: {} ({}).", reason.sentence(), clean(detail)),
                None => format!("The call is over: {}.", reason.sentence()),
            };
            match report.chat.sent - report.chat.delivered.min(report.chat.sent) {
                0 => end,
                1 => format!("{end} Your last message did not arrive, as far as is known."),
                lost => format!("{end} Your last {lost} messages did not arrive, as far as is known."),
            }
        }
        // That a message arrived is what one expects.
        Event::Delivered { .. } | Event::Stats { .. } | Event::Closed => return None,
    })
}

/// What is said when a command was carried out of which no event tells.
pub(in crate::cli) fn done(command: &Command) -> Option<&'static str> {
    match command {
        Command::Alert(true) => Some("The hand-on-face alert is on; the other side is not told."),
        Command::Alert(false) => Some("The hand-on-face alert is off."),
        _ => None,
    }
}

/// What a side shows of itself.
fn signed(remote: bool, sign: Sign) -> String {
    match (remote, sign) {
        (true, Sign::Hand(true)) => "The other side raises a hand.".to_owned(),
        (true, Sign::Hand(false)) => "The other side's hand is down again.".to_owned(),
        (false, Sign::Hand(true)) => "Your hand is up.".to_owned(),
        (false, Sign::Hand(false)) => "Your hand is down.".to_owned(),
        (true, Sign::Away(true)) => "The other side is away.".to_owned(),
        (true, Sign::Away(false)) => "The other side is back.".to_owned(),
        (false, Sign::Away(true)) => "You are away.".to_owned(),
        (false, Sign::Away(false)) => "You are back.".to_owned(),
        (true, Sign::Reaction(reaction)) => format!("The other side reacts: {}.", reaction.name()),
        (false, Sign::Reaction(reaction)) => format!("You react: {}.", reaction.name()),
    }
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

/// What happened to a file. Progress is for whoever asked for it: see [`bar`].
fn about_file(file: &File) -> String {
    let (name, number, size) = (clean(&file.name), file.number, files::amount(file.size));
    let way = if file.remote { "received" } else { "sent" };
    match &file.state {
        FileState::Offered if file.remote => format!(
            "The other side offers a file: {name} ({size}, {}). Type accept file {number} or decline file {number}.",
            clean(&file.kind)
        ),
        FileState::Offered => format!("{name} ({size}) is offered."),
        FileState::Started { from: 0 } => format!("{name} is being {way}."),
        FileState::Started { from } => {
            format!("{name} is being {way}, from {} % on.", files::percent(*from, file.size))
        }
        FileState::Progress { done, rate, left } => {
            let left = left.map_or(String::new(), |left| format!(", {} left", files::clock(left)));
            format!("{name}: {} %, {}/s{left}.", files::percent(*done, file.size), files::amount(*rate))
        }
        FileState::Done { path: Some(path), .. } => {
            format!("{name} is received whole: {}.", clean(&path.to_string_lossy()))
        }
        FileState::Done { path: None, .. } => format!("{name} is sent and was checked by the other side."),
        FileState::Failed { why } => format!("{name} was not {way}: {}.", why.sentence()),
    }
}

/// The progress of a file in one line of a terminal, at most 79 columns; `None` when there is none.
pub(in crate::cli) fn bar(file: &File) -> Option<String> {
    const NAME: usize = 24;
    const CELLS: u64 = 20;
    let FileState::Progress { done, rate, left } = file.state else {
        return None;
    };
    let name = clean(&file.name).truncate(NAME);
    let (share, padding) = (files::percent(done, file.size), NAME.saturating_sub(name.width()));
    let full = usize::try_from(share * CELLS / 100).unwrap_or_default();
    let empty = usize::try_from(CELLS).unwrap_or_default().saturating_sub(full);
    let left = left.map_or("-:--".to_owned(), files::clock);
    Some(format!(
        "{name}{:padding$} [{}{}] {share:>3} % {:>9}/s {left:>7}",
        "",
        "#".repeat(full),
        ".".repeat(empty),
        files::amount(rate)
    ))
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
    if !report.call.files {
        media(out, report)?;
    }
    path(out, report)
}

/// What was received.
fn media(out: &mut String, report: &Report) -> std::fmt::Result {
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
    if let (Some(path), Some(bytes), Some(ms)) =
        (&report.record.path, report.record.bytes, report.record.duration_ms)
    {
        writeln!(out, "  record   {}, {} s, {bytes} bytes", clean(path), ms as f64 / 1e3)?;
    }
    Ok(())
}

/// The path and the way to it.
fn path(out: &mut String, report: &Report) -> std::fmt::Result {
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
    if report.call.files {
        return writeln!(out, "  setup    connected {} ms", step(report.setup.connected_ms));
    }
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
