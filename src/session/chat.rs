//! Written messages of a call, as they travel over the data channel: the word `chat`, a space, the text.
//!
//! Owns their form and limits. Encrypted like the media and straight between the peers; the server sees nothing of them.

/// The longest message, bytes of UTF-8.
pub const MAX_CHAT: usize = 4096;

/// What a message begins with.
const PREFIX: &str = "chat ";

/// The message as it is sent.
///
/// # Errors
/// Why it can't be sent, in words.
pub(super) fn message(text: &str) -> Result<String, String> {
    check(text)?;
    Ok(format!("{PREFIX}{text}"))
}

/// The text of a received message; `None` for what is none, or breaks the limits.
#[must_use]
pub fn parse(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?.strip_prefix(PREFIX)?;
    check(text).ok().map(|()| text)
}

/// Whether this can be sent as one message.
///
/// # Errors
/// Why not, in words.
pub fn check(text: &str) -> Result<(), String> {
    if text.trim().is_empty() {
        Err("there is nothing to say".to_owned())
    } else if text.len() > MAX_CHAT {
        Err(format!("{} bytes are more than the {MAX_CHAT} of a message", text.len()))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_back_whatever_they_hold() {
        for text in ["hello", "two\nlines", "chat chat", "\u{1b}[2J", "Zoë 田中 🦀", " x"] {
            assert_eq!(parse(message(text).unwrap().as_bytes()), Some(text));
        }
    }

    #[test]
    fn nothing_and_too_much_are_refused_on_both_sides() {
        for text in ["", "  \n", &"x".repeat(MAX_CHAT + 1)] {
            assert!(message(text).is_err());
            assert_eq!(parse(format!("{PREFIX}{text}").as_bytes()), None);
        }
        assert!(message(&"x".repeat(MAX_CHAT)).is_ok());
        for other in [&b"chat"[..], b"chat \xff", b"media audio off", b""] {
            assert_eq!(parse(other), None);
        }
    }
}
