//! The call: status above, the picture, both sides and the hints beneath.

use std::time::Duration;

use ratatui::layout::{Position, Rect};
use ratatui::style::Style;

use super::super::conversation::{Call, Phase, Sending, Sent};
use super::super::files::State;
use super::super::model::Model;
use super::super::signs::Shows;
use super::super::{Now, Panes, Theme};
use super::dashboard::prompt;
use super::parts::{Canvas, Piece, clock, columns, footer, meter, phase, row, verdict};
use super::{cards, chat, layout};
use crate::session::files;
use crate::text::Shown;

/// So long two people have to compare the code; then it stands where there is room, and in the panel of figures.
const COMPARE: Duration = Duration::from_secs(60);

/// From so many columns on there is room for both.
const ROOMY: u16 = 100;

/// Round trip and loss.
const PATH_FIGURES: usize = 2;

/// Whoever is louder than this speaks, dBFS.
const SPEAKING: f32 = -40.0;

/// What is said of somebody who does.
const SPEAKS: &str = "speaking";

/// What is said of a hand on the own face.
const HAND: &str = "HAND ON YOUR FACE";

/// Steps of a level meter.
const STEPS: usize = 8;

pub(super) fn draw(
    model: &Model,
    call: &Call,
    now: Now,
    area: Rect,
    canvas: &mut Canvas,
) -> (Panes, Option<Position>) {
    let places = layout::call(model, call, area);
    if let Some(place) = places.status {
        status(model, call, now, place, canvas);
    }
    if let Some(place) = places.sides {
        sides(model, call, now, place, canvas);
    }
    if let Some(place) = places.files {
        transfer(model, call, place, canvas);
    }
    let mut cursor = places.chat.and_then(|place| chat::draw(model, call, place, canvas));
    if let Some(place) = places.footer {
        bottom(model, call, now, place, canvas);
        if let Some(typing) = prompt(model, place, canvas) {
            cursor = Some(typing);
        }
    }
    (pictures(call, &places, canvas), cursor)
}

/// Where pictures go; where there are none, a card says why.
fn pictures(call: &Call, places: &layout::Calling, canvas: &mut Canvas) -> Panes {
    let theme = canvas.theme;
    let mut panes = Panes::default();
    let reason = match (&call.phase, call.remote.video) {
        (Phase::Active { .. }, Sent::On) if call.meter.figures.size_in.is_none() => Some("no picture yet"),
        (Phase::Active { .. }, Sent::On) => None,
        (Phase::Active { .. }, Sent::Off | Sent::Never) => Some("camera off"),
        _ => Some(phase(call)),
    };
    let picture = places.picture;
    if picture.height == 0 {
        return panes;
    }
    if let Some(reason) = reason {
        let name = call.peer.truncate(usize::from(picture.width.saturating_sub(4))).to_string();
        cards::lines(picture, &[(name, theme.strong), (reason.to_owned(), theme.quiet)], canvas);
    }
    // The first picture may come before the first figures: then it is drawn over the card.
    if matches!(call.phase, Phase::Active { .. }) && call.remote.video == Sent::On {
        panes.remote = Some(picture);
    }
    if let Some(own) = places.own {
        match call.own.video {
            Sent::On if matches!(call.phase, Phase::Active { .. }) => {
                canvas.clear(own);
                panes.own = Some(own);
            }
            // A card on top of a picture would be painted over.
            Sent::Off if panes.remote.is_none() => {
                cards::lines(own, &[("your camera is off".to_owned(), theme.quiet)], canvas);
            }
            _ => {}
        }
    }
    panes
}

/// Who, how long, how good; then as many figures as fit, most wanted first.
fn status(model: &Model, call: &Call, now: Now, area: Rect, canvas: &mut Canvas) {
    let theme = model.theme;
    let figures = &call.meter.figures;
    let since = match call.phase {
        Phase::Active { since } => clock(now.since_start.saturating_sub(since)),
        _ => phase(call).to_owned(),
    };
    let code = call.code.as_ref().map(|code| format!("code {code} ")).unwrap_or_default();
    let room = area.width.saturating_sub(2);
    let mut items: Vec<Vec<Piece>> = vec![vec![(since, Style::new())]];
    if let Some(who) = records(call) {
        items.push(vec![(who.to_owned(), theme.alarm)]);
    }
    if call.recovering {
        // The figures are of a time when there was something to measure.
        items.push(vec![("no signal".to_owned(), theme.bad)]);
    } else if let Some(known) = figures.verdict() {
        let (bars, word, style) = verdict(known, theme);
        items.push(vec![(format!("{bars} {word}"), style)]);
    }
    // What has its place before everything else: how long, who records, how good.
    let first = 2 + usize::from(records(call).is_some());
    let plain = |text: String| vec![(text, Style::new())];
    let figures = if call.recovering { &Default::default() } else { figures };
    items.extend(figures.rtt.map(|rtt| plain(format!("{} ms", rtt.as_millis()))));
    items.extend(figures.loss.map(|loss| plain(format!("{loss:.1} % lost"))));
    if let (Some(kbps_in), Some(kbps_out)) = (figures.kbps_in, figures.kbps_out) {
        items.push(plain(format!("↓{kbps_in:.0} ↑{kbps_out:.0} kbit/s")));
    }
    items.extend(figures.fps_in.map(|fps| plain(format!("{fps:.0} fps"))));
    let wide = |pieces: &[Piece]| pieces.iter().map(|(text, _)| columns(text)).sum::<u16>();
    // Until it was compared the code is worth more than figures; the name is always worth more than both.
    let must: u16 = items.iter().take(first).map(|item| wide(item) + 2).sum();
    let name = call.peer.truncate(usize::from(room.saturating_sub(must).max(8).min(room / 2)));
    let mut left = room.saturating_sub(columns(name.as_str()) + must);
    // Afterwards what is measured of the path has its place before it, on a wide screen; on a narrow one every figure.
    let before = match (now.since_start >= call.since + COMPARE, area.width >= ROOMY) {
        (false, _) => 0,
        (true, true) => PATH_FIGURES,
        (true, false) => items.len(),
    };
    let figures: u16 = items.iter().skip(first).take(before).map(|item| wide(item) + 2).sum();
    let code = if call.compared { String::new() } else { code };
    let code = if columns(&code) + 2 + figures <= left { code } else { String::new() };
    left = left.saturating_sub(if code.is_empty() { 0 } else { columns(&code) + 1 });
    let mut x = canvas.put(area.x + 1, area.y, room, name.as_str(), theme.strong);
    for (index, item) in items.iter().enumerate() {
        if index >= first {
            let Some(rest) = left.checked_sub(wide(item) + 2) else { break };
            left = rest;
        }
        x = canvas.pieces(x + 2, area.y, area.right().saturating_sub(x + 2), item);
    }
    canvas.right(area, &code, theme.quiet);
}

/// Who records, in as few columns as will do; the sentence stood at the foot when it began.
fn records(call: &Call) -> Option<&'static str> {
    match (call.own_records, call.remote_records) {
        (true, true) => Some(" REC both "),
        (true, false) => Some(" REC "),
        (false, true) => Some(" REC by them "),
        (false, false) => None,
    }
}

/// A file that is under way: which way, its name, a bar, the rate and the time left.
fn transfer(model: &Model, call: &Call, area: Rect, canvas: &mut Canvas) {
    let theme = model.theme;
    let Some((transfer, more)) = call.files.shown() else { return };
    let arrow = if transfer.remote { "↓ " } else { "↑ " };
    let size = files::amount(transfer.size);
    let (bar, rest) = match transfer.state {
        State::Offered => (None, format!(" {size}, waits for an answer")),
        State::Answered => (None, format!(" {size}")),
        State::Moving { done, rate, left } => {
            let share = files::percent(done, transfer.size);
            let left = left.map_or(String::new(), |left| format!(" {} left", files::clock(left)));
            (Some(share), format!(" {share} % of {size}  {}/s{left}", files::amount(rate)))
        }
    };
    let more = if more > 0 { format!("  and {more} more") } else { String::new() };
    let rest = format!("{rest}{more}");
    let cells: u16 = if bar.is_some() && area.width >= 60 { 16 } else { 0 };
    let fixed = 3 + cells + columns(&rest) + 1;
    let name = transfer.name.truncate(usize::from(area.width.saturating_sub(fixed).clamp(8, 32)));
    let mut pieces = vec![(arrow.to_owned(), theme.key), (format!("{name} "), theme.strong)];
    if let (Some(share), true) = (bar, cells > 0) {
        let full = usize::try_from(share).unwrap_or_default() * usize::from(cells) / 100;
        pieces.push(("━".repeat(full), theme.good));
        pieces.push(("─".repeat(usize::from(cells) - full), theme.quiet));
    }
    pieces.push((rest, Style::new()));
    canvas.pieces(area.x + 1, area.y, area.width.saturating_sub(2), &pieces);
}

/// Microphone, level and camera of both sides.
fn sides(model: &Model, call: &Call, now: Now, area: Rect, canvas: &mut Canvas) {
    let (first, second) = if area.height > 1 {
        (row(area, 0), row(area, 1))
    } else {
        let half = area.width / 2;
        (Rect { width: half, ..area }, Rect { x: area.x + half, width: area.width - half, ..area })
    };
    let own = Side {
        name: &Shown::new("you"),
        sending: call.own,
        picture: &call.own_picture,
        level: call.level_own,
        talks_by_key: model.push_to_talk,
        shows: call.own_shows,
    };
    let remote = Side {
        name: &call.peer,
        sending: call.remote,
        picture: &call.remote_picture,
        level: call.level_remote,
        talks_by_key: false,
        shows: call.remote_shows,
    };
    side(model, &own, now, first, canvas);
    side(model, &remote, now, second, canvas);
}

/// One side of a call, as its line shows it.
struct Side<'a> {
    name: &'a Shown,
    sending: Sending,
    /// What its picture is called.
    picture: &'a Shown,
    level: Option<f32>,
    /// Push-to-talk.
    talks_by_key: bool,
    shows: Shows,
}

fn side(model: &Model, side: &Side, now: Now, area: Rect, canvas: &mut Canvas) {
    let theme = model.theme;
    let Side { name, sending, picture, level, talks_by_key, shows } = *side;
    let sound = match sending.audio {
        Sent::On => {
            let mut pieces = vec![("mic ".to_owned(), theme.quiet)];
            pieces.extend(meter(level, STEPS, theme));
            pieces
        }
        // As wide as the meter: what stands behind it stays where it is.
        Sent::Off if talks_by_key => {
            vec![("mic ".to_owned(), theme.quiet), ("PTT MUTE".to_owned(), theme.bad)]
        }
        Sent::Off => vec![("mic ".to_owned(), theme.quiet), ("MUTED   ".to_owned(), theme.bad)],
        Sent::Never => vec![("mic none    ".to_owned(), theme.quiet)],
    };
    let picture = match sending.video {
        Sent::On => vec![(format!("{picture} on"), theme.quiet)],
        Sent::Off => vec![(format!("{picture} "), theme.quiet), ("OFF".to_owned(), theme.bad)],
        Sent::Never => vec![("camera none".to_owned(), theme.quiet)],
    };
    let speaks = sending.audio == Sent::On && level.is_some_and(|level| level > SPEAKING);
    let fixed = 1 + 2 + 12 + 2 + 11;
    let room = area.width.saturating_sub(fixed).min(14);
    let style = if speaks { theme.key } else { theme.strong };
    canvas.put(area.x + 1, area.y, room, name.as_str(), style);
    let x = area.x + 1 + room.max(3) + 1;
    let end = area.right();
    let x = canvas.pieces(x, area.y, end.saturating_sub(x), &sound) + 2;
    let signs = signs(shows, now, theme);
    let wide = |pieces: &[Piece]| pieces.iter().map(|(text, _)| columns(text)).sum::<u16>();
    // What somebody shows is worth more than where the picture comes from, which can be seen.
    let fits = x + wide(&picture) + 2 + wide(&signs) <= end;
    let picture = if signs.is_empty() || fits { picture } else { Vec::new() };
    let x = match wide(&picture) {
        0 => x,
        _ => canvas.pieces(x, area.y, end.saturating_sub(x), &picture) + 2,
    };
    let x = match wide(&signs) {
        0 => x,
        _ => canvas.pieces(x, area.y, end.saturating_sub(x), &signs) + 2,
    };
    // Where there is room for the word; the name's colour says it everywhere.
    if speaks && x + columns(SPEAKS) <= end {
        canvas.put(x, area.y, columns(SPEAKS), SPEAKS, theme.strong);
    }
}

/// What a side shows of itself, in the order of its weight.
fn signs(shows: Shows, now: Now, theme: Theme) -> Vec<Piece> {
    let mut pieces = Vec::new();
    if shows.away {
        pieces.push(("AWAY ".to_owned(), theme.bad));
    }
    if shows.hand {
        pieces.push(("HAND UP ".to_owned(), theme.alarm));
    }
    if let Some(reaction) = shows.reaction(now) {
        pieces.push((format!("{} {} ", reaction.picture(), reaction.name()), theme.key));
    }
    pieces
}

/// The foot: a broken connection before a hand on the face, and both before everything else.
fn bottom(model: &Model, call: &Call, now: Now, area: Rect, canvas: &mut Canvas) {
    if !call.recovering && call.hand_on_face {
        canvas.clear(area);
        canvas.put(area.x + 1, area.y, area.width.saturating_sub(2), HAND, model.theme.alarm);
        return canvas.tint(area, model.theme.alarm);
    }
    if !call.recovering {
        let unread = match call.chat.unread {
            0 => String::new(),
            unread => format!(" {unread} unread "),
        };
        let rest = Rect { width: area.width.saturating_sub(columns(&unread)), ..area };
        footer(model, rest, canvas);
        return canvas.right(area, &unread, model.theme.alarm);
    }
    let dots = ".".repeat(1 + (now.since_start.as_secs() % 3) as usize);
    let text = if area.width >= 60 {
        format!("RECOVERING  nothing is heard from the other side, trying again {dots}")
    } else {
        format!("RECOVERING the connection {dots}")
    };
    canvas.clear(area);
    canvas.put(area.x + 1, area.y, area.width.saturating_sub(2), &text, model.theme.alarm);
    canvas.tint(area, model.theme.alarm);
}
