//! The model as cells, and where the pictures go.
//!
//! Owns what is drawn where. Changes nothing: the same model at the same time looks the same. Must not draw a picture.

mod call;
mod cards;
mod chat;
mod dashboard;
mod layout;
mod parts;
mod reading;

use ratatui::Frame;
use ratatui::layout::{Position, Rect};

use super::keymap::{Command, Context};
use super::model::{Model, Pane};
use super::{Now, Panes};
use parts::Canvas;

/// The smallest screen that everything fits on.
const SMALLEST: (u16, u16) = (40, 12);

/// Draws the screen. Painters then draw into the panes, the own picture last.
pub fn view(model: &Model, now: Now, frame: &mut Frame) -> Panes {
    let area = frame.area();
    let mut canvas = Canvas::new(frame.buffer_mut(), model.theme);
    if is_small(area) {
        small(model, area, &mut canvas);
        return Panes::default();
    }
    let mut panes = Panes::default();
    let mut cursor = None;
    match &model.call {
        Some(call) if call.is_over() || call.is_dialing() => cards::card(model, call, now, area, &mut canvas),
        Some(call) => (panes, cursor) = call::draw(model, call, now, area, &mut canvas),
        None => cursor = dashboard::draw(model, now, area, &mut canvas),
    }
    // What lies over a picture must not be painted over.
    if let Some(what) = model.reading {
        reading::draw(model, what, now, area, &mut canvas);
        (panes, cursor) = (Panes::default(), None);
    }
    if let Some(offer) = model.offer() {
        cards::offer(model, offer, now, area, &mut canvas);
        (panes, cursor) = (Panes::default(), None);
    }
    if let Some(incoming) = &model.incoming {
        cards::incoming(model, incoming, now, area, &mut canvas);
        (panes, cursor) = (Panes::default(), None);
    }
    if let Some(at) = cursor.filter(|at| area.contains(*at)) {
        frame.set_cursor_position(at);
    }
    panes
}

/// What a click hits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    Button(Command),
    Person(usize),
    Call(usize),
    /// The card of a call that is over.
    Card,
    /// The panel of messages.
    Chat,
}

/// What lies at a place of the screen.
pub(super) fn target(model: &Model, at: Position) -> Option<Target> {
    let area = Rect::new(0, 0, model.size.0, model.size.1);
    if is_small(area) {
        return None;
    }
    if let Some(incoming) = &model.incoming {
        let buttons = layout::incoming(model, incoming, area).buttons;
        return buttons
            .into_iter()
            .find(|(_, place)| place.contains(at))
            .map(|(command, _)| Target::Button(command));
    }
    if model.offer().is_some() {
        let buttons = layout::offer(model, area).buttons;
        return buttons
            .into_iter()
            .find(|(_, place)| place.contains(at))
            .map(|(command, _)| Target::Button(command));
    }
    if model.reading.is_some() {
        return None;
    }
    match &model.call {
        Some(call) if call.is_over() => Some(Target::Card),
        Some(call) if call.is_dialing() => None,
        Some(call) => {
            let chat = layout::call(model, call, area).chat;
            chat.filter(|chat| chat.contains(at)).map(|_| Target::Chat)
        }
        None => {
            let places = layout::dashboard(model, area);
            let hit = |pane: Option<Rect>, selected: usize, len: usize| {
                let list = layout::list(pane?);
                let index = layout::first(selected, list) + usize::from(at.y.checked_sub(list.y)?);
                (list.contains(at) && index < len).then_some(index)
            };
            hit(places.people, model.users.selected(), model.users.rows().len())
                .map(Target::Person)
                .or_else(|| hit(places.calls, model.selected_call, model.calls.len()).map(Target::Call))
        }
    }
}

/// Rows that a page has in whatever is scrolled at present.
pub(super) fn page_of(model: &Model) -> isize {
    let area = Rect::new(0, 0, model.size.0, model.size.1);
    let rows = match model.context() {
        Context::Dashboard | Context::Typing => {
            let places = layout::dashboard(model, area);
            let pane = if model.pane == Pane::Calls { places.calls } else { places.people };
            pane.map_or(0, |pane| layout::list(pane).height)
        }
        Context::Reading => layout::reading(area).height.saturating_sub(2),
        _ => area.height / 2,
    };
    isize::try_from(rows.max(1)).unwrap_or(1)
}

/// The first line of the last page of what is read.
pub(super) fn last_top(model: &Model) -> usize {
    let area = Rect::new(0, 0, model.size.0, model.size.1);
    model.reading.map_or(0, |what| reading::last_top(model, what, area))
}

/// How many lines of messages there are before the newest.
pub(super) fn furthest_back(model: &Model) -> usize {
    let Some(call) = &model.call else { return 0 };
    let area = Rect::new(0, 0, model.size.0, model.size.1);
    layout::call(model, call, area).chat.map_or(0, |panel| chat::furthest_back(model, call, panel))
}

fn is_small(area: Rect) -> bool {
    area.width < SMALLEST.0 || area.height < SMALLEST.1
}

/// What matters most, on a screen that nothing fits on.
fn small(model: &Model, area: Rect, canvas: &mut Canvas) {
    let mut lines = Vec::new();
    if let Some(incoming) = &model.incoming {
        lines.push(format!("CALL FROM {}", incoming.from));
        let key = |command| {
            model.keys.key(Context::Incoming, command).map_or("-".to_owned(), |key| key.to_string())
        };
        lines.push(format!("{} accept  {} decline", key(Command::Accept), key(Command::Decline)));
    } else if let Some(offer) = model.offer() {
        lines.push(format!("FILE {}", offer.name));
        let key =
            |command| model.keys.key(Context::Offer, command).map_or("-".to_owned(), |key| key.to_string());
        lines.push(format!("{} accept  {} decline", key(Command::Accept), key(Command::Decline)));
    } else if let Some(call) = &model.call {
        lines.push(format!("{}: {}", call.peer, parts::phase(call)));
    }
    lines.push(format!("too small: {}x{}, not {}x{}", SMALLEST.0, SMALLEST.1, area.width, area.height));
    let columns = usize::from(area.width);
    let wrapped = lines.iter().flat_map(|line| crate::text::wrap(line, columns));
    for (y, line) in (area.y..area.bottom()).zip(wrapped) {
        canvas.put(area.x, y, area.width, &line, model.theme.strong);
    }
}
