//! What a side shows of itself beside picture and sound: a raised hand, that it is away, a reaction.
//!
//! Owns the words of them and how many reactions are too many. Must not know how they are drawn.

use std::str::FromStr;

use tokio::time::{Duration, Instant};

/// Something that a side shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// Its hand is up (true) or down again.
    Hand(bool),
    /// Nobody sits there (true), or somebody is back.
    Away(bool),
    /// A short answer without words. It passes by itself.
    Reaction(Reaction),
}

/// A short answer without words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reaction {
    /// Agreement.
    ThumbsUp,
    /// Disagreement.
    ThumbsDown,
    /// Applause.
    Clap,
    /// Affection.
    Heart,
    /// Laughter.
    Laugh,
    /// Surprise.
    Wow,
}

impl Reaction {
    /// Every one, in the order of the keys.
    pub const ALL: [Self; 6] =
        [Self::ThumbsUp, Self::ThumbsDown, Self::Clap, Self::Heart, Self::Laugh, Self::Wow];

    /// Its word, on the wire, in events and when it is typed.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ThumbsUp => "thumbs-up",
            Self::ThumbsDown => "thumbs-down",
            Self::Clap => "clap",
            Self::Heart => "heart",
            Self::Laugh => "laugh",
            Self::Wow => "wow",
        }
    }

    /// Its picture, two columns wide in every terminal: none of them needs a variation selector.
    #[must_use]
    pub fn picture(self) -> &'static str {
        match self {
            Self::ThumbsUp => "👍",
            Self::ThumbsDown => "👎",
            Self::Clap => "👏",
            Self::Heart => "💖",
            Self::Laugh => "😂",
            Self::Wow => "😮",
        }
    }
}

/// Not the word of a reaction.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no reaction (there are thumbs-up, thumbs-down, clap, heart, laugh and wow)")]
pub struct Unknown(String);

impl FromStr for Reaction {
    type Err = Unknown;

    fn from_str(text: &str) -> Result<Self, Unknown> {
        Self::ALL.into_iter().find(|known| known.name() == text).ok_or_else(|| Unknown(text.to_owned()))
    }
}

/// Reactions that may come at once; after them one each [`EVERY`].
const AT_ONCE: u32 = 5;
/// See [`AT_ONCE`].
const EVERY: Duration = Duration::from_millis(500);

/// What one side shows now.
#[derive(Debug, Clone, Copy)]
pub(super) struct Signs {
    hand: bool,
    away: bool,
    /// When the last reaction that was let through is forgotten.
    busy_until: Instant,
}

impl Signs {
    pub(super) fn new(now: Instant, away: bool) -> Self {
        Self { hand: false, away, busy_until: now }
    }

    /// Takes a sign over; false for one that changes nothing, and for a reaction that comes too soon after others. Both sides
    /// count in the same way, so that none is shown here and dropped there.
    pub(super) fn take(&mut self, sign: Sign, now: Instant) -> bool {
        match sign {
            Sign::Hand(up) => std::mem::replace(&mut self.hand, up) != up,
            Sign::Away(away) => std::mem::replace(&mut self.away, away) != away,
            Sign::Reaction(_) => {
                let busy = self.busy_until.max(now) + EVERY;
                let fits = busy.saturating_duration_since(now) <= EVERY * AT_ONCE;
                if fits {
                    self.busy_until = busy;
                }
                fits
            }
        }
    }

    /// What the other side has to be told when it begins to listen.
    pub(super) fn lasting(self) -> impl Iterator<Item = Sign> {
        let hand = self.hand.then_some(Sign::Hand(true));
        hand.into_iter().chain(self.away.then_some(Sign::Away(true)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reactions_have_words_of_their_own() {
        for reaction in Reaction::ALL {
            assert_eq!(reaction.name().parse(), Ok(reaction));
            assert_eq!(crate::text::width(reaction.picture()), 2);
        }
        assert!("Clap".parse::<Reaction>().is_err() && "".parse::<Reaction>().is_err());
    }

    #[test]
    fn only_changes_count_and_a_flood_of_reactions_does_not() {
        let start = Instant::now();
        let mut signs = Signs::new(start, true);
        assert!(!signs.take(Sign::Away(true), start) && signs.take(Sign::Away(false), start));
        assert!(signs.take(Sign::Hand(true), start) && !signs.take(Sign::Hand(true), start));
        assert_eq!(signs.lasting().collect::<Vec<_>>(), [Sign::Hand(true)]);
        let clap = Sign::Reaction(Reaction::Clap);
        let shown = |signs: &mut Signs, at| (0..100).filter(|_| signs.take(clap, at)).count();
        assert_eq!(shown(&mut signs, start), 5);
        assert_eq!(shown(&mut signs, start + EVERY), 1);
        assert_eq!(shown(&mut signs, start + Duration::from_secs(60)), 5);
    }
}
