//! Commands, by key or by button.

use super::super::conversation::{Phase, Sent};
use super::super::editor::Editor;
use super::super::keymap::{Command, Context};
use super::super::model::{Corner, Model, Pane, Prompt, Purpose, Reading};
use super::super::view::{furthest_back, last_top, page_of};
use super::super::{Action, Now};
use crate::session::{self, Kind, Sign, Slot};

/// Bytes of a name or a search; the server takes no more.
const NAME: usize = 64;

/// Bytes of a code with spaces between its digits.
const CODE: usize = 48;

/// Bytes of a path; no system takes longer ones.
const PATH: usize = 4096;

impl Model {
    pub(super) fn command(&mut self, context: Context, command: Command, now: Now) {
        match command {
            Command::Accept if context == Context::Offer => {
                self.answer_file(|number| session::Command::AcceptFile { number }, now);
            }
            Command::AcceptAll => self.take_all(now),
            Command::Decline if context == Context::Offer => {
                self.answer_file(|number| session::Command::DeclineFile { number }, now);
            }
            Command::Accept => self.answer(|call| session::Command::Accept { call }),
            Command::Decline => self.answer(|call| session::Command::Decline { call, busy: false }),
            Command::Busy => self.answer(|call| session::Command::Decline { call, busy: true }),
            Command::Select => self.call_selected(now),
            Command::Dial => {
                self.prompt = Some(Prompt { purpose: Purpose::Dial, editor: Editor::line(NAME) })
            }
            Command::Search => {
                self.pane = Pane::People;
                let mut editor = Editor::line(NAME);
                editor.insert(self.users.query());
                self.prompt = Some(Prompt { purpose: Purpose::Search, editor });
            }
            Command::Everybody => self.end_search(),
            Command::Sort => self.users.resort(),
            Command::OtherPane => self.other_pane(),
            Command::Up => self.step(context, -1),
            Command::Down => self.step(context, 1),
            Command::PageUp => self.step(context, -page_of(self)),
            Command::PageDown => self.step(context, page_of(self)),
            Command::First => self.step(context, isize::MIN / 2),
            Command::Last => self.step(context, isize::MAX / 2),
            Command::Refresh => self.refresh(now),
            Command::Confirm => self.confirm(now),
            Command::GiveUp if context == Context::Chat => self.close_chat(),
            Command::GiveUp => match self.prompt.take().map(|prompt| prompt.purpose) {
                Some(Purpose::Search) => self.end_search(),
                Some(Purpose::Compare) => {
                    let again = self.keys.key(Context::Call, Command::Compare);
                    let again = again.map_or_else(String::new, |key| format!(": {key} asks again"));
                    self.say(&format!("the codes are not compared{again}"), false, now);
                }
                _ => {}
            },
            Command::Cancel | Command::HangUp => self.hang_up(now),
            Command::Mute => self.mute(Kind::Audio, now),
            Command::Talk => self.talk(now),
            Command::PushToTalk => self.switch_push_to_talk(now),
            Command::NextCamera => self.next_device(Slot::Video),
            Command::NextMicrophone => self.next_device(Slot::Audio),
            Command::NextSpeaker => self.next_device(Slot::Hear),
            Command::Share => self.share(),
            Command::Camera => self.mute(Kind::Video, now),
            Command::Hand => self.raise_hand(),
            Command::Away => self.go_away(),
            Command::React(reaction) => self.sign(Sign::Reaction(reaction)),
            Command::Chat => {
                if let Some(call) = &mut self.call {
                    (call.chat.open, call.chat.typing, call.chat.unread) = (true, true, 0);
                    self.full = false;
                }
            }
            Command::SendFile => {
                self.full = false;
                self.prompt = Some(Prompt { purpose: Purpose::File, editor: Editor::line(PATH) });
            }
            Command::StopFile => self.stop_file(now),
            Command::LeaveChat => self.call.iter_mut().for_each(|call| call.chat.typing = false),
            Command::CloseChat => {
                self.full = false;
                self.close_chat();
            }
            Command::Send => self.send(),
            Command::NewLine => self.call.iter_mut().for_each(|call| call.chat.editor.insert("\n")),
            Command::SelfView => self.self_view = !self.self_view,
            Command::Corner => self.corner = next_corner(self.corner),
            Command::FullScreen => self.full = !self.full,
            Command::Alert => self.switch_alert(now),
            Command::RenderMode => self.out.push(Action::NextMode),
            Command::Record => self.record(),
            Command::Compare => self.ask_code(),
            Command::Figures if self.reading == Some(Reading::Figures) => self.reading = None,
            // Without a call there are none.
            Command::Figures if self.call.is_none() => {}
            Command::Figures => self.read(Reading::Figures),
            Command::Messages if self.reading == Some(Reading::Log) => self.reading = None,
            Command::Messages => self.read(Reading::Log),
            Command::Help if self.reading == Some(Reading::Help) => self.reading = None,
            Command::Help => self.read(Reading::Help),
            Command::Close => self.reading = None,
            Command::Back => self.dismiss(now),
            Command::Quit => self.quit(),
            Command::Interrupt => self.interrupt(now),
            Command::Redraw => self.out.push(Action::Redraw),
            Command::Suspend => self.out.push(Action::Suspend),
        }
    }

    /// Puts the card of a call away: back to the dashboard, or out when that was the one call.
    pub(super) fn dismiss(&mut self, now: Now) {
        if self.one_call {
            return self.quit();
        }
        self.call = None;
        self.drawing = None;
        self.next_refresh = now.since_start;
    }

    pub(super) fn call_selected(&mut self, now: Now) {
        let name = match self.pane {
            Pane::People => self.users.chosen().map(|row| row.name.clone()),
            Pane::Calls => self.calls.get(self.selected_call).map(|entry| entry.peer.clone()),
        };
        if let Some(name) = name {
            self.dial(&name, now);
        }
    }

    /// Goes to a pane; looking at the calls is having seen them, on leaving.
    pub(super) fn other_pane(&mut self) {
        self.pane = match self.pane {
            Pane::People => Pane::Calls,
            Pane::Calls => Pane::People,
        };
        if self.pane == Pane::People && self.missed() > 0 {
            self.calls.iter_mut().for_each(|entry| entry.seen = true);
            self.out.push(Action::Seen);
        }
    }

    fn answer(&mut self, command: impl FnOnce(Option<crate::call::CallId>) -> session::Command) {
        if let Some(incoming) = self.incoming.as_mut().filter(|incoming| !incoming.answered) {
            incoming.answered = true;
            self.out.push(Action::Command(command(Some(incoming.call))));
        }
    }

    pub(super) fn answer_file(&mut self, command: impl FnOnce(Option<u32>) -> session::Command, now: Now) {
        if let Some(number) = self.call.as_mut().and_then(|call| call.files.answer()) {
            self.out.push(Action::Command(command(Some(number))));
        }
        if self.offer().is_some() {
            // The next one: nobody has seen it yet.
            self.settle(now);
        }
    }

    /// Takes what is offered, and what will be: nobody is asked again in this call.
    fn take_all(&mut self, now: Now) {
        while self.offer().is_some() {
            self.answer_file(|number| session::Command::AcceptFile { number }, now);
        }
        self.call.iter_mut().for_each(|call| call.files.takes_all = true);
        self.say("every file of this call is taken", false, now);
    }

    /// Asks for the code that the other side reads aloud.
    pub(super) fn ask_code(&mut self) {
        if self.call.as_ref().is_some_and(|call| call.code.is_some()) {
            self.full = false;
            self.prompt = Some(Prompt { purpose: Purpose::Compare, editor: Editor::line(CODE) });
        }
    }

    fn stop_file(&mut self, now: Now) {
        let shown = self.call.as_ref().and_then(|call| call.files.shown());
        match shown.map(|(transfer, _)| transfer.number) {
            Some(number) => self.out.push(Action::Command(session::Command::CancelFile { number })),
            None => self.say("no file is under way", false, now),
        }
    }

    fn end_search(&mut self) {
        if !self.users.query().is_empty() {
            let ask = self.users.search("");
            self.out.push(ask);
        }
    }

    /// Moves in whatever list has the keys.
    pub(super) fn step(&mut self, context: Context, by: isize) {
        match context {
            // The view knows how many lines there are and stops at the last page.
            Context::Reading => self.top = self.top.min(last_top(self)).saturating_add_signed(by),
            Context::Call | Context::Chat => {
                let furthest = furthest_back(self);
                if let Some(call) = &mut self.call {
                    call.chat.back = call.chat.back.saturating_add_signed(-by).min(furthest);
                }
            }
            _ if self.pane == Pane::Calls && self.prompt.is_none() => {
                let last = self.calls.len().saturating_sub(1);
                self.selected_call = self.selected_call.saturating_add_signed(by).min(last);
            }
            _ => self.users.select(self.users.selected().saturating_add_signed(by)),
        }
    }

    fn confirm(&mut self, now: Now) {
        let Some(prompt) = self.prompt.take() else { return };
        match prompt.purpose {
            Purpose::Dial => self.dial(prompt.editor.text(), now),
            Purpose::File if prompt.editor.text().trim().is_empty() => {}
            Purpose::File => self.out.push(Action::SendFile(prompt.editor.text().trim().to_owned())),
            Purpose::Compare if prompt.editor.text().trim().is_empty() => {}
            Purpose::Compare => {
                let code = prompt.editor.text().trim().to_owned();
                self.out.push(Action::Command(session::Command::Compare { code }));
            }
            Purpose::Search => {}
        }
    }

    fn hang_up(&mut self, now: Now) {
        let Some(call) = &mut self.call else { return };
        match (&call.phase, call.id) {
            (Phase::Waiting, _) => self.dismiss(now),
            (_, id) => {
                call.hanging_up = true;
                self.out.push(Action::Command(session::Command::HangUp { call: id }));
            }
        }
    }

    pub(super) fn mute(&mut self, kind: Kind, now: Now) {
        let Some(call) = &mut self.call else { return };
        match *call.own.of(kind) {
            Sent::Never => {
                let what = if kind == Kind::Audio { "microphone" } else { "camera" };
                self.say(&format!("this side sends without a {what}"), false, now);
            }
            sent => {
                let muted = sent == Sent::On;
                self.out.push(Action::Command(session::Command::Mute { kind, muted }));
            }
        }
    }

    fn close_chat(&mut self) {
        if let Some(call) = &mut self.call {
            (call.chat.open, call.chat.typing) = (false, false);
        }
    }

    fn send(&mut self) {
        if let Some(call) = self.call.as_mut().filter(|call| !call.chat.editor.text().trim().is_empty()) {
            let text = call.chat.editor.take();
            call.chat.back = 0;
            self.out.push(Action::Command(session::Command::Chat { text }));
        }
    }

    fn read(&mut self, what: Reading) {
        self.reading = Some(what);
        // The log is read from its end.
        self.top = if what == Reading::Log { usize::MAX } else { 0 };
    }

    /// Ends what is going on: a call first, then the screen. Asked for again while the call is still ending, leaves at
    /// once. An incoming call is left to other screens of this name.
    fn interrupt(&mut self, now: Now) {
        match &mut self.call {
            Some(call) if !call.is_over() && !call.hanging_up && self.incoming.is_none() => self.hang_up(now),
            _ => self.quit(),
        }
    }
}

fn next_corner(corner: Corner) -> Corner {
    match corner {
        Corner::BottomRight => Corner::BottomLeft,
        Corner::BottomLeft => Corner::TopLeft,
        Corner::TopLeft => Corner::TopRight,
        Corner::TopRight => Corner::BottomRight,
    }
}
