//! Where everything lies: arithmetic on rectangles, for drawing and for the mouse alike.

use ratatui::layout::Rect;

use super::super::conversation::Call;
use super::super::keymap::{Command, Context};
use super::super::model::{Corner, Incoming, Model, Pane};
use super::parts::{columns, inside};

/// From here on two things stand side by side.
const WIDE: u16 = 72;

/// From here on the dashboard has air.
const TALL: u16 = 16;

/// The places of the dashboard.
pub(super) struct Dashboard {
    pub(super) header: Rect,
    pub(super) rule: Option<Rect>,
    pub(super) people: Option<Rect>,
    pub(super) calls: Option<Rect>,
    /// Between the two when they stand side by side.
    pub(super) bar: Option<u16>,
    pub(super) footer: Rect,
}

pub(super) fn dashboard(model: &Model, area: Rect) -> Dashboard {
    let header = Rect { height: 1, ..area };
    let footer = Rect::new(area.x, area.bottom().saturating_sub(1), area.width, 1);
    let rule = (area.height >= TALL).then(|| Rect { y: area.y + 1, ..header });
    let top = 1 + rule.map_or(0, |_| 1);
    let spare = if rule.is_some() { 1 } else { 0 };
    let body = Rect::new(area.x, area.y + top, area.width, area.height.saturating_sub(top + 1 + spare));
    let mut places = Dashboard { header, rule, people: None, calls: None, bar: None, footer };
    if area.width >= WIDE {
        let left = area.width * 5 / 9;
        places.people = Some(Rect { width: left, ..body });
        places.bar = Some(body.x + left);
        places.calls = Some(Rect::new(body.x + left + 1, body.y, body.width - left - 1, body.height));
    } else if area.height >= 20 {
        let upper = body.height * 3 / 5;
        places.people = Some(Rect { height: upper, ..body });
        places.calls = Some(Rect::new(body.x, body.y + upper, body.width, body.height - upper));
    } else if model.pane == Pane::People {
        places.people = Some(body);
    } else {
        places.calls = Some(body);
    }
    places
}

/// The rows of a pane, without its title.
pub(super) fn list(pane: Rect) -> Rect {
    Rect::new(pane.x, pane.y.saturating_add(1), pane.width, pane.height.saturating_sub(1))
}

/// The first row shown, so that the selected one is. It goes by pages: a click moves nothing.
pub(super) fn first(selected: usize, list: Rect) -> usize {
    let page = usize::from(list.height).max(1);
    selected / page * page
}

/// The places of a call.
pub(super) struct Calling {
    pub(super) status: Option<Rect>,
    pub(super) picture: Rect,
    pub(super) own: Option<Rect>,
    pub(super) chat: Option<Rect>,
    /// A file that is under way.
    pub(super) files: Option<Rect>,
    /// One row for both sides, or one for each.
    pub(super) sides: Option<Rect>,
    pub(super) footer: Option<Rect>,
}

pub(super) fn call(model: &Model, call: &Call, area: Rect) -> Calling {
    let mut picture = area;
    let mut places =
        Calling { status: None, picture, own: None, chat: None, files: None, sides: None, footer: None };
    let take_bottom = |picture: &mut Rect, rows: u16| {
        picture.height = picture.height.saturating_sub(rows);
        Rect::new(picture.x, picture.bottom(), picture.width, rows)
    };
    // What must be known is shown with the full screen, too.
    if !model.full || call.recovering || !model.toasts.is_empty() || model.prompt.is_some() {
        places.footer = Some(take_bottom(&mut picture, 1));
    }
    if !model.full {
        places.sides = Some(take_bottom(&mut picture, if area.width >= WIDE { 1 } else { 2 }));
    }
    if call.files.shown().is_some() {
        places.files = Some(take_bottom(&mut picture, 1));
    }
    if !model.full || call.own_records || call.remote_records {
        places.status = Some(Rect { height: 1, ..picture });
        picture.y += 1;
        picture.height = picture.height.saturating_sub(1);
    }
    if call.chat.open {
        if area.width >= WIDE {
            let width = (area.width / 3).clamp(26, 48);
            places.chat = Some(Rect::new(picture.right() - width, picture.y, width, picture.height));
            picture.width -= width;
        } else {
            // A picture of a few rows shows nobody anything.
            let height = if picture.height < 14 { picture.height } else { picture.height / 2 };
            picture.height -= height;
            places.chat = Some(Rect::new(picture.x, picture.bottom(), picture.width, height));
        }
    }
    places.picture = picture;
    places.own = own(model, picture);
    places
}

/// A quarter of the picture's width, in a corner; nothing where that would be too small to be of use.
fn own(model: &Model, picture: Rect) -> Option<Rect> {
    if !model.self_view || picture.width < 36 || picture.height < 8 {
        return None;
    }
    let width = (picture.width / 4).clamp(12, 48);
    // Cells are about twice as high as wide, pictures 16 by 9.
    let height = (width * 9 / 32).clamp(3, picture.height / 2);
    let right = matches!(model.corner, Corner::BottomRight | Corner::TopRight);
    let bottom = matches!(model.corner, Corner::BottomRight | Corner::BottomLeft);
    let x = if right { picture.right() - width } else { picture.x };
    let y = if bottom { picture.bottom() - height } else { picture.y };
    Some(Rect::new(x, y, width, height))
}

/// The prompt of an incoming call.
pub(super) struct Ringing {
    pub(super) area: Rect,
    pub(super) buttons: Vec<(Command, Rect)>,
}

pub(super) fn incoming(model: &Model, incoming: &Incoming, area: Rect) -> Ringing {
    let room = if area.width < 50 { area } else { inside(area, 1, 0) };
    let width = room.width.min(60);
    let key = columns(incoming.key.as_str()).div_ceil(width.saturating_sub(6).max(1));
    let warning = if !incoming.first_contact {
        1
    } else if width >= 50 {
        2
    } else {
        3
    };
    let wanted = 8 + key + warning + u16::from(incoming.files);
    let height = wanted.min(room.height);
    let place =
        Rect::new(room.x + (room.width - width) / 2, room.y + (room.height - height) / 2, width, height);
    let commands = [Command::Accept, Command::Decline, Command::Busy];
    Ringing { area: place, buttons: buttons(model, Context::Incoming, &commands, place) }
}

/// The prompt of a file.
pub(super) fn offer(model: &Model, area: Rect) -> Ringing {
    let room = if area.width < 50 { area } else { inside(area, 1, 0) };
    let (width, height) = (room.width.min(60), room.height.min(11));
    let place =
        Rect::new(room.x + (room.width - width) / 2, room.y + (room.height - height) / 2, width, height);
    let commands = [Command::Accept, Command::AcceptAll, Command::Decline];
    Ringing { area: place, buttons: buttons(model, Context::Offer, &commands, place) }
}

/// Buttons in the last row but one of a prompt.
fn buttons(model: &Model, context: Context, commands: &[Command], place: Rect) -> Vec<(Command, Rect)> {
    let mut buttons = Vec::new();
    let words: Vec<(Command, u16)> =
        commands.iter().map(|command| (*command, columns(&button(model, context, *command)))).collect();
    let gap = if place.width >= 50 { 3 } else { 1 };
    let gaps = gap * u16::try_from(words.len().saturating_sub(1)).unwrap_or_default();
    let total: u16 = words.iter().map(|(_, wide)| wide).sum::<u16>() + gaps;
    let mut x = place.x + place.width.saturating_sub(total) / 2;
    for (command, wide) in words {
        let button = Rect::new(x, place.bottom().saturating_sub(2), wide, 1);
        buttons.push((command, button.intersection(place)));
        x = x.saturating_add(wide + gap);
    }
    buttons
}

/// A button's words: its key and what it does.
pub(super) fn button(model: &Model, context: Context, command: Command) -> String {
    let word = match command {
        Command::Accept => "Accept",
        Command::AcceptAll => "Accept all",
        Command::Decline => "Decline",
        _ => "Busy",
    };
    match model.keys.key(context, command) {
        Some(key) => format!("[{key} {word}]"),
        None => format!("[{word}]"),
    }
}

/// The box for what is read.
pub(super) fn reading(area: Rect) -> Rect {
    let width = area.width.min(76);
    let height = if area.height > 30 { area.height - 4 } else { area.height.saturating_sub(1) };
    Rect::new(
        area.x + (area.width - width) / 2,
        area.y + (area.height.saturating_sub(1) - height.min(area.height.saturating_sub(1))) / 2,
        width,
        height,
    )
}
