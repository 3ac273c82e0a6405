//! Notifications of the desktop, through the terminal.
//!
//! Owns the sequences that terminals take for them. The texts are cleaned before they come here; what could end
//! a sequence or separate its fields is taken out once more, because this is where it would matter.

use super::terminal::{Capabilities, Notification};

/// What shows a notification in this terminal; empty where it has none.
#[must_use]
pub(super) fn sequence(capabilities: &Capabilities, title: &str, body: &str) -> Vec<u8> {
    let (title, body) = (plain(title), plain(body));
    let sequence = match capabilities.notification {
        Notification::None => return Vec::new(),
        Notification::Osc9 => format!("\x1b]9;{title}: {body}\x1b\\"),
        Notification::Osc777 => format!("\x1b]777;notify;{title};{body}\x1b\\"),
        // Kitty's protocol: the title of a notification that is not done (d=0), then its body.
        Notification::Osc99 => {
            format!("\x1b]99;i=letsmeet:d=0;{title}\x1b\\\x1b]99;i=letsmeet:d=1:p=body;{body}\x1b\\")
        }
    };
    match capabilities.tmux {
        // Each escape within a sequence that tmux passes through is doubled.
        Some(_) => format!("\x1bPtmux;{}\x1b\\", sequence.replace('\x1b', "\x1b\x1b")).into_bytes(),
        None => sequence.into_bytes(),
    }
}

fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).map(|c| if c == ';' { ',' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(notification: Notification, tmux: bool) -> String {
        let tmux = tmux.then(|| "3.4".to_owned());
        let capabilities = Capabilities { notification, tmux, ..Capabilities::unknown() };
        String::from_utf8(sequence(&capabilities, "letsmeet", "b;o\x1bb\x07 calls")).unwrap()
    }

    #[test]
    fn each_terminal_gets_its_own_sequence_and_nothing_breaks_out_of_it() {
        assert_eq!(sent(Notification::None, false), "");
        assert_eq!(sent(Notification::Osc9, false), "\x1b]9;letsmeet: b,ob calls\x1b\\");
        assert_eq!(sent(Notification::Osc777, false), "\x1b]777;notify;letsmeet;b,ob calls\x1b\\");
        let kitty = sent(Notification::Osc99, false);
        assert_eq!(kitty.matches('\x1b').count(), 4);
        assert!(kitty.ends_with("p=body;b,ob calls\x1b\\"), "{kitty:?}");
    }

    #[test]
    fn tmux_passes_it_through() {
        assert_eq!(
            sent(Notification::Osc777, true),
            "\x1bPtmux;\x1b\x1b]777;notify;letsmeet;b,ob calls\x1b\x1b\\\x1b\\"
        );
    }
}
